#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/store.h"
#include "store/annotated_mutex.h"
#include "store/delivery_count.h"
#include "store/index/block.h"
#include "store/index/key_value.h"
#include "store/journal/format.h"

namespace pabal::store {

using core::Errc;
using core::Error;
using core::Result;

/// Why an index cannot be used as it is: then it is built again from the journal.
struct IndexUnusable {
  std::string reason;
};

/// How far one reader of a list is, in one priority.
struct ReaderCursor {
  std::uint64_t first = 1;    ///< everything below is done
  std::uint64_t end = ~0ULL;  ///< of a reader being deleted: it needs nothing from here on
  std::uint64_t entries = 0;  ///< still needed
  std::uint64_t bytes = 0;    ///< their message bytes
};

/// One found entry of a page, to be read from the journal.
struct FoundEntry {
  std::uint64_t sequence = 0;
  std::uint32_t segment = 0;
  std::uint32_t offset = 0;
  std::uint32_t bytes = 0;
  DeliveryCounts counts = 0;
};

struct FoundPage {
  std::vector<FoundEntry> entries;
  std::uint64_t covered_to = 0;
  std::vector<std::pair<std::uint64_t, std::int64_t>> later;  ///< core::Page::later
};

/// What a rebuild learned in its first pass over the journal; see rebuild.h.
struct RebuildFacts;

/// The state that the journal says, exactly as of one entry of it: P. Changes gather in memory,
/// netted (what is added and acknowledged between two flushes never reaches LevelDB), and go down
/// as one synced, numbered batch with P. All that changes it runs on the index thread; the pager,
/// status() and tools read at the same time.
class Index {
 public:
  /// `memory_bytes_max`: of blocks in memory that could be read again.
  Index(KeyValueFactory& factory, std::string directory, std::uint64_t memory_bytes_max)
      : factory_(factory), directory_(std::move(directory)), memory_bytes_max_(memory_bytes_max) {}
  ~Index();

  // --- at start --------------------------------------------------------------------------------

  /// Opens and reads what stands in LevelDB: lists and positions, not messages. Errors: store_io;
  /// in `unusable` when only a rebuild helps.
  Result<void> load(std::optional<IndexUnusable>& unusable);
  /// Throws everything away and starts empty.
  Result<void> wipe();
  /// Second pass of a rebuild: apply() goes by `facts` until end_rebuild().
  void begin_rebuild(const RebuildFacts& facts);
  Result<void> end_rebuild();

  // --- the index thread ------------------------------------------------------------------------

  /// Brings the state from the entry before `position` to it. An error means that the index itself
  /// is damaged.
  Result<void> apply(const LogPosition& position, std::string_view ops,
                     std::uint64_t payload_offset);
  /// Goes on with lists and readers being deleted; false: nothing to do.
  Result<bool> work();

  /// Collects everything that changed; false: nothing did.
  bool begin_flush();
  /// Writes it, without holding up readers. An error leaves the index open for reading only.
  Result<void> write_flush();
  void end_flush(bool written);
  /// After a failed write: closes LevelDB and opens it again. Errors: as load(); `unusable` if what
  /// is there is not what was written last.
  Result<void> reopen(std::optional<IndexUnusable>& unusable);
  /// False after a reopen that failed: nothing but reopen() and status may be asked.
  [[nodiscard]] bool usable() const;

  // --- for reclaiming (index thread) -------------------------------------------------------------

  [[nodiscard]] bool has_list(core::ListId list) const;
  /// Index of the entry that the list's last list_state reflects; 0: none.
  [[nodiscard]] std::uint64_t list_state_as_of(core::ListId list) const;
  [[nodiscard]] ListState list_state(core::ListId list) const;
  /// Whether the entry is there and its message is at this place.
  Result<bool> is_at(const Place& place, std::uint64_t segment, std::uint64_t offset);
  /// Counted deliveries of an entry to a reader; 0 also if it is not there (any more).
  Result<std::uint32_t> count(const Place& place, core::ReaderId reader);
  /// The part of an acknowledged range that the cursor (and so the list's next list_state) does not
  /// say; false: nothing.
  [[nodiscard]] bool clip_acknowledged(core::ListId list, core::ReaderId reader,
                                       std::uint8_t priority, std::uint64_t& first,
                                       std::uint64_t last) const;
  struct Attachment {
    std::uint64_t version = 0;  ///< index of the entry that put it
    std::uint64_t held_at = 0;  ///< index of the entry that has it now
    std::string value;
  };
  Result<std::optional<Attachment>> attachment(std::string_view key);
  [[nodiscard]] std::pair<core::ListId, core::ReaderId> high_ids() const;

  // --- any thread ------------------------------------------------------------------------------

  core::RecoveredState recovered();
  /// Errors: bad_state (not usable at the moment), store_io (a bad row).
  Result<FoundPage> find(const core::PageRequest& request);
  [[nodiscard]] LogPosition position() const;
  /// P of what is in LevelDB for good.
  [[nodiscard]] LogPosition flushed() const;
  [[nodiscard]] std::uint64_t live_bytes(std::uint64_t segment) const;
  [[nodiscard]] std::map<std::uint64_t, std::uint64_t> live_by_segment() const;
  [[nodiscard]] std::uint64_t bytes_live() const noexcept {
    return bytes_live_.load(std::memory_order_relaxed);
  }
  /// Keys and values of all attachments.
  [[nodiscard]] std::uint64_t attachment_bytes() const noexcept {
    return attachment_bytes_.load(std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t memory_bytes() const;
  /// More blocks are in memory than should be: a flush would let them go.
  [[nodiscard]] bool memory_full() const { return memory_bytes() > memory_bytes_max_; }
  /// Every live entry, for tools: `visit` gets the list, the priority, the sequence, the entry and
  /// the readers that still need it.
  using EntryVisitor = std::function<void(const core::ListDescription&, std::uint8_t, std::uint64_t,
                                          const BlockEntry&, const std::vector<core::ReaderId>&)>;
  Result<void> visit_entries(const EntryVisitor& visit);
  /// The same in portions, beside the work of the other threads: each entry that is there all the
  /// while is visited once. Where the next portion begins:
  struct VisitPlace {
    std::vector<core::ListId> lists;  ///< those there were at the beginning; ascending
    std::size_t list = 0;             ///< in `lists`
    std::uint8_t priority = 0;
    std::uint64_t block = 0;
  };
  VisitPlace begin_visit() const;
  /// At most `blocks_max` blocks; false: that was the last. Errors: as find().
  Result<bool> visit_some(VisitPlace& place, int blocks_max, const EntryVisitor& visit);

 private:
  struct Reader {
    core::ReaderId id{};
    bool dying = false;
    std::unique_ptr<core::ReaderDescription> description;  // null: a queue's own
  };
  struct List;
  /// 64 blocks of a lane, in which something expires.
  struct ExpirySpan {
    std::uint64_t number = 0;   // sequences divided by kSpanEntries
    std::uint32_t count = 0;    // entries there that expire
    std::int64_t earliest = 0;  // not later than the first of them
    bool dirty = false;
    bool flushing = false;
  };
  struct Lane {
    List* list = nullptr;
    std::uint8_t priority = 0;
    bool dirty = false;     // in dirty_lanes_
    bool resident = false;  // in resident_lanes_: has blocks in memory
    std::uint64_t next = 1;
    std::uint64_t touched_to = 0;
    std::uint64_t unloaded = 0;         // rows in LevelDB whose block is not in memory
    std::uint64_t absent = ~0ULL;       // a block that was looked for and is not in LevelDB either
    std::vector<ReaderCursor> cursors;  // as List::readers
    std::map<std::uint64_t, std::unique_ptr<Block>> blocks;
    std::vector<ExpirySpan> expiry;  // ascending by number
  };
  struct List {
    core::ListDescription description;
    bool dying = false;
    bool gone = false;
    bool dirty = false;  // in dirty_lists_
    std::uint64_t state_as_of = 0;
    std::vector<Reader> readers;               // ascending by id
    std::vector<std::unique_ptr<Lane>> lanes;  // ascending by priority
  };
  struct SegmentUse {
    std::uint64_t live = 0;
    bool dirty = false;
  };
  struct AttachmentRow {
    std::uint64_t version = 0;
    std::uint64_t held_at = 0;
    std::optional<std::string> value;  // nullopt: deleted
    bool flushing = false;
  };

  // index.cc
  List* find_list(core::ListId id) PABAL_REQUIRES(mutex_);
  const List* find_list(core::ListId id) const PABAL_REQUIRES(mutex_);
  static std::size_t reader_at(const List& list, core::ReaderId reader);
  Lane& lane_of(List& list, std::uint8_t priority) PABAL_REQUIRES(mutex_);
  static Lane* find_lane(List& list, std::uint8_t priority);
  static const Lane* find_lane(const List& list, std::uint8_t priority);
  /// Null: nobody needs anything there.
  Result<Block*> find_block(const Place& place) PABAL_REQUIRES(mutex_);
  Result<Block*> find_block(Lane& lane, std::uint64_t number) PABAL_REQUIRES(mutex_);
  /// The first block at or above `number` that has entries, loaded; null: none.
  Result<Block*> next_block(Lane& lane, std::uint64_t number) PABAL_REQUIRES(mutex_);
  Block& new_block(Lane& lane, std::uint64_t number) PABAL_REQUIRES(mutex_);
  /// At most `blocks` blocks of the lane from `number` on, which follow the last; false: no more.
  Result<bool> visit_lane(Lane& lane, std::uint64_t& number, int& blocks, const EntryVisitor& visit)
      PABAL_REQUIRES(mutex_);
  Result<Block*> load_block(Lane& lane, std::uint64_t number, std::string_view row)
      PABAL_REQUIRES(mutex_);
  void mark_dirty(Lane& lane) PABAL_REQUIRES(mutex_);
  void mark_dirty(List& list) PABAL_REQUIRES(mutex_);
  void mark_dirty(Lane& lane, Block& block) PABAL_REQUIRES(mutex_);
  void charge(Block& block) PABAL_REQUIRES(mutex_);
  void change_live(std::uint32_t segment, std::int64_t bytes) PABAL_REQUIRES(mutex_);

  // index_apply.cc
  Result<void> apply_op(JournalOp& op) PABAL_REQUIRES(mutex_);
  Result<void> add(const JournalOp& op, const Place& place) PABAL_REQUIRES(mutex_);
  static ExpirySpan& expiry_span(Lane& lane, std::uint64_t sequence);
  static void count_expiring(Lane& lane, std::uint64_t sequence, std::int64_t expiration);
  static void uncount_expiring(Lane& lane, std::uint64_t sequence);
  Result<Block*> block_for_add(Lane& lane, std::uint64_t number) PABAL_REQUIRES(mutex_);
  Result<void> relocate(const JournalOp& op, const Place& place) PABAL_REQUIRES(mutex_);
  Result<void> acknowledge(const JournalOp& op) PABAL_REQUIRES(mutex_);
  Result<void> acknowledge(Lane& lane, std::size_t reader, std::uint64_t first, std::uint64_t last)
      PABAL_REQUIRES(mutex_);
  Result<void> acknowledge_in(Lane& lane, Block& block, std::size_t reader, std::uint64_t first,
                              std::uint64_t last) PABAL_REQUIRES(mutex_);
  Result<void> advance(Lane& lane, std::size_t reader, std::uint64_t from) PABAL_REQUIRES(mutex_);
  void restore_count(Block& block, const List& list, std::size_t reader, const Place& place)
      PABAL_REQUIRES(mutex_);
  Result<void> count_deliveries(const JournalOp& op) PABAL_REQUIRES(mutex_);
  void create_list(const core::ListDescription& description) PABAL_REQUIRES(mutex_);
  void create_reader(const core::ReaderDescription& description) PABAL_REQUIRES(mutex_);
  Result<void> delete_list(core::ListId id) PABAL_REQUIRES(mutex_);
  Result<void> delete_reader(core::ListId id, core::ReaderId reader) PABAL_REQUIRES(mutex_);
  Result<void> apply_attachment(const JournalOp& op) PABAL_REQUIRES(mutex_);
  Result<void> replace_attachment(const JournalOp& op) PABAL_REQUIRES(mutex_);
  bool needs(const Lane& lane, std::size_t reader, const Block& block, std::uint64_t sequence) const
      PABAL_REQUIRES(mutex_);
  /// Up to `blocks` blocks of what dying readers of the list still hold.
  Result<void> release_dying(List& list, int blocks) PABAL_REQUIRES(mutex_);
  void remove_reader(List& list, std::size_t reader) PABAL_REQUIRES(mutex_);
  void remove_list(List& list) PABAL_REQUIRES(mutex_);

  Result<std::optional<AttachmentRow>> find_attachment(std::string_view key) PABAL_REQUIRES(mutex_);
  Result<void> load_rows() PABAL_REQUIRES(mutex_);
  bool load_list_row(std::string_view key, std::string_view value) PABAL_REQUIRES(mutex_);
  struct MainRow {
    std::uint64_t flush_number = 0;
    LogPosition position;
    core::ListId last_list{};
    core::ReaderId last_reader{};
  };
  std::optional<MainRow> read_main(std::optional<IndexUnusable>& unusable) PABAL_REQUIRES(mutex_);
  void flush_lists() PABAL_REQUIRES(mutex_);
  void flush_lane(Lane& lane) PABAL_REQUIRES(mutex_);
  void flush_expiry(Lane& lane) PABAL_REQUIRES(mutex_);
  void flush_rest() PABAL_REQUIRES(mutex_);
  void forget_gone() PABAL_REQUIRES(mutex_);
  void clear() PABAL_REQUIRES(mutex_);
  /// Forgets blocks that LevelDB has as they are.
  void evict() PABAL_REQUIRES(mutex_);
  void forget_block(Lane& lane, std::map<std::uint64_t, std::unique_ptr<Block>>::iterator block)
      PABAL_REQUIRES(mutex_);

  KeyValueFactory& factory_;
  const std::string directory_;
  const std::uint64_t memory_bytes_max_;

  mutable Mutex mutex_;
  std::unique_ptr<KeyValue> rows_;  // replaced under mutex_, on the index thread
  LogPosition position_ PABAL_GUARDED_BY(mutex_);
  LogPosition flushed_ PABAL_GUARDED_BY(mutex_);
  std::uint64_t flush_number_ PABAL_GUARDED_BY(mutex_) = 0;  // of the last one that succeeded
  std::unordered_map<std::uint64_t, std::unique_ptr<List>> lists_ PABAL_GUARDED_BY(mutex_);
  std::vector<std::unique_ptr<List>> graveyard_ PABAL_GUARDED_BY(mutex_);
  std::vector<List*> dirty_lists_ PABAL_GUARDED_BY(mutex_);
  std::vector<Lane*> dirty_lanes_ PABAL_GUARDED_BY(mutex_);
  std::vector<Lane*> resident_lanes_ PABAL_GUARDED_BY(mutex_);
  std::vector<std::uint64_t> dying_ PABAL_GUARDED_BY(mutex_);  // lists with something dying
  std::vector<std::string> removed_keys_ PABAL_GUARDED_BY(mutex_);
  std::map<std::string, AttachmentRow, std::less<>> attachments_ PABAL_GUARDED_BY(mutex_);
  std::map<std::uint64_t, SegmentUse> segments_ PABAL_GUARDED_BY(mutex_);
  /// Changed under the mutex, read without it: the engine asks for every send.
  std::atomic<std::uint64_t> bytes_live_{0};
  std::atomic<std::uint64_t> attachment_bytes_{0};
  std::uint64_t memory_bytes_ PABAL_GUARDED_BY(mutex_) = 0;
  core::ListId last_list_ PABAL_GUARDED_BY(mutex_){};
  core::ReaderId last_reader_ PABAL_GUARDED_BY(mutex_){};
  bool changed_ PABAL_GUARDED_BY(mutex_) = false;
  const RebuildFacts* rebuild_ PABAL_GUARDED_BY(mutex_) = nullptr;
  JournalOp op_ PABAL_GUARDED_BY(mutex_);  // reused

  // The flush under way; index thread.
  KeyValueBatch flush_;
  LogPosition flush_position_;
  std::vector<std::string> flush_removed_;
  std::vector<List*> flush_lists_;
  std::vector<Lane*> flush_lanes_;
};

}  // namespace pabal::store
