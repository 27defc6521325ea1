#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "core/message.h"
#include "protocols/openwire/message_mapping.h"
#include "tests/support/stomp_broker.h"

namespace pabal::tests {

/// A message as a person would describe it: what is to survive between protocols. Texts may hold
/// anything; `java` is the same in modified UTF-8, where half a pair can stand.
struct Told {
  core::BodyKind kind = core::BodyKind::text;
  std::string java;         ///< the text
  std::string bytes;        ///< bytes, Java object
  std::string values;       ///< map or stream, in OpenWire's encoding
  std::string java_word;    ///< of the property `word`, the type, the correlation
  std::int64_t number = 0;  ///< of the property `number`
  bool compressed = false;
};

/// What a client got.
struct Got {
  std::string body;
  std::map<std::string, std::string> headers;  ///< STOMP's, user properties, JMS properties
  std::string content_type;
  openwire::MessageType type = openwire::MessageType::plain;  ///< OpenWire only
  bool valid = false;  ///< a strict reader of the protocol took it, all its texts UTF-8
};

/// One end of each protocol, without the session where the mapping is a function of its own.
class Ends {
 public:
  Ends();

  /// As a client of the protocol sends it; the message as core has it.
  core::MessageRef from_openwire(const Told& told);
  core::MessageRef from_stomp(const Told& told);
  core::MessageRef from_mqtt(const Told& told);

  /// As a client of the protocol gets it.
  Got to_openwire(const core::Message& message);
  Got to_stomp(const core::MessageRef& message);
  Got to_mqtt(const core::Message& message);

 private:
  StompBroker broker_;
  std::size_t peer_ = 0;
  core::ConnectionId other_{};
};

/// Modified UTF-8 as every other protocol shows it.
std::string shown(std::string_view java);
/// With its count before it.
std::string counted(std::string_view text);
/// The content of OpenWire's message.
std::string wire_content(const Told& told);
/// zlib's form, as the Java client makes it.
std::string deflated(std::string_view bytes);

}  // namespace pabal::tests
