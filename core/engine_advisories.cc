#include <algorithm>
#include <utility>

#include "core/engine_state.h"

// What the broker tells of itself, on topics of its own, and to whom.
//
// An event is raised in the middle of something, so it becomes a message that is queued, and that
// is offered when the call is through (Engine::at, run): before the next call has any effect, so
// that who is told of a temporary destination knows it before any message that names it. It goes to
// subscriptions without a list and to nobody else: nothing of it is kept, routed on or stored, and
// it waits for no room. Who is too far behind loses it, counted.
//
// Nothing is made that nobody listens to. Who listens is counted for each kind of topic
// (advisory_listeners), so that where many messages pass it costs one look.
//
// A new listener is told what there is, in portions (AdvisoryReplay). What comes or goes while that
// goes on may be told twice. Until it has caught up, its connection gets nothing else: a client
// must know of a temporary destination before it answers to it.

namespace pabal::core {
namespace {

/// Of ActiveMQ's words for what is full.
constexpr std::string_view kMemory = ":memory";

constexpr AdvisoryTopics kTemporaries =
    bit(AdvisoryTopic::temporary_queue) | bit(AdvisoryTopic::temporary_topic);
constexpr AdvisoryTopics kReplayed = kTemporaries | bit(AdvisoryTopic::broker_active) |
                                     bit(AdvisoryTopic::connection) | bit(AdvisoryTopic::queue) |
                                     bit(AdvisoryTopic::topic) | bit(AdvisoryTopic::consumer) |
                                     bit(AdvisoryTopic::producer);

AdvisoryTopic topic_for(DestinationKind kind) noexcept {
  switch (kind) {
    case DestinationKind::queue:
      return AdvisoryTopic::queue;
    case DestinationKind::topic:
      return AdvisoryTopic::topic;
    case DestinationKind::temporary_queue:
      return AdvisoryTopic::temporary_queue;
    case DestinationKind::temporary_topic:
      return AdvisoryTopic::temporary_topic;
  }
  PABAL_UNREACHABLE();
}

AdvisoryTopic topic_for(AdvisoryKind kind) noexcept {
  switch (kind) {
    case AdvisoryKind::message_expired:
      return AdvisoryTopic::expired;
    case AdvisoryKind::message_dead:
      return AdvisoryTopic::dead;
    case AdvisoryKind::message_arrived:
      return AdvisoryTopic::arrived;
    case AdvisoryKind::message_consumed:
      return AdvisoryTopic::consumed;
    case AdvisoryKind::message_discarded:
      return AdvisoryTopic::discarded;
    default:
      break;
  }
  PABAL_UNREACHABLE();
}

/// What a client gives its connection, or what begins the names of the temporaries made for it.
std::string name_of(const Connection& connection) {
  if (!connection.options.instance.empty()) return connection.options.instance;
  return "ID:pabal-" + std::to_string(connection.origin >> 32) + "-" +
         std::to_string(connection.origin & 0xFFFFFFFF);
}

Advisory about(AdvisoryKind kind, const Connection& connection) {
  Advisory advisory;
  advisory.kind = kind;
  advisory.connection = name_of(connection);
  advisory.client_id = connection.client_id;
  advisory.user = connection.options.user;
  advisory.remote = connection.options.remote;
  return advisory;
}

Advisory about(AdvisoryKind kind, const Destination& destination, const Connection* owner) {
  Advisory advisory;
  advisory.kind = kind;
  if (owner != nullptr) advisory.connection = name_of(*owner);
  advisory.destination = destination;
  return advisory;
}

/// All of its destinations under one name, as its client may have written it.
Destination whole_of(const Subscription& subscription) {
  const auto& interests = subscription.options.interests;
  Destination whole = interests.front().destination;
  for (std::size_t i = 1; i < interests.size(); ++i) {
    const Destination& part = interests[i].destination;
    whole.name += ',';
    whole.name += part.kind == whole.kind ? part.name : part.to_text();
  }
  return whole;
}

Advisory about(AdvisoryKind kind, const Subscription& subscription) {
  Advisory advisory = about(kind, subscription.connection);
  advisory.number = subscription.number;
  advisory.destination = whole_of(subscription);
  const SubscribeOptions& options = subscription.options;
  advisory.selector = subscription.interest().selector;
  advisory.no_local = subscription.interest().no_local;
  advisory.durable_name = options.durable_name;
  advisory.prefetch = options.prefetch;
  advisory.priority = options.consumer_priority;
  advisory.browser = options.browser;
  advisory.exclusive = options.exclusive;
  advisory.retroactive = options.retroactive;
  return advisory;
}

Advisory about(AdvisoryKind kind, const AnnouncedProducer& producer) {
  Advisory advisory = about(kind, *producer.connection);
  advisory.number = producer.number;
  advisory.destination = producer.destination;
  return advisory;
}

bool is_about_advisories(const Subscription& subscription) {
  const auto& interests = subscription.options.interests;
  return std::any_of(interests.begin(), interests.end(), [](const Interest& interest) {
    return is_advisory_topic(interest.destination.kind, interest.destination.name);
  });
}

/// Topics are there as long as somebody consumes from them; patterns are none, and the broker's own
/// are its own.
bool is_told(const Destination& topic) {
  return topic.kind == DestinationKind::topic && !topic.is_pattern() &&
         !is_reserved_name(topic.name) && !is_advisory_topic(topic.kind, topic.name);
}

}  // namespace

// --- who listens ---------------------------------------------------------------------------------

void Engine::State::count_listener(const Subscription& subscription, std::int32_t by) {
  if (!settings.advisories.enabled) return;
  for (std::size_t i = 0; i < kAdvisoryTopics; ++i) {
    if ((subscription.hears >> i & 1) != 0) {
      advisory_listeners[i] += static_cast<std::uint32_t>(by);
    }
  }
}

/// After a change of the settings.
void Engine::State::count_listeners() {
  advisory_listeners.fill(0);
  subscriptions.for_each([this](const Subscription& each) { count_listener(each, 1); });
}

void Engine::State::begin_hearing(Subscription& subscription) {
  if (subscription.options.has_reader()) return;
  for (const auto& interest : subscription.options.interests) {
    if (interest.destination.kind != DestinationKind::topic) continue;
    subscription.hears |=
        advisory_topics_of(interest.destination.name, subscription.options.advisories_by_name);
  }
  if (subscription.hears == 0) return;
  count_listener(subscription, 1);
  if ((subscription.hears & kReplayed) == 0 || !settings.advisories.enabled) return;
  subscription.advisory_replay = std::make_unique<AdvisoryReplay>();
  list_replay(subscription);
  goes_before_others(subscription);
}

void Engine::State::end_hearing(Subscription& subscription) {
  count_listener(subscription, -1);
  subscription.advisory_replay.reset();
  goes_first_no_more(subscription);
}

bool Engine::State::somebody_listens(std::string_view topic) const {
  bool anybody = false;
  patterns.match(topic, [&](const TopicTarget& target) {
    anybody = anybody || (target.subscription != nullptr && target.subscription->hears != 0);
  });
  return anybody;
}

// --- raising and telling -------------------------------------------------------------------------

void Engine::State::advise(const Advisory& advisory) {
  std::string topic = advisory_topic(advisory);
  if (!somebody_listens(topic)) return;
  MessageBuilder builder;
  std::string body;
  fill_advisory(builder, advisory, settings.advisories.source, topic, body);
  sign(builder);
  if (auto message = builder.build()) raise(std::move(*message));
}

void Engine::State::raise(MessageRef message) {
  if (advisories_raised_bytes > limits.topic_pending_bytes_max) {
    ++totals.dropped;
    return;
  }
  advisories_raised_bytes += message->footprint();
  advisories_raised.push_back(std::move(message));
}

void Engine::State::deliver_advisories() {
  std::vector<Subscription*> listening;
  while (!advisories_raised.empty()) {
    const MessageRef message = std::move(advisories_raised.front());
    advisories_raised.pop_front();
    advisories_raised_bytes -= message->footprint();
    listening.clear();
    const auto serial = ++offer_serial_;
    patterns.match(message->destination_name(), [&](const TopicTarget& target) {
      Subscription* subscription = target.subscription;
      if (subscription == nullptr || subscription->hears == 0) return;
      // Several of its interests may match.
      if (std::exchange(subscription->offered, serial) != serial) listening.push_back(subscription);
    });
    if (!listening.empty()) ++totals.enqueued;
    for (auto* subscription : listening) offer_advisory(*subscription, message);
  }
}

void Engine::State::offer_advisory(Subscription& subscription, const MessageRef& message) {
  if (subscription.selector != nullptr &&
      !subscription.selector->matches(*message, {0, false, nullptr})) {
    return;
  }
  const bool behind = subscription.has_waiting();
  const bool memory_is_full =
      limits.memory_bytes_max != 0 && held_bytes + message->footprint() > limits.memory_bytes_max;
  if (subscription.pending_bytes > limits.topic_pending_bytes_max || (behind && memory_is_full)) {
    ++subscription.dropped;
    ++totals.dropped;
    return;
  }
  offer_topic_message(subscription, message, kNoTicket, nullptr);
  if (subscription.limits_pending()) {
    limit_pending(subscription);
  }
  if (subscription.has_waiting()) {
    goes_before_others(subscription);
  } else if (subscription.advisory_replay) {
    list_replay(subscription);  // the limit may have taken what it waited behind
  }
}

/// Its connection's others wait until it has caught up; only for who is sure to get on by itself.
void Engine::State::goes_before_others(Subscription& subscription) {
  if ((subscription.hears & kTemporaries) == 0 || !subscription.automatic() ||
      subscription.options.prefetch == 0) {
    return;
  }
  if (std::exchange(subscription.goes_first, true)) return;
  ++subscription.connection.going_first;
  credit_returned(subscription);  // it may have waited for another that goes first
}

void Engine::State::goes_first_no_more(Subscription& subscription) {
  if (!std::exchange(subscription.goes_first, false)) return;
  Connection& connection = subscription.connection;
  if (--connection.going_first > 0) return;
  for (const auto id : connection.subscriptions) credit_returned(*subscriptions.find(id));
}

// --- what happens --------------------------------------------------------------------------------

void Engine::State::advise_connection(AdvisoryKind kind, const Connection& connection) {
  if (hears(AdvisoryTopic::connection)) advise(about(kind, connection));
}

void Engine::State::advise_destination(AdvisoryKind kind, const Destination& destination,
                                       const Connection* owner) {
  if (!hears(topic_for(destination.kind))) return;
  if (!is_temporary(destination.kind) && destination.is_pattern()) return;
  advise(about(kind, destination, owner));
}

void Engine::State::topic_wanted(const Destination& topic) {
  if (!is_told(topic)) return;
  if (++topic_names[topic.name] == 1) {
    advise_destination(AdvisoryKind::destination_added, topic, nullptr);
  }
}

void Engine::State::topic_unwanted(const Destination& topic) {
  if (!is_told(topic)) return;
  const auto known = topic_names.find(topic.name);
  if (known == topic_names.end() || --known->second > 0) return;
  topic_names.erase(known);
  advise_destination(AdvisoryKind::destination_removed, topic, nullptr);
}

void Engine::State::advise_consumer(AdvisoryKind kind, const Subscription& subscription) {
  if (!hears(AdvisoryTopic::consumer) || is_about_advisories(subscription)) return;
  Advisory advisory = about(kind, subscription);
  for (const auto& interest : subscription.options.interests) {
    advisory.count += consumers_of(interest.destination);
  }
  advise(advisory);
}

void Engine::State::advise_durable_removed(const Reader& reader) {
  if (!hears(AdvisoryTopic::consumer)) return;
  Advisory advisory = about(AdvisoryKind::durable_removed, reader.list.destination, nullptr);
  advisory.client_id = reader.description.client_id;
  advisory.durable_name = reader.description.name;
  advisory.count = consumers_of(reader.list.destination);
  advise(advisory);
}

void Engine::State::advise_producer(AdvisoryKind kind, const AnnouncedProducer& producer) {
  if (!hears(AdvisoryTopic::producer)) return;
  if (!producer.destination && !settings.advisories.anonymous_producers) return;
  Advisory advisory = about(kind, producer);
  if (producer.destination) {
    if (is_advisory_topic(producer.destination->kind, producer.destination->name)) return;
    advisory.count = producers_of(*producer.destination);
  }
  advise(advisory);
}

void Engine::State::advise_message(AdvisoryKind kind, const Destination& place,
                                   const Message& message, const DestinationPolicy& policy,
                                   const Subscription* consumer, std::int64_t count) {
  if (!hears(topic_for(kind))) return;
  const AdvisoryPolicy& wanted = policy.advisories;
  if (kind == AdvisoryKind::message_arrived && !wanted.arrived) return;
  if (kind == AdvisoryKind::message_consumed && !wanted.consumed) return;
  if (kind == AdvisoryKind::message_discarded && !wanted.discarded) return;
  if (may_be_advisory(message)) return;
  Advisory advisory;
  advisory.kind = kind;
  advisory.destination = place;
  if (!somebody_listens(advisory_topic(advisory))) return;
  if (consumer != nullptr) {
    advisory.connection = name_of(consumer->connection);
    advisory.number = consumer->number;
  }
  advisory.count = count;
  MessageBuilder builder(message);
  if (!wanted.include_body) {
    builder.body = {};
    builder.compressed = false;
  }
  if (message.destination_kind() != place.kind || message.destination_name() != place.name) {
    builder.original_destination = Address{message.destination_kind(), message.destination_name()};
    builder.destination_kind = place.kind;
    builder.destination_name = place.name;
  }
  auto copy = builder.build();
  if (!copy) return;
  advisory.message = std::move(*copy);
  advise(advisory);
}

void Engine::State::advise_arrival(const Destination& place, const Message& message,
                                   const DestinationPolicy& policy, bool wanted) {
  advise_message(AdvisoryKind::message_arrived, place, message, policy);
  if (wanted || message.persistent() || !policy.advisories.no_consumer ||
      !hears(AdvisoryTopic::no_consumer)) {
    return;
  }
  const std::string topic = no_consumer_topic(place);
  if (!somebody_listens(topic)) return;
  // The message itself, for who listens.
  MessageBuilder builder(message);
  builder.original_destination = Address{place.kind, place.name};
  builder.destination_kind = DestinationKind::topic;
  builder.destination_name = topic;
  builder.retain = false;
  if (auto copy = builder.build()) raise(std::move(*copy));
}

/// Source: ActiveMQ takes a consumer for slow when, with all its prefetch out, as many wait again.
void Engine::State::advise_slow(Subscription& subscription, const Destination& place,
                                const DestinationPolicy& policy, std::uint64_t waiting) {
  if (!policy.advisories.slow_consumers || subscription.told_slow) return;
  if (subscription.has_credit() || waiting <= subscription.options.prefetch) return;
  if (is_advisory_topic(place.kind, place.name)) return;
  subscription.told_slow = true;
  Advisory advisory = about(AdvisoryKind::consumer_slow, subscription);
  advisory.destination = place;
  advise(advisory);
}

void Engine::State::advise_full(const Connection& connection) {
  if (!hears(AdvisoryTopic::full) && !hears(AdvisoryTopic::fast_producer)) return;
  const auto policy = settings.policies.find(blocked_at_.kind, blocked_at_.name);
  if (policy->advisories.full) {
    Advisory advisory = about(AdvisoryKind::destination_full, blocked_at_, nullptr);
    advisory.usage = blocked_at_.to_text() + std::string(kMemory);
    if (const auto list = queues.find(blocked_at_.name);
        list != queues.end() && is_queue(blocked_at_.kind)) {
      advisory.count = static_cast<std::int64_t>(list->second->held_bytes());
    } else {
      patterns.match(blocked_at_.name, [&](const TopicTarget& target) {
        if (target.subscription == nullptr) return;
        advisory.count += static_cast<std::int64_t>(target.subscription->pending_bytes);
      });
    }
    advise(advisory);
  }
  if (!policy->advisories.fast_producers) return;
  // A send does not say of which producer it is: the connection's first for this destination, or
  // for any.
  Advisory advisory = about(AdvisoryKind::producer_fast, connection);
  advisory.destination = blocked_at_;
  const AnnouncedProducer* best = nullptr;
  for (const auto id : connection.producers) {
    const AnnouncedProducer* producer = announced_producers.find(id);
    const bool fits = !producer->destination || *producer->destination == blocked_at_;
    if (!fits) continue;
    if (best == nullptr || (producer->destination && !best->destination)) best = producer;
    if (best->destination) break;
  }
  advisory.number = best != nullptr ? best->number : ClientNumber{1, 1};
  advise(advisory);
}

/// How many consume from it now; of a pattern, from all that it matches.
std::int64_t Engine::State::consumers_of(const Destination& destination) const {
  std::int64_t count = 0;
  if (is_queue(destination.kind)) {
    if (!destination.is_pattern()) {
      const auto at = queues.find(destination.name);
      return at == queues.end() ? 0 : static_cast<std::int64_t>(at->second->reader().consumers());
    }
    for (const auto& [name, list] : queues) {
      if (list->destination.kind != destination.kind || !matches(destination.name, name)) continue;
      count += static_cast<std::int64_t>(list->reader().consumers());
    }
    return count;
  }
  const auto& trie = is_temporary(destination.kind) ? temporary_patterns : patterns;
  trie.match(destination.name, [&](const TopicTarget& target) {
    if (target.subscription != nullptr) {
      ++count;
      return;
    }
    for (const auto& reader : target.list->readers) {
      count += static_cast<std::int64_t>(reader->consumers());
    }
  });
  return count;
}

// --- producers -----------------------------------------------------------------------------------

std::int64_t Engine::State::producers_of(const Destination& destination) const {
  const auto known = producer_counts.find(destination);
  return known == producer_counts.end() ? 0 : known->second;
}

Result<ProducerId> Engine::State::add_producer(ConnectionId id, ProducerOptions options) {
  auto* connection = connections.find(id);
  if (connection == nullptr) return Error{Errc::not_found, "no such connection"};
  AnnouncedProducer& producer = announced_producers.insert([&](ProducerId made) {
    auto announced = std::make_unique<AnnouncedProducer>();
    announced->id = made;
    return announced;
  });
  producer.connection = connection;
  producer.destination = std::move(options.destination);
  producer.number = options.number;
  if (producer.number == ClientNumber{}) producer.number = {1, ++connection->numbers_given};
  producer.position = connection->producers.size();
  connection->producers.push_back(producer.id);
  if (producer.destination) ++producer_counts[*producer.destination];
  advise_producer(AdvisoryKind::producer_started, producer);
  return producer.id;
}

void Engine::State::remove_producer(ProducerId id) {
  AnnouncedProducer* producer = announced_producers.find(id);
  if (producer == nullptr) return;
  auto& all = producer->connection->producers;
  all[producer->position] = all.back();
  announced_producers.find(all.back())->position = producer->position;
  all.pop_back();
  if (producer->destination) {
    const auto count = producer_counts.find(*producer->destination);
    if (--count->second == 0) producer_counts.erase(count);
  }
  advise_producer(AdvisoryKind::producer_ended, *producer);
  announced_producers.erase(id);
}

// --- what there is, for those who come -----------------------------------------------------------

void Engine::State::list_replay(Subscription& subscription) {
  if (std::exchange(subscription.advisory_replay->listed, true)) return;
  advisory_replays.push_back(subscription.id);
}

void Engine::State::replay_advisories(std::uint32_t& steps) {
  while (steps > 0 && !advisory_replays.empty()) {
    Subscription* subscription = subscriptions.find(advisory_replays.front());
    if (subscription == nullptr || subscription->advisory_replay == nullptr) {
      advisory_replays.pop_front();
      continue;
    }
    AdvisoryReplay& replay = *subscription->advisory_replay;
    // Who takes no more is listed again when it has caught up. The temporaries are told whatever it
    // takes, so that the others of its connection need not wait for the rest.
    if (subscription->has_waiting() && replay.stage != AdvisoryReplay::Stage::temporaries) {
      replay.listed = false;
      advisory_replays.pop_front();
      continue;
    }
    --steps;
    if (replay_step(*subscription, replay)) continue;
    advisory_replays.pop_front();
    subscription->advisory_replay.reset();
    if (!subscription->has_waiting()) caught_up_with_advisories(*subscription);
  }
}

/// One thing more; false: that was all.
bool Engine::State::replay_step(Subscription& subscription, AdvisoryReplay& replay) {
  using Stage = AdvisoryReplay::Stage;
  const auto wants = [&](AdvisoryTopic topic) { return (subscription.hears & bit(topic)) != 0; };
  const auto next_stage = [&] {
    replay.stage = static_cast<Stage>(static_cast<int>(replay.stage) + 1);
    replay.after.reset();
    replay.slot = 0;
    return true;
  };
  switch (replay.stage) {
    case Stage::temporaries: {
      const auto at = replay.after ? temporaries.upper_bound(*replay.after) : temporaries.begin();
      if ((subscription.hears & kTemporaries) == 0 || at == temporaries.end()) {
        next_stage();
        if (!subscription.has_waiting()) caught_up_with_advisories(subscription);
        return true;
      }
      replay.after = at->first;
      tell_destination_before(subscription, at->first, connections.find(at->second));
      return true;
    }
    case Stage::broker: {
      Advisory advisory;
      advisory.kind = AdvisoryKind::broker_active;
      if (wants(AdvisoryTopic::broker_active)) tell_before(subscription, std::move(advisory));
      return next_stage();
    }
    case Stage::connections: {
      if (!wants(AdvisoryTopic::connection) || replay.slot >= connections.slots()) {
        return next_stage();
      }
      if (const auto* connection = connections.in_slot(replay.slot++)) {
        tell_before(subscription, about(AdvisoryKind::connection_started, *connection));
      }
      return true;
    }
    case Stage::queues: {
      using Key = std::pair<DestinationKind, std::string_view>;
      const auto at =
          replay.after
              ? queues_in_order.upper_bound(Key{DestinationKind::queue, replay.after->name})
              : queues_in_order.lower_bound(Key{DestinationKind::queue, {}});
      if (!wants(AdvisoryTopic::queue) || at == queues_in_order.end() ||
          at->first.first != DestinationKind::queue) {
        return next_stage();
      }
      replay.after = at->second->destination;
      if (!replay.after->is_pattern()) {
        tell_destination_before(subscription, *replay.after, nullptr);
      }
      return true;
    }
    case Stage::topics: {
      const auto at =
          replay.after ? topic_names.upper_bound(replay.after->name) : topic_names.begin();
      if (!wants(AdvisoryTopic::topic) || at == topic_names.end()) return next_stage();
      replay.after = Destination{DestinationKind::topic, at->first};
      tell_destination_before(subscription, *replay.after, nullptr);
      return true;
    }
    case Stage::consumers: {
      if (!wants(AdvisoryTopic::consumer) || replay.slot >= subscriptions.slots()) {
        return next_stage();
      }
      const auto* other = subscriptions.in_slot(replay.slot++);
      if (other == nullptr || is_about_advisories(*other)) return true;
      Advisory advisory = about(AdvisoryKind::consumer_started, *other);
      for (const auto& interest : other->options.interests) {
        advisory.count += consumers_of(interest.destination);
      }
      tell_before(subscription, std::move(advisory));
      return true;
    }
    case Stage::producers: {
      if (!wants(AdvisoryTopic::producer) || replay.slot >= announced_producers.slots()) {
        return next_stage();
      }
      const auto* producer = announced_producers.in_slot(replay.slot++);
      if (producer == nullptr) return true;
      if (!producer->destination && !settings.advisories.anonymous_producers) return true;
      Advisory advisory = about(AdvisoryKind::producer_started, *producer);
      if (producer->destination) {
        if (is_advisory_topic(producer->destination->kind, producer->destination->name))
          return true;
        advisory.count = producers_of(*producer->destination);
      }
      tell_before(subscription, std::move(advisory));
      return true;
    }
    case Stage::done:
      return false;
  }
  PABAL_UNREACHABLE();
}

void Engine::State::tell_destination_before(Subscription& subscription,
                                            const Destination& destination,
                                            const Connection* owner) {
  if ((subscription.hears & bit(topic_for(destination.kind))) == 0) return;
  tell_before(subscription, about(AdvisoryKind::destination_added, destination, owner));
}

/// To this subscription alone, if one of its interests matches the topic.
void Engine::State::tell_before(Subscription& subscription, Advisory advisory) {
  std::string topic = advisory_topic(advisory);
  const auto& interests = subscription.options.interests;
  const bool wanted = std::any_of(interests.begin(), interests.end(), [&](const Interest& each) {
    return each.destination.kind == DestinationKind::topic && matches(each.destination.name, topic);
  });
  if (!wanted) return;
  // Source: ActiveMQ: MasterBroker is the one that a topic remembers, and is not told to somebody.
  if (advisory.kind != AdvisoryKind::broker_active) {
    advisory.target_connection = name_of(subscription.connection);
    advisory.target = subscription.number;
  }
  MessageBuilder builder;
  std::string body;
  fill_advisory(builder, advisory, settings.advisories.source, topic, body);
  sign(builder);
  const auto message = builder.build();
  if (!message) return;
  ++totals.enqueued;
  offer_advisory(subscription, *message);
}

/// Nothing waits for it. It may be told more; its connection's others may go on.
void Engine::State::caught_up_with_advisories(Subscription& subscription) {
  const AdvisoryReplay* replay = subscription.advisory_replay.get();
  if (replay != nullptr && replay->stage == AdvisoryReplay::Stage::temporaries) return;
  if (replay != nullptr) list_replay(subscription);
  goes_first_no_more(subscription);
}

}  // namespace pabal::core
