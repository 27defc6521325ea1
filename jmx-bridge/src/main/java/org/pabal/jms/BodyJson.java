package org.pabal.jms;

import java.util.Base64;
import java.util.Iterator;
import java.util.List;
import java.util.Map;

/**
 * Bodies of maps and streams as JSON that people and other STOMP clients can read. A map has the shape
 * of ActiveMQ's `jms-map-json`, and a stream one like it:
 *
 * <pre>
 *   {"map":{"entry":[{"string":"count","int":3},{"string":["name","Kim"]}]}}
 *   {"stream":{"value":[{"int":3},{"string":"Kim"},{"byte-array":"AAEC"},{"null":""}]}}
 * </pre>
 */
final class BodyJson {
  private BodyJson() {}

  static String write(Map<String, Object> map) {
    StringBuilder out = new StringBuilder("{\"map\":{\"entry\":[");
    String separator = "";
    for (Map.Entry<String, Object> entry : map.entrySet()) {
      out.append(separator).append("{\"string\":");
      separator = ",";
      if (entry.getValue() instanceof String text) {
        out.append('[');
        Json.appendText(out, entry.getKey());
        out.append(',');
        Json.appendText(out, text);
        out.append("]}");
      } else {
        Json.appendText(out, entry.getKey());
        out.append(',');
        appendValue(out, entry.getValue());
        out.append('}');
      }
    }
    return out.append("]}}").toString();
  }

  static String write(List<Object> stream) {
    StringBuilder out = new StringBuilder("{\"stream\":{\"value\":[");
    String separator = "";
    for (Object value : stream) {
      out.append(separator).append('{');
      separator = ",";
      appendValue(out, value);
      out.append('}');
    }
    return out.append("]}}").toString();
  }

  /** `"type":value`. */
  private static void appendValue(StringBuilder out, Object value) {
    out.append('"').append(typeOf(value)).append("\":");
    if (value instanceof byte[] bytes) {
      out.append('"').append(Base64.getEncoder().encodeToString(bytes)).append('"');
    } else if (value == null) {
      out.append("\"\"");
    } else if (value instanceof String || value instanceof Character
        || value instanceof Float || value instanceof Double) {
      Json.appendText(out, value.toString());  // JSON has neither NaN nor all that Java writes
    } else {
      out.append(value);
    }
  }

  /** The name of a value's type: in bodies, and in the header that lists the types of properties. */
  static String typeOf(Object value) {
    if (value == null) {
      return "null";
    }
    if (value instanceof byte[]) {
      return "byte-array";
    }
    return switch (value.getClass().getSimpleName()) {
      case "Integer" -> "int";
      case "Character" -> "char";
      default -> value.getClass().getSimpleName().toLowerCase(java.util.Locale.ROOT);
    };
  }

  /** @throws IllegalArgumentException if the text is not what that type looks like */
  static Object valueOf(String type, String text) {
    return switch (type) {
      case "string" -> text;
      case "boolean" -> Boolean.valueOf(text);
      case "byte" -> Byte.valueOf(text);
      case "short" -> Short.valueOf(text);
      case "int" -> Integer.valueOf(text);
      case "long" -> Long.valueOf(text);
      case "float" -> Float.valueOf(text);
      case "double" -> Double.valueOf(text);
      case "char" -> charOf(text);
      case "byte-array" -> Base64.getMimeDecoder().decode(text);
      case "null" -> null;
      default -> throw new IllegalArgumentException("no type: " + type);
    };
  }

  private static Character charOf(String text) {
    if (text.length() != 1) {
      throw new IllegalArgumentException("not one character");
    }
    return text.charAt(0);
  }

  /** @throws IllegalArgumentException if it is none */
  static void readMap(String json, Map<String, Object> map) {
    try {
      for (Object entry : parts(json, "map", "entry")) {
        readEntry((Map<?, ?>) entry, map);
      }
    } catch (ClassCastException | NullPointerException | IndexOutOfBoundsException e) {
      throw new IllegalArgumentException("not a map", e);
    }
  }

  /** What is in `{"kind":{"each":[…]}}`; XStream writes a list of one as its only element. */
  private static List<?> parts(String json, String kind, String each) {
    Object body = ((Map<?, ?>) Json.parse(json)).get(kind);
    if (body.equals("")) {
      return List.of();
    }
    Object parts = ((Map<?, ?>) body).get(each);
    return parts instanceof List<?> list ? list : List.of(parts);
  }

  private static void readEntry(Map<?, ?> entry, Map<String, Object> map) {
    Object name = entry.get("string");
    if (name instanceof List<?> pair) {
      map.put((String) pair.get(0), (String) pair.get(1));
      return;
    }
    for (Map.Entry<?, ?> each : entry.entrySet()) {
      if (!each.getKey().equals("string")) {
        map.put(java.util.Objects.requireNonNull((String) name), valueOf((String) each.getKey(), (String) each.getValue()));
      }
    }
  }

  /** @throws IllegalArgumentException if it is none */
  static void readStream(String json, List<Object> stream) {
    try {
      for (Object each : parts(json, "stream", "value")) {
        Iterator<? extends Map.Entry<?, ?>> value = ((Map<?, ?>) each).entrySet().iterator();
        Map.Entry<?, ?> only = value.next();
        stream.add(valueOf((String) only.getKey(), (String) only.getValue()));
      }
    } catch (ClassCastException | NullPointerException | java.util.NoSuchElementException e) {
      throw new IllegalArgumentException("not a stream", e);
    }
  }
}
