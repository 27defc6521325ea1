#include "server/config/check_command.h"

#include "server/cli/command.h"
#include "server/cli/config_arguments.h"

namespace pabal::cli {
namespace {

constexpr Option kOptions[] = {
    {.name = "strict",
     .kind = OptionKind::flag,
     .help = "anything that is not honoured makes the exit code 1, not only what stops serve"},
    {.name = "insecure",
     .kind = OptionKind::flag,
     .help = "judge as serve --insecure: a guard of access that is not built stops nothing"},
    kDataOption,
    kDefineOption,
    kJsonOption,
    kHelpOption,
};

int run_check_command(const Arguments& arguments, Terminal& terminal) {
  const bool json = arguments.flag("json");
  auto definitions = read_definitions(arguments);
  if (!definitions) return report(definitions.error(), "check", json, terminal);
  server::CheckOptions options;
  options.file = arguments.positional()[0];
  options.load.data_directory = arguments.text("data");
  for (auto& [name, value] : *definitions) options.load.definitions[name] = std::move(value);
  options.load.insecure = arguments.flag("insecure");
  options.strict = arguments.flag("strict");
  options.json = json;
  return server::run_check(options, terminal.out, terminal.err);
}

}  // namespace

constinit const Command kCheckCommand{
    .name = "check",
    .operands = "FILE",
    .summary = "read a configuration file and say what would not be honoured",
    .text =
        "Reads FILE, a pabal.xml or an activemq.xml, as serve would, and prints for everything\n"
        "wrong or not honoured the file, line and column, and why. Opens nothing. The exit code "
        "is\n"
        "1 if serve would not start with it.",
    .examples =
        "  pabal check conf/pabal.xml\n"
        "  pabal check --strict --json /etc/activemq/activemq.xml",
    .options = kOptions,
    .operands_min = 1,
    .operands_max = 1,
    .run = run_check_command,
};

}  // namespace pabal::cli
