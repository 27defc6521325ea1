#include "core/time_stamping.h"

#include <limits>

namespace pabal::core {
namespace {

/// A message is a copy for the sake of its stamp only if that is wrong by more.
constexpr std::int64_t kTolerance = 100;

}  // namespace

MessageRef stamped(const TimeStamping& rules, const MessageRef& message, TimePoint now) {
  const std::int64_t time = to_millis(now);
  const std::int64_t before = message->expiration();
  std::int64_t time_to_live = rules.zero_expiration_override.count();
  if (before > 0) time_to_live = before - message->timestamp();
  const std::int64_t ceiling = rules.ttl_ceiling.count();
  if (time_to_live > 0 && ceiling > 0 && time_to_live > ceiling) time_to_live = ceiling;
  if (time_to_live > std::numeric_limits<std::int64_t>::max() - time) return message;
  const std::int64_t after = time_to_live + time;
  if (rules.future_only && after <= before) return message;

  const std::int64_t off = message->timestamp() - time;
  const bool same_time = off <= kTolerance && off >= -kTolerance;
  // A stamp that stays goes with the expiration that it was sent with, unless that is changed.
  const std::int64_t drift = before - (time_to_live > 0 ? after : before);
  const bool same_end = drift <= kTolerance && drift >= -kTolerance;
  if (same_time && same_end) return message;
  MessageBuilder builder(*message);
  builder.timestamp = time;
  if (time_to_live > 0) builder.expiration = after;
  const auto built = builder.build();
  return built ? *built : message;
}

}  // namespace pabal::core
