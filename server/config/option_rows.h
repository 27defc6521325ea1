#pragma once

#include <algorithm>
#include <chrono>
#include <limits>
#include <string>
#include <type_traits>

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

/// A row of an element that may stand more than once, or not at all. Reloadable.
constexpr Option part(std::string_view owner, std::string_view name, Type type,
                      std::string_view default_text, Range range, std::string_view text, Setter set,
                      std::string_view choices = {}) {
  Option option = honoured(owner, name, type, default_text, range, kReload, text, set, choices, 0);
  option.many = true;
  return option;
}

inline constexpr Range kMilliseconds{0, kNumberMax};
inline constexpr Range kMillisecondsOrNever{-1, kNumberMax};
inline constexpr Range kCount{0, std::numeric_limits<std::int32_t>::max()};
inline constexpr Range kCountOrNone{-1, std::numeric_limits<std::int32_t>::max()};
inline constexpr Range kMemory{0, kNumberMax};
/// Longer times are this: added to a time of day they must not overflow.
inline constexpr std::int64_t kLongestMilliseconds = 1LL << 42;

template <class Field>
void assign(Field& field, const Value& value) {
  if constexpr (std::is_same_v<Field, bool>) {
    field = value.number != 0;
  } else if constexpr (std::is_same_v<Field, std::string>) {
    field = value.text;
  } else if constexpr (std::is_same_v<Field, double>) {
    field = value.real;
  } else if constexpr (std::is_same_v<Field, std::chrono::milliseconds>) {
    field = std::chrono::milliseconds(std::min(value.number, kLongestMilliseconds));
  } else if constexpr (std::is_integral_v<Field>) {
    field = static_cast<Field>(value.number);
  } else {
    typename Field::value_type inner{};  // an optional
    assign(inner, value);
    field = inner;
  }
}

/// Sets the member of the draft that the pointers lead to.
template <auto First, auto... Rest>
void set_draft(Target& target, const Value& value, const SourceLocation&) {
  const auto follow = [&](auto& self, auto& object, auto member, auto... members) -> void {
    if constexpr (sizeof...(members) == 0) {
      assign(object.*member, value);
    } else {
      self(self, object.*member, members...);
    }
  };
  follow(follow, *target.draft, First, Rest...);
}

inline std::uint64_t number(const Value& value) noexcept {
  return static_cast<std::uint64_t>(value.number);
}

}  // namespace pabal::server
