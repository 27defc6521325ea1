#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
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
  std::string remote;     ///< "mqtt://host:port": another one has another session
  Level level = Level::v5;
  std::optional<std::string> user_name;
  std::optional<std::string> password;
  std::uint16_t keep_alive = 60;      ///< seconds; 0: off
  std::uint16_t in_flight_max = 100;  ///< unanswered, each way
  std::uint32_t prefetch = 1000;
  std::uint64_t unwritten_bytes_max = 1ULL << 20;  ///< as SessionOptions::unwritten_bytes_max
  core::milliseconds connect_timeout{30'000};  ///< until CONNACK
  /// A message that the peer refuses for the moment, or without a word, so many times in a row is a
  /// dead letter; 0: never.
  std::uint32_t attempts_max = 0;
  ParserOptions parser;
  std::vector<BridgeRoute> out;
  std::vector<BridgeRoute> in;

  /// The client id of its session in this broker.
  [[nodiscard]] std::string session_id() const { return std::string(kBridgeClientPrefix) + name; }
};

enum class BridgeState : std::uint8_t { resting, connecting, connected };
std::string_view to_string(BridgeState state) noexcept;

struct BridgeFault {
  std::string text;
  core::TimePoint at{};
};

/// What a bridge does and has done, for operators; over all its connections. Written on its loop,
/// read by any thread.
class BridgeStatus {
 public:
  std::atomic<std::uint64_t> connects{0};       ///< that the peer accepted
  std::atomic<std::uint64_t> forwarded_out{0};  ///< answered by the peer; QoS 0: written
  std::atomic<std::uint64_t> forwarded_in{0};   ///< taken here
  std::atomic<std::uint64_t> looped{0};         ///< came back, and were not taken again
  std::atomic<std::uint64_t> refused_out{0};    ///< that the peer cannot have: dead letters here
  std::atomic<std::uint64_t> refused_in{0};     ///< that cannot be here: gone

  void enter(BridgeState state, core::TimePoint now) noexcept {
    const bool changes =
        (this->state() == BridgeState::connected) != (state == BridgeState::connected);
    if (changes || since_ == 0) since_ = core::to_millis(now);
    state_ = state;
  }
  [[nodiscard]] BridgeState state() const noexcept { return state_; }
  [[nodiscard]] bool connected() const noexcept { return state() == BridgeState::connected; }
  /// Since when it is connected, or is not.
  [[nodiscard]] core::TimePoint since() const noexcept { return core::from_millis(since_); }

  /// What went wrong last; null: nothing yet.
  void set_fault(std::string_view text, core::TimePoint at) {
    fault_ = std::make_shared<const BridgeFault>(BridgeFault{std::string(text), at});
  }
  [[nodiscard]] std::shared_ptr<const BridgeFault> fault() const { return fault_.load(); }

 private:
  std::atomic<BridgeState> state_{BridgeState::resting};
  std::atomic<std::int64_t> since_{0};
  std::atomic<std::shared_ptr<const BridgeFault>> fault_;
};

/// What goes from one connection of a bridge to the next. On its loop, once that runs.
struct BridgeCourse {
  /// What is kept here belongs to the session at the peer. If not, that one has to go
  /// [MQTT-3.2.2-4]: its packet ids would be taken for ours.
  bool resumes = false;
  bool accepted = false;       ///< the connection: CONNACK said so
  bool again_at_once = false;  ///< the next connection is part of the same beginning
  std::string ending;          ///< why this side ended the connection; empty: the peer did
  /// For the log; empty: nobody listens.
  std::function<void()> on_connected;
  std::function<void(std::string_view)> on_fault;  ///< that did not end the connection

  /// A message that may be why connections end: it was on its way alone.
  struct Suspect {
    std::uint64_t origin = 0;
    std::uint64_t sequence = 0;
    std::uint32_t times = 0;
    bool is_certain = false;  ///< the peer said so
    std::string why;
  };
  std::optional<Suspect> suspect;
  /// The last connection ended while messages were on their way, and none was answered: the next
  /// one begins with a single one.
  bool careful = false;
};

/// One connection to the peer: it speaks first. `options`, `status` and `course` outlive it;
/// `clock`: the time on the wall, for what is left of a message's life.
std::unique_ptr<protocols::Session> make_bridge_session(const BridgeOptions& options,
                                                        BridgeStatus& status, BridgeCourse& course,
                                                        const protocols::PeerInfo& peer,
                                                        LoopCache::Clock clock);

struct BridgePreparation {
  bool resumes = false;  ///< for BridgeCourse
  /// Subscriptions that the session has and the options do not name any more: they still gather.
  std::vector<std::string> left_over;
};
/// What the bridge needs in this broker before its first connection: its session, and durable
/// subscriptions that gather from here on. Errors: those of Engine::connect() and subscribe().
core::Result<BridgePreparation> prepare_bridge(core::Engine& engine, const BridgeOptions& options,
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
