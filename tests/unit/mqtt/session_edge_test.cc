#include "protocols/mqtt/packet_encoder.h"
#include "tests/unit/mqtt/mqtt_fixture.h"

// What clients say that is meant for somebody else: for core, or for the connection that has the
// session now.

namespace pabal::mqtt {
namespace {

class MqttEdgeTest : public MqttFixture {
 protected:
  static inline const core::TimePoint kNow = core::from_millis(1'700'000'000'000);

  /// In one read, which is not applied yet.
  void decode(std::size_t peer, const Packet& packet) {
    std::string bytes;
    ASSERT_TRUE(append_packet(bytes, packet, broker_.peer(peer).level));
    broker_.peer(peer).session->decode({bytes.data(), bytes.size()}, kNow);
  }
  /// A connection with the client id comes, and the commands of the earlier one are applied behind
  /// it, as when both were decoded in one turn of the loop. Its number.
  std::size_t take_over(std::string_view client_id) {
    core::engine_role.assert_held();
    Connect packet;
    packet.client_id = client_id;
    packet.clean_start = false;
    packet.properties.set(PropertyId::session_expiry, 3600);
    const std::size_t peer = broker_.accept(Level::v5);
    decode(peer, packet);
    broker_.peer(peer).session->apply(broker_.engine(), kNow);
    broker_.settle();
    broker_.sync();
    return peer;
  }
};

/// [MQTT-3.3.1-8]: only the RETAIN flag says it.
TEST_F(MqttEdgeTest, AUserPropertyRetainsNothing) {
  const auto live = connect("live");
  subscribe(live, "t", QoS::at_most_once);
  take(live);
  const auto sender = connect("sender");
  Publish packet;
  packet.topic = "t";
  packet.payload = "x";
  std::string user;
  append_user_property(user, "ActiveMQ.Retain", "true");
  packet.properties.user = UserProperties(user, 1);
  broker_.send(sender, packet);
  const auto got = take(live);
  ASSERT_EQ(got.size(), 1U);
  EXPECT_THAT(got[0], testing::HasSubstr("ActiveMQ.Retain")) << "and it is handed on";
  const auto late = connect("late");
  subscribe(late, "t", QoS::at_most_once);
  EXPECT_EQ(take(late).size(), 1U) << "SUBACK, and nothing retained";
}

/// Its PUBCOMP would free an id that the session still has, and the next message under that would
/// be taken for a repetition.
TEST_F(MqttEdgeTest, WhatIsReadAfterATakeOverIsNotAnswered) {
  const auto listener = connect("listener");
  subscribe(listener, "t", QoS::exactly_once);
  take(listener);
  const auto old = resume("s");
  publish(old, "t", "1", QoS::exactly_once, 9);
  broker_.sync();
  EXPECT_THAT(take(old), ElementsAre("PUBREC id=9 0x00"));
  Pubrel release;
  release.packet_id = 9;
  decode(old, release);
  const auto now = take_over("s");
  for (const auto& each : take(old)) EXPECT_THAT(each, StartsWith("DISCONNECT"));
  EXPECT_THAT(take(now).at(0), StartsWith("CONNACK session-present"));
  acknowledge<Pubrel>(now, 9);
  broker_.sync();
  EXPECT_THAT(take(now), ElementsAre("PUBCOMP id=9 0x00"));
  publish(now, "t", "2", QoS::exactly_once, 9);
  broker_.sync();
  EXPECT_EQ(take(listener).size(), 2U);
}

TEST_F(MqttEdgeTest, WhatIsReceivedBehindATakeOverComesAgain) {
  const auto sender = connect("sender");
  const auto old = resume("c");
  subscribe(old, "t", QoS::exactly_once);
  take(old);
  publish(sender, "t", "1", QoS::exactly_once, 1);
  broker_.sync();
  EXPECT_EQ(take(old).size(), 1U);
  Pubrec received;
  received.packet_id = 1;
  decode(old, received);
  const auto now = take_over("c");
  for (const auto& each : take(old)) EXPECT_THAT(each, StartsWith("DISCONNECT"));
  const auto got = take(now);
  ASSERT_EQ(got.size(), 2U);
  EXPECT_EQ(got[1], "PUBLISH qos=2 dup id=1 topic=\"t\" payload=\"1\"");
}

}  // namespace
}  // namespace pabal::mqtt
