#include <algorithm>
#include <string>
#include <utility>

#include "protocols/mqtt/bridge.h"
#include "protocols/mqtt/message_mapping.h"
#include "protocols/mqtt/mqtt_session.h"
#include "protocols/mqtt/packet_encoder.h"

namespace pabal::mqtt {
namespace {

constexpr std::uint32_t kNeverExpires = 0xFFFF'FFFF;

std::optional<std::chrono::seconds> expiry_of(std::uint32_t value) noexcept {
  if (value == kNeverExpires) return std::nullopt;
  return std::chrono::seconds(value);
}

ReasonCode reason_of(core::Errc code) noexcept {
  switch (code) {
    case core::Errc::quota_exceeded:
      return ReasonCode::quota_exceeded;
    case core::Errc::bad_destination:  // of the will
      return ReasonCode::topic_name_invalid;
    case core::Errc::in_use:
    case core::Errc::invalid_argument:
      return ReasonCode::client_identifier_not_valid;
    default:
      return ReasonCode::unspecified_error;
  }
}

}  // namespace

void MqttSession::read_connect(const Connect& packet, core::TimePoint now) {
  auto request = std::make_unique<ConnectRequest>();
  const Properties& properties = packet.properties;
  request->level = packet.level;
  request->clean_start = packet.clean_start;
  request->client_id = packet.client_id;
  request->user = packet.user_name.value_or("");
  request->keep_alive = packet.keep_alive;
  if (packet.level == Level::v5) {
    request->session_expiry = expiry_of(properties.number_or(PropertyId::session_expiry, 0));
    request->receive_maximum = properties.number_or(PropertyId::receive_maximum, 65'535);
    request->packet_bytes_max =
        properties.number_or(PropertyId::maximum_packet_size, kPacketBytesMax);
    request->topic_alias_maximum =
        static_cast<std::uint16_t>(properties.number_or(PropertyId::topic_alias_maximum, 0));
  } else if (!packet.clean_start) {
    request->session_expiry = std::nullopt;
  }
  if (packet.client_id.starts_with(kBridgeClientPrefix) ||
      packet.client_id.size() > options_.client_id_bytes_max) {
    request->refusal = ReasonCode::client_identifier_not_valid;
  }
  if (packet.will) {
    const auto target = parse_topic_name(packet.will->topic);
    if (!target || !may_publish(*target, options_.publish_dollar_topics)) {
      request->refusal = ReasonCode::topic_name_invalid;
    } else {
      fill_message(cache_.builder(),
                   {*target, packet.will->qos, packet.will->retain, packet.will->payload,
                    &packet.will->properties},
                   core::to_millis(now), {cache_.name, cache_.reply_to});
      cache_.builder().expiration = 0;  // counts from when it is sent
      request->will = std::make_shared<core::Will>();
      if (auto message = cache_.builder().build()) request->will->message = std::move(*message);
      const Properties& of_will = packet.will->properties;
      request->will->delay = std::chrono::seconds(of_will.number(PropertyId::will_delay));
      request->will->time_to_live =
          std::chrono::seconds(of_will.number(PropertyId::message_expiry));
      if (of_will.has(PropertyId::message_expiry) && request->will->time_to_live.count() == 0) {
        request->will->time_to_live = core::milliseconds(1);  // to core, none is for ever
      }
    }
  }
  if (!is_error(request->refusal) && properties.has(PropertyId::authentication_method)) {
    return begin_authentication(std::move(request),
                                properties.text(PropertyId::authentication_method),
                                properties.text(PropertyId::authentication_data));
  }
  let_connect(std::move(request));
}

/// On to the engine.
void MqttSession::let_connect(std::unique_ptr<ConnectRequest> request) {
  reads_connected_ = true;
  if (is_error(request->refusal)) reading_ended_ = true;  // [MQTT-3.1.4-6]
  Command& command = batch().commands.emplace_back();
  command.kind = CommandKind::connect;
  command.connect = std::move(request);
}

/// [MQTT-3.2.2-7]: a CONNACK that says no ends the connection.
void MqttSession::refuse_connect(ReasonCode reason, std::string_view text) {
  Connack refusal;
  refusal.reason = reason;
  if (!text.empty()) refusal.properties.set(PropertyId::reason_string, text);
  std::string bytes;
  if (append_packet(bytes, refusal, level_, packet_bytes_max_)) {
    answer_bytes(Answer::Kind::bytes, std::move(bytes), core::kNoTicket);
  }
  answer_close();
  state_ = State::closed;
  reading_ended_ = true;
}

void MqttSession::apply_connect(Command& command, core::Engine& engine, core::TimePoint now) {
  ConnectRequest& request = *command.connect;
  level_ = request.level;
  packet_bytes_max_ = std::min(request.packet_bytes_max, kPacketBytesMax);
  if (is_error(request.refusal)) return refuse_connect(request.refusal, {});

  core::ConnectOptions options;
  options.home = peer_.home;
  options.client_id = request.client_id;
  options.remote = peer_.remote;
  options.protocol = level_ == Level::v5     ? "mqtt 5.0"
                     : level_ == Level::v3_1 ? "mqtt 3.1"
                                             : "mqtt 3.1.1";
  options.user = request.user;
  in_flight_max_ = std::min<std::uint32_t>(request.receive_maximum, options_.in_flight_max);
  options.in_flight_max = in_flight_max_;
  auto session = std::make_shared<core::SessionRequest>();
  session->fresh = request.clean_start;
  session->keep = request.session_expiry;
  session->will = request.will;
  session->companion = sent_;
  options.session = std::move(session);
  auto details = engine.connect(options, now);
  if (!details) return refuse_connect(reason_of(details.error().code), details.error().text);

  state_ = State::connected;
  connection_ = details->id;
  origin_ = details->origin;
  client_id_ = details->client_id;
  user_ = std::move(request.user);
  const bool ends_at_once = details->keep && details->keep->count() == 0;
  expires_with_connection_ = request.session_expiry && request.session_expiry->count() == 0;
  kept_ = details->session_present || !ends_at_once;
  topic_alias_maximum_ = std::min(request.topic_alias_maximum, options_.topic_aliases_out_max);
  keep_alive_ = request.keep_alive != 0 ? request.keep_alive : options_.default_keep_alive;
  if (options_.keep_alive_max != 0 && is_v5() &&
      (keep_alive_ == 0 || keep_alive_ > options_.keep_alive_max)) {
    keep_alive_ = options_.keep_alive_max;
  }
  answer_connect(request, *details);
  if (details->session_present) resume(details->companion.get(), engine, now);
}

/// MQTT 5.0 §3.2.2.3: what is not its default is announced.
void MqttSession::answer_connect(const ConnectRequest& request,
                                 const core::ConnectionDetails& details) {
  Connack packet;
  packet.session_present = details.session_present;
  Properties& properties = packet.properties;
  if (is_v5()) {
    if (details.keep != request.session_expiry) {
      properties.set(
          PropertyId::session_expiry,
          details.keep ? static_cast<std::uint32_t>(details.keep->count()) : kNeverExpires);
    }
    properties.set(PropertyId::receive_maximum, options_.receive_maximum);
    if (options_.parser.packet_bytes_max < kPacketBytesMax) {
      properties.set(PropertyId::maximum_packet_size, options_.parser.packet_bytes_max);
    }
    if (options_.topic_alias_maximum != 0) {
      properties.set(PropertyId::topic_alias_maximum, options_.topic_alias_maximum);
    }
    if (request.client_id.empty()) properties.set(PropertyId::assigned_client_id, client_id_);
    if (keep_alive_ != request.keep_alive) {
      properties.set(PropertyId::server_keep_alive, keep_alive_);
    }
    if (!request.authentication_method.empty()) {  // [MQTT-4.12.0-5]
      properties.set(PropertyId::authentication_method, request.authentication_method);
    }
    if (!request.authentication_data.empty()) {
      properties.set(PropertyId::authentication_data, request.authentication_data);
    }
  }
  std::string bytes;
  append_packet(bytes, packet, level_, packet_bytes_max_);
  answer_bytes(Answer::Kind::barrier, std::move(bytes), details.after);
}

// --- resuming ------------------------------------------------------------------------------------

/// [MQTT-4.4.0-1]: PUBRELs first, in the order in which they were sent [MQTT-4.6.0-4]; the messages
/// come from core, in their order, and get their ids again.
void MqttSession::resume(core::SessionCompanion* companion, core::Engine& engine,
                         core::TimePoint now) {
  // Core has companions of this adaptor only: what has a session otherwise is not taken over.
  if (auto* sent = dynamic_cast<Sent*>(companion)) take_over(*sent);
  std::map<std::uint64_t, std::uint16_t> releases;
  for (const auto& [key, value] : engine.session_attachments(*connection_)) {
    resume_attachment(key, value, releases, engine, now);
  }
  for (const auto& [number, id] : releases) {
    answer(PacketType::pubrel, id, core::kNoTicket);
    released_ = number;
  }
  for (const auto& own : engine.session_subscriptions(*connection_)) {
    constexpr std::string_view kPrefix = "mqtt:";
    std::string_view name = own.name;
    if (!name.starts_with(kPrefix)) continue;
    name.remove_prefix(kPrefix.size());
    resume_subscription(name, own.data, true, engine, now);
  }
  release_settled(engine);
  std::set<std::string> orphans;
  for (const auto& [delivery, id] : expected_) {
    if (subscriptions_.find(delivery.filter) == nullptr) orphans.insert(delivery.filter);
  }
  for (const auto& filter : orphans) release_orphans(filter, engine);
}

/// Ids of QoS 1 of a connection that is open still; those of QoS 2 are attachments.
void MqttSession::take_over(Sent& sent) {
  const HandOverGuard guard(&sent.hand_over);
  sent.has_successor = true;
  for (auto& [id, key] : unanswered(sent)) expect(id, std::move(key), std::nullopt);
}

void MqttSession::expect(std::uint16_t id, DeliveryKey key,
                         std::optional<core::DeliveryPlace> place) {
  Outgoing& entry = outgoing_.reserve(id);
  if (entry.progress != Progress::none) return;  // two that cannot both be
  entry.progress = place ? Progress::reserved : Progress::reserved_1;
  expected_.emplace(std::move(key), Expected{id, place});
}

void MqttSession::resume_attachment(std::string_view key, std::string_view value,
                                    std::map<std::uint64_t, std::uint16_t>& releases,
                                    core::Engine& engine, core::TimePoint now) {
  if (key == "q") {
    // Each: id, size of the key, key.
    while (!value.empty()) {
      std::uint16_t id = 0;
      std::size_t size = 0;
      if (!take_number(value, id) || !take_number(value, size) || value.size() < size) break;
      auto known = decode_key(value.substr(0, size));
      if (id != 0 && known) expect(id, std::move(*known), std::nullopt);
      value.remove_prefix(size);
    }
    (void)engine.change_session(*connection_, {{"q", std::nullopt}});
    return;
  }
  if (key.size() < 3 || key[1] != '/') return;
  std::string_view rest = key.substr(2);
  if (key[0] == 's') return resume_subscription(rest, value, false, engine, now);
  std::uint16_t id = 0;
  if (!take_number(rest, id) || id == 0) return;
  if (key[0] == 'i') {
    incoming_.insert(id);
  } else if (key[0] == 'o' && value.starts_with("r ")) {
    value.remove_prefix(2);
    std::uint64_t number = 0;
    if (!take_number(value, number)) return;
    Outgoing& entry = outgoing_.reserve(id);
    entry.progress = Progress::released;
    entry.in_flight = true;
    ++in_flight_;
    releases.emplace(number, id);
  } else if (key[0] == 'o' && value.starts_with("p ")) {
    value.remove_prefix(2);
    core::DeliveryPlace place;
    auto known = decode_place(value, place) ? decode_key(value) : std::nullopt;
    if (known) expect(id, std::move(*known), place);
  }
}

void MqttSession::resume_subscription(std::string_view filter, std::string_view data, bool durable,
                                      core::Engine& engine, core::TimePoint now) {
  const auto settings = decode_settings(data);
  if (!settings || subscriptions_.find(filter) != nullptr) return;
  Subscription& subscription = subscriptions_.add(filter);
  subscription.settings = *settings;
  subscription.shared = is_shared(filter);
  subscription.durable = durable;
  subscription.attached = !durable;
  if (consume(subscription, false, engine, now)) subscriptions_.erase(std::string(filter));
}

}  // namespace pabal::mqtt
