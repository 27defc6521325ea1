// A send that names its producer and number is taken once, whatever happens in between.

#include <map>

#include "tests/unit/core/engine_fixture.h"

namespace pabal::core {
namespace {

class EngineDuplicatesTest : public EngineFixture {
 protected:
  Outcome send(const ConnectionDetails& from, const std::string& producer, std::uint64_t number,
               Send message_of = {}, std::optional<TransactionId> transaction = std::nullopt,
               ReplyToken token = 0) {
    SendOptions options;
    options.transaction = transaction;
    options.token = token;
    options.identity = std::make_shared<const ProducerSequence>(ProducerSequence{producer, number});
    if (message_of.body == "x") message_of.body = std::to_string(number);
    return engine_->publish(from.id, message(from, message_of), options, now_);
  }
  std::uint64_t duplicates() { return engine_->snapshot().totals.duplicates; }
  void open_slow() {
    store::MemoryStoreOptions options;
    options.manual_durability = true;
    open(options);
  }
};

TEST_F(EngineDuplicatesTest, TakesEachNumberOnce) {
  const auto who = connect();
  for (const std::uint64_t number : {1, 2, 2, 1, 3, 7, 5, 7}) {
    EXPECT_EQ(send(who, "p", number).disposition, Disposition::done);
  }
  EXPECT_EQ(bodies(drain("q")), (std::vector<std::string>{"1", "2", "3", "7", "5"}));
  EXPECT_EQ(duplicates(), 3U) << "5 was not taken before";
}

// Goal: no false positive, whatever a client sends behind a send that is refused.
TEST_F(EngineDuplicatesTest, WhatWasRefusedIsNewAlsoBehindLaterOnesAndARestart) {
  auto who = connect();
  const auto try_send = [&](std::uint64_t number, Admission admission) {
    store_->set_admission(admission);
    return send(who, "p", number).disposition;
  };
  EXPECT_EQ(try_send(1, Admission::refused), Disposition::failed);
  for (const std::uint64_t number : {2, 1, 1, 2, 3}) {
    EXPECT_EQ(try_send(number, Admission::granted), Disposition::done) << number;
  }
  EXPECT_EQ(bodies(drain("q")), (std::vector<std::string>{"2", "1", "3"}));
  EXPECT_EQ(try_send(4, Admission::refused), Disposition::failed);
  EXPECT_EQ(try_send(5, Admission::refused), Disposition::failed);
  EXPECT_EQ(try_send(6, Admission::refused), Disposition::failed);
  EXPECT_EQ(try_send(7, Admission::granted), Disposition::done);
  EXPECT_EQ(try_send(5, Admission::granted), Disposition::done);
  run();
  restart();
  who = connect();
  for (const std::uint64_t number : {3, 4, 5, 6, 7}) {
    EXPECT_EQ(try_send(number, Admission::granted), Disposition::done) << number;
  }
  run();
  restart();
  who = connect();
  for (const std::uint64_t number : {1, 2, 3, 4, 5, 6, 7}) try_send(number, Admission::granted);
  EXPECT_EQ(bodies(drain("q")), (std::vector<std::string>{"7", "5", "4", "6"}));
}

TEST_F(EngineDuplicatesTest, WhatWasRolledBackIsNewAlsoBehindLaterOnes) {
  const auto who = connect();
  for (const std::uint64_t first : {1, 4}) {  // of an unknown producer, and of a known one
    auto transaction = *engine_->begin(who.id);
    send(who, "p", first, {}, transaction);
    send(who, "p", first + 1, {}, transaction);
    ASSERT_EQ(engine_->rollback(transaction, now_).disposition, Disposition::done);
    send(who, "p", first + 2);
    transaction = *engine_->begin(who.id);
    send(who, "p", first, {}, transaction);
    send(who, "p", first + 1, {}, transaction);
    send(who, "p", first + 1, {}, transaction);
    ASSERT_EQ(engine_->commit(transaction, 0, now_).disposition, Disposition::done);
    send(who, "p", first);
    send(who, "p", first + 1);
  }
  EXPECT_EQ(bodies(drain("q")), (std::vector<std::string>{"3", "1", "2", "6", "4", "5"}));
}

TEST_F(EngineDuplicatesTest, RemembersFewGaps) {
  const auto who = connect();
  for (std::uint64_t number = 1000; number <= 100'000; number += 1000) send(who, "p", number);
  EXPECT_EQ(drain("q").size(), 100U);
  std::size_t taken = 0;
  for (std::uint64_t number = 1000; number <= 100'000; number += 500) {
    const auto before = duplicates();
    send(who, "p", number);
    if (duplicates() == before) ++taken;
  }
  EXPECT_EQ(taken, 8U) << "of those that were never sent; none of the others";
  run();
  restart();
  for (const auto& [key, value] : store_->recovered().attachments) EXPECT_LT(value.size(), 200U);
}

TEST_F(EngineDuplicatesTest, ProducersDoNotMixAndNeitherDoSendsWithoutIdentity) {
  const auto who = connect();
  send(who, "a", 1);
  send(who, "b", 1);
  send(who, "A", 1);
  publish(who, {});
  publish(who, {});
  EXPECT_EQ(drain("q").size(), 5U);
  EXPECT_EQ(duplicates(), 0U);
}

TEST_F(EngineDuplicatesTest, AnotherConnectionMayRepeatIt) {
  const auto one = connect();
  send(one, "p", 1);
  engine_->disconnect(one.id, now_);
  const auto two = connect();
  send(two, "p", 1);
  send(two, "p", 2, {.name = "other"});
  send(two, "p", 2);
  EXPECT_EQ(drain("q").size(), 1U);
  EXPECT_EQ(drain("other").size(), 1U) << "one count for all that a producer sends";
}

TEST_F(EngineDuplicatesTest, RefusesWhatMakesNoSense) {
  const auto who = connect();
  EXPECT_EQ(send(who, "p", 0).error->code, Errc::invalid_argument);
  EXPECT_EQ(send(who, "", 1).error->code, Errc::invalid_argument);
  EXPECT_EQ(send(who, std::string(256, 'p'), 1).error->code, Errc::invalid_argument);
  EXPECT_EQ(send(who, std::string(255, 'p'), 1).disposition, Disposition::done);
}

TEST_F(EngineDuplicatesTest, ADuplicateIsAnsweredWhenTheFirstIsDurable) {
  open_slow();
  const auto who = connect();
  const auto first = send(who, "p", 1);
  const auto again = send(who, "p", 1);
  EXPECT_EQ(again.disposition, Disposition::done);
  EXPECT_GE(again.after, first.after);
  EXPECT_GT(first.after, store_->durable());
}

TEST_F(EngineDuplicatesTest, NobodySeesItBeforeItIsDurable) {
  open_slow();
  const auto who = connect();
  subscribe(who, {});
  Sub sub;
  sub.kind = DestinationKind::topic;
  sub.name = "t";
  subscribe(who, sub);
  sub.durable = "d";
  const auto office = connect("office");
  subscribe(office, sub);
  const auto plain = publish(who, {});
  EXPECT_EQ(deliveries().size(), 1U) << "a plain one is not held up";
  const auto to_queue = send(who, "p", 1);
  const auto to_topic = send(who, "p", 2, {.kind = DestinationKind::topic, .name = "t"});
  EXPECT_TRUE(deliveries().empty());
  store_->make_durable(to_queue.after);
  store_->deliver();
  EXPECT_EQ(bodies(deliveries()), numbers(1, 1));
  store_->make_durable(to_topic.after);
  store_->deliver();
  EXPECT_EQ(deliveries().size(), 2U);
  EXPECT_LT(plain.after, to_queue.after);
}

TEST_F(EngineDuplicatesTest, WhatSurvivesACrashAndWhatDoesNotGoTogether) {
  for (const std::uint64_t survivors : {1, 2, 3}) {
    open_slow();
    auto who = connect();
    std::vector<Outcome> outcomes;
    for (std::uint64_t number = 1; number <= 3; ++number) {
      outcomes.push_back(send(who, "p", number));
    }
    restart(outcomes[survivors - 1].after);
    store_->make_durable(Ticket{~0ULL});
    who = connect();
    // Its client knows of none and sends all again.
    for (std::uint64_t number = 1; number <= 3; ++number) send(who, "p", number);
    store_->make_durable(Ticket{~0ULL});
    store_->deliver();
    EXPECT_EQ(duplicates(), survivors);
    std::vector<std::string> got;
    const auto reader = connect();
    subscribe(reader, {});
    for (int i = 0; i < 10; ++i) {
      for (auto& body : bodies(deliveries())) got.push_back(body);
      store_->make_durable(Ticket{~0ULL});
      store_->deliver();
    }
    EXPECT_EQ(got, numbers(1, 3)) << survivors;
  }
}

TEST_F(EngineDuplicatesTest, ConsumedAndRestartedItIsStillADuplicate) {
  auto who = connect();
  send(who, "p", 1);
  EXPECT_EQ(drain("q").size(), 1U);
  for (int i = 0; i < 3; ++i) {
    restart();
    who = connect();
    EXPECT_EQ(send(who, "p", 1).disposition, Disposition::done);
    EXPECT_EQ(drain("q").size(), 0U);
  }
}

TEST_F(EngineDuplicatesTest, NonPersistentOnesAreRememberedWhileTheProcessLives) {
  auto who = connect();
  send(who, "p", 1, {.persistent = false});
  send(who, "p", 1, {.persistent = false});
  EXPECT_EQ(drain("q").size(), 1U);
  restart();
  who = connect();
  send(who, "p", 1, {.persistent = false});
  EXPECT_EQ(drain("q").size(), 1U) << "it may have been lost: no false positive";
}

TEST_F(EngineDuplicatesTest, ATransactionCountsWhenItCommits) {
  auto who = connect();
  auto transaction = *engine_->begin(who.id);
  send(who, "p", 1, {}, transaction);
  send(who, "p", 2, {}, transaction);
  send(who, "p", 2, {}, transaction);
  engine_->rollback(transaction, now_);
  transaction = *engine_->begin(who.id);
  send(who, "p", 1, {}, transaction);
  send(who, "p", 2, {}, transaction);
  EXPECT_EQ(engine_->commit(transaction, 0, now_).disposition, Disposition::done);
  run();
  restart();
  // The answer was lost: all of it again.
  who = connect();
  transaction = *engine_->begin(who.id);
  send(who, "p", 1, {}, transaction);
  send(who, "p", 2, {}, transaction);
  send(who, "p", 3, {}, transaction);
  EXPECT_EQ(engine_->commit(transaction, 0, now_).disposition, Disposition::done);
  EXPECT_EQ(bodies(drain("q")), numbers(1, 3));
}

TEST_F(EngineDuplicatesTest, ATransactionThatWasOvertakenFailsAsAWhole) {
  const auto who = connect();
  const auto transaction = *engine_->begin(who.id);
  send(who, "p", 1, {}, transaction);
  send(who, "p", 2);
  const auto outcome = engine_->commit(transaction, 0, now_);
  ASSERT_EQ(outcome.disposition, Disposition::failed);
  EXPECT_EQ(outcome.error->code, Errc::bad_state);
  EXPECT_EQ(bodies(drain("q")), numbers(2, 2)) << "neither lost without a word, nor doubled";
}

TEST_F(EngineDuplicatesTest, ParkedSendsKeepTheirPlaceAndAreTakenOnce) {
  const auto who = connect();
  store_->set_admission(Admission::later);
  EXPECT_EQ(send(who, "p", 1, {}, std::nullopt, 11).disposition, Disposition::parked);
  EXPECT_EQ(send(who, "p", 1, {}, std::nullopt, 12).disposition, Disposition::parked);
  EXPECT_EQ(send(who, "p", 2, {}, std::nullopt, 13).disposition, Disposition::parked);
  // Its connection seems dead to the client, which goes on with another.
  const auto other = connect();
  EXPECT_EQ(send(other, "p", 1, {}, std::nullopt, 21).disposition, Disposition::parked);
  store_->set_admission(Admission::granted);
  engine_->space_changed(now_);
  std::map<ReplyToken, Disposition> answers;
  for (const auto& reply : replies()) answers[reply.token] = reply.outcome.disposition;
  EXPECT_EQ(answers[11], Disposition::done);
  EXPECT_EQ(answers[12], Disposition::done);
  EXPECT_EQ(answers[13], Disposition::done);
  EXPECT_EQ(answers[21], Disposition::failed) << "overtaken: it cannot be known";
  EXPECT_EQ(bodies(drain("q")), numbers(1, 2));
}

// The refusal of a later one says nothing about those that wait: they were not taken.
TEST_F(EngineDuplicatesTest, ParkedSendsOfAnUnknownProducerOutliveTheRefusalOfALaterOne) {
  EngineLimits limits;
  limits.parked_bytes_max = 1000;
  open({}, limits);
  const auto who = connect();
  // With a delivery to acknowledge it is read on, so that what finds no room to wait is refused.
  Send work;
  work.name = "work";
  publish(connect(), work);
  Sub worker;
  worker.name = "work";
  subscribe(who, worker);
  ASSERT_EQ(deliveries().size(), 1U);
  store_->set_admission(Admission::later);
  std::uint64_t parked = 0;
  Disposition last = Disposition::parked;
  for (; last == Disposition::parked; parked += last == Disposition::parked ? 1 : 0) {
    last = send(who, "p", parked + 1, {}, std::nullopt, parked + 1).disposition;
  }
  ASSERT_EQ(last, Disposition::failed);
  ASSERT_GE(parked, 3U);
  store_->set_admission(Admission::granted);
  engine_->space_changed(now_);
  for (const auto& reply : replies()) {
    EXPECT_EQ(reply.outcome.disposition, Disposition::done) << reply.token;
  }
  EXPECT_EQ(duplicates(), 0U);
  send(who, "p", parked + 2);
  send(who, "p", parked + 1);
  EXPECT_EQ(drain("q").size(), parked + 2);
}

TEST_F(EngineDuplicatesTest, WhatIsRefusedIsNotRemembered) {
  const auto who = connect();
  store_->set_admission(Admission::refused);
  EXPECT_EQ(send(who, "p", 1).disposition, Disposition::failed);
  store_->set_admission(Admission::granted);
  EXPECT_EQ(send(who, "p", 1).disposition, Disposition::done);
  EXPECT_EQ(drain("q").size(), 1U);
}

TEST_F(EngineDuplicatesTest, ForgetsTheProducerUsedLongestAgoAlsoOnDisk) {
  EngineLimits limits;
  limits.producers_max = 3;
  open({}, limits);
  auto who = connect();
  for (const char* producer : {"a", "b", "c", "a", "d"}) send(who, producer, 1);
  run();
  drain("q");
  now_ += milliseconds(1);
  restart();
  std::vector<std::string> keys;
  for (const auto& [key, value] : store_->recovered().attachments) keys.push_back(key);
  EXPECT_EQ(keys, (std::vector<std::string>{"producer/a", "producer/c", "producer/d"}));
  who = connect();
  for (const char* producer : {"a", "c", "d"}) {
    send(who, producer, 1);
    EXPECT_EQ(drain("q").size(), 0U) << producer;
  }
  send(who, "b", 1);
  EXPECT_EQ(drain("q").size(), 1U) << "forgotten";
}

TEST_F(EngineDuplicatesTest, ALowerLimitKeepsThoseUsedLast) {
  auto who = connect();
  for (const char* producer : {"c", "a", "b"}) {
    now_ += milliseconds(10);
    send(who, producer, 5);
  }
  drain("q");
  limits_.producers_max = 2;
  restart();
  who = connect();
  send(who, "a", 5);
  send(who, "b", 5);
  EXPECT_EQ(drain("q").size(), 0U);
  send(who, "c", 5);
  EXPECT_EQ(drain("q").size(), 1U);
}

TEST_F(EngineDuplicatesTest, ADestinationMayDoWithout) {
  DestinationPolicy policy;
  policy.duplicate_detection = false;
  EngineSettings settings;
  settings.policies.add(
      {{DestinationKind::queue, "q"}, std::make_shared<const DestinationPolicy>(policy)});
  engine_->configure(std::move(settings), now_);
  const auto who = connect();
  send(who, "p", 1);
  send(who, "p", 1);
  send(who, "p", 1, {.name = "other"});
  send(who, "p", 1, {.name = "other"});
  EXPECT_EQ(drain("q").size(), 2U);
  EXPECT_EQ(drain("other").size(), 1U);
}

TEST_F(EngineDuplicatesTest, AConsumedOneIsNotTakenOutOfItsGroup) {
  open_slow();
  const auto who = connect();
  const auto subscription = subscribe(who, {});
  const auto outcome = send(who, "p", 1);
  store_->make_durable(outcome.after);
  store_->deliver();
  auto got = deliveries();
  ASSERT_EQ(got.size(), 1U);
  EXPECT_FALSE(got[0].redelivered);
  ack(subscription, got[0]);
  run();
  EXPECT_EQ(store_->status().batches_cancelled, 0U);
}

TEST_F(EngineDuplicatesTest, ABranchThatCommitsLateTakesNoNumberBack) {
  const auto who = connect();
  const Xid xid{1, "g", "b"};
  const auto work = engine_->xa_start(who.id, xid, XaStart::fresh, now_);
  ASSERT_TRUE(work);
  send(who, "p", 5, {}, *work);
  ASSERT_TRUE(engine_->xa_end(who.id, xid, XaEnd::success));
  ASSERT_EQ(engine_->xa_prepare(who.id, xid, 0, now_).disposition, Disposition::done);
  send(who, "p", 10);
  ASSERT_EQ(engine_->xa_commit(who.id, xid, false, 0, now_).disposition, Disposition::done);
  run();
  restart();
  send(connect(), "p", 10);
  EXPECT_EQ(duplicates(), 1U);
  EXPECT_EQ(drain("q").size(), 2U);
}

}  // namespace
}  // namespace pabal::core
