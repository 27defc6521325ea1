#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/engine.h"
#include "core/result.h"
#include "protocols/mqtt/loop_cache.h"
#include "protocols/mqtt/packet_parser.h"
#include "protocols/session.h"

// A bridge: this broker as a client of another MQTT broker, the peer. What it forwards out waits in
// durable subscriptions of a session of this broker, whether the peer is there or not; what it
// forwards in is acknowledged to the peer when it is durable here. bridge_session.h has the map.

namespace pabal::mqtt {

/// Client ids that begin with this belong to the bridges of this broker.
inline constexpr std::string_view kBridgeClientPrefix = "$bridge:";
/// The user property with the ids of the brokers that forwarded a message, commas between: what has
/// been here is not taken again.
inline constexpr std::string_view kPathProperty = "PabalPath";

/// One pattern. The topic `local_prefix` + X here is the topic `remote_prefix` + X there, for every
/// X that `filter` matches.
struct BridgeRoute {
  std::string filter;  ///< in MQTT's spelling
  QoS qos = QoS::at_least_once;
  std::string local_prefix;
  std::string remote_prefix;

  [[nodiscard]] std::string local_filter() const { return local_prefix + filter; }
  [[nodiscard]] std::string remote_filter() const { return remote_prefix + filter; }
};

/// One bridge. Outlives its sessions.
struct BridgeOptions {
  std::string name;
  std::string broker_id;  ///< of this broker, in kPathProperty
  std::string client_id;  ///< at the peer, which keeps a session under it
  Level level = Level::v5;
  std::optional<std::string> user_name;
  std::optional<std::string> password;
  std::uint16_t keep_alive = 60;      ///< seconds; 0: off
  std::uint16_t in_flight_max = 100;  ///< unanswered, each way
  std::uint32_t prefetch = 1000;
  core::milliseconds connect_timeout{30'000};  ///< until CONNACK
  ParserOptions parser;
  std::vector<BridgeRoute> out;
  std::vector<BridgeRoute> in;

  /// The client id of its session in this broker.
  [[nodiscard]] std::string session_id() const { return std::string(kBridgeClientPrefix) + name; }
};

/// What a bridge has done, for operators; over all its connections. Any thread.
class BridgeStatus {
 public:
  std::atomic<bool> connected{false};
  std::atomic<std::uint64_t> connects{0};       ///< that the peer accepted
  std::atomic<std::uint64_t> forwarded_out{0};  ///< answered by the peer; QoS 0: written
  std::atomic<std::uint64_t> forwarded_in{0};   ///< taken here
  std::atomic<std::uint64_t> looped{0};         ///< came back, and were not taken again
  std::atomic<std::uint64_t> refused_out{0};    ///< by the peer for good: dead letters here
  std::atomic<std::uint64_t> refused_in{0};     ///< that cannot be here

  /// What went wrong last; empty: nothing since the last connect.
  void set_error(std::string_view text) { error_ = std::make_shared<const std::string>(text); }
  [[nodiscard]] std::string error() const {
    const auto error = error_.load();
    return error ? *error : std::string();
  }

 private:
  std::atomic<std::shared_ptr<const std::string>> error_;
};

/// One connection to the peer: it speaks first. `options` and `status` outlive it; `clock`: the
/// time on the wall, for what is left of a message's life.
std::unique_ptr<protocols::Session> make_bridge_session(const BridgeOptions& options,
                                                        BridgeStatus& status,
                                                        const protocols::PeerInfo& peer,
                                                        LoopCache::Clock clock);

/// What the bridge needs in this broker before its first connection: its session, and durable
/// subscriptions that gather from here on. Answers the names of subscriptions that the session has
/// and the options do not name any more: they still gather. Errors: those of Engine::connect() and
/// subscribe().
core::Result<std::vector<std::string>> prepare_bridge(core::Engine& engine,
                                                      const BridgeOptions& options,
                                                      core::TimePoint now)
    PABAL_REQUIRES(core::engine_role);

/// The broker's own id, kept in the store. `fresh`: the id if it has none yet. Errors: those of
/// Engine::connect().
core::Result<std::string> bridging_broker_id(core::Engine& engine, const std::string& fresh,
                                             core::TimePoint now) PABAL_REQUIRES(core::engine_role);

/// Whether a message with that path, or with these properties, was forwarded by the broker before.
bool has_been_at(std::string_view path, std::string_view broker_id) noexcept;
bool has_been_at(const UserProperties& properties, std::string_view broker_id) noexcept;

/// Whether some topic matches both filters, in MQTT's spelling.
bool filters_overlap(std::string_view one, std::string_view other) noexcept;

}  // namespace pabal::mqtt
