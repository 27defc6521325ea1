// Everything that decides who gets a queue's messages, at once and at random: groups, priorities,
// exclusive consumers, selectors, redeliveries, dead letters, expiry, spilling, operators' commands
// and new settings while all of it is at work. Whatever happens, each message is consumed once.

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/unit/core/engine_fixture.h"

namespace pabal::core {
namespace {

class EngineMixRandomTest : public EngineFixture {
 protected:
  std::uint64_t below(std::uint64_t end) { return random_() % end; }
  bool one_in(std::uint64_t count) { return below(count) == 0; }
  static Destination queue(const std::string& name) { return {DestinationKind::queue, name}; }
  static std::string key_of(const Delivery& delivery) {
    const std::string body(delivery.message->body());
    return body.substr(0, body.find(' '));
  }
  bool is_browser(SubscriptionId id) const { return browsers_.contains(raw(id)); }

  void choose_settings() {
    DestinationPolicy policy;
    if (!one_in(4)) {
      RedeliveryPolicy redelivery;
      redelivery.maximum_redeliveries = -1;
      redelivery.initial_delay = milliseconds(one_in(3) ? 0 : below(3000));
      redelivery.delay = milliseconds(below(2000));
      redelivery.collision_avoidance = one_in(2);
      policy.redelivery = redelivery;
    }
    policy.groups_max = one_in(3) ? 2 : 1024;
    policy.strict_order_dispatch = one_in(3);
    policy.all_consumers_exclusive = one_in(5);
    policy.use_consumer_priority = !one_in(4);
    EngineSettings settings;
    settings.policies.set_default(std::make_shared<const DestinationPolicy>(policy));
    CompositeDestination composite;
    composite.name = queue("c");
    composite.forward_to = {{queue("a"), ""}};
    settings.virtuals.composites.push_back(composite);
    engine_->configure(std::move(settings), now_);
  }

  void send_some() {
    for (auto count = 1 + below(20); count > 0; --count) {
      Send send;
      send.name = one_in(8) ? "c" : one_in(3) ? "b" : "a";
      const auto key = std::to_string(++sends_);
      send.body = key + std::string(below(200), ' ');
      send.persistent = !one_in(3);
      if (one_in(3)) send.priority = static_cast<std::uint8_t>(below(10));
      if (one_in(2)) send.color = one_in(2) ? "red" : "blue";
      if (one_in(2)) send.group = "g" + std::to_string(below(6));
      if (one_in(10)) send.group_sequence = -1;
      if (one_in(5)) send.expiration = to_millis(now_) + 1 + static_cast<std::int64_t>(below(4000));
      const auto outcome = publish(producer_, send);
      if (outcome.disposition == Disposition::done && send.persistent) {
        wanted_.insert(key);
      } else if (outcome.disposition != Disposition::failed && send.expiration == 0) {
        wanted_in_this_life_.insert(key);
      }
    }
  }

  void add_consumer() {
    if (consumers_.size() > 6) return;
    consumers_.push_back(connect());
    for (auto count = 1 + below(2); count > 0; --count) {
      SubscribeOptions options;
      const std::string color = one_in(2) ? "color = 'red'" : "color = 'blue'";
      options.interests.push_back({queue(one_in(3) ? "b" : "a"), one_in(3) ? color : "", false});
      options.ack_mode = AckMode::explicit_;
      options.prefetch = one_in(3) ? 1 : static_cast<std::uint32_t>(1 + below(10));
      options.consumer_priority = static_cast<std::int32_t>(below(3));
      options.exclusive = one_in(8);
      options.browser = one_in(6);
      const auto made = engine_->subscribe(consumers_.back().id, options, now_);
      ASSERT_TRUE(made) << made.error().text;
      if (options.browser) browsers_.insert(raw(*made));
      const bool takes_all = options.interests[0].selector.empty();
      if (!options.browser) {
        takers_.push_back({consumers_.back().id, options.interests[0].destination.to_text(),
                           takes_all, options.exclusive || !takes_all});
      }
    }
  }

  void remove_consumer() {
    if (consumers_.empty()) return;
    const auto at = consumers_.begin() + static_cast<std::ptrdiff_t>(below(consumers_.size()));
    engine_->disconnect(at->id, now_);
    std::erase_if(out_, [&](const Delivery& delivery) { return delivery.connection == at->id; });
    std::erase_if(takers_, [&](const Taker& taker) { return taker.connection == at->id; });
    consumers_.erase(at);
  }

  void command_something() {
    QueueTaskOptions options;
    options.command = one_in(2) ? QueueCommand::move : QueueCommand::retry;
    options.queue = queue(options.command == QueueCommand::retry ? "ActiveMQ.DLQ"
                          : one_in(2)                            ? "a"
                                                                 : "b");
    options.to = queue(options.queue.name == "a" ? "b" : "a");
    if (one_in(2)) options.selector = "color = 'red'";
    if (one_in(2)) options.limit = 1 + below(20);
    const auto id = engine_->start_task(options, now_);
    if (!id || one_in(2)) return;  // goes on by itself
    run();
    (void)engine_->take_task(*id);
  }

  /// The process dies; what is not persistent goes with it.
  void die() {
    restart();
    wanted_in_this_life_.clear();
    consumers_.clear();
    out_.clear();
    browsers_.clear();
    takers_.clear();
    choose_settings();
    producer_ = connect();
  }

  AckKind choose_kind() {
    if (!one_in(4)) return AckKind::consumed;
    return one_in(2) ? AckKind::requeued : AckKind::poisoned;
  }

  void settle_some() {
    for (auto count = below(30); count > 0 && !out_.empty(); --count) {
      const auto at = one_in(3) ? below(out_.size()) : 0;
      const Delivery delivery = out_[at];
      out_.erase(out_.begin() + static_cast<std::ptrdiff_t>(at));
      engine_->written(delivery.connection, delivery.number, now_);
      const bool browsed = is_browser(delivery.subscription);
      const AckKind kind = browsed ? AckKind::consumed : choose_kind();
      const auto outcome = ack(delivery.subscription, delivery, kind);
      EXPECT_EQ(outcome.disposition, Disposition::done);
      if (kind == AckKind::consumed && !browsed) ++consumed_[key_of(delivery)];
    }
  }

  void settle_in_transaction() {
    if (consumers_.empty()) return;
    const auto who = consumers_[below(consumers_.size())].id;
    const auto transaction = engine_->begin(who);
    ASSERT_TRUE(transaction);
    std::vector<std::pair<Delivery, AckKind>> settled;
    for (const auto& delivery : out_) {
      if (delivery.connection != who || is_browser(delivery.subscription) || one_in(3)) continue;
      settled.emplace_back(delivery, choose_kind());
      ack(delivery.subscription, delivery, settled.back().second, *transaction);
    }
    if (one_in(2)) {
      EXPECT_EQ(engine_->rollback(*transaction, now_).disposition, Disposition::done);
      return;
    }
    EXPECT_EQ(engine_->commit(*transaction, 0, now_).disposition, Disposition::done);
    for (const auto& [delivery, kind] : settled) {
      if (kind == AckKind::consumed) ++consumed_[key_of(delivery)];
      std::erase_if(out_, [&, &gone = delivery](const Delivery& other) {
        return other.subscription == gone.subscription && other.id == gone.id;
      });
    }
  }

  void step() {
    const auto what = below(32);
    if (what < 8) {
      send_some();
    } else if (what < 12) {
      add_consumer();
    } else if (what < 14) {
      remove_consumer();
    } else if (what == 14) {
      choose_settings();
    } else if (what == 15) {
      command_something();
    } else if (what < 18) {
      advance(milliseconds(below(1500)));
    } else if (what == 18) {
      settle_in_transaction();
    } else if (what == 19 && may_die_ && one_in(3)) {
      die();
    } else {
      settle_some();
    }
    for (auto& delivery : deliveries()) {
      if (delivery.message) out_.push_back(std::move(delivery));
    }
  }

  void begin(std::uint64_t seed) {
    random_.seed(seed);
    sends_ = 0;
    now_ = from_millis(1'000'000);
    consumers_.clear();
    out_.clear();
    browsers_.clear();
    takers_.clear();
    wanted_.clear();
    wanted_in_this_life_.clear();
    consumed_.clear();
    EngineLimits limits;
    limits.list_window_bytes_max = one_in(2) ? 2000 : 100'000;
    limits.window_bytes_max = one_in(2) ? 6000 : 1'000'000;
    limits.memory_bytes_max = one_in(2) ? 0 : 20'000 + below(100'000);
    limits.spilled_bytes_max = one_in(2) ? 0 : 1'000'000;
    limits.steps_per_entry_max = one_in(3) ? 7 : 4096;
    limits.parked_bytes_max = 1 << 30;
    limits.delayed_max = one_in(4) ? 5 : 1'000'000;
    may_die_ = one_in(2);
    open({}, limits);
    choose_settings();
    producer_ = connect();
  }

  /// Who is there takes all that it may have, before anybody comes whose scan begins anew.
  void let_them_finish() {
    engine_->configure({}, now_);
    for (int round = 0; round < 20; ++round) {
      advance(milliseconds(5000));
      do {
        for (auto& delivery : deliveries()) {
          if (delivery.message) out_.push_back(std::move(delivery));
        }
        for (const auto& delivery : std::exchange(out_, {})) {
          engine_->written(delivery.connection, delivery.number, now_);
          ack(delivery.subscription, delivery);
          if (!is_browser(delivery.subscription)) ++consumed_[key_of(delivery)];
        }
        run();
      } while (!engine_->outbox(HomeId{}).deliveries.empty());
    }
    for (const auto& each : engine_->destinations("", 100)) {
      const auto text = each.destination.to_text();
      const bool somebody = std::any_of(takers_.begin(), takers_.end(), [&](const Taker& taker) {
        return taker.takes_all && taker.queue == text;
      });
      const bool kept_away = std::any_of(takers_.begin(), takers_.end(), [&](const Taker& taker) {
        return taker.keeps_away && taker.queue == text;
      });
      if (!somebody || kept_away) continue;
      EXPECT_EQ(each.depth, 0U) << text << ": not taken";
    }
  }

  void drain_everything() {
    for (const auto& who : consumers_) engine_->disconnect(who.id, now_);
    for (int round = 0; round < 30; ++round) {  // the longest delay, and the turns of who waits
      for (const char* name : {"a", "b", "c", "ActiveMQ.DLQ"}) {
        for (const auto& delivery : drain(name)) ++consumed_[key_of(delivery)];
      }
      advance(milliseconds(5000));
    }
  }

  void check() {
    wanted_.insert(wanted_in_this_life_.begin(), wanted_in_this_life_.end());
    for (const auto& key : wanted_) EXPECT_TRUE(consumed_.contains(key)) << "lost: " << key;
    for (const auto& [key, times] : consumed_) EXPECT_EQ(times, 1) << key;
    const auto snapshot = engine_->snapshot();
    EXPECT_EQ(snapshot.bytes_held, 0U);
    EXPECT_EQ(snapshot.bytes_window, 0U);
    EXPECT_EQ(snapshot.bytes_spilled, 0U);
    EXPECT_EQ(store_->status().bytes_live, 0U);
    for (const auto& each : engine_->destinations("", 100)) {
      EXPECT_EQ(each.depth, 0U) << each.destination.to_text();
      EXPECT_EQ(each.depth_bytes, 0U) << each.destination.to_text();
      EXPECT_EQ(each.in_flight, 0U) << each.destination.to_text();
      EXPECT_EQ(each.held_bytes, 0U) << each.destination.to_text();
    }
  }

  struct Taker {
    ConnectionId connection{};
    std::string queue;
    bool takes_all = false;
    /// What it does not take, others may not get either: it is exclusive, or owns groups of which
    /// its selector does not want all.
    bool keeps_away = false;
  };

  std::mt19937_64 random_;
  ConnectionDetails producer_;
  std::vector<ConnectionDetails> consumers_;
  std::vector<Delivery> out_;
  std::set<std::uint64_t> browsers_;
  std::vector<Taker> takers_;
  bool may_die_ = false;
  std::uint64_t sends_ = 0;
  std::set<std::string> wanted_;
  std::set<std::string> wanted_in_this_life_;
  std::map<std::string, int> consumed_;
};

TEST_F(EngineMixRandomTest, EveryMessageIsConsumedOnce) {
  for (std::uint64_t seed = 1; seed <= 300 && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    begin(seed);
    for (auto steps = 60 + below(150); steps > 0 && !HasFailure(); --steps) step();
    let_them_finish();
    drain_everything();
    check();
  }
}

}  // namespace
}  // namespace pabal::core
