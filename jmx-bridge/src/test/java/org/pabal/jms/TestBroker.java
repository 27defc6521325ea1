package org.pabal.jms;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;

/** The broker that junit_test.py has started for the tests. */
final class TestBroker {
  private TestBroker() {}

  static int port() {
    return Integer.parseInt(System.getenv("PABAL_TEST_PORT"));
  }

  static String url() {
    return "stomp://127.0.0.1:" + port();
  }

  /** For the stock client of ActiveMQ; only of a Pabal. */
  static String openWireUrl() {
    return "tcp://127.0.0.1:" + System.getenv("PABAL_TEST_OPENWIRE");
  }

  static String failoverUrl() {
    return "failover:(" + url() + ")?initialReconnectDelay=5&maxReconnectDelay=50";
  }

  /** Whether it is a Pabal: not all that it can, others can. */
  static boolean isPabal() {
    return System.getenv("PABAL_TEST_PEER") == null;
  }

  /** kill -9, and a new process on the same data and port. */
  static void restart() throws IOException {
    command("kill");
    command("start");
  }

  static void command(String name) throws IOException {
    int control = Integer.parseInt(System.getenv("PABAL_TEST_CONTROL"));
    try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), control)) {
      socket.getOutputStream().write((name + "\n").getBytes(StandardCharsets.US_ASCII));
      String answer = new BufferedReader(
          new InputStreamReader(socket.getInputStream(), StandardCharsets.US_ASCII)).readLine();
      if (!"ok".equals(answer)) {
        throw new IOException("control answered " + answer);
      }
    }
  }
}
