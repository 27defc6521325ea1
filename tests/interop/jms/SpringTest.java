package interop.jms;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertNull;
import static org.junit.Assert.assertTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import javax.jms.JMSException;
import javax.jms.Message;
import javax.jms.MessageListener;
import javax.jms.Session;
import javax.jms.TextMessage;
import org.junit.After;
import org.junit.Test;
import org.springframework.jms.connection.CachingConnectionFactory;
import org.springframework.jms.connection.JmsTransactionManager;
import org.springframework.jms.connection.SingleConnectionFactory;
import org.springframework.jms.core.JmsTemplate;
import org.springframework.jms.listener.DefaultMessageListenerContainer;
import org.springframework.jms.listener.SimpleMessageListenerContainer;
import org.springframework.transaction.support.TransactionTemplate;

/** Spring JMS on the client under test. */
public class SpringTest extends JmsTest {
  private final CachingConnectionFactory caching =
      new CachingConnectionFactory(BrokerUnderTest.factory());

  @After
  public void close() {
    caching.destroy();
  }

  private JmsTemplate template() {
    JmsTemplate template = new JmsTemplate(caching);
    template.setReceiveTimeout(DEADLINE);
    return template;
  }

  @Test
  public void templateSendsConvertsAndReceives() throws JMSException {
    JmsTemplate template = template();
    String queue = name("queue");
    template.convertAndSend(queue, "text ☂");
    assertEquals("text ☂", template.receiveAndConvert(queue));
    Map<String, Object> map = new HashMap<>();
    map.put("number", 7);
    map.put("text", "seven");
    template.convertAndSend(queue, map);
    assertEquals(map, template.receiveAndConvert(queue));
    template.convertAndSend(queue, new byte[] {1, 2, 3});
    assertTrue(Arrays.equals(new byte[] {1, 2, 3}, (byte[]) template.receiveAndConvert(queue)));
    template.send(queue, session -> session.createTextMessage("made by hand"));
    assertEquals("made by hand", ((TextMessage) template.receive(queue)).getText());
    template.setReceiveTimeout(JmsTemplate.RECEIVE_TIMEOUT_NO_WAIT);
    assertNull(template.receive(queue));
  }

  @Test
  public void templateBrowsesAndSelects() {
    JmsTemplate template = template();
    String queue = name("queue");
    for (int i = 0; i < 4; i++) {
      int n = i;
      template.convertAndSend(
          queue,
          "" + i,
          message -> {
            message.setIntProperty("n", n);
            return message;
          });
    }
    List<String> seen = template.browse(queue, (session, browser) -> QueuesTest.browse(browser));
    assertEquals(Arrays.asList("0", "1", "2", "3"), seen);
    assertEquals("2", template.receiveSelectedAndConvert(queue, "n = 2"));
    assertEquals("0", template.receiveAndConvert(queue));
  }

  @Test
  public void templateAsksAndIsAnswered() throws JMSException {
    String queue = name("queue");
    DefaultMessageListenerContainer container = new DefaultMessageListenerContainer();
    container.setConnectionFactory(caching);
    container.setDestinationName(queue);
    JmsTemplate answering = template();
    container.setMessageListener(
        (MessageListener)
            message -> {
              try {
                String asked = text(message);
                answering.send(
                    message.getJMSReplyTo(), session -> session.createTextMessage("re: " + asked));
              } catch (JMSException error) {
                throw new RuntimeException(error);
              }
            });
    container.afterPropertiesSet();
    container.start();
    try {
      for (int i = 0; i < 5; i++) {
        int n = i;
        Message reply =
            template().sendAndReceive(queue, session -> session.createTextMessage("" + n));
        assertEquals("re: " + i, text(reply));
      }
    } finally {
      container.destroy();
    }
  }

  @Test
  public void listenerContainersShareAQueueAndLoseNothing() throws Exception {
    int count = 200;
    String queue = name("queue");
    List<String> got = Collections.synchronizedList(new ArrayList<>());
    CountDownLatch all = new CountDownLatch(count);
    DefaultMessageListenerContainer container = new DefaultMessageListenerContainer();
    container.setConnectionFactory(BrokerUnderTest.factory());
    container.setDestinationName(queue);
    container.setConcurrency("2-4");
    container.setMessageListener(
        (MessageListener)
            message -> {
              try {
                got.add(text(message));
              } catch (JMSException error) {
                got.add(error.toString());
              }
              all.countDown();
            });
    container.afterPropertiesSet();
    container.start();
    try {
      JmsTemplate template = template();
      for (int i = 0; i < count; i++) {
        template.convertAndSend(queue, "" + i);
      }
      await(all);
    } finally {
      container.destroy();
    }
    assertEquals(count, got.size());
    assertEquals(count, got.stream().distinct().count());
  }

  @Test
  public void aTransactedContainerRedeliversWhatAListenerThrewAt() throws Exception {
    String queue = name("queue");
    AtomicInteger calls = new AtomicInteger();
    CountDownLatch done = new CountDownLatch(1);
    DefaultMessageListenerContainer container = new DefaultMessageListenerContainer();
    container.setConnectionFactory(BrokerUnderTest.factory());
    container.setDestinationName(queue);
    container.setSessionTransacted(true);
    container.setErrorHandler(error -> {});
    container.setMessageListener(
        (MessageListener)
            message -> {
              if (calls.incrementAndGet() < 3) {
                throw new RuntimeException("the application's fault");
              }
              done.countDown();
            });
    container.afterPropertiesSet();
    container.start();
    try {
      template().convertAndSend(queue, "once");
      await(done);
    } finally {
      container.destroy();
    }
    assertEquals(3, calls.get());
    assertEquals(Collections.emptyList(), drain(auto(started()).createQueue(queue)));
  }

  @Test
  public void aDurableContainerAndASimpleOne() throws Exception {
    String topic = name("topic");
    CountDownLatch both = new CountDownLatch(2);
    SingleConnectionFactory identified = new SingleConnectionFactory(BrokerUnderTest.factory());
    identified.setClientId(name("client"));
    DefaultMessageListenerContainer durable = new DefaultMessageListenerContainer();
    durable.setConnectionFactory(identified);
    durable.setDestinationName(topic);
    durable.setPubSubDomain(true);
    durable.setSubscriptionDurable(true);
    durable.setDurableSubscriptionName("durable");
    durable.setMessageListener((MessageListener) message -> both.countDown());
    durable.afterPropertiesSet();
    durable.start();
    SimpleMessageListenerContainer simple = new SimpleMessageListenerContainer();
    simple.setConnectionFactory(BrokerUnderTest.factory());
    simple.setDestinationName(topic);
    simple.setPubSubDomain(true);
    simple.setMessageListener((MessageListener) message -> both.countDown());
    simple.afterPropertiesSet();
    simple.start();
    try {
      until("the durable one to listen", () -> durable.isRegisteredWithDestination());
      JmsTemplate template = template();
      template.setPubSubDomain(true);
      template.convertAndSend(topic, "news");
      await(both);
    } finally {
      simple.destroy();
      durable.destroy();
      identified.destroy();
    }
  }

  @Test
  public void transactionsOfSpring() {
    String queue = name("queue");
    JmsTemplate template = template();
    template.setSessionTransacted(true);
    TransactionTemplate transactions =
        new TransactionTemplate(new JmsTransactionManager(caching));
    expectThrown(
        IllegalArgumentException.class,
        () ->
            transactions.execute(
                status -> {
                  template.convertAndSend(queue, "never");
                  throw new IllegalArgumentException("rolls back");
                }));
    transactions.execute(
        status -> {
          template.convertAndSend(queue, "one");
          template.convertAndSend(queue, "two");
          return null;
        });
    assertEquals("one", template.receiveAndConvert(queue));
    assertEquals("two", template.receiveAndConvert(queue));
  }

  @Test
  public void cachedSessionsAndProducersAreUsedAgain() throws JMSException {
    caching.setSessionCacheSize(4);
    JmsTemplate template = template();
    template.setSessionAcknowledgeMode(Session.AUTO_ACKNOWLEDGE);
    String queue = name("queue");
    for (int i = 0; i < 100; i++) {
      template.convertAndSend(queue, "" + i);
      assertEquals("" + i, template.receiveAndConvert(queue));
    }
  }
}
