package interop.jms;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNotNull;
import static org.junit.Assert.assertNull;
import static org.junit.Assert.assertSame;
import static org.junit.Assert.assertTrue;

import java.util.Collections;
import java.util.Enumeration;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import javax.jms.Connection;
import javax.jms.ConnectionMetaData;
import javax.jms.ExceptionListener;
import javax.jms.IllegalStateException;
import javax.jms.InvalidClientIDException;
import javax.jms.JMSException;
import javax.jms.Message;
import javax.jms.MessageConsumer;
import javax.jms.MessageProducer;
import javax.jms.Queue;
import javax.jms.QueueConnection;
import javax.jms.QueueConnectionFactory;
import javax.jms.QueueSession;
import javax.jms.Session;
import javax.jms.Topic;
import javax.jms.TopicConnection;
import javax.jms.TopicConnectionFactory;
import org.junit.Test;

/** JMS 1.1 §4.3: connections. */
public class ConnectionTest extends JmsTest {
  @Test
  public void clientIdentifierIsWhatWasSet() throws JMSException {
    Connection connection = stopped();
    assertNull(connection.getClientID());
    connection.setClientID(name("client"));
    assertEquals(name("client"), connection.getClientID());
  }

  @Test
  public void clientIdentifierInUseIsRefused() throws JMSException {
    Connection first = identified(name("client"));
    auto(first);
    Connection second = stopped();
    expectThrown(
        InvalidClientIDException.class,
        () -> {
          second.setClientID(name("client"));
          second.start();
        });
  }

  @Test
  public void clientIdentifierIsFreeAfterClose() throws JMSException {
    for (int round = 0; round < 3; round++) {
      Connection connection = identified(name("client"));
      auto(connection);
      connection.close();
    }
  }

  @Test
  public void clientIdentifierCannotBeSetTwiceOrAfterUse() throws JMSException {
    Connection twice = stopped();
    twice.setClientID(name("client"));
    expectThrown(IllegalStateException.class, () -> twice.setClientID(name("other")));
    Connection used = stopped();
    auto(used);
    expectThrown(IllegalStateException.class, () -> used.setClientID(name("other")));
  }

  @Test
  public void connectionIsCreatedStopped() throws JMSException {
    Connection connection = stopped();
    Session session = auto(connection);
    Queue queue = queue(session);
    MessageConsumer consumer = session.createConsumer(queue);
    send(session, queue, "one"); // §4.3.4: a stopped connection still sends.
    assertNull(consumer.receiveNoWait());
    connection.start();
    expect(consumer, "one");
  }

  @Test
  public void stopPausesAndStartResumes() throws JMSException {
    Connection connection = started();
    Session session = auto(connection);
    Queue queue = queue(session);
    MessageConsumer consumer = session.createConsumer(queue);
    send(session, queue, "one");
    expect(consumer, "one");
    connection.stop();
    connection.stop(); // §4.3.4: stopping what is stopped is ignored.
    send(session, queue, "two");
    assertNull(consumer.receiveNoWait());
    connection.start();
    connection.start();
    expect(consumer, "two");
  }

  @Test
  public void stopWaitsForTheListener() throws Exception {
    Connection connection = started();
    Session session = auto(connection);
    Queue queue = queue(session);
    CountDownLatch inside = new CountDownLatch(1);
    CountDownLatch leave = new CountDownLatch(1);
    AtomicBoolean done = new AtomicBoolean();
    session
        .createConsumer(queue)
        .setMessageListener(
            message -> {
              inside.countDown();
              try {
                leave.await();
              } catch (InterruptedException error) {
                return;
              }
              done.set(true);
            });
    Connection other = started();
    send(auto(other), queue, "one");
    await(inside);
    AtomicBoolean doneWhenStopped = new AtomicBoolean();
    AtomicReference<JMSException> failure = new AtomicReference<>();
    Thread stopper =
        new Thread(
            () -> {
              try {
                connection.stop();
              } catch (JMSException error) {
                failure.set(error);
              }
              doneWhenStopped.set(done.get());
            });
    stopper.start();
    until("stop() to wait", () -> stopper.getState() != Thread.State.RUNNABLE || !stopper.isAlive());
    leave.countDown();
    stopper.join(DEADLINE);
    assertNull(failure.get());
    assertTrue("stop() returned before the listener", doneWhenStopped.get());
  }

  @Test
  public void closeEndsABlockedReceive() throws Exception {
    Connection connection = started();
    Session session = auto(connection);
    MessageConsumer consumer = session.createConsumer(queue(session));
    AtomicReference<Object> result = new AtomicReference<>("still waiting");
    Thread receiver =
        new Thread(
            () -> {
              try {
                result.set(String.valueOf(consumer.receive()));
              } catch (JMSException error) {
                result.set(error);
              }
            });
    receiver.start();
    until("receive() to wait", () -> receiver.getState() == Thread.State.WAITING);
    connection.close();
    receiver.join(DEADLINE);
    assertEquals("null", result.get());
  }

  @Test
  public void closeIsIdempotentAndEndsEverything() throws JMSException {
    Connection connection = started();
    Session session = auto(connection);
    Queue queue = queue(session);
    MessageConsumer consumer = session.createConsumer(queue);
    MessageProducer producer = session.createProducer(queue);
    Message message = session.createTextMessage("text");
    connection.close();
    connection.close();
    expectThrown(IllegalStateException.class, () -> auto(connection));
    expectThrown(IllegalStateException.class, connection::start);
    expectThrown(IllegalStateException.class, connection::stop);
    expectThrown(IllegalStateException.class, connection::getMetaData);
    expectThrown(IllegalStateException.class, session::createTextMessage);
    expectThrown(IllegalStateException.class, consumer::receiveNoWait);
    expectThrown(IllegalStateException.class, () -> producer.send(message));
    session.close();
    consumer.close();
    producer.close();
  }

  @Test
  public void messagesOfAClosedConnectionCanBeUsed() throws JMSException {
    Connection connection = started();
    Session session = auto(connection);
    Queue queue = queue(session);
    send(session, queue, "kept");
    Message message = receive(session.createConsumer(queue));
    connection.close();
    assertEquals("kept", text(message)); // §4.3.5
    assertEquals(queue, message.getJMSDestination());
  }

  @Test
  public void closeGivesBackWhatWasNotAcknowledged() throws JMSException {
    Connection connection = started();
    Session session = client(connection);
    Queue queue = queue(session);
    send(session, queue, "one", "two");
    Message first = receive(session.createConsumer(queue));
    connection.close();
    expectThrown(IllegalStateException.class, first::acknowledge);
    Connection next = started();
    MessageConsumer consumer = auto(next).createConsumer(queue);
    Message again = receive(consumer);
    assertEquals("one", text(again));
    assertTrue(again.getJMSRedelivered());
    Message two = receive(consumer);
    assertEquals("two", text(two));
    assertFalse(two.getJMSRedelivered()); // It was prefetched, not delivered (§3.4.7).
  }

  @Test
  public void metaDataSaysJms() throws JMSException {
    ConnectionMetaData data = stopped().getMetaData();
    assertTrue(data.getJMSMajorVersion() >= 1);
    assertTrue(data.getJMSMinorVersion() >= 0);
    assertTrue(
        data.getJMSVersion().startsWith(data.getJMSMajorVersion() + "." + data.getJMSMinorVersion()));
    assertNotNull(data.getJMSProviderName());
    assertNotNull(data.getProviderVersion());
    assertTrue(data.getProviderMajorVersion() >= 0);
    assertTrue(data.getProviderMinorVersion() >= 0);
  }

  @Test
  public void metaDataListsTheGroupProperties() throws JMSException {
    Enumeration<?> names = stopped().getMetaData().getJMSXPropertyNames();
    List<?> list = Collections.list(names);
    assertTrue(list.toString(), list.contains("JMSXGroupID")); // §3.5.9: to be supported by all.
    assertTrue(list.toString(), list.contains("JMSXGroupSeq"));
  }

  @Test
  public void exceptionListenerIsKept() throws JMSException {
    Connection connection = stopped();
    assertNull(connection.getExceptionListener());
    ExceptionListener listener = error -> {};
    connection.setExceptionListener(listener);
    assertSame(listener, connection.getExceptionListener());
  }

  @Test
  public void exceptionListenerHearsOfALostBroker() throws Exception {
    BrokerUnderTest.assumeThatItCanBeKilled();
    Connection connection = started();
    CountDownLatch heard = new CountDownLatch(1);
    connection.setExceptionListener(error -> heard.countDown());
    auto(connection);
    BrokerUnderTest.kill();
    try {
      await(heard);
    } finally {
      BrokerUnderTest.start();
    }
  }

  @Test
  public void oneConnectionHasManySessionsThatDoNotDisturbEachOther() throws JMSException {
    Connection connection = started();
    Session producing = auto(connection);
    Session consuming = transacted(connection);
    Queue queue = queue(producing);
    MessageConsumer consumer = consuming.createConsumer(queue);
    send(producing, queue, "one", "two");
    producing.close();
    expect(consumer, "one", "two");
    consuming.commit();
    consuming.close();
    assertEquals(Collections.emptyList(), drain(queue));
  }

  @Test
  public void domainSpecificConnectionsWork() throws JMSException {
    QueueConnection queues =
        ((QueueConnectionFactory) BrokerUnderTest.factory()).createQueueConnection();
    try {
      queues.start();
      QueueSession session = queues.createQueueSession(false, Session.AUTO_ACKNOWLEDGE);
      Queue queue = session.createQueue(name("queue"));
      session.createSender(queue).send(session.createTextMessage("point to point"));
      expect(session.createReceiver(queue), "point to point");
    } finally {
      queues.close();
    }
    TopicConnection topics =
        ((TopicConnectionFactory) BrokerUnderTest.factory()).createTopicConnection();
    try {
      topics.start();
      javax.jms.TopicSession session = topics.createTopicSession(false, Session.AUTO_ACKNOWLEDGE);
      Topic topic = session.createTopic(name("topic"));
      MessageConsumer subscriber = session.createSubscriber(topic);
      session.createPublisher(topic).publish(session.createTextMessage("publish"));
      expect(subscriber, "publish");
    } finally {
      topics.close();
    }
  }

  @Test
  public void domainSpecificSessionsRefuseTheOtherDomain() throws JMSException {
    // §4.11, table: methods that throw IllegalStateException.
    QueueConnection queues =
        ((QueueConnectionFactory) BrokerUnderTest.factory()).createQueueConnection();
    try {
      QueueSession session = queues.createQueueSession(false, Session.AUTO_ACKNOWLEDGE);
      expectThrown(IllegalStateException.class, () -> session.createTopic(name("topic")));
      expectThrown(IllegalStateException.class, session::createTemporaryTopic);
      expectThrown(IllegalStateException.class, () -> session.unsubscribe(name("durable")));
      expectThrown(
          IllegalStateException.class, () -> session.createDurableSubscriber(null, "durable"));
    } finally {
      queues.close();
    }
    TopicConnection topics =
        ((TopicConnectionFactory) BrokerUnderTest.factory()).createTopicConnection();
    try {
      javax.jms.TopicSession session = topics.createTopicSession(false, Session.AUTO_ACKNOWLEDGE);
      expectThrown(IllegalStateException.class, () -> session.createQueue(name("queue")));
      expectThrown(IllegalStateException.class, session::createTemporaryQueue);
      expectThrown(IllegalStateException.class, () -> session.createBrowser(null));
    } finally {
      topics.close();
    }
  }

  @Test
  public void connectionsAreMadeFromManyThreadsAtOnce() throws Exception {
    int threads = 16;
    CountDownLatch done = new CountDownLatch(threads);
    AtomicInteger failures = new AtomicInteger();
    for (int i = 0; i < threads; i++) {
      int number = i;
      new Thread(
              () -> {
                try {
                  Connection connection = BrokerUnderTest.factory().createConnection();
                  connection.start();
                  Session session = auto(connection);
                  Queue queue = session.createQueue(name("queue" + number));
                  send(session, queue, "mine");
                  expect(session.createConsumer(queue), "mine");
                  connection.close();
                } catch (JMSException | AssertionError error) {
                  failures.incrementAndGet();
                } finally {
                  done.countDown();
                }
              })
          .start();
    }
    await(done);
    assertEquals(0, failures.get());
  }

  @Test
  public void connectingToNobodyThrows() {
    // Port 1 of the loopback: nobody listens. Some clients connect at once, others when they start.
    String dead = BrokerUnderTest.url().replaceAll(":\\d+", ":1");
    expectThrown(
        JMSException.class, () -> stopped(BrokerUnderTest.factory(dead)).start());
  }
}
