#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/destination.h"

namespace pabal::core {

/// Patterns (Destination's `*` and `>`) to values; finds every value whose pattern matches a name.
/// A node per level of a pattern; a name costs one walk over its levels, whatever the number of
/// patterns that do not match. As in matches(), no wildcard as the first level matches a name that
/// begins with `$`. Values come in a deterministic order.
template <class Value>
class TopicTrie {
 public:
  void insert(std::string_view pattern, Value value) {
    Node* node = &root_;
    bool rest = false;
    for_each_level(pattern, [&](std::string_view level, bool last) {
      if (level == ">" && last) {
        rest = true;
        return;
      }
      auto [at, added] = node->children.try_emplace(std::string(level));
      if (added) at->second = std::make_unique<Node>();
      node = at->second.get();
    });
    (rest ? node->rest : node->here).push_back(std::move(value));
    ++epoch_;
  }

  /// Removes one value equal to `value`; whether it was there.
  bool erase(std::string_view pattern, const Value& value) {
    const bool erased = erase(root_, pattern, value);
    if (erased) ++epoch_;
    return erased;
  }

  /// Calls `visit(value)` for each match of `name`.
  template <class Visit>
  void match(std::string_view name, Visit visit) const {
    match(root_, name, visit, is_reserved_name(name));
  }

  /// The same without the rule about `$`: of what an operator says about names.
  template <class Visit>
  void match_any(std::string_view name, Visit visit) const {
    match(root_, name, visit);
  }

  /// Grows with every change: what was resolved under another epoch is stale.
  [[nodiscard]] std::uint64_t epoch() const noexcept { return epoch_; }

 private:
  struct Node {
    std::map<std::string, std::unique_ptr<Node>, std::less<>> children;
    std::vector<Value> here;  // patterns that end at this level
    std::vector<Value> rest;  // patterns with `>` after this level
    [[nodiscard]] bool unused() const noexcept {
      return children.empty() && here.empty() && rest.empty();
    }
  };

  template <class Visit>
  static void for_each_level(std::string_view name, Visit visit) {
    for (;;) {
      const auto dot = name.find('.');
      visit(name.substr(0, dot), dot == std::string_view::npos);
      if (dot == std::string_view::npos) return;
      name.remove_prefix(dot + 1);
    }
  }

  static bool erase_value(std::vector<Value>& values, const Value& value) {
    const auto at = std::find(values.begin(), values.end(), value);
    if (at == values.end()) return false;
    values.erase(at);
    return true;
  }

  // Recursion depth is the number of levels in a name, which the name's length bounds.
  static bool erase(Node& node, std::string_view pattern, const Value& value) {
    if (pattern.data() == nullptr) return erase_value(node.here, value);
    if (pattern == ">") return erase_value(node.rest, value);
    const auto dot = pattern.find('.');
    const auto at = node.children.find(pattern.substr(0, dot));
    if (at == node.children.end()) return false;
    const auto tail = dot == std::string_view::npos ? std::string_view{} : pattern.substr(dot + 1);
    const bool erased = erase(*at->second, tail, value);
    if (erased && at->second->unused()) node.children.erase(at);
    return erased;
  }

  // `literal`: no wildcard counts at this level.
  template <class Visit>
  static void match(const Node& node, std::string_view name, Visit& visit, bool literal = false) {
    if (!literal) {
      for (const auto& value : node.rest) visit(value);
    }
    if (name.data() == nullptr) {
      for (const auto& value : node.here) visit(value);
      return;
    }
    const auto dot = name.find('.');
    const auto level = name.substr(0, dot);
    const auto tail = dot == std::string_view::npos ? std::string_view{} : name.substr(dot + 1);
    if (const auto any = node.children.find("*"); any != node.children.end() && !literal) {
      match(*any->second, tail, visit);
    }
    if (level == "*") return;  // a published name has no wildcards; never match one twice
    if (const auto exact = node.children.find(level); exact != node.children.end()) {
      match(*exact->second, tail, visit);
    }
  }

  Node root_;
  std::uint64_t epoch_ = 1;
};

}  // namespace pabal::core
