import java.util.ArrayList;
import java.util.Arrays;
import java.util.Enumeration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import javax.jms.BytesMessage;
import javax.jms.Connection;
import javax.jms.DeliveryMode;
import javax.jms.InvalidClientIDException;
import javax.jms.InvalidDestinationException;
import javax.jms.InvalidSelectorException;
import javax.jms.JMSException;
import javax.jms.MapMessage;
import javax.jms.Message;
import javax.jms.MessageConsumer;
import javax.jms.MessageProducer;
import javax.jms.ObjectMessage;
import javax.jms.Queue;
import javax.jms.QueueBrowser;
import javax.jms.QueueConnection;
import javax.jms.QueueRequestor;
import javax.jms.QueueSession;
import javax.jms.Session;
import javax.jms.StreamMessage;
import javax.jms.TemporaryQueue;
import javax.jms.TextMessage;
import javax.jms.Topic;
import org.apache.activemq.ActiveMQConnection;
import org.apache.activemq.ActiveMQConnectionFactory;
import org.apache.activemq.ActiveMQSession;
import org.apache.activemq.command.ActiveMQQueue;

/** Sessions, producers, consumers and messages of the stock client. */
final class Basics extends Scenarios {
  public static void main(String[] arguments) {
    scenario("connect", Basics::connecting);
    scenario("send and receive", Basics::sendAndReceive);
    scenario("every kind of message", Basics::messages);
    scenario("properties and headers", Basics::properties);
    scenario("compressed and large", Basics::compressed);
    scenario("client acknowledge", Basics::clientAcknowledge);
    scenario("client acknowledge with prefetch 1", Basics::smallWindow);
    scenario("individual acknowledge", Basics::individualAcknowledge);
    scenario("duplicates allowed on a topic", Basics::dupsOk);
    scenario("optimized acknowledge", Basics::optimizedAcknowledge);
    scenario("a closed consumer gives back", Basics::givesBack);
    scenario("selectors", Basics::selectors);
    scenario("topics and noLocal", Basics::topics);
    scenario("durable subscriptions", Basics::durable);
    scenario("request and reply by temporary queues", Basics::requestReply);
    scenario("deleted temporary queues", Basics::deletedTemporary);
    scenario("browsers", Basics::browsers);
    scenario("pull consumers", Basics::pull);
    scenario("composite and wildcard names", Basics::names);
    scenario("exclusive consumers and priority", Basics::exclusive);
    scenario("message groups", Basics::groups);
    scenario("producer window", Basics::producerWindow);
    scenario("listeners", Basics::listeners);
    scenario("expired messages", Basics::expired);
    scenario("scheduled messages", Basics::scheduled);
    scenario("client id in use", Basics::clientIdInUse);
    scenario("destroy a destination", Basics::destroyDestination);
    finish();
  }

  static void connecting() throws Exception {
    try (Held<Connection> connectionHeld = hold(connect())) {
      Connection connection = connectionHeld.it();
      ActiveMQConnection own = (ActiveMQConnection) connection;
      check(own.getBrokerName() != null, "the broker has a name");
      check(own.getBrokerInfo().getBrokerId() != null, "the broker has an id");
      check(!own.getTransport().isFaultTolerant(), "a plain connection");
    }
    for (int version = 9; version <= 12; ++version) {
      try (Held<Connection> connectionHeld = hold(connect("wireFormat.version=" + version))) {
        Connection connection = connectionHeld.it();
        Session session = connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
        Queue queue = session.createQueue("basics.version");
        send(session, queue, "v" + version);
        same("v" + version, receive(session.createConsumer(queue)));
      }
    }
  }

  static void sendAndReceive() throws Exception {
    for (String options : List.of("", "jms.useAsyncSend=true", "jms.alwaysSyncSend=true")) {
      try (Held<Connection> connectionHeld = hold(connect(options))) {
        Connection connection = connectionHeld.it();
        Session session = connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
        Queue queue = session.createQueue("basics.plain");
        for (int mode : new int[] {DeliveryMode.PERSISTENT, DeliveryMode.NON_PERSISTENT}) {
          MessageProducer producer = session.createProducer(queue);
          producer.setDeliveryMode(mode);
          for (int i = 0; i < 100; ++i) producer.send(session.createTextMessage("m" + i));
          MessageConsumer consumer = session.createConsumer(queue);
          for (int i = 0; i < 100; ++i) {
            Message message = consumer.receive(PATIENCE);
            same("m" + i, text(message));
            same(mode, message.getJMSDeliveryMode());
            check(!message.getJMSRedelivered(), "the first time");
          }
          nothing(consumer);
          consumer.close();
        }
        MessageProducer anonymous = session.createProducer(null);
        anonymous.send(queue, session.createTextMessage("to any"));
        same("to any", receive(session.createConsumer(queue)));
      }
    }
  }

  static void messages() throws Exception {
    try (Held<Connection> connectionHeld = hold(connect())) {
      Connection connection = connectionHeld.it();
      Session session = connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
      Queue queue = session.createQueue("basics.kinds");
      MessageProducer producer = session.createProducer(queue);
      MessageConsumer consumer = session.createConsumer(queue);
      for (String text : new String[] {"", "plain", "é \0 \uD83D\uDE00 한", null}) {
        producer.send(session.createTextMessage(text));
        same(text, ((TextMessage) consumer.receive(PATIENCE)).getText());
      }
      BytesMessage bytes = session.createBytesMessage();
      bytes.writeBytes(new byte[] {0, 1, -1});
      bytes.writeUTF("x\0y");
      producer.send(bytes);
      BytesMessage back = (BytesMessage) consumer.receive(PATIENCE);
      byte[] read = new byte[3];
      back.readBytes(read);
      check(Arrays.equals(new byte[] {0, 1, -1}, read), "the bytes");
      same("x\0y", back.readUTF());

      MapMessage map = session.createMapMessage();
      map.setInt("int", 7);
      map.setString("string", "s");
      map.setDouble("double", 1.5);
      map.setBytes("bytes", new byte[] {1, 2});
      producer.send(map);
      MapMessage mapBack = (MapMessage) consumer.receive(PATIENCE);
      same(7, mapBack.getInt("int"));
      same("s", mapBack.getString("string"));
      same(1.5, mapBack.getDouble("double"));
      check(Arrays.equals(new byte[] {1, 2}, mapBack.getBytes("bytes")), "bytes in a map");

      StreamMessage stream = session.createStreamMessage();
      stream.writeBoolean(true);
      stream.writeLong(1L << 40);
      stream.writeString("s");
      producer.send(stream);
      StreamMessage streamBack = (StreamMessage) consumer.receive(PATIENCE);
      same(true, streamBack.readBoolean());
      same(1L << 40, streamBack.readLong());
      same("s", streamBack.readString());

      ObjectMessage object = session.createObjectMessage("serializable");
      producer.send(object);
      same("serializable", ((ObjectMessage) consumer.receive(PATIENCE)).getObject());

      producer.send(session.createMessage());
      check(!(consumer.receive(PATIENCE) instanceof TextMessage), "a message without a body");
    }
  }

  static void properties() throws Exception {
    try (Held<Connection> connectionHeld = hold(connect())) {
      Connection connection = connectionHeld.it();
      Session session = connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
      Queue queue = session.createQueue("basics.properties");
      MessageProducer producer = session.createProducer(queue);
      producer.setPriority(7);
      Message message = session.createTextMessage("x");
      message.setBooleanProperty("boolean", true);
      message.setByteProperty("byte", (byte) -3);
      message.setShortProperty("short", (short) 300);
      message.setIntProperty("int", 70_000);
      message.setLongProperty("long", 1L << 40);
      message.setFloatProperty("float", 1.5f);
      message.setDoubleProperty("double", 2.25);
      message.setStringProperty("string", "é");
      message.setStringProperty("big", "y".repeat(20_000));
      message.setJMSCorrelationID("correlation");
      message.setJMSType("type");
      message.setJMSReplyTo(session.createTopic("reply"));
      producer.send(message);
      Message back = session.createConsumer(queue).receive(PATIENCE);
      same(true, back.getObjectProperty("boolean"));
      same((byte) -3, back.getObjectProperty("byte"));
      same((short) 300, back.getObjectProperty("short"));
      same(70_000, back.getObjectProperty("int"));
      same(1L << 40, back.getObjectProperty("long"));
      same(1.5f, back.getObjectProperty("float"));
      same(2.25, back.getObjectProperty("double"));
      same("é", back.getObjectProperty("string"));
      same("y".repeat(20_000), back.getObjectProperty("big"));
      same("correlation", back.getJMSCorrelationID());
      same("type", back.getJMSType());
      same(session.createTopic("reply"), back.getJMSReplyTo());
      same(7, back.getJMSPriority());
      same(message.getJMSMessageID(), back.getJMSMessageID());
      same(message.getJMSTimestamp(), back.getJMSTimestamp());
      same(queue, back.getJMSDestination());
      same(1, back.getIntProperty("JMSXDeliveryCount"));
    }
  }

  static void compressed() throws Exception {
    for (String options : List.of("jms.useCompression=true", "")) {
      try (Held<Connection> connectionHeld = hold(connect(options))) {
        Connection connection = connectionHeld.it();
        Session session = connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
        Queue queue = session.createQueue("basics.large");
        String large = "large ".repeat(500_000);
        send(session, queue, large, "");
        MessageConsumer consumer = session.createConsumer(queue);
        same(large, receive(consumer));
        same("", receive(consumer));
      }
    }
  }

  static void clientAcknowledge() throws Exception {
    try (Held<Connection> connectionHeld = hold(connect())) {
      Connection connection = connectionHeld.it();
      Session session = connection.createSession(false, Session.CLIENT_ACKNOWLEDGE);
      Queue queue = session.createQueue("basics.client");
      send(session, queue, "1", "2", "3");
      MessageConsumer consumer = session.createConsumer(queue);
      same(List.of("1", "2"), receive(consumer, 2));
      session.recover();
      Message again = consumer.receive(PATIENCE);
      same("1", text(again));
      check(again.getJMSRedelivered(), "recovered");
      same(List.of("2", "3"), receive(consumer, 2));
      again.acknowledge();
      session.close();
      Session other = connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
      nothing(other.createConsumer(queue));
    }
  }

  static void smallWindow() throws Exception {
    try (Held<Connection> connectionHeld = hold(connect("jms.prefetchPolicy.all=1"))) {
      Connection connection = connectionHeld.it();
      Session session = connection.createSession(false, Session.CLIENT_ACKNOWLEDGE);
      Queue queue = session.createQueue("basics.window");
      send(session, queue, "1", "2", "3", "4", "5");
      MessageConsumer consumer = session.createConsumer(queue);
      Message last = null;
      for (int i = 1; i <= 5; ++i) {
        last = consumer.receive(PATIENCE);
        same(String.valueOf(i), text(last));
      }
      last.acknowledge();
      send(session, queue, "6");
      same("6", receive(consumer));
    }
  }

  static void individualAcknowledge() throws Exception {
    try (Held<Connection> connectionHeld = hold(connect())) {
      Connection connection = connectionHeld.it();
      Session session = connection.createSession(false, ActiveMQSession.INDIVIDUAL_ACKNOWLEDGE);
      Queue queue = session.createQueue("basics.individual");
      send(session, queue, "1", "2", "3");
      MessageConsumer consumer = session.createConsumer(queue);
      consumer.receive(PATIENCE);
      consumer.receive(PATIENCE).acknowledge();
      consumer.receive(PATIENCE);
      session.close();
      Session other = connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
      MessageConsumer rest = other.createConsumer(queue);
      Message first = rest.receive(PATIENCE);
      same("1", text(first));
      check(first.getJMSRedelivered(), "it was delivered before");
      same("3", receive(rest));
      nothing(rest);
    }
  }

  static void dupsOk() throws Exception {
    try (Held<Connection> connectionHeld = hold(connect("jms.prefetchPolicy.all=10"))) {
      Connection connection = connectionHeld.it();
      Session session = connection.createSession(false, Session.DUPS_OK_ACKNOWLEDGE);
      Topic topic = session.createTopic("basics.dups");
      MessageConsumer consumer = session.createConsumer(topic);
      for (int i = 0; i < 50; ++i) send(session, topic, "m" + i);
      for (int i = 0; i < 50; ++i) same("m" + i, receive(consumer));
      nothing(consumer);
    }
  }

  static void optimizedAcknowledge() throws Exception {
    try (Held<Connection> connectionHeld = hold(connect("jms.optimizeAcknowledge=true&jms.prefetchPolicy.all=10"))) {
      Connection connection = connectionHeld.it();
      Session session = connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
      Queue queue = session.createQueue("basics.optimized");
      MessageConsumer consumer = session.createConsumer(queue);
      for (int i = 0; i < 45; ++i) send(session, queue, "m" + i);
      for (int i = 0; i < 45; ++i) same("m" + i, receive(consumer));
      consumer.close();
      nothing(session.createConsumer(queue));
    }
  }

  static void givesBack() throws Exception {
    try (Held<Connection> connectionHeld = hold(connect())) {
      Connection connection = connectionHeld.it();
      Session session = connection.createSession(false, Session.CLIENT_ACKNOWLEDGE);
      Queue queue = session.createQueue("basics.back");
      send(session, queue, "1", "2", "3");
      MessageConsumer consumer = session.createConsumer(queue);
      same("1", receive(consumer));
      session.close();
      Session other = connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
      MessageConsumer rest = other.createConsumer(queue);
      Message first = rest.receive(PATIENCE);
      same("1", text(first));
      same(2, first.getIntProperty("JMSXDeliveryCount"));
      Message second = rest.receive(PATIENCE);
      same("2", text(second));
      // The application never saw it: reference §6.7.
      same(1, second.getIntProperty("JMSXDeliveryCount"));
      same("3", receive(rest));
    }
  }

  static void selectors() throws Exception {
    try (Held<Connection> connectionHeld = hold(connect())) {
      Connection connection = connectionHeld.it();
      Session session = connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
      Queue queue = session.createQueue("basics.selectors");
      MessageProducer producer = session.createProducer(queue);
      for (int i = 0; i < 10; ++i) {
        Message message = session.createTextMessage("m" + i);
        message.setIntProperty("n", i);
        message.setStringProperty("color", i % 2 == 0 ? "red" : "blue");
        producer.send(message);
      }
      MessageConsumer some = session.createConsumer(queue, "n > 6 AND color = 'red'");
      same("m8", receive(some));
      nothing(some);
      some.close();
      refused(InvalidSelectorException.class, () -> session.createConsumer(queue, "n >"));
      MessageConsumer all = session.createConsumer(queue);
      for (int i = 0; i < 10; ++i) {
        if (i != 8) same("m" + i, receive(all));
      }
    }
  }

  static void topics() throws Exception {
    try (Held<Connection> oneHeld = hold(connect());
         Held<Connection> twoHeld = hold(connect())) {
      Connection one = oneHeld.it();
      Connection two = twoHeld.it();
      Session session = one.createSession(false, Session.AUTO_ACKNOWLEDGE);
      Session foreign = two.createSession(false, Session.AUTO_ACKNOWLEDGE);
      Topic topic = session.createTopic("basics.topic");
      MessageConsumer all = session.createConsumer(topic);
      MessageConsumer others = session.createConsumer(topic, null, true);
      send(session, topic, "own");
      send(foreign, topic, "foreign");
      same(List.of("own", "foreign"), receive(all, 2));
      same("foreign", receive(others));
      nothing(others);
    }
  }

  static void durable() throws Exception {
    ActiveMQConnectionFactory factory = factory("");
    factory.setClientID("durable-client");
    try (Held<Connection> publisherHeld = hold(connect())) {
      Connection publisher = publisherHeld.it();
      Session sender = publisher.createSession(false, Session.AUTO_ACKNOWLEDGE);
      Topic topic = sender.createTopic("basics.durable");
      try (Held<Connection> connectionHeld = hold(factory.createConnection())) {
        Connection connection = connectionHeld.it();
        connection.start();
        Session session = connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
        MessageConsumer subscriber = session.createDurableSubscriber(topic, "name");
        send(sender, topic, "1");
        same("1", receive(subscriber));
        refused(JMSException.class, () -> session.createDurableSubscriber(topic, "name"));
        refused(JMSException.class, () -> session.unsubscribe("name"));
      }
      send(sender, topic, "2", "3");
      try (Held<Connection> connectionHeld = hold(factory.createConnection())) {
        Connection connection = connectionHeld.it();
        connection.start();
        Session session = connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
        MessageConsumer subscriber = session.createDurableSubscriber(topic, "name");
        same(List.of("2", "3"), receive(subscriber, 2));
        subscriber.close();
        session.unsubscribe("name");
        refused(InvalidDestinationException.class, () -> session.unsubscribe("name"));
        nothing(session.createDurableSubscriber(topic, "name"));
      }
    }
  }

  static void requestReply() throws Exception {
    try (Held<Connection> serverHeld = hold(connect());
         Held<Connection> clientHeld = hold(connect())) {
      Connection server = serverHeld.it();
      Connection client = clientHeld.it();
      Session serving = server.createSession(false, Session.AUTO_ACKNOWLEDGE);
      Queue queue = serving.createQueue("basics.requests");
      MessageProducer replies = serving.createProducer(null);
      serving.createConsumer(queue).setMessageListener(request -> {
        try {
          replies.send(request.getJMSReplyTo(), serving.createTextMessage("re: " + text(request)));
        } catch (JMSException error) {
          error.printStackTrace(System.out);
        }
      });
      QueueSession asking = ((QueueConnection) client).createQueueSession(false, Session.AUTO_ACKNOWLEDGE);
      QueueRequestor requestor = new QueueRequestor(asking, queue);
      for (int i = 0; i < 20; ++i) {
        same("re: " + i, text(requestor.request(asking.createTextMessage(String.valueOf(i)))));
      }
      requestor.close();
    }
  }

  static void deletedTemporary() throws Exception {
    try (Held<Connection> ownerHeld = hold(connect());
         Held<Connection> otherHeld = hold(connect())) {
      Connection owner = ownerHeld.it();
      Connection other = otherHeld.it();
      Session own = owner.createSession(false, Session.AUTO_ACKNOWLEDGE);
      Session foreign = other.createSession(false, Session.AUTO_ACKNOWLEDGE);
      TemporaryQueue queue = own.createTemporaryQueue();
      MessageConsumer consumer = own.createConsumer(queue);
      MessageProducer producer = foreign.createProducer(null);
      producer.send(queue, foreign.createTextMessage("there"));
      same("there", receive(consumer));
      consumer.close();
      queue.delete();
      long deadline = System.currentTimeMillis() + PATIENCE;
      // Until the advisory has come to the other connection.
      while (true) {
        try {
          producer.send(queue, foreign.createTextMessage("gone"));
        } catch (JMSException expected) {
          break;
        }
        check(System.currentTimeMillis() < deadline, "the queue is gone");
      }
      // A connection that comes later is told of what is there.
      TemporaryQueue second = own.createTemporaryQueue();
      try (Held<Connection> lateHeld = hold(connect())) {
        Connection late = lateHeld.it();
        Session session = late.createSession(false, Session.AUTO_ACKNOWLEDGE);
        send(session, second, "late");
      }
      same("late", receive(own.createConsumer(second)));
    }
  }

  static void browsers() throws Exception {
    try (Held<Connection> connectionHeld = hold(connect())) {
      Connection connection = connectionHeld.it();
      Session session = connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
      Queue queue = session.createQueue("basics.browse");
      for (int i = 0; i < 700; ++i) send(session, queue, "m" + i);
      QueueBrowser browser = session.createBrowser(queue);
      List<String> seen = new ArrayList<>();
      for (Enumeration<?> each = browser.getEnumeration(); each.hasMoreElements(); ) {
        seen.add(text((Message) each.nextElement()));
      }
      browser.close();
      same(700, seen.size());
      same("m699", seen.get(699));
      check(!session.createBrowser(session.createQueue("basics.empty")).getEnumeration().hasMoreElements(),
          "an empty queue");
      MessageConsumer consumer = session.createConsumer(queue);
      for (int i = 0; i < 700; ++i) {
        Message message = consumer.receive(PATIENCE);
        same("m" + i, text(message));
        check(!message.getJMSRedelivered(), "browsing takes nothing");
      }
    }
  }

  static void pull() throws Exception {
    try (Held<Connection> connectionHeld = hold(connect("jms.prefetchPolicy.all=0"))) {
      Connection connection = connectionHeld.it();
      Session session = connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
      Queue queue = session.createQueue("basics.pull");
      MessageConsumer consumer = session.createConsumer(queue);
      same(null, consumer.receiveNoWait());
      long before = System.currentTimeMillis();
      same(null, consumer.receive(300));
      check(System.currentTimeMillis() - before >= 290, "it waited");
      send(session, queue, "1", "2", "3");
      same("1", text(consumer.receiveNoWait()));
      same("2", text(consumer.receive(PATIENCE)));
      same("3", text(consumer.receive()));
      same(null, consumer.receiveNoWait());
      CountDownLatch sent = new CountDownLatch(1);
      Thread later = new Thread(() -> {
        try (Held<Connection> otherHeld = hold(connect())) {
          Connection other = otherHeld.it();
          send(other.createSession(false, Session.AUTO_ACKNOWLEDGE), queue, "late");
          sent.countDown();
        } catch (Exception error) {
          error.printStackTrace(System.out);
        }
      });
      later.start();
      same("late", text(consumer.receive(PATIENCE)));
      later.join();
    }
  }

  static void names() throws Exception {
    try (Held<Connection> connectionHeld = hold(connect())) {
      Connection connection = connectionHeld.it();
      Session session = connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
      MessageConsumer topic = session.createConsumer(session.createTopic("basics.c.three"));
      send(session, new ActiveMQQueue("basics.c.one,basics.c.two,topic://basics.c.three"), "all");
      for (String name : List.of("basics.c.one", "basics.c.two")) {
        Message message = session.createConsumer(session.createQueue(name)).receive(PATIENCE);
        same("all", text(message));
        same("queue://" + name, message.getJMSDestination().toString());
      }
      same("all", receive(topic));
      MessageConsumer wild = session.createConsumer(session.createQueue("basics.w.>"));
      send(session, session.createQueue("basics.w.a"), "1");
      send(session, session.createQueue("basics.w.b.c"), "2");
      Message first = wild.receive(PATIENCE);
      same("queue://basics.w.a", first.getJMSDestination().toString());
      same("2", receive(wild));
    }
  }

  static void exclusive() throws Exception {
    try (Held<Connection> connectionHeld = hold(connect())) {
      Connection connection = connectionHeld.it();
      Session session = connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
      Queue queue = session.createQueue("basics.exclusive");
      MessageConsumer first =
          session.createConsumer(session.createQueue("basics.exclusive?consumer.exclusive=true"));
      MessageConsumer second =
          session.createConsumer(session.createQueue("basics.exclusive?consumer.exclusive=true"));
      send(session, queue, "1", "2");
      same(List.of("1", "2"), receive(first, 2));
      nothing(second);
      first.close();
      send(session, queue, "3");
      same("3", receive(second));
      second.close();
      MessageConsumer low = session.createConsumer(session.createQueue("basics.exclusive?consumer.priority=-3"));
      MessageConsumer high = session.createConsumer(session.createQueue("basics.exclusive?consumer.priority=5"));
      send(session, queue, "4", "5");
      same(List.of("4", "5"), receive(high, 2));
      nothing(low);
    }
  }

  static void groups() throws Exception {
    try (Held<Connection> connectionHeld = hold(connect())) {
      Connection connection = connectionHeld.it();
      Session session = connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
      Queue queue = session.createQueue("basics.groups");
      MessageConsumer[] consumers = {session.createConsumer(queue), session.createConsumer(queue)};
      MessageProducer producer = session.createProducer(queue);
      for (int i = 0; i < 20; ++i) {
        Message message = session.createTextMessage("m" + i);
        message.setStringProperty("JMSXGroupID", "g" + i % 4);
        producer.send(message);
      }
      Map<String, MessageConsumer> owners = new HashMap<>();
      int received = 0;
      long deadline = System.currentTimeMillis() + PATIENCE;
      while (received < 20 && System.currentTimeMillis() < deadline) {
        for (MessageConsumer consumer : consumers) {
          Message message = consumer.receive(20);
          if (message == null) continue;
          ++received;
          String group = message.getStringProperty("JMSXGroupID");
          boolean first = message.getBooleanProperty("JMSXGroupFirstForConsumer");
          same(!owners.containsKey(group), first);
          same(consumer, owners.computeIfAbsent(group, any -> consumer));
        }
      }
      same(20, received);
      same(4, owners.size());
    }
  }

  static void producerWindow() throws Exception {
    ActiveMQConnectionFactory factory = factory("jms.useAsyncSend=true&jms.producerWindowSize=5000");
    try (Held<Connection> connectionHeld = hold(factory.createConnection())) {
      Connection connection = connectionHeld.it();
      connection.start();
      Session session = connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
      Queue queue = session.createQueue("basics.producerwindow");
      for (int i = 0; i < 100; ++i) send(session, queue, "x".repeat(i));
      MessageProducer producer = session.createProducer(queue);
      for (int i = 0; i < 200; ++i) producer.send(session.createTextMessage("y".repeat(i)));
      MessageConsumer consumer = session.createConsumer(queue);
      for (int i = 0; i < 100; ++i) same("x".repeat(i), receive(consumer));
      for (int i = 0; i < 200; ++i) same("y".repeat(i), receive(consumer));
    }
  }

  static void listeners() throws Exception {
    try (Held<Connection> connectionHeld = hold(connect())) {
      Connection connection = connectionHeld.it();
      Session session = connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
      Session sending = connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
      Queue queue = session.createQueue("basics.listener");
      CountDownLatch received = new CountDownLatch(500);
      session.createConsumer(queue).setMessageListener(message -> received.countDown());
      for (int i = 0; i < 500; ++i) send(sending, queue, "m" + i);
      check(received.await(PATIENCE, TimeUnit.MILLISECONDS), "all came");
    }
  }

  static void expired() throws Exception {
    try (Held<Connection> connectionHeld = hold(connect())) {
      Connection connection = connectionHeld.it();
      Session session = connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
      Queue queue = session.createQueue("basics.expired");
      MessageProducer producer = session.createProducer(queue);
      producer.setTimeToLive(50);
      producer.send(session.createTextMessage("old"));
      MessageConsumer dead = session.createConsumer(session.createQueue("ActiveMQ.DLQ"), "color IS NULL");
      Message letter = dead.receive(PATIENCE);
      same("old", text(letter));
      check(letter.getStringProperty("dlqDeliveryFailureCause") != null, "a cause");
      check(letter.getLongProperty("originalExpiration") > 0, "when it expired");
      nothing(session.createConsumer(queue));
    }
  }

  static void scheduled() throws Exception {
    try (Held<Connection> connectionHeld = hold(connect())) {
      Connection connection = connectionHeld.it();
      Session session = connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
      Queue queue = session.createQueue("basics.scheduled");
      MessageProducer producer = session.createProducer(queue);
      Message message = session.createTextMessage("later");
      message.setLongProperty("AMQ_SCHEDULED_DELAY", 400);
      message.setLongProperty("AMQ_SCHEDULED_PERIOD", 50);
      message.setIntProperty("AMQ_SCHEDULED_REPEAT", 2);
      long before = System.currentTimeMillis();
      producer.send(message);
      MessageConsumer consumer = session.createConsumer(queue);
      Message first = consumer.receive(PATIENCE);
      same("later", text(first));
      check(System.currentTimeMillis() - before >= 390, "it waited");
      check(first.getStringProperty("scheduledJobId") != null, "the job's id");
      check(!first.propertyExists("AMQ_SCHEDULED_DELAY"), "no order any more");
      same(List.of("later", "later"), receive(consumer, 2));
      nothing(consumer);
    }
  }

  static void clientIdInUse() throws Exception {
    try (Held<Connection> firstHeld = hold(factory("").createConnection());
         Held<Connection> secondHeld = hold(factory("").createConnection())) {
      Connection first = firstHeld.it();
      Connection second = secondHeld.it();
      first.setClientID("twice");
      first.start();
      refused(InvalidClientIDException.class, () -> {
        second.setClientID("twice");
        second.start();
      });
    }
  }

  static void destroyDestination() throws Exception {
    try (Held<Connection> connectionHeld = hold(connect())) {
      Connection connection = connectionHeld.it();
      Session session = connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
      ActiveMQQueue queue = new ActiveMQQueue("basics.destroy");
      MessageConsumer consumer = session.createConsumer(queue);
      ActiveMQConnection own = (ActiveMQConnection) connection;
      refused(JMSException.class, () -> own.destroyDestination(queue));
      consumer.close();
      own.destroyDestination(queue);
      own.destroyDestination(new ActiveMQQueue("basics.never"));
    }
  }
}
