#include "server/config/option_table.h"

/// Shapes of the broker itself: connectors, stores, limits, management.
namespace pabal::server {
namespace {

constexpr Shape kShapes[] = {
    {"broker",
     "?adjustUsageLimits adminView advisorySupport ?allowTempAutoCreationOnSend "
     "?anonymousProducerAdvisorySupport brokerContext brokerId brokerName brokerObjectName "
     "?cacheTempDestinations consumerSystemUsage #consumerSystemUsagePortion dataDirectory "
     "dataDirectoryFile ?dedicatedTaskRunner deleteAllMessagesOnStartup destinationFactory "
     "destinationPolicy diskUsageCheckRegrowThreshold "
     "?enableMessageExpirationOnActiveDurableSubs ?enableStatistics ioExceptionHandler "
     "jobSchedulerStore ?keepDurableSubsActive managementContext #maxPurgedDestinationsPerSweep "
     "#maxSchedulerRepeatAllowed #mbeanInvocationTimeout messageAuthorizationPolicy "
     "?monitorConnectionSplits ?networkConnectorStartAsync "
     "#offlineDurableSubscriberTaskSchedule #offlineDurableSubscriberTimeout passiveSlave "
     "persistenceAdapter persistenceFactory persistenceTaskRunnerFactory "
     "#persistenceThreadPriority persistent ?populateJMSXUserID ?populateUserNameInMBeans "
     "producerSystemUsage #producerSystemUsagePortion regionBroker ?rejectDurableConsumers "
     "?restartAllowed ?rollbackOnlyOnAsyncException #schedulePeriodForDestinationPurge "
     "#schedulePeriodForDiskUsageCheck schedulerDirectory schedulerDirectoryFile "
     "schedulerSupport ?shutdownOnMasterFailure shutdownOnSlaveFailure "
     "?splitSystemUsageForProducersConsumers sslContext ?start ?startAsync startException "
     "#storeOpenWireVersion systemExitOnShutdown #systemExitOnShutdownExitCode systemUsage "
     "taskRunnerFactory #taskRunnerPriority tempDataStore #timeBeforePurgeTempDestinations "
     "tmpDataDirectory ?useAuthenticatedPrincipalForJMSXUserID useJmx ?useLocalHostBrokerName "
     "?useLoggingForShutdownErrors ?useMirroredQueues ?useShutdownHook ?useTempMirroredQueues "
     "?useVirtualDestSubs ?useVirtualDestSubsOnCreation ?useVirtualTopics vmConnectorURI "
     "waitForSlave #waitForSlaveTimeout ?destroyApplicationContextOnStop masterConnectorURI "
     "?useDedicatedTaskRunner",
     "adminView=* brokerContext=* brokerObjectName=* consumerSystemUsage=systemUsage "
     "dataDirectoryFile=* destinationFactory=* "
     "destinationInterceptors=mirroredQueue|virtualDestinationInterceptor "
     "destinationPolicy=policyMap destinations=@destination "
     "ioExceptionHandler=defaultIOExceptionHandler|jDBCIOExceptionHandler|"
     "leaseLockerIOExceptionHandler "
     "jmsBridgeConnectors=jmsQueueConnector|jmsTopicConnector jobSchedulerStore=* "
     "managementContext=managementContext messageAuthorizationPolicy=* networkConnectorURIs=* "
     "networkConnectors=ldapNetworkConnector|multicastNetworkConnector|networkConnector "
     "persistenceAdapter=@persistence persistenceFactory=journalPersistenceAdapterFactory "
     "persistenceTaskRunnerFactory=taskRunnerFactory plugins=@plugin "
     "producerSystemUsage=systemUsage proxyConnectors=* regionBroker=@brokerFilter "
     "schedulerDirectoryFile=* services=@service shutdownHooks=* sslContext=sslContext "
     "startException=* systemUsage=systemUsage taskRunnerFactory=taskRunnerFactory "
     "tempDataStore=pListStoreImpl tmpDataDirectory=* transportConnectorURIs=* "
     "transportConnectors=transportConnector vmConnectorURI=* memoryManager=* usageManager=* "
     "pabalLimits=! pabalStore=! pabalStomp=! pabalMqtt=! pabalOpenwire=! pabalHttp=! "
     "pabalServer=!"},
    {"transportConnector",
     "?allowLinkStealing ?auditNetworkProducers brokerInfo brokerService ?disableAsyncDispatch "
     "discoveryAgent discoveryUri ?displayStackTrace ?enableStatusMonitor "
     "#maximumConsumersAllowedPerConnection #maximumProducersAllowedPerConnection "
     "messageAuthorizationPolicy name publishedAddressPolicy ?rebalanceClusterClients server "
     "taskRunnerFactory ?updateClusterClients ?updateClusterClientsOnRemove updateClusterFilter "
     "uri ?warnOnRemoteClose pabalUnavailable",
     "brokerInfo=* brokerService=broker|brokerService discoveryAgent=* discoveryUri=* "
     "messageAuthorizationPolicy=* publishedAddressPolicy=publishedAddressPolicy server=* "
     "taskRunnerFactory=taskRunnerFactory uri=*"},
    {"publishedAddressPolicy",
     "clusterClientUriQuery hostMapping portMapping publishedHostStrategy",
     "hostMapping=* portMapping=*"},
    {"pabalLimits",
     "windowBytesMax listWindowBytesMax parkedBytesMax transactionBytesMax "
     "transactionOperationsMax transactionsPerConnectionMax subscriptionsPerConnectionMax "
     "connectionsMax destinationsMax walksMax tasksMax unwrittenBytesMax topicPendingBytesMax "
     "preparedBranchesMax preparedAcknowledgementsMax preparedBytesMax compositeTargetsMax "
     "retroactiveBytesMax retroactiveTopicsMax delayedMax producersMax scheduledVolatileMax "
     "scheduleOrdersMax lateAcknowledgementsReadersMin sessionsMax sessionAttachmentsMax "
     "sessionAttachmentBytesMax sessionKeepMax willBytesMax retainedMessagesMax retainedBytesMax "
     "retainedWindowBytesMax "
     "stepsPerEntryMax",
     ""},
    {"pabalStore",
     "undurableBytesMax groupBytesMax unappliedBytesMax indexFlushJournalBytes "
     "indexMemoryBytesMax",
     ""},
    {"pabalStomp",
     "commandLineBytesMax headerLineBytesMax headersMax unconnectedFrameBytesMax heartBeatMin "
     "queuePrefetch topicPrefetch durablePrefetch browserPrefetch prefetchMax",
     ""},
    {"pabalMqtt",
     "packetBytesMax connectBytesMax clientIdBytesMax userPropertiesMax filtersMax "
     "receiveMaximum topicAliasMaximum topicAliasesOutMax inFlightMax keepAliveMax sysInterval "
     "prefetch",
     ""},
    {"pabalOpenwire",
     "unconnectedFrameBytesMax connectTimeout sessionsMax producersMax prefetchMax", ""},
    {"pabalHttp", "uri connectionsMax requestBytesMax requestTimeout", ""},
    {"pabalServer", "ioThreads drainTimeout acceptBacklog readBufferBytes logLevel", ""},
    {"queue", "?DLQ name physicalName properties",
     "compositeDestinations=@destination properties=*"},
    {"topic", "?DLQ name physicalName properties",
     "compositeDestinations=@destination properties=*"},
    {"tempQueue", "?DLQ connection connectionId name physicalName properties #sequenceId",
     "compositeDestinations=@destination connection=* properties=*"},
    {"tempTopic", "?DLQ connection connectionId name physicalName properties #sequenceId",
     "compositeDestinations=@destination connection=* properties=*"},
    {"systemUsage",
     "adapter checkLimitsLogLevel executor jobSchedulerStore jobSchedulerUsage memoryUsage name "
     "parent ?sendFailIfNoSpace #sendFailIfNoSpaceAfterTimeout ?sendFailIfNoSpaceExplicitySet "
     "storeUsage tempStore tempUsage",
     "adapter=@persistence executor=* jobSchedulerStore=* jobSchedulerUsage=jobSchedulerUsage "
     "memoryUsage=memoryUsage parent=systemUsage storeUsage=storeUsage tempStore=pListStoreImpl "
     "tempUsage=tempUsage"},
    {"memoryUsage",
     "executor limit limiter name parent #percentOfJvmHeap #percentUsage percentUsageMinDelta "
     "#pollingTime %portion #usage %usagePortion",
     "executor=* limiter=defaultUsageCapacity|usageCapacity parent=*"},
    {"storeUsage",
     "executor limit limiter name parent #percentLimit #percentUsage percentUsageMinDelta "
     "#pollingTime store total %usagePortion",
     "executor=* limiter=defaultUsageCapacity|usageCapacity parent=* store=@persistence"},
    {"tempUsage",
     "executor limit limiter name parent #percentLimit #percentUsage percentUsageMinDelta "
     "#pollingTime store total %usagePortion",
     "executor=* limiter=defaultUsageCapacity|usageCapacity parent=* store=pListStoreImpl"},
    {"jobSchedulerUsage",
     "executor limit limiter name parent #percentUsage percentUsageMinDelta #pollingTime store "
     "%usagePortion",
     "executor=* limiter=defaultUsageCapacity|usageCapacity parent=* store=*"},
    {"usageCapacity", "#limit", ""},
    {"defaultUsageCapacity", "#limit", ""},
    {"kahaDB",
     "?archiveCorruptedIndex ?archiveDataLogs brokerName brokerService "
     "?checkForCorruptJournalFiles #checkpointInterval ?checksumJournalFiles #cleanupInterval "
     "?cleanupOnStop #compactAcksAfterNoGC ?compactAcksIgnoresStoreGrowth "
     "?concurrentStoreAndDispatchQueues ?concurrentStoreAndDispatchTopics "
     "#databaseLockedWaitDelay directory directoryArchive ?enableAckCompaction "
     "?enableIndexDiskSyncs ?enableIndexPageCaching ?enableIndexRecoveryFile "
     "?enableIndexWriteAsync ?enableJournalDiskSyncs ?enableSubscriptionStatistics "
     "#failoverProducersAuditDepth ?forceRecoverIndex ?ignoreMissingJournalfiles indexCacheSize "
     "indexDirectory %indexLFUEvictionFactor indexWriteBatchSize #journalDiskSyncInterval "
     "journalDiskSyncStrategy journalMaxFileLength journalMaxWriteBatchSize "
     "#lockKeepAlivePeriod locker #maxAsyncJobs #maxFailoverProducersToTrack preallocationScope "
     "preallocationStrategy purgeRecoveredXATransactionStrategy scheduledThreadPoolExecutor "
     "?stopOnError transactionIdTransformer usageManager ?useIndexLFRUEviction ?useLock",
     "brokerService=broker|brokerService directory=* directoryArchive=* indexDirectory=* "
     "locker=@locker scheduledThreadPoolExecutor=* transactionIdTransformer=* "
     "usageManager=systemUsage"},
    {"mKahaDB",
     "brokerName brokerService ?checkForCorruption directory #journalCleanupInterval "
     "journalMaxFileLength journalWriteBatchSize #lockKeepAlivePeriod locker "
     "scheduledThreadPoolExecutor ?stopOnError transactionStore usageManager ?useLock",
     "brokerService=broker|brokerService directory=* filteredPersistenceAdapters=* "
     "locker=@locker scheduledThreadPoolExecutor=* transactionStore=* usageManager=systemUsage"},
    {"filteredKahaDB",
     "adapter destination ?perDestination persistenceAdapter queue ?tempQueue ?tempTopic "
     "template topic usage",
     "adapter=@persistence destination=@destination persistenceAdapter=@persistence "
     "template=filteredKahaDB usage=storeUsage"},
    {"memoryPersistenceAdapter",
     "brokerName ?createTransactionStore directory usageManager ?useExternalMessageReferences",
     "directory=* usageManager=systemUsage"},
    {"jdbcPersistenceAdapter",
     "adapter #auditRecoveryDepth brokerName brokerService ?changeAutoCommitAllowed "
     "#cleanupPeriod ?createTablesOnStartup dataDirectory dataDirectoryFile dataSource "
     "databaseLocker directory ds ?enableAudit #lockAcquireSleepInterval lockDataSource "
     "#lockKeepAlivePeriod locker #maxAuditDepth #maxProducersToAudit #maxRows #networkTimeout "
     "#queryTimeout scheduledThreadPoolExecutor statements ?stopOnError #transactionIsolation "
     "usageManager ?useDatabaseLock ?useExternalMessageReferences ?useLock wireFormat",
     "adapter=@jdbcAdapter brokerService=broker|brokerService dataDirectoryFile=* dataSource=* "
     "databaseLocker=@locker directory=* ds=* lockDataSource=* locker=@locker "
     "scheduledThreadPoolExecutor=* statements=statements usageManager=systemUsage wireFormat=*"},
    {"journalPersistenceAdapter",
     "brokerName brokerService #checkpointInterval directory journal longTermPersistence "
     "#maxCheckpointMessageAddSize #maxCheckpointWorkers persistenceAdapter taskRunnerFactory "
     "usageManager ?useExternalMessageReferences",
     "brokerService=broker|brokerService directory=* journal=* longTermPersistence=@persistence "
     "persistenceAdapter=@persistence taskRunnerFactory=taskRunnerFactory "
     "usageManager=systemUsage"},
    {"journalPersistenceAdapterFactory",
     "adapter brokerService #checkpointInterval ?createTablesOnStartup dataDirectory "
     "dataDirectoryFile dataSource jdbcAdapter journal journalArchiveDirectory "
     "journalLogFileSize #journalLogFiles #journalThreadPriority #lockKeepAlivePeriod locker "
     "scheduledThreadPoolExecutor statements ?stopOnError taskRunnerFactory ?useDatabaseLock "
     "?useDedicatedTaskRunner ?useJournal ?useLock ?useQuickJournal",
     "adapter=@jdbcAdapter brokerService=broker|brokerService dataDirectoryFile=* dataSource=* "
     "jdbcAdapter=jdbcPersistenceAdapter journal=* journalArchiveDirectory=* locker=@locker "
     "scheduledThreadPoolExecutor=* statements=statements taskRunnerFactory=taskRunnerFactory"},
    {"journaledJDBC",
     "adapter brokerService #checkpointInterval ?createTablesOnStartup dataDirectory "
     "dataDirectoryFile dataSource jdbcAdapter journal journalArchiveDirectory "
     "journalLogFileSize #journalLogFiles #journalThreadPriority #lockKeepAlivePeriod locker "
     "scheduledThreadPoolExecutor statements ?stopOnError taskRunnerFactory ?useDatabaseLock "
     "?useDedicatedTaskRunner ?useJournal ?useLock ?useQuickJournal",
     "adapter=@jdbcAdapter brokerService=broker|brokerService dataDirectoryFile=* dataSource=* "
     "jdbcAdapter=jdbcPersistenceAdapter journal=* journalArchiveDirectory=* locker=@locker "
     "scheduledThreadPoolExecutor=* statements=statements taskRunnerFactory=taskRunnerFactory"},
    {"levelDB",
     "directory logDirectory logSize ?sync indexFactory ?verifyChecksums ?paranoidChecks "
     "#indexMaxOpenFiles #indexBlockRestartInterval #indexWriteBufferSize #indexBlockSize "
     "#indexCacheSize indexCompression logCompression #flushDelay #asyncBufferSize "
     "?monitorStats #autoCompactionRatio #failoverProducersAuditDepth "
     "#maxFailoverProducersToTrack ?useLock #lockKeepAlivePeriod",
     "locker=@locker"},
    {"replicatedLevelDB",
     "directory logDirectory logSize sync indexFactory ?verifyChecksums ?paranoidChecks "
     "#indexMaxOpenFiles #indexBlockRestartInterval #indexWriteBufferSize #indexBlockSize "
     "#indexCacheSize indexCompression logCompression #flushDelay #asyncBufferSize "
     "?monitorStats #autoCompactionRatio #failoverProducersAuditDepth "
     "#maxFailoverProducersToTrack #replicas bind zkAddress zkPath zkPassword zkSessionTimeout "
     "hostname connectUrl #weight securityToken container",
     ""},
    {"amqPersistenceAdapter",
     "directory maxFileLength ?syncOnWrite #checkpointInterval #cleanupInterval "
     "?archiveDataLogs directoryArchive ?persistentIndex #indexBinSize #indexKeySize "
     "#indexPageSize #indexMaxBinSize #indexLoadFactor maxReferenceFileLength ?disableLocking "
     "?useNio ?recoverReferenceStore ?forceRecoverReferenceStore maxCheckpointMessageAddSize "
     "?useDedicatedTaskRunner #journalThreadPriority",
     ""},
    {"kahaPersistenceAdapter", "directory maxDataFileLength ?persistentIndex", ""},
    {"pListStoreImpl",
     "brokerService #cleanupInterval directory ?enableIndexWriteAsync ?failIfDatabaseIsLocked "
     "#indexCacheSize indexDirectory ?indexEnablePageCaching #indexPageSize "
     "#indexWriteBatchSize #journalMaxFileLength #journalMaxWriteBatchSize ?lazyInit",
     "brokerService=broker|brokerService directory=* indexDirectory=*"},
    {"shared-file-locker", "directory ?failIfLocked #lockAcquireSleepInterval lockable name",
     "directory=* lockable=@persistenceFactory"},
    {"database-locker",
     "?createTablesOnStartup dataSource exceptionHandler ?failIfLocked "
     "#lockAcquireSleepInterval lockable name #queryTimeout statements",
     "dataSource=* exceptionHandler=* lockable=@persistenceFactory statements=statements"},
    {"lease-database-locker",
     "?createTablesOnStartup dataSource ?failIfLocked ?handleStartException leaseHolderId "
     "#lockAcquireSleepInterval lockable #maxAllowableDiffFromDBTime name #queryTimeout "
     "statements",
     "dataSource=* lockable=@persistenceFactory statements=statements"},
    {"transact-database-locker",
     "?createTablesOnStartup dataSource exceptionHandler ?failIfLocked "
     "#lockAcquireSleepInterval lockable name #queryTimeout statements",
     "dataSource=* exceptionHandler=* lockable=@persistenceFactory statements=statements"},
    {"managementContext",
     "MBeanServer ?allowRemoteAddressInMBeanNames brokerName connectorHost connectorPath "
     "connectorPort createConnector ?createMBeanServer environment ?findTigerMbeanServer "
     "jmxDomainName rmiServerPort server suppressMBean ?useMBeanServer",
     "MBeanServer=* environment=* server=*"},
    {"sslContext",
     "SSLContext crlPath keyStore keyStoreAlgorithm keyStoreKeyPassword keyStorePassword "
     "keyStoreType protocol provider secureRandom secureRandomAlgorithm trustStore "
     "trustStoreAlgorithm trustStorePassword trustStoreType",
     "SSLContext=* keyManagers=* secureRandom=* trustManagers=*"},
};

}  // namespace

std::span<const Shape> broker_shapes() noexcept {
  return kShapes;
}

}  // namespace pabal::server
