package org.pabal.jms;

import java.util.Collections;
import java.util.Enumeration;
import java.util.List;
import javax.jms.ConnectionMetaData;

/** What this provider is. Immutable. */
final class PabalConnectionMetaData implements ConnectionMetaData {
  static final PabalConnectionMetaData INSTANCE = new PabalConnectionMetaData();

  private static final int MAJOR = 0;
  private static final int MINOR = 1;

  private PabalConnectionMetaData() {}

  @Override
  public String getJMSVersion() {
    return "1.1";
  }

  @Override
  public int getJMSMajorVersion() {
    return 1;
  }

  @Override
  public int getJMSMinorVersion() {
    return 1;
  }

  @Override
  public String getJMSProviderName() {
    return "Pabal";
  }

  @Override
  public String getProviderVersion() {
    return MAJOR + "." + MINOR;
  }

  @Override
  public int getProviderMajorVersion() {
    return MAJOR;
  }

  @Override
  public int getProviderMinorVersion() {
    return MINOR;
  }

  @Override
  public Enumeration<String> getJMSXPropertyNames() {
    return Collections.enumeration(
        List.of("JMSXGroupID", "JMSXGroupSeq", "JMSXDeliveryCount", "JMSXUserID"));
  }
}
