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
  /// Keys of what the connected client's session has beside its subscriptions.
  std::vector<std::string> engine_attachments(std::string_view client_id) {
    core::engine_role.assert_held();
    std::vector<std::string> keys;
    for (std::size_t peer = 0;; ++peer) {
      const auto& session = *broker_.peer(peer).session;
      if (session.describe().find("client-id " + std::string(client_id)) == std::string::npos) {
        continue;
      }
      for (auto& [key, value] : broker_.engine().session_attachments(*session.connection())) {
        keys.push_back(key);
      }
      return keys;
    }
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

/// What is sent at QoS 2 has been read when PUBREC comes; until then so much is on its way at most,
/// whatever Receive Maximum allows.
TEST_F(MqttEdgeTest, AClientThatDoesNotAnswerHoldsABoundedNumberOfBytes) {
  constexpr std::size_t kCount = 30;
  const std::string payload(100'000, 'x');
  const auto sender = connect("sender");
  const auto peer = resume("c");
  subscribe(peer, "t", QoS::exactly_once);
  take(peer);
  for (std::uint16_t i = 1; i <= kCount; ++i) {
    publish(sender, "t", payload, QoS::exactly_once, i);
    broker_.sync();
  }
  std::size_t got = take(peer).size();
  EXPECT_GE(got, 10U);
  EXPECT_LE(got, 11U);
  for (std::uint16_t id = 1; id <= kCount; ++id) {
    acknowledge<Pubrec>(peer, id);
    broker_.sync();
    for (const auto& each : take(peer)) got += each.starts_with("PUBLISH") ? 1 : 0;
    EXPECT_LE(got, id + 11U);
  }
  EXPECT_EQ(got, kCount);
}

/// Not because of how much it is when PUBCOMPs come at once, either: those that waited in the
/// session are not counted by core any more.
TEST_F(MqttEdgeTest, WhatWaitedLeavesInBoundedPieces) {
  constexpr std::uint16_t kCount = 30;
  const std::string payload(100'000, 'x');
  Visit visit;
  visit.receive_maximum = kCount;
  const auto sender = connect("sender");
  const auto peer = connect("c", visit);  // a session that is not kept: nothing waits for the store
  subscribe(peer, "t", QoS::exactly_once);
  take(peer);
  for (std::uint16_t i = 1; i <= 2 * kCount; ++i) {
    publish(sender, "t", payload, QoS::exactly_once, i);
    broker_.sync();
  }
  EXPECT_EQ(take(peer).size(), kCount);
  for (std::uint16_t id = 1; id <= kCount; ++id) acknowledge<Pubrec>(peer, id);
  EXPECT_EQ(take(peer).size(), kCount) << "PUBRELs";
  std::string all;
  for (std::uint16_t id = 1; id <= kCount; ++id) {
    Pubcomp packet;
    packet.packet_id = id;
    ASSERT_TRUE(append_packet(all, packet, Level::v5));
  }
  broker_.receive(peer, all);
  const std::size_t got = take(peer).size();
  EXPECT_GE(got, 10U);
  EXPECT_LE(got, 11U);
}

/// Its bytes, its packet id and what the session remembers of it are free again, or nothing would
/// come any more in the end.
TEST_F(MqttEdgeTest, AFilterThatGoesBeforeItsMessageLeavesHoldsNothing) {
  core::engine_role.assert_held();
  const std::string payload(100'000, 'x');
  const auto sender = connect("sender");
  const auto peer = resume("c");
  std::uint16_t sent = 0;
  for (int round = 0; round < 4; ++round) {
    subscribe(peer, "t", QoS::exactly_once);
    take(peer);
    for (int i = 0; i < 5; ++i) {
      Publish packet;
      packet.topic = "t";
      packet.payload = payload;
      packet.qos = QoS::exactly_once;
      packet.packet_id = ++sent;
      decode(sender, packet);
    }
    core::Engine& engine = broker_.engine();
    broker_.peer(sender).session->apply(engine, kNow);
    while (engine.run(kNow)) continue;
    core::Outbox outbox;
    std::swap(outbox, engine.outbox(core::HomeId(0)));
    for (const core::Delivery& each : outbox.deliveries) {
      broker_.peer(peer).session->encode_delivery(each, *broker_.peer(peer).wire);
      engine.written(each.connection, each.number, kNow);
    }
    std::string filter;
    ASSERT_TRUE(append_topic_filter(filter, "t"));
    Unsubscribe packet;
    packet.packet_id = 9;
    packet.count = 1;
    packet.filters = TopicFilters(filter);
    decode(peer, packet);
    broker_.settle();
    broker_.sync();
    EXPECT_THAT(take(peer), ElementsAre("UNSUBACK id=9 0x00"));
    take(sender);
    for (std::uint16_t id = sent - 4; id <= sent; ++id) acknowledge<Pubrel>(sender, id);
    broker_.sync();
    take(sender);
  }
  EXPECT_THAT(engine_attachments("c"), IsEmpty());
  subscribe(peer, "t", QoS::exactly_once);
  take(peer);
  publish(sender, "t", payload, QoS::exactly_once, 1000);
  broker_.sync();
  const auto got = take(peer);
  ASSERT_EQ(got.size(), 1U);
  EXPECT_THAT(got[0], StartsWith("PUBLISH qos=2 id="));
}

/// Of any length that a topic of core may have.
TEST_F(MqttEdgeTest, LongFiltersAreKeptAtEveryQoS) {
  const std::string filter = std::string(4000, 'a') + "/#";
  for (const QoS qos : {QoS::at_most_once, QoS::at_least_once}) {
    const auto peer = resume("c");
    take(peer);
    subscribe(peer, filter, qos);
    EXPECT_THAT(take(peer), ElementsAre(StartsWith("SUBACK id=1 0x0")));
    broker_.drop(peer);
    broker_.restart();
    const auto again = resume("c");
    EXPECT_THAT(connack_, StartsWith("CONNACK session-present"));
    publish(connect("sender"), std::string(4000, 'a') + "/b", "x", qos, 1);
    broker_.sync();
    EXPECT_EQ(take(again).size(), 1U);
    broker_.drop(again);
    broker_.drop(connect("c"));
  }
}

}  // namespace
}  // namespace pabal::mqtt
