#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "store/annotated_mutex.h"
#include "store/file_system.h"
#include "store/journal/format.h"
#include "store/options.h"

namespace pabal::store {

/// An open segment. Whoever holds a reference keeps its bytes from being reused.
struct SegmentFile {
  std::uint64_t number = 0;
  std::uint64_t epoch = 0;
  std::uint64_t bytes = 0;
  std::string path;
  std::unique_ptr<File> file;
};
using SegmentRef = std::shared_ptr<SegmentFile>;

/// A segment that is in the log and no longer written to.
struct ClosedSegment {
  SegmentRef file;
  std::uint64_t first_index = 0;
  std::uint64_t last_index = 0;
};

/// The journal's files. Makes segments ready (written with zeros, or recycled, and synced) ahead of
/// need, so that writing the log never runs out of space. Any thread; prepare_step() by one.
class SegmentPool {
 public:
  SegmentPool(FileSystem& files, std::string directory, const JournalStoreOptions& options)
      : files_(files), directory_(std::move(directory)), options_(options) {}

  // --- at start --------------------------------------------------------------------------------

  /// Opens the segments there are. Files without a good header are given back in `unused` (ready
  /// ones of an unclean stop, or half made): they are nobody's.
  Result<std::vector<SegmentRef>> open_all(std::vector<std::string>& unused);
  void adopt_closed(ClosedSegment segment);
  /// An open segment without entries: a good one to begin with, or to remove.
  void adopt_empty(const SegmentRef& segment);
  /// Removes a segment durably. (The preparing thread does that too, with condemned ones.)
  Result<void> remove(const SegmentRef& segment);
  /// Makes the first active segment of `epoch`, from an empty one if there is one.
  Result<SegmentRef> begin_epoch(std::uint64_t epoch, const LogPosition& previous);

  // --- store thread ----------------------------------------------------------------------------

  /// The next segment to write to, with room for an entry of `bytes`; null: there is none yet, and
  /// prepare_step() knows. The one before it is to be closed then.
  SegmentRef activate(std::uint64_t bytes);
  /// Its closing mark is durable: now it may be read to its end, and reclaimed.
  void note_closed(std::uint64_t number);
  void note_written(std::uint64_t index, std::uint64_t offset);

  // --- anybody ---------------------------------------------------------------------------------

  /// Entry bytes that can be written into what is there now.
  [[nodiscard]] std::uint64_t room() const noexcept {
    return room_.load(std::memory_order_relaxed);
  }
  /// Whether an entry of `bytes` fits into one piece.
  [[nodiscard]] bool fits(std::uint64_t bytes) const;
  /// Has room for an entry of `bytes` in one piece made, if there is none. True: prepare_step() did
  /// not know yet.
  bool want_piece(std::uint64_t bytes);
  /// Has so much made ready altogether; else it is as much as one goes on with for a while. True:
  /// as above.
  bool want_room(std::uint64_t bytes);
  /// What stands set aside for acknowledgements, relocation and flushes, once it could be made.
  [[nodiscard]] std::uint64_t reserve() const;
  /// Why no segment could be made, last time.
  [[nodiscard]] std::optional<Error> failure() const;
  [[nodiscard]] bool failing() const noexcept { return failing_.load(std::memory_order_relaxed); }
  /// Null: there is none, or it is condemned and may be overwritten at any moment.
  [[nodiscard]] SegmentRef find(std::uint64_t number) const;
  [[nodiscard]] std::vector<ClosedSegment> closed() const;
  /// Numbers of the segments that have entries and are not condemned.
  [[nodiscard]] std::vector<std::uint64_t> numbers() const;
  [[nodiscard]] std::uint64_t segments() const;
  [[nodiscard]] std::uint64_t bytes_on_disk() const;
  /// Whether any other segment begins before entry `index`.
  [[nodiscard]] bool older_than(std::uint64_t index, std::uint64_t except) const;

  /// Nothing in this closed segment counts any more: reuse or remove it when nobody reads it.
  void condemn(std::uint64_t number);
  /// The index has no room for its files: gives the space that is set aside for it back to the
  /// disk, and takes none of the disk, until end_loan().
  void lend_ballast();
  void end_loan();

  // --- the preparing thread --------------------------------------------------------------------

  /// One bounded piece of work; false: there is none, or it failed (see failure()).
  bool prepare_step();
  /// See JournalCore::allow_removal().
  void allow_removal() noexcept {
    removals_paced_ = true;
    removal_allowed_ = true;
  }

 private:
  enum class State : std::uint8_t { ready, active, closed, condemned };
  struct Segment {
    SegmentRef file;
    State state{};
    std::uint64_t first_index = 0;
    std::uint64_t last_index = 0;
  };
  /// A segment (or the ballast) half made.
  struct Making {
    std::unique_ptr<File> file;
    std::string path;
    std::uint64_t bytes = 0;
    std::uint64_t written = 0;
    bool ballast = false;
  };
  enum class Task : std::uint8_t { none, fill, abandon, recycle, remove, start };

  [[nodiscard]] std::string path_of(std::uint64_t number) const;
  /// What a segment of `bytes` can hold: the closing mark's place is kept.
  static std::uint64_t capacity_of(std::uint64_t bytes) noexcept {
    return bytes - kSegmentHeaderBytes - kEntryHeaderBytes;
  }
  [[nodiscard]] std::uint64_t first_bytes() const {
    return std::min(options_.first_segment_bytes, options_.segment_bytes);
  }
  [[nodiscard]] std::string ballast_path() const { return directory_ + "/reserve"; }
  [[nodiscard]] std::uint64_t ready_room() const PABAL_REQUIRES(mutex_) { return ready_room_; }
  /// After the set of ready segments changed.
  void count_ready() PABAL_REQUIRES(mutex_);
  void count_room() PABAL_REQUIRES(mutex_);
  [[nodiscard]] std::uint64_t wanted_room() const PABAL_REQUIRES(mutex_);
  Task next_task(SegmentRef& condemned) PABAL_EXCLUDES(mutex_);
  Result<void> perform(Task task, const SegmentRef& condemned) PABAL_EXCLUDES(mutex_);
  Result<void> start_making();
  Result<void> fill();
  Result<void> recycle(const SegmentRef& segment);
  Result<void> finish(std::unique_ptr<File> file, const std::string& path, std::uint64_t bytes);
  void remove_ready_for_demand();

  FileSystem& files_;
  const std::string directory_;
  const JournalStoreOptions options_;

  mutable Mutex mutex_;
  std::map<std::uint64_t, Segment> segments_ PABAL_GUARDED_BY(mutex_);
  SegmentRef active_ PABAL_GUARDED_BY(mutex_);
  std::uint64_t active_offset_ PABAL_GUARDED_BY(mutex_) = 0;
  std::uint64_t next_number_ PABAL_GUARDED_BY(mutex_) = 1;
  std::uint64_t epoch_ PABAL_GUARDED_BY(mutex_) = 0;
  LogPosition previous_ PABAL_GUARDED_BY(mutex_);
  std::uint64_t demand_ PABAL_GUARDED_BY(mutex_) = 0;  // an entry of so many bytes found no room
  std::uint64_t room_demand_ PABAL_GUARDED_BY(mutex_) = 0;  // more than is kept ready by itself
  bool ballast_ready_ PABAL_GUARDED_BY(mutex_) = false;
  bool lent_ PABAL_GUARDED_BY(mutex_) = false;
  std::optional<Error> failure_ PABAL_GUARDED_BY(mutex_);
  std::uint64_t ready_room_ PABAL_GUARDED_BY(mutex_) = 0;
  std::atomic<std::uint64_t> room_{0};
  std::atomic<bool> failing_{false};

  // The preparing thread's.
  std::optional<Making> making_;
  bool removals_paced_ = false;
  bool removal_allowed_ = false;
};

}  // namespace pabal::store
