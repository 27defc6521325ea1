#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/engine.h"
#include "protocols/session.h"
#include "protocols/stomp/session.h"
#include "store/memory/memory_store.h"
#include "tests/support/wire.h"

namespace pabal::tests {

/// A whole broker without sockets, threads or clock: engine, memory store, and STOMP sessions that
/// are fed bytes, in the order in which the server does it.
class StompBroker final : public core::StoreListener {
 public:
  struct Peer {
    std::unique_ptr<protocols::Session> session;
    std::unique_ptr<Wire> wire;
    std::vector<core::Delivery> undelivered;  ///< encoding is on hold (hold_deliveries)
    bool gone = false;
  };

  explicit StompBroker(store::MemoryStoreOptions store = {}, core::EngineLimits limits = {},
                       stomp::SessionOptions options = {});
  ~StompBroker() override;

  /// A new connection; its number.
  std::size_t accept();
  /// Bytes from the client in one read: decode, apply, encode, until nothing is left to do.
  void receive(std::size_t peer, std::string_view bytes);
  /// Only decode; settle() does the rest.
  void decode(std::size_t peer, std::string_view bytes);
  /// Enters the engine until nothing is left to do.
  void settle();
  /// The client is gone without DISCONNECT.
  void drop(std::size_t peer);
  /// Makes everything submitted durable and tells everybody.
  void sync();
  /// Dies and starts again with what is durable. All connections are gone.
  void restart();
  void advance(core::milliseconds time) { now_ += time; }
  /// Expiry and the like.
  void tick();

  Peer& peer(std::size_t number) { return peers_[number]; }
  std::string take(std::size_t number) { return peers_[number].wire->take(); }
  core::Engine& engine() { return *engine_; }
  store::MemoryStore& store() { return *store_; }
  stomp::SessionOptions& options() { return options_; }
  [[nodiscard]] core::TimePoint now() const { return now_; }
  /// The server would tell the engine at once what the socket took; not while this is set.
  bool socket_blocked = false;

  void durable_advanced() noexcept override {}
  void page_loaded(core::Page page) noexcept override { pages_.push_back(std::move(page)); }
  void space_changed() noexcept override { space_changed_ = true; }
  void failed(core::Error) noexcept override {}

 private:
  bool enter();
  bool encode();

  std::unique_ptr<store::MemoryStore> store_;
  core::EngineLimits limits_;
  stomp::SessionOptions options_;
  std::unique_ptr<core::Engine> engine_;
  stomp::FrameCache cache_;
  std::vector<Peer> peers_;
  std::vector<core::Page> pages_;
  bool space_changed_ = false;
  core::TimePoint now_ = core::from_millis(1'700'000'000'000);
};

}  // namespace pabal::tests
