#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "server/cli/failure.h"

namespace pabal::cli {

/// What an option takes.
enum class OptionKind : std::uint8_t {
  flag,     ///< nothing: --json; `--json=false` takes it back
  text,     ///< any text
  integer,  ///< a whole number in [minimum, maximum]
  bytes,    ///< the same with an optional suffix k, m or g (powers of 1024)
  seconds,  ///< a decimal number of seconds in [minimum, maximum]
  choice,   ///< one of `choices`, separated by '|'
};

/// One row of a command's option table: enough to parse it, to check it and to explain it.
struct Option {
  std::string_view name;  ///< long name without dashes
  OptionKind kind = OptionKind::text;
  std::string_view value{};          ///< what the help calls the value
  std::string_view default_value{};  ///< as one would type it; empty: none
  std::string_view help{};
  std::uint64_t minimum = 0;
  std::uint64_t maximum = std::numeric_limits<std::int64_t>::max();
  std::string_view choices{};
  char short_name = 0;  ///< 0: none
  bool repeatable = false;
};

/// The checked options and positional arguments of one command line. A getter of an option that the
/// table does not have, or of another kind, is a broken invariant.
class Arguments {
 public:
  /// Checks `words` (what follows the command) against the tables. Errors: ExitCode::usage, with
  /// the nearest known name for a misspelt one.
  static Outcome<Arguments> parse(std::span<const Option> options,
                                  std::span<const std::string> words);

  /// Whether the user gave the option, as opposed to its default.
  bool given(std::string_view name) const;
  bool flag(std::string_view name) const;
  /// Last value given, else the default.
  std::string text(std::string_view name) const;
  std::uint64_t number(std::string_view name) const;
  double seconds(std::string_view name) const;
  /// Every value given of a repeatable option, in order.
  std::vector<std::string> all(std::string_view name) const;

  const std::vector<std::string>& positional() const noexcept { return positional_; }

 private:
  const Option& option(std::string_view name) const;

  std::span<const Option> options_;
  std::map<std::string, std::vector<std::string>, std::less<>> values_;
  std::vector<std::string> positional_;
};

/// "--count N     help text … (default 1)", one block per option, wrapped at `width` columns.
std::string describe_options(std::span<const Option> options, std::size_t width = 100);

/// The candidate that differs least from `word`; empty when none is near.
std::string_view nearest(std::string_view word, std::span<const std::string_view> candidates);

/// A size such as "1k", "64m". Errors: usage.
Outcome<std::uint64_t> parse_bytes(std::string_view text);

}  // namespace pabal::cli
