package org.pabal.jms;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertThrows;
import static org.junit.Assert.assertTrue;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.IntStream;
import javax.jms.JMSException;
import javax.jms.Message;
import javax.jms.MessageConsumer;
import javax.jms.Queue;
import javax.jms.Session;
import javax.jms.TextMessage;
import javax.jms.TopicSubscriber;
import javax.jms.TransactionRolledBackException;
import javax.transaction.xa.XAException;
import javax.transaction.xa.XAResource;
import javax.transaction.xa.Xid;
import org.junit.Test;

/**
 * The broker dies by kill -9 and comes back: nothing acknowledged comes again, nothing else is lost. With
 * ActiveMQ a send that was repeated may be there twice, and what it delivers again after its own death is
 * not marked, so that a message whose acknowledgement was in doubt is not recognised.
 */
public class ReconnectTest extends BrokerTest {
  private static List<String> numbers(int count) {
    return IntStream.range(0, count).mapToObj(i -> "n" + i).toList();
  }

  @Test
  public void sendsGoOnAcrossAKillOnceEach() throws Exception {
    PabalSession session = auto(started(TestBroker.failoverUrl()));
    var producer = session.createProducer(queue());
    CountDownLatch some = new CountDownLatch(50);
    AtomicReference<Exception> failure = new AtomicReference<>();
    Thread sender = new Thread(() -> {
      try {
        for (String text : numbers(300)) {
          producer.send(session.createTextMessage(text));
          some.countDown();
        }
      } catch (JMSException e) {
        failure.set(e);
      }
    });
    sender.start();
    assertTrue(some.await(WAIT, TimeUnit.MILLISECONDS));
    TestBroker.restart();
    sender.join(WAIT);
    assertEquals(null, failure.get());
    // Each of them, in order, and none twice: the broker knows what it has taken.
    List<String> sent = rest(queue());
    assertEquals(numbers(300),
        TestBroker.isPabal() ? sent : new ArrayList<>(new LinkedHashSet<>(sent)));
  }

  @Test
  public void listenerGetsEverythingAcrossAKill() throws Exception {
    PabalConnection connection = started(TestBroker.failoverUrl());
    Set<String> seen = new LinkedHashSet<>();
    List<String> again = new CopyOnWriteArrayList<>();
    auto(connection).createConsumer(queue()).setMessageListener(message -> {
      try {
        synchronized (seen) {
          if (!seen.add(((TextMessage) message).getText())) {
            again.add(((TextMessage) message).getText() + " " + message.getJMSRedelivered());
          }
        }
      } catch (JMSException e) {
        throw new AssertionError(e);
      }
    });
    send(queue(), numbers(100).toArray(String[]::new));
    await("a part", () -> size(seen) >= 20);
    TestBroker.restart();
    send(queue(), "last");
    await("all", () -> size(seen) == 101);
    // The one whose acknowledgement was in doubt is acknowledged when it comes again, not delivered.
    assertTrue(again.toString(), again.isEmpty() || !TestBroker.isPabal());
    connection.close();
    assertEquals(List.of(), rest(queue()));
  }

  private static int size(Set<String> set) {
    synchronized (set) {
      return set.size();
    }
  }

  @Test
  public void theKilledTransactionRollsBackAndItsMessagesComeAgain() throws Exception {
    Queue out = new PabalQueue(name() + ".out");
    send(queue(), "1", "2", "3");
    PabalConnection connection = started(TestBroker.failoverUrl());
    PabalSession session = transacted(connection);
    MessageConsumer consumer = session.createConsumer(queue());
    assertEquals("1", receiveText(consumer));
    session.commit();
    assertEquals("2", receiveText(consumer));
    send(session, out, "of the lost transaction");
    TestBroker.restart();
    assertThrows(TransactionRolledBackException.class, session::commit);
    TextMessage second = receive(consumer);
    assertEquals("2", second.getText());
    assertEquals(TestBroker.isPabal(), second.getJMSRedelivered());
    assertEquals("3", receiveText(consumer));
    send(session, out, "of the second try");
    session.commit();
    connection.close();
    assertEquals(List.of(), rest(queue()));
    assertEquals(List.of("of the second try"), rest(out));
  }

  private record Branch(int getFormatId, byte[] getGlobalTransactionId, byte[] getBranchQualifier)
      implements Xid {
    static Branch named(String name) {
      return new Branch(5, name.getBytes(StandardCharsets.US_ASCII), new byte[] {1});
    }
  }

  @Test
  public void aBranchThatIsNotPreparedRollsBackWithItsConnection() throws Exception {
    org.junit.Assume.assumeTrue("XA needs a Pabal", TestBroker.isPabal());
    send(queue(), "1");
    Queue out = new PabalQueue(name() + ".out");
    PabalXaConnection connection =
        new PabalXAConnectionFactory(TestBroker.failoverUrl()).createXAConnection();
    try {
      connection.start();
      PabalXaSession session = connection.createXASession();
      XAResource resource = session.getXAResource();
      MessageConsumer consumer = session.createConsumer(queue());
      Branch lost = Branch.named("lost");
      resource.start(lost, XAResource.TMNOFLAGS);
      assertEquals("1", receiveText(consumer));
      send(session, out, "of the lost branch");
      TestBroker.restart();
      assertEquals(XAException.XA_RBROLLBACK, assertThrows(XAException.class,
          () -> resource.end(lost, XAResource.TMSUCCESS)).errorCode);
      assertEquals(XAException.XAER_NOTA, assertThrows(XAException.class,
          () -> resource.rollback(lost)).errorCode);

      Branch next = Branch.named("next");
      resource.start(next, XAResource.TMNOFLAGS);
      TextMessage again = receive(consumer);
      assertEquals("1", again.getText());
      assertTrue(again.getJMSRedelivered());
      send(session, out, "of the next branch");
      resource.end(next, XAResource.TMSUCCESS);
      assertEquals(XAResource.XA_OK, resource.prepare(next));
      // What is prepared outlives both.
      TestBroker.restart();
      resource.commit(next, false);
      assertEquals(0, resource.recover(XAResource.TMSTARTRSCAN).length);
    } finally {
      connection.close();
    }
    assertEquals(List.of(), rest(queue()));
    assertEquals(List.of("of the next branch"), rest(out));
  }

  @Test
  public void whatWasNotAcknowledgedComesAgainAndItsAcknowledgeFails() throws Exception {
    send(queue(), "1", "2", "3");
    PabalConnection connection = started(TestBroker.failoverUrl());
    Session session = connection.createSession(false, Session.CLIENT_ACKNOWLEDGE);
    MessageConsumer consumer = session.createConsumer(queue());
    receive(consumer).acknowledge();
    Message second = receive(consumer);
    TestBroker.restart();
    assertThrows(JMSException.class, second::acknowledge);
    TextMessage again = receive(consumer);
    assertEquals("2", again.getText());
    assertEquals(TestBroker.isPabal(), again.getJMSRedelivered());
    receive(consumer).acknowledge();
    connection.close();
    assertEquals(List.of(), rest(queue()));
  }

  @Test
  public void durableSubscribersGoOn() throws Exception {
    PabalConnection connection = started(TestBroker.failoverUrl() + "&jms.clientID=" + name());
    PabalSession session = auto(connection);
    TopicSubscriber subscriber = session.createDurableSubscriber(topic(), "d");
    send(session, topic(), "1");
    assertEquals("1", receiveText(subscriber));
    TestBroker.restart();
    send(session, topic(), "2");
    String next = receiveText(subscriber);
    if (next.equals("1") && !TestBroker.isPabal()) {
      next = receiveText(subscriber);  // ActiveMQ confirms what of subscriptions is not on disk yet
    }
    assertEquals("2", next);
  }

  @Test
  public void temporaryQueuesAreMadeAgain() throws Exception {
    PabalConnection connection = started(TestBroker.failoverUrl());
    PabalSession session = auto(connection);
    var temporary = session.createTemporaryQueue();
    MessageConsumer replies = session.createConsumer(temporary);
    TestBroker.restart();
    TextMessage request = session.createTextMessage("ping");
    request.setJMSReplyTo(temporary);
    session.createProducer(queue()).send(request);
    PabalSession service = auto(started());
    Message received = receive(service.createConsumer(queue()));
    send(service, received.getJMSReplyTo(), "pong");
    assertEquals("pong", receiveText(replies));
  }

  @Test
  public void closeWorksWhileThereIsNoBroker() throws Exception {
    PabalConnection connection = started(TestBroker.failoverUrl());
    PabalSession session = transacted(connection);
    MessageConsumer consumer = session.createConsumer(queue());
    send(session, queue(), "never");
    TestBroker.command("kill");
    try {
      consumer.close();
      session.close();
      connection.close();
    } finally {
      TestBroker.command("start");
    }
    assertEquals(List.of(), rest(queue()));
  }

  @Test
  public void closeDoesNotWaitForAListenerThatWaitsForABroker() throws Exception {
    send(queue(), "1");
    PabalConnection connection = started(TestBroker.failoverUrl());
    PabalSession session = auto(connection);
    CountDownLatch entered = new CountDownLatch(1);
    CountDownLatch killed = new CountDownLatch(1);
    AtomicReference<JMSException> refused = new AtomicReference<>();
    session.createConsumer(queue()).setMessageListener(message -> {
      entered.countDown();
      try {
        killed.await(WAIT, TimeUnit.MILLISECONDS);
        send(session, new PabalQueue(name() + ".out"), "nobody takes it");
      } catch (JMSException e) {
        refused.set(e);
      } catch (InterruptedException e) {
        throw new AssertionError(e);
      }
    });
    assertTrue(entered.await(WAIT, TimeUnit.MILLISECONDS));
    TestBroker.command("kill");
    try {
      killed.countDown();
      connection.close();
      assertTrue(String.valueOf(refused.get()), refused.get() != null);
    } finally {
      TestBroker.command("start");
    }
    assertEquals(List.of("1"), rest(queue()));
  }

  @Test
  public void timeoutEndsWaitingForABroker() throws Exception {
    PabalConnection connection = started(TestBroker.failoverUrl() + "&timeout=50");
    PabalSession session = auto(connection);
    TestBroker.command("kill");
    try {
      assertThrows(JMSException.class, () -> send(session, queue(), "nobody takes it"));
    } finally {
      TestBroker.command("start");
    }
  }

  @Test
  public void attemptsEndTheConnection() throws Exception {
    PabalConnection connection = started(TestBroker.failoverUrl() + "&maxReconnectAttempts=2");
    CountDownLatch told = new CountDownLatch(1);
    connection.setExceptionListener(e -> told.countDown());
    MessageConsumer consumer = auto(connection).createConsumer(queue());
    TestBroker.command("kill");
    try {
      assertTrue(told.await(WAIT, TimeUnit.MILLISECONDS));
      assertThrows(JMSException.class, consumer::receive);
    } finally {
      TestBroker.command("start");
    }
  }

  @Test
  public void withoutFailoverTheLossIsAnException() throws Exception {
    PabalConnection connection = started();
    AtomicReference<JMSException> told = new AtomicReference<>();
    connection.setExceptionListener(told::set);
    PabalSession session = auto(connection);
    MessageConsumer consumer = session.createConsumer(queue());
    List<Exception> result = new ArrayList<>();
    Thread receiver = new Thread(() -> {
      try {
        consumer.receive();
      } catch (JMSException e) {
        result.add(e);
      }
    });
    receiver.start();
    TestBroker.restart();
    receiver.join(WAIT);
    assertEquals(1, result.size());
    await("the listener", () -> told.get() != null);
    assertThrows(JMSException.class, () -> send(session, queue(), "x"));
    connection.close();
  }

  @Test
  public void failoverTakesTheBrokerThatAnswers() throws Exception {
    PabalSession session = auto(started(
        "failover:(stomp://127.0.0.1:9?connectionTimeout=1000," + TestBroker.url() + ")"));
    send(session, queue(), "there");
    assertEquals(List.of("there"), rest(queue()));
    JMSException e = assertThrows(JMSException.class,
        () -> connect("failover:(stomp://127.0.0.1:9)?startupMaxReconnectAttempts=0"));
    assertTrue(e.getMessage(), e.getMessage().contains("cannot connect"));
    assertThrows(JMSException.class, () -> connect("stomp://127.0.0.1:9"));
  }

  @Test(timeout = WAIT)
  public void theFirstConnectionIsNotWaitedForLongerThanAsked() {
    // As with ActiveMQ's client, the limit for later counts where there is none for the start.
    assertThrows(JMSException.class,
        () -> connect("failover:(stomp://127.0.0.1:9)?maxReconnectAttempts=0"));
    JMSException e = assertThrows(JMSException.class,
        () -> connect("failover:(stomp://127.0.0.1:9)?timeout=50&initialReconnectDelay=60000"));
    assertTrue(e.getMessage(), e.getMessage().contains("50 ms"));
  }

  @Test
  public void heartBeatsNoticeASilentBroker() throws Exception {
    try (SilentBroker silent = new SilentBroker()) {
      PabalConnection connection = connect("stomp://127.0.0.1:" + silent.port() + "?heartBeat=40,40");
      CountDownLatch told = new CountDownLatch(1);
      connection.setExceptionListener(e -> told.countDown());
      assertTrue(told.await(WAIT, TimeUnit.MILLISECONDS));
      assertTrue("our own heart-beats", silent.hasSeenHeartBeat());
      assertFalse(connection.isStarted());
      connection.close();
    }
  }
}
