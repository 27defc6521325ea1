#pragma once

#include <memory>

#include "core/store.h"
#include "store/options.h"
#include "store/store_map.h"

namespace pabal::store {

/// One kind of work that the store has to do. Each kind is done by one thread at a time; different
/// kinds may run at once.
enum class Step : std::uint8_t {
  write,    ///< seal what is pending, encode it and write it to the journal
  sync,     ///< sync what was written, publish durable(), hand it to the index
  apply,    ///< bring the index up to one more synced entry
  flush,    ///< write the index's changes down, if that is due
  reclaim,  ///< one step of moving what still counts out of a mostly dead segment
  prepare,  ///< one step of preparing a segment ahead of need
  page,     ///< answer one page request
};

/// Told that a step has become possible. Called from any thread, inside the engine too: must only
/// wake somebody.
class Waker {
 public:
  virtual ~Waker() = default;
  virtual void wake(Step step) noexcept = 0;
};

/// The whole durable store without its threads: somebody calls step(). JournalStore does so with
/// threads, the simulator from its one thread, in any order it likes.
class JournalCore : public core::Store {
 public:
  /// Locks the directory, recovers, begins a new epoch. `listener` and `waker` (may be null)
  /// outlive the store. Errors: in_use (another process has it), store_full, store_io (unreadable,
  /// damaged: the text names segment and offset).
  static Result<std::unique_ptr<JournalCore>> open(const JournalStoreOptions& options,
                                                   core::StoreListener& listener, Waker* waker);

  /// Does at most one piece of that work; false: there is none at the moment. `prepare` answers
  /// false while preparing fails; it is worth calling again after a second. write, sync: one
  /// at a time; apply, flush, reclaim: one thread; prepare: one; page: one.
  virtual bool step(Step step) = 0;
  /// Whether the last attempt of that step failed and the next should come after a pause (a
  /// second): preparing on a full disk, flushing an index that cannot be written.
  [[nodiscard]] virtual bool troubled(Step step) const noexcept = 0;
  /// Lets `prepare` remove one more segment that is not needed. From the first call on it removes
  /// no more than that, unless the space is wanted: a file system that tells its disk what is free
  /// (the mount option discard) holds up the journal's syncs for as long as that takes. Where
  /// prepare runs.
  virtual void allow_removal() noexcept = 0;
  /// As push(), for whoever does the steps himself: wakes nobody. False: no `write` is needed for
  /// `wanted`, or none is due yet.
  virtual bool want(core::Ticket wanted, core::Ticket overdue) = 0;
  /// How many sends are held back because they are passing. Any thread.
  [[nodiscard]] virtual std::size_t passing() = 0;
  /// Whether something is written in part: `write` and `sync` go on with it. Any thread.
  [[nodiscard]] virtual bool unfinished() = 0;
  /// `write` leaves what is patient (acknowledgements_wait) and what is passing (passing_wait_max)
  /// where it is; after this call, only what comes after it. Any thread; wakes nobody. False: there
  /// is no more to write than before.
  virtual bool hurry() = 0;
  /// The same for what is patient, and all before it.
  virtual bool hurry_patient() = 0;
  /// Whether something is patient, and nothing due. Any thread.
  [[nodiscard]] virtual bool only_patient() = 0;
  /// `write` will be called before long, and hurry_patient() before it: for what is patient it need
  /// not be woken. Where write runs.
  virtual void set_lingering(bool lingering) = 0;
  /// Whether the journal failed; nothing becomes durable any more.
  [[nodiscard]] virtual bool failed() const noexcept = 0;
  /// Writes the index's changes down now, whether due or not (for a stop). Where apply runs.
  virtual Result<void> flush_now() = 0;
  /// As map_index(), of the store at work. Any thread; reads from the disk.
  virtual Result<MapReport> map(const MapLimits& limits) = 0;
};

}  // namespace pabal::store
