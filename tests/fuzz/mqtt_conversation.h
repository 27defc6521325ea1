#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace pabal::tests {

/// Plays bytes as three clients of a whole broker (engine, store in memory, a clock of its own) and
/// checks what it writes: packets of the level that was spoken, CONNACK first, packet ids that are
/// not in use, no more in flight than allowed, nothing behind DISCONNECT. A breach ends the
/// process.
///
/// The first byte is the size of the portions, zero: all at once. kMark and a byte behind it is no
/// client's, but says what happens next: see there. The rest goes to the client whose turn it is.
void play_mqtt_conversation(const std::uint8_t* bytes, std::size_t size);

inline constexpr std::string_view kMark = "\xFF\xFE\xFD";

/// The byte behind kMark, modulo their number.
enum class Event : std::uint8_t {
  next_client,  ///< it is the turn of another one
  sync,         ///< what was submitted is durable
  drop,         ///< the connection is lost, and there is a new one
  restart,      ///< the broker is killed, and started again
  second,       ///< a second later
  hour,         ///< an hour later
  silence,      ///< the client has been silent for a minute
  count,
};

}  // namespace pabal::tests
