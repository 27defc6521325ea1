package interop.openwire;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNull;
import static org.junit.Assert.assertTrue;

import interop.jms.BrokerUnderTest;
import java.util.Collections;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import javax.jms.Connection;
import javax.jms.DeliveryMode;
import javax.jms.JMSException;
import javax.jms.Message;
import javax.jms.MessageConsumer;
import javax.jms.MessageProducer;
import javax.jms.Queue;
import javax.jms.Session;
import org.apache.activemq.command.ActiveMQDestination;
import org.apache.activemq.command.ActiveMQMessage;
import org.junit.Test;

/** Acknowledgement as only the stock client does it; redelivery, poison and dead letters. */
public class AcknowledgeTest extends OpenWireTest {
  @Test
  public void individualAcknowledgement() throws JMSException {
    Connection connection = started();
    Session session = individual(connection);
    Queue queue = queue(session);
    send(session, queue, "one", "two", "three");
    MessageConsumer consumer = session.createConsumer(queue);
    expect(consumer, "one");
    receive(consumer).acknowledge(); // Only the second.
    expect(consumer, "three");
    connection.close();
    assertEquals(list("one", "three"), drain(queue));
  }

  @Test
  public void individualAcknowledgementOfManyOutOfOrder() throws JMSException {
    int count = 50;
    Connection connection = started(amq("?jms.prefetchPolicy.all=10"));
    Session session = individual(connection);
    Queue queue = queue(session);
    send(session, queue, numbers(0, count));
    MessageConsumer consumer = session.createConsumer(queue);
    Message[] messages = new Message[count];
    for (int i = 0; i < count; i++) {
      messages[i] = receive(consumer);
    }
    for (int i = count - 1; i >= 0; i -= 2) {
      messages[i].acknowledge();
    }
    connection.close();
    String[] even = new String[count / 2];
    for (int i = 0; i < count / 2; i++) {
      even[i] = "" + 2 * i;
    }
    assertEquals(list(even), drain(queue));
  }

  @Test
  public void optimizedAcknowledgementLeavesNothing() throws JMSException {
    Connection connection = started(amq("?jms.optimizeAcknowledge=true"));
    Session session = auto(connection);
    Queue queue = queue(session);
    send(session, queue, numbers(0, 300));
    MessageConsumer consumer = session.createConsumer(queue);
    expect(consumer, numbers(0, 300));
    connection.close();
    assertEquals(Collections.emptyList(), drain(queue));
  }

  @Test
  public void synchronousAcknowledgement() throws JMSException {
    Connection connection = started(amq("?jms.sendAcksAsync=false"));
    Session session = client(connection);
    Queue queue = queue(session);
    send(session, queue, "one", "two");
    MessageConsumer consumer = session.createConsumer(queue);
    receive(consumer).acknowledge();
    connection.close();
    assertEquals(Collections.singletonList("two"), drain(queue));
  }

  @Test
  public void windowsOfOneInEveryMode() throws JMSException {
    // Without the client's DELIVERED acknowledgements, a window of one would end here for good.
    Connection connection = started(amq("?jms.prefetchPolicy.all=1"));
    for (int mode :
        new int[] {Session.CLIENT_ACKNOWLEDGE, Session.SESSION_TRANSACTED, 4,
          Session.AUTO_ACKNOWLEDGE, Session.DUPS_OK_ACKNOWLEDGE}) {
      Session session = connection.createSession(mode == Session.SESSION_TRANSACTED, mode);
      Queue queue = session.createQueue(name("queue" + mode));
      send(auto(connection), queue, numbers(0, 20));
      MessageConsumer consumer = session.createConsumer(queue);
      Message last = null;
      for (int i = 0; i < 20; i++) {
        last = receive(consumer);
        assertEquals("" + i, text(last));
        if (mode == 4) {
          last.acknowledge();
        }
      }
      if (mode == Session.SESSION_TRANSACTED) {
        session.commit();
      } else if (mode == Session.CLIENT_ACKNOWLEDGE) {
        last.acknowledge();
      }
      session.close();
      settle(connection);
      assertEquals("mode " + mode, Collections.emptyList(), drain(queue));
    }
  }

  @Test
  public void deliveryCountGrows() throws JMSException {
    Connection connection = started(redelivering(6));
    Session session = transacted(connection);
    Queue queue = queue(session);
    send(auto(connection), queue, "one");
    MessageConsumer consumer = session.createConsumer(queue);
    for (int i = 1; i <= 5; i++) {
      Message message = receive(consumer);
      assertEquals(i, message.getIntProperty("JMSXDeliveryCount"));
      assertEquals(i > 1, message.getJMSRedelivered());
      session.rollback();
    }
    receive(consumer);
    session.commit();
    connection.close();
    assertEquals(Collections.emptyList(), drain(queue));
  }

  /**
   * java_broker.py has a redeliveryPlugin for what begins with `retried.`. With it a client is told to
   * try nothing by itself.
   */
  @Test
  public void whatTheBrokerTriesAgainReachesTheApplication() throws JMSException {
    Session session = transacted(started(redelivering(0)));
    Queue queue = session.createQueue("retried." + name("queue"));
    sendTagged(session, queue, "one");
    session.commit();
    MessageConsumer consumer = session.createConsumer(queue);
    for (int i = 1; i <= 3; i++) {
      assertEquals(i, receive(consumer).getIntProperty("JMSXDeliveryCount"));
      session.rollback();
    }
    assertEquals("one", text(deadLetter(auto(started()))));
  }

  @Test
  public void whatNobodyHasSeenIsNoDeadLetterAfterACrash() throws JMSException {
    BrokerUnderTest.assumeThatItCanBeKilled();
    Session session = transacted(started());
    Queue queue = queue(session);
    send(session, queue, numbers(0, 20));
    session.commit();
    MessageConsumer consumer = session.createConsumer(queue); // The others are prefetched.
    expect(consumer, "0");
    session.commit();
    BrokerUnderTest.restart();
    Session anew = transacted(started(redelivering(0)));
    expect(anew.createConsumer(queue), numbers(1, 20));
    anew.commit();
  }

  @Test
  public void deliveryCountGrowsOverConnections() throws JMSException {
    Session sending = auto(started());
    Queue queue = queue(sending);
    send(sending, queue, "one");
    for (int i = 1; i <= 4; i++) {
      Connection connection = started();
      Message message = receive(client(connection).createConsumer(queue));
      assertEquals(i, message.getIntProperty("JMSXDeliveryCount"));
      connection.close();
    }
  }

  @Test
  public void whatWasOnlyPrefetchedIsNotCounted() throws JMSException {
    Connection connection = started();
    Session session = client(connection);
    Queue queue = queue(session);
    send(session, queue, "one", "two", "three");
    MessageConsumer consumer = session.createConsumer(queue);
    expect(consumer, "one");
    consumer.close();
    session.close();
    settle(connection);
    MessageConsumer next = auto(connection).createConsumer(queue);
    assertEquals(2, receive(next).getIntProperty("JMSXDeliveryCount"));
    assertEquals(1, receive(next).getIntProperty("JMSXDeliveryCount"));
    assertFalse(receive(next).getJMSRedelivered());
  }

  @Test
  public void poisonGoesToTheDeadLetterQueue() throws JMSException {
    Connection connection = started(redelivering(2));
    Session session = transacted(connection);
    Queue queue = queue(session);
    Session sending = auto(connection);
    sendTagged(sending, queue, "poison");
    sendTagged(sending, queue, "wholesome");
    MessageConsumer consumer = session.createConsumer(queue);
    String id = null;
    for (int i = 0; i < 3; i++) { // Once, and two redeliveries.
      Message message = receive(consumer);
      id = message.getJMSMessageID();
      assertEquals("poison", text(message));
      session.rollback();
    }
    expect(consumer, "wholesome");
    session.commit();
    Message dead = deadLetter(sending);
    assertEquals("poison", text(dead));
    assertEquals(id, dead.getJMSMessageID());
    assertEquals(sending.createQueue(DLQ), dead.getJMSDestination());
    assertEquals(queue, ((ActiveMQMessage) dead).getOriginalDestination());
    assertFalse(dead.getJMSRedelivered());
    assertEquals(0, dead.getJMSExpiration());
    assertTrue(dead.getStringProperty("dlqDeliveryFailureCause").startsWith("java.lang.Throwable"));
    connection.close();
    assertEquals(Collections.emptyList(), drain(queue));
  }

  @Test
  public void poisonOfAListenerAndOfRecover() throws Exception {
    Connection connection = started(redelivering(1));
    Session session = auto(connection);
    Queue queue = queue(session);
    AtomicInteger calls = new AtomicInteger();
    CountDownLatch wholesome = new CountDownLatch(1);
    session
        .createConsumer(queue)
        .setMessageListener(
            message -> {
              calls.incrementAndGet();
              try {
                if (text(message).equals("poison")) {
                  throw new RuntimeException("the application's fault");
                }
              } catch (JMSException error) {
                throw new RuntimeException(error);
              }
              wholesome.countDown();
            });
    Session other = auto(started());
    sendTagged(other, queue, "poison");
    sendTagged(other, queue, "wholesome");
    await(wholesome);
    assertEquals("poison", text(deadLetter(other)));
    assertEquals(3, calls.get());
  }

  @Test
  public void poisonThatIsNotPersistent() throws JMSException {
    Connection connection = started(redelivering(0));
    Session session = transacted(connection);
    Queue queue = queue(session);
    Session sending = auto(connection);
    MessageProducer producer = sending.createProducer(queue);
    producer.setDeliveryMode(DeliveryMode.NON_PERSISTENT);
    Message message = sending.createTextMessage("poison");
    message.setStringProperty("test", name("tag"));
    producer.send(message);
    MessageConsumer consumer = session.createConsumer(queue);
    expect(consumer, "poison");
    session.rollback();
    settle(connection);
    // ActiveMQ drops it. Pabal does so with pabalProcessRefusedNonPersistent="false".
    if (!BrokerUnderTest.activeMq()) {
      assertEquals("poison", text(deadLetter(sending)));
    }
    sendTagged(sending, sending.createQueue(DLQ), "marker");
    assertEquals("marker", text(deadLetter(sending)));
  }

  @Test
  public void expiredMessagesGoToTheDeadLetterQueue() throws Exception {
    Session session = auto(started());
    Queue queue = queue(session);
    Message message = session.createTextMessage("late");
    message.setStringProperty("test", name("tag"));
    MessageProducer producer = session.createProducer(queue);
    producer.setTimeToLive(1);
    producer.send(message);
    // Who is quick still gets it in time, or into the client's window, where it lies until somebody asks.
    long end = message.getJMSExpiration();
    until("its time is over", () -> System.currentTimeMillis() > end);
    session.createConsumer(queue); // so that the queue is looked at
    Message dead = deadLetter(session);
    assertEquals("late", text(dead));
    assertEquals(0, dead.getJMSExpiration());
    assertEquals(end, dead.getLongProperty("originalExpiration"));
    assertEquals(queue, ((ActiveMQMessage) dead).getOriginalDestination());
  }

  @Test
  public void expiredInTheClientGoToTheDeadLetterQueue() throws Exception {
    Connection connection = stopped();
    Session session = auto(connection);
    Queue queue = queue(session);
    MessageConsumer consumer = session.createConsumer(queue);
    Message message = session.createTextMessage("late");
    message.setStringProperty("test", name("tag"));
    MessageProducer producer = session.createProducer(queue);
    producer.setTimeToLive(300);
    producer.send(message);
    until("the time to pass", () -> System.currentTimeMillis() > message.getJMSExpiration());
    connection.start();
    assertNull(consumer.receiveNoWait());
    assertEquals("late", text(deadLetter(auto(started()))));
  }

  @Test
  public void messagesPassedOnInACompositeKeepTheirOrigin() throws JMSException {
    Session session = auto(started());
    Queue both = session.createQueue(name("first") + "," + name("second"));
    send(session, both, "one");
    Message message = receive(session.createConsumer(session.createQueue(name("first"))));
    ActiveMQDestination origin = ((ActiveMQMessage) message).getOriginalDestination();
    assertTrue(origin.isComposite());
  }
}
