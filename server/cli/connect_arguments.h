#pragma once

#include "server/cli/arguments.h"
#include "server/cli/stomp_client.h"

namespace pabal::cli {

// The options that `send` and `receive` share.
inline constexpr Option kUrlOption{.name = "url",
                                   .value = "URL",
                                   .default_value = "stomp://127.0.0.1:61613",
                                   .help = "the broker: stomp://[login:passcode@]host[:port]"};
inline constexpr Option kLoginOption{.name = "login", .value = "NAME", .help = "user name"};
inline constexpr Option kPasscodeOption{.name = "passcode", .value = "TEXT", .help = "password"};
inline constexpr Option kVirtualHostOption{
    .name = "virtual-host", .value = "NAME", .help = "host header (default: the URL's host)"};
inline constexpr Option kClientIdOption{
    .name = "client-id", .value = "ID", .help = "name of this client, for durable subscriptions"};
inline constexpr Option kTimeoutOption{.name = "timeout",
                                       .kind = OptionKind::seconds,
                                       .value = "SECONDS",
                                       .default_value = "30",
                                       .help = "how long to wait for an answer of the broker"};

/// Connects as these options say.
Outcome<StompClient> connect_as(const Arguments& arguments);

}  // namespace pabal::cli
