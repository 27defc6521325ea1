import javax.jms.Connection;
import javax.jms.ConnectionFactory;
import javax.jms.JMSException;
import javax.jms.Message;
import javax.jms.MessageProducer;
import javax.jms.Queue;
import javax.jms.QueueConnection;
import javax.jms.QueueConnectionFactory;
import javax.jms.QueueRequestor;
import javax.jms.QueueSession;
import javax.jms.Session;
import javax.jms.TextMessage;
import javax.naming.InitialContext;

/**
 * A service that answers, and a client that asks it: the answer goes to the temporary queue that the
 * question names.
 *
 * <pre>
 *   java -cp examples/java/pabal:pabal-jms.jar:geronimo-jms_1.1_spec.jar examples/java/RequestReply.java
 *       serve COUNT | ask 'how far to Uiju?'
 * </pre>
 */
public class RequestReply {
  public static void main(String[] arguments) throws Exception {
    if (arguments.length != 2) {
      System.err.println("usage: RequestReply serve COUNT | ask 'how far to Uiju?'");
      System.exit(2);
    }
    InitialContext names = new InitialContext();
    Object factory = names.lookup("ConnectionFactory");
    Queue questions = (Queue) names.lookup("questions");
    if (arguments[0].equals("serve")) {
      serve((ConnectionFactory) factory, questions, Integer.parseInt(arguments[1]));
    } else {
      ask((QueueConnectionFactory) factory, questions, arguments[1]);
    }
  }

  private static void serve(ConnectionFactory factory, Queue questions, int count)
      throws JMSException {
    Connection connection = factory.createConnection();
    try {
      connection.start();
      Session session = connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
      var consumer = session.createConsumer(questions);
      MessageProducer producer = session.createProducer(null);
      for (int i = 0; i < count; ++i) {
        Message question = consumer.receive();
        TextMessage answer =
            session.createTextMessage(((TextMessage) question).getText() + " Ten days.");
        answer.setJMSCorrelationID(question.getJMSMessageID());
        producer.send(question.getJMSReplyTo(), answer);
      }
    } finally {
      connection.close();
    }
  }

  private static void ask(QueueConnectionFactory factory, Queue questions, String text)
      throws JMSException {
    QueueConnection connection = factory.createQueueConnection();
    try {
      connection.start();
      QueueSession session = connection.createQueueSession(false, Session.AUTO_ACKNOWLEDGE);
      QueueRequestor requestor = new QueueRequestor(session, questions);
      Message answer = requestor.request(session.createTextMessage(text));
      System.out.println(((TextMessage) answer).getText());
      requestor.close();
    } finally {
      connection.close();
    }
  }
}
