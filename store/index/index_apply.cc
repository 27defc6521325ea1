// How one committed entry changes the state. Every step is checked against what is there, because a
// step may be about something that has gone meanwhile: that changes nothing.
#include <algorithm>

#include "store/index/index.h"
#include "store/index/rebuild.h"
#include "store/index/rows.h"

namespace pabal::store {

using core::ListId;
using core::ReaderId;

namespace {

constexpr int kBlocksAtOnce = 16;  // of something deleted; the rest follows in work()

/// What an entry adds to its segment's live bytes: its share of a message that several lists have.
/// (Counting a message once until its last reference goes would need a count per message.)
std::int64_t share(const BlockEntry& entry) {
  return (static_cast<std::int64_t>(entry.bytes) + entry.references - 1) / entry.references;
}

}  // namespace

Result<void> Index::apply(const LogPosition& position, std::string_view ops,
                          std::uint64_t payload_offset) {
  MutexLock lock(mutex_);
  position_ = position;
  changed_ = true;
  OpReader reader(ops, payload_offset);
  while (reader.next(op_)) {
    if (auto done = apply_op(op_); !done) return done;
  }
  if (!reader.complete()) {
    return Error{Errc::store_io, "a journal entry has steps that this version does not know"};
  }
  if (memory_bytes_ > 2 * memory_bytes_max_) evict();
  return {};
}

Result<void> Index::apply_op(JournalOp& op) {
  if (op.kind == JournalOpKind::add || op.kind == JournalOpKind::relocate) {
    for (const Place& place : op.places) {
      auto done = op.kind == JournalOpKind::add ? add(op, place) : relocate(op, place);
      if (!done) return done;
    }
    return {};
  }
  if (rebuild_ != nullptr) return {};  // the first pass knows all the rest
  switch (op.kind) {
    case JournalOpKind::acknowledge:
      return acknowledge(op);
    case JournalOpKind::touch:
      if (List* list = find_list(op.list)) {
        Lane& lane = lane_of(*list, op.priority);
        lane.touched_to = std::max(lane.touched_to, op.last);
        mark_dirty(lane);
      }
      return {};
    case JournalOpKind::create_list:
      create_list(op.list_description);
      return {};
    case JournalOpKind::count_delivery:
    case JournalOpKind::count_refusal:
    case JournalOpKind::set_count:
      return count_deliveries(op);
    case JournalOpKind::delete_list:
    case JournalOpKind::list_deleted:
      return delete_list(op.list);
    case JournalOpKind::create_reader:
      create_reader(op.reader_description);
      return {};
    case JournalOpKind::delete_reader:
      return delete_reader(op.list, op.reader);
    case JournalOpKind::list_state:
      if (List* list = find_list(op.list)) {
        list->state_as_of = std::max(list->state_as_of, op.state.as_of);
        mark_dirty(*list);
      }
      return {};
    case JournalOpKind::high_ids:
      last_list_ = std::max(last_list_, op.list);
      last_reader_ = std::max(last_reader_, op.reader);
      return {};
    case JournalOpKind::kept_segments:
      return {};  // for a rebuild
    default:
      return apply_attachment(op);
  }
}

// --- messages ------------------------------------------------------------------------------------

Result<Block*> Index::block_for_add(Lane& lane, std::uint64_t number) {
  const auto there = lane.blocks.find(number);
  if (there != lane.blocks.end()) return there->second.get();
  auto loaded = find_block(lane, number);
  if (!loaded || *loaded != nullptr) return loaded;
  return &new_block(lane, number);
}

Index::ExpirySpan& Index::expiry_span(Lane& lane, std::uint64_t sequence) {
  const std::uint64_t number = sequence / kSpanEntries;
  auto& spans = lane.expiry;
  if (!spans.empty() && spans.back().number == number) return spans.back();  // nearly always
  const auto at = std::lower_bound(
      spans.begin(), spans.end(), number,
      [](const ExpirySpan& each, std::uint64_t wanted) { return each.number < wanted; });
  if (at != spans.end() && at->number == number) return *at;
  ExpirySpan span;
  span.number = number;
  return *spans.insert(at, span);
}

void Index::count_expiring(Lane& lane, std::uint64_t sequence, std::int64_t expiration) {
  ExpirySpan& span = expiry_span(lane, sequence);
  span.earliest = span.count == 0 ? expiration : std::min(span.earliest, expiration);
  ++span.count;
  span.dirty = true;
}

void Index::uncount_expiring(Lane& lane, std::uint64_t sequence) {
  ExpirySpan& span = expiry_span(lane, sequence);
  if (span.count > 0) --span.count;
  span.dirty = true;
}

Result<void> Index::add(const JournalOp& op, const Place& place) {
  List* list = find_list(place.list);
  if (list == nullptr) return {};
  Lane& lane = lane_of(*list, place.priority);
  lane.next = std::max(lane.next, place.sequence + 1);
  mark_dirty(lane);

  BlockEntry entry;
  entry.segment = static_cast<std::uint32_t>(position_.segment);
  entry.offset = static_cast<std::uint32_t>(op.payload_offset);
  entry.bytes = op.payload_bytes;
  entry.references = static_cast<std::uint32_t>(op.places.size());
  entry.expiration = op.expiration;
  auto needed_by = [&](std::size_t at) PABAL_NO_THREAD_SAFETY_ANALYSIS {
    if (list->readers[at].dying || place.sequence < lane.cursors[at].first) return false;
    return rebuild_ == nullptr ||
           !rebuild_->is_acknowledged(core::raw(place.list), core::raw(list->readers[at].id),
                                      place.priority, place.sequence);
  };
  for (std::size_t at = 0; at < list->readers.size(); ++at) entry.needed += needed_by(at) ? 1 : 0;
  if (entry.needed == 0) return {};

  auto block = block_for_add(lane, block_of(place.sequence));
  if (!block) return block.error();
  const std::uint32_t position = position_of(place.sequence);
  if ((*block)->find(position) != nullptr) return {};  // written twice: the first counts
  (*block)->put(position, entry);
  if (entry.expiration != 0) count_expiring(lane, place.sequence, entry.expiration);
  for (std::size_t at = 0; at < list->readers.size(); ++at) {
    if (needed_by(at)) {
      // An emptied cursor stands anywhere below; exact again from its first entry on.
      if (lane.cursors[at].entries == 0 && rebuild_ == nullptr) {
        lane.cursors[at].first = place.sequence;
      }
      ++lane.cursors[at].entries;
      lane.cursors[at].bytes += entry.bytes;
      if (rebuild_ != nullptr) restore_count(**block, *list, at, place);
    } else if (!list->readers[at].dying) {
      (*block)->set_acked(core::raw(list->readers[at].id), position);
    }
  }
  change_live(entry.segment, share(entry));
  mark_dirty(lane, **block);
  return {};
}

void Index::restore_count(Block& block, const List& list, std::size_t reader, const Place& place) {
  const std::uint64_t id = core::raw(list.readers[reader].id);
  const std::uint32_t count =
      rebuild_->count(core::raw(place.list), id, place.priority, place.sequence);
  if (count > 0) block.set_count(id, position_of(place.sequence), count);
}

/// The message was written again because its segment goes. Who acknowledged it meanwhile has done
/// so.
Result<void> Index::relocate(const JournalOp& op, const Place& place) {
  List* list = find_list(place.list);
  Lane* lane = list == nullptr ? nullptr : find_lane(*list, place.priority);
  if (lane == nullptr) return rebuild_ != nullptr ? add(op, place) : Result<void>();
  auto block = find_block(*lane, block_of(place.sequence));
  if (!block) return block.error();
  BlockEntry* entry = *block == nullptr ? nullptr : (*block)->find(position_of(place.sequence));
  if (entry == nullptr) return rebuild_ != nullptr ? add(op, place) : Result<void>();
  const bool same = entry->segment == op.old_segment && entry->offset == op.old_offset;
  if (!same && rebuild_ == nullptr) return {};
  change_live(entry->segment, -share(*entry));
  entry->segment = static_cast<std::uint32_t>(position_.segment);
  entry->offset = static_cast<std::uint32_t>(op.payload_offset);
  entry->references = static_cast<std::uint32_t>(op.places.size());
  change_live(entry->segment, share(*entry));
  mark_dirty(*lane, **block);
  return {};
}

Result<void> Index::acknowledge(const JournalOp& op) {
  List* list = find_list(op.list);
  Lane* lane = list == nullptr ? nullptr : find_lane(*list, op.priority);
  if (lane == nullptr) return {};
  const std::size_t reader = reader_at(*list, op.reader);
  if (reader == list->readers.size() || list->readers[reader].dying) return {};
  return acknowledge(*lane, reader, op.first, op.last);
}

Result<void> Index::acknowledge(Lane& lane, std::size_t reader, std::uint64_t first,
                                std::uint64_t last) {
  const bool from_start = first <= lane.cursors[reader].first;
  first = std::max(first, lane.cursors[reader].first);
  last = std::min(last, lane.next - 1);
  if (first > last) return {};
  mark_dirty(lane);
  auto block = find_block(lane, block_of(first));
  for (;;) {
    if (!block) return block.error();
    std::uint64_t number = block_of(first);
    if (*block != nullptr) {
      if ((*block)->first_sequence() > last) break;
      number = (*block)->number();
      if (auto done = acknowledge_in(lane, **block, reader, first, last); !done) return done;
    }
    first = (number + 1) * kBlockEntries;
    if (first > last || lane.cursors[reader].entries == 0) break;
    block = next_block(lane, number + 1);
    if (block && *block == nullptr) break;
  }
  if (lane.cursors[reader].entries == 0) {
    lane.cursors[reader].first = lane.next;
  } else if (from_start) {
    return advance(lane, reader, last + 1);
  }
  return {};
}

/// Settles what of the range is in this block, which may be gone afterwards.
Result<void> Index::acknowledge_in(Lane& lane, Block& block, std::size_t reader,
                                   std::uint64_t first, std::uint64_t last) {
  const bool queue = core::is_queue(lane.list->description.destination.kind);
  const std::uint64_t id = core::raw(lane.list->readers[reader].id);
  ReaderCursor& cursor = lane.cursors[reader];
  const std::uint64_t start = block.first_sequence();
  const auto from = first > start ? position_of(first) : 0;
  bool changed = false;
  for (auto at = block.next(from); at && start + *at <= last; at = block.next(*at + 1)) {
    BlockEntry& entry = *block.find(*at);
    if (!queue) {
      if (block.acked(id, *at)) continue;
      block.set_acked(id, *at);
    }
    changed = true;
    --cursor.entries;
    cursor.bytes -= entry.bytes;
    if (--entry.needed > 0) continue;
    change_live(entry.segment, -share(entry));
    if (entry.expiration != 0) uncount_expiring(lane, start + *at);
    block.erase(*at);
  }
  if (!changed) return {};
  mark_dirty(lane, block);
  // What was added and done with between two flushes never reaches LevelDB.
  if (block.live() == 0 && !block.persisted) forget_block(lane, lane.blocks.find(block.number()));
  return {};
}

/// Moves the cursor to the first entry at or above `from` that the reader needs.
Result<void> Index::advance(Lane& lane, std::size_t reader, std::uint64_t from) {
  ReaderCursor& cursor = lane.cursors[reader];
  std::uint64_t sequence = std::max(cursor.first, from);
  while (sequence < lane.next) {
    auto block = next_block(lane, block_of(sequence));
    if (!block) return block.error();
    if (*block == nullptr) break;
    sequence = std::max(sequence, (*block)->first_sequence());
    for (auto at = (*block)->next(position_of(sequence)); at; at = (*block)->next(*at + 1)) {
      const std::uint64_t found = (*block)->first_sequence() + *at;
      if (!needs(lane, reader, **block, found)) continue;
      cursor.first = found;
      return {};
    }
    sequence = (*block)->first_sequence() + kBlockEntries;
  }
  cursor.first = lane.next;
  return {};
}

bool Index::needs(const Lane& lane, std::size_t reader, const Block& block,
                  std::uint64_t sequence) const {
  const ReaderCursor& cursor = lane.cursors[reader];
  if (sequence < cursor.first || sequence >= cursor.end) return false;
  if (block.find(position_of(sequence)) == nullptr) return false;
  if (core::is_queue(lane.list->description.destination.kind)) return true;
  return !block.acked(core::raw(lane.list->readers[reader].id), position_of(sequence));
}

Result<void> Index::count_deliveries(const JournalOp& op) {
  List* list = find_list(op.list);
  Lane* lane = list == nullptr ? nullptr : find_lane(*list, op.priority);
  if (lane == nullptr) return {};
  const std::size_t reader = reader_at(*list, op.reader);
  if (reader == list->readers.size()) return {};
  const std::uint64_t last = std::min(op.last, lane->next - 1);
  for (std::uint64_t sequence = op.first; sequence <= last; ++sequence) {
    auto block = find_block(*lane, block_of(sequence));
    if (!block) return block.error();
    if (*block == nullptr) {
      sequence = (block_of(sequence) + 1) * kBlockEntries - 1;
      continue;
    }
    if (!needs(*lane, reader, **block, sequence)) continue;
    const std::uint32_t position = position_of(sequence);
    const DeliveryCounts before = (*block)->count(core::raw(op.reader), position);
    const auto stated = static_cast<DeliveryCounts>(op.version);
    (*block)->set_count(core::raw(op.reader), position,
                        op.kind == JournalOpKind::set_count
                            ? highest(before, stated)
                            : count_one(before, op.kind == JournalOpKind::count_refusal));
    mark_dirty(*lane, **block);
  }
  return {};
}

// --- lists and readers ---------------------------------------------------------------------------

void Index::create_list(const core::ListDescription& description) {
  last_list_ = std::max(last_list_, description.id);
  auto& list = lists_[core::raw(description.id)];
  if (list) return;
  list = std::make_unique<List>();
  list->description = description;
  if (core::is_queue(description.destination.kind)) {
    list->readers.push_back({core::kQueueReader, false, nullptr});
  }
  mark_dirty(*list);
}

void Index::create_reader(const core::ReaderDescription& description) {
  last_reader_ = std::max(last_reader_, description.id);
  List* list = find_list(description.list);
  if (list == nullptr || reader_at(*list, description.id) != list->readers.size()) return;
  const auto place =
      std::upper_bound(list->readers.begin(), list->readers.end(), description.id,
                       [](ReaderId wanted, const Reader& each) { return wanted < each.id; });
  const auto at = place - list->readers.begin();
  list->readers.insert(
      place, Reader{description.id, false, std::make_unique<core::ReaderDescription>(description)});
  for (const auto& lane : list->lanes) {
    ReaderCursor cursor;
    cursor.first = lane->next;
    lane->cursors.insert(lane->cursors.begin() + at, cursor);
    mark_dirty(*lane);
  }
  mark_dirty(*list);
}

Result<void> Index::delete_list(ListId id) {
  List* list = find_list(id);
  if (list == nullptr) return {};
  list->dying = true;
  for (Reader& reader : list->readers) reader.dying = true;
  for (const auto& lane : list->lanes) mark_dirty(*lane);
  mark_dirty(*list);
  dying_.push_back(core::raw(id));
  return release_dying(*list, kBlocksAtOnce);
}

Result<void> Index::delete_reader(ListId id, ReaderId reader) {
  List* list = find_list(id);
  if (list == nullptr) return {};
  const std::size_t at = reader_at(*list, reader);
  if (at == list->readers.size() || list->readers[at].dying) return {};
  list->readers[at].dying = true;
  for (const auto& lane : list->lanes) {
    lane->cursors[at].end = lane->next;
    mark_dirty(*lane);
  }
  mark_dirty(*list);
  dying_.push_back(core::raw(id));
  return release_dying(*list, kBlocksAtOnce);
}

Result<void> Index::release_dying(List& list, int blocks) {
  for (std::size_t at = 0; at < list.readers.size();) {
    if (!list.readers[at].dying) {
      ++at;
      continue;
    }
    for (const auto& lane : list.lanes) {
      ReaderCursor& cursor = lane->cursors[at];
      while (cursor.entries > 0) {
        if (blocks-- == 0) return {};
        auto block = next_block(*lane, block_of(cursor.first));
        if (!block) return block.error();
        if (*block == nullptr) {
          return Error{Errc::store_io,
                       "damaged index: entries that a list should have are missing"};
        }
        const std::uint64_t first = std::max(cursor.first, (*block)->first_sequence());
        const std::uint64_t behind = (*block)->first_sequence() + kBlockEntries;
        const std::uint64_t last = std::min(behind, cursor.end) - 1;
        if (auto done = acknowledge_in(*lane, **block, at, first, last); !done) return done;
        cursor.first = behind;
        mark_dirty(*lane);
      }
    }
    remove_reader(list, at);
  }
  std::erase(dying_, core::raw(list.description.id));
  if (list.dying) remove_list(list);
  return {};
}

void Index::remove_reader(List& list, std::size_t reader) {
  removed_keys_.push_back(reader_key(list.description.id, list.readers[reader].id));
  const auto at = static_cast<std::ptrdiff_t>(reader);
  list.readers.erase(list.readers.begin() + at);
  for (const auto& lane : list.lanes) {
    lane->cursors.erase(lane->cursors.begin() + at);
    mark_dirty(*lane);
  }
  mark_dirty(list);
}

void Index::remove_list(List& list) {
  const ListId id = list.description.id;
  removed_keys_.push_back(row_key(kListRow, core::raw(id)));
  for (const auto& lane : list.lanes) {
    removed_keys_.push_back(lane_key(id, lane->priority));
    for (const auto& [number, block] : lane->blocks) {
      if (block->persisted) removed_keys_.push_back(block_key(id, lane->priority, number));
      memory_bytes_ -= block->charged;
    }
    lane->blocks.clear();
    for (const ExpirySpan& span : lane->expiry) {
      removed_keys_.push_back(expiry_key(id, lane->priority, span.number));
    }
    lane->expiry.clear();
  }
  list.gone = true;
  const auto found = lists_.find(core::raw(id));
  graveyard_.push_back(std::move(found->second));
  lists_.erase(found);
  changed_ = true;
}

Result<bool> Index::work() {
  MutexLock lock(mutex_);
  if (dying_.empty()) return false;
  const auto list = lists_.find(dying_.front());
  if (list == lists_.end()) {
    dying_.erase(dying_.begin());
    return true;
  }
  if (auto done = release_dying(*list->second, kBlocksAtOnce); !done) return done.error();
  return true;
}

// --- attachments ---------------------------------------------------------------------------------

Result<void> Index::apply_attachment(const JournalOp& op) {
  const std::uint64_t now = position_.index;
  switch (op.kind) {
    case JournalOpKind::put_attachment:
    case JournalOpKind::delete_attachment:
      return replace_attachment(op);
    case JournalOpKind::restore_attachment: {
      auto row = find_attachment(op.key);
      if (!row) return row.error();
      if (!*row || !(*row)->value || (*row)->version != op.version) return {};  // newer by now
      (*row)->held_at = now;
      (*row)->flushing = false;
      attachments_.insert_or_assign(std::string(op.key), std::move(**row));
      return {};
    }
    default:
      return {};
  }
}

Result<void> Index::replace_attachment(const JournalOp& op) {
  const auto before = find_attachment(op.key);
  if (!before) return before.error();
  if (*before && (*before)->value) attachment_bytes_ -= op.key.size() + (*before)->value->size();
  AttachmentRow row{position_.index, position_.index, std::nullopt, false};
  if (op.kind == JournalOpKind::put_attachment) {
    row.value = std::string(op.value);
    attachment_bytes_ += op.key.size() + op.value.size();
  }
  attachments_.insert_or_assign(std::string(op.key), std::move(row));
  return {};
}

// --- rebuilding ----------------------------------------------------------------------------------

void Index::begin_rebuild(const RebuildFacts& facts) {
  MutexLock lock(mutex_);
  rebuild_ = &facts;
  last_list_ = ListId{facts.last_list};
  last_reader_ = ReaderId{facts.last_reader};
  for (const auto& [id, known] : facts.lists) {
    auto list = std::make_unique<List>();
    list->description = *known.description;
    list->state_as_of = known.state_as_of;
    const bool queue = core::is_queue(list->description.destination.kind);
    for (const auto& [reader_id, reader] : known.readers) {
      auto description =
          queue ? nullptr : std::make_unique<core::ReaderDescription>(reader.description);
      list->readers.push_back({ReaderId{reader_id}, false, std::move(description)});
    }
    for (const auto& [priority, state] : known.lanes) {
      Lane& lane = lane_of(*list, priority);
      lane.next = state.next;
      lane.touched_to = state.touched_to;
      std::size_t at = 0;
      for (const auto& [reader_id, reader] : known.readers) {
        const auto first = reader.first.find(priority);
        if (first != reader.first.end())
          lane.cursors[at].first = std::max<std::uint64_t>(1, first->second);
        ++at;
      }
      mark_dirty(lane);
    }
    mark_dirty(*list);
    lists_[id] = std::move(list);
  }
  for (const auto& [key, attachment] : facts.attachments) {
    if (!attachment.value) continue;
    attachments_[key] = {attachment.version, attachment.held_at, attachment.value, false};
    attachment_bytes_ += key.size() + attachment.value->size();
  }
  changed_ = true;
}

Result<void> Index::end_rebuild() {
  MutexLock lock(mutex_);
  for (auto& [id, list] : lists_) {
    for (const auto& lane : list->lanes) {
      for (std::size_t at = 0; at < lane->cursors.size(); ++at) {
        if (auto done = advance(*lane, at, 0); !done) return done;
      }
      mark_dirty(*lane);
    }
  }
  rebuild_ = nullptr;
  changed_ = true;
  return {};
}

}  // namespace pabal::store
