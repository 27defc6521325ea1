#include "server/engine_gate.h"

#include <algorithm>
#include <unistd.h>

#include "server/serve.h"

namespace pabal::server {

EngineGate::Door::Door(EngineGate& gate) : gate_(gate) {
  gate_.mutex_.lock();
  core::engine_role.acquire();
  entered_ = std::chrono::steady_clock::now();
}

EngineGate::Door::~Door() {
  const auto stay = std::chrono::steady_clock::now() - entered_;
  const std::int64_t nanoseconds =
      std::chrono::duration_cast<std::chrono::nanoseconds>(stay).count();
  // Only the holder of the mutex writes these, so a plain compare is enough.
  if (nanoseconds > gate_.longest_entry_.load(std::memory_order_relaxed)) {
    gate_.longest_entry_.store(nanoseconds, std::memory_order_relaxed);
  }
  gate_.entries_.store(gate_.entries_.load(std::memory_order_relaxed) + 1,
                       std::memory_order_relaxed);
  core::engine_role.release();
  gate_.mutex_.unlock();
}

EngineGate::EngineGate(Logger& logger, std::uint32_t homes)
    : logger_(logger), on_failed_([](const core::Error&) { ::_exit(kExitStoreFailed); }) {
  PABAL_CHECK(homes >= 1 && homes <= kHomesMax, "the wake set is one 64-bit word");
  homes_.reserve(homes);
  for (std::uint32_t i = 0; i < homes; ++i) homes_.push_back(std::make_unique<Home>());
}

void EngineGate::attach(core::Engine& engine, core::Store& store) noexcept {
  engine_ = &engine;
  store_ = &store;
}

void EngineGate::set_waker(core::HomeId home, Waker waker) {
  homes_[core::raw(home)]->waker = std::move(waker);
}

void EngineGate::set_on_failed(std::function<void(const core::Error&)> on_failed) {
  on_failed_ = std::move(on_failed);
}

core::TimePoint EngineGate::advance_clock() noexcept {
  // The wall clock may be set back; the engine's time may not.
  last_now_ = std::max(last_now_, wall_now());
  return last_now_;
}

void EngineGate::tell_engine(core::TimePoint now) {
  if (durable_changed_.load(std::memory_order_relaxed) && durable_changed_.exchange(false)) {
    engine_->durable_advanced(now);
  }
  if (space_changed_.load(std::memory_order_relaxed) && space_changed_.exchange(false)) {
    engine_->space_changed(now);
  }
  if (pages_waiting_.load(std::memory_order_acquire)) {
    std::vector<core::Page> pages;
    {
      const std::lock_guard lock(pages_mutex_);
      pages.swap(pages_);
      pages_waiting_.store(false, std::memory_order_relaxed);
    }
    for (auto& page : pages) engine_->page_loaded(std::move(page), now);
  }
}

/// The loop of home 0 ticks: it arms its timer anew when another has planned something earlier.
std::uint64_t EngineGate::note_timer(std::uint64_t own_home) {
  const auto next = core::to_millis(engine_->next_timer().value_or(core::TimePoint::max()));
  const auto before = next_timer_.load(std::memory_order_relaxed);
  if (next == before) return 0;
  next_timer_.store(next, std::memory_order_relaxed);
  return own_home != 0 && next < before ? 1 : 0;
}

std::uint64_t EngineGate::homes_to_wake(std::uint64_t own_home) {
  std::uint64_t wake = 0;
  for (std::uint32_t i = 0; i < homes_.size(); ++i) {
    if (i == own_home || engine_->outbox(core::HomeId{i}).empty()) continue;
    if (!homes_[i]->wake.exchange(true)) wake |= std::uint64_t{1} << i;
  }
  return wake;
}

void EngineGate::wake_homes(std::uint64_t homes) noexcept {
  for (std::size_t i = 0; homes != 0; ++i, homes >>= 1) {
    if ((homes & 1) != 0 && homes_[i]->waker) homes_[i]->waker();
  }
}

bool EngineGate::take_wake(core::HomeId home) noexcept {
  auto& wake = homes_[core::raw(home)]->wake;
  return wake.load(std::memory_order_relaxed) && wake.exchange(false);
}

void EngineGate::set_holding(core::HomeId home, bool holding) noexcept {
  auto& flag = homes_[core::raw(home)]->holding;
  if (flag.load(std::memory_order_relaxed) != holding) flag.store(holding);
}

core::Pushed EngineGate::push(core::HomeId home, core::Ticket wanted, core::Writer writer,
                              core::Ticket overdue) noexcept {
  const core::Pushed pushed = store_->push(wanted, writer, overdue);
  if (!pushed.raised) return pushed;
  // This loop looks at durable() by itself before it sleeps.
  for (std::size_t i = 0; i < homes_.size(); ++i) {
    if (i != core::raw(home) && homes_[i]->holding.load() && homes_[i]->waker) homes_[i]->waker();
  }
  return pushed;
}

void EngineGate::wake_to_enter(std::size_t home) noexcept {
  if (!homes_[home]->wake.exchange(true) && homes_[home]->waker) homes_[home]->waker();
}

void EngineGate::durable_advanced() noexcept {
  durable_changed_.store(true);
  for (std::size_t i = 1; i < homes_.size(); ++i) {
    if (homes_[i]->holding.load() && homes_[i]->waker) homes_[i]->waker();
  }
  wake_to_enter(0);
}

void EngineGate::page_loaded(core::Page page) noexcept {
  {
    const std::lock_guard lock(pages_mutex_);
    pages_.push_back(std::move(page));
    pages_waiting_.store(true, std::memory_order_release);
  }
  wake_to_enter(0);
}

void EngineGate::space_changed() noexcept {
  space_changed_.store(true);
  wake_to_enter(0);
}

void EngineGate::failed(core::Error error) noexcept {
  failed_.store(true);
  logger_.error("store", "the journal failed; nothing more can be acknowledged, so Pabal ends",
                {{"error", core::to_string(error.code)}, {"reason", error.text}});
  on_failed_(error);
}

}  // namespace pabal::server
