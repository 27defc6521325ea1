#include "protocols/stomp/destinations.h"

#include <algorithm>
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

/// One destination without options, out of `whole`.
core::Result<DestinationText> parse_part(std::string_view text, std::string_view whole) {
  DestinationText result;
  result.name = text;
  if (const Prefix* prefix = find_prefix(result.name)) {
    result.kind = prefix->kind;
    result.alias = prefix->alias;
    result.topic_exchange = prefix->topic_exchange;
    result.name.remove_prefix(prefix->text.size());
  }
  if (const auto valid = core::validate_destination_name(result.name); !valid) {
    return Error{valid.error().code, valid.error().text + ": '" + std::string(trim(whole)) + "'"};
  }
  if (result.topic_exchange && has_hash_level(result.name.substr(0, result.name.size() - 1))) {
    return Error{Errc::not_supported,
                 "the wildcard '#' is supported as the last level only: " + std::string(whole)};
  }
  return result;
}

constexpr int digit_of(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
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

bool names_several(std::string_view text) noexcept {
  return text.substr(0, text.find('?')).find(',') != std::string_view::npos;
}

core::Result<DestinationText> parse_destination(std::string_view text) {
  std::string_view name = trim(text);
  std::string_view options;
  if (const auto mark = name.find('?'); mark != std::string_view::npos) {
    options = name.substr(mark + 1);
    name = name.substr(0, mark);
  }
  auto result = parse_part(name, text);
  if (result) result->options = options;
  return result;
}

core::Result<std::vector<DestinationText>> parse_destinations(std::string_view text) {
  std::string_view names = trim(text);
  std::string_view options;
  if (const auto mark = names.find('?'); mark != std::string_view::npos) {
    options = names.substr(mark + 1);
    names = names.substr(0, mark);
  }
  std::vector<DestinationText> parts;
  for (;;) {
    const auto comma = names.find(',');
    auto part = parse_part(trim(names.substr(0, comma)), text);
    if (!part) return part.error();
    part->options = options;
    const auto known = std::find_if(parts.begin(), parts.end(), [&](const auto& other) {
      return other.kind == part->kind && other.name == part->name && other.alias == part->alias &&
             other.topic_exchange == part->topic_exchange;
    });
    if (known == parts.end()) parts.push_back(*part);
    if (comma == std::string_view::npos) return parts;
    names.remove_prefix(comma + 1);
  }
}

core::Destination composite_of(const std::vector<core::Destination>& parts) {
  core::Destination whole = parts.front();
  for (std::size_t i = 1; i < parts.size(); ++i) {
    whole.name += ',';
    whole.name += parts[i].kind == whole.kind ? parts[i].name : parts[i].to_text();
  }
  return whole;
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

std::optional<std::string> decode_option(std::string_view text) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i] == '+' ? ' ' : text[i];
      continue;
    }
    const int high = text.size() - i > 2 ? digit_of(text[i + 1]) : -1;
    const int low = text.size() - i > 2 ? digit_of(text[i + 2]) : -1;
    if (high < 0 || low < 0) return std::nullopt;
    decoded += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return decoded;
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

void TemporaryNames::remove(DestinationKind kind, std::string_view alias) {
  const int space = space_of(kind);
  const auto found = names_[space].find(alias);
  if (found == names_[space].end()) return;
  aliases_[space].erase(found->second.name);
  names_[space].erase(found);
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
