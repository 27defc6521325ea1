package interop.openwire;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;

import interop.jms.BrokerUnderTest;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import javax.jms.Connection;
import javax.jms.JMSException;
import javax.jms.Message;
import javax.jms.MessageConsumer;
import javax.jms.MessageProducer;
import javax.jms.Queue;
import javax.jms.Session;
import javax.jms.TemporaryQueue;
import javax.jms.TransactionRolledBackException;
import javax.jms.XAConnection;
import javax.jms.XASession;
import javax.transaction.xa.XAResource;
import org.apache.activemq.ActiveMQConnection;
import org.apache.activemq.ActiveMQConnectionFactory;
import org.apache.activemq.ActiveMQXAConnectionFactory;
import org.apache.activemq.command.XATransactionId;
import org.apache.activemq.transport.TransportListener;
import org.junit.Test;

/** The client's {@code failover:} through kill -9 and a new start of the broker. */
public class FailoverTest extends OpenWireTest {
  private static ActiveMQConnectionFactory failover() {
    return new ActiveMQConnectionFactory(
        "failover:(" + BrokerUnderTest.url() + ")?initialReconnectDelay=10&maxReconnectDelay=100");
  }

  @Test
  public void itConnectsAndWorksLikeAnyOther() throws JMSException {
    Session session = auto(started(failover()));
    Queue queue = queue(session);
    send(session, queue, "one");
    expect(session.createConsumer(queue), "one");
  }

  @Test
  public void itGivesUpWhenToldTo() {
    ActiveMQConnectionFactory nobody =
        new ActiveMQConnectionFactory(
            "failover:(tcp://127.0.0.1:1)?startupMaxReconnectAttempts=2&initialReconnectDelay=1");
    expectThrown(JMSException.class, () -> started(nobody));
  }

  @Test
  public void itWaitsForABrokerThatComesLater() throws Exception {
    BrokerUnderTest.assumeThatItCanBeKilled();
    BrokerUnderTest.kill();
    AtomicReference<String> got = new AtomicReference<>();
    Thread client =
        new Thread(
            () -> {
              try {
                Session session = auto(started(failover()));
                Queue queue = queue(session);
                send(session, queue, "at last");
                got.set(text(receive(session.createConsumer(queue))));
              } catch (JMSException error) {
                got.set(error.toString());
              }
            });
    client.start();
    BrokerUnderTest.start();
    client.join(DEADLINE);
    assertEquals("at last", got.get());
  }

  @Test
  public void sendsGoOnAndNoneIsLostOrTwice() throws Exception {
    BrokerUnderTest.assumeThatItCanBeKilled();
    int count = 300;
    Session session = auto(started(failover()));
    Queue queue = queue(session);
    AtomicInteger sent = new AtomicInteger();
    AtomicReference<JMSException> failure = new AtomicReference<>();
    Thread sender =
        new Thread(
            () -> {
              try {
                MessageProducer producer = session.createProducer(queue);
                for (int i = 0; i < count; i++) {
                  producer.send(session.createTextMessage("" + i));
                  sent.incrementAndGet();
                }
              } catch (JMSException error) {
                failure.set(error);
              }
            });
    sender.start();
    until("some sends", () -> sent.get() > count / 10);
    BrokerUnderTest.restart();
    sender.join(DEADLINE);
    assertEquals(null, failure.get());
    assertEquals(count, sent.get());
    assertEquals(list(numbers(0, count)), drain(queue));
  }

  @Test
  public void aConsumerGoesOn() throws Exception {
    BrokerUnderTest.assumeThatItCanBeKilled();
    int count = 200;
    Connection connection = started(failover());
    Session session = auto(connection);
    Queue queue = queue(session);
    send(session, queue, numbers(0, count));
    Set<String> got = Collections.synchronizedSet(new HashSet<>());
    session
        .createConsumer(queue)
        .setMessageListener(
            message -> {
              try {
                got.add(text(message));
              } catch (JMSException error) {
                got.add(error.toString());
              }
            });
    until("some messages", () -> got.size() > 10);
    BrokerUnderTest.restart();
    send(auto(started(failover())), queue, "after");
    until("all messages", () -> got.size() >= count + 1);
    assertTrue(got.contains("after"));
    assertEquals(count + 1, got.size());
  }

  @Test
  public void aTransactionOfSendsGoesOn() throws Exception {
    BrokerUnderTest.assumeThatItCanBeKilled();
    Session session = transacted(started(failover()));
    Queue queue = queue(session);
    MessageProducer producer = session.createProducer(queue);
    producer.send(session.createTextMessage("before"));
    BrokerUnderTest.restart();
    producer.send(session.createTextMessage("after")); // The client sends the first one again.
    session.commit();
    assertEquals(Arrays.asList("before", "after"), drain(queue));
  }

  @Test
  public void aTransactionOfReceiptsIsRolledBackAndDoneAgain() throws Exception {
    BrokerUnderTest.assumeThatItCanBeKilled();
    Connection connection = started(failover());
    Session session = transacted(connection);
    Queue in = session.createQueue(name("in"));
    Queue out = session.createQueue(name("out"));
    send(auto(started(failover())), in, "one");
    MessageConsumer consumer = session.createConsumer(in);
    MessageProducer producer = session.createProducer(out);
    expect(consumer, "one");
    producer.send(session.createTextMessage("did one"));
    BrokerUnderTest.restart();
    try {
      session.commit(); // May succeed if the client gets the same message again in time.
    } catch (TransactionRolledBackException again) {
      expect(consumer, "one");
      producer.send(session.createTextMessage("did one"));
      session.commit();
    }
    connection.close();
    assertEquals(Collections.emptyList(), drain(in));
    assertEquals(Collections.singletonList("did one"), drain(out));
  }

  @Test
  public void aCommitThatTheKillMeetsIsWholeOrNothing() throws Exception {
    BrokerUnderTest.assumeThatItCanBeKilled();
    Session session = transacted(started(failover()));
    Queue queue = queue(session);
    MessageProducer producer = session.createProducer(queue);
    for (int i = 0; i < 20; i++) {
      producer.send(session.createTextMessage("" + i));
    }
    AtomicReference<Object> outcome = new AtomicReference<>();
    CountDownLatch asked = new CountDownLatch(1);
    Thread committer =
        new Thread(
            () -> {
              asked.countDown();
              try {
                session.commit();
                outcome.set("committed");
              } catch (JMSException error) {
                outcome.set(error);
              }
            });
    committer.start();
    await(asked);
    BrokerUnderTest.restart();
    committer.join(DEADLINE);
    List<String> left = drain(queue);
    assertTrue(left.toString(), left.isEmpty() || left.equals(list(numbers(0, 20))));
    if ("committed".equals(outcome.get())) {
      assertEquals(list(numbers(0, 20)), left);
    } else {
      assertTrue("" + outcome.get(), outcome.get() instanceof TransactionRolledBackException);
    }
  }

  @Test
  public void aPreparedBranchIsFinishedAfterTheKill() throws Exception {
    // The client repeats all that it did in the branch, prepared as it is: no news to anybody.
    BrokerUnderTest.assumeThatItCanBeKilled();
    List<JMSException> heard = Collections.synchronizedList(new ArrayList<>());
    for (boolean commits : new boolean[] {true, false}) {
      ActiveMQXAConnectionFactory factory =
          new ActiveMQXAConnectionFactory(failover().getBrokerURL());
      XAConnection connection = factory.createXAConnection();
      connection.setExceptionListener(heard::add);
      connection.start();
      XASession session = connection.createXASession();
      XAResource resource = session.getXAResource();
      Queue in = session.createQueue(name("in"));
      Queue out = session.createQueue(name("out"));
      send(auto(started()), in, "one");
      XATransactionId branch = new XATransactionId();
      branch.setFormatId(4712);
      branch.setGlobalTransactionId(new byte[] {1, (byte) (commits ? 1 : 0)});
      branch.setBranchQualifier(new byte[] {2});
      resource.start(branch, XAResource.TMNOFLAGS);
      MessageConsumer consumer = session.createConsumer(in);
      expect(consumer, "one");
      send(session, out, "did one");
      resource.end(branch, XAResource.TMSUCCESS);
      consumer.close();
      assertEquals(XAResource.XA_OK, resource.prepare(branch));
      BrokerUnderTest.restart();
      if (commits) {
        resource.commit(branch, false);
      } else {
        resource.rollback(branch);
      }
      assertEquals(0, resource.recover(XAResource.TMSTARTRSCAN).length);
      assertEquals(Collections.emptyList(), heard);
      connection.close();
      assertEquals(commits ? list() : list("one"), drain(in));
      assertEquals(commits ? list("did one") : list(), drain(out));
    }
  }

  @Test
  public void temporaryQueuesAreThereAgain() throws Exception {
    BrokerUnderTest.assumeThatItCanBeKilled();
    Connection connection = started(failover());
    Session session = auto(connection);
    TemporaryQueue temporary = session.createTemporaryQueue();
    MessageConsumer consumer = session.createConsumer(temporary);
    send(session, temporary, "before");
    expect(consumer, "before");
    BrokerUnderTest.restart();
    send(session, temporary, "after");
    expect(consumer, "after");
    Session other = auto(started());
    send(other, temporary, "from another");
    expect(consumer, "from another");
  }

  @Test
  public void durableSubscribersGoOn() throws Exception {
    BrokerUnderTest.assumeThatItCanBeKilled();
    ActiveMQConnectionFactory factory = failover();
    factory.setClientID(name("client"));
    Connection connection = started(factory);
    Session session = auto(connection);
    MessageConsumer consumer = session.createDurableSubscriber(topic(session), "durable");
    send(session, topic(session), "before");
    expect(consumer, "before");
    BrokerUnderTest.restart();
    send(session, topic(session), "after");
    expect(consumer, "after");
    connection.close();
  }

  @Test
  public void unacknowledgedMessagesComeAgain() throws Exception {
    BrokerUnderTest.assumeThatItCanBeKilled();
    Connection connection = started(failover());
    Session session = client(connection);
    Queue queue = queue(session);
    send(session, queue, "one", "two");
    expect(session.createConsumer(queue), "one");
    BrokerUnderTest.restart();
    settle(connection);
    connection.close();
    Session after = auto(started());
    Set<String> got = new HashSet<>();
    MessageConsumer consumer = after.createConsumer(queue);
    Message one = receive(consumer);
    assertTrue(one.getJMSRedelivered());
    got.add(text(one));
    got.add(text(receive(consumer)));
    assertEquals(new HashSet<>(Arrays.asList("one", "two")), got);
  }

  @Test
  public void interruptionAndResumptionAreTold() throws Exception {
    BrokerUnderTest.assumeThatItCanBeKilled();
    ActiveMQConnection connection = (ActiveMQConnection) started(failover());
    List<String> heard = Collections.synchronizedList(new ArrayList<>());
    CountDownLatch resumed = new CountDownLatch(1);
    connection.addTransportListener(
        new TransportListener() {
          @Override
          public void onCommand(Object command) {}

          @Override
          public void onException(IOException error) {
            heard.add("exception");
          }

          @Override
          public void transportInterupted() {
            heard.add("interrupted");
          }

          @Override
          public void transportResumed() {
            heard.add("resumed");
            resumed.countDown();
          }
        });
    auto(connection);
    BrokerUnderTest.restart();
    await(resumed);
    assertEquals("interrupted", heard.get(0));
    Session session = auto(connection);
    Queue queue = queue(session);
    send(session, queue, "works");
    expect(session.createConsumer(queue), "works");
  }
}
