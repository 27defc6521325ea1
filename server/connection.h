#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/engine.h"
#include "protocols/session.h"
#include "server/clock.h"
#include "server/endpoint.h"
#include "server/output_queue.h"
#include "server/transport.h"

namespace pabal::server {

class EventLoop;

/// One peer: a transport, a session, and what is still to be sent. It lives on one loop for life;
/// the loop calls it in the order of a turn (see EventLoop). Home: the loop.
///
///   detecting ─► open ─► flushing ─► lingering ─► closed
///        └─────────┴─────────┴───────────┴──────► closed   (reset, time-out, error)
///
/// detecting: the first bytes say the protocol, or WebSocket's handshake does.
/// flushing: out of the engine; what is queued, held replies included, still goes out, and nothing
/// is read. lingering: all is written and our side is shut; bytes of the peer are thrown away until
/// it closes too, because closing a socket with unread bytes would destroy our last words.
class Connection final : public TransportOwner {
 public:
  Connection(EventLoop& loop, Endpoint& endpoint, std::unique_ptr<Transport> transport,
             std::string remote, std::uint64_t serial);
  ~Connection() override = default;

  /// Begins to read; with a `refusal` it only says that and closes.
  void start(std::string_view refusal);

  void on_readable() noexcept override;
  void on_writable(std::size_t taken) noexcept override;

  // --- the steps of a turn, called by the loop ---------------------------------------------------

  void apply(core::Engine& engine, core::TimePoint now) PABAL_REQUIRES(core::engine_role);
  /// Ends it in the engine, after apply().
  void disconnect(core::Engine& engine, core::TimePoint now) PABAL_REQUIRES(core::engine_role);
  void encode_outcomes();
  void encode_delivery(const core::Delivery& delivery);
  void encode_reply(const core::Reply& reply);
  void obey(const core::ConnectionEffect& effect);
  /// Lets replies go that the store has made durable. Answers whether some still wait.
  bool release_held();
  /// Writes what may go, and closes if that was the last.
  void flush();
  /// Asks the transport for the next bytes, unless something stands against it.
  void rearm_read();
  void fire_timer();
  /// Graceful stop: reads no more, leaves the engine, says `farewell` behind the last held reply.
  void begin_drain(std::string_view farewell);
  /// At once, without a word.
  void retire();

  [[nodiscard]] std::uint64_t serial() const noexcept { return serial_; }
  [[nodiscard]] std::optional<core::ConnectionId> engine_id() const noexcept { return engine_id_; }
  [[nodiscard]] bool closed() const noexcept { return phase_ == Phase::closed; }
  [[nodiscard]] std::optional<SteadyTime> timer_at() const noexcept { return timer_at_; }

  /// Lists of the loop that name it; kept here so that a look-up costs nothing.
  struct Membership {
    bool touched = false;
    bool dirty = false;
    bool leaving = false;
    bool holding = false;
    [[nodiscard]] bool any() const noexcept { return touched || dirty || leaving || holding; }
  };
  Membership lists;

 private:
  enum class Phase : std::uint8_t { detecting, open, flushing, lingering, closed };

  void make_session(Protocol protocol);
  void take_input(std::span<const char> bytes);
  void detect_protocol(std::span<const char> bytes);
  void begin_subprotocol(std::span<const char> bytes);
  void decode(std::span<const char> bytes);
  void end_of_input(const ErrorCode& error);
  void note_written(std::size_t bytes);
  void output_failed(const ErrorCode& error);
  void leave();
  void say_farewell(protocols::Farewell why, std::string_view reason);
  void close_soon(core::milliseconds patience);
  void finish_output();
  void report_written();
  void flush_if_large();
  void run_session_timer();
  void schedule_in(core::milliseconds delay);
  void log_closing();
  void update_backlog();
  [[nodiscard]] bool may_read() const noexcept;

  EventLoop& loop_;
  Endpoint& endpoint_;
  std::unique_ptr<Transport> transport_;
  std::unique_ptr<protocols::Session> session_;  // null while detecting
  OutputQueue output_;
  std::string remote_;
  // detecting: the bytes so far; afterwards, and if it is refused: the farewell to say, if any
  std::string text_;
  const std::uint64_t serial_;
  std::optional<core::ConnectionId> engine_id_;
  std::optional<SteadyTime> timer_at_;
  SteadyTime deadline_{};  // flushing and lingering: when patience ends
  SteadyTime last_in_;
  SteadyTime last_out_;
  Phase phase_ = Phase::detecting;
  bool read_armed_ = false;
  bool writing_ = false;     // the transport will call on_writable()
  bool paused_ = false;      // by the engine
  bool backlogged_ = false;  // the peer does not read its replies
  bool input_ended_ = false;
  bool output_dead_ = false;
  bool left_ = false;     // the engine has been, or will be, told that it is gone
  bool refused_ = false;  // WebSocket: it is told when it is known what it speaks
  bool farewell_pending_ = false;
  protocols::Farewell farewell_{};
};

}  // namespace pabal::server
