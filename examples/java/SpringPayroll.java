import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import javax.jms.JMSException;
import javax.jms.Message;
import javax.jms.Session;
import javax.jms.TextMessage;
import org.springframework.context.support.FileSystemXmlApplicationContext;
import org.springframework.jms.core.JmsTemplate;
import org.springframework.jms.listener.SessionAwareMessageListener;

/**
 * Spring JMS, configured in XML as in many a shop: spring-payroll.xml beside this file has the connection
 * factory, the template and the listener container; this class sends, and is the listener.
 *
 * <pre>
 *   java -cp "pabal-jms.jar:/usr/share/java/*" examples/java/SpringPayroll.java
 *       examples/java/spring-payroll.xml COUNT
 * </pre>
 */
public class SpringPayroll implements SessionAwareMessageListener<TextMessage> {
  private static CountDownLatch paid;

  public static void main(String[] arguments) throws Exception {
    if (arguments.length != 2) {
      System.err.println("usage: SpringPayroll CONFIGURATION COUNT");
      System.exit(2);
    }
    // Started from its source, this class is known to its own class loader only.
    Thread.currentThread().setContextClassLoader(SpringPayroll.class.getClassLoader());
    int count = Integer.parseInt(arguments[1]);
    paid = new CountDownLatch(count);
    try (var context = new FileSystemXmlApplicationContext("file:" + arguments[0])) {
      JmsTemplate template = context.getBean(JmsTemplate.class);
      for (int i = 1; i <= count; ++i) {
        template.convertAndSend("example.payroll", "employee " + i);
      }
      if (!paid.await(60, TimeUnit.SECONDS)) {
        throw new IllegalStateException(paid.getCount() + " are not paid");
      }
      for (int i = 1; i <= count; ++i) {
        System.out.println(template.receiveAndConvert("example.paid"));
      }
    }
  }

  /** In the container's transaction: with an exception the message comes again. */
  @Override
  public void onMessage(TextMessage message, Session session) throws JMSException {
    Message slip = session.createTextMessage(message.getText() + " is paid");
    session.createProducer(session.createQueue("example.paid")).send(slip);
    paid.countDown();
  }
}
