#pragma once

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "protocols/stomp/version.h"

namespace pabal::stomp {

/// Hashes std::string and std::string_view alike, so that a lookup makes no string.
struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const noexcept {
    return std::hash<std::string_view>()(text);
  }
};
template <class Value>
using TextMap = std::unordered_map<std::string, Value, TextHash, std::equal_to<>>;

template <class Number>
void append_number(std::string& out, Number number) {
  char digits[24];
  const auto [end, error] = std::to_chars(digits, digits + sizeof digits, number);
  out.append(digits, end);
}

/// The whole text as a decimal number, or nullopt.
template <class Number>
std::optional<Number> parse_number(std::string_view text) noexcept {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

/// Without the blanks on both sides.
inline std::string_view trim(std::string_view text) noexcept {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

/// Appends a header name or value under the escaping rules of `version`. What a version cannot say
/// never reaches the wire as it is, because it would forge headers: NUL is left out, and 1.0, which
/// has no escapes, gets the two characters `\n` for a line feed.
/// Source: STOMP 1.2 and 1.1 "Value Encoding".
void append_escaped(std::string& out, std::string_view text, Version version);

}  // namespace pabal::stomp
