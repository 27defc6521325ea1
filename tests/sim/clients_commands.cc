// Who looks into queues without taking, and operators who move, copy, purge, retry. Each move and
// copy goes to a queue of its own: so a message is in a queue once, and what comes of it is plain.

#include "tests/sim/world.h"

namespace pabal::sim {

using core::QueueCommand;
using core::raw;

namespace {

constexpr std::size_t kCommandsAtATime = 3;

std::string selector_of(const CommandModel& command) {
  if (command.only != nullptr) return {};
  std::string selector = "JMSDeliveryMode = 'PERSISTENT'";
  if (command.command == QueueCommand::copy) selector += " AND JMSExpiration = 0";
  if (command.red_only) selector += std::string(" AND ") + kRedOnly;
  return selector;
}

}  // namespace

void World::give_command() {
  if (random_.one_in(4)) return delete_a_queue();
  const auto queues = model_.queues_for_commands();
  if (queues.empty() || model_.commands().size() >= kCommandsAtATime) return;
  CommandModel command;
  command.queue = random_.of(queues);
  const bool dead = command.queue->kind == ListKind::dead_letters;
  command.red_only = random_.one_in(3);
  command.command = dead                ? QueueCommand::retry
                    : random_.one_in(6) ? QueueCommand::purge
                    : random_.one_in(3) ? QueueCommand::copy
                                        : QueueCommand::move;
  if (model_.works_on(*command.queue, command.command)) return;  // whose was it that took one?
  std::vector<Message*> waiting;
  bool all = true;
  for (auto& [number, place] : command.queue->places) {
    if (place.state == Place::State::gone) continue;
    const bool may = dead                                    ? model_.may_revive(*place.message)
                     : command.command == QueueCommand::copy ? place.message->expiration == 0
                                                             : true;
    if (may) waiting.push_back(place.message);
    all = all && may;
  }
  // Of what expires the model does not know when it comes to the dead letters.
  const bool one = dead && (!all || scenario_.expiration);
  if (waiting.empty()) return;
  if (one || random_.one_in(3)) command.only = random_.of(waiting);
  if (!dead && command.command != QueueCommand::purge) {
    const bool copies = command.command == QueueCommand::copy;
    command.to = {core::DestinationKind::queue,
                  (copies ? "copied." : "moved.") + std::to_string(++last_command_queue_)};
  }
  start_command(command);
}

void World::start_command(CommandModel& command) {
  core::QueueTaskOptions options;
  options.command = command.command;
  options.queue = command.queue->destination;
  options.to = command.to;
  options.selector = selector_of(command);
  if (command.only != nullptr) {
    core::MessageBuilder named;  // for its id
    named.destination_name = "q";
    named.origin = command.only->origin;
    named.sequence = command.only->sequence;
    const auto built = named.build();
    options.message_id = (*built)->id();
  }
  if (options_.sabotage == Sabotage::command_all) options.selector.clear();
  if (options_.sabotage == Sabotage::copy_instead && command.command == QueueCommand::move) {
    options.command = QueueCommand::copy;
  }
  const auto task = engine_->start_task(options, now_);
  note("an operator: " + std::string(to_string(options.command)) + " " + options.queue.to_text() +
       " to " + options.to.to_text() + " where " + options.selector +
       (command.only != nullptr ? " message " + std::to_string(command.only->number) : "") +
       (task ? " as " + std::to_string(raw(*task)) : " refused: " + task.error().text));
  if (!task) {
    // Nothing was ever stored there, or only before a crash.
    if (task.error().code != core::Errc::not_found) model_.violation(task.error().text);
    return;
  }
  ++report_.commands;
  command.id = *task;
  model_.command_started(command);
}

/// With its messages, if nobody has part in it.
void World::delete_a_queue() {
  const auto queues = model_.queues_that_may_go();
  if (queues.empty()) return;
  List& queue = *random_.of(queues);
  const auto deleted =
      engine_->delete_queue(queue.destination, core::QueueDeletion::with_messages, now_);
  note("an operator: delete " + queue.text() +
       (deleted ? ", which had " + std::to_string(*deleted) : ": " + deleted.error().text));
  if (deleted) {
    ++report_.queues_deleted;
    return model_.queue_deleted(queue, *deleted, engine_->submitted());
  }
  if (deleted.error().code == core::Errc::not_found) return;  // nothing was ever there
  if (deleted.error().code != core::Errc::in_use) model_.violation(deleted.error().text);
  model_.queue_not_deleted(queue);
}

/// After each entry: what commands did in it.
void World::follow_commands() {
  for (const QueueBatch& batch : store_->take_queue_batches()) model_.queues_written(batch);
  for (const core::TaskId id : model_.commands()) {
    if (broken()) return;
    const core::QueueTaskView* view = engine_->task(id);
    if (view == nullptr) return model_.violation("a command is not known any more");
    if (!model_.command_goes_on(*view)) continue;
    note("  command " + std::to_string(raw(id)) + " has ended: " + view->text + ", " +
         std::to_string(view->affected) + " messages");
    report_.commanded += view->affected;
    (void)engine_->take_task(id);
    model_.command_cancelled(id);
  }
}

/// Nothing more happens: who still works waits for room.
void World::finish_commands() {
  for (const core::TaskId id : model_.commands()) {
    const auto view = engine_->take_task(id);
    if (!view || view->state != core::TaskState::cancelled) {
      return model_.violation("a command has ended, and nobody said so");
    }
    model_.command_cancelled(id);
  }
}

void World::browse(Client& client) {
  if (client.browser) {
    const auto done = engine_->unsubscribe(*client.browser, now_);
    if (!done) return model_.violation("cannot end a browser: " + done.error().text);
    client.browser.reset();
    return;
  }
  const auto queues = model_.queues_for_commands();
  if (queues.empty()) return;
  List& queue = *random_.of(queues);
  core::SubscribeOptions options;
  const bool red_only = random_.one_in(3);
  options.interests.push_back({queue.destination, red_only ? kRedOnly : "", false});
  options.browser = true;
  options.prefetch = static_cast<std::uint32_t>(random_.one_in(2) ? random_.between(1, 5) : 1000);
  const auto made = engine_->subscribe(*client.connection, options, now_);
  if (!made) return model_.violation("cannot browse: " + made.error().text);
  note("client " + std::to_string(client.index) + " browses " + queue.text() + " as " +
       std::to_string(raw(*made)));
  ++report_.browsers;
  client.browser = *made;
  model_.browser_started(*made, raw(*client.connection), queue, red_only);
}

}  // namespace pabal::sim
