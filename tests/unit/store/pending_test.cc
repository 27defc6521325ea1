#include "store/journal/pending.h"

#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "core/message.h"

namespace pabal::store {
namespace {

using core::ListId;
using core::ReaderId;
using core::StoreOp;
using core::StoreOpKind;
using core::Ticket;

constexpr ListId kOrders{1};
constexpr ListId kAudit{2};
constexpr ReaderId kReader{1};

StoreOp add(ListId list, std::uint64_t sequence, std::size_t body_bytes = 10) {
  const std::string body(body_bytes, 'm');
  core::MessageBuilder builder;
  builder.body_kind = core::BodyKind::bytes;
  builder.body = body;
  StoreOp op;
  op.kind = StoreOpKind::add;
  op.list = list;
  op.priority = 4;
  op.first = sequence;
  op.message = *builder.build();
  return op;
}

StoreOp reference(ListId list, std::uint64_t sequence) {
  StoreOp op;
  op.kind = StoreOpKind::add_reference;
  op.list = list;
  op.priority = 4;
  op.first = sequence;
  return op;
}

StoreOp acknowledge(ListId list, std::uint64_t first, std::uint64_t last) {
  StoreOp op;
  op.kind = StoreOpKind::acknowledge;
  op.list = list;
  op.reader = kReader;
  op.priority = 4;
  op.first = first;
  op.last = last;
  return op;
}

class PendingQueueTest : public testing::Test {
 protected:
  /// The store thread has nothing to do.
  void SetUp() override { ASSERT_TRUE(queue_.rest()); }

  template <class... Ops>
  Ticket append(Ops... ops) {
    std::vector<StoreOp> batch;
    (batch.push_back(std::move(ops)), ...);
    return queue_.append(batch, woken_);
  }
  std::size_t sealed_batches() {
    PendingGroup group;
    return queue_.seal(group) ? group.batches.size() : 0;
  }

  PendingQueue queue_{PendingQueue::Waits{}};
  bool woken_ = false;
};

TEST_F(PendingQueueTest, WakesTheWriterAtThePush) {
  append(add(kOrders, 1));
  EXPECT_FALSE(woken_);
  const auto pushed = queue_.push(core::kNoTicket, core::kNoTicket);
  EXPECT_TRUE(pushed.wake);
  EXPECT_FALSE(pushed.raised);
  EXPECT_FALSE(queue_.push(core::kNoTicket, core::kNoTicket).wake) << "it is awake already";
  EXPECT_FALSE(queue_.rest()) << "there is something to write";
}

TEST_F(PendingQueueTest, ALongTurnDoesNotKeepTheWriterWaiting) {
  append(add(kOrders, 1, 300'000));
  EXPECT_TRUE(woken_);
  EXPECT_FALSE(queue_.push(core::kNoTicket, core::kNoTicket).wake);
}

TEST_F(PendingQueueTest, WhatIsConsumedWithinTheTurnIsNeverWritten) {
  const Ticket ticket = append(add(kOrders, 1));
  EXPECT_TRUE(queue_.cancel(ticket, kOrders));
  EXPECT_EQ(queue_.durable(), ticket);
  const auto pushed = queue_.push(core::kNoTicket, core::kNoTicket);
  EXPECT_FALSE(pushed.wake);
  EXPECT_TRUE(pushed.raised) << "others may wait for it";
  EXPECT_FALSE(queue_.push(core::kNoTicket, core::kNoTicket).raised);
  EXPECT_EQ(sealed_batches(), 0U);
  EXPECT_EQ(queue_.undurable_bytes(), 0U);
}

TEST_F(PendingQueueTest, SaysOnceWhatPassedUnwritten) {
  const Ticket first = append(add(kOrders, 1));
  queue_.cancel(first, kOrders);
  const Ticket second = append(add(kOrders, 2));
  queue_.cancel(second, kOrders);
  EXPECT_EQ(queue_.take_passed(), second);
  EXPECT_EQ(queue_.take_passed(), std::nullopt);
}

TEST_F(PendingQueueTest, AnOlderPassedTicketIsNotSaidBehindALaterGroup) {
  queue_.cancel(append(add(kOrders, 1)), kOrders);
  const Ticket written = append(add(kOrders, 2));
  EXPECT_EQ(sealed_batches(), 1U);
  queue_.publish(written, 0);
  EXPECT_EQ(queue_.take_passed(), std::nullopt);
}

TEST_F(PendingQueueTest, ACancelledSendWaitsForWhatIsBeforeIt) {
  const Ticket kept = append(add(kOrders, 1));
  const Ticket consumed = append(add(kOrders, 2));
  EXPECT_TRUE(queue_.cancel(consumed, kOrders));
  EXPECT_EQ(queue_.durable(), core::kNoTicket);
  EXPECT_EQ(sealed_batches(), 2U);
  queue_.publish(consumed, 0);
  EXPECT_EQ(queue_.durable(), consumed);
  EXPECT_LT(kept, consumed);
}

TEST_F(PendingQueueTest, ACancelledSendWaitsForTheGroupOnItsWay) {
  const Ticket underway = append(add(kOrders, 1));
  EXPECT_EQ(sealed_batches(), 1U);
  const Ticket consumed = append(add(kOrders, 2));
  EXPECT_TRUE(queue_.cancel(consumed, kOrders));
  EXPECT_EQ(queue_.durable(), core::kNoTicket);
  EXPECT_TRUE(queue_.publish(underway, 0));
  EXPECT_EQ(queue_.durable(), consumed) << "nothing is left to write";
  EXPECT_EQ(sealed_batches(), 0U);
  EXPECT_EQ(queue_.take_passed(), consumed);
}

TEST_F(PendingQueueTest, WhatIsConsumedWhileADiskStandsStillTakesUpNothing) {
  const Ticket underway = append(add(kOrders, 1));
  EXPECT_EQ(sealed_batches(), 1U);
  Ticket last{};
  for (std::uint64_t i = 0; i < 100'000; ++i) {
    last = append(add(kOrders, 2 + i));
    ASSERT_TRUE(queue_.cancel(last, kOrders));
    ASSERT_LT(queue_.undurable_bytes(), 100'000U);
  }
  EXPECT_EQ(queue_.durable(), core::kNoTicket);
  const Ticket wanted = append(add(kOrders, 200'000));
  EXPECT_TRUE(queue_.publish(underway, queue_.undurable_bytes()));
  EXPECT_EQ(queue_.durable(), last);
  EXPECT_EQ(sealed_batches(), 1U);
  EXPECT_TRUE(queue_.publish(wanted, 0));
  EXPECT_EQ(queue_.durable(), wanted);
}

TEST_F(PendingQueueTest, WhatIsConsumedBehindWhatIsNotCountsUntilThatIsWritten) {
  append(add(kOrders, 1));
  const std::uint64_t before = queue_.undurable_bytes();
  for (std::uint64_t i = 0; i < 1'000; ++i) queue_.cancel(append(add(kOrders, 2 + i)), kOrders);
  EXPECT_GE(queue_.undurable_bytes(), before + 1'000 * sizeof(StoreOp));
  EXPECT_EQ(sealed_batches(), 1'001U);
  EXPECT_EQ(queue_.undurable_bytes(), before);
}

TEST_F(PendingQueueTest, CancelsNothingThatIsSealed) {
  const Ticket ticket = append(add(kOrders, 1));
  EXPECT_EQ(sealed_batches(), 1U);
  EXPECT_FALSE(queue_.cancel(ticket, kOrders));
}

TEST_F(PendingQueueTest, CancelsPlainSendsOnly) {
  const Ticket mixed = append(add(kOrders, 1), acknowledge(kAudit, 1, 1));
  EXPECT_FALSE(queue_.cancel(mixed, kOrders));
  const Ticket acknowledged = append(acknowledge(kOrders, 1, 1));
  EXPECT_FALSE(queue_.cancel(acknowledged, kOrders));
}

TEST_F(PendingQueueTest, AnotherListKeepsTheMessage) {
  const Ticket ticket = append(add(kOrders, 1), reference(kAudit, 1));
  EXPECT_TRUE(queue_.cancel(ticket, kOrders));
  EXPECT_FALSE(queue_.cancel(ticket, kOrders)) << "taken out already";
  EXPECT_EQ(queue_.durable(), core::kNoTicket);
  PendingGroup group;
  ASSERT_TRUE(queue_.seal(group));
  EXPECT_FALSE(group.batches[0].cancelled);
  EXPECT_EQ(group.ops[0].first, 0U);
  EXPECT_TRUE(group.ops[0].message);
  EXPECT_EQ(group.ops[1].first, 1U);
}

TEST_F(PendingQueueTest, MergesAdjacentAcknowledgements) {
  append(acknowledge(kOrders, 1, 1));
  append(acknowledge(kOrders, 2, 3));
  append(acknowledge(kOrders, 5, 5));
  PendingGroup group;
  ASSERT_TRUE(queue_.seal(group));
  EXPECT_EQ(group.batches.size(), 3U);
  ASSERT_EQ(group.ops.size(), 2U);
  EXPECT_EQ(group.ops[0].last, 3U);
  EXPECT_EQ(group.ops[1].first, 5U);
}

}  // namespace
}  // namespace pabal::store
