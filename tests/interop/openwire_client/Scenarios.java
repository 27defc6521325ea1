import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import javax.jms.Connection;
import javax.jms.Destination;
import javax.jms.JMSException;
import javax.jms.Message;
import javax.jms.MessageConsumer;
import javax.jms.MessageProducer;
import javax.jms.Session;
import javax.jms.TextMessage;
import org.apache.activemq.ActiveMQConnectionFactory;

/** What the scenarios share: each prints "ok NAME" or ends the program. */
abstract class Scenarios {
  static final long PATIENCE = 30_000;

  /** What one scenario does. */
  interface Body {
    void run() throws Exception;
  }

  /** What is to fail. */
  interface Attempt {
    void run() throws Exception;
  }

  /** A connection that is closed at the end of its block; one of JMS 1.1 does not know how. */
  record Held<T extends Connection>(T it) implements AutoCloseable {
    @Override
    public void close() throws JMSException {
      it.close();
    }
  }

  static <T extends Connection> Held<T> hold(T connection) {
    return new Held<>(connection);
  }

  static int failures = 0;

  static String url(String options) {
    return "tcp://127.0.0.1:" + System.getenv("OPENWIRE_PORT") + (options.isEmpty() ? "" : "?" + options);
  }

  static ActiveMQConnectionFactory factory(String options) {
    return new ActiveMQConnectionFactory(url(options));
  }

  static Connection connect() throws JMSException {
    return connect("");
  }

  static Connection connect(String options) throws JMSException {
    Connection connection = factory(options).createConnection();
    connection.start();
    return connection;
  }

  static void scenario(String name, Body body) {
    try {
      body.run();
      System.out.println("ok " + name);
    } catch (Throwable error) {
      System.out.println("FAILED " + name);
      error.printStackTrace(System.out);
      ++failures;
    }
  }

  static void check(boolean condition, String what) {
    if (!condition) throw new AssertionError(what);
  }

  static void same(Object expected, Object actual) {
    if (!Objects.equals(expected, actual)) {
      throw new AssertionError("expected " + expected + ", not " + actual);
    }
  }

  static <T extends Throwable> T refused(Class<T> type, Attempt attempt) {
    try {
      attempt.run();
    } catch (Throwable error) {
      if (type == error.getClass()) return type.cast(error);
      throw new AssertionError("expected " + type, error);
    }
    throw new AssertionError("expected " + type + ", and nothing happened");
  }

  static void send(Session session, Destination to, String... texts) throws JMSException {
    MessageProducer producer = session.createProducer(to);
    for (String text : texts) producer.send(session.createTextMessage(text));
    producer.close();
  }

  static String text(Message message) throws JMSException {
    return message == null ? null : ((TextMessage) message).getText();
  }

  static String receive(MessageConsumer consumer) throws JMSException {
    return text(consumer.receive(PATIENCE));
  }

  static List<String> receive(MessageConsumer consumer, int count) throws JMSException {
    List<String> texts = new ArrayList<>();
    for (int i = 0; i < count; ++i) texts.add(receive(consumer));
    return texts;
  }

  /** Nothing comes while a message that was sent behind all others does. */
  static void nothing(MessageConsumer consumer) throws JMSException {
    Message message = consumer.receive(200);
    if (message != null) throw new AssertionError("unexpected: " + message);
  }

  static void finish() {
    System.exit(failures == 0 ? 0 : 1);
  }
}
