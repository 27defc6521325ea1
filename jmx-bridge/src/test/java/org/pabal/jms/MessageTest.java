package org.pabal.jms;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNull;
import static org.junit.Assert.assertThrows;
import static org.junit.Assert.assertTrue;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import javax.jms.MessageFormatException;
import javax.jms.MessageNotReadableException;
import javax.jms.MessageNotWriteableException;
import org.junit.Test;

/** JMS 1.1 §3.5.4, §3.11, §3.12: messages by themselves. */
public class MessageTest {
  private static final Object[] VALUES =
      {true, (byte) 1, (short) 2, 3, 4L, 5.0f, 6.0, "7", 'c', new byte[] {1}};
  private static final String[] TYPES = {"boolean", "byte", "short", "int", "long", "float",
      "double", "String", "char", "byte[]"};
  // JMS 1.1 §3.11.3: a row for what was written, a column for what is read.
  private static final String[] TABLE = {
      "x......x..",
      ".xxxx..x..",
      "..xxx..x..",
      "...xx..x..",
      "....x..x..",
      ".....xxx..",
      "......xx..",
      "xxxxxxxx..",
      ".......xx.",
      ".........x"};

  private interface Read {
    Object from(PabalMapMessage map) throws Exception;
  }

  private static final Read[] READS = {m -> m.getBoolean("v"), m -> m.getByte("v"),
      m -> m.getShort("v"), m -> m.getInt("v"), m -> m.getLong("v"), m -> m.getFloat("v"),
      m -> m.getDouble("v"), m -> m.getString("v"), m -> m.getChar("v"), m -> m.getBytes("v")};

  @Test
  public void conversionsOfMaps() throws Exception {
    for (int row = 0; row < VALUES.length; ++row) {
      PabalMapMessage map = new PabalMapMessage();
      map.setObject("v", VALUES[row]);
      for (int column = 0; column < READS.length; ++column) {
        String what = TYPES[row] + " as " + TYPES[column];
        Read read = READS[column];
        if (TABLE[row].charAt(column) == 'x') {
          assertTrue(what, read.from(map) != null);
        } else {
          assertThrows(what, MessageFormatException.class, () -> read.from(map));
        }
      }
    }
  }

  @Test
  public void conversionsOfWhatIsNotThere() throws Exception {
    PabalMessage message = new PabalMessage();
    assertFalse(message.getBooleanProperty("none"));
    assertNull(message.getStringProperty("none"));
    assertNull(message.getObjectProperty("none"));
    assertThrows(NumberFormatException.class, () -> message.getByteProperty("none"));
    assertThrows(NumberFormatException.class, () -> message.getShortProperty("none"));
    assertThrows(NumberFormatException.class, () -> message.getIntProperty("none"));
    assertThrows(NumberFormatException.class, () -> message.getLongProperty("none"));
    assertThrows(NullPointerException.class, () -> message.getFloatProperty("none"));
    assertThrows(NullPointerException.class, () -> message.getDoubleProperty("none"));
    message.setStringProperty("text", "not a number");
    assertThrows(NumberFormatException.class, () -> message.getIntProperty("text"));
  }

  @Test
  public void propertiesNeedNamesAndValuesOfJms() {
    PabalMessage message = new PabalMessage();
    assertThrows(IllegalArgumentException.class, () -> message.setIntProperty("", 1));
    assertThrows(IllegalArgumentException.class, () -> message.setIntProperty(null, 1));
    assertThrows(MessageFormatException.class,
        () -> message.setObjectProperty("list", List.of()));
    assertThrows(MessageFormatException.class, () -> message.setObjectProperty("char", 'c'));
    assertThrows(MessageFormatException.class,
        () -> new PabalMapMessage().setObject("list", List.of()));
    assertThrows(MessageFormatException.class,
        () -> new PabalStreamMessage().writeObject(new Object()));
    assertThrows(MessageFormatException.class,
        () -> new PabalBytesMessage().writeObject(new Object()));
  }

  @Test
  public void bodiesAreWrittenOrRead() throws Exception {
    PabalBytesMessage bytes = new PabalBytesMessage();
    assertThrows(MessageNotReadableException.class, bytes::readInt);
    assertThrows(MessageNotReadableException.class, bytes::getBodyLength);
    bytes.writeInt(5);
    bytes.reset();
    assertEquals(4, bytes.getBodyLength());
    assertThrows(MessageNotWriteableException.class, () -> bytes.writeInt(6));
    assertThrows(javax.jms.MessageEOFException.class, bytes::readLong);
    assertEquals(5, bytes.readInt());
    bytes.clearBody();
    bytes.writeByte((byte) 1);

    PabalStreamMessage stream = new PabalStreamMessage();
    assertThrows(MessageNotReadableException.class, stream::readInt);
    stream.writeString("five");
    stream.reset();
    assertThrows(MessageNotWriteableException.class, () -> stream.writeInt(6));
    // A value that cannot be read so is still there.
    assertThrows(NumberFormatException.class, stream::readInt);
    assertEquals("five", stream.readString());
  }

  @Test
  public void receivedTextsAreReadOnlyUntilCleared() throws Exception {
    PabalTextMessage text = new PabalTextMessage("received");
    text.received(null, 1);
    assertThrows(MessageNotWriteableException.class, () -> text.setText("new"));
    text.clearBody();
    assertNull(text.getText());
    text.setText("new");
    assertEquals("new", text.getText());
    assertThrows(MessageNotWriteableException.class, () -> text.setIntProperty("a", 1));
    text.clearProperties();
    text.setIntProperty("a", 1);
  }

  @Test
  public void mapsAsActiveMqWritesThem() {
    Map<String, Object> map = new LinkedHashMap<>();
    BodyJson.readMap("{\"map\":{\"entry\":[{\"string\":\"i\",\"int\":3},"
        + "{\"string\":[\"k\",\"v\"]}, {\"string\":\"on\",\"boolean\":true}]}}", map);
    assertEquals(Map.of("i", 3, "k", "v", "on", true), map);
    map.clear();
    BodyJson.readMap("{\"map\":{\"entry\":{\"string\":\"only\",\"double\":0.5}}}", map);
    assertEquals(Map.of("only", 0.5), map);
  }

  @Test
  public void brokenJsonIsRefused() {
    for (String json : List.of("", "{", "[]", "{\"map\":{}}", "{\"map\":{\"entry\":[3]}}",
        "{\"map\":{\"entry\":[{\"string\":\"i\",\"int\":\"x\"}]}}", "{\"map\":\"\\u12\"}",
        "[".repeat(100_000), "{\"map\":{\"entry\":[{\"string\":\"i\",\"what\":1}]}}")) {
      assertThrows(json, IllegalArgumentException.class,
          () -> BodyJson.readMap(json, new LinkedHashMap<>()));
      assertThrows(json, IllegalArgumentException.class,
          () -> BodyJson.readStream(json, new ArrayList<>()));
    }
  }

  @Test
  public void destinationsAreValues() throws Exception {
    assertEquals(new PabalQueue("a"), new PabalQueue("queue://a"));
    assertFalse(new PabalQueue("a").equals(new PabalTopic("a")));
    assertEquals("topic://a", new PabalTopic("a").toString());
    assertEquals("/queue/a,/topic/b,/queue/c?x=1",
        new PabalQueue("a, topic://b, c?x=1").toStomp());
    assertThrows(javax.jms.InvalidDestinationException.class, () -> new PabalQueue(""));
  }
}
