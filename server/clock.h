#pragma once

#include <chrono>

#include "core/ids.h"

namespace pabal::server {

/// The clock on the wall, for the model.
inline core::TimePoint wall_now() noexcept {
  return std::chrono::time_point_cast<core::milliseconds>(std::chrono::system_clock::now());
}

/// For timers and idle times: never set back.
using SteadyTime = std::chrono::time_point<std::chrono::steady_clock, core::milliseconds>;
inline SteadyTime steady_now() noexcept {
  return std::chrono::time_point_cast<core::milliseconds>(std::chrono::steady_clock::now());
}

}  // namespace pabal::server
