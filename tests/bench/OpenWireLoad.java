import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
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
 * end by lines on standard input. {@code OpenWireLoad URL|sink MODE PAIRS SIZE}; MODE is sync (persistent, each
 * send waits), transacted (persistent, 100 to a transaction) or async (not persistent). Prints how many
 * messages were sent and received between the lines. With {@code sink} nothing but the client is measured:
 * sends go to a peer in this process that answers, passes the message on and forgets it.
 */
public class OpenWireLoad {
  private static final int BATCH = 100;

  /** Messages of each pair that may be on their way, so that a fast producer does not measure a backlog. */
  private static final int AHEAD_MAX = 2000;

  private static final AtomicReference<Throwable> failure = new AtomicReference<>();
  private static volatile boolean stopped;

  public static void main(String[] args) throws Exception {
    boolean sink = args[0].equals("sink");
    String url = sink ? "tcp://127.0.0.1:" + new Sink().port() : args[0];
    List<Pair> pairs = new ArrayList<>();
    for (int i = 0; i < Integer.parseInt(args[2]); i++) {
      pairs.add(new Pair(url, args[1], "load." + i, Integer.parseInt(args[3])));
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
    /** The sink keeps nothing for a consumer to come: what it forgets would be missed for ever. */
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

  /**
   * A peer that says yes to every command, passes each message on as it is to the one consumer of its queue,
   * and keeps nothing.
   */
  private static final class Sink {
    private static final int WIRE_FORMAT_INFO = 1;
    private static final int CONSUMER_INFO = 5;
    private static final int MESSAGE_DISPATCH = 21;
    private static final int BYTES_MESSAGE = 24;
    private static final int RESPONSE = 30;

    /** Of a frame: its type, the command's number, whether a response is wanted. */
    private static final int HEAD_BYTES = 6;

    /** Of a nested id with one text: that it is there, its type, that the text is there. */
    private static final int ID_HEAD_BYTES = 3;

    private final ServerSocket server = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
    private final Map<String, Consumer> consumers = new ConcurrentHashMap<>();

    private static final class Consumer {
      final DataOutputStream out;
      final byte[] id;

      Consumer(DataOutputStream out, byte[] id) {
        this.out = out;
        this.id = id;
      }
    }

    Sink() throws IOException {
      Thread accepting =
          new Thread(
              () -> {
                while (true) {
                  try {
                    Socket socket = server.accept();
                    Thread serving = new Thread(() -> serve(socket));
                    serving.setDaemon(true);
                    serving.start();
                  } catch (IOException error) {
                    return;
                  }
                }
              });
      accepting.setDaemon(true);
      accepting.start();
    }

    int port() {
      return server.getLocalPort();
    }

    private void serve(Socket socket) {
      try (socket) {
        socket.setTcpNoDelay(true);
        DataInputStream in =
            new DataInputStream(new BufferedInputStream(socket.getInputStream(), 65536));
        DataOutputStream out =
            new DataOutputStream(new BufferedOutputStream(socket.getOutputStream(), 65536));
        out.write(wireFormatInfo());
        out.flush();
        Set<Consumer> written = new HashSet<>();
        while (true) {
          byte[] frame = in.readNBytes(in.readInt());
          if (frame.length >= HEAD_BYTES && frame[0] != WIRE_FORMAT_INFO) {
            take(ByteBuffer.wrap(frame), out, written);
          }
          if (in.available() > 0) {
            continue;
          }
          for (Consumer consumer : written) {
            synchronized (consumer.out) {
              consumer.out.flush();
            }
          }
          written.clear();
          synchronized (out) {
            out.flush();
          }
        }
      } catch (EOFException end) {
        // The client has left.
      } catch (IOException error) {
        failure.compareAndSet(null, error);
      }
    }

    private void take(ByteBuffer frame, DataOutputStream out, Set<Consumer> written)
        throws IOException {
      int type = frame.get();
      int command = frame.getInt();
      boolean wanted = frame.get() != 0;
      if (type == CONSUMER_INFO) {
        byte[] id = nestedId(frame);
        frame.get(); // Whether it is a browser.
        consumers.put(new String(destination(frame)), new Consumer(out, id));
      } else if (type == BYTES_MESSAGE) {
        nestedId(frame);
        byte[] destination = destination(frame);
        Consumer consumer = consumers.get(new String(destination));
        if (consumer != null) {
          dispatch(consumer, destination, frame.array());
          written.add(consumer);
        }
      }
      if (wanted) {
        synchronized (out) {
          out.writeInt(10);
          out.writeByte(RESPONSE);
          out.writeInt(0);
          out.writeByte(0);
          out.writeInt(command);
        }
      }
    }

    private static void dispatch(Consumer consumer, byte[] destination, byte[] message)
        throws IOException {
      synchronized (consumer.out) {
        DataOutputStream out = consumer.out;
        out.writeInt(HEAD_BYTES + consumer.id.length + destination.length + 1 + message.length + 4);
        out.writeByte(MESSAGE_DISPATCH);
        out.writeInt(0);
        out.writeByte(0);
        out.write(consumer.id);
        out.write(destination);
        out.writeByte(1);
        out.write(message);
        out.writeInt(0);
      }
    }

    /** The bytes of a ConsumerId or ProducerId: a text and two numbers. */
    private static byte[] nestedId(ByteBuffer frame) {
      return taken(frame, ID_HEAD_BYTES + 2 + frame.getShort(frame.position() + ID_HEAD_BYTES) + 16);
    }

    /** The bytes of a queue: a text. Others are not used here. */
    private static byte[] destination(ByteBuffer frame) {
      if (frame.get(frame.position()) == 0) {
        return taken(frame, 1);
      }
      return taken(frame, ID_HEAD_BYTES + 2 + frame.getShort(frame.position() + ID_HEAD_BYTES));
    }

    private static byte[] taken(ByteBuffer frame, int count) {
      byte[] bytes = new byte[count];
      frame.get(bytes);
      return bytes;
    }

    /** Version 12, loose, without cache, as Pabal says it. */
    private static byte[] wireFormatInfo() throws IOException {
      ByteArrayOutputStream properties = new ByteArrayOutputStream();
      DataOutputStream map = new DataOutputStream(properties);
      map.writeInt(1);
      map.writeUTF("TcpNoDelayEnabled");
      map.writeByte(1);
      map.writeBoolean(true);
      ByteArrayOutputStream frame = new ByteArrayOutputStream();
      DataOutputStream out = new DataOutputStream(frame);
      out.writeInt(1 + 8 + 4 + 1 + 4 + properties.size());
      out.writeByte(WIRE_FORMAT_INFO);
      out.writeBytes("ActiveMQ");
      out.writeInt(12);
      out.writeBoolean(true);
      out.writeInt(properties.size());
      out.write(properties.toByteArray());
      return frame.toByteArray();
    }
  }
}
