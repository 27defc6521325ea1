#pragma once

#include <chrono>
#include <cstdint>
#include <functional>

namespace pabal::core {

/// Wall-clock time in milliseconds since 1970-01-01 UTC, as JMS timestamps are. Always handed in;
/// core never reads a clock.
using TimePoint = std::chrono::time_point<std::chrono::system_clock, std::chrono::milliseconds>;
using std::chrono::milliseconds;

inline std::int64_t to_millis(TimePoint time) noexcept {
  return time.time_since_epoch().count();
}
inline TimePoint from_millis(std::int64_t millis) noexcept {
  return TimePoint(milliseconds(millis));
}

/// Ids are never reused while the process lives; a stale one is answered with not_found.
enum class ConnectionId : std::uint64_t {};
enum class SubscriptionId : std::uint64_t {};
enum class TransactionId : std::uint64_t {};
enum class ProducerId : std::uint64_t {};
/// Counts the deliveries of one subscription, from 1.
enum class DeliveryId : std::uint64_t {};
/// The event loop on which a connection lives: an index into the engine's outboxes.
enum class HomeId : std::uint32_t {};

/// Durable ids, chosen by the engine, never reused in the life of a store.
/// A list is a queue, or what a distinct durable topic pattern has collected.
enum class ListId : std::uint64_t {};
/// One reader of a list: a durable subscription. A queue has the one reader kQueueReader.
enum class ReaderId : std::uint64_t {};
inline constexpr ReaderId kQueueReader{0};

/// Place of a batch in the order of submission to the store. 0: nothing to wait for.
enum class Ticket : std::uint64_t {};
inline constexpr Ticket kNoTicket{0};

template <class Id>
constexpr std::uint64_t raw(Id id) noexcept {
  return static_cast<std::uint64_t>(id);
}

inline constexpr int kPriorities = 10;  ///< JMS 1.1 §3.4.10: 0 (low) to 9
inline constexpr std::uint8_t kDefaultPriority = 4;

}  // namespace pabal::core
