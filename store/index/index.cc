#include "store/index/index.h"

#include <algorithm>

#include "store/coding.h"
#include "store/index/rebuild.h"
#include "store/index/rows.h"

namespace pabal::store {

using core::ListId;
using core::ReaderId;

namespace {

Error bad_row(const char* what) {
  return {Errc::store_io, std::string("damaged index: a ") + what + " row makes no sense"};
}

}  // namespace

Index::~Index() = default;

// --- looking things up ---------------------------------------------------------------------------

Index::List* Index::find_list(ListId id) {
  const auto list = lists_.find(core::raw(id));
  return list == lists_.end() || list->second->dying ? nullptr : list->second.get();
}

const Index::List* Index::find_list(ListId id) const {
  const auto list = lists_.find(core::raw(id));
  return list == lists_.end() || list->second->dying ? nullptr : list->second.get();
}

std::size_t Index::reader_at(const List& list, ReaderId reader) {
  const auto found =
      std::lower_bound(list.readers.begin(), list.readers.end(), reader,
                       [](const Reader& each, ReaderId wanted) { return each.id < wanted; });
  const auto at = static_cast<std::size_t>(found - list.readers.begin());
  return at < list.readers.size() && found->id == reader ? at : list.readers.size();
}

Index::Lane* Index::find_lane(List& list, std::uint8_t priority) {
  for (const auto& lane : list.lanes) {
    if (lane->priority == priority) return lane.get();
  }
  return nullptr;
}

const Index::Lane* Index::find_lane(const List& list, std::uint8_t priority) {
  return find_lane(const_cast<List&>(list), priority);
}

Index::Lane& Index::lane_of(List& list, std::uint8_t priority) {
  if (Lane* lane = find_lane(list, priority)) return *lane;
  auto lane = std::make_unique<Lane>();
  lane->list = &list;
  lane->priority = priority;
  lane->cursors.resize(list.readers.size());
  const auto place = std::find_if(list.lanes.begin(), list.lanes.end(),
                                  [&](const auto& each) { return each->priority > priority; });
  return **list.lanes.insert(place, std::move(lane));
}

Block& Index::new_block(Lane& lane, std::uint64_t number) {
  if (lane.absent == number) lane.absent = ~0ULL;
  auto& block = lane.blocks[number];
  block = std::make_unique<Block>(number);
  if (!lane.resident) {
    lane.resident = true;
    resident_lanes_.push_back(&lane);
  }
  charge(*block);
  return *block;
}

Result<Block*> Index::load_block(Lane& lane, std::uint64_t number, std::string_view row) {
  Block& block = new_block(lane, number);
  if (!block.decode(row)) return bad_row("block");
  block.persisted = true;
  --lane.unloaded;
  charge(block);
  return &block;
}

Result<Block*> Index::find_block(Lane& lane, std::uint64_t number) {
  const auto found = lane.blocks.find(number);
  if (found != lane.blocks.end()) {
    return found->second->live() > 0 ? found->second.get() : nullptr;
  }
  if (lane.unloaded == 0 || lane.absent == number) return nullptr;
  auto row = rows_->get(block_key(lane.list->description.id, lane.priority, number));
  if (!row) return row.error();
  if (!*row) {
    lane.absent = number;
    return nullptr;
  }
  return load_block(lane, number, **row);
}

Result<Block*> Index::next_block(Lane& lane, std::uint64_t number) {
  auto in_memory = lane.blocks.lower_bound(number);
  if (in_memory != lane.blocks.end() && in_memory->first == number &&
      in_memory->second->live() > 0) {
    return in_memory->second.get();
  }
  while (in_memory != lane.blocks.end() && in_memory->second->live() == 0) ++in_memory;
  if (lane.unloaded > 0) {
    const bool bounded = in_memory != lane.blocks.end();
    const std::string from = block_key(lane.list->description.id, lane.priority, number);
    const std::string end =
        bounded
            ? block_key(lane.list->description.id, lane.priority, in_memory->first)
            : block_key(lane.list->description.id, static_cast<std::uint8_t>(lane.priority + 1), 0);
    std::optional<std::pair<std::uint64_t, std::string>> found;
    auto scanned = rows_->scan(from, end, [&](std::string_view key, std::string_view value) {
      const std::uint64_t at = get_key_number(key, 10);
      if (lane.blocks.contains(at)) return true;  // memory knows better
      found.emplace(at, value);
      return false;
    });
    if (!scanned) return scanned.error();
    if (found) return load_block(lane, found->first, found->second);
  }
  return in_memory == lane.blocks.end() ? nullptr : in_memory->second.get();
}

void Index::charge(Block& block) {
  const std::size_t bytes = block.memory_bytes();
  memory_bytes_ += bytes - block.charged;
  block.charged = bytes;
}

void Index::mark_dirty(Lane& lane) {
  changed_ = true;
  if (lane.dirty) return;
  lane.dirty = true;
  dirty_lanes_.push_back(&lane);
}

void Index::mark_dirty(List& list) {
  changed_ = true;
  if (list.dirty) return;
  list.dirty = true;
  dirty_lists_.push_back(&list);
}

void Index::mark_dirty(Lane& lane, Block& block) {
  block.dirty = true;
  charge(block);
  mark_dirty(lane);
}

void Index::change_live(std::uint32_t segment, std::int64_t bytes) {
  SegmentUse& use = segments_[segment];
  use.live += static_cast<std::uint64_t>(bytes);
  use.dirty = true;
  bytes_live_ += static_cast<std::uint64_t>(bytes);
}

// --- loading -------------------------------------------------------------------------------------

void Index::clear() {
  position_ = flushed_ = {};
  flush_number_ = 0;
  dirty_lists_.clear();
  dirty_lanes_.clear();
  resident_lanes_.clear();
  dying_.clear();
  removed_keys_.clear();
  attachments_.clear();
  segments_.clear();
  lists_.clear();
  graveyard_.clear();
  bytes_live_ = 0;
  attachment_bytes_ = 0;
  memory_bytes_ = 0;
  last_list_ = {};
  last_reader_ = {};
  changed_ = false;
}

Result<void> Index::wipe() {
  MutexLock lock(mutex_);
  rows_.reset();
  clear();
  if (auto gone = factory_.destroy(directory_); !gone) return gone;
  auto rows = factory_.open(directory_);
  if (!rows) return rows.error();
  rows_ = std::move(*rows);
  return {};
}

Result<void> Index::load(std::optional<IndexUnusable>& unusable) {
  MutexLock lock(mutex_);
  clear();
  rows_.reset();
  auto rows = factory_.open(directory_);
  if (!rows) {
    // No space is no reason to throw the index away; anything else is.
    if (rows.error().code == Errc::store_full) return rows.error();
    unusable = IndexUnusable{rows.error().text};
    return {};
  }
  rows_ = std::move(*rows);
  const auto main = read_main(unusable);
  if (!main) return {};
  flush_number_ = main->flush_number;
  position_ = flushed_ = main->position;
  last_list_ = main->last_list;
  last_reader_ = main->last_reader;
  if (auto loaded = load_rows(); !loaded) {
    clear();
    unusable = IndexUnusable{loaded.error().text};
  }
  return {};
}

/// P and the numbers of the flushes up to it. LevelDB passes over a page of its log that was lost
/// without a word; the flush that stood there leaves a gap in the numbers.
std::optional<Index::MainRow> Index::read_main(std::optional<IndexUnusable>& unusable) {
  auto refuse = [&](std::string reason) {
    unusable = IndexUnusable{std::move(reason)};
    return std::nullopt;
  };
  auto row = rows_->get(std::string(1, kMainRow));
  if (!row) return refuse(row.error().text);
  if (!*row) return refuse("it is empty");
  Decoder in(**row);
  const std::uint64_t version = in.varint();
  if (version != kIndexFormatVersion) {
    return refuse("it is of format version " + std::to_string(version));
  }
  MainRow main;
  main.flush_number = in.varint();
  main.position.epoch = in.varint();
  main.position.index = in.varint();
  main.position.segment = in.varint();
  main.position.offset = in.varint();
  main.position.end = in.varint();
  main.last_list = ListId{in.varint()};
  main.last_reader = ReaderId{in.varint()};
  if (!in.complete()) return refuse("its main row makes no sense");
  std::uint64_t expected = 0;
  bool gap = false;
  auto scanned = rows_->scan(std::string(1, kFlushRow), std::string(1, kFlushRow + 1),
                             [&](std::string_view key, std::string_view) {
                               const std::uint64_t number = get_key_number(key, 1);
                               gap = gap || (expected != 0 && number != expected);
                               expected = number + 1;
                               return true;
                             });
  if (!scanned) return refuse(scanned.error().text);
  if (gap || expected != main.flush_number + 1) return refuse("a flush is missing");
  return main;
}

Result<void> Index::load_rows() {
  bool good = true;
  auto visit = [&](std::string_view key, std::string_view value) PABAL_NO_THREAD_SAFETY_ANALYSIS {
    good = load_list_row(key, value);
    return good;
  };
  // Lists before their readers, readers before their lanes, lanes before what expires in them.
  for (const char kind : {kListRow, kReaderRow, kLaneRow, kExpiryRow, kSegmentRow}) {
    auto scanned =
        rows_->scan(std::string(1, kind), std::string(1, static_cast<char>(kind + 1)), visit);
    if (!scanned) return scanned.error();
    if (!good) return bad_row("list");
  }
  // recovered() reads these once more, when nothing can be done about a bad one.
  auto scanned = rows_->scan(std::string(1, kAttachmentRow), std::string(1, kAttachmentRow + 1),
                             [&](std::string_view key, std::string_view value) {
                               Decoder in(value);
                               (void)in.varint();
                               (void)in.varint();
                               attachment_bytes_ += key.size() - 1 + in.text().size();
                               good = in.complete();
                               return good;
                             });
  if (!scanned) return scanned.error();
  return good ? Result<void>() : bad_row("attachment");
}

bool Index::load_list_row(std::string_view key, std::string_view value) {
  if (key.size() < 9) return false;
  const std::uint64_t number = get_key_number(key, 1);
  Decoder in(value);
  if (key[0] == kSegmentRow) {
    SegmentUse& use = segments_[number];
    use.live = in.varint();
    bytes_live_ += use.live;
    return in.complete();
  }
  if (key[0] == kListRow) {
    auto list = std::make_unique<List>();
    list->description.id = ListId{number};
    list->dying = in.byte() != 0;
    list->state_as_of = in.varint();
    list->description.destination.kind = static_cast<core::DestinationKind>(in.byte());
    list->description.destination.name = in.text();
    if (core::is_queue(list->description.destination.kind)) {
      list->readers.push_back({core::kQueueReader, list->dying, nullptr});
    }
    if (list->dying) dying_.push_back(number);
    lists_[number] = std::move(list);
    return in.complete();
  }
  const auto found = lists_.find(number);
  if (found == lists_.end()) return false;
  List& list = *found->second;
  if (key[0] == kReaderRow) {
    Reader reader;
    reader.description = std::make_unique<core::ReaderDescription>();
    reader.id = reader.description->id = ReaderId{get_key_number(key, 9)};
    reader.description->list = list.description.id;
    reader.dying = in.byte() != 0;
    reader.description->client_id = in.text();
    reader.description->name = in.text();
    reader.description->selector = in.text();
    reader.description->no_local = in.byte() != 0;
    if (reader.dying && !list.dying) dying_.push_back(number);
    list.readers.push_back(std::move(reader));
    return in.complete();
  }
  if (key.size() < 10 || static_cast<std::uint8_t>(key[9]) >= core::kPriorities) return false;
  if (key[0] == kExpiryRow) {
    Lane* there = find_lane(list, static_cast<std::uint8_t>(key[9]));
    if (there == nullptr || key.size() != 18) return false;
    ExpirySpan& span = there->expiry.emplace_back();  // rows come in their order
    span.number = get_key_number(key, 10);
    span.count = static_cast<std::uint32_t>(in.varint());
    span.earliest = unzigzag(in.varint());
    return in.complete() && span.count > 0 && span.count <= kSpanEntries;
  }
  Lane& lane = lane_of(list, static_cast<std::uint8_t>(key[9]));
  lane.next = in.varint();
  lane.touched_to = in.varint();
  lane.unloaded = in.varint();
  for (ReaderCursor& cursor : lane.cursors) {
    cursor.first = in.varint();
    const std::uint64_t end = in.varint();
    cursor.end = end == 0 ? ~0ULL : end;
    cursor.entries = in.varint();
    cursor.bytes = in.varint();
  }
  return in.complete();
}

// --- answers -------------------------------------------------------------------------------------

core::RecoveredState Index::recovered() {
  MutexLock lock(mutex_);
  core::RecoveredState state;
  state.last_list = last_list_;
  state.last_reader = last_reader_;
  state.lists.reserve(lists_.size());
  for (const auto& [id, list] : lists_) {
    if (list->dying) continue;
    core::RecoveredList& recovered = state.lists.emplace_back();
    recovered.description = list->description;
    for (std::size_t at = 0; at < list->readers.size(); ++at) {
      const Reader& reader = list->readers[at];
      if (reader.dying) continue;
      core::RecoveredReader& out = recovered.readers.emplace_back();
      if (reader.description) out.description = *reader.description;
      out.description.id = reader.id;
      out.description.list = list->description.id;
      for (const auto& lane : list->lanes) {
        const ReaderCursor& cursor = lane->cursors[at];
        out.cursors.push_back({.priority = lane->priority,
                               .first = cursor.entries == 0 ? lane->next : cursor.first,
                               .next = lane->next,
                               .touched_to = lane->touched_to,
                               .entries = cursor.entries,
                               .bytes = cursor.bytes});
      }
    }
    for (const auto& lane : list->lanes) {
      for (const ExpirySpan& span : lane->expiry) {
        if (span.count == 0) continue;
        const std::uint64_t first = span.number * kSpanEntries;
        recovered.expiry.push_back(
            {lane->priority, first, first + kSpanEntries - 1, span.earliest});
      }
    }
  }
  std::sort(state.lists.begin(), state.lists.end(),
            [](const auto& a, const auto& b) { return a.description.id < b.description.id; });

  std::map<std::string, std::string, std::less<>> attachments;
  auto scanned = rows_->scan(std::string(1, kAttachmentRow), std::string(1, kAttachmentRow + 1),
                             [&](std::string_view key, std::string_view value) {
                               Decoder in(value);
                               (void)in.varint();
                               (void)in.varint();
                               attachments.emplace(key.substr(1), in.text());
                               return true;
                             });
  (void)scanned;  // an unreadable index was found out before
  for (const auto& [key, row] : attachments_) {
    if (row.value) {
      attachments.insert_or_assign(key, *row.value);
    } else {
      attachments.erase(key);
    }
  }
  for (auto& [key, value] : attachments) state.attachments.emplace_back(key, std::move(value));
  return state;
}

namespace {

/// Whether an entry has expired; if it does later, the page says so.
bool is_due(const core::PageRequest& request, const Block& block, std::uint32_t position,
            FoundPage& page) {
  const std::int64_t expiration = block.find(position)->expiration;
  if (expiration == 0) return false;
  if (expiration <= request.due_by) return true;
  const std::uint64_t first = block.first_sequence();
  if (page.later.empty() || page.later.back().first < first) {
    page.later.emplace_back(first + position, expiration);
  } else {
    page.later.back().second = std::min(page.later.back().second, expiration);
  }
  return false;
}

}  // namespace

Result<FoundPage> Index::find(const core::PageRequest& request) {
  MutexLock lock(mutex_);
  FoundPage page;
  page.covered_to = std::max(request.first, request.end);
  if (!rows_) return Error{Errc::bad_state, "the index is being opened again"};
  List* list = find_list(request.list);
  Lane* lane = list == nullptr ? nullptr : find_lane(*list, request.priority);
  if (lane == nullptr) return page;
  const std::size_t reader = reader_at(*list, request.reader);
  const std::uint64_t end = std::min(request.end, lane->next);
  if (reader == list->readers.size() || list->readers[reader].dying) return page;
  if (memory_bytes_ > memory_bytes_max_) evict();
  std::uint64_t bytes = 0;
  std::uint64_t sequence = std::max(request.first, lane->cursors[reader].first);
  // Blocks of which nothing is due are looked at without the page growing.
  constexpr int kDueBlocksMax = 64;
  for (int blocks = 0; sequence < end; ++blocks) {
    if (request.due_by != 0 && blocks == kDueBlocksMax) {
      page.covered_to = sequence;
      return page;
    }
    auto block = next_block(*lane, block_of(sequence));
    if (!block) return block.error();
    if (*block == nullptr) break;
    sequence = std::max(sequence, (*block)->first_sequence());
    auto at = (*block)->next(position_of(sequence));
    for (; at && (*block)->first_sequence() + *at < end; at = (*block)->next(*at + 1)) {
      sequence = (*block)->first_sequence() + *at;
      if (!needs(*lane, reader, **block, sequence)) continue;
      if (request.due_by != 0 && !is_due(request, **block, *at, page)) continue;
      if (page.entries.size() >= request.entries_max || bytes > request.bytes_max) {
        page.covered_to = sequence;
        return page;
      }
      const BlockEntry& entry = *(*block)->find(*at);
      page.entries.push_back({sequence, entry.segment, entry.offset, entry.bytes,
                              (*block)->count(core::raw(request.reader), *at)});
      bytes += entry.bytes;
    }
    sequence = (*block)->first_sequence() + kBlockEntries;
  }
  return page;
}

LogPosition Index::position() const {
  MutexLock lock(mutex_);
  return position_;
}

LogPosition Index::flushed() const {
  MutexLock lock(mutex_);
  return flushed_;
}

std::uint64_t Index::live_bytes(std::uint64_t segment) const {
  MutexLock lock(mutex_);
  const auto use = segments_.find(segment);
  return use == segments_.end() ? 0 : use->second.live;
}

std::map<std::uint64_t, std::uint64_t> Index::live_by_segment() const {
  MutexLock lock(mutex_);
  std::map<std::uint64_t, std::uint64_t> live;
  for (const auto& [segment, use] : segments_) {
    if (use.live > 0) live[segment] = use.live;
  }
  return live;
}

std::uint64_t Index::memory_bytes() const {
  MutexLock lock(mutex_);
  return memory_bytes_;
}

bool Index::has_list(ListId list) const {
  MutexLock lock(mutex_);
  return find_list(list) != nullptr;
}

std::uint64_t Index::list_state_as_of(ListId id) const {
  MutexLock lock(mutex_);
  const List* list = find_list(id);
  return list == nullptr ? 0 : list->state_as_of;
}

ListState Index::list_state(ListId id) const {
  MutexLock lock(mutex_);
  ListState state;
  const List* list = find_list(id);
  if (list == nullptr) return state;
  state.as_of = position_.index;
  state.list = list->description;
  for (const auto& lane : list->lanes) {
    state.lanes.push_back({lane->priority, lane->next, lane->touched_to});
  }
  for (std::size_t at = 0; at < list->readers.size(); ++at) {
    if (list->readers[at].dying) continue;
    ListStateReader& reader = state.readers.emplace_back();
    if (list->readers[at].description) reader.description = *list->readers[at].description;
    for (const auto& lane : list->lanes) {
      const ReaderCursor& cursor = lane->cursors[at];
      reader.first.push_back(cursor.entries == 0 ? lane->next : cursor.first);
    }
  }
  return state;
}

Result<Block*> Index::find_block(const Place& place) {
  List* list = find_list(place.list);
  Lane* lane = list == nullptr ? nullptr : find_lane(*list, place.priority);
  return lane == nullptr ? nullptr : find_block(*lane, block_of(place.sequence));
}

Result<bool> Index::is_at(const Place& place, std::uint64_t segment, std::uint64_t offset) {
  MutexLock lock(mutex_);
  auto block = find_block(place);
  if (!block) return block.error();
  const BlockEntry* entry =
      *block == nullptr ? nullptr : (*block)->find(position_of(place.sequence));
  return entry != nullptr && entry->segment == segment && entry->offset == offset;
}

Result<std::uint32_t> Index::count(const Place& place, ReaderId reader) {
  MutexLock lock(mutex_);
  auto block = find_block(place);
  if (!block) return block.error();
  return *block == nullptr ? 0 : (*block)->count(core::raw(reader), position_of(place.sequence));
}

bool Index::clip_acknowledged(ListId id, ReaderId reader, std::uint8_t priority,
                              std::uint64_t& first, std::uint64_t last) const {
  MutexLock lock(mutex_);
  const List* list = find_list(id);
  const Lane* lane = list == nullptr ? nullptr : find_lane(*list, priority);
  if (lane == nullptr) return false;
  const std::size_t at = reader_at(*list, reader);
  if (at == list->readers.size() || list->readers[at].dying) return false;
  const ReaderCursor& cursor = lane->cursors[at];
  first = std::max(first, cursor.entries == 0 ? lane->next : cursor.first);
  return first <= last;
}

std::pair<ListId, ReaderId> Index::high_ids() const {
  MutexLock lock(mutex_);
  return {last_list_, last_reader_};
}

}  // namespace pabal::store
