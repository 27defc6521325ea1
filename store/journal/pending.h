#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/store.h"
#include "store/annotated_mutex.h"
#include "store/journal/format.h"

namespace pabal::store {

/// One batch of the engine: a range of the group's steps.
struct PendingBatch {
  std::uint32_t first_op = 0;
  std::uint32_t ops = 0;
  std::uint64_t bytes = 0;  ///< message bytes
  bool cancelled = false;
};

/// Batches with consecutive tickets, waiting to be written.
struct PendingGroup {
  std::uint64_t first_ticket = 0;
  std::vector<PendingBatch> batches;
  std::vector<core::StoreOp> ops;

  [[nodiscard]] bool empty() const noexcept { return batches.empty(); }
  void clear() noexcept {
    batches.clear();
    ops.clear();
  }
};

/// A message on its way out of a segment that is being reclaimed.
struct Relocation {
  core::MessageRef message;
  std::uint64_t old_segment = 0;
  std::uint64_t old_offset = 0;
  std::vector<Place> places;
};

/// What reclaiming appends. Has no ticket: nobody waits for it but the reclaimer, by number.
struct InternalBatch {
  std::uint64_t number = 0;
  std::vector<Relocation> relocations;
  std::string ops;          ///< encoded steps without payload, after the relocations
  std::uint64_t bytes = 0;  ///< roughly, in the journal
};

/// Where the engine's batches wait for the store thread. The only thing that both touch; its lock
/// is held for moves of pointers only.
///
/// A batch that is one acknowledgement is patient: nobody loses anything if it is not written, only
/// a message comes again after a crash. So it waits for a batch that is not, for somebody who holds
/// an answer until it is durable, or for hurry(); of a consumer that acknowledges one message after
/// the other, the acknowledgement then costs no sync of its own.
class PendingQueue {
 public:
  /// `patience`: whether acknowledgements wait; if so, somebody calls hurry().
  explicit PendingQueue(bool patience) noexcept : patience_(patience) {}

  /// Inside the engine. Takes the contents of `ops`. True in `wake`: so much waits that the store
  /// thread, which sleeps, should not wait for push().
  core::Ticket append(std::span<core::StoreOp> ops, bool& wake) PABAL_EXCLUDES(mutex_);
  /// Inside the engine. See core::Store::cancel.
  bool cancel(core::Ticket ticket, core::ListId list) PABAL_EXCLUDES(mutex_);
  struct Pushed {
    bool wake = false;    ///< something is to be written, and the store thread sleeps
    bool raised = false;  ///< cancel() has moved durable() since the last push
  };
  /// See core::Store::push. Any thread.
  Pushed push(core::Ticket wanted) PABAL_EXCLUDES(mutex_);
  /// As push() when somebody is about to write: wakes nobody. False: `ticket` is not among what
  /// waits.
  bool want(core::Ticket ticket) PABAL_EXCLUDES(mutex_);
  /// What waits with patience is written now, too. Any thread; wakes nobody. False: nothing waits.
  bool hurry() PABAL_EXCLUDES(mutex_);
  /// Whether all that waits is patient, and there is something.
  [[nodiscard]] bool only_patient() PABAL_EXCLUDES(mutex_);
  /// The store thread sleeps for a while only, and will call hurry(): what is patient need not wake
  /// it.
  void set_lingering(bool lingering) PABAL_EXCLUDES(mutex_);
  void append_internal(InternalBatch batch) PABAL_EXCLUDES(mutex_);

  /// Store thread: takes everything that is pending. `group` must be empty; its memory is reused.
  /// False: there is nothing, or nothing but what is patient.
  bool seal(PendingGroup& group) PABAL_EXCLUDES(mutex_);
  std::optional<InternalBatch> take_internal() PABAL_EXCLUDES(mutex_);
  /// Store thread: the last ticket of what was cancelled to the last batch and so never sealed, if
  /// it is behind all that was; once.
  std::optional<core::Ticket> take_passed() PABAL_EXCLUDES(mutex_);
  /// Store thread: what was sealed is durable up to `ticket`; `bytes` of messages with it.
  void publish(core::Ticket ticket, std::uint64_t bytes) PABAL_EXCLUDES(mutex_);
  /// Store thread: nothing to do; the next append must wake it. False: there is something that is
  /// not patient.
  bool rest() PABAL_EXCLUDES(mutex_);
  /// Store thread: what the reclaimer appended waits for room; the next append must wake it all the
  /// same, because that may fit. False: there is something appended.
  bool rest_without_internal() PABAL_EXCLUDES(mutex_);

  [[nodiscard]] core::Ticket submitted() const noexcept {
    return core::Ticket{submitted_.load(std::memory_order_relaxed)};
  }
  [[nodiscard]] core::Ticket durable() const noexcept {
    return core::Ticket{durable_.load(std::memory_order_acquire)};
  }
  /// Message bytes appended and not durable yet.
  [[nodiscard]] std::uint64_t undurable_bytes() const noexcept {
    return undurable_bytes_.load(std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t batches_cancelled() const noexcept {
    return batches_cancelled_.load(std::memory_order_relaxed);
  }

 private:
  bool merge_acknowledgement(std::span<core::StoreOp> ops) PABAL_REQUIRES(mutex_);
  void raise_durable(std::uint64_t ticket) noexcept;

  const bool patience_;
  Mutex mutex_;
  PendingGroup group_ PABAL_GUARDED_BY(mutex_);
  std::uint64_t live_batches_ PABAL_GUARDED_BY(mutex_) = 0;  // of group_, not cancelled
  std::deque<InternalBatch> internal_ PABAL_GUARDED_BY(mutex_);
  bool sealed_outstanding_ PABAL_GUARDED_BY(mutex_) = false;
  std::uint64_t sealed_last_ PABAL_GUARDED_BY(mutex_) = 0;
  std::uint64_t passed_last_ PABAL_GUARDED_BY(mutex_) = 0;
  bool urgent_ PABAL_GUARDED_BY(mutex_) = false;     // of group_, something is not patient
  bool lingering_ PABAL_GUARDED_BY(mutex_) = false;  // while resting_: it comes by itself
  bool resting_ PABAL_GUARDED_BY(mutex_) = false;
  bool raised_ PABAL_GUARDED_BY(mutex_) = false;  // by cancel(), since the last push
  std::atomic<bool> unpushed_{false};
  std::atomic<std::uint64_t> wanted_{0};  // highest that was pushed
  std::atomic<std::uint64_t> submitted_{0};
  std::atomic<std::uint64_t> durable_{0};
  std::atomic<std::uint64_t> undurable_bytes_{0};
  std::atomic<std::uint64_t> batches_cancelled_{0};
};

}  // namespace pabal::store
