#include "tests/sim/session_world.h"

#include <cstdio>
#include <utility>

namespace pabal::sim {

namespace {

std::string numbered(const char* text, std::uint64_t number) {
  return text + std::to_string(number);
}

}  // namespace

SessionWorld::SessionWorld(bool journal, std::uint64_t seed, bool verbose)
    : random_(seed), verbose_(verbose) {
  host_ = journal ? make_journal_host(0, seed, false, verbose) : make_memory_host(0);
  limits_.retained_window_bytes_max = random_.one_in(2) ? 1 << 20 : random_.between(0, 600);
  limits_.list_window_bytes_max = random_.one_in(2) ? 1 << 20 : random_.between(300, 3000);
  limits_.steps_per_entry_max =
      static_cast<std::uint32_t>(random_.one_in(2) ? 4096 : random_.between(1, 40));
  const auto add = [this](Role role, std::size_t index) {
    static constexpr const char* kNames[] = {"keeper", "publisher", "consumer", "member", "mortal"};
    Client& client = clients_.emplace_back();
    client.role = role;
    client.index = index;
    client.id = numbered(kNames[static_cast<std::size_t>(role)], index);
  };
  add(Role::keeper, 0);
  add(Role::publisher, 0);
  add(Role::publisher, 1);
  add(Role::consumer, 0);
  for (std::size_t i = 0; i < 3; ++i) add(Role::member, i);
  for (std::size_t i = 0; i < 3; ++i) add(Role::mortal, i);
  report_.hash = 0xCBF29CE484222325ULL;
}

SessionWorld::~SessionWorld() = default;

void SessionWorld::note(const std::string& what) const {
  if (verbose_) std::printf("%6llu %s\n", static_cast<unsigned long long>(step_), what.c_str());
}

SessionReport SessionWorld::run() {
  start();
  // Readers that everything must reach are there, for good, before anything is sent.
  for (auto& client : clients_) {
    if (client.role != Role::publisher && client.role != Role::mortal) connect(client);
  }
  settle();
  const std::uint64_t steps = random_.between(200, 1500);
  const std::uint64_t kill_permille = random_.one_in(5) ? 0 : random_.between(1, 25);
  for (step_ = 1; step_ <= steps && model_.violations().empty() && !failure_; ++step_) {
    if (random_.below(1000) < kill_permille) {
      crash();
    } else {
      step();
    }
  }
  if (model_.violations().empty() && !failure_) drain();
  if (failure_) model_.violation("the store failed: " + *failure_);
  report_.wills = engine_ ? engine_->snapshot().wills_sent : 0;
  engine_.reset();
  if (const std::string wrong = model_.violations().empty() ? host_->stop() : ""; !wrong.empty()) {
    model_.violation(wrong);
  }
  report_.violations = model_.violations();
  report_.steps = step_;
  report_.deliveries = model_.deliveries();
  return std::move(report_);
}

// --- the process ---------------------------------------------------------------------------------

void SessionWorld::start() {
  std::string why;
  store_ = host_->start(*this, why);
  if (store_ == nullptr) {
    failure_ = "it does not start: " + why;
    return;
  }
  ++report_.starts;
  engine_ = std::make_unique<core::Engine>(*store_, limits_, 1);
  engine_->configure({}, now_);
  core::ConnectOptions options;
  options.remote = "sim";
  sender_ = *engine_->connect(options, now_);
}

void SessionWorld::crash() {
  note("CRASH");
  model_.crashed(store_->durable());
  engine_.reset();
  by_connection_.clear();
  for (auto& client : clients_) {
    client.connection.reset();
    client.out.clear();
    client.subscriptions.clear();
    client.will = 0;
  }
  if (random_.one_in(2)) {
    host_->power_cut(random_);
  } else {
    host_->kill(random_);
  }
  pages_.clear();
  durable_told_ = space_told_ = false;
  failure_.reset();  // dying, it failed
  start();
  if (!failure_) look_at_retained();
}

void SessionWorld::enter() {
  for (int i = 0; i < 3 && engine_->run(now_); ++i) {
  }
  (void)store_->push(store_->submitted(), core::Writer::store, core::kNoTicket);
  take_effects();
}

void SessionWorld::take_effects() {
  core::Outbox taken;
  std::swap(taken, engine_->outbox(core::HomeId{}));
  for (const auto& delivery : taken.deliveries) {
    const auto at = by_connection_.find(delivery.connection);
    if (at == by_connection_.end()) continue;
    engine_->written(delivery.connection, delivery.number, now_);
    receive(*at->second, delivery);
  }
}

void SessionWorld::tell_engine() {
  if (std::exchange(durable_told_, false)) engine_->durable_advanced(now_);
  if (std::exchange(space_told_, false)) engine_->space_changed(now_);
  if (!pages_.empty()) {
    core::Page page = std::move(pages_.front());
    pages_.pop_front();
    engine_->page_loaded(std::move(page), now_);
  }
  enter();
}

void SessionWorld::settle() {
  for (int i = 0; i < 20'000; ++i) {
    if (!host_->settle() || failure_) return;
    const bool told = durable_told_ || space_told_ || !pages_.empty();
    tell_engine();
    const bool more = engine_->run(now_);
    take_effects();
    if (!told && !more && engine_->submitted() <= store_->durable()) return;
  }
  model_.violation("it never comes to rest");
}

void SessionWorld::make_room() {
  constexpr std::uint64_t kEnough = 4000;
  if (store_->admit(kEnough) == core::Admission::granted) return store_->release(kEnough);
  settle();
}

void SessionWorld::step() {
  //                               client numbers retain look host tell time
  switch (random_.weighted({40, 10, 8, random_.one_in(20) ? 10U : 0U, 24, 24, 4})) {
    case 0:
      act(clients_[random_.below(clients_.size())]);
      return enter();
    case 1:
      send_numbers();
      return enter();
    case 2:
      retain();
      return enter();
    case 3:
      return look_at_retained();
    case 4:
      return host_->step(random_);
    case 5:
      return tell_engine();
    default:
      now_ += core::milliseconds(random_.between(1, 20'000));
      engine_->tick(now_);
      return enter();
  }
}

/// Everybody comes back and takes what there is.
void SessionWorld::drain() {
  note("drain");
  settle();
  look_at_retained();
  for (int idle = 0, round = 0; idle < 3 && round < 10'000; ++round) {
    bool moved = false;
    for (auto& client : clients_) {
      if (client.role == Role::mortal) {
        if (client.connection) leave(client);
        continue;
      }
      if (!client.connection) connect(client);
      for (; !client.out.empty(); moved = true) acknowledge(client, 0);
    }
    settle();
    if (moved) continue;
    ++idle;  // wills and ends of sessions may come yet
    now_ += core::milliseconds(100'000);
    engine_->tick(now_);
    settle();
  }
  model_.check_end();
}

}  // namespace pabal::sim
