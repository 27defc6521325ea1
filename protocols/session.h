#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/engine.h"
#include "core/ids.h"

namespace pabal::protocols {

/// Bytes on their way to one peer, in order. Home: the connection's loop.
/// `ready` may leave at once; a held piece leaves when the store is durable up to its ticket. Held
/// pieces keep their own order. A barrier piece also holds everything that comes after it (ready
/// bytes then queue up behind it).
class Output {
 public:
  virtual ~Output() = default;
  /// The buffer to append bytes to that may leave at once (in their order).
  virtual std::string& ready() = 0;
  /// Queues `bytes` until the store is durable up to `until` (at once if it is already).
  virtual void hold(core::Ticket until, std::string_view bytes, bool barrier) = 0;
  /// Close the connection once everything queued so far, held pieces included, is written.
  virtual void close_after_flush() = 0;
};

/// Why the server closes a connection.
enum class Farewell : std::uint8_t {
  refused,     ///< there is no room for it
  ordered,     ///< by the engine: an administrator, a limit
  taken_over,  ///< another connection has its session now
  stopping,    ///< the broker
};

/// One peer's protocol state machine, without I/O. Home: the connection's loop; one of the three
/// phases runs at a time. Nothing here throws.
///
///   decode  outside the engine: bytes → commands, kept inside
///   apply   inside the engine, once per batch: commands → outcomes, kept inside
///   encode  outside again: outcomes and deliveries → bytes
class Session {
 public:
  virtual ~Session() = default;

  /// Takes all of `bytes`; an unfinished frame is kept. After a fatal error further bytes are
  /// ignored. `now` is for timestamps.
  virtual void decode(std::span<const char> bytes, core::TimePoint now) = 0;
  /// Whether decode() left something for apply().
  [[nodiscard]] virtual bool has_commands() const noexcept = 0;
  virtual void apply(core::Engine& engine, core::TimePoint now)
      PABAL_REQUIRES(core::engine_role) = 0;
  /// Inside the engine, after the last apply(): the connection ends there, if it has not yet.
  virtual void disconnect(core::Engine& engine, core::TimePoint now)
      PABAL_REQUIRES(core::engine_role) = 0;
  /// Encodes what apply() produced (replies, errors).
  virtual void encode_outcomes(Output& output) = 0;
  /// Encodes one delivery of this connection. May leave commands for apply(), too.
  virtual void encode_delivery(const core::Delivery& delivery, Output& output) = 0;
  /// A late answer to a parked send or commit.
  virtual void encode_reply(const core::Reply& reply, Output& output) = 0;
  /// Last words to the peer before the server closes (shutdown, limit, administrator).
  virtual void encode_farewell(Farewell why, std::string_view reason, Output& output) = 0;

  /// The engine's name for this peer once it is connected.
  [[nodiscard]] virtual std::optional<core::ConnectionId> connection() const noexcept = 0;

  /// Heart-beats and time-outs. `idle_in`/`idle_out`: time since bytes last came and went. Returns
  /// when it wants to be called again at the latest (from now), or nullopt for no timer. May encode
  /// a heart-beat or an error and ask for closing.
  virtual std::optional<core::milliseconds> on_timer(core::milliseconds idle_in,
                                                     core::milliseconds idle_out,
                                                     Output& output) = 0;
  /// Whether on_timer() is to be asked anew, because something is due earlier than it said. Asked
  /// after encode_outcomes(); the answer is true once. on_timer() may leave commands for apply().
  [[nodiscard]] virtual bool take_timer_change() noexcept { return false; }
  /// Why it asked for the connection's end, for the log; empty: nobody wants to know.
  [[nodiscard]] virtual std::string closing_reason() const { return {}; }
  /// For logs: "client-id", login, negotiated version.
  [[nodiscard]] virtual std::string describe() const = 0;
};

/// What a connection is, for a session that is being made.
struct PeerInfo {
  core::HomeId home{};
  std::string remote;  ///< "tcp://127.0.0.1:53422"
};

}  // namespace pabal::protocols
