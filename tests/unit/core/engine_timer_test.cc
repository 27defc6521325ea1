#include "tests/unit/core/engine_fixture.h"

// When the engine wants to be called, and what happens then.

namespace pabal::core {
namespace {

class EngineTimerTest : public EngineFixture {};

TEST_F(EngineTimerTest, PlansAheadOfTheTimeOfTheCall) {
  engine_->tick(now_);
  for (int i = 0; i < 5; ++i) {
    const auto next = engine_->next_timer();
    ASSERT_TRUE(next);
    EXPECT_GT(*next, now_);
    now_ = *next;
    engine_->tick(now_);
    run();
  }
}

TEST_F(EngineTimerTest, ALateTickDoesWhatIsDueOnce) {
  engine_->tick(now_);
  now_ += milliseconds(10'000'000);
  engine_->tick(now_);
  run();
  EXPECT_GT(*engine_->next_timer(), now_);
}

}  // namespace
}  // namespace pabal::core
