#include <algorithm>
#include <utility>

#include "core/engine_state.h"

// The dispatcher: which message of a reader goes next, to whom, and if none, why not. Everything
// that stops it is a WaitReason, so that an operator can be told.

namespace pabal::core {
namespace {

constexpr std::uint32_t kPageEntriesMax = 1024;
constexpr std::uint64_t kPageBytesMax = 1ULL << 20;
constexpr std::uint64_t kPageBytesMin = 64ULL << 10;
constexpr std::uint64_t kEverything = ~std::uint64_t{0};

}  // namespace

// --- what goes next ------------------------------------------------------------------------------

void Engine::State::dispatch(Reader& reader, std::uint32_t& steps, TimePoint now) {
  if (!reader.list.is_queue() && reader.active() && !reader.list.trim_listed) {
    reader.list.trim_listed = true;
    lists_to_trim.push_back(reader.list.id);
  }
  for (;;) {
    if (steps == 0) {
      mark_ready(reader);
      return;
    }
    --steps;
    if (!reader.active()) {
      reader.waiting = reader.depth == 0 ? WaitReason::empty : WaitReason::no_consumer;
      return;
    }
    const auto candidate = next_entry(reader);
    if (!candidate) return;
    if (candidate->entry->message->expired(now)) {
      if (expired_waiting.size() >= kExpiredWaitingMax) {
        reader.waiting = WaitReason::no_room_for_dead_letter;
        if (!std::exchange(reader.awaits_room, true)) awaiting_room.push_back(&reader);
        return;
      }
      Entry entry = take(reader, *candidate);
      if (!entry.is_volatile) held_bytes += entry.message->footprint();  // as if delivered
      if (!expire(reader, candidate->priority, entry)) {
        expired_waiting.push_back(
            {reader.list.id, reader.id, candidate->priority, std::move(entry)});
      }
      continue;
    }
    Subscription* consumer = pick_consumer(reader);
    if (consumer == nullptr) {
      list_for_wake(reader);
      return;
    }
    Entry entry = take(reader, *candidate);
    if (!reader.list.is_queue() && consumer->interest().no_local &&
        entry.message->origin() == consumer->connection.origin) {
      if (!entry.is_volatile) held_bytes += entry.message->footprint();  // as if delivered
      release(reader, candidate->priority, entry, nullptr);
      continue;
    }
    reader.waiting = WaitReason::working;
    ++reader.in_flight;
    deliver(*consumer, &reader, candidate->priority, std::move(entry));
  }
}

std::optional<Engine::State::Candidate> Engine::State::next_entry(Reader& reader) {
  WaitReason why = WaitReason::empty;
  for (int priority = kPriorities - 1; priority >= 0; --priority) {
    if (!reader.returned.empty() && reader.returned.begin()->first.first == 9 - priority) {
      return Candidate{&reader.returned.begin()->second, priority, Candidate::From::returned, 0};
    }
    if (!reader.list.lanes[static_cast<std::size_t>(priority)]) continue;
    LaneWait wait;
    if (auto candidate = next_in_lane(reader, priority, wait)) return candidate;
    if (wait.why == WaitReason::empty) continue;
    why = wait.why;
    // What is on its way from disk, or waits for its mark, must not be overtaken by a lower
    // priority; what is not visible yet may.
    if (wait.holds_lower) break;
  }
  reader.waiting = why;
  if (why == WaitReason::waiting_for_sync && !reader.awaits_durable) {
    reader.awaits_durable = true;
    awaiting_durable.push_back(&reader);
  }
  return std::nullopt;
}

std::optional<Engine::State::Candidate> Engine::State::next_in_lane(Reader& reader, int priority,
                                                                    LaneWait& wait) {
  Lane& lane = reader.list.lane(priority);
  Cursor& cursor = reader.cursor(priority);
  const bool queue = reader.list.is_queue();

  // Below `known`, everything that waits is in memory; the page may reach up to the window.
  std::uint64_t known = kEverything;
  if (cursor.next < lane.window_begin) {
    known = std::max(cursor.next, cursor.page_end);
    if (known >= lane.window_begin) known = kEverything;
  }

  std::optional<Candidate> best;
  const auto consider = [&](Entry& entry, Candidate::From from, std::size_t position) {
    if (entry.sequence >= known) return;
    if (best && best->entry->sequence < entry.sequence) return;
    best = Candidate{&entry, priority, from, position};
  };
  if (!cursor.page.empty()) consider(cursor.page.front(), Candidate::From::page, 0);
  if (known == kEverything) {
    const auto at = queue ? 0 : lower_bound_sequence(lane.window, cursor.next);
    if (at < lane.window.size()) consider(lane.window[at], Candidate::From::window, at);
  }
  auto at = queue ? 0 : lower_bound_sequence(lane.volatile_entries, cursor.next);
  while (at < lane.volatile_entries.size() && !lane.volatile_entries[at].message) ++at;
  if (at < lane.volatile_entries.size()) {
    consider(lane.volatile_entries[at], Candidate::From::volatile_ring, at);
  }

  // Read ahead: the next page comes while this one is delivered.
  if (known != kEverything && cursor.page.size() < kPageEntriesMax / 4) {
    request_page(reader, priority);
  }
  if (!best) {
    if (known != kEverything) {
      wait.why = cursor.damaged ? WaitReason::damaged : WaitReason::reading_from_disk;
      wait.holds_lower = !cursor.damaged;
    }
    return std::nullopt;
  }
  if (!may_leave(reader, cursor, priority, *best->entry, wait)) return std::nullopt;
  return best;
}

/// The two things that hold a message back until the store has synced: it was sent in a transaction
/// that is not durable, or its block is not yet logged as touched, so that a crash would hand it
/// out a second time without the mark.
bool Engine::State::may_leave(Reader& reader, Cursor& cursor, int priority, const Entry& entry,
                              LaneWait& wait) {
  wait.why = WaitReason::waiting_for_sync;
  const Ticket synced = std::max(durable, store.durable());
  if (entry.visible_after > synced) return false;
  wait.holds_lower = true;
  if (entry.is_volatile) return true;
  // The next block is touched half a block ahead, so that a backlog does not stop at each border.
  const bool backlog = reader.depth > reader.in_flight + kTouchBlock / 2;
  if (entry.sequence + (backlog ? kTouchBlock / 2 : 0) >= cursor.touched_to) {
    touch(reader, priority, std::max(entry.sequence, cursor.touched_to));
  }
  while (!cursor.touches.empty() && cursor.touches.front().ticket <= synced) {
    cursor.touches.pop_front();
  }
  for (std::size_t i = 0; i < cursor.touches.size(); ++i) {
    const auto& touch = cursor.touches[i];
    if (entry.sequence >= touch.end) continue;
    // Logged before the message itself: whoever finds the message after a crash finds the mark.
    return entry.stored > touch.ticket || touch.ticket <= store.durable();
  }
  return true;
}

void Engine::State::touch(Reader& reader, int priority, std::uint64_t up_to) {
  Cursor& cursor = reader.cursor(priority);
  cursor.touched_to = (up_to / kTouchBlock + 1) * kTouchBlock;
  StoreOp operation;
  operation.kind = StoreOpKind::touch;
  operation.priority = static_cast<std::uint8_t>(priority);
  operation.list = reader.list.id;
  operation.reader = reader.id;
  operation.last = cursor.touched_to;
  flush_acks();
  cursor.touches.push_back({cursor.touched_to, store.append({&operation, 1})});
}

Entry Engine::State::take(Reader& reader, const Candidate& candidate) {
  MessageList& list = reader.list;
  Entry entry;
  if (candidate.from == Candidate::From::returned) {
    entry = std::move(reader.returned.begin()->second);
    reader.returned.erase(reader.returned.begin());
    if (!entry.is_volatile) held_bytes -= entry.message->footprint();
    return entry;
  }
  Lane& lane = list.lane(candidate.priority);
  Cursor& cursor = reader.cursor(candidate.priority);
  const bool queue = list.is_queue();
  switch (candidate.from) {
    case Candidate::From::page:
      entry = std::move(cursor.page.front());
      cursor.page.pop_front();
      window_bytes -= entry.message->footprint();
      break;
    case Candidate::From::window:
      if (queue) {
        window_removed(list, lane.window.front());
        entry = std::move(lane.window.front());
        lane.window.pop_front();
      } else {
        entry = lane.window[candidate.position];
      }
      break;
    case Candidate::From::volatile_ring:
      if (queue) {
        entry = std::move(lane.volatile_entries.front());
        lane.volatile_entries.pop_front();
      } else {
        entry = lane.volatile_entries[candidate.position];
      }
      break;
    case Candidate::From::returned:
      PABAL_UNREACHABLE();
  }
  cursor.next = entry.sequence + 1;
  entry.maybe_delivered =
      entry.maybe_delivered || (!entry.is_volatile && entry.sequence < cursor.recovered_touched_to);
  return entry;
}

// --- to whom -------------------------------------------------------------------------------------

bool Engine::State::has_socket_room(Connection& connection) {
  if (connection.unwritten_bytes < limits.unwritten_bytes_max) return true;
  connection.socket_was_full = true;
  return false;
}

/// Round robin among those with the highest priority that have credit and room in the socket.
Subscription* Engine::State::pick_consumer(Reader& reader) {
  auto& consumers = reader.consumers;
  Subscription* best = nullptr;
  std::size_t best_at = 0;
  reader.waiting = WaitReason::no_credit;
  for (std::size_t i = 0; i < consumers.size(); ++i) {
    const std::size_t at = (reader.next_consumer + i) % consumers.size();
    Subscription* consumer = consumers[at].subscription;
    if (!consumer->has_credit()) continue;
    if (!has_socket_room(consumer->connection)) {
      reader.waiting = WaitReason::socket_full;
      continue;
    }
    if (best != nullptr && consumer->options.consumer_priority <= best->options.consumer_priority) {
      continue;
    }
    best = consumer;
    best_at = at;
    // Consumers stand in descending priority: none after the first is better than it.
    if (consumer->options.consumer_priority ==
        consumers.front().subscription->options.consumer_priority) {
      break;
    }
  }
  if (best != nullptr) reader.next_consumer = (best_at + 1) % consumers.size();
  return best;
}

/// Leaves word with each consumer to wake the reader when it has credit or room again.
void Engine::State::list_for_wake(Reader& reader) {
  for (auto& link : reader.consumers) {
    if (link.wake_listed) continue;
    link.wake_listed = true;
    link.subscription->blocked.push_back(&reader);
  }
}

void Engine::State::wake_blocked(Subscription& subscription) {
  for (auto* reader : subscription.blocked) {
    for (auto& link : reader->consumers) {
      if (link.subscription == &subscription) link.wake_listed = false;
    }
    mark_ready(*reader);
  }
  subscription.blocked.clear();
}

void Engine::State::deliver(Subscription& subscription, Reader* reader, int priority, Entry entry) {
  Connection& connection = subscription.connection;
  const std::uint64_t bytes = entry.message->footprint();
  const bool direct = reader == nullptr;
  if (subscription.out >= subscription.options.prefetch && subscription.granted > 0) {
    --subscription.granted;
  }
  ++subscription.out;
  const DeliveryId id{++subscription.last_delivery};
  const std::uint64_t number = ++connection.last_number;
  connection.unwritten_bytes += bytes;

  auto& unwritten = connection.unwritten;
  if (!unwritten.empty() && unwritten.back().subscription == &subscription &&
      unwritten.back().last_id + 1 == raw(id) && unwritten.back().last_number + 1 == number) {
    auto& range = unwritten.back();
    range.last_number = number;
    range.last_id = raw(id);
    ++range.count;
    range.bytes += bytes;
  } else {
    unwritten.push_back({&subscription, number, raw(id), 1, bytes});
  }

  Delivery delivery;
  delivery.connection = connection.id;
  delivery.subscription = subscription.id;
  delivery.tag = subscription.options.tag;
  delivery.number = number;
  delivery.id = id;
  delivery.message = entry.message;
  delivery.deliveries = entry.deliveries;
  delivery.redelivered = entry.deliveries > 0 || entry.maybe_delivered;
  outbox_of(connection).deliveries.push_back(std::move(delivery));

  ++totals.dispatched;
  const bool again = entry.deliveries > 0 || entry.maybe_delivered;
  if (again) ++totals.redelivered;
  if (!direct) {
    ++reader->list.counters.dispatched;
    if (again) ++reader->list.counters.redelivered;
  }
  // An automatic delivery of a topic message without a list has nothing to come back to.
  if (direct && subscription.automatic()) return;
  if (!entry.is_volatile || direct) held_bytes += bytes;
  if (!subscription.automatic()) {
    ++connection.explicit_out;
    if (connection.reading_paused) {
      // It must be able to acknowledge this; its sends are refused from here on.
      connection.reading_paused = false;
      order(connection, ConnectionOrder::resume_reading, "");
    }
  }
  InFlight in_flight;
  in_flight.id = id;
  in_flight.reader = reader;
  in_flight.entry = std::move(entry);
  in_flight.priority = static_cast<std::uint8_t>(priority);
  subscription.in_flight.push_back(std::move(in_flight));
}

// --- topic subscriptions without a list ----------------------------------------------------------

void Engine::State::offer_topic_message(Subscription& subscription, const MessageRef& message,
                                        Ticket visible_after) {
  if (subscription.interest().no_local && message->origin() == subscription.connection.origin) {
    return;
  }
  // What can expire goes through `pending`, where the time is looked at.
  const bool at_once =
      message->expiration() == 0 &&
      (visible_after == kNoTicket || visible_after <= std::max(durable, store.durable()));
  if (at_once && !subscription.has_waiting() && subscription.has_credit() &&
      has_socket_room(subscription.connection)) {
    Entry entry;
    entry.sequence = ++subscription.last_sequence;
    entry.message = message;
    entry.is_volatile = true;
    deliver(subscription, nullptr, message->priority(), std::move(entry));
    return;
  }
  subscription.pending_bytes += message->footprint();
  held_bytes += message->footprint();
  subscription.pending.push_back({message, visible_after});
  if (!at_once) mark_ready(subscription);
}

void Engine::State::deliver_pending(Subscription& subscription, std::uint32_t& steps,
                                    TimePoint now) {
  while (subscription.has_waiting() && subscription.has_credit() &&
         has_socket_room(subscription.connection)) {
    if (subscription.returned.empty() && !first_pending_is_visible(subscription)) return;
    if (steps == 0) {
      mark_ready(subscription);
      return;
    }
    --steps;
    Entry entry = take_waiting(subscription);
    subscription.pending_bytes -= entry.message->footprint();
    unhold(*entry.message);
    if (entry.message->expired(now)) {
      ++totals.expired;
      continue;
    }
    const int priority = entry.message->priority();
    deliver(subscription, nullptr, priority, std::move(entry));
  }
  subscription.pending.shrink();
}

/// A message of a transaction waits until that is durable, and holds up what came after it: a crash
/// must not leave a client with a message of a transaction that never was.
bool Engine::State::first_pending_is_visible(Subscription& subscription) {
  const Ticket visible_after = subscription.pending.front().visible_after;
  if (visible_after == kNoTicket || visible_after <= std::max(durable, store.durable()))
    return true;
  if (!subscription.awaits_durable) {
    subscription.awaits_durable = true;
    subscriptions_awaiting_durable.push_back(subscription.id);
  }
  return false;
}

Entry Engine::State::take_waiting(Subscription& subscription) {
  Entry entry;
  if (const auto back = subscription.returned.begin(); back != subscription.returned.end()) {
    entry = std::move(back->second);
    subscription.returned.erase(back);
    return entry;
  }
  entry.sequence = ++subscription.last_sequence;
  entry.message = std::move(subscription.pending.front().message);
  entry.is_volatile = true;
  subscription.pending.pop_front();
  return entry;
}

// --- reading back --------------------------------------------------------------------------------

void Engine::State::request_page(Reader& reader, int priority) {
  Cursor& cursor = reader.cursor(priority);
  if (cursor.page_request != 0 || cursor.damaged) return;
  const Lane& lane = reader.list.lane(priority);
  PageRequest request;
  request.id = ++last_page;
  request.list = reader.list.id;
  request.reader = reader.id;
  request.priority = static_cast<std::uint8_t>(priority);
  request.first = std::max(cursor.next, cursor.page_end);
  request.end = lane.window_begin;
  request.entries_max = kPageEntriesMax;
  const std::uint64_t room =
      limits.window_bytes_max > window_bytes ? limits.window_bytes_max - window_bytes : 0;
  request.bytes_max = std::clamp(room / 4, kPageBytesMin, kPageBytesMax);
  flush_acks();
  request.after = store.submitted();
  cursor.page_request = request.id;
  pages_requested[request.id] = {reader.list.id, reader.id, priority};
  store.read(request);
}

void Engine::State::page_loaded(Page page) {
  const auto asked = pages_requested.find(page.request);
  if (asked == pages_requested.end()) return;
  const PageFor place = asked->second;
  pages_requested.erase(asked);
  const auto list = lists.find(place.list);
  if (list == lists.end()) return;
  for (const auto& reader : list->second->readers) {
    if (reader->id != place.reader) continue;
    Cursor& cursor = reader->cursor(place.priority);
    if (cursor.page_request != page.request) return;
    cursor.page_request = 0;
    const std::uint64_t covered_before = std::max(cursor.next, cursor.page_end);
    for (auto& loaded : page.entries) {
      Entry entry;
      entry.sequence = loaded.sequence;
      entry.message = std::move(loaded.message);
      entry.deliveries = loaded.deliveries;
      window_bytes += entry.message->footprint();
      cursor.page.push_back(std::move(entry));
    }
    cursor.page_end = std::max(cursor.page_end, page.covered_to);
    // A page that brings nothing and gets nowhere would be asked for again for ever.
    cursor.damaged =
        page.error.has_value() || (page.entries.empty() && page.covered_to <= covered_before);
    if (!page.entries.empty() && page.entries.back().sequence >= cursor.touched_to) {
      touch(*reader, place.priority, page.entries.back().sequence);
    }
    mark_ready(*reader);
    return;
  }
}

void Engine::State::drop_pages(Reader& reader) {
  for (auto& cursor : reader.cursors) {
    if (!cursor) continue;
    for (std::size_t i = 0; i < cursor->page.size(); ++i) {
      window_bytes -= cursor->page[i].message->footprint();
    }
    cursor->page.clear();
    cursor->page.shrink();
    cursor->page_end = 0;
    cursor->page_request = 0;  // an answer under way finds itself unwanted
  }
}

/// Frees what every active reader of a topic list has behind it; the others read it from disk.
void Engine::State::trim(MessageList& list) {
  list.trim_listed = false;
  for (std::size_t priority = 0; priority < list.lanes.size(); ++priority) {
    if (!list.lanes[priority]) continue;
    Lane& lane = *list.lanes[priority];
    std::uint64_t behind = kEverything;
    for (const auto& reader : list.readers) {
      if (!reader->active()) continue;
      behind = std::min(behind, reader->cursor(static_cast<int>(priority)).next);
    }
    if (behind == kEverything) continue;
    while (!lane.window.empty() && lane.window.front().sequence < behind) {
      lane.window_begin = lane.window.front().sequence + 1;
      window_removed(list, lane.window.front());
      lane.window.pop_front();
    }
  }
}

}  // namespace pabal::core
