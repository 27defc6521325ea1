package org.pabal.jms;

import javax.jms.JMSException;
import javax.jms.QueueSession;
import javax.jms.TopicSession;
import javax.jms.TransactionInProgressException;
import javax.jms.XAQueueSession;
import javax.jms.XATopicSession;
import javax.transaction.xa.XAResource;

/**
 * A session whose transactions a transaction manager ends. Outside of a branch it sends and acknowledges at
 * once, as in AUTO_ACKNOWLEDGE.
 */
public final class PabalXaSession extends PabalSession implements XAQueueSession, XATopicSession {
  private final PabalXaResource resource = new PabalXaResource(this);
  private volatile XaBranch branch;

  PabalXaSession(PabalConnection connection) {
    super(connection, AUTO_ACKNOWLEDGE);
  }

  @Override
  public XAResource getXAResource() {
    return resource;
  }

  @Override
  public PabalXaSession getSession() throws JMSException {
    checkOpen();
    return this;
  }

  @Override
  public QueueSession getQueueSession() throws JMSException {
    return getSession();
  }

  @Override
  public TopicSession getTopicSession() throws JMSException {
    return getSession();
  }

  /** Always, says JMS 1.1 of XA sessions. */
  @Override
  public boolean getTransacted() throws JMSException {
    checkOpen();
    return true;
  }

  @Override
  public int getAcknowledgeMode() throws JMSException {
    checkOpen();
    return SESSION_TRANSACTED;
  }

  @Override
  public void commit() throws JMSException {
    throw new TransactionInProgressException("only the transaction manager commits an XA session");
  }

  @Override
  public void rollback() throws JMSException {
    throw new TransactionInProgressException("only the transaction manager ends an XA session's work");
  }

  @Override
  public void recover() throws JMSException {
    throw new javax.jms.IllegalStateException("the session is transacted");
  }

  @Override
  LocalTransaction transaction() {
    return branch;
  }

  XaBranch branch() {
    return branch;
  }

  void setBranch(XaBranch begun) {
    branch = begun;
  }

  /** What it received in the branch waits for its end, wherever that is decided. */
  void endBranch() {
    XaBranch ended = branch;
    branch = null;
    if (ended != null) {
      handOver(ended.xid());
    }
  }
}
