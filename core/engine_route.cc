#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "core/engine_state.h"

// Where one send goes. Its targets (its own destination, or those of a composite send) are
// expanded: a composite destination forwards, a virtual topic feeds queues, a mirrored queue feeds
// a topic, and each of these places may do so again. Every place is visited once, which ends all
// loops; a send that gets nowhere because of one is refused. What comes out:
//
//   route_         the lists that share the one payload, in the store as in memory
//   topic_places_  the topics, for the subscriptions that they have directly
//   copies_        lists of durable subscriptions to patterns, for what reached a topic under
//                  another name: they cannot know that name later, so the message is copied under
//                  it
//
// A message that stands elsewhere than its own destination says is delivered with the name of the
// place (Delivery::destination), which for a list is the list's.

namespace pabal::core {
namespace {

const std::shared_ptr<const Destination> kItsOwn;

bool is_own(const Message& message, DestinationKind kind, std::string_view name) noexcept {
  return message.destination_name() == name && message.destination_kind() == kind;
}

}  // namespace

const std::shared_ptr<const Destination>& Engine::State::delivery_place(MessageList& list,
                                                                        const Message& message) {
  if (list.collects_pattern() || is_own(message, list.destination.kind, list.destination.name)) {
    return kItsOwn;
  }
  if (!list.shared_name) list.shared_name = std::make_shared<const Destination>(list.destination);
  return list.shared_name;
}

Result<void> Engine::State::route(const Send& send) {
  route_.clear();
  topic_places_.clear();
  copies_.clear();
  left_out_.clear();
  scratch_topics_used_ = 0;
  if (send.targets != nullptr) return route_everywhere(send);

  const Message& message = *send.message;
  const auto name = message.destination_name();
  const auto kind = message.destination_kind();
  if (is_queue(kind)) {
    if (virtual_routes->concern_queues()) return route_everywhere(send);
    auto list = queue_named(name, kind, true);
    if (!list) return list.error();
    route_.push_back(*list);
    return {};
  }
  auto topic = topic_named(name, kind);
  if (!topic) return topic.error();
  if ((*topic)->forwards()) return route_everywhere(send);
  topic_places_.push_back({*topic, kItsOwn});
  route_.assign((*topic)->lists.begin(), (*topic)->lists.end());
  return {};
}

/// Any send but the plain one.
Result<void> Engine::State::route_everywhere(const Send& send) {
  const Message& message = *send.message;
  ++route_serial_;
  stops_.clear();
  visited_.clear();
  topic_places_.clear();
  scratch_topics_used_ = 0;
  if (send.targets == nullptr) {
    stops_.push_back(
        {message.destination_kind(), message.destination_name(), kItsOwn, Stop::kNoStop});
  } else {
    if (send.targets->empty() || send.targets->size() > limits.composite_targets_max) {
      return Error{Errc::invalid_argument, "composite_targets_max: a send goes to 1 to " +
                                               std::to_string(limits.composite_targets_max) +
                                               " destinations, not " +
                                               std::to_string(send.targets->size())};
    }
    for (const auto& target : *send.targets) {
      // Shares the life of the vector: nothing is allocated.
      stops_.push_back({target.kind, target.name, {send.targets, &target}, Stop::kNoStop});
    }
  }
  bool met_again = false;
  for (std::size_t i = 0; i < stops_.size(); ++i) {
    const Stop stop = stops_[i];  // copied: visiting adds others
    if (!visited_.emplace(stop.kind, stop.name).second) {
      met_again = true;
      continue;
    }
    stop_visited_ = i;
    auto visited = is_queue(stop.kind) ? visit_queue(message, stop) : visit_topic(message, stop);
    if (!visited) return visited;
  }
  // What filters do not want vanishes, as asked for; in a loop it would be destroyed by mistake.
  const bool nowhere =
      route_.empty() && topic_places_.empty() && copies_.empty() && left_out_.empty();
  if (!met_again || !nowhere) return {};
  const Stop* looping = stop_in_loop();
  if (looping == nullptr) return {};
  return Error{Errc::bad_destination,
               "composite destination " +
                   Destination{looping->kind, std::string(looping->name)}.to_text() +
                   " leads only back to itself"};
}

/// The first place of this send that is in a loop of composites, or between two; null: there is
/// none. Whatever leads to no other place, or has no way to it, is taken away until all is in
/// loops.
const Stop* Engine::State::stop_in_loop() const {
  struct Place {
    const Stop* first = nullptr;
    std::set<const Place*> before;
    std::set<const Place*> after;
  };
  std::map<std::pair<DestinationKind, std::string_view>, Place> places;
  for (const Stop& stop : stops_) {
    Place& place = places[{stop.kind, stop.name}];
    if (place.first == nullptr) place.first = &stop;
    if (stop.from == Stop::kNoStop) continue;
    Place& from = places[{stops_[stop.from].kind, stops_[stop.from].name}];
    from.after.insert(&place);
    place.before.insert(&from);
  }
  for (bool changed = true; changed;) {
    changed = false;
    for (auto at = places.begin(); at != places.end();) {
      const Place& place = at->second;
      if (!place.before.empty() && !place.after.empty()) {
        ++at;
        continue;
      }
      for (auto& [name, other] : places) {
        other.before.erase(&place);
        other.after.erase(&place);
      }
      at = places.erase(at);
      changed = true;
    }
  }
  for (const Stop& stop : stops_) {
    if (places.contains({stop.kind, stop.name})) return &stop;
  }
  return nullptr;
}

Result<void> Engine::State::visit_queue(const Message& message, const Stop& stop) {
  found_composites_.clear();
  virtual_routes->composites_of(stop.kind, stop.name, found_composites_);
  if (!forward(message, stop, found_composites_)) return {};
  auto list = queue_named(stop.name, stop.kind, true);
  if (!list) return list.error();
  visit_list(**list);
  return {};
}

Result<void> Engine::State::visit_topic(const Message& message, const Stop& stop) {
  auto found = topic_named(stop.name, stop.kind);
  if (!found) return found.error();
  Topic& topic = **found;
  for (const auto& queue : topic.virtual_queues) {
    if (queue.selector_aware && !consumer_wants(*queue.list, message)) continue;
    Error full;
    if (queue.drop_on_resource_limit && queue.list->policy->limited() &&
        is_full(*queue.list, full)) {
      left_out_.push_back(queue.list);
    } else {
      visit_list(*queue.list);
    }
  }
  if (!forward(message, stop, topic.composites)) return {};

  const bool own = is_own(message, stop.kind, stop.name);
  topic_places_.push_back({&topic, own ? kItsOwn : stop.destination});
  ListCopy* copy = nullptr;
  for (auto* list : topic.lists) {
    if (own || !list->collects_pattern()) {
      visit_list(*list);
      continue;
    }
    if (std::exchange(list->routed, route_serial_) == route_serial_) continue;
    if (copy == nullptr) copy = &copies_.emplace_back(ListCopy{stop.destination, {}});
    copy->lists.push_back(list);
  }
  if (copy != nullptr && copy_bytes_max(message, *copy->destination) > kMessageBytesMax) {
    return Error{Errc::invalid_argument, "the message is too large to be forwarded"};
  }
  return {};
}

void Engine::State::count_left_out() {
  for (auto* list : left_out_) {
    ++list->counters.dropped;
    ++totals.dropped;
  }
}

/// Adds what the composites forward the message to; whether it goes to their own place as well.
bool Engine::State::forward(const Message& message, const Stop& stop,
                            const std::vector<const CompositeRoute*>& composites) {
  if (composites.empty()) return true;
  const Destination here{stop.kind, std::string(stop.name)};
  bool stays = false;
  for (const auto* composite : composites) {
    bool matched = false;
    for (const auto& target : composite->forward_to) {
      if (target.selector != nullptr && !target.selector->matches(message, {0, false, &here})) {
        continue;
      }
      matched = true;
      stops_.push_back(
          {target.destination->kind, target.destination->name, target.destination, stop_visited_});
    }
    const bool kept = composite->send_when_not_matched ? !matched : !composite->forward_only;
    stays = stays || kept;
  }
  return stays;
}

/// The message goes to a list: once, however many ways lead there.
void Engine::State::visit_list(MessageList& list) {
  if (std::exchange(list.routed, route_serial_) == route_serial_) return;
  route_.push_back(&list);
  const auto& mirrored = virtual_routes->mirrored();
  if (!mirrored || !list.is_queue() || list.wildcard) return;
  if (is_temporary(list.destination.kind) && !mirrored->temporaries) return;
  if (!list.mirror) {
    Destination mirror{DestinationKind::topic,
                       mirrored->prefix + list.destination.name + mirrored->postfix};
    // A queue whose name leaves no room for the topic's has no mirror.
    if (!validate_destination_name(mirror.name) || mirror.is_pattern()) return;
    list.mirror = std::make_shared<const Destination>(std::move(mirror));
  }
  stops_.push_back({list.mirror->kind, list.mirror->name, list.mirror, stop_visited_});
}

/// Whether a consumer of the queue, there now, would take the message.
bool Engine::State::consumer_wants(MessageList& queue, const Message& message) {
  const Reader& reader = queue.reader();
  if (reader.front.active()) return true;
  return std::any_of(reader.selective.begin(), reader.selective.end(), [&](const auto& scan) {
    return scan->selector == nullptr ||
           scan->selector->matches(message, {0, false, &queue.destination});
  });
}

Result<Topic*> Engine::State::topic_named(std::string_view name, DestinationKind kind) {
  if (kind == DestinationKind::temporary_topic) {
    if (temporary_topics.find(name) == temporary_topics.end()) {
      return Error{Errc::bad_destination,
                   "The destination temp-topic://" + std::string(name) + " does not exist."};
    }
  } else if (auto valid = validate_destination_name(name); !valid) {
    return valid.error();
  }
  if (Destination::is_pattern_name(name)) {
    return Error{Errc::bad_destination, "cannot send to the pattern topic://" + std::string(name)};
  }
  // Here, so that no adaptor and no composite can forget it: clients believe what is told there.
  if (is_advisory_topic(kind, name)) {
    return Error{Errc::bad_destination,
                 "advisories are the broker's: topic://" + std::string(name)};
  }
  return resolve(name, kind);
}

Topic* Engine::State::resolve(std::string_view name, DestinationKind kind) {
  constexpr std::size_t kTopicsRememberedMax = 65'536;
  const bool temporary = is_temporary(kind);
  const std::uint64_t epoch = topics_epoch();
  const auto known = temporary ? topics.end() : topics.find(name);
  if (known != topics.end() && known->second.epoch == epoch) return &known->second;

  // One send may go to several topics that nobody remembers.
  if (scratch_topics_used_ == scratch_topics_.size()) scratch_topics_.emplace_back();
  Topic& scratch = scratch_topics_[scratch_topics_used_];
  scratch.clear();
  const auto& trie = temporary ? temporary_patterns : patterns;
  trie.match(name, [&](const TopicTarget& target) {
    if (target.subscription != nullptr) {
      // Several interests of one subscription may match.
      auto& wanting = scratch.subscriptions;
      if (target.subscription->options.interests.size() > 1 &&
          std::find(wanting.begin(), wanting.end(), target.subscription) != wanting.end()) {
        return;
      }
      wanting.push_back(target.subscription);
    } else {
      // The same of a composite's parts.
      auto& lists_there = scratch.lists;
      if (is_composite_name(target.list->destination.name) &&
          std::find(lists_there.begin(), lists_there.end(), target.list) != lists_there.end()) {
        return;
      }
      lists_there.push_back(target.list);
    }
  });
  if (!temporary) {
    virtual_routes->queues_of(name, scratch.virtual_queues);
    virtual_routes->composites_of(kind, name, scratch.composites);
  }
  const bool wanted = !scratch.subscriptions.empty() || !scratch.lists.empty();
  const bool full = known == topics.end() && topics.size() >= kTopicsRememberedMax;
  if (temporary || full || (!wanted && !scratch.forwards())) {
    if (known != topics.end()) topics.erase(known);
    ++scratch_topics_used_;
    return &scratch;
  }
  Topic& topic = known != topics.end() ? known->second : topics[std::string(name)];
  topic.epoch = epoch;
  topic.swap_targets(scratch);
  return &topic;
}

// --- copies for lists of patterns ----------------------------------------------------------------

std::uint64_t Engine::State::copy_bytes_max(const Message& message, const Destination& place) {
  constexpr std::uint64_t kPadding = 64;
  return message.flat().size() + message.destination_name().size() + place.name.size() + kPadding;
}

std::uint64_t Engine::State::route_bytes_max(const Message& message) const {
  if (!message.persistent()) return 0;
  std::uint64_t bytes = 0;
  if (std::any_of(route_.begin(), route_.end(), [](const auto* list) { return list->stored; })) {
    bytes = message.flat().size();
  }
  for (const auto& copy : copies_) bytes += copy_bytes_max(message, *copy.destination);
  return bytes;
}

/// The message under the name of a place that it was forwarded to.
MessageRef Engine::State::copy_for(const Message& message, const Destination& place) {
  MessageBuilder builder(message);
  builder.original_destination = Address{message.destination_kind(), message.destination_name()};
  builder.destination_kind = place.kind;
  builder.destination_name = place.name;
  auto built = builder.build();
  PABAL_CHECK(built, "a copy whose size was looked at can be built");
  PABAL_CHECK((*built)->flat().size() <= copy_bytes_max(message, place),
              "a copy is no larger than admitted");
  return std::move(*built);
}

std::uint64_t Engine::State::prepare_copies(const Message& message, Batch& batch) {
  std::uint64_t bytes = 0;
  for (const auto& copy : copies_) {
    route_.assign(copy.lists.begin(), copy.lists.end());
    bytes += prepare(copy_for(message, *copy.destination), batch);
  }
  return bytes;
}

// --- subscriptions that topics have directly -----------------------------------------------------

void Engine::State::publish_to_topics(const MessageRef& message, Ticket visible_after) {
  const bool several = topic_places_.size() > 1;
  if (several) ++offer_serial_;
  for (const auto& place : topic_places_) {
    Topic& topic = *place.topic;
    ++topic.counters.enqueued;
    if (topic.lists.empty()) ++totals.enqueued;
    if (topics_remember) remember(place, message, visible_after);
    if (hears(AdvisoryTopic::arrived) || hears(AdvisoryTopic::no_consumer)) {
      const Destination here = place.destination ? *place.destination : message->destination();
      if (!topic.policy) topic.policy = settings.policies.find(here.kind, here.name);
      const bool wanted = !topic.subscriptions.empty() || !topic.lists.empty() || topic.forwards();
      advise_arrival(here, *message, *topic.policy, wanted);
    }
    for (auto* subscription : topic.subscriptions) {
      if (subscription->selector != nullptr &&
          !subscription->selector->matches(*message, {0, false, place.destination.get()})) {
        continue;
      }
      // A pattern may match several topics of one send.
      if (several && std::exchange(subscription->offered, offer_serial_) == offer_serial_) continue;
      ++topic.counters.dispatched;
      offer_topic_message(*subscription, message, visible_after, place.destination);
      if (subscription->limits_pending()) {
        topic.counters.dropped += limit_pending(*subscription);
      }
    }
  }
}

// --- wildcard queues of virtual topics -----------------------------------------------------------

/// A consumer of a queue pattern that virtual topics feed, and that no queue matches yet, brings a
/// queue of that very name into being (as in ActiveMQ): it gets what is sent to every topic that
/// its own part of the name matches.
Result<void> Engine::State::make_wildcard_queue(const Destination& pattern) {
  if (!virtual_routes->feed(pattern.name)) return {};
  const bool any = std::any_of(lists.begin(), lists.end(), [&](const auto& known) {
    return known.second->destination.kind == DestinationKind::queue &&
           matches(pattern.name, known.second->destination.name);
  });
  if (any) return {};
  auto made = create_queue(pattern);
  if (!made) return made.error();
  return {};
}

void Engine::State::use_virtual_destinations() {
  const std::uint64_t epoch = virtual_routes == nullptr ? 0 : virtual_routes->epoch() + 1;
  virtual_routes = std::make_unique<VirtualRoutes>(settings.virtuals, epoch);
  for (const auto& [id, list] : lists) {
    list->mirror.reset();
    if (list->destination.kind == DestinationKind::queue) {
      virtual_routes->add_queue(*list, list->destination.name);
    }
  }
}

}  // namespace pabal::core
