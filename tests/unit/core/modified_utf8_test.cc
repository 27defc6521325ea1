#include "core/modified_utf8.h"

#include <random>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace pabal::core {
namespace {

using std::string_view_literals::operator""sv;

constexpr auto kEmoji = "\xF0\x9F\x98\x80"sv;                  // U+1F600
constexpr auto kEmojiModified = "\xED\xA0\xBD\xED\xB8\x80"sv;  // D83D DE00
constexpr auto kLoneHigh = "\xED\xA0\xBD"sv, kLoneLow = "\xED\xB8\x80"sv;

std::string utf8(std::string_view modified) {
  std::string out = "kept:";
  EXPECT_TRUE(to_utf8(modified, out));
  EXPECT_TRUE(out.starts_with("kept:"));
  return out.substr(5);
}

std::string modified(std::string_view utf8) {
  std::string out = "kept:";
  EXPECT_TRUE(to_modified_utf8(utf8, out));
  EXPECT_TRUE(out.starts_with("kept:"));
  return out.substr(5);
}

TEST(ModifiedUtf8Test, WhatTheReferenceSays) {
  EXPECT_EQ(modified("a\0b"sv),
            "a\xC0\x80"
            "b");
  EXPECT_EQ(utf8("a\xC0\x80"
                 "b"),
            "a\0b"sv);
  EXPECT_EQ(modified(kEmoji), kEmojiModified);
  EXPECT_EQ(utf8(kEmojiModified), kEmoji);
  EXPECT_EQ(modified("파발 é \xEF\xBF\xBF"), "파발 é \xEF\xBF\xBF");
  EXPECT_EQ(utf8("파발 é \xEF\xBF\xBF"), "파발 é \xEF\xBF\xBF");
  EXPECT_EQ(modified(""), "");
  EXPECT_EQ(modified("\xF4\x8F\xBF\xBF"), "\xED\xAF\xBF\xED\xBF\xBF");
  EXPECT_EQ(modified("\xF0\x90\x80\x80"), "\xED\xA0\x80\xED\xB0\x80");
}

TEST(ModifiedUtf8Test, TheOtherFormIsReadToo) {
  EXPECT_EQ(utf8("x\0y"sv), "x\0y"sv);
  EXPECT_EQ(utf8(kEmoji), kEmoji);
}

TEST(ModifiedUtf8Test, HalfAPairIsNoCharacter) {
  EXPECT_EQ(utf8(kLoneHigh), kReplacementCharacter);
  EXPECT_EQ(utf8(kLoneLow), kReplacementCharacter);
  EXPECT_EQ(utf8(std::string(kLoneHigh) + "x"), std::string(kReplacementCharacter) + "x");
  EXPECT_EQ(utf8(std::string(kLoneHigh) + std::string(kEmojiModified)),
            std::string(kReplacementCharacter) + std::string(kEmoji));
  EXPECT_EQ(utf8(std::string(kLoneLow) + std::string(kLoneHigh)),
            std::string(kReplacementCharacter) + std::string(kReplacementCharacter));
  std::string out;
  EXPECT_FALSE(to_modified_utf8(kLoneHigh, out));
}

TEST(ModifiedUtf8Test, MalformedIsRefusedAndLeavesTheOutputAlone) {
  for (const auto text :
       {"\x80"sv, "\xC0"sv, "\xC0\xAF"sv, "\xC1\x81"sv, "\xE0\x80\x80"sv, "\xE0\x9F\xBF"sv,
        "\xF0\x80\x80\x80"sv, "\xF4\x90\x80\x80"sv, "\xF8\x88\x80\x80\x80"sv, "\xFF"sv,
        "\xE2\x82"sv, "\xC3("sv, "\xED\xA0"sv, "12345678\xC3"sv, "\xF0\x9F\x98"sv}) {
    std::string out = "before";
    EXPECT_FALSE(to_utf8(text, out)) << text;
    EXPECT_FALSE(to_modified_utf8(text, out)) << text;
    EXPECT_EQ(out, "before");
    EXPECT_EQ(form_of_modified(text), TextForm::malformed);
    EXPECT_EQ(form_of_utf8(text), TextForm::malformed);
    std::string scratch;
    EXPECT_TRUE(is_utf8(utf8_of(text, scratch)));
  }
  std::string out;
  EXPECT_FALSE(to_modified_utf8("\xC0\x80"sv, out));  // overlong, but in Java's own
}

TEST(ModifiedUtf8Test, WhatIsTheSameIsNotCopied) {
  std::string scratch;
  for (const auto text : {""sv, "plain"sv, "plain and longer than a word"sv, "파발꾼 한 사람"sv}) {
    EXPECT_EQ(utf8_of(text, scratch).data(), text.data());
    EXPECT_EQ(modified_utf8_of(text, scratch).data(), text.data());
    EXPECT_EQ(form_of_modified(text), TextForm::same);
    EXPECT_EQ(form_of_utf8(text), TextForm::same);
  }
  EXPECT_EQ(scratch.capacity(), std::string().capacity());
  EXPECT_EQ(form_of_utf8("12345678\0"sv), TextForm::differs);
  EXPECT_EQ(form_of_utf8("\0"
                         "2345678"sv),
            TextForm::differs);
  EXPECT_EQ(form_of_modified("12345678\0"sv), TextForm::same);
}

TEST(ModifiedUtf8Test, ACutGoesThroughNoCharacter) {
  EXPECT_EQ(cut_text("abc", 3), "abc");
  EXPECT_EQ(cut_text("abc", 2), "ab");
  EXPECT_EQ(cut_text("a파", 3), "a");
  EXPECT_EQ(cut_text("a파", 4), "a파");
  const std::string pair = "a" + std::string(kEmojiModified);
  for (std::size_t most = 1; most < pair.size(); ++most) EXPECT_EQ(cut_text(pair, most), "a");
  EXPECT_EQ(cut_text(kEmoji, 3), "");
}

// Any text of characters, whatever stands before and behind: there and back is the same, and what
// Java's rules give, computed here from UTF-16.
TEST(ModifiedUtf8Test, RandomTextsComeBack) {
  for (unsigned seed = 1; seed <= 2000; ++seed) {
    std::mt19937 random(seed);
    std::string expected_utf8, expected_modified;
    const auto put = [](std::string& out, unsigned code) {
      if (code < 0x80) return void(out += static_cast<char>(code));
      if (code < 0x800)
        return void(out +=
                    {static_cast<char>(0xC0 | code >> 6), static_cast<char>(0x80 | (code & 63))});
      if (code < 0x10000)
        return void(out += {static_cast<char>(0xE0 | code >> 12),
                            static_cast<char>(0x80 | (code >> 6 & 63)),
                            static_cast<char>(0x80 | (code & 63))});
      out += {static_cast<char>(0xF0 | code >> 18), static_cast<char>(0x80 | (code >> 12 & 63)),
              static_cast<char>(0x80 | (code >> 6 & 63)), static_cast<char>(0x80 | (code & 63))};
    };
    for (unsigned left = random() % 40; left > 0; --left) {
      constexpr unsigned kMost[] = {0x80, 0x80, 0x80, 0x800, 0x10000, 0x110000};
      unsigned code = random() % kMost[random() % 6];
      if (random() % 16 == 0) code = 0;
      if (code >= 0xD800 && code <= 0xDFFF) continue;
      put(expected_utf8, code);
      if (code == 0) {
        expected_modified += "\xC0\x80";
      } else if (code >= 0x10000) {
        put(expected_modified, 0xD800 + ((code - 0x10000) >> 10));
        put(expected_modified, 0xDC00 + (code & 0x3FF));
      } else {
        put(expected_modified, code);
      }
    }
    ASSERT_EQ(modified(expected_utf8), expected_modified) << "seed " << seed;
    ASSERT_EQ(utf8(expected_modified), expected_utf8) << "seed " << seed;
    ASSERT_EQ(form_of_utf8(expected_utf8) == TextForm::same, expected_utf8 == expected_modified);
  }
}

// Any bytes: what comes out of the lenient ones is well-formed, and the strict ones agree.
TEST(ModifiedUtf8Test, RandomBytesBecomeText) {
  for (unsigned seed = 1; seed <= 5000; ++seed) {
    std::mt19937 random(seed);
    std::string bytes;
    constexpr unsigned char kOften[] = {0xED, 0xA0, 0xB8, 0x80, 0xC0, 0xF0, 0x9F, 'a', 0};
    for (unsigned left = random() % 24; left > 0; --left) {
      bytes += static_cast<char>(random() % 3 ? kOften[random() % sizeof kOften] : random());
    }
    std::string scratch, out;
    const std::string text(utf8_of(bytes, scratch));
    ASSERT_TRUE(is_utf8(text)) << "seed " << seed;
    if (to_utf8(bytes, out)) {
      ASSERT_EQ(out, text) << "seed " << seed;
    }
    const std::string java(modified_utf8_of(bytes, scratch));
    ASSERT_NE(form_of_modified(java), TextForm::malformed) << "seed " << seed;
    ASSERT_EQ(modified_utf8_of(java, scratch), java) << "seed " << seed;
  }
}

}  // namespace
}  // namespace pabal::core
