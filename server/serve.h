#pragma once

#include <string>
#include <utility>
#include <vector>

namespace pabal::server {

/// What the command line of `pabal serve` says.
struct ServeOptions {
  std::string config_file;     ///< -c FILE; empty: built-in defaults
  std::string data_directory;  ///< -d DIR; overrides the configuration's; empty: as configured
  /// -D name=value: values of ${name} placeholders, in order; a later one wins.
  std::vector<std::pair<std::string, std::string>> definitions;
  /// Start although the configuration guards access in a way that is not built yet (design.md §10).
  bool insecure = false;
};

/// Runs the broker in the foreground until SIGTERM or SIGINT (drains, answers 0) or until it cannot
/// go on. Prints the line "pabal ready name=port …" on stdout when every listener accepts; logs and
/// errors go to stderr. Answers the exit code: 0 stopped as asked, 1 could not start (message with
/// file:line:column where there is one; nothing was left open). A failed journal ends the process
/// at once with kExitStoreFailed. Call once, from the main thread, before any other thread exists:
/// it blocks signals and takes them itself.
int serve(const ServeOptions& options);

inline constexpr int kExitStoreFailed = 74;  ///< EX_IOERR

}  // namespace pabal::server
