#include <algorithm>
#include <limits>
#include <utility>

#include "core/engine_state.h"

// Sends that find no room. A connection's sends take effect in their order, so the first that has
// to wait holds up those behind it, of this connection only. It waits where there was no room: at a
// destination that is over a limit of its policy, or for the broker as a whole (memoryUsage, the
// store). Who waits at a destination gets a turn when that has room again, one after the other
// until it is full again: a change costs what it admits, and not what waits. What waits for the
// broker gets one turn each after a change, because a limit that holds one up need not hold up the
// others; who got something in and has more goes behind those who did not. Who waits for the store
// is not asked when memory changes, and in a round not after a smaller send has found no room.

namespace pabal::core {

// --- limits of destinations ----------------------------------------------------------------------

bool Engine::State::is_full(const MessageList& list, Error& why) {
  const DestinationPolicy& policy = *list.policy;
  if (!policy.producer_flow_control) return false;
  // One message more than the limit may come in, so that none is too large to ever be sent.
  if (policy.memory_limit != 0 && list.is_queue() && list.held_bytes() >= policy.memory_limit) {
    why = {Errc::quota_exceeded, "memoryLimit of " + list.destination.to_text() + ": " +
                                     std::to_string(list.held_bytes()) + " of " +
                                     std::to_string(policy.memory_limit) + " bytes are held"};
    return true;
  }
  if (policy.store_limit != 0 && list.is_queue() &&
      list.readers.front()->depth_bytes >= policy.store_limit) {
    why = {Errc::quota_exceeded, "pabalStoreLimit of " + list.destination.to_text() + ": " +
                                     std::to_string(list.readers.front()->depth_bytes) + " of " +
                                     std::to_string(policy.store_limit) + " bytes wait"};
    return true;
  }
  return false;
}

bool Engine::State::destination_full(const Message& message, Error& why) {
  for (const auto* list : route_) {
    if (!list->policy->limited() || !is_full(*list, why)) continue;
    blocked_at_ = list->destination;
    return true;
  }
  for (const auto& place : topic_places_) {
    Topic& topic = *place.topic;
    if (topic.subscriptions.empty()) continue;
    const auto kind = message.destination_kind();
    if (topic.policy == nullptr) {
      topic.policy = place.destination != nullptr
                         ? settings.policies.find(place.destination->kind, place.destination->name)
                         : settings.policies.find(kind, message.destination_name());
    }
    const DestinationPolicy& policy = *topic.policy;
    if (policy.memory_limit == 0 || !policy.producer_flow_control) continue;
    std::uint64_t held = 0;
    for (const auto* subscription : topic.subscriptions) held += subscription->pending_bytes;
    if (held < policy.memory_limit) continue;
    blocked_at_ = place.destination != nullptr
                      ? *place.destination
                      : Destination{kind, std::string(message.destination_name())};
    why = {Errc::quota_exceeded,
           "memoryLimit of " + blocked_at_.to_text() + ": " + std::to_string(held) + " of " +
               std::to_string(policy.memory_limit) + " bytes wait for its subscriptions"};
    return true;
  }
  return false;
}

/// What says how a send that finds no room waits: the destination that is full, by whichever way
/// the message got there; else its own.
std::shared_ptr<const DestinationPolicy> Engine::State::policy_where_blocked(
    const Message& message) const {
  if (!blocked_at_.name.empty()) return settings.policies.find(blocked_at_.kind, blocked_at_.name);
  return settings.policies.find(message.destination_kind(), message.destination_name());
}

bool Engine::State::fails_when_full(const Message& message) const {
  const auto policy = policy_where_blocked(message);
  return policy->send_fail_if_no_space.value_or(limits.send_fail_if_no_space);
}

// --- parking -------------------------------------------------------------------------------------

Outcome Engine::State::park(Connection& connection, Parked parked) {
  const std::uint64_t bytes =
      parked.send.message ? parked.send.message->footprint() : sizeof(Parked);
  if (connection.parked_bytes >= limits.parked_bytes_max && connection.explicit_out > 0) {
    // It must be read, or its acknowledgements could not come; so its sends must fail.
    std::string why = "parked_bytes_max: " + std::to_string(connection.parked_bytes) +
                      " bytes of sends wait for room already";
    if (const auto& blocked = connection.blocked) {
      why += "; the first of them waits";
      if (!blocked->place.name.empty()) why += " at " + blocked->place.to_text();
      why += ": " + blocked->reason;
    }
    return Outcome::failure({Errc::quota_exceeded, std::move(why)}, store.submitted());
  }
  connection.parked_bytes += bytes;
  if (auto* within = parked.send.message && parked.transaction
                         ? transactions.find(*parked.transaction)
                         : nullptr) {
    ++within->parked_sends;
  }
  const bool first = connection.parked.empty();
  parked.since = now;
  connection.parked.push_back(std::move(parked));
  if (first) list_blocked(connection);
  if (connection.parked_bytes >= limits.parked_bytes_max && connection.explicit_out == 0 &&
      !connection.reading_paused) {
    connection.reading_paused = true;
    order(connection, ConnectionOrder::pause_reading, "its sends wait for room");
  }
  return Outcome{Disposition::parked, kNoTicket, std::nullopt};
}

void Engine::State::unpark_front(Connection& connection) {
  const auto& parked = connection.parked.front();
  const std::uint64_t bytes =
      parked.send.message ? parked.send.message->footprint() : sizeof(Parked);
  connection.parked_bytes -= bytes;
  if (auto* within = parked.send.message && parked.transaction
                         ? transactions.find(*parked.transaction)
                         : nullptr) {
    // Another connection may have asked for the end of an XA branch, and wait for this.
    if (--within->parked_sends == 0 && within->branch != nullptr) room_was_made();
  }
  connection.parked.pop_front();
}

/// It leaves before there was room: nobody else would say that its sends have gone. (Those of a
/// transaction are rolled back with it.)
void Engine::State::report_parked(Connection& connection) {
  std::uint64_t count = 0;
  for (std::size_t i = 0; i < connection.parked.size(); ++i) {
    const Parked& parked = connection.parked[i];
    if (parked.send.message && !parked.transaction) ++count;
  }
  if (count == 0) return;
  totals.dropped += count;
  std::string text = std::to_string(count) + " sends were dropped, because client " +
                     connection.client_id + " from " + connection.options.remote +
                     " left before there was room";
  if (connection.blocked) text += ": " + connection.blocked->reason;
  order(connection, ConnectionOrder::warn, std::move(text));
}

/// Forgets the parked sends of one transaction, or all.
void Engine::State::drop_parked(Connection& connection, std::optional<TransactionId> transaction) {
  Ring<Parked> kept;
  while (!connection.parked.empty()) {
    auto parked = connection.parked.front();
    unpark_front(connection);
    auto* within = parked.transaction ? transactions.find(*parked.transaction) : nullptr;
    if (transaction && parked.transaction != transaction) {
      const std::uint64_t bytes =
          parked.send.message ? parked.send.message->footprint() : sizeof(Parked);
      connection.parked_bytes += bytes;
      if (parked.send.message && within != nullptr) ++within->parked_sends;
      kept.push_back(std::move(parked));
      continue;
    }
    if (parked.send.identity) refused(*parked.send.identity);
    if (!parked.send.message && within != nullptr && within->branch != nullptr) {
      within->branch->ending = false;  // whoever asked for its end does so no more
    }
    if (transaction && !parked.send.message) {
      Outcome failure = Outcome::failure({Errc::bad_state, "rolled back before the commit"});
      failure.xa = XaCode::unknown;
      outbox_of(connection).replies.push_back({connection.id, parked.token, std::move(failure)});
    } else if (transaction && parked.token != 0) {
      // Rolled back with the transaction: done, and nothing to wait for.
      outbox_of(connection).replies.push_back({connection.id, parked.token, Outcome{}});
    }
  }
  connection.parked = std::move(kept);
  if (connection.parked.empty()) {
    unlist_blocked(connection);
  } else {
    try_anew(connection);
  }
  if (transaction) read_on(connection);
}

/// The park has room again: a connection that was not read because of it is read.
void Engine::State::read_on(Connection& connection) {
  if (!connection.reading_paused || connection.parked_bytes > limits.parked_bytes_max / 2) return;
  connection.reading_paused = false;
  order(connection, ConnectionOrder::resume_reading, "");
}

/// Sends what the connection has parked while there is room; false: the steps ran out first.
bool Engine::State::retry_parked_of(Connection& connection, std::uint32_t& steps) {
  while (!connection.parked.empty()) {
    if (steps == 0) return false;
    --steps;
    const Parked parked = connection.parked.front();
    std::optional<Outcome> outcome;
    Transaction* transaction =
        parked.transaction ? transactions.find(*parked.transaction) : nullptr;
    if (parked.transaction && transaction == nullptr) {
      outcome = Outcome::failure({Errc::not_found, "no such transaction"});
      outcome->xa = XaCode::unknown;
      unpark_front(connection);
    } else if (!parked.send.message) {
      forget_block(kEndWaits);
      if (transaction->parked_sends > 0) return true;  // of another connection: an XA branch
      unpark_front(connection);  // first: refused, it rolls back what else is parked of it
      outcome = try_end(*transaction, parked.call);
      if (!outcome) {
        connection.parked_bytes += sizeof(Parked);
        connection.parked.push_front(parked);
        return true;
      }
    } else {
      if (parked.send.identity) {
        outcome = answer_duplicate(*parked.send.identity, transaction, true);
      }
      if (!outcome) outcome = try_send(parked.send, transaction);
      if (!outcome) return true;
      tasks_turn = true;
      unpark_front(connection);
      if (parked.send.identity && outcome->disposition == Disposition::failed) {
        refused(*parked.send.identity);
      }
      // Its client may have asked for the commit already, without knowing of this.
      if (transaction != nullptr && outcome->disposition == Disposition::failed) {
        transaction->lost = outcome->error;
      }
    }
    reply_to_parked(connection, parked, std::move(*outcome));
    read_on(connection);
  }
  return true;
}

/// Each connection gets one turn after a change.
void Engine::State::retry_parked(std::uint32_t& steps) {
  if (room_changed) {
    room_changed = false;
    retry_expired(steps);
    if (tasks_await_room) wake_tasks();
    retry_commits();
    parked_for_memory.wanted = parked_for_the_store.wanted = true;
  }
  if (retry_round(parked_for_memory, steps)) retry_round(parked_for_the_store, steps);
}

/// False: the steps ran out first. What changes during a round leads to another one, behind it:
/// with one that began anew, those in front would keep the others from their turns.
bool Engine::State::retry_round(ParkedConnections& parked, std::uint32_t& steps) {
  if (parked.next > parked.last) {
    if (!std::exchange(parked.wanted, false)) return true;
    parked.next = 0;
    parked.last = last_turn;
    parked.put_off = std::numeric_limits<std::uint64_t>::max();
  }
  for (;;) {
    const auto at = parked.waiting.lower_bound(parked.next);
    if (at == parked.waiting.end() || at->first > parked.last) {
      parked.next = parked.last + 1;
      return true;
    }
    if (steps == 0) return false;
    const std::uint64_t turn = at->first;
    Connection& connection = *connections.find(at->second);
    if (connection.blocked->store_bytes >= parked.put_off) {
      --steps;
      parked.next = turn + 1;
      continue;
    }
    const std::size_t before = connection.parked.size();
    if (!retry_parked_of(connection, steps)) {
      parked.next = turn;  // its turn goes on
      return false;
    }
    parked.next = turn + 1;
    if (blocked_bytes_ != 0 && !connection.parked.empty()) {
      parked.put_off = std::min(parked.put_off, blocked_bytes_);
    }
    if (auto& blocked = connection.blocked; blocked && connection.parked.size() == before &&
                                            blocked->place == blocked_at_ &&
                                            blocked->in_memory == blocked_in_memory_) {
      blocked->reason = std::move(blocked_why_);  // it keeps its place and its time
      blocked->store_bytes = blocked_bytes_;
      continue;
    }
    unlist_blocked(connection);
    if (!connection.parked.empty()) list_blocked(connection);
  }
}

void Engine::State::reply_to_parked(Connection& connection, const Parked& parked, Outcome outcome) {
  if (parked.token == 0 && outcome.disposition != Disposition::failed) return;
  if (parked.token == 0) ++totals.dropped;
  outbox_of(connection).replies.push_back({connection.id, parked.token, std::move(outcome)});
}

// --- where and how long --------------------------------------------------------------------------

void Engine::State::list_blocked(Connection& connection) {
  const Parked& first = connection.parked.front();
  Blocked blocked;
  blocked.place = blocked_at_;
  blocked.reason = blocked_why_;
  blocked.since = first.since;
  if (first.send.message) {
    const auto policy = policy_where_blocked(*first.send.message);
    const milliseconds after =
        policy->send_fail_after.count() >= 0 ? policy->send_fail_after : settings.send_fail_after;
    if (after.count() > 0) blocked.fail_at = first.since + after;
    blocked.warn_every = policy->blocked_warning;
    if (blocked.warn_every.count() > 0) blocked.warn_at = now + blocked.warn_every;
  }
  if (blocked.wake_at() != TimePoint::max()) {
    blocked_times.emplace(blocked.wake_at(), connection.id);
    wake_at(Timer::blocked_sends, blocked.wake_at());
  }
  if (!blocked.place.name.empty()) advise_full(connection);
  blocked.turn = ++last_turn;
  if (blocked.place.name.empty()) {
    blocked.in_memory = blocked_in_memory_;
    blocked.store_bytes = blocked_bytes_;
    parked_with(blocked).waiting.emplace(blocked.turn, connection.id);
  } else {
    auto [at, is_new] = blocked_destinations.try_emplace(blocked.place);
    if (is_new && !is_queue(blocked.place.kind)) ++blocked_topics;
    at->second.waiting.push_back({connection.id, blocked.turn});
    if (const auto list = queues.find(blocked.place.name); list != queues.end()) {
      list->second->has_blocked = true;
    } else if (const auto topic = topic_lists.find(blocked.place.name);
               topic != topic_lists.end()) {
      topic->second->has_blocked = true;
    }
  }
  connection.blocked = std::move(blocked);
}

/// It waits no more, or is about to be listed anew. Its place in the list of those that wait at a
/// destination stays, and is passed over.
void Engine::State::unlist_blocked(Connection& connection) {
  constexpr std::size_t kWorthCompacting = 32;
  if (!connection.blocked) return;
  const Blocked blocked = std::move(*connection.blocked);
  connection.blocked.reset();
  blocked_times.erase({blocked.wake_at(), connection.id});
  if (blocked.place.name.empty()) {
    parked_with(blocked).waiting.erase(blocked.turn);
    return;
  }
  const auto at = blocked_destinations.find(blocked.place);
  if (at == blocked_destinations.end()) return;
  auto& [waiting, stale, retry_listed] = at->second;
  if (!std::exchange(retry_listed, true)) destinations_to_retry.push_back(blocked.place);
  if (++stale < kWorthCompacting || stale * 2 < waiting.size()) return;
  for (std::size_t i = waiting.size(); i > 0; --i) {
    const auto turn = waiting.front();
    waiting.pop_front();
    if (blocked_in_turn(turn) != nullptr) waiting.push_back(turn);
  }
  stale = 0;
}

const Blocked* Engine::State::blocked_in_turn(
    const std::pair<ConnectionId, std::uint64_t>& waiting) const {
  const auto* connection = connections.find(waiting.first);
  const bool counts =
      connection != nullptr && connection->blocked && connection->blocked->turn == waiting.second;
  return counts ? &*connection->blocked : nullptr;
}

void Engine::State::try_anew(Connection& connection) {
  unlist_blocked(connection);
  forget_block("its turn to try again has not come yet");
  list_blocked(connection);
  room_was_made();
}

void Engine::State::retry_all_blocked() {
  room_was_made();
  for (auto& [place, blocked] : blocked_destinations) {
    if (!std::exchange(blocked.retry_listed, true)) destinations_to_retry.push_back(place);
  }
}

void Engine::State::room_at(MessageList& list) {
  const auto at = blocked_destinations.find(list.destination);
  if (at == blocked_destinations.end()) {
    list.has_blocked = false;
  } else if (!std::exchange(at->second.retry_listed, true)) {
    destinations_to_retry.push_back(list.destination);
  }
}

void Engine::State::room_at_topics() {
  topics_have_room = false;
  for (auto& [place, blocked] : blocked_destinations) {
    if (is_queue(place.kind) || std::exchange(blocked.retry_listed, true)) continue;
    destinations_to_retry.push_back(place);
  }
}

/// The connections that wait at a destination, in turn, until it is full again. Who got something
/// in and has more goes to the end: one that never stops must not keep the others out.
void Engine::State::retry_destinations(std::uint32_t& steps) {
  while (!destinations_to_retry.empty() && steps > 0) {
    const Destination place = destinations_to_retry.front();
    const auto at = blocked_destinations.find(place);
    if (at == blocked_destinations.end()) {
      destinations_to_retry.pop_front();
      continue;
    }
    auto& waiting = at->second.waiting;
    at->second.retry_listed = false;
    destinations_to_retry.pop_front();
    bool full = false;
    while (!waiting.empty() && !full) {
      const auto turn = waiting.front();
      if (steps == 0) {
        if (!std::exchange(at->second.retry_listed, true)) destinations_to_retry.push_front(place);
        return;
      }
      if (blocked_in_turn(turn) == nullptr) {
        --steps;
        waiting.pop_front();
        if (at->second.stale > 0) --at->second.stale;
        continue;
      }
      Connection& connection = *connections.find(turn.first);
      const std::size_t before = connection.parked.size();
      if (!retry_parked_of(connection, steps)) continue;  // the steps ran out: its turn goes on
      if (connection.parked.empty()) {
        unlist_blocked(connection);
        continue;
      }
      full = blocked_at_ == place;
      if (full && connection.parked.size() == before) {
        connection.blocked->reason = std::move(blocked_why_);  // it keeps its place and its time
        continue;
      }
      unlist_blocked(connection);
      list_blocked(connection);
    }
    if (!waiting.empty()) continue;
    if (!is_queue(place.kind)) --blocked_topics;
    blocked_destinations.erase(at);
  }
}

/// Time has come for some that wait: their sends fail, or the log is told.
void Engine::State::fail_or_warn_blocked() {
  while (!blocked_times.empty() && blocked_times.begin()->first <= now) {
    auto* connection = connections.find(blocked_times.begin()->second);
    if (connection == nullptr || !connection->blocked) {
      blocked_times.erase(blocked_times.begin());
      continue;
    }
    Blocked& blocked = *connection->blocked;
    if (blocked.fail_at <= now) {
      const Parked parked = connection->parked.front();
      const Error error{
          Errc::quota_exceeded,
          "no room for " + std::to_string((now - parked.since).count()) + " ms: " + blocked.reason};
      unpark_front(*connection);
      if (parked.send.identity) refused(*parked.send.identity);
      auto* transaction = parked.transaction ? transactions.find(*parked.transaction) : nullptr;
      if (transaction != nullptr) transaction->lost = error;
      reply_to_parked(*connection, parked, Outcome::failure(error, store.submitted()));
      read_on(*connection);
      if (connection->parked.empty()) {
        unlist_blocked(*connection);
      } else {
        try_anew(*connection);
      }
      continue;
    }
    blocked_times.erase(blocked_times.begin());
    order(*connection, ConnectionOrder::warn,
          std::to_string(connection->parked.size()) + " sends wait since " +
              std::to_string((now - blocked.since).count()) + " ms: " + blocked.reason);
    blocked.warn_at = now + blocked.warn_every;
    blocked_times.emplace(blocked.wake_at(), connection->id);
  }
  if (!blocked_times.empty()) wake_at(Timer::blocked_sends, blocked_times.begin()->first);
}

std::vector<BlockedProducer> Engine::State::blocked_producers(std::size_t limit) const {
  std::vector<BlockedProducer> views;
  const auto add = [&](const Connection& connection) {
    const Blocked& blocked = *connection.blocked;
    views.push_back({connection.client_id, connection.options.remote, blocked.place, blocked.reason,
                     blocked.since, connection.parked.size(), connection.parked_bytes});
  };
  for (const auto& [place, blocked] : blocked_destinations) {
    for (std::size_t i = 0; i < blocked.waiting.size() && views.size() < limit; ++i) {
      if (blocked_in_turn(blocked.waiting[i]) == nullptr) continue;
      add(*connections.find(blocked.waiting[i].first));
    }
  }
  for (const auto* parked : {&parked_for_memory, &parked_for_the_store}) {
    for (const auto& [turn, id] : parked->waiting) {
      if (views.size() >= limit) return views;
      add(*connections.find(id));
    }
  }
  return views;
}

}  // namespace pabal::core
