#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "core/engine.h"
#include "store/memory/memory_store.h"

namespace pabal::core {

/// An engine on a memory store, with short names for what tests do. Time stands still unless moved.
class EngineFixture : public ::testing::Test, public StoreListener {
 protected:
  void open(store::MemoryStoreOptions options = {}, EngineLimits limits = {}) {
    limits_ = limits;
    store_ = std::make_unique<store::MemoryStore>(options);
    store_->set_listener(this);
    engine_ = std::make_unique<Engine>(*store_, limits_, 1);
  }
  void SetUp() override { open(); }

  /// The process dies and starts again; what is durable (or `survives`) is there.
  void restart(Ticket survives = kNoTicket) {
    engine_.reset();
    store_->restart(survives);
    engine_ = std::make_unique<Engine>(*store_, limits_, 1);
  }

  ConnectionDetails connect(std::string client_id = "") {
    ConnectOptions options;
    options.client_id = std::move(client_id);
    options.remote = "tcp://test";
    auto connected = engine_->connect(options);
    EXPECT_TRUE(connected) << (connected ? "" : connected.error().text);
    return *connected;
  }

  struct Send {
    DestinationKind kind = DestinationKind::queue;
    std::string name = "q";
    std::string body = "x";
    bool persistent = true;
    std::uint8_t priority = 4;
    std::int64_t expiration = 0;
    std::string color{};  ///< a string property; empty: none
    std::string group{};  ///< JMSXGroupID; empty: none
    std::int32_t group_sequence = 0;
  };
  MessageRef message(const ConnectionDetails& from, const Send& send) {
    MessageBuilder builder;
    builder.destination_kind = send.kind;
    builder.destination_name = send.name;
    builder.persistent = send.persistent;
    builder.priority = send.priority;
    builder.expiration = send.expiration;
    builder.origin = from.origin;
    builder.sequence = ++sequence_;
    builder.group_id = send.group;
    builder.group_sequence = send.group_sequence;
    builder.body_kind = BodyKind::text;
    builder.body = send.body;
    if (!send.color.empty()) builder.add_string("color", send.color);
    return *builder.build();
  }
  Outcome publish(const ConnectionDetails& from, const Send& send,
                  std::optional<TransactionId> transaction = std::nullopt, ReplyToken token = 0) {
    return engine_->publish(from.id, message(from, send), transaction, token, now_);
  }
  /// Sends bodies "1", "2", … to queue `name`.
  void fill(const ConnectionDetails& from, int count, const std::string& name = "q",
            bool persistent = true) {
    for (int i = 1; i <= count; ++i) {
      Send send;
      send.name = name;
      send.body = std::to_string(i);
      send.persistent = persistent;
      ASSERT_EQ(publish(from, send).disposition, Disposition::done);
    }
  }

  struct Sub {
    DestinationKind kind = DestinationKind::queue;
    std::string name = "q";
    AckMode mode = AckMode::explicit_;
    std::uint32_t prefetch = 1000;
    std::string durable{};
    bool no_local = false;
    std::int32_t priority = 0;
    std::string selector{};
    bool exclusive = false;
  };
  Result<SubscriptionId> try_subscribe(const ConnectionDetails& who, const Sub& sub) {
    SubscribeOptions options;
    options.interests.push_back({Destination{sub.kind, sub.name}, sub.selector, sub.no_local});
    options.ack_mode = sub.mode;
    options.prefetch = sub.prefetch;
    options.durable_name = sub.durable;
    options.consumer_priority = sub.priority;
    options.exclusive = sub.exclusive;
    return engine_->subscribe(who.id, options, now_);
  }
  SubscriptionId subscribe(const ConnectionDetails& who, const Sub& sub) {
    auto subscribed = try_subscribe(who, sub);
    EXPECT_TRUE(subscribed) << (subscribed ? "" : subscribed.error().text);
    return subscribed ? *subscribed : SubscriptionId{};
  }

  /// Runs the engine and the store until nothing moves, then takes the deliveries.
  std::vector<Delivery> deliveries() {
    run();
    std::vector<Delivery> taken;
    taken.swap(engine_->outbox(HomeId{}).deliveries);
    for (const auto& delivery : taken) last_number_ = std::max(last_number_, delivery.number);
    return taken;
  }
  void run() {
    for (int i = 0; i < 1000; ++i) {
      const bool more = engine_->run(now_);
      store_->deliver();
      if (!more && !moved_) return;
      moved_ = false;
    }
    FAIL() << "the engine does not come to rest";
  }
  /// Lets so much time pass, with a tick whenever the engine wants one.
  void advance(milliseconds by) {
    const TimePoint end = now_ + by;
    for (int ticks = 0;; ++ticks) {
      ASSERT_LT(ticks, 1'000'000) << "the engine plans in the past";
      run();
      const auto next = engine_->next_timer();
      if (!next || *next > end) break;
      now_ = std::max(now_, *next);
      engine_->tick(now_);
    }
    now_ = end;
    engine_->tick(now_);
    run();
  }
  static std::vector<std::string> bodies(const std::vector<Delivery>& deliveries) {
    std::vector<std::string> bodies;
    for (const auto& delivery : deliveries) bodies.emplace_back(delivery.message->body());
    return bodies;
  }
  Outcome ack(SubscriptionId subscription, const Delivery& delivery,
              AckKind kind = AckKind::consumed,
              std::optional<TransactionId> transaction = std::nullopt) {
    return engine_->acknowledge(subscription, {delivery.id, delivery.id}, kind, "", transaction,
                                now_);
  }
  std::vector<Reply> replies() {
    run();
    std::vector<Reply> taken;
    taken.swap(engine_->outbox(HomeId{}).replies);
    return taken;
  }
  DestinationSnapshot view(const std::string& text) {
    for (auto& snapshot : engine_->destinations("", 1'000'000)) {
      if (snapshot.destination.to_text() == text) return snapshot;
    }
    ADD_FAILURE() << "no destination " << text;
    return {};
  }
  /// Everything that waits in a queue, consumed.
  std::vector<Delivery> drain(const std::string& name) {
    const auto who = connect();
    Sub sub;
    sub.name = name;
    sub.prefetch = 10;
    const auto subscription = subscribe(who, sub);
    std::vector<Delivery> all;
    for (;;) {
      auto some = deliveries();
      if (some.empty()) break;
      for (auto& delivery : some) {
        engine_->written(who.id, delivery.number, now_);
        EXPECT_EQ(ack(subscription, delivery).disposition, Disposition::done);
        all.push_back(std::move(delivery));
      }
    }
    engine_->disconnect(who.id, now_);
    return all;
  }

  // StoreListener; the store calls it from run() only.
  void durable_advanced() noexcept override {
    moved_ = true;
    engine_->durable_advanced(now_);
  }
  void page_loaded(Page page) noexcept override {
    moved_ = true;
    engine_->page_loaded(std::move(page), now_);
  }
  void space_changed() noexcept override {
    moved_ = true;
    engine_->space_changed(now_);
  }
  void failed(Error error) noexcept override { ADD_FAILURE() << error.text; }

  EngineLimits limits_;
  std::unique_ptr<store::MemoryStore> store_;
  std::unique_ptr<Engine> engine_;
  TimePoint now_ = from_millis(1'000'000);
  std::uint64_t sequence_ = 0;
  std::uint64_t last_number_ = 0;
  bool moved_ = false;
};

inline std::vector<std::string> numbers(int first, int last) {
  std::vector<std::string> all;
  for (int i = first; i <= last; ++i) all.push_back(std::to_string(i));
  return all;
}

}  // namespace pabal::core
