#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "core/message.h"
#include "protocols/stomp/version.h"

// What JMS knows of a message and STOMP has no word for: the kind of its body and the types of its
// properties. Pabal's own headers say them, on SEND, and on MESSAGE to a subscriber that asks with
// `transformation:jms-pabal`; `pabal-jms` (jmx-bridge/) speaks them. So a message keeps its types
// between that client, OpenWire and the broker's selectors.
//
//   JMS_Pabal_Body:map              map, stream, object, message (no body); `text`: with a
//                                   content-length a text with NULs in it, without one null
//   JMS_Pabal_Types:a=int,b=null    of the properties behind it that are not strings: boolean,
//   byte,
//                                   short, int, long, float, double, null; `base64` of a string
//                                   with a NUL in it. `%` stands for a comma, `=` or `%` of a name
//   JMS_Pabal_Property_type:x       the property `type`, or another whose name is a header of STOMP

namespace pabal::stomp {

/// More of a map or stream is neither read nor shown. With values of a few bytes the number of them
/// is the earlier limit: content::kXStreamElementsMax, of a SEND.
inline constexpr std::size_t kJmsContentBytesMax = 16 * 1'048'576;

inline constexpr std::string_view kJmsBody = "JMS_Pabal_Body";
inline constexpr std::string_view kJmsTypes = "JMS_Pabal_Types";
inline constexpr std::string_view kJmsProperty = "JMS_Pabal_Property_";

/// The header JMS_Pabal_Types of a SEND, a view of it.
class PropertyTypes {
 public:
  PropertyTypes() = default;
  explicit PropertyTypes(std::string_view list) noexcept : list_(list) {}

  /// Adds a header as the property that it stands for; as a string if it is not of its type.
  void add(core::MessageBuilder& builder, std::string_view name, std::string_view value);

 private:
  struct Entry {
    std::string_view name;
    std::string_view type;
  };

  [[nodiscard]] std::string_view type_of(std::string_view name);
  [[nodiscard]] Entry entry_at(std::size_t at, std::size_t& end) const noexcept;
  void sort();

  std::string_view list_;
  std::size_t next_ = 0;       // where the type of the next property probably stands
  std::vector<Entry> sorted_;  // once one did not stand there: by name, the first of a name first
};

/// Makes the body of `builder` what JMS_Pabal_Body says of `body`, in `scratch` where it has to be
/// made. False: it is not that; nothing was changed.
bool read_jms_body(core::MessageBuilder& builder, std::string_view kind, std::string_view body,
                   bool has_content_length, std::string& scratch);

/// The properties of a MESSAGE as headers, and the list of their types.
void append_typed_properties(std::string& out, const core::Message& message, Version version);

/// JMS_Pabal_Body of a MESSAGE with this body; empty: text or bytes, which the frame tells apart.
std::string_view jms_body_kind(const core::Message& message, std::string_view body) noexcept;

}  // namespace pabal::stomp
