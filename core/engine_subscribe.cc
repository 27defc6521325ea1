#include <algorithm>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "core/engine_state.h"

namespace pabal::core {
namespace {

/// Of the name of a list that several topics feed.
constexpr std::size_t kCompositeBytesMax = 64 * 1024;

/// What the list of a durable subscription is called: as its topic, or all of them. In which order
/// they are named, and how often, does not matter.
Destination durable_topic(const SubscribeOptions& options) {
  if (options.interests.size() == 1) return options.interests.front().destination;
  std::set<std::string_view> names;
  for (const auto& interest : options.interests) names.insert(interest.destination.name);
  Destination all{DestinationKind::topic, {}};
  for (const auto name : names) {
    if (!all.name.empty()) all.name += kCompositeSeparator;
    all.name += name;
  }
  return all;
}

}  // namespace

Result<void> Engine::State::check_subscribe(Connection& connection,
                                            const SubscribeOptions& options) {
  const auto& interests = options.interests;
  if (interests.empty() || interests.size() > limits.composite_targets_max) {
    return Error{Errc::invalid_argument, "composite_targets_max: a subscription has 1 to " +
                                             std::to_string(limits.composite_targets_max) +
                                             " destinations, not " +
                                             std::to_string(interests.size())};
  }
  if (connection.subscriptions.size() >= limits.subscriptions_per_connection_max) {
    return Error{Errc::quota_exceeded, "subscriptions_per_connection_max: the connection has " +
                                           std::to_string(connection.subscriptions.size()) +
                                           " subscriptions"};
  }
  const bool kept_alone = !options.shared_group.empty() || connection.session != nullptr;
  if (interests.size() > 1 && !options.durable_name.empty() && kept_alone) {
    return Error{Errc::not_supported, "a subscription of a session has exactly one destination"};
  }
  if (interests.size() > 1 && options.browser) {
    return Error{Errc::not_supported, "a browser takes one queue"};
  }
  for (const auto& interest : interests) {
    if (interest.selector != interests.front().selector ||
        interest.no_local != interests.front().no_local) {
      return Error{Errc::not_supported, "the destinations of a subscription share its selector"};
    }
    if (auto may = check_interest(connection, options, interest); !may) return may;
  }
  if (interests.size() > 1 && !options.durable_name.empty() &&
      durable_topic(options).name.size() > kCompositeBytesMax) {
    return Error{Errc::invalid_argument,
                 "the names of a durable subscription's topics are longer than " +
                     std::to_string(kCompositeBytesMax) + " bytes together"};
  }
  if (!options.shared_group.empty()) {
    if (auto may = check_shared(options); !may) return may;
  }
  if (connection.session != nullptr && !options.durable_name.empty()) {
    return check_own_subscription(*connection.session, options);
  }
  return {};
}

Result<void> Engine::State::check_interest(const Connection& connection,
                                           const SubscribeOptions& options,
                                           const Interest& interest) {
  const Destination& destination = interest.destination;
  if (auto valid = validate_destination_name(destination.name); !valid) return valid;
  if (is_temporary(destination.kind)) {
    const auto owned = std::find(connection.temporaries.begin(), connection.temporaries.end(),
                                 destination) != connection.temporaries.end();
    if (!owned) {
      return Error{Errc::bad_destination, "Cannot use destination " + destination.to_text() +
                                              ": it is not a temporary of this connection"};
    }
  }
  if (options.browser) return check_browser(options);
  if (options.durable_name.empty()) return {};
  if (is_queue(destination.kind)) {
    return Error{Errc::invalid_argument,
                 "Invalid Subscription: cannot durably subscribe to a Queue destination!"};
  }
  if (is_temporary(destination.kind)) {
    return Error{Errc::invalid_argument, "cannot durably subscribe to a temporary topic"};
  }
  if (is_advisory_topic(destination.kind, destination.name)) {
    return Error{Errc::not_supported, "advisories are kept for nobody: " + destination.to_text()};
  }
  if (connection.options.client_id.empty() && connection.session == nullptr) {
    return Error{Errc::invalid_argument, "a durable subscription needs a client id"};
  }
  return {};
}

Result<SubscriptionId> Engine::State::subscribe(ConnectionId id, const SubscribeOptions& options) {
  auto* connection = connections.find(id);
  if (connection == nullptr) return Error{Errc::not_found, "no such connection"};
  if (auto checked = check_subscribe(*connection, options); !checked) return checked.error();
  const Interest& interest = options.interests.front();
  std::shared_ptr<const Selector> selector;
  if (!interest.selector.empty()) {
    auto compiled = Selector::compile(interest.selector);
    if (!compiled) return compiled.error();
    selector = std::make_shared<const Selector>(std::move(*compiled));
  }

  // What can fail comes first; a queue that was made for it may stay without it.
  std::vector<Reader*> readers;
  if (options.has_reader()) {
    auto kept = kept_reader(*connection, options);
    if (!kept) return kept.error();
    if ((*kept)->group != nullptr) {
      const auto old = shared_readers.find((*kept)->group->predecessor);
      if (old != shared_readers.end()) readers.push_back(old->second);
    }
    readers.push_back(*kept);
    if (!(*kept)->front.selector) (*kept)->front.selector = selector;
  } else {
    for (const auto& each : options.interests) {
      const Destination& destination = each.destination;
      if (destination.kind == DestinationKind::queue && destination.is_pattern()) {
        if (auto made = make_wildcard_queue(destination); !made) return made.error();
      } else if (is_queue(destination.kind)) {
        auto list = queue_named(destination.name, destination.kind, true);
        if (!list) return list.error();
        readers.push_back(&(*list)->reader());
      }
    }
  }

  SubscribeOptions wanted = options;
  if (options.prefetch_is_default) {
    wanted.prefetch = policy_prefetch(options).value_or(options.prefetch);
  }
  auto& subscription = subscriptions.insert([&](SubscriptionId made) {
    return std::make_unique<Subscription>(made, *connection, std::move(wanted));
  });
  subscription.selector = std::move(selector);
  subscription.last_progress = now;
  subscription.number = options.number;
  if (subscription.number == ClientNumber{}) subscription.number = {1, ++connection->numbers_given};
  apply_policy(subscription);
  connection->subscriptions.push_back(subscription.id);
  begin_consuming(subscription, readers);
  advise_consumer(AdvisoryKind::consumer_started, subscription);
  return subscription.id;
}

std::optional<std::uint32_t> Engine::State::policy_prefetch(const SubscribeOptions& options) const {
  const Destination& destination = options.interests.front().destination;
  const auto policy = settings.policies.find(destination.kind, destination.name);
  const auto& prefetch = options.browser              ? policy->browser_prefetch
                         : is_queue(destination.kind) ? policy->queue_prefetch
                         : !options.has_reader()      ? policy->topic_prefetch
                                                      : policy->durable_prefetch;
  // A client that cannot ask for messages one by one would get none with 0.
  if (prefetch) return std::max(*prefetch, 1U);
  return std::nullopt;
}

/// The rest of subscribe(), which cannot fail.
void Engine::State::begin_consuming(Subscription& subscription,
                                    const std::vector<Reader*>& readers) {
  const SubscribeOptions& options = subscription.options;
  if (options.browser) {
    subscription.walk = std::make_unique<Walk>();
    subscription.walk->browser = &subscription;
    const auto begun = begin_walk(*subscription.walk, *readers.front());
    PABAL_CHECK(begun, "check_browser() counted the walks");
    mark_ready(subscription);
    return;
  }
  add_interests(subscription, readers);
  if (!options.has_reader()) remind(subscription);
  begin_hearing(subscription);
  if (!options.shared_group.empty()) {
    begin_recall(subscription);
    return;
  }
  const OwnSubscription* own = own_of(subscription);
  if (options.retained || (own != nullptr && own->replaying)) begin_replay(subscription);
}

/// Lets it consume: from `readers`, from all queues that its patterns match, from its topics.
void Engine::State::add_interests(Subscription& subscription, const std::vector<Reader*>& readers) {
  // Membership only: no order comes from these addresses.
  std::set<const Reader*> attached;
  const auto attach_once = [&](Reader& reader) {
    if (attached.insert(&reader).second) attach(subscription, reader);
  };
  for (auto* reader : readers) attach_once(*reader);
  if (subscription.options.has_reader()) return;
  bool has_queue_pattern = false;
  for (const auto& interest : subscription.options.interests) {
    const Destination& destination = interest.destination;
    if (!is_queue(destination.kind)) {
      auto& trie = is_temporary(destination.kind) ? temporary_patterns : patterns;
      trie.insert(destination.name, TopicTarget{&subscription, nullptr});
      topic_wanted(destination);
    } else if (destination.is_pattern()) {
      has_queue_pattern = true;
    }
  }
  if (!has_queue_pattern) return;
  queue_patterns.push_back(&subscription);
  for (const auto& [list_id, list] : lists) {
    if (list->destination.kind != DestinationKind::queue) continue;
    if (subscription.wants_queue(list->destination.name)) attach_once(list->reader());
  }
}

/// The reader of a durable or shared subscription. With a session, it is the session's from here
/// on.
Result<Reader*> Engine::State::kept_reader(Connection& connection,
                                           const SubscribeOptions& options) {
  std::vector<StoreOp> operations;
  auto reader = options.shared_group.empty() ? durable_reader(connection, options, operations)
                                             : shared_reader(connection, options, operations);
  if (!reader) return reader;
  if (options.shared_group.empty() || !(*reader)->active()) {
    // What was kept for it until now is not.
    const bool begins = options.volatile_when_active && !(*reader)->volatile_when_active;
    if (begins && !(*reader)->active()) drop_volatile(**reader);
    (*reader)->volatile_when_active = options.volatile_when_active;
  }
  if (connection.session != nullptr && !options.durable_name.empty()) {
    own_subscription(*connection.session, options, **reader, operations);
  }
  append_all(operations);
  return reader;
}

/// The reader of the durable subscription, made or replaced as JMS 1.1 §6.11.1 asks: another topic
/// or selector is another subscription under the same name.
Result<Reader*> Engine::State::durable_reader(Connection& connection,
                                              const SubscribeOptions& options,
                                              std::vector<StoreOp>& operations) {
  const Interest& interest = options.interests.front();
  const auto key = std::pair(connection.client_id, options.durable_name);
  const Destination wanted = durable_topic(options);
  // What a session wants to be sent of its own can change, and is not part of what it is.
  const bool no_local = interest.no_local && connection.session == nullptr;
  auto known = durables.find(key);
  if (known != durables.end() && known->second->ended && known->second->locked == 0 &&
      !known->second->active()) {
    remove_reader(known->second->list, *known->second);
    known = durables.end();
  }
  if (known != durables.end()) {
    Reader& reader = *known->second;
    if (reader.active()) {
      return Error{Errc::in_use, "Durable consumer is in use for client: " + key.first +
                                     " and subscriptionName: " + key.second};
    }
    if (reader.list.destination == wanted && reader.description.selector == interest.selector &&
        reader.description.no_local == no_local) {
      reader.ended = false;
      return &reader;
    }
    if (reader.locked > 0) {
      return Error{Errc::in_use,
                   "a prepared XA transaction holds messages of the durable subscription " +
                       key.second + " of client " + key.first};
    }
    remove_reader(reader.list, reader);
  }
  MessageList& list = topic_list(wanted.name);
  Reader& reader = add_reader(list, ReaderId{++last_reader});
  reader.description = {reader.id, list.id, key.first, key.second, interest.selector, no_local};
  durables[key] = &reader;
  operations.push_back(creation_of(reader));
  return &reader;
}

void Engine::State::attach(Subscription& subscription, Reader& reader) {
  if (!reader.active()) {
    if (reader.list.is_queue()) begin_warm_up(reader);
    if (reader.volatile_when_active) begin_volatile(reader);
  }
  Scan& scan = scan_for(subscription, reader);
  // Descending consumer priority, and first come first among equals.
  const auto rank = rank_of(reader, subscription);
  const auto before = std::find_if(scan.consumers.begin(), scan.consumers.end(),
                                   [&](const ConsumerLink& link) { return link.rank < rank; });
  const auto link = scan.consumers.insert(
      before, ConsumerLink{&subscription, false, rank, ++reader.arrivals, nullptr});
  if (reader.groups) add_member(scan, *link);
  subscription.scans.push_back(&scan);
  consumers_changed(reader);
  mark_ready(scan);
}

/// Consumers of a queue with the same selector share a scan. A new one begins where the front scan
/// is: what stands below that has been taken.
Scan& Engine::State::scan_for(const Subscription& subscription, Reader& reader) {
  const Selector* selector = subscription.selector.get();
  if (!reader.list.is_queue()) return reader.front;
  if (selector == nullptr && !reader.groups) return reader.front;
  for (const auto& scan : reader.selective) {
    if (!scan->is_shared()) continue;
    const Selector* other = scan->selector.get();
    if (other == selector) return *scan;
    if (other != nullptr && selector != nullptr && other->text() == selector->text()) return *scan;
  }
  reader.selective.push_back(std::make_unique<Scan>(reader));
  reader.selective.back()->selector = subscription.selector;
  return *reader.selective.back();
}

void Engine::State::detach(Subscription& subscription, Scan& from) {
  Scan& scan = from.is_shared() ? from : *from.member->shared;
  Reader& reader = scan.reader;
  const auto link =
      std::find_if(scan.consumers.begin(), scan.consumers.end(),
                   [&](const ConsumerLink& each) { return each.subscription == &subscription; });
  GroupMember* member = link->member;
  if (member != nullptr) leave_groups(reader, *member);
  scan.consumers.erase(link);
  std::erase(subscription.scans, &scan);
  std::erase(subscription.blocked, &scan);
  scan.next_consumer = 0;
  mark_ready(scan);
  if (!reader.active() && reader.volatile_when_active) drop_volatile(reader);
  if (!reader.active()) acknowledge_all_late(reader);
  if (!reader.active()) reader.idle_since = reader.list.last_used = now;
  if (!scan.active()) {
    if (scan.is_front()) {
      drop_pages(scan);
    } else {
      remove_scan(scan);
    }
  }
  if (member != nullptr) remove_member(reader, *member);
  if (!reader.active()) reader.warming_up = false;
  if (reader.group != nullptr && is_deserted(reader)) groups_to_end.push_back(reader.id);
  consumers_changed(reader);
}

/// With volatile_when_active: what stands there is not for the consumer that comes.
void Engine::State::begin_volatile(Reader& reader) {
  reader.has_foreign = true;
  for (int priority = 0; priority < kPriorities; ++priority) {
    const auto& lane = reader.list.lanes[static_cast<std::size_t>(priority)];
    if (lane) reader.lane(priority).volatile_from = lane->next_sequence;
  }
}

/// With volatile_when_active: what its last consumer has not taken, or gave back, goes.
void Engine::State::drop_volatile(Reader& reader) {
  MessageList& list = reader.list;
  drop_spilled(reader);
  const auto drop = [&](int priority, Entry& entry) {
    --reader.depth;
    reader.depth_bytes -= entry.message->flat().size();
    release_volatile(reader, priority, entry);
  };
  for (int priority = 0; priority < kPriorities; ++priority) {
    if (!list.lanes[static_cast<std::size_t>(priority)]) continue;
    auto& ring = list.lane(priority).volatile_entries;
    const auto own = std::max({reader.front.cursor(priority).next, list.lane(priority).ring_begin,
                               reader.lane(priority).volatile_from});
    for (auto at = lower_bound_sequence(ring, own); at < ring.size();) {
      Entry entry = ring[at];
      const auto size = ring.size();
      const bool taken = reader.lane(priority).taken_ahead.contains(entry.sequence);
      if (entry.message && !taken && wants(reader, *entry.message)) drop(priority, entry);
      at = ring.size() == size ? at + 1 : lower_bound_sequence(ring, entry.sequence + 1);
    }
  }
  for (auto at = reader.returned.begin(); at != reader.returned.end();) {
    if (!at->second.is_volatile) {
      ++at;
      continue;
    }
    drop(9 - at->first.first, at->second);
    at = reader.returned.erase(at);
  }
  std::vector<std::pair<int, std::uint64_t>> delayed_volatile;
  for (const auto& [key, waiting] : reader.delayed) {
    if (waiting.entry.is_volatile) delayed_volatile.push_back(key);
  }
  for (const auto& [place, sequence] : delayed_volatile) {
    auto entry = take_delayed(reader, 9 - place, sequence);
    if (entry && entry->message) drop(9 - place, *entry);
  }
}

/// What the subscription acknowledged in a transaction that outlasts it. A prepared branch needs
/// but the numbers of what is stored.
void Engine::State::keep_acknowledged(Subscription& subscription, Transaction& transaction) {
  Branch* prepared = transaction.branch;
  if (prepared != nullptr && prepared->state == BranchState::active) prepared = nullptr;
  for (auto& ack : transaction.acks) {
    if (ack.subscription != subscription.id) continue;
    InFlight* delivery = find_delivery(ack);
    if (delivery == nullptr) continue;
    InFlight kept;
    kept.id = delivery->id;
    kept.reader = delivery->reader;
    kept.destination = std::move(delivery->destination);
    kept.entry = std::move(delivery->entry);
    kept.priority = delivery->priority;
    kept.state = InFlight::State::in_transaction;
    delivery_done(subscription, *delivery);
    if (prepared != nullptr && kept.reader != nullptr && !kept.entry.is_volatile &&
        !needs_message(ack.kind)) {
      const std::uint64_t sequence = kept.entry.sequence;
      drop_message(kept);
      hold(*prepared, {kept.reader, kept.priority, ack.kind, sequence, sequence,
                       kept.entry.message->flat().size(), std::move(ack.cause)});
    } else {
      transaction.orphans.emplace_back(std::move(kept), std::move(ack));
    }
  }
  std::erase_if(transaction.acks,
                [&](const PendingAck& ack) { return ack.subscription == subscription.id; });
}

void Engine::State::unsubscribe(Subscription& subscription, DeliveryId seen) {
  Connection& connection = subscription.connection;
  subscription.ending = true;
  // Acknowledged in a transaction that goes on: it keeps them.
  for (const auto id : connection.transactions)
    keep_acknowledged(subscription, *transactions.find(id));
  for (const auto id : connection.prepared) keep_acknowledged(subscription, *transactions.find(id));

  std::vector<StoreOp> counts;
  for (std::size_t i = 0; i < subscription.in_flight.size(); ++i) {
    InFlight& delivery = subscription.in_flight[i];
    if (delivery.state != InFlight::State::out) continue;
    if (subscription.pinned > 0 && keep_pinned(subscription, delivery)) continue;
    if (delivery.reader != nullptr) {
      const bool was_seen = delivery.id <= seen;
      if (was_seen && stopping) delivery.entry.maybe_delivered = true;
      give_back(delivery, counts, was_seen && !stopping);
    } else {
      unhold(*delivery.entry.message);
    }
    delivery_done(subscription, delivery);
  }
  if (!counts.empty()) {
    flush_acks();
    store.append(counts);
  }
  while (!subscription.scans.empty()) detach(subscription, *subscription.scans.back());
  if (subscription.walk) end_walk(*subscription.walk);

  while (!subscription.pending.empty()) {
    unhold(*subscription.pending.front().message);
    subscription.pending.pop_front();
  }
  for (const auto& [sequence, back] : subscription.returned) unhold(*back.entry.message);
  forget_delayed(subscription);
  for (const auto& interest : subscription.options.interests) {
    const Destination& destination = interest.destination;
    if (is_queue(destination.kind)) {
      std::erase(queue_patterns, &subscription);
    } else if (!subscription.options.has_reader()) {
      auto& trie = is_temporary(destination.kind) ? temporary_patterns : patterns;
      trie.erase(destination.name, TopicTarget{&subscription, nullptr});
      topic_unwanted(destination);
    }
  }
  for (std::size_t i = 0; i < connection.unwritten.size(); ++i) {
    if (connection.unwritten[i].subscription == &subscription) {
      connection.unwritten[i].subscription = nullptr;
    }
  }
  if (subscription.ready) {
    for (std::size_t i = ready_subscriptions.size(); i > 0; --i) {
      Subscription* other = ready_subscriptions.front();
      ready_subscriptions.pop_front();
      if (other != &subscription) ready_subscriptions.push_back(other);
    }
  }
  if (subscription.awaits_flight) {
    for (std::size_t i = connection.awaiting_flight.size(); i > 0; --i) {
      const SubscriptionId other = connection.awaiting_flight.front();
      connection.awaiting_flight.pop_front();
      if (other != subscription.id) connection.awaiting_flight.push_back(other);
    }
  }
  if (subscription.slow_check != TimePoint{}) {
    slow_checks.erase({subscription.slow_check, subscription.id});
  }
  std::erase(connection.subscriptions, subscription.id);
  if (subscription.hears != 0) end_hearing(subscription);
  advise_consumer(AdvisoryKind::consumer_ended, subscription);
  if (blocked_topics > 0) topics_have_room = true;
  room_was_made();
  subscriptions.erase(subscription.id);
}

Result<void> Engine::State::delete_durable(std::string_view client_id, std::string_view name) {
  const auto known = durables.find(std::pair(std::string(client_id), std::string(name)));
  if (known == durables.end()) {
    return Error{Errc::not_found,
                 "No durable subscription exists for clientID: " + std::string(client_id) +
                     " and subscriptionName: " + std::string(name)};
  }
  if (known->second->active()) return Error{Errc::in_use, "Durable consumer is in use"};
  if (known->second->locked > 0) {
    return Error{Errc::in_use, "a prepared XA transaction holds messages of the subscription"};
  }
  remove_reader(known->second->list, *known->second);
  return {};
}

// --- temporary destinations ----------------------------------------------------------------------

Result<Destination> Engine::State::create_temporary(ConnectionId id, DestinationKind kind) {
  auto* connection = connections.find(id);
  if (connection == nullptr) return Error{Errc::not_found, "no such connection"};
  if (!is_temporary(kind)) return Error{Errc::invalid_argument, "not a kind of temporary"};
  Destination destination{kind, "ID:pabal-" + std::to_string(connection->origin >> 32) + "-" +
                                    std::to_string(connection->origin & 0xFFFFFFFF) + ":" +
                                    std::to_string(++connection->temporaries_made)};
  if (auto made = create_temporary(id, destination); !made) return made.error();
  return destination;
}

Result<void> Engine::State::create_temporary(ConnectionId id, const Destination& destination) {
  auto* connection = connections.find(id);
  if (connection == nullptr) return Error{Errc::not_found, "no such connection"};
  if (!is_temporary(destination.kind)) {
    return Error{Errc::invalid_argument, "not a kind of temporary"};
  }
  if (auto valid = validate_destination_name(destination.name); !valid) return valid;
  if (destination.is_pattern()) {
    return Error{Errc::bad_destination, "a temporary destination cannot be a pattern"};
  }
  auto& own = connection->temporaries;
  if (temporaries.contains(destination)) {
    if (std::find(own.begin(), own.end(), destination) != own.end()) return {};
    return Error{Errc::already_exists,
                 destination.to_text() + " is a temporary destination of another connection"};
  }
  const bool queue = destination.kind == DestinationKind::temporary_queue;
  if (queue && queues.contains(destination.name)) {
    return Error{Errc::already_exists, "there is a queue " + destination.name + " already"};
  }
  if (lists.size() + temporary_topics.size() >= limits.destinations_max) {
    return Error{Errc::quota_exceeded, "destinations_max reached"};
  }
  if (queue) {
    auto list = std::make_unique<MessageList>(ListId{++last_list}, destination, false);
    list->owner = id;
    add_list(std::move(list));
  } else {
    temporary_topics[destination.name] = id;
  }
  temporaries.emplace(destination, id);
  own.push_back(destination);
  advise_destination(AdvisoryKind::destination_added, destination, connection);
  return {};
}

Result<void> Engine::State::delete_temporary(ConnectionId id, const Destination& destination) {
  auto* connection = connections.find(id);
  if (connection == nullptr) return Error{Errc::not_found, "no such connection"};
  const auto own =
      std::find(connection->temporaries.begin(), connection->temporaries.end(), destination);
  if (own == connection->temporaries.end()) {
    return Error{Errc::not_found, destination.to_text() + " is not a temporary of this connection"};
  }
  // Nobody else can consume from it.
  for (const auto subscription : connection->subscriptions) {
    for (const auto& interest : subscriptions.find(subscription)->options.interests) {
      if (interest.destination != destination) continue;
      return Error{Errc::in_use,
                   "Destination: " + destination.to_text() + " still has an active subscription"};
    }
  }
  const Destination gone = destination;
  connection->temporaries.erase(own);
  delete_temporary(gone, *connection);
  return {};
}

void Engine::State::delete_temporary(const Destination& destination, const Connection& owner) {
  temporaries.erase(destination);
  advise_destination(AdvisoryKind::destination_removed, destination, &owner);
  if (destination.kind == DestinationKind::temporary_topic) {
    temporary_topics.erase(destination.name);
    return;
  }
  if (const auto at = queues.find(destination.name); at != queues.end()) remove_list(*at->second);
}

}  // namespace pabal::core
