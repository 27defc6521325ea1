// Shared subscriptions: turns, members that leave, lists that are stored or not, and deliveries
// that stay with their session.

#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/core/session_fixture.h"

namespace pabal::core {
namespace {

using Texts = std::vector<std::string>;

class EngineSharedTest : public SessionFixture {
 protected:
  SubscriptionId join(const ConnectionDetails& who, std::uint32_t prefetch = 1000) {
    return listen(who, {.name = "n", .group = "g", .prefetch = prefetch});
  }
  void send(int first, int last) {
    if (sender_.id == ConnectionId{}) sender_ = connect();
    for (int i = first; i <= last; ++i) tell(sender_, "t", std::to_string(i));
  }
  void reopen(Ticket survives = kNoTicket) {
    restart_now(survives);
    sender_ = {};
  }
  static const Visit kClean;
  ConnectionDetails sender_;
};
const EngineSharedTest::Visit EngineSharedTest::kClean{.keep = seconds(0)};

TEST_F(EngineSharedTest, EachMessageGoesToOneMember) {
  const auto a = join(visit("a"));
  const auto b = join(visit("b"));
  const auto alone = listen(visit("b2"), {});
  send(1, 10);
  const auto got = deliveries();
  EXPECT_EQ(bodies_for(got, a).size(), 5U);
  EXPECT_EQ(bodies_for(got, b).size(), 5U);
  EXPECT_EQ(bodies_for(got, alone).size(), 10U);
}

TEST_F(EngineSharedTest, GroupsAndPatternsAreDifferentOnes) {
  const auto who = visit("a");
  const auto one = listen(who, {.name = "1", .group = "g"});
  const auto two = listen(who, {.name = "2", .group = "h"});
  const auto three = listen(who, {.pattern = ">", .name = "3", .group = "g"});
  const auto four = listen(who, {.name = "4"});
  send(1, 1);
  const auto got = deliveries();
  for (const auto each : {one, two, three, four}) EXPECT_EQ(bodies_for(got, each).size(), 1U);
}

TEST_F(EngineSharedTest, CreditDecides) {
  const auto slow = join(visit("a"), 1);
  const auto fast = join(visit("b"), 100);
  send(1, 10);
  const auto got = deliveries();
  EXPECT_EQ(bodies_for(got, slow).size(), 1U);
  EXPECT_EQ(bodies_for(got, fast).size(), 9U);
}

TEST_F(EngineSharedTest, WhatAMemberLeavesGoesToTheOthers) {
  for (const bool kept : {true, false}) {
    open();
    sender_ = {};
    const auto leaver = visit("a", {.keep = seconds(kept ? 100 : 0)});
    join(leaver);
    const auto b = join(visit("b", {.keep = seconds(kept ? 100 : 0)}));
    send(1, 4);
    deliveries();
    lose(leaver);
    const auto moved = deliveries();
    EXPECT_EQ(bodies_for(moved, b).size(), 2U);
    for (const auto& each : moved) EXPECT_TRUE(each.redelivered);
  }
}

TEST_F(EngineSharedTest, LivesAsLongAsAKeptSessionHasIt) {
  const auto who = visit("a", {.keep = seconds(100)});
  join(who);
  lose(who);
  send(1, 2);
  reopen();
  send(3, 3);
  const auto again = visit("a");
  EXPECT_EQ(engine_->session_subscriptions(again.id).at(0).group, "g");
  join(again);
  EXPECT_EQ(bodies(deliveries()), (Texts{"1", "2", "3"}));
  lose(again);
  advance(seconds(5000));
  send(4, 4);
  run();
  EXPECT_EQ(store_->status().bytes_live, 0U) << "it has gone, and what waited for it";
  EXPECT_TRUE(store_->recovered().lists.empty());
}

TEST_F(EngineSharedTest, ForgottenByItsLastMember) {
  const auto a = visit("a");
  const auto b = visit("b");
  const auto of_a = join(a);
  const auto of_b = join(b);
  ASSERT_TRUE(engine_->unsubscribe(of_a, now_));
  ASSERT_TRUE(engine_->forget_subscription(a.id, "n", now_));
  send(1, 1);
  EXPECT_EQ(bodies_for(deliveries(), of_b), (Texts{"1"}));
  ASSERT_TRUE(engine_->unsubscribe(of_b, now_));
  ASSERT_TRUE(engine_->forget_subscription(b.id, "n", now_));
  run();
  EXPECT_TRUE(store_->recovered().lists.empty());
  reopen();
  EXPECT_TRUE(engine_->session_subscriptions(visit("a").id).empty());
}

TEST_F(EngineSharedTest, CleanSessionsCostNoDisk) {
  const auto a = visit("a", kClean);
  const auto b = visit("b", kClean);
  const auto of_a = join(a);
  join(b);
  send(1, 100);
  EXPECT_EQ(deliveries().size(), 100U);
  EXPECT_EQ(raw(engine_->submitted()), 0U) << "nothing was stored";
  lose(b);
  const auto moved = deliveries();
  EXPECT_EQ(moved.size(), 50U);
  EXPECT_GT(engine_->snapshot().bytes_held, 0U);
  lose(a);
  run();
  EXPECT_EQ(engine_->snapshot().bytes_held, 0U);
  send(101, 101);
  run();
  EXPECT_EQ(engine_->snapshot().bytes_held, 0U);
  EXPECT_NE(of_a, SubscriptionId{});
}

TEST_F(EngineSharedTest, AMemberWithoutASessionIsOne) {
  const auto who = connect();
  const auto of_a = listen(who, {.group = "g"});
  send(1, 2);
  EXPECT_EQ(bodies_for(deliveries(), of_a).size(), 2U);
  lose(who);
  run();
  EXPECT_EQ(engine_->snapshot().bytes_held, 0U);
}

TEST_F(EngineSharedTest, AKeptMemberMakesItStored) {
  const auto clean = visit("a", kClean);
  const auto of_clean = join(clean, 1);
  send(1, 3);
  const auto first = deliveries();
  ASSERT_EQ(bodies(first), (Texts{"1"}));
  const auto kept = visit("b");
  const auto of_kept = join(kept);
  send(4, 5);
  const auto second = deliveries();
  EXPECT_THAT(bodies_for(second, of_kept), testing::UnorderedElementsAre("2", "3", "4", "5"));
  lose(kept);
  run();
  std::multiset<std::string> got = {"1"};
  ack(of_clean, first[0]);
  for (auto some = deliveries(); !some.empty(); some = deliveries()) {
    for (const auto& each : some) {
      got.emplace(each.message->body());
      ack(of_clean, each);
    }
  }
  EXPECT_EQ(got, (std::multiset<std::string>{"1", "2", "3", "4", "5"}));
  lose(clean);
  send(6, 6);
  reopen();
  join(visit("b"));
  EXPECT_EQ(bodies(deliveries()), (Texts{"6"}));
}

TEST_F(EngineSharedTest, WhatAReplacedListHasWaitsForThoseWhoHaveTheSubscription) {
  const auto clean = visit("a", kClean);
  join(clean, 0);
  send(1, 2);
  run();
  auto kept = visit("b");
  auto of_kept = join(kept, 1);  // the stored one takes the place
  const auto first = deliveries();
  ASSERT_EQ(bodies(first), (Texts{"1"}));
  lose(clean);
  lose(kept);
  run();
  kept = visit("b");
  of_kept = join(kept);
  const auto again = deliveries();
  EXPECT_EQ(bodies(again), (Texts{"1", "2"})) << "it was sent and not acknowledged";
  for (const auto& each : again) ack(of_kept, each);
  run();
  EXPECT_EQ(engine_->snapshot().bytes_held, 0U);
}

TEST_F(EngineSharedTest, AReplacedListGoesWithTheLastWhoHasTheSubscription) {
  const auto clean = visit("a", kClean);
  join(clean, 0);
  send(1, 10);
  const auto kept = visit("b", {.keep = seconds(10)});
  join(kept, 0);
  lose(clean);
  lose(kept);
  run();
  EXPECT_GT(engine_->snapshot().bytes_held, 0U);
  advance(seconds(20));
  EXPECT_EQ(engine_->snapshot().bytes_held, 0U);
}

TEST_F(EngineSharedTest, RefusesWhatMakesNoSense) {
  const auto who = visit("a");
  EXPECT_FALSE(try_listen(who, {.name = "n", .group = "g", .no_local = true}));
  SubscribeOptions options;
  options.interests.push_back({Destination{DestinationKind::queue, "q"}, "", false});
  options.shared_group = "g";
  EXPECT_FALSE(engine_->subscribe(who.id, options, now_));
}

TEST_F(EngineSharedTest, AStoppedGroupHoldsItsProducersAndNotTheMemory) {
  EngineLimits limits;
  limits.topic_pending_bytes_max = 10'000;
  open({}, limits);
  join(visit("a", kClean), 0);
  sender_ = connect();
  Disposition last = Disposition::done;
  int sent = 0;
  for (; sent < 1000 && last == Disposition::done; ++sent) {
    last = tell(sender_, "t", std::string(100, 'x')).disposition;
  }
  EXPECT_EQ(last, Disposition::parked);
  EXPECT_LT(sent, 100);
}

// --- pinned deliveries ---------------------------------------------------------------------------

TEST_F(EngineSharedTest, APinnedDeliveryStaysWithItsSession) {
  const auto a = visit("a");
  const auto of_a = join(a, 2);
  send(1, 2);
  const auto got = deliveries();
  ASSERT_EQ(got.size(), 2U);
  ASSERT_TRUE(engine_->pin(of_a, got[0].id));
  const auto of_b = join(visit("b"));
  lose(a);
  EXPECT_EQ(bodies_for(deliveries(), of_b), (Texts{"2"}));
  const auto back = visit("a");
  const auto of_back = join(back);
  const auto again = deliveries();
  ASSERT_EQ(bodies_for(again, of_back), (Texts{"1"}));
  EXPECT_TRUE(again[0].redelivered);
  EXPECT_EQ(ack(of_back, again[0]).disposition, Disposition::done);
  lose(back);
  join(visit("a"));
  EXPECT_TRUE(deliveries().empty());
}

TEST_F(EngineSharedTest, PinsSurviveRestarts) {
  auto a = visit("a");
  auto of_a = join(a);
  send(1, 3);
  const auto got = deliveries();
  ASSERT_TRUE(engine_->pin(of_a, got[1].id));
  for (int round = 0; round < 3; ++round) {
    reopen();
    const auto of_b = join(visit("b"));
    const auto moved = deliveries();
    EXPECT_EQ(bodies_for(moved, of_b), (Texts{"1", "3"})) << round;
  }
  a = visit("a");
  of_a = join(a);
  const auto again = deliveries();
  ASSERT_EQ(bodies_for(again, of_a), (Texts{"2"}));
  ack(of_a, again[0]);
  reopen();
  join(visit("a"));
  EXPECT_EQ(bodies(deliveries()), (Texts{"1", "3"}));
  EXPECT_EQ(engine_->snapshot().sessions, 2U);
}

TEST_F(EngineSharedTest, WhatIsPinnedEndsWithItsSession) {
  const auto a = visit("a", {.keep = seconds(10)});
  const auto of_a = join(a);
  const auto of_b = join(visit("b", {.keep = std::nullopt}));
  send(1, 2);
  const auto got = deliveries();
  const auto& mine = got[0].subscription == of_a ? got[0] : got[1];
  ASSERT_TRUE(engine_->pin(of_a, mine.id));
  for (const auto& each : got) {
    if (each.subscription == of_b) ack(of_b, each);
  }
  lose(a);
  EXPECT_TRUE(deliveries().empty());
  advance(seconds(11));
  EXPECT_TRUE(deliveries().empty()) << "it goes to nobody else";
  EXPECT_EQ(store_->status().bytes_live, 0U);
  EXPECT_EQ(engine_->snapshot().bytes_held, 0U);
}

TEST_F(EngineSharedTest, OnlySharedDeliveriesArePinned) {
  const auto a = visit("a");
  const auto subscription = listen(a, {.name = "m"});
  send(1, 1);
  const auto got = deliveries();
  EXPECT_FALSE(engine_->pin(subscription, got[0].id));
  EXPECT_FALSE(engine_->pin(subscription, DeliveryId{99}));
}

TEST_F(EngineSharedTest, ARestartAtEveryPoint) {
  const auto play = [&] {
    sender_ = connect();
    const auto a = visit("a");
    const auto of_a = join(a);
    engine_->run(now_);
    send(1, 2);
    engine_->run(now_);
    std::vector<Delivery> got;
    got.swap(engine_->outbox(HomeId{}).deliveries);
    store_->make_durable(engine_->submitted());
    engine_->durable_advanced(now_);
    engine_->run(now_);
    for (auto& each : engine_->outbox(HomeId{}).deliveries) got.push_back(each);
    EXPECT_EQ(got.size(), 2U);
    engine_->outbox(HomeId{}).clear();
    const auto begin = raw(engine_->submitted());
    EXPECT_TRUE(engine_->pin(of_a, got.at(0).id));
    engine_->acknowledge(of_a, {got[0].id, got[0].id}, AckKind::consumed,
                         SessionChanges{{"o/1", "released"}}, now_);
    lose(a);
    engine_->run(now_);
    return std::pair(begin, raw(engine_->submitted()));
  };
  open({.manual_durability = true});
  const auto [begin, end] = play();
  for (auto survives = begin; survives <= end; ++survives) {
    SCOPED_TRACE(survives);
    open({.manual_durability = true});
    play();
    reopen(Ticket{survives});
    const auto of_b = join(visit("b"));
    store_->make_durable(engine_->submitted());
    auto got = bodies_for(deliveries(), of_b);
    const auto a = visit("a");
    const auto of_a = join(a);
    store_->make_durable(engine_->submitted());
    const auto own = bodies_for(deliveries(), of_a);
    const bool released = !engine_->session_attachments(a.id).empty();
    // The first is pinned, or done, or as free as the second.
    if (released) {
      EXPECT_EQ(got, (Texts{"2"}));
      EXPECT_TRUE(own.empty());
    } else if (own.empty()) {
      EXPECT_EQ(got, (Texts{"1", "2"}));
    } else {
      EXPECT_EQ(got, (Texts{"2"}));
      EXPECT_EQ(own, (Texts{"1"}));
    }
  }
}

}  // namespace
}  // namespace pabal::core
