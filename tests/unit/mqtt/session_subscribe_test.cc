#include "tests/unit/mqtt/mqtt_fixture.h"

// Subscriptions and their options, retained messages, shared ones.

namespace pabal::mqtt {
namespace {

constexpr QoS kQoS0 = QoS::at_most_once;
constexpr QoS kQoS1 = QoS::at_least_once;
constexpr QoS kQoS2 = QoS::exactly_once;

class MqttSubscribeTest : public MqttFixture {};

TEST_F(MqttSubscribeTest, MatchesFilters) {
  const auto sender = connect("sender");
  const auto peer = connect("peer");
  for (const std::string_view filter : {"a/+/c", "w/#", "+/x.y"}) subscribe(peer, filter, kQoS0);
  take(peer);
  for (const std::string_view topic : {"a/b/c", "a/b/d", "w", "w/1/2", "z/x.y", "/x.y", "z/x/y"}) {
    publish(sender, topic, "x");
  }
  EXPECT_THAT(take(peer), ElementsAre("PUBLISH qos=0 topic=\"a/b/c\" payload=\"x\"",
                                      "PUBLISH qos=0 topic=\"w\" payload=\"x\"",
                                      "PUBLISH qos=0 topic=\"w/1/2\" payload=\"x\"",
                                      "PUBLISH qos=0 topic=\"z/x.y\" payload=\"x\"",
                                      "PUBLISH qos=0 topic=\"/x.y\" payload=\"x\""));
}

TEST_F(MqttSubscribeTest, GivesEachSubscriptionItsIdentifier) {
  const auto sender = connect("sender");
  const auto peer = connect("peer");
  SubscriptionRequest request;
  request.filter = "t";
  subscribe(peer, request, 1, 7);
  request.filter = "#";
  subscribe(peer, request, 2, 268'435'455);
  take(peer);
  publish(sender, "t", "x");
  EXPECT_THAT(take(peer),
              testing::UnorderedElementsAre(
                  "PUBLISH qos=0 topic=\"t\" payload=\"x\" {Subscription Identifier=7}",
                  "PUBLISH qos=0 topic=\"t\" payload=\"x\" {Subscription Identifier=268435455}"));
}

TEST_F(MqttSubscribeTest, LeavesOutWhatIsLocal) {
  const auto peer = connect("peer");
  SubscriptionRequest request;
  request.filter = "t";
  request.no_local = true;
  subscribe(peer, request);
  take(peer);
  publish(peer, "t", "x");
  EXPECT_THAT(take(peer), IsEmpty());
  publish(connect("other"), "t", "y");
  EXPECT_EQ(take(peer).size(), 1U);
}

TEST_F(MqttSubscribeTest, SendsRetainedMessagesAsTheHandlingSays) {
  const auto sender = connect("sender");
  publish(sender, "r/1", "one", kQoS1, 1, true);
  publish(sender, "r/2", "two", kQoS1, 2, true);
  publish(sender, "r/2", "", kQoS1, 3, true);
  broker_.sync();
  const auto peer = connect("peer");
  SubscriptionRequest request;
  request.filter = "r/#";
  request.qos = kQoS0;
  const std::string message = "PUBLISH qos=0 retain topic=\"r/1\" payload=\"one\"";
  const auto count = [&](RetainHandling handling) {
    request.retain_handling = handling;
    subscribe(peer, request);
    const auto got = take(peer);
    return std::count(got.begin(), got.end(), message);
  };
  EXPECT_EQ(count(RetainHandling::never), 0);
  EXPECT_EQ(count(RetainHandling::if_new), 0);
  EXPECT_EQ(count(RetainHandling::always), 1);
  EXPECT_EQ(count(RetainHandling::always), 1);
  unsubscribe(peer, "r/#");
  take(peer);
  EXPECT_EQ(count(RetainHandling::if_new), 1);
}

TEST_F(MqttSubscribeTest, KeepsTheRetainFlagOnlyWhereAsked) {
  const auto sender = connect("sender");
  const auto plain = connect("plain");
  const auto as_published = connect("as-published");
  subscribe(plain, "t", kQoS0);
  SubscriptionRequest request;
  request.filter = "t";
  request.retain_as_published = true;
  subscribe(as_published, request);
  take(plain);
  take(as_published);
  publish(sender, "t", "x", kQoS0, 0, true);
  EXPECT_THAT(take(plain), ElementsAre("PUBLISH qos=0 topic=\"t\" payload=\"x\""));
  EXPECT_THAT(take(as_published), ElementsAre("PUBLISH qos=0 retain topic=\"t\" payload=\"x\""));
}

TEST_F(MqttSubscribeTest, SharesBetweenMembers) {
  const auto sender = connect("sender");
  const auto a = connect("a");
  const auto b = connect("b");
  subscribe(a, "$share/g/t/#", kQoS1);
  subscribe(b, "$share/g/t/#", kQoS1);
  EXPECT_THAT(take(a), ElementsAre("SUBACK id=1 0x01"));
  EXPECT_THAT(take(b), ElementsAre("SUBACK id=1 0x01"));
  for (std::uint16_t id = 1; id <= 4; ++id) publish(sender, "t/x", std::to_string(id), kQoS1, id);
  broker_.sync();
  EXPECT_EQ(take(a).size(), 2U);
  EXPECT_EQ(take(b).size(), 2U);
  broker_.drop(a);
  broker_.sync();
  EXPECT_EQ(take(b).size(), 2U);  // what it left goes to the others
}

TEST_F(MqttSubscribeTest, ConsumesFromQueues) {
  const auto sender = connect("sender");
  const auto peer = connect("peer");
  publish(sender, "$queue/jobs", "x", kQoS2, 1);
  broker_.sync();
  subscribe(peer, "$queue/jobs", kQoS1);
  EXPECT_THAT(take(peer), ElementsAre("SUBACK id=1 0x01",
                                      "PUBLISH qos=1 id=1 topic=\"$queue/jobs\" payload=\"x\""));
}

TEST_F(MqttSubscribeTest, AnswersUnsubscribe) {
  const auto peer = connect("peer");
  subscribe(peer, "t", kQoS1);
  take(peer);
  unsubscribe(peer, "t");
  unsubscribe(peer, "t");
  EXPECT_THAT(take(peer), ElementsAre("UNSUBACK id=9 0x00", "UNSUBACK id=9 0x11"));
  publish(connect("sender"), "t", "x", kQoS2, 1);
  EXPECT_THAT(take(peer), IsEmpty());
  const auto old = connect("old", Level::v3_1_1);
  unsubscribe(old, "t");
  EXPECT_THAT(take(old), ElementsAre("UNSUBACK id=9"));
}

}  // namespace
}  // namespace pabal::mqtt
