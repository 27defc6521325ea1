import javax.jms.Connection;
import javax.jms.Destination;
import javax.jms.JMSException;
import javax.jms.Message;
import javax.jms.MessageConsumer;
import javax.jms.Session;

/**
 * Answers what comes to the queue `requests`, where it says, until it is told to stop. The stock client
 * sends to a temporary destination of another connection only if an advisory has told it of it.
 */
final class Replier extends Scenarios {
  public static void main(String[] arguments) throws Exception {
    try (Held<Connection> connection = hold(connect())) {
      Session session = connection.it().createSession(false, Session.AUTO_ACKNOWLEDGE);
      MessageConsumer consumer = session.createConsumer(session.createQueue("requests"));
      System.out.println("ready");
      while (true) {
        Message request = consumer.receive(PATIENCE);
        if (request == null) throw new AssertionError("nobody asks");
        String text = text(request);
        if (text.equals("stop")) return;
        answer(session, request.getJMSReplyTo(), "re: " + text);
      }
    }
  }

  private static void answer(Session session, Destination to, String text) throws JMSException {
    try {
      send(session, to, text);
      System.out.println("answered " + to);
    } catch (JMSException refused) {
      System.out.println("refused " + to + ": " + refused.getMessage());
    }
  }
}
