#pragma once

#include <string>
#include <string_view>

#include "core/message.h"

namespace pabal::content {

/// With its quotes. What is no UTF-8 becomes U+FFFD.
void append_json_string(std::string& out, std::string_view utf8);
/// A number, boolean, text or char, as JSON has it.
void append_json_scalar(std::string& out, const core::Property& value);

/// RFC 4648 §4, without line ends.
void append_base64(std::string& out, std::string_view bytes);
/// Blanks and line ends are skipped. False: it is none; `out` is as it was.
bool read_base64(std::string_view text, std::string& out);

}  // namespace pabal::content
