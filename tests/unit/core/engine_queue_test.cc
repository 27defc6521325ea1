#include <set>

#include "tests/unit/core/engine_fixture.h"

namespace pabal::core {
namespace {

using EngineQueueTest = EngineFixture;

TEST_F(EngineQueueTest, NoLocalTakesNothingOutOfAQueue) {
  const auto who = connect();
  Sub sub;
  sub.no_local = true;
  subscribe(who, sub);
  fill(who, 1);
  run();
  EXPECT_EQ(view("queue://q").depth, 1U);
}

TEST_F(EngineQueueTest, KeepsSendingOrder) {
  const auto who = connect();
  fill(who, 5);
  const auto subscription = subscribe(who, {});
  auto got = deliveries();
  EXPECT_EQ(bodies(got), numbers(1, 5));
  EXPECT_FALSE(got[0].redelivered);
  for (const auto& delivery : got)
    EXPECT_EQ(ack(subscription, delivery).disposition, Disposition::done);
  EXPECT_EQ(view("queue://q").depth, 0U);
  EXPECT_EQ(view("queue://q").counters.dequeued, 5U);
}

TEST_F(EngineQueueTest, HigherPriorityGoesFirst) {
  const auto who = connect();
  for (const int priority : {1, 9, 4, 9, 0}) {
    Send send;
    send.priority = static_cast<std::uint8_t>(priority);
    send.body = std::to_string(priority);
    publish(who, send);
  }
  subscribe(who, {});
  EXPECT_EQ(bodies(deliveries()), (std::vector<std::string>{"9", "9", "4", "1", "0"}));
}

TEST_F(EngineQueueTest, PersistentAndNonPersistentKeepOneOrder) {
  const auto who = connect();
  for (int i = 1; i <= 6; ++i) {
    Send send;
    send.persistent = i % 2 == 0;
    send.body = std::to_string(i);
    publish(who, send);
  }
  subscribe(who, {});
  EXPECT_EQ(bodies(deliveries()), numbers(1, 6));
}

TEST_F(EngineQueueTest, CompetingConsumersShareInTurn) {
  const auto one = connect();
  const auto two = connect();
  const auto first = subscribe(one, {});
  const auto second = subscribe(two, {});
  fill(one, 4);
  std::map<std::uint64_t, int> shares;
  for (const auto& delivery : deliveries()) ++shares[raw(delivery.subscription)];
  EXPECT_EQ(shares[raw(first)], 2);
  EXPECT_EQ(shares[raw(second)], 2);
}

TEST_F(EngineQueueTest, HigherConsumerPriorityTakesAllUntilItsCreditIsGone) {
  const auto who = connect();
  Sub low;
  const auto other = subscribe(who, low);
  Sub high;
  high.priority = 5;
  high.prefetch = 3;
  const auto preferred = subscribe(who, high);
  fill(who, 5);
  auto got = deliveries();
  std::map<std::uint64_t, int> shares;
  for (const auto& delivery : got) ++shares[raw(delivery.subscription)];
  EXPECT_EQ(shares[raw(preferred)], 3);
  EXPECT_EQ(shares[raw(other)], 2);
}

TEST_F(EngineQueueTest, PrefetchLimitsWhatIsOut) {
  const auto who = connect();
  Sub sub;
  sub.prefetch = 2;
  const auto subscription = subscribe(who, sub);
  fill(who, 5);
  auto got = deliveries();
  EXPECT_EQ(bodies(got), numbers(1, 2));
  EXPECT_EQ(view("queue://q").waiting, WaitReason::no_credit);
  ack(subscription, got[0]);
  EXPECT_EQ(bodies(deliveries()), numbers(3, 3));
}

TEST_F(EngineQueueTest, GrantsAddCreditForPullConsumers) {
  const auto who = connect();
  Sub sub;
  sub.prefetch = 0;
  const auto subscription = subscribe(who, sub);
  fill(who, 3);
  EXPECT_TRUE(deliveries().empty());
  ASSERT_TRUE(engine_->grant(subscription, 2, now_));
  EXPECT_EQ(bodies(deliveries()), numbers(1, 2));
}

TEST_F(EngineQueueTest, AGrantIsUsedUpByOneDelivery) {
  const auto who = connect();
  Sub sub;
  sub.prefetch = 0;
  const auto subscription = subscribe(who, sub);
  fill(who, 3);
  ASSERT_TRUE(engine_->grant(subscription, 1, now_));
  const auto got = deliveries();
  ASSERT_EQ(bodies(got), numbers(1, 1));
  ack(subscription, got[0]);
  EXPECT_TRUE(deliveries().empty()) << "one pull, one message";
  ASSERT_TRUE(engine_->grant(subscription, 1, now_));
  ASSERT_EQ(bodies(deliveries()), numbers(2, 2));
  ASSERT_TRUE(engine_->grant(subscription, 1, now_));
  EXPECT_EQ(bodies(deliveries()), numbers(3, 3)) << "though the second is not acknowledged";
}

TEST_F(EngineQueueTest, AutomaticAcknowledgesWhatIsWritten) {
  const auto who = connect();
  Sub sub;
  sub.mode = AckMode::automatic;
  sub.prefetch = 3;
  subscribe(who, sub);
  fill(who, 5);
  auto got = deliveries();
  ASSERT_EQ(got.size(), 3U);
  EXPECT_EQ(view("queue://q").depth, 5U);
  engine_->written(who.id, got[1].number, now_);
  EXPECT_EQ(bodies(deliveries()), numbers(4, 5));
  EXPECT_EQ(view("queue://q").depth, 3U);
  engine_->written(who.id, last_number_, now_);
  EXPECT_EQ(view("queue://q").depth, 0U);
}

TEST_F(EngineQueueTest, CumulativeAcknowledgesAllBefore) {
  const auto who = connect();
  const auto subscription = subscribe(who, {});
  fill(who, 5);
  auto got = deliveries();
  const auto outcome = engine_->acknowledge(subscription, {DeliveryId{}, got[2].id},
                                            AckKind::consumed, "", std::nullopt, now_);
  EXPECT_EQ(outcome.disposition, Disposition::done);
  EXPECT_EQ(view("queue://q").depth, 2U);
  const auto repeated = ack(subscription, got[1]);
  EXPECT_EQ(repeated.disposition, Disposition::failed);
  EXPECT_EQ(repeated.error->code, Errc::not_found);
}

TEST_F(EngineQueueTest, WhatADepartedConsumerHeldComesBackFirstCountedAndMarked) {
  const auto producer = connect();
  const auto one = connect();
  Sub sub;
  sub.prefetch = 3;
  const auto first = subscribe(one, sub);
  fill(producer, 5);
  auto got = deliveries();
  ack(first, got[1]);
  engine_->disconnect(one.id, now_);

  const auto two = connect();
  subscribe(two, {});
  got = deliveries();
  EXPECT_EQ(bodies(got), (std::vector<std::string>{"1", "3", "4", "5"}));
  EXPECT_TRUE(got[0].redelivered);
  EXPECT_EQ(got[0].deliveries, 1U);
  EXPECT_TRUE(got[1].redelivered);
  EXPECT_FALSE(got[2].redelivered);
}

TEST_F(EngineQueueTest, ALostConnectionAloneNeverDeadLetters) {
  const auto producer = connect();
  fill(producer, 1);
  for (int round = 0; round < 50; ++round) {
    const auto who = connect();
    subscribe(who, {});
    auto got = deliveries();
    ASSERT_EQ(got.size(), 1U);
    EXPECT_EQ(got[0].deliveries, static_cast<std::uint32_t>(round));
    engine_->disconnect(who.id, now_);
  }
  EXPECT_EQ(engine_->snapshot().totals.dead_lettered, 0U);
}

TEST_F(EngineQueueTest, PoisonGoesToTheDeadLetterQueueWithCauseAndOrigin) {
  const auto who = connect();
  const auto subscription = subscribe(who, {});
  fill(who, 2);
  auto got = deliveries();
  const auto outcome = engine_->acknowledge(subscription, {got[0].id, got[0].id}, AckKind::poisoned,
                                            "bad cheque", std::nullopt, now_);
  EXPECT_EQ(outcome.disposition, Disposition::done);
  const auto dead = drain("ActiveMQ.DLQ");
  ASSERT_EQ(dead.size(), 1U);
  EXPECT_EQ(dead[0].message->body(), "1");
  EXPECT_TRUE(dead[0].message->persistent());
  EXPECT_EQ(dead[0].message->original_destination()->name, "q");
  EXPECT_EQ(dead[0].message->property("dlqDeliveryFailureCause")->text, "bad cheque");
  EXPECT_EQ(view("queue://q").depth, 1U);
  EXPECT_EQ(view("queue://q").counters.dead_lettered, 1U);
}

TEST_F(EngineQueueTest, ANonPersistentPoisonMessageIsKeptToo) {
  const auto who = connect();
  const auto subscription = subscribe(who, {});
  fill(who, 1, "q", false);
  ack(subscription, deliveries()[0], AckKind::poisoned);
  EXPECT_EQ(drain("ActiveMQ.DLQ").size(), 1U);
}

TEST_F(EngineQueueTest, ADeadLetterDoesNotDieAgain) {
  const auto who = connect();
  const auto subscription = subscribe(who, {});
  fill(who, 1);
  ack(subscription, deliveries()[0], AckKind::poisoned);
  Sub sub;
  sub.name = "ActiveMQ.DLQ";
  const auto undertaker = subscribe(who, sub);
  ack(undertaker, deliveries()[0], AckKind::poisoned);
  EXPECT_EQ(view("queue://ActiveMQ.DLQ").depth, 0U);
  EXPECT_EQ(engine_->snapshot().totals.dead_lettered, 1U);
}

TEST_F(EngineQueueTest, RequeuedComesAgainCounted) {
  const auto who = connect();
  Sub sub;
  sub.prefetch = 1;
  const auto subscription = subscribe(who, sub);
  fill(who, 2);
  ack(subscription, deliveries()[0], AckKind::requeued);
  const auto got = deliveries();
  EXPECT_EQ(bodies(got), numbers(1, 1));
  EXPECT_EQ(got[0].deliveries, 1U);
  EXPECT_TRUE(got[0].redelivered);
}

TEST_F(EngineQueueTest, ExpiredMessagesGoToTheDeadLetterQueueWhenPersistent) {
  const auto who = connect();
  Send send;
  send.expiration = to_millis(now_) + 10;
  publish(who, send);
  send.persistent = false;
  publish(who, send);
  send.expiration = 0;
  send.body = "alive";
  publish(who, send);
  now_ += milliseconds(11);
  subscribe(who, {});
  EXPECT_EQ(bodies(deliveries()), std::vector<std::string>{"alive"});
  EXPECT_EQ(view("queue://q").counters.expired, 2U);
  const auto dead = drain("ActiveMQ.DLQ");
  ASSERT_EQ(dead.size(), 1U);
  EXPECT_EQ(dead[0].message->expiration(), 0);
  EXPECT_EQ(dead[0].message->property("originalExpiration")->integer, 1'000'010);
}

TEST_F(EngineQueueTest, TheSweepFindsExpiredMessagesThatNobodyConsumes) {
  const auto who = connect();
  Send send;
  send.expiration = to_millis(now_) + 10;
  for (int i = 0; i < 1000; ++i) publish(who, send);
  engine_->tick(now_);
  now_ += milliseconds(40'000);
  engine_->tick(now_);
  run();
  EXPECT_EQ(view("queue://q").depth, 0U);
  EXPECT_EQ(view("queue://ActiveMQ.DLQ").depth, 1000U);
}

TEST_F(EngineQueueTest, WildcardConsumersTakeFromQueuesOfTodayAndTomorrow) {
  const auto who = connect();
  fill(who, 1, "a.one");
  Sub sub;
  sub.name = "a.*";
  const auto subscription = subscribe(who, sub);
  fill(who, 1, "a.two");
  fill(who, 1, "b.one");
  auto got = deliveries();
  ASSERT_EQ(got.size(), 2U);
  std::set<std::string> from;
  for (const auto& delivery : got) {
    from.emplace(delivery.message->destination_name());
    EXPECT_EQ(ack(subscription, delivery).disposition, Disposition::done);
  }
  EXPECT_EQ(from, (std::set<std::string>{"a.one", "a.two"}));
}

TEST_F(EngineQueueTest, OneDeliveryThatStaysOutDoesNotStopTheOthers) {
  const auto who = connect();
  Sub sub;
  sub.prefetch = 10;
  const auto subscription = subscribe(who, sub);
  fill(who, 5000);
  int seen = 0;
  for (;;) {
    const auto got = deliveries();
    if (got.empty()) break;
    for (const auto& delivery : got) {
      if (++seen > 1) ack(subscription, delivery);
    }
    engine_->written(who.id, last_number_, now_);
  }
  EXPECT_EQ(seen, 5000);
  EXPECT_EQ(view("queue://q").depth, 1U);
  EXPECT_EQ(view("queue://q").in_flight, 1U);
}

TEST_F(EngineQueueTest, TemporaryQueuesDieWithTheirConnection) {
  const auto owner = connect();
  const auto other = connect();
  const auto temporary = engine_->create_temporary(owner.id, DestinationKind::temporary_queue);
  ASSERT_TRUE(temporary);
  Sub sub;
  sub.kind = temporary->kind;
  sub.name = temporary->name;
  EXPECT_FALSE(try_subscribe(other, sub)) << "only its connection may consume from it";
  subscribe(owner, sub);
  Send send;
  send.kind = temporary->kind;
  send.name = temporary->name;
  EXPECT_EQ(publish(other, send).after, kNoTicket) << "nothing of it is stored";
  EXPECT_EQ(deliveries().size(), 1U);
  engine_->disconnect(owner.id, now_);
  const auto outcome = publish(other, send);
  ASSERT_EQ(outcome.disposition, Disposition::failed);
  EXPECT_EQ(outcome.error->code, Errc::bad_destination);
}

TEST_F(EngineQueueTest, RefusesDestinationsThatCannotBe) {
  const auto who = connect();
  Send send;
  send.name = "a.*";
  EXPECT_EQ(publish(who, send).error->code, Errc::bad_destination);
  send.name = "";
  EXPECT_EQ(publish(who, send).error->code, Errc::bad_destination);
  EXPECT_EQ(engine_->snapshot().queues, 0U);
}

TEST_F(EngineQueueTest, AClientIdIsTakenOnce) {
  const auto first = connect("payroll");
  ConnectOptions options;
  options.client_id = "payroll";
  const auto second = engine_->connect(options);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::in_use);
  engine_->disconnect(first.id, now_);
  EXPECT_TRUE(engine_->connect(options));
}

TEST_F(EngineQueueTest, HeldBytesComeBackToZero) {
  const auto who = connect();
  const auto subscription = subscribe(who, {});
  fill(who, 20);
  fill(who, 20, "q", false);
  auto got = deliveries();
  ASSERT_EQ(got.size(), 40U);
  EXPECT_GT(engine_->snapshot().bytes_held, 0U);
  for (std::size_t i = 0; i < 10; ++i) ack(subscription, got[i]);
  for (std::size_t i = 10; i < 20; ++i) ack(subscription, got[i], AckKind::poisoned);
  for (std::size_t i = 20; i < 30; ++i) ack(subscription, got[i], AckKind::requeued);
  ASSERT_TRUE(engine_->unsubscribe(subscription, now_));
  drain("q");
  drain("ActiveMQ.DLQ");
  run();
  EXPECT_EQ(engine_->snapshot().bytes_held, 0U);
  EXPECT_EQ(engine_->snapshot().bytes_window, 0U);
}

TEST_F(EngineQueueTest, AQueueThatNobodyConsumesSaysSo) {
  const auto who = connect();
  fill(who, 3);
  run();
  EXPECT_EQ(view("queue://q").waiting, WaitReason::no_consumer);
  drain("q");
  EXPECT_EQ(view("queue://q").waiting, WaitReason::empty);
}

}  // namespace
}  // namespace pabal::core
