package org.pabal.jms;

import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;

/** Accepts one connection, promises heart-beats, and says no more. */
final class SilentBroker implements AutoCloseable {
  private final ServerSocket server = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
  private volatile boolean heartBeat;

  SilentBroker() throws IOException {
    Thread thread = new Thread(this::serve, "silent broker");
    thread.setDaemon(true);
    thread.start();
  }

  int port() {
    return server.getLocalPort();
  }

  boolean hasSeenHeartBeat() {
    return heartBeat;
  }

  private void serve() {
    try (Socket socket = server.accept()) {
      InputStream in = socket.getInputStream();
      while (in.read() > 0) {
        // CONNECT, up to its NUL
      }
      socket.getOutputStream().write("CONNECTED\nversion:1.2\nheart-beat:40,40\n\n\0"
          .getBytes(StandardCharsets.US_ASCII));
      for (int c = in.read(); c >= 0; c = in.read()) {
        heartBeat |= c == '\n';
      }
    } catch (IOException e) {
      // The end of the test.
    }
  }

  @Override
  public void close() throws IOException {
    server.close();
  }
}
