#include <map>

#include "tests/unit/core/engine_fixture.h"

// What grows with the depth of a list, or with how many read it, stays bounded.

namespace pabal::core {
namespace {

class EngineDepthTest : public EngineFixture {
 protected:
  void open_with(EngineLimits limits) { open({}, limits); }
  Sub durable(const std::string& name, AckMode mode = AckMode::explicit_) {
    Sub sub;
    sub.kind = DestinationKind::topic;
    sub.name = "t";
    sub.durable = name;
    sub.mode = mode;
    sub.prefetch = 10;
    return sub;
  }
  void publish_to_topic(const ConnectionDetails& from, int first, int last) {
    for (int i = first; i <= last; ++i) {
      Send send;
      send.kind = DestinationKind::topic;
      send.name = "t";
      send.body = std::to_string(i) + std::string(1000, '.');
      ASSERT_EQ(publish(from, send).disposition, Disposition::done);
      if (i % 64 == 0) run();
    }
    run();
  }
};

TEST_F(EngineDepthTest, ManySubscribersThatReturnAtOnceStayWithinTheWindow) {
  constexpr int kSubscribers = 300;
  constexpr int kMessages = 200;
  EngineLimits limits;
  limits.window_bytes_max = 2 << 20;
  limits.list_window_bytes_max = 64 << 10;
  open_with(limits);
  std::vector<ConnectionDetails> clients;
  for (int i = 0; i < kSubscribers; ++i) {
    clients.push_back(connect("c" + std::to_string(i)));
    ASSERT_TRUE(engine_->unsubscribe(subscribe(clients.back(), durable("d")), now_));
  }
  const auto producer = connect();
  publish_to_topic(producer, 1, kMessages);

  std::vector<int> got(kSubscribers);
  std::map<SubscriptionId, int> index;
  for (int i = 0; i < kSubscribers; ++i) {
    index[subscribe(clients[static_cast<std::size_t>(i)], durable("d"))] = i;
  }
  // Nobody acknowledges yet: everybody has his credit's worth, and what is in memory is bounded.
  auto some = deliveries();
  EXPECT_EQ(some.size(), 10U * kSubscribers);
  EXPECT_LE(engine_->snapshot().bytes_window, limits.window_bytes_max);
  std::uint64_t most = 0;
  for (int round = 0; !some.empty(); ++round) {
    ASSERT_LT(round, 10 * kMessages);
    for (const auto& delivery : some) {
      const int who = index[delivery.subscription];
      ASSERT_EQ(std::stoi(std::string(delivery.message->body())),
                ++got[static_cast<std::size_t>(who)]);
      ack(delivery.subscription, delivery);
      engine_->written(delivery.connection, delivery.number, now_);
    }
    some = deliveries();
    most = std::max(most, engine_->snapshot().bytes_window);
  }
  EXPECT_EQ(std::count(got.begin(), got.end(), kMessages), kSubscribers);
  EXPECT_LE(most, limits.window_bytes_max);
  EXPECT_EQ(store_->status().bytes_live, 0U);
}

TEST_F(EngineDepthTest, AConsumerThatTakesNothingKeepsNobodysPageFromBeingRead) {
  EngineLimits limits;
  limits.window_bytes_max = 300 << 10;
  limits.list_window_bytes_max = 4000;
  open_with(limits);
  const auto who = connect();
  for (int queue = 0; queue < 20; ++queue) {
    for (int i = 1; i <= 200; ++i) {
      Send send;
      send.name = "q" + std::to_string(queue);
      send.body = std::to_string(i) + std::string(1000, '.');
      ASSERT_EQ(publish(who, send).disposition, Disposition::done);
    }
    run();
  }
  for (int queue = 0; queue < 19; ++queue) {
    Sub sub;
    sub.name = "q" + std::to_string(queue);
    sub.prefetch = 1;
    subscribe(who, sub);  // takes one, and no more
  }
  EXPECT_EQ(deliveries().size(), 19U);
  EXPECT_EQ(drain("q19").size(), 200U);
  EXPECT_LE(engine_->snapshot().bytes_window, limits.window_bytes_max);
}

TEST_F(EngineDepthTest, AThousandSubscribersWriteLittleMoreThanOne) {
  const auto written_per_message = [&](int subscribers) -> double {
    open_with({});
    std::vector<SubscriptionId> subscriptions;
    std::vector<ConnectionDetails> clients;
    for (int i = 0; i < subscribers; ++i) {
      clients.push_back(connect("c" + std::to_string(i)));
      Sub sub = durable("d", AckMode::automatic);
      sub.prefetch = 1000;
      subscribe(clients.back(), sub);
    }
    const auto producer = connect();
    run();
    constexpr int kMessages = 3000;
    const auto before = raw(store_->submitted());
    for (int i = 1; i <= kMessages; ++i) {
      publish_to_topic(producer, i, i);
      for (const auto& delivery : deliveries()) {
        engine_->written(delivery.connection, delivery.number, now_);
      }
    }
    const auto steps = raw(store_->submitted()) - before - kMessages;
    engine_->tick(now_);
    run();
    EXPECT_EQ(store_->status().bytes_live, 0U) << "a tick acknowledges the rest";
    return static_cast<double>(steps) / kMessages;
  };
  // Every message a subscription acknowledges, and the marks of blocks, would be 100 of them.
  EXPECT_LT(written_per_message(100), 1.0);
}

TEST_F(EngineDepthTest, LateAcknowledgementsAreWrittenWhenTheSubscriberLeaves) {
  EngineLimits limits;
  limits.late_acks_readers_min = 1;
  open_with(limits);
  const auto who = connect("c");
  const auto subscription = subscribe(who, durable("d", AckMode::automatic));
  const auto producer = connect();
  publish_to_topic(producer, 1, 10);
  for (const auto& delivery : deliveries()) {
    engine_->written(who.id, delivery.number, now_);
  }
  run();
  EXPECT_GT(store_->status().bytes_live, 0U);
  ASSERT_TRUE(engine_->unsubscribe(subscription, now_));
  run();
  EXPECT_EQ(store_->status().bytes_live, 0U);
}

TEST_F(EngineDepthTest, ACrashBringsWhatWasAcknowledgedLateBackMarked) {
  EngineLimits limits;
  limits.late_acks_readers_min = 1;
  open_with(limits);
  const auto who = connect("c");
  subscribe(who, durable("d", AckMode::automatic));
  const auto producer = connect();
  publish_to_topic(producer, 1, 10);
  for (const auto& delivery : deliveries()) engine_->written(who.id, delivery.number, now_);
  run();
  restart(store_->submitted());
  const auto again = connect("c");
  subscribe(again, durable("d"));
  const auto back = deliveries();
  ASSERT_EQ(back.size(), 10U);
  for (const auto& delivery : back) EXPECT_TRUE(delivery.redelivered);
}

/// Every second message acknowledged: the engine remembers nothing about the others one by one.
TEST_F(EngineDepthTest, EverySecondMessageAcknowledgedCostsNoMemory) {
  EngineLimits limits;
  limits.list_window_bytes_max = 64 << 10;
  open_with(limits);
  const auto who = connect();
  constexpr int kMessages = 100'000;
  for (int i = 1; i <= kMessages; ++i) {
    Send send;
    send.body = "x";
    send.color = i % 2 == 0 ? "even" : "odd";
    ASSERT_EQ(publish(who, send).disposition, Disposition::done);
    if (i % 1000 == 0) run();
  }
  Sub sub;
  sub.selector = "color = 'even'";
  sub.prefetch = 500;
  const auto subscription = subscribe(who, sub);
  int taken = 0;
  for (auto some = deliveries(); !some.empty(); some = deliveries()) {
    for (const auto& delivery : some) ack(subscription, delivery);
    taken += static_cast<int>(some.size());
    engine_->written(who.id, some.back().number, now_);
    ASSERT_LE(engine_->snapshot().bytes_held, 500U * 1000U);
    ASSERT_LE(engine_->snapshot().bytes_window, limits.window_bytes_max);
  }
  EXPECT_EQ(taken, kMessages / 2);
  EXPECT_EQ(view("queue://q").depth, static_cast<std::uint64_t>(kMessages) / 2);
  EXPECT_EQ(engine_->snapshot().bytes_held, 0U);
  ASSERT_TRUE(engine_->unsubscribe(subscription, now_));
  EXPECT_EQ(drain("q").size(), static_cast<std::size_t>(kMessages) / 2);
}

}  // namespace
}  // namespace pabal::core
