#include "protocols/mqtt/topic_names.h"

#include <array>
#include <cstdint>

#include "core/advisory.h"
#include "protocols/mqtt/level.h"
#include "protocols/mqtt/utf8.h"

namespace pabal::mqtt {
namespace {

constexpr std::string_view kQueuePrefix = "$queue/";
constexpr std::string_view kSharePrefix = "$share/";
/// Of the broker's own topics whose names do not begin with `$`; in core's spelling.
using core::kAdvisoryPrefix;
constexpr std::string_view kAdvisoryLevels = "ActiveMQ/Advisory/";

constexpr std::array<char, 256> kSwapped = [] {
  std::array<char, 256> swapped{};
  for (std::size_t i = 0; i < swapped.size(); ++i) swapped[i] = static_cast<char>(i);
  constexpr std::string_view kPairs = "/.+*#>";
  for (std::size_t i = 0; i < kPairs.size(); i += 2) {
    swapped[static_cast<std::size_t>(kPairs[i])] = kPairs[i + 1];
    swapped[static_cast<std::size_t>(kPairs[i + 1])] = kPairs[i];
  }
  return swapped;
}();

/// `name` without `$queue/`, or as a topic. Nullopt: nothing behind it.
std::optional<TopicTarget> parse_target(std::string_view name) noexcept {
  if (name.front() != '$') return TopicTarget{core::DestinationKind::topic, name, false};
  if (!name.starts_with(kQueuePrefix)) {
    return TopicTarget{core::DestinationKind::topic, name, true};
  }
  name.remove_prefix(kQueuePrefix.size());
  if (name.empty()) return std::nullopt;
  return TopicTarget{core::DestinationKind::queue, name, false};
}

}  // namespace

bool is_topic_name(std::string_view name) noexcept {
  return !name.empty() && name.size() <= kTextBytesMax && is_utf8_without_wildcards(name);
}

bool has_legal_wildcards(std::string_view filter) noexcept {
  const std::size_t size = filter.size();
  for (std::size_t at = 0; at < size; ++at) {
    const char c = filter[at];
    if (c != '+' && c != '#') continue;
    if (at != 0 && filter[at - 1] != '/') return false;
    if (at + 1 != size && (c == '#' || filter[at + 1] != '/')) return false;
  }
  return true;
}

bool is_topic_filter(std::string_view filter) noexcept {
  return !filter.empty() && filter.size() <= kTextBytesMax && is_utf8(filter) &&
         has_legal_wildcards(filter);
}

void append_swapped(std::string& out, std::string_view name) {
  const std::size_t start = out.size();
  out.append(name);
  char* const to = out.data() + start;
  for (std::size_t i = 0; i < name.size(); ++i) {
    to[i] = kSwapped[static_cast<unsigned char>(to[i])];
  }
}

std::optional<TopicTarget> parse_topic_name(std::string_view name) noexcept {
  if (name.empty()) return std::nullopt;
  return parse_target(name);
}

std::optional<FilterTarget> parse_topic_filter(std::string_view filter) noexcept {
  FilterTarget parsed;
  if (is_shared(filter)) {
    filter.remove_prefix(kSharePrefix.size());
    const std::size_t slash = filter.find('/');
    if (slash == std::string_view::npos) return std::nullopt;
    parsed.share_name = filter.substr(0, slash);
    if (parsed.share_name.empty() ||
        parsed.share_name.find_first_of("+#") != std::string_view::npos) {
      return std::nullopt;
    }
    filter.remove_prefix(slash + 1);
  }
  if (filter.empty()) return std::nullopt;
  const auto target = parse_target(filter);
  if (!target) return std::nullopt;
  parsed.target = *target;
  return parsed;
}

bool may_publish(const TopicTarget& target, bool dollar_topics) noexcept {
  if (!target.reserved) return true;
  const std::string_view first = target.name.substr(0, target.name.find('/'));
  return dollar_topics && first != "$SYS" && first != "$share";
}

bool append_topic_name(std::string& out, core::DestinationKind kind, std::string_view name) {
  if (core::is_temporary(kind) || name.empty()) return false;
  const std::size_t start = out.size();
  if (kind == core::DestinationKind::queue) out += kQueuePrefix;
  append_swapped(out, name);
  const std::string_view topic = std::string_view(out).substr(start);
  if (is_topic_name(topic) &&
      (kind == core::DestinationKind::queue || !topic.starts_with(kQueuePrefix))) {
    return true;
  }
  out.resize(start);
  return false;
}

bool is_hidden_from(std::string_view filter, std::string_view name) noexcept {
  const auto is_wildcard = [](char c) { return c == '*' || c == '>'; };
  if (name.starts_with('$')) return !filter.empty() && is_wildcard(filter.front());
  // The filter has to name both levels; a filter that matches has no other way to begin like that.
  return name.starts_with(kAdvisoryPrefix) && !filter.starts_with(kAdvisoryPrefix);
}

bool is_hidden_topic(std::string_view filter, std::string_view topic) {
  if (!names_advisories(topic)) return false;
  const auto parsed = parse_topic_filter(filter);
  std::string swapped_filter;
  std::string swapped_topic;
  append_swapped(swapped_filter, parsed ? parsed->target.name : filter);
  append_swapped(swapped_topic, topic);
  return is_hidden_from(swapped_filter, swapped_topic);
}

bool names_advisories(std::string_view filter) noexcept {
  return filter.starts_with(kAdvisoryLevels);
}

bool matches_filter(std::string_view filter, std::string_view name) noexcept {
  return core::matches(filter, name) && !is_hidden_from(filter, name);
}

}  // namespace pabal::mqtt
