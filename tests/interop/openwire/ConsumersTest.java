package interop.openwire;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNull;
import static org.junit.Assert.assertTrue;

import interop.jms.BrokerUnderTest;
import java.util.ArrayList;
import java.util.Enumeration;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicReference;
import javax.jms.Connection;
import javax.jms.ConnectionConsumer;
import javax.jms.JMSException;
import javax.jms.Message;
import javax.jms.MessageConsumer;
import javax.jms.MessageProducer;
import javax.jms.Queue;
import javax.jms.QueueBrowser;
import javax.jms.ServerSession;
import javax.jms.ServerSessionPool;
import javax.jms.Session;
import javax.jms.Topic;
import org.apache.activemq.ActiveMQMessageConsumer;
import org.junit.Test;

/** Consumers with every option of the stock client: windows, pull, exclusive, priority, groups. */
public class ConsumersTest extends OpenWireTest {
  @Test
  public void aPullConsumerGetsOneAtATime() throws JMSException {
    Connection connection = started();
    Session session = auto(connection);
    Queue queue = queue(session);
    MessageConsumer pulling =
        session.createConsumer(session.createQueue(name("queue") + "?consumer.prefetchSize=0"));
    assertNull(pulling.receiveNoWait());
    assertNull(pulling.receive(50));
    send(session, queue, "one", "two", "three");
    expect(pulling, "one");
    MessageConsumer other = auto(connection).createConsumer(queue);
    expect(other, "two", "three"); // Nothing is held back by the pull consumer.
    assertNull(pulling.receiveNoWait());
  }

  /** java_broker.py has a policy with queuePrefetch="3" for what begins with `narrow.`. */
  @Test
  public void thePolicysPrefetchIsForWhoNamesNone() throws JMSException {
    Connection connection = started();
    Session session = client(connection);
    String name = "narrow." + name("queue");
    send(auto(connection), session.createQueue(name), numbers(0, 10));
    MessageConsumer consumer = session.createConsumer(session.createQueue(name));
    expect(consumer, "0");
    MessageConsumer other =
        client(connection).createConsumer(session.createQueue(name + "?consumer.prefetchSize=100"));
    expect(other, numbers(3, 10));
    expect(consumer, "1", "2");
  }

  @Test
  public void aPullConsumerWaits() throws Exception {
    Connection connection = started(amq("?jms.prefetchPolicy.all=0"));
    Session session = auto(connection);
    Queue queue = queue(session);
    MessageConsumer consumer = session.createConsumer(queue);
    AtomicReference<String> got = new AtomicReference<>();
    Thread receiver =
        new Thread(
            () -> {
              try {
                got.set(text(consumer.receive()));
              } catch (JMSException error) {
                got.set(error.toString());
              }
            });
    receiver.start();
    until("receive() to wait", () -> receiver.getState() == Thread.State.WAITING);
    send(auto(started()), queue, "at last");
    receiver.join(DEADLINE);
    assertEquals("at last", got.get());
  }

  @Test
  public void aPullConsumerInATransaction() throws JMSException {
    Connection connection = started(amq("?jms.prefetchPolicy.all=0"));
    Session session = transacted(connection);
    Queue queue = queue(session);
    send(auto(connection), queue, "one", "two");
    MessageConsumer consumer = session.createConsumer(queue);
    expect(consumer, "one");
    session.rollback();
    expect(consumer, "one", "two");
    session.commit();
    assertNull(consumer.receiveNoWait());
  }

  @Test
  public void aSlowConsumerWithAWindowOfOneHoldsOneOnly() throws JMSException {
    Connection connection = started();
    Session session = client(connection);
    Queue queue = queue(session);
    MessageConsumer slow =
        session.createConsumer(session.createQueue(name("queue") + "?consumer.prefetchSize=1"));
    send(session, queue, numbers(0, 100));
    Message first = receive(slow);
    // It has the first in its hands and at most the next in its window; the rest is for others.
    MessageConsumer fast = auto(connection).createConsumer(queue);
    Set<String> got = new HashSet<>();
    for (int i = 0; i < 98; i++) {
      got.add(text(receive(fast)));
    }
    assertEquals(98, got.size());
    assertFalse(got.contains(text(first)));
    first.acknowledge();
  }

  @Test
  public void allOptionsOfTheNameAreTaken() throws JMSException {
    Session session = auto(started());
    for (String options :
        new String[] {
          "consumer.prefetchSize=7",
          "consumer.maximumPendingMessageLimit=100",
          "consumer.dispatchAsync=false",
          "consumer.exclusive=true",
          "consumer.priority=10",
          "consumer.retroactive=true",
          "consumer.noLocal=false",
          "consumer.selector=n%20is%20null",
        }) {
      Queue queue = session.createQueue(name("queue") + options.length());
      MessageConsumer consumer =
          session.createConsumer(
              session.createQueue(name("queue") + options.length() + "?" + options));
      send(session, queue, options);
      expect(consumer, options);
      Topic topic = session.createTopic(name("topic") + options.length());
      MessageConsumer ofTopic =
          session.createConsumer(
              session.createTopic(name("topic") + options.length() + "?" + options));
      send(session, topic, options);
      expect(ofTopic, options);
    }
  }

  @Test
  public void anExclusiveConsumerGetsAllAndTheNextTakesOver() throws JMSException {
    Connection connection = started();
    Session session = auto(connection);
    Queue queue = queue(session);
    Queue exclusive = session.createQueue(name("queue") + "?consumer.exclusive=true");
    Session ofFirst = auto(connection);
    MessageConsumer plain = auto(connection).createConsumer(queue);
    MessageConsumer first = ofFirst.createConsumer(exclusive);
    MessageConsumer second = auto(connection).createConsumer(exclusive);
    send(session, queue, numbers(0, 20));
    expect(first, numbers(0, 20));
    first.close();
    settle(connection);
    send(session, queue, numbers(20, 40));
    expect(second, numbers(20, 40));
    second.close();
    settle(connection);
    send(session, queue, "to the one that is left");
    expect(plain, "to the one that is left");
  }

  @Test
  public void theConsumerOfHigherPriorityIsServedFirst() throws JMSException {
    Connection connection = started();
    Session session = auto(connection);
    Queue queue = queue(session);
    MessageConsumer low =
        session.createConsumer(session.createQueue(name("queue") + "?consumer.priority=-1"));
    MessageConsumer high =
        auto(connection)
            .createConsumer(session.createQueue(name("queue") + "?consumer.priority=5"));
    send(session, queue, numbers(0, 50));
    expect(high, numbers(0, 50));
    assertNull(low.receiveNoWait());
    high.close();
    settle(connection);
    send(session, queue, "to the lower one");
    expect(low, "to the lower one");
  }

  // --- groups ----------------------------------------------------------------------------------

  private void sendGrouped(Session session, Queue queue, String group, int sequence, String text)
      throws JMSException {
    Message message = session.createTextMessage(text);
    message.setStringProperty("JMSXGroupID", group);
    if (sequence != 0) {
      message.setIntProperty("JMSXGroupSeq", sequence);
    }
    session.createProducer(queue).send(message);
  }

  @Test
  public void aGroupStaysWithItsConsumer() throws JMSException {
    Connection connection = started();
    Session session = auto(connection);
    Queue queue = queue(session);
    MessageConsumer[] consumers = {
      auto(connection).createConsumer(queue), auto(connection).createConsumer(queue)
    };
    for (int i = 0; i < 40; i++) {
      sendGrouped(session, queue, "group" + i % 4, 0, "" + i);
    }
    List<Set<String>> groups = new ArrayList<>();
    int count = 0;
    Set<String> first = new HashSet<>();
    for (MessageConsumer consumer : consumers) {
      groups.add(new HashSet<>());
    }
    while (count < 40) {
      for (int k = 0; k < 2; k++) {
        Message message = consumers[k].receive(10);
        if (message != null) {
          String group = message.getStringProperty("JMSXGroupID");
          groups.get(k).add(group);
          assertEquals(first.add(group), message.getBooleanProperty("JMSXGroupFirstForConsumer"));
          count++;
        }
      }
    }
    assertEquals(4, groups.get(0).size() + groups.get(1).size()); // None is with both.
    assertEquals(2, groups.get(0).size());
  }

  @Test
  public void aGroupGoesToAnotherWhenItsConsumerLeaves() throws JMSException {
    Connection connection = started();
    Session session = auto(connection);
    Queue queue = queue(session);
    Session ofFirst = auto(connection);
    MessageConsumer first = ofFirst.createConsumer(queue);
    sendGrouped(session, queue, "group", 0, "one");
    expect(first, "one");
    MessageConsumer second = auto(connection).createConsumer(queue);
    sendGrouped(session, queue, "group", 0, "two");
    expect(first, "two");
    ofFirst.close();
    settle(connection);
    sendGrouped(session, queue, "group", 0, "three");
    Message three = receive(second);
    assertEquals("three", text(three));
    assertTrue(three.getBooleanProperty("JMSXGroupFirstForConsumer"));
  }

  @Test
  public void aClosedGroupBeginsAnew() throws JMSException {
    Connection connection = started();
    Session session = auto(connection);
    Queue queue = queue(session);
    MessageConsumer consumer = session.createConsumer(queue);
    sendGrouped(session, queue, "group", 1, "one");
    sendGrouped(session, queue, "group", -1, "last");
    sendGrouped(session, queue, "group", 1, "first again");
    assertTrue(receive(consumer).getBooleanProperty("JMSXGroupFirstForConsumer"));
    assertFalse(receive(consumer).getBooleanProperty("JMSXGroupFirstForConsumer"));
    assertTrue(receive(consumer).getBooleanProperty("JMSXGroupFirstForConsumer"));
  }

  // --- browsers --------------------------------------------------------------------------------

  @Test
  public void browsersInEveryModeTakeNothing() throws JMSException {
    Connection connection = started(amq("?jms.prefetchPolicy.queueBrowserPrefetch=2"));
    Queue queue = queue(auto(connection));
    send(auto(connection), queue, numbers(0, 30));
    for (int mode : new int[] {Session.SESSION_TRANSACTED, Session.AUTO_ACKNOWLEDGE,
        Session.CLIENT_ACKNOWLEDGE, Session.DUPS_OK_ACKNOWLEDGE, 4}) {
      Session session = connection.createSession(mode == Session.SESSION_TRANSACTED, mode);
      QueueBrowser browser = session.createBrowser(queue);
      List<String> seen = new ArrayList<>();
      for (Enumeration<?> e = browser.getEnumeration(); e.hasMoreElements(); ) {
        seen.add(text((Message) e.nextElement()));
      }
      assertEquals("mode " + mode, list(numbers(0, 30)), seen);
      browser.close();
      if (mode == Session.SESSION_TRANSACTED) {
        session.commit();
      }
      session.close();
    }
    settle(connection);
    assertEquals(list(numbers(0, 30)), drain(queue));
  }

  @Test
  public void aBrowserThatIsLeftEarly() throws JMSException {
    Connection connection = started(amq("?jms.prefetchPolicy.queueBrowserPrefetch=2"));
    Session session = auto(connection);
    Queue queue = queue(session);
    send(session, queue, numbers(0, 30));
    QueueBrowser browser = session.createBrowser(queue);
    assertEquals("0", text((Message) browser.getEnumeration().nextElement()));
    browser.close();
    settle(connection);
    assertEquals(list(numbers(0, 30)), drain(queue));
  }

  // --- others ----------------------------------------------------------------------------------

  @Test
  public void aConnectionConsumerFeedsItsPool() throws Exception {
    // JMS 1.1 §8.2, optional: what application servers use.
    Connection connection = started();
    Session pooled = auto(connection);
    CountDownLatch five = new CountDownLatch(5);
    pooled.setMessageListener(message -> five.countDown());
    ServerSession serverSession =
        new ServerSession() {
          @Override
          public Session getSession() {
            return pooled;
          }

          @Override
          public void start() {
            pooled.run();
          }
        };
    ServerSessionPool pool = () -> serverSession;
    Session session = auto(connection);
    Queue queue = queue(session);
    ConnectionConsumer consumer = connection.createConnectionConsumer(queue, null, pool, 5);
    assertEquals(pool, consumer.getServerSessionPool());
    send(session, queue, numbers(0, 5));
    await(five);
    consumer.close();
  }

  @Test
  public void aListenerThatIsTakenAway() throws Exception {
    Connection connection = started();
    Session session = auto(connection);
    Queue queue = queue(session);
    MessageConsumer consumer = session.createConsumer(queue);
    CountDownLatch one = new CountDownLatch(1);
    consumer.setMessageListener(message -> one.countDown());
    Session other = auto(started());
    send(other, queue, "one");
    await(one);
    consumer.setMessageListener(null);
    send(other, queue, "two");
    expect(consumer, "two");
  }

  @Test
  public void aTopicConsumerBehindItsWindowLosesNothing() throws JMSException {
    Connection connection = started();
    Session session = auto(connection);
    Topic topic = topic(session);
    MessageConsumer consumer =
        session.createConsumer(session.createTopic(name("topic") + "?consumer.prefetchSize=5"));
    send(session, topic, numbers(0, 200));
    expect(consumer, numbers(0, 200));
  }

  @Test
  public void theWindowOfAClosedConsumerGoesBack() throws Exception {
    Connection connection = started();
    Session session = auto(connection);
    Queue queue = queue(session);
    MessageConsumer holding = session.createConsumer(queue);
    send(session, queue, numbers(0, 100));
    until("its window to fill", () -> ((ActiveMQMessageConsumer) holding).getMessageSize() == 100);
    holding.close();
    settle(connection);
    assertEquals(list(numbers(0, 100)), drain(queue));
  }

  @Test
  public void aTopicConsumersOwnLimitOfWhatWaits() throws JMSException {
    // ActiveMQ looks at it only where its policy has a limit of its own.
    BrokerUnderTest.assumeNotActiveMq("maximumPendingMessageLimit alone has no effect");
    Session session = client(started());
    Topic topic = session.createTopic(
        name("topic") + "?consumer.prefetchSize=1&consumer.maximumPendingMessageLimit=2");
    MessageConsumer consumer = session.createConsumer(topic);
    Session sending = auto(started());
    send(sending, topic(sending), numbers(0, 10));
    for (String text : new String[] {"0", "8", "9"}) {
      Message message = receive(consumer);
      assertEquals(text, text(message));
      message.acknowledge();
    }
    expectNothingMore(sending, topic(sending), consumer);
  }

  @Test
  public void unmatchedProducerAndConsumerLifeCycles() throws JMSException {
    Connection connection = started();
    Session session = auto(connection);
    Queue queue = queue(session);
    MessageProducer producer = session.createProducer(queue);
    MessageConsumer consumer = session.createConsumer(queue);
    producer.send(session.createTextMessage("one"));
    expect(consumer, "one");
    consumer.close();
    producer.send(session.createTextMessage("two"));
    producer.close();
    expect(session.createConsumer(queue), "two");
  }
}
