import javax.jms.Connection;
import javax.jms.ConnectionFactory;
import javax.jms.JMSException;
import javax.jms.Message;
import javax.jms.Session;
import javax.jms.TextMessage;
import javax.jms.Topic;
import javax.naming.InitialContext;

/**
 * A subscriber that misses nothing: what is published while it is away waits for it, whether the broker
 * is restarted or not. `publish` sends, `listen` prints so many messages, `forget` ends the subscription.
 *
 * <pre>
 *   java -cp examples/java/pabal:pabal-jms.jar:geronimo-jms_1.1_spec.jar
 *       examples/java/DurableSubscriber.java listen COUNT | publish 'news' | forget
 * </pre>
 */
public class DurableSubscriber {
  public static void main(String[] arguments) throws Exception {
    if (arguments.length < 1 || arguments.length != (arguments[0].equals("forget") ? 1 : 2)) {
      System.err.println("usage: DurableSubscriber listen COUNT | publish 'news' | forget");
      System.exit(2);
    }
    InitialContext names = new InitialContext();
    ConnectionFactory factory = (ConnectionFactory) names.lookup("ConnectionFactory");
    Topic news = (Topic) names.lookup("news");
    Connection connection = factory.createConnection();
    try {
      if (arguments[0].equals("publish")) {
        Session session = connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
        session.createProducer(news).send(session.createTextMessage(arguments[1]));
        return;
      }
      // Who the subscriber is, to the broker, is its client id and the subscription's name.
      connection.setClientID("archive");
      connection.start();
      if (arguments[0].equals("listen")) {
        listen(connection, news, Integer.parseInt(arguments[1]));
      } else {
        connection.createSession(false, Session.AUTO_ACKNOWLEDGE).unsubscribe("everything");
      }
    } finally {
      connection.close();
    }
  }

  private static void listen(Connection connection, Topic news, int count) throws JMSException {
    Session session = connection.createSession(false, Session.CLIENT_ACKNOWLEDGE);
    var subscriber = session.createDurableSubscriber(news, "everything");
    for (int i = 0; i < count; ++i) {
      Message message = subscriber.receive();
      System.out.println(((TextMessage) message).getText());
      message.acknowledge();
    }
  }
}
