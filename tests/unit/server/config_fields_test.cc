#include <cstdint>
#include <initializer_list>
#include <string>
#include <tuple>
#include <type_traits>
#include <vector>

#include "config_support.h"
#include "server/config/option_table.h"

/// Goal: there is no setting of the model that no file can set.
/// Method: each structure is taken apart by a structured binding, which does not compile any more
/// when a field was added; so the field has to be named here, and then files must be found in which
/// it comes out other than it is without a file.
namespace pabal::server {
namespace {

using namespace core;  // NOLINT: the structures of core/policy.h, all of them

// One line for each structure. A field that is added belongs into both lists.
auto fields(const EngineLimits& limits) {
  const auto& [memory, spilled, window, list_window, parked, transaction_bytes, operations,
               transactions, branches, acknowledgements, prepared_bytes, subscriptions, connections,
               sessions, parts, part_bytes, keep, will, destinations, composite, retroactive_bytes,
               retroactive_topics, retained_bytes, retained, retained_window, unwritten, pending,
               producers, delayed, walks, tasks, scheduled, orders, late_acks, steps, fail] =
      limits;
  return std::tie(memory, spilled, window, list_window, parked, transaction_bytes, operations,
                  transactions, branches, acknowledgements, prepared_bytes, subscriptions,
                  connections, sessions, parts, part_bytes, keep, will, destinations, composite,
                  retroactive_bytes, retroactive_topics, retained_bytes, retained, retained_window,
                  unwritten, pending, producers, delayed, walks, tasks, scheduled, orders,
                  late_acks, steps, fail);
}

auto fields(const RedeliveryPolicy& policy) {
  const auto& [maximum, initial, delay, back_off, multiplier, maximum_delay, avoidance, percent,
               dead_letter] = policy;
  return std::tie(maximum, initial, delay, back_off, multiplier, maximum_delay, avoidance, percent,
                  dead_letter);
}

auto fields(const Destination& destination) {
  const auto& [kind, name] = destination;
  return std::tie(kind, name);
}

auto fields(const DeadLetterStrategy& strategy) {
  const auto& [kind, destination, queue_prefix, queue_suffix, topic_prefix, topic_suffix,
               queue_for_queue, queue_for_topic, per_subscriber, expired, non_persistent, refused,
               expiration] = strategy;
  return std::tie(kind, destination, queue_prefix, queue_suffix, topic_prefix, topic_suffix,
                  queue_for_queue, queue_for_topic, per_subscriber, expired, non_persistent,
                  refused, expiration);
}

auto fields(const PendingLimit& limit) {
  const auto& [kind, messages, rate] = limit;
  return std::tie(kind, messages, rate);
}

auto fields(const EvictionStrategy& strategy) {
  const auto& [kind, property, watermark] = strategy;
  return std::tie(kind, property, watermark);
}

auto fields(const SlowConsumerStrategy& strategy) {
  const auto& [kind, count, duration, period, abort, since_ack, idle] = strategy;
  return std::tie(kind, count, duration, period, abort, since_ack, idle);
}

auto fields(const RecoveryPolicy& policy) {
  const auto& [kind, count, bytes, duration] = policy;
  return std::tie(kind, count, bytes, duration);
}

auto fields(const AdvisoryPolicy& policy) {
  const auto& [arrived, consumed, discarded, fast, slow, full, no_consumer, body] = policy;
  return std::tie(arrived, consumed, discarded, fast, slow, full, no_consumer, body);
}

auto fields(const AdvisorySettings& settings) {
  const auto& [enabled, anonymous, source] = settings;
  static_cast<void>(source);  // the broker itself
  return std::tie(enabled, anonymous);
}

auto fields(const DestinationPolicy& policy) {
  const auto& [memory, store, flow, fail, fail_after, warning, prioritized, strict, priority,
               exclusive, consumers_before, time_before, groups, queue, topic, durable, browser,
               retroactive, recovery, pending, eviction, slow, advisories, dead_letter, redelivery,
               collect, inactive, destinations, duplicates, expire, made_from] = policy;
  (void)made_from;  // not a setting
  return std::tie(memory, store, flow, fail, fail_after, warning, prioritized, strict, priority,
                  exclusive, consumers_before, time_before, groups, queue, topic, durable, browser,
                  retroactive, recovery, pending, eviction, slow, advisories, dead_letter, collect,
                  inactive, destinations, duplicates, expire, redelivery);
}

auto fields(const ForwardTarget& target) {
  const auto& [destination, selector] = target;
  return std::tie(destination, selector);
}

auto fields(const CompositeDestination& composite) {
  const auto& [name, forward_to, forward_only, not_matched] = composite;
  return std::tie(name, forward_to, forward_only, not_matched);
}

auto fields(const VirtualTopic& topic) {
  const auto& [name, prefix, postfix, selector_aware, drop] = topic;
  return std::tie(name, prefix, postfix, selector_aware, drop);
}

auto fields(const MirroredQueues& mirrored) {
  const auto& [prefix, postfix, temporaries] = mirrored;
  return std::tie(prefix, postfix, temporaries);
}

auto fields(const VirtualDestinations& virtuals) {
  const auto& [composites, topics, mirrored] = virtuals;
  return std::tie(composites, topics, mirrored);
}

auto fields(const TimeStamping& stamping) {
  const auto& [zero, ceiling, future] = stamping;
  return std::tie(zero, ceiling, future);
}

auto fields(const EngineSettings& settings) {
  const auto& [policies, virtuals, stamping, force, user_id, scheduler, repeat, period, per_sweep,
               timeout, durable_period, fail_after, advisories, permanent] = settings;
  // What is permanent are the destinations of the file: the broker puts them in as it opens.
  static_cast<void>(permanent);
  return std::tie(policies, virtuals, stamping, force, user_id, scheduler, repeat, period,
                  per_sweep, timeout, durable_period, fail_after, advisories);
}

template <class Field>
bool differ(const Field& one, const Field& other) {
  if constexpr (std::is_same_v<Field, PolicyTable>) {
    return one.entries().size() != other.entries().size();
  } else if constexpr (requires { fields(one); }) {
    const auto first = fields(one);
    const auto second = fields(other);
    const auto any = [&]<std::size_t... at>(std::index_sequence<at...>) {
      return (differ(std::get<at>(first), std::get<at>(second)) || ...);
    };
    return any(std::make_index_sequence<std::tuple_size_v<decltype(first)>>());
  } else if constexpr (requires { one.has_value(); }) {
    return one.has_value() != other.has_value() || (one && differ(*one, *other));
  } else if constexpr (requires { one.capacity(); } && !std::is_same_v<Field, std::string>) {
    return one.size() != other.size();
  } else {
    return one != other;
  }
}

/// Each field of `Whole` is other than in `untouched` in one of `read`.
template <class Whole>
void expect_all_reached(const char* name, const Whole& untouched,
                        std::initializer_list<Whole> read) {
  const auto check = [&](auto index) {
    bool reached = false;
    for (const Whole& each : read) {
      reached =
          reached || differ(std::get<index>(fields(each)), std::get<index>(fields(untouched)));
    }
    EXPECT_TRUE(reached) << name << ": no file sets field number " << index + 1;
  };
  const auto check_each = [&]<std::size_t... at>(std::index_sequence<at...>) {
    (check(std::integral_constant<std::size_t, at>()), ...);
  };
  check_each(std::make_index_sequence<std::tuple_size_v<decltype(fields(untouched))>>());
}

class ConfigFieldsTest : public ConfigTest {
 protected:
  Config read(const std::string& content, const std::string& attributes = "") {
    const auto loaded = load(broker(content, attributes));
    EXPECT_TRUE(loaded) << (loaded ? "" : loaded.error().text);
    if (!loaded) return {};
    EXPECT_TRUE(loaded->findings.empty()) << all_findings(*loaded);
    return loaded->config;
  }
  DestinationPolicy policy(const std::string& attributes, const std::string& parts) {
    return *read("<destinationPolicy><policyMap><policyEntries><policyEntry queue='A' " +
                 attributes + ">" + parts +
                 "</policyEntry></policyEntries></policyMap></destinationPolicy>")
                .engine.policies.find(DestinationKind::queue, "A");
  }
  DestinationPolicy part(const std::string& property, const std::string& element) {
    return policy("", "<" + property + ">" + element + "</" + property + ">");
  }
};

TEST_F(ConfigFieldsTest, EveryLimitOfTheEngine) {
  const Config config = read(
      "<pabalLimits connectionsMax='2' subscriptionsPerConnectionMax='3' destinationsMax='4'"
      " transactionsPerConnectionMax='5' transactionOperationsMax='6' transactionBytesMax='2k'"
      " parkedBytesMax='3k' unwrittenBytesMax='4k' topicPendingBytesMax='5k' windowBytesMax='6k'"
      " listWindowBytesMax='7k' stepsPerEntryMax='8' walksMax='9' tasksMax='10' delayedMax='11'"
      " producersMax='12' preparedBranchesMax='13' preparedAcknowledgementsMax='14'"
      " preparedBytesMax='15k' compositeTargetsMax='16' retroactiveBytesMax='17'"
      " retroactiveTopicsMax='18' scheduledVolatileMax='19' scheduleOrdersMax='20'"
      " lateAcknowledgementsReadersMin='21' sessionsMax='22' sessionAttachmentsMax='23'"
      " sessionAttachmentBytesMax='24k' sessionKeepMax='25' willBytesMax='26k'"
      " retainedMessagesMax='27' retainedBytesMax='28' retainedWindowBytesMax='29'/>"
      "<systemUsage><systemUsage sendFailIfNoSpace='true'><memoryUsage><memoryUsage limit='9mb'/>"
      "</memoryUsage><storeUsage><storeUsage limit='8mb'/></storeUsage><tempUsage>"
      "<tempUsage limit='7mb'/></tempUsage></systemUsage></systemUsage>");
  expect_all_reached("EngineLimits", default_limits(), {config.limits});
  const EngineLimits& limits = config.limits;
  EXPECT_EQ(limits.delayed_max, 11U);
  EXPECT_EQ(limits.producers_max, 12U);
  EXPECT_EQ(limits.prepared_branches_max, 13U);
  EXPECT_EQ(limits.prepared_acknowledgements_max, 14U);
  EXPECT_EQ(limits.prepared_bytes_max, 15U << 10);
  EXPECT_EQ(limits.composite_targets_max, 16U);
  EXPECT_EQ(limits.retroactive_bytes_max, 17U);
  EXPECT_EQ(limits.retroactive_topics_max, 18U);
  EXPECT_EQ(limits.scheduled_volatile_max, 19U);
  EXPECT_EQ(limits.schedule_orders_max, 20U);
  EXPECT_EQ(limits.late_acks_readers_min, 21U);
  EXPECT_EQ(limits.sessions_max, 22U);
  EXPECT_EQ(limits.session_attachments_max, 23U);
  EXPECT_EQ(limits.session_attachment_bytes_max, 24U << 10);
  EXPECT_EQ(limits.session_keep_max, std::chrono::seconds(25));
  EXPECT_EQ(limits.will_bytes_max, 26U << 10);
  EXPECT_EQ(limits.retained_messages_max, 27U);
  EXPECT_EQ(limits.retained_bytes_max, 28U);
  EXPECT_EQ(limits.retained_window_bytes_max, 29U);
}

TEST_F(ConfigFieldsTest, TheDefaultsOfTheTableAreThoseOfTheEngine) {
  std::string attributes;
  for (const Option& option : option_rows()) {
    if (option.owner != "pabalLimits") continue;
    attributes += ' ' + std::string(option.name) + "='" + std::string(option.default_text) + '\'';
  }
  const EngineLimits expected = default_limits();
  const Config config = read("<pabalLimits" + attributes + "/>");
  EXPECT_EQ(fields(config.limits), fields(expected));
}

TEST_F(ConfigFieldsTest, EverySettingOfTheEngine) {
  const Config config = read(
      "<systemUsage><systemUsage sendFailIfNoSpaceAfterTimeout='9'/></systemUsage>"
      "<plugins><timeStampingBrokerPlugin zeroExpirationOverride='1' ttlCeiling='2' "
      "futureOnly='true'/><forcePersistencyModeBrokerPlugin persistenceFlag='true'/></plugins>"
      "<destinationPolicy><policyMap><policyEntries><policyEntry queue='A'/></policyEntries>"
      "</policyMap></destinationPolicy>",
      "schedulerSupport='FALSE' maxSchedulerRepeatAllowed='2' schedulePeriodForDestinationPurge='3'"
      " maxPurgedDestinationsPerSweep='4' offlineDurableSubscriberTimeout='5'"
      " offlineDurableSubscriberTaskSchedule='6' useVirtualTopics='false'"
      " populateJMSXUserID='true' advisorySupport='false'"
      " anonymousProducerAdvisorySupport='true'");
  expect_all_reached("EngineSettings", EngineSettings{}, {config.engine});
  expect_all_reached("AdvisorySettings", AdvisorySettings{}, {config.engine.advisories});
  ASSERT_TRUE(config.engine.time_stamping);
  expect_all_reached("TimeStamping", TimeStamping{}, {*config.engine.time_stamping});
}

TEST_F(ConfigFieldsTest, EveryPartOfAPolicy) {
  const auto flat = policy(
      "memoryLimit='2mb' pabalStoreLimit='3gb' producerFlowControl='false'"
      " sendFailIfNoSpace='true' sendFailIfNoSpaceAfterTimeout='7'"
      " blockedProducerWarningInterval='8' prioritizedMessages='false' strictOrderDispatch='true'"
      " useConsumerPriority='false' allConsumersExclusiveByDefault='true'"
      " consumersBeforeDispatchStarts='9' timeBeforeDispatchStarts='10'"
      " messageGroupMapFactoryType='cached?cacheSize=11' queuePrefetch='12' topicPrefetch='13'"
      " durableTopicPrefetch='14' queueBrowserPrefetch='15' alwaysRetroactive='true'"
      " gcInactiveDestinations='true' inactiveTimeoutBeforeGC='16' maxDestinations='17'"
      " enableAudit='false' expireMessagesPeriod='0' advisoryForDelivery='true'"
      " advisoryForConsumed='true' advisoryForDiscardingMessages='true'"
      " advisoryForFastProducers='true' advisoryForSlowConsumers='true' advisoryWhenFull='true'"
      " sendAdvisoryIfNoConsumers='true' includeBodyForAdvisory='true'",
      "");
  expect_all_reached("AdvisoryPolicy", AdvisoryPolicy{}, {flat.advisories});
  const auto shared = part(
      "deadLetterStrategy",
      "<sharedDeadLetterStrategy deadLetterQueue='topic://D' processExpired='false'"
      " processNonPersistent='true' pabalProcessRefusedNonPersistent='false' expiration='5'/>");
  const auto individual =
      part("deadLetterStrategy",
           "<individualDeadLetterStrategy queuePrefix='q.' queueSuffix='.q' topicPrefix='t.'"
           " topicSuffix='.t' useQueueForQueueMessages='false' useQueueForTopicMessages='false'"
           " destinationPerDurableSubscriber='true'/>");
  expect_all_reached("DeadLetterStrategy", DeadLetterStrategy{},
                     {shared.dead_letter, individual.dead_letter});

  const auto constant =
      part("pendingMessageLimitStrategy", "<constantPendingMessageLimitStrategy limit='50'/>");
  const auto rate = part("pendingMessageLimitStrategy",
                         "<prefetchRatePendingMessageLimitStrategy multiplier='2.5'/>");
  expect_all_reached("PendingLimit", PendingLimit{}, {constant.pending_limit, rate.pending_limit});

  const auto eviction = part("messageEvictionStrategy",
                             "<uniquePropertyMessageEvictionStrategy propertyName='STOCK'"
                             " evictExpiredMessagesHighWatermark='3'/>");
  expect_all_reached("EvictionStrategy", EvictionStrategy{}, {eviction.eviction});

  const auto slow = part("slowConsumerStrategy",
                         "<abortSlowAckConsumerStrategy maxSlowCount='3' maxSlowDuration='4'"
                         " checkPeriod='5' abortConnection='true' maxTimeSinceLastAck='6'"
                         " ignoreIdleConsumers='false'/>");
  expect_all_reached("SlowConsumerStrategy", SlowConsumerStrategy{}, {slow.slow_consumer});

  const auto count =
      part("subscriptionRecoveryPolicy", "<fixedCountSubscriptionRecoveryPolicy maximumSize='4'/>");
  const auto size = part("subscriptionRecoveryPolicy",
                         "<fixedSizedSubscriptionRecoveryPolicy maximumSize='4k'/>");
  const auto timed =
      part("subscriptionRecoveryPolicy", "<timedSubscriptionRecoveryPolicy recoverDuration='4'/>");
  expect_all_reached("RecoveryPolicy", RecoveryPolicy{},
                     {count.recovery, size.recovery, timed.recovery});

  const auto redelivery =
      *read(
           "<plugins><redeliveryPlugin sendToDlqIfMaxRetriesExceeded='false'>"
           "<redeliveryPolicyMap><redeliveryPolicyMap><defaultEntry>"
           "<redeliveryPolicy maximumRedeliveries='-1' initialRedeliveryDelay='2'"
           " redeliveryDelay='3' useExponentialBackOff='true' backOffMultiplier='1.5'"
           " maximumRedeliveryDelay='4' useCollisionAvoidance='true'"
           " collisionAvoidancePercent='6'/></defaultEntry></redeliveryPolicyMap>"
           "</redeliveryPolicyMap></redeliveryPlugin></plugins>")
           .engine.policies.find(DestinationKind::queue, "A");
  ASSERT_TRUE(redelivery.redelivery);
  expect_all_reached("RedeliveryPolicy", RedeliveryPolicy{}, {*redelivery.redelivery});

  expect_all_reached("DestinationPolicy", DestinationPolicy{},
                     {flat, shared, constant, eviction, slow, count, redelivery});
}

TEST_F(ConfigFieldsTest, EveryPartOfAVirtualDestination) {
  const auto virtuals =
      read(
          "<destinationInterceptors><mirroredQueue prefix='m.' postfix='.n'/>"
          "<virtualDestinationInterceptor><virtualDestinations>"
          "<virtualTopic name='V.*' prefix='p.*.' postfix='.q' selectorAware='true' "
          "dropOnResourceLimit='true'/>"
          "<virtualTopic/>"
          "<compositeTopic name='A' forwardOnly='false' sendWhenNotMatched='true'><forwardTo>"
          "<filteredDestination topic='D' selector=\"price > 5\"/></forwardTo></compositeTopic>"
          "</virtualDestinations></virtualDestinationInterceptor>"
          "</destinationInterceptors>",
          "useTempMirroredQueues='false'")
          .engine.virtuals;
  expect_all_reached("VirtualDestinations", VirtualDestinations{}, {virtuals});
  ASSERT_TRUE(virtuals.mirrored);
  expect_all_reached("MirroredQueues", MirroredQueues{}, {*virtuals.mirrored});
  ASSERT_FALSE(virtuals.topics.empty());
  expect_all_reached("VirtualTopic", VirtualTopic{}, {virtuals.topics[0]});
  ASSERT_EQ(virtuals.composites.size(), 1U);
  expect_all_reached("CompositeDestination", CompositeDestination{}, {virtuals.composites[0]});
  ASSERT_EQ(virtuals.composites[0].forward_to.size(), 1U);
  expect_all_reached("ForwardTarget", ForwardTarget{}, {virtuals.composites[0].forward_to[0]});
}

}  // namespace
}  // namespace pabal::server
