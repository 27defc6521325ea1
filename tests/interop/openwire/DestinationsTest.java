package interop.openwire;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;

import interop.jms.BrokerUnderTest;
import java.util.Collections;
import java.util.HashSet;
import java.util.Set;
import javax.jms.Connection;
import javax.jms.InvalidDestinationException;
import javax.jms.JMSException;
import javax.jms.Message;
import javax.jms.MessageConsumer;
import javax.jms.MessageProducer;
import javax.jms.Queue;
import javax.jms.Session;
import javax.jms.TemporaryQueue;
import javax.jms.TemporaryTopic;
import javax.jms.Topic;
import javax.jms.TopicSubscriber;
import org.junit.Test;

/** Composite, wildcard, virtual and temporary destinations. */
public class DestinationsTest extends OpenWireTest {
  @Test
  public void aCompositeSendReachesAll() throws JMSException {
    Session session = auto(started());
    Queue first = session.createQueue(name("first"));
    Queue second = session.createQueue(name("second"));
    Topic topic = topic(session);
    MessageConsumer ofTopic = session.createConsumer(topic);
    Queue all =
        session.createQueue(name("first") + "," + name("second") + ",topic://" + name("topic"));
    send(session, all, "to all");
    Message got = receive(ofTopic);
    assertEquals("to all", text(got));
    assertEquals(topic, got.getJMSDestination());
    assertEquals(Collections.singletonList("to all"), drain(first));
    assertEquals(Collections.singletonList("to all"), drain(second));
  }

  @Test
  public void aCompositeSendInATransaction() throws JMSException {
    Session session = transacted(started());
    Queue all = session.createQueue(name("first") + "," + name("second"));
    send(session, all, "never");
    session.rollback();
    send(session, all, "once");
    session.commit();
    assertEquals(
        Collections.singletonList("once"), drain(session.createQueue(name("first"))));
    assertEquals(
        Collections.singletonList("once"), drain(session.createQueue(name("second"))));
  }

  @Test
  public void aCompositeConsumerGetsFromAll() throws JMSException {
    Session session = auto(started());
    MessageConsumer consumer =
        session.createConsumer(session.createQueue(name("first") + "," + name("second")));
    send(session, session.createQueue(name("first")), "one");
    send(session, session.createQueue(name("second")), "two");
    Set<String> got = new HashSet<>();
    for (int i = 0; i < 2; i++) {
      Message message = receive(consumer);
      got.add(((Queue) message.getJMSDestination()).getQueueName() + " " + text(message));
    }
    assertEquals(Set.of(name("first") + " one", name("second") + " two"), got);
  }

  @Test
  public void wildcardConsumersOfTopics() throws JMSException {
    Session session = auto(started());
    String base = name("base");
    MessageConsumer star = session.createConsumer(session.createTopic(base + ".*.price"));
    MessageConsumer rest = session.createConsumer(session.createTopic(base + ".>"));
    send(session, session.createTopic(base + ".gold.price"), "gold");
    send(session, session.createTopic(base + ".gold.volume"), "volume");
    send(session, session.createTopic(base + ".iron.price"), "iron");
    send(session, session.createTopic(base), "base itself");
    Message gold = receive(star);
    assertEquals("gold", text(gold));
    assertEquals(session.createTopic(base + ".gold.price"), gold.getJMSDestination());
    expect(star, "iron");
    expect(rest, "gold", "volume", "iron", "base itself");
  }

  @Test
  public void wildcardConsumersOfQueuesThatComeLater() throws JMSException {
    Connection connection = started();
    Session session = auto(connection);
    String base = name("base");
    send(session, session.createQueue(base + ".old"), "old");
    MessageConsumer consumer = session.createConsumer(session.createQueue(base + ".*"));
    expect(consumer, "old");
    send(session, session.createQueue(base + ".new"), "new");
    Message message = receive(consumer);
    assertEquals("new", text(message));
    assertEquals(session.createQueue(base + ".new"), message.getJMSDestination());
    connection.close();
    assertEquals(Collections.emptyList(), drain(session2().createQueue(base + ".new")));
  }

  private Session session2() throws JMSException {
    return auto(started());
  }

  @Test
  public void wildcardConsumersAcknowledgeInTheirSession() throws JMSException {
    Connection connection = started();
    Session session = transacted(connection);
    String base = name("base");
    Session sending = auto(connection);
    send(sending, sending.createQueue(base + ".a"), "one");
    send(sending, sending.createQueue(base + ".b"), "two");
    MessageConsumer consumer = session.createConsumer(session.createQueue(base + ".>"));
    Set<String> got = new HashSet<>();
    got.add(text(receive(consumer)));
    got.add(text(receive(consumer)));
    session.rollback();
    got.add(text(receive(consumer)));
    got.add(text(receive(consumer)));
    assertEquals(Set.of("one", "two"), got);
    session.commit();
    connection.close();
    Session after = auto(started());
    assertEquals(Collections.emptyList(), drain(after.createQueue(base + ".a")));
    assertEquals(Collections.emptyList(), drain(after.createQueue(base + ".b")));
  }

  @Test
  public void durableSubscriptionsWithWildcards() throws JMSException {
    Connection connection = identified(name("client"));
    Session session = auto(connection);
    String base = name("base");
    session.createDurableSubscriber(session.createTopic(base + ".>"), "all").close();
    send(session, session.createTopic(base + ".a"), "one");
    send(session, session.createTopic(base + ".b"), "two");
    TopicSubscriber subscriber =
        session.createDurableSubscriber(session.createTopic(base + ".>"), "all");
    Set<String> got = new HashSet<>();
    got.add(text(receive(subscriber)));
    got.add(text(receive(subscriber)));
    assertEquals(Set.of("one", "two"), got);
  }

  @Test
  public void durableSubscriptionsToComposites() throws JMSException {
    String client = name("client");
    Connection connection = identified(client);
    Session session = auto(connection);
    Topic a = session.createTopic(name("a"));
    Topic b = session.createTopic(name("b"));
    Topic both = session.createTopic(name("a") + "," + name("b"));
    TopicSubscriber there = session.createDurableSubscriber(both, "both");
    send(session, a, "1");
    Message first = receive(there);
    assertEquals("1", text(first));
    assertEquals(a, first.getJMSDestination());
    there.close();
    send(session, b, "2");
    send(session, a, "3");
    send(session, session.createTopic(name("c")), "no");
    TopicSubscriber again = session.createDurableSubscriber(both, "both");
    Set<String> got = new HashSet<>(); // Of two topics; ActiveMQ has no order between them.
    got.add(text(receive(again)));
    got.add(text(receive(again)));
    assertEquals(Set.of("2", "3"), got);
    send(session, b, "4");
    expect(again, "4");
    again.close();
    // Other topics are another subscription.
    send(session, b, "lost");
    TopicSubscriber other =
        session.createDurableSubscriber(session.createTopic(name("a") + "," + name("c")), "both");
    send(session, session.createTopic(name("c")), "5");
    expect(other, "5");
    other.close();
    session.unsubscribe("both");
    expectThrown(InvalidDestinationException.class, () -> session.unsubscribe("both"));
  }

  @Test
  public void durableSubscriptionsToCompositesSurviveTheBroker() throws JMSException {
    BrokerUnderTest.assumeThatItCanBeKilled();
    String client = name("client");
    Connection connection = identified(client);
    Session session = auto(connection);
    Topic both = session.createTopic(name("a") + "," + name("b"));
    session.createDurableSubscriber(both, "both").close();
    send(session, session.createTopic(name("a")), "1");
    send(session, session.createTopic(name("b")), "2");
    BrokerUnderTest.restart();
    Session after = auto(identified(client));
    send(after, after.createTopic(name("b")), "3");
    TopicSubscriber subscriber = after.createDurableSubscriber(both, "both");
    Set<String> got = new HashSet<>();
    for (int i = 0; i < 3; i++) {
      got.add(text(receive(subscriber)));
    }
    assertEquals(Set.of("1", "2", "3"), got);
  }

  @Test
  public void virtualTopicsFeedTheirQueues() throws JMSException {
    Session session = auto(started());
    String topic = "VirtualTopic." + name("news");
    MessageConsumer a1 = session.createConsumer(session.createQueue("Consumer.A." + topic));
    MessageConsumer b = session.createConsumer(session.createQueue("Consumer.B." + topic));
    send(session, session.createTopic(topic), "one", "two");
    expect(a1, "one", "two");
    expect(b, "one", "two");
  }

  @Test
  public void destinationsCanBeCreatedByANullMessageAway() throws JMSException {
    Session session = auto(started());
    MessageProducer producer = session.createProducer(session.createQueue(name("fresh")));
    producer.close();
    assertEquals(Collections.emptyList(), drain(session.createQueue(name("fresh"))));
  }

  // --- temporary -------------------------------------------------------------------------------

  @Test
  public void requestAndReplyOverManyTemporaryQueues() throws Exception {
    int count = Integer.parseInt(System.getenv().getOrDefault("PABAL_TEMPORARY_QUEUES", "500"));
    Connection serving = started();
    Session answering = auto(serving);
    Queue requests = queue(answering);
    MessageProducer answers = answering.createProducer(null);
    answers.setDeliveryMode(javax.jms.DeliveryMode.NON_PERSISTENT);
    answering
        .createConsumer(requests)
        .setMessageListener(
            message -> {
              try {
                Message answer = answering.createTextMessage("re: " + text(message));
                answer.setJMSCorrelationID(message.getJMSMessageID());
                answers.send(message.getJMSReplyTo(), answer);
              } catch (JMSException error) {
                throw new RuntimeException(error);
              }
            });
    Session asking = auto(started());
    MessageProducer producer = asking.createProducer(requests);
    producer.setDeliveryMode(javax.jms.DeliveryMode.NON_PERSISTENT);
    for (int i = 0; i < count; i++) {
      TemporaryQueue replies = asking.createTemporaryQueue();
      MessageConsumer consumer = asking.createConsumer(replies);
      Message request = asking.createTextMessage("" + i);
      request.setJMSReplyTo(replies);
      producer.send(request);
      Message reply = receive(consumer);
      assertEquals("re: " + i, text(reply));
      assertEquals(request.getJMSMessageID(), reply.getJMSCorrelationID());
      consumer.close();
      replies.delete();
    }
  }

  @Test
  public void manyTemporaryQueuesAtOnce() throws JMSException {
    int count = Integer.parseInt(System.getenv().getOrDefault("PABAL_TEMPORARY_QUEUES", "500"));
    Connection connection = started();
    Session session = auto(connection);
    TemporaryQueue[] queues = new TemporaryQueue[count];
    for (int i = 0; i < count; i++) {
      queues[i] = session.createTemporaryQueue();
    }
    Session other = auto(started());
    for (int i = 0; i < count; i += 50) {
      send(other, queues[i], "" + i);
    }
    for (int i = 0; i < count; i += 50) {
      MessageConsumer consumer = session.createConsumer(queues[i]);
      expect(consumer, "" + i);
      consumer.close();
    }
    connection.close();
  }

  @Test
  public void temporaryDestinationsAreKnownToOldAndNewConnections() throws Exception {
    Session old = auto(started());
    Session owner = auto(started());
    TemporaryQueue queue = owner.createTemporaryQueue();
    TemporaryTopic topic = owner.createTemporaryTopic();
    Session fresh = auto(started());
    MessageConsumer ofQueue = owner.createConsumer(queue);
    MessageConsumer ofTopic = owner.createConsumer(topic);
    for (Session session : new Session[] {old, fresh}) {
      // The client learns of them by advisories, and refuses to send until then.
      until("the advisory of the queue", () -> sent(session, queue));
      expect(ofQueue, "x");
      until("the advisory of the topic", () -> sent(session, topic));
      expect(ofTopic, "x");
    }
  }

  private static boolean sent(Session session, javax.jms.Destination destination)
      throws JMSException {
    try {
      send(session, destination, "x");
      return true;
    } catch (InvalidDestinationException unknown) {
      return false;
    }
  }

  @Test
  public void sendingToADeletedTemporaryQueueWithoutAdvisories() throws JMSException {
    // The client does not know, so the broker must say it.
    Connection owner = started();
    TemporaryQueue queue = auto(owner).createTemporaryQueue();
    Session session = auto(started(amq("?jms.watchTopicAdvisories=false")));
    send(session, queue, "there");
    MessageProducer producer = session.createProducer(queue);
    owner.close();
    JMSException error =
        expectThrown(JMSException.class, () -> producer.send(session.createTextMessage("gone")));
    assertTrue(error.toString(), error.getMessage() != null);
  }
}
