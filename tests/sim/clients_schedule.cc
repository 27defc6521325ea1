// What clients ask of the scheduler: sends that are to come later, once or again and again, and
// that they do not come after all.

#include "tests/sim/world.h"

namespace pabal::sim {

using core::raw;

/// Null: it is to come at once.
std::shared_ptr<const core::ScheduleRequest> World::choose_schedule(
    const core::Destination& target) {
  const bool may = scenario_.schedule && target.kind != core::DestinationKind::temporary_queue;
  if (!may || !random_.one_in(4)) return nullptr;
  core::ScheduleRequest request;
  // Most come soon; some lie in buckets of an hour, a day or a month.
  request.delay = static_cast<std::int64_t>(random_.one_in(12)  ? random_.below(40ULL * 86'400'000)
                                            : random_.one_in(6) ? random_.below(10'000'000)
                                            : random_.one_in(3) ? random_.below(120'000)
                                                                : random_.below(3000));
  if (core::is_queue(target.kind)) {
    if (random_.one_in(4)) request.period = static_cast<std::int64_t>(random_.between(1, 5000));
    if (random_.one_in(4)) request.repeat = static_cast<std::int64_t>(random_.below(4));
    if (request.period && random_.one_in(8)) request.repeat = -1;
    if (random_.one_in(10)) request.cron = "* * * * *";
    if (!request.cron.empty()) request.delay.reset();
  }
  return std::make_shared<const core::ScheduleRequest>(request);
}

std::shared_ptr<const core::ScheduleRequest> World::told_schedule(
    const std::shared_ptr<const core::ScheduleRequest>& schedule) {
  if (schedule == nullptr || options_.sabotage != Sabotage::come_early) return schedule;
  auto lie = *schedule;
  if (lie.delay) *lie.delay /= 2;
  return std::make_shared<const core::ScheduleRequest>(std::move(lie));
}

/// REMOVE, as ActiveMQ has it: a message to the scheduler's topic.
void World::cancel_scheduled(Client& client) {
  const auto jobs = model_.scheduled();
  if (jobs.empty()) return;
  const Message& message = *random_.of(jobs);
  // Of a topic nobody could tell whether it was cancelled or came and nobody was there.
  if (!core::is_queue(message.destination.kind)) return;
  cancel(*client.connection, message);
}

void World::cancel(core::ConnectionId connection, const Message& message) {
  core::MessageBuilder named;  // for its id
  named.destination_name = "q";
  named.origin = message.origin;
  named.sequence = message.number;
  core::MessageBuilder order;
  order.destination_kind = core::DestinationKind::topic;
  order.destination_name = core::kSchedulerTopic;
  order.add_string("AMQ_SCHEDULER_ACTION", "REMOVE");
  const auto job = named.build();
  order.add_string(core::kScheduledJobId, (*job)->id());
  const auto built = order.build();
  const auto outcome = engine_->publish(connection, *built, std::nullopt, 0, now_);
  note("somebody cancels scheduled message " + std::to_string(message.number));
  if (outcome.disposition == core::Disposition::done) {
    model_.cancelled(message.number);
  } else if (outcome.error->code != core::Errc::quota_exceeded) {
    model_.violation("cannot cancel: " + outcome.error->text);
  }
}

/// What would never end is cancelled; for the rest, time passes. There are consumers for all of it,
/// or what comes would fill the queues and hold up the others.
void World::finish_schedule() {
  for (int rounds = 0; rounds < 2000 && !broken(); ++rounds) {
    model_.check_schedule(engine_->snapshot().scheduled);
    const auto jobs = model_.scheduled();
    if (jobs.empty() || broken()) return;
    enter([&] {
      for (const Message* message : jobs) {
        if (Model::endless(*message)) cancel(*clients_[0].connection, *message);
      }
    });
    consume_what_comes();
    if (broken() || model_.scheduled().empty()) return;
    // What is due, and still there, waits for something and is tried again.
    now_ = std::max(now_ + core::milliseconds(1000), model_.next_job());
    note("time passes: " + std::to_string(core::to_millis(now_)));
    enter([&] { engine_->tick(now_); });
    consume_what_comes();
  }
  if (!broken()) {
    model_.violation("scheduled messages never come: " + engine_->snapshot().scheduled_waiting);
  }
}

}  // namespace pabal::sim
