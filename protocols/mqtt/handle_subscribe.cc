#include <string>
#include <utility>

#include "protocols/mqtt/mqtt_session.h"
#include "protocols/mqtt/packet_encoder.h"
#include "protocols/mqtt/topic_names.h"

namespace pabal::mqtt {
namespace {

ReasonCode reason_of(core::Errc code) noexcept {
  switch (code) {
    case core::Errc::quota_exceeded:
    case core::Errc::store_full:
      return ReasonCode::quota_exceeded;
    case core::Errc::bad_destination:
      return ReasonCode::topic_filter_invalid;
    case core::Errc::not_supported:
      return ReasonCode::implementation_specific_error;
    default:
      return ReasonCode::unspecified_error;
  }
}

}  // namespace

void MqttSession::read_subscribe(const Subscribe& packet) {
  Command& command = batch().commands.emplace_back();
  command.kind = CommandKind::subscribe;
  command.packet_id = packet.packet_id;
  command.subscribe = std::make_unique<SubscribeRequest>();
  command.subscribe->subscription_id = packet.properties.number(PropertyId::subscription_id);
  command.subscribe->filters.reserve(packet.count);
  for (const SubscriptionRequest& each : packet.requests) {
    command.subscribe->filters.push_back({std::string(each.filter), each.qos, each.no_local,
                                          each.retain_as_published, each.retain_handling});
  }
}

/// [MQTT-3.8.4-5]: as if each filter had come alone, and one answer.
void MqttSession::apply_subscribe(Command& command, core::Engine& engine, core::TimePoint now) {
  std::string reasons;
  const core::Ticket before = engine.submitted();
  for (const FilterRequest& each : command.subscribe->filters) {
    const ReasonCode reason = subscribe_one(each, command.subscribe->subscription_id, engine, now);
    reasons += static_cast<char>(reason);
  }
  Suback packet;
  packet.packet_id = command.packet_id;
  packet.reasons = reasons;
  std::string bytes;
  append_packet(bytes, packet, level_, packet_bytes_max_);
  const core::Ticket after = engine.submitted();
  answer_bytes(Answer::Kind::bytes, std::move(bytes), after == before ? core::kNoTicket : after);
}

/// [MQTT-3.8.4-3]: a filter that is there is replaced, and nothing that waits for it is lost.
ReasonCode MqttSession::subscribe_one(const FilterRequest& request, std::uint32_t subscription_id,
                                      core::Engine& engine, core::TimePoint now) {
  Subscription* known = subscriptions_.find(request.filter);
  const bool shared = is_shared(request.filter);
  const bool retained =
      !shared && (request.retain_handling == RetainHandling::always ||
                  (request.retain_handling == RetainHandling::if_new && known == nullptr));
  const SubscriptionSettings settings{request.qos, request.no_local, request.retain_as_published,
                                      subscription_id};
  const auto granted = static_cast<ReasonCode>(request.qos);
  const auto target = parse_topic_filter(request.filter);
  if (!target || (shared && core::is_queue(target->target.kind))) {
    return ReasonCode::topic_filter_invalid;
  }
  const bool is_topic = !core::is_queue(target->target.kind);
  // Advisories are kept for nobody, and never come but at QoS 0.
  const bool keeps = kept_ && request.qos != QoS::at_most_once && !names_advisories(request.filter);
  const bool wants_durable = shared || (is_topic && keeps);
  if (known != nullptr && (known->durable || !wants_durable)) {
    core::ResubscribeOptions options;
    options.ack_mode =
        request.qos == QoS::at_most_once ? core::AckMode::automatic : core::AckMode::mixed;
    options.no_local = request.no_local;
    options.volatile_when_active = known->durable;
    options.retained = retained && is_topic;
    if (known->durable) options.session_data = encode_settings(settings);
    if (auto done = engine.resubscribe(known->id, options, now); !done) {
      return reason_of(done.error().code);
    }
    if (known->attached) {
      (void)engine.change_session(*connection_,
                                  {{"s/" + request.filter, encode_settings(settings)}});
    }
    known->was_explicit = known->was_explicit || known->settings.qos != QoS::at_most_once;
    known->settings = settings;
    return granted;
  }
  // In one entry of the engine, so that nothing comes between the end of the old and the new one.
  if (known != nullptr) give_up(*known, engine, now);
  Subscription& made = subscriptions_.add(request.filter);
  made.settings = settings;
  made.shared = shared;
  made.durable = wants_durable;
  made.attached = kept_ && !wants_durable;
  if (made.attached) {
    const auto put =
        engine.change_session(*connection_, {{"s/" + request.filter, encode_settings(settings)}});
    if (!put) {
      subscriptions_.erase(request.filter);
      return reason_of(put.error().code);
    }
  }
  if (const auto error = consume(made, retained && is_topic, engine, now)) {
    if (made.attached) {
      (void)engine.change_session(*connection_, {{"s/" + request.filter, std::nullopt}});
    }
    subscriptions_.erase(request.filter);
    return reason_of(error->code);
  }
  return granted;
}

/// Makes core deliver to a subscription that stands here.
std::optional<core::Error> MqttSession::consume(Subscription& subscription, bool retained,
                                                core::Engine& engine, core::TimePoint now) {
  const auto target = parse_topic_filter(subscription.filter);
  if (!target) return core::Error{core::Errc::bad_destination, "no topic filter"};
  core::SubscribeOptions options;
  options.interests.push_back(
      {target->target.to_destination(), "", subscription.settings.no_local});
  options.ack_mode = subscription.settings.qos == QoS::at_most_once ? core::AckMode::automatic
                                                                    : core::AckMode::mixed;
  options.prefetch = options_.prefetch;
  options.retained = retained;
  options.tag = subscription.tag;
  if (subscription.durable) {
    options.durable_name = name_of(subscription.filter);
    options.session_data = encode_settings(subscription.settings);
    options.volatile_when_active = true;
    options.shared_group = target->share_name;
  }
  auto made = engine.subscribe(*connection_, options, now);
  if (!made) return made.error();
  subscription.id = *made;
  return std::nullopt;
}

/// The session has it no more; what of it is in flight goes on here.
void MqttSession::give_up(Subscription& subscription, core::Engine& engine, core::TimePoint now) {
  (void)engine.unsubscribe(subscription.id, now);
  if (subscription.durable) {
    (void)engine.forget_subscription(*connection_, name_of(subscription.filter), now);
    room_was_made_ = true;
  }
  if (subscription.attached) {
    (void)forget("s/" + subscription.filter, engine);
  }
  const std::string filter = subscription.filter;
  subscriptions_.erase(filter);
  release_orphans(filter, engine);
}

void MqttSession::read_unsubscribe(const Unsubscribe& packet) {
  Command& command = batch().commands.emplace_back();
  command.kind = CommandKind::unsubscribe;
  command.packet_id = packet.packet_id;
  command.unsubscribe = std::make_unique<std::vector<std::string>>();
  command.unsubscribe->reserve(packet.count);
  for (const std::string_view filter : packet.filters) command.unsubscribe->emplace_back(filter);
}

void MqttSession::apply_unsubscribe(Command& command, core::Engine& engine, core::TimePoint now) {
  std::string reasons;
  const core::Ticket before = engine.submitted();
  for (const std::string& filter : *command.unsubscribe) {
    Subscription* known = subscriptions_.find(filter);
    reasons += static_cast<char>(known != nullptr ? ReasonCode::success
                                                  : ReasonCode::no_subscription_existed);
    if (known != nullptr) give_up(*known, engine, now);
  }
  Unsuback packet;
  packet.packet_id = command.packet_id;
  if (is_v5()) packet.reasons = reasons;
  std::string bytes;
  append_packet(bytes, packet, level_, packet_bytes_max_);
  const core::Ticket after = engine.submitted();
  answer_bytes(Answer::Kind::bytes, std::move(bytes), after == before ? core::kNoTicket : after);
}

}  // namespace pabal::mqtt
