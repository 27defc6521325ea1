#include <algorithm>
#include <utility>

#include "core/engine_state.h"

// Destinations that somebody removes. In the store a queue goes as a whole, by one step of one
// batch, whatever is in it: a crash finds all of it or nothing. Of what it had in memory, as much
// as counts against the limits is given back in steps.

namespace pabal::core {
namespace {

/// Of an entry's steps, those that go to memory of removed queues before anything else.
constexpr std::uint32_t kClearingSteps = 512;

}  // namespace

Result<std::uint64_t> Engine::State::delete_queue(const Destination& queue, QueueDeletion how) {
  const auto found = existing_queue(queue);
  if (!found) return found.error();
  MessageList& list = **found;
  Reader& reader = list.reader();
  if (how != QueueDeletion::forced) {
    if (auto may = check_deletion(list, how); !may) return may.error();
  }
  // Who came for a pattern gets the queue again, should it come again. Who came for this one alone
  // would wait for ever on nothing.
  std::vector<ConnectionId> stranded;
  reader.for_each_scan([&](Scan& scan) {
    if (!scan.is_shared()) return;
    for (const auto& link : scan.consumers) {
      const Subscription& subscription = *link.subscription;
      if (subscription.interest().destination.is_pattern()) continue;
      stranded.push_back(subscription.connection.id);
    }
  });
  const std::uint64_t depth = reader.depth;
  remove_list(list);
  for (const auto id : stranded) {
    order(*connections.find(id), ConnectionOrder::close, queue.to_text() + " was deleted");
  }
  return depth;
}

/// Of a deletion that is not forced.
Result<void> Engine::State::check_deletion(MessageList& list, QueueDeletion how) const {
  const Reader& reader = list.reader();
  const std::string name = list.destination.to_text();
  for (const auto& [xid, branch] : branches) {
    const bool holds = std::any_of(branch->held.begin(), branch->held.end(),
                                   [&](const auto& range) { return range.reader == &reader; });
    if (holds) {
      return Error{Errc::in_use, "the prepared XA branch " + xid.to_text() + " holds messages of " +
                                     name + "; end it first, or force it"};
    }
  }
  if (reader.locked > 0) {  // its consumers are still connected
    return Error{Errc::in_use, "a prepared XA branch holds " + std::to_string(reader.locked) +
                                   " messages of " + name + "; end it first, or force it"};
  }
  if (how == QueueDeletion::if_empty) {
    if (!reader.active() && reader.depth == 0) return {};
    return Error{Errc::in_use, name + " has " + std::to_string(reader.depth) + " messages and " +
                                   std::to_string(reader.consumers()) +
                                   " consumers; purge it and end them first, or force it"};
  }
  const auto browsers = std::count_if(reader.walks.begin(), reader.walks.end(),
                                      [](const Walk* walk) { return walk->browser != nullptr; });
  if (reader.active() || browsers > 0) {
    return Error{Errc::in_use, "Destination: " + name + " still has an active subscription: " +
                                   std::to_string(reader.consumers()) + " consumers, " +
                                   std::to_string(browsers) + " browsers"};
  }
  if (reader.in_flight > 0) {
    return Error{Errc::in_use, std::to_string(reader.in_flight) + " messages of " + name +
                                   " are acknowledged in transactions that have not ended"};
  }
  return {};
}

/// Nobody is subscribed to a topic that can go: what is left of it is what it keeps for those who
/// come later, and its statistics.
Result<void> Engine::State::delete_topic(const Destination& topic) {
  if (topic.kind != DestinationKind::topic) {
    return Error{Errc::bad_destination, topic.to_text() + " is not a topic"};
  }
  if (auto valid = validate_destination_name(topic.name); !valid) return valid;
  if (topic.is_pattern()) return Error{Errc::not_found, "there is no " + topic.to_text()};
  const Topic& known = *resolve_alone(topic.name, topic.kind);
  if (!known.subscriptions.empty() || !known.lists.empty()) {
    return Error{Errc::in_use,
                 "Destination: " + topic.to_text() + " still has an active subscription"};
  }
  if (retained.topics.contains(topic.name) || retained.reading()) {
    if (auto gone = delete_retained(topic); !gone) return gone;
  }
  if (const auto at = memories.find(topic.name); at != memories.end()) {
    while (!at->second.messages.empty()) forget_oldest(at->second);
    memories.erase(at);
  }
  topics.erase(topic.name);
  return {};
}

/// As an empty message would that is to be retained, but it goes nowhere else.
Result<void> Engine::State::delete_retained(const Destination& topic) {
  MessageBuilder builder;
  builder.destination_kind = topic.kind;
  builder.destination_name = topic.name;
  builder.persistent = true;
  builder.retain = true;
  sign(builder);
  const auto message = builder.build();
  if (!message) return message.error();
  const std::uint64_t bytes = retained.reading() ? (*message)->flat().size() : 0;
  if (bytes > 0 && store.admit(bytes, Purpose::move) != Admission::granted) {
    return Error{Errc::store_full, store.refusal()};
  }
  Batch batch;
  std::vector<StoreOp> done;
  const std::uint64_t stored = retain_at(TopicPlace{}, *message, false, batch, done);
  std::move(done.begin(), done.end(), std::back_inserter(batch.operations));
  if (bytes > stored) store.release(bytes - stored);
  const Ticket ticket = append_all(batch.operations);
  place_retained(batch, ticket);
  return {};
}

// --- memory --------------------------------------------------------------------------------------

/// A list that nobody can find any more.
void Engine::State::bury(std::unique_ptr<MessageList> list) {
  removed_lists.push_back(std::move(list));
  clear_removed(kClearingSteps);
}

/// Does at most so much; what it did not use.
std::uint32_t Engine::State::clear_removed(std::uint32_t steps) {
  while (!removed_lists.empty() && clear_list(*removed_lists.front(), steps)) {
    removed_lists.pop_front();
  }
  return steps;
}

void Engine::State::clear_some(std::uint32_t& steps) {
  const std::uint32_t share = std::min(steps, kClearingSteps);
  steps -= share - clear_removed(share);
}

/// False: there is more.
bool Engine::State::clear_list(MessageList& list, std::uint32_t& steps) {
  const auto clear_ring = [&](Ring<Entry>& ring, bool held) {
    for (; !ring.empty() && steps > 0; --steps) {
      if (held && ring.front().message) unhold(*ring.front().message);
      ring.pop_front();
    }
    return ring.empty();
  };
  for (const auto& lane : list.lanes) {
    if (lane && !(clear_ring(lane->volatile_entries, true) && clear_ring(lane->window, false))) {
      return false;
    }
  }
  for (const auto& reader : list.readers) {
    for (auto& back = reader->returned; !back.empty(); back.erase(back.begin())) {
      if (steps == 0) return false;
      --steps;
      unhold(*back.begin()->second.message);
    }
    for (auto& waiting = reader->delayed; !waiting.empty(); waiting.erase(waiting.begin())) {
      if (steps == 0) return false;
      --steps;
      const auto& [place, entry] = *waiting.begin();
      delayed.erase({entry.due, list.id, reader->id, SubscriptionId{}, place});
      --redeliveries_waiting;
      reader->due.erase(place);
      if (entry.entry.message) unhold(*entry.entry.message);
    }
  }
  return true;
}

}  // namespace pabal::core
