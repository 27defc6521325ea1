// Browsers, and operators' commands that go through queues. What a command does to a stored message
// is seen in the batches that the engine writes, so the judge knows at any time where each message
// is: taken only while it waited, by a command that was given and asks for it, and put elsewhere in
// the same batch. Of messages that are not stored commands take single ones, and say so at once.

#include <algorithm>

#include "tests/sim/model.h"

namespace pabal::sim {

using core::QueueCommand;

// --- commands ------------------------------------------------------------------------------------

/// A message lives in one place of a queue's model: what is to come back there must have left it
/// for good.
bool Model::may_revive(const Message& message) const {
  if (message.copied || message.revived || !message.dead ||
      message.destination.kind != core::DestinationKind::queue ||
      message.expiration > core::to_millis(now_)) {
    return false;
  }
  return std::all_of(lists_.begin(), lists_.end(), [&](const auto& list) {
    const auto at = list->places.find(message.number);
    return at == list->places.end() || list->kind == ListKind::dead_letters ||
           (at->second.state == Place::State::gone && at->second.removed <= durable_);
  });
}

std::vector<List*> Model::queues_for_commands() {
  std::vector<List*> queues;
  for (const auto& list : lists_) {
    if (list->kind == ListKind::queue || list->kind == ListKind::dead_letters) {
      queues.push_back(list.get());
    }
  }
  return queues;
}

bool Model::works_on(const List& queue, QueueCommand command) const {
  return std::any_of(commands_.begin(), commands_.end(), [&](const auto& each) {
    return each.second.queue == &queue && each.second.command == command;
  });
}

/// What is parked may be there or not; what expires may have moved. A queue that a virtual topic
/// feeds gets nothing more when it is gone.
std::vector<List*> Model::queues_that_may_go() {
  std::vector<List*> queues;
  for (const auto& list : lists_) {
    const bool known =
        list->kind == ListKind::queue && !list->destination.name.starts_with("Consumer.") &&
        std::none_of(list->places.begin(), list->places.end(), [&](const auto& each) {
          const Place& place = each.second;
          return place.state == Place::State::parked ||
                 (place.state != Place::State::gone && place.message->expiration != 0);
        });
    if (known) queues.push_back(list.get());
  }
  return queues;
}

/// A consumer, a browser, or a transaction that has not ended.
bool Model::somebody_has_part_in(const List& queue) const {
  const auto consumes = [&](const auto& each) {
    const Consumer& consumer = each.second;
    return consumer.list == nullptr && consumer.destination.kind == queue.destination.kind &&
           pattern_matches(consumer.destination.name, queue.destination.name);
  };
  const auto browses = [&](const auto& each) { return each.second.queue == &queue; };
  const auto held = [](const auto& each) {
    return each.second.state == Place::State::out ||
           each.second.state == Place::State::in_transaction;
  };
  return std::any_of(consumers_.begin(), consumers_.end(), consumes) ||
         std::any_of(browsers_.begin(), browsers_.end(), browses) ||
         std::any_of(queue.places.begin(), queue.places.end(), held);
}

void Model::queue_deleted(List& queue, std::uint64_t messages, Ticket after) {
  std::uint64_t removed = 0;
  for (auto& [number, place] : queue.places) {
    if (place.state == Place::State::gone) continue;
    if (place.state != Place::State::here) {
      return violation("deleted although somebody has it: " + text(place));
    }
    ++removed;
    remove(place, after, false);
  }
  if (removed != messages) {
    violation(queue.text() + " was deleted with " + std::to_string(messages) + " messages, not " +
              std::to_string(removed));
  }
}

void Model::queue_not_deleted(const List& queue) {
  if (!somebody_has_part_in(queue)) {
    violation(queue.text() + " cannot be deleted, although nobody has part in it");
  }
}

void Model::command_started(const CommandModel& command) {
  CommandModel& added = commands_[command.id] = command;
  added.started = entry_;
  added.durable = durable_;
}

std::vector<core::TaskId> Model::commands() const {
  std::vector<core::TaskId> ids;
  for (const auto& [id, command] : commands_) ids.push_back(id);
  return ids;
}

/// As the selector says that the command has.
bool Model::wanted_by(const CommandModel& command, const Message& message) {
  if (command.only != nullptr) return command.only == &message;
  return message.persistent && (command.command != QueueCommand::copy || message.expiration == 0) &&
         (!command.red_only || is_red(message));
}

/// The one that could have taken it from there and put it into `to`; null: taken for good.
CommandModel* Model::command_on(const List& queue, const Message& message, const List* to) {
  for (auto& [id, command] : commands_) {
    if (command.queue != &queue || !wanted_by(command, message)) continue;
    switch (command.command) {
      case QueueCommand::purge:
        if (to == nullptr) return &command;
        break;
      case QueueCommand::move:
      case QueueCommand::copy:
        if (to != nullptr && to->destination == command.to) return &command;
        break;
      case QueueCommand::retry:
        if (to != nullptr &&
            (to->destination == message.destination || message.stood.contains(to->destination))) {
          return &command;
        }
        break;
      default:
        break;
    }
  }
  return nullptr;
}

void Model::queues_written(const QueueBatch& batch) {
  std::set<const core::Message*> paired;
  for (const QueueBatch::Item& item : batch.removed) {
    const core::MessageRef& removed = item.second;
    Message* message = known(*removed);
    if (message == nullptr) return;
    const auto added =
        std::find_if(batch.added.begin(), batch.added.end(), [&](const QueueBatch::Item& each) {
          return number_of(*each.second) == number_of(*removed) && known(*each.second) == message;
        });
    if (added != batch.added.end()) paired.insert(added->second.get());
    List& list = queue(item.first);
    auto at = list.places.find(message->number);
    const bool dies = added != batch.added.end() && added->first.name == kDeadLetters;
    if (dies) continue;  // refused or expired
    if (at == list.places.end()) {
      // What the engine moved there when it expired, and nobody has seen.
      if (list.kind != ListKind::dead_letters || appeared_dead(*message, list, now_) == nullptr) {
        return violation("message " + std::to_string(message->number) + " leaves " + list.text() +
                         ", where it never was");
      }
      at = list.places.find(message->number);
    }
    Place& place = at->second;
    if (place.state != Place::State::here && place.state != Place::State::parked) continue;
    List* to = added != batch.added.end() ? &queue(added->first) : nullptr;
    CommandModel* command = command_on(list, *message, to);
    if (command == nullptr || command->command == QueueCommand::copy) {
      return violation("taken by nobody" + (to != nullptr ? ", for " + to->text() : "") + ": " +
                       text(place));
    }
    taken_by(*command, place, to, batch.ticket);
    place.may_be_cancelled = batch.cancelled;
  }
  for (const auto& [to, added] : batch.added) {
    if (paired.contains(added.get())) continue;
    for (auto& [id, command] : commands_) {
      const bool put_there =
          (command.command == QueueCommand::copy || command.command == QueueCommand::move) &&
          command.to == to;
      Message* message = put_there ? known(*added) : nullptr;
      if (message != nullptr) copied_by(command, *message, queue(to), batch.ticket);
    }
  }
}

/// Null for `to`: it was purged.
void Model::taken_by(CommandModel& command, Place& place, List* to, Ticket after) {
  if (place.visible_after > durable_) {
    return violation("taken before its transaction was durable: " + text(place));
  }
  Message& message = *place.message;
  ++command.affected;
  remove(place, after, false);
  if (to == nullptr) return;
  if (command.command == QueueCommand::retry) {
    // Behind what came after it.
    message.producer = 2'000'000 + message.number;
    order(message);
    message.expiration = 0;
    message.cause.clear();
    message.dead = false;
    message.revived = true;
  } else {
    message.stood.insert(to->destination);
  }
  Place& moved = this->place(message, *to, place.stored ? after : core::kNoTicket);
  if (moved.stored) moved.visible_after = after;
}

void Model::copied_by(CommandModel& command, Message& message, List& to, Ticket after) {
  const std::string about = "message " + std::to_string(message.number);
  if (command.command != QueueCommand::copy) return violation(about + " is copied, not moved");
  const auto at = command.queue->places.find(message.number);
  // What is answered is known before what was written: it may have been acknowledged since.
  const auto gone_before = [&](const Place& place) {
    return place.state == Place::State::gone && place.removed <= after;
  };
  if (at == command.queue->places.end() || gone_before(at->second) || not_sent_yet(at->second) ||
      !wanted_by(command, message)) {
    return violation(about + " is copied to " + to.text() + " by a command that has not met it");
  }
  if (to.places.contains(message.number)) return violation(about + " is copied twice");
  ++command.affected;
  message.copied = true;
  message.stood.insert(to.destination);
  Place& copy = place(message, to, at->second.stored ? after : core::kNoTicket);
  if (copy.stored) copy.visible_after = after;
}

/// Its transaction is not durable. What a branch gave back waits for that too, but stood there.
bool Model::not_sent_yet(const Place& place) const {
  return place.visible_after > durable_ && place.state == Place::State::here &&
         place.deliveries == 0;
}

/// It has waited there all the time since.
bool Model::stood_there(const Place& place, std::uint64_t started, Ticket durable) const {
  const std::int64_t expiration = place.message->expiration;
  return place.state == Place::State::here && place.since < started &&
         place.visible_after <= durable && (expiration == 0 || expiration > core::to_millis(now_));
}

bool Model::command_goes_on(const core::QueueTaskView& view) {
  CommandModel& command = commands_.at(view.id);
  const std::string about = "command " + std::to_string(core::raw(view.id)) + " (" +
                            std::string(to_string(view.command)) + " of " + command.queue->text() +
                            ")";
  if (command.only != nullptr && view.affected == 1 && command.affected == 0) {
    // Not stored: nothing was written.
    const auto at = command.queue->places.find(command.only->number);
    if (at == command.queue->places.end() || at->second.stored) {
      violation(about + " took what is not there, or wrote nothing");
      return true;
    }
    Place& place = at->second;
    List* to = command.command == QueueCommand::purge   ? nullptr
               : command.command == QueueCommand::retry ? &queue(command.only->destination)
                                                        : &queue(command.to);
    if (command.command == QueueCommand::copy) {
      copied_by(command, *command.only, *to, core::kNoTicket);
    } else if (place.state != Place::State::here && place.state != Place::State::parked) {
      violation(about + " took what did not wait: " + text(place));
    } else {
      taken_by(command, place, to, core::kNoTicket);
    }
  }
  if (view.affected != command.affected) {
    violation(about + " says that it did " + std::to_string(view.affected) + " messages, not " +
              std::to_string(command.affected));
  }
  if (!view.ended()) return false;
  if (view.state == core::TaskState::failed) {
    if (view.text.empty()) violation(about + " failed without a word");
    return true;
  }
  std::uint64_t left = 0;
  const Place* one = nullptr;
  for (const auto& [number, place] : command.queue->places) {
    if (!wanted_by(command, *place.message) ||
        !stood_there(place, command.started, command.durable)) {
      continue;
    }
    if (command.command == QueueCommand::copy && queue(command.to).places.contains(number)) {
      continue;
    }
    ++left;
    one = &place;
  }
  // What its consumer has just given back may have been on its way still.
  if (left > view.skipped_out) violation(about + " has passed over " + text(*one));
  return true;
}

// --- browsers ------------------------------------------------------------------------------------

void Model::browser_started(core::SubscriptionId id, std::uint64_t connection, List& queue,
                            bool red_only) {
  BrowserModel& browser = browsers_[id];
  browser.connection = connection;
  browser.queue = &queue;
  browser.red_only = red_only;
  browser.started = entry_;
  browser.durable = durable_;
}

void Model::browsed(const core::Delivery& delivery) {
  BrowserModel& browser = browsers_.at(delivery.subscription);
  const std::string about = "a browser of " + browser.queue->text();
  if (!delivery.message) {
    for (const auto& [number, place] : browser.queue->places) {
      if (!stood_there(place, browser.started, browser.durable) || browser.seen.contains(number) ||
          (browser.red_only && !is_red(*place.message))) {
        continue;
      }
      violation(about + " was not shown " + text(place));
    }
    return;
  }
  Message* message = known(*delivery.message);
  if (message == nullptr) return;
  if (!browser.seen.insert(message->number).second) {
    return violation(about + " was shown message " + std::to_string(message->number) + " twice");
  }
  if (message->priority > browser.priority) violation(about + " is shown a priority too late");
  browser.priority = message->priority;
  const auto at = browser.queue->places.find(message->number);
  if (at == browser.queue->places.end()) {
    const bool died = browser.queue->kind == ListKind::dead_letters && message->persistent &&
                      message->expiration != 0 && message->expiration <= core::to_millis(now_);
    if (!died) {
      violation(about + " was shown message " + std::to_string(message->number) +
                ", which never was there");
    }
    return;
  }
  const Place& place = at->second;
  const bool gone = place.state == Place::State::gone && place.since != entry_;
  if (gone || not_sent_yet(place) || (browser.red_only && !is_red(*message)) ||
      (browser.queue->kind != ListKind::dead_letters && delivery.message->expired(now_))) {
    violation(about + " was shown what it must not see: " + text(place));
  }
}

}  // namespace pabal::sim
