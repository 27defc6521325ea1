package org.pabal.jms;

import java.util.ArrayList;
import java.util.Enumeration;
import java.util.List;
import javax.jms.JMSException;
import javax.jms.Queue;
import javax.jms.QueueBrowser;

/**
 * Looks at a queue without taking from it. Each enumeration is a new walk, from the head to what was the
 * tail at its beginning. Thread: the session's.
 */
public final class PabalQueueBrowser implements QueueBrowser {
  private final PabalSession session;
  private final PabalDestination queue;
  private final String selector;
  private final List<Browse> browses = new ArrayList<>();
  private boolean closed;

  PabalQueueBrowser(PabalSession session, PabalDestination queue, String selector)
      throws JMSException {
    this.session = session;
    this.queue = queue;
    this.selector = selector == null || selector.isBlank() ? null : selector;
    if (this.selector != null) {
      // JMS 1.1: createBrowser refuses a selector that is none; only the broker knows.
      Browse trial = new Browse(session);
      trial.begin(queue, this.selector);
      trial.end();
    }
  }

  @Override
  public Queue getQueue() throws JMSException {
    checkOpen();
    return (Queue) queue;
  }

  @Override
  public String getMessageSelector() throws JMSException {
    checkOpen();
    return selector;
  }

  /** Of {@link javax.jms.Message}. The connection need not be started. */
  @Override
  public Enumeration<?> getEnumeration() throws JMSException {
    checkOpen();
    browses.removeIf(Browse::hasEnded);
    Browse browse = new Browse(session);
    browse.begin(queue, selector);
    browses.add(browse);
    return browse;
  }

  @Override
  public void close() throws JMSException {
    closed = true;
    for (Browse browse : browses) {
      browse.end();
    }
    browses.clear();
  }

  private void checkOpen() throws JMSException {
    session.checkOpen();
    if (closed) {
      throw new javax.jms.IllegalStateException("the browser is closed");
    }
  }
}
