// Scheduled delivery where something goes wrong: a message cannot be read, a destination has no
// room, what is scheduled is more than may be.

#include "tests/unit/core/engine_fixture.h"

namespace pabal::core {
namespace {

using Bodies = std::vector<std::string>;

class EngineScheduleFaultsTest : public EngineFixture {
 protected:
  void SetUp() override {
    now_ = from_millis(1'767'225'600'000);  // 2026-01-01 00:00 UTC
    begin();
  }
  void begin(store::MemoryStoreOptions options = {}, EngineLimits limits = {}) {
    open(options, limits);
    who_ = connect();
    engine_->tick(now_);
  }
  static ScheduleRequest after(std::int64_t delay, std::int64_t period = 0,
                               std::int64_t repeat = 0) {
    ScheduleRequest request;
    request.delay = delay;
    if (period != 0) request.period = period;
    request.repeat = repeat;
    return request;
  }
  Outcome schedule(const Send& send, ScheduleRequest request) {
    SendOptions options;
    options.schedule = std::make_shared<const ScheduleRequest>(std::move(request));
    return engine_->publish(who_.id, message(who_, send), options, now_);
  }
  void plan(const std::string& body, ScheduleRequest request, const std::string& name = "q") {
    Send send;
    send.name = name;
    send.body = body;
    ASSERT_EQ(schedule(send, std::move(request)).disposition, Disposition::done);
  }
  Outcome order(const std::string& action) {
    MessageBuilder builder;
    builder.destination_kind = DestinationKind::topic;
    builder.destination_name = kSchedulerTopic;
    builder.reply_to = Address{DestinationKind::queue, "answers"};
    builder.add_string("PABAL_SCHEDULER_END", "true");
    builder.add_string("AMQ_SCHEDULER_ACTION", action);
    return engine_->publish(who_.id, *builder.build(), SendOptions{}, now_);
  }
  std::vector<std::string> there(const std::string& name = "q") { return bodies(drain(name)); }

  /// The store cannot read what contains `damaged_`.
  void page_loaded(Page page) noexcept override {
    for (std::size_t i = 0; i < page.entries.size() && !damaged_.empty(); ++i) {
      if (page.entries[i].message->body().find(damaged_) == std::string_view::npos) continue;
      page.damaged = page.entries[i].sequence;
      page.covered_to = i == 0 ? 0 : page.entries[i - 1].sequence + 1;
      page.entries.resize(i);
      page.error = Error{Errc::store_io, "damaged"};
    }
    EngineFixture::page_loaded(std::move(page));
  }

  ConnectionDetails who_;
  std::string damaged_;
};

TEST_F(EngineScheduleFaultsTest, WhatCannotBeReadHoldsUpNothingBehindIt) {
  plan("1", after(7'200'000));
  plan("broken", after(7'200'000));
  plan("2", after(7'200'000));
  plan("3", after(7'200'001));
  damaged_ = "broken";
  advance(std::chrono::hours(3));
  EXPECT_EQ(there(), (Bodies{"1", "2", "3"}));
  EXPECT_EQ(engine_->snapshot().scheduled, 1U);
}

TEST_F(EngineScheduleFaultsTest, AnOrderGoesOnBehindWhatCannotBeRead) {
  plan("broken", after(7'200'000));
  plan("1", after(7'200'000));
  damaged_ = "broken";
  ASSERT_EQ(order("BROWSE").disposition, Disposition::done);
  const auto answers = drain("answers");
  ASSERT_EQ(answers.size(), 2U);
  EXPECT_EQ(answers[0].message->body(), "1");
}

TEST_F(EngineScheduleFaultsTest, AFullDestinationHoldsUpNoOther) {
  DestinationPolicy policy;
  policy.store_limit = 1;
  EngineSettings settings;
  settings.policies.add(
      {{DestinationKind::queue, "full"}, std::make_shared<const DestinationPolicy>(policy)});
  engine_->configure(std::move(settings), now_);
  fill(who_, 1, "full");
  for (int minute = 1; minute <= 40; ++minute) {
    plan("repeated", after(minute * 60'000, 3'600'000, 100), "full");
  }
  for (int minute = 1; minute <= 50; ++minute) plan(std::to_string(minute), after(minute * 60'000));
  advance(std::chrono::minutes(50));
  EXPECT_EQ(there(), numbers(1, 50));
  EXPECT_EQ(engine_->snapshot().scheduled, 40U);
}

TEST_F(EngineScheduleFaultsTest, WhatACronEntrySetsOffCountsAgainstTheStore) {
  store::MemoryStoreOptions options;
  options.bytes_max = 20'000;
  begin(options);
  ScheduleRequest request;
  request.cron = "* * * * *";
  request.delay = 24LL * 3'600'000;
  plan(std::string(2'000, 'c'), request);
  advance(std::chrono::hours(2));
  EXPECT_LE(store_->status().bytes_live, 20'000U);
  EXPECT_NE(engine_->snapshot().scheduled_waiting, "");
}

TEST_F(EngineScheduleFaultsTest, WhatACronEntrySetsOffInMemoryIsLimitedAsWell) {
  EngineLimits limits;
  limits.scheduled_volatile_max = 10;
  begin({}, limits);
  ScheduleRequest request;
  request.cron = "* * * * *";
  request.delay = 24LL * 3'600'000;
  ASSERT_EQ(schedule({.persistent = false}, request).disposition, Disposition::done);
  advance(std::chrono::hours(2));
  EXPECT_LE(engine_->snapshot().scheduled, 10U);
}

TEST_F(EngineScheduleFaultsTest, MemoryFullOfWhatIsScheduledEmptiesAgain) {
  EngineLimits limits;
  limits.memory_bytes_max = 100'000;
  begin({}, limits);
  Send send;
  send.body = std::string(10'000, 'v');
  send.persistent = false;
  std::size_t count = 0;
  while (schedule(send, after(1'000)).disposition == Disposition::done) ++count;
  EXPECT_GE(count, 4U);
  advance(milliseconds(1'000));
  EXPECT_GE(there().size(), count);
  advance(milliseconds(10'000));
  there();
  EXPECT_EQ(engine_->snapshot().bytes_held, 0U);
}

TEST_F(EngineScheduleFaultsTest, NobodyIsToldOfWhatWasRemovedBeforeThatIsDurable) {
  store::MemoryStoreOptions options;
  options.manual_durability = true;
  begin(options);
  plan("1", after(3'600'000));
  subscribe(who_, {.name = "answers"});
  store_->make_durable(store_->submitted());
  run();
  ASSERT_EQ(order("REMOVEALL").disposition, Disposition::done);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(deliveries().empty());
  EXPECT_EQ(engine_->snapshot().scheduled, 0U);
  store_->make_durable(store_->submitted());
  const auto answers = deliveries();
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_EQ(answers[0].message->property("schedulerRemoved")->integer, 1);
}

}  // namespace
}  // namespace pabal::core
