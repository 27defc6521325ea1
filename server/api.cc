#include "server/api.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <sstream>

#include <Poco/Exception.h>
#include <Poco/JSON/Parser.h>

#include "server/api_support.h"
#include "server/utf8.h"

namespace pabal::server {
namespace {

constexpr std::size_t kSegmentsMax = 8;

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (std::size_t from = 0; from <= text.size();) {
    const auto to = std::min(text.find(separator, from), text.size());
    parts.push_back(text.substr(from, to - from));
    from = to + 1;
  }
  return parts;
}

std::string_view path_of(std::string_view uri) noexcept {
  return uri.substr(0, uri.find('?'));
}

/// Whether `path` has the form of `pattern`; fills what stands for its `{}`.
bool matches(std::string_view pattern, const std::vector<std::string_view>& path,
             std::vector<std::string_view>& arguments) {
  arguments.clear();
  const auto wanted = split(pattern, '/');
  if (wanted.size() != path.size()) return false;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (wanted[i] == "{}") {
      arguments.push_back(path[i]);
    } else if (wanted[i] != path[i]) {
      return false;
    }
  }
  return true;
}

bool knows(std::string_view parameters, std::string_view name) {
  const auto names = split(parameters, ' ');
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// "localhost", "127.0.0.1:8161", "[::1]": not a name that somebody else's DNS answers for.
bool names_this_machine(std::string_view host) {
  if (host.starts_with('[')) return true;  // an address, never a name
  host = host.substr(0, host.find(':'));
  if (host == "localhost") return true;
  return !host.empty() && host.find_first_not_of("0123456789.") == std::string_view::npos;
}

std::optional<ApiAnswer> refusal_of_change(const ApiCall& call) {
  if (!call.from_loopback) {
    return ApiAnswer::failure(403, "not_authorized",
                              "changes are only taken from this machine's loopback addresses");
  }
  if (!names_this_machine(call.host)) {
    return ApiAnswer::failure(403, "not_authorized",
                              "changes need a Host that is localhost or an address");
  }
  if (!call.origin.empty() && call.origin != "http://" + std::string(call.host)) {
    return ApiAnswer::failure(403, "not_authorized", "changes are not taken from other sites");
  }
  const auto type = call.content_type.substr(0, call.content_type.find(';'));
  if (type != "application/json") {
    return ApiAnswer::failure(415, "invalid_argument",
                              "changes need Content-Type: application/json");
  }
  return std::nullopt;
}

core::Error wrong(std::string text) {
  return {core::Errc::invalid_argument, std::move(text)};
}

/// A script whose variable was empty does not mean everything. The places of pages may be empty:
/// there it is a script's first page.
core::Result<void> check_given(std::string_view name, std::string_view value) {
  if (name == "after" || name == "from") return {};
  if (value.find_first_not_of(" \t\r\n") != std::string_view::npos) return {};
  return wrong(std::string(name) + " is empty; leave it out where it shall not choose");
}

core::Result<void> read_query(std::string_view uri, const ApiRoute& route, ApiRequest& request) {
  const auto mark = uri.find('?');
  if (mark == std::string_view::npos) return {};
  for (const auto part : split(uri.substr(mark + 1), '&')) {
    if (part.empty()) continue;
    const auto equals = std::min(part.find('='), part.size());
    std::string plain(part.substr(std::min(equals + 1, part.size())));
    std::replace(plain.begin(), plain.end(), '+', ' ');
    const auto name = percent_decoded(part.substr(0, equals));
    const auto value = percent_decoded(plain);
    if (!name || !value) return wrong("the query is not percent-encoded");
    if (!knows(route.parameters, *name)) {
      return wrong("no parameter " + *name + "; there are: " + std::string(route.parameters));
    }
    if (auto given = check_given(*name, *value); !given) return given;
    request.query.emplace_back(*name, *value);
  }
  return {};
}

core::Result<void> read_body(std::string_view text, const ApiRoute& route, ApiRequest& request) {
  request.body = new Poco::JSON::Object;
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) return {};
  try {
    Poco::JSON::Parser parser;
    parser.setDepth(4);
    request.body = parser.parse(std::string(text)).extract<Poco::JSON::Object::Ptr>();
  } catch (const Poco::Exception&) {
    return wrong("the body is not a JSON object");
  }
  for (const auto& [name, value] : *request.body) {
    if (!knows(route.parameters, name)) {
      return wrong("no member " + name + "; there are: " + std::string(route.parameters));
    }
    if (value.isStruct() || value.isArray() || value.isEmpty()) {
      return wrong(name + " is a text, a number, or true or false");
    }
    if (name == "selector" && !value.isString()) return wrong("the selector is a text");
    if (auto given = check_given(name, value.convert<std::string>()); !given) return given;
  }
  return {};
}

}  // namespace

core::Result<std::string> percent_decoded(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char byte = text[i];
    if (byte == '%') {
      unsigned value = 0;
      if (text.size() - i < 3) return wrong("a % without two digits");
      const char* end = text.data() + i + 3;
      const auto [stop, error] = std::from_chars(text.data() + i + 1, end, value, 16);
      if (error != std::errc() || stop != end) return wrong("a % without two digits");
      byte = static_cast<char>(value);
      i += 2;
    }
    if (byte == '\0') return wrong("a NUL in a name");
    decoded += byte;
  }
  return decoded;
}

// --- what was asked ------------------------------------------------------------------------------

std::string ApiRequest::text(std::string_view name) const {
  for (const auto& [each, value] : query) {
    if (each == name) return value;
  }
  if (body && body->has(std::string(name))) {
    return body->get(std::string(name)).convert<std::string>();
  }
  return {};
}

core::Result<std::uint64_t> ApiRequest::number(std::string_view name, std::uint64_t fallback,
                                               std::uint64_t maximum) const {
  const std::string value = text(name);
  if (value.empty()) return fallback;
  std::uint64_t read = 0;
  const char* end = value.data() + value.size();
  const auto [stop, error] = std::from_chars(value.data(), end, read);
  if (error != std::errc() || stop != end || read > maximum) {
    return wrong(std::string(name) + " is a number from 0 to " + std::to_string(maximum));
  }
  return read;
}

bool ApiRequest::flag(std::string_view name) const {
  return text(name) == "true";
}

// --- what is answered ----------------------------------------------------------------------------

ApiAnswer ApiAnswer::ok(const Poco::JSON::Object& json, int status) {
  std::ostringstream out;
  json.stringify(out);
  out << '\n';
  return {status, out.str()};
}

ApiAnswer ApiAnswer::failure(int status, std::string_view code, std::string_view text) {
  Poco::JSON::Object json(Poco::JSON_PRESERVE_KEY_ORDER);
  json.set("error", to_utf8(text));
  json.set("code", std::string(code));
  return ok(json, status);
}

ApiAnswer ApiAnswer::failure(const core::Error& error) {
  int status = 500;
  switch (error.code) {
    case core::Errc::bad_destination:
    case core::Errc::invalid_argument:
      status = 400;
      break;
    case core::Errc::not_authorized:
      status = 403;
      break;
    case core::Errc::not_found:
      status = 404;
      break;
    case core::Errc::already_exists:
    case core::Errc::in_use:
    case core::Errc::bad_state:
      status = 409;
      break;
    case core::Errc::quota_exceeded:
      status = 429;
      break;
    case core::Errc::not_supported:
      status = 501;
      break;
    case core::Errc::store_full:
      status = 507;
      break;
    case core::Errc::store_io:
      status = 500;
      break;
  }
  std::string code(core::to_string(error.code));  // "not found": as a word
  std::replace(code.begin(), code.end(), ' ', '_');
  return failure(status, code, error.text);
}

// --- the way from one to the other ---------------------------------------------------------------

bool is_api_path(std::string_view uri) noexcept {
  const auto path = path_of(uri);
  return path.starts_with("/api/") && path != "/api/status" && path != "/api/bridges" &&
         path != "/api/store/map";
}

ApiAnswer answer_api(EngineGate& gate, const ApiCall& call) {
  const auto path = split(path_of(call.uri), '/');
  if (path.size() > kSegmentsMax) return ApiAnswer::failure(404, "not_found", "no such path");
  bool path_known = false;
  std::vector<std::string_view> arguments;
  for (const auto routes :
       {kQueueRoutes, kScheduleRoutes, kSubscriptionRoutes, kTaskRoutes, kXaRoutes}) {
    for (const ApiRoute& route : routes) {
      if (!matches(route.path, path, arguments)) continue;
      path_known = true;
      if (route.method != (call.method == "HEAD" ? "GET" : call.method)) continue;
      ApiRequest request;
      request.method = route.method;
      for (const auto argument : arguments) {
        auto decoded = percent_decoded(argument);
        if (!decoded || decoded->empty()) {
          return ApiAnswer::failure(400, "invalid_argument", "a name is not percent-encoded");
        }
        request.arguments.push_back(std::move(*decoded));
      }
      if (route.method != "GET") {
        if (auto refused = refusal_of_change(call)) return std::move(*refused);
      }
      if (auto read = read_query(call.uri, route, request); !read) {
        return ApiAnswer::failure(read.error());
      }
      if (route.method == "POST") {
        if (auto read = read_body(call.body, route, request); !read) {
          return ApiAnswer::failure(read.error());
        }
      }
      // Before anything is begun: what is refused has changed nothing.
      if (knows(route.parameters, "wait")) {
        if (auto wait = deadline_of(request); !wait) return ApiAnswer::failure(wait.error());
      }
      return route.handle(gate, request);
    }
  }
  if (path_known) return ApiAnswer::failure(405, "not_supported", "not by that method");
  return ApiAnswer::failure(
      404, "not_found",
      "no such path; see /api/queues, /api/topics, /api/subscriptions, /api/schedule, /api/xa and "
      "/api/explain");
}

}  // namespace pabal::server
