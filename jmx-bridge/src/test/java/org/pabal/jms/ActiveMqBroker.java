package org.pabal.jms;

import java.io.File;
import org.apache.activemq.broker.BrokerService;

/**
 * ActiveMQ as it comes, with its store and a STOMP port, for the tests that ask whether pabal-jms works
 * with it too.
 */
public final class ActiveMqBroker {
  private ActiveMqBroker() {}

  /** @param arguments the data directory and the port */
  public static void main(String[] arguments) throws Exception {
    BrokerService broker = new BrokerService();
    broker.setDataDirectoryFile(new File(arguments[0]));
    broker.setUseJmx(false);
    broker.setUseShutdownHook(false);
    broker.addConnector("stomp://127.0.0.1:" + arguments[1]);
    broker.start();
    broker.waitUntilStarted();
    System.out.println("ready");
    broker.waitUntilStopped();
  }
}
