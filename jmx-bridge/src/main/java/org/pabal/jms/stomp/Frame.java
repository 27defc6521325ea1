package org.pabal.jms.stomp;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;

/** One STOMP frame: a command, headers in order, a body. Not safe for use by several threads. */
public final class Frame {
  private static final byte[] NO_BODY = new byte[0];

  private final String command;
  private final Map<String, String> headers = new LinkedHashMap<>();
  private byte[] body = NO_BODY;

  public Frame(String command) {
    this.command = command;
  }

  public String command() {
    return command;
  }

  /** Sets a header; null removes it. */
  public Frame with(String name, String value) {
    if (value == null) {
      headers.remove(name);
    } else {
      headers.put(name, value);
    }
    return this;
  }

  /** Sets a header unless there is one of that name: of repeated headers the first counts. */
  void withFirst(String name, String value) {
    headers.putIfAbsent(name, value);
  }

  /** The bytes are not copied. */
  public Frame withBody(byte[] bytes) {
    body = bytes;
    return this;
  }

  /** Null if there is none. */
  public String header(String name) {
    return headers.get(name);
  }

  public boolean has(String name) {
    return headers.containsKey(name);
  }

  /** All headers, in their order. */
  public Map<String, String> headers() {
    return Collections.unmodifiableMap(headers);
  }

  /** Never null; not a copy. */
  public byte[] body() {
    return body;
  }

  @Override
  public String toString() {
    return command + headers + " and " + body.length + " bytes";
  }
}
