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
/// Whether `name` (no wildcards) is matched by `pattern`, which may be a list's composite name.
bool matches(std::string_view pattern, std::string_view name) noexcept;

/// Stands between the names in the one of a list that several topics (or patterns of them) feed: of
/// a durable subscription to a composite. No client can write it.
inline constexpr char kCompositeSeparator = '\x1f';
constexpr bool is_composite_name(std::string_view name) noexcept {
  return name.find(kCompositeSeparator) != std::string_view::npos;
}
/// Calls `visit(part)` for each name in that of a list: mostly it is one.
template <class Visit>
void for_each_part(std::string_view name, Visit visit) {
  for (;;) {
    const auto end = name.find(kCompositeSeparator);
    visit(name.substr(0, end));
    if (end == std::string_view::npos) return;
    name.remove_prefix(end + 1);
  }
}

/// Refuses empty and over-long names, and control characters. Errors: bad_destination.
Result<void> validate_destination_name(std::string_view name);

}  // namespace pabal::core
