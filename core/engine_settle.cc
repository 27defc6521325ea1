#include <algorithm>
#include <charconv>
#include <tuple>
#include <utility>

#include "core/engine_state.h"

// What becomes of a delivery: acknowledged, returned, expired.

namespace pabal::core {
namespace {

/// Position of the first delivery whose id is not below `id`.
std::size_t position_of(const Ring<InFlight>& in_flight, std::uint64_t id) noexcept {
  std::size_t low = 0;
  std::size_t high = in_flight.size();
  if (high != 0 && raw(in_flight.front().id) >= id) return 0;  // the common case
  while (low < high) {
    const std::size_t middle = (low + high) / 2;
    if (raw(in_flight[middle].id) < id) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

/// A message may be so much larger when it is passed on: by another destination, or a property.
constexpr std::uint64_t kPassedOnBytes = 256;

}  // namespace

// --- acknowledging -------------------------------------------------------------------------------

std::optional<DeliveryPlace> Engine::State::stands_at(SubscriptionId id, DeliveryId delivery_id) {
  auto* subscription = subscriptions.find(id);
  if (subscription == nullptr) return std::nullopt;
  const auto& in_flight = subscription->in_flight;
  const auto at = position_of(in_flight, raw(delivery_id));
  if (at >= in_flight.size() || in_flight[at].id != delivery_id) return std::nullopt;
  const InFlight& delivery = in_flight[at];
  if (delivery.reader == nullptr) return DeliveryPlace{};
  return DeliveryPlace{delivery.reader->list.id, delivery.reader->id, delivery.priority,
                       delivery.entry.sequence};
}

bool Engine::State::holds(SubscriptionId id, DeliveryId delivery_id) const {
  const auto* subscription = subscriptions.find(id);
  if (subscription == nullptr) return false;
  const auto& in_flight = subscription->in_flight;
  const auto at = position_of(in_flight, raw(delivery_id));
  return at < in_flight.size() && in_flight[at].id == delivery_id &&
         in_flight[at].state != InFlight::State::settled;
}

Outcome Engine::State::acknowledge(SubscriptionId id, DeliveryRange range, AckKind kind,
                                   std::string_view cause, std::optional<TransactionId> transaction,
                                   const SessionChanges* changes) {
  auto* subscription = subscriptions.find(id);
  if (subscription == nullptr) return Outcome::failure({Errc::not_found, "no such subscription"});
  Transaction* within = nullptr;
  if (transaction) {
    within = transactions.find(*transaction);
    if (within == nullptr || !works_for(subscription->connection, *within)) {
      return Outcome::failure({Errc::not_found, "no such transaction"});
    }
  }
  if (subscription->options.browser && kind != AckKind::consumed) {
    return Outcome::failure({Errc::not_supported, "a browser has copies: it can refuse nothing"},
                            store.submitted());
  }
  // What can refuse it comes first: all of the range is settled, or nothing.
  if (auto may = check_acknowledge(*subscription, range, kind, cause, within); !may) {
    return Outcome::failure(may.error(), store.submitted());
  }
  Session* session = changes != nullptr ? subscription->connection.session : nullptr;
  if (changes != nullptr && session == nullptr) {
    return Outcome::failure({Errc::invalid_argument, "the connection has no session"},
                            store.submitted());
  }
  if (session != nullptr) {
    if (auto may = check_changes(*session, *changes); !may) {
      return Outcome::failure(may.error(), store.submitted());
    }
  }
  // In one batch, if there is more to it than acknowledgements.
  Batch together;
  Batch* batch = session != nullptr || subscription->pinned > 0 ? &together : nullptr;
  auto& in_flight = subscription->in_flight;
  for (auto at = position_of(in_flight, raw(range.first));
       at < in_flight.size() && in_flight[at].id <= range.last; ++at) {
    InFlight& delivery = in_flight[at];
    if (delivery.state != InFlight::State::out) continue;
    if (delivery.pinned && within == nullptr) {
      unpin(*subscription, delivery, together.operations);
    }
    if (within != nullptr) {
      delivery.state = InFlight::State::in_transaction;
      delivery.transaction = within->id;
      within->acks.push_back({id, delivery.id, kind, std::string(cause)});
      if (kind == AckKind::consumed) note_freed(*within, delivery);
      --subscription->out;  // credit returns now, or a transaction larger than it could not end
    } else {
      const auto settled = settle(*subscription, delivery, kind, cause, batch, true);
      PABAL_CHECK(settled, "admitted before");
    }
  }
  forget_settled(*subscription);
  credit_returned(*subscription);
  if (within != nullptr) return Outcome{};
  if (session != nullptr) apply_changes(*session, *changes, together.operations);
  if (batch != nullptr) {
    const Ticket ticket = append_all(together.operations);
    place(together, ticket, ticket);
  }
  flush_acks();
  return Outcome{Disposition::done, store.submitted(), std::nullopt};
}

/// What the transaction acknowledges leaves the store when it is committed: so much of what it
/// sends needs no room, and waits for none. Or whoever passes on what fills a store would wait for
/// himself.
void Engine::State::note_freed(Transaction& transaction, const InFlight& delivery) {
  const Reader* reader = delivery.reader;
  if (reader == nullptr || !reader->list.is_queue() || delivery.entry.is_volatile) return;
  transaction.freed_bytes += delivery.entry.message->flat().size() + kPassedOnBytes;
  if (transaction.parked_sends > 0) room_was_made();
}

/// Whether all of the range can be settled. Room for its dead letters is set aside, unless it is
/// for a transaction, which asks when it commits.
Result<void> Engine::State::check_acknowledge(const Subscription& subscription, DeliveryRange range,
                                              AckKind kind, std::string_view cause,
                                              const Transaction* within) {
  const bool may_die = within == nullptr && kind != AckKind::consumed;
  const auto& in_flight = subscription.in_flight;
  std::uint64_t count = 0;
  std::uint64_t admitted = 0;
  for (auto at = position_of(in_flight, raw(range.first));
       at < in_flight.size() && in_flight[at].id <= range.last; ++at) {
    const InFlight& delivery = in_flight[at];
    if (delivery.state != InFlight::State::out) continue;
    ++count;
    if (!may_die || fate_of(delivery.reader, delivery.entry, kind) != Fate::dead) continue;
    const auto room = admit_dead_letter(delivery.reader, *delivery.entry.message,
                                        dead_letter_cause(kind, cause), kind == AckKind::expired);
    if (!room) {
      if (admitted > 0) store.release(admitted);
      return room.error();
    }
    admitted += *room;
  }
  if (count == 0) return Error{Errc::not_found, "nothing to acknowledge"};
  if (within != nullptr &&
      within->sends.size() + within->acks.size() + count > limits.transaction_operations_max) {
    return Error{Errc::quota_exceeded, "transaction_operations_max reached"};
  }
  return {};
}

void Engine::State::auto_acknowledge(Subscription& subscription, std::uint64_t first,
                                     std::uint64_t last) {
  auto& in_flight = subscription.in_flight;
  for (auto at = position_of(in_flight, first);
       at < in_flight.size() && raw(in_flight[at].id) <= last; ++at) {
    if (in_flight[at].state != InFlight::State::out || !in_flight[at].automatic) continue;
    (void)settle(subscription, in_flight[at], AckKind::consumed, {}, nullptr);
  }
  forget_settled(subscription);
  credit_returned(subscription);
}

Result<void> Engine::State::settle(Subscription& subscription, InFlight& delivery, AckKind kind,
                                   std::string_view cause, Batch* batch, bool admitted) {
  Reader* reader = delivery.reader;
  switch (kind == AckKind::consumed ? Fate::done : fate_of(reader, delivery.entry, kind)) {
    case Fate::done:
      if (kind == AckKind::consumed && hears(AdvisoryTopic::consumed) &&
          !subscription.options.browser) {
        const Message& message = *delivery.entry.message;
        const Address at = delivery.destination && reader == nullptr
                               ? Address{delivery.destination->kind, delivery.destination->name}
                               : where_it_stands(reader, message);
        advise_message(AdvisoryKind::message_consumed, {*at.kind, std::string(at.name)}, message,
                       *policy_of(reader, message), &subscription);
      }
      if (reader != nullptr) {
        release(*reader, delivery.priority, delivery.entry, batch, delivery.automatic);
      } else {
        unhold(*delivery.entry.message);
      }
      break;
    case Fate::dead: {
      const bool expired = kind == AckKind::expired;
      const auto reason = dead_letter_cause(kind, cause);
      if (!admitted) {
        const auto room = admit_dead_letter(reader, *delivery.entry.message, reason, expired);
        if (!room) return room.error();
      }
      dead_letter(reader, delivery.priority, delivery.entry, reason, expired, batch,
                  delivery.entry.deliveries + 1);
      if (expired) ++totals.expired;
      break;
    }
    case Fate::returned:
      return_delivery(subscription, delivery, batch);
      return {};
    case Fate::delayed:
      if (reader == nullptr) {
        delay_copy(subscription, delivery);
      } else if (batch != nullptr) {
        delay(delivery, batch->operations);
      } else {
        std::vector<StoreOp> counts;
        delay(delivery, counts);
        flush_acks();
        if (!counts.empty()) store.append(counts);
      }
      delivery_done(subscription, delivery);
      return {};
  }
  if (reader != nullptr) no_longer_out(*reader, delivery.entry);
  delivery_done(subscription, delivery);
  return {};
}

void Engine::State::no_longer_out(Reader& reader, const Entry& entry) {
  --reader.in_flight;
  if (entry.counted_in_group) group_settled(reader, *entry.message);
  if (entry.is_volatile || !entry.message) return;
  reader.list.stored_out_bytes -= entry.message->footprint();
  if (reader.list.has_blocked) room_at(reader.list);
}

void Engine::State::delivery_done(Subscription& subscription, InFlight& delivery) {
  if (delivery.state == InFlight::State::out) --subscription.out;
  if (!delivery.automatic) {
    Connection& connection = subscription.connection;
    --connection.explicit_out;
    if (!connection.awaiting_flight.empty()) list_flight(connection);
  }
  if (delivery.entry.retained) {
    delivery.entry.retained = false;
    --subscription.retained_out;
    end_replay(subscription);
  }
  delivery.state = InFlight::State::settled;
  subscription.last_progress = now;
  subscription.told_slow = subscription.told_slow && subscription.out != 0;
  ++subscription.settled;
  delivery.entry.message.reset();
  delivery.destination.reset();
  delivery.reader = nullptr;
}

/// Drops settled deliveries from the front, and from the middle when they are most of it: one
/// delivery that stays out for ever must not keep the places of all that followed it.
void Engine::State::forget_settled(Subscription& subscription) {
  constexpr std::size_t kWorthCompacting = 1024;
  auto& in_flight = subscription.in_flight;
  while (!in_flight.empty() && in_flight.front().state == InFlight::State::settled) {
    in_flight.pop_front();
    --subscription.settled;
  }
  if (in_flight.size() < kWorthCompacting || subscription.settled * 2 < in_flight.size()) return;
  Ring<InFlight> kept;
  for (std::size_t i = 0; i < in_flight.size(); ++i) {
    if (in_flight[i].state != InFlight::State::settled) kept.push_back(std::move(in_flight[i]));
  }
  in_flight = std::move(kept);
  subscription.settled = 0;
}

void Engine::State::credit_returned(Subscription& subscription) {
  if (!subscription.has_credit()) return;
  if (!subscription.blocked.empty()) wake_blocked(subscription);
  if (subscription.has_waiting()) mark_ready(subscription);
}

/// Whether it was acknowledged soon, though it could not be cancelled any more. Where several
/// senders wait at once, what the disk and the processors need not do counts for more than how soon
/// each of them is answered: a consumer need not be as quick as a sync, only about as quick as the
/// store holds back at most.
bool Engine::State::soon(const Entry& entry) const {
  return under_way_ >= kSeveralUnderWay &&
         static_cast<std::uint32_t>(to_millis(now)) - entry.placed_at <= 1;
}

void Engine::State::judge_passing(MessageList& list, const Entry& entry, Passed passed) {
  // While it is tried without, or does not pay, there is nothing to learn from how it would be.
  if (!entry.passing && list.passing.holding() && !passing_trial_.holds()) return;
  if (passed == Passed::no) {
    list.passing.stayed(entry.passing);
  } else {
    list.passing.passed(entry.passing, passed == Passed::unwritten);
  }
}

void Engine::State::release(Reader& reader, int priority, Entry& entry, Batch* batch,
                            bool may_wait) {
  MessageList& list = reader.list;
  --reader.depth;
  reader.depth_bytes -= entry.message->flat().size();
  ++list.counters.dequeued;
  ++totals.dequeued;
  if (list.has_blocked) room_at(list);
  if (entry.is_volatile) {
    release_volatile(reader, priority, entry);
    return;
  }
  unhold(*entry.message);
  forget_ahead(reader, priority, entry.sequence);
  if (batch != nullptr) {
    judge_passing(list, entry, Passed::no);
    auto* last = batch->operations.empty() ? nullptr : &batch->operations.back();
    if (last != nullptr && last->kind == StoreOpKind::acknowledge && last->list == list.id &&
        last->reader == reader.id && last->priority == priority &&
        last->last + 1 == entry.sequence) {
      last->last = entry.sequence;
      return;
    }
    StoreOp operation;
    operation.kind = StoreOpKind::acknowledge;
    operation.priority = static_cast<std::uint8_t>(priority);
    operation.list = list.id;
    operation.reader = reader.id;
    operation.first = operation.last = entry.sequence;
    batch->operations.push_back(std::move(operation));
    return;
  }
  // The last reference to a plain send that is not sealed yet: it need never be written. Unless
  // a delivery of it was counted: its number would be given to another message after a restart,
  // and the count, which is written, with it.
  const bool plain =
      entry.stored > durable && entry.visible_after == kNoTicket && entry.deliveries == 0;
  if (plain && list.is_queue()) {
    const bool cancelled = store.cancel(entry.stored, list.id);
    judge_passing(list, entry, cancelled ? Passed::unwritten : Passed::written);
    if (cancelled) return;
  } else {
    judge_passing(list, entry, soon(entry) ? Passed::written : Passed::no);
  }
  const bool many =
      limits.late_acks_readers_min != 0 && list.readers.size() >= limits.late_acks_readers_min;
  if (may_wait && many && !list.is_queue()) {
    acknowledge_late(reader, priority, entry.sequence);
    return;
  }
  add_ack(reader, priority, entry.sequence);
}

void Engine::State::release_volatile(Reader& reader, int priority, Entry& entry) {
  for (auto* walk : reader.walks) walk->forget_volatile(priority, entry.sequence);
  if (reader.list.is_queue() || entry.unshared) {
    reader.list.volatile_bytes -= entry.message->footprint();
    unhold(*entry.message);
    return;
  }
  Lane& lane = reader.list.lane(priority);
  auto& ring = lane.volatile_entries;
  const auto at = lower_bound_sequence(ring, entry.sequence);
  if (at == ring.size() || ring[at].sequence != entry.sequence || !ring[at].message) return;
  if (--ring[at].references > 0) return;
  reader.list.volatile_bytes -= ring[at].message->footprint();
  forget_expired(reader.list, priority, entry.sequence);
  unhold(*ring[at].message);
  leave_gap(ring, lane.volatile_gaps, at);
}

void Engine::State::add_ack(ListId list, ReaderId reader, int priority, std::uint64_t sequence) {
  if (ack_run.last != 0 && ack_run.list == list && ack_run.reader == reader &&
      ack_run.priority == priority && ack_run.last + 1 == sequence) {
    ack_run.last = sequence;
    return;
  }
  flush_acks();
  ack_run = {list, reader, static_cast<std::uint8_t>(priority), sequence, sequence};
}

void Engine::State::flush_acks() {
  if (ack_run.last == 0) return;
  StoreOp operation;
  operation.kind = StoreOpKind::acknowledge;
  operation.priority = ack_run.priority;
  operation.list = ack_run.list;
  operation.reader = ack_run.reader;
  operation.first = ack_run.first;
  operation.last = ack_run.last;
  ack_run.last = 0;
  store.append({&operation, 1});
}

// --- returning -----------------------------------------------------------------------------------

/// Back to its place, to anybody, at once. Its count goes with `batch`; null: alone.
void Engine::State::return_delivery(Subscription& subscription, InFlight& delivery, Batch* batch) {
  if (delivery.reader != nullptr && batch != nullptr) {
    give_back(delivery, batch->operations);
  } else if (delivery.reader != nullptr) {
    std::vector<StoreOp> counts;
    give_back(delivery, counts);
    if (!counts.empty()) {
      flush_acks();
      store.append(counts);
    }
  } else {
    return_to_subscription(subscription, delivery);
  }
  delivery_done(subscription, delivery);
}

/// Puts a delivery back to its place, counted if it was `seen`, for the reader's other consumers.
/// The caller appends `counts`, in which neighbours are joined.
void Engine::State::give_back(InFlight& delivery, std::vector<StoreOp>& counts, bool seen) {
  Reader& reader = *delivery.reader;
  Entry entry = std::move(delivery.entry);
  if (seen) ++entry.deliveries;
  no_longer_out(reader, entry);
  if (seen && !entry.is_volatile) {
    count_failure(reader, delivery.priority, entry.sequence, StoreOpKind::count_delivery, counts);
  }
  put_back(reader, delivery.priority, std::move(entry));
}

/// An entry that was taken, and is held, goes to whichever consumer wants it next.
void Engine::State::put_back(Reader& reader, int priority, Entry entry) {
  const auto sequence = entry.sequence;
  entry.counted_in_group = false;
  if (entry.message->expiration() != 0) note_expiry(reader.list, priority, entry);
  reader.returned.emplace(std::pair(9 - priority, sequence), std::move(entry));
  for (const auto& scan : reader.selective) {
    auto& from = scan->cursor(priority).returned_from;
    from = std::min(from, sequence);
  }
  mark_ready(reader);
}

/// A topic message without a list can only go back to the subscription that had it.
void Engine::State::return_to_subscription(Subscription& subscription, InFlight& delivery) {
  subscription.pending_bytes += delivery.entry.message->footprint();
  Entry entry = std::move(delivery.entry);
  ++entry.deliveries;
  const auto sequence = entry.sequence;
  subscription.returned.emplace(sequence,
                                ReturnedMessage{std::move(entry), std::move(delivery.destination)});
  mark_ready(subscription);
}

// --- expiry --------------------------------------------------------------------------------------

/// `entry`, which is held, goes to nobody; false: its dead letter has no room, nothing changed.
bool Engine::State::expire(Reader& reader, int priority, Entry& entry) {
  char cause[64] = "expired at ";
  *std::to_chars(cause + 11, cause + sizeof cause - 1, entry.message->expiration()).ptr = '\0';
  if (!admit_dead_letter(&reader, *entry.message, cause, true)) return false;
  dead_letter(&reader, priority, entry, cause, true, nullptr, entry.deliveries);
  ++reader.list.counters.expired;
  ++totals.expired;
  return true;
}

/// Tries those again that had no room, until one has none.
void Engine::State::retry_expired(std::uint32_t& steps) {
  while (!expired_waiting.empty()) {
    if (steps == 0) {
      room_was_made();
      return;
    }
    --steps;
    auto& waiting = expired_waiting.front();
    const auto& readers = lists.at(waiting.list)->readers;
    const auto reader = std::find_if(readers.begin(), readers.end(),
                                     [&](const auto& each) { return each->id == waiting.reader; });
    PABAL_CHECK(reader != readers.end(), "orphan() takes what waits along");
    if (!expire(**reader, waiting.priority, waiting.entry)) break;
    expired_waiting.pop_front();
  }
  if (expired_waiting.size() >= kExpiredWaitingMax) return;
  for (auto* scan : awaiting_room) {
    scan->awaits_room = false;
    mark_ready(*scan);
  }
  awaiting_room.clear();
}

}  // namespace pabal::core
