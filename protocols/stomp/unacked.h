#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/ids.h"
#include "core/message.h"
#include "core/ring.h"

namespace pabal::stomp {

/// A message-id without its text: (origin, sequence), or the text of an id from elsewhere.
struct MessageKey {
  std::uint64_t origin = 0;
  std::uint64_t sequence = 0;
  std::string foreign;

  friend bool operator==(const MessageKey&, const MessageKey&) = default;
};

MessageKey key_of(const core::Message& message);
/// Reads back what core::Message::append_id wrote.
MessageKey parse_message_id(std::string_view text);

/// The deliveries of one subscription that a 1.0 or 1.1 client may acknowledge, by message-id.
/// Bounded by the prefetch. Finding, adding and settling one costs constant time whatever the
/// order; settling a run costs its length.
///
/// Entries stand in delivery order; `table_` finds them by key (open addressing, linear probing,
/// holding positions that count from the first entry ever).
class UnackedDeliveries {
 public:
  /// Deliveries come in ascending order.
  void add(MessageKey key, core::DeliveryId delivery);
  [[nodiscard]] std::optional<core::DeliveryId> find(const MessageKey& key) const noexcept;
  void settle(core::DeliveryId delivery);
  void settle_up_to(core::DeliveryId delivery);
  [[nodiscard]] std::size_t size() const noexcept { return live_; }

 private:
  struct Entry {
    MessageKey key;
    core::DeliveryId delivery{};
    bool settled = false;
  };

  [[nodiscard]] const Entry& at(std::uint64_t position) const noexcept {
    return entries_[position - first_position_];
  }
  [[nodiscard]] std::size_t home_of(const MessageKey& key) const noexcept;
  [[nodiscard]] std::size_t slot_of(const MessageKey& key) const noexcept;
  void insert(std::uint64_t position);
  void erase(const MessageKey& key, std::uint64_t position);
  void settle_entry(std::size_t index);
  void trim();
  void rebuild(std::size_t capacity);

  static constexpr std::uint64_t kFree = UINT64_MAX;

  core::Ring<Entry> entries_;
  std::uint64_t first_position_ = 0;
  std::size_t live_ = 0;
  std::vector<std::uint64_t> table_;  // size zero or a power of two; at most half full
};

}  // namespace pabal::stomp
