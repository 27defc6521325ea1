package interop.openwire;

import interop.jms.BrokerUnderTest;
import interop.jms.JmsTest;
import java.util.List;
import javax.jms.Connection;
import javax.jms.JMSException;
import javax.jms.Message;
import javax.jms.MessageConsumer;
import javax.jms.Queue;
import javax.jms.Session;
import org.apache.activemq.ActiveMQConnectionFactory;
import org.apache.activemq.ActiveMQSession;
import org.apache.activemq.RedeliveryPolicy;

/** What the tests of the stock client's own features share. */
abstract class OpenWireTest extends JmsTest {
  static final String DLQ = "ActiveMQ.DLQ";

  static ActiveMQConnectionFactory amq() {
    return amq("");
  }

  /** A factory with options in the URL, such as {@code ?jms.useAsyncSend=true}. */
  static ActiveMQConnectionFactory amq(String options) {
    return new ActiveMQConnectionFactory(BrokerUnderTest.url() + options);
  }

  /** Redelivery without pauses, and so often before a message is given up. */
  static ActiveMQConnectionFactory redelivering(int maximum) {
    ActiveMQConnectionFactory factory = amq();
    RedeliveryPolicy policy = factory.getRedeliveryPolicy();
    policy.setInitialRedeliveryDelay(0);
    policy.setRedeliveryDelay(0);
    policy.setMaximumRedeliveries(maximum);
    return factory;
  }

  static Session individual(Connection connection) throws JMSException {
    return connection.createSession(false, ActiveMQSession.INDIVIDUAL_ACKNOWLEDGE);
  }

  /** Sends a text with a property `test` that tells this test's messages in shared queues. */
  void sendTagged(Session session, Queue queue, String text) throws JMSException {
    Message message = session.createTextMessage(text);
    message.setStringProperty("test", name("tag"));
    session.createProducer(queue).send(message);
  }

  /** The dead letter of this test. */
  Message deadLetter(Session session) throws JMSException {
    MessageConsumer consumer =
        session.createConsumer(session.createQueue(DLQ), "test = '" + name("tag") + "'");
    Message message = receive(consumer);
    consumer.close();
    return message;
  }

  static String[] numbers(int from, int to) {
    String[] texts = new String[to - from];
    for (int i = from; i < to; i++) {
      texts[i - from] = "" + i;
    }
    return texts;
  }

  static List<String> list(String... texts) {
    return List.of(texts);
  }
}
