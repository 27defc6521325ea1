#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace pabal::cli {

/// Whether a member of the API's answers is a time: milliseconds since 1970, 0 for none.
bool is_time(std::string_view member) noexcept;

/// Of the clock on the wall.
std::int64_t now_millis();

/// "2026-11-22T01:26:08Z (3 min 20 s ago)", "… (in 2 h 5 min)"; of 0: empty. `now`: ms since 1970.
std::string time_text(std::int64_t millis, std::int64_t now);

}  // namespace pabal::cli
