#include "protocols/mqtt/utf8.h"

#include <cstddef>
#include <cstdint>
#include <cstring>

// Eight bytes at a time as long as they are plain ASCII, which topics nearly always are. Of a word
// without high bits, `word - kOnes` has a high bit exactly if one of its bytes is zero; and '#'
// (0x23) and '+' (0x2B) differ in one bit, so that one comparison finds both.

namespace pabal::mqtt {
namespace {

constexpr std::uint64_t kOnes = 0x0101010101010101;
constexpr std::uint64_t kHigh = 0x8080808080808080;

template <class Word>
Word load(const char* bytes) noexcept {
  Word word;
  std::memcpy(&word, bytes, sizeof(word));
  return word;
}

/// Whether all eight bytes are ASCII, none of them zero or (if so asked) a wildcard.
template <bool WithoutWildcards>
bool is_plain(std::uint64_t word) noexcept {
  std::uint64_t odd = word | (word - kOnes);
  if constexpr (WithoutWildcards) {
    const std::uint64_t wildcards = (word | (kOnes * 0x08)) ^ (kOnes * 0x2B);
    odd |= wildcards - kOnes;
  }
  return (odd & kHigh) == 0;
}

/// A word that has all of the one to seven bytes, some of them twice.
std::uint64_t load_short(const char* bytes, std::size_t size) noexcept {
  if (size >= 4) {
    return load<std::uint32_t>(bytes) | std::uint64_t{load<std::uint32_t>(bytes + size - 4)} << 32;
  }
  const auto at = [bytes](std::size_t i) {
    return std::uint64_t{static_cast<unsigned char>(bytes[i])};
  };
  return (at(0) | at(size / 2) << 8 | at(size - 1) << 16) | (kOnes & ~std::uint64_t{0xFFFFFF});
}

bool is_continuation(unsigned char byte) noexcept {
  return (byte & 0xC0) == 0x80;
}

/// RFC 3629 §4: the size of the well-formed sequence that begins here, 0 if there is none. The
/// second byte's range keeps out overlong forms, surrogates and what is beyond U+10FFFF.
std::size_t sequence_size(const unsigned char* at, std::size_t left) noexcept {
  const unsigned char first = at[0];
  if (first < 0x80) return first == 0 ? 0 : 1;
  if (first < 0xC2) return 0;
  if (first < 0xE0) return left >= 2 && is_continuation(at[1]) ? 2 : 0;
  if (first < 0xF0) {
    if (left < 3 || !is_continuation(at[1]) || !is_continuation(at[2])) return 0;
    if (first == 0xE0 && at[1] < 0xA0) return 0;
    if (first == 0xED && at[1] >= 0xA0) return 0;
    return 3;
  }
  if (first > 0xF4 || left < 4) return 0;
  if (!is_continuation(at[1]) || !is_continuation(at[2]) || !is_continuation(at[3])) return 0;
  if (first == 0xF0 && at[1] < 0x90) return 0;
  if (first == 0xF4 && at[1] >= 0x90) return 0;
  return 4;
}

template <bool WithoutWildcards>
bool check_slowly(std::string_view text) noexcept {
  const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t size = sequence_size(bytes + at, text.size() - at);
    if (size == 0) return false;
    if (WithoutWildcards && (bytes[at] == '+' || bytes[at] == '#')) return false;
    at += size;
  }
  return true;
}

template <bool WithoutWildcards>
bool check(std::string_view text) noexcept {
  const std::size_t size = text.size();
  const char* const bytes = text.data();
  if (size < 8) {
    if (size == 0) return true;
    if (is_plain<WithoutWildcards>(load_short(bytes, size))) return true;
    return check_slowly<WithoutWildcards>(text);
  }
  // The last word may overlap the one before it.
  for (std::size_t at = 0; at < size - 8; at += 8) {
    if (!is_plain<WithoutWildcards>(load<std::uint64_t>(bytes + at))) {
      return check_slowly<WithoutWildcards>(text.substr(at));
    }
  }
  if (is_plain<WithoutWildcards>(load<std::uint64_t>(bytes + size - 8))) return true;
  // Whole again: the last eight bytes may begin within a character.
  return check_slowly<WithoutWildcards>(text);
}

}  // namespace

bool is_utf8(std::string_view text) noexcept {
  return check<false>(text);
}

bool is_utf8_without_wildcards(std::string_view text) noexcept {
  return check<true>(text);
}

}  // namespace pabal::mqtt
