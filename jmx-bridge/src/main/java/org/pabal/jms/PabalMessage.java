package org.pabal.jms;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Collections;
import java.util.Enumeration;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.Map;
import javax.jms.DeliveryMode;
import javax.jms.Destination;
import javax.jms.JMSException;
import javax.jms.Message;
import javax.jms.MessageFormatException;
import javax.jms.MessageNotWriteableException;

/**
 * A message without a body, and what all kinds have in common: headers and properties. Used by one
 * thread at a time, as JMS says of all that belongs to a session.
 */
public class PabalMessage implements Message {
  private static final String DELIVERY_COUNT = "JMSXDeliveryCount";
  private static final String BINARY_CORRELATION = "ID:BINARY:";

  private String messageId;
  private long timestamp;
  private String correlationId;
  private PabalDestination replyTo;
  private PabalDestination destination;
  private int deliveryMode = DeliveryMode.PERSISTENT;
  private boolean redelivered;
  private String type;
  private long expiration;
  private int priority = DEFAULT_PRIORITY;
  private int deliveryCount;
  private final Map<String, Object> properties = new LinkedHashMap<>();
  private boolean readOnlyProperties;
  private boolean readOnlyBody;
  private Delivery delivery;

  PabalMessage() {}

  // --- headers ---------------------------------------------------------------------------------

  @Override
  public String getJMSMessageID() {
    return messageId;
  }

  @Override
  public void setJMSMessageID(String id) {
    messageId = id;
  }

  @Override
  public long getJMSTimestamp() {
    return timestamp;
  }

  @Override
  public void setJMSTimestamp(long millis) {
    timestamp = millis;
  }

  /** UTF-8 of the text, or the bytes that {@link #setJMSCorrelationIDAsBytes} was given. */
  @Override
  public byte[] getJMSCorrelationIDAsBytes() throws JMSException {
    if (correlationId == null) {
      return null;
    }
    if (correlationId.startsWith(BINARY_CORRELATION)) {
      try {
        return HexFormat.of().parseHex(correlationId.substring(BINARY_CORRELATION.length()));
      } catch (IllegalArgumentException e) {
        // A text that only looks like ours.
      }
    }
    return correlationId.getBytes(StandardCharsets.UTF_8);
  }

  /** Bytes that are no text become one: `ID:BINARY:` and hexadecimal digits. */
  @Override
  public void setJMSCorrelationIDAsBytes(byte[] bytes) {
    if (bytes == null) {
      correlationId = null;
      return;
    }
    try {
      correlationId =
          StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
    } catch (CharacterCodingException e) {
      correlationId = BINARY_CORRELATION + HexFormat.of().formatHex(bytes);
    }
  }

  @Override
  public void setJMSCorrelationID(String id) {
    correlationId = id;
  }

  @Override
  public String getJMSCorrelationID() {
    return correlationId;
  }

  @Override
  public Destination getJMSReplyTo() {
    return replyTo;
  }

  @Override
  public void setJMSReplyTo(Destination to) throws JMSException {
    replyTo = to == null ? null : PabalDestination.from(to);
  }

  @Override
  public Destination getJMSDestination() {
    return destination;
  }

  @Override
  public void setJMSDestination(Destination to) throws JMSException {
    destination = to == null ? null : PabalDestination.from(to);
  }

  @Override
  public int getJMSDeliveryMode() {
    return deliveryMode;
  }

  @Override
  public void setJMSDeliveryMode(int mode) throws JMSException {
    if (mode != DeliveryMode.PERSISTENT && mode != DeliveryMode.NON_PERSISTENT) {
      throw new JMSException("no delivery mode: " + mode);
    }
    deliveryMode = mode;
  }

  @Override
  public boolean getJMSRedelivered() {
    return redelivered;
  }

  @Override
  public void setJMSRedelivered(boolean value) {
    redelivered = value;
  }

  @Override
  public String getJMSType() {
    return type;
  }

  @Override
  public void setJMSType(String text) {
    type = text;
  }

  @Override
  public long getJMSExpiration() {
    return expiration;
  }

  @Override
  public void setJMSExpiration(long millis) {
    expiration = millis;
  }

  @Override
  public int getJMSPriority() {
    return priority;
  }

  @Override
  public void setJMSPriority(int value) throws JMSException {
    if (value < 0 || value > 9) {
      throw new JMSException("no priority: " + value);
    }
    priority = value;
  }

  // --- properties ------------------------------------------------------------------------------

  @Override
  public void clearProperties() {
    properties.clear();
    readOnlyProperties = false;
  }

  @Override
  public boolean propertyExists(String name) {
    return properties.containsKey(name) || name.equals(DELIVERY_COUNT) && deliveryCount > 0;
  }

  @Override
  public boolean getBooleanProperty(String name) throws JMSException {
    return Conversions.toBoolean(getObjectProperty(name));
  }

  @Override
  public byte getByteProperty(String name) throws JMSException {
    return Conversions.toByte(getObjectProperty(name));
  }

  @Override
  public short getShortProperty(String name) throws JMSException {
    return Conversions.toShort(getObjectProperty(name));
  }

  @Override
  public int getIntProperty(String name) throws JMSException {
    return Conversions.toInt(getObjectProperty(name));
  }

  @Override
  public long getLongProperty(String name) throws JMSException {
    return Conversions.toLong(getObjectProperty(name));
  }

  @Override
  public float getFloatProperty(String name) throws JMSException {
    return Conversions.toFloat(getObjectProperty(name));
  }

  @Override
  public double getDoubleProperty(String name) throws JMSException {
    return Conversions.toDouble(getObjectProperty(name));
  }

  @Override
  public String getStringProperty(String name) throws JMSException {
    return Conversions.toText(getObjectProperty(name));
  }

  @Override
  public Object getObjectProperty(String name) {
    if (name.equals(DELIVERY_COUNT) && deliveryCount > 0) {
      return deliveryCount;
    }
    return properties.get(name);
  }

  @Override
  public Enumeration<String> getPropertyNames() {
    return Collections.enumeration(new java.util.ArrayList<>(properties.keySet()));
  }

  @Override
  public void setBooleanProperty(String name, boolean value) throws JMSException {
    setObjectProperty(name, value);
  }

  @Override
  public void setByteProperty(String name, byte value) throws JMSException {
    setObjectProperty(name, value);
  }

  @Override
  public void setShortProperty(String name, short value) throws JMSException {
    setObjectProperty(name, value);
  }

  @Override
  public void setIntProperty(String name, int value) throws JMSException {
    setObjectProperty(name, value);
  }

  @Override
  public void setLongProperty(String name, long value) throws JMSException {
    setObjectProperty(name, value);
  }

  @Override
  public void setFloatProperty(String name, float value) throws JMSException {
    setObjectProperty(name, value);
  }

  @Override
  public void setDoubleProperty(String name, double value) throws JMSException {
    setObjectProperty(name, value);
  }

  @Override
  public void setStringProperty(String name, String value) throws JMSException {
    setObjectProperty(name, value);
  }

  /**
   * @throws IllegalArgumentException if there is no name
   * @throws MessageFormatException if the value is none that JMS allows, or the name cannot be a
   *     header of STOMP
   * @throws MessageNotWriteableException if the message was received
   */
  @Override
  public void setObjectProperty(String name, Object value) throws JMSException {
    if (name == null || name.isEmpty()) {
      throw new IllegalArgumentException("a property needs a name");
    }
    if (readOnlyProperties) {
      throw new MessageNotWriteableException("the properties of a received message; clear them");
    }
    if (!Conversions.isPropertyValue(value)) {
      throw new MessageFormatException("a " + value.getClass().getName() + " as a property");
    }
    if (name.chars().anyMatch(c -> c < ' ' || c == ':')) {
      throw new MessageFormatException("'" + name + "' cannot be the name of a property");
    }
    properties.put(name, value);
  }

  // --- life ------------------------------------------------------------------------------------

  /**
   * In CLIENT_ACKNOWLEDGE, all that the session has received; in INDIVIDUAL_ACKNOWLEDGE, this
   * message. Returns when that is on the broker's disk; without effect in the other modes.
   *
   * @throws JMSException if the connection was lost since the delivery: it comes again
   */
  @Override
  public void acknowledge() throws JMSException {
    if (delivery != null) {
      delivery.consumer().session().acknowledge(delivery);
    }
  }

  @Override
  public void clearBody() throws JMSException {
    readOnlyBody = false;
  }

  final void checkBodyWritable() throws MessageNotWriteableException {
    if (readOnlyBody) {
      throw new MessageNotWriteableException("the body of a received message; clear it");
    }
  }

  final boolean hasReadOnlyBody() {
    return readOnlyBody;
  }

  final void setReadOnlyBody(boolean value) {
    readOnlyBody = value;
  }

  final Map<String, Object> properties() {
    return properties;
  }

  /** Properties and body are now what was received. */
  void received(Delivery by, int count) {
    delivery = by;
    deliveryCount = count;
    readOnlyProperties = true;
    readOnlyBody = true;
  }

  /** What is being sent stays as it is now: a body that was being written can be read. */
  void beforeSend() throws JMSException {}

  @Override
  public String toString() {
    return getClass().getSimpleName() + " " + messageId + " of " + destination;
  }
}
