package org.pabal.jms;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import javax.jms.JMSException;
import javax.jms.MessageEOFException;
import javax.jms.MessageFormatException;
import javax.jms.MessageNotReadableException;
import javax.jms.StreamMessage;

/**
 * Values one behind the other, written first and read after {@link #reset}. A value that cannot be read
 * as asked is still there for the next call. Thread: as {@link PabalMessage}.
 */
public final class PabalStreamMessage extends PabalMessage implements StreamMessage {
  private final List<Object> values = new ArrayList<>();
  private int next;
  private int bytesRead = -1;  // of the byte array at `next`; -1: not begun

  PabalStreamMessage() {}

  List<Object> values() {
    return values;
  }

  /** One of the conversions of {@link Conversions}. */
  private interface Reading<T> {
    T read(Object value) throws MessageFormatException;
  }

  private <T> T read(Reading<T> reading) throws JMSException {
    Object value = peek();
    if (bytesRead >= 0) {
      throw new MessageFormatException("a byte[] is being read; readBytes until it ends");
    }
    T result = reading.read(value);
    ++next;
    return result;
  }

  private Object peek() throws JMSException {
    if (!hasReadOnlyBody()) {
      throw new MessageNotReadableException("the stream is being written; reset it first");
    }
    if (next == values.size()) {
      throw new MessageEOFException("the end of the stream");
    }
    return values.get(next);
  }

  @Override
  public boolean readBoolean() throws JMSException {
    return read(Conversions::toBoolean);
  }

  @Override
  public byte readByte() throws JMSException {
    return read(Conversions::toByte);
  }

  @Override
  public short readShort() throws JMSException {
    return read(Conversions::toShort);
  }

  @Override
  public char readChar() throws JMSException {
    return read(Conversions::toChar);
  }

  @Override
  public int readInt() throws JMSException {
    return read(Conversions::toInt);
  }

  @Override
  public long readLong() throws JMSException {
    return read(Conversions::toLong);
  }

  @Override
  public float readFloat() throws JMSException {
    return read(Conversions::toFloat);
  }

  @Override
  public double readDouble() throws JMSException {
    return read(Conversions::toDouble);
  }

  @Override
  public String readString() throws JMSException {
    return read(Conversions::toText);
  }

  /** Part by part, as JMS 1.1 describes: -1 behind the last byte of the array. */
  @Override
  public int readBytes(byte[] target) throws JMSException {
    Object value = peek();
    if (value != null && !(value instanceof byte[])) {
      throw Conversions.wrong(value, "byte[]");
    }
    byte[] bytes = (byte[]) value;
    if (bytes == null || bytesRead == bytes.length && bytesRead > 0) {
      endBytes();
      return -1;
    }
    int from = Math.max(bytesRead, 0);
    int count = Math.min(target.length, bytes.length - from);
    System.arraycopy(bytes, from, target, 0, count);
    bytesRead = from + count;
    // "If the number of bytes read is less than the length of the array, there is no more": the
    // next call reads the next value.
    if (count < target.length) {
      endBytes();
    }
    return count;
  }

  private void endBytes() {
    bytesRead = -1;
    ++next;
  }

  @Override
  public Object readObject() throws JMSException {
    return read(value -> value instanceof byte[] bytes ? bytes.clone() : value);
  }

  @Override
  public void writeBoolean(boolean value) throws JMSException {
    writeObject(value);
  }

  @Override
  public void writeByte(byte value) throws JMSException {
    writeObject(value);
  }

  @Override
  public void writeShort(short value) throws JMSException {
    writeObject(value);
  }

  @Override
  public void writeChar(char value) throws JMSException {
    writeObject(value);
  }

  @Override
  public void writeInt(int value) throws JMSException {
    writeObject(value);
  }

  @Override
  public void writeLong(long value) throws JMSException {
    writeObject(value);
  }

  @Override
  public void writeFloat(float value) throws JMSException {
    writeObject(value);
  }

  @Override
  public void writeDouble(double value) throws JMSException {
    writeObject(value);
  }

  @Override
  public void writeString(String value) throws JMSException {
    writeObject(value);
  }

  @Override
  public void writeBytes(byte[] value) throws JMSException {
    writeObject(value);
  }

  @Override
  public void writeBytes(byte[] value, int offset, int length) throws JMSException {
    writeObject(Arrays.copyOfRange(value, offset, offset + length));
  }

  /** @throws MessageFormatException if the value is none that JMS allows in a stream */
  @Override
  public void writeObject(Object value) throws JMSException {
    checkBodyWritable();
    if (!Conversions.isBodyValue(value)) {
      throw new MessageFormatException("a " + value.getClass().getName() + " in a stream");
    }
    values.add(value instanceof byte[] bytes ? bytes.clone() : value);
  }

  @Override
  public void reset() {
    setReadOnlyBody(true);
    next = 0;
    bytesRead = -1;
  }

  @Override
  void received(Delivery by, int count) {
    super.received(by, count);
    reset();
  }

  @Override
  void beforeSend() {
    reset();
  }

  @Override
  public void clearBody() throws JMSException {
    super.clearBody();
    values.clear();
    next = 0;
    bytesRead = -1;
  }
}
