package org.pabal.jms;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Deque;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedDeque;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicLong;
import javax.jms.Connection;
import javax.jms.ConnectionConsumer;
import javax.jms.ConnectionMetaData;
import javax.jms.Destination;
import javax.jms.ExceptionListener;
import javax.jms.JMSException;
import javax.jms.Queue;
import javax.jms.QueueConnection;
import javax.jms.QueueSession;
import javax.jms.ServerSessionPool;
import javax.jms.Session;
import javax.jms.Topic;
import javax.jms.TopicConnection;
import javax.jms.TopicSession;
import org.pabal.jms.stomp.BrokerErrorException;
import org.pabal.jms.stomp.Frame;
import org.pabal.jms.stomp.Wire;
import org.pabal.jms.stomp.WireClosedException;

/**
 * A connection: one STOMP connection at a time, shared by its sessions. It is in use, and its client id
 * fixed, with the first call of anything but setClientID and the getters.
 *
 * <p>Any thread. Errors after creation come as exceptions of the calls that meet them, and to the
 * {@link ExceptionListener}: a connection that is lost for good, and what the broker refuses of messages
 * that were sent without waiting.
 */
public class PabalConnection implements QueueConnection, TopicConnection {
  private static final System.Logger LOG = System.getLogger("org.pabal.jms");

  private final Settings settings;
  private final String id = UUID.randomUUID().toString();
  private final AtomicLong numbers = new AtomicLong();
  private final MessageCodec codec = new MessageCodec(this);
  private final List<PabalSession> sessions = new CopyOnWriteArrayList<>();
  private final Map<String, PabalMessageConsumer> consumers = new ConcurrentHashMap<>();
  private final Map<String, Browse> browses = new ConcurrentHashMap<>();
  private final Map<String, PabalDestination> temporaries = new ConcurrentHashMap<>();
  private final Deque<ProducerIdentity> freeIdentities = new ConcurrentLinkedDeque<>();
  private final Problems problems = new Problems();
  private final Branches branches = new Branches();
  private volatile Link link;
  private String clientId;
  private boolean used;
  private volatile boolean started;
  private volatile boolean closed;
  private volatile JMSException failure;
  private volatile ExceptionListener exceptionListener;

  PabalConnection(Settings settings) throws JMSException {
    this.settings = settings;
    this.clientId = settings.clientId;
    this.used = clientId != null;
    this.link = new Link(settings, new Events());
    link.open();
  }

  // --- JMS -------------------------------------------------------------------------------------

  /** Null if none was given: then durable subscribers are refused. */
  @Override
  public String getClientID() throws JMSException {
    checkOpen();
    return clientId;
  }

  /**
   * Connects again, under that id: STOMP fixes it when connecting.
   *
   * @throws javax.jms.IllegalStateException if there is one, or the connection was used
   * @throws javax.jms.InvalidClientIDException if another connection has it
   */
  @Override
  public synchronized void setClientID(String newId) throws JMSException {
    checkOpen();
    if (used) {
      throw new javax.jms.IllegalStateException("setClientID must be the first call");
    }
    if (newId == null || newId.isEmpty()) {
      throw new javax.jms.InvalidClientIDException("an empty client id");
    }
    link.close(wire -> List.of());
    link = new Link(settings, new Events());
    clientId = newId;
    try {
      link.open();
      used = true;
    } catch (JMSException e) {
      clientId = null;
      link = new Link(settings, new Events());
      link.open();
      throw e;
    }
  }

  @Override
  public ConnectionMetaData getMetaData() throws JMSException {
    checkOpen();
    return PabalConnectionMetaData.INSTANCE;
  }

  @Override
  public ExceptionListener getExceptionListener() throws JMSException {
    checkOpen();
    return exceptionListener;
  }

  @Override
  public void setExceptionListener(ExceptionListener listener) throws JMSException {
    use();
    exceptionListener = listener;
  }

  @Override
  public void start() throws JMSException {
    use();
    started = true;
    sessions.forEach(PabalSession::wake);
  }

  /** Returns when no listener runs any more, unless one calls it. */
  @Override
  public void stop() throws JMSException {
    use();
    started = false;
    sessions.forEach(PabalSession::awaitListeners);
  }

  /**
   * Closes what belongs to the connection; open transactions roll back. Waits for listeners that run,
   * unless one of them calls it.
   */
  @Override
  public void close() throws JMSException {
    if (closed) {
      return;
    }
    closed = true;
    link.beginClosing();
    List<PabalMessageConsumer> ended = new ArrayList<>();
    for (PabalSession session : sessions) {
      ended.addAll(session.closeWithConnection());
    }
    browses.values().forEach(browse ->
        browse.interrupted("the connection was closed while browsing"));
    link.close(wire -> ended.stream().map(consumer -> consumer.farewell(wire))
        .filter(java.util.Objects::nonNull).toList());
  }

  @Override
  public Session createSession(boolean transacted, int acknowledgeMode) throws JMSException {
    return open(new PabalSession(this, mode(transacted, acknowledgeMode)));
  }

  @Override
  public QueueSession createQueueSession(boolean transacted, int acknowledgeMode)
      throws JMSException {
    return open(new PabalQueueSession(this, mode(transacted, acknowledgeMode)));
  }

  @Override
  public TopicSession createTopicSession(boolean transacted, int acknowledgeMode)
      throws JMSException {
    return open(new PabalTopicSession(this, mode(transacted, acknowledgeMode)));
  }

  final <S extends PabalSession> S open(S session) throws JMSException {
    use();
    link.await();
    sessions.add(session);
    if (closed) {  // meanwhile, and without this one
      session.closeWithConnection();
      checkOpen();
    }
    return session;
  }

  private static int mode(boolean transacted, int acknowledgeMode) throws JMSException {
    if (transacted) {
      return Session.SESSION_TRANSACTED;
    }
    return switch (acknowledgeMode) {
      case Session.AUTO_ACKNOWLEDGE, Session.CLIENT_ACKNOWLEDGE, Session.DUPS_OK_ACKNOWLEDGE,
          PabalSession.INDIVIDUAL_ACKNOWLEDGE -> acknowledgeMode;
      default -> throw new JMSException("no acknowledge mode: " + acknowledgeMode);
    };
  }

  /** For application servers; not supported, as JMS 1.1 §8.2 allows. */
  @Override
  public ConnectionConsumer createConnectionConsumer(Destination destination, String selector,
      ServerSessionPool pool, int maxMessages) throws JMSException {
    throw unsupported();
  }

  @Override
  public ConnectionConsumer createConnectionConsumer(Queue queue, String selector,
      ServerSessionPool pool, int maxMessages) throws JMSException {
    throw unsupported();
  }

  @Override
  public ConnectionConsumer createConnectionConsumer(Topic topic, String selector,
      ServerSessionPool pool, int maxMessages) throws JMSException {
    throw unsupported();
  }

  @Override
  public ConnectionConsumer createDurableConnectionConsumer(Topic topic, String name,
      String selector, ServerSessionPool pool, int maxMessages) throws JMSException {
    throw unsupported();
  }

  private static JMSException unsupported() {
    return new JMSException("connection consumers are not supported");
  }

  // --- for what belongs to it --------------------------------------------------------------------

  Settings settings() {
    return settings;
  }

  Link link() {
    return link;
  }

  MessageCodec codec() {
    return codec;
  }

  boolean isStarted() {
    return started && !closed;
  }

  /** A number that no other session, subscription or transaction of the connection has. */
  long nextNumber() {
    return numbers.incrementAndGet();
  }

  /** A JMSMessageID that no other message has, in the form that ActiveMQ's client can read. */
  String newMessageId() {
    return "ID:jms-" + id + ":-1:1:" + nextNumber();
  }

  /** For one session at a time: those of closed sessions are used again. */
  ProducerIdentity takeIdentity() {
    ProducerIdentity free = freeIdentities.poll();
    return free != null ? free : new ProducerIdentity(id + ":" + nextNumber());
  }

  void giveBack(ProducerIdentity identity) {
    freeIdentities.push(identity);
  }

  PabalObjectMessage newObjectMessage() {
    return new PabalObjectMessage(new PabalObjectMessage.Trust(settings.trustedPackages,
        settings.trustAllPackages));
  }

  void checkOpen() throws JMSException {
    if (closed) {
      throw new javax.jms.IllegalStateException("the connection is closed");
    }
  }

  /** Set when the connection is lost for good. */
  void checkAlive() throws JMSException {
    JMSException cause = failure;
    if (cause != null) {
      throw Errors.withCause(new JMSException(cause.getMessage()), cause);
    }
  }

  private synchronized void use() throws JMSException {
    checkOpen();
    used = true;
  }

  void add(PabalMessageConsumer consumer) {
    consumers.put(consumer.subscriptionId(), consumer);
  }

  void remove(PabalMessageConsumer consumer) {
    consumers.remove(consumer.subscriptionId());
  }

  /** For tests. */
  int consumerCount() {
    return consumers.size();
  }

  void add(String subscription, Browse browse) {
    browses.put(subscription, browse);
  }

  void removeBrowse(String subscription) {
    browses.remove(subscription);
  }

  /** Ends those of a session that closes. */
  void endBrowses(PabalSession session) throws JMSException {
    for (Browse browse : browses.values()) {
      if (browse.session() == session) {
        browse.end();
      }
    }
  }

  Branches branches() {
    return branches;
  }

  void remove(PabalSession session) {
    sessions.remove(session);
  }

  PabalTemporaryQueue createTemporaryQueue() throws JMSException {
    PabalTemporaryQueue queue = new PabalTemporaryQueue(temporaryName(), this);
    temporaries.put(queue.toStomp(), queue);
    return queue;
  }

  PabalTemporaryTopic createTemporaryTopic() throws JMSException {
    PabalTemporaryTopic topic = new PabalTemporaryTopic(temporaryName(), this);
    temporaries.put(topic.toStomp(), topic);
    return topic;
  }

  private String temporaryName() {
    return "ID-" + id + "-" + nextNumber();
  }

  /** The connection's own, by its alias. */
  PabalDestination temporary(String kind, String name) throws JMSException {
    PabalDestination known = temporaries.get("/" + kind + "/" + name);
    if (known != null) {
      return known;
    }
    return kind.equals("temp-queue") ? new PabalTemporaryQueue(name, this)
        : new PabalTemporaryTopic(name, this);
  }

  /**
   * A Pabal removes it at once; another broker, which STOMP has no word for it to, when the connection ends.
   *
   * @throws javax.jms.IllegalStateException if somebody receives from it
   */
  void deleteTemporary(PabalDestination destination) throws JMSException {
    checkOpen();
    List<PabalMessageConsumer> closed = new ArrayList<>();
    for (PabalMessageConsumer consumer : consumers.values()) {
      if (consumer.destination().equals(destination)) {
        if (!consumer.session().isClosed(consumer)) {
          throw new javax.jms.IllegalStateException(destination + " still has consumers");
        }
        closed.add(consumer);
      }
    }
    temporaries.remove(destination.toStomp());
    Wire wire = link.current();
    if (wire == null || !wire.isPabal()) {
      return;  // a wire that is lost took it along
    }
    // Those stay for what they received, until that is committed; it can be without them.
    for (PabalMessageConsumer consumer : closed) {
      consumer.unsubscribe();
    }
    try {
      Link.answer(wire.request(new Frame("UNSUBSCRIBE").with("destination", destination.toStomp())
          .with("delete", "true")), 0);
    } catch (WireClosedException e) {
      // That deletes it as well.
    } catch (IOException e) {
      throw Errors.toJms(e);
    }
  }

  void report(JMSException problem) {
    ExceptionListener listener = exceptionListener;
    if (listener == null) {
      LOG.log(System.Logger.Level.WARNING, "nobody listens for: {0}", problem.getMessage());
      return;
    }
    problems.tell(listener, problem);
  }

  /** What the link and its wires have to say. */
  private final class Events implements Link.Owner {
    @Override
    public Map<String, String> connectHeaders() {
      Map<String, String> headers = new LinkedHashMap<>();
      headers.put("host", settings.host != null ? settings.host
          : settings.addresses.get(0).host());
      if (clientId != null) {
        headers.put("client-id", clientId);
      }
      if (settings.userName != null) {
        headers.put("login", settings.userName);
      }
      if (settings.password != null) {
        headers.put("passcode", settings.password);
      }
      return headers;
    }

    @Override
    public void onMessage(Wire wire, Frame message) {
      String subscription = message.header("subscription");
      PabalMessageConsumer consumer = consumers.get(String.valueOf(subscription));
      if (consumer != null) {
        consumer.arrived(wire, message);
        return;
      }
      Browse browse = browses.get(String.valueOf(subscription));
      if (browse != null) {
        browse.arrived(message);
      }
      // Else its consumer has just been closed: with that the broker takes it back.
    }

    @Override
    public void onError(Wire wire, BrokerErrorException error) {
      // It may be about a part of any transaction: those that are open must not commit without it.
      sessions.forEach(session -> session.doom(wire, error));
      report(Errors.toJms(error));
    }

    @Override
    public void onLost(Wire wire, IOException cause) {
      link.lost(wire, cause);
    }

    @Override
    public void interrupted(Wire lost) {
      branches.forget();
      sessions.forEach(session -> session.interrupted(lost));
      browses.values().forEach(browse ->
          browse.interrupted("the connection was lost while browsing"));
    }

    @Override
    public void restore(Wire wire) throws IOException {
      List<PabalMessageConsumer> inOrder = new ArrayList<>(consumers.values());
      inOrder.sort(java.util.Comparator.comparingLong(PabalMessageConsumer::number));
      for (PabalMessageConsumer consumer : inOrder) {
        try {
          consumer.subscribeAgain(wire);
        } catch (JMSException e) {
          throw new IOException(e);
        }
      }
    }

    @Override
    public void failed(JMSException cause) {
      failure = cause;
      sessions.forEach(PabalSession::wake);
      report(cause);
    }
  }
}
