package org.pabal.jms;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.ObjectInputFilter;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.io.ObjectStreamClass;
import java.io.Serializable;
import java.util.List;
import javax.jms.JMSException;
import javax.jms.MessageFormatException;
import javax.jms.ObjectMessage;

/**
 * A serialized object. What another wrote is opened by {@link #getObject} only, and only if its classes
 * are trusted: deserialization of anything that somebody sends runs code that he chose. Thread: as
 * {@link PabalMessage}.
 */
public final class PabalObjectMessage extends PabalMessage implements ObjectMessage {
  private final Trust trust;
  private byte[] bytes;  // null: the object null

  /**
   * Which classes may be made out of bytes.
   *
   * @param packages with all below them
   * @param all whether every class may
   */
  record Trust(List<String> packages, boolean all) {
    private ObjectInputFilter.Status check(ObjectInputFilter.FilterInfo info) {
      Class<?> type = info.serialClass();
      while (type != null && type.isArray()) {
        type = type.getComponentType();
      }
      if (all || type == null || type.isPrimitive()) {
        return ObjectInputFilter.Status.UNDECIDED;  // the limits of the Java process hold
      }
      String name = type.getName();
      // Values, and what their serialized form consists of: nothing in them runs foreign code.
      boolean harmless = type == String.class || type == Number.class || type == Enum.class
          || Number.class.isAssignableFrom(type) && type.getPackageName().equals("java.lang")
          || type == Boolean.class || type == Character.class;
      boolean trusted =
          packages.stream().anyMatch(p -> p.equals("*") || name.startsWith(p + "."));
      return harmless || trusted ? ObjectInputFilter.Status.ALLOWED
          : ObjectInputFilter.Status.REJECTED;
    }
  }

  PabalObjectMessage(Trust trust) {
    this.trust = trust;
  }

  /** Null for the object null; not a copy. */
  byte[] bytes() {
    return bytes;
  }

  void setBytes(byte[] serialized) {
    bytes = serialized;
  }

  /** Serializes it now: what is changed in it later is not sent. */
  @Override
  public void setObject(Serializable object) throws JMSException {
    checkBodyWritable();
    if (object == null) {
      bytes = null;
      return;
    }
    ByteArrayOutputStream buffer = new ByteArrayOutputStream();
    try (ObjectOutputStream out = new ObjectOutputStream(buffer)) {
      out.writeObject(object);
    } catch (IOException e) {
      throw Errors.withCause(new MessageFormatException("not serializable: " + e), e);
    }
    bytes = buffer.toByteArray();
  }

  /** @throws MessageFormatException if it has a class that is not trusted, or not here */
  @Override
  public Serializable getObject() throws JMSException {
    if (bytes == null) {
      return null;
    }
    try (ObjectInputStream in = new ContextInputStream(bytes)) {
      in.setObjectInputFilter(trust::check);
      return (Serializable) in.readObject();
    } catch (java.io.InvalidClassException e) {
      boolean filtered = String.valueOf(e.getMessage()).contains("filter status");
      throw Errors.withCause(new MessageFormatException(filtered
          ? "its class is not trusted (" + e.getMessage() + "): see the option jms.trustedPackages"
          : "cannot be deserialized: " + e), e);
    } catch (IOException | ClassNotFoundException e) {
      throw Errors.withCause(new MessageFormatException("cannot be deserialized: " + e), e);
    }
  }

  /** Finds the classes of an application that has a class loader of its own. */
  private static final class ContextInputStream extends ObjectInputStream {
    ContextInputStream(byte[] bytes) throws IOException {
      super(new ByteArrayInputStream(bytes));
    }

    @Override
    protected Class<?> resolveClass(ObjectStreamClass description)
        throws IOException, ClassNotFoundException {
      ClassLoader context = Thread.currentThread().getContextClassLoader();
      if (context != null) {
        try {
          return Class.forName(description.getName(), false, context);
        } catch (ClassNotFoundException e) {
          return super.resolveClass(description);
        }
      }
      return super.resolveClass(description);
    }
  }

  @Override
  public void clearBody() throws JMSException {
    super.clearBody();
    bytes = null;
  }
}
