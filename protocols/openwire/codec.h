#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "protocols/openwire/command.h"
#include "protocols/openwire/fields.h"

namespace pabal::openwire {

/// What both ends have agreed on, as far as it changes what is written. Always loose, without a
/// cache: see wire_format.h.
struct WireFormat {
  std::int32_t version = kVersionMax;  ///< kVersionMin to kVersionMax
  bool stack_traces = false;
};

/// Structures that are nested deeper than this are refused; legal frames stay within 6. Causes of a
/// throwable count too.
inline constexpr int kNestingMax = 16;

/// Reads one frame without its length: type code and fields, and nothing behind them. Nothing is
/// looked up by a name that stands in it. False: `error` says what is wrong, without contents of
/// the frame. The views of `command` are into `frame`.
bool read_command(std::string_view frame, const WireFormat& format, AnyCommand& command,
                  std::string& error);

/// Appends a whole frame, its length included, of one of the structures in AnyCommand. A text
/// longer than kTextBytesMax is cut there.
template <class Struct>
void append_frame(std::string& out, const Struct& command, const WireFormat& format);
void append_frame(std::string& out, const AnyCommand& command, const WireFormat& format);

/// Appends one structure as a nested field has it: present, type code, fields. For those who write
/// a frame piece by piece.
template <class Struct>
void append_nested(std::string& out, const Struct& value, const WireFormat& format);

/// Where in the bytes of a message stands what differs from one delivery of it to another.
struct MessageMarks {
  static constexpr std::size_t kNone = SIZE_MAX;
  std::size_t broker_sequence = kNone;     ///< of messageId: 8 bytes
  std::size_t first_for_consumer = kNone;  ///< jmsXGroupFirstForConsumer: 1 byte; none before 10
};
/// Appends a message's destination and the message itself, as MessageDispatch has them between its
/// consumerId and its redeliveryCounter. Marks count from the beginning of `out`.
void append_destination_and_message(std::string& out, const Message& message,
                                    const WireFormat& format, MessageMarks& marks);

}  // namespace pabal::openwire
