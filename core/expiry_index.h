#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <utility>

#include "core/ids.h"

namespace pabal::core {

/// When messages expire, by parts of lanes: one entry for all that arrived next to each other in a
/// list and priority, with the earliest of their times. So a message costs a few tenths of a byte,
/// wherever it stands, and who asks what is due looks at few that are not.
///
/// Bounded: with more than `parts_max` parts, neighbours are joined, two with each new one, going
/// round through all lanes. A lane keeps one part at least, so lanes are what can exceed it. An
/// entry may be stale, when its messages have gone: then a look at the part finds nothing.
class ExpiryIndex {
 public:
  /// How many arrivals make a part, as the store's index has them.
  static constexpr std::uint64_t kPart = 256;

  /// Sequences `first` to `last` of a lane.
  struct Part {
    ListId list{};
    int priority = 0;
    std::uint64_t first = 0;
    std::uint64_t last = 0;
  };

  explicit ExpiryIndex(std::size_t parts_max) : parts_max_(parts_max) {}

  /// `sequence` of the lane expires at `time` (ms since 1970).
  void note(ListId list, int priority, std::uint64_t sequence, std::int64_t time);
  /// Something in `part`, which nobody knows better, expires at `time`, nothing earlier.
  void note(const Part& part, std::int64_t time);
  /// The time of the earliest entry.
  [[nodiscard]] std::optional<TimePoint> next() const;
  /// Takes the entry of one part with something due out.
  std::optional<Part> take_due(TimePoint now);
  /// Nothing of the lane below `sequence` matters any more.
  void forget_below(ListId list, int priority, std::uint64_t sequence);
  void forget(ListId list);

  [[nodiscard]] std::size_t parts() const noexcept { return by_time_.size(); }

 private:
  struct Known {
    std::uint64_t last = 0;
    std::int64_t earliest = 0;
  };
  using LaneKey = std::pair<ListId, int>;
  using Parts = std::map<std::uint64_t, Known>;  // by first sequence; they do not overlap
  using Due = std::tuple<std::int64_t, ListId, int, std::uint64_t>;

  void erase(const LaneKey& lane, Parts& parts, Parts::iterator at);
  void join_some();

  const std::size_t parts_max_;
  std::map<LaneKey, Parts> lanes_;
  std::set<Due> by_time_;
  std::pair<LaneKey, std::uint64_t> join_at_{};  ///< joining goes on at this part or the next
};

}  // namespace pabal::core
