#include "server/cli/bench/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace pabal::cli::bench {

// Values below 2^7 have a bucket each; above, the leading bit chooses the row and the seven bits
// after it the bucket.

void Histogram::record(std::uint64_t nanoseconds) noexcept {
  const unsigned width = static_cast<unsigned>(std::bit_width(nanoseconds));
  const unsigned shift = width > kSubBits + 1 ? width - kSubBits - 1 : 0;
  ++buckets_[(std::size_t{shift} << kSubBits) + (nanoseconds >> shift)];
  ++count_;
  maximum_ = std::max(maximum_, nanoseconds);
}

void Histogram::merge(const Histogram& other) noexcept {
  for (std::size_t i = 0; i < kBuckets; ++i) buckets_[i] += other.buckets_[i];
  count_ += other.count_;
  maximum_ = std::max(maximum_, other.maximum_);
}

std::uint64_t Histogram::quantile(double fraction) const noexcept {
  const auto wanted = static_cast<std::uint64_t>(std::ceil(fraction * static_cast<double>(count_)));
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < kBuckets; ++i) {
    seen += buckets_[i];
    if (seen == 0 || seen < wanted) continue;
    const std::size_t row = i >> kSubBits;
    const unsigned shift = row == 0 ? 0 : static_cast<unsigned>(row - 1);
    const std::uint64_t place = i - (std::size_t{shift} << kSubBits);
    return std::min(((place + 1) << shift) - 1, maximum_);
  }
  return maximum_;
}

}  // namespace pabal::cli::bench
