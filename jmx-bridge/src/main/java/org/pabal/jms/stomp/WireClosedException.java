package org.pabal.jms.stomp;

import java.io.IOException;

/** The connection ended before the broker answered: whether it did what was asked is unknown. */
public final class WireClosedException extends IOException {
  private static final long serialVersionUID = 1L;

  WireClosedException(Throwable cause) {
    super("the connection to the broker was lost"
        + (cause == null || cause.getMessage() == null ? "" : ": " + cause.getMessage()), cause);
  }

  /** Whether the broker said, with an ERROR before, why it ended the connection. */
  public boolean hasReason() {
    return getCause() instanceof BrokerErrorException;
  }
}
