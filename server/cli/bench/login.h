#pragma once

#include "server/cli/bench/connection.h"

namespace pabal::cli::bench {

/// Connects and logs in, blocking. Errors: unreachable, timed_out, refused.
Outcome<LoggedIn> log_in(const Scenario& scenario, Role role, unsigned index);

/// Logs in as consumer number `index`, subscribes and goes, so that its durable subscription is
/// there and nobody is. Blocking; errors as of log_in().
Outcome<void> subscribe_and_go(const Scenario& scenario, unsigned index);

}  // namespace pabal::cli::bench
