#pragma once

#include <algorithm>
#include <cstdint>

namespace pabal::core {

/// Whether what is sent to a queue will probably be acknowledged before it could be synced. If so it
/// is worth holding back for about as long as a sync takes: what is acknowledged by then is never
/// written (StoreOp::passing), and its sender is answered sooner. If not, holding it back is lost
/// time; so it is done where about nine of ten are in time, and what nobody acknowledges ends it.
/// Home: inside the engine.
class PassingEstimate {
 public:
  /// Asked for each send; true: hold it back. Each yes is a loan, which passed() returns.
  [[nodiscard]] bool expected() const noexcept { return holding_ && score_ >= kLoan; }
  void begin() noexcept { score_ -= kLoan; }

  /// It was acknowledged before it was durable. If it was held back, and yet written by then, that
  /// was for something else behind it, or too late by less than a sync: which, is not known.
  void passed(bool held_back, bool cancelled) noexcept {
    if (!held_back) {
      score_ += kGain;
    } else {
      score_ += kLoan + (cancelled ? kGain : -kGain);
    }
    score_ = std::clamp(score_, 0, kMax);
    if (score_ >= kEnough) holding_ = true;
  }
  /// It was acknowledged later.
  void stayed(bool held_back) noexcept {
    score_ = std::max(0, score_ - (held_back ? kLoss : kLossBefore));
    if (score_ == 0) holding_ = false;
  }

 private:
  static constexpr std::int32_t kGain = 1;
  static constexpr std::int32_t kLoan = 3;
  static constexpr std::int32_t kLoss = 6;  // beside the loan: nine of ten are to be in time
  static constexpr std::int32_t kLossBefore = 4;
  static constexpr std::int32_t kEnough = 32;
  static constexpr std::int32_t kMax = 1024;  // a third as many may be held back at once

  std::int32_t score_ = 0;
  bool holding_ = false;
};

}  // namespace pabal::core
