#pragma once

#include <memory>
#include <string>

#include "core/store.h"
#include "tests/sim/random.h"

namespace pabal::sim {

/// A store, the disk below it, and the hand that decides when each does something. One thread.
class StoreHost {
 public:
  virtual ~StoreHost() = default;

  /// The process starts: recovery, a new epoch. `listener` outlives the next kill or cut. Null
  /// after a failure, which `why` names.
  virtual core::Store* start(core::StoreListener& listener, std::string& why) = 0;
  /// One random piece of the store's work (seal, write, sync, apply, page …), or none.
  virtual void step(Random& random) = 0;
  /// All the work that there is: without trouble, everything is durable and every page answered
  /// afterwards. False: it never ends.
  virtual bool settle() = 0;
  /// No more than it takes to answer the page that was asked for.
  virtual void answer_page() = 0;
  /// The process dies, perhaps in the middle of something; what it gave to the operating system is
  /// there at the next start(). The listener may still be called.
  virtual void kill(Random& random) = 0;
  /// The machine dies: of what was not synced, any part may be gone.
  virtual void power_cut(Random& random) = 0;

  /// Something goes wrong from now on, or gets better: a full disk, say.
  virtual void trouble(Random& random) = 0;
  /// Nothing goes wrong any more until the next trouble().
  virtual void calm() = 0;
  /// With all that is set aside in place, there is no more room from now on, until calm().
  virtual void fill_disk() = 0;
  /// An orderly stop, and a look at what is on the disk: what is wrong with it; empty: nothing.
  virtual std::string stop() = 0;
  /// Whether StoreListener::failed is no wonder after the troubles of this life.
  [[nodiscard]] virtual bool may_fail() const = 0;
};

/// MemoryStore with durability by hand. `bytes_max`: storeUsage; 0: none.
std::unique_ptr<StoreHost> make_memory_host(std::uint64_t bytes_max);
/// JournalCore, stepped, on SimulatedFileSystem. `skip_sync`: a lie, see Sabotage.
std::unique_ptr<StoreHost> make_journal_host(std::uint64_t bytes_max, std::uint64_t seed,
                                             bool skip_sync, bool verbose);

}  // namespace pabal::sim
