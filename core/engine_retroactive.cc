#include <algorithm>
#include <utility>
#include <vector>

#include "core/engine_state.h"

// What topics remember for subscriptions that want what came before them (ActiveMQ's subscription
// recovery policies). Only topics whose policy asks for it remember anything, in memory, without a
// promise over a restart. All together hold retroactive_bytes_max; beyond it the oldest goes first,
// whichever topic it belongs to.

namespace pabal::core {
namespace {

/// How often the memories that go by time are looked through at most.
constexpr milliseconds kPruningPeriod{1000};

}  // namespace

/// After a change of the settings: whether any topic can remember at all, so that sends to topics
/// need not ask.
void Engine::State::use_recovery_policies() {
  const auto recovers = [](const PolicyTable::Entry& entry) {
    return !is_queue(entry.target.kind) &&
           entry.policy->recovery.kind != RecoveryPolicy::Kind::none;
  };
  const auto& entries = settings.policies.entries();
  topics_remember =
      settings.policies.default_policy().recovery.kind != RecoveryPolicy::Kind::none ||
      std::any_of(entries.begin(), entries.end(), recovers);
  for (auto at = memories.begin(); at != memories.end();) {
    TopicMemory& memory = at->second;
    memory.policy = settings.policies.find(DestinationKind::topic, at->first);
    prune(memory);
    at = memory.messages.empty() ? memories.erase(at) : std::next(at);
  }
}

void Engine::State::remember(const TopicPlace& place, const MessageRef& message,
                             Ticket visible_after) {
  if (place.destination ? is_temporary(place.destination->kind)
                        : is_temporary(message->destination_kind())) {
    return;
  }
  const std::string_view name =
      place.destination ? std::string_view(place.destination->name) : message->destination_name();
  auto& policy = place.topic->policy;
  if (!policy) policy = settings.policies.find(DestinationKind::topic, name);
  if (policy->recovery.kind == RecoveryPolicy::Kind::none) return;

  auto known = memories.find(name);
  if (known == memories.end()) {
    if (memories.size() >= limits.retroactive_topics_max) {
      // The limit of bytes may have taken the last of others.
      std::erase_if(memories, [](const auto& each) { return each.second.messages.empty(); });
      if (memories.size() >= limits.retroactive_topics_max) return;
    }
    known = memories.emplace(std::string(name), TopicMemory{}).first;
    known->second.policy = policy;
  }
  TopicMemory& memory = known->second;
  remembered.push_back(
      {&memory, message, place.destination, visible_after, now, ++remember_serial_});
  memory.messages.push_back(std::prev(remembered.end()));
  memory.bytes += message->flat().size();
  remembered_bytes += message->footprint();
  prune(memory);
  while (remembered_bytes > limits.retroactive_bytes_max) forget_oldest(*remembered.front().memory);
  if (memory.messages.empty()) {
    memories.erase(known);
  } else if (policy->recovery.kind == RecoveryPolicy::Kind::timed && !planned(Timer::retroactive)) {
    wake_at(Timer::retroactive, now + std::max(policy->recovery.duration, kPruningPeriod));
  }
}

void Engine::State::forget_oldest(TopicMemory& memory) {
  const auto oldest = memory.messages.front();
  memory.messages.pop_front();
  memory.bytes -= oldest->message->flat().size();
  remembered_bytes -= oldest->message->footprint();
  remembered.erase(oldest);
}

/// Drops what the topic's policy does not keep.
void Engine::State::prune(TopicMemory& memory) {
  const RecoveryPolicy& policy = memory.policy->recovery;
  const auto beyond = [&] {
    switch (policy.kind) {
      case RecoveryPolicy::Kind::none:
        return true;
      case RecoveryPolicy::Kind::last_image:
        return memory.messages.size() > 1;
      case RecoveryPolicy::Kind::fixed_count:
        return memory.messages.size() > policy.count;
      case RecoveryPolicy::Kind::fixed_size:
        return memory.bytes > policy.bytes;
      case RecoveryPolicy::Kind::timed:
        return memory.messages.front()->at + policy.duration <= now;
    }
    PABAL_UNREACHABLE();
  };
  while (!memory.messages.empty() && beyond()) forget_oldest(memory);
}

void Engine::State::prune_by_time() {
  std::optional<TimePoint> next;
  for (auto at = memories.begin(); at != memories.end();) {
    TopicMemory& memory = at->second;
    if (memory.policy->recovery.kind == RecoveryPolicy::Kind::timed) {
      prune(memory);
      if (memory.messages.empty()) {
        at = memories.erase(at);
        continue;
      }
      const TimePoint due = memory.messages.front()->at + memory.policy->recovery.duration;
      next = next ? std::min(*next, due) : due;
    } else if (memory.messages.empty()) {  // the limit took the last
      at = memories.erase(at);
      continue;
    }
    ++at;
  }
  if (next) wake_at(Timer::retroactive, std::max(*next, now + kPruningPeriod));
}

/// Gives a new subscription what its topics remember, in the order in which it came, before
/// anything live. What would take it over a limit, the oldest, it does not get.
void Engine::State::remind(Subscription& subscription) {
  if (memories.empty()) return;
  std::vector<const Remembered*> found;
  const auto look = [&](TopicMemory& memory) {
    if (!subscription.options.retroactive && !memory.policy->always_retroactive) return;
    prune(memory);
    for (std::size_t i = 0; i < memory.messages.size(); ++i) {
      const Remembered& each = *memory.messages[i];
      const auto& selector = subscription.selector;
      const bool local = is_local(subscription, *each.message);
      if (local || each.message->expired(now)) continue;
      if (selector && !selector->matches(*each.message, {0, false, each.destination.get()}))
        continue;
      found.push_back(&each);
    }
  };
  for (const auto& interest : subscription.options.interests) {
    if (interest.destination.kind != DestinationKind::topic) continue;
    if (!interest.destination.is_pattern()) {
      const auto known = memories.find(interest.destination.name);
      if (known != memories.end()) look(known->second);
      continue;
    }
    for (auto& [name, memory] : memories) {
      if (matches(interest.destination.name, name)) look(memory);
    }
  }
  std::sort(found.begin(), found.end(),
            [](const auto* one, const auto* other) { return one->serial < other->serial; });
  found.erase(std::unique(found.begin(), found.end()), found.end());  // interests may overlap

  std::uint64_t room = limits.topic_pending_bytes_max;
  if (limits.memory_bytes_max != 0) {
    const auto held = std::min(held_bytes, limits.memory_bytes_max);
    room = std::min(room, limits.memory_bytes_max - held);
  }
  auto first = found.end();
  while (first != found.begin() && (*std::prev(first))->message->footprint() <= room) {
    --first;
    room -= (*first)->message->footprint();
  }
  for (; first != found.end(); ++first) {
    const Remembered& each = **first;
    subscription.pending_bytes += each.message->footprint();
    held_bytes += each.message->footprint();
    subscription.pending.push_back({each.message, each.visible_after, each.destination});
  }
  if (subscription.has_waiting()) mark_ready(subscription);
}

}  // namespace pabal::core
