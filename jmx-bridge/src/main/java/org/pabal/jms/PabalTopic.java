package org.pabal.jms;

import javax.jms.JMSException;
import javax.jms.Topic;

/** A topic by its name; see {@link PabalDestination}. */
public class PabalTopic extends PabalDestination implements Topic {
  private static final long serialVersionUID = 1L;

  /** @throws JMSException if there is no name */
  public PabalTopic(String name) throws JMSException {
    super(withoutScheme(name, "topic://"));
  }

  @Override
  public String getTopicName() {
    return name();
  }

  @Override
  String kind() {
    return "topic";
  }
}
