#include <algorithm>
#include <utility>

#include "core/engine_state.h"

namespace pabal::core {

Result<TransactionId> Engine::State::begin(ConnectionId id) {
  auto* connection = connections.find(id);
  if (connection == nullptr) return Error{Errc::not_found, "no such connection"};
  if (connection->transactions.size() >= limits.transactions_per_connection_max) {
    return Error{Errc::quota_exceeded, "transactions_per_connection_max: the connection has " +
                                           std::to_string(connection->transactions.size()) +
                                           " open transactions"};
  }
  auto& transaction = transactions.insert(
      [&](TransactionId made) { return std::make_unique<Transaction>(made, connection); });
  transaction.since = now;
  connection->transactions.push_back(transaction.id);
  return transaction.id;
}

InFlight* Engine::State::find_delivery(const PendingAck& ack) {
  auto* subscription = subscriptions.find(ack.subscription);
  if (subscription == nullptr) return nullptr;
  auto& in_flight = subscription->in_flight;
  std::size_t low = 0;
  std::size_t high = in_flight.size();
  while (low < high) {
    const std::size_t middle = (low + high) / 2;
    if (in_flight[middle].id < ack.delivery) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  if (low == in_flight.size() || in_flight[low].id != ack.delivery ||
      in_flight[low].state != InFlight::State::in_transaction) {
    return nullptr;
  }
  return &in_flight[low];
}

bool Engine::State::may_be_stored(const Send& send) noexcept {
  if (!send.message->persistent()) return false;
  if (!is_temporary(send.message->destination_kind())) return true;
  return send.targets != nullptr &&
         std::any_of(send.targets->begin(), send.targets->end(),
                     [](const Destination& target) { return !is_temporary(target.kind); });
}

bool Engine::State::works_for(const Connection& connection,
                              const Transaction& transaction) noexcept {
  if (transaction.branch == nullptr) return transaction.connection == &connection;
  const auto& all = transaction.branch->associations;
  return std::any_of(all.begin(), all.end(), [&](const Association& association) {
    return association.connection == connection.id && association.active > 0;
  });
}

Outcome Engine::State::commit(TransactionId id, ReplyToken token) {
  auto* transaction = transactions.find(id);
  if (transaction == nullptr) return Outcome::failure({Errc::not_found, "no such transaction"});
  if (transaction->branch != nullptr) {
    return Outcome::failure({Errc::bad_state, "an XA branch is ended by its XID"});
  }
  return end_or_park(*transaction->connection, *transaction, EndCall::commit, token);
}

/// Behind what the connection has parked, and behind sends of the transaction (of an XA branch:
/// several connections') that are.
Outcome Engine::State::end_or_park(Connection& connection, Transaction& transaction, EndCall call,
                                   ReplyToken token) {
  forget_block(kEndWaits);
  if (connection.parked.empty() && transaction.parked_sends == 0) {
    if (auto outcome = try_end(transaction, call)) return std::move(*outcome);
  }
  Outcome outcome = park(connection, Parked{Send{}, transaction.id, token, call});
  if (transaction.branch != nullptr) {
    transaction.branch->ending = outcome.disposition == Disposition::parked;
  }
  return outcome;
}

std::optional<Outcome> Engine::State::try_end(Transaction& transaction, EndCall call) {
  if (call == EndCall::xa_prepare) return prepare_branch(transaction);
  if (call == EndCall::commit) return commit_now(transaction);
  if (transaction.branch->rollback_only) {
    transaction.lost = Error{Errc::bad_state, "was marked to roll back"};
  }
  const Xid xid = transaction.branch->xid;  // which goes
  auto outcome = commit_now(transaction);
  if (!outcome || outcome->disposition != Disposition::failed) return outcome;
  Outcome vote = xa_failure(XaCode::rolled_back, xid, outcome->error->text);
  vote.error->code = outcome->error->code;
  return vote;
}

Purpose Engine::State::purpose_within(const Transaction& transaction,
                                      std::uint64_t bytes) noexcept {
  if (transaction.freed_bytes >= transaction.admitted_bytes + bytes) return Purpose::move;
  return transaction.admitted_bytes > 0 ? Purpose::more : Purpose::send;
}

/// Nullopt: there is no room now.
std::optional<Outcome> Engine::State::commit_now(Transaction& transaction) {
  // Everything that can refuse it comes first; a refused commit is a rollback.
  if (transaction.lost) {
    Outcome failure = Outcome::failure(*transaction.lost, store.submitted());
    (void)rollback(transaction.id);
    return failure;
  }
  const auto refuse = [&](Error why) {
    Outcome failure = Outcome::failure(std::move(why), store.submitted());
    (void)rollback(transaction.id);
    return failure;
  };
  if (auto checked = check_producers(transaction); !checked) return refuse(checked.error());
  std::uint64_t stored_bytes = 0;
  RetainedTally retains;
  for (const auto& send : transaction.sends) {
    if (send.schedule) {  // where it goes is seen when it is due
      stored_bytes += scheduled_bytes_max(send);
      continue;
    }
    if (auto routed = route(send); !routed) return refuse(routed.error());
    stored_bytes += route_bytes_max(*send.message);
    if (!send.message->retain() || topic_places_.empty()) continue;
    const auto more = admit_retained(*send.message, &retains);
    if (!more) return refuse(more.error());
    stored_bytes += *more;
  }
  // More than was foreseen, when what it sent goes to patterns that came only now.
  if (stored_bytes > transaction.admitted_bytes) {
    const std::uint64_t more = stored_bytes - transaction.admitted_bytes;
    const Admission admission = store.admit(more, purpose_within(transaction, more));
    if (admission == Admission::later) {
      blocked_why_ = "the end of a transaction waits: " + store.refusal();
      return std::nullopt;
    }
    if (admission == Admission::refused) {
      return refuse({Errc::store_full, "no room for the commit: " + store.refusal()});
    }
    transaction.admitted_bytes = stored_bytes;
  }
  return commit_batch(transaction);
}

/// Sends and acknowledgements in one batch: the store has all of it or nothing.
Outcome Engine::State::commit_batch(Transaction& transaction) {
  Batch batch;
  std::uint64_t stored_bytes = 0;
  for (const auto& send : transaction.sends) {
    if (send.schedule) {
      stored_bytes += prepare_scheduled(send, batch);
      continue;
    }
    if (!route(send)) continue;  // of a prepared branch: a temporary destination that has gone
    const std::uint64_t bytes = prepare(send.message, batch);
    stored_bytes += bytes;
    if (send.message->retain()) stored_bytes += prepare_retained(send.message, bytes > 0, batch);
    stored_bytes += prepare_copies(*send.message, batch);
    if (!left_out_.empty()) count_left_out();
  }
  remember_all(transaction, stored_bytes > 0, batch);
  const auto returning = may_return(transaction);
  for (const auto& ack : transaction.acks) {
    InFlight* delivery = find_delivery(ack);
    if (delivery == nullptr) continue;
    // A dead letter without room stays what it is: refused, and back with its consumer's queue.
    auto& subscription = *subscriptions.find(ack.subscription);
    if (!settle(subscription, *delivery, ack.kind, ack.cause, &batch)) {
      return_delivery(subscription, *delivery, &batch);
    }
    forget_settled(subscription);
  }
  for (auto& [delivery, ack] : transaction.orphans) {
    if (!delivery.entry.message) continue;
    Reader* reader = delivery.reader;
    const bool expired = ack.kind == AckKind::expired;
    const auto cause = dead_letter_cause(ack.kind, ack.cause);
    const Fate fate = fate_of(reader, delivery.entry, ack.kind);
    if (fate == Fate::dead && admit_dead_letter(reader, *delivery.entry.message, cause, expired)) {
      dead_letter(reader, delivery.priority, delivery.entry, cause, expired, &batch,
                  delivery.entry.deliveries + 1);
      if (expired) ++totals.expired;
      if (reader != nullptr) no_longer_out(*reader, delivery.entry);
    } else if (reader == nullptr) {
      unhold(*delivery.entry.message);  // its subscription has gone, and nobody else had it
    } else if (ack.kind == AckKind::consumed) {
      release(*reader, delivery.priority, delivery.entry, &batch);
      no_longer_out(*reader, delivery.entry);
    } else if (fate == Fate::delayed) {
      delay(delivery, batch.operations);
    } else {
      give_back(delivery, batch.operations);
    }
  }

  if (transaction.branch != nullptr) commit_held(*transaction.branch, batch);

  flush_acks();
  Ticket ticket = kNoTicket;
  if (!batch.operations.empty()) ticket = store.append(batch.operations);
  if (transaction.admitted_bytes > stored_bytes) {
    store.release(transaction.admitted_bytes - stored_bytes);
  }
  hide_returned(returning, ticket);
  place_jobs(batch, ticket);
  place(batch, ticket, ticket);
  // Subscriptions without a list get theirs directly; they promise nothing over a crash.
  for (const auto& send : transaction.sends) {
    unhold(*send.message);
    if (send.schedule) continue;
    if (route(send) && !topic_places_.empty()) publish_to_topics(send.message, ticket);
  }
  end_transaction(transaction);
  return Outcome{Disposition::done, ticket, std::nullopt};
}

/// What a prepared branch refused, and so may give back when it commits: if the commit does not
/// survive, the branch holds it again, and nobody may have seen it meanwhile.
std::vector<Engine::State::ReturnedPlace> Engine::State::may_return(Transaction& work) {
  std::vector<ReturnedPlace> places;
  if (work.branch == nullptr || work.branch->state == BranchState::active) return places;
  const auto add = [&](const InFlight& delivery, AckKind kind) {
    if (delivery.reader == nullptr || !needs_message(kind)) return;
    places.push_back({delivery.reader, {9 - delivery.priority, delivery.entry.sequence}});
  };
  for (const auto& ack : work.acks) {
    if (const InFlight* delivery = find_delivery(ack)) add(*delivery, ack.kind);
  }
  for (const auto& [delivery, ack] : work.orphans) add(delivery, ack.kind);
  return places;
}

void Engine::State::hide_returned(const std::vector<ReturnedPlace>& places, Ticket until) {
  for (const auto& [reader, place] : places) {
    if (const auto at = reader->returned.find(place); at != reader->returned.end()) {
      at->second.visible_after = until;
    } else if (const auto later = reader->delayed.find(place); later != reader->delayed.end()) {
      later->second.entry.visible_after = until;
    }
  }
}

Outcome Engine::State::rollback(TransactionId id) {
  auto* transaction = transactions.find(id);
  if (transaction == nullptr) return Outcome::failure({Errc::not_found, "no such transaction"});
  // What a prepared branch held is seen by nobody before its end is durable.
  Ticket visible_after = kNoTicket;
  if (transaction->connection != nullptr) {
    drop_parked(*transaction->connection, id);
  } else {
    Branch& branch = *transaction->branch;
    for (const auto& association : branch.associations) {
      if (auto* other = connections.find(association.connection)) drop_parked(*other, id);
    }
    if (branch.state != BranchState::active) {
      std::vector<StoreOp> operations;
      Errand returning;
      roll_back_held(branch, operations, returning);
      flush_acks();
      visible_after = store.append(operations);
      returning.visible_after = visible_after;
      add_errand(std::move(returning));
    }
  }
  for (const auto& ack : transaction->acks) {
    InFlight* delivery = find_delivery(ack);
    if (delivery == nullptr) continue;
    delivery->state = InFlight::State::out;
    delivery->transaction = TransactionId{};
    if (visible_after != kNoTicket) delivery->entry.visible_after = visible_after;
    ++subscriptions.find(ack.subscription)->out;
  }
  std::vector<StoreOp> counts;
  for (auto& [delivery, ack] : transaction->orphans) {
    if (!delivery.entry.message) continue;
    if (delivery.reader != nullptr) {
      if (visible_after != kNoTicket) delivery.entry.visible_after = visible_after;
      give_back(delivery, counts);
    } else {
      unhold(*delivery.entry.message);
    }
  }
  if (!counts.empty()) {
    flush_acks();
    store.append(counts);
  }
  for (const auto& send : transaction->sends) {
    if (send.message) unhold(*send.message);
  }
  for (const auto& [producer, sent] : transaction->producers) refused({producer, sent.first});
  if (transaction->admitted_bytes > 0) store.release(transaction->admitted_bytes);
  end_transaction(*transaction);
  return Outcome{Disposition::done, visible_after, std::nullopt};
}

void Engine::State::end_transaction(Transaction& transaction) {
  if (transaction.connection != nullptr) {
    std::erase(transaction.connection->transactions, transaction.id);
  } else {
    end_branch(*transaction.branch);
  }
  room_was_made();
  transactions.erase(transaction.id);
}

}  // namespace pabal::core
