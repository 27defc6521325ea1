#include "core/expiry_index.h"

#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace pabal::core {
namespace {

constexpr ListId kA{1};
constexpr ListId kB{2};

std::vector<std::pair<std::uint64_t, std::uint64_t>> due(ExpiryIndex& index, std::int64_t now) {
  std::vector<std::pair<std::uint64_t, std::uint64_t>> blocks;
  while (const auto block = index.take_due(from_millis(now))) {
    blocks.emplace_back(block->first, block->last);
  }
  return blocks;
}
using Blocks = std::vector<std::pair<std::uint64_t, std::uint64_t>>;

TEST(ExpiryIndexTest, GivesBlocksInOrderOfTheirEarliest) {
  ExpiryIndex index(1000);
  EXPECT_FALSE(index.next());
  index.note(kA, 4, 10, 500);
  index.note(kA, 4, 20, 300);
  index.note(kA, 4, 300, 100);
  index.note(kA, 4, 20, 400);  // not earlier
  index.note(kB, 4, 5, 200);
  EXPECT_EQ(index.parts(), 3U);
  EXPECT_EQ(to_millis(*index.next()), 100);
  EXPECT_EQ(due(index, 99), Blocks{});
  EXPECT_EQ(due(index, 200), (Blocks{{256, 511}, {0, 255}}));
  EXPECT_EQ(to_millis(*index.next()), 300);
  EXPECT_EQ(due(index, 1000), (Blocks{{0, 255}}));
  EXPECT_FALSE(index.next());
}

TEST(ExpiryIndexTest, ForgetsWhatIsBehindAndWhatIsGone) {
  ExpiryIndex index(1000);
  for (std::uint64_t i = 0; i < 10; ++i) index.note(kA, 4, i * 256, 100);
  index.note(kB, 4, 0, 100);
  index.note(kB, 9, 0, 100);
  index.forget_below(kA, 4, 256 * 8 + 255);
  EXPECT_EQ(index.parts(), 4U);
  index.forget_below(kA, 4, 256 * 9);
  EXPECT_EQ(index.parts(), 3U);
  index.forget(kB);
  EXPECT_EQ(index.parts(), 1U);
  EXPECT_EQ(due(index, 100), (Blocks{{256 * 9, 256 * 9 + 255}}));
}

TEST(ExpiryIndexTest, StaysBoundedAndLosesNothing) {
  ExpiryIndex index(64);
  std::mt19937_64 random(7);
  std::vector<std::pair<std::uint64_t, std::int64_t>> noted;
  for (std::uint64_t i = 1; i <= 200'000; i += 50) {
    const auto time = static_cast<std::int64_t>(random() % 1'000'000);
    index.note(i % 3 == 0 ? kB : kA, 4, i, time);
    noted.emplace_back(i, time);
    ASSERT_LE(index.parts(), 65U);
  }
  std::size_t found = 0;
  while (const auto block = index.take_due(from_millis(500'000))) {
    for (const auto& [sequence, time] : noted) {
      const bool here = (sequence % 3 == 0 ? kB : kA) == block->list;
      if (here && sequence >= block->first && sequence <= block->last && time <= 500'000) ++found;
    }
  }
  std::size_t wanted = 0;
  for (const auto& each : noted) wanted += each.second <= 500'000;
  EXPECT_EQ(found, wanted);
}

TEST(ExpiryIndexTest, ManyLanesWithOneBlockEach) {
  ExpiryIndex index(64);
  for (std::uint64_t i = 1; i <= 10'000; ++i) index.note(ListId{i}, 4, 1, 1'000);
  EXPECT_EQ(due(index, 1'000).size(), 10'000U);
  EXPECT_EQ(index.parts(), 0U);
}

TEST(ExpiryIndexTest, PartsThatAreNotKnownBetterTakeInWhatIsThere) {
  ExpiryIndex index(1000);
  index.note(kA, 4, 100, 500);
  index.note(kA, 4, 20'000, 400);
  index.note({kA, 4, 0, 16'383}, 300);
  index.note(kA, 4, 1'000, 200);  // within it
  EXPECT_EQ(index.parts(), 2U);
  EXPECT_EQ(due(index, 299), (Blocks{{0, 16'383}}));
  EXPECT_EQ(due(index, 1'000), (Blocks{{19'968, 20'223}}));
  EXPECT_EQ(index.parts(), 0U);
}

TEST(ExpiryIndexTest, APartNeverReachesIntoItsNeighbour) {
  ExpiryIndex index(1000);
  index.note({kA, 4, 100, 299}, 1'000);
  index.note(kA, 4, 300, 2'000);  // behind it, in a block of which it has the beginning
  index.note(kA, 4, 50, 3'000);   // before it, the same
  EXPECT_EQ(index.parts(), 3U);
  EXPECT_EQ(due(index, 5'000), (Blocks{{100, 299}, {300, 511}, {0, 99}}));
}

}  // namespace
}  // namespace pabal::core
