#pragma once

#include <atomic>
#include <deque>

#include "core/store.h"
#include "store/annotated_mutex.h"
#include "store/index/index.h"
#include "store/journal/segment_pool.h"

namespace pabal::store {

/// Answers page requests: places from the index, messages from the segments, neighbours with one
/// read. add() inside the engine, step() by one thread.
class Pager {
 public:
  Pager(Index& index, SegmentPool& pool) : index_(index), pool_(pool) {}

  void add(const core::PageRequest& request) PABAL_EXCLUDES(mutex_);
  /// Answers one request that waits for nothing above `applied`; nullopt: there is none. A message
  /// that cannot be read is in the page; an error means that the index is damaged.
  Result<std::optional<core::Page>> step(core::Ticket applied) PABAL_EXCLUDES(mutex_);
  /// Whether any request waits.
  [[nodiscard]] bool waiting() const noexcept { return waiting_.load() > 0; }

 private:
  /// False: a segment went meanwhile, look again.
  bool load(const FoundPage& found, core::Page& page);
  bool load_run(std::span<const FoundEntry> run, core::Page& page);

  Index& index_;
  SegmentPool& pool_;
  Mutex mutex_;
  std::deque<core::PageRequest> requests_ PABAL_GUARDED_BY(mutex_);
  std::atomic<std::size_t> waiting_{0};
  std::string buffer_;
};

}  // namespace pabal::store
