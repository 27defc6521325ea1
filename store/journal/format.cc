#include "store/journal/format.h"

#include <cstring>

#include "store/journal/crc32c.h"

namespace pabal::store {
namespace {

constexpr char kSegmentMagic[8] = {'P', 'A', 'B', 'A', 'L', 'S', 'E', 'G'};
constexpr std::uint32_t kEntryMagic = 0x454c4250;  // "PBLE"
constexpr std::uint32_t kFlagClosed = 1;
constexpr std::size_t kSegmentHeaderUsed = 72;  // what the checksum covers; the rest is zero

std::uint32_t checksum(std::uint32_t seed, std::string_view bytes) noexcept {
  return crc32c(seed, std::as_bytes(std::span(bytes)));
}

}  // namespace

// --- headers -------------------------------------------------------------------------------------

std::string encode_segment_header(const SegmentHeader& header) {
  std::string page(kSegmentHeaderBytes, '\0');
  std::memcpy(page.data(), kSegmentMagic, 8);
  put_fixed32(&page[8], kJournalFormatVersion);
  put_fixed64(&page[16], header.segment);
  put_fixed64(&page[24], header.epoch);
  put_fixed64(&page[32], header.previous.epoch);
  put_fixed64(&page[40], header.previous.index);
  put_fixed64(&page[48], header.previous.segment);
  put_fixed64(&page[56], header.previous.offset);
  put_fixed64(&page[64], header.previous.end);
  put_fixed32(&page[12], checksum(0, std::string_view(page).substr(16, kSegmentHeaderUsed - 16)));
  return page;
}

std::optional<SegmentHeader> decode_segment_header(std::string_view page) {
  if (page.size() < kSegmentHeaderUsed) return std::nullopt;
  if (std::memcmp(page.data(), kSegmentMagic, 8) != 0) return std::nullopt;
  const std::uint32_t version = get_fixed32(&page[8]);
  if (version < kJournalFormatVersionRead || version > kJournalFormatVersion) return std::nullopt;
  if (get_fixed32(&page[12]) != checksum(0, page.substr(16, kSegmentHeaderUsed - 16))) {
    return std::nullopt;
  }
  SegmentHeader header;
  header.segment = get_fixed64(&page[16]);
  header.epoch = get_fixed64(&page[24]);
  header.previous.epoch = get_fixed64(&page[32]);
  header.previous.index = get_fixed64(&page[40]);
  header.previous.segment = get_fixed64(&page[48]);
  header.previous.offset = get_fixed64(&page[56]);
  header.previous.end = get_fixed64(&page[64]);
  return header;
}

void encode_entry_header(const EntryHeader& header, std::uint64_t segment, std::uint64_t offset,
                         char* to) {
  std::memset(to, 0, kEntryHeaderBytes);
  put_fixed32(to, kEntryMagic);
  put_fixed64(to + 8, header.epoch);
  put_fixed64(to + 16, header.index);
  put_fixed64(to + 24, header.bytes);
  put_fixed32(to + 32, header.ops_bytes);
  put_fixed32(to + 36, header.payloads);
  put_fixed32(to + 40, header.ops_crc);
  put_fixed32(to + 44, header.closed ? kFlagClosed : 0);
  put_fixed32(to + 4, checksum(place_seed(segment, offset), {to + 8, kEntryHeaderBytes - 8}));
}

std::optional<EntryHeader> decode_entry_header(std::string_view bytes, std::uint64_t segment,
                                               std::uint64_t offset) {
  if (bytes.size() < kEntryHeaderBytes || get_fixed32(bytes.data()) != kEntryMagic) {
    return std::nullopt;
  }
  if (get_fixed32(&bytes[4]) !=
      checksum(place_seed(segment, offset), bytes.substr(8, kEntryHeaderBytes - 8))) {
    return std::nullopt;
  }
  EntryHeader header;
  header.epoch = get_fixed64(&bytes[8]);
  header.index = get_fixed64(&bytes[16]);
  header.bytes = get_fixed64(&bytes[24]);
  header.ops_bytes = get_fixed32(&bytes[32]);
  header.payloads = get_fixed32(&bytes[36]);
  header.ops_crc = get_fixed32(&bytes[40]);
  header.closed = (get_fixed32(&bytes[44]) & kFlagClosed) != 0;
  if (header.bytes < kEntryHeaderBytes + header.ops_bytes || header.bytes > kSegmentBytesMax) {
    return std::nullopt;
  }
  return header;
}

std::uint32_t payload_crc(std::uint64_t segment, std::uint64_t offset, std::string_view message) {
  char size[4];
  put_fixed32(size, static_cast<std::uint32_t>(message.size()));
  return checksum(checksum(place_seed(segment, offset), {size, 4}), message);
}

std::optional<std::string_view> decode_payload(std::string_view record, std::uint64_t segment,
                                               std::uint64_t offset) {
  if (record.size() < kPayloadHeaderBytes) return std::nullopt;
  const std::uint32_t size = get_fixed32(&record[4]);
  if (size > record.size() - kPayloadHeaderBytes) return std::nullopt;
  const std::string_view message = record.substr(kPayloadHeaderBytes, size);
  if (get_fixed32(record.data()) != payload_crc(segment, offset, message)) return std::nullopt;
  return message;
}

// --- writing steps -------------------------------------------------------------------------------

void OpWriter::places(const std::vector<Place>& places) {
  put_varint(out_, places.size());
  for (const Place& place : places) {
    out_.push_back(static_cast<char>(place.priority));
    put_varint(out_, core::raw(place.list));
    put_varint(out_, place.sequence);
  }
}

void OpWriter::add(std::uint32_t message_bytes, std::int64_t expiration,
                   const std::vector<Place>& where) {
  kind(JournalOpKind::add);
  put_varint(out_, message_bytes);
  put_varint(out_, zigzag(expiration));
  places(where);
}

void OpWriter::relocate(std::uint32_t message_bytes, std::int64_t expiration,
                        std::uint64_t old_segment, std::uint64_t old_offset,
                        const std::vector<Place>& where) {
  kind(JournalOpKind::relocate);
  put_varint(out_, message_bytes);
  put_varint(out_, zigzag(expiration));
  put_varint(out_, old_segment);
  put_varint(out_, old_offset);
  places(where);
}

void OpWriter::range(JournalOpKind what, core::ListId list, core::ReaderId reader,
                     std::uint8_t priority, std::uint64_t first, std::uint64_t last) {
  kind(what);
  out_.push_back(static_cast<char>(priority));
  put_varint(out_, core::raw(list));
  put_varint(out_, core::raw(reader));
  put_varint(out_, first);
  put_varint(out_, last - first);
}

void OpWriter::touch(core::ListId list, std::uint8_t priority, std::uint64_t last) {
  kind(JournalOpKind::touch);
  out_.push_back(static_cast<char>(priority));
  put_varint(out_, core::raw(list));
  put_varint(out_, last);
}

void OpWriter::create_list(const core::ListDescription& list) {
  kind(JournalOpKind::create_list);
  put_varint(out_, core::raw(list.id));
  out_.push_back(static_cast<char>(list.destination.kind));
  put_text(out_, list.destination.name);
}

void OpWriter::delete_list(core::ListId list) {
  kind(JournalOpKind::delete_list);
  put_varint(out_, core::raw(list));
}

namespace {

void put_reader(std::string& out, const core::ReaderDescription& reader) {
  put_varint(out, core::raw(reader.id));
  put_text(out, reader.client_id);
  put_text(out, reader.name);
  put_text(out, reader.selector);
  out.push_back(reader.no_local ? 1 : 0);
}

core::ReaderDescription get_reader(Decoder& in, core::ListId list) {
  core::ReaderDescription reader;
  reader.id = core::ReaderId{in.varint()};
  reader.list = list;
  reader.client_id = in.text();
  reader.name = in.text();
  reader.selector = in.text();
  reader.no_local = in.byte() != 0;
  return reader;
}

core::ListDescription get_list(Decoder& in, bool& good) {
  core::ListDescription list;
  list.id = core::ListId{in.varint()};
  const std::uint8_t kind = in.byte();
  good = good && kind <= static_cast<std::uint8_t>(core::DestinationKind::temporary_topic);
  list.destination.kind = static_cast<core::DestinationKind>(kind);
  list.destination.name = in.text();
  return list;
}

}  // namespace

void OpWriter::create_reader(const core::ReaderDescription& reader) {
  kind(JournalOpKind::create_reader);
  put_varint(out_, core::raw(reader.list));
  put_reader(out_, reader);
}

void OpWriter::delete_reader(core::ListId list, core::ReaderId reader) {
  kind(JournalOpKind::delete_reader);
  put_varint(out_, core::raw(list));
  put_varint(out_, core::raw(reader));
}

void OpWriter::put_attachment(std::string_view key, std::string_view value) {
  kind(JournalOpKind::put_attachment);
  put_text(out_, key);
  put_text(out_, value);
}

void OpWriter::delete_attachment(std::string_view key) {
  kind(JournalOpKind::delete_attachment);
  put_text(out_, key);
}

void OpWriter::list_state(const ListState& state) {
  kind(JournalOpKind::list_state);
  put_varint(out_, state.as_of);
  put_varint(out_, core::raw(state.list.id));
  out_.push_back(static_cast<char>(state.list.destination.kind));
  put_text(out_, state.list.destination.name);
  put_varint(out_, state.lanes.size());
  for (const ListStateLane& lane : state.lanes) {
    out_.push_back(static_cast<char>(lane.priority));
    put_varint(out_, lane.next);
    put_varint(out_, lane.touched_to);
  }
  put_varint(out_, state.readers.size());
  for (const ListStateReader& reader : state.readers) {
    put_reader(out_, reader.description);
    for (const std::uint64_t first : reader.first) put_varint(out_, first);
  }
}

void OpWriter::set_count(core::ListId list, core::ReaderId reader, std::uint8_t priority,
                         std::uint64_t sequence, std::uint64_t count) {
  range(JournalOpKind::set_count, list, reader, priority, sequence, sequence);
  put_varint(out_, count);
}

void OpWriter::high_ids(core::ListId list, core::ReaderId reader) {
  kind(JournalOpKind::high_ids);
  put_varint(out_, core::raw(list));
  put_varint(out_, core::raw(reader));
}

void OpWriter::restore_attachment(std::string_view key, std::string_view value,
                                  std::uint64_t version) {
  kind(JournalOpKind::restore_attachment);
  put_varint(out_, version);
  put_text(out_, key);
  put_text(out_, value);
}

void OpWriter::restore_tombstone(std::string_view key, std::uint64_t version) {
  kind(JournalOpKind::restore_tombstone);
  put_varint(out_, version);
  put_text(out_, key);
}

void OpWriter::list_deleted(core::ListId list) {
  kind(JournalOpKind::list_deleted);
  put_varint(out_, core::raw(list));
}

void OpWriter::kept_segments(std::uint64_t up_to, const std::vector<std::uint64_t>& segments) {
  kind(JournalOpKind::kept_segments);
  put_varint(out_, up_to);
  put_varint(out_, segments.size());
  for (const std::uint64_t segment : segments) put_varint(out_, segment);
}

// --- reading steps -------------------------------------------------------------------------------

void OpReader::read_places(JournalOp& op) {
  op.places.clear();
  const std::uint64_t count = decoder_.varint();
  for (std::uint64_t i = 0; i < count && decoder_.ok(); ++i) {
    Place place;
    place.priority = decoder_.byte();
    place.list = core::ListId{decoder_.varint()};
    place.sequence = decoder_.varint();
    good_ = good_ && place.priority < core::kPriorities && place.sequence != 0;
    op.places.push_back(place);
  }
}

void OpReader::read_payload(JournalOp& op) {
  const std::uint64_t bytes = decoder_.varint();
  good_ = good_ && bytes <= kSegmentBytesMax;
  op.payload_bytes = static_cast<std::uint32_t>(bytes);
  op.payload_offset = payload_offset_;
  payload_offset_ += kPayloadHeaderBytes + bytes;
  op.expiration = unzigzag(decoder_.varint());
}

void OpReader::read_range(JournalOp& op) {
  op.priority = decoder_.byte();
  op.list = core::ListId{decoder_.varint()};
  op.reader = core::ReaderId{decoder_.varint()};
  op.first = decoder_.varint();
  op.last = op.first + decoder_.varint();
  good_ = good_ && op.priority < core::kPriorities && op.last >= op.first;
}

bool OpReader::next(JournalOp& op) {
  if (!good_ || decoder_.done() || !decoder_.ok()) return false;
  good_ = read(op) && good_;
  return good_ && decoder_.ok();
}

bool OpReader::read(JournalOp& op) {
  op.kind = static_cast<JournalOpKind>(decoder_.byte());
  switch (op.kind) {
    case JournalOpKind::add:
      read_payload(op);
      read_places(op);
      return true;
    case JournalOpKind::relocate:
      read_payload(op);
      op.old_segment = decoder_.varint();
      op.old_offset = decoder_.varint();
      read_places(op);
      return true;
    case JournalOpKind::acknowledge:
    case JournalOpKind::count_delivery:
    case JournalOpKind::count_refusal:
      read_range(op);
      return true;
    case JournalOpKind::set_count:
      read_range(op);
      op.version = decoder_.varint();
      return true;
    case JournalOpKind::touch:
      op.priority = decoder_.byte();
      op.list = core::ListId{decoder_.varint()};
      op.last = decoder_.varint();
      return op.priority < core::kPriorities;
    case JournalOpKind::create_list:
      op.list_description = get_list(decoder_, good_);
      op.list = op.list_description.id;
      return good_;
    case JournalOpKind::delete_list:
    case JournalOpKind::list_deleted:
      op.list = core::ListId{decoder_.varint()};
      return true;
    case JournalOpKind::create_reader:
      op.list = core::ListId{decoder_.varint()};
      op.reader_description = get_reader(decoder_, op.list);
      op.reader = op.reader_description.id;
      return true;
    case JournalOpKind::delete_reader:
    case JournalOpKind::high_ids:
      op.list = core::ListId{decoder_.varint()};
      op.reader = core::ReaderId{decoder_.varint()};
      return true;
    case JournalOpKind::put_attachment:
      op.key = decoder_.text();
      op.value = decoder_.text();
      return true;
    case JournalOpKind::delete_attachment:
      op.key = decoder_.text();
      return true;
    case JournalOpKind::restore_attachment:
      op.version = decoder_.varint();
      op.key = decoder_.text();
      op.value = decoder_.text();
      return true;
    case JournalOpKind::restore_tombstone:
      op.version = decoder_.varint();
      op.key = decoder_.text();
      return true;
    case JournalOpKind::kept_segments: {
      op.version = decoder_.varint();
      op.segments.clear();
      const std::uint64_t count = decoder_.varint();
      for (std::uint64_t i = 0; i < count && decoder_.ok(); ++i) {
        op.segments.push_back(decoder_.varint());
      }
      return true;
    }
    case JournalOpKind::list_state: {
      op.state = {};
      op.state.as_of = decoder_.varint();
      op.state.list = get_list(decoder_, good_);
      op.list = op.state.list.id;
      const std::uint64_t lanes = decoder_.varint();
      for (std::uint64_t i = 0; i < lanes && decoder_.ok(); ++i) {
        ListStateLane& lane = op.state.lanes.emplace_back();
        lane.priority = decoder_.byte();
        lane.next = decoder_.varint();
        lane.touched_to = decoder_.varint();
        good_ = good_ && lane.priority < core::kPriorities;
      }
      const std::uint64_t readers = decoder_.varint();
      for (std::uint64_t i = 0; i < readers && decoder_.ok(); ++i) {
        ListStateReader& reader = op.state.readers.emplace_back();
        reader.description = get_reader(decoder_, op.list);
        for (std::uint64_t lane = 0; lane < lanes && decoder_.ok(); ++lane) {
          reader.first.push_back(decoder_.varint());
        }
      }
      return good_;
    }
  }
  return false;  // a kind that this version does not know
}

}  // namespace pabal::store
