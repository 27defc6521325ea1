#include "tests/unit/mqtt/mqtt_fixture.h"

// Statements of the specifications about subscriptions, shared ones among them (CONFORMANCE.md).
// What is said of all levels is tested at all.

namespace pabal::mqtt {
namespace {

using testing::HasSubstr;

constexpr QoS kQoS0 = QoS::at_most_once;
constexpr QoS kQoS1 = QoS::at_least_once;
constexpr QoS kQoS2 = QoS::exactly_once;
constexpr Level kLevels[] = {Level::v3_1, Level::v3_1_1, Level::v5};

SubscriptionRequest request_of(std::string_view filter, QoS qos) {
  SubscriptionRequest request;
  request.filter = filter;
  request.qos = qos;
  return request;
}

class MqttFilterTest : public MqttFixture {};

TEST_F(MqttFilterTest, AnswersFilterByFilter) {
  for (const Level level : kLevels) {
    const auto peer = connect("a", level);
    subscribe_all(peer,
                  {request_of("a", kQoS2), request_of("$share/g/$queue/q", kQoS1),
                   request_of("b", kQoS0), request_of("c/+", kQoS1)},
                  0x1234);
    EXPECT_THAT(take(peer), ElementsAre(level == Level::v5 ? "SUBACK id=4660 0x02 0x8F 0x00 0x01"
                                                           : "SUBACK id=4660 0x02 0x80 0x00 0x01"));
    unsubscribe_all(peer, {"b", "never", "a"}, 0x4321);
    EXPECT_THAT(take(peer), ElementsAre(level == Level::v5 ? "UNSUBACK id=17185 0x00 0x11 0x00"
                                                           : "UNSUBACK id=17185"));
    publish(peer, "a", "x");
    publish(peer, "b", "x");
    publish(peer, "c/d", "x");
    EXPECT_THAT(all_of(peer), ElementsAre(HasSubstr("topic=\"c/d\"")));
    broker_.drop(peer);
  }
}

TEST_F(MqttFilterTest, TheSameFilterReplaces) {
  const auto sender = connect("sender");
  publish(sender, "t", "kept", kQoS1, 1, true);
  for (const Level level : kLevels) {
    const auto peer = connect("a", level);
    for (const QoS qos : {kQoS2, kQoS0, kQoS1}) {
      subscribe(peer, "t", qos);
      auto got = all_of(peer);  // what is retained comes again
      ASSERT_EQ(got.size(), 2U);
      EXPECT_THAT(got[1], HasSubstr(" retain "));
      publish(sender, "t", "x", kQoS2, 2);
      acknowledge<Pubrel>(sender, 2);
      got = all_of(peer);
      ASSERT_EQ(got.size(), 1U);  // not one for the old subscription besides
      EXPECT_THAT(got[0], StartsWith("PUBLISH qos=" + std::to_string(static_cast<int>(qos))));
    }
    broker_.drop(peer);
  }
}

TEST_F(MqttFilterTest, UnsubscribeEndsTheEqualFilterAlone) {
  for (const Level level : kLevels) {
    const auto peer = connect("a", level);
    subscribe_all(peer, {request_of("a/+", kQoS0), request_of("a/b", kQoS0)}, 1);
    unsubscribe_all(peer, {"a/B", "a/+/", "a/b"}, 2);
    take(peer);
    publish(peer, "a/b", "x");
    EXPECT_EQ(all_of(peer).size(), 1U);
    unsubscribe(peer, "a/+");
    take(peer);
    publish(peer, "a/b", "x");
    EXPECT_THAT(all_of(peer), IsEmpty());
    broker_.drop(peer);
  }
}

TEST_F(MqttFilterTest, WhatBeganIsCompletedAfterUnsubscribe) {
  const auto sender = connect("sender");
  for (const Level level : kLevels) {
    for (const bool kept : {false, true}) {
      const auto peer = kept ? resume("a", level) : connect("a", level);
      subscribe(peer, "t", kQoS2);
      publish(sender, "t", "1", kQoS1, 1);
      publish(sender, "t", "2", kQoS2, 2);
      acknowledge<Pubrel>(sender, 2);
      broker_.sync();
      unsubscribe(peer, "t");
      take(peer);
      acknowledge<Puback>(peer, 1);
      acknowledge<Pubrec>(peer, 2);
      EXPECT_THAT(all_of(peer), ElementsAre("PUBREL id=2 0x00"));
      acknowledge<Pubcomp>(peer, 2);
      EXPECT_THAT(all_of(peer), IsEmpty());
      broker_.drop(peer);
      connect("a");
    }
  }
}

TEST_F(MqttFilterTest, OverlappingSubscriptionsGetACopyEach) {
  const auto sender = connect("sender");
  for (const Level level : kLevels) {
    const auto peer = connect("a", level);
    subscribe_all(peer, {request_of("a/b", kQoS1), request_of("a/#", kQoS2)}, 1);
    take(peer);
    publish(sender, "a/b", "x", kQoS2, 1);
    acknowledge<Pubrel>(sender, 1);
    EXPECT_THAT(all_of(peer), testing::UnorderedElementsAre(StartsWith("PUBLISH qos=1"),
                                                            StartsWith("PUBLISH qos=2")));
    broker_.drop(peer);
  }
}

TEST_F(MqttFilterTest, WildcardsAtTheStartDoNotFindTopicsOfTheBroker) {
  for (const Level level : kLevels) {
    const auto peer = connect("a", level);
    subscribe_all(peer, {request_of("#", kQoS0), request_of("+/broker/x", kQoS0)}, 1);
    subscribe_all(peer, {request_of("$SYS/broker/+", kQoS0)}, 2);
    take(peer);
    core::engine_role.assert_held();
    core::MessageBuilder message;
    message.destination_kind = core::DestinationKind::topic;
    message.destination_name = "$SYS.broker.x";
    message.body_kind = core::BodyKind::bytes;
    message.body = "1";
    ASSERT_TRUE(broker_.engine().announce(message, core::TimePoint{}));
    broker_.settle();
    EXPECT_THAT(all_of(peer), ElementsAre("PUBLISH qos=0 topic=\"$SYS/broker/x\" payload=\"1\""));
    broker_.drop(peer);
  }
}

TEST_F(MqttFilterTest, NoLocalHoldsOverConnections) {
  auto peer = resume("a");
  SubscriptionRequest request = request_of("t", kQoS1);
  request.no_local = true;
  subscribe(peer, request);
  publish(peer, "t", "own", kQoS1, 1);
  broker_.sync();
  broker_.drop(peer);
  peer = resume("a");
  publish(peer, "t", "own", kQoS1, 2);
  publish(connect("other"), "t", "other", kQoS1, 1);
  EXPECT_THAT(all_of(peer), testing::UnorderedElementsAre(HasSubstr("PUBACK id=2"),
                                                          HasSubstr("payload=\"other\"")));
}

TEST_F(MqttFilterTest, AMemberGetsItsOwnQoS) {
  const auto sender = connect("sender");
  for (const QoS qos : {kQoS0, kQoS1, kQoS2}) {
    const auto peer = connect("a");
    subscribe(peer, "$share/g/t", qos);
    take(peer);
    publish(sender, "t", "x", kQoS2, 1);
    acknowledge<Pubrel>(sender, 1);
    EXPECT_THAT(all_of(peer),
                ElementsAre(StartsWith("PUBLISH qos=" + std::to_string(static_cast<int>(qos)))));
    broker_.drop(peer);
  }
}

TEST_F(MqttFilterTest, WhatAMemberBeganAtQoS2WaitsForIt) {
  for (const bool crash : {false, true}) {
    auto a = resume("a");
    subscribe(a, "$share/g/t", kQoS2);
    take(a);
    auto sender = connect("sender");
    publish(sender, "t", "x", kQoS2, 1);
    EXPECT_EQ(all_of(a).size(), 1U);
    auto b = resume("b");
    subscribe(b, "$share/g/t", kQoS2);
    take(b);
    if (crash) {
      broker_.restart();
      b = resume("b");
    } else {
      broker_.drop(a);
    }
    EXPECT_THAT(all_of(b), IsEmpty());
    a = resume("a");
    EXPECT_THAT(all_of(a), ElementsAre("PUBLISH qos=2 dup id=1 topic=\"t\" payload=\"x\""));
    connect("a");
    connect("b");
  }
}

TEST_F(MqttFilterTest, WhatAMemberBeganAtQoS2GoesToNoOtherWhenItsSessionEnds) {
  auto a = resume("a");
  subscribe(a, "$share/g/t", kQoS2);
  take(a);
  publish(connect("sender"), "t", "x", kQoS2, 1);
  EXPECT_EQ(all_of(a).size(), 1U);
  auto b = resume("b");
  subscribe(b, "$share/g/t", kQoS2);
  take(b);
  connect("a");  // ends it
  EXPECT_THAT(all_of(b), IsEmpty());
  broker_.drop(b);
  b = resume("b");
  EXPECT_THAT(all_of(b), IsEmpty());
}

TEST_F(MqttFilterTest, WhatAMemberRefusesGoesToNoOther) {
  for (const bool kept : {false, true}) {
    const auto a = kept ? resume("a") : connect("a");
    subscribe(a, "$share/g/t", kQoS2);
    take(a);
    const auto sender = connect("sender");
    publish(sender, "t", "1", kQoS1, 1);
    publish(sender, "t", "2", kQoS2, 2);
    EXPECT_EQ(all_of(a).size(), 2U);
    const auto b = kept ? resume("b") : connect("b");
    subscribe(b, "$share/g/t", kQoS2);
    take(b);
    acknowledge<Puback>(a, 1, ReasonCode::unspecified_error);
    acknowledge<Pubrec>(a, 2, ReasonCode::unspecified_error);
    EXPECT_THAT(all_of(a), IsEmpty());
    EXPECT_THAT(all_of(b), IsEmpty());
    broker_.drop(a);
    EXPECT_THAT(all_of(b), IsEmpty());
    connect("a");
    connect("b");
  }
}

}  // namespace
}  // namespace pabal::mqtt
