package org.pabal.jms;

import javax.jms.DeliveryMode;
import javax.jms.Destination;
import javax.jms.InvalidDestinationException;
import javax.jms.JMSException;
import javax.jms.Message;
import javax.jms.Queue;
import javax.jms.QueueSender;
import javax.jms.Topic;
import javax.jms.TopicPublisher;

/**
 * Sends to one destination, or to the one of each call. A persistent message is on the broker's disk when
 * send() returns, outside of a transaction; others are only on their way. Thread: the session's.
 */
public final class PabalMessageProducer implements QueueSender, TopicPublisher {
  private final PabalSession session;
  private final PabalDestination destination;  // null: named with each send
  private boolean disableMessageId;
  private boolean disableMessageTimestamp;
  private int deliveryMode = DeliveryMode.PERSISTENT;
  private int priority = Message.DEFAULT_PRIORITY;
  private long timeToLive;
  private boolean closed;

  PabalMessageProducer(PabalSession session, PabalDestination destination) {
    this.session = session;
    this.destination = destination;
  }

  private void checkOpen() throws JMSException {
    session.checkOpen();
    if (closed) {
      throw new javax.jms.IllegalStateException("the producer is closed");
    }
  }

  @Override
  public void setDisableMessageID(boolean value) throws JMSException {
    checkOpen();
    disableMessageId = value;
  }

  @Override
  public boolean getDisableMessageID() throws JMSException {
    checkOpen();
    return disableMessageId;
  }

  @Override
  public void setDisableMessageTimestamp(boolean value) throws JMSException {
    checkOpen();
    disableMessageTimestamp = value;
  }

  @Override
  public boolean getDisableMessageTimestamp() throws JMSException {
    checkOpen();
    return disableMessageTimestamp;
  }

  @Override
  public void setDeliveryMode(int mode) throws JMSException {
    checkOpen();
    new PabalMessage().setJMSDeliveryMode(mode);  // refuses what is none
    deliveryMode = mode;
  }

  @Override
  public int getDeliveryMode() throws JMSException {
    checkOpen();
    return deliveryMode;
  }

  @Override
  public void setPriority(int value) throws JMSException {
    checkOpen();
    new PabalMessage().setJMSPriority(value);
    priority = value;
  }

  @Override
  public int getPriority() throws JMSException {
    checkOpen();
    return priority;
  }

  @Override
  public void setTimeToLive(long millis) throws JMSException {
    checkOpen();
    timeToLive = millis;
  }

  @Override
  public long getTimeToLive() throws JMSException {
    checkOpen();
    return timeToLive;
  }

  @Override
  public Destination getDestination() throws JMSException {
    checkOpen();
    return destination;
  }

  @Override
  public Queue getQueue() throws JMSException {
    return (Queue) getDestination();
  }

  @Override
  public Topic getTopic() throws JMSException {
    return (Topic) getDestination();
  }

  @Override
  public void close() {
    closed = true;
  }

  @Override
  public void send(Message message) throws JMSException {
    send(message, deliveryMode, priority, timeToLive);
  }

  @Override
  public void send(Message message, int mode, int messagePriority, long millisToLive)
      throws JMSException {
    checkOpen();
    if (destination == null) {
      throw new UnsupportedOperationException("the producer has no destination of its own");
    }
    send(destination, message, mode, messagePriority, millisToLive);
  }

  @Override
  public void send(Destination to, Message message) throws JMSException {
    checkUnidentified(to);
    send(PabalDestination.from(to), message, deliveryMode, priority, timeToLive);
  }

  @Override
  public void send(Destination to, Message message, int mode, int messagePriority,
      long millisToLive) throws JMSException {
    checkUnidentified(to);
    send(PabalDestination.from(to), message, mode, messagePriority, millisToLive);
  }

  @Override
  public void send(Queue queue, Message message) throws JMSException {
    send((Destination) queue, message);
  }

  @Override
  public void send(Queue queue, Message message, int mode, int messagePriority, long millisToLive)
      throws JMSException {
    send((Destination) queue, message, mode, messagePriority, millisToLive);
  }

  @Override
  public void publish(Message message) throws JMSException {
    send(message);
  }

  @Override
  public void publish(Message message, int mode, int messagePriority, long millisToLive)
      throws JMSException {
    send(message, mode, messagePriority, millisToLive);
  }

  @Override
  public void publish(Topic topic, Message message) throws JMSException {
    send((Destination) topic, message);
  }

  @Override
  public void publish(Topic topic, Message message, int mode, int messagePriority,
      long millisToLive) throws JMSException {
    send((Destination) topic, message, mode, messagePriority, millisToLive);
  }

  private void checkUnidentified(Destination to) throws JMSException {
    checkOpen();
    if (to == null) {
      throw new InvalidDestinationException("no destination");
    }
    // One that names its own destination once more is let through, as ActiveMQ's client does.
    if (destination != null && !destination.equals(to)) {
      throw new UnsupportedOperationException("the producer sends to " + destination + " only");
    }
  }

  private void send(PabalDestination to, Message message, int mode, int messagePriority,
      long millisToLive) throws JMSException {
    if (message == null) {
      throw new javax.jms.MessageFormatException("no message");
    }
    Temporary temporary = Temporary.of(to);
    if (temporary != null) {
      temporary.checkUsable(to, session.connection());
    }
    long now = System.currentTimeMillis();
    message.setJMSDestination(to);
    message.setJMSDeliveryMode(mode);
    message.setJMSPriority(messagePriority);
    message.setJMSExpiration(millisToLive > 0 ? now + millisToLive : 0);
    message.setJMSTimestamp(disableMessageTimestamp ? 0 : now);
    message.setJMSMessageID(disableMessageId ? null : session.connection().newMessageId());
    PabalMessage own = message instanceof PabalMessage m ? m : ForeignMessages.copy(message, session);
    own.beforeSend();
    session.send(own);
  }
}
