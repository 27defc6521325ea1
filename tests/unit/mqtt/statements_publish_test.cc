#include "tests/unit/mqtt/mqtt_fixture.h"

// Statements of the specifications about messages, their QoS and packet ids (CONFORMANCE.md). What
// is said of all levels is tested at all.

namespace pabal::mqtt {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr QoS kQoS0 = QoS::at_most_once;
constexpr QoS kQoS1 = QoS::at_least_once;
constexpr QoS kQoS2 = QoS::exactly_once;
constexpr Level kLevels[] = {Level::v3_1, Level::v3_1_1, Level::v5};

core::EngineLimits one_retained() {
  core::EngineLimits limits;
  limits.retained_messages_max = 1;
  return limits;
}

class MqttPublishTest : public MqttFixture {
 protected:
  explicit MqttPublishTest(core::EngineLimits limits = {}) : MqttFixture(limits) {}

  void publish_with(std::size_t peer, PropertyId id, std::uint32_t value, std::uint16_t packet_id) {
    Publish packet;
    packet.topic = "t";
    packet.payload = "x";
    packet.qos = kQoS1;
    packet.packet_id = packet_id;
    packet.properties.set(id, value);
    broker_.send(peer, packet);
    broker_.sync();
  }
  /// What a new subscriber of `filter` is given of what is retained.
  std::vector<std::string> retained(std::string_view filter) {
    const auto peer = connect("retained");
    subscribe(peer, filter, kQoS2);
    auto got = take(peer);
    got.erase(got.begin());
    broker_.drop(peer);
    return got;
  }
};

TEST_F(MqttPublishTest, UsesIdsThatAreFree) {
  const auto sender = connect("sender");
  for (const Level level : kLevels) {
    for (const QoS qos : {kQoS1, kQoS2}) {
      const std::string head = "PUBLISH qos=" + std::to_string(static_cast<int>(qos)) + " id=";
      const auto peer = connect("a", level);
      subscribe(peer, "t", qos);
      take(peer);
      for (std::uint16_t id = 1; id <= 3; ++id) publish(sender, "t", "x", kQoS2, id);
      EXPECT_THAT(all_of(peer), ElementsAre(StartsWith(head + "1 "), StartsWith(head + "2 "),
                                            StartsWith(head + "3 ")));
      if (qos == kQoS1) {
        acknowledge<Puback>(peer, 2);
      } else {
        acknowledge<Pubrec>(peer, 2);
        publish(sender, "t", "x", kQoS2, 4);  // not free before PUBCOMP
        EXPECT_THAT(all_of(peer), ElementsAre(HasSubstr("PUBREL id=2"), StartsWith(head + "4 ")));
        acknowledge<Pubcomp>(peer, 2);
      }
      publish(sender, "t", "x", kQoS2, 5);
      EXPECT_THAT(all_of(peer), ElementsAre(StartsWith(head + "2 ")));
      broker_.drop(peer);
      for (std::uint16_t id = 1; id <= 5; ++id) acknowledge<Pubrel>(sender, id);
    }
  }
}

TEST_F(MqttPublishTest, AnswersAsTheQoSWants) {
  for (const Level level : kLevels) {
    const auto peer = connect("a", level);
    publish(peer, "t", "x", kQoS0);
    EXPECT_THAT(all_of(peer), IsEmpty());
    publish(peer, "t", "x", kQoS1, 0x1234);
    EXPECT_THAT(all_of(peer), ElementsAre("PUBACK id=4660 0x00"));
    publish(peer, "t", "x", kQoS2, 0x1234);
    EXPECT_THAT(all_of(peer), ElementsAre("PUBREC id=4660 0x00"));
    acknowledge<Pubrel>(peer, 0x1234);
    EXPECT_THAT(all_of(peer), ElementsAre("PUBCOMP id=4660 0x00"));
  }
}

TEST_F(MqttPublishTest, AcknowledgesWhenTheMessageIsDurable) {
  for (const Level level : kLevels) {
    Visit visit;
    visit.level = level;
    visit.clean = false;
    visit.expiry = 3600;
    const auto kept = connect("kept", visit);
    subscribe(kept, "t", kQoS1);
    broker_.sync();
    const auto sender = connect("sender", level);
    publish(sender, "t", "x", kQoS1, 1);
    EXPECT_THAT(take(sender), IsEmpty());
    broker_.sync();
    EXPECT_THAT(take(sender), ElementsAre("PUBACK id=1 0x00"));
    broker_.drop(kept);
    connect("kept");
  }
}

TEST_F(MqttPublishTest, AnAnsweredIdMeansANewMessage) {
  const auto watch = connect("watch");
  subscribe(watch, "t", kQoS0);
  take(watch);
  for (const Level level : kLevels) {
    const auto peer = connect("a", level);
    publish(peer, "t", "1", kQoS1, 7);
    publish(peer, "t", "2", kQoS1, 7);
    EXPECT_EQ(take(watch).size(), 2U);
    for (int i = 0; i < 2; ++i) {
      publish(peer, "t", "3", kQoS2, 7);
      publish(peer, "t", "3", kQoS2, 7);  // the same message
      EXPECT_EQ(take(watch).size(), 1U);
      acknowledge<Pubrel>(peer, 7);
    }
  }
}

TEST_F(MqttPublishTest, DupComesFromTheServerAlone) {
  for (const Level level : kLevels) {
    const auto peer = connect("a", level);
    subscribe(peer, "t", kQoS2);
    take(peer);
    Publish packet;
    packet.topic = "t";
    packet.qos = kQoS1;
    packet.packet_id = 1;
    packet.dup = true;
    broker_.send(connect("sender", level), packet);
    EXPECT_THAT(all_of(peer), ElementsAre(Not(HasSubstr(" dup "))));
    broker_.drop(peer);
  }
}

TEST_F(MqttPublishTest, SendsAgainAtResumptionOnly) {
  for (const Level level : kLevels) {
    const auto sender = connect("sender");
    auto peer = resume("a", level);
    subscribe(peer, "t", kQoS2);
    take(peer);
    publish(sender, "t", "1", kQoS1, 1);
    publish(sender, "t", "2", kQoS2, 2);
    publish(sender, "t", "3", kQoS2, 3);
    EXPECT_EQ(all_of(peer).size(), 3U);
    acknowledge<Pubrec>(peer, 3);
    EXPECT_THAT(all_of(peer), ElementsAre("PUBREL id=3 0x00"));
    broker_.advance(std::chrono::hours(1));
    EXPECT_THAT(all_of(peer), IsEmpty());
    broker_.drop(peer);
    peer = resume("a", level);
    EXPECT_THAT(all_of(peer),
                ElementsAre("PUBREL id=3 0x00", "PUBLISH qos=1 dup id=1 topic=\"t\" payload=\"1\"",
                            "PUBLISH qos=2 dup id=2 topic=\"t\" payload=\"2\""));
    broker_.drop(peer);
    connect("a");
  }
}

TEST_F(MqttPublishTest, APubrelIsRepeatedUntilPubcompAndThePublishNotAgain) {
  for (const Level level : kLevels) {
    const auto sender = connect("sender");
    auto peer = resume("a", level);
    subscribe(peer, "t", kQoS2);
    take(peer);
    for (std::uint16_t id = 1; id <= 3; ++id) publish(sender, "t", "x", kQoS2, id);
    EXPECT_EQ(all_of(peer).size(), 3U);
    for (const std::uint16_t id : {2, 1, 3}) acknowledge<Pubrec>(peer, id);
    EXPECT_EQ(all_of(peer).size(), 3U);
    for (int i = 0; i < 2; ++i) {
      broker_.drop(peer);
      peer = resume("a", level);
      EXPECT_THAT(all_of(peer),
                  ElementsAre("PUBREL id=2 0x00", "PUBREL id=1 0x00", "PUBREL id=3 0x00"));
    }
    for (const std::uint16_t id : {2, 1, 3}) acknowledge<Pubcomp>(peer, id);
    broker_.sync();
    broker_.drop(peer);
    peer = resume("a", level);
    EXPECT_THAT(all_of(peer), IsEmpty());
    broker_.drop(peer);
    connect("a");
  }
}

TEST_F(MqttPublishTest, ARefusalOfTheClientAcknowledges) {
  const auto sender = connect("sender");
  auto peer = resume("a");
  subscribe(peer, "t", kQoS2);
  take(peer);
  publish(sender, "t", "1", kQoS1, 1);
  publish(sender, "t", "2", kQoS2, 2);
  EXPECT_EQ(all_of(peer).size(), 2U);
  acknowledge<Puback>(peer, 1, ReasonCode::unspecified_error);
  acknowledge<Pubrec>(peer, 2, ReasonCode::quota_exceeded);
  EXPECT_THAT(all_of(peer), IsEmpty());
  publish(sender, "t", "3", kQoS2, 3);  // their ids mean new messages
  EXPECT_THAT(all_of(peer), ElementsAre(HasSubstr("payload=\"3\"")));
  broker_.drop(peer);
  peer = resume("a");
  EXPECT_THAT(all_of(peer), ElementsAre(HasSubstr("payload=\"3\"")));
}

TEST_F(MqttPublishTest, KeepsTheOrder) {
  for (const Level level : kLevels) {
    const auto sender = connect("sender", level);
    const auto peer = connect("a", level);
    subscribe(peer, "#", kQoS2);
    take(peer);
    for (std::uint16_t id = 1; id <= 100; ++id) {
      publish(sender, id % 3 == 0 ? "x" : "y", std::to_string(id), id % 2 == 0 ? kQoS1 : kQoS2, id);
    }
    const auto got = all_of(peer);
    ASSERT_EQ(got.size(), 100U);
    for (std::size_t i = 0; i < got.size(); ++i) {
      EXPECT_THAT(got[i], testing::EndsWith("payload=\"" + std::to_string(i + 1) + "\""));
    }
    broker_.drop(peer);
    broker_.drop(sender);
  }
}

TEST_F(MqttPublishTest, AnswersWhileTheReceiveMaximumIsUsedUp) {
  const auto sender = connect("sender");
  Visit visit;
  visit.receive_maximum = 1;
  const auto peer = connect("a", visit);
  subscribe(peer, "t", kQoS1);
  for (std::uint16_t id = 1; id <= 3; ++id) publish(sender, "t", "x", kQoS1, id);
  take(peer);
  broker_.send(peer, Pingreq{});
  subscribe(peer, "u", kQoS1);
  unsubscribe(peer, "u");
  publish(peer, "v", "x", kQoS1, 1);
  EXPECT_THAT(all_of(peer), ElementsAre("PINGRESP", "SUBACK id=1 0x01", "UNSUBACK id=9 0x00",
                                        "PUBACK id=1 0x00"));
}

TEST_F(MqttPublishTest, DropsWhatHasExpired) {
  auto peer = resume("a");
  subscribe(peer, "t", kQoS1);
  broker_.drop(peer);
  const auto sender = connect("sender");
  publish_with(sender, PropertyId::message_expiry, 10, 1);
  publish_with(sender, PropertyId::message_expiry, 60, 2);
  broker_.advance(std::chrono::seconds(20));
  peer = resume("a");
  EXPECT_THAT(all_of(peer), ElementsAre(HasSubstr("Message Expiry Interval=40")));
}

TEST_F(MqttPublishTest, AliasesEndWithTheirConnection) {
  auto peer = connect("a");
  publish_with(peer, PropertyId::topic_alias, 100, 1);  // up to the maximum
  EXPECT_THAT(all_of(peer), ElementsAre("PUBACK id=1 0x00"));
  broker_.drop(peer);
  peer = connect("a");
  Publish packet;
  packet.topic = "";
  packet.properties.set(PropertyId::topic_alias, 100);
  broker_.send(peer, packet);
  EXPECT_THAT(take(peer), ElementsAre(StartsWith("DISCONNECT 0x82")));
  const auto sender = connect("sender");
  for (int i = 0; i < 2; ++i) {
    Visit visit;
    visit.topic_alias_maximum = 1;
    const auto receiver = connect("receiver", visit);
    subscribe(receiver, "t", kQoS0);
    take(receiver);
    publish(sender, "t", "x");
    EXPECT_THAT(take(receiver), ElementsAre(HasSubstr("topic=\"t\"")));
  }
}

TEST_F(MqttPublishTest, UsesNoAliasWithoutAMaximum) {
  const auto sender = connect("sender");
  const auto peer = connect("a");
  subscribe(peer, "t", kQoS0);
  take(peer);
  for (int i = 0; i < 3; ++i) publish(sender, "t", "x");
  EXPECT_THAT(take(peer), testing::Each("PUBLISH qos=0 topic=\"t\" payload=\"x\""));
}

TEST_F(MqttPublishTest, RetainReplacesAndAnEmptyOneRemoves) {
  for (const Level level : kLevels) {
    const auto sender = connect("sender", level);
    publish(sender, "r", "1", kQoS2, 1, true);
    publish(sender, "r", "2", kQoS1, 2, true);
    EXPECT_THAT(retained("r"), ElementsAre("PUBLISH qos=1 retain id=1 topic=\"r\" payload=\"2\""));
    publish(sender, "r", "3", kQoS1, 3);  // leaves it alone
    EXPECT_THAT(retained("r"), ElementsAre(HasSubstr("payload=\"2\"")));
    publish(sender, "r", "4", kQoS0, 0, true);
    EXPECT_THAT(retained("r"), ElementsAre("PUBLISH qos=0 retain topic=\"r\" payload=\"4\""));
    publish(sender, "r", "", kQoS0, 0, true);
    EXPECT_THAT(retained("r"), IsEmpty());
    publish(sender, "r", "", kQoS1, 4, true);  // is not stored
    EXPECT_THAT(retained("r"), IsEmpty());
    broker_.drop(sender);
  }
}

TEST_F(MqttPublishTest, WhatIsRetainedOutlivesSessionsAndTheBroker) {
  auto sender = resume("sender", Level::v3_1_1);
  publish(sender, "r", "kept", kQoS1, 1, true);
  broker_.sync();
  broker_.drop(sender);
  connect("sender", Level::v3_1_1);  // ends the session
  EXPECT_EQ(retained("r").size(), 1U);
  broker_.restart();
  EXPECT_THAT(retained("r"), ElementsAre("PUBLISH qos=1 retain id=1 topic=\"r\" payload=\"kept\""));
}

class MqttFullBrokerTest : public MqttPublishTest {
 protected:
  MqttFullBrokerTest() : MqttPublishTest(one_retained()) {}
};

TEST_F(MqttFullBrokerTest, ARefusedIdMeansANewMessage) {
  const auto peer = connect("a");
  publish(peer, "r/1", "x", kQoS1, 1, true);
  publish(peer, "r/2", "x", kQoS2, 2, true);
  publish(peer, "r/1", "y", kQoS2, 2, true);
  EXPECT_THAT(all_of(peer),
              ElementsAre("PUBACK id=1 0x00", "PUBREC id=2 0x97", "PUBREC id=2 0x00"));
}

TEST_F(MqttFullBrokerTest, ClosesWhereNoReasonCanBeSaid) {
  for (const Level level : {Level::v3_1, Level::v3_1_1}) {
    const auto peer = connect("a", level);
    publish(peer, "r/1", "x", kQoS1, 1, true);
    publish(peer, "r/2", "x", kQoS1, 2, true);
    EXPECT_THAT(all_of(peer), ElementsAre("PUBACK id=1 0x00"));
    EXPECT_TRUE(broker_.closed(peer));
  }
}

}  // namespace
}  // namespace pabal::mqtt
