#include <algorithm>
#include <cstdlib>
#include <map>
#include <random>
#include <set>

#include "tests/unit/core/engine_fixture.h"

// Goal: whatever consumers do, a group is in the hands of one at a time, its messages are handed
// out in their order, and nothing waits that somebody could have. Method: a random walk over sends,
// consumers, acknowledgements, transactions and restarts beside a model that knows for each message
// where it is, and for each group whose it must be. PABAL_RANDOM_SEEDS sets how many are walked.

namespace pabal::core {
namespace {

class EngineGroupsRandomTest : public EngineFixture {
 protected:
  struct Message {
    std::string group;
    int priority = 4;
    bool red = false;
    bool closes = false;
    bool persistent = true;
    enum class Is { waiting, out, in_transaction, done } is = Is::waiting;
    std::uint64_t with = 0;  ///< serial of the consumer
    bool delivered = false;
  };
  struct Consumer {
    std::uint64_t serial = 0;
    ConnectionDetails connection;
    std::optional<SubscriptionId> subscription;  ///< none: it has unsubscribed
    std::uint32_t prefetch = 1;
    bool red_only = false;
    std::optional<TransactionId> transaction;
    std::map<int, Delivery> out;
    std::vector<int> acknowledged;  ///< in the transaction

    [[nodiscard]] bool takes_more() const { return subscription && out.size() < prefetch; }
  };
  struct Group {
    std::uint64_t owner = 0;  ///< zero: nobody
    bool closed = false;
    std::set<int> out;
  };

  void start(std::uint64_t seed) {
    seed_ = seed;
    random_.seed(seed);
    EngineLimits limits;
    limits.list_window_bytes_max = pick({1, 1500, 100'000});
    limits.window_bytes_max = pick({1, 5000, 100'000});
    limits.steps_per_entry_max = static_cast<std::uint32_t>(pick({3, 50, 4096}));
    open({}, limits);
    policy_.groups_max = static_cast<std::uint32_t>(pick({0, 3, 1024, 1024, 1024}));
    policy_.strict_order_dispatch = chance(10);
    selectors_ = chance(40);
    configure();
    producer_ = connect();
    messages_.clear();
    consumers_.clear();
    groups_.clear();
    last_.clear();
  }
  void configure() {
    EngineSettings settings;
    settings.policies.set_default(std::make_shared<const DestinationPolicy>(policy_));
    engine_->configure(std::move(settings), now_);
  }
  bool chance(unsigned percent) { return random_() % 100 < percent; }
  std::uint64_t pick(std::initializer_list<std::uint64_t> all) {
    return *(all.begin() + random_() % all.size());
  }
  [[nodiscard]] bool exact() const { return policy_.groups_max == 1024; }

  // --- what happens ------------------------------------------------------------------------------
  void send() {
    const int number = static_cast<int>(messages_.size());
    Message& made = messages_.emplace_back();
    if (!chance(15)) made.group = "g" + std::to_string(random_() % 7);
    made.priority = chance(20) ? 7 : 4;
    made.red = chance(50);
    made.persistent = chance(75);
    made.closes = !made.group.empty() && chance(8);
    Send what;
    what.body = std::to_string(number);
    what.group = made.group;
    what.group_sequence = made.closes ? -1 : 0;
    what.priority = static_cast<std::uint8_t>(made.priority);
    what.color = made.red ? "red" : "blue";
    what.persistent = made.persistent;
    publish(producer_, what);
  }
  void come() {
    if (consumers_.size() >= 5) return;
    Consumer consumer;
    consumer.serial = ++serials_;
    consumer.connection = connect();
    consumer.prefetch = static_cast<std::uint32_t>(pick({1, 3, 20, 1000}));
    consumer.red_only = selectors_ && chance(40);
    Sub sub;
    sub.prefetch = consumer.prefetch;
    if (consumer.red_only) sub.selector = "color = 'red'";
    consumer.subscription = subscribe(consumer.connection, sub);
    consumers_.emplace(consumer.serial, std::move(consumer));
  }
  /// A message is with nobody any more.
  void settled(int number, Message::Is is) {
    Message& message = messages_[static_cast<std::size_t>(number)];
    message.is = is;
    message.with = 0;
    if (message.group.empty()) return;
    Group& group = groups_[message.group];
    group.out.erase(number);
    if (group.out.empty() && group.closed) group = Group{};
  }
  void forget_owner(std::uint64_t serial) {
    for (auto& [name, group] : groups_) {
      if (group.owner != serial) continue;
      group.owner = 0;
      group.closed = false;
    }
  }
  void leave(Consumer& consumer) {
    if (consumer.subscription && consumer.transaction && chance(50)) {
      ASSERT_TRUE(engine_->unsubscribe(*consumer.subscription, now_));
      consumer.subscription.reset();
      for (const auto& [number, delivery] : consumer.out) settled(number, Message::Is::waiting);
      consumer.out.clear();
      forget_owner(consumer.serial);
      return;
    }
    engine_->disconnect(consumer.connection.id, now_);
    for (const auto& [number, delivery] : consumer.out) settled(number, Message::Is::waiting);
    for (const int number : consumer.acknowledged) settled(number, Message::Is::waiting);
    forget_owner(consumer.serial);
    consumers_.erase(consumer.serial);
  }
  void acknowledge(Consumer& consumer) {
    for (auto left = 1 + random_() % 6; left > 0 && !consumer.out.empty(); --left) {
      const auto at = std::next(consumer.out.begin(),
                                static_cast<std::ptrdiff_t>(random_() % consumer.out.size()));
      const int number = at->first;
      const Delivery delivery = at->second;
      consumer.out.erase(at);
      if (consumer.transaction && chance(60)) {
        ack(*consumer.subscription, delivery, AckKind::consumed, consumer.transaction);
        messages_[static_cast<std::size_t>(number)].is = Message::Is::in_transaction;
        consumer.acknowledged.push_back(number);
      } else if (chance(12)) {
        ack(*consumer.subscription, delivery, AckKind::requeued);
        settled(number, Message::Is::waiting);
      } else {
        ack(*consumer.subscription, delivery);
        settled(number, Message::Is::done);
      }
    }
  }
  void transact(Consumer& consumer) {
    if (!consumer.transaction) {
      if (consumer.subscription) consumer.transaction = *engine_->begin(consumer.connection.id);
      return;
    }
    const bool commits = chance(50);
    if (commits) {
      engine_->commit(*consumer.transaction, 0, now_);
    } else {
      engine_->rollback(*consumer.transaction, now_);
    }
    consumer.transaction.reset();
    const auto acknowledged = std::exchange(consumer.acknowledged, {});
    for (const int number : acknowledged) {
      if (commits) {
        settled(number, Message::Is::done);
      } else if (consumer.subscription && rolled_back_delivery(consumer, number)) {
        messages_[static_cast<std::size_t>(number)].is = Message::Is::out;
      } else {
        settled(number, Message::Is::waiting);
      }
    }
    if (consumer.subscription) return;
    engine_->disconnect(consumer.connection.id, now_);
    consumers_.erase(consumer.serial);
  }
  /// It is out again, with the same consumer.
  bool rolled_back_delivery(Consumer& consumer, int number) {
    const auto at = deliveries_.find(number);
    consumer.out[number] = at->second;
    return true;
  }
  void restart_all() {
    run();
    engine_->outbox(HomeId{}).clear();
    restart();
    configure();
    producer_ = connect();
    consumers_.clear();
    groups_.clear();
    for (auto& message : messages_) {
      if (message.is == Message::Is::done) continue;
      message.is = message.persistent ? Message::Is::waiting : Message::Is::done;
      message.with = 0;
    }
  }

  // --- what must hold ----------------------------------------------------------------------------
  void take() {
    for (auto& delivery : deliveries()) {
      const int number = std::stoi(std::string(delivery.message->body()));
      const auto found = std::find_if(consumers_.begin(), consumers_.end(), [&](const auto& each) {
        return each.second.subscription == delivery.subscription;
      });
      ASSERT_NE(found, consumers_.end()) << where(number);
      Consumer& consumer = found->second;
      Message& message = messages_[static_cast<std::size_t>(number)];
      engine_->written(consumer.connection.id, delivery.number, now_);
      ASSERT_EQ(message.is, Message::Is::waiting) << where(number);
      ASSERT_TRUE(consumer.takes_more()) << where(number);
      ASSERT_TRUE(message.red || !consumer.red_only) << where(number);
      check_order(number, message, consumer);
      if (!message.group.empty()) check_group(number, message, consumer, delivery);
      if (HasFatalFailure()) return;
      message.is = Message::Is::out;
      message.with = consumer.serial;
      message.delivered = true;
      deliveries_[number] = delivery;
      consumer.out[number] = std::move(delivery);
    }
  }
  void check_order(int number, const Message& message, const Consumer&) {
    if (message.delivered) return;
    const bool red = selectors_ && message.red;  // one that wants red goes ahead of the others
    auto& last = last_.emplace(std::tuple(message.group, message.priority, red), -1).first->second;
    ASSERT_GT(number, last) << where(number);
    last = number;
  }
  void check_group(int number, const Message& message, const Consumer& consumer,
                   const Delivery& delivery) {
    Group& group = groups_[message.group];
    for (const int other : group.out) {
      ASSERT_EQ(messages_[static_cast<std::size_t>(other)].with, consumer.serial)
          << where(number) << " while " << other << " is with another";
    }
    if (exact()) {
      ASSERT_TRUE(group.owner == 0 || group.owner == consumer.serial) << where(number);
      ASSERT_EQ(delivery.first_of_group, group.owner == 0 || group.closed) << where(number);
    }
    group.owner = consumer.serial;
    group.closed = message.closes;
    group.out.insert(number);
  }
  /// At rest, what waits has nobody who could have it.
  void check_waiting() {
    for (std::size_t i = 0; i < messages_.size(); ++i) {
      const Message& message = messages_[i];
      if (message.is != Message::Is::waiting) continue;
      const auto could = [&](const Consumer& consumer) {
        return consumer.takes_more() && (message.red || !consumer.red_only);
      };
      if (!message.group.empty()) {
        const Group& group = groups_[message.group];
        if (group.owner == 0 && !group.out.empty()) continue;
        const auto owner = consumers_.find(group.owner);
        if (owner != consumers_.end()) {
          ASSERT_FALSE(exact() && could(owner->second)) << where(static_cast<int>(i));
          continue;
        }
        if (!exact()) continue;  // its bucket may be somebody's
      }
      for (const auto& [serial, consumer] : consumers_) {
        ASSERT_FALSE(could(consumer)) << where(static_cast<int>(i)) << " and " << serial;
      }
    }
  }
  [[nodiscard]] std::string where(int number) const {
    const Message& message = messages_[static_cast<std::size_t>(number)];
    return "seed " + std::to_string(seed_) + ": message " + std::to_string(number) +
           " of group \"" + message.group + "\"";
  }

  void step() {
    const auto any = [&]() -> Consumer* {
      if (consumers_.empty()) return nullptr;
      return &std::next(consumers_.begin(),
                        static_cast<std::ptrdiff_t>(random_() % consumers_.size()))
                  ->second;
    };
    const auto dice = random_() % 100;
    if (dice < 30) {
      for (auto left = random_() % 25; left > 0; --left) send();
    } else if (dice < 40) {
      come();
    } else if (dice < 44) {
      if (Consumer* consumer = any()) leave(*consumer);
    } else if (dice < 90) {
      if (Consumer* consumer = any(); consumer != nullptr && consumer->subscription) {
        acknowledge(*consumer);
      }
    } else if (dice < 99) {
      if (Consumer* consumer = any()) transact(*consumer);
    } else {
      restart_all();
    }
  }

  std::uint64_t seed_ = 0;
  std::mt19937_64 random_;
  DestinationPolicy policy_;
  bool selectors_ = false;
  ConnectionDetails producer_;
  std::vector<Message> messages_;
  std::map<std::uint64_t, Consumer> consumers_;
  std::map<std::string, Group> groups_;
  std::map<std::tuple<std::string, int, bool>, int> last_;
  std::map<int, Delivery> deliveries_;
  std::uint64_t serials_ = 0;
};

TEST_F(EngineGroupsRandomTest, OneOwnerAtATimeInOrderAndNobodyWaitsInVain) {
  std::uint64_t seeds = 60;
  if (const char* wanted = std::getenv("PABAL_RANDOM_SEEDS"))
    seeds = std::strtoull(wanted, nullptr, 10);
  std::uint64_t first = 1;
  if (const char* wanted = std::getenv("PABAL_RANDOM_SEED")) {
    first = seeds = std::strtoull(wanted, nullptr, 10);
  }
  for (std::uint64_t seed = first; seed <= seeds; ++seed) {
    start(seed);
    for (int i = 0; i < 300; ++i) {
      step();
      if (HasFatalFailure()) return;
      take();
      if (HasFatalFailure()) return;
      check_waiting();
      if (HasFatalFailure()) return;
    }
    while (!consumers_.empty()) {
      engine_->disconnect(consumers_.begin()->second.connection.id, now_);
      consumers_.erase(consumers_.begin());
    }
    run();
    EXPECT_EQ(view("queue://q").groups, 0U) << "seed " << seed;
    std::size_t left = 0;
    for (const auto& message : messages_) left += message.is != Message::Is::done ? 1 : 0;
    EXPECT_EQ(drain("q").size(), left) << "seed " << seed;
    EXPECT_EQ(store_->status().bytes_live, 0U) << "seed " << seed;
    EXPECT_EQ(engine_->snapshot().bytes_held, 0U) << "seed " << seed;
    EXPECT_EQ(engine_->snapshot().bytes_window, 0U) << "seed " << seed;
    EXPECT_EQ(view("queue://q").in_flight, 0U) << "seed " << seed;
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace pabal::core
