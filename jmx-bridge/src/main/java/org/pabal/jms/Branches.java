package org.pabal.jms;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import javax.jms.JMSException;

/**
 * What the sessions of a connection have received in branches that they do not work for any more, until the
 * end of each is known: if it rolls back, the broker leaves these messages to the consumers that had them.
 * Any thread.
 */
final class Branches {
  // Of branches that other connections finish nothing is heard here: the oldest are forgotten. What they
  // had comes again when its consumer closes.
  private static final int BRANCHES_MAX = 1000;

  private record Received(SessionDeliveries session, List<Delivery> deliveries) {}

  private final Map<String, List<Received>> received = new LinkedHashMap<>() {
    private static final long serialVersionUID = 1L;

    @Override
    protected boolean removeEldestEntry(Map.Entry<String, List<Received>> eldest) {
      return size() > BRANCHES_MAX;
    }
  };

  synchronized void keep(String xid, SessionDeliveries session, List<Delivery> deliveries) {
    if (!deliveries.isEmpty()) {
      received.computeIfAbsent(xid, x -> new ArrayList<>()).add(new Received(session, deliveries));
    }
  }

  /** @return what its sessions had */
  private synchronized List<Received> take(String xid) {
    List<Received> parts = received.remove(xid);
    return parts == null ? List.of() : parts;
  }

  void committed(String xid) {
    take(xid);
  }

  void rolledBack(String xid) throws JMSException {
    for (Received part : take(xid)) {
      part.session().redeliverAgain(part.deliveries());
    }
  }

  /** Their connection is lost: they come again from the broker, unless they are prepared. */
  synchronized void forget() {
    received.clear();
  }
}
