#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "core/store.h"
#include "store/annotated_mutex.h"
#include "store/memory/memory_state.h"

namespace pabal::store {

struct MemoryStoreOptions {
  std::uint64_t bytes_max = 0;  ///< storeUsage: admit() puts sends (not moves) off; 0: no limit
  std::uint64_t epoch = 1;      ///< number of the first start
  /// Batches become durable by make_durable() only, as if on a disk that restart() cuts off. Pages
  /// are then read from what is durable, and not before PageRequest::after is.
  bool manual_durability = false;
};

/// core::Store in memory: for `persistent="false"` brokers, and a puppet for tests.
///
/// In a broker: every batch is durable at once; start() begins a thread that answers page reads and
/// tells the listener of progress, so that it is never called from inside the engine.
/// In tests: no thread; deliver() and deliver_pages() call the listener, when the test says so.
/// Threads: as core::Store says; what the tests use, by one thread.
class MemoryStore final : public core::Store {
 public:
  explicit MemoryStore(MemoryStoreOptions options = {});
  ~MemoryStore() override;

  // --- in a broker ------------------------------------------------------------------------------

  /// `listener` outlives the store or stop(). From here on a thread of the store calls it.
  void start(core::StoreListener& listener);
  /// Ends the thread; no call of the listener runs after it. Not from inside the engine.
  void stop();

  // --- core::Store ------------------------------------------------------------------------------

  core::RecoveredState recovered() override;
  [[nodiscard]] std::uint64_t epoch() const noexcept override;
  /// `bytes`: Message::flat() of what will be added.
  core::Admission admit(std::uint64_t bytes, core::Purpose purpose = core::Purpose::send) override;
  void release(std::uint64_t bytes) override;
  [[nodiscard]] std::string refusal() const override;
  core::Ticket append(std::span<core::StoreOp> ops) override;
  bool cancel(core::Ticket ticket, core::ListId list) override;
  [[nodiscard]] core::Ticket submitted() const noexcept override;
  [[nodiscard]] core::Ticket durable() const noexcept override;
  void read(const core::PageRequest& request) override;
  [[nodiscard]] core::StoreStatus status() const override;

  // --- in tests, without start() ----------------------------------------------------------------

  /// Whom deliver() and deliver_pages() call; outlives them. Null: pages are dropped.
  void set_listener(core::StoreListener* listener);
  /// Answers the page reads that can be answered. Not from inside the engine.
  void deliver_pages();
  /// The same, and tells of durability and space if they changed since the last time.
  void deliver();
  /// How many reads wait (those behind PageRequest::after included).
  [[nodiscard]] std::size_t pages_waiting() const;

  /// cancel() refuses from now on for everything up to `ticket`: its group is being written.
  void seal(core::Ticket ticket);
  /// How many batches came with core::StoreOp::passing, which means nothing here.
  [[nodiscard]] std::uint64_t batches_passing() const;
  /// manual_durability: everything up to `ticket` survives restart() now. Tells nobody: see
  /// deliver().
  void make_durable(core::Ticket ticket);
  /// Until called with granted: the answer of admit(), for whatever size and purpose; but for the
  /// next `granted_first` calls.
  void set_admission(core::Admission admission, std::uint32_t granted_first = 0);
  void set_bytes_max(std::uint64_t bytes_max);
  /// The process died and starts again, epoch + 1: with everything up to `survives` (at least what
  /// is durable), and nothing after it. The engine on it must have been destroyed.
  void restart(core::Ticket survives = core::kNoTicket);

 private:
  struct Batch {
    core::Ticket ticket{};
    std::vector<core::StoreOp> ops;
    bool cancelled = false;  ///< nothing of it is left
  };

  void run();
  bool deliver_next(core::StoreListener* listener);
  void apply_durable(core::Ticket ticket) PABAL_REQUIRES(mutex_);
  void pass_cancelled() PABAL_REQUIRES(mutex_);
  void drop_cancelled_reference(Batch& batch, core::ListId list) PABAL_REQUIRES(mutex_);
  void note_space() PABAL_REQUIRES(mutex_);
  [[nodiscard]] bool has_work() const PABAL_REQUIRES(mutex_);
  std::optional<core::Page> next_page() PABAL_REQUIRES(mutex_);
  [[nodiscard]] std::string full_reason() const PABAL_REQUIRES(mutex_);
  [[nodiscard]] const MemoryState& readable() const PABAL_REQUIRES(mutex_) {
    return options_.manual_durability ? durable_state_ : state_;
  }

  mutable Mutex mutex_;
  Condition work_;
  std::thread thread_;  // touched by start() and stop() only
  core::StoreListener* listener_ = nullptr;

  MemoryStoreOptions options_ PABAL_GUARDED_BY(mutex_);
  MemoryState state_ PABAL_GUARDED_BY(mutex_);          ///< with everything submitted
  MemoryState durable_state_ PABAL_GUARDED_BY(mutex_);  ///< manual_durability only
  std::deque<Batch> pending_ PABAL_GUARDED_BY(mutex_);  ///< submitted, not durable
  std::deque<core::PageRequest> requests_ PABAL_GUARDED_BY(mutex_);
  std::uint64_t epoch_ PABAL_GUARDED_BY(mutex_);
  std::uint64_t submitted_ PABAL_GUARDED_BY(mutex_) = 0;
  std::uint64_t sealed_ PABAL_GUARDED_BY(mutex_) = 0;
  std::uint64_t durable_ PABAL_GUARDED_BY(mutex_) = 0;
  std::uint64_t reserved_ PABAL_GUARDED_BY(mutex_) = 0;
  std::uint64_t bytes_written_ PABAL_GUARDED_BY(mutex_) = 0;
  std::uint64_t batches_cancelled_ PABAL_GUARDED_BY(mutex_) = 0;
  std::uint64_t batches_passing_ PABAL_GUARDED_BY(mutex_) = 0;
  core::Admission admission_ PABAL_GUARDED_BY(mutex_) = core::Admission::granted;
  std::uint32_t granted_first_ PABAL_GUARDED_BY(mutex_) = 0;
  bool refused_ PABAL_GUARDED_BY(mutex_) = false;  ///< somebody waits for space_changed
  std::string in_vain_ PABAL_GUARDED_BY(mutex_);   ///< why the last admit() refused for good
  bool tell_space_ PABAL_GUARDED_BY(mutex_) = false;
  bool tell_durable_ PABAL_GUARDED_BY(mutex_) = false;
  bool stopping_ PABAL_GUARDED_BY(mutex_) = false;
};

}  // namespace pabal::store
