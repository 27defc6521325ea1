#include <string>
#include <utility>

#include <Poco/JSON/Object.h>

#include "server/cli/api_output.h"

// `pabal xa …`: branches in doubt, and an operator's word about them.

namespace pabal::cli {
namespace {

using Poco::JSON::Object;

constexpr Option kListOptions[] = {
    kApiOption,
    kApiTimeoutOption,
    {.name = "active", .kind = OptionKind::flag, .help = "also those that are not prepared"},
    kJsonOption,
    kHelpOption,
};
constexpr Option kPlainOptions[] = {kApiOption, kApiTimeoutOption, kJsonOption, kHelpOption};

int run_list(const Arguments& arguments, Terminal& terminal) {
  ListRequest request;
  request.path = "/api/xa";
  request.member = "branches";
  request.parameters = {{"active", arguments.flag("active") ? "true" : ""}};
  request.nothing = arguments.flag("active") ? "no XA branches" : "no XA branches in doubt";
  return list_all(std::move(request), arguments, terminal, "xa list");
}

int finish(const Arguments& arguments, Terminal& terminal, const std::string& verb) {
  const auto reply = ApiClient(arguments).post(
      "/api/xa/" + path_segment(arguments.positional()[0]) + "/" + verb, Object());
  return show(reply, arguments, terminal, "xa " + verb);
}

int run_commit(const Arguments& arguments, Terminal& terminal) {
  return finish(arguments, terminal, "commit");
}
int run_rollback(const Arguments& arguments, Terminal& terminal) {
  return finish(arguments, terminal, "rollback");
}
int run_forget(const Arguments& arguments, Terminal& terminal) {
  return finish(arguments, terminal, "forget");
}

}  // namespace

const Command kXaListCommand{
    .name = "xa list",
    .operands = "",
    .summary = "list XA transactions in doubt",
    .text =
        "Branches that are prepared and wait for their transaction manager, and those that were\n"
        "completed by hand and not forgotten: since when, by whom, and what they hold. Ask their\n"
        "transaction manager first; `pabal xa commit|rollback` is for one that does not come back.",
    .examples =
        "  pabal xa list\n"
        "  pabal xa list --json\n",
    .options = kListOptions,
    .operands_min = 0,
    .operands_max = 0,
    .run = run_list,
};
const Command kXaCommitCommand{
    .name = "xa commit",
    .operands = "XID",
    .summary = "commit a prepared XA branch by hand",
    .text = "The transaction manager is told so (XA_HEURCOM) until the branch is forgotten.",
    .examples = "  pabal xa commit 1:67:62\n",
    .options = kPlainOptions,
    .operands_min = 1,
    .operands_max = 1,
    .run = run_commit,
};
const Command kXaRollbackCommand{
    .name = "xa rollback",
    .operands = "XID",
    .summary = "roll a prepared XA branch back by hand",
    .text = "The transaction manager is told so (XA_HEURRB) until the branch is forgotten.",
    .examples = "  pabal xa rollback 1:67:62\n",
    .options = kPlainOptions,
    .operands_min = 1,
    .operands_max = 1,
    .run = run_rollback,
};
const Command kXaForgetCommand{
    .name = "xa forget",
    .operands = "XID",
    .summary = "forget an XA branch that was completed by hand",
    .text = "Its transaction manager then gets the answer for a branch that is not known.",
    .examples = "  pabal xa forget 1:67:62\n",
    .options = kPlainOptions,
    .operands_min = 1,
    .operands_max = 1,
    .run = run_forget,
};

}  // namespace pabal::cli
