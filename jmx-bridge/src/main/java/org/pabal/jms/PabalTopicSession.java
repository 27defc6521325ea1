package org.pabal.jms;

import javax.jms.JMSException;
import javax.jms.Queue;
import javax.jms.TemporaryQueue;

/** A session that knows topics only: JMS 1.1 §4.4.15 has it refuse what is about queues. */
final class PabalTopicSession extends PabalSession {
  PabalTopicSession(PabalConnection connection, int mode) {
    super(connection, mode);
  }

  private static JMSException refused() {
    return new javax.jms.IllegalStateException("not for a TopicSession");
  }

  @Override
  public Queue createQueue(String name) throws JMSException {
    throw refused();
  }

  @Override
  public TemporaryQueue createTemporaryQueue() throws JMSException {
    throw refused();
  }

  @Override
  public PabalQueueBrowser createBrowser(Queue queue, String selector) throws JMSException {
    throw refused();
  }
}
