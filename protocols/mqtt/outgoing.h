#pragma once

#include <cstdint>
#include <vector>

#include "core/ids.h"

namespace pabal::mqtt {

/// Where a delivery to the client stands.
enum class Progress : std::uint8_t {
  none,        ///< the packet id is free
  reserved,    ///< of a delivery that began on another connection and has not come again: QoS 2
  reserved_1,  ///< the same, QoS 1
  sent_1,      ///< QoS 1: PUBACK is missing
  sent_2,      ///< QoS 2: PUBREC is missing
  released,    ///< QoS 2: PUBCOMP is missing
};

struct Outgoing {
  Progress progress = Progress::none;
  bool in_flight = false;  ///< counts against the client's Receive Maximum
  core::SubscriptionId subscription{};
  core::DeliveryId delivery{};
  std::uint64_t tag = 0;  ///< of the subscription here
  std::uint64_t origin = 0;
  std::uint64_t sequence = 0;  ///< with `origin`: the message
};

/// The packet ids of what we send, and what each stands for. The table is as long as the highest id
/// in use was, and low ids are taken first, so that it stays small.
class OutgoingTable {
 public:
  /// A free id, which is taken from here on; 0: all are in use.
  std::uint16_t take() {
    while (!free_.empty()) {
      const std::uint16_t id = free_.back();
      free_.pop_back();
      if (entries_[id - 1U].progress == Progress::none) return id;
    }
    if (entries_.size() == 65'535) return 0;
    entries_.emplace_back();
    return static_cast<std::uint16_t>(entries_.size());
  }
  /// Null: the id is free.
  Outgoing* find(std::uint16_t id) noexcept {
    if (id == 0 || id > entries_.size()) return nullptr;
    Outgoing& entry = entries_[id - 1U];
    return entry.progress == Progress::none ? nullptr : &entry;
  }
  /// An id that is given.
  Outgoing& reserve(std::uint16_t id) {
    while (entries_.size() < id) {
      entries_.emplace_back();
      if (entries_.size() != id) free_.push_back(static_cast<std::uint16_t>(entries_.size()));
    }
    return entries_[id - 1U];
  }
  Outgoing& operator[](std::uint16_t id) noexcept { return entries_[id - 1U]; }
  void release(std::uint16_t id) {
    entries_[id - 1U] = Outgoing{};
    free_.push_back(id);
  }
  [[nodiscard]] std::uint16_t highest() const noexcept {
    return static_cast<std::uint16_t>(entries_.size());
  }

 private:
  std::vector<Outgoing> entries_;  // by packet id - 1
  std::vector<std::uint16_t> free_;
};

}  // namespace pabal::mqtt
