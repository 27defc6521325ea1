#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/advisory.h"
#include "core/destination.h"
#include "core/ids.h"
#include "core/result.h"

namespace pabal::core {

/// What the broker does with a message that a consumer refused or gave back: how often it tries
/// again, and when (ActiveMQ's redeliveryPolicy).
struct RedeliveryPolicy {
  std::int32_t maximum_redeliveries = 6;  ///< -1: without end
  milliseconds initial_delay{1000};       ///< before the first redelivery
  milliseconds delay{1000};               ///< before the others, unless back-off grows it
  bool exponential_back_off = false;
  double back_off_multiplier = 5.0;
  milliseconds maximum_delay{-1};  ///< negative: no bound
  bool collision_avoidance = false;
  std::uint32_t collision_avoidance_percent = 15;  ///< 0–100: jitter, either way
  /// When it was tried often enough: false drops it, whatever the dead-letter strategy says.
  bool dead_letter_when_exhausted = true;
};

/// Where a message goes that cannot be delivered.
struct DeadLetterStrategy {
  enum class Kind : std::uint8_t {
    shared,      ///< all to `queue`
    individual,  ///< a queue or topic for each destination: prefix + name + suffix
    discard,     ///< nowhere: counted and dropped
  };
  Kind kind = Kind::shared;
  Destination destination{DestinationKind::queue, "ActiveMQ.DLQ"};  ///< shared
  std::string queue_prefix = "ActiveMQ.DLQ.Queue.";
  std::string queue_suffix;
  std::string topic_prefix = "ActiveMQ.DLQ.Topic.";
  std::string topic_suffix;
  bool queue_for_queue_messages = true;
  bool queue_for_topic_messages = true;
  bool per_durable_subscriber = false;
  bool process_expired = true;
  /// Non-persistent messages that expired. What a consumer refused is kept in any case, unless
  /// `process_refused_non_persistent` is false as well.
  bool process_non_persistent = false;
  bool process_refused_non_persistent = true;
  milliseconds expiration{0};  ///< of the dead letter, from then; 0: never
};

/// How much may wait for a non-durable topic subscription beyond its prefetch.
struct PendingLimit {
  enum class Kind : std::uint8_t { none, constant, prefetch_rate };
  Kind kind = Kind::none;
  std::int64_t messages = -1;  ///< constant; -1: no limit, 0: nothing
  double rate = 0.5;           ///< prefetch_rate: this times the prefetch
};

/// What goes first when more than PendingLimit waits.
struct EvictionStrategy {
  enum class Kind : std::uint8_t { oldest, oldest_with_lowest_priority, unique_property };
  Kind kind = Kind::oldest;
  std::string property;  ///< unique_property: the older of two with the same value
  std::uint32_t expired_high_watermark = 1000;  ///< with more waiting, expired ones go first
};

/// What becomes of a consumer that does not keep up.
struct SlowConsumerStrategy {
  enum class Kind : std::uint8_t { none, abort_slow, abort_slow_ack };
  Kind kind = Kind::none;
  std::int64_t max_slow_count = -1;        ///< found slow so often; -1: not counted
  milliseconds max_slow_duration{30'000};  ///< slow for so long; negative: no matter
  milliseconds check_period{30'000};
  bool abort_connection = false;  ///< else its subscription only
  milliseconds max_time_since_last_ack{30'000};
  bool ignore_idle_consumers = true;
};

/// What a retroactive subscription of a topic gets from before it came.
struct RecoveryPolicy {
  enum class Kind : std::uint8_t { none, last_image, fixed_count, fixed_size, timed };
  Kind kind = Kind::none;
  std::uint32_t count = 100;
  std::uint64_t bytes = 65'536;
  milliseconds duration{60'000};
};

/// Which advisories a destination has beyond those that all have; nothing is made that nobody
/// listens to.
struct AdvisoryPolicy {
  bool arrived = false;  ///< advisoryForDelivery: every message that comes
  bool consumed = false;
  bool discarded = false;
  bool fast_producers = false;
  bool slow_consumers = false;
  bool full = false;
  bool no_consumer = false;   ///< a copy of each message that is not persistent and finds nobody
  bool include_body = false;  ///< of the message that it is about
};

/// How destinations of one kind and name or pattern behave (ActiveMQ's policyEntry). A plain value.
struct DestinationPolicy {
  std::uint64_t memory_limit = 0;     ///< bytes held in memory for one destination; 0: no own limit
  std::uint64_t store_limit = 0;      ///< message bytes waiting in one queue; 0: no own limit
  bool producer_flow_control = true;  ///< false: above memory_limit nobody is held up
  std::optional<bool> send_fail_if_no_space;  ///< none: as systemUsage says
  milliseconds send_fail_after{-1};           ///< wait so long, then fail; negative: as systemUsage
  milliseconds blocked_warning{30'000};       ///< between warnings of a producer held up; 0: none

  /// By priority, then arrival (JMS 1.1 §3.4.10); false: all in the order of their arrival.
  bool prioritized = true;
  bool strict_order_dispatch = false;  ///< to the first consumer with credit, not round robin
  bool use_consumer_priority = true;
  bool all_consumers_exclusive = false;
  std::uint32_t consumers_before_dispatch = 0;
  milliseconds time_before_dispatch{0};
  std::uint32_t groups_max = 1024;  ///< group owners remembered per queue

  std::optional<std::uint32_t> queue_prefetch;  ///< for consumers that named none
  std::optional<std::uint32_t> topic_prefetch;
  std::optional<std::uint32_t> durable_prefetch;
  std::optional<std::uint32_t> browser_prefetch;

  bool always_retroactive = false;
  RecoveryPolicy recovery;
  PendingLimit pending_limit;
  EvictionStrategy eviction;
  SlowConsumerStrategy slow_consumer;

  AdvisoryPolicy advisories;
  DeadLetterStrategy dead_letter;
  std::optional<RedeliveryPolicy> redelivery;  ///< none: the broker does not try again by itself

  bool collect_when_inactive = false;  ///< gcInactiveDestinations
  milliseconds inactive_before_collection{60'000};
  std::int64_t destinations_max = -1;  ///< that fall under this entry; -1: no limit
  bool duplicate_detection = true;     ///< enableAudit
  [[nodiscard]] bool limited() const noexcept { return memory_limit != 0 || store_limit != 0; }
  bool expire_messages = true;  ///< expireMessagesPeriod is not 0

  /// The entry that PolicyTable has put this together from; null: it is one.
  std::shared_ptr<const DestinationPolicy> made_from;
  /// What destinations_max counts under.
  [[nodiscard]] const DestinationPolicy& entry() const noexcept {
    return made_from != nullptr ? *made_from : *this;
  }
};

/// Dead letters that are thrown away whatever their policy says (discardingDLQBrokerPlugin), by the
/// destination that they come from.
struct DiscardedDeadLetters {
  bool all = true;
  bool temporary_queues = true;
  bool temporary_topics = true;
  /// Those of the destinations with this name too; null: no others. The same name, the same answer.
  std::function<bool(std::string_view name)> others;
};

/// Which policy a destination has: entries by kind and pattern, one of which applies as a whole.
///
/// The exact name goes first; else, of the patterns that match, the narrowest: those that cover
/// none of the others, and of these the smallest by name. (ActiveMQ 5.17 does the same, but between
/// `A.>` and `A.*`, which it takes for covering each other, it chooses by chance.) Temporaries only
/// match entries for temporaries. Of two entries with the same pattern the later one counts.
///
/// A redelivery policy is looked up in the same way among entries of its own, and replaces that of
/// the policy found. Copies are cheap; one that the engine has is not changed any more.
class PolicyTable {
 public:
  struct Entry {
    Destination target;  ///< `name` may be a pattern; of temporaries it does not matter
    std::shared_ptr<const DestinationPolicy> policy;
  };
  struct RedeliveryEntry {
    Destination target;
    RedeliveryPolicy policy;
  };

  PolicyTable();
  void add(Entry entry);
  void set_default(std::shared_ptr<const DestinationPolicy> policy);
  void add_redelivery(RedeliveryEntry entry);
  void set_default_redelivery(RedeliveryPolicy policy);
  void discard_dead_letters(DiscardedDeadLetters discarded);

  /// Never null. One walk over the levels of the name, whatever the number of entries.
  [[nodiscard]] std::shared_ptr<const DestinationPolicy> find(DestinationKind kind,
                                                              std::string_view name) const;
  [[nodiscard]] const std::vector<Entry>& entries() const noexcept { return entries_; }
  [[nodiscard]] const DestinationPolicy& default_policy() const noexcept { return *default_; }
  [[nodiscard]] const std::vector<RedeliveryEntry>& redelivery_entries() const noexcept {
    return redeliveries_;
  }

 private:
  struct Index;
  [[nodiscard]] bool discards(DestinationKind kind, std::string_view name) const;

  std::vector<Entry> entries_;
  std::shared_ptr<const DestinationPolicy> default_;
  std::vector<RedeliveryEntry> redeliveries_;
  std::optional<RedeliveryPolicy> default_redelivery_;
  std::optional<DiscardedDeadLetters> discarded_;
  /// Made by the first find() after a change, and shared by copies: it says nothing that they do
  /// not.
  mutable std::shared_ptr<Index> index_;
};

/// One place that a composite destination forwards to.
struct ForwardTarget {
  Destination destination;
  std::string selector;  ///< empty: everything
};

/// A queue or topic (or a pattern of them) whose messages go elsewhere (compositeQueue,
/// compositeTopic).
struct CompositeDestination {
  Destination name;
  std::vector<ForwardTarget> forward_to;
  bool forward_only = true;  ///< false: the message stays in `name` as well
  /// It stays in `name` when no filter let it through, and only then, whatever `forward_only` says.
  bool send_when_not_matched = false;
};

/// A topic pattern whose messages also go to every existing queue prefix + topic + postfix.
struct VirtualTopic {
  std::string name = "VirtualTopic.>";
  std::string prefix = "Consumer.*.";
  std::string postfix;
  bool selector_aware = false;  ///< only what some consumer of the queue wants
  /// A queue that is over a limit of its policy is left out; false: the producer waits for it.
  bool drop_on_resource_limit = false;
};

/// A copy of all that is sent to a queue goes to topic prefix + queue + postfix.
struct MirroredQueues {
  std::string prefix = "VirtualTopic.Mirror.";
  std::string postfix;
  bool temporaries = true;  ///< temporary queues too (useTempMirroredQueues)
};

struct VirtualDestinations {
  std::vector<CompositeDestination> composites;
  std::vector<VirtualTopic> topics{VirtualTopic{}};
  std::optional<MirroredQueues> mirrored;
};

/// Whether the engine can do what is wanted: names, and selectors with the position of their error.
/// What it cannot do, it leaves out. Errors: invalid_argument.
Result<void> validate(const ForwardTarget& target);
Result<void> validate(const CompositeDestination& composite);
Result<void> validate(const VirtualTopic& topic);
Result<void> validate(const MirroredQueues& mirrored);
Result<void> validate(const VirtualDestinations& virtuals);

/// Broker-wide treatment of time stamps (timeStampingBrokerPlugin).
struct TimeStamping {
  milliseconds zero_expiration_override{0};  ///< for messages that never expire; 0: they do not
  milliseconds ttl_ceiling{0};               ///< no longer than this; 0: no bound
  bool future_only = false;                  ///< never make a time earlier
};

/// Advisories as a whole (core/advisory.h).
struct AdvisorySettings {
  bool enabled = true;               ///< advisorySupport
  bool anonymous_producers = false;  ///< those without a destination are told, too
  AdvisorySource source{"ID:pabal", "localhost", ""};
};

/// What the configuration says about the model; replaced as a whole when it is reloaded.
struct EngineSettings {
  PolicyTable policies;
  VirtualDestinations virtuals;
  std::optional<TimeStamping> time_stamping;
  std::optional<bool> force_persistent;       ///< forcePersistencyMode: whatever the sender says
  bool populate_user_id = false;              ///< populateJMSXUserID: messages name their sender
  bool scheduler = true;                      ///< schedulerSupport: AMQ_SCHEDULED_* are obeyed
  std::uint32_t schedule_repeat_max = 1000;   ///< maxSchedulerRepeatAllowed
  milliseconds collection_period{0};          ///< schedulePeriodForDestinationPurge; 0: off
  std::uint32_t collected_per_sweep_max = 0;  ///< maxPurgedDestinationsPerSweep; 0: all
  milliseconds offline_durable_timeout{-1};   ///< offlineDurableSubscriberTimeout; negative: never
  milliseconds offline_durable_period{300'000};
  milliseconds send_fail_after{0};  ///< sendFailIfNoSpaceAfterTimeout of systemUsage; 0: off
  AdvisorySettings advisories;
  std::set<Destination> permanent;  ///< never collected: the configuration lists them
};

}  // namespace pabal::core
