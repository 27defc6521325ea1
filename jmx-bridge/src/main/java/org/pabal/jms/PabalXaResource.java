package org.pabal.jms;

import java.io.IOException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import javax.jms.JMSException;
import javax.transaction.xa.XAException;
import javax.transaction.xa.XAResource;
import javax.transaction.xa.Xid;
import org.pabal.jms.stomp.BrokerErrorException;
import org.pabal.jms.stomp.Frame;
import org.pabal.jms.stomp.Wire;

/**
 * What a transaction manager uses of an XA session. The branches are the broker's: any resource of it may
 * finish one, over restarts too. A connection that is lost is XAER_RMFAIL: what is prepared waits for another
 * try, what is not has been rolled back. Thread: the session's for start and end, any for the rest.
 */
final class PabalXaResource implements XAResource {
  private final PabalXaSession session;
  private final PabalConnection connection;

  PabalXaResource(PabalXaSession session) {
    this.session = session;
    this.connection = session.connection();
  }

  @Override
  public void start(Xid xid, int flags) throws XAException {
    String how = switch (flags) {
      case TMNOFLAGS -> null;
      case TMJOIN -> "join";
      case TMRESUME -> "resume";
      default -> throw exception(XAException.XAER_INVAL, "flags of start: " + flags, null);
    };
    if (session.branch() != null) {
      throw exception(XAException.XAER_PROTO, "the session works for another branch", null);
    }
    XaBranch branch = new XaBranch(connection, xid);
    call(() -> branch.start(how));
    session.setBranch(branch);
  }

  @Override
  public void end(Xid xid, int flags) throws XAException {
    String how = switch (flags) {
      case TMSUCCESS -> "end";
      case TMSUSPEND -> "suspend";
      case TMFAIL -> "fail";
      default -> throw exception(XAException.XAER_INVAL, "flags of end: " + flags, null);
    };
    XaBranch branch = session.branch();
    if (branch == null || !branch.xid().equals(XaBranch.textOf(xid))) {
      if (flags == TMSUSPEND) {
        throw exception(XAException.XAER_PROTO, "the session does not work for that branch", null);
      }
      return;  // it was suspended, and is not resumed
    }
    boolean[] sound = {false};
    try {
      call(() -> sound[0] = branch.end(how));
    } finally {
      session.endBranch();
    }
    if (!sound[0]) {
      throw exception(XAException.XA_RBROLLBACK,
          "a part of it failed, or the connection was lost: it can only roll back", null);
    }
  }

  @Override
  public int prepare(Xid xid) throws XAException {
    Frame receipt = ask(new Frame("COMMIT").with("xid", XaBranch.textOf(xid)).with("xa", "prepare"));
    boolean readOnly = "read-only".equals(receipt.header("xa"));
    if (readOnly) {
      connection.branches().committed(XaBranch.textOf(xid));
    }
    return readOnly ? XA_RDONLY : XA_OK;
  }

  @Override
  public void commit(Xid xid, boolean onePhase) throws XAException {
    String text = XaBranch.textOf(xid);
    try {
      ask(new Frame("COMMIT").with("xid", text).with("xa", onePhase ? "one-phase" : null));
    } catch (XAException e) {
      if (e.errorCode >= XAException.XA_RBBASE && e.errorCode <= XAException.XA_RBEND) {
        call(() -> connection.branches().rolledBack(text));
      }
      throw e;
    }
    connection.branches().committed(text);
  }

  @Override
  public void rollback(Xid xid) throws XAException {
    ask(new Frame("ABORT").with("xid", XaBranch.textOf(xid)));
    call(() -> connection.branches().rolledBack(XaBranch.textOf(xid)));
  }

  /** Of a branch that an operator completed. */
  @Override
  public void forget(Xid xid) throws XAException {
    ask(new Frame("ABORT").with("xid", XaBranch.textOf(xid)).with("xa", "forget"));
    connection.branches().committed(XaBranch.textOf(xid));
  }

  /** All with TMSTARTRSCAN; what a scan goes on with is nothing. */
  @Override
  public Xid[] recover(int flags) throws XAException {
    if ((flags & ~(TMSTARTRSCAN | TMENDRSCAN)) != 0) {
      throw exception(XAException.XAER_INVAL, "flags of recover: " + flags, null);
    }
    List<Xid> found = new ArrayList<>();
    String after = null;
    for (boolean more = (flags & TMSTARTRSCAN) != 0; more; ) {
      Frame receipt = ask(new Frame("COMMIT").with("xa", "recover").with("xid", after));
      String list = receipt.header("xids");
      if (list == null) {
        throw exception(XAException.XAER_RMERR, "the broker lists no branches", null);
      }
      for (String each : list.isEmpty() ? new String[0] : list.split(",")) {
        found.add(Named.read(each));
        after = each;
      }
      more = "true".equals(receipt.header("more"));
    }
    return found.toArray(Xid[]::new);
  }

  /** Whether a branch can be joined there: at the same broker, or failover list of brokers. */
  @Override
  public boolean isSameRM(XAResource other) {
    return other instanceof PabalXaResource that && java.util.Set
        .copyOf(connection.settings().addresses)
        .equals(java.util.Set.copyOf(that.connection.settings().addresses));
  }

  /** There is none: a branch that is not prepared ends with its connection. */
  @Override
  public boolean setTransactionTimeout(int seconds) {
    return false;
  }

  @Override
  public int getTransactionTimeout() {
    return 0;
  }

  // --- asking ----------------------------------------------------------------------------------

  private interface Call {
    void run() throws JMSException, IOException;
  }

  private static void call(Call call) throws XAException {
    try {
      call.run();
    } catch (BrokerErrorException e) {
      throw exception(codeOf(e.getMessage()), e.getMessage(), e);
    } catch (IOException | JMSException e) {
      throw exception(XAException.XAER_RMFAIL, e.getMessage(), e);
    }
  }

  private Frame ask(Frame frame) throws XAException {
    Frame[] answer = new Frame[1];
    call(() -> {
      Wire wire = connection.link().await();
      if (!wire.isPabal()) {
        throw new JMSException("XA needs a Pabal: STOMP has no word for it");
      }
      answer[0] = Link.certainAnswer(wire.request(frame));
    });
    return answer[0];
  }

  /** An ERROR begins with the name of its code. */
  private static int codeOf(String message) {
    int colon = message.indexOf(':');
    return switch (colon < 0 ? message : message.substring(0, colon)) {
      case "XAER_NOTA" -> XAException.XAER_NOTA;
      case "XAER_DUPID" -> XAException.XAER_DUPID;
      case "XAER_PROTO" -> XAException.XAER_PROTO;
      case "XAER_INVAL" -> XAException.XAER_INVAL;
      case "XAER_RMFAIL" -> XAException.XAER_RMFAIL;
      case "XA_RBROLLBACK" -> XAException.XA_RBROLLBACK;
      case "XA_HEURCOM" -> XAException.XA_HEURCOM;
      case "XA_HEURRB" -> XAException.XA_HEURRB;
      default -> XAException.XAER_RMERR;
    };
  }

  private static XAException exception(int code, String text, Throwable cause) {
    XAException exception = new XAException(text);
    exception.errorCode = code;
    exception.initCause(cause);
    return exception;
  }

  /** A branch as the broker names it. */
  private record Named(int format, String global, String branch) implements Xid {
    static Named read(String text) throws XAException {
      String[] parts = text.split(":", -1);
      try {
        return new Named(Integer.parseInt(parts[0]), parts[1], parts[2]);
      } catch (NumberFormatException | ArrayIndexOutOfBoundsException e) {
        throw exception(XAException.XAER_RMERR, "the broker names a branch " + text, e);
      }
    }

    @Override
    public int getFormatId() {
      return format;
    }

    @Override
    public byte[] getGlobalTransactionId() {
      return HexFormat.of().parseHex(global);
    }

    @Override
    public byte[] getBranchQualifier() {
      return HexFormat.of().parseHex(branch);
    }
  }
}
