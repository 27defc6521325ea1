#pragma once

#include <string>

#include "core/result.h"

namespace pabal::cli {

/// Exit codes of the program, the same for every command; `pabal --help` lists them. `serve` adds
/// server::kExitStoreFailed.
enum class ExitCode : int {
  ok = 0,
  failed = 1,       ///< the command ran and the answer is no: findings, damage, lost messages
  usage = 2,        ///< the command line is wrong; nothing was done
  unreachable = 3,  ///< nobody answers at that address, or the connection broke
  refused = 4,      ///< the broker answered with an error
  timed_out = 5,    ///< the broker did not answer in time
};

/// Why a command cannot go on.
struct Failure {
  ExitCode exit_code = ExitCode::failed;
  std::string text;  ///< for people: the thing, the reason, what to do next; no trailing full stop
};

template <class T>
using Outcome = core::Result<T, Failure>;

}  // namespace pabal::cli
