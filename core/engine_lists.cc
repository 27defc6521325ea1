#include <algorithm>
#include <utility>

#include "core/engine_state.h"

// Lists and readers: how they come, go, keep a window in memory, and come back after a restart.

namespace pabal::core {

Result<MessageList*> Engine::State::queue_named(std::string_view name, DestinationKind kind,
                                                bool create) {
  if (const auto known = queues.find(name); known != queues.end()) {
    if (known->second->destination.kind == kind && !(create && known->second->wildcard)) {
      return known->second;
    }
    if (known->second->wildcard) {
      return Error{Errc::bad_destination,
                   "cannot send to the pattern " + known->second->destination.to_text()};
    }
    return Error{Errc::bad_destination, std::string(name) + " is " +
                                            known->second->destination.to_text() + ", not a " +
                                            std::string(to_string(kind))};
  }
  const Destination destination{kind, std::string(name)};
  if (kind == DestinationKind::temporary_queue) {
    return Error{Errc::bad_destination,
                 "The destination " + destination.to_text() + " does not exist."};
  }
  if (auto valid = validate_destination_name(name); !valid) return valid.error();
  if (destination.is_pattern()) {
    return Error{Errc::bad_destination, "cannot send to the pattern " + destination.to_text()};
  }
  if (!create) return Error{Errc::not_found, "no queue " + destination.name};
  return create_queue(destination);
}

Result<MessageList*> Engine::State::create_queue(const Destination& destination) {
  if (auto may = admit_destination(destination); !may && !over_limits) return may.error();
  if (lists.size() >= limits.destinations_max && !over_limits) {
    return Error{Errc::quota_exceeded,
                 "destinations_max: there are " + std::to_string(lists.size()) + " destinations"};
  }
  MessageList& list =
      add_list(std::make_unique<MessageList>(ListId{++last_list}, destination, true));
  StoreOp operation;
  operation.kind = StoreOpKind::create_list;
  operation.list = list.id;
  operation.detail = std::make_unique<StoreOpDetail>();
  operation.detail->list = {list.id, destination};
  store.append({&operation, 1});
  advise_destination(AdvisoryKind::destination_added, destination, nullptr);
  return &list;
}

/// Takes a list into the model: found by name, and consumed by the wildcard consumers that match.
MessageList& Engine::State::add_list(std::unique_ptr<MessageList> list) {
  MessageList& added = *list;
  added.policy = settings.policies.find(added.destination.kind, added.destination.name);
  added.last_used = now;
  if (added.is_queue()) ++policy_queues[&added.policy->entry()];
  lists[added.id] = std::move(list);
  if (!added.is_queue()) {
    if (added.stored) topic_lists[added.destination.name] = &added;
    for_each_part(added.destination.name, [&](std::string_view pattern) {
      patterns.insert(pattern, TopicTarget{nullptr, &added});
      topic_wanted({added.destination.kind, std::string(pattern)});
    });
    return added;
  }
  queues[added.destination.name] = &added;
  queues_in_order[{added.destination.kind, added.destination.name}] = &added;
  Reader& reader = add_reader(added, kQueueReader);
  if (added.destination.kind != DestinationKind::queue) return added;
  virtual_routes->add_queue(added, added.destination.name);
  for (auto* subscription : queue_patterns) {
    if (subscription->wants_queue(added.destination.name)) attach(*subscription, reader);
  }
  return added;
}

MessageList& Engine::State::topic_list(const std::string& pattern) {
  if (const auto known = topic_lists.find(pattern); known != topic_lists.end()) {
    return *known->second;
  }
  MessageList& list = add_list(std::make_unique<MessageList>(
      ListId{++last_list}, Destination{DestinationKind::topic, pattern}, true));
  StoreOp operation;
  operation.kind = StoreOpKind::create_list;
  operation.list = list.id;
  operation.detail = std::make_unique<StoreOpDetail>();
  operation.detail->list = {list.id, list.destination};
  store.append({&operation, 1});
  return list;
}

Reader& Engine::State::add_reader(MessageList& list, ReaderId id) {
  list.readers.push_back(std::make_unique<Reader>(list, id));
  Reader& reader = *list.readers.back();
  reader.idle_since = now;
  // It reads what comes from here on; lanes that are not there yet begin at one for everybody.
  for (int priority = 0; priority < kPriorities; ++priority) {
    const auto& lane = list.lanes[static_cast<std::size_t>(priority)];
    if (lane) reader.front.cursor(priority).next = lane->next_sequence;
  }
  return reader;
}

/// Of a reader that goes: nobody gets it any more.
void Engine::State::forget_entry(Reader& reader, int priority, Entry& entry) {
  if (entry.is_volatile) {
    release_volatile(reader, priority, entry);
  } else {
    unhold(*entry.message);
  }
}

/// Deliveries of the reader that are out can go nowhere any more, and nobody may point at it. What
/// came back to it stays.
void Engine::State::orphan(Reader& reader) {
  const auto forget = [&](int priority, Entry& entry) { forget_entry(reader, priority, entry); };
  while (reader.active()) {
    Scan& scan = reader.front.active() ? reader.front : *reader.selective.back();
    Subscription& subscription = *scan.consumers.back().subscription;
    for (std::size_t i = 0; i < subscription.in_flight.size(); ++i) {
      InFlight& delivery = subscription.in_flight[i];
      if (delivery.reader != &reader) continue;
      forget(delivery.priority, delivery.entry);
      delivery_done(subscription, delivery);
    }
    forget_settled(subscription);
    detach(subscription, scan);
  }
  transactions.for_each([&](Transaction& transaction) {
    for (auto& [delivery, ack] : transaction.orphans) {
      if (delivery.reader != &reader || !delivery.entry.message) continue;
      forget(delivery.priority, delivery.entry);
      delivery.entry.message.reset();
      delivery.reader = nullptr;
    }
  });
  for (const auto& [xid, branch] : branches) {
    for (auto& range : branch->held) {
      if (range.reader == &reader) range.reader = nullptr;
    }
  }
  for (std::size_t i = expired_waiting.size(); i > 0; --i) {
    auto waiting = std::move(expired_waiting.front());
    expired_waiting.pop_front();
    if (waiting.list == reader.list.id && waiting.reader == reader.id) {
      forget(waiting.priority, waiting.entry);
    } else {
      expired_waiting.push_back(std::move(waiting));
    }
  }
  orphan_walks(reader);
  drop_pages(reader.front);
  forget_work(reader.front);
  std::erase(acking_late, &reader);
  reader.acks_late = false;
}

void Engine::State::remove_reader(MessageList& list, Reader& reader, std::vector<StoreOp> along) {
  orphan(reader);
  for (auto& [key, entry] : reader.returned) forget_entry(reader, 9 - key.first, entry);
  reader.returned.clear();
  for (auto& [key, waiting] : reader.delayed) {
    if (waiting.entry.message) forget_entry(reader, 9 - key.first, waiting.entry);
  }
  forget_delayed(reader);
  drop_spilled(reader);
  // Non-persistent messages that it had not taken yet, and that did not expire for it. With
  // volatile_when_active they went with its last consumer.
  for (int priority = 0; priority < kPriorities && !reader.volatile_when_active; ++priority) {
    if (!list.lanes[static_cast<std::size_t>(priority)]) continue;
    auto& ring = list.lane(priority).volatile_entries;
    for (auto at = lower_bound_sequence(ring, list.lane(priority).ring_begin); at < ring.size();) {
      Entry entry = ring[at];
      const auto size = ring.size();
      if (entry.message && comes_to(reader, static_cast<std::size_t>(priority), entry)) {
        release_volatile(reader, priority, entry);
      }
      if (ring.size() == size)
        ++at;
      else
        at = lower_bound_sequence(ring, entry.sequence + 1);
    }
  }
  if (reader.group != nullptr) {
    const auto known = shared.find(std::pair(reader.description.name, list.destination.name));
    if (known != shared.end() && known->second == &reader) shared.erase(known);
    shared_readers.erase(reader.id);
  } else {
    durables.erase(std::pair(reader.description.client_id, reader.description.name));
    advise_durable_removed(reader);
  }

  if (list.stored) {
    auto& operation = along.emplace_back();
    operation.kind = StoreOpKind::delete_reader;
    operation.list = list.id;
    operation.reader = reader.id;
  }
  if (reader.session != nullptr) disown(reader, along);
  append_all(along);
  std::erase_if(list.readers, [&](const auto& other) { return other.get() == &reader; });
  if (list.readers.empty()) remove_list(list);
  room_was_made();
}

void Engine::State::remove_list(MessageList& list) {
  for (const auto& reader : list.readers) orphan(*reader);
  expiry.forget(list.id);
  window_bytes -= list.window_bytes;
  if (list.window_listed) windows.remove(list.id);
  if (list.spill_listed) spillable.erase(list.id);
  if (list.spill) drop_spill(list);
  if (list.has_blocked) room_at(list);
  if (list.is_queue()) {
    if (const auto at = policy_queues.find(&list.policy->entry());
        at != policy_queues.end() && --at->second == 0) {
      policy_queues.erase(at);
    }
    queues.erase(list.destination.name);
    queues_in_order.erase({list.destination.kind, list.destination.name});
    if (list.destination.kind == DestinationKind::queue) {
      virtual_routes->remove_queue(list, list.destination.name);
    }
  } else {
    if (list.stored) {
      topic_lists.erase(list.destination.name);
    } else {
      --volatile_lists;
    }
    for_each_part(list.destination.name, [&](std::string_view pattern) {
      patterns.erase(pattern, TopicTarget{nullptr, &list});
      topic_unwanted({list.destination.kind, std::string(pattern)});
    });
  }
  if (list.destination.kind == DestinationKind::queue) {
    advise_destination(AdvisoryKind::destination_removed, list.destination, nullptr);
  }
  if (list.stored) {
    std::vector<StoreOp> operations;
    if (list.paused) operations.push_back(paused_step(list.destination.name, false));
    auto& operation = operations.emplace_back();
    operation.kind = StoreOpKind::delete_list;
    operation.list = list.id;
    append_all(operations);
  }
  room_was_made();
  const auto known = lists.find(list.id);
  auto gone = std::move(known->second);
  lists.erase(known);
  bury(std::move(gone));
}

// --- windows -------------------------------------------------------------------------------------

void Engine::State::add_to_window(MessageList& list, Lane& lane, Entry entry) {
  const std::uint64_t bytes = entry.message->footprint();
  list.window_bytes += bytes;
  window_bytes += bytes;
  lane.window.push_back(std::move(entry));
  if (!list.window_listed) {
    list.window_listed = true;
    windows.push_back(list.id);
  }
  if (list.window_bytes > limits.list_window_bytes_max) {
    evict(list, limits.list_window_bytes_max / 2);
  }
}

void Engine::State::window_removed(MessageList& list, const Entry& entry) {
  const std::uint64_t bytes = entry.message->footprint();
  list.window_bytes -= bytes;
  window_bytes -= bytes;
}

/// Drops the oldest entries of a list's windows from memory, the lowest priority first: they are
/// read back when their turn comes.
void Engine::State::evict(MessageList& list, std::uint64_t down_to_bytes) {
  for (auto& lane : list.lanes) {
    if (!lane) continue;
    while (!lane->window.empty() && list.window_bytes > down_to_bytes) {
      const Entry entry = take_front(lane->window, lane->window_gaps);
      MessageList::leave_window(*lane, entry);
      window_removed(list, entry);
    }
    lane->window.shrink();
  }
}

void Engine::State::limit_windows() {
  while (window_bytes > limits.window_bytes_max && !windows.empty()) {
    const ListId id = windows.front();
    windows.pop_front();
    const auto at = lists.find(id);
    if (at == lists.end()) continue;
    at->second->window_listed = false;
    evict(*at->second, 0);
  }
}

// --- recovery ------------------------------------------------------------------------------------

void Engine::State::recover(RecoveredState recovered) {
  last_list = raw(recovered.last_list);
  last_reader = raw(recovered.last_reader);
  recover_producers(recovered.attachments);
  for (auto& found : recovered.lists) {
    if (is_temporary(found.description.destination.kind)) {
      if (found.description.destination.name == kBranchList) {
        branch_list = found.description.id;
        for (const auto& reader : found.readers) {
          for (const auto& cursor : reader.cursors) {
            branch_sequence = std::max(branch_sequence, cursor.next);
          }
        }
        continue;
      }
      if (found.description.destination.name == kRetainedList) {
        recover_retained(found);
        continue;
      }
      // Spilled by a process that has ended: nobody was promised that it outlives that.
      StoreOp operation;
      operation.kind = StoreOpKind::delete_list;
      operation.list = found.description.id;
      store.append({&operation, 1});
      continue;
    }
    if (is_schedule_list(found.description.destination.name)) {
      recover_bucket(found);
      continue;
    }
    MessageList& list = add_list(std::make_unique<MessageList>(
        found.description.id, std::move(found.description.destination), true));
    for (auto& found_reader : found.readers) {
      Reader& reader =
          list.is_queue() ? list.reader() : add_reader(list, found_reader.description.id);
      reader.description = std::move(found_reader.description);
      if (!list.is_queue()) {
        if (reader.description.client_id.empty()) {
          take_group(reader);
        } else {
          durables[std::pair(reader.description.client_id, reader.description.name)] = &reader;
        }
        if (!reader.description.selector.empty()) {
          // It was compiled before it was stored; should another version have been kinder, all
          // is kept for its owner, who must subscribe anew.
          if (auto selector = Selector::compile(reader.description.selector)) {
            reader.front.selector = std::make_shared<const Selector>(std::move(*selector));
          }
        }
      }
      for (const auto& found_cursor : found_reader.cursors) {
        Lane& lane = list.lane(found_cursor.priority);
        lane.next_sequence = std::max(lane.next_sequence, found_cursor.next);
        lane.window_begin = lane.next_sequence;
        reader.front.cursor(found_cursor.priority).next = found_cursor.first;
        ReaderLane& known = reader.lane(found_cursor.priority);
        known.touched_to = found_cursor.touched_to;
        known.recovered_touched_to = std::min(found_cursor.touched_to, found_cursor.next);
        known.filtered_from = found_cursor.next;
        reader.depth += found_cursor.entries;
        reader.depth_bytes += found_cursor.bytes;
      }
    }
    recover_expiry(list, found.expiry);
    // A crash came between the batches that make or take away a list and its one reader.
    if (list.readers.empty()) remove_list(list);
  }
  recover_paused(recovered);
  for (const auto& [id, reader] : shared_readers) groups_to_end.push_back(id);
  recover_sessions(recovered.attachments);
  recover_branches(std::move(recovered.attachments));
}

}  // namespace pabal::core
