#include <algorithm>
#include <ostream>
#include <sstream>
#include <string>
#include <utility>

#include <Poco/JSON/Array.h>
#include <Poco/JSON/Object.h>

#include "server/cli/api_output.h"

// `pabal queue list|show|browse`, `pabal topic list`, `pabal explain`: what changes nothing.

namespace pabal::cli {
namespace {

using Poco::JSON::Object;

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
