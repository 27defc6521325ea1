package org.pabal.jms.jndi;

import java.util.HashMap;
import java.util.Hashtable;
import java.util.Map;
import javax.jms.JMSException;
import javax.naming.Context;
import javax.naming.NamingException;
import javax.naming.spi.InitialContextFactory;
import org.pabal.jms.PabalConnectionFactory;
import org.pabal.jms.PabalQueue;
import org.pabal.jms.PabalTopic;
import org.pabal.jms.PabalXAConnectionFactory;

/**
 * JNDI out of a properties file, in the way of ActiveMQ's client:
 *
 * <pre>
 *   java.naming.factory.initial = org.pabal.jms.jndi.PabalInitialContextFactory
 *   java.naming.provider.url    = failover:(stomp://localhost:61613)
 *   connectionFactoryNames      = ConnectionFactory, payrollFactory
 *   connection.payrollFactory.userName = payroll
 *   queue.orders                = company.orders
 *   topic.prices                = company.prices
 * </pre>
 *
 * <p>`connection.NAME.userName`, `.password`, `.clientID`, `.brokerURL` and `.xa` (`true`: for a transaction
 * manager) are about one factory; JNDI's own `java.naming.security.principal` and `.credentials` are user and
 * password of those that name none. Without names there are ConnectionFactory, QueueConnectionFactory and
 * TopicConnectionFactory. Any queue is found as `dynamicQueues/NAME`, any topic as `dynamicTopics/NAME`.
 */
public final class PabalInitialContextFactory implements InitialContextFactory {
  private static final String[] DEFAULT_NAMES =
      {"ConnectionFactory", "QueueConnectionFactory", "TopicConnectionFactory"};

  @Override
  public Context getInitialContext(Hashtable<?, ?> environment) throws NamingException {
    Map<String, Object> bindings = new HashMap<>();
    try {
      for (String name : names(environment)) {
        bindings.put(name, factory(environment, name));
      }
      for (Map.Entry<?, ?> entry : environment.entrySet()) {
        String key = String.valueOf(entry.getKey());
        if (key.startsWith("queue.")) {
          bindings.put(key.substring("queue.".length()), new PabalQueue((String) entry.getValue()));
        } else if (key.startsWith("topic.")) {
          bindings.put(key.substring("topic.".length()), new PabalTopic((String) entry.getValue()));
        }
      }
    } catch (JMSException | IllegalArgumentException e) {
      NamingException wrong = new NamingException(e.getMessage());
      wrong.initCause(e);
      throw wrong;
    }
    return new ReadOnlyContext(bindings, environment);
  }

  private static String[] names(Hashtable<?, ?> environment) {
    Object names = environment.get("connectionFactoryNames");
    return names == null ? DEFAULT_NAMES : names.toString().trim().split("\\s*,\\s*");
  }

  private static PabalConnectionFactory factory(Hashtable<?, ?> environment, String name) {
    String prefix = "connection." + name + ".";
    Object url = environment.get(prefix + "brokerURL");
    if (url == null) {
      url = environment.get(Context.PROVIDER_URL);
    }
    String broker = url == null ? PabalConnectionFactory.DEFAULT_URL : url.toString();
    PabalConnectionFactory factory = "true".equals(environment.get(prefix + "xa"))
        ? new PabalXAConnectionFactory(broker) : new PabalConnectionFactory(broker);
    factory.setUserName(text(environment, prefix + "userName", Context.SECURITY_PRINCIPAL));
    factory.setPassword(text(environment, prefix + "password", Context.SECURITY_CREDENTIALS));
    factory.setClientID((String) environment.get(prefix + "clientID"));
    return factory;
  }

  private static String text(Hashtable<?, ?> environment, String name, String otherwise) {
    Object value = environment.get(name);
    return (String) (value != null ? value : environment.get(otherwise));
  }
}
