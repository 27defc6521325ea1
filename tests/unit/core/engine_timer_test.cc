#include "tests/unit/core/engine_fixture.h"

// When the engine wants to be called, and what happens then.

namespace pabal::core {
namespace {

class EngineTimerTest : public EngineFixture {
 protected:
  /// Messages that expire `apart` one after the other.
  void plan(int messages, milliseconds apart) {
    const auto who = connect();
    for (int i = 1; i <= messages; ++i) {
      Send send;
      send.expiration = to_millis(now_ + i * apart);
      ASSERT_EQ(publish(who, send).disposition, Disposition::done);
    }
    run();
  }
};

TEST_F(EngineTimerTest, PlansAheadOfTheTimeOfTheCall) {
  engine_->tick(now_);
  plan(5, milliseconds(10'000));
  for (int i = 0; i < 5; ++i) {
    const auto next = engine_->next_timer();
    ASSERT_TRUE(next);
    EXPECT_EQ(*next, now_ + milliseconds(10'000));
    now_ = *next;
    engine_->tick(now_);
    run();
  }
  EXPECT_FALSE(engine_->next_timer());
}

TEST_F(EngineTimerTest, ALateTickDoesWhatIsDueOnce) {
  engine_->tick(now_);
  plan(5, milliseconds(10'000));
  now_ += milliseconds(45'000);
  engine_->tick(now_);
  run();
  EXPECT_EQ(view("queue://q").depth, 1U);
  EXPECT_EQ(view("queue://q").counters.expired, 4U);
  ASSERT_TRUE(engine_->next_timer());
  EXPECT_GT(*engine_->next_timer(), now_);
}

}  // namespace
}  // namespace pabal::core
