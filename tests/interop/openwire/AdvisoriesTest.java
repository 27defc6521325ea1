package interop.openwire;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertNotNull;
import static org.junit.Assert.assertTrue;

import javax.jms.Connection;
import javax.jms.Destination;
import javax.jms.JMSException;
import javax.jms.Message;
import javax.jms.MessageConsumer;
import javax.jms.MessageProducer;
import javax.jms.Queue;
import javax.jms.Session;
import javax.jms.TemporaryQueue;
import javax.jms.Topic;
import org.apache.activemq.ActiveMQConnection;
import org.apache.activemq.advisory.AdvisorySupport;
import org.apache.activemq.advisory.ConsumerEvent;
import org.apache.activemq.advisory.ConsumerEventSource;
import org.apache.activemq.advisory.DestinationSource;
import org.apache.activemq.advisory.ProducerEventSource;
import org.apache.activemq.command.ActiveMQDestination;
import org.apache.activemq.command.ActiveMQMessage;
import org.apache.activemq.command.ActiveMQQueue;
import org.apache.activemq.command.ActiveMQTopic;
import org.apache.activemq.command.ConnectionInfo;
import org.apache.activemq.command.ConsumerInfo;
import org.apache.activemq.command.DataStructure;
import org.apache.activemq.command.DestinationInfo;
import org.apache.activemq.command.ProducerInfo;
import org.apache.activemq.command.RemoveInfo;
import org.junit.Test;

/** What tools learn from the broker by its advisory topics. */
public class AdvisoriesTest extends OpenWireTest {
  private interface Wanted<T> {
    boolean is(T data);
  }

  /** The next advisory whose data is of this kind and is wanted; others are passed over. */
  private static <T extends DataStructure> Message next(
      MessageConsumer consumer, Class<T> kind, Wanted<T> wanted) throws JMSException {
    while (true) {
      Message message = receive(consumer);
      DataStructure data = ((ActiveMQMessage) message).getDataStructure();
      if (kind.isInstance(data) && wanted.is(kind.cast(data))) {
        return message;
      }
    }
  }

  @Test
  public void destinationSourceKnowsQueuesTopicsAndTemporaryOnes() throws Exception {
    ActiveMQConnection connection = (ActiveMQConnection) started(amq());
    Session session = auto(connection);
    Queue before = session.createQueue(name("before"));
    send(session, before, "one");
    DestinationSource source = connection.getDestinationSource();
    until("the queue that was there", () -> source.getQueues().contains(before));
    Queue after = session.createQueue(name("after"));
    Topic topic = topic(session);
    send(session, after, "one");
    session.createConsumer(topic);
    TemporaryQueue temporary = session.createTemporaryQueue();
    until("the new queue", () -> source.getQueues().contains(after));
    until("the new topic", () -> source.getTopics().contains(topic));
    until("the temporary queue", () -> source.getTemporaryQueues().contains(temporary));
    temporary.delete();
    until("its end", () -> !source.getTemporaryQueues().contains(temporary));
  }

  @Test
  public void connectionsAreAdvised() throws JMSException {
    Session session = auto(started());
    MessageConsumer consumer =
        session.createConsumer(AdvisorySupport.getConnectionAdvisoryTopic());
    String id = name("client");
    Connection other = identified(id);
    Message added = next(consumer, ConnectionInfo.class, info -> id.equals(info.getClientId()));
    ConnectionInfo info = (ConnectionInfo) ((ActiveMQMessage) added).getDataStructure();
    assertTrue(info.getPassword() == null || info.getPassword().isEmpty());
    other.close();
    next(
        consumer,
        RemoveInfo.class,
        remove -> remove.getObjectId().equals(info.getConnectionId()));
  }

  @Test
  public void consumersAndProducersAreAdvisedWithTheirCount() throws JMSException {
    Connection connection = started();
    Session session = auto(connection);
    Queue queue = queue(session);
    MessageConsumer ofConsumers =
        session.createConsumer(AdvisorySupport.getConsumerAdvisoryTopic((Destination) queue));
    MessageConsumer ofProducers =
        session.createConsumer(AdvisorySupport.getProducerAdvisoryTopic((Destination) queue));
    MessageConsumer consumer = session.createConsumer(queue);
    Message added = next(ofConsumers, ConsumerInfo.class, info -> true);
    assertEquals(1, added.getIntProperty("consumerCount"));
    assertEquals("Advisory", added.getJMSType());
    assertNotNull(added.getStringProperty("originBrokerId"));
    MessageProducer producer = session.createProducer(queue);
    Message producing = next(ofProducers, ProducerInfo.class, info -> true);
    assertEquals(1, producing.getIntProperty("producerCount"));
    consumer.close();
    producer.close();
    assertEquals(
        0, next(ofConsumers, RemoveInfo.class, info -> true).getIntProperty("consumerCount"));
    assertEquals(
        0, next(ofProducers, RemoveInfo.class, info -> true).getIntProperty("producerCount"));
  }

  @Test
  public void whoListensLateHearsOfWhatIsThere() throws JMSException {
    Session session = auto(started());
    Queue queue = queue(session);
    MessageConsumer consumer = session.createConsumer(queue);
    assertNotNull(consumer);
    MessageConsumer late =
        auto(started())
            .createConsumer(AdvisorySupport.getConsumerAdvisoryTopic((Destination) queue));
    Message replayed = next(late, ConsumerInfo.class, info -> true);
    assertEquals(queue, ((ConsumerInfo) ((ActiveMQMessage) replayed).getDataStructure())
        .getDestination());
  }

  @Test
  public void eventSourcesOfTheClient() throws Exception {
    Connection connection = started();
    Session session = auto(connection);
    Queue queue = queue(session);
    ConsumerEventSource consumers = new ConsumerEventSource(connection, queue);
    java.util.concurrent.LinkedBlockingQueue<ConsumerEvent> events =
        new java.util.concurrent.LinkedBlockingQueue<>();
    consumers.setConsumerListener(events::add);
    consumers.start();
    MessageConsumer consumer = session.createConsumer(queue);
    assertTrue(
        events.poll(DEADLINE, java.util.concurrent.TimeUnit.MILLISECONDS).isStarted());
    consumer.close();
    assertTrue(
        !events.poll(DEADLINE, java.util.concurrent.TimeUnit.MILLISECONDS).isStarted());
    consumers.stop();
    ProducerEventSource producers = new ProducerEventSource(connection, queue);
    java.util.concurrent.CountDownLatch started = new java.util.concurrent.CountDownLatch(1);
    producers.setProducerListener(event -> started.countDown());
    producers.start();
    session.createProducer(queue);
    await(started);
    producers.stop();
  }

  @Test
  public void destinationsComeAndGo() throws JMSException {
    ActiveMQConnection connection = (ActiveMQConnection) started(amq());
    Session session = auto(connection);
    MessageConsumer consumer =
        session.createConsumer(
            AdvisorySupport.getDestinationAdvisoryTopic(new ActiveMQQueue("any")));
    ActiveMQDestination queue = (ActiveMQDestination) queue(session);
    send(session, queue, "one");
    next(
        consumer,
        DestinationInfo.class,
        info -> info.getDestination().equals(queue) && info.isAddOperation());
    connection.destroyDestination(queue);
    next(
        consumer,
        DestinationInfo.class,
        info -> info.getDestination().equals(queue) && info.isRemoveOperation());
  }

  @Test
  public void deadLettersAndExpiredMessagesAreAdvised() throws Exception {
    Connection connection = started(redelivering(0));
    Session session = auto(connection);
    ActiveMQDestination queue = (ActiveMQDestination) queue(session);
    MessageConsumer dead =
        session.createConsumer(AdvisorySupport.getMessageDLQdAdvisoryTopic(queue));
    MessageConsumer expired =
        session.createConsumer(
            AdvisorySupport.getExpiredMessageTopic(queue));
    Session transacted = transacted(connection);
    Message poison = session.createTextMessage("poison");
    session.createProducer(queue).send(poison);
    MessageConsumer consumer = transacted.createConsumer(queue);
    expect(consumer, "poison");
    transacted.rollback();
    ActiveMQMessage advised = (ActiveMQMessage) receive(dead);
    assertEquals(
        poison.getJMSMessageID(), ((ActiveMQMessage) advised.getDataStructure()).getJMSMessageID());
    consumer.close(); // Who is quick gets it in time.
    MessageProducer producer = session.createProducer(queue);
    producer.setTimeToLive(1);
    Message late = session.createTextMessage("late");
    producer.send(late);
    long end = late.getJMSExpiration();
    until("its time is over", () -> System.currentTimeMillis() > end);
    session.createConsumer(queue);
    ActiveMQMessage gone = (ActiveMQMessage) receive(expired);
    assertEquals(
        late.getJMSMessageID(), ((ActiveMQMessage) gone.getDataStructure()).getJMSMessageID());
  }

  @Test
  public void aListenerToEverythingHearsOfMore() throws JMSException {
    Session session = auto(started());
    MessageConsumer all = session.createConsumer(new ActiveMQTopic("ActiveMQ.Advisory.>"));
    Session other = auto(started());
    Queue queue = queue(other);
    other.createConsumer(queue);
    next(all, ConsumerInfo.class, info -> queue.equals(info.getDestination()));
  }

  @Test
  public void clientsCannotForgeAdvisories() throws JMSException {
    interop.jms.BrokerUnderTest.assumeNotActiveMq("without access control it lets anybody send them");
    Session session = auto(started());
    expectThrown(
        JMSException.class,
        () -> send(session, new ActiveMQTopic("ActiveMQ.Advisory.TempQueue"), "forged"));
  }
}
