#include <ostream>
#include <string>

#include <Poco/JSON/Object.h>

#include "server/cli/api_output.h"

// `pabal schedule …`: messages that wait for their time.

namespace pabal::cli {
namespace {

using Poco::JSON::Object;

constexpr Option kQueueOption{
    .name = "queue",
    .value = "DESTINATION",
    .help =
        "only for this one: a queue by its name, /queue/NAME or /topic/NAME; * and > are "
        "wildcards"};

constexpr Option kListOptions[] = {
    kApiOption,
    kApiTimeoutOption,
    kQueueOption,
    {.name = "id", .value = "JOB-ID", .help = "only this one"},
    {.name = "limit",
     .kind = OptionKind::integer,
     .value = "N",
     .help = "show at most N; without it, all",
     .minimum = 1},
    kJsonOption,
    kHelpOption,
};
constexpr Option kCancelOptions[] = {
    kApiOption,
    kApiTimeoutOption,
    kQueueOption,
    {.name = "all", .kind = OptionKind::flag, .help = "all that is scheduled in the broker"},
    {.name = "limit",
     .kind = OptionKind::integer,
     .value = "N",
     .help = "no more than N",
     .minimum = 1},
    kJsonOption,
    kHelpOption,
};

int run_list(const Arguments& arguments, Terminal& terminal) {
  ListRequest request;
  request.path = "/api/schedule";
  request.member = "scheduled";
  request.parameters = {{"destination", arguments.text("queue")}, {"id", arguments.text("id")}};
  if (arguments.given("limit")) request.limit = arguments.number("limit");
  request.nothing = "nothing is scheduled";
  return list_all(std::move(request), arguments, terminal, "schedule list");
}

int run_cancel(const Arguments& arguments, Terminal& terminal) {
  const bool json = arguments.flag("json");
  const auto& words = arguments.positional();
  if ((!words.empty() || arguments.given("queue")) == arguments.flag("all")) {
    return report(
        {ExitCode::usage, "a JOB-ID, --queue or both say which; --all alone means everything"},
        "schedule cancel", json, terminal);
  }
  Object body;
  if (!words.empty()) body.set("id", words[0]);
  if (arguments.given("queue")) body.set("destination", arguments.text("queue"));
  if (arguments.flag("all")) body.set("all", true);
  if (arguments.given("limit")) body.set("limit", arguments.number("limit"));
  const ApiClient client(arguments);
  auto reply = client.post("/api/schedule/cancel", body);
  while (reply && !is_true(*reply->json, "ended")) {
    if (!json) {
      terminal.err << text_of(*reply->json, "cancelled") << " of "
                   << text_of(*reply->json, "lookedAt") << " so far\n";
    }
    reply = client.get("/api/schedule/tasks/" + text_of(*reply->json, "task"), {{"wait", "2000"}});
  }
  if (!reply) return report(reply.error(), "schedule cancel", json, terminal);
  if (json) {
    print_text(reply->text, terminal);
  } else {
    terminal.out << "cancelled " << text_of(*reply->json, "cancelled") << " scheduled messages\n";
  }
  if (const std::string damage = text_of(*reply->json, "damage"); !damage.empty()) {
    terminal.err << "pabal schedule cancel: could not be read: " << damage << '\n';
  }
  const bool missed = !words.empty() && number_of(*reply->json, "cancelled") == 0;
  if (missed && !json) {
    terminal.err << "pabal schedule cancel: nothing that is scheduled has the id " << words[0]
                 << "; 'pabal schedule list' shows what has\n";
  }
  return static_cast<int>(missed ? ExitCode::failed : ExitCode::ok);
}

}  // namespace

constinit const Command kScheduleListCommand{
    .name = "schedule list",
    .operands = "",
    .summary = "list the messages that wait for their time",
    .text =
        "When each is due, where it goes, and how it repeats (AMQ_SCHEDULED_*). With\n"
        "--json, times are milliseconds since 1970.",
    .examples =
        "  pabal schedule list\n"
        "  pabal schedule list --queue 'orders.>' --json",
    .options = kListOptions,
    .run = run_list,
};
constinit const Command kScheduleCancelCommand{
    .name = "schedule cancel",
    .operands = "[JOB-ID]",
    .summary = "cancel scheduled messages",
    .text =
        "One by its id, as `pabal schedule list` shows it, those for a destination, or all. What\n"
        "is cancelled is deleted, with its repeats; what was delivered before stays delivered.",
    .examples =
        "  pabal schedule cancel ID:pabal-4294967297:-1:1:17\n"
        "  pabal schedule cancel --queue orders",
    .options = kCancelOptions,
    .operands_max = 1,
    .run = run_cancel,
};

}  // namespace pabal::cli
