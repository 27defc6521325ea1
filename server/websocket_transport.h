#pragma once

#include <memory>

#include "server/endpoint.h"
#include "server/logger.h"
#include "server/tcp_transport.h"
#include "server/transport.h"

namespace pabal::server {

/// STOMP and MQTT over WebSocket (RFC 6455): waits for the handshake, answers with the first
/// subprotocol of mqtt, mqttv3.1, v12.stomp, v11.stomp, v10.stomp and stomp that the client offers,
/// or with none, which means STOMP, then carries bytes. Each write becomes one message: of MQTT
/// binary; of STOMP text when it is UTF-8, else binary, so that a browser never closes over a body
/// that is not text. MQTT in a text frame ends the connection [MQTT-6.0.0-1].
/// Limits: Endpoint::connect_timeout for the handshake, 8 KB for its head,
/// Endpoint::message_bytes_max for a message of STOMP; of MQTT a message may have any number of
/// packets and is not gathered. Any URL path is accepted, as ActiveMQ does.
std::unique_ptr<Transport> make_websocket_transport(TcpSocket socket, const Endpoint& endpoint,
                                                    Logger& logger);

}  // namespace pabal::server
