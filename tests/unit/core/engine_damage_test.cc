#include <algorithm>
#include <set>

#include "tests/unit/core/engine_fixture.h"

// Stored messages that cannot be read: what they hold up, and what skipping them does.

namespace pabal::core {
namespace {

class EngineDamageTest : public EngineFixture {
 protected:
  void SetUp() override {
    EngineLimits limits;
    limits.list_window_bytes_max = 2000;
    limits.window_bytes_max = 4'000'000;
    open({}, limits);
  }
  /// As the pager has it: what comes before is good, and the page ends there.
  void page_loaded(Page page) noexcept override {
    for (std::size_t i = 0; i < page.entries.size(); ++i) {
      const Message& message = *page.entries[i].message;
      if (!damaged_.contains(std::string(message.body()))) continue;
      page.error = Error{Errc::store_io, "the disk says no"};
      page.damaged = page.entries[i].sequence;
      page.damaged_bytes = message.flat().size();
      page.covered_to = i == 0 ? 1 : page.entries[i - 1].sequence + 1;
      page.entries.resize(i);
      break;
    }
    EngineFixture::page_loaded(std::move(page));
  }
  QueueTaskView skip(std::uint64_t limit = 0) {
    QueueTaskOptions options;
    options.command = QueueCommand::skip_damaged;
    options.queue = {DestinationKind::queue, "q"};
    options.limit = limit;
    const auto id = engine_->start_task(options, now_);
    EXPECT_TRUE(id) << (id ? "" : id.error().text);
    run();
    auto view = engine_->take_task(*id);
    EXPECT_TRUE(view && view->ended());
    return view ? *view : QueueTaskView{};
  }
  QueueExplanation explain() {
    run();
    return *engine_->explain({DestinationKind::queue, "q"});
  }
  static std::vector<std::string> all_but(int last, const std::set<std::string>& missing) {
    auto all = numbers(1, last);
    std::erase_if(all, [&](const auto& each) { return missing.contains(each); });
    return all;
  }

  std::set<std::string> damaged_;
};

TEST_F(EngineDamageTest, HoldsUpWhatFollowsUntilItIsSkipped) {
  fill(connect(), 500);
  damaged_ = {"7", "8", "100"};
  EXPECT_EQ(bodies(drain("q")), numbers(1, 6));
  EXPECT_EQ(engine_->snapshot().damaged_reads, 1U);
  EXPECT_NE(engine_->snapshot().damage.find("queue://q, priority 4, number 7"), std::string::npos);

  const auto who = connect();
  subscribe(who, {});
  const auto told = explain();
  ASSERT_EQ(told.damaged.size(), 1U);
  EXPECT_NE(told.damaged[0].find("number 7 of priority 4"), std::string::npos);
  EXPECT_TRUE(std::any_of(told.reasons.begin(), told.reasons.end(), [](const auto& reason) {
    return reason.find("pabal queue skip-damaged q") != std::string::npos;
  }));
  engine_->disconnect(who.id, now_);

  const auto bytes = view("queue://q").depth_bytes;
  const auto one = skip(1);
  EXPECT_EQ(one.affected, 1U);
  EXPECT_LT(view("queue://q").depth_bytes, bytes);
  EXPECT_EQ(bodies(drain("q")), std::vector<std::string>{});
  EXPECT_EQ(skip().affected, 2U);
  EXPECT_EQ(bodies(drain("q")), [&] {
    auto left = all_but(500, damaged_);
    left.erase(left.begin(), left.begin() + 6);
    return left;
  }());
  EXPECT_EQ(view("queue://q").depth, 0U);
  EXPECT_EQ(view("queue://q").depth_bytes, 0U);
  EXPECT_EQ(engine_->snapshot().damaged_skipped, 3U);
}

TEST_F(EngineDamageTest, WhatWasSkippedIsGoneAfterARestartAndNothingElse) {
  fill(connect(), 300);
  damaged_ = {"1", "2", "150", "299"};
  const auto done = skip();
  // The last ones are in memory as well: whole, and left alone.
  EXPECT_EQ(done.affected, 3U);
  EXPECT_EQ(done.skipped_other, 1U);
  run();
  restart(store_->durable());
  damaged_.clear();
  EXPECT_EQ(bodies(drain("q")), all_but(300, {"1", "2", "150"}));
}

TEST_F(EngineDamageTest, OnesThatConsumersHaveStay) {
  fill(connect(), 200);
  const auto who = connect();
  Sub sub;
  sub.prefetch = 10;
  const auto subscription = subscribe(who, sub);
  const auto got = deliveries();
  ASSERT_EQ(got.size(), 10U);
  damaged_ = {"5", "20"};
  const auto done = skip();
  EXPECT_EQ(done.skipped_out, 1U);
  EXPECT_LE(done.affected + done.skipped_other, 1U);
  for (const auto& delivery : got) ack(subscription, delivery);
  EXPECT_EQ(deliveries().size(), 10U);
}

TEST_F(EngineDamageTest, WhatCanBeReadAgainIsDeliveredAndNotSkipped) {
  fill(connect(), 200);
  damaged_ = {"50"};
  EXPECT_EQ(bodies(drain("q")), numbers(1, 49));
  damaged_.clear();  // the disk was mended
  EXPECT_EQ(skip().affected, 0U);
  EXPECT_EQ(bodies(drain("q")), numbers(50, 200));
}

TEST_F(EngineDamageTest, SelectiveConsumersGoOnAsWell) {
  const auto from = connect();
  for (int i = 1; i <= 300; ++i) {
    Send send;
    send.body = std::to_string(i);
    send.color = i % 2 == 0 ? "red" : "blue";
    publish(from, send);
  }
  damaged_ = {"20"};
  const auto who = connect();
  Sub sub;
  sub.selector = "color = 'red'";
  const auto subscription = subscribe(who, sub);
  auto got = deliveries();
  ASSERT_EQ(got.size(), 9U);
  EXPECT_EQ(explain().damaged.size(), 1U);
  EXPECT_EQ(skip().affected, 1U);
  auto rest = deliveries();
  EXPECT_EQ(got.size() + rest.size(), 149U);
  std::move(rest.begin(), rest.end(), std::back_inserter(got));
  for (const auto& delivery : got) ack(subscription, delivery);
  engine_->disconnect(who.id, now_);
  EXPECT_EQ(drain("q").size(), 150U);
  EXPECT_EQ(view("queue://q").depth, 0U);
}

TEST_F(EngineDamageTest, SpilledOnesToo) {
  EngineLimits limits;
  limits.memory_bytes_max = 200'000;
  limits.spilled_bytes_max = 100 << 20;
  open({}, limits);
  const auto from = connect();
  for (int i = 1; i <= 2000; ++i) {
    Send send;
    send.persistent = false;
    send.body = std::to_string(i);
    ASSERT_EQ(publish(from, send).disposition, Disposition::done) << i;
    run();
  }
  ASSERT_GT(engine_->snapshot().bytes_spilled, 0U);
  damaged_ = {"3", "40"};
  EXPECT_EQ(bodies(drain("q")), numbers(1, 2));
  EXPECT_EQ(skip().affected, 2U);
  auto left = all_but(2000, damaged_);
  left.erase(left.begin(), left.begin() + 2);
  EXPECT_EQ(bodies(drain("q")), left);
  EXPECT_EQ(view("queue://q").depth, 0U);
  EXPECT_EQ(engine_->snapshot().bytes_spilled, 0U);
}

/// Of durable subscriptions: one message that cannot be read holds up whoever has yet to read it.
class DamagedSubscriptionTest : public EngineDamageTest {
 protected:
  Sub durable(const std::string& name) {
    Sub sub;
    sub.kind = DestinationKind::topic;
    sub.name = "t";
    sub.durable = name;
    sub.prefetch = 10;
    return sub;
  }
  void send_to_topic(int count) {
    const auto from = connect();
    for (int i = 1; i <= count; ++i) {
      Send send;
      send.kind = DestinationKind::topic;
      send.name = "t";
      send.body = std::to_string(i);
      send.color = i % 2 == 0 ? "red" : "blue";
      ASSERT_EQ(publish(from, send).disposition, Disposition::done);
    }
    run();
    engine_->disconnect(from.id, now_);
  }
  QueueTaskView skip(const std::string& client_id, const std::string& name,
                     std::uint64_t limit = 0) {
    QueueTaskOptions options;
    options.command = QueueCommand::skip_damaged;
    options.client_id = client_id;
    options.subscription = name;
    options.limit = limit;
    const auto id = engine_->start_task(options, now_);
    EXPECT_TRUE(id) << (id ? "" : id.error().text);
    run();
    auto view = engine_->take_task(*id);
    EXPECT_TRUE(view && view->state == TaskState::done);
    return view ? *view : QueueTaskView{};
  }
  SubscriptionSnapshot told(const std::string& name) {
    run();
    for (auto& each : engine_->durable_subscriptions(100)) {
      if (each.name == name) return each;
    }
    ADD_FAILURE() << name;
    return {};
  }
  /// Takes and acknowledges until nothing comes.
  std::vector<std::string> consume(const ConnectionDetails& who, SubscriptionId subscription) {
    std::vector<std::string> all;
    for (;;) {
      const auto some = deliveries();
      if (some.empty()) return all;
      for (const auto& each : some) {
        engine_->written(who.id, each.number, now_);
        EXPECT_EQ(ack(subscription, each).disposition, Disposition::done);
        all.emplace_back(each.message->body());
      }
    }
  }
};

TEST_F(DamagedSubscriptionTest, EachSkipsForItselfAndNobodyElse) {
  const auto one = connect("one");
  const auto two = connect("two");
  ASSERT_TRUE(try_subscribe(one, durable("a")));
  ASSERT_TRUE(try_subscribe(two, durable("b")));
  engine_->disconnect(one.id, now_);
  engine_->disconnect(two.id, now_);
  send_to_topic(300);
  damaged_ = {"7", "8", "100"};
  const auto who = connect("one");
  const auto subscription = subscribe(who, durable("a"));
  EXPECT_EQ(consume(who, subscription), numbers(1, 6));
  ASSERT_EQ(told("a").damaged.size(), 1U);
  EXPECT_NE(told("a").damaged[0].find("number 7 of priority 4"), std::string::npos);
  EXPECT_EQ(told("a").waiting, WaitReason::damaged);
  EXPECT_TRUE(told("b").damaged.empty());

  EXPECT_EQ(skip("one", "a", 1).affected, 1U);
  EXPECT_EQ(consume(who, subscription), std::vector<std::string>{});
  const auto rest = skip("one", "a");
  EXPECT_EQ(rest.affected, 2U);
  EXPECT_EQ(rest.queue.to_text(), "topic://t");
  EXPECT_EQ(rest.subscription, "a");
  auto left = all_but(300, damaged_);
  EXPECT_EQ(consume(who, subscription), std::vector<std::string>(left.begin() + 6, left.end()));
  EXPECT_EQ(told("a").depth, 0U);
  EXPECT_EQ(told("b").depth, 300U);
  EXPECT_EQ(engine_->snapshot().damaged_skipped, 3U);

  // The other one still has a claim to them, should the disk be mended; also after a restart.
  engine_->disconnect(who.id, now_);
  run();
  restart(store_->durable());
  damaged_.clear();
  EXPECT_EQ(told("a").depth, 0U);
  const auto other = connect("two");
  EXPECT_EQ(consume(other, subscribe(other, durable("b"))), numbers(1, 300));
  EXPECT_EQ(told("b").depth, 0U);
}

TEST_F(DamagedSubscriptionTest, WhatItsSelectorRefusesOrItsConsumerHasIsLeft) {
  auto red = durable("red");
  red.selector = "color = 'red'";
  const auto first = connect("c");
  ASSERT_TRUE(try_subscribe(first, red));
  engine_->disconnect(first.id, now_);
  send_to_topic(200);
  EXPECT_EQ(told("red").depth, 100U);
  damaged_ = {"29", "30", "31"};
  const auto who = connect("c");
  const auto subscription = subscribe(who, red);
  auto out = deliveries();
  ASSERT_EQ(out.size(), 10U);  // up to 20
  damaged_ = {"3", "6", "29", "30", "31"};
  const auto done = skip("c", "red");
  EXPECT_EQ(done.affected, 1U);     // 30
  EXPECT_EQ(done.skipped_out, 1U);  // 6
  EXPECT_EQ(told("red").depth, 99U);
  for (const auto& each : out) {
    engine_->written(who.id, each.number, now_);
    ack(subscription, each);
  }
  EXPECT_EQ(consume(who, subscription).size(), 89U);
  EXPECT_EQ(told("red").depth, 0U);
  EXPECT_EQ(told("red").in_flight, 0U);
}

TEST_F(DamagedSubscriptionTest, OnlySkippingAndOnlyOfOneThatIsThere) {
  const auto who = connect("c");
  ASSERT_TRUE(try_subscribe(who, durable("a")));
  QueueTaskOptions options;
  options.client_id = "c";
  options.subscription = "none";
  options.command = QueueCommand::skip_damaged;
  EXPECT_EQ(engine_->start_task(options, now_).error().code, Errc::not_found);
  options.subscription = "a";
  options.command = QueueCommand::purge;
  EXPECT_EQ(engine_->start_task(options, now_).error().code, Errc::invalid_argument);
}

/// What memory had no room for.
class DamagedSpillTest : public DamagedSubscriptionTest {
 protected:
  void SetUp() override {
    EngineLimits limits;
    limits.memory_bytes_max = 200'000;
    limits.spilled_bytes_max = 100 << 20;
    open({}, limits);
  }
  void publish_to_topic(const ConnectionDetails& from, const std::string& body,
                        const std::string& color) {
    Send send;
    send.kind = DestinationKind::topic;
    send.name = "t";
    send.persistent = false;
    send.body = body;
    send.color = color;
    ASSERT_EQ(publish(from, send).disposition, Disposition::done) << body;
  }
  void flood(int first, int last, const std::string& color) {
    const auto from = connect();
    for (int i = first; i <= last; ++i) {
      publish_to_topic(from, std::to_string(i), color);
      run();
    }
    engine_->disconnect(from.id, now_);
    ASSERT_GT(engine_->snapshot().bytes_spilled, 0U);
  }
  void page_loaded(Page page) noexcept override {
    if (hold_pages_ && !page.entries.empty()) {
      held_pages_.push_back(std::move(page));
    } else {
      DamagedSubscriptionTest::page_loaded(std::move(page));
    }
  }
  void let_pages_come() {
    hold_pages_ = false;
    for (auto& page : held_pages_) DamagedSubscriptionTest::page_loaded(std::move(page));
    held_pages_.clear();
    run();
  }
  TaskId start_skip(const std::string& client_id, const std::string& name) {
    QueueTaskOptions options;
    options.command = QueueCommand::skip_damaged;
    options.client_id = client_id;
    options.subscription = name;
    return *engine_->start_task(options, now_);
  }
  void expect_nothing_left() {
    engine_->tick(now_);
    run();
    EXPECT_EQ(engine_->snapshot().bytes_spilled, 0U);
    EXPECT_EQ(engine_->snapshot().bytes_held, 0U);
    EXPECT_EQ(engine_->snapshot().bytes_window, 0U);
  }

  bool hold_pages_ = false;
  std::vector<Page> held_pages_;
};

TEST_F(DamagedSpillTest, EachSkipsForItself) {
  for (const char* name : {"a", "b"}) {
    const auto who = connect(name);
    ASSERT_TRUE(try_subscribe(who, durable(name)));
    engine_->disconnect(who.id, now_);
  }
  flood(1, 2000, "red");
  damaged_ = {"3", "40"};
  const auto one = connect("a");
  const auto subscription = subscribe(one, durable("a"));
  EXPECT_EQ(consume(one, subscription), numbers(1, 2));
  EXPECT_EQ(skip("a", "a").affected, 2U);
  auto left = all_but(2000, damaged_);
  left.erase(left.begin(), left.begin() + 2);
  EXPECT_EQ(consume(one, subscription), left);
  EXPECT_EQ(told("a").depth, 0U);
  EXPECT_EQ(told("b").depth, 2000U);
  damaged_.clear();
  const auto two = connect("b");
  EXPECT_EQ(consume(two, subscribe(two, durable("b"))), numbers(1, 2000));
  EXPECT_EQ(told("b").depth, 0U);
  expect_nothing_left();
}

// Goal: with volatile_when_active what was spilled goes with the last consumer; a page of it that
// is still to come to the command changes nothing.
TEST_F(DamagedSpillTest, WhatGoesWithItsConsumerIsNotSkippedAsWell) {
  const auto away = connect("away");
  ASSERT_TRUE(try_subscribe(away, durable("away")));
  engine_->disconnect(away.id, now_);
  const auto who = connect("session");
  SubscribeOptions options;
  options.interests.push_back({Destination{DestinationKind::topic, "t"}, "", false});
  options.ack_mode = AckMode::explicit_;
  options.prefetch = 1;
  options.durable_name = "d";
  options.volatile_when_active = true;
  ASSERT_TRUE(engine_->subscribe(who.id, options, now_));
  flood(1, 1000, "red");
  deliveries();
  damaged_ = {"30"};
  hold_pages_ = true;
  const auto task = start_skip("session", "d");
  run();
  ASSERT_FALSE(held_pages_.empty());
  engine_->disconnect(who.id, now_);
  let_pages_come();
  EXPECT_TRUE(engine_->task(task)->ended());
  EXPECT_EQ(engine_->task(task)->affected, 0U);
  EXPECT_EQ(told("d").depth, 0U);
  EXPECT_EQ(told("away").depth, 1000U);
  damaged_.clear();
  const auto again = connect("away");
  EXPECT_EQ(consume(again, subscribe(again, durable("away"))), numbers(1, 1000));
  expect_nothing_left();
}

// Goal: what the selector refuses, and what is spilled for others while the command is under way,
// is not skipped, and changes no count.
TEST_F(DamagedSpillTest, WhatItsSelectorRefusesIsNotSkipped) {
  auto blue = durable("blue");
  blue.selector = "color = 'blue'";
  const auto first = connect("c");
  ASSERT_TRUE(try_subscribe(first, blue));
  const auto second = connect("all");
  ASSERT_TRUE(try_subscribe(second, durable("all")));
  engine_->disconnect(first.id, now_);
  engine_->disconnect(second.id, now_);
  flood(1, 1500, "blue");
  const auto from = connect();
  for (int i = 1; i <= 100; ++i) publish_to_topic(from, "red" + std::to_string(i), "red");
  hold_pages_ = true;
  const auto task = start_skip("c", "blue");
  flood(1501, 3000, "red");
  damaged_ = {"red3", "red50"};
  let_pages_come();
  ASSERT_TRUE(engine_->task(task)->ended());
  EXPECT_EQ(engine_->task(task)->affected, 0U);
  EXPECT_EQ(told("blue").depth, 1500U);
  damaged_.clear();
  const auto who = connect("c");
  EXPECT_EQ(consume(who, subscribe(who, blue)), numbers(1, 1500));
  EXPECT_EQ(told("blue").depth, 0U);
  const auto all = connect("all");
  EXPECT_EQ(consume(all, subscribe(all, durable("all"))).size(), 3100U);
  expect_nothing_left();
}

/// Goal: a subscription that is deleted under the walk ends the command and leaves nothing behind.
TEST_F(DamagedSubscriptionTest, DeletedMeanwhile) {
  const auto who = connect("c");
  ASSERT_TRUE(try_subscribe(who, durable("a")));
  engine_->disconnect(who.id, now_);
  send_to_topic(300);
  QueueTaskOptions options;
  options.client_id = "c";
  options.subscription = "a";
  options.command = QueueCommand::skip_damaged;
  const auto id = engine_->start_task(options, now_);
  ASSERT_TRUE(id);
  engine_->run(now_);  // a page is under way
  ASSERT_TRUE(engine_->delete_durable("c", "a", now_));
  run();
  const auto view = engine_->take_task(*id);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->state, TaskState::failed);
  EXPECT_NE(view->text.find("subscription a was deleted"), std::string::npos) << view->text;
  EXPECT_EQ(engine_->snapshot().bytes_window, 0U);
}

}  // namespace
}  // namespace pabal::core
