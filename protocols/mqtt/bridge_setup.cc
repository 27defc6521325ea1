#include <algorithm>
#include <string>
#include <utility>

#include "protocols/mqtt/bridge_session.h"
#include "protocols/mqtt/mqtt_session.h"
#include "protocols/mqtt/packet_encoder.h"
#include "protocols/mqtt/topic_names.h"

// What a bridge has before it connects, and how a connection goes on where the last one ended.

namespace pabal::mqtt {
namespace {

constexpr std::string_view kIdKey = "id";
constexpr std::string_view kAskedKey = "s";

core::ConnectOptions engine_options(const std::string& client_id) {
  core::ConnectOptions options;
  options.client_id = client_id;
  options.protocol = "mqtt bridge";
  auto session = std::make_shared<core::SessionRequest>();
  session->fresh = false;
  session->keep = std::nullopt;
  options.session = std::move(session);
  return options;
}

/// Its own messages do not come back to the session that took them.
core::SubscribeOptions subscribe_options(const BridgeRoute& route, std::uint64_t tag) {
  core::SubscribeOptions options;
  const bool kept = route.qos != QoS::at_most_once;
  options.interests.push_back(
      {{core::DestinationKind::topic, swapped(route.local_filter())}, "", true});
  options.ack_mode = kept ? core::AckMode::mixed : core::AckMode::automatic;
  options.tag = tag;
  if (kept) {
    options.durable_name = name_of(route.local_filter());
    options.session_data = "bridge";
    options.volatile_when_active = true;
  }
  return options;
}

bool has_subscription(const std::vector<core::SessionSubscription>& all, const std::string& name) {
  for (const auto& each : all) {
    if (each.name == name) return true;
  }
  return false;
}

bool has_route(const BridgeOptions& options, std::string_view name) {
  for (const BridgeRoute& route : options.out) {
    if (route.qos != QoS::at_most_once && name_of(route.local_filter()) == name) return true;
  }
  return false;
}

/// "1 sensors/#" and the like, a line each.
std::string wanted_text(const BridgeOptions& options) {
  std::string text;
  for (const BridgeRoute& route : options.in) {
    text += std::to_string(static_cast<int>(route.qos)) + ' ' + route.remote_filter() + '\n';
  }
  return text;
}

}  // namespace

// --- before the first connection -----------------------------------------------------------------

core::Result<std::vector<std::string>> prepare_bridge(core::Engine& engine,
                                                      const BridgeOptions& options,
                                                      core::TimePoint now) {
  const auto connected = engine.connect(engine_options(options.session_id()), now);
  if (!connected) return connected.error();
  const auto known = engine.session_subscriptions(connected->id);
  std::optional<core::Error> failure;
  for (const BridgeRoute& route : options.out) {
    if (route.qos == QoS::at_most_once) continue;
    const std::string name = name_of(route.local_filter());
    if (has_subscription(known, name)) continue;
    // It takes nothing yet: that begins with a connection.
    auto wanted = subscribe_options(route, 0);
    wanted.prefetch = 0;
    wanted.retained = true;
    if (const auto made = engine.subscribe(connected->id, wanted, now); !made) {
      failure = core::Error{made.error().code, route.local_filter() + ": " + made.error().text};
    }
  }
  engine.disconnect(connected->id, now);
  if (failure) return *failure;
  std::vector<std::string> left_over;
  for (const auto& each : known) {
    if (!has_route(options, each.name)) left_over.push_back(each.name);
  }
  return left_over;
}

core::Result<std::string> bridging_broker_id(core::Engine& engine, const std::string& fresh,
                                             core::TimePoint now) {
  const auto connected = engine.connect(engine_options(std::string(kBridgeClientPrefix)), now);
  if (!connected) return connected.error();
  std::string id;
  for (const auto& [key, value] : engine.session_attachments(connected->id)) {
    if (key == kIdKey) id = value;
  }
  core::Result<std::string> answer = id;
  if (id.empty()) {
    answer = fresh;
    const auto kept = engine.change_session(connected->id, {{std::string(kIdKey), fresh}});
    if (!kept) answer = kept.error();
  }
  engine.disconnect(connected->id, now);
  return answer;
}

// --- at the beginning of a connection ------------------------------------------------------------

void BridgeSession::apply_connack(const Command& command, core::Engine& engine,
                                  core::TimePoint now) {
  auto options = engine_options(options_.session_id());
  options.home = peer_.home;
  options.remote = peer_.remote;
  options.in_flight_max = in_flight_max_;
  const auto details = engine.connect(options, now);
  if (!details) return fail("its session here: " + details.error().text);
  connection_ = details->id;
  origin_ = details->origin;
  state_ = State::connected;
  resume(command.session_present, engine);
  subscribe_here(engine, now);
  if (state_ == State::connected) subscribe_there();
  if (state_ != State::connected) return;
  status_.set_error({});
  ++status_.connects;
  status_.connected = true;
}

/// [MQTT-4.4.0-1]: PUBRELs first, in the order in which they were sent [MQTT-4.6.0-4]; the messages
/// come from core, in their order, and get their ids again. A peer that has lost its session knows
/// nothing of these ids [MQTT-3.2.2-5]: what is not finished begins anew.
void BridgeSession::resume(bool session_present, core::Engine& engine) {
  core::SessionChanges forgotten;
  std::map<std::uint64_t, std::uint16_t> releases;
  for (const auto& [key, value] : engine.session_attachments(*connection_)) {
    if (session_present) {
      resume_one(key, value, releases);
    } else {
      forgotten.push_back({key, std::nullopt});
    }
  }
  // No reply has to wait for it: it is durable before anything that builds on it.
  if (!forgotten.empty()) (void)engine.change_session(*connection_, forgotten);
  for (const auto& [number, id] : releases) {
    answer(PacketType::pubrel, id, core::kNoTicket);
    released_ = number;
  }
  release_orphans(engine);
}

void BridgeSession::resume_one(std::string_view key, std::string_view value,
                               std::map<std::uint64_t, std::uint16_t>& releases) {
  if (key == kAskedKey) {
    asked_ = value;
    return;
  }
  if (key.size() < 3 || key[1] != '/') return;
  std::string_view rest = key.substr(2);
  std::uint16_t id = 0;
  if (!take_number(rest, id) || id == 0) return;
  if (key[0] == 'i') {
    incoming_.insert(id);
    return;
  }
  if (key[0] != 'o' || value.size() < 2) return;
  const bool released = value[0] == 'r';
  value.remove_prefix(2);
  std::uint64_t number = 0;
  DeliveryKey delivery;
  if (released && !take_number(value, number)) return;
  if (!take_number(value, delivery.origin) || !take_number(value, delivery.sequence)) return;
  delivery.filter = value;
  Outgoing& entry = outgoing_.reserve(id);
  entry.progress = released ? Progress::released : Progress::reserved;
  expected_.insert_or_assign(std::move(delivery), id);
  if (!released) return;
  entry.in_flight = true;
  ++in_flight_;
  releases.emplace(number, id);
}

/// What began for a route that is no more, and will not come again, is ended with PUBREL: or its id
/// could never be used again.
void BridgeSession::release_orphans(core::Engine& engine) {
  for (auto at = expected_.begin(); at != expected_.end();) {
    if (has_route(options_, name_of(at->first.filter))) {
      ++at;
      continue;
    }
    const std::uint16_t id = at->second;
    Outgoing& entry = outgoing_[id];
    if (entry.progress == Progress::reserved) {
      const auto changed = engine.change_session(
          *connection_,
          {{attachment_key('o', id),
            "r " + std::to_string(++released_) + ' ' + std::to_string(at->first.origin) + ' ' +
                std::to_string(at->first.sequence) + ' ' + at->first.filter}});
      entry.progress = Progress::released;
      entry.in_flight = true;
      ++in_flight_;
      answer(PacketType::pubrel, id, changed ? *changed : core::kNoTicket);
    }
    orphans_.insert(id);
    at = expected_.erase(at);
  }
}

void BridgeSession::subscribe_here(core::Engine& engine, core::TimePoint now) {
  for (std::size_t i = 0; i < options_.out.size(); ++i) {
    auto wanted = subscribe_options(options_.out[i], i + 1);
    wanted.prefetch = options_.prefetch;
    const auto made = engine.subscribe(*connection_, wanted, now);
    if (!made) {
      return fail("cannot forward " + options_.out[i].local_filter() + ": " + made.error().text);
    }
  }
}

/// A peer whose session is there still has the subscriptions, and says again what it retains only
/// if asked again (before 5.0 whenever it is asked).
void BridgeSession::subscribe_there() {
  const std::string wanted = wanted_text(options_);
  if (wanted == asked_) return;
  std::string gone;
  std::uint32_t gone_count = 0;
  for (std::string_view rest = asked_; !rest.empty();) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    const std::string_view filter = line.size() > 2 ? line.substr(2) : std::string_view();
    const bool stays = std::any_of(options_.in.begin(), options_.in.end(), [&](const auto& route) {
      return route.remote_filter() == filter;
    });
    if (!filter.empty() && !stays && append_topic_filter(gone, filter)) ++gone_count;
  }
  if (gone_count != 0) {
    unsubscribe_id_ = outgoing_.take();
    outgoing_[unsubscribe_id_].progress = Progress::reserved;
    Unsubscribe packet;
    packet.packet_id = unsubscribe_id_;
    packet.filters = TopicFilters(gone);
    packet.count = gone_count;
    append_packet(answers_.emplace_back().bytes, packet, options_.level, packet_bytes_max_);
  }
  if (options_.in.empty()) return;
  std::string encoded;
  for (const BridgeRoute& route : options_.in) {
    SubscriptionRequest request;
    const std::string filter = route.remote_filter();
    request.filter = filter;
    request.qos = std::min(route.qos, qos_max_);
    request.no_local = options_.level == Level::v5;
    request.retain_as_published = options_.level == Level::v5;
    if (options_.level == Level::v5) request.retain_handling = RetainHandling::if_new;
    append_subscription_request(encoded, request);
  }
  subscribe_id_ = outgoing_.take();
  outgoing_[subscribe_id_].progress = Progress::reserved;
  Subscribe packet;
  packet.packet_id = subscribe_id_;
  packet.requests = SubscriptionRequests(encoded, options_.level);
  packet.count = static_cast<std::uint32_t>(options_.in.size());
  append_packet(answers_.emplace_back().bytes, packet, options_.level, packet_bytes_max_);
}

/// The peer has what it was asked for when it has answered all of it.
void BridgeSession::apply_suback(const Command& command, core::Engine& engine) {
  if (command.packet_id == 0) return;
  if (command.kind == Kind::unsuback && command.packet_id == unsubscribe_id_) {
    finish(std::exchange(unsubscribe_id_, std::uint16_t{0}));
  } else if (command.kind == Kind::suback && command.packet_id == subscribe_id_) {
    finish(std::exchange(subscribe_id_, std::uint16_t{0}));
    for (std::size_t i = 0; i < command.text.size() && i < options_.in.size(); ++i) {
      const auto reason = static_cast<ReasonCode>(command.text[i]);
      if (!is_error(reason)) continue;
      return fail("it refused the subscription " + options_.in[i].remote_filter() + ": " +
                  std::string(to_string(reason)));
    }
  } else {
    return;
  }
  if (subscribe_id_ != 0 || unsubscribe_id_ != 0) return;
  (void)engine.change_session(*connection_, {{std::string(kAskedKey), wanted_text(options_)}});
}

// --- patterns ------------------------------------------------------------------------------------

bool filters_overlap(std::string_view one, std::string_view other) noexcept {
  for (;;) {
    const std::string_view a = one.substr(0, one.find('/'));
    const std::string_view b = other.substr(0, other.find('/'));
    if (a == "#" || b == "#") return true;
    if (a != b && a != "+" && b != "+") return false;
    const bool a_ends = a.size() == one.size();
    const bool b_ends = b.size() == other.size();
    if (a_ends || b_ends) {
      if (a_ends && b_ends) return true;
      // `a/#` matches `a`, too.
      return (a_ends ? other.substr(b.size()) : one.substr(a.size())) == "/#";
    }
    one.remove_prefix(a.size() + 1);
    other.remove_prefix(b.size() + 1);
  }
}

}  // namespace pabal::mqtt
