package org.pabal.jms;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertNull;
import static org.junit.Assert.assertTrue;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import javax.jms.BytesMessage;
import javax.jms.Connection;
import javax.jms.DeliveryMode;
import javax.jms.MapMessage;
import javax.jms.Message;
import javax.jms.MessageConsumer;
import javax.jms.MessageEOFException;
import javax.jms.MessageProducer;
import javax.jms.ObjectMessage;
import javax.jms.Queue;
import javax.jms.Session;
import javax.jms.StreamMessage;
import javax.jms.TextMessage;
import org.apache.activemq.ActiveMQConnectionFactory;
import org.junit.After;
import org.junit.Before;
import org.junit.Test;

/**
 * Applications with the stock ActiveMQ client, over OpenWire, and with this one, over STOMP, at one Pabal:
 * whatever one sends the other gets as the same kind of message, with the same types.
 */
public class StockClientTest extends BrokerTest {
  private static final String TEXT = "김철수 ☂ 🐎 \n\r\t: \\ \\n , = % end ";

  private Connection stock;
  private Session stockSession;
  private PabalSession ownSession;

  @Before
  public void connectBoth() throws Exception {
    stock = stock(false).createConnection();
    stock.start();
    stockSession = stock.createSession(false, Session.AUTO_ACKNOWLEDGE);
    ownSession = auto(started(TestBroker.url() + "?jms.trustAllPackages=true"));
  }

  @After
  public void closeStock() throws Exception {
    stock.close();
  }

  private static ActiveMQConnectionFactory stock(boolean compresses) {
    ActiveMQConnectionFactory factory = new ActiveMQConnectionFactory(TestBroker.openWireUrl());
    factory.setTrustAllPackages(true);
    factory.setUseCompression(compresses);
    // It would believe a temporary queue of STOMP only when it has heard of it.
    factory.setWatchTopicAdvisories(false);
    return factory;
  }

  /** Makes a message of a session and fills it. */
  private interface Making {
    Message make(Session session) throws Exception;
  }

  private interface Judging {
    void judge(Message message) throws Exception;
  }

  /** From each client to the other; and from the stock client with compression. */
  private void bothWays(Making making, Judging judging) throws Exception {
    pass(stockSession, ownSession, making, judging);
    pass(ownSession, stockSession, making, judging);
    Connection compressing = stock(true).createConnection();
    try {
      Session session = compressing.createSession(false, Session.AUTO_ACKNOWLEDGE);
      pass(session, ownSession, making, judging);
    } finally {
      compressing.close();
    }
  }

  private void pass(Session from, Session to, Making making, Judging judging) throws Exception {
    MessageConsumer consumer = to.createConsumer(to.createQueue(name()));
    Message sent = making.make(from);
    from.createProducer(from.createQueue(name())).send(sent);
    Message received = receive(consumer);
    consumer.close();
    assertEquals(sent.getJMSMessageID(), received.getJMSMessageID());
    judging.judge(received);
  }

  private static Map<String, Object> values() {
    Map<String, Object> values = new LinkedHashMap<>();
    values.put("boolean", true);
    values.put("byte", (byte) -128);
    values.put("short", (short) -5);
    values.put("int", Integer.MIN_VALUE);
    values.put("long", Long.MAX_VALUE);
    values.put("float", 1.1f);
    values.put("infinite", Float.NEGATIVE_INFINITY);
    values.put("double", 1e-300);
    values.put("nan", Double.NaN);
    values.put("char", '글');
    values.put("text", TEXT);
    values.put("number", "5");
    values.put("none", "");
    values.put("nul", "a\0b");
    values.put("null", null);
    values.put("bytes", new byte[] {0, 1, -1});
    values.put("noBytes", new byte[0]);
    return values;
  }

  private static void assertSame(String name, Object expected, Object found) {
    if (expected instanceof byte[] bytes) {
      assertArrayEquals(name, bytes, (byte[]) found);
    } else {
      assertEquals(name, expected, found);
    }
  }

  @Test
  public void maps() throws Exception {
    bothWays(session -> {
      MapMessage map = session.createMapMessage();
      for (Map.Entry<String, Object> value : values().entrySet()) {
        map.setObject(value.getKey(), value.getValue());
      }
      return map;
    }, message -> {
      MapMessage map = (MapMessage) message;
      for (Map.Entry<String, Object> value : values().entrySet()) {
        assertTrue(value.getKey(), map.itemExists(value.getKey()));
        assertSame(value.getKey(), value.getValue(), map.getObject(value.getKey()));
      }
      assertEquals(values().size(), list(map.getMapNames()).size());
    });
    bothWays(Session::createMapMessage,
        message -> assertEquals(0, list(((MapMessage) message).getMapNames()).size()));
    bothWays(session -> {
      MapMessage map = session.createMapMessage();
      map.setString("large", "x".repeat(2 << 20));
      return map;
    }, message -> assertEquals(2 << 20, ((MapMessage) message).getString("large").length()));
  }

  @Test
  public void streams() throws Exception {
    bothWays(session -> {
      StreamMessage stream = session.createStreamMessage();
      for (Object value : values().values()) {
        stream.writeObject(value);
      }
      return stream;
    }, message -> {
      StreamMessage stream = (StreamMessage) message;
      for (Map.Entry<String, Object> value : values().entrySet()) {
        assertSame(value.getKey(), value.getValue(), stream.readObject());
      }
      org.junit.Assert.assertThrows(MessageEOFException.class, stream::readObject);
    });
    bothWays(Session::createStreamMessage, message -> org.junit.Assert.assertThrows(
        MessageEOFException.class, ((StreamMessage) message)::readObject));
  }

  @Test
  public void texts() throws Exception {
    for (String text : new String[] {TEXT, "", "a\0b", null, "x".repeat(300_000)}) {
      bothWays(session -> session.createTextMessage(text),
          message -> assertEquals(text, ((TextMessage) message).getText()));
    }
  }

  @Test
  public void bytesAndNothing() throws Exception {
    for (byte[] bytes : List.of(new byte[0], new byte[] {0, 10, -1})) {
      bothWays(session -> {
        BytesMessage message = session.createBytesMessage();
        message.writeBytes(bytes);
        return message;
      }, message -> {
        byte[] found = new byte[(int) ((BytesMessage) message).getBodyLength()];
        ((BytesMessage) message).readBytes(found);
        assertArrayEquals(bytes, found);
      });
    }
    bothWays(Session::createMessage, message -> {
      assertTrue(!(message instanceof TextMessage) && !(message instanceof BytesMessage));
    });
  }

  @Test
  public void objects() throws Exception {
    ArrayList<String> names = new ArrayList<>(List.of("Kim", TEXT));
    bothWays(session -> session.createObjectMessage(names),
        message -> assertEquals(names, ((ObjectMessage) message).getObject()));
    bothWays(Session::createObjectMessage,
        message -> assertNull(((ObjectMessage) message).getObject()));
  }

  @Test
  public void propertiesOfEveryTypeAndHeaders() throws Exception {
    Map<String, Object> properties = values();
    properties.keySet().removeAll(List.of("char", "bytes", "noBytes"));
    // Names that STOMP has for something else.
    properties.put("type", "a word");
    properties.put("priority", 12);
    properties.put("destination", "nowhere");
    properties.put("subscription", true);
    properties.put("browser", "end");
    for (boolean text : List.of(true, false)) {
      bothWays(session -> {
        Message message = text ? session.createTextMessage("x") : session.createBytesMessage();
        for (Map.Entry<String, Object> each : properties.entrySet()) {
          message.setObjectProperty(each.getKey(), each.getValue());
        }
        message.setStringProperty("JMSXGroupID", "group 5");
        message.setIntProperty("JMSXGroupSeq", 2);
        message.setJMSCorrelationID(TEXT.trim());
        message.setJMSType("slip");
        message.setJMSReplyTo(session.createTopic("answers"));
        return message;
      }, message -> {
        for (Map.Entry<String, Object> each : properties.entrySet()) {
          assertTrue(each.getKey(), message.propertyExists(each.getKey()));
          assertEquals(each.getKey(), each.getValue(), message.getObjectProperty(each.getKey()));
        }
        assertEquals("group 5", message.getStringProperty("JMSXGroupID"));
        assertEquals(2, message.getIntProperty("JMSXGroupSeq"));
        assertEquals(TEXT.trim(), message.getJMSCorrelationID());
        assertEquals("slip", message.getJMSType());
        assertEquals(DeliveryMode.PERSISTENT, message.getJMSDeliveryMode());
        assertEquals("answers", ((javax.jms.Topic) message.getJMSReplyTo()).getTopicName());
        assertEquals(new java.util.TreeSet<>(properties.keySet()), names(message));
      });
    }
  }

  /** But for those that JMS, or a client of it, defines. */
  private static java.util.TreeSet<String> names(Message message) throws Exception {
    java.util.TreeSet<String> names = new java.util.TreeSet<>();
    for (Object name : list(message.getPropertyNames())) {
      if (!name.toString().startsWith("JMSX")) {
        names.add(name.toString());
      }
    }
    return names;
  }

  @Test
  public void selectorsOfBothSeeTheTypesOfBoth() throws Exception {
    String selector = "amount > 4.5 AND urgent = TRUE AND count * 2 = 6 AND note IS NULL"
        + " AND word = '5'";
    bothWaysSelected(stockSession, ownSession, selector);
    bothWaysSelected(ownSession, stockSession, selector);
  }

  private void bothWaysSelected(Session from, Session to, String selector) throws Exception {
    Queue queue = from.createQueue(name());
    MessageProducer producer = from.createProducer(queue);
    for (double amount : new double[] {4, 5}) {
      TextMessage message = from.createTextMessage("amount " + amount);
      message.setDoubleProperty("amount", amount);
      message.setBooleanProperty("urgent", true);
      message.setLongProperty("count", 3);
      message.setObjectProperty("note", null);
      message.setStringProperty("word", "5");
      producer.send(message);
    }
    MessageConsumer consumer = to.createConsumer(to.createQueue(name()), selector);
    assertEquals("amount 5.0", receiveText(consumer));
    consumer.close();
    assertEquals(List.of("amount 4.0"), rest(new PabalQueue(name())));
  }

  @Test
  public void theyAnswerEachOther() throws Exception {
    askAndAnswer(stockSession, ownSession);
    askAndAnswer(ownSession, stockSession);
  }

  private void askAndAnswer(Session asking, Session answering) throws Exception {
    Queue replies = asking.createTemporaryQueue();
    MapMessage question = asking.createMapMessage();
    question.setInt("number", 20);
    question.setJMSReplyTo(replies);
    asking.createProducer(asking.createQueue(name())).send(question);
    MessageConsumer questions = answering.createConsumer(answering.createQueue(name()));
    MapMessage asked = receive(questions);
    questions.close();
    StreamMessage answer = answering.createStreamMessage();
    answer.writeLong(asked.getInt("number") + 1L);
    answering.createProducer(asked.getJMSReplyTo()).send(answer);
    MessageConsumer answers = asking.createConsumer(replies);
    assertEquals(21L, ((StreamMessage) receive(answers)).readObject());
    answers.close();
    ((javax.jms.TemporaryQueue) replies).delete();
  }

  @Test
  public void browsersAndDeadLettersKeepTheKind() throws Exception {
    MapMessage map = stockSession.createMapMessage();
    map.setShort("short", (short) 7);
    stockSession.createProducer(stockSession.createQueue(name())).send(map);
    var seen = ownSession.createBrowser(queue()).getEnumeration();
    assertEquals((short) 7, ((MapMessage) seen.nextElement()).getObject("short"));
    PabalSession strict = transacted(
        started(TestBroker.url() + "?jms.redeliveryPolicy.maximumRedeliveries=0"));
    MessageConsumer consumer = strict.createConsumer(queue());
    String id = receive(consumer).getJMSMessageID();
    strict.rollback();
    MessageConsumer dead = stockSession.createConsumer(stockSession.createQueue("ActiveMQ.DLQ"));
    Message letter = receive(dead);
    while (!letter.getJMSMessageID().equals(id)) {
      letter = receive(dead);  // another test's
    }
    assertEquals((short) 7, ((MapMessage) letter).getObject("short"));
  }
}
