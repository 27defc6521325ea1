#include "core/cron.h"

#include <algorithm>
#include <charconv>
#include <string>

#include "core/check.h"

namespace pabal::core {
namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::sys_days;

/// After so many days the calendar repeats, days of the week included. Nothing shorter will do: a
/// 29 February that is a Sunday may be 40 years away.
constexpr days kCalendar{146'097};

struct Field {
  std::string_view name;
  unsigned low;
  unsigned high;
};
constexpr Field kMinute{"minute", 0, 59};
constexpr Field kHour{"hour", 0, 23};
constexpr Field kDay{"day of month", 1, 31};
constexpr Field kMonth{"month", 1, 12};
constexpr Field kWeekday{"day of week", 0, 7};

Error bad(const Field& field, std::string_view text) {
  return Error{Errc::invalid_argument,
               "the " + std::string(field.name) + " of a cron entry is " +
                   std::to_string(field.low) + "-" + std::to_string(field.high) +
                   ", * or a list of those, with a step /n: '" + std::string(text) + "'"};
}

std::optional<unsigned> number(std::string_view text) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// One element of a field's list.
template <std::size_t Size>
bool add_element(const Field& field, std::string_view text, std::bitset<Size>& values) {
  std::optional<unsigned> step;
  if (const auto slash = text.find('/'); slash != std::string_view::npos) {
    step = number(text.substr(slash + 1));
    if (!step || *step == 0) return false;
    step = std::min(*step, field.high + 1);  // all that are so large leave the first alone
    text = text.substr(0, slash);
  }
  unsigned first = field.low;
  unsigned last = field.high;
  if (text != "*") {
    const auto dash = text.find('-');
    const auto from = number(text.substr(0, dash));
    const auto to = dash == std::string_view::npos ? from : number(text.substr(dash + 1));
    if (!from || !to || *from < field.low || *to > field.high || *from > *to) return false;
    first = *from;
    // "5/10" begins at five and goes on to the end.
    last = dash == std::string_view::npos && step ? field.high : *to;
  }
  for (unsigned value = first; value <= last; value += step.value_or(1)) {
    values.set(value % Size);  // of the days of the week, 7 is 0
  }
  return true;
}

template <std::size_t Size>
Result<void> parse_field(const Field& field, std::string_view text, std::bitset<Size>& values) {
  std::string_view rest = text;
  for (;;) {
    const auto comma = rest.find(',');
    if (!add_element(field, rest.substr(0, comma), values)) return bad(field, text);
    if (comma == std::string_view::npos) return {};
    rest = rest.substr(comma + 1);
  }
}

}  // namespace

Result<Cron> Cron::parse(std::string_view text) {
  constexpr std::string_view kBlank = " \t";
  std::array<std::string_view, 5> fields;
  std::size_t count = 0;
  for (auto at = text.find_first_not_of(kBlank); at != std::string_view::npos;
       at = text.find_first_not_of(kBlank, at)) {
    const auto end = std::min(text.find_first_of(kBlank, at), text.size());
    if (count < fields.size()) fields[count] = text.substr(at, end - at);
    ++count;
    at = end;
  }
  if (count != fields.size()) {
    return Error{Errc::invalid_argument,
                 "a cron entry has five fields, minute hour day-of-month "
                 "month day-of-week, not " +
                     std::to_string(count) + ": '" + std::string(text) + "'"};
  }
  Cron cron;
  if (auto parsed = parse_field(kMinute, fields[0], cron.minutes_); !parsed) return parsed.error();
  if (auto parsed = parse_field(kHour, fields[1], cron.hours_); !parsed) return parsed.error();
  if (auto parsed = parse_field(kDay, fields[2], cron.days_); !parsed) return parsed.error();
  if (auto parsed = parse_field(kMonth, fields[3], cron.months_); !parsed) return parsed.error();
  if (auto parsed = parse_field(kWeekday, fields[4], cron.weekdays_); !parsed) {
    return parsed.error();
  }
  cron.any_day_ = fields[2].starts_with('*');
  cron.any_weekday_ = fields[4].starts_with('*');
  // From a time that is divided evenly: whether there is such a day does not hang on today.
  if (!cron.find(TimePoint{})) {
    return Error{Errc::invalid_argument,
                 "a cron entry names a day that never comes: '" + std::string(text) + "'"};
  }
  return cron;
}

bool Cron::has_day(std::chrono::year_month_day day) const {
  const bool in_month = days_.test(static_cast<unsigned>(day.day()));
  const bool in_week = weekdays_.test(std::chrono::weekday(sys_days(day)).c_encoding());
  return any_day_ || any_weekday_ ? in_month && in_week : in_month || in_week;
}

std::optional<TimePoint> Cron::find(TimePoint time) const {
  const auto first = std::chrono::floor<minutes>(time) + minutes(1);
  const auto today = std::chrono::floor<days>(first);
  for (auto day = today; day < today + kCalendar; day += days(1)) {
    const std::chrono::year_month_day date(day);
    if (!months_.test(static_cast<unsigned>(date.month()))) {
      day = sys_days(date.year() / date.month() / std::chrono::last);  // on with the next month
      continue;
    }
    if (!has_day(date)) continue;
    const auto from = day == today ? first - day : minutes(0);
    for (auto hour = std::chrono::floor<hours>(from); hour < hours(24); hour += hours(1)) {
      if (!hours_.test(static_cast<std::size_t>(hour.count()))) continue;
      for (auto minute = std::max<minutes>(from - hour, minutes(0)); minute < hours(1);
           minute += minutes(1)) {
        if (minutes_.test(static_cast<std::size_t>(minute.count()))) return day + hour + minute;
      }
    }
  }
  return std::nullopt;
}

TimePoint Cron::next(TimePoint time) const {
  const auto found = find(time);
  PABAL_CHECK(found, "parse() has found one, and the calendar repeats");
  return *found;
}

}  // namespace pabal::core
