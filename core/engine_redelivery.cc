#include <algorithm>
#include <cmath>
#include <utility>

#include "core/engine_state.h"

// What a consumer refused, where the destination has a redelivery policy: whether it is tried
// again, and when.
//
// It keeps its place in the list, belongs to nobody, and blocks nothing behind it. While it waits,
// Reader::delayed has it by its place and State::delayed by its time; the body of a stored message
// is not kept. When its time has come it is in Reader::due until it is read back, neighbours
// together and only so many at a time, and then in Reader::returned like whatever came back.
//
// Only refusals use up the maximum. A delivery lost with its connection is counted as well (the
// store keeps both counts), but is neither delayed nor ever a reason to die. A crash forgets the
// delay, not the counts: what waited is offered at once, marked as redelivered.

namespace pabal::core {
namespace {

constexpr std::uint16_t kRefusalsMax = 0xFFFF;
/// What is read back at a time, and what may be waiting for a consumer when more is read.
constexpr std::size_t kRecalledMax = 1024;
constexpr std::uint64_t kRecalledBytesMax = 4ULL << 20;
constexpr std::size_t kReturnedEnough = 256;
/// The same when only consumers with selectors are there, who may want none of it.
constexpr std::size_t kReturnedUnwantedMax = 65'536;
constexpr milliseconds kDamagedAgain{60'000};
constexpr milliseconds kDelayMax{std::chrono::hours(24 * 365)};

/// From -1 to 1, the same for the same message and count.
double jitter_of(const Message& message, std::uint32_t refusals) noexcept {
  std::uint64_t mixed = message.origin() * 0x9E3779B97F4A7C15ULL + message.sequence();
  mixed += (refusals + 1) * 0xD1B54A32D192ED03ULL;
  mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9ULL;
  mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EBULL;
  mixed ^= mixed >> 31;
  return static_cast<double>(mixed >> 11) / static_cast<double>(1ULL << 52) - 1.0;
}

/// As ActiveMQ: the initial delay first, then the one before it, multiplied, or `delay`.
milliseconds delay_of(const RedeliveryPolicy& policy, const Message& message,
                      std::uint32_t refusals) {
  const auto most = static_cast<double>(policy.maximum_delay.count() < 0
                                            ? kDelayMax.count()
                                            : std::max(policy.maximum_delay, policy.delay).count());
  auto wait = static_cast<double>(policy.initial_delay.count());
  const bool grows = policy.exponential_back_off && policy.back_off_multiplier > 1;
  for (std::uint32_t i = 0; i < refusals; ++i) {
    if (!grows || wait <= 0) {
      wait = static_cast<double>(policy.delay.count());
      if (!grows || wait <= 0) break;
      continue;
    }
    wait *= policy.back_off_multiplier;
    if (wait > most) {
      wait = most;
      break;
    }
  }
  if (policy.collision_avoidance) {
    wait *= 1.0 + jitter_of(message, refusals) * policy.collision_avoidance_percent / 100.0;
  }
  return milliseconds(std::llround(std::clamp(wait, 0.0, static_cast<double>(kDelayMax.count()))));
}

}  // namespace

// --- refused -------------------------------------------------------------------------------------

Fate Engine::State::fate_of(const Reader* reader, const Entry& entry, AckKind kind) const {
  if (kind == AckKind::consumed) return Fate::done;
  if (kind == AckKind::expired) return Fate::dead;
  const auto policy = policy_of(reader, *entry.message);
  if (!policy->redelivery) return kind == AckKind::requeued ? Fate::returned : Fate::dead;
  const std::int32_t most = policy->redelivery->maximum_redeliveries;
  return most < 0 || entry.refusals < most ? Fate::delayed : Fate::dead;
}

/// Neighbours are joined.
void Engine::State::count_failure(const Reader& reader, int priority, std::uint64_t sequence,
                                  StoreOpKind kind, std::vector<StoreOp>& counts) {
  if (!counts.empty() && counts.back().kind == kind && counts.back().list == reader.list.id &&
      counts.back().reader == reader.id && counts.back().priority == priority &&
      counts.back().last + 1 == sequence) {
    counts.back().last = sequence;
    return;
  }
  StoreOp operation;
  operation.kind = kind;
  operation.priority = static_cast<std::uint8_t>(priority);
  operation.list = reader.list.id;
  operation.reader = reader.id;
  operation.first = operation.last = sequence;
  counts.push_back(std::move(operation));
}

void Engine::State::delay(InFlight& delivery, std::vector<StoreOp>& counts) {
  Reader& reader = *delivery.reader;
  const int priority = delivery.priority;
  Entry entry = std::move(delivery.entry);
  const auto policy = policy_of(&reader, *entry.message);
  const auto wait = delay_of(*policy->redelivery, *entry.message, entry.refusals);
  ++entry.deliveries;
  if (entry.refusals < kRefusalsMax) ++entry.refusals;
  no_longer_out(reader, entry);
  if (!entry.is_volatile) {
    count_failure(reader, priority, entry.sequence, StoreOpKind::count_refusal, counts);
  }
  if (wait.count() == 0 || redeliveries_waiting >= limits.delayed_max) {
    put_back(reader, priority, std::move(entry));
    return;
  }
  DelayedEntry waiting;
  waiting.due = now + wait;
  if (entry.message->expiration() != 0) note_expiry(reader.list, priority, entry);
  if (!entry.is_volatile) {
    waiting.bytes = static_cast<std::uint32_t>(entry.message->flat().size());
    unhold(*entry.message);
    entry.message.reset();
  }
  const std::pair place(9 - priority, entry.sequence);
  waiting.entry = std::move(entry);
  plan_redelivery({waiting.due, reader.list.id, reader.id, SubscriptionId{}, place});
  reader.delayed.emplace(place, std::move(waiting));
  ++redeliveries_waiting;
  mark_ready(reader);  // to say why it waits
}

/// A topic message without a list comes back to the subscription that had it.
void Engine::State::delay_copy(Subscription& subscription, InFlight& delivery) {
  const auto policy = policy_of(nullptr, *delivery.entry.message);
  const auto wait = delay_of(*policy->redelivery, *delivery.entry.message, delivery.entry.refusals);
  if (delivery.entry.refusals < kRefusalsMax) ++delivery.entry.refusals;
  if (wait.count() == 0 || redeliveries_waiting >= limits.delayed_max) {
    return_to_subscription(subscription, delivery);
    return;
  }
  DelayedCopy waiting{now + wait, {std::move(delivery.entry), std::move(delivery.destination)}};
  ++waiting.message.entry.deliveries;
  subscription.pending_bytes += waiting.message.entry.message->footprint();
  const auto sequence = waiting.message.entry.sequence;
  plan_redelivery({waiting.due, ListId{}, ReaderId{}, subscription.id, std::pair(0, sequence)});
  subscription.delayed.emplace(sequence, std::move(waiting));
  ++redeliveries_waiting;
}

void Engine::State::plan_redelivery(const DelayedKey& key) {
  delayed.insert(key);
  wake_at(Timer::redelivery, key.due);
}

// --- due -----------------------------------------------------------------------------------------

void Engine::State::release_redeliveries(std::uint32_t& steps) {
  // Not all of the entry: whoever is ready has its turn as well.
  std::uint32_t most = std::max<std::uint32_t>(1, steps / 4);
  while (!delayed.empty() && delayed.begin()->due <= now) {
    if (most == 0) return;
    --most;
    --steps;
    const DelayedKey key = *delayed.begin();
    delayed.erase(delayed.begin());
    release_redelivery(key);
  }
  redeliveries_due = false;
  if (!delayed.empty()) wake_at(Timer::redelivery, delayed.begin()->due);
}

void Engine::State::release_redelivery(const DelayedKey& key) {
  if (auto* subscription = subscriptions.find(key.subscription)) {
    const auto at = subscription->delayed.find(key.place.second);
    PABAL_CHECK(at != subscription->delayed.end(), "planned with it");
    subscription->returned.emplace(at->first, std::move(at->second.message));
    subscription->delayed.erase(at);
    --redeliveries_waiting;
    mark_ready(*subscription);
    return;
  }
  const auto list = lists.find(key.list);
  if (list == lists.end()) return;  // removed: clear_list() gets to it
  const auto& readers = list->second->readers;
  const auto reader = std::find_if(readers.begin(), readers.end(),
                                   [&](const auto& each) { return each->id == key.reader; });
  PABAL_CHECK(reader != readers.end(), "remove_reader() forgets what is planned");
  const auto at = (*reader)->delayed.find(key.place);
  PABAL_CHECK(at != (*reader)->delayed.end(), "planned with it");
  if (at->second.entry.message) {
    Entry entry = std::move(at->second.entry);
    (*reader)->delayed.erase(at);
    --redeliveries_waiting;
    put_back(**reader, 9 - key.place.first, std::move(entry));
    return;
  }
  (*reader)->due.insert(key.place);
  mark_ready(**reader);  // without a consumer nothing is read
}

void Engine::State::recall_due(Reader& reader) {
  const std::size_t enough = reader.front.active() ? kReturnedEnough : kReturnedUnwantedMax;
  if (reader.recalled > 0 || reader.returned.size() >= enough) return;
  std::size_t count = 0;
  std::uint64_t bytes = 0;
  while (!reader.due.empty() && count < kRecalledMax && bytes < kRecalledBytesMax) {
    const auto [place, first] = *reader.due.begin();
    std::uint64_t last = first;
    for (auto at = reader.due.begin();
         at != reader.due.end() && at->first == place && at->second <= last + 1 &&
         count < kRecalledMax && bytes < kRecalledBytesMax;
         at = reader.due.erase(at)) {
      DelayedEntry& waiting = reader.delayed.at(*at);
      waiting.recalled = true;
      last = at->second;
      bytes += waiting.bytes;
      ++count;
    }
    recall(reader, 9 - place, first, last);
  }
  reader.recalled += count;
}

void Engine::State::recalled(Reader& reader, int priority, std::uint64_t first,
                             std::uint64_t covered, bool damaged) {
  auto at = reader.delayed.lower_bound({9 - priority, first});
  while (at != reader.delayed.end() && at->first.first == 9 - priority &&
         at->first.second < covered) {
    if (!at->second.recalled) {
      ++at;
      continue;
    }
    --reader.recalled;
    if (!damaged) {
      at = reader.delayed.erase(at);  // acknowledged meanwhile
      --redeliveries_waiting;
      continue;
    }
    // It cannot be read now. It stays, and is counted; perhaps the disk is mended.
    at->second.recalled = false;
    at->second.due = now + kDamagedAgain;
    plan_redelivery({at->second.due, reader.list.id, reader.id, SubscriptionId{}, at->first});
    ++at;
  }
  if (!reader.due.empty() && reader.recalled == 0) mark_ready(reader);
}

// --- taken out -----------------------------------------------------------------------------------

std::optional<Entry> Engine::State::take_delayed(Reader& reader, int priority,
                                                 std::uint64_t sequence) {
  if (reader.delayed.empty()) return std::nullopt;
  const auto at = reader.delayed.find({9 - priority, sequence});
  if (at == reader.delayed.end()) return std::nullopt;
  if (at->second.recalled) {
    --reader.recalled;
  } else if (reader.due.erase(at->first) == 0) {
    delayed.erase({at->second.due, reader.list.id, reader.id, SubscriptionId{}, at->first});
  }
  Entry entry = std::move(at->second.entry);
  reader.delayed.erase(at);
  --redeliveries_waiting;
  return entry;
}

void Engine::State::forget_delayed(Reader& reader) {
  for (const auto& [place, waiting] : reader.delayed) {
    delayed.erase({waiting.due, reader.list.id, reader.id, SubscriptionId{}, place});
  }
  redeliveries_waiting -= reader.delayed.size();
  reader.delayed.clear();
  reader.due.clear();
  reader.recalled = 0;
}

void Engine::State::forget_delayed(Subscription& subscription) {
  for (const auto& [sequence, waiting] : subscription.delayed) {
    delayed.erase({waiting.due, ListId{}, ReaderId{}, subscription.id, std::pair(0, sequence)});
    unhold(*waiting.message.entry.message);
  }
  redeliveries_waiting -= subscription.delayed.size();
  subscription.delayed.clear();
}

}  // namespace pabal::core
