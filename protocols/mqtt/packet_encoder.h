#pragma once

#include <cstdint>
#include <string>

#include "protocols/mqtt/packet.h"

namespace pabal::mqtt {

// Each appends one packet to `out`, in the form of `level`: what a level does not have is left out.
// False, and nothing appended, if there is no such packet at that level, if a text is longer than
// 65,535 bytes, or if it would be larger than `packet_bytes_max`, the peer's Maximum Packet Size
// [MQTT-3.1.2-24]. Before they come to that, the answers (CONNACK, PUBACK to PUBCOMP, SUBACK,
// UNSUBACK, DISCONNECT, AUTH) leave out their user properties, and then their reason string
// [MQTT-3.2.2-19] [MQTT-3.2.2-20].
//
// Properties that the packet does not have are not written. Whether texts are UTF-8 and topics
// topics is not checked again. What the level does not bring with it is the caller's: before 5.0 a
// server sends no DISCONNECT, and a refused PUBLISH has no answer.

/// In the form of its own level.
bool append_packet(std::string& out, const Connect& packet,
                   std::uint32_t packet_bytes_max = kPacketBytesMax);
/// Before 5.0 false for a reason that no return code fits.
bool append_packet(std::string& out, const Connack& packet, Level level,
                   std::uint32_t packet_bytes_max = kPacketBytesMax);
/// A server uses PublishEncoder.
bool append_packet(std::string& out, const Publish& packet, Level level,
                   std::uint32_t packet_bytes_max = kPacketBytesMax);
bool append_packet(std::string& out, const Puback& packet, Level level,
                   std::uint32_t packet_bytes_max = kPacketBytesMax);
bool append_packet(std::string& out, const Pubrec& packet, Level level,
                   std::uint32_t packet_bytes_max = kPacketBytesMax);
bool append_packet(std::string& out, const Pubrel& packet, Level level,
                   std::uint32_t packet_bytes_max = kPacketBytesMax);
bool append_packet(std::string& out, const Pubcomp& packet, Level level,
                   std::uint32_t packet_bytes_max = kPacketBytesMax);
bool append_packet(std::string& out, const Subscribe& packet, Level level,
                   std::uint32_t packet_bytes_max = kPacketBytesMax);
/// Before 5.0 every failure is 0x80, in 3.1 too, which knows none: as Mosquitto does.
bool append_packet(std::string& out, const Suback& packet, Level level,
                   std::uint32_t packet_bytes_max = kPacketBytesMax);
bool append_packet(std::string& out, const Unsubscribe& packet, Level level,
                   std::uint32_t packet_bytes_max = kPacketBytesMax);
bool append_packet(std::string& out, const Unsuback& packet, Level level,
                   std::uint32_t packet_bytes_max = kPacketBytesMax);
bool append_packet(std::string& out, const Pingreq& packet, Level level,
                   std::uint32_t packet_bytes_max = kPacketBytesMax);
bool append_packet(std::string& out, const Pingresp& packet, Level level,
                   std::uint32_t packet_bytes_max = kPacketBytesMax);
bool append_packet(std::string& out, const Disconnect& packet, Level level,
                   std::uint32_t packet_bytes_max = kPacketBytesMax);
bool append_packet(std::string& out, const Auth& packet, Level level,
                   std::uint32_t packet_bytes_max = kPacketBytesMax);
/// Whichever it is; false for one that is empty.
bool append_packet(std::string& out, const Packet& packet, Level level,
                   std::uint32_t packet_bytes_max = kPacketBytesMax);

/// The hot path's PUBACK, PUBREC, PUBREL or PUBCOMP: without properties, and so never too large for
/// a peer that can get anything at all.
void append_acknowledgement(std::string& out, PacketType type, std::uint16_t packet_id, Level level,
                            ReasonCode reason = ReasonCode::success);

}  // namespace pabal::mqtt
