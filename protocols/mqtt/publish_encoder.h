#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "core/destination.h"
#include "protocols/mqtt/properties.h"

namespace pabal::mqtt {

/// What differs from receiver to receiver of one message.
struct PublishDelivery {
  QoS qos = QoS::at_most_once;
  bool dup = false;
  bool retain = false;
  std::uint16_t packet_id = 0;  ///< not with QoS 0
  // Only in 5.0:
  std::uint16_t topic_alias = 0;  ///< 0: none
  bool alias_is_known = false;    ///< the receiver has the alias: the topic name is left empty
  std::span<const std::uint32_t> subscription_ids{};
  std::uint32_t message_expiry = 0;  ///< seconds that are left; if with_message_expiry()
};

/// Encodes the PUBLISH of one message to many receivers: topic, properties and payload once, the
/// rest for each of them, without an allocation but for the growth of their output. Reused from
/// message to message. One for all levels: 3.1 and 3.1.1 get topic and payload.
///
///   if (encoder.begin(kind, name, payload)) {
///     encoder.text(PropertyId::content_type, …); …
///     for (each receiver) encoder.append(output, level, delivery, packet_bytes_max);
///   }
///
/// Thread: one at a time.
class PublishEncoder {
 public:
  /// Starts a message to a destination of core. False: MQTT has no name for it, and no receiver can
  /// have it. `payload` stays valid until the next begin.
  bool begin(core::DestinationKind kind, std::string_view name, std::string_view payload);
  /// The same with a topic name in MQTT's spelling, as a bridge or a client has it.
  bool begin_topic(std::string_view topic, std::string_view payload);

  // The properties of 5.0 that all receivers get [MQTT-3.3.2-4] [MQTT-3.3.2-15] to [MQTT-3.3.2-18]
  // [MQTT-3.3.2-20]. What MQTT cannot say (too long, not UTF-8, a response topic that is none) is
  // left out, and the answer is false.

  /// The payload is UTF-8 text, or said not to be.
  void payload_format(bool is_text);
  /// The message has a time to live; each delivery says what is left of it.
  void with_message_expiry() noexcept { has_expiry_ = true; }
  bool content_type(std::string_view type);
  bool response_topic(std::string_view topic);
  bool correlation_data(std::string_view data);
  /// In the order of the calls.
  bool user_property(std::string_view name, std::string_view value);
  /// Those of a packet, unaltered.
  void user_properties(const UserProperties& properties);

  /// Appends the packet for one receiver. False, and nothing appended: it is larger than the
  /// receiver's Maximum Packet Size [MQTT-3.1.2-24], and counts as sent [MQTT-3.1.2-25].
  bool append(std::string& out, Level level, const PublishDelivery& delivery,
              std::uint32_t packet_bytes_max = kPacketBytesMax) const;

  /// Where a payload can be made before begin(); lasts as long.
  [[nodiscard]] std::string& room() noexcept { return room_; }
  /// The topic name of this message.
  [[nodiscard]] std::string_view topic() const noexcept {
    return std::string_view(topic_).substr(2);
  }

 private:
  bool end_topic(std::string_view payload);
  bool text(PropertyId id, std::string_view value);

  std::string topic_;       // with its length
  std::string properties_;  // encoded, without their length and without the expiry
  std::string_view payload_;
  std::string room_;
  bool has_expiry_ = false;
};

}  // namespace pabal::mqtt
