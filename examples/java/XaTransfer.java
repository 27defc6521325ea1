import java.nio.ByteBuffer;
import javax.jms.JMSException;
import javax.jms.Message;
import javax.jms.XAConnection;
import javax.jms.XAConnectionFactory;
import javax.jms.XASession;
import javax.naming.InitialContext;
import javax.naming.NamingException;
import javax.transaction.xa.XAException;
import javax.transaction.xa.XAResource;
import javax.transaction.xa.Xid;

/**
 * Moves a message from one queue to another in a distributed transaction, and does what a transaction manager
 * does after a crash: it asks what is in doubt, and finishes it.
 *
 * <pre>
 *   java -cp examples/java/pabal:pabal-jms.jar:geronimo-jms_1.1_spec.jar examples/java/XaTransfer.java
 *       move FROM TO | prepare FROM TO (and crash) | recover commit|rollback
 * </pre>
 */
public class XaTransfer {
  public static void main(String[] args) throws JMSException, NamingException, XAException {
    if (args.length != 3 && !(args.length == 2 && args[0].equals("recover"))) {
      System.err.println("usage: XaTransfer move FROM TO | prepare FROM TO | recover commit|rollback");
      System.exit(2);
    }
    InitialContext names = new InitialContext();
    XAConnectionFactory factory = (XAConnectionFactory) names.lookup("XAConnectionFactory");
    XAConnection connection = factory.createXAConnection();
    try {
      connection.start();
      XASession session = connection.createXASession();
      XAResource broker = session.getXAResource();
      if (args[0].equals("recover")) {
        recover(broker, args[1].equals("commit"));
        return;
      }
      Xid branch = new Branch(System.nanoTime());
      broker.start(branch, XAResource.TMNOFLAGS);
      Message message = session.createConsumer(session.createQueue(args[1])).receive();
      session.createProducer(session.createQueue(args[2])).send(message);
      broker.end(branch, XAResource.TMSUCCESS);
      broker.prepare(branch); // Both queues hold it from here on, whatever happens to anybody.
      if (args[0].equals("prepare")) {
        System.out.println("prepared");
        Runtime.getRuntime().halt(1);
      }
      broker.commit(branch, false);
      System.out.println("moved");
    } finally {
      connection.close();
    }
  }

  private static void recover(XAResource broker, boolean commit) throws XAException {
    for (Xid branch : broker.recover(XAResource.TMSTARTRSCAN)) {
      if (commit) {
        broker.commit(branch, false);
      } else {
        broker.rollback(branch);
      }
      System.out.println(commit ? "committed" : "rolled back");
    }
  }

  /** A transaction manager has numbers of its own. */
  private static final class Branch implements Xid {
    private final byte[] number;

    Branch(long number) {
      this.number = ByteBuffer.allocate(8).putLong(number).array();
    }

    @Override
    public int getFormatId() {
      return 1;
    }

    @Override
    public byte[] getGlobalTransactionId() {
      return number;
    }

    @Override
    public byte[] getBranchQualifier() {
      return new byte[] {1};
    }
  }
}
