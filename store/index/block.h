#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pabal::store {

inline constexpr std::uint64_t kBlockEntries = 256;
/// What expires is counted for so many sequences together.
inline constexpr std::uint64_t kSpanEntries = 64 * kBlockEntries;

constexpr std::uint64_t block_of(std::uint64_t sequence) noexcept {
  return sequence / kBlockEntries;
}
constexpr std::uint32_t position_of(std::uint64_t sequence) noexcept {
  return static_cast<std::uint32_t>(sequence % kBlockEntries);
}

/// Where one list entry's message is, and who still needs it.
struct BlockEntry {
  std::uint32_t segment = 0;     ///< 0: no entry here (never was, or nobody needs it)
  std::uint32_t offset = 0;      ///< of the payload record
  std::uint32_t bytes = 0;       ///< of the message
  std::uint32_t needed = 0;      ///< readers that have not acknowledged it
  std::uint32_t references = 1;  ///< list entries that the message had when it was written
  std::int64_t expiration = 0;

  [[nodiscard]] bool present() const noexcept { return segment != 0; }
};

/// 256 successive arrivals of one list and priority. The entries that nobody needs any more are
/// not there; of those that somebody needs, who has acknowledged is in `acked` (lists with several
/// readers) and how often a delivery failed in `counts`.
class Block {
 public:
  explicit Block(std::uint64_t number) : number_(number) {}

  [[nodiscard]] std::uint64_t number() const noexcept { return number_; }
  [[nodiscard]] std::uint64_t first_sequence() const noexcept { return number_ * kBlockEntries; }
  [[nodiscard]] std::uint32_t live() const noexcept { return live_; }
  [[nodiscard]] std::size_t memory_bytes() const noexcept;

  /// Null: nothing there.
  BlockEntry* find(std::uint32_t position) noexcept;
  const BlockEntry* find(std::uint32_t position) const noexcept {
    return const_cast<Block*>(this)->find(position);
  }
  BlockEntry& put(std::uint32_t position, const BlockEntry& entry);
  void erase(std::uint32_t position) noexcept;
  /// First position at or above `position` that has an entry.
  [[nodiscard]] std::optional<std::uint32_t> next(std::uint32_t position) const noexcept;

  [[nodiscard]] bool acked(std::uint64_t reader, std::uint32_t position) const noexcept;
  void set_acked(std::uint64_t reader, std::uint32_t position);
  [[nodiscard]] std::uint32_t count(std::uint64_t reader, std::uint32_t position) const noexcept;
  void set_count(std::uint64_t reader, std::uint32_t position, std::uint32_t count);

  /// The row. FORMAT.md says how.
  void encode(std::string& out) const;
  /// False: the row makes no sense.
  bool decode(std::string_view row);

  bool dirty = false;       ///< differs from the row
  bool persisted = false;   ///< there is a row (or the flush under way makes one)
  bool flushing = false;    ///< part of the flush under way
  std::size_t charged = 0;  ///< memory accounted for

 private:
  struct ReaderBits {
    std::uint64_t reader = 0;
    std::array<std::uint64_t, 4> bits{};
  };
  struct DeliveryCount {
    std::uint64_t reader = 0;
    std::uint32_t position = 0;
    std::uint32_t count = 0;
  };

  std::uint64_t number_;
  std::uint32_t low_ = 0;  // position of entries_[0]
  std::uint32_t live_ = 0;
  std::vector<BlockEntry> entries_;
  std::vector<ReaderBits> acked_;
  std::vector<DeliveryCount> counts_;
};

}  // namespace pabal::store
