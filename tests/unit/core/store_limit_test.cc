#include "tests/unit/core/xa_fixture.h"

// storeUsage: who waits there, who must not, and who comes first when there is room again.

namespace pabal::core {
namespace {

class StoreLimitTest : public XaFixture {
 protected:
  /// A limit that takes so many messages of a kilobyte (see send()).
  void open_for(std::uint64_t messages, EngineLimits limits = {}) {
    open({}, limits);
    const auto who = connect();
    size_ = message(who, kilobyte("q"))->flat().size();
    engine_->disconnect(who.id, now_);
    store_->set_bytes_max(messages * size_ + size_ / 2);
  }
  static Send kilobyte(const std::string& name) {
    Send send;
    send.name = name;
    send.body.assign(1000, 'x');
    return send;
  }
  Outcome send(const ConnectionDetails& from, const std::string& name = "q",
               std::optional<TransactionId> transaction = std::nullopt, ReplyToken token = 1) {
    return publish(from, kilobyte(name), transaction, token);
  }
  Disposition sent(const ConnectionDetails& from, const std::string& name = "q") {
    return send(from, name).disposition;
  }
  /// The queue takes messages until the store takes no more.
  int fill_store(const std::string& name = "q") {
    const auto who = connect();
    int count = 0;
    while (sent(who, name) == Disposition::done) ++count;
    engine_->disconnect(who.id, now_);
    run();
    return count;
  }
  /// One message of a queue, consumed.
  void take_one(const std::string& name = "q") {
    const auto who = connect();
    const auto subscription = subscribe(who, {.name = name, .prefetch = 1});
    const auto got = deliveries();
    ASSERT_EQ(got.size(), 1U);
    ASSERT_EQ(ack(subscription, got[0]).disposition, Disposition::done);
    engine_->disconnect(who.id, now_);
    run();
  }
  std::uint64_t depth(const std::string& name) { return view("queue://" + name).depth; }
  std::size_t waiting() { return engine_->blocked_producers(1000).size(); }

  std::uint64_t size_ = 0;
};

// --- transactions --------------------------------------------------------------------------------

// Goal: a transaction does not wait for room that only its own end would give back.
TEST_F(StoreLimitTest, ATransactionThatIsLargerThanTheLimitFailsAndSaysWhy) {
  open_for(5);
  const auto who = connect();
  const auto transaction = *engine_->begin(who.id);
  for (int i = 0; i < 5; ++i) {
    ASSERT_EQ(send(who, "q", transaction).disposition, Disposition::done);
  }
  const auto refused = send(who, "q", transaction);
  ASSERT_EQ(refused.disposition, Disposition::failed);
  EXPECT_EQ(refused.error->code, Errc::store_full);
  for (const std::string& said :
       {std::string("storeUsage"), std::string("open transactions have"), std::to_string(size_)}) {
    EXPECT_NE(refused.error->text.find(said), std::string::npos) << refused.error->text;
  }
  engine_->rollback(transaction, now_);
  EXPECT_EQ(fill_store(), 5) << "what was set aside is there again";
}

// Goal: it waits behind what is stored, and fails when that has gone and would not have been
// enough.
TEST_F(StoreLimitTest, ATransactionThatWaitedInVainCannotBeCommitted) {
  open_for(5);
  ASSERT_EQ(fill_store(), 5);
  const auto who = connect();
  const auto transaction = *engine_->begin(who.id);
  for (ReplyToken token = 1; token <= 6; ++token) {
    ASSERT_EQ(send(who, "other", transaction, token).disposition, Disposition::parked);
  }
  ASSERT_EQ(engine_->commit(transaction, 7, now_).disposition, Disposition::parked);
  EXPECT_EQ(drain("q").size(), 5U);
  const auto got = replies();
  ASSERT_EQ(got.size(), 7U);
  for (std::size_t i = 0; i < 5; ++i) EXPECT_EQ(got[i].outcome.disposition, Disposition::done);
  for (std::size_t i = 5; i < 7; ++i) {
    ASSERT_EQ(got[i].outcome.disposition, Disposition::failed);
    EXPECT_EQ(got[i].outcome.error->code, Errc::store_full);
  }
  EXPECT_EQ(engine_->commit(transaction, 8, now_).error->code, Errc::not_found) << "it has ended";
  EXPECT_EQ(view("queue://other").depth, 0U);
  EXPECT_EQ(fill_store("other"), 5);
}

// Goal: two that have each set aside what the other one wants do not wait for each other.
TEST_F(StoreLimitTest, TwoTransactionsDoNotWaitForEachOther) {
  open_for(6);
  const auto one = connect();
  const auto two = connect();
  const auto first = *engine_->begin(one.id);
  const auto second = *engine_->begin(two.id);
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(send(one, "q", first).disposition, Disposition::done);
    ASSERT_EQ(send(two, "q", second).disposition, Disposition::done);
  }
  EXPECT_EQ(send(one, "q", first).disposition, Disposition::failed);
  engine_->rollback(first, now_);
  EXPECT_EQ(send(two, "q", second).disposition, Disposition::done);
  EXPECT_EQ(engine_->commit(second, 2, now_).disposition, Disposition::done);
  EXPECT_EQ(depth("q"), 4U);
}

// Whoever has nothing set aside waits for a transaction as for anything else.
TEST_F(StoreLimitTest, ASendWaitsForWhatATransactionHasSetAside) {
  open_for(3);
  const auto holder = connect();
  const auto transaction = *engine_->begin(holder.id);
  for (int i = 0; i < 3; ++i) send(holder, "q", transaction);
  const auto who = connect();
  ASSERT_EQ(sent(who), Disposition::parked);
  engine_->rollback(transaction, now_);
  ASSERT_EQ(replies().size(), 1U);
  EXPECT_EQ(depth("q"), 1U);
}

// Goal: whoever passes on what fills a store does not wait for himself, in whatever order he sends
// and acknowledges.
TEST_F(StoreLimitTest, WhatATransactionAcknowledgesMakesRoomForWhatItSends) {
  for (const bool ack_first : {true, false}) {
    SCOPED_TRACE(ack_first ? "acknowledges, sends" : "sends, acknowledges");
    open_for(4);
    ASSERT_EQ(fill_store(), 4);
    const auto who = connect();
    const auto subscription = subscribe(who, {.prefetch = 10});
    for (const auto& delivery : deliveries()) {
      const auto transaction = *engine_->begin(who.id);
      if (ack_first) ack(subscription, delivery, AckKind::consumed, transaction);
      const auto outcome = send(who, "next", transaction, 1);
      EXPECT_EQ(outcome.disposition, ack_first ? Disposition::done : Disposition::parked);
      if (!ack_first) ack(subscription, delivery, AckKind::consumed, transaction);
      const auto committed = engine_->commit(transaction, 2, now_);
      const auto got = replies();
      if (committed.disposition == Disposition::parked) {
        ASSERT_EQ(got.size(), 2U);
        EXPECT_EQ(got[1].outcome.disposition, Disposition::done);
      } else {
        EXPECT_EQ(committed.disposition, Disposition::done);
      }
    }
    EXPECT_EQ(depth("q"), 0U);
    EXPECT_EQ(depth("next"), 4U);
    EXPECT_LT(store_->status().bytes_live, 4 * size_ + 100);
    // More than it acknowledged waits, as any.
    const auto transaction = *engine_->begin(who.id);
    EXPECT_EQ(send(who, "next", transaction).disposition, Disposition::parked);
    engine_->rollback(transaction, now_);
  }
}

// Goal: whose own acknowledgement made the room is asked, although a smaller send that waits longer
// found none: nobody else may ever make any.
TEST_F(StoreLimitTest, ItDoesSoHoweverManyOthersWait) {
  open_for(4);
  ASSERT_EQ(fill_store(), 4);
  const auto who = connect();
  const auto subscription = subscribe(who, {.prefetch = 10});
  const auto held = deliveries();
  ASSERT_EQ(held.size(), 4U);
  const auto other = connect();
  ASSERT_EQ(sent(other, "o"), Disposition::parked);
  const auto transaction = *engine_->begin(who.id);
  ASSERT_EQ(send(who, "next", transaction).disposition, Disposition::parked);
  ack(subscription, held[0], AckKind::consumed, transaction);
  ASSERT_EQ(engine_->commit(transaction, 2, now_).disposition, Disposition::parked);
  run();
  const auto told = replies();
  ASSERT_EQ(told.size(), 2U) << "its send and its commit";
  for (const auto& each : told) EXPECT_EQ(each.outcome.disposition, Disposition::done);
  EXPECT_EQ(depth("next"), 1U);
  EXPECT_EQ(depth("o"), 0U);
}

// Non-persistent messages leave no room in the store, and a refused one stays or moves.
TEST_F(StoreLimitTest, OnlyWhatLeavesTheStoreMakesRoomForATransaction) {
  open_for(4);
  ASSERT_EQ(fill_store(), 4);
  const auto who = connect();
  Send light = kilobyte("light");
  light.persistent = false;
  ASSERT_EQ(publish(who, light).disposition, Disposition::done);
  const auto from_memory = subscribe(who, {.name = "light"});
  const auto got = deliveries();
  ASSERT_EQ(got.size(), 1U);
  const auto first = *engine_->begin(who.id);
  ack(from_memory, got[0], AckKind::consumed, first);
  EXPECT_EQ(send(who, "next", first).disposition, Disposition::parked);
  engine_->rollback(first, now_);
  const auto subscription = subscribe(who, {.prefetch = 1});
  const auto stored = deliveries();
  ASSERT_EQ(stored.size(), 1U);
  const auto second = *engine_->begin(who.id);
  ack(subscription, stored[0], AckKind::poisoned, second);
  EXPECT_EQ(send(who, "next", second).disposition, Disposition::parked);
}

// Goal: a commit that needs more than its sends did, because durable subscriptions to patterns came
// meanwhile, waits for room as a send does.
TEST_F(StoreLimitTest, ACommitThatNeedsMoreThanItsSendsDidWaits) {
  open_for(4);
  ASSERT_EQ(fill_store(), 4);
  take_one();
  const auto who = connect();
  const auto transaction = *engine_->begin(who.id);
  using Targets = std::vector<Destination>;
  const SendOptions options{
      transaction, 0,
      std::make_shared<const Targets>(
          Targets{{DestinationKind::topic, "one.a"}, {DestinationKind::topic, "two.a"}})};
  ASSERT_EQ(engine_->publish(who.id, message(who, kilobyte("both")), options, now_).disposition,
            Disposition::done);
  const auto reader = connect("reader");
  for (const char* pattern : {"one.*", "two.*"}) {
    subscribe(reader, {.kind = DestinationKind::topic, .name = pattern, .durable = pattern});
  }
  ASSERT_EQ(engine_->commit(transaction, 2, now_).disposition, Disposition::parked);
  const auto blocked = engine_->blocked_producers(10);
  ASSERT_EQ(blocked.size(), 1U);
  EXPECT_NE(blocked[0].reason.find("storeUsage"), std::string::npos) << blocked[0].reason;
  take_one();
  const auto got = replies();
  ASSERT_EQ(got.size(), 1U);
  EXPECT_EQ(got[0].outcome.disposition, Disposition::done);
}

// --- XA ------------------------------------------------------------------------------------------

// Goal: a branch that acknowledges can be prepared and committed in a full store: it makes room.
TEST_F(StoreLimitTest, ABranchThatOnlyAcknowledgesIsNotHeldUp) {
  open_for(4);
  ASSERT_EQ(fill_store(), 4);
  const auto who = connect();
  const auto subscription = subscribe(who, {});
  const auto got = deliveries();
  const auto work = start(who);
  for (const auto& delivery : got) ack(subscription, delivery, AckKind::consumed, work);
  end(who);
  const auto other = connect();
  ASSERT_EQ(sent(other, "next"), Disposition::parked);
  ASSERT_EQ(prepare(who, 1).disposition, Disposition::done);
  ASSERT_EQ(commit(who).disposition, Disposition::done);
  run();
  EXPECT_EQ(waiting(), 0U);
  EXPECT_EQ(depth("next"), 1U);
}

TEST_F(StoreLimitTest, ABranchThatSetAsideWhatItSendsIsPreparedInAFullStore) {
  open_for(4);
  const auto who = connect();
  const auto work = start(who);
  send_in(who, work, "next", std::string(1000, 'x'));
  end(who);
  EXPECT_EQ(fill_store(), 3);
  EXPECT_EQ(prepare(who, 1).disposition, Disposition::done);
  restart();
  const auto again = connect();
  EXPECT_EQ(sent(again), Disposition::parked);
  commit(again);
  run();
  EXPECT_EQ(depth("next"), 1U);
  EXPECT_EQ(depth("q"), 3U);
}

TEST_F(StoreLimitTest, ABranchThatIsLargerThanTheLimitVotesAgainstItself) {
  open_for(2);
  const auto who = connect();
  ASSERT_EQ(fill_store(), 2);
  const auto work = start(who);
  for (ReplyToken token = 1; token <= 3; ++token) {
    ASSERT_EQ(send(who, "next", work, token).disposition, Disposition::parked);
  }
  end(who);
  ASSERT_EQ(prepare(who, 4).disposition, Disposition::parked);
  drain("q");
  const auto got = replies();
  ASSERT_EQ(got.size(), 4U);
  EXPECT_EQ(got[3].outcome.xa, XaCode::rolled_back);
  EXPECT_EQ(got[3].outcome.error->code, Errc::store_full);
  EXPECT_EQ(states(), "");
}

// --- policies ------------------------------------------------------------------------------------

TEST_F(StoreLimitTest, APolicyRefusesAtOnceOrAfterATime) {
  open_for(2);
  EngineSettings settings;
  DestinationPolicy now;
  now.send_fail_if_no_space = true;
  DestinationPolicy later;
  later.send_fail_after = milliseconds(300);
  settings.policies.add(
      {{DestinationKind::queue, "now"}, std::make_shared<const DestinationPolicy>(now)});
  settings.policies.add(
      {{DestinationKind::queue, "later"}, std::make_shared<const DestinationPolicy>(later)});
  engine_->configure(std::move(settings), now_);
  ASSERT_EQ(fill_store(), 2);
  const auto who = connect();
  const auto refused = send(who, "now");
  ASSERT_EQ(refused.disposition, Disposition::failed);
  EXPECT_NE(refused.error->text.find("storeUsage"), std::string::npos) << refused.error->text;
  SendOptions scheduled;
  ScheduleRequest request;
  request.delay = 1000;
  scheduled.schedule = std::make_shared<const ScheduleRequest>(request);
  const auto of_the_scheduler =
      engine_->publish(who.id, message(who, kilobyte("now")), scheduled, now_);
  ASSERT_EQ(of_the_scheduler.disposition, Disposition::failed);
  EXPECT_EQ(of_the_scheduler.error->code, Errc::store_full);
  ASSERT_EQ(sent(who, "later"), Disposition::parked);
  advance(milliseconds(250));
  EXPECT_TRUE(replies().empty());
  advance(milliseconds(100));
  const auto got = replies();
  ASSERT_EQ(got.size(), 1U);
  ASSERT_EQ(got[0].outcome.disposition, Disposition::failed);
  EXPECT_NE(got[0].outcome.error->text.find("storeUsage"), std::string::npos);
}

TEST_F(StoreLimitTest, WhatIsToComeLaterWaitsAndSaysForWhat) {
  open_for(2);
  ASSERT_EQ(fill_store(), 2);
  const auto who = connect();
  SendOptions options;
  options.token = 5;
  ScheduleRequest request;
  request.delay = 1000;
  options.schedule = std::make_shared<const ScheduleRequest>(request);
  ASSERT_EQ(engine_->publish(who.id, message(who, kilobyte("q")), options, now_).disposition,
            Disposition::parked);
  const auto blocked = engine_->blocked_producers(10);
  ASSERT_EQ(blocked.size(), 1U);
  EXPECT_NE(blocked[0].reason.find("storeUsage"), std::string::npos) << blocked[0].reason;
  EXPECT_EQ(drain("q").size(), 2U);
  EXPECT_EQ(replies().size(), 1U);
  EXPECT_EQ(engine_->snapshot().scheduled, 1U);
}

// --- operators -----------------------------------------------------------------------------------

// Goal: a copy is something new and waits; what moves takes no room.
TEST_F(StoreLimitTest, ACopyWaitsForRoomAndAMoveDoesNot) {
  open_for(4);
  ASSERT_EQ(fill_store(), 4);
  QueueTaskOptions options;
  options.command = QueueCommand::copy;
  options.queue = {DestinationKind::queue, "q"};
  options.to = {DestinationKind::queue, "copy"};
  options.limit = 1;
  const auto copy = *engine_->start_task(options, now_);
  run();
  ASSERT_FALSE(engine_->task(copy)->ended());
  EXPECT_NE(engine_->task(copy)->text.find("storeUsage"), std::string::npos);
  options.command = QueueCommand::move;
  options.to.name = "moved";
  options.limit = 3;
  const auto move = *engine_->start_task(options, now_);
  run();
  ASSERT_TRUE(engine_->task(move)->ended());
  EXPECT_EQ(engine_->task(move)->affected, 3U);
  take_one("moved");
  EXPECT_TRUE(engine_->task(copy)->ended());
  EXPECT_EQ(depth("copy"), 1U);
}

// Goal: producers that never stop do not keep a copy out for ever, nor it them.
TEST_F(StoreLimitTest, ACopyHasItsTurnBesideProducersThatWait) {
  open_for(4);
  ASSERT_EQ(fill_store(), 4);
  QueueTaskOptions options;
  options.command = QueueCommand::copy;
  options.queue = {DestinationKind::queue, "q"};
  options.to = {DestinationKind::queue, "copy"};
  options.limit = 2;
  const auto copy = *engine_->start_task(options, now_);
  run();
  const auto one = connect();
  const auto two = connect();
  for (int i = 0; i < 20; ++i) {
    ASSERT_EQ(sent(one), Disposition::parked);
    ASSERT_EQ(sent(two), Disposition::parked);
  }
  for (int i = 0; i < 6; ++i) take_one();
  EXPECT_TRUE(engine_->task(copy)->ended());
  EXPECT_EQ(depth("copy"), 2U);
  EXPECT_EQ(replies().size(), 4U);
  EXPECT_EQ(depth("q"), 2U) << "the producers got the rest";
}

TEST_F(StoreLimitTest, DeletingAQueueWakesWhoWaits) {
  open_for(4);
  ASSERT_EQ(fill_store(), 4);
  const auto who = connect();
  ASSERT_EQ(sent(who, "next"), Disposition::parked);
  const auto deleted =
      engine_->delete_queue({DestinationKind::queue, "q"}, QueueDeletion::forced, now_);
  ASSERT_TRUE(deleted) << deleted.error().text;
  EXPECT_EQ(replies().size(), 1U);
}

// --- refused messages, restarts ------------------------------------------------------------------

TEST_F(StoreLimitTest, ADeadLetterNeedsNoRoom) {
  open_for(4);
  ASSERT_EQ(fill_store(), 4);
  const auto who = connect();
  const auto subscription = subscribe(who, {});
  for (const auto& delivery : deliveries()) {
    EXPECT_EQ(ack(subscription, delivery, AckKind::poisoned).disposition, Disposition::done);
  }
  EXPECT_EQ(depth("ActiveMQ.DLQ"), 4U);
}

TEST_F(StoreLimitTest, AStartOverTheLimitHoldsSendsUntilEnoughWasConsumed) {
  open_for(6);
  ASSERT_EQ(fill_store(), 6);
  store_->set_bytes_max(2 * size_ + size_ / 2);
  restart();
  const auto who = connect();
  ASSERT_EQ(sent(who, "next"), Disposition::parked);
  for (int taken = 1; taken <= 4; ++taken) {
    take_one();
    EXPECT_EQ(waiting(), 1U) << taken;
  }
  take_one();
  EXPECT_EQ(waiting(), 0U);
  EXPECT_EQ(depth("next"), 1U);
}

// --- turns ---------------------------------------------------------------------------------------

// Goal: a producer with much that waits leaves room for the others.
TEST_F(StoreLimitTest, WhoGotSomethingInGoesBehindTheOthers) {
  open_for(6);
  ASSERT_EQ(fill_store(), 6);
  const auto one = connect();
  const auto two = connect();
  const auto three = connect();
  for (const auto& [who, name] :
       {std::pair{one, "one"}, std::pair{two, "two"}, std::pair{three, "three"}}) {
    for (int i = 0; i < 3; ++i) ASSERT_EQ(sent(who, name), Disposition::parked);
  }
  for (const char* name : {"one", "two", "three", "one", "two", "three"}) {
    const auto before = engine_->destinations("", 100);
    const auto depth_of = [&](const std::vector<DestinationSnapshot>& all) {
      for (const auto& each : all) {
        if (each.destination.name == name) return each.depth;
      }
      return std::uint64_t{0};
    };
    take_one();
    EXPECT_EQ(depth_of(engine_->destinations("", 100)), depth_of(before) + 1) << name;
  }
}

// Goal: a large one does not hold up the small ones of others, and gets in when there is room.
TEST_F(StoreLimitTest, ALargeSendHoldsUpItsOwnConnectionOnly) {
  open_for(6);
  ASSERT_EQ(fill_store(), 6);
  const auto large = connect();
  const auto larger = connect();
  const auto small = connect();
  Send send = kilobyte("large");
  send.body.assign(3000, 'x');
  ASSERT_EQ(publish(large, send, std::nullopt, 1).disposition, Disposition::parked);
  send.body.assign(3200, 'x');
  ASSERT_EQ(publish(larger, send, std::nullopt, 1).disposition, Disposition::parked);
  ASSERT_EQ(sent(small, "small"), Disposition::parked);
  take_one();
  EXPECT_EQ(depth("small"), 1U);
  EXPECT_EQ(waiting(), 2U);
  for (int i = 0; i < 3; ++i) take_one();
  EXPECT_EQ(depth("large"), 1U);
  EXPECT_EQ(waiting(), 1U);
  take_one();
  take_one();
  take_one("small");
  EXPECT_EQ(waiting(), 0U);
  EXPECT_EQ(depth("large"), 2U);
}

// Goal: who waits for the store is not tried again for each message that leaves memory.
TEST_F(StoreLimitTest, MessagesInMemoryComeAndGoBesideAFullStore) {
  EngineLimits limits;
  limits.memory_bytes_max = 3000;
  open_for(4, limits);
  ASSERT_EQ(fill_store(), 4);
  const auto who = connect();
  ASSERT_EQ(sent(who, "next"), Disposition::parked);
  const auto other = connect();
  Send light = kilobyte("light");
  light.persistent = false;
  int done = 0;
  while (publish(other, light, std::nullopt, 9).disposition == Disposition::done) ++done;
  EXPECT_GE(done, 1);
  EXPECT_EQ(waiting(), 2U);
  EXPECT_EQ(drain("light").size(), static_cast<std::size_t>(done) + 1);
  EXPECT_EQ(replies().size(), 1U) << "memory was all that the other one waited for";
  EXPECT_EQ(waiting(), 1U);
}

}  // namespace
}  // namespace pabal::core
