#include <set>

#include "tests/unit/core/engine_fixture.h"

// Scheduled delivery: what comes when, once, and what is left after a crash.

namespace pabal::core {
namespace {

class EngineScheduleTest : public EngineFixture {
 protected:
  static ScheduleRequest after(std::int64_t delay, std::int64_t period = 0,
                               std::int64_t repeat = 0) {
    ScheduleRequest request;
    request.delay = delay;
    if (period != 0) request.period = period;
    request.repeat = repeat;
    return request;
  }
  static ScheduleRequest by_cron(std::string cron) {
    ScheduleRequest request;
    request.cron = std::move(cron);
    return request;
  }
  Outcome schedule(const ConnectionDetails& from, const Send& send, ScheduleRequest request,
                   std::optional<TransactionId> transaction = std::nullopt) {
    SendOptions options;
    options.transaction = transaction;
    options.schedule = std::make_shared<const ScheduleRequest>(std::move(request));
    last_ = message(from, send);
    return engine_->publish(from.id, last_, options, now_);
  }
  /// As schedule(), which must succeed, of a message with this body for queue "q".
  void plan(const std::string& body, ScheduleRequest request, bool persistent = true) {
    Send send;
    send.body = body;
    send.persistent = persistent;
    const auto outcome = schedule(who_, send, std::move(request));
    ASSERT_EQ(outcome.disposition, Disposition::done) << outcome.error->text;
  }
  void begin() {
    who_ = connect();
    engine_->tick(now_);
  }
  /// Bodies that a consumer of the queue finds now.
  std::vector<std::string> there(const std::string& name = "q") { return bodies(drain(name)); }
  std::uint64_t scheduled() const { return engine_->snapshot().scheduled; }
  void SetUp() override {
    open();
    now_ = from_millis(1'767'225'600'000);  // 2026-01-01 00:00 UTC
    begin();
  }

  ConnectionDetails who_;
  MessageRef last_;
};

using Bodies = std::vector<std::string>;

TEST_F(EngineScheduleTest, AMessageComesWhenItsDelayIsOverAndNotBefore) {
  plan("later", after(5'000));
  EXPECT_EQ(scheduled(), 1U);
  advance(milliseconds(4'999));
  EXPECT_EQ(there(), Bodies{});
  EXPECT_EQ(engine_->next_timer(), std::optional(now_ + milliseconds(1)));
  advance(milliseconds(1));
  EXPECT_EQ(there(), Bodies{"later"});
  EXPECT_EQ(scheduled(), 0U);
  advance(milliseconds(100'000'000));
  EXPECT_EQ(there(), Bodies{});
}

TEST_F(EngineScheduleTest, WhatComesOnceKeepsItsIdAndNamesItsJob) {
  MessageBuilder builder;
  builder.destination_name = "q";
  builder.persistent = true;
  builder.timestamp = to_millis(now_);
  builder.expiration = to_millis(now_) + 7'000;
  builder.origin = who_.origin;
  builder.sequence = 77;
  builder.priority = 7;
  builder.body = "x";
  builder.add_string("AMQ_SCHEDULED_DELAY", "60000");
  builder.add_integer("count", PropertyType::int32, 3);
  const auto message = *builder.build();
  SendOptions options;
  options.schedule = std::make_shared<const ScheduleRequest>(after(60'000));
  ASSERT_EQ(engine_->publish(who_.id, message, options, now_).disposition, Disposition::done);
  advance(milliseconds(60'000));
  const auto all = drain("q");
  ASSERT_EQ(all.size(), 1U);
  const Message& got = *all.front().message;
  EXPECT_EQ(got.property(kScheduledJobId)->text, message->id());
  EXPECT_EQ(got.id(), message->id());
  EXPECT_FALSE(got.property("AMQ_SCHEDULED_DELAY"));
  EXPECT_EQ(got.property("count")->integer, 3);
  EXPECT_EQ(got.priority(), 7);
  EXPECT_EQ(got.timestamp(), to_millis(now_));
  EXPECT_EQ(got.expiration(), to_millis(now_) + 7'000);  // its time to live begins now
  EXPECT_FALSE(all.front().redelivered);
}

TEST_F(EngineScheduleTest, WhatComesAgainHasAnIdOfItsOwnEachTimeOverRestartsToo) {
  plan("r", after(1'000, 500, 2));
  plan("c", by_cron("0 * * * *"));
  std::set<std::string> ids;
  for (int i = 0; i < 8; ++i) {
    advance(milliseconds(i < 4 ? 500 : 3'600'000));
    for (const auto& delivery : drain("q")) {
      const Message& got = *delivery.message;
      EXPECT_TRUE(ids.insert(got.id()).second) << got.id();
      EXPECT_NE(got.property(kScheduledJobId)->text, got.id());
    }
    run();
    restart(store_->submitted());
    who_ = connect();
    engine_->tick(now_);
  }
  EXPECT_GE(ids.size(), 6U);
}

TEST_F(EngineScheduleTest, RepeatsComeOnTheBeat) {
  plan("r", after(1'000, 500, 2));
  advance(milliseconds(999));
  EXPECT_EQ(there(), Bodies{});
  for (int i = 0; i < 3; ++i) {
    advance(milliseconds(i == 0 ? 1 : 500));
    EXPECT_EQ(there(), Bodies{"r"}) << i;
  }
  EXPECT_EQ(scheduled(), 0U);
  advance(milliseconds(10'000));
  EXPECT_EQ(there(), Bodies{});
}

TEST_F(EngineScheduleTest, WithoutADelayTheFirstComesAfterOnePeriod) {
  ScheduleRequest request;
  request.period = 700;
  plan("p", request);
  advance(milliseconds(699));
  EXPECT_EQ(there(), Bodies{});
  advance(milliseconds(1));
  EXPECT_EQ(there(), Bodies{"p"});
  EXPECT_EQ(scheduled(), 0U);
}

TEST_F(EngineScheduleTest, MissedRepeatsDoNotPileUp) {
  plan("r", after(1'000, 1'000, -1));
  now_ += milliseconds(100'500);
  engine_->tick(now_);
  EXPECT_EQ(there(), Bodies{"r"});
  advance(milliseconds(1'000));
  EXPECT_EQ(there(), Bodies{"r"});
  EXPECT_EQ(scheduled(), 1U);
}

TEST_F(EngineScheduleTest, ACronEntryComesAtEachOfItsTimes) {
  plan("c", by_cron("30 * * * *"));
  advance(std::chrono::minutes(29));
  EXPECT_EQ(there(), Bodies{});
  advance(std::chrono::minutes(1));
  EXPECT_EQ(there(), Bodies{"c"});
  advance(std::chrono::minutes(59));
  EXPECT_EQ(there(), Bodies{});
  advance(std::chrono::minutes(1));
  EXPECT_EQ(there(), Bodies{"c"});
  advance(std::chrono::hours(48));
  EXPECT_EQ(there().size(), 48U);
  EXPECT_EQ(scheduled(), 1U);
}

TEST_F(EngineScheduleTest, ACronEntrySetsOffRepeats) {
  ScheduleRequest request = by_cron("0 * * * *");
  request.delay = 1'000;
  request.period = 1'000;
  request.repeat = 9;
  plan("c", request);
  advance(std::chrono::hours(1));
  EXPECT_EQ(there(), Bodies{});
  advance(milliseconds(1'000));
  EXPECT_EQ(there(), Bodies{"c"});
  advance(std::chrono::minutes(30));
  EXPECT_EQ(there().size(), 9U);
  advance(std::chrono::hours(2));
  EXPECT_EQ(there().size(), 20U);
}

TEST_F(EngineScheduleTest, ComesInOrderOfTimeThenOfSending) {
  plan("3", after(300));
  plan("1", after(100));
  plan("2", after(200));
  plan("1b", after(100), false);
  plan("1c", after(100));
  advance(milliseconds(300));
  const auto got = there();
  ASSERT_EQ(got.size(), 5U);
  EXPECT_EQ(Bodies(got.end() - 2, got.end()), (Bodies{"2", "3"}));
  plan("a", after(100));
  plan("b", after(100));
  plan("c", after(100));
  advance(milliseconds(100));
  EXPECT_EQ(there(), (Bodies{"a", "b", "c"}));
}

TEST_F(EngineScheduleTest, WithTheSchedulerOffItIsAPlainMessage) {
  EngineSettings settings;
  settings.scheduler = false;
  engine_->configure(std::move(settings), now_);
  ScheduleRequest request;
  request.invalid = "nonsense";
  plan("now", request);
  EXPECT_EQ(there(), Bodies{"now"});
}

TEST_F(EngineScheduleTest, RepeatsAloneScheduleNothing) {
  ScheduleRequest request;
  request.repeat = 5;
  plan("now", request);
  EXPECT_EQ(there(), Bodies{"now"});
}

TEST_F(EngineScheduleTest, RefusesWhatMakesNoSense) {
  const auto refusal = [&](ScheduleRequest request) {
    const auto outcome = schedule(who_, {}, std::move(request));
    EXPECT_EQ(outcome.disposition, Disposition::failed);
    return outcome.error ? outcome.error->text : "";
  };
  const auto refused_text = [&](std::string_view name, std::string_view value) {
    ScheduleRequest request = after(1);
    EXPECT_TRUE(request.read(name, value));
    return refusal(request);
  };
  EXPECT_NE(refused_text("AMQ_SCHEDULED_DELAY", "soon").find("AMQ_SCHEDULED_DELAY"),
            std::string::npos);
  EXPECT_NE(refused_text("AMQ_SCHEDULED_DELAY", "-1").find("'-1'"), std::string::npos);
  EXPECT_NE(refused_text("AMQ_SCHEDULED_PERIOD", "1.5").find("'1.5'"), std::string::npos);
  EXPECT_NE(refused_text("AMQ_SCHEDULED_REPEAT", "-2").find("'-2'"), std::string::npos);
  EXPECT_NE(refused_text("AMQ_SCHEDULED_REPEAT", "1001").find("1001"), std::string::npos);
  EXPECT_NE(refused_text("AMQ_SCHEDULED_DELAY", "9999999999999999").find("hundred years"),
            std::string::npos);
  EXPECT_NE(refused_text("AMQ_SCHEDULED_CRON", "* * *").find("five fields"), std::string::npos);
  EXPECT_NE(refused_text("AMQ_SCHEDULED_REPEAT", "-1").find("PERIOD"), std::string::npos);
  Send pattern;
  pattern.name = "a.*";
  EXPECT_EQ(schedule(who_, pattern, after(5)).error->code, Errc::bad_destination);
  EXPECT_EQ(scheduled(), 0U);
}

TEST_F(EngineScheduleTest, ATransactionSchedulesAtItsCommit) {
  const auto transaction = *engine_->begin(who_.id);
  Send send;
  send.body = "t";
  ASSERT_EQ(schedule(who_, send, after(1'000), transaction).disposition, Disposition::done);
  advance(milliseconds(60'000));
  EXPECT_EQ(there(), Bodies{});
  EXPECT_EQ(scheduled(), 0U);
  ASSERT_EQ(engine_->commit(transaction, 0, now_).disposition, Disposition::done);
  advance(milliseconds(999));
  EXPECT_EQ(there(), Bodies{});
  advance(milliseconds(1));
  EXPECT_EQ(there(), Bodies{"t"});
}

TEST_F(EngineScheduleTest, ARollbackSchedulesNothing) {
  const auto transaction = *engine_->begin(who_.id);
  ASSERT_EQ(schedule(who_, {}, after(1'000), transaction).disposition, Disposition::done);
  ASSERT_EQ(engine_->rollback(transaction, now_).disposition, Disposition::done);
  advance(milliseconds(10'000));
  EXPECT_EQ(there(), Bodies{});
  EXPECT_EQ(engine_->snapshot().bytes_held, 0U);
}

TEST_F(EngineScheduleTest, ACommitSurvivesStricterSettings) {
  const auto transaction = *engine_->begin(who_.id);
  ASSERT_EQ(schedule(who_, {}, after(1'000, 1'000, 5), transaction).disposition, Disposition::done);
  EngineSettings settings;
  settings.schedule_repeat_max = 1;
  engine_->configure(std::move(settings), now_);
  ASSERT_EQ(engine_->commit(transaction, 0, now_).disposition, Disposition::done);
  advance(milliseconds(60'000));
  EXPECT_EQ(there().size(), 6U);
}

TEST_F(EngineScheduleTest, SurvivesARestartOnce) {
  plan("soon", after(5'000));
  plan("far", after(90LL * 24 * 3'600'000));
  plan("volatile", after(5'000), false);
  run();
  restart(store_->durable());
  EXPECT_EQ(scheduled(), 2U);
  for (const auto& each : engine_->destinations("", 100)) {
    ADD_FAILURE() << "visible: " << each.destination.to_text();
  }
  begin();
  advance(milliseconds(4'999));
  EXPECT_EQ(there(), Bodies{});
  advance(milliseconds(1));
  EXPECT_EQ(there(), Bodies{"soon"});
  run();
  restart(store_->durable());
  begin();
  advance(std::chrono::hours(24 * 89));
  EXPECT_EQ(there(), Bodies{});
  advance(std::chrono::hours(24));
  EXPECT_EQ(there(), Bodies{"far"});
  EXPECT_EQ(scheduled(), 0U);
}

TEST_F(EngineScheduleTest, NobodySeesOneThatMayComeAgain) {
  store::MemoryStoreOptions options;
  options.manual_durability = true;
  open(options);
  begin();
  subscribe(who_, {});
  Sub topic;
  topic.kind = DestinationKind::topic;
  topic.name = "t";
  subscribe(who_, topic);
  plan("x", after(1'000));
  Send send;
  send.kind = DestinationKind::topic;
  send.name = "t";
  ASSERT_EQ(schedule(who_, send, after(1'000)).disposition, Disposition::done);
  store_->make_durable(store_->submitted());
  advance(milliseconds(1'000));
  EXPECT_EQ(scheduled(), 0U);
  // A crash now, and both would come again, as something new.
  EXPECT_TRUE(deliveries().empty());
  store_->make_durable(store_->submitted());
  EXPECT_EQ(deliveries().size(), 2U);
}

TEST_F(EngineScheduleTest, WhatCameDueWhileItWasDownComesOnceAtTheStart) {
  plan("once", after(5'000));
  plan("often", after(1'000, 1'000, 500));
  plan("far", after(10 * 24 * 3'600'000LL));
  run();
  now_ += std::chrono::hours(12 * 24);
  restart(store_->durable());
  begin();
  run();
  auto got = there();
  std::sort(got.begin(), got.end());
  EXPECT_EQ(got, (Bodies{"far", "often", "once"}));
  advance(milliseconds(1'000));
  EXPECT_EQ(there(), Bodies{"often"});
}

TEST_F(EngineScheduleTest, EmptyBucketsLeaveNoLists) {
  for (int i = 0; i < 100; ++i) plan("x", after(i * 3'600'000LL));
  advance(std::chrono::hours(24 * 40));
  EXPECT_EQ(there().size(), 100U);
  run();
  restart(store_->durable());
  begin();
  EXPECT_EQ(scheduled(), 0U);
  run();
  // The queue, and nothing of the scheduler's.
  store_->restart(store_->durable());
  EXPECT_EQ(store_->recovered().lists.size(), 1U);
}

TEST_F(EngineScheduleTest, MoreThanFitIntoMemoryComeInOrder) {
  constexpr int kCount = 20'000;
  Send send;
  for (int i = 0; i < kCount; ++i) {
    send.body = std::to_string(i);
    // All in one bucket of a day, none in order.
    const std::int64_t at = 3 * 24 * 3'600'000LL + (i * 7919LL % kCount) * 10;
    ASSERT_EQ(schedule(who_, send, after(at)).disposition, Disposition::done);
  }
  advance(std::chrono::hours(72) - std::chrono::minutes(1));
  EXPECT_EQ(there(), Bodies{});
  advance(std::chrono::minutes(5));
  const auto got = there();
  ASSERT_EQ(got.size(), static_cast<std::size_t>(kCount));
  for (int i = 1; i < kCount; ++i) {
    ASSERT_LT(std::stoi(got[i - 1]) * 7919LL % kCount, std::stoi(got[i]) * 7919LL % kCount) << i;
  }
  EXPECT_EQ(scheduled(), 0U);
}

TEST_F(EngineScheduleTest, GoesToTopicsAndDurableSubscriptions) {
  const auto office = connect("office");
  Sub durable;
  durable.kind = DestinationKind::topic;
  durable.name = "news";
  durable.durable = "d";
  durable.mode = AckMode::automatic;
  (void)subscribe(office, durable);
  Sub plain = durable;
  plain.durable = "";
  (void)subscribe(who_, plain);
  Send send;
  send.kind = DestinationKind::topic;
  send.name = "news";
  send.body = "n";
  ASSERT_EQ(schedule(who_, send, after(1'000)).disposition, Disposition::done);
  EXPECT_EQ(bodies(deliveries()), Bodies{});
  advance(milliseconds(1'000));
  EXPECT_EQ(bodies(deliveries()), (Bodies{"n", "n"}));
}

TEST_F(EngineScheduleTest, WaitsForRoomAndSaysSo) {
  store::MemoryStoreOptions options;
  options.bytes_max = 20'000;
  open(options);
  begin();
  plan("repeated", after(1'000, 1'000, 1));
  Send big;
  big.name = "other";
  for (const std::size_t size : {5'000, 100, 1}) {
    // Each from a connection of its own: behind a send that waits, the smaller ones wait as well.
    const auto from = connect();
    big.body = std::string(size, 'b');
    while (publish(from, big).disposition == Disposition::done) {
    }
  }
  advance(milliseconds(1'500));
  // Its repeat is to be kept as well: that is one message more.
  EXPECT_NE(engine_->snapshot().scheduled_waiting, "");
  EXPECT_EQ(there(), Bodies{});
  EXPECT_GT(there("other").size(), 1U);
  advance(milliseconds(1'100));
  EXPECT_EQ(there(), Bodies{"repeated"});
  EXPECT_EQ(engine_->snapshot().scheduled_waiting, "");
  advance(milliseconds(10'000));
  EXPECT_EQ(there(), Bodies{"repeated"});
}

TEST_F(EngineScheduleTest, AFullStoreIsNotHeldUpByWhatIsScheduled) {
  store::MemoryStoreOptions options;
  options.bytes_max = 20'000;
  open(options);
  begin();
  Send big;
  big.body = std::string(2'000, 'b');
  int count = 0;
  while (schedule(who_, big, after(1'000)).disposition == Disposition::done) ++count;
  EXPECT_GT(count, 3);
  advance(milliseconds(1'000));
  EXPECT_EQ(there().size(), static_cast<std::size_t>(count));
}

TEST_F(EngineScheduleTest, ADestinationThatIsGoneMakesADeadLetter) {
  const auto other = connect();
  const auto temporary = *engine_->create_temporary(other.id, DestinationKind::temporary_queue);
  Send send;
  send.kind = temporary.kind;
  send.name = temporary.name;
  send.body = "nobody";
  ASSERT_EQ(schedule(who_, send, after(1'000)).disposition, Disposition::done);
  engine_->disconnect(other.id, now_);
  advance(milliseconds(1'000));
  EXPECT_EQ(scheduled(), 0U);
  const auto dead = drain("ActiveMQ.DLQ");
  ASSERT_EQ(dead.size(), 1U);
  EXPECT_NE(dead[0].message->property("dlqDeliveryFailureCause")->text.find("does not exist"),
            std::string_view::npos);
}

TEST_F(EngineScheduleTest, RefusesWhatMemoryCouldNeverTake) {
  EngineLimits limits;
  limits.memory_bytes_max = 5'000;
  open({}, limits);
  begin();
  Send send;
  send.body = std::string(6'000, 'x');
  const auto outcome = schedule(who_, send, after(1'000));
  ASSERT_EQ(outcome.disposition, Disposition::failed) << "it could never be delivered";
  EXPECT_EQ(outcome.error->code, Errc::quota_exceeded);
  EXPECT_EQ(scheduled(), 0U);
  send.body.resize(3'000);
  ASSERT_EQ(schedule(who_, send, after(1'000)).disposition, Disposition::done);
  advance(milliseconds(1'000));
  EXPECT_EQ(there().size(), 1U);
}

TEST_F(EngineScheduleTest, NonPersistentOnesAreLimited) {
  EngineLimits limits;
  limits.scheduled_volatile_max = 2;
  open({}, limits);
  begin();
  plan("1", after(1'000), false);
  plan("2", after(1'000), false);
  Send send;
  send.persistent = false;
  EXPECT_EQ(schedule(who_, send, after(1'000)).error->code, Errc::quota_exceeded);
  EXPECT_GT(engine_->snapshot().bytes_held, 0U);
  advance(milliseconds(1'000));
  EXPECT_EQ(there(), (Bodies{"1", "2"}));
  EXPECT_EQ(engine_->snapshot().bytes_held, 0U);
}

// --- orders --------------------------------------------------------------------------------------

class EngineScheduleOrderTest : public EngineScheduleTest {
 protected:
  Outcome order(std::vector<std::pair<std::string, std::string>> properties,
                const std::string& reply_to = "answers") {
    MessageBuilder builder;
    builder.destination_kind = DestinationKind::topic;
    builder.destination_name = kSchedulerTopic;
    builder.correlation = "c1";
    if (!reply_to.empty()) builder.reply_to = Address{DestinationKind::queue, reply_to};
    builder.add_string("PABAL_SCHEDULER_END", "true");
    for (const auto& [name, value] : properties) builder.add_string(name, value);
    return engine_->publish(who_.id, *builder.build(), SendOptions{}, now_);
  }
};

TEST_F(EngineScheduleOrderTest, ShowsWhatIsScheduledAndTakesNothing) {
  plan("soon", after(5'000));
  const std::string id = last_->id();
  plan("far", after(90LL * 24 * 3'600'000, 1'000, 3));
  plan("volatile", after(5'000), false);
  plan("cron", by_cron("0 4 * * *"));
  ASSERT_EQ(order({{"AMQ_SCHEDULER_ACTION", "BROWSE"}}).disposition, Disposition::done);
  run();
  const auto answers = drain("answers");
  ASSERT_EQ(answers.size(), 5U);
  const Message& first = *answers[0].message;
  EXPECT_EQ(first.body(), "soon");
  EXPECT_EQ(first.correlation(), "c1");
  EXPECT_EQ(first.property(kScheduledJobId)->text, id);
  EXPECT_EQ(first.property("scheduledTime")->integer, to_millis(now_) + 5'000);
  EXPECT_EQ(first.property("scheduledDestination")->text, "queue://q");
  EXPECT_EQ(answers[1].message->property("AMQ_SCHEDULED_CRON")->text, "0 4 * * *");
  EXPECT_EQ(answers[2].message->property("AMQ_SCHEDULED_REPEAT")->integer, 3);
  EXPECT_EQ(answers[3].message->body(), "volatile");
  EXPECT_EQ(answers[4].message->property("schedulerShown")->integer, 4);
  EXPECT_EQ(scheduled(), 4U);
  advance(milliseconds(5'000));
  EXPECT_EQ(there().size(), 2U);
}

TEST_F(EngineScheduleOrderTest, RemovesOneARangeOrAll) {
  const auto remove = [&](std::vector<std::pair<std::string, std::string>> properties) {
    EXPECT_EQ(order(std::move(properties)).disposition, Disposition::done);
    run();
    const auto answers = drain("answers");
    EXPECT_EQ(answers.size(), 1U);
    return answers.empty() ? -1 : answers[0].message->property("schedulerRemoved")->integer;
  };
  plan("one", after(5'000));
  const std::string id = last_->id();
  for (int i = 1; i <= 10; ++i) plan(std::to_string(i), after(i * 3'600'000LL), i % 2 == 0);
  EXPECT_EQ(remove({{"AMQ_SCHEDULER_ACTION", "REMOVE"}, {"scheduledJobId", id}}), 1);
  EXPECT_EQ(remove({{"AMQ_SCHEDULER_ACTION", "REMOVE"}, {"scheduledJobId", id}}), 0);
  const auto at = [&](int hours) { return std::to_string(to_millis(now_) + hours * 3'600'000LL); };
  EXPECT_EQ(remove({{"AMQ_SCHEDULER_ACTION", "REMOVEALL"},
                    {"AMQ_SCHEDULER_ACTION_START_TIME", at(3)},
                    {"AMQ_SCHEDULER_ACTION_END_TIME", at(5)}}),
            3);
  EXPECT_EQ(scheduled(), 7U);
  run();
  restart(store_->durable());
  begin();
  EXPECT_EQ(scheduled(), 4U);  // the persistent ones: 2, 6, 8, 10
  EXPECT_EQ(remove({{"AMQ_SCHEDULER_ACTION", "REMOVEALL"}}), 4);
  EXPECT_EQ(scheduled(), 0U);
  advance(std::chrono::hours(20));
  EXPECT_EQ(there(), Bodies{});
}

TEST_F(EngineScheduleOrderTest, RefusesWhatIsNoOrder) {
  EXPECT_EQ(order({}).error->code, Errc::not_supported);
  EXPECT_EQ(order({{"AMQ_SCHEDULER_ACTION", "DANCE"}}).error->code, Errc::not_supported);
  EXPECT_EQ(order({{"AMQ_SCHEDULER_ACTION", "REMOVE"}}).error->code, Errc::invalid_argument);
  EXPECT_EQ(order({{"AMQ_SCHEDULER_ACTION", "BROWSE"}}, "").error->code, Errc::invalid_argument);
  EXPECT_EQ(order({{"AMQ_SCHEDULER_ACTION", "BROWSE"}, {"ACTION_START_TIME", "x"}}).error->code,
            Errc::invalid_argument);
}

TEST_F(EngineScheduleOrderTest, OrdersThatWaitAreLimited) {
  int taken = 0;
  while (taken < 100 &&
         order({{"AMQ_SCHEDULER_ACTION", "BROWSE"}}).disposition == Disposition::done) {
    ++taken;
  }
  EXPECT_EQ(taken, 16);
  run();
  EXPECT_EQ(drain("answers").size(), 16U);
}

// --- operators' commands -------------------------------------------------------------------------

class EngineScheduleTaskTest : public EngineScheduleTest {
 protected:
  ScheduleTaskView carry_out(ScheduleTaskOptions options) {
    const auto id = engine_->start_schedule_task(std::move(options), now_);
    EXPECT_TRUE(id) << (id ? "" : id.error().text);
    if (!id) return {};
    run();
    EXPECT_NE(engine_->schedule_task(*id), nullptr);
    auto view = engine_->take_schedule_task(*id);
    EXPECT_EQ(engine_->schedule_task(*id), nullptr);
    return view ? *view : ScheduleTaskView{};
  }
  ScheduleTaskView cancel(std::string id, const std::string& queue = "") {
    ScheduleTaskOptions options;
    options.cancel = true;
    options.job_id = std::move(id);
    options.destination.name = queue;
    return carry_out(options);
  }
  void plan_for(const std::string& queue, const std::string& body, std::int64_t delay,
                bool persistent = true) {
    Send send;
    send.name = queue;
    send.body = body;
    send.persistent = persistent;
    ASSERT_EQ(schedule(who_, send, after(delay)).disposition, Disposition::done);
  }
};

TEST_F(EngineScheduleTaskTest, ListsWhatWaitsWithItsTimesByPages) {
  plan("soon", after(5'000, 1'000, 3));
  const std::string id = last_->id();
  plan("cron", by_cron("0 4 * * *"));
  for (int i = 0; i < 5; ++i) plan("far", after((i + 2) * 3'600'000LL));
  for (int i = 0; i < 3; ++i) plan("volatile", after(7'000), false);
  const auto all = carry_out({});
  ASSERT_EQ(all.jobs.size(), 10U);
  EXPECT_TRUE(all.ended);
  EXPECT_FALSE(all.more);
  EXPECT_EQ(all.looked_at, 10U);
  const ListedJob& first = all.jobs.front();
  EXPECT_EQ(first.id, id);
  EXPECT_EQ(first.at, now_ + milliseconds(5'000));
  EXPECT_EQ(first.period, milliseconds(1'000));
  EXPECT_EQ(first.repeat, 3);
  EXPECT_TRUE(first.persistent);
  ASSERT_EQ(first.targets.size(), 1U);
  EXPECT_EQ(first.targets[0].to_text(), "queue://q");
  EXPECT_FALSE(all.jobs.back().persistent);

  // The same by pages of every size, none twice and none left out.
  for (std::uint64_t limit = 1; limit <= 10; ++limit) {
    std::vector<std::string> ids;
    ScheduleTaskOptions options;
    options.limit = limit;
    for (int page = 0; page < 12; ++page) {
      const auto some = carry_out(options);
      EXPECT_LE(some.jobs.size(), limit);
      for (const auto& job : some.jobs) ids.push_back(job.id);
      if (!some.more) break;
      options.from = some.next;
    }
    ASSERT_EQ(ids.size(), 10U) << limit;
    for (std::size_t i = 0; i < ids.size(); ++i) EXPECT_EQ(ids[i], all.jobs[i].id);
  }
  advance(milliseconds(8'000));
  EXPECT_EQ(there().size(), 7U);  // nothing was taken
}

TEST_F(EngineScheduleTaskTest, CancelsByIdAndByDestination) {
  plan_for("a.x", "one", 5'000);
  const std::string id = last_->id();
  plan_for("a.x", "two", 5'000);
  plan_for("a.y", "three", 5'000, false);
  plan_for("b", "four", 5'000);
  EXPECT_EQ(cancel("no such id").affected, 0U);
  EXPECT_EQ(cancel(id, "b").affected, 0U);
  EXPECT_EQ(cancel(id, "a.*").affected, 1U);
  EXPECT_EQ(cancel(id).affected, 0U);
  EXPECT_EQ(scheduled(), 3U);
  EXPECT_EQ(cancel("", "a.>").affected, 2U);
  restart(store_->durable());
  begin();
  EXPECT_EQ(scheduled(), 1U);
  advance(milliseconds(5'000));
  EXPECT_EQ(there("a.x"), Bodies{});
  EXPECT_EQ(there("a.y"), Bodies{});
  EXPECT_EQ(there("b"), Bodies{"four"});
}

TEST_F(EngineScheduleTaskTest, ACompositeIsForEachOfItsTargets) {
  Send send;
  send.body = "both";
  last_ = message(who_, send);
  SendOptions options;
  options.targets = std::make_shared<const std::vector<Destination>>(std::vector<Destination>{
      {DestinationKind::queue, "left"}, {DestinationKind::topic, "right"}});
  options.schedule = std::make_shared<const ScheduleRequest>(after(5'000));
  ASSERT_EQ(engine_->publish(who_.id, last_, options, now_).disposition, Disposition::done);
  ScheduleTaskOptions asked;
  asked.destination = {DestinationKind::topic, "right"};
  const auto view = carry_out(asked);
  ASSERT_EQ(view.jobs.size(), 1U);
  EXPECT_EQ(view.jobs[0].targets.size(), 2U);
  EXPECT_EQ(cancel("", "q").affected, 0U);  // the message's own name does not count
  EXPECT_EQ(cancel("", "left").affected, 1U);
}

TEST_F(EngineScheduleTaskTest, WhoGivesUpLeavesNothingBehind) {
  for (int i = 0; i < 20; ++i) plan("far", after((i + 2) * 3'600'000LL));
  for (int round = 0; round < 100; ++round) {
    const auto id = engine_->start_schedule_task({}, now_);
    ASSERT_TRUE(id) << id.error().text;
    if (round % 2 == 0) engine_->run(now_);
    ASSERT_TRUE(engine_->take_schedule_task(*id));
    run();
  }
  int taken = 0;
  while (taken < 100 && engine_->start_schedule_task({}, now_)) ++taken;
  EXPECT_EQ(taken, 16);  // schedule_orders_max
  run();
  EXPECT_EQ(carry_out({}).jobs.size(), 20U);
}

}  // namespace
}  // namespace pabal::core
