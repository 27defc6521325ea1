#include <algorithm>
#include <charconv>
#include <utility>

#include "core/engine_state.h"
#include "core/record.h"

// Sessions: how they begin, resume, end and come back after a start, and their wills. session.h has
// the map; what adaptors keep in them is in engine_session_parts.cc.

namespace pabal::core {
namespace {

constexpr std::string_view kRecordPrefix = "session/";
constexpr std::string_view kPartPrefix = "session.part/";
constexpr std::string_view kSubscriptionPrefix = "session.subscription/";
constexpr std::string_view kPinPrefix = "session.pin/";
constexpr std::string_view kWillPrefix = "session.will/";
constexpr std::uint64_t kRecordVersion = 1;
constexpr std::size_t kOriginsMax = 64;
constexpr std::size_t kOperationsAtOnce = 256;
constexpr milliseconds kRetry{1000};  // of a will that found no room

// Flags of a record.
constexpr std::uint64_t kConnected = 1;
constexpr std::uint64_t kHasKeep = 2;
constexpr std::uint64_t kHasWill = 4;

void encode_will(std::string& out, const Will& will) {
  put(out, static_cast<std::uint64_t>(will.delay.count()));
  put(out, static_cast<std::uint64_t>(will.time_to_live.count()));
  const auto flat = will.message->flat();
  put(out, std::string_view(reinterpret_cast<const char*>(flat.data()), flat.size()));
}

std::shared_ptr<const Will> decode_will(RecordReader& in) {
  auto will = std::make_shared<Will>();
  will->delay = seconds(static_cast<std::int64_t>(in.number()));
  will->time_to_live = milliseconds(static_cast<std::int64_t>(in.number()));
  const std::string flat = in.text();
  auto message = Message::from_flat(std::as_bytes(std::span(flat)));
  if (!message || !in.good) {
    in.good = false;
    return nullptr;
  }
  will->message = std::move(*message);
  return will;
}

TimePoint later(TimePoint from, seconds by) {
  // Far enough for everybody, and near enough not to overflow.
  constexpr seconds kFar{200LL * 366 * 24 * 3600};
  return from + std::min(by, kFar);
}

TimePoint end_of(const Session& session) {
  return session.keep && !session.connected() ? later(session.ended, *session.keep)
                                              : TimePoint::max();
}

TimePoint will_time_of(const Session& session) {
  return session.will_waits ? later(session.ended, session.will->delay) : TimePoint::max();
}

}  // namespace

StoreOp Engine::State::attachment_step(StoreOpKind kind, std::string key, std::string value) {
  StoreOp operation;
  operation.kind = kind;
  operation.detail = std::make_unique<StoreOpDetail>();
  operation.detail->key = std::move(key);
  operation.detail->value = std::move(value);
  return operation;
}

// --- the record ----------------------------------------------------------------------------------

StoreOp Engine::State::session_record(const Session& session) {
  std::uint64_t flags = 0;
  if (session.connected()) flags |= kConnected;
  if (session.keep) flags |= kHasKeep;
  if (session.will) flags |= kHasWill;
  std::string out;
  put(out, kRecordVersion);
  put(out, session.generation);
  put(out, flags);
  if (session.keep) put(out, static_cast<std::uint64_t>(session.keep->count()));
  put(out, static_cast<std::uint64_t>(to_millis(session.ended)));
  put(out, std::uint64_t{session.origins.size()});
  for (const auto origin : session.origins) put(out, origin);
  if (session.will) encode_will(out, *session.will);
  return attachment_step(StoreOpKind::put_attachment,
                         std::string(kRecordPrefix) + session.client_id, std::move(out));
}

StoreOp Engine::State::no_session_record(const Session& session) {
  return attachment_step(StoreOpKind::delete_attachment,
                         std::string(kRecordPrefix) + session.client_id, {});
}

Ticket Engine::State::append_all(std::vector<StoreOp>& operations) {
  if (operations.empty()) return kNoTicket;
  flush_acks();
  return store.append(operations);
}

Ticket Engine::State::store_session(Session& session) {
  if (!session.stored) return kNoTicket;
  std::vector<StoreOp> operations;
  operations.push_back(session_record(session));
  return append_all(operations);
}

// --- beginning -----------------------------------------------------------------------------------

/// Errors: quota_exceeded, invalid_argument (the will).
Result<void> Engine::State::admit_session(const ConnectOptions& options) const {
  const bool known = !options.client_id.empty() && sessions.contains(options.client_id);
  if (!known && sessions.size() >= limits.sessions_max) {
    return Error{Errc::quota_exceeded,
                 "sessions_max: there are " + std::to_string(sessions.size()) + " sessions"};
  }
  const auto& will = options.session->will;
  if (will && !will->message) return Error{Errc::invalid_argument, "a will without a message"};
  if (will && will->message->flat().size() > limits.will_bytes_max) {
    return Error{Errc::quota_exceeded, "will_bytes_max: the will has " +
                                           std::to_string(will->message->flat().size()) + " bytes"};
  }
  if (will && may_be_advisory(*will->message)) {
    return Error{Errc::bad_destination, "advisories are the broker's"};
  }
  return {};
}

void Engine::State::grant_keep(Session& session, std::optional<seconds> wanted,
                               bool configured) const {
  session.keep = wanted;
  if (wanted && wanted->count() < 0) session.keep = seconds{0};
  if (configured) return;
  const seconds most = limits.session_keep_max;
  if (most.count() > 0 && (!session.keep || *session.keep > most)) session.keep = most;
}

void Engine::State::begin_session(Connection& connection, ConnectionDetails& details) {
  const SessionRequest& wanted = *connection.options.session;
  if (const auto known = sessions.find(connection.client_id);
      known != sessions.end() && wanted.fresh) {
    end_session(*known->second);
  }
  auto [at, is_new] = sessions.try_emplace(connection.client_id);
  if (is_new) {
    at->second = std::make_unique<Session>(connection.client_id, ++last_session_generation);
  }
  Session& session = *at->second;
  session.connection = connection.id;
  grant_keep(session, wanted.keep, wanted.configured);
  session.companion = wanted.companion;
  session.will = wanted.will;
  if (session.will != nullptr && settings.populate_user_id) {
    auto named = std::make_shared<Will>(*session.will);
    name_sender(named->message, connection.options.user);
    session.will = std::move(named);
  }
  session.will_waits = false;  // it came back in time
  if (session.origins.size() >= kOriginsMax) session.origins.erase(session.origins.begin());
  session.origins.push_back(connection.origin);
  connection.session = &session;
  ++sessions_connected;
  plan_session(session);
  if (!session.ends_with_connection()) session.parts_stored = true;
  session.stored = session.stored || session.parts_stored || session.will != nullptr;
  details.session_present = !is_new;
  details.keep = session.keep;
  details.after = store_session(session);
}

// --- ending --------------------------------------------------------------------------------------

void Engine::State::leave_session(Connection& connection, const DisconnectOptions& how) {
  Session& session = *connection.session;
  connection.session = nullptr;
  --sessions_connected;
  session.connection = ConnectionId{};
  session.companion.reset();
  session.ended = now;
  if (how.keep) grant_keep(session, *how.keep, false);
  if (how.how == Leaving::orderly) session.will.reset();
  session.will_waits = session.will != nullptr;
  if (session.ends_with_connection()) return end_session(session);
  if (!session.parts_stored) store_parts(session);
  session.stored = session.parts_stored = true;
  if (session.will_waits && session.will->delay.count() <= 0) return send_will(session);
  store_session(session);
  plan_session(session);
}

/// Nobody is connected. A will that waited is sent; the rest goes in steps.
void Engine::State::end_session(Session& session) {
  plan_never(session);
  EndingSession ending;
  ending.client_id = session.client_id;
  ending.generation = session.generation;
  ending.parts_stored = session.parts_stored;
  for (auto& [name, own] : session.subscriptions) {
    ending.subscriptions.emplace_back(name, own.reader_id);
    if (own.reader == nullptr) continue;
    if (own.group.empty()) {
      own.reader->session = nullptr;
      own.reader->ended = true;
    }
  }
  drop_pins(session);
  for (auto& [key, value] : session.attachments) ending.attachments.push_back(key);
  std::vector<StoreOp> operations;
  if (session.stored) operations.push_back(no_session_record(session));
  const auto will = session.will_waits ? session.will : nullptr;
  const std::string client_id = session.client_id;
  sessions.erase(client_id);
  if (!ending.subscriptions.empty() || (ending.parts_stored && !ending.attachments.empty())) {
    ending_sessions.push_back(std::move(ending));
  }
  if (will) {
    publish_will(will, client_id, operations);
  } else {
    append_all(operations);
  }
}

/// Clears away what is left of sessions that have ended.
void Engine::State::clear_ended_sessions(std::uint32_t& steps) {
  while (!ending_sessions.empty() && steps > 0) {
    EndingSession& ending = ending_sessions.front();
    if (!ending.subscriptions.empty()) {
      --steps;
      const auto [name, id] = std::move(ending.subscriptions.back());
      ending.subscriptions.pop_back();
      end_own_subscription(ending, name, id);
      continue;
    }
    std::vector<StoreOp> operations;
    while (ending.parts_stored && !ending.attachments.empty() && steps > 0 &&
           operations.size() < kOperationsAtOnce) {
      --steps;
      operations.push_back(attachment_step(
          StoreOpKind::delete_attachment,
          part_key(ending.generation, ending.client_id, ending.attachments.back()), {}));
      ending.attachments.pop_back();
    }
    append_all(operations);
    if (!ending.parts_stored || ending.attachments.empty()) ending_sessions.pop_front();
  }
}

void Engine::State::end_own_subscription(const EndingSession& ending, const std::string& name,
                                         ReaderId id) {
  std::vector<StoreOp> gone;
  if (ending.parts_stored) {
    gone.push_back(attachment_step(StoreOpKind::delete_attachment,
                                   subscription_key(ending.generation, ending.client_id, name),
                                   {}));
  }
  if (const auto shared = shared_readers.find(id); shared != shared_readers.end()) {
    append_all(gone);
    return leave_group(*shared->second, false);
  }
  const auto known = durables.find(std::pair(ending.client_id, name));
  if (known == durables.end() || known->second->id != id || !known->second->ended) {
    append_all(gone);
    return;
  }
  Reader& reader = *known->second;
  if (reader.locked > 0 || reader.active()) {  // an XA branch holds some of it: it stays a durable
    reader.ended = false;
    append_all(gone);
    return;
  }
  remove_reader(reader.list, reader, std::move(gone));
}

// --- wills ---------------------------------------------------------------------------------------

/// The will of a lost connection whose session goes on.
void Engine::State::send_will(Session& session) {
  const auto will = std::exchange(session.will, nullptr);
  session.will_waits = false;
  std::vector<StoreOp> operations;
  if (session.stored) operations.push_back(session_record(session));
  plan_session(session);
  publish_will(will, session.client_id, operations);
}

/// `operations` take effect with it.
void Engine::State::publish_will(const std::shared_ptr<const Will>& will,
                                 const std::string& client_id, std::vector<StoreOp>& operations) {
  switch (try_will(*will, operations)) {
    case WillFate::sent:
      return;
    case WillFate::refused:
      append_all(operations);
      return;
    case WillFate::later:
      break;
  }
  if (due_wills.size() >= limits.sessions_max) {
    ++wills_dropped;
    append_all(operations);
    return;
  }
  DueWill due{will, std::string(kWillPrefix) + std::to_string(++last_due_will), client_id};
  std::string record;
  put(record, kRecordVersion);
  put(record, client_id);
  encode_will(record, *will);
  operations.push_back(attachment_step(StoreOpKind::put_attachment, due.key, std::move(record)));
  append_all(operations);
  due_wills.push_back(std::move(due));
  wake_at(Timer::sessions, now + kRetry);
}

/// As from the broker itself.
void Engine::State::sign(MessageBuilder& message) {
  message.origin = store.epoch() << 32;
  message.sequence = ++broker_sequence;
  message.timestamp = to_millis(now);
}

Result<void> Engine::State::announce(MessageBuilder& builder) {
  sign(builder);
  auto message = builder.build();
  if (!message) return message.error();
  Send send;
  send.message = std::move(*message);
  const auto outcome = try_send(send, nullptr);
  if (!outcome) return Error{Errc::quota_exceeded, "there is no room for it"};
  if (outcome->disposition == Disposition::failed) return *outcome->error;
  return {};
}

Engine::State::WillFate Engine::State::try_will(const Will& will,
                                                std::vector<StoreOp>& operations) {
  MessageBuilder builder(*will.message);
  sign(builder);
  builder.expiration = will.time_to_live.count() > 0 ? to_millis(now + will.time_to_live) : 0;
  auto message = builder.build();
  if (!message) return WillFate::refused;
  Send send;
  send.message = std::move(*message);
  send.along = &operations;
  const auto outcome = try_send(send, nullptr);
  if (outcome && outcome->disposition == Disposition::done) {
    ++wills_sent;
    return WillFate::sent;
  }
  if (!outcome) return WillFate::later;
  const Errc code = outcome->error->code;
  return code == Errc::quota_exceeded || code == Errc::store_full ? WillFate::later
                                                                  : WillFate::refused;
}

/// One that finds no room stands behind the others from then on: they may go elsewhere.
void Engine::State::retry_wills(std::uint32_t& steps) {
  if (due_wills.empty() || (wills_tried == 0 && now < wills_again)) return;
  while (wills_tried < due_wills.size()) {
    if (steps == 0) {
      sessions_due = true;
      return;
    }
    --steps;
    DueWill due = std::move(due_wills.front());
    due_wills.pop_front();
    std::vector<StoreOp> operations;
    operations.push_back(attachment_step(StoreOpKind::delete_attachment, due.key, {}));
    const auto fate = try_will(*due.will, operations);
    if (fate == WillFate::later) {
      due_wills.push_back(std::move(due));
      ++wills_tried;
    } else if (fate == WillFate::refused) {
      append_all(operations);
    }
  }
  wills_tried = 0;
  if (due_wills.empty()) return;
  wills_again = now + kRetry;
  wake_at(Timer::sessions, wills_again);
}

// --- time ----------------------------------------------------------------------------------------

void Engine::State::plan_never(Session& session) {
  if (session.planned == TimePoint::max()) return;
  session_times.erase({session.planned, session.client_id});
  session.planned = TimePoint::max();
}

void Engine::State::plan_session(Session& session) {
  plan_never(session);
  if (session.ended == TimePoint{} && !session.connected()) return;  // settle_recovered_sessions()
  const TimePoint next = std::min(end_of(session), will_time_of(session));
  if (next == TimePoint::max()) return;
  session.planned = next;
  session_times.emplace(next, session.client_id);
  wake_at(Timer::sessions, next);
}

void Engine::State::advance_sessions(std::uint32_t& steps) {
  sessions_due = false;
  while (!session_times.empty() && session_times.begin()->first <= now) {
    if (steps == 0) {
      sessions_due = true;
      return;
    }
    --steps;
    Session& session = *sessions.find(session_times.begin()->second)->second;
    if (end_of(session) <= now) {
      end_session(session);
    } else {
      send_will(session);
    }
  }
  if (!session_times.empty()) wake_at(Timer::sessions, session_times.begin()->first);
  retry_wills(steps);
  clear_ended_sessions(steps);
}

/// At the first time that is known after a start: who was connected when the process ended has lost
/// the connection now.
void Engine::State::settle_recovered_sessions() {
  for (const auto& id : std::exchange(sessions_to_settle, {})) {
    const auto at = sessions.find(id);
    if (at == sessions.end() || at->second->ended != TimePoint{} || at->second->connected()) {
      continue;
    }
    Session& session = *at->second;
    session.ended = now;
    session.will_waits = session.will != nullptr;
    if (session.ends_with_connection()) {
      end_session(session);
    } else if (session.will_waits && session.will->delay.count() <= 0) {
      send_will(session);
    } else {
      store_session(session);
      plan_session(session);
    }
  }
  if (!due_wills.empty()) wake_at(Timer::sessions, now);
}

// --- after a start -------------------------------------------------------------------------------

/// When lists and readers are there. What is nobody's any more goes.
void Engine::State::recover_sessions(
    const std::vector<std::pair<std::string, std::string>>& attachments) {
  for (const auto& [key, value] : attachments) {
    if (key.starts_with(kRecordPrefix)) recover_session(key.substr(kRecordPrefix.size()), value);
  }
  std::vector<StoreOp> gone;
  for (const auto& [key, value] : attachments) {
    bool kept = true;
    if (key.starts_with(kPartPrefix)) {
      kept = recover_part(std::string_view(key).substr(kPartPrefix.size()), value);
    } else if (key.starts_with(kSubscriptionPrefix)) {
      kept = recover_subscription(std::string_view(key).substr(kSubscriptionPrefix.size()), value);
    } else if (key.starts_with(kPinPrefix)) {
      kept = recover_pin(std::string_view(key).substr(kPinPrefix.size()), value);
    } else if (key.starts_with(kWillPrefix)) {
      kept = recover_will(key, value);
    }
    if (!kept) gone.push_back(attachment_step(StoreOpKind::delete_attachment, key, {}));
  }
  append_all(gone);
  end_deserted_groups();
}

void Engine::State::recover_session(std::string client_id, std::string_view record) {
  RecordReader in{record};
  const std::uint64_t version = in.number();
  const std::uint64_t generation = in.number();
  const std::uint64_t flags = in.number();
  auto session = std::make_unique<Session>(client_id, generation);
  last_session_generation = std::max(last_session_generation, generation);
  if ((flags & kHasKeep) != 0) session->keep = seconds(static_cast<std::int64_t>(in.number()));
  const TimePoint ended = from_millis(static_cast<std::int64_t>(in.number()));
  for (std::uint64_t count = in.number(); in.good && count > 0; --count) {
    session->origins.push_back(in.number());
  }
  if ((flags & kHasWill) != 0) session->will = decode_will(in);
  // A record that makes no sense is of another version: its session cannot be had.
  if (version != kRecordVersion || !in.complete()) return;
  session->stored = session->parts_stored = true;
  if ((flags & kConnected) != 0) {
    sessions_to_settle.push_back(client_id);
  } else {
    session->ended = ended;
    session->will_waits = session->will != nullptr;
    plan_session(*session);
  }
  const std::string key = session->client_id;
  sessions.insert_or_assign(key, std::move(session));
}

bool Engine::State::recover_will(const std::string& key, std::string_view record) {
  RecordReader in{record};
  const std::uint64_t version = in.number();
  DueWill due;
  due.key = key;
  due.client_id = in.text();
  due.will = decode_will(in);
  std::uint64_t number = 0;
  std::from_chars(key.data() + kWillPrefix.size(), key.data() + key.size(), number);
  last_due_will = std::max(last_due_will, number);
  if (version != kRecordVersion || !in.complete()) return false;
  due_wills.push_back(std::move(due));
  return true;
}

}  // namespace pabal::core
