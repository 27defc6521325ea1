#pragma once

#include <atomic>
#include <charconv>
#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/ids.h"
#include "core/session.h"
#include "protocols/mqtt/subscriptions.h"

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
  bool in_flight = false;   ///< counts against the client's Receive Maximum
  std::uint32_t bytes = 0;  ///< count against SessionOptions::unwritten_bytes_max
  core::SubscriptionId subscription{};
  core::DeliveryId delivery{};
  std::uint64_t tag = 0;  ///< of the subscription here
  std::uint64_t origin = 0;
  std::uint64_t sequence = 0;  ///< with `origin`: the message
};

/// A message, as one subscription of the client gets it: once, and perhaps as retained besides.
struct DeliveryKey {
  std::uint64_t origin = 0;
  std::uint64_t sequence = 0;
  std::string filter;
  friend auto operator<=>(const DeliveryKey&, const DeliveryKey&) = default;
};

/// A packet id that waits for its message to come again.
struct Expected {
  std::uint16_t packet_id = 0;
  std::optional<core::DeliveryPlace> place;  ///< QoS 2
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

/// What keeps a connection and the one that takes its session over apart: both want it for a few
/// instructions, and once in the life of a session at the same time. No std::mutex: an adaptor has
/// no threads, and only this one value that another home may read.
class HandOver {
 public:
  void lock() noexcept {
    while (taken_.test_and_set(std::memory_order_acquire)) {
      taken_.wait(true, std::memory_order_relaxed);
    }
  }
  void unlock() noexcept {
    taken_.clear(std::memory_order_release);
    taken_.notify_one();
  }

 private:
  std::atomic_flag taken_;
};

/// Holds it, or nothing.
class HandOverGuard {
 public:
  explicit HandOverGuard(HandOver* held) noexcept : held_(held) {
    if (held_ != nullptr) held_->lock();
  }
  ~HandOverGuard() {
    if (held_ != nullptr) held_->unlock();
  }
  HandOverGuard(const HandOverGuard&) = delete;
  HandOverGuard& operator=(const HandOverGuard&) = delete;

 private:
  HandOver* const held_;
};

/// What was sent to a client, for the connection that takes its session over as well: ids of QoS 1
/// are nowhere else. The owner changes it inside the engine, where the successor reads it, and
/// while encoding, outside: then holding `hand_over`, and not once it has a successor.
struct Sent final : core::SessionCompanion {
  HandOver hand_over;
  bool has_successor = false;
  OutgoingTable outgoing;
  Subscriptions subscriptions;
  std::multimap<DeliveryKey, Expected> expected;  ///< reserved ids, by what they are for
};

/// "<origin> <sequence> <filter>".
std::string encode_key(const DeliveryKey& key);
std::optional<DeliveryKey> decode_key(std::string_view text);
/// "<list> <reader> <priority> <sequence>".
std::string encode_place(const core::DeliveryPlace& place);
/// Takes it off `text`, and one blank behind it.
bool decode_place(std::string_view& text, core::DeliveryPlace& place);

DeliveryKey key_of(const Outgoing& entry, const Subscription& subscription);
/// What the client has not answered at QoS 1, or may not have got again yet, and will get again.
std::vector<std::pair<std::uint16_t, DeliveryKey>> unanswered(Sent& sent);

/// Takes a number and one blank behind it off `text`.
template <typename Number>
bool take_number(std::string_view& text, Number& value) noexcept {
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  if (read.ec != std::errc{}) return false;
  text.remove_prefix(static_cast<std::size_t>(read.ptr - text.data()));
  if (text.starts_with(' ')) text.remove_prefix(1);
  return true;
}

}  // namespace pabal::mqtt
