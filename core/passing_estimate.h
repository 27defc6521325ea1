#pragma once

#include <algorithm>
#include <cstdint>

namespace pabal::core {

/// Whether what is sent to a queue will probably be acknowledged before it could be synced. If so
/// it is worth holding back for about as long as a sync takes: what is acknowledged by then is
/// never written (StoreOp::passing), and its sender is answered sooner. If not, holding it back is
/// lost time; so it is done where about nine of ten are in time, what nobody acknowledges ends it,
/// and where it was in vain it is tried again only after ever longer. (A client may acknowledge
/// quickly, but never before its own send is answered.) Home: inside the engine.
class PassingEstimate {
 public:
  /// Asked for each send; true: hold it back. Each yes is a loan, which passed() returns.
  [[nodiscard]] bool expected() const noexcept { return holding_ && score_ >= kLoan; }
  void begin() noexcept { score_ -= kLoan; }
  /// Its messages have been quick of late.
  [[nodiscard]] bool holding() const noexcept { return holding_; }

  /// It was acknowledged in time. If it was held back, and yet written by then, that was for
  /// something else behind it, or it was late by less than a sync: which, is not known.
  void passed(bool held_back, bool cancelled) noexcept {
    if (held_back) {
      score_ = std::clamp(score_ + kLoan + (cancelled ? kGain : -kGain), 0, kMax);
      if (score_ == kMax) doubt_ = 0;
      penniless_ = 0;
    } else if (!holding_) {
      ++score_;
    } else if (score_ < kLoan && ++penniless_ >= kEnough) {
      end_holding();
    }
    if (holding_ || score_ < kEnough + doubt_) return;
    holding_ = true;
    score_ = kBegin;
  }
  /// It was not.
  void stayed(bool held_back) noexcept {
    score_ = std::max(0, score_ - (held_back ? kLoss : kLossBefore));
    if (holding_ && score_ == 0) end_holding();
  }

 private:
  void end_holding() noexcept {
    holding_ = false;
    score_ = penniless_ = 0;
    doubt_ = std::min(kDoubtMax, 2 * doubt_ + kEnough);
  }

  static constexpr std::int32_t kGain = 1;
  static constexpr std::int32_t kLoan = 3;
  static constexpr std::int32_t kLoss = 6;        // beside the loan: nine of ten are to be in time
  static constexpr std::int32_t kLossBefore = 4;  // four of five
  static constexpr std::int32_t kEnough = 32;
  static constexpr std::int32_t kBegin = 160;
  static constexpr std::int32_t kMax = 1024;  // a third as many may be held back at once
  static constexpr std::int32_t kDoubtMax = 1 << 16;

  std::int32_t score_ = 0;
  std::int32_t doubt_ = 0;  // more that must be in time before it is tried again
  // In time, one after the other, that it could not afford to hold back, and no loan came back:
  // none will, and what was held back was written in vain until nothing was left.
  std::int32_t penniless_ = 0;
  bool holding_ = false;
};

}  // namespace pabal::core
