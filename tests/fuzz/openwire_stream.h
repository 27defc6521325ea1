#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "protocols/openwire/codec.h"

namespace pabal::tests {

/// Reads the bytes with the frame parser, whole and in portions, and each frame with the codec, and
/// checks what must hold for any bytes: both ways give the same; what was read is written as the
/// same bytes; nothing is longer than it may be. A breach ends the process.
///
/// The first byte is the size of the portions, the second says the format: see
/// openwire_stream_input().
void play_openwire_stream(const std::uint8_t* bytes, std::size_t size);

/// The input that plays `bytes`.
std::string openwire_stream_input(const std::string& bytes, const openwire::WireFormat& format,
                                  std::uint8_t portion);

}  // namespace pabal::tests
