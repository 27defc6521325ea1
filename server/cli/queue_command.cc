#include <algorithm>
#include <ostream>
#include <sstream>
#include <string>
#include <utility>

#include <Poco/JSON/Array.h>
#include <Poco/JSON/Object.h>

#include "server/cli/api_output.h"

// `pabal queue …`, `pabal topic list` and `pabal explain`: the API's words, on a command line.

namespace pabal::cli {
namespace {

using Poco::JSON::Object;

constexpr Option kLimitOption{.name = "limit",
                              .kind = OptionKind::integer,
                              .value = "N",
                              .help = "no more than N messages",
                              .minimum = 1};
constexpr Option kSelectorOption{
    .name = "selector",
    .value = "SQL",
    .help = "only messages that it matches: \"color = 'red' AND n > 3\""};
constexpr Option kToOption{.name = "to",
                           .value = "DESTINATION",
                           .help = "a queue by its name, /queue/NAME or /topic/NAME"};

constexpr Option kListOptions[] = {
    kApiOption,
    kApiTimeoutOption,
    {.name = "limit",
     .kind = OptionKind::integer,
     .value = "N",
     .help = "show at most N; without it, all",
     .minimum = 1},
    {.name = "after", .value = "NAME", .help = "begin behind this name"},
    kJsonOption,
    kHelpOption,
};
constexpr Option kPlainOptions[] = {kApiOption, kApiTimeoutOption, kJsonOption, kHelpOption};
constexpr Option kBrowseOptions[] = {
    kApiOption,
    kApiTimeoutOption,
    kSelectorOption,
    {.name = "limit",
     .kind = OptionKind::integer,
     .value = "N",
     .default_value = "100",
     .help = "no more than N messages; 0: all",
     .minimum = 0},
    {.name = "from", .value = "PLACE", .help = "go on where an earlier list ended"},
    kJsonOption,
    kHelpOption,
};
constexpr Option kChooseOptions[] = {kApiOption,   kApiTimeoutOption, kSelectorOption,
                                     kLimitOption, kJsonOption,       kHelpOption};
constexpr Option kSkipOptions[] = {kApiOption, kApiTimeoutOption, kLimitOption, kJsonOption,
                                   kHelpOption};
constexpr Option kSendOptions[] = {kApiOption,   kApiTimeoutOption, kToOption,  kSelectorOption,
                                   kLimitOption, kJsonOption,       kHelpOption};
constexpr Option kDeleteOptions[] = {
    kApiOption,
    kApiTimeoutOption,
    kSelectorOption,
    kLimitOption,
    {.name = "force",
     .kind = OptionKind::flag,
     .help = "although the queue has consumers; their connections are closed"},
    kJsonOption,
    kHelpOption,
};

std::string queue_path(const Arguments& arguments, std::string_view rest = {}) {
  return "/api/queues/" + path_segment(arguments.positional()[0]) + std::string(rest);
}

// --- looking -------------------------------------------------------------------------------------

int list_destinations(const Arguments& arguments, Terminal& terminal, const char* member,
                      std::string_view command, std::string_view nothing) {
  ListRequest request;
  request.path = std::string("/api/") + member;
  request.member = member;
  request.after = arguments.text("after");
  if (arguments.given("limit")) request.limit = arguments.number("limit");
  request.nothing = nothing;
  return list_all(std::move(request), arguments, terminal, command);
}

int run_queue_list(const Arguments& arguments, Terminal& terminal) {
  return list_destinations(arguments, terminal, "queues", "queue list", "no queues");
}
int run_topic_list(const Arguments& arguments, Terminal& terminal) {
  return list_destinations(arguments, terminal, "topics", "topic list", "no topics");
}

int run_queue_show(const Arguments& arguments, Terminal& terminal) {
  return show(ApiClient(arguments).get(queue_path(arguments)), arguments, terminal, "queue show");
}

/// A message of a deep queue is looked for in several goes.
int run_explain(const Arguments& arguments, Terminal& terminal) {
  const ApiClient client(arguments);
  const auto& words = arguments.positional();
  const std::string message = words.size() > 1 ? words[1] : "";
  std::uint64_t looked_at = 0;
  std::string from;
  for (;;) {
    auto reply =
        client.get("/api/explain", {{"queue", words[0]}, {"message", message}, {"from", from}});
    if (!reply || message.empty()) return show(reply, arguments, terminal, "explain");
    if (text_of(*reply->json, "state") != "searching") {
      if (looked_at == 0) return show(reply, arguments, terminal, "explain");
      reply->json->set("ahead", Poco::UInt64{looked_at + number_of(*reply->json, "ahead")});
      std::ostringstream text;
      reply->json->stringify(text);
      return show(ApiReply{reply->status, text.str(), reply->json}, arguments, terminal, "explain");
    }
    looked_at += number_of(*reply->json, "lookedAt");
    from = text_of(*reply->json, "next");
    if (!arguments.flag("json")) {
      terminal.err << "not among the first " << looked_at << " messages; looking on\n";
    }
  }
}

void print_message(const Object& message, std::ostream& out) {
  out << text_of(message, "id") << "  priority " << text_of(message, "priority") << "  "
      << text_of(message, "state") << (is_true(message, "redelivered") ? "  redelivered" : "")
      << "  " << text_of(message, "bodyBytes") << " bytes";
  std::string body = text_of(message, "body");
  std::replace_if(
      body.begin(), body.end(), [](unsigned char c) { return c < 0x20; }, ' ');
  if (!body.empty()) out << "  " << body.substr(0, 60) << (body.size() > 60 ? "…" : "");
  out << '\n';
}

int run_queue_browse(const Arguments& arguments, Terminal& terminal) {
  const bool json = arguments.flag("json");
  const ApiClient client(arguments);
  const std::uint64_t limit = arguments.number("limit");
  std::uint64_t shown = 0;
  std::string from = arguments.text("from");
  Poco::JSON::Array::Ptr all = new Poco::JSON::Array;
  for (;;) {
    const std::uint64_t page = limit == 0 ? 1000 : std::min<std::uint64_t>(limit - shown, 1000);
    const auto reply =
        client.get(queue_path(arguments, "/messages"), {{"selector", arguments.text("selector")},
                                                        {"from", from},
                                                        {"limit", std::to_string(page)}});
    if (!reply) return report(reply.error(), "queue browse", json, terminal);
    const auto some = reply->json->getArray("messages");
    for (std::size_t i = 0; i < some->size(); ++i) {
      if (json) {
        all->add(some->get(static_cast<unsigned>(i)));
      } else {
        print_message(*some->getObject(static_cast<unsigned>(i)), terminal.out);
      }
    }
    shown += some->size();
    if (reply->json->has("damage")) {
      terminal.err << "pabal queue browse: left out: " << text_of(*reply->json, "damage") << '\n';
    }
    from = text_of(*reply->json, "next");
    if (from.empty() || (limit != 0 && shown >= limit)) break;
  }
  if (json) {
    Object whole(Poco::JSON_PRESERVE_KEY_ORDER);
    whole.set("messages", all);
    if (!from.empty()) whole.set("next", from);
    whole.stringify(terminal.out);
    terminal.out << '\n';
  } else if (!from.empty()) {
    terminal.err << "there may be more: --from " << from << '\n';
  }
  return 0;
}

// --- commands ------------------------------------------------------------------------------------

/// Follows a command to its end, telling how far it is on the way.
Outcome<ApiReply> follow(const ApiClient& client, Outcome<ApiReply> reply, bool json,
                         Terminal& terminal) {
  while (reply && reply->json->has("task") && !is_true(*reply->json, "ended")) {
    if (!json) {
      const std::string text = text_of(*reply->json, "text");
      terminal.err << text_of(*reply->json, "command") << ": " << text_of(*reply->json, "affected")
                   << " of " << text_of(*reply->json, "lookedAt") << " messages so far, "
                   << text_of(*reply->json, "state") << (text.empty() ? "" : " (" + text + ")")
                   << '\n';
    }
    reply = client.get("/api/tasks/" + text_of(*reply->json, "task"), {{"wait", "2000"}});
  }
  return reply;
}

Object choice(const Arguments& arguments, bool selects) {
  Object body;
  const auto& words = arguments.positional();
  if (selects && arguments.given("selector")) body.set("selector", arguments.text("selector"));
  if (arguments.given("limit")) body.set("limit", arguments.number("limit"));
  if (words.size() > 1) body.set("messageId", words[1]);
  return body;
}

int conclude(const Outcome<ApiReply>& reply, const Arguments& arguments, Terminal& terminal,
             std::string_view command, const char* done) {
  const bool json = arguments.flag("json");
  if (!reply) return report(reply.error(), command, json, terminal);
  const Object& result = *reply->json;
  const bool good = text_of(result, "state") == "done";
  if (json) {
    // A task knows deleting by its own word, which is purge.
    Object shown(result);
    shown.set("command", std::string(command.substr(command.rfind(' ') + 1)));
    shown.stringify(terminal.out);
    terminal.out << '\n';
    return static_cast<int>(good ? ExitCode::ok : ExitCode::failed);
  }
  terminal.out << done << ' ' << text_of(result, "affected") << " messages of "
               << text_of(result, "queue");
  if (number_of(result, "skippedInFlight") > 0) {
    terminal.out << ", left " << text_of(result, "skippedInFlight") << " that consumers have";
  }
  if (number_of(result, "skippedOther") > 0) {
    terminal.out << ", left " << text_of(result, "skippedOther") << " ("
                 << text_of(result, "skippedWhy") << ')';
  }
  if (number_of(result, "damaged") > 0) {
    terminal.out << ", could not read " << text_of(result, "damaged") << " ("
                 << text_of(result, "damage") << ')';
  }
  terminal.out << '\n';
  if (good) return 0;
  terminal.err << "pabal " << command << ": " << text_of(result, "state") << ": "
               << text_of(result, "text") << "; what was done before stays done\n";
  return static_cast<int>(ExitCode::failed);
}

int carry_out(const Arguments& arguments, Terminal& terminal, const char* action,
              std::string_view command, const char* done) {
  const bool selects = std::string_view(action) != "skip-damaged";
  Object body = choice(arguments, selects);
  if (selects && arguments.given("selector") && arguments.text("selector").empty()) {
    return report({ExitCode::usage, "--selector is empty; leave it out to choose every message"},
                  command, arguments.flag("json"), terminal);
  }
  if (std::string_view(action) == "move" || std::string_view(action) == "copy") {
    if (arguments.text("to").empty()) {
      return report({ExitCode::usage, "--to says where the messages go"}, command,
                    arguments.flag("json"), terminal);
    }
    body.set("to", arguments.text("to"));
  }
  const ApiClient client(arguments);
  return conclude(
      follow(client, client.post(queue_path(arguments, "/" + std::string(action)), body),
             arguments.flag("json"), terminal),
      arguments, terminal, command, done);
}

int run_queue_purge(const Arguments& arguments, Terminal& terminal) {
  return carry_out(arguments, terminal, "purge", "queue purge", "deleted");
}
int run_queue_move(const Arguments& arguments, Terminal& terminal) {
  return carry_out(arguments, terminal, "move", "queue move", "moved");
}
int run_queue_copy(const Arguments& arguments, Terminal& terminal) {
  return carry_out(arguments, terminal, "copy", "queue copy", "copied");
}
int run_queue_retry(const Arguments& arguments, Terminal& terminal) {
  return carry_out(arguments, terminal, "retry", "queue retry", "sent back");
}

int run_queue_skip_damaged(const Arguments& arguments, Terminal& terminal) {
  return carry_out(arguments, terminal, "skip-damaged", "queue skip-damaged", "deleted unread");
}

/// Pause, resume, create, and delete of a whole queue.
int change(const Arguments& arguments, Terminal& terminal, const char* action, const Object& body,
           std::string_view command, const std::string& done) {
  const auto reply =
      ApiClient(arguments).post(queue_path(arguments, "/" + std::string(action)), body);
  if (!reply) return report(reply.error(), command, arguments.flag("json"), terminal);
  if (arguments.flag("json")) {
    print_text(reply->text, terminal);
  } else {
    terminal.out << done << ' ' << text_of(*reply->json, "queue");
    if (reply->json->has("messages")) {
      terminal.out << " with " << text_of(*reply->json, "messages") << " messages";
    }
    terminal.out << '\n';
  }
  return 0;
}

int run_queue_pause(const Arguments& arguments, Terminal& terminal) {
  return change(arguments, terminal, "pause", Object(), "queue pause", "paused");
}
int run_queue_resume(const Arguments& arguments, Terminal& terminal) {
  return change(arguments, terminal, "resume", Object(), "queue resume", "resumed");
}
int run_queue_create(const Arguments& arguments, Terminal& terminal) {
  return change(arguments, terminal, "create", Object(), "queue create", "created");
}
int run_queue_delete(const Arguments& arguments, Terminal& terminal) {
  if (arguments.given("selector") || arguments.positional().size() > 1) {
    return carry_out(arguments, terminal, "delete", "queue delete", "deleted");
  }
  if (arguments.given("limit")) {
    return report({ExitCode::usage,
                   "--limit is for messages; with a MESSAGE-ID or --selector it deletes those"},
                  "queue delete", arguments.flag("json"), terminal);
  }
  Object body;
  if (arguments.flag("force")) body.set("force", true);
  return change(arguments, terminal, "delete", body, "queue delete", "deleted");
}

}  // namespace

constinit const Command kQueueListCommand{
    .name = "queue list",
    .operands = "",
    .summary = "list the queues of a running broker",
    .text =
        "Depth, deliveries out, consumers and counters of every queue, in order of name, and why\n"
        "the next message waits. `pabal explain QUEUE` says more about one of them.",
    .examples = "  pabal queue list\n  pabal queue list --json --limit 10",
    .options = kListOptions,
    .run = run_queue_list,
};
constinit const Command kQueueShowCommand{
    .name = "queue show",
    .operands = "QUEUE",
    .summary = "show one queue, its consumers, and why messages wait",
    .text = "The same as `pabal explain QUEUE`.",
    .examples = "  pabal queue show orders",
    .options = kPlainOptions,
    .operands_min = 1,
    .operands_max = 1,
    .run = run_queue_show,
};
constinit const Command kQueueBrowseCommand{
    .name = "queue browse",
    .operands = "QUEUE",
    .summary = "list the messages of a queue without taking any",
    .text =
        "In the order in which consumers get them, those that consumers have included.\n"
        "`pabal explain QUEUE MESSAGE-ID` shows one of them whole, and why it waits.",
    .examples =
        "  pabal queue browse orders --limit 20\n"
        "  pabal queue browse orders --selector \"customer = 'K7'\" --limit 0 --json",
    .options = kBrowseOptions,
    .operands_min = 1,
    .operands_max = 1,
    .run = run_queue_browse,
};
constinit const Command kQueuePurgeCommand{
    .name = "queue purge",
    .operands = "QUEUE",
    .summary = "delete the messages that wait in a queue",
    .text =
        "All of them, or those that a selector matches. What consumers have stays theirs.\n"
        "`pabal queue browse` with the same --selector shows first what would go.",
    .examples =
        "  pabal queue purge orders\n  pabal queue purge orders --selector \"JMSPriority < 4\"",
    .options = kChooseOptions,
    .operands_min = 1,
    .operands_max = 1,
    .run = run_queue_purge,
};
constinit const Command kQueuePauseCommand{
    .name = "queue pause",
    .operands = "QUEUE",
    .summary = "stop handing out the messages of a queue",
    .text =
        "Producers go on. The pause outlives a restart of the broker, and shows in `pabal queue\n"
        "list`; `pabal queue resume` ends it.",
    .examples = "  pabal queue pause orders",
    .options = kPlainOptions,
    .operands_min = 1,
    .operands_max = 1,
    .run = run_queue_pause,
};
constinit const Command kQueueResumeCommand{
    .name = "queue resume",
    .operands = "QUEUE",
    .summary = "hand out the messages of a paused queue again",
    .text = "Ends what `pabal queue pause` began.",
    .examples = "  pabal queue resume orders",
    .options = kPlainOptions,
    .operands_min = 1,
    .operands_max = 1,
    .run = run_queue_resume,
};
constinit const Command kQueueMoveCommand{
    .name = "queue move",
    .operands = "QUEUE [MESSAGE-ID]",
    .summary = "move messages that wait to another queue or topic",
    .text =
        "Each message is in one place at any time, also if the broker dies meanwhile. `pabal "
        "queue\n"
        "browse` with the same --selector shows first what would go.",
    .examples =
        "  pabal queue move orders --to orders.old --selector \"year = 2024\"\n"
        "  pabal queue move orders ID:pabal-4294967297:-1:1:17 --to inspection",
    .options = kSendOptions,
    .operands_min = 1,
    .operands_max = 2,
    .run = run_queue_move,
};
constinit const Command kQueueCopyCommand{
    .name = "queue copy",
    .operands = "QUEUE [MESSAGE-ID]",
    .summary = "copy messages to another queue or topic",
    .text = "Those that consumers have included; what is in the queue stays.",
    .examples = "  pabal queue copy orders --to audit --limit 100",
    .options = kSendOptions,
    .operands_min = 1,
    .operands_max = 2,
    .run = run_queue_copy,
};
constinit const Command kQueueRetryCommand{
    .name = "queue retry",
    .operands = "QUEUE [MESSAGE-ID]",
    .summary = "send dead letters back to where they came from",
    .text =
        "QUEUE is a dead-letter queue, such as ActiveMQ.DLQ. What is no dead letter stays. `pabal\n"
        "queue browse QUEUE --json` shows cause, count and origin of each.",
    .examples =
        "  pabal queue retry ActiveMQ.DLQ --selector \"dlqDeliveryFailureCause LIKE "
        "'%timeout%'\"",
    .options = kChooseOptions,
    .operands_min = 1,
    .operands_max = 2,
    .run = run_queue_retry,
};
constinit const Command kQueueSkipDamagedCommand{
    .name = "queue skip-damaged",
    .operands = "QUEUE",
    .summary = "delete messages of a queue that cannot be read from disk",
    .text =
        "A message that the disk does not give back holds up what follows it in its priority, as\n"
        "`pabal explain QUEUE` says. This goes through the whole queue, reads all that is on "
        "disk,\n"
        "and deletes what cannot be read; everything else stays. A message that is also in memory\n"
        "stays too. What is deleted is lost: if the disk can be mended, mend it first.",
    .examples = "  pabal queue skip-damaged orders\n  pabal queue skip-damaged orders --limit 1",
    .options = kSkipOptions,
    .operands_min = 1,
    .operands_max = 1,
    .run = run_queue_skip_damaged,
};
constinit const Command kQueueDeleteCommand{
    .name = "queue delete",
    .operands = "QUEUE [MESSAGE-ID]",
    .summary = "delete a queue with all in it, or some of its messages",
    .text =
        "With a MESSAGE-ID or --selector: those messages that wait. Without: the queue itself.\n"
        "A message that cannot be read has no id: `pabal queue skip-damaged` deletes it.",
    .examples =
        "  pabal queue delete orders ID:pabal-4294967297:-1:1:17\n"
        "  pabal queue delete orders.old --force",
    .options = kDeleteOptions,
    .operands_min = 1,
    .operands_max = 2,
    .run = run_queue_delete,
};
constinit const Command kQueueCreateCommand{
    .name = "queue create",
    .operands = "QUEUE",
    .summary = "create a queue",
    .text = "A queue also comes into being with its first message or consumer.",
    .examples = "  pabal queue create orders",
    .options = kPlainOptions,
    .operands_min = 1,
    .operands_max = 1,
    .run = run_queue_create,
};
constinit const Command kTopicListCommand{
    .name = "topic list",
    .operands = "",
    .summary = "list the topics that somebody subscribes to",
    .text = "A topic that nobody wants costs nothing, and is not known.",
    .examples = "  pabal topic list",
    .options = kListOptions,
    .run = run_topic_list,
};
constinit const Command kExplainCommand{
    .name = "explain",
    .operands = "QUEUE|TOPIC [MESSAGE-ID]",
    .summary = "say why messages of a queue or topic wait, or where one is",
    .text =
        "From the dispatcher's own reasons: consumers and what each can take, what is out with\n"
        "whom since when, pauses, transactions, selectors, message groups, limits, damage; and "
        "which\n"
        "command helps. A message of a deep queue is looked for in several goes. Of a topic\n"
        "(/topic/NAME): its durable subscriptions, and why what they keep waits.",
    .examples =
        "  pabal explain orders\n  pabal explain /topic/news\n  pabal explain orders "
        "ID:pabal-4294967297:-1:1:17",
    .options = kPlainOptions,
    .operands_min = 1,
    .operands_max = 2,
    .run = run_explain,
};

}  // namespace pabal::cli
