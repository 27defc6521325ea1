#include "tests/unit/core/engine_fixture.h"

// Consumers that do not keep up: what waits for them is limited, and in the end they go.

namespace pabal::core {
namespace {

class SlowConsumerTest : public EngineFixture {
 protected:
  void configure(DestinationKind kind, const DestinationPolicy& policy) {
    EngineSettings settings;
    settings.policies.add({{kind, ">"}, std::make_shared<const DestinationPolicy>(policy)});
    engine_->configure(settings, now_);
  }
  static DestinationPolicy pending(std::int64_t messages) {
    DestinationPolicy policy;
    policy.pending_limit.kind = PendingLimit::Kind::constant;
    policy.pending_limit.messages = messages;
    return policy;
  }
  SubscriptionId topic_consumer(const ConnectionDetails& who, std::uint32_t prefetch) {
    Sub sub;
    sub.kind = DestinationKind::topic;
    sub.name = "t";
    sub.prefetch = prefetch;
    return subscribe(who, sub);
  }
  void send(const ConnectionDetails& from, const std::string& body, std::uint8_t priority = 4,
            const std::string& color = "", std::int64_t expiration = 0) {
    Send send{DestinationKind::topic, "t", body, false, priority, expiration, color};
    ASSERT_EQ(publish(from, send).disposition, Disposition::done);
  }
  /// Everything that still comes, acknowledged one by one.
  std::string rest(const ConnectionDetails& who, SubscriptionId subscription) {
    std::string bodies;
    for (auto got = deliveries(); !got.empty(); got = deliveries()) {
      for (const auto& delivery : got) {
        bodies += (bodies.empty() ? "" : " ") + std::string(delivery.message->body());
        engine_->written(who.id, delivery.number, now_);
        ack(subscription, delivery);
      }
    }
    return bodies;
  }
  std::vector<ConnectionEffect> closings() {
    std::vector<ConnectionEffect> found;
    for (const auto& effect : engine_->outbox(HomeId{}).effects) {
      if (effect.order == ConnectionOrder::close) found.push_back(effect);
    }
    engine_->outbox(HomeId{}).effects.clear();
    return found;
  }
  ConnectionDetails producer_ = {};
  ConnectionDetails who_ = {};
};

TEST_F(SlowConsumerTest, AConsumersOwnLimitCountsWhereItIsTheLower) {
  const auto left_of = [&](std::uint32_t own, std::optional<std::int64_t> of_policy) {
    open();
    if (of_policy) configure(DestinationKind::topic, pending(*of_policy));
    producer_ = connect();
    who_ = connect();
    SubscribeOptions options;
    options.interests.push_back({{DestinationKind::topic, "t"}, "", false});
    options.ack_mode = AckMode::explicit_;
    options.prefetch = 1;
    options.pending_max = own;
    const auto consumer = engine_->subscribe(who_.id, options, now_);
    EXPECT_TRUE(consumer);
    for (int i = 1; i <= 9; ++i) send(producer_, std::to_string(i));
    return rest(who_, *consumer);
  };
  EXPECT_EQ(left_of(3, std::nullopt), "1 7 8 9");
  EXPECT_EQ(engine_->snapshot().totals.dropped, 5U);
  EXPECT_EQ(engine_->snapshot().bytes_held, 0U);
  EXPECT_EQ(left_of(3, 5), "1 7 8 9");
  EXPECT_EQ(left_of(5, 3), "1 7 8 9");
  EXPECT_EQ(left_of(3, -1), "1 7 8 9");
  EXPECT_EQ(left_of(0, std::nullopt), "1 2 3 4 5 6 7 8 9");
}

TEST_F(SlowConsumerTest, TheOldestGoBeyondAConstantLimit) {
  configure(DestinationKind::topic, pending(3));
  producer_ = connect();
  who_ = connect();
  const auto subscription = topic_consumer(who_, 2);
  for (int i = 1; i <= 10; ++i) send(producer_, std::to_string(i));
  EXPECT_EQ(rest(who_, subscription), "1 2 8 9 10");
  EXPECT_EQ(engine_->snapshot().totals.dropped, 5U);
  EXPECT_EQ(view("topic://t").counters.dropped, 5U);
  EXPECT_EQ(engine_->snapshot().bytes_held, 0U);
}

TEST_F(SlowConsumerTest, ZeroKeepsNothingBeyondThePrefetchAndMinusOneAll) {
  configure(DestinationKind::topic, pending(0));
  producer_ = connect();
  who_ = connect();
  const auto subscription = topic_consumer(who_, 1);
  for (int i = 1; i <= 4; ++i) send(producer_, std::to_string(i));
  EXPECT_EQ(rest(who_, subscription), "1");
  configure(DestinationKind::topic, pending(-1));
  for (int i = 1; i <= 4; ++i) send(producer_, std::to_string(i));
  EXPECT_EQ(rest(who_, subscription), "1 2 3 4");
}

// Goal: the limit is for what waits beyond the prefetch; what only waits for its turn, because it
// can expire or its transaction is not durable, has the credit of its consumer.
TEST_F(SlowConsumerTest, WhatHasCreditIsNotBeyondThePrefetch) {
  configure(DestinationKind::topic, pending(0));
  producer_ = connect();
  who_ = connect();
  const auto subscription = topic_consumer(who_, 3);
  for (int i = 1; i <= 4; ++i) send(producer_, std::to_string(i), 4, "", 2'000'000);
  EXPECT_EQ(rest(who_, subscription), "1 2 3");
  const auto transaction = *engine_->begin(producer_.id);
  for (int i = 5; i <= 7; ++i) {
    const Send what{DestinationKind::topic, "t", std::to_string(i), false, 4, 0, ""};
    publish(producer_, what, transaction);
  }
  ASSERT_EQ(engine_->commit(transaction, 0, now_).disposition, Disposition::done);
  EXPECT_EQ(rest(who_, subscription), "5 6 7");
}

TEST_F(SlowConsumerTest, AMultipleOfThePrefetch) {
  DestinationPolicy policy;
  policy.pending_limit.kind = PendingLimit::Kind::prefetch_rate;
  policy.pending_limit.rate = 1.5;
  configure(DestinationKind::topic, policy);
  producer_ = connect();
  who_ = connect();
  const auto subscription = topic_consumer(who_, 2);
  for (int i = 1; i <= 10; ++i) send(producer_, std::to_string(i));
  EXPECT_EQ(rest(who_, subscription), "1 2 8 9 10");
}

TEST_F(SlowConsumerTest, TheOldestOfTheLowestPriorityGoes) {
  auto policy = pending(3);
  policy.eviction.kind = EvictionStrategy::Kind::oldest_with_lowest_priority;
  configure(DestinationKind::topic, policy);
  producer_ = connect();
  who_ = connect();
  const auto subscription = topic_consumer(who_, 1);
  send(producer_, "taken");
  send(producer_, "high", 9);
  send(producer_, "low-1", 1);
  send(producer_, "low-2", 1);
  send(producer_, "middle", 5);
  send(producer_, "last", 5);
  EXPECT_EQ(rest(who_, subscription), "taken high middle last");
}

TEST_F(SlowConsumerTest, OfTwoWithTheSamePropertyTheOlderGoes) {
  auto policy = pending(3);
  policy.eviction.kind = EvictionStrategy::Kind::unique_property;
  policy.eviction.property = "color";
  configure(DestinationKind::topic, policy);
  producer_ = connect();
  who_ = connect();
  const auto subscription = topic_consumer(who_, 1);
  send(producer_, "taken");
  send(producer_, "red-1", 4, "red");
  send(producer_, "blue-1", 4, "blue");
  send(producer_, "green-1", 4, "green");
  send(producer_, "blue-2", 4, "blue");
  send(producer_, "blue-3", 4, "blue");
  send(producer_, "grey-1", 4, "grey");  // nothing like it: the oldest
  EXPECT_EQ(rest(who_, subscription), "taken green-1 blue-3 grey-1");
}

TEST_F(SlowConsumerTest, ExpiredOnesGoFirst) {
  auto policy = pending(3);
  policy.eviction.expired_high_watermark = 1;
  configure(DestinationKind::topic, policy);
  producer_ = connect();
  who_ = connect();
  const auto subscription = topic_consumer(who_, 1);
  send(producer_, "taken");
  send(producer_, "a");
  send(producer_, "old", 4, "", to_millis(now_) + 10);
  send(producer_, "b");
  now_ += milliseconds(100);
  send(producer_, "c");
  EXPECT_EQ(rest(who_, subscription), "taken a b c");
  EXPECT_EQ(engine_->snapshot().totals.dropped, 0U);
  EXPECT_EQ(engine_->snapshot().totals.expired, 1U);
}

TEST_F(SlowConsumerTest, DurableSubscriptionsLoseNothing) {
  configure(DestinationKind::topic, pending(1));
  producer_ = connect();
  who_ = connect("client");
  Sub sub;
  sub.kind = DestinationKind::topic;
  sub.name = "t";
  sub.prefetch = 1;
  sub.durable = "d";
  const auto subscription = subscribe(who_, sub);
  for (int i = 1; i <= 5; ++i) send(producer_, std::to_string(i));
  EXPECT_EQ(rest(who_, subscription), "1 2 3 4 5");
}

// --- ending them ---------------------------------------------------------------------------------

DestinationPolicy strategy(SlowConsumerStrategy::Kind kind) {
  DestinationPolicy policy;
  policy.slow_consumer.kind = kind;
  policy.slow_consumer.check_period = milliseconds(1000);
  policy.slow_consumer.max_slow_duration = milliseconds(5000);
  policy.slow_consumer.max_time_since_last_ack = milliseconds(3000);
  return policy;
}

TEST_F(SlowConsumerTest, AConsumerThatIsSlowForLongIsEnded) {
  configure(DestinationKind::queue, strategy(SlowConsumerStrategy::Kind::abort_slow));
  producer_ = connect();
  who_ = connect();
  Sub sub;
  sub.prefetch = 2;
  subscribe(who_, sub);
  fill(producer_, 5);
  EXPECT_EQ(deliveries().size(), 2U);
  engine_->written(who_.id, last_number_, now_);
  advance(milliseconds(4000));
  EXPECT_TRUE(closings().empty());
  advance(milliseconds(2500));
  const auto closed = closings();
  ASSERT_EQ(closed.size(), 1U);
  EXPECT_EQ(closed[0].connection, who_.id);
  EXPECT_NE(closed[0].reason.find("slow consumer of queue://q"), std::string::npos);
  EXPECT_EQ(engine_->snapshot().slow_consumers_aborted, 1U);
  EXPECT_EQ(view("queue://q").consumers, 0U);
  engine_->disconnect(who_.id, now_);
  EXPECT_EQ(drain("q").size(), 5U) << "what it had is there for others";
}

TEST_F(SlowConsumerTest, WhoKeepsUpStays) {
  configure(DestinationKind::queue, strategy(SlowConsumerStrategy::Kind::abort_slow));
  producer_ = connect();
  who_ = connect();
  Sub sub;
  sub.prefetch = 2;
  const auto subscription = subscribe(who_, sub);
  for (int second = 0; second < 20; ++second) {
    fill(producer_, 3);
    rest(who_, subscription);
    advance(milliseconds(1000));
  }
  // It holds what it may, and nothing waits behind that.
  fill(producer_, 2);
  EXPECT_EQ(deliveries().size(), 2U);
  advance(milliseconds(60'000));
  EXPECT_TRUE(closings().empty());
}

TEST_F(SlowConsumerTest, FoundSlowSoOften) {
  auto policy = strategy(SlowConsumerStrategy::Kind::abort_slow);
  policy.slow_consumer.max_slow_duration = milliseconds(-1);
  policy.slow_consumer.max_slow_count = 3;
  configure(DestinationKind::queue, policy);
  producer_ = connect();
  who_ = connect();
  Sub sub;
  sub.prefetch = 1;
  subscribe(who_, sub);
  fill(producer_, 2);
  EXPECT_EQ(deliveries().size(), 1U);
  advance(milliseconds(2500));
  EXPECT_TRUE(closings().empty());
  advance(milliseconds(1000));
  EXPECT_EQ(closings().size(), 1U);
}

TEST_F(SlowConsumerTest, ByItsAcknowledgementsOneThatHasNothingMoreWaitingIsSlowToo) {
  configure(DestinationKind::queue, strategy(SlowConsumerStrategy::Kind::abort_slow_ack));
  producer_ = connect();
  who_ = connect();
  subscribe(who_, {});
  advance(milliseconds(60'000));
  EXPECT_TRUE(closings().empty()) << "it has nothing to acknowledge";
  fill(producer_, 1);
  EXPECT_EQ(deliveries().size(), 1U);
  advance(milliseconds(6000));
  EXPECT_TRUE(closings().empty());
  advance(milliseconds(6000));
  EXPECT_EQ(closings().size(), 1U);
}

TEST_F(SlowConsumerTest, ATopicConsumerThatDropsIsSlow) {
  auto policy = strategy(SlowConsumerStrategy::Kind::abort_slow);
  policy.pending_limit.kind = PendingLimit::Kind::constant;
  policy.pending_limit.messages = 1;
  policy.slow_consumer.abort_connection = true;
  configure(DestinationKind::topic, policy);
  producer_ = connect();
  who_ = connect();
  topic_consumer(who_, 1);
  subscribe(who_, {});  // of another destination: goes with the connection
  for (int i = 0; i < 5; ++i) send(producer_, "x");
  run();
  advance(milliseconds(10'000));
  EXPECT_EQ(closings().size(), 1U);
  EXPECT_EQ(engine_->snapshot().subscriptions, 0U);
}

TEST_F(SlowConsumerTest, AnotherConfigurationLeavesThemAlone) {
  configure(DestinationKind::queue, strategy(SlowConsumerStrategy::Kind::abort_slow));
  producer_ = connect();
  who_ = connect();
  Sub sub;
  sub.prefetch = 1;
  subscribe(who_, sub);
  fill(producer_, 2);
  EXPECT_EQ(deliveries().size(), 1U);
  engine_->configure({}, now_);
  advance(milliseconds(60'000));
  EXPECT_TRUE(closings().empty());
}

// --- prefetch by policy --------------------------------------------------------------------------

TEST_F(SlowConsumerTest, APolicysPrefetchIsForThoseThatNamedNone) {
  DestinationPolicy policy;
  policy.queue_prefetch = 3;
  configure(DestinationKind::queue, policy);
  producer_ = connect();
  fill(producer_, 20);
  const auto first = connect();
  SubscribeOptions options;
  options.interests.push_back({{DestinationKind::queue, "q"}, "", false});
  options.ack_mode = AckMode::explicit_;
  options.prefetch = 10;
  options.prefetch_is_default = true;
  const auto subscription = engine_->subscribe(first.id, options, now_);
  ASSERT_TRUE(subscription);
  EXPECT_EQ(deliveries().size(), 3U);
  EXPECT_EQ(engine_->policy_prefetch(*subscription), 3U);
  EXPECT_EQ(engine_->policy_prefetch(SubscriptionId{12'345}), std::nullopt);
  configure(DestinationKind::topic, policy);
  EXPECT_EQ(engine_->policy_prefetch(*subscription), std::nullopt) << "none for queues any more";
  options.prefetch_is_default = false;
  ASSERT_TRUE(engine_->subscribe(connect().id, options, now_));
  EXPECT_EQ(deliveries().size(), 10U);
}

}  // namespace
}  // namespace pabal::core
