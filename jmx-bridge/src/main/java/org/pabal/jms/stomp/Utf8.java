package org.pabal.jms.stomp;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;

/**
 * Text off the wire. ActiveMQ before 5.18.6 writes characters beyond U+FFFF as two surrogates of three
 * bytes each, as Java's modified UTF-8 does; that is understood too. Stateless.
 */
public final class Utf8 {
  private Utf8() {}

  /** Never fails: what is neither UTF-8 nor modified UTF-8 has replacement characters in it. */
  public static String decode(byte[] bytes) {
    try {
      return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
    } catch (CharacterCodingException e) {
      String text = decodeModified(bytes);
      return text != null ? text : new String(bytes, StandardCharsets.UTF_8);
    }
  }

  /** Null if it is not modified UTF-8 either. */
  private static String decodeModified(byte[] bytes) {
    StringBuilder out = new StringBuilder(bytes.length);
    for (int i = 0; i < bytes.length; ) {
      int first = bytes[i] & 0xFF;
      int size = first < 0x80 ? 1 : (first & 0xE0) == 0xC0 ? 2 : (first & 0xF0) == 0xE0 ? 3 : 0;
      if (size == 0 || i + size > bytes.length) {
        return null;
      }
      int value = size == 1 ? first : size == 2 ? first & 0x1F : first & 0x0F;
      for (int k = 1; k < size; ++k) {
        int next = bytes[i + k] & 0xFF;
        if ((next & 0xC0) != 0x80) {
          return null;
        }
        value = value << 6 | next & 0x3F;
      }
      out.append((char) value);
      i += size;
    }
    return out.toString();
  }
}
