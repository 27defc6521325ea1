#pragma once

#include <algorithm>
#include <cstdint>

namespace pabal::store {

/// How often deliveries of one entry to one reader came to nothing: all of them in the low half,
/// those that its consumer refused in the high half. Each half stays at its most.
using DeliveryCounts = std::uint32_t;

inline constexpr std::uint32_t kDeliveryCountMax = 0xFFFF;

inline std::uint32_t deliveries_of(DeliveryCounts counts) noexcept {
  return counts & kDeliveryCountMax;
}
inline std::uint32_t refusals_of(DeliveryCounts counts) noexcept {
  return counts >> 16;
}

/// One more; `refused`: by its consumer, and not lost with it.
inline DeliveryCounts count_one(DeliveryCounts counts, bool refused) noexcept {
  const std::uint32_t deliveries = std::min(deliveries_of(counts) + 1, kDeliveryCountMax);
  const std::uint32_t refusals =
      std::min(refusals_of(counts) + (refused ? 1U : 0U), kDeliveryCountMax);
  return refusals << 16 | deliveries;
}

/// At least as many as both say.
inline DeliveryCounts highest(DeliveryCounts one, DeliveryCounts other) noexcept {
  return std::max(refusals_of(one), refusals_of(other)) << 16 |
         std::max(deliveries_of(one), deliveries_of(other));
}

}  // namespace pabal::store
