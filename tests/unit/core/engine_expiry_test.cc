#include "tests/unit/core/engine_fixture.h"

// What expires before its turn: at its time, wherever it stands, and nothing else with it.

namespace pabal::core {
namespace {

class EngineExpiryTest : public EngineFixture {
 protected:
  using Bodies = std::vector<std::string>;

  void SetUp() override {
    open();
    begin();
  }
  void begin() {
    who_ = connect();
    engine_->tick(now_);
  }
  /// A queue's message that expires after so long; never: 0.
  void send(const std::string& body, std::int64_t lives, bool persistent = true,
            const std::string& name = "q", DestinationKind kind = DestinationKind::queue) {
    Send send;
    send.kind = kind;
    send.name = name;
    send.body = body;
    send.persistent = persistent;
    if (lives != 0) send.expiration = to_millis(now_) + lives;
    ASSERT_EQ(publish(who_, send).disposition, Disposition::done);
  }
  std::uint64_t depth(const std::string& name = "queue://q") { return view(name).depth; }
  Bodies there(const std::string& name = "q") { return bodies(drain(name)); }

  ConnectionDetails who_;
};

TEST_F(EngineExpiryTest, LeavesTheMiddleOfAQueueWithoutConsumers) {
  for (int i = 0; i < 1000; ++i) send(std::to_string(i), i == 500 ? 5'000 : 0);
  advance(milliseconds(4'999));
  EXPECT_EQ(depth(), 1000U);
  advance(milliseconds(1));
  EXPECT_EQ(depth(), 999U);
  EXPECT_EQ(view("queue://q").counters.expired, 1U);
  EXPECT_EQ(there("ActiveMQ.DLQ"), Bodies{"500"});
  Bodies expected;
  for (int i = 0; i < 1000; ++i) {
    if (i != 500) expected.push_back(std::to_string(i));
  }
  EXPECT_EQ(there(), expected);
}

TEST_F(EngineExpiryTest, LeavesWhatIsOnDiskOnly) {
  EngineLimits limits;
  limits.list_window_bytes_max = 20'000;
  open({}, limits);
  begin();
  for (int i = 0; i < 2000; ++i)
    send(std::to_string(i), i % 100 == 7 ? 5'000 + i / 1000 * 3'000 + i % 10 : 0);
  EXPECT_EQ(depth(), 2000U);
  advance(milliseconds(6'000));
  EXPECT_EQ(depth(), 1990U);  // 7, 107 … 907
  advance(milliseconds(3'000));
  EXPECT_EQ(depth(), 1980U);
  EXPECT_EQ(engine_->snapshot().bytes_held, 0U);
  EXPECT_EQ(there("ActiveMQ.DLQ").size(), 20U);
  const auto left = there();
  ASSERT_EQ(left.size(), 1980U);
  for (std::size_t i = 1; i < left.size(); ++i) {
    ASSERT_LT(std::stoi(left[i - 1]), std::stoi(left[i]));
  }
}

TEST_F(EngineExpiryTest, GoesOnAfterARestart) {
  for (int i = 0; i < 600; ++i) send(std::to_string(i), i % 2 == 1 ? 5'000 + i : 0);
  run();
  restart(store_->durable());
  begin();
  EXPECT_EQ(depth(), 600U);
  advance(milliseconds(5'000));
  EXPECT_EQ(depth(), 600U);
  advance(milliseconds(1'000));
  EXPECT_EQ(depth(), 300U);
  run();
  restart(store_->durable());
  begin();
  EXPECT_EQ(depth(), 300U);
  EXPECT_EQ(there("ActiveMQ.DLQ").size(), 300U);
  EXPECT_EQ(there().size(), 300U);
}

TEST_F(EngineExpiryTest, WhatExpiredWhileItWasDownLeavesAtTheStart) {
  for (int i = 0; i < 600; ++i) send(std::to_string(i), i % 2 == 1 ? 5'000 : 0);
  run();
  now_ += milliseconds(60'000);
  restart(store_->durable());
  begin();
  advance(milliseconds(1'000));
  EXPECT_EQ(depth(), 300U);
}

TEST_F(EngineExpiryTest, NonPersistentOnesGoToo) {
  for (int i = 0; i < 100; ++i) send(std::to_string(i), i % 2 == 1 ? 5'000 : 0, false);
  EXPECT_GT(engine_->snapshot().bytes_held, 0U);
  advance(milliseconds(5'000));
  EXPECT_EQ(depth(), 50U);
  EXPECT_EQ(there().size(), 50U);
  EXPECT_EQ(engine_->snapshot().bytes_held, 0U);
}

TEST_F(EngineExpiryTest, WhatIsOutStaysOutAndLeavesWhenItComesBack) {
  Sub sub;
  sub.prefetch = 2;
  const auto subscription = subscribe(who_, sub);
  for (int i = 0; i < 4; ++i) send(std::to_string(i), 5'000);
  const auto out = deliveries();
  ASSERT_EQ(out.size(), 2U);
  advance(milliseconds(6'000));
  EXPECT_EQ(depth(), 2U);
  EXPECT_EQ(ack(subscription, out[0]).disposition, Disposition::done);
  engine_->disconnect(who_.id, now_);
  begin();
  advance(milliseconds(1'000));
  EXPECT_EQ(depth(), 0U);
  EXPECT_EQ(there("ActiveMQ.DLQ").size(), 3U);
  EXPECT_EQ(engine_->snapshot().bytes_held, 0U);
}

TEST_F(EngineExpiryTest, LeavesBehindAScanThatWentAhead) {
  EngineLimits limits;
  limits.list_window_bytes_max = 5'000;
  open({}, limits);
  begin();
  Send red;
  for (int i = 0; i < 300; ++i) {
    red.body = std::to_string(i);
    red.color = i % 10 == 3 ? "red" : "blue";
    red.expiration = i % 10 < 5 ? to_millis(now_) + 5'000 : 0;
    ASSERT_EQ(publish(who_, red).disposition, Disposition::done);
  }
  Sub sub;
  sub.selector = "color = 'red'";
  sub.prefetch = 7;
  const auto subscription = subscribe(who_, sub);
  const auto out = deliveries();
  ASSERT_EQ(out.size(), 7U);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(ack(subscription, out[i]).disposition, Disposition::done);
  run();
  EXPECT_EQ(deliveries().size(), 3U);
  EXPECT_EQ(depth(), 297U);
  advance(milliseconds(6'000));
  // All that were to expire, but those that are out.
  EXPECT_EQ(depth(), 150U + view("queue://q").in_flight);
  engine_->disconnect(who_.id, now_);
  begin();
  advance(milliseconds(1'000));
  EXPECT_EQ(depth(), 150U);
  EXPECT_EQ(there().size(), 150U);
}

TEST_F(EngineExpiryTest, DurableSubscriptionsLoseWhatExpired) {
  const auto office = connect("office");
  for (const char* name : {"a", "b"}) {
    Sub sub;
    sub.kind = DestinationKind::topic;
    sub.name = "news";
    sub.durable = name;
    (void)subscribe(office, sub);
  }
  run();
  engine_->disconnect(office.id, now_);
  for (int i = 0; i < 600; ++i) {
    send(std::to_string(i), i % 2 == 1 ? 5'000 : 0, i % 3 != 0, "news", DestinationKind::topic);
  }
  const auto waiting = [&] {
    std::vector<std::uint64_t> depths;
    for (const auto& each : engine_->durable_subscriptions(10)) depths.push_back(each.depth);
    return depths;
  };
  EXPECT_EQ(waiting(), (std::vector<std::uint64_t>{600, 600}));
  advance(milliseconds(5'000));
  EXPECT_EQ(waiting(), (std::vector<std::uint64_t>{300, 300}));
  const auto back = connect("office");
  Sub sub;
  sub.kind = DestinationKind::topic;
  sub.name = "news";
  sub.durable = "a";
  sub.mode = AckMode::automatic;
  sub.prefetch = 1000;
  (void)subscribe(back, sub);
  const auto got = bodies(deliveries());
  ASSERT_EQ(got.size(), 300U);
  for (std::size_t i = 0; i < got.size(); ++i)
    ASSERT_EQ(std::stoi(got[i]), 2 * static_cast<int>(i));
}

TEST_F(EngineExpiryTest, DurableSubscriptionsLoseItFromDiskAndAfterARestart) {
  EngineLimits limits;
  limits.list_window_bytes_max = 3'000;
  open({}, limits);
  begin();
  const auto office = connect("office");
  Sub sub;
  sub.kind = DestinationKind::topic;
  sub.name = "news";
  sub.durable = "a";
  (void)subscribe(office, sub);
  run();
  engine_->disconnect(office.id, now_);
  for (int i = 0; i < 600; ++i) {
    send(std::to_string(i), i % 2 == 1 ? 5'000 + i / 300 * 1'000 : 0, true, "news",
         DestinationKind::topic);
  }
  advance(milliseconds(5'300));
  EXPECT_EQ(engine_->durable_subscriptions(1)[0].depth, 450U);
  run();
  restart(store_->durable());
  begin();
  advance(milliseconds(1'000));
  EXPECT_EQ(engine_->durable_subscriptions(1)[0].depth, 300U);
  const auto back = connect("office");
  sub.mode = AckMode::automatic;
  (void)subscribe(back, sub);
  EXPECT_EQ(bodies(deliveries()).size(), 300U);
}

TEST_F(EngineExpiryTest, LooksOnlyWhenSomethingIsDue) {
  for (int i = 0; i < 1000; ++i) send(std::to_string(i), 60'000);
  run();
  EXPECT_EQ(engine_->next_timer(), std::optional(now_ + milliseconds(60'000)));
  advance(milliseconds(60'000));
  EXPECT_EQ(depth(), 0U);
  EXPECT_FALSE(engine_->next_timer());
}

TEST_F(EngineExpiryTest, APolicyCanLeaveItToTheConsumers) {
  EngineSettings settings;
  auto policy = std::make_shared<DestinationPolicy>();
  policy->expire_messages = false;
  settings.policies.set_default(policy);
  engine_->configure(std::move(settings), now_);
  send("x", 5'000);
  advance(milliseconds(60'000));
  EXPECT_EQ(depth(), 1U);
  settings = {};
  settings.policies.set_default(std::make_shared<DestinationPolicy>());
  engine_->configure(std::move(settings), now_);
  advance(milliseconds(60'000));
  EXPECT_EQ(depth(), 0U);
}

}  // namespace
}  // namespace pabal::core
