package interop.openwire;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertTrue;

import interop.jms.BrokerUnderTest;
import java.util.Collections;
import java.util.Enumeration;
import javax.jms.DeliveryMode;
import javax.jms.JMSException;
import javax.jms.Message;
import javax.jms.MessageConsumer;
import javax.jms.MessageProducer;
import javax.jms.Queue;
import javax.jms.QueueBrowser;
import javax.jms.Session;
import javax.jms.Topic;
import org.apache.activemq.ActiveMQConnection;
import org.apache.activemq.command.ActiveMQDestination;
import org.junit.Test;

/** Destinations that a client removes. */
public class RemovalTest extends OpenWireTest {
  private ActiveMQConnection connection() throws JMSException {
    return (ActiveMQConnection) started(amq());
  }

  private static void destroy(ActiveMQConnection connection, javax.jms.Destination destination)
      throws JMSException {
    connection.destroyDestination((ActiveMQDestination) destination);
  }

  private static void expectInUse(
      ActiveMQConnection connection, javax.jms.Destination destination) {
    JMSException error = expectThrown(JMSException.class, () -> destroy(connection, destination));
    assertTrue(error.getMessage(), error.getMessage().contains("still has an active subscription"));
  }

  private static int count(Session session, Queue queue) throws JMSException {
    QueueBrowser browser = session.createBrowser(queue);
    int count = 0;
    for (Enumeration<?> all = browser.getEnumeration(); all.hasMoreElements(); count++) {
      all.nextElement();
    }
    browser.close();
    return count;
  }

  @Test
  public void anUnusedQueueOnly() throws JMSException {
    ActiveMQConnection connection = connection();
    Session session = auto(connection);
    Queue queue = queue(session);
    MessageConsumer consumer = session.createConsumer(queue);
    expectInUse(connection, queue);
    consumer.close();
    destroy(connection, queue);
    destroy(connection, queue); // What is not there is removed already.
  }

  @Test
  public void aQueueGoesWithItsMessages() throws JMSException {
    ActiveMQConnection connection = connection();
    Session session = auto(connection);
    Queue queue = queue(session);
    MessageProducer producer = session.createProducer(queue);
    for (int i = 0; i < 500; i++) {
      producer.setDeliveryMode(i % 2 == 0 ? DeliveryMode.PERSISTENT : DeliveryMode.NON_PERSISTENT);
      producer.setPriority(i % 10);
      producer.send(session.createTextMessage("" + i));
    }
    destroy(connection, queue);
    assertEquals(Collections.emptyList(), drain(queue));
    send(session, queue, "of the next");
    assertEquals(Collections.singletonList("of the next"), drain(queue));
  }

  @Test
  public void whoSendsToItGoesOn() throws JMSException {
    BrokerUnderTest.assumeNotActiveMq("what it sends from then on is lost");
    ActiveMQConnection connection = connection();
    Session session = auto(connection);
    Queue queue = queue(session);
    MessageProducer producer = session.createProducer(queue);
    producer.send(session.createTextMessage("old"));
    destroy(connection, queue);
    producer.send(session.createTextMessage("new"));
    assertEquals(Collections.singletonList("new"), drain(queue));
  }

  @Test
  public void notWhileSomebodyBrowses() throws JMSException {
    ActiveMQConnection connection = connection();
    Session session = auto(connection);
    Queue queue = session.createQueue(name("queue") + "?consumer.prefetchSize=1");
    send(session, queue(session), numbers(0, 10));
    QueueBrowser browser = session.createBrowser(queue);
    assertTrue(browser.getEnumeration().hasMoreElements());
    expectInUse(connection, queue(session));
    browser.close();
    settle(connection);
    destroy(connection, queue(session));
    assertEquals(0, count(session, queue(session)));
  }

  @Test
  public void notWhileATransactionHoldsItsMessages() throws JMSException {
    ActiveMQConnection connection = connection();
    Session session = transacted(connection);
    Session sending = auto(connection);
    Queue queue = queue(sending);
    send(sending, queue, "one", "two");
    MessageConsumer consumer = session.createConsumer(queue);
    expect(consumer, "one");
    consumer.close();
    // The stock client keeps the consumer until the end of its transaction.
    expectThrown(JMSException.class, () -> destroy(connection, queue));
    session.rollback();
    settle(connection);
    destroy(connection, queue);
    assertEquals(Collections.emptyList(), drain(queue));
  }

  @Test
  public void aSendOfAnOpenTransactionMakesItAnew() throws JMSException {
    BrokerUnderTest.assumeNotActiveMq("it is lost");
    ActiveMQConnection connection = connection();
    Session session = transacted(connection);
    Queue queue = queue(session);
    send(auto(connection), queue, "old");
    send(session, queue, "new");
    destroy(connection, queue);
    session.commit();
    assertEquals(Collections.singletonList("new"), drain(queue));
  }

  @Test
  public void aTopicWithoutSubscriptionsOnly() throws JMSException {
    ActiveMQConnection connection = connection();
    connection.close();
    ActiveMQConnection own = (ActiveMQConnection) stopped(amq());
    own.setClientID(name("client"));
    own.start();
    Session session = auto(own);
    Topic topic = topic(session);
    MessageConsumer consumer = session.createConsumer(topic);
    expectInUse(own, topic);
    consumer.close();
    destroy(own, topic);
    session.createDurableSubscriber(topic, "kept").close();
    expectInUse(own, topic); // Its owner is away.
    send(session, topic, "kept");
    expect(session.createDurableSubscriber(topic, "kept"), "kept");
  }

  @Test
  public void goneItStaysGoneAfterTheBrokersDeath() throws JMSException {
    BrokerUnderTest.assumeThatItCanBeKilled();
    ActiveMQConnection connection = connection();
    Session session = transacted(connection);
    Queue gone = session.createQueue(name("gone"));
    Queue kept = session.createQueue(name("kept"));
    for (int i = 0; i < 4; i++) {
      send(session, gone, numbers(i * 500, i * 500 + 500));
      send(session, kept, numbers(i * 50, i * 50 + 50));
      session.commit();
    }
    destroy(connection, gone);
    BrokerUnderTest.restart();
    Session after = auto(started());
    assertEquals(0, count(after, gone));
    assertEquals(200, count(after, kept));
  }

  @Test
  public void killedMeanwhileItIsAllThereOrGone() throws Exception {
    BrokerUnderTest.assumeThatItCanBeKilled();
    BrokerUnderTest.assumeNotActiveMq("it removes messages one by one");
    for (int round = 0; round < 5; round++) {
      ActiveMQConnection connection = connection();
      connection.setExceptionListener(error -> {}); // It is about to die.
      Session session = transacted(connection);
      Queue queue = session.createQueue(name("queue") + round);
      send(session, queue, numbers(0, 3000));
      session.commit();
      Thread removing = new Thread(() -> {
        try {
          destroy(connection, queue);
        } catch (JMSException dead) {
          // Nobody was told that it is done.
        }
      });
      removing.start();
      BrokerUnderTest.kill();
      removing.join(60_000);
      assertFalse(removing.isAlive());
      BrokerUnderTest.start();
      int left = count(auto(started()), queue);
      assertTrue("left: " + left, left == 0 || left == 3000);
    }
  }

  @Test
  public void aPreparedBranchKeepsTheQueue() throws Exception {
    org.apache.activemq.ActiveMQXAConnection connection =
        (org.apache.activemq.ActiveMQXAConnection) new org.apache.activemq
            .ActiveMQXAConnectionFactory(BrokerUnderTest.url())
            .createXAConnection();
    connection.start();
    Session sending = auto(started());
    Queue queue = queue(sending);
    send(sending, queue, "one", "two");
    javax.jms.XASession session = connection.createXASession();
    org.apache.activemq.command.XATransactionId xid =
        new org.apache.activemq.command.XATransactionId();
    xid.setFormatId(7);
    xid.setGlobalTransactionId(name("global").getBytes());
    xid.setBranchQualifier("b".getBytes());
    session.getXAResource().start(xid, javax.transaction.xa.XAResource.TMNOFLAGS);
    Message got = receive(session.createConsumer(queue));
    assertEquals("one", text(got));
    session.getXAResource().end(xid, javax.transaction.xa.XAResource.TMSUCCESS);
    session.getXAResource().prepare(xid);
    ActiveMQConnection other = connection();
    expectThrown(JMSException.class, () -> destroy(other, queue));
    session.getXAResource().commit(xid, false);
    connection.close();
    destroy(other, queue);
    assertEquals(Collections.emptyList(), drain(queue));
  }
}
