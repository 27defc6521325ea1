package org.pabal.jms;

import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import javax.jms.DeliveryMode;
import javax.jms.JMSException;
import javax.jms.MessageFormatException;
import org.pabal.jms.stomp.Frame;
import org.pabal.jms.stomp.Utf8;

/**
 * JMS messages to STOMP frames and back. What STOMP has a header for stands in it; properties are
 * headers of their name, with their value as text. Beside them, only where they say something:
 *
 * <pre>
 *   JMS_Pabal_MessageID:ID:…           JMSMessageID, which only the broker could name in STOMP
 *   JMS_Pabal_Body:map                 the kind, where the frame alone would not tell: message, text,
 *                                      map, stream, object (`text` without content-length: null)
 *   JMS_Pabal_Types:count=int,on=boolean   of the properties that are no texts; `null`, and `base64`
 *                                      of a text that no header can hold
 *   JMS_Pabal_Property_type:…          the property `type`, whose name STOMP uses
 * </pre>
 *
 * <p>A Pabal reads them too, and says them of what came by another protocol: so a map of the stock ActiveMQ
 * client is a map here, and the other way round, with all types.
 *
 * <p>Stateless but for what a connection knows; any thread.
 */
final class MessageCodec {
  static final String MESSAGE_ID = "JMS_Pabal_MessageID";
  /** On SUBSCRIBE, to a Pabal: messages of all protocols with these headers. */
  static final String TRANSFORMATION = "jms-pabal";
  private static final String BODY = "JMS_Pabal_Body";
  private static final String TYPES = "JMS_Pabal_Types";
  private static final String PROPERTY = "JMS_Pabal_Property_";
  // Of brokers: a longer header is an error that ends the connection.
  private static final int HEADER_BYTES_MAX = 10_240;
  private static final int HEADERS_MAX = 1_000;

  // STOMP's and the brokers' own headers: never properties when they come, never sent as such.
  private static final Set<String> STOMP_HEADERS = Set.of("destination", "message-id", "subscription",
      "ack", "content-length", "receipt", "transaction", "expires", "expiration", "priority",
      "timestamp", "persistent", "redelivered", "correlation-id", "reply-to", "type", "receipt-id",
      "producer-id", "producer-sequence", "amq-msg-type", "transformation", "content-type", "id",
      "selector", "browser", "JMSXUserID", "JMSXDeliveryCount");
  // Those of them that are worth knowing all the same.
  private static final Set<String> SHOWN = Set.of("content-type", "JMSXUserID");

  private final PabalConnection connection;

  MessageCodec(PabalConnection connection) {
    this.connection = connection;
  }

  // --- to STOMP --------------------------------------------------------------------------------

  /** The SEND of a message whose headers are set. */
  Frame encode(PabalMessage message) throws JMSException {
    Frame frame = new Frame("SEND")
        .with("destination", ((PabalDestination) message.getJMSDestination()).toStomp());
    if (message.getJMSDeliveryMode() == DeliveryMode.PERSISTENT) {
      frame.with("persistent", "true");
    }
    frame.with("priority", Integer.toString(message.getJMSPriority()));
    frame.with("expires", Long.toString(message.getJMSExpiration()));
    if (message.getJMSTimestamp() != 0) {
      frame.with("timestamp", Long.toString(message.getJMSTimestamp()));
    }
    frame.with("correlation-id", message.getJMSCorrelationID());
    frame.with("type", message.getJMSType());
    frame.with(MESSAGE_ID, message.getJMSMessageID());
    if (message.getJMSReplyTo() instanceof PabalDestination replyTo) {
      Temporary temporary = Temporary.of(replyTo);
      if (temporary != null) {
        temporary.checkUsable(replyTo, connection);
      }
      frame.with("reply-to", replyTo.toStomp());
    }
    encodeProperties(message, frame);
    encodeBody(message, frame);
    checkLimits(frame);
    return frame;
  }

  private static void encodeProperties(PabalMessage message, Frame frame) {
    StringBuilder types = new StringBuilder();
    Map<String, String> headers = new LinkedHashMap<>();
    for (Map.Entry<String, Object> property : message.properties().entrySet()) {
      String name = property.getKey();
      if (name.startsWith("JMS_Pabal_") || name.equals("JMSXUserID")) {
        continue;  // ours, and the broker's, to say
      }
      Object value = property.getValue();
      String type = BodyJson.typeOf(value);
      String text = value == null ? "" : value.toString();
      if (text.indexOf('\0') >= 0) {
        type = "base64";
        text = Base64.getEncoder().encodeToString(text.getBytes(StandardCharsets.UTF_8));
      }
      if (!type.equals("string")) {
        types.append(types.isEmpty() ? "" : ",").append(inList(name)).append('=').append(type);
      }
      headers.put(STOMP_HEADERS.contains(name) ? PROPERTY + name : name, text);
    }
    // Before the properties, so that the broker knows what they are as it reads them.
    if (!types.isEmpty()) {
      frame.with(TYPES, types.toString());
    }
    headers.forEach(frame::with);
  }

  /** A property's name as the list of types has it. */
  private static String inList(String name) {
    return name.replace(',', '%').replace('=', '%');
  }

  private static void encodeBody(PabalMessage message, Frame frame) {
    if (message instanceof PabalTextMessage text) {
      encodeText(text.getText(), frame);
    } else if (message instanceof PabalBytesMessage bytes) {
      encodeBytes(bytes.bytes(), frame);
    } else if (message instanceof PabalMapMessage map) {
      encodeText(BodyJson.write(map.values()), frame.with(BODY, "map"));
    } else if (message instanceof PabalStreamMessage stream) {
      encodeText(BodyJson.write(stream.values()), frame.with(BODY, "stream"));
    } else if (message instanceof PabalObjectMessage object) {
      frame.with(BODY, "object");
      if (object.bytes() != null) {
        encodeBytes(object.bytes(), frame);
      }
    } else {
      frame.with(BODY, "message");
    }
  }

  private static void encodeText(String text, Frame frame) {
    if (text == null) {
      frame.with(BODY, "text");
      return;
    }
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    if (text.indexOf('\0') < 0) {
      frame.withBody(bytes);  // without content-length it is a text for everybody
    } else {
      encodeBytes(bytes, frame.with(BODY, "text"));
    }
  }

  private static void encodeBytes(byte[] bytes, Frame frame) {
    frame.with("content-length", Integer.toString(bytes.length)).withBody(bytes);
  }

  private static void checkLimits(Frame frame) throws MessageFormatException {
    if (frame.headers().size() >= HEADERS_MAX) {
      throw new MessageFormatException("STOMP brokers take at most " + HEADERS_MAX + " headers");
    }
    for (Map.Entry<String, String> header : frame.headers().entrySet()) {
      int chars = header.getKey().length() + header.getValue().length();
      // At most three bytes a character, and every one of them may be escaped.
      if (chars < HEADER_BYTES_MAX / 3 - 2) {
        continue;
      }
      long escapes = header.getValue().chars().filter(c -> "\\\n\r:".indexOf(c) >= 0).count();
      long bytes = escapes + header.getKey().length() + 2
          + header.getValue().getBytes(StandardCharsets.UTF_8).length;
      if (bytes > HEADER_BYTES_MAX) {
        throw new MessageFormatException("the header " + header.getKey() + " has " + bytes
            + " bytes; STOMP brokers take " + HEADER_BYTES_MAX);
      }
    }
  }

  // --- from STOMP ------------------------------------------------------------------------------

  /** Never fails: what does not look as its headers say is a text or bytes. */
  PabalMessage decode(Frame frame) throws JMSException {
    PabalMessage message = decodeBody(frame);
    message.setJMSDestination(decodeDestination(frame.header("destination")));
    message.setJMSReplyTo(decodeDestination(frame.header("reply-to")));
    String ownId = frame.header(MESSAGE_ID);
    message.setJMSMessageID(ownId != null ? ownId : frame.header("message-id"));
    message.setJMSCorrelationID(frame.header("correlation-id"));
    message.setJMSType(frame.header("type"));
    message.setJMSDeliveryMode("true".equals(frame.header("persistent"))
        ? DeliveryMode.PERSISTENT : DeliveryMode.NON_PERSISTENT);
    message.setJMSRedelivered("true".equals(frame.header("redelivered")));
    message.setJMSTimestamp(number(frame.header("timestamp"), 0));
    message.setJMSExpiration(number(frame.header("expires"), 0));
    message.setJMSPriority((int) Math.max(0, Math.min(9, number(frame.header("priority"), 4))));
    decodeProperties(frame, message);
    return message;
  }

  /** How often it was delivered before, as far as the broker says. */
  static int earlierDeliveries(Frame frame) {
    long count = number(frame.header("JMSXDeliveryCount"), 0) - 1;
    int least = "true".equals(frame.header("redelivered")) ? 1 : 0;
    return (int) Math.max(least, Math.min(count, Integer.MAX_VALUE - 1));
  }

  static long number(String text, long otherwise) {
    try {
      return text == null ? otherwise : Long.parseLong(text.trim());
    } catch (NumberFormatException e) {
      return otherwise;
    }
  }

  private PabalMessage decodeBody(Frame frame) throws JMSException {
    String kind = frame.header(BODY);
    boolean bytes = frame.has("content-length");
    if (kind == null && "jms-map-json".equals(frame.header("transformation"))) {
      kind = "map";
    }
    switch (kind == null ? "" : kind) {
      case "message":
        return new PabalMessage();
      case "object":
        PabalObjectMessage object = connection.newObjectMessage();
        object.setBytes(bytes ? frame.body() : null);
        return object;
      case "map":
        PabalMapMessage map = new PabalMapMessage();
        return isUnreadable(frame) || reads(() -> BodyJson.readMap(Utf8.decode(frame.body()), map.values()))
            ? map : plain(frame);
      case "stream":
        PabalStreamMessage stream = new PabalStreamMessage();
        return isUnreadable(frame) || reads(() -> BodyJson.readStream(Utf8.decode(frame.body()), stream.values()))
            ? stream : plain(frame);
      case "text":
        return new PabalTextMessage(bytes ? Utf8.decode(frame.body()) : null);
      default:
        return plain(frame);
    }
  }

  /** The broker could not show it; the property transformation-error says why. */
  private static boolean isUnreadable(Frame frame) {
    return frame.has("transformation-error") && frame.body().length == 0;
  }

  private static boolean reads(Runnable reading) {
    try {
      reading.run();
      return true;
    } catch (RuntimeException e) {
      return false;  // anybody may have sent it
    }
  }

  private static PabalMessage plain(Frame frame) {
    boolean bytes = frame.has("content-length") && !"text".equals(frame.header("amq-msg-type"));
    return bytes ? new PabalBytesMessage(frame.body())
        : new PabalTextMessage(Utf8.decode(frame.body()));
  }

  private static void decodeProperties(Frame frame, PabalMessage message) {
    Map<String, String> types = new HashMap<>();
    String list = frame.header(TYPES);
    if (list != null) {
      for (String entry : list.split(",")) {
        int equals = entry.lastIndexOf('=');
        if (equals > 0) {
          types.put(entry.substring(0, equals), entry.substring(equals + 1));
        }
      }
    }
    for (Map.Entry<String, String> header : frame.headers().entrySet()) {
      String name = header.getKey();
      if (name.startsWith(PROPERTY)) {
        name = name.substring(PROPERTY.length());
      } else if (name.startsWith("JMS_Pabal_")
          || STOMP_HEADERS.contains(name) && !SHOWN.contains(name)) {
        continue;
      }
      if (!name.isEmpty()) {
        String type = name.equals("JMSXGroupSeq") ? "int" : types.get(inList(name));
        message.properties().put(name, property(type, header.getValue()));
      }
    }
  }

  private static Object property(String type, String text) {
    try {
      if ("base64".equals(type)) {
        return new String(Base64.getDecoder().decode(text), StandardCharsets.UTF_8);
      }
      return type == null ? text : BodyJson.valueOf(type, text);
    } catch (IllegalArgumentException e) {
      return text;  // somebody in between has changed it
    }
  }

  /** Null if it is no destination that one could send to. */
  PabalDestination decodeDestination(String text) throws JMSException {
    if (text == null || !text.startsWith("/")) {
      return text == null || text.isEmpty() ? null : new PabalQueue(text);
    }
    int slash = text.indexOf('/', 1);
    String name = slash < 0 ? "" : text.substring(slash + 1);
    if (name.isEmpty()) {
      return null;
    }
    return switch (text.substring(1, slash)) {
      case "queue" -> new PabalQueue(name);
      case "topic" -> new PabalTopic(name);
      case "temp-queue", "temp-topic" -> connection.temporary(text.substring(1, slash), name);
      case "remote-temp-queue" -> new PabalTemporaryQueue(name, null);
      case "remote-temp-topic" -> new PabalTemporaryTopic(name, null);
      default -> new PabalQueue(text);
    };
  }
}
