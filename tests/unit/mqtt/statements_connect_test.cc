#include "protocols/mqtt/packet_encoder.h"
#include "tests/unit/mqtt/mqtt_fixture.h"

// Statements of the specifications about connections, sessions and wills (CONFORMANCE.md). What is
// said of all levels is tested at all.

namespace pabal::mqtt {
namespace {

constexpr QoS kQoS0 = QoS::at_most_once;
constexpr QoS kQoS1 = QoS::at_least_once;
constexpr Level kLevels[] = {Level::v3_1, Level::v3_1_1, Level::v5};

class MqttConnectTest : public MqttFixture {
 protected:
  std::size_t connect_at(Level level, std::string_view client_id, bool clean) {
    Visit visit;
    visit.level = level;
    visit.clean = clean;
    visit.expiry = clean ? 0 : 3600;
    return connect(client_id, visit);
  }
  std::string bytes_of(const Packet& packet, Level level = Level::v5) {
    std::string bytes;
    EXPECT_TRUE(append_packet(bytes, packet, level));
    return bytes;
  }
  std::optional<core::milliseconds> ask_timer(std::size_t peer, std::int64_t idle) {
    return broker_.peer(peer).session->on_timer(core::milliseconds(idle), core::milliseconds(0),
                                                *broker_.peer(peer).wire);
  }
};

TEST_F(MqttConnectTest, CleanStartDiscardsTheSession) {
  for (const Level level : kLevels) {
    auto peer = connect_at(level, "a", false);
    subscribe(peer, "t", kQoS1);
    broker_.drop(peer);
    publish(connect("sender"), "t", "old", kQoS1, 1);
    broker_.sync();
    peer = connect_at(level, "a", true);
    EXPECT_THAT(connack_, StartsWith("CONNACK 0x00"));
    EXPECT_THAT(all_of(peer), IsEmpty());
    broker_.drop(peer);
    peer = connect_at(level, "a", false);
    EXPECT_THAT(connack_, StartsWith("CONNACK 0x00"));
    EXPECT_THAT(all_of(peer), IsEmpty());
    broker_.drop(peer);
    connect_at(level, "a", true);
  }
}

TEST_F(MqttConnectTest, ACleanSessionEndsWithItsConnection) {
  for (const Level level : kLevels) {
    auto peer = connect_at(level, "a", true);
    subscribe(peer, "t", kQoS1);
    broker_.drop(peer);
    publish(connect("sender"), "t", "x", kQoS1, 1);
    peer = connect_at(level, "a", false);
    EXPECT_THAT(connack_, StartsWith("CONNACK 0x00"));
    EXPECT_THAT(all_of(peer), IsEmpty());
    broker_.drop(peer);
    connect_at(level, "a", true);
  }
}

TEST_F(MqttConnectTest, TheClientIdentifierIsThatOfTheSession) {
  for (const Level level : {Level::v3_1_1, Level::v5}) {
    broker_.drop(connect_at(level, "a", false));
    connect_at(level, "A", false);
    EXPECT_THAT(connack_, StartsWith("CONNACK 0x00"));
    connect_at(level, "a", false);
    EXPECT_THAT(connack_, StartsWith("CONNACK session-present 0x00"));
    connect_at(level, "a", true);
    connect_at(level, "A", true);
  }
}

TEST_F(MqttConnectTest, GivesEachItsOwnClientIdentifier) {
  std::set<std::string> assigned;
  for (int i = 0; i < 3; ++i) {
    connect("");
    assigned.insert(connack_.substr(connack_.find("Assigned Client Identifier=")));
  }
  EXPECT_EQ(assigned.size(), 3U);
  const auto peer = connect("", Level::v3_1_1);
  EXPECT_EQ(connack_, "CONNACK 0x00");
  EXPECT_FALSE(broker_.closed(peer));
}

TEST_F(MqttConnectTest, RefusesAnIdentifierThatAnotherProtocolHas) {
  core::engine_role.assert_held();
  core::ConnectOptions options;
  options.client_id = "taken";
  ASSERT_TRUE(broker_.engine().connect(options));
  auto peer = connect("taken");
  EXPECT_THAT(connack_, StartsWith("CONNACK 0x85"));
  EXPECT_TRUE(broker_.closed(peer));
  peer = connect("taken", Level::v3_1_1);
  EXPECT_EQ(connack_, "CONNACK 0x85");  // written as return code 2
  EXPECT_TRUE(broker_.closed(peer));
}

TEST_F(MqttConnectTest, ARefusalSaysNothingOfTheSession) {
  broker_.drop(connect_at(Level::v5, "a", false));
  const auto peer = broker_.accept(Level::v5);
  Connect packet;
  packet.client_id = "a";
  packet.clean_start = false;
  packet.properties.set(PropertyId::authentication_method, "unknown");
  broker_.send(peer, packet);
  EXPECT_THAT(take(peer), ElementsAre("CONNACK 0x8C"));
  EXPECT_TRUE(broker_.closed(peer));
}

TEST_F(MqttConnectTest, NothingBehindARefusedConnectIsProcessed) {
  const auto watch = connect("watch");
  subscribe(watch, "t", kQoS0);
  take(watch);
  Publish message;
  message.topic = "t";
  Connect refused;
  refused.client_id = "a";
  refused.properties.set(PropertyId::authentication_method, "unknown");
  auto peer = broker_.accept(Level::v5);
  broker_.receive(peer, bytes_of(refused) + bytes_of(message));
  EXPECT_THAT(take(peer), ElementsAre("CONNACK 0x8C"));
  core::engine_role.assert_held();
  core::ConnectOptions options;
  options.client_id = "taken";
  ASSERT_TRUE(broker_.engine().connect(options));
  Connect four;
  four.level = Level::v3_1_1;
  four.client_id = "taken";
  peer = broker_.accept(Level::v3_1_1);
  broker_.receive(peer, bytes_of(four, Level::v3_1_1) + bytes_of(message, Level::v3_1_1));
  EXPECT_EQ(broker_.take_bytes(peer), std::string("\x20\x02\x00\x02", 4));
  EXPECT_THAT(take(watch), IsEmpty());
}

TEST_F(MqttConnectTest, ConnackIsFirst) {
  for (const Level level : kLevels) {
    const auto peer = broker_.accept(level);
    Connect hello;
    hello.level = level;
    hello.client_id = "a";
    hello.clean_start = false;
    if (level == Level::v5) hello.properties.set(PropertyId::session_expiry, 100);
    Publish message;
    message.topic = "t";
    message.qos = kQoS1;
    message.packet_id = 1;
    broker_.receive(peer,
                    bytes_of(hello, level) + bytes_of(message, level) + bytes_of(Pingreq{}, level));
    EXPECT_THAT(take(peer), IsEmpty());  // the session is not durable yet
    broker_.sync();
    const auto got = take(peer);
    ASSERT_EQ(got.size(), 3U);
    EXPECT_THAT(got[0], StartsWith("CONNACK 0x00"));
    connect_at(level, "a", true);
  }
}

TEST_F(MqttConnectTest, ClosesAtABrokenConnect) {
  for (const Level level : kLevels) {
    Connect hello;
    hello.level = level;
    hello.client_id = "a";
    std::string bytes = bytes_of(hello, level);
    bytes[0] = '\x11';  // a reserved flag
    const auto peer = broker_.accept(level);
    broker_.receive(peer, bytes);
    EXPECT_EQ(broker_.take_bytes(peer), "");
    EXPECT_TRUE(broker_.closed(peer));
  }
}

TEST_F(MqttConnectTest, ClosesAtABrokenPacket) {
  for (const Level level : kLevels) {
    const auto peer = connect("a", level);
    broker_.receive(peer, std::string("\xC0\x01\x00", 3));  // PINGREQ with a body
    if (level == Level::v5) {
      EXPECT_THAT(take(peer), ElementsAre(StartsWith("DISCONNECT 0x81")));
    } else {
      EXPECT_EQ(broker_.take_bytes(peer), "");
    }
    EXPECT_TRUE(broker_.closed(peer));
    broker_.receive(peer, bytes_of(Pingreq{}, level));
    EXPECT_EQ(broker_.take_bytes(peer), "");  // nothing behind DISCONNECT
  }
}

TEST_F(MqttConnectTest, ClosesAtASecondConnectAtEveryLevel) {
  for (const Level level : kLevels) {
    const auto peer = connect("a", level);
    Connect again;
    again.level = level;
    again.client_id = "a";
    broker_.send(peer, again);
    const auto got = take(peer);
    EXPECT_EQ(got.size(), level == Level::v5 ? 1U : 0U);
    EXPECT_TRUE(broker_.closed(peer));
  }
}

TEST_F(MqttConnectTest, TheServersDisconnectHasNoSessionExpiry) {
  const auto first = connect_at(Level::v5, "a", false);
  connect_at(Level::v5, "a", false);
  const auto got = take(first);
  ASSERT_EQ(got.size(), 1U);
  EXPECT_THAT(got[0], StartsWith("DISCONNECT 0x8E"));
  EXPECT_THAT(got[0], testing::Not(testing::HasSubstr("Session Expiry")));
}

TEST_F(MqttConnectTest, ClosesTheOlderConnectionAtEveryLevel) {
  for (const Level level : kLevels) {
    const auto first = connect_at(level, "a", true);
    const auto second = connect_at(level, "a", true);
    EXPECT_TRUE(broker_.closed(first));
    EXPECT_FALSE(broker_.closed(second));
    broker_.drop(second);
  }
}

TEST_F(MqttConnectTest, EndsASilentClientAtEveryLevel) {
  for (const Level level : kLevels) {
    Visit visit;
    visit.level = level;
    visit.keep_alive = 10;
    const auto peer = connect("a", visit);
    EXPECT_EQ(ask_timer(peer, 14'999), core::milliseconds(1));
    EXPECT_EQ(ask_timer(peer, 15'000), std::nullopt);
    EXPECT_TRUE(broker_.closed(peer));
    broker_.drop(peer);
  }
  EXPECT_EQ(ask_timer(connect("b"), 1'000'000'000), std::nullopt);  // a keep alive of 0
}

TEST_F(MqttConnectTest, ShortensTheKeepAliveAndSaysSo) {
  broker_.options().keep_alive_max = 30;
  for (const std::uint16_t wanted : {0, 20, 60}) {
    Visit visit;
    visit.keep_alive = wanted;
    const auto peer = connect("a", visit);
    const bool changed = wanted == 0 || wanted > 30;
    EXPECT_EQ(connack_.find("Server Keep Alive=30") != std::string::npos, changed);
    EXPECT_EQ(ask_timer(peer, 0), core::milliseconds(changed ? 45'000 : 30'000));
    broker_.drop(peer);
  }
}

/// Longer than 23 bytes they may be [MQTT-3.1.3-6], and not of any length.
TEST_F(MqttConnectTest, RefusesClientIdsThatAreTooLong) {
  for (const Level level : kLevels) {
    for (const std::size_t size : {23U, 1024U, 1025U, 60'000U}) {
      Visit visit;
      visit.level = level;
      const auto peer = connect(std::string(size, 'c'), visit);
      const bool refused = size > 1024;
      EXPECT_EQ(broker_.closed(peer), refused) << size;
      EXPECT_EQ(connack_ == "CONNACK 0x85", refused) << connack_;
      broker_.drop(peer);
    }
  }
}

/// As ActiveMQ's transport.defaultKeepAlive, at every level; who may be told is.
TEST_F(MqttConnectTest, WatchesWhoAsksForNoKeepAliveIfTheBrokerWantsIt) {
  broker_.options().default_keep_alive = 20;
  for (const Level level : kLevels) {
    for (const std::uint16_t wanted : {0, 50}) {
      Visit visit;
      visit.level = level;
      visit.keep_alive = wanted;
      const auto peer = connect("a", visit);
      const bool told = connack_.find("Server Keep Alive=20") != std::string::npos;
      EXPECT_EQ(told, level == Level::v5 && wanted == 0);
      EXPECT_EQ(ask_timer(peer, 0), core::milliseconds(wanted == 0 ? 30'000 : 75'000));
      broker_.drop(peer);
    }
  }
}

TEST_F(MqttConnectTest, GivesNoResponseInformation) {
  for (const std::uint32_t wanted : {0U, 1U}) {
    const auto peer = broker_.accept(Level::v5);
    Connect packet;
    packet.client_id = "a";
    packet.properties.set(PropertyId::request_response_information, wanted);
    broker_.send(peer, packet);
    EXPECT_THAT(take(peer), ElementsAre(testing::Not(testing::HasSubstr("Response Information"))));
  }
}

TEST_F(MqttConnectTest, GivesNoReasonStringsToWhoDoesNotWantThem) {
  const auto peer = broker_.accept(Level::v5);
  Connect packet;
  packet.client_id = "a";
  packet.properties.set(PropertyId::request_problem_information, 0);
  broker_.send(peer, packet);
  take(peer);
  publish(peer, "$SYS/x", "x", kQoS1, 1);
  subscribe(peer, "$share/g/$queue/x", kQoS1);
  unsubscribe(peer, "never");
  EXPECT_THAT(take(peer),
              ElementsAre("PUBACK id=1 0x87", "SUBACK id=1 0x8F", "UNSUBACK id=9 0x11"));
}

TEST_F(MqttConnectTest, AWillIsGoneWhenItIsSentOrDisconnectCame) {
  const auto watch = connect("watch");
  subscribe(watch, "w", kQoS0);
  take(watch);
  for (const Level level : kLevels) {
    Visit visit;
    visit.level = level;
    visit.clean = false;
    visit.expiry = 3600;
    visit.will = "w";
    broker_.drop(connect("a", visit));
    broker_.sync();
    EXPECT_EQ(take(watch).size(), 1U);
    broker_.drop(connect_at(level, "a", false));  // the same session, and no will any more
    broker_.sync();
    EXPECT_THAT(take(watch), IsEmpty());
    const auto peer = connect("a", visit);
    broker_.send(peer, Disconnect{});
    broker_.sync();
    broker_.advance(std::chrono::hours(1));
    EXPECT_THAT(take(watch), IsEmpty());
    connect_at(level, "a", true);
  }
}

TEST_F(MqttConnectTest, AWillIsRetainedIfThatWasAskedFor) {
  for (const Level level : kLevels) {
    for (const bool retain : {false, true}) {
      Visit visit;
      visit.level = level;
      visit.will = "w";
      visit.will_retain = retain;
      broker_.drop(connect("a", visit));
      broker_.sync();
      const auto watch = connect("watch");
      subscribe(watch, "w", kQoS0);
      auto got = take(watch);
      ASSERT_EQ(got.size(), retain ? 2U : 1U);
      if (retain) {
        EXPECT_EQ(got[1], "PUBLISH qos=0 retain topic=\"w\" payload=\"gone\"");
      }
      publish(watch, "w", "", kQoS0, 0, true);
      broker_.drop(watch);
    }
  }
}

TEST_F(MqttConnectTest, AWillIsNotSentIfTheSessionGoesOnInTime) {
  const auto watch = connect("watch");
  subscribe(watch, "w", kQoS0);
  take(watch);
  Visit visit;
  visit.clean = false;
  visit.expiry = 3600;
  visit.will = "w";
  visit.will_delay = 10;
  broker_.drop(connect("a", visit));
  broker_.advance(std::chrono::seconds(9));
  connect_at(Level::v5, "a", false);
  broker_.advance(std::chrono::seconds(100));
  broker_.sync();
  EXPECT_THAT(take(watch), IsEmpty());
}

TEST_F(MqttConnectTest, AWillIsSentAtTheEndOfItsSessionAtTheLatest) {
  const auto watch = connect("watch");
  subscribe(watch, "w", kQoS0);
  take(watch);
  Visit visit;
  visit.clean = false;
  visit.expiry = 10;
  visit.will = "w";
  visit.will_delay = 100;
  broker_.drop(connect("a", visit));
  broker_.advance(std::chrono::seconds(11));
  broker_.sync();
  EXPECT_EQ(take(watch).size(), 1U);
}

TEST_F(MqttConnectTest, AWillKeepsItsPropertiesInTheirOrder) {
  const auto watch = connect("watch");
  subscribe(watch, "w", kQoS0);
  take(watch);
  Connect packet;
  packet.client_id = "a";
  packet.will = Will{};
  packet.will->topic = "w";
  packet.will->payload = "gone";
  packet.will->properties.set(PropertyId::content_type, "text/x");
  std::string user;
  for (const std::string_view value : {"1", "2", "3"}) {
    append_user_property(user, value == "2" ? "b" : "a", value);
  }
  packet.will->properties.user = UserProperties(user, 3);
  const auto peer = broker_.accept(Level::v5);
  broker_.send(peer, packet);
  broker_.drop(peer);
  broker_.sync();
  EXPECT_THAT(take(watch),
              ElementsAre("PUBLISH qos=0 topic=\"w\" payload=\"gone\" {Content Type=\"text/x\", "
                          "\"a\": \"1\", \"b\": \"2\", \"a\": \"3\"}"));
}

TEST_F(MqttConnectTest, NoWillIsSentForWhoHasNone) {
  const auto watch = connect("watch");
  subscribe(watch, "#", kQoS0);
  take(watch);
  for (const Level level : kLevels) {
    broker_.drop(connect_at(level, "a", true));
    broker_.sync();
    EXPECT_THAT(take(watch), IsEmpty());
  }
}

}  // namespace
}  // namespace pabal::mqtt
