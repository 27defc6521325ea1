#include "tests/unit/core/engine_fixture.h"

namespace pabal::core {
namespace {

class EngineRestartTest : public EngineFixture {
 protected:
  void SetUp() override {
    store::MemoryStoreOptions options;
    options.manual_durability = true;
    open(options);
  }
  void sync() { store_->make_durable(store_->submitted()); }
};

TEST_F(EngineRestartTest, WhatIsDurableComesBackInOrder) {
  const auto who = connect();
  fill(who, 10);
  sync();
  fill(who, 5, "lost");
  restart();
  EXPECT_EQ(engine_->snapshot().queues, 1U);
  sync();
  const auto subscription = subscribe(connect(), {});
  run();
  sync();
  auto got = deliveries();
  EXPECT_EQ(bodies(got), numbers(1, 10));
  EXPECT_FALSE(got[0].redelivered) << "nobody was there to have got it before";
  (void)subscription;
}

TEST_F(EngineRestartTest, WhatMayHaveBeenDeliveredIsMarked) {
  const auto who = connect();
  subscribe(who, {});
  fill(who, 3);
  EXPECT_EQ(deliveries().size(), 3U) << "plain sends go out while their group is written";
  sync();
  restart();
  subscribe(connect(), {});
  run();
  sync();
  const auto got = deliveries();
  ASSERT_EQ(got.size(), 3U);
  for (const auto& delivery : got) {
    EXPECT_TRUE(delivery.redelivered);
    EXPECT_EQ(delivery.deliveries, 0U) << "counts come from logged events only";
  }
}

// However often it happens: no restart makes poison.
TEST_F(EngineRestartTest, ARestartLoopDoesNotCount) {
  fill(connect(), 1);
  sync();
  for (int round = 0; round < 20; ++round) {
    restart();
    subscribe(connect(), {});
    run();
    sync();
    const auto got = deliveries();
    ASSERT_EQ(got.size(), 1U);
    EXPECT_EQ(got[0].deliveries, 0U);
    EXPECT_EQ(got[0].redelivered, round > 0);
  }
}

TEST_F(EngineRestartTest, NothingLeavesBeforeItsMarkIsDurable) {
  fill(connect(), 3);
  sync();
  subscribe(connect(), {});
  EXPECT_TRUE(deliveries().empty());
  EXPECT_EQ(view("queue://q").waiting, WaitReason::waiting_for_sync);
  sync();
  EXPECT_EQ(deliveries().size(), 3U);
}

TEST_F(EngineRestartTest, ALowerPriorityDoesNotOvertakeABacklogThatWaitsForItsMarks) {
  const auto who = connect();
  Send low;
  low.priority = 0;
  low.body = "low";
  publish(who, low);
  fill(who, 2000);
  sync();
  const auto reader = connect();
  Sub sub;
  sub.prefetch = 5000;
  subscribe(reader, sub);
  std::vector<std::string> got;
  for (int syncs = 0; syncs < 100; ++syncs) {
    for (auto& body : bodies(deliveries())) got.push_back(std::move(body));
    engine_->written(reader.id, last_number_, now_);
    sync();
  }
  auto expected = numbers(1, 2000);
  expected.emplace_back("low");
  EXPECT_EQ(got, expected);
}

TEST_F(EngineRestartTest, ABacklogWaitsForOneSyncNotForOneAtEachBlock) {
  fill(connect(), 2000);
  sync();
  const auto who = connect();
  Sub sub;
  sub.prefetch = 100;
  const auto subscription = subscribe(who, sub);
  run();
  sync();
  std::size_t seen = 0;
  std::size_t stops = 0;
  while (seen < 2000) {
    const auto got = deliveries();
    if (got.empty()) ++stops;
    ASSERT_LT(stops, 100U);
    seen += got.size();
    for (const auto& delivery : got) ack(subscription, delivery);
    engine_->written(who.id, last_number_, now_);
    sync();
  }
  EXPECT_EQ(stops, 0U);
}

TEST_F(EngineRestartTest, AcknowledgedIsGoneUnacknowledgedIsThere) {
  const auto who = connect();
  const auto subscription = subscribe(who, {});
  fill(who, 4);
  sync();
  const auto got = deliveries();
  ack(subscription, got[1]);
  ack(subscription, got[3]);
  sync();
  restart();
  EXPECT_EQ(view("queue://q").depth, 2U);
  subscribe(connect(), {});
  run();
  sync();
  EXPECT_EQ(bodies(deliveries()), (std::vector<std::string>{"1", "3"}));
}

TEST_F(EngineRestartTest, ASendConsumedBeforeItsGroupIsSealedIsNeverWritten) {
  const auto who = connect();
  const auto subscription = subscribe(who, {});
  run();
  sync();
  fill(who, 1);
  const auto got = deliveries();
  const auto outcome = ack(subscription, got[0]);
  EXPECT_EQ(outcome.disposition, Disposition::done);
  EXPECT_EQ(store_->status().batches_cancelled, 1U);
  sync();
  restart();
  EXPECT_EQ(view("queue://q").depth, 0U);
}

/// Its number would come again after a restart, and the count would be another message's.
TEST_F(EngineRestartTest, ASendWithACountedDeliveryIsWrittenAlthoughConsumed) {
  const auto who = connect();
  const auto subscription = subscribe(who, {});
  run();
  sync();
  fill(who, 1);
  ack(subscription, deliveries()[0], AckKind::requeued);
  ack(subscription, deliveries()[0]);
  EXPECT_EQ(store_->status().batches_cancelled, 0U);
  sync();
  restart();
  EXPECT_EQ(view("queue://q").depth, 0U);
}

TEST_F(EngineRestartTest, CountedDeliveriesSurvive) {
  const auto who = connect();
  const auto subscription = subscribe(who, {});
  fill(who, 1);
  sync();
  for (int i = 0; i < 3; ++i) ack(subscription, deliveries()[0], AckKind::requeued);
  sync();
  restart();
  subscribe(connect(), {});
  run();
  sync();
  EXPECT_EQ(deliveries()[0].deliveries, 3U);
}

TEST_F(EngineRestartTest, DurableSubscriptionsComeBackWithTheirPlace) {
  auto who = connect("client");
  Sub sub;
  sub.kind = DestinationKind::topic;
  sub.name = "t.>";
  sub.durable = "d";
  const auto subscription = subscribe(who, sub);
  Send send;
  send.kind = DestinationKind::topic;
  send.name = "t.a";
  for (int i = 1; i <= 4; ++i) {
    send.body = std::to_string(i);
    send.persistent = i != 3;
    publish(who, send);
  }
  sync();
  auto got = deliveries();
  ASSERT_EQ(got.size(), 4U);
  ack(subscription, got[0]);
  sync();
  restart();
  EXPECT_EQ(engine_->durable_subscriptions(10).at(0).depth, 2U);
  who = connect("client");
  subscribe(who, sub);
  run();
  sync();
  EXPECT_EQ(bodies(deliveries()), (std::vector<std::string>{"2", "4"}));
}

// A crash between the batches that make a list and its first reader, or take the last one away.
TEST_F(EngineRestartTest, AListThatNobodyReadsCollectsNothing) {
  auto who = connect("client");
  Sub sub;
  sub.kind = DestinationKind::topic;
  sub.name = "t";
  sub.durable = "d";
  const Ticket before = store_->submitted();
  subscribe(who, sub);
  restart(Ticket{raw(before) + 1});
  who = connect("client");
  Send send;
  send.kind = DestinationKind::topic;
  send.name = "t";
  publish(who, send);
  send.persistent = false;
  publish(who, send);
  run();
  EXPECT_EQ(engine_->snapshot().bytes_held, 0U);
  EXPECT_EQ(engine_->snapshot().bytes_window, 0U);
  subscribe(who, sub);
  publish(who, send);
  EXPECT_EQ(deliveries().size(), 1U);
}

// The mark may be set in vain, but what was sent after the start cannot have been seen before it.
TEST_F(EngineRestartTest, WhatIsSentAfterTheStartIsNotMarked) {
  auto who = connect();
  subscribe(who, {});
  fill(who, 1);
  EXPECT_EQ(deliveries().size(), 1U);
  sync();
  restart();
  who = connect();
  subscribe(who, {});
  fill(who, 1);
  run();
  sync();
  const auto got = deliveries();
  ASSERT_EQ(got.size(), 2U);
  EXPECT_TRUE(got[0].redelivered);
  EXPECT_FALSE(got[1].redelivered);
}

TEST_F(EngineRestartTest, IdsOfMessagesNeverRepeat) {
  const auto before = connect();
  sync();
  restart();
  const auto after = connect();
  EXPECT_NE(before.origin, after.origin);
  EXPECT_NE(before.client_id, after.client_id);
}

}  // namespace
}  // namespace pabal::core
