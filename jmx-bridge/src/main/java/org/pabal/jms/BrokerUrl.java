package org.pabal.jms;

import java.net.URI;
import java.net.URISyntaxException;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.pabal.jms.stomp.BrokerAddress;

/**
 * URLs of brokers, read into {@link Settings}:
 *
 * <pre>
 *   url      = address / "failover:" [ "//" ] "(" address *( "," address ) ")" [ "?" options ]
 *                      / "failover:" address *( "," address )
 *   address  = ( "stomp" / "stomp+ssl" ) "://" host [ ":" port ] [ "?" options ]
 * </pre>
 */
final class BrokerUrl {
  private static final int PORT = 61613;
  private static final int TLS_PORT = 61612;
  private static final String FAILOVER = "failover:";

  private final Settings settings = new Settings();
  private final List<BrokerAddress> addresses = new ArrayList<>();

  private BrokerUrl() {}

  /** @throws IllegalArgumentException that says what is wrong */
  static Settings parse(String url) {
    BrokerUrl reader = new BrokerUrl();
    try {
      reader.read(url.trim());
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException("broker URL '" + url + "': " + e.getMessage(), e);
    }
    return reader.settings;
  }

  private void read(String url) {
    if (!url.startsWith(FAILOVER)) {
      readAddress(url);
    } else {
      settings.failover = true;
      readFailover(url.substring(FAILOVER.length()));
    }
    settings.addresses = List.copyOf(addresses);
  }

  private void readFailover(String rest) {
    String list = rest.startsWith("//(") ? rest.substring(2) : rest;
    if (list.startsWith("(")) {
      int end = list.lastIndexOf(')');
      if (end < 0) {
        throw new IllegalArgumentException("no closing parenthesis");
      }
      String options = list.substring(end + 1);
      if (!options.isEmpty() && !options.startsWith("?")) {
        throw new IllegalArgumentException("behind the parenthesis: '" + options + "'");
      }
      list = list.substring(1, end);
      readOptions(options.isEmpty() ? null : options.substring(1));
    }
    for (String address : list.split(",(?=\\s*[a-z+]+://)")) {
      readAddress(address.trim());
    }
  }

  private void readAddress(String text) {
    URI uri;
    try {
      uri = new URI(text);
    } catch (URISyntaxException e) {
      throw new IllegalArgumentException(e.getMessage(), e);
    }
    boolean tls = "stomp+ssl".equals(uri.getScheme());
    if (!tls && !"stomp".equals(uri.getScheme())) {
      throw new IllegalArgumentException("expected stomp://, stomp+ssl:// or failover:");
    }
    String host = uri.getHost();
    if (host == null) {
      throw new IllegalArgumentException("no host in '" + text + "'");
    }
    if (host.startsWith("[")) {
      host = host.substring(1, host.length() - 1);
    }
    int port = uri.getPort() >= 0 ? uri.getPort() : tls ? TLS_PORT : PORT;
    addresses.add(new BrokerAddress(host, port, tls));
    readOptions(uri.getRawQuery());
  }

  private void readOptions(String query) {
    if (query == null || query.isEmpty()) {
      return;
    }
    for (String option : query.split("&")) {
      int equals = option.indexOf('=');
      if (equals < 0) {
        throw new IllegalArgumentException("option '" + option + "' has no value");
      }
      settings.set(option.substring(0, equals),
          URLDecoder.decode(option.substring(equals + 1), StandardCharsets.UTF_8));
    }
  }
}
