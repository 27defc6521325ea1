#include <algorithm>
#include <string>
#include <utility>

#include "protocols/mqtt/bridge_session.h"
#include "protocols/mqtt/message_mapping.h"
#include "protocols/mqtt/mqtt_session.h"
#include "protocols/mqtt/topic_names.h"

// From the peer to here: as a client's PUBLISH, and an answer says the same: it is durable.

namespace pabal::mqtt {
namespace {

/// Of topic and payload (FNV-1a): two messages under one packet id are told apart by it.
std::uint64_t digest_of(const Publish& packet) noexcept {
  std::uint64_t digest = 0xCBF2'9CE4'8422'2325;
  const auto add = [&digest](unsigned char byte) { digest = (digest ^ byte) * 0x100'0000'01B3; };
  for (const char c : packet.topic) add(static_cast<unsigned char>(c));
  add(0);
  for (const char c : packet.payload) add(static_cast<unsigned char>(c));
  return digest;
}

/// What would be refused again, however often it comes.
bool is_final(core::Errc code) noexcept {
  return code == core::Errc::bad_destination || code == core::Errc::invalid_argument ||
         code == core::Errc::not_supported;
}

}  // namespace

bool has_been_at(std::string_view path, std::string_view broker_id) noexcept {
  while (!path.empty()) {
    const std::size_t comma = std::min(path.find(','), path.size());
    if (path.substr(0, comma) == broker_id) return true;
    path.remove_prefix(std::min(comma + 1, path.size()));
  }
  return false;
}

bool has_been_at(const UserProperties& properties, std::string_view broker_id) noexcept {
  for (const UserProperty& each : properties) {
    if (each.name == kPathProperty && has_been_at(each.value, broker_id)) return true;
  }
  return false;
}

void BridgeSession::read_publish(const Publish& packet, core::TimePoint now) {
  if (packet.properties.has(PropertyId::topic_alias)) {
    return fail_reading("a topic alias, although none was allowed");
  }
  Command& command = add(Kind::publish);
  command.qos = packet.qos;
  command.packet_id = packet.packet_id;
  if (packet.qos == QoS::exactly_once) command.digest = digest_of(packet);
  const auto refuse = [&](std::string_view why) {
    command.reason = ReasonCode::topic_name_invalid;
    command.text = why;
  };
  const std::string name = swapped(packet.topic);
  std::size_t route = 0;
  while (route < remote_filters_.size() && !matches_filter(remote_filters_[route], name)) ++route;
  if (route == remote_filters_.size()) return refuse("a topic that nothing was asked of");
  if (has_been_at(packet.properties.user, options_.broker_id)) {
    command.reason = ReasonCode::no_matching_subscribers;  // no error: it is here already
    return;
  }
  const BridgeRoute& way = options_.in[route];
  if (packet.topic.size() < way.remote_prefix.size()) {
    // `p/#` matches `p` as well, which does not begin with the prefix `p/`.
    command.reason = ReasonCode::no_matching_subscribers;
    command.text = "not of the route";
    return;
  }
  const std::string topic =
      way.local_prefix + std::string(packet.topic.substr(way.remote_prefix.size()));
  const auto target = is_topic_name(topic) ? parse_topic_name(topic) : std::nullopt;
  if (!target || target->reserved) return refuse("a topic that cannot be here: " + topic);
  core::MessageBuilder builder;
  std::string scratch;
  std::string reply_to;
  fill_message(builder, {*target, packet.qos, packet.retain, packet.payload, &packet.properties},
               core::to_millis(now), {scratch, reply_to});
  builder.origin = origin_;
  builder.sequence = ++sequence_;
  command.incomplete = !connection_;  // it came in one read with CONNACK
  auto message = builder.build();
  if (!message) return refuse("a message that cannot be here: " + message.error().text);
  command.message = std::move(*message);
}

void BridgeSession::apply_publish(Command& command, core::Engine& engine, core::TimePoint now) {
  const bool exactly_once = command.qos == QoS::exactly_once;
  const auto taken = exactly_once ? incoming_.find(command.packet_id) : incoming_.end();
  if (taken != incoming_.end()) {
    // [MQTT-4.3.3-10]: it was taken. Where it still waits for room, the answer is on its way.
    for (std::size_t i = 0; i < parked_.size(); ++i) {
      if (parked_[i].packet_id == command.packet_id && parked_[i].qos == command.qos) return;
    }
    // Another message under an id that we still know: the peer was killed, and has forgotten.
    if (taken->second == command.digest) {
      answer(PacketType::pubrec, command.packet_id, engine.submitted());
      return;
    }
  }
  if (!command.message) {
    if (is_error(command.reason)) {
      ++status_.refused_in;
      complain("not taken from the other broker: " + command.text);
    } else if (command.text.empty()) {
      ++status_.looped;
    }
    if (command.qos == QoS::at_most_once) return;
    answer(exactly_once ? PacketType::pubrec : PacketType::puback, command.packet_id,
           core::kNoTicket, command.reason);
    if (exactly_once && !is_error(command.reason)) {
      incoming_[command.packet_id] = command.digest;
    }
    return;
  }
  if (command.incomplete) {
    core::MessageBuilder builder(*command.message);
    builder.origin = origin_;
    if (auto whole = builder.build()) command.message = std::move(*whole);
  }
  core::SendOptions options;
  if (command.qos != QoS::at_most_once) options.token = ++token_;
  if (exactly_once) {
    incoming_[command.packet_id] = command.digest;
    options.attach = std::make_shared<const core::SessionChanges>(core::SessionChanges{
        {attachment_key('i', command.packet_id), std::to_string(command.digest)}});
  }
  const core::Outcome outcome =
      engine.publish(*connection_, std::move(command.message), options, now);
  if (outcome.disposition == core::Disposition::parked) {
    if (options.token != 0) parked_.push_back({options.token, command.packet_id, command.qos});
    return;
  }
  answer_publish(command.qos, command.packet_id, outcome);
}

/// What could be taken another time is not answered: the connection ends, and the peer sends it
/// again.
void BridgeSession::answer_publish(QoS qos, std::uint16_t packet_id, const core::Outcome& outcome) {
  if (outcome.disposition != core::Disposition::failed) {
    ++status_.forwarded_in;
    if (qos == QoS::at_most_once) return;
    answer(qos == QoS::at_least_once ? PacketType::puback : PacketType::pubrec, packet_id,
           outcome.after);
    return;
  }
  const std::string text = outcome.error ? outcome.error->text : "refused";
  if (qos == QoS::exactly_once) incoming_.erase(packet_id);
  if (qos != QoS::at_most_once && !(outcome.error && is_final(outcome.error->code))) {
    return fail("no room here for what it sends: " + text);
  }
  ++status_.refused_in;
  complain("not taken from the other broker: " + text);
  if (qos == QoS::at_most_once) return;
  answer(qos == QoS::at_least_once ? PacketType::puback : PacketType::pubrec, packet_id,
         outcome.after, ReasonCode::topic_name_invalid);
}

void BridgeSession::encode_reply(const core::Reply& reply, protocols::Output& output) {
  std::size_t index = 0;
  while (index < parked_.size() && parked_[index].token != reply.token) ++index;
  if (index == parked_.size()) return;
  const Parked parked = parked_[index];
  for (; index > 0; --index) parked_[index] = parked_[index - 1];
  parked_.pop_front();
  if (state_ != State::connected) return;
  answer_publish(parked.qos, parked.packet_id, reply.outcome);
  for (Answer& each : answers_) encode_answer(each, output);
  answers_.clear();
  flush_replies(output);
  if (state_ == State::closed) output.close_after_flush();
}

/// [MQTT-4.3.3-11].
void BridgeSession::apply_pubrel(const Command& command, core::Engine& engine) {
  if (incoming_.erase(command.packet_id) == 0) {
    answer(PacketType::pubcomp, command.packet_id, core::kNoTicket,
           ReasonCode::packet_identifier_not_found);
    return;
  }
  const auto changed =
      engine.change_session(*connection_, {{attachment_key('i', command.packet_id), std::nullopt}});
  answer(PacketType::pubcomp, command.packet_id, changed ? *changed : core::kNoTicket);
}

}  // namespace pabal::mqtt
