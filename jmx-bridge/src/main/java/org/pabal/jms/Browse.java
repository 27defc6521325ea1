package org.pabal.jms;

import java.io.IOException;
import java.util.ArrayDeque;
import java.util.Enumeration;
import java.util.NoSuchElementException;
import javax.jms.JMSException;
import org.pabal.jms.stomp.Frame;
import org.pabal.jms.stomp.Wire;

/**
 * One walk over a queue. It holds what the broker sends, which does not wait for a slow reader. Used by
 * one thread; arrived() and interrupted() by the connection's.
 */
final class Browse implements Enumeration<Object> {
  private final PabalConnection connection;
  private final String id;
  private final ArrayDeque<Frame> waiting = new ArrayDeque<>();
  private Wire wire;
  private boolean complete;
  private boolean ended;
  private boolean interrupted;

  Browse(PabalConnection connection) {
    this.connection = connection;
    this.id = "browse-" + connection.nextNumber();
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
          .with("ack", "auto")
          .with("selector", selector)
          .with("activemq.prefetchSize",
              Integer.toString(connection.settings().queueBrowserPrefetch))), 0);
    } catch (IOException | JMSException e) {
      connection.removeBrowse(id);
      throw Errors.toJms(e);
    }
  }

  synchronized void arrived(Frame message) {
    if ("end".equals(message.header("browser"))) {
      complete = true;
    } else {
      waiting.addLast(message);
    }
    notifyAll();
  }

  synchronized void interrupted() {
    interrupted = !complete;
    notifyAll();
  }

  /**
   * Waits for the next message, or the end.
   *
   * @throws java.lang.IllegalStateException if the connection is lost before all was seen
   */
  @Override
  public synchronized boolean hasMoreElements() {
    try {
      while (waiting.isEmpty() && !complete && !ended && !interrupted) {
        Link.waitOn(this, 0);
      }
      if (!waiting.isEmpty() && !ended) {
        return true;
      }
      end();
    } catch (JMSException e) {
      throw new java.lang.IllegalStateException(e.getMessage(), e);
    }
    if (interrupted) {
      throw new java.lang.IllegalStateException("the connection was lost while browsing");
    }
    return false;
  }

  @Override
  public synchronized Object nextElement() {
    if (!hasMoreElements()) {
      throw new NoSuchElementException("the end of the queue");
    }
    Frame frame = waiting.pollFirst();
    try {
      PabalMessage message = connection.codec().decode(frame);
      message.received(null, MessageCodec.earlierDeliveries(frame) + 1);
      return message;
    } catch (JMSException e) {
      throw new java.lang.IllegalStateException(e.getMessage(), e);
    }
  }

  /** Ends the subscription, if it has not ended. */
  synchronized void end() throws JMSException {
    if (ended) {
      return;
    }
    ended = true;
    waiting.clear();
    connection.removeBrowse(id);
    try {
      if (wire.isOpen()) {
        wire.send(new Frame("UNSUBSCRIBE").with("id", id));
      }
    } catch (IOException e) {
      throw Errors.toJms(e);
    }
  }
}
