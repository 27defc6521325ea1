#include "server/connection.h"

#include <algorithm>
#include <utility>

#include <boost/asio/error.hpp>

#include "server/event_loop.h"
#include "server/protocol_detector.h"

namespace pabal::server {
namespace {

using core::milliseconds;

constexpr std::size_t kFlushBytes = 128 * 1024;        // written in the middle of a long encoding
constexpr std::size_t kBacklogBytesMax = 1024 * 1024;  // unread replies; above it nothing is read
constexpr milliseconds kFlushPatience{10'000};
constexpr milliseconds kLingerPatience{1'000};
/// A session's timer is asked again after this time at the latest. A deadline outlives its
/// connection in the loop's list: peers that come, wish for a heart-beat in 49 days and go must not
/// fill it.
constexpr milliseconds kTimerMax{60'000};

/// Of those that are spoken here.
std::optional<Protocol> protocol_of(Detected detected) noexcept {
  switch (detected) {
    case Detected::stomp:
      return Protocol::stomp;
    case Detected::mqtt:
      return Protocol::mqtt;
    case Detected::openwire:
      return Protocol::openwire;
    case Detected::undecided:
    case Detected::amqp:
    case Detected::tls:
    case Detected::http:
    case Detected::unknown:
      return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace

Connection::Connection(EventLoop& loop, Endpoint& endpoint, std::unique_ptr<Transport> transport,
                       std::string remote, std::uint64_t serial)
    : loop_(loop),
      endpoint_(endpoint),
      transport_(std::move(transport)),
      output_(loop.buffers(), loop.durable()),
      remote_(std::move(remote)),
      serial_(serial),
      last_in_(loop.now()),
      last_out_(loop.now()) {}

void Connection::start(std::string_view refusal) {
  transport_->open(*this);
  const bool web = endpoint_.protocol == Protocol::websocket;
  if (!web && endpoint_.protocol != Protocol::automatic) make_session(endpoint_.protocol);
  if (!refusal.empty() && !web) {
    if (session_) {
      say_farewell(protocols::Farewell::refused, refusal);
    } else {
      retire();
    }
    return;
  }
  refused_ = !refusal.empty();
  text_ = refusal;
  const milliseconds patience = endpoint_.connect_timeout;
  if (phase_ == Phase::detecting && patience.count() > 0) schedule_in(patience);
  loop_.touch(*this);
}

void Connection::make_session(Protocol protocol) {
  session_ = endpoint_.make_session(protocol, {loop_.home(), remote_});
  phase_ = Phase::open;
  run_session_timer();
}

// --- reading -------------------------------------------------------------------------------------

void Connection::on_readable() noexcept {
  read_armed_ = false;
  if (phase_ == Phase::closed) return;
  const auto [bytes, error] = transport_->read(loop_.read_buffer());
  if (!bytes.empty()) {
    auto& counter = loop_.counters().bytes_in;
    counter.store(counter.load(std::memory_order_relaxed) + bytes.size(),
                  std::memory_order_relaxed);
    take_input(bytes);
  }
  if (error) end_of_input(error);
  if (phase_ != Phase::closed) loop_.touch(*this);
}

void Connection::take_input(std::span<const char> bytes) {
  last_in_ = loop_.now();
  switch (phase_) {
    case Phase::detecting:
      if (endpoint_.protocol == Protocol::websocket) {
        begin_subprotocol(bytes);
      } else {
        detect_protocol(bytes);
      }
      break;
    case Phase::open:
      decode(bytes);
      break;
    case Phase::flushing:
    case Phase::lingering:
    case Phase::closed:
      break;  // nobody is interested any more
  }
}

void Connection::detect_protocol(std::span<const char> bytes) {
  text_.append(bytes.data(), bytes.size());
  const auto detected = detect(text_);
  if (detected == Detected::undecided) {
    // Only line ends can have made it this long.
    if (text_.size() > kDetectBytesMax) text_.erase(0, text_.size() - 1);
    return;
  }
  const auto protocol = protocol_of(detected);
  if (!protocol) {
    loop_.logger().peer_fault(
        "connection", "closed: this port does not speak that protocol (yet)",
        {{"listener", endpoint_.name}, {"remote", remote_}, {"protocol", to_string(detected)}});
    retire();
    return;
  }
  make_session(*protocol);
  const std::string first = std::exchange(text_, std::string());
  decode({first.data(), first.size()});
}

void Connection::begin_subprotocol(std::span<const char> bytes) {
  make_session(transport_->subprotocol());
  if (refused_) {
    say_farewell(protocols::Farewell::refused, std::exchange(text_, std::string()));
  } else {
    decode(bytes);
  }
}

void Connection::decode(std::span<const char> bytes) {
  session_->decode(bytes, wall_now());
  if (session_->has_commands()) loop_.commands_decoded(*this);
}

void Connection::end_of_input(const ErrorCode& error) {
  input_ended_ = true;
  const bool may_still_read_us = error == boost::asio::error::eof && !output_dead_;
  if (may_still_read_us && phase_ == Phase::flushing) return;
  if (!may_still_read_us || phase_ != Phase::open) {
    retire();
    return;
  }
  // The peer sends no more, but it may still read: the answers to what it sent go out first.
  output_.close_after_flush();
  close_soon(kFlushPatience);
}

bool Connection::may_read() const noexcept {
  switch (phase_) {
    case Phase::detecting:
      return true;
    case Phase::open:
      return !paused_ && !backlogged_ && !input_ended_;
    case Phase::lingering:
      return true;
    case Phase::flushing:
    case Phase::closed:
      return false;
  }
  return false;
}

void Connection::rearm_read() {
  if (phase_ == Phase::closed || read_armed_) return;
  if (may_read()) {
    read_armed_ = true;
    transport_->wait_readable();
  } else if (output_dead_) {
    retire();  // it can neither be heard nor told
  }
}

// --- inside the engine ---------------------------------------------------------------------------

void Connection::apply(core::Engine& engine, core::TimePoint now) {
  session_->apply(engine, now);
}

void Connection::disconnect(core::Engine& engine, core::TimePoint now) {
  if (session_) session_->disconnect(engine, now);
}

// --- encoding ------------------------------------------------------------------------------------

void Connection::encode_outcomes() {
  const bool was_connected = engine_id_.has_value();
  if (!was_connected) {
    engine_id_ = session_->connection();
    if (engine_id_ && !left_) loop_.bind(*engine_id_, *this);
  }
  if (phase_ == Phase::closed) return;
  session_->encode_outcomes(output_);
  if (session_->has_commands()) loop_.commands_decoded(*this);
  // Its time-outs are others from now on: heart-beats instead of the connect time-out.
  const bool connects = !was_connected && engine_id_;
  if ((session_->take_timer_change() || connects) && phase_ == Phase::open) run_session_timer();
  loop_.touch(*this);
  flush_if_large();
}

void Connection::encode_delivery(const core::Delivery& delivery) {
  if (phase_ != Phase::open) return;
  const std::size_t before = output_.bytes();
  session_->encode_delivery(delivery, output_);
  output_.note_delivery(delivery.number, output_.bytes() - before);
  if (session_->has_commands()) loop_.commands_decoded(*this);
  loop_.touch(*this);
  flush_if_large();
}

void Connection::encode_reply(const core::Reply& reply) {
  if (phase_ != Phase::open) return;
  session_->encode_reply(reply, output_);
  loop_.touch(*this);
}

void Connection::obey(const core::ConnectionEffect& effect) {
  if (phase_ != Phase::open) return;
  switch (effect.order) {
    case core::ConnectionOrder::pause_reading:
      paused_ = true;
      break;
    case core::ConnectionOrder::resume_reading:
      paused_ = false;
      last_in_ = loop_.now();  // it could not be heard until now
      break;
    case core::ConnectionOrder::warn:
      loop_.logger().peer_fault("connection", "no room for a producer",
                                {{"remote", remote_}, {"reason", effect.reason}});
      return;
    case core::ConnectionOrder::close:
      loop_.logger().info("connection", "closed by the broker",
                          {{"remote", remote_}, {"reason", effect.reason}});
      say_farewell(effect.cause == core::CloseCause::taken_over ? protocols::Farewell::taken_over
                                                                : protocols::Farewell::ordered,
                   effect.reason);
      break;
  }
  loop_.touch(*this);
}

void Connection::flush_if_large() {
  if (output_.front().size() >= kFlushBytes && !writing_) flush();
}

// --- writing -------------------------------------------------------------------------------------

bool Connection::release_held() {
  if (phase_ == Phase::closed) return false;
  if (output_.release()) loop_.touch(*this);
  return output_.holding();
}

void Connection::on_writable(std::size_t taken) noexcept {
  writing_ = false;
  if (phase_ == Phase::closed) return;
  note_written(taken);
  report_written();  // before what the peer may answer to it is applied
  loop_.touch(*this);
}

void Connection::note_written(std::size_t bytes) {
  output_.consume(bytes);
  if (bytes != 0) last_out_ = loop_.now();
  auto& counter = loop_.counters().bytes_out;
  counter.store(counter.load(std::memory_order_relaxed) + bytes, std::memory_order_relaxed);
}

/// Tells the engine, at its next entry, up to which delivery the transport has taken all.
void Connection::report_written() {
  const auto number = output_.take_written();
  if (number && engine_id_ && !left_) loop_.written(*engine_id_, *number);
}

void Connection::flush() {
  if (phase_ == Phase::closed) return;
  if (output_dead_) {
    output_.clear();
    return;
  }
  if (farewell_pending_ && !lists.dirty && !output_.holding()) {
    farewell_pending_ = false;
    session_->encode_farewell(farewell_, text_, output_);
    output_.close_after_flush();
  }
  if (!writing_ && !output_.front().empty()) {
    const std::size_t offered = output_.front().size();
    const auto [taken, error] = transport_->write(output_.front());
    if (error) {
      output_failed(error);
      return;
    }
    note_written(taken);
    writing_ = taken < offered;
  }
  report_written();
  if (output_.holding()) loop_.watch_durable(*this, output_.held_until());
  update_backlog();
  if (output_.close_requested()) {
    if (phase_ == Phase::open) {
      log_closing();
      close_soon(kFlushPatience);
    }
    if (phase_ == Phase::flushing && output_.empty() && !writing_ && !lists.dirty) finish_output();
  }
}

void Connection::log_closing() {
  const std::string reason = session_ ? session_->closing_reason() : std::string();
  if (reason.empty()) return;
  loop_.logger().peer_fault(
      "connection", "closed for what it sent",
      {{"remote", remote_}, {"peer", session_->describe()}, {"reason", reason}});
}

void Connection::update_backlog() {
  // Deliveries do not count: whoever must read them before we read him cannot acknowledge, or send
  // on, what he has.
  const std::size_t bytes = output_.reply_bytes();
  if (bytes > kBacklogBytesMax) {
    backlogged_ = true;
  } else if (backlogged_ && bytes < kBacklogBytesMax / 2) {
    backlogged_ = false;
    last_in_ = loop_.now();
  }
}

void Connection::output_failed(const ErrorCode& error) {
  loop_.logger().debug("connection", "write failed",
                       {{"remote", remote_}, {"error", error.message()}});
  output_dead_ = true;
  output_.clear();
  // What the peer sent before it went away still counts: it is read to its end first.
  if (phase_ != Phase::open) retire();
}

// --- leaving -------------------------------------------------------------------------------------

void Connection::leave() {
  if (left_) return;
  left_ = true;
  loop_.leave(*this);
}

void Connection::close_soon(milliseconds patience) {
  leave();
  phase_ = Phase::flushing;
  deadline_ = loop_.now() + patience;
  schedule_in(patience);
  loop_.touch(*this);
}

void Connection::say_farewell(protocols::Farewell why, std::string_view reason) {
  farewell_ = why;
  text_ = reason;
  farewell_pending_ = true;
  close_soon(kFlushPatience);
}

void Connection::begin_drain(std::string_view farewell) {
  if (phase_ == Phase::detecting) {
    retire();
  } else if (phase_ == Phase::open) {
    say_farewell(protocols::Farewell::stopping, farewell);
  }
}

void Connection::finish_output() {
  if (input_ended_) {
    retire();
    return;
  }
  phase_ = Phase::lingering;
  transport_->shutdown_write();
  deadline_ = loop_.now() + kLingerPatience;
  schedule_in(kLingerPatience);
}

void Connection::retire() {
  if (phase_ == Phase::closed) return;
  leave();
  phase_ = Phase::closed;
  transport_->close();
  output_.clear();
  timer_at_.reset();
  loop_.forget(*this);
  endpoint_.open.fetch_sub(1, std::memory_order_relaxed);
  endpoint_.budget->open.fetch_sub(1, std::memory_order_relaxed);
  if (endpoint_.on_closed) endpoint_.on_closed();
  if (loop_.logger().enabled(LogLevel::debug)) {
    loop_.logger().debug("connection", "closed",
                         {{"remote", remote_}, {"peer", session_ ? session_->describe() : ""}});
  }
}

// --- timers --------------------------------------------------------------------------------------

void Connection::schedule_in(milliseconds delay) {
  timer_at_ = loop_.now() + delay;
  loop_.schedule(*this, *timer_at_);
}

void Connection::run_session_timer() {
  const auto now = loop_.now();
  const bool deaf = paused_ || backlogged_;  // the peer's silence is our doing
  const auto idle_in = deaf ? milliseconds(0) : now - last_in_;
  // Behind bytes that the peer does not take a heart-beat tells it nothing, and they would pile up.
  const auto idle_out = writing_ ? milliseconds(0) : now - last_out_;
  const bool was_closing = output_.close_requested();
  const auto next = session_->on_timer(idle_in, idle_out, output_);
  if (session_->has_commands()) loop_.commands_decoded(*this);
  if (output_.close_requested() && !was_closing) {
    loop_.logger().peer_fault("connection", "closed: it was silent for too long",
                              {{"remote", remote_}, {"peer", session_->describe()}});
  }
  loop_.touch(*this);
  if (next) {
    schedule_in(std::clamp(*next, milliseconds(1), kTimerMax));
  } else {
    timer_at_.reset();
  }
}

void Connection::fire_timer() {
  timer_at_.reset();
  switch (phase_) {
    case Phase::open:
      run_session_timer();
      break;
    case Phase::detecting:
      loop_.logger().peer_fault("connection",
                                "closed: sent nothing to tell its protocol by in time",
                                {{"listener", endpoint_.name}, {"remote", remote_}});
      retire();
      break;
    case Phase::flushing:
    case Phase::lingering:
      if (loop_.now() >= deadline_) {
        retire();
      } else {
        schedule_in(deadline_ - loop_.now());
      }
      break;
    case Phase::closed:
      break;
  }
}

}  // namespace pabal::server
