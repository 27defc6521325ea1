#include "server/event_loop.h"

#include <algorithm>
#include <pthread.h>
#include <utility>

namespace pabal::server {
namespace {

using core::milliseconds;

constexpr milliseconds kTickInterval{200};
/// So often in a row only one connection waited for the store.
constexpr int kLonePushes = 16;
/// A disk that stands still while the loop writes holds up no more than so many.
constexpr std::size_t kFewConnections = 32;
/// Entries of one turn: writing deliveries settles them, which makes room for more deliveries. A
/// few rounds settle most of it at once; after that the other sockets have their turn.
constexpr int kRoundsPerTurn = 4;
/// Above its limit a listener still says why it refuses; this far above it only hangs up.
constexpr std::uint32_t kRefusalsAtATime = 64;

}  // namespace

EventLoop::EventLoop(core::HomeId home, EngineGate& gate, Logger& logger, const Options& options)
    : home_(home),
      gate_(gate),
      logger_(logger),
      options_(options),
      read_buffer_(options.read_buffer_bytes),
      now_(steady_now()),
      timer_(context_),
      held_timer_(context_) {
  gate_.set_waker(home_, [this] { wake(); });
}

EventLoop::~EventLoop() {
  stop();
}

void EventLoop::start() {
  thread_ = std::thread([this] { run(); });
  const std::string name = "io/" + std::to_string(core::raw(home_));
  pthread_setname_np(thread_.native_handle(), name.c_str());
}

void EventLoop::stop() {
  if (!thread_.joinable()) return;
  boost::asio::post(context_, [this] { stopped_ = true; });
  thread_.join();
}

void EventLoop::wake() {
  boost::asio::post(context_, [] {});
}

void EventLoop::run() {
  const auto work = boost::asio::make_work_guard(context_);
  next_tick_ = steady_now();
  bool busy = true;
  while (!stopped_) {
    if (!busy) wait();
    context_.poll();
    turn();
    busy = must_enter() || gate_.durable() != durable_;
  }
}

void EventLoop::wait() {
  const auto began = IdleShare::Clock::now();
  // What a socket has now was not sent when the loop last looked at the clock: peers that spoke in
  // time must not look silent.
  away_ = true;
  context_.run_one();
  idle_.waited(began);
}

void EventLoop::turn() {
  now_ = steady_now();
  away_ = false;
  counters_.turns.store(counters_.turns.load(std::memory_order_relaxed) + 1,
                        std::memory_order_relaxed);
  release_durable();
  fire_timers();
  for (int round = 0; round < kRoundsPerTurn && must_enter(); ++round) {
    enter_engine();
    release_durable();  // a store in memory is durable at once
    encode_effects();
    flush_touched();
  }
  flush_touched();
  push();
  rearm_touched();
  reap();
  gate_.set_holding(home_, !holding_.empty());
  check_drained();
  arm_timer();
}

/// One client that waits for each of its sends, on a loop that has little else to do, is served
/// fastest and cheapest if the loop writes for it: waking the store's thread, and being woken by
/// it, costs as much as the disk. Several are better served together, by the thread, while more of
/// them come; and where there are many, the others should not depend on the disk's moods.
void EventLoop::push() {
  if (holding_.size() > 1) lone_pushes_ = 0;
  if (holding_.size() == 1 && lone_pushes_ <= kLonePushes) ++lone_pushes_;
  const bool here = holding_.size() == 1 && lone_pushes_ > kLonePushes &&
                    connections_.size() <= kFewConnections && idle_.mostly();
  const core::Ticket overdue = std::exchange(overdue_, core::kNoTicket);
  if (!here) {
    push_again_for(gate_.push(home_, wanted_, core::Writer::store, overdue));
    return;
  }
  const auto began = IdleShare::Clock::now();
  push_again_for(gate_.push(home_, wanted_, core::Writer::caller, overdue));
  idle_.excuse(began);
  away_ = true;  // for as long as the disk took
}

/// One timer at a time: what comes while it runs is held back for up to twice as long.
void EventLoop::push_again_for(const core::Pushed& pushed) {
  if (pushed.held == core::kNoTicket || held_ != core::kNoTicket) return;
  held_ = pushed.held;
  held_timer_.expires_after(pushed.wait);
  held_timer_.async_wait([this](const ErrorCode& error) noexcept {
    const core::Ticket held = std::exchange(held_, core::kNoTicket);
    if (!error) overdue_ = held;
  });
}

// --- durable -------------------------------------------------------------------------------------

void EventLoop::release_durable() {
  const auto durable = gate_.durable();
  if (durable == durable_) return;
  durable_ = durable;
  std::erase_if(holding_, [](Connection* connection) {
    connection->lists.holding = connection->release_held();
    return !connection->lists.holding;
  });
}

void EventLoop::watch_durable(Connection& connection, core::Ticket until) {
  wanted_ = std::max(wanted_, until);
  if (std::exchange(connection.lists.holding, true)) return;
  holding_.push_back(&connection);
}

// --- the engine ----------------------------------------------------------------------------------

bool EventLoop::must_enter() {
  if (gate_.take_wake(home_)) engine_has_more_ = true;
  return engine_has_more_ || !dirty_.empty() || !written_.empty() || !leaving_.empty() ||
         (options_.ticks && tick_due());
}

bool EventLoop::tick_due() const {
  if (now_ >= next_tick_) return true;
  const core::TimePoint planned = gate_.next_timer();
  return planned != core::TimePoint::max() && planned <= wall_now();
}

void EventLoop::enter_engine() {
  engine_has_more_ = gate_.enter(home_, outbox_,
                                 [this](core::Engine& engine, core::TimePoint now)
                                     PABAL_REQUIRES(core::engine_role) { run_entry(engine, now); });
}

void EventLoop::run_entry(core::Engine& engine, core::TimePoint now) {
  for (const auto& report : written_) engine.written(report.connection, report.number, now);
  written_.clear();
  for (Connection* connection : dirty_) {
    connection->apply(engine, now);
    connection->lists.dirty = false;
  }
  encoding_.swap(dirty_);
  for (Connection* connection : leaving_) {
    connection->disconnect(engine, now);
    connection->lists.leaving = false;
  }
  departed_.swap(leaving_);
  const auto planned = engine.next_timer();
  if (options_.ticks && (now_ >= next_tick_ || (planned && *planned <= now))) {
    engine.tick(now);
    next_tick_ = now_ + kTickInterval;
  }
}

void EventLoop::encode_effects() {
  for (Connection* connection : departed_) {
    if (const auto id = connection->engine_id()) unbind(*id);
  }
  departed_.clear();
  for (Connection* connection : encoding_) connection->encode_outcomes();
  encoding_.clear();
  for (const auto& delivery : outbox_.deliveries) {
    if (Connection* connection = find(delivery.connection)) connection->encode_delivery(delivery);
  }
  for (const auto& reply : outbox_.replies) {
    if (Connection* connection = find(reply.connection)) connection->encode_reply(reply);
  }
  for (const auto& effect : outbox_.effects) {
    if (Connection* connection = find(effect.connection)) {
      connection->obey(effect);
    } else if (effect.order == core::ConnectionOrder::warn) {
      logger_.peer_fault("connection", "no room for a producer", {{"reason", effect.reason}});
    }
  }
  outbox_.clear();
}

void EventLoop::commands_decoded(Connection& connection) {
  if (std::exchange(connection.lists.dirty, true)) return;
  dirty_.push_back(&connection);
}

void EventLoop::leave(Connection& connection) {
  connection.lists.leaving = true;
  leaving_.push_back(&connection);
}

void EventLoop::bind(core::ConnectionId id, Connection& connection) {
  by_engine_id_[core::raw(id)] = &connection;
}

void EventLoop::unbind(core::ConnectionId id) {
  by_engine_id_.erase(core::raw(id));
  last_found_ = nullptr;
}

Connection* EventLoop::find(core::ConnectionId id) {
  if (last_found_ != nullptr && last_found_->engine_id() == id) return last_found_;
  const auto found = by_engine_id_.find(core::raw(id));
  if (found == by_engine_id_.end()) return nullptr;
  last_found_ = found->second;
  return last_found_;
}

// --- connections ---------------------------------------------------------------------------------

void EventLoop::adopt(Endpoint& endpoint, std::unique_ptr<Transport> transport,
                      std::string remote) {
  now_ = steady_now();
  const auto open = endpoint.open.fetch_add(1, std::memory_order_relaxed);
  const auto total = endpoint.budget->open.fetch_add(1, std::memory_order_relaxed);
  const auto over = [](std::uint32_t count, std::uint32_t max) {
    return max != 0 && count >= max ? count - max + 1 : 0;
  };
  const auto excess =
      std::max(over(open, endpoint.connections_max), over(total, endpoint.budget->connections_max));
  const auto serial = next_serial_++;
  auto connection = std::make_shared<Connection>(*this, endpoint, std::move(transport),
                                                 std::move(remote), serial);
  connections_.emplace(serial, connection);
  counters_.connections.store(connections_.size(), std::memory_order_relaxed);
  if (excess == 0 && !draining()) {
    endpoint.accepted.fetch_add(1, std::memory_order_relaxed);
    connection->start({});
    return;
  }
  endpoint.refused.fetch_add(1, std::memory_order_relaxed);
  logger_.peer_fault("listener", "connection refused: the limit of connections is reached",
                     {{"listener", endpoint.name}, {"open", open}, {"total", total}});
  if (excess > kRefusalsAtATime || draining()) {
    connection->retire();
  } else {
    connection->start("too many connections: the limit of this listener or broker is reached");
  }
}

void EventLoop::touch(Connection& connection) {
  if (std::exchange(connection.lists.touched, true)) return;
  touched_.push_back(&connection);
}

void EventLoop::flush_touched() {
  // flush() may touch others in principle, so no iterators.
  for (std::size_t i = 0; i < touched_.size(); ++i) touched_[i]->flush();
}

void EventLoop::rearm_touched() {
  for (std::size_t i = 0; i < touched_.size(); ++i) {
    touched_[i]->rearm_read();
    touched_[i]->lists.touched = false;
  }
  touched_.clear();
}

void EventLoop::forget(Connection& connection) {
  const auto found = connections_.find(connection.serial());
  if (found == connections_.end()) return;
  retired_.push_back(std::move(found->second));
  connections_.erase(found);
  counters_.connections.store(connections_.size(), std::memory_order_relaxed);
}

void EventLoop::reap() {
  if (retired_.empty()) return;
  std::erase_if(holding_, [](Connection* connection) {
    if (connection->closed()) connection->lists.holding = false;
    return connection->closed();
  });
  std::erase_if(retired_, [](const auto& connection) { return !connection->lists.any(); });
}

// --- timers --------------------------------------------------------------------------------------

void EventLoop::schedule(Connection& connection, SteadyTime at) {
  deadlines_.push_back({at, connection.serial()});
  std::push_heap(deadlines_.begin(), deadlines_.end());
}

void EventLoop::fire_timers() {
  while (!deadlines_.empty() && deadlines_.front().at <= now_) {
    const Deadline due = deadlines_.front();
    std::pop_heap(deadlines_.begin(), deadlines_.end());
    deadlines_.pop_back();
    const auto found = connections_.find(due.serial);
    if (found == connections_.end() || found->second->timer_at() != due.at) continue;
    const auto connection = found->second;  // stays alive if the timer closes it
    connection->fire_timer();
  }
}

void EventLoop::arm_timer() {
  std::optional<SteadyTime> next;
  if (options_.ticks) next = std::min(next_tick_, next_planned());
  if (!deadlines_.empty() && (!next || deadlines_.front().at < *next)) next = deadlines_.front().at;
  if (drained_ && (!next || drain_deadline_ < *next)) next = drain_deadline_;
  if (!next || (timer_armed_ && *timer_armed_ <= *next)) return;
  timer_armed_ = next;
  timer_.expires_at(*next);
  timer_.async_wait([this](const ErrorCode& error) noexcept {
    if (!error) timer_armed_.reset();  // the turn that follows does what is due
  });
}

/// When the engine wants its tick, on this loop's clock; the next turn of the usual tick if that is
/// far away, because the clock on the wall may be set meanwhile.
SteadyTime EventLoop::next_planned() const {
  const core::TimePoint planned = gate_.next_timer();
  const core::TimePoint wall = wall_now();
  if (planned >= wall + kTickInterval) return now_ + kTickInterval;
  // One more, because both clocks are cut to milliseconds: a timer that fires early fires twice.
  return now_ + std::max(milliseconds(0), planned - wall) + milliseconds(1);
}

// --- graceful stop -------------------------------------------------------------------------------

std::future<void> EventLoop::drain(std::string farewell, milliseconds patience) {
  std::promise<void> drained;
  auto future = drained.get_future();
  boost::asio::post(context_, [this, farewell = std::move(farewell), patience,
                               drained = std::move(drained)]() mutable {
    drained_ = std::move(drained);
    begin_drain(farewell, patience);
  });
  return future;
}

void EventLoop::begin_drain(const std::string& farewell, milliseconds patience) {
  draining_ = true;
  now_ = steady_now();
  drain_deadline_ = now_ + patience;
  std::vector<std::shared_ptr<Connection>> all;  // begin_drain() may take one out of the map
  all.reserve(connections_.size());
  for (const auto& [serial, connection] : connections_) all.push_back(connection);
  for (const auto& connection : all) connection->begin_drain(farewell);
}

void EventLoop::check_drained() {
  if (!drained_) return;
  if (now_ >= drain_deadline_ && !connections_.empty()) {
    logger_.warn("server", "connections cut off: they took too long to drain",
                 {{"count", connections_.size()}});
    while (!connections_.empty()) {
      const auto connection = connections_.begin()->second;
      connection->retire();
    }
  }
  // The engine must have heard of the last ones, too.
  if (connections_.empty() && leaving_.empty() && dirty_.empty()) {
    drained_->set_value();
    drained_.reset();
  }
}

}  // namespace pabal::server
