package org.pabal.jms;

import org.pabal.jms.stomp.Frame;
import org.pabal.jms.stomp.Wire;

/**
 * How many messages of a consumer may be unacknowledged, in INDIVIDUAL_ACKNOWLEDGE: as many as the
 * application likes, and the prefetch beyond them. A Pabal is told when that changes much; with another
 * broker the prefetch is the limit, for STOMP has no word for it. (CLIENT_ACKNOWLEDGE and transactions need
 * none: what is acknowledged within a transaction makes room at once.)
 *
 * <p>Under the session's mutex.
 */
final class AckWindow {
  private static final System.Logger LOG = System.getLogger("org.pabal.jms");
  // Pabal's prefetch_max: it grants no more.
  private static final int GRANTED_MAX = 65_535;

  private final String subscription;
  private final int prefetch;
  private Wire wire;
  private int granted;
  private int held;  // by the application, of that wire
  private boolean changed;
  private boolean warned;

  AckWindow(String subscription, int prefetch) {
    this.subscription = subscription;
    this.prefetch = prefetch;
  }

  /** The application gets it. */
  void taken(Delivery delivery) {
    if (delivery.wire() != wire) {
      wire = delivery.wire();
      granted = prefetch;
      held = 0;
      changed = false;
    }
    ++held;
    adjust();
  }

  /** It has it no longer. */
  void returned(Delivery delivery) {
    if (delivery.wire() == wire) {
      --held;
      adjust();
    }
  }

  /** What the wire of that delivery is to be told; null: nothing. */
  Frame takeFrame(Delivery delivery) {
    if (!changed || delivery.wire() != wire) {
      return null;
    }
    changed = false;
    return new Frame("SUBSCRIBE").with("id", subscription)
        .with("JMS_Pabal_Prefetch", Integer.toString(granted));
  }

  private void adjust() {
    boolean tooSmall = granted - held < Math.max(1, prefetch / 2);
    boolean tooLarge = granted - held > 2 * prefetch;
    if (!tooSmall && !tooLarge) {
      return;
    }
    int wanted = Math.min(held + prefetch, GRANTED_MAX);
    if (wire.isPabal() && wanted != granted) {
      granted = wanted;
      changed = true;
    } else if (held >= granted) {
      warn();
    }
  }

  private void warn() {
    if (!warned) {
      warned = true;
      LOG.log(System.Logger.Level.WARNING, "{0} messages are not acknowledged: the broker sends no"
          + " more to this consumer (INDIVIDUAL_ACKNOWLEDGE)", held);
    }
  }
}
