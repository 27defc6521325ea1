#pragma once

#include <iosfwd>
#include <string>

#include "server/config/config.h"

namespace pabal::server {

/// `pabal check FILE`.
struct CheckOptions {
  std::string file;
  LoadOptions load;     ///< -d and -D, as for `serve`
  bool strict = false;  ///< --strict: a finding of any severity makes the exit code 1
  bool json = false;    ///< --json: one document on `out`
};

/// Loads the file and prints, one per line, what is wrong in it or not honoured. Answers the exit
/// code: 0, or 1 for an error, or for any finding when strict.
int run_check(const CheckOptions& options, std::ostream& out, std::ostream& err);

}  // namespace pabal::server
