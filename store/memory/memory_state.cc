#include "store/memory/memory_state.h"

#include <algorithm>
#include <utility>

namespace pabal::store {

using core::ListId;
using core::ReaderId;
using core::StoreOp;
using core::StoreOpKind;

void MemoryState::apply(std::span<const StoreOp> ops) {
  core::MessageRef added;  // what an add_reference refers to
  for (const StoreOp& op : ops) {
    switch (op.kind) {
      case StoreOpKind::none:
        break;
      case StoreOpKind::add:
        added = op.message;
        apply_add(op, added);
        break;
      case StoreOpKind::add_reference:
        apply_add(op, added);
        break;
      case StoreOpKind::acknowledge:
        acknowledge(op);
        break;
      case StoreOpKind::touch:
        touch(op);
        break;
      case StoreOpKind::count_delivery:
      case StoreOpKind::count_refusal:
        count_deliveries(op);
        break;
      case StoreOpKind::create_list:
        create_list(op.detail->list);
        break;
      case StoreOpKind::delete_list:
        delete_list(op.list);
        break;
      case StoreOpKind::create_reader:
        create_reader(op.detail->reader);
        break;
      case StoreOpKind::delete_reader:
        delete_reader(op.list, op.reader);
        break;
      case StoreOpKind::put_attachment:
        attachments_.insert_or_assign(op.detail->key, op.detail->value);
        break;
      case StoreOpKind::delete_attachment:
        attachments_.erase(op.detail->key);
        break;
    }
  }
}

void MemoryState::apply_add(const StoreOp& op, const core::MessageRef& message) {
  const auto list = lists_.find(op.list);
  if (list == lists_.end() || !message) return;
  Lane& lane = list->second.lanes[op.priority];
  lane.next = std::max(lane.next, op.first + 1);
  if (list->second.readers.empty()) return;  // nobody to keep it for
  Entry& entry = lane.entries[op.first];
  entry.message = message;
  entry.readers.clear();
  for (const auto& [id, description] : list->second.readers) entry.readers.push_back({id, 0});
  if (references_[message.get()]++ == 0) bytes_live_ += message->flat().size();
}

MemoryState::EntryIterator MemoryState::erase(Lane& lane, EntryIterator entry) {
  const core::Message* message = entry->second.message.get();
  const auto count = references_.find(message);
  PABAL_CHECK(count != references_.end(), "a stored message is counted");
  if (--count->second == 0) {
    bytes_live_ -= message->flat().size();
    references_.erase(count);
  }
  return lane.entries.erase(entry);
}

MemoryState::EntryIterator MemoryState::drop(Lane& lane, EntryIterator entry, ReaderId reader) {
  std::erase_if(entry->second.readers,
                [&](const PendingReader& pending) { return pending.reader == reader; });
  return entry->second.readers.empty() ? erase(lane, entry) : std::next(entry);
}

void MemoryState::acknowledge(const StoreOp& op) {
  const auto list = lists_.find(op.list);
  if (list == lists_.end()) return;
  const auto lane = list->second.lanes.find(op.priority);
  if (lane == list->second.lanes.end()) return;
  auto entry = lane->second.entries.lower_bound(op.first);
  while (entry != lane->second.entries.end() && entry->first <= op.last) {
    entry = drop(lane->second, entry, op.reader);
  }
}

void MemoryState::release_entry(ListId id, std::uint8_t priority, std::uint64_t sequence) {
  const auto list = lists_.find(id);
  if (list == lists_.end()) return;
  const auto lane = list->second.lanes.find(priority);
  if (lane == list->second.lanes.end()) return;
  const auto entry = lane->second.entries.find(sequence);
  if (entry != lane->second.entries.end()) erase(lane->second, entry);
}

void MemoryState::touch(const StoreOp& op) {
  const auto list = lists_.find(op.list);
  if (list == lists_.end()) return;
  Lane& lane = list->second.lanes[op.priority];
  lane.touched_to = std::max(lane.touched_to, op.last);
}

void MemoryState::count_deliveries(const StoreOp& op) {
  const auto list = lists_.find(op.list);
  if (list == lists_.end()) return;
  const auto lane = list->second.lanes.find(op.priority);
  if (lane == list->second.lanes.end()) return;
  auto entry = lane->second.entries.lower_bound(op.first);
  for (; entry != lane->second.entries.end() && entry->first <= op.last; ++entry) {
    for (PendingReader& pending : entry->second.readers) {
      if (pending.reader != op.reader) continue;
      pending.counts = count_one(pending.counts, op.kind == StoreOpKind::count_refusal);
    }
  }
}

void MemoryState::create_list(const core::ListDescription& description) {
  List& list = lists_[description.id];
  list.description = description;
  if (core::is_queue(description.destination.kind)) {
    list.readers[core::kQueueReader] = {.id = core::kQueueReader,
                                        .list = description.id,
                                        .client_id = {},
                                        .name = {},
                                        .selector = {},
                                        .no_local = false};
  }
  last_list_ = std::max(last_list_, description.id);
}

void MemoryState::delete_list(ListId id) {
  const auto list = lists_.find(id);
  if (list == lists_.end()) return;
  for (auto& [priority, lane] : list->second.lanes) {
    for (auto entry = lane.entries.begin(); entry != lane.entries.end();) {
      entry = erase(lane, entry);
    }
  }
  lists_.erase(list);
}

void MemoryState::create_reader(const core::ReaderDescription& description) {
  last_reader_ = std::max(last_reader_, description.id);
  const auto list = lists_.find(description.list);
  if (list != lists_.end()) list->second.readers.insert_or_assign(description.id, description);
}

void MemoryState::delete_reader(ListId id, ReaderId reader) {
  const auto list = lists_.find(id);
  if (list == lists_.end() || list->second.readers.erase(reader) == 0) return;
  for (auto& [priority, lane] : list->second.lanes) {
    for (auto entry = lane.entries.begin(); entry != lane.entries.end();) {
      entry = drop(lane, entry, reader);
    }
  }
}

namespace {

constexpr std::uint64_t kPart = 256;
/// With PageRequest::due_by, so many entries are looked at for one page.
constexpr std::uint64_t kLooksMax = 16'384;

/// Page::later, by parts as the index has them.
void note_later(core::Page& page, std::uint64_t sequence, std::int64_t expiration) {
  if (page.later.empty() || page.later.back().first / kPart != sequence / kPart) {
    page.later.emplace_back(sequence, expiration);
  } else {
    page.later.back().second = std::min(page.later.back().second, expiration);
  }
}

}  // namespace

core::Page MemoryState::read(const core::PageRequest& request) const {
  core::Page page;
  page.request = request.id;
  page.covered_to = request.end;
  const auto list = lists_.find(request.list);
  if (list == lists_.end()) return page;
  const auto found = list->second.lanes.find(request.priority);
  if (found == list->second.lanes.end()) return page;
  const Lane& lane = found->second;

  std::uint64_t bytes = 0;
  auto entry = lane.entries.lower_bound(request.first);
  for (; entry != lane.entries.end() && entry->first < request.end; ++entry) {
    const auto pending =
        std::find_if(entry->second.readers.begin(), entry->second.readers.end(),
                     [&](const PendingReader& each) { return each.reader == request.reader; });
    if (pending == entry->second.readers.end()) continue;
    if (request.due_by != 0) {
      if (entry->first - request.first >= kLooksMax) {
        page.covered_to = entry->first;
        return page;
      }
      const std::int64_t expiration = entry->second.message->expiration();
      if (expiration > request.due_by) note_later(page, entry->first, expiration);
      if (expiration == 0 || expiration > request.due_by) continue;
    }
    if (page.entries.size() >= request.entries_max || bytes > request.bytes_max) {
      page.covered_to = entry->first;
      return page;
    }
    bytes += entry->second.message->flat().size();
    page.entries.push_back({entry->first, entry->second.message, deliveries_of(pending->counts),
                            refusals_of(pending->counts)});
  }
  return page;
}

core::RecoveredState MemoryState::recovered() const {
  core::RecoveredState state;
  state.last_list = last_list_;
  state.last_reader = last_reader_;
  state.attachments.assign(attachments_.begin(), attachments_.end());
  for (const auto& [id, list] : lists_) {
    core::RecoveredList& recovered = state.lists.emplace_back();
    recovered.description = list.description;
    for (const auto& entry_of_reader : list.readers) {
      const ReaderId reader_id = entry_of_reader.first;
      core::RecoveredReader& reader = recovered.readers.emplace_back();
      reader.description = entry_of_reader.second;
      for (const auto& [priority, lane] : list.lanes) {
        core::RecoveredCursor cursor{.priority = priority,
                                     .first = lane.next,
                                     .next = lane.next,
                                     .touched_to = lane.touched_to,
                                     .entries = 0,
                                     .bytes = 0};
        for (const auto& [sequence, entry] : lane.entries) {
          const bool pending =
              std::any_of(entry.readers.begin(), entry.readers.end(),
                          [&](const PendingReader& each) { return each.reader == reader_id; });
          if (!pending) continue;
          if (cursor.entries++ == 0) cursor.first = sequence;
          cursor.bytes += entry.message->flat().size();
        }
        reader.cursors.push_back(cursor);
      }
    }
    for (const auto& [priority, lane] : list.lanes) {
      for (const auto& [sequence, entry] : lane.entries) {
        const std::int64_t time = entry.message->expiration();
        if (time == 0) continue;
        auto& parts = recovered.expiry;
        const std::uint64_t first = sequence - sequence % kPart;
        if (parts.empty() || parts.back().priority != priority || parts.back().first != first) {
          parts.push_back({priority, first, first + kPart - 1, time});
        }
        parts.back().earliest = std::min(parts.back().earliest, time);
      }
    }
  }
  return state;
}

}  // namespace pabal::store
