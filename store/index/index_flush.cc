// How what changed in memory becomes rows: one synced batch, numbered, with P.
#include <algorithm>

#include "store/coding.h"
#include "store/index/index.h"
#include "store/index/rows.h"

namespace pabal::store {
namespace {

// Together more than LevelDB's logs can hold before they are in tables (two of 4 MB): a flush whose
// page was lost there must be younger than the oldest row kept, or nobody would miss it.
constexpr std::uint64_t kFlushRowsKept = 4096;
constexpr std::size_t kFlushBytesMin = 2048;

}  // namespace

bool Index::begin_flush() {
  MutexLock lock(mutex_);
  if (!changed_ && position_ == flushed_) {
    // What fills the memory was read, not changed: it can go without being written.
    if (memory_bytes_ > memory_bytes_max_) evict();
    return false;
  }
  flush_ = {};
  flush_position_ = position_;
  flush_lists_ = std::exchange(dirty_lists_, {});
  flush_lanes_ = std::exchange(dirty_lanes_, {});
  flush_lists();
  for (Lane* lane : flush_lanes_) {
    if (lane->list->gone) continue;
    lane->dirty = false;
    flush_lane(*lane);
  }
  flush_removed_ = std::exchange(removed_keys_, {});
  for (const std::string& key : flush_removed_) flush_.remove(key);
  flush_rest();
  changed_ = false;
  return true;
}

void Index::flush_lists() {
  for (List* list : flush_lists_) {
    if (list->gone) continue;
    list->dirty = false;
    std::string row(1, list->dying ? 1 : 0);
    put_varint(row, list->state_as_of);
    row.push_back(static_cast<char>(list->description.destination.kind));
    put_text(row, list->description.destination.name);
    flush_.put(row_key(kListRow, core::raw(list->description.id)), std::move(row));
    for (const Reader& reader : list->readers) {
      if (!reader.description) continue;
      std::string value(1, reader.dying ? 1 : 0);
      put_text(value, reader.description->client_id);
      put_text(value, reader.description->name);
      put_text(value, reader.description->selector);
      value.push_back(reader.description->no_local ? 1 : 0);
      flush_.put(reader_key(list->description.id, reader.id), std::move(value));
    }
  }
}

void Index::flush_lane(Lane& lane) {
  const core::ListId list = lane.list->description.id;
  std::uint64_t rows = lane.unloaded;
  for (auto& [number, block] : lane.blocks) {
    if (block->dirty) {
      if (block->live() > 0) {
        std::string row;
        block->encode(row);
        flush_.put(block_key(list, lane.priority, number), std::move(row));
        block->persisted = true;
      } else {
        flush_.remove(block_key(list, lane.priority, number));
      }
      block->dirty = false;
      block->flushing = true;
    }
    if (block->live() > 0) ++rows;
  }
  std::string row;
  put_varint(row, lane.next);
  put_varint(row, lane.touched_to);
  put_varint(row, rows);
  for (const ReaderCursor& cursor : lane.cursors) {
    put_varint(row, cursor.first);
    put_varint(row, cursor.end == ~0ULL ? 0 : cursor.end);
    put_varint(row, cursor.entries);
    put_varint(row, cursor.bytes);
  }
  flush_.put(lane_key(list, lane.priority), std::move(row));
  flush_expiry(lane);
}

void Index::flush_expiry(Lane& lane) {
  const core::ListId list = lane.list->description.id;
  for (ExpirySpan& span : lane.expiry) {
    if (!std::exchange(span.dirty, false)) continue;
    span.flushing = true;
    if (span.count == 0) {
      flush_.remove(expiry_key(list, lane.priority, span.number));
      continue;
    }
    std::string row;
    put_varint(row, span.count);
    put_varint(row, zigzag(span.earliest));
    flush_.put(expiry_key(list, lane.priority, span.number), std::move(row));
  }
}

void Index::flush_rest() {
  for (auto& [key, attachment] : attachments_) {
    attachment.flushing = true;
    if (!attachment.value) {
      flush_.remove(attachment_key(key));
      continue;
    }
    std::string row;
    put_varint(row, attachment.version);
    put_varint(row, attachment.held_at);
    put_text(row, *attachment.value);
    flush_.put(attachment_key(key), std::move(row));
  }
  for (auto& [segment, use] : segments_) {
    if (!use.dirty) continue;
    use.dirty = false;
    if (use.live == 0) {
      flush_.remove(row_key(kSegmentRow, segment));
      continue;
    }
    std::string row;
    put_varint(row, use.live);
    flush_.put(row_key(kSegmentRow, segment), std::move(row));
  }
  // Half a rebuild is nothing: without its main row the index is built again.
  if (rebuild_ != nullptr) return;
  const std::uint64_t number = flush_number_ + 1;
  std::string main;
  put_varint(main, kIndexFormatVersion);
  put_varint(main, number);
  put_varint(main, position_.epoch);
  put_varint(main, position_.index);
  put_varint(main, position_.segment);
  put_varint(main, position_.offset);
  put_varint(main, position_.end);
  put_varint(main, core::raw(last_list_));
  put_varint(main, core::raw(last_reader_));
  flush_.put(std::string(1, kMainRow), std::move(main));
  flush_.put(row_key(kFlushRow, number), {});
  if (number > kFlushRowsKept) flush_.remove(row_key(kFlushRow, number - kFlushRowsKept));
  if (flush_.bytes < kFlushBytesMin) {
    flush_.put(std::string(1, kPaddingRow), std::string(kFlushBytesMin - flush_.bytes, '\0'));
  }
}

Result<void> Index::write_flush() {
  return rows_->write(flush_);
}

void Index::end_flush(bool written) {
  MutexLock lock(mutex_);
  if (written) {
    if (rebuild_ == nullptr) {
      ++flush_number_;
      flushed_ = flush_position_;
    }
    for (Lane* lane : resident_lanes_) {
      for (auto block = lane->blocks.begin(); block != lane->blocks.end();) {
        const auto at = block++;
        const bool flushed = std::exchange(at->second->flushing, false);
        if (flushed && !at->second->dirty && at->second->live() == 0) forget_block(*lane, at);
      }
    }
    for (Lane* lane : flush_lanes_) {
      for (ExpirySpan& span : lane->expiry) span.flushing = false;
      std::erase_if(lane->expiry, [](const auto& each) { return each.count == 0 && !each.dirty; });
    }
    std::erase_if(attachments_, [](const auto& each) { return each.second.flushing; });
    std::erase_if(segments_,
                  [](const auto& each) { return each.second.live == 0 && !each.second.dirty; });
    forget_gone();
    if (memory_bytes_ > memory_bytes_max_ / 2) evict();
  } else {
    // What LevelDB has now nobody knows; all of this goes down again.
    for (List* list : flush_lists_) mark_dirty(*list);
    for (Lane* lane : flush_lanes_) {
      for (auto& [number, block] : lane->blocks) {
        if (std::exchange(block->flushing, false)) block->dirty = true;
      }
      for (ExpirySpan& span : lane->expiry) {
        if (std::exchange(span.flushing, false)) span.dirty = true;
      }
      mark_dirty(*lane);
    }
    for (auto& [key, attachment] : attachments_) attachment.flushing = false;
    for (auto& [segment, use] : segments_) use.dirty = true;
    removed_keys_.insert(removed_keys_.end(), flush_removed_.begin(), flush_removed_.end());
    changed_ = true;
  }
  flush_ = {};
  flush_lists_.clear();
  flush_lanes_.clear();
  flush_removed_.clear();
}

/// Lists that were deleted are kept until no flush can mention them.
void Index::forget_gone() {
  if (graveyard_.empty()) return;
  std::erase_if(dirty_lists_, [](const List* list) { return list->gone; });
  std::erase_if(dirty_lanes_, [](const Lane* lane) { return lane->list->gone; });
  std::erase_if(resident_lanes_, [](const Lane* lane) { return lane->list->gone; });
  graveyard_.clear();
}

Result<void> Index::reopen(std::optional<IndexUnusable>& unusable) {
  MutexLock lock(mutex_);
  rows_.reset();
  auto rows = factory_.open(directory_);
  if (!rows) {
    if (rows.error().code == Errc::store_full) return rows.error();
    unusable = IndexUnusable{rows.error().text};
    return {};
  }
  rows_ = std::move(*rows);
  if (flush_number_ == 0) return {};  // nothing was ever written
  const auto main = read_main(unusable);
  if (!main) return {};
  // The failed flush may have reached the disk all the same: then its number is taken.
  if (main->flush_number == flush_number_ + 1) {
    flush_number_ = main->flush_number;
  } else if (main->flush_number != flush_number_) {
    unusable = IndexUnusable{"what it had before a failed write has gone"};
  }
  return {};
}

bool Index::usable() const {
  MutexLock lock(mutex_);
  return rows_ != nullptr;
}

void Index::forget_block(Lane& lane,
                         std::map<std::uint64_t, std::unique_ptr<Block>>::iterator block) {
  memory_bytes_ -= block->second->charged;
  lane.blocks.erase(block);
}

void Index::evict() {
  std::size_t kept = 0;
  for (Lane* lane : resident_lanes_) {
    for (auto block = lane->blocks.begin(); block != lane->blocks.end();) {
      const auto at = block++;
      const Block& each = *at->second;
      if (each.dirty || each.flushing || !each.persisted || each.live() == 0) continue;
      ++lane->unloaded;
      forget_block(*lane, at);
    }
    if (lane->blocks.empty()) {
      lane->resident = false;
    } else {
      resident_lanes_[kept++] = lane;
    }
  }
  resident_lanes_.resize(kept);
}

Result<std::optional<Index::AttachmentRow>> Index::find_attachment(std::string_view key) {
  const auto found = attachments_.find(key);
  if (found != attachments_.end()) return std::optional(found->second);
  auto row = rows_->get(attachment_key(key));
  if (!row) return row.error();
  if (!*row) return std::optional<AttachmentRow>();
  Decoder in(**row);
  AttachmentRow attachment;
  attachment.version = in.varint();
  attachment.held_at = in.varint();
  attachment.value = std::string(in.text());
  if (!in.complete()) return Error{Errc::store_io, "damaged index: an attachment makes no sense"};
  return std::optional(std::move(attachment));
}

Result<std::optional<Index::Attachment>> Index::attachment(std::string_view key) {
  MutexLock lock(mutex_);
  auto row = find_attachment(key);
  if (!row) return row.error();
  if (!*row || !(*row)->value) return std::optional<Attachment>();
  return std::optional(Attachment{(*row)->version, (*row)->held_at, std::move(*(*row)->value)});
}

}  // namespace pabal::store
