#include "protocols/stomp/session.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "protocols/stomp/stomp_session.h"

namespace pabal::stomp {

struct StompSession::CommandEntry {
  std::string_view name;
  CommandKind kind;
  void (StompSession::*read)(const Frame&, Command&, core::TimePoint);
  void (StompSession::*apply)(Command&, core::Engine&, core::TimePoint);
};

// Exact names (STOMP 1.2 "Client Frames"), the frequent ones first. The frames that only a server
// sends are as unknown as any other word.
const StompSession::CommandEntry StompSession::kCommands[] = {
    {"SEND", CommandKind::send, &StompSession::read_send, &StompSession::apply_send},
    {"ACK", CommandKind::ack, &StompSession::read_ack, &StompSession::apply_ack},
    {"NACK", CommandKind::nack, &StompSession::read_nack, &StompSession::apply_ack},
    {"BEGIN", CommandKind::begin, &StompSession::read_transaction, &StompSession::apply_begin},
    {"COMMIT", CommandKind::commit, &StompSession::read_transaction, &StompSession::apply_commit},
    {"ABORT", CommandKind::abort, &StompSession::read_transaction, &StompSession::apply_abort},
    {"SUBSCRIBE", CommandKind::subscribe, &StompSession::read_subscribe,
     &StompSession::apply_subscribe},
    {"UNSUBSCRIBE", CommandKind::unsubscribe, &StompSession::read_unsubscribe,
     &StompSession::apply_unsubscribe},
    {"DISCONNECT", CommandKind::disconnect, &StompSession::read_disconnect,
     &StompSession::apply_disconnect},
    {"CONNECT", CommandKind::connect, &StompSession::read_connect, &StompSession::apply_connect},
    {"STOMP", CommandKind::connect, &StompSession::read_connect, &StompSession::apply_connect},
    {"", CommandKind::refused, nullptr, &StompSession::apply_refused},
};

std::string_view to_string(CommandKind kind) noexcept {
  switch (kind) {
    case CommandKind::connect:
      return "CONNECT";
    case CommandKind::send:
      return "SEND";
    case CommandKind::subscribe:
      return "SUBSCRIBE";
    case CommandKind::unsubscribe:
      return "UNSUBSCRIBE";
    case CommandKind::ack:
      return "ACK";
    case CommandKind::nack:
      return "NACK";
    case CommandKind::begin:
      return "BEGIN";
    case CommandKind::commit:
      return "COMMIT";
    case CommandKind::abort:
      return "ABORT";
    case CommandKind::disconnect:
      return "DISCONNECT";
    case CommandKind::refused:
      return {};
  }
  PABAL_UNREACHABLE();
}

std::unique_ptr<protocols::Session> make_session(const SessionOptions& options,
                                                 const protocols::PeerInfo& peer,
                                                 FrameCache& cache) {
  return std::make_unique<StompSession>(options, peer, cache);
}

StompSession::StompSession(const SessionOptions& options, const protocols::PeerInfo& peer,
                           FrameCache& cache)
    : options_(options), cache_(cache), peer_(peer), parser_(options) {}

StompSession::~StompSession() = default;

const StompSession::CommandEntry* StompSession::find_command(std::string_view name) noexcept {
  const auto* found = std::find_if(std::begin(kCommands), std::end(kCommands),
                                   [&](const CommandEntry& entry) { return entry.name == name; });
  return found == std::end(kCommands) || found->read == nullptr ? nullptr : found;
}

Batch& StompSession::batch() {
  if (batch_ == nullptr) batch_ = cache_.take_batch();
  return *batch_;
}

// --- decode --------------------------------------------------------------------------------------

void StompSession::decode(std::span<const char> bytes, core::TimePoint now) {
  if (reading_ended_) return;
  if (!first_bytes_) first_bytes_ = now;
  if (!reads_as_connected_ && options_.connect_timeout.count() > 0 &&
      now - *first_bytes_ > options_.connect_timeout) {
    // on_timer() sees only silence: this is for a peer that sends a byte now and then.
    refuse_fatally(batch().commands.emplace_back(), "No CONNECT within the time allowed");
    return;
  }
  parser_.feed({bytes.data(), bytes.size()});
  Frame frame;
  while (!reading_ended_) {
    const ParseStatus status = parser_.next(frame);
    if (status == ParseStatus::need_more) return;
    if (status == ParseStatus::failed) {
      refuse_fatally(batch().commands.emplace_back(), parser_.error(), parser_.error_detail());
      return;
    }
    read_frame(frame, now);
  }
}

void StompSession::read_frame(const Frame& frame, core::TimePoint now) {
  Command& command = batch().commands.emplace_back();
  if (const auto* receipt = frame.find("receipt")) command.receipt = keep(*receipt);
  const CommandEntry* entry = find_command(frame.command);
  if (entry == nullptr) {
    refuse_fatally(command, "Unknown STOMP action: " + std::string(frame.command));
    return;
  }
  command.kind = entry->kind;
  const bool connects = entry->kind == CommandKind::connect;
  if (connects == reads_as_connected_) {
    refuse(command, connects ? "Already connected." : "Not connected.");
    return;
  }
  if (const auto* transaction = frame.find("transaction")) command.transaction = keep(*transaction);
  (this->*entry->read)(frame, command, now);
}

void StompSession::refuse(Command& command, std::string_view text, std::string_view detail) {
  if (command.kind != CommandKind::refused) command.frame = command.kind;
  command.kind = CommandKind::refused;
  command.text = keep(text);
  if (!detail.empty()) command.detail = keep(detail);
}

void StompSession::refuse_fatally(Command& command, std::string_view text,
                                  std::string_view detail) {
  refuse(command, text, detail);
  command.fatal = true;
  end_reading();
}

bool StompSession::has_commands() const noexcept {
  return batch_ != nullptr && !batch_->commands.empty();
}

// --- apply ---------------------------------------------------------------------------------------

void StompSession::apply(core::Engine& engine, core::TimePoint now) {
  if (batch_ == nullptr) return;
  for (Command& command : batch_->commands) {
    if (state_ == State::leaving || state_ == State::closed) break;
    const auto* entry =
        std::find_if(std::begin(kCommands), std::end(kCommands),
                     [&](const CommandEntry& candidate) { return candidate.kind == command.kind; });
    (this->*entry->apply)(command, engine, now);
  }
  batch_->commands.clear();
  reads_deletion_ = false;
}

void StompSession::apply_refused(Command& command, core::Engine& engine, core::TimePoint now) {
  fail(command, view(command.text));
  if (command.frame == CommandKind::send) doom(view(command.transaction), view(command.text));
  if (!command.fatal) return;
  batch_->answers.back().close = true;
  state_ = State::closed;
  subscriptions_.clear();
  if (connection_) engine.disconnect(*connection_, now);
}

void StompSession::disconnect(core::Engine& engine, core::TimePoint now) {
  if (connection_) engine.disconnect(*connection_, now);
}

void StompSession::append_receipt(std::string& out, const Answer& answer) const {
  if (answer.lists) {
    append_branches(out, view(answer.receipt), version_, view(answer.text),
                    answer.detail.present());
  } else {
    stomp::append_receipt(out, view(answer.receipt), version_,
                          answer.votes ? vote_text(answer.vote) : "");
  }
}

void StompSession::confirm(const Command& command, core::Ticket after, bool barrier) {
  if (!command.receipt.present()) return;
  Answer& answer = batch_->answers.emplace_back();
  answer.kind = AnswerKind::receipt;
  answer.command = command.kind;
  answer.receipt = command.receipt;
  answer.after = after;
  answer.barrier = barrier;
}

void StompSession::fail(const Command& command, std::string_view text, core::Ticket after) {
  Answer& answer = batch_->answers.emplace_back();
  answer.kind = AnswerKind::error;
  answer.command = command.kind == CommandKind::refused ? command.frame : command.kind;
  answer.receipt = command.receipt;
  answer.lists_versions = command.lists_versions;
  answer.detail = command.detail;
  answer.text = command.text.present() && view(command.text).data() == text.data() ? command.text
                                                                                   : keep(text);
  answer.after = after;
}

void StompSession::park(const Command& command, core::ReplyToken token,
                        std::vector<Settled> settled) {
  Parked parked{token, command.kind, std::nullopt, std::move(settled), {}, core::kNoTicket, false};
  if (command.kind == CommandKind::send) parked.transaction = view(command.transaction);
  if (command.receipt.present()) parked.receipt = view(command.receipt);
  parked_.push_back(std::move(parked));
}

// --- encode --------------------------------------------------------------------------------------

void StompSession::encode_outcomes(protocols::Output& output) {
  if (batch_ == nullptr || !batch_->commands.empty()) return;
  for (const Answer& answer : batch_->answers) encode_answer(answer, output);
  flush_receipts(output);
  cache_.give_back(std::move(batch_));
}

void StompSession::encode_answer(const Answer& answer, protocols::Output& output) {
  switch (answer.kind) {
    case AnswerKind::connected: {
      const std::string_view response_id = view(answer.receipt);
      append_connected(output.ready(),
                       {version_, client_id_, options_.server, server_sends_, server_wants_,
                        answer.receipt.present() ? &response_id : nullptr});
      break;
    }
    case AnswerKind::receipt:
      if (answer.after == core::kNoTicket) {
        flush_receipts(output);
        append_receipt(output.ready(), answer);
        break;
      }
      if (answer.barrier) flush_receipts(output);
      append_receipt(receipts_, answer);
      receipts_after_ = std::max(receipts_after_, answer.after);
      if (answer.barrier) {
        output.hold(receipts_after_, receipts_, true);
        receipts_.clear();
        receipts_after_ = core::kNoTicket;
      }
      break;
    case AnswerKind::error:
      encode_error(answer, output);
      break;
    case AnswerKind::close:
      break;
  }
  if (answer.close) {
    if (answer.kind == AnswerKind::error) closing_reason_ = view(answer.text);
    flush_receipts(output);
    output.close_after_flush();
  }
}

void StompSession::encode_error(const Answer& answer, protocols::Output& output) {
  const std::string_view receipt = view(answer.receipt);
  const ErrorFrame frame{view(answer.text), view(answer.detail), to_string(answer.command),
                         answer.receipt.present() ? &receipt : nullptr, answer.lists_versions};
  flush_receipts(output);  // if they can leave at once, they leave in the order of the frames
  if (answer.after == core::kNoTicket) {
    append_error(output.ready(), frame, version_);
    return;
  }
  std::string bytes;
  append_error(bytes, frame, version_);
  output.hold(answer.after, bytes, false);
}

void StompSession::flush_receipts(protocols::Output& output) {
  if (receipts_.empty()) return;
  output.hold(receipts_after_, receipts_, false);
  receipts_after_ = core::kNoTicket;
  if (receipts_.capacity() > 4096) {
    std::string().swap(receipts_);
  } else {
    receipts_.clear();
  }
}

void StompSession::encode_delivery(const core::Delivery& delivery, protocols::Output& output) {
  Subscription* subscription = subscriptions_.find(delivery.tag);
  if (subscription == nullptr) return;  // it ended after core sent this
  if (!delivery.message) {
    encode_browse_end(*subscription, output.ready());
    return;
  }
  const core::Message& message = *delivery.message;
  std::string& out = output.ready();
  out += subscription->frame_start;
  subscription->last_sent = delivery.id;
  if (subscription->explicit_acks) {
    if (version_ == Version::v1_2) {
      out += "ack:";
      append_number(out, subscription->tag);
      out += '-';
      append_number(out, core::raw(delivery.id));
      out += '\n';
    } else {
      subscription->unacked.add(key_of(message), delivery.id);
    }
  }
  if (delivery.redelivered) out += "redelivered:true\n";
  if (delivery.deliveries > 0) {
    out += "JMSXDeliveryCount:";
    append_number(out, std::uint64_t{delivery.deliveries} + 1);
    out += '\n';
  }
  if (delivery.first_of_group) out += "JMSXGroupFirstForConsumer:true\n";
  const core::Destination* place = delivery.destination.get();
  MessageView view{version_, subscription->transformation};
  if (!temporaries_.empty() && names_a_temporary(message, place)) {
    view.own = &temporaries_;
    std::string scratch;
    const std::string_view body = append_common_headers(out, message, place, view, scratch);
    out += '\n';
    out += body;
  } else {
    const auto common = cache_.common_part(delivery.message, delivery.destination, view);
    out += common.headers;
    out += '\n';
    out += common.body;
  }
  out += kFrameEnd;
}

/// reference/stomp.md §5: a MESSAGE without a body tells a browser that it has seen all.
void StompSession::encode_browse_end(const Subscription& subscription, std::string& out) const {
  out += subscription.frame_start;
  out += "message-id:0\ndestination:";
  append_destination(out, subscription.destinations.front().kind,
                     subscription.destinations.front().name, version_, &temporaries_);
  out += "\nbrowser:end\n\n";
  out += kFrameEnd;
}

void StompSession::encode_reply(const core::Reply& reply, protocols::Output& output) {
  // Replies come in the order of parking, but for what a rollback overtakes.
  std::size_t index = 0;
  while (index < parked_.size() && parked_[index].token != reply.token) ++index;
  if (index == parked_.size()) return;
  Parked parked = std::move(parked_[index]);
  for (; index > 0; --index) parked_[index] = std::move(parked_[index - 1]);
  parked_.pop_front();

  std::string bytes;
  if (reply.outcome.disposition == core::Disposition::failed) {
    const std::string_view receipt = parked.receipt ? std::string_view(*parked.receipt) : "";
    const std::string_view cause =
        reply.outcome.error ? std::string_view(reply.outcome.error->text) : "failed";
    append_error(bytes,
                 {cause, {}, to_string(parked.command), parked.receipt ? &receipt : nullptr, false},
                 version_);
    doom(parked.transaction, cause);
  } else {
    for (const Settled& settled : parked.settled) settle(settled);
    if (parked.receipt) {
      stomp::append_receipt(bytes, *parked.receipt, version_,
                            parked.votes ? vote_text(reply.outcome.xa) : "");
    }
  }
  if (!bytes.empty()) output.hold(reply.outcome.after, bytes, false);

  if (last_words_) last_words_->after = std::max(last_words_->after, reply.outcome.after);
  if (parked_.empty() && last_words_) {
    bytes.clear();
    if (last_words_->receipt) stomp::append_receipt(bytes, *last_words_->receipt, version_);
    if (!bytes.empty()) output.hold(last_words_->after, bytes, false);
    last_words_.reset();
    state_ = State::closed;
    output.close_after_flush();
  }
}

void StompSession::encode_farewell(protocols::Farewell /*why*/, std::string_view reason,
                                   protocols::Output& output) {
  append_error(output.ready(), {reason, {}, {}, nullptr, false}, version_);
}

std::optional<core::ConnectionId> StompSession::connection() const noexcept {
  return connection_;
}

// --- time ----------------------------------------------------------------------------------------

std::optional<core::milliseconds> StompSession::on_timer(core::milliseconds idle_in,
                                                         core::milliseconds idle_out,
                                                         protocols::Output& output) {
  using core::milliseconds;
  if (state_ == State::closed) return std::nullopt;
  if (state_ == State::waiting) {
    if (options_.connect_timeout.count() == 0) return std::nullopt;
    if (idle_in < options_.connect_timeout) return options_.connect_timeout - idle_in;
    state_ = State::closed;
    end_reading();
    output.close_after_flush();
    return std::nullopt;
  }
  std::optional<milliseconds> next;
  if (server_wants_.count() > 0) {
    // STOMP 1.2 "Heart-beating": allow an error margin for late data.
    const auto patience = milliseconds(static_cast<std::int64_t>(std::ceil(
        static_cast<double>(server_wants_.count()) * std::max(1.0, options_.heart_beat_grace))));
    if (idle_in >= patience) {
      state_ = State::closed;
      end_reading();
      output.close_after_flush();
      return std::nullopt;
    }
    next = patience - idle_in;
  }
  if (server_sends_.count() > 0) {
    // A quarter ahead of time, because the client counts until the byte arrives.
    const auto interval = std::max(milliseconds(1), server_sends_ * 3 / 4);
    auto wait = interval - idle_out;
    if (idle_out >= interval) {
      output.ready() += '\n';
      wait = interval;
    }
    next = next ? std::min(*next, wait) : wait;
  }
  return next;
}

std::string StompSession::describe() const {
  std::string text = "stomp";
  if (!connection_) return text;
  text += ' ';
  text += to_string(version_);
  text += " client-id ";
  text += client_id_;
  if (!login_.empty()) {
    text += " login ";
    text += login_;
  }
  return text;
}

}  // namespace pabal::stomp
