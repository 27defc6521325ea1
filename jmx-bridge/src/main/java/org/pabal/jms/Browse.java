package org.pabal.jms;

import java.io.IOException;
import java.util.ArrayDeque;
import java.util.Enumeration;
import java.util.NoSuchElementException;
import javax.jms.JMSException;
import org.pabal.jms.stomp.Frame;
import org.pabal.jms.stomp.Wire;

/**
 * One walk over a queue. The broker sends ahead as many messages as the prefetch allows, and goes on as
 * they are looked at: an acknowledgement of a browser takes nothing. Used by one thread; arrived(),
 * interrupted() and end() by any.
 */
final class Browse implements Enumeration<Object> {
  private final PabalSession session;
  private final PabalConnection connection;
  private final String id;
  private final ArrayDeque<Frame> waiting = new ArrayDeque<>();
  private Wire wire;
  private boolean complete;
  private boolean ended;
  private String brokenBy;  // null: nothing

  Browse(PabalSession session) {
    this.session = session;
    this.connection = session.connection();
    this.id = "browse-" + connection.nextNumber();
  }

  PabalSession session() {
    return session;
  }

  /** Subscribes; the broker begins to send. */
  void begin(PabalDestination queue, String selector) throws JMSException {
    connection.add(id, this);
    try {
      wire = connection.link().await();
      Link.answer(wire.request(new Frame("SUBSCRIBE")
          .with("id", id)
          .with("destination", queue.toStomp())
          .with("browser", "true")
          .with("ack", "client-individual")
          .with("selector", selector)
          .with("transformation", wire.isPabal() ? MessageCodec.TRANSFORMATION : null)
          .with("activemq.prefetchSize",
              Integer.toString(connection.settings().queueBrowserPrefetch))), 0);
    } catch (IOException | JMSException e) {
      connection.removeBrowse(id);
      throw Errors.toJms(e);
    }
  }

  synchronized void arrived(Frame message) {
    // A property of a message may look like the first of these.
    if ("end".equals(message.header("browser")) && "0".equals(message.header("message-id"))) {
      complete = true;
    } else if (!ended) {
      waiting.addLast(message);
    }
    notifyAll();
  }

  /** What has not come yet does not come any more. */
  synchronized void interrupted(String why) {
    if (!complete) {
      brokenBy = why;
    }
    notifyAll();
  }

  /** For tests: how many messages are held. */
  synchronized int waitingCount() {
    return waiting.size();
  }

  synchronized boolean hasEnded() {
    return ended;
  }

  /**
   * Waits for the next message, or the end.
   *
   * @throws java.lang.IllegalStateException if the connection is lost, or closed, before all was seen
   */
  @Override
  public boolean hasMoreElements() {
    try {
      if (awaitNext()) {
        return true;
      }
      end();
      return false;
    } catch (JMSException e) {
      throw new java.lang.IllegalStateException(e.getMessage(), e);
    }
  }

  private synchronized boolean awaitNext() throws JMSException {
    while (waiting.isEmpty() && !complete && !ended && brokenBy == null) {
      Link.waitOn(this, 0);
    }
    if (waiting.isEmpty() && brokenBy != null && !ended) {
      throw new javax.jms.IllegalStateException(brokenBy);
    }
    return !waiting.isEmpty() && !ended;
  }

  @Override
  public Object nextElement() {
    if (!hasMoreElements()) {
      throw new NoSuchElementException("the end of the queue");
    }
    Frame frame;
    synchronized (this) {
      frame = waiting.pollFirst();
    }
    if (frame == null) {
      throw new NoSuchElementException("the browser is closed");
    }
    try {
      if (frame.has("ack") && wire.isOpen()) {
        wire.send(new Frame("ACK").with("id", frame.header("ack")));
      }
      PabalMessage message = connection.codec().decode(frame);
      message.received(null, MessageCodec.earlierDeliveries(frame) + 1);
      return message;
    } catch (JMSException e) {
      throw new java.lang.IllegalStateException(e.getMessage(), e);
    } catch (IOException e) {
      // The reading thread says it to those who wait.
      throw new java.lang.IllegalStateException("the connection was lost while browsing", e);
    }
  }

  /** Ends the subscription, if it has not ended. */
  void end() throws JMSException {
    synchronized (this) {
      if (ended) {
        return;
      }
      ended = true;
      waiting.clear();
      notifyAll();
    }
    connection.removeBrowse(id);
    // Not under the monitor: the reading thread wants it while the broker waits for us to read.
    try {
      if (wire != null && wire.isOpen()) {
        wire.send(new Frame("UNSUBSCRIBE").with("id", id));
      }
    } catch (IOException e) {
      throw Errors.toJms(e);
    }
  }
}
