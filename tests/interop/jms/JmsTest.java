package interop.jms;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertNotNull;
import static org.junit.Assert.assertTrue;
import static org.junit.Assert.fail;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import javax.jms.Connection;
import javax.jms.ConnectionFactory;
import javax.jms.JMSException;
import javax.jms.Message;
import javax.jms.MessageConsumer;
import javax.jms.MessageProducer;
import javax.jms.Queue;
import javax.jms.Session;
import javax.jms.TextMessage;
import javax.jms.Topic;
import javax.jms.Destination;
import org.junit.After;
import org.junit.Rule;
import org.junit.rules.TestName;

/**
 * What the tests share. Nothing waits for time to pass: what must come is waited for with a deadline
 * that only a broken broker reaches, and that nothing more comes is shown by a marker sent behind it.
 */
public abstract class JmsTest {
  /** Milliseconds that whatever must happen may take on a loaded machine under a sanitizer. */
  public static final long DEADLINE =
      Long.parseLong(System.getenv().getOrDefault("PABAL_JAVA_DEADLINE", "60000"));

  private static final String RUN = Long.toString(System.currentTimeMillis(), 36);
  private static final String MARKER = "marker: nothing else is here";

  @Rule public final TestName test = new TestName();

  private final List<Connection> connections = new ArrayList<>();

  @After
  public final void closeConnections() {
    for (Connection connection : connections) {
      try {
        connection.close();
      } catch (JMSException alreadyBroken) {
        // The test has judged; this only tidies up.
      }
    }
  }

  // --- making things ---------------------------------------------------------------------------

  /** A name of this test alone, also when the suite runs twice against one broker. */
  protected String name(String word) {
    return "interop." + getClass().getSimpleName() + "." + test.getMethodName() + "." + word + "."
        + RUN;
  }

  protected Queue queue(Session session) throws JMSException {
    return session.createQueue(name("queue"));
  }

  protected Topic topic(Session session) throws JMSException {
    return session.createTopic(name("topic"));
  }

  /** A connection that is not started and will be closed after the test. */
  protected Connection stopped(ConnectionFactory factory) throws JMSException {
    Connection connection = factory.createConnection();
    connections.add(connection);
    return connection;
  }

  protected Connection stopped() throws JMSException {
    return stopped(BrokerUnderTest.factory());
  }

  protected Connection started() throws JMSException {
    Connection connection = stopped();
    connection.start();
    return connection;
  }

  protected Connection started(ConnectionFactory factory) throws JMSException {
    Connection connection = stopped(factory);
    connection.start();
    return connection;
  }

  /** A started connection with a client identifier, as durable subscriptions need it. */
  protected Connection identified(String clientId) throws JMSException {
    Connection connection = stopped();
    connection.setClientID(clientId);
    connection.start();
    return connection;
  }

  protected static Session auto(Connection connection) throws JMSException {
    return connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
  }

  protected static Session client(Connection connection) throws JMSException {
    return connection.createSession(false, Session.CLIENT_ACKNOWLEDGE);
  }

  protected static Session transacted(Connection connection) throws JMSException {
    return connection.createSession(true, Session.SESSION_TRANSACTED);
  }

  // --- sending and receiving -------------------------------------------------------------------

  protected static void send(Session session, Destination destination, String... texts)
      throws JMSException {
    MessageProducer producer = session.createProducer(destination);
    for (String text : texts) {
      producer.send(session.createTextMessage(text));
    }
    producer.close();
  }

  protected static Message receive(MessageConsumer consumer) throws JMSException {
    Message message = consumer.receive(DEADLINE);
    assertNotNull("a message is missing", message);
    return message;
  }

  protected static String text(Message message) throws JMSException {
    return ((TextMessage) message).getText();
  }

  protected static void expect(MessageConsumer consumer, String... texts) throws JMSException {
    for (String text : texts) {
      assertEquals(text, text(receive(consumer)));
    }
  }

  /** What is left in a queue that nobody else consumes from; takes it. */
  protected List<String> drain(Queue queue) throws JMSException {
    Connection connection = started();
    try {
      Session session = auto(connection);
      MessageProducer producer = session.createProducer(queue);
      producer.setPriority(0);
      producer.send(session.createTextMessage(MARKER));
      MessageConsumer consumer = session.createConsumer(queue);
      List<String> texts = new ArrayList<>();
      for (String text = text(receive(consumer));
          !text.equals(MARKER);
          text = text(receive(consumer))) {
        texts.add(text);
      }
      return texts;
    } finally {
      connection.close();
    }
  }

  /** That nothing waits for this consumer: a marker sent now is the next that it gets. */
  protected void expectNothingMore(Session session, Destination destination, MessageConsumer consumer)
      throws JMSException {
    send(session, destination, MARKER);
    expect(consumer, MARKER);
  }

  /**
   * Returns when the broker has done all that this connection asked of it so far, also what clients
   * do not wait for, such as the end of a consumer.
   */
  protected void settle(Connection connection) throws JMSException {
    Session session = auto(connection);
    session.createTemporaryTopic().delete();
    session.close();
  }

  // --- judging ---------------------------------------------------------------------------------

  /** A call that a test expects to fail. */
  public interface Call {
    void run() throws Exception;
  }

  /** That the call throws this very kind of exception, or a kind of it; answers what it threw. */
  protected static <E extends Throwable> E expectThrown(Class<E> kind, Call call) {
    try {
      call.run();
    } catch (Throwable thrown) {
      if (kind.isInstance(thrown)) {
        return kind.cast(thrown);
      }
      throw new AssertionError("expected " + kind.getName() + ", got " + thrown, thrown);
    }
    fail("expected " + kind.getName() + ", nothing was thrown");
    return null;
  }

  protected static void await(CountDownLatch latch) throws InterruptedException {
    assertTrue("waited in vain", latch.await(DEADLINE, TimeUnit.MILLISECONDS));
  }

  /** Waits for something that can only be asked for. */
  protected static void until(String what, Callable<Boolean> condition) throws Exception {
    long end = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(DEADLINE);
    while (!condition.call()) {
      if (System.nanoTime() > end) {
        fail("waited in vain for " + what);
      }
      Thread.sleep(5);
    }
  }
}
