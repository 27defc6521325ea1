#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace pabal::server {

/// scheme://host:port/path?query, taken apart but not judged.
struct Uri {
  std::string scheme;
  std::string host;
  std::string port;  ///< empty: none
  std::string query;
  bool has_user = false;  ///< user name or password before an @: left out
};

/// Nullopt: it is none.
std::optional<Uri> split_uri(std::string_view text);
/// %20 and the like; what is no escape stays.
std::string decode_percent(std::string_view text);

}  // namespace pabal::server
