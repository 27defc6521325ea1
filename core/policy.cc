#include "core/policy.h"

#include <algorithm>
#include <array>
#include <tuple>
#include <utility>

#include "core/topic_trie.h"

namespace pabal::core {
namespace {

constexpr std::size_t kNone = ~std::size_t{0};

std::string_view take_level(std::string_view& rest) noexcept {
  const auto dot = rest.find('.');
  const auto level = rest.substr(0, dot);
  rest = dot == std::string_view::npos ? std::string_view{} : rest.substr(dot + 1);
  return level;
}

/// Whether every name that `inner` matches is matched by `outer` too.
bool covers(std::string_view outer, std::string_view inner) noexcept {
  while (outer.data() != nullptr) {
    const auto wanted = take_level(outer);
    if (wanted == ">" && outer.data() == nullptr) return true;
    if (inner.data() == nullptr) return false;
    const auto level = take_level(inner);
    if (level == ">" && inner.data() == nullptr) return false;
    if (wanted != "*" && wanted != level) return false;
  }
  return inner.data() == nullptr;
}

}  // namespace

/// Places of entries by kind and pattern, and the policies that were put together from several.
struct PolicyTable::Index {
  /// Of entries or of redelivery entries.
  class Places {
   public:
    void add(const Destination& target, std::size_t place) {
      if (is_temporary(target.kind)) {
        (core::is_queue(target.kind) ? temporary_queue_ : temporary_topic_) = place;
        return;
      }
      ByName& names = by_name(target.kind);
      const auto [at, is_new] = names.places.insert_or_assign(target.name, place);
      if (is_new && target.is_pattern()) names.patterns.insert(target.name, &at->first);
    }

    /// kNone: no entry is for it.
    [[nodiscard]] std::size_t find(DestinationKind kind, std::string_view name) const {
      if (is_temporary(kind)) return core::is_queue(kind) ? temporary_queue_ : temporary_topic_;
      const ByName& names = by_name(kind);
      if (const auto exact = names.places.find(name); exact != names.places.end()) {
        return exact->second;
      }
      std::vector<const std::string*> matching;
      names.patterns.match_any(name,
                               [&](const std::string* pattern) { matching.push_back(pattern); });
      const std::string* best = nullptr;
      for (const auto* pattern : matching) {
        const bool narrowest =
            std::none_of(matching.begin(), matching.end(), [&](const std::string* other) {
              return other != pattern && covers(*pattern, *other) && !covers(*other, *pattern);
            });
        if (narrowest && (best == nullptr || *pattern < *best)) best = pattern;
      }
      return best == nullptr ? kNone : names.places.find(*best)->second;
    }

   private:
    struct ByName {
      std::map<std::string, std::size_t, std::less<>> places;
      TopicTrie<const std::string*> patterns;  // keys of `places`
    };
    [[nodiscard]] const ByName& by_name(DestinationKind kind) const {
      return names_[core::is_queue(kind) ? 0 : 1];
    }
    ByName& by_name(DestinationKind kind) { return names_[core::is_queue(kind) ? 0 : 1]; }

    std::array<ByName, 2> names_;
    std::size_t temporary_queue_ = kNone;
    std::size_t temporary_topic_ = kNone;
  };

  Places entries;
  Places redeliveries;
  /// By entry, redelivery entry, and whether dead letters are thrown away.
  std::map<std::tuple<std::size_t, std::size_t, bool>, std::shared_ptr<const DestinationPolicy>>
      combined;
};

PolicyTable::PolicyTable() : default_(std::make_shared<const DestinationPolicy>()) {}

void PolicyTable::add(Entry entry) {
  entries_.push_back(std::move(entry));
  index_.reset();
}

void PolicyTable::set_default(std::shared_ptr<const DestinationPolicy> policy) {
  default_ = std::move(policy);
  index_.reset();
}

void PolicyTable::add_redelivery(RedeliveryEntry entry) {
  redeliveries_.push_back(std::move(entry));
  index_.reset();
}

void PolicyTable::set_default_redelivery(RedeliveryPolicy policy) {
  default_redelivery_ = policy;
  index_.reset();
}

void PolicyTable::discard_dead_letters(DiscardedDeadLetters discarded) {
  discarded_ = std::move(discarded);
  index_.reset();
}

bool PolicyTable::discards(DestinationKind kind, std::string_view name) const {
  if (!discarded_) return false;
  if (discarded_->all) return true;
  if (kind == DestinationKind::temporary_queue && discarded_->temporary_queues) return true;
  if (kind == DestinationKind::temporary_topic && discarded_->temporary_topics) return true;
  return discarded_->others && discarded_->others(name);
}

std::shared_ptr<const DestinationPolicy> PolicyTable::find(DestinationKind kind,
                                                           std::string_view name) const {
  if (index_ == nullptr) {
    index_ = std::make_shared<Index>();
    for (std::size_t i = 0; i < entries_.size(); ++i) index_->entries.add(entries_[i].target, i);
    for (std::size_t i = 0; i < redeliveries_.size(); ++i) {
      index_->redeliveries.add(redeliveries_[i].target, i);
    }
  }
  const std::size_t place = index_->entries.find(kind, name);
  const auto& chosen = place == kNone ? default_ : entries_[place].policy;
  const std::size_t redelivery = index_->redeliveries.find(kind, name);
  const bool discarded = discards(kind, name);
  if (redelivery == kNone && !default_redelivery_ && !discarded) return chosen;
  auto& combined = index_->combined[{place, redelivery, discarded}];
  if (combined == nullptr) {
    auto made = std::make_shared<DestinationPolicy>(*chosen);
    made->made_from = chosen;
    if (redelivery != kNone) {
      made->redelivery = redeliveries_[redelivery].policy;
    } else if (default_redelivery_) {
      made->redelivery = default_redelivery_;
    }
    if (discarded) made->dead_letter.kind = DeadLetterStrategy::Kind::discard;
    combined = std::move(made);
  }
  return combined;
}

}  // namespace pabal::core
