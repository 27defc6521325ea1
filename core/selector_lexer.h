#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/result.h"

namespace pabal::core {

enum class SelectorToken : std::uint8_t {
  end,
  identifier,  ///< also one in double quotes
  text,
  integer,
  real,
  // Words, in any case.
  word_and,
  word_between,
  word_escape,
  word_false,
  word_in,
  word_is,
  word_like,
  word_not,
  word_null,
  word_or,
  word_true,
  // Signs.
  comma,
  left_parenthesis,
  right_parenthesis,
  plus,
  minus,
  asterisk,
  slash,
  percent,
  equal,
  not_equal,
  less,
  less_or_equal,
  greater,
  greater_or_equal,
};

/// "selector: column 7: what". `offset` from 0.
Error selector_error(std::size_t offset, const std::string& what);

/// Takes a selector apart, token by token.
class SelectorLexer {
 public:
  /// `hyphens`: a `-` within an identifier belongs to it.
  SelectorLexer(std::string_view text, bool hyphens) noexcept : text_(text), hyphens_(hyphens) {}

  /// Reads the next token into the fields below. Errors: invalid_argument with the column.
  Result<void> next();

  SelectorToken token = SelectorToken::end;
  std::size_t offset = 0;     ///< where it begins
  std::string_view spelling;  ///< as it stands there; empty at the end
  std::string value;          ///< of an identifier or text: without quotes and doublings
  std::uint64_t integer = 0;  ///< up to 2^63: only a minus in front makes that one fit
  double real = 0;

 private:
  Result<void> read_quoted(char quote);
  Result<void> read_number();
  Result<void> read_integer(std::string_view digits, int base);
  void read_word();
  void read_sign();
  [[nodiscard]] char at(std::size_t position) const noexcept {
    return position < text_.size() ? text_[position] : '\0';
  }
  std::size_t skip_digits(std::size_t position) const noexcept;

  [[nodiscard]] bool continues_identifier(char c) const noexcept;

  std::string_view text_;
  bool hyphens_;
  std::size_t position_ = 0;
};

}  // namespace pabal::core
