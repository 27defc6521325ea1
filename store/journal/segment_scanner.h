#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "store/file_system.h"
#include "store/journal/format.h"

namespace pabal::store {

/// One entry as read; views live until the scanner's next call.
struct EntryView {
  EntryHeader header;
  std::uint64_t segment = 0;
  std::uint64_t offset = 0;
  std::string_view ops;
  std::uint64_t payload_offset = 0;  ///< of the first payload record, in the segment

  [[nodiscard]] LogPosition position() const {
    return {header.epoch, header.index, segment, offset, offset + header.bytes};
  }
};

enum class Verify : std::uint8_t {
  ops,       ///< header and steps; payloads are not read
  payloads,  ///< every byte
};

enum class Scan : std::uint8_t {
  entry,   ///< here is one
  closed,  ///< the segment's end, said by a closing mark
  end,     ///< no (whole) entry here: the end of the log, or damage; the caller knows which
};

/// Reads the entries of one segment in order.
class SegmentScanner {
 public:
  SegmentScanner(File& file, std::uint64_t segment, std::uint64_t epoch, std::uint64_t bytes,
                 std::uint64_t offset, Verify verify)
      : file_(file),
        segment_(segment),
        epoch_(epoch),
        bytes_(bytes),
        offset_(offset),
        verify_(verify) {}

  /// Errors: store_io if the file cannot be read.
  Result<Scan> next(EntryView& entry);
  /// Where the next entry would be.
  [[nodiscard]] std::uint64_t offset() const noexcept { return offset_; }
  /// Whether a whole entry header stands anywhere behind the scanner: then what it stopped at is
  /// damage, not the end. Reads the rest of the segment.
  Result<bool> anything_behind();

 private:
  /// `bytes` of the file at `offset`, from the buffer if they are there; short at the file's end.
  Result<std::string_view> bytes_at(std::uint64_t offset, std::uint64_t bytes);
  bool payloads_good(std::string_view records, std::uint64_t offset, std::uint32_t count) const;

  File& file_;
  std::uint64_t segment_;
  std::uint64_t epoch_;
  std::uint64_t bytes_;
  std::uint64_t offset_;
  Verify verify_;
  std::string buffer_;
  std::uint64_t buffer_offset_ = 0;
};

}  // namespace pabal::store
