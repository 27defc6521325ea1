#include "tests/unit/mqtt/mqtt_fixture.h"

// Sessions that outlive their connections, and the broker; wills; take-over.

namespace pabal::mqtt {
namespace {

constexpr QoS kQoS0 = QoS::at_most_once;
constexpr QoS kQoS1 = QoS::at_least_once;
constexpr QoS kQoS2 = QoS::exactly_once;

class MqttKeptTest : public MqttFixture {
 protected:
  /// Lets the broker die, or only the connection.
  void lose(std::size_t peer, bool crash) {
    broker_.sync();
    if (crash) {
      broker_.restart();
    } else {
      broker_.drop(peer);
    }
  }
};

TEST_F(MqttKeptTest, SaysWhetherTheSessionIsThere) {
  auto peer = resume("a");
  EXPECT_THAT(connack_, StartsWith("CONNACK 0x00"));
  broker_.drop(peer);
  peer = resume("a");
  EXPECT_THAT(connack_, StartsWith("CONNACK session-present 0x00"));
  broker_.drop(peer);
  connect("a");
  EXPECT_THAT(connack_, StartsWith("CONNACK 0x00"));
}

TEST_F(MqttKeptTest, KeepsMessagesForAClientThatIsAway) {
  for (const bool crash : {false, true}) {
    auto peer = resume("a");
    subscribe(peer, "t", kQoS2);
    lose(peer, crash);
    const auto sender = connect("sender");
    publish(sender, "t", "0", kQoS0);
    publish(sender, "t", "1", kQoS1, 1);
    publish(sender, "t", "2", kQoS2, 2);
    lose(sender, crash);
    peer = resume("a");
    broker_.sync();
    auto got = behind_connack_;
    for (auto& each : take(peer)) got.push_back(each);
    ASSERT_EQ(got.size(), 2U) << "crash " << crash;
    EXPECT_THAT(got[0], StartsWith("PUBLISH qos=1"));
    EXPECT_THAT(got[1], StartsWith("PUBLISH qos=2"));
    connect("a");  // forgets it
  }
}

TEST_F(MqttKeptTest, SendsAgainUnderTheSameIds) {
  const auto sender = connect("sender");
  auto peer = resume("a");
  subscribe(peer, "t", kQoS2);
  take(peer);
  publish(sender, "t", "1", kQoS1, 1);
  publish(sender, "t", "2", kQoS2, 2);
  publish(sender, "t", "3", kQoS2, 3);
  broker_.sync();
  EXPECT_THAT(take(peer), ElementsAre("PUBLISH qos=1 id=1 topic=\"t\" payload=\"1\"",
                                      "PUBLISH qos=2 id=2 topic=\"t\" payload=\"2\"",
                                      "PUBLISH qos=2 id=3 topic=\"t\" payload=\"3\""));
  acknowledge<Pubrec>(peer, 3);
  lose(peer, false);
  peer = resume("a");
  EXPECT_THAT(behind_connack_,
              ElementsAre("PUBREL id=3 0x00", "PUBLISH qos=1 dup id=1 topic=\"t\" payload=\"1\"",
                          "PUBLISH qos=2 dup id=2 topic=\"t\" payload=\"2\""));
}

TEST_F(MqttKeptTest, SendsQoS2AgainUnderTheSameIdsAfterACrash) {
  const auto sender = connect("sender");
  auto peer = resume("a");
  subscribe(peer, "t", kQoS2);
  take(peer);
  publish(sender, "t", "1", kQoS2, 2);
  publish(sender, "t", "2", kQoS2, 3);
  broker_.sync();
  EXPECT_EQ(take(peer).size(), 2U);
  acknowledge<Pubrec>(peer, 1);
  broker_.sync();
  EXPECT_THAT(take(peer), ElementsAre("PUBREL id=1 0x00"));
  broker_.restart();
  peer = resume("a");
  broker_.sync();
  auto got = behind_connack_;
  for (auto& each : take(peer)) got.push_back(each);
  EXPECT_THAT(got,
              ElementsAre("PUBREL id=1 0x00", "PUBLISH qos=2 dup id=2 topic=\"t\" payload=\"2\""));
  acknowledge<Pubcomp>(peer, 1);
  acknowledge<Pubrec>(peer, 2);
  broker_.sync();
  EXPECT_THAT(take(peer), ElementsAre("PUBREL id=2 0x00"));
  acknowledge<Pubcomp>(peer, 2);
  broker_.sync();
  broker_.restart();
  peer = resume("a");
  EXPECT_THAT(behind_connack_, IsEmpty());
}

TEST_F(MqttKeptTest, DoesNotSendQoS2BeforeItsIdIsDurable) {
  const auto sender = connect("sender");
  const auto peer = resume("a");
  subscribe(peer, "t", kQoS2);
  take(peer);
  publish(sender, "t", "1", kQoS2, 1);
  EXPECT_THAT(take(peer), IsEmpty());
  broker_.sync();
  EXPECT_EQ(take(peer).size(), 1U);
}

TEST_F(MqttKeptTest, RemembersWhatItTookUntilItIsReleased) {
  for (const bool crash : {false, true}) {
    auto sender = resume("s");
    auto peer = resume("a");
    subscribe(peer, "t", kQoS1);
    take(peer);
    publish(sender, "t", "1", kQoS2, 9);
    EXPECT_THAT(take(sender), IsEmpty());  // not before it is durable
    broker_.sync();
    EXPECT_THAT(take(sender), ElementsAre("PUBREC id=9 0x00"));
    EXPECT_EQ(take(peer).size(), 1U);
    acknowledge<Puback>(peer, 1);
    lose(sender, crash);
    if (crash) peer = resume("a");
    sender = resume("s");
    publish(sender, "t", "1", kQoS2, 9);
    broker_.sync();
    EXPECT_THAT(take(sender), ElementsAre("PUBREC id=9 0x00"));
    EXPECT_THAT(take(peer), IsEmpty());
    acknowledge<Pubrel>(sender, 9);
    broker_.sync();
    EXPECT_THAT(take(sender), ElementsAre("PUBCOMP id=9 0x00"));
    connect("s");
    connect("a");
  }
}

TEST_F(MqttKeptTest, KeepsAQoS0SubscriptionAndNothingForIt) {
  auto peer = resume("a");
  subscribe(peer, "t", kQoS0);
  broker_.sync();
  broker_.restart();
  const auto sender = connect("sender");
  publish(sender, "t", "away", kQoS2, 1);
  peer = resume("a");
  publish(sender, "t", "here", kQoS2, 2);
  broker_.sync();
  EXPECT_THAT(take(peer), ElementsAre("PUBLISH qos=0 topic=\"t\" payload=\"here\""));
}

TEST_F(MqttKeptTest, ForgetsWhatIsUnsubscribed) {
  auto peer = resume("a");
  subscribe(peer, "t", kQoS1);
  unsubscribe(peer, "t");
  broker_.drop(peer);
  publish(connect("sender"), "t", "x", kQoS1, 1);
  peer = resume("a");
  EXPECT_THAT(behind_connack_, IsEmpty());
  EXPECT_THAT(take(peer), IsEmpty());
}

TEST_F(MqttKeptTest, EndsWhatBeganForASubscriptionThatIsNoMore) {
  const auto sender = connect("sender");
  auto peer = resume("a");
  subscribe(peer, "t", kQoS2);
  publish(sender, "t", "x", kQoS2, 1);
  publish(sender, "t", "y", kQoS1, 2);
  broker_.sync();
  unsubscribe(peer, "t");
  take(peer);
  broker_.restart();
  peer = resume("a");
  EXPECT_THAT(behind_connack_, ElementsAre("PUBREL id=1 0x00"));
  acknowledge<Pubcomp>(peer, 1);
  broker_.sync();
  broker_.restart();
  resume("a");
  EXPECT_THAT(behind_connack_, IsEmpty());
}

TEST_F(MqttKeptTest, LosesNothingWhenASubscriptionIsReplaced) {
  const auto sender = connect("sender");
  auto peer = resume("a");
  subscribe(peer, "t", kQoS1);
  broker_.drop(peer);
  for (std::uint16_t id = 1; id <= 3; ++id) publish(sender, "t", std::to_string(id), kQoS2, id);
  broker_.sync();
  peer = resume("a");
  subscribe(peer, "t", kQoS2);
  auto got = behind_connack_;
  for (auto& each : take(peer)) got.push_back(each);
  EXPECT_EQ(std::count_if(got.begin(), got.end(),
                          [](const auto& each) { return each.starts_with("PUBLISH"); }),
            3);
}

TEST_F(MqttKeptTest, EndsASessionInItsTime) {
  auto peer = resume("a");
  broker_.drop(peer);
  broker_.advance(std::chrono::seconds(3601));
  resume("a");
  EXPECT_THAT(connack_, StartsWith("CONNACK 0x00"));
}

TEST_F(MqttKeptTest, TakesASessionOver) {
  const auto first = resume("a");
  subscribe(first, "t", kQoS1);
  take(first);
  const auto second = resume("a");
  EXPECT_THAT(connack_, StartsWith("CONNACK session-present"));
  EXPECT_THAT(take(first), ElementsAre(StartsWith("DISCONNECT 0x8E")));
  EXPECT_TRUE(broker_.closed(first));
  publish(connect("sender"), "t", "x", kQoS1, 1);
  broker_.sync();
  EXPECT_EQ(take(second).size(), 1U);
}

TEST_F(MqttKeptTest, SendsAWillForALostConnectionOnly) {
  const auto other = connect("other");
  subscribe(other, "w", kQoS1);
  take(other);
  Visit visit;
  visit.will = "w";
  visit.will_qos = kQoS1;
  broker_.drop(connect("a", visit));
  broker_.sync();
  EXPECT_THAT(take(other), ElementsAre("PUBLISH qos=1 id=1 topic=\"w\" payload=\"gone\""));
  acknowledge<Puback>(other, 1);
  broker_.send(connect("a", visit), Disconnect{});
  broker_.sync();
  EXPECT_THAT(take(other), IsEmpty());
  Disconnect with_will;
  with_will.reason = ReasonCode::disconnect_with_will;
  broker_.send(connect("a", visit), with_will);
  broker_.sync();
  EXPECT_EQ(take(other).size(), 1U);
}

/// An expiry of 0 is none at all for a client that is away, and not one without end.
TEST_F(MqttKeptTest, AWillExpiresInItsTime) {
  for (const std::uint32_t expiry : {0U, 1U, 60U}) {
    const auto away = resume("away");
    subscribe(away, "w", kQoS1);
    broker_.drop(away);
    Visit visit;
    visit.will = "w";
    visit.will_qos = kQoS1;
    visit.will_expiry = expiry;
    broker_.drop(connect("a", visit));
    broker_.sync();
    broker_.advance(std::chrono::seconds(2));
    broker_.sync();
    const auto back = resume("away");
    EXPECT_EQ(all_of(back).size(), expiry == 60 ? 1U : 0U) << expiry;
    broker_.drop(back);
    broker_.drop(connect("away"));  // and nothing is left
  }
}

TEST_F(MqttKeptTest, WaitsWithAWillForItsDelay) {
  const auto other = connect("other");
  subscribe(other, "w", kQoS0);
  take(other);
  Visit visit;
  visit.will = "w";
  visit.clean = false;
  visit.expiry = 100;
  visit.will_delay = 10;
  broker_.drop(connect("a", visit));
  broker_.advance(std::chrono::seconds(9));
  broker_.sync();
  EXPECT_THAT(take(other), IsEmpty());
  broker_.advance(std::chrono::seconds(2));
  broker_.sync();
  EXPECT_EQ(take(other).size(), 1U);
}

TEST_F(MqttKeptTest, DoesNotLetASessionGrowAtDisconnect) {
  const auto peer = connect("a");
  Disconnect packet;
  packet.properties.set(PropertyId::session_expiry, 10);
  broker_.send(peer, packet);
  EXPECT_THAT(take(peer), ElementsAre(StartsWith("DISCONNECT 0x82")));
}

}  // namespace
}  // namespace pabal::mqtt
