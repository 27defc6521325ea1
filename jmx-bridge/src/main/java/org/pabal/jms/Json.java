package org.pabal.jms;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * As much JSON as the bodies of maps and streams need. Objects are maps, arrays are lists, and every
 * scalar is its text: what a value is, its name says. Used by one thread.
 */
final class Json {
  private static final int DEPTH_MAX = 32;

  private final String text;
  private int at;
  private int depth;

  private Json(String text) {
    this.text = text;
  }

  /** @throws IllegalArgumentException if it is no JSON */
  static Object parse(String text) {
    Json reader = new Json(text);
    Object value = reader.value();
    reader.skipBlanks();
    if (reader.at != text.length()) {
      throw reader.wrong("something behind the end");
    }
    return value;
  }

  static void appendText(StringBuilder out, String text) {
    out.append('"');
    for (int i = 0; i < text.length(); ++i) {
      char c = text.charAt(i);
      switch (c) {
        case '"' -> out.append("\\\"");
        case '\\' -> out.append("\\\\");
        case '\n' -> out.append("\\n");
        case '\r' -> out.append("\\r");
        case '\t' -> out.append("\\t");
        default -> {
          // A lone surrogate has no UTF-8.
          boolean pairs = Character.isHighSurrogate(c) && i + 1 < text.length()
              && Character.isLowSurrogate(text.charAt(i + 1));
          if (pairs) {
            out.append(c).append(text.charAt(++i));
          } else if (c < ' ' || Character.isSurrogate(c)) {
            out.append(String.format("\\u%04x", (int) c));
          } else {
            out.append(c);
          }
        }
      }
    }
    out.append('"');
  }

  private Object value() {
    skipBlanks();
    if (++depth > DEPTH_MAX) {
      throw wrong("nested too deep");
    }
    Object value = switch (peek()) {
      case '{' -> object();
      case '[' -> array();
      case '"' -> string();
      default -> word();
    };
    --depth;
    return value;
  }

  private Map<String, Object> object() {
    Map<String, Object> object = new LinkedHashMap<>();
    ++at;
    if (skipIf('}')) {
      return object;
    }
    do {
      skipBlanks();
      String name = string();
      expect(':');
      object.put(name, value());
    } while (skipIf(','));
    expect('}');
    return object;
  }

  private List<Object> array() {
    List<Object> array = new ArrayList<>();
    ++at;
    if (skipIf(']')) {
      return array;
    }
    do {
      array.add(value());
    } while (skipIf(','));
    expect(']');
    return array;
  }

  private String string() {
    expect('"');
    StringBuilder out = new StringBuilder();
    for (char c = take(); c != '"'; c = take()) {
      out.append(c == '\\' ? escaped() : c);
    }
    return out.toString();
  }

  private char escaped() {
    char c = take();
    switch (c) {
      case 'n':
        return '\n';
      case 'r':
        return '\r';
      case 't':
        return '\t';
      case 'b':
        return '\b';
      case 'f':
        return '\f';
      case 'u':
        at += 4;
        if (at > text.length()) {
          throw wrong("an escape is cut");
        }
        return (char) Integer.parseInt(text.substring(at - 4, at), 16);
      default:
        return c;
    }
  }

  /** A number, true, false or null. */
  private String word() {
    int start = at;
    while (at < text.length() && ",]} \n\r\t".indexOf(text.charAt(at)) < 0) {
      ++at;
    }
    if (at == start) {
      throw wrong("a value is missing");
    }
    String word = text.substring(start, at);
    return word.equals("null") ? null : word;
  }

  private char peek() {
    if (at == text.length()) {
      throw wrong("it ends too early");
    }
    return text.charAt(at);
  }

  private char take() {
    char c = peek();
    ++at;
    return c;
  }

  private boolean skipIf(char c) {
    skipBlanks();
    if (peek() != c) {
      return false;
    }
    ++at;
    return true;
  }

  private void expect(char c) {
    skipBlanks();
    if (take() != c) {
      throw wrong("expected '" + c + "'");
    }
  }

  private void skipBlanks() {
    while (at < text.length() && Character.isWhitespace(text.charAt(at))) {
      ++at;
    }
  }

  private IllegalArgumentException wrong(String what) {
    return new IllegalArgumentException(what + " at character " + at);
  }
}
