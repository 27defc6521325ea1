#pragma once

#include <cstdint>
#include <string_view>

namespace pabal::stomp {

/// The headers of SEND that are more than a property. Source: reference/stomp.md §4.
enum class SendHeader : std::uint8_t {
  property,  ///< any other
  dropped,   ///< what a client may not say: the server's own headers on MESSAGE
  destination,
  persistent,
  priority,
  expires,
  expiration,
  timestamp,
  correlation_id,
  reply_to,
  type,
  group_id,
  group_sequence,
  transaction,
  receipt,
  content_length,
  content_type,
  message_type,
  transformation,
  scheduled,
  producer_id,
  producer_sequence,
  foreign_id,
  jms_body,  ///< these three: stomp/jms_types.h
  jms_types,
  jms_property,
};

/// By length first: most names differ there.
SendHeader classify_send_header(std::string_view name) noexcept;

/// Whether a MESSAGE's header of that name is the server's, so that no property may pose as one.
bool is_server_header(std::string_view name) noexcept;

}  // namespace pabal::stomp
