#pragma once

#include <chrono>

namespace pabal::server {

/// Whether a loop spends most of its time waiting for something to do, judged anew every few
/// milliseconds. Home: the loop.
class IdleShare {
 public:
  using Clock = std::chrono::steady_clock;

  /// It waited from `began` until now.
  void waited(Clock::time_point began) {
    const auto now = Clock::now();
    waited_ += now - began;
    judge(now);
  }
  /// From `began` until now it did what does not count, neither as work nor as waiting.
  void excuse(Clock::time_point began) {
    const auto now = Clock::now();
    excused_ += now - began;
    judge(now);
  }
  [[nodiscard]] bool mostly() const noexcept { return mostly_; }

 private:
  static constexpr std::chrono::milliseconds kWindow{10};

  void judge(Clock::time_point now) {
    const auto passed = now - window_began_;
    if (passed < kWindow) return;
    mostly_ = 2 * waited_ > passed - excused_;
    window_began_ = now;
    waited_ = excused_ = {};
  }

  Clock::time_point window_began_{};
  Clock::duration waited_{};
  Clock::duration excused_{};
  bool mostly_ = false;
};

}  // namespace pabal::server
