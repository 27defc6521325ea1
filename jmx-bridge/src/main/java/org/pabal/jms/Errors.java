package org.pabal.jms;

import java.io.IOException;
import java.util.regex.Pattern;
import javax.jms.InvalidClientIDException;
import javax.jms.InvalidDestinationException;
import javax.jms.InvalidSelectorException;
import javax.jms.JMSException;
import javax.jms.JMSSecurityException;
import javax.jms.ResourceAllocationException;
import org.pabal.jms.stomp.BrokerErrorException;

/** What went wrong, in JMS's classes. STOMP's ERROR has a text only, so the text decides. */
final class Errors {
  /** A limit of a Pabal, by its name in the configuration. */
  private static final Pattern LIMIT = Pattern.compile(
      "_max( reached|:)|(memory|pabalStore)Limit of |(memory|store)Usage|^maxDestinations of |^store full:");

  private Errors() {}

  static JMSException toJms(Throwable cause) {
    if (cause instanceof JMSException e) {
      return e;
    }
    if (cause instanceof BrokerErrorException e) {
      return withCause(classify(e), e);
    }
    String text = cause.getMessage() != null ? cause.getMessage() : cause.toString();
    return withCause(new JMSException(text), cause);
  }

  static <E extends JMSException> E withCause(E exception, Throwable cause) {
    exception.initCause(cause);
    if (cause instanceof Exception linked) {
      exception.setLinkedException(linked);
    }
    return exception;
  }

  static boolean isClientIdInUse(IOException e) {
    return e instanceof BrokerErrorException && e.getMessage().contains("already connected");
  }

  private static JMSException classify(BrokerErrorException error) {
    String text = error.getMessage();
    String all = text + "\n" + error.detail();
    if (all.contains("is not authorized") || all.contains("password is invalid")
        || all.contains("SecurityException")) {
      return new JMSSecurityException(text);
    }
    if (isClientIdInUse(error)) {
      return new InvalidClientIDException(text);
    }
    if (all.contains("InvalidSelectorException") || text.contains("selector")) {
      return new InvalidSelectorException(text);
    }
    if (text.contains("No subscription matched") || text.startsWith("cannot send to the pattern")
        || text.contains("advisories are the broker's")
        || all.contains("InvalidDestinationException")) {
      return new InvalidDestinationException(text);
    }
    if (LIMIT.matcher(text).find() || all.contains("ResourceAllocationException")) {
      return new ResourceAllocationException(text);
    }
    return new JMSException(text);
  }
}
