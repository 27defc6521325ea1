package org.pabal.jms;

import java.io.NotSerializableException;
import java.io.ObjectOutputStream;
import javax.jms.JMSException;
import javax.jms.TemporaryQueue;

/**
 * A queue that goes with the connection that made it. It cannot be serialized: another process gets it as the
 * JMSReplyTo of a message.
 */
public final class PabalTemporaryQueue extends PabalQueue implements TemporaryQueue {
  private static final long serialVersionUID = 1L;

  private final transient Temporary life;

  /** @param owner null if it is another connection's, which `name` then is the broker's name of */
  PabalTemporaryQueue(String name, PabalConnection owner) throws JMSException {
    super(name);
    this.life = new Temporary(owner);
  }

  Temporary life() {
    return life;
  }

  /** @throws JMSException if it is another connection's, or has receivers */
  @Override
  public void delete() throws JMSException {
    life.delete(this);
  }

  @Override
  String kind() {
    return "temp-queue";
  }

  @Override
  String toStomp() {
    return (life.owner == null ? "/remote-temp-queue/" : "/temp-queue/") + name();
  }

  private void writeObject(ObjectOutputStream out) throws NotSerializableException {
    throw new NotSerializableException(this + " is known to its connection only");
  }
}
