#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/result.h"
#include "server/config/option_table.h"

namespace pabal::server {

/// "64mb", "10 MB", "1 g" in bytes; nullopt for anything else (fractions, t, negative, too large).
std::optional<std::int64_t> parse_memory(std::string_view text) noexcept;
std::optional<std::int64_t> parse_integer(std::string_view text) noexcept;

/// "64 MB", "1 GB", or bytes if it is not a multiple.
std::string memory_text(std::int64_t bytes);

/// Reads `text` as the option's type and checks its range. The error says what is allowed, not
/// where.
core::Result<Value> parse_value(const Option& option, std::string_view text);

/// Whether a value asks for no more than what Pabal does anyway (Option::agrees).
bool agrees(const Option& option, std::string_view text);

std::string_view trim(std::string_view text) noexcept;
bool equal_ignoring_case(std::string_view a, std::string_view b) noexcept;
std::vector<std::string_view> split(std::string_view text, char separator);

}  // namespace pabal::server
