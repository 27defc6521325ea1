#include <algorithm>
#include <string>
#include <utility>

#include "protocols/mqtt/message_mapping.h"
#include "protocols/mqtt/mqtt_session.h"

// Messages on their way to the client.

namespace pabal::mqtt {

void MqttSession::encode_delivery(const core::Delivery& delivery, protocols::Output& output) {
  if (state_ != State::connected || !delivery.message) return;
  Subscription* subscription = subscriptions_.find(delivery.tag);
  if (subscription == nullptr) return;  // it ended after core sent this
  const QoS qos = std::min(qos_of(*delivery.message), subscription->settings.qos);
  if (qos == QoS::at_most_once) return send_unanswered(delivery, *subscription, output);
  // Their order is kept.
  if (!waiting_.empty() || !start_delivery(delivery, false, output)) waiting_.push_back(delivery);
}

void MqttSession::send_waiting(protocols::Output& output) {
  while (!waiting_.empty() && state_ == State::connected &&
         start_delivery(waiting_.front(), true, output)) {
    waiting_.pop_front();
  }
}

/// QoS 0, which waits for no Receive Maximum; too large counts as sent [MQTT-3.1.2-25].
void MqttSession::send_unanswered(const core::Delivery& delivery, const Subscription& subscription,
                                  protocols::Output& output) {
  (void)append_publish(delivery, subscription, QoS::at_most_once, 0, false, true, output.ready());
  const bool awaited =
      delivery.message->persistent() &&
      (subscription.was_explicit || subscription.settings.qos != QoS::at_most_once);
  if (awaited) give_up_delivery(delivery, 0);
}

/// Core stops at what the socket has not taken (unwritten_bytes_max). It does not see what leaves
/// later than it was handed over, because it waited here or its packet id waits for the store: of
/// that, so much is on its way at most, and the rest stays as it is, without a copy of its bytes.
bool MqttSession::start_delivery(const core::Delivery& delivery, bool waited,
                                 protocols::Output& output) {
  Subscription* subscription = subscriptions_.find(delivery.tag);
  if (subscription == nullptr) return true;  // it ended meanwhile
  const QoS qos = std::min(qos_of(*delivery.message), subscription->settings.qos);
  if (qos == QoS::at_most_once) {  // its subscription has changed meanwhile
    send_unanswered(delivery, *subscription, output);
    return true;
  }
  // Core counts a delivery of QoS 2 until PUBREC, the client until PUBCOMP.
  if (in_flight_ >= in_flight_max_) return false;
  const bool unseen = waited || (qos == QoS::exactly_once && kept_);
  if (unseen && unanswered_bytes_ >= options_.unwritten_bytes_max) return false;
  bool again = false;
  const std::uint16_t id = register_delivery(delivery, *subscription, qos, again);
  if (id == 0) return false;
  if (unseen) count_bytes(id, *delivery.message);
  if (qos == QoS::exactly_once && kept_ && !again) {
    Command& command = batch().commands.emplace_back();
    command.kind = CommandKind::begin_delivery;
    command.packet_id = id;
    command.delivery = std::make_unique<core::Delivery>(delivery);
    return true;
  }
  const bool dup = again || is_again(delivery, *subscription);
  if (!append_publish(delivery, *subscription, qos, id, dup, true, output.ready())) {
    give_up_delivery(delivery, id);
  }
  return true;
}

void MqttSession::count_bytes(std::uint16_t packet_id, const core::Message& message) {
  Outgoing& entry = outgoing_[packet_id];
  entry.bytes = static_cast<std::uint32_t>(std::min<std::size_t>(message.footprint(), UINT32_MAX));
  unanswered_bytes_ += entry.bytes;
}

void MqttSession::uncount_bytes(std::uint16_t packet_id) {
  unanswered_bytes_ -= std::exchange(outgoing_[packet_id].bytes, 0);
}

std::uint16_t MqttSession::register_delivery(const core::Delivery& delivery,
                                             const Subscription& subscription, QoS qos,
                                             bool& again) {
  const HandOverGuard guard(kept_ ? &sent_->hand_over : nullptr);
  if (sent_->has_successor) return 0;
  const std::uint16_t id = packet_id_for(delivery, subscription, again);
  if (id == 0) return 0;
  Outgoing& entry = outgoing_[id];
  entry.progress = qos == QoS::at_least_once ? Progress::sent_1 : Progress::sent_2;
  entry.in_flight = true;
  ++in_flight_;
  entry.subscription = delivery.subscription;
  entry.delivery = delivery.id;
  entry.tag = delivery.tag;
  entry.origin = delivery.message->origin();
  entry.sequence = delivery.message->sequence();
  return id;
}

/// The id that the message had on an earlier connection, or a new one.
std::uint16_t MqttSession::packet_id_for(const core::Delivery& delivery,
                                         const Subscription& subscription, bool& again) {
  if (!expected_.empty()) {
    const auto known = expected_.find(
        {delivery.message->origin(), delivery.message->sequence(), subscription.filter});
    if (known != expected_.end()) {
      again = true;
      const std::uint16_t id = known->second.packet_id;
      expected_.erase(known);
      return id;
    }
  }
  return outgoing_.take();
}

/// [MQTT-3.3.1-1]: whether this client may have got it before. Another member of a shared
/// subscription is another client.
bool MqttSession::is_again(const core::Delivery& delivery, const Subscription& subscription) const {
  return delivery.redelivered && subscription.durable && !subscription.shared;
}

bool MqttSession::append_publish(const core::Delivery& delivery, const Subscription& subscription,
                                 QoS qos, std::uint16_t packet_id, bool dup, bool may_alias,
                                 std::string& out) {
  const PublishEncoder* encoder = cache_.encoder_of(delivery);
  if (encoder == nullptr || is_hidden_topic(subscription.filter, encoder->topic())) return false;
  const core::Message& message = *delivery.message;
  PublishDelivery fields;
  fields.qos = qos;
  fields.dup = dup;
  fields.retain =
      delivery.retained || (subscription.settings.retain_as_published && message.retain());
  fields.packet_id = packet_id;
  if (subscription.settings.subscription_id != 0) {
    fields.subscription_ids = {&subscription.settings.subscription_id, 1};
  }
  if (message.expiration() != 0) {
    const std::int64_t left = message.expiration() - core::to_millis(cache_.now());
    fields.message_expiry =
        left <= 0
            ? 0
            : static_cast<std::uint32_t>(std::min<std::int64_t>((left + 999) / 1000, UINT32_MAX));
  }
  if (!may_alias || topic_alias_maximum_ == 0) {
    return encoder->append(out, level_, fields, packet_bytes_max_);
  }
  const std::string_view topic = encoder->topic();
  const auto known = aliases_out_.find(topic);
  if (known != aliases_out_.end()) {
    fields.topic_alias = known->second;
    fields.alias_is_known = true;
  } else if (aliases_out_.size() < topic_alias_maximum_) {
    fields.topic_alias = static_cast<std::uint16_t>(aliases_out_.size() + 1);
  }
  if (!encoder->append(out, level_, fields, packet_bytes_max_)) return false;
  if (fields.topic_alias != 0 && !fields.alias_is_known) {
    aliases_out_.emplace(topic, fields.topic_alias);
  }
  return true;
}

/// Nothing will come back for it: the engine has to be told.
void MqttSession::give_up_delivery(const core::Delivery& delivery, std::uint16_t packet_id) {
  Command& command = batch().commands.emplace_back();
  command.kind = CommandKind::settle;
  command.packet_id = packet_id;
  command.delivery = std::make_unique<core::Delivery>(delivery);
}

}  // namespace pabal::mqtt
