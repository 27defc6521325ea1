#include <algorithm>
#include <utility>

#include "store/index/index.h"

// Every entry there is: for the tools, and for the map of a store that is at work.

namespace pabal::store {

Index::VisitPlace Index::begin_visit() const {
  MutexLock lock(mutex_);
  VisitPlace place;
  place.lists.reserve(lists_.size());
  for (const auto& [id, list] : lists_) place.lists.push_back(list->description.id);
  std::sort(place.lists.begin(), place.lists.end());
  return place;
}

Result<bool> Index::visit_lane(Lane& lane, std::uint64_t& number, int& blocks,
                               const EntryVisitor& visit) {
  const List& list = *lane.list;
  std::vector<core::ReaderId> needed;
  for (; blocks > 0; --blocks, ++number) {
    auto found = next_block(lane, number);
    if (!found) return found.error();
    if (*found == nullptr) return false;
    const Block& block = **found;
    number = block.number();
    for (auto at = block.next(0); at; at = block.next(*at + 1)) {
      const std::uint64_t sequence = block.first_sequence() + *at;
      needed.clear();
      for (std::size_t reader = 0; reader < list.readers.size(); ++reader) {
        if (needs(lane, reader, block, sequence)) needed.push_back(list.readers[reader].id);
      }
      visit(list.description, lane.priority, sequence, *block.find(*at), needed);
    }
  }
  return true;
}

Result<bool> Index::visit_some(VisitPlace& place, int blocks_max, const EntryVisitor& visit) {
  MutexLock lock(mutex_);
  if (!rows_) return Error{Errc::bad_state, "the index is being opened again"};
  if (memory_bytes_ > memory_bytes_max_) evict();
  for (; place.list < place.lists.size(); ++place.list, place.priority = 0, place.block = 0) {
    if (blocks_max-- == 0) return true;  // a list costs something, too, when it is empty
    List* list = find_list(place.lists[place.list]);
    if (list == nullptr) continue;
    for (; place.priority < core::kPriorities; ++place.priority, place.block = 0) {
      Lane* lane = find_lane(*list, place.priority);
      if (lane == nullptr) continue;
      auto more = visit_lane(*lane, place.block, blocks_max, visit);
      if (!more) return more.error();
      if (*more) return true;
    }
  }
  return false;
}

Result<void> Index::visit_entries(const EntryVisitor& visit) {
  constexpr int kBlocks = 4096;
  VisitPlace place = begin_visit();
  for (;;) {
    auto more = visit_some(place, kBlocks, visit);
    if (!more) return more.error();
    if (!*more) return {};
  }
}

}  // namespace pabal::store
