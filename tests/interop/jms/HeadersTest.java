package interop.jms;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNotEquals;
import static org.junit.Assert.assertNull;
import static org.junit.Assert.assertTrue;

import java.util.HashSet;
import java.util.Set;
import javax.jms.DeliveryMode;
import javax.jms.JMSException;
import javax.jms.Message;
import javax.jms.MessageConsumer;
import javax.jms.MessageProducer;
import javax.jms.Queue;
import javax.jms.Session;
import javax.jms.TextMessage;
import javax.jms.Topic;
import org.junit.Before;
import org.junit.Test;

/** JMS 1.1 §3.4: header fields. */
public class HeadersTest extends JmsTest {
  private Session session;
  private Queue queue;
  private MessageProducer producer;
  private MessageConsumer consumer;

  @Before
  public void open() throws JMSException {
    session = auto(started());
    queue = queue(session);
    producer = session.createProducer(queue);
    consumer = session.createConsumer(queue);
  }

  private Message through(Message message) throws JMSException {
    producer.send(message);
    return receive(consumer);
  }

  @Test
  public void destinationIsSetBySend() throws JMSException {
    TextMessage message = session.createTextMessage("text");
    message.setJMSDestination(session.createQueue("ignored")); // §3.4.11: set by send.
    Message received = through(message);
    assertEquals(queue, message.getJMSDestination());
    assertEquals(queue, received.getJMSDestination());
  }

  @Test
  public void deliveryModeIsTheProducers() throws JMSException {
    TextMessage message = session.createTextMessage("text");
    message.setJMSDeliveryMode(DeliveryMode.NON_PERSISTENT);
    assertEquals(DeliveryMode.PERSISTENT, through(message).getJMSDeliveryMode());
    assertEquals(DeliveryMode.PERSISTENT, message.getJMSDeliveryMode());
    producer.setDeliveryMode(DeliveryMode.NON_PERSISTENT);
    assertEquals(DeliveryMode.NON_PERSISTENT, through(message).getJMSDeliveryMode());
  }

  @Test
  public void messageIdIsUniqueBeginsWithIdAndIsTheSameOnBothSides() throws JMSException {
    Set<String> ids = new HashSet<>();
    for (int i = 0; i < 10; i++) {
      TextMessage message = session.createTextMessage("text");
      message.setJMSMessageID("ID:mine");
      Message received = through(message);
      assertTrue(received.getJMSMessageID().startsWith("ID:"));
      assertNotEquals("ID:mine", received.getJMSMessageID());
      assertEquals(message.getJMSMessageID(), received.getJMSMessageID());
      assertTrue(ids.add(received.getJMSMessageID()));
    }
  }

  @Test
  public void oneMessageObjectSentTwiceIsTwoMessages() throws JMSException {
    TextMessage message = session.createTextMessage("text");
    String first = through(message).getJMSMessageID();
    assertNotEquals(first, through(message).getJMSMessageID());
  }

  @Test
  public void timestampLiesBetweenCallAndReturn() throws JMSException {
    TextMessage message = session.createTextMessage("text");
    long before = System.currentTimeMillis();
    producer.send(message);
    long after = System.currentTimeMillis();
    long timestamp = receive(consumer).getJMSTimestamp();
    assertTrue(before <= timestamp && timestamp <= after);
    assertEquals(timestamp, message.getJMSTimestamp());
  }

  @Test
  public void timestampAndIdHintsAreAccepted() throws JMSException {
    producer.setDisableMessageTimestamp(true);
    assertTrue(producer.getDisableMessageTimestamp());
    producer.setDisableMessageID(true);
    assertTrue(producer.getDisableMessageID());
    // §3.4.4: then it is zero, or as if the hint had not been given.
    long timestamp = through(session.createTextMessage("text")).getJMSTimestamp();
    assertTrue(timestamp == 0 || timestamp > 1_000_000_000_000L);
  }

  @Test
  public void correlationIdAsText() throws JMSException {
    TextMessage message = session.createTextMessage("text");
    assertNull(message.getJMSCorrelationID());
    message.setJMSCorrelationID("order 7 ☂ 🐎");
    assertEquals("order 7 ☂ 🐎", through(message).getJMSCorrelationID());
    message.setJMSCorrelationID(null);
    assertNull(through(message).getJMSCorrelationID());
  }

  @Test
  public void correlationIdAsBytes() throws JMSException {
    // §3.4.5 leaves it to the provider; text that is all ASCII survives with the stock client.
    byte[] bytes = {'r', '2', 'd', '2'};
    TextMessage message = session.createTextMessage("text");
    message.setJMSCorrelationIDAsBytes(bytes);
    assertArrayEquals(bytes, through(message).getJMSCorrelationIDAsBytes());
  }

  @Test
  public void replyToIsADestinationOfItsKind() throws JMSException {
    Topic topic = topic(session);
    Queue replies = session.createQueue(name("replies"));
    TextMessage message = session.createTextMessage("text");
    assertNull(through(message).getJMSReplyTo());
    message.setJMSReplyTo(topic);
    assertEquals(topic, through(message).getJMSReplyTo());
    message.setJMSReplyTo(replies);
    Message received = through(message);
    assertEquals(replies, received.getJMSReplyTo());
    assertTrue(received.getJMSReplyTo() instanceof Queue);
  }

  @Test
  public void typeIsCarried() throws JMSException {
    TextMessage message = session.createTextMessage("text");
    assertNull(through(message).getJMSType());
    message.setJMSType("order.new");
    assertEquals("order.new", through(message).getJMSType());
  }

  @Test
  public void redeliveredIsFalseAtFirst() throws JMSException {
    TextMessage message = session.createTextMessage("text");
    message.setJMSRedelivered(true); // §3.4.7: set by the provider.
    assertFalse(through(message).getJMSRedelivered());
  }

  @Test
  public void expirationIsSumOfTimeAndTimeToLive() throws JMSException {
    TextMessage message = session.createTextMessage("text");
    assertEquals(0, through(message).getJMSExpiration()); // §3.4.9: zero, it does not expire.
    producer.setTimeToLive(3_600_000);
    long before = System.currentTimeMillis();
    Message received = through(message);
    long expiration = received.getJMSExpiration();
    assertTrue(before + 3_600_000 <= expiration);
    assertTrue(expiration <= System.currentTimeMillis() + 3_600_000);
    assertEquals(message.getJMSExpiration(), expiration);
    assertEquals(received.getJMSTimestamp() + 3_600_000, expiration);
  }

  @Test
  public void prioritiesZeroToNineAreCarried() throws JMSException {
    assertEquals(4, through(session.createTextMessage("text")).getJMSPriority());
    for (int priority = 0; priority <= 9; priority++) {
      producer.setPriority(priority);
      assertEquals(priority, through(session.createTextMessage("text")).getJMSPriority());
    }
  }

  @Test
  public void argumentsOfSendOverrideTheProducer() throws JMSException {
    TextMessage message = session.createTextMessage("text");
    message.setJMSPriority(1);
    producer.send(message, DeliveryMode.NON_PERSISTENT, 8, 600_000);
    Message received = receive(consumer);
    assertEquals(DeliveryMode.NON_PERSISTENT, received.getJMSDeliveryMode());
    assertEquals(8, received.getJMSPriority());
    assertEquals(received.getJMSTimestamp() + 600_000, received.getJMSExpiration());
  }
}
