#pragma once

#include <iosfwd>
#include <span>
#include <string_view>

#include "server/cli/arguments.h"

namespace pabal::cli {

/// Where a command reads and writes: the real streams in main, strings in tests.
struct Terminal {
  std::istream& in;
  std::ostream& out;
  std::ostream& err;
};

/// One row of the table in main.cc.
struct Command {
  std::string_view name;      ///< as typed: "serve", "store check"
  std::string_view operands;  ///< what follows the options in the usage line: "FILE"
  std::string_view summary;   ///< one line for the overview
  std::string_view text;      ///< what it does, for its own help
  std::string_view examples;
  std::span<const Option> options;
  std::size_t operands_min = 0;
  std::size_t operands_max = 0;
  /// Does the work and answers the exit code. Main thread.
  int (*run)(const Arguments& arguments, Terminal& terminal) = nullptr;
};

extern const Command kServeCommand;
extern const Command kCheckCommand;
extern const Command kStatusCommand;
extern const Command kQueueListCommand;
extern const Command kQueueShowCommand;
extern const Command kQueueBrowseCommand;
extern const Command kQueuePurgeCommand;
extern const Command kQueuePauseCommand;
extern const Command kQueueResumeCommand;
extern const Command kQueueMoveCommand;
extern const Command kQueueCopyCommand;
extern const Command kQueueRetryCommand;
extern const Command kQueueSkipDamagedCommand;
extern const Command kQueueDeleteCommand;
extern const Command kQueueCreateCommand;
extern const Command kTopicListCommand;
extern const Command kBridgeListCommand;
extern const Command kSubscriptionListCommand;
extern const Command kSubscriptionDeleteCommand;
extern const Command kSubscriptionSkipDamagedCommand;
extern const Command kExplainCommand;
extern const Command kScheduleListCommand;
extern const Command kScheduleCancelCommand;
extern const Command kXaListCommand;
extern const Command kXaCommitCommand;
extern const Command kXaRollbackCommand;
extern const Command kXaForgetCommand;
extern const Command kSendCommand;
extern const Command kReceiveCommand;
extern const Command kBenchCommand;
extern const Command kStoreCheckCommand;
extern const Command kStoreMapCommand;

/// Options that every command has; the last rows of its table.
inline constexpr Option kJsonOption{
    .name = "json", .kind = OptionKind::flag, .help = "print JSON for programs instead of text"};
inline constexpr Option kHelpOption{
    .name = "help", .kind = OptionKind::flag, .help = "explain this command", .short_name = 'h'};

/// Prints "pabal COMMAND: text" to `err`, as an object with --json, and answers the exit code.
int report(const Failure& failure, std::string_view command, bool json, Terminal& terminal);

/// Finds the command in `words` (the program's arguments without its name), checks its options, and
/// runs it; answers help, version and mistakes itself. Answers the exit code.
int run_program(std::span<const Command* const> commands, std::span<const std::string> words,
                Terminal& terminal);

}  // namespace pabal::cli
