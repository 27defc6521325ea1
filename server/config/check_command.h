#pragma once

#include <iosfwd>
#include <string>

#include "server/config/config.h"

namespace pabal::server {

/// `pabal check FILE`.
struct CheckOptions {
  std::string file;
  LoadOptions load;     ///< -d, -D and --insecure, as for `serve`
  bool strict = false;  ///< --strict: a finding of any severity makes the exit code 1
  bool json = false;    ///< --json: one document on `out`
};

/// Loads the file and prints, one per line, what is wrong in it or not honoured. Answers the exit
/// code: 0 if `serve` would start with it, 1 if not (errors; guards of access that are not built,
/// unless LoadOptions::insecure), or for any finding when strict.
int run_check(const CheckOptions& options, std::ostream& out, std::ostream& err);

}  // namespace pabal::server
