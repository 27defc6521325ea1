#pragma once

#include <array>
#include <cstdint>

namespace pabal::cli::bench {

/// Counts durations with an error below 1 %: 128 buckets in each power of two. Fixed memory, no
/// allocation, a few instructions per value.
class Histogram {
 public:
  void record(std::uint64_t nanoseconds) noexcept;
  void merge(const Histogram& other) noexcept;
  /// The value that `fraction` of all values do not exceed (upper edge of its bucket, at most the
  /// maximum); 0 without values.
  std::uint64_t quantile(double fraction) const noexcept;
  std::uint64_t maximum() const noexcept { return maximum_; }
  std::uint64_t count() const noexcept { return count_; }

 private:
  static constexpr unsigned kSubBits = 7;
  static constexpr std::size_t kBuckets = (64 - kSubBits + 1) << kSubBits;

  std::array<std::uint32_t, kBuckets> buckets_{};
  std::uint64_t count_ = 0;
  std::uint64_t maximum_ = 0;
};

}  // namespace pabal::cli::bench
