package org.pabal.jms;

import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.pabal.jms.stomp.BrokerAddress;

/**
 * URLs of brokers, read into {@link Settings}:
 *
 * <pre>
 *   url      = address / "failover:" [ "//" ] "(" address *( "," address ) ")" [ "?" options ]
 *                      / "failover:" [ "//" ] address *( "," address )
 *   address  = ( "stomp" / "stomp+ssl" ) "://" host [ ":" port ] [ "?" options ]
 * </pre>
 */
final class BrokerUrl {
  private static final int PORT = 61613;
  private static final int TLS_PORT = 61612;
  private static final String FAILOVER = "failover:";
  // Not java.net.URI, which takes no host with an underscore, as containers have.
  private static final Pattern ADDRESS = Pattern.compile(
      "(stomp|stomp\\+ssl)://(\\[[^\\]]+]|[^\\[\\]/:?#@(),\\s]+)(?::(\\d{1,9}))?/?(?:\\?(.*))?");
  private static final Pattern SECRET = Pattern.compile("(?i)(password=)[^&,)]*");

  private final Settings settings = new Settings();
  private final List<BrokerAddress> addresses = new ArrayList<>();

  private BrokerUrl() {}

  /** @throws IllegalArgumentException that says what is wrong */
  static Settings parse(String url) {
    BrokerUrl reader = new BrokerUrl();
    try {
      reader.read(url.trim());
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException("broker URL '"
          + SECRET.matcher(url).replaceAll("$1***") + "': " + e.getMessage(), e);
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
    String list = rest.startsWith("//") ? rest.substring(2) : rest;
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
    if (!text.startsWith("stomp://") && !text.startsWith("stomp+ssl://")) {
      throw new IllegalArgumentException("expected stomp://, stomp+ssl:// or failover:");
    }
    Matcher parts = ADDRESS.matcher(text);
    if (!parts.matches()) {
      throw new IllegalArgumentException("expected scheme://host:port?options; user and password are"
          + " the options jms.userName and jms.password");
    }
    boolean tls = parts.group(1).equals("stomp+ssl");
    String host = parts.group(2);
    if (host.startsWith("[")) {
      host = host.substring(1, host.length() - 1);
    }
    int port = parts.group(3) != null ? Integer.parseInt(parts.group(3)) : tls ? TLS_PORT : PORT;
    if (port < 1 || port > 65_535) {
      throw new IllegalArgumentException("no port: " + port);
    }
    addresses.add(new BrokerAddress(host, port, tls));
    readOptions(parts.group(4));
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
