#include "store/reclaimer.h"

#include <algorithm>

namespace pabal::store {
namespace {

constexpr std::uint64_t kBatchBytesMax = 1ULL << 20;
constexpr int kEntriesAtOnce = 512;
constexpr std::size_t kRangesAtOnce = 64 * 1024;
constexpr std::uint64_t kStepBytes = 64;  // more than any step without texts takes

}  // namespace

Reclaimer::Reclaimer(Index& index, SegmentPool& pool, PendingQueue& pending,
                     std::uint64_t segment_bytes)
    : index_(index),
      pool_(pool),
      pending_(pending),
      segment_bytes_(segment_bytes),
      batch_bytes_(std::min(kBatchBytesMax, segment_bytes / 16)) {}

Result<bool> Reclaimer::step(std::uint64_t applied) {
  if (release_finished()) return true;
  if (!job_) return choose();
  if (applied < job_->waits_for) return false;
  if (!job_->counts.empty()) {
    if (auto done = confirm_counts(); !done) return done.error();
    if (job_->appended && job_->batch.bytes > 0) append();
    return true;
  }
  if (job_->appended) {
    finished_.push_back({job_->segment.file->number, index_.position().index});
    job_.reset();
    return true;
  }
  if (auto done = scan(); !done) return done.error();
  return true;
}

bool Reclaimer::release_finished() {
  const std::uint64_t flushed = index_.flushed().index;
  const auto gone = std::erase_if(finished_, [&](const Finished& each) {
    if (each.index > flushed) return false;
    pool_.condemn(each.segment);
    return true;
  });
  return gone > 0;
}

/// Not because of those that a flush has passed already, though step() has not released them yet:
/// or every entry that is applied until then would be flushed by itself.
bool Reclaimer::wants_flush() const {
  const std::uint64_t flushed = index_.flushed().index;
  return !job_ && std::any_of(finished_.begin(), finished_.end(),
                              [&](const Finished& each) { return each.index > flushed; });
}

bool Reclaimer::is_going(std::uint64_t number) const {
  return (job_ && job_->segment.file->number == number) ||
         std::any_of(finished_.begin(), finished_.end(),
                     [&](const Finished& each) { return each.segment == number; });
}

/// The emptiest first: dead ones at once (with many attachments: like the others), others when more
/// is dead than alive.
bool Reclaimer::choose() {
  const auto live = index_.live_by_segment();
  std::uint64_t bytes_total = 0;
  std::uint64_t live_total = 0;
  const ClosedSegment* best = nullptr;
  std::uint64_t best_live = 0;
  const std::vector<ClosedSegment> closed = pool_.closed();
  const std::uint64_t seen = index_.position().index;
  for (const ClosedSegment& segment : closed) {
    // What the index has not seen of a segment yet looks dead to it, and is not.
    if (segment.last_index > seen) continue;
    const std::uint64_t number = segment.file->number;
    if (is_going(number)) continue;
    const auto found = live.find(number);
    const std::uint64_t bytes = segment.file->bytes;
    const std::uint64_t used = found == live.end() ? 0 : std::min(found->second, bytes);
    bytes_total += bytes;
    live_total += used;
    if (is_given_up(number)) continue;
    if (best == nullptr || used * best->file->bytes < best_live * bytes) {
      best = &segment;
      best_live = used;
    }
  }
  if (best == nullptr) return false;
  const std::uint64_t attachments = index_.attachment_bytes();
  const bool mostly_dead = bytes_total > 2 * (live_total + attachments) + 2 * segment_bytes_;
  // Nobody knows where attachments stand before a segment is read. Many fill segments of their own,
  // which look dead, and would be written again for ever if they went at once.
  if (attachments > segment_bytes_ / 2 && !mostly_dead) return false;
  if (best_live > 0) {
    if (!mostly_dead || best_live > best->file->bytes / 4 * 3) return false;
    if (pool_.room() < best_live + batch_bytes_) return false;
  }
  job_ = std::make_unique<Job>();
  job_->segment = *best;
  job_->has_live = best_live > 0;
  const SegmentFile& file = *best->file;
  job_->scanner = std::make_unique<SegmentScanner>(*file.file, file.number, file.epoch, file.bytes,
                                                   kSegmentHeaderBytes, Verify::ops);
  return true;
}

Result<void> Reclaimer::scan() {
  if (job_->scanned) {
    finish_scan();
    return {};
  }
  EntryView entry;
  for (int i = 0; i < kEntriesAtOnce && job_->batch.bytes < batch_bytes_; ++i) {
    const auto scan = job_->scanner->next(entry);
    if (!scan || *scan == Scan::end) {
      give_up();
      return {};
    }
    if (*scan == Scan::closed) {
      job_->scanned = true;
      break;
    }
    OpReader ops(entry.ops, entry.payload_offset);
    while (ops.next(op_)) {
      if (auto kept = keep(op_, entry.header.index); !kept) return kept;
      if (!job_) return {};  // given up
    }
  }
  if (job_->ranges > kRangesAtOnce) keep_acknowledged();
  if (job_->batch.bytes >= batch_bytes_) append();
  return {};
}

/// Something in it cannot be read. What counts there is still where the index says; the segment
/// stays, for the status, `pabal store map` and `pabal store check` to report.
void Reclaimer::give_up() {
  {
    const MutexLock lock(given_up_mutex_);
    given_up_.insert(job_->segment.file->number);
  }
  job_.reset();
}

bool Reclaimer::is_given_up(std::uint64_t number) const {
  const MutexLock lock(given_up_mutex_);
  return given_up_.contains(number);
}

Result<void> Reclaimer::keep(const JournalOp& op, std::uint64_t index) {
  switch (op.kind) {
    case JournalOpKind::add:
    case JournalOpKind::relocate:
      for (const Place& place : op.places) mention(place.list, index);
      return job_->has_live ? keep_message(op) : Result<void>();
    case JournalOpKind::acknowledge: {
      std::uint64_t first = op.first;
      const bool left = index_.clip_acknowledged(op.list, op.reader, op.priority, first, op.last);
      // What the cursor says by now, a list_state of before it came so far does not.
      if (first != op.first && index_.has_list(op.list)) job_->lists.insert(core::raw(op.list));
      mention(op.list, index);
      if (!left) return {};
      job_->acknowledged[{core::raw(op.list), core::raw(op.reader), op.priority}].emplace_back(
          first, op.last);
      ++job_->ranges;
      return {};
    }
    case JournalOpKind::count_delivery:
    case JournalOpKind::count_refusal:
    case JournalOpKind::set_count:
      return keep_counts(op);
    case JournalOpKind::touch:
    case JournalOpKind::create_list:
    case JournalOpKind::create_reader:
    case JournalOpKind::delete_reader:
    case JournalOpKind::list_state:
      mention(op.list, index);
      return {};
    case JournalOpKind::delete_list:
    case JournalOpKind::list_deleted:
      if (keep_deletion(op.kind == JournalOpKind::delete_list)) {
        OpWriter(job_->batch.ops).list_deleted(op.list);
        job_->batch.bytes += kStepBytes;
      }
      return {};
    case JournalOpKind::high_ids:
    case JournalOpKind::kept_segments:
      return {};  // written anew for each segment that goes
    case JournalOpKind::put_attachment:
    case JournalOpKind::delete_attachment:
    case JournalOpKind::restore_attachment:
    case JournalOpKind::restore_tombstone:
      return keep_attachment(op, index);
  }
  return {};
}

/// A deletion must be known as long as any segment may tell of what it deleted: one from before,
/// and at first also a later one, because a batch of this reclaimer that was under way may have
/// said that it was there. Behind the first repetition no such batch can come.
bool Reclaimer::keep_deletion(bool original) const {
  return original || pool_.older_than(job_->segment.last_index, job_->segment.file->number);
}

void Reclaimer::mention(core::ListId list, std::uint64_t index) {
  const std::uint64_t id = core::raw(list);
  if (job_->lists.contains(id)) return;
  if (!index_.has_list(list) || index <= index_.list_state_as_of(list)) return;
  job_->lists.insert(id);
}

Result<void> Reclaimer::keep_message(const JournalOp& op) {
  const SegmentFile& segment = *job_->segment.file;
  Relocation relocation;
  for (const Place& place : op.places) {
    const auto live = index_.is_at(place, segment.number, op.payload_offset);
    if (!live) return live.error();
    if (*live) relocation.places.push_back(place);
  }
  if (relocation.places.empty()) return {};
  std::string record(kPayloadHeaderBytes + op.payload_bytes, '\0');
  const auto got = segment.file->read(op.payload_offset, std::as_writable_bytes(std::span(record)));
  const auto flat = got && *got == record.size()
                        ? decode_payload(record, segment.number, op.payload_offset)
                        : std::nullopt;
  auto message = flat ? core::Message::from_flat(std::as_bytes(std::span(*flat)))
                      : Result<core::MessageRef>(Error{Errc::store_io, "damaged"});
  if (!message) {
    give_up();
    return {};
  }
  relocation.message = std::move(*message);
  relocation.old_segment = segment.number;
  relocation.old_offset = op.payload_offset;
  job_->batch.bytes += record.size() + kStepBytes + relocation.places.size() * kStepBytes;
  job_->batch.relocations.push_back(std::move(relocation));
  messages_relocated_.fetch_add(1, std::memory_order_relaxed);
  return {};
}

Result<void> Reclaimer::keep_counts(const JournalOp& op) {
  // A failed delivery was one of few messages: such ranges are short.
  for (std::uint64_t sequence = op.first; sequence <= op.last; ++sequence) {
    if (auto done = say_count({op.list, op.priority, sequence}, op.reader, 0); !done) return done;
  }
  return {};
}

/// Writes the count as it is now, unless it is 0 or `known`.
Result<void> Reclaimer::say_count(const Place& place, core::ReaderId reader, std::uint32_t known) {
  const auto count = index_.count(place, reader);
  if (!count) return count.error();
  if (*count == 0 || *count == known) return {};
  OpWriter(job_->batch.ops).set_count(place.list, reader, place.priority, place.sequence, *count);
  job_->batch.bytes += kStepBytes;
  job_->counts.push_back({place, reader, *count});
  return {};
}

/// The batch was applied. A delivery counted after the batch was made and before it reached the log
/// is missing in what the batch says: those counts are said again.
Result<void> Reclaimer::confirm_counts() {
  const auto said = std::exchange(job_->counts, {});
  for (const SaidCount& each : said) {
    if (auto done = say_count(each.place, each.reader, each.count); !done) return done;
  }
  return {};
}

Result<void> Reclaimer::keep_attachment(const JournalOp& op, std::uint64_t index) {
  auto attachment = index_.attachment(op.key);
  if (!attachment) return attachment.error();
  OpWriter out(job_->batch.ops);
  if (*attachment) {
    if ((*attachment)->held_at != index) return {};
    out.restore_attachment(op.key, (*attachment)->value, (*attachment)->version);
    job_->batch.bytes += kStepBytes + op.key.size() + (*attachment)->value.size();
    return {};
  }
  const bool deletion =
      op.kind == JournalOpKind::delete_attachment || op.kind == JournalOpKind::restore_tombstone;
  if (!deletion || !keep_deletion(op.kind == JournalOpKind::delete_attachment)) return {};
  out.restore_tombstone(op.key, op.kind == JournalOpKind::delete_attachment ? index : op.version);
  job_->batch.bytes += kStepBytes + op.key.size();
  return {};
}

void Reclaimer::keep_acknowledged() {
  OpWriter out(job_->batch.ops);
  for (auto& [key, ranges] : job_->acknowledged) {
    std::sort(ranges.begin(), ranges.end());
    const auto& [list, reader, priority] = key;
    for (std::size_t at = 0; at < ranges.size();) {
      auto [first, last] = ranges[at++];
      while (at < ranges.size() && ranges[at].first <= last + 1) {
        last = std::max(last, ranges[at++].second);
      }
      out.range(JournalOpKind::acknowledge, core::ListId{list}, core::ReaderId{reader}, priority,
                first, last);
      job_->batch.bytes += kStepBytes;
    }
  }
  job_->acknowledged.clear();
  job_->ranges = 0;
}

/// After the last entry: the states, as they are now, say all that the segment said about them.
void Reclaimer::finish_scan() {
  keep_acknowledged();
  OpWriter out(job_->batch.ops);
  while (!job_->lists.empty() && job_->batch.bytes < batch_bytes_) {
    const core::ListId list{*job_->lists.begin()};
    job_->lists.erase(job_->lists.begin());
    if (!index_.has_list(list)) continue;
    const std::size_t before = job_->batch.ops.size();
    out.list_state(index_.list_state(list));
    job_->batch.bytes += job_->batch.ops.size() - before;
  }
  if (job_->lists.empty()) {
    const auto [list, reader] = index_.high_ids();
    out.high_ids(list, reader);
    std::vector<std::uint64_t> kept = pool_.numbers();
    std::erase_if(kept, [&](std::uint64_t number) { return is_going(number); });
    out.kept_segments(index_.position().index, kept);
    job_->batch.bytes += kStepBytes + kept.size() * kStepBytes / 8;
    job_->appended = true;
  }
  append();
}

void Reclaimer::append() {
  job_->batch.number = ++batch_number_;
  job_->waits_for = batch_number_;
  pending_.append_internal(std::move(job_->batch));
  job_->batch = {};
}

}  // namespace pabal::store
