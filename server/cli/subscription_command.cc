#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include <Poco/JSON/Object.h>

#include "server/cli/api_output.h"

// `pabal subscription …`: durable subscriptions of topics.

namespace pabal::cli {
namespace {

constexpr Option kListOptions[] = {
    kApiOption,
    kApiTimeoutOption,
    {.name = "limit",
     .kind = OptionKind::integer,
     .value = "N",
     .help = "show at most N; without it, all",
     .minimum = 1},
    kJsonOption,
    kHelpOption,
};
constexpr std::string_view kSkip = "subscription skip-damaged";
constexpr Option kSkipOptions[] = {kApiOption, kApiTimeoutOption, kLimitOption, kJsonOption,
                                   kHelpOption};
constexpr Option kDeleteOptions[] = {kApiOption, kApiTimeoutOption, kJsonOption, kHelpOption};

int run_list(const Arguments& arguments, Terminal& terminal) {
  ListRequest request;
  request.path = "/api/subscriptions";
  request.member = "subscriptions";
  if (arguments.given("limit")) request.limit = arguments.number("limit");
  request.nothing = "no durable subscriptions";
  return list_all(std::move(request), arguments, terminal, "subscription list");
}

std::string subscription_path(const std::vector<std::string>& words) {
  return "/api/subscriptions/" + path_segment(words[0]) + "/" + path_segment(words[1]);
}

int refuse_empty(const Arguments& arguments, Terminal& terminal, std::string_view command) {
  return report({ExitCode::usage, "an empty CLIENT-ID or NAME"}, command, arguments.flag("json"),
                terminal);
}

int run_delete(const Arguments& arguments, Terminal& terminal) {
  const bool json = arguments.flag("json");
  const auto& words = arguments.positional();
  if (words[0].empty() || words[1].empty()) {
    return refuse_empty(arguments, terminal, "subscription delete");
  }
  const auto reply = ApiClient(arguments).remove(subscription_path(words));
  if (!reply) return report(reply.error(), "subscription delete", json, terminal);
  if (json) {
    print_text(reply->text, terminal);
  } else {
    terminal.out << "deleted subscription " << words[1] << " of client " << words[0] << '\n';
  }
  return 0;
}

int run_skip_damaged(const Arguments& arguments, Terminal& terminal) {
  const auto& words = arguments.positional();
  if (words[0].empty() || words[1].empty()) return refuse_empty(arguments, terminal, kSkip);
  Poco::JSON::Object body;
  if (arguments.given("limit")) body.set("limit", arguments.number("limit"));
  return run_task({subscription_path(words) + "/skip-damaged", kSkip, "deleted unread"}, body,
                  arguments, terminal);
}

}  // namespace

constinit const Command kSubscriptionListCommand{
    .name = "subscription list",
    .operands = "",
    .summary = "list the durable subscriptions of topics",
    .text =
        "Whose each is, its topic and selector, whether its client is connected (active), how\n"
        "many messages it keeps, how many of them are with the client, and why the rest wait.",
    .examples = "  pabal subscription list\n  pabal subscription list --json",
    .options = kListOptions,
    .run = run_list,
};
constinit const Command kSubscriptionDeleteCommand{
    .name = "subscription delete",
    .operands = "CLIENT-ID NAME",
    .summary = "delete a durable subscription with what waits for it",
    .text =
        "What it keeps is lost for its client. One whose client is connected is refused: the\n"
        "client leaves it first.",
    .examples = "  pabal subscription delete books archive",
    .options = kDeleteOptions,
    .operands_min = 2,
    .operands_max = 2,
    .run = run_delete,
};
constinit const Command kSubscriptionSkipDamagedCommand{
    .name = "subscription skip-damaged",
    .operands = "CLIENT-ID NAME",
    .summary = "delete messages of a durable subscription that cannot be read from disk",
    .text =
        "A message that the disk does not give back holds up what follows it in its priority, as\n"
        "`pabal explain /topic/NAME` says. This reads all that the subscription keeps on disk, "
        "and\n"
        "deletes, for this subscription alone, what cannot be read; everything else stays. What "
        "is\n"
        "deleted is lost: if the disk can be mended, mend it first.",
    .examples = "  pabal subscription skip-damaged books archive",
    .options = kSkipOptions,
    .operands_min = 2,
    .operands_max = 2,
    .run = run_skip_damaged,
};

}  // namespace pabal::cli
