package org.pabal.jms;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertThrows;
import static org.junit.Assert.assertTrue;

import java.util.List;
import org.junit.Test;
import org.pabal.jms.stomp.BrokerAddress;

/** URLs and their options. */
public class BrokerUrlTest {
  @Test
  public void oneBroker() {
    Settings settings = BrokerUrl.parse("stomp://host:7?jms.userName=a%26b&heartBeat=5,0");
    assertEquals(List.of(new BrokerAddress("host", 7, false)), settings.addresses);
    assertFalse(settings.failover);
    assertEquals("a&b", settings.userName);
    assertEquals(5, settings.heartBeatSend);
    assertEquals(0, settings.heartBeatReceive);
  }

  @Test
  public void defaultsOfPortsAndTls() {
    assertEquals(new BrokerAddress("h", 61613, false), only("stomp://h"));
    assertEquals(new BrokerAddress("h", 61612, true), only("stomp+ssl://h"));
    assertEquals(new BrokerAddress("::1", 5, false), only("stomp://[::1]:5"));
    assertEquals(new BrokerAddress("message_broker", 61613, false), only("stomp://message_broker"));
  }

  private static BrokerAddress only(String url) {
    List<BrokerAddress> addresses = BrokerUrl.parse(url).addresses;
    assertEquals(1, addresses.size());
    return addresses.get(0);
  }

  @Test
  public void severalBrokers() {
    List<BrokerAddress> both =
        List.of(new BrokerAddress("a", 1, false), new BrokerAddress("b", 2, true));
    for (String url : List.of("failover:(stomp://a:1,stomp+ssl://b:2)",
        "failover://(stomp://a:1,stomp+ssl://b:2)", "failover:stomp://a:1,stomp+ssl://b:2",
        "failover://stomp://a:1,stomp+ssl://b:2")) {
      assertEquals(both, BrokerUrl.parse(url).addresses);
      assertTrue(BrokerUrl.parse(url).failover);
    }
    Settings settings = BrokerUrl.parse(
        "failover:(stomp://a?heartBeat=1,2,stomp://b)?randomize=false&jms.clientID=c,d");
    assertEquals(2, settings.addresses.size());
    assertEquals(1, settings.heartBeatSend);
    assertFalse(settings.randomize);
    assertEquals("c,d", settings.clientId);
  }

  @Test
  public void whatMakesNoSenseIsRefused() {
    for (String url : List.of("tcp://h:61616", "stomp://", "failover:(stomp://a", "failover:()",
        "stomp://h?unknown=1", "stomp://h?jms.useAsyncSend=yes", "stomp://h?heartBeat=5",
        "stomp://h?jms.prefetchPolicy.all=0", "stomp://h?timeout", "failover:(stomp://a)x=1",
        "stomp://h:0", "stomp://h:65536", "stomp://h:99999999999", "stomp://h:", "stomp://u:p@h",
        "stomp://a,stomp://b", "stomp://h/path", "stomp:h", "stomp://h?backOffMultiplier=0.5",
        "stomp://h?backOffMultiplier=NaN", "stomp://h?jms.sendTimeout=soon",
        "failover:(stomp://h:70000)")) {
      IllegalArgumentException e =
          assertThrows(url, IllegalArgumentException.class, () -> BrokerUrl.parse(url));
      assertTrue(e.getMessage(), e.getMessage().contains(url));
    }
  }

  @Test
  public void refusalsSayWhatIsExpectedAndNoSecrets() {
    assertTrue(refusal("stomp://h?jms.sendTimeout=soon").contains("a whole number"));
    assertTrue(refusal("tcp://h:61616").contains("expected stomp://"));
    String text = refusal("stomp://h?jms.userName=me&jms.password=geheim&unknown=1");
    assertFalse(text, text.contains("geheim"));
    assertTrue(text, text.contains("'unknown'"));
  }

  private static String refusal(String url) {
    return assertThrows(IllegalArgumentException.class, () -> BrokerUrl.parse(url)).getMessage();
  }
}
