package org.pabal.jms;

import java.util.Arrays;
import java.util.Collections;
import java.util.Enumeration;
import java.util.LinkedHashMap;
import java.util.Map;
import javax.jms.JMSException;
import javax.jms.MapMessage;
import javax.jms.MessageFormatException;

/** Named values, in the order of setting. Thread: as {@link PabalMessage}. */
public final class PabalMapMessage extends PabalMessage implements MapMessage {
  private final Map<String, Object> values = new LinkedHashMap<>();

  PabalMapMessage() {}

  Map<String, Object> values() {
    return values;
  }

  @Override
  public boolean getBoolean(String name) throws JMSException {
    return Conversions.toBoolean(values.get(name));
  }

  @Override
  public byte getByte(String name) throws JMSException {
    return Conversions.toByte(values.get(name));
  }

  @Override
  public short getShort(String name) throws JMSException {
    return Conversions.toShort(values.get(name));
  }

  @Override
  public char getChar(String name) throws JMSException {
    return Conversions.toChar(values.get(name));
  }

  @Override
  public int getInt(String name) throws JMSException {
    return Conversions.toInt(values.get(name));
  }

  @Override
  public long getLong(String name) throws JMSException {
    return Conversions.toLong(values.get(name));
  }

  @Override
  public float getFloat(String name) throws JMSException {
    return Conversions.toFloat(values.get(name));
  }

  @Override
  public double getDouble(String name) throws JMSException {
    return Conversions.toDouble(values.get(name));
  }

  @Override
  public String getString(String name) throws JMSException {
    return Conversions.toText(values.get(name));
  }

  @Override
  public byte[] getBytes(String name) throws JMSException {
    return Conversions.toBytes(values.get(name));
  }

  @Override
  public Object getObject(String name) {
    Object value = values.get(name);
    return value instanceof byte[] bytes ? bytes.clone() : value;
  }

  @Override
  public Enumeration<String> getMapNames() {
    return Collections.enumeration(new java.util.ArrayList<>(values.keySet()));
  }

  @Override
  public void setBoolean(String name, boolean value) throws JMSException {
    setObject(name, value);
  }

  @Override
  public void setByte(String name, byte value) throws JMSException {
    setObject(name, value);
  }

  @Override
  public void setShort(String name, short value) throws JMSException {
    setObject(name, value);
  }

  @Override
  public void setChar(String name, char value) throws JMSException {
    setObject(name, value);
  }

  @Override
  public void setInt(String name, int value) throws JMSException {
    setObject(name, value);
  }

  @Override
  public void setLong(String name, long value) throws JMSException {
    setObject(name, value);
  }

  @Override
  public void setFloat(String name, float value) throws JMSException {
    setObject(name, value);
  }

  @Override
  public void setDouble(String name, double value) throws JMSException {
    setObject(name, value);
  }

  @Override
  public void setString(String name, String value) throws JMSException {
    setObject(name, value);
  }

  @Override
  public void setBytes(String name, byte[] value) throws JMSException {
    setObject(name, value);
  }

  @Override
  public void setBytes(String name, byte[] value, int offset, int length) throws JMSException {
    setObject(name, Arrays.copyOfRange(value, offset, offset + length));
  }

  /** @throws MessageFormatException if the value is none that JMS allows in a map */
  @Override
  public void setObject(String name, Object value) throws JMSException {
    if (name == null || name.isEmpty()) {
      throw new IllegalArgumentException("a value of a map needs a name");
    }
    checkBodyWritable();
    if (!Conversions.isBodyValue(value)) {
      throw new MessageFormatException("a " + value.getClass().getName() + " in a map");
    }
    values.put(name, value instanceof byte[] bytes ? bytes.clone() : value);
  }

  @Override
  public boolean itemExists(String name) {
    return values.containsKey(name);
  }

  @Override
  public void clearBody() throws JMSException {
    super.clearBody();
    values.clear();
  }
}
