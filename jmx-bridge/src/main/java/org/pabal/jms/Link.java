package org.pabal.jms;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Function;
import javax.jms.JMSException;
import javax.jms.ResourceAllocationException;
import org.pabal.jms.stomp.BrokerAddress;
import org.pabal.jms.stomp.BrokerErrorException;
import org.pabal.jms.stomp.Frame;
import org.pabal.jms.stomp.Wire;
import org.pabal.jms.stomp.WireClosedException;

/**
 * The way to the broker: one {@link Wire} at a time. With `failover:` a lost one is replaced by another,
 * to whichever broker of the list answers, and who needs it meanwhile waits; without, its end is the
 * link's end.
 *
 * <p>Any thread. No call of the owner is made under the link's lock.
 */
final class Link {
  /** What a link belongs to; calls come from the wire's reading thread or the reconnecting one. */
  interface Owner extends Wire.Listener {
    /** Headers of CONNECT. */
    Map<String, String> connectHeaders();

    /** The wire is lost: what came on it cannot be acknowledged any more. */
    void interrupted(Wire lost);

    /** Subscribes again. Throws if the wire is lost, or the broker refuses: another try follows. */
    void restore(Wire wire) throws IOException;

    /** It is over; the last call. */
    void failed(JMSException cause);
  }

  private static final System.Logger LOG = System.getLogger("org.pabal.jms");
  // So often a broker may end the connection with an ERROR while the same request waits.
  private static final int REFUSALS_MAX = 3;

  private final Settings settings;
  private final Owner owner;
  private final Object lock = new Object();
  private Wire wire;             // null: there is none now
  private JMSException failure;  // set: there will be none any more
  private boolean closing;
  private boolean closed;

  Link(Settings settings, Owner owner) {
    this.settings = settings;
    this.owner = owner;
  }

  /** The first connection. With `failover:` it waits for a broker as long as the settings allow. */
  void open() throws JMSException {
    try {
      Wire first = settings.failover
          ? connectPatiently(settings.startupAttempts(), false) : connectOnce();
      synchronized (lock) {
        wire = first;
      }
      if (!first.isOpen()) {
        lost(first, new IOException("the connection was lost at once"));
      }
    } catch (IOException e) {
      throw e instanceof BrokerErrorException ? Errors.toJms(e) : Errors.withCause(
          new JMSException("cannot connect to " + settings.addresses + ": " + e.getMessage()), e);
    }
  }

  /**
   * The wire of now; waits while there is none.
   *
   * @throws JMSException if there will be none: closed, failed, or failover's `timeout` has passed
   */
  Wire await() throws JMSException {
    long deadline = settings.timeout < 0 ? Long.MAX_VALUE
        : System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(settings.timeout);
    synchronized (lock) {
      while (true) {
        if (closed || closing && wire == null) {
          throw new javax.jms.IllegalStateException("the connection is closed");
        }
        if (failure != null) {
          throw Errors.withCause(new JMSException(failure.getMessage()), failure);
        }
        if (wire != null && wire.isOpen()) {
          return wire;
        }
        long left = deadline == Long.MAX_VALUE ? 1000
            : TimeUnit.NANOSECONDS.toMillis(deadline - System.nanoTime());
        if (left <= 0) {
          throw new JMSException("no broker for " + settings.timeout + " ms");
        }
        waitOn(lock, left);
      }
    }
  }

  /** The wire of now, null if there is none; does not wait. */
  Wire current() {
    synchronized (lock) {
      return wire != null && wire.isOpen() ? wire : null;
    }
  }

  boolean reconnects() {
    return settings.failover;
  }

  /**
   * Asks until an answer came, on the next wire if one is lost in between. For what may be asked twice.
   *
   * @throws WireClosedException without `failover:`; with it only if brokers ended the connection
   *     again and again with an ERROR, as they do with a frame that is too large: it may be this one
   */
  void askUntilAnswered(Function<Wire, Frame> frame, int timeoutMillis)
      throws JMSException, IOException {
    for (int refusals = 0; ; ) {
      try {
        Wire now = await();
        answer(now.request(frame.apply(now)), timeoutMillis);
        return;
      } catch (WireClosedException e) {
        refusals += e.hasReason() ? 1 : 0;
        if (!reconnects() || refusals == REFUSALS_MAX) {
          throw e;
        }
      }
    }
  }

  /** Waits for a RECEIPT; 0: without limit. */
  static Frame answer(CompletableFuture<Frame> request, int timeoutMillis)
      throws IOException, JMSException {
    try {
      return timeoutMillis == 0 ? request.get() : request.get(timeoutMillis, TimeUnit.MILLISECONDS);
    } catch (ExecutionException e) {
      if (e.getCause() instanceof IOException cause) {
        throw cause;
      }
      throw Errors.toJms(e.getCause());
    } catch (TimeoutException e) {
      throw Errors.withCause(new ResourceAllocationException(
          "no answer from the broker for " + timeoutMillis + " ms"), e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw Errors.withCause(new JMSException("interrupted while waiting for the broker"), e);
    }
  }

  /**
   * As answer(), but an interrupt does not end the waiting, only stays: for what would have an unknown
   * outcome otherwise. It ends with the wire at the latest.
   */
  static Frame certainAnswer(CompletableFuture<Frame> request) throws IOException, JMSException {
    boolean interrupted = false;
    try {
      while (true) {
        try {
          return request.get();
        } catch (InterruptedException e) {
          interrupted = true;
        } catch (ExecutionException e) {
          if (e.getCause() instanceof IOException cause) {
            throw cause;
          }
          throw Errors.toJms(e.getCause());
        }
      }
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  static void waitOn(Object monitor, long millis) throws JMSException {
    try {
      monitor.wait(millis);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw Errors.withCause(new JMSException("interrupted"), e);
    }
  }

  /** The wire's reading thread says that it is lost. */
  void lost(Wire which, IOException cause) {
    synchronized (lock) {
      if (closed || which != wire) {
        return;  // one that was lost before it was in use: whoever opened it tries again
      }
      wire = null;
      if (!settings.failover) {
        failure = Errors.toJms(cause);
      }
      lock.notifyAll();
    }
    owner.interrupted(which);
    if (settings.failover) {
      LOG.log(System.Logger.Level.WARNING, "{0}; reconnecting", cause.getMessage());
      Thread thread = new Thread(this::reconnect, "pabal-jms-reconnect");
      thread.setDaemon(true);
      thread.start();
    } else {
      owner.failed(Errors.toJms(cause));
    }
  }

  private void reconnect() {
    try {
      Wire next = connectPatiently(settings.maxReconnectAttempts, true);
      boolean late;
      synchronized (lock) {
        late = closed;
        wire = late ? null : next;
        lock.notifyAll();
      }
      if (late) {
        next.close();
      } else if (!next.isOpen()) {
        // Lost between its last answer and now, when lost() still took it for nobody's.
        lost(next, new IOException("the connection was lost at once"));
      }
    } catch (IOException | JMSException | RuntimeException e) {
      JMSException cause = Errors.toJms(e);
      synchronized (lock) {
        failure = cause;
        lock.notifyAll();
        if (closed) {
          return;
        }
      }
      owner.failed(cause);
    }
  }

  private Wire connectPatiently(int attemptsMax, boolean again) throws IOException, JMSException {
    double delay = settings.initialReconnectDelay;
    // Later, each call that waits counts for itself: await().
    long deadline = again || settings.timeout < 0 ? Long.MAX_VALUE
        : System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(settings.timeout);
    String said = null;
    for (int attempt = 1; ; ++attempt) {
      try {
        Wire next = connectOnce();
        try {
          owner.restore(next);
          return next;
        } catch (IOException e) {
          next.close();
          owner.interrupted(next);
          throw e;
        }
      } catch (IOException e) {
        // Right after a loss the broker may still know the client by its old connection.
        boolean hopeless = !again && e instanceof BrokerErrorException;
        if (hopeless || attemptsMax >= 0 && attempt > attemptsMax) {
          throw e;
        }
        // Once each: what keeps it from going on must not be a secret.
        boolean known = String.valueOf(e.getMessage()).equals(said);
        said = String.valueOf(e.getMessage());
        LOG.log(known ? System.Logger.Level.DEBUG : System.Logger.Level.WARNING,
            "attempt {0} to connect: {1}", attempt, said);
      }
      long left = deadline == Long.MAX_VALUE ? Long.MAX_VALUE
          : TimeUnit.NANOSECONDS.toMillis(deadline - System.nanoTime());
      pause(Math.max(0, Math.min((long) delay, left)));
      if (left <= delay) {
        throw new JMSException("no broker for " + settings.timeout + " ms: " + said);
      }
      delay = settings.useExponentialBackOff
          ? Math.min(delay * settings.backOffMultiplier, settings.maxReconnectDelay) : delay;
    }
  }

  private void pause(long millis) throws JMSException {
    long deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(millis);
    synchronized (lock) {
      for (long left = millis; left > 0 && !closed;
          left = TimeUnit.NANOSECONDS.toMillis(deadline - System.nanoTime())) {
        waitOn(lock, left);
      }
      if (closed) {
        throw new javax.jms.IllegalStateException("the connection is closed");
      }
    }
  }

  /** One round over the addresses. */
  private Wire connectOnce() throws IOException {
    List<BrokerAddress> addresses = new ArrayList<>(settings.addresses);
    if (settings.randomize) {
      Collections.shuffle(addresses);
    }
    IOException last = null;
    for (BrokerAddress address : addresses) {
      try {
        return Wire.open(address, settings.wireOptions(), owner.connectHeaders(), owner);
      } catch (IOException e) {
        if (last != null) {
          e.addSuppressed(last);
        }
        last = e;
      }
    }
    throw last;
  }

  /**
   * From now on nobody waits for another wire. Before close(): what a listener does on this one it can
   * finish, but it must not wait for a broker while close() waits for it.
   */
  void beginClosing() {
    synchronized (lock) {
      closing = true;
      lock.notifyAll();
    }
  }

  /**
   * Ends the link: DISCONNECT, if the broker answers in time. Who waits for a wire gets an error.
   *
   * @param before frames for that wire ahead of it
   */
  void close(Function<Wire, List<Frame>> before) {
    Wire last;
    synchronized (lock) {
      if (closed) {
        return;
      }
      closed = true;
      last = wire;
      wire = null;
      lock.notifyAll();
    }
    if (last == null) {
      return;
    }
    // On a thread of its own: even writing it may wait, behind somebody whose frame a broker that has
    // no room, or hangs, does not take.
    CompletableFuture<Frame> farewell = new CompletableFuture<>();
    Thread thread = new Thread(() -> {
      try {
        for (Frame frame : before.apply(last)) {
          last.send(frame);
        }
      } catch (IOException e) {
        LOG.log(System.Logger.Level.DEBUG, "before DISCONNECT: {0}", e.getMessage());
      }
      last.request(new Frame("DISCONNECT"))
          .whenComplete((receipt, error) -> farewell.complete(receipt));
    }, "pabal-jms-disconnect");
    thread.setDaemon(true);
    thread.start();
    try {
      answer(farewell, settings.closeTimeout);
    } catch (IOException | JMSException e) {
      LOG.log(System.Logger.Level.DEBUG, "at DISCONNECT: {0}", e.getMessage());
    }
    last.close();
  }
}
