#pragma once

#include <string>
#include <string_view>

#include "server/cli/api_client.h"

// What the commands that ask the API have in common.

namespace pabal::cli {

/// A member as text, a number or a truth; without it: empty, 0, false.
std::string text_of(const Poco::JSON::Object& json, const char* name);
std::uint64_t number_of(const Poco::JSON::Object& json, const char* name);
bool is_true(const Poco::JSON::Object& json, const char* name);

/// With a line end behind it.
void print_text(const std::string& text, Terminal& terminal);

/// Shows an answer as it came (--json) or for people, or why there is none; the exit code.
int show(const Outcome<ApiReply>& reply, const Arguments& arguments, Terminal& terminal,
         std::string_view command);

inline constexpr Option kLimitOption{.name = "limit",
                                     .kind = OptionKind::integer,
                                     .value = "N",
                                     .help = "no more than N messages",
                                     .minimum = 1};
inline constexpr Option kSelectorOption{
    .name = "selector",
    .value = "SQL",
    .help = "only messages that it matches: \"color = 'red' AND n > 3\""};

/// "/api/queues/NAME" of the first operand, and what follows.
std::string queue_path(const Arguments& arguments, std::string_view rest = {});

/// A command that the broker carries out as a task.
struct TaskRequest {
  std::string path;
  std::string_view command;  ///< "queue purge"
  std::string_view done;     ///< what it has done with so many messages: "deleted"
};
/// Begins a command and follows it to its end, telling how far it is on the way; the exit code.
int run_task(const TaskRequest& request, const Poco::JSON::Object& body, const Arguments& arguments,
             Terminal& terminal);

/// What one list of the API is asked for.
struct ListRequest {
  std::string path;
  const char* member = "";           ///< of the answer: the array
  ApiClient::Parameters parameters;  ///< beside `after` and `limit`
  std::string after;                 ///< empty: from the first
  std::uint64_t limit = 0;           ///< 0: all
  std::string_view nothing;          ///< said when there is none: "no queues"
};

/// All pages of a list as one, a table or (--json) an object with `member`; the exit code.
int list_all(ListRequest request, const Arguments& arguments, Terminal& terminal,
             std::string_view command);

}  // namespace pabal::cli
