#pragma once

#include <array>
#include <bitset>
#include <optional>
#include <string_view>

#include "core/ids.h"
#include "core/result.h"

namespace pabal::core {

/// Times by the minute, as a crontab says them: five fields "minute hour day-of-month month
/// day-of-week", each `*`, a number, a range `a-b`, either with a step `/n`, or a list of those
/// with commas. Sunday is 0, or 7. If both kinds of day are given, one that matches either is
/// taken, as crontab(5) has it. Times are UTC: core knows no time zone. A plain value. Source:
/// ActiveMQ's CronParser, which takes the broker's local time and no 7.
class Cron {
 public:
  /// Errors: invalid_argument, naming the field; also if there is no such day.
  static Result<Cron> parse(std::string_view text);

  /// The first such minute after `time`.
  [[nodiscard]] TimePoint next(TimePoint time) const;

 private:
  /// Of a month that is one of its own.
  [[nodiscard]] bool has_day(std::chrono::year_month_day day) const;
  [[nodiscard]] std::optional<TimePoint> find(TimePoint time) const;

  std::bitset<60> minutes_;
  std::bitset<24> hours_;
  std::bitset<32> days_;
  std::bitset<13> months_;
  std::bitset<7> weekdays_;
  bool any_day_ = true;
  bool any_weekday_ = true;
};

}  // namespace pabal::core
