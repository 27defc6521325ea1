import javax.jms.Connection;
import javax.jms.ConnectionFactory;
import javax.jms.JMSException;
import javax.jms.Message;
import javax.jms.MessageConsumer;
import javax.jms.MessageProducer;
import javax.jms.Queue;
import javax.jms.Session;
import javax.jms.TextMessage;
import javax.jms.TransactionRolledBackException;
import javax.naming.InitialContext;

/**
 * Sends orders, or works on them: each is taken and its result sent in one transaction, so that a crash of
 * worker or broker neither loses an order nor does one twice.
 *
 * <pre>
 *   java -cp examples/java/pabal:pabal-jms.jar:geronimo-jms_1.1_spec.jar examples/java/QueueWorker.java
 *       send 'two horses' | work COUNT | results COUNT
 * </pre>
 */
public class QueueWorker {
  public static void main(String[] arguments) throws Exception {
    if (arguments.length != 2) {
      System.err.println("usage: QueueWorker send 'two horses' | work COUNT | results COUNT");
      System.exit(2);
    }
    InitialContext names = new InitialContext();
    ConnectionFactory factory = (ConnectionFactory) names.lookup("ConnectionFactory");
    Queue orders = (Queue) names.lookup("orders");
    Queue done = (Queue) names.lookup("done");
    Connection connection = factory.createConnection();
    try {
      connection.start();
      switch (arguments[0]) {
        case "send" -> send(connection, orders, arguments[1]);
        case "work" -> work(connection, orders, done, Integer.parseInt(arguments[1]));
        case "results" -> print(connection, done, Integer.parseInt(arguments[1]));
        default -> throw new IllegalArgumentException(arguments[0]);
      }
    } finally {
      connection.close();
    }
  }

  private static void send(Connection connection, Queue orders, String text) throws JMSException {
    Session session = connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
    // Messages are persistent unless one says otherwise: when send() returns it is on disk.
    session.createProducer(orders).send(session.createTextMessage(text));
  }

  private static void work(Connection connection, Queue orders, Queue done, int count)
      throws JMSException {
    Session session = connection.createSession(true, Session.SESSION_TRANSACTED);
    MessageConsumer consumer = session.createConsumer(orders);
    MessageProducer producer = session.createProducer(done);
    for (int finished = 0; finished < count; ) {
      Message order = consumer.receive();
      String result = ((TextMessage) order).getText() + ": delivered";
      producer.send(session.createTextMessage(result));
      try {
        session.commit();
        System.out.println(result);
        ++finished;
      } catch (TransactionRolledBackException e) {
        // The broker went away within the transaction. The order comes again.
        System.err.println("once more: " + e.getMessage());
      }
    }
  }

  private static void print(Connection connection, Queue done, int count) throws JMSException {
    Session session = connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
    MessageConsumer consumer = session.createConsumer(done);
    for (int i = 0; i < count; ++i) {
      System.out.println(((TextMessage) consumer.receive()).getText());
    }
  }
}
