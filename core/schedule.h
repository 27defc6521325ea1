#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/destination.h"
#include "core/ids.h"
#include "core/message.h"
#include "core/result.h"
#include "core/schedule_task.h"

// Scheduled delivery: what a client asks for, how a message waits for its time, and where.
//
// A scheduled message waits inside a *job*: a message whose body is the one to deliver, as it came,
// and whose properties say when. Jobs stand in hidden lists of the store, their names such as no
// client can write. One list holds a *bucket* of time: a minute of the next hour, an hour of the
// next day, a day of the next month, 32 days, ten years; so there are about a thousand at most, and
// a far one costs no memory per job. A minute before a bucket begins it is read, and the earliest
// of its jobs (a bounded number) stand in memory, in order of time; when those are through, the
// next. What is not persistent stands in a bucket of its own, in memory only.

namespace pabal::core {

/// What a client said in AMQ_SCHEDULED_*; adaptors hand it in beside the message
/// (SendOptions::schedule). Which of it makes sense, the engine says when it is sent, because with
/// the scheduler off these are properties like others.
struct ScheduleRequest {
  std::optional<std::int64_t> delay;   ///< ms
  std::optional<std::int64_t> period;  ///< ms
  std::int64_t repeat = 0;             ///< further deliveries; -1: without end
  std::string cron;                    ///< see core/cron.h
  std::string invalid;                 ///< why a value makes no sense; empty: all do

  /// Reads one header or property. False: it is none of AMQ_SCHEDULED_*.
  bool read(std::string_view name, std::string_view value);
  /// Anything that delays it: a number of repeats alone does not.
  [[nodiscard]] bool any() const noexcept {
    return delay || period || !cron.empty() || !invalid.empty();
  }
};

/// Whether a property is one of the four that delivered copies have no more.
bool is_schedule_property(std::string_view name) noexcept;
/// What delivered copies have: the id of the job.
inline constexpr std::string_view kScheduledJobId = "scheduledJobId";

/// A message and its times.
struct ScheduledJob {
  TimePoint at{};           ///< when it is due next
  milliseconds delay{0};    ///< with `cron`: after each of its times
  milliseconds period{0};   ///< between repeats
  std::int64_t repeat = 0;  ///< deliveries after the next one; -1: without end
  std::string cron;
  bool again = false;                ///< it is, or was, to be delivered more than once
  std::vector<Destination> targets;  ///< of a composite send; empty: the message's own

  /// The job of `message`, sent at `now`. Errors: invalid_argument.
  static Result<ScheduledJob> plan(const ScheduleRequest& request, std::int64_t repeat_max,
                                   TimePoint now);
  /// What is left when it has become due at `now`: of a cron entry its next time, and the repeats
  /// of this one; of others the next repeat. How often it was missed does not count.
  [[nodiscard]] std::vector<ScheduledJob> after(TimePoint now) const;
  /// Whether becoming due means a delivery: a cron entry with a delay only begins one then.
  [[nodiscard]] bool delivers() const noexcept { return cron.empty() || delay.count() <= 0; }
};

/// `message` packed with its times; its id is that of the message, which is the job's.
Result<MessageRef> pack_job(const ScheduledJob& job, const Message& message);
/// The flat message inside a job, to be packed again.
Result<MessageRef> repack_job(const ScheduledJob& job, const Message& packed);
/// pack_job() never makes more of a message.
std::uint64_t packed_bytes_max(const Message& message, std::string_view cron,
                               const std::vector<Destination>* targets);
/// The times in a packed job. Errors: store_io: it is none.
Result<ScheduledJob> unpack_job(const Message& packed);
/// When it is due, without looking at the rest; TimePoint{}: it is none.
TimePoint time_of_job(const Message& packed) noexcept;
/// The message inside, as it was sent. Errors: store_io.
Result<MessageRef> message_in_job(const Message& packed);
/// Who sends a delivered copy that gets an id of its own.
struct NewIdentity {
  std::uint64_t origin = 0;
  std::uint64_t sequence = 0;
};
/// What consumers get of it: a new time (its time to live begins now), `scheduledJobId` for
/// AMQ_SCHEDULED_*. `again`: it may come more than once, so that each delivery has an id of its
/// own. Errors: invalid_argument (too large).
Result<MessageRef> delivered_copy(const Message& message, std::string_view job_id, bool again,
                                  NewIdentity identity, TimePoint now);

/// A span of time whose jobs stand together.
struct BucketTime {
  std::uint8_t level = 0;
  std::int64_t number = 0;

  friend auto operator<=>(const BucketTime&, const BucketTime&) = default;
  [[nodiscard]] TimePoint begin() const noexcept;
  [[nodiscard]] TimePoint end() const noexcept;
  /// The name of its list, which is no name for clients.
  [[nodiscard]] std::string list_name() const;
  static std::optional<BucketTime> of_list(std::string_view name) noexcept;
  /// Where what is due at `at` goes, seen from `now`.
  static BucketTime of(TimePoint at, TimePoint now) noexcept;
};

/// Whether a list in the store is the scheduler's.
bool is_schedule_list(std::string_view name) noexcept;

/// A job of a bucket that is in memory.
struct PlannedJob {
  MessageRef packed;  ///< null: to be read when it is near
  Ticket visible_after = kNoTicket;
  bool reading = false;
  bool waited = false;  ///< for room
};

struct ScheduleBucket {
  using Key = std::pair<TimePoint, std::uint64_t>;  ///< when to try it, sequence

  explicit ScheduleBucket(BucketTime bucket_time) : time(bucket_time) {}

  const BucketTime time;
  ListId list{};
  std::uint64_t first_sequence = 1;
  std::uint64_t next_sequence = 1;
  std::uint64_t entries = 0;
  std::uint64_t bytes = 0;  ///< of packed messages

  // In memory: nothing, until its time is near …
  bool loaded = false;
  // … then all jobs below this.
  Key known_below{TimePoint::max(), ~std::uint64_t{0}};
  std::map<Key, PlannedJob> jobs;
  enum class Reading : std::uint8_t { nothing, jobs, walk } reading = Reading::nothing;
  std::uint64_t read_to = 0;   ///< the next page begins here
  std::uint64_t read_end = 0;  ///< one past the last that the reading is about
};

/// What somebody asks of the jobs as a whole (ActiveMQ.Scheduler.Management).
struct ScheduleOrder {
  bool remove = false;  ///< else they are shown, one message each, to `reply_to`
  std::string job_id;   ///< empty: all
  TimePoint from = TimePoint::min();
  TimePoint to = TimePoint::max();
  Destination reply_to;
  std::string correlation;
  bool wants_end = false;   ///< one more message, when all were shown or removed
  Destination destination;  ///< only what goes there; may be a pattern; without a name: anywhere

  /// Errors: invalid_argument, not_supported (an action that is none).
  static Result<ScheduleOrder> read(const Message& message);
  [[nodiscard]] bool is_for(const Message& packed) const;
};
/// What an operator's list shows of a job. Errors: store_io.
Result<ListedJob> listed_job(const Message& packed);
/// Where orders are sent.
inline constexpr std::string_view kSchedulerTopic = "ActiveMQ.Scheduler.Management";
/// What an order to show jobs gets for one. Errors: store_io, invalid_argument.
Result<MessageRef> shown_job(const ScheduleOrder& order, const Message& packed,
                             std::uint64_t origin, std::uint64_t sequence);

/// An order on its way through the buckets.
struct ScheduleWalk {
  ScheduleOrder order;
  using Place = std::pair<TimePoint, std::uint8_t>;
  std::optional<Place> behind;  ///< the last bucket that it is through with; none: it begins
  bool inside = false;          ///< it waits for a page of the first bucket behind that
  std::optional<ScheduleBucket::Key> memory_behind;  ///< the same, of what is not stored
  std::uint64_t removed = 0;
  std::uint64_t shown = 0;

  // Of an operator's command:
  TaskId task{};            ///< zero: a client's order
  std::uint64_t limit = 0;  ///< so many jobs; 0: all
  SchedulePlace from;
  bool ended_early = false;  ///< its limit is reached, or nobody wants it any more
};

/// All that is scheduled.
struct ScheduleBook {
  using Place = ScheduleWalk::Place;  ///< begin and level
  std::map<Place, ScheduleBucket> buckets;
  ScheduleBucket in_memory{BucketTime{}};  ///< what is not stored

  /// A page under way.
  struct Asked {
    Place bucket;
    enum class For : std::uint8_t { jobs, one, walk } what{};
    ScheduleBucket::Key job{};  ///< of `one`
  };
  std::map<std::uint64_t, Asked> asked;
  std::size_t reading_one = 0;

  std::vector<ScheduleWalk> walks;           ///< the first is under way
  std::map<TaskId, ScheduleTaskView> tasks;  ///< limit: tasks_max
  bool due = false;                          ///< there is work
  std::uint64_t entries = 0;
  std::uint64_t bytes = 0;
  std::uint64_t packed_bytes = 0;  ///< of stored jobs, in memory
  std::string waiting;             ///< why a job that was due could not be delivered, the last time
};

}  // namespace pabal::core
