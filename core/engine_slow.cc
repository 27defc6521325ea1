#include <algorithm>
#include <utility>

#include "core/engine_state.h"

// Consumers that do not keep up. What waits for a topic subscription without a list is limited by
// the pendingMessageLimitStrategy of its destination and by its own wish, and above that the
// eviction strategy says what goes. Whoever is slow for long is ended by the slowConsumerStrategy.

namespace pabal::core {
namespace {

/// An eviction looks at so many of the oldest that wait, and no more.
constexpr std::size_t kEvictionScanMax = 1024;

std::uint64_t pending_max_of_policy(const Subscription& subscription) noexcept {
  const PendingLimit& limit = subscription.policy->pending_limit;
  switch (limit.kind) {
    case PendingLimit::Kind::none:
      return kEverything;
    case PendingLimit::Kind::constant:
      return limit.messages < 0 ? kEverything : static_cast<std::uint64_t>(limit.messages);
    case PendingLimit::Kind::prefetch_rate:
      return static_cast<std::uint64_t>(std::max(0.0, limit.rate) * subscription.options.prefetch);
  }
  PABAL_UNREACHABLE();
}

std::uint64_t pending_max(const Subscription& subscription) noexcept {
  const std::uint64_t own = subscription.options.pending_max;
  const std::uint64_t of_policy = pending_max_of_policy(subscription);
  return own == 0 ? of_policy : std::min(own, of_policy);
}

/// Deliveries that it may have at once, beside what is out.
std::uint64_t unused_credit(const Subscription& subscription) noexcept {
  const std::uint64_t prefetch = subscription.options.prefetch;
  return subscription.granted + (prefetch > subscription.out ? prefetch - subscription.out : 0);
}

bool same_value(const std::optional<Property>& a, const std::optional<Property>& b) {
  return a && b && a->type == b->type && a->integer == b->integer && a->real == b->real &&
         a->text == b->text;
}

}  // namespace

/// Prefetch, pending limit and slow-consumer strategy of a subscription are those of its
/// destination: at SUBSCRIBE, and again when the configuration changes.
void Engine::State::apply_policy(Subscription& subscription) {
  const Destination& destination = subscription.interest().destination;
  subscription.policy = settings.policies.find(destination.kind, destination.name);
  watch_slow(subscription);
}

// --- what waits ----------------------------------------------------------------------------------

std::uint64_t Engine::State::limit_pending(Subscription& subscription) {
  std::uint64_t most = pending_max(subscription);
  if (most != kEverything) most += unused_credit(subscription);  // the limit is for what is beyond
  std::uint64_t dropped = 0;
  auto& pending = subscription.pending;
  const auto drop = [&](std::size_t at) {
    const Message& message = *pending[at].message;
    subscription.pending_bytes -= message.footprint();
    if (hears(AdvisoryTopic::discarded) && !may_be_advisory(message)) {
      const auto& place = pending[at].destination;
      advise_message(AdvisoryKind::message_discarded, place ? *place : message.destination(),
                     message, *subscription.policy, &subscription,
                     static_cast<std::int64_t>(subscription.dropped + dropped + 1));
    }
    unhold(message);
    if (at == 0) {
      pending.pop_front();
    } else {
      for (std::size_t i = at; i > 0; --i) pending[i] = std::move(pending[i - 1]);
      pending.pop_front();
    }
    ++dropped;
  };
  const auto watermark = subscription.policy->eviction.expired_high_watermark;
  if (pending.size() > most && pending.size() > watermark) {
    for (std::size_t i = std::min(pending.size(), kEvictionScanMax); i-- > 0;) {
      if (!pending[i].message->expired(now)) continue;
      ++totals.expired;
      drop(i);
      --dropped;
    }
  }
  while (!pending.empty() && pending.size() > most) drop(eviction_candidate(subscription));
  subscription.dropped += dropped;
  totals.dropped += dropped;
  return dropped;
}

/// Which of those that wait goes, by the eviction strategy; the newest is what has just come.
std::size_t Engine::State::eviction_candidate(const Subscription& subscription) const {
  const EvictionStrategy& strategy = subscription.policy->eviction;
  const auto& pending = subscription.pending;
  const std::size_t look_at = std::min(pending.size(), kEvictionScanMax);
  std::size_t candidate = 0;
  switch (strategy.kind) {
    case EvictionStrategy::Kind::oldest:
      break;
    case EvictionStrategy::Kind::oldest_with_lowest_priority:
      for (std::size_t i = 1; i < look_at; ++i) {
        if (pending[i].message->priority() < pending[candidate].message->priority()) candidate = i;
      }
      break;
    case EvictionStrategy::Kind::unique_property: {
      const auto newest = pending.back().message->property(strategy.property);
      for (std::size_t i = 0; i < look_at && i + 1 < pending.size(); ++i) {
        if (same_value(pending[i].message->property(strategy.property), newest)) return i;
      }
      break;
    }
  }
  return candidate;
}

// --- who is slow ---------------------------------------------------------------------------------

/// Plans the next look at the subscription, if its strategy wants one.
void Engine::State::watch_slow(Subscription& subscription) {
  const SlowConsumerStrategy& strategy = subscription.policy->slow_consumer;
  if (subscription.slow_check != TimePoint{}) {
    slow_checks.erase({subscription.slow_check, subscription.id});
    subscription.slow_check = TimePoint{};
  }
  if (strategy.kind == SlowConsumerStrategy::Kind::none) {
    subscription.slow_since.reset();
    subscription.slow_count = 0;
    return;
  }
  subscription.slow_check = now + std::max(strategy.check_period, milliseconds(1));
  slow_checks.emplace(subscription.slow_check, subscription.id);
  wake_at(Timer::slow_consumers, subscription.slow_check);
}

/// Something waits that it does not take; or, by its acknowledgements, it has something out for too
/// long.
bool Engine::State::is_slow(const Subscription& subscription) const {
  const SlowConsumerStrategy& strategy = subscription.policy->slow_consumer;
  if (strategy.kind == SlowConsumerStrategy::Kind::abort_slow_ack) {
    if (subscription.out == 0 && strategy.ignore_idle_consumers) return false;
    return now - subscription.last_progress >= strategy.max_time_since_last_ack;
  }
  const bool takes_none = !subscription.has_credit() ||
                          subscription.connection.unwritten_bytes >= limits.unwritten_bytes_max;
  return takes_none && (subscription.has_waiting() || !subscription.blocked.empty());
}

void Engine::State::check_slow_consumers(std::uint32_t& steps) {
  while (!slow_checks.empty() && slow_checks.begin()->first <= now) {
    if (steps == 0) return;
    --steps;
    auto* subscription = subscriptions.find(slow_checks.begin()->second);
    if (subscription == nullptr) {
      slow_checks.erase(slow_checks.begin());
      continue;
    }
    const SlowConsumerStrategy& strategy = subscription->policy->slow_consumer;
    const TimePoint looked_before = subscription->slow_check - strategy.check_period;
    watch_slow(*subscription);
    if (!is_slow(*subscription)) {
      subscription->slow_since.reset();
      subscription->slow_count = 0;
      continue;
    }
    // It was not slow when it was looked at before, or it was: counted from there.
    if (!subscription->slow_since)
      subscription->slow_since = std::max(looked_before, subscription->last_progress);
    ++subscription->slow_count;
    const milliseconds slow_for = now - *subscription->slow_since;
    const bool too_often =
        strategy.max_slow_count > 0 && subscription->slow_count >= strategy.max_slow_count;
    const bool too_long =
        strategy.max_slow_duration.count() > 0 && slow_for >= strategy.max_slow_duration;
    if (!too_often && !too_long) continue;
    abort_slow(*subscription, "found slow " + std::to_string(subscription->slow_count) +
                                  " times in a row, for " + std::to_string(slow_for.count()) +
                                  " ms");
  }
  slow_checks_due = false;
  if (!slow_checks.empty()) wake_at(Timer::slow_consumers, slow_checks.begin()->first);
}

/// The consumer gets nothing more from here on, and its client is told why. STOMP cannot end one
/// subscription from the broker's side without leaving the client to wait for ever, so its
/// connection ends in any case.
void Engine::State::abort_slow(Subscription& subscription, const std::string& why) {
  Connection& connection = subscription.connection;
  ++slow_consumers_aborted;
  order(connection, ConnectionOrder::close,
        "slow consumer of " + subscription.interest().destination.to_text() + " aborted: " + why);
  if (!subscription.policy->slow_consumer.abort_connection) {
    unsubscribe(subscription, kAllSeen);
    return;
  }
  const auto ended = connection.subscriptions;
  for (const auto id : ended) unsubscribe(*subscriptions.find(id), kAllSeen);
}

}  // namespace pabal::core
