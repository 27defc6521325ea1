package org.pabal.jms;

import org.pabal.jms.stomp.Frame;
import org.pabal.jms.stomp.Wire;

/**
 * A message on its way to one consumer. It is acknowledged on the connection on which it came, or not
 * at all: when that is lost the broker delivers it again.
 */
final class Delivery {
  private final PabalMessageConsumer consumer;
  private final Wire wire;
  private final Frame frame;
  private final long arrival;
  private final int earlier;
  private int redeliveries;

  /** @param arrival orders the deliveries of a session */
  Delivery(PabalMessageConsumer consumer, Wire wire, Frame frame, long arrival) {
    this.consumer = consumer;
    this.wire = wire;
    this.frame = frame;
    this.arrival = arrival;
    this.earlier = MessageCodec.earlierDeliveries(frame);
  }

  PabalMessageConsumer consumer() {
    return consumer;
  }

  Wire wire() {
    return wire;
  }

  Frame frame() {
    return frame;
  }

  long arrival() {
    return arrival;
  }

  /** Whether it can still be acknowledged. */
  boolean isLive() {
    return wire.isOpen();
  }

  /**
   * What stays when the broker delivers it again: the copy of a message, which may have come to several
   * queues, for one consumer.
   */
  record Name(PabalMessageConsumer consumer, String destination, String messageId) {}

  Name name() {
    return new Name(consumer, frame.header("destination"), frame.header("message-id"));
  }

  /** Earlier deliveries, those within this client too. */
  int deliveries() {
    return earlier + redeliveries;
  }

  /** How often the application has given it back. */
  int redeliveries() {
    return redeliveries;
  }

  void countRedelivery() {
    ++redeliveries;
  }

  boolean isExpired(long nowMillis) {
    long expires = MessageCodec.number(frame.header("expires"), 0);
    return expires > 0 && expires <= nowMillis;
  }

  /** Its name towards the broker, on its wire. */
  String ackId() {
    return frame.header("ack");
  }

  /** ACK or NACK of it. */
  Frame answer(String command) {
    return new Frame(command).with("id", ackId());
  }
}
