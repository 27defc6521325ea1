#pragma once

#include <chrono>
#include <cstdint>

namespace pabal::server {

/// How long to wait between attempts: longer after each in vain, and never quite as long as
/// somebody else who began at the same time. Without a random source: the same seed waits the same.
class BackOff {
 public:
  struct Options {
    std::chrono::milliseconds initial{1000};
    std::chrono::milliseconds max{30'000};  ///< at least `initial` counts
    double multiplier = 2;                  ///< 1 or more
    std::uint64_t seed = 0;                 ///< another one for each who waits
  };
  explicit BackOff(const Options& options) noexcept;

  /// Before the next attempt: up to a quarter less than what has come to its turn.
  std::chrono::milliseconds next() noexcept;
  /// An attempt had success: the next delay is the initial one again.
  void reset() noexcept { delay_ = options_.initial; }

 private:
  const Options options_;
  std::chrono::milliseconds delay_;
  std::uint64_t count_ = 0;
};

}  // namespace pabal::server
