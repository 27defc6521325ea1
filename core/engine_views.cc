#include <algorithm>

#include "core/engine_state.h"

namespace pabal::core {

EngineSnapshot Engine::State::snapshot() const {
  EngineSnapshot view;
  view.connections = connections.size();
  view.connections_total = connections_total;
  view.subscriptions = subscriptions.size();
  view.queues = queues.size();
  view.durable_subscriptions = durables.size();
  view.transactions = transactions.size();
  for (const auto& [xid, branch] : branches) {
    if (branch->state == BranchState::prepared || branch->state == BranchState::committing) {
      ++view.branches_prepared;
      if (!view.oldest_prepared || branch->since < *view.oldest_prepared) {
        view.oldest_prepared = branch->since;
      }
    } else if (branch->state != BranchState::active) {
      ++view.branches_heuristic;
    }
  }
  view.totals = totals;
  view.bytes_held = held_bytes;
  view.bytes_window = window_bytes;
  view.bytes_spilled = spilled_bytes;
  view.scheduled = schedule.entries;
  view.scheduled_bytes = schedule.bytes;
  view.scheduled_waiting = schedule.waiting;
  view.bytes_remembered = remembered_bytes;
  view.sessions = sessions.size();
  view.sessions_connected = sessions_connected;
  view.wills_sent = wills_sent;
  view.wills_waiting = due_wills.size();
  view.wills_dropped = wills_dropped;
  view.retained = retained.topics.size();
  view.retained_bytes = retained.bytes;
  view.retained_known = !retained.reading();
  view.connections_parked = parked_for_memory.waiting.size() + parked_for_the_store.waiting.size();
  for (const auto& [place, blocked] : blocked_destinations) {
    view.connections_parked += blocked.waiting.size() - blocked.stale;
  }
  view.slow_consumers_aborted = slow_consumers_aborted;
  view.destinations_collected = destinations_collected;
  view.durable_subscriptions_expired = durables_expired;
  view.damaged_reads = damaged_reads;
  view.damaged_skipped = damaged_skipped;
  view.damage = damage;
  view.steps_longest_entry = steps_longest_entry;
  return view;
}

std::vector<DestinationSnapshot> Engine::State::destinations(std::string_view after,
                                                             std::size_t limit) const {
  // The order of the texts is that of kind and name: queue://, temp-queue://, topic://.
  std::vector<DestinationSnapshot> page;
  for (const auto kind : {DestinationKind::queue, DestinationKind::temporary_queue}) {
    const std::string prefix = std::string(to_string(kind)) + "://";
    if (after.substr(0, prefix.size()) > prefix) continue;
    const auto name = after.starts_with(prefix) ? after.substr(prefix.size()) : std::string_view{};
    for (auto at = queues_in_order.upper_bound({kind, name});
         at != queues_in_order.end() && at->first.first == kind && page.size() < limit; ++at) {
      page.push_back(view_of(*at->second));
    }
  }
  const std::string_view prefix = "topic://";
  const auto name = after.starts_with(prefix) ? after.substr(prefix.size()) : std::string_view{};
  for (auto at = topics.upper_bound(name); at != topics.end() && page.size() < limit; ++at) {
    page.push_back(view_of(at->first, at->second));
  }
  return page;
}

DestinationSnapshot Engine::State::view_of(const MessageList& queue) const {
  const Reader& reader = *queue.readers.front();
  DestinationSnapshot view;
  view.destination = queue.destination;
  view.counters = queue.counters;
  view.depth = reader.depth;
  view.depth_bytes = reader.depth_bytes;
  view.held_bytes = queue.held_bytes();
  view.memory_limit = queue.policy->memory_limit;
  view.store_limit = queue.policy->store_limit;
  if (queue.has_blocked) {
    if (const auto at = blocked_destinations.find(queue.destination);
        at != blocked_destinations.end()) {
      view.producers_blocked =
          static_cast<std::uint32_t>(at->second.waiting.size() - at->second.stale);
    }
  }
  if (queue.spill) view.spilled_bytes = queue.spill->bytes;
  view.in_flight = reader.in_flight;
  view.consumers = static_cast<std::uint32_t>(reader.consumers());
  if (reader.groups) view.groups = static_cast<std::uint32_t>(reader.groups->remembered());
  view.waiting = queue.paused ? WaitReason::paused : reader.waiting();
  return view;
}

DestinationSnapshot Engine::State::view_of(const std::string& name, const Topic& topic) const {
  DestinationSnapshot view;
  view.destination = {DestinationKind::topic, name};
  view.counters = topic.counters;
  if (topic.epoch != topics_epoch()) return view;  // its targets may be gone
  view.consumers = static_cast<std::uint32_t>(topic.subscriptions.size());
  for (const auto* list : topic.lists) {
    view.consumers += static_cast<std::uint32_t>(
        std::count_if(list->readers.begin(), list->readers.end(),
                      [](const auto& reader) { return reader->active(); }));
  }
  return view;
}

SubscriptionSnapshot Engine::State::subscription_view(const std::string& client_id,
                                                      const std::string& name,
                                                      const Reader& reader) {
  SubscriptionSnapshot view;
  view.client_id = client_id;
  view.name = name;
  view.destination = reader.list.destination;
  view.selector = reader.description.selector;
  view.active = reader.active();
  view.depth = reader.depth;
  view.in_flight = reader.in_flight;
  view.waiting = reader.waiting();
  view.damaged = damage_of(reader);
  return view;
}

std::vector<SubscriptionSnapshot> Engine::State::durable_subscriptions(std::size_t limit) const {
  std::vector<SubscriptionSnapshot> views;
  for (const auto& [key, reader] : durables) {
    if (views.size() == limit) break;
    views.push_back(subscription_view(key.first, key.second, *reader));
  }
  return views;
}

std::vector<SubscriptionSnapshot> Engine::State::durable_subscriptions_of(
    std::string_view client_prefix) const {
  std::vector<SubscriptionSnapshot> views;
  for (auto at = durables.lower_bound(std::pair(std::string(client_prefix), std::string()));
       at != durables.end() && at->first.first.starts_with(client_prefix); ++at) {
    views.push_back(subscription_view(at->first.first, at->first.second, *at->second));
  }
  return views;
}

}  // namespace pabal::core
