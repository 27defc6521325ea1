#include "store/journal/segment_scanner.h"

#include <algorithm>

#include "store/journal/crc32c.h"

namespace pabal::store {
namespace {
constexpr std::uint64_t kReadBytes = 256 * 1024;
// Entries are rarely longer than a group (4 MB): the next header after a broken one is this near.
constexpr std::uint64_t kSearchBytes = 8ULL << 20;
}  // namespace

Result<std::string_view> SegmentScanner::bytes_at(std::uint64_t offset, std::uint64_t bytes) {
  bytes = std::min(bytes, bytes_ - std::min(bytes_, offset));
  if (offset < buffer_offset_ || offset + bytes > buffer_offset_ + buffer_.size()) {
    // Reads ahead, except where payloads are skipped anyway.
    const std::uint64_t ahead = verify_ == Verify::payloads ? kReadBytes : kReadBytes / 8;
    const std::uint64_t wanted =
        std::min(std::max(bytes, ahead), bytes_ - std::min(bytes_, offset));
    buffer_.resize(wanted);
    buffer_offset_ = offset;
    const auto got = file_.read(offset, std::as_writable_bytes(std::span(buffer_)));
    if (!got) {
      buffer_.clear();
      return got.error();
    }
    buffer_.resize(*got);
  }
  return std::string_view(buffer_).substr(offset - buffer_offset_, bytes);
}

bool SegmentScanner::payloads_good(std::string_view records, std::uint64_t offset,
                                   std::uint32_t count) const {
  for (std::uint32_t i = 0; i < count; ++i) {
    const auto message = decode_payload(records, segment_, offset);
    if (!message) return false;
    const std::uint64_t used = kPayloadHeaderBytes + message->size();
    records.remove_prefix(used);
    offset += used;
  }
  return records.empty();
}

Result<Scan> SegmentScanner::next(EntryView& entry) {
  if (offset_ + kEntryHeaderBytes > bytes_) return Scan::end;
  auto head = bytes_at(offset_, kEntryHeaderBytes);
  if (!head) return head.error();
  const auto header = decode_entry_header(*head, segment_, offset_);
  if (!header || header->epoch != epoch_ || header->bytes > bytes_ - offset_) return Scan::end;
  entry.header = *header;
  entry.segment = segment_;
  entry.offset = offset_;
  entry.payload_offset = offset_ + kEntryHeaderBytes + header->ops_bytes;
  entry.ops = {};
  if (header->closed) return Scan::closed;

  const bool whole = verify_ == Verify::payloads;
  auto body = bytes_at(offset_, whole ? header->bytes : kEntryHeaderBytes + header->ops_bytes);
  if (!body) return body.error();
  if (body->size() < kEntryHeaderBytes + header->ops_bytes) return Scan::end;
  entry.ops = body->substr(kEntryHeaderBytes, header->ops_bytes);
  const std::uint32_t crc =
      crc32c(place_seed(segment_, offset_), std::as_bytes(std::span(entry.ops)));
  if (crc != header->ops_crc) return Scan::end;
  if (whole) {
    if (body->size() < header->bytes) return Scan::end;
    const auto records = body->substr(kEntryHeaderBytes + header->ops_bytes);
    if (!payloads_good(records, entry.payload_offset, header->payloads)) return Scan::end;
  }
  offset_ += align_up(header->bytes, kEntryAlignment);
  return Scan::entry;
}

Result<bool> SegmentScanner::anything_behind() {
  const std::uint64_t end = std::min(bytes_, offset_ + kSearchBytes);
  for (std::uint64_t at = offset_ + kEntryAlignment; at + kEntryHeaderBytes <= end;
       at += kEntryAlignment) {
    auto head = bytes_at(at, kEntryHeaderBytes);
    if (!head) return head.error();
    const auto header = decode_entry_header(*head, segment_, at);
    if (header && header->epoch == epoch_) return true;
  }
  return false;
}

}  // namespace pabal::store
