#include <algorithm>
#include <utility>

#include "core/engine_state.h"

// The dispatcher: which message of a reader goes next, to whom, and if none, why not. Everything
// that stops it is a WaitReason, so that an operator can be told.

namespace pabal::core {

// --- what goes next ------------------------------------------------------------------------------

void Engine::State::dispatch(Scan& scan, std::uint32_t& steps) {
  Reader& reader = scan.reader;
  if (!reader.list.is_queue() && reader.active() && !reader.list.trim_listed) {
    reader.list.trim_listed = true;
    lists_to_trim.push_back(reader.list.id);
  }
  if ((reader.exclusive != nullptr || reader.warming_up) && !may_start(scan)) return;
  const Scan* self = &scan;
  scan.yields = false;
  dispatch_waiting(scan, steps);  // which may be its end
  if (reader.somebody_yields) wake_yielding(reader, self);
}

void Engine::State::dispatch_waiting(Scan& scan, std::uint32_t& steps) {
  Reader& reader = scan.reader;
  for (;;) {
    if (steps == 0) {
      mark_ready(scan);
      return;
    }
    --steps;
    if (!scan.active()) return;
    if (!reader.due.empty()) recall_due(reader);
    if (reader.list.paused) {
      scan.waiting = WaitReason::paused;
      return;
    }
    const auto candidate = next_entry(scan, steps);
    if (!candidate) {
      if (!scan.is_shared() && scan.waiting == WaitReason::empty) caught_up(*scan.member);
      return;
    }
    if (candidate->is_read_back() && !may_read_back(scan, *candidate->entry->message)) return;
    // Before its time is looked at: what was never wanted leaves no dead letter.
    if (!reader.list.is_queue() && !wants(reader, *candidate->entry->message)) {
      skip_refused(scan, *candidate);
      continue;
    }
    if (reader.has_foreign && is_foreign(reader, *candidate)) {
      take(scan, *candidate);
      continue;
    }
    if (!reader.list.is_queue() && skip_expired(scan, *candidate)) continue;
    if (candidate->entry->message->expired(now)) {
      if (!take_expired(scan, *candidate)) return;
      continue;
    }
    Receiver receiver;
    switch (turn_of(scan, *candidate, receiver)) {
      case Turn::take:
        break;
      case Turn::pass:
        pass(scan, *candidate);
        continue;
      case Turn::stop:
        return;
    }
    Entry entry = take(scan, *candidate);
    if (!reader.list.is_queue() && is_local(*receiver.consumer, *entry.message)) {
      if (!entry.is_volatile) held_bytes += entry.message->footprint();  // as if delivered
      release(reader, candidate->priority, entry, nullptr);
      continue;
    }
    if (receiver.member != nullptr) join_group(reader, *receiver.member, entry);
    scan.waiting = WaitReason::working;
    ++reader.in_flight;
    if (!entry.is_volatile) reader.list.stored_out_bytes += entry.message->footprint();
    deliver(*receiver.consumer, &reader, candidate->priority, std::move(entry));
  }
}

/// Counts against what may come from pages in one entry; if that is used up, the scan has its turn
/// in the next. Who reads a backlog has always work to do, and what is new must not wait for it.
bool Engine::State::may_read_back(Scan& scan, const Message& message) {
  if (read_back_left > 0) {
    read_back_left -= std::min(read_back_left, message.footprint());
    return true;
  }
  scan.waiting = WaitReason::working;
  if (!std::exchange(scan.ready, true)) reading_later.push_back(&scan);
  return false;
}

/// What becomes of the candidate, which may leave, and who gets it. With `stop`, the scan may have
/// gone.
Engine::State::Turn Engine::State::turn_of(Scan& scan, const Candidate& candidate,
                                           Receiver& receiver) {
  Reader& reader = scan.reader;
  if (reader.list.is_queue()) {
    if (reader.groups != nullptr) {
      const Turn turn = group_turn(scan, candidate, receiver.member);
      if (receiver.member != nullptr) receiver.consumer = receiver.member->subscription;
      return turn;
    }
    if (!candidate.entry->message->group_id().empty()) {
      begin_groups(reader);
      return Turn::stop;
    }
    const bool selected = candidate.selected ? *candidate.selected : scan.selects(*candidate.entry);
    if (!selected) return Turn::pass;
  }
  receiver.consumer = pick_consumer(scan);
  if (receiver.consumer == nullptr) {
    list_for_wake(scan);
    return Turn::stop;
  }
  return yields_to_higher(scan, *receiver.consumer, candidate) ? Turn::stop : Turn::take;
}

/// An expired message leaves for the dead letters; false: there is no room for more, the scan
/// waits.
bool Engine::State::take_expired(Scan& scan, const Candidate& candidate) {
  Reader& reader = scan.reader;
  if (expired_waiting.size() >= kExpiredWaitingMax) {
    scan.waiting = WaitReason::no_room_for_dead_letter;
    if (!std::exchange(scan.awaits_room, true)) awaiting_room.push_back(&scan);
    return false;
  }
  Entry entry = take(scan, candidate);
  if (!entry.is_volatile) held_bytes += entry.message->footprint();  // as if delivered
  if (!expire(reader, candidate.priority, entry)) {
    expired_waiting.push_back({reader.list.id, reader.id, candidate.priority, std::move(entry)});
  }
  return true;
}

/// A durable subscription's selector does not want it.
void Engine::State::skip_refused(Scan& scan, const Candidate& candidate) {
  Reader& reader = scan.reader;
  Entry entry = take(scan, candidate);
  // Refused when it came: it was never counted, and its acknowledgement is on its way.
  if (entry.sequence >= reader.lane(candidate.priority).filtered_from) return;
  if (!entry.is_volatile) held_bytes += entry.message->footprint();  // as if delivered
  release(reader, candidate.priority, entry, nullptr);
}

/// A message that is not persistent, and came while the reader had no consumer.
bool Engine::State::is_foreign(Reader& reader, const Candidate& candidate) {
  return candidate.from == Candidate::From::volatile_ring &&
         candidate.entry->sequence < reader.lane(candidate.priority).volatile_from;
}

bool Engine::State::is_local(const Subscription& consumer, const Message& message) {
  if (!consumer.interest().no_local) return false;
  const Connection& connection = consumer.connection;
  return message.origin() == connection.origin ||
         (connection.session != nullptr && connection.session->has_origin(message.origin()));
}

std::optional<Engine::State::Candidate> Engine::State::next_entry(Scan& scan,
                                                                  std::uint32_t& steps) {
  const Reader& reader = scan.reader;
  WaitReason why = WaitReason::empty;
  for (int priority = kPriorities - 1; priority >= 0; --priority) {
    if (!reader.returned.empty()) {
      if (auto candidate = next_returned(scan, priority, steps)) return candidate;
    }
    if (!reader.list.lanes[static_cast<std::size_t>(priority)]) continue;
    LaneWait wait;
    if (auto candidate = next_in_lane(scan, priority, wait)) return candidate;
    if (wait.why == WaitReason::empty) continue;
    why = wait.why;
    // What is on its way from disk, or waits for its mark, must not be overtaken by a lower
    // priority; what is not visible yet may.
    if (wait.holds_lower) break;
  }
  // Who is behind and finds nothing has caught up, whatever else there is.
  if (why == WaitReason::empty && scan.is_shared()) {
    if (scan.filters() && reader.depth > reader.in_flight + reader.delayed.size()) {
      why = scan.selector != nullptr ? WaitReason::refused : WaitReason::group_owned;
    }
    if (why == WaitReason::empty && !reader.delayed.empty()) why = WaitReason::delayed;
  }
  scan.waiting = why;
  if (why == WaitReason::waiting_for_sync && !scan.awaits_durable) {
    scan.awaits_durable = true;
    awaiting_durable.push_back(&scan);
  }
  return std::nullopt;
}

/// The first of what came back that the scan wants.
std::optional<Engine::State::Candidate> Engine::State::next_returned(Scan& scan, int priority,
                                                                     std::uint32_t& steps) {
  auto& returned = scan.reader.returned;
  const int place = 9 - priority;
  const bool takes_all = scan.is_front();  // a durable subscription wanted it before
  // Not simply the first: what a higher priority has may be invisible.
  auto at = returned.lower_bound({place, takes_all ? 0 : scan.cursor(priority).returned_from});
  for (; at != returned.end() && at->first.first == place; ++at) {
    if (const Ticket after = at->second.visible_after;
        after != kNoTicket && after > std::max(durable, store.durable())) {
      // An XA branch has let it go, and that is not durable: it still holds it after a crash.
      if (!std::exchange(scan.awaits_durable, true)) awaiting_durable.push_back(&scan);
      break;
    }
    // With groups, whether it is passed is more than a question of taste: group_turn().
    if (takes_all || scan.reader.groups != nullptr || scan.wants(at->second)) {
      return Candidate{&at->second, priority, Candidate::From::returned, 0};
    }
    scan.cursor(priority).returned_from = at->first.second + 1;
    if (steps > 0) --steps;  // a search that is long counts, but it is not left half-way
  }
  return std::nullopt;
}

std::optional<Engine::State::Candidate> Engine::State::next_in_lane(Scan& scan, int priority,
                                                                    LaneWait& wait) {
  Lane& lane = scan.reader.list.lane(priority);
  Cursor& cursor = scan.cursor(priority);
  drop_gone(scan, priority, cursor);
  // Who is behind looks no farther than where the shared scan stands.
  const std::uint64_t end = scan.is_shared()
                                ? kEverything
                                : scan.member->shared->position(static_cast<std::size_t>(priority));
  if (cursor.next >= end) return std::nullopt;

  // Below `known`, everything that waits is in memory; the page may reach up to the window.
  std::uint64_t known = kEverything;
  if (cursor.next < lane.window_begin) {
    known = std::max(cursor.next, cursor.page_end);
    if (known >= lane.window_begin) known = kEverything;
  }
  const bool window_is_near = known == kEverything;
  if (lane.spilled) known = std::min(known, known_spilled(scan, priority));

  std::optional<Candidate> best;
  const auto consider = [&](Entry& entry, Candidate::From from, std::size_t position) {
    if (entry.sequence >= known) return;
    if (best && best->entry->sequence < entry.sequence) return;
    best = Candidate{&entry, priority, from, position};
  };
  const auto consider_first = [&](Ring<Entry>& ring, Candidate::From from, std::uint64_t begin) {
    // Nothing below a queue's front cursor is left, so its first entry is the one.
    const bool first = scan.is_front() && scan.reader.list.is_queue();
    auto at = first ? 0 : lower_bound_sequence(ring, begin);
    while (at < ring.size() && !ring[at].message) ++at;
    if (at < ring.size()) consider(ring[at], from, at);
  };
  if (!cursor.page.empty()) consider(cursor.page.front(), Candidate::From::page, 0);
  if (cursor.spilled && !cursor.spilled->page.empty()) {
    consider(cursor.spilled->page.front(), Candidate::From::spilled_page, 0);
  }
  if (window_is_near) consider_first(lane.window, Candidate::From::window, cursor.next);
  consider_first(lane.volatile_entries, Candidate::From::volatile_ring,
                 std::max(cursor.next, lane.ring_begin));

  if (!scan.is_shared() && (best ? best->entry->sequence : known) >= end) return std::nullopt;
  // Read ahead: the next page is on its way as soon as this one is delivered.
  if (!window_is_near && cursor.page.size() < kPageEntriesMax) {
    request_page(scan, priority);
  }
  if (!best) {
    if (known != kEverything) {
      const bool damaged = cursor.damaged || (cursor.spilled && cursor.spilled->damaged);
      const bool asked =
          cursor.page_request != 0 || (cursor.spilled && cursor.spilled->page_request != 0);
      if (!asked && !damaged) await_page(scan);
      wait.why = damaged ? WaitReason::damaged : WaitReason::reading_from_disk;
      wait.holds_lower = !damaged;
    }
    return std::nullopt;
  }
  // What nobody here wants needs no mark.
  bool refused = false;
  if (!scan.reader.list.is_queue()) {
    refused = !wants(scan.reader, *best->entry->message);
  } else if (scan.reader.groups != nullptr) {
    refused = !scan.wants(*best->entry);
  } else if (scan.selector != nullptr) {
    best->selected = scan.selects(*best->entry);
    refused = !*best->selected;
  }
  if (refused) return best;
  if (!may_leave(scan.reader, priority, *best->entry, wait)) return std::nullopt;
  return best;
}

/// Moves the cursor past what the front scan has taken, and its page past what others have.
void Engine::State::drop_gone(Scan& scan, int priority, Cursor& cursor) {
  if (!scan.is_front()) {
    const auto& front = scan.reader.front.cursors[static_cast<std::size_t>(priority)];
    if (front) cursor.next = std::max(cursor.next, front->next);
  }
  const auto drop = [&](Pages& pages) {
    while (!pages.page.empty()) {
      const Entry& first = pages.page.front();
      if (first.message && first.sequence >= cursor.next) return;
      drop_page_front(pages);
    }
  };
  drop(cursor);
  if (cursor.spilled) drop(*cursor.spilled);
}

/// The two things that hold a message back until the store has synced: it was sent in a transaction
/// that is not durable, or its block is not yet logged as touched, so that a crash would hand it
/// out a second time without the mark.
bool Engine::State::may_leave(Reader& reader, int priority, const Entry& entry, LaneWait& wait) {
  wait.why = WaitReason::waiting_for_sync;
  const Ticket synced = std::max(durable, store.durable());
  if (entry.visible_after > synced) return false;
  wait.holds_lower = true;
  if (entry.is_volatile) return true;
  ReaderLane& lane = reader.lane(priority);
  // What is behind is touched ahead, the farther the more there is, up to what consumers take while
  // the store syncs twice: with less, syncs would set the pace, and who had once fallen behind
  // would never catch up with a producer.
  const bool backlog = reader.depth > reader.in_flight + kTouchBlock / 2;
  const std::uint64_t ahead =
      backlog ? std::min(reader.depth - reader.in_flight, kTouchAheadMax) : std::uint64_t{0};
  if (entry.sequence + ahead / 2 >= lane.touched_to) {
    touch(reader, priority, std::max(entry.sequence + ahead, lane.touched_to));
  }
  while (!lane.touches.empty() && lane.touches.front().ticket <= synced) {
    lane.touches.pop_front();
  }
  for (std::size_t i = 0; i < lane.touches.size(); ++i) {
    const auto& touch = lane.touches[i];
    if (entry.sequence >= touch.end) continue;
    // Logged before the message itself: whoever finds the message after a crash finds the mark.
    return entry.stored > touch.ticket || touch.ticket <= store.durable();
  }
  return true;
}

void Engine::State::touch(Reader& reader, int priority, std::uint64_t up_to) {
  ReaderLane& lane = reader.lane(priority);
  lane.touched_to = (up_to / kTouchBlock + 1) * kTouchBlock;
  StoreOp operation;
  operation.kind = StoreOpKind::touch;
  operation.priority = static_cast<std::uint8_t>(priority);
  operation.list = reader.list.id;
  operation.reader = reader.id;
  operation.last = lane.touched_to;
  flush_acks();
  const Touch made{lane.touched_to, store.append({&operation, 1})};
  lane.touches.push_back(made);
  if (reader.list.is_queue()) return;
  // The mark is the lane's: the other readers of a topic list need none of their own.
  for (const auto& other : reader.list.readers) {
    if (other.get() == &reader || !other->active()) continue;
    ReaderLane& also = other->lane(priority);
    if (also.touched_to >= made.end) continue;
    also.touched_to = made.end;
    also.touches.push_back(made);
  }
}

void Engine::State::pass(Scan& scan, const Candidate& candidate) {
  const std::uint64_t sequence = candidate.entry->sequence;
  Cursor& cursor = scan.cursor(candidate.priority);
  if (candidate.from == Candidate::From::returned) {
    cursor.returned_from = sequence + 1;
    return;
  }
  if (candidate.from == Candidate::From::page) drop_page_front(cursor);
  if (candidate.from == Candidate::From::spilled_page) drop_page_front(*cursor.spilled);
  cursor.next = sequence + 1;
}

Entry Engine::State::take(Scan& scan, const Candidate& candidate) {
  MessageList& list = scan.reader.list;
  Entry entry;
  if (candidate.from == Candidate::From::returned) {
    auto& returned = scan.reader.returned;
    const auto at = returned.find({9 - candidate.priority, candidate.entry->sequence});
    entry = std::move(at->second);
    returned.erase(at);
    if (!entry.is_volatile) held_bytes -= entry.message->footprint();
    if (!errands.empty()) errands_due = true;  // more may come back
    return entry;
  }
  Lane& lane = list.lane(candidate.priority);
  Cursor& cursor = scan.cursor(candidate.priority);
  const auto take_from = [&](Ring<Entry>& ring, std::size_t& gaps) {
    if (!list.is_queue()) return ring[candidate.position];
    if (candidate.position == 0) return take_front(ring, gaps);
    Entry taken = ring[candidate.position];
    leave_gap(ring, gaps, candidate.position);
    return taken;
  };
  switch (candidate.from) {
    case Candidate::From::page:
      entry = std::move(cursor.page.front());
      cursor.page.pop_front();
      page_removed(*entry.message);
      break;
    case Candidate::From::window:
      entry = take_from(lane.window, lane.window_gaps);
      if (list.is_queue()) window_removed(list, entry);
      break;
    case Candidate::From::volatile_ring:
      entry = take_from(lane.volatile_entries, lane.volatile_gaps);
      break;
    case Candidate::From::spilled_page:
      entry = take_spilled(scan, candidate.priority);
      break;
    case Candidate::From::returned:
      PABAL_UNREACHABLE();
  }
  cursor.next = entry.sequence + 1;
  if (!scan.reader.selective.empty()) took_ahead(scan, candidate.priority, entry);
  if (!entry.is_volatile) {
    const ReaderLane& known = scan.reader.lane(candidate.priority);
    entry.maybe_delivered = entry.maybe_delivered || entry.sequence < known.recovered_touched_to;
  }
  return entry;
}

/// A scan of several has taken a stored message of a queue: no other may find it.
void Engine::State::took_ahead(Scan& scan, int priority, const Entry& entry) {
  Reader& reader = scan.reader;
  // The only scan, with message groups of which nobody is behind: it has passed nothing.
  const bool only = reader.groups != nullptr && reader.selective.size() == 1 &&
                    scan.selector == nullptr && reader.groups->free == 0;
  if (only) reader.front.cursor(priority).next = entry.sequence + 1;
  if (entry.is_volatile) return;
  ReaderLane& lane = reader.lane(priority);
  if (scan.is_front() || only) {
    auto& ahead = lane.taken_ahead;
    if (!ahead.empty()) ahead.erase(ahead.begin(), ahead.upper_bound(entry.sequence));
    return;  // the others keep above it
  }
  lane.taken_ahead.insert(entry.sequence);
  scan.reader.for_each_scan([&](Scan& other) {
    const auto& cursor = other.cursors[static_cast<std::size_t>(priority)];
    if (&other == &scan || !cursor) return;
    const auto at = lower_bound_sequence(cursor->page, entry.sequence);
    if (at == cursor->page.size() || cursor->page[at].sequence != entry.sequence) return;
    if (!cursor->page[at].message) return;
    page_removed(*cursor->page[at].message);
    cursor->page[at].message.reset();
  });
}

/// It is acknowledged. A page that was asked for before may still bring it.
void Engine::State::forget_ahead(Reader& reader, int priority, std::uint64_t sequence) {
  for (auto* walk : reader.walks) walk->forget(priority, sequence);
  const auto& lane = reader.lanes[static_cast<std::size_t>(priority)];
  if (!lane || lane->taken_ahead.erase(sequence) == 0) return;
  lane->acked_ahead = std::max(lane->acked_ahead, sequence + 1);
  reader.for_each_scan([&](Scan& scan) {
    const auto& cursor = scan.cursors[static_cast<std::size_t>(priority)];
    if (cursor && cursor->page_request != 0) cursor->gone.push_back(sequence);
  });
  if (!expiry_pages.empty()) gone_while_expiring(reader, priority, sequence, false);
}

// --- to whom -------------------------------------------------------------------------------------

bool Engine::State::has_socket_room(Connection& connection) {
  if (connection.unwritten_bytes < limits.unwritten_bytes_max) return true;
  connection.socket_was_full = true;
  return false;
}

bool Engine::State::has_room(Subscription& subscription) {
  // What its topics retain comes first.
  return subscription.replay == nullptr && connection_takes(subscription);
}

bool Engine::State::connection_takes(Subscription& subscription) {
  Connection& connection = subscription.connection;
  if (connection.going_first != 0 && !subscription.goes_first) return false;
  if (!has_socket_room(connection)) return false;
  const std::uint32_t most = connection.options.in_flight_max;
  if (most == 0 || subscription.automatic()) return true;
  if (connection.explicit_out < most) {
    // Not before those that wait.
    if (connection.awaiting_flight.empty() || subscription.flight_turn) return true;
    list_flight(connection);
  }
  if (!std::exchange(subscription.awaits_flight, true)) {
    connection.awaiting_flight.push_back(subscription.id);
  }
  return false;
}

/// Connections below their in_flight_max again: as many of those that wait as there is room for are
/// woken, the one that waits longest first. Who takes more goes to the end; who has nothing any
/// more leaves its room to the next, because this is called again when all others have run.
void Engine::State::wake_in_flight(std::uint32_t& steps) {
  auto* connection = connections.find(flight_returned.front());
  flight_returned.pop_front();
  --steps;
  if (connection == nullptr) return;
  connection->flight_listed = false;
  const std::uint64_t most = connection->options.in_flight_max;
  auto& waiting = connection->awaiting_flight;
  for (auto room = most - std::min(most, connection->explicit_out); room > 0 && !waiting.empty();) {
    auto* subscription = subscriptions.find(waiting.front());
    waiting.pop_front();
    if (subscription == nullptr) continue;
    subscription->awaits_flight = false;
    subscription->flight_turn = true;
    credit_returned(*subscription);
    --room;
  }
  if (!waiting.empty() && connection->explicit_out < most) list_flight(*connection);
}

void Engine::State::list_flight(Connection& connection) {
  if (std::exchange(connection.flight_listed, true)) return;
  flight_returned.push_back(connection.id);
}

/// Round robin among those with the highest priority that have credit and room in the socket.
Subscription* Engine::State::pick_consumer(Scan& scan) {
  if (scan.reader.exclusive != nullptr) return pick_exclusive(scan);
  auto& consumers = scan.consumers;
  Subscription* best = nullptr;
  std::size_t best_at = 0;
  scan.waiting = WaitReason::no_credit;
  for (std::size_t i = 0; i < consumers.size(); ++i) {
    const std::size_t at = (scan.next_consumer + i) % consumers.size();
    Subscription* consumer = consumers[at].subscription;
    if (!consumer->has_credit()) continue;
    if (!has_room(*consumer)) {
      if (!has_socket_room(consumer->connection)) scan.waiting = WaitReason::socket_full;
      continue;
    }
    if (best != nullptr && consumers[at].rank <= consumers[best_at].rank) continue;
    best = consumer;
    best_at = at;
    // Consumers stand in descending priority: none after the first is better than it.
    if (consumers[at].rank == consumers.front().rank) break;
  }
  if (best != nullptr && !scan.reader.strict_order) {
    scan.next_consumer = (best_at + 1) % consumers.size();
  }
  return best;
}

/// The reader's exclusive consumer, which is one of the scan's, if it takes more.
Subscription* Engine::State::pick_exclusive(Scan& scan) {
  Subscription* consumer = scan.reader.exclusive;
  if (takes_more(*consumer)) return consumer;
  scan.waiting = WaitReason::exclusive_owned;
  return nullptr;
}

/// Leaves word with each consumer to wake the scan when it has credit or room again.
void Engine::State::list_for_wake(Scan& scan) {
  const bool tells_slow = hears(AdvisoryTopic::slow_consumer);
  for (auto& link : scan.consumers) {
    if (tells_slow && scan.reader.list.is_queue()) {
      const Reader& reader = scan.reader;
      advise_slow(*link.subscription, reader.list.destination, *reader.list.policy,
                  reader.depth - std::min(reader.depth, reader.in_flight));
    }
    if (link.wake_listed) continue;
    link.wake_listed = true;
    link.subscription->blocked.push_back(&scan);
  }
  list_as_blocked(scan);
}

bool Engine::State::may_deliver_soon(SubscriptionId id) {
  const auto* subscription = subscriptions.find(id);
  if (subscription == nullptr) return false;
  if (subscription->ready || subscription->has_waiting()) return true;
  return std::any_of(subscription->scans.begin(), subscription->scans.end(), [](const Scan* scan) {
    return scan->ready || scan->waiting == WaitReason::working ||
           scan->waiting == WaitReason::reading_from_disk ||
           scan->waiting == WaitReason::waiting_for_sync;
  });
}

void Engine::State::wake_blocked(Subscription& subscription) {
  for (auto* scan : subscription.blocked) {
    for (auto& link : scan->consumers) {
      if (link.subscription == &subscription) link.wake_listed = false;
    }
    mark_ready(*scan);
  }
  subscription.blocked.clear();
}

void Engine::State::deliver(Subscription& subscription, Reader* reader, int priority, Entry entry,
                            std::shared_ptr<const Destination> destination) {
  Connection& connection = subscription.connection;
  const std::uint64_t bytes = entry.message->footprint();
  const bool direct = reader == nullptr;
  if (subscription.out >= subscription.options.prefetch && subscription.granted > 0) {
    --subscription.granted;
  }
  if (subscription.out++ == 0) subscription.last_progress = now;
  const DeliveryId id{++subscription.last_delivery};
  const std::uint64_t number = ++connection.last_number;
  connection.unwritten_bytes += bytes;

  const bool automatic = subscription.is_automatic_for(*entry.message);
  // An automatic delivery of a topic message without a list has nothing to come back to; unless
  // somebody wants to know that it was consumed.
  const bool untracked =
      direct && automatic &&
      !(hears(AdvisoryTopic::consumed) && subscription.policy->advisories.consumed);
  auto& unwritten = connection.unwritten;
  if (!unwritten.empty() && unwritten.back().subscription == &subscription &&
      unwritten.back().last_id + 1 == raw(id) && unwritten.back().last_number + 1 == number &&
      unwritten.back().untracked == untracked) {
    auto& range = unwritten.back();
    range.last_number = number;
    range.last_id = raw(id);
    ++range.count;
    range.bytes += bytes;
  } else {
    unwritten.push_back({&subscription, number, raw(id), 1, bytes, untracked});
  }

  Delivery delivery;
  delivery.connection = connection.id;
  delivery.subscription = subscription.id;
  delivery.tag = subscription.options.tag;
  delivery.number = number;
  delivery.id = id;
  delivery.message = entry.message;
  delivery.destination = direct ? destination : delivery_place(reader->list, *entry.message);
  delivery.deliveries = entry.deliveries;
  delivery.redelivered = entry.deliveries > 0 || entry.maybe_delivered;
  delivery.first_of_group = entry.first_of_group;
  delivery.retained = entry.retained;
  delivery.refused =
      entry.refusals > 0 || (entry.deliveries > 0 && policy_of(reader, *entry.message)->redelivery);
  outbox_of(connection).deliveries.push_back(std::move(delivery));

  const bool again = entry.deliveries > 0 || entry.maybe_delivered;
  if (!subscription.options.browser) {
    ++totals.dispatched;
    if (again) ++totals.redelivered;
  }
  if (!direct) {
    ++reader->list.counters.dispatched;
    if (again) ++reader->list.counters.redelivered;
  }
  if (untracked) return;
  if (!entry.is_volatile || direct) held_bytes += bytes;
  if (!automatic) {
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
  in_flight.destination = std::move(destination);
  in_flight.entry = std::move(entry);
  in_flight.priority = static_cast<std::uint8_t>(priority);
  in_flight.automatic = automatic;
  subscription.flight_turn = false;
  if (entry.retained) ++subscription.retained_out;
  in_flight.since = static_cast<std::uint32_t>(to_millis(now) / 1000);
  subscription.in_flight.push_back(std::move(in_flight));
}

// --- topic subscriptions without a list ----------------------------------------------------------

void Engine::State::offer_topic_message(Subscription& subscription, const MessageRef& message,
                                        Ticket visible_after,
                                        const std::shared_ptr<const Destination>& destination) {
  if (is_local(subscription, *message)) return;
  // What has expired goes through `pending`, where it is counted.
  const bool at_once =
      !message->expired(now) &&
      (visible_after == kNoTicket || visible_after <= std::max(durable, store.durable()));
  if (at_once && !subscription.has_waiting() && subscription.has_credit() &&
      has_room(subscription)) {
    Entry entry;
    entry.sequence = ++subscription.last_sequence;
    entry.message = message;
    entry.is_volatile = true;
    deliver(subscription, nullptr, message->priority(), std::move(entry), destination);
    return;
  }
  subscription.pending_bytes += message->footprint();
  held_bytes += message->footprint();
  subscription.pending.push_back({message, visible_after, destination});
  if (hears(AdvisoryTopic::slow_consumer)) {
    advise_slow(subscription, destination ? *destination : message->destination(),
                *subscription.policy, subscription.pending.size());
  }
  if (!at_once) mark_ready(subscription);
}

void Engine::State::deliver_pending(Subscription& subscription, std::uint32_t& steps) {
  if (subscription.walk) return browse(subscription, steps);
  if (!subscription.options.shared_group.empty() && !deliver_pinned(subscription, steps)) return;
  if (subscription.replay && !replay_retained(subscription, steps)) return;
  while (subscription.has_waiting() && subscription.has_credit() && has_room(subscription)) {
    if (subscription.returned.empty() && !first_pending_is_visible(subscription)) return;
    if (steps == 0) {
      mark_ready(subscription);
      return;
    }
    --steps;
    auto [entry, destination] = take_waiting(subscription);
    subscription.pending_bytes -= entry.message->footprint();
    unhold(*entry.message);
    if (entry.message->expired(now)) {
      ++totals.expired;
      if (hears(AdvisoryTopic::expired)) {
        advise_message(AdvisoryKind::message_expired,
                       destination ? *destination : entry.message->destination(), *entry.message,
                       *subscription.policy);
      }
      continue;
    }
    const int priority = entry.message->priority();
    deliver(subscription, nullptr, priority, std::move(entry), std::move(destination));
  }
  subscription.pending.shrink();
  if (subscription.has_waiting()) return;
  subscription.told_slow = false;
  if (subscription.hears != 0) caught_up_with_advisories(subscription);
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

ReturnedMessage Engine::State::take_waiting(Subscription& subscription) {
  ReturnedMessage taken;
  if (const auto back = subscription.returned.begin(); back != subscription.returned.end()) {
    taken = std::move(back->second);
    subscription.returned.erase(back);
    return taken;
  }
  taken.entry.sequence = ++subscription.last_sequence;
  taken.entry.message = std::move(subscription.pending.front().message);
  taken.entry.is_volatile = true;
  taken.destination = std::move(subscription.pending.front().destination);
  subscription.pending.pop_front();
  return taken;
}

// --- what is behind everybody
// ----------------------------------------------------------------------

/// Frees what every active reader of a topic list has behind it; the others read it from disk.
void Engine::State::trim(MessageList& list) {
  list.trim_listed = false;
  for (std::size_t priority = 0; priority < list.lanes.size(); ++priority) {
    if (!list.lanes[priority]) continue;
    Lane& lane = *list.lanes[priority];
    std::uint64_t behind = kEverything;
    for (const auto& reader : list.readers) {
      if (!reader->active()) continue;
      behind = std::min(behind, reader->front.cursor(static_cast<int>(priority)).next);
    }
    if (behind == kEverything) continue;
    while (!lane.window.empty() && lane.window.front().sequence < behind) {
      const Entry entry = take_front(lane.window, lane.window_gaps);
      MessageList::leave_window(lane, entry);
      window_removed(list, entry);
    }
  }
}

}  // namespace pabal::core
