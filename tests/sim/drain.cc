// Letting a broker come to rest, and emptying it: what must be possible at any time.

#include "tests/sim/world.h"

namespace pabal::sim {
namespace {

constexpr std::uint64_t kSegmentsOfAnEmptyStore = 6;

}  // namespace

/// Lets everything happen that can happen without clients doing anything new.
void World::pump_everything() {
  for (int rounds = 0; rounds < 10'000 && !broken(); ++rounds) {
    if (!host_->settle()) return model_.violation("the store never comes to rest");
    if (failure_) return model_.violation("the store failed: " + *failure_);
    release_receipts();
    bool busy = durable_told_ || space_told_ || !pages_.empty() || more_work_;
    if (busy) tell_engine();
    for (auto& [id, connection] : connections_) {
      if (!connection.unwritten.empty()) {
        write_socket(connection, connection.unwritten.size());
        busy = true;
      }
      while (receive(connection)) busy = true;
    }
    if (!busy) return;
  }
  if (!broken()) model_.violation("it never comes to rest: " + why_waiting());
}

std::string World::why_waiting() const {
  std::string what =
      std::to_string(engine_->snapshot().connections_parked) + " connections wait for room";
  for (const auto& each : engine_->destinations("", 100)) {
    what += "; " + each.destination.to_text() + ": " + std::string(to_string(each.waiting));
  }
  for (const auto& each : engine_->durable_subscriptions(100)) {
    what += "; " + each.name + ": " + std::string(to_string(each.waiting));
  }
  return what + "; the store: " + store_->refusal();
}

/// Everybody leaves; then consumers come that want everything and acknowledge it.
void World::drain() {
  note("DRAIN");
  host_->calm();
  pump_everything();
  if (broken()) return;
  finish_commands();
  // Who was put off must have been told by now, if there is room.
  note("is there room?");
  const std::uint64_t replies = replies_;
  const std::uint64_t parked = engine_->snapshot().connections_parked;
  enter([&] { engine_->space_changed(now_); });
  if (replies_ != replies || engine_->snapshot().connections_parked < parked) {
    return model_.violation("there was room, and nobody said so");
  }
  everybody_leaves();
  if (broken()) return;
  model_.check_depths(*engine_, now_);
  if (scenario_.expiration) expire_everything();
  finish_branches();
  if (broken()) return;

  // Consuming needs no room that is not there already. (Moving what has expired does.)
  const bool full = !scenario_.expiration && random_.one_in(3);
  if (full) host_->fill_disk();
  consume_everything();
  if (broken()) return;
  if (full && store_->durable() != store_->submitted()) {
    return model_.violation("on a full disk acknowledgements are not written");
  }
  host_->calm();
  pump_everything();
  finish_schedule();
  if (broken()) return;
  model_.check_drained(now_);
  if (broken()) model_.violation(why_waiting());
  model_.check_depths(*engine_, now_);
  if (engine_->snapshot().connections_parked != 0) model_.violation("sends are still parked");
  everybody_leaves();
  if (broken()) return;
  const core::EngineSnapshot snapshot = engine_->snapshot();
  if (snapshot.branches_prepared != 0 || snapshot.branches_heuristic != 0) {
    model_.violation("branches are left over");
  }
  if (snapshot.bytes_held != 0) {
    model_.violation(std::to_string(snapshot.bytes_held) + " bytes are held by nobody");
  }
  if (snapshot.transactions != 0) model_.violation("transactions are left over");
  const core::StoreStatus status = store_->status();
  if (status.bytes_live != 0) {
    model_.violation(std::to_string(status.bytes_live) + " bytes are left in an empty store");
  }
  if (status.segments > kSegmentsOfAnEmptyStore) {
    model_.violation(std::to_string(status.segments) + " segments of an empty store");
  }
}

/// Nobody has anything, but prepared branches: what expires leaves by itself, wherever it is, and
/// after a start too.
void World::expire_everything() {
  note("EXPIRE");
  if (random_.one_in(3)) crash();
  host_->calm();
  pump_everything();
  now_ += core::milliseconds(random_.between(1, 4000));
  const core::TimePoint by = now_;
  for (int beats = 0; beats < 8 && !broken(); ++beats) {
    enter([&] { engine_->tick(now_); });
    pump_everything();
    now_ += core::milliseconds(300);
  }
  // Where there is no room for dead letters they wait for it.
  if (!broken() && scenario_.bytes_max == 0) model_.check_expired(*engine_, by);
}

void World::everybody_leaves() {
  for (Client& client : clients_) {
    if (client.connection && !broken()) enter([&] { disconnect(client); });
  }
  pump_everything();
}

/// In runs with selectors first what they ask for, from wherever in the queues it is, and then the
/// rest.
void World::consume_everything() {
  for (Client& client : clients_) {
    if (!connect(client, client.client_id)) return;
  }
  if (scenario_.redelivery) {
    // The longest delay is over, for whatever waits.
    now_ += core::milliseconds(10'000);
    enter([&] { engine_->tick(now_); });
    pump_everything();
    if (broken()) return;
  }
  core::SubscribeOptions everything;
  everything.interests.push_back({{core::DestinationKind::queue, ">"}, "", false});
  everything.ack_mode = core::AckMode::explicit_;
  everything.prefetch = static_cast<std::uint32_t>(random_.between(1, 50));
  if (scenario_.selectors) {
    core::SubscribeOptions red = everything;
    red.interests.front().selector = kRedOnly;
    enter([&] { (void)subscribe(clients_[0], red); });
    consume_what_comes();
    if (!broken()) model_.check_no_red_left(now_);
    if (broken()) return model_.violation(why_waiting());
    // It owns message groups, of which it refuses the rest.
    enter([&] { unsubscribe(clients_[0], 0); });
  }
  enter([&] {
    (void)subscribe(clients_[0], everything);
    for (const auto& view : engine_->durable_subscriptions(1000)) {
      for (Client& client : clients_) {
        if (client.client_id != view.client_id) continue;
        core::SubscribeOptions options = everything;
        options.interests.front().destination = view.destination;
        options.durable_name = view.name;
        (void)subscribe(client, options);
      }
    }
  });
  consume_what_comes();
}

void World::consume_what_comes() {
  for (bool any = true; any && !broken();) {
    pump_everything();
    any = false;
    for (Client& client : clients_) {
      if (client.unacknowledged.empty() || broken()) continue;
      any = true;
      enter([&] { acknowledge_everything(client); });
    }
  }
}

void World::acknowledge_everything(Client& client) {
  const auto waiting = std::move(client.unacknowledged);
  client.unacknowledged.clear();
  for (const auto& [subscription, delivery] : waiting) {
    const core::DeliveryRange range{delivery, delivery};
    const auto outcome =
        engine_->acknowledge(subscription, range, core::AckKind::consumed, "", std::nullopt, now_);
    if (outcome.disposition != core::Disposition::done) {
      return model_.violation("cannot acknowledge: " + outcome.error->text);
    }
    model_.acknowledged(subscription, range, core::AckKind::consumed, "", outcome.after);
  }
}

}  // namespace pabal::sim
