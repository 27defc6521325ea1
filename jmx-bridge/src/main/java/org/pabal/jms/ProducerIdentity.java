package org.pabal.jms;

import org.pabal.jms.stomp.Frame;

/**
 * Names and counts the sends of a session, so that Pabal takes one that is repeated after a reconnection
 * once (headers `producer-id` and `producer-sequence`). The numbers must grow in the order of sending:
 * used by one session at a time.
 */
final class ProducerIdentity {
  private final String id;
  private long sequence;

  ProducerIdentity(String id) {
    this.id = id;
  }

  void stamp(Frame send) {
    send.with("producer-id", id).with("producer-sequence", Long.toString(++sequence));
  }

  /** For brokers that would take the headers for properties. */
  static void remove(Frame send) {
    send.with("producer-id", null).with("producer-sequence", null);
  }
}
