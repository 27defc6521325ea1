#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <Poco/JSON/Object.h>

#include "core/result.h"
#include "server/engine_gate.h"

// The management API: a table of routes, each a method, a path and a function. A feature brings its
// own routes in a file of its own, named in api.cc.

namespace pabal::server {

/// What a client of the API asked, its path and query already decoded. Thread: management.
struct ApiRequest {
  std::string method;                  ///< "GET", "POST", "DELETE"
  std::vector<std::string> arguments;  ///< what stood for each `{}` of the route
  std::vector<std::pair<std::string, std::string>> query;
  Poco::JSON::Object::Ptr body;  ///< of a POST; never null there

  /// The query's parameter, or the body's member, of that name; empty: not given.
  [[nodiscard]] std::string text(std::string_view name) const;
  /// Errors: invalid_argument (no number, or above `maximum`).
  [[nodiscard]] core::Result<std::uint64_t> number(std::string_view name, std::uint64_t fallback,
                                                   std::uint64_t maximum) const;
  [[nodiscard]] bool flag(std::string_view name) const;
};

struct ApiAnswer {
  int status = 200;
  std::string body;  ///< JSON

  static ApiAnswer ok(const Poco::JSON::Object& json, int status = 200);
  /// {"error": text, "code": "not_found"}
  static ApiAnswer failure(int status, std::string_view code, std::string_view text);
  static ApiAnswer failure(const core::Error& error);
};

struct ApiRoute {
  std::string_view method;
  std::string_view path;  ///< "/api/queues/{}/purge"; `{}` stands for one percent-encoded name
  /// Names of query parameters and body members that it knows, separated by spaces.
  std::string_view parameters;
  ApiAnswer (*handle)(EngineGate& gate, const ApiRequest& request);
};

/// What the transport knows of a request before anybody has read it.
struct ApiCall {
  std::string_view method;
  std::string_view uri;  ///< as it came: path and query, percent-encoded
  std::string_view content_type;
  std::string_view host;    ///< the Host header
  std::string_view origin;  ///< the Origin header, or empty
  bool from_loopback = false;
  std::string_view body;
};

/// Whether the path is one of the routes'; `/api/status` and `/api/store/map` are reports.
bool is_api_path(std::string_view uri) noexcept;
/// Finds the route and carries it out. What changes something is for this machine's own programs:
/// it must come from a loopback address, be JSON by its content type (which no web page can send
/// to another site without asking it first) and name this machine in Host (which a page whose name
/// was made to lead here cannot).
ApiAnswer answer_api(EngineGate& gate, const ApiCall& call);

/// Errors: invalid_argument (a `%` without two digits, a NUL).
core::Result<std::string> percent_decoded(std::string_view text);

extern const std::span<const ApiRoute> kQueueRoutes;         // queue_api.cc
extern const std::span<const ApiRoute> kScheduleRoutes;      // schedule_api.cc
extern const std::span<const ApiRoute> kSubscriptionRoutes;  // subscription_api.cc
extern const std::span<const ApiRoute> kTaskRoutes;          // task_api.cc
extern const std::span<const ApiRoute> kXaRoutes;            // xa_api.cc

}  // namespace pabal::server
