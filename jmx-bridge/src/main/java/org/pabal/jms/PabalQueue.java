package org.pabal.jms;

import javax.jms.JMSException;
import javax.jms.Queue;

/** A queue by its name; see {@link PabalDestination}. */
public class PabalQueue extends PabalDestination implements Queue {
  private static final long serialVersionUID = 1L;

  /** @throws JMSException if there is no name */
  public PabalQueue(String name) throws JMSException {
    super(withoutScheme(name, "queue://"));
  }

  @Override
  public String getQueueName() {
    return name();
  }

  @Override
  String kind() {
    return "queue";
  }
}
