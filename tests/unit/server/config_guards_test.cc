#include "config_support.h"

namespace pabal::server {
namespace {

constexpr const char* kBeans = "<beans xmlns=\"http://www.springframework.org/schema/beans\">";

class ConfigGuardsTest : public ConfigTest {
 protected:
  static std::string beans(const std::string& content) { return kBeans + content + "</beans>"; }
  std::string with_import(const std::string& name) {
    return beans("<import resource=\"" + name + "\"/>" + broker(""));
  }
};

/// Goal: a broker never fails open. Method: every way to ask for a guard, one by one: refused with
/// a place, named by check, and served only when told to.
TEST_F(ConfigGuardsTest, EveryGuardOfAccessStopsTheStartUnlessInsecure) {
  const std::string texts[] = {
      broker("<plugins><simpleAuthenticationPlugin/></plugins>"),
      broker("<plugins><jaasAuthenticationPlugin configuration='x'/></plugins>"),
      broker("<plugins><jaasCertificateAuthenticationPlugin/></plugins>"),
      broker("<plugins><jaasDualAuthenticationPlugin/></plugins>"),
      broker("<plugins><authorizationPlugin><map><authorizationMap/></map></authorizationPlugin>"
             "</plugins>"),
      broker("<plugins><bean xmlns='http://www.springframework.org/schema/beans' class='x.Y'/>"
             "</plugins>"),
      broker("<sslContext><sslContext keyStore='a'/></sslContext>"),
      broker("", "sslContext='#ssl'"),
      broker(
          "<messageAuthorizationPolicy><bean xmlns='http://www.springframework.org/schema/beans'/>"
          "</messageAuthorizationPolicy>"),
      broker("", "messageAuthorizationPolicy='#policy'"),
      connector("ssl://h:1"),
      connector("stomp+ssl://h:1"),
      connector("stomp+nio+ssl://h:1"),
      connector("auto+nio+ssl://h:1"),
      connector("mqtt+ssl://h:1"),
      connector("amqp+nio+ssl://h:1"),
      connector("wss://h:1"),
      connector("https://h:1"),
      connector("stomp://h:1?needClientAuth=true"),
      connector("stomp://h:1?transport.needClientAuth=true"),
      connector("stomp://h:1?transport.enabledProtocols=TLSv1.3"),
      broker(
          "<transportConnectors><transportConnector uri='stomp://h:1'><messageAuthorizationPolicy/>"
          "</transportConnector></transportConnectors>"),
      broker("<pabalHttp uri='https://h:1'/>"),
  };
  for (const std::string& text : texts) {
    options_ = {};
    const auto refused = load(text);
    ASSERT_FALSE(refused) << text;
    EXPECT_NE(refused.error().text.find("test.xml:"), std::string::npos) << refused.error().text;
    EXPECT_NE(refused.error().text.find("--insecure"), std::string::npos) << refused.error().text;
    options_.guards_as_findings = true;
    const auto checked = load(text);
    ASSERT_TRUE(checked) << text << checked.error().text;
    EXPECT_GE(count(*checked, Severity::guard), 1) << text;
    options_ = {};
    options_.insecure = true;
    const auto served = load(text);
    ASSERT_TRUE(served) << text << served.error().text;
    EXPECT_EQ(count(*served, Severity::guard), 0);
    EXPECT_GE(count(*served, Severity::warning), 1) << text;
    // Not even then is a port that should have TLS opened without.
    for (const ListenerConfig& listener : served->config.listeners) {
      EXPECT_NE(listener.tls, listener.open) << text;
    }
    EXPECT_FALSE(served->config.http.enabled) << text;
  }
}

TEST_F(ConfigGuardsTest, NoNeedForClientCertificatesIsNoGuard) {
  EXPECT_TRUE(load(connector("stomp://h:1?needClientAuth=false")));
}

TEST_F(ConfigGuardsTest, ATlsConnectorMayBeMarkedAsSkippable) {
  const auto loaded = load(broker(
      "<transportConnectors><transportConnector name='stomp.tls' uri='stomp+ssl://127.0.0.1:0' "
      "pabalUnavailable='skip'/></transportConnectors>"));
  ASSERT_TRUE(loaded) << loaded.error().text;
  ASSERT_EQ(loaded->config.listeners.size(), 1U);
  EXPECT_FALSE(loaded->config.listeners[0].open);
  EXPECT_EQ(count(*loaded, Severity::warning), 1);
}

TEST_F(ConfigGuardsTest, FindingsNeverShowCredentials) {
  options_.definitions["activemq.password"] = "s3cret";
  options_.guards_as_findings = true;
  const auto loaded = examine(broker(
      "<plugins><simpleAuthenticationPlugin><users><authenticationUser username='u' "
      "password='${activemq.password}' groups='g'/></users></simpleAuthenticationPlugin></plugins>"
      "<sslContext><sslContext keyStorePassword='s3cret'/></sslContext>"
      "<networkConnectors><networkConnector uri='static:(tcp://u:s3cret@h:1)' password='s3cret'/>"
      "</networkConnectors>"));
  EXPECT_GE(count(loaded, Severity::guard), 2);
  EXPECT_EQ(all_findings(loaded).find("s3cret"), std::string::npos) << all_findings(loaded);
}

TEST_F(ConfigGuardsTest, PlaceholdersOfABeansFileComeFromItsPropertiesAndTheBuiltInValues) {
  directory_.write("credentials.properties", "broker.name=from-file\n");
  const auto loaded = load(beans(
      "<bean class=\"org.springframework.beans.factory.config.PropertyPlaceholderConfigurer\">"
      "<property "
      "name=\"locations\"><list><value>file:${activemq.conf}/credentials.properties</value>"
      "</list></property></bean>" +
      broker(
          "<destinations><queue physicalName='${activemq.home}${activemq.base}q'/></destinations>",
          "brokerName='${broker.name}' dataDirectory='${activemq.data}'")));
  ASSERT_TRUE(loaded) << loaded.error().text;
  EXPECT_TRUE(loaded->findings.empty()) << all_findings(*loaded);
  EXPECT_EQ(loaded->config.broker_name, "from-file");
  EXPECT_EQ(loaded->config.data_directory, "data");
  EXPECT_EQ(loaded->config.destinations.at(0).name, "..q");
}

TEST_F(ConfigGuardsTest, APlaceholderWithoutAValueIsAnErrorWithItsPlace) {
  const auto loaded = load(broker("", "\n brokerName='${pabal.no.such.value}'"));
  ASSERT_FALSE(loaded);
  EXPECT_NE(
      loaded.error().text.find("test.xml:2:2: broker@brokerName: ${pabal.no.such.value} has no "
                               "value"),
      std::string::npos)
      << loaded.error().text;
}

TEST_F(ConfigGuardsTest, ADefinitionThatNothingUsesIsReported) {
  options_.definitions = {{"stomp.prot", "1"}, {"name", "b"}};
  const auto loaded = load(broker("", "brokerName='${name}'"));
  ASSERT_TRUE(loaded);
  ASSERT_EQ(loaded->findings.size(), 1U) << all_findings(*loaded);
  EXPECT_EQ(loaded->findings[0].location.file, "-D stomp.prot");
}

TEST_F(ConfigGuardsTest, NothingIsLoadedFromAUrl) {
  for (const char* url : {"http://h/x.xml", "https://h/x.xml", "ftp://h/x.xml", "jar:file:/x!/y"}) {
    const auto loaded = load(with_import(url));
    ASSERT_FALSE(loaded) << url;
    EXPECT_NE(loaded.error().text.find("nothing is loaded from a URL"), std::string::npos);
    EXPECT_FALSE(load(beans(std::string("<bean class='x.PropertyPlaceholderConfigurer'>"
                                        "<property name='location' value='") +
                            url + "'/></bean>" + broker(""))));
  }
}

TEST_F(ConfigGuardsTest, ImportsAreReadAndTheirErrorsAreTheirs) {
  directory_.write("other.xml", beans(broker("", "brokerName='imported'")));
  const auto loaded = load(beans("<import resource='other.xml'/>"));
  ASSERT_TRUE(loaded) << loaded.error().text;
  EXPECT_EQ(loaded->config.broker_name, "imported");
  directory_.write("wrong.xml", "<beans>\n<broken");
  const auto wrong = load(with_import("classpath:wrong.xml"));
  ASSERT_FALSE(wrong);
  EXPECT_NE(wrong.error().text.find("wrong.xml:2:"), std::string::npos) << wrong.error().text;
  const auto missing = load(with_import("absent.xml"));
  ASSERT_TRUE(missing) << missing.error().text;
  EXPECT_EQ(count(*missing, Severity::warning), 1) << all_findings(*missing);
  const auto itself = load(beans("<import resource='test.xml'/>"));
  ASSERT_FALSE(itself);
  EXPECT_NE(itself.error().text.find("nested deeper"), std::string::npos) << itself.error().text;
}

TEST_F(ConfigGuardsTest, JettyGivesThePortAndItsLoginKeepsItClosed) {
  const auto jetty = [](const std::string& authenticate) {
    return beans(
        "<bean class='org.eclipse.jetty.util.security.Constraint'>"
        "<property name='authenticate' value='" +
        authenticate +
        "'/></bean><bean class='org.apache.activemq.web.WebConsolePort'>"
        "<property name='host' value='127.0.0.9'/><property name='port' value='8162'/></bean>"
        "<bean class='x'><list><bean class='org.eclipse.jetty.server.ServerConnector'>"
        "<property name='port' value=\"#{systemProperties['jetty.port']}\"/></bean></list>"
        "</bean>");
  };
  directory_.write("jetty.xml", jetty("false"));
  const auto open = load(with_import("jetty.xml"));
  ASSERT_TRUE(open) << open.error().text;
  EXPECT_TRUE(open->config.http.enabled);
  EXPECT_EQ(open->config.http.host, "127.0.0.9");
  EXPECT_EQ(open->config.http.port, 8162);
  directory_.write("jetty.xml", jetty("true"));
  const auto closed = load(with_import("jetty.xml"));
  ASSERT_TRUE(closed);
  EXPECT_FALSE(closed->config.http.enabled);
  EXPECT_EQ(count(*closed, Severity::warning), 1) << all_findings(*closed);
  options_.insecure = true;
  EXPECT_TRUE(load(with_import("jetty.xml"))->config.http.enabled);
}

TEST_F(ConfigGuardsTest, HttpOpensOnlyWhenAskedFor) {
  EXPECT_FALSE(load(broker(""))->config.http.enabled);
  EXPECT_FALSE(load(broker("<pabalHttp uri='http://127.0.0.1:off'/>"))->config.http.enabled);
  EXPECT_FALSE(load(broker("<pabalHttp uri='stomp://127.0.0.1:1'/>")));
  EXPECT_FALSE(load(broker("<pabalHttp uri='http://127.0.0.1:99999'/>")));
  options_.definitions["http.port"] = "0";
  const auto defined = load(broker(""));
  ASSERT_TRUE(defined);
  EXPECT_TRUE(defined->config.http.enabled);
  EXPECT_EQ(defined->config.http.port, 0);
  EXPECT_TRUE(defined->findings.empty()) << all_findings(*defined);
  options_.definitions["http.port"] = "eighty";
  EXPECT_FALSE(load(broker("")));
}

}  // namespace
}  // namespace pabal::server
