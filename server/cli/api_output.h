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
