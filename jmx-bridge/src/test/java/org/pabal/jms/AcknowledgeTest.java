package org.pabal.jms;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertThrows;
import static org.junit.Assert.assertTrue;

import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import javax.jms.JMSException;
import javax.jms.Message;
import javax.jms.MessageConsumer;
import javax.jms.Queue;
import javax.jms.Session;
import javax.jms.TextMessage;
import org.junit.Test;

/** JMS 1.1 §4.4.11 to §4.4.13, §3.6, §3.4.7: who acknowledges what, and what comes again. */
public class AcknowledgeTest extends BrokerTest {
  @Test
  public void autoAcknowledgesWhatReceiveReturned() throws Exception {
    send(queue(), "1", "2", "3");
    PabalConnection connection = started();
    MessageConsumer consumer = auto(connection).createConsumer(queue());
    assertEquals("1", receiveText(consumer));
    assertEquals("2", receiveText(consumer));
    connection.close();
    assertEquals(List.of("3"), rest(queue()));
  }

  @Test
  public void autoAcknowledgesWhenTheListenerReturns() throws Exception {
    send(queue(), "1", "2", "3");
    PabalConnection connection = started();
    CountDownLatch two = new CountDownLatch(2);
    CountDownLatch hold = new CountDownLatch(1);
    auto(connection).createConsumer(queue()).setMessageListener(message -> {
      if (two.getCount() == 0) {
        awaitLatch(hold);
        throw new IllegalStateException("the test wants the third one back");
      }
      two.countDown();
    });
    assertTrue(two.await(WAIT, TimeUnit.MILLISECONDS));
    // The third is in the listener's hands, or on its way, and must come back.
    Thread closer = new Thread(() -> closeQuietly(connection));
    closer.start();
    await("closing", connectionIsClosing(connection));
    hold.countDown();
    closer.join(WAIT);
    assertEquals(List.of("3"), rest(queue()));
  }

  private static java.util.function.BooleanSupplier connectionIsClosing(PabalConnection c) {
    return () -> {
      try {
        c.checkOpen();
        return false;
      } catch (JMSException e) {
        return true;
      }
    };
  }

  private static void closeQuietly(PabalConnection connection) {
    try {
      connection.close();
    } catch (JMSException e) {
      throw new AssertionError(e);
    }
  }

  private static void awaitLatch(CountDownLatch latch) {
    try {
      assertTrue(latch.await(WAIT, TimeUnit.MILLISECONDS));
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  @Test
  public void listenerThatThrowsGetsTheMessageAgainMarked() throws Exception {
    send(queue(), "poor", "next");
    List<String> seen = new CopyOnWriteArrayList<>();
    PabalConnection connection = started();
    auto(connection).createConsumer(queue()).setMessageListener(message -> {
      try {
        seen.add(((TextMessage) message).getText() + " " + message.getJMSRedelivered() + " "
            + message.getIntProperty("JMSXDeliveryCount"));
        if (seen.size() < 3) {
          throw new IllegalStateException("the listener fails, as the test wants");
        }
      } catch (JMSException e) {
        throw new AssertionError(e);
      }
    });
    await("four calls", () -> seen.size() == 4);
    assertEquals(List.of("poor false 1", "poor true 2", "poor true 3", "next false 1"), seen);
  }

  @Test
  public void whatComesTooOftenGoesToTheDeadLetters() throws Exception {
    send(queue(), "poison", "good");
    AtomicInteger calls = new AtomicInteger();
    CountDownLatch good = new CountDownLatch(1);
    PabalConnection connection =
        started(TestBroker.url() + "?jms.redeliveryPolicy.maximumRedeliveries=2");
    auto(connection).createConsumer(queue()).setMessageListener(message -> {
      if (text(message).equals("good")) {
        good.countDown();
        return;
      }
      calls.incrementAndGet();
      throw new IllegalStateException("poison, as the test wants");
    });
    assertTrue(good.await(WAIT, TimeUnit.MILLISECONDS));
    assertEquals(3, calls.get());
    MessageConsumer dead = auto(connection).createConsumer(new PabalQueue("ActiveMQ.DLQ"));
    while (!receiveText(dead).equals("poison")) {
      // Other tests' dead letters.
    }
  }

  private static String text(Message message) {
    try {
      return ((TextMessage) message).getText();
    } catch (JMSException e) {
      throw new AssertionError(e);
    }
  }

  @Test
  public void clientAcknowledgesAllThatTheSessionReceived() throws Exception {
    Queue other = new PabalQueue(name() + ".other");
    send(queue(), "1", "2", "3");
    send(other, "x");
    PabalConnection connection = started();
    Session session = connection.createSession(false, Session.CLIENT_ACKNOWLEDGE);
    MessageConsumer consumer = session.createConsumer(queue());
    receive(consumer);
    Message second = receive(consumer);
    receive(session.createConsumer(other));
    second.acknowledge();
    assertEquals("3", receiveText(consumer));
    connection.close();
    assertEquals(List.of("3"), rest(queue()));
    assertEquals(List.of(), rest(other));
  }

  @Test
  public void clientModeReceivesMoreThanThePrefetchBeforeItAcknowledges() throws Exception {
    send(queue(), "1", "2", "3", "4", "5");
    PabalConnection connection = started(TestBroker.url() + "?jms.prefetchPolicy.all=1");
    Session session = connection.createSession(false, Session.CLIENT_ACKNOWLEDGE);
    MessageConsumer consumer = session.createConsumer(queue());
    for (String text : List.of("1", "2", "3")) {
      assertEquals(text, receiveText(consumer));
    }
    receive(consumer).acknowledge();
    receive(consumer);
    connection.close();
    assertEquals(List.of("5"), rest(queue()));
  }

  @Test
  public void clientModeRecoverDeliversAgainInOrder() throws Exception {
    send(queue(), "1", "2", "3");
    Session session = started().createSession(false, Session.CLIENT_ACKNOWLEDGE);
    MessageConsumer consumer = session.createConsumer(queue());
    assertEquals("1", receiveText(consumer));
    assertEquals("2", receiveText(consumer));
    session.recover();
    for (String text : List.of("1", "2")) {
      TextMessage again = receive(consumer);
      assertEquals(text, again.getText());
      assertTrue(again.getJMSRedelivered());
      assertEquals(2, again.getIntProperty("JMSXDeliveryCount"));
    }
    TextMessage third = receive(consumer);
    assertEquals("3", third.getText());
    assertFalse(third.getJMSRedelivered());
    third.acknowledge();
    session.close();
    assertEquals(List.of(), rest(queue()));
  }

  @Test
  public void recoverWithinAListenerBringsItsMessageAgain() throws Exception {
    send(queue(), "1", "2");
    List<String> seen = new CopyOnWriteArrayList<>();
    PabalSession session = auto(started());
    session.createConsumer(queue()).setMessageListener(message -> {
      seen.add(text(message));
      if (seen.size() == 1) {
        try {
          session.recover();
        } catch (JMSException e) {
          throw new AssertionError(e);
        }
      }
    });
    await("three calls", () -> seen.size() == 3);
    assertEquals(List.of("1", "1", "2"), seen);
  }

  @Test
  public void unacknowledgedComesBackWhenTheSessionCloses() throws Exception {
    send(queue(), "1", "2");
    PabalConnection connection = started();
    Session session = connection.createSession(false, Session.CLIENT_ACKNOWLEDGE);
    assertEquals("1", receiveText(session.createConsumer(queue())));
    session.close();
    MessageConsumer next = auto(connection).createConsumer(queue());
    TextMessage again = receive(next);
    assertEquals("1", again.getText());
    assertTrue(again.getJMSRedelivered());
    assertEquals("2", receiveText(next));
  }

  @Test
  public void whatAClosedConsumerReceivedCanStillBeAcknowledged() throws Exception {
    send(queue(), "1", "2");
    PabalConnection connection = started();
    Session session = connection.createSession(false, Session.CLIENT_ACKNOWLEDGE);
    MessageConsumer consumer = session.createConsumer(queue());
    Message first = receive(consumer);
    consumer.close();
    first.acknowledge();
    session.close();
    assertEquals(List.of("2"), rest(queue()));
  }

  @Test
  public void individualAcknowledgesOneMessage() throws Exception {
    send(queue(), "1", "2", "3");
    PabalConnection connection = started();
    Session session = connection.createSession(false, PabalSession.INDIVIDUAL_ACKNOWLEDGE);
    MessageConsumer consumer = session.createConsumer(queue());
    receive(consumer);
    receive(consumer).acknowledge();
    receive(consumer);
    connection.close();
    Set<String> left = new TreeSet<>(rest(queue()));
    assertEquals(Set.of("1", "3"), left);
  }

  @Test
  public void individualModeReceivesMoreThanThePrefetchBeforeItAcknowledges() throws Exception {
    org.junit.Assume.assumeTrue("STOMP has no word for it", TestBroker.isPabal());
    for (int prefetch : List.of(1, 2, 7)) {
      Queue queue = new PabalQueue(name() + prefetch);
      String[] texts = new String[30];
      for (int i = 0; i < texts.length; ++i) {
        texts[i] = "n" + i;
      }
      send(queue, texts);
      PabalConnection connection =
          started(TestBroker.url() + "?jms.prefetchPolicy.all=" + prefetch);
      PabalSession session = (PabalSession)
          connection.createSession(false, PabalSession.INDIVIDUAL_ACKNOWLEDGE);
      PabalMessageConsumer consumer = session.createConsumer(queue);
      List<Message> held = new java.util.ArrayList<>();
      for (String text : texts) {
        TextMessage message = receive(consumer);
        assertEquals(text, message.getText());
        held.add(message);
        assertTrue("sent ahead", consumer.waitingCount() <= 3 * prefetch);
      }
      // Some come again from within the client, some are acknowledged, and more arrive.
      for (Message message : held.subList(0, 20)) {
        message.acknowledge();
      }
      session.recover();
      send(queue, "one more");
      List<String> again = new java.util.ArrayList<>();
      for (int i = 20; i <= texts.length; ++i) {
        again.add(receiveText(consumer));
      }
      assertEquals("n20", again.get(0));
      assertEquals("one more", again.get(10));
      connection.close();
      assertEquals(11, rest(queue).size());
    }
  }

  @Test
  public void dupsOkAcknowledgesWithoutWaiting() throws Exception {
    send(queue(), "1", "2", "3");
    PabalConnection connection = started();
    Session session = connection.createSession(false, Session.DUPS_OK_ACKNOWLEDGE);
    assertEquals(Session.DUPS_OK_ACKNOWLEDGE, session.getAcknowledgeMode());
    MessageConsumer consumer = session.createConsumer(queue());
    receive(consumer);
    receive(consumer);
    connection.close();  // DISCONNECT is behind the acknowledgements
    assertEquals(List.of("3"), rest(queue()));
  }

  @Test
  public void acknowledgeOfAClosedSessionFails() throws Exception {
    send(queue(), "1");
    Session session = started().createSession(false, Session.CLIENT_ACKNOWLEDGE);
    Message message = receive(session.createConsumer(queue()));
    session.close();
    assertThrows(javax.jms.IllegalStateException.class, message::acknowledge);
  }

  @Test
  public void recoverOfATransactedSessionFails() throws Exception {
    assertThrows(javax.jms.IllegalStateException.class, () -> transacted(connect()).recover());
  }

  @Test
  public void closingTheConsumerInItsListenerAcknowledgesTheMessage() throws Exception {
    send(queue(), "1", "2");
    CountDownLatch closed = new CountDownLatch(1);
    PabalConnection connection = started();
    MessageConsumer consumer = auto(connection).createConsumer(queue());
    consumer.setMessageListener(message -> {
      try {
        consumer.close();
      } catch (JMSException e) {
        throw new AssertionError(e);
      }
      closed.countDown();
    });
    assertTrue(closed.await(WAIT, TimeUnit.MILLISECONDS));
    connection.close();
    assertEquals(List.of("2"), rest(queue()));
  }
}
