#include "server/config/option_rows.h"

/// Attributes of policyEntry and of the policies that stand in it.
namespace pabal::server {
namespace {

using Draft = PolicyDraft;
using Policy = core::DestinationPolicy;
using Redelivery = core::RedeliveryPolicy;
using DeadLetter = core::DeadLetterStrategy;
using Slow = core::SlowConsumerStrategy;
using Advisories = core::AdvisoryPolicy;
constexpr auto kPolicy = &Draft::policy;
constexpr auto kDeadLetter = &Policy::dead_letter;
constexpr auto kSlow = &Policy::slow_consumer;
constexpr auto kAdvisories = &Policy::advisories;
constexpr auto kRedelivery = &Draft::redelivery;

constexpr std::string_view kPaging = "the store pages by itself";
constexpr std::string_view kNetworks = "networks of brokers are not built";
constexpr std::string_view kAudit = "duplicates are found by producer id and sequence, exactly";
constexpr std::string_view kOnce = "a dead letter is made once, with its acknowledgement";

template <core::DestinationKind kind>
void set_name(Target& target, const Value& value, const SourceLocation& at) {
  if (core::is_temporary(kind)) {
    if (value.number != 0) target.draft->name = core::Destination{kind, ""};
  } else {
    target.draft->name = core::Destination{kind, value.text};
  }
  target.draft->name_location = at;
}
constexpr Setter kQueue = &set_name<core::DestinationKind::queue>;
constexpr Setter kTopic = &set_name<core::DestinationKind::topic>;
constexpr Setter kTempQueue = &set_name<core::DestinationKind::temporary_queue>;
constexpr Setter kTempTopic = &set_name<core::DestinationKind::temporary_topic>;

/// A text that is understood when its element ends.
template <const char* name>
void set_text(Target& target, const Value& value, const SourceLocation& at) {
  target.draft->texts[name] = {value.text, at};
}
constexpr char kGroupMapType[] = "messageGroupMapFactoryType";
constexpr char kDeadLetterQueue[] = "deadLetterQueue";
constexpr char kDestination[] = "destination";

void set_expire_period(Target& target, const Value& value, const SourceLocation&) {
  target.draft->policy.expire_messages = value.number != 0;
}

/// -1: as systemUsage says.
void set_fail_after(Target& target, const Value& value, const SourceLocation&) {
  assign(target.draft->policy.send_fail_after, value);
}

/// What a strategy says of non-persistent messages is said of expired and of refused ones.
void set_non_persistent(Target& target, const Value& value, const SourceLocation&) {
  target.draft->policy.dead_letter.process_non_persistent = value.number != 0;
}

constexpr Option kOptions[] = {
    part("policyEntry", "queue", Type::text, "", {1, 4096},
         "queues that the entry is for: a name, or a pattern with * and >", kQueue),
    part("policyEntry", "topic", Type::text, "", {1, 4096}, "the same of topics", kTopic),
    part("policyEntry", "tempQueue", Type::boolean, "false", kAny,
         "the entry is for all temporary queues", kTempQueue),
    part("policyEntry", "tempTopic", Type::boolean, "false", kAny,
         "the entry is for all temporary topics", kTempTopic),
    part("policyEntry", "destination", Type::text, "", {1, 4096},
         "what the entry is for: queue://NAME or topic://NAME", &set_text<kDestination>),
    part("policyEntry", "memoryLimit", Type::memory, "0", kMemory,
         "memory for messages of one destination that cannot be dropped from it; 0: no limit of "
         "its own",
         &set_draft<kPolicy, &Policy::memory_limit>),
    part("policyEntry", "pabalStoreLimit", Type::memory, "0", kMemory,
         "bytes of messages that wait in one queue; 0: no limit of its own",
         &set_draft<kPolicy, &Policy::store_limit>),
    part("policyEntry", "producerFlowControl", Type::boolean, "true", kAny,
         "false: above memoryLimit or pabalStoreLimit no producer is held up",
         &set_draft<kPolicy, &Policy::producer_flow_control>),
    part("policyEntry", "sendFailIfNoSpace", Type::boolean, "as systemUsage", kAny,
         "refuse a send above a limit, instead of letting the producer wait",
         &set_draft<kPolicy, &Policy::send_fail_if_no_space>),
    part("policyEntry", "sendFailIfNoSpaceAfterTimeout", Type::milliseconds, "-1",
         kMillisecondsOrNever, "let it wait so long, then refuse it; -1: as systemUsage",
         &set_fail_after),
    part("policyEntry", "blockedProducerWarningInterval", Type::milliseconds, "30000",
         kMilliseconds, "between two log lines about a producer that waits; 0: none",
         &set_draft<kPolicy, &Policy::blocked_warning>),
    part("policyEntry", "prioritizedMessages", Type::boolean, "true", kAny,
         "by priority, then by arrival; false: what is sent from then on in order of arrival alone",
         &set_draft<kPolicy, &Policy::prioritized>),
    part("policyEntry", "strictOrderDispatch", Type::boolean, "false", kAny,
         "give to the first consumer as long as it takes more, not to each in turn",
         &set_draft<kPolicy, &Policy::strict_order_dispatch>),
    part("policyEntry", "useConsumerPriority", Type::boolean, "true", kAny,
         "consumers of higher priority first", &set_draft<kPolicy, &Policy::use_consumer_priority>),
    part("policyEntry", "allConsumersExclusiveByDefault", Type::boolean, "false", kAny,
         "one consumer at a time gets the queue's messages",
         &set_draft<kPolicy, &Policy::all_consumers_exclusive>),
    part("policyEntry", "consumersBeforeDispatchStarts", Type::integer, "0", kCount,
         "consumers that a queue waits for before it gives out the first message",
         &set_draft<kPolicy, &Policy::consumers_before_dispatch>),
    part("policyEntry", "timeBeforeDispatchStarts", Type::milliseconds, "0", kMilliseconds,
         "how long it waits for them", &set_draft<kPolicy, &Policy::time_before_dispatch>),
    part("policyEntry", "messageGroupMapFactoryType", Type::text, "cached", {1, 200},
         "cached, bucket or simple; `cached?cacheSize=1024` sets how many message groups of a "
         "queue have an owner at a time",
         &set_text<kGroupMapType>),
    part("policyEntry", "queuePrefetch", Type::integer, "as pabalStomp", kCount,
         "prefetch of queue consumers that name none, or, over OpenWire, the default of ActiveMQ's "
         "clients",
         &set_draft<kPolicy, &Policy::queue_prefetch>),
    part("policyEntry", "topicPrefetch", Type::integer, "as pabalStomp", kCount,
         "the same of topic consumers", &set_draft<kPolicy, &Policy::topic_prefetch>),
    part("policyEntry", "durableTopicPrefetch", Type::integer, "as pabalStomp", kCount,
         "the same of durable subscriptions", &set_draft<kPolicy, &Policy::durable_prefetch>),
    part("policyEntry", "queueBrowserPrefetch", Type::integer, "as pabalStomp", kCount,
         "the same of queue browsers", &set_draft<kPolicy, &Policy::browser_prefetch>),
    part("policyEntry", "alwaysRetroactive", Type::boolean, "false", kAny,
         "every topic consumer gets what subscriptionRecoveryPolicy kept",
         &set_draft<kPolicy, &Policy::always_retroactive>),
    part("policyEntry", "gcInactiveDestinations", Type::boolean, "false", kAny,
         "remove destinations that nobody uses; needs schedulePeriodForDestinationPurge",
         &set_draft<kPolicy, &Policy::collect_when_inactive>),
    part("policyEntry", "inactiveTimeoutBeforeGC", Type::milliseconds, "60000", kMilliseconds,
         "unused for so long", &set_draft<kPolicy, &Policy::inactive_before_collection>),
    part("policyEntry", "inactiveTimoutBeforeGC", Type::milliseconds, "60000", kMilliseconds,
         "another spelling of it", &set_draft<kPolicy, &Policy::inactive_before_collection>),
    part("policyEntry", "maxDestinations", Type::integer, "-1", kCountOrNone,
         "destinations under the entry at a time; -1: no limit",
         &set_draft<kPolicy, &Policy::destinations_max>),
    part("policyEntry", "enableAudit", Type::boolean, "true", kAny,
         "do not queue a message that its producer sent before",
         &set_draft<kPolicy, &Policy::duplicate_detection>),
    part("policyEntry", "expireMessagesPeriod", Type::milliseconds, "30000", kMilliseconds,
         "0: messages are not looked at when their time comes, only when they are delivered",
         &set_expire_period),
    unmet("policyEntry", "gcWithNetworkConsumers", Type::boolean, "false", Status::not_yet, "false",
          "", kNetworks),
    unmet("policyEntry", "optimizedDispatch", Type::boolean, "false", Status::meaningless, "",
          "no separate dispatch thread",
          "event loops do the work; there is no thread per destination"),
    unmet("policyEntry", "lazyDispatch", Type::boolean, "false", Status::meaningless, "", "",
          "deliveries always leave by the batch, at once"),
    unmet("policyEntry", "usePrefetchExtension", Type::boolean, "true", Status::meaningless, "", "",
          "a prefetch of 1 always allows one, and no more"),
    unmet("policyEntry", "maxPageSize", Type::integer, "200", Status::meaningless, "", "", kPaging),
    unmet("policyEntry", "maxBrowsePageSize", Type::integer, "400", Status::meaningless, "", "",
          "a browser sees the whole queue"),
    unmet("policyEntry", "maxExpirePageSize", Type::integer, "400", Status::meaningless, "", "",
          kPaging),
    unmet("policyEntry", "cursorMemoryHighWaterMark", Type::integer, "70", Status::meaningless, "",
          "", kPaging),
    unmet("policyEntry", "storeUsageHighWaterMark", Type::integer, "100", Status::meaningless,
          "100", "", "storeUsage counts as a whole"),
    unmet("policyEntry", "maxProducersToAudit", Type::integer, "64", Status::meaningless, "", "",
          kAudit),
    unmet("policyEntry", "maxAuditDepth", Type::integer, "10000", Status::meaningless, "",
          "of subscriptions", kAudit),
    unmet("policyEntry", "maxQueueAuditDepth", Type::integer, "10000", Status::meaningless, "",
          "of queues", kAudit),
    unmet("policyEntry", "useCache", Type::boolean, "true", Status::meaningless, "", "", kPaging),
    unmet("policyEntry", "reduceMemoryFootprint", Type::boolean, "false", Status::meaningless, "",
          "", "a message is in memory once, as it is on the wire"),
    unmet("policyEntry", "minimumMessageSize", Type::integer, "1024", Status::meaningless, "",
          "memory accounting floor", "messages count with what they take"),
    part("policyEntry", "advisoryForConsumed", Type::boolean, "false", kAny,
         "tell on ActiveMQ.Advisory.MessageConsumed.… of every message that a consumer has taken",
         &set_draft<kPolicy, kAdvisories, &Advisories::consumed>),
    part("policyEntry", "advisoryForDelivery", Type::boolean, "false", kAny,
         "tell on ActiveMQ.Advisory.MessageDelivered.… of every message that comes",
         &set_draft<kPolicy, kAdvisories, &Advisories::arrived>),
    part("policyEntry", "advisoryForDiscardingMessages", Type::boolean, "false", kAny,
         "tell on ActiveMQ.Advisory.MessageDiscarded.… of what a pendingMessageLimitStrategy drops",
         &set_draft<kPolicy, kAdvisories, &Advisories::discarded>),
    part("policyEntry", "advisoryForFastProducers", Type::boolean, "false", kAny,
         "tell on ActiveMQ.Advisory.FastProducer.… of a producer that a limit of its destination "
         "holds up",
         &set_draft<kPolicy, kAdvisories, &Advisories::fast_producers>),
    part("policyEntry", "advisoryForSlowConsumers", Type::boolean, "false", kAny,
         "tell on ActiveMQ.Advisory.SlowConsumer.… of a consumer for which, with its prefetch out, "
         "more than as much again waits",
         &set_draft<kPolicy, kAdvisories, &Advisories::slow_consumers>),
    part("policyEntry", "advisoryWhenFull", Type::boolean, "false", kAny,
         "tell on ActiveMQ.Advisory.FULL.… of a send that meets a limit of its destination",
         &set_draft<kPolicy, kAdvisories, &Advisories::full>),
    part("policyEntry", "includeBodyForAdvisory", Type::boolean, "false", kAny,
         "advisories about messages have their bodies",
         &set_draft<kPolicy, kAdvisories, &Advisories::include_body>),
    part("policyEntry", "sendAdvisoryIfNoConsumers", Type::boolean, "false", kAny,
         "copy to ActiveMQ.Advisory.NoConsumer.… what is not persistent and finds no consumer",
         &set_draft<kPolicy, kAdvisories, &Advisories::no_consumer>),
    unmet("policyEntry", "persistJMSRedelivered", Type::boolean, "false", Status::meaningless, "",
          "", "what may have been delivered is always marked, after a restart too"),
    unmet("policyEntry", "sendDuplicateFromStoreToDLQ", Type::boolean, "false", Status::meaningless,
          "false", "", "the store does not bring messages twice"),
    unmet("policyEntry", "useTopicSubscriptionInflightStats", Type::boolean, "true",
          Status::meaningless, "", "", "counters are always kept"),
    unmet("policyEntry", "doOptimzeMessageStorage", Type::boolean, "true", Status::meaningless, "",
          "", "what is consumed before it is written is never written"),
    unmet("policyEntry", "optimizeMessageStoreInFlightLimit", Type::integer, "10",
          Status::meaningless, "", "", "what is consumed before it is written is never written"),

    part("sharedDeadLetterStrategy", "deadLetterQueue", Type::text, "queue://ActiveMQ.DLQ",
         {1, 4096}, "where dead letters go; a child element of this name says the same",
         &set_text<kDeadLetterQueue>),
    part("sharedDeadLetterStrategy", "processExpired", Type::boolean, "true", kAny,
         "false: expired messages are dropped",
         &set_draft<kPolicy, kDeadLetter, &DeadLetter::process_expired>),
    part("sharedDeadLetterStrategy", "processNonPersistent", Type::boolean, "false", kAny,
         "true: expired non-persistent messages too", &set_non_persistent),
    part("sharedDeadLetterStrategy", "pabalProcessRefusedNonPersistent", Type::boolean, "true",
         kAny, "false: non-persistent messages that a consumer refused are dropped",
         &set_draft<kPolicy, kDeadLetter, &DeadLetter::process_refused_non_persistent>),
    part("sharedDeadLetterStrategy", "expiration", Type::milliseconds, "0", kMilliseconds,
         "life of a dead letter, from then; 0: for ever",
         &set_draft<kPolicy, kDeadLetter, &DeadLetter::expiration>),
    unmet("sharedDeadLetterStrategy", "enableAudit", Type::boolean, "true", Status::meaningless, "",
          "", kOnce),
    unmet("sharedDeadLetterStrategy", "maxAuditDepth", Type::integer, "2048", Status::meaningless,
          "", "", kOnce),
    unmet("sharedDeadLetterStrategy", "maxProducersToAudit", Type::integer, "64",
          Status::meaningless, "", "", kOnce),

    part("individualDeadLetterStrategy", "queuePrefix", Type::text, "ActiveMQ.DLQ.Queue.",
         {0, 1000}, "of the destination for what could not be delivered from a queue",
         &set_draft<kPolicy, kDeadLetter, &DeadLetter::queue_prefix>),
    part("individualDeadLetterStrategy", "queueSuffix", Type::text, "", {0, 1000}, "its end",
         &set_draft<kPolicy, kDeadLetter, &DeadLetter::queue_suffix>),
    part("individualDeadLetterStrategy", "topicPrefix", Type::text, "ActiveMQ.DLQ.Topic.",
         {0, 1000}, "the same of a topic",
         &set_draft<kPolicy, kDeadLetter, &DeadLetter::topic_prefix>),
    part("individualDeadLetterStrategy", "topicSuffix", Type::text, "", {0, 1000}, "its end",
         &set_draft<kPolicy, kDeadLetter, &DeadLetter::topic_suffix>),
    part("individualDeadLetterStrategy", "useQueueForQueueMessages", Type::boolean, "true", kAny,
         "false: dead letters from queues go to a topic",
         &set_draft<kPolicy, kDeadLetter, &DeadLetter::queue_for_queue_messages>),
    part("individualDeadLetterStrategy", "useQueueForTopicMessages", Type::boolean, "true", kAny,
         "false: dead letters from topics go to a topic",
         &set_draft<kPolicy, kDeadLetter, &DeadLetter::queue_for_topic_messages>),
    part("individualDeadLetterStrategy", "destinationPerDurableSubscriber", Type::boolean, "false",
         kAny, "one for each durable subscription",
         &set_draft<kPolicy, kDeadLetter, &DeadLetter::per_durable_subscriber>),
    part("individualDeadLetterStrategy", "processExpired", Type::boolean, "true", kAny,
         "false: expired messages are dropped",
         &set_draft<kPolicy, kDeadLetter, &DeadLetter::process_expired>),
    part("individualDeadLetterStrategy", "processNonPersistent", Type::boolean, "false", kAny,
         "true: expired non-persistent messages too", &set_non_persistent),
    part("individualDeadLetterStrategy", "pabalProcessRefusedNonPersistent", Type::boolean, "true",
         kAny, "false: non-persistent messages that a consumer refused are dropped",
         &set_draft<kPolicy, kDeadLetter, &DeadLetter::process_refused_non_persistent>),
    part("individualDeadLetterStrategy", "expiration", Type::milliseconds, "0", kMilliseconds,
         "life of a dead letter, from then; 0: for ever",
         &set_draft<kPolicy, kDeadLetter, &DeadLetter::expiration>),
    unmet("individualDeadLetterStrategy", "enableAudit", Type::boolean, "true", Status::meaningless,
          "", "", kOnce),
    unmet("individualDeadLetterStrategy", "maxAuditDepth", Type::integer, "2048",
          Status::meaningless, "", "", kOnce),
    unmet("individualDeadLetterStrategy", "maxProducersToAudit", Type::integer, "64",
          Status::meaningless, "", "", kOnce),

    unmet("discarding", "deadLetterQueue", Type::text, "queue://ActiveMQ.DLQ", Status::meaningless,
          "", "", "dead letters are dropped in any case"),
    unmet("discarding", "processExpired", Type::boolean, "true", Status::meaningless, "", "",
          "dead letters are dropped in any case"),
    unmet("discarding", "processNonPersistent", Type::boolean, "false", Status::meaningless, "", "",
          "dead letters are dropped in any case"),
    unmet("discarding", "expiration", Type::milliseconds, "0", Status::meaningless, "", "",
          "dead letters are dropped in any case"),
    unmet("discarding", "enableAudit", Type::boolean, "true", Status::meaningless, "", "",
          "dead letters are dropped in any case"),
    unmet("discarding", "maxAuditDepth", Type::integer, "2048", Status::meaningless, "", "",
          "dead letters are dropped in any case"),
    unmet("discarding", "maxProducersToAudit", Type::integer, "64", Status::meaningless, "", "",
          "dead letters are dropped in any case"),

    part("constantPendingMessageLimitStrategy", "limit", Type::integer, "-1", kCountOrNone,
         "messages that may wait for a topic consumer beyond its prefetch; -1: no limit",
         &set_draft<kPolicy, &Policy::pending_limit, &core::PendingLimit::messages>),
    part("prefetchRatePendingMessageLimitStrategy", "multiplier", Type::real, "0.5", {0, 1000000},
         "the same as a multiple of the prefetch",
         &set_draft<kPolicy, &Policy::pending_limit, &core::PendingLimit::rate>),
    part("oldestMessageEvictionStrategy", "evictExpiredMessagesHighWatermark", Type::integer,
         "1000", kCount, "with more waiting, expired messages go first",
         &set_draft<kPolicy, &Policy::eviction, &core::EvictionStrategy::expired_high_watermark>),
    part("oldestMessageWithLowestPriorityEvictionStrategy", "evictExpiredMessagesHighWatermark",
         Type::integer, "1000", kCount, "with more waiting, expired messages go first",
         &set_draft<kPolicy, &Policy::eviction, &core::EvictionStrategy::expired_high_watermark>),
    part("uniquePropertyMessageEvictionStrategy", "evictExpiredMessagesHighWatermark",
         Type::integer, "1000", kCount, "with more waiting, expired messages go first",
         &set_draft<kPolicy, &Policy::eviction, &core::EvictionStrategy::expired_high_watermark>),
    part("uniquePropertyMessageEvictionStrategy", "propertyName", Type::text, "", {0, 1000},
         "of two messages with the same value of this property the older one goes",
         &set_draft<kPolicy, &Policy::eviction, &core::EvictionStrategy::property>),

    part("abortSlowConsumerStrategy", "maxSlowCount", Type::integer, "-1", kCountOrNone,
         "end a consumer that was found slow so often in a row; -1: does not count",
         &set_draft<kPolicy, kSlow, &Slow::max_slow_count>),
    part("abortSlowConsumerStrategy", "maxSlowDuration", Type::milliseconds, "30000",
         kMillisecondsOrNever, "end one that has been slow for longer; -1: does not matter",
         &set_draft<kPolicy, kSlow, &Slow::max_slow_duration>),
    part("abortSlowConsumerStrategy", "checkPeriod", Type::milliseconds, "30000", {1, kNumberMax},
         "between two looks", &set_draft<kPolicy, kSlow, &Slow::check_period>),
    part("abortSlowConsumerStrategy", "abortConnection", Type::boolean, "false", kAny,
         "true: all subscriptions of its connection end. STOMP cannot be told that one has ended, "
         "so its "
         "connection gets an ERROR and is closed in any case",
         &set_draft<kPolicy, kSlow, &Slow::abort_connection>),
    unmet("abortSlowConsumerStrategy", "ignoreNetworkConsumers", Type::boolean, "true",
          Status::not_yet, "true", "", kNetworks),
    unmet("abortSlowConsumerStrategy", "name", Type::text, "", Status::meaningless, "", "",
          "a name for JMX"),
    part("abortSlowAckConsumerStrategy", "maxSlowCount", Type::integer, "-1", kCountOrNone,
         "end a consumer that was found slow so often in a row; -1: does not count",
         &set_draft<kPolicy, kSlow, &Slow::max_slow_count>),
    part("abortSlowAckConsumerStrategy", "maxSlowDuration", Type::milliseconds, "30000",
         kMillisecondsOrNever, "end one that has been slow for longer; -1: does not matter",
         &set_draft<kPolicy, kSlow, &Slow::max_slow_duration>),
    part("abortSlowAckConsumerStrategy", "checkPeriod", Type::milliseconds, "30000",
         {1, kNumberMax}, "between two looks", &set_draft<kPolicy, kSlow, &Slow::check_period>),
    part("abortSlowAckConsumerStrategy", "abortConnection", Type::boolean, "false", kAny,
         "true: all subscriptions of its connection end. STOMP cannot be told that one has ended, "
         "so its "
         "connection gets an ERROR and is closed in any case",
         &set_draft<kPolicy, kSlow, &Slow::abort_connection>),
    part("abortSlowAckConsumerStrategy", "maxTimeSinceLastAck", Type::milliseconds, "30000",
         kMilliseconds, "a consumer that has acknowledged nothing for so long is slow",
         &set_draft<kPolicy, kSlow, &Slow::max_time_since_last_ack>),
    part("abortSlowAckConsumerStrategy", "ignoreIdleConsumers", Type::boolean, "true", kAny,
         "one that has nothing to acknowledge is not slow",
         &set_draft<kPolicy, kSlow, &Slow::ignore_idle_consumers>),
    unmet("abortSlowAckConsumerStrategy", "ignoreNetworkConsumers", Type::boolean, "true",
          Status::not_yet, "true", "", kNetworks),
    unmet("abortSlowAckConsumerStrategy", "name", Type::text, "", Status::meaningless, "", "",
          "a name for JMX"),

    part("fixedCountSubscriptionRecoveryPolicy", "maximumSize", Type::integer, "100", kCount,
         "messages of a topic kept for retroactive consumers",
         &set_draft<kPolicy, &Policy::recovery, &core::RecoveryPolicy::count>),
    part("fixedSizedSubscriptionRecoveryPolicy", "maximumSize", Type::memory, "65536", kMemory,
         "bytes of messages of a topic kept for retroactive consumers",
         &set_draft<kPolicy, &Policy::recovery, &core::RecoveryPolicy::bytes>),
    unmet("fixedSizedSubscriptionRecoveryPolicy", "useSharedBuffer", Type::boolean, "true",
          Status::meaningless, "", "", "every topic keeps its own"),
    part("timedSubscriptionRecoveryPolicy", "recoverDuration", Type::milliseconds, "60000",
         kMilliseconds, "how long messages of a topic are kept for retroactive consumers",
         &set_draft<kPolicy, &Policy::recovery, &core::RecoveryPolicy::duration>),

    part("cachedMessageGroupMapFactory", "cacheSize", Type::integer, "1024",
         {1, std::numeric_limits<std::int32_t>::max()},
         "message groups of a queue that have an owner at a time",
         &set_draft<kPolicy, &Policy::groups_max>),
    part("messageGroupHashBucketFactory", "bucketCount", Type::integer, "1024",
         {1, std::numeric_limits<std::int32_t>::max()},
         "message groups of a queue that have an owner at a time: they do not share buckets",
         &set_draft<kPolicy, &Policy::groups_max>),
    unmet("messageGroupHashBucketFactory", "cacheSize", Type::integer, "64", Status::meaningless,
          "", "", "groups do not share buckets"),

    part("redeliveryPolicy", "queue", Type::text, "", {1, 4096},
         "queues that the policy is for: a name, or a pattern with * and >", kQueue),
    part("redeliveryPolicy", "topic", Type::text, "", {1, 4096}, "the same of topics", kTopic),
    part("redeliveryPolicy", "tempQueue", Type::boolean, "false", kAny,
         "the policy is for all temporary queues", kTempQueue),
    part("redeliveryPolicy", "tempTopic", Type::boolean, "false", kAny,
         "the policy is for all temporary topics", kTempTopic),
    part("redeliveryPolicy", "destination", Type::text, "", {1, 4096},
         "what the policy is for: queue://NAME or topic://NAME", &set_text<kDestination>),
    part("redeliveryPolicy", "maximumRedeliveries", Type::integer, "6", kCountOrNone,
         "how often a message is tried again before it is a dead letter; -1: without end",
         &set_draft<kRedelivery, &Redelivery::maximum_redeliveries>),
    part("redeliveryPolicy", "initialRedeliveryDelay", Type::milliseconds, "1000", kMilliseconds,
         "before the first redelivery", &set_draft<kRedelivery, &Redelivery::initial_delay>),
    part("redeliveryPolicy", "redeliveryDelay", Type::milliseconds, "1000", kMilliseconds,
         "before the others", &set_draft<kRedelivery, &Redelivery::delay>),
    part("redeliveryPolicy", "useExponentialBackOff", Type::boolean, "false", kAny,
         "each delay is a multiple of the one before",
         &set_draft<kRedelivery, &Redelivery::exponential_back_off>),
    part("redeliveryPolicy", "backOffMultiplier", Type::real, "5.0", {0, 1000000}, "of so much",
         &set_draft<kRedelivery, &Redelivery::back_off_multiplier>),
    part("redeliveryPolicy", "maximumRedeliveryDelay", Type::milliseconds, "-1",
         kMillisecondsOrNever, "no delay is longer; -1: no bound",
         &set_draft<kRedelivery, &Redelivery::maximum_delay>),
    part("redeliveryPolicy", "useCollisionAvoidance", Type::boolean, "false", kAny,
         "vary the delays, so that not all messages come back at once",
         &set_draft<kRedelivery, &Redelivery::collision_avoidance>),
    part("redeliveryPolicy", "collisionAvoidancePercent", Type::integer, "15", {0, 100},
         "by so much, either way",
         &set_draft<kRedelivery, &Redelivery::collision_avoidance_percent>),
    unmet("redeliveryPolicy", "preDispatchCheck", Type::boolean, "true", Status::meaningless, "",
          "", "the broker performs the redeliveries"),
    part("redeliveryPlugin", "sendToDlqIfMaxRetriesExceeded", Type::boolean, "true", kAny,
         "false: a message that was tried often enough is dropped",
         &set_draft<&Draft::dead_letter_when_exhausted>),
    unmet("redeliveryPlugin", "fallbackToDeadLetter", Type::boolean, "true", Status::not_yet,
          "true", "", "without a policy for it a message is always a dead letter"),
};

}  // namespace

std::span<const Option> policy_options() noexcept {
  return kOptions;
}

}  // namespace pabal::server
