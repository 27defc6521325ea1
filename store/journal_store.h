#pragma once

#include <memory>

#include "core/store.h"
#include "store/options.h"
#include "store/store_map.h"

namespace pabal::store {

/// The durable store: a JournalCore and its threads (`store`, `index`, `pager`, `prepare`).
/// Destroying it closes it.
class JournalStore : public core::Store {
 public:
  /// Opens or creates the store in `options.directory`: locks it, recovers, begins a new epoch.
  /// `listener` outlives the store; it is called from the store's threads, also before open()
  /// returns. Errors: in_use (another process has the directory; the text names it and the pid),
  /// store_full, store_io (unreadable, or damaged: the text names segment and offset).
  static Result<std::unique_ptr<JournalStore>> open(const JournalStoreOptions& options,
                                                    core::StoreListener& listener);

  /// Waits until all that was appended is durable and indexed (on a full disk: what there is room
  /// for), writes the index down and stops the threads. No call but status() and durable()
  /// afterwards. Idempotent.
  virtual void close() = 0;
  /// Says what keeps which segment, beside the work of the store (store_map.h). Any thread, before
  /// close(); reads from the disk.
  virtual Result<MapReport> map(const MapLimits& limits) = 0;
};

}  // namespace pabal::store
