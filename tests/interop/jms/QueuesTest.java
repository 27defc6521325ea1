package interop.jms;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNull;
import static org.junit.Assert.assertTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Enumeration;
import java.util.List;
import java.util.NoSuchElementException;
import javax.jms.Connection;
import javax.jms.Destination;
import javax.jms.InvalidDestinationException;
import javax.jms.JMSException;
import javax.jms.Message;
import javax.jms.MessageConsumer;
import javax.jms.MessageProducer;
import javax.jms.Queue;
import javax.jms.QueueBrowser;
import javax.jms.QueueConnection;
import javax.jms.QueueConnectionFactory;
import javax.jms.QueueReceiver;
import javax.jms.QueueRequestor;
import javax.jms.QueueSender;
import javax.jms.QueueSession;
import javax.jms.Session;
import javax.jms.TemporaryQueue;
import org.junit.Test;

/** JMS 1.1 §5: point to point. */
public class QueuesTest extends JmsTest {
  static List<String> browse(QueueBrowser browser) throws JMSException {
    List<String> texts = new ArrayList<>();
    for (Enumeration<?> e = browser.getEnumeration(); e.hasMoreElements(); ) {
      texts.add(text((Message) e.nextElement()));
    }
    return texts;
  }

  @Test
  public void messagesWaitForAReceiver() throws JMSException {
    Connection connection = started();
    Session session = auto(connection);
    Queue queue = queue(session);
    send(session, queue, "one", "two");
    connection.close(); // §5.1: whether or not anybody is connected.
    assertEquals(Arrays.asList("one", "two"), drain(queue));
  }

  @Test
  public void aBrowserSeesAllInOrderAndTakesNothing() throws JMSException {
    Session session = auto(started());
    Queue queue = queue(session);
    send(session, queue, "one", "two", "three");
    QueueBrowser browser = session.createBrowser(queue);
    assertEquals(queue, browser.getQueue());
    assertNull(browser.getMessageSelector());
    assertEquals(Arrays.asList("one", "two", "three"), browse(browser));
    browser.close();
    MessageConsumer consumer = session.createConsumer(queue);
    Message one = receive(consumer);
    assertEquals("one", text(one));
    assertFalse(one.getJMSRedelivered());
    expect(consumer, "two", "three");
  }

  @Test
  public void aBrowserCanStartAgain() throws JMSException {
    Session session = auto(started());
    Queue queue = queue(session);
    send(session, queue, "one");
    QueueBrowser browser = session.createBrowser(queue);
    assertEquals(Collections.singletonList("one"), browse(browser));
    send(session, queue, "two");
    assertEquals(Arrays.asList("one", "two"), browse(browser));
  }

  @Test
  public void aBrowserOfAnEmptyQueueEnds() throws JMSException {
    Session session = auto(started());
    QueueBrowser browser = session.createBrowser(queue(session));
    Enumeration<?> enumeration = browser.getEnumeration();
    assertFalse(enumeration.hasMoreElements());
  }

  @Test
  public void aBrowsersEnumerationIsOneOfJava() throws JMSException {
    BrokerUnderTest.assumeNotStock("behind the last message its nextElement answers null");
    Session session = auto(started());
    Enumeration<?> enumeration = session.createBrowser(queue(session)).getEnumeration();
    expectThrown(NoSuchElementException.class, enumeration::nextElement);
  }

  @Test
  public void aBrowserWithASelector() throws JMSException {
    Session session = auto(started());
    Queue queue = queue(session);
    MessageProducer producer = session.createProducer(queue);
    for (int i = 0; i < 10; i++) {
      Message message = session.createTextMessage("" + i);
      message.setIntProperty("n", i);
      producer.send(message);
    }
    QueueBrowser browser = session.createBrowser(queue, "n > 6");
    assertEquals("n > 6", browser.getMessageSelector());
    assertEquals(Arrays.asList("7", "8", "9"), browse(browser));
    assertEquals(Collections.emptyList(), browse(session.createBrowser(queue, "n > 60")));
  }

  @Test
  public void aBrowserOfMoreThanAnyWindow() throws JMSException {
    int count = 1500;
    Session session = transacted(started());
    Queue queue = queue(session);
    MessageProducer producer = session.createProducer(queue);
    for (int i = 0; i < count; i++) {
      producer.send(session.createTextMessage("" + i));
    }
    session.commit();
    List<String> seen = browse(session.createBrowser(queue));
    assertEquals(count, seen.size());
    assertEquals("" + (count - 1), seen.get(count - 1));
    session.commit();
  }

  @Test
  public void browsingBesideAReceiver() throws JMSException {
    Session session = client(started());
    Queue queue = queue(session);
    send(session, queue, "one", "two");
    MessageConsumer consumer = session.createConsumer(queue);
    expect(consumer, "one");
    List<String> seen = browse(session.createBrowser(queue));
    // Whether messages that are out are seen is not said; what is not out must be.
    assertTrue(seen.toString(), Arrays.asList("one", "two").containsAll(seen));
    receive(consumer).acknowledge();
  }

  @Test
  public void requestorGetsItsReply() throws Exception {
    QueueConnection connection =
        ((QueueConnectionFactory) BrokerUnderTest.factory()).createQueueConnection();
    try {
      connection.start();
      QueueSession session = connection.createQueueSession(false, Session.AUTO_ACKNOWLEDGE);
      Queue requests = session.createQueue(name("requests"));
      Session answering = auto(started());
      MessageProducer answers = answering.createProducer(null);
      answering
          .createConsumer(requests)
          .setMessageListener(
              message -> {
                try {
                  answers.send(
                      message.getJMSReplyTo(),
                      answering.createTextMessage("re: " + text(message)));
                } catch (JMSException error) {
                  throw new RuntimeException(error);
                }
              });
      QueueRequestor requestor = new QueueRequestor(session, requests);
      for (int i = 0; i < 20; i++) {
        assertEquals("re: " + i, text(requestor.request(session.createTextMessage("" + i))));
      }
      requestor.close();
    } finally {
      connection.close();
    }
  }

  @Test
  public void queueSessionSendersAndReceivers() throws JMSException {
    QueueConnection connection =
        ((QueueConnectionFactory) BrokerUnderTest.factory()).createQueueConnection();
    try {
      connection.start();
      QueueSession session = connection.createQueueSession(true, 0);
      Queue queue = session.createQueue(name("queue"));
      QueueSender sender = session.createSender(queue);
      assertEquals(queue, sender.getQueue());
      Message message = session.createTextMessage("selected");
      message.setIntProperty("n", 1);
      sender.send(message);
      sender.send(session.createTextMessage("not selected"), 1, 7, 60_000);
      QueueSender anonymous = session.createSender(null);
      anonymous.send(queue, session.createTextMessage("anonymous"));
      session.commit();
      QueueReceiver receiver = session.createReceiver(queue, "n = 1");
      assertEquals(queue, receiver.getQueue());
      expect(receiver, "selected");
      session.commit();
      receiver.close();
    } finally {
      connection.close();
    }
  }

  // --- temporary queues ------------------------------------------------------------------------

  @Test
  public void aTemporaryQueueIsUniqueAndUsable() throws JMSException {
    Session session = auto(started());
    TemporaryQueue first = session.createTemporaryQueue();
    TemporaryQueue second = session.createTemporaryQueue();
    assertFalse(first.getQueueName().equals(second.getQueueName()));
    MessageConsumer consumer = session.createConsumer(first);
    send(session, first, "one");
    expect(consumer, "one");
  }

  @Test
  public void onlyItsConnectionConsumesFromATemporaryQueue() throws JMSException {
    TemporaryQueue temporary = auto(started()).createTemporaryQueue();
    Session other = auto(started());
    expectThrown(
        InvalidDestinationException.class, () -> other.createConsumer(temporary));
  }

  @Test
  public void anybodySendsToATemporaryQueue() throws Exception {
    Session owner = auto(started());
    Queue requests = queue(owner);
    TemporaryQueue temporary = owner.createTemporaryQueue();
    MessageConsumer replies = owner.createConsumer(temporary);
    Message request = owner.createTextMessage("request");
    request.setJMSReplyTo(temporary);
    owner.createProducer(requests).send(request);
    Session other = auto(started());
    Message got = receive(other.createConsumer(requests));
    assertTrue(got.getJMSReplyTo() instanceof TemporaryQueue);
    other.createProducer(got.getJMSReplyTo()).send(other.createTextMessage("reply"));
    expect(replies, "reply");
  }

  @Test
  public void aTemporaryQueueInUseIsNotDeleted() throws JMSException {
    Connection connection = started();
    Session session = auto(connection);
    TemporaryQueue temporary = session.createTemporaryQueue();
    MessageConsumer consumer = session.createConsumer(temporary);
    expectThrown(JMSException.class, temporary::delete);
    consumer.close();
    temporary.delete();
    expectThrown(JMSException.class, () -> send(session, temporary, "nobody"));
  }

  @Test
  public void aTemporaryQueueEndsWithItsConnection() throws Exception {
    Connection connection = started();
    Session owner = auto(connection);
    Message request = owner.createMessage();
    request.setJMSReplyTo(owner.createTemporaryQueue());
    owner.createProducer(queue(owner)).send(request);
    Session session = auto(started());
    Destination temporary = receive(session.createConsumer(queue(session))).getJMSReplyTo();
    send(session, temporary, "one");
    connection.close();
    until(
        "sends to be refused",
        () -> {
          try {
            send(session, temporary, "two");
            return false;
          } catch (JMSException gone) {
            return true;
          }
        });
  }
}
