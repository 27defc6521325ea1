import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicReference;
import javax.jms.Connection;
import javax.jms.JMSException;
import javax.jms.Message;
import javax.jms.MessageConsumer;
import javax.jms.MessageProducer;
import javax.jms.Queue;
import javax.jms.Session;
import javax.jms.Topic;
import org.apache.activemq.ActiveMQConnectionFactory;

/**
 * The broker is killed again and again, at moments that nobody chose, under clients with failover: URLs.
 * Senders put numbers into one queue, workers move them to another in transactions, a publisher sends
 * numbers to durable subscribers. In the end each number is where it belongs: once in the second
 * queue, and with each subscriber in its order; what a subscriber got twice is marked as redelivered.
 * PABAL_KILL_ROUNDS and PABAL_KILL_SEED make it another run.
 */
final class KillRounds extends Scenarios {
  private static final int ROUNDS = number("PABAL_KILL_ROUNDS", 3);
  private static final int SEED = number("PABAL_KILL_SEED", 20261122);
  private static final int KILLS = 3;
  private static final int MESSAGES = 300;
  private static final int SENDERS = 2;
  private static final int WORKERS = 3;
  private static final String IN = "ledger.in";
  private static final String OUT = "ledger.out";
  private static final String NEWS = "ledger.news";

  private static final AtomicReference<Throwable> failure = new AtomicReference<>();
  private static final Random dice = new Random(SEED);
  private static volatile boolean working = true;

  public static void main(String[] arguments) {
    scenario("each number is where it belongs after many deaths", KillRounds::all);
    finish();
  }

  private static int number(String name, int usual) {
    String text = System.getenv(name);
    return text == null ? usual : Integer.parseInt(text);
  }

  private static Connection reconnecting(String clientId, int prefetch) throws JMSException {
    ActiveMQConnectionFactory factory = new ActiveMQConnectionFactory("failover:(" + url("")
        + ")?initialReconnectDelay=20&useExponentialBackOff=false&jms.prefetchPolicy.all=" + prefetch
        + "&jms.checkForDuplicates=false&jms.redeliveryPolicy.maximumRedeliveries=-1");
    Connection connection = factory.createConnection();
    if (clientId != null) connection.setClientID(clientId);
    connection.start();
    return connection;
  }

  private static Thread thread(Body body) {
    Thread thread = new Thread(() -> {
      try {
        body.run();
      } catch (Throwable error) {
        failure.compareAndSet(null, error);
      }
    });
    thread.setDaemon(true);
    thread.start();
    return thread;
  }

  private static void join(Thread thread, String who) throws Exception {
    thread.join(4 * PATIENCE);
    check(!thread.isAlive(), who + " got no answer");
    if (failure.get() != null) throw new AssertionError(who, failure.get());
  }

  /** Each send is confirmed before the next. */
  private static void send(boolean topic, String name, String prefix, int first) throws Exception {
    try (Held<Connection> held = hold(reconnecting(null, 1))) {
      Session session = held.it().createSession(false, Session.AUTO_ACKNOWLEDGE);
      MessageProducer producer = session.createProducer(
          topic ? session.createTopic(name) : session.createQueue(name));
      for (int i = first; i < first + MESSAGES; ++i) {
        producer.send(session.createTextMessage(prefix + i));
      }
    }
  }

  /** Moves from queue to queue, a few in a transaction, some of which it gives up. */
  private static void work(int seed) throws Exception {
    Random own = new Random(seed);
    try (Held<Connection> held = hold(reconnecting(null, List.of(1, 10, 1000).get(own.nextInt(3))))) {
      Session session = held.it().createSession(true, Session.SESSION_TRANSACTED);
      MessageConsumer consumer = session.createConsumer(session.createQueue(IN));
      MessageProducer producer = session.createProducer(session.createQueue(OUT));
      while (working) {
        int some = 1 + own.nextInt(5);
        try {
          for (int i = 0; i < some; ++i) {
            Message message = consumer.receive(100);
            if (message == null) break;
            producer.send(session.createTextMessage(text(message)));
          }
          if (own.nextInt(40) == 0) {
            session.rollback();
          } else {
            session.commit();
          }
        } catch (JMSException inDoubt) {
          session.rollback(); // Whether it was committed, the queues will tell.
        }
      }
    }
  }

  /** What one durable subscriber was given, and whether as redelivered. */
  private static final class Subscriber {
    final List<String> first = Collections.synchronizedList(new ArrayList<>());
    final List<String> unmarked = Collections.synchronizedList(new ArrayList<>());
    private final Set<String> seen = Collections.synchronizedSet(new HashSet<>());
    private final Connection connection;

    Subscriber(String name, int mode) throws JMSException {
      connection = reconnecting(name, 100);
      Session session = connection.createSession(false, mode);
      Topic news = session.createTopic(NEWS);
      Random own = new Random(SEED + mode);
      session.createDurableSubscriber(news, "ledger").setMessageListener(message -> {
        try {
          take(text(message), message.getJMSRedelivered());
          if (mode == Session.CLIENT_ACKNOWLEDGE && own.nextInt(5) == 0) message.acknowledge();
        } catch (JMSException error) {
          failure.compareAndSet(null, error);
        }
      });
    }

    private void take(String text, boolean redelivered) {
      if (seen.add(text)) {
        first.add(text);
      } else if (!redelivered) {
        unmarked.add(text);
      }
    }

    void check(int count) throws Exception {
      long deadline = System.currentTimeMillis() + 2 * PATIENCE;
      while (first.size() < count && System.currentTimeMillis() < deadline) Thread.sleep(10);
      List<String> all = new ArrayList<>();
      for (int i = 0; i < count; ++i) all.add("n" + i);
      same(all, List.copyOf(first));
      same(List.of(), List.copyOf(unmarked));
    }
  }

  private static void all() throws Exception {
    List<Subscriber> subscribers = List.of(new Subscriber("reader", Session.AUTO_ACKNOWLEDGE),
        new Subscriber("clerk", Session.CLIENT_ACKNOWLEDGE));
    List<Thread> workers = new ArrayList<>();
    for (int i = 0; i < WORKERS; ++i) {
      int seed = SEED + i;
      workers.add(thread(() -> work(seed)));
    }
    TreeMap<String, Integer> arrived = new TreeMap<>();
    for (int round = 0; round < ROUNDS; ++round) {
      int first = round * MESSAGES;
      List<Thread> senders = new ArrayList<>();
      for (int i = 0; i < SENDERS; ++i) {
        String prefix = (char) ('a' + i) + "";
        senders.add(thread(() -> send(false, IN, prefix, first)));
      }
      senders.add(thread(() -> send(true, NEWS, "n", first)));
      for (int i = 0; i < KILLS; ++i) {
        Thread.sleep(10 + dice.nextInt(300)); // The moment that nobody chose.
        Failover.kill();
      }
      for (Thread sender : senders) join(sender, "a sender");
      drain(arrived, (round + 1) * MESSAGES * SENDERS);
      for (Subscriber subscriber : subscribers) subscriber.check(first + MESSAGES);
    }
    working = false;
    for (Thread worker : workers) join(worker, "a worker");
    drain(arrived, ROUNDS * MESSAGES * SENDERS);
    for (Subscriber subscriber : subscribers) subscriber.connection.close();
  }

  /**
   * Until all have arrived, and nothing comes after them. In transactions: nobody waits for the
   * acknowledgements of other sessions, and what the next death takes would come again.
   */
  private static void drain(TreeMap<String, Integer> arrived, int expected) throws Exception {
    try (Held<Connection> held = hold(reconnecting(null, 100))) {
      Session session = held.it().createSession(true, Session.SESSION_TRANSACTED);
      MessageConsumer consumer = session.createConsumer(session.createQueue(OUT));
      while (arrived.size() < expected) {
        Message message = consumer.receive(2 * PATIENCE);
        check(message != null, "only " + arrived.size() + " of " + expected + " arrived; " + left());
        arrived.merge(text(message), 1, Integer::sum);
        session.commit();
      }
      for (Message more; (more = consumer.receive(300)) != null;) {
        arrived.merge(text(more), 1, Integer::sum);
        session.commit();
      }
    }
    List<String> wrong = new ArrayList<>();
    arrived.forEach((text, times) -> {
      if (times != 1) wrong.add(text + " came " + times + " times");
    });
    same(List.of(), wrong);
    same(expected, arrived.size());
  }

  /** For the report of a failure. */
  private static String left() throws JMSException {
    StringBuilder words = new StringBuilder();
    try (Held<Connection> held = hold(reconnecting(null, 1))) {
      Session session = held.it().createSession(false, Session.AUTO_ACKNOWLEDGE);
      for (String name : List.of(IN, OUT, "ActiveMQ.DLQ")) {
        Queue queue = session.createQueue(name);
        int count = 0;
        for (var each = session.createBrowser(queue).getEnumeration(); each.hasMoreElements(); ++count) {
          Message message = (Message) each.nextElement();
          words.append(text(message)).append(" (").append(message.getIntProperty("JMSXDeliveryCount"));
          words.append(", ").append(message.getStringProperty("dlqDeliveryFailureCause")).append(") ");
        }
        words.append("in ").append(name).append(": ").append(count).append("; ");
      }
    }
    return words.toString();
  }
}
