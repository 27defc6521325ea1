import java.util.List;
import javax.jms.Connection;
import javax.jms.JMSException;
import javax.jms.Message;
import javax.jms.MessageConsumer;
import javax.jms.Queue;
import javax.jms.Session;
import javax.jms.XAConnection;
import javax.jms.XASession;
import javax.transaction.xa.XAException;
import javax.transaction.xa.XAResource;
import javax.transaction.xa.Xid;
import org.apache.activemq.ActiveMQConnectionFactory;
import org.apache.activemq.ActiveMQXAConnectionFactory;
import org.apache.activemq.RedeliveryPolicy;

/** Local and XA transactions of the stock client. */
final class Transactions extends Scenarios {
  public static void main(String[] arguments) {
    scenario("commit and rollback of sends", Transactions::sends);
    scenario("commit and rollback of receives", Transactions::receives);
    scenario("a large transaction with prefetch 1", Transactions::smallWindow);
    scenario("too many rollbacks end in the dead letter queue", Transactions::poison);
    scenario("a lost connection rolls back", Transactions::lost);
    scenario("two phases", Transactions::twoPhases);
    scenario("one phase", Transactions::onePhase);
    scenario("rollback of branches", Transactions::branchRollback);
    scenario("branches without work and unknown ones", Transactions::readOnly);
    scenario("another connection finishes", Transactions::otherConnection);
    finish();
  }

  record Branch(int number) implements Xid {
    @Override
    public int getFormatId() {
      return 4711;
    }

    @Override
    public byte[] getGlobalTransactionId() {
      return new byte[] {1, (byte) number};
    }

    @Override
    public byte[] getBranchQualifier() {
      return new byte[] {2};
    }

    boolean is(Xid other) {
      return java.util.Arrays.equals(getGlobalTransactionId(), other.getGlobalTransactionId());
    }
  }

  static void sends() throws Exception {
    try (Held<Connection> connectionHeld = hold(connect())) {
      Connection connection = connectionHeld.it();
      Session session = connection.createSession(true, Session.SESSION_TRANSACTED);
      Session watching = connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
      Queue queue = session.createQueue("tx.sends");
      MessageConsumer consumer = watching.createConsumer(queue);
      send(session, queue, "1", "2");
      nothing(consumer);
      session.rollback();
      send(session, queue, "3", "4");
      session.commit();
      same(List.of("3", "4"), receive(consumer, 2));
      nothing(consumer);
    }
  }

  static void receives() throws Exception {
    ActiveMQConnectionFactory factory = factory("");
    factory.getRedeliveryPolicy().setInitialRedeliveryDelay(0);
    try (Held<Connection> connectionHeld = hold(factory.createConnection())) {
      Connection connection = connectionHeld.it();
      connection.start();
      Session session = connection.createSession(true, Session.SESSION_TRANSACTED);
      Session sending = connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
      Queue queue = session.createQueue("tx.receives");
      send(sending, queue, "1", "2", "3");
      MessageConsumer consumer = session.createConsumer(queue);
      same(List.of("1", "2"), receive(consumer, 2));
      session.rollback();
      for (int i = 1; i <= 3; ++i) {
        Message message = consumer.receive(PATIENCE);
        same(String.valueOf(i), text(message));
        same(i <= 2 ? 2 : 1, message.getIntProperty("JMSXDeliveryCount"));
      }
      session.commit();
      nothing(consumer);
      // What is closed in the middle of a transaction comes back.
      send(sending, queue, "4");
      same("4", receive(consumer));
      session.close();
      Message again = sending.createConsumer(queue).receive(PATIENCE);
      same("4", text(again));
      check(again.getJMSRedelivered(), "it was delivered before");
    }
  }

  static void smallWindow() throws Exception {
    try (Held<Connection> connectionHeld = hold(connect("jms.prefetchPolicy.all=1"))) {
      Connection connection = connectionHeld.it();
      Session session = connection.createSession(true, Session.SESSION_TRANSACTED);
      Queue queue = session.createQueue("tx.window");
      for (int i = 0; i < 50; ++i) send(session, queue, "m" + i);
      session.commit();
      MessageConsumer consumer = session.createConsumer(queue);
      for (int i = 0; i < 50; ++i) same("m" + i, receive(consumer));
      session.commit();
      nothing(consumer);
    }
  }

  static void poison() throws Exception {
    ActiveMQConnectionFactory factory = factory("");
    RedeliveryPolicy policy = factory.getRedeliveryPolicy();
    policy.setInitialRedeliveryDelay(0);
    policy.setRedeliveryDelay(0);
    policy.setMaximumRedeliveries(2);
    try (Held<Connection> connectionHeld = hold(factory.createConnection())) {
      Connection connection = connectionHeld.it();
      connection.start();
      Session session = connection.createSession(true, Session.SESSION_TRANSACTED);
      Queue queue = session.createQueue("tx.poison");
      send(session, queue, "bad", "good");
      session.commit();
      MessageConsumer consumer = session.createConsumer(queue);
      for (int i = 1; i <= 3; ++i) {
        Message message = consumer.receive(PATIENCE);
        same("bad", text(message));
        same(i, message.getIntProperty("JMSXDeliveryCount"));
        session.rollback();
      }
      same("good", receive(consumer));
      session.commit();
      Session dead = connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
      Message letter =
          dead.createConsumer(dead.createQueue("ActiveMQ.DLQ")).receive(PATIENCE);
      same("bad", text(letter));
      String cause = letter.getStringProperty("dlqDeliveryFailureCause");
      check(cause.startsWith("java.lang.Throwable: "), cause);
      same(queue, ((org.apache.activemq.command.ActiveMQMessage) letter).getOriginalDestination());
    }
  }

  static void lost() throws Exception {
    try (Held<Connection> watchingHeld = hold(connect())) {
      Connection watching = watchingHeld.it();
      Session session = watching.createSession(false, Session.AUTO_ACKNOWLEDGE);
      Queue queue = session.createQueue("tx.lost");
      send(session, queue, "1");
      Connection connection = connect();
      Session transacted = connection.createSession(true, Session.SESSION_TRANSACTED);
      send(transacted, queue, "never");
      same("1", receive(transacted.createConsumer(queue)));
      ((org.apache.activemq.ActiveMQConnection) connection).getTransport().stop();
      Message again = session.createConsumer(queue).receive(PATIENCE);
      same("1", text(again));
      check(again.getJMSRedelivered(), "it may have been seen");
      nothing(session.createConsumer(queue));
    }
  }

  // --- XA ----------------------------------------------------------------------------------------

  static XAConnection xaConnection() throws JMSException {
    XAConnection connection = new ActiveMQXAConnectionFactory(url("")).createXAConnection();
    connection.start();
    return connection;
  }

  static void fill(Queue queue, String... texts) throws Exception {
    try (Held<Connection> connectionHeld = hold(connect())) {
      Connection connection = connectionHeld.it();
      send(connection.createSession(false, Session.AUTO_ACKNOWLEDGE), queue, texts);
    }
  }

  static void left(Queue queue, String... texts) throws Exception {
    try (Held<Connection> connectionHeld = hold(connect())) {
      Connection connection = connectionHeld.it();
      Session session = connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
      MessageConsumer consumer = session.createConsumer(queue);
      for (String text : texts) same(text, receive(consumer));
      nothing(consumer);
    }
  }

  static boolean inDoubt(XAResource resource, Branch branch) throws XAException {
    for (Xid xid : resource.recover(XAResource.TMSTARTRSCAN)) {
      if (branch.is(xid)) return true;
    }
    return false;
  }

  static void twoPhases() throws Exception {
    try (Held<XAConnection> connectionHeld = hold(xaConnection())) {
      XAConnection connection = connectionHeld.it();
      XASession session = connection.createXASession();
      XAResource resource = session.getXAResource();
      Queue in = session.createQueue("xa.in");
      Queue out = session.createQueue("xa.out");
      fill(in, "1", "2");
      Branch branch = new Branch(1);
      MessageConsumer consumer = session.createConsumer(in);
      resource.start(branch, XAResource.TMNOFLAGS);
      same("1", receive(consumer));
      send(session, out, "done 1");
      resource.end(branch, XAResource.TMSUCCESS);
      same(XAResource.XA_OK, resource.prepare(branch));
      check(inDoubt(resource, branch), "prepared");
      resource.commit(branch, false);
      check(!inDoubt(resource, branch), "finished");
      consumer.close();
      left(out, "done 1");
      left(in, "2");
    }
  }

  static void onePhase() throws Exception {
    try (Held<XAConnection> connectionHeld = hold(xaConnection())) {
      XAConnection connection = connectionHeld.it();
      XASession session = connection.createXASession();
      XAResource resource = session.getXAResource();
      Queue queue = session.createQueue("xa.one");
      Branch branch = new Branch(2);
      resource.start(branch, XAResource.TMNOFLAGS);
      send(session, queue, "1");
      resource.end(branch, XAResource.TMSUCCESS);
      resource.commit(branch, true);
      left(queue, "1");
    }
  }

  static void branchRollback() throws Exception {
    try (Held<XAConnection> connectionHeld = hold(xaConnection())) {
      XAConnection connection = connectionHeld.it();
      XASession session = connection.createXASession();
      XAResource resource = session.getXAResource();
      Queue queue = session.createQueue("xa.rollback");
      fill(queue, "kept");
      for (boolean prepared : new boolean[] {false, true}) {
        Branch branch = new Branch(prepared ? 3 : 4);
        MessageConsumer consumer = session.createConsumer(queue);
        resource.start(branch, XAResource.TMNOFLAGS);
        same("kept", receive(consumer));
        send(session, queue, "never");
        resource.end(branch, XAResource.TMSUCCESS);
        if (prepared) same(XAResource.XA_OK, resource.prepare(branch));
        resource.rollback(branch);
        consumer.close();
      }
      session.close();
      left(queue, "kept");
    }
  }

  static void readOnly() throws Exception {
    try (Held<XAConnection> connectionHeld = hold(xaConnection())) {
      XAConnection connection = connectionHeld.it();
      XAResource resource = connection.createXASession().getXAResource();
      Branch branch = new Branch(5);
      resource.start(branch, XAResource.TMNOFLAGS);
      resource.end(branch, XAResource.TMSUCCESS);
      same(XAResource.XA_RDONLY, resource.prepare(branch));
      XAException unknown =
          refused(XAException.class, () -> resource.commit(new Branch(6), false));
      same(XAException.XAER_NOTA, unknown.errorCode);
      same(0, resource.recover(XAResource.TMNOFLAGS).length);
      check(resource.isSameRM(resource), "the same broker");
    }
  }

  static void otherConnection() throws Exception {
    Branch branch = new Branch(7);
    Queue queue;
    try (Held<XAConnection> connectionHeld = hold(xaConnection())) {
      XAConnection connection = connectionHeld.it();
      XASession session = connection.createXASession();
      XAResource resource = session.getXAResource();
      queue = session.createQueue("xa.other");
      resource.start(branch, XAResource.TMNOFLAGS);
      send(session, queue, "1");
      resource.end(branch, XAResource.TMSUCCESS);
      same(XAResource.XA_OK, resource.prepare(branch));
    }
    try (Held<XAConnection> connectionHeld = hold(xaConnection())) {
      XAConnection connection = connectionHeld.it();
      XAResource resource = connection.createXASession().getXAResource();
      check(inDoubt(resource, branch), "it survives its connection");
      resource.commit(branch, false);
    }
    left(queue, "1");
  }
}
