import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.ArrayList;
import java.util.List;
import javax.jms.Connection;
import javax.jms.Message;
import javax.jms.MessageConsumer;
import javax.jms.MessageProducer;
import javax.jms.Queue;
import javax.jms.Session;
import javax.jms.TemporaryQueue;
import javax.jms.TextMessage;
import javax.jms.TransactionRolledBackException;
import org.apache.activemq.ActiveMQConnectionFactory;

/**
 * Clients with failover: URLs. Says "kill" when the driver is to kill the broker and start it again
 * on the same port, and goes on when it reads a line.
 */
final class Failover extends Scenarios {
  static final BufferedReader DRIVER = new BufferedReader(new InputStreamReader(System.in));

  public static void main(String[] arguments) {
    scenario("consumers and producers come back", Failover::comesBack);
    scenario("a transaction goes on after the broker's death", Failover::transaction);
    scenario("temporary queues come back", Failover::temporary);
    scenario("nothing is lost or doubled while the broker dies", Failover::exactly);
    finish();
  }

  static void kill() throws Exception {
    System.out.println("kill");
    System.out.flush();
    check(DRIVER.readLine() != null, "the driver goes on");
  }

  static Connection reconnecting() throws Exception {
    ActiveMQConnectionFactory factory = new ActiveMQConnectionFactory(
        "failover:(" + url("") + ")?initialReconnectDelay=50&useExponentialBackOff=false");
    Connection connection = factory.createConnection();
    connection.start();
    return connection;
  }

  static void comesBack() throws Exception {
    try (Held<Connection> connectionHeld = hold(reconnecting())) {
      Connection connection = connectionHeld.it();
      Session session = connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
      Queue queue = session.createQueue("failover.plain");
      MessageProducer producer = session.createProducer(queue);
      MessageConsumer consumer = session.createConsumer(queue);
      producer.send(session.createTextMessage("before"));
      same("before", receive(consumer));
      kill();
      producer.send(session.createTextMessage("after"));
      same("after", receive(consumer));
      nothing(consumer);
    }
  }

  static void transaction() throws Exception {
    try (Held<Connection> connectionHeld = hold(reconnecting())) {
      Connection connection = connectionHeld.it();
      Session session = connection.createSession(true, Session.SESSION_TRANSACTED);
      Queue queue = session.createQueue("failover.tx");
      MessageProducer producer = session.createProducer(queue);
      producer.send(session.createTextMessage("1"));
      kill();
      producer.send(session.createTextMessage("2"));
      session.commit();
      MessageConsumer consumer = session.createConsumer(queue);
      same(List.of("1", "2"), receive(consumer, 2));
      session.commit();
      nothing(consumer);
    }
  }

  static void temporary() throws Exception {
    try (Held<Connection> ownerHeld = hold(reconnecting());
         Held<Connection> otherHeld = hold(reconnecting())) {
      Connection owner = ownerHeld.it();
      Connection other = otherHeld.it();
      Session session = owner.createSession(false, Session.AUTO_ACKNOWLEDGE);
      TemporaryQueue queue = session.createTemporaryQueue();
      MessageConsumer consumer = session.createConsumer(queue);
      kill();
      Session foreign = other.createSession(false, Session.AUTO_ACKNOWLEDGE);
      MessageProducer producer = foreign.createProducer(null);
      long deadline = System.currentTimeMillis() + PATIENCE;
      while (true) {
        try {
          producer.send(queue, foreign.createTextMessage("there again"));
          break;
        } catch (javax.jms.JMSException error) {
          // Its owner may come back later than we do.
          if (System.currentTimeMillis() > deadline) throw error;
        }
      }
      same("there again", receive(consumer));
    }
  }

  /** Numbers through a queue; each send is confirmed, and the broker dies in between. */
  static void exactly() throws Exception {
    int count = 2000;
    try (Held<Connection> sendingHeld = hold(reconnecting());
         Held<Connection> receivingHeld = hold(reconnecting())) {
      Connection sending = sendingHeld.it();
      Connection receiving = receivingHeld.it();
      Session session = receiving.createSession(true, Session.SESSION_TRANSACTED);
      Queue queue = session.createQueue("failover.exactly");
      Thread sender = new Thread(() -> {
        try {
          Session own = sending.createSession(false, Session.AUTO_ACKNOWLEDGE);
          MessageProducer producer = own.createProducer(queue);
          for (int i = 0; i < count; ++i) producer.send(own.createTextMessage(String.valueOf(i)));
        } catch (Exception error) {
          error.printStackTrace(System.out);
        }
      });
      sender.start();
      List<String> received = new ArrayList<>();
      MessageConsumer consumer = session.createConsumer(queue);
      boolean killed = false;
      while (received.size() < count) {
        Message message = consumer.receive(PATIENCE);
        check(message != null, "only " + received.size() + " came");
        try {
          session.commit();
          received.add(((TextMessage) message).getText());
        } catch (TransactionRolledBackException rolledBack) {
          // It comes again.
        }
        if (!killed && received.size() > count / 4) {
          killed = true;
          kill();
        }
      }
      sender.join();
      for (int i = 0; i < count; ++i) same(String.valueOf(i), received.get(i));
      nothing(consumer);
    }
  }
}
