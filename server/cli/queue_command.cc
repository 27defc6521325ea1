#include <ostream>
#include <string>

#include <Poco/JSON/Object.h>

#include "server/cli/api_output.h"

// `pabal queue …`: what changes something. What only looks: look_command.cc.

namespace pabal::cli {
namespace {

using Poco::JSON::Object;

constexpr Option kToOption{.name = "to",
                           .value = "DESTINATION",
                           .help = "a queue by its name, /queue/NAME or /topic/NAME"};

constexpr Option kPlainOptions[] = {kApiOption, kApiTimeoutOption, kJsonOption, kHelpOption};
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
    {.name = "with-messages",
     .kind = OptionKind::flag,
     .help = "although it has messages, which go with it; still refused while somebody consumes"},
    {.name = "force",
     .kind = OptionKind::flag,
     .help =
         "although it has messages, which go with it, or consumers, whose connections are closed"},
    kJsonOption,
    kHelpOption,
};

Object choice(const Arguments& arguments, bool selects) {
  Object body;
  const auto& words = arguments.positional();
  if (selects && arguments.given("selector")) body.set("selector", arguments.text("selector"));
  if (arguments.given("limit")) body.set("limit", arguments.number("limit"));
  if (words.size() > 1) body.set("messageId", words[1]);
  return body;
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
  const TaskRequest request{queue_path(arguments, "/" + std::string(action)), command, done};
  return run_task(request, body, arguments, terminal);
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
  if (arguments.flag("with-messages")) body.set("withMessages", true);
  if (arguments.flag("force")) body.set("force", true);
  return change(arguments, terminal, "delete", body, "queue delete", "deleted");
}

}  // namespace

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
    .summary = "delete a queue, or some of its messages",
    .text =
        "With a MESSAGE-ID or --selector: those messages that wait. Without: the queue itself; "
        "one\n"
        "that has messages or consumers is refused. --with-messages deletes one that has messages, "
        "if\n"
        "nobody consumes or browses it and no transaction holds any; --force deletes it in any "
        "case,\n"
        "and closes the connections of its consumers. It goes as a whole, however deep it is.\n"
        "A message that cannot be read has no id: `pabal queue skip-damaged` deletes it.",
    .examples =
        "  pabal queue delete orders ID:pabal-4294967297:-1:1:17\n"
        "  pabal queue delete orders.old --with-messages",
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

}  // namespace pabal::cli
