#include "server/utf8.h"

#include <gtest/gtest.h>

namespace pabal::server {
namespace {

using namespace std::string_view_literals;

TEST(Utf8Test, LeavesTextAsItIs) {
  for (const auto text : {""sv, "plain"sv,
                          "Gr\xC3\xB6\xC3\x9F"
                          "e"sv,
                          "\xEA\xB9\x80"sv, "\xF0\x9F\x90\x8E"sv, "\xF4\x8F\xBF\xBF"sv, "a\0b"sv}) {
    EXPECT_TRUE(is_utf8(text)) << text;
    EXPECT_EQ(to_utf8(text), text);
  }
}

TEST(Utf8Test, ReplacesEveryByteThatIsNone) {
  constexpr auto kMark = "\xEF\xBF\xBD"sv;
  for (const auto text : {"\xFF"sv, "\x80"sv, "\xC3"sv, "\xC0"sv, "\xF5"sv}) {
    EXPECT_FALSE(is_utf8(text));
    EXPECT_EQ(to_utf8(text), kMark);
  }
  // Cut off, overlong, a surrogate, above U+10FFFF.
  for (const auto text : {"\xE2\x82"sv, "\xC0\xAF"sv, "\xED\xA0\x80"sv, "\xF4\x90\x80\x80"sv}) {
    EXPECT_FALSE(is_utf8(text));
    EXPECT_EQ(to_utf8(text).size(), text.size() * kMark.size());
  }
  EXPECT_EQ(to_utf8("a\xFF\xC3\xA4z"sv), std::string("a").append(kMark).append("\xC3\xA4z"));
}

}  // namespace
}  // namespace pabal::server
