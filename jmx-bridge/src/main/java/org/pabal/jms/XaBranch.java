package org.pabal.jms;

import java.io.IOException;
import java.util.HexFormat;
import javax.jms.JMSException;
import javax.transaction.xa.Xid;
import org.pabal.jms.stomp.Frame;
import org.pabal.jms.stomp.Wire;

/**
 * The work of one session for one branch, between start and end of its XAResource: a transaction whose end
 * is somebody else's word. Thread: as {@link LocalTransaction}.
 */
final class XaBranch extends LocalTransaction {
  private final String xid;

  XaBranch(PabalConnection connection, Xid xid) {
    super(connection);
    this.xid = textOf(xid);
  }

  /** As Pabal writes it in headers. */
  static String textOf(Xid xid) {
    HexFormat hex = HexFormat.of();
    return xid.getFormatId() + ":" + hex.formatHex(xid.getGlobalTransactionId()) + ":"
        + hex.formatHex(xid.getBranchQualifier());
  }

  String xid() {
    return xid;
  }

  /** @param how "join", "resume", or null: the branch begins here */
  void start(String how) throws JMSException, IOException {
    Wire now = beginOn();
    if (!now.isPabal()) {
      throw new JMSException("XA needs a Pabal: STOMP has no word for it");
    }
    Link.certainAnswer(now.request(
        new Frame("BEGIN").with("transaction", name()).with("xid", xid).with("xa", how)));
  }

  /**
   * The session works for it no longer.
   *
   * @param how "end", "suspend" or "fail"
   * @return whether it can still be committed: nothing in it failed
   */
  boolean end(String how) throws JMSException, IOException {
    boolean sound = settleSends();
    Wire wire = wire();
    if (!wire.isOpen()) {
      return false;  // with it the broker has rolled back
    }
    Link.certainAnswer(wire.request(new Frame("COMMIT").with("transaction", name())
        .with("xa", sound ? how : "fail")));
    return sound;
  }

  private boolean settleSends() {
    try {
      awaitSends();
      return doomedBy() == null;
    } catch (JMSException e) {
      return false;  // interrupted: what is not confirmed must not commit
    }
  }

  /** It was begun by start(). */
  @Override
  boolean begin() {
    return doomedBy() == null;
  }
}
