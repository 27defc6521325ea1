package org.pabal.jms;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Iterator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import javax.jms.JMSException;
import javax.jms.MessageListener;
import javax.jms.Session;
import org.pabal.jms.stomp.Frame;
import org.pabal.jms.stomp.Wire;
import org.pabal.jms.stomp.WireClosedException;

/**
 * The deliveries of one session, from their arrival to their acknowledgement:
 *
 * <pre>
 *   arrived ─▶ consumer.waiting ─ receive(), or the session's thread ─▶ delivered ─▶ acknowledged
 *                    ▲                                                     │
 *                    └──── recover, rollback, a listener that throws ◀─────┘
 * </pre>
 *
 * <p>A delivery of a wire that is lost is forgotten wherever it stands: the broker sends it again.
 *
 * <p>Threads: `mutex` guards what the reading thread and the session's user share, and nothing is sent
 * under it; `delivering` is held while a listener runs, and by who waits for it to end. Order: delivering,
 * then a consumer's subscribing, then mutex.
 */
final class SessionDeliveries {
  private static final System.Logger LOG = System.getLogger("org.pabal.jms");
  private static final int IN_DOUBT_MAX = 1000;

  private final PabalSession session;
  private final Object mutex = new Object();
  private final ReentrantLock delivering = new ReentrantLock();
  private final List<PabalMessageConsumer> consumers = new ArrayList<>();
  private final Set<Delivery> delivered = new LinkedHashSet<>();
  /// Automatic acknowledgements whose answer was lost with the wire. The application has had these
  /// messages: if they come again they are acknowledged, not delivered.
  private final Set<Delivery.Name> inDoubt = new LinkedHashSet<>();
  private long arrivals;
  private Thread listenerThread;

  SessionDeliveries(PabalSession session) {
    this.session = session;
  }

  // --- consumers -------------------------------------------------------------------------------

  /** Subscribes; the consumer is known to all before, so that a reconnection finds it. */
  PabalMessageConsumer open(PabalMessageConsumer consumer) throws JMSException {
    PabalConnection connection = session.connection();
    synchronized (mutex) {
      consumers.add(consumer);
    }
    connection.add(consumer);
    while (true) {
      try {
        consumer.subscribe(connection.link().await());
        return consumer;
      } catch (WireClosedException e) {
        if (connection.link().reconnects()) {
          continue;
        }
        forget(consumer);
        throw Errors.toJms(e);
      } catch (IOException | JMSException e) {
        forget(consumer);
        throw Errors.toJms(e);
      }
    }
  }

  private void forget(PabalMessageConsumer consumer) {
    synchronized (mutex) {
      consumers.remove(consumer);
      consumer.closed = true;
    }
    consumer.end();
  }

  boolean isClosed(PabalMessageConsumer consumer) {
    synchronized (mutex) {
      return consumer.closed;
    }
  }

  void checkOpen(PabalMessageConsumer consumer) throws JMSException {
    synchronized (mutex) {
      if (consumer.closed) {
        throw new javax.jms.IllegalStateException("the consumer is closed");
      }
    }
  }

  void setListener(PabalMessageConsumer consumer, MessageListener listener) {
    // Returns when the old listener runs no more.
    boolean waits = !isListenerThread();
    if (waits) {
      delivering.lock();
    }
    try {
      synchronized (mutex) {
        consumer.listener = listener;
        if (listener != null && listenerThread == null) {
          listenerThread = new Thread(this::deliverToListeners, "pabal-jms-session");
          listenerThread.start();
        }
        mutex.notifyAll();
      }
    } finally {
      if (waits) {
        delivering.unlock();
      }
    }
  }

  /**
   * JMS 1.1 §4.4.1: what was received stays so. As long as some of it can still be acknowledged, the
   * subscription stays at the broker, though nothing of it is delivered any more.
   */
  void close(PabalMessageConsumer consumer) throws JMSException {
    awaitListener();
    settleCurrent(consumer);
    boolean needed;
    synchronized (mutex) {
      if (consumer.closed) {
        return;
      }
      consumer.closed = true;
      consumer.waiting.clear();
      needed = isNeeded(consumer);
      if (!needed) {
        consumers.remove(consumer);
      }
      mutex.notifyAll();
    }
    if (!needed) {
      consumer.unsubscribe();
    }
  }

  private boolean isNeeded(PabalMessageConsumer consumer) {
    return delivered.stream().anyMatch(d -> d.consumer() == consumer && d.isLive());
  }

  private void endUnneeded() throws JMSException {
    List<PabalMessageConsumer> ended = new ArrayList<>();
    synchronized (mutex) {
      for (Iterator<PabalMessageConsumer> each = consumers.iterator(); each.hasNext(); ) {
        PabalMessageConsumer consumer = each.next();
        if (consumer.closed && !isNeeded(consumer)) {
          each.remove();
          ended.add(consumer);
        }
      }
    }
    for (PabalMessageConsumer consumer : ended) {
      consumer.unsubscribe();
    }
  }

  /** The session closes: nobody receives any more. */
  void stop() {
    synchronized (mutex) {
      mutex.notifyAll();
    }
    awaitListener();
    settleCurrent(null);
    synchronized (mutex) {
      for (PabalMessageConsumer consumer : consumers) {
        consumer.closed = true;
        consumer.waiting.clear();
      }
      delivered.clear();
      mutex.notifyAll();
    }
  }

  void closeConsumers() throws JMSException {
    JMSException first = null;
    for (PabalMessageConsumer consumer : takeConsumers()) {
      try {
        consumer.unsubscribe();
      } catch (JMSException e) {
        first = first == null ? e : first;
      }
    }
    if (first != null) {
      throw first;
    }
  }

  /** @return those that have ended */
  List<PabalMessageConsumer> endConsumers() {
    List<PabalMessageConsumer> ended = takeConsumers();
    ended.forEach(PabalMessageConsumer::end);
    return ended;
  }

  private List<PabalMessageConsumer> takeConsumers() {
    synchronized (mutex) {
      List<PabalMessageConsumer> all = new ArrayList<>(consumers);
      consumers.clear();
      return all;
    }
  }

  // --- arriving and leaving ----------------------------------------------------------------------

  void arrived(PabalMessageConsumer consumer, Wire wire, Frame message) {
    synchronized (mutex) {
      if (!consumer.closed) {
        consumer.waiting.addLast(new Delivery(consumer, wire, message, ++arrivals));
        mutex.notifyAll();
      }
    }
  }

  Delivery lastOf(PabalMessageConsumer consumer) {
    synchronized (mutex) {
      return consumer.last;
    }
  }

  int waitingCount(PabalMessageConsumer consumer) {
    synchronized (mutex) {
      return consumer.waiting.size();
    }
  }

  void interrupted(Wire lost) {
    synchronized (mutex) {
      consumers.forEach(consumer -> consumer.waiting.removeIf(d -> d.wire() == lost));
      mutex.notifyAll();
    }
  }

  void wake() {
    synchronized (mutex) {
      mutex.notifyAll();
    }
  }

  /** Null after `timeout` milliseconds, or when the consumer is closed. */
  PabalMessage receive(PabalMessageConsumer consumer, long timeout) throws JMSException {
    if (consumer.listener != null) {
      throw new javax.jms.IllegalStateException("the consumer has a listener");
    }
    long deadline = timeout > Long.MAX_VALUE / 2_000_000 ? Long.MAX_VALUE
        : System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(timeout);
    while (true) {
      Delivery delivery = take(consumer, deadline);
      if (delivery == null) {
        return null;
      }
      PabalMessage message = accept(delivery);
      if (message == null) {
        continue;
      }
      LocalTransaction transaction = session.ofReceipts();
      if (transaction != null) {
        transaction.acknowledge(delivery);
      } else if (acknowledgesItself()) {
        settle(delivery);
      }
      return message;
    }
  }

  private Delivery take(PabalMessageConsumer consumer, long deadline) throws JMSException {
    synchronized (mutex) {
      while (true) {
        if (consumer.closed || session.isClosed()) {
          return null;
        }
        session.connection().checkAlive();
        if (session.connection().isStarted() && !consumer.waiting.isEmpty()) {
          return handOut(consumer);
        }
        long left = deadline == Long.MAX_VALUE ? 0 : deadline - System.nanoTime();
        if (deadline != Long.MAX_VALUE && left <= 0) {
          return null;
        }
        Link.waitOn(mutex, left == 0 ? 0 : TimeUnit.NANOSECONDS.toMillis(left) + 1);
      }
    }
  }

  /** The message, if the application is to see it. */
  private PabalMessage accept(Delivery delivery) throws JMSException {
    adjustWindow(delivery);
    boolean had;
    synchronized (mutex) {
      had = delivery.deliveries() > 0 && inDoubt.remove(delivery.name());
    }
    if (had || delivery.isExpired(System.currentTimeMillis())) {
      drop(delivery, had);
      return null;
    }
    PabalMessage message = session.connection().codec().decode(delivery.frame());
    if (delivery.deliveries() > 0) {
      message.setJMSRedelivered(true);
    }
    message.received(delivery, delivery.deliveries() + 1);
    return message;
  }

  /** Not for the application: it has had it, or it came too late. */
  private void drop(Delivery delivery, boolean had) {
    synchronized (mutex) {
      takeBack(delivery);
    }
    try {
      // Expired is for the broker to handle as it handles its own expired messages: with NACK it can.
      delivery.wire().send(had ? delivery.answer("ACK")
          : delivery.answer("NACK").with("cause", "expired before it was received"));
    } catch (IOException e) {
      LOG.log(System.Logger.Level.DEBUG, "it comes again: {0}", e.getMessage());
    }
  }

  // --- listeners -------------------------------------------------------------------------------

  boolean isListenerThread() {
    return Thread.currentThread() == listenerThread;
  }

  /** Returns when no listener of the session runs; at once if one of them calls. */
  void awaitListener() {
    if (!isListenerThread()) {
      delivering.lock();
      delivering.unlock();
    }
  }

  private void deliverToListeners() {
    while (!session.isClosed()) {
      boolean idle;
      delivering.lock();
      try {
        Delivery delivery = takeForListener();
        idle = delivery == null;
        if (!idle) {
          deliver(delivery);
        }
      } catch (JMSException | RuntimeException e) {
        // Whatever it is, this thread goes on: without it all delivery would end in silence.
        idle = false;
        session.connection().report(Errors.toJms(e));
      } finally {
        delivering.unlock();
      }
      if (idle) {
        awaitWork();
      }
    }
  }

  private void awaitWork() {
    synchronized (mutex) {
      while (!session.isClosed() && earliest() == null) {
        try {
          mutex.wait();
        } catch (InterruptedException e) {
          // Nobody but an application in its listener knows this thread; it goes on to work.
        }
      }
    }
  }

  /** The consumer with a listener whose next message arrived first. */
  private PabalMessageConsumer earliest() {
    PabalMessageConsumer first = null;
    if (session.connection().isStarted()) {
      for (PabalMessageConsumer consumer : consumers) {
        if (consumer.listener != null && !consumer.waiting.isEmpty() && (first == null
            || consumer.waiting.peekFirst().arrival() < first.waiting.peekFirst().arrival())) {
          first = consumer;
        }
      }
    }
    return first;
  }

  private Delivery takeForListener() {
    synchronized (mutex) {
      PabalMessageConsumer consumer = session.isClosed() ? null : earliest();
      if (consumer == null) {
        return null;
      }
      return handOut(consumer);
    }
  }

  /** Under mutex. */
  private Delivery handOut(PabalMessageConsumer consumer) {
    Delivery delivery = consumer.waiting.pollFirst();
    delivered.add(delivery);
    if (consumer.last == null || consumer.last.arrival() < delivery.arrival()) {
      consumer.last = delivery;
    }
    if (session.mode() == PabalSession.INDIVIDUAL_ACKNOWLEDGE) {
      consumer.window.taken(delivery);
    }
    return delivery;
  }

  /** Under mutex. False if it was not in the application's hands. */
  private boolean takeBack(Delivery delivery) {
    if (!delivered.remove(delivery)) {
      return false;
    }
    if (session.mode() == PabalSession.INDIVIDUAL_ACKNOWLEDGE) {
      delivery.consumer().window.returned(delivery);
    }
    return true;
  }

  /** Tells the broker what handOut() and takeBack() found; not under mutex. */
  private void adjustWindow(Delivery delivery) {
    if (session.mode() != PabalSession.INDIVIDUAL_ACKNOWLEDGE) {
      return;
    }
    Frame frame;
    synchronized (mutex) {
      frame = delivery.consumer().window.takeFrame(delivery);
    }
    try {
      if (frame != null) {
        delivery.wire().send(frame);
      }
    } catch (IOException e) {
      LOG.log(System.Logger.Level.DEBUG, "the next connection has a new window: {0}", e.getMessage());
    }
  }

  private void deliver(Delivery delivery) throws JMSException {
    PabalMessage message = accept(delivery);
    if (message == null) {
      return;
    }
    LocalTransaction transaction = session.ofReceipts();
    if (transaction != null) {
      transaction.acknowledge(delivery);
    }
    boolean acknowledgesItself = transaction == null && acknowledgesItself();
    try {
      delivery.consumer().listener.onMessage(message);
    } catch (RuntimeException | Error e) {
      // JMS 1.1 §4.5.2: a programming error. What acknowledges itself is delivered again; an Error
      // must not end the thread, and with it all delivery, in silence.
      LOG.log(System.Logger.Level.WARNING, "a listener failed with " + message, e);
      if (acknowledgesItself) {
        redeliver(List.of(delivery));
      }
    }
    if (acknowledgesItself) {
      settle(delivery);
    }
  }

  /** A listener closes what it was called by: JMS acknowledges its message all the same. */
  private void settleCurrent(PabalMessageConsumer consumer) {
    if (!isListenerThread() || !acknowledgesItself() || session.ofReceipts() != null) {
      return;
    }
    Delivery current = null;
    synchronized (mutex) {
      for (Delivery each : delivered) {
        current = consumer == null || each.consumer() == consumer ? each : current;
      }
    }
    if (current != null) {
      settle(current);
    }
  }

  // --- acknowledging -----------------------------------------------------------------------------

  private boolean acknowledgesItself() {
    return session.mode() == Session.AUTO_ACKNOWLEDGE
        || session.mode() == Session.DUPS_OK_ACKNOWLEDGE;
  }

  /** Acknowledges for the application; without effect if that is done, or it is to come again. */
  private void settle(Delivery delivery) {
    synchronized (mutex) {
      if (!delivered.remove(delivery)) {
        return;
      }
    }
    boolean waits = session.mode() == Session.AUTO_ACKNOWLEDGE
        && !session.connection().settings().sendAcksAsync;
    try {
      if (waits) {
        Link.certainAnswer(delivery.wire().request(delivery.answer("ACK")));
      } else {
        delivery.wire().send(delivery.answer("ACK"));
      }
    } catch (WireClosedException e) {
      synchronized (mutex) {
        if (inDoubt.size() == IN_DOUBT_MAX) {
          inDoubt.remove(inDoubt.iterator().next());
        }
        inDoubt.add(delivery.name());
      }
    } catch (IOException | JMSException e) {
      // The application has the message, and no call of its own would be the right one to fail.
      session.connection().report(Errors.toJms(e));
    }
  }

  /**
   * Returns when that is durable; at once if it was before.
   *
   * @throws JMSException if the connection was lost since the delivery: it comes again
   */
  void acknowledge(Delivery delivery) throws JMSException {
    synchronized (mutex) {
      if (!takeBack(delivery)) {
        return;
      }
    }
    try {
      adjustWindow(delivery);
      Link.certainAnswer(delivery.wire().request(delivery.answer("ACK")));
    } catch (WireClosedException e) {
      throw Errors.withCause(new JMSException("not acknowledged: the connection was lost, and what"
          + " it brought comes again"), e);
    } catch (IOException e) {
      throw Errors.toJms(e);
    } finally {
      endUnneeded();
    }
  }

  /** A commit did it. */
  void settledAll() throws JMSException {
    synchronized (mutex) {
      delivered.clear();
    }
    endUnneeded();
  }

  /** All that was received goes to that branch, whose end the session need not live to see. */
  void handOver(String xid) {
    List<Delivery> received;
    synchronized (mutex) {
      received = new ArrayList<>(delivered);
      delivered.clear();
    }
    session.connection().branches().keep(xid, this, received);
    try {
      endUnneeded();
    } catch (JMSException e) {
      session.connection().report(e);
    }
  }

  // --- delivering again --------------------------------------------------------------------------

  void redeliverAll() throws JMSException {
    List<Delivery> all;
    synchronized (mutex) {
      all = new ArrayList<>(delivered);
    }
    redeliver(all);
    endUnneeded();
  }

  /** Of a branch that has rolled back. Those of consumers that are gone the broker has given to others. */
  void redeliverAgain(List<Delivery> deliveries) throws JMSException {
    List<Delivery> here;
    synchronized (mutex) {
      here = deliveries.stream().filter(d -> consumers.contains(d.consumer())).toList();
      delivered.addAll(here);
    }
    redeliver(here);
    endUnneeded();
  }

  /** In their order, before all that waits; one that has come too often goes to the dead letters. */
  private void redeliver(List<Delivery> deliveries) throws JMSException {
    List<Delivery> poisoned = new ArrayList<>();
    List<Delivery> backwards = new ArrayList<>(deliveries);
    Collections.reverse(backwards);
    int max = session.connection().settings().maximumRedeliveries;
    synchronized (mutex) {
      for (Delivery delivery : backwards) {
        if (!takeBack(delivery) || !delivery.isLive()) {
          continue;
        }
        delivery.countRedelivery();
        if (max >= 0 && delivery.redeliveries() > max) {
          poisoned.add(delivery);
        } else if (!delivery.consumer().closed) {
          delivery.consumer().waiting.addFirst(delivery);
        }
      }
      mutex.notifyAll();
    }
    for (Delivery delivery : poisoned) {
      reject(delivery, max);
    }
  }

  private void reject(Delivery delivery, int max) throws JMSException {
    try {
      Link.certainAnswer(delivery.wire().request(delivery.answer("NACK")
          .with("cause", "rolled back or recovered after " + max + " redeliveries")));
    } catch (WireClosedException e) {
      LOG.log(System.Logger.Level.DEBUG, "it comes again: {0}", e.getMessage());
    } catch (IOException e) {
      throw Errors.toJms(e);
    }
  }
}
