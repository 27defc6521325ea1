package org.pabal.jms;

import javax.jms.JMSException;
import javax.jms.XAQueueConnection;
import javax.jms.XATopicConnection;

/** A connection whose XA sessions take part in the transactions of a manager. Thread: any. */
public final class PabalXaConnection extends PabalConnection
    implements XAQueueConnection, XATopicConnection {
  PabalXaConnection(Settings settings) throws JMSException {
    super(settings);
  }

  @Override
  public PabalXaSession createXASession() throws JMSException {
    return open(new PabalXaSession(this));
  }

  @Override
  public PabalXaSession createXAQueueSession() throws JMSException {
    return createXASession();
  }

  @Override
  public PabalXaSession createXATopicSession() throws JMSException {
    return createXASession();
  }
}
