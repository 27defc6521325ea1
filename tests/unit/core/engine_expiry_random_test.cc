#include <cstdlib>
#include <map>
#include <optional>
#include <random>

#include "tests/unit/core/engine_fixture.h"

// Durable subscriptions and a queue under random calls, with messages of which every second one
// expires: who is sent what, who has it, and when it has gone, is known exactly, whatever was in
// memory, on disk, acknowledged late or looked at before a restart.

namespace pabal::core {
namespace {

/// What expires is looked for together, so much later at most.
constexpr std::int64_t kLate = 250;

class EngineExpiryRandomTest : public EngineFixture {
 protected:
  struct Copy {
    std::int64_t expiration = 0;
    bool out = false;
  };
  struct Reader {
    std::string durable;  ///< empty: the queue
    std::map<int, Copy> copies;
    std::optional<ConnectionDetails> who;
    SubscriptionId subscription{};
    bool red_only = false;
    std::map<int, Delivery> out;
  };

  void live(unsigned seed) {
    random_.seed(seed);
    EngineLimits limits;
    limits.list_window_bytes_max = pick(2) != 0 ? 1 << 20 : 2'000 + pick(6'000);
    limits.steps_per_entry_max = pick(2) != 0 ? 4096 : 20 + static_cast<std::uint32_t>(pick(60));
    limits.late_acks_readers_min = pick(2) != 0 ? 1 : 0;
    open({}, limits);
    DestinationPolicy policy;
    policy.dead_letter.process_expired = false;
    settings_.policies.set_default(std::make_shared<const DestinationPolicy>(policy));
    engine_->configure(settings_, now_);
    readers_.clear();
    readers_.push_back({"", {}, {}, {}, false, {}});
    for (const char* name : {"a", "b", "c"}) readers_.push_back({name, {}, {}, {}, false, {}});
    readers_[3].red_only = true;
    for (auto& reader : readers_) {
      come(reader);
      leave(reader);
    }
    sender_ = connect();
    for (int i = 0; i < 60 && !HasFailure(); ++i) step();
    for (auto& reader : readers_) leave(reader);
    pass(100'000);
    check(true);
    for (auto& reader : readers_) come(reader);
    for (int i = 0; i < 500 && anybody_has_one(); ++i) {
      for (auto& reader : readers_) acknowledge(reader, 1000);
    }
    check(true);
    EXPECT_FALSE(anybody_has_one());
    engine_->tick(now_ += milliseconds(5'000));  // what is acknowledged late
    run();
    EXPECT_EQ(engine_->snapshot().bytes_held, 0U);
    EXPECT_EQ(store_->status().bytes_live, 0U);
  }

  std::size_t pick(std::size_t below) { return random_() % below; }

  void step() {
    Reader& reader = readers_[pick(readers_.size())];
    switch (pick(8)) {
      case 0:
      case 1:
        return send_some();
      case 2:
        return reader.who ? leave(reader) : come(reader);
      case 3:
      case 4:
        return acknowledge(reader, pick(40));
      case 5:
        pass(static_cast<std::int64_t>(pick(3'000)));
        return check(false);
      case 6:
        pass(5'000);
        return check(true);
      default:
        if (pick(3) == 0) start_again();
    }
  }

  void send_some() {
    for (std::size_t count = 1 + pick(120); count > 0; --count) {
      Send send;
      send.body = std::to_string(++number_);
      send.persistent = pick(3) != 0;
      send.priority = static_cast<std::uint8_t>(pick(4) == 0 ? 7 : 4);
      send.color = pick(2) != 0 ? "red" : "blue";
      if (pick(2) != 0) {
        send.expiration = to_millis(now_) + 1 + static_cast<std::int64_t>(pick(6'000));
      }
      const bool to_queue = pick(3) == 0;
      send.kind = to_queue ? DestinationKind::queue : DestinationKind::topic;
      send.name = to_queue ? "q" : "news";
      ASSERT_EQ(publish(sender_, send).disposition, Disposition::done);
      for (auto& reader : readers_) {
        if (reader.durable.empty() != to_queue) continue;
        if (reader.red_only && send.color != "red") continue;
        reader.copies[number_] = {send.expiration, false};
        persistent_[number_] = send.persistent;
      }
    }
    take();
  }

  void come(Reader& reader) {
    reader.who = connect(reader.durable.empty() ? "" : "client-" + reader.durable);
    Sub sub;
    sub.prefetch = 1 + static_cast<std::uint32_t>(pick(40));
    if (!reader.durable.empty()) {
      sub.kind = DestinationKind::topic;
      sub.name = "news";
      sub.durable = reader.durable;
      if (reader.red_only) sub.selector = "color = 'red'";
    }
    reader.subscription = subscribe(*reader.who, sub);
    take();
  }
  void leave(Reader& reader) {
    take();
    if (!reader.who) return;
    engine_->disconnect(reader.who->id, now_);
    reader.who.reset();
    for (auto& [number, delivery] : reader.out) reader.copies.at(number).out = false;
    reader.out.clear();
    take();
  }
  void acknowledge(Reader& reader, std::size_t count) {
    take();
    while (count-- > 0 && !reader.out.empty()) {
      const auto at = reader.out.begin();
      EXPECT_EQ(ack(reader.subscription, at->second).disposition, Disposition::done);
      reader.copies.erase(at->first);
      reader.out.erase(at);
    }
    take();
  }
  /// What was delivered is with whom it should be, once, and has not expired.
  void take() {
    for (const auto& delivery : deliveries()) {
      for (auto& reader : readers_) {
        if (!reader.who || reader.who->id != delivery.connection) continue;
        engine_->written(delivery.connection, delivery.number, now_);
        const int number = std::stoi(std::string(delivery.message->body()));
        ASSERT_TRUE(reader.copies.contains(number)) << number << " to " << reader.durable;
        Copy& copy = reader.copies.at(number);
        ASSERT_FALSE(copy.out) << number << " twice to " << reader.durable;
        ASSERT_TRUE(copy.expiration == 0 || copy.expiration > to_millis(now_)) << number;
        copy.out = true;
        reader.out.emplace(number, delivery);
      }
    }
  }
  void pass(std::int64_t ms) {
    advance(milliseconds(ms));
    take();
  }
  void start_again() {
    take();
    engine_->tick(now_);  // writes what is acknowledged late
    run();
    restart(store_->durable());
    engine_->configure(settings_, now_);
    sender_ = connect();
    for (auto& reader : readers_) {
      reader.who.reset();
      reader.out.clear();
      std::erase_if(reader.copies, [&](const auto& each) { return !persistent_.at(each.first); });
      for (auto& [number, copy] : reader.copies) copy.out = false;
    }
    check(false);
  }

  /// `settled`: nothing fell due just now.
  void check(bool settled) {
    for (auto& reader : readers_) {
      const std::int64_t now = to_millis(now_);
      if (settled) {
        std::erase_if(reader.copies, [&](const auto& each) {
          const Copy& copy = each.second;
          return !copy.out && copy.expiration != 0 && copy.expiration + kLate <= now;
        });
      }
      std::uint64_t sure = 0;
      for (const auto& [number, copy] : reader.copies) {
        sure += copy.out || copy.expiration == 0 || copy.expiration > now ? 1U : 0U;
      }
      const std::uint64_t depth = depth_of(reader);
      EXPECT_GE(depth, sure) << "of " << reader.durable;
      EXPECT_LE(depth, settled ? reader.copies.size() : depth) << "of " << reader.durable;
    }
  }
  std::uint64_t depth_of(const Reader& reader) {
    if (reader.durable.empty()) return view("queue://q").depth;
    for (const auto& each : engine_->durable_subscriptions(100)) {
      if (each.name == reader.durable) return each.depth;
    }
    ADD_FAILURE() << reader.durable << " has gone";
    return 0;
  }
  bool anybody_has_one() {
    for (const auto& reader : readers_) {
      if (!reader.copies.empty()) return true;
    }
    return false;
  }
  std::mt19937 random_;
  EngineSettings settings_;
  std::vector<Reader> readers_;
  std::map<int, bool> persistent_;
  ConnectionDetails sender_;
  int number_ = 0;
};

TEST_F(EngineExpiryRandomTest, NobodyLosesWhatLivesAndNobodyKeepsWhatDoesNot) {
  const char* many = std::getenv("PABAL_RANDOM_SEEDS");
  const unsigned seeds = many != nullptr ? static_cast<unsigned>(std::atoi(many)) : 150;
  for (unsigned seed = 1; seed <= seeds; ++seed) {
    live(seed);
    ASSERT_FALSE(HasFailure()) << "seed " << seed << ", steps " << limits_.steps_per_entry_max;
  }
}

}  // namespace
}  // namespace pabal::core
