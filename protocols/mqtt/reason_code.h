#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "protocols/mqtt/level.h"

namespace pabal::mqtt {

/// MQTT 5.0 §2.4. From 0x80 on they say that something failed.
enum class ReasonCode : std::uint8_t {
  success = 0x00,  ///< also: granted QoS 0, normal disconnection
  granted_qos_1 = 0x01,
  granted_qos_2 = 0x02,
  disconnect_with_will = 0x04,
  no_matching_subscribers = 0x10,
  no_subscription_existed = 0x11,
  continue_authentication = 0x18,
  reauthenticate = 0x19,
  unspecified_error = 0x80,
  malformed_packet = 0x81,
  protocol_error = 0x82,
  implementation_specific_error = 0x83,
  unsupported_protocol_version = 0x84,
  client_identifier_not_valid = 0x85,
  bad_user_name_or_password = 0x86,
  not_authorized = 0x87,
  server_unavailable = 0x88,
  server_busy = 0x89,
  banned = 0x8A,
  server_shutting_down = 0x8B,
  bad_authentication_method = 0x8C,
  keep_alive_timeout = 0x8D,
  session_taken_over = 0x8E,
  topic_filter_invalid = 0x8F,
  topic_name_invalid = 0x90,
  packet_identifier_in_use = 0x91,
  packet_identifier_not_found = 0x92,
  receive_maximum_exceeded = 0x93,
  topic_alias_invalid = 0x94,
  packet_too_large = 0x95,
  message_rate_too_high = 0x96,
  quota_exceeded = 0x97,
  administrative_action = 0x98,
  payload_format_invalid = 0x99,
  retain_not_supported = 0x9A,
  qos_not_supported = 0x9B,
  use_another_server = 0x9C,
  server_moved = 0x9D,
  shared_subscriptions_not_supported = 0x9E,
  connection_rate_exceeded = 0x9F,
  maximum_connect_time = 0xA0,
  subscription_identifiers_not_supported = 0xA1,
  wildcard_subscriptions_not_supported = 0xA2,
};

constexpr bool is_error(ReasonCode code) noexcept {
  return static_cast<std::uint8_t>(code) >= 0x80;
}

/// The name that MQTT 5.0 gives it; empty for a number that it does not know.
std::string_view to_string(ReasonCode code) noexcept;

/// Whether MQTT 5.0 lets `sender` put `code` into a packet of that type.
bool is_allowed(ReasonCode code, PacketType type, Sender sender) noexcept;

/// The return code of a CONNACK before 5.0 (MQTT 3.1.1 table 3.1); nullopt: none fits, and the
/// connection is closed without a CONNACK [MQTT-3.2.2-6].
std::optional<std::uint8_t> to_return_code(ReasonCode code) noexcept;
/// The other way; nullopt for a return code that MQTT 3.1.1 does not know.
std::optional<ReasonCode> from_return_code(std::uint8_t code) noexcept;

}  // namespace pabal::mqtt
