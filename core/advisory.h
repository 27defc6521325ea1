#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/destination.h"
#include "core/ids.h"
#include "core/message.h"
#include "core/result.h"

// Advisories: what the broker tells of itself, as messages on topics of its own. The engine raises
// them (engine_advisories.cc says when), an adaptor words them for its clients: read_advisory()
// gives it the facts. Names of topics and properties are ActiveMQ's, so that its tools find them.
// Source: reference/openwire.md §6.18.

namespace pabal::core {

inline constexpr std::string_view kAdvisoryPrefix = "ActiveMQ.Advisory.";

/// Whether it is a topic of the broker's own messages: nobody else sends there.
[[nodiscard]] inline bool is_advisory_topic(DestinationKind kind, std::string_view name) noexcept {
  return kind == DestinationKind::topic && name.starts_with(kAdvisoryPrefix);
}

/// What happened; the numbers are on no disk.
enum class AdvisoryKind : std::uint8_t {
  connection_started,
  connection_ended,
  destination_added,  ///< queues, topics and temporaries
  destination_removed,
  consumer_started,
  consumer_ended,
  durable_removed,
  producer_started,
  producer_ended,
  message_expired,
  message_dead,     ///< it was moved to where dead letters go
  message_arrived,  ///< "delivered", in ActiveMQ's word: to the broker
  message_consumed,
  message_discarded,  ///< it waited for a slow consumer of a topic
  consumer_slow,
  producer_fast,  ///< it is held up by a limit of its destination
  destination_full,
  broker_active,
};

/// The topics by the level behind the prefix. Who listens is counted for each.
enum class AdvisoryTopic : std::uint8_t {
  temporary_queue,
  temporary_topic,
  queue,
  topic,
  connection,
  consumer,
  producer,
  expired,
  dead,
  no_consumer,
  slow_consumer,
  fast_producer,
  arrived,
  consumed,
  discarded,
  full,
  broker_active,
};
inline constexpr std::size_t kAdvisoryTopics = 17;
/// A set of them.
using AdvisoryTopics = std::uint32_t;
constexpr AdvisoryTopics bit(AdvisoryTopic topic) noexcept {
  return AdvisoryTopics{1} << static_cast<unsigned>(topic);
}
/// Those that have a name which `pattern` matches. `by_name`: only if its
/// first level is none.
[[nodiscard]] AdvisoryTopics advisory_topics_of(std::string_view pattern, bool by_name) noexcept;

/// A consumer or producer, as its connection numbers them. Zero and zero: it does not, and the
/// engine gives it a number.
struct ClientNumber {
  std::int64_t session = 0;
  std::int64_t value = 0;
  friend bool operator==(const ClientNumber&, const ClientNumber&) = default;
};

/// Facts of one event. What the kind has no use for is empty.
struct Advisory {
  AdvisoryKind kind{};
  /// The connection's name: that of ConnectOptions::instance, or one that is made up, and the same
  /// for all that is told of it. Also of the owner of a consumer, producer or temporary.
  std::string connection;
  std::string client_id;  ///< also of a durable subscription
  std::string user;       ///< never a password
  std::string remote;
  ClientNumber number;  ///< of the consumer or producer
  /// Of a composite the parts are joined by commas, as in "a,topic://b".
  std::optional<Destination> destination;
  std::string selector;
  std::string durable_name;
  std::uint32_t prefetch = 0;
  std::int32_t priority = 0;
  bool browser = false;
  bool no_local = false;
  bool exclusive = false;
  bool retroactive = false;
  /// Consumers or producers that the destination has now; messages discarded; bytes in use.
  std::int64_t count = 0;
  std::string usage;   ///< what is full
  MessageRef message;  ///< that it is about; without its body, unless the policy wants that
  /// Told to one consumer only, because it was so before that came: whose connection and number.
  std::string target_connection;
  ClientNumber target;
};

/// Who tells it.
struct AdvisorySource {
  std::string broker_id;
  std::string broker_name;
  std::string broker_url;  ///< empty: none is told
};

/// The topic on which it is told.
[[nodiscard]] std::string advisory_topic(const Advisory& advisory);
/// The topic for messages that came when nobody consumed from `destination`.
[[nodiscard]] std::string no_consumer_topic(const Destination& destination);

/// Makes `builder` a message of it; texts go to `topic` and `body`, which outlive build(). Origin,
/// sequence and time are the engine's to give.
void fill_advisory(MessageBuilder& builder, const Advisory& advisory, const AdvisorySource& source,
                   std::string& topic, std::string& body);

/// The facts; nullopt: the message is no advisory (one for `NoConsumer` is the client's own).
[[nodiscard]] std::optional<Advisory> read_advisory(const Message& message);

/// Whether read_advisory() is worth trying.
[[nodiscard]] inline bool may_be_advisory(const Message& message) noexcept {
  return is_advisory_topic(message.destination_kind(), message.destination_name());
}

}  // namespace pabal::core
