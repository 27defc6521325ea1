#pragma once

#include <cstddef>
#include <cstdint>

namespace pabal::tests {

/// Bodies and properties of OpenWire, compressed ones, the texts of STOMP's transformations and
/// modified UTF-8. The first byte of an input says which (see content_bytes.cc), the rest is it.
/// Aborts where something comes out that is not what it should be.
void play_content(const std::uint8_t* bytes, std::size_t size);

}  // namespace pabal::tests
