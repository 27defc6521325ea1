// What a delivery must be, and what must be left when nothing happens any more.

#include <algorithm>

#include "tests/sim/model.h"

namespace pabal::sim {

using core::DestinationKind;

Place* Model::place_of(const core::Delivery& delivery, const Consumer& consumer) {
  Message* message = known(*delivery.message);
  if (message == nullptr) return nullptr;
  List* list = consumer.list;
  if (list == nullptr) {
    const core::Destination from = sim::place_of(delivery);
    const bool wanted = consumer.destination.kind == from.kind &&
                        pattern_matches(consumer.destination.name, from.name);
    if (!wanted && consumer.destination != from) {
      violation("a consumer of " + consumer.destination.to_text() + " got a message of " +
                from.to_text());
      return nullptr;
    }
    list = &queue(from);
  }
  const auto found = list->places.find(message->number);
  if (found != list->places.end()) return &found->second;
  return nullptr;
}

void Model::dispatched(const core::Delivery& delivery, core::TimePoint now) {
  ++deliveries_;
  const auto found = consumers_.find(core::raw(delivery.subscription));
  if (found == consumers_.end()) {
    // One that left in the same entry may still find something in its connection's outbox.
    if (consumed_.contains(core::raw(delivery.subscription))) return;
    return violation("a delivery to a consumer that is not there");
  }
  Consumer& consumer = found->second;
  if (consumer.connection != core::raw(delivery.connection)) {
    return violation("a delivery to the wrong connection");
  }
  Place* place = place_of(delivery, consumer);
  if (place == nullptr && !violations_.empty()) return;
  if (place == nullptr) {
    Message* message = known(*delivery.message);
    List* list = consumer.list != nullptr ? consumer.list : &queue(sim::place_of(delivery));
    place = list->kind == ListKind::dead_letters ? appeared_dead(*message, *list, now) : nullptr;
    if (place == nullptr) {
      return violation("message " + std::to_string(message->number) + " was never due at " +
                       list->text() + " (not sent, not committed, or lost with a crash)");
    }
  }
  check_dispatch(delivery, consumer, *place, now);
  if (!violations_.empty()) return;

  if (!consumer.out.empty() && consumer.out.rbegin()->first >= core::raw(delivery.id)) {
    violation("delivery ids do not ascend");
  }
  place->state = Place::State::out;
  place->with = core::raw(consumer.id);
  place->dispatched = true;
  consumer.out[core::raw(delivery.id)].place = place;
  std::uint64_t used = 0;
  for (const auto& [id, out] : consumer.out) used += out.transaction == 0 ? 1 : 0;
  // A rollback puts deliveries out again, and may have come after this one in the same entry.
  if (used <= consumer.prefetch || rollback_entry_ == entry_) return;
  if (consumer.granted == 0) {
    return violation("more than its prefetch of " + std::to_string(consumer.prefetch) + " is out");
  }
  --consumer.granted;
}

/// The engine moved an expired message on its own, and that is durable, or it would not be seen.
Place* Model::appeared_dead(Message& message, List& dead_letters, core::TimePoint now) {
  if (message.expiration == 0 || message.expiration > core::to_millis(now) || !message.persistent ||
      message.dead) {
    return nullptr;
  }
  for (const auto& list : lists_) {
    if (list.get() == &dead_letters) continue;
    const auto source = list->places.find(message.number);
    if (source == list->places.end()) continue;
    if (source->second.state != Place::State::here &&
        source->second.state != Place::State::parked) {
      continue;
    }
    source->second.state = Place::State::gone;
    source->second.removed = source->second.removed_from = durable_;
    if (source->second.added > durable_) source->second.added = durable_;
    message.dead = true;
    return &place(message, dead_letters, durable_);
  }
  return nullptr;
}

void Model::check_dispatch(const core::Delivery& delivery, const Consumer& consumer, Place& place,
                           core::TimePoint now) {
  const auto wrong = [&](const std::string& what) { violation(what + ": " + text(place)); };
  if (consumer.red_only && !is_red(*place.message)) wrong("its selector refuses it");
  switch (place.state) {
    case Place::State::gone:
      return wrong("delivered again after it was acknowledged");
    case Place::State::out:
      return wrong("delivered to two at once");
    case Place::State::in_transaction:
      return wrong("delivered while acknowledged in a transaction");
    case Place::State::refused:
      return wrong("its subscription's selector refuses it");
    case Place::State::here:
    case Place::State::parked:
      break;
  }
  if (consumer.list == nullptr) check_owner(place, consumer);
  if (place.visible_after > durable_) wrong("delivered before its transaction was durable");
  if (delivery.message->expired(now) && place.list->kind != ListKind::dead_letters) {
    wrong("delivered although it has expired");
  }
  if (delivery.deliveries != place.deliveries) {
    wrong("delivery count " + std::to_string(delivery.deliveries) + " instead of " +
          std::to_string(place.deliveries));
  }
  if (now < place.not_before) wrong("redelivered before its time");
  if (place.received && !delivery.redelivered) wrong("redelivered without the mark");
  if (epoch_ == 1 && !place.dispatched && delivery.redelivered)
    wrong("marked, but never delivered");
  if (place.list->kind == ListKind::dead_letters) {
    check_dead_letter(delivery, *place.message);
    return;
  }
  if (!place.dispatched) {
    auto& last = place.list->first_deliveries[{place.message->producer, place.message->priority,
                                               is_red(*place.message), place.message->group}];
    if (place.message->order <= last) {
      wrong("overtaken by order " + std::to_string(last));
    }
    last = std::max(last, place.message->order);
  }
  check_priority(place, consumer);
}

/// A message group is in the hands of one consumer at a time, and while a queue has exclusive
/// consumers, one gets all: of the highest priority the one that was there first.
void Model::check_owner(const Place& place, const Consumer& consumer) {
  const std::string& group = place.message->group;
  for (const auto& [number, other] : place.list->places) {
    if (group.empty() || other.message->group != group) continue;
    const bool held =
        other.state == Place::State::out || other.state == Place::State::in_transaction;
    if (!held || other.with == core::raw(consumer.id)) continue;
    // Of what a prepared branch holds for a consumer that has gone, only the number is left.
    if (other.prepared && !consumers_.contains(other.with)) continue;
    violation("group " + group + " is with two: " + text(place) + " and " + text(other));
  }
  const core::Destination& queue = place.list->destination;
  const Consumer* only = nullptr;
  for (const auto& [id, each] : consumers_) {
    if (!each.exclusive || each.list != nullptr) continue;
    const bool wanted =
        each.destination == queue ||
        (each.destination.kind == queue.kind && pattern_matches(each.destination.name, queue.name));
    if (!wanted) continue;
    if (only == nullptr || each.priority > only->priority ||
        (each.priority == only->priority && each.arrival < only->arrival)) {
      only = &each;
    }
  }
  if (only != nullptr && only != &consumer) {
    violation("not to the exclusive consumer: " + text(place));
  }
}

/// Nothing may be handed out while a higher priority waits, unless that waits for the disk; so this
/// looks at what is in memory for sure.
void Model::check_priority(const Place& place, const Consumer& consumer) {
  if (place.list->kind == ListKind::transient) return;
  // With groups, who was blocked goes on for itself, and what is better may be another's.
  if (!place.message->group.empty()) return;
  bool on_disk[core::kPriorities] = {};  // or invisible, and so holding up what is behind it
  const Place* better = nullptr;
  for (const auto& [number, other] : place.list->places) {
    if (other.state != Place::State::here || other.message->priority <= place.message->priority) {
      continue;
    }
    if (other.stored || other.visible_after > durable_) on_disk[other.message->priority] = true;
  }
  for (const auto& [number, other] : place.list->places) {
    if (other.state != Place::State::here || other.message->priority <= place.message->priority) {
      continue;
    }
    if (other.stored || on_disk[other.message->priority] || other.since == entry_ ||
        other.not_before != core::TimePoint{} || other.visible_after > core::kNoTicket ||
        other.message->expiration != 0 || !other.message->group.empty() ||
        (consumer.red_only && !is_red(*other.message))) {
      continue;
    }
    better = &other;
  }
  if (better != nullptr) violation("handed out before " + text(*better) + ": " + text(place));
}

void Model::check_dead_letter(const core::Delivery& delivery, const Message& message) {
  const auto about = "dead letter " + std::to_string(message.number);
  const auto origin = delivery.message->original_destination();
  const auto from = [&](const core::Destination& place) {
    return origin && origin->kind == place.kind && origin->name == place.name;
  };
  if (!from(message.destination) &&
      std::none_of(message.stood.begin(), message.stood.end(), from)) {
    violation(about + " does not say where it comes from");
  }
  const auto cause = delivery.message->property("dlqDeliveryFailureCause");
  if (!cause || cause->text.empty()) return violation(about + " has no cause");
  if (!message.cause.empty() && cause->text != message.cause) {
    violation(about + " has the cause \"" + std::string(cause->text) + "\" instead of \"" +
              message.cause + "\"");
  }
  if (delivery.message->expiration() != 0) violation(about + " can expire");
  const auto count = delivery.message->property("dlqDeliveryCount");
  if (!count || (!message.cause.empty() && count->integer < 1)) {
    violation(about + " does not say how often it was delivered");
  }
  if (!delivery.message->property("dlqTime")) violation(about + " does not say when it died");
}

// --- counters ------------------------------------------------------------------------------------

void Model::check_depths(const core::Engine& engine, core::TimePoint now) {
  struct Bounds {
    std::uint64_t least = 0;
    std::uint64_t most = 0;
    std::uint64_t in_flight = 0;
  };
  std::uint64_t expired_anywhere = 0;
  const auto bounds_of = [&](const List& list) {
    Bounds bounds;
    for (const auto& [number, place] : list.places) {
      const bool expired = place.message->expiration != 0 &&
                           place.message->expiration <= core::to_millis(now) &&
                           list.kind != ListKind::dead_letters;
      switch (place.state) {
        case Place::State::here:
          ++bounds.most;
          bounds.least += expired ? 0 : 1;
          expired_anywhere += expired ? 1 : 0;
          break;
        case Place::State::out:
        case Place::State::in_transaction:
          ++bounds.least;
          ++bounds.most;
          ++bounds.in_flight;
          break;
        case Place::State::parked:
          ++bounds.most;
          expired_anywhere += expired ? 1 : 0;
          break;
        case Place::State::refused:
          // One that a crash brought back counts until it is met.
          bounds.most += place.epoch < epoch_ ? 1 : 0;
          break;
        case Place::State::gone:
          break;
      }
    }
    return bounds;
  };
  const auto check = [&](const std::string& what, const Bounds& bounds, std::uint64_t slack,
                         std::uint64_t depth, std::uint64_t in_flight) {
    if (depth < bounds.least || depth > bounds.most + slack || in_flight != bounds.in_flight) {
      violation(what + ": depth " + std::to_string(depth) + " instead of " +
                std::to_string(bounds.least) + ".." + std::to_string(bounds.most + slack) +
                ", in flight " + std::to_string(in_flight) + " instead of " +
                std::to_string(bounds.in_flight));
    }
  };

  std::map<const List*, Bounds> expected;
  for (const auto& list : lists_) {
    if (list->kind == ListKind::transient) continue;
    const Bounds bounds = bounds_of(*list);  // counts what has expired, in deleted ones too
    if (!list->deleted) expected[list.get()] = bounds;
  }
  std::set<const List*> seen;
  for (const auto& view : engine.destinations("", 10'000)) {
    if (!core::is_queue(view.destination.kind)) continue;
    List& list = queue(view.destination);
    seen.insert(&list);
    const std::uint64_t slack = list.kind == ListKind::dead_letters ? expired_anywhere : 0;
    check(view.destination.to_text(), expected[&list], slack, view.depth, view.in_flight);
  }
  for (const auto& view : engine.durable_subscriptions(10'000)) {
    List* list = durable(view.client_id, view.name);
    if (list == nullptr) {
      violation("durable subscription " + view.client_id + "/" + view.name + " from nowhere");
      continue;
    }
    seen.insert(list);
    check(list->text(), expected[list], 0, view.depth, view.in_flight);
  }
  for (const auto& [list, bounds] : expected) {
    if (bounds.least > 0 && !seen.contains(list)) violation(list->text() + " has disappeared");
  }
}

void Model::check_expired(const core::Engine& engine, core::TimePoint by) {
  const auto check = [&](const List& list, std::uint64_t depth) {
    std::uint64_t most = 0;
    for (const auto& [number, place] : list.places) {
      const std::int64_t expiration = place.message->expiration;
      const bool expired = expiration != 0 && expiration <= core::to_millis(by);
      const bool waits = place.state == Place::State::here || place.state == Place::State::parked;
      if (place.state != Place::State::gone && !(waits && expired)) ++most;
    }
    if (depth <= most) return;
    violation(list.text() + ": what expired long ago is there: depth " + std::to_string(depth) +
              " instead of at most " + std::to_string(most));
  };
  for (const auto& view : engine.destinations("", 10'000)) {
    if (!core::is_queue(view.destination.kind)) continue;
    List& list = queue(view.destination);
    if (list.kind != ListKind::dead_letters) check(list, view.depth);
  }
  for (const auto& view : engine.durable_subscriptions(10'000)) {
    if (const List* list = durable(view.client_id, view.name)) check(*list, view.depth);
  }
}

void Model::check_drained(core::TimePoint now) {
  for (const auto& list : lists_) check_gone(*list, false, now);
}

void Model::check_no_red_left(core::TimePoint now) {
  for (const auto& list : lists_) {
    if (!list->topic()) check_gone(*list, true, now);
  }
}

void Model::check_gone(const List& list, bool red_only, core::TimePoint now) {
  if (list.deleted) return;
  for (const auto& [number, place] : list.places) {
    if (place.state == Place::State::gone || place.state == Place::State::parked ||
        place.state == Place::State::refused) {
      continue;
    }
    if (red_only && !is_red(*place.message)) continue;
    const bool expired =
        place.message->expiration != 0 && place.message->expiration <= core::to_millis(now);
    if (expired && (red_only || !place.message->persistent) && place.state == Place::State::here) {
      continue;
    }
    violation("never delivered: " + text(place));
  }
}

}  // namespace pabal::sim
