package interop.jms;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNull;
import static org.junit.Assert.assertTrue;

import java.util.Arrays;
import java.util.Collections;
import javax.jms.Connection;
import javax.jms.JMSException;
import javax.jms.Message;
import javax.jms.MessageConsumer;
import javax.jms.MessageProducer;
import javax.jms.Queue;
import javax.jms.Session;
import javax.jms.Topic;
import org.junit.Test;

/** JMS 1.1 §4.4.7: transacted sessions. */
public class TransactionsTest extends JmsTest {
  @Test
  public void sendsAreSeenAfterCommitAndInOrder() throws JMSException {
    Connection connection = started();
    Session session = transacted(connection);
    Queue queue = queue(session);
    Session other = auto(connection);
    MessageConsumer consumer = other.createConsumer(queue);
    send(session, queue, "one", "two");
    expectNothingMore(other, queue, consumer);
    session.commit();
    expect(consumer, "one", "two");
  }

  @Test
  public void rolledBackSendsAreNeverSeen() throws JMSException {
    Session session = transacted(started());
    Queue queue = queue(session);
    send(session, queue, "one", "two");
    session.rollback();
    assertEquals(Collections.emptyList(), drain(queue));
  }

  @Test
  public void committedReceiptsAreGone() throws JMSException {
    Connection connection = started();
    Session session = transacted(connection);
    Queue queue = queue(session);
    send(auto(connection), queue, "one", "two", "three");
    MessageConsumer consumer = session.createConsumer(queue);
    expect(consumer, "one", "two");
    session.commit();
    connection.close();
    assertEquals(Collections.singletonList("three"), drain(queue));
  }

  @Test
  public void rolledBackReceiptsComeAgainInOrderAndMarked() throws JMSException {
    Connection connection = started();
    Session session = transacted(connection);
    Queue queue = queue(session);
    send(auto(connection), queue, "one", "two", "three");
    MessageConsumer consumer = session.createConsumer(queue);
    expect(consumer, "one", "two");
    session.rollback();
    Message one = receive(consumer);
    assertEquals("one", text(one));
    assertTrue(one.getJMSRedelivered());
    assertEquals(2, one.getIntProperty("JMSXDeliveryCount"));
    Message two = receive(consumer);
    assertEquals("two", text(two));
    assertTrue(two.getJMSRedelivered());
    Message three = receive(consumer);
    assertEquals("three", text(three));
    assertFalse(three.getJMSRedelivered());
    session.commit();
    connection.close();
    assertEquals(Collections.emptyList(), drain(queue));
  }

  @Test
  public void receiveAndSendAreOneUnit() throws JMSException {
    Connection connection = started();
    Session session = transacted(connection);
    Queue in = session.createQueue(name("in"));
    Queue out = session.createQueue(name("out"));
    send(auto(connection), in, "one", "two");
    MessageConsumer consumer = session.createConsumer(in);
    MessageProducer producer = session.createProducer(out);
    producer.send(session.createTextMessage("did " + text(receive(consumer))));
    session.rollback();
    producer.send(session.createTextMessage("did " + text(receive(consumer)) + " again"));
    session.commit();
    producer.send(session.createTextMessage("did " + text(receive(consumer))));
    connection.close(); // Without commit: §4.3.5, rolled back.
    assertEquals(Collections.singletonList("two"), drain(in));
    assertEquals(Collections.singletonList("did one again"), drain(out));
  }

  @Test
  public void oneTransactionSpansDestinationsAndKinds() throws JMSException {
    Connection connection = started();
    Session session = transacted(connection);
    Queue first = session.createQueue(name("first"));
    Queue second = session.createQueue(name("second"));
    Topic topic = topic(session);
    Session other = auto(started());
    MessageConsumer ofTopic = other.createConsumer(topic);
    send(session, first, "to first");
    send(session, second, "to second");
    send(session, topic, "to topic");
    assertNull(ofTopic.receiveNoWait());
    session.commit();
    expect(ofTopic, "to topic");
    assertEquals(Collections.singletonList("to first"), drain(first));
    assertEquals(Collections.singletonList("to second"), drain(second));
  }

  @Test
  public void emptyTransactionsEnd() throws JMSException {
    Session session = transacted(started());
    session.commit();
    session.rollback();
    session.commit();
    Queue queue = queue(session);
    send(session, queue, "one");
    session.commit();
    assertEquals(Collections.singletonList("one"), drain(queue));
  }

  @Test
  public void manyTransactionsInTurn() throws JMSException {
    Connection connection = started();
    Session session = transacted(connection);
    Queue queue = queue(session);
    MessageConsumer consumer = session.createConsumer(queue);
    for (int i = 0; i < 50; i++) {
      send(session, queue, "" + i);
      session.commit();
      expect(consumer, "" + i);
      session.commit();
    }
    connection.close();
    assertEquals(Collections.emptyList(), drain(queue));
  }

  @Test
  public void closingASessionRollsBack() throws JMSException {
    Connection connection = started();
    Session session = transacted(connection);
    Queue in = session.createQueue(name("in"));
    Queue out = session.createQueue(name("out"));
    send(auto(connection), in, "one");
    expect(session.createConsumer(in), "one");
    send(session, out, "never");
    session.close();
    settle(connection);
    Session next = auto(connection);
    MessageConsumer consumer = next.createConsumer(in);
    Message one = receive(consumer);
    assertEquals("one", text(one));
    assertTrue(one.getJMSRedelivered());
    assertEquals(Collections.emptyList(), drain(out));
  }

  @Test
  public void closingAConsumerKeepsItsPartOfTheTransaction() throws JMSException {
    Connection connection = started();
    Session session = transacted(connection);
    Queue queue = queue(session);
    send(auto(connection), queue, "one", "two");
    MessageConsumer consumer = session.createConsumer(queue);
    expect(consumer, "one");
    consumer.close();
    session.commit();
    settle(connection);
    assertEquals(Collections.singletonList("two"), drain(queue));
  }

  @Test
  public void rollbackAfterClosingTheConsumerGivesBack() throws JMSException {
    Connection connection = started();
    Session session = transacted(connection);
    Queue queue = queue(session);
    send(auto(connection), queue, "one", "two");
    MessageConsumer consumer = session.createConsumer(queue);
    expect(consumer, "one");
    consumer.close();
    session.rollback();
    settle(connection);
    assertEquals(Arrays.asList("one", "two"), drain(queue));
  }

  @Test
  public void transactionsOfTwoSessionsAreApart() throws JMSException {
    Connection connection = started();
    Session first = transacted(connection);
    Session second = transacted(connection);
    Queue queue = queue(first);
    send(first, queue, "of first");
    send(second, queue, "of second");
    first.rollback();
    second.commit();
    assertEquals(Collections.singletonList("of second"), drain(queue));
  }

  @Test
  public void aLargeTransactionIsWholeOrNothing() throws JMSException {
    int count = 2000;
    Connection connection = started();
    Session session = transacted(connection);
    Queue queue = queue(session);
    MessageProducer producer = session.createProducer(queue);
    for (int i = 0; i < count; i++) {
      producer.send(session.createTextMessage("" + i));
    }
    session.commit();
    MessageConsumer consumer = session.createConsumer(queue);
    for (int i = 0; i < count; i++) {
      expect(consumer, "" + i);
    }
    session.rollback();
    for (int i = 0; i < count; i++) {
      expect(consumer, "" + i);
    }
    session.commit();
    connection.close();
    assertEquals(Collections.emptyList(), drain(queue));
  }

  @Test
  public void committedWorkSurvivesTheBrokerAndOpenWorkDoesNot() throws JMSException {
    BrokerUnderTest.assumeThatItCanBeKilled();
    Connection connection = started();
    Session committed = transacted(connection);
    Session open = transacted(connection);
    Queue queue = queue(committed);
    Queue in = committed.createQueue(name("in"));
    send(auto(connection), in, "consumed", "in doubt");
    expect(committed.createConsumer(in), "consumed");
    send(committed, queue, "one", "two");
    committed.commit();
    send(open, queue, "never");
    settle(connection);
    BrokerUnderTest.restart();
    assertEquals(Arrays.asList("one", "two"), drain(queue));
    assertEquals(Collections.singletonList("in doubt"), drain(in));
  }
}
