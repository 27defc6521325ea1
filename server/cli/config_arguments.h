#pragma once

#include <string>
#include <utility>
#include <vector>

#include "server/cli/arguments.h"

namespace pabal::cli {

// The options that `serve` and `check` share.
inline constexpr Option kDataOption{.name = "data",
                                    .value = "DIR",
                                    .help = "data directory, before what the file says",
                                    .short_name = 'd'};
inline constexpr Option kDefineOption{.name = "define",
                                      .value = "NAME=VALUE",
                                      .help = "value of the placeholder ${NAME}",
                                      .short_name = 'D',
                                      .repeatable = true};

/// The -D options, cut at their first '='. Errors: usage.
Outcome<std::vector<std::pair<std::string, std::string>>> read_definitions(
    const Arguments& arguments);

}  // namespace pabal::cli
