#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <Poco/JSON/Object.h>

#include "server/cli/arguments.h"
#include "server/cli/command.h"
#include "server/cli/failure.h"

namespace pabal::cli {

/// Options that every command has that asks a running broker.
inline constexpr Option kApiOption{.name = "api",
                                   .value = "URL",
                                   .default_value = "http://127.0.0.1:8161",
                                   .help = "the broker's HTTP listener"};
inline constexpr Option kApiTimeoutOption{.name = "timeout",
                                          .kind = OptionKind::seconds,
                                          .value = "SECONDS",
                                          .default_value = "10",
                                          .help = "how long to wait for one answer",
                                          .minimum = 1};

/// What the API said: the text as it came, and read.
struct ApiReply {
  int status = 0;
  std::string text;
  Poco::JSON::Object::Ptr json;
};

/// A client of a broker's HTTP API. Poco's exceptions end here. Errors of every call: usage (the
/// URL), unreachable, timed_out, refused (an answer that is no success: its own words).
class ApiClient {
 public:
  /// By --api and --timeout.
  explicit ApiClient(const Arguments& arguments);

  using Parameters = std::vector<std::pair<std::string, std::string>>;
  /// `path` is encoded already; empty parameters are left out.
  [[nodiscard]] Outcome<ApiReply> get(const std::string& path,
                                      const Parameters& parameters = {}) const;
  [[nodiscard]] Outcome<ApiReply> post(const std::string& path,
                                       const Poco::JSON::Object& body) const;
  [[nodiscard]] Outcome<ApiReply> remove(const std::string& path) const;

 private:
  [[nodiscard]] Outcome<ApiReply> call(const std::string& method, const std::string& path,
                                       const std::string& body) const;

  std::string api_;
  double seconds_;
};

/// A name as one segment of a path.
std::string path_segment(std::string_view name);

/// The members of an object as "name  value" lines, arrays of objects as tables.
void print_object(const Poco::JSON::Object& object, const std::string& prefix, std::ostream& out);
/// An array of objects as a table: one column per member, named by the first object.
void print_table(const Poco::JSON::Array& rows, std::ostream& out);

}  // namespace pabal::cli
