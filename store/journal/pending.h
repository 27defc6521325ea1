#pragma once

#include <atomic>
#include <cstddef>
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
  bool passing = false;  ///< core::StoreOp::passing
  bool patient = false;  ///< an acknowledgement
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
/// What is urgent is sealed, and all before it. Two kinds of batches are not urgent by themselves:
///
/// - One that is one acknowledgement is patient: nobody loses anything if it is not written, only a
///   message comes again after a crash. So it waits for what is urgent, for somebody who holds an
///   answer until it or something behind it is durable, or for hurry(). Of a consumer that
///   acknowledges one message after the other, the acknowledgement then costs no sync of its own.
/// - One that is passing will probably be cancelled before long, although somebody holds an answer.
///   It waits for what is urgent, or for hurry(); and what is urgent before it leaves it behind, or
///   else its acknowledgement would have to be written as well, with the next ones before it.
///
/// Where nothing is sealed and not synced, what was cancelled up to the first batch that was not
/// counts as durable at once. Otherwise what was sealed must be durable first; but it is forgotten
/// at once in any case: what goes on passing must not grow while a disk stands still.
class PendingQueue {
 public:
  /// Whether acknowledgements are patient, and what is passing waits. If so, somebody calls
  /// hurry().
  struct Waits {
    bool acknowledgements = false;
    bool passing = false;
  };
  explicit PendingQueue(Waits waits) noexcept : waits_(waits) {}

  /// Inside the engine. Takes the contents of `ops`. True in `wake`: so much waits that the store
  /// thread, which sleeps, should not wait for push().
  core::Ticket append(std::span<core::StoreOp> ops, bool& wake) PABAL_EXCLUDES(mutex_);
  /// Inside the engine. See core::Store::cancel.
  bool cancel(core::Ticket ticket, core::ListId list) PABAL_EXCLUDES(mutex_);
  struct Pushed {
    bool wake = false;    ///< something is to be written, and the store thread sleeps
    bool raised = false;  ///< cancel() has moved durable() since the last push
    core::Ticket held = core::kNoTicket;  ///< up to here, something waits that is only passing
  };
  /// See core::Store::push. Any thread.
  Pushed push(core::Ticket wanted, core::Ticket overdue) PABAL_EXCLUDES(mutex_);
  /// As push() when somebody is about to write: wakes nobody. False: `wanted` is not among what
  /// waits, which leaves `overdue` to the push() that follows, or nothing is urgent.
  bool want(core::Ticket wanted, core::Ticket overdue) PABAL_EXCLUDES(mutex_);
  /// All that waits is urgent, up to `last`. Any thread; wakes nobody. False: nothing is, that was
  /// not before.
  bool hurry(core::Ticket last = core::Ticket{~std::uint64_t{0}}) PABAL_EXCLUDES(mutex_);
  /// What is patient, and all before it.
  bool hurry_patient() PABAL_EXCLUDES(mutex_);
  /// Whether something is patient, and nothing urgent.
  [[nodiscard]] bool only_patient() PABAL_EXCLUDES(mutex_);
  /// The store thread sleeps for a while only, and will call hurry_patient(): what is patient need
  /// not wake it.
  void set_lingering(bool lingering) PABAL_EXCLUDES(mutex_);
  void append_internal(InternalBatch batch) PABAL_EXCLUDES(mutex_);
  /// How many batches are passing. Any thread.
  [[nodiscard]] std::size_t passing() const PABAL_EXCLUDES(mutex_);
  /// Whether something is sealed and not durable yet.
  [[nodiscard]] bool sealed_outstanding() PABAL_EXCLUDES(mutex_);

  /// Store thread: takes what is urgent, what is before it, and what follows it up to something
  /// passing. `group` must be empty; its memory is reused. False: nothing is urgent.
  bool seal(PendingGroup& group) PABAL_EXCLUDES(mutex_);
  std::optional<InternalBatch> take_internal() PABAL_EXCLUDES(mutex_);
  /// Store thread: the last ticket of what was cancelled and so never sealed, if it is behind all
  /// that was; once.
  std::optional<core::Ticket> take_passed() PABAL_EXCLUDES(mutex_);
  /// Store thread: what was sealed is durable up to `ticket`; `bytes` of messages with it. False:
  /// durable() is where it was.
  bool publish(core::Ticket ticket, std::uint64_t bytes) PABAL_EXCLUDES(mutex_);
  /// Store thread: nothing to do; the next append must wake it. False: there is something urgent.
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
  /// Message bytes appended and not durable yet, and what those that were cancelled still take up
  /// here: so a limit on the one bounds the other.
  [[nodiscard]] std::uint64_t undurable_bytes() const noexcept {
    return undurable_bytes_.load(std::memory_order_relaxed) +
           kCancelledBytes * cancelled_.load(std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t batches_cancelled() const noexcept {
    return batches_cancelled_.load(std::memory_order_relaxed);
  }

 private:
  static constexpr std::uint64_t kCancelledBytes = sizeof(PendingBatch) + sizeof(core::StoreOp);

  bool merge_acknowledgement(std::span<core::StoreOp> ops) PABAL_REQUIRES(mutex_);
  void want_patient(std::uint64_t number) PABAL_REQUIRES(mutex_);
  bool make_urgent(std::uint64_t number) PABAL_REQUIRES(mutex_);
  void leave_behind(PendingGroup& sealed, std::size_t cut) PABAL_REQUIRES(mutex_);
  bool pass_cancelled() PABAL_REQUIRES(mutex_);
  bool raise_passed() PABAL_REQUIRES(mutex_);
  void forget_passed(std::size_t count) PABAL_REQUIRES(mutex_);
  [[nodiscard]] std::uint64_t last() const PABAL_REQUIRES(mutex_) {
    return group_.first_ticket + group_.batches.size() - 1;
  }
  /// How many of its first batches were cancelled.
  [[nodiscard]] std::size_t passed() const PABAL_REQUIRES(mutex_) {
    return passed_to_ < group_.first_ticket ? 0 : passed_to_ - group_.first_ticket + 1;
  }
  [[nodiscard]] std::uint64_t first_live() const PABAL_REQUIRES(mutex_) {
    return group_.first_ticket + passed();
  }
  void set_cancelled(std::size_t count) noexcept PABAL_REQUIRES(mutex_) {
    cancelled_.store(count, std::memory_order_relaxed);
  }
  bool raise_durable(std::uint64_t ticket) noexcept;

  const Waits waits_;
  mutable Mutex mutex_;
  PendingGroup group_ PABAL_GUARDED_BY(mutex_);
  std::size_t passing_ PABAL_GUARDED_BY(mutex_) = 0;  // of its batches, those not cancelled
  // All behind what was sealed, up to here, was cancelled; 0: nothing ever.
  std::uint64_t passed_to_ PABAL_GUARDED_BY(mutex_) = 0;
  // Its first and last batch that is patient, and the last that is urgent; 0: none.
  std::uint64_t first_patient_ PABAL_GUARDED_BY(mutex_) = 0;
  std::uint64_t last_patient_ PABAL_GUARDED_BY(mutex_) = 0;
  std::uint64_t urgent_to_ PABAL_GUARDED_BY(mutex_) = 0;
  std::deque<InternalBatch> internal_ PABAL_GUARDED_BY(mutex_);
  bool sealed_outstanding_ PABAL_GUARDED_BY(mutex_) = false;
  std::uint64_t sealed_last_ PABAL_GUARDED_BY(mutex_) = 0;
  std::uint64_t passed_last_ PABAL_GUARDED_BY(mutex_) = 0;
  bool lingering_ PABAL_GUARDED_BY(mutex_) = false;  // while resting_: it comes by itself
  bool resting_ PABAL_GUARDED_BY(mutex_) = false;
  bool raised_ PABAL_GUARDED_BY(mutex_) = false;  // by cancel(), since the last push
  std::atomic<bool> unpushed_{false};             // push() has something to do, or to tell
  std::atomic<std::uint64_t> wanted_{0};          // highest that was pushed
  std::atomic<std::uint64_t> submitted_{0};
  std::atomic<std::uint64_t> durable_{0};
  std::atomic<std::uint64_t> undurable_bytes_{0};  // of messages
  std::atomic<std::uint64_t> cancelled_{0};        // batches of group_
  std::atomic<std::uint64_t> batches_cancelled_{0};
};

}  // namespace pabal::store
