// What may be left after the process died. A store keeps batches in order of their tickets, so what
// survived is a prefix: everything up to what was durable, and perhaps more. Whatever is found of a
// later batch proves that all before it survived too; this makes transactions, moves to the
// dead-letter queue and plain acknowledgements all the same to the judge.

#include <algorithm>

#include "tests/sim/model.h"

namespace pabal::sim {

using core::DestinationKind;

void Model::crashed(Ticket durable, core::TimePoint now) {
  durable_at_crash_ = durable;
  crashed_at_ = core::to_millis(now);
}

void Model::recovered(const core::RecoveredState& state, const std::vector<RecoveredLane>& lanes) {
  std::erase_if(lists_, [](const auto& list) {
    return list->kind == ListKind::temporary_queue || list->kind == ListKind::transient;
  });
  consumers_.clear();
  consumed_.clear();
  transactions_.clear();
  written_.clear();
  commands_.clear();
  browsers_.clear();
  Found found = match(state, lanes);
  match_branches(state, found);
  if (violations_.empty()) settle(found, survived(found));
  ++epoch_;
  if (violations_.empty()) hold_again();
}

List* Model::list_of(const core::ListDescription& list, const core::ReaderDescription& reader) {
  if (core::is_queue(list.destination.kind)) {
    if (list.destination.kind != DestinationKind::queue) {
      violation("a temporary queue came back: " + list.destination.to_text());
      return nullptr;
    }
    return &queue(list.destination);
  }
  List* deleted = nullptr;  // it may be that the deletion did not survive
  for (const auto& known : lists_) {
    if (known->kind != ListKind::durable || known->client_id != reader.client_id ||
        known->name != reader.name || known->destination != list.destination ||
        known->red_only == reader.selector.empty()) {
      continue;
    }
    if (!known->deleted) return known.get();
    deleted = known.get();
  }
  if (deleted != nullptr) return deleted;
  violation("a durable subscription that nobody made: " + reader.client_id + "/" + reader.name +
            " on " + list.destination.to_text());
  return nullptr;
}

Model::Found Model::match(const core::RecoveredState& state,
                          const std::vector<RecoveredLane>& lanes) {
  Found found;
  std::set<std::pair<std::string, std::string>> names;
  for (const auto& list : state.lists) {
    if (core::is_schedule_list(list.description.destination.name)) continue;
    for (const auto& reader : list.readers) {
      List* known = list_of(list.description, reader.description);
      if (known == nullptr) return found;
      const bool once =
          known->kind != ListKind::durable || names.emplace(known->client_id, known->name).second;
      if (!once || !found.lists.insert(known).second) {
        violation(known->text() + " came back twice");
        return found;
      }
    }
  }
  for (const auto& lane : lanes) {
    if (!core::is_schedule_list(lane.list.destination.name)) {
      match_lane(lane, *list_of(lane.list, lane.reader), found);
      continue;
    }
    for (const auto& entry : lane.entries) {
      match_job(job_of({core::raw(lane.list.id), entry.sequence}, *entry.message), found);
    }
  }
  return found;
}

void Model::match_lane(const RecoveredLane& lane, List& list, Found& found) {
  std::map<std::uint64_t, std::uint64_t> order_of_producer;
  std::uint64_t last = 0;
  std::uint64_t bytes = 0;
  for (const auto& entry : lane.entries) {
    if (entry.sequence <= last) violation(list.text() + ": sequences do not ascend");
    last = entry.sequence;
    bytes += entry.message->flat().size();
    Message* message = known(*entry.message);
    if (message == nullptr) return;
    auto at = list.places.find(message->number);
    if (at == list.places.end()) {
      const bool moved = list.kind == ListKind::dead_letters && message->persistent &&
                         message->expiration != 0 && message->expiration <= crashed_at_;
      if (!moved) {
        violation("message " + std::to_string(message->number) + " came back at " + list.text() +
                  ", where it never was");
        return;
      }
      // Expired, and moved by the engine before it died.
      message->dead = true;
      place(*message, list, core::kNoTicket);
      at = list.places.find(message->number);
    }
    if (message->priority != lane.cursor.priority) violation("wrong priority: " + text(at->second));
    if (!found.entries.emplace(&at->second, &entry).second) {
      violation("came back twice: " + text(at->second));
    }
    if (list.kind == ListKind::dead_letters) continue;
    auto& order = order_of_producer[message->producer];
    if (message->order <= order) violation("came back out of order: " + text(at->second));
    order = message->order;
  }
  if (lane.entries.size() != lane.cursor.entries || bytes != lane.cursor.bytes) {
    violation(list.text() + ": recovered " + std::to_string(lane.cursor.entries) + " entries of " +
              std::to_string(lane.cursor.bytes) + " bytes, but there are " +
              std::to_string(lane.entries.size()) + " of " + std::to_string(bytes));
  }
}

Ticket Model::survived(const Found& found) const {
  Ticket survivors = durable_at_crash_;
  for (bool changed = true; changed;) {
    changed = false;
    // Of lists that are gone, too: a queue was deleted with what had survived until then.
    for (const auto& list : lists_) {
      for (const auto& [number, place] : list->places) {
        if (!place.stored || place.state == Place::State::parked) continue;
        Ticket proven = core::kNoTicket;
        if (found.entries.contains(&place)) {
          if (place.added != kUnknownTicket) proven = place.added;
        } else if (place.added <= survivors && place.state == Place::State::gone &&
                   !place.may_be_cancelled) {
          proven = place.removed_from;
        }
        if (proven <= survivors) continue;
        survivors = proven;
        changed = true;
      }
    }
    const Ticket proven =
        std::max(proven_by_branches(found, survivors), proven_by_jobs(found, survivors));
    if (proven <= survivors) continue;
    survivors = proven;
    changed = true;
  }
  return survivors;
}

void Model::settle(const Found& found, Ticket survivors) {
  settle_branches(found, survivors);
  settle_jobs(found, survivors);
  for (const auto& list : lists_) {
    settle_list(*list, found, survivors);
    if (!violations_.empty()) return;
  }
  for (const auto& message : messages_) message->dead = false;
  for (const auto& [place, entry] : found.entries) {
    if (place->list->kind == ListKind::dead_letters) place->message->dead = true;
  }
  for (const auto& message : messages_) {
    if (!message->dead) message->cause.clear();
  }
  std::erase_if(lists_, [](const auto& list) { return list->deleted; });
}

void Model::settle_list(List& list, const Found& found, Ticket survivors) {
  const bool there = found.lists.contains(&list);
  if (list.kind == ListKind::durable) {
    if (there && list.deleted && list.deleted_by <= survivors) {
      return violation(list.text() + " came back after it was deleted durably");
    }
    if (!there && !list.deleted && list.created <= survivors) {
      return violation(list.text() + " is lost");
    }
    list.deleted = !there;
    list.created = list.deleted_by = core::kNoTicket;
    if (!there) return;
  }
  for (auto& [number, place] : list.places) settle_place(place, found, survivors);
  std::erase_if(list.places,
                [&](const auto& each) { return !found.entries.contains(&each.second); });
  list.first_deliveries.clear();
}

bool Model::moved_by_expiry(const Place& place, const Found& found) const {
  const Message& message = *place.message;
  if (message.expiration == 0 || message.expiration > crashed_at_) return false;
  return std::any_of(found.entries.begin(), found.entries.end(), [&](const auto& each) {
    return each.first->list->kind == ListKind::dead_letters && each.first->message == &message;
  });
}

void Model::settle_place(Place& place, const Found& found, Ticket survivors) {
  const auto at = found.entries.find(&place);
  // With the message its number is there, or neither is.
  Message& message = *place.message;
  if (message.identified && place.list->destination == message.destination && !message.revived) {
    message.taken = at != found.entries.end() || place.added <= survivors;
  }
  if (at == found.entries.end()) {
    const bool may_be_gone = !place.stored || place.state == Place::State::gone ||
                             place.state == Place::State::parked ||
                             place.state == Place::State::refused || place.added > survivors ||
                             moved_by_expiry(place, found);
    if (!may_be_gone)
      violation("lost (durable was " + std::to_string(core::raw(durable_at_crash_)) +
                ", survived " + std::to_string(core::raw(survivors)) + "): " + text(place));
    return;
  }
  if (!place.stored) return violation("non-persistent, but came back: " + text(place));
  if (place.state == Place::State::refused) {
    place.added = place.visible_after = core::kNoTicket;
    return;
  }
  if (place.state == Place::State::gone && place.removed <= survivors) {
    return violation("came back although its acknowledgement survived (" +
                     std::to_string(core::raw(survivors)) + "): " + text(place));
  }
  if (place.list->kind != ListKind::dead_letters && moved_by_expiry(place, found)) {
    return violation("both in place and in the dead-letter queue: " + text(place));
  }
  const auto unsure =
      static_cast<std::uint32_t>(std::count_if(place.counted.begin(), place.counted.end(),
                                               [&](Ticket ticket) { return ticket > survivors; }));
  const std::uint32_t count = at->second->deliveries;
  if (count > place.deliveries || count + unsure < place.deliveries) {
    violation("delivery count " + std::to_string(count) + " came back instead of " +
              std::to_string(place.deliveries - unsure) + ".." + std::to_string(place.deliveries) +
              ": " + text(place));
  }
  const auto unsure_refusals =
      static_cast<std::uint32_t>(std::count_if(place.refused.begin(), place.refused.end(),
                                               [&](Ticket ticket) { return ticket > survivors; }));
  const std::uint32_t refusals = at->second->refusals;
  if (refusals > place.refusals || refusals + unsure_refusals < place.refusals) {
    violation(std::to_string(refusals) + " refusals came back instead of " +
              std::to_string(place.refusals) + ": " + text(place));
  }
  place.refusals = refusals;
  place.refused.clear();
  place.not_before = {};
  place.deliveries = count;
  place.counted.clear();
  place.state = Place::State::here;
  place.may_be_cancelled = place.prepared = false;
  place.added = place.removed = place.removed_from = place.visible_after = core::kNoTicket;
  place.dispatched = false;
}

}  // namespace pabal::sim
