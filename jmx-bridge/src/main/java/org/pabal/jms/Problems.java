package org.pabal.jms;

import java.util.ArrayDeque;
import javax.jms.ExceptionListener;
import javax.jms.JMSException;

/**
 * Calls an ExceptionListener, one problem at a time and in their order, on a thread of its own while there
 * are any: not on the reading thread, because the listener may close the connection and wait for that.
 */
final class Problems {
  private static final System.Logger LOG = System.getLogger("org.pabal.jms");
  // A broker may refuse a thousand messages before a slow listener has heard of the first.
  private static final int WAITING_MAX = 1000;

  private record Problem(ExceptionListener listener, JMSException exception) {}

  private final ArrayDeque<Problem> waiting = new ArrayDeque<>();
  private boolean telling;
  private long untold;

  synchronized void tell(ExceptionListener listener, JMSException exception) {
    if (waiting.size() == WAITING_MAX) {
      if (++untold == 1) {
        LOG.log(System.Logger.Level.WARNING, "the ExceptionListener is too slow to hear of all");
      }
      return;
    }
    waiting.addLast(new Problem(listener, exception));
    if (!telling) {
      telling = true;
      Thread thread = new Thread(this::tellAll, "pabal-jms-exception");
      thread.setDaemon(true);
      thread.start();
    }
  }

  private void tellAll() {
    for (Problem next = next(); next != null; next = next()) {
      try {
        next.listener.onException(next.exception);
      } catch (RuntimeException | Error e) {
        LOG.log(System.Logger.Level.WARNING, "the ExceptionListener failed", e);
      }
    }
  }

  private synchronized Problem next() {
    Problem next = waiting.pollFirst();
    telling = next != null;
    return next;
  }
}
