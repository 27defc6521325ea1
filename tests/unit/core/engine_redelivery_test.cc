// What a consumer refuses is tried again when the policy says, in its place, and dies in the end.

#include <map>

#include "tests/unit/core/engine_fixture.h"

namespace pabal::core {
namespace {

class EngineRedeliveryTest : public EngineFixture {
 protected:
  void SetUp() override {
    open();
    policy_.initial_delay = milliseconds(100);
    policy_.delay = milliseconds(1000);
    policy_.maximum_redeliveries = 3;
    configure();
  }
  void configure() {
    DestinationPolicy policy;
    policy.redelivery = policy_;
    EngineSettings settings;
    settings.policies.set_default(std::make_shared<const DestinationPolicy>(policy));
    engine_->configure(std::move(settings), now_);
  }
  void pass(std::int64_t ms) {
    now_ += milliseconds(ms);
    engine_->tick(now_);
  }
  void refuse(SubscriptionId subscription, const Delivery& delivery) {
    EXPECT_EQ(ack(subscription, delivery, AckKind::poisoned).disposition, Disposition::done);
  }
  std::size_t dead() { return drain("ActiveMQ.DLQ").size(); }

  RedeliveryPolicy policy_;
};

TEST_F(EngineRedeliveryTest, ComesAgainAfterItsDelayWhileOthersFlow) {
  const auto who = connect();
  const auto subscription = subscribe(who, {});
  fill(who, 3);
  auto got = deliveries();
  ASSERT_EQ(bodies(got), numbers(1, 3));
  refuse(subscription, got[0]);
  ack(subscription, got[1]);
  ack(subscription, got[2]);
  EXPECT_TRUE(deliveries().empty());
  EXPECT_EQ(view("queue://q").depth, 1U);
  EXPECT_EQ(view("queue://q").in_flight, 0U);
  EXPECT_EQ(view("queue://q").waiting, WaitReason::delayed);
  ASSERT_TRUE(engine_->next_timer());
  EXPECT_EQ(*engine_->next_timer(), now_ + milliseconds(100));

  fill(who, 1);
  got = deliveries();
  ASSERT_EQ(got.size(), 1U) << "what came later is not held up";
  ack(subscription, got[0]);
  pass(99);
  EXPECT_TRUE(deliveries().empty());
  pass(1);
  got = deliveries();
  ASSERT_EQ(bodies(got), numbers(1, 1));
  EXPECT_TRUE(got[0].redelivered);
  EXPECT_EQ(got[0].deliveries, 1U);
  EXPECT_TRUE(got[0].refused);
  ack(subscription, got[0]);
  run();
  EXPECT_EQ(view("queue://q").depth, 0U);
}

TEST_F(EngineRedeliveryTest, KeepsItsPlace) {
  const auto who = connect();
  const auto subscription = subscribe(who, {.prefetch = 1});
  fill(who, 5);
  auto got = deliveries();
  ASSERT_EQ(bodies(got), numbers(1, 1));
  refuse(subscription, got[0]);
  got = deliveries();
  ASSERT_EQ(bodies(got), numbers(2, 2));
  pass(100);
  run();  // it is read back, and nobody can take it yet
  ack(subscription, got[0]);
  got = deliveries();
  EXPECT_EQ(bodies(got), numbers(1, 1)) << "before what is behind it";
}

TEST_F(EngineRedeliveryTest, BacksOffToTheMaximumAndDiesAfterTheLast) {
  policy_.maximum_redeliveries = 5;
  policy_.exponential_back_off = true;
  policy_.back_off_multiplier = 4;
  policy_.maximum_delay = milliseconds(5000);
  configure();
  const auto who = connect();
  const auto subscription = subscribe(who, {});
  fill(who, 1);
  for (const int wait : {100, 400, 1600, 5000, 5000}) {
    const auto got = deliveries();
    ASSERT_EQ(got.size(), 1U) << wait;
    refuse(subscription, got[0]);
    pass(wait - 1);
    EXPECT_TRUE(deliveries().empty()) << wait;
    pass(1);
  }
  const auto last = deliveries();
  ASSERT_EQ(last.size(), 1U);
  EXPECT_EQ(last[0].deliveries, 5U);
  refuse(subscription, last[0]);
  const auto letters = drain("ActiveMQ.DLQ");
  ASSERT_EQ(letters.size(), 1U);
  EXPECT_EQ(letters[0].message->property("dlqDeliveryCount")->integer, 6);
  EXPECT_EQ(letters[0].deliveries, 0U) << "a dead letter starts anew";
  EXPECT_EQ(view("queue://q").depth, 0U);
}

TEST_F(EngineRedeliveryTest, WithoutBackOffTheDelayAfterTheInitialOneIsConstant) {
  const auto who = connect();
  const auto subscription = subscribe(who, {});
  fill(who, 1);
  for (const int wait : {100, 1000, 1000}) {
    refuse(subscription, deliveries().at(0));
    pass(wait - 1);
    EXPECT_TRUE(deliveries().empty()) << wait;
    pass(1);
  }
  EXPECT_EQ(deliveries().size(), 1U);
}

TEST_F(EngineRedeliveryTest, WithoutADelayItComesAtOnceAndStillDies) {
  policy_.initial_delay = policy_.delay = milliseconds(0);
  configure();
  const auto who = connect();
  const auto subscription = subscribe(who, {});
  fill(who, 1);
  for (int i = 0; i < 4; ++i) refuse(subscription, deliveries().at(0));
  EXPECT_TRUE(deliveries().empty());
  EXPECT_EQ(dead(), 1U);
}

TEST_F(EngineRedeliveryTest, ARequeueIsAFailureToo) {
  const auto who = connect();
  const auto subscription = subscribe(who, {});
  fill(who, 1);
  for (int i = 0; i < 3; ++i) {
    ack(subscription, deliveries().at(0), AckKind::requeued);
    EXPECT_TRUE(deliveries().empty());
    pass(1000);
  }
  ack(subscription, deliveries().at(0), AckKind::requeued);
  EXPECT_EQ(dead(), 1U);
}

TEST_F(EngineRedeliveryTest, LostDeliveriesMakeNoDeadLetter) {
  policy_.maximum_redeliveries = 1;
  configure();
  const auto who = connect();
  fill(who, 1);
  for (int i = 0; i < 20; ++i) {
    const auto visitor = connect();
    subscribe(visitor, {});
    ASSERT_EQ(deliveries().size(), 1U) << "lost, it comes at once";
    engine_->disconnect(visitor.id, now_);
  }
  const auto subscription = subscribe(who, {});
  auto got = deliveries();
  EXPECT_EQ(got.at(0).deliveries, 20U);
  refuse(subscription, got[0]);
  pass(100);
  got = deliveries();
  ASSERT_EQ(got.size(), 1U);
  refuse(subscription, got[0]);
  EXPECT_EQ(dead(), 1U);
}

TEST_F(EngineRedeliveryTest, ARestartForgetsTheDelayButNoCount) {
  const auto who = connect();
  auto subscription = subscribe(who, {});
  fill(who, 2);
  auto got = deliveries();
  refuse(subscription, got.at(0));
  ack(subscription, got.at(1));
  pass(100);
  refuse(subscription, deliveries().at(0));
  run();
  restart();
  configure();
  const auto again = connect();
  subscription = subscribe(again, {});
  got = deliveries();
  ASSERT_EQ(bodies(got), numbers(1, 1)) << "at once";
  EXPECT_EQ(got[0].deliveries, 2U);
  EXPECT_TRUE(got[0].redelivered);
  refuse(subscription, got[0]);  // the third
  pass(1000);
  refuse(subscription, deliveries().at(0));  // the fourth
  EXPECT_EQ(dead(), 1U);
}

TEST_F(EngineRedeliveryTest, CostsNoMemoryWhileItWaitsAndLittleWhenItsTimeComes) {
  EngineLimits limits;
  limits.unwritten_bytes_max = 1ULL << 30;
  open({}, limits);
  configure();
  const auto who = connect();
  Sub sub;
  sub.prefetch = 65'535;
  const auto subscription = subscribe(who, sub);
  constexpr int kMessages = 5000;
  for (int i = 1; i <= kMessages; ++i) {
    Send send;
    send.body = std::to_string(i) + std::string(1000, '.');
    publish(who, send);
  }
  auto got = deliveries();
  ASSERT_EQ(got.size(), kMessages);
  const auto in_flight = engine_->snapshot().bytes_held;
  EXPECT_GT(in_flight, kMessages * 1000U);
  engine_->written(who.id, last_number_, now_);
  for (const auto& delivery : got) refuse(subscription, delivery);
  got.clear();
  run();
  EXPECT_EQ(engine_->snapshot().bytes_held, 0U);
  EXPECT_EQ(view("queue://q").depth, static_cast<std::uint64_t>(kMessages));
  EXPECT_TRUE(engine_->unsubscribe(subscription, now_));

  pass(100);
  run();
  EXPECT_EQ(engine_->snapshot().bytes_held, 0U) << "nobody is there to read them for";
  sub.prefetch = 10;
  const auto slow = subscribe(who, sub);
  run();
  EXPECT_LT(engine_->snapshot().bytes_held, 2'500'000U);
  int next = 0;
  for (;;) {
    auto some = deliveries();
    if (some.empty()) break;
    for (const auto& delivery : some) {
      EXPECT_EQ(delivery.message->body().substr(0, delivery.message->body().find('.')),
                std::to_string(++next));
      EXPECT_EQ(delivery.deliveries, 1U);
      engine_->written(who.id, delivery.number, now_);
      ack(slow, delivery);
    }
    EXPECT_LT(engine_->snapshot().bytes_held, 2'500'000U);
  }
  EXPECT_EQ(next, kMessages);
  EXPECT_EQ(engine_->snapshot().bytes_held, 0U);
}

TEST_F(EngineRedeliveryTest, NonPersistentOnesAreKeptMeanwhile) {
  const auto who = connect();
  const auto subscription = subscribe(who, {});
  fill(who, 2, "q", false);
  refuse(subscription, deliveries().at(1));
  pass(100);
  auto got = deliveries();
  ASSERT_EQ(bodies(got), numbers(2, 2));
  for (int i = 0; i < 3; ++i) {
    refuse(subscription, got.at(0));
    pass(1000);
    got = deliveries();
  }
  EXPECT_TRUE(got.empty());
  EXPECT_EQ(dead(), 1U);
}

TEST_F(EngineRedeliveryTest, DurableSubscriptionsRetryEachForItself) {
  const auto one = connect("one");
  const auto two = connect("two");
  Sub sub;
  sub.kind = DestinationKind::topic;
  sub.name = "t";
  sub.durable = "d";
  const auto first = subscribe(one, sub);
  const auto second = subscribe(two, sub);
  for (const bool persistent : {true, false}) {
    publish(one, {.kind = DestinationKind::topic, .name = "t", .persistent = persistent});
    auto got = deliveries();
    ASSERT_EQ(got.size(), 2U);
    const auto& of_one = got[0].subscription == first ? got[0] : got[1];
    const auto& of_two = got[0].subscription == first ? got[1] : got[0];
    refuse(first, of_one);
    ack(second, of_two);
    EXPECT_TRUE(deliveries().empty());
    pass(100);
    got = deliveries();
    ASSERT_EQ(got.size(), 1U);
    EXPECT_EQ(got[0].subscription, first);
    ack(first, got[0]);
    run();
  }
  for (const auto& each : engine_->durable_subscriptions(10)) EXPECT_EQ(each.depth, 0U);
  EXPECT_EQ(engine_->snapshot().bytes_held, 0U);
}

TEST_F(EngineRedeliveryTest, PlainTopicSubscriptionsToo) {
  const auto who = connect();
  Sub sub;
  sub.kind = DestinationKind::topic;
  sub.name = "t";
  const auto subscription = subscribe(who, sub);
  publish(who, {.kind = DestinationKind::topic, .name = "t"});
  for (const int wait : {100, 1000, 1000}) {
    const auto got = deliveries();
    ASSERT_EQ(got.size(), 1U) << wait;
    refuse(subscription, got[0]);
    EXPECT_TRUE(deliveries().empty());
    pass(wait);
  }
  auto got = deliveries();
  EXPECT_EQ(got.at(0).deliveries, 3U);
  publish(who, {.kind = DestinationKind::topic, .name = "t", .body = "y"});
  const auto other = deliveries();
  refuse(subscription, got[0]);
  EXPECT_EQ(dead(), 1U);
  // Gone with its delay, and its memory with it.
  refuse(subscription, other.at(0));
  run();
  EXPECT_TRUE(engine_->unsubscribe(subscription, now_));
  EXPECT_EQ(engine_->snapshot().bytes_held, 0U);
  pass(5000);
  run();
}

TEST_F(EngineRedeliveryTest, WhatGoesAwayTakesItsDelaysAlong) {
  const auto who = connect("who");
  Sub sub;
  sub.kind = DestinationKind::topic;
  sub.name = "t";
  sub.durable = "d";
  const auto durable = subscribe(who, sub);
  const auto other = connect();
  const auto temporary = engine_->create_temporary(other.id, DestinationKind::temporary_queue);
  sub = {};
  sub.kind = DestinationKind::temporary_queue;
  sub.name = temporary->name;
  const auto on_temporary = subscribe(other, sub);
  publish(who, {.kind = DestinationKind::topic, .name = "t"});
  publish(who, {.kind = DestinationKind::topic, .name = "t", .persistent = false});
  publish(who, {.kind = DestinationKind::temporary_queue, .name = temporary->name});
  for (const auto& delivery : deliveries()) {
    refuse(delivery.subscription == durable ? durable : on_temporary, delivery);
  }
  run();
  engine_->disconnect(other.id, now_);
  EXPECT_TRUE(engine_->unsubscribe(durable, now_));
  EXPECT_TRUE(engine_->delete_durable("who", "d", now_));
  EXPECT_EQ(engine_->snapshot().bytes_held, 0U);
  pass(5000);
  run();
  EXPECT_EQ(dead(), 0U);
}

TEST_F(EngineRedeliveryTest, RefusedInATransactionItWaitsFromTheCommitOn) {
  const auto who = connect();
  const auto subscription = subscribe(who, {});
  fill(who, 2);
  auto got = deliveries();
  const auto transaction = *engine_->begin(who.id);
  ack(subscription, got.at(0), AckKind::poisoned, transaction);
  ack(subscription, got.at(1), AckKind::consumed, transaction);
  pass(1000);
  EXPECT_TRUE(deliveries().empty());
  EXPECT_EQ(engine_->commit(transaction, 0, now_).disposition, Disposition::done);
  EXPECT_TRUE(deliveries().empty());
  pass(100);
  got = deliveries();
  ASSERT_EQ(bodies(got), numbers(1, 1));
  EXPECT_EQ(got[0].deliveries, 1U);

  // Rolled back, it is out again and nothing is counted.
  const auto second = *engine_->begin(who.id);
  ack(subscription, got[0], AckKind::poisoned, second);
  engine_->rollback(second, now_);
  ack(subscription, got[0]);
  run();
  EXPECT_EQ(view("queue://q").depth, 0U);
}

TEST_F(EngineRedeliveryTest, TheConsumerMayLeaveBetweenRefusalAndCommit) {
  const auto who = connect();
  const auto subscription = subscribe(who, {});
  fill(who, 1);
  const auto got = deliveries();
  const auto transaction = *engine_->begin(who.id);
  ack(subscription, got.at(0), AckKind::poisoned, transaction);
  EXPECT_TRUE(engine_->unsubscribe(subscription, now_));
  EXPECT_EQ(engine_->commit(transaction, 0, now_).disposition, Disposition::done);
  subscribe(who, {});
  EXPECT_TRUE(deliveries().empty());
  pass(100);
  EXPECT_EQ(deliveries().size(), 1U);
}

TEST_F(EngineRedeliveryTest, GoesToWhomeverItsSelectorWants) {
  const auto who = connect();
  Sub red;
  red.selector = "color = 'red'";
  Sub blue;
  blue.selector = "color = 'blue'";
  const auto reds = subscribe(who, red);
  const auto blues = subscribe(who, blue);
  std::map<std::uint64_t, std::string> colors{{raw(reds), "red"}, {raw(blues), "blue"}};
  for (int i = 0; i < 3; ++i) {
    for (const char* color : {"red", "blue"}) publish(who, {.color = color});
  }
  auto got = deliveries();
  ASSERT_EQ(got.size(), 6U);
  for (const auto& delivery : got) refuse(delivery.subscription, delivery);
  pass(100);
  got = deliveries();
  ASSERT_EQ(got.size(), 6U);
  for (const auto& delivery : got) {
    EXPECT_EQ(delivery.message->property("color")->text, colors[raw(delivery.subscription)]);
    ack(delivery.subscription, delivery);
  }
  run();
  EXPECT_EQ(view("queue://q").depth, 0U);
}

TEST_F(EngineRedeliveryTest, ExpiresWhileItWaits) {
  const auto who = connect();
  const auto subscription = subscribe(who, {});
  publish(who, {.expiration = to_millis(now_) + 50});
  refuse(subscription, deliveries().at(0));
  pass(100);
  EXPECT_TRUE(deliveries().empty());
  const auto letters = drain("ActiveMQ.DLQ");
  ASSERT_EQ(letters.size(), 1U);
  EXPECT_EQ(letters[0].message->property("dlqDeliveryCount")->integer, 1);
}

TEST_F(EngineRedeliveryTest, MoreThanTheLimitComeAtOnce) {
  EngineLimits limits;
  limits.delayed_max = 2;
  open({}, limits);
  configure();
  const auto who = connect();
  const auto subscription = subscribe(who, {});
  fill(who, 3);
  auto got = deliveries();
  for (const auto& delivery : got) refuse(subscription, delivery);
  got = deliveries();
  ASSERT_EQ(bodies(got), numbers(3, 3));
  ack(subscription, got[0]);
  pass(100);
  EXPECT_EQ(bodies(deliveries()), numbers(1, 2));
}

TEST_F(EngineRedeliveryTest, JitterStaysInItsBoundsAndIsTheSameAgain) {
  policy_.initial_delay = milliseconds(10'000);
  policy_.collision_avoidance = true;
  policy_.collision_avoidance_percent = 20;
  configure();
  std::vector<std::string> order[2];
  for (auto& each : order) {
    open();
    configure();
    sequence_ = 0;
    const auto who = connect();
    const auto subscription = subscribe(who, {});
    fill(who, 40);
    for (const auto& delivery : deliveries()) refuse(subscription, delivery);
    pass(7999);
    EXPECT_TRUE(deliveries().empty());
    for (int at = 8000; at < 12'000; at += 10) {
      pass(10);
      for (auto& body : bodies(deliveries())) each.push_back(std::move(body));
    }
    pass(1);
    for (auto& body : bodies(deliveries())) each.push_back(std::move(body));
    EXPECT_EQ(each.size(), 40U);
    EXPECT_NE(each, numbers(1, 40)) << "spread";
  }
  EXPECT_EQ(order[0], order[1]);
}

TEST_F(EngineRedeliveryTest, WhatCannotBeReadBackStaysAndIsTriedAgain) {
  const auto who = connect();
  const auto subscription = subscribe(who, {});
  fill(who, 1);
  refuse(subscription, deliveries().at(0));
  pass(100);
  engine_->run(now_);
  // The answer to the engine's read, as a store gives it that cannot read.
  Page page;
  page.request = 1;
  page.error = Error{Errc::store_io, "damaged"};
  engine_->page_loaded(page, now_);
  EXPECT_EQ(view("queue://q").depth, 1U);
  run();
  EXPECT_TRUE(deliveries().empty());
  pass(60'000);
  EXPECT_EQ(deliveries().size(), 1U);
}

/// The store cannot read what has the body `damaged_`.
class EngineRedeliveryDamageTest : public EngineRedeliveryTest {
 protected:
  void page_loaded(Page page) noexcept override {
    for (std::size_t i = 0; i < page.entries.size(); ++i) {
      if (page.entries[i].message->body() != damaged_) continue;
      page.damaged = page.entries[i].sequence;
      page.covered_to = i == 0 ? 0 : page.entries[i - 1].sequence + 1;
      page.entries.resize(i);
      page.error = Error{Errc::store_io, "damaged"};
    }
    EngineRedeliveryTest::page_loaded(std::move(page));
  }
  std::string damaged_;
};

TEST_F(EngineRedeliveryDamageTest, NeighboursOfWhatCannotBeReadComeAllTheSame) {
  const auto who = connect();
  const auto subscription = subscribe(who, {});
  fill(who, 5);
  for (const auto& delivery : deliveries()) refuse(subscription, delivery);
  damaged_ = "3";
  pass(100);
  const auto got = deliveries();
  EXPECT_EQ(bodies(got), (std::vector<std::string>{"1", "2", "4", "5"}));
  for (const auto& delivery : got) ack(subscription, delivery);
  EXPECT_EQ(view("queue://q").depth, 1U);
  damaged_.clear();
  pass(60'000);
  EXPECT_EQ(bodies(deliveries()), numbers(3, 3));
}

}  // namespace
}  // namespace pabal::core
