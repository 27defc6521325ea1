#include "server/cli/command.h"
#include "server/cli/config_arguments.h"
#include "server/serve.h"

namespace pabal::cli {
namespace {

constexpr Option kOptions[] = {
    {.name = "config",
     .value = "FILE",
     .help = "configuration, in the words of activemq.xml (default: built-in values)",
     .short_name = 'c'},
    kDataOption,
    kDefineOption,
    {.name = "insecure",
     .kind = OptionKind::flag,
     .help = "start although the file guards access in a way that is not built yet"},
    kHelpOption,
};

int run_serve(const Arguments& arguments, Terminal& terminal) {
  auto definitions = read_definitions(arguments);
  if (!definitions) return report(definitions.error(), "serve", false, terminal);
  server::ServeOptions options;
  options.config_file = arguments.text("config");
  options.data_directory = arguments.text("data");
  options.definitions = std::move(*definitions);
  options.insecure = arguments.flag("insecure");
  return server::serve(options);
}

}  // namespace

constinit const Command kServeCommand{
    .name = "serve",
    .operands = "",
    .summary = "run the broker in the foreground",
    .text =
        "Prints one line that starts with \"pabal ready\" and names every listener and its port\n"
        "when all of them accept. Logs go to stderr. SIGTERM and SIGINT end it in order, with "
        "exit\n"
        "code 0. Ports are placeholders: -D stomp.port=0 takes a free one, off opens none.",
    .examples =
        "  pabal serve\n"
        "  pabal serve -c conf/pabal.xml -d /var/lib/pabal\n"
        "  pabal serve -d /tmp/pabal -D stomp.port=0 -D http.port=off",
    .options = kOptions,
    .run = run_serve,
};

}  // namespace pabal::cli
