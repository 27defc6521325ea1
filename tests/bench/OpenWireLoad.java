import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import javax.jms.BytesMessage;
import javax.jms.Connection;
import javax.jms.DeliveryMode;
import javax.jms.JMSException;
import javax.jms.MessageConsumer;
import javax.jms.MessageProducer;
import javax.jms.Queue;
import javax.jms.Session;
import org.apache.activemq.ActiveMQConnectionFactory;

/**
 * Load of the stock ActiveMQ client on one broker, for compare_openwire.py, which tells when to begin and to
 * end by lines on standard input. {@code OpenWireLoad URL MODE PAIRS SIZE}; MODE is sync (persistent, each
 * send waits), transacted (persistent, 100 to a transaction) or async (not persistent). Prints how many
 * messages were sent and received between the lines.
 */
public class OpenWireLoad {
  private static final int BATCH = 100;

  /** Messages of each pair that may be on their way, so that a fast producer does not measure a backlog. */
  private static final int AHEAD_MAX = 2000;

  private static final AtomicReference<Throwable> failure = new AtomicReference<>();
  private static volatile boolean stopped;

  public static void main(String[] args) throws Exception {
    List<Pair> pairs = new ArrayList<>();
    for (int i = 0; i < Integer.parseInt(args[2]); i++) {
      pairs.add(new Pair(args[0], args[1], "load." + i, Integer.parseInt(args[3])));
    }
    pairs.forEach(Pair::start);
    System.out.println("ready");
    long[] sent = new long[2];
    long[] received = new long[2];
    for (int i = 0; i < 2; i++) {
      System.in.read(); // A line each: the measured time begins, and ends.
      for (Pair pair : pairs) {
        sent[i] += pair.sent.get();
        received[i] += pair.received.get();
      }
      if (failure.get() != null) {
        failure.get().printStackTrace();
        System.exit(1);
      }
    }
    stopped = true;
    System.out.println((sent[1] - sent[0]) + " " + (received[1] - received[0]));
    System.out.flush();
    Runtime.getRuntime().halt(0);
  }

  /** A producer and a consumer of a queue of their own, each with its connection and thread. */
  private static final class Pair {
    final AtomicLong sent = new AtomicLong();
    final AtomicLong received = new AtomicLong();
    /** The relay keeps nothing for a consumer to come: what it forgets would be missed for ever. */
    private final CountDownLatch consuming = new CountDownLatch(1);
    private final String url;
    private final String mode;
    private final String queue;
    private final byte[] body;

    Pair(String url, String mode, String queue, int size) {
      this.url = url;
      this.mode = mode;
      this.queue = queue;
      this.body = new byte[size];
    }

    void start() {
      thread(this::consume);
      thread(this::produce);
    }

    private interface Work {
      void run() throws JMSException, InterruptedException;
    }

    private static void thread(Work work) {
      Thread thread =
          new Thread(
              () -> {
                try {
                  work.run();
                } catch (JMSException | InterruptedException | RuntimeException error) {
                  if (!stopped) {
                    failure.compareAndSet(null, error);
                  }
                }
              });
      thread.setDaemon(true);
      thread.start();
    }

    private void consume() throws JMSException {
      Connection connection = new ActiveMQConnectionFactory(url).createConnection();
      connection.start();
      boolean transacted = mode.equals("transacted");
      Session session = connection.createSession(transacted, Session.AUTO_ACKNOWLEDGE);
      Queue destination = session.createQueue(queue);
      MessageConsumer consumer = session.createConsumer(destination);
      consuming.countDown();
      for (long count = 1; !stopped; count++) {
        consumer.receive();
        if (transacted && count % BATCH == 0) {
          session.commit();
        }
        received.incrementAndGet();
      }
    }

    private void produce() throws JMSException, InterruptedException {
      Connection connection = new ActiveMQConnectionFactory(url).createConnection();
      connection.start();
      boolean transacted = mode.equals("transacted");
      Session session = connection.createSession(transacted, Session.AUTO_ACKNOWLEDGE);
      MessageProducer producer = session.createProducer(session.createQueue(queue));
      producer.setDeliveryMode(
          mode.equals("async") ? DeliveryMode.NON_PERSISTENT : DeliveryMode.PERSISTENT);
      consuming.await();
      for (long count = 1; !stopped; count++) {
        BytesMessage message = session.createBytesMessage();
        message.writeBytes(body);
        producer.send(message);
        if (transacted && count % BATCH == 0) {
          session.commit();
        }
        sent.incrementAndGet();
        while (!stopped && count % BATCH == 0 && count - received.get() > AHEAD_MAX) {
          Thread.sleep(1);
        }
      }
    }
  }
}
