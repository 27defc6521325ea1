#include "server/back_off.h"

#include <set>

#include <gtest/gtest.h>

namespace pabal::server {
namespace {

using std::chrono::milliseconds;

TEST(BackOffTest, GrowsToItsMaximumAndBeginsAgain) {
  BackOff back_off({milliseconds(1000), milliseconds(6000), 2, 7});
  for (const std::int64_t full : {1000, 2000, 4000, 6000, 6000}) {
    const auto delay = back_off.next().count();
    EXPECT_LE(delay, full);
    EXPECT_GE(delay, full * 3 / 4);
  }
  back_off.reset();
  EXPECT_LE(back_off.next(), milliseconds(1000));
}

TEST(BackOffTest, StaysWithAMultiplierOfOneAndNeverIsBelowTheInitialOne) {
  BackOff back_off({milliseconds(1000), milliseconds(10), 1, 7});
  for (int i = 0; i < 10; ++i) {
    const auto delay = back_off.next();
    EXPECT_LE(delay, milliseconds(1000));
    EXPECT_GE(delay, milliseconds(750));
  }
}

/// Goal: those who lost the same peer at the same time do not come back at the same time.
TEST(BackOffTest, SeedsAreApartAndRepeatable) {
  std::set<std::int64_t> delays;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    BackOff one({milliseconds(30'000), milliseconds(30'000), 2, seed});
    BackOff same({milliseconds(30'000), milliseconds(30'000), 2, seed});
    const auto delay = one.next();
    EXPECT_EQ(same.next(), delay);
    EXPECT_EQ(same.next(), one.next());
    delays.insert(delay.count() / 100);
  }
  EXPECT_GT(delays.size(), 50U) << "of 75 that there are";
}

}  // namespace
}  // namespace pabal::server
