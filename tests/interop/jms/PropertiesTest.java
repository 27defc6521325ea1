package interop.jms;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNull;
import static org.junit.Assert.assertTrue;

import java.util.Arrays;
import java.util.Collections;
import java.util.Enumeration;
import java.util.HashSet;
import java.util.Set;
import javax.jms.JMSException;
import javax.jms.Message;
import javax.jms.MessageConsumer;
import javax.jms.MessageFormatException;
import javax.jms.MessageNotWriteableException;
import javax.jms.MessageProducer;
import javax.jms.Queue;
import javax.jms.Session;
import org.junit.Before;
import org.junit.Test;

/** JMS 1.1 §3.5: properties. */
public class PropertiesTest extends JmsTest {
  private Session session;
  private MessageProducer producer;
  private MessageConsumer consumer;

  @Before
  public void open() throws JMSException {
    session = auto(started());
    Queue queue = queue(session);
    producer = session.createProducer(queue);
    consumer = session.createConsumer(queue);
  }

  private Message through(Message message) throws JMSException {
    producer.send(message);
    return receive(consumer);
  }

  private static Set<String> names(Message message) throws JMSException {
    Set<String> names = new HashSet<>();
    for (Enumeration<?> e = message.getPropertyNames(); e.hasMoreElements(); ) {
      names.add((String) e.nextElement());
    }
    names.removeIf(name -> name.startsWith("JMSX"));
    return names;
  }

  @Test
  public void everyTypeKeepsItsValueAndType() throws JMSException {
    Message message = session.createMessage();
    message.setBooleanProperty("boolean", true);
    message.setByteProperty("byte", Byte.MIN_VALUE);
    message.setShortProperty("short", Short.MAX_VALUE);
    message.setIntProperty("int", Integer.MIN_VALUE);
    message.setLongProperty("long", Long.MAX_VALUE);
    message.setFloatProperty("float", Float.MIN_VALUE);
    message.setDoubleProperty("double", Double.MAX_VALUE);
    message.setStringProperty("string", "ünï ☂");
    Message received = through(message);
    assertEquals(true, received.getObjectProperty("boolean"));
    assertEquals(Byte.MIN_VALUE, received.getObjectProperty("byte"));
    assertEquals(Short.MAX_VALUE, received.getObjectProperty("short"));
    assertEquals(Integer.MIN_VALUE, received.getObjectProperty("int"));
    assertEquals(Long.MAX_VALUE, received.getObjectProperty("long"));
    assertEquals(Float.MIN_VALUE, received.getObjectProperty("float"));
    assertEquals(Double.MAX_VALUE, received.getObjectProperty("double"));
    assertEquals("ünï ☂", received.getObjectProperty("string"));
    assertEquals(
        new HashSet<>(
            Arrays.asList("boolean", "byte", "short", "int", "long", "float", "double", "string")),
        names(received));
  }

  @Test
  public void specialFloatingPointValuesAreKept() throws JMSException {
    Message message = session.createMessage();
    message.setFloatProperty("nan", Float.NaN);
    message.setDoubleProperty("infinity", Double.NEGATIVE_INFINITY);
    message.setDoubleProperty("zero", -0.0);
    Message received = through(message);
    assertEquals(Float.NaN, received.getObjectProperty("nan"));
    assertEquals(Double.NEGATIVE_INFINITY, received.getObjectProperty("infinity"));
    assertEquals(-0.0, received.getObjectProperty("zero"));
  }

  @Test
  public void objectPropertiesAreThoseOfThePrimitiveTypes() throws JMSException {
    Message message = session.createMessage();
    message.setObjectProperty("long", 7L);
    message.setObjectProperty("string", "seven");
    expectThrown(
        MessageFormatException.class, () -> message.setObjectProperty("thread", new Thread()));
    Message received = through(message);
    assertEquals(7L, received.getLongProperty("long"));
    assertEquals("seven", received.getStringProperty("string"));
  }

  @Test
  public void conversionsOfTheTableWork() throws JMSException {
    // §3.5.4: a value can be read as its own type, as a wider one, and as text.
    Message message = session.createMessage();
    message.setBooleanProperty("boolean", true);
    message.setByteProperty("byte", (byte) 5);
    message.setShortProperty("short", (short) 6);
    message.setIntProperty("int", 7);
    message.setLongProperty("long", 8);
    message.setFloatProperty("float", 1.5f);
    message.setDoubleProperty("double", 2.5);
    message.setStringProperty("number", "42");
    message.setStringProperty("truth", "true");
    message.setStringProperty("fraction", "0.25");
    Message m = through(message);
    assertEquals("true", m.getStringProperty("boolean"));
    assertEquals(5, m.getShortProperty("byte"));
    assertEquals(5, m.getIntProperty("byte"));
    assertEquals(5L, m.getLongProperty("byte"));
    assertEquals("5", m.getStringProperty("byte"));
    assertEquals(6, m.getIntProperty("short"));
    assertEquals(6L, m.getLongProperty("short"));
    assertEquals("6", m.getStringProperty("short"));
    assertEquals(7L, m.getLongProperty("int"));
    assertEquals("7", m.getStringProperty("int"));
    assertEquals("8", m.getStringProperty("long"));
    assertEquals(1.5, m.getDoubleProperty("float"), 0);
    assertEquals("1.5", m.getStringProperty("float"));
    assertEquals("2.5", m.getStringProperty("double"));
    assertEquals((byte) 42, m.getByteProperty("number"));
    assertEquals((short) 42, m.getShortProperty("number"));
    assertEquals(42, m.getIntProperty("number"));
    assertEquals(42L, m.getLongProperty("number"));
    assertTrue(m.getBooleanProperty("truth"));
    assertEquals(0.25f, m.getFloatProperty("fraction"), 0);
    assertEquals(0.25, m.getDoubleProperty("fraction"), 0);
  }

  @Test
  public void otherConversionsAreRefused() throws JMSException {
    Message message = session.createMessage();
    message.setBooleanProperty("boolean", true);
    message.setIntProperty("int", 7);
    message.setLongProperty("long", 8);
    message.setFloatProperty("float", 1.5f);
    message.setDoubleProperty("double", 2.5);
    message.setStringProperty("word", "seven");
    Message m = through(message);
    expectThrown(MessageFormatException.class, () -> m.getIntProperty("boolean"));
    expectThrown(MessageFormatException.class, () -> m.getBooleanProperty("int"));
    expectThrown(MessageFormatException.class, () -> m.getByteProperty("int"));
    expectThrown(MessageFormatException.class, () -> m.getShortProperty("int"));
    expectThrown(MessageFormatException.class, () -> m.getFloatProperty("int"));
    expectThrown(MessageFormatException.class, () -> m.getIntProperty("long"));
    expectThrown(MessageFormatException.class, () -> m.getLongProperty("float"));
    expectThrown(MessageFormatException.class, () -> m.getFloatProperty("double"));
    expectThrown(NumberFormatException.class, () -> m.getIntProperty("word"));
  }

  @Test
  public void whatIsNotThereReadsAsNull() throws JMSException {
    Message m = through(session.createMessage());
    assertFalse(m.propertyExists("nothing"));
    assertNull(m.getObjectProperty("nothing"));
    assertNull(m.getStringProperty("nothing"));
    assertFalse(m.getBooleanProperty("nothing")); // Boolean.valueOf(null)
    expectThrown(NumberFormatException.class, () -> m.getIntProperty("nothing"));
    expectThrown(NumberFormatException.class, () -> m.getLongProperty("nothing"));
    expectThrown(NumberFormatException.class, () -> m.getByteProperty("nothing"));
    expectThrown(NullPointerException.class, () -> m.getDoubleProperty("nothing"));
  }

  @Test
  public void receivedPropertiesAreReadOnlyUntilCleared() throws JMSException {
    Message message = session.createMessage();
    message.setIntProperty("int", 7);
    Message m = through(message);
    expectThrown(MessageNotWriteableException.class, () -> m.setIntProperty("int", 8));
    expectThrown(MessageNotWriteableException.class, () -> m.setObjectProperty("new", "x"));
    m.clearProperties();
    assertFalse(m.propertyExists("int"));
    m.setIntProperty("int", 8);
    assertEquals(8, through(m).getIntProperty("int"));
  }

  @Test
  public void clearingPropertiesLeavesTheBody() throws JMSException {
    Message message = session.createTextMessage("body");
    message.setIntProperty("int", 7);
    Message m = through(message);
    m.clearProperties();
    assertEquals("body", text(m));
    m.clearBody();
    assertEquals(Collections.emptySet(), names(m));
  }

  @Test
  public void illegalNamesAreRefused() throws JMSException {
    Message message = session.createMessage();
    expectThrown(
        IllegalArgumentException.class, () -> message.setStringProperty(null, "x")); // §3.5.1
    expectThrown(IllegalArgumentException.class, () -> message.setStringProperty("", "x"));
  }

  @Test
  public void groupPropertiesAreCarried() throws JMSException {
    Message message = session.createMessage();
    message.setStringProperty("JMSXGroupID", "group");
    message.setIntProperty("JMSXGroupSeq", 3);
    Message m = through(message);
    assertEquals("group", m.getStringProperty("JMSXGroupID"));
    assertEquals(3, m.getIntProperty("JMSXGroupSeq"));
  }

  @Test
  public void deliveryCountIsOneAtFirst() throws JMSException {
    assertEquals(1, through(session.createMessage()).getIntProperty("JMSXDeliveryCount"));
  }

  @Test
  public void manyPropertiesAreCarried() throws JMSException {
    Message message = session.createMessage();
    for (int i = 0; i < 200; i++) {
      message.setIntProperty("p" + i, i);
    }
    Message m = through(message);
    assertEquals(200, names(m).size());
    assertEquals(199, m.getIntProperty("p199"));
  }

  @Test
  public void longPropertiesAreCarried() throws JMSException {
    BrokerUnderTest.assumeNotPabalJms("a header of STOMP has at most 10,240 bytes");
    Message message = session.createMessage();
    String text = "0123456789".repeat(2000);
    message.setStringProperty("long", text);
    assertEquals(text, through(message).getStringProperty("long"));
  }
}
