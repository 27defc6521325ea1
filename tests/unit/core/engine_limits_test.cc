#include "tests/unit/core/engine_fixture.h"

namespace pabal::core {
namespace {

using EngineLimitsTest = EngineFixture;

std::vector<ConnectionOrder> orders(Engine& engine) {
  std::vector<ConnectionOrder> orders;
  for (const auto& effect : engine.outbox(HomeId{}).effects) orders.push_back(effect.order);
  engine.outbox(HomeId{}).effects.clear();
  return orders;
}

TEST_F(EngineLimitsTest, NonPersistentSendsOverTheMemoryLimitParkAndComeLater) {
  EngineLimits limits;
  limits.memory_bytes_max = 10'000;
  limits.parked_bytes_max = 3000;
  open({}, limits);
  const auto producer = connect();
  Send send;
  send.persistent = false;
  send.body.assign(1000, 'x');
  int done = 0;
  int parked = 0;
  for (ReplyToken token = 1; token <= 12; ++token) {
    const auto outcome = publish(producer, send, std::nullopt, token);
    (outcome.disposition == Disposition::done ? done : parked) += 1;
    ASSERT_NE(outcome.disposition, Disposition::failed);
  }
  EXPECT_EQ(done, 9);
  EXPECT_EQ(parked, 3);
  EXPECT_EQ(orders(*engine_), std::vector{ConnectionOrder::pause_reading});

  const auto consumer = connect();
  const auto subscription = subscribe(consumer, {});
  for (;;) {
    const auto got = deliveries();
    if (got.empty()) break;
    for (const auto& delivery : got) ack(subscription, delivery);
    done += static_cast<int>(got.size());
    engine_->written(consumer.id, last_number_, now_);
  }
  EXPECT_EQ(replies().size(), 3U);
  EXPECT_EQ(done, 9 + 12) << "all twelve were delivered";
  EXPECT_EQ(orders(*engine_), std::vector{ConnectionOrder::resume_reading});
  EXPECT_EQ(engine_->snapshot().bytes_held, 0U);
}

TEST_F(EngineLimitsTest, AConnectionThatMustAcknowledgeIsReadAndItsSendsRefused) {
  EngineLimits limits;
  limits.memory_bytes_max = 5000;
  limits.parked_bytes_max = 2000;
  open({}, limits);
  const auto who = connect();
  Send send;
  send.persistent = false;
  send.body.assign(1000, 'x');
  Sub sub;
  sub.prefetch = 1;
  subscribe(who, sub);
  publish(who, send);
  run();
  Outcome last;
  int sent = 1;
  do {
    last = publish(who, send);
    ASSERT_LT(++sent, 20);
  } while (last.disposition != Disposition::failed);
  EXPECT_EQ(last.error->code, Errc::quota_exceeded);
  EXPECT_NE(last.error->text.find("the first of them waits: memoryUsage: "), std::string::npos)
      << last.error->text;
  EXPECT_TRUE(orders(*engine_).empty());
}

TEST_F(EngineLimitsTest, ARefusedSendNamesTheDestinationThatThoseBeforeItWaitFor) {
  EngineLimits limits;
  limits.parked_bytes_max = 1000;
  open({}, limits);
  DestinationPolicy policy;
  policy.memory_limit = 500;
  EngineSettings settings;
  settings.policies.add(
      {{DestinationKind::queue, "q"}, std::make_shared<const DestinationPolicy>(policy)});
  engine_->configure(std::move(settings), now_);
  const auto who = connect();
  Send send;
  send.persistent = false;
  send.body.assign(1000, 'x');
  subscribe(who, {.prefetch = 1});
  publish(who, send);
  run();
  Outcome last;
  int sent = 1;
  do {
    last = publish(who, send);
    ASSERT_LT(++sent, 20);
  } while (last.disposition != Disposition::failed);
  EXPECT_NE(last.error->text.find("the first of them waits at queue://q: memoryLimit of queue://q"),
            std::string::npos)
      << last.error->text;
}

/// Nobody else would say what became of them.
TEST_F(EngineLimitsTest, WhatWaitsWhenItsConnectionLeavesIsCountedAndSaid) {
  EngineLimits limits;
  limits.memory_bytes_max = 5000;
  open({}, limits);
  const auto who = connect();
  Send send;
  send.persistent = false;
  send.body.assign(1000, 'x');
  int done = 0;
  for (int i = 0; i < 10; ++i) {
    done += static_cast<int>(publish(who, send).disposition == Disposition::done);
  }
  engine_->disconnect(who.id, now_);
  EXPECT_EQ(engine_->snapshot().totals.dropped, 10U - static_cast<unsigned>(done));
  const auto effects = std::exchange(engine_->outbox(HomeId{0}).effects, {});
  ASSERT_EQ(effects.size(), 1U);
  EXPECT_EQ(effects[0].order, ConnectionOrder::warn);
  EXPECT_NE(effects[0].reason.find("sends were dropped"), std::string::npos) << effects[0].reason;
  EXPECT_NE(effects[0].reason.find("memoryUsage"), std::string::npos);
  const auto another = connect();
  engine_->disconnect(another.id, now_);
  EXPECT_TRUE(engine_->outbox(HomeId{0}).effects.empty());
}

TEST_F(EngineLimitsTest, FailIfNoSpaceRefusesAtOnce) {
  EngineLimits limits;
  limits.memory_bytes_max = 1500;
  limits.send_fail_if_no_space = true;
  open({}, limits);
  const auto who = connect();
  Send send;
  send.persistent = false;
  send.body.assign(1000, 'x');
  EXPECT_EQ(publish(who, send).disposition, Disposition::done);
  const auto refused = publish(who, send);
  ASSERT_EQ(refused.disposition, Disposition::failed);
  EXPECT_NE(refused.error->text.find("memoryUsage"), std::string::npos);
}

TEST_F(EngineLimitsTest, AFullStoreRefusesSendsButConsumingWorks) {
  const auto who = connect();
  fill(who, 3);
  store_->set_admission(Admission::refused);
  const auto refused = publish(who, {});
  ASSERT_EQ(refused.disposition, Disposition::failed);
  EXPECT_EQ(refused.error->code, Errc::store_full);
  EXPECT_FALSE(refused.error->text.empty());
  EXPECT_EQ(drain("q").size(), 3U);
  store_->set_admission(Admission::granted);
  EXPECT_EQ(publish(who, {}).disposition, Disposition::done);
}

TEST_F(EngineLimitsTest, PoisonWithoutRoomForTheDeadLetterChangesNothing) {
  const auto who = connect();
  const auto subscription = subscribe(who, {});
  fill(who, 1);
  const auto got = deliveries();
  store_->set_admission(Admission::refused);
  EXPECT_EQ(ack(subscription, got[0], AckKind::poisoned).error->code, Errc::store_full);
  EXPECT_EQ(view("queue://q").depth, 1U);
  EXPECT_EQ(ack(subscription, got[0]).disposition, Disposition::done);
}

TEST_F(EngineLimitsTest, ExpiredMessagesWithoutRoomForTheDeadLetterWait) {
  const auto who = connect();
  Send send;
  send.expiration = to_millis(now_) + 1;
  publish(who, send);
  send.expiration = 0;
  send.body = "alive";
  publish(who, send);
  now_ += milliseconds(5);
  store_->set_admission(Admission::refused);
  EXPECT_EQ(bodies(drain("q")), std::vector<std::string>{"alive"});
  EXPECT_EQ(view("queue://q").depth, 1U);
  store_->set_admission(Admission::granted);
  engine_->space_changed(now_);
  run();
  EXPECT_EQ(view("queue://q").depth, 0U);
  EXPECT_EQ(drain("ActiveMQ.DLQ").size(), 1U);
}

/// A store at its limit that holds nothing but expired messages must not stay so for ever.
TEST_F(EngineLimitsTest, AStoreFullOfExpiredMessagesCanBeEmptied) {
  const auto who = connect();
  Send send;
  send.expiration = to_millis(now_) + 1;
  for (int i = 0; i < 5; ++i) publish(who, send);
  run();
  store_->set_bytes_max(store_->status().bytes_live);
  ASSERT_EQ(publish(connect(), send).disposition, Disposition::parked);
  now_ += milliseconds(5);
  EXPECT_TRUE(drain("q").empty());
  EXPECT_EQ(drain("ActiveMQ.DLQ").size(), 5U);
  EXPECT_TRUE(drain("q").empty());  // now the sixth found room, and had expired as well
  EXPECT_EQ(drain("ActiveMQ.DLQ").size(), 1U);
  EXPECT_EQ(store_->status().bytes_live, 0U);
}

// Goal: storeUsage pauses whoever sends, and says why, until consumers made room.
TEST_F(EngineLimitsTest, AStoreAtItsLimitParksSendsUntilThereIsRoom) {
  const auto producer = connect("producer");
  fill(producer, 5);
  run();
  store_->set_bytes_max(store_->status().bytes_live);
  Send send;
  send.body = "6";
  ASSERT_EQ(publish(producer, send, std::nullopt, 7).disposition, Disposition::parked);
  EXPECT_TRUE(replies().empty());
  const auto blocked = engine_->blocked_producers(10);
  ASSERT_EQ(blocked.size(), 1U);
  EXPECT_NE(blocked[0].reason.find("store full"), std::string::npos) << blocked[0].reason;
  EXPECT_NE(blocked[0].reason.find("storeUsage"), std::string::npos) << blocked[0].reason;
  EXPECT_EQ(bodies(drain("q")), numbers(1, 6));
  const auto got = replies();
  ASSERT_EQ(got.size(), 1U);
  EXPECT_EQ(got[0].token, 7U);
  EXPECT_EQ(got[0].outcome.disposition, Disposition::done);
  EXPECT_TRUE(engine_->blocked_producers(10).empty());
}

TEST_F(EngineLimitsTest, AStoreAtItsLimitRefusesWhereThatIsAskedFor) {
  EngineLimits limits;
  limits.send_fail_if_no_space = true;
  open({}, limits);
  const auto producer = connect();
  fill(producer, 5);
  run();
  store_->set_bytes_max(store_->status().bytes_live);
  const auto outcome = publish(producer, {});
  ASSERT_EQ(outcome.disposition, Disposition::failed);
  EXPECT_EQ(outcome.error->code, Errc::store_full);
}

// What can never find room does not wait for it.
TEST_F(EngineLimitsTest, WhatIsLargerThanTheStoreMayBeIsRefused) {
  const auto producer = connect();
  store_->set_bytes_max(2000);
  Send large;
  large.body.assign(3000, 'x');
  const auto outcome = publish(producer, large);
  ASSERT_EQ(outcome.disposition, Disposition::failed);
  EXPECT_EQ(outcome.error->code, Errc::store_full);
}

// Goal: an expired message that waits for room is neither read back a second time nor lost.
TEST_F(EngineLimitsTest, ExpiredWithoutRoomIsSweptOnce) {
  EngineLimits limits;
  limits.window_bytes_max = 1;
  limits.list_window_bytes_max = 100'000;
  open({}, limits);
  const auto who = connect();
  engine_->tick(now_);
  Send send;
  send.expiration = to_millis(now_) + 1;
  for (int i = 1; i <= 3; ++i) {
    send.body = std::to_string(i);
    publish(who, send);
  }
  store_->set_admission(Admission::refused);
  now_ += milliseconds(60'000);
  engine_->tick(now_);
  run();
  const auto consumer = connect();
  subscribe(consumer, {});
  EXPECT_TRUE(deliveries().empty());
  EXPECT_EQ(view("queue://q").depth, 3U);
  store_->set_admission(Admission::granted);
  engine_->space_changed(now_);
  run();
  EXPECT_EQ(view("queue://q").depth, 0U);
  EXPECT_EQ(bodies(drain("ActiveMQ.DLQ")), numbers(1, 3));
  run();
  EXPECT_EQ(engine_->snapshot().bytes_held, 0U);
}

TEST_F(EngineLimitsTest, ExpiredWithoutRoomOfATemporaryQueueGoesWithIt) {
  const auto who = connect();
  const auto temporary = engine_->create_temporary(who.id, DestinationKind::temporary_queue);
  Send send;
  send.kind = temporary->kind;
  send.name = temporary->name;
  send.expiration = to_millis(now_) + 1;
  publish(who, send);
  now_ += milliseconds(5);
  store_->set_admission(Admission::refused);
  Sub sub;
  sub.kind = temporary->kind;
  sub.name = temporary->name;
  subscribe(who, sub);
  EXPECT_TRUE(deliveries().empty());
  engine_->disconnect(who.id, now_);
  store_->set_admission(Admission::granted);
  engine_->space_changed(now_);
  run();
  EXPECT_EQ(engine_->snapshot().bytes_held, 0U);
}

// Goal: a backlog that expired while the disk is full is bounded in memory and in steps.
TEST_F(EngineLimitsTest, ABacklogOfExpiredMessagesWithoutRoomIsBounded) {
  EngineLimits limits;
  limits.steps_per_entry_max = 100;
  limits.list_window_bytes_max = 10'000;
  open({}, limits);
  const auto who = connect();
  Send send;
  send.expiration = to_millis(now_) + 1;
  for (int i = 0; i < 5000; ++i) publish(who, send);
  now_ += milliseconds(5);
  store_->set_admission(Admission::refused);
  subscribe(who, {});
  EXPECT_TRUE(deliveries().empty());
  EXPECT_EQ(view("queue://q").depth, 5000U);
  EXPECT_EQ(view("queue://q").waiting, WaitReason::no_room_for_dead_letter);
  EXPECT_LT(engine_->snapshot().bytes_held, 2000 * message(who, send)->footprint());
  store_->set_admission(Admission::granted);
  engine_->space_changed(now_);
  EXPECT_TRUE(deliveries().empty());
  EXPECT_EQ(view("queue://q").depth, 0U);
  EXPECT_EQ(engine_->snapshot().bytes_held, 0U);
  EXPECT_LE(engine_->snapshot().steps_longest_entry, 100U);
}

TEST_F(EngineLimitsTest, SendsThatMustWaitForRoomKeepTheirOrderAndTheirCommit) {
  const auto who = connect();
  const auto transaction = *engine_->begin(who.id);
  store_->set_admission(Admission::later);
  Send send;
  send.body = "1";
  EXPECT_EQ(publish(who, send, transaction, 1).disposition, Disposition::parked);
  EXPECT_EQ(engine_->commit(transaction, 2, now_).disposition, Disposition::parked);
  send.body = "2";
  EXPECT_EQ(publish(who, send, std::nullopt, 3).disposition, Disposition::parked);
  EXPECT_TRUE(replies().empty());
  store_->set_admission(Admission::granted);
  engine_->space_changed(now_);
  const auto got = replies();
  ASSERT_EQ(got.size(), 3U);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(got[i].token, i + 1);
    EXPECT_EQ(got[i].outcome.disposition, Disposition::done);
  }
  EXPECT_EQ(bodies(drain("q")), numbers(1, 2));
}

TEST_F(EngineLimitsTest, RollbackForgetsItsParkedSends) {
  const auto who = connect();
  const auto transaction = *engine_->begin(who.id);
  store_->set_admission(Admission::later);
  publish(who, {}, transaction, 1);
  engine_->rollback(transaction, now_);
  store_->set_admission(Admission::granted);
  engine_->space_changed(now_);
  EXPECT_EQ(replies().size(), 1U);
  EXPECT_EQ(drain("q").size(), 0U);
}

TEST_F(EngineLimitsTest, ACommitRefusedWhileParkedTakesNobodyWithIt) {
  const auto owner = connect();
  const auto who = connect();
  Send to_temporary;
  const auto temporary = engine_->create_temporary(owner.id, DestinationKind::temporary_queue);
  to_temporary.kind = temporary->kind;
  to_temporary.name = temporary->name;
  const auto transaction = *engine_->begin(who.id);
  ASSERT_EQ(publish(who, to_temporary, transaction).disposition, Disposition::done);
  store_->set_admission(Admission::later);
  EXPECT_EQ(publish(who, {}, std::nullopt, 1).disposition, Disposition::parked);
  EXPECT_EQ(engine_->commit(transaction, 2, now_).disposition, Disposition::parked);
  EXPECT_EQ(publish(who, {}, std::nullopt, 3).disposition, Disposition::parked);
  EXPECT_EQ(publish(who, {}, std::nullopt, 4).disposition, Disposition::parked);
  engine_->disconnect(owner.id, now_);
  store_->set_admission(Admission::granted);
  engine_->space_changed(now_);
  const auto got = replies();
  ASSERT_EQ(got.size(), 4U);
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(got[i].token, i + 1);
    EXPECT_EQ(got[i].outcome.disposition, i == 1 ? Disposition::failed : Disposition::done);
  }
  EXPECT_EQ(drain("q").size(), 3U);
  EXPECT_EQ(engine_->snapshot().bytes_held, 0U);
}

TEST_F(EngineLimitsTest, ARolledBackParkedCommitIsNotReportedAsDone) {
  const auto who = connect();
  const auto transaction = *engine_->begin(who.id);
  store_->set_admission(Admission::later);
  publish(who, {}, transaction, 1);
  ASSERT_EQ(engine_->commit(transaction, 2, now_).disposition, Disposition::parked);
  engine_->rollback(transaction, now_);
  const auto got = replies();
  ASSERT_EQ(got.size(), 2U);
  EXPECT_EQ(got[0].outcome.disposition, Disposition::done);
  EXPECT_EQ(got[1].outcome.disposition, Disposition::failed);
}

TEST_F(EngineLimitsTest, ARollbackThatEmptiesTheParkLetsReadingGoOn) {
  EngineLimits limits;
  limits.parked_bytes_max = 1000;
  open({}, limits);
  const auto who = connect();
  const auto transaction = *engine_->begin(who.id);
  store_->set_admission(Admission::later);
  Send send;
  send.body.assign(2000, 'x');
  publish(who, send, transaction);
  EXPECT_EQ(orders(*engine_), std::vector{ConnectionOrder::pause_reading});
  engine_->rollback(transaction, now_);
  run();
  EXPECT_EQ(orders(*engine_), std::vector{ConnectionOrder::resume_reading});
}

TEST_F(EngineLimitsTest, ATransactionThatLostAParkedSendIsNotCommitted) {
  EngineLimits limits;
  limits.transaction_bytes_max = 3000;
  open({}, limits);
  const auto who = connect();
  const auto transaction = *engine_->begin(who.id);
  store_->set_admission(Admission::later);
  Send send;
  publish(who, send, transaction, 1);
  send.body.assign(4000, 'x');
  EXPECT_EQ(publish(who, send, transaction, 2).disposition, Disposition::parked);
  EXPECT_EQ(engine_->commit(transaction, 3, now_).disposition, Disposition::parked);
  store_->set_admission(Admission::granted);
  engine_->space_changed(now_);
  const auto got = replies();
  ASSERT_EQ(got.size(), 3U);
  EXPECT_EQ(got[0].outcome.disposition, Disposition::done);
  EXPECT_EQ(got[1].outcome.disposition, Disposition::failed);
  EXPECT_EQ(got[2].outcome.disposition, Disposition::failed);
  EXPECT_EQ(engine_->snapshot().transactions, 0U);
  EXPECT_EQ(drain("q").size(), 0U);
}

/// Goal: with too few steps in an entry for all that is parked, nobody is forgotten. Method: one
/// step at a time; the connection in front has no room, the one behind it has, a dozen times.
TEST_F(EngineLimitsTest, AConnectionThatRunsOutOfStepsKeepsItsTurn) {
  EngineLimits limits;
  limits.memory_bytes_max = 10'000;
  limits.steps_per_entry_max = 1;
  open({}, limits);
  const auto publish_bytes = [&](const ConnectionDetails& from, const std::string& name,
                                 std::size_t bytes) {
    Send send;
    send.name = name;
    send.persistent = false;
    send.body = std::string(bytes, 'x');
    return publish(from, send).disposition;
  };
  const auto who = connect();
  const auto large = connect();
  const auto small = connect();
  ASSERT_EQ(publish_bytes(who, "stays", 2500), Disposition::done);
  ASSERT_EQ(publish_bytes(who, "goes", 7000), Disposition::done);
  ASSERT_EQ(publish_bytes(large, "large", 9000), Disposition::parked);
  for (int i = 0; i < 12; ++i) {
    ASSERT_EQ(publish_bytes(small, "small", 400), Disposition::parked);
  }
  run();
  EXPECT_EQ(drain("goes").size(), 1U);
  run();
  EXPECT_EQ(view("queue://small").depth, 12U);
  EXPECT_EQ(engine_->snapshot().connections_parked, 1U);
}

TEST_F(EngineLimitsTest, AnAcknowledgedTopicMessageMakesRoomForTheNext) {
  EngineLimits limits;
  limits.memory_bytes_max = 1500;
  open({}, limits);
  const auto who = connect();
  const auto consumer = connect();
  Sub sub;
  sub.kind = DestinationKind::topic;
  sub.name = "t";
  const auto subscription = subscribe(consumer, sub);
  Send send;
  send.kind = DestinationKind::topic;
  send.name = "t";
  send.persistent = false;
  send.body.assign(1000, 'x');
  publish(who, send);
  const auto got = deliveries();
  ASSERT_EQ(got.size(), 1U);
  EXPECT_EQ(publish(who, send).disposition, Disposition::parked);
  EXPECT_TRUE(deliveries().empty());
  ack(subscription, got[0]);
  EXPECT_EQ(deliveries().size(), 1U);
}

TEST_F(EngineLimitsTest, PoisonOfARangeWithoutRoomForAllOfItChangesNothing) {
  const auto who = connect();
  Sub sub;
  sub.prefetch = 3;
  const auto subscription = subscribe(who, sub);
  fill(who, 4);
  const auto got = deliveries();
  ASSERT_EQ(got.size(), 3U);
  store_->set_admission(Admission::refused, 2);
  const auto refused = engine_->acknowledge(subscription, {got[0].id, got[2].id}, AckKind::poisoned,
                                            "", std::nullopt, now_);
  ASSERT_EQ(refused.disposition, Disposition::failed);
  EXPECT_EQ(refused.error->code, Errc::store_full);
  EXPECT_EQ(view("queue://q").depth, 4U);
  store_->set_admission(Admission::granted);
  EXPECT_EQ(engine_
                ->acknowledge(subscription, {got[0].id, got[2].id}, AckKind::poisoned, "",
                              std::nullopt, now_)
                .disposition,
            Disposition::done);
  EXPECT_EQ(bodies(deliveries()), numbers(4, 4));
  EXPECT_EQ(bodies(drain("ActiveMQ.DLQ")), numbers(1, 3));
}

TEST_F(EngineLimitsTest, AcknowledgingARangeOverTheTransactionLimitChangesNothing) {
  EngineLimits limits;
  limits.transaction_operations_max = 2;
  open({}, limits);
  const auto who = connect();
  Sub sub;
  sub.prefetch = 3;
  const auto subscription = subscribe(who, sub);
  fill(who, 4);
  const auto got = deliveries();
  const auto transaction = *engine_->begin(who.id);
  const auto refused = engine_->acknowledge(subscription, {got[0].id, got[2].id}, AckKind::consumed,
                                            "", transaction, now_);
  EXPECT_EQ(refused.error->code, Errc::quota_exceeded);
  engine_->commit(transaction, 0, now_);
  EXPECT_EQ(view("queue://q").depth, 4U);
  EXPECT_EQ(ack(subscription, got[0]).disposition, Disposition::done);
  EXPECT_EQ(bodies(deliveries()), numbers(4, 4));
}

// Goal: more parked connections than steps, and no room for any of them, is not work without end.
TEST_F(EngineLimitsTest, ParkedConnectionsWithoutRoomComeToRest) {
  EngineLimits limits;
  limits.steps_per_entry_max = 3;
  open({}, limits);
  store_->set_admission(Admission::later);
  std::vector<ConnectionDetails> clients;
  for (int i = 0; i < 10; ++i) {
    clients.push_back(connect());
    EXPECT_EQ(publish(clients.back(), {}).disposition, Disposition::parked);
  }
  engine_->space_changed(now_);
  run();
  store_->set_admission(Admission::granted);
  engine_->space_changed(now_);
  run();
  EXPECT_EQ(view("queue://q").depth, 10U);
}

TEST_F(EngineLimitsTest, ASocketThatIsFullHoldsItsConsumerOnly) {
  EngineLimits limits;
  limits.unwritten_bytes_max = 3000;
  open({}, limits);
  const auto stuck = connect();
  const auto healthy = connect();
  Sub sub;
  sub.mode = AckMode::automatic;
  subscribe(stuck, sub);
  const auto good = subscribe(healthy, sub);
  Send send;
  send.body.assign(1000, 'x');
  std::size_t to_good = 0;
  for (int i = 0; i < 50; ++i) {
    publish(stuck, send);
    for (const auto& delivery : deliveries()) {
      if (delivery.subscription != good) continue;
      ++to_good;
      engine_->written(healthy.id, delivery.number, now_);
    }
  }
  EXPECT_GE(to_good, 46U);
}

TEST_F(EngineLimitsTest, ATopicSubscriptionTooFarBehindHoldsItsTopicsProducers) {
  EngineLimits limits;
  limits.topic_pending_bytes_max = 3000;
  open({}, limits);
  const auto who = connect();
  const auto slow = connect();
  Sub sub;
  sub.kind = DestinationKind::topic;
  sub.name = "t";
  sub.prefetch = 1;
  const auto subscription = subscribe(slow, sub);
  Send send;
  send.kind = DestinationKind::topic;
  send.name = "t";
  send.body.assign(1000, 'x');
  int sent = 0;
  while (publish(who, send).disposition == Disposition::done) ASSERT_LT(++sent, 20);
  const auto other = connect();
  Send elsewhere;
  EXPECT_EQ(publish(other, elsewhere).disposition, Disposition::done);
  int got_all = 0;
  for (;;) {
    const auto got = deliveries();
    if (got.empty()) break;
    for (const auto& delivery : got) ack(subscription, delivery);
    got_all += static_cast<int>(got.size());
  }
  EXPECT_EQ(got_all, sent + 1);
}

TEST_F(EngineLimitsTest, CountsOfConnectionsSubscriptionsAndDestinationsEnd) {
  EngineLimits limits;
  limits.connections_max = 1;
  limits.subscriptions_per_connection_max = 1;
  limits.destinations_max = 2;
  open({}, limits);
  const auto who = connect();
  EXPECT_EQ(engine_->connect({}).error().code, Errc::quota_exceeded);
  subscribe(who, {});
  EXPECT_EQ(try_subscribe(who, {}).error().code, Errc::quota_exceeded);
  fill(who, 1, "second");
  Send send;
  send.name = "third";
  EXPECT_EQ(publish(who, send).error->code, Errc::quota_exceeded);
}

TEST_F(EngineLimitsTest, NoEntryTakesMoreStepsThanAllowed) {
  EngineLimits limits;
  limits.steps_per_entry_max = 100;
  open({}, limits);
  const auto who = connect();
  fill(who, 1000);
  Sub sub;
  sub.prefetch = 5000;
  subscribe(who, sub);
  EXPECT_TRUE(engine_->run(now_));
  EXPECT_LE(engine_->outbox(HomeId{}).deliveries.size(), 100U);
  EXPECT_EQ(deliveries().size(), 1000U);
  EXPECT_LE(engine_->snapshot().steps_longest_entry, 100U);
}

}  // namespace
}  // namespace pabal::core
