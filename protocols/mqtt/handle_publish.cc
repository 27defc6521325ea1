#include <string>
#include <utility>

#include "protocols/mqtt/bridge.h"
#include "protocols/mqtt/message_mapping.h"
#include "protocols/mqtt/mqtt_session.h"

namespace pabal::mqtt {
namespace {

ReasonCode reason_of(const core::Outcome& outcome) noexcept {
  if (!outcome.error) return ReasonCode::unspecified_error;
  switch (outcome.error->code) {
    case core::Errc::quota_exceeded:
    case core::Errc::store_full:
      return ReasonCode::quota_exceeded;
    case core::Errc::bad_destination:
      return ReasonCode::topic_name_invalid;
    default:
      return ReasonCode::unspecified_error;
  }
}

}  // namespace

std::optional<std::string_view> MqttSession::resolve_alias(const Publish& packet) {
  if (!packet.properties.has(PropertyId::topic_alias)) return packet.topic;
  const std::uint32_t alias = packet.properties.number(PropertyId::topic_alias);
  if (alias == 0 || alias > options_.topic_alias_maximum) {  // [MQTT-3.3.2-8] [MQTT-3.3.2-9]
    fail_reading(ReasonCode::topic_alias_invalid, "a topic alias above the maximum");
    return std::nullopt;
  }
  if (!packet.topic.empty()) {
    if (aliases_in_.size() < alias) aliases_in_.resize(alias);
    aliases_in_[alias - 1] = packet.topic;
    return packet.topic;
  }
  if (alias > aliases_in_.size() || aliases_in_[alias - 1].empty()) {
    fail_reading(ReasonCode::protocol_error, "a topic alias that was not set");
    return std::nullopt;
  }
  return aliases_in_[alias - 1];
}

void MqttSession::read_publish(const Publish& packet, core::TimePoint now) {
  const auto topic = resolve_alias(packet);
  if (!topic) return;
  Command& command = batch().commands.emplace_back();
  command.kind = CommandKind::publish;
  command.qos = packet.qos;
  command.packet_id = packet.packet_id;
  const auto target = parse_topic_name(*topic);
  if (!target || !may_publish(*target, options_.publish_dollar_topics)) {
    command.reason = target ? ReasonCode::not_authorized : ReasonCode::topic_name_invalid;
    return;
  }
  if (!packet.properties.user.empty() && options_.broker_id != nullptr &&
      !options_.broker_id->empty() && has_been_at(packet.properties.user, *options_.broker_id)) {
    command.reason = ReasonCode::no_matching_subscribers;
    return;
  }
  core::MessageBuilder& builder = cache_.builder();
  fill_message(builder, {*target, packet.qos, packet.retain, packet.payload, &packet.properties},
               core::to_millis(now), {cache_.name, cache_.reply_to});
  builder.origin = origin_;
  builder.sequence = ++sequence_;
  command.incomplete = !connection_;  // it came in one read with CONNECT
  auto message = builder.build();
  if (message) {
    command.message = std::move(*message);
  } else {
    command.reason = ReasonCode::implementation_specific_error;
  }
}

void MqttSession::apply_publish(Command& command, core::Engine& engine, core::TimePoint now) {
  const bool exactly_once = command.qos == QoS::exactly_once;
  if (exactly_once && incoming_.contains(command.packet_id)) {
    // [MQTT-4.3.3-10]: it was taken. Where it still waits for room, the answer is on its way.
    for (std::size_t i = 0; i < parked_.size(); ++i) {
      if (parked_[i].packet_id == command.packet_id) return;
    }
    answer(PacketType::pubrec, command.packet_id, engine.submitted());
    return;
  }
  if (command.qos != QoS::at_most_once && is_v5() &&
      incoming_.size() + parked_qos_1_ >= options_.receive_maximum) {
    fail(ReasonCode::receive_maximum_exceeded, "more unanswered PUBLISH than Receive Maximum",
         engine, now);
    return;
  }
  if (command.reason == ReasonCode::no_matching_subscribers) {  // a loop of bridges ends here
    if (exactly_once) incoming_.insert(command.packet_id);
    if (command.qos != QoS::at_most_once) {
      answer(exactly_once ? PacketType::pubrec : PacketType::puback, command.packet_id,
             core::kNoTicket, command.reason);
    }
    return;
  }
  if (!command.message) {
    refuse_publish(command.qos, command.packet_id, command.reason, core::kNoTicket);
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
    incoming_.insert(command.packet_id);
    if (kept_) {
      options.attach = std::make_shared<const core::SessionChanges>(
          core::SessionChanges{{attachment_key('i', command.packet_id), ""}});
    }
  }
  const core::Outcome outcome =
      engine.publish(*connection_, std::move(command.message), options, now);
  if (outcome.disposition == core::Disposition::parked) {
    if (options.token != 0) parked_.push_back({options.token, command.packet_id, command.qos});
    if (command.qos == QoS::at_least_once) ++parked_qos_1_;
    return;
  }
  answer_publish(command.qos, command.packet_id, outcome);
}

void MqttSession::answer_publish(QoS qos, std::uint16_t packet_id, const core::Outcome& outcome) {
  if (outcome.disposition == core::Disposition::failed) {
    refuse_publish(qos, packet_id, reason_of(outcome), outcome.after);
    return;
  }
  if (qos == QoS::at_most_once) return;
  answer(qos == QoS::at_least_once ? PacketType::puback : PacketType::pubrec, packet_id,
         outcome.after);
}

/// MQTT 5.0 has a word for it; before, silence would be a lie and PUBACK a worse one, so that the
/// connection is closed (MQTT 3.1.1 §3.3.5).
void MqttSession::refuse_publish(QoS qos, std::uint16_t packet_id, ReasonCode reason,
                                 core::Ticket after) {
  if (qos == QoS::exactly_once) incoming_.erase(packet_id);
  if (qos == QoS::at_most_once) return;
  if (!is_v5()) {
    state_ = State::closed;
    reading_ended_ = true;
    answer_close();
    return;
  }
  answer(qos == QoS::at_least_once ? PacketType::puback : PacketType::pubrec, packet_id, after,
         reason);
}

/// [MQTT-4.3.3-11] [MQTT-4.3.3-12].
void MqttSession::apply_pubrel(Command& command, core::Engine& engine, core::TimePoint /*now*/) {
  if (incoming_.erase(command.packet_id) == 0) {
    answer(PacketType::pubcomp, command.packet_id, core::kNoTicket,
           ReasonCode::packet_identifier_not_found);
    return;
  }
  core::Ticket after = core::kNoTicket;
  if (kept_) after = forget(attachment_key('i', command.packet_id), engine);
  answer(PacketType::pubcomp, command.packet_id, after);
}

}  // namespace pabal::mqtt
