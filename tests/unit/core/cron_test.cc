#include "core/cron.h"

#include <gtest/gtest.h>

namespace pabal::core {
namespace {

using namespace std::chrono_literals;
using std::chrono::sys_days;

TimePoint at(int year, unsigned month, unsigned day, int hour = 0, int minute = 0, int second = 0) {
  return sys_days(std::chrono::year(year) / static_cast<int>(month) / static_cast<int>(day)) +
         std::chrono::hours(hour) + std::chrono::minutes(minute) + std::chrono::seconds(second);
}

struct Case {
  const char* entry;
  TimePoint from;
  TimePoint next;
};

TEST(CronTest, FindsTheNextTime) {
  // 1 January 2026 is a Thursday.
  const Case cases[] = {
      {"* * * * *", at(2026, 1, 1, 12, 0, 0), at(2026, 1, 1, 12, 1)},
      {"* * * * *", at(2026, 1, 1, 12, 0, 59), at(2026, 1, 1, 12, 1)},
      {"* * * * *", at(2026, 12, 31, 23, 59, 1), at(2027, 1, 1)},
      {"0 * * * *", at(2026, 1, 1, 12, 0, 0), at(2026, 1, 1, 13, 0)},
      {"0 * * * *", at(2026, 1, 1, 11, 59, 59), at(2026, 1, 1, 12, 0)},
      {"30 4 * * *", at(2026, 1, 1, 4, 30, 0), at(2026, 1, 2, 4, 30)},
      {"*/15 * * * *", at(2026, 1, 1, 0, 14, 0), at(2026, 1, 1, 0, 15)},
      {"*/15 * * * *", at(2026, 1, 1, 0, 45, 0), at(2026, 1, 1, 1, 0)},
      {"5/20 * * * *", at(2026, 1, 1, 0, 26, 0), at(2026, 1, 1, 0, 45)},
      {"5/20 * * * *", at(2026, 1, 1, 0, 46, 0), at(2026, 1, 1, 1, 5)},
      {"10-20/5 * * * *", at(2026, 1, 1, 0, 15, 0), at(2026, 1, 1, 0, 20)},
      {"10-20/5 * * * *", at(2026, 1, 1, 0, 20, 0), at(2026, 1, 1, 1, 10)},
      {"1,3,5 * * * *", at(2026, 1, 1, 0, 1, 30), at(2026, 1, 1, 0, 3)},
      {"0 9-17 * * 1-5", at(2026, 1, 2, 17, 0, 0), at(2026, 1, 5, 9, 0)},
      {"0 0 1 * *", at(2026, 1, 1, 0, 0, 0), at(2026, 2, 1)},
      {"0 0 31 * *", at(2026, 1, 31, 0, 0, 0), at(2026, 3, 31)},
      {"0 0 29 2 *", at(2026, 1, 1), at(2028, 2, 29)},
      {"0 0 29 2 *", at(2096, 3, 1), at(2104, 2, 29)},
      {"0 12 * * 0", at(2026, 1, 1), at(2026, 1, 4, 12)},
      {"0 12 * * 7", at(2026, 1, 1), at(2026, 1, 4, 12)},
      {"0 12 * * 5-7", at(2026, 1, 3, 12), at(2026, 1, 4, 12)},
      {"0 0 * 3 1", at(2026, 1, 1), at(2026, 3, 2)},
      // Both kinds of day: whichever comes first.
      {"0 0 13 * 5", at(2026, 1, 1), at(2026, 1, 2)},
      {"0 0 13 * 5", at(2026, 1, 9), at(2026, 1, 13)},
      {"0 0 */2 * 1", at(2026, 1, 1), at(2026, 1, 5)},
      {"  0\t0  1 1   * ", at(2026, 1, 1), at(2027, 1, 1)},
      // A step in one of the kinds of day: both must match, which may take long.
      {"0 0 */31 3 0", at(2026, 11, 21), at(2037, 3, 1)},
      {"0 0 29 2 */7", at(2032, 2, 29), at(2060, 2, 29)},
      {"0 0 29 2 */7", at(2088, 3, 1), at(2128, 2, 29)},
      // A step beyond the field leaves its first.
      {"5/4294967295 * * * *", at(2026, 1, 1), at(2026, 1, 1, 0, 5)},
      {"* * 7/4294967293 * *", at(2026, 1, 2, 12), at(2026, 1, 7)},
  };
  for (const Case& each : cases) {
    const auto cron = Cron::parse(each.entry);
    ASSERT_TRUE(cron) << each.entry << ": " << cron.error().text;
    EXPECT_EQ(to_millis(cron->next(each.from)), to_millis(each.next)) << each.entry;
  }
}

TEST(CronTest, RefusesWhatIsNoEntry) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "five fields"},
      {"* * * *", "five fields"},
      {"* * * * * *", "five fields"},
      {"60 * * * *", "minute"},
      {"-1 * * * *", "minute"},
      {"a * * * *", "minute"},
      {"*/0 * * * *", "minute"},
      {"*/ * * * *", "minute"},
      {"5- * * * *", "minute"},
      {"20-10 * * * *", "minute"},
      {"1,,2 * * * *", "minute"},
      {"1, * * * *", "minute"},
      {"99999999999 * * * *", "minute"},
      {"* 24 * * *", "hour"},
      {"* * 0 * *", "day of month"},
      {"* * 32 * *", "day of month"},
      {"* * * 13 *", "month"},
      {"* * * JAN *", "month"},
      {"* * * * 8", "day of week"},
      {"0 0 30 2 *", "never comes"},
      {"0 0 31 4,6,9,11 *", "never comes"},
  };
  for (const auto& [entry, part] : cases) {
    const auto cron = Cron::parse(entry);
    ASSERT_FALSE(cron) << entry;
    EXPECT_NE(cron.error().text.find(part), std::string::npos)
        << entry << ": " << cron.error().text;
  }
}

}  // namespace
}  // namespace pabal::core
