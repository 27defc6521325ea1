#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/message.h"
#include "core/result.h"
#include "protocols/mqtt/packet.h"
#include "protocols/mqtt/publish_encoder.h"
#include "protocols/mqtt/topic_names.h"

// Messages of MQTT as messages of core, and back. What only MQTT has stands in properties:
//
//   ActiveMQ.MQTT.QoS         int32: of the PUBLISH; also says that the message came by MQTT
//   ActiveMQ.Retain           boolean (core: kRetainProperty)
//   JMS_MQTT_PAYLOAD_FORMAT   int8: the payload format indicator, if there was one
//
// They are told from a client's user properties of the same names by their types: those are
// strings, and come behind. In a message of another protocol strings of these names mean the same
// as ours, so that a STOMP client may copy the headers of what it got. Source: reference/mqtt.md
// C1, C2.

namespace pabal::mqtt {

inline constexpr std::string_view kQoSProperty = "ActiveMQ.MQTT.QoS";
inline constexpr std::string_view kPayloadFormatProperty = "JMS_MQTT_PAYLOAD_FORMAT";

/// What a PUBLISH and a will have in common.
struct Content {
  TopicTarget target;
  QoS qos = QoS::at_most_once;
  bool retain = false;
  std::string_view payload;
  const Properties* properties = nullptr;
};

/// Where the texts that are made for the builder live until it has built.
struct MappingScratch {
  std::string& name;
  std::string& reply_to;
};

/// Fills `builder`, but for origin and sequence. `timestamp`: now; a message expiry counts from it.
void fill_message(core::MessageBuilder& builder, const Content& content, std::int64_t timestamp,
                  const MappingScratch& scratch);

/// At which QoS a message may be delivered at most. What is persistent has to be acknowledged, and
/// what is not is never (core::AckMode::mixed), whatever a property says.
QoS qos_of(const core::Message& message) noexcept;

/// What a PUBLISH has as its payload, and what it is.
struct Payload {
  std::string_view bytes;
  std::string_view content_type;   ///< of what was no plain bytes
  std::string_view message_class;  ///< of what was neither text nor bytes
  bool is_text = false;
  bool damaged = false;  ///< there is a body, and it cannot be read
};

/// Views of the message or of `room`. A map is a JSON object, a stream an array; a Java object its
/// bytes, as ActiveMQ has it; of a message without a body nothing. Source: reference/mqtt.md C1.
Payload payload_of(const core::Message& message, std::string& room);

/// Starts the PUBLISH of a message that was at `place` (null: at its own destination). False: MQTT
/// has no name for that.
bool begin_publish(PublishEncoder& encoder, const core::Message& message,
                   const core::Destination* place);
/// The other half of it: everything but topic and payload, for an encoder that has begun. A
/// property of the name `left_out` is not among them.
void add_properties(PublishEncoder& encoder, const core::Message& message, const Payload& payload,
                    std::string_view left_out);

}  // namespace pabal::mqtt
