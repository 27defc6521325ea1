#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "protocols/mqtt/level.h"

namespace pabal::tests {

/// Reads the bytes with the packet parser, whole and in portions, and checks what must hold for any
/// bytes: both ways give the same, what was read is written and read again as it was, nothing is
/// longer than it may be, names go both ways. A breach ends the process.
///
/// The first byte is the size of the portions, the second says who sends: see mqtt_stream_input().
void play_mqtt_stream(const std::uint8_t* bytes, std::size_t size);

/// The input that plays `bytes`: as a server's of that level, or as a client's, behind a CONNECT of
/// that level if `connected`.
std::string mqtt_stream_input(const std::string& bytes, mqtt::Sender sender, mqtt::Level level,
                              bool connected, std::uint8_t portion);

}  // namespace pabal::tests
