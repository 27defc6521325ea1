package org.pabal.jms.stomp;

/** Where a broker listens. */
public record BrokerAddress(String host, int port, boolean tls) {
  @Override
  public String toString() {
    String name = host.indexOf(':') >= 0 ? "[" + host + "]" : host;
    return (tls ? "stomp+ssl://" : "stomp://") + name + ":" + port;
  }
}
