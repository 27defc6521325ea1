#pragma once

#include <memory>

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
  /// All the work that there is: everything is durable and every page answered afterwards.
  virtual void settle() = 0;
  /// The process dies; what it gave to the operating system is there at the next start().
  virtual void kill(Random& random) = 0;
  /// The machine dies: of what was not synced, any part may be gone.
  virtual void power_cut(Random& random) = 0;
  /// How admit() answers from now on; with `granted`, as the store itself thinks.
  virtual void set_admission(core::Admission admission) = 0;
};

/// MemoryStore with durability by hand. `bytes_max`: storeUsage; 0: none.
std::unique_ptr<StoreHost> make_memory_host(std::uint64_t bytes_max);

}  // namespace pabal::sim
