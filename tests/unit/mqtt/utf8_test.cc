#include "protocols/mqtt/utf8.h"

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace pabal::mqtt {
namespace {

/// The text book's way, one code point at a time.
bool is_utf8_slowly(const std::string& text) {
  std::size_t at = 0;
  while (at < text.size()) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned first = byte(at);
    const std::size_t size = first < 0x80 ? 1 : first >> 5 == 6 ? 2 : first >> 4 == 14 ? 3 : 4;
    if (first >= 0x80 && (first < 0xC0 || first >= 0xF8)) return false;
    if (at + size > text.size()) return false;
    std::uint32_t code = size == 1 ? first : first & (0x7FU >> size);
    for (std::size_t i = 1; i < size; ++i) {
      if (byte(at + i) >> 6 != 2) return false;
      code = code << 6 | (byte(at + i) & 0x3FU);
    }
    constexpr std::uint32_t kSmallest[] = {0, 1, 0x80, 0x800, 0x10000};
    if (code < kSmallest[size] || code > 0x10FFFF) return false;
    if (code >= 0xD800 && code <= 0xDFFF) return false;
    at += size;
  }
  return true;
}

bool has_wildcard(const std::string& text) {
  return text.find_first_of("+#") != std::string::npos;
}

void expect_same(const std::string& text) {
  // A heap block of its own, so that a sanitizer sees a read beyond it.
  const std::vector<char> block(text.begin(), text.end());
  const std::string_view view(block.data(), block.size());
  ASSERT_EQ(is_utf8(view), is_utf8_slowly(text)) << ::testing::PrintToString(text);
  ASSERT_EQ(is_utf8_without_wildcards(view), is_utf8_slowly(text) && !has_wildcard(text))
      << ::testing::PrintToString(text);
}

// Goal: the words of eight bytes see every byte. Method: each byte value at each place of texts of
// every length around the words.
TEST(Utf8Test, SeesEveryByteAtEveryPlace) {
  for (std::size_t size = 1; size <= 26; ++size) {
    for (std::size_t place = 0; place < size; ++place) {
      for (int value = 0; value < 256; ++value) {
        std::string text(size, 'a');
        text[place] = static_cast<char>(value);
        expect_same(text);
      }
    }
  }
  expect_same("");
}

TEST(Utf8Test, KnowsEveryCodePoint) {
  for (std::uint32_t code = 1; code <= 0x110FFF; ++code) {
    std::string text;
    if (code < 0x80) {
      text += static_cast<char>(code);
    } else if (code < 0x800) {
      text += static_cast<char>(0xC0 | code >> 6);
    } else if (code < 0x10000) {
      text += static_cast<char>(0xE0 | code >> 12);
      text += static_cast<char>(0x80 | (code >> 6 & 0x3F));
    } else {
      text += static_cast<char>(0xF0 | code >> 18);
      text += static_cast<char>(0x80 | (code >> 12 & 0x3F));
      text += static_cast<char>(0x80 | (code >> 6 & 0x3F));
    }
    if (code >= 0x80) text += static_cast<char>(0x80 | (code & 0x3F));
    const bool legal = code <= 0x10FFFF && (code < 0xD800 || code > 0xDFFF);
    ASSERT_EQ(is_utf8(text), legal) << code;
  }
}

// Goal: no text is judged otherwise than by the slow way. Method: seeded texts made of pieces that
// are whole, cut off and wrong.
TEST(Utf8Test, JudgesRandomTextsLikeTheTextBook) {
  std::mt19937 random(7);
  const std::vector<std::string> pieces = {"a",
                                           "abcdefgh",
                                           "/",
                                           "+",
                                           "#",
                                           "\xC3\xBC",
                                           "\xE2\x82\xAC",
                                           "\xF0\x9F\x98\x80",
                                           "\xC3",
                                           "\xE2\x82",
                                           "\xF0\x9F\x98",
                                           "\x80",
                                           "\xED\xA0\x80",
                                           "\xC0\xAF",
                                           "\xF4\x90\x80\x80",
                                           "\xFF",
                                           std::string(1, '\0')};
  for (int round = 0; round < 200'000; ++round) {
    std::string text;
    const auto count = random() % 8;
    for (unsigned i = 0; i < count; ++i) text += pieces[random() % (round % 2 ? 8 : pieces.size())];
    expect_same(text);
  }
}

}  // namespace
}  // namespace pabal::mqtt
