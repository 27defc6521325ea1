#include "server/config/option_rows.h"

/// Attributes of broker.
namespace pabal::server {
namespace {

constexpr Option kOptions[] = {
    honoured(
        "broker", "brokerName", Type::text, "localhost", {1, 200}, kRestart,
        "name of the broker; unique in a network",
        [](Target& t, const Value& v, const SourceLocation&) { t.config.broker_name = v.text; }),
    honoured(
        "broker", "dataDirectory", Type::path, "${activemq.data}", {1, 4000}, kRestart,
        "base of the store; -d overrides it",
        [](Target& t, const Value& v, const SourceLocation&) { t.config.data_directory = v.text; }),
    honoured("broker", "persistent", Type::any_case_boolean, "true", kAny, kRestart,
             "false: messages are kept in memory only and end with the process",
             [](Target& t, const Value& v, const SourceLocation&) {
               if (v.number == 0) t.config.store.memory = true;
             }),
    unmet("broker", "useJmx", Type::any_case_boolean, "true", Status::not_yet, "false", "",
          "JMX comes with the bridge"),
    honoured("broker", "schedulerSupport", Type::any_case_boolean, "true", kAny, kReload,
             "delayed and repeated delivery as AMQ_SCHEDULED_* headers ask (ActiveMQ default: "
             "false)",
             [](Target& t, const Value& v, const SourceLocation&) {
               t.config.engine.scheduler = v.number != 0;
             }),
    honoured(
        "broker", "advisorySupport", Type::any_case_boolean, "true", kAny, kReload,
        "advisory topics; false: none is told of anything, temporary destinations included, so "
        "that ActiveMQ's clients refuse to answer to those of other connections",
        [](Target& t, const Value& v, const SourceLocation&) {
          t.config.engine.advisories.enabled = v.number != 0;
        }),
    unmet("broker", "useShutdownHook", Type::boolean, "true", Status::meaningless, "", "",
          "SIGTERM always drains and ends the broker"),
    unmet("broker", "deleteAllMessagesOnStartup", Type::any_case_boolean, "false", Status::not_yet,
          "false", "", "Pabal never deletes a store; remove the data directory instead"),
    unmet("broker", "start", Type::boolean, "true", Status::not_yet, "true", "",
          "the broker always starts"),
    honoured("broker", "populateJMSXUserID", Type::boolean, "false", kAny, kReload,
             "JMSXUserID of every message is the user name that its sender's connection gave, and "
             "nothing else (it proves nothing: logins are not checked yet); false: none has one",
             [](Target& t, const Value& v, const SourceLocation&) {
               t.config.engine.populate_user_id = v.number != 0;
             }),
    unmet("broker", "useAuthenticatedPrincipalForJMSXUserID", Type::boolean, "false",
          Status::not_yet, "false", "use the JAAS principal instead",
          "logins are not checked yet, so that nobody has one"),
    honoured("broker", "schedulePeriodForDestinationPurge", Type::milliseconds, "0", kMilliseconds,
             kReload,
             "between two looks for destinations that nobody uses (policyEntry "
             "gcInactiveDestinations); 0: they stay",
             [](Target& t, const Value& v, const SourceLocation&) {
               assign(t.config.engine.collection_period, v);
             }),
    honoured("broker", "maxPurgedDestinationsPerSweep", Type::integer, "0", kCount, kReload,
             "destinations removed in one look; 0: all",
             [](Target& t, const Value& v, const SourceLocation&) {
               assign(t.config.engine.collected_per_sweep_max, v);
             }),
    unmet("broker", "schedulePeriodForDiskUsageCheck", Type::milliseconds, "0", Status::meaningless,
          "", "re-check store/temp limits against the disk",
          "the store watches the disk all the time"),
    unmet("broker", "diskUsageCheckRegrowThreshold", Type::memory, "-1", Status::meaningless, "",
          "allow percent limits to grow back", "the store watches the disk all the time"),
    honoured("broker", "offlineDurableSubscriberTimeout", Type::milliseconds, "-1",
             kMillisecondsOrNever, kReload,
             "remove a durable subscription, and what waits for it, when its client has been away "
             "for so long; a restart begins the count anew; -1: never",
             [](Target& t, const Value& v, const SourceLocation&) {
               assign(t.config.engine.offline_durable_timeout, v);
             }),
    honoured("broker", "offlineDurableSubscriberTaskSchedule", Type::milliseconds, "300000",
             {1, kNumberMax}, kReload, "between two looks for these",
             [](Target& t, const Value& v, const SourceLocation&) {
               assign(t.config.engine.offline_durable_period, v);
             }),
    unmet("broker", "keepDurableSubsActive", Type::boolean, "true", Status::meaningless, "",
          "keep offline subs' cursors live", "an offline subscription costs no memory"),
    unmet("broker", "rejectDurableConsumers", Type::boolean, "false", Status::not_yet, "false", "",
          "durable subscriptions are always taken"),
    honoured("broker", "useVirtualTopics", Type::boolean, "true", kAny, kReload,
             "without destinationInterceptors: messages of a topic VirtualTopic.NAME also go to "
             "every queue Consumer.ANY.VirtualTopic.NAME",
             [](Target& t, const Value& v, const SourceLocation&) {
               t.draft->use_virtual_topics = v.number != 0;
             }),
    unmet("broker", "useVirtualDestSubs", Type::boolean, "false", Status::not_yet, "false",
          "network demand for virtual destinations", "networks of brokers are not built"),
    unmet("broker", "useVirtualDestSubsOnCreation", Type::boolean, "false", Status::not_yet,
          "false", "network demand for virtual destinations", "networks of brokers are not built"),
    honoured("broker", "useMirroredQueues", Type::boolean, "false", kAny, kReload,
             "without destinationInterceptors: messages of every queue also go to the topic "
             "VirtualTopic.Mirror.QUEUE",
             [](Target& t, const Value& v, const SourceLocation&) {
               t.draft->use_mirrored_queues = v.number != 0;
             }),
    honoured("broker", "useTempMirroredQueues", Type::boolean, "true", kAny, kReload,
             "mirror temporary queues too",
             [](Target& t, const Value& v, const SourceLocation&) {
               t.draft->mirror_temporaries = v.number != 0;
             }),
    unmet("broker", "splitSystemUsageForProducersConsumers", Type::boolean, "false",
          Status::not_yet, "false", "", "one memory limit serves both"),
    unmet("broker", "producerSystemUsagePortion", Type::integer, "60", Status::not_yet, "", "",
          "one memory limit serves both"),
    unmet("broker", "consumerSystemUsagePortion", Type::integer, "40", Status::not_yet, "", "",
          "one memory limit serves both"),
    unmet("broker", "systemExitOnShutdown", Type::any_case_boolean, "false", Status::meaningless,
          "", "", "the process ends with the broker"),
    unmet("broker", "systemExitOnShutdownExitCode", Type::integer, "0", Status::not_yet, "0", "",
          "the exit code of a stop is 0"),
    unmet("broker", "restartAllowed", Type::boolean, "true", Status::not_yet, "", "JMX restart",
          "JMX comes with the bridge"),
    unmet("broker", "networkConnectorStartAsync", Type::boolean, "false", Status::not_yet, "", "",
          "networks of brokers are not built"),
    unmet("broker", "startAsync", Type::boolean, "false", Status::not_yet, "false", "",
          "the broker is ready when every listener accepts"),
    unmet("broker", "dedicatedTaskRunner", Type::boolean, "false", Status::meaningless, "",
          "(old docs: useDedicatedTaskRunner)",
          "event loops do the work; there is no thread per destination"),
    unmet("broker", "taskRunnerPriority", Type::integer, "5", Status::meaningless, "", "",
          "threads have no priorities of their own"),
    unmet("broker", "persistenceThreadPriority", Type::integer, "10", Status::meaningless, "", "",
          "threads have no priorities of their own"),
    unmet("broker", "enableStatistics", Type::boolean, "true", Status::not_yet, "true", "",
          "counters are always kept"),
    unmet("broker", "monitorConnectionSplits", Type::boolean, "false", Status::meaningless, "", "",
          "it watches ActiveMQ itself"),
    unmet("broker", "timeBeforePurgeTempDestinations", Type::milliseconds, "5000",
          Status::meaningless, "", "", "temporary destinations end with their connection"),
    unmet("broker", "cacheTempDestinations", Type::boolean, "false", Status::meaningless, "", "",
          "temporary destinations are not cached"),
    unmet("broker", "allowTempAutoCreationOnSend", Type::boolean, "false", Status::not_yet, "false",
          "", "a temporary destination is made by its own connection only"),
    honoured(
        "broker", "anonymousProducerAdvisorySupport", Type::boolean, "false", kAny, kReload,
        "tell of producers without a destination, too, on ActiveMQ.Advisory.Producer.Anonymous",
        [](Target& t, const Value& v, const SourceLocation&) {
          t.config.engine.advisories.anonymous_producers = v.number != 0;
        }),
    unmet("broker", "populateUserNameInMBeans", Type::boolean, "false", Status::not_yet, "false",
          "", "JMX comes with the bridge"),
    unmet("broker", "mbeanInvocationTimeout", Type::milliseconds, "0", Status::not_yet, "", "",
          "JMX comes with the bridge"),
    honoured("broker", "maxSchedulerRepeatAllowed", Type::integer, "1000", kCount, kReload,
             "largest AMQ_SCHEDULED_REPEAT",
             [](Target& t, const Value& v,
                const SourceLocation&) { assign(t.config.engine.schedule_repeat_max, v); }),
    honoured(
        "broker", "adjustUsageLimits", Type::boolean, "true", kAny, kRestart,
        "lower limits that are larger than the machine, with a warning; false: do not start",
        [](Target& t, const Value& v, const SourceLocation&) { t.usage.adjust = v.number != 0; }),
    unmet("broker", "rollbackOnlyOnAsyncException", Type::boolean, "true", Status::not_yet, "", "",
          "no client sends asynchronously in a transaction yet"),
    unmet("broker", "enableMessageExpirationOnActiveDurableSubs", Type::boolean, "false",
          Status::not_yet, "", "", "expired messages are dropped when they come to the head"),
    unmet("broker", "storeOpenWireVersion", Type::integer, "11", Status::meaningless, "",
          "wire version of stored messages", "the store has a format of its own"),
    unmet("broker", "schedulerDirectory", Type::path, "<data>/<broker>/scheduler",
          Status::meaningless, "", "", "scheduled messages are in the store of the broker"),
    unmet("broker", "tmpDataDirectory", Type::path, "…/tmp_storage", Status::meaningless, "", "",
          "non-persistent messages go to the store of the broker"),
    unmet("broker", "useLocalHostBrokerName", Type::boolean, "false", Status::not_yet, "false", "",
          "use brokerName"),
    unmet("broker", "useLoggingForShutdownErrors", Type::boolean, "false", Status::meaningless, "",
          "", "errors always go to the log"),
    unmet("broker", "vmConnectorURI", Type::text, "", Status::meaningless, "", "",
          "there is no Java virtual machine"),
    unmet("broker", "brokerId", Type::text, "", Status::not_yet, "", "",
          "ids are made by the store"),
    unmet("broker", "brokerObjectName", Type::text, "", Status::not_yet, "", "",
          "JMX comes with the bridge"),
    unmet("broker", "waitForSlave", Type::any_case_boolean, "false", Status::meaningless, "false",
          "pure master/slave, no effect since 5.8",
          "pure master/slave has no effect since ActiveMQ 5.8"),
    unmet("broker", "waitForSlaveTimeout", Type::integer, "false", Status::meaningless, "",
          "pure master/slave, no effect since 5.8",
          "pure master/slave has no effect since ActiveMQ 5.8"),
    unmet("broker", "shutdownOnSlaveFailure", Type::any_case_boolean, "false", Status::meaningless,
          "false", "pure master/slave, no effect since 5.8",
          "pure master/slave has no effect since ActiveMQ 5.8"),
    unmet("broker", "shutdownOnMasterFailure", Type::boolean, "false", Status::meaningless, "false",
          "pure master/slave, no effect since 5.8",
          "pure master/slave has no effect since ActiveMQ 5.8"),
    unmet("broker", "passiveSlave", Type::any_case_boolean, "false", Status::meaningless, "false",
          "pure master/slave, no effect since 5.8",
          "pure master/slave has no effect since ActiveMQ 5.8"),
    unmet("broker", "destroyApplicationContextOnStop", Type::boolean, "", Status::meaningless, "",
          "old files; the first two no longer exist", "there is no Spring context"),
    unmet("broker", "masterConnectorURI", Type::text, "", Status::meaningless, "",
          "old files; the first two no longer exist",
          "pure master/slave has no effect since ActiveMQ 5.8"),
    unmet("broker", "useDedicatedTaskRunner", Type::boolean, "", Status::meaningless, "", "",
          "event loops do the work; there is no thread per destination"),
    unmet("broker", "schedulerDirectoryFile", Type::text, "", Status::meaningless, "", "",
          "scheduled messages are in the store of the broker"),
    unmet("broker", "dataDirectoryFile", Type::text, "", Status::not_yet, "", "",
          "use dataDirectory"),
    unmet("broker", "adminView", Type::text, "", Status::meaningless, "", "",
          "Pabal has no such object"),
    unmet("broker", "brokerContext", Type::text, "", Status::meaningless, "", "",
          "Pabal has no such object"),
    unmet("broker", "regionBroker", Type::text, "", Status::meaningless, "", "",
          "Pabal has no such object"),
    unmet("broker", "destinationFactory", Type::text, "", Status::meaningless, "", "",
          "Pabal has no such object"),
    unmet("broker", "startException", Type::text, "", Status::meaningless, "", "",
          "Pabal has no such object"),
    unmet("broker", "taskRunnerFactory", Type::text, "", Status::meaningless, "", "",
          "Pabal has no such object"),
    unmet("broker", "persistenceTaskRunnerFactory", Type::text, "", Status::meaningless, "", "",
          "Pabal has no such object"),
    unmet("broker", "jobSchedulerStore", Type::text, "", Status::not_yet, "", "",
          "a reference to a Java object cannot be followed"),
    unmet("broker", "ioExceptionHandler", Type::text, "", Status::not_yet, "", "",
          "a reference to a Java object cannot be followed"),
    unmet("broker", "tempDataStore", Type::text, "", Status::not_yet, "", "",
          "a reference to a Java object cannot be followed"),
    unmet("broker", "destinationPolicy", Type::text, "", Status::not_yet, "", "",
          "a reference to a Java object cannot be followed"),
    unmet("broker", "managementContext", Type::text, "", Status::not_yet, "", "",
          "a reference to a Java object cannot be followed"),
    unmet("broker", "persistenceAdapter", Type::text, "", Status::not_yet, "", "",
          "a reference to a Java object cannot be followed"),
    unmet("broker", "persistenceFactory", Type::text, "", Status::not_yet, "", "",
          "a reference to a Java object cannot be followed"),
    unmet("broker", "systemUsage", Type::text, "", Status::not_yet, "", "",
          "a reference to a Java object cannot be followed"),
    unmet("broker", "consumerSystemUsage", Type::text, "", Status::not_yet, "", "",
          "a reference to a Java object cannot be followed"),
    unmet("broker", "producerSystemUsage", Type::text, "", Status::not_yet, "", "",
          "a reference to a Java object cannot be followed"),
    unmet("broker", "sslContext", Type::text, "", Status::guard, "", "", "TLS is not built"),
    unmet("broker", "messageAuthorizationPolicy", Type::text, "", Status::guard, "", "",
          "authorization is not built"),
};

}  // namespace

std::span<const Option> broker_options() noexcept {
  return kOptions;
}

}  // namespace pabal::server
