package org.pabal.jms;

import javax.jms.JMSException;
import javax.jms.XAConnectionFactory;
import javax.jms.XAQueueConnectionFactory;
import javax.jms.XATopicConnectionFactory;

/**
 * Makes connections for a transaction manager, to a Pabal: another broker's STOMP has no distributed
 * transactions. Set up as {@link PabalConnectionFactory}.
 */
public final class PabalXAConnectionFactory extends PabalConnectionFactory
    implements XAConnectionFactory, XAQueueConnectionFactory, XATopicConnectionFactory {
  public PabalXAConnectionFactory() {}

  /** @throws IllegalArgumentException if the URL is none, or has an option that is not known */
  public PabalXAConnectionFactory(String brokerUrl) {
    super(brokerUrl);
  }

  /** @throws IllegalArgumentException as the other */
  public PabalXAConnectionFactory(String userName, String password, String brokerUrl) {
    super(userName, password, brokerUrl);
  }

  @Override
  public PabalXaConnection createXAConnection() throws JMSException {
    return createXAConnection(null, null);
  }

  @Override
  public PabalXaConnection createXAConnection(String user, String secret) throws JMSException {
    return new PabalXaConnection(settings(user, secret));
  }

  @Override
  public PabalXaConnection createXAQueueConnection() throws JMSException {
    return createXAConnection();
  }

  @Override
  public PabalXaConnection createXAQueueConnection(String user, String secret) throws JMSException {
    return createXAConnection(user, secret);
  }

  @Override
  public PabalXaConnection createXATopicConnection() throws JMSException {
    return createXAConnection();
  }

  @Override
  public PabalXaConnection createXATopicConnection(String user, String secret) throws JMSException {
    return createXAConnection(user, secret);
  }
}
