#include <algorithm>
#include <iterator>
#include <limits>
#include <utility>

#include "core/engine_state.h"

// Scheduled delivery: what is asked goes to a bucket of time; when that is near, its jobs are read,
// and each is sent when it is due. schedule.h has the map.
//
// A job is due once: in one batch it leaves its bucket, its message goes where a send would go, and
// what is to come of it (the next repeat, the next time of a cron entry) goes to another bucket. If
// a send would have to wait, the job stays, and is tried again.

namespace pabal::core {
namespace {

using Asked = ScheduleBook::Asked;
using Key = ScheduleBucket::Key;

/// So long before it begins a bucket is read, and the messages of its jobs are kept.
constexpr milliseconds kNear{60'000};
/// Jobs of one bucket in memory; and of all buckets, when one more is read.
constexpr std::size_t kJobsMax = 8192;
constexpr std::size_t kAllJobsMax = 16 * kJobsMax;
/// Bytes of messages of stored jobs that are kept until they are due.
constexpr std::uint64_t kPackedBytesMax = 16ULL << 20;
/// Single messages being read at a time.
constexpr std::size_t kReadingMax = 64;
constexpr std::uint64_t kPageBytesMax = 1ULL << 20;
/// What found no room is tried again after this; what is damaged, after that.
constexpr milliseconds kRetry{1000};
constexpr milliseconds kRetryDamaged{600'000};
constexpr milliseconds kRetrySync{5};

ScheduleBook::Place place_of(const ScheduleBucket& bucket) {
  return {bucket.time.begin(), bucket.time.level};
}

bool is_stored_job(const Message& message) noexcept {
  return message.persistent() && !is_temporary(message.destination_kind());
}

bool is_stored(const ScheduleBucket& bucket) noexcept {
  return raw(bucket.list) != 0;
}

}  // namespace

// --- what is asked -------------------------------------------------------------------------------

Result<ScheduledJob> Engine::State::plan_job(const Send& send, std::int64_t repeat_max) {
  auto job = ScheduledJob::plan(*send.schedule, repeat_max, now);
  if (!job) return job.error();
  if (send.targets) job->targets = *send.targets;
  if (packed_bytes_max(*send.message, job->cron, send.targets.get()) > kMessageBytesMax) {
    return Error{Errc::invalid_argument, "the message is too large to be scheduled"};
  }
  // What no time will mend is said at once.
  const auto check = [](DestinationKind kind, std::string_view name) -> Result<void> {
    if (auto valid = validate_destination_name(name); !valid) return valid;
    if (is_temporary(kind) || !Destination::is_pattern_name(name)) return {};
    return Error{
        Errc::bad_destination,
        "cannot send to the pattern " + std::string(to_string(kind)) + "://" + std::string(name)};
  };
  for (const Destination& target : job->targets) {
    if (auto checked = check(target.kind, target.name); !checked) return checked.error();
  }
  if (job->targets.empty()) {
    const Message& message = *send.message;
    if (auto checked = check(message.destination_kind(), message.destination_name()); !checked) {
      return checked.error();
    }
  }
  return job;
}

std::optional<Outcome> Engine::State::try_schedule(const Send& send, Transaction* transaction) {
  const MessageRef& message = send.message;
  const auto job = plan_job(send, settings.schedule_repeat_max);
  if (!job) return Outcome::failure(job.error(), store.submitted());
  const bool stored = is_stored_job(*message);
  const std::uint64_t bytes = packed_bytes_max(*message, job->cron, send.targets.get());
  if (transaction != nullptr) {
    if (transaction->branch != nullptr) {
      // A prepared branch is kept as its messages, which do not say when they are to be delivered.
      return Outcome::failure({Errc::not_supported, "scheduled delivery in an XA transaction"});
    }
    if (auto room = check_room(*transaction, *message); !room) {
      return Outcome::failure(room.error());
    }
  }
  Error why;
  const Purpose purpose =
      transaction != nullptr ? purpose_within(*transaction, bytes) : Purpose::send;
  switch (admit_job(bytes, stored, why, purpose)) {
    case Admission::granted:
      break;
    case Admission::refused:
      return Outcome::failure(std::move(why), store.submitted());
    case Admission::later:
      if (!fails_when_full(*message)) {
        if (transaction != nullptr) blocked_bytes_ = 0;  // what it acknowledges may be its room
        blocked_why_ = std::move(why.text);
        return std::nullopt;
      }
      return Outcome::failure(std::move(why), store.submitted());
  }
  if (transaction != nullptr) {
    transaction->sends.push_back(send);
    transaction->bytes += message->footprint();
    held_bytes += message->footprint();
    if (stored) transaction->admitted_bytes += bytes;
    if (send.identity) note_in(*transaction, *send.identity);
    return Outcome{};
  }
  Batch batch;
  const std::uint64_t used = prepare_scheduled(send, batch);
  if (stored && bytes > used) store.release(bytes - used);
  if (send.identity) remember(*send.identity, used > 0, batch);
  const Ticket ticket = batch.operations.empty() ? kNoTicket : store.append(batch.operations);
  place_jobs(batch, send.identity ? ticket : kNoTicket);
  return Outcome{Disposition::done, ticket, std::nullopt};
}

Admission Engine::State::admit_job(std::uint64_t bytes, bool stored, Error& why, Purpose purpose) {
  if (limits.memory_bytes_max != 0 && bytes > limits.memory_bytes_max) {
    // Later it would be refused as any send, and so wait for ever.
    why = {Errc::quota_exceeded, "the message is larger than memoryUsage (" +
                                     std::to_string(limits.memory_bytes_max) + " bytes)"};
    return Admission::refused;
  }
  if (!stored) {
    if (schedule.in_memory.entries >= limits.scheduled_volatile_max) {
      why = {Errc::quota_exceeded,
             "scheduled_volatile_max: " + std::to_string(schedule.in_memory.entries) +
                 " non-persistent messages are scheduled"};
      return Admission::refused;
    }
    if (limits.memory_bytes_max == 0) return Admission::granted;
    // What is due takes memory once more, until it is consumed.
    if (schedule.in_memory.bytes + bytes > limits.memory_bytes_max / 2) {
      why = {Errc::quota_exceeded, "memoryUsage: non-persistent messages that are scheduled take " +
                                       std::to_string(schedule.in_memory.bytes) + " of " +
                                       std::to_string(limits.memory_bytes_max / 2) + " bytes"};
      return Admission::refused;
    }
    if (held_bytes + bytes <= limits.memory_bytes_max) return Admission::granted;
    why = {Errc::quota_exceeded, "memoryUsage: " + std::to_string(held_bytes) + " of " +
                                     std::to_string(limits.memory_bytes_max) +
                                     " bytes are held by messages"};
    blocked_in_memory_ = true;
    return Admission::later;
  }
  const auto admission = store.admit(bytes, purpose);
  if (admission != Admission::granted) {
    why = {Errc::store_full, store.refusal()};
    blocked_bytes_ = purpose == Purpose::send ? bytes : 0;
  }
  return admission;
}

std::uint64_t Engine::State::scheduled_bytes_max(const Send& send) {
  if (!is_stored_job(*send.message)) return 0;
  return packed_bytes_max(*send.message, send.schedule->cron, send.targets.get());
}

std::uint64_t Engine::State::prepare_scheduled(const Send& send, Batch& batch) {
  // The limit of repeats may have been lowered since it was sent.
  const auto job = plan_job(send, std::numeric_limits<std::int64_t>::max());
  PABAL_CHECK(job, "what was planned when it was sent can be planned again");
  const auto packed = pack_job(*job, *send.message);
  PABAL_CHECK(packed, "a job of a size that was looked at can be packed");
  const auto operations = batch.operations.size();
  prepare_job(*packed, job->at, batch);
  return batch.operations.size() > operations ? (*packed)->flat().size() : 0;
}

void Engine::State::prepare_job(const MessageRef& packed, TimePoint at, Batch& batch) {
  const bool stored = is_stored_job(*packed);
  ScheduleBucket& bucket = stored ? bucket_of(at) : schedule.in_memory;
  const std::uint64_t sequence = bucket.next_sequence++;
  batch.jobs.push_back({&bucket, {at, sequence}, packed});
  if (!stored) return;
  StoreOp operation;
  operation.kind = StoreOpKind::add;
  operation.list = bucket.list;
  operation.first = operation.last = sequence;
  operation.message = packed;
  batch.operations.push_back(std::move(operation));
}

void Engine::State::place_jobs(Batch& batch, Ticket visible_after) {
  for (auto& [bucket, key, packed] : batch.jobs) {
    const std::uint64_t bytes = packed->flat().size();
    ++bucket->entries;
    bucket->bytes += bytes;
    ++schedule.entries;
    schedule.bytes += bytes;
    if (!is_stored(*bucket)) {
      held_bytes += packed->footprint();
      bucket->jobs.emplace(key, PlannedJob{std::move(packed), visible_after});
      wake_at(Timer::schedule, key.first);
    } else if (bucket->loaded) {
      keep_job(*bucket, key, std::move(packed), visible_after);
      wake_at(Timer::schedule, key.first);
    } else {
      wake_at(Timer::schedule, bucket->time.begin() - kNear);
    }
  }
  batch.jobs.clear();
}

// --- buckets -------------------------------------------------------------------------------------

ScheduleBucket& Engine::State::bucket_of(TimePoint at) {
  const BucketTime time = BucketTime::of(at, now);
  const ScheduleBook::Place place{time.begin(), time.level};
  const auto known = schedule.buckets.find(place);
  if (known != schedule.buckets.end()) return known->second;
  ScheduleBucket& bucket = schedule.buckets.emplace(place, ScheduleBucket(time)).first->second;
  bucket.list = ListId{++last_list};
  bucket.loaded = time.begin() - kNear <= now;  // there is nothing to read
  StoreOp operation;
  operation.kind = StoreOpKind::create_list;
  operation.list = bucket.list;
  operation.detail = std::make_unique<StoreOpDetail>();
  operation.detail->list = {bucket.list, {DestinationKind::queue, time.list_name()}};
  store.append({&operation, 1});
  return bucket;
}

void Engine::State::recover_bucket(const RecoveredList& found) {
  // A name that this version does not know is left alone: a later one may have made it.
  const auto time = BucketTime::of_list(found.description.destination.name);
  if (!time) return;
  const ScheduleBook::Place place{time->begin(), time->level};
  ScheduleBucket& bucket = schedule.buckets.emplace(place, ScheduleBucket(*time)).first->second;
  bucket.list = found.description.id;
  for (const auto& reader : found.readers) {
    for (const auto& cursor : reader.cursors) {
      bucket.first_sequence = cursor.first;
      bucket.next_sequence = cursor.next;
      bucket.entries += cursor.entries;
      bucket.bytes += cursor.bytes;
    }
  }
  schedule.entries += bucket.entries;
  schedule.bytes += bucket.bytes;
  wake_at(Timer::schedule, TimePoint{});
}

/// Everything that is due, or near.
void Engine::State::advance_schedule(std::uint32_t& steps) {
  schedule.due = false;
  const auto fire_in = [&](ScheduleBucket& bucket) {
    fire_jobs(bucket, steps);
    if (steps == 0) schedule.due = true;
    if (bucket.entries == 0 && is_stored(bucket)) {
      wake_at(Timer::schedule, std::max(bucket.time.end(), now + milliseconds(1)));
    }
    if (bucket.reading != ScheduleBucket::Reading::jobs && !bucket.jobs.empty()) {
      wake_at(Timer::schedule, std::max(bucket.jobs.begin()->first.first, now + milliseconds(1)));
    }
  };
  std::size_t in_memory = 0;
  // Not a range: what is sent on may open a bucket.
  for (auto at = schedule.buckets.begin(); at != schedule.buckets.end() && !schedule.due;) {
    ScheduleBucket& bucket = at->second;
    const bool reading = bucket.reading != ScheduleBucket::Reading::nothing;
    if (bucket.entries == 0 && !reading && bucket.time.end() <= now) {
      StoreOp operation;
      operation.kind = StoreOpKind::delete_list;
      operation.list = bucket.list;
      flush_acks();
      store.append({&operation, 1});
      at = schedule.buckets.erase(at);
      continue;
    }
    ++at;
    const TimePoint near = bucket.time.begin() - kNear;
    if (near > now) {
      wake_at(Timer::schedule, near);
      break;  // as all that follow
    }
    if (bucket.entries == 0) {
      bucket.loaded = true;
      wake_at(Timer::schedule, std::max(bucket.time.end(), now + milliseconds(1)));
      continue;
    }
    if (bucket.reading == ScheduleBucket::Reading::walk) continue;  // it wakes the schedule
    // One that is not read for want of memory has its turn when jobs of the others are through.
    // Jobs count here and not buckets: those that wait for room at their destination, each in a
    // bucket of its own, must not hold up all that is behind.
    if (!bucket.loaded && in_memory < kAllJobsMax) load_bucket(bucket);
    in_memory += bucket.jobs.size();
    if (bucket.reading == ScheduleBucket::Reading::jobs) in_memory += kJobsMax;
    if (bucket.loaded) fire_in(bucket);
  }
  if (!schedule.due) fire_in(schedule.in_memory);
}

void Engine::State::load_bucket(ScheduleBucket& bucket) {
  while (!bucket.jobs.empty()) drop_job(bucket, bucket.jobs.begin());
  bucket.known_below = {TimePoint::max(), ~std::uint64_t{0}};
  bucket.loaded = true;
  bucket.read_to = bucket.first_sequence;
  bucket.read_end = bucket.next_sequence;
  request_jobs(bucket, Asked::For::jobs);
}

void Engine::State::request_jobs(ScheduleBucket& bucket, Asked::For what) {
  bucket.reading =
      what == Asked::For::jobs ? ScheduleBucket::Reading::jobs : ScheduleBucket::Reading::walk;
  PageRequest request;
  request.id = ++last_page;
  request.list = bucket.list;
  request.first = bucket.read_to;
  request.end = bucket.read_end;
  request.entries_max = kPageEntriesMax;
  request.bytes_max = kPageBytesMax;
  flush_acks();
  request.after = store.submitted();
  schedule.asked[request.id] = {place_of(bucket), what, {}};
  store.read(request);
}

/// The messages of the next jobs that are due, of which only the times are in memory.
void Engine::State::read_due_jobs(ScheduleBucket& bucket) {
  for (auto& [key, job] : bucket.jobs) {
    if (key.first > now || schedule.reading_one >= kReadingMax) return;
    if (job.packed || job.reading) continue;
    job.reading = true;
    ++schedule.reading_one;
    PageRequest request;
    request.id = ++last_page;
    request.list = bucket.list;
    request.first = key.second;
    request.end = key.second + 1;
    request.entries_max = 1;
    request.bytes_max = kPageBytesMax;
    flush_acks();
    request.after = store.submitted();
    schedule.asked[request.id] = {place_of(bucket), Asked::For::one, key};
    store.read(request);
  }
}

bool Engine::State::take_schedule_page(Page& page) {
  const auto found = schedule.asked.find(page.request);
  if (found == schedule.asked.end()) return false;
  const Asked asked = found->second;
  schedule.asked.erase(found);
  if (asked.what == Asked::For::one) --schedule.reading_one;
  const auto at = schedule.buckets.find(asked.bucket);
  if (at == schedule.buckets.end()) return true;
  switch (asked.what) {
    case Asked::For::jobs:
      take_jobs(at->second, page);
      break;
    case Asked::For::one:
      take_one_job(at->second, asked.job, page);
      break;
    case Asked::For::walk:
      take_walk_page(at->second, page);
      break;
  }
  return true;
}

void Engine::State::take_jobs(ScheduleBucket& bucket, Page& page) {
  if (bucket.read_to == bucket.first_sequence) {
    bucket.first_sequence =
        page.entries.empty() ? std::max(bucket.read_to, page.covered_to) : page.entries[0].sequence;
  }
  for (auto& entry : page.entries) {
    const TimePoint at = time_of_job(*entry.message);
    keep_job(bucket, {at, entry.sequence}, std::move(entry.message), kNoTicket);
  }
  const std::uint64_t before = bucket.read_to;
  bucket.read_to = std::max(bucket.read_to, page.covered_to);
  if (page.error) {
    schedule.waiting = "cannot be read: " + page.error->text;
    bucket.read_to = std::max(bucket.read_to, page.damaged + 1);  // it stays where it is
  }
  if (bucket.read_to > before && bucket.read_to < bucket.read_end) {
    return request_jobs(bucket, Asked::For::jobs);
  }
  bucket.reading = ScheduleBucket::Reading::nothing;
  schedule.due = true;
}

void Engine::State::take_one_job(ScheduleBucket& bucket, const Key& key, Page& page) {
  const auto job = bucket.jobs.find(key);
  if (job == bucket.jobs.end() || !job->second.reading) return;
  job->second.reading = false;
  schedule.due = true;
  if (page.error) {
    schedule.waiting = "cannot be read: " + page.error->text;
    return postpone_job(bucket, job, kRetryDamaged);
  }
  if (page.entries.empty()) {  // removed meanwhile
    bucket.jobs.erase(job);
    return;
  }
  job->second.packed = std::move(page.entries[0].message);
  schedule.packed_bytes += job->second.packed->footprint();
}

// --- in memory -----------------------------------------------------------------------------------

/// A job of a stored bucket that is loaded: in memory, if it is among the earliest.
void Engine::State::keep_job(ScheduleBucket& bucket, const Key& key, MessageRef packed,
                             Ticket visible_after) {
  if (key >= bucket.known_below) return;
  PlannedJob job;
  job.visible_after = visible_after;
  if (key.first <= now + kNear && schedule.packed_bytes + packed->footprint() <= kPackedBytesMax) {
    schedule.packed_bytes += packed->footprint();
    job.packed = std::move(packed);
  }
  bucket.jobs.emplace(key, std::move(job));
  if (bucket.jobs.size() <= kJobsMax) return;
  const auto last = std::prev(bucket.jobs.end());
  bucket.known_below = last->first;
  drop_job(bucket, last);
}

void Engine::State::drop_job(ScheduleBucket& bucket, JobPosition job) {
  if (job->second.packed && is_stored(bucket)) {
    schedule.packed_bytes -= job->second.packed->footprint();
  }
  bucket.jobs.erase(job);
}

void Engine::State::forget_job(ScheduleBucket& bucket, JobPosition job) {
  const Message& packed = *job->second.packed;
  const std::uint64_t bytes = packed.flat().size();
  --bucket.entries;
  bucket.bytes -= bytes;
  --schedule.entries;
  schedule.bytes -= bytes;
  if (!is_stored(bucket)) unhold(packed);
  drop_job(bucket, job);
}

void Engine::State::postpone_job(ScheduleBucket& bucket, JobPosition job, milliseconds by) {
  auto node = bucket.jobs.extract(job);
  node.key().first = now + by;
  bucket.jobs.insert(std::move(node));
}

// --- due -----------------------------------------------------------------------------------------

void Engine::State::fire_jobs(ScheduleBucket& bucket, std::uint32_t& steps) {
  if (bucket.reading == ScheduleBucket::Reading::jobs) return;  // earlier ones may be coming
  while (!bucket.jobs.empty() && steps > 0) {
    const auto job = bucket.jobs.begin();
    if (job->first.first > now) return;
    if (job->first >= bucket.known_below) return load_bucket(bucket);
    if (!job->second.packed) return read_due_jobs(bucket);
    --steps;
    if (job->second.visible_after > std::max(durable, store.durable())) {
      postpone_job(bucket, job, kRetrySync);
    } else if (!fire_job(bucket, job)) {
      postpone_job(bucket, job, kRetry);
    }
  }
  // The rest of it did not fit into memory.
  if (bucket.jobs.empty() && bucket.known_below.first != TimePoint::max()) load_bucket(bucket);
}

/// False: it stays where it is, and schedule.waiting says why.
bool Engine::State::fire_job(ScheduleBucket& bucket, JobPosition at) {
  const MessageRef packed = at->second.packed;
  const auto job = unpack_job(*packed);
  if (!job) {
    schedule.waiting = job.error().text;
    return false;
  }
  const bool stored = is_stored(bucket);
  std::vector<std::pair<TimePoint, MessageRef>> next;
  std::uint64_t bytes = 0;
  for (const ScheduledJob& each : job->after(now)) {
    auto again = repack_job(each, *packed);
    PABAL_CHECK(again, "a job is no larger than the one before");
    bytes += (*again)->flat().size();
    next.emplace_back(each.at, std::move(*again));
  }
  // One takes the room of the one that goes; of a cron entry two may come, and are as any others.
  const bool more = next.size() > 1;
  if (stored && bytes > 0 &&
      store.admit(bytes, more ? Purpose::send : Purpose::move) != Admission::granted) {
    schedule.waiting = "no room: " + store.refusal();
    return false;
  }
  if (Error why; !stored && more && admit_job(bytes, false, why) != Admission::granted) {
    schedule.waiting = std::move(why.text);
    return false;
  }
  Batch along;
  for (const auto& [time, message] : next) prepare_job(message, time, along);
  if (stored) along.operations.push_back(acknowledgement_of(bucket, at->first.second));
  if (!job->delivers()) {
    if (!along.operations.empty()) store.append(along.operations);
  } else if (!deliver_job(*job, *packed, along)) {
    if (stored && bytes > 0) store.release(bytes);
    return false;
  }
  schedule.waiting.clear();
  forget_job(bucket, at);
  place_jobs(along, kNoTicket);
  return true;
}

StoreOp Engine::State::acknowledgement_of(const ScheduleBucket& bucket,
                                          std::uint64_t sequence) const {
  StoreOp operation;
  operation.kind = StoreOpKind::acknowledge;
  operation.list = bucket.list;
  operation.reader = kQueueReader;
  operation.first = operation.last = sequence;
  return operation;
}

/// Sends what is in a job, and `along` with it, in one batch; false: not now.
bool Engine::State::deliver_job(const ScheduledJob& job, const Message& packed, Batch& along) {
  const auto message = message_in_job(packed);
  if (!message) {
    schedule.waiting = message.error().text;
    return false;
  }
  const NewIdentity identity{store.epoch() << 32, ++broker_sequence};
  const auto copy = delivered_copy(**message, packed.id(), job.again, identity, now);
  if (!copy) {
    schedule.waiting = copy.error().text;
    return false;
  }
  Send send;
  send.message = *copy;
  if (!job.targets.empty()) {
    send.targets = std::make_shared<const std::vector<Destination>>(job.targets);
  }
  // The last one leaves the room that it takes; a full store must not hold up what it is full of.
  send.purpose = along.jobs.empty() ? Purpose::move : Purpose::send;
  send.along = &along.operations;
  const auto outcome = try_send(send, nullptr);
  if (outcome && outcome->disposition == Disposition::done) return true;
  if (!outcome) {
    schedule.waiting = "no room for " + (*copy)->destination().to_text() + ": " + blocked_why_;
    return false;
  }
  schedule.waiting = outcome->error->text;
  const Errc code = outcome->error->code;
  if (code == Errc::quota_exceeded || code == Errc::store_full) return false;
  // Its destination is gone for good: a temporary one, for example.
  return dead_letter_job(*copy, "scheduled delivery failed: " + outcome->error->text, along);
}

bool Engine::State::dead_letter_job(const MessageRef& copy, std::string_view cause, Batch& along) {
  if (auto room = admit_dead_letter(nullptr, *copy, cause, false); !room) {
    schedule.waiting = room.error().text;
    return false;
  }
  held_bytes += copy->footprint();  // as if delivered
  Entry entry;
  entry.message = copy;
  Batch batch;
  dead_letter(nullptr, copy->priority(), entry, cause, false, &batch, 0);
  std::move(along.operations.begin(), along.operations.end(), std::back_inserter(batch.operations));
  flush_acks();
  const Ticket ticket = batch.operations.empty() ? kNoTicket : store.append(batch.operations);
  place(batch, ticket, ticket);
  return true;
}

}  // namespace pabal::core
