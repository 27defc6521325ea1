package org.pabal.jms;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNull;
import static org.junit.Assert.assertThrows;
import static org.junit.Assert.assertTrue;

import java.io.Serializable;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import javax.jms.BytesMessage;
import javax.jms.DeliveryMode;
import javax.jms.MapMessage;
import javax.jms.Message;
import javax.jms.MessageConsumer;
import javax.jms.MessageFormatException;
import javax.jms.MessageNotWriteableException;
import javax.jms.MessageProducer;
import javax.jms.ObjectMessage;
import javax.jms.StreamMessage;
import javax.jms.TextMessage;
import org.apache.activemq.command.ActiveMQBytesMessage;
import org.apache.activemq.command.ActiveMQMapMessage;
import org.apache.activemq.command.ActiveMQStreamMessage;
import org.apache.activemq.command.ActiveMQTextMessage;
import org.junit.Test;

/** JMS 1.1 §3: every kind of message, every header and type of property, there and back. */
public class MessageWireTest extends BrokerTest {
  private static final String ALL_KINDS_OF_TEXT = "김철수 ☂ 🐎 \n\r\t: \\ \\n  end ";

  /** Sends it and receives it. */
  private <M extends Message> M there(PabalSession session, M message) throws Exception {
    session.createProducer(queue()).send(message);
    MessageConsumer consumer = session.createConsumer(queue());
    M back = receive(consumer);
    consumer.close();
    return back;
  }

  private PabalSession session() throws Exception {
    return auto(started());
  }

  @Test
  public void textsOfAllKinds() throws Exception {
    PabalSession session = session();
    for (String text : List.of("", "plain", ALL_KINDS_OF_TEXT, "with\0NUL", "x".repeat(300_000))) {
      TextMessage back = there(session, session.createTextMessage(text));
      assertEquals(text, back.getText());
    }
    TextMessage none = there(session, session.createTextMessage());
    assertNull(none.getText());
  }

  @Test
  public void bytes() throws Exception {
    PabalSession session = session();
    BytesMessage message = session.createBytesMessage();
    message.writeBoolean(true);
    message.writeByte((byte) -1);
    message.writeShort((short) -2);
    message.writeChar('길');
    message.writeInt(Integer.MIN_VALUE);
    message.writeLong(Long.MAX_VALUE);
    message.writeFloat(1.5f);
    message.writeDouble(Math.PI);
    message.writeUTF(ALL_KINDS_OF_TEXT);
    message.writeObject(7);
    message.writeBytes(new byte[] {0, 10, 13, 0});
    BytesMessage back = there(session, message);
    assertTrue(back.readBoolean());
    assertEquals(255, back.readUnsignedByte());
    assertEquals(-2, back.readShort());
    assertEquals('길', back.readChar());
    assertEquals(Integer.MIN_VALUE, back.readInt());
    assertEquals(Long.MAX_VALUE, back.readLong());
    assertEquals(1.5f, back.readFloat(), 0);
    assertEquals(Math.PI, back.readDouble(), 0);
    assertEquals(ALL_KINDS_OF_TEXT, back.readUTF());
    assertEquals(7, back.readInt());
    byte[] rest = new byte[10];
    assertEquals(4, back.readBytes(rest));
    assertArrayEquals(new byte[] {0, 10, 13, 0, 0, 0, 0, 0, 0, 0}, rest);
    assertEquals(-1, back.readBytes(rest));
    BytesMessage empty = there(session, session.createBytesMessage());
    assertEquals(0, empty.getBodyLength());
  }

  @Test
  public void maps() throws Exception {
    PabalSession session = session();
    MapMessage message = session.createMapMessage();
    message.setBoolean("boolean", true);
    message.setByte("byte", (byte) -128);
    message.setShort("short", Short.MAX_VALUE);
    message.setChar("char", '"');
    message.setInt("int", -7);
    message.setLong("long", Long.MIN_VALUE);
    message.setFloat("float", Float.NaN);
    message.setDouble("double", Double.MIN_VALUE);
    message.setString("text", ALL_KINDS_OF_TEXT);
    message.setString("nul", "a\0b");
    message.setBytes("bytes", new byte[] {0, -1, 5});
    message.setObject("null", null);
    message.setString("이름", "값");
    MapMessage back = there(session, message);
    assertEquals(true, back.getObject("boolean"));
    assertEquals((byte) -128, back.getObject("byte"));
    assertEquals(Short.MAX_VALUE, back.getObject("short"));
    assertEquals('"', back.getObject("char"));
    assertEquals(-7, back.getObject("int"));
    assertEquals(Long.MIN_VALUE, back.getObject("long"));
    assertEquals(Float.NaN, back.getObject("float"));
    assertEquals(Double.MIN_VALUE, back.getObject("double"));
    assertEquals(ALL_KINDS_OF_TEXT, back.getString("text"));
    assertEquals("a\0b", back.getString("nul"));
    assertArrayEquals(new byte[] {0, -1, 5}, back.getBytes("bytes"));
    assertTrue(back.itemExists("null"));
    assertNull(back.getObject("null"));
    assertEquals("값", back.getString("이름"));
    assertEquals(13, list(back.getMapNames()).size());
    assertThrows(MessageNotWriteableException.class, () -> back.setInt("int", 1));
    MapMessage empty = there(session, session.createMapMessage());
    assertFalse(empty.getMapNames().hasMoreElements());
  }

  @Test
  public void streams() throws Exception {
    PabalSession session = session();
    StreamMessage message = session.createStreamMessage();
    message.writeBoolean(false);
    message.writeByte((byte) 1);
    message.writeChar('x');
    message.writeInt(42);
    message.writeString(ALL_KINDS_OF_TEXT);
    message.writeBytes(new byte[] {1, 2, 3});
    message.writeObject(null);
    message.writeDouble(2.5);
    StreamMessage back = there(session, message);
    assertFalse(back.readBoolean());
    assertEquals("1", back.readString());
    assertEquals('x', back.readChar());
    assertEquals(42L, back.readLong());
    assertEquals(ALL_KINDS_OF_TEXT, back.readString());
    byte[] two = new byte[2];
    assertEquals(2, back.readBytes(two));
    assertThrows(MessageFormatException.class, back::readInt);
    assertEquals(1, back.readBytes(two));
    assertEquals(3, two[0]);
    assertNull(back.readObject());
    assertEquals(2.5, back.readDouble(), 0);
    assertThrows(javax.jms.MessageEOFException.class, back::readInt);
    back.reset();
    assertFalse(back.readBoolean());
  }

  /** What an application might send. */
  public static final class Payslip implements Serializable {
    private static final long serialVersionUID = 1L;
    final String name;

    Payslip(String name) {
      this.name = name;
    }
  }

  @Test
  public void objectsOnlyOfTrustedPackages() throws Exception {
    PabalSession session = session();
    ObjectMessage refused = there(session, session.createObjectMessage(new Payslip("Kim")));
    MessageFormatException e = assertThrows(MessageFormatException.class, refused::getObject);
    assertTrue(e.getMessage(), e.getMessage().contains("trustedPackages"));

    ObjectMessage number = there(session, session.createObjectMessage(12));
    assertEquals(12, number.getObject());
    ObjectMessage nothing = there(session, session.createObjectMessage());
    assertNull(nothing.getObject());

    PabalSession trusting =
        auto(started(TestBroker.url() + "?jms.trustedPackages=java.math,org.pabal.jms"));
    ObjectMessage payslip = there(trusting, trusting.createObjectMessage(new Payslip("Kim")));
    assertEquals("Kim", ((Payslip) payslip.getObject()).name);
    ObjectMessage list = there(trusting,
        trusting.createObjectMessage(new java.util.ArrayList<>(List.of("a"))));
    assertThrows(MessageFormatException.class, list::getObject);

    PabalSession careless = auto(started(TestBroker.url() + "?jms.trustAllPackages=true"));
    ObjectMessage any = there(careless,
        careless.createObjectMessage(new java.util.ArrayList<>(List.of("a"))));
    assertEquals(List.of("a"), any.getObject());
  }

  @Test
  public void aMessageWithoutABody() throws Exception {
    PabalSession session = session();
    Message back = there(session, session.createMessage());
    assertEquals(PabalMessage.class, back.getClass());
  }

  @Test
  public void headers() throws Exception {
    PabalSession session = session();
    TextMessage message = session.createTextMessage("x");
    message.setJMSCorrelationID("order: 5\n");
    message.setJMSType("pay slip");
    message.setJMSReplyTo(new PabalTopic("answers"));
    MessageProducer producer = session.createProducer(queue());
    long before = System.currentTimeMillis();
    producer.send(message, DeliveryMode.NON_PERSISTENT, 7, 3_600_000);
    MessageConsumer consumer = session.createConsumer(queue());
    TextMessage back = receive(consumer);
    consumer.close();
    assertEquals(message.getJMSMessageID(), back.getJMSMessageID());
    assertTrue(back.getJMSMessageID().startsWith("ID:"));
    assertEquals(queue(), back.getJMSDestination());
    assertEquals(DeliveryMode.NON_PERSISTENT, back.getJMSDeliveryMode());
    assertEquals(7, back.getJMSPriority());
    assertTrue(back.getJMSTimestamp() >= before);
    assertEquals(message.getJMSTimestamp(), back.getJMSTimestamp());
    assertEquals(back.getJMSTimestamp() + 3_600_000, back.getJMSExpiration());
    assertEquals("order: 5\n", back.getJMSCorrelationID());
    assertEquals("pay slip", back.getJMSType());
    assertEquals(new PabalTopic("answers"), back.getJMSReplyTo());
    assertFalse(back.getJMSRedelivered());
    assertEquals(1, back.getIntProperty("JMSXDeliveryCount"));
    TextMessage persistent = there(session, session.createTextMessage("y"));
    assertEquals(DeliveryMode.PERSISTENT, persistent.getJMSDeliveryMode());
    assertEquals(4, persistent.getJMSPriority());
    assertEquals(0, persistent.getJMSExpiration());
    assertNull(persistent.getJMSReplyTo());
  }

  @Test
  public void correlationAsBytes() throws Exception {
    PabalSession session = session();
    for (byte[] bytes : List.of(new byte[] {0, -1, 10, 58}, new byte[] {'t', 'e', 'x', 't'})) {
      Message message = session.createMessage();
      message.setJMSCorrelationIDAsBytes(bytes);
      assertArrayEquals(bytes, there(session, message).getJMSCorrelationIDAsBytes());
    }
  }

  @Test
  public void propertiesKeepTheirTypes() throws Exception {
    PabalSession session = session();
    Message message = session.createMessage();
    message.setBooleanProperty("boolean_", true);
    message.setByteProperty("byte_", (byte) 5);
    message.setShortProperty("short_", (short) 6);
    message.setIntProperty("int_", 7);
    message.setLongProperty("long_", 8L);
    message.setFloatProperty("float_", Float.POSITIVE_INFINITY);
    message.setDoubleProperty("double_", 1e300);
    message.setStringProperty("text", ALL_KINDS_OF_TEXT);
    message.setStringProperty("empty", "");
    message.setStringProperty("number", "5");
    message.setStringProperty("nul", "a\0b");
    message.setStringProperty("nothing", null);
    message.setStringProperty("type", "named as STOMP's own");
    message.setIntProperty("priority", 12);
    Message back = there(session, message);
    assertEquals(true, back.getObjectProperty("boolean_"));
    assertEquals((byte) 5, back.getObjectProperty("byte_"));
    assertEquals((short) 6, back.getObjectProperty("short_"));
    assertEquals(7, back.getObjectProperty("int_"));
    assertEquals(8L, back.getObjectProperty("long_"));
    assertEquals(Float.POSITIVE_INFINITY, back.getObjectProperty("float_"));
    assertEquals(1e300, back.getObjectProperty("double_"));
    assertEquals(ALL_KINDS_OF_TEXT, back.getObjectProperty("text"));
    assertEquals("", back.getObjectProperty("empty"));
    assertEquals("5", back.getObjectProperty("number"));
    assertEquals("a\0b", back.getObjectProperty("nul"));
    assertTrue(back.propertyExists("nothing"));
    assertNull(back.getObjectProperty("nothing"));
    assertEquals("named as STOMP's own", back.getObjectProperty("type"));
    assertEquals(12, back.getObjectProperty("priority"));
    assertEquals(4, back.getJMSPriority());
    Set<Object> names = new TreeSet<>(list(back.getPropertyNames()));
    assertEquals(Set.of("boolean_", "byte_", "short_", "int_", "long_", "float_", "double_", "text",
        "empty", "number", "nul", "nothing", "type", "priority"), names);
    assertThrows(MessageNotWriteableException.class, () -> back.setIntProperty("int_", 1));
    back.clearProperties();
    back.setIntProperty("int_", 1);
    assertFalse(back.propertyExists("text"));
  }

  @Test
  public void whatNoHeaderCanHoldIsRefusedAndHarmsNothing() throws Exception {
    PabalSession session = session();
    Message message = session.createMessage();
    message.setStringProperty("large", "x".repeat(11_000));
    MessageProducer producer = session.createProducer(queue());
    assertThrows(MessageFormatException.class, () -> producer.send(message));
    assertThrows(MessageFormatException.class, () -> message.setIntProperty("a:b", 1));
    assertEquals("still here", there(session, session.createTextMessage("still here")).getText());
  }

  @Test
  public void groups() throws Exception {
    org.junit.Assume.assumeTrue("ActiveMQ does not tell STOMP clients", TestBroker.isPabal());
    PabalSession session = session();
    Message message = session.createMessage();
    message.setStringProperty("JMSXGroupID", "employee 5");
    message.setIntProperty("JMSXGroupSeq", 3);
    Message back = there(session, message);
    assertEquals("employee 5", back.getStringProperty("JMSXGroupID"));
    assertEquals(3, back.getObjectProperty("JMSXGroupSeq"));
  }

  @Test
  public void aReceivedMessageCanBeForwarded() throws Exception {
    PabalSession session = session();
    TextMessage message = session.createTextMessage("round and round");
    message.setIntProperty("hops", 1);
    TextMessage received = there(session, message);
    String firstId = received.getJMSMessageID();
    TextMessage again = there(session, received);
    assertEquals("round and round", again.getText());
    assertEquals(1, again.getObjectProperty("hops"));
    assertFalse(firstId.equals(again.getJMSMessageID()));
  }

  @Test
  public void producersSettings() throws Exception {
    PabalSession session = session();
    MessageProducer producer = session.createProducer(queue());
    producer.setDisableMessageID(true);
    producer.setDisableMessageTimestamp(true);
    producer.setDeliveryMode(DeliveryMode.NON_PERSISTENT);
    producer.setPriority(9);
    producer.setTimeToLive(60_000);
    assertTrue(producer.getDisableMessageID());
    assertTrue(producer.getDisableMessageTimestamp());
    TextMessage message = session.createTextMessage("x");
    producer.send(message);
    assertNull(message.getJMSMessageID());
    assertEquals(0, message.getJMSTimestamp());
    Message back = receive(session.createConsumer(queue()));
    assertEquals(9, back.getJMSPriority());
    assertEquals(DeliveryMode.NON_PERSISTENT, back.getJMSDeliveryMode());
    assertTrue(back.getJMSExpiration() > System.currentTimeMillis());
    assertThrows(javax.jms.JMSException.class, () -> producer.setPriority(10));
    assertThrows(javax.jms.JMSException.class, () -> producer.setDeliveryMode(3));
    assertThrows(UnsupportedOperationException.class,
        () -> producer.send(new PabalQueue("another"), message));
    MessageProducer any = session.createProducer(null);
    assertThrows(UnsupportedOperationException.class, () -> any.send(message));
    assertThrows(javax.jms.InvalidDestinationException.class,
        () -> any.send((javax.jms.Destination) null, message));
    producer.close();
    assertThrows(javax.jms.IllegalStateException.class, () -> producer.send(message));
  }

  @Test
  public void theIdOfAMessageIsTheBrokersToo() throws Exception {
    org.junit.Assume.assumeTrue("another broker makes one of its own", TestBroker.isPabal());
    PabalSession session = session();
    TextMessage message = session.createTextMessage("selected");
    session.createProducer(queue()).send(message);
    MessageConsumer consumer = session.createConsumer(queue(),
        "JMSMessageID = '" + message.getJMSMessageID() + "'");
    assertEquals(message.getJMSMessageID(), receive(consumer).getJMSMessageID());
  }

  @Test
  public void whatWasSentCanBeChangedAndSentAgain() throws Exception {
    PabalSession session = session();
    MessageProducer producer = session.createProducer(queue());
    TextMessage message = session.createTextMessage("first");
    producer.send(message);
    String firstId = message.getJMSMessageID();
    message.setText("second");
    producer.send(message);
    assertFalse(firstId.equals(message.getJMSMessageID()));
    MessageConsumer consumer = session.createConsumer(queue());
    assertEquals("first", receiveText(consumer));
    assertEquals("second", receiveText(consumer));
  }

  @Test
  public void foreignMessagesAreSent() throws Exception {
    PabalSession session = session();
    ActiveMQTextMessage text = new ActiveMQTextMessage();
    text.setText("of another provider");
    text.setIntProperty("p", 5);
    text.setJMSCorrelationID("c");
    session.createProducer(queue()).send(text);
    assertEquals(name(), ((javax.jms.Queue) text.getJMSDestination()).getQueueName());
    ActiveMQMapMessage map = new ActiveMQMapMessage();
    map.setLong("long", 5);
    session.createProducer(queue()).send(map);
    ActiveMQStreamMessage stream = new ActiveMQStreamMessage();
    stream.writeInt(1);
    stream.writeString("two");
    session.createProducer(queue()).send(stream);
    ActiveMQBytesMessage bytes = new ActiveMQBytesMessage();
    bytes.writeBytes(new byte[] {1, 2});
    session.createProducer(queue()).send(bytes);

    MessageConsumer consumer = session.createConsumer(queue());
    TextMessage textBack = receive(consumer);
    assertEquals("of another provider", textBack.getText());
    assertEquals(5, textBack.getObjectProperty("p"));
    assertEquals("c", textBack.getJMSCorrelationID());
    assertEquals(text.getJMSMessageID(), textBack.getJMSMessageID());
    assertEquals(5L, ((MapMessage) receive(consumer)).getObject("long"));
    StreamMessage streamBack = receive(consumer);
    assertEquals(1, streamBack.readInt());
    assertEquals("two", streamBack.readString());
    assertEquals(2, ((BytesMessage) receive(consumer)).getBodyLength());
  }
}
