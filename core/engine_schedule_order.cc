#include <algorithm>
#include <utility>

#include "core/engine_state.h"

// What is scheduled, shown and removed: messages to the topic ActiveMQ.Scheduler.Management, as
// ActiveMQ has them. An order goes through the buckets page by page, one order at a time; while it
// is in a bucket, that one's jobs wait.

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

bool Engine::State::walk_schedule(std::uint32_t& steps) {
  ScheduleWalk& walk = schedule.walks.front();
  if (walk.inside) return false;
  auto at = walk.behind ? schedule.buckets.upper_bound(*walk.behind) : schedule.buckets.begin();
  for (; at != schedule.buckets.end(); ++at) {
    if (steps == 0) {
      schedule.due = true;  // to be entered again
      return true;
    }
    --steps;
    ScheduleBucket& bucket = at->second;
    const bool in_range = bucket.time.begin() <= walk.order.to;
    if (bucket.entries > 0 && in_range) {
      if (bucket.reading != ScheduleBucket::Reading::nothing) return false;  // it is being loaded
      walk.inside = true;
      bucket.read_to = bucket.first_sequence;
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
  while (at != jobs.end()) {
    if (steps == 0) {
      schedule.due = true;  // to be entered again
      return true;
    }
    --steps;
    walk.memory_behind = at->first;
    const auto job = at++;
    const MessageRef packed = job->second.packed;
    if (!walk.order.is_for(*packed)) continue;
    if (walk.order.remove) {
      ++walk.removed;
      forget_job(schedule.in_memory, job);
    } else {
      show_job(walk, *packed);
    }
  }
  end_walk();
  return true;
}

/// Nothing of the bucket has been delivered since the page was asked for: it waits for the order.
void Engine::State::take_walk_page(ScheduleBucket& bucket, Page& page) {
  ScheduleWalk& walk = schedule.walks.front();
  for (const auto& entry : page.entries) {
    if (!walk.order.is_for(*entry.message)) continue;
    if (walk.order.remove) {
      ++walk.removed;
      remove_job(bucket, entry.sequence, *entry.message);
    } else {
      show_job(walk, *entry.message);
    }
  }
  const bool further = page.covered_to > bucket.read_to;
  bucket.read_to = std::max(bucket.read_to, page.covered_to);
  if (!page.error && further && bucket.read_to < bucket.read_end) {
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
  (void)try_send(send, nullptr);
}

}  // namespace pabal::core
