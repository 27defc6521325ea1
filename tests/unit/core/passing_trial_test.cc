#include "core/passing_trial.h"

#include <gtest/gtest.h>

namespace pabal::core {
namespace {

/// Senders that wait for the answer to one send before the next: `held` and `written` in each
/// millisecond, as it is held back or not.
struct Senders {
  int held = 0;
  int written = 0;
};

class PassingTrialTest : public testing::Test {
 protected:
  /// How many of `milliseconds` went by with the sends held back.
  int run(Senders senders, int milliseconds) {
    int held = 0;
    for (int i = 0; i < milliseconds; ++i) {
      ++now_;
      const int sends = trial_.holds() ? senders.held : senders.written;
      held += trial_.holds() ? 1 : 0;
      for (int k = 0; k < sends; ++k) (void)trial_.hold(now_);
    }
    return held;
  }

  PassingTrial trial_;
  std::int64_t now_ = 1'700'000'000'000;
};

TEST_F(PassingTrialTest, HoldsBackAtFirst) {
  EXPECT_TRUE(trial_.hold(now_));
}

TEST_F(PassingTrialTest, HoldsBackWhereThatBringsMore) {
  EXPECT_GT(run({20, 10}, 60'000), 57'000);
}

TEST_F(PassingTrialTest, DoesNotWhereItBringsLess) {
  EXPECT_LT(run({7, 17}, 60'000), 3'000);
}

TEST_F(PassingTrialTest, HoldsBackWhereItIsAllTheSame) {
  EXPECT_GT(run({20, 21}, 60'000), 57'000);
}

TEST_F(PassingTrialTest, SeesThatItHasBecomeWorthIt) {
  (void)run({7, 17}, 60'000);
  (void)run({20, 10}, 40'000);
  EXPECT_GT(run({20, 10}, 10'000), 9'000);
}

TEST_F(PassingTrialTest, SeesThatItHasBecomeALoss) {
  (void)run({20, 10}, 60'000);
  (void)run({7, 17}, 40'000);
  EXPECT_LT(run({7, 17}, 10'000), 1'000);
}

TEST_F(PassingTrialTest, TooFewToTellByAreHeldBack) {
  int held = 0;
  for (int i = 0; i < 1'000; ++i) held += trial_.hold(now_ += 50) ? 1 : 0;
  EXPECT_GT(held, 950);
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(trial_.hold(now_ += 1'000)) << i;
}

TEST_F(PassingTrialTest, AfterAPauseItIsTriedAnew) {
  (void)run({7, 17}, 10'000);
  now_ += 3'600'000;
  EXPECT_GT(run({20, 10}, 60'000), 57'000);
}

TEST_F(PassingTrialTest, AClockThatIsSetBackEndsNothingForLong) {
  (void)run({7, 17}, 60'000);
  now_ -= 3'600'000;
  EXPECT_GT(run({20, 10}, 60'000), 57'000);
}

}  // namespace
}  // namespace pabal::core
