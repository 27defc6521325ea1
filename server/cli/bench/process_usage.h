#pragma once

#include <cstdint>
#include <sys/types.h>

namespace pabal::cli::bench {

/// What a process and its descendants use, from /proc.
struct ProcessUsage {
  double cpu_seconds = 0;            ///< user and system, children that ended included
  std::uint64_t resident_bytes = 0;  ///< now
  unsigned processes = 0;            ///< 0: there is no such process
};

/// Reads /proc once. A few hundred microseconds: not for a hot path. Any thread.
ProcessUsage measure_processes(pid_t root);

}  // namespace pabal::cli::bench
