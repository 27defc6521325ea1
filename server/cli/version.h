#pragma once

#include <string_view>

namespace pabal::cli {

/// The project's version, as CMake has it.
inline constexpr std::string_view kVersion = PABAL_VERSION;

}  // namespace pabal::cli
