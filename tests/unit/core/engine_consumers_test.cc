#include <map>
#include <set>

#include "tests/unit/core/engine_fixture.h"

// Exclusive consumers, consumer priority, strict order, and when dispatch starts.

namespace pabal::core {
namespace {

class EngineConsumersTest : public EngineFixture {
 protected:
  void configure(const DestinationPolicy& policy) {
    EngineSettings settings;
    settings.policies.set_default(std::make_shared<const DestinationPolicy>(policy));
    engine_->configure(std::move(settings), now_);
  }
  SubscriptionId add(const Sub& sub) {
    connections_.push_back(connect());
    return subscribe(connections_.back(), sub);
  }
  static Sub exclusive(std::uint32_t prefetch = 1000, std::int32_t priority = 0) {
    Sub sub;
    sub.exclusive = true;
    sub.prefetch = prefetch;
    sub.priority = priority;
    return sub;
  }
  static Sub ranked(std::int32_t priority, std::uint32_t prefetch = 1000,
                    const std::string& selector = "") {
    Sub sub;
    sub.priority = priority;
    sub.prefetch = prefetch;
    sub.selector = selector;
    return sub;
  }
  static std::map<SubscriptionId, std::vector<std::string>> shares(
      const std::vector<Delivery>& all) {
    std::map<SubscriptionId, std::vector<std::string>> shares;
    for (const auto& delivery : all) {
      shares[delivery.subscription].emplace_back(delivery.message->body());
    }
    return shares;
  }

  ConnectionDetails sender_;
  std::vector<ConnectionDetails> connections_;
};

// --- exclusive -----------------------------------------------------------------------------------

TEST_F(EngineConsumersTest, TheFirstExclusiveConsumerGetsAllAndTheNextTakesOverInOrder) {
  sender_ = connect();
  const auto plain = add({});
  const auto first = add(exclusive(3));
  const auto second = add(exclusive());
  fill(sender_, 10);
  const auto got = deliveries();
  EXPECT_EQ(bodies(got), numbers(1, 3));
  for (const auto& delivery : got) EXPECT_EQ(delivery.subscription, first);
  EXPECT_EQ(view("queue://q").waiting, WaitReason::exclusive_owned);
  ack(first, got[0]);
  EXPECT_EQ(bodies(deliveries()), std::vector<std::string>{"4"});
  engine_->disconnect(connections_[1].id, now_);
  const auto rest = deliveries();
  EXPECT_EQ(bodies(rest), numbers(2, 10));
  for (const auto& delivery : rest) EXPECT_EQ(delivery.subscription, second);
  engine_->disconnect(connections_[2].id, now_);
  EXPECT_EQ(bodies(deliveries()), numbers(2, 10)) << "nobody is exclusive any more";
  (void)plain;
}

TEST_F(EngineConsumersTest, AnExclusiveConsumerWithAHigherPriorityTakesOver) {
  sender_ = connect();
  const auto low = add(exclusive(1000, 0));
  fill(sender_, 2);
  EXPECT_EQ(shares(deliveries())[low], numbers(1, 2));
  const auto high = add(exclusive(1000, 5));
  const auto equal = add(exclusive(1000, 5));
  fill(sender_, 3);
  const auto got = shares(deliveries());
  ASSERT_EQ(got.size(), 1U);
  EXPECT_EQ(got.at(high), numbers(1, 3));
  (void)equal;
}

TEST_F(EngineConsumersTest, ThePolicyMakesEveryConsumerExclusive) {
  sender_ = connect();
  const auto first = add({});
  const auto second = add({});
  fill(sender_, 4);
  EXPECT_EQ(shares(deliveries()).size(), 2U);
  DestinationPolicy policy;
  policy.all_consumers_exclusive = true;
  configure(policy);
  fill(sender_, 4);
  const auto got = shares(deliveries());
  ASSERT_EQ(got.size(), 1U);
  EXPECT_EQ(got.at(first), numbers(1, 4));
  configure({});
  fill(sender_, 4);
  EXPECT_EQ(shares(deliveries()).size(), 2U);
  (void)second;
}

TEST_F(EngineConsumersTest, AnExclusiveConsumerWithASelectorStillKeepsTheOthersAway) {
  sender_ = connect();
  Sub sub = exclusive();
  sub.selector = "color = 'red'";
  const auto red = add(sub);
  add({});
  for (const auto* color : {"red", "blue", "red"}) {
    Send what;
    what.color = what.body = color;
    publish(sender_, what);
  }
  const auto got = shares(deliveries());
  ASSERT_EQ(got.size(), 1U);
  EXPECT_EQ(got.at(red), (std::vector<std::string>{"red", "red"}));
  engine_->disconnect(connections_[0].id, now_);
  EXPECT_EQ(deliveries().size(), 3U);
}

// The groups of others go to the exclusive one, but not while their owners work on them.
TEST_F(EngineConsumersTest, AnExclusiveConsumerGetsTheGroupsThatAreSettled) {
  sender_ = connect();
  const auto plain = add({});
  Send what;
  for (const auto* group : {"a", "b"}) {
    what.group = what.body = group;
    publish(sender_, what);
  }
  const auto got = deliveries();
  ASSERT_EQ(got.size(), 2U);
  ack(plain, got[0]);
  const auto one = add(exclusive());
  for (const auto* group : {"b", "a"}) {
    what.group = what.body = group;
    publish(sender_, what);
  }
  const auto more = deliveries();
  ASSERT_EQ(bodies(more), std::vector<std::string>{"a"});
  EXPECT_EQ(more[0].subscription, one);
  EXPECT_TRUE(more[0].first_of_group);
  ack(plain, got[1]);
  const auto rest = deliveries();
  ASSERT_EQ(bodies(rest), std::vector<std::string>{"b"});
  EXPECT_EQ(rest[0].subscription, one);
}

// --- priority ------------------------------------------------------------------------------------

TEST_F(EngineConsumersTest, TheHigherPriorityIsFilledFirst) {
  sender_ = connect();
  const auto low = add(ranked(0));
  const auto high = add(ranked(7, 3));
  fill(sender_, 5);
  auto got = shares(deliveries());
  EXPECT_EQ(got[high], numbers(1, 3));
  EXPECT_EQ(got[low], numbers(4, 5));
  DestinationPolicy policy;
  policy.use_consumer_priority = false;
  configure(policy);
  const auto third = add(ranked(100));
  fill(sender_, 4);
  got = shares(deliveries());
  EXPECT_EQ(got[low].size(), 2U);
  EXPECT_EQ(got[third].size(), 2U);
}

TEST_F(EngineConsumersTest, APriorityHoldsBetweenConsumersWithDifferentSelectors) {
  sender_ = connect();
  const auto all = add(ranked(0));
  const auto red = add(ranked(5, 2, "color = 'red'"));
  const auto reddish = add(ranked(3, 1000, "color LIKE 'r%'"));
  for (int i = 1; i <= 6; ++i) {
    Send what;
    what.color = i % 2 == 1 ? "red" : "blue";
    what.body = std::to_string(i);
    publish(sender_, what);
  }
  auto got = shares(deliveries());
  EXPECT_EQ(got[red], (std::vector<std::string>{"1", "3"}));
  EXPECT_EQ(got[reddish], (std::vector<std::string>{"5"}));
  EXPECT_EQ(got[all], (std::vector<std::string>{"2", "4", "6"}));
  EXPECT_EQ(view("queue://q").depth, view("queue://q").in_flight);
}

TEST_F(EngineConsumersTest, APlainConsumerWithAHigherPriorityGoesBeforeOneWithASelector) {
  EngineLimits limits;
  limits.list_window_bytes_max = 4000;
  limits.window_bytes_max = 20'000;
  open({}, limits);
  sender_ = connect();
  for (int i = 1; i <= 500; ++i) {
    Send what;
    what.color = i > 400 ? "red" : "blue";
    what.body = std::to_string(i);
    publish(sender_, what);
  }
  run();
  const auto red = add(ranked(0, 1000, "color = 'red'"));
  const auto all = add(ranked(4, 450));
  auto got = shares(deliveries());
  // The selective one was there first and may have begun; all in all it gets what is left.
  EXPECT_EQ(got[red].size() + got[all].size(), 500U);
  EXPECT_LE(got[all].size(), 450U);
  EXPECT_GE(got[all].size(), 400U);
  for (const auto& connection : connections_) engine_->disconnect(connection.id, now_);
  EXPECT_EQ(drain("q").size(), 500U);
}

TEST_F(EngineConsumersTest, GroupsGoToTheHighestPriorityThatTakesMore) {
  sender_ = connect();
  const auto low = add(ranked(0));
  const auto high = add(ranked(1, 2));
  for (int i = 0; i < 4; ++i) {
    Send what;
    what.body = what.group = std::to_string(i);
    publish(sender_, what);
  }
  auto got = shares(deliveries());
  EXPECT_EQ(got[high], (std::vector<std::string>{"0", "1"}));
  EXPECT_EQ(got[low], (std::vector<std::string>{"2", "3"}));
}

TEST_F(EngineConsumersTest, StrictOrderFillsTheFirstConsumerFirst) {
  DestinationPolicy policy;
  policy.strict_order_dispatch = true;
  configure(policy);
  sender_ = connect();
  const auto first = add(ranked(0, 3));
  const auto second = add(ranked(0, 2));
  const auto third = add(ranked(0));
  fill(sender_, 7);
  auto got = shares(deliveries());
  EXPECT_EQ(got[first], numbers(1, 3));
  EXPECT_EQ(got[second], numbers(4, 5));
  EXPECT_EQ(got[third], numbers(6, 7));
}

// --- the start -----------------------------------------------------------------------------------

TEST_F(EngineConsumersTest, DispatchStartsWhenEnoughConsumersAreThere) {
  DestinationPolicy policy;
  policy.consumers_before_dispatch = 3;
  policy.time_before_dispatch = milliseconds{5000};
  configure(policy);
  sender_ = connect();
  for (int i = 0; i < 30; ++i) {
    Send what;
    what.group = what.body = std::to_string(i);
    publish(sender_, what);
  }
  add({});
  add({});
  EXPECT_TRUE(deliveries().empty());
  EXPECT_EQ(view("queue://q").waiting, WaitReason::warming_up);
  add({});
  const auto got = shares(deliveries());
  ASSERT_EQ(got.size(), 3U);
  for (const auto& [who, share] : got) EXPECT_EQ(share.size(), 10U) << "no rebalancing is needed";
}

TEST_F(EngineConsumersTest, DispatchStartsAfterItsTimeInAnyCase) {
  DestinationPolicy policy;
  policy.consumers_before_dispatch = 3;
  configure(policy);
  sender_ = connect();
  fill(sender_, 3);
  add({});
  EXPECT_TRUE(deliveries().empty());
  ASSERT_TRUE(engine_->next_timer());
  EXPECT_EQ(*engine_->next_timer(), now_ + milliseconds{1000}) << "one second without a time";
  now_ += milliseconds{999};
  engine_->tick(now_);
  EXPECT_TRUE(deliveries().empty());
  now_ += milliseconds{1};
  engine_->tick(now_);
  EXPECT_EQ(deliveries().size(), 3U);
}

TEST_F(EngineConsumersTest, ATimeAloneHoldsTheFirstDispatchAndEachNewStart) {
  DestinationPolicy policy;
  policy.time_before_dispatch = milliseconds{50};
  configure(policy);
  sender_ = connect();
  fill(sender_, 2);
  for (int round = 0; round < 2; ++round) {
    add({});
    add({});
    EXPECT_TRUE(deliveries().empty()) << round;
    now_ += milliseconds{50};
    engine_->tick(now_);
    EXPECT_EQ(deliveries().size(), 2U) << round;
    add({});
    EXPECT_TRUE(deliveries().empty()) << "it runs already";
    while (!connections_.empty()) {
      engine_->disconnect(connections_.back().id, now_);
      connections_.pop_back();
    }
  }
}

TEST_F(EngineConsumersTest, OneThatLeavesBeforeTheStartStartsNothing) {
  DestinationPolicy policy;
  policy.consumers_before_dispatch = 2;
  configure(policy);
  sender_ = connect();
  fill(sender_, 2);
  add({});
  engine_->disconnect(connections_[0].id, now_);
  now_ += milliseconds{900};
  add({});
  EXPECT_TRUE(deliveries().empty());
  now_ += milliseconds{200};
  engine_->tick(now_);
  EXPECT_TRUE(deliveries().empty()) << "its own second is not over";
  add({});
  EXPECT_EQ(deliveries().size(), 2U);
}

}  // namespace
}  // namespace pabal::core
