// Scheduled sends. A job is known by its place in the store: it is added there by a send or by the
// firing before it, and leaves when it fires, in one batch with its message and with what is to
// come, or when it is cancelled. So an occurrence is there once, whenever the process dies.

#include <algorithm>

#include "tests/sim/model.h"

namespace pabal::sim {

namespace {

constexpr std::int64_t kMinute = 60'000;

core::TimePoint next_minute(core::TimePoint now) {
  return core::from_millis((core::to_millis(now) / kMinute + 1) * kMinute);
}

}  // namespace

/// A send or commit that asked for it took effect.
void Model::planned(Message& message, Ticket after) {
  const core::ScheduleRequest& request = *message.schedule;
  JobModel job;
  job.message = &message;
  job.added = after;
  job.cron = !request.cron.empty();
  job.period = core::milliseconds(request.period.value_or(0));
  job.repeat = request.repeat;
  const core::milliseconds delay(request.delay.value_or(0));
  job.at = job.cron ? next_minute(now_) : now_ + (delay.count() > 0 ? delay : job.period);
  jobs_.push_back(job);
}

/// What is to come of it when it fires now.
std::vector<JobModel> Model::successors(const JobModel& job) const {
  std::vector<JobModel> next;
  JobModel again = job;
  again.place = {};
  again.removed.reset();
  if (job.cron) {
    again.at = next_minute(now_);
    next.push_back(again);
  }
  if (job.repeat == 0) return next;
  again.cron = false;
  again.at = !job.cron && job.at + job.period > now_ ? job.at + job.period : now_ + job.period;
  again.repeat = job.repeat < 0 ? -1 : job.repeat - 1;
  next.push_back(again);
  return next;
}

/// A batch that has to do with jobs was given to the store.
void Model::jobs_written(const JobBatch& batch) {
  for (const auto& place : batch.removed) {
    const auto job = std::find_if(jobs_.begin(), jobs_.end(), [&](const JobModel& each) {
      return each.place == place && !each.removed;
    });
    if (job == jobs_.end()) return violation("a scheduled message that is not there goes");
    job->removed = batch.ticket;
    // Copies: an iterator would not outlast what is added.
    fired_or_cancelled(JobModel(*job), batch);
  }
  for (const auto& added : batch.added) {
    const auto job = std::find_if(jobs_.begin(), jobs_.end(), [&](const JobModel& each) {
      return each.place == JobPlace{} && each.added == batch.ticket && each.at == added.at &&
             each.message->number == added.number;
    });
    if (job == jobs_.end()) {
      return violation("message " + std::to_string(added.number) +
                       " is scheduled for a time that nobody asked for");
    }
    job->place = added.place;
  }
}

void Model::fired_or_cancelled(const JobModel& job, const JobBatch& batch) {
  const std::string about = "scheduled message " + std::to_string(job.message->number);
  const bool fires = !batch.added.empty() || !batch.copies.empty();
  const auto next = successors(job);
  if (!fires && job.message->cancelled) return;
  if (now_ < job.at) {
    return violation(about + (fires ? " comes before its time" : " is cancelled by nobody"));
  }
  for (JobModel each : next) {
    each.added = batch.ticket;
    jobs_.push_back(each);  // jobs_written() finds it, or says that it is missing
  }
  if (batch.added.size() != next.size()) {
    violation(about + " leaves " + std::to_string(batch.added.size()) + " to come instead of " +
              std::to_string(next.size()));
  }
  Message& occurrence =
      create(job.message->producer, job.message->destination, true, job.message->priority, 0, 0);
  occurrence.content = job.message->number;
  occurrence.sequence = 0;
  order(occurrence);
  place_everywhere(occurrence, batch.ticket, batch.ticket, Place::State::here);
  occurrences_.push_back(&occurrence);
  const bool stored = std::any_of(lists_.begin(), lists_.end(), [&](const auto& list) {
    const auto at = list->places.find(occurrence.number);
    return at != list->places.end() && at->second.stored && at->second.state == Place::State::here;
  });
  if (stored != !batch.copies.empty()) {
    return violation(about + (stored ? " is due and goes nowhere" : " goes where nobody asked"));
  }
  if (stored) name_occurrence(occurrence, *batch.copies.front());
}

void Model::name_occurrence(Message& occurrence, const core::Message& copy) {
  occurrence.origin = copy.origin();
  occurrence.sequence = copy.sequence();
  const auto job = copy.property(core::kScheduledJobId);
  if (!job || number_of(copy) != occurrence.content) {
    return violation("a scheduled message does not name its job");
  }
  const Message& sent = *messages_[occurrence.content - 1];
  const bool again = sent.schedule->repeat != 0 || !sent.schedule->cron.empty();
  const bool same = occurrence.origin == sent.origin && occurrence.sequence == sent.sequence;
  if (again == same) {
    violation("scheduled message " + std::to_string(sent.number) +
              (same ? " comes again and keeps its id" : " comes once with another id"));
  }
}

/// The occurrence that `copy` is; one that is stored nowhere has no name until it is seen.
Message* Model::occurrence_of(const core::Message& copy) {
  // The last of that id: an earlier one was lost with a crash, and came anew.
  for (auto at = occurrences_.rbegin(); at != occurrences_.rend(); ++at) {
    if ((*at)->origin == copy.origin() && (*at)->sequence == copy.sequence()) return *at;
  }
  for (Message* each : occurrences_) {
    if (each->sequence != 0 || each->content != number_of(copy)) continue;
    name_occurrence(*each, copy);
    return each;
  }
  return nullptr;
}

std::vector<const Message*> Model::scheduled() const {
  std::vector<const Message*> messages;
  for (const JobModel& job : jobs_) {
    if (!job.removed) messages.push_back(job.message);
  }
  return messages;
}

core::TimePoint Model::next_job() const {
  core::TimePoint next = core::TimePoint::max();
  for (const JobModel& job : jobs_) {
    if (!job.removed) next = std::min(next, job.at);
  }
  return next;
}

bool Model::endless(const Message& message) {
  return message.schedule->repeat < 0 || !message.schedule->cron.empty();
}

void Model::cancelled(std::uint64_t number) {
  messages_[number - 1]->cancelled = true;
}

void Model::check_schedule(std::uint64_t scheduled) {
  const auto live = static_cast<std::uint64_t>(
      std::count_if(jobs_.begin(), jobs_.end(), [](const auto& job) { return !job.removed; }));
  if (scheduled != live) {
    violation(std::to_string(scheduled) + " messages are scheduled instead of " +
              std::to_string(live));
  }
}

// --- after a crash -------------------------------------------------------------------------------

void Model::match_job(const JobBatch::Added& added, Found& found) {
  const auto job = std::find_if(jobs_.begin(), jobs_.end(), [&](const JobModel& each) {
    return each.place == added.place && each.message->number == added.number && each.at == added.at;
  });
  if (job == jobs_.end()) {
    return violation("message " + std::to_string(added.number) +
                     " came back, scheduled as it never was");
  }
  found.jobs.insert(&*job);
}

Ticket Model::proven_by_jobs(const Found& found, Ticket survivors) const {
  Ticket proven = core::kNoTicket;
  for (const JobModel& job : jobs_) {
    if (found.jobs.contains(&job)) {
      proven = std::max(proven, job.added);
    } else if (job.added <= survivors && job.removed) {
      proven = std::max(proven, *job.removed);
    }
  }
  return proven;
}

void Model::settle_jobs(const Found& found, Ticket survivors) {
  for (const JobModel& job : jobs_) {
    const bool there = job.added <= survivors && (!job.removed || *job.removed > survivors);
    if (there == found.jobs.contains(&job)) continue;
    violation("scheduled message " + std::to_string(job.message->number) +
              (there ? " is lost" : " came back after it was delivered or cancelled"));
  }
  std::erase_if(jobs_, [&](const JobModel& job) { return !found.jobs.contains(&job); });
  for (JobModel& job : jobs_) {
    job.added = core::kNoTicket;
    job.removed.reset();
  }
  // What only subscriptions without a list had is gone with them.
  std::erase_if(occurrences_, [](const Message* each) { return each->sequence == 0; });
}

}  // namespace pabal::sim
