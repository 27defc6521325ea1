package org.pabal.jms.stomp;

import java.io.BufferedInputStream;
import java.io.Closeable;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.ReentrantLock;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;

/**
 * One STOMP 1.2 connection, from CONNECTED to its end. It is not reopened: who wants to go on opens
 * another.
 *
 * <p>Threads: any may send. A thread of the wire's own reads, completes what waits for receipts, and
 * calls the {@link Listener}, which must not block; another writes heart-beats.
 */
public final class Wire implements Closeable {
  /** Told what the broker sends unasked; all calls come from the reading thread, in order. */
  public interface Listener {
    void onMessage(Wire wire, Frame message);

    /** An ERROR that answers no request. */
    void onError(Wire wire, BrokerErrorException error);

    /** The last call; not made if {@link Wire#close()} ended the connection. */
    void onLost(Wire wire, IOException cause);
  }

  // A broker that is silent for so many times its interval is taken for dead.
  private static final int SILENCE_FACTOR = 2;
  // A longer interval of heart-beats is as good as none.
  private static final int INTERVAL_MAX = 24 * 3600 * 1000;

  private final Socket socket;
  private final Socket transport;  // below TLS, else the same
  private final FrameReader reader;
  private final OutputStream out;
  private final ReentrantLock writing = new ReentrantLock();
  private final Map<String, CompletableFuture<Frame>> pending = new ConcurrentHashMap<>();
  private final AtomicLong receipts = new AtomicLong();
  private volatile long lastWrite = System.nanoTime();
  private volatile boolean open = true;
  private volatile boolean closedByUs;
  // What the broker said last, if it was an ERROR that answers no request. Of the reading thread.
  private BrokerErrorException lastError;
  private Frame connected;
  private Listener listener;

  private Wire(Socket transport, Socket socket, WireOptions options) throws IOException {
    this.transport = transport;
    this.socket = socket;
    this.reader = new FrameReader(
        new BufferedInputStream(socket.getInputStream(), 64 * 1024), options.frameBytesMax());
    this.out = socket.getOutputStream();
  }

  /**
   * Connects, and returns when the broker has accepted.
   *
   * @param headers of CONNECT beside version and heart-beat
   * @throws BrokerErrorException if the broker refused
   * @throws IOException if there is no broker, or none that speaks STOMP 1.2
   */
  public static Wire open(BrokerAddress address, WireOptions options, Map<String, String> headers,
      Listener listener) throws IOException {
    Socket transport = new Socket();
    try {
      connect(transport, address, options);
      Socket socket = address.tls() ? startTls(transport, address, options) : transport;
      Wire wire = new Wire(transport, socket, options);
      wire.listener = listener;
      wire.handshake(options, headers);
      return wire;
    } catch (IOException | RuntimeException e) {
      transport.close();
      throw e;
    }
  }

  private static void connect(Socket socket, BrokerAddress address, WireOptions options)
      throws IOException {
    socket.setTcpNoDelay(true);
    socket.setSoTimeout(options.connectTimeout());
    socket.connect(new InetSocketAddress(address.host(), address.port()),
        options.connectTimeout());
    if (socket.getLocalPort() == socket.getPort()
        && socket.getLocalAddress().equals(socket.getInetAddress())) {
      // TCP can connect a socket of the loopback to itself while nobody listens there.
      throw new IOException("nobody listens at " + address);
    }
  }

  private static Socket startTls(Socket socket, BrokerAddress address, WireOptions options)
      throws IOException {
    SSLContext context = options.sslContext();
    try {
      if (context == null) {
        context = SSLContext.getDefault();
      }
    } catch (java.security.NoSuchAlgorithmException e) {
      throw new IOException(e);
    }
    SSLSocket tls = (SSLSocket) context.getSocketFactory()
        .createSocket(socket, address.host(), address.port(), true);
    if (options.verifyHostName()) {
      SSLParameters parameters = tls.getSSLParameters();
      parameters.setEndpointIdentificationAlgorithm("HTTPS");
      tls.setSSLParameters(parameters);
    }
    tls.startHandshake();
    return tls;
  }

  private void handshake(WireOptions options, Map<String, String> headers) throws IOException {
    Frame connect = new Frame("CONNECT")
        .with("accept-version", "1.2")
        .with("heart-beat", options.heartBeatSend() + "," + options.heartBeatReceive());
    headers.forEach(connect::with);
    writeNow(FrameWriter.encode(connect));
    connected = reader.read();
    if (connected.command().equals("ERROR")) {
      throw new BrokerErrorException(connected);
    }
    if (!connected.command().equals("CONNECTED")) {
      throw new IOException("expected CONNECTED, got " + connected.command());
    }
    int[] theirs = heartBeats(connected.header("heart-beat"));
    int reads = agreed(theirs[0], options.heartBeatReceive());
    int writes = agreed(options.heartBeatSend(), theirs[1]);
    socket.setSoTimeout(reads * SILENCE_FACTOR);
    start("pabal-jms-reader", this::readFrames);
    if (writes > 0) {
      start("pabal-jms-heart-beat", () -> beat(writes));
    }
  }

  private static void start(String name, Runnable body) {
    Thread thread = new Thread(body, name);
    thread.setDaemon(true);
    thread.start();
  }

  /** STOMP 1.2 "Heart-beating": zero if either side does not want, else the longer of both. */
  private static int agreed(int sends, int wants) {
    return sends <= 0 || wants <= 0 ? 0 : Math.min(Math.max(sends, wants), INTERVAL_MAX);
  }

  private static int[] heartBeats(String header) throws IOException {
    if (header == null) {
      return new int[] {0, 0};
    }
    String[] parts = header.split(",");
    try {
      return new int[] {Integer.parseInt(parts[0].trim()), Integer.parseInt(parts[1].trim())};
    } catch (NumberFormatException | ArrayIndexOutOfBoundsException e) {
      throw new IOException("heart-beat of CONNECTED: " + header, e);
    }
  }

  /** The CONNECTED frame. */
  public Frame connected() {
    return connected;
  }

  /** Whether the broker is a Pabal, which has headers that others would take for properties. */
  public boolean isPabal() {
    String server = connected.header("server");
    return server != null && server.toLowerCase(java.util.Locale.ROOT).startsWith("pabal");
  }

  public boolean isOpen() {
    return open;
  }

  /**
   * Hands a frame to the operating system and returns.
   *
   * @throws WireClosedException if the connection is lost
   */
  public void send(Frame frame) throws IOException {
    try {
      writeNow(FrameWriter.encode(frame));
    } catch (IOException e) {
      // The reader notices and reports; nobody else does, so that it happens once.
      transport.close();
      throw new WireClosedException(e);
    }
  }

  /**
   * Sends a frame with a header `receipt`.
   *
   * @return completes with the RECEIPT; exceptionally with {@link BrokerErrorException}, or with
   *     {@link WireClosedException} if the connection is lost first
   */
  public CompletableFuture<Frame> request(Frame frame) {
    String id = Long.toString(receipts.incrementAndGet());
    CompletableFuture<Frame> answer = new CompletableFuture<>();
    pending.put(id, answer);
    try {
      send(frame.with("receipt", id));
    } catch (IOException e) {
      answer.completeExceptionally(e);
    }
    if (!open) {
      // It was lost while we wrote, perhaps after its reader had looked for what is pending.
      answer.completeExceptionally(new WireClosedException(null));
    }
    if (answer.isDone()) {
      pending.remove(id);
    }
    return answer;
  }

  private void writeNow(byte[] bytes) throws IOException {
    writing.lock();
    try {
      out.write(bytes);
      out.flush();
      lastWrite = System.nanoTime();
    } finally {
      writing.unlock();
    }
  }

  private void readFrames() {
    IOException cause = null;
    while (cause == null) {
      try {
        dispatch(reader.read());
      } catch (IOException e) {
        cause = e;
      } catch (RuntimeException | Error e) {
        // A frame that does not fit into memory, for one. Without this thread nobody would hear of it.
        cause = new IOException("reading failed: " + e, e);
      }
    }
    end(cause);
  }

  private void dispatch(Frame frame) {
    lastError = null;
    switch (frame.command()) {
      case "MESSAGE" -> listener.onMessage(this, frame);
      case "RECEIPT" -> {
        CompletableFuture<Frame> answer = takePending(frame);
        if (answer != null) {
          answer.complete(frame);
        }
      }
      case "ERROR" -> {
        BrokerErrorException error = new BrokerErrorException(frame);
        CompletableFuture<Frame> answer = takePending(frame);
        if (answer != null) {
          answer.completeExceptionally(error);
        } else {
          lastError = error;
          listener.onError(this, error);
        }
      }
      default -> { }  // STOMP has no other frames of servers
    }
  }

  private CompletableFuture<Frame> takePending(Frame frame) {
    String id = frame.header("receipt-id");
    return id == null ? null : pending.remove(id);
  }

  private void beat(int interval) {
    // Twice as often as promised, so that what a loaded machine delays is still in time.
    long silence = interval * 1_000_000L / 2;
    while (open) {
      try {
        Thread.sleep(Math.max(1, interval / 4));
        // Somebody who writes is as good as a heart-beat.
        if (System.nanoTime() - lastWrite >= silence && writing.tryLock()) {
          try {
            writeNow(new byte[] {'\n'});
          } finally {
            writing.unlock();
          }
        }
      } catch (InterruptedException | IOException e) {
        return;  // the reader notices too
      }
    }
  }

  private void end(IOException cause) {
    open = false;
    try {
      transport.close();
      socket.close();
    } catch (IOException e) {
      cause.addSuppressed(e);
    }
    List<CompletableFuture<Frame>> unanswered = new ArrayList<>(pending.values());
    pending.clear();
    // STOMP 1.2 "ERROR": who sends one may close the connection; then it says why.
    WireClosedException lost = new WireClosedException(lastError != null ? lastError : cause);
    try {
      if (!closedByUs) {
        listener.onLost(this, lost);
      }
    } finally {
      unanswered.forEach(answer -> answer.completeExceptionally(lost));
    }
  }

  /** Ends the connection at once, without DISCONNECT; what waits for receipts fails. */
  @Override
  public void close() {
    closedByUs = true;
    open = false;
    // The farewell of TLS would wait for a write that a silent broker holds up.
    boolean idle = writing.tryLock();
    try {
      if (!idle) {
        transport.close();
      }
      socket.close();
      transport.close();
    } catch (IOException e) {
      // A socket that cannot be closed is not there any more.
    } finally {
      if (idle) {
        writing.unlock();
      }
    }
  }
}
