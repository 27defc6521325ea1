package org.pabal.jms;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertSame;
import static org.junit.Assert.assertThrows;

import java.io.StringReader;
import java.util.Properties;
import javax.jms.Connection;
import javax.jms.ConnectionFactory;
import javax.jms.Queue;
import javax.naming.Context;
import javax.naming.InitialContext;
import javax.naming.NameNotFoundException;
import javax.naming.NamingException;
import javax.naming.OperationNotSupportedException;
import org.junit.Test;

/** A jndi.properties as ActiveMQ's, and the whole way from it to a message. */
public class JndiTest extends BrokerTest {
  private static Context context(String... lines) throws Exception {
    Properties properties = new Properties();
    properties.load(new StringReader(String.join("\n", lines)));
    properties.put(Context.INITIAL_CONTEXT_FACTORY,
        "org.pabal.jms.jndi.PabalInitialContextFactory");
    return new InitialContext(properties);
  }

  @Test
  public void fromPropertiesToAMessage() throws Exception {
    Context context = context("java.naming.provider.url = " + TestBroker.url(),
        "connectionFactoryNames = payroll, other", "connection.payroll.clientID = JndiTest",
        "queue.orders = " + name(), "topic.news/today = news");
    ConnectionFactory factory = (ConnectionFactory) context.lookup("payroll");
    Queue orders = (Queue) context.lookup("orders");
    assertEquals(name(), orders.getQueueName());
    assertEquals(new PabalTopic("news"), context.lookup("news/today"));
    Connection connection = factory.createConnection();
    try {
      assertEquals("JndiTest", connection.getClientID());
      connection.start();
      send(auto(connection), orders, "by name");
      assertEquals("by name", receiveText(auto(connection).createConsumer(orders)));
    } finally {
      connection.close();
    }
    assertSame(factory, context.lookup("payroll"));
    assertThrows(NameNotFoundException.class, () -> context.lookup("ConnectionFactory"));
  }

  @Test
  public void defaultsAndDynamicNames() throws Exception {
    Context context = context();
    for (String name : new String[] {"ConnectionFactory", "QueueConnectionFactory",
        "TopicConnectionFactory"}) {
      assertEquals(PabalConnectionFactory.DEFAULT_URL,
          ((PabalConnectionFactory) context.lookup(name)).getBrokerURL());
    }
    assertEquals(new PabalQueue("a/b"), context.lookup("dynamicQueues/a/b"));
    assertEquals(new PabalTopic("t"), context.lookup("dynamicTopics/t"));
    assertThrows(NameNotFoundException.class, () -> context.lookup("unknown"));
    assertThrows(OperationNotSupportedException.class, () -> context.bind("a", "b"));
    assertEquals(3, java.util.Collections.list(context.list("")).size());
  }

  @Test
  public void usersAndTransactionManagers() throws Exception {
    Context context = context("connectionFactoryNames = own, manager",
        "java.naming.security.principal = everybody", "connection.own.userName = payroll",
        "connection.manager.xa = true");
    assertEquals("payroll", ((PabalConnectionFactory) context.lookup("own")).getUserName());
    PabalXAConnectionFactory manager = (PabalXAConnectionFactory) context.lookup("manager");
    assertEquals("everybody", manager.getUserName());
  }

  @Test
  public void aUrlThatIsNoneIsANamingException() {
    assertThrows(NamingException.class, () -> context("java.naming.provider.url = tcp://h:1"));
  }
}
