// Entering the engine, and what comes out: the part of the server, written small.

#include <cstdio>

#include "tests/sim/world.h"

namespace pabal::sim {

using core::raw;

void World::collect() {
  core::Outbox outbox;
  std::swap(outbox, engine_->outbox(core::HomeId{0}));
  const std::uint64_t spilled = engine_->snapshot().bytes_spilled;
  if (spilled > spilled_bytes_) ++report_.spills;
  if (spilled > scenario_.limits.spilled_bytes_max) model_.violation("spills over its limit");
  spilled_bytes_ = spilled;
  read_branch_ends();
  for (const core::Reply& reply : outbox.replies) {
    replied(reply);
    if (options_.sabotage == Sabotage::answer_twice) replied(reply);
  }
  for (const JobBatch& batch : store_->take_job_batches()) model_.jobs_written(batch);
  follow_commands();
  if (options_.sabotage != Sabotage::none) sabotage(outbox.deliveries);
  for (core::Delivery& delivery : outbox.deliveries) {
    mix(raw(delivery.subscription));
    mix(raw(delivery.id));
    if (delivery.message) mix(number_of(*delivery.message));
    mix(delivery.deliveries * 2 + (delivery.redelivered ? 1 : 0));
    const auto at = connections_.find(delivery.connection);
    if (at == connections_.end()) continue;  // it left in this entry
    if (model_.is_browser(delivery.subscription)) {
      model_.browsed(delivery);
      at->second.unwritten.push_back(std::move(delivery));
      continue;
    }
    if (options_.verbose) {
      note("  delivers " + std::to_string(number_of(*delivery.message)) + " of " +
           delivery.message->destination().to_text() + " to client " +
           std::to_string(at->second.client) + " subscription " +
           std::to_string(raw(delivery.subscription)) + " as " + std::to_string(raw(delivery.id)) +
           (delivery.redelivered ? " redelivered" : ""));
    }
    model_.dispatched(delivery, now_);
    at->second.unwritten.push_back(std::move(delivery));
  }
  for (const core::ConnectionEffect& effect : outbox.effects) {
    mix(raw(effect.connection) * 4 + static_cast<std::uint64_t>(effect.order));
    const auto at = connections_.find(effect.connection);
    if (at == connections_.end()) continue;
    switch (effect.order) {
      case core::ConnectionOrder::pause_reading:
        at->second.paused = true;
        break;
      case core::ConnectionOrder::resume_reading:
        at->second.paused = false;
        break;
      case core::ConnectionOrder::warn:
        break;
      case core::ConnectionOrder::close:
        model_.violation("the engine closes a connection that did nothing wrong: " + effect.reason);
        break;
    }
  }
}

/// The lies of the dispatcher.
void World::sabotage(std::vector<core::Delivery>& deliveries) {
  const std::size_t count = deliveries.size();
  for (std::size_t i = 0; i < count; ++i) {
    switch (options_.sabotage) {
      case Sabotage::drop_marks:
        deliveries[i].redelivered = false;
        break;
      case Sabotage::invent_counts:
        if (deliveries[i].redelivered) ++deliveries[i].deliveries;
        break;
      case Sabotage::swap_deliveries:
        if (i > 0 && deliveries[i].subscription == deliveries[i - 1].subscription &&
            deliveries[i].message) {
          std::swap(deliveries[i].message, deliveries[i - 1].message);
        }
        break;
      case Sabotage::repeat_deliveries:
        if (++sabotage_seen_ % 16 == 0) {
          core::Delivery again = deliveries[i];
          deliveries.push_back(std::move(again));
        }
        break;
      case Sabotage::hide_browsed:
        if (deliveries[i].message && model_.is_browser(deliveries[i].subscription) &&
            ++sabotage_seen_ % 4 == 0) {
          deliveries[i].connection = core::ConnectionId{};
        }
        break;
      case Sabotage::lose_deliveries:
        if (++sabotage_seen_ % 16 == 0) deliveries[i].connection = core::ConnectionId{};
        break;
      default:
        return;
    }
  }
}

void World::replied(const core::Reply& reply) {
  ++replies_;
  mix(reply.token * 4 + static_cast<std::uint64_t>(reply.outcome.disposition));
  if (const auto branch = parked_branches_.find(reply.token); branch != parked_branches_.end()) {
    const ParkedBranch parked = branch->second;
    parked_branches_.erase(branch);
    return branch_replied(parked, reply.outcome);
  }
  if (reply.token != 0 && !answered_.insert(reply.token).second) {
    return model_.violation("one send or commit is answered twice");
  }
  const auto at = parked_.find(reply.token);
  if (at == parked_.end()) return;  // nobody asked; or its transaction was rolled back
  const Parked parked = at->second;
  parked_.erase(at);
  const bool done = reply.outcome.disposition == core::Disposition::done;
  note("  reply " + std::to_string(reply.token) + (done ? " done" : " failed"));
  if (parked.message == nullptr) {
    forget_transaction(reply.connection, core::TransactionId{parked.transaction});
    if (done) {
      model_.committed(parked.transaction, reply.outcome.after);
    } else {
      model_.rolled_back(parked.transaction, store_->submitted());
    }
  } else if (parked.transaction != 0) {
    if (!done) model_.refused_in(parked.transaction, *parked.message);
  } else if (!done && parked.message->identified) {
    // The client takes that for final: it goes on with higher numbers.
    for (Client& client : clients_) forget_answered(client, reply.token);
  } else if (done && parked.message->identified) {
    model_.sent_once(*parked.message, reply.outcome.after);
  } else if (done) {
    model_.sent(*parked.message, reply.outcome.after);
  }
  if (done && parked.wants_receipt) answer(reply.connection, reply.token, reply.outcome.after);
}

/// Receipts leave in their order, each when what it is about is durable.
void World::answer(core::ConnectionId connection, std::uint64_t token, core::Ticket after) {
  const auto at = connections_.find(connection);
  if (at == connections_.end()) return;
  at->second.held.push_back({after, {token}});
  wanted_ = std::max(wanted_, after);
}

void World::release_receipts() {
  for (auto& [id, connection] : connections_) {
    while (!connection.held.empty() && connection.held.front().after <= store_->durable()) {
      connection.pipe.emplace_back(connection.held.front().receipt);
      connection.held.pop_front();
    }
  }
}

/// What the store has told, one thing at a time, as the server's loop would pass it on.
void World::tell_engine() {
  if (durable_told_) {
    durable_told_ = false;
    enter([&] { engine_->durable_advanced(now_); });
    release_receipts();
  } else if (space_told_) {
    space_told_ = false;
    enter([&] { engine_->space_changed(now_); });
  } else if (!pages_.empty()) {
    core::Page page = std::move(pages_.front());
    pages_.pop_front();
    mix(page.covered_to);
    ++report_.pages;
    if (page.error) model_.violation("a page failed: " + page.error->text);
    enter([&] { engine_->page_loaded(std::move(page), now_); });
  } else if (more_work_) {
    enter([] {});
  }
}

// --- the network ---------------------------------------------------------------------------------

void World::write_sockets(bool everything) {
  for (auto& [id, connection] : connections_) {
    if (connection.unwritten.empty()) continue;
    if (!everything && !random_.one_in(2)) continue;
    write_socket(connection, everything ? connection.unwritten.size()
                                        : random_.between(1, connection.unwritten.size()));
    if (!everything) return;
  }
}

/// The socket takes the next deliveries; what is acknowledged automatically is done by that.
void World::write_socket(Connection& connection, std::size_t deliveries) {
  const std::uint64_t last = connection.unwritten[deliveries - 1].number;
  std::vector<core::Delivery> taken;
  for (; deliveries > 0; --deliveries) {
    taken.push_back(std::move(connection.unwritten.front()));
    connection.unwritten.pop_front();
  }
  enter([&] {
    for (core::Delivery& delivery : taken) {
      model_.written(delivery);
      connection.pipe.emplace_back(std::move(delivery));
    }
    engine_->written(connection.details.id, last, now_);
  });
}

/// The client takes one thing from the network; false: there is nothing.
bool World::receive(Connection& connection) {
  if (connection.pipe.empty()) return false;
  auto item = std::move(connection.pipe.front());
  connection.pipe.pop_front();
  Client& client = clients_[connection.client];
  if (std::holds_alternative<Connection::Receipt>(item)) {
    ++report_.receipts;
    forget_answered(client, std::get<Connection::Receipt>(item).token);
    if (client.receipts_awaited > 0) --client.receipts_awaited;
    return true;
  }
  const auto& delivery = std::get<core::Delivery>(item);
  if (!delivery.message) return true;  // a browser's end
  model_.received(delivery);
  const Consumer* consumer = model_.consumer(delivery.subscription);
  if (consumer != nullptr && !consumer->automatic) {
    client.unacknowledged.emplace_back(delivery.subscription, delivery.id);
    remember(client, delivery.subscription, delivery.id);
  }
  return true;
}

}  // namespace pabal::sim
