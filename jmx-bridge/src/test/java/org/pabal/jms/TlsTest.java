package org.pabal.jms;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertThrows;
import static org.junit.Assert.assertTrue;

import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.KeyStore;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import javax.jms.JMSException;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLServerSocket;
import javax.net.ssl.TrustManagerFactory;
import org.junit.After;
import org.junit.Rule;
import org.junit.Test;
import org.junit.rules.TemporaryFolder;

/** `stomp+ssl://`, through a relay that speaks TLS for the broker. */
public class TlsTest extends BrokerTest {
  private static final char[] PASSWORD = "changeit".toCharArray();

  @Rule public final TemporaryFolder folder = new TemporaryFolder();
  private SSLServerSocket server;

  /** A certificate of its own for that host, and a context that has it and trusts it. */
  private SSLContext context(String host) throws Exception {
    Path store = folder.getRoot().toPath().resolve(host + ".p12");
    Process keytool = new ProcessBuilder(
        Path.of(System.getProperty("java.home"), "bin", "keytool").toString(), "-genkeypair",
        "-alias", "relay", "-keyalg", "EC", "-dname", "CN=" + host, "-ext", "san=dns:" + host,
        "-keystore", store.toString(), "-storetype", "PKCS12", "-storepass",
        new String(PASSWORD)).inheritIO().start();
    assertEquals(0, keytool.waitFor());
    KeyStore keys = KeyStore.getInstance("PKCS12");
    try (InputStream in = new FileInputStream(store.toFile())) {
      keys.load(in, PASSWORD);
    }
    KeyManagerFactory own = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
    own.init(keys, PASSWORD);
    TrustManagerFactory trusted =
        TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
    trusted.init(keys);
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(own.getKeyManagers(), trusted.getTrustManagers(), null);
    return context;
  }


  @After
  public void closeServer() throws IOException {
    server.close();
  }

  private void relay(SSLContext context) throws IOException {
    server = (SSLServerSocket) context.getServerSocketFactory()
        .createServerSocket(0, 10, InetAddress.getLoopbackAddress());
    start(() -> {
      while (true) {
        Socket client = server.accept();
        Socket broker = new Socket(InetAddress.getLoopbackAddress(), TestBroker.port());
        start(() -> copy(client, broker));
        start(() -> copy(broker, client));
      }
    });
  }

  private interface Body {
    void run() throws IOException;
  }

  private static void start(Body body) {
    Thread thread = new Thread(() -> {
      try {
        body.run();
      } catch (IOException e) {
        // One side has closed, or the test is over.
      }
    }, "relay");
    thread.setDaemon(true);
    thread.start();
  }

  private static void copy(Socket from, Socket to) throws IOException {
    try (from; to) {
      InputStream in = from.getInputStream();
      OutputStream out = to.getOutputStream();
      byte[] buffer = new byte[8192];
      for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
        out.write(buffer, 0, n);
        out.flush();
      }
    }
  }

  private PabalConnectionFactory factory(SSLContext context, String options) {
    PabalConnectionFactory factory = new PabalConnectionFactory(
        "stomp+ssl://localhost:" + server.getLocalPort() + "?heartBeat=1000,1000" + options);
    factory.setSslContext(context);
    return factory;
  }

  @Test
  public void messagesThroughTls() throws Exception {
    SSLContext context = context("localhost");
    relay(context);
    PabalConnection connection = factory(context, "").createConnection();
    try {
      send(auto(connection), queue(), "in secret");
      assertEquals(List.of("in secret"), rest(queue()));
    } finally {
      connection.close();
    }
  }

  @Test
  public void aCertificateThatNobodyTrustsIsRefused() throws Exception {
    relay(context("localhost"));
    assertThrows(JMSException.class, () -> factory(null, "").createConnection());
  }

  @Test
  public void aCertificateOfAnotherHostIsRefused() throws Exception {
    SSLContext context = context("elsewhere");
    relay(context);
    assertThrows(JMSException.class, () -> factory(context, "").createConnection());
    factory(context, "&verifyHostName=false").createConnection().close();
  }

  @Test
  public void storesOfTheUrl() throws Exception {
    relay(context("localhost"));
    String store = folder.getRoot() + "/localhost.p12";
    PabalConnection connection = factory(null,
        "&ssl.trustStore=" + store + "&ssl.trustStorePassword=changeit&ssl.keyStore=" + store
            + "&ssl.keyStorePassword=changeit").createConnection();
    connection.close();
    for (String wrong : List.of("&ssl.trustStore=/nowhere/at.all",
        "&ssl.trustStorePassword=wrong&ssl.trustStore=" + store)) {
      JMSException e = assertThrows(JMSException.class,
          () -> factory(null, wrong).createConnection());
      assertTrue(e.getMessage(), e.getMessage().contains("ssl.trustStore="));
    }
  }

  @Test
  public void aSilentBrokerIsNoticedWhileAWriteIsStuck() throws Exception {
    SSLContext context = context("localhost");
    CountDownLatch over = new CountDownLatch(1);
    server = (SSLServerSocket) context.getServerSocketFactory()
        .createServerSocket(0, 10, InetAddress.getLoopbackAddress());
    start(() -> {
      Socket client = server.accept();
      while (client.getInputStream().read() > 0) {
        // CONNECT, up to its NUL
      }
      client.getOutputStream().write("CONNECTED\nversion:1.2\nheart-beat:500,500\n\n\0"
          .getBytes(StandardCharsets.US_ASCII));
      try {
        over.await();  // and reads no more
      } catch (InterruptedException e) {
        throw new IOException(e);
      }
    });
    PabalConnection connection = factory(context, "").createConnection();
    CountDownLatch told = new CountDownLatch(1);
    connection.setExceptionListener(e -> told.countDown());
    PabalSession session = auto(connection);
    var producer = session.createProducer(queue());
    producer.setDeliveryMode(javax.jms.DeliveryMode.NON_PERSISTENT);
    try {
      assertThrows(JMSException.class, () -> {
        while (true) {
          producer.send(session.createTextMessage("x".repeat(1 << 20)));
        }
      });
      assertTrue(told.await(WAIT, TimeUnit.MILLISECONDS));
    } finally {
      over.countDown();
      connection.close();
    }
  }
}
