#include <utility>

#include "server/cli/api_output.h"

// `pabal bridge …`: bridges to other brokers.

namespace pabal::cli {
namespace {

constexpr Option kListOptions[] = {kApiOption, kApiTimeoutOption, kJsonOption, kHelpOption};

int run_list(const Arguments& arguments, Terminal& terminal) {
  ListRequest request;
  request.path = "/api/bridges";
  request.member = "bridges";
  request.nothing = "no bridges";
  return list_all(std::move(request), arguments, terminal, "bridge list");
}

}  // namespace

constinit const Command kBridgeListCommand{
    .name = "bridge list",
    .operands = "",
    .summary = "list the bridges to other brokers",
    .text =
        "Where each leads, whether the other broker is there and since when it is or is not, how\n"
        "many messages went out and came in, how many wait and are on the way, how many were\n"
        "refused (those that were to go out are dead letters), and what went wrong last. One that\n"
        "is \"not configured\" gathers for a bridge that is no more, until its subscriptions are\n"
        "deleted (pabal subscription list, pabal subscription delete).",
    .examples = "  pabal bridge list\n  pabal bridge list --json",
    .options = kListOptions,
    .run = run_list,
};

}  // namespace pabal::cli
