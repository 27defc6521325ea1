#include "tests/unit/mqtt/mqtt_fixture.h"

// Connections, and messages of all QoS with sessions that end with them.

namespace pabal::mqtt {
namespace {

constexpr QoS kQoS0 = QoS::at_most_once;
constexpr QoS kQoS1 = QoS::at_least_once;
constexpr QoS kQoS2 = QoS::exactly_once;

class MqttSessionTest : public MqttFixture {};

TEST_F(MqttSessionTest, AnnouncesItsLimitsInConnack) {
  connect("a");
  EXPECT_EQ(connack_, "CONNACK 0x00 {Receive Maximum=1000, Topic Alias Maximum=100}");
  connect("b", Level::v3_1_1);
  EXPECT_EQ(connack_, "CONNACK 0x00");
  connect("c", Level::v3_1);
  EXPECT_EQ(connack_, "CONNACK 0x00");
}

TEST_F(MqttSessionTest, MakesUpAClientIdentifier) {
  const auto peer = connect("");
  EXPECT_THAT(connack_, testing::HasSubstr("Assigned Client Identifier="));
  EXPECT_FALSE(broker_.closed(peer));
}

TEST_F(MqttSessionTest, RefusesAnotherLevelInItsForm) {
  const auto peer = broker_.accept(Level::v3_1_1);
  broker_.receive(peer, std::string("\x10\x0D\x00\x04MQTT\x09\x02\x00\x00\x00\x01x", 15));
  EXPECT_EQ(broker_.take_bytes(peer), std::string("\x20\x03\x00\x84\x00", 5));
  EXPECT_TRUE(broker_.closed(peer));
}

TEST_F(MqttSessionTest, SaysNothingToWhoDoesNotBeginWithConnect) {
  const auto peer = broker_.accept(Level::v5);
  broker_.receive(peer, std::string("\xC0\x00", 2));
  EXPECT_EQ(broker_.take_bytes(peer), "");
  EXPECT_TRUE(broker_.closed(peer));
}

TEST_F(MqttSessionTest, EndsAConnectionAtASecondConnect) {
  const auto peer = connect("a");
  Connect again;
  again.client_id = "a";
  broker_.send(peer, again);
  EXPECT_THAT(take(peer), ElementsAre(StartsWith("DISCONNECT 0x82")));
  EXPECT_TRUE(broker_.closed(peer));
}

TEST_F(MqttSessionTest, RefusesAnAuthenticationMethod) {
  const auto peer = broker_.accept(Level::v5);
  Connect packet;
  packet.client_id = "a";
  packet.properties.set(PropertyId::authentication_method, "SCRAM-SHA-1");
  broker_.send(peer, packet);
  EXPECT_THAT(take(peer), ElementsAre("CONNACK 0x8C"));
  EXPECT_TRUE(broker_.closed(peer));
}

TEST_F(MqttSessionTest, AnswersPing) {
  const auto peer = connect("a", Level::v3_1_1);
  broker_.send(peer, Pingreq{});
  EXPECT_THAT(take(peer), ElementsAre("PINGRESP"));
}

TEST_F(MqttSessionTest, DeliversAtTheLowerOfBothQoS) {
  const auto sender = connect("sender");
  const QoS all[] = {kQoS0, kQoS1, kQoS2};
  for (const QoS granted : all) {
    const std::string topic = "t/" + std::to_string(static_cast<int>(granted));
    const auto peer = connect("peer" + topic);
    subscribe(peer, topic, granted);
    EXPECT_THAT(take(peer), ElementsAre("SUBACK id=1 0x0" + topic.substr(2)));
    for (const QoS sent : all) {
      publish(sender, topic, "x", sent, sent == kQoS0 ? 0 : 1);
      if (sent == kQoS2) acknowledge<Pubrel>(sender, 1);
      const int expected = std::min(static_cast<int>(granted), static_cast<int>(sent));
      const auto got = take(peer);
      ASSERT_EQ(got.size(), 1U);
      EXPECT_THAT(got.front(), StartsWith("PUBLISH qos=" + std::to_string(expected)));
    }
  }
}

TEST_F(MqttSessionTest, AnswersQoS1WithPuback) {
  const auto peer = connect("a");
  publish(peer, "t", "x", kQoS1, 7);
  EXPECT_THAT(take(peer), ElementsAre("PUBACK id=7 0x00"));
}

TEST_F(MqttSessionTest, TakesAQoS2PublishOnceUntilItIsReleased) {
  const auto sender = connect("sender");
  const auto peer = connect("peer");
  subscribe(peer, "t", kQoS0);
  take(peer);
  publish(sender, "t", "x", kQoS2, 7);
  publish(sender, "t", "x", kQoS2, 7);
  EXPECT_THAT(take(sender), ElementsAre("PUBREC id=7 0x00", "PUBREC id=7 0x00"));
  EXPECT_EQ(take(peer).size(), 1U);
  acknowledge<Pubrel>(sender, 7);
  acknowledge<Pubrel>(sender, 7);
  EXPECT_THAT(take(sender), ElementsAre("PUBCOMP id=7 0x00", "PUBCOMP id=7 0x92"));
  publish(sender, "t", "y", kQoS2, 7);
  EXPECT_EQ(take(peer).size(), 1U);
}

TEST_F(MqttSessionTest, DeliversQoS2InItsSteps) {
  const auto sender = connect("sender");
  const auto peer = connect("peer");
  subscribe(peer, "t", kQoS2);
  take(peer);
  publish(sender, "t", "x", kQoS2, 1);
  EXPECT_THAT(take(peer), ElementsAre("PUBLISH qos=2 id=1 topic=\"t\" payload=\"x\""));
  acknowledge<Pubrec>(peer, 1);
  EXPECT_THAT(take(peer), ElementsAre("PUBREL id=1 0x00"));
  acknowledge<Pubcomp>(peer, 1);
  EXPECT_THAT(take(peer), IsEmpty());
}

TEST_F(MqttSessionTest, SendsNoMoreThanTheReceiveMaximum) {
  const auto sender = connect("sender");
  Visit visit;
  visit.receive_maximum = 2;
  const auto peer = connect("peer", visit);
  subscribe(peer, "t", kQoS2);
  take(peer);
  for (std::uint16_t id = 1; id <= 4; ++id) publish(sender, "t", std::to_string(id), kQoS2, id);
  EXPECT_THAT(take(peer), ElementsAre("PUBLISH qos=2 id=1 topic=\"t\" payload=\"1\"",
                                      "PUBLISH qos=2 id=2 topic=\"t\" payload=\"2\""));
  acknowledge<Pubrec>(peer, 1);  // PUBCOMP gives the quota back, not PUBREC
  EXPECT_THAT(take(peer), ElementsAre("PUBREL id=1 0x00"));
  acknowledge<Pubcomp>(peer, 1);
  EXPECT_THAT(take(peer), ElementsAre("PUBLISH qos=2 id=1 topic=\"t\" payload=\"3\""));
  acknowledge<Pubrec>(peer, 2, ReasonCode::unspecified_error);
  EXPECT_THAT(take(peer), ElementsAre("PUBLISH qos=2 id=2 topic=\"t\" payload=\"4\""));
}

TEST_F(MqttSessionTest, EndsWhoExceedsOurReceiveMaximum) {
  broker_.options().receive_maximum = 2;
  const auto peer = connect("a");
  for (std::uint16_t id = 1; id <= 3; ++id) publish(peer, "t", "x", kQoS2, id);
  const auto got = take(peer);
  ASSERT_EQ(got.size(), 3U);
  EXPECT_THAT(got.back(), StartsWith("DISCONNECT 0x93"));
}

TEST_F(MqttSessionTest, DropsWhatIsLargerThanTheClientTakes) {
  const auto sender = connect("sender");
  Visit visit;
  visit.packet_bytes_max = 100;
  visit.receive_maximum = 1;
  const auto peer = connect("peer", visit);
  subscribe(peer, "t", kQoS1);
  take(peer);
  publish(sender, "t", std::string(200, 'x'), kQoS1, 1);
  publish(sender, "t", "small", kQoS1, 2);
  EXPECT_THAT(take(peer), ElementsAre("PUBLISH qos=1 id=1 topic=\"t\" payload=\"small\""));
}

TEST_F(MqttSessionTest, UsesTopicAliasesInBothDirections) {
  const auto sender = connect("sender");
  Visit visit;
  visit.topic_alias_maximum = 1;
  const auto peer = connect("peer", visit);
  subscribe(peer, "#", kQoS0);
  take(peer);
  Publish packet;
  packet.topic = "long/topic";
  packet.payload = "1";
  packet.properties.set(PropertyId::topic_alias, 5);
  broker_.send(sender, packet);
  packet.topic = "";
  broker_.send(sender, packet);
  publish(sender, "other", "2");
  EXPECT_THAT(take(peer),
              ElementsAre("PUBLISH qos=0 topic=\"long/topic\" payload=\"1\" {Topic Alias=1}",
                          "PUBLISH qos=0 topic=\"\" payload=\"1\" {Topic Alias=1}",
                          "PUBLISH qos=0 topic=\"other\" payload=\"2\""));
  packet.properties.set(PropertyId::topic_alias, 6);
  broker_.send(sender, packet);
  EXPECT_THAT(take(sender), ElementsAre(StartsWith("DISCONNECT 0x82")));
  const auto second = connect("second");
  packet.topic = "t";
  packet.properties.set(PropertyId::topic_alias, 101);
  broker_.send(second, packet);
  EXPECT_THAT(take(second), ElementsAre(StartsWith("DISCONNECT 0x94")));
}

TEST_F(MqttSessionTest, KeepsEveryProperty) {
  const auto sender = connect("sender");
  const auto peer = connect("peer");
  subscribe(peer, "t", kQoS0);
  take(peer);
  Publish packet;
  packet.topic = "t";
  packet.payload = std::string_view("\0\xFF", 2);
  packet.properties.set(PropertyId::payload_format, 1);
  packet.properties.set(PropertyId::message_expiry, 60);
  packet.properties.set(PropertyId::content_type, "image/x");
  packet.properties.set(PropertyId::response_topic, "$queue/a.b/c");
  packet.properties.set(PropertyId::correlation_data, std::string_view("\xFE\0", 2));
  std::string user;
  append_user_property(user, "k", "1");
  append_user_property(user, "k", "2");
  append_user_property(user, "ActiveMQ.MQTT.QoS", "mine");
  packet.properties.user = UserProperties(user, 3);
  broker_.send(sender, packet);
  EXPECT_THAT(
      take(peer),
      ElementsAre("PUBLISH qos=0 topic=\"t\" payload=\"\\x00\\xFF\" {Payload Format Indicator=1, "
                  "Message Expiry Interval=60, Content Type=\"image/x\", Response "
                  "Topic=\"$queue/a.b/c\", Correlation Data=\"\\xFE\\x00\", \"k\": \"1\", \"k\": "
                  "\"2\", \"ActiveMQ.MQTT.QoS\": \"mine\"}"));
}

TEST_F(MqttSessionTest, RefusesPublishesToTopicsOfTheBroker) {
  const auto five = connect("five");
  publish(five, "$SYS/x", "x", kQoS1, 1);
  EXPECT_THAT(take(five), ElementsAre("PUBACK id=1 0x87"));
  const auto four = connect("four", Level::v3_1_1);
  publish(four, "$SYS/x", "x", kQoS1, 1);
  EXPECT_THAT(take(four), IsEmpty());
  EXPECT_TRUE(broker_.closed(four));
}

/// As ActiveMQ's transport.publishDollarTopics; wildcards do not find them nevertheless.
TEST_F(MqttSessionTest, TakesPublishesToOtherDollarTopicsIfTheBrokerWantsIt) {
  broker_.options().publish_dollar_topics = true;
  const auto listener = connect("listener");
  subscribe(listener, "$edge/#", kQoS0);
  subscribe(listener, "#", kQoS0);
  take(listener);
  const auto peer = connect("peer");
  publish(peer, "$edge/x", "x", kQoS1, 1);
  publish(peer, "$SYS/x", "x", kQoS1, 2);
  publish(peer, "$SYS", "x", kQoS1, 3);
  publish(peer, "$share/g/x", "x", kQoS1, 4);
  EXPECT_THAT(take(peer), ElementsAre("PUBACK id=1 0x00", "PUBACK id=2 0x87", "PUBACK id=3 0x87",
                                      "PUBACK id=4 0x87"));
  EXPECT_THAT(take(listener), ElementsAre("PUBLISH qos=0 topic=\"$edge/x\" payload=\"x\""));
  Visit visit;
  visit.will = "$edge/will";
  broker_.drop(connect("dying", visit));
  broker_.sync();
  EXPECT_THAT(take(listener), ElementsAre("PUBLISH qos=0 topic=\"$edge/will\" payload=\"gone\""));
}

TEST_F(MqttSessionTest, RefusesWhatHasNoRoom) {
  core::EngineLimits limits;
  limits.retained_messages_max = 1;
  tests::MqttBroker small(limits);
  const auto peer = small.accept(Level::v5);
  Connect hello;
  hello.client_id = "a";
  small.send(peer, hello);
  for (const std::string_view topic : {"a", "b"}) {
    Publish packet;
    packet.topic = topic;
    packet.payload = "x";
    packet.retain = true;
    packet.qos = kQoS2;
    packet.packet_id = 3;
    small.send(peer, packet);
    small.sync();
    Pubrel release;
    release.packet_id = 3;
    if (topic == "a") small.send(peer, release);
    small.sync();
  }
  const auto got = small.take(peer);
  ASSERT_EQ(got.size(), 4U);
  EXPECT_EQ(got[3], "PUBREC id=3 0x97");
}

TEST_F(MqttSessionTest, EndsASilentClient) {
  Visit visit;
  visit.keep_alive = 10;
  visit.will = "w";
  const auto peer = connect("a", visit);
  const auto other = connect("b");
  subscribe(other, "w", kQoS0);
  take(other);
  auto& session = *broker_.peer(peer).session;
  auto& wire = *broker_.peer(peer).wire;
  using core::milliseconds;
  EXPECT_EQ(session.on_timer(milliseconds(14'999), milliseconds(0), wire), milliseconds(1));
  EXPECT_EQ(session.on_timer(milliseconds(15'000), milliseconds(0), wire), std::nullopt);
  EXPECT_THAT(take(peer), ElementsAre(StartsWith("DISCONNECT 0x8D")));
  EXPECT_TRUE(broker_.closed(peer));
  broker_.drop(peer);
  broker_.sync();
  EXPECT_THAT(take(other), ElementsAre("PUBLISH qos=0 topic=\"w\" payload=\"gone\""));
}

TEST_F(MqttSessionTest, DropsWhoNeverSendsConnect) {
  const auto peer = broker_.accept(Level::v5);
  auto& session = *broker_.peer(peer).session;
  using core::milliseconds;
  EXPECT_EQ(session.on_timer(milliseconds(1), milliseconds(0), *broker_.peer(peer).wire),
            milliseconds(29'999));
  (void)session.on_timer(milliseconds(30'000), milliseconds(0), *broker_.peer(peer).wire);
  EXPECT_TRUE(broker_.closed(peer));
}

}  // namespace
}  // namespace pabal::mqtt
