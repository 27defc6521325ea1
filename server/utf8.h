#pragma once

#include <string>
#include <string_view>

namespace pabal::server {

/// Whether all of it is UTF-8 as in RFC 3629: no overlong forms, no surrogates, nothing above
/// U+10FFFF.
bool is_utf8(std::string_view text) noexcept;

/// The text with U+FFFD for every byte that is not part of UTF-8: what a peer chose is shown to
/// readers (JSON, Prometheus) that refuse a whole page for one wrong byte.
std::string to_utf8(std::string_view text);

}  // namespace pabal::server
