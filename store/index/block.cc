#include "store/index/block.h"

#include <algorithm>

#include "store/coding.h"

namespace pabal::store {
namespace {

// Flags of an entry in a row.
constexpr std::uint8_t kFollows = 1;    // right behind the entry before it
constexpr std::uint8_t kSameBytes = 2;  // as long as the entry before it
constexpr std::uint8_t kExpires = 4;
constexpr std::uint8_t kReferences = 8;  // not one
constexpr std::uint8_t kNeeded = 16;     // not by one
constexpr std::uint8_t kGap = 32;        // positions were left out

constexpr std::uint32_t kPayloadHeader = 8;

}  // namespace

std::size_t Block::memory_bytes() const noexcept {
  return sizeof(Block) + 64 + entries_.capacity() * sizeof(BlockEntry) +
         acked_.capacity() * sizeof(ReaderBits) + counts_.capacity() * sizeof(DeliveryCount);
}

BlockEntry* Block::find(std::uint32_t position) noexcept {
  if (position < low_ || position - low_ >= entries_.size()) return nullptr;
  BlockEntry& entry = entries_[position - low_];
  return entry.present() ? &entry : nullptr;
}

BlockEntry& Block::put(std::uint32_t position, const BlockEntry& entry) {
  if (entries_.empty()) low_ = position;
  if (position < low_) {
    entries_.insert(entries_.begin(), low_ - position, BlockEntry());
    low_ = position;
  }
  if (position - low_ >= entries_.size()) entries_.resize(position - low_ + 1);
  BlockEntry& slot = entries_[position - low_];
  if (!slot.present()) ++live_;
  slot = entry;
  return slot;
}

void Block::erase(std::uint32_t position) noexcept {
  BlockEntry* entry = find(position);
  if (entry == nullptr) return;
  *entry = BlockEntry();
  std::erase_if(counts_, [&](const DeliveryCount& each) { return each.position == position; });
  if (--live_ > 0) return;
  entries_ = {};
  acked_ = {};
  counts_ = {};
}

std::optional<std::uint32_t> Block::next(std::uint32_t position) const noexcept {
  for (std::uint32_t at = std::max(position, low_); at - low_ < entries_.size(); ++at) {
    if (entries_[at - low_].present()) return at;
  }
  return std::nullopt;
}

bool Block::acked(std::uint64_t reader, std::uint32_t position) const noexcept {
  for (const ReaderBits& each : acked_) {
    if (each.reader == reader) return ((each.bits[position / 64] >> (position % 64)) & 1) != 0;
  }
  return false;
}

void Block::set_acked(std::uint64_t reader, std::uint32_t position) {
  auto found = std::find_if(acked_.begin(), acked_.end(),
                            [&](const ReaderBits& each) { return each.reader == reader; });
  if (found == acked_.end()) found = acked_.insert(acked_.end(), ReaderBits{reader, {}});
  found->bits[position / 64] |= 1ULL << (position % 64);
}

std::uint32_t Block::count(std::uint64_t reader, std::uint32_t position) const noexcept {
  for (const DeliveryCount& each : counts_) {
    if (each.reader == reader && each.position == position) return each.count;
  }
  return 0;
}

void Block::set_count(std::uint64_t reader, std::uint32_t position, std::uint32_t count) {
  for (DeliveryCount& each : counts_) {
    if (each.reader != reader || each.position != position) continue;
    each.count = count;
    return;
  }
  counts_.push_back({reader, position, count});
}

void Block::encode(std::string& out) const {
  put_varint(out, live_);
  BlockEntry before;
  std::uint32_t expected = 0;
  for (std::uint32_t i = 0; i < entries_.size(); ++i) {
    const BlockEntry& entry = entries_[i];
    if (!entry.present()) continue;
    const std::uint32_t position = low_ + i;
    std::uint8_t flags = 0;
    const bool follows = entry.segment == before.segment &&
                         entry.offset == before.offset + kPayloadHeader + before.bytes;
    if (follows) flags |= kFollows;
    if (entry.bytes == before.bytes) flags |= kSameBytes;
    if (entry.expiration != 0) flags |= kExpires;
    if (entry.references != 1) flags |= kReferences;
    if (entry.needed != 1) flags |= kNeeded;
    if (position != expected) flags |= kGap;
    out.push_back(static_cast<char>(flags));
    if ((flags & kGap) != 0) put_varint(out, position - expected);
    if (!follows) {
      put_varint(out, zigzag(static_cast<std::int64_t>(entry.segment) - before.segment));
      put_varint(out, entry.offset);
    }
    if ((flags & kSameBytes) == 0) put_varint(out, entry.bytes);
    if ((flags & kExpires) != 0) put_varint(out, zigzag(entry.expiration));
    if ((flags & kReferences) != 0) put_varint(out, entry.references);
    if ((flags & kNeeded) != 0) put_varint(out, entry.needed);
    before = entry;
    expected = position + 1;
  }
  put_varint(out, acked_.size());
  for (const ReaderBits& each : acked_) {
    put_varint(out, each.reader);
    for (const std::uint64_t word : each.bits) {
      char bytes[8];
      put_fixed64(bytes, word);
      out.append(bytes, sizeof(bytes));
    }
  }
  put_varint(out, counts_.size());
  for (const DeliveryCount& each : counts_) {
    put_varint(out, each.reader);
    put_varint(out, each.position);
    put_varint(out, each.count);
  }
}

bool Block::decode(std::string_view row) {
  Decoder in(row);
  const std::uint64_t live = in.varint();
  if (live == 0 || live > kBlockEntries) return false;
  BlockEntry before;
  std::uint64_t expected = 0;
  for (std::uint64_t i = 0; i < live; ++i) {
    const std::uint8_t flags = in.byte();
    if ((flags & kGap) != 0) expected += in.varint();
    if (!in.ok() || expected >= kBlockEntries) return false;
    BlockEntry entry;
    if ((flags & kFollows) != 0) {
      entry.segment = before.segment;
      entry.offset = before.offset + kPayloadHeader + before.bytes;
    } else {
      entry.segment = static_cast<std::uint32_t>(before.segment + unzigzag(in.varint()));
      entry.offset = static_cast<std::uint32_t>(in.varint());
    }
    entry.bytes =
        (flags & kSameBytes) != 0 ? before.bytes : static_cast<std::uint32_t>(in.varint());
    if ((flags & kExpires) != 0) entry.expiration = unzigzag(in.varint());
    entry.references = (flags & kReferences) != 0 ? static_cast<std::uint32_t>(in.varint()) : 1;
    entry.needed = (flags & kNeeded) != 0 ? static_cast<std::uint32_t>(in.varint()) : 1;
    if (!in.ok() || !entry.present() || entry.references == 0 || entry.needed == 0) return false;
    put(static_cast<std::uint32_t>(expected), entry);
    before = entry;
    ++expected;
  }
  const std::uint64_t readers = in.varint();
  for (std::uint64_t i = 0; i < readers && in.ok(); ++i) {
    ReaderBits& each = acked_.emplace_back();
    each.reader = in.varint();
    for (std::uint64_t& word : each.bits) word = in.fixed64();
  }
  const std::uint64_t counts = in.varint();
  for (std::uint64_t i = 0; i < counts && in.ok(); ++i) {
    DeliveryCount each;
    each.reader = in.varint();
    each.position = static_cast<std::uint32_t>(in.varint());
    each.count = static_cast<std::uint32_t>(in.varint());
    if (each.position >= kBlockEntries) return false;
    counts_.push_back(each);
  }
  return in.complete();
}

}  // namespace pabal::store
