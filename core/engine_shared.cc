#include <algorithm>
#include <charconv>
#include <utility>

#include "core/engine_state.h"
#include "core/record.h"

// Shared subscriptions (MQTT 5.0 §4.8.2, JMS 2.0 §8.3.3): one reader of a topic pattern with
// several consumers at once, which get its messages by turns, as those of a queue do. It is found
// by group and pattern, and lives as long as a session has it among its subscriptions, connected or
// not, or a consumer without a session is there.
//
// If all its sessions end with their connections, its list is not stored, like that of a temporary
// queue. When one comes that is kept, a stored one takes the place: new messages go there, and the
// old list, which gets no more, goes when it is empty, or when nobody has the subscription any
// more; who comes until then consumes from both.
//
// A delivery can be pinned: it has begun with one session and must not go to another (QoS 2). When
// the session's connection ends it goes back to nobody; it waits for the session, by its number,
// over restarts too, and ends with it.

namespace pabal::core {
namespace {

constexpr std::size_t kPinsAtOnce = 64;
constexpr std::uint64_t kPageBytesMax = 1ULL << 20;

}  // namespace

// --- groups --------------------------------------------------------------------------------------

/// Errors: invalid_argument.
Result<void> Engine::State::check_shared(const SubscribeOptions& options) {
  const Interest& interest = options.interests.front();
  if (options.interests.size() != 1 || interest.destination.kind != DestinationKind::topic) {
    return Error{Errc::invalid_argument, "a shared subscription has exactly one topic"};
  }
  if (interest.no_local) {
    return Error{Errc::invalid_argument, "a shared subscription takes what its members send"};
  }
  if (is_advisory_topic(interest.destination.kind, interest.destination.name)) {
    return Error{Errc::not_supported, "advisories are kept for nobody, and shared by nobody"};
  }
  return {};
}

/// The reader of the group, made if it is new. What makes it is added to `operations`. Errors:
/// in_use (with another selector).
Result<Reader*> Engine::State::shared_reader(const Connection& connection,
                                             const SubscribeOptions& options,
                                             std::vector<StoreOp>& operations) {
  const Interest& interest = options.interests.front();
  const bool kept = connection.session != nullptr && !connection.session->ends_with_connection();
  const auto key = std::pair(options.shared_group, interest.destination.name);
  const auto known = shared.find(key);
  if (known == shared.end()) {
    return &make_group(key.first, key.second, interest.selector, kept, operations);
  }
  Reader& reader = *known->second;
  if (reader.description.selector != interest.selector) {
    return Error{Errc::in_use, "the shared subscription " + key.first + " of " + key.second +
                                   " has another selector"};
  }
  if (kept && !reader.list.stored) return &store_group(reader, operations);
  return &reader;
}

Reader& Engine::State::make_group(const std::string& group, const std::string& pattern,
                                  const std::string& selector, bool stored,
                                  std::vector<StoreOp>& operations) {
  MessageList& list = stored ? topic_list(pattern) : volatile_list(pattern);
  Reader& reader = add_reader(list, ReaderId{++last_reader});
  reader.description = {reader.id, list.id, {}, group, selector, false};
  take_group(reader);
  if (stored) operations.push_back(creation_of(reader));
  return reader;
}

/// A list that is for one reader alone, and not in the store.
MessageList& Engine::State::volatile_list(const std::string& pattern) {
  auto list = std::make_unique<MessageList>(ListId{++last_list},
                                            Destination{DestinationKind::topic, pattern}, false);
  ++volatile_lists;
  return add_list(std::move(list));
}

StoreOp Engine::State::creation_of(const Reader& reader) {
  StoreOp operation;
  operation.kind = StoreOpKind::create_reader;
  operation.list = reader.list.id;
  operation.reader = reader.id;
  operation.detail = std::make_unique<StoreOpDetail>();
  operation.detail->reader = reader.description;
  return operation;
}

/// Of a reader whose description says that it is one: it has no client.
void Engine::State::take_group(Reader& reader) {
  reader.group = std::make_unique<SharedGroup>();
  shared[{reader.description.name, reader.list.destination.name}] = &reader;
  shared_readers[reader.id] = &reader;
}

/// A stored group takes the place of one that is not; its consumers consume from both.
Reader& Engine::State::store_group(Reader& old, std::vector<StoreOp>& operations) {
  Reader& made = make_group(old.description.name, old.list.destination.name,
                            old.description.selector, true, operations);
  made.front.selector = old.front.selector;
  patterns.erase(old.list.destination.name, TopicTarget{nullptr, &old.list});
  old.group->successor = made.id;
  made.group->predecessor = old.id;
  for (const auto& link : std::vector<ConsumerLink>(old.front.consumers)) {
    attach(*link.subscription, made);
    OwnSubscription* own = own_of(*link.subscription);
    if (own == nullptr || own->reader != &old) continue;
    own->reader = &made;
    own->list = made.list.id;
    own->reader_id = made.id;
    --old.group->members;
    ++made.group->members;
  }
  groups_to_end.push_back(old.id);
  return made;
}

/// One member less.
void Engine::State::leave_group(Reader& reader, bool may_stay) {
  if (reader.group->members > 0) --reader.group->members;
  if (may_stay || !is_deserted(reader)) {
    groups_to_end.push_back(reader.id);
    return;
  }
  remove_reader(reader.list, reader);
}

/// A replaced one waits, with what it has, for whoever has the stored one.
bool Engine::State::is_deserted(const Reader& reader) const {
  const ReaderId successor = reader.group->successor;
  if (successor == ReaderId{}) return reader.group->members == 0 && !reader.active();
  return reader.depth == 0 || (!reader.active() && !shared_readers.contains(successor));
}

/// Those that may have lost their last member, or, replaced, their last message.
void Engine::State::end_deserted_groups() {
  for (const auto id : std::exchange(groups_to_end, {})) {
    const auto at = shared_readers.find(id);
    if (at == shared_readers.end()) continue;
    Reader& reader = *at->second;
    if (is_deserted(reader)) {
      remove_reader(reader.list, reader);
    } else if (reader.group->successor != ReaderId{}) {
      groups_to_end.push_back(id);
    }
  }
}

/// The session of a connection has the subscription no more; its consumer has gone before. Errors:
/// not_found, in_use.
Result<Ticket> Engine::State::forget_subscription(ConnectionId id, const std::string& name) {
  auto* connection = connections.find(id);
  Session* session = connection == nullptr ? nullptr : connection->session;
  if (session == nullptr) return Error{Errc::not_found, "the connection has no session"};
  const auto known = session->subscriptions.find(name);
  if (known == session->subscriptions.end() || known->second.reader == nullptr) {
    return Error{Errc::not_found, "the session has no subscription " + name};
  }
  Reader& reader = *known->second.reader;
  if (known->second.group.empty()) {
    if (reader.active()) return Error{Errc::in_use, "Durable consumer is in use"};
    if (reader.locked > 0) {
      return Error{Errc::in_use, "a prepared XA transaction holds messages of the subscription"};
    }
    remove_reader(reader.list, reader);
    return store.submitted();
  }
  std::vector<StoreOp> operations;
  session->attachment_bytes -= name.size() + known->second.data.size() + known->second.group.size();
  if (session->parts_stored) {
    operations.push_back(
        attachment_step(StoreOpKind::delete_attachment,
                        subscription_key(session->generation, session->client_id, name), {}));
  }
  session->subscriptions.erase(known);
  append_all(operations);
  drop_pins(*session, reader.id);
  leave_group(reader, false);
  return store.submitted();
}

// --- pins ----------------------------------------------------------------------------------------

/// Errors: not_found (the delivery is not out), bad_state (not of a shared subscription).
Result<Ticket> Engine::State::pin(SubscriptionId id, DeliveryId delivery_id) {
  auto* subscription = subscriptions.find(id);
  if (subscription == nullptr) return Error{Errc::not_found, "no such subscription"};
  InFlight* delivery = nullptr;
  auto& in_flight = subscription->in_flight;
  for (std::size_t i = 0; i < in_flight.size() && delivery == nullptr; ++i) {
    if (in_flight[i].id == delivery_id) delivery = &in_flight[i];
  }
  if (delivery == nullptr || delivery->state != InFlight::State::out) {
    return Error{Errc::not_found, "the delivery is not out"};
  }
  Session* session = subscription->connection.session;
  if (session == nullptr || delivery->reader == nullptr || delivery->reader->group == nullptr) {
    return Error{Errc::bad_state, "only a session's delivery of a shared subscription is pinned"};
  }
  if (std::exchange(delivery->pinned, true)) return store.submitted();
  Reader& reader = *delivery->reader;
  const PinKey key{reader.id, delivery->priority, delivery->entry.sequence};
  const Pin pinned{reader.list.id, delivery->entry.message->flat().size()};
  session->pins[key] = pinned;
  ++subscription->pinned;
  if (!session->parts_stored || delivery->entry.is_volatile) return kNoTicket;
  std::string record;
  put(record, raw(pinned.list));
  put(record, pinned.bytes);
  StoreOp operation =
      attachment_step(StoreOpKind::put_attachment, pin_key(*session, key), std::move(record));
  flush_acks();
  return store.append({&operation, 1});
}

/// A pinned delivery is settled, in `operations`.
void Engine::State::unpin(Subscription& subscription, InFlight& delivery,
                          std::vector<StoreOp>& operations) {
  delivery.pinned = false;
  --subscription.pinned;
  Session* session = subscription.connection.session;
  if (session == nullptr || delivery.reader == nullptr) return;
  const PinKey key{delivery.reader->id, delivery.priority, delivery.entry.sequence};
  if (session->pins.erase(key) == 0 || !session->parts_stored) return;
  operations.push_back(attachment_step(StoreOpKind::delete_attachment, pin_key(*session, key), {}));
}

/// Its subscription ends; true: it waits for its session, by its number.
bool Engine::State::keep_pinned(Subscription& subscription, InFlight& delivery) {
  if (!delivery.pinned || delivery.reader == nullptr) return false;
  delivery.pinned = false;
  --subscription.pinned;
  Reader& reader = *delivery.reader;
  Session* session = subscription.connection.session;
  if (session == nullptr || delivery.entry.is_volatile) return false;
  drop_message(delivery);
  reader.lane(delivery.priority).taken_ahead.insert(delivery.entry.sequence);
  delivery_done(subscription, delivery);
  return true;
}

/// The session ends, or leaves the group: what is pinned for it goes to nobody.
void Engine::State::drop_pins(Session& session, std::optional<ReaderId> only) {
  std::vector<StoreOp> operations;
  for (auto at = session.pins.begin(); at != session.pins.end();) {
    if (only && at->first.reader != *only) {
      ++at;
      continue;
    }
    const auto& [key, pinned] = *at;
    if (Reader* reader = find_reader(pinned.list, key.reader)) {
      --reader->in_flight;
      discard_pinned(*reader, key, pinned, operations);
    }
    if (session.parts_stored) {
      operations.push_back(
          attachment_step(StoreOpKind::delete_attachment, pin_key(session, key), {}));
    }
    at = session.pins.erase(at);
  }
  append_all(operations);
}

void Engine::State::discard_pinned(Reader& reader, const PinKey& key, const Pin& pinned,
                                   std::vector<StoreOp>& operations) {
  --reader.depth;
  reader.depth_bytes -= pinned.bytes;
  ++reader.list.counters.dequeued;
  ++totals.dequeued;
  forget_ahead(reader, key.priority, key.sequence);
  StoreOp operation;
  operation.kind = StoreOpKind::acknowledge;
  operation.priority = key.priority;
  operation.list = reader.list.id;
  operation.reader = reader.id;
  operation.first = operation.last = key.sequence;
  operations.push_back(std::move(operation));
}

/// A member has come back: what is pinned for its session is its own again.
void Engine::State::begin_recall(Subscription& subscription) {
  const Session* session = subscription.connection.session;
  if (session == nullptr) return;
  for (const auto& [key, pinned] : session->pins) {
    for (const auto* scan : subscription.scans) {
      if (scan->reader.id == key.reader) subscription.pins_to_recall.push_back(key);
    }
  }
  recall_pins(subscription);
}

/// Reads it back, some at a time.
void Engine::State::recall_pins(Subscription& subscription) {
  Session* session = subscription.connection.session;
  if (session == nullptr || subscription.pins_asked > 0) return;
  auto& keys = subscription.pins_to_recall;
  while (!keys.empty() && subscription.pins_asked < kPinsAtOnce) {
    const PinKey key = keys.front();
    keys.pop_front();
    const auto pinned = session->pins.find(key);
    if (pinned == session->pins.end()) continue;
    PageRequest request;
    request.id = ++last_page;
    request.list = pinned->second.list;
    request.reader = key.reader;
    request.priority = key.priority;
    request.first = key.sequence;
    request.end = key.sequence + 1;
    request.entries_max = 1;
    request.bytes_max = kPageBytesMax;
    flush_acks();
    request.after = store.submitted();
    pins_asked.emplace(request.id, std::pair(subscription.id, key));
    ++subscription.pins_asked;
    store.read(request);
  }
}

bool Engine::State::take_pinned_page(Page& page) {
  const auto asked = pins_asked.find(page.request);
  if (asked == pins_asked.end()) return false;
  const auto [id, key] = asked->second;
  pins_asked.erase(asked);
  auto* subscription = subscriptions.find(id);
  if (subscription == nullptr) return true;
  --subscription->pins_asked;
  Session* session = subscription->connection.session;
  if (session == nullptr || page.error || page.entries.empty() || !session->pins.contains(key)) {
    mark_ready(*subscription);
    return true;
  }
  Entry entry;
  entry.sequence = key.sequence;
  entry.message = std::move(page.entries[0].message);
  entry.deliveries = page.entries[0].deliveries;
  entry.refusals = static_cast<std::uint16_t>(page.entries[0].refusals);
  entry.maybe_delivered = true;
  subscription->recalled_pins.emplace(key, std::move(entry));
  mark_ready(*subscription);
  return true;
}

/// Delivers what is pinned for it; false: it waits for credit, or its next turn.
bool Engine::State::deliver_pinned(Subscription& subscription, std::uint32_t& steps) {
  auto& waiting = subscription.recalled_pins;
  while (!waiting.empty() && subscription.has_credit() && connection_takes(subscription)) {
    if (steps == 0) {
      mark_ready(subscription);
      return false;
    }
    --steps;
    auto next = waiting.extract(waiting.begin());
    const PinKey key = next.key();
    const auto scan = std::find_if(subscription.scans.begin(), subscription.scans.end(),
                                   [&](const Scan* each) { return each->reader.id == key.reader; });
    if (scan == subscription.scans.end()) continue;
    Reader& reader = (*scan)->reader;
    reader.list.stored_out_bytes += next.mapped().message->footprint();
    deliver(subscription, &reader, key.priority, std::move(next.mapped()));
    subscription.in_flight.back().pinned = true;
    ++subscription.pinned;
  }
  if (!waiting.empty()) return false;
  recall_pins(subscription);
  return true;
}

/// False: it is nobody's any more.
bool Engine::State::recover_pin(std::string_view key, std::string_view record) {
  const auto slash = key.rfind('/');
  RecordReader in{record};
  Pin pinned;
  pinned.list = ListId{in.number()};
  pinned.bytes = in.number();
  PinKey place;
  std::uint64_t reader_id = 0;
  const char* at = key.data() + (slash == std::string_view::npos ? key.size() : slash + 1);
  const char* const end = key.data() + key.size();
  const auto number = [&](auto& value) {
    const auto read = std::from_chars(at, end, value);
    in.good = in.good && read.ec == std::errc{};
    at = read.ptr == end ? end : read.ptr + 1;
  };
  number(reader_id);
  number(place.priority);
  number(place.sequence);
  place.reader = ReaderId{reader_id};
  if (!in.complete() || place.priority >= kPriorities) return false;
  Reader* reader = find_reader(pinned.list, place.reader);
  if (reader == nullptr || reader->group == nullptr) return false;
  const auto& lane = reader->list.lanes[place.priority];
  if (!lane || place.sequence >= lane->next_sequence) return false;
  Session* session = owner_of(key);
  if (session == nullptr) {  // it has ended, and so has this
    std::vector<StoreOp> operations;
    discard_pinned(*reader, place, pinned, operations);
    append_all(operations);
    return false;
  }
  ++reader->in_flight;
  reader->lane(place.priority).taken_ahead.insert(place.sequence);
  session->pins.emplace(place, pinned);
  return true;
}

}  // namespace pabal::core
