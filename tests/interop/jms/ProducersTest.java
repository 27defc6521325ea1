package interop.jms;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertNull;

import java.util.Arrays;
import java.util.Collections;
import javax.jms.Connection;
import javax.jms.DeliveryMode;
import javax.jms.InvalidDestinationException;
import javax.jms.JMSException;
import javax.jms.Message;
import javax.jms.MessageConsumer;
import javax.jms.MessageProducer;
import javax.jms.Queue;
import javax.jms.Session;
import javax.jms.TextMessage;
import javax.jms.Topic;
import org.junit.Test;

/** JMS 1.1 §4.6 to §4.8: producers, delivery modes, time to live. */
public class ProducersTest extends JmsTest {
  @Test
  public void defaultsAreThoseOfJms() throws JMSException {
    Session session = auto(started());
    Queue queue = queue(session);
    MessageProducer producer = session.createProducer(queue);
    assertEquals(DeliveryMode.PERSISTENT, producer.getDeliveryMode());
    assertEquals(4, producer.getPriority());
    assertEquals(0, producer.getTimeToLive());
    assertEquals(queue, producer.getDestination());
  }

  @Test
  public void valuesOutOfRangeAreRefused() throws JMSException {
    Session session = auto(started());
    MessageProducer producer = session.createProducer(queue(session));
    expectThrown(JMSException.class, () -> producer.setDeliveryMode(7));
    expectThrown(JMSException.class, () -> producer.setPriority(10));
    expectThrown(JMSException.class, () -> producer.setPriority(-1));
  }

  @Test
  public void aProducerWithoutDestinationSendsAnywhere() throws JMSException {
    Connection connection = started();
    Session session = auto(connection);
    Queue queue = queue(session);
    Topic topic = topic(session);
    MessageConsumer ofTopic = session.createConsumer(topic);
    MessageProducer producer = session.createProducer(null);
    assertNull(producer.getDestination());
    producer.send(queue, session.createTextMessage("to the queue"));
    producer.send(
        topic, session.createTextMessage("to the topic"), DeliveryMode.NON_PERSISTENT, 9, 0);
    expect(session.createConsumer(queue), "to the queue");
    expect(ofTopic, "to the topic");
    expectThrown(
        UnsupportedOperationException.class, () -> producer.send(session.createMessage()));
  }

  @Test
  public void aNullDestinationIsRefused() throws JMSException {
    BrokerUnderTest.assumeNotStock("it throws UnsupportedOperationException");
    Session session = auto(started());
    MessageProducer producer = session.createProducer(null);
    expectThrown(
        InvalidDestinationException.class, () -> producer.send(null, session.createMessage()));
  }

  @Test
  public void aProducerWithDestinationRefusesOthers() throws JMSException {
    Session session = auto(started());
    MessageProducer producer = session.createProducer(queue(session));
    Queue other = session.createQueue(name("other"));
    expectThrown(
        UnsupportedOperationException.class,
        () -> producer.send(other, session.createTextMessage("text")));
  }

  @Test
  public void aClosedProducerRefuses() throws JMSException {
    Session session = auto(started());
    MessageProducer producer = session.createProducer(queue(session));
    producer.close();
    producer.close();
    expectThrown(
        javax.jms.IllegalStateException.class,
        () -> producer.send(session.createTextMessage("text")));
  }

  @Test
  public void manyProducersOfOneSession() throws JMSException {
    Session session = auto(started());
    Queue queue = queue(session);
    for (int i = 0; i < 100; i++) {
      send(session, queue, "" + i); // Each with a producer of its own.
    }
    MessageConsumer consumer = session.createConsumer(queue);
    for (int i = 0; i < 100; i++) {
      expect(consumer, "" + i);
    }
  }

  @Test
  public void persistentMessagesSurviveTheBroker() throws JMSException {
    BrokerUnderTest.assumeThatItCanBeKilled();
    Connection connection = started();
    Session session = auto(connection);
    Queue queue = queue(session);
    send(session, queue, "one", "two");
    BrokerUnderTest.restart();
    assertEquals(Arrays.asList("one", "two"), drain(queue));
  }

  @Test
  public void acknowledgedMessagesDoNotComeBack() throws JMSException {
    BrokerUnderTest.assumeThatItCanBeKilled();
    Connection connection = started();
    Session session = client(connection);
    Queue queue = queue(session);
    send(session, queue, "one", "two", "three");
    MessageConsumer consumer = session.createConsumer(queue);
    expect(consumer, "one");
    receive(consumer).acknowledge();
    settle(connection);
    BrokerUnderTest.restart();
    Session next = auto(started());
    MessageConsumer again = next.createConsumer(queue);
    Message three = receive(again);
    assertEquals("three", text(three));
    expectNothingMore(next, queue, again);
  }

  @Test
  public void expiredMessagesAreNotDelivered() throws Exception {
    // §4.8. Nothing here depends on how fast it goes: the message's time is over when it is read.
    Connection connection = started();
    Session session = auto(connection);
    Queue queue = queue(session);
    MessageProducer producer = session.createProducer(queue);
    TextMessage soon = session.createTextMessage("gone");
    producer.send(soon, DeliveryMode.PERSISTENT, 4, 1);
    producer.send(session.createTextMessage("stays"), DeliveryMode.PERSISTENT, 4, 3_600_000);
    until("the time to pass", () -> System.currentTimeMillis() > soon.getJMSExpiration());
    assertEquals(Collections.singletonList("stays"), drain(queue));
  }

  @Test
  public void expiredMessagesThatWerePrefetchedAreNotDelivered() throws Exception {
    Connection connection = stopped(); // So the client holds the message when its time is over.
    Session session = auto(connection);
    Queue queue = queue(session);
    MessageConsumer consumer = session.createConsumer(queue);
    MessageProducer producer = session.createProducer(queue);
    TextMessage soon = session.createTextMessage("gone");
    producer.send(soon, DeliveryMode.PERSISTENT, 4, 300);
    producer.send(session.createTextMessage("stays"));
    until("the time to pass", () -> System.currentTimeMillis() > soon.getJMSExpiration());
    connection.start();
    expect(consumer, "stays");
    connection.close();
    assertEquals(Collections.emptyList(), drain(queue));
  }

  @Test
  public void bothDeliveryModesReachOneQueue() throws JMSException {
    Session session = auto(started());
    Queue queue = queue(session);
    MessageProducer producer = session.createProducer(queue);
    int persistent = 0;
    for (int i = 0; i < 40; i++) {
      producer.setDeliveryMode(
          i % 2 == 0 ? DeliveryMode.PERSISTENT : DeliveryMode.NON_PERSISTENT);
      producer.send(session.createTextMessage("" + i));
    }
    MessageConsumer consumer = session.createConsumer(queue);
    for (int i = 0; i < 40; i++) {
      if (receive(consumer).getJMSDeliveryMode() == DeliveryMode.PERSISTENT) {
        persistent++;
      }
    }
    assertEquals(20, persistent);
  }
}
