#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/destination.h"
#include "core/ids.h"
#include "core/store.h"
#include "store/coding.h"

/// The bytes of the journal; FORMAT.md describes them. All integers are little-endian.
namespace pabal::store {

inline constexpr std::uint32_t kJournalFormatVersion = 2;
/// The oldest that is read: without count_refusal.
inline constexpr std::uint32_t kJournalFormatVersionRead = 1;
inline constexpr std::uint64_t kSegmentHeaderBytes = 4096;
inline constexpr std::uint64_t kEntryHeaderBytes = 64;
inline constexpr std::uint64_t kPayloadHeaderBytes = 8;
inline constexpr std::uint64_t kEntryAlignment = 8;
inline constexpr std::uint64_t kPageBytes = 4096;
/// Places in a segment are 32 bits.
inline constexpr std::uint64_t kSegmentBytesMax = 1ULL << 31;

constexpr std::uint64_t align_up(std::uint64_t value, std::uint64_t to) noexcept {
  return (value + to - 1) / to * to;
}

/// A place in the log: entry `index` of `epoch` lies at `offset` of `segment` and ends at `end`.
struct LogPosition {
  std::uint64_t epoch = 0;
  std::uint64_t index = 0;  ///< 0: before the first entry
  std::uint64_t segment = 0;
  std::uint64_t offset = 0;
  std::uint64_t end = 0;

  friend bool operator==(const LogPosition&, const LogPosition&) = default;
};

struct SegmentHeader {
  std::uint64_t segment = 0;
  std::uint64_t epoch = 0;
  LogPosition previous;  ///< the last entry of the log before this epoch
};

/// The whole first page of a segment.
std::string encode_segment_header(const SegmentHeader& header);
/// nullopt: no header of this format, or a broken one.
std::optional<SegmentHeader> decode_segment_header(std::string_view page);

struct EntryHeader {
  std::uint64_t epoch = 0;
  std::uint64_t index = 0;
  std::uint64_t bytes = 0;  ///< of the whole entry, unpadded; kEntryHeaderBytes at least
  std::uint32_t ops_bytes = 0;
  std::uint32_t payloads = 0;
  std::uint32_t ops_crc = 0;
  bool closed = false;  ///< the segment ends here; not an entry, index is that of the last one
};

void encode_entry_header(const EntryHeader& header, std::uint64_t segment, std::uint64_t offset,
                         char* to);
std::optional<EntryHeader> decode_entry_header(std::string_view bytes, std::uint64_t segment,
                                               std::uint64_t offset);

/// Checksum of one payload record (its length and bytes) at a place.
std::uint32_t payload_crc(std::uint64_t segment, std::uint64_t offset, std::string_view message);
/// The message bytes of the record at `record`, which stands at the place; nullopt: broken.
std::optional<std::string_view> decode_payload(std::string_view record, std::uint64_t segment,
                                               std::uint64_t offset);

/// Steps of an entry. 1 to 12 are core::StoreOpKind's; the rest is the store's own, written when a
/// segment is reclaimed.
enum class JournalOpKind : std::uint8_t {
  add = 1,
  acknowledge = 3,
  touch = 4,
  count_delivery = 5,
  create_list = 6,
  delete_list = 7,
  create_reader = 8,
  delete_reader = 9,
  put_attachment = 10,
  delete_attachment = 11,
  count_refusal = 12,
  relocate = 32,            ///< a message again, with the places that still point at it
  list_state = 33,          ///< a list, its readers and how far they are, as of an entry
  set_count = 34,           ///< deliveries of one entry for one reader: at least so many
  high_ids = 35,            ///< highest list and reader id ever used
  restore_attachment = 36,  ///< an attachment again, as of an entry
  restore_tombstone = 37,   ///< an attachment's deletion again, as of an entry
  list_deleted = 38,        ///< a list's deletion again
  kept_segments = 39,       ///< which segments have what is left of the log up to an entry
};

/// One list entry of a message.
struct Place {
  core::ListId list{};
  std::uint8_t priority = 0;
  std::uint64_t sequence = 0;
};

struct ListStateLane {
  std::uint8_t priority = 0;
  std::uint64_t next = 0;
  std::uint64_t touched_to = 0;
};

struct ListStateReader {
  core::ReaderDescription description;
  std::vector<std::uint64_t> first;  ///< per lane: everything below is done
};

struct ListState {
  std::uint64_t as_of = 0;  ///< index of the last entry that it reflects
  core::ListDescription list;
  std::vector<ListStateLane> lanes;
  std::vector<ListStateReader> readers;
};

/// One decoded step. Which fields mean something depends on `kind`; views live as long as the
/// bytes.
struct JournalOp {
  JournalOpKind kind{};
  std::uint8_t priority = 0;
  core::ListId list{};
  core::ReaderId reader{};
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  /// restore_*: index of the entry restored; set_count: the count; kept_segments: the last entry.
  std::uint64_t version = 0;
  std::uint64_t payload_offset = 0;  ///< add, relocate: of the payload record in the segment
  std::uint32_t payload_bytes = 0;   ///< message bytes
  std::int64_t expiration = 0;
  std::uint64_t old_segment = 0;  ///< relocate
  std::uint64_t old_offset = 0;
  std::vector<Place> places;
  std::string_view key;
  std::string_view value;
  core::ListDescription list_description;
  core::ReaderDescription reader_description;
  ListState state;
  std::vector<std::uint64_t> segments;  ///< kept_segments
};

/// Appends steps to the ops section of an entry.
class OpWriter {
 public:
  explicit OpWriter(std::string& out) : out_(out) {}

  void add(std::uint32_t message_bytes, std::int64_t expiration, const std::vector<Place>& places);
  void relocate(std::uint32_t message_bytes, std::int64_t expiration, std::uint64_t old_segment,
                std::uint64_t old_offset, const std::vector<Place>& places);
  void range(JournalOpKind kind, core::ListId list, core::ReaderId reader, std::uint8_t priority,
             std::uint64_t first, std::uint64_t last);
  void touch(core::ListId list, std::uint8_t priority, std::uint64_t last);
  void create_list(const core::ListDescription& list);
  void delete_list(core::ListId list);
  void create_reader(const core::ReaderDescription& reader);
  void delete_reader(core::ListId list, core::ReaderId reader);
  void put_attachment(std::string_view key, std::string_view value);
  void delete_attachment(std::string_view key);
  void list_state(const ListState& state);
  void set_count(core::ListId list, core::ReaderId reader, std::uint8_t priority,
                 std::uint64_t sequence, std::uint64_t count);
  void high_ids(core::ListId list, core::ReaderId reader);
  void restore_attachment(std::string_view key, std::string_view value, std::uint64_t version);
  void restore_tombstone(std::string_view key, std::uint64_t version);
  void list_deleted(core::ListId list);
  void kept_segments(std::uint64_t up_to, const std::vector<std::uint64_t>& segments);

 private:
  void kind(JournalOpKind kind) { out_.push_back(static_cast<char>(kind)); }
  void places(const std::vector<Place>& places);

  std::string& out_;
};

/// Walks the ops section of an entry whose payloads start at `payload_offset` of its segment.
class OpReader {
 public:
  OpReader(std::string_view ops, std::uint64_t payload_offset) noexcept
      : decoder_(ops), payload_offset_(payload_offset) {}

  /// Fills `op`, reusing its memory; false at the end or where the bytes stop making sense.
  bool next(JournalOp& op);
  /// Whether the section ended exactly at its end.
  [[nodiscard]] bool complete() const noexcept { return decoder_.complete() && good_; }

 private:
  void read_payload(JournalOp& op);
  void read_places(JournalOp& op);
  void read_range(JournalOp& op);
  bool read(JournalOp& op);

  Decoder decoder_;
  std::uint64_t payload_offset_;
  bool good_ = true;
};

}  // namespace pabal::store
