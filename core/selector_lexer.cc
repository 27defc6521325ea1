#include "core/selector_lexer.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iterator>

namespace pabal::core {
namespace {

using Token = SelectorToken;

constexpr std::uint64_t kIntegerMax = 1ULL << 63;  // with a minus in front

bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}

bool is_hex_digit(char c) noexcept {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

bool is_space(char c) noexcept {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f';
}

/// Java's rule, with every character outside ASCII taken for a letter.
bool begins_identifier(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$' ||
         static_cast<unsigned char>(c) >= 0x80;
}

struct Word {
  std::string_view spelling;
  Token token;
};

constexpr Word kWords[] = {
    {"AND", Token::word_and},     {"BETWEEN", Token::word_between}, {"ESCAPE", Token::word_escape},
    {"FALSE", Token::word_false}, {"IN", Token::word_in},           {"IS", Token::word_is},
    {"LIKE", Token::word_like},   {"NOT", Token::word_not},         {"NULL", Token::word_null},
    {"OR", Token::word_or},       {"TRUE", Token::word_true},
};

constexpr Word kSigns[] = {
    {"<>", Token::not_equal},
    {"<=", Token::less_or_equal},
    {">=", Token::greater_or_equal},
    {"<", Token::less},
    {">", Token::greater},
    {"=", Token::equal},
    {"(", Token::left_parenthesis},
    {")", Token::right_parenthesis},
    {",", Token::comma},
    {"+", Token::plus},
    {"-", Token::minus},
    {"*", Token::asterisk},
    {"/", Token::slash},
    {"%", Token::percent},
};

bool equal_ignoring_case(std::string_view word, std::string_view upper) noexcept {
  return word.size() == upper.size() &&
         std::equal(word.begin(), word.end(), upper.begin(), [](char a, char b) {
           return (a >= 'a' && a <= 'z' ? static_cast<char>(a - 'a' + 'A') : a) == b;
         });
}

}  // namespace

Error selector_error(std::size_t offset, const std::string& what) {
  return {Errc::invalid_argument, "selector: column " + std::to_string(offset + 1) + ": " + what};
}

bool SelectorLexer::continues_identifier(char c) const noexcept {
  return begins_identifier(c) || is_digit(c) || c == '.' || (hyphens_ && c == '-');
}

Result<void> SelectorLexer::next() {
  while (is_space(at(position_))) ++position_;
  offset = position_;
  spelling = {};
  value.clear();
  if (position_ >= text_.size()) {
    token = Token::end;
    return {};
  }
  const char first = text_[position_];
  if (first == '\'' || first == '"') {
    if (auto read = read_quoted(first); !read) return read;
  } else if (is_digit(first) || (first == '.' && is_digit(at(position_ + 1)))) {
    if (auto read = read_number(); !read) return read;
  } else if (begins_identifier(first)) {
    read_word();
  } else {
    read_sign();
    if (token == Token::end) {
      return selector_error(offset, std::string("'") + first + "' means nothing in a selector");
    }
  }
  spelling = text_.substr(offset, position_ - offset);
  return {};
}

/// A text in single quotes or an identifier in double ones; a doubled quote stands for itself.
Result<void> SelectorLexer::read_quoted(char quote) {
  token = quote == '\'' ? Token::text : Token::identifier;
  for (++position_; position_ < text_.size(); ++position_) {
    if (text_[position_] != quote) {
      value += text_[position_];
    } else if (at(position_ + 1) == quote) {
      value += quote;
      ++position_;
    } else {
      ++position_;
      if (token == Token::identifier && value.empty()) {
        return selector_error(offset, "an identifier is empty");
      }
      return {};
    }
  }
  return selector_error(offset, std::string("the closing ") + quote + " is missing");
}

std::size_t SelectorLexer::skip_digits(std::size_t position) const noexcept {
  while (is_digit(at(position))) ++position;
  return position;
}

/// Java's literals: 12, 12L, 0x1F, 017, 1.5, .5, 1., 1e3, 1.5d, 1f.
Result<void> SelectorLexer::read_number() {
  const std::size_t start = position_;
  if (at(start) == '0' && (at(start + 1) == 'x' || at(start + 1) == 'X')) {
    position_ = start + 2;
    while (is_hex_digit(at(position_))) ++position_;
    if (auto read = read_integer(text_.substr(start + 2, position_ - start - 2), 16); !read) {
      return read;
    }
  } else {
    position_ = skip_digits(start);
    bool whole = true;
    if (at(position_) == '.') {
      whole = false;
      position_ = skip_digits(position_ + 1);
    }
    if (at(position_) == 'e' || at(position_) == 'E') {
      std::size_t exponent = position_ + 1;
      if (at(exponent) == '+' || at(exponent) == '-') ++exponent;
      if (!is_digit(at(exponent))) return selector_error(position_, "the exponent has no digits");
      whole = false;
      position_ = skip_digits(exponent);
    }
    const std::string_view digits = text_.substr(start, position_ - start);
    const char suffix = at(position_);
    const bool real_suffix = suffix == 'd' || suffix == 'D' || suffix == 'f' || suffix == 'F';
    if (whole && !real_suffix) {
      const bool octal = digits.size() > 1 && digits[0] == '0';
      if (auto read = read_integer(digits, octal ? 8 : 10); !read) return read;
    } else {
      if (real_suffix) ++position_;
      token = Token::real;
      const auto [end, error] = std::from_chars(digits.begin(), digits.end(), real);
      if (error != std::errc() || end != digits.end() || !std::isfinite(real)) {
        return selector_error(offset, "the number is out of range");
      }
    }
  }
  if (begins_identifier(at(position_)) || at(position_) == '.') {
    return selector_error(position_,
                          "a number is followed by '" + std::string(1, text_[position_]) + "'");
  }
  return {};
}

Result<void> SelectorLexer::read_integer(std::string_view digits, int base) {
  token = Token::integer;
  const auto [end, error] = std::from_chars(digits.begin(), digits.end(), integer, base);
  if (error == std::errc::result_out_of_range || (error == std::errc() && integer > kIntegerMax)) {
    return selector_error(offset, "the number does not fit into 64 bits");
  }
  if (error != std::errc() || end != digits.end()) {
    return selector_error(offset, base == 8    ? "an octal number has digits 0 to 7"
                                  : base == 16 ? "a hexadecimal number has no digits"
                                               : "the number cannot be read");
  }
  if (at(position_) == 'l' || at(position_) == 'L') ++position_;
  return {};
}

void SelectorLexer::read_word() {
  const std::size_t start = position_;
  while (continues_identifier(at(position_))) ++position_;
  const std::string_view word = text_.substr(start, position_ - start);
  const auto* known = std::find_if(std::begin(kWords), std::end(kWords), [&](const Word& each) {
    return equal_ignoring_case(word, each.spelling);
  });
  token = known == std::end(kWords) ? Token::identifier : known->token;
  if (token == Token::identifier) value = word;
}

void SelectorLexer::read_sign() {
  const std::string_view rest = text_.substr(position_);
  const auto* known = std::find_if(std::begin(kSigns), std::end(kSigns), [&](const Word& each) {
    return rest.starts_with(each.spelling);
  });
  token = known == std::end(kSigns) ? Token::end : known->token;
  if (known != std::end(kSigns)) position_ += known->spelling.size();
}

}  // namespace pabal::core
