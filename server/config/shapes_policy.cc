#include "server/config/option_table.h"

/// Shapes of what stands in destinationPolicy and of the policies elsewhere.
namespace pabal::server {
namespace {

constexpr Shape kShapes[] = {
    {"abortSlowAckConsumerStrategy",
     "?abortConnection brokerService #checkPeriod ?ignoreIdleConsumers ?ignoreNetworkConsumers "
     "#maxSlowCount #maxSlowDuration #maxTimeSinceLastAck name",
     "brokerService=@brokerFilter"},
    {"abortSlowConsumerStrategy",
     "?abortConnection brokerService #checkPeriod ?ignoreNetworkConsumers #maxSlowCount "
     "#maxSlowDuration name",
     "brokerService=@brokerFilter"},
    {"cachedMessageGroupMapFactory", "#cacheSize", ""},
    {"clientIdFilterDispatchPolicy", "ptpClientId ptpSuffix", ""},
    {"conditionalNetworkBridgeFilterFactory",
     "#rateDuration #rateLimit #replayDelay ?replayWhenNoConsumers ?selectorAware", ""},
    {"constantPendingMessageLimitStrategy", "#limit", ""},
    {"defaultNetworkBridgeFilterFactory", "", ""},
    {"discarding",
     "deadLetterQueue ?enableAudit #expiration #maxAuditDepth #maxProducersToAudit "
     "?processExpired ?processNonPersistent",
     "deadLetterQueue=@destination"},
    {"discardingDLQBrokerPlugin",
     "?dropAll dropOnly ?dropTemporaryQueues ?dropTemporaryTopics #reportInterval", ""},
    {"fileCursor", "", ""},
    {"fileDurableSubscriberCursor", "", ""},
    {"fileQueueCursor", "", ""},
    {"fixedCountSubscriptionRecoveryPolicy", "broker #maximumSize", "broker=@brokerFilter"},
    {"fixedSizedSubscriptionRecoveryPolicy", "broker buffer #maximumSize ?useSharedBuffer",
     "broker=@brokerFilter buffer=*"},
    {"individualDeadLetterStrategy",
     "?destinationPerDurableSubscriber ?enableAudit #expiration #maxAuditDepth "
     "#maxProducersToAudit ?processExpired ?processNonPersistent queuePrefix queueSuffix "
     "topicPrefix topicSuffix ?useQueueForQueueMessages ?useQueueForTopicMessages "
     "?pabalProcessRefusedNonPersistent",
     ""},
    {"lastImageSubscriptionRecoveryPolicy", "broker", "broker=@brokerFilter"},
    {"messageGroupHashBucketFactory", "#bucketCount #cacheSize", ""},
    {"noSubscriptionRecoveryPolicy", "broker", "broker=@brokerFilter"},
    {"oldestMessageEvictionStrategy", "#evictExpiredMessagesHighWatermark", ""},
    {"oldestMessageWithLowestPriorityEvictionStrategy", "#evictExpiredMessagesHighWatermark", ""},
    {"policyEntry",
     "?advisoryForConsumed ?advisoryForDelivery ?advisoryForDiscardingMessages "
     "?advisoryForFastProducers ?advisoryForSlowConsumers ?advisoryWhenFull "
     "?allConsumersExclusiveByDefault ?alwaysRetroactive #blockedProducerWarningInterval "
     "#consumersBeforeDispatchStarts #cursorMemoryHighWaterMark deadLetterStrategy destination "
     "dispatchPolicy ?doOptimzeMessageStorage #durableTopicPrefetch ?enableAudit "
     "#expireMessagesPeriod ?gcInactiveDestinations ?gcWithNetworkConsumers "
     "#inactiveTimeoutBeforeGC #inactiveTimoutBeforeGC ?includeBodyForAdvisory ?lazyDispatch "
     "#maxAuditDepth #maxBrowsePageSize #maxDestinations #maxExpirePageSize #maxPageSize "
     "#maxProducersToAudit #maxQueueAuditDepth memoryLimit messageEvictionStrategy "
     "messageGroupMapFactory messageGroupMapFactoryType #minimumMessageSize "
     "networkBridgeFilterFactory #optimizeMessageStoreInFlightLimit ?optimizedDispatch "
     "pendingDurableSubscriberPolicy pendingMessageLimitStrategy pendingQueuePolicy "
     "pendingSubscriberPolicy ?persistJMSRedelivered ?prioritizedMessages ?producerFlowControl "
     "queue #queueBrowserPrefetch #queuePrefetch ?reduceMemoryFootprint "
     "?sendAdvisoryIfNoConsumers ?sendDuplicateFromStoreToDLQ ?sendFailIfNoSpace "
     "#sendFailIfNoSpaceAfterTimeout slowConsumerStrategy #storeUsageHighWaterMark "
     "?strictOrderDispatch subscriptionRecoveryPolicy ?tempQueue ?tempTopic "
     "#timeBeforeDispatchStarts topic #topicPrefetch ?useCache ?useConsumerPriority "
     "?usePrefetchExtension ?useTopicSubscriptionInflightStats pabalStoreLimit",
     "deadLetterStrategy=discarding|individualDeadLetterStrategy|sharedDeadLetterStrategy "
     "destination=@destination "
     "dispatchPolicy=clientIdFilterDispatchPolicy|priorityDispatchPolicy|"
     "priorityNetworkDispatchPolicy|roundRobinDispatchPolicy|simpleDispatchPolicy|"
     "strictOrderDispatchPolicy "
     "messageEvictionStrategy=oldestMessageEvictionStrategy|"
     "oldestMessageWithLowestPriorityEvictionStrategy|uniquePropertyMessageEvictionStrategy "
     "messageGroupMapFactory=cachedMessageGroupMapFactory|messageGroupHashBucketFactory|"
     "simpleMessageGroupMapFactory "
     "networkBridgeFilterFactory=conditionalNetworkBridgeFilterFactory|"
     "defaultNetworkBridgeFilterFactory "
     "pendingDurableSubscriberPolicy=fileDurableSubscriberCursor|storeDurableSubscriberCursor|"
     "vmDurableCursor "
     "pendingMessageLimitStrategy=constantPendingMessageLimitStrategy|"
     "prefetchRatePendingMessageLimitStrategy "
     "pendingQueuePolicy=fileQueueCursor|storeCursor|vmQueueCursor "
     "pendingSubscriberPolicy=fileCursor|vmCursor "
     "slowConsumerStrategy=abortSlowAckConsumerStrategy|abortSlowConsumerStrategy "
     "subscriptionRecoveryPolicy=@recovery"},
    {"policyMap", "defaultEntry", "defaultEntry=policyEntry entries=* policyEntries=*"},
    {"prefetchRatePendingMessageLimitStrategy", "%multiplier", ""},
    {"priorityDispatchPolicy", "", ""},
    {"priorityNetworkDispatchPolicy", "", ""},
    {"queryBasedSubscriptionRecoveryPolicy", "broker query", "broker=@brokerFilter query=*"},
    {"redeliveryPolicy",
     "%backOffMultiplier #collisionAvoidancePercent destination #initialRedeliveryDelay "
     "#maximumRedeliveries #maximumRedeliveryDelay ?preDispatchCheck queue #redeliveryDelay "
     "?tempQueue ?tempTopic topic ?useCollisionAvoidance ?useExponentialBackOff",
     "destination=@destination"},
    {"redeliveryPolicyMap", "defaultEntry",
     "defaultEntry=redeliveryPolicy entries=* redeliveryPolicyEntries=*"},
    {"retainedMessageSubscriptionRecoveryPolicy", "broker wrapped",
     "broker=@brokerFilter wrapped=@recovery"},
    {"roundRobinDispatchPolicy", "", ""},
    {"sharedDeadLetterStrategy",
     "deadLetterQueue ?enableAudit #expiration #maxAuditDepth #maxProducersToAudit "
     "?processExpired ?processNonPersistent ?pabalProcessRefusedNonPersistent",
     "deadLetterQueue=@destination"},
    {"simpleDispatchPolicy", "", ""},
    {"simpleMessageGroupMapFactory", "", ""},
    {"storeCursor", "", ""},
    {"storeDurableSubscriberCursor", "?immediatePriorityDispatch ?useCache", ""},
    {"strictOrderDispatchPolicy", "", ""},
    {"timedSubscriptionRecoveryPolicy", "broker #recoverDuration", "broker=@brokerFilter"},
    {"uniquePropertyMessageEvictionStrategy", "#evictExpiredMessagesHighWatermark propertyName",
     ""},
    {"virtualSelectorCacheBrokerPlugin",
     "?ignoreWildcardSelectors persistFile #persistInterval ?singleSelectorPerDestination",
     "persistFile=*"},
    {"vmCursor", "", ""},
    {"vmDurableCursor", "", ""},
    {"vmQueueCursor", "", ""},
};

}  // namespace

std::span<const Shape> policy_shapes() noexcept {
  return kShapes;
}

}  // namespace pabal::server
