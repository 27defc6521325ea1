package org.pabal.jms;

import static org.junit.Assert.assertNotNull;
import static org.junit.Assert.assertNull;
import static org.junit.Assert.assertTrue;

import java.util.ArrayList;
import java.util.Enumeration;
import java.util.List;
import java.util.function.BooleanSupplier;
import javax.jms.Connection;
import javax.jms.Destination;
import javax.jms.JMSException;
import javax.jms.Message;
import javax.jms.MessageConsumer;
import javax.jms.Queue;
import javax.jms.Session;
import javax.jms.TextMessage;
import javax.jms.Topic;
import org.junit.After;
import org.junit.Rule;
import org.junit.rules.TestName;

/** What tests with a broker share: connections that are closed behind them, names of their own. */
public abstract class BrokerTest {
  /** Nothing waits that long when all is well. */
  static final long WAIT = 60_000;
  /** For what should not come: passing proves little, failing proves a fault. */
  static final long BRIEFLY = 150;

  @Rule public final TestName test = new TestName();
  private final List<PabalConnection> connections = new ArrayList<>();

  @After
  public void closeConnections() throws JMSException {
    for (Connection connection : connections) {
      connection.close();
    }
  }

  PabalConnection connect(String url) throws JMSException {
    PabalConnection connection = new PabalConnectionFactory(url).createConnection();
    connections.add(connection);
    return connection;
  }

  /** Not started. */
  PabalConnection connect() throws JMSException {
    return connect(TestBroker.url());
  }

  PabalConnection started(String url) throws JMSException {
    PabalConnection connection = connect(url);
    connection.start();
    return connection;
  }

  PabalConnection started() throws JMSException {
    return started(TestBroker.url());
  }

  static PabalSession auto(Connection connection) throws JMSException {
    return (PabalSession) connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
  }

  static PabalSession transacted(Connection connection) throws JMSException {
    return (PabalSession) connection.createSession(true, Session.SESSION_TRANSACTED);
  }

  String name() {
    return getClass().getSimpleName() + "." + test.getMethodName();
  }

  Queue queue() throws JMSException {
    return new PabalQueue(name());
  }

  Topic topic() throws JMSException {
    return new PabalTopic(name());
  }

  static void send(Session session, Destination to, String... texts) throws JMSException {
    var producer = session.createProducer(to);
    for (String text : texts) {
      producer.send(session.createTextMessage(text));
    }
    producer.close();
  }

  /** From a connection of its own: done when it returns. */
  void send(Destination to, String... texts) throws JMSException {
    PabalConnection connection = connect();
    send(auto(connection), to, texts);
    connection.close();
  }

  static <M extends Message> M receive(MessageConsumer consumer) throws JMSException {
    @SuppressWarnings("unchecked")
    M message = (M) consumer.receive(WAIT);
    assertNotNull("a message", message);
    return message;
  }

  static String receiveText(MessageConsumer consumer) throws JMSException {
    return ((TextMessage) receive(consumer)).getText();
  }

  static void assertNothing(MessageConsumer consumer) throws JMSException {
    Message message = consumer.receive(BRIEFLY);
    assertNull(String.valueOf(message), message);
  }

  /** What is left of the queue, for somebody who comes now. */
  List<String> rest(Queue queue) throws JMSException {
    PabalConnection connection = started();
    // It does not wait for each acknowledgement; the connection's close does for all.
    Session session = connection.createSession(false, Session.DUPS_OK_ACKNOWLEDGE);
    List<String> texts = new ArrayList<>();
    // The marker's priority is the lowest: when it comes, all that was there has come.
    var producer = session.createProducer(queue);
    producer.send(session.createTextMessage("-- end --"), 2, 0, 0);
    MessageConsumer consumer = session.createConsumer(queue);
    for (String text = receiveText(consumer); !text.equals("-- end --");
        text = receiveText(consumer)) {
      texts.add(text);
    }
    connection.close();
    return texts;
  }

  /** What the raw enumerations of JMS have. */
  static List<Object> list(Enumeration<?> each) {
    List<Object> all = new ArrayList<>();
    while (each.hasMoreElements()) {
      all.add(each.nextElement());
    }
    return all;
  }

  static void await(String what, BooleanSupplier condition) throws InterruptedException {
    long deadline = System.nanoTime() + WAIT * 1_000_000;
    while (!condition.getAsBoolean()) {
      assertTrue("waited in vain for " + what, System.nanoTime() < deadline);
      Thread.sleep(5);
    }
  }
}
