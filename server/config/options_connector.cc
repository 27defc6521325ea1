#include <algorithm>

#include "server/config/option_rows.h"

/// Attributes and URI options of transportConnector.
namespace pabal::server {
namespace {

/// Options that two names stand for.
constexpr Option frame_bytes_max(std::string_view name) {
  return honoured(
      "transportConnector", name, Type::memory, "115343360", {4096, kNumberMax}, kReload,
      "largest frame in bytes, headers and body; a larger one is answered with ERROR and closed",
      [](Target& t, const Value& v, const SourceLocation&) {
        t.listener->stomp.frame_bytes_max = number(v);
        t.listener->mqtt.packet_bytes_max =
            static_cast<std::uint32_t>(std::min<std::uint64_t>(number(v), 268'435'460));
        t.listener->openwire.frame_bytes_max = static_cast<std::uint32_t>(number(v));
      },
      {}, 1LL << 30);
}
constexpr Option body_bytes_max(std::string_view name) {
  return honoured(
      "transportConnector", name, Type::memory, "104857600", {1, kNumberMax}, kReload,
      "STOMP: largest body in bytes",
      [](Target& t, const Value& v, const SourceLocation&) {
        t.listener->stomp.body_bytes_max = number(v);
      },
      {}, 1LL << 30);
}

/// What OpenWire's peers agree on: each has the right to the simple encoding, and this one wants
/// it.
constexpr Option negotiated(std::string_view name, Type type, std::string_view default_text) {
  return unmet(
      "transportConnector", name, type, default_text, Status::meaningless, "",
      "OpenWire negotiation",
      "OpenWire is spoken loose, without cache, with the size prefix, in versions 9 to 12");
}

constexpr Option kOptions[] = {
    honoured("transportConnector", "name", Type::text, "from the URI", {1, 200}, kRestart,
             "name of the listener, as in the line `pabal ready`; unique",
             [](Target& t, const Value& v, const SourceLocation&) { t.listener->name = v.text; }),
    honoured("transportConnector", "uri", Type::uri, "", {1, 4000}, kRestart,
             "scheme://host:port?options; port 0 takes a free one, `off` turns the listener off; "
             "without a host: 127.0.0.1",
             nullptr),
    unmet("transportConnector", "discoveryUri", Type::uri, "none", Status::not_yet, "",
          "announce, e.g. multicast://default", "networks of brokers and discovery are not built"),
    unmet("transportConnector", "updateClusterClients", Type::boolean, "false", Status::not_yet,
          "false", "tell failover clients about network brokers",
          "networks of brokers and discovery are not built"),
    unmet("transportConnector", "rebalanceClusterClients", Type::boolean, "false", Status::not_yet,
          "false", "", "networks of brokers and discovery are not built"),
    unmet("transportConnector", "updateClusterClientsOnRemove", Type::boolean, "false",
          Status::not_yet, "false", "", "networks of brokers and discovery are not built"),
    unmet("transportConnector", "updateClusterFilter", Type::text, "none", Status::not_yet, "",
          "regex list of broker names", "networks of brokers and discovery are not built"),
    unmet("transportConnector", "allowLinkStealing", Type::boolean, "false; mqtt schemes true",
          Status::not_yet, "", "also as URI option",
          "an MQTT client always takes over the client id, as MQTT wants; others are refused it"),
    unmet("transportConnector", "maximumConsumersAllowedPerConnection", Type::integer, "2147483647",
          Status::not_yet, "2147483647", "", "use pabalLimits subscriptionsPerConnectionMax"),
    unmet("transportConnector", "maximumProducersAllowedPerConnection", Type::integer, "2147483647",
          Status::not_yet, "2147483647", "", "use pabalOpenwire producersMax"),
    unmet("transportConnector", "disableAsyncDispatch", Type::boolean, "false", Status::meaningless,
          "", "", "dispatch is never on a thread of its own"),
    unmet("transportConnector", "auditNetworkProducers", Type::boolean, "false", Status::not_yet,
          "false", "duplicate check on network sends",
          "networks of brokers and discovery are not built"),
    unmet("transportConnector", "enableStatusMonitor", Type::boolean, "false", Status::meaningless,
          "", "", "it watches ActiveMQ itself"),
    unmet("transportConnector", "warnOnRemoteClose", Type::boolean, "false", Status::not_yet,
          "false", "log noise", "closed connections are logged as information"),
    unmet("transportConnector", "displayStackTrace", Type::boolean, "false", Status::meaningless,
          "", "log noise", "there are no stack traces"),
    unmet("transportConnector", "messageAuthorizationPolicy", Type::text, "", Status::guard, "", "",
          "authorization is not built"),
    unmet("transportConnector", "discoveryAgent", Type::text, "", Status::not_yet, "", "",
          "networks of brokers and discovery are not built"),
    unmet("transportConnector", "taskRunnerFactory", Type::text, "", Status::meaningless, "", "",
          "Pabal has no such object"),
    honoured("transportConnector", "pabalUnavailable", Type::choice, "stop", kAny, kRestart,
             "what `serve` does about a TLS connector while TLS is not built: stop, or skip it "
             "with a warning",
             nullptr, "stop|skip"),
    unmet("transportConnector", "brokerInfo", Type::text, "", Status::meaningless, "", "",
          "Pabal has no such object"),
    unmet("transportConnector", "server", Type::text, "", Status::meaningless, "", "",
          "Pabal has no such object"),
    unmet("transportConnector", "brokerService", Type::text, "", Status::meaningless, "", "",
          "Pabal has no such object"),
    unmet("transportConnector", "publishedAddressPolicy", Type::text, "", Status::not_yet, "", "",
          "networks of brokers and discovery are not built"),
    honoured("transportConnector", "uri?maximumConnections", Type::integer, "2147483647",
             {1, 2147483647}, kReload,
             "connections of this listener at a time; one more is closed at once",
             [](Target& t, const Value& v, const SourceLocation&) {
               t.listener->connections_max = static_cast<std::uint32_t>(v.number);
             }),
    frame_bytes_max("uri?wireFormat.maxFrameSize"),
    body_bytes_max("uri?wireFormat.maxDataLength"),
    frame_bytes_max("uri?transport.maxFrameSize"),
    body_bytes_max("uri?transport.maxDataLength"),
    honoured("transportConnector", "uri?transport.connectAttemptTimeout", Type::milliseconds,
             "30000", {0, 3600000}, kReload,
             "a peer that has not connected after this time is dropped; 0: never",
             [](Target& t, const Value& v, const SourceLocation&) {
               t.listener->stomp.connect_timeout = std::chrono::milliseconds(v.number);
               t.listener->mqtt.connect_timeout = t.listener->stomp.connect_timeout;
               t.listener->openwire.handshake_timeout = t.listener->stomp.connect_timeout;
             }),
    honoured(
        "transportConnector", "uri?transport.defaultHeartBeat", Type::heart_beat, "0,0",
        {0, 86400000}, kReload,
        "STOMP: `client sends,client wants` for clients that send no heart-beat header; 0: off",
        [](Target& t, const Value& v, const SourceLocation&) {
          t.listener->stomp.default_heart_beat_client_sends = std::chrono::milliseconds(v.number);
          t.listener->stomp.default_heart_beat_client_wants = std::chrono::milliseconds(v.second);
        }),
    honoured("transportConnector", "uri?transport.hbGracePeriodMultiplier", Type::real, "2.0",
             {0, 100}, kReload,
             "STOMP: a peer is given up after its heart-beat times this; up to 1 counts as 1 "
             "(ActiveMQ default: 1.0)",
             [](Target& t, const Value& v, const SourceLocation&) {
               t.listener->stomp.heart_beat_grace = v.real < 1 ? 1 : v.real;
             }),
    unmet("transportConnector", "uri?wireFormat.maxFrameSizeEnabled", Type::boolean, "true",
          Status::not_yet, "true", "", "frames are always limited"),
    honoured("transportConnector", "uri?wireFormat.maxInactivityDuration", Type::milliseconds,
             "30000", {0, 86400000}, kReload,
             "OpenWire: a peer that is silent for twice so long is dropped, and gets a keep-alive "
             "three times as often; the client may ask for less; 0: off",
             [](Target& t, const Value& v, const SourceLocation&) {
               t.listener->openwire.inactivity = std::chrono::milliseconds(v.number);
             }),
    honoured("transportConnector", "uri?wireFormat.maxInactivityDurationInitalDelay",
             Type::milliseconds, "10000", {0, 86400000}, kReload,
             "OpenWire: before the first time that silence counts",
             [](Target& t, const Value& v, const SourceLocation&) {
               t.listener->openwire.initial_delay = std::chrono::milliseconds(v.number);
             }),
    negotiated("uri?wireFormat.cacheSize", Type::integer, "1024"),
    negotiated("uri?wireFormat.version", Type::integer, "12"),
    negotiated("uri?wireFormat.cacheEnabled", Type::boolean, "true"),
    negotiated("uri?wireFormat.tightEncodingEnabled", Type::boolean, "true"),
    negotiated("uri?wireFormat.sizePrefixDisabled", Type::boolean, "false"),
    negotiated("uri?wireFormat.stackTraceEnabled", Type::boolean, "true"),
    negotiated("uri?wireFormat.tcpNoDelayEnabled", Type::boolean, "true"),
    unmet("transportConnector", "uri?transport.closeAsync", Type::boolean, "true",
          Status::meaningless, "", "how a connection is closed",
          "event loops never wait for a close"),
    unmet("transportConnector", "uri?transport.useInactivityMonitor", Type::boolean, "true",
          Status::not_yet, "true", "time-outs of idle connections", "time-outs are always watched"),
    unmet("transportConnector", "uri?transport.useKeepAlive", Type::boolean, "true",
          Status::not_yet, "true", "OpenWire keep-alive", "keep-alives are always sent"),
    unmet("transportConnector", "uri?transport.soTimeout", Type::integer, "0", Status::not_yet, "0",
          "socket read time-out", "use heart-beats"),
    unmet("transportConnector", "uri?transport.connectionTimeout", Type::integer, "30000",
          Status::meaningless, "", "time to connect out", "listeners do not connect"),
    unmet("transportConnector", "uri?transport.soWriteTimeout", Type::integer, "0", Status::not_yet,
          "0", "time-out of a write", "a peer that does not read costs only its own room"),
    unmet("transportConnector", "uri?transport.tcpNoDelay", Type::boolean, "true", Status::not_yet,
          "true", "Nagle algorithm off", "TCP_NODELAY is always set"),
    unmet("transportConnector", "uri?transport.keepAlive", Type::boolean, "false", Status::not_yet,
          "false", "TCP keep-alive", "use heart-beats"),
    unmet("transportConnector", "uri?transport.socketBufferSize", Type::integer, "65536",
          Status::meaningless, "", "buffer sizes", "buffers belong to the event loop"),
    unmet("transportConnector", "uri?transport.ioBufferSize", Type::integer, "8192",
          Status::meaningless, "", "buffer sizes", "buffers belong to the event loop"),
    unmet("transportConnector", "uri?transport.stackSize", Type::integer, "", Status::meaningless,
          "", "buffer sizes", "buffers belong to the event loop"),
    unmet("transportConnector", "uri?transport.soLinger", Type::integer, "", Status::not_yet, "",
          "close option of the socket", "sockets close in the ordinary way"),
    unmet("transportConnector", "uri?transport.diffServ", Type::text, "0", Status::not_yet, "0",
          "mark of the packets", "packets are not marked"),
    unmet("transportConnector", "uri?transport.typeOfService", Type::text, "0", Status::not_yet,
          "0", "mark of the packets", "packets are not marked"),
    unmet("transportConnector", "uri?transport.threadName", Type::text, "", Status::meaningless, "",
          "thread of a connection", "there is no thread per connection"),
    unmet("transportConnector", "uri?transport.daemon", Type::boolean, "false", Status::meaningless,
          "", "thread of a connection", "there is no thread per connection"),
    unmet("transportConnector", "uri?transport.trace", Type::boolean, "false", Status::not_yet,
          "false", "log every frame", "frames are not logged"),
    unmet("transportConnector", "uri?transport.useQueueForAccept", Type::boolean, "true",
          Status::meaningless, "", "how connections are accepted", "event loops accept"),
    unmet("transportConnector", "uri?backlog", Type::integer, "5000", Status::not_yet, "",
          "queue of connections that wait to be accepted", "use pabalServer acceptBacklog"),
    unmet("transportConnector", "uri?needClientAuth", Type::boolean, "false", Status::guard,
          "false", "TLS: a client must show a certificate",
          "TLS client certificates are not built"),
    unmet("transportConnector", "uri?transport.needClientAuth", Type::boolean, "false",
          Status::guard, "false", "TLS: a client must show a certificate",
          "TLS client certificates are not built"),
    unmet("transportConnector", "uri?wantClientAuth", Type::boolean, "false", Status::not_yet,
          "false", "TLS: a client may show a certificate", "TLS client certificates are not built"),
    unmet("transportConnector", "uri?transport.wantClientAuth", Type::boolean, "false",
          Status::not_yet, "false", "TLS: a client may show a certificate",
          "TLS client certificates are not built"),
    unmet("transportConnector", "uri?transport.enabledProtocols", Type::text, "", Status::guard, "",
          "TLS versions or cipher suites", "TLS is not built"),
    unmet("transportConnector", "uri?transport.enabledCipherSuites", Type::text, "", Status::guard,
          "", "TLS versions or cipher suites", "TLS is not built"),
    unmet("transportConnector", "uri?transport.verifyHostName", Type::boolean, "false",
          Status::guard, "false", "TLS: the certificate must fit the host", "TLS is not built"),
    unmet("transportConnector", "uri?transport.subscriptionStrategy", Type::text,
          "mqtt-default-subscriptions", Status::not_yet, "mqtt-default-subscriptions",
          "MQTT: what a filter becomes",
          "a filter is a subscription of its session, or with $share of several; no queue "
          "Consumer.CLIENT:QOS.VirtualTopic.FILTER is made, and names get no prefix VirtualTopic"),
    honoured("transportConnector", "uri?transport.defaultKeepAlive", Type::milliseconds, "0",
             {0, 65'535'000}, kReload,
             "MQTT: keep alive of clients that ask for none, rounded up to seconds; MQTT 5 clients "
             "are told; 0: they may be silent for ever",
             [](Target& t, const Value& v, const SourceLocation&) {
               t.listener->mqtt.default_keep_alive =
                   static_cast<std::uint16_t>((v.number + 999) / 1000);
             }),
    honoured("transportConnector", "uri?transport.activeMQSubscriptionPrefetch", Type::integer,
             "as pabalMqtt", {-1, 65535}, kReload,
             "MQTT: deliveries on their way to one subscription; up to 0: as pabalMqtt prefetch",
             [](Target& t, const Value& v, const SourceLocation&) {
               if (v.number > 0) t.listener->mqtt.prefetch = static_cast<std::uint32_t>(v.number);
             }),
    honoured("transportConnector", "uri?transport.publishDollarTopics", Type::boolean, "false",
             kAny, kReload,
             "MQTT: clients may send to topics that begin with `$`, but for $SYS and $share; "
             "otherwise that is refused",
             [](Target& t, const Value& v, const SourceLocation&) {
               t.listener->mqtt.publish_dollar_topics = v.number != 0;
             }),
    unmet("transportConnector", "uri?transport.transformer", Type::text, "jms", Status::not_yet, "",
          "AMQP mapping", "AMQP is not built"),
    unmet("transportConnector", "uri?allowLinkStealing", Type::boolean, "false", Status::not_yet,
          "", "a new connection takes over the client id",
          "an MQTT client always takes over the client id, as MQTT wants; others are refused it"),
    unmet("transportConnector", "uri?protocolDetectionTimeOut", Type::integer, "30000",
          Status::not_yet, "", "auto: time for the first bytes",
          "use transport.connectAttemptTimeout"),
    unmet("transportConnector", "uri?maxConnectionThreadPoolSize", Type::integer, "2147483647",
          Status::meaningless, "", "auto: threads", "there is no thread per connection"),
    unmet("transportConnector", "uri?auto.protocols", Type::text, "all", Status::not_yet, "stomp",
          "auto: protocols to detect", "OpenWire, STOMP and MQTT are detected"),
    unmet("transportConnector", "uri?jetty.config", Type::text, "", Status::meaningless, "",
          "web server of ws", "there is no Jetty"),
};

}  // namespace

std::span<const Option> connector_options() noexcept {
  return kOptions;
}

}  // namespace pabal::server
