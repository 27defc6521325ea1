#pragma once

#include <cstdint>
#include <string_view>

namespace pabal::server {

/// What the first bytes of a connection look like.
enum class Detected : std::uint8_t { undecided, stomp, openwire, mqtt, amqp, tls, http, unknown };
std::string_view to_string(Detected detected) noexcept;

/// Longest prefix that detect() wants to see.
inline constexpr std::size_t kDetectBytesMax = 16;

/// Names the protocol of a connection that begins with `bytes`; undecided: too few yet.
/// STOMP: CONNECT or STOMP after line ends. OpenWire: a length, command 1 (WireFormatInfo), then
/// "ActiveMQ". MQTT: a CONNECT packet with "MQTT" or "MQIsdp". AMQP: "AMQP". TLS: a handshake
/// record.
Detected detect(std::string_view bytes) noexcept;

}  // namespace pabal::server
