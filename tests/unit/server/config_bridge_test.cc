// networkConnectors to MQTT brokers: what is read, and what is wrong where.

#include <algorithm>

#include <gmock/gmock.h>

#include "tests/unit/server/config_support.h"

namespace pabal::server {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

class ConfigBridgeTest : public ConfigTest {
 protected:
  static std::string with(const std::string& connectors) {
    return broker("<networkConnectors>\n" + connectors + "\n</networkConnectors>");
  }
  /// The first finding of a text, as people see it: "12:5 error: text".
  std::string found(const std::string& connectors) {
    const auto loaded = examine(with(connectors));
    if (loaded.findings.empty()) return {};
    const Finding& first = loaded.findings.front();
    return std::to_string(first.location.line) + ':' + std::to_string(first.location.column) + ' ' +
           std::string(to_string(first.severity)) + ": " + first.text;
  }
};

TEST_F(ConfigBridgeTest, EverythingIsRead) {
  const auto loaded = load(
      with("<networkConnector name='cloud' uri='mqtt://far.example:1884?version=3.1.1&amp;"
           "initialReconnectDelay=20&amp;maxReconnectDelay=30&amp;useExponentialBackOff=false&amp;"
           "backOffMultiplier=1.5' userName='me' password='secret' pabalClientId='c'"
           " pabalKeepAlive='7' pabalInFlightMax='8' pabalAttemptsMax='9'>\n"
           "<pabalOut topic='a/#' qos='2' localPrefix='l/' remotePrefix='r/'/>\n"
           "<pabalIn topic='b/+'/>\n"
           "</networkConnector>\n<networkConnector name='other' uri='mqtt://[::1]'/>"));
  ASSERT_TRUE(loaded) << loaded.error().text;
  ASSERT_EQ(loaded->config.bridges.size(), 2U);
  const BridgeConfig& bridge = loaded->config.bridges[0];
  EXPECT_EQ(bridge.name, "cloud");
  EXPECT_EQ(bridge.host, "far.example");
  EXPECT_EQ(bridge.port, 1884);
  EXPECT_FALSE(bridge.version_5);
  EXPECT_EQ(bridge.user_name, "me");
  EXPECT_EQ(bridge.password, "secret");
  EXPECT_EQ(bridge.client_id, "c");
  EXPECT_EQ(bridge.keep_alive, 7);
  EXPECT_EQ(bridge.in_flight_max, 8);
  EXPECT_EQ(bridge.attempts_max, 9U);
  EXPECT_EQ(bridge.initial_reconnect_delay, milliseconds(20));
  EXPECT_EQ(bridge.max_reconnect_delay, milliseconds(30));
  EXPECT_FALSE(bridge.use_exponential_back_off);
  EXPECT_EQ(bridge.back_off_multiplier, 1.5);
  ASSERT_EQ(bridge.out.size(), 1U);
  EXPECT_EQ(bridge.out[0].topic, "a/#");
  EXPECT_EQ(bridge.out[0].qos, 2);
  EXPECT_EQ(bridge.out[0].local_prefix, "l/");
  EXPECT_EQ(bridge.out[0].remote_prefix, "r/");
  ASSERT_EQ(bridge.in.size(), 1U);
  EXPECT_EQ(bridge.in[0].topic, "b/+");
  EXPECT_EQ(bridge.in[0].qos, 1);
  const BridgeConfig& other = loaded->config.bridges[1];
  EXPECT_EQ(other.host, "::1");
  EXPECT_EQ(other.port, 1883);
  EXPECT_TRUE(other.version_5);
  EXPECT_FALSE(other.user_name);
  EXPECT_TRUE(other.out.empty());
}

TEST_F(ConfigBridgeTest, WhatIsWrongIsSaidWithItsPlace) {
  const auto one = [](const std::string& routes, const std::string& query = "") {
    return "<networkConnector name='b' uri='mqtt://h" + query + "'>\n" + routes +
           "\n</networkConnector>";
  };
  struct Case {
    std::string text;
    const char* found;
  };
  const Case cases[] = {
      {"<networkConnector uri='mqtt://h'><pabalOut topic='t'/></networkConnector>",
       "3:1 error: attribute 'name' is missing"},
      {"<networkConnector name='b' uri='mqtt://:1'/>", "3:28 error: not a URI"},
      {"<networkConnector name='b' uri='mqtt://h:0'/>", "3:28 error: not a URI"},
      {"<networkConnector name='b' uri='mqtt://me:secret@h'/>",
       "3:28 error: user name and password do not stand in a URI"},
      {"<networkConnector name='b' uri='mqtts://h'/>", "3:28 guard: guards access"},
      {one("<pabalOut topic='t'/>", "?version=4"), "3:28 error: "},
      {one("<pabalOut topic='t'/>", "?keepAlive=4"), "3:28 warning: unknown option"},
      {one(""), "3:1 warning: it forwards nothing"},
      {one("<pabalOut/>"), "4:1 error: attribute 'topic' is missing"},
      {one("<pabalOut topic='a/#/b'/>"), "4:1 error: 'a/#/b' is no topic filter"},
      {one("<pabalIn topic='a' localPrefix='+/'/>"), "4:1 error: a prefix has no wildcards: '+/'"},
      {one("<pabalOut topic='$SYS/#'/>"), "4:1 error: only topics go out"},
      {one("<pabalIn topic='$share/g/a'/>"), "4:1 error: a bridge has no shared subscriptions"},
      {one("<pabalOut topic='a' qos='3'/>"), "4:21 error: "},
      {one("<pabalOut topic='a/#'/>\n<pabalOut topic='a/+/c'/>"),
       "5:1 error: the topic 'a/+/c' overlaps with 'a/#' at "},
      {one("<pabalOut topic='a/#'/>\n<pabalIn topic='a/b'/>", "?version=3.1.1"),
       "5:1 error: with version=3.1.1 the other broker would send back"},
      {"<networkConnector name='b' uri='mqtt://h'><pabalOut topic='t'/></networkConnector>\n"
       "<networkConnector name='b' uri='mqtt://g'><pabalOut topic='t'/></networkConnector>",
       "4:1 error: the name 'b' is taken by the bridge at "},
      {"<networkConnector name='b' uri='static:(tcp://h:61616)'/>", "3:1 "},
  };
  for (const Case& each : cases) {
    EXPECT_THAT(found(each.text), testing::StartsWith(each.found)) << each.text;
  }
  EXPECT_EQ(found(one("<pabalOut topic='a/#'/>\n<pabalIn topic='a/b'/>")), "");
}

/// Goal: a changed password is seen to be changed, by whoever reads the log, and is not shown.
TEST_F(ConfigBridgeTest, AChangeNeedsARestartAndShowsNoPassword) {
  const auto text = [](const std::string& attributes) {
    return with("<networkConnector name='b' uri='mqtt://h' " + attributes +
                "><pabalOut topic='t'/></networkConnector>");
  };
  const auto before = load(text("userName='me' password='first'"));
  const auto after = load(text("userName='me' password='second' pabalKeepAlive='7'"));
  const auto without = load(broker(""));
  ASSERT_TRUE(before && after && without);
  EXPECT_TRUE(diff(before->config, before->config).empty());
  const auto changes = diff(before->config, after->config);
  ASSERT_EQ(changes.size(), 2U);
  for (const auto& list :
       {changes, diff(before->config, without->config), diff(without->config, before->config)}) {
    EXPECT_FALSE(list.empty());
    for (const Change& change : list) {
      EXPECT_FALSE(change.reloadable) << change.path;
      for (const std::string& shown : {change.before, change.after}) {
        EXPECT_THAT(shown, testing::Not(HasSubstr("first"))) << change.path;
        EXPECT_THAT(shown, testing::Not(HasSubstr("second"))) << change.path;
      }
    }
  }
}

}  // namespace
}  // namespace pabal::server
