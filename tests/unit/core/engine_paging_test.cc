#include "tests/unit/core/engine_fixture.h"

namespace pabal::core {
namespace {

class EnginePagingTest : public EngineFixture {
 protected:
  void SetUp() override {
    EngineLimits limits;
    limits.list_window_bytes_max = 4000;
    limits.window_bytes_max = 20'000;
    open({}, limits);
  }
};

TEST_F(EnginePagingTest, ADeepQueueComesBackInOrderAndCostsNoMemory) {
  const auto who = connect();
  fill(who, 5000);
  run();
  EXPECT_LE(engine_->snapshot().bytes_window, 4000U);
  EXPECT_EQ(engine_->snapshot().bytes_held, 0U);
  EXPECT_EQ(bodies(drain("q")), numbers(1, 5000));
  EXPECT_EQ(store_->status().bytes_live, 0U);
  EXPECT_EQ(engine_->snapshot().bytes_window, 0U);
}

TEST_F(EnginePagingTest, PersistentNonPersistentAndPrioritiesKeepTheirOrder) {
  const auto who = connect();
  std::vector<std::string> expected[10];
  for (int i = 0; i < 3000; ++i) {
    Send send;
    send.priority = static_cast<std::uint8_t>(i % 3 * 4);
    send.persistent = i % 5 != 0;
    send.body = std::to_string(i);
    publish(who, send);
    expected[send.priority].push_back(send.body);
  }
  std::vector<std::string> all;
  for (int priority = 9; priority >= 0; --priority) {
    for (const auto& body : expected[priority]) all.push_back(body);
  }
  EXPECT_EQ(bodies(drain("q")), all);
}

TEST_F(EnginePagingTest, SendingGoesOnWhileADeepQueueIsRead) {
  const auto who = connect();
  fill(who, 1000);
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
      if (sent < 1500) {
        Send send;
        send.body = std::to_string(++sent);
        publish(who, send);
      }
    }
    engine_->written(who.id, last_number_, now_);
  }
  EXPECT_EQ(all, numbers(1, 1500));
}

TEST_F(EnginePagingTest, DurableSubscribersReadAtTheirOwnPace) {
  auto slow = connect("slow");
  auto fast = connect("fast");
  Sub sub;
  sub.kind = DestinationKind::topic;
  sub.name = "t";
  sub.durable = "d";
  auto slow_subscription = subscribe(slow, sub);
  const auto fast_subscription = subscribe(fast, sub);
  ASSERT_TRUE(engine_->unsubscribe(slow_subscription, now_));
  std::vector<std::string> fast_got;
  for (int i = 1; i <= 2000; ++i) {
    Send send;
    send.kind = DestinationKind::topic;
    send.name = "t";
    send.body = std::to_string(i);
    publish(slow, send);
    for (const auto& delivery : deliveries()) {
      fast_got.emplace_back(delivery.message->body());
      ack(fast_subscription, delivery);
    }
    engine_->written(fast.id, last_number_, now_);
  }
  EXPECT_EQ(fast_got, numbers(1, 2000));
  EXPECT_LE(engine_->snapshot().bytes_window, 4000U);
  sub.prefetch = 10;
  slow_subscription = subscribe(slow, sub);
  std::vector<std::string> slow_got;
  for (;;) {
    const auto got = deliveries();
    if (got.empty()) break;
    for (const auto& delivery : got) {
      slow_got.emplace_back(delivery.message->body());
      ack(slow_subscription, delivery);
    }
    engine_->written(slow.id, last_number_, now_);
  }
  EXPECT_EQ(slow_got, numbers(1, 2000));
  EXPECT_EQ(store_->status().bytes_live, 0U);
}

TEST_F(EnginePagingTest, ManyQueuesShareTheWindow) {
  const auto who = connect();
  for (int q = 0; q < 200; ++q) fill(who, 10, "q" + std::to_string(q));
  run();
  EXPECT_LE(engine_->snapshot().bytes_window, 20'000U);
  for (int q = 0; q < 200; ++q) EXPECT_EQ(bodies(drain("q" + std::to_string(q))), numbers(1, 10));
}

TEST_F(EnginePagingTest, AConsumerThatLeavesInMidPageLosesNothing) {
  const auto who = connect();
  fill(who, 500);
  for (int round = 0; round < 5; ++round) {
    const auto visitor = connect();
    Sub sub;
    sub.prefetch = 20;
    subscribe(visitor, sub);
    EXPECT_EQ(bodies(deliveries()), numbers(1, 20));
    engine_->disconnect(visitor.id, now_);
  }
  const auto all = drain("q");
  EXPECT_EQ(bodies(all), numbers(1, 500));
  EXPECT_EQ(all[0].deliveries, 5U);
  EXPECT_FALSE(all[100].redelivered);
}

/// The more waits, the farther ahead it is marked: with a sync for each block a consumer that has
/// once fallen behind would take no more in a second than the disk syncs blocks.
TEST_F(EnginePagingTest, ABacklogInMemoryIsTakenWithinAFewSyncs) {
  store::MemoryStoreOptions options;
  options.manual_durability = true;
  open(options, {});
  const auto who = connect();
  fill(who, 4000);
  store_->make_durable(store_->submitted());
  run();
  Sub sub;
  sub.prefetch = 10'000;
  subscribe(who, sub);
  std::size_t taken = 0;
  int syncs = 0;
  while (taken < 4000) {
    ASSERT_LT(++syncs, 5);
    taken += deliveries().size();
    store_->make_durable(store_->submitted());
  }
  // A crash marks what may have been delivered, and nothing that was sent later.
  engine_->disconnect(who.id, now_);
  run();
  restart(store_->submitted());
  const auto again = connect();
  Send late;
  late.body = "late";
  for (int i = 0; i < 300; ++i) publish(again, late);
  store_->make_durable(store_->submitted());
  subscribe(again, sub);
  for (int round = 0; round < 10; ++round) {
    for (const auto& delivery : deliveries()) {
      EXPECT_EQ(delivery.redelivered, delivery.message->body() != "late");
    }
    store_->make_durable(store_->submitted());
  }
}

TEST_F(EnginePagingTest, WhoReadsABacklogLeavesEveryEntryRoomForOthers) {
  EngineLimits limits;
  limits.list_window_bytes_max = 64 << 10;
  open({}, limits);
  const auto who = connect();
  Send send;
  send.body = std::string(1000, '.');
  for (int i = 0; i < 5000; ++i) {
    publish(who, send);
    if (i % 100 == 0) run();
  }
  run();
  const auto lagging = connect();
  Sub sub;
  sub.prefetch = 100'000;
  sub.mode = AckMode::automatic;
  const auto reader = subscribe(lagging, sub);
  const auto prompt = connect();
  sub.name = "other";
  const auto other = subscribe(prompt, sub);
  std::size_t read = 0;
  std::size_t largest = 0;
  for (int entry = 0; read < 4000; ++entry) {
    ASSERT_LT(entry, 1000);
    Send note;
    note.name = "other";
    publish(who, note);
    engine_->run(now_);
    std::vector<Delivery> taken;
    taken.swap(engine_->outbox(HomeId{}).deliveries);
    const auto of = [&](SubscriptionId id) {
      return static_cast<std::size_t>(std::count_if(
          taken.begin(), taken.end(), [&](const auto& each) { return each.subscription == id; }));
    };
    EXPECT_EQ(of(other), 1U) << "new messages do not wait for the backlog";
    largest = std::max(largest, of(reader));
    read += of(reader);
    for (const auto& delivery : taken) {
      engine_->written(delivery.connection, delivery.number, now_);
    }
    store_->deliver();
  }
  EXPECT_GT(largest, 10U);
  EXPECT_LT(largest, 100U) << "64 KB of them";
}

class EngineUnsyncedPagingTest : public EngineFixture {
 protected:
  void SetUp() override {
    store::MemoryStoreOptions options;
    options.manual_durability = true;
    EngineLimits limits;
    limits.list_window_bytes_max = 4000;
    open(options, limits);
    who_ = connect();
    for (int i = 1; i <= 500; ++i) {
      Send send;
      send.body = std::to_string(i);
      send.color = i % 2 == 0 ? "even" : "odd";
      publish(who_, send);
    }
    sync();
  }
  void sync() {
    store_->make_durable(store_->submitted());
    run();
  }
  ConnectionDetails who_;
};

TEST_F(EngineUnsyncedPagingTest, APageDoesNotWaitForWhatIsNew) {
  fill(who_, 1);
  subscribe(who_, {});
  engine_->run(now_);
  ASSERT_EQ(store_->pages_waiting(), 1U);
  store_->deliver_pages();
  EXPECT_EQ(store_->pages_waiting(), 0U);
}

TEST_F(EngineUnsyncedPagingTest, APageWaitsForWhatIsAcknowledgedInTheMiddle) {
  Sub sub;
  sub.selector = "color = 'even'";
  const auto selective = subscribe(who_, sub);
  engine_->run(now_);
  store_->deliver_pages();
  sync();
  auto even = deliveries();
  while (even.empty()) {
    sync();
    even = deliveries();
  }
  for (const auto& delivery : even) ack(selective, delivery);
  ASSERT_TRUE(engine_->unsubscribe(selective, now_));

  subscribe(who_, {});
  engine_->run(now_);
  ASSERT_EQ(store_->pages_waiting(), 1U);
  store_->deliver_pages();
  EXPECT_EQ(store_->pages_waiting(), 1U) << "it would bring them again";
  std::vector<std::string> odd;
  for (int round = 0; round < 10; ++round) {
    sync();
    for (const auto& delivery : deliveries()) odd.emplace_back(delivery.message->body());
  }
  ASSERT_FALSE(odd.empty());
  for (const auto& delivery : even) {
    EXPECT_EQ(std::count(odd.begin(), odd.end(), delivery.message->body()), 0);
  }
}

/// What left memory before it was stored is on its way: its page must have it.
TEST_F(EngineUnsyncedPagingTest, APageWaitsForWhatLeftMemoryUnsynced) {
  fill(who_, 300);
  run();
  subscribe(who_, {});
  std::vector<Delivery> got;
  for (int round = 0; round < 10; ++round) {
    for (auto& delivery : deliveries()) got.push_back(delivery);
    sync();
  }
  ASSERT_EQ(got.size(), 800U);
  got.erase(got.begin(), got.begin() + 500);
  EXPECT_EQ(bodies(got), numbers(1, 300));
}

}  // namespace
}  // namespace pabal::core
