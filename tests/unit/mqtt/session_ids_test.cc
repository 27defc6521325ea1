#include "tests/unit/mqtt/mqtt_fixture.h"

// Packet ids of what the broker sends, over connections [MQTT-4.4.0-1], and what waits for them.

namespace pabal::mqtt {
namespace {

constexpr QoS kQoS0 = QoS::at_most_once;
constexpr QoS kQoS1 = QoS::at_least_once;
constexpr QoS kQoS2 = QoS::exactly_once;

core::EngineLimits one_attachment() {
  core::EngineLimits limits;
  limits.session_attachments_max = 1;
  return limits;
}

class MqttIdsTest : public MqttFixture {
 protected:
  explicit MqttIdsTest(core::EngineLimits limits = {}) : MqttFixture(limits) {}

  /// A client whose session is kept, which takes so many at a time.
  std::size_t resume_with(std::string_view client_id, std::uint32_t receive_maximum) {
    Visit visit;
    visit.clean = false;
    visit.expiry = 3600;
    visit.receive_maximum = receive_maximum;
    return connect(client_id, visit);
  }
  void publish_with_expiry(std::size_t peer, std::string_view topic, std::uint16_t id,
                           std::uint32_t seconds) {
    Publish packet;
    packet.topic = topic;
    packet.payload = "short-lived";
    packet.qos = kQoS2;
    packet.packet_id = id;
    packet.properties.set(PropertyId::message_expiry, seconds);
    broker_.send(peer, packet);
    broker_.sync();
  }
  std::uint64_t attachments_of(std::string_view client_id) {
    core::engine_role.assert_held();
    for (const auto& session : broker_.engine().sessions("", 100)) {
      if (session.client_id == client_id) return session.attachments;
    }
    return 0;
  }
  /// As a client of another protocol sends to several topics at once.
  void publish_to_all(const std::vector<std::string>& topics, std::string_view payload) {
    core::engine_role.assert_held();
    core::Engine& engine = broker_.engine();
    core::ConnectOptions options;
    const auto sender = engine.connect(options);
    ASSERT_TRUE(sender);
    core::MessageBuilder builder;
    builder.origin = sender->origin;
    builder.sequence = 1;
    builder.destination_kind = core::DestinationKind::topic;
    builder.destination_name = "composite";
    builder.persistent = true;
    builder.body = payload;
    auto message = builder.build();
    ASSERT_TRUE(message);
    auto targets = std::make_shared<std::vector<core::Destination>>();
    for (const auto& topic : topics) targets->push_back({core::DestinationKind::topic, topic});
    core::SendOptions send;
    send.targets = targets;
    const auto outcome = engine.publish(sender->id, *message, send, core::TimePoint{});
    ASSERT_EQ(outcome.disposition, core::Disposition::done);
    broker_.settle();
    broker_.sync();
  }
};

TEST_F(MqttIdsTest, StayWhenTheSessionIsTakenOver) {
  const auto sender = connect("sender");
  auto peer = resume("a");
  subscribe(peer, "t", kQoS1);
  take(peer);
  for (std::uint16_t id = 1; id <= 3; ++id) publish(sender, "t", std::to_string(id), kQoS1, id);
  EXPECT_EQ(all_of(peer).size(), 3U);
  acknowledge<Puback>(peer, 1);
  const auto successor = resume("a");  // the first one is still connected
  EXPECT_THAT(all_of(successor), ElementsAre("PUBLISH qos=1 dup id=2 topic=\"t\" payload=\"2\"",
                                             "PUBLISH qos=1 dup id=3 topic=\"t\" payload=\"3\""));
  publish(sender, "t", "4", kQoS1, 4);
  EXPECT_THAT(all_of(successor), ElementsAre("PUBLISH qos=1 id=1 topic=\"t\" payload=\"4\""));
}

TEST_F(MqttIdsTest, StayOverConnectionsThatDoNotGetAsFar) {
  for (const bool taken_over : {false, true}) {
    const auto sender = connect("sender");
    auto peer = resume("a");
    subscribe(peer, "t", kQoS1);
    take(peer);
    for (std::uint16_t id = 1; id <= 2; ++id) publish(sender, "t", std::to_string(id), kQoS1, id);
    EXPECT_EQ(all_of(peer).size(), 2U);
    if (!taken_over) broker_.drop(peer);
    peer = resume_with("a", 1);
    EXPECT_THAT(all_of(peer), ElementsAre("PUBLISH qos=1 dup id=1 topic=\"t\" payload=\"1\""));
    if (!taken_over) broker_.drop(peer);
    peer = resume("a");
    EXPECT_THAT(all_of(peer), ElementsAre("PUBLISH qos=1 dup id=1 topic=\"t\" payload=\"1\"",
                                          "PUBLISH qos=1 dup id=2 topic=\"t\" payload=\"2\""));
    connect("a");
  }
}

TEST_F(MqttIdsTest, StayOverAStopOfTheBroker) {
  const auto sender = connect("sender");
  auto peer = resume("a");
  subscribe(peer, "t", kQoS1);
  take(peer);
  for (std::uint16_t id = 1; id <= 3; ++id) publish(sender, "t", std::to_string(id), kQoS1, id);
  EXPECT_EQ(all_of(peer).size(), 3U);
  acknowledge<Puback>(peer, 1);
  broker_.drop(peer);
  broker_.sync();
  broker_.restart();
  peer = resume("a");
  EXPECT_THAT(all_of(peer), ElementsAre("PUBLISH qos=1 dup id=2 topic=\"t\" payload=\"2\"",
                                        "PUBLISH qos=1 dup id=3 topic=\"t\" payload=\"3\""));
}

TEST_F(MqttIdsTest, AreFreeAgainWhenTheirMessageHasExpired) {
  for (const bool crash : {false, true}) {
    const auto sender = connect("sender");
    auto peer = resume("a");
    subscribe(peer, "t", kQoS2);
    take(peer);
    publish_with_expiry(sender, "t", 1, 10);
    EXPECT_EQ(all_of(peer).size(), 1U);
    EXPECT_EQ(attachments_of("a"), 1U);
    crash ? broker_.restart() : broker_.drop(peer);
    broker_.advance(std::chrono::seconds(20));
    const auto other = connect("sender");
    peer = resume("a");
    publish(other, "t", "after", kQoS2, 1);
    auto got = all_of(peer);
    // What the client may know of the first is ended with PUBREL, at the latest when it is quiet.
    for (std::uint16_t id = 1; id <= 2; ++id) {
      acknowledge<Pubrec>(peer, id);
      broker_.sync();
      acknowledge<Pubcomp>(peer, id);
      for (auto& each : all_of(peer)) got.push_back(each);
    }
    EXPECT_THAT(got, testing::Contains(testing::HasSubstr("payload=\"after\"")));
    EXPECT_THAT(got, testing::Contains("PUBREL id=1 0x00"));
    acknowledge<Pubcomp>(peer, 1);
    broker_.sync();
    EXPECT_EQ(attachments_of("a"), 0U) << "crash " << crash;
    connect("a");
  }
}

TEST_F(MqttIdsTest, AreOneForAMessageThatWentToSeveralTopics) {
  const std::vector<std::vector<std::string>> composites = {{"x", "x"}, {"x", "y"}};
  for (const auto& topics : composites) {
    auto peer = resume("a");
    subscribe(peer, "#", kQoS2);
    take(peer);
    publish_to_all(topics, "all");
    EXPECT_THAT(all_of(peer), ElementsAre("PUBLISH qos=2 id=1 topic=\"x\" payload=\"all\""));
    broker_.drop(peer);
    peer = resume("a");
    EXPECT_THAT(all_of(peer), ElementsAre("PUBLISH qos=2 dup id=1 topic=\"x\" payload=\"all\""));
    acknowledge<Pubrec>(peer, 1);
    broker_.sync();
    acknowledge<Pubcomp>(peer, 1);
    broker_.sync();
    EXPECT_EQ(attachments_of("a"), 0U);
    connect("a");
  }
}

TEST_F(MqttIdsTest, AreTwoForAMessageThatComesAsRetainedToo) {
  for (const bool crash : {false, true}) {
    const auto sender = connect("sender");
    auto peer = resume("a");
    subscribe(peer, "t", kQoS2);
    take(peer);
    publish(sender, "t", "x", kQoS2, 1, true);
    broker_.sync();
    subscribe(peer, "t", kQoS2);
    EXPECT_THAT(all_of(peer),
                ElementsAre("PUBLISH qos=2 id=1 topic=\"t\" payload=\"x\"", "SUBACK id=1 0x02",
                            "PUBLISH qos=2 retain id=2 topic=\"t\" payload=\"x\""));
    crash ? broker_.restart() : broker_.drop(peer);
    peer = resume("a");
    const auto again = all_of(peer);
    EXPECT_THAT(again, testing::Each(testing::HasSubstr(" dup ")));
    EXPECT_THAT(again, testing::UnorderedElementsAre(testing::HasSubstr(" id=1 "),
                                                     testing::HasSubstr(" id=2 ")));
    for (std::uint16_t id = 1; id <= 2; ++id) {
      acknowledge<Pubrec>(peer, id);
      broker_.sync();
      acknowledge<Pubcomp>(peer, id);
    }
    broker_.sync();
    EXPECT_EQ(attachments_of("a"), 0U);
    connect("a");
    publish(connect("sender"), "t", "", kQoS0, 0, true);
  }
}

TEST_F(MqttIdsTest, AreNotWaitedForByQoS0) {
  const auto sender = connect("sender");
  Visit visit;
  visit.receive_maximum = 1;
  const auto peer = connect("a", visit);
  subscribe(peer, "t", kQoS2);
  subscribe(peer, "u", kQoS0);
  take(peer);
  publish(sender, "t", "1", kQoS2, 1);
  take(peer);
  acknowledge<Pubrec>(peer, 1);
  publish(sender, "t", "2", kQoS2, 2);
  publish(sender, "u", "3", kQoS0);
  EXPECT_THAT(take(peer),
              ElementsAre("PUBREL id=1 0x00", "PUBLISH qos=0 topic=\"u\" payload=\"3\""));
  acknowledge<Pubcomp>(peer, 1);
  EXPECT_THAT(take(peer), ElementsAre("PUBLISH qos=2 id=1 topic=\"t\" payload=\"2\""));
}

class MqttFullSessionTest : public MqttIdsTest {
 protected:
  MqttFullSessionTest() : MqttIdsTest(one_attachment()) {}
};

TEST_F(MqttFullSessionTest, SendsTheNextWhenThereIsRoomForItsId) {
  const auto sender = connect("sender");
  auto peer = resume("a");
  subscribe(peer, "t", kQoS2);
  take(peer);
  for (std::uint16_t id = 1; id <= 3; ++id) publish(sender, "t", std::to_string(id), kQoS2, id);
  EXPECT_THAT(all_of(peer), ElementsAre("PUBLISH qos=2 id=1 topic=\"t\" payload=\"1\""));
  for (std::uint16_t id = 1; id <= 3; ++id) {
    acknowledge<Pubrec>(peer, id);
    EXPECT_THAT(all_of(peer), ElementsAre("PUBREL id=" + std::to_string(id) + " 0x00"));
    acknowledge<Pubcomp>(peer, id);
    const auto next = std::to_string(id + 1);
    if (id < 3) {
      EXPECT_THAT(all_of(peer), ElementsAre("PUBLISH qos=2 id=" + next + " topic=\"t\" payload=\"" +
                                            next + "\""));
    }
  }
  EXPECT_EQ(attachments_of("a"), 0U);
}

TEST_F(MqttFullSessionTest, LosesNothingWithTheConnection) {
  const auto sender = connect("sender");
  auto peer = resume("a");
  subscribe(peer, "t", kQoS2);
  take(peer);
  for (std::uint16_t id = 1; id <= 2; ++id) publish(sender, "t", std::to_string(id), kQoS2, id);
  EXPECT_EQ(all_of(peer).size(), 1U);
  broker_.restart();
  peer = resume("a");
  EXPECT_THAT(all_of(peer), ElementsAre("PUBLISH qos=2 dup id=1 topic=\"t\" payload=\"1\""));
  acknowledge<Pubrec>(peer, 1);
  broker_.sync();
  acknowledge<Pubcomp>(peer, 1);
  EXPECT_THAT(all_of(peer),
              ElementsAre("PUBREL id=1 0x00", testing::HasSubstr("topic=\"t\" payload=\"2\"")));
}

}  // namespace
}  // namespace pabal::mqtt
