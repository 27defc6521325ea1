#pragma once

#include <cstdint>

namespace pabal::mqtt {

/// The protocol level of CONNECT; in the order of time, so that they compare.
enum class Level : std::uint8_t { v3_1 = 3, v3_1_1 = 4, v5 = 5 };

/// Who wrote the bytes. A broker reads those of clients; a bridge, a bench or a command those of
/// servers.
enum class Sender : std::uint8_t { client, server };

/// MQTT 5.0 §2.1.2. The numbers are those of the wire.
enum class PacketType : std::uint8_t {
  connect = 1,
  connack = 2,
  publish = 3,
  puback = 4,
  pubrec = 5,
  pubrel = 6,
  pubcomp = 7,
  subscribe = 8,
  suback = 9,
  unsubscribe = 10,
  unsuback = 11,
  pingreq = 12,
  pingresp = 13,
  disconnect = 14,
  auth = 15,
};

enum class QoS : std::uint8_t { at_most_once = 0, at_least_once = 1, exactly_once = 2 };

/// The largest value of a variable byte integer (MQTT 5.0 §1.5.5).
inline constexpr std::uint32_t kVariableIntegerMax = 268'435'455;
/// The largest packet there can be: first byte, four bytes of length, the rest.
inline constexpr std::uint32_t kPacketBytesMax = 1 + 4 + kVariableIntegerMax;
/// The longest string or binary value, and so topic name or filter.
inline constexpr std::uint32_t kTextBytesMax = 65'535;

}  // namespace pabal::mqtt
