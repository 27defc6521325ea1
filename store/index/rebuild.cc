#include "store/index/rebuild.h"

#include <algorithm>

namespace pabal::store {
namespace {
constexpr std::size_t kSettleAt = 1 << 16;
}

void RangeSet::insert(std::uint64_t first, std::uint64_t last) {
  if (!ranges_.empty() && ranges_.back().second + 1 == first) {
    ranges_.back().second = last;
    return;
  }
  ranges_.emplace_back(first, last);
  if (ranges_.size() > kSettleAt && ranges_.size() > 2 * settled_) settle();
}

void RangeSet::settle() {
  std::sort(ranges_.begin(), ranges_.end());
  std::size_t kept = 0;
  for (const auto& range : ranges_) {
    if (kept > 0 && range.first <= ranges_[kept - 1].second + 1) {
      ranges_[kept - 1].second = std::max(ranges_[kept - 1].second, range.second);
    } else {
      ranges_[kept++] = range;
    }
  }
  ranges_.resize(kept);
  settled_ = kept;
}

bool RangeSet::contains(std::uint64_t sequence) const {
  const auto after = std::upper_bound(
      ranges_.begin(), ranges_.end(), sequence,
      [](std::uint64_t wanted, const auto& range) { return wanted < range.first; });
  return after != ranges_.begin() && std::prev(after)->second >= sequence;
}

void RebuildFacts::learn(const JournalOp& op, std::uint64_t index) {
  switch (op.kind) {
    case JournalOpKind::add:
    case JournalOpKind::relocate:
      return learn_places(op);
    case JournalOpKind::acknowledge:
      acknowledged[{core::raw(op.list), core::raw(op.reader), op.priority}].insert(op.first,
                                                                                   op.last);
      return;
    case JournalOpKind::touch: {
      std::uint64_t& touched = lists[core::raw(op.list)].lanes[op.priority].touched_to;
      touched = std::max(touched, op.last);
      return;
    }
    case JournalOpKind::create_list: {
      List& list = lists[core::raw(op.list)];
      if (!list.description) list.description = op.list_description;
      last_list = std::max(last_list, core::raw(op.list));
      return;
    }
    case JournalOpKind::delete_list:
    case JournalOpKind::list_deleted:
      deleted_lists.insert(core::raw(op.list));
      return;
    case JournalOpKind::create_reader: {
      List& list = lists[core::raw(op.list)];
      Reader& reader = list.readers[core::raw(op.reader)];
      reader.description = op.reader_description;
      reader.created_at = index;
      // It reads what is added from here on.
      for (const auto& [priority, lane] : list.lanes) reader.first[priority] = lane.next;
      last_reader = std::max(last_reader, core::raw(op.reader));
      return;
    }
    case JournalOpKind::delete_reader:
      deleted_readers.insert(core::raw(op.reader));
      return;
    case JournalOpKind::list_state:
      return learn_list_state(op);
    case JournalOpKind::high_ids:
      last_list = std::max(last_list, core::raw(op.list));
      last_reader = std::max(last_reader, core::raw(op.reader));
      return;
    case JournalOpKind::kept_segments:
      kept_up_to = op.version;
      kept_segments = op.segments;
      return;
    case JournalOpKind::put_attachment:
    case JournalOpKind::delete_attachment:
    case JournalOpKind::restore_attachment:
    case JournalOpKind::restore_tombstone:
      return learn_attachment(op, index);
    case JournalOpKind::count_delivery:
    case JournalOpKind::count_refusal:
    case JournalOpKind::set_count:
      return learn_counts(op);
  }
}

void RebuildFacts::learn_counts(const JournalOp& op) {
  for (std::uint64_t sequence = op.first; sequence <= op.last; ++sequence) {
    DeliveryCounts& count =
        counts[{core::raw(op.list), core::raw(op.reader), op.priority, sequence}];
    const auto stated = static_cast<DeliveryCounts>(op.version);
    count = op.kind == JournalOpKind::set_count
                ? highest(count, stated)
                : count_one(count, op.kind == JournalOpKind::count_refusal);
  }
}

void RebuildFacts::learn_places(const JournalOp& op) {
  for (const Place& place : op.places) {
    std::uint64_t& next = lists[core::raw(place.list)].lanes[place.priority].next;
    next = std::max(next, place.sequence + 1);
  }
}

/// The readers of a list are those of its last state and those created since.
void RebuildFacts::learn_list_state(const JournalOp& op) {
  List& list = lists[core::raw(op.list)];
  list.description = op.state.list;
  list.state_as_of = std::max(list.state_as_of, op.state.as_of);
  for (const ListStateLane& state : op.state.lanes) {
    Lane& lane = list.lanes[state.priority];
    lane.next = std::max(lane.next, state.next);
    lane.touched_to = std::max(lane.touched_to, state.touched_to);
  }
  std::set<std::uint64_t> stated;
  for (const ListStateReader& state : op.state.readers) {
    const std::uint64_t id = core::raw(state.description.id);
    stated.insert(id);
    Reader& reader = list.readers[id];
    reader.description = state.description;
    for (std::size_t lane = 0; lane < op.state.lanes.size(); ++lane) {
      std::uint64_t& first = reader.first[op.state.lanes[lane].priority];
      first = std::max(first, state.first[lane]);
    }
  }
  std::erase_if(list.readers, [&](const auto& each) {
    return each.second.created_at <= op.state.as_of && !stated.contains(each.first);
  });
  // A reader made after what the state reflects, though before the state was written, reads none of
  // what was there by then. Where that is told again it stands behind the reader.
  for (auto& [id, reader] : list.readers) {
    if (stated.contains(id)) continue;
    for (const ListStateLane& state : op.state.lanes) {
      std::uint64_t& first = reader.first[state.priority];
      first = std::max(first, state.next);
    }
  }
}

void RebuildFacts::learn_attachment(const JournalOp& op, std::uint64_t index) {
  const bool restored =
      op.kind == JournalOpKind::restore_attachment || op.kind == JournalOpKind::restore_tombstone;
  const std::uint64_t version = restored ? op.version : index;
  Attachment& attachment = attachments[std::string(op.key)];
  if (version < attachment.version) return;
  attachment.version = version;
  attachment.held_at = index;
  const bool deleted =
      op.kind == JournalOpKind::delete_attachment || op.kind == JournalOpKind::restore_tombstone;
  attachment.value = deleted ? std::nullopt : std::optional<std::string>(op.value);
}

void RebuildFacts::settle() {
  for (auto& [key, ranges] : acknowledged) ranges.settle();
  for (const std::uint64_t list : deleted_lists) lists.erase(list);
  std::erase_if(lists, [](const auto& each) { return !each.second.description; });
  for (auto& [id, list] : lists) {
    std::erase_if(list.readers,
                  [&](const auto& each) { return deleted_readers.contains(each.first); });
    if (core::is_queue(list.description->destination.kind)) {
      list.readers.try_emplace(core::raw(core::kQueueReader));
    }
  }
}

std::uint32_t RebuildFacts::count(std::uint64_t list, std::uint64_t reader, std::uint8_t priority,
                                  std::uint64_t sequence) const {
  const auto found = counts.find({list, reader, priority, sequence});
  return found == counts.end() ? 0 : found->second;
}

bool RebuildFacts::is_acknowledged(std::uint64_t list, std::uint64_t reader, std::uint8_t priority,
                                   std::uint64_t sequence) const {
  const auto ranges = acknowledged.find({list, reader, priority});
  return ranges != acknowledged.end() && ranges->second.contains(sequence);
}

}  // namespace pabal::store
