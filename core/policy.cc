#include "core/policy.h"

namespace pabal::core {
namespace {

/// Whether entries for `pattern` apply before those for `other`, where both match.
bool narrower(std::string_view pattern, std::string_view other) noexcept {
  const bool covered = matches(other, pattern);
  const bool covers = matches(pattern, other);
  return covered != covers ? covered : pattern < other;
}

}  // namespace

PolicyTable::PolicyTable() : default_(std::make_shared<const DestinationPolicy>()) {}

std::shared_ptr<const DestinationPolicy> PolicyTable::find(DestinationKind kind,
                                                           std::string_view name) const {
  const Entry* best = nullptr;
  for (const auto& entry : entries_) {
    if (entry.target.kind != kind) continue;
    if (is_temporary(kind)) return entry.policy;
    if (entry.target.name == name) return entry.policy;
    if (!matches(entry.target.name, name)) continue;
    if (best == nullptr || narrower(entry.target.name, best->target.name)) best = &entry;
  }
  return best != nullptr ? best->policy : default_;
}

}  // namespace pabal::core
