#pragma once

#include <chrono>
#include <string>

namespace pabal::core {

/// For people, in at most two units: "850 ms", "2.5 s", "40 s", "3 min 20 s", "2 h 5 min", "3 d 4
/// h". Rounded down; below zero: "0 ms".
std::string duration_text(std::chrono::milliseconds duration);

}  // namespace pabal::core
