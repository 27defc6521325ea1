import java.nio.ByteBuffer;
import javax.jms.JMSException;
import javax.jms.Message;
import javax.jms.XAConnection;
import javax.jms.XASession;
import javax.transaction.xa.XAException;
import javax.transaction.xa.XAResource;
import javax.transaction.xa.Xid;
import org.apache.activemq.ActiveMQXAConnectionFactory;

/**
 * Moves a message from one queue to another in a distributed transaction, with the stock ActiveMQ client,
 * and does what a transaction manager does after a crash: it asks what is in doubt, and finishes it.
 *
 * <pre>
 *   java -cp "/usr/share/java/*" examples/java/XaTransfer.java tcp://localhost:61616
 *       move FROM TO | prepare FROM TO (and crash) | recover commit|rollback
 * </pre>
 */
public class XaTransfer {
  public static void main(String[] args) throws JMSException, XAException {
    if (args.length != 4 && !(args.length == 3 && args[1].equals("recover"))) {
      System.err.println("usage: XaTransfer URL move FROM TO | prepare FROM TO | recover commit|rollback");
      System.exit(2);
    }
    XAConnection connection = new ActiveMQXAConnectionFactory(args[0]).createXAConnection();
    try {
      connection.start();
      XASession session = connection.createXASession();
      XAResource broker = session.getXAResource();
      if (args[1].equals("recover")) {
        recover(broker, args[2].equals("commit"));
        return;
      }
      Xid branch = new Branch(System.nanoTime());
      broker.start(branch, XAResource.TMNOFLAGS);
      Message message = session.createConsumer(session.createQueue(args[2])).receive();
      session.createProducer(session.createQueue(args[3])).send(message);
      broker.end(branch, XAResource.TMSUCCESS);
      broker.prepare(branch); // Both queues hold it from here on, whatever happens to anybody.
      if (args[1].equals("prepare")) {
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
