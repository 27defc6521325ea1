#include "server/back_off.h"

#include <algorithm>

namespace pabal::server {
namespace {

/// SplitMix64: neighbouring numbers become unlike ones.
std::uint64_t mixed(std::uint64_t number) noexcept {
  number += 0x9E37'79B9'7F4A'7C15;
  number = (number ^ (number >> 30)) * 0xBF58'476D'1CE4'E5B9;
  number = (number ^ (number >> 27)) * 0x94D0'49BB'1331'11EB;
  return number ^ (number >> 31);
}

}  // namespace

BackOff::BackOff(const Options& options) noexcept : options_(options), delay_(options.initial) {}

std::chrono::milliseconds BackOff::next() noexcept {
  const std::int64_t full = delay_.count();
  const std::int64_t most = std::max(options_.max, options_.initial).count();
  const double longer = static_cast<double>(full) * options_.multiplier;
  delay_ = std::chrono::milliseconds(
      longer >= static_cast<double>(most) ? most : static_cast<std::int64_t>(longer));
  const auto quarter = static_cast<std::uint64_t>(full / 4);
  const std::uint64_t less = mixed(options_.seed + ++count_) % (quarter + 1);
  return std::chrono::milliseconds(full - static_cast<std::int64_t>(less));
}

}  // namespace pabal::server
