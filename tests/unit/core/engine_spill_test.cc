#include "tests/unit/core/engine_fixture.h"

// Non-persistent messages that memory has no room for: they go to the store's disk and come back in
// their order, nobody sees where they were, and nothing of them survives the process.

namespace pabal::core {
namespace {

constexpr std::uint64_t kMemory = 40'000;

class EngineSpillTest : public EngineFixture {
 protected:
  void SetUp() override { open_with(1ULL << 30); }
  void open_with(std::uint64_t spilled_bytes_max, store::MemoryStoreOptions options = {}) {
    EngineLimits limits;
    limits.memory_bytes_max = kMemory;
    limits.spilled_bytes_max = spilled_bytes_max;
    limits.window_bytes_max = 20'000;
    limits.list_window_bytes_max = 4000;
    open(options, limits);
  }

  /// Sends bodies `first` to `last`, non-persistent, letting the engine work in between as a server
  /// does.
  void flood(const ConnectionDetails& from, int first, int last, Send send = {}) {
    send.persistent = false;
    for (int i = first; i <= last; ++i) {
      send.body = std::to_string(i);
      ASSERT_EQ(publish(from, send).disposition, Disposition::done) << i;
      if (i % 16 == 0) run();
    }
    run();
  }
  /// Acknowledges what comes until nothing does.
  std::vector<std::string> consume(const ConnectionDetails& who, SubscriptionId subscription) {
    std::vector<std::string> all;
    for (;;) {
      const auto some = deliveries();
      if (some.empty()) return all;
      for (const auto& delivery : some) {
        all.emplace_back(delivery.message->body());
        EXPECT_EQ(ack(subscription, delivery).disposition, Disposition::done);
      }
      engine_->written(who.id, last_number_, now_);
    }
  }
  void expect_nothing_left() {
    run();
    EXPECT_EQ(engine_->snapshot().bytes_held, 0U);
    EXPECT_EQ(engine_->snapshot().bytes_window, 0U);
    EXPECT_EQ(engine_->snapshot().bytes_spilled, 0U);
    EXPECT_EQ(store_->status().bytes_live, 0U);
  }
};

TEST_F(EngineSpillTest, MoreThanMemoryHoldsComesBackInOrder) {
  flood(connect(), 1, 5000);
  EXPECT_LE(engine_->snapshot().bytes_held, kMemory / 2);
  EXPECT_GT(engine_->snapshot().bytes_spilled, 100'000U);
  EXPECT_EQ(view("queue://q").depth, 5000U);
  EXPECT_EQ(view("queue://q").spilled_bytes, engine_->snapshot().bytes_spilled);
  EXPECT_EQ(engine_->destinations("", 100).size(), 1U) << "the spill list is nobody's destination";
  EXPECT_EQ(bodies(drain("q")), numbers(1, 5000));
  EXPECT_EQ(view("queue://q").depth, 0U);
  expect_nothing_left();
}

TEST_F(EngineSpillTest, PersistentOnesAndPrioritiesKeepTheirPlaces) {
  const auto who = connect();
  std::vector<std::string> expected[10];
  for (int i = 0; i < 3000; ++i) {
    Send send;
    send.priority = static_cast<std::uint8_t>(i % 3 * 4);
    send.persistent = i % 5 == 0;
    send.body = std::to_string(i);
    ASSERT_EQ(publish(who, send).disposition, Disposition::done);
    expected[send.priority].push_back(send.body);
    if (i % 16 == 0) run();
  }
  std::vector<std::string> all;
  for (int priority = 9; priority >= 0; --priority) {
    for (const auto& body : expected[priority]) all.push_back(body);
  }
  EXPECT_GT(engine_->snapshot().bytes_spilled, 0U);
  EXPECT_EQ(bodies(drain("q")), all);
  expect_nothing_left();
}

TEST_F(EngineSpillTest, SendingGoesOnWhileItIsReadBackAndMemoryIsUsedAgainAfterwards) {
  const auto who = connect();
  flood(who, 1, 1000);
  Sub sub;
  sub.prefetch = 7;
  const auto subscription = subscribe(who, sub);
  int sent = 1000;
  std::vector<std::string> all;
  for (;;) {
    const auto got = deliveries();
    if (got.empty()) break;
    for (const auto& delivery : got) {
      all.emplace_back(delivery.message->body());
      ack(subscription, delivery);
      if (sent >= 3000) continue;
      flood(who, sent + 1, sent + 2);
      sent += 2;
    }
    engine_->written(who.id, last_number_, now_);
  }
  EXPECT_EQ(all, numbers(1, 3000));
  expect_nothing_left();
  const auto written = store_->status().bytes_written;
  flood(who, 1, 20);
  EXPECT_EQ(consume(who, subscription), numbers(1, 20));
  EXPECT_EQ(store_->status().bytes_written, written) << "what fits into memory stays there";
}

TEST_F(EngineSpillTest, ATemporaryQueueSpillsAndTakesItAllAlong) {
  const auto who = connect();
  const auto temporary = engine_->create_temporary(who.id, DestinationKind::temporary_queue);
  ASSERT_TRUE(temporary);
  Send send;
  send.kind = DestinationKind::temporary_queue;
  send.name = temporary->name;
  flood(who, 1, 2000, send);
  EXPECT_GT(engine_->snapshot().bytes_spilled, 0U);
  Sub sub;
  sub.kind = send.kind;
  sub.name = send.name;
  sub.prefetch = 100;
  subscribe(who, sub);
  EXPECT_EQ(bodies(deliveries()), numbers(1, 100));
  engine_->disconnect(who.id, now_);
  expect_nothing_left();
}

TEST_F(EngineSpillTest, ASelectorFindsItsMessageAndTheOthersStay) {
  const auto who = connect();
  Send red;
  red.color = "red";
  Send blue;
  blue.color = "blue";
  flood(who, 1, 1500, red);
  flood(who, 1501, 1502, blue);
  flood(who, 1503, 3000, red);
  Sub sub;
  sub.selector = "color = 'blue'";
  const auto picky = subscribe(who, sub);
  EXPECT_EQ(consume(who, picky), (std::vector<std::string>{"1501", "1502"}));
  EXPECT_EQ(view("queue://q").depth, 2998U);
  auto expected = numbers(1, 1500);
  for (auto& rest : numbers(1503, 3000)) expected.push_back(rest);
  EXPECT_EQ(bodies(drain("q")), expected);
  ASSERT_TRUE(engine_->unsubscribe(picky, now_));
  expect_nothing_left();
}

TEST_F(EngineSpillTest, SeveralSelectorsReadAtTheirOwnPaceAndNothingComesTwice) {
  const auto who = connect();
  for (int i = 1; i <= 3000; ++i) {
    Send send;
    send.color = i % 3 == 0 ? "red" : i % 3 == 1 ? "blue" : "green";
    send.persistent = false;
    send.body = std::to_string(i);
    ASSERT_EQ(publish(who, send).disposition, Disposition::done);
    if (i % 16 == 0) run();
  }
  const char* selectors[] = {"color = 'red'", "color = 'blue' OR color = 'red'", ""};
  std::vector<SubscriptionId> subscriptions;
  for (const auto* selector : selectors) {
    Sub sub;
    sub.selector = selector;
    sub.prefetch = 5;
    subscriptions.push_back(subscribe(who, sub));
  }
  std::vector<int> seen(3001);
  int total = 0;
  for (;;) {
    const auto got = deliveries();
    if (got.empty()) break;
    for (const auto& delivery : got) {
      ++seen[static_cast<std::size_t>(std::stoi(std::string(delivery.message->body())))];
      ++total;
      ack(delivery.subscription, delivery);
    }
    engine_->written(who.id, last_number_, now_);
  }
  EXPECT_EQ(total, 3000);
  EXPECT_EQ(std::count(seen.begin() + 1, seen.end(), 1), 3000);
  for (const auto subscription : subscriptions) {
    ASSERT_TRUE(engine_->unsubscribe(subscription, now_));
  }
  expect_nothing_left();
}

TEST_F(EngineSpillTest, WhatAConsumerGivesBackComesAgainFirstAndMarked) {
  const auto who = connect();
  flood(who, 1, 1000);
  const auto other = connect();
  Sub sub;
  sub.prefetch = 50;
  subscribe(other, sub);
  EXPECT_EQ(bodies(deliveries()), numbers(1, 50));
  engine_->disconnect(other.id, now_);
  const auto all = drain("q");
  EXPECT_EQ(bodies(all), numbers(1, 1000));
  EXPECT_TRUE(all[49].redelivered);
  EXPECT_FALSE(all[50].redelivered);
  expect_nothing_left();
}

TEST_F(EngineSpillTest, ExpiredOnesAreDroppedWhenTheyAreReadBack) {
  const auto who = connect();
  Send mortal;
  mortal.expiration = now_.time_since_epoch().count() + 1000;
  flood(who, 1, 1000, mortal);
  flood(who, 1001, 1010);
  now_ += milliseconds{2000};
  EXPECT_EQ(bodies(drain("q")), numbers(1001, 1010));
  expect_nothing_left();
}

TEST_F(EngineSpillTest, NothingSpilledSurvivesAndEverythingPersistentDoes) {
  const auto who = connect();
  flood(who, 1, 1000);
  fill(who, 10);
  flood(who, 1001, 2000);
  Send elsewhere;
  elsewhere.name = "other";
  flood(who, 1, 1000, elsewhere);
  run();
  restart(store_->submitted());
  run();
  EXPECT_EQ(view("queue://q").depth, 10U);
  EXPECT_EQ(view("queue://other").depth, 0U);
  EXPECT_EQ(engine_->destinations("", 100).size(), 2U);
  EXPECT_EQ(bodies(drain("q")), numbers(1, 10));
  expect_nothing_left();
  // Its numbers go on above those of before.
  flood(connect(), 1, 1000);
  EXPECT_EQ(bodies(drain("q")), numbers(1, 1000));
  expect_nothing_left();
}

TEST_F(EngineSpillTest, WhatATransactionSentSpillsToo) {
  const auto who = connect();
  std::vector<std::string> expected;
  for (int round = 0; round < 40; ++round) {
    const auto transaction = engine_->begin(who.id);
    ASSERT_TRUE(transaction);
    for (int i = 0; i < 20; ++i) {
      Send send;
      send.persistent = i % 2 == 0;
      send.body = std::to_string(round * 20 + i);
      expected.push_back(send.body);
      ASSERT_EQ(publish(who, send, *transaction).disposition, Disposition::done);
    }
    ASSERT_EQ(engine_->commit(*transaction, 0, now_).disposition, Disposition::done);
    run();
  }
  EXPECT_GT(engine_->snapshot().bytes_spilled, 0U);
  EXPECT_EQ(bodies(drain("q")), expected);
  expect_nothing_left();
}

TEST_F(EngineSpillTest, OverTheLimitProducersWaitAndGoOnWhenItIsReadBack) {
  open_with(20'000);
  const auto who = connect();
  int sent = 0;
  for (;; ++sent) {
    Send send;
    send.persistent = false;
    send.body = std::to_string(sent + 1);
    if (publish(who, send, std::nullopt, 1).disposition == Disposition::parked) break;
    if (sent % 16 == 0) run();
    ASSERT_LT(sent, 10'000);
  }
  run();
  EXPECT_LE(engine_->snapshot().bytes_spilled, 20'000U);
  EXPECT_GT(engine_->snapshot().bytes_spilled, 19'000U);
  EXPECT_LE(engine_->snapshot().bytes_held, kMemory);
  EXPECT_EQ(engine_->snapshot().connections_parked, 1U);
  EXPECT_EQ(bodies(drain("q")), numbers(1, sent + 1));
  EXPECT_EQ(replies().size(), 1U);
  expect_nothing_left();
}

TEST_F(EngineSpillTest, AStoreWithoutRoomLeavesThemInMemoryAndIsAskedAgain) {
  const auto who = connect();
  store_->set_admission(Admission::later);
  int sent = 0;
  for (;; ++sent) {
    Send send;
    send.persistent = false;
    send.body = std::to_string(sent + 1);
    if (publish(who, send, std::nullopt, 1).disposition == Disposition::parked) break;
    run();
    ASSERT_LT(sent, 10'000);
  }
  EXPECT_EQ(engine_->snapshot().bytes_spilled, 0U);
  store_->set_admission(Admission::granted);
  run();
  EXPECT_GT(engine_->snapshot().bytes_spilled, 0U);
  EXPECT_EQ(replies().size(), 1U) << "spilling made room";
  EXPECT_EQ(bodies(drain("q")), numbers(1, sent + 1));
  expect_nothing_left();
}

TEST_F(EngineSpillTest, WithoutALimitForItNothingGoesToDisk) {
  open_with(0);
  const auto who = connect();
  int sent = 0;
  for (;; ++sent) {
    Send send;
    send.persistent = false;
    if (publish(who, send, std::nullopt, 1).disposition == Disposition::parked) break;
    run();
    ASSERT_LT(sent, 10'000);
  }
  EXPECT_EQ(store_->status().bytes_live, 0U);
  EXPECT_EQ(engine_->snapshot().bytes_spilled, 0U);
}

TEST_F(EngineSpillTest, ManyListsSpillTheFullestFirst) {
  const auto who = connect();
  for (int i = 0; i < 50; ++i) {
    Send small;
    small.name = "small" + std::to_string(i);
    flood(who, 1, 1, small);
  }
  Send large;
  large.name = "large";
  flood(who, 1, 1000, large);
  EXPECT_GT(view("queue://large").spilled_bytes, 0U);
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(view("queue://small" + std::to_string(i)).spilled_bytes, 0U);
  }
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(bodies(drain("small" + std::to_string(i))), numbers(1, 1));
  }
  EXPECT_EQ(bodies(drain("large")), numbers(1, 1000));
  expect_nothing_left();
}

// A consumer waits for a page of what is spilled, and another takes the last of that meanwhile.
TEST_F(EngineSpillTest, WhoWaitsForSpilledMessagesThatOthersTakeGoesOn) {
  EngineLimits limits;
  limits.memory_bytes_max = 40'000;
  limits.spilled_bytes_max = 1'000'000;
  open({}, limits);
  const auto from = connect();
  for (int i = 0; i < 30; ++i) {
    publish(from, {.body = std::string(1000, 'x'), .persistent = false, .color = "red"});
  }
  run();
  publish(from, {.body = "blue", .persistent = false, .color = "blue"});
  ASSERT_GT(engine_->snapshot().bytes_spilled, 0U);
  const auto reds = subscribe(connect(), {.prefetch = 1, .selector = "color = 'red'"});
  auto got = deliveries();
  ASSERT_EQ(got.size(), 1U);
  while (engine_->snapshot().bytes_spilled > 1500) {
    ack(reds, got[0]);
    got = deliveries();
    ASSERT_EQ(got.size(), 1U);
  }
  ASSERT_GT(engine_->snapshot().bytes_spilled, 0U) << "one is left";
  subscribe(connect(), {.selector = "color = 'blue'"});
  engine_->run(now_);  // it asks for a page
  ack(reds, got[0]);
  engine_->run(now_);  // the last one is taken
  ASSERT_EQ(engine_->snapshot().bytes_spilled, 0U);
  const auto rest = bodies(deliveries());
  EXPECT_EQ(std::count(rest.begin(), rest.end(), "blue"), 1);
}

}  // namespace
}  // namespace pabal::core
