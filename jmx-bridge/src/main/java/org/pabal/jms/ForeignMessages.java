package org.pabal.jms;

import java.util.ArrayList;
import java.util.Enumeration;
import java.util.List;
import javax.jms.BytesMessage;
import javax.jms.JMSException;
import javax.jms.MapMessage;
import javax.jms.Message;
import javax.jms.MessageEOFException;
import javax.jms.ObjectMessage;
import javax.jms.StreamMessage;
import javax.jms.TextMessage;

/** Messages of another provider, which JMS 1.1 §3.12 lets an application send. */
final class ForeignMessages {
  private ForeignMessages() {}

  /** The same content as one of ours, its headers of sending too. */
  static PabalMessage copy(Message message, PabalSession session) throws JMSException {
    PabalMessage own = copyBody(message, session);
    for (String name : names(message.getPropertyNames())) {
      own.setObjectProperty(name, message.getObjectProperty(name));
    }
    own.setJMSDestination(message.getJMSDestination());
    own.setJMSDeliveryMode(message.getJMSDeliveryMode());
    own.setJMSPriority(message.getJMSPriority());
    own.setJMSExpiration(message.getJMSExpiration());
    own.setJMSTimestamp(message.getJMSTimestamp());
    own.setJMSMessageID(message.getJMSMessageID());
    own.setJMSCorrelationID(message.getJMSCorrelationID());
    own.setJMSType(message.getJMSType());
    own.setJMSReplyTo(message.getJMSReplyTo());
    return own;
  }

  private static PabalMessage copyBody(Message message, PabalSession session) throws JMSException {
    if (message instanceof TextMessage text) {
      return session.createTextMessage(text.getText());
    }
    if (message instanceof ObjectMessage object) {
      return session.createObjectMessage(object.getObject());
    }
    if (message instanceof MapMessage map) {
      PabalMapMessage copy = session.createMapMessage();
      for (String name : names(map.getMapNames())) {
        copy.setObject(name, map.getObject(name));
      }
      return copy;
    }
    if (message instanceof BytesMessage bytes) {
      PabalBytesMessage copy = session.createBytesMessage();
      bytes.reset();
      byte[] part = new byte[8192];
      for (int n = bytes.readBytes(part); n > 0; n = bytes.readBytes(part)) {
        copy.writeBytes(part, 0, n);
      }
      return copy;
    }
    if (message instanceof StreamMessage stream) {
      PabalStreamMessage copy = session.createStreamMessage();
      stream.reset();
      try {
        while (true) {
          copy.writeObject(stream.readObject());
        }
      } catch (MessageEOFException e) {
        return copy;
      }
    }
    return session.createMessage();
  }

  private static List<String> names(Enumeration<?> names) {
    List<String> list = new ArrayList<>();
    while (names.hasMoreElements()) {
      list.add((String) names.nextElement());
    }
    return list;
  }
}
