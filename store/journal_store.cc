#include "store/journal_store.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <pthread.h>
#include <thread>
#include <unistd.h>
#include <utility>

#include "store/annotated_mutex.h"
#include "store/journal_core.h"

namespace pabal::store {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds kPause{1000};  // before trying again what failed
/// So long may whoever pushes be held up by writing himself. After a time longer than that the
/// store's thread writes for so many times as long: a slow disk takes a twentieth of his time.
constexpr std::chrono::microseconds kQuickSync{500};
constexpr int kSlowSyncPause = 20;
/// What is passing is held back for so many times as long as an entry takes to be written and
/// synced, and no shorter than timers can measure. Several are held back for longer: see
/// Engine::State::soon().
constexpr int kPassingWaitEntries = 2;
constexpr std::chrono::microseconds kPassingWaitMin{50};
constexpr std::size_t kSeveralPassing = 4;
constexpr int kEntryTimeShare = 8;                       // of the last in the running mean
constexpr std::chrono::milliseconds kIdle{200};          // then looks whether segments can go
constexpr std::chrono::milliseconds kRemovalPause{500};  // between segments that are not needed
constexpr int kGroupsPerReclaim = 32;
/// How far the thread that reads back steps back when the processors are busy: what is new goes
/// first, but on a machine that others keep busy it must not come to a stop.
constexpr int kBackgroundNice = 3;

/// A thread's bell: rung by anybody, heard once.
class Bell {
 public:
  void ring() noexcept {
    {
      const std::lock_guard lock(mutex_);
      if (rung_) return;
      rung_ = true;
    }
    bell_.notify_one();
  }
  /// True: rung; false: the time passed.
  bool wait(std::chrono::milliseconds time) {
    std::unique_lock lock(mutex_);
    const bool rung = bell_.wait_for(lock, time, [this] { return rung_; });
    rung_ = false;
    return rung;
  }
  void wait() {
    std::unique_lock lock(mutex_);
    bell_.wait(lock, [this] { return rung_; });
    rung_ = false;
  }

 private:
  std::mutex mutex_;
  std::condition_variable bell_;
  bool rung_ = false;
};

class JournalStoreImpl final : public JournalStore, private Waker {
 public:
  JournalStoreImpl() = default;
  ~JournalStoreImpl() override { close(); }

  Result<void> start(const JournalStoreOptions& options, core::StoreListener& listener) {
    auto core = JournalCore::open(options, listener, this);
    if (!core) return core.error();
    core_ = std::move(*core);
    patience_ = options.acknowledgements_wait;
    write_thread_ = std::thread([this] { run_write(); });
    index_thread_ = std::thread([this] { run_index(); });
    page_thread_ = std::thread([this] { run_page(); });
    prepare_thread_ = std::thread([this] { run_prepare(); });
    return {};
  }

  void close() override {
    if (!core_ || closed_) return;
    closed_ = true;
    // Each thread ends when it has nothing left to do, in the order in which work flows.
    stop(write_thread_, write_stops_, write_bell_);
    stop(index_thread_, index_stops_, index_bell_);
    stop(page_thread_, page_stops_, page_bell_);
    stop(prepare_thread_, prepare_stops_, prepare_bell_);
    (void)core_->flush_now();  // a failure only makes the next start read more of the journal
  }

  core::RecoveredState recovered() override { return core_->recovered(); }
  std::uint64_t epoch() const noexcept override { return core_->epoch(); }
  core::Admission admit(std::uint64_t bytes, core::Purpose purpose) override {
    return core_->admit(bytes, purpose);
  }
  void release(std::uint64_t bytes) override { core_->release(bytes); }
  std::string refusal() const override { return core_->refusal(); }
  core::Ticket append(std::span<core::StoreOp> ops) override { return core_->append(ops); }
  bool cancel(core::Ticket ticket, core::ListId list) override {
    return core_->cancel(ticket, list);
  }
  core::Pushed push(core::Ticket wanted, core::Writer writer, core::Ticket overdue) override {
    const bool written = writer == core::Writer::caller && write_here(wanted, overdue);
    core::Pushed pushed = core_->push(wanted, writer, overdue);
    pushed.raised = pushed.raised || written;
    if (pushed.held != core::kNoTicket && core_->passing() < kSeveralPassing) {
      pushed.wait = std::min(pushed.wait,
                             std::max(kPassingWaitMin, kPassingWaitEntries * entry_time_.load()));
    }
    return pushed;
  }
  core::Ticket submitted() const noexcept override { return core_->submitted(); }
  core::Ticket durable() const noexcept override { return core_->durable(); }
  void read(const core::PageRequest& request) override { core_->read(request); }
  core::StoreStatus status() const override { return core_->status(); }
  Result<MapReport> map(const MapLimits& limits) override { return core_->map(limits); }

 private:
  void wake(Step step) noexcept override {
    switch (step) {
      case Step::write:
      case Step::sync:
        return write_bell_.ring();
      case Step::apply:
      case Step::flush:
      case Step::reclaim:
        return index_bell_.ring();
      case Step::page:
        return page_bell_.ring();
      case Step::prepare:
        return prepare_bell_.ring();
    }
  }

  static void stop(std::thread& thread, std::atomic<bool>& stops, Bell& bell) {
    stops.store(true);
    bell.ring();
    thread.join();
  }

  void run_write() {
    pthread_setname_np(pthread_self(), "store");
    for (;;) {
      const bool worked = write_all();
      const bool drained = core_->durable() == core_->submitted() || core_->failed();
      // On a full disk what is left cannot be written, or the index, which it must not run away
      // from, cannot be opened. Nobody was answered for it.
      const bool stuck = core_->troubled(Step::prepare) || core_->troubled(Step::flush);
      if (write_stops_.load() && (drained || stuck)) return;
      // Stopping while a segment is awaited: looks again, so as not to depend on who rings.
      if (write_stops_.load()) {
        if (!core_->hurry()) (void)write_bell_.wait(kIdle);
      } else if (patience_.count() != 0 && (worked || core_->only_patient())) {
        linger();
      } else {
        write_bell_.wait();
      }
    }
  }

  /// One entry of what waits, written and synced; false: there is none, or no room for it yet.
  bool write_entry() PABAL_REQUIRES(write_mutex_) {
    const auto began = Clock::now();
    const bool written = core_->step(Step::write);
    if (!core_->step(Step::sync)) return written;
    const auto took = duration_cast<std::chrono::microseconds>(Clock::now() - began);
    const auto usual = entry_time_.load();
    entry_time_.store(usual + (took - usual) / kEntryTimeShare);
    return true;
  }

  bool write_all() PABAL_EXCLUDES(write_mutex_) {
    const MutexLock lock(write_mutex_);
    bool worked = false;
    while (write_entry()) worked = true;
    return worked;
  }

  /// Acknowledgements that come, or are there, go with what wakes this thread; or alone, when
  /// nothing does.
  void linger() {
    core_->set_lingering(true);
    const bool rung = write_bell_.wait(patience_);
    core_->set_lingering(false);
    if (!rung) (void)core_->hurry_patient();
  }

  /// One entry of what waits, written and synced by whoever pushes it; false: he goes on as if he
  /// had not tried, and the thread writes.
  bool write_here(core::Ticket wanted, core::Ticket overdue) PABAL_EXCLUDES(write_mutex_) {
    const auto began = Clock::now();
    if (began.time_since_epoch().count() < not_here_until_.load()) return false;
    if (!write_mutex_.try_lock()) return false;
    const bool written = core_->want(wanted, overdue) && write_entry();
    write_mutex_.unlock();
    if (!written) return false;
    // A group is several entries where it is large or a segment ends, and the next segment may not
    // be ready. The thread, which was not woken for this group, writes what is left.
    if (core_->unfinished()) write_bell_.ring();
    const auto ended = Clock::now();
    if (const auto took = ended - began; took > kQuickSync) {
      not_here_until_.store((ended + kSlowSyncPause * took).time_since_epoch().count());
    }
    return true;
  }

  void run_index() {
    pthread_setname_np(pthread_self(), "index");
    int groups = 0;
    Clock::time_point retry{};
    for (;;) {
      bool worked = false;
      while (core_->step(Step::apply)) {
        worked = true;
        if (++groups >= kGroupsPerReclaim) break;
        flush_if_due(retry);
      }
      if (groups >= kGroupsPerReclaim || !worked) {
        groups = 0;
        // With the store thread gone, what reclaiming appends would never be written.
        while (!index_stops_.load() && core_->step(Step::reclaim)) worked = true;
      }
      if (flush_if_due(retry)) worked = true;
      if (worked) continue;
      if (index_stops_.load()) return;
      (void)index_bell_.wait(kIdle);
    }
  }

  bool flush_if_due(Clock::time_point& retry) {
    if (core_->troubled(Step::flush) && Clock::now() < retry) return false;
    const bool flushed = core_->step(Step::flush);
    if (core_->troubled(Step::flush)) retry = Clock::now() + kPause;
    return flushed;
  }

  void run_page() {
    pthread_setname_np(pthread_self(), "pager");
    // On Linux this is of the thread. Without effect it would only be less polite.
    (void)!::nice(kBackgroundNice);
    while (!page_stops_.load()) {
      while (core_->step(Step::page)) {
      }
      if (!page_stops_.load()) page_bell_.wait();
    }
  }

  void run_prepare() {
    pthread_setname_np(pthread_self(), "prepare");
    Clock::time_point removal{};
    while (!prepare_stops_.load()) {
      if (const auto now = Clock::now(); now >= removal) {
        core_->allow_removal();
        removal = now + kRemovalPause;
      }
      while (!prepare_stops_.load() && core_->step(Step::prepare)) {
      }
      if (prepare_stops_.load()) return;
      (void)prepare_bell_.wait(kRemovalPause);
      // A full disk is not asked again and again by everybody who wants to send.
      if (core_->troubled(Step::prepare)) pause_preparing();
    }
  }

  void pause_preparing() {
    const auto until = Clock::now() + kPause / 4;
    while (!prepare_stops_.load() && Clock::now() < until) {
      (void)prepare_bell_.wait(kPause / 4);
    }
  }

  std::unique_ptr<JournalCore> core_;
  std::chrono::milliseconds patience_{0};
  /// Held by whoever does the steps write and sync, the thread or one that pushes: the store's one
  /// lock that is held over I/O, and outside of all others. Never waited for inside the engine.
  Mutex write_mutex_;
  std::atomic<Clock::rep> not_here_until_{0};
  /// What writing and syncing an entry has taken of late.
  std::atomic<std::chrono::microseconds> entry_time_{kQuickSync};
  bool closed_ = false;
  Bell write_bell_, index_bell_, page_bell_, prepare_bell_;
  std::atomic<bool> write_stops_{false}, index_stops_{false}, page_stops_{false},
      prepare_stops_{false};
  std::thread write_thread_, index_thread_, page_thread_, prepare_thread_;
};

}  // namespace

Result<std::unique_ptr<JournalStore>> JournalStore::open(const JournalStoreOptions& options,
                                                         core::StoreListener& listener) {
  auto store = std::make_unique<JournalStoreImpl>();
  if (auto started = store->start(options, listener); !started) return started.error();
  return std::unique_ptr<JournalStore>(std::move(store));
}

}  // namespace pabal::store
