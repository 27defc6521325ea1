#include <algorithm>
#include <utility>

#include "core/engine_state.h"

// What is scheduled, shown and removed: by messages to the topic ActiveMQ.Scheduler.Management, as
// ActiveMQ has them, and by operators' commands. An order goes through the buckets page by page,
// one order at a time; while it is in a bucket, that one's jobs wait.

namespace pabal::core {
namespace {

ScheduleBook::Place place_of(const ScheduleBucket& bucket) {
  return {bucket.time.begin(), bucket.time.level};
}

}  // namespace

Outcome Engine::State::order_schedule(const Message& message, const SendOptions& options) {
  if (options.transaction) {
    return Outcome::failure({Errc::not_supported, "an order to the scheduler in a transaction"});
  }
  auto order = ScheduleOrder::read(message);
  if (!order) return Outcome::failure(order.error());
  if (schedule.walks.size() >= limits.schedule_orders_max) {
    return Outcome::failure(
        {Errc::quota_exceeded, "schedule_orders_max: " + std::to_string(schedule.walks.size()) +
                                   " orders to the scheduler are waiting"});
  }
  ScheduleWalk walk;
  walk.order = std::move(*order);
  schedule.walks.push_back(std::move(walk));
  return Outcome{};
}

Result<TaskId> Engine::State::start_schedule_task(ScheduleTaskOptions options) {
  if (schedule.walks.size() >= limits.schedule_orders_max) {
    return Error{Errc::quota_exceeded,
                 "schedule_orders_max: " + std::to_string(schedule.walks.size()) +
                     " orders to the scheduler are waiting"};
  }
  if (!options.destination.name.empty()) {
    const auto valid = validate_destination_name(options.destination.name);
    if (!valid) return valid.error();
  }
  auto& tasks = schedule.tasks;
  if (tasks.size() >= limits.tasks_max) {
    const auto ended = std::find_if(tasks.begin(), tasks.end(),
                                    [](const auto& each) { return each.second.ended; });
    if (ended == tasks.end()) {
      return Error{Errc::quota_exceeded, "tasks_max: " + std::to_string(tasks.size()) +
                                             " commands are being carried out"};
    }
    tasks.erase(ended);
  }
  ScheduleWalk walk;
  walk.order.remove = options.cancel;
  walk.order.job_id = std::move(options.job_id);
  walk.order.destination = std::move(options.destination);
  walk.limit = options.limit;
  if (!options.cancel) {
    walk.limit = walk.limit == 0 ? kListedJobsMax : std::min(walk.limit, kListedJobsMax);
    walk.from = options.from;
  }
  if (walk.from.in_memory) walk.memory_behind = {walk.from.time, walk.from.sequence};
  walk.task = TaskId{++last_task};
  ScheduleTaskView& view = schedule.tasks[walk.task];
  view.id = walk.task;
  view.next = walk.from;
  schedule.walks.push_back(std::move(walk));
  schedule.due = true;  // to be entered for it
  return view.id;
}

std::optional<ScheduleTaskView> Engine::State::take_schedule_task(TaskId id) {
  const auto at = schedule.tasks.find(id);
  if (at == schedule.tasks.end()) return std::nullopt;
  ScheduleTaskView view = std::move(at->second);
  schedule.tasks.erase(at);
  for (auto& walk : schedule.walks) {
    if (walk.task == id) walk.ended_early = true;
  }
  return view;
}

/// One job that the order is for.
void Engine::State::note_job(ScheduleWalk& walk, const Message& packed, const SchedulePlace& next) {
  const auto task = schedule.tasks.find(walk.task);
  if (task == schedule.tasks.end()) return;
  ScheduleTaskView& view = task->second;
  ++view.affected;
  view.next = next;
  if (walk.limit != 0 && view.affected >= walk.limit) {
    walk.ended_early = true;
    view.more = true;
  }
  if (walk.order.remove) return;
  if (auto listed = listed_job(packed)) {
    view.jobs.push_back(std::move(*listed));
  } else {
    view.damage = listed.error().text;
  }
}

bool Engine::State::walk_schedule(std::uint32_t& steps) {
  ScheduleWalk& walk = schedule.walks.front();
  if (walk.inside) return false;
  if (walk.ended_early) {
    end_walk();
    return true;
  }
  if (walk.from.in_memory) return walk_memory(walk, steps);
  const ScheduleBook::Place from{walk.from.time, walk.from.level};
  const bool begins_inside = walk.from != SchedulePlace{};
  auto at = walk.behind     ? schedule.buckets.upper_bound(*walk.behind)
            : begins_inside ? schedule.buckets.lower_bound(from)
                            : schedule.buckets.begin();
  for (; at != schedule.buckets.end(); ++at) {
    if (steps == 0) {
      schedule.due = true;  // to be entered again
      return true;
    }
    --steps;
    ScheduleBucket& bucket = at->second;
    const bool in_range = bucket.time.begin() <= walk.order.to;
    std::uint64_t first = bucket.first_sequence;
    if (begins_inside && at->first == from) first = std::max(first, walk.from.sequence);
    if (bucket.entries > 0 && in_range && first < bucket.next_sequence) {
      if (bucket.reading != ScheduleBucket::Reading::nothing) return false;  // it is being loaded
      walk.inside = true;
      bucket.read_to = first;
      bucket.read_end = bucket.next_sequence;
      request_jobs(bucket, ScheduleBook::Asked::For::walk);
      return false;
    }
    walk.behind = at->first;
  }
  return walk_memory(walk, steps);
}

bool Engine::State::walk_memory(ScheduleWalk& walk, std::uint32_t& steps) {
  auto& jobs = schedule.in_memory.jobs;
  auto at = walk.memory_behind ? jobs.upper_bound(*walk.memory_behind) : jobs.begin();
  while (at != jobs.end() && !walk.ended_early) {
    if (steps == 0) {
      schedule.due = true;  // to be entered again
      return true;
    }
    --steps;
    walk.memory_behind = at->first;
    const auto job = at++;
    const MessageRef packed = job->second.packed;
    note_looked_at(walk, 1);
    if (!walk.order.is_for(*packed)) continue;
    const auto [time, sequence] = *walk.memory_behind;
    note_job(walk, *packed, {true, time, 0, sequence});
    if (walk.order.remove) {
      ++walk.removed;
      forget_job(schedule.in_memory, job);
    } else if (raw(walk.task) == 0) {
      show_job(walk, *packed);
    }
  }
  end_walk();
  return true;
}

void Engine::State::note_looked_at(const ScheduleWalk& walk, std::uint64_t jobs) {
  const auto task = schedule.tasks.find(walk.task);
  if (task != schedule.tasks.end()) task->second.looked_at += jobs;
}

/// Nothing of the bucket has been delivered since the page was asked for: it waits for the order.
void Engine::State::take_walk_page(ScheduleBucket& bucket, Page& page) {
  ScheduleWalk& walk = schedule.walks.front();
  const auto behind = [&](std::uint64_t sequence) {
    return SchedulePlace{false, bucket.time.begin(), bucket.time.level, sequence + 1};
  };
  for (const auto& entry : page.entries) {
    if (walk.ended_early) break;
    note_looked_at(walk, 1);
    if (!walk.order.is_for(*entry.message)) continue;
    note_job(walk, *entry.message, behind(entry.sequence));
    if (walk.order.remove) {
      ++walk.removed;
      remove_job(bucket, entry.sequence, *entry.message);
    } else if (raw(walk.task) == 0) {
      show_job(walk, *entry.message);
    }
  }
  const std::uint64_t before = bucket.read_to;
  bucket.read_to = std::max(bucket.read_to, page.covered_to);
  if (page.error) bucket.read_to = std::max(bucket.read_to, page.damaged + 1);
  const bool further = bucket.read_to > before;
  const auto task = schedule.tasks.find(walk.task);
  if (task != schedule.tasks.end()) {
    if (!walk.ended_early && further) task->second.next = behind(bucket.read_to - 1);
    if (page.error) task->second.damage = page.error->text;
  }
  if (!walk.ended_early && further && bucket.read_to < bucket.read_end) {
    return request_jobs(bucket, ScheduleBook::Asked::For::walk);
  }
  bucket.reading = ScheduleBucket::Reading::nothing;
  walk.inside = false;
  walk.behind = place_of(bucket);
  schedule.due = true;
}

void Engine::State::remove_job(ScheduleBucket& bucket, std::uint64_t sequence,
                               const Message& packed) {
  auto operation = acknowledgement_of(bucket, sequence);
  flush_acks();
  store.append({&operation, 1});
  const std::uint64_t bytes = packed.flat().size();
  --bucket.entries;
  bucket.bytes -= bytes;
  --schedule.entries;
  schedule.bytes -= bytes;
  auto job = bucket.jobs.find({time_of_job(packed), sequence});
  if (job == bucket.jobs.end()) {  // it may have been put off
    job = std::find_if(bucket.jobs.begin(), bucket.jobs.end(),
                       [&](const auto& each) { return each.first.second == sequence; });
  }
  if (job != bucket.jobs.end()) drop_job(bucket, job);
}

/// One that finds no room is not shown: the count in the end tells.
void Engine::State::show_job(ScheduleWalk& walk, const Message& packed) {
  const auto shown = shown_job(walk.order, packed, store.epoch() << 32, ++broker_sequence);
  if (!shown) return;
  Send send;
  send.message = *shown;
  const auto outcome = try_send(send, nullptr);
  if (outcome && outcome->disposition == Disposition::done) ++walk.shown;
}

void Engine::State::end_walk() {
  ScheduleWalk walk = std::move(schedule.walks.front());
  schedule.walks.erase(schedule.walks.begin());
  const auto task = schedule.tasks.find(walk.task);
  if (task != schedule.tasks.end()) task->second.ended = true;
  if (!walk.order.wants_end) return;
  MessageBuilder builder;
  builder.destination_kind = walk.order.reply_to.kind;
  builder.destination_name = walk.order.reply_to.name;
  builder.timestamp = to_millis(now);
  builder.origin = store.epoch() << 32;
  builder.sequence = ++broker_sequence;
  builder.correlation = walk.order.correlation;
  builder.body_kind = BodyKind::text;
  builder.add_integer("schedulerShown", PropertyType::int64, static_cast<std::int64_t>(walk.shown));
  builder.add_integer("schedulerRemoved", PropertyType::int64,
                      static_cast<std::int64_t>(walk.removed));
  const auto message = builder.build();
  if (!message) return;
  Send send;
  send.message = *message;
  Error why;
  if (!route(send) || admit(**message, route_bytes_max(**message), why) != Admission::granted) {
    return;
  }
  // Whoever is told of what was removed must not see it come all the same, after a crash.
  const Ticket after = walk.removed > 0 ? store.submitted() : kNoTicket;
  Batch batch;
  prepare(*message, batch);
  prepare_copies(**message, batch);
  place(batch, kNoTicket, after);
  if (route(send) && !topic_places_.empty()) publish_to_topics(*message, after);
}

}  // namespace pabal::core
