package interop.openwire;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNotNull;
import static org.junit.Assert.assertNull;
import static org.junit.Assert.assertTrue;

import interop.jms.BrokerUnderTest;
import javax.jms.Connection;
import javax.jms.DeliveryMode;
import javax.jms.JMSException;
import javax.jms.Message;
import javax.jms.MessageConsumer;
import javax.jms.MessageProducer;
import javax.jms.Queue;
import javax.jms.Session;
import javax.jms.Topic;
import org.apache.activemq.advisory.AdvisorySupport;
import org.apache.activemq.command.ActiveMQDestination;
import org.apache.activemq.command.ActiveMQMessage;
import org.apache.activemq.command.ConsumerInfo;
import org.apache.activemq.command.ProducerInfo;
import org.apache.activemq.command.RemoveSubscriptionInfo;
import org.junit.Test;

/**
 * Advisories that a policy switches on: java_broker.py has one for what begins with `advised.`, and
 * one with a small memoryLimit for `advised.full.`.
 */
public class AdvisedMessagesTest extends OpenWireTest {
  private Queue advisedQueue(Session session) throws JMSException {
    return session.createQueue("advised." + name("queue"));
  }

  private Topic advisedTopic(Session session) throws JMSException {
    return session.createTopic("advised." + name("topic"));
  }

  private static MessageConsumer listen(Session session, Topic topic) throws JMSException {
    return session.createConsumer(topic);
  }

  private static ActiveMQMessage about(Message advisory) {
    return (ActiveMQMessage) ((ActiveMQMessage) advisory).getDataStructure();
  }

  private static Message sendVolatile(Session session, javax.jms.Destination to, String text)
      throws JMSException {
    MessageProducer producer = session.createProducer(to);
    producer.setDeliveryMode(DeliveryMode.NON_PERSISTENT);
    Message message = session.createTextMessage(text);
    producer.send(message);
    producer.close();
    return message;
  }

  @Test
  public void messagesThatComeAndAreConsumed() throws JMSException {
    Connection connection = started();
    Session session = auto(connection);
    Queue queue = advisedQueue(session);
    ActiveMQDestination place = (ActiveMQDestination) queue;
    MessageConsumer came =
        listen(session, AdvisorySupport.getMessageDeliveredAdvisoryTopic(place));
    MessageConsumer gone = listen(session, AdvisorySupport.getMessageConsumedAdvisoryTopic(place));
    Message sent = session.createTextMessage("body");
    sent.setStringProperty("color", "red");
    session.createProducer(queue).send(sent);
    Message arrived = receive(came);
    assertEquals(sent.getJMSMessageID(), about(arrived).getJMSMessageID());
    assertEquals(sent.getJMSMessageID(), arrived.getStringProperty("orignalMessageId"));
    assertEquals(place.getQualifiedName(), arrived.getStringProperty("orignalDestination"));
    assertEquals("red", about(arrived).getStringProperty("color"));
    assertNull("without its body", about(arrived).getContent());
    expect(session.createConsumer(queue), "body");
    Message consumed = receive(gone);
    assertEquals(sent.getJMSMessageID(), about(consumed).getJMSMessageID());
  }

  @Test
  public void messagesOfTopicsThatComeAndAreConsumed() throws JMSException {
    Session session = auto(started());
    Topic topic = advisedTopic(session);
    ActiveMQDestination place = (ActiveMQDestination) topic;
    MessageConsumer came =
        listen(session, AdvisorySupport.getMessageDeliveredAdvisoryTopic(place));
    MessageConsumer gone = listen(session, AdvisorySupport.getMessageConsumedAdvisoryTopic(place));
    MessageConsumer consumer = session.createConsumer(topic);
    Message sent = sendVolatile(session, topic, "body");
    assertEquals(sent.getJMSMessageID(), about(receive(came)).getJMSMessageID());
    expect(consumer, "body");
    assertEquals(sent.getJMSMessageID(), about(receive(gone)).getJMSMessageID());
  }

  @Test
  public void whatFindsNoConsumerIsCopied() throws JMSException {
    Session session = auto(started());
    Topic topic = advisedTopic(session);
    Queue queue = advisedQueue(session);
    MessageConsumer ofTopic =
        listen(session, AdvisorySupport.getNoTopicConsumersAdvisoryTopic((ActiveMQDestination) topic));
    MessageConsumer ofQueue =
        listen(session, AdvisorySupport.getNoQueueConsumersAdvisoryTopic((ActiveMQDestination) queue));
    Message toTopic = sendVolatile(session, topic, "nobody");
    Message copy = receive(ofTopic);
    assertEquals("nobody", text(copy));
    assertEquals(toTopic.getJMSMessageID(), copy.getJMSMessageID());
    sendVolatile(session, queue, "nobody yet");
    expect(ofQueue, "nobody yet");
    expect(session.createConsumer(queue), "nobody yet");
    session.createConsumer(topic);
    sendVolatile(session, topic, "somebody");
    assertNull("now there is a consumer", ofTopic.receiveNoWait());
  }

  @Test
  public void slowConsumersOfTopics() throws JMSException {
    Connection connection = started();
    Session session = auto(connection);
    Topic topic = advisedTopic(session);
    MessageConsumer slow =
        listen(session, AdvisorySupport.getSlowConsumerAdvisoryTopic((ActiveMQDestination) topic));
    Session lazy = connection.createSession(false, Session.CLIENT_ACKNOWLEDGE);
    Topic small = lazy.createTopic(topic.getTopicName() + "?consumer.prefetchSize=5");
    MessageConsumer consumer = lazy.createConsumer(small);
    for (int i = 0; i < 30; i++) {
      sendVolatile(session, topic, "" + i);
    }
    ActiveMQMessage told = (ActiveMQMessage) receive(slow);
    ConsumerInfo info = (ConsumerInfo) told.getDataStructure();
    assertEquals(topic, info.getDestination());
    assertEquals(5, info.getPrefetchSize());
    assertEquals(info.getConsumerId().toString(), told.getStringProperty("consumerId"));
    assertNotNull(consumer);
  }

  @Test
  public void discardedMessagesOfSlowConsumers() throws JMSException {
    Connection connection = started();
    Session session = auto(connection);
    Topic topic = session.createTopic("advised.discarding." + name("topic"));
    MessageConsumer discarded =
        listen(
            session,
            AdvisorySupport.getMessageDiscardedAdvisoryTopic((ActiveMQDestination) topic));
    Session lazy = connection.createSession(false, Session.CLIENT_ACKNOWLEDGE);
    MessageConsumer consumer =
        lazy.createConsumer(lazy.createTopic(topic.getTopicName() + "?consumer.prefetchSize=5"));
    for (int i = 0; i < 30; i++) {
      sendVolatile(session, topic, "" + i);
    }
    Message first = receive(discarded);
    assertEquals("5 are out, and one may wait: the oldest of those goes", 1,
        first.getIntProperty("discardedCount"));
    assertNotNull(first.getStringProperty("consumerId"));
    assertNotNull(about(first).getJMSMessageID());
    assertEquals(2, receive(discarded).getIntProperty("discardedCount"));
    assertNotNull(consumer);
  }

  @Test
  public void fullQueuesAndFastProducers() throws Exception {
    Connection connection = started();
    Session session = auto(connection);
    Queue queue = session.createQueue("advised.full." + name("queue"));
    ActiveMQDestination place = (ActiveMQDestination) queue;
    MessageConsumer full = listen(session, AdvisorySupport.getFullAdvisoryTopic(place));
    MessageConsumer fast = listen(session, AdvisorySupport.getFastProducerAdvisoryTopic(place));
    Connection other = started();
    Session sending = auto(other);
    MessageProducer producer = sending.createProducer(queue);
    producer.setDeliveryMode(DeliveryMode.NON_PERSISTENT);
    Thread sender =
        new Thread(
            () -> {
              try {
                for (int i = 0; i < 200; i++) {
                  producer.send(sending.createTextMessage("x".repeat(4096)));
                }
              } catch (JMSException closed) {
                // The test is over.
              }
            });
    sender.start();
    Message told = receive(full);
    assertTrue(told.getStringProperty("usageName"), told.propertyExists("usageName"));
    assertTrue(told.getLongProperty("usageCount") > 0);
    assertNull(((ActiveMQMessage) told).getDataStructure());
    ActiveMQMessage hurried = (ActiveMQMessage) receive(fast);
    ProducerInfo info = (ProducerInfo) hurried.getDataStructure();
    assertEquals(queue, info.getDestination());
    assertEquals(info.getProducerId().toString(), hurried.getStringProperty("producerId"));
    Session taking = auto(connection);
    MessageConsumer consumer = taking.createConsumer(queue);
    for (int i = 0; i < 200; i++) {
      assertNotNull(receive(consumer));
    }
    sender.join(DEADLINE);
    assertFalse(sender.isAlive());
  }

  @Test
  public void removedDurableSubscriptions() throws JMSException {
    Session session = auto(started());
    Topic topic = topic(session);
    String client = name("client");
    Connection owner = identified(client);
    Session own = auto(owner);
    own.createDurableSubscriber(topic, "sub").close();
    MessageConsumer listener =
        session.createConsumer(AdvisorySupport.getConsumerAdvisoryTopic(topic));
    own.unsubscribe("sub");
    while (true) {
      ActiveMQMessage told = (ActiveMQMessage) receive(listener);
      if (!(told.getDataStructure() instanceof RemoveSubscriptionInfo)) {
        continue;
      }
      RemoveSubscriptionInfo info = (RemoveSubscriptionInfo) told.getDataStructure();
      assertEquals(client, info.getClientId());
      assertEquals("sub", info.getSubscriptionName());
      return;
    }
  }

  @Test
  public void theBrokerIsActive() throws JMSException {
    Session session = auto(started());
    ActiveMQMessage told =
        (ActiveMQMessage)
            receive(session.createConsumer(AdvisorySupport.getMasterBrokerAdvisoryTopic()));
    assertNull(told.getDataStructure());
    assertEquals("Advisory", told.getJMSType());
  }

  @Test
  public void namesWithCommasAreOneTopic() throws JMSException {
    BrokerUnderTest.assumeNotActiveMq("it asks each part of the name");
    Session session = auto(started());
    MessageConsumer all =
        session.createConsumer(session.createTopic("ActiveMQ.Advisory.Consumer.Queue.>"));
    String name = name("a");
    session.createConsumer(session.createQueue(name + "," + name("b")));
    while (true) {
      ActiveMQMessage told = (ActiveMQMessage) receive(all);
      String topic = ((ActiveMQDestination) told.getJMSDestination()).getPhysicalName();
      if (!topic.contains(name)) {
        continue;
      }
      assertEquals("ActiveMQ.Advisory.Consumer.Queue." + name + "&sbquo;" + name("b"), topic);
      return;
    }
  }
}
