package org.pabal.jms;

import javax.jms.JMSException;
import javax.jms.TextMessage;

/** A text, or null. Thread: as {@link PabalMessage}. */
public final class PabalTextMessage extends PabalMessage implements TextMessage {
  private String text;

  PabalTextMessage(String text) {
    this.text = text;
  }

  @Override
  public void setText(String string) throws JMSException {
    checkBodyWritable();
    text = string;
  }

  @Override
  public String getText() {
    return text;
  }

  @Override
  public void clearBody() throws JMSException {
    super.clearBody();
    text = null;
  }
}
