#include "store/journal/journal_writer.h"

#include <algorithm>
#include <cstring>

#include "store/journal/crc32c.h"

namespace pabal::store {

using core::StoreOp;
using core::StoreOpKind;

namespace {
constexpr std::uint64_t kBufferKept = 8ULL
                                      << 20;  // a larger one, of one large batch, is given back
}

std::uint64_t JournalWriter::room() const noexcept {
  const std::uint64_t used = offset_ + kEntryHeaderBytes;  // the closing mark's place is kept
  return segment_->bytes > used ? segment_->bytes - used : 0;
}

bool JournalWriter::refill() {
  if (cursor_ == backlog_.batches.size()) {
    backlog_.clear();
    cursor_ = 0;
    (void)pending_.seal(backlog_);
  }
  if (!internal_) internal_ = pending_.take_internal();
  return !backlog_.empty() || internal_.has_value();
}

Result<WriteOutcome> JournalWriter::write() {
  if (outstanding_ || !refill()) return WriteOutcome::nothing;
  group_ = {};
  ops_.clear();
  messages_.clear();
  payload_bytes_ = 0;

  std::size_t taken = encode_batches();
  const bool stuck = taken == 0 && !backlog_.empty();
  if (stuck || (backlog_.empty() && internal_ && kEntryHeaderBytes + internal_->bytes > room())) {
    // The next batch does not fit into this segment.
    if (stuck) encode_batch(backlog_.batches[cursor_]);
    const std::uint64_t bytes = stuck ? encoded_bytes() : kEntryHeaderBytes + internal_->bytes;
    ops_.clear();
    messages_.clear();
    payload_bytes_ = 0;
    const auto rolled = roll(bytes);
    if (!rolled) return rolled.error();
    if (!*rolled) return WriteOutcome::no_room;
    taken = encode_batches();
  }
  if (taken > 0) {
    for (std::size_t i = 0; i < taken; ++i) {
      const PendingBatch& batch = backlog_.batches[cursor_ + i];
      if (!batch.cancelled) group_.message_bytes += batch.bytes;
    }
    cursor_ += taken;
    group_.last = core::Ticket{backlog_.first_ticket + cursor_ - 1};
  }
  if (internal_ && encoded_bytes() + internal_->bytes <= room()) {
    encode_internal();
    group_.internal = internal_->number;
  }
  if (ops_.empty()) {
    if (group_.internal != 0) internal_.reset();
    return WriteOutcome::passed;
  }
  if (auto written = write_entry(); !written) return written.error();
  if (group_.internal != 0) internal_.reset();
  outstanding_ = true;
  return WriteOutcome::written;
}

Result<void> JournalWriter::sync() {
  if (auto synced = segment_->file->sync(); !synced) return synced.error();
  outstanding_ = false;
  synced_ = group_.position;
  return {};
}

// --- encoding ------------------------------------------------------------------------------------

/// As many batches of the backlog as one entry in this segment takes; answers how many.
std::size_t JournalWriter::encode_batches() {
  const std::uint64_t space = room();
  std::size_t taken = 0;
  while (cursor_ + taken < backlog_.batches.size()) {
    const std::size_t ops_before = ops_.size();
    const std::size_t messages_before = messages_.size();
    const std::uint64_t payload_before = payload_bytes_;
    encode_batch(backlog_.batches[cursor_ + taken]);
    const std::uint64_t bytes = encoded_bytes();
    if (bytes > space || (taken > 0 && bytes > group_bytes_max_)) {
      ops_.resize(ops_before);
      messages_.resize(messages_before);
      payload_bytes_ = payload_before;
      break;
    }
    ++taken;
  }
  return taken;
}

void JournalWriter::encode_batch(const PendingBatch& batch) {
  if (batch.cancelled) return;
  const auto ops = std::span<const StoreOp>(backlog_.ops).subspan(batch.first_op, batch.ops);
  for (std::size_t at = 0; at < ops.size();) {
    if (ops[at].kind == StoreOpKind::add) {
      encode_send(ops, at);
    } else {
      encode_step(ops[at++]);
    }
  }
}

/// An `add` and the references that follow it: one message with all its places.
void JournalWriter::encode_send(std::span<const StoreOp> ops, std::size_t& at) {
  const core::Message& message = *ops[at].message;
  places_.clear();
  do {
    const StoreOp& op = ops[at];
    if (op.first != 0) places_.push_back({op.list, op.priority, op.first});
    ++at;
  } while (at < ops.size() && ops[at].kind == StoreOpKind::add_reference);
  if (places_.empty()) return;
  const auto bytes = static_cast<std::uint32_t>(message.flat().size());
  OpWriter(ops_).add(bytes, message.expiration(), places_);
  messages_.push_back(&message);
  payload_bytes_ += kPayloadHeaderBytes + bytes;
}

void JournalWriter::encode_step(const StoreOp& op) {
  OpWriter out(ops_);
  switch (op.kind) {
    case StoreOpKind::none:
    case StoreOpKind::add:
    case StoreOpKind::add_reference:
      return;
    case StoreOpKind::acknowledge:
      return out.range(JournalOpKind::acknowledge, op.list, op.reader, op.priority, op.first,
                       op.last);
    case StoreOpKind::count_refusal:
      return out.range(JournalOpKind::count_refusal, op.list, op.reader, op.priority, op.first,
                       op.last);
    case StoreOpKind::count_delivery:
      return out.range(JournalOpKind::count_delivery, op.list, op.reader, op.priority, op.first,
                       op.last);
    case StoreOpKind::touch:
      return out.touch(op.list, op.priority, op.last);
    case StoreOpKind::create_list:
      return out.create_list(op.detail->list);
    case StoreOpKind::delete_list:
      return out.delete_list(op.list);
    case StoreOpKind::create_reader:
      return out.create_reader(op.detail->reader);
    case StoreOpKind::delete_reader:
      return out.delete_reader(op.list, op.reader);
    case StoreOpKind::put_attachment:
      return out.put_attachment(op.detail->key, op.detail->value);
    case StoreOpKind::delete_attachment:
      return out.delete_attachment(op.detail->key);
  }
}

void JournalWriter::encode_internal() {
  for (const Relocation& relocation : internal_->relocations) {
    const core::Message& message = *relocation.message;
    const auto bytes = static_cast<std::uint32_t>(message.flat().size());
    OpWriter(ops_).relocate(bytes, message.expiration(), relocation.old_segment,
                            relocation.old_offset, relocation.places);
    messages_.push_back(&message);
    payload_bytes_ += kPayloadHeaderBytes + bytes;
  }
  ops_ += internal_->ops;
}

// --- writing -------------------------------------------------------------------------------------

/// Closes the segment and goes on in the next one; false: none with that much room is ready.
Result<bool> JournalWriter::roll(std::uint64_t bytes) {
  SegmentRef next = pool_.activate(bytes);
  if (!next) return false;
  // The end of each segment stands in it, durably, before anything stands in the next one.
  EntryHeader mark;
  mark.epoch = segment_->epoch;
  mark.index = index_;
  mark.bytes = kEntryHeaderBytes;
  mark.closed = true;
  encode_entry_header(mark, segment_->number, offset_, start_buffer(kEntryHeaderBytes));
  if (auto written = write_buffer(kEntryHeaderBytes); !written) return written.error();
  if (auto synced = segment_->file->sync(); !synced) return synced.error();
  pool_.note_closed(segment_->number);
  segment_ = std::move(next);
  offset_ = kSegmentHeaderBytes;
  tail_.clear();
  return true;
}

Result<void> JournalWriter::write_entry() {
  EntryHeader header;
  header.epoch = segment_->epoch;
  header.index = index_ + 1;
  header.bytes = encoded_bytes();
  header.ops_bytes = static_cast<std::uint32_t>(ops_.size());
  header.payloads = static_cast<std::uint32_t>(messages_.size());
  header.ops_crc = crc32c(place_seed(segment_->number, offset_), std::as_bytes(std::span(ops_)));

  char* const start = start_buffer(header.bytes);
  encode_entry_header(header, segment_->number, offset_, start);
  char* to = start + kEntryHeaderBytes;
  std::memcpy(to, ops_.data(), ops_.size());
  to += ops_.size();
  for (const core::Message* message : messages_) {
    const std::span<const std::byte> flat = message->flat();
    put_fixed32(to + 4, static_cast<std::uint32_t>(flat.size()));
    std::memcpy(to + kPayloadHeaderBytes, flat.data(), flat.size());
    const std::uint64_t place = offset_ + static_cast<std::uint64_t>(to - start);
    put_fixed32(to, payload_crc(segment_->number, place, {to + kPayloadHeaderBytes, flat.size()}));
    to += kPayloadHeaderBytes + flat.size();
  }

  group_.has_entry = true;
  group_.position = {header.epoch, header.index, segment_->number, offset_, offset_ + header.bytes};
  group_.payload_offset = offset_ + kEntryHeaderBytes + ops_.size();
  group_.ops = ops_;
  if (auto written = write_buffer(header.bytes); !written) return written.error();
  index_ = header.index;
  offset_ += align_up(header.bytes, kEntryAlignment);
  pool_.note_written(index_, offset_);
  return {};
}

/// The buffer, filled up to where `bytes` at offset_ begin: whole pages are written, so that the
/// kernel never has to read one first.
char* JournalWriter::start_buffer(std::uint64_t bytes) {
  const std::uint64_t needed = align_up(tail_.size() + bytes, kPageBytes);
  if (needed > buffer_bytes_ || (buffer_bytes_ > kBufferKept && needed <= kBufferKept)) {
    buffer_bytes_ = std::max<std::uint64_t>(needed, 64 * 1024);
    buffer_ = std::make_unique_for_overwrite<char[]>(buffer_bytes_);
  }
  std::memcpy(buffer_.get(), tail_.data(), tail_.size());
  return buffer_.get() + tail_.size();
}

Result<void> JournalWriter::write_buffer(std::uint64_t bytes) {
  const std::uint64_t used = tail_.size() + bytes;
  const std::uint64_t whole = align_up(used, kPageBytes);
  std::memset(buffer_.get() + used, 0, whole - used);
  const std::uint64_t start = offset_ - tail_.size();
  const auto written = segment_->file->write(start, std::as_bytes(std::span(buffer_.get(), whole)));
  if (!written) return written.error();
  const std::uint64_t end = align_up(used, kEntryAlignment);
  const std::uint64_t page = end / kPageBytes * kPageBytes;
  tail_.assign(buffer_.get() + std::min(page, whole), end - page);
  return {};
}

}  // namespace pabal::store
