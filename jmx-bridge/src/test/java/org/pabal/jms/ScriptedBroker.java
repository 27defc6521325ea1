package org.pabal.jms;

import java.io.ByteArrayOutputStream;
import java.io.Closeable;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;

/**
 * A broker that does what a test wants, for what a real one does too seldom: it answers CONNECT, gives every
 * frame to the script, and confirms those that the script leaves to it.
 */
final class ScriptedBroker implements Closeable {
  /** What happens to a frame of the client. */
  interface Script {
    /** True if that was the answer; false: the usual one, a RECEIPT if it asks for one. */
    boolean handle(Peer peer, Received frame) throws IOException, InterruptedException;
  }

  /** A frame as it came; texts without escapes. */
  record Received(String command, Map<String, String> headers, String body) {
    String header(String name) {
      return headers.get(name);
    }
  }

  /** One connection, the first of which is 1. */
  static final class Peer {
    final int number;
    private final Socket socket;

    Peer(int number, Socket socket) {
      this.number = number;
      this.socket = socket;
    }

    /** Of lines, with the body behind an empty one. */
    synchronized void say(String... lines) throws IOException {
      String frame = String.join("\n", lines) + "\0";
      socket.getOutputStream().write(frame.getBytes(StandardCharsets.UTF_8));
    }

    void message(String subscription, String id, String body, String... headers)
        throws IOException {
      say("MESSAGE", "subscription:" + subscription, "message-id:" + id, "ack:" + id,
          "destination:/queue/q", String.join("\n", headers) + (headers.length > 0 ? "\n" : ""),
          body);
    }

    void receipt(Received frame) throws IOException {
      if (frame.header("receipt") != null) {
        say("RECEIPT", "receipt-id:" + frame.header("receipt"), "", "");
      }
    }

    void hangUp() throws IOException {
      socket.close();
    }
  }

  final List<Received> seen = new CopyOnWriteArrayList<>();
  private final List<Socket> sockets = new CopyOnWriteArrayList<>();
  private final ServerSocket server = new ServerSocket(0, 10, InetAddress.getLoopbackAddress());
  private final Script script;
  private final String heartBeat;

  ScriptedBroker(Script script) throws IOException {
    this("0,0", script);
  }

  /** @param heartBeat of CONNECTED: promised, and never kept */
  ScriptedBroker(String heartBeat, Script script) throws IOException {
    this.heartBeat = heartBeat;
    this.script = script;
    start(this::accept);
  }

  String url() {
    return "stomp://127.0.0.1:" + server.getLocalPort();
  }

  String failoverUrl() {
    return "failover:(" + url() + ")?initialReconnectDelay=5&maxReconnectDelay=20";
  }

  boolean hasSeen(String command) {
    return seen.stream().anyMatch(frame -> frame.command().equals(command));
  }

  private interface Body {
    void run() throws IOException, InterruptedException;
  }

  private static void start(Body body) {
    Thread thread = new Thread(() -> {
      try {
        body.run();
      } catch (IOException | InterruptedException e) {
        // One side has closed, or the test is over.
      }
    }, "scripted broker");
    thread.setDaemon(true);
    thread.start();
  }

  private void accept() throws IOException {
    for (int number = 1; ; ++number) {
      Socket socket = server.accept();
      sockets.add(socket);
      Peer peer = new Peer(number, socket);
      start(() -> serve(peer));
    }
  }

  private void serve(Peer peer) throws IOException, InterruptedException {
    InputStream in = peer.socket.getInputStream();
    for (Received frame = read(in); frame != null; frame = read(in)) {
      seen.add(frame);
      if (script.handle(peer, frame)) {
        continue;
      }
      if (frame.command().equals("CONNECT")) {
        peer.say("CONNECTED", "version:1.2", "heart-beat:" + heartBeat, "", "");
      } else {
        peer.receipt(frame);
      }
    }
  }

  private static Received read(InputStream in) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    for (int c = in.read(); c != 0; c = in.read()) {
      if (c < 0) {
        return null;
      }
      if (c != '\n' || bytes.size() > 0) {  // else a heart-beat
        bytes.write(c);
      }
    }
    String text = bytes.toString(StandardCharsets.UTF_8);
    int end = text.indexOf("\n\n");
    String[] lines = text.substring(0, end).split("\n");
    Map<String, String> headers = new LinkedHashMap<>();
    for (int i = 1; i < lines.length; ++i) {
      int colon = lines[i].indexOf(':');
      headers.put(lines[i].substring(0, colon), lines[i].substring(colon + 1).replace("\\c", ":"));
    }
    return new Received(lines[0], headers, text.substring(end + 2));
  }

  @Override
  public void close() throws IOException {
    server.close();
    for (Socket socket : sockets) {
      socket.close();
    }
  }
}
