#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/destination.h"
#include "core/ids.h"
#include "core/ring.h"
#include "protocols/openwire/command.h"

// What one connection has told the broker of: its sessions, consumers and producers, and what of
// its consumers' deliveries is not acknowledged.

namespace pabal::openwire {

/// A consumer or a producer within its connection.
struct ObjectKey {
  std::int64_t session = 0;
  std::int64_t value = 0;
  friend auto operator<=>(const ObjectKey&, const ObjectKey&) = default;
};

/// A message id without its texts. Two ids are the same if producer and sequence are (reference
/// §6.5); `hash` stands for both. `broker_sequence` is what this broker gave the delivery.
struct IdKey {
  std::uint64_t hash = 0;
  std::int64_t broker_sequence = 0;
};
IdKey key_of(const MessageId& id) noexcept;

/// The deliveries of one consumer that are not acknowledged, in the order of dispatch, in which
/// their broker sequence numbers grow. Bounded by the consumer's credit. Finding one costs a binary
/// search; one with a foreign number (an id from an earlier connection: reference §6.21) a look
/// into an index, which is made when the first of these comes.
class InFlight {
 public:
  struct Delivery {
    IdKey key;
    core::DeliveryId id{};
    bool settled = false;
  };

  void add(const IdKey& key, core::DeliveryId id) {
    deliveries_.push_back({key, id, false});
    ++live_;
    if (indexed_) by_hash_[key.hash] = id;
  }
  [[nodiscard]] std::optional<core::DeliveryId> find(const IdKey& key);
  /// The oldest; nullopt: there is none.
  [[nodiscard]] std::optional<core::DeliveryId> oldest() const noexcept;
  /// Inclusive. Answers how many it was.
  std::size_t settle(core::DeliveryId first, core::DeliveryId last);
  /// How many are within the range.
  [[nodiscard]] std::size_t count(core::DeliveryId first, core::DeliveryId last) const noexcept;
  /// The last one whose number is not above `broker_sequence`; DeliveryId 0: there is none.
  [[nodiscard]] core::DeliveryId up_to(std::int64_t broker_sequence) const noexcept;
  [[nodiscard]] std::size_t size() const noexcept { return live_; }
  /// Whether it has grown so much that it is worth a prune().
  [[nodiscard]] bool wants_pruning() const noexcept { return live_ >= prune_at_; }
  /// Forgets those that the engine does not have any more without our doing: another connection has
  /// committed the XA branch that acknowledged them, or their queue was removed. `holds(id)`.
  template <class Holds>
  void prune(Holds holds) {
    for (std::size_t at = 0; at < deliveries_.size(); ++at) {
      if (!deliveries_[at].settled && !holds(deliveries_[at].id)) settle_at(at);
    }
    trim();
    prune_at_ = std::max(kPruneFrom, 2 * live_);
  }

 private:
  static constexpr std::size_t kPruneFrom = 1024;

  [[nodiscard]] std::size_t position_of(core::DeliveryId id) const noexcept;
  void settle_at(std::size_t position);
  void trim();

  core::Ring<Delivery> deliveries_;
  std::size_t live_ = 0;
  std::size_t prune_at_ = kPruneFrom;
  bool indexed_ = false;
  std::unordered_map<std::uint64_t, core::DeliveryId> by_hash_;  // of the last with this hash
};

/// A consumer that asked for one message (MessagePull) and has not got it.
struct Pull {
  bool at_once = false;                     ///< an answer now, whatever it is
  std::optional<core::TimePoint> deadline;  ///< none: waits for ever
};

/// What a consumer consumes from, as far as clients have other windows for it.
enum class ConsumerKind : std::uint8_t { queue, browser, topic, durable };

struct Consumer {
  ObjectKey key;
  std::uint64_t tag = 0;  ///< core's name for it towards us; never used again
  core::SubscriptionId id{};
  std::string wire_id;  ///< its ConsumerId as a nested field
  ConsumerKind kind{};
  bool advisory = false;  ///< deliveries are done when written, and nobody keeps them
  std::uint32_t prefetch = 0;
  std::uint64_t extension = 0;  ///< of the window, by DELIVERED acks (reference §6.4)
  std::optional<Pull> pull;
  InFlight in_flight;
  /// Transactions, in a row, in which it acknowledged what is not out.
  std::uint32_t unmatched = 0;
};

struct Producer {
  core::ProducerId id{};
  std::uint32_t window = 0;  ///< bytes; 0: no ProducerAck is expected
};

class Registry {
 public:
  /// Session -1 is always there (reference §6.1).
  Registry() { sessions_.insert(-1); }

  bool add_session(std::int64_t session) { return sessions_.insert(session).second; }
  [[nodiscard]] bool has_session(std::int64_t session) const { return sessions_.contains(session); }
  void remove_session(std::int64_t session) {
    if (session != -1) sessions_.erase(session);
  }
  [[nodiscard]] std::size_t sessions() const noexcept { return sessions_.size(); }

  /// With a tag of its own. The key is free.
  Consumer& add_consumer(const ObjectKey& key);
  void remove_consumer(Consumer& consumer);
  [[nodiscard]] Consumer* find_consumer(const ObjectKey& key) noexcept;
  [[nodiscard]] Consumer* find_tag(std::uint64_t tag) noexcept;
  /// Of one session, or (nullopt) all, in order.
  [[nodiscard]] std::vector<ObjectKey> consumers_of(std::optional<std::int64_t> session) const;

  void add_producer(const ObjectKey& key, const Producer& producer) { producers_[key] = producer; }
  void remove_producer(const ObjectKey& key) { producers_.erase(key); }
  /// Of one session, in order.
  [[nodiscard]] std::vector<ObjectKey> producers_of(std::int64_t session) const;
  [[nodiscard]] const Producer* find_producer(const ObjectKey& key) const noexcept;
  [[nodiscard]] std::size_t producers() const noexcept { return producers_.size(); }
  void clear();

 private:
  // By session: who ends one that has little must not look at what the others have.
  std::set<std::int64_t> sessions_;
  std::map<ObjectKey, std::unique_ptr<Consumer>> consumers_;
  std::unordered_map<std::uint64_t, Consumer*> tags_;
  std::uint64_t last_tag_ = 0;
  std::map<ObjectKey, Producer> producers_;
};

}  // namespace pabal::openwire
