#include "server/config/option_rows.h"

/// Destinations, networks of brokers, management.
namespace pabal::server {
namespace {

constexpr Option network(std::string_view name, Type type, std::string_view default_text,
                         std::string_view text) {
  return unmet("networkConnector", name, type, default_text, Status::not_yet, "", text,
               "networks of brokers are not built");
}

constexpr Option kOptions[] = {
    network("name", Type::text, "NC", "unique per broker"),
    network("uri", Type::text, "",
            "static:(tcp://a:61616,tcp://b:61616), masterslave:(…), multicast://default, "
            "static:failover:(…), ldap:"),
    network("duplex", Type::boolean, "false", ""),
    network("networkTTL", Type::integer, "1", "sets both below"),
    network("messageTTL", Type::integer, "1", ""),
    network("consumerTTL", Type::integer, "1", ""),
    network("userName", Type::text, "", "for the remote broker"),
    network("password", Type::text, "", "for the remote broker"),
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
