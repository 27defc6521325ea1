package interop.jms;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNull;
import static org.junit.Assert.assertTrue;

import javax.jms.Connection;
import javax.jms.DeliveryMode;
import javax.jms.InvalidDestinationException;
import javax.jms.InvalidSelectorException;
import javax.jms.JMSException;
import javax.jms.Message;
import javax.jms.MessageConsumer;
import javax.jms.MessageProducer;
import javax.jms.Queue;
import javax.jms.Session;
import javax.jms.TemporaryTopic;
import javax.jms.Topic;
import javax.jms.TopicConnection;
import javax.jms.TopicConnectionFactory;
import javax.jms.TopicPublisher;
import javax.jms.TopicRequestor;
import javax.jms.TopicSession;
import javax.jms.TopicSubscriber;
import org.junit.Test;

/** JMS 1.1 §6: publish and subscribe. */
public class TopicsTest extends JmsTest {
  private Connection subscribed() throws JMSException {
    return identified(name("client"));
  }

  private TopicSubscriber durable(Session session) throws JMSException {
    return session.createDurableSubscriber(topic(session), name("durable"));
  }

  @Test
  public void aDurableSubscriptionKeepsWhatComesMeanwhile() throws JMSException {
    Connection connection = subscribed();
    Session session = auto(connection);
    durable(session);
    connection.close();
    Session other = auto(started());
    send(other, topic(other), "one", "two");
    connection = subscribed();
    session = auto(connection);
    TopicSubscriber subscriber = durable(session);
    expect(subscriber, "one", "two");
    expectNothingMore(session, topic(session), subscriber);
  }

  @Test
  public void aDurableSubscriptionKeepsNonPersistentMessagesToo() throws JMSException {
    Connection connection = subscribed();
    durable(auto(connection));
    connection.close();
    Session other = auto(started());
    MessageProducer producer = other.createProducer(topic(other));
    producer.setDeliveryMode(DeliveryMode.NON_PERSISTENT);
    producer.send(other.createTextMessage("one"));
    connection = subscribed();
    expect(durable(auto(connection)), "one");
  }

  @Test
  public void aDurableSubscriptionSurvivesTheBroker() throws JMSException {
    BrokerUnderTest.assumeThatItCanBeKilled();
    Connection connection = subscribed();
    durable(auto(connection));
    connection.close();
    Session other = auto(started());
    send(other, topic(other), "one");
    BrokerUnderTest.restart();
    Session after = auto(started());
    send(after, topic(after), "two");
    connection = subscribed();
    expect(durable(auto(connection)), "one", "two");
  }

  @Test
  public void acknowledgedMessagesOfASubscriptionDoNotComeAgain() throws JMSException {
    Connection connection = subscribed();
    Session session = auto(connection);
    TopicSubscriber subscriber = durable(session);
    send(session, topic(session), "one", "two");
    expect(subscriber, "one");
    connection.close();
    connection = subscribed();
    session = auto(connection);
    subscriber = durable(session);
    expect(subscriber, "two");
    expectNothingMore(session, topic(session), subscriber);
  }

  @Test
  public void unacknowledgedMessagesOfASubscriptionComeAgainMarked() throws JMSException {
    Connection connection = subscribed();
    Session session = client(connection);
    TopicSubscriber subscriber = durable(session);
    send(session, topic(session), "one");
    expect(subscriber, "one");
    connection.close();
    Message again = receive(durable(auto(subscribed())));
    assertEquals("one", text(again));
    assertTrue(again.getJMSRedelivered());
  }

  @Test
  public void aSubscriptionHasOneSubscriberAtATime() throws JMSException {
    Connection connection = subscribed();
    Session session = auto(connection);
    TopicSubscriber subscriber = durable(session);
    expectThrown(JMSException.class, () -> durable(auto(connection)));
    subscriber.close();
    durable(session);
  }

  @Test
  public void aChangedSelectorBeginsANewSubscription() throws JMSException {
    Connection connection = subscribed();
    Session session = auto(connection);
    Topic topic = topic(session);
    session.createDurableSubscriber(topic, name("durable"), "n = 1", false).close();
    publish(session, topic, "one", 1);
    publish(session, topic, "two", 2);
    TopicSubscriber subscriber =
        session.createDurableSubscriber(topic, name("durable"), "n = 2", false);
    assertEquals("n = 2", subscriber.getMessageSelector());
    publish(session, topic, "three", 1);
    publish(session, topic, "four", 2);
    expect(subscriber, "four"); // §6.11.1: as if unsubscribed, and subscribed anew.
  }

  @Test
  public void aChangedTopicBeginsANewSubscription() throws JMSException {
    Connection connection = subscribed();
    Session session = auto(connection);
    Topic first = session.createTopic(name("first"));
    Topic second = session.createTopic(name("second"));
    session.createDurableSubscriber(first, name("durable")).close();
    send(session, first, "of first");
    TopicSubscriber subscriber = session.createDurableSubscriber(second, name("durable"));
    send(session, first, "of first, later");
    send(session, second, "of second");
    expect(subscriber, "of second");
  }

  private static void publish(Session session, Topic topic, String text, int n)
      throws JMSException {
    Message message = session.createTextMessage(text);
    message.setIntProperty("n", n);
    MessageProducer producer = session.createProducer(topic);
    producer.send(message);
    producer.close();
  }

  @Test
  public void aDurableSubscriberWithSelectorWhileAway() throws JMSException {
    Connection connection = subscribed();
    Session session = auto(connection);
    Topic topic = topic(session);
    session.createDurableSubscriber(topic, name("durable"), "n > 1", false).close();
    for (int i = 0; i < 4; i++) {
      publish(session, topic, "" + i, i);
    }
    expect(session.createDurableSubscriber(topic, name("durable"), "n > 1", false), "2", "3");
  }

  @Test
  public void aDurableSubscriberWithNoLocal() throws JMSException {
    Connection connection = subscribed();
    Session session = auto(connection);
    TopicSubscriber subscriber =
        session.createDurableSubscriber(topic(session), name("durable"), null, true);
    assertTrue(subscriber.getNoLocal());
    send(session, topic(session), "mine");
    Session other = auto(started());
    send(other, topic(other), "theirs");
    expect(subscriber, "theirs");
  }

  @Test
  public void unsubscribeForgets() throws JMSException {
    Connection connection = subscribed();
    Session session = auto(connection);
    TopicSubscriber subscriber = durable(session);
    expectThrown(JMSException.class, () -> session.unsubscribe(name("durable"))); // in use
    subscriber.close();
    send(session, topic(session), "forgotten");
    session.unsubscribe(name("durable"));
    subscriber = durable(session);
    expectNothingMore(session, topic(session), subscriber);
    subscriber.close();
    session.unsubscribe(name("durable"));
  }

  @Test
  public void unsubscribeOfNothingIsRefused() throws JMSException {
    Session session = auto(subscribed());
    expectThrown(
        InvalidDestinationException.class, () -> session.unsubscribe(name("never there")));
  }

  @Test
  public void subscriptionsOfTwoClientsAreApart() throws JMSException {
    Connection first = identified(name("first"));
    Connection second = identified(name("second"));
    TopicSubscriber ofFirst = durable(auto(first));
    TopicSubscriber ofSecond = durable(auto(second));
    Session other = auto(started());
    send(other, topic(other), "one");
    expect(ofFirst, "one");
    expect(ofSecond, "one");
  }

  @Test
  public void aTransactedDurableSubscriber() throws JMSException {
    Connection connection = subscribed();
    Session session = transacted(connection);
    TopicSubscriber subscriber = durable(session);
    Session other = auto(started());
    send(other, topic(other), "one", "two");
    expect(subscriber, "one");
    session.commit();
    expect(subscriber, "two");
    session.rollback();
    Message two = receive(subscriber);
    assertEquals("two", text(two));
    assertTrue(two.getJMSRedelivered());
    session.commit();
    connection.close();
    connection = subscribed();
    session = auto(connection);
    subscriber = durable(session);
    expectNothingMore(session, topic(session), subscriber);
  }

  @Test
  public void durableSubscribersNeedAClientIdentifier() throws JMSException {
    Session session = auto(started());
    expectThrown(JMSException.class, () -> durable(session));
  }

  @Test
  public void aDurableSubscriberOfATemporaryTopicIsRefused() throws JMSException {
    Session session = auto(subscribed());
    TemporaryTopic temporary = session.createTemporaryTopic();
    expectThrown(
        JMSException.class,
        () -> session.createDurableSubscriber(temporary, name("durable")));
  }

  @Test
  public void invalidSelectorsOfDurableSubscribersAreRefused() throws JMSException {
    Session session = auto(subscribed());
    expectThrown(
        InvalidSelectorException.class,
        () -> session.createDurableSubscriber(topic(session), name("durable"), "n =", false));
    expectThrown(
        InvalidDestinationException.class, () -> session.createDurableSubscriber(null, "durable"));
  }

  @Test
  public void topicSessionPublishersAndSubscribers() throws JMSException {
    TopicConnection connection =
        ((TopicConnectionFactory) BrokerUnderTest.factory()).createTopicConnection();
    try {
      connection.start();
      TopicSession session = connection.createTopicSession(false, Session.AUTO_ACKNOWLEDGE);
      Topic topic = topic(session);
      TopicSubscriber subscriber = session.createSubscriber(topic);
      assertEquals(topic, subscriber.getTopic());
      assertFalse(subscriber.getNoLocal());
      TopicPublisher publisher = session.createPublisher(topic);
      assertEquals(topic, publisher.getTopic());
      publisher.publish(session.createTextMessage("one"));
      publisher.publish(
          session.createTextMessage("two"), DeliveryMode.NON_PERSISTENT, 4, 0);
      session.createPublisher(null).publish(topic, session.createTextMessage("three"));
      expect(subscriber, "one", "two", "three");
      TopicSubscriber local = session.createSubscriber(topic, "n = 1", true);
      assertTrue(local.getNoLocal());
      publisher.publish(session.createTextMessage("four"));
      assertNull(local.receiveNoWait());
    } finally {
      connection.close();
    }
  }

  @Test
  public void requestorGetsItsReply() throws Exception {
    TopicConnection connection =
        ((TopicConnectionFactory) BrokerUnderTest.factory()).createTopicConnection();
    try {
      connection.start();
      TopicSession session = connection.createTopicSession(false, Session.AUTO_ACKNOWLEDGE);
      Topic requests = topic(session);
      Session answering = auto(started());
      MessageProducer answers = answering.createProducer(null);
      answering
          .createConsumer(requests)
          .setMessageListener(
              message -> {
                try {
                  answers.send(message.getJMSReplyTo(), answering.createTextMessage("reply"));
                } catch (JMSException error) {
                  throw new RuntimeException(error);
                }
              });
      TopicRequestor requestor = new TopicRequestor(session, requests);
      assertEquals("reply", text(requestor.request(session.createTextMessage("request"))));
      requestor.close();
    } finally {
      connection.close();
    }
  }

  @Test
  public void temporaryTopics() throws JMSException {
    Connection connection = started();
    Session session = auto(connection);
    TemporaryTopic temporary = session.createTemporaryTopic();
    assertFalse(
        temporary.getTopicName().equals(session.createTemporaryTopic().getTopicName()));
    MessageConsumer consumer = session.createConsumer(temporary);
    send(session, temporary, "one");
    expect(consumer, "one");
    Session other = auto(started());
    expectThrown(InvalidDestinationException.class, () -> other.createConsumer(temporary));
    expectThrown(JMSException.class, temporary::delete);
    consumer.close();
    temporary.delete();
  }

  @Test
  public void topicAndQueueOfOneNameAreTwoDestinations() throws JMSException {
    Session session = auto(started());
    Queue queue = session.createQueue(name("same"));
    Topic topic = session.createTopic(name("same"));
    MessageConsumer ofTopic = session.createConsumer(topic);
    send(session, queue, "to the queue");
    send(session, topic, "to the topic");
    expect(ofTopic, "to the topic");
    expect(session.createConsumer(queue), "to the queue");
  }
}
