#pragma once

#include <string>
#include <string_view>

namespace pabal::content {

/// A correlation that is bytes, as a client of MQTT may choose it, in the one form that a header
/// has for it: `ID:BINARY:` and two hexadecimal digits for each byte. JMS leaves what begins with
/// `ID:` to the provider. Same as core::MessageBuilder::correlation_is_bytes.
void append_binary_correlation(std::string& out, std::string_view bytes);

/// The inverse, digits of either case; what was in `bytes` is gone. False: `text` is no such form.
bool read_binary_correlation(std::string_view text, std::string& bytes);

}  // namespace pabal::content
