#pragma once

#include <memory>

#include "server/endpoint.h"
#include "server/logger.h"
#include "server/tcp_transport.h"
#include "server/transport.h"

namespace pabal::server {

/// STOMP over WebSocket (RFC 6455): waits for the handshake, answers with the first subprotocol of
/// v12.stomp, v11.stomp, v10.stomp and stomp that the client offers, or with none, then carries
/// bytes. Each write becomes one message: text when it is UTF-8, else binary, so that a browser
/// never closes over a body that is not text. Limits: Endpoint::connect_timeout for the handshake,
/// 8 KB for its head, Endpoint::message_bytes_max for a message. Any URL path is accepted, as
/// ActiveMQ does.
std::unique_ptr<Transport> make_websocket_transport(TcpSocket socket, const Endpoint& endpoint,
                                                    Logger& logger);

}  // namespace pabal::server
