#include "server/config/option_rows.h"

/// Attributes of kahaDB and systemUsage.
namespace pabal::server {
namespace {

constexpr Option kOptions[] = {
    honoured("kahaDB", "directory", Type::path, "<dataDirectory>/store", {1, 4000}, kRestart,
             "where the journal and the index are; with -d only if it lies inside",
             [](Target& t, const Value& v, const SourceLocation&) {
               t.config.store.directory = v.text;
             }),
    unmet("kahaDB", "indexDirectory", Type::path, "= directory", Status::not_yet, "",
          "db.data, db.redo elsewhere", "the index is kept beside the journal"),
    honoured("kahaDB", "journalMaxFileLength", Type::memory, "32mb", {1 << 20, 1 << 30}, kRestart,
             "size of a journal segment",
             [](Target& t, const Value& v, const SourceLocation&) {
               t.config.store.segment_bytes = number(v);
             }),
    unmet("kahaDB", "enableJournalDiskSyncs", Type::boolean, "true", Status::not_yet, "true",
          "false ≙ journalDiskSyncStrategy NEVER",
          "an answer always means that the message is on disk"),
    unmet("kahaDB", "journalDiskSyncStrategy", Type::text, "ALWAYS", Status::not_yet, "always",
          "ALWAYS, PERIODIC, NEVER (any case)",
          "an answer always means that the message is on disk"),
    unmet("kahaDB", "journalDiskSyncInterval", Type::milliseconds, "1000", Status::meaningless, "",
          "for PERIODIC", "an answer always means that the message is on disk"),
    unmet("kahaDB", "journalMaxWriteBatchSize", Type::memory, "4mb", Status::meaningless, "", "",
          "use pabalStore groupBytesMax"),
    unmet("kahaDB", "checkpointInterval", Type::milliseconds, "5000", Status::meaningless, "",
          "index flush / journal GC", "the store has a journal and an index of its own"),
    unmet("kahaDB", "cleanupInterval", Type::milliseconds, "30000", Status::meaningless, "",
          "index flush / journal GC", "the store has a journal and an index of its own"),
    unmet("kahaDB", "cleanupOnStop", Type::boolean, "true", Status::meaningless, "", "",
          "the store has a journal and an index of its own"),
    unmet("kahaDB", "indexCacheSize", Type::integer, "10000", Status::meaningless, "", "pages",
          "the store has a journal and an index of its own"),
    unmet("kahaDB", "indexWriteBatchSize", Type::integer, "1000", Status::meaningless, "", "pages",
          "the store has a journal and an index of its own"),
    unmet("kahaDB", "enableIndexWriteAsync", Type::boolean, "false", Status::meaningless, "", "",
          "the store has a journal and an index of its own"),
    unmet("kahaDB", "enableIndexDiskSyncs", Type::boolean, "true", Status::meaningless, "", "",
          "the store has a journal and an index of its own"),
    unmet("kahaDB", "enableIndexRecoveryFile", Type::boolean, "true", Status::meaningless, "", "",
          "the store has a journal and an index of its own"),
    unmet("kahaDB", "enableIndexPageCaching", Type::boolean, "true", Status::meaningless, "", "",
          "the store has a journal and an index of its own"),
    unmet("kahaDB", "useIndexLFRUEviction", Type::boolean, "false", Status::meaningless, "", "",
          "the store has a journal and an index of its own"),
    unmet("kahaDB", "indexLFUEvictionFactor", Type::real, "0.2", Status::meaningless, "", "",
          "the store has a journal and an index of its own"),
    honoured(
        "kahaDB", "concurrentStoreAndDispatchQueues", Type::boolean, "true", kAny, kRestart,
        "a message of a queue whose consumers are quick waits for up to a few milliseconds to be "
        "written, and is not if it was acknowledged by then; nobody is answered before that",
        [](Target& t, const Value& v, const SourceLocation&) {
          t.config.store.hold_passing = v.number != 0;
        }),
    unmet("kahaDB", "concurrentStoreAndDispatchTopics", Type::boolean, "false", Status::meaningless,
          "", "", "the store has a journal and an index of its own"),
    unmet("kahaDB", "maxAsyncJobs", Type::integer, "10000", Status::meaningless, "", "",
          "the store has a journal and an index of its own"),
    unmet("kahaDB", "checksumJournalFiles", Type::boolean, "true", Status::not_yet, "true", "",
          "the journal is always checksummed"),
    unmet("kahaDB", "checkForCorruptJournalFiles", Type::boolean, "false", Status::not_yet, "true",
          "", "the journal is always checked when it is read"),
    unmet("kahaDB", "ignoreMissingJournalfiles", Type::boolean, "false", Status::not_yet, "false",
          "", "a missing journal file is always reported"),
    unmet("kahaDB", "archiveDataLogs", Type::boolean, "false", Status::not_yet, "false", "",
          "journal files are reused"),
    unmet("kahaDB", "directoryArchive", Type::text, "", Status::not_yet, "", "",
          "journal files are reused"),
    unmet("kahaDB", "archiveCorruptedIndex", Type::boolean, "false", Status::not_yet, "false", "",
          "a damaged index is rebuilt"),
    unmet("kahaDB", "forceRecoverIndex", Type::boolean, "false", Status::not_yet, "false", "",
          "remove the index directory to have it rebuilt"),
    unmet("kahaDB", "preallocationScope", Type::text, "entire_journal", Status::meaningless, "",
          "entire_journal, entire_journal_async, none",
          "the store has a journal and an index of its own"),
    unmet("kahaDB", "preallocationStrategy", Type::text, "sparse_file", Status::meaningless, "",
          "sparse_file, os_kernel_copy, zeros, chunked_zeros",
          "the store has a journal and an index of its own"),
    unmet("kahaDB", "enableAckCompaction", Type::boolean, "true", Status::meaningless, "", "",
          "the store has a journal and an index of its own"),
    unmet("kahaDB", "compactAcksAfterNoGC", Type::integer, "10", Status::meaningless, "", "",
          "the store has a journal and an index of its own"),
    unmet("kahaDB", "compactAcksIgnoresStoreGrowth", Type::boolean, "false", Status::meaningless,
          "", "", "the store has a journal and an index of its own"),
    unmet("kahaDB", "enableSubscriptionStatistics", Type::boolean, "false", Status::not_yet,
          "false", "", "counters are always kept"),
    unmet("kahaDB", "failoverProducersAuditDepth", Type::integer, "2048", Status::meaningless, "",
          "", "the store has a journal and an index of its own"),
    unmet("kahaDB", "maxFailoverProducersToTrack", Type::integer, "64", Status::meaningless, "", "",
          "the store has a journal and an index of its own"),
    unmet("kahaDB", "purgeRecoveredXATransactionStrategy", Type::text, "never", Status::not_yet,
          "never", "never, commit, rollback",
          "prepared branches wait for their transaction manager, or for `pabal xa commit` and "
          "`rollback`"),
    unmet("kahaDB", "useLock", Type::boolean, "true", Status::not_yet, "true",
          "file lock = master/slave", "the directory is always locked"),
    unmet("kahaDB", "lockKeepAlivePeriod", Type::milliseconds, "0", Status::not_yet, "0", "",
          "shared-store failover is not built"),
    unmet("kahaDB", "databaseLockedWaitDelay", Type::milliseconds, "10000", Status::not_yet, "",
          "old name of the locker sleep",
          "shared-store failover is not built: a directory in use is refused"),
    unmet("kahaDB", "stopOnError", Type::boolean, "false", Status::not_yet, "true", "",
          "a failed sync always ends the process"),
    unmet("kahaDB", "transactionIdTransformer", Type::text, "", Status::meaningless, "", "",
          "the store has a journal and an index of its own"),
    unmet("kahaDB", "scheduledThreadPoolExecutor", Type::text, "", Status::meaningless, "", "",
          "the store has a journal and an index of its own"),
    unmet("kahaDB", "usageManager", Type::text, "", Status::meaningless, "", "",
          "the store has a journal and an index of its own"),
    unmet("kahaDB", "brokerName", Type::text, "", Status::meaningless, "", "",
          "the broker has one name"),
    unmet("kahaDB", "locker", Type::text, "", Status::not_yet, "", "",
          "shared-store failover is not built: a directory in use is refused"),
    honoured("systemUsage", "sendFailIfNoSpace", Type::boolean, "false", kAny, kRestart,
             "refuse a send when a limit is reached, instead of letting the producer wait",
             [](Target& t, const Value& v, const SourceLocation&) {
               t.config.limits.send_fail_if_no_space = v.number != 0;
             }),
    honoured(
        "systemUsage", "sendFailIfNoSpaceAfterTimeout", Type::milliseconds, "0", kMilliseconds,
        kReload,
        "let a producer wait so long when a limit is reached, then refuse its send; 0: it waits "
        "on",
        [](Target& t, const Value& v, const SourceLocation&) {
          assign(t.config.engine.send_fail_after, v);
        }),
    unmet("systemUsage", "checkLimitsLogLevel", Type::text, "warn", Status::not_yet, "warn", "",
          "limits are reported as warnings"),
    unmet("systemUsage", "name", Type::text, "", Status::meaningless, "", "",
          "limits have no names"),
    unmet("systemUsage", "sendFailIfNoSpaceExplicitySet", Type::boolean, "false",
          Status::meaningless, "", "", "it is set by ActiveMQ itself"),
    honoured("memoryUsage", "limit", Type::memory, "1gb", {0, kNumberMax}, kRestart,
             "memory for messages that cannot be dropped from it: non-persistent ones and those of "
             "open transactions; 0: no limit. A systemUsage without it has no limit",
             [](Target& t, const Value& v, const SourceLocation& at) {
               t.config.limits.memory_bytes_max = number(v);
               t.usage.memory_given = true;
               t.usage.memory_location = at;
             }),
    honoured("memoryUsage", "percentOfJvmHeap", Type::integer, "none", {1, 100}, kRestart,
             "limit as a percentage of 1 GB (the heap of the stock ActiveMQ scripts) or of the "
             "machine if that is smaller; wins over limit",
             [](Target& t, const Value& v, const SourceLocation& at) {
               t.usage.memory_percent = v.number;
               t.usage.memory_given = true;
               t.usage.memory_location = at;
             }),
    honoured("storeUsage", "limit", Type::memory, "100gb", {0, kNumberMax}, kRestart,
             "bytes of stored messages; sends wait or are refused above; 0: the disk decides. A "
             "systemUsage without it has no limit",
             [](Target& t, const Value& v, const SourceLocation& at) {
               t.config.store.bytes_limit = number(v);
               t.usage.store_given = true;
               t.usage.store_location = at;
             }),
    honoured("storeUsage", "percentLimit", Type::integer, "0", {0, 100}, kRestart,
             "limit as a percentage of the partition; 0: limit counts",
             [](Target& t, const Value& v, const SourceLocation& at) {
               t.usage.store_percent = v.number;
               t.usage.store_given = true;
               t.usage.store_location = at;
             }),
    honoured(
        "storeUsage", "total", Type::memory, "0", {0, kNumberMax}, kRestart,
        "size of the partition that percentLimit assumes; 0: its real size",
        [](Target& t, const Value& v, const SourceLocation&) { t.usage.store_total = v.number; }),
    unmet("memoryUsage", "name", Type::text, "", Status::meaningless, "", "",
          "limits have no names"),
    unmet("memoryUsage", "percentUsageMinDelta", Type::text, "1", Status::meaningless, "", "",
          "usage is counted exactly"),
    unmet("memoryUsage", "pollingTime", Type::integer, "100", Status::meaningless, "", "",
          "nothing polls"),
    unmet("storeUsage", "name", Type::text, "", Status::meaningless, "", "",
          "limits have no names"),
    unmet("storeUsage", "percentUsageMinDelta", Type::text, "1", Status::meaningless, "", "",
          "usage is counted exactly"),
    unmet("storeUsage", "pollingTime", Type::integer, "100", Status::meaningless, "", "",
          "nothing polls"),
    unmet("tempUsage", "name", Type::text, "", Status::meaningless, "", "", "limits have no names"),
    unmet("tempUsage", "percentUsageMinDelta", Type::text, "1", Status::meaningless, "", "",
          "usage is counted exactly"),
    unmet("tempUsage", "pollingTime", Type::integer, "100", Status::meaningless, "", "",
          "nothing polls"),
    unmet("jobSchedulerUsage", "name", Type::text, "", Status::meaningless, "", "",
          "limits have no names"),
    unmet("jobSchedulerUsage", "percentUsageMinDelta", Type::text, "1", Status::meaningless, "", "",
          "usage is counted exactly"),
    unmet("jobSchedulerUsage", "pollingTime", Type::integer, "100", Status::meaningless, "", "",
          "nothing polls"),
    honoured(
        "tempUsage", "limit", Type::memory, "50gb", kMemory, kRestart,
        "disk for non-persistent messages of queues and durable subscriptions that memory has no "
        "room for; 0: none, their producers wait",
        [](Target& t, const Value& v, const SourceLocation&) {
          t.config.limits.spilled_bytes_max = number(v);
        }),
    unmet("tempUsage", "percentLimit", Type::integer, "0", Status::not_yet, "",
          "disk for non-persistent messages", "write limit"),
    unmet("tempUsage", "total", Type::memory, "0", Status::not_yet, "",
          "disk for non-persistent messages", "write limit"),
    unmet("jobSchedulerUsage", "limit", Type::memory, "50gb", Status::meaningless, "",
          "disk for delayed messages", "scheduled messages count with storeUsage"),
};

}  // namespace

std::span<const Option> store_options() noexcept {
  return kOptions;
}

}  // namespace pabal::server
