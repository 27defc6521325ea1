#include <map>
#include <random>

#include "tests/unit/core/engine_fixture.h"

// Non-persistent messages that wait for durable subscriptions, and that memory has no room for:
// they go to the disk once, each subscription reads what it comes to in the list's order, and
// nothing of them survives the process.

namespace pabal::core {
namespace {

constexpr std::uint64_t kMemory = 40'000;

class EngineSpillTopicTest : public EngineFixture {
 protected:
  void SetUp() override { open_with(1ULL << 30); }
  void open_with(std::uint64_t spilled_bytes_max) {
    EngineLimits limits;
    limits.memory_bytes_max = kMemory;
    limits.spilled_bytes_max = spilled_bytes_max;
    limits.window_bytes_max = 20'000;
    limits.list_window_bytes_max = 4000;
    open({}, limits);
    sender_ = connect();
  }
  /// After a start, connections are others.
  void start_again() {
    restart(store_->submitted());
    sender_ = connect();
    run();
  }

  /// A durable subscription to topic t, with its connection.
  struct Member {
    std::string name;
    ConnectionDetails who;
    SubscriptionId subscription{};
  };
  Member come(const std::string& name, const std::string& selector = "",
              std::uint32_t prefetch = 10) {
    Member member{name, connect(name), {}};
    Sub sub;
    sub.kind = DestinationKind::topic;
    sub.name = "t";
    sub.durable = "d";
    sub.selector = selector;
    sub.prefetch = prefetch;
    member.subscription = subscribe(member.who, sub);
    return member;
  }
  void go(const Member& member) {
    engine_->disconnect(member.who.id, now_);
    run();
  }
  void make(const std::string& name, const std::string& selector = "") { go(come(name, selector)); }
  Outcome send(const std::string& body, Send send = {}) {
    send.kind = DestinationKind::topic;
    send.name = "t";
    send.body = body;
    return publish(sender_, send, std::nullopt, 1);
  }
  /// Bodies `first` to `last`, non-persistent, letting the engine work in between.
  void flood(int first, int last, Send what = {}) {
    what.persistent = false;
    for (int i = first; i <= last; ++i) {
      ASSERT_EQ(send(std::to_string(i), what).disposition, Disposition::done) << i;
      if (i % 16 == 0) run();
    }
    run();
  }
  std::vector<Delivery> take(const Member& member) {
    auto all = deliveries();
    for (const auto& each : all) EXPECT_EQ(each.connection, member.who.id);
    if (!all.empty()) engine_->written(member.who.id, all.back().number, now_);
    return all;
  }
  /// Without letting the store work.
  const std::vector<Delivery>& deliveries_so_far() { return engine_->outbox(HomeId{}).deliveries; }
  /// Acknowledges what comes until nothing does, or so many have.
  std::vector<Delivery> consume(const Member& member, std::size_t most = SIZE_MAX) {
    std::vector<Delivery> all;
    while (all.size() < most) {
      auto some = take(member);
      if (some.empty()) break;
      for (auto& delivery : some) {
        EXPECT_EQ(ack(member.subscription, delivery).disposition, Disposition::done);
        all.push_back(std::move(delivery));
      }
    }
    return all;
  }
  std::vector<std::string> collect(const std::string& name, const std::string& selector = "") {
    const auto member = come(name, selector);
    auto all = bodies(consume(member));
    go(member);
    return all;
  }
  std::uint64_t depth(const std::string& name) {
    for (const auto& view : engine_->durable_subscriptions(100)) {
      if (view.client_id == name) return view.depth;
    }
    ADD_FAILURE() << "no subscription " << name;
    return 0;
  }
  [[nodiscard]] std::uint64_t spilled() const { return engine_->snapshot().bytes_spilled; }
  [[nodiscard]] std::uint64_t held() const { return engine_->snapshot().bytes_held; }
  void expect_nothing_left() {
    engine_->tick(now_);  // what is acknowledged late
    run();
    EXPECT_EQ(held(), 0U);
    EXPECT_EQ(engine_->snapshot().bytes_window, 0U);
    EXPECT_EQ(spilled(), 0U);
    EXPECT_EQ(store_->status().bytes_live, 0U);
  }

  ConnectionDetails sender_;
};

TEST_F(EngineSpillTopicTest, WhoIsAwayGetsAllInOrder) {
  make("a");
  flood(1, 5000);
  EXPECT_LE(held(), kMemory / 2);
  EXPECT_GT(spilled(), 100'000U);
  EXPECT_EQ(depth("a"), 5000U);
  EXPECT_EQ(engine_->destinations("", 100).size(), 1U) << "the spill list is nobody's destination";
  EXPECT_EQ(collect("a"), numbers(1, 5000));
  EXPECT_EQ(depth("a"), 0U);
  expect_nothing_left();
}

TEST_F(EngineSpillTopicTest, AMessageIsOnDiskOnceHoweverManyAreAway) {
  for (const char* name : {"a", "b", "c", "d", "e"}) make(name);
  flood(1, 3000);
  const std::uint64_t live = store_->status().bytes_live;
  EXPECT_EQ(live, spilled()) << "the account is what the store has";
  for (const char* name : {"a", "b", "c", "d"}) EXPECT_EQ(collect(name), numbers(1, 3000)) << name;
  EXPECT_EQ(spilled(), live) << "one of them is still to come";
  EXPECT_EQ(collect("e"), numbers(1, 3000));
  expect_nothing_left();
}

TEST_F(EngineSpillTopicTest, WhoKeepsUpReadsNothingBackAndHoldsNothing) {
  const auto quick = come("quick", "", 1000);
  make("away");
  std::vector<std::string> seen;
  for (int i = 1; i <= 3000; ++i) {
    Send what;
    what.persistent = false;
    ASSERT_EQ(send(std::to_string(i), what).disposition, Disposition::done);
    if (i % 16 != 0) continue;
    for (auto& body : bodies(consume(quick))) seen.push_back(std::move(body));
  }
  for (auto& body : bodies(consume(quick))) seen.push_back(std::move(body));
  EXPECT_EQ(seen, numbers(1, 3000));
  EXPECT_LE(held(), kMemory / 2);
  EXPECT_GT(spilled(), 50'000U);
  // It has no part of the spill: the store keeps it for the other alone.
  const auto live = store_->status().bytes_live;
  ASSERT_TRUE(engine_->unsubscribe(quick.subscription, now_));
  ASSERT_TRUE(engine_->delete_durable("quick", "d", now_));
  run();
  EXPECT_EQ(store_->status().bytes_live, live);
  EXPECT_EQ(collect("away"), numbers(1, 3000));
  expect_nothing_left();
}

TEST_F(EngineSpillTopicTest, EachComesWhenItWasMadeAndAtItsOwnPace) {
  make("a");
  flood(1, 1000);
  make("b");
  const auto reading = come("a");
  auto first = bodies(consume(reading, 300));
  go(reading);
  flood(1001, 2000);
  make("c");
  flood(2001, 3000);
  EXPECT_EQ(collect("c"), numbers(2001, 3000));
  for (auto& body : collect("a")) first.push_back(std::move(body));
  EXPECT_EQ(first, numbers(1, 3000));
  EXPECT_EQ(collect("b"), numbers(1001, 3000));
  expect_nothing_left();
}

TEST_F(EngineSpillTopicTest, PersistentOnesAndPrioritiesKeepTheirPlaces) {
  make("a");
  make("b");
  std::vector<std::string> expected[10];
  for (int i = 0; i < 3000; ++i) {
    Send what;
    what.priority = static_cast<std::uint8_t>(i % 3 * 4);
    what.persistent = i % 5 == 0;
    ASSERT_EQ(send(std::to_string(i), what).disposition, Disposition::done);
    expected[what.priority].push_back(std::to_string(i));
    if (i % 16 == 0) run();
  }
  std::vector<std::string> all;
  for (int priority = 9; priority >= 0; --priority) {
    for (const auto& body : expected[priority]) all.push_back(body);
  }
  EXPECT_GT(spilled(), 0U);
  EXPECT_EQ(collect("a"), all);
  EXPECT_EQ(collect("b"), all);
  expect_nothing_left();
}

TEST_F(EngineSpillTopicTest, WhatASelectorRefusesIsNotPinnedByIt) {
  make("red", "color = 'red'");
  make("blue", "color = 'blue'");
  make("all");
  Send red;
  red.color = "red";
  Send blue;
  blue.color = "blue";
  for (int i = 0; i < 20; ++i) {
    flood(i * 200 + 1, i * 200 + 190, red);
    flood(i * 200 + 191, i * 200 + 200, blue);
  }
  EXPECT_EQ(depth("red"), 3800U);
  EXPECT_EQ(depth("blue"), 200U);
  EXPECT_EQ(collect("all"), numbers(1, 4000));
  EXPECT_EQ(collect("red", "color = 'red'").size(), 3800U);
  engine_->tick(now_);
  run();
  EXPECT_LT(store_->status().bytes_live, 40'000U) << "what is blue, and no more";
  std::vector<std::string> expected;
  for (int i = 0; i < 20; ++i) {
    for (auto& number : numbers(i * 200 + 191, i * 200 + 200)) expected.push_back(number);
  }
  EXPECT_EQ(collect("blue", "color = 'blue'"), expected);
  expect_nothing_left();
}

TEST_F(EngineSpillTopicTest, WhoHasNothingThereWaitsForNoPage) {
  const auto picky = come("picky", "color = 'red'");
  make("away");
  Send blue;
  blue.color = "blue";
  flood(1, 1000, blue);
  ASSERT_GT(spilled(), 0U);
  Send red;
  red.color = "red";
  red.persistent = false;
  ASSERT_EQ(send("red", red).disposition, Disposition::done);
  while (engine_->run(now_)) {
  }
  ASSERT_EQ(deliveries_so_far().size(), 1U) << "without the disk";
  EXPECT_EQ(bodies(consume(picky)), std::vector<std::string>{"red"});
  go(picky);
  EXPECT_EQ(collect("away").size(), 1001U);
  expect_nothing_left();
}

TEST_F(EngineSpillTopicTest, WhatOneHoldsForEverIsOnDiskForTheOther) {
  const auto holder = come("holder", "", 50);
  make("away");
  flood(1, 16);
  const auto out = take(holder);
  ASSERT_EQ(out.size(), 16U);
  flood(17, 3000);
  const auto more = take(holder);
  EXPECT_EQ(bodies(more), numbers(17, 50));
  EXPECT_LE(held(), kMemory / 2);
  // Not what the other takes meanwhile, nor what the holder gives back, is lost or comes twice.
  EXPECT_EQ(collect("away"), numbers(1, 3000));
  for (std::size_t i = 0; i < 8; ++i) ack(holder.subscription, out[i]);
  go(holder);
  const auto back = come("holder");
  const auto rest = consume(back);
  EXPECT_EQ(bodies(rest), numbers(9, 3000));
  EXPECT_TRUE(rest.front().redelivered);
  EXPECT_FALSE(rest.back().redelivered);
  go(back);
  expect_nothing_left();
}

TEST_F(EngineSpillTopicTest, WhatWasReadBackIsGivenBackMarkedAndToItsOwnerAlone) {
  make("a");
  make("b");
  flood(1, 1000);
  const auto reading = come("a", "", 50);
  EXPECT_EQ(bodies(take(reading)), numbers(1, 50));
  go(reading);
  EXPECT_EQ(collect("b"), numbers(1, 1000));
  const auto again = come("a");
  const auto all = consume(again);
  EXPECT_EQ(bodies(all), numbers(1, 1000));
  EXPECT_TRUE(all[49].redelivered);
  EXPECT_FALSE(all[50].redelivered);
  go(again);
  expect_nothing_left();
}

TEST_F(EngineSpillTopicTest, WhatExpiresOnDiskGoesForEverybodyWithoutAConsumer) {
  make("a");
  make("b");
  Send mortal;
  mortal.expiration = now_.time_since_epoch().count() + 1000;
  flood(1, 1000, mortal);
  flood(1001, 1500);
  ASSERT_GT(spilled(), 0U);
  const auto reading = come("b");
  EXPECT_EQ(bodies(consume(reading, 100)), numbers(1, 100));
  go(reading);
  advance(milliseconds{5000});
  EXPECT_EQ(depth("a"), 500U);
  EXPECT_EQ(depth("b"), 500U);
  EXPECT_EQ(collect("a"), numbers(1001, 1500));
  EXPECT_EQ(collect("b"), numbers(1001, 1500));
  expect_nothing_left();
}

TEST_F(EngineSpillTopicTest, WhatExpiredInMemoryWhileItWasOutDoesNotComeBackFromDisk) {
  const auto holder = come("holder", "", 20);
  make("away");
  Send mortal;
  mortal.expiration = now_.time_since_epoch().count() + 1000;
  flood(1, 20, mortal);
  const auto out = take(holder);
  ASSERT_EQ(out.size(), 20U);
  advance(milliseconds{5000});
  EXPECT_EQ(depth("away"), 0U) << "in memory for the holder alone";
  flood(21, 2000);
  ASSERT_GT(spilled(), 0U);
  EXPECT_EQ(collect("away"), numbers(21, 2000));
  for (const auto& each : out) ack(holder.subscription, each);
  EXPECT_EQ(bodies(consume(holder)), numbers(21, 2000));
  go(holder);
  expect_nothing_left();
}

TEST_F(EngineSpillTopicTest, WhatIsOutToOneExpiresOnDiskForTheOtherOnce) {
  const auto holder = come("holder", "", 50);
  make("away");
  Send mortal;
  mortal.expiration = now_.time_since_epoch().count() + 1000;
  flood(1, 50, mortal);
  const auto out = take(holder);
  ASSERT_EQ(out.size(), 50U);
  flood(51, 2000);
  ASSERT_GT(spilled(), 0U);
  advance(milliseconds{5000});
  EXPECT_EQ(depth("away"), 1950U);
  EXPECT_EQ(depth("holder"), 2000U);
  EXPECT_EQ(collect("away"), numbers(51, 2000));
  for (const auto& each : out) ack(holder.subscription, each);
  EXPECT_EQ(bodies(consume(holder)), numbers(51, 2000));
  go(holder);
  expect_nothing_left();
}

TEST_F(EngineSpillTopicTest, ADeletedSubscriptionTakesItsPartAlong) {
  make("a");
  make("b");
  flood(1, 1000);
  make("late");
  flood(1001, 2000);
  const auto live = store_->status().bytes_live;
  ASSERT_TRUE(engine_->delete_durable("a", "d", now_));
  run();
  EXPECT_EQ(store_->status().bytes_live, live);
  EXPECT_EQ(spilled(), live);
  ASSERT_TRUE(engine_->delete_durable("b", "d", now_));
  run();
  EXPECT_LT(store_->status().bytes_live, live * 2 / 3);
  EXPECT_EQ(spilled(), store_->status().bytes_live);
  // A page of it is under way when it goes.
  const auto reading = come("late");
  (void)engine_->run(now_);
  ASSERT_TRUE(deliveries_so_far().empty());
  ASSERT_TRUE(engine_->unsubscribe(reading.subscription, now_));
  ASSERT_TRUE(engine_->delete_durable("late", "d", now_));
  expect_nothing_left();
  EXPECT_TRUE(deliveries().empty());
}

TEST_F(EngineSpillTopicTest, WhatIsKeptForTheConnectedOnlyGoesWithTheConnection) {
  make("away");
  const auto who = connect("session");
  SubscribeOptions options;
  options.interests.push_back({Destination{DestinationKind::topic, "t"}, "", false});
  options.ack_mode = AckMode::explicit_;
  options.prefetch = 10;
  options.durable_name = "d";
  options.volatile_when_active = true;
  Member session{"session", who, *engine_->subscribe(who.id, options, now_)};
  flood(1, 1000);
  ASSERT_EQ(send("stays").disposition, Disposition::done);
  EXPECT_EQ(bodies(consume(session, 100)), numbers(1, 100));
  const auto live = store_->status().bytes_live;
  go(session);
  EXPECT_EQ(depth("session"), 1U);
  EXPECT_EQ(store_->status().bytes_live, live) << "the other one still comes to it";
  flood(1001, 1100);
  session.who = connect("session");
  session.subscription = *engine_->subscribe(session.who.id, options, now_);
  flood(1101, 2000);
  auto expected = numbers(1101, 2000);
  expected.insert(expected.begin(), "stays");
  EXPECT_EQ(bodies(consume(session)), expected);
  go(session);
  expected = numbers(1, 2000);
  expected.insert(expected.begin() + 1000, "stays");
  EXPECT_EQ(collect("away"), expected);
  expect_nothing_left();
}

TEST_F(EngineSpillTopicTest, NothingSpilledSurvivesAndEverythingPersistentDoes) {
  make("a");
  make("b");
  flood(1, 1000);
  for (int i = 1; i <= 10; ++i) ASSERT_EQ(send(std::to_string(i)).disposition, Disposition::done);
  flood(1001, 2000);
  const auto reading = come("b");
  consume(reading, 200);
  start_again();
  EXPECT_EQ(depth("a"), 10U);
  EXPECT_EQ(depth("b"), 10U);
  EXPECT_EQ(spilled(), 0U);
  EXPECT_EQ(collect("a"), numbers(1, 10));
  EXPECT_EQ(collect("b"), numbers(1, 10));
  expect_nothing_left();
  // Their numbers go on above those of before.
  flood(1, 1000);
  EXPECT_EQ(collect("a"), numbers(1, 1000));
  EXPECT_EQ(collect("b"), numbers(1, 1000));
  expect_nothing_left();
}

TEST_F(EngineSpillTopicTest, OverTheLimitProducersWaitAndGoOnWhenTheSlowestHasRead) {
  open_with(20'000);
  make("a");
  make("b");
  Send what;
  what.persistent = false;
  int sent = 0;
  while (send(std::to_string(sent + 1), what).disposition != Disposition::parked) {
    if (sent++ % 16 == 0) run();
    ASSERT_LT(sent, 10'000);
  }
  run();
  EXPECT_LE(spilled(), 20'000U);
  EXPECT_GT(spilled(), 19'000U);
  EXPECT_LE(held(), kMemory);
  EXPECT_EQ(engine_->snapshot().connections_parked, 1U);
  const auto all = numbers(1, sent + 1);
  const auto reading = come("a");
  auto read = bodies(consume(reading));
  go(reading);
  EXPECT_EQ(engine_->snapshot().connections_parked, 1U) << "b still has all of it";
  EXPECT_EQ(collect("b"), all);
  for (auto& body : collect("a")) read.push_back(std::move(body));
  EXPECT_EQ(read, all);
  EXPECT_EQ(replies().size(), 1U);
  expect_nothing_left();
}

TEST_F(EngineSpillTopicTest, AStoreWithoutRoomLeavesThemInMemoryAndIsAskedAgain) {
  make("a");
  store_->set_admission(Admission::later);
  Send what;
  what.persistent = false;
  int sent = 0;
  while (send(std::to_string(sent + 1), what).disposition != Disposition::parked) {
    run();
    ASSERT_LT(++sent, 10'000);
  }
  EXPECT_EQ(spilled(), 0U);
  store_->set_admission(Admission::granted);
  run();
  EXPECT_GT(spilled(), 0U);
  EXPECT_EQ(replies().size(), 1U) << "spilling made room";
  EXPECT_EQ(collect("a"), numbers(1, sent + 1));
  expect_nothing_left();
}

TEST_F(EngineSpillTopicTest, WhatATransactionSentSpillsToo) {
  make("a");
  make("b");
  std::vector<std::string> expected;
  for (int round = 0; round < 40; ++round) {
    const auto transaction = engine_->begin(sender_.id);
    ASSERT_TRUE(transaction);
    for (int i = 0; i < 20; ++i) {
      Send what;
      what.kind = DestinationKind::topic;
      what.name = "t";
      what.persistent = i % 2 == 0;
      what.body = std::to_string(round * 20 + i);
      expected.push_back(what.body);
      ASSERT_EQ(publish(sender_, what, *transaction).disposition, Disposition::done);
    }
    ASSERT_EQ(engine_->commit(*transaction, 0, now_).disposition, Disposition::done);
    run();
  }
  EXPECT_GT(spilled(), 0U);
  EXPECT_EQ(collect("a"), expected);
  EXPECT_EQ(collect("b"), expected);
  expect_nothing_left();
}

TEST_F(EngineSpillTopicTest, AThousandSubscriptionsShareIt) {
  constexpr int kReaders = 1000;
  for (int i = 0; i < kReaders; ++i) make("r" + std::to_string(i));
  flood(1, 600);
  EXPECT_GT(spilled(), 0U);
  EXPECT_EQ(store_->status().bytes_live, spilled());
  EXPECT_EQ(collect("r0"), numbers(1, 600));
  EXPECT_EQ(collect("r999"), numbers(1, 600));
  for (int i = 0; i < kReaders; ++i) {
    ASSERT_TRUE(engine_->delete_durable("r" + std::to_string(i), "d", now_));
  }
  expect_nothing_left();
}

/// Members come, take, hold, give back, leave and are deleted at random, while messages of both
/// kinds go to the disk. Each sees what it must, in order, and in the end nothing is left.
class EngineSpillTopicRandomTest : public EngineSpillTopicTest,
                                   public ::testing::WithParamInterface<unsigned> {
 protected:
  struct Expected {
    std::string selector;
    std::optional<Member> here{};
    std::vector<int> waiting{};  ///< in order, but for what was given back
    std::vector<Delivery> out{};
  };
  bool one_in(unsigned n) { return random_() % n == 0; }

  void send_some() {
    for (unsigned i = random_() % 200; i > 0; --i) {
      Send what;
      what.persistent = one_in(4);
      what.color = one_in(2) ? "red" : "blue";
      const int number = ++sent_;
      const bool done = send(std::to_string(number), what).disposition == Disposition::done;
      ASSERT_TRUE(done);
      for (auto& [name, member] : members_) {
        if (member.selector.empty() || member.selector == "color = '" + what.color + "'") {
          member.waiting.push_back(number);
        }
      }
      if (one_in(8)) run();
    }
  }
  void take_all() {
    for (auto& delivery : deliveries()) {
      for (auto& [name, member] : members_) {
        if (!member.here || member.here->who.id != delivery.connection) continue;
        const int number = std::stoi(std::string(delivery.message->body()));
        ASSERT_FALSE(member.waiting.empty()) << name << " got " << number;
        ASSERT_EQ(member.waiting.front(), number) << name;
        member.waiting.erase(member.waiting.begin());
        engine_->written(delivery.connection, delivery.number, now_);
        member.out.push_back(delivery);
        break;
      }
    }
  }
  void ack_some(Expected& member) {
    std::shuffle(member.out.begin(), member.out.end(), random_);
    for (std::size_t i = random_() % (member.out.size() + 1); i > 0; --i) {
      ASSERT_EQ(ack(member.here->subscription, member.out.back()).disposition, Disposition::done);
      member.out.pop_back();
    }
  }
  /// What it did not acknowledge comes again, first.
  void leave(Expected& member) {
    engine_->disconnect(member.here->who.id, now_);
    member.here.reset();
    for (const auto& delivery : member.out) {
      member.waiting.push_back(std::stoi(std::string(delivery.message->body())));
    }
    member.out.clear();
    std::sort(member.waiting.begin(), member.waiting.end());
  }
  void act(const std::string& name) {
    auto at = members_.find(name);
    if (at == members_.end()) {
      const char* selectors[] = {"", "", "color = 'red'", "color = 'blue'"};
      at = members_.emplace(name, Expected{selectors[random_() % 4]}).first;
      at->second.here = come(name, at->second.selector, 1 + random_() % 40);
      return;
    }
    Expected& member = at->second;
    if (!member.here) {
      if (one_in(20)) {
        ASSERT_TRUE(engine_->delete_durable(name, "d", now_));
        members_.erase(at);
      } else if (one_in(2)) {
        member.here = come(name, member.selector, 1 + random_() % 40);
      }
      return;
    }
    ack_some(member);
    if (one_in(4)) {
      take_all();
      leave(member);
    }
  }

  std::mt19937 random_{GetParam()};
  std::map<std::string, Expected> members_;
  int sent_ = 0;
};

TEST_P(EngineSpillTopicRandomTest, EachSeesItsOwnInOrder) {
  std::uint64_t most = 0;
  for (int step = 0; step < 80 && !HasFatalFailure(); ++step) {
    send_some();
    act(std::string(1, static_cast<char>('a' + random_() % 6)));
    take_all();
    for (const auto& [name, member] : members_) {
      ASSERT_EQ(depth(name), member.waiting.size() + member.out.size()) << name;
    }
    most = std::max(most, spilled());
    if (one_in(10)) engine_->tick(now_);
    if (one_in(20)) {
      for (auto& [name, member] : members_) {
        for (int i = 0; i < 500 && member.here && !member.waiting.empty(); ++i) {
          for (; !member.out.empty(); member.out.pop_back()) {
            ack(member.here->subscription, member.out.back());
          }
          take_all();
        }
      }
    }
  }
  EXPECT_GT(most, 20'000U) << "hardly anything was spilled: this shows nothing";
  for (auto& [name, member] : members_) {
    if (member.here) leave(member);
  }
  for (auto& [name, member] : members_) {
    std::vector<std::string> expected;
    for (const int number : member.waiting) expected.push_back(std::to_string(number));
    ASSERT_EQ(collect(name, member.selector), expected) << name;
  }
  expect_nothing_left();
}

INSTANTIATE_TEST_SUITE_P(Seeds, EngineSpillTopicRandomTest, ::testing::Range(1U, 7U));

}  // namespace
}  // namespace pabal::core
