package org.pabal.jms;

import javax.jms.MessageFormatException;

/**
 * The table of conversions of JMS 1.1 §3.5.4 and §3.11.3: a value that was written as one type, read as
 * another. A text is read as Java's `valueOf` reads it, whose NumberFormatException is passed on.
 */
final class Conversions {
  private Conversions() {}

  static boolean toBoolean(Object value) throws MessageFormatException {
    if (value instanceof Boolean b) {
      return b;
    }
    return Boolean.parseBoolean(text(value, "boolean"));
  }

  static byte toByte(Object value) throws MessageFormatException {
    if (value instanceof Byte b) {
      return b;
    }
    return Byte.parseByte(text(value, "byte"));
  }

  static short toShort(Object value) throws MessageFormatException {
    if (value instanceof Short || value instanceof Byte) {
      return ((Number) value).shortValue();
    }
    return Short.parseShort(text(value, "short"));
  }

  static int toInt(Object value) throws MessageFormatException {
    if (value instanceof Integer || value instanceof Short || value instanceof Byte) {
      return ((Number) value).intValue();
    }
    return Integer.parseInt(text(value, "int"));
  }

  static long toLong(Object value) throws MessageFormatException {
    if (value instanceof Long || value instanceof Integer || value instanceof Short
        || value instanceof Byte) {
      return ((Number) value).longValue();
    }
    return Long.parseLong(text(value, "long"));
  }

  static float toFloat(Object value) throws MessageFormatException {
    if (value instanceof Float f) {
      return f;
    }
    // JMS wants valueOf(null)'s exception, which is another one here than for whole numbers.
    return Float.parseFloat(text(value, "float"));
  }

  static double toDouble(Object value) throws MessageFormatException {
    if (value instanceof Double || value instanceof Float) {
      return ((Number) value).doubleValue();
    }
    return Double.parseDouble(text(value, "double"));
  }

  static char toChar(Object value) throws MessageFormatException {
    if (value instanceof Character c) {
      return c;
    }
    if (value == null) {
      throw new NullPointerException("null is no character");
    }
    throw wrong(value, "char");
  }

  static String toText(Object value) throws MessageFormatException {
    if (value instanceof byte[]) {
      throw wrong(value, "String");
    }
    return value == null ? null : value.toString();
  }

  static byte[] toBytes(Object value) throws MessageFormatException {
    if (value == null) {
      return null;
    }
    if (value instanceof byte[] bytes) {
      return bytes.clone();
    }
    throw wrong(value, "byte[]");
  }

  private static String text(Object value, String wanted) throws MessageFormatException {
    if (value == null || value instanceof String) {
      return (String) value;
    }
    throw wrong(value, wanted);
  }

  static MessageFormatException wrong(Object value, String wanted) {
    return new MessageFormatException(
        "a " + value.getClass().getSimpleName() + " cannot be read as " + wanted);
  }

  /** What may be a property: objectified primitives and texts. */
  static boolean isPropertyValue(Object value) {
    return value == null || value instanceof String || value instanceof Boolean
        || value instanceof Byte || value instanceof Short || value instanceof Integer
        || value instanceof Long || value instanceof Float || value instanceof Double;
  }

  /** What may stand in a map or a stream: characters and bytes too. */
  static boolean isBodyValue(Object value) {
    return isPropertyValue(value) || value instanceof Character || value instanceof byte[];
  }
}
