#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace pabal::tests {

/// Plays `bytes` as two clients talking to a broker, in portions that the bytes themselves choose,
/// and checks what must hold whatever clients say: the server's output is well-formed frames.
/// Aborts when it is not. The first byte chooses the portions, a 0xFF 0xFE pair changes the client.
void play_stomp_conversation(const std::uint8_t* bytes, std::size_t size);

}  // namespace pabal::tests
