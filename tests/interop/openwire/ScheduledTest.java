package interop.openwire;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNotEquals;
import static org.junit.Assert.assertNotNull;
import static org.junit.Assert.assertTrue;

import interop.jms.BrokerUnderTest;
import java.util.HashSet;
import java.util.Set;
import javax.jms.Connection;
import javax.jms.JMSException;
import javax.jms.Message;
import javax.jms.MessageConsumer;
import javax.jms.MessageProducer;
import javax.jms.Queue;
import javax.jms.Session;
import javax.jms.Topic;
import org.apache.activemq.ScheduledMessage;
import org.junit.Test;

/** Messages with a time of their own. */
public class ScheduledTest extends OpenWireTest {
  private static Message delayed(Session session, String text, long delay) throws JMSException {
    Message message = session.createTextMessage(text);
    message.setLongProperty(ScheduledMessage.AMQ_SCHEDULED_DELAY, delay);
    return message;
  }

  @Test
  public void aDelayedMessageDoesNotComeEarlier() throws JMSException {
    Session session = auto(started());
    Queue queue = queue(session);
    MessageConsumer consumer = session.createConsumer(queue);
    Message message = delayed(session, "later", 1500);
    long begin = System.currentTimeMillis();
    session.createProducer(queue).send(message);
    send(session, queue, "at once");
    expect(consumer, "at once");
    Message later = receive(consumer);
    assertTrue(System.currentTimeMillis() - begin >= 1000); // Its steps are of half a second.
    assertEquals("later", text(later));
    assertEquals(message.getJMSMessageID(), later.getJMSMessageID());
    assertNotNull(later.getStringProperty("scheduledJobId"));
    assertFalse(later.propertyExists(ScheduledMessage.AMQ_SCHEDULED_DELAY));
  }

  @Test
  public void aRepeatedMessageComesAsOftenAsSaid() throws JMSException {
    Session session = auto(started());
    Queue queue = queue(session);
    MessageConsumer consumer = session.createConsumer(queue);
    Message message = delayed(session, "again", 100);
    message.setLongProperty(ScheduledMessage.AMQ_SCHEDULED_PERIOD, 100);
    message.setIntProperty(ScheduledMessage.AMQ_SCHEDULED_REPEAT, 2);
    session.createProducer(queue).send(message);
    Set<String> ids = new HashSet<>();
    for (int i = 0; i < 3; i++) {
      Message again = receive(consumer);
      assertEquals("again", text(again));
      assertTrue("each has an id of its own", ids.add(again.getJMSMessageID()));
      assertNotEquals(message.getJMSMessageID(), again.getJMSMessageID());
    }
  }

  @Test
  public void aTransactionSchedulesAtItsCommit() throws JMSException {
    Connection connection = started();
    Session session = transacted(connection);
    Queue queue = queue(session);
    MessageProducer producer = session.createProducer(queue);
    producer.send(delayed(session, "never", 1));
    session.rollback();
    producer.send(delayed(session, "once", 1));
    session.commit();
    expect(auto(connection).createConsumer(queue), "once");
  }

  @Test
  public void theScheduledCanBeListedAndRemoved() throws JMSException {
    Session session = auto(started());
    Queue queue = queue(session);
    MessageProducer producer = session.createProducer(queue);
    Message message = delayed(session, "in an hour", 3_600_000);
    message.setStringProperty("test", name("tag"));
    producer.send(message);
    Topic management =
        session.createTopic(ScheduledMessage.AMQ_SCHEDULER_MANAGEMENT_DESTINATION);
    Queue answers = session.createQueue(name("answers"));
    MessageConsumer listed = session.createConsumer(answers, "test = '" + name("tag") + "'");
    Message order = session.createMessage();
    order.setStringProperty(
        ScheduledMessage.AMQ_SCHEDULER_ACTION, ScheduledMessage.AMQ_SCHEDULER_ACTION_BROWSE);
    order.setJMSReplyTo(answers);
    session.createProducer(management).send(order);
    Message found = receive(listed);
    String job = found.getStringProperty("scheduledJobId");
    assertNotNull(job);
    Message remove = session.createMessage();
    remove.setStringProperty(
        ScheduledMessage.AMQ_SCHEDULER_ACTION, ScheduledMessage.AMQ_SCHEDULER_ACTION_REMOVE);
    remove.setStringProperty(ScheduledMessage.AMQ_SCHEDULED_ID, job);
    session.createProducer(management).send(remove);
    session.createProducer(management).send(order);
    Message marker = session.createTextMessage("marker");
    marker.setStringProperty("test", name("tag"));
    session.createProducer(answers).send(marker);
    expect(listed, "marker");
  }

  @Test
  public void theScheduledSurvivesTheBroker() throws JMSException {
    BrokerUnderTest.assumeThatItCanBeKilled();
    Session session = auto(started());
    Queue queue = queue(session);
    session.createProducer(queue).send(delayed(session, "after the kill", 1000));
    BrokerUnderTest.restart();
    expect(auto(started()).createConsumer(queue), "after the kill");
  }
}
