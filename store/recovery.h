#pragma once

#include <functional>
#include <string>
#include <vector>

#include "store/index/index.h"
#include "store/journal/mark.h"
#include "store/journal/segment_pool.h"
#include "store/journal/segment_scanner.h"

namespace pabal::store {

/// Names of what is in a store's directory.
struct StorePaths {
  explicit StorePaths(const std::string& directory)
      : directory(directory),
        journal(directory + "/journal"),
        mark(directory + "/journal/mark"),
        reserve(directory + "/journal/reserve"),
        index(directory + "/index"),
        rebuild(directory + "/rebuild-index"),
        lock(directory + "/lock") {}

  std::string directory;
  std::string journal;
  std::string mark;
  std::string reserve;  ///< SegmentPool's ballast
  std::string index;
  std::string rebuild;  ///< a file that asks the next start to build the index again
  std::string lock;
};

/// Reads the log and brings the index up to its end. Used at start, and by the tools, which change
/// nothing. Reads only what the index has not seen, unless the index must be built again.
class Recovery {
 public:
  /// `may_rebuild` false: an index that cannot be used is an error.
  Recovery(FileSystem& files, const StorePaths& paths, SegmentPool& pool, Index& index,
           bool may_rebuild = true)
      : files_(files), paths_(paths), pool_(pool), index_(index), may_rebuild_(may_rebuild) {}

  /// Finds the segments, the log's end and the index's state as of it. Errors: store_io for damage,
  /// with segment and offset.
  Result<void> run();
  /// Makes what run() found the past: syncs what may not be, closes the last segment, begins a new
  /// epoch in `active`.
  struct Beginning {
    std::uint64_t epoch = 0;
    LogPosition last;
    SegmentRef active;
    std::unique_ptr<SyncMark> mark;
  };
  Result<Beginning> begin_epoch();

  [[nodiscard]] const LogPosition& last() const noexcept { return last_; }
  [[nodiscard]] std::uint64_t last_epoch() const noexcept { return epoch_max_; }
  /// Every segment with entries, in the order of the log.
  struct LogSegment {
    SegmentRef file;
    std::uint64_t first_index = 0;
  };
  [[nodiscard]] const std::vector<LogSegment>& log() const noexcept { return log_; }
  /// Why the index was built again; empty: it was not.
  [[nodiscard]] const std::string& rebuilt_because() const noexcept { return rebuilt_because_; }

  using EntryHandler = std::function<Result<void>(const EntryView&)>;
  /// Reads all of the log (or up to the end that was found before).
  Result<void> read_all(Verify verify, const EntryHandler& handle);

 private:
  Result<void> find_segments();
  Result<bool> index_fits(std::string& why);
  Result<void> read_tail(const LogPosition& from, const EntryHandler& handle);
  Result<void> check_end(SegmentScanner& scanner, const SegmentRef& segment);
  Result<void> rebuild(std::string why);
  Result<void> learn(RebuildFacts& facts);
  Result<void> rewrite_unsynced();
  Result<void> rewrite(const SegmentRef& segment, std::uint64_t from, std::uint64_t end);
  Result<void> close_last();
  [[nodiscard]] Error damage(const SegmentRef& segment, std::uint64_t offset,
                             const std::string& what) const;

  FileSystem& files_;
  const StorePaths paths_;
  SegmentPool& pool_;
  Index& index_;
  const bool may_rebuild_;

  std::vector<LogSegment> log_;
  std::vector<SegmentRef> empty_;
  std::vector<std::string> unused_;
  std::optional<LogPosition> mark_;
  std::uint64_t epoch_max_ = 0;
  LogPosition last_;
  LogPosition synced_;  // what the index had: everything up to there was synced
  bool gap_ = false;    // read_tail() found segments missing
  std::string rebuilt_because_;
};

}  // namespace pabal::store
