package org.pabal.jms.stomp;

import java.io.IOException;

/** The broker answered with an ERROR frame. The connection may live on. */
public final class BrokerErrorException extends IOException {
  private static final long serialVersionUID = 1L;

  private final String detail;

  BrokerErrorException(Frame error) {
    super(error.header("message") != null ? error.header("message") : "the broker sent an ERROR");
    this.detail = Utf8.decode(error.body());
  }

  /** The body of the ERROR: ActiveMQ's is a stack trace, which names the exception. */
  public String detail() {
    return detail;
  }
}
