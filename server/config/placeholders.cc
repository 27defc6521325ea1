#include "server/config/placeholders.h"

#include <cstdlib>

#include "server/config/values.h"

namespace pabal::server {
namespace {

constexpr int kDepthMax = 20;
constexpr std::size_t kValueBytesMax = 64 * 1024;
constexpr std::string_view kSystemProperty = "#{systemProperties['";

core::Error refuse(std::string text) {
  return {core::Errc::invalid_argument, std::move(text)};
}

/// The end of the ${…} that opens before `from`, counting nested ones; npos if it is not closed.
std::size_t closing_brace(std::string_view text, std::size_t from) noexcept {
  int open = 1;
  for (std::size_t i = from; i < text.size(); ++i) {
    if (text.substr(i, 2) == "${") {
      ++open;
    } else if (text[i] == '}' && --open == 0) {
      return i;
    }
  }
  return std::string_view::npos;
}

}  // namespace

void Placeholders::add_properties(std::string_view text) {
  for (std::string_view line : split(text, '\n')) {
    line = trim(line);
    if (line.empty() || line.front() == '#' || line.front() == '!') continue;
    const auto separator = line.find_first_of("=:");
    if (separator == std::string_view::npos) continue;
    properties_[std::string(trim(line.substr(0, separator)))] = trim(line.substr(separator + 1));
  }
}

const std::string* Placeholders::find(const std::string& name) const {
  if (const auto found = definitions_.find(name); found != definitions_.end()) {
    used_[name] = true;
    return &found->second;
  }
  if (const auto found = properties_.find(name); found != properties_.end()) return &found->second;
  if (const char* value = std::getenv(name.c_str()); value != nullptr) {
    return &(environment_[name] = value);
  }
  if (const auto found = built_in_.find(name); found != built_in_.end()) return &found->second;
  return nullptr;
}

core::Result<std::string> Placeholders::value_of(std::string_view expression, int depth) const {
  // The name itself may hold a placeholder, so the colon that counts is the first one outside.
  std::size_t colon = std::string_view::npos;
  for (std::size_t i = 0; i < expression.size(); ++i) {
    if (expression.substr(i, 2) == "${") {
      const auto end = closing_brace(expression, i + 2);
      if (end == std::string_view::npos) break;
      i = end;
    } else if (expression[i] == ':') {
      colon = i;
      break;
    }
  }
  const auto name = resolve(expression.substr(0, colon), depth + 1);
  if (!name) return name.error();
  if (const std::string* value = find(*name); value != nullptr) return resolve(*value, depth + 1);
  if (colon != std::string_view::npos) return resolve(expression.substr(colon + 1), depth + 1);
  return refuse("${" + *name + "} has no value: give it with -D " + *name +
                "=… or in the environment");
}

core::Result<std::string> Placeholders::resolve(std::string_view text) const {
  return resolve(text, 0);
}

core::Result<std::string> Placeholders::resolve(std::string_view text, int depth) const {
  if (depth > kDepthMax) return refuse("a placeholder refers to itself");
  std::string resolved;
  while (!text.empty()) {
    std::size_t start = text.find("${");
    std::size_t name_start = start + 2;
    std::size_t end = 0;
    std::size_t next = 0;
    const std::size_t property = text.find(kSystemProperty);
    if (property < start) {
      start = property;
      name_start = start + kSystemProperty.size();
      end = text.find("']}", name_start);
      next = end + 3;
    } else {
      end = start == std::string_view::npos ? start : closing_brace(text, name_start);
      next = end + 1;
    }
    if (start == std::string_view::npos) {
      resolved += text;
      break;
    }
    if (end == std::string_view::npos) return refuse("a placeholder has no closing brace");
    resolved += text.substr(0, start);
    auto value = value_of(text.substr(name_start, end - name_start), depth);
    if (!value) return value;
    resolved += *value;
    if (resolved.size() > kValueBytesMax) return refuse("the value is longer than 64 KB");
    text.remove_prefix(next);
  }
  return resolved;
}

std::vector<std::string> Placeholders::unused_definitions() const {
  std::vector<std::string> names;
  for (const auto& [name, value] : definitions_) {
    if (!used_.contains(name)) names.push_back(name);
  }
  return names;
}

}  // namespace pabal::server
