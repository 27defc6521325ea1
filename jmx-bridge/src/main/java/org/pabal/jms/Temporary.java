package org.pabal.jms;

/**
 * The life of a temporary destination. STOMP knows it by an alias on the connection that made it, and
 * shows it to others by another name, which they may only send to.
 */
final class Temporary {
  /** Null: of another connection, seen as somebody's reply-to. */
  final PabalConnection owner;
  private volatile boolean deleted;

  Temporary(PabalConnection owner) {
    this.owner = owner;
  }

  void delete(PabalDestination destination) throws javax.jms.JMSException {
    if (owner == null) {
      throw new javax.jms.IllegalStateException(
          destination + " can only be deleted by the connection that made it");
    }
    owner.deleteTemporary(destination);
    deleted = true;
  }

  /** For sending from `connection`. */
  void checkUsable(PabalDestination destination, PabalConnection connection)
      throws javax.jms.InvalidDestinationException {
    if (deleted) {
      throw new javax.jms.InvalidDestinationException(destination + " was deleted");
    }
    if (owner != null && owner != connection) {
      throw new javax.jms.InvalidDestinationException(destination
          + " belongs to another connection: send to what a message has as its JMSReplyTo");
    }
  }

  /** For receiving on `connection`. */
  void checkOwned(PabalDestination destination, PabalConnection connection)
      throws javax.jms.InvalidDestinationException {
    checkUsable(destination, connection);
    if (owner == null) {
      throw new javax.jms.InvalidDestinationException(
          "only the connection that made " + destination + " can receive from it");
    }
  }

  /** That of `destination`, null if it is not a temporary one. */
  static Temporary of(PabalDestination destination) {
    if (destination instanceof PabalTemporaryQueue queue) {
      return queue.life();
    }
    return destination instanceof PabalTemporaryTopic topic ? topic.life() : null;
  }
}
