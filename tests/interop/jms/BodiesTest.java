package interop.jms;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNull;
import static org.junit.Assert.assertTrue;

import java.util.Arrays;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import javax.jms.BytesMessage;
import javax.jms.JMSException;
import javax.jms.MapMessage;
import javax.jms.Message;
import javax.jms.MessageConsumer;
import javax.jms.MessageEOFException;
import javax.jms.MessageFormatException;
import javax.jms.MessageNotReadableException;
import javax.jms.MessageNotWriteableException;
import javax.jms.MessageProducer;
import javax.jms.ObjectMessage;
import javax.jms.Queue;
import javax.jms.Session;
import javax.jms.StreamMessage;
import javax.jms.TextMessage;
import org.junit.Before;
import org.junit.Test;

/** JMS 1.1 §3.9 to §3.12: bodies of messages. */
public class BodiesTest extends JmsTest {
  /** ASCII, two, three and four bytes of UTF-8, NUL, and the ends of the surrogates' range. */
  static final String TEXT = "payroll für 김철수 ☂ 🐎\u0000 end \ud7ff\ue000\uffff \ud83d\ude00";

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

  @SuppressWarnings("unchecked")
  private <M extends Message> M through(M message) throws JMSException {
    producer.send(message);
    return (M) receive(consumer);
  }

  @Test
  public void plainMessage() throws JMSException {
    Message message = session.createMessage();
    message.setStringProperty("only", "properties");
    Message received = through(message);
    assertEquals("properties", received.getStringProperty("only"));
    assertFalse(received instanceof TextMessage);
    assertFalse(received instanceof BytesMessage);
  }

  @Test
  public void text() throws JMSException {
    assertEquals(TEXT, through(session.createTextMessage(TEXT)).getText());
  }

  @Test
  public void textThatIsEmptyOrNull() throws JMSException {
    assertEquals("", through(session.createTextMessage("")).getText());
    assertNull(through(session.createTextMessage()).getText());
  }

  @Test
  public void textOfAMegabyte() throws JMSException {
    String large = String.join("", Collections.nCopies(10_000, TEXT));
    assertEquals(large, through(session.createTextMessage(large)).getText());
  }

  @Test
  public void bytes() throws JMSException {
    BytesMessage message = session.createBytesMessage();
    message.writeBoolean(true);
    message.writeByte((byte) -1);
    message.writeShort((short) -2);
    message.writeChar('☂');
    message.writeInt(-4);
    message.writeLong(Long.MIN_VALUE);
    message.writeFloat(0.1f);
    message.writeDouble(Double.MIN_NORMAL);
    message.writeUTF(TEXT);
    message.writeBytes(new byte[] {1, 2, 3, 0, -128});
    message.writeBytes(new byte[] {9, 8, 7, 6}, 1, 2);
    message.writeObject(5);
    BytesMessage m = through(message);
    assertTrue(m.readBoolean());
    assertEquals(-1, m.readByte());
    assertEquals(65534, m.readUnsignedShort());
    assertEquals('☂', m.readChar());
    assertEquals(-4, m.readInt());
    assertEquals(Long.MIN_VALUE, m.readLong());
    assertEquals(0.1f, m.readFloat(), 0);
    assertEquals(Double.MIN_NORMAL, m.readDouble(), 0);
    assertEquals(TEXT, m.readUTF());
    byte[] five = new byte[5];
    assertEquals(5, m.readBytes(five));
    assertArrayEquals(new byte[] {1, 2, 3, 0, -128}, five);
    byte[] two = new byte[2];
    assertEquals(2, m.readBytes(two));
    assertArrayEquals(new byte[] {8, 7}, two);
    assertEquals(5, m.readInt());
    assertEquals(-1, m.readBytes(two));
    expectThrown(MessageEOFException.class, m::readByte);
    m.reset();
    assertTrue(m.readBoolean());
    assertEquals(255, m.readUnsignedByte());
  }

  @Test
  public void bytesOfAllValuesAndTheirLength() throws JMSException {
    byte[] all = new byte[256 * 300];
    for (int i = 0; i < all.length; i++) {
      all[i] = (byte) i;
    }
    BytesMessage message = session.createBytesMessage();
    message.writeBytes(all);
    BytesMessage m = through(message);
    assertEquals(all.length, m.getBodyLength());
    byte[] read = new byte[all.length];
    assertEquals(all.length, m.readBytes(read));
    assertArrayEquals(all, read);
  }

  @Test
  public void bytesThatAreNone() throws JMSException {
    BytesMessage m = through(session.createBytesMessage());
    assertEquals(0, m.getBodyLength());
    assertEquals(-1, m.readBytes(new byte[1]));
  }

  @Test
  public void map() throws JMSException {
    MapMessage message = session.createMapMessage();
    message.setBoolean("boolean", true);
    message.setByte("byte", (byte) -1);
    message.setShort("short", (short) -2);
    message.setChar("char", '김');
    message.setInt("int", -4);
    message.setLong("long", Long.MAX_VALUE);
    message.setFloat("float", 1.25f);
    message.setDouble("double", -1e300);
    message.setString("string", "김철수 ☂");
    message.setString("null", null);
    message.setBytes("bytes", new byte[] {0, 1, -1});
    message.setBytes("part", new byte[] {0, 1, 2, 3}, 1, 2);
    message.setObject("object", 8L);
    MapMessage m = through(message);
    assertEquals(
        new HashSet<>(
            Arrays.asList("boolean", "byte", "short", "char", "int", "long", "float", "double",
                "string", "null", "bytes", "part", "object")),
        new HashSet<>(names(m)));
    assertTrue(m.getBoolean("boolean"));
    assertEquals(-1, m.getByte("byte"));
    assertEquals(-2, m.getShort("short"));
    assertEquals('김', m.getChar("char"));
    assertEquals(-4, m.getInt("int"));
    assertEquals(Long.MAX_VALUE, m.getLong("long"));
    assertEquals(1.25f, m.getFloat("float"), 0);
    assertEquals(-1e300, m.getDouble("double"), 0);
    assertEquals("김철수 ☂", m.getString("string"));
    assertNull(m.getString("null"));
    assertTrue(m.itemExists("null"));
    assertFalse(m.itemExists("nothing"));
    assertArrayEquals(new byte[] {0, 1, -1}, m.getBytes("bytes"));
    assertArrayEquals(new byte[] {1, 2}, m.getBytes("part"));
    assertEquals(8L, m.getObject("object"));
    assertNull(m.getObject("nothing"));
  }

  private static List<String> names(MapMessage message) throws JMSException {
    List<String> names = new java.util.ArrayList<>();
    for (java.util.Enumeration<?> e = message.getMapNames(); e.hasMoreElements(); ) {
      names.add((String) e.nextElement());
    }
    return names;
  }

  @Test
  public void mapThatIsEmpty() throws JMSException {
    assertEquals(Collections.emptyList(), names(through(session.createMapMessage())));
  }

  @Test
  public void mapConversions() throws JMSException {
    MapMessage message = session.createMapMessage();
    message.setByte("byte", (byte) 5);
    message.setLong("long", 6);
    message.setString("text", "7");
    message.setChar("char", 'c');
    message.setBytes("bytes", new byte[1]);
    MapMessage m = through(message);
    assertEquals(5, m.getInt("byte"));
    assertEquals("6", m.getString("long"));
    assertEquals(7, m.getInt("text"));
    assertEquals("c", m.getString("char"));
    expectThrown(MessageFormatException.class, () -> m.getInt("long"));
    expectThrown(MessageFormatException.class, () -> m.getInt("char"));
    expectThrown(MessageFormatException.class, () -> m.getString("bytes"));
    expectThrown(MessageFormatException.class, () -> m.getBoolean("byte"));
    expectThrown(
        MessageFormatException.class,
        () -> session.createMapMessage().setObject("thread", new Thread()));
    expectThrown(
        IllegalArgumentException.class, () -> session.createMapMessage().setString("", "x"));
  }

  @Test
  public void mapItemsThatAreNotThereReadAsNull() throws JMSException {
    BrokerUnderTest.assumeNotStock("its getInt answers 0 for an item that is not there");
    MapMessage m = through(session.createMapMessage());
    expectThrown(NumberFormatException.class, () -> m.getInt("nothing"));
    expectThrown(NumberFormatException.class, () -> m.getLong("nothing"));
    expectThrown(NullPointerException.class, () -> m.getChar("nothing"));
  }

  @Test
  public void stream() throws JMSException {
    StreamMessage message = session.createStreamMessage();
    message.writeBoolean(false);
    message.writeByte((byte) 1);
    message.writeShort((short) 2);
    message.writeChar('c');
    message.writeInt(4);
    message.writeLong(5);
    message.writeFloat(6.5f);
    message.writeDouble(7.5);
    message.writeString(TEXT);
    message.writeString(null);
    message.writeBytes(new byte[] {1, 2, 3});
    message.writeObject("object");
    message.writeInt(99);
    StreamMessage m = through(message);
    assertFalse(m.readBoolean());
    assertEquals(1, m.readByte());
    assertEquals(2, m.readShort());
    assertEquals('c', m.readChar());
    assertEquals(4, m.readInt());
    assertEquals(5, m.readLong());
    assertEquals(6.5f, m.readFloat(), 0);
    assertEquals(7.5, m.readDouble(), 0);
    assertEquals(TEXT, m.readString());
    assertNull(m.readObject());
    byte[] three = new byte[8];
    assertEquals(3, m.readBytes(three));
    assertArrayEquals(new byte[] {1, 2, 3}, Arrays.copyOf(three, 3));
    assertEquals("object", m.readObject());
    expectThrown(MessageFormatException.class, m::readChar);
    assertEquals("99", m.readString()); // §3.11.3: a failed read leaves the item where it is.
    expectThrown(MessageEOFException.class, m::readInt);
    m.reset();
    assertEquals("false", m.readString());
  }

  @Test
  public void object() throws JMSException {
    assertEquals(42L, through(session.createObjectMessage(42L)).getObject());
    assertEquals(TEXT, through(session.createObjectMessage(TEXT)).getObject());
    assertNull(through(session.createObjectMessage()).getObject());
  }

  @Test
  public void objectIsCopiedWhenItIsSet() throws JMSException {
    int[] value = {1, 2};
    ObjectMessage message = session.createObjectMessage(value);
    value[0] = 3; // javadoc of ObjectMessage: what is sent is a snapshot.
    assertArrayEquals(new int[] {1, 2}, (int[]) through(message).getObject());
  }

  @Test
  public void receivedBodiesAreReadOnlyUntilCleared() throws JMSException {
    TextMessage text = through(session.createTextMessage("text"));
    expectThrown(MessageNotWriteableException.class, () -> text.setText("other"));
    text.clearBody();
    assertNull(text.getText());
    text.setText("other");
    assertEquals("other", through(text).getText());

    MapMessage map = session.createMapMessage();
    map.setInt("i", 1);
    MapMessage receivedMap = through(map);
    expectThrown(MessageNotWriteableException.class, () -> receivedMap.setInt("i", 2));
    receivedMap.clearBody();
    assertFalse(receivedMap.itemExists("i"));

    BytesMessage bytes = session.createBytesMessage();
    bytes.writeInt(7);
    expectThrown(MessageNotReadableException.class, bytes::readInt);
    BytesMessage receivedBytes = through(bytes);
    expectThrown(MessageNotWriteableException.class, () -> receivedBytes.writeInt(1));
    receivedBytes.clearBody();
    receivedBytes.writeInt(8);
    receivedBytes.reset();
    assertEquals(8, receivedBytes.readInt());

    StreamMessage stream = session.createStreamMessage();
    stream.writeInt(7);
    expectThrown(MessageNotReadableException.class, stream::readInt);
    StreamMessage receivedStream = through(stream);
    expectThrown(MessageNotWriteableException.class, () -> receivedStream.writeInt(1));

    ObjectMessage received = through(session.createObjectMessage("object"));
    expectThrown(MessageNotWriteableException.class, () -> received.setObject("other"));
  }

  @Test
  public void clearingTheBodyLeavesProperties() throws JMSException {
    TextMessage message = session.createTextMessage("text");
    message.setIntProperty("int", 7);
    TextMessage m = through(message);
    m.clearBody();
    assertEquals(7, m.getIntProperty("int"));
  }

  @Test
  public void aMessageCanBeChangedAndSentAgain() throws JMSException {
    // §3.9: after send the client may keep and change it; what was sent is not touched.
    TextMessage message = session.createTextMessage("first");
    producer.send(message);
    message.setText("second");
    message.setIntProperty("round", 2);
    producer.send(message);
    TextMessage first = (TextMessage) receive(consumer);
    assertEquals("first", first.getText());
    assertFalse(first.propertyExists("round"));
    TextMessage second = (TextMessage) receive(consumer);
    assertEquals("second", second.getText());
    assertEquals(2, second.getIntProperty("round"));
  }

  @Test
  public void aReceivedMessageCanBeSentOn() throws JMSException {
    TextMessage message = session.createTextMessage("passed on");
    message.setStringProperty("kept", "yes");
    TextMessage once = through(message);
    TextMessage twice = through(once);
    assertEquals("passed on", twice.getText());
    assertEquals("yes", twice.getStringProperty("kept"));
  }

  @Test
  public void messagesOfAnotherProviderAreSent() throws JMSException {
    // §3.12: any implementation of the interface is taken.
    ForeignTextMessage foreign = new ForeignTextMessage("from elsewhere");
    foreign.setStringProperty("foreign", "yes");
    foreign.setJMSType("strange");
    producer.send(foreign);
    TextMessage received = (TextMessage) receive(consumer);
    assertEquals("from elsewhere", received.getText());
    assertEquals("yes", received.getStringProperty("foreign"));
    assertEquals("strange", received.getJMSType());
    assertEquals(received.getJMSMessageID(), foreign.getJMSMessageID());
  }
}
