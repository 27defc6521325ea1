package org.pabal.jms;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.BiConsumer;
import javax.net.ssl.SSLContext;
import org.pabal.jms.stomp.BrokerAddress;
import org.pabal.jms.stomp.WireOptions;

/**
 * Everything that a URL may set, with the defaults. Names are those of ActiveMQ's client where it has
 * the idea; README.md explains each. Filled by {@link BrokerUrl}, then not changed.
 */
final class Settings {
  // jms.*
  String userName;
  String password;
  String clientId;
  boolean alwaysSyncSend;
  boolean useAsyncSend;
  boolean sendAcksAsync;
  int sendTimeout;
  int closeTimeout = 15_000;
  int queuePrefetch = 1000;
  int topicPrefetch = 32_766;
  int durableTopicPrefetch = 100;
  int queueBrowserPrefetch = 500;
  int maximumRedeliveries = 6;
  List<String> trustedPackages = List.of();
  boolean trustAllPackages;

  // of the connection
  int connectionTimeout = 30_000;
  int heartBeatSend = 10_000;
  int heartBeatReceive = 10_000;
  int maxFrameSize = 128 << 20;
  boolean verifyHostName = true;
  String host;
  SSLContext sslContext;  // null: of the stores, or the Java installation's
  final TlsStores stores = new TlsStores();

  // of failover:
  boolean failover;
  int initialReconnectDelay = 10;
  int maxReconnectDelay = 30_000;
  boolean useExponentialBackOff = true;
  double backOffMultiplier = 2.0;
  int maxReconnectAttempts = -1;
  int startupMaxReconnectAttempts = -1;
  boolean randomize = true;
  int timeout = -1;

  List<BrokerAddress> addresses = List.of();

  private static final Map<String, BiConsumer<Settings, String>> OPTIONS = new LinkedHashMap<>();

  static {
    OPTIONS.put("jms.userName", (s, v) -> s.userName = v);
    OPTIONS.put("jms.password", (s, v) -> s.password = v);
    OPTIONS.put("jms.clientID", (s, v) -> s.clientId = v);
    OPTIONS.put("jms.alwaysSyncSend", (s, v) -> s.alwaysSyncSend = bool(v));
    OPTIONS.put("jms.useAsyncSend", (s, v) -> s.useAsyncSend = bool(v));
    OPTIONS.put("jms.sendAcksAsync", (s, v) -> s.sendAcksAsync = bool(v));
    OPTIONS.put("jms.sendTimeout", (s, v) -> s.sendTimeout = number(v, 0));
    OPTIONS.put("jms.closeTimeout", (s, v) -> s.closeTimeout = number(v, 0));
    OPTIONS.put("jms.prefetchPolicy.all", Settings::setAllPrefetches);
    OPTIONS.put("jms.prefetchPolicy.queuePrefetch", (s, v) -> s.queuePrefetch = number(v, 1));
    OPTIONS.put("jms.prefetchPolicy.topicPrefetch", (s, v) -> s.topicPrefetch = number(v, 1));
    OPTIONS.put("jms.prefetchPolicy.durableTopicPrefetch",
        (s, v) -> s.durableTopicPrefetch = number(v, 1));
    OPTIONS.put("jms.prefetchPolicy.queueBrowserPrefetch",
        (s, v) -> s.queueBrowserPrefetch = number(v, 1));
    OPTIONS.put("jms.redeliveryPolicy.maximumRedeliveries",
        (s, v) -> s.maximumRedeliveries = number(v, -1));
    OPTIONS.put("jms.trustedPackages", (s, v) -> s.trustedPackages =
        Arrays.stream(v.split(",")).map(String::trim).filter(p -> !p.isEmpty()).toList());
    OPTIONS.put("jms.trustAllPackages", (s, v) -> s.trustAllPackages = bool(v));
    OPTIONS.put("connectionTimeout", (s, v) -> s.connectionTimeout = number(v, 0));
    OPTIONS.put("heartBeat", Settings::setHeartBeat);
    OPTIONS.put("maxFrameSize", (s, v) -> s.maxFrameSize = number(v, 1));
    OPTIONS.put("verifyHostName", (s, v) -> s.verifyHostName = bool(v));
    OPTIONS.put("ssl.trustStore", (s, v) -> s.stores.trustStore = v);
    OPTIONS.put("ssl.trustStorePassword", (s, v) -> s.stores.trustStorePassword = v);
    OPTIONS.put("ssl.keyStore", (s, v) -> s.stores.keyStore = v);
    OPTIONS.put("ssl.keyStorePassword", (s, v) -> s.stores.keyStorePassword = v);
    OPTIONS.put("host", (s, v) -> s.host = v);
    OPTIONS.put("initialReconnectDelay", (s, v) -> s.initialReconnectDelay = number(v, 1));
    OPTIONS.put("maxReconnectDelay", (s, v) -> s.maxReconnectDelay = number(v, 1));
    OPTIONS.put("useExponentialBackOff", (s, v) -> s.useExponentialBackOff = bool(v));
    OPTIONS.put("backOffMultiplier", (s, v) -> s.backOffMultiplier = factor(v));
    OPTIONS.put("maxReconnectAttempts", (s, v) -> s.maxReconnectAttempts = number(v, -1));
    OPTIONS.put("startupMaxReconnectAttempts",
        (s, v) -> s.startupMaxReconnectAttempts = number(v, -1));
    OPTIONS.put("randomize", (s, v) -> s.randomize = bool(v));
    OPTIONS.put("timeout", (s, v) -> s.timeout = number(v, -1));
  }

  /** @throws IllegalArgumentException for an unknown name or a value that makes no sense */
  void set(String name, String value) {
    BiConsumer<Settings, String> setter = OPTIONS.get(name);
    if (setter == null) {
      throw new IllegalArgumentException("unknown option '" + name + "'");
    }
    try {
      setter.accept(this, value);
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException("option " + name + "=" + value + ": " + e.getMessage(), e);
    }
  }

  WireOptions wireOptions() {
    return new WireOptions(connectionTimeout, heartBeatSend, heartBeatReceive, maxFrameSize,
        sslContext, verifyHostName);
  }

  /** Rounds after the first before the first connection is given up; -1: no limit. */
  int startupAttempts() {
    return startupMaxReconnectAttempts >= 0 ? startupMaxReconnectAttempts : maxReconnectAttempts;
  }

  private static void setAllPrefetches(Settings settings, String value) {
    int prefetch = number(value, 1);
    settings.queuePrefetch = prefetch;
    settings.topicPrefetch = prefetch;
    settings.durableTopicPrefetch = prefetch;
    settings.queueBrowserPrefetch = prefetch;
  }

  private static void setHeartBeat(Settings settings, String value) {
    String[] parts = value.split(",");
    if (parts.length != 2) {
      throw new IllegalArgumentException("expected: sent,received in milliseconds");
    }
    settings.heartBeatSend = number(parts[0].trim(), 0);
    settings.heartBeatReceive = number(parts[1].trim(), 0);
  }

  private static boolean bool(String value) {
    return switch (value) {
      case "true" -> true;
      case "false" -> false;
      default -> throw new IllegalArgumentException("expected: true or false");
    };
  }

  private static int number(String value, int min) {
    try {
      int number = Integer.parseInt(value);
      if (number >= min) {
        return number;
      }
    } catch (NumberFormatException e) {
      throw new IllegalArgumentException("expected: a whole number", e);
    }
    throw new IllegalArgumentException("expected: at least " + min);
  }

  private static double factor(String value) {
    try {
      double factor = Double.parseDouble(value);
      if (factor >= 1 && factor <= 1000) {
        return factor;
      }
    } catch (NumberFormatException e) {
      throw new IllegalArgumentException("expected: a number", e);
    }
    throw new IllegalArgumentException("expected: 1 to 1000");
  }
}
