#include "protocols/openwire/session.h"

#include <algorithm>
#include <type_traits>
#include <utility>

#include "core/modified_utf8.h"
#include "protocols/openwire/java_errors.h"
#include "protocols/openwire/openwire_session.h"
#include "protocols/openwire/wire.h"

namespace pabal::openwire {
namespace {

template <class T, class... Types>
inline constexpr bool kIsOneOf = (std::is_same_v<T, Types> || ...);

/// Commands that have an apply_command(). All others are answered by what the table in
/// read_frame() says.
template <class T>
inline constexpr bool kIsApplied =
    kIsOneOf<T, ConnectionInfo, SessionInfo, ProducerInfo, ConsumerInfo, RemoveInfo,
             DestinationInfo, RemoveSubscriptionInfo, TransactionInfo, MessagePull, ConsumerControl,
             ShutdownInfo>;

}  // namespace

std::unique_ptr<protocols::Session> make_session(const SessionOptions& options,
                                                 const protocols::PeerInfo& peer,
                                                 LoopCache& cache) {
  return std::make_unique<OpenWireSession>(options, peer, cache);
}

OpenWireSession::OpenWireSession(const SessionOptions& options, const protocols::PeerInfo& peer,
                                 LoopCache& cache)
    : options_(options), cache_(cache), peer_(peer), parser_(options.unconnected_frame_bytes_max) {}

OpenWireSession::~OpenWireSession() = default;

Batch& OpenWireSession::batch() {
  if (batch_ == nullptr) batch_ = cache_.take_batch();
  return *batch_;
}

// --- apply ---------------------------------------------------------------------------------------

bool OpenWireSession::has_commands() const noexcept {
  return batch_ != nullptr && !batch_->requests.empty();
}

void OpenWireSession::apply(core::Engine& engine, core::TimePoint now) {
  if (batch_ == nullptr) return;
  // The engine ends the connection of a client that has come back by another one; nothing of this
  // one may take effect from then on.
  if (connection_ && !left_ && !engine.is_connected(*connection_)) taken_over_ = true;
  for (Request& request : batch_->requests) {
    if (state_ == State::closed || taken_over_) break;
    switch (request.kind) {
      case Request::Kind::nothing:
        break;
      case Request::Kind::send:
        apply_send(request, engine, now);
        break;
      case Request::Kind::ack:
        apply_ack(request, engine, now);
        break;
      case Request::Kind::control:
        apply_control(request, engine, now);
        break;
      case Request::Kind::refused:
        apply_refused(request, engine, now);
        break;
      case Request::Kind::failed:
        close_for(request.text, engine, now);
        break;
      case Request::Kind::pull_check:
        check_pulls(engine, now);
        break;
    }
  }
  batch_->requests.clear();
}

void OpenWireSession::apply_control(Request& request, core::Engine& engine, core::TimePoint now) {
  const CommandHead head{request.command_id, request.response_required};
  std::visit(
      [&](auto& command) PABAL_REQUIRES(core::engine_role) {
        using Type = std::decay_t<decltype(command)>;
        if constexpr (kIsApplied<Type>) {
          constexpr bool kConnects = kIsOneOf<Type, ConnectionInfo, ShutdownInfo>;
          if (!kConnects && state_ != State::connected) {
            reject(head, kIllegalState, "not connected");
            return;
          }
          apply_command(command, engine, now);
        } else {
          confirm(head, core::kNoTicket);
        }
      },
      request.control->command);
}

void OpenWireSession::apply_refused(Request& request, core::Engine& /*engine*/,
                                    core::TimePoint /*now*/) {
  const CommandHead head{request.command_id, request.response_required};
  reject(head, request.exception_class, request.text);
  doom(request.send.transaction, request.text);
  const std::uint32_t window_bytes = window_bytes_of(request);
  if (window_bytes == 0) return;
  append_producer_ack(bytes(), request.send.producer, window_bytes);
  end_piece(core::kNoTicket);
}

void OpenWireSession::apply_command(ShutdownInfo& info, core::Engine& engine, core::TimePoint now) {
  leave(engine, now);
  confirm(info, engine.submitted());
  batch().close = true;
  state_ = State::closed;
  end_reading();
}

void OpenWireSession::close_for(std::string_view text, core::Engine& engine, core::TimePoint now) {
  ConnectionError error;
  error.exception.emplace();
  error.exception->class_name = kJmsException;
  error.exception->message = text;
  append_frame(bytes(), error, format_);
  end_piece(core::kNoTicket);
  hang_up(text, engine, now);
}

/// What was answered goes out first.
void OpenWireSession::hang_up(std::string_view why, core::Engine& engine, core::TimePoint now) {
  leave(engine, now);
  closing_reason_ = why;
  batch().close = true;
  state_ = State::closed;
  end_reading();
}

std::string OpenWireSession::closing_reason() const {
  return closing_reason_;
}

void OpenWireSession::leave(core::Engine& engine, core::TimePoint now) {
  if (!connection_ || std::exchange(left_, true)) return;
  registry_.clear();
  transactions_.clear();
  branches_.clear();
  pulls_.clear();
  first_bytes_ = cache_.now();  // from here on it has time to say goodbye
  engine.disconnect(*connection_, now);
}

void OpenWireSession::disconnect(core::Engine& engine, core::TimePoint now) {
  leave(engine, now);
}

// --- answers -------------------------------------------------------------------------------------

void OpenWireSession::end_piece(core::Ticket after) {
  auto& pieces = batch().pieces;
  if (!pieces.empty() && pieces.back().after == after) {
    pieces.back().end = batch_->bytes.size();
  } else {
    pieces.push_back({batch_->bytes.size(), after});
  }
}

void OpenWireSession::append_response(std::string& out, const Asker& asker) const {
  if (!asker.response_required) return;
  Response response;
  response.correlation_id = asker.command_id;
  append_frame(out, response, format_);
}

void OpenWireSession::confirm(const CommandHead& head, core::Ticket after) {
  if (!head.response_required) return;
  append_response(bytes(), {head.command_id, true});
  end_piece(after);
}

/// Source: reference §6.22: a command that wants no answer is reported as ConnectionError, and the
/// connection stays usable.
void OpenWireSession::append_error(std::string& out, const Asker& asker,
                                   std::string_view exception_class, std::string_view text) const {
  std::string scratch;
  Throwable throwable;
  throwable.class_name = exception_class;
  throwable.message = core::modified_utf8_of(text, scratch);
  if (asker.response_required) {
    ExceptionResponse response;
    response.correlation_id = asker.command_id;
    response.exception = std::move(throwable);
    append_frame(out, response, format_);
  } else {
    ConnectionError error;
    error.exception = std::move(throwable);
    append_frame(out, error, format_);
  }
}

void OpenWireSession::reject(const CommandHead& head, std::string_view exception_class,
                             std::string_view text, core::Ticket after) {
  append_error(bytes(), {head.command_id, head.response_required}, exception_class, text);
  end_piece(after);
}

void OpenWireSession::reject(const CommandHead& head, const core::Error& error,
                             core::Ticket after) {
  reject(head, java_class_of(error.code), error.text, after);
}

void OpenWireSession::append_producer_ack(std::string& out, const ObjectKey& producer,
                                          std::uint32_t window_bytes) const {
  ProducerAck ack;
  ack.producer_id = ProducerId{connection_id_, producer.value, producer.session};
  ack.size = static_cast<std::int32_t>(std::min<std::uint32_t>(window_bytes, INT32_MAX));
  append_frame(out, ack, format_);
}

// --- encode --------------------------------------------------------------------------------------

void OpenWireSession::encode_outcomes(protocols::Output& output) {
  if (batch_ == nullptr || !batch_->requests.empty()) return;
  std::size_t begin = 0;
  const std::string_view all = batch_->bytes;
  for (const Batch::Piece& piece : batch_->pieces) {
    const std::string_view bytes = all.substr(begin, piece.end - begin);
    begin = piece.end;
    if (piece.after == core::kNoTicket) {
      output.ready() += bytes;
    } else {
      replies_ += bytes;
      replies_after_ = std::max(replies_after_, piece.after);
    }
  }
  if (!replies_.empty()) {
    output.hold(replies_after_, replies_, false);
    replies_after_ = core::kNoTicket;
    if (replies_.capacity() > 4096) {
      std::string().swap(replies_);
    } else {
      replies_.clear();
    }
  }
  if (batch_->close) output.close_after_flush();
  cache_.give_back(std::move(batch_));
  if (std::exchange(pulls_at_once_, false)) {
    batch().requests.emplace_back().kind = Request::Kind::pull_check;
  }
}

void OpenWireSession::encode_delivery(const core::Delivery& delivery, protocols::Output& output) {
  Consumer* consumer = registry_.find_tag(delivery.tag);
  if (consumer == nullptr) return;  // it ended after core sent this
  std::string& out = output.ready();
  const std::size_t start = out.size();
  out.append(4, '\0');
  out += static_cast<char>(MessageDispatch::kType);
  out.append(5, '\0');  // commandId, responseRequired
  out += consumer->wire_id;
  if (!delivery.message) {
    // Source: reference §6.10: a browser has seen everything.
    out.append(2 + 4, '\0');
    store_big(out.data() + start, static_cast<std::uint32_t>(out.size() - start - 4));
    return;
  }
  const EncodedMessage& encoded = cache_.encoded(delivery, format_);
  const std::int64_t broker_sequence = sequence_base_ + static_cast<std::int64_t>(delivery.number);
  const std::size_t message = out.size();
  out += encoded.bytes;
  if (encoded.marks.broker_sequence != MessageMarks::kNone) {
    store_big(out.data() + message + encoded.marks.broker_sequence,
              static_cast<std::uint64_t>(broker_sequence));
  }
  if (delivery.first_of_group && encoded.marks.first_for_consumer != MessageMarks::kNone) {
    out[message + encoded.marks.first_for_consumer] = '\1';
  }
  // A message that may have been delivered before is marked, though nobody knows how often.
  const std::uint32_t counter =
      std::max<std::uint32_t>(delivery.deliveries, delivery.redelivered ? 1 : 0);
  append_big(out, std::min<std::uint32_t>(counter, INT32_MAX));
  store_big(out.data() + start, static_cast<std::uint32_t>(out.size() - start - 4));
  if (!consumer->advisory) {
    consumer->in_flight.add({encoded.key.hash, broker_sequence}, delivery.id);
  }
  if (consumer->pull) {
    consumer->pull.reset();
    pulls_.erase(consumer->key);
  }
}

void OpenWireSession::encode_reply(const core::Reply& reply, protocols::Output& output) {
  // Replies come in the order of parking, but for what a rollback overtakes.
  std::size_t index = 0;
  while (index < parked_.size() && parked_[index].token != reply.token) ++index;
  if (index == parked_.size()) return;
  Parked parked = std::move(parked_[index]);
  for (; index > 0; --index) parked_[index] = std::move(parked_[index - 1]);
  parked_.pop_front();

  const bool failed = reply.outcome.disposition == core::Disposition::failed;
  std::string bytes;
  if (parked.kind == Parked::Kind::prepare || parked.kind == Parked::Kind::xa_commit) {
    answer_xa(parked.asker, reply.outcome, parked.kind == Parked::Kind::prepare, bytes);
  } else if (failed) {
    const core::Error error =
        reply.outcome.error.value_or(core::Error{core::Errc::bad_state, "failed"});
    append_error(bytes, parked.asker,
                 parked.kind == Parked::Kind::commit ? kRolledBack : java_class_of(error.code),
                 error.text);
    doom(parked.transaction, error.text);
  } else {
    append_response(bytes, parked.asker);
  }
  if (parked.kind == Parked::Kind::prepare) voted(*parked.transaction.xid, reply.outcome);
  if (!failed) settle(parked.settled);
  if (parked.window_bytes > 0) append_producer_ack(bytes, parked.producer, parked.window_bytes);
  if (!bytes.empty()) output.hold(reply.outcome.after, bytes, false);
}

void OpenWireSession::encode_farewell(protocols::Farewell why, std::string_view reason,
                                      protocols::Output& output) {
  if (state_ == State::greeting) return;  // nothing can be said before both have greeted
  std::string& out = output.ready();
  if (why == protocols::Farewell::stopping) {
    append_frame(out, ShutdownInfo{}, format_);
    return;
  }
  append_error(out, {}, "java.io.IOException", reason);
}

std::optional<core::ConnectionId> OpenWireSession::connection() const noexcept {
  return connection_;
}

// --- time ----------------------------------------------------------------------------------------

bool OpenWireSession::take_timer_change() noexcept {
  return std::exchange(timer_changed_, false);
}

std::optional<core::milliseconds> OpenWireSession::on_timer(core::milliseconds idle_in,
                                                            core::milliseconds idle_out,
                                                            protocols::Output& output) {
  using core::milliseconds;
  if (state_ == State::closed) return std::nullopt;
  std::optional<milliseconds> next;
  const auto not_later = [&next](milliseconds wait) {
    wait = std::max(wait, milliseconds(1));
    next = next ? std::min(*next, wait) : wait;
  };
  const auto close = [&] {
    state_ = State::closed;
    end_reading();
    output.close_after_flush();
    return std::nullopt;
  };
  const milliseconds patience = state_ == State::greeting  ? options_.handshake_timeout
                                : state_ == State::waiting ? options_.connect_timeout
                                                           : milliseconds(0);
  if (patience.count() > 0) {
    const milliseconds waited = first_bytes_ ? cache_.now() - *first_bytes_ : idle_in;
    if (waited >= patience) return close();
    not_later(patience - waited);
  }
  if (inactivity_.count() > 0) {
    // Source: reference §1.6: a silent peer is found between once and twice the time.
    const milliseconds silence = inactivity_ * 2 + initial_delay_;
    if (idle_in >= silence) return close();
    not_later(silence - idle_in);
    const milliseconds interval = std::max(milliseconds(1), inactivity_ / 3);
    auto wait = interval - idle_out;
    if (idle_out >= interval) {
      append_frame(output.ready(), KeepAliveInfo{}, format_);
      wait = interval;
    }
    not_later(wait);
  }
  if (!pulls_.empty()) {
    const core::TimePoint now = cache_.now();
    std::optional<core::TimePoint> earliest;
    for (const ObjectKey& key : pulls_) {
      const Consumer* consumer = registry_.find_consumer(key);
      if (consumer == nullptr || !consumer->pull || !consumer->pull->deadline) continue;
      const core::TimePoint at = *consumer->pull->deadline;
      earliest = earliest ? std::min(*earliest, at) : at;
    }
    if (earliest && *earliest <= now) {
      batch().requests.emplace_back().kind = Request::Kind::pull_check;
    } else if (earliest) {
      not_later(*earliest - now);
    }
  }
  return next;
}

std::string OpenWireSession::describe() const {
  std::string text = "openwire";
  if (state_ == State::greeting) return text;
  text += ' ';
  text += std::to_string(format_.version);
  if (!connection_) return text;
  text += " client-id ";
  text += client_id_;
  if (!user_.empty()) {
    text += " login ";
    text += user_;
  }
  return text;
}

}  // namespace pabal::openwire
