#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "core/message.h"

// What a message's body is for somebody who did not send it: text as UTF-8, bytes as they are, maps
// and streams as JSON. All views are of the message itself where nothing has to be made, else of
// `scratch`. nullopt: it cannot be shown, because it is damaged or more than kInflatedBytesMax.

namespace pabal::content {

/// The encoded body, uncompressed: of a text message with the count before it.
std::optional<std::string_view> content_of(const core::Message& message, std::string& scratch);

/// Of a text or bytes message: the text as UTF-8, well-formed if it came by OpenWire; the bytes.
/// Of others what did not come by OpenWire as it is, or nothing.
std::optional<std::string_view> plain_body(const core::Message& message, std::string& scratch);

/// More of a map or stream is not made JSON of.
inline constexpr std::size_t kJsonContentBytesMax = 16 * 1'048'576;

/// Of a map message a JSON object, of a stream message an array, made in `scratch`. Byte arrays are
/// base64, a char is a string, what is no number (NaN) is a string too.
std::optional<std::string_view> json_body(const core::Message& message, std::string& scratch);

}  // namespace pabal::content
