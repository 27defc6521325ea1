package org.pabal.jms;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertThrows;
import static org.junit.Assert.assertTrue;

import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import javax.jms.JMSException;
import javax.jms.MessageConsumer;
import javax.jms.Queue;
import javax.jms.TextMessage;
import org.junit.Test;

/** JMS 1.1 §4.4.7: transacted sessions. */
public class TransactionTest extends BrokerTest {
  @Test
  public void nothingIsSentBeforeTheCommit() throws Exception {
    PabalConnection connection = started();
    PabalSession session = transacted(connection);
    send(session, queue(), "1", "2");
    assertEquals(List.of(), rest(queue()));
    session.commit();
    assertEquals(List.of("1", "2"), rest(queue()));
  }

  @Test
  public void rollbackForgetsWhatWasSent() throws Exception {
    PabalSession session = transacted(started());
    send(session, queue(), "never");
    session.rollback();
    send(session, queue(), "kept");
    session.commit();
    assertEquals(List.of("kept"), rest(queue()));
  }

  @Test
  public void commitAcknowledgesWhatWasReceived() throws Exception {
    send(queue(), "1", "2", "3");
    PabalConnection connection = started();
    PabalSession session = transacted(connection);
    MessageConsumer consumer = session.createConsumer(queue());
    receive(consumer);
    receive(consumer);
    session.commit();
    receive(consumer);
    connection.close();
    assertEquals(List.of("3"), rest(queue()));
  }

  @Test
  public void rollbackDeliversAgainInOrderMarkedAndCounted() throws Exception {
    send(queue(), "1", "2", "3");
    PabalConnection connection = started();
    PabalSession session = transacted(connection);
    MessageConsumer consumer = session.createConsumer(queue());
    for (int round = 1; round <= 3; ++round) {
      for (String text : List.of("1", "2")) {
        TextMessage message = receive(consumer);
        assertEquals(text, message.getText());
        assertEquals(round > 1, message.getJMSRedelivered());
        assertEquals(round, message.getIntProperty("JMSXDeliveryCount"));
      }
      session.rollback();
    }
    receive(consumer);
    receive(consumer);
    TextMessage third = receive(consumer);
    assertEquals("3", third.getText());
    assertFalse(third.getJMSRedelivered());
    session.commit();
    connection.close();
    assertEquals(List.of(), rest(queue()));
  }

  @Test
  public void consumeAndProduceTakeEffectTogether() throws Exception {
    Queue out = new PabalQueue(name() + ".out");
    send(queue(), "order");
    PabalConnection connection = started();
    PabalSession session = transacted(connection);
    MessageConsumer consumer = session.createConsumer(queue());
    send(session, out, receiveText(consumer) + " done, rolled back");
    session.rollback();
    send(session, out, receiveText(consumer) + " done");
    session.commit();
    connection.close();
    assertEquals(List.of("order done"), rest(out));
    assertEquals(List.of(), rest(queue()));
  }

  @Test
  public void moreThanThePrefetchFitsIntoOneTransaction() throws Exception {
    String[] texts = new String[20];
    for (int i = 0; i < texts.length; ++i) {
      texts[i] = "message " + i;
    }
    send(queue(), texts);
    PabalConnection connection =
        started(TestBroker.url() + "?jms.prefetchPolicy.all=1");
    PabalSession session = transacted(connection);
    MessageConsumer consumer = session.createConsumer(queue());
    for (String text : texts) {
      assertEquals(text, receiveText(consumer));
    }
    session.commit();
    connection.close();
    assertEquals(List.of(), rest(queue()));
  }

  @Test
  public void closingTheConsumerKeepsItsPartOfTheTransaction() throws Exception {
    send(queue(), "1", "2");
    PabalConnection connection = started();
    PabalSession session = transacted(connection);
    MessageConsumer consumer = session.createConsumer(queue());
    receive(consumer);
    consumer.close();
    session.commit();
    connection.close();
    assertEquals(List.of("2"), rest(queue()));
  }

  @Test
  public void rollbackAfterClosingTheConsumerGivesItsMessagesBack() throws Exception {
    send(queue(), "1", "2");
    PabalConnection connection = started();
    PabalSession session = transacted(connection);
    MessageConsumer consumer = session.createConsumer(queue());
    receive(consumer);
    consumer.close();
    session.rollback();
    MessageConsumer next = session.createConsumer(queue());
    TextMessage again = receive(next);
    assertEquals("1", again.getText());
    assertTrue(again.getJMSRedelivered());
    assertEquals("2", receiveText(next));
    session.commit();
    connection.close();
    assertEquals(List.of(), rest(queue()));
  }

  @Test
  public void aTemporaryQueueCanBeDeletedBeforeTheCommit() throws Exception {
    PabalConnection connection = started();
    var replies = auto(connection).createTemporaryQueue();
    send(auto(connection), replies, "reply");
    PabalSession session = transacted(connection);
    MessageConsumer consumer = session.createConsumer(replies);
    assertEquals("reply", receiveText(consumer));
    send(session, queue(), "after the reply");
    consumer.close();
    replies.delete();
    session.commit();
    assertEquals(List.of("after the reply"), rest(queue()));
  }

  @Test
  public void closingTheSessionRollsBack() throws Exception {
    send(queue(), "1");
    Queue out = new PabalQueue(name() + ".out");
    PabalConnection connection = started();
    PabalSession session = transacted(connection);
    receive(session.createConsumer(queue()));
    send(session, out, "never");
    session.close();
    assertEquals(List.of("1"), rest(queue()));
    assertEquals(List.of(), rest(out));
  }

  @Test
  public void listenerCommitsAndRollsBack() throws Exception {
    send(queue(), "1", "2");
    List<String> seen = new CopyOnWriteArrayList<>();
    PabalConnection connection = started();
    PabalSession session = transacted(connection);
    session.createConsumer(queue()).setMessageListener(message -> {
      try {
        seen.add(((TextMessage) message).getText() + " " + message.getJMSRedelivered());
        if (seen.size() == 1) {
          session.rollback();
        } else {
          session.commit();
        }
      } catch (JMSException e) {
        seen.add(e.toString());
      }
    });
    await("three calls", () -> seen.size() == 3);
    assertEquals(List.of("1 false", "1 true", "2 false"), seen);
    connection.close();
    assertEquals(List.of(), rest(queue()));
  }

  @Test
  public void whatIsRolledBackTooOftenGoesToTheDeadLetters() throws Exception {
    send(queue(), "poison " + name(), "good");
    PabalConnection connection =
        started(TestBroker.url() + "?jms.redeliveryPolicy.maximumRedeliveries=1");
    PabalSession session = transacted(connection);
    MessageConsumer consumer = session.createConsumer(queue());
    for (int i = 0; i < 2; ++i) {
      assertEquals("poison " + name(), receiveText(consumer));
      session.rollback();
    }
    assertEquals("good", receiveText(consumer));
    session.commit();
    MessageConsumer dead = auto(connection).createConsumer(new PabalQueue("ActiveMQ.DLQ"));
    while (!receiveText(dead).equals("poison " + name())) {
      // Other tests' dead letters.
    }
  }

  @Test
  public void sendsOfOneTransactionMayBeMany() throws Exception {
    PabalConnection connection = started();
    PabalSession session = transacted(connection);
    var producer = session.createProducer(queue());
    for (int i = 0; i < 2500; ++i) {
      producer.send(session.createTextMessage("n" + i));
    }
    session.commit();
    List<String> all = rest(queue());
    assertEquals(2500, all.size());
    assertEquals("n0", all.get(0));
    assertEquals("n2499", all.get(2499));
  }

  @Test
  public void commitAndRollbackNeedATransactedSession() throws Exception {
    PabalSession session = auto(connect());
    assertFalse(session.getTransacted());
    assertThrows(javax.jms.IllegalStateException.class, session::commit);
    assertThrows(javax.jms.IllegalStateException.class, session::rollback);
    assertTrue(transacted(connect()).getTransacted());
  }

  @Test
  public void emptyTransactionsEndQuietly() throws Exception {
    PabalSession session = transacted(connect());
    session.commit();
    session.rollback();
    session.commit();
  }
}
