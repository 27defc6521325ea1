#include "tests/sim/world.h"

#include <algorithm>
#include <cstdio>
#include <utility>

namespace pabal::sim {

using core::raw;

Scenario choose_scenario(Random& random, std::uint64_t steps) {
  Scenario scenario;
  scenario.steps = steps != 0          ? steps
                   : random.one_in(12) ? random.between(1200, 6000)
                                       : random.between(200, 1200);
  scenario.clients = random.between(2, 6);
  scenario.queues = random.between(1, 3);
  scenario.topics = random.one_in(4) ? 0 : 2;
  // Room for the largest message twice: what expires is moved, and for a moment is there twice.
  scenario.bytes_max = random.one_in(6) ? random.between(30'000, 100'000) : 0;
  scenario.kill_permille = random.one_in(5) ? 0 : random.between(1, 25);
  scenario.troubles = random.one_in(3);
  scenario.expiration = random.one_in(2);
  scenario.selectors = random.one_in(3);
  scenario.groups = random.one_in(3);
  scenario.xa = random.one_in(3);
  scenario.schedule = random.one_in(3);
  // A large one that comes again is there three times.
  if (scenario.schedule && scenario.bytes_max != 0) {
    scenario.bytes_max = std::max<std::uint64_t>(scenario.bytes_max, 60'000);
  }
  scenario.commands = random.one_in(3);
  scenario.several = random.one_in(3);
  if (scenario.several) {
    scenario.fan_only = random.one_in(2);
    scenario.settings.virtuals.composites.push_back(
        {{core::DestinationKind::queue, kFan},
         {{{core::DestinationKind::queue, "q.0"}, ""},
          {{core::DestinationKind::queue, "fan.red"}, kRedOnly},
          {{core::DestinationKind::topic, "news.t0"}, ""}},
         scenario.fan_only,
         false});
  }
  if (scenario.xa) scenario.kill_permille /= 3;  // a branch takes its time
  //                         send in_tx ack in_tx sub dur unsub del begin commit back temp leave
  //                         grant xa cancel command browse late
  scenario.client_weights = {30,
                             12,
                             30,
                             10,
                             6,
                             4,
                             1,
                             1,
                             4,
                             4,
                             2,
                             1,
                             1,
                             4,
                             scenario.xa ? 45U : 0U,
                             scenario.schedule ? 2U : 0U,
                             scenario.commands ? 3U : 0U,
                             scenario.commands ? 3U : 0U,
                             2};
  if (random.one_in(3)) scenario.client_weights[0] = 80;  // deep queues
  if (random.one_in(3)) scenario.client_weights[12] = 6;  // restless clients

  // Small, so that every limit is met all the time.
  core::EngineLimits& limits = scenario.limits;
  limits.list_window_bytes_max = random.one_in(3) ? 1 << 20 : random.between(500, 8000);
  limits.window_bytes_max = random.one_in(3) ? 4 << 20 : random.between(1000, 20'000);
  limits.memory_bytes_max = random.one_in(4) ? random.between(20'000, 200'000) : 0;
  if (limits.memory_bytes_max == 0 && random.one_in(3)) {
    limits.memory_bytes_max = random.between(4000, 40'000);
    limits.spilled_bytes_max = random.one_in(3) ? random.between(3000, 30'000) : 1 << 30;
  }
  limits.parked_bytes_max = random.between(500, 10'000);
  limits.unwritten_bytes_max = random.one_in(2) ? 1 << 20 : random.between(300, 5000);
  limits.topic_pending_bytes_max = random.one_in(4) ? random.between(2000, 20'000) : 1 << 20;
  limits.steps_per_entry_max =
      static_cast<std::uint32_t>(random.one_in(2) ? 4096 : random.between(1, 40));
  limits.send_fail_if_no_space = random.one_in(6);
  if (random.one_in(2)) limits.prepared_bytes_max = random.between(100, 3000);
  if (random.one_in(6)) {
    limits.prepared_branches_max = static_cast<std::uint32_t>(random.between(1, 4));
    limits.prepared_acknowledgements_max = static_cast<std::uint32_t>(random.between(1, 20));
  }
  auto policy = std::make_shared<core::DestinationPolicy>();
  if (random.one_in(3)) {
    policy->memory_limit = random.one_in(2) ? random.between(1000, 20'000) : 0;
    policy->store_limit = random.one_in(2) ? random.between(1000, 50'000) : 0;
    policy->producer_flow_control = !random.one_in(8);
  }
  scenario.identities = random.one_in(3);
  if (random.one_in(3)) {
    core::RedeliveryPolicy redelivery;
    redelivery.maximum_redeliveries = static_cast<std::int32_t>(random.below(4));
    redelivery.initial_delay = redelivery.delay = core::milliseconds(random.between(0, 1000));
    redelivery.exponential_back_off = random.one_in(2);
    redelivery.back_off_multiplier = 2;
    policy->redelivery = scenario.redelivery = redelivery;
    if (random.one_in(4)) limits.delayed_max = random.between(1, 5);
  }
  scenario.settings.policies.set_default(std::move(policy));
  return scenario;
}

World::World(const Options& options)
    : options_(options), random_(options.seed), scenario_(choose_scenario(random_, options.steps)) {
  if (options.store == StoreKind::journal) {
    host_ = make_journal_host(scenario_.bytes_max, options.seed,
                              options.sabotage == Sabotage::skip_sync, options.verbose);
  } else {
    host_ = make_memory_host(scenario_.bytes_max);
  }
  for (std::size_t i = 0; i < scenario_.clients; ++i) {
    Client& client = clients_.emplace_back();
    client.index = i;
    if (i % 2 == 1) client.client_id = "office-" + std::to_string(i);
  }
  // With too many delayed, one comes at once: then no time is promised.
  if (scenario_.redelivery && scenario_.limits.delayed_max >= 1'000'000) {
    model_.use_redelivery(*scenario_.redelivery);
  } else if (scenario_.redelivery) {
    auto policy = *scenario_.redelivery;
    policy.initial_delay = policy.delay = core::milliseconds(0);
    model_.use_redelivery(policy);
  }
  report_.hash = 0xCBF29CE484222325ULL;
}

World::~World() = default;

void World::note(const std::string& what) {
  if (options_.verbose) {
    std::printf("%6llu %s\n", static_cast<unsigned long long>(step_), what.c_str());
  }
}

void World::mix(std::uint64_t value) {
  report_.hash = (report_.hash ^ value) * 0x100000001B3ULL;
}

void World::failed(core::Error error) noexcept {
  if (!failure_) failure_ = error.text;
}

Report World::run() {
  start();
  for (step_ = 1; step_ <= scenario_.steps && !broken(); ++step_) step();
  if (!broken()) drain();
  // Everything was consumed and that is durable: nothing may come back.
  if (!broken()) crash();
  engine_.reset();
  if (const std::string wrong = broken() ? "" : host_->stop(); !wrong.empty()) {
    model_.violation(wrong);
  }
  report_.violations = model_.violations();
  report_.steps = step_;
  report_.messages = model_.messages();
  report_.deliveries = model_.deliveries();
  return std::move(report_);
}

void World::step() {
  if (random_.below(1000) < scenario_.kill_permille) {
    crash();
    while (random_.one_in(6) && !broken()) crash();  // which alone makes no dead letters
    return;
  }
  //                                  client socket receive tell store time check drain admission
  switch (random_.weighted({40, 14, 24, 16, 20, 3, 2, scenario_.steps > 600 ? 1U : 0U, 2})) {
    case 0:
      return client_turn(clients_[random_.below(clients_.size())]);
    case 1:
      return write_sockets(false);
    case 2:
      for (auto& [id, connection] : connections_) {
        for (std::uint64_t items = random_.below(6); items > 0; --items) (void)receive(connection);
      }
      return;
    case 3:
      return tell_engine();
    case 4:
      host_->step(random_);
      if (failure_) return fall_over();
      return release_receipts();
    case 5: {
      const core::TimePoint before = now_;
      now_ += core::milliseconds(random_.one_in(10) ? random_.between(1, 40'000)
                                                    : random_.between(1, 300));
      // The server's timer is exact, unless it is late.
      const auto next = engine_->next_timer();
      if (next && *next > before && random_.one_in(2)) now_ = std::min(now_, *next);
      return enter([&] { engine_->tick(now_); });
    }
    case 6:
      model_.check_branches(engine_->branches(nullptr, 1000, false));
      model_.check_schedule(engine_->snapshot().scheduled);
      return model_.check_depths(*engine_, now_);
    case 7:
      if (random_.one_in(4)) drain();
      return;
    default:
      if (scenario_.troubles) host_->trouble(random_);
  }
}

// --- the process ---------------------------------------------------------------------------------

void World::start() {
  std::string why;
  core::Store* store = host_->start(*this, why);
  if (store == nullptr) return model_.violation("the store does not start: " + why);
  if (options_.sabotage != Sabotage::none) {
    liar_ = std::make_unique<LyingStore>(*store, options_.sabotage);
    store = liar_.get();
  }
  wanted_ = core::kNoTicket;
  store_ = std::make_unique<Tap>(*store, options_.verbose);
  ++report_.starts;
  if (report_.starts > 1) {
    core::RecoveredState state = store_->state();
    // What the last process has spilled is not looked at, but the engine must delete it: it would
    // be left over in the end.
    std::erase_if(state.lists, [](const core::RecoveredList& list) {
      return core::is_temporary(list.description.destination.kind);
    });
    model_.recovered(state, read_everything(state));
  }
  spilled_bytes_ = 0;
  engine_ = std::make_unique<core::Engine>(*store_, scenario_.limits, 1);
  engine_->configure(scenario_.settings, now_);
  more_work_ = true;
  for (const char* name : kVirtualQueues) {
    if (scenario_.several) (void)engine_->create_queue(name);  // it may be there already
  }
  if (!broken()) model_.check_depths(*engine_, now_);
  if (!broken()) model_.check_branches(engine_->branches(nullptr, 1000, false));
  if (!broken()) model_.check_schedule(engine_->snapshot().scheduled);
}

/// All that every reader has not acknowledged, by the same calls that the engine would make.
std::vector<RecoveredLane> World::read_everything(const core::RecoveredState& state) {
  std::vector<RecoveredLane> lanes;
  std::uint64_t id = 1ULL << 60;
  for (const auto& list : state.lists) {
    for (const auto& reader : list.readers) {
      for (const auto& cursor : reader.cursors) {
        RecoveredLane& lane = lanes.emplace_back();
        lane.list = list.description;
        lane.reader = reader.description;
        lane.cursor = cursor;
        for (std::uint64_t first = cursor.first; first < cursor.next;) {
          store_->read({.id = ++id,
                        .list = list.description.id,
                        .reader = reader.description.id,
                        .priority = cursor.priority,
                        .first = first,
                        .end = cursor.next,
                        .entries_max = 50,
                        .bytes_max = 1 << 20,
                        .after = core::kNoTicket});
          host_->answer_page();
          if (pages_.empty() || pages_.front().error || pages_.front().covered_to <= first) {
            model_.violation("cannot read what was recovered");
            return lanes;
          }
          first = pages_.front().covered_to;
          for (auto& entry : pages_.front().entries) {
            store_->know(list.description.id, cursor.priority, entry.sequence, entry.message);
            lane.entries.push_back(std::move(entry));
          }
          pages_.clear();
        }
      }
    }
  }
  return lanes;
}

void World::crash() {
  const bool power = random_.one_in(2);
  note(power ? "POWER CUT" : "KILL");
  // What the socket held may still reach its client.
  for (auto& [id, connection] : connections_) {
    for (std::uint64_t items = random_.below(10); items > 0; --items) (void)receive(connection);
  }
  model_.crashed(store_->durable(), now_);
  count_store();
  mix(store_->hash());
  engine_.reset();
  store_.reset();
  connections_.clear();
  parked_.clear();
  answered_.clear();
  parked_branches_.clear();
  for (Client& client : clients_) {
    Client fresh;
    fresh.index = client.index;
    fresh.client_id = client.client_id;
    fresh.unanswered = std::move(client.unanswered);
    fresh.last_identity = client.last_identity;
    client = std::move(fresh);
  }
  if (power) {
    host_->power_cut(random_);
  } else {
    host_->kill(random_);
  }
  pages_.clear();
  durable_told_ = space_told_ = more_work_ = false;
  failure_.reset();
  start();
}

void World::count_store() {
  const core::StoreStatus status = store_->status();
  report_.relocations += status.messages_relocated;
  report_.cancelled += status.batches_cancelled;
}

/// The store failed. Nobody may be told anything from here on, and the process must end.
void World::fall_over() {
  note("FAILED: " + *failure_);
  ++report_.failures;
  if (!host_->may_fail()) return model_.violation("the store failed: " + *failure_);
  const core::Ticket durable = store_->durable();
  for (int i = 0; i < 20; ++i) host_->step(random_);
  if (store_->durable() != durable) model_.violation("durable grows after a failure");
  crash();
}

}  // namespace pabal::sim
