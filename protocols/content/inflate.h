#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace pabal::content {

/// What a compressed body may become; a larger one is not shown to other protocols.
inline constexpr std::size_t kInflatedBytesMax = 104'857'600;

/// Appends what `compressed` (zlib, RFC 1950) holds. False: it is damaged, not whole, or more than
/// `bytes_max`; `out` is as it was. Memory follows what comes out, never what is announced.
bool inflate(std::string_view compressed, std::size_t bytes_max, std::string& out);

}  // namespace pabal::content
