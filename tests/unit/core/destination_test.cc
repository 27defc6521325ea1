#include "core/destination.h"

#include <gtest/gtest.h>

namespace pabal::core {
namespace {

TEST(DestinationTest, StarMatchesExactlyOneLevel) {
  EXPECT_TRUE(matches("a.*", "a.b"));
  EXPECT_FALSE(matches("a.*", "a"));
  EXPECT_FALSE(matches("a.*", "a.b.c"));
  EXPECT_TRUE(matches("*.b.*", "a.b.c"));
  EXPECT_TRUE(matches("*", "a"));
}

TEST(DestinationTest, GreaterMatchesZeroOrMoreLevels) {
  EXPECT_TRUE(matches("w.>", "w"));
  EXPECT_TRUE(matches("w.>", "w.x.y"));
  EXPECT_FALSE(matches("w.>", "v.x"));
  EXPECT_TRUE(matches(">", "anything.at.all"));
}

TEST(DestinationTest, ExactNamesMatchThemselvesOnly) {
  EXPECT_TRUE(matches("a.b", "a.b"));
  EXPECT_FALSE(matches("a.b", "a.bb"));
  EXPECT_FALSE(matches("a.b", "a"));
  EXPECT_FALSE(matches("a", "a.b"));
}

TEST(DestinationTest, OnlyWholeLevelsAreWildcards) {
  EXPECT_TRUE(Destination::is_pattern_name("a.*.b"));
  EXPECT_TRUE(Destination::is_pattern_name("a.>"));
  EXPECT_FALSE(Destination::is_pattern_name("a*.b"));
  EXPECT_FALSE(Destination::is_pattern_name("a.>.b"));
}

TEST(DestinationTest, RefusesNamesThatNobodyCouldWrite) {
  EXPECT_FALSE(validate_destination_name(""));
  EXPECT_FALSE(validate_destination_name(std::string(kDestinationNameBytesMax + 1, 'a')));
  EXPECT_FALSE(validate_destination_name("a\nb"));
  EXPECT_TRUE(validate_destination_name("a b/c,d?é"));
}

}  // namespace
}  // namespace pabal::core
