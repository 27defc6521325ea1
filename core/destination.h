#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/result.h"

namespace pabal::core {

enum class DestinationKind : std::uint8_t {
  queue = 0,
  topic = 1,
  temporary_queue = 2,
  temporary_topic = 3
};

constexpr bool is_queue(DestinationKind kind) noexcept {
  return kind == DestinationKind::queue || kind == DestinationKind::temporary_queue;
}
constexpr bool is_temporary(DestinationKind kind) noexcept {
  return kind == DestinationKind::temporary_queue || kind == DestinationKind::temporary_topic;
}
/// "queue", "topic", "temp-queue", "temp-topic".
std::string_view to_string(DestinationKind kind) noexcept;

/// Longest destination name in bytes of UTF-8.
inline constexpr std::size_t kDestinationNameBytesMax = 4096;

/// A parsed destination: kind and name. Levels of the name are separated by '.'; as a pattern, the
/// level `*` matches any one level and a last level `>` matches zero or more (`a.>` matches `a`).
/// A wildcard as the first level matches no name that begins with `$`: such names are the broker's.
/// A plain value, compared by kind and name.
struct Destination {
  DestinationKind kind = DestinationKind::queue;
  std::string name;

  friend auto operator<=>(const Destination&, const Destination&) = default;

  /// Whether the name has a wildcard level; such a destination can be subscribed, not sent to.
  [[nodiscard]] bool is_pattern() const noexcept { return is_pattern_name(name); }
  /// "queue://a.b", for logs, management and ActiveMQ's originalDestination texts.
  [[nodiscard]] std::string to_text() const;

  static bool is_pattern_name(std::string_view name) noexcept;
};

/// Source: MQTT 5.0 §4.7.2.
constexpr bool is_reserved_name(std::string_view name) noexcept {
  return !name.empty() && name.front() == '$';
}
/// Whether `name` (no wildcards) is matched by `pattern`.
bool matches(std::string_view pattern, std::string_view name) noexcept;

/// Refuses empty and over-long names, and control characters. Errors: bad_destination.
Result<void> validate_destination_name(std::string_view name);

}  // namespace pabal::core
