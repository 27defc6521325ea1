#include <set>
#include <string>
#include <vector>

#include "tests/unit/core/engine_fixture.h"

namespace pabal::core {
namespace {

class EngineAdminTest : public EngineFixture {
 protected:
  void SetUp() override { open_small({}); }
  void open_small(store::MemoryStoreOptions options) {
    EngineLimits limits;
    limits.list_window_bytes_max = 4000;
    limits.window_bytes_max = 20'000;
    open(options, limits);
  }
  static Destination queue(const std::string& name) { return {DestinationKind::queue, name}; }
  QueueTaskOptions command(QueueCommand what, const std::string& name = "q") {
    QueueTaskOptions options;
    options.command = what;
    options.queue = queue(name);
    options.to = queue("to");
    return options;
  }
  QueueTaskView carry_out(const QueueTaskOptions& options) {
    const auto id = engine_->start_task(options, now_);
    EXPECT_TRUE(id) << (id ? "" : id.error().text);
    if (!id) return {};
    run();
    EXPECT_TRUE(engine_->task(*id)->ended());
    auto view = engine_->take_task(*id);
    EXPECT_EQ(engine_->task(*id), nullptr);
    return *view;
  }
  void send(const ConnectionDetails& from, const std::string& body, const std::string& color,
            bool persistent = true, std::uint8_t priority = 4) {
    Send what;
    what.body = body;
    what.color = color;
    what.persistent = persistent;
    what.priority = priority;
    ASSERT_EQ(publish(from, what).disposition, Disposition::done);
  }
  std::uint64_t depth(const std::string& name) { return view("queue://" + name).depth; }
};

TEST_F(EngineAdminTest, PurgeTakesWhatWaitsAndNotWhatIsOut) {
  const auto who = connect();
  for (int i = 1; i <= 2000; ++i) send(who, std::to_string(i), "", i % 4 != 0);
  Sub sub;
  sub.prefetch = 7;
  const auto consumer = subscribe(who, sub);
  const auto out = deliveries();
  ASSERT_EQ(out.size(), 7U);
  const auto view = carry_out(command(QueueCommand::purge));
  EXPECT_EQ(view.state, TaskState::done);
  EXPECT_EQ(view.affected, 1993U);
  EXPECT_EQ(view.skipped_out, 7U);
  EXPECT_EQ(view.looked_at, 2000U);
  EXPECT_EQ(depth("q"), 7U);
  for (const auto& delivery : out) ack(consumer, delivery);
  run();
  EXPECT_EQ(depth("q"), 0U);
  EXPECT_EQ(store_->status().bytes_live, 0U);
  EXPECT_EQ(engine_->snapshot().bytes_held, 0U);
  EXPECT_EQ(engine_->snapshot().bytes_window, 0U);
  restart();
  EXPECT_EQ(depth("q"), 0U);
}

TEST_F(EngineAdminTest, ASelectorAndALimitChoose) {
  const auto who = connect();
  for (int i = 1; i <= 900; ++i) send(who, std::to_string(i), i % 3 == 0 ? "red" : "blue", i % 2);
  auto purge = command(QueueCommand::purge);
  purge.selector = "color = 'red'";
  purge.limit = 100;
  EXPECT_EQ(carry_out(purge).affected, 100U);
  EXPECT_EQ(depth("q"), 800U);
  purge.limit = 0;
  EXPECT_EQ(carry_out(purge).affected, 200U);
  std::vector<std::string> blue;
  for (int i = 1; i <= 900; ++i) {
    if (i % 3 != 0) blue.push_back(std::to_string(i));
  }
  EXPECT_EQ(bodies(drain("q")), blue);
  EXPECT_EQ(store_->status().bytes_live, 0U);
}

TEST_F(EngineAdminTest, OneMessageGoesByItsId) {
  const auto who = connect();
  fill(who, 1000);
  auto find = command(QueueCommand::list);
  find.selector = "JMSPriority = 4";
  find.limit = 500;
  const auto listed = carry_out(find);
  ASSERT_EQ(listed.messages.size(), 500U);
  auto purge = command(QueueCommand::purge);
  purge.message_id = listed.messages[400].message->id();
  EXPECT_EQ(carry_out(purge).affected, 1U);
  EXPECT_EQ(carry_out(purge).affected, 0U);
  auto rest = numbers(1, 1000);
  rest.erase(rest.begin() + 400);
  EXPECT_EQ(bodies(drain("q")), rest);
}

TEST_F(EngineAdminTest, AListComesInPages) {
  const auto who = connect();
  for (int i = 1; i <= 500; ++i) send(who, std::to_string(i), "", i % 2 == 0, i % 10 == 0 ? 7 : 2);
  std::vector<std::string> seen;
  auto list = command(QueueCommand::list);
  list.limit = 64;
  for (;;) {
    const auto page = carry_out(list);
    for (const auto& each : page.messages) seen.emplace_back(each.message->body());
    if (!page.more) break;
    list.from = page.next;
  }
  EXPECT_EQ(seen, bodies(drain("q")));
}

TEST_F(EngineAdminTest, MoveKeepsOrderAndOrigin) {
  const auto who = connect();
  for (int i = 1; i <= 1500; ++i) send(who, std::to_string(i), "", i % 5 != 0);
  const auto moved = carry_out(command(QueueCommand::move));
  EXPECT_EQ(moved.affected, 1500U);
  EXPECT_EQ(depth("q"), 0U);
  EXPECT_EQ(depth("to"), 1500U);
  const auto got = drain("to");
  EXPECT_EQ(bodies(got), numbers(1, 1500));
  EXPECT_EQ(got[0].message->original_destination()->name, "q");
  EXPECT_FALSE(got[0].redelivered);
  EXPECT_EQ(store_->status().bytes_live, 0U);
  EXPECT_EQ(engine_->snapshot().bytes_held, 0U);
}

TEST_F(EngineAdminTest, CopyLeavesWhatWasThere) {
  const auto who = connect();
  fill(who, 300);
  EXPECT_EQ(carry_out(command(QueueCommand::copy)).affected, 300U);
  EXPECT_EQ(bodies(drain("to")), numbers(1, 300));
  EXPECT_EQ(bodies(drain("q")), numbers(1, 300));
}

// Goal: a move is whole at every ticket that a crash may leave as the last.
TEST_F(EngineAdminTest, ACrashFindsEachMessageInOnePlace) {
  for (std::uint64_t survives = 0; survives < 60; ++survives) {
    store::MemoryStoreOptions options;
    options.manual_durability = true;
    open_small(options);
    const auto who = connect();
    fill(who, 20);
    store_->make_durable(store_->submitted());
    store_->deliver();
    const auto id = engine_->start_task(command(QueueCommand::move), now_);
    ASSERT_TRUE(id);
    run();
    const Ticket last{raw(store_->durable()) + survives};
    restart(std::min(last, store_->submitted()));
    std::multiset<std::string> all;
    for (const std::string name : {"q", "to"}) {
      auto list = command(QueueCommand::list, name);
      list.limit = 100;
      const auto listing = engine_->start_task(list, now_);
      if (!listing) continue;  // there is none
      run();
      store_->make_durable(store_->submitted());
      run();
      const auto listed = engine_->take_task(*listing);
      ASSERT_EQ(listed->state, TaskState::done);
      for (const auto& each : listed->messages) all.emplace(each.message->body());
      EXPECT_EQ(depth(name), listed->messages.size());
    }
    const auto expected = numbers(1, 20);
    EXPECT_EQ(all, std::multiset<std::string>(expected.begin(), expected.end()))
        << "survives " << survives;
  }
}

TEST_F(EngineAdminTest, AMoveWaitsForRoomAndEndsWithAWholeNumber) {
  const auto who = connect();
  fill(who, 50);
  run();
  store_->set_admission(Admission::later, 20);
  const auto id = engine_->start_task(command(QueueCommand::move), now_);
  ASSERT_TRUE(id);
  run();
  EXPECT_EQ(engine_->task(*id)->state, TaskState::waiting_for_room);
  EXPECT_EQ(engine_->task(*id)->affected, 20U);
  EXPECT_EQ(depth("q"), 30U);
  EXPECT_EQ(depth("to"), 20U);
  store_->set_admission(Admission::granted);
  engine_->space_changed(now_);
  run();
  EXPECT_EQ(engine_->task(*id)->state, TaskState::done);
  EXPECT_EQ(engine_->take_task(*id)->affected, 50U);

  fill(who, 5);
  run();
  store_->set_admission(Admission::refused, 2);
  const auto refused = carry_out(command(QueueCommand::move));
  EXPECT_EQ(refused.state, TaskState::failed);
  EXPECT_EQ(refused.affected, 2U);
  EXPECT_FALSE(refused.text.empty());
  EXPECT_EQ(depth("q"), 3U);
  store_->set_admission(Admission::granted);
  EXPECT_EQ(drain("to").size(), 52U);
  EXPECT_EQ(drain("q").size(), 3U);
}

TEST_F(EngineAdminTest, AMoveToATopicThatNobodyWantsFails) {
  const auto who = connect();
  fill(who, 10);
  auto move = command(QueueCommand::move);
  move.to = {DestinationKind::topic, "t"};
  const auto view = carry_out(move);
  EXPECT_EQ(view.state, TaskState::failed);
  EXPECT_NE(view.text.find("nobody subscribes"), std::string::npos) << view.text;
  EXPECT_EQ(depth("q"), 10U);
}

TEST_F(EngineAdminTest, WhatCannotBeDoneIsRefused) {
  EXPECT_EQ(engine_->start_task(command(QueueCommand::purge, "no"), now_).error().code,
            Errc::not_found);
  fill(connect(), 1);
  auto wrong = command(QueueCommand::purge);
  wrong.selector = "a = ";
  EXPECT_EQ(engine_->start_task(wrong, now_).error().code, Errc::invalid_argument);
  auto nowhere = command(QueueCommand::move);
  nowhere.to = queue("q");
  EXPECT_EQ(engine_->start_task(nowhere, now_).error().code, Errc::bad_destination);
  nowhere.to = queue("a.*");
  EXPECT_EQ(engine_->start_task(nowhere, now_).error().code, Errc::bad_destination);
}

TEST_F(EngineAdminTest, APausedQueueHoldsWhatItHasAndOneResumedGoesOn) {
  const auto who = connect();
  fill(who, 5);
  ASSERT_TRUE(engine_->pause_queue(queue("q"), true, now_));
  subscribe(who, Sub{});
  EXPECT_TRUE(deliveries().empty());
  EXPECT_EQ(view("queue://q").waiting, WaitReason::paused);
  fill(who, 1);
  EXPECT_EQ(depth("q"), 6U);
  ASSERT_TRUE(engine_->pause_queue(queue("q"), false, now_));
  EXPECT_EQ(deliveries().size(), 6U);
}

TEST_F(EngineAdminTest, APauseSurvivesARestart) {
  fill(connect(), 2);
  ASSERT_TRUE(engine_->pause_queue(queue("q"), true, now_));
  run();
  restart(store_->submitted());
  auto who = connect();
  subscribe(who, Sub{});
  EXPECT_TRUE(deliveries().empty());
  ASSERT_TRUE(engine_->pause_queue(queue("q"), false, now_));
  run();
  restart(store_->submitted());
  who = connect();
  subscribe(who, Sub{});
  EXPECT_EQ(deliveries().size(), 2U);
}

TEST_F(EngineAdminTest, DeletingAQueueWithConsumersMustBeForced) {
  const auto who = connect();
  fill(who, 3);
  subscribe(who, Sub{});
  ASSERT_EQ(deliveries().size(), 3U);
  EXPECT_EQ(engine_->delete_queue(queue("q"), QueueDeletion::if_empty, now_).error().code,
            Errc::in_use);
  const auto deleted = engine_->delete_queue(queue("q"), QueueDeletion::forced, now_);
  ASSERT_TRUE(deleted);
  EXPECT_EQ(*deleted, 3U);
  const auto& effects = engine_->outbox(HomeId{}).effects;
  ASSERT_EQ(effects.size(), 1U);
  EXPECT_EQ(effects[0].order, ConnectionOrder::close);
  run();
  EXPECT_EQ(engine_->snapshot().queues, 0U);
  EXPECT_EQ(engine_->snapshot().bytes_held, 0U);
}

TEST_F(EngineAdminTest, DeletingAQueueThatIsNotEmptyMustBeForced) {
  const auto who = connect();
  fill(who, 3);
  const auto refused = engine_->delete_queue(queue("q"), QueueDeletion::if_empty, now_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::in_use);
  EXPECT_NE(refused.error().text.find("3 messages"), std::string::npos) << refused.error().text;
  EXPECT_NE(refused.error().text.find("force"), std::string::npos) << refused.error().text;
  EXPECT_EQ(view("queue://q").depth, 3U);
  EXPECT_EQ(drain("q").size(), 3U);
  EXPECT_TRUE(engine_->delete_queue(queue("q"), QueueDeletion::if_empty, now_))
      << "an empty one is deleted";
}

// The queue of a wildcard consumer of virtual topics: no client can send to it by its name.
TEST_F(EngineAdminTest, ARetryGoesBackToAQueueWithAPatternForAName) {
  const auto who = connect();
  const std::string name = "Consumer.A.VirtualTopic.>";
  const auto consumer = subscribe(who, {.name = name});
  publish(who, {.kind = DestinationKind::topic, .name = "VirtualTopic.x", .body = "1"});
  const auto got = deliveries();
  ASSERT_EQ(got.size(), 1U);
  ack(consumer, got[0], AckKind::poisoned);
  run();
  ASSERT_EQ(depth("ActiveMQ.DLQ"), 1U);
  const auto done = carry_out(command(QueueCommand::retry, "ActiveMQ.DLQ"));
  EXPECT_EQ(done.state, TaskState::done) << done.text;
  EXPECT_EQ(depth("ActiveMQ.DLQ"), 0U);
  EXPECT_EQ(bodies(deliveries()), numbers(1, 1));
}

}  // namespace
}  // namespace pabal::core
