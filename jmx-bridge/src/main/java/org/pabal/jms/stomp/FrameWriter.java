package org.pabal.jms.stomp;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.Map;

/** Frames to bytes, as STOMP 1.2 writes them. Stateless. */
final class FrameWriter {
  private FrameWriter() {}

  /** The whole frame with the NUL behind it. */
  static byte[] encode(Frame frame) {
    // STOMP 1.2 "Value Encoding": CONNECT is not escaped, for the sake of 1.0 servers.
    boolean escapes = !frame.command().equals("CONNECT");
    StringBuilder head = new StringBuilder(128 + 32 * frame.headers().size());
    head.append(frame.command()).append('\n');
    for (Map.Entry<String, String> header : frame.headers().entrySet()) {
      append(head, header.getKey(), escapes);
      head.append(':');
      append(head, header.getValue(), escapes);
      head.append('\n');
    }
    head.append('\n');
    byte[] start = head.toString().getBytes(StandardCharsets.UTF_8);
    ByteArrayOutputStream out = new ByteArrayOutputStream(start.length + frame.body().length + 1);
    out.write(start, 0, start.length);
    out.write(frame.body(), 0, frame.body().length);
    out.write(0);
    return out.toByteArray();
  }

  private static void append(StringBuilder out, String text, boolean escapes) {
    if (!escapes) {
      out.append(text);
      return;
    }
    for (int i = 0; i < text.length(); ++i) {
      char c = text.charAt(i);
      switch (c) {
        case '\\' -> out.append("\\\\");
        case '\n' -> out.append("\\n");
        case '\r' -> out.append("\\r");
        case ':' -> out.append("\\c");
        default -> out.append(c);
      }
    }
  }
}
