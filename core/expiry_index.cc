#include "core/expiry_index.h"

#include <algorithm>
#include <iterator>

namespace pabal::core {

void ExpiryIndex::note(ListId list, int priority, std::uint64_t sequence, std::int64_t time) {
  Parts& parts = lanes_[{list, priority}];
  // Mostly that of the newest arrivals.
  auto at = parts.empty() ? parts.end() : std::prev(parts.end());
  if (at != parts.end() && at->first > sequence) {
    at = parts.upper_bound(sequence);
    at = at == parts.begin() ? parts.end() : std::prev(at);
  }
  if (at != parts.end() && sequence <= at->second.last) {
    if (at->second.earliest <= time) return;
    by_time_.erase({at->second.earliest, list, priority, at->first});
    at->second.earliest = time;
    by_time_.insert({time, list, priority, at->first});
    return;
  }
  // Its block, as far as no part next to it has that.
  std::uint64_t first = sequence - sequence % kPart;
  std::uint64_t last = first + kPart - 1;
  if (at != parts.end()) first = std::max(first, at->second.last + 1);
  const auto next = parts.upper_bound(sequence);
  if (next != parts.end()) last = std::min(last, next->first - 1);
  parts.emplace(first, Known{last, time});
  by_time_.insert({time, list, priority, first});
  if (by_time_.size() > parts_max_) join_some();
}

void ExpiryIndex::note(const Part& part, std::int64_t time) {
  Parts& parts = lanes_[{part.list, part.priority}];
  std::uint64_t first = part.first;
  Known joined{part.last, time};
  auto at = parts.upper_bound(part.first);
  if (at != parts.begin() && std::prev(at)->second.last >= part.first) --at;
  while (at != parts.end() && at->first <= joined.last) {
    first = std::min(first, at->first);
    joined.last = std::max(joined.last, at->second.last);
    joined.earliest = std::min(joined.earliest, at->second.earliest);
    by_time_.erase({at->second.earliest, part.list, part.priority, at->first});
    at = parts.erase(at);
  }
  parts.emplace(first, joined);
  by_time_.insert({joined.earliest, part.list, part.priority, first});
  if (by_time_.size() > parts_max_) join_some();
}

std::optional<TimePoint> ExpiryIndex::next() const {
  if (by_time_.empty()) return std::nullopt;
  return from_millis(std::get<0>(*by_time_.begin()));
}

std::optional<ExpiryIndex::Part> ExpiryIndex::take_due(TimePoint now) {
  if (by_time_.empty() || std::get<0>(*by_time_.begin()) > to_millis(now)) return std::nullopt;
  const auto [time, list, priority, first] = *by_time_.begin();
  const auto lane = lanes_.find({list, priority});
  const auto at = lane->second.find(first);
  const Part part{list, priority, first, at->second.last};
  erase(lane->first, lane->second, at);
  if (lane->second.empty()) lanes_.erase(lane);
  return part;
}

void ExpiryIndex::forget_below(ListId list, int priority, std::uint64_t sequence) {
  const auto lane = lanes_.find({list, priority});
  if (lane == lanes_.end()) return;
  Parts& parts = lane->second;
  while (!parts.empty() && parts.begin()->second.last < sequence) {
    erase(lane->first, parts, parts.begin());
  }
  if (parts.empty()) lanes_.erase(lane);
}

void ExpiryIndex::forget(ListId list) {
  for (auto lane = lanes_.lower_bound({list, 0});
       lane != lanes_.end() && lane->first.first == list;) {
    while (!lane->second.empty()) erase(lane->first, lane->second, lane->second.begin());
    lane = lanes_.erase(lane);
  }
}

void ExpiryIndex::erase(const LaneKey& lane, Parts& parts, Parts::iterator at) {
  by_time_.erase({at->second.earliest, lane.first, lane.second, at->first});
  parts.erase(at);
}

/// Joins two neighbours, and two more if there were too many still; where lanes have a part each,
/// only a few are looked at.
void ExpiryIndex::join_some() {
  int joins = 2;
  for (int looks = 8; looks > 0 && joins > 0 && by_time_.size() > parts_max_; --looks) {
    const auto lane = lanes_.lower_bound(join_at_.first);
    if (lane == lanes_.end()) {
      join_at_ = {};
      continue;
    }
    if (lane->first != join_at_.first) join_at_ = {lane->first, 0};
    Parts& parts = lane->second;
    const auto at = parts.lower_bound(join_at_.second);
    const auto next = at == parts.end() ? at : std::next(at);
    if (next == parts.end()) {
      join_at_ = {{lane->first.first, lane->first.second + 1}, 0};
      continue;
    }
    const auto [list, priority] = lane->first;
    by_time_.erase({at->second.earliest, list, priority, at->first});
    at->second.earliest = std::min(at->second.earliest, next->second.earliest);
    at->second.last = next->second.last;
    erase(lane->first, parts, next);
    by_time_.insert({at->second.earliest, list, priority, at->first});
    join_at_.second = at->second.last + 1;
    --joins;
  }
}

}  // namespace pabal::core
