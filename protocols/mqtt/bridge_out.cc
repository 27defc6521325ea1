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

/// The brokers that forwarded it, commas between.
std::string_view path_of(const core::Message& message) noexcept {
  if (message.property_encoding() != core::Encoding::native) return {};
  const auto known = message.property(kPathProperty);
  return known && known->type == core::PropertyType::string ? known->text : std::string_view();
}

/// Of a message itself; what else a peer says, another attempt may bring through.
bool is_final(ReasonCode reason) noexcept {
  switch (reason) {
    case ReasonCode::not_authorized:
    case ReasonCode::topic_name_invalid:
    case ReasonCode::payload_format_invalid:
    case ReasonCode::packet_too_large:
      return true;
    default:
      return false;
  }
}

}  // namespace

// --- deliveries ----------------------------------------------------------------------------------

QoS BridgeSession::qos_for(const core::Delivery& delivery) const {
  return std::min({qos_of(*delivery.message), route_of(delivery.tag).qos, qos_max_});
}

/// The broker's own topics, which no wildcard finds; the level above a prefix, which `#` finds; and
/// what came back by a way that does not know this bridge: it has gone out once.
bool BridgeSession::is_not_for_the_peer(const core::Delivery& delivery) {
  const BridgeRoute& route = route_of(delivery.tag);
  const core::Destination* place = delivery.destination.get();
  const std::string_view name =
      place != nullptr ? place->name : delivery.message->destination_name();
  if (is_hidden_from(swapped(route.local_filter()), name)) return true;
  if (name.size() < route.local_prefix.size()) return true;
  if (!has_been_at(path_of(*delivery.message), options_.broker_id)) return false;
  ++status_.looped;
  return true;
}

void BridgeSession::encode_delivery(const core::Delivery& delivery, protocols::Output& output) {
  if (state_ != State::connected || !delivery.message) return;
  const QoS qos = qos_for(delivery);
  if (is_not_for_the_peer(delivery)) {
    if (qos != QoS::at_most_once) settle(delivery, 0, false, {});
    return;
  }
  if (qos == QoS::at_most_once) {
    // Nobody waits for it: a route of QoS 0 acknowledges by itself, and on others only what is not
    // persistent is of QoS 0 (AckMode::mixed). Nor does it wait here: core counts it as written.
    const std::string why_not = append_publish(delivery, qos, 0, false, output.ready());
    if (why_not.empty()) return void(++status_.forwarded_out);
    return complain("not forwarded at QoS 0: " + why_not);
  }
  // Their order is kept.
  if (!waiting_.empty() || !start_delivery(delivery, false, output)) waiting_.push_back(delivery);
}

void BridgeSession::send_waiting(protocols::Output& output) {
  while (!waiting_.empty() && state_ == State::connected &&
         start_delivery(waiting_.front(), true, output)) {
    waiting_.pop_front();
  }
}

/// As for clients (MqttSession::start_delivery): of what leaves later than core handed it over, so
/// many bytes are on their way at most.
bool BridgeSession::start_delivery(const core::Delivery& delivery, bool waited,
                                   protocols::Output& output) {
  if (in_flight_ >= in_flight_limit()) return false;
  const QoS qos = qos_for(delivery);
  const bool unseen = waited || qos == QoS::exactly_once;
  if (unseen && unanswered_bytes_ >= options_.unwritten_bytes_max) return false;
  const core::Message& message = *delivery.message;
  const auto known =
      expected_.find({message.origin(), message.sequence(), route_of(delivery.tag).local_filter()});
  if (known != expected_.end()) {
    const std::uint16_t id = known->second.packet_id;
    expected_.erase(known);
    count_bytes(id, message);
    continue_delivery(delivery, id, output);
    return true;
  }
  const std::uint16_t id = outgoing_.take();
  if (id == 0) return false;
  if (unseen) count_bytes(id, message);
  Outgoing& entry = outgoing_[id];
  entry.progress = qos == QoS::at_least_once ? Progress::sent_1 : Progress::sent_2;
  note_delivery(entry, delivery);
  if (std::string why_not = given_up(delivery); !why_not.empty()) {
    settle(delivery, id, false, std::move(why_not));
  } else if (qos == QoS::exactly_once) {
    Command& command = add(Kind::begin_delivery);
    command.packet_id = id;
    command.delivery = delivery;
  } else {
    why_not = append_publish(delivery, qos, id, delivery.redelivered, output.ready());
    if (!why_not.empty()) settle(delivery, id, false, std::move(why_not));
  }
  return true;
}

void BridgeSession::count_bytes(std::uint16_t packet_id, const core::Message& message) {
  Outgoing& entry = outgoing_[packet_id];
  if (entry.progress == Progress::released) return;  // it has the message
  entry.bytes = static_cast<std::uint32_t>(std::min<std::size_t>(message.footprint(), UINT32_MAX));
  unanswered_bytes_ += entry.bytes;
}

void BridgeSession::uncount_bytes(std::uint16_t packet_id) {
  unanswered_bytes_ -= std::exchange(outgoing_[packet_id].bytes, 0);
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
  if (completed_.erase(packet_id) != 0) return settle(delivery, packet_id, false, {});
  if (entry.progress == Progress::released) return;  // PUBREL is out
  entry.progress = Progress::sent_2;
  std::string why_not = given_up(delivery);
  if (why_not.empty()) {
    why_not = append_publish(delivery, QoS::exactly_once, packet_id, true, output.ready());
  }
  if (!why_not.empty()) settle(delivery, packet_id, true, std::move(why_not));
}

/// Why it is not tried again; empty: it is.
std::string BridgeSession::given_up(const core::Delivery& delivery) {
  auto& suspect = course_.suspect;
  if (!suspect || suspect->origin != delivery.message->origin() ||
      suspect->sequence != delivery.message->sequence()) {
    return {};
  }
  const bool too_often = options_.attempts_max != 0 && suspect->times >= options_.attempts_max;
  if (!suspect->is_certain && !too_often) return {};
  std::string why = suspect->why;
  if (!suspect->is_certain) why += ", " + std::to_string(suspect->times) + " times in a row";
  suspect.reset();
  return why;
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
  const Payload payload = payload_of(message, encoder_.room());
  if (!encoder_.begin_topic(topic, payload.bytes)) return "MQTT has no name for its topic";
  add_properties(encoder_, message, payload, kPathProperty);
  std::string path(path_of(message));
  path += (path.empty() ? "" : ",") + options_.broker_id;
  if (!encoder_.user_property(kPathProperty, path)) return "it has been at too many brokers";
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

void BridgeSession::settle(const core::Delivery& delivery, std::uint16_t packet_id, bool begun,
                           std::string why_not) {
  Command& command = add(Kind::settle);
  command.packet_id = packet_id;
  command.begun = begun;
  command.delivery = delivery;
  command.text = std::move(why_not);
}

// --- what the engine is told ---------------------------------------------------------------------

/// The packet id is free again.
void BridgeSession::finish(std::uint16_t packet_id) {
  if (outgoing_[packet_id].in_flight) --in_flight_;
  uncount_bytes(packet_id);
  outgoing_.release(packet_id);
}

/// The same, of QoS 2. It is used again only with a batch behind this one.
void BridgeSession::forget_id(std::uint16_t packet_id, core::Engine& engine) {
  (void)engine.change_session(*connection_, {{attachment_key('o', packet_id), std::nullopt}});
  finish(packet_id);
}

void BridgeSession::release_id(std::uint16_t packet_id, const DeliveryKey& key,
                               core::Engine& engine) {
  const auto changed = engine.change_session(
      *connection_, {{attachment_key('o', packet_id), "r " + std::to_string(++released_) + ' ' +
                                                          encode_place(core::DeliveryPlace{}) +
                                                          ' ' + encode_key(key)}});
  Outgoing& entry = outgoing_[packet_id];
  entry.progress = Progress::released;
  entry.delivery = {};
  uncount_bytes(packet_id);
  if (!std::exchange(entry.in_flight, true)) ++in_flight_;
  orphans_.insert(packet_id);
  answer(PacketType::pubrel, packet_id, changed ? *changed : core::kNoTicket);
}

/// The id, and what it is for, before the PUBLISH leaves: after a crash it must be the same.
void BridgeSession::apply_begin_delivery(Command& command, core::Engine& engine) {
  const core::Delivery& delivery = *command.delivery;
  const auto place = engine.stands_at(delivery.subscription, delivery.id);
  const auto changed = engine.change_session(
      *connection_, {{attachment_key('o', command.packet_id),
                      "p " + encode_place(place.value_or(core::DeliveryPlace{})) + ' ' +
                          encode_key(key_of(delivery))}});
  if (!changed) return fail("no room here for what is on its way: " + changed.error().text);
  Answer& answer = answers_.emplace_back();
  answer.publish_id = command.packet_id;
  answer.after = *changed;
  answer.delivery = std::move(command.delivery);
}

/// Nothing will come back for it. An acknowledgement goes with its id in one batch, or before it:
/// an id without a message is ended, a message without its id would be forwarded twice.
void BridgeSession::apply_settle(const Command& command, core::Engine& engine,
                                 core::TimePoint now) {
  const core::Delivery& delivery = *command.delivery;
  const core::DeliveryRange range{delivery.id, delivery.id};
  const Outgoing* entry = outgoing_.find(command.packet_id);
  const bool is_stored = entry != nullptr && entry->progress != Progress::sent_1;
  if (!command.text.empty()) {
    (void)engine.acknowledge(delivery.subscription, range, core::AckKind::poisoned,
                             "bridge " + options_.name + ": " + command.text, std::nullopt, now);
    ++status_.refused_out;
    complain("a dead letter: " + command.text);
    if (command.begun) return release_id(command.packet_id, key_of(delivery), engine);
    if (is_stored) return forget_id(command.packet_id, engine);
  } else if (is_stored) {
    const core::SessionChanges changes{{attachment_key('o', command.packet_id), std::nullopt}};
    const auto outcome =
        engine.acknowledge(delivery.subscription, range, core::AckKind::consumed, changes, now);
    ++status_.forwarded_out;
    if (outcome.disposition == core::Disposition::failed) {  // an operator was faster
      return forget_id(command.packet_id, engine);
    }
  } else {
    (void)engine.acknowledge(delivery.subscription, range, core::AckKind::consumed, {},
                             std::nullopt, now);
  }
  if (entry != nullptr) finish(command.packet_id);
}

void BridgeSession::take_refusal(const Outgoing& entry, std::uint16_t packet_id, ReasonCode reason,
                                 core::Engine& engine, core::TimePoint now) {
  const std::string text = "the other broker refused it: " + std::string(to_string(reason));
  if (!is_final(reason)) {
    suspect(entry, false, text);
    return fail(text);
  }
  (void)engine.acknowledge(entry.subscription, {entry.delivery, entry.delivery},
                           core::AckKind::poisoned, "bridge " + options_.name + ": " + text,
                           std::nullopt, now);
  ++status_.refused_out;
  complain("a dead letter: " + text);
  if (entry.progress == Progress::sent_1) return finish(packet_id);
  forget_id(packet_id, engine);
}

void BridgeSession::apply_puback(const Command& command, core::Engine& engine,
                                 core::TimePoint now) {
  const Outgoing* entry = outgoing_.find(command.packet_id);
  if (entry == nullptr || entry->progress != Progress::sent_1) return;
  if (is_error(command.reason)) {
    return take_refusal(*entry, command.packet_id, command.reason, engine, now);
  }
  note_answer();
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
    return take_refusal(*entry, command.packet_id, command.reason, engine, now);
  }
  note_answer();
  const auto place = engine.stands_at(entry->subscription, entry->delivery);
  const auto changed = engine.change_session(
      *connection_,
      {{attachment_key('o', command.packet_id),
        "r " + std::to_string(++released_) + ' ' +
            encode_place(place.value_or(core::DeliveryPlace{})) + ' ' +
            encode_key({entry->origin, entry->sequence, route_of(entry->tag).local_filter()})}});
  if (!changed) return fail("no room here for what is on its way: " + changed.error().text);
  entry->progress = Progress::released;
  uncount_bytes(command.packet_id);
  answer(PacketType::pubrel, command.packet_id, *changed);
}

void BridgeSession::apply_pubcomp(const Command& command, core::Engine& engine,
                                  core::TimePoint now) {
  const std::uint16_t id = command.packet_id;
  Outgoing* entry = outgoing_.find(id);
  if (entry == nullptr || entry->progress != Progress::released) return;
  note_answer();
  if (orphans_.erase(id) != 0) return forget_id(id, engine);
  if (core::raw(entry->delivery) == 0) {
    // Released on an earlier connection, and the message itself has not come again yet.
    completed_.insert(id);
    if (std::exchange(entry->in_flight, false)) --in_flight_;
    return;
  }
  const core::SessionChanges changes{{attachment_key('o', id), std::nullopt}};
  const auto outcome = engine.acknowledge(entry->subscription, {entry->delivery, entry->delivery},
                                          core::AckKind::consumed, changes, now);
  ++status_.forwarded_out;
  if (outcome.disposition == core::Disposition::failed) {  // an operator was faster
    return forget_id(id, engine);
  }
  finish(id);
}

// --- what ends connections -----------------------------------------------------------------------

void BridgeSession::note_answer() noexcept {
  answered_ = true;
  careful_ = false;
}

void BridgeSession::suspect(const Outgoing& entry, bool is_certain, std::string_view why) {
  auto& known = course_.suspect;
  if (!known || known->origin != entry.origin || known->sequence != entry.sequence) {
    known = BridgeCourse::Suspect{entry.origin, entry.sequence, 0, false, {}};
  }
  ++known->times;
  known->is_certain = known->is_certain || is_certain;
  known->why = why;
}

/// A peer that cannot have a message, and may not or does not say so, hangs up; and again each time
/// that it comes. One at a time shows which it is.
void BridgeSession::judge_end(ReasonCode reason) {
  if (state_ != State::connected) return;
  course_.careful = !answered_ && in_flight_ > 0;
  if (!course_.careful || !careful_) return;
  for (std::uint32_t number = 1; number <= outgoing_.highest(); ++number) {
    const Outgoing* entry = outgoing_.find(static_cast<std::uint16_t>(number));
    if (entry == nullptr || !entry->in_flight || core::raw(entry->delivery) == 0) continue;
    // DISCONNECT says "not authorized" of the client.
    const bool is_certain = is_final(reason) && reason != ReasonCode::not_authorized;
    std::string why = "the other broker closes the connection when it comes";
    if (is_error(reason)) why += ": " + std::string(to_string(reason));
    suspect(*entry, is_certain, why);
    if (course_.ending.empty()) {
      course_.ending = "it closed the connection when it was sent one message (to " +
                       route_of(entry->tag).remote_filter() + "), " +
                       std::to_string(course_.suspect->times) + " times in a row";
    }
    return;
  }
}

}  // namespace pabal::mqtt
