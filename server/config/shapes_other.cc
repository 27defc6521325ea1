#include "server/config/option_table.h"

/// Shapes of plugins, networks of brokers, bridges, database dialects and client objects.
namespace pabal::server {
namespace {

constexpr Shape kShapes[] = {
    {"authenticationUser", "groups password username", ""},
    {"authorizationEntry",
     "admin destination groupClass queue read ?tempQueue ?tempTopic topic write",
     "adminACLs=* destination=@destination readACLs=* writeACLs=*"},
    {"authorizationMap", "defaultEntry groupClass tempDestinationAuthorizationEntry",
     "authorizationEntries=* defaultEntry=authorizationEntry|tempDestinationAuthorizationEntry "
     "entries=* tempDestinationAuthorizationEntry=tempDestinationAuthorizationEntry"},
    {"authorizationPlugin", "map",
     "map=authorizationMap|cachedLDAPAuthorizationMap|lDAPAuthorizationMap|simpleAuthorizationMap"},
    {"axionJDBCAdapter",
     "?batchStatements ?batchStatments #maxRows statements ?useExternalMessageReferences",
     "statements=statements"},
    {"blobJDBCAdapter",
     "?batchStatements ?batchStatments #maxRows statements ?useExternalMessageReferences",
     "statements=statements"},
    {"bytesJDBCAdapter",
     "?batchStatements ?batchStatments #maxRows statements ?useExternalMessageReferences",
     "statements=statements"},
    {"cachedLDAPAuthorizationMap",
     "adminPermissionGroupSearchFilter authentication connectionPassword connectionProtocol "
     "connectionURL connectionUsername groupClass groupNameAttribute groupObjectClass "
     "?legacyGroupMapping permissionGroupMemberAttribute queueSearchBase "
     "readPermissionGroupSearchFilter ?refreshDisabled #refreshInterval tempSearchBase "
     "topicSearchBase userNameAttribute userObjectClass writePermissionGroupSearchFilter",
     ""},
    {"compositeDemandForwardingBridge",
     "brokerService configuration ?createdByDuplex localBroker mbeanObjectName "
     "networkBridgeListener remoteBroker",
     "brokerService=broker|brokerService "
     "configuration=ldapNetworkConnector|multicastNetworkConnector|networkConnector "
     "durableDestinations=@destination dynamicallyIncludedDestinations=@destination "
     "excludedDestinations=@destination localBroker=* mbeanObjectName=* networkBridgeListener=* "
     "remoteBroker=* staticallyIncludedDestinations=@destination"},
    {"compositeQueue", "?concurrentSend ?copyMessage ?forwardOnly name ?sendWhenNotMatched",
     "forwardTo=*"},
    {"compositeTopic", "?concurrentSend ?copyMessage ?forwardOnly name ?sendWhenNotMatched",
     "forwardTo=*"},
    {"connectionDotFilePlugin", "file", ""},
    {"connectionFactory",
     "?alwaysSessionAsync ?alwaysSyncSend #auditDepth #auditMaximumProducerNumber beanName "
     "blobTransferPolicy brokerURL ?checkForDuplicates clientID clientIDPrefix "
     "clientIdGenerator clientInternalExceptionListener #closeTimeout #connectResponseTimeout "
     "connectionIDPrefix connectionIdGenerator ?consumerExpiryCheckEnabled "
     "#consumerFailoverRedeliveryWaitPeriod ?copyMessageOnSend ?disableTimeStampsByDefault "
     "?dispatchAsync exceptionListener ?exclusiveConsumer #maxThreadPoolSize "
     "?messagePrioritySupported ?nestedMapAndListEnabled ?nonBlockingRedelivery "
     "?objectMessageSerializationDefered ?optimizeAcknowledge #optimizeAcknowledgeTimeOut "
     "#optimizedAckScheduledAckInterval ?optimizedMessageDispatch password prefetchPolicy "
     "#producerWindowSize properties redeliveryPolicy redeliveryPolicyMap rejectedTaskHandler "
     "?rmIdFromConnectionId ?sendAcksAsync #sendTimeout sessionTaskRunner ?statsEnabled "
     "?transactedIndividualAck transformer transportListener ?trustAllPackages ?useAsyncSend "
     "?useBeanNameAsClientIdPrefix ?useCompression ?useDedicatedTaskRunner "
     "?useRetroactiveConsumer userName #warnAboutUnstartedConnectionTimeout "
     "?watchTopicAdvisories",
     "blobTransferPolicy=* clientIdGenerator=* clientInternalExceptionListener=* "
     "connectionIdGenerator=* exceptionListener=* prefetchPolicy=prefetchPolicy properties=* "
     "redeliveryPolicy=redeliveryPolicy redeliveryPolicyMap=redeliveryPolicyMap "
     "rejectedTaskHandler=* sessionTaskRunner=taskRunnerFactory transformer=* "
     "transportListener=* trustedPackages=*"},
    {"db2JDBCAdapter",
     "?batchStatements ?batchStatments #maxRows statements ?useExternalMessageReferences",
     "statements=statements"},
    {"defaultIOExceptionHandler",
     "brokerService ?ignoreAllErrors ?ignoreNoSpaceErrors ?ignoreSQLExceptions noSpaceMessage "
     "#resumeCheckSleepPeriod sqlExceptionMessage ?stopStartConnectors ?systemExitOnShutdown",
     "brokerService=broker|brokerService"},
    {"defaultJDBCAdapter",
     "?batchStatements ?batchStatments #maxRows statements ?useExternalMessageReferences",
     "statements=statements"},
    {"demandForwardingBridge",
     "brokerService configuration ?createdByDuplex localBroker mbeanObjectName "
     "networkBridgeListener remoteBroker",
     "brokerService=broker|brokerService "
     "configuration=ldapNetworkConnector|multicastNetworkConnector|networkConnector "
     "durableDestinations=@destination dynamicallyIncludedDestinations=@destination "
     "excludedDestinations=@destination localBroker=* mbeanObjectName=* networkBridgeListener=* "
     "remoteBroker=* staticallyIncludedDestinations=@destination"},
    {"destinationDotFilePlugin", "file", ""},
    {"destinationEntry", "destination queue ?tempQueue ?tempTopic topic value",
     "destination=@destination "
     "value=authorizationEntry|destinationEntry|filteredKahaDB|policyEntry|redeliveryPolicy|"
     "tempDestinationAuthorizationEntry"},
    {"destinationPathSeparatorPlugin", "adminConnectionContext next pathSeparator",
     "adminConnectionContext=* next=@brokerFilter"},
    {"destinationsPlugin", "adminConnectionContext location next",
     "adminConnectionContext=* location=* next=@brokerFilter"},
    {"filteredDestination", "destination filter queue selector topic",
     "destination=@destination filter=*"},
    {"forcePersistencyModeBroker", "adminConnectionContext next ?persistenceFlag",
     "adminConnectionContext=* next=@brokerFilter"},
    {"forcePersistencyModeBrokerPlugin", "?persistenceFlag", ""},
    {"forwardingBridge",
     "clientId destinationFilter ?dispatchAsync localBroker networkBridgeFailedListener "
     "#prefetchSize remoteBroker ?useCompression",
     "localBroker=* networkBridgeFailedListener=* remoteBroker=*"},
    {"hsqldb-jdbc-adapter",
     "?batchStatements ?batchStatments #maxRows statements ?useExternalMessageReferences",
     "statements=statements"},
    {"imageBasedJDBCAdaptor",
     "?batchStatements ?batchStatments #maxRows statements ?useExternalMessageReferences",
     "statements=statements"},
    {"inboundQueueBridge",
     "consumer consumerConnection consumerQueue ?doHandleReplyTo inboundQueueName jmsConnector "
     "jmsMessageConvertor localQueueName producerConnection producerQueue selector",
     "consumer=* consumerConnection=* consumerQueue=queue "
     "jmsConnector=jmsQueueConnector|jmsTopicConnector "
     "jmsMessageConvertor=simpleJmsMessageConvertor producerConnection=* producerQueue=queue"},
    {"inboundTopicBridge",
     "consumer consumerConnection consumerName consumerTopic ?doHandleReplyTo inboundTopicName "
     "jmsConnector jmsMessageConvertor localTopicName producerConnection producerTopic selector",
     "consumer=* consumerConnection=* consumerTopic=topic "
     "jmsConnector=jmsQueueConnector|jmsTopicConnector "
     "jmsMessageConvertor=simpleJmsMessageConvertor producerConnection=* producerTopic=topic"},
    {"informixJDBCAdapter",
     "?batchStatements ?batchStatments #maxRows statements ?useExternalMessageReferences",
     "statements=statements"},
    {"jDBCIOExceptionHandler",
     "brokerService ?ignoreAllErrors ?ignoreNoSpaceErrors ?ignoreSQLExceptions noSpaceMessage "
     "#resumeCheckSleepPeriod sqlExceptionMessage ?stopStartConnectors ?systemExitOnShutdown",
     "brokerService=broker|brokerService"},
    {"jaasAuthenticationPlugin", "configuration ?discoverLoginConfig", ""},
    {"jaasCertificateAuthenticationPlugin", "configuration ?discoverLoginConfig", ""},
    {"jaasDualAuthenticationPlugin", "configuration ?discoverLoginConfig sslConfiguration", ""},
    {"jmsQueueConnector",
     "brokerService inboundMessageConvertor jndiLocalTemplate jndiOutboundTemplate "
     "localClientId localConnectionFactoryName localPassword localQueueConnection "
     "localQueueConnectionFactory localUsername name outboundClientId outboundMessageConvertor "
     "outboundPassword outboundQueueConnection outboundQueueConnectionFactory "
     "outboundQueueConnectionFactoryName outboundUsername ?preferJndiDestinationLookup "
     "reconnectionPolicy #replyToDestinationCacheSize",
     "brokerService=broker|brokerService inboundMessageConvertor=simpleJmsMessageConvertor "
     "inboundQueueBridges=inboundQueueBridge localQueueConnection=* "
     "localQueueConnectionFactory=connectionFactory|xaConnectionFactory "
     "outboundMessageConvertor=simpleJmsMessageConvertor "
     "outboundQueueBridges=outboundQueueBridge outboundQueueConnection=* "
     "outboundQueueConnectionFactory=connectionFactory|xaConnectionFactory "
     "reconnectionPolicy=reconnectionPolicy"},
    {"jmsTopicConnector",
     "brokerService inboundMessageConvertor jndiLocalTemplate jndiOutboundTemplate "
     "localClientId localConnectionFactoryName localPassword localTopicConnection "
     "localTopicConnectionFactory localUsername name outboundClientId outboundMessageConvertor "
     "outboundPassword outboundTopicConnection outboundTopicConnectionFactory "
     "outboundTopicConnectionFactoryName outboundUsername ?preferJndiDestinationLookup "
     "reconnectionPolicy #replyToDestinationCacheSize",
     "brokerService=broker|brokerService inboundMessageConvertor=simpleJmsMessageConvertor "
     "inboundTopicBridges=inboundTopicBridge localTopicConnection=* "
     "localTopicConnectionFactory=connectionFactory|xaConnectionFactory "
     "outboundMessageConvertor=simpleJmsMessageConvertor "
     "outboundTopicBridges=outboundTopicBridge outboundTopicConnection=* "
     "outboundTopicConnectionFactory=connectionFactory|xaConnectionFactory "
     "reconnectionPolicy=reconnectionPolicy"},
    {"lDAPAuthorizationMap",
     "adminAttribute adminBase advisorySearchBase authentication connectionPassword "
     "connectionProtocol connectionURL connectionUsername context initialContextFactory options "
     "queueSearchMatchingFormat ?queueSearchSubtreeBool readAttribute readBase tempSearchBase "
     "topicSearchMatchingFormat ?topicSearchSubtreeBool ?useAdvisorySearchBase writeAttribute "
     "writeBase",
     "context=* options=* queueSearchMatchingFormat=* topicSearchMatchingFormat=*"},
    {"ldapNetworkConnector",
     "#advisoryAckPercentage ?advisoryForFailedForward #advisoryPrefetchSize ?alwaysSyncSend "
     "?anonymousAuthentication base bridgeFactory ?bridgeTempDestinations brokerName "
     "brokerService brokerURL ?checkDuplicateMessagesOnDuplex clientIdToken "
     "?conduitNetworkQueueSubscriptions ?conduitSubscriptions connectionFilter "
     "#consumerPriorityBase #consumerTTL ?decreaseNetworkConsumerPriority destinationFilter "
     "?dispatchAsync ?duplex ?dynamicOnly ?gcDestinationViews #gcSweepTime localUri #messageTTL "
     "name #networkTTL objectName password prefetchSize remotePassword remoteUserName "
     "?searchEventListener searchFilter searchScope sslContext ?staticBridge "
     "?suppressDuplicateQueueSubscriptions ?suppressDuplicateTopicSubscriptions "
     "?syncDurableSubs uri ?useBrokerNameAsIdSees ?useCompression ?useVirtualDestSubs user "
     "userName",
     "bridgeFactory=* brokerService=broker|brokerService connectionFilter=* "
     "durableDestinations=* dynamicallyIncludedDestinations=* excludedDestinations=* localUri=* "
     "objectName=* sslContext=sslContext staticallyIncludedDestinations=* uri=*"},
    {"leaseLockerIOExceptionHandler",
     "brokerService ?ignoreAllErrors ?ignoreNoSpaceErrors ?ignoreSQLExceptions noSpaceMessage "
     "#resumeCheckSleepPeriod sqlExceptionMessage ?stopStartConnectors ?systemExitOnShutdown",
     "brokerService=broker|brokerService"},
    {"loggingBrokerPlugin",
     "adminConnectionContext ?logAll ?logConnectionEvents ?logConsumerEvents ?logInternalEvents "
     "?logProducerEvents ?logSessionEvents ?logTransactionEvents next ?perDestinationLogger",
     "adminConnectionContext=* next=@brokerFilter"},
    {"maxdb-jdbc-adapter",
     "?batchStatements ?batchStatments #maxRows statements ?useExternalMessageReferences",
     "statements=statements"},
    {"mirroredQueue", "brokerService ?copyMessage postfix prefix",
     "brokerService=broker|brokerService"},
    {"multicastNetworkConnector",
     "#advisoryAckPercentage ?advisoryForFailedForward #advisoryPrefetchSize ?alwaysSyncSend "
     "bridge bridgeFactory ?bridgeTempDestinations brokerName brokerService brokerURL "
     "?checkDuplicateMessagesOnDuplex clientIdToken ?conduitNetworkQueueSubscriptions "
     "?conduitSubscriptions connectionFilter #consumerPriorityBase #consumerTTL "
     "?decreaseNetworkConsumerPriority destinationFilter ?dispatchAsync ?duplex ?dynamicOnly "
     "?gcDestinationViews #gcSweepTime localTransport localUri #messageTTL name #networkTTL "
     "objectName password prefetchSize remotePassword remoteTransport remoteURI remoteUserName "
     "sslContext ?staticBridge ?suppressDuplicateQueueSubscriptions "
     "?suppressDuplicateTopicSubscriptions ?syncDurableSubs ?useBrokerNameAsIdSees "
     "?useCompression ?useVirtualDestSubs userName",
     "bridge=compositeDemandForwardingBridge|demandForwardingBridge bridgeFactory=* "
     "brokerService=broker|brokerService connectionFilter=* durableDestinations=* "
     "dynamicallyIncludedDestinations=* excludedDestinations=* localTransport=* localUri=* "
     "objectName=* remoteTransport=* remoteURI=* sslContext=sslContext "
     "staticallyIncludedDestinations=*"},
    {"multicastTraceBrokerPlugin",
     "address adminConnectionContext ?broadcast destination #maxTraceDatagramSize next "
     "#timeToLive wireFormat wireFormatFactory",
     "address=* adminConnectionContext=* destination=* next=@brokerFilter wireFormat=* "
     "wireFormatFactory=*"},
    {"mysql-jdbc-adapter",
     "?batchStatements ?batchStatments engineType #maxRows statements typeStatement "
     "?useExternalMessageReferences",
     "statements=statements"},
    {"networkConnector",
     "#advisoryAckPercentage ?advisoryForFailedForward #advisoryPrefetchSize ?alwaysSyncSend "
     "bridgeFactory ?bridgeTempDestinations brokerName brokerService brokerURL "
     "?checkDuplicateMessagesOnDuplex clientIdToken ?conduitNetworkQueueSubscriptions "
     "?conduitSubscriptions connectionFilter #consumerPriorityBase #consumerTTL "
     "?decreaseNetworkConsumerPriority destinationFilter discoveryAgent discoveryURI "
     "?dispatchAsync ?duplex ?dynamicOnly ?gcDestinationViews #gcSweepTime localUri #messageTTL "
     "name #networkTTL objectName password prefetchSize remotePassword remoteUserName "
     "sslContext ?staticBridge ?suppressDuplicateQueueSubscriptions "
     "?suppressDuplicateTopicSubscriptions ?syncDurableSubs uri ?useBrokerNameAsIdSees "
     "?useCompression ?useVirtualDestSubs userName pabalClientId pabalKeepAlive "
     "pabalInFlightMax pabalAttemptsMax",
     "bridgeFactory=* brokerService=broker|brokerService connectionFilter=* discoveryAgent=* "
     "discoveryURI=* durableDestinations=* dynamicallyIncludedDestinations=* "
     "excludedDestinations=* localUri=* objectName=* sslContext=sslContext "
     "staticallyIncludedDestinations=* uri=* pabalOut=! pabalIn=!"},
    {"pabalOut", "topic qos localPrefix remotePrefix", ""},
    {"pabalIn", "topic qos localPrefix remotePrefix", ""},
    {"oracleBlobJDBCAdapter",
     "?batchStatements ?batchStatments #maxRows statements ?useExternalMessageReferences",
     "statements=statements"},
    {"oracleJDBCAdapter",
     "?batchStatements ?batchStatments #maxRows statements ?useExternalMessageReferences",
     "statements=statements"},
    {"outboundQueueBridge",
     "consumer consumerConnection consumerQueue ?doHandleReplyTo jmsConnector "
     "jmsMessageConvertor localQueueName outboundQueueName producerConnection producerQueue "
     "selector",
     "consumer=* consumerConnection=* consumerQueue=queue "
     "jmsConnector=jmsQueueConnector|jmsTopicConnector "
     "jmsMessageConvertor=simpleJmsMessageConvertor producerConnection=* producerQueue=queue"},
    {"outboundTopicBridge",
     "consumer consumerConnection consumerName consumerTopic ?doHandleReplyTo jmsConnector "
     "jmsMessageConvertor localTopicName outboundTopicName producerConnection producerTopic "
     "selector",
     "consumer=* consumerConnection=* consumerTopic=topic "
     "jmsConnector=jmsQueueConnector|jmsTopicConnector "
     "jmsMessageConvertor=simpleJmsMessageConvertor producerConnection=* producerTopic=topic"},
    {"partitionBrokerPlugin", "config configAsJson #minTransferCount", "config=*"},
    {"pooledConnectionFactory",
     "connectionFactory #maxConnections #maximumActive resourceName transactionManager",
     "connectionFactory=connectionFactory|xaConnectionFactory transactionManager=*"},
    {"postgresql-jdbc-adapter",
     "acksPkName ?batchStatements ?batchStatments #maxRows statements "
     "?useExternalMessageReferences",
     "statements=statements"},
    {"prefetchPolicy",
     "#all #durableTopicPrefetch #maximumPendingMessageLimit #optimizeDurableTopicPrefetch "
     "#queueBrowserPrefetch #queuePrefetch #topicPrefetch",
     ""},
    {"proxyConnector", "bind localUri name ?proxyToLocalBroker remote server",
     "bind=* localUri=* remote=* server=*"},
    {"queueDispatchSelector", "destination exclusiveConsumer",
     "destination=@destination exclusiveConsumer=*"},
    {"reconnectionPolicy",
     "%backOffMultiplier #initialReconnectDelay #maxInitialConnectAttempts "
     "#maxReconnectAttempts #maxSendRetries #maximumReconnectDelay #sendRetyDelay "
     "?useExponentialBackOff",
     ""},
    {"redeliveryPlugin",
     "adminConnectionContext ?fallbackToDeadLetter next redeliveryPolicyMap "
     "?sendToDlqIfMaxRetriesExceeded",
     "adminConnectionContext=* next=@brokerFilter redeliveryPolicyMap=redeliveryPolicyMap"},
    {"runtimeConfigurationPlugin", "#checkPeriod", ""},
    {"simpleAuthenticationPlugin",
     "?anonymousAccessAllowed anonymousGroup anonymousUser userGroups userPasswords",
     "userGroups=* userPasswords=* users=*"},
    {"simpleAuthorizationMap", "adminACLs readACLs tempDestinationAuthorizationEntry writeACLs",
     "adminACLs=authorizationMap|policyMap|redeliveryPolicyMap "
     "readACLs=authorizationMap|policyMap|redeliveryPolicyMap "
     "tempDestinationAuthorizationEntry=tempDestinationAuthorizationEntry "
     "writeACLs=authorizationMap|policyMap|redeliveryPolicyMap"},
    {"simpleDispatchSelector", "destination", "destination=@destination"},
    {"simpleJmsMessageConvertor", "connection", "connection=*"},
    {"sqlServerJDBCAdapter",
     "?batchStatements ?batchStatments #maxRows statements ?useExternalMessageReferences",
     "statements=statements"},
    {"statements",
     "addMessageStatement binaryDataType clearDurableLastAckInTxStatement clearXidFlagStatement "
     "containerNameDataType createDurableSubStatement currentDateTimeStatement "
     "deleteOldMessagesStatementWithPriority deleteSubscriptionStatement "
     "destinationMessageCountStatement dropAckPKAlterStatementEnd durableSubAcksTableName "
     "durableSubscriberMessageCountStatement durableSubscriberMessageCountStatementWithPriority "
     "findAcksPendingOutcomeStatement findAllDestinationsStatement "
     "findAllDurableSubMessagesStatement findAllDurableSubsStatement findAllMessageIdsStatement "
     "findAllMessagesStatement findDurableSubMessagesStatement findDurableSubStatement "
     "findLastSequenceIdInAcksStatement findLastSequenceIdInMsgsStatement "
     "findMessageByIdStatement findMessageSequenceIdStatement findMessageStatement "
     "findNextMessagesByPriorityStatement findNextMessagesStatement "
     "findOpsPendingOutcomeStatement findXidByIdStatement insertDurablePriorityAckStatement "
     "lastAckedDurableSubscriberMessageStatement lastProducerSequenceIdStatement "
     "leaseObtainStatement leaseOwnerStatement leaseUpdateStatement lockCreateStatement "
     "lockTableName lockUpdateStatement longDataType messageTableName msgIdDataType "
     "nextDurableSubscriberMessageStatement removeAllMessagesStatement "
     "removeAllSubscriptionsStatement removeMessageStatment selectDurablePriorityAckStatement "
     "sequenceDataType stringIdDataType tablePrefix updateDurableLastAckInTxStatement "
     "updateDurableLastAckStatement updateDurableLastAckWithPriorityInTxStatement "
     "updateDurableLastAckWithPriorityStatement updateLastPriorityAckRowOfDurableSubStatement "
     "updateMessageStatement updateXidFlagStatement ?useExternalMessageReferences "
     "?useLockCreateWhereClause",
     "createLockSchemaStatements=* createSchemaStatements=* dropSchemaStatements=*"},
    {"statisticsBrokerPlugin", "", ""},
    {"streamJDBCAdapter",
     "?batchStatements ?batchStatments #maxRows statements ?useExternalMessageReferences",
     "statements=statements"},
    {"sybase-jdbc-adapter",
     "?batchStatements ?batchStatments #maxRows statements ?useExternalMessageReferences",
     "statements=statements"},
    {"taskRunnerFactory",
     "?daemon ?dedicatedTaskRunner executor #maxIterationsPerRun #maxThreadPoolSize name "
     "#priority rejectedTaskHandler #shutdownAwaitTermination threadClassLoader",
     "executor=* rejectedTaskHandler=* threadClassLoader=*"},
    {"tempDestinationAuthorizationEntry",
     "admin destination groupClass queue read ?tempQueue ?tempTopic topic write",
     "adminACLs=* destination=@destination readACLs=* writeACLs=*"},
    {"timeStampingBrokerPlugin",
     "adminConnectionContext ?futureOnly next ?processNetworkMessages #ttlCeiling "
     "#zeroExpirationOverride",
     "adminConnectionContext=* next=@brokerFilter"},
    {"traceBrokerPathPlugin", "adminConnectionContext next stampProperty",
     "adminConnectionContext=* next=@brokerFilter"},
    {"transact-jdbc-adapter",
     "?batchStatements ?batchStatments #maxRows statements ?useExternalMessageReferences",
     "statements=statements"},
    {"udpTraceBrokerPlugin",
     "address adminConnectionContext ?broadcast destination #maxTraceDatagramSize next "
     "wireFormat wireFormatFactory",
     "address=* adminConnectionContext=* destination=* next=@brokerFilter wireFormat=* "
     "wireFormatFactory=*"},
    {"virtualDestinationInterceptor", "",
     "virtualDestinations=compositeQueue|compositeTopic|virtualTopic"},
    {"virtualTopic",
     "?concurrentSend ?dropOnResourceLimit ?local name postfix prefix ?selectorAware "
     "?setOriginalDestination ?transactedSend",
     ""},
    {"xaConnectionFactory",
     "?alwaysSessionAsync ?alwaysSyncSend #auditDepth #auditMaximumProducerNumber beanName "
     "blobTransferPolicy brokerURL ?checkForDuplicates clientID clientIDPrefix "
     "clientIdGenerator clientInternalExceptionListener #closeTimeout #connectResponseTimeout "
     "connectionIDPrefix connectionIdGenerator ?consumerExpiryCheckEnabled "
     "#consumerFailoverRedeliveryWaitPeriod ?copyMessageOnSend ?disableTimeStampsByDefault "
     "?dispatchAsync exceptionListener ?exclusiveConsumer #maxThreadPoolSize "
     "?messagePrioritySupported ?nestedMapAndListEnabled ?nonBlockingRedelivery "
     "?objectMessageSerializationDefered ?optimizeAcknowledge #optimizeAcknowledgeTimeOut "
     "#optimizedAckScheduledAckInterval ?optimizedMessageDispatch password prefetchPolicy "
     "#producerWindowSize properties redeliveryPolicy redeliveryPolicyMap rejectedTaskHandler "
     "?rmIdFromConnectionId ?sendAcksAsync #sendTimeout sessionTaskRunner ?statsEnabled "
     "?transactedIndividualAck transformer transportListener ?trustAllPackages ?useAsyncSend "
     "?useBeanNameAsClientIdPrefix ?useCompression ?useDedicatedTaskRunner "
     "?useRetroactiveConsumer userName #warnAboutUnstartedConnectionTimeout "
     "?watchTopicAdvisories #xaAckMode",
     "blobTransferPolicy=* clientIdGenerator=* clientInternalExceptionListener=* "
     "connectionIdGenerator=* exceptionListener=* prefetchPolicy=prefetchPolicy properties=* "
     "redeliveryPolicy=redeliveryPolicy redeliveryPolicyMap=redeliveryPolicyMap "
     "rejectedTaskHandler=* sessionTaskRunner=taskRunnerFactory transformer=* "
     "transportListener=* trustedPackages=*"},
};

}  // namespace

std::span<const Shape> other_shapes() noexcept {
  return kShapes;
}

}  // namespace pabal::server
