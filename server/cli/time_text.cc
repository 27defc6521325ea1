#include "server/cli/time_text.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <ctime>

#include "core/duration_text.h"

namespace pabal::cli {

bool is_time(std::string_view member) noexcept {
  constexpr std::string_view kTimes[] = {
      "due",
      "expiration",
      "lastErrorAt",
      "oldestInFlightSince",
      "oldestSince",
      "sent",
      "since",
      "sinceMillis",
      "startsAt",
      "timestamp",
      "transactionSince",
      "xaOldestPrepared",
  };
  return std::find(std::begin(kTimes), std::end(kTimes), member) != std::end(kTimes);
}

std::int64_t now_millis() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::string time_text(std::int64_t millis, std::int64_t now) {
  if (millis == 0) return {};
  const std::time_t seconds = millis / 1000;
  std::tm parts{};
  std::array<char, 40> date{};
  if (::gmtime_r(&seconds, &parts) == nullptr ||
      std::strftime(date.data(), date.size(), "%Y-%m-%dT%H:%M:%SZ", &parts) == 0) {
    return std::to_string(millis);
  }
  const auto distance = [](std::int64_t from, std::int64_t to) {
    return core::duration_text(std::chrono::milliseconds(to - from));
  };
  return std::string(date.data()) + (millis > now ? " (in " + distance(now, millis) + ")"
                                                  : " (" + distance(millis, now) + " ago)");
}

}  // namespace pabal::cli
