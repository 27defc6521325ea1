#pragma once

#include <cstdint>
#include <string_view>

namespace pabal::stomp {

/// Negotiated protocol versions, in ascending order.
enum class Version : std::uint8_t { v1_0, v1_1, v1_2 };
inline constexpr int kVersions = 3;

constexpr std::string_view to_string(Version version) noexcept {
  constexpr std::string_view kNames[kVersions] = {"1.0", "1.1", "1.2"};
  return kNames[static_cast<int>(version)];
}

}  // namespace pabal::stomp
