#pragma once

#include <atomic>
#include <fcntl.h>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <unistd.h>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "core/engine.h"
#include "server/engine_gate.h"
#include "server/event_loop.h"
#include "server/listener.h"
#include "server/logger.h"
#include "store/memory/memory_store.h"
#include "tests/unit/server/line_session.h"
#include "tests/unit/server/test_client.h"

namespace pabal::server {

/// A memory store, and the test is told of each push.
class PushedStore final : public core::Store {
 public:
  using OnPush = std::function<core::Pushed(store::MemoryStore& store, core::Writer writer,
                                            core::Ticket overdue)>;

  PushedStore(store::MemoryStore& store, OnPush on_push)
      : store_(store), on_push_(std::move(on_push)) {}

  core::Pushed push(core::Ticket /*wanted*/, core::Writer writer, core::Ticket overdue) override {
    return on_push_ ? on_push_(store_, writer, overdue) : core::Pushed{};
  }
  core::RecoveredState recovered() override { return store_.recovered(); }
  std::uint64_t epoch() const noexcept override { return store_.epoch(); }
  core::Admission admit(std::uint64_t bytes, core::Purpose purpose) override {
    return store_.admit(bytes, purpose);
  }
  void release(std::uint64_t bytes) override { store_.release(bytes); }
  std::string refusal() const override { return store_.refusal(); }
  core::Ticket append(std::span<core::StoreOp> ops) override { return store_.append(ops); }
  bool cancel(core::Ticket ticket, core::ListId list) override {
    return store_.cancel(ticket, list);
  }
  core::Ticket submitted() const noexcept override { return store_.submitted(); }
  core::Ticket durable() const noexcept override { return store_.durable(); }
  void read(const core::PageRequest& request) override { store_.read(request); }
  core::StoreStatus status() const override { return store_.status(); }

 private:
  store::MemoryStore& store_;
  const OnPush on_push_;
};

/// Loops, gate, engine and memory store with one listener that speaks LineSession.
struct LoopSetup {
  std::uint32_t loops = 1;
  bool manual_durability = false;  ///< the test says what is durable: make_durable()
  Protocol protocol = Protocol::stomp;
  std::uint32_t connections_max = 0;
  core::milliseconds connect_timeout{30'000};
  core::EngineLimits limits;
  PushedStore::OnPush on_push;  ///< at the end of each turn: what Store::push() says then
};

class LoopRig {
 public:
  explicit LoopRig(const LoopSetup& setup = {})
      : log_(::open("/dev/null", O_WRONLY | O_CLOEXEC)),
        logger_(LogLevel::debug, log_),
        gate_(logger_, setup.loops) {
    store::MemoryStoreOptions options;
    options.manual_durability = setup.manual_durability;
    store_ = std::make_unique<store::MemoryStore>(options);
    std::vector<EventLoop*> loops;
    for (std::uint32_t i = 0; i < setup.loops; ++i) {
      EventLoop::Options loop_options;
      loop_options.ticks = i == 0;
      loops_.push_back(std::make_unique<EventLoop>(core::HomeId{i}, gate_, logger_, loop_options));
      loops.push_back(loops_.back().get());
    }
    if (setup.manual_durability) {
      store_->set_listener(&gate_);
    } else {
      store_->start(gate_);
    }
    pushed_ = std::make_unique<PushedStore>(*store_, setup.on_push);
    engine_ = std::make_unique<core::Engine>(*pushed_, setup.limits, setup.loops);
    gate_.attach(*engine_, *pushed_);

    endpoint_.name = "test";
    endpoint_.scheme = "tcp";
    endpoint_.protocol = setup.protocol;
    endpoint_.connections_max = setup.connections_max;
    endpoint_.connect_timeout = setup.connect_timeout;
    endpoint_.message_bytes_max = 1 << 20;
    endpoint_.budget = &budget_;
    endpoint_.make_session = [this](Protocol protocol, const protocols::PeerInfo& peer) {
      last_protocol_ = protocol;
      return std::make_unique<LineSession>(peer);
    };
    ListenerConfig config;
    config.name = "test";
    config.host = "127.0.0.1";
    listener_ = std::make_unique<Listener>(endpoint_, loops, logger_);
    EXPECT_TRUE(listener_->open(config, 128).has_value());
    for (const auto& loop : loops_) loop->start();
    listener_->start();
  }

  ~LoopRig() {
    for (const auto& loop : loops_) loop->stop();
    engine_.reset();
    store_->stop();
    ::close(log_);
  }

  /// What the newest session was made for.
  [[nodiscard]] Protocol last_protocol() const { return last_protocol_; }
  [[nodiscard]] std::uint16_t port() const { return listener_->port(); }
  EngineGate& gate() { return gate_; }
  Endpoint& endpoint() { return endpoint_; }
  EventLoop& loop(std::size_t i = 0) { return *loops_[i]; }
  store::MemoryStore& store() { return *store_; }

  core::EngineSnapshot snapshot() {
    return gate_.inspect([](const core::Engine& engine) { return engine.snapshot(); });
  }
  /// Everything submitted so far becomes durable, and the gate hears of it.
  void make_durable() {
    store_->make_durable(store_->submitted());
    store_->deliver();
  }
  /// Waits until `condition` holds; false after ten seconds.
  template <class Condition>
  static bool eventually(Condition condition) {
    for (int i = 0; i < 2000; ++i) {
      if (condition()) return true;
      ::usleep(5000);
    }
    return false;
  }
  std::future<void> drain(core::milliseconds patience) {
    boost::asio::post(loops_.front()->context(), [this] { listener_->close(); });
    return loops_.front()->drain("stopping", patience);
  }

 private:
  const int log_;
  Logger logger_;
  std::atomic<Protocol> last_protocol_{Protocol::other};
  ConnectionBudget budget_;
  Endpoint endpoint_;
  EngineGate gate_;
  std::unique_ptr<store::MemoryStore> store_;
  std::unique_ptr<PushedStore> pushed_;
  std::vector<std::unique_ptr<EventLoop>> loops_;
  std::unique_ptr<core::Engine> engine_;
  std::unique_ptr<Listener> listener_;
};

}  // namespace pabal::server
