package org.pabal.jms;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertNull;
import static org.junit.Assert.assertThrows;
import static org.junit.Assert.assertTrue;

import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentSkipListSet;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import javax.jms.ConnectionFactory;
import javax.jms.JMSException;
import javax.jms.Message;
import javax.jms.Session;
import javax.jms.TextMessage;
import org.junit.After;
import org.junit.Before;
import org.junit.Test;
import org.springframework.jms.connection.CachingConnectionFactory;
import org.springframework.jms.connection.JmsTransactionManager;
import org.springframework.jms.core.JmsTemplate;
import org.springframework.jms.listener.DefaultMessageListenerContainer;
import org.springframework.jms.listener.SimpleMessageListenerContainer;
import org.springframework.transaction.support.TransactionTemplate;

/** Spring JMS on pabal-jms: JmsTemplate, CachingConnectionFactory, listener containers. */
public class SpringTest extends BrokerTest {
  private CachingConnectionFactory caching;
  private JmsTemplate template;
  private DefaultMessageListenerContainer container;

  @Before
  public void makeTemplate() {
    caching = new CachingConnectionFactory(new PabalConnectionFactory(TestBroker.failoverUrl()));
    // A consumer that is kept open goes on taking messages that nobody then receives.
    caching.setCacheConsumers(false);
    template = new JmsTemplate(caching);
    template.setReceiveTimeout(WAIT);
  }

  @After
  public void destroyContainer() {
    if (container != null) {
      container.destroy();
    }
    caching.destroy();
  }

  @Test
  public void templateSendsAndReceives() throws Exception {
    template.convertAndSend(name(), "text");
    assertEquals("text", template.receiveAndConvert(name()));
    template.convertAndSend(name(), Map.of("employee", 5, "name", "Kim"));
    assertEquals(Map.of("employee", 5, "name", "Kim"), template.receiveAndConvert(name()));
    template.convertAndSend(name(), (Object) "five", message -> {
      message.setIntProperty("p", 5);
      return message;
    });
    template.convertAndSend(name(), "none");
    assertEquals("five", template.receiveSelectedAndConvert(name(), "p = 5"));
    assertEquals(Integer.valueOf(1), template.browse(name(),
        (session, browser) -> list(browser.getEnumeration()).size()));
    assertEquals("none", template.receiveAndConvert(name()));
    template.setReceiveTimeout(JmsTemplate.RECEIVE_TIMEOUT_NO_WAIT);
    assertNull(template.receive(name()));
  }

  @Test
  public void templateOnAPlainFactory() throws Exception {
    // A connection and a session for each call, as beginners have it.
    JmsTemplate plain = new JmsTemplate((ConnectionFactory) new PabalConnectionFactory(
        TestBroker.url()));
    plain.setReceiveTimeout(WAIT);
    for (int i = 0; i < 10; ++i) {
      plain.convertAndSend(name(), "n" + i);
    }
    for (int i = 0; i < 10; ++i) {
      assertEquals("n" + i, plain.receiveAndConvert(name()));
    }
  }

  @Test
  public void sendAndReceiveOverATemporaryQueue() throws Exception {
    listen(1, false, (message, session) -> {
      TextMessage reply = session.createTextMessage(((TextMessage) message).getText() + "!");
      session.createProducer(message.getJMSReplyTo()).send(reply);
    });
    Message reply = template.sendAndReceive(name(), session -> session.createTextMessage("ask"));
    assertEquals("ask!", ((TextMessage) reply).getText());
  }

  @Test
  public void containerOnSeveralThreads() throws Exception {
    Set<String> seen = new ConcurrentSkipListSet<>();
    Set<Thread> threads = ConcurrentHashMap.newKeySet();
    listen(3, true, (message, session) -> {
      seen.add(((TextMessage) message).getText());
      threads.add(Thread.currentThread());
    });
    for (int i = 0; i < 60; ++i) {
      template.convertAndSend(name(), "n" + i);
    }
    await("all of them", () -> seen.size() == 60);
    assertTrue(threads.size() > 1);
    container.destroy();
    container = null;
    assertEquals(List.of(), rest(queue()));
  }

  @Test
  public void containerRollsBackWhenTheListenerFails() throws Exception {
    List<String> seen = new CopyOnWriteArrayList<>();
    listen(1, true, (message, session) -> {
      seen.add(((TextMessage) message).getText() + " " + message.getJMSRedelivered());
      send(session, new PabalQueue(name() + ".out"), "try " + seen.size());
      if (seen.size() == 1) {
        throw new JMSException("the first try fails, as the test wants");
      }
    });
    template.convertAndSend(name(), "order");
    assertEquals("try 2", template.receiveAndConvert(name() + ".out"));
    assertEquals(List.of("order false", "order true"), seen);
  }

  @Test
  public void containerGoesOnAcrossAKillOfTheBroker() throws Exception {
    Set<String> seen = new ConcurrentSkipListSet<>();
    listen(2, true, (message, session) -> seen.add(((TextMessage) message).getText()));
    for (int i = 0; i < 30; ++i) {
      template.convertAndSend(name(), "n" + i);
      if (i == 15) {
        TestBroker.restart();
      }
    }
    await("all of them", () -> seen.size() == 30);
    container.destroy();
    container = null;
    assertEquals(List.of(), rest(queue()));
  }

  @Test
  public void containerReconnectsByItself() throws Exception {
    // Without failover: Spring sees the exception and makes a new connection.
    Set<String> seen = new ConcurrentSkipListSet<>();
    container = new DefaultMessageListenerContainer();
    container.setConnectionFactory(new PabalConnectionFactory(TestBroker.url()));
    container.setRecoveryInterval(50);
    configure(1, true, (message, session) -> seen.add(((TextMessage) message).getText()));
    template.convertAndSend(name(), "before");
    await("the first", () -> seen.contains("before"));
    TestBroker.restart();
    template.convertAndSend(name(), "after");
    await("the second", () -> seen.contains("after"));
  }

  @Test
  public void transactionManagerRollsBack() throws Exception {
    TransactionTemplate transactions = new TransactionTemplate(new JmsTransactionManager(caching));
    template.setSessionTransacted(true);
    AtomicInteger calls = new AtomicInteger();
    assertThrows(IllegalStateException.class, () -> transactions.execute(status -> {
      template.convertAndSend(name(), "never");
      calls.incrementAndGet();
      throw new IllegalStateException("as the test wants");
    }));
    transactions.execute(status -> {
      template.convertAndSend(name(), "kept");
      return calls.incrementAndGet();
    });
    assertEquals(2, calls.get());
    assertEquals(List.of("kept"), rest(queue()));
  }

  @Test
  public void simpleContainerWithADurableSubscription() throws Exception {
    List<String> seen = new CopyOnWriteArrayList<>();
    for (String text : List.of("first", "second")) {
      SimpleMessageListenerContainer simple = new SimpleMessageListenerContainer();
      simple.setConnectionFactory(new PabalConnectionFactory(TestBroker.url()));
      simple.setDestination(topic());
      simple.setPubSubDomain(true);
      simple.setSubscriptionDurable(true);
      simple.setDurableSubscriptionName("d");
      simple.setClientId(name());
      simple.setMessageListener((javax.jms.MessageListener) message -> {
        try {
          seen.add(((TextMessage) message).getText());
        } catch (JMSException e) {
          throw new AssertionError(e);
        }
      });
      simple.afterPropertiesSet();
      simple.start();
      send(topic(), text);
      await(text, () -> seen.contains(text));
      simple.destroy();
      send(topic(), "between " + text);
    }
    assertEquals(List.of("first", "between first", "second"), seen);
  }

  private interface Handler {
    void handle(Message message, Session session) throws JMSException;
  }

  private void listen(int threads, boolean transacted, Handler handler) {
    container = new DefaultMessageListenerContainer();
    container.setConnectionFactory(caching);
    configure(threads, transacted, handler);
  }

  private void configure(int threads, boolean transacted, Handler handler) {
    container.setDestinationName(name());
    container.setConcurrentConsumers(threads);
    container.setSessionTransacted(transacted);
    container.setCacheLevel(DefaultMessageListenerContainer.CACHE_CONSUMER);
    container.setMessageListener(
        (org.springframework.jms.listener.SessionAwareMessageListener<Message>) handler::handle);
    container.afterPropertiesSet();
    container.start();
  }
}
