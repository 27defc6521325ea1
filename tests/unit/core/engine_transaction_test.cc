#include "tests/unit/core/engine_fixture.h"

namespace pabal::core {
namespace {

class EngineTransactionTest : public EngineFixture {
 protected:
  TransactionId begin(const ConnectionDetails& who) { return *engine_->begin(who.id); }
};

TEST_F(EngineTransactionTest, SendsAreSeenAtCommitOnly) {
  const auto who = connect();
  subscribe(who, {});
  const auto transaction = begin(who);
  Send send;
  publish(who, send, transaction);
  send.name = "r";
  publish(who, send, transaction);
  EXPECT_TRUE(deliveries().empty());
  EXPECT_EQ(engine_->commit(transaction, 0, now_).disposition, Disposition::done);
  EXPECT_EQ(deliveries().size(), 1U);
  EXPECT_EQ(view("queue://r").depth, 1U);
}

TEST_F(EngineTransactionTest, RollbackDropsSendsAndTakesAcknowledgementsBack) {
  const auto who = connect();
  const auto subscription = subscribe(who, {});
  fill(who, 2);
  auto got = deliveries();
  const auto transaction = begin(who);
  publish(who, {}, transaction);
  EXPECT_EQ(ack(subscription, got[0], AckKind::consumed, transaction).disposition,
            Disposition::done);
  EXPECT_EQ(ack(subscription, got[0]).disposition, Disposition::failed);
  EXPECT_EQ(engine_->rollback(transaction, now_).disposition, Disposition::done);
  EXPECT_TRUE(deliveries().empty()) << "not delivered again while its consumer has it";
  EXPECT_EQ(view("queue://q").depth, 2U);
  EXPECT_EQ(ack(subscription, got[0]).disposition, Disposition::done);
  EXPECT_EQ(engine_->commit(transaction, 0, now_).error->code, Errc::not_found);
}

TEST_F(EngineTransactionTest, CommitIsOneBatchAndInvisibleUntilDurable) {
  store::MemoryStoreOptions options;
  options.manual_durability = true;
  open(options);
  const auto who = connect();
  const auto subscription = subscribe(who, {});
  fill(who, 1);
  run();
  store_->make_durable(store_->submitted());
  auto got = deliveries();
  ASSERT_EQ(got.size(), 1U);

  const auto transaction = begin(who);
  publish(who, {}, transaction);
  ack(subscription, got[0], AckKind::consumed, transaction);
  const auto outcome = engine_->commit(transaction, 0, now_);
  EXPECT_EQ(outcome.after, store_->submitted());
  EXPECT_TRUE(deliveries().empty());
  EXPECT_EQ(view("queue://q").waiting, WaitReason::waiting_for_sync);
  store_->make_durable(outcome.after);
  EXPECT_EQ(deliveries().size(), 1U);
}

TEST_F(EngineTransactionTest, ACrashBeforeTheSyncUndoesAllOfIt) {
  store::MemoryStoreOptions options;
  options.manual_durability = true;
  open(options);
  auto who = connect();
  auto subscription = subscribe(who, {});
  fill(who, 1);
  run();
  store_->make_durable(store_->submitted());
  auto got = deliveries();
  const auto transaction = begin(who);
  Send send;
  send.name = "other";
  publish(who, send, transaction);
  ack(subscription, got[0], AckKind::consumed, transaction);
  engine_->commit(transaction, 0, now_);
  restart();
  EXPECT_EQ(drain("q").size(), 1U);
  EXPECT_EQ(drain("other").size(), 0U);
}

TEST_F(EngineTransactionTest, TheCreditComesBackBeforeTheCommit) {
  const auto who = connect();
  Sub sub;
  sub.prefetch = 2;
  const auto subscription = subscribe(who, sub);
  fill(who, 6);
  const auto transaction = begin(who);
  std::size_t seen = 0;
  for (;;) {
    const auto got = deliveries();
    if (got.empty()) break;
    for (const auto& delivery : got) ack(subscription, delivery, AckKind::consumed, transaction);
    seen += got.size();
  }
  EXPECT_EQ(seen, 6U);
  engine_->commit(transaction, 0, now_);
  EXPECT_EQ(view("queue://q").depth, 0U);
}

TEST_F(EngineTransactionTest, DisconnectRollsBack) {
  const auto producer = connect();
  const auto who = connect();
  const auto subscription = subscribe(who, {});
  fill(producer, 1);
  const auto got = deliveries();
  const auto transaction = begin(who);
  publish(who, {}, transaction);
  ack(subscription, got[0], AckKind::consumed, transaction);
  engine_->disconnect(who.id, now_);
  const auto all = drain("q");
  ASSERT_EQ(all.size(), 1U);
  EXPECT_TRUE(all[0].redelivered);
  EXPECT_EQ(engine_->snapshot().transactions, 0U);
  run();
  EXPECT_EQ(engine_->snapshot().bytes_held, 0U);
}

TEST_F(EngineTransactionTest, AcknowledgementsOutliveTheirSubscription) {
  const auto who = connect();
  auto subscription = subscribe(who, {});
  fill(who, 2);
  auto got = deliveries();
  const auto kept = begin(who);
  const auto dropped = begin(who);
  ack(subscription, got[0], AckKind::consumed, kept);
  ack(subscription, got[1], AckKind::consumed, dropped);
  ASSERT_TRUE(engine_->unsubscribe(subscription, now_));
  EXPECT_EQ(engine_->commit(kept, 0, now_).disposition, Disposition::done);
  EXPECT_EQ(engine_->rollback(dropped, now_).disposition, Disposition::done);
  EXPECT_EQ(bodies(drain("q")), numbers(2, 2));
}

TEST_F(EngineTransactionTest, PoisonInATransactionIsOneBatchWithTheRest) {
  const auto who = connect();
  const auto subscription = subscribe(who, {});
  fill(who, 1);
  const auto got = deliveries();
  const auto transaction = begin(who);
  ack(subscription, got[0], AckKind::poisoned, transaction);
  EXPECT_EQ(engine_->snapshot().totals.dead_lettered, 0U);
  engine_->commit(transaction, 0, now_);
  EXPECT_EQ(drain("ActiveMQ.DLQ").size(), 1U);
  EXPECT_EQ(view("queue://q").depth, 0U);
}

TEST_F(EngineTransactionTest, WhatIsGivenBackIsCountedInTheBatchToo) {
  store::MemoryStoreOptions options;
  options.manual_durability = true;
  open(options);
  const auto who = connect();
  const auto stays = subscribe(who, {});
  fill(who, 2);
  store_->make_durable(store_->submitted());
  const auto got = deliveries();
  ASSERT_EQ(got.size(), 2U);
  const auto first = begin(who);
  ack(stays, got[0], AckKind::requeued, first);
  const auto committed = engine_->commit(first, 0, now_);
  EXPECT_EQ(committed.after, store_->submitted()) << "the count, too, is to be durable first";
  EXPECT_NE(committed.after, kNoTicket);

  const auto second = begin(who);
  ack(stays, got[1], AckKind::requeued, second);
  ASSERT_TRUE(engine_->unsubscribe(stays, now_));
  const auto before = raw(store_->submitted());
  EXPECT_EQ(raw(engine_->commit(second, 0, now_).after), before + 1);
  EXPECT_EQ(raw(store_->submitted()), before + 1);
}

TEST_F(EngineTransactionTest, PoisonOutlivesItsTopicSubscription) {
  const auto who = connect();
  Sub sub;
  sub.kind = DestinationKind::topic;
  sub.name = "t";
  const auto subscription = subscribe(who, sub);
  Send send;
  send.kind = DestinationKind::topic;
  send.name = "t";
  publish(who, send);
  const auto got = deliveries();
  const auto transaction = begin(who);
  ack(subscription, got[0], AckKind::poisoned, transaction);
  ASSERT_TRUE(engine_->unsubscribe(subscription, now_));
  engine_->commit(transaction, 0, now_);
  EXPECT_EQ(drain("ActiveMQ.DLQ").size(), 1U);
  EXPECT_EQ(engine_->snapshot().bytes_held, 0U);
}

TEST_F(EngineTransactionTest, TopicsTakePartToo) {
  const auto who = connect("client");
  Sub sub;
  sub.kind = DestinationKind::topic;
  sub.name = "t";
  subscribe(who, sub);
  sub.durable = "d";
  subscribe(who, sub);
  const auto transaction = begin(who);
  Send send;
  send.kind = DestinationKind::topic;
  send.name = "t";
  publish(who, send, transaction);
  EXPECT_TRUE(deliveries().empty());
  engine_->commit(transaction, 0, now_);
  EXPECT_EQ(deliveries().size(), 2U);
}

TEST_F(EngineTransactionTest, LimitsAreAnswered) {
  EngineLimits limits;
  limits.transaction_bytes_max = 2000;
  limits.transactions_per_connection_max = 1;
  open({}, limits);
  const auto who = connect();
  const auto transaction = begin(who);
  EXPECT_EQ(engine_->begin(who.id).error().code, Errc::quota_exceeded);
  Send send;
  send.body.assign(1000, 'x');
  EXPECT_EQ(publish(who, send, transaction).disposition, Disposition::done);
  const auto refused = publish(who, send, transaction);
  EXPECT_EQ(refused.error->code, Errc::quota_exceeded);
  EXPECT_NE(refused.error->text.find("transaction_bytes_max"), std::string::npos);
  engine_->commit(transaction, 0, now_);
  EXPECT_EQ(drain("q").size(), 1U);
}

TEST_F(EngineTransactionTest, AnotherConnectionsTransactionIsUnknown) {
  const auto one = connect();
  const auto two = connect();
  const auto transaction = begin(one);
  EXPECT_EQ(publish(two, {}, transaction).error->code, Errc::not_found);
}

// Before, a crash could leave a topic's subscriber with a message of a transaction that never was.
TEST_F(EngineTransactionTest, TopicSubscribersWaitUntilTheCommitIsDurable) {
  open({.manual_durability = true});
  const auto kept = connect("kept");
  Sub topic;
  topic.kind = DestinationKind::topic;
  topic.name = "t";
  Sub durable = topic;
  durable.durable = "d";
  subscribe(kept, durable);
  const auto who = connect();
  const auto plain = subscribe(who, topic);
  store_->make_durable(store_->submitted());
  const auto of_plain = [&] {
    std::vector<std::string> bodies;
    for (const auto& delivery : deliveries()) {
      if (delivery.subscription == plain) bodies.emplace_back(delivery.message->body());
    }
    return bodies;
  };

  const auto transaction = begin(who);
  Send send;
  send.kind = DestinationKind::topic;
  send.name = "t";
  send.body = "first";
  publish(who, send, transaction);
  const auto committed = engine_->commit(transaction, 0, now_);
  ASSERT_NE(committed.after, kNoTicket);
  send.body = "second";
  publish(who, send);
  EXPECT_EQ(of_plain(), std::vector<std::string>{}) << "and what comes later does not overtake";
  store_->make_durable(committed.after);
  EXPECT_EQ(of_plain(), (std::vector<std::string>{"first", "second"}));
}

}  // namespace
}  // namespace pabal::core
