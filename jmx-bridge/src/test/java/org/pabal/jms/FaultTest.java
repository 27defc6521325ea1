package org.pabal.jms;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNull;
import static org.junit.Assert.assertThrows;
import static org.junit.Assert.assertTrue;

import java.io.IOException;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import javax.jms.DeliveryMode;
import javax.jms.InvalidDestinationException;
import javax.jms.InvalidSelectorException;
import javax.jms.JMSException;
import javax.jms.MessageConsumer;
import javax.jms.ResourceAllocationException;
import javax.jms.TextMessage;
import javax.jms.TransactionRolledBackException;
import org.junit.Test;
import org.pabal.jms.stomp.BrokerAddress;
import org.pabal.jms.stomp.BrokerErrorException;
import org.pabal.jms.stomp.Frame;
import org.pabal.jms.stomp.Wire;
import org.pabal.jms.stomp.WireOptions;

/** Brokers that hang, lie or speak something else, threads that are interrupted, and what races. */
public class FaultTest extends BrokerTest {
  @Test
  public void refusalsHaveTheirClass() throws Exception {
    assertThrows(InvalidDestinationException.class,
        () -> send(auto(started()), new PabalQueue("a.>"), "to a pattern"));
    for (String text : List.of("no room for 700 ms: pabalStoreLimit of queue://q: 3 of 2 bytes wait",
        "memoryLimit of queue://q: 3 of 2 bytes are held", "transaction_operations_max reached",
        "transaction_bytes_max: the transaction has 2 bytes", "memoryUsage: 3 of 2 bytes are held",
        "store full: the limit of 2 bytes (storeUsage) is reached",
        "maxDestinations of the policy of queue://q: there are 2 destinations under it")) {
      try (ScriptedBroker broker = new ScriptedBroker((peer, frame) -> {
        if (!frame.command().equals("SEND")) {
          return false;
        }
        peer.say("ERROR", "message:" + text.replace(":", "\\c"),
            "receipt-id:" + frame.header("receipt"), "", "");
        return true;
      })) {
        PabalSession session = auto(connect(broker.url()));
        JMSException e = assertThrows(ResourceAllocationException.class,
            () -> send(session, new PabalQueue("q"), "x"));
        assertEquals(text, e.getMessage());
      }
    }
  }

  /** Runs it on a thread of its own. */
  private static <T> CompletableFuture<T> begin(Callable<T> body) {
    CompletableFuture<T> result = new CompletableFuture<>();
    Thread thread = new Thread(() -> {
      try {
        result.complete(body.call());
      } catch (Throwable e) {
        result.completeExceptionally(e);
      }
    }, "test");
    thread.setDaemon(true);
    thread.start();
    return result;
  }

  private static <T> T end(CompletableFuture<T> running) throws Exception {
    return running.get(WAIT, TimeUnit.MILLISECONDS);
  }

  private static Throwable failureOf(CompletableFuture<?> running) {
    return assertThrows(ExecutionException.class, () -> end(running)).getCause();
  }

  // --- the wire --------------------------------------------------------------------------------

  @Test
  public void whateverStopsTheReaderIsALoss() throws Exception {
    try (ScriptedBroker broker = new ScriptedBroker((peer, frame) -> {
      if (!frame.command().equals("SUBSCRIBE")) {
        return false;
      }
      peer.message("s", "1", "text");
      return true;
    })) {
      CountDownLatch lost = new CountDownLatch(1);
      int port = Integer.parseInt(broker.url().replaceAll(".*:", ""));
      Wire wire = Wire.open(new BrokerAddress("127.0.0.1", port, false),
          new WireOptions(1000, 0, 0, 1000, null, true), Map.of(), new Wire.Listener() {
            @Override
            public void onMessage(Wire wire, Frame message) {
              throw new OutOfMemoryError("as the test wants");
            }

            @Override
            public void onError(Wire wire, BrokerErrorException error) {}

            @Override
            public void onLost(Wire wire, IOException cause) {
              lost.countDown();
            }
          });
      var answer = wire.request(new Frame("SUBSCRIBE").with("id", "s"));
      assertTrue(lost.await(WAIT, TimeUnit.MILLISECONDS));
      assertThrows(ExecutionException.class, () -> answer.get(WAIT, TimeUnit.MILLISECONDS));
    }
  }

  @Test
  public void heartBeatsOfALifetimeAreNone() throws Exception {
    try (ScriptedBroker broker =
        new ScriptedBroker("2147483647,2147483647", (peer, frame) -> false)) {
      send(auto(connect(broker.url() + "?heartBeat=2147483647,2147483647")), queue(), "taken");
      assertTrue(broker.hasSeen("SEND"));
    }
  }

  @Test
  public void aPortOfAnotherProtocolIsNamed() throws Exception {
    byte[] openWire = {0, 0, 1, 60, 1, 'A', 'c', 't', 'i', 'v', 'e', 'M', 'Q'};
    for (byte[] greeting : List.of("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"
        .getBytes(StandardCharsets.US_ASCII), openWire)) {
      try (ServerSocket server = new ServerSocket(0)) {
        var serving = begin(() -> {
          Socket socket = server.accept();
          socket.getOutputStream().write(greeting);
          return socket;
        });
        JMSException e = assertThrows(JMSException.class,
            () -> connect("stomp://127.0.0.1:" + server.getLocalPort()));
        assertTrue(e.getMessage(), e.getMessage().contains("does not speak STOMP"));
        end(serving).close();
      }
    }
  }

  @Test
  public void closeEndsThoughABrokerTakesNothingAnyMore() throws Exception {
    CountDownLatch over = new CountDownLatch(1);
    try (ScriptedBroker broker = new ScriptedBroker((peer, frame) -> {
      if (frame.command().equals("SEND")) {
        over.await();
      }
      return false;
    })) {
      PabalConnection connection = connect(broker.url() + "?jms.closeTimeout=200&heartBeat=0,0");
      PabalSession session = auto(connection);
      AtomicInteger sent = new AtomicInteger();
      var sender = begin(() -> {
        var producer = session.createProducer(queue());
        producer.setDeliveryMode(DeliveryMode.NON_PERSISTENT);
        while (true) {
          producer.send(session.createTextMessage("x".repeat(1 << 20)));
          sent.incrementAndGet();
        }
      });
      // It hangs when nothing more is sent for a while.
      for (int before = -1; before != sent.get() || before == 0; ) {
        before = sent.get();
        Thread.sleep(BRIEFLY);
      }
      end(begin(() -> {
        connection.close();
        return null;
      }));
      assertTrue(failureOf(sender) instanceof JMSException);
    } finally {
      over.countDown();
    }
  }

  @Test
  public void closeDoesNotWaitForASubscriptionOnTheNextConnection() throws Exception {
    CountDownLatch subscribing = new CountDownLatch(1);
    try (ScriptedBroker broker = new ScriptedBroker((peer, frame) -> {
      if (peer.number == 1 && frame.command().equals("SEND")) {
        peer.hangUp();
      }
      if (peer.number == 1 || !frame.command().equals("SUBSCRIBE")) {
        return false;
      }
      subscribing.countDown();
      return true;  // and no answer
    })) {
      PabalConnection connection = started(broker.failoverUrl() + "&heartBeat=0,0");
      PabalSession session = auto(connection);
      session.createConsumer(queue());
      var sender = begin(() -> {
        send(session, queue(), "x");
        return null;
      });
      assertTrue(subscribing.await(WAIT, TimeUnit.MILLISECONDS));
      end(begin(() -> {
        connection.close();
        return null;
      }));
      assertTrue(failureOf(sender) instanceof JMSException);
    }
  }

  // --- failover --------------------------------------------------------------------------------

  @Test
  public void aFrameThatNoBrokerTakesIsNotRepeatedForEver() throws Exception {
    try (ScriptedBroker broker = new ScriptedBroker((peer, frame) -> {
      if (!frame.command().equals("SEND")) {
        return false;
      }
      peer.say("ERROR", "message:The maximum data length was exceeded", "", "");
      peer.hangUp();
      return true;
    })) {
      PabalSession session = auto(started(broker.failoverUrl()));
      JMSException e =
          assertThrows(JMSException.class, () -> send(session, queue(), "a gigabyte"));
      assertTrue(e.getMessage(), e.getMessage().contains("maximum data length"));
    }
  }

  @Test
  public void aSelectorThatIsNoneDoesNotKeepTheConnectionFromComingBack() throws Exception {
    CountDownLatch goOn = new CountDownLatch(1);
    try (ScriptedBroker broker = new ScriptedBroker((peer, frame) -> {
      if (peer.number > 1 && frame.command().equals("CONNECT")) {
        goOn.await();
      }
      if ("no selector".equals(frame.header("selector"))) {
        peer.say("ERROR", "message:Invalid selector", "receipt-id:" + frame.header("receipt"), "",
            "");
        return true;
      }
      if (frame.command().equals("SEND") && frame.body().equals("hang up")) {
        peer.hangUp();
        return true;
      }
      if (peer.number > 1 && frame.command().equals("SUBSCRIBE")) {
        peer.message(frame.header("id"), "1", "for the good one");
      }
      return false;
    })) {
      PabalConnection connection = started(broker.failoverUrl());
      PabalSession session = auto(connection);
      PabalMessageConsumer good = session.createConsumer(queue());
      PabalSession another = auto(connection);
      var producer = session.createProducer(queue());
      producer.setDeliveryMode(DeliveryMode.NON_PERSISTENT);
      producer.send(session.createTextMessage("hang up"));
      await("the loss", () -> connection.link().current() == null);
      var wrong = begin(() -> another.createConsumer(queue(), "no selector"));
      await("both to be known", () -> connection.consumerCount() == 2);
      goOn.countDown();
      assertTrue(failureOf(wrong) instanceof InvalidSelectorException);
      assertEquals("for the good one", receiveText(good));
    }
  }

  @Test
  public void anAcknowledgementInDoubtIsAboutOneCopyOfTheMessage() throws Exception {
    try (ScriptedBroker broker = new ScriptedBroker((peer, frame) -> {
      boolean first = peer.number == 1;
      if (frame.command().equals("SUBSCRIBE") && (first || frame.header("destination").endsWith("b"))) {
        peer.receipt(frame);
        if (!first || frame.header("destination").endsWith("a")) {
          // One message that was sent to both queues has one id.
          peer.say("MESSAGE", "subscription:" + frame.header("id"), "message-id:ID\\csame",
              "ack:1", "destination:" + frame.header("destination"),
              "redelivered:" + !first, "", "copy of " + frame.header("destination"));
        }
        return true;
      }
      if (first && frame.command().equals("ACK")) {
        peer.hangUp();  // It may have counted, or not.
        return true;
      }
      return false;
    })) {
      PabalSession session = auto(started(broker.failoverUrl()));
      MessageConsumer a = session.createConsumer(new PabalQueue("a"));
      MessageConsumer b = session.createConsumer(new PabalQueue("b"));
      assertEquals("copy of /queue/a", receiveText(a));
      assertEquals("copy of /queue/b", receiveText(b));
    }
  }

  // --- interrupts ------------------------------------------------------------------------------

  @Test
  public void anInterruptBeforeCommitRollsBackAndBehindItWaits() throws Exception {
    CountDownLatch committing = new CountDownLatch(1);
    CountDownLatch confirm = new CountDownLatch(1);
    try (ScriptedBroker broker = new ScriptedBroker((peer, frame) -> {
      if (frame.command().equals("COMMIT")) {
        committing.countDown();
        confirm.await();
      }
      return frame.command().equals("SEND") && frame.body().equals("unconfirmed");
    })) {
      PabalSession session = transacted(started(broker.url()));
      send(session, queue(), "unconfirmed");
      var rolledBack = begin(() -> {
        Thread.currentThread().interrupt();
        session.commit();
        return null;
      });
      assertTrue(failureOf(rolledBack) instanceof TransactionRolledBackException);
      await("ABORT", () -> broker.hasSeen("ABORT"));
      assertFalse(broker.hasSeen("COMMIT"));

      send(session, queue(), "confirmed");
      CompletableFuture<Thread> committer = new CompletableFuture<>();
      var interrupted = begin(() -> {
        committer.complete(Thread.currentThread());
        session.commit();
        return Thread.interrupted();
      });
      assertTrue(committing.await(WAIT, TimeUnit.MILLISECONDS));
      end(committer).interrupt();
      confirm.countDown();
      assertTrue("it is interrupted, and it is committed", end(interrupted));
    }
  }

  @Test
  public void anInterruptedReceiverHasItsMessageAndNobodyIsAlarmed() throws Exception {
    try (ScriptedBroker broker = new ScriptedBroker((peer, frame) -> {
      if (frame.command().equals("SUBSCRIBE")) {
        peer.message(frame.header("id"), "1", "text");
      } else if (frame.command().equals("ACK")) {
        Thread.sleep(20);  // so that it must wait
      }
      return false;
    })) {
      PabalConnection connection = started(broker.url());
      List<JMSException> told = new CopyOnWriteArrayList<>();
      connection.setExceptionListener(told::add);
      PabalMessageConsumer consumer = auto(connection).createConsumer(queue());
      await("the message", () -> consumer.waitingCount() == 1);
      assertTrue(end(begin(() -> {
        Thread.currentThread().interrupt();
        assertEquals("text", ((TextMessage) consumer.receive()).getText());
        return Thread.interrupted();
      })));
      connection.close();
      assertEquals(List.of(), told);
    }
  }

  // --- listeners -------------------------------------------------------------------------------

  @Test
  public void whatCannotBeReadDoesNotEndTheListener() throws Exception {
    List<String> seen = new CopyOnWriteArrayList<>();
    try (ScriptedBroker broker = new ScriptedBroker((peer, frame) -> {
      if (frame.command().equals("SUBSCRIBE")) {
        peer.message(frame.header("id"), "1", "{\"map\":{\"entry\":[{\"string\":[\"a\"]}]}}",
            "transformation:jms-map-json");
        peer.message(frame.header("id"), "2", "[1]", "JMS_Pabal_Body:stream");
        peer.message(frame.header("id"), "3", "x", "JMS_Pabal_Types:a=int,=,b,c==",
            "a:no number", "reply-to:/", "priority:many");
        peer.message(frame.header("id"), "4", "the last");
      }
      return false;
    })) {
      auto(started(broker.url())).createConsumer(queue()).setMessageListener(message -> {
        try {
          seen.add(((TextMessage) message).getText());
        } catch (JMSException e) {
          throw new AssertionError(e);
        }
      });
      await("the last", () -> seen.contains("the last"));
      assertEquals(4, seen.size());
    }
  }

  @Test
  public void theExceptionListenerIsToldOneByOneInOrder() throws Exception {
    try (ScriptedBroker broker = new ScriptedBroker((peer, frame) -> {
      if (frame.command().equals("SEND")) {
        peer.say("ERROR", "message:" + frame.body(), "", "");
      }
      return false;
    })) {
      PabalConnection connection = started(broker.url());
      List<String> told = new CopyOnWriteArrayList<>();
      AtomicInteger inside = new AtomicInteger();
      AtomicInteger most = new AtomicInteger();
      connection.setExceptionListener(e -> {
        most.accumulateAndGet(inside.incrementAndGet(), Math::max);
        told.add(e.getMessage());
        Thread.yield();
        inside.decrementAndGet();
        throw new IllegalStateException("a listener that fails, as the test wants");
      });
      PabalSession session = auto(connection);
      var producer = session.createProducer(queue());
      producer.setDeliveryMode(DeliveryMode.NON_PERSISTENT);
      List<String> numbers = new ArrayList<>();
      for (int i = 0; i < 50; ++i) {
        numbers.add("n" + i);
        producer.send(session.createTextMessage("n" + i));
      }
      await("all", () -> told.size() == 50);
      assertEquals(numbers, told);
      assertEquals(1, most.get());
    }
  }

  // --- browsers --------------------------------------------------------------------------------

  @Test
  public void closingEndsABrowserThatWaits() throws Exception {
    try (ScriptedBroker broker = new ScriptedBroker((peer, frame) -> false)) {
      PabalConnection connection = connect(broker.url());
      var of = auto(connection).createBrowser(queue()).getEnumeration();
      var waiting = begin(of::hasMoreElements);
      PabalSession second = auto(connection);
      var ofSecond = second.createBrowser(queue()).getEnumeration();
      var waitingToo = begin(ofSecond::hasMoreElements);
      second.close();
      assertFalse(end(waitingToo));
      connection.close();
      assertTrue(failureOf(waiting) instanceof IllegalStateException);
    }
  }

  @Test
  public void aBrowserHoldsNoMoreThanItsPrefetch() throws Exception {
    int count = 60;
    for (int i = 0; i < count; ++i) {
      send(queue(), "n" + i);
    }
    PabalSession session =
        auto(connect(TestBroker.url() + "?jms.prefetchPolicy.queueBrowserPrefetch=5"));
    Browse browse = (Browse) session.createBrowser(queue()).getEnumeration();
    for (int i = 0; i < count; ++i) {
      assertEquals("n" + i, ((TextMessage) browse.nextElement()).getText());
      assertTrue(browse.waitingCount() + " wait", browse.waitingCount() <= 5);
    }
    assertFalse(browse.hasMoreElements());
    assertEquals(count, rest(queue()).size());
  }

  @Test
  public void aPropertyThatLooksLikeTheEndOfABrowserIsNone() throws Exception {
    PabalSession session = auto(connect());
    TextMessage message = session.createTextMessage("not the end");
    message.setStringProperty("browser", "end");
    session.createProducer(queue()).send(message);
    var seen = session.createBrowser(queue()).getEnumeration();
    TextMessage found = (TextMessage) seen.nextElement();
    assertEquals("end", found.getStringProperty("browser"));
    assertFalse(seen.hasMoreElements());
    assertNull(session.createConsumer(queue()).receiveNoWait());
  }
}
