#include <algorithm>
#include <string>
#include <utility>

#include "protocols/mqtt/bridge_session.h"
#include "protocols/mqtt/message_mapping.h"
#include "protocols/mqtt/mqtt_session.h"
#include "protocols/mqtt/topic_names.h"

// From here to the peer: deliveries of the bridge's subscriptions as PUBLISH, and its answers.

namespace pabal::mqtt {
namespace {

std::string delivery_text(std::uint64_t origin, std::uint64_t sequence, std::string_view filter) {
  return std::to_string(origin) + ' ' + std::to_string(sequence) + ' ' + std::string(filter);
}

/// The brokers that forwarded it, commas between.
std::string_view path_of(const core::Message& message) noexcept {
  if (message.property_encoding() != core::Encoding::native) return {};
  const auto known = message.property(kPathProperty);
  return known && known->type == core::PropertyType::string ? known->text : std::string_view();
}

/// What another attempt may bring through; everything else is said of the message itself.
bool is_passing(ReasonCode reason) noexcept {
  switch (reason) {
    case ReasonCode::not_authorized:
    case ReasonCode::topic_name_invalid:
    case ReasonCode::payload_format_invalid:
    case ReasonCode::packet_too_large:
      return false;
    default:
      return true;
  }
}

}  // namespace

// --- deliveries ----------------------------------------------------------------------------------

void BridgeSession::encode_delivery(const core::Delivery& delivery, protocols::Output& output) {
  if (state_ != State::connected || !delivery.message) return;
  if (!waiting_.empty()) {
    waiting_.push_back(delivery);  // their order is kept
    return;
  }
  start_delivery(delivery, output);
}

void BridgeSession::send_waiting(protocols::Output& output) {
  // What cannot start now stands at the end again, which is where it was: nothing else waits.
  while (!waiting_.empty() && in_flight_ < in_flight_max_ && state_ == State::connected) {
    const core::Delivery delivery = std::move(waiting_.front());
    waiting_.pop_front();
    start_delivery(delivery, output);
  }
}

void BridgeSession::start_delivery(const core::Delivery& delivery, protocols::Output& output) {
  const BridgeRoute& route = route_of(delivery.tag);
  const QoS qos = std::min({qos_of(*delivery.message), route.qos, qos_max_});
  const core::Destination* place = delivery.destination.get();
  if (is_hidden_from(swapped(route.local_filter()),
                     place != nullptr ? place->name : delivery.message->destination_name())) {
    // The broker's own topics, which no wildcard finds.
    if (qos != QoS::at_most_once) settle(delivery, 0, {});
    return;
  }
  if (has_been_at(path_of(*delivery.message), options_.broker_id)) {
    // It came back by a way that does not know this: it has gone out once.
    ++status_.looped;
    if (qos != QoS::at_most_once) settle(delivery, 0, {});
    return;
  }
  if (qos == QoS::at_most_once) {
    if (append_publish(delivery, qos, 0, false, output.ready()).empty()) ++status_.forwarded_out;
    // With a route of QoS 0 nobody waits for it; on any other only what is not persistent comes
    // here, and nobody waits for that either (AckMode::mixed).
    return;
  }
  if (in_flight_ >= in_flight_max_) {
    waiting_.push_back(delivery);
    return;
  }
  if (!expected_.empty()) {
    const auto known = expected_.find(
        {delivery.message->origin(), delivery.message->sequence(), route.local_filter()});
    if (known != expected_.end()) {
      const std::uint16_t id = known->second;
      expected_.erase(known);
      return continue_delivery(delivery, id, output);
    }
  }
  const std::uint16_t id = outgoing_.take();
  if (id == 0) {
    waiting_.push_back(delivery);
    return;
  }
  Outgoing& entry = outgoing_[id];
  entry.progress = qos == QoS::at_least_once ? Progress::sent_1 : Progress::sent_2;
  note_delivery(entry, delivery);
  if (qos == QoS::exactly_once) {
    Command& command = add(Kind::begin_delivery);
    command.packet_id = id;
    command.delivery = delivery;
    return;
  }
  std::string why_not = append_publish(delivery, qos, id, delivery.redelivered, output.ready());
  if (!why_not.empty()) settle(delivery, id, std::move(why_not));
}

void BridgeSession::note_delivery(Outgoing& entry, const core::Delivery& delivery) {
  if (!std::exchange(entry.in_flight, true)) ++in_flight_;
  entry.subscription = delivery.subscription;
  entry.delivery = delivery.id;
  entry.tag = delivery.tag;
  entry.origin = delivery.message->origin();
  entry.sequence = delivery.message->sequence();
}

void BridgeSession::continue_delivery(const core::Delivery& delivery, std::uint16_t packet_id,
                                      protocols::Output& output) {
  Outgoing& entry = outgoing_[packet_id];
  note_delivery(entry, delivery);
  if (completed_.erase(packet_id) != 0) return settle(delivery, packet_id, {});
  if (entry.progress == Progress::released) return;  // PUBREL is out
  entry.progress = Progress::sent_2;
  std::string why_not =
      append_publish(delivery, QoS::exactly_once, packet_id, true, output.ready());
  if (!why_not.empty()) settle(delivery, packet_id, std::move(why_not));
}

std::string BridgeSession::append_publish(const core::Delivery& delivery, QoS qos,
                                          std::uint16_t packet_id, bool dup, std::string& out) {
  const core::Message& message = *delivery.message;
  const BridgeRoute& route = route_of(delivery.tag);
  const core::Destination* place = delivery.destination.get();
  const auto kind = place != nullptr ? place->kind : message.destination_kind();
  const std::string_view name = place != nullptr ? place->name : message.destination_name();
  std::string topic;
  if (!append_topic_name(topic, kind, name) || !topic.starts_with(route.local_prefix)) {
    return "MQTT has no name for its topic";
  }
  topic.replace(0, route.local_prefix.size(), route.remote_prefix);
  if (!encoder_.begin_topic(topic, message.body())) return "MQTT has no name for its topic";
  add_properties(encoder_, message, kPathProperty);
  std::string path(path_of(message));
  path += (path.empty() ? "" : ",") + options_.broker_id;
  (void)encoder_.user_property(kPathProperty, path);
  PublishDelivery fields;
  fields.qos = qos;
  fields.dup = dup;
  fields.retain = (delivery.retained || message.retain()) && takes_retained_;
  fields.packet_id = packet_id;
  if (message.expiration() != 0) {
    const std::int64_t left = message.expiration() - core::to_millis(clock_());
    fields.message_expiry =
        left <= 0
            ? 0
            : static_cast<std::uint32_t>(std::min<std::int64_t>((left + 999) / 1000, UINT32_MAX));
  }
  if (encoder_.append(out, options_.level, fields, packet_bytes_max_)) return {};
  return "it is larger than the other broker takes";
}

/// The engine has to be told that nothing will come back for it.
void BridgeSession::settle(const core::Delivery& delivery, std::uint16_t packet_id,
                           std::string why_not) {
  Command& command = add(Kind::settle);
  command.packet_id = packet_id;
  command.delivery = delivery;
  command.text = std::move(why_not);
}

// --- what the engine is told ---------------------------------------------------------------------

/// The packet id is free again.
void BridgeSession::finish(std::uint16_t packet_id) {
  if (outgoing_[packet_id].in_flight) --in_flight_;
  outgoing_.release(packet_id);
}

/// The id, and what it is for, before the PUBLISH leaves: after a crash it must be the same.
void BridgeSession::apply_begin_delivery(Command& command, core::Engine& engine) {
  const core::Delivery& delivery = *command.delivery;
  const auto changed = engine.change_session(
      *connection_, {{attachment_key('o', command.packet_id),
                      "p " + delivery_text(delivery.message->origin(), delivery.message->sequence(),
                                           route_of(delivery.tag).local_filter())}});
  if (!changed) return fail("no room here for what is on its way: " + changed.error().text);
  Answer& answer = answers_.emplace_back();
  answer.publish_id = command.packet_id;
  answer.after = *changed;
  answer.delivery = std::move(command.delivery);
}

void BridgeSession::apply_settle(const Command& command, core::Engine& engine,
                                 core::TimePoint now) {
  const core::Delivery& delivery = *command.delivery;
  const core::DeliveryRange range{delivery.id, delivery.id};
  const Outgoing* entry = outgoing_.find(command.packet_id);
  if (entry != nullptr && entry->progress != Progress::sent_1) {
    (void)engine.change_session(*connection_,
                                {{attachment_key('o', command.packet_id), std::nullopt}});
  }
  if (command.text.empty()) {
    (void)engine.acknowledge(delivery.subscription, range, core::AckKind::consumed, {},
                             std::nullopt, now);
    if (command.packet_id != 0) ++status_.forwarded_out;
  } else {
    (void)engine.acknowledge(delivery.subscription, range, core::AckKind::poisoned,
                             "bridge " + options_.name + ": " + command.text, std::nullopt, now);
    ++status_.refused_out;
  }
  if (entry != nullptr) finish(command.packet_id);
}

bool BridgeSession::take_refusal(const Outgoing& entry, std::uint16_t packet_id, ReasonCode reason,
                                 core::Engine& engine, core::TimePoint now) {
  const std::string text = "the other broker refused it: " + std::string(to_string(reason));
  if (is_passing(reason)) {
    fail(text);
    return false;
  }
  if (entry.progress != Progress::sent_1) {
    (void)engine.change_session(*connection_, {{attachment_key('o', packet_id), std::nullopt}});
  }
  (void)engine.acknowledge(entry.subscription, {entry.delivery, entry.delivery},
                           core::AckKind::poisoned, "bridge " + options_.name + ": " + text,
                           std::nullopt, now);
  status_.set_error(text);
  ++status_.refused_out;
  finish(packet_id);
  return true;
}

void BridgeSession::apply_puback(const Command& command, core::Engine& engine,
                                 core::TimePoint now) {
  const Outgoing* entry = outgoing_.find(command.packet_id);
  if (entry == nullptr || entry->progress != Progress::sent_1) return;
  if (is_error(command.reason)) {
    (void)take_refusal(*entry, command.packet_id, command.reason, engine, now);
    return;
  }
  (void)engine.acknowledge(entry->subscription, {entry->delivery, entry->delivery},
                           core::AckKind::consumed, {}, std::nullopt, now);
  ++status_.forwarded_out;
  finish(command.packet_id);
}

/// [MQTT-4.3.3-4]. PUBREL leaves behind the memory of it: after it, the peer would take the same id
/// for another message.
void BridgeSession::apply_pubrec(const Command& command, core::Engine& engine,
                                 core::TimePoint now) {
  Outgoing* entry = outgoing_.find(command.packet_id);
  if (entry != nullptr && entry->progress == Progress::reserved) return;  // the message comes first
  if (entry == nullptr ||
      (entry->progress != Progress::sent_2 && entry->progress != Progress::released)) {
    if (!is_error(command.reason)) {
      answer(PacketType::pubrel, command.packet_id, core::kNoTicket,
             ReasonCode::packet_identifier_not_found);
    }
    return;
  }
  if (entry->progress == Progress::released) {
    answer(PacketType::pubrel, command.packet_id, engine.submitted());
    return;
  }
  if (is_error(command.reason)) {
    (void)take_refusal(*entry, command.packet_id, command.reason, engine, now);
    return;
  }
  const auto changed = engine.change_session(
      *connection_,
      {{attachment_key('o', command.packet_id),
        "r " + std::to_string(++released_) + ' ' +
            delivery_text(entry->origin, entry->sequence, route_of(entry->tag).local_filter())}});
  if (!changed) return fail("no room here for what is on its way: " + changed.error().text);
  entry->progress = Progress::released;
  answer(PacketType::pubrel, command.packet_id, *changed);
}

void BridgeSession::apply_pubcomp(const Command& command, core::Engine& engine,
                                  core::TimePoint now) {
  const std::uint16_t id = command.packet_id;
  Outgoing* entry = outgoing_.find(id);
  if (entry == nullptr || entry->progress != Progress::released) return;
  const core::SessionChanges changes{{attachment_key('o', id), std::nullopt}};
  if (orphans_.erase(id) != 0) {
    (void)engine.change_session(*connection_, changes);
    finish(id);
    return;
  }
  if (core::raw(entry->delivery) == 0) {
    // Released on an earlier connection, and the message itself has not come again yet.
    completed_.insert(id);
    if (std::exchange(entry->in_flight, false)) --in_flight_;
    return;
  }
  const auto outcome = engine.acknowledge(entry->subscription, {entry->delivery, entry->delivery},
                                          core::AckKind::consumed, changes, now);
  if (outcome.disposition == core::Disposition::failed) {  // an operator was faster
    (void)engine.change_session(*connection_, changes);
  }
  ++status_.forwarded_out;
  finish(id);
}

}  // namespace pabal::mqtt
