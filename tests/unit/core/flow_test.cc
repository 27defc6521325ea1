#include "tests/unit/core/engine_fixture.h"

// Limits of single destinations, and who waits there.

namespace pabal::core {
namespace {

class FlowTest : public EngineFixture {
 protected:
  /// Queues (or topics) named `pattern` get this policy.
  void limit(DestinationKind kind, const std::string& pattern, DestinationPolicy policy) {
    settings_.policies.add({{kind, pattern}, std::make_shared<const DestinationPolicy>(policy)});
    engine_->configure(settings_, now_);
  }
  void limit_store(const std::string& pattern, std::uint64_t bytes) {
    DestinationPolicy policy;
    policy.store_limit = bytes;
    limit(DestinationKind::queue, pattern, policy);
  }
  void limit_memory(const std::string& pattern, std::uint64_t bytes) {
    DestinationPolicy policy;
    policy.memory_limit = bytes;
    limit(DestinationKind::queue, pattern, policy);
  }
  Outcome send_kilobyte(const ConnectionDetails& from, const std::string& name,
                        bool persistent = true, ReplyToken token = 1) {
    Send send;
    send.name = name;
    send.persistent = persistent;
    send.body.assign(1000, 'x');
    return publish(from, send, std::nullopt, token);
  }
  /// Until one is parked; how many were done.
  int fill_up(const ConnectionDetails& from, const std::string& name, bool persistent = true) {
    for (int done = 0; done < 1000; ++done) {
      if (send_kilobyte(from, name, persistent).disposition != Disposition::done) return done;
    }
    ADD_FAILURE() << "nothing limits " << name;
    return 0;
  }
  std::vector<std::string> warnings() {
    std::vector<std::string> texts;
    for (const auto& effect : engine_->outbox(HomeId{}).effects) {
      if (effect.order == ConnectionOrder::warn) texts.push_back(effect.reason);
    }
    engine_->outbox(HomeId{}).effects.clear();
    return texts;
  }

  EngineSettings settings_;
};

TEST_F(FlowTest, AQueueOverItsStoreLimitHoldsUpItsProducersOnly) {
  limit_store("a", 4000);
  const auto one = connect("one");
  const auto other = connect("other");
  const int done = fill_up(one, "a");
  EXPECT_GE(done, 3);
  EXPECT_LE(done, 4);
  EXPECT_EQ(send_kilobyte(other, "b").disposition, Disposition::done);
  EXPECT_EQ(send_kilobyte(other, "a").disposition, Disposition::parked);

  const auto blocked = engine_->blocked_producers(10);
  ASSERT_EQ(blocked.size(), 2U);
  EXPECT_EQ(blocked[0].client_id, "one");
  EXPECT_EQ(blocked[0].destination.to_text(), "queue://a");
  EXPECT_EQ(blocked[0].since, now_);
  EXPECT_EQ(blocked[0].sends, 1U);
  EXPECT_NE(blocked[0].reason.find("pabalStoreLimit of queue://a"), std::string::npos);
  EXPECT_EQ(view("queue://a").producers_blocked, 2U);
  EXPECT_EQ(view("queue://a").store_limit, 4000U);
  EXPECT_EQ(engine_->snapshot().connections_parked, 2U);
  EXPECT_TRUE(replies().empty());

  EXPECT_EQ(drain("a").size(), static_cast<std::size_t>(done) + 2);
  EXPECT_EQ(replies().size(), 2U);
  EXPECT_TRUE(engine_->blocked_producers(10).empty());
  EXPECT_EQ(view("queue://a").producers_blocked, 0U);
  EXPECT_EQ(engine_->snapshot().connections_parked, 0U);
}

TEST_F(FlowTest, MemoryOfOneQueueIsWhatIsVolatileOrOut) {
  limit_memory("a", 5000);
  const auto producer = connect();
  const int done = fill_up(producer, "a", false);
  EXPECT_GE(done, 3);
  EXPECT_LE(done, 5);
  EXPECT_GE(view("queue://a").held_bytes, 5000U);
  EXPECT_EQ(view("queue://a").memory_limit, 5000U);
  EXPECT_EQ(drain("a").size(), static_cast<std::size_t>(done) + 1);
  EXPECT_EQ(view("queue://a").held_bytes, 0U);
  EXPECT_EQ(replies().size(), 1U);
}

/// A dead consumer that has all that it may have unacknowledged: stored messages cost memory then.
TEST_F(FlowTest, WhatADeadConsumerHoldsCountsUntilItIsAcknowledged) {
  limit_memory("q", 5000);
  const auto producer = connect();
  const auto consumer = connect();
  const auto subscription = subscribe(consumer, {});
  std::vector<Delivery> out;
  int done = 0;
  for (; done < 100; ++done) {
    const auto outcome = send_kilobyte(producer, "q");
    for (auto& delivery : deliveries()) out.push_back(std::move(delivery));
    if (outcome.disposition == Disposition::parked) break;
  }
  EXPECT_LE(done, 5);
  EXPECT_EQ(out.size(), static_cast<std::size_t>(done));
  engine_->outbox(HomeId{}).replies.clear();
  ack(subscription, out.front());
  EXPECT_EQ(replies().size(), 1U);
  for (std::size_t i = 1; i < out.size(); ++i) ack(subscription, out[i]);
  for (const auto& delivery : deliveries()) ack(subscription, delivery);
  EXPECT_EQ(view("queue://q").held_bytes, 0U);
}

TEST_F(FlowTest, WhatComesBackIsNotOut) {
  limit_memory("q", 5000);
  const auto producer = connect();
  const auto consumer = connect();
  const auto subscription = subscribe(consumer, {});
  send_kilobyte(producer, "q");
  const auto first = deliveries();
  ASSERT_EQ(first.size(), 1U);
  EXPECT_GT(view("queue://q").held_bytes, 1000U);
  ack(subscription, first[0], AckKind::requeued);
  const auto again = deliveries();
  ASSERT_EQ(again.size(), 1U);
  engine_->disconnect(consumer.id, now_);
  run();
  EXPECT_EQ(view("queue://q").held_bytes, 0U);
  EXPECT_EQ(drain("q").size(), 1U);
  EXPECT_EQ(view("queue://q").held_bytes, 0U);
}

TEST_F(FlowTest, AcknowledgementsOfAConnectionThatWaitsAreTaken) {
  limit_store("a", 2000);
  const auto who = connect();
  Sub sub;
  sub.name = "a";
  const auto subscription = subscribe(who, sub);
  fill_up(who, "a");
  const auto out = deliveries();
  ASSERT_FALSE(out.empty());
  engine_->outbox(HomeId{}).replies.clear();
  EXPECT_EQ(ack(subscription, out[0]).disposition, Disposition::done);
  EXPECT_EQ(replies().size(), 1U);
}

TEST_F(FlowTest, WithoutFlowControlNobodyIsHeldUp) {
  DestinationPolicy policy;
  policy.memory_limit = 1000;
  policy.store_limit = 1000;
  policy.producer_flow_control = false;
  limit(DestinationKind::queue, "a", policy);
  const auto producer = connect();
  for (int i = 0; i < 50; ++i) {
    ASSERT_EQ(send_kilobyte(producer, "a", i % 2 == 0).disposition, Disposition::done);
  }
}

TEST_F(FlowTest, AMessageLargerThanTheLimitIsSentWhenNothingElseIsThere) {
  limit_store("a", 10);
  const auto producer = connect();
  EXPECT_EQ(send_kilobyte(producer, "a").disposition, Disposition::done);
  EXPECT_EQ(send_kilobyte(producer, "a").disposition, Disposition::parked);
  EXPECT_EQ(drain("a").size(), 2U);
}

TEST_F(FlowTest, APolicyRefusesInsteadOfWaiting) {
  DestinationPolicy policy;
  policy.store_limit = 2000;
  policy.send_fail_if_no_space = true;
  limit(DestinationKind::queue, "a", policy);
  const auto producer = connect();
  Outcome last;
  for (int i = 0; i < 5 && last.disposition == Disposition::done; ++i) {
    last = send_kilobyte(producer, "a");
  }
  ASSERT_EQ(last.disposition, Disposition::failed);
  EXPECT_EQ(last.error->code, Errc::quota_exceeded);
  EXPECT_NE(last.error->text.find("pabalStoreLimit of queue://a"), std::string::npos);
}

TEST_F(FlowTest, ASendThatWaitsForTooLongFails) {
  DestinationPolicy policy;
  policy.store_limit = 2000;
  policy.send_fail_after = milliseconds(500);
  limit(DestinationKind::queue, "a", policy);
  policy.send_fail_after = milliseconds(-1);
  limit(DestinationKind::queue, "b", policy);
  settings_.send_fail_after = milliseconds(2000);
  engine_->configure(settings_, now_);
  const auto one = connect();
  const auto other = connect();
  fill_up(one, "a");
  fill_up(other, "b");
  advance(milliseconds(200));
  EXPECT_EQ(send_kilobyte(one, "a", true, 2).disposition, Disposition::parked);
  EXPECT_EQ(send_kilobyte(one, "free", true, 3).disposition, Disposition::parked);  // its order
  advance(milliseconds(299));
  EXPECT_TRUE(replies().empty());
  advance(milliseconds(1));
  auto failed = replies();
  ASSERT_EQ(failed.size(), 1U);
  EXPECT_EQ(failed[0].token, 1U);
  EXPECT_EQ(failed[0].outcome.disposition, Disposition::failed);
  EXPECT_NE(failed[0].outcome.error->text.find("no room for 500 ms"), std::string::npos);
  advance(milliseconds(200));
  failed = replies();
  ASSERT_EQ(failed.size(), 2U);
  EXPECT_EQ(failed[0].outcome.disposition, Disposition::failed);
  EXPECT_EQ(failed[1].token, 3U);
  EXPECT_EQ(failed[1].outcome.disposition, Disposition::done) << "the next one has room";
  advance(milliseconds(1300));
  failed = replies();
  ASSERT_EQ(failed.size(), 1U);
  EXPECT_NE(failed[0].outcome.error->text.find("no room for 2000 ms"), std::string::npos);
  EXPECT_TRUE(engine_->blocked_producers(10).empty());
}

/// Goal: what a change costs does not grow with those that wait. Method: 2,000 connections wait at
/// one queue; no entry into the engine takes more than a few steps while one message leaves.
TEST_F(FlowTest, AChangeCostsWhatItAdmitsNotWhatWaits) {
  limit_store("a", 4000);
  std::vector<ConnectionDetails> producers;
  fill_up(producers.emplace_back(connect()), "a");
  for (int i = 0; i < 2000; ++i) {
    ASSERT_EQ(send_kilobyte(producers.emplace_back(connect()), "a").disposition,
              Disposition::parked);
  }
  run();
  const auto consumer = connect();
  Sub sub;
  sub.name = "a";
  sub.prefetch = 1;
  const auto subscription = subscribe(consumer, sub);
  for (int i = 0; i < 100; ++i) {
    const auto got = deliveries();
    ASSERT_EQ(got.size(), 1U);
    engine_->written(consumer.id, last_number_, now_);
    ack(subscription, got[0]);
  }
  run();
  EXPECT_EQ(engine_->outbox(HomeId{}).replies.size(), 100U);
  EXPECT_LT(engine_->snapshot().steps_longest_entry, 20U);
  EXPECT_EQ(engine_->snapshot().connections_parked, 2001U - 100U);
}

/// One producer with a long line of sends and one with a single send wait at the same queue.
TEST_F(FlowTest, WhoNeverStopsDoesNotKeepOthersOut) {
  EngineLimits limits;
  limits.parked_bytes_max = 1'000'000;
  open({}, limits);
  limit_store("a", 4000);
  const auto endless = connect();
  fill_up(endless, "a");
  for (int i = 0; i < 100; ++i) send_kilobyte(endless, "a");
  const auto modest = connect();
  ASSERT_EQ(send_kilobyte(modest, "a", true, 77).disposition, Disposition::parked);
  const auto consumer = connect();
  Sub sub;
  sub.name = "a";
  sub.prefetch = 1;
  const auto subscription = subscribe(consumer, sub);
  int consumed = 0;
  bool answered = false;
  while (!answered && consumed < 50) {
    for (const auto& delivery : deliveries()) {
      engine_->written(consumer.id, delivery.number, now_);
      ack(subscription, delivery);
      ++consumed;
    }
    for (const auto& reply : replies()) answered = answered || reply.token == 77;
  }
  EXPECT_TRUE(answered);
  EXPECT_LE(consumed, 4);
}

TEST_F(FlowTest, WhoLeavesDoesNotKeepItsTurn) {
  limit_store("a", 2000);
  const auto first = connect();
  fill_up(first, "a");
  const auto second = connect();
  ASSERT_EQ(send_kilobyte(second, "a").disposition, Disposition::parked);
  engine_->disconnect(first.id, now_);
  const auto waiting = drain("a");
  EXPECT_EQ(replies().size(), 1U);
  EXPECT_TRUE(engine_->blocked_producers(10).empty());
  EXPECT_EQ(engine_->snapshot().connections_parked, 0U);
}

TEST_F(FlowTest, ARollbackTakesWhatWaitsWithIt) {
  limit_store("a", 2000);
  const auto who = connect();
  fill_up(connect(), "a");
  const auto transaction = *engine_->begin(who.id);
  Send send;
  send.name = "a";
  ASSERT_EQ(publish(who, send, transaction, 5).disposition, Disposition::parked);
  ASSERT_EQ(send_kilobyte(who, "free", true, 6).disposition, Disposition::parked);
  (void)engine_->rollback(transaction, now_);
  const auto answered = replies();
  ASSERT_EQ(answered.size(), 2U);
  EXPECT_EQ(answered[1].token, 6U);
  EXPECT_EQ(answered[1].outcome.disposition, Disposition::done);
}

TEST_F(FlowTest, ANewConfigurationAppliesToThoseThatWait) {
  limit_store("a", 2000);
  const auto producer = connect();
  fill_up(producer, "a");
  EXPECT_TRUE(replies().empty());
  limit_store("a", 1'000'000);
  EXPECT_EQ(replies().size(), 1U);
  limit_store("a", 1);
  EXPECT_EQ(send_kilobyte(producer, "a").disposition, Disposition::parked);
  engine_->configure({}, now_);
  EXPECT_EQ(replies().size(), 1U);
}

TEST_F(FlowTest, TheLogHearsOfAProducerThatWaits) {
  DestinationPolicy policy;
  policy.store_limit = 2000;
  policy.blocked_warning = milliseconds(30'000);
  limit(DestinationKind::queue, "a", policy);
  fill_up(connect(), "a");
  advance(milliseconds(29'999));
  EXPECT_TRUE(warnings().empty());
  advance(milliseconds(1));
  const auto texts = warnings();
  ASSERT_EQ(texts.size(), 1U);
  EXPECT_NE(texts[0].find("30000 ms"), std::string::npos) << texts[0];
  EXPECT_NE(texts[0].find("queue://a"), std::string::npos) << texts[0];
  advance(milliseconds(60'000));
  EXPECT_EQ(warnings().size(), 2U);
}

TEST_F(FlowTest, ATopicOverItsLimitHoldsUpItsProducers) {
  DestinationPolicy policy;
  policy.memory_limit = 4000;
  limit(DestinationKind::topic, "t", policy);
  const auto producer = connect();
  const auto consumer = connect();
  Sub sub;
  sub.kind = DestinationKind::topic;
  sub.name = "t";
  sub.prefetch = 1;
  const auto subscription = subscribe(consumer, sub);
  Send send;
  send.kind = DestinationKind::topic;
  send.name = "t";
  send.body.assign(1000, 'x');
  int done = 0;
  while (done < 100 && publish(producer, send, std::nullopt, 1).disposition == Disposition::done) {
    ++done;
  }
  EXPECT_LE(done, 6);
  ASSERT_EQ(engine_->blocked_producers(10).size(), 1U);
  EXPECT_EQ(engine_->blocked_producers(10)[0].destination.to_text(), "topic://t");
  int received = 0;
  for (int i = 0; i < 20; ++i) {
    for (const auto& delivery : deliveries()) {
      engine_->written(consumer.id, delivery.number, now_);
      ack(subscription, delivery);
      ++received;
    }
  }
  EXPECT_EQ(received, done + 1);
  EXPECT_EQ(replies().size(), 1U);
}

TEST_F(FlowTest, ACompositeSendWaitsForTheOneThatIsFull) {
  limit_store("a", 2000);
  const auto filler = connect();
  fill_up(filler, "a");
  const auto producer = connect();
  SendOptions options;
  options.token = 9;
  options.targets = std::make_shared<const std::vector<Destination>>(
      std::vector<Destination>{{DestinationKind::queue, "free"}, {DestinationKind::queue, "a"}});
  EXPECT_EQ(engine_->publish(producer.id, message(producer, {}), options, now_).disposition,
            Disposition::parked);
  EXPECT_EQ(view("queue://free").depth, 0U) << "all or none";
  drain("a");
  EXPECT_EQ(view("queue://free").depth, 1U);
}

// Whether and how long a send waits is the word of the destination that is full, by whichever way
// the send got there.
TEST_F(FlowTest, TheDestinationThatIsFullSaysWhetherASendWaits) {
  DestinationPolicy refuses;
  refuses.memory_limit = 3000;
  refuses.send_fail_if_no_space = true;
  limit(DestinationKind::queue, "Consumer.A.>", refuses);
  DestinationPolicy waits_a_second;
  waits_a_second.memory_limit = 3000;
  waits_a_second.send_fail_after = milliseconds(1000);
  limit(DestinationKind::queue, "Consumer.B.>", waits_a_second);
  const auto send_all = [&](const std::string& topic) {
    const auto producer = connect();
    Outcome outcome;
    for (int i = 0; i < 10 && outcome.disposition == Disposition::done; ++i) {
      Send send;
      send.kind = DestinationKind::topic;
      send.name = topic;
      send.persistent = false;
      send.body.assign(1000, 'x');
      outcome = publish(producer, send, std::nullopt, 7);
    }
    return outcome;
  };
  const auto who = connect();
  subscribe(who, {.name = "Consumer.A.VirtualTopic.a"});
  subscribe(who, {.name = "Consumer.B.VirtualTopic.b"});
  EXPECT_EQ(send_all("VirtualTopic.a").disposition, Disposition::failed);
  EXPECT_EQ(send_all("VirtualTopic.b").disposition, Disposition::parked);
  advance(milliseconds(999));
  EXPECT_TRUE(replies().empty());
  advance(milliseconds(1));
  const auto late = replies();
  ASSERT_EQ(late.size(), 1U);
  EXPECT_EQ(late[0].outcome.disposition, Disposition::failed);
}

}  // namespace
}  // namespace pabal::core
