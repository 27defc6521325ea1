// What a client's own limits and kinds of delivery do: in_flight_max, acknowledgements that depend
// on the message, durable subscriptions that keep nothing volatile, and names that begin with $.

#include <gtest/gtest.h>

#include "core/topic_trie.h"
#include "tests/unit/core/session_fixture.h"

namespace pabal::core {
namespace {

using Texts = std::vector<std::string>;

class EngineFlightTest : public SessionFixture {};

TEST_F(EngineFlightTest, InFlightMaxCountsOverAllSubscriptions) {
  const auto sender = connect();
  const auto client = visit("c", {.fresh = true, .in_flight_max = 3});
  const auto a = listen(client, {.pattern = "a"});
  const auto b = listen(client, {.pattern = "b"});
  for (const auto* body : {"1", "2", "3", "4"}) {
    tell(sender, "a", body);
    tell(sender, "b", body);
  }
  const auto first = deliveries();
  ASSERT_EQ(first.size(), 3U);
  ASSERT_EQ(ack(first[0].subscription, first[0]).disposition, Disposition::done);
  const auto second = deliveries();
  ASSERT_EQ(second.size(), 1U) << "one back, one more";
  for (const auto& each : {first[1], first[2], second[0]}) ack(each.subscription, each);
  const auto third = deliveries();
  EXPECT_EQ(third.size(), 3U);
  for (const auto& each : third) ack(each.subscription, each);
  const auto last = deliveries();
  EXPECT_EQ(last.size(), 1U);
  std::vector<Delivery> all(first);
  for (const auto* more : {&second, &third, &last})
    all.insert(all.end(), more->begin(), more->end());
  EXPECT_EQ(bodies_for(all, a), (Texts{"1", "2", "3", "4"}));
  EXPECT_EQ(bodies_for(all, b), (Texts{"1", "2", "3", "4"}));
}

TEST_F(EngineFlightTest, InFlightMaxIsSharedByTurns) {
  const auto sender = connect();
  const auto client = visit("c", {.in_flight_max = 1});
  const auto a = listen(client, {.pattern = "a", .name = "a"});
  const auto b = listen(client, {.pattern = "b", .name = "b"});
  for (int i = 0; i < 20; ++i) {
    tell(sender, "a", "x");
    tell(sender, "b", "x");
  }
  int of_a = 0;
  int of_b = 0;
  for (int i = 0; i < 20; ++i) {
    const auto one = deliveries();
    ASSERT_EQ(one.size(), 1U);
    ++(one[0].subscription == a ? of_a : of_b);
    ack(one[0].subscription, one[0]);
  }
  EXPECT_GE(of_a, 9);
  EXPECT_GE(of_b, 9);
  EXPECT_NE(a, b);
}

/// Who waits and has nothing any more must not keep the room from the next.
TEST_F(EngineFlightTest, RoomGoesToTheNextWhenTheFirstHasNothing) {
  const auto sender = connect();
  const auto client = visit("c", {.in_flight_max = 1});
  listen(client, {.pattern = "a", .name = "a", .group = "g"});
  listen(client, {.pattern = "b", .name = "b"});
  const auto other = visit("d");
  const auto rival = listen(other, {.pattern = "a", .name = "a", .group = "g", .prefetch = 1});
  tell(sender, "b", "1");
  const auto first = deliveries();
  ASSERT_EQ(first.size(), 1U);
  // Both wait: a for its share of what is sent there, b for more.
  tell(sender, "a", "x");
  tell(sender, "a", "y");
  tell(sender, "b", "2");
  const auto taken = deliveries();
  ASSERT_EQ(bodies_for(taken, rival).size(), 1U);
  for (auto rest = taken; !rest.empty(); rest = deliveries()) {
    for (const auto& each : rest) ack(each.subscription, each);
  }
  ack(first[0].subscription, first[0]);
  EXPECT_EQ(bodies(deliveries()), (Texts{"2"}));
}

TEST_F(EngineFlightTest, AutomaticDeliveriesDoNotCount) {
  const auto sender = connect();
  const auto client = visit("c", {.in_flight_max = 1});
  listen(client, {.pattern = "a", .mode = AckMode::automatic});
  listen(client, {.pattern = "b"});
  tell(sender, "b", "1");
  tell(sender, "b", "2");
  for (const auto* body : {"x", "y"}) tell(sender, "a", body, {.persistent = false});
  EXPECT_EQ(bodies(deliveries()).size(), 3U);
}

TEST_F(EngineFlightTest, MixedModeAcknowledgesByTheMessage) {
  const auto sender = connect();
  const auto client = visit("c");
  const auto subscription = listen(client, {.pattern = "t", .name = "n", .prefetch = 2});
  tell(sender, "t", "p");
  tell(sender, "t", "v", {.persistent = false});
  tell(sender, "t", "w", {.persistent = false});
  const auto first = deliveries();
  EXPECT_EQ(bodies(first), (Texts{"p", "v"}));
  wrote(client);
  const auto second = deliveries();
  EXPECT_EQ(bodies(second), (Texts{"w"})) << "the volatile one is done, the other is not";
  wrote(client);
  lose(client);
  const auto again = visit("c");
  listen(again, {.pattern = "t", .name = "n"});
  const auto left = deliveries();
  ASSERT_EQ(bodies(left), (Texts{"p"}));
  EXPECT_TRUE(left[0].redelivered);
  EXPECT_NE(subscription, SubscriptionId{});
}

TEST_F(EngineFlightTest, MixedModeOfTopicsWithoutAList) {
  const auto sender = connect();
  const auto client = visit("c", {.keep = seconds(0)});
  const auto subscription = listen(client, {.pattern = "t", .prefetch = 2});
  for (int i = 0; i < 3; ++i) {
    tell(sender, "t", "v", {.persistent = false});
    tell(sender, "t", "p");
  }
  std::vector<Delivery> all;
  for (int i = 0; i < 20; ++i) {
    auto some = deliveries();
    if (some.empty()) break;
    ASSERT_LE(some.size(), 2U);
    wrote(client);
    for (const auto& each : some) {
      if (each.message->persistent()) ack(subscription, each);
      all.push_back(each);
    }
  }
  EXPECT_EQ(bodies(all), (Texts{"v", "p", "v", "p", "v", "p"}));
  EXPECT_EQ(engine_->snapshot().bytes_held, 0U);
}

TEST_F(EngineFlightTest, TheModeOfASubscriptionCanChangeInPlace) {
  const auto sender = connect();
  const auto client = visit("c", {.keep = seconds(0)});
  const auto subscription =
      listen(client, {.pattern = "t", .mode = AckMode::automatic, .prefetch = 4});
  tell(sender, "t", "1");
  tell(sender, "t", "2");
  const auto loose = deliveries();
  ResubscribeOptions change;
  change.ack_mode = AckMode::mixed;
  ASSERT_TRUE(engine_->resubscribe(subscription, change, now_));
  tell(sender, "t", "3");
  tell(sender, "t", "4");
  const auto explicit_ones = deliveries();
  ASSERT_EQ(explicit_ones.size(), 2U);
  tell(sender, "t", "5");
  EXPECT_TRUE(deliveries().empty());
  wrote(client);
  EXPECT_EQ(bodies(deliveries()), (Texts{"5"})) << "the first two are written, and so done";
  ack(subscription, explicit_ones[0]);
  change.ack_mode = AckMode::automatic;
  ASSERT_TRUE(engine_->resubscribe(subscription, change, now_));
  for (const auto* body : {"6", "7", "8"}) tell(sender, "t", body);
  EXPECT_EQ(bodies(deliveries()).size(), 2U) << "two of before are still out";
  wrote(client);
  EXPECT_EQ(bodies(deliveries()), (Texts{"8"}));
}

// --- volatile messages of durable subscriptions --------------------------------------------------

TEST_F(EngineFlightTest, VolatileWhenActiveKeepsNothingVolatileForTheAbsent) {
  const auto sender = connect();
  auto client = visit("c");
  const Filter filter{.pattern = "t", .name = "n", .volatile_when_active = true};
  listen(client, filter);
  // Another one keeps them, so that they stand in the list.
  const auto keeper = visit("k");
  const auto kept = listen(keeper, {.pattern = "t", .name = "n", .prefetch = 0});
  tell(sender, "t", "1", {.persistent = false});
  EXPECT_EQ(bodies(deliveries()), (Texts{"1"}));
  wrote(client);
  lose(client);
  tell(sender, "t", "2", {.persistent = false});
  tell(sender, "t", "3");
  client = visit("c");
  listen(client, filter);
  tell(sender, "t", "4", {.persistent = false});
  const auto got = deliveries();
  EXPECT_EQ(bodies(got), (Texts{"3", "4"}));
  wrote(client);
  ack(got[0].subscription, got[0]);
  ASSERT_TRUE(engine_->grant(kept, 100, now_));
  const auto all = deliveries();
  EXPECT_EQ(bodies(all), (Texts{"1", "2", "3", "4"}));
  wrote(keeper);
  ack(kept, all[2]);
  EXPECT_EQ(engine_->snapshot().bytes_held, 0U);
}

TEST_F(EngineFlightTest, VolatileWhenActiveDropsWhatWasNotTaken) {
  const auto sender = connect();
  const auto client = visit("c");
  const Filter filter{.pattern = "t", .name = "n", .volatile_when_active = true, .prefetch = 1};
  listen(client, filter);
  for (const auto* body : {"1", "2", "3"}) tell(sender, "t", body, {.persistent = false});
  EXPECT_EQ(bodies(deliveries()), (Texts{"1"}));
  EXPECT_GT(engine_->snapshot().bytes_held, 0U);
  lose(client);
  run();
  EXPECT_EQ(engine_->snapshot().bytes_held, 0U);
  const auto again = visit("c");
  listen(again, filter);
  EXPECT_TRUE(deliveries().empty());
  lose(again);
  EXPECT_EQ(engine_->durable_subscriptions(10).at(0).depth, 0U);
}

TEST_F(EngineFlightTest, VolatileWhenActiveSurvivesARestart) {
  auto client = visit("c");
  listen(client, {.pattern = "t", .name = "n", .volatile_when_active = true});
  run();
  restart_now();
  const auto sender = connect();
  tell(sender, "t", "1", {.persistent = false});
  tell(sender, "t", "2");
  run();
  EXPECT_EQ(engine_->durable_subscriptions(10).at(0).depth, 1U);
  client = visit("c");
  listen(client, {.pattern = "t", .name = "n", .volatile_when_active = true});
  EXPECT_EQ(bodies(deliveries()), (Texts{"2"}));
}

// --- names that begin with $ ---------------------------------------------------------------------

TEST(ReservedNamesTest, AreMatchedByNoLeadingWildcard) {
  EXPECT_FALSE(matches(">", "$SYS.x"));
  EXPECT_FALSE(matches("*", "$SYS"));
  EXPECT_FALSE(matches("*.x", "$SYS.x"));
  EXPECT_TRUE(matches("$SYS.>", "$SYS.x"));
  EXPECT_TRUE(matches("$SYS.*", "$SYS.x"));
  EXPECT_TRUE(matches(">", "a.$SYS"));
  EXPECT_TRUE(matches("*.*", "a.$SYS"));
}

TEST(ReservedNamesTest, TheTrieSaysTheSame) {
  TopicTrie<std::string> trie;
  const Texts patterns = {">", "*", "*.x", "$SYS.>", "$SYS.*", "$SYS.x", "*.>", "a.>"};
  for (const auto& pattern : patterns) trie.insert(pattern, pattern);
  for (const auto* name : {"$SYS.x", "$SYS", "$", "a.$x", "a", "b.x"}) {
    Texts found;
    Texts expected;
    trie.match(name, [&](const std::string& pattern) { found.push_back(pattern); });
    for (const auto& pattern : patterns) {
      if (matches(pattern, name)) expected.push_back(pattern);
    }
    std::sort(found.begin(), found.end());
    std::sort(expected.begin(), expected.end());
    EXPECT_EQ(found, expected) << name;
  }
  Texts any;
  trie.match_any("$SYS.x", [&](const std::string& pattern) { any.push_back(pattern); });
  EXPECT_EQ(any.size(), 6U) << "policies count for them as for others";
}

TEST_F(EngineFlightTest, WildcardsGetNoReservedNames) {
  const auto client = connect();
  subscribe(client, {.kind = DestinationKind::topic, .name = ">"});
  subscribe(client, {.kind = DestinationKind::topic, .name = "$SYS.>"});
  tell(client, "$SYS.a", "1");
  tell(client, "a.$SYS", "2");
  EXPECT_EQ(bodies(deliveries()), (Texts{"1", "2"}));
}

}  // namespace
}  // namespace pabal::core
