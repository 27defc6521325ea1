#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/message.h"

// The header `transformation`: what becomes of a body that STOMP cannot show, and, on SEND, of a
// text that means a map. Source: reference/stomp.md §11. Maps are written and read in XStream's
// shape (protocols/content/xstream.h). Java objects are neither written nor read: their class would
// have to be known.

namespace pabal::stomp {

enum class Transformation : std::uint8_t {
  none,  ///< and jms-byte, which is the same, and what nobody knows: ActiveMQ's default
  json,  ///< by what the message is
  xml,
  map_json,
  map_xml,
  object_json,
  object_xml,
  advisory_json,
  advisory_xml,
  jms_pabal,  ///< everything, with its types: stomp/jms_types.h
};

Transformation read_transformation(std::string_view header) noexcept;

/// What a MESSAGE has as its body. Views of the message, or of the scratch.
struct FrameBody {
  std::string_view body{};
  /// What was done, for the header; empty: what the subscriber asked for.
  std::string_view transformation{};
  /// With jms_pabal: what it is, for that header.
  std::string_view jms_kind{};
  std::string_view error{};  ///< why there is no body though the message has one; else empty
};

/// Text as UTF-8, bytes as they are, a map if so asked, an advisory in any case; of others nothing,
/// but with jms_pabal.
FrameBody frame_body(const core::Message& message, Transformation asked, std::string& scratch);

/// Whether a SEND with it means a map; which is read with content::read_xstream.
constexpr bool makes_a_map(Transformation asked) noexcept {
  return asked == Transformation::map_json || asked == Transformation::map_xml;
}
/// Whether a SEND with it would have to make what cannot be made here.
constexpr bool makes_an_object(Transformation asked) noexcept {
  return asked == Transformation::object_json || asked == Transformation::object_xml ||
         asked == Transformation::advisory_json || asked == Transformation::advisory_xml;
}

}  // namespace pabal::stomp
