#include "core/passing_estimate.h"

#include <gtest/gtest.h>

namespace pabal::core {
namespace {

/// A send whose message is acknowledged in time, or not; true: it was held back.
bool send(PassingEstimate& estimate, bool in_time) {
  const bool held = estimate.expected();
  if (held) estimate.begin();
  in_time ? estimate.passed(held, held) : estimate.stayed(held);
  return held;
}

int sends_until_held(PassingEstimate& estimate) {
  int sends = 1;
  while (!send(estimate, true)) ++sends;
  return sends;
}

TEST(PassingEstimateTest, NothingIsHeldBackAtFirst) {
  const PassingEstimate estimate;
  EXPECT_FALSE(estimate.expected());
}

TEST(PassingEstimateTest, AQuickConsumerIsWaitedFor) {
  PassingEstimate estimate;
  EXPECT_LT(sends_until_held(estimate), 100);
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(send(estimate, true)) << i;
}

TEST(PassingEstimateTest, ASlowOneIsNotEvenIfItIsQuickNowAndThen) {
  PassingEstimate estimate;
  int held = 0;
  for (int i = 0; i < 10'000; ++i) held += send(estimate, i % 2 == 0) ? 1 : 0;
  EXPECT_EQ(held, 0);
}

TEST(PassingEstimateTest, OneThatIsLateNowAndThenIsWaitedForAllTheSame) {
  PassingEstimate estimate;
  (void)sends_until_held(estimate);
  int held = 0;
  for (int i = 0; i < 10'000; ++i) held += send(estimate, i % 20 != 0) ? 1 : 0;
  EXPECT_GT(held, 9'000);
}

TEST(PassingEstimateTest, OneThatHasBecomeSlowIsNotWaitedForLong) {
  PassingEstimate estimate;
  for (int i = 0; i < 10'000; ++i) (void)send(estimate, true);
  int held = 0;
  for (int i = 0; i < 10'000; ++i) held += send(estimate, false) ? 1 : 0;
  EXPECT_LT(held, 200);
}

TEST(PassingEstimateTest, OneThatNeverAcknowledgesIsNotWaitedForLong) {
  PassingEstimate estimate;
  for (int i = 0; i < 10'000; ++i) (void)send(estimate, true);
  int held = 0;
  for (; estimate.expected(); ++held) estimate.begin();
  EXPECT_LT(held, 500);
}

// One thread of a client sends, waits for the answer, and only then acknowledges.
TEST(PassingEstimateTest, OneThatIsQuickOnlyWhenItIsNotWaitedForIsTriedLessAndLess) {
  PassingEstimate estimate;
  int held = 0;
  for (int i = 0; i < 100'000; ++i) {
    const bool holds = estimate.expected();
    held += send(estimate, !holds) ? 1 : 0;
  }
  EXPECT_GT(held, 0);
  EXPECT_LT(held, 1'000);
}

TEST(PassingEstimateTest, WhatOnceWentWrongIsForgottenWhenItGoesWell) {
  PassingEstimate estimate;
  for (int i = 0; i < 5'000; ++i) (void)send(estimate, !estimate.expected());
  (void)sends_until_held(estimate);
  for (int i = 0; i < 2'000; ++i) (void)send(estimate, true);
  while (estimate.expected()) (void)send(estimate, false);
  EXPECT_LT(sends_until_held(estimate), 100);
}

// Something else was written behind it each time: no fault of the consumer's.
TEST(PassingEstimateTest, OneThatIsQuickThoughItWasWrittenIsWaitedForOn) {
  PassingEstimate estimate;
  for (int i = 0; i < 10'000; ++i) (void)send(estimate, true);
  for (int i = 0; i < 500; ++i) {
    ASSERT_TRUE(estimate.expected()) << i;
    estimate.begin();
    estimate.passed(true, false);
  }
}

// All that is held back is written for something else, for so long that nothing more is risked.
TEST(PassingEstimateTest, WhatWasHeldBackInVainIsTriedAgainOnlyAfterEverLonger) {
  PassingEstimate estimate;
  const auto send_in_vain = [&estimate] {
    const bool held = estimate.expected();
    if (held) estimate.begin();
    estimate.passed(held, false);
    return held;
  };
  int in_vain = 0;
  for (int i = 0; i < 1'000'000; ++i) in_vain += send_in_vain() ? 1 : 0;
  EXPECT_GT(in_vain, 0);
  EXPECT_LT(in_vain, 5'000);
}

TEST(PassingEstimateTest, WhatWasHeldBackInVainIsNotGivenUpForGood) {
  PassingEstimate estimate;
  (void)sends_until_held(estimate);
  while (estimate.expected()) {
    estimate.begin();
    estimate.passed(true, false);
  }
  EXPECT_LT(sends_until_held(estimate), 200);
}

}  // namespace
}  // namespace pabal::core
