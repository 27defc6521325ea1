#include "core/duration_text.h"

#include <algorithm>
#include <cstdint>
#include <string_view>

namespace pabal::core {
namespace {

/// The second unit is left out where there is none of it.
std::string two_units(std::int64_t first, std::string_view unit, std::int64_t second,
                      std::string_view smaller) {
  std::string text = std::to_string(first) + ' ' + std::string(unit);
  if (second > 0) text += ' ' + std::to_string(second) + ' ' + std::string(smaller);
  return text;
}

}  // namespace

std::string duration_text(std::chrono::milliseconds duration) {
  const std::int64_t millis = std::max<std::int64_t>(duration.count(), 0);
  const std::int64_t seconds = millis / 1000;
  if (seconds == 0) return std::to_string(millis) + " ms";
  if (seconds < 10 && millis % 1000 >= 100) {
    return std::to_string(seconds) + '.' + std::to_string(millis % 1000 / 100) + " s";
  }
  if (seconds < 60) return std::to_string(seconds) + " s";
  const std::int64_t minutes = seconds / 60;
  if (minutes < 60) return two_units(minutes, "min", seconds % 60, "s");
  const std::int64_t hours = minutes / 60;
  if (hours < 24) return two_units(hours, "h", minutes % 60, "min");
  return two_units(hours / 24, "d", hours % 24, "h");
}

}  // namespace pabal::core
