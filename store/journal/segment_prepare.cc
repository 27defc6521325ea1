// How segments are made: filled with zeros and synced in small pieces, or recycled from what nobody
// needs any more. A segment gets its name only when its header is durable, so a name without a good
// header is damage.
#include <algorithm>
#include <utility>
#include <vector>

#include "store/journal/segment_pool.h"

namespace pabal::store {
namespace {

constexpr std::uint64_t kPieceBytes = 1ULL << 20;

}  // namespace

std::uint64_t SegmentPool::wanted_room() const {
  // One segment to go on with while the next is made, and the reserve; or what somebody waits for.
  return std::max(options_.segment_bytes + reserve(), room_demand_);
}

SegmentPool::Task SegmentPool::next_task(SegmentRef& condemned) {
  MutexLock lock(mutex_);
  if (making_) return lent_ ? Task::abandon : Task::fill;
  const bool wanting = ready_room() < wanted_room();
  const bool ordinary = demand_ <= options_.segment_bytes / 2;
  for (const auto& [number, segment] : segments_) {
    // One reference is the map's: nobody reads it.
    if (segment.state != State::condemned || segment.file.use_count() != 1) continue;
    condemned = segment.file;
    const bool fit = condemned->bytes == options_.segment_bytes;
    if (wanting && ordinary && fit) return Task::recycle;
    // What is not needed goes one by one, but for who waits for its space.
    const bool space_wanted = wanting || demand_ > 0 || lent_ || failing();
    if (!removals_paced_ || space_wanted || std::exchange(removal_allowed_, false)) {
      return Task::remove;
    }
    condemned.reset();
    break;
  }
  if (lent_) return Task::none;
  if (wanting || demand_ > 0) return Task::start;
  if (!ballast_ready_ && options_.ballast_bytes > 0) return Task::start;
  return Task::none;
}

bool SegmentPool::prepare_step() {
  SegmentRef condemned;
  const Task task = next_task(condemned);
  if (task == Task::none) return false;
  const Result<void> done = perform(task, condemned);
  condemned.reset();
  MutexLock lock(mutex_);
  failing_.store(!done, std::memory_order_relaxed);
  if (done) {
    failure_.reset();
    return true;
  }
  failure_ = done.error();
  return false;
}

Result<void> SegmentPool::perform(Task task, const SegmentRef& condemned) {
  switch (task) {
    case Task::none:
      return {};
    case Task::abandon: {
      const std::string path = making_->path;
      making_.reset();
      return files_.unlink(path);
    }
    case Task::recycle:
      return recycle(condemned);
    case Task::remove:
      return remove(condemned);
    case Task::start:
      return start_making();
    case Task::fill: {
      const auto done = fill();
      if (done) return done;
      const std::string path = making_->path;
      making_.reset();
      // Half a segment helps nobody, and its space may be what somebody else waits for.
      (void)files_.unlink(path);
      if (done.error().code == Errc::store_full) remove_ready_for_demand();
      return done;
    }
  }
  return {};
}

Result<void> SegmentPool::start_making() {
  Making making;
  {
    MutexLock lock(mutex_);
    if (demand_ == 0 && ready_room() >= wanted_room()) {
      making.ballast = true;
      making.bytes = options_.ballast_bytes;
      making.path = ballast_path() + ".new";
    } else {
      const std::uint64_t needed = demand_ + kSegmentHeaderBytes + kEntryHeaderBytes;
      making.bytes =
          needed <= options_.segment_bytes ? options_.segment_bytes : align_up(needed, kPieceBytes);
      making.path = directory_ + "/segment.new";
    }
  }
  if (making.bytes > kSegmentBytesMax) {
    return Error{Errc::store_full, "a batch larger than a segment can be"};
  }
  auto file = files_.open(making.path, OpenMode::create);
  if (!file) return file.error();
  making.file = std::move(*file);
  making_ = std::move(making);
  return {};
}

Result<void> SegmentPool::fill() {
  static const std::vector<std::byte> zeros(kPieceBytes);
  Making& making = *making_;
  if (making.written < making.bytes) {
    const std::uint64_t piece = std::min(kPieceBytes, making.bytes - making.written);
    const auto put = making.file->write(making.written, std::span(zeros).first(piece));
    if (!put) return put.error();
    making.written += piece;
    // Small syncs: a large one would hold up the journal's own.
    if (const auto synced = making.file->sync(); !synced) return synced.error();
    return {};
  }
  if (making.ballast) {
    if (auto named = files_.rename(making.path, ballast_path()); !named) return named.error();
    making_.reset();
    MutexLock lock(mutex_);
    ballast_ready_ = true;
    return {};
  }
  auto done = finish(std::move(making.file), making.path, making.bytes);
  if (done) making_.reset();
  return done;
}

/// Gives a zeroed or recycled file its header, then its name.
Result<void> SegmentPool::finish(std::unique_ptr<File> file, const std::string& path,
                                 std::uint64_t bytes) {
  auto segment = std::make_shared<SegmentFile>();
  SegmentHeader header;
  {
    MutexLock lock(mutex_);
    header = {next_number_++, epoch_, previous_};
  }
  segment->number = header.segment;
  segment->epoch = header.epoch;
  segment->bytes = bytes;
  segment->path = path_of(segment->number);
  segment->file = std::move(file);
  const std::string page = encode_segment_header(header);
  if (auto put = segment->file->write(0, std::as_bytes(std::span(page))); !put) return put.error();
  if (auto synced = segment->file->sync(); !synced) return synced.error();
  if (auto named = files_.rename(path, segment->path); !named) return named.error();
  if (auto kept = files_.sync_directory(directory_); !kept) return kept.error();
  MutexLock lock(mutex_);
  segments_[segment->number] = {segment, State::ready, 0, 0};
  // One that was begun before somebody wanted more may be too small for him.
  if (capacity_of(bytes) >= demand_) demand_ = 0;
  count_ready();
  if (ready_room() >= room_demand_) room_demand_ = 0;
  return {};
}

/// The old name goes first, and durably: a file must never carry another segment's header.
Result<void> SegmentPool::recycle(const SegmentRef& segment) {
  const std::string path = directory_ + "/recycled.new";
  if (auto named = files_.rename(segment->path, path); !named) return named.error();
  {
    MutexLock lock(mutex_);
    segments_.erase(segment->number);
  }
  if (auto kept = files_.sync_directory(directory_); !kept) return kept.error();
  return finish(std::move(segment->file), path, segment->bytes);
}

/// Durably too: a segment that came back after a power cut would bring back what it held.
Result<void> SegmentPool::remove(const SegmentRef& segment) {
  // It may have gone at the last attempt, which could not sync the directory.
  if (files_.exists(segment->path)) {
    if (auto gone = files_.unlink(segment->path); !gone) return gone.error();
  }
  if (auto kept = files_.sync_directory(directory_); !kept) return kept.error();
  MutexLock lock(mutex_);
  segments_.erase(segment->number);
  return {};
}

/// A batch larger than any ready segment waits, and the disk is full: room was promised to it in
/// several pieces, so those are given up for one that holds it.
void SegmentPool::remove_ready_for_demand() {
  std::vector<SegmentRef> ready;
  {
    MutexLock lock(mutex_);
    if (demand_ <= options_.segment_bytes) return;
    for (auto segment = segments_.begin(); segment != segments_.end();) {
      if (segment->second.state != State::ready) {
        ++segment;
        continue;
      }
      ready.push_back(segment->second.file);
      segment = segments_.erase(segment);
    }
    count_ready();
  }
  for (const SegmentRef& segment : ready) (void)files_.unlink(segment->path);
}

}  // namespace pabal::store
