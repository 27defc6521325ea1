#include "core/schedule.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

#include "core/check.h"
#include "core/cron.h"

namespace pabal::core {
namespace {

constexpr std::string_view kDelay = "AMQ_SCHEDULED_DELAY";
constexpr std::string_view kPeriod = "AMQ_SCHEDULED_PERIOD";
constexpr std::string_view kRepeat = "AMQ_SCHEDULED_REPEAT";
constexpr std::string_view kCron = "AMQ_SCHEDULED_CRON";

/// Begins with a character that no destination's name has.
constexpr std::string_view kListPrefix = "\x01schedule.";

/// The last day of the year 9999: texts of later times have no common form.
constexpr std::int64_t kLatest = 253'402'300'799'999;

constexpr std::int64_t kLongest = 100LL * 366 * 24 * 3'600'000;

constexpr std::int64_t kMinute = 60'000;
constexpr std::int64_t kHour = 60 * kMinute;
constexpr std::int64_t kDay = 24 * kHour;
constexpr std::int64_t kMonth = 32 * kDay;
constexpr std::int64_t kAge = 120 * kMonth;
/// Widths of the buckets by level.
constexpr std::array<std::int64_t, 5> kWidths = {kMinute, kHour, kDay, kMonth, kAge};

// Properties of a packed job.
constexpr std::string_view kJobAt = "at";
constexpr std::string_view kJobDelay = "delay";
constexpr std::string_view kJobPeriod = "period";
constexpr std::string_view kJobRepeat = "repeat";
constexpr std::string_view kJobCron = "cron";
constexpr std::string_view kJobAgain = "again";
constexpr std::string_view kJobTarget = "target";  ///< a digit for the kind, then the name

std::optional<std::int64_t> parse_number(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return std::nullopt;
  text = text.substr(first, text.find_last_not_of(" \t") - first + 1);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::span<const std::byte> bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

Result<MessageRef> pack(const ScheduledJob& job, const Message& identity, std::string_view body) {
  MessageBuilder builder;
  builder.destination_kind = identity.destination_kind();
  builder.destination_name = identity.destination_name();
  builder.persistent = identity.persistent();
  builder.timestamp = identity.timestamp();
  builder.origin = identity.origin();
  builder.sequence = identity.sequence();
  builder.foreign_id = identity.foreign_id();
  builder.body_kind = BodyKind::bytes;
  builder.body = body;
  builder.add_integer(kJobAt, PropertyType::int64, to_millis(job.at));
  builder.add_integer(kJobDelay, PropertyType::int64, job.delay.count());
  builder.add_integer(kJobPeriod, PropertyType::int64, job.period.count());
  builder.add_integer(kJobRepeat, PropertyType::int64, job.repeat);
  if (!job.cron.empty()) builder.add_string(kJobCron, job.cron);
  builder.add_boolean(kJobAgain, job.again);
  for (const Destination& target : job.targets) {
    builder.add_string(kJobTarget,
                       static_cast<char>('0' + static_cast<int>(target.kind)) + target.name);
  }
  return builder.build();
}

}  // namespace

// --- what is asked -------------------------------------------------------------------------------

bool is_schedule_property(std::string_view name) noexcept {
  return name == kDelay || name == kPeriod || name == kRepeat || name == kCron;
}

bool ScheduleRequest::read(std::string_view name, std::string_view value) {
  if (!is_schedule_property(name)) return false;
  if (name == kCron) {
    cron = value;
    return true;
  }
  const auto parsed = parse_number(value);
  if (!parsed || *parsed < (name == kRepeat ? -1 : 0)) {
    invalid = std::string(name) + " is no number" + (name == kRepeat ? "" : " of milliseconds") +
              ": '" + std::string(value) + "'";
  } else if (name == kDelay) {
    delay = *parsed;
  } else if (name == kPeriod) {
    period = *parsed;
  } else {
    repeat = *parsed;
  }
  return true;
}

Result<ScheduledJob> ScheduledJob::plan(const ScheduleRequest& request, std::int64_t repeat_max,
                                        TimePoint now) {
  if (!request.invalid.empty()) return Error{Errc::invalid_argument, request.invalid};
  if (request.repeat > repeat_max) {
    return Error{Errc::invalid_argument,
                 "AMQ_SCHEDULED_REPEAT is more than maxSchedulerRepeatAllowed (" +
                     std::to_string(repeat_max) + "): " + std::to_string(request.repeat)};
  }
  for (const auto& value : {request.delay, request.period}) {
    if (value.value_or(0) > kLongest) {
      return Error{Errc::invalid_argument,
                   "scheduled more than a hundred years ahead: " + std::to_string(*value) + " ms"};
    }
  }
  ScheduledJob job;
  job.period = milliseconds(request.period.value_or(0));
  job.repeat = request.repeat;
  job.again = request.repeat != 0 || !request.cron.empty();
  if (job.repeat < 0 && job.period.count() == 0) {
    return Error{Errc::invalid_argument,
                 "AMQ_SCHEDULED_REPEAT without end needs an AMQ_SCHEDULED_PERIOD"};
  }
  const milliseconds delay(request.delay.value_or(0));
  if (request.cron.empty()) {
    // ActiveMQ: without a delay the first comes after one period.
    job.at = std::min(now + (delay.count() > 0 ? delay : job.period), from_millis(kLatest));
    return job;
  }
  const auto cron = Cron::parse(request.cron);
  if (!cron) return Error{Errc::invalid_argument, "AMQ_SCHEDULED_CRON: " + cron.error().text};
  job.cron = request.cron;
  job.delay = delay;
  job.at = cron->next(now);
  return job;
}

std::vector<ScheduledJob> ScheduledJob::after(TimePoint now) const {
  std::vector<ScheduledJob> jobs;
  const auto later = [](TimePoint time) { return std::min(time, from_millis(kLatest)); };
  if (!cron.empty()) {
    // It was parsed before it was stored; another version may be stricter, and ends it then.
    if (const auto entry = Cron::parse(cron)) {
      jobs.push_back(*this);
      jobs.back().at = later(entry->next(now));
    }
    if (!delivers()) {
      jobs.push_back({later(now + delay), {}, period, repeat, {}, again, targets});
    } else if (repeat != 0) {
      jobs.push_back(
          {later(now + period), {}, period, repeat < 0 ? -1 : repeat - 1, {}, again, targets});
    }
    return jobs;
  }
  if (repeat == 0) return jobs;
  // On the beat of the first; what was missed is not made up for.
  const TimePoint next = at + period > now ? at + period : now + period;
  jobs.push_back({later(next), {}, period, repeat < 0 ? -1 : repeat - 1, {}, again, targets});
  return jobs;
}

// --- packed --------------------------------------------------------------------------------------

Result<MessageRef> pack_job(const ScheduledJob& job, const Message& message) {
  const auto flat = message.flat();
  return pack(job, message, {reinterpret_cast<const char*>(flat.data()), flat.size()});
}

Result<MessageRef> repack_job(const ScheduledJob& job, const Message& packed) {
  return pack(job, packed, packed.body());
}

std::uint64_t packed_bytes_max(const Message& message, std::string_view cron,
                               const std::vector<Destination>* targets) {
  constexpr std::uint64_t kHeadAndNames = 512;
  std::uint64_t bytes = kHeadAndNames + message.flat().size() + message.destination_name().size() +
                        message.foreign_id().size() + cron.size();
  if (targets != nullptr) {
    for (const Destination& target : *targets) bytes += target.name.size() + 32;
  }
  return bytes;
}

TimePoint time_of_job(const Message& packed) noexcept {
  const auto at = packed.property(kJobAt);
  return at && at->type == PropertyType::int64 ? from_millis(at->integer) : TimePoint{};
}

Result<ScheduledJob> unpack_job(const Message& packed) {
  ScheduledJob job;
  job.again = true;  // unless it says so: jobs of earlier versions do not
  bool timed = false;
  PropertyReader reader(packed);
  while (const auto property = reader.next()) {
    if (property->name == kJobAt) {
      job.at = from_millis(property->integer);
      timed = true;
    } else if (property->name == kJobDelay) {
      job.delay = milliseconds(property->integer);
    } else if (property->name == kJobPeriod) {
      job.period = milliseconds(property->integer);
    } else if (property->name == kJobRepeat) {
      job.repeat = property->integer;
    } else if (property->name == kJobCron) {
      job.cron = property->text;
    } else if (property->name == kJobAgain) {
      job.again = property->integer != 0;
    } else if (property->name == kJobTarget && !property->text.empty()) {
      const int kind = property->text.front() - '0';
      if (kind < 0 || kind > static_cast<int>(DestinationKind::temporary_topic)) break;
      job.targets.push_back(
          {static_cast<DestinationKind>(kind), std::string(property->text.substr(1))});
    }
  }
  if (!timed || !reader.complete()) {
    return Error{Errc::store_io, "a scheduled message makes no sense"};
  }
  return job;
}

Result<MessageRef> message_in_job(const Message& packed) {
  return Message::from_flat(bytes_of(packed.body()));
}

// Source: ActiveMQ's SchedulerBroker gives new ids to what is repeated, and to nothing else.
Result<MessageRef> delivered_copy(const Message& message, std::string_view job_id, bool again,
                                  NewIdentity identity, TimePoint now) {
  MessageBuilder builder(message);
  if (again) {
    builder.origin = identity.origin;
    builder.sequence = identity.sequence;
    builder.foreign_id = {};
  }
  builder.timestamp = to_millis(now);
  if (message.expiration() > message.timestamp()) {
    const std::int64_t time_to_live = message.expiration() - message.timestamp();
    builder.expiration =
        time_to_live > kLatest ? message.expiration() : to_millis(now) + time_to_live;
  }
  builder.copy_properties(message, [](const Property& property) {
    return is_schedule_property(property.name) || property.name == kScheduledJobId;
  });
  builder.add_string(kScheduledJobId, job_id);
  return builder.build();
}

// --- orders --------------------------------------------------------------------------------------

Result<ScheduleOrder> ScheduleOrder::read(const Message& message) {
  const auto text = [&](std::string_view name) {
    std::string value;
    if (const auto property = message.property(name)) property->append_text(value);
    return value;
  };
  const auto time = [&](std::string_view name, std::string_view other,
                        TimePoint otherwise) -> Result<TimePoint> {
    std::string value = text(name);
    if (value.empty()) value = text(other);
    if (value.empty()) return otherwise;
    const auto parsed = parse_number(value);
    if (parsed) return from_millis(*parsed);
    return Error{Errc::invalid_argument,
                 std::string(name) + " is no number of milliseconds: '" + value + "'"};
  };
  ScheduleOrder order;
  const std::string action = text("AMQ_SCHEDULER_ACTION");
  if (action != "BROWSE" && action != "REMOVE" && action != "REMOVEALL") {
    return Error{Errc::not_supported,
                 "AMQ_SCHEDULER_ACTION is BROWSE, REMOVE or REMOVEALL, not '" + action + "'"};
  }
  order.remove = action != "BROWSE";
  order.job_id = action == "REMOVEALL" ? "" : text(kScheduledJobId);
  if (action == "REMOVE" && order.job_id.empty()) {
    return Error{Errc::invalid_argument, "REMOVE needs the scheduledJobId"};
  }
  const auto from = time("AMQ_SCHEDULER_ACTION_START_TIME", "ACTION_START_TIME", order.from);
  if (!from) return from.error();
  const auto to = time("AMQ_SCHEDULER_ACTION_END_TIME", "ACTION_END_TIME", order.to);
  if (!to) return to.error();
  order.from = *from;
  order.to = *to;
  order.correlation = message.correlation();
  order.wants_end = text("PABAL_SCHEDULER_END") == "true";
  const auto reply_to = message.reply_to();
  if (reply_to && reply_to->kind) {
    order.reply_to = {*reply_to->kind, std::string(reply_to->name)};
  } else if (!order.remove || order.wants_end) {
    return Error{Errc::invalid_argument, "it needs a reply-to that is a destination"};
  }
  return order;
}

bool ScheduleOrder::is_for(const Message& packed) const {
  const TimePoint at = time_of_job(packed);
  if (at < from || at > to || (!job_id.empty() && packed.id() != job_id)) return false;
  if (destination.name.empty()) return true;
  const auto goes_there = [&](const Destination& target) {
    return target.kind == destination.kind && matches(destination.name, target.name);
  };
  const auto job = unpack_job(packed);
  if (!job) return false;
  if (job->targets.empty()) return goes_there(packed.destination());
  return std::any_of(job->targets.begin(), job->targets.end(), goes_there);
}

Result<ListedJob> listed_job(const Message& packed) {
  auto job = unpack_job(packed);
  if (!job) return job.error();
  ListedJob listed;
  listed.id = packed.id();
  listed.at = job->at;
  listed.targets = std::move(job->targets);
  if (listed.targets.empty()) listed.targets.push_back(packed.destination());
  listed.delay = job->delay;
  listed.period = job->period;
  listed.repeat = job->repeat;
  listed.cron = std::move(job->cron);
  listed.persistent = packed.persistent();
  listed.bytes = packed.flat().size();
  listed.timestamp = packed.timestamp();
  return listed;
}

Result<MessageRef> shown_job(const ScheduleOrder& order, const Message& packed,
                             std::uint64_t origin, std::uint64_t sequence) {
  const auto job = unpack_job(packed);
  if (!job) return job.error();
  const auto message = message_in_job(packed);
  if (!message) return message.error();
  MessageBuilder builder(**message);
  builder.persistent = false;
  builder.expiration = 0;
  builder.origin = origin;
  builder.sequence = sequence;
  builder.foreign_id = {};
  builder.correlation = order.correlation;
  builder.correlation_is_bytes = false;
  builder.destination_kind = order.reply_to.kind;
  builder.destination_name = order.reply_to.name;
  builder.copy_properties(
      **message, [](const Property& property) { return is_schedule_property(property.name); });
  builder.add_string(kScheduledJobId, packed.id());
  builder.add_integer("scheduledTime", PropertyType::int64, to_millis(job->at));
  std::string where;
  for (const Destination& target : job->targets) {
    where += (where.empty() ? "" : ",") + target.to_text();
  }
  if (where.empty()) where = (*message)->destination().to_text();
  builder.add_string("scheduledDestination", where);
  builder.add_integer(kPeriod, PropertyType::int64, job->period.count());
  builder.add_integer(kRepeat, PropertyType::int64, job->repeat);
  builder.add_integer(kDelay, PropertyType::int64, job->delay.count());
  if (!job->cron.empty()) builder.add_string(kCron, job->cron);
  return builder.build();
}

// --- buckets -------------------------------------------------------------------------------------

TimePoint BucketTime::begin() const noexcept {
  return from_millis(number * kWidths[level]);
}

TimePoint BucketTime::end() const noexcept {
  return from_millis((number + 1) * kWidths[level]);
}

std::string BucketTime::list_name() const {
  return std::string(kListPrefix) + std::to_string(level) + "." + std::to_string(number);
}

bool is_schedule_list(std::string_view name) noexcept {
  return name.starts_with(kListPrefix);
}

std::optional<BucketTime> BucketTime::of_list(std::string_view name) noexcept {
  if (!is_schedule_list(name)) return std::nullopt;
  name.remove_prefix(kListPrefix.size());
  if (name.size() < 3 || name[1] != '.') return std::nullopt;
  const int level = name[0] - '0';
  if (level < 0 || level >= static_cast<int>(kWidths.size())) return std::nullopt;
  const auto parsed = parse_number(name.substr(2));
  if (!parsed || *parsed < 0 || *parsed > kLatest / kMinute) return std::nullopt;
  return BucketTime{static_cast<std::uint8_t>(level), *parsed};
}

BucketTime BucketTime::of(TimePoint at, TimePoint now) noexcept {
  // A level covers as many of its buckets as make about one or two of the next.
  constexpr std::array<std::int64_t, 4> kReach = {kHour, kDay, kMonth, kAge};
  const std::int64_t away = (at - now).count();
  std::uint8_t level = 0;
  while (level < kReach.size() && away >= kReach[level]) ++level;
  return {level, std::max<std::int64_t>(0, to_millis(at)) / kWidths[level]};
}

}  // namespace pabal::core
