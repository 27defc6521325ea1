package interop.jms;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNotNull;
import static org.junit.Assert.assertTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import javax.jms.Connection;
import javax.jms.JMSException;
import javax.jms.Message;
import javax.jms.MessageConsumer;
import javax.jms.MessageProducer;
import javax.jms.Queue;
import javax.jms.Session;
import javax.jms.XAConnection;
import javax.jms.XASession;
import javax.transaction.xa.XAException;
import javax.transaction.xa.XAResource;
import javax.transaction.xa.Xid;
import org.junit.After;
import org.junit.Before;
import org.junit.Test;

/** JMS 1.1 §8.3 to §8.5: distributed transactions, and the broker killed in the middle of them. */
public class XaTest extends JmsTest {
  /** A branch as a transaction manager would number it. */
  static final class Branch implements Xid {
    private static final Random RANDOM = new Random();
    private final byte[] global = new byte[16];
    private final byte[] qualifier;

    Branch(String qualifier) {
      RANDOM.nextBytes(global);
      this.qualifier = qualifier.getBytes(java.nio.charset.StandardCharsets.US_ASCII);
    }

    @Override
    public int getFormatId() {
      return 4711;
    }

    @Override
    public byte[] getGlobalTransactionId() {
      return global.clone();
    }

    @Override
    public byte[] getBranchQualifier() {
      return qualifier.clone();
    }

    boolean is(Xid other) {
      return other.getFormatId() == getFormatId()
          && Arrays.equals(global, other.getGlobalTransactionId())
          && Arrays.equals(qualifier, other.getBranchQualifier());
    }
  }

  private XAConnection connection;
  private XASession session;
  private XAResource resource;
  private Queue in;
  private Queue out;

  @Before
  public void open() throws JMSException {
    connect();
    in = session.createQueue(name("in"));
    out = session.createQueue(name("out"));
  }

  @After
  public void close() throws JMSException {
    try {
      connection.close();
    } catch (JMSException alreadyBroken) {
      // Some tests kill the broker.
    }
  }

  private void connect() throws JMSException {
    connection = BrokerUnderTest.xaFactory().createXAConnection();
    connection.start();
    session = connection.createXASession();
    resource = session.getXAResource();
  }

  /** Passes one message from `in` to `out` in a branch, which has ended after it. */
  private void work(Branch branch, String text) throws Exception {
    resource.start(branch, XAResource.TMNOFLAGS);
    MessageConsumer consumer = session.createConsumer(in);
    expect(consumer, text);
    MessageProducer producer = session.createProducer(out);
    producer.send(session.createTextMessage("did " + text));
    resource.end(branch, XAResource.TMSUCCESS);
    consumer.close();
    producer.close();
  }

  private void give(String... texts) throws JMSException {
    Connection other = started();
    send(auto(other), in, texts);
    other.close();
  }

  private boolean inDoubt(Branch branch) throws XAException {
    int found = 0;
    for (Xid xid : resource.recover(XAResource.TMSTARTRSCAN | XAResource.TMENDRSCAN)) {
      found += branch.is(xid) ? 1 : 0;
    }
    assertTrue("it is listed once", found <= 1);
    return found == 1;
  }

  private static XAException expectCode(int code, Call call) {
    XAException error = expectThrown(XAException.class, call);
    assertEquals(code, error.errorCode);
    return error;
  }

  @Test
  public void twoPhases() throws Exception {
    give("one", "two");
    Branch branch = new Branch("b");
    work(branch, "one");
    assertEquals(XAResource.XA_OK, resource.prepare(branch));
    assertTrue(inDoubt(branch));
    resource.commit(branch, false);
    assertFalse(inDoubt(branch));
    connection.close();
    assertEquals(Collections.singletonList("two"), drain(in));
    assertEquals(Collections.singletonList("did one"), drain(out));
  }

  @Test
  public void onePhase() throws Exception {
    give("one");
    Branch branch = new Branch("b");
    work(branch, "one");
    resource.commit(branch, true);
    assertFalse(inDoubt(branch));
    connection.close();
    assertEquals(Collections.emptyList(), drain(in));
    assertEquals(Collections.singletonList("did one"), drain(out));
  }

  @Test
  public void rollbackWithoutPrepare() throws Exception {
    give("one");
    Branch branch = new Branch("b");
    work(branch, "one");
    resource.rollback(branch);
    connection.close();
    assertEquals(Collections.singletonList("one"), drain(in));
    assertEquals(Collections.emptyList(), drain(out));
  }

  @Test
  public void rollbackAfterPrepare() throws Exception {
    give("one");
    Branch branch = new Branch("b");
    work(branch, "one");
    resource.prepare(branch);
    resource.rollback(branch);
    assertFalse(inDoubt(branch));
    connection.close();
    assertEquals(Collections.singletonList("one"), drain(in));
    assertEquals(Collections.emptyList(), drain(out));
  }

  @Test
  public void whatIsPreparedIsNeitherSeenNorDeliveredAgain() throws Exception {
    give("one");
    Branch branch = new Branch("b");
    work(branch, "one");
    resource.prepare(branch);
    connection.close();
    assertEquals(Collections.emptyList(), drain(in));
    assertEquals(Collections.emptyList(), drain(out));
    connect(); // Another connection may finish it.
    assertTrue(inDoubt(branch));
    resource.commit(branch, false);
    connection.close();
    assertEquals(Collections.emptyList(), drain(in));
    assertEquals(Collections.singletonList("did one"), drain(out));
  }

  @Test
  public void anEmptyBranchIsReadOnly() throws Exception {
    Branch branch = new Branch("b");
    resource.start(branch, XAResource.TMNOFLAGS);
    resource.end(branch, XAResource.TMSUCCESS);
    assertEquals(XAResource.XA_RDONLY, resource.prepare(branch));
    assertFalse(inDoubt(branch));
  }

  @Test
  public void branchesInTurnAndSideBySide() throws Exception {
    give("one", "two");
    XASession other = connection.createXASession();
    XAResource second = other.getXAResource();
    Branch first = new Branch("1");
    Branch next = new Branch("2");
    resource.start(first, XAResource.TMNOFLAGS);
    second.start(next, XAResource.TMNOFLAGS);
    send(session, out, "of first");
    send(other, out, "of second");
    resource.end(first, XAResource.TMSUCCESS);
    second.end(next, XAResource.TMSUCCESS);
    resource.prepare(first);
    second.prepare(next);
    assertTrue(inDoubt(first) && inDoubt(next));
    second.commit(next, false);
    resource.rollback(first);
    Branch later = new Branch("3");
    work(later, "one");
    resource.commit(later, true);
    connection.close();
    assertEquals(Arrays.asList("of second", "did one"), drain(out));
  }

  @Test
  public void suspendAndResume() throws Exception {
    Branch branch = new Branch("b");
    resource.start(branch, XAResource.TMNOFLAGS);
    send(session, out, "one");
    resource.end(branch, XAResource.TMSUSPEND);
    resource.start(branch, XAResource.TMRESUME);
    send(session, out, "two");
    resource.end(branch, XAResource.TMSUCCESS);
    resource.commit(branch, true);
    assertEquals(Arrays.asList("one", "two"), drain(out));
  }

  @Test
  public void twoSessionsJoinOneBranch() throws Exception {
    XASession other = connection.createXASession();
    XAResource second = other.getXAResource();
    assertTrue(resource.isSameRM(second));
    Branch branch = new Branch("b");
    resource.start(branch, XAResource.TMNOFLAGS);
    send(session, out, "one");
    resource.end(branch, XAResource.TMSUCCESS);
    second.start(branch, XAResource.TMJOIN);
    send(other, out, "two");
    second.end(branch, XAResource.TMSUCCESS);
    assertEquals(XAResource.XA_OK, resource.prepare(branch));
    resource.commit(branch, false);
    assertEquals(Arrays.asList("one", "two"), drain(out));
  }

  @Test
  public void unknownBranchesAreNotThere() {
    expectCode(XAException.XAER_NOTA, () -> resource.commit(new Branch("b"), false));
    expectCode(XAException.XAER_NOTA, () -> resource.rollback(new Branch("b")));
  }

  @Test
  public void forgetEndsABranch() throws Exception {
    BrokerUnderTest.assumeNotPabalJms("only what an operator completed is forgotten, as XA says");
    give("one");
    Branch branch = new Branch("b");
    work(branch, "one");
    resource.prepare(branch);
    resource.forget(branch); // ActiveMQ: as a rollback.
    assertFalse(inDoubt(branch));
    connection.close();
    assertEquals(Collections.singletonList("one"), drain(in));
  }

  @Test
  public void aLostConnectionRollsBackWhatIsNotPrepared() throws Exception {
    give("one");
    Branch branch = new Branch("b");
    work(branch, "one");
    connection.close();
    assertEquals(Collections.singletonList("one"), drain(in));
    assertEquals(Collections.emptyList(), drain(out));
    connect();
    assertFalse(inDoubt(branch));
  }

  @Test
  public void outsideOfABranchASessionWorksAsUsual() throws Exception {
    assertTrue(session.getTransacted());
    assertNotNull(session.getSession());
    Branch branch = new Branch("b");
    resource.start(branch, XAResource.TMNOFLAGS);
    send(session, out, "in a branch");
    resource.end(branch, XAResource.TMSUCCESS);
    resource.commit(branch, true);
    expectThrown(JMSException.class, session::commit); // Only by its resource.
    expectThrown(JMSException.class, session::rollback);
    assertEquals(Collections.singletonList("in a branch"), drain(out));
  }

  @Test
  public void rolledBackMessagesComeAgainToTheConsumerThatHadThem() throws Exception {
    give("one", "two");
    MessageConsumer consumer = session.createConsumer(in);
    for (boolean prepares : new boolean[] {false, true}) {
      Branch branch = new Branch("b" + prepares);
      resource.start(branch, XAResource.TMNOFLAGS);
      expect(consumer, "one", "two");
      resource.end(branch, XAResource.TMSUCCESS);
      if (prepares) {
        assertEquals(XAResource.XA_OK, resource.prepare(branch));
      }
      resource.rollback(branch);
    }
    Branch last = new Branch("last");
    resource.start(last, XAResource.TMNOFLAGS);
    Message again = receive(consumer);
    assertEquals("one", text(again));
    assertTrue(again.getJMSRedelivered());
    resource.end(last, XAResource.TMSUCCESS);
    resource.commit(last, true);
    connection.close();
    assertEquals(Collections.singletonList("two"), drain(in));
  }

  @Test
  public void recoverListsAllThatIsInDoubt() throws Exception {
    List<Branch> branches = new ArrayList<>();
    for (int i = 0; i < 250; i++) {
      Branch branch = new Branch("b" + i);
      resource.start(branch, XAResource.TMNOFLAGS);
      send(session, out, "" + i);
      resource.end(branch, XAResource.TMSUCCESS);
      resource.prepare(branch);
      branches.add(branch);
    }
    Xid[] listed = resource.recover(XAResource.TMSTARTRSCAN | XAResource.TMENDRSCAN);
    assertEquals(branches.size(), listed.length);
    for (Branch branch : branches) {
      assertTrue(Arrays.stream(listed).anyMatch(branch::is));
      resource.rollback(branch);
    }
    assertEquals(0, resource.recover(XAResource.TMSTARTRSCAN).length);
    assertEquals(Collections.emptyList(), drain(out));
  }

  @Test
  public void aListenerInABranch() throws Exception {
    give("one");
    CountDownLatch done = new CountDownLatch(1);
    Branch branch = new Branch("b");
    // As in a container: the manager begins before the message is taken.
    resource.start(branch, XAResource.TMNOFLAGS);
    MessageConsumer consumer = session.createConsumer(in);
    consumer.setMessageListener(message -> done.countDown());
    await(done);
    connection.stop(); // Now the listener has returned.
    resource.end(branch, XAResource.TMSUCCESS);
    resource.rollback(branch);
    connection.close();
    assertEquals(Collections.singletonList("one"), drain(in));
  }

  @Test
  public void timeoutsAreOfTheResource() throws Exception {
    assertFalse(resource.setTransactionTimeout(10));
    assertEquals(0, resource.getTransactionTimeout());
  }

  // --- with the broker killed ------------------------------------------------------------------

  private static int rounds() {
    return Integer.parseInt(System.getenv().getOrDefault("PABAL_XA_ROUNDS", "2"));
  }

  /** After the branch has ended: nothing is in doubt, and its work is done, or undone, as a whole. */
  private void expectDone(Branch branch, String text) throws Exception {
    assertFalse(inDoubt(branch));
    assertEquals(Collections.emptyList(), drain(in));
    assertEquals(Collections.singletonList("did " + text), drain(out));
  }

  private void expectUndone(Branch branch, String text) throws Exception {
    assertFalse(inDoubt(branch));
    // After a restart it is read back first, and what is sent now may come before it.
    Connection other = started();
    expect(auto(other).createConsumer(in), text);
    other.close();
    assertEquals(Collections.emptyList(), drain(in));
    assertEquals(Collections.emptyList(), drain(out));
  }

  @Test
  public void killedAfterPrepare() throws Exception {
    BrokerUnderTest.assumeThatItCanBeKilled();
    for (int round = 0; round < rounds(); round++) {
      give("" + round);
      Branch branch = new Branch("b" + round);
      work(branch, "" + round);
      assertEquals(XAResource.XA_OK, resource.prepare(branch));
      BrokerUnderTest.restart();
      connect();
      assertEquals(1, resource.recover(XAResource.TMSTARTRSCAN).length);
      assertTrue(inDoubt(branch));
      if (round % 2 == 0) {
        resource.commit(branch, false);
        expectDone(branch, "" + round);
      } else {
        resource.rollback(branch);
        expectUndone(branch, "" + round);
      }
    }
  }

  @Test
  public void killedBetweenPrepareAndCommit() throws Exception {
    // The commit is under way when the broker dies: afterwards it is in doubt still, or done.
    BrokerUnderTest.assumeThatItCanBeKilled();
    for (int round = 0; round < rounds(); round++) {
      give("" + round);
      Branch branch = new Branch("b" + round);
      work(branch, "" + round);
      assertEquals(XAResource.XA_OK, resource.prepare(branch));
      CountDownLatch asked = new CountDownLatch(1);
      boolean[] confirmed = new boolean[1];
      XAResource dying = resource;
      Thread committer =
          new Thread(
              () -> {
                asked.countDown();
                try {
                  dying.commit(branch, false);
                  confirmed[0] = true;
                } catch (XAException error) {
                  // What the application must expect here.
                }
              });
      committer.start();
      await(asked);
      BrokerUnderTest.restart();
      committer.join(DEADLINE);
      connect();
      List<Xid> listed = new ArrayList<>(List.of(resource.recover(XAResource.TMSTARTRSCAN)));
      assertTrue(listed.size() <= 1);
      if (inDoubt(branch)) {
        assertFalse("a confirmed commit is in doubt", confirmed[0]);
        resource.commit(branch, false);
      }
      expectDone(branch, "" + round);
    }
  }

  @Test
  public void killedAfterCommit() throws Exception {
    BrokerUnderTest.assumeThatItCanBeKilled();
    for (int round = 0; round < rounds(); round++) {
      give("" + round);
      Branch branch = new Branch("b" + round);
      work(branch, "" + round);
      assertEquals(XAResource.XA_OK, resource.prepare(branch));
      resource.commit(branch, false);
      BrokerUnderTest.restart();
      connect();
      assertEquals(0, resource.recover(XAResource.TMSTARTRSCAN).length);
      expectDone(branch, "" + round);
    }
  }

  @Test
  public void killedBeforePrepare() throws Exception {
    BrokerUnderTest.assumeThatItCanBeKilled();
    give("one");
    Branch branch = new Branch("b");
    work(branch, "one");
    BrokerUnderTest.restart();
    connect();
    expectUndone(branch, "one");
  }
}
