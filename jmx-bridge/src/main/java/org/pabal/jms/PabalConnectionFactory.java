package org.pabal.jms;

import java.util.List;
import javax.jms.ConnectionFactory;
import javax.jms.JMSException;
import javax.jms.QueueConnectionFactory;
import javax.jms.TopicConnectionFactory;
import javax.net.ssl.SSLContext;

/**
 * Where an application begins: makes connections to the broker of a URL.
 *
 * <pre>
 *   stomp://host:61613?jms.prefetchPolicy.queuePrefetch=10
 *   stomp+ssl://host:61612
 *   failover:(stomp://a:61613,stomp://b:61613)?maxReconnectDelay=5000
 * </pre>
 *
 * <p>Options are in README.md; one that is not known is an error. Made like a bean, too: what is set here
 * counts before the URL. Any thread once it is set up.
 */
public class PabalConnectionFactory
    implements ConnectionFactory, QueueConnectionFactory, TopicConnectionFactory {
  /** Of a broker on this machine. */
  public static final String DEFAULT_URL = "failover:(stomp://localhost:61613)";

  private String brokerUrl;
  private String userName;
  private String password;
  private String clientId;
  private List<String> trustedPackages;
  private SSLContext sslContext;

  public PabalConnectionFactory() {
    this(DEFAULT_URL);
  }

  /** @throws IllegalArgumentException if the URL is none, or has an option that is not known */
  public PabalConnectionFactory(String brokerUrl) {
    BrokerUrl.parse(brokerUrl);
    this.brokerUrl = brokerUrl;
  }

  /** @throws IllegalArgumentException as the constructor */
  public PabalConnectionFactory(String userName, String password, String brokerUrl) {
    this(brokerUrl);
    this.userName = userName;
    this.password = password;
  }

  public String getBrokerURL() {
    return brokerUrl;
  }

  /** @throws IllegalArgumentException as the constructor */
  public void setBrokerURL(String url) {
    BrokerUrl.parse(url);
    brokerUrl = url;
  }

  public String getUserName() {
    return userName;
  }

  public void setUserName(String name) {
    userName = name;
  }

  public void setPassword(String text) {
    password = text;
  }

  public String getClientID() {
    return clientId;
  }

  /** Of every connection made; a second one at a time is refused by the broker. */
  public void setClientID(String id) {
    clientId = id;
  }

  /** Packages, with all below them, whose classes an ObjectMessage may hold; `*`: all. */
  public void setTrustedPackages(List<String> packages) {
    trustedPackages = List.copyOf(packages);
  }

  /** For `stomp+ssl://`; without it the Java installation's. */
  public void setSslContext(SSLContext context) {
    sslContext = context;
  }

  /** Returns when the broker has accepted: with `failover:`, when one has. */
  @Override
  public PabalConnection createConnection() throws JMSException {
    return createConnection(null, null);
  }

  @Override
  public PabalConnection createConnection(String user, String secret) throws JMSException {
    return new PabalConnection(settings(user, secret));
  }

  /** Those of the URL, with what was set beside it. */
  final Settings settings(String user, String secret) throws JMSException {
    Settings settings = BrokerUrl.parse(brokerUrl);
    settings.userName = user != null ? user : userName != null ? userName : settings.userName;
    settings.password = secret != null ? secret : password != null ? password : settings.password;
    settings.clientId = clientId != null ? clientId : settings.clientId;
    settings.trustedPackages = trustedPackages != null ? trustedPackages : settings.trustedPackages;
    try {
      settings.sslContext = sslContext != null ? sslContext : settings.stores.context();
    } catch (java.io.IOException e) {
      throw Errors.toJms(e);
    }
    return settings;
  }

  @Override
  public PabalConnection createQueueConnection() throws JMSException {
    return createConnection();
  }

  @Override
  public PabalConnection createQueueConnection(String user, String secret) throws JMSException {
    return createConnection(user, secret);
  }

  @Override
  public PabalConnection createTopicConnection() throws JMSException {
    return createConnection();
  }

  @Override
  public PabalConnection createTopicConnection(String user, String secret) throws JMSException {
    return createConnection(user, secret);
  }
}
