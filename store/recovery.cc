#include "store/recovery.h"

#include <algorithm>

#include "store/index/rebuild.h"

namespace pabal::store {

Error Recovery::damage(const SegmentRef& segment, std::uint64_t offset,
                       const std::string& what) const {
  return {Errc::store_io, "damaged store: " + what + " in segment " + segment->path +
                              " at offset " + std::to_string(offset)};
}

// --- what there is -------------------------------------------------------------------------------

Result<void> Recovery::find_segments() {
  auto segments = pool_.open_all(unused_);
  if (!segments) return segments.error();
  for (const SegmentRef& segment : *segments) {
    epoch_max_ = std::max(epoch_max_, segment->epoch);
    std::string head(kEntryHeaderBytes, '\0');
    const auto got =
        segment->file->read(kSegmentHeaderBytes, std::as_writable_bytes(std::span(head)));
    if (!got) return got.error();
    head.resize(*got);
    const auto first = decode_entry_header(head, segment->number, kSegmentHeaderBytes);
    if (first && !first->closed && first->epoch == segment->epoch) {
      log_.push_back({segment, first->index});
    } else {
      empty_.push_back(segment);
    }
  }
  std::sort(log_.begin(), log_.end(),
            [](const auto& a, const auto& b) { return a.first_index < b.first_index; });
  auto mark = SyncMark::read(files_, paths_.mark);
  if (!mark) return mark.error();
  mark_ = *mark;
  if (mark_) epoch_max_ = std::max(epoch_max_, mark_->epoch);
  return {};
}

/// Whether the index is of this journal: the entry that it says it reflects is there, and so is
/// every segment that it points into. (One that is not may have gone after the index, which then is
/// older than it should be: the journal knows.)
Result<bool> Recovery::index_fits(std::string& why) {
  const LogPosition position = index_.position();
  for (const auto& [segment, live] : index_.live_by_segment()) {
    if (pool_.find(segment)) continue;
    why = "segment " + std::to_string(segment) + " is missing, with " + std::to_string(live) +
          " bytes of messages";
    return false;
  }
  if (position.index == 0) return true;
  const SegmentRef segment = pool_.find(position.segment);
  if (!segment) {
    why = "the segment it reflects is not there";
    return false;
  }
  std::string head(kEntryHeaderBytes, '\0');
  const auto got = segment->file->read(position.offset, std::as_writable_bytes(std::span(head)));
  if (!got) return got.error();
  head.resize(*got);
  const auto header = decode_entry_header(head, segment->number, position.offset);
  if (header && header->epoch == position.epoch && header->index == position.index) return true;
  why = "the journal does not know the entry that it reflects";
  return false;
}

Result<void> Recovery::run() {
  if (auto found = find_segments(); !found) return found;
  // Known to the pool from here on, for index_fits() and for reading pages.
  for (std::size_t i = 0; i < log_.size(); ++i) {
    const bool newest = i + 1 == log_.size();
    pool_.adopt_closed(
        {log_[i].file, log_[i].first_index, newest ? ~0ULL : log_[i + 1].first_index - 1});
  }
  if (files_.exists(paths_.rebuild)) return rebuild("a start before found it damaged");
  std::optional<IndexUnusable> unusable;
  if (auto loaded = index_.load(unusable); !loaded) return loaded;
  if (unusable) return rebuild(unusable->reason);
  std::string why;
  const auto fits = index_fits(why);
  if (!fits) return fits.error();
  if (!*fits) return rebuild(why);

  synced_ = last_ = index_.position();
  epoch_max_ = std::max(epoch_max_, last_.epoch);
  bool index_damaged = false;
  auto read = read_tail(last_, [&](const EntryView& entry) -> Result<void> {
    auto applied = index_.apply(entry.position(), entry.ops, entry.payload_offset);
    index_damaged = !applied;
    return applied;
  });
  if (!read && (index_damaged || gap_)) return rebuild(read.error().text);
  return read;
}

// --- reading the log -----------------------------------------------------------------------------

/// Where the last entry read ends: a torn tail, which is cut, or damage, which is never cut.
Result<void> Recovery::check_end(SegmentScanner& scanner, const SegmentRef& segment) {
  if (mark_ && mark_->index > last_.index) {
    return damage(segment, scanner.offset(),
                  "entry " + std::to_string(last_.index + 1) + ", which was synced, is broken");
  }
  const auto behind = scanner.anything_behind();
  if (!behind) return behind.error();
  if (*behind) {
    return damage(segment, scanner.offset(),
                  "entry " + std::to_string(last_.index + 1) + " is broken and others follow it");
  }
  return {};
}

/// Everything after `from`, whose entries follow each other without a gap to the log's end.
Result<void> Recovery::read_tail(const LogPosition& from, const EntryHandler& handle) {
  std::size_t at = 0;
  std::uint64_t offset = kSegmentHeaderBytes;
  if (from.index != 0) {
    while (at < log_.size() && log_[at].file->number != from.segment) ++at;
    offset = align_up(from.end, kEntryAlignment);
  }
  for (; at < log_.size(); ++at, offset = kSegmentHeaderBytes) {
    const SegmentRef& segment = log_[at].file;
    SegmentScanner scanner(*segment->file, segment->number, segment->epoch, segment->bytes, offset,
                           Verify::payloads);
    EntryView entry;
    for (;;) {
      const auto scan = scanner.next(entry);
      if (!scan) return scan.error();
      if (*scan == Scan::entry) {
        if (entry.header.index != last_.index + 1) {
          gap_ = entry.offset == kSegmentHeaderBytes;
          return damage(segment, entry.offset,
                        "entry " + std::to_string(last_.index + 1) + " is missing before the one");
        }
        last_ = entry.position();
        if (auto handled = handle(entry); !handled) return handled;
        continue;
      }
      const bool follows = at + 1 < log_.size();
      if (*scan == Scan::end && follows) {
        return damage(segment, scanner.offset(), "the log breaks off");
      }
      if (!follows) {
        if (auto checked = check_end(scanner, segment); !checked) return checked;
      }
      break;
    }
  }
  if (log_.empty() && mark_ && mark_->index > last_.index) {
    return Error{Errc::store_io,
                 "damaged store: the journal's segments are missing in " + paths_.journal};
  }
  return {};
}

/// Segments in the middle may be gone, but each that is there must be whole up to its closing mark.
Result<void> Recovery::read_all(Verify verify, const EntryHandler& handle) {
  const std::uint64_t end = last_.index == 0 ? ~0ULL : last_.index;
  for (std::size_t at = 0; at < log_.size(); ++at) {
    const SegmentRef& segment = log_[at].file;
    const bool newest = at + 1 == log_.size();
    SegmentScanner scanner(*segment->file, segment->number, segment->epoch, segment->bytes,
                           kSegmentHeaderBytes, verify);
    EntryView entry;
    std::uint64_t expected = log_[at].first_index;
    for (;;) {
      const auto scan = scanner.next(entry);
      if (!scan) return scan.error();
      if (*scan == Scan::entry && entry.header.index > end) return {};
      if (*scan == Scan::entry) {
        if (entry.header.index != expected) return damage(segment, entry.offset, "a gap");
        ++expected;
        if (entry.header.index >= last_.index) {
          last_ = entry.position();
        }
        if (auto handled = handle(entry); !handled) return handled;
        continue;
      }
      if (*scan != Scan::closed && !newest) {
        return damage(segment, scanner.offset(), "a broken entry");
      }
      if (newest && end == ~0ULL) {
        if (auto checked = check_end(scanner, segment); !checked) return checked;
      }
      break;
    }
  }
  return {};
}

/// First pass of a rebuild: every byte of what is left of the log is read, and what is missing must
/// have gone rightly.
Result<void> Recovery::learn(RebuildFacts& facts) {
  JournalOp op;
  std::uint64_t before = 0;
  std::uint64_t missing = 0;  // the last entry that is not there
  auto read = read_all(Verify::payloads, [&](const EntryView& entry) -> Result<void> {
    if (entry.header.index != before + 1) missing = entry.header.index - 1;
    before = entry.header.index;
    OpReader ops(entry.ops, entry.payload_offset);
    while (ops.next(op)) facts.learn(op, entry.header.index);
    if (ops.complete()) return {};
    return Error{Errc::store_io, "a journal entry has steps that this version does not know"};
  });
  if (!read) return read;
  if (mark_ && mark_->index > last_.index) {
    return Error{Errc::store_io, "damaged store: synced entries are missing at the journal's end"};
  }
  if (missing > facts.kept_up_to) {
    return Error{Errc::store_io, "damaged store: a segment of the journal is missing, with entry " +
                                     std::to_string(missing)};
  }
  for (const std::uint64_t segment : facts.kept_segments) {
    if (pool_.find(segment)) continue;
    return Error{Errc::store_io,
                 "damaged store: segment " + std::to_string(segment) + " is missing"};
  }
  facts.settle();
  return {};
}

Result<void> Recovery::rebuild(std::string why) {
  if (!may_rebuild_) {
    return Error{Errc::store_io,
                 "the index cannot be used (" + why + "); the next start builds it again"};
  }
  rebuilt_because_ = log_.empty() ? std::string() : std::move(why);
  last_ = synced_ = {};
  RebuildFacts facts;
  auto read = learn(facts);
  if (!read) return read;
  if (auto wiped = index_.wipe(); !wiped) return wiped;
  index_.begin_rebuild(facts);
  const auto flush = [&]() -> Result<void> {
    if (!index_.begin_flush()) return {};
    const auto written = index_.write_flush();
    index_.end_flush(written.has_value());
    return written;
  };
  const LogPosition end = last_;
  std::uint64_t entries = 0;
  if (end.index != 0) {
    read = read_all(Verify::ops, [&](const EntryView& entry) -> Result<void> {
      auto applied = index_.apply(entry.position(), entry.ops, entry.payload_offset);
      if (!applied || ++entries % 256 != 0 || !index_.memory_full()) return applied;
      return flush();
    });
    if (!read) return read;
  }
  // What the index reflects, and only that, later starts take for synced.
  if (auto done = rewrite_unsynced(); !done) return done;
  if (auto ended = index_.end_rebuild(); !ended) return ended;
  return flush();
}

// --- a new epoch ---------------------------------------------------------------------------------

/// What was written and not known to be synced may stand in memory only, even if it reads well:
/// the kernel marks pages clean when their write fails. So it is written again.
Result<void> Recovery::rewrite_unsynced() {
  LogPosition from = synced_;
  if (mark_ && mark_->index > from.index) from = *mark_;
  for (std::size_t at = 0; at < log_.size(); ++at) {
    const LogSegment& segment = log_[at];
    const std::uint64_t next = at + 1 < log_.size() ? log_[at + 1].first_index : last_.index + 1;
    if (next <= from.index + 1 || segment.first_index > last_.index) continue;
    std::uint64_t start = kSegmentHeaderBytes;
    if (segment.file->number == from.segment) start = from.end / kPageBytes * kPageBytes;
    const bool newest = segment.file->number == last_.segment;
    const std::uint64_t end = newest ? last_.end : segment.file->bytes;
    if (auto done = rewrite(segment.file, start, end); !done) return done;
  }
  return {};
}

Result<void> Recovery::rewrite(const SegmentRef& segment, std::uint64_t from, std::uint64_t end) {
  std::string piece;
  while (from < end) {
    piece.resize(std::min<std::uint64_t>(1 << 20, end - from));
    const auto got = segment->file->read(from, std::as_writable_bytes(std::span(piece)));
    if (!got) return got.error();
    if (*got == 0) break;
    auto put = segment->file->write(from, std::as_bytes(std::span(piece).first(*got)));
    if (!put) return put;
    from += *got;
  }
  return segment->file->sync();
}

/// The end of the log before this epoch stands in its segment too, so that every segment but the
/// active one ends in a mark, and what was torn behind it is gone. Also if it stands there already:
/// a start that died here may have written it without syncing it.
Result<void> Recovery::close_last() {
  if (last_.index == 0) return {};
  const SegmentRef segment = pool_.find(last_.segment);
  const std::uint64_t offset = align_up(last_.end, kEntryAlignment);
  const std::uint64_t page = offset / kPageBytes * kPageBytes;
  std::string bytes(offset - page, '\0');
  const auto got = segment->file->read(page, std::as_writable_bytes(std::span(bytes)));
  if (!got) return got.error();
  EntryHeader mark;
  mark.epoch = segment->epoch;
  mark.index = last_.index;
  mark.bytes = kEntryHeaderBytes;
  mark.closed = true;
  bytes.resize(bytes.size() + kEntryHeaderBytes);
  encode_entry_header(mark, segment->number, offset, &bytes[offset - page]);
  bytes.resize(align_up(bytes.size(), kPageBytes), '\0');
  auto put = segment->file->write(page, std::as_bytes(std::span(bytes)));
  if (!put) return put;
  return segment->file->sync();
}

Result<Recovery::Beginning> Recovery::begin_epoch() {
  for (const std::string& path : unused_) {
    if (auto gone = files_.unlink(path); !gone) return gone.error();
  }
  if (auto done = rewrite_unsynced(); !done) return done.error();
  if (auto done = close_last(); !done) return done.error();
  for (const LogSegment& segment : log_) {
    // Its first entry was torn: it never became part of the log. It goes before anything else can
    // get that entry's number, or the next start could not tell which of the two counts.
    if (segment.first_index > last_.index) {
      if (auto gone = pool_.remove(segment.file); !gone) return gone.error();
    }
    if (segment.file->number == last_.segment) {
      pool_.adopt_closed({segment.file, segment.first_index, last_.index});
    }
  }
  for (const SegmentRef& segment : empty_) pool_.adopt_empty(segment);
  empty_.clear();
  log_.clear();  // so that nobody but the pool holds the segments

  // If there was one, it was followed.
  if (files_.exists(paths_.rebuild)) {
    if (auto gone = files_.unlink(paths_.rebuild); !gone) return gone.error();
  }

  Beginning beginning;
  beginning.epoch = epoch_max_ + 1;
  beginning.last = last_;
  auto active = pool_.begin_epoch(beginning.epoch, last_);
  if (!active) return active.error();
  beginning.active = std::move(*active);
  LogPosition start = last_;
  start.epoch = beginning.epoch;
  auto mark = SyncMark::create(files_, paths_.mark, start);
  if (!mark) return mark.error();
  beginning.mark = std::move(*mark);
  if (auto kept = files_.sync_directory(paths_.journal); !kept) return kept.error();
  return beginning;
}

}  // namespace pabal::store
