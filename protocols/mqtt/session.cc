#include "protocols/mqtt/session.h"

#include <algorithm>
#include <string>
#include <utility>

#include "protocols/mqtt/mqtt_session.h"
#include "protocols/mqtt/packet_encoder.h"

namespace pabal::mqtt {

std::unique_ptr<protocols::Session> make_session(const SessionOptions& options,
                                                 const protocols::PeerInfo& peer,
                                                 LoopCache& cache) {
  return std::make_unique<MqttSession>(options, peer, cache);
}

std::string attachment_key(char kind, std::uint16_t packet_id) {
  return std::string(1, kind) + '/' + std::to_string(packet_id);
}

MqttSession::MqttSession(const SessionOptions& options, const protocols::PeerInfo& peer,
                         LoopCache& cache)
    : options_(options), cache_(cache), peer_(peer), parser_(options.parser, Sender::client) {}

MqttSession::~MqttSession() = default;

Batch& MqttSession::batch() {
  if (batch_ == nullptr) batch_ = cache_.take_batch();
  return *batch_;
}

// --- decode --------------------------------------------------------------------------------------

void MqttSession::decode(std::span<const char> bytes, core::TimePoint now) {
  if (reading_ended_) return;
  if (!first_bytes_) first_bytes_ = now;
  if (!reads_connected_ && options_.connect_timeout.count() > 0 &&
      now - *first_bytes_ > options_.connect_timeout) {
    // on_timer() sees only silence: this is for a peer that sends a byte now and then.
    fail_reading(ReasonCode::unspecified_error, "no CONNECT within the time allowed");
    return;
  }
  parser_.feed({bytes.data(), bytes.size()});
  Packet packet;
  while (!reading_ended_) {
    const ParseStatus status = parser_.next(packet);
    if (status == ParseStatus::need_more) return;
    if (status == ParseStatus::failed) {
      fail_reading(parser_.error().reason, parser_.error().text);
      return;
    }
    read_packet(packet, now);
  }
}

/// The reading half of the dispatch table; the parser let only packets of clients through.
void MqttSession::read_packet(const Packet& packet, core::TimePoint now) {
  if (authenticating_ != nullptr && type_of(packet) != PacketType::auth &&
      type_of(packet) != PacketType::disconnect) {  // [MQTT-3.1.2-30]
    return fail_reading(ReasonCode::protocol_error, "only AUTH and DISCONNECT before CONNACK");
  }
  switch (type_of(packet)) {
    case PacketType::publish:
      return read_publish(std::get<Publish>(packet), now);
    case PacketType::puback: {
      const auto& ack = std::get<Puback>(packet);
      return read_acknowledgement(CommandKind::puback, ack.packet_id, ack.reason);
    }
    case PacketType::pubrec: {
      const auto& ack = std::get<Pubrec>(packet);
      return read_acknowledgement(CommandKind::pubrec, ack.packet_id, ack.reason);
    }
    case PacketType::pubrel: {
      const auto& ack = std::get<Pubrel>(packet);
      return read_acknowledgement(CommandKind::pubrel, ack.packet_id, ack.reason);
    }
    case PacketType::pubcomp: {
      const auto& ack = std::get<Pubcomp>(packet);
      return read_acknowledgement(CommandKind::pubcomp, ack.packet_id, ack.reason);
    }
    case PacketType::connect:
      return read_connect(std::get<Connect>(packet), now);
    case PacketType::subscribe:
      return read_subscribe(std::get<Subscribe>(packet));
    case PacketType::unsubscribe:
      return read_unsubscribe(std::get<Unsubscribe>(packet));
    case PacketType::pingreq:
      batch().commands.emplace_back().kind = CommandKind::pingreq;
      return;
    case PacketType::disconnect:
      return read_disconnect(std::get<Disconnect>(packet));
    case PacketType::auth:
      return read_auth(std::get<Auth>(packet));
    case PacketType::connack:
    case PacketType::suback:
    case PacketType::unsuback:
    case PacketType::pingresp:
      break;
  }
  fail_reading(ReasonCode::protocol_error, "a packet that only servers send");
}

void MqttSession::fail_reading(ReasonCode reason, std::string_view text) {
  Command& command = batch().commands.emplace_back();
  command.kind = CommandKind::failed;
  command.reason = reason;
  command.text = text;
  reading_ended_ = true;
}

bool MqttSession::has_commands() const noexcept {
  return batch_ != nullptr && !batch_->commands.empty();
}

// --- apply ---------------------------------------------------------------------------------------

MqttSession::Apply MqttSession::apply_of(CommandKind kind) noexcept {
  switch (kind) {
    case CommandKind::connect:
      return &MqttSession::apply_connect;
    case CommandKind::publish:
      return &MqttSession::apply_publish;
    case CommandKind::puback:
      return &MqttSession::apply_puback;
    case CommandKind::pubrec:
      return &MqttSession::apply_pubrec;
    case CommandKind::pubrel:
      return &MqttSession::apply_pubrel;
    case CommandKind::pubcomp:
      return &MqttSession::apply_pubcomp;
    case CommandKind::subscribe:
      return &MqttSession::apply_subscribe;
    case CommandKind::unsubscribe:
      return &MqttSession::apply_unsubscribe;
    case CommandKind::pingreq:
      return &MqttSession::apply_pingreq;
    case CommandKind::disconnect:
      return &MqttSession::apply_disconnect;
    case CommandKind::auth:
      return &MqttSession::apply_auth;
    case CommandKind::failed:
      return &MqttSession::apply_failed;
    case CommandKind::begin_delivery:
      return &MqttSession::apply_begin_delivery;
    case CommandKind::settle:
      return &MqttSession::apply_settle;
  }
  PABAL_UNREACHABLE();
}

void MqttSession::apply(core::Engine& engine, core::TimePoint now) {
  if (batch_ == nullptr) return;
  // Another connection has the session: an answer here would promise what is not so there.
  if (connection_ && !left_ && !engine.is_connected(*connection_)) {
    batch_->commands.clear();
    return;
  }
  for (Command& command : batch_->commands) {
    if (state_ == State::closed) break;
    (this->*apply_of(command.kind))(command, engine, now);
  }
  if (state_ == State::connected) begin_waiting(engine);
  batch_->commands.clear();
}

void MqttSession::apply_pingreq(Command& /*command*/, core::Engine& /*engine*/,
                                core::TimePoint /*now*/) {
  std::string bytes;
  append_packet(bytes, Pingresp{}, level_);
  answer_bytes(Answer::Kind::at_once, std::move(bytes), core::kNoTicket);
}

void MqttSession::apply_failed(Command& command, core::Engine& engine, core::TimePoint now) {
  fail(command.reason, command.text, engine, now);
}

/// MQTT 5.0 §4.13.1: where there is a word for it, it is said.
void MqttSession::fail(ReasonCode reason, std::string_view text, core::Engine& engine,
                       core::TimePoint now) {
  reading_ended_ = true;
  closing_reason_ = text;
  if (state_ == State::connected) {
    if (is_v5()) answer_bytes(Answer::Kind::bytes, disconnect_packet(reason, text), {});
  } else if (reason == ReasonCode::unsupported_protocol_version) {
    // [MQTT-3.1.2-2]. Whatever else comes before a whole CONNECT need not be MQTT, and gets
    // nothing.
    std::string bytes;
    Connack refusal;
    refusal.reason = reason;
    append_packet(bytes, refusal, parser_.answer_in_old_form() ? Level::v3_1_1 : Level::v5);
    answer_bytes(Answer::Kind::bytes, std::move(bytes), {});
  }
  answer_close();
  end(engine, {core::Leaving::lost, std::nullopt}, now);
}

// --- answers -------------------------------------------------------------------------------------

void MqttSession::answer(PacketType type, std::uint16_t packet_id, core::Ticket after,
                         ReasonCode reason) {
  Answer& made = batch_->answers.emplace_back();
  made.kind = Answer::Kind::acknowledgement;
  made.type = type;
  made.packet_id = packet_id;
  made.reason = reason;
  made.after = after;
}

Answer& MqttSession::answer_bytes(Answer::Kind kind, std::string bytes, core::Ticket after) {
  Answer& made = batch_->answers.emplace_back();
  made.kind = kind;
  made.bytes = std::move(bytes);
  made.after = after;
  return made;
}

void MqttSession::answer_close() {
  batch_->answers.emplace_back().kind = Answer::Kind::close;
}

std::string MqttSession::disconnect_packet(ReasonCode reason, std::string_view text) const {
  std::string bytes;
  Disconnect packet;
  packet.reason = reason;
  if (!text.empty()) packet.properties.set(PropertyId::reason_string, text);
  append_packet(bytes, packet, level_, packet_bytes_max_);
  return bytes;
}

// --- encode --------------------------------------------------------------------------------------

void MqttSession::encode_outcomes(protocols::Output& output) {
  if (batch_ == nullptr || !batch_->commands.empty()) return;
  auto batch = std::move(batch_);
  for (Answer& each : batch->answers) encode_answer(each, output);
  flush_replies(output);
  cache_.give_back(std::move(batch));
  send_waiting(output);
}

void MqttSession::encode_answer(Answer& answer, protocols::Output& output) {
  switch (answer.kind) {
    case Answer::Kind::acknowledgement:
      append_acknowledgement(replies_, answer.type, answer.packet_id, level_, answer.reason);
      replies_after_ = std::max(replies_after_, answer.after);
      break;
    case Answer::Kind::bytes:
      replies_ += answer.bytes;
      replies_after_ = std::max(replies_after_, answer.after);
      break;
    case Answer::Kind::barrier:
      flush_replies(output);
      replies_after_ = std::max(replies_after_, answer.after);
      output.hold(replies_after_, answer.bytes, true);
      break;
    case Answer::Kind::at_once:
      output.ready() += answer.bytes;
      break;
    case Answer::Kind::publish: {
      // Its packet id is on its way to the disk; nothing of it may leave before.
      Subscription* subscription = subscriptions_.find(answer.delivery->tag);
      std::string bytes;
      if (subscription != nullptr &&
          append_publish(*answer.delivery, *subscription, QoS::exactly_once, answer.packet_id,
                         false, false, bytes)) {
        output.hold(answer.after, bytes, false);
      } else {
        give_up_delivery(*answer.delivery, answer.packet_id);
      }
      break;
    }
    case Answer::Kind::close:
      flush_replies(output);
      output.close_after_flush();
      break;
  }
}

/// The ticket stays: what comes later must not pass what waits.
void MqttSession::flush_replies(protocols::Output& output) {
  if (replies_.empty()) return;
  output.hold(replies_after_, replies_, false);
  if (replies_.capacity() > 4096) {
    std::string().swap(replies_);
  } else {
    replies_.clear();
  }
}

void MqttSession::encode_reply(const core::Reply& reply, protocols::Output& output) {
  std::size_t index = 0;
  while (index < parked_.size() && parked_[index].token != reply.token) ++index;
  if (index == parked_.size()) return;
  const Parked parked = parked_[index];
  for (; index > 0; --index) parked_[index] = std::move(parked_[index - 1]);
  parked_.pop_front();
  if (parked.qos == QoS::at_least_once) --parked_qos_1_;
  if (state_ != State::connected) return;
  auto held = std::move(batch_);  // commands that are not applied yet have their own
  batch_ = cache_.take_batch();
  answer_publish(parked.qos, parked.packet_id, reply.outcome);
  for (Answer& each : batch_->answers) encode_answer(each, output);
  flush_replies(output);
  cache_.give_back(std::move(batch_));
  batch_ = std::move(held);
}

void MqttSession::encode_farewell(protocols::Farewell why, std::string_view reason,
                                  protocols::Output& output) {
  if (state_ != State::connected || !is_v5()) return;
  state_ = State::closed;
  ReasonCode code = ReasonCode::administrative_action;
  if (why == protocols::Farewell::taken_over) code = ReasonCode::session_taken_over;
  if (why == protocols::Farewell::stopping) code = ReasonCode::server_shutting_down;
  say_last(disconnect_packet(code, reason), output);
}

/// [MQTT-3.14.4-1]: nothing goes behind it, so that it goes behind all that waits.
void MqttSession::say_last(std::string_view packet, protocols::Output& output) {
  replies_ += packet;
  flush_replies(output);
}

std::optional<core::ConnectionId> MqttSession::connection() const noexcept {
  return connection_;
}

// --- time ----------------------------------------------------------------------------------------

std::optional<core::milliseconds> MqttSession::on_timer(core::milliseconds idle_in,
                                                        core::milliseconds /*idle_out*/,
                                                        protocols::Output& output) {
  using core::milliseconds;
  if (state_ == State::closed) return std::nullopt;
  const bool waiting = state_ == State::waiting;
  // [MQTT-3.1.2-22]: one and a half times the keep alive.
  const milliseconds patience =
      waiting ? options_.connect_timeout : milliseconds(std::int64_t{1500} * keep_alive_);
  if (patience.count() == 0) return std::nullopt;
  if (idle_in < patience) return patience - idle_in;
  if (!waiting && is_v5()) {
    say_last(disconnect_packet(ReasonCode::keep_alive_timeout, "nothing came in time"), output);
  }
  state_ = State::closed;
  reading_ended_ = true;
  output.close_after_flush();
  return std::nullopt;
}

std::string MqttSession::describe() const {
  if (!connection_) return "mqtt";
  std::string text = level_ == Level::v5     ? "mqtt 5.0"
                     : level_ == Level::v3_1 ? "mqtt 3.1"
                                             : "mqtt 3.1.1";
  text += " client-id " + client_id_;
  if (!user_.empty()) text += " user " + user_;
  return text;
}

}  // namespace pabal::mqtt
