package interop.openwire;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicReference;
import javax.jms.BytesMessage;
import javax.jms.Connection;
import javax.jms.DeliveryMode;
import javax.jms.JMSException;
import javax.jms.MessageConsumer;
import javax.jms.MessageProducer;
import javax.jms.Queue;
import javax.jms.Session;
import javax.jms.TextMessage;
import org.apache.activemq.ActiveMQConnectionFactory;
import org.apache.activemq.ActiveMQMessageProducer;
import org.apache.activemq.AsyncCallback;
import org.junit.Test;

/** The stock client's ways to send. */
public class ProducersTest extends OpenWireTest {
  private void sendMany(ActiveMQConnectionFactory factory, int mode, int count, int size)
      throws JMSException {
    Connection connection = started(factory);
    Session session = auto(connection);
    Queue queue = queue(session);
    MessageProducer producer = session.createProducer(queue);
    producer.setDeliveryMode(mode);
    for (int i = 0; i < count; i++) {
      BytesMessage message = session.createBytesMessage();
      message.writeBytes(new byte[size]);
      message.setIntProperty("n", i);
      producer.send(message);
    }
    Connection receiving = started();
    MessageConsumer consumer = auto(receiving).createConsumer(queue);
    for (int i = 0; i < count; i++) {
      assertEquals(i, receive(consumer).getIntProperty("n"));
    }
    receiving.close();
    connection.close();
  }

  @Test
  public void asynchronousSends() throws JMSException {
    sendMany(amq("?jms.useAsyncSend=true"), DeliveryMode.PERSISTENT, 500, 100);
    sendMany(amq(), DeliveryMode.NON_PERSISTENT, 500, 100);
  }

  @Test
  public void alwaysSynchronousSends() throws JMSException {
    sendMany(amq("?jms.alwaysSyncSend=true"), DeliveryMode.NON_PERSISTENT, 100, 100);
  }

  @Test
  public void sendsWithATimeout() throws JMSException {
    sendMany(amq("?jms.sendTimeout=60000"), DeliveryMode.PERSISTENT, 50, 100);
  }

  @Test
  public void aWindowIsOpenedAgainByTheBroker() throws JMSException {
    // 200 messages of 1024 + 2000 and more: without ProducerAcks of the right size it blocks.
    sendMany(
        amq("?jms.producerWindowSize=10000&jms.useAsyncSend=true"),
        DeliveryMode.PERSISTENT, 200, 2000);
    sendMany(amq("?jms.producerWindowSize=5000"), DeliveryMode.NON_PERSISTENT, 200, 2000);
  }

  @Test
  public void aWindowOfTheDestinationsName() throws JMSException {
    Session session = auto(started(amq("?jms.useAsyncSend=true")));
    Queue queue = session.createQueue(name("queue") + "?producer.windowSize=4000");
    MessageProducer producer = session.createProducer(queue);
    for (int i = 0; i < 50; i++) {
      producer.send(session.createTextMessage("" + i));
    }
    expect(session.createConsumer(session.createQueue(name("queue"))), numbers(0, 50));
  }

  @Test
  public void aWindowInATransaction() throws JMSException {
    Connection connection = started(amq("?jms.producerWindowSize=4000"));
    Session session = transacted(connection);
    Queue queue = queue(session);
    MessageProducer producer = session.createProducer(queue);
    for (int i = 0; i < 50; i++) {
      producer.send(session.createTextMessage("" + i));
    }
    session.commit();
    expect(auto(connection).createConsumer(queue), numbers(0, 50));
  }

  @Test
  public void callbacksOfPersistentSends() throws Exception {
    int count = 100;
    Session session = auto(started());
    Queue queue = queue(session);
    ActiveMQMessageProducer producer = (ActiveMQMessageProducer) session.createProducer(queue);
    CountDownLatch confirmed = new CountDownLatch(count);
    AtomicReference<JMSException> failure = new AtomicReference<>();
    for (int i = 0; i < count; i++) {
      producer.send(
          session.createTextMessage("" + i),
          new AsyncCallback() {
            @Override
            public void onSuccess() {
              confirmed.countDown();
            }

            @Override
            public void onException(JMSException error) {
              failure.set(error);
            }
          });
    }
    await(confirmed);
    assertEquals(null, failure.get());
    expect(session.createConsumer(queue), numbers(0, count));
  }

  @Test
  public void compression() throws JMSException {
    Connection connection = started(amq("?jms.useCompression=true"));
    Session session = auto(connection);
    Queue queue = queue(session);
    MessageProducer producer = session.createProducer(queue);
    String text = "payroll 🐎 ".repeat(1000);
    producer.send(session.createTextMessage(text));
    producer.send(session.createTextMessage(""));
    BytesMessage bytes = session.createBytesMessage();
    bytes.writeBytes(new byte[10_000]);
    producer.send(bytes);
    javax.jms.MapMessage map = session.createMapMessage();
    map.setString("text", text);
    producer.send(map);
    javax.jms.StreamMessage stream = session.createStreamMessage();
    stream.writeString(text);
    producer.send(stream);
    producer.send(session.createObjectMessage(text));
    // By a client that does not compress.
    MessageConsumer consumer = auto(started()).createConsumer(queue);
    assertEquals(text, text(receive(consumer)));
    assertEquals("", text(receive(consumer)));
    assertEquals(10_000, ((BytesMessage) receive(consumer)).getBodyLength());
    assertTrue(((javax.jms.MapMessage) receive(consumer)).getString("text").startsWith("payroll"));
    assertEquals(text, ((javax.jms.StreamMessage) receive(consumer)).readString());
    assertEquals(text, ((javax.jms.ObjectMessage) receive(consumer)).getObject());
  }

  @Test
  public void disabledTimestampsAndIds() throws JMSException {
    Session session = auto(started(amq("?jms.disableTimeStampsByDefault=true")));
    Queue queue = queue(session);
    send(session, queue, "one");
    TextMessage message = (TextMessage) receive(session.createConsumer(queue));
    assertEquals(0, message.getJMSTimestamp());
    assertTrue(message.getJMSMessageID().startsWith("ID:"));
  }
}
