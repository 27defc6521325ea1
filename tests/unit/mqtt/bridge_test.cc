#include "protocols/mqtt/bridge.h"

#include <gtest/gtest.h>

#include "protocols/mqtt/topic_names.h"

namespace pabal::mqtt {
namespace {

/// Goal: patterns of a bridge are told apart exactly. Method: pairs by hand, either way round.
TEST(BridgePatternsTest, OverlapIsSeenEitherWayRound) {
  struct Pair {
    const char* one;
    const char* other;
    bool overlap;
  };
  constexpr Pair kPairs[] = {
      {"a/b", "a/b", true},    {"a/b", "a/c", false},   {"a/+", "a/b", true},
      {"a/+", "+/b", true},    {"a/+", "b/+", false},   {"#", "a/b/c", true},
      {"a/#", "a", true},      {"a/#", "a/b/c", true},  {"a/#", "b/#", false},
      {"a/+/#", "a", false},   {"a/+", "a", false},     {"a/+/c", "a/b/#", true},
      {"a/b", "a/b/c", false}, {"a//c", "a/+/c", true}, {"a/", "a/+", true},
  };
  for (const Pair& pair : kPairs) {
    EXPECT_EQ(filters_overlap(pair.one, pair.other), pair.overlap) << pair.one << ' ' << pair.other;
    EXPECT_EQ(filters_overlap(pair.other, pair.one), pair.overlap) << pair.other << ' ' << pair.one;
  }
}

/// Goal: what one topic shows to overlap is never missed. Method: all filters and topics of up to
/// three levels over a small alphabet.
TEST(BridgePatternsTest, FiltersThatShareATopicOverlap) {
  std::vector<std::string> filters;
  std::vector<std::string> topics;
  const auto grow = [](std::vector<std::string>& out, const std::vector<std::string>& levels) {
    out = levels;
    std::size_t from = 0;
    for (int depth = 1; depth < 3; ++depth) {
      const std::size_t to = out.size();
      for (std::size_t i = from; i < to; ++i) {
        for (const auto& level : levels) {
          if (!out[i].ends_with('#')) out.push_back(out[i] + '/' + level);
        }
      }
      from = to;
    }
  };
  grow(filters, {"a", "b", "+", "#"});
  grow(topics, {"a", "b"});
  for (const auto& one : filters) {
    for (const auto& other : filters) {
      bool shared = false;
      for (const auto& topic : topics) {
        const std::string name = swapped(topic);
        shared =
            shared || (matches_filter(swapped(one), name) && matches_filter(swapped(other), name));
      }
      EXPECT_EQ(filters_overlap(one, other), shared) << one << ' ' << other;
    }
  }
}

TEST(BridgePathTest, AnIdIsFoundWhole) {
  EXPECT_TRUE(has_been_at("a,b,c", "a"));
  EXPECT_TRUE(has_been_at("a,b,c", "b"));
  EXPECT_TRUE(has_been_at("a,b,c", "c"));
  EXPECT_FALSE(has_been_at("aa,bb", "a"));
  EXPECT_FALSE(has_been_at("", "a"));
}

}  // namespace
}  // namespace pabal::mqtt
