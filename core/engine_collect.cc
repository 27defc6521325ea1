#include <algorithm>
#include <iterator>
#include <utility>

#include "core/engine_state.h"

// What nobody uses goes: empty queues (gcInactiveDestinations), and durable subscriptions whose
// client stays away (offlineDurableSubscriberTimeout). Both looks walk in steps. How long a client
// has been away is counted from the start of the broker at the earliest: nothing about it is
// stored, so a restart can make a subscription live longer, and never shorter.

namespace pabal::core {

void Engine::State::plan_collection() {
  if (settings.collection_period.count() > 0) {
    wake_at(Timer::collection, now + settings.collection_period);
  }
  if (settings.offline_durable_timeout.count() >= 0) {
    wake_at(Timer::offline_durables, now + settings.offline_durable_period);
  }
}

bool Engine::State::collectable(const MessageList& list) const {
  if (list.destination.kind != DestinationKind::queue || !list.policy->collect_when_inactive) {
    return false;
  }
  const Reader& reader = *list.readers.front();
  return reader.depth == 0 && reader.in_flight == 0 && !reader.active() && !list.has_blocked &&
         reader.walks.empty() && !list.paused &&
         now - list.last_used >= list.policy->inactive_before_collection &&
         !settings.permanent.contains(list.destination);
}

void Engine::State::collect(std::uint32_t& steps) {
  while (collect_at && steps > 0) {
    --steps;
    const auto at = lists.lower_bound(*collect_at);
    const bool enough = settings.collected_per_sweep_max != 0 &&
                        collected_in_sweep >= settings.collected_per_sweep_max;
    if (at == lists.end() || enough) {
      collect_at.reset();
      return;
    }
    const auto next = std::next(at);
    collect_at = next == lists.end() ? std::nullopt : std::optional<ListId>(next->first);
    if (!collectable(*at->second)) continue;
    ++collected_in_sweep;
    ++destinations_collected;
    remove_list(*at->second);
  }
}

void Engine::State::expire_durables(std::uint32_t& steps) {
  while (offline_at && steps > 0) {
    --steps;
    const auto at = durables.lower_bound(*offline_at);
    if (at == durables.end()) {
      offline_at.reset();
      return;
    }
    const auto next = std::next(at);
    offline_at = next == durables.end() ? std::nullopt : std::optional(next->first);
    Reader& reader = *at->second;
    if (reader.session != nullptr) continue;  // it goes with its session
    if (reader.active() || reader.locked > 0 || now - reader.idle_since < settings.offline_durable_timeout) continue;
    ++durables_expired;
    remove_reader(reader.list, reader);
  }
}

Result<void> Engine::State::admit_destination(const Destination& destination) const {
  const auto policy = settings.policies.find(destination.kind, destination.name);
  if (policy->destinations_max < 0) return {};
  const auto at = policy_queues.find(&policy->entry());
  const std::uint64_t there = at == policy_queues.end() ? 0 : at->second;
  if (there < static_cast<std::uint64_t>(policy->destinations_max)) return {};
  return Error{Errc::quota_exceeded, "maxDestinations of the policy of " + destination.to_text() +
                                         ": there are " + std::to_string(there) +
                                         " destinations under it"};
}

}  // namespace pabal::core
