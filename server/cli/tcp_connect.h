#pragma once

#include <chrono>

#include "server/cli/failure.h"
#include "server/cli/stomp_client.h"

namespace pabal::cli {

/// A connected socket, non-blocking and with TCP_NODELAY, which the caller closes. Does not hang
/// longer than the deadline. Errors: unreachable, timed_out.
Outcome<int> tcp_connect(const Endpoint& endpoint, std::chrono::steady_clock::time_point deadline);

}  // namespace pabal::cli
