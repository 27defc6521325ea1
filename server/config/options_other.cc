#include "server/config/option_rows.h"

/// Destinations, networks of brokers, management.
namespace pabal::server {
namespace {

constexpr Option network(std::string_view name, Type type, std::string_view default_text,
                         std::string_view text) {
  return unmet("networkConnector", name, type, default_text, Status::not_yet, "", text,
               "networks of brokers are not built");
}

/// Of a networkConnector to an MQTT broker.
constexpr Option bridge(std::string_view name, Type type, std::string_view default_text,
                        Range range, std::string_view text, Setter set,
                        std::string_view choices = {}) {
  Option option = honoured("networkConnector", name, type, default_text, range, kRestart, text, set,
                           choices, 0);
  option.many = true;
  return option;
}

/// Of its pabalOut or pabalIn.
constexpr Option route(std::string_view owner, std::string_view name, Type type,
                       std::string_view default_text, Range range, std::string_view text,
                       Setter set) {
  Option option = honoured(owner, name, type, default_text, range, kRestart, text, set);
  option.many = true;
  return option;
}

constexpr Option kOptions[] = {
    bridge("name", Type::text, "", {1, 200},
           "name of a bridge; unique. What waits for it stays when it changes",
           [](Target& t, const Value& v, const SourceLocation&) { t.draft->bridge.name = v.text; }),
    bridge("uri", Type::uri, "", {1, 4000},
           "mqtt://host:port?options, another MQTT broker; without a port: 1883", nullptr),
    bridge(
        "uri?version", Type::choice, "5", kAny, "MQTT as it is spoken with the other broker",
        [](Target& t, const Value& v, const SourceLocation&) {
          t.draft->bridge.version_5 = v.text == "5";
        },
        "5|3.1.1"),
    bridge("uri?initialReconnectDelay", Type::milliseconds, "1000", {10, 3600000},
           "before the first attempt after a connection ended",
           set_draft<&PolicyDraft::bridge, &BridgeConfig::initial_reconnect_delay>),
    bridge("uri?maxReconnectDelay", Type::milliseconds, "30000", {10, 86400000},
           "before any attempt, at most",
           set_draft<&PolicyDraft::bridge, &BridgeConfig::max_reconnect_delay>),
    bridge("uri?useExponentialBackOff", Type::boolean, "true", kAny,
           "each attempt in vain makes the delay longer, by backOffMultiplier",
           set_draft<&PolicyDraft::bridge, &BridgeConfig::use_exponential_back_off>),
    bridge("uri?backOffMultiplier", Type::real, "2.0", {1, 100}, "by which the delay grows",
           set_draft<&PolicyDraft::bridge, &BridgeConfig::back_off_multiplier>),
    bridge("userName", Type::text, "", {0, 65535}, "for the other broker",
           set_draft<&PolicyDraft::bridge, &BridgeConfig::user_name>),
    bridge("password", Type::text, "", {0, 65535}, "for the other broker",
           set_draft<&PolicyDraft::bridge, &BridgeConfig::password>),
    bridge("pabalClientId", Type::text, "", {1, 200},
           "client id at the other broker, which keeps a session under it; unique there. Without: "
           "broker name, bridge name and eight digits that belong to the store",
           set_draft<&PolicyDraft::bridge, &BridgeConfig::client_id>),
    bridge("pabalKeepAlive", Type::integer, "60", {0, 65535},
           "seconds after which a silent connection is probed, and half as many more until it is "
           "given up; 0: never",
           set_draft<&PolicyDraft::bridge, &BridgeConfig::keep_alive>),
    bridge("pabalInFlightMax", Type::integer, "100", {1, 65535},
           "messages of QoS 1 and 2 on their way at a time, in either direction",
           set_draft<&PolicyDraft::bridge, &BridgeConfig::in_flight_max>),
    bridge("pabalAttemptsMax", Type::integer, "0", {0, 1'000'000},
           "a message that the other broker refuses for the moment, or at which it closes the "
           "connection without a reason, so many times in a row is a dead letter; 0: it is tried, "
           "and holds up what follows it, for ever",
           set_draft<&PolicyDraft::bridge, &BridgeConfig::attempts_max>),
    route("pabalOut", "topic", Type::text, "", {1, 4096},
          "a topic filter as MQTT writes it: what matches it goes to the other broker",
          set_draft<&PolicyDraft::route, &BridgeRouteConfig::topic>),
    route("pabalIn", "topic", Type::text, "", {1, 4096},
          "a topic filter as MQTT writes it: what matches it comes from the other broker",
          set_draft<&PolicyDraft::route, &BridgeRouteConfig::topic>),
    route("pabalOut", "qos", Type::integer, "1", {0, 2},
          "at most; with 0 nothing is kept while the other broker is away",
          set_draft<&PolicyDraft::route, &BridgeRouteConfig::qos>),
    route("pabalIn", "qos", Type::integer, "1", {0, 2}, "at most",
          set_draft<&PolicyDraft::route, &BridgeRouteConfig::qos>),
    route("pabalOut", "localPrefix", Type::text, "", {0, 4096},
          "stands before the topic in this broker, and not in the other",
          set_draft<&PolicyDraft::route, &BridgeRouteConfig::local_prefix>),
    route("pabalIn", "localPrefix", Type::text, "", {0, 4096},
          "stands before the topic in this broker, and not in the other; `$queue/` makes it the "
          "name of a queue",
          set_draft<&PolicyDraft::route, &BridgeRouteConfig::local_prefix>),
    route("pabalOut", "remotePrefix", Type::text, "", {0, 4096},
          "stands before the topic in the other broker, and not in this one",
          set_draft<&PolicyDraft::route, &BridgeRouteConfig::remote_prefix>),
    route("pabalIn", "remotePrefix", Type::text, "", {0, 4096},
          "stands before the topic in the other broker, and not in this one",
          set_draft<&PolicyDraft::route, &BridgeRouteConfig::remote_prefix>),
    network("duplex", Type::boolean, "false", ""),
    network("networkTTL", Type::integer, "1", "sets both below"),
    network("messageTTL", Type::integer, "1", ""),
    network("consumerTTL", Type::integer, "1", ""),
    network("remoteUserName", Type::text, "", "(5.17) duplex side"),
    network("remotePassword", Type::text, "", "(5.17) duplex side"),
    network("conduitSubscriptions", Type::boolean, "true", ""),
    network("conduitNetworkQueueSubscriptions", Type::boolean, "false", ""),
    network("decreaseNetworkConsumerPriority", Type::boolean, "false", ""),
    network("consumerPriorityBase", Type::integer, "-5", ""),
    network("dynamicOnly", Type::boolean, "false", ""),
    network("prefetchSize", Type::text, "1000", "must be > 0"),
    network("advisoryPrefetchSize", Type::integer, "0", ""),
    network("advisoryAckPercentage", Type::integer, "75", ""),
    network("suppressDuplicateQueueSubscriptions", Type::boolean, "false", ""),
    network("suppressDuplicateTopicSubscriptions", Type::boolean, "true", ""),
    network("bridgeTempDestinations", Type::boolean, "true", ""),
    network("dispatchAsync", Type::boolean, "true", ""),
    network("alwaysSyncSend", Type::boolean, "true", ""),
    network("staticBridge", Type::boolean, "false", "only static includes, no advisories"),
    network("destinationFilter", Type::text, "ActiveMQ.Advisory.Consumer.>",
            "computed from dynamic includes"),
    network("syncDurableSubs", Type::boolean, "false", ""),
    network("useVirtualDestSubs", Type::boolean, "false", ""),
    network("useCompression", Type::boolean, "false", ""),
    network("checkDuplicateMessagesOnDuplex", Type::boolean, "false", ""),
    network("advisoryForFailedForward", Type::boolean, "false", ""),
    network("clientIdToken", Type::text, "_", ""),
    network("gcDestinationViews", Type::boolean, "true", ""),
    network("gcSweepTime", Type::integer, "60000", ""),
    network("brokerName", Type::text, "", ""),
    network("brokerURL", Type::text, "", ""),
    network("localUri", Type::text, "", ""),
    network("sslContext", Type::text, "", ""),
    network("connectionFilter", Type::text, "", ""),
    network("bridgeFactory", Type::text, "", ""),
    network("objectName", Type::text, "", ""),
    unmet("managementContext", "createConnector", Type::any_case_boolean, "false", Status::not_yet,
          "false", "open a port for JMX", "JMX comes with the bridge"),
    honoured("queue", "physicalName", Type::text, "", {1, 4096}, kReload,
             "name of a queue that is created at start", nullptr),
    honoured("topic", "physicalName", Type::text, "", {1, 4096}, kReload,
             "name of a topic that is created at start", nullptr),
    unmet("queue", "name", Type::text, "", Status::meaningless, "", "", "physicalName counts"),
    unmet("topic", "name", Type::text, "", Status::meaningless, "", "", "physicalName counts"),
    unmet("queue", "DLQ", Type::boolean, "false", Status::meaningless, "", "",
          "it is set by ActiveMQ itself"),
};

}  // namespace

std::span<const Option> other_options() noexcept {
  return kOptions;
}

}  // namespace pabal::server
