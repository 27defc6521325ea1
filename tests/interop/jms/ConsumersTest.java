package interop.jms;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNull;
import static org.junit.Assert.assertTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicReference;
import javax.jms.Connection;
import javax.jms.DeliveryMode;
import javax.jms.IllegalStateException;
import javax.jms.InvalidSelectorException;
import javax.jms.JMSException;
import javax.jms.Message;
import javax.jms.MessageConsumer;
import javax.jms.MessageProducer;
import javax.jms.Queue;
import javax.jms.Session;
import javax.jms.Topic;
import org.junit.Test;

/** JMS 1.1 §4.5 and §3.8: consumers and their selectors. */
public class ConsumersTest extends JmsTest {
  @Test
  public void receiveWaitsForAMessage() throws Exception {
    Connection connection = started();
    Session session = auto(connection);
    Queue queue = queue(session);
    MessageConsumer consumer = session.createConsumer(queue);
    AtomicReference<String> got = new AtomicReference<>();
    Thread receiver =
        new Thread(
            () -> {
              try {
                got.set(text(consumer.receive()));
              } catch (JMSException error) {
                got.set(error.toString());
              }
            });
    receiver.start();
    until("receive() to wait", () -> receiver.getState() == Thread.State.WAITING);
    send(auto(started()), queue, "at last");
    receiver.join(DEADLINE);
    assertEquals("at last", got.get());
  }

  @Test
  public void receiveWithATimeReturnsNullWhenItIsOver() throws JMSException {
    Session session = auto(started());
    MessageConsumer consumer = session.createConsumer(queue(session));
    long begin = System.nanoTime();
    assertNull(consumer.receive(100));
    assertTrue(System.nanoTime() - begin >= 90_000_000);
    assertNull(consumer.receiveNoWait());
  }

  @Test
  public void receiveNoWaitTakesWhatIsThere() throws Exception {
    Session session = auto(started());
    Queue queue = queue(session);
    send(session, queue, "one");
    MessageConsumer consumer = session.createConsumer(queue);
    AtomicReference<Message> got = new AtomicReference<>();
    until(
        "the message to be at hand",
        () -> {
          got.set(consumer.receiveNoWait());
          return got.get() != null;
        });
    assertEquals("one", text(got.get()));
    assertNull(consumer.receiveNoWait());
  }

  @Test
  public void receiveIsRefusedBesideAListener() throws JMSException {
    Session session = auto(started());
    MessageConsumer consumer = session.createConsumer(queue(session));
    consumer.setMessageListener(message -> {});
    expectThrown(JMSException.class, consumer::receive);
    expectThrown(JMSException.class, () -> consumer.receive(1));
    expectThrown(JMSException.class, consumer::receiveNoWait);
  }

  @Test
  public void aListenerGetsWhatWasThereBefore() throws Exception {
    Session session = auto(started());
    Queue queue = queue(session);
    send(auto(started()), queue, "one", "two");
    CountDownLatch two = new CountDownLatch(2);
    session.createConsumer(queue).setMessageListener(message -> two.countDown());
    await(two);
  }

  @Test
  public void aClosedConsumerRefusesAndGivesBack() throws JMSException {
    Connection connection = started();
    Session session = auto(connection);
    Queue queue = queue(session);
    MessageConsumer consumer = session.createConsumer(queue);
    send(session, queue, "one", "two");
    expect(consumer, "one");
    consumer.close();
    consumer.close();
    expectThrown(IllegalStateException.class, consumer::receive);
    expectThrown(IllegalStateException.class, consumer::getMessageListener);
    expectThrown(IllegalStateException.class, () -> consumer.setMessageListener(message -> {}));
    settle(connection);
    assertEquals(Collections.singletonList("two"), drain(queue));
  }

  @Test
  public void consumersOfAQueueShareItsMessages() throws JMSException {
    int count = 100;
    Connection connection = started();
    Session session = auto(connection);
    Queue queue = queue(session);
    MessageConsumer first = session.createConsumer(queue);
    MessageConsumer second = auto(connection).createConsumer(queue);
    Set<String> sent = new HashSet<>();
    for (int i = 0; i < count; i++) {
      sent.add("" + i);
    }
    send(session, queue, sent.toArray(new String[0]));
    // Each has what was dispatched to it; together it is everything, nothing twice.
    Set<String> got = new HashSet<>();
    int ofFirst = 0;
    int ofSecond = 0;
    for (int i = 0; i < count; ) {
      Message message = first.receive(10);
      if (message != null) {
        ofFirst++;
      } else {
        message = second.receive(10);
        ofSecond += message == null ? 0 : 1;
      }
      if (message != null) {
        assertTrue(got.add(text(message)));
        i++;
      }
    }
    assertEquals(sent, got);
    assertTrue(ofFirst + " and " + ofSecond, ofFirst > 0 && ofSecond > 0);
  }

  @Test
  public void everySubscriberOfATopicGetsEveryMessage() throws JMSException {
    Connection connection = started();
    Session session = auto(connection);
    Topic topic = topic(session);
    send(session, topic, "before anybody listens"); // §6.2: nobody gets it.
    MessageConsumer first = session.createConsumer(topic);
    MessageConsumer second = auto(started()).createConsumer(topic);
    send(session, topic, "one", "two");
    expect(first, "one", "two");
    expect(second, "one", "two");
    expectNothingMore(session, topic, first);
  }

  @Test
  public void noLocalIsForTopicsOfOneConnection() throws JMSException {
    Connection connection = started();
    Session session = auto(connection);
    Topic topic = topic(session);
    MessageConsumer consumer = session.createConsumer(topic, null, true);
    send(session, topic, "mine");
    send(auto(started()), topic, "theirs");
    expect(consumer, "theirs");
    assertNull(consumer.receiveNoWait());
  }

  @Test
  public void messagesOfEveryPriorityCome() throws JMSException {
    Set<String> sent = new HashSet<>();
    List<String> got = receivePriorities(sent);
    assertEquals(sent, new HashSet<>(got));
  }

  @Test
  public void messagesOfHigherPriorityComeFirst() throws JMSException {
    BrokerUnderTest.assumeNotActiveMq("it delivers in order of arrival unless told otherwise");
    assertEquals(
        Arrays.asList("9 1", "9 3", "4 2", "0 0", "0 4"), receivePriorities(new HashSet<>()));
  }

  private List<String> receivePriorities(Set<String> sent) throws JMSException {
    Session session = auto(started());
    Queue queue = queue(session);
    MessageProducer producer = session.createProducer(queue);
    for (int priority : new int[] {0, 9, 4, 9, 0}) {
      String text = priority + " " + sent.size();
      sent.add(text);
      producer.send(session.createTextMessage(text), DeliveryMode.PERSISTENT, priority, 0);
    }
    MessageConsumer consumer = session.createConsumer(queue);
    List<String> got = new ArrayList<>();
    for (int i = 0; i < 5; i++) {
      got.add(text(receive(consumer)));
    }
    return got;
  }

  // --- selectors -------------------------------------------------------------------------------

  private void sendNumbered(Session session, Queue queue) throws JMSException {
    MessageProducer producer = session.createProducer(queue);
    for (int i = 0; i < 6; i++) {
      Message message = session.createTextMessage("" + i);
      message.setIntProperty("number", i);
      message.setStringProperty("color", i % 2 == 0 ? "red" : "it's blue");
      message.setBooleanProperty("even", i % 2 == 0);
      message.setDoubleProperty("half", i / 2.0);
      if (i > 3) {
        message.setStringProperty("late", "yes");
      }
      message.setJMSType("type" + i);
      producer.send(message, DeliveryMode.PERSISTENT, i, 0);
    }
  }

  private void expectSelected(String selector, String... texts) throws JMSException {
    Connection connection = started();
    Session session = auto(connection);
    Queue queue = session.createQueue(name("queue") + Math.abs(selector.hashCode()));
    sendNumbered(session, queue);
    MessageConsumer consumer = session.createConsumer(queue, selector);
    assertEquals(selector, consumer.getMessageSelector());
    Set<String> got = new HashSet<>();
    for (int i = 0; i < texts.length; i++) {
      got.add(text(receive(consumer)));
    }
    assertEquals(selector, new HashSet<>(Arrays.asList(texts)), got);
    connection.close();
    assertEquals(selector, 6 - texts.length, drain(queue).size()); // The others are left.
  }

  @Test
  public void comparisons() throws JMSException {
    expectSelected("number = 3", "3");
    expectSelected("number <> 3 AND number > 1 AND number < 5", "2", "4");
    expectSelected("number >= 4 OR half <= 0.5", "0", "1", "4", "5");
    expectSelected("color = 'it''s blue'", "1", "3", "5");
    expectSelected("even = TRUE AND NOT (number = 0)", "2", "4");
  }

  @Test
  public void notBindsLooserThanAComparison() throws JMSException {
    BrokerUnderTest.assumeNotActiveMq("it reads NOT a = b as (NOT a) = b");
    expectSelected("even = TRUE AND NOT number = 0", "2", "4"); // §3.8.1.1: NOT, AND, OR come last.
  }

  @Test
  public void setsPatternsAndRanges() throws JMSException {
    expectSelected("number BETWEEN 2 AND 4", "2", "3", "4");
    expectSelected("number NOT BETWEEN 1 AND 4", "0", "5");
    expectSelected("color IN ('red', 'green')", "0", "2", "4");
    expectSelected("color LIKE 'it_s%'", "1", "3", "5");
    expectSelected("color NOT LIKE 'r%'", "1", "3", "5");
  }

  @Test
  public void nullsAndUnknowns() throws JMSException {
    expectSelected("late IS NULL", "0", "1", "2", "3");
    expectSelected("late IS NOT NULL", "4", "5");
    expectSelected("late = 'yes' OR number = 0", "0", "4", "5"); // unknown OR true
    expectSelected("NOT (late = 'yes')"); // NOT unknown is unknown: nothing.
  }

  @Test
  public void arithmetic() throws JMSException {
    expectSelected("number * 2 + 1 = 7", "3");
    expectSelected("-number < -3", "4", "5");
    expectSelected("half / 2 > 1.0", "5");
    expectSelected("number = 5 - 1", "4");
  }

  @Test
  public void headersInSelectors() throws JMSException {
    expectSelected("JMSType = 'type2'", "2");
    expectSelected("JMSPriority > 3", "4", "5");
    expectSelected("JMSDeliveryMode = 'PERSISTENT' AND number = 1", "1");
    expectSelected("JMSTimestamp > 0 AND number = 0", "0");
    expectSelected("JMSMessageID LIKE 'ID:%' AND number = 0", "0");
  }

  @Test
  public void invalidSelectorsAreRefused() throws JMSException {
    Session session = auto(started());
    Queue queue = queue(session);
    for (String selector :
        new String[] {"number =", "= 3", "number = 'a", "a b", "number IN ()", "(number = 1"}) {
      expectThrown(
          InvalidSelectorException.class, () -> session.createConsumer(queue, selector));
      expectThrown(
          InvalidSelectorException.class,
          () -> session.createBrowser(queue, selector).getEnumeration());
    }
    expectThrown(
        InvalidSelectorException.class, () -> session.createConsumer(topic(session), "number ="));
    // The session lives.
    send(session, queue, "one");
    expect(session.createConsumer(queue), "one");
  }

  @Test
  public void anEmptySelectorSelectsEverything() throws JMSException {
    Session session = auto(started());
    Queue queue = queue(session);
    send(session, queue, "one");
    MessageConsumer consumer = session.createConsumer(queue, "");
    expect(consumer, "one");
    assertNull(session.createConsumer(queue).getMessageSelector());
  }

  @Test
  public void whatNobodySelectsStays() throws JMSException {
    Session session = auto(started());
    Queue queue = queue(session);
    sendNumbered(session, queue);
    MessageConsumer one = session.createConsumer(queue, "number = 1");
    expect(one, "1");
    MessageConsumer five = session.createConsumer(queue, "number = 5");
    expect(five, "5");
    one.close();
    five.close();
    settle(started());
    MessageConsumer rest = session.createConsumer(queue);
    Set<String> got = new HashSet<>();
    for (int i = 0; i < 4; i++) {
      Message message = receive(rest);
      assertFalse(message.getJMSRedelivered());
      got.add(text(message));
    }
    assertEquals(new HashSet<>(Arrays.asList("0", "2", "3", "4")), got);
  }
}
