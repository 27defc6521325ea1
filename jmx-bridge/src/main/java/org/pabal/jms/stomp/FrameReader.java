package org.pabal.jms.stomp;

import java.io.ByteArrayOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.util.Set;

/**
 * Bytes to frames. The grammar, of STOMP 1.2:
 *
 * <pre>
 *   stream  = *( LF / frame )            an LF between frames is a heart-beat
 *   frame   = command LF *( name ":" value LF ) LF body NUL
 *   body    = as many bytes as content-length says, or all up to the first NUL
 * </pre>
 *
 * <p>Used by one thread.
 */
final class FrameReader {
  private static final int LINE_BYTES_MAX = 1 << 20;
  private static final int HEADERS_MAX = 10_000;
  private static final int COMMAND_BYTES_MAX = 64;
  private static final Set<String> COMMANDS = Set.of("CONNECTED", "MESSAGE", "RECEIPT", "ERROR");

  private final InputStream in;
  private final int frameBytesMax;
  private final ByteArrayOutputStream line = new ByteArrayOutputStream(256);

  FrameReader(InputStream in, int frameBytesMax) {
    this.in = in;
    this.frameBytesMax = frameBytesMax;
  }

  /**
   * Waits for the next frame.
   *
   * @throws EOFException if the stream ends
   * @throws IOException if the stream fails, or what comes is not STOMP
   */
  Frame read() throws IOException {
    String command;
    do {
      command = Utf8.decode(readLine(COMMAND_BYTES_MAX, true));
    } while (command.isEmpty());
    if (!COMMANDS.contains(command)) {
      throw noStomp(command);
    }
    boolean escaped = !command.equals("CONNECTED");
    Frame frame = new Frame(command);
    long bytes = 0;
    for (int headers = 0; ; ++headers) {
      byte[] header = readLine(LINE_BYTES_MAX, false);
      if (header.length == 0) {
        break;
      }
      bytes += header.length;
      if (headers == HEADERS_MAX || bytes > Math.max(frameBytesMax, LINE_BYTES_MAX)) {
        throw new IOException("a frame with " + headers + " headers of " + bytes + " bytes");
      }
      addHeader(frame, Utf8.decode(header), escaped);
    }
    return frame.withBody(readBody(frame.header("content-length")));
  }

  /** The likeliest reason is a URL with the port of another protocol. */
  private static IOException noStomp(String command) {
    return new IOException("the peer does not speak STOMP, it said '" + command + "'");
  }

  private static void addHeader(Frame frame, String header, boolean escaped) throws IOException {
    int colon = header.indexOf(':');
    if (colon < 0) {
      throw new IOException("a header without a colon: " + header);
    }
    String name = header.substring(0, colon);
    String value = header.substring(colon + 1);
    frame.withFirst(escaped ? unescape(name) : name, escaped ? unescape(value) : value);
  }

  /** @param command whether it is a word; what cannot be one is not waited for to end */
  private byte[] readLine(int bytesMax, boolean command) throws IOException {
    line.reset();
    for (int c = readByte(); c != '\n'; c = readByte()) {
      boolean senseless = command && (c < ' ' && c != '\r' || c > '~');
      if (senseless || line.size() == bytesMax) {
        throw command ? noStomp(Utf8.decode(line.toByteArray()))
            : new IOException("a line of more than " + bytesMax + " bytes");
      }
      line.write(c);
    }
    byte[] bytes = line.toByteArray();
    boolean endsWithCr = bytes.length > 0 && bytes[bytes.length - 1] == '\r';
    return endsWithCr ? java.util.Arrays.copyOf(bytes, bytes.length - 1) : bytes;
  }

  private byte[] readBody(String contentLength) throws IOException {
    if (contentLength == null) {
      return readToNul();
    }
    long length;
    try {
      length = Long.parseLong(contentLength.trim());
    } catch (NumberFormatException e) {
      throw new IOException("content-length: " + contentLength, e);
    }
    if (length < 0 || length > frameBytesMax) {
      throw new IOException("a body of " + length + " bytes; maxFrameSize is " + frameBytesMax);
    }
    // readNBytes grows with what arrives: an announced length alone allocates little.
    byte[] body = in.readNBytes((int) length);
    if (body.length < length) {
      throw new EOFException("the connection ended within a frame");
    }
    if (readByte() != 0) {
      throw new IOException("no NUL behind a body of " + length + " bytes");
    }
    return body;
  }

  private byte[] readToNul() throws IOException {
    ByteArrayOutputStream body = new ByteArrayOutputStream();
    for (int c = readByte(); c != 0; c = readByte()) {
      if (body.size() == frameBytesMax) {
        throw new IOException("a body of more than maxFrameSize, " + frameBytesMax + " bytes");
      }
      body.write(c);
    }
    return body.toByteArray();
  }

  private int readByte() throws IOException {
    int c = in.read();
    if (c < 0) {
      throw new EOFException("the broker closed the connection");
    }
    return c;
  }

  /** Unknown escapes stay as they are: ActiveMQ writes none, and other brokers are lenient too. */
  private static String unescape(String text) {
    if (text.indexOf('\\') < 0) {
      return text;
    }
    StringBuilder out = new StringBuilder(text.length());
    for (int i = 0; i < text.length(); ++i) {
      char c = text.charAt(i);
      char next = c == '\\' && i + 1 < text.length() ? text.charAt(i + 1) : 0;
      switch (next) {
        case 'n' -> out.append('\n');
        case 'r' -> out.append('\r');
        case 'c' -> out.append(':');
        case '\\' -> out.append('\\');
        default -> {
          out.append(c);
          continue;
        }
      }
      ++i;
    }
    return out.toString();
  }
}
