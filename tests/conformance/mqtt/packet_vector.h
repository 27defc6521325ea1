#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocols/mqtt/packet_parser.h"
#include "tests/conformance/stomp/vector.h"

namespace pabal::tests {

/// What the parser is to make of the bytes, in this order.
struct PacketExpectation {
  enum class Kind : std::uint8_t { packet, error, need } kind = Kind::packet;
  std::string text;          ///< of a packet or an error
  std::uint32_t number = 0;  ///< the reason code, or how many bytes are missing
  int line = 0;
};

/// One case of one of its levels. See README.md.
struct PacketCase {
  std::string name;  ///< with the level behind it if there are several
  std::string clause;
  mqtt::Level level = mqtt::Level::v5;
  mqtt::Sender sender = mqtt::Sender::client;
  bool first = false;  ///< no CONNECT before these bytes
  bool same_bytes = true;
  mqtt::ParserOptions options;
  std::string bytes;
  std::vector<PacketExpectation> expected;
  std::string file;
  int line = 0;
};

/// All cases of a folder. Errors: text with file and line, in `error`.
std::vector<PacketCase> read_packet_cases(const std::string& folder, std::string& error);

/// The bytes of `30 05 "text" repeat:3:61`; nullopt: not that.
std::optional<std::string> read_bytes(std::string_view text);

/// A CONNECT with which a client of that level begins.
std::string some_connect(mqtt::Level level);

/// The bytes of a case as its sender would send them from the beginning.
std::string conversation_of(const PacketCase& one);

}  // namespace pabal::tests
