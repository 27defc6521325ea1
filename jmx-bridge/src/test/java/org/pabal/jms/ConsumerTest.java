package org.pabal.jms;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNotEquals;
import static org.junit.Assert.assertNotNull;
import static org.junit.Assert.assertNull;
import static org.junit.Assert.assertThrows;
import static org.junit.Assert.assertTrue;

import java.util.ArrayList;
import java.util.Enumeration;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import javax.jms.DeliveryMode;
import javax.jms.InvalidDestinationException;
import javax.jms.InvalidSelectorException;
import javax.jms.JMSException;
import javax.jms.Message;
import javax.jms.MessageConsumer;
import javax.jms.Queue;
import javax.jms.QueueBrowser;
import javax.jms.QueueRequestor;
import javax.jms.QueueSession;
import javax.jms.Session;
import javax.jms.TemporaryQueue;
import javax.jms.TextMessage;
import javax.jms.Topic;
import javax.jms.TopicRequestor;
import javax.jms.TopicSession;
import javax.jms.TopicSubscriber;
import org.junit.Test;

/** JMS 1.1 §4 to §6: connections, consumers, browsers, durable subscribers, temporary destinations. */
public class ConsumerTest extends BrokerTest {
  private static TextMessage with(Session session, String text, Object property)
      throws JMSException {
    TextMessage message = session.createTextMessage(text);
    message.setObjectProperty("p", property);
    return message;
  }

  @Test
  public void selectors() throws Exception {
    PabalSession session = auto(started());
    var producer = session.createProducer(queue());
    producer.send(with(session, "five", 5));
    producer.send(with(session, "true", true));
    producer.send(with(session, "seoul", "Seoul"));
    producer.send(with(session, "half", 0.5));
    for (String[] each : new String[][] {
        {"p > 4", "five"}, {"p = TRUE", "true"}, {"p LIKE 'Se%'", "seoul"},
        {"p BETWEEN 0.4 AND 0.6", "half"}}) {
      MessageConsumer consumer = session.createConsumer(queue(), each[0]);
      assertEquals(each[0], consumer.getMessageSelector());
      assertEquals(each[1], receiveText(consumer));
      consumer.close();
    }
    assertEquals(List.of(), rest(queue()));
    assertThrows(InvalidSelectorException.class,
        () -> session.createConsumer(queue(), "this is no selector"));
    assertThrows(InvalidSelectorException.class, () -> session.createBrowser(queue(), "nor this"));
    assertNull(session.createConsumer(queue(), "").getMessageSelector());
  }

  @Test
  public void selectorsOnHeadersAndOperators() throws Exception {
    PabalSession session = auto(started());
    var producer = session.createProducer(queue());
    for (String condition : List.of("JMSPriority = 7", "JMSCorrelationID = 'order''s'",
        "JMSType IN ('slip', 'bill')", "JMSDeliveryMode = 'PERSISTENT' AND p IS NOT NULL",
        "p * 2 + 1 >= 11 AND NOT (p > 5)", "text LIKE '5!%%' ESCAPE '!'", "missing IS NULL",
        "flag = TRUE AND p <> 6", "JMSTimestamp > 0", "p NOT BETWEEN 6 AND 9")) {
      if (condition.contains(" * ") && !TestBroker.isPabal()) {
        continue;  // ActiveMQ does not calculate with the texts of STOMP's headers
      }
      TextMessage message = with(session, condition, 5);
      message.setStringProperty("text", "5% more");
      message.setBooleanProperty("flag", true);
      message.setJMSCorrelationID("order's");
      message.setJMSType("slip");
      producer.send(message, DeliveryMode.PERSISTENT, 7, 0);
      MessageConsumer not = session.createConsumer(queue(), "NOT (" + condition + ")");
      MessageConsumer consumer = session.createConsumer(queue(), condition);
      Message found = consumer.receive(WAIT);
      assertNotNull(condition, found);
      assertEquals(condition, ((TextMessage) found).getText());
      assertNull(not.receiveNoWait());
      consumer.close();
      not.close();
    }
  }

  @Test
  public void deliveriesAreCountedAcrossConnections() throws Exception {
    send(queue(), "poor");
    for (int count = 1; count <= 3; ++count) {
      PabalConnection connection = started();
      Session session = connection.createSession(false, Session.CLIENT_ACKNOWLEDGE);
      Message message = receive(session.createConsumer(queue()));
      assertEquals(count > 1, message.getJMSRedelivered());
      // ActiveMQ does not tell STOMP clients how often.
      assertEquals(TestBroker.isPabal() ? count : Math.min(count, 2),
          message.getIntProperty("JMSXDeliveryCount"));
      connection.close();
    }
  }

  @Test
  public void nothingIsDeliveredBeforeStartNorAfterStop() throws Exception {
    send(queue(), "1", "2");
    PabalConnection connection = connect();
    PabalSession session = auto(connection);
    MessageConsumer consumer = session.createConsumer(queue());
    assertNothing(consumer);
    assertNull(consumer.receiveNoWait());
    connection.start();
    assertEquals("1", receiveText(consumer));
    connection.stop();
    assertNothing(consumer);
    connection.start();
    assertEquals("2", receiveText(consumer));
  }

  @Test
  public void stopWaitsForTheListener() throws Exception {
    send(queue(), "1", "2");
    PabalConnection connection = started();
    CountDownLatch entered = new CountDownLatch(1);
    List<String> events = new CopyOnWriteArrayList<>();
    CountDownLatch leave = new CountDownLatch(1);
    auto(connection).createConsumer(queue()).setMessageListener(message -> {
      entered.countDown();
      try {
        leave.await(WAIT, TimeUnit.MILLISECONDS);
      } catch (InterruptedException e) {
        throw new AssertionError(e);
      }
      events.add("returned");
    });
    assertTrue(entered.await(WAIT, TimeUnit.MILLISECONDS));
    Thread stopper = new Thread(() -> {
      try {
        connection.stop();
      } catch (JMSException e) {
        throw new AssertionError(e);
      }
      events.add("stopped");
    });
    stopper.start();
    await("stopping", () -> !connection.isStarted());
    leave.countDown();
    stopper.join(WAIT);
    assertEquals(List.of("returned", "stopped"), events);
    connection.start();
    await("the second message", () -> events.size() == 3);
  }

  @Test
  public void closeEndsAReceiveThatWaits() throws Exception {
    PabalSession session = auto(started());
    MessageConsumer consumer = session.createConsumer(queue());
    AtomicReference<Object> result = new AtomicReference<>("waiting");
    Thread receiver = new Thread(() -> {
      try {
        result.set(consumer.receive());
      } catch (JMSException e) {
        result.set(e);
      }
    });
    receiver.start();
    await("the receiver to wait", () -> receiver.getState() == Thread.State.WAITING
        || receiver.getState() == Thread.State.TIMED_WAITING);
    consumer.close();
    receiver.join(WAIT);
    assertNull(result.get());
    assertThrows(javax.jms.IllegalStateException.class, consumer::receive);
    consumer.close();
  }

  @Test
  public void listenersOfOneSessionShareOneThread() throws Exception {
    PabalSession session = auto(started());
    Set<Thread> threads = ConcurrentHashMap.newKeySet();
    CountDownLatch all = new CountDownLatch(20);
    for (String part : List.of(".a", ".b")) {
      session.createConsumer(new PabalQueue(name() + part)).setMessageListener(message -> {
        threads.add(Thread.currentThread());
        all.countDown();
      });
    }
    for (int i = 0; i < 10; ++i) {
      send(new PabalQueue(name() + ".a"), "x");
      send(new PabalQueue(name() + ".b"), "x");
    }
    assertTrue(all.await(WAIT, TimeUnit.MILLISECONDS));
    assertEquals(1, threads.size());
  }

  @Test
  public void receiveOfAConsumerWithAListenerFails() throws Exception {
    MessageConsumer consumer = auto(started()).createConsumer(queue());
    consumer.setMessageListener(message -> { });
    assertThrows(javax.jms.IllegalStateException.class, consumer::receiveNoWait);
    consumer.setMessageListener(null);
    assertNull(consumer.getMessageListener());
    assertNull(consumer.receiveNoWait());
  }

  @Test
  public void expiredMessagesAreNotDelivered() throws Exception {
    PabalSession session = auto(started());
    MessageConsumer consumer = session.createConsumer(queue());
    session.createProducer(queue())
        .send(session.createTextMessage("late"), DeliveryMode.PERSISTENT, 4, 1);
    Thread.sleep(5);  // its time to live, and some
    send(session, queue(), "in time");
    assertEquals("in time", receiveText(consumer));
  }

  @Test
  public void priorityGoesFirst() throws Exception {
    PabalSession session = auto(started());
    var producer = session.createProducer(queue());
    producer.send(session.createTextMessage("low"), DeliveryMode.PERSISTENT, 1, 0);
    producer.send(session.createTextMessage("high"), DeliveryMode.PERSISTENT, 8, 0);
    org.junit.Assume.assumeTrue("ActiveMQ does not order by default", TestBroker.isPabal());
    assertEquals(List.of("high", "low"), rest(queue()));
  }

  @Test
  public void topicsDeliverToAllWhoListen() throws Exception {
    PabalSession session = auto(started());
    MessageConsumer first = session.createConsumer(topic());
    MessageConsumer second = auto(started()).createConsumer(topic());
    MessageConsumer all = session.createConsumer(new PabalTopic(getClass().getSimpleName() + ".>"));
    send(topic(), "news");
    for (MessageConsumer each : List.of(first, second, all)) {
      Message message = receive(each);
      assertEquals("news", ((TextMessage) message).getText());
      assertEquals(topic(), message.getJMSDestination());
    }
  }

  @Test
  public void noLocalHidesWhatTheConnectionSent() throws Exception {
    PabalConnection connection = started();
    PabalSession session = auto(connection);
    TopicSubscriber subscriber = (TopicSubscriber) session.createConsumer(topic(), null, true);
    assertTrue(subscriber.getNoLocal());
    send(session, topic(), "own");
    send(topic(), "another's");
    assertEquals("another's", receiveText(subscriber));
    assertNothing(subscriber);
  }

  @Test
  public void durableSubscribersGetWhatTheyMissed() throws Exception {
    PabalConnection connection = connect();
    connection.setClientID(name());
    assertEquals(name(), connection.getClientID());
    connection.start();
    PabalSession session = auto(connection);
    TopicSubscriber subscriber = session.createDurableSubscriber(topic(), "archive");
    assertEquals(topic(), subscriber.getTopic());
    send(topic(), "1");
    assertEquals("1", receiveText(subscriber));
    assertThrows(JMSException.class, () -> session.unsubscribe("archive"));
    connection.close();
    send(topic(), "2", "3");

    PabalConnection again = started(TestBroker.url() + "?jms.clientID=" + name());
    PabalSession next = auto(again);
    subscriber = next.createDurableSubscriber(topic(), "archive");
    assertEquals("2", receiveText(subscriber));
    assertEquals("3", receiveText(subscriber));
    subscriber.close();
    send(topic(), "4");
    next.unsubscribe("archive");
    assertThrows(InvalidDestinationException.class, () -> next.unsubscribe("archive"));
    assertNothing(next.createDurableSubscriber(topic(), "archive"));
  }

  @Test
  public void anotherSelectorMakesTheDurableSubscriptionAnew() throws Exception {
    PabalSession session = auto(started(TestBroker.url() + "?jms.clientID=" + name()));
    session.createDurableSubscriber(topic(), "s", "p = 1", false).close();
    send(topic(), "lost with the old one");
    TopicSubscriber subscriber = session.createDurableSubscriber(topic(), "s", "p = 2", false);
    session.createProducer(topic()).send(with(session, "wanted", 2));
    assertEquals("wanted", receiveText(subscriber));
  }

  @Test
  public void clientIds() throws Exception {
    PabalConnection connection = connect();
    connection.setClientID(name());
    assertThrows(javax.jms.IllegalStateException.class, () -> connection.setClientID("b"));
    PabalConnection second = connect();
    assertThrows(javax.jms.InvalidClientIDException.class, () -> second.setClientID(name()));
    assertNull(second.getClientID());
    second.start();
    assertThrows(javax.jms.IllegalStateException.class, () -> second.setClientID("c"));
    assertThrows(javax.jms.IllegalStateException.class,
        () -> auto(second).createDurableSubscriber(topic(), "needs a client id"));
  }

  @Test
  public void browsersSeeAndTakeNothing() throws Exception {
    send(queue(), "1", "2", "3");
    PabalSession session = auto(connect());  // needs no start
    QueueBrowser browser = session.createBrowser(queue());
    assertEquals(queue(), browser.getQueue());
    for (int round = 0; round < 2; ++round) {
      List<String> seen = new ArrayList<>();
      for (Object each : list(browser.getEnumeration())) {
        seen.add(((TextMessage) each).getText());
      }
      assertEquals(List.of("1", "2", "3"), seen);
    }
    Enumeration<?> left = browser.getEnumeration();
    left.nextElement();
    browser.close();
    assertFalse(left.hasMoreElements());
    assertFalse(session.createBrowser(new PabalQueue(name() + ".empty")).getEnumeration()
        .hasMoreElements());
    assertFalse(session.createBrowser(queue(), "p = 1").getEnumeration().hasMoreElements());
    assertEquals(List.of("1", "2", "3"), rest(queue()));
  }

  @Test
  public void queueRequestor() throws Exception {
    answer(queue());
    QueueSession session = started().createQueueSession(false, Session.AUTO_ACKNOWLEDGE);
    QueueRequestor requestor = new QueueRequestor(session, queue());
    for (int i = 0; i < 3; ++i) {
      TextMessage reply = (TextMessage) requestor.request(session.createTextMessage("ask " + i));
      assertEquals("ask " + i + "!", reply.getText());
    }
    requestor.close();
  }

  @Test
  public void topicRequestor() throws Exception {
    answer(topic());
    TopicSession session = started().createTopicSession(false, Session.AUTO_ACKNOWLEDGE);
    TopicRequestor requestor = new TopicRequestor(session, topic());
    TextMessage reply = (TextMessage) requestor.request(session.createTextMessage("ask"));
    assertEquals("ask!", reply.getText());
    requestor.close();
  }

  /** A service of another connection. */
  private void answer(javax.jms.Destination at) throws JMSException {
    PabalSession session = auto(started());
    session.createConsumer(at).setMessageListener(message -> {
      try {
        TextMessage reply = session.createTextMessage(((TextMessage) message).getText() + "!");
        reply.setJMSCorrelationID(message.getJMSMessageID());
        session.createProducer(message.getJMSReplyTo()).send(reply);
      } catch (JMSException e) {
        throw new AssertionError(e);
      }
    });
  }

  @Test
  public void deletedTemporaryQueuesAreGoneForOthersToo() throws Exception {
    org.junit.Assume.assumeTrue("STOMP has no word for it", TestBroker.isPabal());
    PabalSession asking = auto(started());
    TemporaryQueue replies = asking.createTemporaryQueue();
    Message question = asking.createMessage();
    question.setJMSReplyTo(replies);
    asking.createProducer(queue()).send(question);
    PabalSession answering = auto(started());
    var to = receive(answering.createConsumer(queue())).getJMSReplyTo();
    send(answering, to, "one that is never read");
    replies.delete();
    assertThrows(JMSException.class, () -> send(answering, to, "too late"));
    // One that nobody ever used, and one that is used again under another name.
    TemporaryQueue unused = asking.createTemporaryQueue();
    unused.delete();
    unused.delete();
    assertNothing(asking.createConsumer(asking.createTemporaryQueue()));
  }

  @Test
  public void temporaryQueuesBelongToTheirConnection() throws Exception {
    PabalConnection connection = started();
    PabalSession session = auto(connection);
    TemporaryQueue temporary = session.createTemporaryQueue();
    assertNotEquals(temporary, session.createTemporaryQueue());
    MessageConsumer consumer = session.createConsumer(temporary);
    TextMessage request = session.createTextMessage("where to");
    request.setJMSReplyTo(temporary);
    session.createProducer(queue()).send(request);

    PabalSession other = auto(started());
    Message received = receive(other.createConsumer(queue()));
    Queue replyTo = (Queue) received.getJMSReplyTo();
    assertThrows(InvalidDestinationException.class, () -> other.createConsumer(replyTo));
    assertThrows(InvalidDestinationException.class, () -> other.createConsumer(temporary));
    assertThrows(javax.jms.IllegalStateException.class,
        () -> ((TemporaryQueue) replyTo).delete());
    send(other, replyTo, "here");
    TextMessage reply = receive(consumer);
    assertEquals("here", reply.getText());
    assertEquals(temporary, reply.getJMSDestination());

    assertThrows(javax.jms.IllegalStateException.class, temporary::delete);
    consumer.close();
    temporary.delete();
    assertThrows(InvalidDestinationException.class, () -> send(session, temporary, "gone"));
    assertThrows(InvalidDestinationException.class, () -> session.createConsumer(temporary));
  }

  @Test
  public void compositesGoToSeveral() throws Exception {
    PabalSession session = auto(started());
    MessageConsumer news = session.createConsumer(topic());
    send(session, session.createQueue(name() + ".a," + name() + ".b,topic://" + name()), "all");
    assertEquals("all", receiveText(news));
    assertEquals(List.of("all"), rest(new PabalQueue(name() + ".a")));
    assertEquals(List.of("all"), rest(new PabalQueue(name() + ".b")));
  }

  @Test
  public void sessionsOfOneDomainRefuseTheOther() throws Exception {
    PabalConnection connection = started();
    QueueSession queues = connection.createQueueSession(false, Session.AUTO_ACKNOWLEDGE);
    TopicSession topics = connection.createTopicSession(false, Session.AUTO_ACKNOWLEDGE);
    Topic topic = topic();
    assertThrows(javax.jms.IllegalStateException.class, () -> queues.createTopic("t"));
    assertThrows(javax.jms.IllegalStateException.class, queues::createTemporaryTopic);
    assertThrows(javax.jms.IllegalStateException.class,
        () -> queues.createDurableSubscriber(topic, "d"));
    assertThrows(javax.jms.IllegalStateException.class, () -> queues.unsubscribe("d"));
    assertThrows(javax.jms.IllegalStateException.class, () -> topics.createQueue("q"));
    assertThrows(javax.jms.IllegalStateException.class, topics::createTemporaryQueue);
    assertThrows(javax.jms.IllegalStateException.class, () -> topics.createBrowser(queue()));
    queues.createSender(queue()).send(queues.createTextMessage("by the old names"));
    assertEquals("by the old names", receiveText(queues.createReceiver(queue())));
  }

  @Test
  public void closedThingsRefuse() throws Exception {
    PabalConnection connection = started();
    PabalSession session = auto(connection);
    MessageConsumer consumer = session.createConsumer(queue());
    session.close();
    session.close();
    assertThrows(javax.jms.IllegalStateException.class, () -> session.createTextMessage("x"));
    assertThrows(javax.jms.IllegalStateException.class, () -> session.createConsumer(queue()));
    assertThrows(javax.jms.IllegalStateException.class, consumer::receiveNoWait);
    connection.close();
    connection.close();
    assertThrows(javax.jms.IllegalStateException.class, () -> auto(connection));
    assertThrows(javax.jms.IllegalStateException.class, connection::start);
  }

  @Test
  public void metaData() throws Exception {
    var metaData = connect().getMetaData();
    assertEquals("1.1", metaData.getJMSVersion());
    assertEquals("Pabal", metaData.getJMSProviderName());
    List<Object> names = list(metaData.getJMSXPropertyNames());
    assertTrue(names.containsAll(List.of("JMSXGroupID", "JMSXGroupSeq", "JMSXDeliveryCount")));
  }

  @Test
  public void consumersOfOneQueueShareItsMessages() throws Exception {
    PabalConnection connection = started(TestBroker.url() + "?jms.prefetchPolicy.all=1");
    MessageConsumer first = auto(connection).createConsumer(queue());
    MessageConsumer second = auto(connection).createConsumer(queue());
    send(queue(), "1", "2");
    assertEquals(Set.of("1", "2"), Set.of(receiveText(first), receiveText(second)));
  }
}
