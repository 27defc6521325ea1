#pragma once

#include <chrono>
#include <limits>

#include "server/config/option_table.h"

/// How the rows of the option table are written.
namespace pabal::server {

struct Range {
  std::int64_t min = 0;
  std::int64_t max = 0;
};
inline constexpr Range kAny{};
inline constexpr bool kReload = true;
inline constexpr bool kRestart = false;
inline constexpr std::int64_t kNumberMax = std::numeric_limits<std::int64_t>::max();

/// A value above `cap` is within ActiveMQ's range, but lowered with a warning.
constexpr Option honoured(std::string_view owner, std::string_view name, Type type,
                          std::string_view default_text, Range range, bool reloadable,
                          std::string_view text, Setter set, std::string_view choices = {},
                          std::int64_t cap = 0) {
  Option option;
  option.owner = owner;
  option.name = name;
  option.type = type;
  option.default_text = default_text;
  option.min = range.min;
  option.max = range.max;
  option.reloadable = reloadable;
  option.text = text;
  option.set = set;
  option.choices = choices;
  option.cap = cap;
  return option;
}

/// `agrees`: see Option::agrees.
constexpr Option unmet(std::string_view owner, std::string_view name, Type type,
                       std::string_view default_text, Status status, std::string_view agrees,
                       std::string_view text, std::string_view why) {
  Option option;
  option.owner = owner;
  option.name = name;
  option.type = type;
  option.default_text = default_text;
  option.status = status;
  option.agrees = agrees;
  option.text = text;
  option.why = why;
  return option;
}

inline std::uint64_t number(const Value& value) noexcept {
  return static_cast<std::uint64_t>(value.number);
}

}  // namespace pabal::server
