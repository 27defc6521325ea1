#include <algorithm>
#include <charconv>
#include <utility>

#include "core/engine_state.h"
#include "core/record.h"

// What stands in sessions: attachments of adaptors, and subscriptions.

namespace pabal::core {
namespace {

constexpr std::uint64_t kRecordVersion = 1;
constexpr std::size_t kKeyBytesMax = 8192;
constexpr std::uint64_t kVolatileWhenActive = 1;
constexpr std::uint64_t kReplaying = 2;

/// "<generation>:<length of the client id>:<client id>/<rest>".
std::string own_key(std::string_view prefix, std::uint64_t generation, std::string_view client_id,
                    std::string_view rest) {
  std::string key(prefix);
  key += std::to_string(generation) + ':' + std::to_string(client_id.size()) + ':';
  key += client_id;
  key += '/';
  key += rest;
  return key;
}

struct OwnKey {
  std::uint64_t generation = 0;
  std::string_view client_id;
  std::string_view rest;
};

std::optional<OwnKey> parse_own_key(std::string_view key) {
  OwnKey parsed;
  std::size_t size = 0;
  const char* end = key.data() + key.size();
  const auto generation = std::from_chars(key.data(), end, parsed.generation);
  if (generation.ec != std::errc{} || generation.ptr == end || *generation.ptr != ':') {
    return std::nullopt;
  }
  const auto length = std::from_chars(generation.ptr + 1, end, size);
  if (length.ec != std::errc{} || length.ptr == end || *length.ptr != ':') return std::nullopt;
  key.remove_prefix(static_cast<std::size_t>(length.ptr + 1 - key.data()));
  if (key.size() <= size || key[size] != '/') return std::nullopt;
  parsed.client_id = key.substr(0, size);
  parsed.rest = key.substr(size + 1);
  return parsed;
}

std::uint64_t own_bytes(const std::string& name, const OwnSubscription& own) {
  return name.size() + own.data.size() + own.group.size();
}

}  // namespace

std::string Engine::State::part_key(std::uint64_t generation, std::string_view client_id,
                                    std::string_view key) {
  return own_key("session.part/", generation, client_id, key);
}

std::string Engine::State::subscription_key(std::uint64_t generation, std::string_view client_id,
                                            std::string_view name) {
  return own_key("session.subscription/", generation, client_id, name);
}

std::string Engine::State::pin_key(const Session& session, const PinKey& pin) {
  return own_key("session.pin/", session.generation, session.client_id,
                 std::to_string(raw(pin.reader)) + ' ' + std::to_string(pin.priority) + ' ' +
                     std::to_string(pin.sequence));
}

Session* Engine::State::session_of(std::string_view client_id, std::uint64_t generation) const {
  const auto at = sessions.find(client_id);
  if (at == sessions.end() || at->second->generation != generation) return nullptr;
  return at->second.get();
}

/// Of an attachment that begins as those of sessions do.
Session* Engine::State::owner_of(std::string_view key) const {
  const auto parsed = parse_own_key(key);
  return parsed ? session_of(parsed->client_id, parsed->generation) : nullptr;
}

// --- attachments ---------------------------------------------------------------------------------

/// Errors: invalid_argument (a key), quota_exceeded.
Result<void> Engine::State::check_changes(const Session& session,
                                          const SessionChanges& changes) const {
  std::uint64_t bytes = session.attachment_bytes;
  std::uint64_t count = session.attachments.size();
  bool grows = false;
  for (const auto& change : changes) {
    if (change.key.empty() || change.key.size() > kKeyBytesMax) {
      return Error{Errc::invalid_argument, "the key of a session's attachment has 1 to " +
                                               std::to_string(kKeyBytesMax) + " bytes"};
    }
    const auto known = session.attachments.find(change.key);
    if (known != session.attachments.end()) {
      --count;
      bytes -= known->first.size() + known->second.size();
    }
    if (!change.value) continue;
    grows = true;
    ++count;
    bytes += change.key.size() + change.value->size();
  }
  if (grows && count > limits.session_attachments_max) {
    return Error{Errc::quota_exceeded, "session_attachments_max: the session has " +
                                           std::to_string(session.attachments.size())};
  }
  return check_session_bytes(session, grows ? bytes : 0);
}

Result<void> Engine::State::check_session_bytes(const Session& session, std::uint64_t bytes) const {
  if (bytes <= limits.session_attachment_bytes_max) return {};
  return Error{Errc::quota_exceeded, "session_attachment_bytes_max: the session has " +
                                         std::to_string(session.attachment_bytes) + " bytes"};
}

void Engine::State::apply_changes(Session& session, const SessionChanges& changes,
                                  std::vector<StoreOp>& operations) {
  for (const auto& change : changes) {
    const auto known = session.attachments.find(change.key);
    if (known != session.attachments.end()) {
      session.attachment_bytes -= known->first.size() + known->second.size();
    }
    if (change.value) {
      session.attachments.insert_or_assign(change.key, *change.value);
      session.attachment_bytes += change.key.size() + change.value->size();
    } else {
      if (known == session.attachments.end()) continue;
      session.attachments.erase(known);
    }
    if (!session.parts_stored) continue;
    operations.push_back(attachment_step(
        change.value ? StoreOpKind::put_attachment : StoreOpKind::delete_attachment,
        part_key(session.generation, session.client_id, change.key), change.value.value_or("")));
  }
}

Result<Ticket> Engine::State::change_session(ConnectionId id, const SessionChanges& changes) {
  auto* connection = connections.find(id);
  if (connection == nullptr || connection->session == nullptr) {
    return Error{Errc::not_found, "the connection has no session"};
  }
  if (auto may = check_changes(*connection->session, changes); !may) return may.error();
  std::vector<StoreOp> operations;
  apply_changes(*connection->session, changes, operations);
  return append_all(operations);
}

std::vector<std::pair<std::string, std::string>> Engine::State::session_attachments(
    ConnectionId id) const {
  const auto* connection = connections.find(id);
  if (connection == nullptr || connection->session == nullptr) return {};
  const auto& all = connection->session->attachments;
  return {all.begin(), all.end()};
}

/// What a front scan has gone past is settled, unless it came back; who settled what is above it is
/// known only to the store.
bool Engine::State::may_come(ConnectionId id, std::string_view name,
                             const std::optional<DeliveryPlace>& place) {
  const auto* connection = connections.find(id);
  if (connection == nullptr || connection->session == nullptr) return false;
  const Session& session = *connection->session;
  const auto own = session.subscriptions.find(name);
  const bool is_own = own != session.subscriptions.end();
  if (is_own && own->second.reader == nullptr) return true;
  if (!place || place->list == ListId{}) {
    if (is_own && own->second.replaying) return true;
    return !place && is_own && own->second.reader->depth > 0;
  }
  Reader* reader = find_reader(place->list, place->reader);
  if (reader == nullptr) return false;
  if (session.pins.contains({place->reader, place->priority, place->sequence})) return true;
  if (reader->in_flight > 0) return true;
  const std::pair<int, std::uint64_t> key{9 - place->priority, place->sequence};
  if (reader->returned.contains(key) || reader->delayed.contains(key)) return true;
  const auto& lane = reader->list.lanes[place->priority];
  return lane && place->sequence < lane->next_sequence &&
         place->sequence >= reader->front.position(place->priority);
}

/// A session that was to end with its connection, and does not.
void Engine::State::store_parts(Session& session) {
  std::vector<StoreOp> operations;
  for (const auto& [key, value] : session.attachments) {
    operations.push_back(attachment_step(
        StoreOpKind::put_attachment, part_key(session.generation, session.client_id, key), value));
  }
  append_all(operations);
}

bool Engine::State::recover_part(std::string_view key, const std::string& value) {
  const auto parsed = parse_own_key(key);
  if (!parsed) return false;
  last_session_generation = std::max(last_session_generation, parsed->generation);
  Session* session = session_of(parsed->client_id, parsed->generation);
  if (session == nullptr) return false;
  session->attachment_bytes += parsed->rest.size() + value.size();
  session->attachments.emplace(parsed->rest, value);
  return true;
}

// --- subscriptions -------------------------------------------------------------------------------

/// Whether the connection's session has room for what a subscription brings.
Result<void> Engine::State::check_own_subscription(const Session& session,
                                                   const SubscribeOptions& options) const {
  std::uint64_t bytes = session.attachment_bytes + options.durable_name.size() +
                        options.session_data.size() + options.shared_group.size();
  const auto known = session.subscriptions.find(options.durable_name);
  if (known != session.subscriptions.end()) bytes -= own_bytes(known->first, known->second);
  if (known == session.subscriptions.end() &&
      session.subscriptions.size() >= limits.subscriptions_per_connection_max) {
    return Error{Errc::quota_exceeded, "subscriptions_per_connection_max: the session has " +
                                           std::to_string(session.subscriptions.size()) +
                                           " subscriptions"};
  }
  return check_session_bytes(session, bytes);
}

StoreOp Engine::State::own_record(const Session& session, const std::string& name,
                                  const OwnSubscription& own) {
  std::string out;
  put(out, kRecordVersion);
  put(out, raw(own.list));
  put(out, raw(own.reader_id));
  put(out, (own.volatile_when_active ? kVolatileWhenActive : 0) | (own.replaying ? kReplaying : 0));
  put(out, own.group);
  put(out, own.data);
  return attachment_step(StoreOpKind::put_attachment,
                         subscription_key(session.generation, session.client_id, name),
                         std::move(out));
}

/// The session has the subscription from here on, which reads by `reader`.
void Engine::State::own_subscription(Session& session, const SubscribeOptions& options,
                                     Reader& reader, std::vector<StoreOp>& operations) {
  auto [known, is_new] = session.subscriptions.try_emplace(options.durable_name);
  OwnSubscription& own = known->second;
  if (!is_new) session.attachment_bytes -= own_bytes(known->first, own);
  const bool same = !is_new && own.reader == &reader;
  if (!is_new && !same && own.reader != nullptr && !own.group.empty())
    leave_group(*own.reader, true);
  if (!same && !options.shared_group.empty()) ++reader.group->members;
  own.reader = &reader;
  own.list = reader.list.id;
  own.reader_id = reader.id;
  own.group = options.shared_group;
  own.data = options.session_data;
  own.volatile_when_active = options.volatile_when_active;
  own.replaying = (same && own.replaying) || options.retained;
  if (own.group.empty()) reader.session = &session;
  session.attachment_bytes += own_bytes(known->first, own);
  // What is durable must be found again, or it would outlive its session.
  if (own.group.empty() && !session.parts_stored) {
    session.stored = session.parts_stored = true;
    operations.push_back(session_record(session));
  }
  if (session.parts_stored) operations.push_back(own_record(session, known->first, own));
}

/// A durable subscription has gone.
void Engine::State::disown(Reader& reader, std::vector<StoreOp>& operations) {
  Session& session = *std::exchange(reader.session, nullptr);
  const auto known = session.subscriptions.find(reader.description.name);
  if (known == session.subscriptions.end() || known->second.reader != &reader) return;
  session.attachment_bytes -= own_bytes(known->first, known->second);
  if (session.parts_stored) {
    operations.push_back(
        attachment_step(StoreOpKind::delete_attachment,
                        subscription_key(session.generation, session.client_id, known->first), {}));
  }
  session.subscriptions.erase(known);
}

/// A subscription that has all that was retained when it came, and acknowledged it, is not given it
/// again when its session is resumed.
void Engine::State::end_replay(Subscription& subscription) {
  if (subscription.replay || subscription.retained_out > 0 || subscription.ending) return;
  OwnSubscription* own = own_of(subscription);
  if (own == nullptr || !std::exchange(own->replaying, false)) return;
  Session& session = *subscription.connection.session;
  if (!session.parts_stored) return;
  StoreOp record = own_record(session, subscription.options.durable_name, *own);
  flush_acks();
  store.append({&record, 1});
}

OwnSubscription* Engine::State::own_of(const Subscription& subscription) {
  Session* session = subscription.connection.session;
  if (session == nullptr || subscription.options.durable_name.empty()) return nullptr;
  const auto own = session->subscriptions.find(subscription.options.durable_name);
  return own == session->subscriptions.end() ? nullptr : &own->second;
}

Result<Ticket> Engine::State::resubscribe(SubscriptionId id, const ResubscribeOptions& wanted) {
  auto* subscription = subscriptions.find(id);
  if (subscription == nullptr) return Error{Errc::not_found, "no such subscription"};
  SubscribeOptions& options = subscription->options;
  OwnSubscription* own = own_of(*subscription);
  Session* session = subscription->connection.session;
  if (own != nullptr) {
    SubscribeOptions checked = options;
    checked.session_data = wanted.session_data;
    if (auto may = check_own_subscription(*session, checked); !may) return may.error();
  }
  options.ack_mode = wanted.ack_mode;
  subscription->settles_when_written =
      subscription->settles_when_written || wanted.ack_mode != AckMode::explicit_;
  for (auto& interest : options.interests) interest.no_local = wanted.no_local;
  options.volatile_when_active = wanted.volatile_when_active;
  options.session_data = wanted.session_data;
  Ticket ticket = kNoTicket;
  if (own != nullptr) {
    session->attachment_bytes -= own->data.size();
    own->data = wanted.session_data;
    session->attachment_bytes += own->data.size();
    own->volatile_when_active = wanted.volatile_when_active;
    if (own->group.empty()) own->reader->volatile_when_active = wanted.volatile_when_active;
    own->replaying = own->replaying || wanted.retained;
    if (session->parts_stored) {
      std::vector<StoreOp> operations;
      operations.push_back(own_record(*session, options.durable_name, *own));
      ticket = append_all(operations);
    }
  }
  if (wanted.retained) begin_replay(*subscription);
  credit_returned(*subscription);
  return ticket;
}

std::vector<SessionSubscription> Engine::State::session_subscriptions(ConnectionId id) const {
  const auto* connection = connections.find(id);
  if (connection == nullptr || connection->session == nullptr) return {};
  std::vector<SessionSubscription> all;
  for (const auto& [name, own] : connection->session->subscriptions) {
    if (own.reader == nullptr) continue;
    all.push_back({name, own.reader->list.destination, own.group, own.data});
  }
  return all;
}

/// False: its session is gone, or it was not yet there when the process ended.
bool Engine::State::recover_subscription(std::string_view key, std::string_view record) {
  RecordReader in{record};
  const std::uint64_t version = in.number();
  OwnSubscription own;
  own.list = ListId{in.number()};
  own.reader_id = ReaderId{in.number()};
  const std::uint64_t flags = in.number();
  own.group = in.text();
  own.data = in.text();
  own.volatile_when_active = (flags & kVolatileWhenActive) != 0;
  own.replaying = (flags & kReplaying) != 0;
  if (version != kRecordVersion || !in.complete()) return false;
  const auto parsed = parse_own_key(key);
  if (!parsed) return false;
  last_session_generation = std::max(last_session_generation, parsed->generation);
  Reader* reader = find_reader(own.list, own.reader_id);
  Session* session = session_of(parsed->client_id, parsed->generation);
  if (session == nullptr) {
    if (reader != nullptr && own.group.empty()) remove_reader(reader->list, *reader);
    return false;
  }
  if (reader == nullptr || (reader->group == nullptr) != own.group.empty()) return false;
  own.reader = reader;
  reader->volatile_when_active = own.volatile_when_active;
  if (own.group.empty()) {
    reader->session = session;
  } else {
    ++reader->group->members;
  }
  std::string name(parsed->rest);
  session->attachment_bytes += own_bytes(name, own);
  session->subscriptions.emplace(std::move(name), std::move(own));
  return true;
}

std::vector<SessionSnapshot> Engine::State::sessions_after(std::string_view after,
                                                           std::size_t limit) const {
  std::vector<SessionSnapshot> views;
  for (auto at = sessions.upper_bound(after); at != sessions.end() && views.size() < limit; ++at) {
    const Session& session = *at->second;
    SessionSnapshot view;
    view.client_id = session.client_id;
    view.connected = session.connected();
    view.keep = session.keep;
    if (!view.connected && session.keep && session.ended != TimePoint{}) {
      view.ends_at = session.ended + *session.keep;
    }
    if (session.will_waits) view.will_at = session.ended + session.will->delay;
    view.subscriptions = session.subscriptions.size();
    view.attachments = session.attachments.size();
    view.attachment_bytes = session.attachment_bytes;
    views.push_back(std::move(view));
  }
  return views;
}

}  // namespace pabal::core
