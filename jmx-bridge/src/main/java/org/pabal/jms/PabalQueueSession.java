package org.pabal.jms;

import javax.jms.JMSException;
import javax.jms.TemporaryTopic;
import javax.jms.Topic;
import javax.jms.TopicSubscriber;

/** A session that knows queues only: JMS 1.1 §4.4.15 has it refuse what is about topics. */
final class PabalQueueSession extends PabalSession {
  PabalQueueSession(PabalConnection connection, int mode) {
    super(connection, mode);
  }

  private static JMSException refused() {
    return new javax.jms.IllegalStateException("not for a QueueSession");
  }

  @Override
  public Topic createTopic(String name) throws JMSException {
    throw refused();
  }

  @Override
  public TemporaryTopic createTemporaryTopic() throws JMSException {
    throw refused();
  }

  @Override
  public TopicSubscriber createDurableSubscriber(Topic topic, String name, String selector,
      boolean noLocal) throws JMSException {
    throw refused();
  }

  @Override
  public void unsubscribe(String name) throws JMSException {
    throw refused();
  }
}
