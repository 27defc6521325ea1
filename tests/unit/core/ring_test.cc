#include "core/ring.h"

#include <deque>
#include <memory>
#include <random>

#include <gtest/gtest.h>

namespace pabal::core {
namespace {

TEST(RingTest, BehavesLikeADeque) {
  std::mt19937 random(7);
  Ring<std::unique_ptr<int>> ring;
  std::deque<int> model;
  for (int i = 0; i < 20'000; ++i) {
    switch (random() % 6) {
      case 0:
      case 1:
        ring.push_back(std::make_unique<int>(i));
        model.push_back(i);
        break;
      case 2:
        ring.push_front(std::make_unique<int>(i));
        model.push_front(i);
        break;
      case 3:
        if (!model.empty()) {
          ring.pop_front();
          model.pop_front();
        }
        break;
      case 4:
        if (!model.empty()) {
          ring.pop_back();
          model.pop_back();
        }
        break;
      default:
        if (i % 100 == 0) ring.shrink();
        break;
    }
    ASSERT_EQ(ring.size(), model.size());
    if (model.empty()) continue;
    ASSERT_EQ(*ring.front(), model.front());
    ASSERT_EQ(*ring.back(), model.back());
    const auto at = random() % model.size();
    ASSERT_EQ(*ring[at], model[at]);
  }
}

TEST(RingTest, NeverUsedHoldsNoMemory) {
  Ring<int> ring;
  EXPECT_EQ(ring.capacity(), 0U);
  ring.push_back(1);
  ring.pop_front();
  ring.shrink();
  EXPECT_EQ(ring.capacity(), 0U);
}

}  // namespace
}  // namespace pabal::core
