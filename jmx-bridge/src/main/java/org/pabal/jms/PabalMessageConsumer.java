package org.pabal.jms;

import java.io.IOException;
import java.util.ArrayDeque;
import javax.jms.JMSException;
import javax.jms.Message;
import javax.jms.MessageListener;
import javax.jms.Queue;
import javax.jms.QueueReceiver;
import javax.jms.Topic;
import javax.jms.TopicSubscriber;
import org.pabal.jms.stomp.Frame;
import org.pabal.jms.stomp.Wire;
import org.pabal.jms.stomp.WireClosedException;

/**
 * A subscription. The broker sends ahead as many messages as the prefetch allows; they wait here.
 *
 * <p>Thread: the session's, but for close(), which any thread may call: it ends a receive() that waits.
 */
public final class PabalMessageConsumer implements QueueReceiver, TopicSubscriber {
  private final PabalSession session;
  private final PabalDestination destination;
  private final String selector;
  private final boolean noLocal;
  private final String durableName;
  private final long number;
  // All of these belong to the session, under its mutex.
  final ArrayDeque<Delivery> waiting = new ArrayDeque<>();
  final AckWindow window;
  Delivery last;  // of those that the application has had
  MessageListener listener;
  boolean closed;

  private final Object subscribing = new Object();
  private Wire subscribedOn;
  private volatile boolean ended;

  /** @param durableName null: not durable */
  PabalMessageConsumer(PabalSession session, PabalDestination destination, String selector,
      boolean noLocal, String durableName) {
    this.session = session;
    this.destination = destination;
    this.selector = selector == null || selector.isBlank() ? null : selector;
    this.noLocal = noLocal;
    this.durableName = durableName;
    this.number = session.connection().nextNumber();
    this.window = new AckWindow(subscriptionId(), prefetch());
  }

  // --- JMS -------------------------------------------------------------------------------------

  @Override
  public String getMessageSelector() throws JMSException {
    session.checkOpen(this);
    return selector;
  }

  @Override
  public MessageListener getMessageListener() throws JMSException {
    return session.listenerOf(this);
  }

  /** From now on the session's own thread calls it; null ends that. */
  @Override
  public void setMessageListener(MessageListener newListener) throws JMSException {
    session.setListener(this, newListener);
  }

  /** Waits without limit; null if the consumer is closed meanwhile. */
  @Override
  public Message receive() throws JMSException {
    return session.receive(this, Long.MAX_VALUE);
  }

  /** @param timeout milliseconds; 0: without limit */
  @Override
  public Message receive(long timeout) throws JMSException {
    return session.receive(this, timeout == 0 ? Long.MAX_VALUE : timeout);
  }

  /** What has arrived already; null if nothing has. */
  @Override
  public Message receiveNoWait() throws JMSException {
    return session.receive(this, 0);
  }

  /**
   * Gives back what was sent ahead. What was received and is not acknowledged, or committed, yet can
   * still be. Waits for a listener that runs, unless it is the caller.
   */
  @Override
  public void close() throws JMSException {
    session.close(this);
  }

  @Override
  public Queue getQueue() throws JMSException {
    session.checkOpen(this);
    return (Queue) destination;
  }

  @Override
  public Topic getTopic() throws JMSException {
    session.checkOpen(this);
    return (Topic) destination;
  }

  @Override
  public boolean getNoLocal() throws JMSException {
    session.checkOpen(this);
    return noLocal;
  }

  // --- for session and connection ----------------------------------------------------------------

  PabalSession session() {
    return session;
  }

  PabalDestination destination() {
    return destination;
  }

  /** For tests: how many messages have been sent ahead. */
  int waitingCount() {
    return session.waitingCount(this);
  }

  String subscriptionId() {
    return "sub-" + number;
  }

  long number() {
    return number;
  }

  /** The reading thread has got a message. */
  void arrived(Wire wire, Frame message) {
    session.arrived(this, wire, message);
  }

  /**
   * Subscribes on that wire, unless it has, or has ended.
   *
   * @throws IOException if the wire is lost or the broker refuses
   */
  void subscribe(Wire wire) throws IOException, JMSException {
    synchronized (subscribing) {
      if (ended || subscribedOn == wire) {
        return;
      }
      Frame frame = new Frame("SUBSCRIBE")
          .with("id", subscriptionId())
          .with("destination", destination.toStomp())
          .with("ack", "client-individual")
          .with("selector", selector)
          .with("transformation", wire.isPabal() ? MessageCodec.TRANSFORMATION : null)
          .with("activemq.prefetchSize", Integer.toString(prefetch()))
          .with("activemq.noLocal", noLocal ? "true" : null)
          .with("activemq.subscriptionName", durableName);
      Link.answer(wire.request(frame), 0);
      subscribedOn = wire;
    }
  }

  /**
   * On the wire that replaces a lost one. A consumer that is being created does that itself: if the broker
   * refuses it, it is nobody else's business.
   */
  void subscribeAgain(Wire wire) throws IOException, JMSException {
    synchronized (subscribing) {
      if (subscribedOn != null) {
        subscribe(wire);
      }
    }
  }

  private int prefetch() {
    Settings settings = session.connection().settings();
    return durableName != null ? settings.durableTopicPrefetch
        : destination instanceof Topic ? settings.topicPrefetch : settings.queuePrefetch;
  }

  /** Ends the subscription; a durable one stays, and waits for the next subscriber. */
  void unsubscribe() throws JMSException {
    synchronized (subscribing) {
      if (ended) {
        return;
      }
      ended = true;
      session.connection().remove(this);
      if (subscribedOn == null || !subscribedOn.isOpen()) {
        return;
      }
      try {
        Link.answer(subscribedOn.request(unsubscribeFrame()),
            session.connection().settings().closeTimeout);
      } catch (WireClosedException e) {
        // That ends it as well.
      } catch (IOException e) {
        throw Errors.toJms(e);
      }
    }
  }

  /** A Pabal is told what the application has seen: the rest is delivered to others as if never sent here. */
  private Frame unsubscribeFrame() {
    Delivery seen = session.lastOf(this);
    boolean any = seen != null && seen.wire() == subscribedOn;
    return new Frame("UNSUBSCRIBE").with("id", subscriptionId())
        .with("JMS_Pabal_Seen", !subscribedOn.isPabal() ? null : any ? seen.ackId() : "none");
  }

  /** What to say before DISCONNECT; null: nothing. The consumer has ended. */
  Frame farewell(Wire wire) {
    synchronized (subscribing) {
      return subscribedOn == wire && wire.isPabal() ? unsubscribeFrame() : null;
    }
  }

  /** Without a word to the broker: its connection ends. Does not wait for a subscribe() that waits. */
  void end() {
    ended = true;
    session.connection().remove(this);
  }
}
