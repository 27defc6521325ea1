#include "core/virtual_routes.h"

#include <algorithm>
#include <utility>

namespace pabal::core {
namespace {

/// Temporary destinations are nobody's to configure.
Result<void> check_name(const Destination& destination, std::string_view what) {
  if (is_temporary(destination.kind)) {
    return Error{Errc::invalid_argument,
                 std::string(what) + " " + destination.to_text() + " is temporary"};
  }
  if (auto valid = validate_destination_name(destination.name); !valid) {
    return Error{Errc::invalid_argument, std::string(what) + ": " + valid.error().text};
  }
  return {};
}

constexpr int index_of(DestinationKind kind) noexcept {
  return is_queue(kind) ? 0 : 1;
}

}  // namespace

Result<void> validate(const ForwardTarget& target) {
  if (auto valid = check_name(target.destination, "the destination"); !valid) return valid;
  if (target.destination.is_pattern()) {
    return Error{Errc::invalid_argument,
                 "cannot forward to the pattern " + target.destination.to_text()};
  }
  if (target.selector.empty()) return {};
  if (auto selector = Selector::compile(target.selector); !selector) {
    return Error{Errc::invalid_argument,
                 "the selector of " + target.destination.to_text() + ": " + selector.error().text};
  }
  return {};
}

Result<void> validate(const CompositeDestination& composite) {
  if (auto valid = check_name(composite.name, "the composite"); !valid) return valid;
  for (const auto& target : composite.forward_to) {
    if (auto valid = validate(target); !valid) return valid;
  }
  return {};
}

Result<void> validate(const VirtualTopic& topic) {
  if (auto valid = check_name({DestinationKind::topic, topic.name}, "the virtual topic"); !valid) {
    return valid;
  }
  if (topic.prefix.empty() && topic.postfix.empty()) return {};
  const auto named = check_name({DestinationKind::queue, topic.prefix + topic.name + topic.postfix},
                                "the queues of virtual topic " + topic.name);
  if (!named) return named;
  if (topic.prefix.find('>') != std::string::npos) {
    return Error{Errc::invalid_argument,
                 "the prefix of virtual topic " + topic.name + " can have wildcards '*' only"};
  }
  return {};
}

Result<void> validate(const MirroredQueues& mirrored) {
  if (mirrored.prefix.empty() && mirrored.postfix.empty()) return {};
  return check_name({DestinationKind::topic, mirrored.prefix + mirrored.postfix},
                    "the topics of mirrored queues");
}

Result<void> validate(const VirtualDestinations& virtuals) {
  for (const auto& composite : virtuals.composites) {
    if (auto valid = validate(composite); !valid) return valid;
  }
  for (const auto& topic : virtuals.topics) {
    if (auto valid = validate(topic); !valid) return valid;
  }
  if (virtuals.mirrored) return validate(*virtuals.mirrored);
  return {};
}

VirtualRoutes::VirtualRoutes(const VirtualDestinations& wanted, std::uint64_t epoch)
    : mirrored_(wanted.mirrored), concern_queues_(wanted.mirrored.has_value()), epoch_(epoch) {
  composites_.reserve(wanted.composites.size());  // they are pointed at
  for (const auto& composite : wanted.composites) {
    if (!validate(composite)) continue;
    CompositeRoute& made = composites_.emplace_back();
    made.name = composite.name;
    made.forward_only = composite.forward_only;
    made.send_when_not_matched = composite.send_when_not_matched;
    for (const auto& target : composite.forward_to) {
      ForwardRoute& route = made.forward_to.emplace_back();
      route.destination = std::make_shared<const Destination>(target.destination);
      if (target.selector.empty()) continue;
      if (auto selector = Selector::compile(target.selector)) {
        route.selector = std::make_shared<const Selector>(std::move(*selector));
      }
    }
    const int index = index_of(made.name.kind);
    concern_queues_ = concern_queues_ || is_queue(made.name.kind);
    if (made.name.is_pattern()) {
      patterns_[index].push_back(&made);
    } else {
      exact_[index][made.name.name].push_back(&made);
    }
  }
  for (const auto& topic : wanted.topics) {
    if (!validate(topic)) continue;
    Topics& made = topics_.emplace_back();
    made.name = topic.name;
    made.postfix = topic.postfix;
    made.selector_aware = topic.selector_aware;
    made.drop_on_resource_limit = topic.drop_on_resource_limit;
    std::string_view prefix = topic.prefix;
    for (auto dot = prefix.find('.'); dot != std::string_view::npos; dot = prefix.find('.')) {
      made.levels.emplace_back(prefix.substr(0, dot));
      prefix.remove_prefix(dot + 1);
    }
    made.rest = prefix;
  }
}

void VirtualRoutes::composites_of(DestinationKind kind, std::string_view name,
                                  std::vector<const CompositeRoute*>& found) const {
  if (composites_.empty() || is_temporary(kind)) return;
  const int index = index_of(kind);
  if (!exact_[index].empty()) {
    if (const auto at = exact_[index].find(std::string(name)); at != exact_[index].end()) {
      found.insert(found.end(), at->second.begin(), at->second.end());
    }
  }
  for (const auto* composite : patterns_[index]) {
    if (matches(composite->name.name, name)) found.push_back(composite);
  }
}

std::optional<std::string_view> VirtualRoutes::Topics::topic_of(std::string_view queue) const {
  for (const auto& wanted : levels) {
    const auto dot = queue.find('.');
    if (dot == std::string_view::npos) return std::nullopt;
    const auto level = queue.substr(0, dot);
    if (wanted != "*" && level != "*" && wanted != level) return std::nullopt;
    queue.remove_prefix(dot + 1);
  }
  if (!queue.starts_with(rest)) return std::nullopt;
  queue.remove_prefix(rest.size());
  if (!queue.ends_with(postfix)) return std::nullopt;
  queue.remove_suffix(postfix.size());
  if (queue.empty()) return std::nullopt;
  return queue;
}

void VirtualRoutes::add_queue(MessageList& list, std::string_view name) {
  for (auto& topics : topics_) {
    const auto topic = topics.topic_of(name);
    if (!topic) continue;
    topics.queues.insert(*topic, &list);
    ++epoch_;
  }
}

void VirtualRoutes::remove_queue(MessageList& list, std::string_view name) {
  for (auto& topics : topics_) {
    const auto topic = topics.topic_of(name);
    if (topic && topics.queues.erase(*topic, &list)) ++epoch_;
  }
}

void VirtualRoutes::queues_of(std::string_view name, std::vector<VirtualQueue>& found) const {
  const std::size_t before = found.size();
  for (const auto& topics : topics_) {
    if (!matches(topics.name, name)) continue;
    const std::size_t others = found.size();
    topics.queues.match(name, [&](MessageList* list) {
      // Two virtual topics may feed one queue; the first of them says how.
      const auto end = found.begin() + static_cast<std::ptrdiff_t>(others);
      const auto known =
          std::find_if(found.begin() + static_cast<std::ptrdiff_t>(before), end,
                       [&](const VirtualQueue& queue) { return queue.list == list; });
      if (known == end) {
        found.push_back({list, topics.selector_aware, topics.drop_on_resource_limit});
      }
    });
  }
}

bool VirtualRoutes::feed(std::string_view queue) const {
  return std::any_of(topics_.begin(), topics_.end(),
                     [&](const Topics& topics) { return topics.topic_of(queue).has_value(); });
}

}  // namespace pabal::core
