#include "server/cli/api_output.h"

#include <algorithm>
#include <ostream>
#include <utility>

#include <Poco/JSON/Array.h>

namespace pabal::cli {
namespace {

using Poco::JSON::Object;

constexpr std::uint64_t kPage = 1000;

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
