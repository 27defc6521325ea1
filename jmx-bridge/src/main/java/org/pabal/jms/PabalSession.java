package org.pabal.jms;

import java.io.IOException;
import java.io.Serializable;
import java.util.List;
import javax.jms.Destination;
import javax.jms.InvalidDestinationException;
import javax.jms.JMSException;
import javax.jms.Message;
import javax.jms.MessageListener;
import javax.jms.Queue;
import javax.jms.QueueReceiver;
import javax.jms.QueueSender;
import javax.jms.QueueSession;
import javax.jms.TemporaryQueue;
import javax.jms.TemporaryTopic;
import javax.jms.Topic;
import javax.jms.TopicPublisher;
import javax.jms.TopicSession;
import javax.jms.TopicSubscriber;
import javax.jms.TransactionRolledBackException;
import org.pabal.jms.stomp.BrokerErrorException;
import org.pabal.jms.stomp.Frame;
import org.pabal.jms.stomp.Wire;
import org.pabal.jms.stomp.WireClosedException;

/**
 * A session: makes producers, consumers and messages, and orders what they do. Its deliveries are the
 * business of {@link SessionDeliveries}.
 *
 * <p>Thread: one at a time, as JMS says; close() may come from any. Listeners are called by a thread of
 * the session's own, which is then the one that may use the session.
 */
public class PabalSession implements QueueSession, TopicSession {
  /** As in ActiveMQ's client: Message.acknowledge() is about that message alone. */
  public static final int INDIVIDUAL_ACKNOWLEDGE = 4;

  private final PabalConnection connection;
  private final int mode;
  private final LocalTransaction transaction;  // null: not transacted
  // CLIENT_ACKNOWLEDGE keeps its acknowledgements in a transaction until acknowledge(): so the broker
  // goes on delivering, however many messages wait for that. Null in the other modes.
  private final LocalTransaction acknowledgements;
  private final SessionDeliveries deliveries;
  private ProducerIdentity identity;
  private volatile boolean closed;

  PabalSession(PabalConnection connection, int mode) {
    this.connection = connection;
    this.mode = mode;
    this.transaction = mode == SESSION_TRANSACTED ? new LocalTransaction(connection) : null;
    this.acknowledgements =
        mode == CLIENT_ACKNOWLEDGE ? new LocalTransaction(connection) : null;
    this.deliveries = new SessionDeliveries(this);
  }

  /** What is sent and received now is a part of; null: of none. */
  LocalTransaction transaction() {
    return transaction;
  }

  /** The one that received messages are acknowledged in; null: each by itself. */
  final LocalTransaction ofReceipts() {
    LocalTransaction now = transaction();
    return now != null ? now : acknowledgements;
  }

  /** All that was received and not settled belongs to that branch. */
  final void handOver(String xid) {
    deliveries.handOver(xid);
  }

  // --- life ------------------------------------------------------------------------------------

  @Override
  public boolean getTransacted() throws JMSException {
    checkOpen();
    return mode == SESSION_TRANSACTED;
  }

  @Override
  public int getAcknowledgeMode() throws JMSException {
    checkOpen();
    return mode;
  }

  /**
   * Returns when all that was sent and received since the last commit is durable.
   *
   * @throws javax.jms.TransactionRolledBackException if it was rolled back instead, or, the connection
   *     being lost at the wrong moment, may have been: what was received comes again then
   */
  @Override
  public void commit() throws JMSException {
    checkTransacted(true);
    try {
      transaction.commit();
    } catch (JMSException e) {
      deliveries.redeliverAll();
      throw e;
    }
    deliveries.settledAll();
  }

  /** What was received comes again, from within this client, marked as redelivered. */
  @Override
  public void rollback() throws JMSException {
    checkTransacted(true);
    try {
      transaction.rollback();
    } finally {
      deliveries.redeliverAll();
    }
  }

  /** Delivers again what was received and is not acknowledged, marked as redelivered. */
  @Override
  public void recover() throws JMSException {
    checkTransacted(false);
    try {
      if (acknowledgements != null) {
        acknowledgements.rollback();
      }
    } finally {
      deliveries.redeliverAll();
    }
  }

  private void checkTransacted(boolean expected) throws JMSException {
    checkOpen();
    if ((transaction != null) != expected) {
      throw new javax.jms.IllegalStateException(
          expected ? "the session is not transacted" : "the session is transacted");
    }
  }

  /** Rolls back, gives back what is not acknowledged, and waits for a listener that runs. */
  @Override
  public void close() throws JMSException {
    if (closed) {
      return;
    }
    closed = true;
    deliveries.stop();
    try {
      if (ofReceipts() != null) {
        ofReceipts().rollback();
      }
      deliveries.closeConsumers();
      connection.endBrowses(this);
    } finally {
      connection.remove(this);
      if (identity != null) {
        connection.giveBack(identity);
      }
    }
  }

  /**
   * The end of the STOMP connection, which follows, does the rest.
   *
   * @return the consumers that end with it
   */
  List<PabalMessageConsumer> closeWithConnection() {
    closed = true;
    deliveries.stop();
    return deliveries.endConsumers();
  }

  final void checkOpen() throws JMSException {
    connection.checkOpen();
    if (closed) {
      throw new javax.jms.IllegalStateException("the session is closed");
    }
  }

  final boolean isClosed() {
    return closed;
  }

  final int mode() {
    return mode;
  }

  final PabalConnection connection() {
    return connection;
  }

  /** Only for application servers, which would set the listener of the whole session. */
  @Override
  public MessageListener getMessageListener() throws JMSException {
    checkOpen();
    return null;
  }

  /** Not supported, as JMS 1.1 §8.2 allows. */
  @Override
  public void setMessageListener(MessageListener listener) throws JMSException {
    throw new JMSException("a listener of the whole session is not supported");
  }

  /** Without effect: there is no listener of the whole session. */
  @Override
  public void run() {}

  // --- messages --------------------------------------------------------------------------------

  @Override
  public PabalMessage createMessage() throws JMSException {
    checkOpen();
    return new PabalMessage();
  }

  @Override
  public PabalBytesMessage createBytesMessage() throws JMSException {
    checkOpen();
    return new PabalBytesMessage();
  }

  @Override
  public PabalMapMessage createMapMessage() throws JMSException {
    checkOpen();
    return new PabalMapMessage();
  }

  @Override
  public PabalStreamMessage createStreamMessage() throws JMSException {
    checkOpen();
    return new PabalStreamMessage();
  }

  @Override
  public PabalObjectMessage createObjectMessage() throws JMSException {
    checkOpen();
    return connection.newObjectMessage();
  }

  @Override
  public PabalObjectMessage createObjectMessage(Serializable object) throws JMSException {
    PabalObjectMessage message = createObjectMessage();
    message.setObject(object);
    return message;
  }

  @Override
  public PabalTextMessage createTextMessage() throws JMSException {
    return createTextMessage(null);
  }

  @Override
  public PabalTextMessage createTextMessage(String text) throws JMSException {
    checkOpen();
    return new PabalTextMessage(text);
  }

  // --- destinations ----------------------------------------------------------------------------

  @Override
  public Queue createQueue(String name) throws JMSException {
    checkOpen();
    return new PabalQueue(name);
  }

  @Override
  public Topic createTopic(String name) throws JMSException {
    checkOpen();
    return new PabalTopic(name);
  }

  @Override
  public TemporaryQueue createTemporaryQueue() throws JMSException {
    checkOpen();
    return connection.createTemporaryQueue();
  }

  @Override
  public TemporaryTopic createTemporaryTopic() throws JMSException {
    checkOpen();
    return connection.createTemporaryTopic();
  }

  // --- producers -------------------------------------------------------------------------------

  /** @param destination null: each send names its own */
  @Override
  public PabalMessageProducer createProducer(Destination destination) throws JMSException {
    checkOpen();
    return new PabalMessageProducer(this,
        destination == null ? null : PabalDestination.from(destination));
  }

  @Override
  public QueueSender createSender(Queue queue) throws JMSException {
    return createProducer(queue);
  }

  @Override
  public TopicPublisher createPublisher(Topic topic) throws JMSException {
    return createProducer(topic);
  }

  /** A message with its headers set. */
  void send(PabalMessage message) throws JMSException {
    checkOpen();
    Frame frame = connection.codec().encode(message);
    LocalTransaction now = transaction();
    if (now != null) {
      now.send(frame);
      return;
    }
    Settings settings = connection.settings();
    boolean persistent = message.getJMSDeliveryMode() == javax.jms.DeliveryMode.PERSISTENT;
    try {
      if (settings.alwaysSyncSend || persistent && !settings.useAsyncSend) {
        sendAndWait(frame);
      } else if (persistent) {
        connection.link().await().request(frame).whenComplete((receipt, error) -> {
          if (error != null) {
            connection.report(Errors.toJms(error));
          }
        });
      } else {
        sendUnconfirmed(frame);
      }
    } catch (IOException e) {
      throw Errors.toJms(e);
    }
  }

  private void sendAndWait(Frame frame) throws JMSException, IOException {
    Link link = connection.link();
    int timeout = connection.settings().sendTimeout;
    if (!link.reconnects()) {
      link.askUntilAnswered(wire -> frame, timeout);
      return;
    }
    if (identity == null) {
      identity = connection.takeIdentity();
    }
    identity.stamp(frame);
    link.askUntilAnswered(wire -> {
      if (!wire.isPabal()) {
        ProducerIdentity.remove(frame);
      }
      return frame;
    }, timeout);
  }

  private void sendUnconfirmed(Frame frame) throws JMSException, IOException {
    Link link = connection.link();
    while (true) {
      try {
        link.await().send(frame);
        return;
      } catch (WireClosedException e) {
        if (!link.reconnects()) {
          throw e;
        }
      }
    }
  }

  // --- consumers -------------------------------------------------------------------------------

  @Override
  public PabalMessageConsumer createConsumer(Destination destination) throws JMSException {
    return createConsumer(destination, null, false);
  }

  @Override
  public PabalMessageConsumer createConsumer(Destination destination, String selector)
      throws JMSException {
    return createConsumer(destination, selector, false);
  }

  @Override
  public PabalMessageConsumer createConsumer(Destination destination, String selector,
      boolean noLocal) throws JMSException {
    checkOpen();
    if (destination == null) {
      throw new InvalidDestinationException("no destination");
    }
    PabalDestination own = PabalDestination.from(destination);
    Temporary temporary = Temporary.of(own);
    if (temporary != null) {
      temporary.checkOwned(own, connection);
    }
    return deliveries.open(new PabalMessageConsumer(this, own, selector,
        noLocal && own instanceof Topic, null));
  }

  @Override
  public QueueReceiver createReceiver(Queue queue) throws JMSException {
    return createConsumer(queue, null, false);
  }

  @Override
  public QueueReceiver createReceiver(Queue queue, String selector) throws JMSException {
    return createConsumer(queue, selector, false);
  }

  @Override
  public TopicSubscriber createSubscriber(Topic topic) throws JMSException {
    return createConsumer(topic, null, false);
  }

  @Override
  public TopicSubscriber createSubscriber(Topic topic, String selector, boolean noLocal)
      throws JMSException {
    return createConsumer(topic, selector, noLocal);
  }

  @Override
  public TopicSubscriber createDurableSubscriber(Topic topic, String name) throws JMSException {
    return createDurableSubscriber(topic, name, null, false);
  }

  /** Needs a client id: setClientID, or `jms.clientID` of the URL. */
  @Override
  public TopicSubscriber createDurableSubscriber(Topic topic, String name, String selector,
      boolean noLocal) throws JMSException {
    checkOpen();
    if (connection.getClientID() == null) {
      throw new javax.jms.IllegalStateException("a durable subscriber needs a client id");
    }
    if (name == null || name.isEmpty()) {
      throw new JMSException("a durable subscriber needs a name");
    }
    if (topic == null || topic instanceof TemporaryTopic) {
      throw new InvalidDestinationException("a durable subscriber needs a topic that lasts");
    }
    return deliveries.open(new PabalMessageConsumer(this, PabalDestination.from(topic), selector,
        noLocal, name));
  }

  /** @throws InvalidDestinationException if there is no such subscription */
  @Override
  public void unsubscribe(String name) throws JMSException {
    checkOpen();
    Frame frame = new Frame("UNSUBSCRIBE")
        .with("id", "durable-" + connection.nextNumber())  // ActiveMQ insists on one
        .with("activemq.subscriptionName", name);
    try {
      connection.link().askUntilAnswered(wire -> frame, 0);
    } catch (IOException e) {
      throw Errors.toJms(e);
    }
  }

  @Override
  public PabalQueueBrowser createBrowser(Queue queue) throws JMSException {
    return createBrowser(queue, null);
  }

  @Override
  public PabalQueueBrowser createBrowser(Queue queue, String selector) throws JMSException {
    checkOpen();
    if (queue == null) {
      throw new InvalidDestinationException("no queue");
    }
    return new PabalQueueBrowser(this, PabalDestination.from(queue), selector);
  }

  // --- for consumers, messages and the connection ------------------------------------------------

  void checkOpen(PabalMessageConsumer consumer) throws JMSException {
    checkOpen();
    deliveries.checkOpen(consumer);
  }

  /** Whether the application has closed it; it may be known for what it received. */
  boolean isClosed(PabalMessageConsumer consumer) {
    return deliveries.isClosed(consumer);
  }

  MessageListener listenerOf(PabalMessageConsumer consumer) throws JMSException {
    checkOpen(consumer);
    return consumer.listener;
  }

  void setListener(PabalMessageConsumer consumer, MessageListener listener) throws JMSException {
    checkOpen(consumer);
    deliveries.setListener(consumer, listener);
  }

  Message receive(PabalMessageConsumer consumer, long timeout) throws JMSException {
    checkOpen(consumer);
    return deliveries.receive(consumer, timeout);
  }

  void close(PabalMessageConsumer consumer) throws JMSException {
    if (!closed) {
      deliveries.close(consumer);
    }
  }

  void acknowledge(Delivery delivery) throws JMSException {
    checkOpen();
    if (acknowledgements != null) {
      acknowledgeAll();
    } else if (mode == INDIVIDUAL_ACKNOWLEDGE) {
      deliveries.acknowledge(delivery);
    }
  }

  private void acknowledgeAll() throws JMSException {
    try {
      acknowledgements.commit();
    } catch (TransactionRolledBackException e) {
      deliveries.redeliverAll();
      throw Errors.withCause(
          new JMSException("not acknowledged, and so delivered again: " + e.getMessage()), e);
    }
    deliveries.settledAll();
  }

  Delivery lastOf(PabalMessageConsumer consumer) {
    return deliveries.lastOf(consumer);
  }

  int waitingCount(PabalMessageConsumer consumer) {
    return deliveries.waitingCount(consumer);
  }

  void arrived(PabalMessageConsumer consumer, Wire wire, Frame message) {
    deliveries.arrived(consumer, wire, message);
  }

  void interrupted(Wire lost) {
    deliveries.interrupted(lost);
    LocalTransaction now = ofReceipts();
    if (now != null) {
      now.doom(lost, new IOException("the connection was lost"));
    }
  }

  void doom(Wire wire, BrokerErrorException error) {
    LocalTransaction now = ofReceipts();
    if (now != null) {
      now.doom(wire, error);
    }
  }

  void wake() {
    deliveries.wake();
  }

  void awaitListeners() {
    deliveries.awaitListener();
  }
}
