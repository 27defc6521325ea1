#include "protocols/mqtt/reason_code.h"

#include <array>

namespace pabal::mqtt {
namespace {

constexpr std::uint16_t in(PacketType type) noexcept {
  return static_cast<std::uint16_t>(1U << static_cast<unsigned>(type));
}

constexpr std::uint16_t kConnack = in(PacketType::connack);
constexpr std::uint16_t kPubackPubrec = in(PacketType::puback) | in(PacketType::pubrec);
constexpr std::uint16_t kPubrelPubcomp = in(PacketType::pubrel) | in(PacketType::pubcomp);
constexpr std::uint16_t kSuback = in(PacketType::suback);
constexpr std::uint16_t kUnsuback = in(PacketType::unsuback);
constexpr std::uint16_t kDisconnect = in(PacketType::disconnect);
constexpr std::uint16_t kAuth = in(PacketType::auth);

struct Row {
  ReasonCode code;
  std::string_view name;
  std::uint16_t packets;
};

/// MQTT 5.0 table 2-6.
constexpr Row kRows[] = {
    {ReasonCode::success, "Success",
     kConnack | kPubackPubrec | kPubrelPubcomp | kSuback | kUnsuback | kDisconnect | kAuth},
    {ReasonCode::granted_qos_1, "Granted QoS 1", kSuback},
    {ReasonCode::granted_qos_2, "Granted QoS 2", kSuback},
    {ReasonCode::disconnect_with_will, "Disconnect with Will Message", kDisconnect},
    {ReasonCode::no_matching_subscribers, "No matching subscribers", kPubackPubrec},
    {ReasonCode::no_subscription_existed, "No subscription existed", kUnsuback},
    {ReasonCode::continue_authentication, "Continue authentication", kAuth},
    {ReasonCode::reauthenticate, "Re-authenticate", kAuth},
    {ReasonCode::unspecified_error, "Unspecified error",
     kConnack | kPubackPubrec | kSuback | kUnsuback | kDisconnect},
    {ReasonCode::malformed_packet, "Malformed Packet", kConnack | kDisconnect},
    {ReasonCode::protocol_error, "Protocol Error", kConnack | kDisconnect},
    {ReasonCode::implementation_specific_error, "Implementation specific error",
     kConnack | kPubackPubrec | kSuback | kUnsuback | kDisconnect},
    {ReasonCode::unsupported_protocol_version, "Unsupported Protocol Version", kConnack},
    {ReasonCode::client_identifier_not_valid, "Client Identifier not valid", kConnack},
    {ReasonCode::bad_user_name_or_password, "Bad User Name or Password", kConnack},
    {ReasonCode::not_authorized, "Not authorized",
     kConnack | kPubackPubrec | kSuback | kUnsuback | kDisconnect},
    {ReasonCode::server_unavailable, "Server unavailable", kConnack},
    {ReasonCode::server_busy, "Server busy", kConnack | kDisconnect},
    {ReasonCode::banned, "Banned", kConnack},
    {ReasonCode::server_shutting_down, "Server shutting down", kDisconnect},
    {ReasonCode::bad_authentication_method, "Bad authentication method", kConnack | kDisconnect},
    {ReasonCode::keep_alive_timeout, "Keep Alive timeout", kDisconnect},
    {ReasonCode::session_taken_over, "Session taken over", kDisconnect},
    {ReasonCode::topic_filter_invalid, "Topic Filter invalid", kSuback | kUnsuback | kDisconnect},
    {ReasonCode::topic_name_invalid, "Topic Name invalid", kConnack | kPubackPubrec | kDisconnect},
    {ReasonCode::packet_identifier_in_use, "Packet Identifier in use",
     kPubackPubrec | kSuback | kUnsuback},
    {ReasonCode::packet_identifier_not_found, "Packet Identifier not found", kPubrelPubcomp},
    {ReasonCode::receive_maximum_exceeded, "Receive Maximum exceeded", kDisconnect},
    {ReasonCode::topic_alias_invalid, "Topic Alias invalid", kDisconnect},
    {ReasonCode::packet_too_large, "Packet too large", kConnack | kDisconnect},
    {ReasonCode::message_rate_too_high, "Message rate too high", kDisconnect},
    {ReasonCode::quota_exceeded, "Quota exceeded",
     kConnack | kPubackPubrec | kSuback | kDisconnect},
    {ReasonCode::administrative_action, "Administrative action", kDisconnect},
    {ReasonCode::payload_format_invalid, "Payload format invalid",
     kConnack | kPubackPubrec | kDisconnect},
    {ReasonCode::retain_not_supported, "Retain not supported", kConnack | kDisconnect},
    {ReasonCode::qos_not_supported, "QoS not supported", kConnack | kDisconnect},
    {ReasonCode::use_another_server, "Use another server", kConnack | kDisconnect},
    {ReasonCode::server_moved, "Server moved", kConnack | kDisconnect},
    {ReasonCode::shared_subscriptions_not_supported, "Shared Subscriptions not supported",
     kSuback | kDisconnect},
    {ReasonCode::connection_rate_exceeded, "Connection rate exceeded", kConnack | kDisconnect},
    {ReasonCode::maximum_connect_time, "Maximum connect time", kDisconnect},
    {ReasonCode::subscription_identifiers_not_supported, "Subscription Identifiers not supported",
     kSuback | kDisconnect},
    {ReasonCode::wildcard_subscriptions_not_supported, "Wildcard Subscriptions not supported",
     kSuback | kDisconnect},
};

/// From a code to its row plus one; 0: no such code.
constexpr std::array<std::uint8_t, 256> kRowOf = [] {
  std::array<std::uint8_t, 256> rows{};
  for (std::size_t i = 0; i < std::size(kRows); ++i) {
    rows[static_cast<std::uint8_t>(kRows[i].code)] = static_cast<std::uint8_t>(i + 1);
  }
  return rows;
}();

const Row* row_of(ReasonCode code) noexcept {
  const std::uint8_t row = kRowOf[static_cast<std::uint8_t>(code)];
  return row == 0 ? nullptr : &kRows[row - 1];
}

}  // namespace

std::string_view to_string(ReasonCode code) noexcept {
  const Row* row = row_of(code);
  return row == nullptr ? std::string_view() : row->name;
}

bool is_allowed(ReasonCode code, PacketType type, Sender sender) noexcept {
  const Row* row = row_of(code);
  if (row == nullptr || (row->packets & in(type)) == 0) return false;
  // MQTT 5.0 §3.14.2.1, §3.15.2.1: these two are the client's.
  return sender == Sender::client ||
         (code != ReasonCode::disconnect_with_will && code != ReasonCode::reauthenticate);
}

std::optional<std::uint8_t> to_return_code(ReasonCode code) noexcept {
  switch (code) {
    case ReasonCode::success:
      return 0;
    case ReasonCode::unsupported_protocol_version:
      return 1;
    case ReasonCode::client_identifier_not_valid:
      return 2;
    case ReasonCode::unspecified_error:
    case ReasonCode::implementation_specific_error:
    case ReasonCode::server_unavailable:
    case ReasonCode::server_busy:
    case ReasonCode::quota_exceeded:
    case ReasonCode::use_another_server:
    case ReasonCode::server_moved:
    case ReasonCode::connection_rate_exceeded:
      return 3;
    case ReasonCode::bad_user_name_or_password:
      return 4;
    case ReasonCode::not_authorized:
    case ReasonCode::banned:
    case ReasonCode::bad_authentication_method:
      return 5;
    default:  // the packet itself was at fault, or the code is for other packets
      return std::nullopt;
  }
}

std::optional<ReasonCode> from_return_code(std::uint8_t code) noexcept {
  switch (code) {
    case 0:
      return ReasonCode::success;
    case 1:
      return ReasonCode::unsupported_protocol_version;
    case 2:
      return ReasonCode::client_identifier_not_valid;
    case 3:
      return ReasonCode::server_unavailable;
    case 4:
      return ReasonCode::bad_user_name_or_password;
    case 5:
      return ReasonCode::not_authorized;
    default:
      return std::nullopt;
  }
}

}  // namespace pabal::mqtt
