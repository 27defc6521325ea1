#include <algorithm>
#include <string>
#include <utility>

#include "protocols/mqtt/mqtt_session.h"

// What the client says about our PUBLISHes: PUBACK, PUBREC, PUBCOMP.

namespace pabal::mqtt {

void MqttSession::read_acknowledgement(CommandKind kind, std::uint16_t packet_id,
                                       ReasonCode reason) {
  Command& command = batch().commands.emplace_back();
  command.kind = kind;
  command.packet_id = packet_id;
  command.reason = reason;
}

/// The packet id is free again.
void MqttSession::finish(std::uint16_t packet_id) {
  if (outgoing_[packet_id].in_flight) --in_flight_;
  uncount_bytes(packet_id);
  outgoing_.release(packet_id);
}

/// Whatever its reason: it has been answered [MQTT-4.8.2-6].
void MqttSession::apply_puback(Command& command, core::Engine& engine, core::TimePoint now) {
  const Outgoing* entry = outgoing_.find(command.packet_id);
  if (entry == nullptr || entry->progress != Progress::sent_1) return;
  (void)engine.acknowledge(entry->subscription, {entry->delivery, entry->delivery},
                           core::AckKind::consumed, {}, std::nullopt, now);
  finish(command.packet_id);
  if (in_flight_ == 0 && !expected_.empty()) release_settled(engine);
}

/// [MQTT-4.3.3-4] [MQTT-4.3.3-8]. The acknowledgement and the memory of it are one batch.
void MqttSession::apply_pubrec(Command& command, core::Engine& engine, core::TimePoint now) {
  Outgoing* entry = outgoing_.find(command.packet_id);
  if (entry == nullptr || entry->progress == Progress::sent_1 ||
      entry->progress == Progress::reserved_1) {
    if (!is_error(command.reason)) {
      answer(PacketType::pubrel, command.packet_id, core::kNoTicket,
             ReasonCode::packet_identifier_not_found);
    }
    return;
  }
  if (entry->progress == Progress::reserved) return;  // the message itself comes again first
  if (entry->progress == Progress::released) {
    answer(PacketType::pubrel, command.packet_id, engine.submitted());
    return;
  }
  const core::DeliveryRange range{entry->delivery, entry->delivery};
  const bool refused = is_error(command.reason);
  core::Ticket after = core::kNoTicket;
  if (kept_) {
    const core::SessionChanges changes{
        {attachment_key('o', command.packet_id),
         refused ? std::nullopt : std::optional("r " + std::to_string(++released_))}};
    const auto outcome =
        engine.acknowledge(entry->subscription, range, core::AckKind::consumed, changes, now);
    after = outcome.after;
    if (outcome.disposition == core::Disposition::failed) {  // its subscription has gone
      const auto changed = engine.change_session(*connection_, changes);
      if (changed) after = *changed;
    }
  } else {
    (void)engine.acknowledge(entry->subscription, range, core::AckKind::consumed, {}, std::nullopt,
                             now);
  }
  if (refused) {
    room_was_made_ = true;
    finish(command.packet_id);
    return;
  }
  entry->progress = Progress::released;
  uncount_bytes(command.packet_id);
  answer(PacketType::pubrel, command.packet_id, after);
}

void MqttSession::release_orphans(std::string_view filter, core::Engine& engine) {
  for (auto at = expected_.begin(); at != expected_.end();) {
    if (at->first.filter != filter) {
      ++at;
      continue;
    }
    const std::uint16_t id = at->second.packet_id;
    at = expected_.erase(at);
    end_reserved(id, engine);
  }
}

void MqttSession::release_settled(core::Engine& engine) {
  for (auto at = expected_.begin(); at != expected_.end();) {
    const auto& [delivery, expected] = *at;
    if (engine.may_come(*connection_, name_of(delivery.filter), expected.place)) {
      ++at;
      continue;
    }
    const std::uint16_t id = expected.packet_id;
    at = expected_.erase(at);
    end_reserved(id, engine);
  }
}

void MqttSession::end_reserved(std::uint16_t packet_id, core::Engine& engine) {
  if (outgoing_[packet_id].progress == Progress::reserved_1) {
    outgoing_.release(packet_id);
    return;
  }
  const auto changed = engine.change_session(
      *connection_, {{attachment_key('o', packet_id), "r " + std::to_string(++released_)}});
  Outgoing& entry = outgoing_[packet_id];
  entry.progress = Progress::released;
  entry.in_flight = true;
  ++in_flight_;
  answer(PacketType::pubrel, packet_id, changed ? *changed : core::kNoTicket);
}

void MqttSession::apply_pubcomp(Command& command, core::Engine& engine, core::TimePoint /*now*/) {
  const Outgoing* entry = outgoing_.find(command.packet_id);
  if (entry == nullptr || entry->progress != Progress::released) return;
  if (kept_) {
    // The id is used again only with a batch behind this one.
    (void)forget(attachment_key('o', command.packet_id), engine);
  }
  finish(command.packet_id);
  if (in_flight_ == 0 && !expected_.empty()) release_settled(engine);
}

/// The id, and what it is for, before the PUBLISH leaves: after a crash it must be the same. Where
/// the session is full, it waits until something of it goes.
void MqttSession::apply_begin_delivery(Command& command, core::Engine& engine,
                                       core::TimePoint /*now*/) {
  if (unbegun_.empty() && begin_delivery(command.packet_id, command.delivery, engine)) return;
  unbegun_.push_back({command.packet_id, std::move(command.delivery)});
}

void MqttSession::begin_waiting(core::Engine& engine) {
  if (!std::exchange(room_was_made_, false)) return;
  while (!unbegun_.empty() &&
         begin_delivery(unbegun_.front().packet_id, unbegun_.front().delivery, engine)) {
    unbegun_.pop_front();
  }
}

bool MqttSession::begin_delivery(std::uint16_t packet_id, std::unique_ptr<core::Delivery>& waiting,
                                 core::Engine& engine) {
  const core::Delivery& delivery = *waiting;
  const Subscription* subscription = subscriptions_.find(delivery.tag);
  Outgoing* entry = outgoing_.find(packet_id);
  if (entry == nullptr) return true;
  if (subscription == nullptr) {
    finish(packet_id);
    return true;
  }
  const auto place = engine.stands_at(delivery.subscription, delivery.id);
  const auto changed = engine.change_session(
      *connection_,
      {{attachment_key('o', packet_id), "p " + encode_place(place.value_or(core::DeliveryPlace{})) +
                                            ' ' + encode_key(key_of(*entry, *subscription))}});
  if (!changed) return changed.error().code != core::Errc::quota_exceeded;
  core::Ticket after = *changed;
  if (subscription->shared) {
    const auto pinned = engine.pin(subscription->id, delivery.id);
    if (pinned) after = std::max(after, *pinned);
  }
  Answer& answer = batch_->answers.emplace_back();
  answer.kind = Answer::Kind::publish;
  answer.packet_id = packet_id;
  answer.after = after;
  answer.delivery = std::move(waiting);
  return true;
}

core::Ticket MqttSession::forget(const std::string& key, core::Engine& engine) {
  const auto changed = engine.change_session(*connection_, {{key, std::nullopt}});
  room_was_made_ = true;
  return changed ? *changed : core::kNoTicket;
}

/// Counts as delivered; of a kept session, without its id.
void MqttSession::apply_settle(Command& command, core::Engine& engine, core::TimePoint now) {
  const core::Delivery& delivery = *command.delivery;
  const core::DeliveryRange range{delivery.id, delivery.id};
  if (command.packet_id != 0 && kept_) {
    const core::SessionChanges changes{{attachment_key('o', command.packet_id), std::nullopt}};
    const auto outcome =
        engine.acknowledge(delivery.subscription, range, core::AckKind::consumed, changes, now);
    if (outcome.disposition == core::Disposition::failed) {  // its subscription has gone
      (void)engine.change_session(*connection_, changes);
    }
    room_was_made_ = true;
  } else {
    (void)engine.acknowledge(delivery.subscription, range, core::AckKind::consumed, {},
                             std::nullopt, now);
  }
  if (command.packet_id != 0 && outgoing_.find(command.packet_id) != nullptr) {
    finish(command.packet_id);
  }
}

}  // namespace pabal::mqtt
