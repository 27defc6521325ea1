package interop.jms;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNull;
import static org.junit.Assert.assertSame;
import static org.junit.Assert.assertTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import javax.jms.Connection;
import javax.jms.IllegalStateException;
import javax.jms.InvalidDestinationException;
import javax.jms.JMSException;
import javax.jms.Message;
import javax.jms.MessageConsumer;
import javax.jms.MessageListener;
import javax.jms.MessageProducer;
import javax.jms.Queue;
import javax.jms.Session;
import javax.jms.Topic;
import org.junit.Test;

/** JMS 1.1 §4.4: sessions, their acknowledgement modes, order, serial execution. */
public class SessionTest extends JmsTest {
  @Test
  public void modesAreWhatWasAskedFor() throws JMSException {
    Connection connection = started();
    for (int mode :
        new int[] {
          Session.AUTO_ACKNOWLEDGE, Session.CLIENT_ACKNOWLEDGE, Session.DUPS_OK_ACKNOWLEDGE
        }) {
      Session session = connection.createSession(false, mode);
      assertFalse(session.getTransacted());
      assertEquals(mode, session.getAcknowledgeMode());
    }
    Session session = connection.createSession(true, Session.AUTO_ACKNOWLEDGE);
    assertTrue(session.getTransacted());
    assertEquals(Session.SESSION_TRANSACTED, session.getAcknowledgeMode());
  }

  @Test
  public void autoAcknowledgesWhatReceiveReturned() throws JMSException {
    Connection connection = started();
    Session session = auto(connection);
    Queue queue = queue(session);
    send(session, queue, "one", "two");
    expect(session.createConsumer(queue), "one");
    connection.close();
    assertEquals(Collections.singletonList("two"), drain(queue));
  }

  @Test
  public void autoAcknowledgesAfterTheListener() throws Exception {
    Connection connection = started();
    Session session = auto(connection);
    Queue queue = queue(session);
    CountDownLatch two = new CountDownLatch(2);
    session.createConsumer(queue).setMessageListener(message -> two.countDown());
    send(auto(started()), queue, "one", "two");
    await(two);
    connection.close(); // Waits for the listener, and so for its acknowledgement.
    assertEquals(Collections.emptyList(), drain(queue));
  }

  @Test
  public void autoDeliversAgainWhatAListenerThrewAt() throws Exception {
    Connection connection = started();
    Session session = auto(connection);
    Queue queue = queue(session);
    List<String> seen = Collections.synchronizedList(new ArrayList<>());
    CountDownLatch three = new CountDownLatch(3);
    session
        .createConsumer(queue)
        .setMessageListener(
            message -> {
              try {
                seen.add(text(message) + " " + message.getJMSRedelivered());
              } catch (JMSException error) {
                seen.add(error.toString());
              }
              three.countDown();
              if (seen.size() == 1) {
                throw new RuntimeException("a fault in the application"); // §4.5.2
              }
            });
    send(auto(started()), queue, "one", "two");
    await(three);
    connection.close();
    assertTrue(seen.toString(), seen.contains("one false"));
    assertTrue(seen.toString(), seen.contains("one true"));
    assertTrue(seen.toString(), seen.contains("two false"));
    assertEquals(Collections.emptyList(), drain(queue));
  }

  @Test
  public void clientAcknowledgeCoversAllThatTheSessionConsumed() throws JMSException {
    Connection connection = started();
    Session session = client(connection);
    Queue first = session.createQueue(name("first"));
    Queue second = session.createQueue(name("second"));
    send(session, first, "one", "two", "three");
    send(session, second, "four", "five");
    MessageConsumer ofFirst = session.createConsumer(first);
    expect(ofFirst, "one");
    expect(session.createConsumer(second), "four");
    receive(ofFirst).acknowledge(); // §4.4.11: everything that this session has consumed.
    expect(ofFirst, "three");
    connection.close();
    assertEquals(Collections.singletonList("three"), drain(first));
    assertEquals(Collections.singletonList("five"), drain(second));
  }

  @Test
  public void clientAcknowledgeOfAnEarlierMessageCoversLaterOnesToo() throws JMSException {
    Connection connection = started();
    Session session = client(connection);
    Queue queue = queue(session);
    send(session, queue, "one", "two");
    MessageConsumer consumer = session.createConsumer(queue);
    Message one = receive(consumer);
    expect(consumer, "two");
    one.acknowledge();
    connection.close();
    assertEquals(Collections.emptyList(), drain(queue));
  }

  @Test
  public void acknowledgeIsIgnoredInOtherModes() throws JMSException {
    Connection connection = started();
    Session session = transacted(connection);
    Queue queue = queue(session);
    send(session, queue, "one");
    session.commit();
    MessageConsumer consumer = session.createConsumer(queue);
    receive(consumer).acknowledge(); // §3.6: has no effect in a transacted session.
    session.rollback();
    Message again = receive(consumer);
    assertTrue(again.getJMSRedelivered());
    session.commit();
  }

  @Test
  public void clientAcknowledgeGoesOnWithoutAcknowledging() throws JMSException {
    // More than any window of the client or of the broker would hold if it were not extended.
    int count = 3000;
    Connection connection = started();
    Session session = client(connection);
    Queue queue = queue(session);
    Session sending = transacted(connection);
    MessageProducer producer = sending.createProducer(queue);
    for (int i = 0; i < count; i++) {
      producer.send(sending.createTextMessage("" + i));
    }
    sending.commit();
    MessageConsumer consumer = session.createConsumer(queue);
    Message last = null;
    for (int i = 0; i < count; i++) {
      last = receive(consumer);
      assertEquals("" + i, text(last));
    }
    last.acknowledge();
    connection.close();
    assertEquals(Collections.emptyList(), drain(queue));
  }

  @Test
  public void recoverDeliversAgainInOrderAndSaysSo() throws JMSException {
    Connection connection = started();
    Session session = client(connection);
    Queue queue = queue(session);
    send(session, queue, "one", "two", "three");
    MessageConsumer consumer = session.createConsumer(queue);
    receive(consumer).acknowledge();
    expect(consumer, "two", "three");
    session.recover(); // §4.4.11: restarts with the first unacknowledged message.
    Message two = receive(consumer);
    assertEquals("two", text(two));
    assertTrue(two.getJMSRedelivered());
    Message three = receive(consumer);
    assertEquals("three", text(three));
    assertTrue(three.getJMSRedelivered());
    three.acknowledge();
    connection.close();
    assertEquals(Collections.emptyList(), drain(queue));
  }

  @Test
  public void recoverOfATransactedSessionIsRefused() throws JMSException {
    Session session = transacted(started());
    expectThrown(IllegalStateException.class, session::recover);
  }

  @Test
  public void commitAndRollbackOfAnUntransactedSessionAreRefused() throws JMSException {
    Session session = auto(started());
    expectThrown(IllegalStateException.class, session::commit);
    expectThrown(IllegalStateException.class, session::rollback);
  }

  @Test
  public void dupsOkConsumesEverything() throws JMSException {
    Connection connection = started();
    Session session = connection.createSession(false, Session.DUPS_OK_ACKNOWLEDGE);
    Queue queue = queue(session);
    send(session, queue, "one", "two", "three");
    MessageConsumer consumer = session.createConsumer(queue);
    expect(consumer, "one", "two", "three");
    consumer.close();
    session.close();
    connection.close();
    assertEquals(Collections.emptyList(), drain(queue));
  }

  @Test
  public void closingASessionGivesBackWhatItHolds() throws JMSException {
    Connection connection = started();
    Session holding = client(connection);
    Queue queue = queue(holding);
    send(holding, queue, "one", "two");
    expect(holding.createConsumer(queue), "one");
    holding.close();
    MessageConsumer next = auto(connection).createConsumer(queue);
    Message one = receive(next);
    assertEquals("one", text(one));
    assertTrue(one.getJMSRedelivered());
    Message two = receive(next);
    assertEquals("two", text(two));
    assertFalse(two.getJMSRedelivered()); // It was prefetched, not delivered (§3.4.7).
  }

  @Test
  public void aClosedSessionRefusesEverything() throws JMSException {
    Session session = auto(started());
    Queue queue = queue(session);
    session.close();
    session.close();
    expectThrown(IllegalStateException.class, session::createTextMessage);
    expectThrown(IllegalStateException.class, session::createBytesMessage);
    expectThrown(IllegalStateException.class, session::createMapMessage);
    expectThrown(IllegalStateException.class, session::createStreamMessage);
    expectThrown(IllegalStateException.class, session::createObjectMessage);
    expectThrown(IllegalStateException.class, session::createMessage);
    expectThrown(IllegalStateException.class, () -> session.createProducer(queue));
    expectThrown(IllegalStateException.class, () -> session.createConsumer(queue));
    expectThrown(IllegalStateException.class, () -> session.createBrowser(queue));
    expectThrown(IllegalStateException.class, () -> session.createQueue("x"));
    expectThrown(IllegalStateException.class, () -> session.createTopic("x"));
    expectThrown(IllegalStateException.class, session::createTemporaryQueue);
    expectThrown(IllegalStateException.class, session::getTransacted);
    expectThrown(IllegalStateException.class, session::recover);
  }

  @Test
  public void destinationsAreEqualByName() throws JMSException {
    Session session = auto(started());
    assertEquals(session.createQueue("a.b"), session.createQueue("a.b"));
    assertEquals("a.b", session.createQueue("a.b").getQueueName());
    assertEquals("a.b", session.createTopic("a.b").getTopicName());
    assertFalse(session.createQueue("a.b").equals(session.createTopic("a.b")));
    assertEquals(session.createTopic("a.b").hashCode(), session.createTopic("a.b").hashCode());
  }

  @Test
  public void nullDestinationsAreRefused() throws JMSException {
    Session session = auto(started());
    expectThrown(InvalidDestinationException.class, () -> session.createConsumer(null));
    expectThrown(InvalidDestinationException.class, () -> session.createBrowser(null));
  }

  @Test
  public void messagesOfOneProducerArriveInOrder() throws JMSException {
    // §4.4.10.2: of one session to one destination, per delivery mode.
    Connection connection = started();
    Session session = auto(connection);
    Queue queue = queue(session);
    MessageConsumer consumer = session.createConsumer(queue);
    MessageProducer producer = session.createProducer(queue);
    for (int i = 0; i < 200; i++) {
      producer.send(session.createTextMessage("" + i));
    }
    for (int i = 0; i < 200; i++) {
      expect(consumer, "" + i);
    }
  }

  @Test
  public void listenersOfOneSessionRunOneAtATime() throws Exception {
    Connection connection = stopped();
    Session session = auto(connection);
    AtomicInteger running = new AtomicInteger();
    AtomicInteger mostAtOnce = new AtomicInteger();
    CountDownLatch all = new CountDownLatch(100);
    MessageListener listener =
        message -> {
          mostAtOnce.accumulateAndGet(running.incrementAndGet(), Math::max);
          Thread.yield();
          running.decrementAndGet();
          all.countDown();
        };
    Queue first = session.createQueue(name("first"));
    Queue second = session.createQueue(name("second"));
    session.createConsumer(first).setMessageListener(listener);
    session.createConsumer(second).setMessageListener(listener);
    Session sending = auto(started());
    for (int i = 0; i < 50; i++) {
      send(sending, first, "" + i);
      send(sending, second, "" + i);
    }
    connection.start();
    await(all);
    assertEquals(1, mostAtOnce.get());
  }

  @Test
  public void sessionsRunTheirListenersSideBySide() throws Exception {
    Connection connection = started();
    CountDownLatch both = new CountDownLatch(2);
    CountDownLatch met = new CountDownLatch(2);
    Topic topic = null;
    for (int i = 0; i < 2; i++) {
      Session session = auto(connection);
      topic = topic(session);
      session
          .createConsumer(topic)
          .setMessageListener(
              message -> {
                both.countDown();
                try {
                  await(both); // Only if the other session's listener runs meanwhile.
                } catch (InterruptedException error) {
                  return;
                }
                met.countDown();
              });
    }
    send(auto(started()), topic, "one");
    await(met);
  }

  @Test
  public void aListenerMayUseItsSession() throws Exception {
    Connection connection = started();
    Session session = auto(connection);
    Queue requests = session.createQueue(name("requests"));
    Queue answers = session.createQueue(name("answers"));
    MessageProducer producer = session.createProducer(answers);
    session
        .createConsumer(requests)
        .setMessageListener(
            message -> {
              try {
                producer.send(session.createTextMessage("answer to " + text(message)));
              } catch (JMSException error) {
                throw new RuntimeException(error);
              }
            });
    Session other = auto(started());
    send(other, requests, "one", "two");
    expect(other.createConsumer(answers), "answer to one", "answer to two");
  }

  @Test
  public void aListenerIsKept() throws JMSException {
    Session session = auto(started());
    MessageConsumer consumer = session.createConsumer(queue(session));
    assertNull(consumer.getMessageListener());
    MessageListener listener = message -> {};
    consumer.setMessageListener(listener);
    assertSame(listener, consumer.getMessageListener());
  }

  @Test
  public void unacknowledgedTopicMessagesAreRecovered() throws JMSException {
    Connection connection = started();
    Session session = client(connection);
    Topic topic = topic(session);
    MessageConsumer consumer = session.createConsumer(topic);
    send(session, topic, "one", "two");
    expect(consumer, "one", "two");
    session.recover();
    expect(consumer, "one", "two");
    session.recover();
    Message one = receive(consumer);
    assertEquals(Arrays.asList("one", true), Arrays.asList(text(one), one.getJMSRedelivered()));
    receive(consumer).acknowledge();
  }
}
