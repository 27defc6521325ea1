package org.pabal.jms;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.IOException;
import javax.jms.BytesMessage;
import javax.jms.JMSException;
import javax.jms.MessageEOFException;
import javax.jms.MessageFormatException;
import javax.jms.MessageNotReadableException;

/** Bytes, written first and read after {@link #reset}. Thread: as {@link PabalMessage}. */
public final class PabalBytesMessage extends PabalMessage implements BytesMessage {
  private byte[] bytes = new byte[0];
  private ByteArrayOutputStream written = new ByteArrayOutputStream();
  private DataOutputStream out = new DataOutputStream(written);
  private DataInputStream in;

  PabalBytesMessage() {}

  /** The bytes are not copied. */
  PabalBytesMessage(byte[] bytes) {
    this.bytes = bytes;
    reset();
  }

  /** Not a copy; of a message that was reset. */
  byte[] bytes() {
    return bytes;
  }

  @Override
  public long getBodyLength() throws JMSException {
    checkReadable();
    return bytes.length;
  }

  /** One call of a DataInputStream. */
  private interface Reading<T> {
    T read(DataInputStream in) throws IOException;
  }

  private <T> T read(Reading<T> reading) throws JMSException {
    checkReadable();
    in.mark(bytes.length);
    try {
      return reading.read(in);
    } catch (EOFException e) {
      rewind();
      throw Errors.withCause(new MessageEOFException("the end of the bytes"), e);
    } catch (IOException e) {
      rewind();
      throw Errors.withCause(new MessageFormatException(e.getMessage()), e);
    }
  }

  private void rewind() {
    try {
      in.reset();
    } catch (IOException e) {
      throw new AssertionError("an array has a mark", e);
    }
  }

  private void checkReadable() throws MessageNotReadableException {
    if (!hasReadOnlyBody()) {
      throw new MessageNotReadableException("the bytes are being written; reset them first");
    }
  }

  @Override
  public boolean readBoolean() throws JMSException {
    return read(DataInputStream::readBoolean);
  }

  @Override
  public byte readByte() throws JMSException {
    return read(DataInputStream::readByte);
  }

  @Override
  public int readUnsignedByte() throws JMSException {
    return read(DataInputStream::readUnsignedByte);
  }

  @Override
  public short readShort() throws JMSException {
    return read(DataInputStream::readShort);
  }

  @Override
  public int readUnsignedShort() throws JMSException {
    return read(DataInputStream::readUnsignedShort);
  }

  @Override
  public char readChar() throws JMSException {
    return read(DataInputStream::readChar);
  }

  @Override
  public int readInt() throws JMSException {
    return read(DataInputStream::readInt);
  }

  @Override
  public long readLong() throws JMSException {
    return read(DataInputStream::readLong);
  }

  @Override
  public float readFloat() throws JMSException {
    return read(DataInputStream::readFloat);
  }

  @Override
  public double readDouble() throws JMSException {
    return read(DataInputStream::readDouble);
  }

  @Override
  public String readUTF() throws JMSException {
    return read(stream -> stream.readUTF());
  }

  @Override
  public int readBytes(byte[] value) throws JMSException {
    return readBytes(value, value.length);
  }

  @Override
  public int readBytes(byte[] value, int length) throws JMSException {
    if (length < 0 || length > value.length) {
      throw new IndexOutOfBoundsException("length " + length + " of " + value.length);
    }
    return length == 0 ? 0 : read(stream -> stream.read(value, 0, length));
  }

  /** One call of a DataOutputStream. */
  private interface Writing {
    void write(DataOutputStream out) throws IOException;
  }

  private void write(Writing writing) throws JMSException {
    checkBodyWritable();
    try {
      writing.write(out);
    } catch (IOException e) {  // a text that is too long for writeUTF
      throw Errors.withCause(new MessageFormatException(e.getMessage()), e);
    }
  }

  @Override
  public void writeBoolean(boolean value) throws JMSException {
    write(stream -> stream.writeBoolean(value));
  }

  @Override
  public void writeByte(byte value) throws JMSException {
    write(stream -> stream.writeByte(value));
  }

  @Override
  public void writeShort(short value) throws JMSException {
    write(stream -> stream.writeShort(value));
  }

  @Override
  public void writeChar(char value) throws JMSException {
    write(stream -> stream.writeChar(value));
  }

  @Override
  public void writeInt(int value) throws JMSException {
    write(stream -> stream.writeInt(value));
  }

  @Override
  public void writeLong(long value) throws JMSException {
    write(stream -> stream.writeLong(value));
  }

  @Override
  public void writeFloat(float value) throws JMSException {
    write(stream -> stream.writeFloat(value));
  }

  @Override
  public void writeDouble(double value) throws JMSException {
    write(stream -> stream.writeDouble(value));
  }

  @Override
  public void writeUTF(String value) throws JMSException {
    write(stream -> stream.writeUTF(value));
  }

  @Override
  public void writeBytes(byte[] value) throws JMSException {
    write(stream -> stream.write(value));
  }

  @Override
  public void writeBytes(byte[] value, int offset, int length) throws JMSException {
    write(stream -> stream.write(value, offset, length));
  }

  /** @throws MessageFormatException if it is neither an objectified primitive, a text nor bytes */
  @Override
  public void writeObject(Object value) throws JMSException {
    if (value == null) {
      throw new NullPointerException("null has no bytes");
    }
    if (value instanceof Boolean v) {
      writeBoolean(v);
    } else if (value instanceof Byte v) {
      writeByte(v);
    } else if (value instanceof Short v) {
      writeShort(v);
    } else if (value instanceof Character v) {
      writeChar(v);
    } else if (value instanceof Integer v) {
      writeInt(v);
    } else if (value instanceof Long v) {
      writeLong(v);
    } else if (value instanceof Float v) {
      writeFloat(v);
    } else if (value instanceof Double v) {
      writeDouble(v);
    } else if (value instanceof String v) {
      writeUTF(v);
    } else if (value instanceof byte[] v) {
      writeBytes(v);
    } else {
      throw new MessageFormatException("a " + value.getClass().getName() + " as bytes");
    }
  }

  @Override
  public void reset() {
    if (!hasReadOnlyBody() && written.size() > 0) {
      bytes = written.toByteArray();
    }
    written = new ByteArrayOutputStream();
    out = new DataOutputStream(written);
    in = new DataInputStream(new ByteArrayInputStream(bytes));
    setReadOnlyBody(true);
  }

  @Override
  void beforeSend() {
    reset();
  }

  @Override
  public void clearBody() throws JMSException {
    super.clearBody();
    bytes = new byte[0];
    written = new ByteArrayOutputStream();
    out = new DataOutputStream(written);
  }
}
