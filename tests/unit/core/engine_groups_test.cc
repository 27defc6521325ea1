#include <map>
#include <set>

#include "tests/unit/core/engine_fixture.h"

// Message groups: who gets which, in what order, and what becomes of them when somebody leaves.

namespace pabal::core {
namespace {

class EngineGroupsTest : public EngineFixture {
 protected:
  void SetUp() override {
    EngineLimits limits;
    limits.list_window_bytes_max = 4000;
    limits.window_bytes_max = 20'000;
    open({}, limits);
  }
  struct Who {
    ConnectionDetails connection;
    SubscriptionId id{};
  };
  Who consumer(std::uint32_t prefetch = 1000, const std::string& selector = "",
               std::int32_t priority = 0) {
    Who who;
    who.connection = connect();
    Sub sub;
    sub.prefetch = prefetch;
    sub.selector = selector;
    sub.priority = priority;
    who.id = subscribe(who.connection, sub);
    return who;
  }
  void send(const std::string& group, const std::string& body, std::int32_t sequence = 0,
            bool persistent = true) {
    if (!sender_) sender_ = connect();
    Send what;
    what.body = body;
    what.group = group;
    what.group_sequence = sequence;
    what.persistent = persistent;
    ASSERT_EQ(publish(*sender_, what).disposition, Disposition::done);
  }
  void groups_max(std::uint32_t most) {
    DestinationPolicy policy;
    policy.groups_max = most;
    EngineSettings settings;
    settings.policies.set_default(std::make_shared<const DestinationPolicy>(policy));
    engine_->configure(std::move(settings), now_);
  }
  static std::string group_of(const Delivery& delivery) {
    return std::string(delivery.message->group_id());
  }
  static std::vector<Delivery> of(const std::vector<Delivery>& all, const Who& who) {
    std::vector<Delivery> some;
    for (const auto& delivery : all) {
      if (delivery.subscription == who.id) some.push_back(delivery);
    }
    return some;
  }
  void ack_all(const std::vector<Delivery>& all) {
    for (const auto& delivery : all) ack(delivery.subscription, delivery);
  }

  std::optional<ConnectionDetails> sender_;
};

TEST_F(EngineGroupsTest, EachGroupGoesToOneConsumerAndTheGroupsAreSharedOut) {
  const std::vector<Who> consumers = {consumer(), consumer(), consumer()};
  for (int i = 0; i < 500; ++i) send("g" + std::to_string(i % 100), std::to_string(i));
  std::map<std::string, std::set<SubscriptionId>> owners;
  std::map<std::string, std::vector<int>> orders;
  std::map<SubscriptionId, std::set<std::string>> owned;
  std::map<std::string, int> firsts;
  for (const auto& delivery : deliveries()) {
    const auto group = group_of(delivery);
    owners[group].insert(delivery.subscription);
    owned[delivery.subscription].insert(group);
    orders[group].push_back(std::stoi(std::string(delivery.message->body())));
    EXPECT_EQ(delivery.first_of_group, orders[group].size() == 1) << group;
    if (delivery.first_of_group) ++firsts[group];
  }
  ASSERT_EQ(owners.size(), 100U);
  for (const auto& [group, who] : owners) EXPECT_EQ(who.size(), 1U) << group;
  for (const auto& [group, order] : orders) {
    EXPECT_EQ(order.size(), 5U) << group;
    EXPECT_TRUE(std::is_sorted(order.begin(), order.end())) << group;
  }
  ASSERT_EQ(owned.size(), 3U);
  for (const auto& [who, groups] : owned) {
    EXPECT_GE(groups.size(), 33U);
    EXPECT_LE(groups.size(), 34U);
  }
  EXPECT_EQ(view("queue://q").groups, 100U);
  EXPECT_EQ(view("queue://q").consumers, 3U);
}

TEST_F(EngineGroupsTest, ABacklogIsSharedOutAsWell) {
  for (int i = 0; i < 3000; ++i) send("g" + std::to_string(i % 30), std::to_string(i));
  run();
  const std::vector<Who> consumers = {consumer(10), consumer(10), consumer(10)};
  std::map<std::string, SubscriptionId> owner;
  std::map<SubscriptionId, std::set<std::string>> owned;
  std::map<std::string, int> last;
  std::size_t count = 0;
  for (auto some = deliveries(); !some.empty(); some = deliveries()) {
    for (const auto& delivery : some) {
      ++count;
      const auto group = group_of(delivery);
      const auto known = owner.emplace(group, delivery.subscription).first;
      EXPECT_EQ(known->second, delivery.subscription) << group;
      owned[delivery.subscription].insert(group);
      const int number = std::stoi(std::string(delivery.message->body()));
      EXPECT_GT(number, last.emplace(group, -1).first->second);
      last[group] = number;
    }
    ack_all(some);
    for (const auto& who : consumers) engine_->written(who.connection.id, last_number_, now_);
  }
  EXPECT_EQ(count, 3000U);
  for (const auto& [who, groups] : owned) EXPECT_EQ(groups.size(), 10U);
  EXPECT_EQ(store_->status().bytes_live, 0U);
  EXPECT_EQ(engine_->snapshot().bytes_window, 0U);
}

// Goal: an owner that takes no more holds up its own groups, and neither others nor the disk.
TEST_F(EngineGroupsTest, AnOwnerThatTakesNoMoreHoldsUpNobody) {
  const Who slow = consumer(1);
  send("slow", "s0");
  const auto held = deliveries();
  ASSERT_EQ(bodies(held), std::vector<std::string>{"s0"});
  const Who fast = consumer(1000);
  for (int i = 1; i <= 1000; ++i) {
    send("slow", "s" + std::to_string(i));
    send(i % 3 == 0 ? "" : "fast", std::to_string(i));
    if (i % 100 == 0) {
      const auto got = deliveries();
      EXPECT_EQ(of(got, fast).size(), 100U) << i;
      EXPECT_TRUE(of(got, slow).empty());
      ack_all(got);
      engine_->written(fast.connection.id, last_number_, now_);
    }
  }
  EXPECT_EQ(view("queue://q").depth, 1001U);
  EXPECT_EQ(view("queue://q").waiting, WaitReason::group_owned);
  EXPECT_LE(engine_->snapshot().bytes_window, 20'000U);
  // And all of them come, in order, when it goes on.
  ack_all(held);
  for (int i = 1; i <= 1000; ++i) {
    const auto got = deliveries();
    ASSERT_EQ(bodies(got), std::vector<std::string>{"s" + std::to_string(i)});
    EXPECT_EQ(got[0].subscription, slow.id);
    engine_->written(slow.connection.id, last_number_, now_);
    ack_all(got);
  }
  run();
  EXPECT_EQ(view("queue://q").depth, 0U);
  EXPECT_EQ(store_->status().bytes_live, 0U);
}

TEST_F(EngineGroupsTest, TheGroupsOfOneThatLeavesGoOnInOrderWithOthers) {
  const Who first = consumer(5);
  for (int i = 0; i < 2000; ++i) send("g" + std::to_string(i % 4), std::to_string(i));
  EXPECT_EQ(deliveries().size(), 5U);
  const std::vector<Who> others = {consumer(), consumer()};
  EXPECT_TRUE(deliveries().empty()) << "all four groups are the first one's";
  engine_->disconnect(first.connection.id, now_);
  std::map<std::string, SubscriptionId> owner;
  std::map<std::string, int> next = {{"g0", 0}, {"g1", 1}, {"g2", 2}, {"g3", 3}};
  std::size_t count = 0;
  for (auto some = deliveries(); !some.empty(); some = deliveries()) {
    for (const auto& delivery : some) {
      const auto group = group_of(delivery);
      const bool is_new = owner.find(group) == owner.end();
      EXPECT_EQ(delivery.first_of_group, is_new);
      EXPECT_EQ(owner.emplace(group, delivery.subscription).first->second, delivery.subscription);
      EXPECT_EQ(delivery.message->body(), std::to_string(next[group])) << group;
      next[group] += 4;
      ++count;
      EXPECT_EQ(delivery.redelivered, delivery.deliveries > 0);
    }
    ack_all(some);
    for (const auto& who : others) engine_->written(who.connection.id, last_number_, now_);
  }
  EXPECT_EQ(count, 2000U);
  std::map<SubscriptionId, int> owned;
  for (const auto& [group, who] : owner) ++owned[who];
  EXPECT_EQ(owned.size(), 2U) << "they are shared out again";
  for (const auto& [who, groups] : owned) EXPECT_EQ(groups, 2);
}

TEST_F(EngineGroupsTest, AClosedGroupIsAnybodysWhenItsMessagesAreSettled) {
  const Who first = consumer();
  send("g", "1");
  send("g", "2", -1);
  auto got = deliveries();
  ASSERT_EQ(bodies(got), (std::vector<std::string>{"1", "2"}));
  EXPECT_TRUE(got[0].first_of_group);
  EXPECT_FALSE(got[1].first_of_group);
  const Who second = consumer();
  send("other", "x");  // the first consumer's turn is over, and the second has none yet
  ack_all(deliveries());
  // While the closed one has something, what follows goes there too, as a new group.
  send("g", "3");
  auto more = deliveries();
  ASSERT_EQ(bodies(more), std::vector<std::string>{"3"});
  EXPECT_EQ(more[0].subscription, first.id);
  EXPECT_TRUE(more[0].first_of_group);
  send("g", "4", -1);
  ack_all(got);
  ack_all(more);
  ack_all(deliveries());
  EXPECT_EQ(view("queue://q").groups, 1U) << "the other";
  // The first consumer owns none, or one as the other: the one with the fewest gets it.
  send("g", "5");
  send("h", "6");
  std::set<SubscriptionId> owners;
  for (const auto& delivery : deliveries()) {
    EXPECT_TRUE(delivery.first_of_group);
    owners.insert(delivery.subscription);
  }
  EXPECT_TRUE(owners.contains(first.id));
  (void)second;
}

// What the closed group still has waiting was passed by the shared scan; it must be found again.
TEST_F(EngineGroupsTest, WhatWaitsOfAClosedGroupIsFoundByOthers) {
  const Who slow = consumer(2);
  send("g", "1");
  send("g", "2", -1);
  const auto held = deliveries();
  ASSERT_EQ(held.size(), 2U);
  const Who fast = consumer();
  for (int i = 3; i <= 500; ++i) send("g", std::to_string(i));
  send("", "end");
  EXPECT_EQ(bodies(of(deliveries(), fast)), std::vector<std::string>{"end"});
  Sub sub;
  (void)sub;
  // It settles one, and loses its credit to another queue's worth of nothing: it just leaves.
  ack(slow.id, held[0]);
  const auto third = deliveries();
  ASSERT_EQ(bodies(third), std::vector<std::string>{"3"});
  EXPECT_EQ(third[0].subscription, slow.id);
  EXPECT_TRUE(third[0].first_of_group);
  engine_->disconnect(slow.connection.id, now_);
  std::vector<std::string> rest;
  for (auto some = deliveries(); !some.empty(); some = deliveries()) {
    for (const auto& delivery : some) rest.emplace_back(delivery.message->body());
    ack_all(some);
    engine_->written(fast.connection.id, last_number_, now_);
  }
  EXPECT_EQ(rest, numbers(2, 500));
}

TEST_F(EngineGroupsTest, WhatIsAcknowledgedInAnOpenTransactionStillHoldsItsGroup) {
  const Who first = consumer();
  const Who second = consumer();
  send("g", "1");
  send("g", "2");
  const auto got = deliveries();
  ASSERT_EQ(got.size(), 2U);
  const bool is_first = got[0].subscription == first.id;
  const Who& owner = is_first ? first : second;
  const Who& other = is_first ? second : first;
  for (const bool commits : {false, true}) {
    SCOPED_TRACE(commits);
    const auto transaction = *engine_->begin(owner.connection.id);
    if (!commits) {
      ack(owner.id, got[0], AckKind::consumed, transaction);
      ASSERT_TRUE(engine_->unsubscribe(owner.id, now_));
      send("g", "3");
      send("", "free");
      EXPECT_EQ(bodies(deliveries()), std::vector<std::string>{"free"}) << "1 may come back";
      EXPECT_EQ(view("queue://q").waiting, WaitReason::group_owned);
      engine_->rollback(transaction, now_);
      const auto back = deliveries();
      EXPECT_EQ(bodies(back), numbers(1, 3));
      EXPECT_EQ(back[0].subscription, other.id);
      EXPECT_TRUE(back[0].first_of_group);
      ack_all(back);
    } else {
      const Who third = consumer();
      send("h", "1");
      send("h", "2");
      const auto more = deliveries();
      ASSERT_EQ(more.size(), 2U);
      ASSERT_EQ(more[0].subscription, third.id) << "it has the fewest";
      const auto its = *engine_->begin(third.connection.id);
      for (const auto& delivery : more) ack(third.id, delivery, AckKind::consumed, its);
      ASSERT_TRUE(engine_->unsubscribe(third.id, now_));
      send("h", "3");
      EXPECT_TRUE(deliveries().empty());
      engine_->commit(its, 0, now_);
      EXPECT_EQ(bodies(deliveries()), std::vector<std::string>{"3"});
      engine_->rollback(transaction, now_);
    }
  }
}

TEST_F(EngineGroupsTest, BeyondTheLimitGroupsShareOwnersAndStayWhole) {
  groups_max(4);
  const std::vector<Who> consumers = {consumer(50), consumer(50), consumer(50)};
  for (int i = 0; i < 3000; ++i) send("g" + std::to_string(i * 7 % 1000), std::to_string(i));
  std::map<std::string, std::map<SubscriptionId, int>> out;
  std::map<std::string, int> last;
  std::map<SubscriptionId, int> counts;
  std::vector<Delivery> held;
  std::size_t count = 0;
  for (;;) {
    auto some = deliveries();
    for (auto& delivery : some) {
      const auto group = group_of(delivery);
      ++out[group][delivery.subscription];
      ++counts[delivery.subscription];
      EXPECT_EQ(out[group].size(), 1U) << group << " is with two";
      const int number = std::stoi(std::string(delivery.message->body()));
      EXPECT_GT(number, last.emplace(group, -1).first->second);
      last[group] = number;
      engine_->written(delivery.connection, delivery.number, now_);
      held.push_back(std::move(delivery));
      ++count;
    }
    if (held.empty()) break;
    // Some stay out for a while.
    std::vector<Delivery> kept;
    for (std::size_t i = 0; i < held.size(); ++i) {
      if (i % 5 == 0 && held.size() > 10) {
        kept.push_back(held[i]);
        continue;
      }
      const auto group = group_of(held[i]);
      if (--out[group][held[i].subscription] == 0) out[group].erase(held[i].subscription);
      ack(held[i].subscription, held[i]);
    }
    held = std::move(kept);
  }
  EXPECT_EQ(count, 3000U);
  EXPECT_LE(view("queue://q").groups, 4U);
  for (const auto& [who, number] : counts) EXPECT_GT(number, 300) << "everybody has a share";
}

TEST_F(EngineGroupsTest, AForgottenGroupIsNewAgain) {
  groups_max(2);
  const Who who = consumer();
  for (const auto* group : {"a", "b", "a", "c", "a", "b"}) {
    send(group, group);
    const auto got = deliveries();
    ASSERT_EQ(got.size(), 1U);
    ack_all(got);
    // c takes the place of b, which was not used for the longest time; then b that of c.
    const bool is_new = sequence_ != 3 && sequence_ != 5;
    EXPECT_EQ(got[0].first_of_group, is_new) << sequence_;
    run();
  }
  EXPECT_EQ(view("queue://q").groups, 2U);
  (void)who;
}

TEST_F(EngineGroupsTest, OnlyOneWhoseSelectorWantsItOwnsAGroup) {
  const Who big = consumer(1000, "JMSXGroupID LIKE 'b%'");
  const Who all = consumer(1000);
  for (int i = 0; i < 60; ++i) send((i % 2 == 0 ? "b" : "a") + std::to_string(i % 6), "x");
  for (const auto& delivery : deliveries()) {
    if (group_of(delivery)[0] != 'a') continue;
    EXPECT_EQ(delivery.subscription, all.id);
  }
  engine_->disconnect(all.connection.id, now_);
  const auto back = deliveries();
  for (const auto& delivery : back) {
    EXPECT_EQ(group_of(delivery)[0], 'b');
    EXPECT_EQ(delivery.subscription, big.id);
  }
  EXPECT_EQ(view("queue://q").waiting, WaitReason::refused);
  const Who again = consumer();
  EXPECT_EQ(deliveries().size(), 30U) << "all of the a";
  (void)again;
}

// What an owner's selector refuses waits for the next owner, who must see it.
TEST_F(EngineGroupsTest, WhatTheOwnerRefusesIsFoundWhenTheGroupIsFree) {
  const Who odd = consumer(1000, "JMSXGroupSeq <> 2");
  send("g", "1", 1);
  const auto got = deliveries();
  ASSERT_EQ(got.size(), 1U);
  EXPECT_EQ(got[0].subscription, odd.id);
  const Who all = consumer();
  send("g", "2", 2);
  send("g", "3", 3);
  send("", "free");
  const auto more = deliveries();
  EXPECT_EQ(bodies(of(more, odd)), std::vector<std::string>{"3"});
  EXPECT_EQ(bodies(of(more, all)), std::vector<std::string>{"free"});
  ack_all(got);
  ack_all(of(more, odd));
  ASSERT_TRUE(engine_->unsubscribe(odd.id, now_));
  EXPECT_EQ(bodies(deliveries()), std::vector<std::string>{"2"});
}

TEST_F(EngineGroupsTest, AfterARestartAGroupIsNewAndItsMessagesAreInOrder) {
  const Who who = consumer(3);
  for (int i = 1; i <= 10; ++i) send("g", std::to_string(i));
  const auto got = deliveries();
  ASSERT_EQ(got.size(), 3U);
  ack(who.id, got[0]);
  run();
  engine_->outbox(HomeId{}).clear();
  restart();
  sender_.reset();
  const Who one = consumer();
  const Who other = consumer();
  const auto again = deliveries();
  EXPECT_EQ(bodies(again), numbers(2, 10));
  EXPECT_TRUE(again[0].first_of_group);
  EXPECT_TRUE(again[0].redelivered);
  for (const auto& delivery : again) EXPECT_EQ(delivery.subscription, again[0].subscription);
  (void)one;
  (void)other;
}

TEST_F(EngineGroupsTest, WithoutConsumersTheGroupsAreForgotten) {
  const Who who = consumer();
  send("g", "1");
  ack_all(deliveries());
  EXPECT_EQ(view("queue://q").groups, 1U);
  engine_->disconnect(who.connection.id, now_);
  run();
  EXPECT_EQ(view("queue://q").groups, 0U);
  send("", "2");
  EXPECT_EQ(bodies(drain("q")), std::vector<std::string>{"2"});
}

TEST_F(EngineGroupsTest, GroupsOfATemporaryQueueAndItsEnd) {
  const auto owner = connect();
  const auto temporary = *engine_->create_temporary(owner.id, DestinationKind::temporary_queue);
  Sub sub;
  sub.kind = temporary.kind;
  sub.name = temporary.name;
  sub.prefetch = 1;
  const auto first = subscribe(owner, sub);
  const auto second = subscribe(owner, sub);
  const auto sender = connect();
  for (int i = 0; i < 20; ++i) {
    Send what;
    what.kind = temporary.kind;
    what.name = temporary.name;
    what.group = "g" + std::to_string(i % 3);
    publish(sender, what);
  }
  const auto got = deliveries();
  ASSERT_EQ(got.size(), 2U);
  EXPECT_NE(got[0].subscription, got[1].subscription);
  engine_->disconnect(owner.id, now_);
  run();
  EXPECT_EQ(engine_->snapshot().bytes_held, 0U);
  (void)first;
  (void)second;
}

}  // namespace
}  // namespace pabal::core
