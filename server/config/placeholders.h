#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/result.h"

namespace pabal::server {

/// Resolves ${name} and ${name:default}: from -D, then the files of the placeholder configurer,
/// then the environment (the exact name), then the built-in values, then the default. Defaults and
/// values may hold placeholders. #{systemProperties['name']} is the same as ${name}.
class Placeholders {
 public:
  explicit Placeholders(std::map<std::string, std::string> definitions)
      : definitions_(std::move(definitions)) {}

  void set_built_in(const std::string& name, std::string value) {
    built_in_[name] = std::move(value);
  }
  /// Java properties: "name=value" lines, '#' and '!' comments. Earlier files lose.
  void add_properties(std::string_view text);

  /// Errors name the placeholder that has no value, or that refers to itself. Thread: one.
  core::Result<std::string> resolve(std::string_view text) const;

  /// Definitions (-D) that no resolve() asked for, in order of name.
  [[nodiscard]] std::vector<std::string> unused_definitions() const;

 private:
  core::Result<std::string> resolve(std::string_view text, int depth) const;
  core::Result<std::string> value_of(std::string_view expression, int depth) const;
  const std::string* find(const std::string& name) const;

  std::map<std::string, std::string> definitions_;
  std::map<std::string, std::string> properties_;
  std::map<std::string, std::string> built_in_;
  mutable std::map<std::string, std::string> environment_;
  mutable std::map<std::string, bool> used_;
};

}  // namespace pabal::server
