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
      &cli::kServeCommand,
      &cli::kCheckCommand,
      &cli::kStatusCommand,
      &cli::kQueueListCommand,
      &cli::kQueueShowCommand,
      &cli::kQueueBrowseCommand,
      &cli::kQueuePurgeCommand,
      &cli::kQueuePauseCommand,
      &cli::kQueueResumeCommand,
      &cli::kQueueMoveCommand,
      &cli::kQueueCopyCommand,
      &cli::kQueueRetryCommand,
      &cli::kQueueSkipDamagedCommand,
      &cli::kQueueDeleteCommand,
      &cli::kQueueCreateCommand,
      &cli::kTopicListCommand,
      &cli::kBridgeListCommand,
      &cli::kSubscriptionListCommand,
      &cli::kSubscriptionDeleteCommand,
      &cli::kSubscriptionSkipDamagedCommand,
      &cli::kExplainCommand,
      &cli::kScheduleListCommand,
      &cli::kScheduleCancelCommand,
      &cli::kXaListCommand,
      &cli::kXaCommitCommand,
      &cli::kXaRollbackCommand,
      &cli::kXaForgetCommand,
      &cli::kSendCommand,
      &cli::kReceiveCommand,
      &cli::kBenchCommand,
      &cli::kStoreCheckCommand,
      &cli::kStoreMapCommand,
  };
  // clang-format on
  cli::Terminal terminal{std::cin, std::cout, std::cerr};
  return cli::run_program(
      kCommands, std::vector<std::string>(words + (count > 0 ? 1 : 0), words + count), terminal);
}
