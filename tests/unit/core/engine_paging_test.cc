#include "tests/unit/core/engine_fixture.h"

namespace pabal::core {
namespace {

class EnginePagingTest : public EngineFixture {
 protected:
  void SetUp() override {
    EngineLimits limits;
    limits.list_window_bytes_max = 4000;
    limits.window_bytes_max = 20'000;
    open({}, limits);
  }
};

TEST_F(EnginePagingTest, ADeepQueueComesBackInOrderAndCostsNoMemory) {
  const auto who = connect();
  fill(who, 5000);
  run();
  EXPECT_LE(engine_->snapshot().bytes_window, 4000U);
  EXPECT_EQ(engine_->snapshot().bytes_held, 0U);
  EXPECT_EQ(bodies(drain("q")), numbers(1, 5000));
  EXPECT_EQ(store_->status().bytes_live, 0U);
  EXPECT_EQ(engine_->snapshot().bytes_window, 0U);
}

TEST_F(EnginePagingTest, PersistentNonPersistentAndPrioritiesKeepTheirOrder) {
  const auto who = connect();
  std::vector<std::string> expected[10];
  for (int i = 0; i < 3000; ++i) {
    Send send;
    send.priority = static_cast<std::uint8_t>(i % 3 * 4);
    send.persistent = i % 5 != 0;
    send.body = std::to_string(i);
    publish(who, send);
    expected[send.priority].push_back(send.body);
  }
  std::vector<std::string> all;
  for (int priority = 9; priority >= 0; --priority) {
    for (const auto& body : expected[priority]) all.push_back(body);
  }
  EXPECT_EQ(bodies(drain("q")), all);
}

TEST_F(EnginePagingTest, SendingGoesOnWhileADeepQueueIsRead) {
  const auto who = connect();
  fill(who, 1000);
  Sub sub;
  sub.prefetch = 7;
  const auto subscription = subscribe(who, sub);
  int sent = 1000;
  std::vector<std::string> all;
  for (;;) {
    const auto got = deliveries();
    if (got.empty()) break;
    for (const auto& delivery : got) {
      all.emplace_back(delivery.message->body());
      ack(subscription, delivery);
      if (sent < 1500) {
        Send send;
        send.body = std::to_string(++sent);
        publish(who, send);
      }
    }
    engine_->written(who.id, last_number_, now_);
  }
  EXPECT_EQ(all, numbers(1, 1500));
}

TEST_F(EnginePagingTest, DurableSubscribersReadAtTheirOwnPace) {
  auto slow = connect("slow");
  auto fast = connect("fast");
  Sub sub;
  sub.kind = DestinationKind::topic;
  sub.name = "t";
  sub.durable = "d";
  auto slow_subscription = subscribe(slow, sub);
  const auto fast_subscription = subscribe(fast, sub);
  ASSERT_TRUE(engine_->unsubscribe(slow_subscription, now_));
  std::vector<std::string> fast_got;
  for (int i = 1; i <= 2000; ++i) {
    Send send;
    send.kind = DestinationKind::topic;
    send.name = "t";
    send.body = std::to_string(i);
    publish(slow, send);
    for (const auto& delivery : deliveries()) {
      fast_got.emplace_back(delivery.message->body());
      ack(fast_subscription, delivery);
    }
    engine_->written(fast.id, last_number_, now_);
  }
  EXPECT_EQ(fast_got, numbers(1, 2000));
  EXPECT_LE(engine_->snapshot().bytes_window, 4000U);
  sub.prefetch = 10;
  slow_subscription = subscribe(slow, sub);
  std::vector<std::string> slow_got;
  for (;;) {
    const auto got = deliveries();
    if (got.empty()) break;
    for (const auto& delivery : got) {
      slow_got.emplace_back(delivery.message->body());
      ack(slow_subscription, delivery);
    }
    engine_->written(slow.id, last_number_, now_);
  }
  EXPECT_EQ(slow_got, numbers(1, 2000));
  EXPECT_EQ(store_->status().bytes_live, 0U);
}

TEST_F(EnginePagingTest, ManyQueuesShareTheWindow) {
  const auto who = connect();
  for (int q = 0; q < 200; ++q) fill(who, 10, "q" + std::to_string(q));
  run();
  EXPECT_LE(engine_->snapshot().bytes_window, 20'000U);
  for (int q = 0; q < 200; ++q) EXPECT_EQ(bodies(drain("q" + std::to_string(q))), numbers(1, 10));
}

TEST_F(EnginePagingTest, AConsumerThatLeavesInMidPageLosesNothing) {
  const auto who = connect();
  fill(who, 500);
  for (int round = 0; round < 5; ++round) {
    const auto visitor = connect();
    Sub sub;
    sub.prefetch = 20;
    subscribe(visitor, sub);
    EXPECT_EQ(bodies(deliveries()), numbers(1, 20));
    engine_->disconnect(visitor.id, now_);
  }
  const auto all = drain("q");
  EXPECT_EQ(bodies(all), numbers(1, 500));
  EXPECT_EQ(all[0].deliveries, 5U);
  EXPECT_FALSE(all[100].redelivered);
}

}  // namespace
}  // namespace pabal::core
