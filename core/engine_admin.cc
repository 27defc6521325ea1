#include <algorithm>
#include <utility>

#include "core/dead_letter.h"
#include "core/engine_state.h"

// What operators do to queues: create, pause, and commands that walk through one: list,
// purge, move, copy, retry. A command takes each message and puts it elsewhere in one batch, so a
// crash finds it in one place; what it has done when it fails or is cancelled is a whole number of
// messages.

namespace pabal::core {
namespace {

/// Of what an entry may do, so much goes to commands before anything else has its turn.
constexpr std::uint32_t kTaskSteps = 512;
/// Key of the attachment that outlives a restart.
constexpr std::string_view kPausedKey = "queue.paused/";

}  // namespace

std::string_view to_string(QueueCommand command) noexcept {
  switch (command) {
    case QueueCommand::list:
      return "list";
    case QueueCommand::purge:
      return "purge";
    case QueueCommand::remove:
      return "delete";
    case QueueCommand::move:
      return "move";
    case QueueCommand::copy:
      return "copy";
    case QueueCommand::retry:
      return "retry";
    case QueueCommand::skip_damaged:
      return "skip-damaged";
  }
  PABAL_UNREACHABLE();
}

std::string_view to_string(Standing standing) noexcept {
  switch (standing) {
    case Standing::waiting:
      return "waiting";
    case Standing::delayed:
      return "delayed";
    case Standing::out:
      return "in flight";
    case Standing::invisible:
      return "its transaction is not durable yet";
    case Standing::gone:
      return "gone";
  }
  PABAL_UNREACHABLE();
}

std::string_view to_string(TaskState state) noexcept {
  switch (state) {
    case TaskState::working:
      return "working";
    case TaskState::waiting_for_room:
      return "waiting for room";
    case TaskState::done:
      return "done";
    case TaskState::failed:
      return "failed";
    case TaskState::cancelled:
      return "cancelled";
  }
  PABAL_UNREACHABLE();
}

// --- queues --------------------------------------------------------------------------------------

Result<MessageList*> Engine::State::existing_queue(const Destination& queue) {
  const auto known = queues.find(queue.name);
  if (!is_queue(queue.kind) || known == queues.end() ||
      known->second->destination.kind != queue.kind) {
    return Error{Errc::not_found, "there is no " + queue.to_text()};
  }
  return known->second;
}

Result<void> Engine::State::make_queue(const std::string& name) {
  if (queues.contains(name)) {
    return Error{Errc::already_exists, "there is a queue://" + name + " already"};
  }
  if (const auto made = queue_named(name, DestinationKind::queue, true); !made) {
    return made.error();
  }
  return {};
}

Result<void> Engine::State::pause_queue(const Destination& queue, bool paused) {
  const auto found = existing_queue(queue);
  if (!found) return found.error();
  MessageList& list = **found;
  if (list.paused == paused) return {};
  list.paused = paused;
  mark_ready(list.reader());
  if (!list.stored) return {};
  StoreOp operation = paused_step(queue.name, paused);
  flush_acks();
  store.append({&operation, 1});
  return {};
}

StoreOp Engine::State::paused_step(const std::string& queue, bool paused) const {
  return attachment_step(paused ? StoreOpKind::put_attachment : StoreOpKind::delete_attachment,
                         std::string(kPausedKey) + queue,
                         paused ? std::to_string(to_millis(now)) : std::string());
}

void Engine::State::recover_paused(const RecoveredState& recovered) {
  for (const auto& [key, value] : recovered.attachments) {
    if (!key.starts_with(kPausedKey)) continue;
    const auto queue = queues.find(std::string_view(key).substr(kPausedKey.size()));
    if (queue != queues.end()) queue->second->paused = true;
  }
}

// --- commands ------------------------------------------------------------------------------------

Result<Reader*> Engine::State::reader_for(QueueTaskOptions& wanted) {
  if (wanted.subscription.empty()) {
    const auto found = existing_queue(wanted.queue);
    if (!found) return found.error();
    return &(*found)->reader();
  }
  if (wanted.command != QueueCommand::skip_damaged) {
    return Error{Errc::invalid_argument, "of a subscription only damaged messages can be skipped"};
  }
  const auto known = durables.find(std::pair(wanted.client_id, wanted.subscription));
  if (known == durables.end()) {
    return Error{Errc::not_found, "there is no durable subscription " + wanted.subscription +
                                      " of client " + wanted.client_id};
  }
  // What it is done with must not be met again as damaged.
  acknowledge_all_late(*known->second);
  wanted.queue = known->second->list.destination;
  return known->second;
}

Result<TaskId> Engine::State::start_task(QueueTaskOptions wanted) {
  const auto found = reader_for(wanted);
  if (!found) return found.error();
  auto task = std::make_unique<QueueTask>();
  if (!wanted.selector.empty()) {
    auto compiled = Selector::compile(wanted.selector);
    if (!compiled) return compiled.error();
    task->selector = std::move(*compiled);
  }
  if (wanted.command == QueueCommand::move || wanted.command == QueueCommand::copy) {
    if (auto valid = validate_destination_name(wanted.to.name); !valid) return valid.error();
    if (wanted.to.is_pattern() || is_temporary(wanted.to.kind)) {
      return Error{Errc::bad_destination,
                   "messages go to a queue or a topic, not to " + wanted.to.to_text()};
    }
    if (wanted.to == wanted.queue) {
      return Error{Errc::bad_destination, "they are in " + wanted.to.to_text() + " already"};
    }
  }
  if (tasks.size() >= limits.tasks_max) {
    const auto ended = std::find_if(tasks.begin(), tasks.end(),
                                    [](const auto& each) { return each.second->view.ended(); });
    if (ended == tasks.end()) {
      return Error{Errc::quota_exceeded, "tasks_max: " + std::to_string(tasks.size()) +
                                             " commands are being carried out"};
    }
    tasks.erase(ended);
  }
  const QueuePosition from = wanted.from;
  task->options = std::move(wanted);
  task->walk.task = task.get();
  if (auto begun = begin_walk(task->walk, **found); !begun) return begun.error();
  if (task->options.command == QueueCommand::list) {
    enter_lane(task->walk, std::min(from.priority, kPriorities - 1),
               std::max<std::uint64_t>(from.sequence, 1));
  }
  task->view.id = TaskId{++last_task};
  task->view.command = task->options.command;
  task->view.queue = task->options.queue;
  task->view.client_id = task->options.client_id;
  task->view.subscription = task->options.subscription;
  task->view.next = from;
  QueueTask& added = *(tasks[task->view.id] = std::move(task));
  mark_ready(added);
  return added.view.id;
}

const QueueTaskView* Engine::State::task(TaskId id) const {
  const auto at = tasks.find(id);
  return at == tasks.end() ? nullptr : &at->second->view;
}

std::optional<QueueTaskView> Engine::State::take_task(TaskId id) {
  const auto at = tasks.find(id);
  if (at == tasks.end()) return std::nullopt;
  if (!at->second->view.ended()) {
    end_task(*at->second, TaskState::cancelled, "cancelled by an operator");
  }
  QueueTaskView view = std::move(at->second->view);
  tasks.erase(at);
  return view;
}

void Engine::State::mark_ready(QueueTask& task) {
  if (task.ready || task.view.ended()) return;
  task.ready = true;
  ready_tasks.push_back(task.view.id);
}

void Engine::State::wake_tasks() {
  tasks_await_room = false;
  for (const auto& [id, task] : tasks) {
    if (task->view.state == TaskState::waiting_for_room) mark_ready(*task);
  }
}

void Engine::State::end_task(QueueTask& task, TaskState state, std::string text) {
  task.view.state = state;
  task.view.text = std::move(text);
  task.view.damaged = task.walk.damaged;
  task.view.damage = task.walk.damage;
  if (task.options.command == QueueCommand::skip_damaged && task.walk.reader != nullptr) {
    read_damaged_again(*task.walk.reader);
  }
  end_walk(task.walk);
}

/// A share of the steps, so that they neither starve nor hold up the dispatcher.
void Engine::State::run_tasks(std::uint32_t& steps) {
  const std::uint32_t share = std::min(steps, kTaskSteps);
  std::uint32_t left = share;
  for (auto turns = ready_tasks.size(); turns > 0 && left > 0; --turns) {
    const auto at = tasks.find(ready_tasks.front());
    ready_tasks.pop_front();
    if (at == tasks.end()) continue;
    at->second->ready = false;
    run_task(*at->second, left);
  }
  steps -= share - left;
}

void Engine::State::run_task(QueueTask& task, std::uint32_t& steps) {
  constexpr std::uint32_t kChange = 8;  // in steps: a message taken, built, stored and placed
  QueueTaskView& view = task.view;
  const bool waited = view.state == TaskState::waiting_for_room;
  view.state = TaskState::working;
  view.text.clear();
  for (;;) {
    if (steps == 0) return mark_ready(task);
    --steps;
    const WalkStep step = walk_step(task.walk);
    view.damaged = task.walk.damaged;
    if (step.kind == WalkStep::Kind::reading) return;
    if (step.kind == WalkStep::Kind::end) {
      const bool deleted = task.walk.reader == nullptr;
      const std::string what = view.subscription.empty() ? view.queue.to_text()
                                                         : "the subscription " + view.subscription;
      return end_task(task, deleted ? TaskState::failed : TaskState::done,
                      deleted ? what + " was deleted meanwhile" : "");
    }
    const std::uint64_t before = view.affected;
    if (wanted_by(task, *step.entry)) {
      switch (apply_task(task, step)) {
        case TaskStep::on:
          break;
        case TaskStep::wait:
          view.state = TaskState::waiting_for_room;
          tasks_await_room = true;
          return;
        case TaskStep::stop:
          return;
      }
      if (view.affected > before && waited) tasks_turn = false;
      if (view.affected > before && task.options.command != QueueCommand::list) {
        steps -= std::min(steps, kChange);
      }
    }
    ++view.looked_at;
    view.next = {step.priority, step.entry->sequence + 1};
    walk_on(task.walk);
    const bool enough = task.options.limit != 0 && view.affected >= task.options.limit;
    const bool found = !task.options.message_id.empty() &&
                       view.affected + view.skipped_out + view.skipped_other > 0;
    if (enough || found || view.more) {
      view.more = !found;
      return end_task(task, TaskState::done, "");
    }
  }
}

bool Engine::State::wanted_by(const QueueTask& task, const Entry& entry) const {
  if (!task.options.message_id.empty()) {
    std::array<char, Message::kNativeIdBytesMax> room{};
    if (entry.message->id_in(room) != task.options.message_id) return false;
  }
  return !task.selector ||
         task.selector->matches(*entry.message,
                                {entry.deliveries, entry.deliveries > 0 || entry.maybe_delivered,
                                 task.walk.reader->list.selector_destination()});
}

Engine::State::TaskStep Engine::State::apply_task(QueueTask& task, const WalkStep& step) {
  QueueTaskView& view = task.view;
  const Standing stands = standing(task.walk, *step.entry);
  if (stands == Standing::gone) return TaskStep::on;
  if (task.options.command == QueueCommand::list) return list_message(task, step, stands);
  if (stands == Standing::invisible) return TaskStep::on;
  const bool takes = task.options.command != QueueCommand::copy &&
                     task.options.command != QueueCommand::skip_damaged;
  if (stands == Standing::out && takes) {
    ++view.skipped_out;
    return TaskStep::on;
  }
  switch (task.options.command) {
    case QueueCommand::purge:
    case QueueCommand::remove: {
      auto taken = take_found(task.walk, *step.entry);
      PABAL_CHECK(taken, "it was waiting, and is here");
      release(*task.walk.reader, step.priority, *taken, nullptr);
      ++view.affected;
      return TaskStep::on;
    }
    case QueueCommand::move:
    case QueueCommand::copy: {
      auto copy = redirected(task, *step.entry->message);
      if (!copy) {
        ++view.skipped_other;
        view.skipped_why = copy.error().text;
        return TaskStep::on;
      }
      return send_on(task, step, std::move(*copy));
    }
    case QueueCommand::retry: {
      auto revived = revive_dead_letter(*step.entry->message, now);
      if (!revived) {
        ++view.skipped_other;
        view.skipped_why = revived.error().text;
        return TaskStep::on;
      }
      return send_on(task, step, std::move(*revived));
    }
    case QueueCommand::skip_damaged:  // this one was read
      return TaskStep::on;
    case QueueCommand::list:
      break;
  }
  PABAL_UNREACHABLE();
}

Engine::State::TaskStep Engine::State::list_message(QueueTask& task, const WalkStep& step,
                                                    Standing stands) {
  if (stands == Standing::invisible && task.options.message_id.empty()) return TaskStep::on;
  QueueTaskView& view = task.view;
  const Entry& entry = *step.entry;
  view.messages.push_back({{step.priority, entry.sequence},
                           entry.message,
                           entry.deliveries,
                           entry.deliveries > 0 || entry.maybe_delivered,
                           stands});
  ++view.affected;
  task.listed_bytes += entry.message->footprint();
  view.more = task.listed_bytes > task.options.bytes_max;
  return TaskStep::on;
}

/// The message as it stands where the task sends it; where it was first is kept.
Result<MessageRef> Engine::State::redirected(const QueueTask& task, const Message& message) {
  MessageBuilder builder(message);
  if (!builder.original_destination) {
    builder.original_destination = Address{task.options.queue.kind, task.options.queue.name};
  }
  builder.destination_kind = task.options.to.kind;
  builder.destination_name = task.options.to.name;
  return builder.build();
}

/// `copy` goes to its destination, and unless it is one, what it was made of leaves the queue, both
/// in one batch.
Engine::State::TaskStep Engine::State::send_on(QueueTask& task, const WalkStep& step,
                                               MessageRef copy) {
  QueueTaskView& view = task.view;
  const auto stop = [&](std::string why) {
    end_task(task, TaskState::failed, std::move(why));
    return TaskStep::stop;
  };
  // The queue of a wildcard consumer has a pattern for a name, to which no client can send.
  const auto known = queues.find(copy->destination_name());
  const bool pattern = task.options.command == QueueCommand::retry && known != queues.end() &&
                       known->second->wildcard;
  if (pattern && is_queue(copy->destination_kind())) {
    route_.assign(1, known->second);
    topic_places_.clear();
    copies_.clear();
  } else if (auto routed = route(Send{copy, nullptr}); !routed) {
    return stop(routed.error().text);
  }
  const bool wanted =
      !copies_.empty() ||
      std::any_of(
          route_.begin(), route_.end(),
          [&](const auto* list) { return list->is_queue() || anybody_wants(*list, *copy); }) ||
      std::any_of(topic_places_.begin(), topic_places_.end(),
                  [](const auto& place) { return !place.topic->subscriptions.empty(); });
  if (!wanted) {
    return stop("nobody subscribes to " + copy->destination().to_text() +
                ": there the messages would be lost");
  }
  const bool leaves = task.options.command != QueueCommand::copy;
  const std::uint64_t admitted = route_bytes_max(*copy);
  Error why;
  switch (admit(*copy, admitted, why, leaves ? Purpose::move : Purpose::send)) {
    case Admission::granted:
      break;
    case Admission::later:
      view.text = why.text;
      return TaskStep::wait;
    case Admission::refused:
      return stop(why.text);
  }
  Batch batch;
  std::uint64_t stored = prepare(copy, batch);
  if (!copies_.empty()) stored += prepare_copies(*copy, batch);
  if (admitted > stored) store.release(admitted - stored);
  if (leaves) {
    auto taken = take_found(task.walk, *step.entry);
    PABAL_CHECK(taken, "it was waiting, and is here");
    release(*task.walk.reader, step.priority, *taken, &batch);
  }
  Ticket ticket = kNoTicket;
  if (!batch.operations.empty()) {
    flush_acks();
    ticket = store.append(batch.operations);
  }
  if (!topic_places_.empty()) publish_to_topics(copy, ticket);
  place(batch, ticket, ticket);  // last: it may lead to topics of its own
  ++view.affected;
  return TaskStep::on;
}

}  // namespace pabal::core
