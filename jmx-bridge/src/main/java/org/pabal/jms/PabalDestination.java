package org.pabal.jms;

import java.io.Serializable;
import javax.jms.Destination;
import javax.jms.InvalidDestinationException;
import javax.jms.JMSException;
import javax.jms.Queue;
import javax.jms.Topic;

/**
 * A queue or topic by its name. The name may be a list (`A,topic://B`), for sending to several at once,
 * have wildcards (`A.*`, `A.>`), for receiving, and options behind a question mark
 * (`A?consumer.exclusive=true`). A value: equal if kind and name are; any thread.
 */
public abstract class PabalDestination implements Destination, Serializable {
  private static final long serialVersionUID = 1L;

  private final String name;

  PabalDestination(String name) throws JMSException {
    if (name == null || name.isEmpty()) {
      throw new InvalidDestinationException("a destination needs a name");
    }
    this.name = name;
  }

  /** The name without its kind. */
  public final String name() {
    return name;
  }

  /** "queue", "topic", "temp-queue" or "temp-topic". */
  abstract String kind();

  /** As STOMP names it, for example `/queue/A`. */
  String toStomp() {
    int mark = name.indexOf('?');
    String names = mark < 0 ? name : name.substring(0, mark);
    if (names.indexOf(',') < 0) {
      return "/" + kind() + "/" + name;
    }
    StringBuilder all = new StringBuilder();
    for (String part : names.split(",")) {
      if (!all.isEmpty()) {
        all.append(',');
      }
      String one = part.trim();
      int scheme = one.indexOf("://");
      String kind = scheme < 0 ? kind() : one.substring(0, scheme);
      all.append('/').append(kind).append('/').append(scheme < 0 ? one : one.substring(scheme + 3));
    }
    return mark < 0 ? all.toString() : all + name.substring(mark);
  }

  static String withoutScheme(String name, String scheme) {
    return name != null && name.startsWith(scheme) ? name.substring(scheme.length()) : name;
  }

  /** Of this provider, or any other's by its name. */
  static PabalDestination from(Destination destination) throws JMSException {
    if (destination instanceof PabalDestination own) {
      return own;
    }
    if (destination instanceof javax.jms.TemporaryQueue
        || destination instanceof javax.jms.TemporaryTopic) {
      throw new InvalidDestinationException("a temporary destination of another provider");
    }
    if (destination instanceof Queue queue) {
      return new PabalQueue(queue.getQueueName());
    }
    if (destination instanceof Topic topic) {
      return new PabalTopic(topic.getTopicName());
    }
    throw new InvalidDestinationException("not a destination: " + destination);
  }

  @Override
  public final boolean equals(Object other) {
    return other instanceof PabalDestination that && kind().equals(that.kind())
        && name.equals(that.name);
  }

  @Override
  public final int hashCode() {
    return name.hashCode() * 31 + kind().hashCode();
  }

  @Override
  public final String toString() {
    return kind() + "://" + name;
  }
}
