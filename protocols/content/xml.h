#pragma once

#include <string>
#include <string_view>

namespace pabal::content {

/// Escaped, for between tags or in an attribute. What is no UTF-8 becomes U+FFFD.
void append_xml_text(std::string& out, std::string_view utf8);

}  // namespace pabal::content
