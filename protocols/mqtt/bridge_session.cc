#include "protocols/mqtt/bridge_session.h"

#include <algorithm>
#include <string>
#include <utility>

#include "protocols/mqtt/packet_encoder.h"
#include "protocols/mqtt/topic_names.h"

// The connection of a bridge: CONNECT, what is read, answers, time. What is forwarded is in
// bridge_in.cc and bridge_out.cc.

namespace pabal::mqtt {
std::string_view to_string(BridgeState state) noexcept {
  switch (state) {
    case BridgeState::resting:
      return "resting";
    case BridgeState::connecting:
      return "connecting";
    case BridgeState::connected:
      return "connected";
  }
  PABAL_UNREACHABLE();
}

std::unique_ptr<protocols::Session> make_bridge_session(const BridgeOptions& options,
                                                        BridgeStatus& status, BridgeCourse& course,
                                                        const protocols::PeerInfo& peer,
                                                        LoopCache::Clock clock) {
  return std::make_unique<BridgeSession>(options, status, course, peer, clock);
}

BridgeSession::BridgeSession(const BridgeOptions& options, BridgeStatus& status,
                             BridgeCourse& course, const protocols::PeerInfo& peer,
                             LoopCache::Clock clock)
    : options_(options),
      status_(status),
      course_(course),
      peer_(peer),
      clock_(clock),
      parser_(options.parser, Sender::server),
      keep_alive_(options.keep_alive),
      in_flight_max_(options.in_flight_max) {
  parser_.set_level(options.level);
  for (const BridgeRoute& route : options.in) {
    remote_filters_.push_back(swapped(route.remote_filter()));
  }
}

/// Its session at the peer is kept for ever, or what is on its way would be lost with it. One that
/// is not ours goes first [MQTT-3.2.2-4]; before 5.0 with a connection of its own (apply_connack).
std::string BridgeSession::connect_packet() const {
  Connect packet;
  packet.level = options_.level;
  packet.clean_start = !course_.resumes;
  packet.keep_alive = options_.keep_alive;
  packet.client_id = options_.client_id;
  packet.user_name = options_.user_name;
  packet.password = options_.password;
  if (options_.level == Level::v5) {
    packet.properties.set(PropertyId::session_expiry, kNeverExpires);
    packet.properties.set(PropertyId::receive_maximum, options_.in_flight_max);
    packet.properties.set(PropertyId::maximum_packet_size, options_.parser.packet_bytes_max);
  }
  std::string bytes;
  append_packet(bytes, packet);
  return bytes;
}

// --- decode --------------------------------------------------------------------------------------

void BridgeSession::decode(std::span<const char> bytes, core::TimePoint now) {
  ping_sent_ = false;
  parser_.feed({bytes.data(), bytes.size()});
  Packet packet;
  while (!reading_ended_) {
    const ParseStatus status = parser_.next(packet);
    if (status == ParseStatus::need_more) return;
    if (status == ParseStatus::failed) {
      std::string text = "what it sent cannot be read: " + parser_.error().text;
      // Brokers that do not know 5.0 say so in the form that they know.
      if (!reads_connected_ && options_.level == Level::v5)
        text += " (is it one for version=3.1.1?)";
      fail_reading(text);
      return;
    }
    read_packet(packet, now);
  }
}

BridgeSession::Command& BridgeSession::add(Kind kind) {
  Command& command = commands_.emplace_back();
  command.kind = kind;
  return command;
}

void BridgeSession::fail_reading(std::string_view text) {
  add(Kind::failed).text = text;
  reading_ended_ = true;
}

void BridgeSession::read_packet(const Packet& packet, core::TimePoint now) {
  if (!reads_connected_) {
    if (type_of(packet) == PacketType::connack) return read_connack(std::get<Connack>(packet));
    return fail_reading("its first packet is no CONNACK");
  }
  switch (type_of(packet)) {
    case PacketType::publish:
      return read_publish(std::get<Publish>(packet), now);
    case PacketType::puback: {
      const auto& ack = std::get<Puback>(packet);
      return read_acknowledgement(Kind::puback, ack.packet_id, ack.reason);
    }
    case PacketType::pubrec: {
      const auto& ack = std::get<Pubrec>(packet);
      return read_acknowledgement(Kind::pubrec, ack.packet_id, ack.reason);
    }
    case PacketType::pubrel:
      return read_acknowledgement(Kind::pubrel, std::get<Pubrel>(packet).packet_id, {});
    case PacketType::pubcomp:
      return read_acknowledgement(Kind::pubcomp, std::get<Pubcomp>(packet).packet_id, {});
    case PacketType::suback: {
      Command& command = add(Kind::suback);
      command.packet_id = std::get<Suback>(packet).packet_id;
      command.text = std::get<Suback>(packet).reasons;
      return;
    }
    case PacketType::unsuback:
      add(Kind::unsuback).packet_id = std::get<Unsuback>(packet).packet_id;
      return;
    case PacketType::pingresp:
      return;
    case PacketType::disconnect: {
      const auto& bye = std::get<Disconnect>(packet);
      std::string text = "it disconnected: " + std::string(to_string(bye.reason));
      const auto reason = bye.properties.text(PropertyId::reason_string);
      if (!reason.empty()) text += " (" + std::string(reason) + ")";
      fail_reading(text);
      commands_.back().reason = bye.reason;
      return;
    }
    default:
      return fail_reading("a packet that has no place here");
  }
}

void BridgeSession::read_acknowledgement(Kind kind, std::uint16_t packet_id, ReasonCode reason) {
  Command& command = add(kind);
  command.packet_id = packet_id;
  command.reason = reason;
}

void BridgeSession::read_connack(const Connack& packet) {
  reads_connected_ = true;
  if (is_error(packet.reason)) {
    std::string text = "it refused the connection: " + std::string(to_string(packet.reason));
    const auto reason = packet.properties.text(PropertyId::reason_string);
    if (!reason.empty()) text += " (" + std::string(reason) + ")";
    return fail_reading(text);
  }
  const Properties& properties = packet.properties;
  qos_max_ = static_cast<QoS>(properties.number_or(PropertyId::maximum_qos, 2));
  takes_retained_ = properties.number_or(PropertyId::retain_available, 1) != 0;
  keep_alive_ = static_cast<std::uint16_t>(
      properties.number_or(PropertyId::server_keep_alive, options_.keep_alive));
  packet_bytes_max_ = properties.number_or(PropertyId::maximum_packet_size, kPacketBytesMax);
  in_flight_max_ = std::min<std::uint32_t>(
      in_flight_max_, properties.number_or(PropertyId::receive_maximum, 65'535));
  session_expiry_ = properties.number_or(PropertyId::session_expiry, kNeverExpires);
  const bool keeps = std::any_of(options_.out.begin(), options_.out.end(),
                                 [](const auto& route) { return route.qos != QoS::at_most_once; });
  if (keeps && qos_max_ == QoS::at_most_once) {
    return fail_reading("it takes nothing above QoS 0, which would lose what is to be kept");
  }
  add(Kind::connack).session_present = packet.session_present;
}

// --- apply ---------------------------------------------------------------------------------------

void BridgeSession::apply(core::Engine& engine, core::TimePoint now) {
  for (std::size_t i = 0; i < commands_.size() && state_ != State::closed; ++i) {
    apply_one(commands_[i], engine, now);
  }
  commands_.clear();
}

void BridgeSession::apply_one(Command& command, core::Engine& engine, core::TimePoint now) {
  switch (command.kind) {
    case Kind::connack:
      return apply_connack(command, engine, now);
    case Kind::publish:
      return apply_publish(command, engine, now);
    case Kind::puback:
      return apply_puback(command, engine, now);
    case Kind::pubrec:
      return apply_pubrec(command, engine, now);
    case Kind::pubrel:
      return apply_pubrel(command, engine);
    case Kind::pubcomp:
      return apply_pubcomp(command, engine, now);
    case Kind::suback:
    case Kind::unsuback:
      return apply_suback(command, engine);
    case Kind::failed:
      if (is_error(command.reason)) judge_end(command.reason);
      return fail(command.text);
    case Kind::begin_delivery:
      return apply_begin_delivery(command, engine);
    case Kind::settle:
      return apply_settle(command, engine, now);
  }
  PABAL_UNREACHABLE();
}

void BridgeSession::fail(std::string_view text) {
  if (course_.ending.empty()) course_.ending = text;
  status_.enter(BridgeState::resting, clock_());
  state_ = State::closed;
  reading_ended_ = true;
}

void BridgeSession::complain(std::string_view text) {
  status_.set_fault(text, clock_());
  if (course_.on_fault) course_.on_fault(text);
}

void BridgeSession::disconnect(core::Engine& engine, core::TimePoint now) {
  // Neither this side nor the engine has ended it: the peer did, or the network.
  if (state_ == State::connected) judge_end(ReasonCode::success);
  state_ = State::closed;
  status_.enter(BridgeState::resting, clock_());
  if (!connection_ || std::exchange(left_, true)) return;
  engine.disconnect(*connection_, {core::Leaving::lost, std::nullopt}, now);
}

void BridgeSession::answer(PacketType type, std::uint16_t packet_id, core::Ticket after,
                           ReasonCode reason) {
  Answer& made = answers_.emplace_back();
  append_acknowledgement(made.bytes, type, packet_id, options_.level, reason);
  made.after = after;
}

// --- encode --------------------------------------------------------------------------------------

void BridgeSession::encode_outcomes(protocols::Output& output) {
  for (Answer& each : answers_) encode_answer(each, output);
  answers_.clear();
  flush_replies(output);
  send_waiting(output);
  if (state_ == State::closed) output.close_after_flush();
}

void BridgeSession::encode_answer(Answer& each, protocols::Output& output) {
  if (each.publish_id == 0) {
    replies_ += each.bytes;
    replies_after_ = std::max(replies_after_, each.after);
    return;
  }
  // Its packet id is on its way to the disk; nothing of it may leave before.
  std::string bytes;
  std::string why_not =
      append_publish(*each.delivery, QoS::exactly_once, each.publish_id, false, bytes);
  if (why_not.empty()) {
    output.hold(each.after, bytes, false);
  } else {
    settle(*each.delivery, each.publish_id, false, std::move(why_not));
  }
}

/// The ticket stays: what comes later must not pass what waits.
void BridgeSession::flush_replies(protocols::Output& output) {
  if (replies_.empty()) return;
  output.hold(replies_after_, replies_, false);
  replies_.clear();
}

void BridgeSession::encode_farewell(protocols::Farewell why, std::string_view reason,
                                    protocols::Output& output) {
  if (why != protocols::Farewell::stopping) course_.ending = reason;
  if (state_ == State::connected) append_packet(output.ready(), Disconnect{}, options_.level);
  state_ = State::closed;
  reading_ended_ = true;
}

// --- time ----------------------------------------------------------------------------------------

std::optional<core::milliseconds> BridgeSession::on_timer(core::milliseconds idle_in,
                                                          core::milliseconds idle_out,
                                                          protocols::Output& output) {
  using core::milliseconds;
  const auto give_up = [&](std::string_view text) {
    fail(text);
    output.close_after_flush();
    return std::nullopt;
  };
  switch (state_) {
    case State::starting:
      output.ready() += connect_packet();
      state_ = State::waiting;
      return options_.connect_timeout;
    case State::waiting:
      // Since CONNECT: a peer that says a byte now and then says nothing.
      if (std::max(idle_in, idle_out) >= options_.connect_timeout) {
        return give_up("no CONNACK in time");
      }
      return options_.connect_timeout - std::max(idle_in, idle_out);
    case State::connected:
      break;
    case State::closed:
      return std::nullopt;
  }
  if (keep_alive_ == 0) return std::nullopt;
  const milliseconds period(std::int64_t{1000} * keep_alive_);
  if (idle_in >= period + period / 2) return give_up("nothing came within its keep alive");
  // Before the period is over: the next look is a quarter of it away. While nothing is read, for
  // want of room, no answer comes either, and the peer still has to hear of us [MQTT-3.1.2-20].
  const milliseconds due = period * 3 / 4;
  if (idle_out >= due || (idle_in >= due && !ping_sent_)) {
    append_packet(output.ready(), Pingreq{}, options_.level);
    ping_sent_ = true;
  }
  return period / 4;
}

std::string BridgeSession::describe() const {
  return "mqtt bridge " + options_.name;
}

}  // namespace pabal::mqtt
