#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

namespace pabal::core {

/// Whether holding back (StoreOp::passing) pays. Where the processors have enough to do, what need
/// not be written leaves them to others, and everybody is answered sooner; where a consumer takes
/// longer than the disk, its sender waits for nothing. No figure of the broker tells the one from
/// the other, so it is tried: slices of time with and without it by turns, and what brought more
/// sends goes on, longer each time that a trial ends as the one before. Where there are too few
/// sends to tell, they are held back, which spares the disk. Home: inside the engine.
class PassingTrial {
 public:
  /// Asked for each send that PassingEstimate would have held back; true: hold it back. `now`: of
  /// any clock, in milliseconds; one that is set ends a trial without an answer.
  [[nodiscard]] bool hold(std::int64_t now) noexcept {
    const bool paused = now < last_ || now - last_ > kPause;
    last_ = now;
    if (trying_ && paused) give_up(now);
    if (!trying_ && (now >= next_ || next_ - now > kRestMax)) begin(now);
    if (trying_) count(now);
    return holds();
  }
  /// What hold() said last.
  [[nodiscard]] bool holds() const noexcept { return trying_ ? slice_ % 2 == 0 : pays_; }

 private:
  static constexpr std::int64_t kSlice = 40;
  static constexpr std::int64_t kSettle = 10;  // of a slice, in which the one before still shows
  static constexpr std::int64_t kPause = 100;  // nobody sends
  static constexpr std::int64_t kRestMin = 1'000;
  static constexpr std::int64_t kRestMax = 30'000;
  static constexpr int kSlices = 8;
  static constexpr std::uint64_t kSendsMin = 50;  // of each kind
  static constexpr double kWorthIt = 1.1;         // what writing everything must bring at least

  void begin(std::int64_t now) noexcept {
    trying_ = true;
    slice_ = 0;
    began_ = now;
    sends_ = {};
  }
  void count(std::int64_t now) noexcept {
    if (now - began_ >= kSlice) {
      began_ = now;
      if (++slice_ == kSlices) return judge(now);
    }
    if (now - began_ >= kSettle) ++sends_[static_cast<std::size_t>(slice_ % 2)];
  }
  void judge(std::int64_t now) noexcept {
    const auto [held, written] = sends_;
    if (std::min(held, written) < kSendsMin) return give_up(now);
    const bool pays = static_cast<double>(written) < kWorthIt * static_cast<double>(held);
    rest_ = pays == pays_ ? std::min(2 * rest_, kRestMax) : kRestMin;
    pays_ = pays;
    trying_ = false;
    next_ = now + rest_;
  }
  void give_up(std::int64_t now) noexcept {
    trying_ = false;
    rest_ = pays_ ? std::min(2 * rest_, kRestMax) : kRestMin;
    pays_ = true;
    next_ = now + rest_;
  }

  std::array<std::uint64_t, 2> sends_{};  // held back, written
  std::int64_t last_ = 0;
  std::int64_t began_ = 0;  // of the slice
  std::int64_t next_ = 0;   // trial
  std::int64_t rest_ = kRestMin;
  int slice_ = 0;  // the even ones hold back
  bool trying_ = false;
  bool pays_ = true;
};

}  // namespace pabal::core
