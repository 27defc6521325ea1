#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/destination.h"
#include "core/ids.h"
#include "core/queue_admin.h"

// What an operator asks of what is scheduled, and what he is told: plain values, as those of
// core/queue_admin.h. (Clients ask by messages: ScheduleOrder.)

namespace pabal::core {

/// A place in the order in which jobs are listed: stored ones by bucket of time and then as they
/// came, and behind them, by time, those that are not stored.
struct SchedulePlace {
  bool in_memory = false;
  TimePoint time{};            ///< of a bucket: its begin; in memory: of the job before
  std::uint8_t level = 0;      ///< of the bucket
  std::uint64_t sequence = 0;  ///< of a bucket: begin here; in memory: of the job before
  friend bool operator==(const SchedulePlace&, const SchedulePlace&) = default;
};

struct ScheduleTaskOptions {
  bool cancel = false;      ///< else they are listed
  std::string job_id;       ///< only this one; empty: all
  Destination destination;  ///< only what goes there; may be a pattern; without a name: anywhere
  std::uint64_t limit = 0;  ///< so many, then it is done; 0: all. Lists: at most kListedJobsMax
  SchedulePlace from;       ///< list: begin here
};
inline constexpr std::uint64_t kListedJobsMax = 1000;

/// A message that waits for its time.
struct ListedJob {
  std::string id;  ///< of the message, and so of the job
  TimePoint at{};  ///< when it is due next
  std::vector<Destination> targets;
  milliseconds delay{0};  ///< with `cron`: after each of its times
  milliseconds period{0};
  std::int64_t repeat = 0;  ///< deliveries after the next one; -1: without end
  std::string cron;
  bool persistent = false;
  std::uint64_t bytes = 0;     ///< that it takes
  std::int64_t timestamp = 0;  ///< ms since 1970: when it was sent
};

struct ScheduleTaskView {
  TaskId id{};
  bool ended = false;
  std::uint64_t looked_at = 0;
  std::uint64_t affected = 0;  ///< listed or cancelled
  std::string damage;          ///< what could not be read; empty: nothing
  bool more = false;           ///< list: it ended before the last one
  SchedulePlace next;          ///< list: what to ask for then, or after a cancelled one
  std::vector<ListedJob> jobs;
};

}  // namespace pabal::core
