#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/engine.h"
#include "protocols/openwire/loop_cache.h"
#include "protocols/openwire/session.h"
#include "protocols/session.h"
#include "store/memory/memory_store.h"
#include "tests/support/wire.h"

namespace pabal::tests {

/// A whole broker without sockets, threads or clock: engine, memory store, and OpenWire sessions
/// that are fed bytes, in the order in which the server does it.
class OpenWireBroker final : public core::StoreListener {
 public:
  struct Peer {
    std::unique_ptr<protocols::Session> session;
    std::unique_ptr<Wire> wire;
    bool gone = false;
  };

  explicit OpenWireBroker(core::EngineLimits limits, openwire::SessionOptions options);
  ~OpenWireBroker() override;

  /// A new connection; its number.
  std::size_t accept();
  /// Bytes from the client in one read; they take effect with the next settle().
  void decode(std::size_t peer, std::string_view bytes);
  /// Enters the engine until nothing is left to do.
  void settle();
  /// The client is gone without a word.
  void drop(std::size_t peer);
  /// The broker says goodbye, as when it stops.
  void dismiss(std::size_t peer);
  /// What the session does by its timer, if nothing came or went for so long.
  void wait(std::size_t peer, core::milliseconds idle_in, core::milliseconds idle_out);
  /// Makes everything submitted durable and tells everybody.
  void sync();
  /// Dies and starts again with what is durable. All connections are gone.
  void restart();
  void advance(core::milliseconds time);
  std::string take_bytes(std::size_t peer) { return peers_[peer].wire->take(); }

  Peer& peer(std::size_t number) { return peers_[number]; }
  core::Engine& engine() { return *engine_; }

  void durable_advanced() noexcept override {}
  void page_loaded(core::Page page) noexcept override { pages_.push_back(std::move(page)); }
  void space_changed() noexcept override { space_changed_ = true; }
  void failed(core::Error) noexcept override {}

 private:
  static core::TimePoint clock() { return now_; }
  bool enter();
  bool encode();
  void obey(const core::ConnectionEffect& effect);
  Peer* find(core::ConnectionId id);

  static inline core::TimePoint now_ = core::from_millis(1'700'000'000'000);
  std::unique_ptr<store::MemoryStore> store_;
  core::EngineLimits limits_;
  openwire::SessionOptions options_;
  std::unique_ptr<core::Engine> engine_;
  openwire::LoopCache cache_;
  std::vector<Peer> peers_;
  std::vector<core::Page> pages_;
  bool space_changed_ = false;
};

}  // namespace pabal::tests
