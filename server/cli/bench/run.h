#pragma once

#include <functional>

#include "server/cli/bench/consumer.h"
#include "server/cli/bench/idle.h"
#include "server/cli/bench/process_usage.h"
#include "server/cli/bench/scenario.h"

namespace pabal::cli::bench {

/// Everything that one run found.
struct RunResult {
  std::string broker;  ///< what it calls itself
  std::uint64_t sent = 0;
  std::uint64_t confirmed = 0;
  std::uint64_t unconfirmed = 0;  ///< messages that were never answered
  std::uint64_t delivered = 0;    ///< first arrivals
  std::uint64_t expected = 0;     ///< deliveries that should have been
  std::uint64_t missing = 0;
  Findings findings;
  double seconds = 0;  ///< from the first send (draining: from the subscription) to the last
                       ///< arrival, or answer where nobody receives
  double send_seconds = 0;  ///< to the last answer
  Histogram latencies;      ///< ns; empty without a rate or a limit of messages on their way
  double generator_cpu_seconds = 0;
  bool broker_measured = false;
  double broker_cpu_seconds = 0;
  std::uint64_t resident_start = 0;
  std::uint64_t resident_end = 0;
  std::uint64_t resident_peak = 0;  ///< of ten samples a second
  IdleResult idle;
  std::string failure;  ///< why the run ended early; empty: it did not

  /// Nothing lost, doubled, reordered, damaged or unanswered, and the run went to its end.
  bool good() const noexcept;
  /// Deliveries per second; sends where nobody receives.
  double rate() const noexcept;
};

/// Numbers for a progress line.
struct RunProgress {
  double seconds = 0;
  std::uint64_t sent = 0;
  std::uint64_t confirmed = 0;
  std::uint64_t delivered = 0;
  std::uint64_t resident = 0;
};

/// Connects, runs and adds up; `progress` is called once a second from this thread. SIGINT ends the
/// run early. Errors: those of log_in() and IdleClients::come().
Outcome<RunResult> run(const Scenario& scenario,
                       const std::function<void(const RunProgress&)>& progress);

}  // namespace pabal::cli::bench
