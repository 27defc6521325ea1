#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/destination.h"
#include "core/ids.h"
#include "protocols/stomp/text.h"
#include "protocols/stomp/unacked.h"

namespace pabal::stomp {

struct Subscription {
  std::uint64_t tag = 0;  ///< core's name for it towards us; never used again
  core::SubscriptionId id{};
  std::string name;  ///< the `id` header; empty in 1.0 without one
  bool named = false;
  std::vector<core::Destination> destinations;  ///< of a composite: several
  bool explicit_acks = false;
  bool cumulative = false;
  std::string transformation;  ///< the header of that name, if it asks for any
  std::string frame_start;     ///< "MESSAGE\nsubscription:…\n", escaped
  core::DeliveryId last_sent{};
  UnackedDeliveries unacked;  ///< only 1.0 and 1.1, with explicit acks
};

/// The subscriptions of one connection, by tag, by `id` header, and (1.0) by destination.
class Subscriptions {
 public:
  /// A new one with a tag of its own; end() it again if core refuses.
  Subscription& begin();
  /// Once named: found by name from now on. False if the name is taken.
  bool name(Subscription& subscription, std::string_view name);
  void end(Subscription& subscription);
  void clear() noexcept;

  [[nodiscard]] Subscription* find(std::uint64_t tag) noexcept;
  [[nodiscard]] Subscription* find_named(std::string_view name) noexcept;
  /// Of exactly these, in any order.
  [[nodiscard]] Subscription* find_destinations(
      const std::vector<core::Destination>& destinations) noexcept;
  /// The one with this message out (1.0, where ACK need not name the subscription), or null.
  [[nodiscard]] Subscription* find_message(const MessageKey& key) noexcept;

  [[nodiscard]] auto begin_all() const noexcept { return slots_.begin(); }
  [[nodiscard]] auto end_all() const noexcept { return slots_.end(); }

 private:
  // A tag is the slot's number in the low half and, above, how often the slot was used before.
  std::vector<std::unique_ptr<Subscription>> slots_;
  std::vector<std::uint32_t> uses_;
  std::vector<std::uint32_t> free_;
  TextMap<std::uint32_t> names_;
};

}  // namespace pabal::stomp
