#include "protocols/stomp/destinations.h"

#include <utility>

namespace pabal::stomp {
namespace {

using core::DestinationKind;
using core::Errc;
using core::Error;

struct Prefix {
  std::string_view text;
  DestinationKind kind;
  bool alias;
  bool topic_exchange;
};

// reference/stomp.md §3, and RabbitMQ's spelling of a topic (§14).
constexpr Prefix kPrefixes[] = {
    {"/queue/", DestinationKind::queue, false, false},
    {"/topic/", DestinationKind::topic, false, false},
    {"/temp-queue/", DestinationKind::temporary_queue, true, false},
    {"/temp-topic/", DestinationKind::temporary_topic, true, false},
    {"/remote-temp-queue/", DestinationKind::temporary_queue, false, false},
    {"/remote-temp-topic/", DestinationKind::temporary_topic, false, false},
    {"/exchange/amq.topic/", DestinationKind::topic, false, true},
};

const Prefix* find_prefix(std::string_view text) noexcept {
  for (const Prefix& prefix : kPrefixes) {
    if (text.starts_with(prefix.text)) return &prefix;
  }
  return nullptr;
}

bool has_hash_level(std::string_view name) noexcept {
  return name == "#" || name.starts_with("#.") || name.find(".#.") != std::string_view::npos;
}

constexpr int space_of(DestinationKind kind) noexcept {
  return core::is_queue(kind) ? 0 : 1;
}

}  // namespace

core::Destination DestinationText::to_destination() const {
  core::Destination destination{kind, std::string(name)};
  if (topic_exchange && (name == "#" || name.ends_with(".#"))) destination.name.back() = '>';
  return destination;
}

core::Result<DestinationText> parse_destination(std::string_view text) {
  DestinationText result;
  result.name = trim(text);
  if (const Prefix* prefix = find_prefix(result.name)) {
    result.kind = prefix->kind;
    result.alias = prefix->alias;
    result.topic_exchange = prefix->topic_exchange;
    result.name.remove_prefix(prefix->text.size());
  }
  if (const auto mark = result.name.find('?'); mark != std::string_view::npos) {
    result.options = result.name.substr(mark + 1);
    result.name = result.name.substr(0, mark);
  }
  if (result.name.find(',') != std::string_view::npos) {
    return Error{Errc::not_supported,
                 "composite destinations are not supported yet: " + std::string(trim(text))};
  }
  if (const auto valid = core::validate_destination_name(result.name); !valid) {
    return Error{valid.error().code, valid.error().text + ": '" + std::string(trim(text)) + "'"};
  }
  if (result.topic_exchange && has_hash_level(result.name.substr(0, result.name.size() - 1))) {
    return Error{Errc::not_supported,
                 "the wildcard '#' is supported as the last level only: " + std::string(text)};
  }
  return result;
}

core::Address parse_reply_to(std::string_view text, bool& alias) {
  alias = false;
  const std::string_view trimmed = trim(text);
  const Prefix* prefix = find_prefix(trimmed);
  if (prefix == nullptr || prefix->topic_exchange) return {std::nullopt, text};
  const std::string_view name = trimmed.substr(prefix->text.size());
  // What could not be sent to later, or would come back changed, is echoed as it came.
  if (name.find_first_of("?,") != std::string_view::npos ||
      !core::validate_destination_name(name)) {
    return {std::nullopt, text};
  }
  alias = prefix->alias;
  return {prefix->kind, name};
}

bool next_option(std::string_view& options, std::string_view& name, std::string_view& value) {
  if (options.empty()) return false;
  const auto end = options.find('&');
  const std::string_view option = options.substr(0, end);
  options = end == std::string_view::npos ? std::string_view() : options.substr(end + 1);
  const auto equals = option.find('=');
  name = option.substr(0, equals);
  value = equals == std::string_view::npos ? std::string_view() : option.substr(equals + 1);
  return true;
}

const core::Destination* TemporaryNames::find(DestinationKind kind, std::string_view alias) const {
  const auto& names = names_[space_of(kind)];
  const auto found = names.find(alias);
  return found == names.end() ? nullptr : &found->second;
}

const core::Destination& TemporaryNames::add(std::string_view alias,
                                             core::Destination destination) {
  const int space = space_of(destination.kind);
  aliases_[space].emplace(destination.name, alias);
  return names_[space].emplace(alias, std::move(destination)).first->second;
}

const std::string* TemporaryNames::alias_of(DestinationKind kind, std::string_view name) const {
  const auto& aliases = aliases_[space_of(kind)];
  const auto found = aliases.find(name);
  return found == aliases.end() ? nullptr : &found->second;
}

void append_destination(std::string& out, DestinationKind kind, std::string_view name,
                        Version version, const TemporaryNames* own) {
  switch (kind) {
    case DestinationKind::queue:
      out += "/queue/";
      break;
    case DestinationKind::topic:
      out += "/topic/";
      break;
    case DestinationKind::temporary_queue:
    case DestinationKind::temporary_topic: {
      const std::string* alias = own == nullptr ? nullptr : own->alias_of(kind, name);
      const bool queue = core::is_queue(kind);
      if (alias != nullptr) {
        out += queue ? "/temp-queue/" : "/temp-topic/";
        name = *alias;
      } else {
        out += queue ? "/remote-temp-queue/" : "/remote-temp-topic/";
      }
      break;
    }
  }
  append_escaped(out, name, version);
}

}  // namespace pabal::stomp
