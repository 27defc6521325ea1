#include "server/cli/api_output.h"

#include <algorithm>
#include <ostream>
#include <utility>

#include <Poco/JSON/Array.h>

namespace pabal::cli {
namespace {

using Poco::JSON::Object;

constexpr std::uint64_t kPage = 1000;

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

/// Of which queue or subscription it tells.
std::string subject_of(const Object& result) {
  if (!result.has("subscription")) return text_of(result, "queue");
  return "the subscription " + text_of(result, "subscription") + " of client " +
         text_of(result, "clientId");
}

std::string messages(std::uint64_t count) {
  return std::to_string(count) + (count == 1 ? " message" : " messages");
}

int conclude(const Object& result, const TaskRequest& request, Terminal& terminal) {
  terminal.out << request.done << ' ' << messages(number_of(result, "affected")) << " of "
               << subject_of(result);
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
  if (text_of(result, "state") == "done") return 0;
  terminal.err << "pabal " << request.command << ": " << text_of(result, "state") << ": "
               << text_of(result, "text") << "; what was done before stays done\n";
  return static_cast<int>(ExitCode::failed);
}

}  // namespace

std::string text_of(const Object& json, const char* name) {
  return json.has(name) && !json.isNull(name) ? json.get(name).convert<std::string>() : "";
}

std::uint64_t number_of(const Object& json, const char* name) {
  return json.has(name) ? json.get(name).convert<std::uint64_t>() : 0;
}

bool is_true(const Object& json, const char* name) {
  return json.has(name) && json.get(name).convert<bool>();
}

void print_text(const std::string& text, Terminal& terminal) {
  terminal.out << text << (text.ends_with('\n') ? "" : "\n");
}

int show(const Outcome<ApiReply>& reply, const Arguments& arguments, Terminal& terminal,
         std::string_view command) {
  if (!reply) return report(reply.error(), command, arguments.flag("json"), terminal);
  if (arguments.flag("json")) {
    print_text(reply->text, terminal);
  } else {
    print_object(*reply->json, "", terminal.out);
  }
  return 0;
}

std::string queue_path(const Arguments& arguments, std::string_view rest) {
  return "/api/queues/" + path_segment(arguments.positional()[0]) + std::string(rest);
}

int run_task(const TaskRequest& request, const Object& body, const Arguments& arguments,
             Terminal& terminal) {
  const bool json = arguments.flag("json");
  const ApiClient client(arguments);
  const auto reply = follow(client, client.post(request.path, body), json, terminal);
  if (!reply) return report(reply.error(), request.command, json, terminal);
  if (!json) return conclude(*reply->json, request, terminal);
  print_text(reply->text, terminal);
  const bool good = text_of(*reply->json, "state") == "done";
  return static_cast<int>(good ? ExitCode::ok : ExitCode::failed);
}

int list_all(ListRequest request, const Arguments& arguments, Terminal& terminal,
             std::string_view command) {
  const ApiClient client(arguments);
  const bool json = arguments.flag("json");
  Poco::JSON::Array::Ptr all = new Poco::JSON::Array;
  std::string after = std::move(request.after);
  for (;;) {
    const std::uint64_t page =
        request.limit == 0 ? kPage : std::min(request.limit - all->size(), kPage);
    auto parameters = request.parameters;
    parameters.emplace_back("after", after);
    parameters.emplace_back("limit", std::to_string(page));
    const auto reply = client.get(request.path, parameters);
    if (!reply) return report(reply.error(), command, json, terminal);
    const auto some = reply->json->getArray(request.member);
    for (std::size_t i = 0; i < some->size(); ++i) all->add(some->get(static_cast<unsigned>(i)));
    if (const std::string damage = text_of(*reply->json, "damage"); !damage.empty()) {
      terminal.err << "pabal " << command << ": left out: " << damage << '\n';
    }
    after = text_of(*reply->json, "next");
    if (after.empty() || (request.limit != 0 && all->size() >= request.limit)) break;
  }
  if (json) {
    Object whole(Poco::JSON_PRESERVE_KEY_ORDER);
    whole.set(request.member, all);
    whole.stringify(terminal.out);
    terminal.out << '\n';
  } else if (all->size() == 0) {
    terminal.out << request.nothing << '\n';
  } else {
    print_table(*all, terminal.out);
  }
  return 0;
}

}  // namespace pabal::cli
