package org.pabal.jms;

import java.io.File;
import java.io.IOException;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import javax.net.ssl.KeyManager;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;

/**
 * The files of the options `ssl.…`: whom to believe that he is the broker, and who we are if it asks. JKS
 * and PKCS #12 are told apart by their bytes.
 */
final class TlsStores {
  String trustStore;
  String trustStorePassword;
  String keyStore;
  String keyStorePassword;

  /**
   * Null if no file is named: then the Java installation's certificates, and its system properties, count.
   *
   * @throws IOException that says which file cannot be used, and why
   */
  SSLContext context() throws IOException {
    if (trustStore == null && keyStore == null) {
      return null;
    }
    try {
      SSLContext context = SSLContext.getInstance("TLS");
      context.init(keys(), trusted(), null);
      return context;
    } catch (GeneralSecurityException e) {
      throw new IOException("TLS: " + e.getMessage(), e);
    }
  }

  private TrustManager[] trusted() throws IOException, GeneralSecurityException {
    if (trustStore == null) {
      return null;
    }
    TrustManagerFactory factory =
        TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
    factory.init(load("ssl.trustStore", trustStore, trustStorePassword));
    return factory.getTrustManagers();
  }

  private KeyManager[] keys() throws IOException, GeneralSecurityException {
    if (keyStore == null) {
      return null;
    }
    KeyManagerFactory factory =
        KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
    factory.init(load("ssl.keyStore", keyStore, keyStorePassword), characters(keyStorePassword));
    return factory.getKeyManagers();
  }

  private static KeyStore load(String option, String file, String password) throws IOException {
    try {
      return KeyStore.getInstance(new File(file), characters(password));
    } catch (IOException | GeneralSecurityException | IllegalArgumentException e) {
      throw new IOException(option + "=" + file + ": " + e.getMessage(), e);
    }
  }

  private static char[] characters(String password) {
    return password == null ? null : password.toCharArray();
  }
}
