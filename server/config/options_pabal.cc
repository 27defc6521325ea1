#include "server/config/option_rows.h"

/// Pabal's own elements: limits and settings that ActiveMQ has no word for.
namespace pabal::server {
namespace {

constexpr Option kOptions[] =
    {
        honoured("pabalLimits", "connectionsMax", Type::integer, "100000", {1, 10000000}, kRestart,
                 "connections of all listeners together",
                 [](Target& t, const Value& v, const SourceLocation&) {
                   t.config.limits.connections_max = static_cast<std::uint32_t>(v.number);
                 }),
        honoured("pabalLimits", "subscriptionsPerConnectionMax", Type::integer, "10000",
                 {1, 10000000}, kRestart, "subscriptions of one connection",
                 [](Target& t, const Value& v, const SourceLocation&) {
                   t.config.limits.subscriptions_per_connection_max =
                       static_cast<std::uint32_t>(v.number);
                 }),
        honoured("pabalLimits", "destinationsMax", Type::integer, "1000000", {1, 100000000},
                 kRestart, "queues and durable topic lists that exist at a time",
                 [](Target& t, const Value& v, const SourceLocation&) {
                   t.config.limits.destinations_max = static_cast<std::uint32_t>(v.number);
                 }),
        honoured("pabalLimits", "transactionsPerConnectionMax", Type::integer, "1000", {1, 1000000},
                 kRestart, "open transactions of one connection",
                 [](Target& t, const Value& v, const SourceLocation&) {
                   t.config.limits.transactions_per_connection_max =
                       static_cast<std::uint32_t>(v.number);
                 }),
        honoured("pabalLimits", "transactionOperationsMax", Type::integer, "1000000",
                 {1, 100000000}, kRestart, "sends and acknowledgements in one transaction",
                 [](Target& t, const Value& v, const SourceLocation&) {
                   t.config.limits.transaction_operations_max =
                       static_cast<std::uint32_t>(v.number);
                 }),
        honoured("pabalLimits", "transactionBytesMax", Type::memory, "64mb", {1024, 1LL << 40},
                 kRestart, "message bytes sent in one transaction",
                 [](Target& t, const Value& v, const SourceLocation&) {
                   t.config.limits.transaction_bytes_max = number(v);
                 }),
        honoured("pabalLimits", "walksMax", Type::integer, "256", {1, 100000}, kRestart,
                 "browsers and operators' commands that go through queues at a time",
                 [](Target& t, const Value& v, const SourceLocation&) {
                   t.config.limits.walks_max = static_cast<std::uint32_t>(v.number);
                 }),
        honoured("pabalLimits", "tasksMax", Type::integer, "64", {1, 10000}, kRestart,
                 "operators' commands about queues, of those that ended the last ones too",
                 [](Target& t, const Value& v, const SourceLocation&) {
                   t.config.limits.tasks_max = static_cast<std::uint32_t>(v.number);
                 }),
        honoured("pabalLimits", "parkedBytesMax", Type::memory, "1mb", {1024, 1LL << 40}, kRestart,
                 "sends of one connection that wait for room",
                 [](Target& t, const Value& v, const SourceLocation&) {
                   t.config.limits.parked_bytes_max = number(v);
                 }),
        honoured("pabalLimits", "unwrittenBytesMax", Type::memory, "1mb", {1024, 1LL << 40},
                 kRestart, "deliveries handed to one connection whose socket is full",
                 [](Target& t, const Value& v, const SourceLocation&) {
                   t.config.limits.unwritten_bytes_max = number(v);
                 }),
        honoured(
            "pabalLimits", "topicPendingBytesMax", Type::memory, "32mb", {1024, 1LL << 40},
            kRestart,
            "messages that wait for one non-durable topic subscription; above, its senders wait",
            [](Target& t, const Value& v, const SourceLocation&) {
              t.config.limits.topic_pending_bytes_max = number(v);
            }),
        honoured("pabalLimits", "preparedBranchesMax", Type::integer, "10000", {1, 1000000},
                 kRestart,
                 "prepared XA branches, those included that were completed by hand and not "
                 "forgotten; one more votes to roll back",
                 [](Target& t, const Value& v, const SourceLocation&) {
                   t.config.limits.prepared_branches_max = static_cast<std::uint32_t>(v.number);
                 }),
        honoured(
            "pabalLimits", "preparedAcknowledgementsMax", Type::integer, "4000000", {1, 1000000000},
            kRestart, "messages that all prepared XA branches together have acknowledged",
            [](Target& t, const Value& v, const SourceLocation&) {
              t.config.limits.prepared_acknowledgements_max = static_cast<std::uint32_t>(v.number);
            }),
        honoured("pabalLimits", "preparedBytesMax", Type::memory, "16mb", {1024, 1LL << 40},
                 kRestart,
                 "sends of prepared XA branches that are kept in memory as well as on disk",
                 [](Target& t, const Value& v, const SourceLocation&) {
                   t.config.limits.prepared_bytes_max = number(v);
                 }),
        honoured("pabalLimits", "compositeTargetsMax", Type::integer, "1000", {1, 1000000},
                 kRestart, "destinations that one send or subscription names",
                 [](Target& t, const Value& v, const SourceLocation&) {
                   t.config.limits.composite_targets_max = static_cast<std::uint32_t>(v.number);
                 }),
        honoured(
            "pabalLimits", "retroactiveBytesMax", Type::memory, "64mb", {0, 1LL << 40}, kRestart,
            "messages that topics remember for retroactive consumers; the oldest go first above",
            [](Target& t, const Value& v, const SourceLocation&) {
              t.config.limits.retroactive_bytes_max = number(v);
            }),
        honoured("pabalLimits", "retroactiveTopicsMax", Type::integer, "65536", {0, 100000000},
                 kRestart, "topics that remember messages; more do not",
                 [](Target& t, const Value& v, const SourceLocation&) {
                   t.config.limits.retroactive_topics_max = static_cast<std::uint32_t>(v.number);
                 }),
        honoured("pabalLimits", "delayedMax", Type::integer, "1000000", {0, 1LL << 40}, kRestart,
                 "refused messages that wait for the time of their redelivery; more come at once",
                 [](Target& t, const Value& v, const SourceLocation&) {
                   t.config.limits.delayed_max = number(v);
                 }),
        honoured("pabalLimits", "producersMax", Type::integer, "65536", {1, 100000000}, kRestart,
                 "producers whose last sequence number is remembered, to know what is sent again; "
                 "above, the one used longest ago is forgotten",
                 [](Target& t, const Value& v, const SourceLocation&) {
                   t.config.limits.producers_max = static_cast<std::uint32_t>(v.number);
                 }),
        honoured("pabalLimits", "scheduledVolatileMax", Type::integer, "100000", {0, 100000000},
                 kRestart, "non-persistent messages that are scheduled; one more is refused",
                 [](Target& t, const Value& v, const SourceLocation&) {
                   t.config.limits.scheduled_volatile_max = static_cast<std::uint32_t>(v.number);
                 }),
        honoured("pabalLimits", "scheduleOrdersMax", Type::integer, "16", {1, 10000}, kRestart,
                 "requests to list or remove what is scheduled that are worked on at a time; one "
                 "more is refused",
                 [](Target& t, const Value& v, const SourceLocation&) {
                   t.config.limits.schedule_orders_max = static_cast<std::uint32_t>(v.number);
                 }),
        honoured("pabalLimits", "lateAcknowledgementsReadersMin", Type::integer, "8",
                 {0, 100000000}, kRestart,
                 "durable subscriptions of one topic from which on automatic acknowledgements are "
                 "written in runs, a second late at most; 0: never",
                 [](Target& t, const Value& v, const SourceLocation&) {
                   t.config.limits.late_acks_readers_min = static_cast<std::uint32_t>(v.number);
                 }),
        honoured(
            "pabalLimits", "sessionsMax", Type::integer, "1000000", {1, 100000000}, kRestart,
            "sessions that clients have, those included whose client is away; one more is refused",
            [](Target& t, const Value& v, const SourceLocation&) {
              t.config.limits.sessions_max = static_cast<std::uint32_t>(v.number);
            }),
        honoured("pabalLimits", "sessionAttachmentsMax", Type::integer, "100000", {1, 10000000},
                 kRestart,
                 "things that a protocol keeps in one session, such as packet identifiers",
                 [](Target& t, const Value& v, const SourceLocation&) {
                   t.config.limits.session_attachments_max = static_cast<std::uint32_t>(v.number);
                 }),
        honoured("pabalLimits", "sessionAttachmentBytesMax", Type::memory, "16mb",
                 {1024, 1LL << 40}, kRestart, "the same in bytes, and the session's subscriptions",
                 [](Target& t, const Value& v, const SourceLocation&) {
                   t.config.limits.session_attachment_bytes_max = number(v);
                 }),
        honoured(
            "pabalLimits", "sessionKeepMax", Type::integer, "0", {0, 1LL << 32}, kRestart,
            "seconds that a session outlives its connection at most; 0: as long as its client asks",
            [](Target& t, const Value& v, const SourceLocation&) {
              t.config.limits.session_keep_max = std::chrono::seconds(v.number);
            }),
        honoured("pabalLimits", "willBytesMax", Type::memory, "1mb", {1024, 1LL << 30}, kRestart,
                 "largest will of a client",
                 [](Target& t, const Value& v,
                    const SourceLocation&) { t.config.limits.will_bytes_max = number(v); }),
        honoured(
            "pabalLimits", "retainedMessagesMax", Type::integer, "1000000", {0, 1000000000},
            kRestart,
            "topics that keep a retained message; their names are in memory; one more is refused",
            [](Target& t, const Value& v, const SourceLocation&) {
              t.config.limits.retained_messages_max = static_cast<std::uint32_t>(v.number);
            }),
        honoured("pabalLimits", "retainedBytesMax", Type::memory, "1gb", {0, 1LL << 50}, kRestart,
                 "retained messages in the store; what would be more is refused",
                 [](Target& t, const Value& v, const SourceLocation&) {
                   t.config.limits.retained_bytes_max = number(v);
                 }),
        honoured("pabalLimits", "retainedWindowBytesMax", Type::memory, "64mb", {0, 1LL << 40},
                 kRestart, "retained messages that are also kept in memory",
                 [](Target& t, const Value& v, const SourceLocation&) {
                   t.config.limits.retained_window_bytes_max = number(v);
                 }),
        honoured("pabalLimits", "windowBytesMax", Type::memory, "64mb", {1024, 1LL << 40}, kRestart,
                 "stored messages that are also kept in memory, of all destinations",
                 [](Target& t, const Value& v, const SourceLocation&) {
                   t.config.limits.window_bytes_max = number(v);
                 }),
        honoured("pabalLimits", "listWindowBytesMax", Type::memory, "8mb", {1024, 1LL << 40},
                 kRestart, "the same, of one destination",
                 [](Target& t, const Value& v, const SourceLocation&) {
                   t.config.limits.list_window_bytes_max = number(v);
                 }),
        honoured("pabalLimits", "stepsPerEntryMax", Type::integer, "4096", {1, 1000000}, kRestart,
                 "deliveries and the like before the engine is left for others",
                 [](Target& t, const Value& v, const SourceLocation&) {
                   t.config.limits.steps_per_entry_max = static_cast<std::uint32_t>(v.number);
                 }),
        honoured("pabalStore", "undurableBytesMax", Type::memory, "64mb", {64 << 10, 1LL << 40},
                 kRestart, "submitted and not yet synced; sends wait above",
                 [](Target& t, const Value& v, const SourceLocation&) {
                   t.config.store.undurable_bytes_max = number(v);
                 }),
        honoured("pabalStore", "groupBytesMax", Type::memory, "4mb", {64 << 10, 1LL << 40},
                 kRestart, "of one journal entry, unless one batch is larger",
                 [](Target& t, const Value& v, const SourceLocation&) {
                   t.config.store.group_bytes_max = number(v);
                 }),
        honoured("pabalStore", "unappliedBytesMax", Type::memory, "32mb", {1 << 20, 1LL << 40},
                 kRestart, "how far the journal may run ahead of the index",
                 [](Target& t, const Value& v, const SourceLocation&) {
                   t.config.store.unapplied_bytes_max = number(v);
                 }),
        honoured("pabalStore", "indexFlushJournalBytes", Type::memory, "64mb", {1 << 20, 1LL << 40},
                 kRestart, "journal between two flushes of the index; bounds what a restart reads",
                 [](Target& t, const Value& v, const SourceLocation&) {
                   t.config.store.index_flush_journal_bytes = number(v);
                 }),
        honoured("pabalStore", "indexMemoryBytesMax", Type::memory, "16mb", {1 << 20, 1LL << 40},
                 kRestart, "index blocks kept in memory",
                 [](Target& t, const Value& v, const SourceLocation&) {
                   t.config.store.index_memory_bytes_max = number(v);
                 }),
        honoured("pabalStomp", "commandLineBytesMax", Type::memory, "1024", {16, 1 << 20},
                 kReload, "longest command line of a frame",
                 [](Target& t, const Value& v, const SourceLocation&) {
                   t.config.stomp.command_line_bytes_max = number(v);
                 }),
        honoured("pabalStomp", "headerLineBytesMax", Type::memory, "10240", {64, 1 << 20},
                 kReload, "longest header line",
                 [](Target& t, const Value& v, const SourceLocation&) {
                   t.config.stomp.header_line_bytes_max = number(v);
                 }),
        honoured("pabalStomp", "headersMax", Type::integer, "1000", {1, 100000},
                 kReload, "headers of one frame",
                 [](Target& t, const Value& v, const SourceLocation&) {
                   t.config.stomp.headers_max = static_cast<std::uint32_t>(v.number);
                 }),
        honoured("pabalStomp", "unconnectedFrameBytesMax", Type::memory, "64kb", {1024, 1 << 30},
                 kReload, "largest frame of a peer that is not connected yet",
                 [](Target& t, const Value& v, const SourceLocation&) {
                   t.config.stomp.unconnected_frame_bytes_max = number(v);
                 }),
        honoured("pabalStomp", "heartBeatMin", Type::milliseconds, "10", {1, 3600000}, kReload,
                 "shortest interval at which the broker sends heart-beats",
                 [](Target& t, const Value& v, const SourceLocation&) {
                   t.config.stomp.heart_beat_min = std::chrono::milliseconds(v.number);
                 }),
        honoured("pabalStomp", "queuePrefetch", Type::integer, "1000", {1, 65535}, kReload,
                 "deliveries to one queue subscription that are not acknowledged, unless SUBSCRIBE "
                 "says otherwise",
                 [](Target& t, const Value& v, const SourceLocation&) {
                   t.config.stomp.queue_prefetch = static_cast<std::uint32_t>(v.number);
                 }),
        honoured("pabalStomp", "topicPrefetch", Type::integer, "32767", {1, 65535}, kReload,
                 "the same for a topic subscription",
                 [](Target& t, const Value& v, const SourceLocation&) {
                   t.config.stomp.topic_prefetch = static_cast<std::uint32_t>(v.number);
                 }),
        honoured("pabalStomp", "durablePrefetch", Type::integer, "100", {1, 65535}, kReload,
                 "the same for a durable topic subscription",
                 [](Target& t, const Value& v, const SourceLocation&) {
                   t.config.stomp.durable_prefetch = static_cast<std::uint32_t>(v.number);
                 }),
        honoured("pabalStomp", "browserPrefetch", Type::integer, "500", {1, 65535}, kReload,
                 "the same for a queue browser",
                 [](Target& t, const Value& v, const SourceLocation&) {
                   t.config.stomp.browser_prefetch = static_cast<std::uint32_t>(v.number);
                 }),
        honoured("pabalStomp", "prefetchMax", Type::integer, "65535", {1, 1000000}, kReload,
                 "largest prefetch that a client gets",
                 [](Target& t, const Value& v, const SourceLocation&) {
                   t.config.stomp.prefetch_max = static_cast<std::uint32_t>(v.number);
                 }),
        honoured("pabalMqtt", "packetBytesMax", Type::memory, "64mb", {1024, 268435460}, kReload,
                 "largest packet; a larger one ends the connection (0x95)",
                 [](Target& t, const Value& v, const SourceLocation&) {
                   t.config.mqtt.packet_bytes_max = static_cast<std::uint32_t>(v.number);
                 }),
        honoured("pabalMqtt", "connectBytesMax", Type::memory, "128kb", {1024, 1 << 28}, kReload,
                 "the same for CONNECT",
                 [](Target& t, const Value& v, const SourceLocation&) {
                   t.config.mqtt.connect_bytes_max = static_cast<std::uint32_t>(v.number);
                 }),
        honoured("pabalMqtt", "clientIdBytesMax", Type::memory, "1kb", {23, 65535}, kReload,
                 "longest client identifier; a longer one is refused (0x85)",
                 [](Target& t, const Value& v, const SourceLocation&) {
                   t.config.mqtt.client_id_bytes_max = static_cast<std::uint16_t>(v.number);
                 }),
        honoured("pabalMqtt", "userPropertiesMax", Type::integer, "1000", {0, 100000}, kReload,
                 "user properties of one packet",
                 [](Target& t, const Value& v, const SourceLocation&) {
                   t.config.mqtt.user_properties_max = static_cast<std::uint32_t>(v.number);
                 }),
        honoured("pabalMqtt", "filtersMax", Type::integer, "10000", {1, 1000000}, kReload,
                 "topic filters of one SUBSCRIBE or UNSUBSCRIBE",
                 [](Target& t, const Value& v, const SourceLocation&) {
                   t.config.mqtt.filters_max = static_cast<std::uint32_t>(v.number);
                 }),
        honoured("pabalMqtt", "receiveMaximum", Type::integer, "1000", {1, 65535}, kReload,
                 "PUBLISH of QoS 1 and 2 that a client may have unanswered",
                 [](Target& t, const Value& v, const SourceLocation&) {
                   t.config.mqtt.receive_maximum = static_cast<std::uint16_t>(v.number);
                 }),
        honoured("pabalMqtt", "topicAliasMaximum", Type::integer, "100", {0, 65535}, kReload,
                 "topic aliases that a client may set",
                 [](Target& t, const Value& v, const SourceLocation&) {
                   t.config.mqtt.topic_alias_maximum = static_cast<std::uint16_t>(v.number);
                 }),
        honoured("pabalMqtt", "topicAliasesOutMax", Type::integer, "100", {0, 65535}, kReload,
                 "topic aliases that the broker sets, if a client takes as many",
                 [](Target& t, const Value& v, const SourceLocation&) {
                   t.config.mqtt.topic_aliases_out_max = static_cast<std::uint16_t>(v.number);
                 }),
        honoured("pabalMqtt", "inFlightMax", Type::integer, "1000", {1, 65535}, kReload,
                 "deliveries of QoS 1 and 2 that a client has not finished",
                 [](Target& t, const Value& v, const SourceLocation&) {
                   t.config.mqtt.in_flight_max = static_cast<std::uint16_t>(v.number);
                 }),
        honoured("pabalMqtt", "keepAliveMax", Type::integer, "0", {0, 65535}, kReload,
                 "seconds; longer ones of MQTT 5 clients are shortened to it; 0: as they want",
                 [](Target& t, const Value& v, const SourceLocation&) {
                   t.config.mqtt.keep_alive_max = static_cast<std::uint16_t>(v.number);
                 }),
        honoured("pabalMqtt", "sysInterval", Type::integer, "10", {0, 86400}, kReload,
                 "seconds between the values of the $SYS topics; 0: there are none",
                 [](Target& t, const Value& v, const SourceLocation&) {
                   t.config.mqtt.sys_interval = static_cast<std::uint32_t>(v.number);
                 }),
        honoured("pabalMqtt", "prefetch", Type::integer, "1000", {1, 65535}, kReload,
                 "deliveries on their way to one subscription",
                 [](Target& t, const Value& v, const SourceLocation&) {
                   t.config.mqtt.prefetch = static_cast<std::uint32_t>(v.number);
                 }),
        honoured("pabalOpenwire", "unconnectedFrameBytesMax", Type::memory, "64kb", {1024, 1 << 30},
                 kReload, "largest frame of a peer that is not connected yet",
                 [](Target& t, const Value& v, const SourceLocation&) {
                   t.config.openwire.unconnected_frame_bytes_max =
                       static_cast<std::uint32_t>(v.number);
                 }),
        honoured("pabalOpenwire", "connectTimeout", Type::milliseconds, "300000", {0, 86400000},
                 kReload,
                 "a peer that has greeted, and whose application needs no connection for so long, "
                 "is dropped; 0: never",
                 [](Target& t, const Value& v, const SourceLocation&) {
                   t.config.openwire.connect_timeout = std::chrono::milliseconds(v.number);
                 }),
        honoured("pabalOpenwire", "sessionsMax", Type::integer, "10000", {1, 10000000}, kReload,
                 "JMS sessions of one connection",
                 [](Target& t, const Value& v, const SourceLocation&) {
                   t.config.openwire.sessions_max = static_cast<std::uint32_t>(v.number);
                 }),
        honoured("pabalOpenwire", "producersMax", Type::integer, "100000", {1, 10000000}, kReload,
                 "producers of one connection",
                 [](Target& t, const Value& v, const SourceLocation&) {
                   t.config.openwire.producers_max = static_cast<std::uint32_t>(v.number);
                 }),
        honoured("pabalOpenwire", "prefetchMax", Type::integer, "1000000", {1, 10000000}, kReload,
                 "deliveries of one consumer that are not acknowledged; one that asks for more is "
                 "refused",
                 [](Target& t, const Value& v, const SourceLocation&) {
                   t.config.openwire.prefetch_max = static_cast<std::uint32_t>(v.number);
                 }),
        honoured(
            "pabalHttp", "uri", Type::uri, "http://127.0.0.1:${http.port:8161}", {1, 4000},
            kRestart,
            "where /health and /metrics are served; port 0 takes a free one, `off` turns it off",
            nullptr),
        honoured("pabalHttp", "connectionsMax", Type::integer, "64", {1, 65535}, kRestart,
                 "HTTP connections at a time",
                 [](Target& t, const Value& v, const SourceLocation&) {
                   t.config.http.connections_max = static_cast<std::uint32_t>(v.number);
                 }),
        honoured("pabalHttp", "requestBytesMax", Type::memory, "1mb", {1024, 1 << 30}, kRestart,
                 "largest request",
                 [](Target& t, const Value& v,
                    const SourceLocation&) { t.config.http.request_bytes_max = number(v); }),
        honoured("pabalHttp", "requestTimeout", Type::milliseconds, "10000", {1, 3600000}, kRestart,
                 "time for a request to come in",
                 [](Target& t, const Value& v, const SourceLocation&) {
                   t.config.http.request_timeout = std::chrono::milliseconds(v.number);
                 }),
        honoured("pabalServer", "ioThreads", Type::integer, "1", {1, kIoThreadsMax}, kRestart,
                 "event loops",
                 [](Target& t, const Value& v, const SourceLocation&) {
                   t.config.server.io_threads = static_cast<std::uint32_t>(v.number);
                 }),
        honoured("pabalServer", "drainTimeout", Type::milliseconds, "10000", {0, 3600000}, kReload,
                 "SIGTERM: longest wait for what is in flight",
                 [](Target& t, const Value& v, const SourceLocation&) {
                   t.config.server.drain_timeout = std::chrono::milliseconds(v.number);
                 }),
        honoured("pabalServer", "acceptBacklog", Type::integer, "5000", {1, 65535}, kRestart,
                 "connections that wait to be accepted; the system allows net.core.somaxconn",
                 [](Target& t, const Value& v, const SourceLocation&) {
                   t.config.server.accept_backlog = static_cast<std::uint32_t>(v.number);
                 }),
        honoured("pabalServer", "readBufferBytes", Type::memory, "256kb", {4096, 64 << 20},
                 kRestart, "read buffer of one event loop",
                 [](Target& t, const Value& v, const SourceLocation&) {
                   t.config.server.read_buffer_bytes = number(v);
                 }),
        honoured(
            "pabalServer", "logLevel", Type::choice, "info", kAny, kReload,
            "what is logged to stderr",
            [](Target& t, const Value& v,
               const SourceLocation&) { t.config.server.log_level = v.text; },
            "error|warn|info|debug"),
};

}  // namespace

std::span<const Option> pabal_options() noexcept {
  return kOptions;
}

}  // namespace pabal::server
