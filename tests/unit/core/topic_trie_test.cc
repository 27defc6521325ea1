#include "core/topic_trie.h"

#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "core/destination.h"

namespace pabal::core {
namespace {

std::vector<int> found(const TopicTrie<int>& trie, std::string_view name) {
  std::vector<int> values;
  trie.match(name, [&](int value) { values.push_back(value); });
  std::sort(values.begin(), values.end());
  return values;
}

// matches() is the plain definition; the trie must agree with it on everything.
TEST(TopicTrieTest, AgreesWithThePlainDefinition) {
  std::mt19937 random(11);
  const auto name = [&](bool pattern) {
    std::string text;
    const auto levels = 1 + random() % 4;
    for (std::size_t i = 0; i < levels; ++i) {
      if (i > 0) text += '.';
      const auto pick = random() % (pattern ? 5 : 3);
      text += pick < 3 ? std::string(1, static_cast<char>('a' + pick)) : pick == 3 ? "*" : "";
      if (pick == 4) text += i + 1 == levels ? ">" : "b";
    }
    return text;
  };
  TopicTrie<int> trie;
  std::vector<std::pair<std::string, int>> patterns;
  for (int round = 0; round < 2000; ++round) {
    if (patterns.size() < 30 || random() % 2 == 0) {
      patterns.emplace_back(name(true), round);
      trie.insert(patterns.back().first, round);
    } else {
      const auto at = patterns.begin() + static_cast<std::ptrdiff_t>(random() % patterns.size());
      ASSERT_TRUE(trie.erase(at->first, at->second));
      patterns.erase(at);
    }
    const auto topic = name(false);
    std::vector<int> expected;
    for (const auto& [pattern, value] : patterns) {
      if (matches(pattern, topic)) expected.push_back(value);
    }
    std::sort(expected.begin(), expected.end());
    ASSERT_EQ(found(trie, topic), expected) << topic;
  }
}

TEST(TopicTrieTest, EveryChangeIsAnEpoch) {
  TopicTrie<int> trie;
  const auto before = trie.epoch();
  trie.insert("a.*", 1);
  EXPECT_NE(trie.epoch(), before);
  const auto inserted = trie.epoch();
  EXPECT_FALSE(trie.erase("a.b", 1));
  EXPECT_EQ(trie.epoch(), inserted);
  EXPECT_TRUE(trie.erase("a.*", 1));
  EXPECT_NE(trie.epoch(), inserted);
}

}  // namespace
}  // namespace pabal::core
