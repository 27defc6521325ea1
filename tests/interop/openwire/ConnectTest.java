package interop.openwire;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertNotNull;
import static org.junit.Assert.assertTrue;

import interop.jms.BrokerUnderTest;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicReference;
import javax.jms.Connection;
import javax.jms.ConnectionFactory;
import javax.jms.InvalidClientIDException;
import javax.jms.InvalidSelectorException;
import javax.jms.JMSException;
import javax.jms.MessageConsumer;
import javax.jms.MessageProducer;
import javax.jms.Queue;
import javax.jms.Session;
import javax.naming.Context;
import javax.naming.InitialContext;
import org.apache.activemq.ActiveMQConnection;
import org.apache.activemq.ActiveMQConnectionFactory;
import org.apache.activemq.transport.TransportListener;
import org.junit.Test;

/** Connecting with every negotiable option, what the client asks of the broker, what it throws. */
public class ConnectTest extends OpenWireTest {
  private void roundTrip(ConnectionFactory factory) throws JMSException {
    Connection connection = started(factory);
    Session session = auto(connection);
    Queue queue = queue(session);
    send(session, queue, "text ☂");
    expect(session.createConsumer(queue), "text ☂");
    connection.close();
  }

  @Test
  public void everyEncodingThatAClientMayAskFor() throws JMSException {
    for (String options :
        new String[] {
          "",
          "?wireFormat.tightEncodingEnabled=false",
          "?wireFormat.cacheEnabled=false",
          "?wireFormat.tightEncodingEnabled=false&wireFormat.cacheEnabled=false",
          "?wireFormat.stackTraceEnabled=false",
          "?wireFormat.tcpNoDelayEnabled=false",
          "?wireFormat.cacheSize=16",
          "?wireFormat.maxInactivityDuration=0",
          "?wireFormat.maxInactivityDuration=1000",
        }) {
      roundTrip(amq(options));
    }
  }

  @Test
  public void versionsNineToTwelve() throws JMSException {
    for (int version = 9; version <= 12; version++) {
      roundTrip(amq("?wireFormat.version=" + version));
    }
  }

  @Test
  public void optionsOfTheConnection() throws JMSException {
    for (String options :
        new String[] {
          "?jms.watchTopicAdvisories=false",
          "?jms.dispatchAsync=false",
          "?jms.alwaysSessionAsync=false",
          "?jms.copyMessageOnSend=false",
          "?jms.disableTimeStampsByDefault=true",
          "?jms.useCompression=true",
          "?jms.useAsyncSend=true",
          "?jms.alwaysSyncSend=true",
          "?jms.sendAcksAsync=false",
          "?jms.optimizeAcknowledge=true",
          "?jms.nestedMapAndListEnabled=false",
          "?jms.messagePrioritySupported=true",
          "?jms.sendTimeout=60000",
          "?jms.connectResponseTimeout=60000",
          "?jms.producerWindowSize=1024",
          "?jms.prefetchPolicy.all=1",
          "?socketBufferSize=1024",
        }) {
      roundTrip(amq(options));
    }
  }

  @Test
  public void anIdleConnectionLives() throws Exception {
    // Both sides must keep it alive: the client fails a peer that is silent for two seconds. (It waits
    // for the peer's first frame as long as for the first look.)
    Connection connection =
        started(
            amq(
                "?wireFormat.maxInactivityDuration=1000"
                    + "&wireFormat.maxInactivityDurationInitalDelay=2000"));
    AtomicReference<JMSException> failure = new AtomicReference<>();
    connection.setExceptionListener(failure::set);
    Session session = auto(connection);
    Queue queue = queue(session);
    MessageConsumer consumer = session.createConsumer(queue);
    assertEquals(null, consumer.receive(6000));
    assertEquals(null, failure.get());
    send(session, queue, "alive");
    expect(consumer, "alive");
  }

  @Test
  public void brokerInfoArrives() throws JMSException {
    ActiveMQConnection connection = (ActiveMQConnection) started(amq());
    assertNotNull(connection.getBrokerInfo());
    assertNotNull(connection.getBrokerName());
    assertNotNull(connection.getBrokerInfo().getBrokerId());
    assertTrue(connection.getBrokerInfo().getBrokerName().length() > 0);
  }

  @Test
  public void messagesOfManySizes() throws JMSException {
    Session session = auto(started());
    Queue queue = queue(session);
    MessageConsumer consumer = session.createConsumer(queue);
    for (int size : new int[] {0, 1, 100, 8190, 8191, 8192, 65_535, 65_536, 1 << 20, 5_000_000}) {
      String text = "x".repeat(size);
      send(session, queue, text);
      assertEquals(size, text(receive(consumer)).length());
    }
  }

  @Test
  public void errorsHaveTheirClassAndLeaveTheConnection() throws JMSException {
    Connection connection = started();
    Session session = auto(connection);
    Queue queue = queue(session);
    expectThrown(InvalidSelectorException.class, () -> session.createConsumer(queue, "a ="));
    String id = name("client");
    Connection first = identified(id);
    auto(first);
    Connection second = stopped();
    expectThrown(
        InvalidClientIDException.class,
        () -> {
          second.setClientID(id);
          second.start();
        });
    first.close();
    roundTrip(amq());
    send(session, queue, "works");
    expect(session.createConsumer(queue), "works");
  }

  @Test
  public void aConnectionThatWasRefusedCanTryAgain() throws JMSException {
    String id = name("client");
    Connection first = identified(id);
    auto(first);
    ActiveMQConnectionFactory factory = amq();
    factory.setClientID(id);
    Connection second = stopped(factory);
    expectThrown(InvalidClientIDException.class, second::start);
    first.close();
    Connection third = started(factory);
    auto(third);
  }

  @Test
  public void theStartOfTheBrokerIsNoticed() throws Exception {
    BrokerUnderTest.assumeThatItCanBeKilled();
    ActiveMQConnection connection = (ActiveMQConnection) started(amq());
    CountDownLatch lost = new CountDownLatch(1);
    connection.addTransportListener(
        new TransportListener() {
          @Override
          public void onCommand(Object command) {}

          @Override
          public void onException(java.io.IOException error) {
            lost.countDown();
          }

          @Override
          public void transportInterupted() {}

          @Override
          public void transportResumed() {}
        });
    Session session = auto(connection);
    MessageProducer producer = session.createProducer(queue(session));
    BrokerUnderTest.restart();
    await(lost);
    expectThrown(JMSException.class, () -> producer.send(session.createTextMessage("lost")));
    roundTrip(amq());
  }

  @Test
  public void jndi() throws Exception {
    Properties names = new Properties();
    names.put(
        Context.INITIAL_CONTEXT_FACTORY,
        "org.apache.activemq.jndi.ActiveMQInitialContextFactory");
    names.put(Context.PROVIDER_URL, BrokerUnderTest.url());
    names.put("queue.orders", name("orders"));
    names.put("topic.news", name("news"));
    Context context = new InitialContext(names);
    ConnectionFactory factory = (ConnectionFactory) context.lookup("ConnectionFactory");
    Session session = auto(started(factory));
    Queue queue = (Queue) context.lookup("orders");
    send(session, queue, "by name");
    expect(session.createConsumer(queue), "by name");
    Queue dynamic = (Queue) context.lookup("dynamicQueues/" + name("dynamic"));
    send(session, dynamic, "dynamic");
    expect(session.createConsumer(dynamic), "dynamic");
  }

  @Test
  public void openingAndClosingALot() throws JMSException {
    // What a pool under churn does: connections, sessions, producers, consumers, and away.
    int rounds = Integer.parseInt(System.getenv().getOrDefault("PABAL_CHURN_ROUNDS", "100"));
    for (int i = 0; i < rounds; i++) {
      Connection connection = amq().createConnection();
      connection.start();
      for (int k = 0; k < 3; k++) {
        Session session = auto(connection);
        Queue queue = queue(session);
        MessageConsumer consumer = session.createConsumer(queue);
        send(session, queue, i + "." + k);
        expect(consumer, i + "." + k);
        session.close();
      }
      connection.close();
    }
  }

  @Test
  public void sessionsAndConsumersInPlenty() throws JMSException {
    Connection connection = started();
    Session sending = auto(connection);
    int sessions = 50;
    MessageConsumer[] consumers = new MessageConsumer[sessions];
    for (int i = 0; i < sessions; i++) {
      Session session = auto(connection);
      consumers[i] = session.createConsumer(session.createQueue(name("queue" + i)));
    }
    for (int i = 0; i < sessions; i++) {
      send(sending, sending.createQueue(name("queue" + i)), "" + i);
    }
    for (int i = 0; i < sessions; i++) {
      expect(consumers[i], "" + i);
    }
  }
}
