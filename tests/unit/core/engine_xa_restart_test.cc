#include "tests/unit/core/xa_fixture.h"

// Prepared branches over the end of the process, at every point of their life.

namespace pabal::core {
namespace {

class EngineXaRestartTest : public XaFixture {
 protected:
  void SetUp() override {
    store::MemoryStoreOptions options;
    options.manual_durability = true;
    open(options);
  }
  void sync() { store_->make_durable(store_->submitted()); }
  /// Everything moves until nothing does, with syncs.
  std::vector<Delivery> settle() {
    std::vector<Delivery> all;
    for (int idle = 0; idle < 80; ++idle) {
      sync();
      for (auto& delivery : deliveries()) {
        all.push_back(std::move(delivery));
        idle = 0;
      }
    }
    return all;
  }
  /// Branch 1 is prepared, durably: it acknowledged the messages of `queue` whose bodies are
  /// `numbers` and sent "sent" to "r".
  void prepare_with(const std::vector<std::string>& numbers, const std::string& queue = "q",
                    const std::string& selector = "") {
    const auto who = connect();
    Sub sub;
    sub.name = queue;
    sub.selector = selector;
    const auto subscription = subscribe(who, sub);
    const auto got = settle();
    const auto work = start(who);
    for (const auto& delivery : got) {
      if (std::find(numbers.begin(), numbers.end(), delivery.message->body()) != numbers.end()) {
        EXPECT_EQ(ack(subscription, delivery, AckKind::consumed, work).disposition,
                  Disposition::done);
      }
    }
    send_in(who, work, "r", "sent");
    end(who);
    EXPECT_EQ(prepare(who).xa, XaCode::ok);
    sync();
  }
  /// What a consumer of `queue` gets now; it leaves them where they are.
  std::vector<Delivery> look(const std::string& queue = "q", const std::string& selector = "") {
    const auto who = connect();
    Sub sub;
    sub.name = queue;
    sub.selector = selector;
    subscribe(who, sub);
    auto got = settle();
    engine_->disconnect(who.id, now_);
    settle();
    return got;
  }
  std::vector<Delivery> consume(const std::string& queue) {
    const auto who = connect();
    Sub sub;
    sub.name = queue;
    const auto subscription = subscribe(who, sub);
    auto got = settle();
    for (const auto& delivery : got) ack(subscription, delivery);
    engine_->disconnect(who.id, now_);
    settle();
    return got;
  }
};

// A record as versions of Pabal before the second wrote it: without producers and places.
TEST_F(EngineXaRestartTest, ARecordOfTheFirstVersionIsRead) {
  fill(connect(), 5);
  prepare_with({"2", "3"});
  auto state = store_->recovered();
  const auto record = std::find_if(state.attachments.begin(), state.attachments.end(),
                                   [](const auto& each) { return each.first.starts_with("xa/"); });
  ASSERT_NE(record, state.attachments.end());
  std::string& bytes = record->second;
  ASSERT_EQ(bytes[0], 2);
  // No producers; one place: the queue (0) "r", once.
  const std::string tail{"\0\1\0\1r\1", 6};
  ASSERT_TRUE(bytes.ends_with(tail));
  bytes.erase(bytes.size() - tail.size());
  bytes[0] = 1;
  StoreOp operation;
  operation.kind = StoreOpKind::put_attachment;
  operation.detail = std::make_unique<StoreOpDetail>();
  operation.detail->key = record->first;
  operation.detail->value = bytes;
  store_->append({&operation, 1});
  sync();
  restart();
  EXPECT_EQ(states(), "prepared");
  EXPECT_EQ(bodies(look()), (std::vector<std::string>{"1", "4", "5"})) << "it holds the others";
  const auto who = connect();
  EXPECT_EQ(commit(who).xa, XaCode::ok);
  EXPECT_EQ(bodies(consume("q")), (std::vector<std::string>{"1", "4", "5"}));
  EXPECT_EQ(bodies(consume("r")), std::vector<std::string>{"sent"});
  restart();
  EXPECT_EQ(states(), "");
}

TEST_F(EngineXaRestartTest, APreparedBranchIsThereWithItsLocks) {
  fill(connect(), 5);
  prepare_with({"1", "3", "5"});
  for (int round = 0; round < 5; ++round) {
    restart();
    EXPECT_EQ(states(), "prepared");
    EXPECT_EQ(view("queue://q").depth, 5U);
    EXPECT_EQ(view("queue://q").in_flight, 3U);
    EXPECT_EQ(bodies(look()), (std::vector<std::string>{"2", "4"}));
    EXPECT_EQ(view("queue://q").in_flight, 3U);
  }
  const auto views = engine_->branches(nullptr, 10, true);
  EXPECT_EQ(views[0].acknowledgements, 3U);
  EXPECT_EQ(views[0].sends, 1U);
  EXPECT_EQ(views[0].remote, "tcp://test");
}

TEST_F(EngineXaRestartTest, CommitAfterARestart) {
  fill(connect(), 3);
  prepare_with({"1", "2"});
  restart();
  const auto manager = connect();
  EXPECT_EQ(commit(manager, false, 9).disposition, Disposition::parked) << "it is read back";
  settle();
  const auto answers = replies();
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_EQ(answers[0].token, 9U);
  EXPECT_EQ(answers[0].outcome.disposition, Disposition::done);
  EXPECT_EQ(states(), "");
  EXPECT_EQ(view("queue://q").depth, 1U);
  EXPECT_EQ(view("queue://q").depth_bytes, message(manager, {})->flat().size());
  EXPECT_EQ(view("queue://q").in_flight, 0U);
  restart();
  EXPECT_EQ(states(), "");
  EXPECT_EQ(bodies(consume("r")), std::vector<std::string>{"sent"});
  EXPECT_EQ(bodies(consume("q")), numbers(3, 3));
  EXPECT_EQ(engine_->snapshot().bytes_held, 0U);
}

/// Goal: the numbers that a producer's sends had in a branch count when it commits, over restarts
/// between; and not when it rolls back.
TEST_F(EngineXaRestartTest, NumbersOfItsSendsOutliveARestart) {
  const auto send = [&](const ConnectionDetails& from, std::uint64_t number,
                        std::optional<TransactionId> work) {
    SendOptions options;
    options.transaction = work;
    options.identity = std::make_shared<const ProducerSequence>(ProducerSequence{"p", number});
    Send one;
    one.name = "numbered";
    one.body = std::to_string(number);
    EXPECT_EQ(engine_->publish(from.id, message(from, one), options, now_).disposition,
              Disposition::done);
  };
  for (const bool commits : {true, false}) {
    SetUp();
    auto who = connect();
    const auto work = start(who);
    for (const std::uint64_t number : {1, 2, 3}) send(who, number, work);
    end(who);
    ASSERT_EQ(prepare(who).disposition, Disposition::done);
    sync();
    restart();
    settle();
    restart();
    who = connect();
    if (commits) {
      (void)commit(who);
    } else {
      ASSERT_EQ(rollback(who).disposition, Disposition::done);
    }
    settle();
    ASSERT_EQ(states(), "");
    for (const std::uint64_t number : {2, 3, 4}) send(who, number, std::nullopt);
    EXPECT_EQ(bodies(consume("numbered")), commits ? numbers(1, 4) : numbers(2, 4));
    EXPECT_EQ(engine_->snapshot().totals.duplicates, commits ? 2U : 0U);
  }
}

TEST_F(EngineXaRestartTest, RollbackAfterARestart) {
  fill(connect(), 4);
  prepare_with({"1", "4"});
  restart();
  const auto consumer = connect();
  const auto subscription = subscribe(consumer, {});
  EXPECT_EQ(bodies(settle()), (std::vector<std::string>{"2", "3"}));
  EXPECT_EQ(rollback(connect()).disposition, Disposition::done);
  const auto back = settle();
  ASSERT_EQ(bodies(back), (std::vector<std::string>{"1", "4"}));
  EXPECT_EQ(back[0].deliveries, 1U);
  EXPECT_TRUE(back[0].redelivered);
  for (const auto& delivery : back) ack(subscription, delivery);
  settle();
  EXPECT_EQ(view("queue://q").depth, 2U);
  restart();
  EXPECT_EQ(bodies(look()), (std::vector<std::string>{"2", "3"}));
  EXPECT_TRUE(look("r").empty());
}

TEST_F(EngineXaRestartTest, AVoteThatIsNotDurableIsForgottenAsAWhole) {
  fill(connect(), 2);
  const auto who = connect();
  const auto subscription = subscribe(who, {});
  const auto got = settle();
  const auto work = start(who);
  ack(subscription, got[0], AckKind::consumed, work);
  send_in(who, work, "r", "sent");
  end(who);
  EXPECT_EQ(prepare(who).xa, XaCode::ok);
  restart();
  EXPECT_EQ(states(), "");
  EXPECT_EQ(bodies(look()), numbers(1, 2));
  EXPECT_EQ(engine_->snapshot().queues, 1U);
}

TEST_F(EngineXaRestartTest, ACommitThatIsNotDurableIsForgottenAsAWhole) {
  fill(connect(), 2);
  prepare_with({"1"});
  const auto consumer = connect();
  Sub sub;
  sub.name = "r";
  subscribe(consumer, sub);
  EXPECT_EQ(commit(connect()).disposition, Disposition::done);
  EXPECT_TRUE(deliveries().empty()) << "not before it is durable";
  restart();
  EXPECT_EQ(states(), "prepared");
  EXPECT_TRUE(look("r").empty());
  EXPECT_EQ(bodies(look()), numbers(2, 2));
}

TEST_F(EngineXaRestartTest, NobodySeesWhatARollbackLetGoBeforeItIsDurable) {
  fill(connect(), 2);
  prepare_with({"1"});
  restart();
  const auto consumer = connect();
  subscribe(consumer, {});
  settle();
  EXPECT_EQ(rollback(connect()).disposition, Disposition::done);
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(deliveries().empty());
  restart();
  EXPECT_EQ(states(), "prepared");
  EXPECT_EQ(bodies(look()), numbers(2, 2));
}

// The same, of one whose consumer had it and left: it is in memory then.
TEST_F(EngineXaRestartTest, NobodySeesWhatItsConsumerLeftBeforeTheRollbackIsDurable) {
  fill(connect(), 1);
  const auto who = connect();
  const auto subscription = subscribe(who, {});
  const auto got = settle();
  ASSERT_EQ(got.size(), 1U);
  const auto work = start(who);
  ack(subscription, got[0], AckKind::consumed, work);
  end(who);
  prepare(who);
  sync();
  const auto other = connect();
  subscribe(other, {});
  rollback(other);
  engine_->disconnect(who.id, now_);
  EXPECT_TRUE(deliveries().empty());
  EXPECT_EQ(settle().size(), 1U);
}

TEST_F(EngineXaRestartTest, LocksAboveTheFirstSelectorsScanHold) {
  const auto who = connect();
  for (int i = 1; i <= 8; ++i) {
    Send send;
    send.body = std::to_string(i);
    send.color = i % 2 == 0 ? "red" : "blue";
    publish(who, send);
  }
  sync();
  prepare_with({"2", "6"}, "q", "color = 'red'");
  restart();
  EXPECT_EQ(bodies(look("q", "color = 'red'")), (std::vector<std::string>{"4", "8"}));
  // With both kinds of consumers at once, so that the front passes what the other must not find.
  const auto all = connect();
  const auto red = connect();
  Sub sub;
  sub.selector = "color = 'red'";
  sub.prefetch = 1;
  subscribe(red, sub);
  subscribe(all, {});
  auto got = bodies(settle());
  std::sort(got.begin(), got.end());
  EXPECT_EQ(got, (std::vector<std::string>{"1", "3", "4", "5", "7", "8"}));
  EXPECT_EQ(rollback(connect()).disposition, Disposition::done);
  got = bodies(settle());
  std::sort(got.begin(), got.end());
  EXPECT_EQ(got, (std::vector<std::string>{"2", "6"}));
  engine_->disconnect(red.id, now_);
  engine_->disconnect(all.id, now_);
  EXPECT_EQ(look("q", "color = 'red'").size(), 4U);
  EXPECT_EQ(look().size(), 8U) << "each of them once";
}

TEST_F(EngineXaRestartTest, LocksOfAllPrioritiesHold) {
  const auto who = connect();
  for (int i = 0; i < 10; ++i) {
    for (const char* body : {"keep", "lock"}) {
      Send send;
      send.body = body;
      send.priority = static_cast<std::uint8_t>(i);
      publish(who, send);
    }
  }
  sync();
  prepare_with({"lock"});
  restart();
  const auto got = look();
  EXPECT_EQ(got.size(), 10U);
  for (const auto& delivery : got) EXPECT_EQ(delivery.message->body(), "keep");
  rollback(connect());
  settle();
  EXPECT_EQ(look().size(), 20U);
}

TEST_F(EngineXaRestartTest, LocksOfADurableSubscriptionHold) {
  auto office = connect("office");
  Sub sub;
  sub.kind = DestinationKind::topic;
  sub.name = "t";
  sub.durable = "d";
  auto subscription = subscribe(office, sub);
  for (int i = 1; i <= 4; ++i) {
    Send send;
    send.kind = DestinationKind::topic;
    send.name = "t";
    send.body = std::to_string(i);
    publish(office, send);
  }
  auto got = settle();
  const auto work = start(office);
  ack(subscription, got[0], AckKind::consumed, work);
  ack(subscription, got[2], AckKind::consumed, work);
  end(office);
  prepare(office);
  sync();
  restart();
  EXPECT_EQ(engine_->delete_durable("office", "d", now_).error().code, Errc::in_use);
  office = connect("office");
  subscription = subscribe(office, sub);
  got = settle();
  EXPECT_EQ(bodies(got), (std::vector<std::string>{"2", "4"}));
  // They come back while it is away; its reading begins again below them.
  engine_->disconnect(office.id, now_);
  rollback(connect());
  settle();
  office = connect("office");
  subscription = subscribe(office, sub);
  got = settle();
  auto all = bodies(got);
  std::sort(all.begin(), all.end());
  EXPECT_EQ(all, numbers(1, 4));
  for (const auto& delivery : got) ack(subscription, delivery);
  settle();
  EXPECT_EQ(engine_->durable_subscriptions(1)[0].depth, 0U);
  restart();
  EXPECT_EQ(engine_->durable_subscriptions(1)[0].depth, 0U);
}

TEST_F(EngineXaRestartTest, CommitOfADurableSubscriptionsAcknowledgements) {
  auto office = connect("office");
  Sub sub;
  sub.kind = DestinationKind::topic;
  sub.name = "t";
  sub.durable = "d";
  const auto subscription = subscribe(office, sub);
  Send send;
  send.kind = DestinationKind::topic;
  send.name = "t";
  publish(office, send);
  const auto got = settle();
  const auto work = start(office);
  ack(subscription, got[0], AckKind::consumed, work);
  end(office);
  prepare(office);
  sync();
  restart();
  EXPECT_EQ(commit(connect()).disposition, Disposition::done) << "nothing has to be read for it";
  sync();
  EXPECT_EQ(engine_->durable_subscriptions(1)[0].depth, 0U);
  restart();
  EXPECT_EQ(engine_->durable_subscriptions(1)[0].depth, 0U);
}

TEST_F(EngineXaRestartTest, AMessageThatWasPoisonDiesWithTheCommit) {
  fill(connect(), 3);
  const auto who = connect();
  const auto subscription = subscribe(who, {});
  const auto got = settle();
  const auto work = start(who);
  engine_->acknowledge(subscription, {got[0].id, got[0].id}, AckKind::poisoned, "bad", work, now_);
  ack(subscription, got[1], AckKind::requeued, work);
  ack(subscription, got[2], AckKind::consumed, work);
  end(who);
  prepare(who);
  sync();
  restart();
  EXPECT_TRUE(look().empty());
  EXPECT_EQ(commit(connect()).disposition, Disposition::parked);
  settle();
  EXPECT_EQ(states(), "");
  const auto dead = consume("ActiveMQ.DLQ");
  ASSERT_EQ(bodies(dead), numbers(1, 1));
  EXPECT_EQ(dead[0].message->property("dlqDeliveryFailureCause")->text, "bad");
  const auto again = consume("q");
  ASSERT_EQ(bodies(again), numbers(2, 2));
  EXPECT_EQ(again[0].deliveries, 1U);
  EXPECT_EQ(engine_->snapshot().bytes_held, 0U);
  restart();
  EXPECT_TRUE(look().empty());
}

TEST_F(EngineXaRestartTest, ARollbackAfterACommitThatHadNoRoomReturnsEachOnce) {
  fill(connect(), 1);
  const auto who = connect();
  const auto subscription = subscribe(who, {});
  const auto got = settle();
  const auto work = start(who);
  ack(subscription, got[0], AckKind::poisoned, work);
  send_in(who, work, "r", "sent");
  end(who);
  prepare(who);
  sync();
  restart();
  const auto manager = connect();
  store_->set_admission(Admission::refused);
  EXPECT_EQ(commit(manager, false, 3).disposition, Disposition::parked);
  settle();
  const auto answers = replies();
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_EQ(answers[0].outcome.xa, XaCode::unavailable);
  EXPECT_EQ(states(), "prepared");
  store_->set_admission(Admission::granted);
  EXPECT_EQ(rollback(manager).disposition, Disposition::done);
  settle();
  EXPECT_EQ(bodies(consume("q")), numbers(1, 1));
  EXPECT_TRUE(look("r").empty());
  EXPECT_EQ(engine_->snapshot().bytes_held, 0U);
}

TEST_F(EngineXaRestartTest, WhatIsNotPersistentIsGoneAndTheRestIsInOrder) {
  const auto who = connect();
  const auto work = start(who);
  for (int i = 1; i <= 6; ++i) send_in(who, work, "q", std::to_string(i), i % 2 == 0);
  end(who);
  prepare(who);
  sync();
  restart();
  (void)commit(connect());
  settle();
  EXPECT_EQ(bodies(consume("q")), (std::vector<std::string>{"2", "4", "6"}));
}

TEST_F(EngineXaRestartTest, HeuristicsAreRememberedUntilForgotten) {
  prepare_with({});
  EXPECT_EQ(engine_->xa_complete_by_hand(xid(), true, now_).disposition, Disposition::done);
  sync();
  restart();
  EXPECT_EQ(states(), "heuristically committed");
  EXPECT_EQ(commit(connect()).xa, XaCode::heuristically_committed);
  EXPECT_EQ(bodies(consume("r")), std::vector<std::string>{"sent"});
  EXPECT_EQ(engine_->xa_forget(xid(), now_).disposition, Disposition::done);
  sync();
  restart();
  EXPECT_EQ(states(), "");

  prepare_with({});
  restart();
  EXPECT_EQ(engine_->xa_complete_by_hand(xid(), false, now_).disposition, Disposition::done);
  restart();
  EXPECT_EQ(states(), "prepared") << "that was not durable";
  EXPECT_EQ(engine_->xa_complete_by_hand(xid(), true, now_).disposition, Disposition::parked);
  settle();
  EXPECT_EQ(states(), "heuristically committed");
  EXPECT_EQ(bodies(consume("r")), std::vector<std::string>{"sent"});
}

TEST_F(EngineXaRestartTest, ManyBranchesComeBackByName) {
  const auto who = connect();
  for (int number = 1; number <= 30; ++number) {
    const auto work = start(who, number);
    send_in(who, work, "q", std::to_string(number));
    end(who, number);
    EXPECT_EQ(prepare(who, 0, number).xa, XaCode::ok);
  }
  sync();
  restart();
  EXPECT_EQ(engine_->snapshot().branches_prepared, 30U);
  const auto manager = connect();
  for (int number = 1; number <= 30; ++number) {
    if (number % 2 == 0) {
      EXPECT_EQ(rollback(manager, number).disposition, Disposition::done);
    } else {
      EXPECT_EQ(commit(manager, false, 0, number).disposition, Disposition::parked);
    }
  }
  settle();
  EXPECT_EQ(states(), "");
  EXPECT_EQ(consume("q").size(), 15U);
  // What was written while the first ones lived does not get in the way of the next.
  prepare_with({});
  restart();
  EXPECT_EQ(states(), "prepared");
}

// One of the largest that may be: every second message of 60,000, so that no two are neighbours.
TEST_F(EngineXaRestartTest, ALargeRecordIsReadBackWhole) {
  constexpr int kCount = 60'000;
  store::MemoryStoreOptions options;
  options.manual_durability = true;
  EngineLimits limits;
  limits.unwritten_bytes_max = 1ULL << 30;
  open(options, limits);
  fill(connect(), kCount);
  const auto who = connect();
  Sub sub;
  sub.prefetch = kCount;
  const auto subscription = subscribe(who, sub);
  const auto got = settle();
  ASSERT_EQ(got.size(), static_cast<std::size_t>(kCount));
  const auto work = start(who);
  for (std::size_t i = 0; i < got.size(); i += 2) {
    ack(subscription, got[i], AckKind::consumed, work);
  }
  end(who);
  prepare(who);
  sync();
  restart();
  EXPECT_EQ(view("queue://q").in_flight, kCount / 2U);
  const auto consumer = connect();
  const auto second = subscribe(consumer, sub);
  const auto rest = settle();
  EXPECT_EQ(rest.size(), kCount / 2U);
  for (const auto& delivery : rest) ack(second, delivery);
  EXPECT_EQ(rollback(connect()).disposition, Disposition::done);
  const auto back = settle();
  EXPECT_EQ(back.size(), kCount / 2U);
  for (const auto& delivery : back) ack(second, delivery);
  EXPECT_EQ(view("queue://q").depth, 0U);
  EXPECT_EQ(engine_->snapshot().bytes_held, 0U);
}

TEST_F(EngineXaRestartTest, ARollbackThatIsNotDurableHoldsUpNoOtherPriority) {
  const auto who = connect();
  const auto subscription = subscribe(who, {});
  for (const std::uint8_t priority : {9, 8}) {
    Send send;
    send.priority = priority;
    send.body = std::to_string(priority);
    send.persistent = priority == 9;
    ASSERT_EQ(publish(who, send).disposition, Disposition::done);
  }
  const auto got = settle();
  ASSERT_EQ(bodies(got), (std::vector<std::string>{"9", "8"}));
  const auto work = start(who);
  ack(subscription, got[0], AckKind::consumed, work);
  end(who);
  prepare(who);
  sync();
  EXPECT_EQ(rollback(who).disposition, Disposition::done);  // not durable yet: 9 is out again
  ASSERT_TRUE(engine_->unsubscribe(subscription, now_));    // both come back
  Send last;
  last.priority = 6;
  last.persistent = false;
  ASSERT_EQ(publish(who, last).disposition, Disposition::done);
  (void)subscribe(who, {});
  const auto first = deliveries();
  ASSERT_FALSE(first.empty());
  EXPECT_EQ(first.front().message->body(), "8");
}

}  // namespace
}  // namespace pabal::core
