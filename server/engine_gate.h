#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "core/engine.h"
#include "core/store.h"
#include "core/thread_annotations.h"
#include "server/clock.h"
#include "server/logger.h"

namespace pabal::server {

/// The engine's one door: a mutex, and the EngineRole with it. A loop enters once per turn with all
/// that its connections have, and leaves with the effects for its own home; for other homes they
/// stay in the engine's outboxes, and those loops are woken. Nobody does I/O or formats inside.
///
/// It also hears the store (StoreListener): what the store's threads report is kept here, and the
/// next loop that enters tells the engine, so that no thread of the store ever waits for the door.
///
/// Lock order: the door, then `pages_mutex_`; wakers are called under neither.
class EngineGate final : public core::StoreListener {
 public:
  /// Wakes one loop if it sleeps. Any thread; must not block or enter.
  using Waker = std::function<void()>;

  /// Whom to wake is one word.
  static constexpr std::uint32_t kHomesMax = 64;

  /// `homes`: at most kHomesMax.
  EngineGate(Logger& logger, std::uint32_t homes);
  ~EngineGate() override = default;

  /// Before the first entry. Both outlive the last entry.
  void attach(core::Engine& engine, core::Store& store) noexcept;
  /// Before the loops run.
  void set_waker(core::HomeId home, Waker waker);
  /// Called by failed(); it must not return control to anybody who could answer a client. By
  /// default the process ends with kExitStoreFailed.
  void set_on_failed(std::function<void(const core::Error&)> on_failed);

  /// Enters for `home`: reports what the store said, runs `fn(engine, now)`, then the engine's own
  /// queued work, and swaps the effects for `home` into `taken` (empty before). Answers whether the
  /// engine has more to do: enter again soon. Any thread, one home per thread.
  template <class Fn>
  bool enter(core::HomeId home, core::Outbox& taken, Fn&& fn) {
    std::uint64_t wake = 0;
    bool more = false;
    {
      const Door door(*this);
      const core::TimePoint now = advance_clock();
      tell_engine(now);
      std::forward<Fn>(fn)(*engine_, now);
      more = engine_->run(now);
      std::swap(taken, engine_->outbox(home));
      wake = homes_to_wake(core::raw(home)) | note_timer(core::raw(home));
    }
    wake_homes(wake);
    return more;
  }

  /// A brief change from a thread that is no home's (start, reload). Its effects wait for the
  /// loops.
  template <class Fn>
  void visit(Fn&& fn) {
    {
      const Door door(*this);
      std::forward<Fn>(fn)(*engine_, advance_clock());
    }
    // The engine's own work, and what came out for other homes, is for the first loop to pass on.
    wake_to_enter(0);
  }

  /// A brief look inside for the management thread: no effects, no work.
  template <class Fn>
  auto inspect(Fn&& fn) {
    const Door door(*this);
    return std::forward<Fn>(fn)(static_cast<const core::Engine&>(*engine_));
  }

  /// The loop of `home` was woken for the engine's sake and must enter; asking clears it.
  [[nodiscard]] bool take_wake(core::HomeId home) noexcept;
  /// The loop of `home` holds replies that wait for the store. A loop that sets it must look at
  /// Store::durable() once more before it sleeps.
  void set_holding(core::HomeId home, bool holding) noexcept;

  /// When the engine wants its tick, as of the last entry; core::TimePoint::max(): not by itself.
  [[nodiscard]] core::TimePoint next_timer() const noexcept {
    return core::from_millis(next_timer_.load(std::memory_order_relaxed));
  }

  /// The turn of the loop of `home` is over: the store may begin with what it brought. `wanted`:
  /// the highest ticket that a reply of this loop waits for; kNoTicket: none. As core::Store::push.
  core::Pushed push(core::HomeId home, core::Ticket wanted, core::Writer writer,
                    core::Ticket overdue) noexcept;
  [[nodiscard]] core::Ticket durable() const noexcept { return store_->durable(); }
  /// Longest stay inside so far.
  [[nodiscard]] std::chrono::nanoseconds longest_entry() const noexcept {
    return std::chrono::nanoseconds(longest_entry_.load(std::memory_order_relaxed));
  }
  [[nodiscard]] std::uint64_t entries() const noexcept {
    return entries_.load(std::memory_order_relaxed);
  }
  [[nodiscard]] bool store_failed() const noexcept { return failed_.load(); }

  void durable_advanced() noexcept override;
  void page_loaded(core::Page page) noexcept override;
  void space_changed() noexcept override;
  void failed(core::Error error) noexcept override;

 private:
  /// Holds the mutex and the role for one block, and times it.
  class PABAL_SCOPED_CAPABILITY Door {
   public:
    explicit Door(EngineGate& gate) PABAL_ACQUIRE(core::engine_role);
    ~Door() PABAL_RELEASE();
    Door(const Door&) = delete;
    Door& operator=(const Door&) = delete;

   private:
    EngineGate& gate_;
    std::chrono::steady_clock::time_point entered_;
  };
  struct alignas(64) Home {
    Waker waker;
    std::atomic<bool> wake{false};     // it must enter, and has been told so
    std::atomic<bool> holding{false};  // it wants to know when durable() grows
  };

  core::TimePoint advance_clock() noexcept PABAL_REQUIRES(core::engine_role);
  void tell_engine(core::TimePoint now) PABAL_REQUIRES(core::engine_role);
  std::uint64_t homes_to_wake(std::uint64_t own_home) PABAL_REQUIRES(core::engine_role);
  std::uint64_t note_timer(std::uint64_t own_home) PABAL_REQUIRES(core::engine_role);
  void wake_homes(std::uint64_t homes) noexcept;
  void wake_to_enter(std::size_t home) noexcept;

  Logger& logger_;
  std::function<void(const core::Error&)> on_failed_;
  core::Engine* engine_ = nullptr;
  core::Store* store_ = nullptr;
  std::vector<std::unique_ptr<Home>> homes_;

  std::mutex mutex_;
  core::TimePoint last_now_ PABAL_GUARDED_BY(core::engine_role);

  // What the store's threads said since the last entry.
  std::atomic<bool> durable_changed_{false};
  std::atomic<bool> space_changed_{false};
  std::atomic<bool> pages_waiting_{false};
  std::mutex pages_mutex_;
  std::vector<core::Page> pages_;  // guarded by pages_mutex_

  std::atomic<std::int64_t> next_timer_{core::to_millis(core::TimePoint::max())};
  std::atomic<bool> failed_{false};
  std::atomic<std::int64_t> longest_entry_{0};
  std::atomic<std::uint64_t> entries_{0};
};

}  // namespace pabal::server
