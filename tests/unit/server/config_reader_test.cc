#include "config_support.h"
#include "server/config/option_table.h"
#include "server/config/values.h"

namespace pabal::server {
namespace {

using ConfigReaderTest = ConfigTest;

TEST_F(ConfigReaderTest, ABareBrokerIsAllDefaults) {
  const auto loaded = load(broker(""));
  ASSERT_TRUE(loaded) << loaded.error().text;
  EXPECT_TRUE(loaded->findings.empty()) << all_findings(*loaded);
  EXPECT_EQ(loaded->config.broker_name, "localhost");
  EXPECT_TRUE(loaded->config.listeners.empty());
  EXPECT_FALSE(loaded->config.http.enabled);
  EXPECT_EQ(loaded->config.store.directory, "data/store");
  EXPECT_EQ(loaded->config.limits.memory_bytes_max, 1ULL << 30);
  EXPECT_EQ(loaded->config.store.bytes_limit, 100ULL << 30);
}

TEST_F(ConfigReaderTest, RootsAreBeansOrBrokerInOldAndNewNamespaces) {
  for (const char* root : {"<broker brokerName=\"b\"/>",
                           "<broker xmlns=\"http://activemq.org/config/1.0\" brokerName=\"b\"/>",
                           "<amq:broker xmlns:amq=\"http://activemq.apache.org/schema/core\" "
                           "brokerName=\"b\"/>",
                           "<beans xmlns=\"http://www.springframework.org/schema/beans\">"
                           "<broker xmlns=\"http://activemq.apache.org/schema/core\" "
                           "brokerName=\"b\"/></beans>",
                           "<beans><brokerService xmlns=\"http://activemq.apache.org/schema/core\" "
                           "brokerName=\"b\"/></beans>"}) {
    const auto loaded = load(root);
    ASSERT_TRUE(loaded) << root << loaded.error().text;
    EXPECT_EQ(loaded->config.broker_name, "b") << root;
  }
  EXPECT_FALSE(load("<beans/>"));
  EXPECT_FALSE(load("<broker xmlns=\"urn:other\"/>"));
  EXPECT_FALSE(
      load("<beans><broker xmlns=\"http://activemq.apache.org/schema/core\"/>"
           "<broker xmlns=\"http://activemq.apache.org/schema/core\"/></beans>"));
}

TEST_F(ConfigReaderTest, PlacesAreLineAndColumnInCharacters) {
  const auto loaded = examine(
      "<!-- a > b -->\n"
      "<broker xmlns=\"http://activemq.apache.org/schema/core\"\n"
      "  brokerName='\xED\x8C\x8C\xEB\xB0\x9C > \"' useJmx=\"true\">\n"
      "  <systemUsage><systemUsage><storeUsage>\n"
      "\t<storeUsage\n"
      "      limit = \"12 parsecs\"/></storeUsage></systemUsage></systemUsage>\n"
      "</broker>");
  const Finding* jmx = find(loaded, "broker@useJmx");
  ASSERT_NE(jmx, nullptr);
  EXPECT_EQ(jmx->location.line, 3U);
  EXPECT_EQ(jmx->location.column, 23U);  // two characters of three bytes each stand before it
  const Finding* limit = find(loaded, "broker/systemUsage/systemUsage/storeUsage/storeUsage@limit");
  ASSERT_NE(limit, nullptr);
  EXPECT_EQ(limit->location.line, 6U);
  EXPECT_EQ(limit->location.column, 7U);
  EXPECT_EQ(limit->severity, Severity::error);
  EXPECT_EQ(limit->text,
            "'12 parsecs' is not allowed: a memory size at least 0 such as 64mb expected");
  const auto refused = load(broker("", "\npersistent=\"yes\""));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().text,
            directory_.path("test.xml") +
                ":2:1: broker@persistent: 'yes' is not allowed: true or false "
                "expected");
}

TEST_F(ConfigReaderTest, UnknownThingsAreErrorsThatNameThem) {
  const struct {
    const char* content;
    const char* text;
  } cases[] = {
      {"<nonsense/>", "unknown element 'nonsense' in 'broker'"},
      {"<systemUsage nonsense='1'/>", "unknown attribute 'nonsense' of element 'systemUsage'"},
      {"<systemUsage><memoryUsage/></systemUsage>",
       "element 'memoryUsage' is not allowed here: systemUsage expected"},
      {"<persistenceAdapter><kahaDB directry='x'/></persistenceAdapter>",
       "unknown attribute 'directry' of element 'kahaDB'"},
      {"<persistenceAdapter><cassandra/></persistenceAdapter>", "unknown element 'cassandra'"},
      {"<transportConnectors>text</transportConnectors>", "text is not allowed here"},
      {"<transportConnectors><transportConnector uri='stomp://h:1'>text</transportConnector>"
       "</transportConnectors>",
       "text is not allowed here"},
      {"<transportConnectors><transportConnector name='n'/></transportConnectors>",
       "attribute 'uri' is missing"},
      {"<destinations><queue/></destinations>", "attribute 'physicalName' is missing"},
      {"<destinations><queue physicalName='a.*'/></destinations>", "no wildcards"},
      {"<pabalLimits memory='1'/>", "unknown attribute 'memory'"},
      {"<plugins><nonsense/></plugins>", "unknown element 'nonsense'"},
      {"<plugins><simpleAuthenticationPlugin><users><nonsense/></users>"
       "</simpleAuthenticationPlugin></plugins>",
       "unknown element 'nonsense'"},
  };
  for (const auto& wrong : cases) {
    const auto loaded = load(broker(wrong.content));
    ASSERT_FALSE(loaded) << wrong.content;
    EXPECT_NE(loaded.error().text.find(wrong.text), std::string::npos) << loaded.error().text;
    EXPECT_NE(loaded.error().text.find("test.xml:2:"), std::string::npos) << loaded.error().text;
  }
}

TEST_F(ConfigReaderTest, EveryErrorIsNamedNotOnlyTheFirst) {
  const auto loaded = load(broker("<pabalServer ioThreads='0' logLevel='loud'/>\n<nonsense/>"));
  ASSERT_FALSE(loaded);
  const std::string& text = loaded.error().text;
  EXPECT_NE(
      text.find(":2:14: broker/pabalServer@ioThreads: '0' is not allowed: a whole number from "
                "1 to 64 expected\n"),
      std::string::npos)
      << text;
  EXPECT_NE(text.find("one of error, warn, info or debug expected\n"), std::string::npos) << text;
  EXPECT_NE(text.find(":3:1: broker/nonsense: unknown element"), std::string::npos) << text;
}

/// The same of what stands in policies, interceptors and plugins.
std::string around_policy(std::string_view owner, const std::string& self) {
  const auto entry = [](const std::string& content) {
    return "<destinationPolicy><policyMap><policyEntries><policyEntry queue='A' " +
           (content.front() == '%' ? content + '>' : '>' + content) +
           "</policyEntry></policyEntries></policyMap></destinationPolicy>";
  };
  if (owner == "policyEntry") return entry("%");
  const std::pair<std::string_view, std::string_view> strategies[] = {
      {"DeadLetterStrategy", "deadLetterStrategy"},
      {"PendingMessageLimitStrategy", "pendingMessageLimitStrategy"},
      {"EvictionStrategy", "messageEvictionStrategy"},
      {"ConsumerStrategy", "slowConsumerStrategy"},
      {"SubscriptionRecoveryPolicy", "subscriptionRecoveryPolicy"},
      {"MessageGroupMapFactory", "messageGroupMapFactory"},
      {"messageGroupHashBucketFactory", "messageGroupMapFactory"}};
  for (const auto& [ending, property] : strategies) {
    if (!owner.ends_with(ending)) continue;
    std::string strategy = self;
    if (owner == "uniquePropertyMessageEvictionStrategy") {
      strategy.replace(strategy.find('%'), 1, "propertyName='p' %");
    }
    const std::string name(property);
    return entry('<' + name + '>' + strategy + "</" + name + '>');
  }
  if (owner == "redeliveryPolicy") {
    return "<plugins><redeliveryPlugin><redeliveryPolicyMap><redeliveryPolicyMap><defaultEntry>" +
           self +
           "</defaultEntry></redeliveryPolicyMap></redeliveryPolicyMap></redeliveryPlugin>"
           "</plugins>";
  }
  if (owner.ends_with("Plugin")) return "<plugins>" + self + "</plugins>";
  return {};
}

/// Where an element stands; "%" is where its attribute goes. A broker stands by itself.
std::string around(std::string_view owner) {
  const std::string self = '<' + std::string(owner) + " %/>";
  const auto usage = [&] {
    return "<systemUsage><systemUsage><" + std::string(owner) + '>' + self + "</" +
           std::string(owner) + "></systemUsage></systemUsage>";
  };
  if (owner == "kahaDB") return "<persistenceAdapter>" + self + "</persistenceAdapter>";
  if (owner == "systemUsage") return "<systemUsage>" + self + "</systemUsage>";
  if (owner == "memoryUsage" || owner == "storeUsage" || owner == "tempUsage") return usage();
  const auto network = [](const std::string& content) {
    return "<networkConnectors><networkConnector name='b' uri='mqtt://h:1' " + content +
           "</networkConnector></networkConnectors>";
  };
  if (owner == "networkConnector") return network("%>");
  if (owner == "pabalOut" || owner == "pabalIn") {
    return network("><" + std::string(owner) + " topic='t' %/>");
  }
  if (owner.starts_with("pabal")) return self;
  if (owner == "broker") return "<broker xmlns=\"http://activemq.apache.org/schema/core\" %/>";
  return around_policy(owner, self);
}

/// Goal: no honoured number takes a value outside the range that the table and the pages name, and
/// every one takes its ends. Method: every row of the table, one below, at and above each end.
TEST_F(ConfigReaderTest, EveryRangeOfTheTableHolds) {
  int tried = 0;
  for (const Option& option : option_rows()) {
    const bool number = option.type == Type::integer || option.type == Type::milliseconds ||
                        option.type == Type::memory;
    if (option.status != Status::honoured || !number) continue;
    ASSERT_LT(option.min, option.max) << option.owner << ' ' << option.name;
    const bool uri = option.name.starts_with("uri?");
    const auto text_for = [&](std::int64_t value) {
      if (uri && option.owner == "networkConnector") {
        return broker("<networkConnectors><networkConnector name='b' uri='mqtt://h:1?" +
                      std::string(option.name.substr(4)) + '=' + std::to_string(value) +
                      "'/></networkConnectors>");
      }
      if (uri) {
        return connector("stomp://127.0.0.1:0?" + std::string(option.name.substr(4)) + '=' +
                         std::to_string(value));
      }
      std::string text = around(option.owner);
      text.replace(text.find('%'), 1,
                   std::string(option.name) + "='" + std::to_string(value) + '\'');
      return option.owner == "broker" ? text : broker(text);
    };
    ASSERT_TRUE(uri || !around(option.owner).empty()) << option.owner;
    EXPECT_TRUE(load(text_for(option.min))) << option.name << ' ' << option.min;
    const auto highest = load(text_for(option.max));
    EXPECT_TRUE(highest) << option.name << ' ' << option.max << highest.error().text;
    const auto below = load(text_for(option.min - 1));
    ASSERT_FALSE(below) << option.name;
    EXPECT_NE(below.error().text.find(allowed(option)), std::string::npos) << below.error().text;
    if (option.max != std::numeric_limits<std::int64_t>::max()) {
      EXPECT_FALSE(load(text_for(option.max + 1))) << option.name;
    }
    ++tried;
  }
  EXPECT_GT(tried, 40);
}

TEST_F(ConfigReaderTest, EveryLimitReachesTheConfiguration) {
  const auto loaded = load(broker(
      "<pabalLimits connectionsMax='2' subscriptionsPerConnectionMax='3' destinationsMax='4'"
      " transactionsPerConnectionMax='5' transactionOperationsMax='6' transactionBytesMax='2k'"
      " parkedBytesMax='3k' unwrittenBytesMax='4k' topicPendingBytesMax='5k' windowBytesMax='6k'"
      " listWindowBytesMax='7k' stepsPerEntryMax='8'/>"
      "<pabalStore undurableBytesMax='65k' groupBytesMax='66k' unappliedBytesMax='2m'"
      " indexFlushJournalBytes='3m' indexMemoryBytesMax='4m'/>"
      "<pabalHttp uri='http://0.0.0.0:9' connectionsMax='9' requestBytesMax='2k' "
      "requestTimeout='8'/>"
      "<pabalServer ioThreads='2' drainTimeout='3' acceptBacklog='4' readBufferBytes='8k'"
      " logLevel='DEBUG'/>"
      "<persistenceAdapter><kahaDB directory='/somewhere' journalMaxFileLength='2mb'"
      " concurrentStoreAndDispatchQueues='false'/></persistenceAdapter>"
      "<systemUsage><systemUsage sendFailIfNoSpace='true'><memoryUsage><memoryUsage limit='9mb'/>"
      "</memoryUsage><storeUsage><storeUsage limit='8mb'/></storeUsage></systemUsage></systemUsage>"
      "<destinations><queue physicalName='q.a'/><topic physicalName='t.b'/></destinations>"));
  ASSERT_TRUE(loaded) << loaded.error().text;
  const Config& config = loaded->config;
  const core::EngineLimits& limits = config.limits;
  EXPECT_EQ(limits.connections_max, 2U);
  EXPECT_EQ(limits.subscriptions_per_connection_max, 3U);
  EXPECT_EQ(limits.destinations_max, 4U);
  EXPECT_EQ(limits.transactions_per_connection_max, 5U);
  EXPECT_EQ(limits.transaction_operations_max, 6U);
  EXPECT_EQ(limits.transaction_bytes_max, 2048U);
  EXPECT_EQ(limits.parked_bytes_max, 3072U);
  EXPECT_EQ(limits.unwritten_bytes_max, 4096U);
  EXPECT_EQ(limits.topic_pending_bytes_max, 5120U);
  EXPECT_EQ(limits.window_bytes_max, 6144U);
  EXPECT_EQ(limits.list_window_bytes_max, 7168U);
  EXPECT_EQ(limits.steps_per_entry_max, 8U);
  EXPECT_EQ(limits.memory_bytes_max, 9U << 20);
  EXPECT_TRUE(limits.send_fail_if_no_space);
  const StoreSettings store{"/somewhere", false,     8U << 20, 2U << 20, 65U << 10,
                            false,        66U << 10, 2U << 20, 3U << 20, 4U << 20};
  EXPECT_EQ(config.store, store);
  EXPECT_TRUE(config.http.enabled);
  EXPECT_EQ(config.http.host, "0.0.0.0");
  EXPECT_EQ(config.http.port, 9);
  EXPECT_EQ(config.http.connections_max, 9U);
  EXPECT_EQ(config.http.request_bytes_max, 2048U);
  EXPECT_EQ(config.http.request_timeout.count(), 8);
  EXPECT_EQ(config.server.io_threads, 2U);
  EXPECT_EQ(config.server.drain_timeout.count(), 3);
  EXPECT_EQ(config.server.accept_backlog, 4U);
  EXPECT_EQ(config.server.read_buffer_bytes, 8192U);
  EXPECT_EQ(config.server.log_level, "debug");
  ASSERT_EQ(config.destinations.size(), 2U);
  EXPECT_EQ(config.destinations[0].to_text(), "queue://q.a");
  EXPECT_EQ(config.destinations[1].to_text(), "topic://t.b");
}

TEST_F(ConfigReaderTest, StompSettingsComeFromPabalStompThenTheUri) {
  const auto loaded = load(
      broker("<transportConnectors><transportConnector name='a' "
             "uri='stomp+nio://0.0.0.0:1?maximumConnections"
             "=7&amp;wireFormat.maxFrameSize=5000&amp;transport.maxDataLength=4000&amp;"
             "transport.connectAttemptTimeout=9&amp;transport.defaultHeartBeat=5000,%30&amp;"
             "transport.hbGracePeriodMultiplier=2.5'/><transportConnector uri='ws://:0'/>"
             "</transportConnectors><pabalStomp commandLineBytesMax='17' headerLineBytesMax='65'"
             " headersMax='3' unconnectedFrameBytesMax='2k' heartBeatMin='4' queuePrefetch='5'"
             " topicPrefetch='6' durablePrefetch='7' browserPrefetch='9' prefetchMax='8'/>"));
  ASSERT_TRUE(loaded) << loaded.error().text;
  ASSERT_EQ(loaded->config.listeners.size(), 2U);
  const ListenerConfig& listener = loaded->config.listeners[0];
  EXPECT_EQ(listener.name, "a");
  EXPECT_EQ(listener.scheme, "stomp+nio");
  EXPECT_EQ(listener.host, "0.0.0.0");
  EXPECT_EQ(listener.port, 1);
  EXPECT_EQ(listener.connections_max, 7U);
  EXPECT_TRUE(listener.open);
  using std::chrono::milliseconds;
  StompSettings expected{17,
                         65,
                         3,
                         4000,
                         5000,
                         2048,
                         milliseconds(9),
                         milliseconds(5000),
                         milliseconds(0),
                         2.5,
                         milliseconds(4),
                         5,
                         6,
                         7,
                         9,
                         8};
  EXPECT_EQ(listener.stomp, expected);
  const ListenerConfig& web = loaded->config.listeners[1];
  EXPECT_EQ(web.name, "ws");
  EXPECT_EQ(web.host, "127.0.0.1");
  EXPECT_EQ(web.stomp.command_line_bytes_max, 17U);
  EXPECT_EQ(web.stomp.frame_bytes_max, StompSettings{}.frame_bytes_max);
}

TEST_F(ConfigReaderTest, MqttSettingsComeFromPabalMqttThenTheUri) {
  const auto loaded = load(broker(
      "<transportConnectors><transportConnector uri='mqtt://:0?transport.defaultKeepAlive=1500&amp;"
      "transport.activeMQSubscriptionPrefetch=7&amp;transport.publishDollarTopics=true&amp;"
      "transport.subscriptionStrategy=mqtt-default-subscriptions'/>"
      "<transportConnector uri='ws://:0?transport.activeMQSubscriptionPrefetch=-1'/>"
      "</transportConnectors><pabalMqtt prefetch='5'/>"));
  ASSERT_TRUE(loaded) << loaded.error().text;
  EXPECT_TRUE(loaded->findings.empty()) << all_findings(*loaded);
  const MqttSettings& mqtt = loaded->config.listeners.at(0).mqtt;
  EXPECT_EQ(mqtt.default_keep_alive, 2);
  EXPECT_EQ(mqtt.prefetch, 7U);
  EXPECT_TRUE(mqtt.publish_dollar_topics);
  MqttSettings web;
  web.prefetch = 5;
  EXPECT_EQ(loaded->config.listeners.at(1).mqtt, web);

  const auto queues =
      load(connector("mqtt://h:1?transport.subscriptionStrategy=mqtt-virtual-topic-subscriptions"));
  ASSERT_TRUE(queues);
  EXPECT_EQ(count(*queues, Severity::warning), 1) << all_findings(*queues);
}

TEST_F(ConfigReaderTest, HugeFrameLimitsOfOldFilesAreLowered) {
  const auto loaded = load(connector("stomp://h:1?wireFormat.maxFrameSize=9223372036854775807"));
  ASSERT_TRUE(loaded);
  EXPECT_EQ(loaded->config.listeners.at(0).stomp.frame_bytes_max, 1ULL << 30);
  EXPECT_EQ(count(*loaded, Severity::warning), 1);
}

TEST_F(ConfigReaderTest, PortsAreNumbersOrOff) {
  for (const char* uri : {"stomp://h:OFF", "ws://h:off/path", "ssl://h:off", "mqtt://h:off"}) {
    const auto loaded = load(connector(uri));
    ASSERT_TRUE(loaded) << uri;
    EXPECT_TRUE(loaded->config.listeners.empty());
    EXPECT_TRUE(loaded->findings.empty()) << all_findings(*loaded);
  }
  for (const char* uri : {"stomp://h", "stomp://h:", "stomp://h:65536", "stomp://h:-1",
                          "stomp://h:x", "stomp://[::1:1", "stomp:", "nonsense://h:1", "no uri", "",
                          "stomp+nio+nio://h:1", "://h:1", "stomp://h h:1", "stomp://[::1]x:1"}) {
    const auto loaded = load(connector(uri));
    ASSERT_FALSE(loaded) << uri;
    EXPECT_NE(loaded.error().text.find("test.xml:3:21:"), std::string::npos) << loaded.error().text;
  }
  const auto six = load(connector("stomp://[::1]:61613"));
  ASSERT_TRUE(six);
  EXPECT_EQ(six->config.listeners.at(0).host, "::1");
  EXPECT_EQ(six->config.listeners.at(0).port, 61613);
}

TEST_F(ConfigReaderTest, ProtocolsThatAreNotBuiltAreReportedAndNotOpened) {
  for (const char* uri :
       {"amqp://h:1", "http://h:1", "udp://h:1", "vm://localhost", "multicast://default"}) {
    const auto loaded = load(connector(uri));
    ASSERT_TRUE(loaded) << uri;
    ASSERT_EQ(loaded->config.listeners.size(), 1U) << uri;
    EXPECT_FALSE(loaded->config.listeners[0].open) << uri;
    EXPECT_FALSE(loaded->config.listeners[0].closed_because.empty()) << uri;
    EXPECT_EQ(count(*loaded, Severity::warning), 1) << uri;
  }
  for (const char* uri : {"tcp://h:1", "nio://h:1", "auto://h:1", "auto+nio://h:1"}) {
    const auto loaded = load(connector(uri));
    ASSERT_TRUE(loaded) << uri;
    EXPECT_TRUE(loaded->config.listeners.at(0).open) << uri;
    EXPECT_EQ(loaded->config.listeners[0].protocol, Protocol::automatic);
    EXPECT_EQ(loaded->config.listeners[0].name, "openwire");
    EXPECT_EQ(count(*loaded, Severity::warning), 0) << uri;
  }
  const auto alone =
      load(connector("openwire://h:1?wireFormat.maxFrameSize=1000000&amp;"
                     "wireFormat.maxInactivityDuration=5000&amp;"
                     "wireFormat.maxInactivityDurationInitalDelay=700"));
  ASSERT_TRUE(alone);
  const ListenerConfig& listener = alone->config.listeners.at(0);
  EXPECT_EQ(listener.protocol, Protocol::openwire);
  EXPECT_EQ(listener.name, "openwire");
  EXPECT_EQ(listener.openwire.frame_bytes_max, 1'000'000U);
  EXPECT_EQ(listener.openwire.inactivity, std::chrono::milliseconds(5000));
  EXPECT_EQ(listener.openwire.initial_delay, std::chrono::milliseconds(700));
}

TEST_F(ConfigReaderTest, UnknownUriOptionsAreIgnoredWithAWarning) {
  const auto loaded = load(connector("stomp://h:1?transport.colour=red"));
  ASSERT_TRUE(loaded);
  const Finding* finding =
      find(*loaded, "broker/transportConnectors/transportConnector@uri?transport.colour");
  ASSERT_NE(finding, nullptr) << all_findings(*loaded);
  EXPECT_EQ(finding->severity, Severity::warning);
}

TEST_F(ConfigReaderTest, NamesAndPortsAreNotTakenTwice) {
  const auto two = [&](const char* a, const char* b) {
    return load(broker(std::string("<transportConnectors><transportConnector ") + a +
                       "/><transportConnector " + b + "/></transportConnectors>"));
  };
  EXPECT_FALSE(two("name='n' uri='stomp://h:1'", "name='n' uri='stomp://h:2'"));
  EXPECT_FALSE(two("uri='stomp://127.0.0.1:7'", "uri='ws://0.0.0.0:7'"));
  EXPECT_FALSE(two("uri='stomp://127.0.0.1:7'", "uri='ws://localhost:7'"));
  EXPECT_TRUE(two("uri='stomp://127.0.0.1:0'", "uri='ws://127.0.0.1:0'"));
  EXPECT_TRUE(two("uri='stomp://127.0.0.1:7'", "uri='amqp://127.0.0.1:7'"));  // not opened
  const auto unnamed = two("uri='stomp://h:1'", "uri='stomp://h:2'");
  ASSERT_TRUE(unnamed);
  EXPECT_EQ(unnamed->config.listeners.at(0).name, "stomp");
  EXPECT_EQ(unnamed->config.listeners.at(1).name, "stomp-2");
}

TEST_F(ConfigReaderTest, WhatAgreesWithPabalIsNotReportedAndOtherwiseIs) {
  const auto agreeing =
      load(broker("<persistenceAdapter><kahaDB enableJournalDiskSyncs='true' "
                  "journalDiskSyncStrategy='Always'/></persistenceAdapter>",
                  "useJmx='FALSE' advisorySupport='false' start='1'"));
  ASSERT_TRUE(agreeing);
  EXPECT_TRUE(agreeing->findings.empty()) << all_findings(*agreeing);
  const auto other =
      load(broker("<persistenceAdapter><kahaDB enableJournalDiskSyncs='false' "
                  "indexCacheSize='5'/></persistenceAdapter>",
                  "useJmx='true' advisorySupport='true'"));
  ASSERT_TRUE(other);
  EXPECT_EQ(count(*other, Severity::warning), 2) << all_findings(*other);
  EXPECT_EQ(count(*other, Severity::note), 1) << all_findings(*other);
}

TEST_F(ConfigReaderTest, HonouredWordsInsideWhatIsNotBuiltChangeNothing) {
  const auto loaded = load(
      broker("<persistenceAdapter><mKahaDB><filteredPersistenceAdapters><filteredKahaDB queue='>'>"
             "<persistenceAdapter><kahaDB directory='/elsewhere' journalMaxFileLength='2mb'/>"
             "</persistenceAdapter></filteredKahaDB></filteredPersistenceAdapters></mKahaDB>"
             "</persistenceAdapter><networkConnectors><networkConnector uri='static:(tcp://h:1)'>"
             "<excludedDestinations><queue physicalName='secret'/></excludedDestinations>"
             "</networkConnector></networkConnectors>"));
  ASSERT_TRUE(loaded) << loaded.error().text;
  EXPECT_EQ(loaded->config.store.directory, "data/store");
  EXPECT_EQ(loaded->config.store.segment_bytes, StoreSettings{}.segment_bytes);
  EXPECT_TRUE(loaded->config.destinations.empty());
  EXPECT_GE(count(*loaded, Severity::warning), 6) << all_findings(*loaded);
}

}  // namespace
}  // namespace pabal::server
