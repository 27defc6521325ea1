#include <ostream>
#include <string>

#include <Poco/JSON/Array.h>
#include <Poco/JSON/Object.h>

#include "server/cli/api_client.h"
#include "server/cli/command.h"

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
  const ApiClient client(arguments);
  const bool json = arguments.flag("json");
  Poco::JSON::Array::Ptr all = new Poco::JSON::Array;
  std::string after;
  do {
    const auto reply = client.get(
        "/api/xa",
        {{"after", after}, {"limit", "1000"}, {"active", arguments.flag("active") ? "true" : ""}});
    if (!reply) return report(reply.error(), "xa list", json, terminal);
    const auto some = reply->json->getArray("branches");
    for (std::size_t i = 0; i < some->size(); ++i) all->add(some->get(static_cast<unsigned>(i)));
    after = reply->json->has("next") ? reply->json->getValue<std::string>("next") : "";
  } while (!after.empty());
  if (json) {
    Object whole(Poco::JSON_PRESERVE_KEY_ORDER);
    whole.set("branches", all);
    whole.stringify(terminal.out);
    terminal.out << '\n';
  } else if (all->size() == 0) {
    terminal.out << "no branches\n";
  } else {
    print_table(*all, terminal.out);
  }
  return 0;
}

int finish(const Arguments& arguments, Terminal& terminal, const std::string& verb) {
  const ApiClient client(arguments);
  const bool json = arguments.flag("json");
  const auto reply =
      client.post("/api/xa/" + path_segment(arguments.positional()[0]) + "/" + verb, Object());
  if (!reply) return report(reply.error(), "xa " + verb, json, terminal);
  if (json) {
    terminal.out << reply->text << (reply->text.ends_with('\n') ? "" : "\n");
  } else {
    print_object(*reply->json, "", terminal.out);
  }
  return 0;
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
        "completed by hand and not forgotten: since when, by whom, and what they hold.",
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
