package interop.jms;

import static org.junit.Assume.assumeFalse;
import static org.junit.Assume.assumeTrue;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import javax.jms.ConnectionFactory;
import javax.jms.XAConnectionFactory;

/**
 * The broker and the client under test, as system properties name them: {@code broker.url}, {@code
 * client.factory} (a class with a constructor that takes the URL), {@code broker.kill} (whether whoever
 * started this process kills and starts the broker for it) and {@code broker.name}.
 */
public final class BrokerUnderTest {
  private static final String STOCK = "org.apache.activemq.ActiveMQConnectionFactory";
  private static final BufferedReader ANSWERS =
      new BufferedReader(new InputStreamReader(System.in));

  private BrokerUnderTest() {}

  public static String url() {
    String url = System.getProperty("broker.url");
    if (url == null) {
      throw new IllegalStateException("-Dbroker.url= is not given");
    }
    return url;
  }

  /** A connection factory of the client under test; it implements those of both domains too. */
  public static ConnectionFactory factory() {
    return factory(url());
  }

  public static ConnectionFactory factory(String url) {
    try {
      return (ConnectionFactory)
          Class.forName(client()).getConstructor(String.class).newInstance(url);
    } catch (ReflectiveOperationException error) {
      throw new IllegalStateException("no client " + client(), error);
    }
  }

  /** The same client's for transaction managers. */
  public static XAConnectionFactory xaFactory() {
    String name = client().replace("ConnectionFactory", "XAConnectionFactory");
    try {
      return (XAConnectionFactory)
          Class.forName(name).getConstructor(String.class).newInstance(url());
    } catch (ReflectiveOperationException error) {
      throw new IllegalStateException("no client " + name, error);
    }
  }

  private static String client() {
    return System.getProperty("client.factory", STOCK);
  }

  /** Skips a test of what the stock client itself does otherwise, with any broker. */
  public static void assumeNotStock(String why) {
    assumeFalse("the stock client departs from JMS: " + why, stock());
  }

  /** Whether it is the stock client, over OpenWire. */
  public static boolean stock() {
    return client().equals(STOCK);
  }

  /** Skips a test of what {@code pabal-jms} cannot do, over STOMP or by design. */
  public static void assumeNotPabalJms(String why) {
    assumeFalse("pabal-jms: " + why, client().startsWith("org.pabal."));
  }

  /** Whether it is the real ActiveMQ. */
  public static boolean activeMq() {
    return System.getProperty("broker.name", "").equals("activemq");
  }

  /** Skips a test of what Pabal does not do, or not yet. */
  public static void assumeNotPabal(String why) {
    assumeFalse("Pabal: " + why, System.getProperty("broker.name", "").equals("pabal"));
  }

  /** Skips a test of what ActiveMQ, which proves the tests, does otherwise. */
  public static void assumeNotActiveMq(String why) {
    assumeFalse("ActiveMQ departs from JMS: " + why, activeMq());
  }

  /** Skips the test where nobody can kill the broker. */
  public static void assumeThatItCanBeKilled() {
    assumeTrue("the broker is not ours to kill", Boolean.getBoolean("broker.kill"));
  }

  /** kill -9; returns when it is dead. */
  public static void kill() {
    ask("kill");
  }

  /** Starts it on the same data and the same port; returns when it accepts. */
  public static void start() {
    ask("start");
  }

  public static void restart() {
    ask("restart");
  }

  private static synchronized void ask(String what) {
    System.out.println("@" + what);
    System.out.flush();
    try {
      String answer = ANSWERS.readLine();
      if (!"done".equals(answer)) {
        throw new IllegalStateException("asked to " + what + ", answer: " + answer);
      }
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
  }
}
