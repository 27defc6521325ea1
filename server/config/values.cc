#include "server/config/values.h"

#include <algorithm>
#include <charconv>
#include <limits>

namespace pabal::server {
namespace {

constexpr std::int64_t kKilobyte = 1024;
constexpr std::int64_t kMegabyte = kKilobyte * 1024;
constexpr std::int64_t kGigabyte = kMegabyte * 1024;

char lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

std::optional<bool> parse_boolean(std::string_view text, bool any_case) noexcept {
  if (any_case) {
    if (equal_ignoring_case(text, "true")) return true;
    if (equal_ignoring_case(text, "false")) return false;
    return std::nullopt;
  }
  if (text == "true" || text == "1") return true;
  if (text == "false" || text == "0") return false;
  return std::nullopt;
}

std::optional<double> parse_real(std::string_view text) noexcept {
  double value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string expectation(const Option& option) {
  std::string range = allowed(option);
  if (!range.empty()) range = ' ' + range;
  switch (option.type) {
    case Type::text:
      return "text" + range;
    case Type::boolean:
      return "true, false, 1 or 0";
    case Type::any_case_boolean:
      return "true or false";
    case Type::integer:
      return "a whole number" + range;
    case Type::real:
      return "a number" + range;
    case Type::memory:
      return "a memory size" + range + " such as 64mb";
    case Type::milliseconds:
      return "milliseconds" + range;
    case Type::choice:
      return "one of" + range;
    case Type::path:
      return "a path";
    case Type::uri:
      return "a URI";
    case Type::heart_beat:
      return "two counts of milliseconds" + range + " such as 5000,0";
  }
  PABAL_UNREACHABLE();
}

bool in_range(const Option& option, double number) noexcept {
  return option.max <= option.min ||
         (number >= static_cast<double>(option.min) && number <= static_cast<double>(option.max));
}

bool read_choice(const Option& option, std::string_view text, Value& value) {
  for (const std::string_view choice : split(option.choices, '|')) {
    if (!equal_ignoring_case(choice, text)) continue;
    value.text = choice;
    return true;
  }
  return false;
}

bool read_heart_beat(const Option& option, std::string_view text, Value& value) {
  const auto parts = split(text, ',');
  if (parts.size() != 2) return false;
  const auto send = parse_integer(trim(parts[0]));
  const auto receive = parse_integer(trim(parts[1]));
  if (!send || !receive) return false;
  value.number = *send;
  value.second = *receive;
  return in_range(option, static_cast<double>(*send)) &&
         in_range(option, static_cast<double>(*receive));
}

bool read_number(const Option& option, std::optional<std::int64_t> number, Value& value) {
  if (!number) return false;
  value.number = *number;
  return in_range(option, static_cast<double>(*number));
}

bool read(const Option& option, std::string_view text, Value& value) {
  switch (option.type) {
    case Type::text:
    case Type::path:
    case Type::uri:
      // A range of text is that of its length.
      return in_range(option, static_cast<double>(text.size()));
    case Type::boolean:
    case Type::any_case_boolean: {
      const auto flag = parse_boolean(text, option.type == Type::any_case_boolean);
      value.number = flag.value_or(false) ? 1 : 0;
      return flag.has_value();
    }
    case Type::integer:
    case Type::milliseconds:
      return read_number(option, parse_integer(text), value);
    case Type::memory:
      return read_number(option, parse_memory(text), value);
    case Type::real: {
      const auto number = parse_real(text);
      value.real = number.value_or(0);
      return number && in_range(option, *number);
    }
    case Type::choice:
      return read_choice(option, text, value);
    case Type::heart_beat:
      return read_heart_beat(option, text, value);
  }
  PABAL_UNREACHABLE();
}

}  // namespace

std::string_view trim(std::string_view text) noexcept {
  constexpr std::string_view kBlank = " \t\r\n";
  const auto first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

bool equal_ignoring_case(std::string_view a, std::string_view b) noexcept {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return lower(x) == lower(y); });
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const auto end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

std::optional<std::int64_t> parse_integer(std::string_view text) noexcept {
  if (!text.empty() && text.front() == '+') text.remove_prefix(1);
  std::int64_t value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || code != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<std::int64_t> parse_memory(std::string_view text) noexcept {
  text = trim(text);
  // -1 is "off" wherever ActiveMQ takes a memory size; the option's range decides if it may stand.
  const auto digits = std::min(text.find_first_not_of("-0123456789"), text.size());
  const auto count = parse_integer(text.substr(0, digits));
  if (!count) return std::nullopt;
  std::string_view unit = trim(text.substr(digits));
  if (!unit.empty() && lower(unit.back()) == 'b') unit.remove_suffix(1);
  std::int64_t factor = 1;
  if (equal_ignoring_case(unit, "k")) {
    factor = kKilobyte;
  } else if (equal_ignoring_case(unit, "m")) {
    factor = kMegabyte;
  } else if (equal_ignoring_case(unit, "g")) {
    factor = kGigabyte;
  } else if (!unit.empty()) {
    return std::nullopt;
  }
  if (*count > std::numeric_limits<std::int64_t>::max() / factor || *count < -1)
    return std::nullopt;
  return *count * factor;
}

std::string memory_text(std::int64_t bytes) {
  if (bytes >= kGigabyte && bytes % kGigabyte == 0)
    return std::to_string(bytes / kGigabyte) + " GB";
  if (bytes >= kMegabyte && bytes % kMegabyte == 0)
    return std::to_string(bytes / kMegabyte) + " MB";
  if (bytes >= kKilobyte && bytes % kKilobyte == 0)
    return std::to_string(bytes / kKilobyte) + " KB";
  return std::to_string(bytes);
}

core::Result<Value> parse_value(const Option& option, std::string_view text) {
  Value value;
  if (option.type != Type::text) text = trim(text);
  value.text = text;
  if (read(option, text, value)) return value;
  std::string shown(text.substr(0, 100));
  return core::Error{core::Errc::invalid_argument,
                     '\'' + shown + "' is not allowed: " + expectation(option) + " expected"};
}

bool agrees(const Option& option, std::string_view text) {
  if (option.agrees.empty()) return false;
  const auto choices = split(option.agrees, '|');
  return std::any_of(choices.begin(), choices.end(), [&](std::string_view choice) {
    if (equal_ignoring_case(choice, trim(text))) return true;
    const bool flag = option.type == Type::boolean;
    return flag && ((choice == "true" && text == "1") || (choice == "false" && text == "0"));
  });
}

}  // namespace pabal::server
