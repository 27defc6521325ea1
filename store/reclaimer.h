#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "store/annotated_mutex.h"
#include "store/index/index.h"
#include "store/journal/pending.h"
#include "store/journal/segment_pool.h"
#include "store/journal/segment_scanner.h"

namespace pabal::store {

/// Takes segments back. What still counts in the emptiest one is appended again as ordinary steps:
/// live messages, and the facts that an index rebuilt from the segments left would miss
/// (acknowledgements of messages elsewhere, states of lists, attachments, deletions). When P is
/// past that, the segment goes. Home: the index thread.
class Reclaimer {
 public:
  Reclaimer(Index& index, SegmentPool& pool, PendingQueue& pending, std::uint64_t segment_bytes);

  /// One bounded piece of work. `applied`: the last of this reclaimer's batches that the index has
  /// seen. False: nothing to do at the moment. Errors: the index is damaged.
  Result<bool> step(std::uint64_t applied);
  /// Segments wait for P to pass what was appended for them.
  [[nodiscard]] bool wants_flush() const;
  /// Segments that cannot be read, ascending; they are left as they are. Any thread.
  [[nodiscard]] std::vector<std::uint64_t> given_up() const {
    const MutexLock lock(given_up_mutex_);
    return {given_up_.begin(), given_up_.end()};
  }
  [[nodiscard]] std::uint64_t messages_relocated() const noexcept {
    return messages_relocated_.load(std::memory_order_relaxed);
  }

 private:
  using AcknowledgedKey = std::tuple<std::uint64_t, std::uint64_t, std::uint8_t>;
  struct SaidCount {
    Place place;
    core::ReaderId reader{};
    std::uint32_t count = 0;
  };
  struct Job {
    ClosedSegment segment;
    bool has_live = false;
    std::unique_ptr<SegmentScanner> scanner;
    InternalBatch batch;
    std::vector<SaidCount> counts;  // in the batch being made, then in the one under way
    std::set<std::uint64_t> lists;  // whose state must be written again
    std::map<AcknowledgedKey, std::vector<std::pair<std::uint64_t, std::uint64_t>>> acknowledged;
    std::size_t ranges = 0;
    bool scanned = false;
    bool appended = false;        // everything was
    std::uint64_t waits_for = 0;  // number of the last batch appended
  };
  struct Finished {
    std::uint64_t segment = 0;
    std::uint64_t index = 0;  // P must be at or past this entry
  };

  bool release_finished();
  bool choose();
  Result<void> scan();
  Result<void> keep(const JournalOp& op, std::uint64_t index);
  Result<void> keep_message(const JournalOp& op);
  Result<void> keep_counts(const JournalOp& op);
  Result<void> say_count(const Place& place, core::ReaderId reader, std::uint32_t known);
  Result<void> confirm_counts();
  /// Whether the segment goes as soon as P is past what was written for it.
  [[nodiscard]] bool is_going(std::uint64_t number) const;
  [[nodiscard]] bool is_given_up(std::uint64_t number) const;
  [[nodiscard]] bool keep_deletion(bool original) const;
  Result<void> keep_attachment(const JournalOp& op, std::uint64_t index);
  void mention(core::ListId list, std::uint64_t index);
  void keep_acknowledged();
  void finish_scan();
  void append();
  void give_up();

  Index& index_;
  SegmentPool& pool_;
  PendingQueue& pending_;
  const std::uint64_t segment_bytes_;
  const std::uint64_t batch_bytes_;  // of what is appended at once
  std::unique_ptr<Job> job_;
  std::vector<Finished> finished_;
  mutable Mutex given_up_mutex_;  // a leaf
  std::set<std::uint64_t> given_up_ PABAL_GUARDED_BY(given_up_mutex_);
  std::uint64_t batch_number_ = 0;
  std::atomic<std::uint64_t> messages_relocated_{0};
  JournalOp op_;
};

}  // namespace pabal::store
