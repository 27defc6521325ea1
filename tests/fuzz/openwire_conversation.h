#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace pabal::tests {

/// Plays bytes as three clients of a whole broker (engine, store in memory, a clock of its own) and
/// checks what it writes: WireFormatInfo first, frames that our codec reads in the agreed version,
/// at most one answer to a command that wants one and none to the others, dispatches to consumers
/// of the connection in ascending order, ProducerAcks of its own producers; no more in the engine
/// than its limits, and nothing of a connection when it has gone. A breach ends the process.
///
/// The first byte is the size of the portions, zero: all at once. kMark and a byte behind it is no
/// client's, but says what happens next: see there. The rest goes to the client whose turn it is.
void play_openwire_conversation(const std::uint8_t* bytes, std::size_t size);

inline constexpr std::string_view kOpenWireMark = "\xFF\xFE\xFD";

/// The byte behind the mark, modulo their number.
enum class OpenWireEvent : std::uint8_t {
  next_client,  ///< it is the turn of another one
  sync,         ///< what was submitted is durable
  drop,         ///< the connection is lost, and there is a new one
  restart,      ///< the broker is killed, and started again
  instant,      ///< a millisecond later
  second,       ///< a second later
  hour,         ///< an hour later
  silence,      ///< the client has been silent for two minutes
  dismiss,      ///< the broker closes the connection, as when it stops
  together,     ///< what clients say from here on takes effect in one entry; the next time: not
  count,
};

}  // namespace pabal::tests
