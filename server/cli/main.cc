#include <csignal>
#include <iostream>
#include <string>
#include <vector>

#include "server/cli/command.h"

namespace cli = pabal::cli;

int main(int count, char** words) {
  // A closed pipe is an error of a write, not the end of the process.
  std::signal(SIGPIPE, SIG_IGN);
  std::ios::sync_with_stdio(false);
  // clang-format off
  constexpr const cli::Command* kCommands[] = {
#ifdef PABAL_HAS_SERVE
      &cli::kServeCommand,
#endif
#ifdef PABAL_HAS_CHECK
      &cli::kCheckCommand,
#endif
      &cli::kStatusCommand,
      &cli::kSendCommand,
      &cli::kReceiveCommand,
      &cli::kBenchCommand,
#ifdef PABAL_HAS_STORE_TOOLS
      &cli::kStoreCheckCommand,
      &cli::kStoreMapCommand,
#endif
  };
  // clang-format on
  cli::Terminal terminal{std::cin, std::cout, std::cerr};
  return cli::run_program(
      kCommands, std::vector<std::string>(words + (count > 0 ? 1 : 0), words + count), terminal);
}
