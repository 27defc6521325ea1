package org.pabal.jms;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import javax.jms.JMSException;
import javax.jms.TransactionRolledBackException;
import org.pabal.jms.stomp.Frame;
import org.pabal.jms.stomp.Wire;
import org.pabal.jms.stomp.WireClosedException;

/**
 * What a transacted session does between two commits, or one of CLIENT_ACKNOWLEDGE receives between two
 * calls of acknowledge(). It begins with the first send or receipt, lives on
 * one wire, and is doomed when that is lost, or a part of it fails: then it can only roll back.
 *
 * <p>Used by the session's thread; doom() by any.
 */
class LocalTransaction {
  // So many sends may be unconfirmed before the next one waits for them.
  private static final int UNCONFIRMED_MAX = 1000;

  private final PabalConnection connection;
  private final List<CompletableFuture<Frame>> sends = new ArrayList<>();
  private volatile Wire wire;  // null: not begun
  private volatile IOException doomedBy;
  private String name;

  LocalTransaction(PabalConnection connection) {
    this.connection = connection;
  }

  void send(Frame frame) throws JMSException {
    if (!begin()) {
      return;
    }
    if (sends.size() == UNCONFIRMED_MAX) {
      awaitSends();
    }
    sends.add(wire.request(frame.with("transaction", name)));
  }

  void acknowledge(Delivery delivery) throws JMSException {
    if (!begin()) {
      return;
    }
    try {
      if (delivery.wire() != wire) {
        throw new IOException("a message came on a connection that was lost");
      }
      wire.send(delivery.answer("ACK").with("transaction", name));
    } catch (IOException e) {
      doomedBy = e;
    }
  }

  /** False if it is doomed: what is done in it has no effect. */
  boolean begin() throws JMSException {
    if (doomedBy != null) {
      return false;
    }
    if (wire == null) {
      Wire now = beginOn();
      try {
        now.send(new Frame("BEGIN").with("transaction", name));
      } catch (IOException e) {
        doomedBy = e;
      }
    }
    return doomedBy == null;
  }

  /** Gives it a wire, and a name there. */
  final Wire beginOn() throws JMSException {
    Wire now = connection.link().await();
    name = "tx-" + connection.nextNumber();
    wire = now;
    return now;
  }

  final Wire wire() {
    return wire;
  }

  final String name() {
    return name;
  }

  /** Null: nothing in it has failed. */
  final IOException doomedBy() {
    return doomedBy;
  }

  /** What came or was sent on `lost` has no effect any more. */
  void doom(Wire lost, IOException cause) {
    if (wire == lost && doomedBy == null) {
      doomedBy = cause;
    }
  }

  final void awaitSends() throws JMSException {
    for (CompletableFuture<Frame> send : sends) {
      try {
        Link.answer(send, 0);
      } catch (IOException e) {
        doomedBy = doomedBy != null ? doomedBy : e;
      }
    }
    sends.clear();
  }

  /**
   * Returns when all of it is durable. In any case it is over then. An interrupt while sends wait rolls it
   * back; one behind COMMIT waits for the outcome.
   *
   * @throws TransactionRolledBackException if it is rolled back, or its outcome is unknown: the
   *     connection was lost between COMMIT and its receipt
   */
  void commit() throws JMSException {
    try {
      try {
        awaitSends();
      } catch (JMSException e) {
        abortQuietly();
        throw rolledBack("the transaction was rolled back: " + e.getMessage(), e);
      }
      IOException cause = doomedBy;
      if (cause != null) {
        abortQuietly();
        throw rolledBack("the transaction was rolled back: " + cause.getMessage(), cause);
      }
      if (wire != null) {
        Link.certainAnswer(wire.request(new Frame("COMMIT").with("transaction", name)));
      }
    } catch (WireClosedException e) {
      throw rolledBack("the connection was lost during the commit: whether it took effect is"
          + " unknown; messages that it received come again if it did not", e);
    } catch (IOException e) {
      throw rolledBack("the transaction was rolled back: " + e.getMessage(), e);
    } finally {
      reset();
    }
  }

  /** In any case it is over then; a wire that is lost has rolled it back. */
  void rollback() throws JMSException {
    try {
      if (wire != null && wire.isOpen()) {
        Link.certainAnswer(wire.request(new Frame("ABORT").with("transaction", name)));
      }
    } catch (WireClosedException e) {
      // That is a rollback too.
    } catch (IOException e) {
      throw Errors.toJms(e);
    } finally {
      reset();
    }
  }

  private void abortQuietly() {
    try {
      rollback();
    } catch (JMSException e) {
      System.getLogger("org.pabal.jms").log(System.Logger.Level.DEBUG, "ABORT: {0}", e.getMessage());
    }
  }

  private void reset() {
    sends.clear();
    wire = null;
    doomedBy = null;
  }

  private static TransactionRolledBackException rolledBack(String text, Exception cause) {
    return Errors.withCause(new TransactionRolledBackException(text), cause);
  }
}
