#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/destination.h"

// Topic names of MQTT and destinations of core, both ways.
//
// The characters of a name are swapped in pairs, `/` `.` and `+` `*` and `#` `>`, everything else
// stays as it is, `,` and `?` too. The swap is its own inverse, so that nothing is lost, and what
// is a wildcard on one side is a literal character on the other. Source: reference/mqtt.md A2.
//
// Queues are `$queue/NAME`. Other names that begin with `$` belong to the broker.

namespace pabal::mqtt {

/// A topic name of MQTT: 1 to 65,535 bytes of UTF-8 without U+0000 and without wildcards
/// [MQTT-4.7.0-1] [MQTT-4.7.3-1] [MQTT-4.7.3-2] [MQTT-4.7.3-3].
bool is_topic_name(std::string_view name) noexcept;

/// Where the wildcards of a filter may stand [MQTT-4.7.1-1] [MQTT-4.7.1-2]; `filter` is UTF-8.
/// `$share/…` is a filter like others here.
bool has_legal_wildcards(std::string_view filter) noexcept;
/// The same, with its length and UTF-8.
bool is_topic_filter(std::string_view filter) noexcept;

/// Swaps the characters; from MQTT to core and back.
void append_swapped(std::string& out, std::string_view name);
inline std::string swapped(std::string_view name) {
  std::string out;
  append_swapped(out, name);
  return out;
}

/// What a name of MQTT means here. `name` is in MQTT's spelling, a view of what was parsed.
struct TopicTarget {
  core::DestinationKind kind = core::DestinationKind::topic;
  std::string_view name;
  /// `$…` other than `$queue/…`: the broker's own. Clients may subscribe to it; see may_publish().
  bool reserved = false;

  [[nodiscard]] core::Destination to_destination() const { return {kind, swapped(name)}; }
};

/// What a PUBLISH, a will or a response topic names. Nullopt: `$queue/` without a name.
/// `name` is a topic name.
std::optional<TopicTarget> parse_topic_name(std::string_view name) noexcept;

/// A filter as a subscription means it.
struct FilterTarget {
  TopicTarget target;
  /// `$share/NAME/…` (MQTT 5.0 §4.8.2): the NAME; empty: not shared.
  std::string_view share_name;
};

/// Nullopt: `$share/` without a legal name and a filter behind it [MQTT-4.8.2-1] [MQTT-4.8.2-2], or
/// `$queue/` without a name. `filter` is a topic filter.
std::optional<FilterTarget> parse_topic_filter(std::string_view filter) noexcept;
/// Begins with `$share/`: shared, or meant to be.
inline bool is_shared(std::string_view filter) noexcept {
  return filter.starts_with("$share/");
}
/// Whether a client may send there. `dollar_topics`: also to topics that begin with `$`, but for
/// those that the broker speaks in, or that nobody could subscribe to.
bool may_publish(const TopicTarget& target, bool dollar_topics) noexcept;

/// Appends what MQTT calls a destination of core. False, and nothing appended, if MQTT has no name
/// for it: temporaries, wildcards or ill-formed UTF-8 in the name, too long, or a topic whose name
/// would be taken for a queue.
bool append_topic_name(std::string& out, core::DestinationKind kind, std::string_view name);

/// Whether a topic's messages are for subscribers with that filter, both in core's spelling and
/// both topics. Beside core::matches: a wildcard at the beginning does not match names that begin
/// with `$` [MQTT-4.7.2-1], nor do wildcards find the broker's advisories, which were made for
/// others: only a filter that says `ActiveMQ/Advisory` does.
bool matches_filter(std::string_view filter, std::string_view name) noexcept;
/// The half of it that core::matches does not know: whether wildcards of that filter must not find
/// the topic.
bool is_hidden_from(std::string_view filter, std::string_view name) noexcept;

/// Whether a delivery for a client's filter, `$share` and all, must be kept from it because core,
/// in which `>` finds advisory topics, and a filter of MQTT differ. Both in MQTT's spelling.
bool is_hidden_topic(std::string_view filter, std::string_view topic);

/// Whether a topic or filter of a client begins with the levels of the advisories.
bool names_advisories(std::string_view filter) noexcept;

}  // namespace pabal::mqtt
