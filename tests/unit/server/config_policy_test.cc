#include "config_support.h"
#include "server/config/option_table.h"

namespace pabal::server {
namespace {

using core::DestinationKind;
using core::milliseconds;

class ConfigPolicyTest : public ConfigTest {
 protected:
  static std::string entries(const std::string& content, const std::string& more = "") {
    return broker("<destinationPolicy><policyMap><policyEntries>\n" + content +
                  "\n</policyEntries>" + more + "</policyMap></destinationPolicy>");
  }
  static std::string interceptors(const std::string& content) {
    return broker(
        "<destinationInterceptors><virtualDestinationInterceptor><virtualDestinations>\n" +
        content +
        "\n</virtualDestinations></virtualDestinationInterceptor></destinationInterceptors>");
  }
  /// The policy of queue `name` under these entries; nothing is reported about them.
  core::DestinationPolicy policy(const std::string& content, const std::string& name = "A") {
    const auto loaded = load(entries(content));
    EXPECT_TRUE(loaded) << (loaded ? "" : loaded.error().text);
    if (!loaded) return {};
    EXPECT_TRUE(loaded->findings.empty()) << all_findings(*loaded);
    return *loaded->config.engine.policies.find(DestinationKind::queue, name);
  }
  core::DestinationPolicy nested(const std::string& property, const std::string& element) {
    return policy("<policyEntry queue='A'><" + property + '>' + element + "</" + property +
                  "></policyEntry>");
  }
  /// What `text` is refused with.
  std::string refusal(const std::string& text) {
    const auto loaded = load(text);
    EXPECT_FALSE(loaded) << text;
    return loaded ? "" : loaded.error().text;
  }
};

TEST_F(ConfigPolicyTest, EveryAttributeOfAnEntryReachesThePolicy) {
  const auto read = policy(
      "<policyEntry queue='A' memoryLimit='2mb' pabalStoreLimit='3gb' producerFlowControl='false'"
      " sendFailIfNoSpace='true' sendFailIfNoSpaceAfterTimeout='7'"
      " blockedProducerWarningInterval='8' strictOrderDispatch='true'"
      " useConsumerPriority='false' allConsumersExclusiveByDefault='true'"
      " consumersBeforeDispatchStarts='9' timeBeforeDispatchStarts='10'"
      " messageGroupMapFactoryType='cached?cacheSize=11' queuePrefetch='12' topicPrefetch='13'"
      " durableTopicPrefetch='14' queueBrowserPrefetch='15' alwaysRetroactive='true'"
      " gcInactiveDestinations='true' inactiveTimeoutBeforeGC='16' maxDestinations='17'"
      " enableAudit='false' expireMessagesPeriod='0'/>");
  EXPECT_EQ(read.memory_limit, 2U << 20);
  EXPECT_EQ(read.store_limit, 3ULL << 30);
  EXPECT_FALSE(read.producer_flow_control);
  EXPECT_EQ(read.send_fail_if_no_space, true);
  EXPECT_EQ(read.send_fail_after, milliseconds(7));
  EXPECT_EQ(read.blocked_warning, milliseconds(8));
  EXPECT_TRUE(read.strict_order_dispatch);
  EXPECT_FALSE(read.use_consumer_priority);
  EXPECT_TRUE(read.all_consumers_exclusive);
  EXPECT_EQ(read.consumers_before_dispatch, 9U);
  EXPECT_EQ(read.time_before_dispatch, milliseconds(10));
  EXPECT_EQ(read.groups_max, 11U);
  EXPECT_EQ(read.queue_prefetch, 12U);
  EXPECT_EQ(read.topic_prefetch, 13U);
  EXPECT_EQ(read.durable_prefetch, 14U);
  EXPECT_EQ(read.browser_prefetch, 15U);
  EXPECT_TRUE(read.always_retroactive);
  EXPECT_TRUE(read.collect_when_inactive);
  EXPECT_EQ(read.inactive_before_collection, milliseconds(16));
  EXPECT_EQ(read.destinations_max, 17);
  EXPECT_FALSE(read.duplicate_detection);
  EXPECT_FALSE(read.expire_messages);
}

/// Goal: the table's defaults are those of the policy. Method: an entry with every honoured
/// attribute at the default that the table names behaves as one without attributes.
TEST_F(ConfigPolicyTest, TheDefaultsOfTheTableAreThoseOfThePolicy) {
  std::string attributes;
  for (const Option& option : option_rows()) {
    const bool own = option.default_text.empty() || option.default_text.starts_with("as ");
    if (option.owner != "policyEntry" || option.status != Status::honoured || own) continue;
    attributes += ' ' + std::string(option.name) + "='" + std::string(option.default_text) + '\'';
  }
  const core::DestinationPolicy expected;
  const auto read = policy("<policyEntry queue='A'" + attributes + "/>");
  EXPECT_EQ(read.memory_limit, expected.memory_limit);
  EXPECT_EQ(read.store_limit, expected.store_limit);
  EXPECT_EQ(read.producer_flow_control, expected.producer_flow_control);
  EXPECT_EQ(read.send_fail_if_no_space, expected.send_fail_if_no_space);
  EXPECT_EQ(read.send_fail_after, expected.send_fail_after);
  EXPECT_EQ(read.blocked_warning, expected.blocked_warning);
  EXPECT_EQ(read.prioritized, expected.prioritized);
  EXPECT_EQ(read.strict_order_dispatch, expected.strict_order_dispatch);
  EXPECT_EQ(read.use_consumer_priority, expected.use_consumer_priority);
  EXPECT_EQ(read.all_consumers_exclusive, expected.all_consumers_exclusive);
  EXPECT_EQ(read.consumers_before_dispatch, expected.consumers_before_dispatch);
  EXPECT_EQ(read.time_before_dispatch, expected.time_before_dispatch);
  EXPECT_EQ(read.groups_max, expected.groups_max);
  EXPECT_EQ(read.queue_prefetch, expected.queue_prefetch);
  EXPECT_EQ(read.always_retroactive, expected.always_retroactive);
  EXPECT_EQ(read.collect_when_inactive, expected.collect_when_inactive);
  EXPECT_EQ(read.inactive_before_collection, expected.inactive_before_collection);
  EXPECT_EQ(read.destinations_max, expected.destinations_max);
  EXPECT_EQ(read.duplicate_detection, expected.duplicate_detection);
  EXPECT_EQ(read.expire_messages, expected.expire_messages);
}

TEST_F(ConfigPolicyTest, EntriesAreForQueuesTopicsTemporariesAndTheRest) {
  const auto loaded = load(entries(
      "<policyEntry queue='A.>, B' memoryLimit='1'/><policyEntry topic='A' memoryLimit='2'/>"
      "<policyEntry tempQueue='true' memoryLimit='3'/><policyEntry tempTopic='1' memoryLimit='4'/>"
      "<policyEntry destination='topic://T' memoryLimit='5'/>"
      "<policyEntry memoryLimit='6'><destination><queue physicalName='C.*'/></destination>"
      "</policyEntry>",
      "<defaultEntry><policyEntry memoryLimit='7'/></defaultEntry>"));
  ASSERT_TRUE(loaded) << loaded.error().text;
  EXPECT_TRUE(loaded->findings.empty()) << all_findings(*loaded);
  const auto limit = [&](DestinationKind kind, const char* name) {
    return loaded->config.engine.policies.find(kind, name)->memory_limit;
  };
  EXPECT_EQ(limit(DestinationKind::queue, "A.x.y"), 1U);
  EXPECT_EQ(limit(DestinationKind::queue, "B"), 1U);
  EXPECT_EQ(limit(DestinationKind::topic, "A"), 2U);
  EXPECT_EQ(limit(DestinationKind::temporary_queue, "x"), 3U);
  EXPECT_EQ(limit(DestinationKind::temporary_topic, "x"), 4U);
  EXPECT_EQ(limit(DestinationKind::topic, "T"), 5U);
  EXPECT_EQ(limit(DestinationKind::queue, "C.x"), 6U);
  EXPECT_EQ(limit(DestinationKind::queue, "other"), 7U);
  // None of them is a destination to create.
  EXPECT_TRUE(loaded->config.destinations.empty());
}

TEST_F(ConfigPolicyTest, DeadLetterStrategies) {
  using Kind = core::DeadLetterStrategy::Kind;
  auto read = nested("deadLetterStrategy",
                     "<sharedDeadLetterStrategy processExpired='false' processNonPersistent='true'"
                     " pabalProcessRefusedNonPersistent='false' expiration='5'><deadLetterQueue>"
                     "<queue physicalName='DLQ'/></deadLetterQueue></sharedDeadLetterStrategy>")
                  .dead_letter;
  EXPECT_EQ(read.kind, Kind::shared);
  EXPECT_EQ(read.destination.to_text(), "queue://DLQ");
  EXPECT_FALSE(read.process_expired);
  EXPECT_TRUE(read.process_non_persistent);
  EXPECT_FALSE(read.process_refused_non_persistent);
  EXPECT_EQ(read.expiration, milliseconds(5));
  read = nested("deadLetterStrategy", "<sharedDeadLetterStrategy deadLetterQueue='topic://D'/>")
             .dead_letter;
  EXPECT_EQ(read.destination.to_text(), "topic://D");
  EXPECT_TRUE(read.process_expired);
  read =
      nested("deadLetterStrategy",
             "<individualDeadLetterStrategy queuePrefix='q.' queueSuffix='.q' topicPrefix='t.'"
             " topicSuffix='.t' useQueueForQueueMessages='false' useQueueForTopicMessages='false'"
             " destinationPerDurableSubscriber='true'/>")
          .dead_letter;
  EXPECT_EQ(read.kind, Kind::individual);
  EXPECT_EQ(read.queue_prefix + read.queue_suffix + read.topic_prefix + read.topic_suffix,
            "q..qt..t");
  EXPECT_FALSE(read.queue_for_queue_messages);
  EXPECT_FALSE(read.queue_for_topic_messages);
  EXPECT_TRUE(read.per_durable_subscriber);
  EXPECT_EQ(nested("deadLetterStrategy", "<discarding/>").dead_letter.kind, Kind::discard);
}

TEST_F(ConfigPolicyTest, StrategiesAgainstSlowTopicConsumers) {
  auto limit =
      nested("pendingMessageLimitStrategy", "<constantPendingMessageLimitStrategy limit='50'/>")
          .pending_limit;
  EXPECT_EQ(limit.kind, core::PendingLimit::Kind::constant);
  EXPECT_EQ(limit.messages, 50);
  limit = nested("pendingMessageLimitStrategy",
                 "<prefetchRatePendingMessageLimitStrategy multiplier='2.5'/>")
              .pending_limit;
  EXPECT_EQ(limit.kind, core::PendingLimit::Kind::prefetch_rate);
  EXPECT_EQ(limit.rate, 2.5);
  auto eviction = nested("messageEvictionStrategy",
                         "<uniquePropertyMessageEvictionStrategy propertyName='STOCK'"
                         " evictExpiredMessagesHighWatermark='3'/>")
                      .eviction;
  EXPECT_EQ(eviction.kind, core::EvictionStrategy::Kind::unique_property);
  EXPECT_EQ(eviction.property, "STOCK");
  EXPECT_EQ(eviction.expired_high_watermark, 3U);
  EXPECT_EQ(nested("messageEvictionStrategy", "<oldestMessageWithLowestPriorityEvictionStrategy/>")
                .eviction.kind,
            core::EvictionStrategy::Kind::oldest_with_lowest_priority);
  auto slow = nested("slowConsumerStrategy",
                     "<abortSlowConsumerStrategy maxSlowCount='3' maxSlowDuration='4'"
                     " checkPeriod='5' abortConnection='true' ignoreNetworkConsumers='true'/>")
                  .slow_consumer;
  EXPECT_EQ(slow.kind, core::SlowConsumerStrategy::Kind::abort_slow);
  EXPECT_EQ(slow.max_slow_count, 3);
  EXPECT_EQ(slow.max_slow_duration, milliseconds(4));
  EXPECT_EQ(slow.check_period, milliseconds(5));
  EXPECT_TRUE(slow.abort_connection);
  slow =
      nested("slowConsumerStrategy",
             "<abortSlowAckConsumerStrategy maxTimeSinceLastAck='6' ignoreIdleConsumers='false'/>")
          .slow_consumer;
  EXPECT_EQ(slow.kind, core::SlowConsumerStrategy::Kind::abort_slow_ack);
  EXPECT_EQ(slow.max_time_since_last_ack, milliseconds(6));
  EXPECT_FALSE(slow.ignore_idle_consumers);
}

TEST_F(ConfigPolicyTest, OtherPoliciesInAnEntry) {
  using Recovery = core::RecoveryPolicy::Kind;
  const auto recovery = [&](const std::string& element) {
    return nested("subscriptionRecoveryPolicy", element).recovery;
  };
  EXPECT_EQ(recovery("<noSubscriptionRecoveryPolicy/>").kind, Recovery::none);
  EXPECT_EQ(recovery("<lastImageSubscriptionRecoveryPolicy/>").kind, Recovery::last_image);
  EXPECT_EQ(recovery("<fixedCountSubscriptionRecoveryPolicy maximumSize='4'/>").count, 4U);
  EXPECT_EQ(recovery("<fixedSizedSubscriptionRecoveryPolicy maximumSize='4k'/>").bytes, 4096U);
  EXPECT_EQ(recovery("<timedSubscriptionRecoveryPolicy recoverDuration='4'/>").duration,
            milliseconds(4));
  EXPECT_TRUE(nested("dispatchPolicy", "<strictOrderDispatchPolicy/>").strict_order_dispatch);
  EXPECT_FALSE(nested("dispatchPolicy", "<roundRobinDispatchPolicy/>").strict_order_dispatch);
  EXPECT_EQ(
      nested("messageGroupMapFactory", "<cachedMessageGroupMapFactory cacheSize='9'/>").groups_max,
      9U);
  EXPECT_EQ(nested("messageGroupMapFactory", "<messageGroupHashBucketFactory bucketCount='8'/>")
                .groups_max,
            8U);
  EXPECT_GT(nested("messageGroupMapFactory", "<simpleMessageGroupMapFactory/>").groups_max,
            100'000U);
}

TEST_F(ConfigPolicyTest, RedeliveryPoliciesAndTheirPlugin) {
  const auto loaded = load(broker(
      "<plugins><redeliveryPlugin sendToDlqIfMaxRetriesExceeded='false' "
      "fallbackToDeadLetter='true'>"
      "<redeliveryPolicyMap><redeliveryPolicyMap><redeliveryPolicyEntries>"
      "<redeliveryPolicy queue='A.>' maximumRedeliveries='-1' initialRedeliveryDelay='2'"
      " redeliveryDelay='3' useExponentialBackOff='true' backOffMultiplier='1.5'"
      " maximumRedeliveryDelay='4' useCollisionAvoidance='true' collisionAvoidancePercent='6'/>"
      "</redeliveryPolicyEntries><defaultEntry><redeliveryPolicy maximumRedeliveries='7'/>"
      "</defaultEntry></redeliveryPolicyMap></redeliveryPolicyMap></redeliveryPlugin></plugins>"));
  ASSERT_TRUE(loaded) << loaded.error().text;
  EXPECT_TRUE(loaded->findings.empty()) << all_findings(*loaded);
  const auto& policies = loaded->config.engine.policies;
  const auto read = policies.find(DestinationKind::queue, "A.B")->redelivery;
  ASSERT_TRUE(read);
  EXPECT_EQ(read->maximum_redeliveries, -1);
  EXPECT_EQ(read->initial_delay, milliseconds(2));
  EXPECT_EQ(read->delay, milliseconds(3));
  EXPECT_TRUE(read->exponential_back_off);
  EXPECT_EQ(read->back_off_multiplier, 1.5);
  EXPECT_EQ(read->maximum_delay, milliseconds(4));
  EXPECT_TRUE(read->collision_avoidance);
  EXPECT_EQ(read->collision_avoidance_percent, 6U);
  EXPECT_FALSE(read->dead_letter_when_exhausted);
  EXPECT_EQ(policies.find(DestinationKind::topic, "T")->redelivery->maximum_redeliveries, 7);
  const auto without = load(broker(""));
  EXPECT_FALSE(without->config.engine.policies.find(DestinationKind::queue, "A.B")->redelivery);
}

TEST_F(ConfigPolicyTest, PluginsThatChangeMessages) {
  const auto loaded =
      load(broker("<plugins><timeStampingBrokerPlugin zeroExpirationOverride='1' ttlCeiling='2' "
                  "futureOnly='true'/>"
                  "<discardingDLQBrokerPlugin dropAll='false' dropTemporaryQueues='false' "
                  "dropOnly='trace\\..* [0-9]+'/></plugins>"));
  ASSERT_TRUE(loaded) << loaded.error().text;
  EXPECT_TRUE(loaded->findings.empty()) << all_findings(*loaded);
  const auto& engine = loaded->config.engine;
  ASSERT_TRUE(engine.time_stamping);
  EXPECT_EQ(engine.time_stamping->zero_expiration_override, milliseconds(1));
  EXPECT_EQ(engine.time_stamping->ttl_ceiling, milliseconds(2));
  EXPECT_TRUE(engine.time_stamping->future_only);
  const auto discards = [&](DestinationKind kind, const std::string& name) {
    return engine.policies.find(kind, name)->dead_letter.kind ==
           core::DeadLetterStrategy::Kind::discard;
  };
  EXPECT_TRUE(discards(DestinationKind::queue, "trace.a"));
  EXPECT_TRUE(discards(DestinationKind::topic, "42"));
  EXPECT_FALSE(discards(DestinationKind::queue, "my.trace.a"));
  EXPECT_FALSE(discards(DestinationKind::temporary_queue, "a"));
  EXPECT_TRUE(discards(DestinationKind::temporary_topic, "a"));
  EXPECT_FALSE(discards(DestinationKind::queue, "trace." + std::string(4000, 'x')));
}

TEST_F(ConfigPolicyTest, BrokerAttributesOfTheModel) {
  const auto loaded = load(broker(
      "<systemUsage><systemUsage sendFailIfNoSpaceAfterTimeout='9'/></systemUsage>",
      "schedulerSupport='FALSE' maxSchedulerRepeatAllowed='2' schedulePeriodForDestinationPurge='3'"
      " maxPurgedDestinationsPerSweep='4' offlineDurableSubscriberTimeout='5'"
      " offlineDurableSubscriberTaskSchedule='6' useVirtualTopics='false' "
      "useMirroredQueues='true'"));
  ASSERT_TRUE(loaded) << loaded.error().text;
  EXPECT_TRUE(loaded->findings.empty()) << all_findings(*loaded);
  const auto& engine = loaded->config.engine;
  EXPECT_FALSE(engine.scheduler);
  EXPECT_EQ(engine.schedule_repeat_max, 2U);
  EXPECT_EQ(engine.collection_period, milliseconds(3));
  EXPECT_EQ(engine.collected_per_sweep_max, 4U);
  EXPECT_EQ(engine.offline_durable_timeout, milliseconds(5));
  EXPECT_EQ(engine.offline_durable_period, milliseconds(6));
  EXPECT_EQ(engine.send_fail_after, milliseconds(9));
  EXPECT_TRUE(engine.virtuals.topics.empty());
  ASSERT_TRUE(engine.virtuals.mirrored);
  EXPECT_EQ(engine.virtuals.mirrored->prefix, "VirtualTopic.Mirror.");
}

TEST_F(ConfigPolicyTest, OnlyTheInterceptorsThatAreListedAreThere) {
  const auto plain = load(broker(""));
  ASSERT_EQ(plain->config.engine.virtuals.topics.size(), 1U);
  EXPECT_EQ(plain->config.engine.virtuals.topics[0].name, "VirtualTopic.>");
  EXPECT_FALSE(plain->config.engine.virtuals.mirrored);

  const auto loaded = load(
      broker("<destinationInterceptors><mirroredQueue prefix='m.' postfix='.n'/>"
             "<virtualDestinationInterceptor><virtualDestinations>"
             "<compositeQueue name='A' forwardOnly='false' sendWhenNotMatched='true'><forwardTo>"
             "<queue physicalName='B'/><topic physicalName='C'/>"
             "<filteredDestination topic='D' selector=\"price > 5\"/></forwardTo></compositeQueue>"
             "<compositeTopic name='T.>'><forwardTo><filteredDestination queue='E'/></forwardTo>"
             "</compositeTopic></virtualDestinations></virtualDestinationInterceptor>"
             "</destinationInterceptors>"));
  ASSERT_TRUE(loaded) << loaded.error().text;
  EXPECT_TRUE(loaded->findings.empty()) << all_findings(*loaded);
  EXPECT_TRUE(loaded->config.destinations.empty());
  const auto& virtuals = loaded->config.engine.virtuals;
  EXPECT_TRUE(virtuals.topics.empty());
  ASSERT_TRUE(virtuals.mirrored);
  EXPECT_EQ(virtuals.mirrored->prefix + virtuals.mirrored->postfix, "m..n");
  ASSERT_EQ(virtuals.composites.size(), 2U);
  const auto& queue = virtuals.composites[0];
  EXPECT_EQ(queue.name.to_text(), "queue://A");
  EXPECT_FALSE(queue.forward_only);
  EXPECT_TRUE(queue.send_when_not_matched);
  ASSERT_EQ(queue.forward_to.size(), 3U);
  EXPECT_EQ(queue.forward_to[0].destination.to_text(), "queue://B");
  EXPECT_EQ(queue.forward_to[1].destination.to_text(), "topic://C");
  EXPECT_EQ(queue.forward_to[2].destination.to_text(), "topic://D");
  // Numbers are compared with what texts spell.
  EXPECT_EQ(queue.forward_to[2].selector, "convert_string_expressions:price > 5");
  const auto& topic = virtuals.composites[1];
  EXPECT_EQ(topic.name.to_text(), "topic://T.>");
  EXPECT_TRUE(topic.forward_only);
  EXPECT_EQ(topic.forward_to.at(0).destination.to_text(), "queue://E");

  const auto topics =
      load(interceptors("<virtualTopic name='V.*' prefix='p.*.' postfix='.q'"
                        " selectorAware='true'/>"
                        "<virtualTopic/>"));
  ASSERT_TRUE(topics) << topics.error().text;
  ASSERT_EQ(topics->config.engine.virtuals.topics.size(), 2U);
  const auto& first = topics->config.engine.virtuals.topics[0];
  EXPECT_EQ(first.name + ' ' + first.prefix + ' ' + first.postfix, "V.* p.*. .q");
  EXPECT_TRUE(first.selector_aware);
  EXPECT_EQ(topics->config.engine.virtuals.topics[1].name, ">");
}

TEST_F(ConfigPolicyTest, WhatIsNotBuiltIsReportedUnlessItAsksForNothing) {
  const auto reported = [&](const std::string& text, const std::string& name) {
    const auto loaded = load(text);
    EXPECT_TRUE(loaded) << (loaded ? "" : loaded.error().text);
    return loaded && std::any_of(loaded->findings.begin(), loaded->findings.end(),
                                 [&](const Finding& finding) {
                                   return finding.severity == Severity::warning &&
                                          finding.path.ends_with('@' + name);
                                 });
  };
  const std::string networks = "gcWithNetworkConsumers";
  EXPECT_TRUE(
      reported(entries("<policyEntry queue='A' gcWithNetworkConsumers='true'/>"), networks));
  EXPECT_FALSE(
      reported(entries("<policyEntry queue='A' gcWithNetworkConsumers='false'/>"), networks));
  EXPECT_TRUE(reported(interceptors("<virtualTopic local='true'/>"), "local"));
}

TEST_F(ConfigPolicyTest, WhatIsWrongIsNamedWithItsPlace) {
  const struct {
    std::string text;
    const char* place;
    const char* what;
  } cases[] = {
      {entries("<policyEntry memoryLimit='1'/>"), ":3:1:", "does not say what it is for"},
      {entries("<policyEntry queue='A' memoryLimit='1tb'/>"), ":3:24:", "a memory size"},
      {entries("<policyEntry queue='A' messageGroupMapFactoryType='lru'/>"),
       ":3:24:", "cached, bucket or simple expected"},
      {entries("<policyEntry queue='A' messageGroupMapFactoryType='cached?cacheSize=0'/>"),
       ":3:24:", "cacheSize from 1"},
      {entries("<policyEntry queue='A'>\n<deadLetterStrategy>\n<sharedDeadLetterStrategy "
               "deadLetterQueue='D.>'/></deadLetterStrategy></policyEntry>"),
       ":5:27:", "no wildcards"},
      {entries("<policyEntry queue='A'>\n<messageEvictionStrategy>"
               "<uniquePropertyMessageEvictionStrategy/></messageEvictionStrategy></policyEntry>"),
       ":4:26:", "'propertyName' is missing"},
      {entries("<policyEntry queue='A'>\n<deadLetterStrategy><vmCursor/></deadLetterStrategy>"
               "</policyEntry>"),
       ":4:21:", "is not allowed here"},
      {interceptors("<compositeQueue name='A'><forwardTo>\n<filteredDestination queue='B' "
                    "selector='price >'/></forwardTo></compositeQueue>"),
       ":4:32:", "selector"},
      {interceptors("<compositeQueue name='A'><forwardTo>\n<filteredDestination "
                    "selector='true'/></forwardTo></compositeQueue>"),
       ":4:1:", "does not say what it is for"},
      {interceptors("<compositeQueue name='A'><forwardTo>\n<queue physicalName='B.*'/>"
                    "</forwardTo></compositeQueue>"),
       ":4:8:", "no wildcards"},
      {interceptors("<compositeTopic/>"), ":3:1:", "'name' is missing"},
      {interceptors("<virtualTopic name='V.>' prefix=''/>"), ":3:15:", "cannot be told"},
      {broker("<plugins>\n<discardingDLQBrokerPlugin dropOnly='(a'/></plugins>"),
       ":3:28:", "no regular expression"},
  };
  for (const auto& wrong : cases) {
    const std::string text = refusal(wrong.text);
    EXPECT_NE(text.find(wrong.place), std::string::npos) << text;
    EXPECT_NE(text.find(wrong.what), std::string::npos) << text;
  }
}

TEST_F(ConfigPolicyTest, ASecondEntryForTheSameIsReported) {
  const auto loaded = load(
      entries("<policyEntry queue='A' memoryLimit='1'/><policyEntry queue='A' memoryLimit='2'/>"));
  ASSERT_TRUE(loaded);
  EXPECT_EQ(count(*loaded, Severity::warning), 1) << all_findings(*loaded);
  EXPECT_EQ(loaded->config.engine.policies.find(DestinationKind::queue, "A")->memory_limit, 2U);
}

TEST_F(ConfigPolicyTest, AnEntryForTwoOrWithTwoDeadLetterStrategiesSaysWhichCounts) {
  const auto loaded =
      load(entries("<policyEntry queue='A' topic='B' memoryLimit='1'/>"
                   "<policyEntry queue='C'><deadLetterStrategy><individualDeadLetterStrategy/>"
                   "<discarding/></deadLetterStrategy></policyEntry>"
                   "<policyEntry queue='D'><deadLetterStrategy><discarding/></deadLetterStrategy>"
                   "</policyEntry>"));
  ASSERT_TRUE(loaded) << loaded.error().text;
  const std::string told = all_findings(*loaded);
  EXPECT_EQ(count(*loaded, Severity::warning), 2) << told;
  const auto& policies = loaded->config.engine.policies;
  const bool topic = policies.find(DestinationKind::topic, "B")->memory_limit == 1;
  EXPECT_NE(told.find(topic ? "it is for topic://B only" : "it is for queue://A only"),
            std::string::npos)
      << told;
  EXPECT_EQ(policies.find(DestinationKind::queue, "A")->memory_limit, topic ? 0U : 1U);
  EXPECT_NE(told.find("discarding counts"), std::string::npos) << told;
  EXPECT_EQ(policies.find(DestinationKind::queue, "C")->dead_letter.kind,
            core::DeadLetterStrategy::Kind::discard);
}

TEST_F(ConfigPolicyTest, ACompositeThatForwardsNothingIsWarnedOf) {
  const auto loaded = load(
      interceptors("<compositeQueue name='A'/><compositeTopic name='B' forwardOnly='false'/>"));
  ASSERT_TRUE(loaded) << loaded.error().text;
  const std::string told = all_findings(*loaded);
  EXPECT_EQ(count(*loaded, Severity::warning), 2) << told;
  EXPECT_NE(told.find("what is sent to it is dropped"), std::string::npos) << told;
  EXPECT_NE(told.find("it forwards nothing"), std::string::npos) << told;
}

TEST_F(ConfigPolicyTest, CompositesThatForwardToThemselvesAreRefused) {
  const auto composite = [](const std::string& name, const std::string& to) {
    return "<compositeQueue name='" + name + "'><forwardTo>" + to + "</forwardTo></compositeQueue>";
  };
  const std::string to_a = "<queue physicalName='a'/>";
  const std::string to_b = "<topic physicalName='other'/><queue physicalName='b'/>";
  const std::string to_c = "<filteredDestination queue='c' selector='n > 1'/>";
  for (const std::string& loop :
       {composite("a", to_a), composite("a", to_b) + composite("b", to_a),
        composite("c", to_a) + composite("a", to_b) + composite("b", to_c)}) {
    const auto loaded = examine(interceptors(loop));
    EXPECT_EQ(count(loaded, Severity::error), 1) << all_findings(loaded);
    EXPECT_NE(all_findings(loaded).find("forwarded back to it"), std::string::npos);
  }
  // A way that ends, two ways to one place, and a topic of the same name are no loop.
  for (const std::string& good : {composite("a", to_b) + composite("b", to_c),
                                  composite("a", to_b + to_c) + composite("b", to_c),
                                  composite("a", "<topic physicalName='a'/>")}) {
    const auto loaded = load(interceptors(good));
    ASSERT_TRUE(loaded) << loaded.error().text;
    EXPECT_TRUE(loaded->findings.empty()) << all_findings(*loaded);
  }
}

/// Every attribute of an entry that does nothing here says why, and none is an error.
TEST_F(ConfigPolicyTest, WhatHasNoMeaningIsReportedWithItsReason) {
  int tried = 0;
  for (const Option& option : options_of(*find_shape("policyEntry"))) {
    if (option.status == Status::honoured) continue;
    const bool flag = option.type == Type::boolean;
    const auto harmless = option.agrees.empty() ? option.default_text : option.agrees;
    const std::string value = flag ? (harmless == "true" ? "false" : "true") : "1";
    const auto loaded =
        load(entries("<policyEntry queue='A' " + std::string(option.name) + "='" + value + "'/>"));
    ASSERT_TRUE(loaded) << loaded.error().text;
    ASSERT_EQ(loaded->findings.size(), 1U) << option.name;
    EXPECT_NE(loaded->findings[0].text.find(option.why), std::string::npos);
    ++tried;
  }
  EXPECT_GT(tried, 25);
}

TEST_F(ConfigPolicyTest, PoliciesAndInterceptorsAreReloadable) {
  const auto before = load(entries("<policyEntry queue='A' memoryLimit='1'/>"));
  const auto after = load(
      broker("<destinationPolicy><policyMap><policyEntries><policyEntry queue='A' memoryLimit='2'>"
             "<deadLetterStrategy><discarding/></deadLetterStrategy></policyEntry>"
             "<policyEntry topic='B'/></policyEntries></policyMap></destinationPolicy>"
             "<destinationInterceptors><mirroredQueue/></destinationInterceptors>",
             "schedulerSupport='false'"));
  ASSERT_TRUE(before);
  ASSERT_TRUE(after) << after.error().text;
  std::string paths;
  for (const Change& change : diff(before->config, after->config)) {
    EXPECT_TRUE(change.reloadable) << change.path;
    paths += change.path + ' ' + change.before + '>' + change.after + '\n';
  }
  EXPECT_EQ(paths,
            "broker@schedulerSupport true>false\n"
            "mirroredQueue >present\n"
            "policyEntry[queue A]/discarding >present\n"
            "policyEntry[queue A]@memoryLimit 1>2\n"
            "policyEntry[topic B] >present\n"
            "policyEntry[topic B]@topic >B\n");
}

}  // namespace
}  // namespace pabal::server
