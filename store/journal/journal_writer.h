#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "store/journal/format.h"
#include "store/journal/mark.h"
#include "store/journal/pending.h"
#include "store/journal/segment_pool.h"

namespace pabal::store {

/// What one turn of the writer made durable, as the index needs it.
struct DurableGroup {
  bool has_entry = false;  ///< false: all of it was cancelled, there is nothing to apply
  LogPosition position;
  std::uint64_t payload_offset = 0;
  std::string ops;
  core::Ticket last = core::kNoTicket;  ///< kNoTicket: only the reclaimer's
  std::uint64_t message_bytes = 0;
  std::uint64_t internal = 0;  ///< number of the reclaimer's batch in it, or 0
};

enum class WriteOutcome : std::uint8_t {
  nothing,  ///< nothing pending, or the last group is not synced yet
  no_room,  ///< the next segment is not ready: call again when it is
  written,  ///< call sync()
  passed,   ///< no write was needed: take() it
};

/// Turns pending batches into journal entries: seal, encode, number, write, sync, then the next.
/// Home: the store thread. Errors of write() and sync() are final.
class JournalWriter {
 public:
  JournalWriter(PendingQueue& pending, SegmentPool& pool, std::unique_ptr<SyncMark> mark,
                SegmentRef active, const LogPosition& last, std::uint64_t group_bytes_max)
      : pending_(pending),
        pool_(pool),
        mark_(std::move(mark)),
        segment_(std::move(active)),
        index_(last.index),
        group_bytes_max_(group_bytes_max) {}

  Result<WriteOutcome> write();
  /// Whether batches of the engine wait in it for the next write().
  [[nodiscard]] bool has_backlog() const noexcept { return cursor_ < backlog_.batches.size(); }
  Result<void> sync();
  /// Hands out what write() passed or sync() made durable.
  DurableGroup take() { return std::move(group_); }
  /// After the group was published: moves the mark on.
  Result<void> advance_mark() { return mark_->advance(synced_); }

 private:
  [[nodiscard]] std::uint64_t room() const noexcept;
  [[nodiscard]] std::uint64_t encoded_bytes() const noexcept {
    return kEntryHeaderBytes + ops_.size() + payload_bytes_;
  }
  bool refill();
  std::size_t encode_batches();
  void encode_batch(const PendingBatch& batch);
  void encode_send(std::span<const core::StoreOp> ops, std::size_t& at);
  void encode_step(const core::StoreOp& op);
  void encode_internal();
  Result<bool> roll(std::uint64_t bytes);
  Result<void> write_entry();
  char* start_buffer(std::uint64_t bytes);
  Result<void> write_buffer(std::uint64_t bytes);

  PendingQueue& pending_;
  SegmentPool& pool_;
  std::unique_ptr<SyncMark> mark_;
  SegmentRef segment_;
  std::uint64_t offset_ = kSegmentHeaderBytes;  // where the next entry goes
  std::uint64_t index_;                         // of the last entry
  const std::uint64_t group_bytes_max_;

  PendingGroup backlog_;    // sealed, being cut into entries
  std::size_t cursor_ = 0;  // next batch of it
  std::optional<InternalBatch> internal_;
  bool outstanding_ = false;  // written, not synced
  DurableGroup group_;
  LogPosition synced_;

  // The entry being encoded.
  std::string ops_;
  std::vector<const core::Message*> messages_;
  std::vector<Place> places_;
  std::uint64_t payload_bytes_ = 0;
  std::string tail_;  // what stands in the last page before offset_
  std::unique_ptr<char[]> buffer_;
  std::uint64_t buffer_bytes_ = 0;
};

}  // namespace pabal::store
