#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/destination.h"
#include "core/policy.h"
#include "core/selector.h"
#include "core/topic_trie.h"

namespace pabal::core {

class MessageList;

/// One place that a composite forwards to, made ready.
struct ForwardRoute {
  std::shared_ptr<const Destination> destination;
  std::shared_ptr<const Selector> selector;  ///< null: everything
};

/// A composite destination made ready.
struct CompositeRoute {
  Destination name;  ///< may be a pattern
  std::vector<ForwardRoute> forward_to;
  bool forward_only = true;
  bool send_when_not_matched = false;
};

/// A queue that a virtual topic feeds.
struct VirtualQueue {
  MessageList* list = nullptr;
  bool selector_aware = false;
  bool drop_on_resource_limit = false;
};

/// VirtualDestinations made ready for routing: selectors compiled, names indexed, and an index of
/// the queues that virtual topics feed, so that a send finds them without looking at the others.
class VirtualRoutes {
 public:
  /// What cannot be made ready (see validate()) is left out. `epoch`: above that of its
  /// predecessor.
  VirtualRoutes(const VirtualDestinations& wanted, std::uint64_t epoch);

  /// Whether sends to queues can go anywhere else at all.
  [[nodiscard]] bool concern_queues() const noexcept { return concern_queues_; }
  [[nodiscard]] const std::optional<MirroredQueues>& mirrored() const noexcept { return mirrored_; }
  /// Composites that `name` falls under: the exact ones first, each group in the order of the
  /// configuration. Appended to `found`; valid as long as this object.
  void composites_of(DestinationKind kind, std::string_view name,
                     std::vector<const CompositeRoute*>& found) const;

  /// Queues come and go. `name` may be a pattern: it stands for every topic that it matches.
  void add_queue(MessageList& list, std::string_view name);
  void remove_queue(MessageList& list, std::string_view name);
  /// The queues that a send to topic `name` feeds, each once. Appended to `found`.
  void queues_of(std::string_view name, std::vector<VirtualQueue>& found) const;
  /// Whether a queue of this name would be fed by a virtual topic.
  [[nodiscard]] bool feed(std::string_view queue) const;
  /// Grows whenever answers of composites_of() or queues_of() may have changed.
  [[nodiscard]] std::uint64_t epoch() const noexcept { return epoch_; }

 private:
  struct Topics {
    std::string name;                 ///< pattern of the topics
    std::vector<std::string> levels;  ///< of the prefix, those that are whole
    std::string rest;  ///< of the prefix: what its last, unfinished level begins with
    std::string postfix;
    bool selector_aware = false;
    bool drop_on_resource_limit = false;
    TopicTrie<MessageList*> queues;  ///< by what stands between prefix and postfix

    /// What stands between prefix and postfix; nullopt: the queue is not one of these.
    [[nodiscard]] std::optional<std::string_view> topic_of(std::string_view queue) const;
  };

  std::vector<CompositeRoute> composites_;
  std::unordered_map<std::string, std::vector<const CompositeRoute*>> exact_[2];
  std::vector<const CompositeRoute*> patterns_[2];
  std::vector<Topics> topics_;
  std::optional<MirroredQueues> mirrored_;
  bool concern_queues_ = false;
  std::uint64_t epoch_;
};

}  // namespace pabal::core
