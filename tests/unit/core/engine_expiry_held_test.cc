#include "tests/unit/core/xa_fixture.h"

// What is in somebody's hands does not expire there; what waits somewhere else than in its lane
// does.

namespace pabal::core {
namespace {

class EngineExpiryHeldTest : public XaFixture {
 protected:
  void send(const ConnectionDetails& who, const std::string& body, std::int64_t lives,
            bool persistent = true) {
    Send send;
    send.body = body;
    send.persistent = persistent;
    if (lives != 0) send.expiration = to_millis(now_) + lives;
    ASSERT_EQ(publish(who, send).disposition, Disposition::done);
  }
  void use(DestinationPolicy policy) {
    EngineSettings settings;
    settings.policies.set_default(std::make_shared<const DestinationPolicy>(std::move(policy)));
    engine_->configure(std::move(settings), now_);
  }
  std::uint64_t depth() { return view("queue://q").depth; }
  std::size_t dead() { return drain("ActiveMQ.DLQ").size(); }
};

TEST_F(EngineExpiryHeldTest, WhatATransactionAcknowledgedStaysUntilItRollsBack) {
  const auto who = connect();
  const auto subscription = subscribe(who, {});
  for (const char* body : {"a", "b", "c"}) send(who, body, 5'000);
  const auto out = deliveries();
  ASSERT_EQ(out.size(), 3U);
  const auto work = engine_->begin(who.id);
  ASSERT_TRUE(work);
  ack(subscription, out[0], AckKind::consumed, *work);
  ack(subscription, out[1], AckKind::consumed, *work);
  advance(milliseconds(60'000));
  EXPECT_EQ(depth(), 3U);
  engine_->disconnect(who.id, now_);
  advance(milliseconds(1'000));
  EXPECT_EQ(depth(), 0U);
  EXPECT_EQ(dead(), 3U);
}

TEST_F(EngineExpiryHeldTest, WhatAPreparedBranchHoldsStaysOverARestart) {
  const auto who = connect();
  const auto subscription = subscribe(who, {});
  for (int i = 0; i < 600; ++i) send(who, std::to_string(i), 5'000);
  const auto out = deliveries();
  const auto work = start(who);
  for (const std::size_t i : {1U, 3U, 300U}) {
    ack(subscription, out[i], AckKind::consumed, work);
  }
  end(who);
  prepare(who);
  run();
  restart(store_->durable());
  engine_->tick(now_);
  advance(milliseconds(60'000));
  EXPECT_EQ(depth(), 3U);
  EXPECT_EQ(view("queue://q").counters.expired, 597U);
  const auto other = connect();
  EXPECT_EQ(rollback(other).disposition, Disposition::done);
  advance(milliseconds(1'000));
  EXPECT_EQ(depth(), 0U);
  EXPECT_EQ(dead(), 600U);
  EXPECT_EQ(engine_->snapshot().bytes_held, 0U);
}

TEST_F(EngineExpiryHeldTest, APreparedBranchCommitsWhatWouldHaveExpired) {
  const auto who = connect();
  const auto subscription = subscribe(who, {});
  for (int i = 0; i < 10; ++i) send(who, std::to_string(i), 5'000);
  const auto out = deliveries();
  const auto work = start(who);
  ack(subscription, out[4], AckKind::consumed, work);
  end(who);
  prepare(who);
  engine_->disconnect(who.id, now_);
  advance(milliseconds(60'000));
  EXPECT_EQ(depth(), 1U);
  EXPECT_EQ(commit(connect()).disposition, Disposition::done);
  run();
  EXPECT_EQ(depth(), 0U);
  EXPECT_EQ(dead(), 9U);
}

TEST_F(EngineExpiryHeldTest, WhatWaitsForARedeliveryExpiresInBetween) {
  DestinationPolicy policy;
  policy.redelivery.emplace();
  policy.redelivery->initial_delay = milliseconds(3'600'000);
  policy.redelivery->maximum_redeliveries = 10;
  use(policy);
  const auto who = connect();
  const auto subscription = subscribe(who, {});
  send(who, "stored", 5'000);
  send(who, "volatile", 5'000, false);
  send(who, "later", 50'000);
  send(who, "never", 0);
  for (const auto& delivery : deliveries()) {
    EXPECT_EQ(ack(subscription, delivery, AckKind::poisoned).disposition, Disposition::done);
  }
  engine_->disconnect(who.id, now_);
  advance(milliseconds(4'999));
  EXPECT_EQ(depth(), 4U);
  advance(milliseconds(300));
  EXPECT_EQ(depth(), 2U);
  advance(milliseconds(50'000));
  EXPECT_EQ(depth(), 1U);
  EXPECT_EQ(dead(), 2U) << "of a message that is not persistent nobody keeps that it expired";
  advance(milliseconds(3'600'000));
  EXPECT_EQ(bodies(drain("q")), std::vector<std::string>{"never"});
  EXPECT_EQ(engine_->snapshot().bytes_held, 0U);
}

TEST_F(EngineExpiryHeldTest, WhatWasSpilledExpiresThere) {
  EngineLimits limits;
  limits.memory_bytes_max = 40'000;
  limits.spilled_bytes_max = 1ULL << 30;
  open({}, limits);
  engine_->tick(now_);
  const auto who = connect();
  for (int i = 0; i < 3000; ++i) {
    send(who, std::to_string(i), i % 3 == 1 ? 5'000 : 0, false);
    if (i % 16 == 0) run();
  }
  run();
  ASSERT_GT(engine_->snapshot().bytes_spilled, 100'000U);
  Sub sub;
  sub.prefetch = 30;
  const auto taker = connect();
  (void)subscribe(taker, sub);  // its pages hold some that expire
  EXPECT_EQ(deliveries().size(), 30U);
  advance(milliseconds(6'000));
  EXPECT_EQ(depth(), 2000U + 10U);
  engine_->disconnect(taker.id, now_);
  advance(milliseconds(1'000));
  EXPECT_EQ(depth(), 2000U);
  std::vector<std::string> expected;
  for (int i = 0; i < 3000; ++i) {
    if (i % 3 != 1) expected.push_back(std::to_string(i));
  }
  EXPECT_EQ(bodies(drain("q")), expected);
  run();
  EXPECT_EQ(engine_->snapshot().bytes_held, 0U);
  EXPECT_EQ(engine_->snapshot().bytes_spilled, 0U);
  EXPECT_EQ(store_->status().bytes_live, 0U);
}

TEST_F(EngineExpiryHeldTest, WithoutRoomForDeadLettersTheyWaitForIt) {
  const auto who = connect();
  for (int i = 0; i < 3000; ++i) send(who, std::to_string(i), 5'000);
  run();
  store_->set_admission(Admission::refused);
  advance(milliseconds(10'000));
  EXPECT_EQ(depth(), 3000U);
  store_->set_admission(Admission::granted);
  engine_->space_changed(now_);
  advance(milliseconds(5'000));
  EXPECT_EQ(depth(), 0U);
  EXPECT_EQ(dead(), 3000U);
}

TEST_F(EngineExpiryHeldTest, WorksInStepsHoweverSmall) {
  EngineLimits limits;
  limits.steps_per_entry_max = 1;
  limits.list_window_bytes_max = 10'000;
  open({}, limits);
  engine_->tick(now_);
  const auto who = connect();
  for (int i = 0; i < 300; ++i) send(who, std::to_string(i), 5'000, i % 3 != 0);
  for (int i = 0; i < 1000; ++i) (void)engine_->run(now_);
  now_ += milliseconds(5'000);
  engine_->tick(now_);
  for (int i = 0; i < 100'000 && depth() > 0; ++i) {
    const auto before = depth();
    const bool more = engine_->run(now_);
    ASSERT_LE(before - depth(), 2U) << "an entry of one step";
    if (more) continue;
    store_->deliver();
    engine_->tick(now_ += milliseconds(1));
  }
  EXPECT_EQ(depth(), 0U);
}

}  // namespace
}  // namespace pabal::core
