#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/engine.h"
#include "protocols/mqtt/bridge.h"
#include "protocols/mqtt/packet_parser.h"
#include "protocols/mqtt/session.h"
#include "protocols/session.h"
#include "store/memory/memory_store.h"
#include "tests/support/wire.h"

namespace pabal::tests {

/// A whole broker without sockets, threads or clock: engine, memory store, and MQTT sessions that
/// are fed packets, in the order in which the server does it.
class MqttBroker final : public core::StoreListener {
 public:
  struct Peer {
    std::unique_ptr<protocols::Session> session;
    std::unique_ptr<Wire> wire;
    std::unique_ptr<mqtt::PacketParser> parser;  ///< of what the broker writes
    mqtt::Level level = mqtt::Level::v5;
    bool gone = false;
  };

  explicit MqttBroker(core::EngineLimits limits = {}, mqtt::SessionOptions options = {});
  ~MqttBroker() override;

  /// A new connection, of a client of that level; its number.
  std::size_t accept(mqtt::Level level);
  /// A connection of a bridge to another broker, which the test plays: what it writes is read as a
  /// client's. Its number.
  std::size_t dial(const mqtt::BridgeOptions& options, mqtt::BridgeStatus& status,
                   mqtt::BridgeCourse& course);
  /// Bytes from the client in one read, and all that follows from them.
  void receive(std::size_t peer, std::string_view bytes);
  void send(std::size_t peer, const mqtt::Packet& packet);
  /// Enters the engine until nothing is left to do.
  void settle();
  /// The client is gone without DISCONNECT.
  void drop(std::size_t peer);
  /// What the session does by its timer, if nothing came or went for so long; when it wants to be
  /// called again.
  std::optional<core::milliseconds> wait(std::size_t peer, core::milliseconds idle_in,
                                         core::milliseconds idle_out);
  /// Makes everything submitted durable and tells everybody.
  void sync();
  /// Dies and starts again with what is durable, or with what was submitted up to `survives`. All
  /// connections are gone.
  void restart(core::Ticket survives = core::kNoTicket);
  [[nodiscard]] core::Ticket submitted() const { return store_->submitted(); }
  void advance(core::milliseconds time);
  /// What was written since the last call, packet by packet as text (tests/support/mqtt_text.h).
  std::vector<std::string> take(std::size_t peer);
  std::string take_bytes(std::size_t peer) { return peers_[peer].wire->take(); }
  [[nodiscard]] static core::TimePoint now() { return now_; }
  [[nodiscard]] bool closed(std::size_t peer) const { return peers_[peer].wire->closed(); }

  Peer& peer(std::size_t number) { return peers_[number]; }
  core::Engine& engine() { return *engine_; }
  mqtt::SessionOptions& options() { return options_; }

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
  mqtt::SessionOptions options_;
  std::unique_ptr<core::Engine> engine_;
  mqtt::LoopCache cache_;
  std::vector<Peer> peers_;
  std::vector<core::Page> pages_;
  bool space_changed_ = false;
};

}  // namespace pabal::tests
