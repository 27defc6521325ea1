#include "core/modified_utf8.h"

#include <cstring>

// Eight bytes at a time as long as they are plain, which texts mostly are; else one character at a
// time, all that is the same in both encodings appended in one piece.

namespace pabal::core {
namespace {

constexpr std::uint64_t kOnes = 0x0101010101010101;
constexpr std::uint64_t kHigh = 0x8080808080808080;

std::uint64_t load(const char* bytes) noexcept {
  std::uint64_t word;
  std::memcpy(&word, bytes, sizeof(word));
  return word;
}

/// How many bytes at the beginning are ASCII (and, if so asked, not zero), in steps of eight.
template <bool ZeroToo>
std::size_t plain_prefix(std::string_view text) noexcept {
  std::size_t at = 0;
  for (; text.size() - at >= 8; at += 8) {
    const std::uint64_t word = load(text.data() + at);
    // Of a word without high bits, `word - kOnes` has one exactly if one of its bytes is zero.
    if (((ZeroToo ? word : word | (word - kOnes)) & kHigh) != 0) break;
  }
  return at;
}

struct Character {
  std::uint32_t code = 0;
  std::uint32_t size = 0;  ///< bytes; 0: malformed
};

constexpr bool is_high_surrogate(std::uint32_t code) noexcept {
  return code >= 0xD800 && code <= 0xDBFF;
}
constexpr bool is_low_surrogate(std::uint32_t code) noexcept {
  return code >= 0xDC00 && code <= 0xDFFF;
}

/// The character at `at`, in the union of both encodings: C0 80 and surrogates are let pass.
Character character_at(std::string_view text, std::size_t at) noexcept {
  const auto byte = [&](std::size_t i) {
    return std::uint32_t{static_cast<unsigned char>(text[at + i])};
  };
  const std::size_t left = text.size() - at;
  const std::uint32_t first = byte(0);
  if (first < 0x80) return {first, 1};
  const std::uint32_t size = first < 0xC0 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  if (size == 0 || first > 0xF4 || size > left) return {};
  std::uint32_t code = first & (0xFFU >> (size + 1));
  for (std::uint32_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {};
    code = code << 6 | (byte(i) & 0x3F);
  }
  // Overlong forms could hide what is looked for; the one of U+0000 is Java's.
  constexpr std::uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  if (code > 0x10FFFF || (code < kLeast[size] && !(code == 0 && size == 2))) return {};
  return {code, size};
}

/// A surrogate pair at `at` as the one character that it is; else what is there.
Character joined_at(std::string_view text, std::size_t at) noexcept {
  const Character high = character_at(text, at);
  if (!is_high_surrogate(high.code) || at + 3 >= text.size()) return high;
  const Character low = character_at(text, at + 3);
  if (!is_low_surrogate(low.code)) return high;
  return {0x10000 + ((high.code - 0xD800) << 10) + (low.code - 0xDC00), 6};
}

void append_character(std::string& out, std::uint32_t code) {
  const auto tail = [code](int shift) { return static_cast<char>(0x80 | (code >> shift & 0x3F)); };
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += {static_cast<char>(0xC0 | code >> 6), tail(0)};
  } else if (code < 0x10000) {
    out += {static_cast<char>(0xE0 | code >> 12), tail(6), tail(0)};
  } else {
    out += {static_cast<char>(0xF0 | code >> 18), tail(12), tail(6), tail(0)};
  }
}

/// What a character of modified UTF-8 (joined) is in UTF-8; true: the same bytes.
bool same_in_utf8(const Character& one) noexcept {
  if (one.size == 2) return one.code != 0;
  return one.size != 0 && one.size != 6 && !(one.code >= 0xD800 && one.code <= 0xDFFF);
}

/// And of UTF-8, in the modified one.
bool same_in_modified(const Character& one) noexcept {
  return one.size != 0 && one.size != 4 && !(one.size == 1 && one.code == 0);
}

/// Walks `text`, and hands what differs to `convert(out, character)`; false from there ends it.
template <bool FromModified, class Convert>
bool convert_text(std::string_view text, std::string& out, Convert convert) {
  std::size_t kept = 0;
  std::size_t at = 0;
  while (at < text.size()) {
    at += plain_prefix<FromModified>(text.substr(at));
    if (at == text.size()) break;
    const Character one = FromModified ? joined_at(text, at) : character_at(text, at);
    if (FromModified ? same_in_utf8(one) : same_in_modified(one)) {
      at += one.size;
      continue;
    }
    out.append(text.substr(kept, at - kept));
    if (!convert(out, one)) return false;
    at += one.size == 0 ? 1 : one.size;
    kept = at;
  }
  out.append(text.substr(kept));
  return true;
}

void append_from_modified(std::string& out, const Character& one) {
  if (one.size == 0 || (one.code >= 0xD800 && one.code <= 0xDFFF)) {
    out += kReplacementCharacter;
  } else {
    append_character(out, one.code);
  }
}

void append_from_utf8(std::string& out, const Character& one) {
  if (one.size == 0) {
    out += kReplacementCharacter;
  } else if (one.code == 0) {
    out += "\xC0\x80";
  } else {
    append_character(out, 0xD800 + ((one.code - 0x10000) >> 10));
    append_character(out, 0xDC00 + ((one.code - 0x10000) & 0x3FF));
  }
}

/// Whether it may stand in UTF-8 at all.
bool is_of_utf8(const Character& one) noexcept {
  return one.size != 0 && !(one.size == 2 && one.code == 0) &&
         !(one.code >= 0xD800 && one.code <= 0xDFFF);
}

}  // namespace

TextForm form_of_modified(std::string_view modified) noexcept {
  TextForm form = TextForm::same;
  for (std::size_t at = plain_prefix<true>(modified); at < modified.size();) {
    const Character one = joined_at(modified, at);
    if (one.size == 0) return TextForm::malformed;
    if (!same_in_utf8(one)) form = TextForm::differs;
    at += one.size;
    at += plain_prefix<true>(modified.substr(at));
  }
  return form;
}

TextForm form_of_utf8(std::string_view utf8) noexcept {
  TextForm form = TextForm::same;
  for (std::size_t at = plain_prefix<false>(utf8); at < utf8.size();) {
    const Character one = character_at(utf8, at);
    if (!is_of_utf8(one)) return TextForm::malformed;
    if (!same_in_modified(one)) form = TextForm::differs;
    at += one.size;
    at += plain_prefix<false>(utf8.substr(at));
  }
  return form;
}

bool to_utf8(std::string_view modified, std::string& out) {
  const std::size_t before = out.size();
  const bool whole = convert_text<true>(modified, out, [](std::string& to, const Character& one) {
    append_from_modified(to, one);
    return one.size != 0;
  });
  if (!whole) out.resize(before);
  return whole;
}

bool to_modified_utf8(std::string_view utf8, std::string& out) {
  const std::size_t before = out.size();
  if (form_of_utf8(utf8) == TextForm::malformed) return false;
  const bool whole = convert_text<false>(utf8, out, [](std::string& to, const Character& one) {
    append_from_utf8(to, one);
    return one.size != 0;
  });
  if (!whole) out.resize(before);
  return whole;
}

std::string_view utf8_of(std::string_view modified, std::string& scratch) {
  if (form_of_modified(modified) == TextForm::same) return modified;
  scratch.clear();
  convert_text<true>(modified, scratch, [](std::string& to, const Character& one) {
    append_from_modified(to, one);
    return true;
  });
  return scratch;
}

std::string_view modified_utf8_of(std::string_view utf8, std::string& scratch) {
  if (form_of_utf8(utf8) == TextForm::same) return utf8;
  scratch.clear();
  convert_text<false>(utf8, scratch, [](std::string& to, const Character& one) {
    append_from_utf8(to, one);
    return true;
  });
  return scratch;
}

std::string_view cut_text(std::string_view text, std::size_t bytes_max) noexcept {
  if (text.size() <= bytes_max) return text;
  std::size_t end = bytes_max;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  // ED A0..AF: the first half of a pair, whose second would be behind the cut.
  if (end >= 3 && text[end - 3] == '\xED' && (text[end - 2] & '\xF0') == '\xA0') end -= 3;
  return text.substr(0, end);
}

}  // namespace pabal::core
