#include "server/cli/api_output.h"

namespace pabal::cli {
namespace {

constexpr Option kOptions[] = {
    kApiOption,
    kApiTimeoutOption,
    {.name = "limit",
     .kind = OptionKind::integer,
     .value = "N",
     .help = "show at most N destinations"},
    {.name = "after", .value = "NAME", .help = "begin behind this destination, as it was shown"},
    kJsonOption,
    kHelpOption,
};

int run_status(const Arguments& arguments, Terminal& terminal) {
  ApiClient::Parameters parameters;
  for (const char* const name : {"limit", "after"}) {
    if (arguments.given(name)) parameters.emplace_back(name, arguments.text(name));
  }
  return show(ApiClient(arguments).get("/api/status", parameters), arguments, terminal, "status");
}

}  // namespace

constinit const Command kStatusCommand{
    .name = "status",
    .operands = "",
    .summary = "show what a running broker is doing",
    .text = "Asks the broker's HTTP listener for its counters, connections and destinations.",
    .examples =
        "  pabal status\n"
        "  pabal status --api http://127.0.0.1:8161 --json",
    .options = kOptions,
    .run = run_status,
};

}  // namespace pabal::cli
