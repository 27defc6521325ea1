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
constexpr std::string_view kPeerKey = "u";

/// Whose session at the peer belongs to what is kept here.
std::string peer_text(const BridgeOptions& options) {
  return options.remote + ' ' + options.client_id;
}

core::ConnectOptions engine_options(const std::string& client_id) {
  core::ConnectOptions options;
  options.client_id = client_id;
  options.protocol = "mqtt bridge";
  auto session = std::make_shared<core::SessionRequest>();
  session->fresh = false;
  session->keep = std::nullopt;
  session->configured = true;
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

core::Result<BridgePreparation> prepare_bridge(core::Engine& engine, const BridgeOptions& options,
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
  BridgePreparation prepared;
  for (const auto& [key, value] : engine.session_attachments(connected->id)) {
    if (key == kPeerKey) prepared.resumes = value == peer_text(options);
  }
  engine.disconnect(connected->id, now);
  if (failure) return *failure;
  for (const auto& each : known) {
    if (!has_route(options, each.name)) prepared.left_over.push_back(each.name);
  }
  return prepared;
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
  careful_ = course_.careful;
  const bool expected = std::exchange(course_.resumes, true);
  const bool resumes = expected && command.session_present;
  bool lost = false;
  if (resumes) {
    resume(engine);
  } else {
    lost = forget_all(engine) && expected;
  }
  // The peer must not gather for a session that is not known to be ours.
  begun_ = engine.submitted();
  if (!expected && options_.level != Level::v5) {
    // Before 5.0, a clean session ends with its connection. There is none now, and the next
    // connection begins ours.
    course_.again_at_once = true;
    append_packet(answers_.emplace_back().bytes, Disconnect{}, options_.level);
    return fail({});
  }
  subscribe_here(engine, now);
  if (state_ == State::connected && resumes) end_what_will_not_come(engine);
  if (state_ == State::connected) subscribe_there(engine);
  if (state_ != State::connected) return;
  course_.accepted = true;
  ++status_.connects;
  status_.enter(BridgeState::connected, clock_());
  if (course_.on_connected) course_.on_connected();
  // What an operator should know: a broker that has forgotten, or will.
  if (lost) {
    complain(
        "it has lost its session: what was on its way is sent again, and what it had for this "
        "bridge is lost");
  }
  if (session_expiry_ != kNeverExpires && !options_.in.empty()) {
    complain("it keeps its session for " + std::to_string(session_expiry_) +
             " seconds only: what comes in later than that after a lost connection is lost");
  }
}

/// The peer knows nothing of what is on its way [MQTT-3.2.2-5]: it begins anew. The other way, too.
bool BridgeSession::forget_all(core::Engine& engine) {
  core::SessionChanges changes;
  for (const auto& [key, value] : engine.session_attachments(*connection_)) {
    if (key != kPeerKey) changes.push_back({key, std::nullopt});
  }
  const bool forgot = !changes.empty();
  changes.push_back({std::string(kPeerKey), peer_text(options_)});
  (void)engine.change_session(*connection_, changes);
  return forgot;
}

/// [MQTT-4.4.0-1]: PUBRELs first, in the order in which they were sent [MQTT-4.6.0-4]; the messages
/// come from core, in their order, and get their ids again.
void BridgeSession::resume(core::Engine& engine) {
  std::map<std::uint64_t, std::uint16_t> releases;
  for (const auto& [key, value] : engine.session_attachments(*connection_)) {
    resume_one(key, value, releases);
  }
  for (const auto& [number, id] : releases) {
    answer(PacketType::pubrel, id, core::kNoTicket);
    released_ = number;
  }
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
    std::uint64_t digest = 0;
    if (take_number(value, digest)) incoming_[id] = digest;
    return;
  }
  if (key[0] != 'o' || value.size() < 2) return;
  const bool released = value[0] == 'r';
  value.remove_prefix(2);
  std::uint64_t number = 0;
  core::DeliveryPlace place;
  if (released && !take_number(value, number)) return;
  if (!decode_place(value, place)) return;
  auto known = decode_key(value);
  if (!known) return;
  Outgoing& entry = outgoing_.reserve(id);
  entry.progress = released ? Progress::released : Progress::reserved;
  expected_.emplace(std::move(*known), Expected{id, place});
  if (!released) return;
  entry.in_flight = true;
  ++in_flight_;
  releases.emplace(number, id);
}

void BridgeSession::end_what_will_not_come(core::Engine& engine) {
  for (auto at = expected_.begin(); at != expected_.end();) {
    const auto& [key, expected] = *at;
    const std::string name = name_of(key.filter);
    if (has_route(options_, name) && engine.may_come(*connection_, name, expected.place)) {
      ++at;
      continue;
    }
    const std::uint16_t id = expected.packet_id;
    const DeliveryKey what = key;
    at = expected_.erase(at);
    if (completed_.erase(id) != 0) {
      forget_id(id, engine);
    } else if (outgoing_[id].progress == Progress::released) {
      orphans_.insert(id);
    } else {
      release_id(id, what, engine);
    }
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

/// With each connection: a peer that was killed may have its session, and not what it was asked for
/// last. It says again what it retains only if that is new to it (before 5.0 whenever it is asked).
void BridgeSession::subscribe_there(core::Engine& engine) {
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
    Unsubscribe packet;
    packet.packet_id = unsubscribe_id_ = take_own_id();
    packet.filters = TopicFilters(gone);
    packet.count = gone_count;
    ask(packet);
  }
  if (options_.in.empty()) {
    // Nothing more to be asked for, and nothing that a SUBACK would have to confirm.
    if (gone_count == 0) note_granted(engine);
    return;
  }
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
  Subscribe packet;
  packet.packet_id = subscribe_id_ = take_own_id();
  packet.requests = SubscriptionRequests(encoded, options_.level);
  packet.count = static_cast<std::uint32_t>(options_.in.size());
  ask(packet);
}

/// 0, and the connection ends: all are in use.
std::uint16_t BridgeSession::take_own_id() {
  const std::uint16_t id = outgoing_.take();
  if (id == 0) {
    fail("no packet id is free");
  } else {
    outgoing_[id].progress = Progress::reserved;
  }
  return id;
}

void BridgeSession::ask(const Packet& packet) {
  if (state_ != State::connected) return;
  Answer& made = answers_.emplace_back();
  made.after = begun_;
  if (!append_packet(made.bytes, packet, options_.level, packet_bytes_max_)) {
    fail("its packets are too small for what it is to be asked");
  }
}

/// What is not wanted any more one day is what has to be taken back then.
void BridgeSession::note_granted(core::Engine& engine) {
  if (asked_ == wanted_text(options_)) return;
  asked_ = wanted_text(options_);
  (void)engine.change_session(*connection_, {{std::string(kAskedKey), asked_}});
}

/// The peer has what it was asked for when it has answered all of it. What it refuses is asked for
/// again with the next connection; the other routes are of use without it.
void BridgeSession::apply_suback(const Command& command, core::Engine& engine) {
  if (command.packet_id == 0) return;
  if (command.kind == Kind::unsuback && command.packet_id == unsubscribe_id_) {
    finish(std::exchange(unsubscribe_id_, std::uint16_t{0}));
  } else if (command.kind == Kind::suback && command.packet_id == subscribe_id_) {
    finish(std::exchange(subscribe_id_, std::uint16_t{0}));
    for (std::size_t i = 0; i < options_.in.size(); ++i) {
      take_grant(options_.in[i], i < command.text.size() ? static_cast<ReasonCode>(command.text[i])
                                                         : ReasonCode::unspecified_error);
    }
  } else {
    return;
  }
  if (subscribe_id_ == 0 && unsubscribe_id_ == 0 && granted_) note_granted(engine);
}

void BridgeSession::take_grant(const BridgeRoute& route, ReasonCode reason) {
  if (is_error(reason)) {
    granted_ = false;
    complain("it refused the subscription " + route.remote_filter() + ": " +
             std::string(to_string(reason)));
  } else if (static_cast<int>(reason) < static_cast<int>(route.qos)) {
    complain("it grants QoS " + std::to_string(static_cast<int>(reason)) + " only to " +
             route.remote_filter());
  }
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
