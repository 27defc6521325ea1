#include "store/journal/segment_pool.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <utility>

namespace pabal::store {
namespace {

constexpr std::string_view kSuffix = ".segment";

std::optional<std::uint64_t> number_of(std::string_view name) {
  if (!name.ends_with(kSuffix)) return std::nullopt;
  name.remove_suffix(kSuffix.size());
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number, 16);
  if (error != std::errc() || end != name.data() + name.size()) return std::nullopt;
  return number;
}

}  // namespace

std::string SegmentPool::path_of(std::uint64_t number) const {
  char name[32];
  std::snprintf(name, sizeof(name), "/%012llx", static_cast<unsigned long long>(number));
  return directory_ + name + std::string(kSuffix);
}

// --- at start ------------------------------------------------------------------------------------

Result<std::vector<SegmentRef>> SegmentPool::open_all(std::vector<std::string>& unused) {
  auto names = files_.list(directory_);
  if (!names) return names.error();
  std::sort(names->begin(), names->end());
  std::vector<SegmentRef> found;
  for (const std::string& name : *names) {
    const std::string path = directory_ + "/" + name;
    if (name.ends_with(".new")) unused.push_back(path);
    const auto number = number_of(name);
    if (!number) continue;
    auto file = files_.open(path, OpenMode::write);
    if (!file) return file.error();
    const auto bytes = (*file)->size();
    if (!bytes) return bytes.error();
    std::string page(kSegmentHeaderBytes, '\0');
    const auto got = (*file)->read(0, std::as_writable_bytes(std::span(page)));
    if (!got) return got.error();
    page.resize(*got);
    const auto header = decode_segment_header(page);
    if (!header || header->segment != *number) {
      // Segments get their names after their header is synced, so this one was damaged.
      return Error{Errc::store_io, "damaged store: segment " + path + " has no valid header"};
    }
    auto segment = std::make_shared<SegmentFile>();
    segment->number = *number;
    segment->epoch = header->epoch;
    segment->bytes = *bytes;
    segment->path = path;
    segment->file = std::move(*file);
    found.push_back(std::move(segment));
    MutexLock lock(mutex_);
    next_number_ = std::max(next_number_, *number + 1);
  }
  return found;
}

void SegmentPool::adopt_closed(ClosedSegment segment) {
  MutexLock lock(mutex_);
  const std::uint64_t number = segment.file->number;
  segments_[number] = {std::move(segment.file), State::closed, segment.first_index,
                       segment.last_index};
}

void SegmentPool::adopt_empty(const SegmentRef& segment) {
  MutexLock lock(mutex_);
  segments_[segment->number] = {segment, State::condemned, 0, 0};
}

Result<SegmentRef> SegmentPool::begin_epoch(std::uint64_t epoch, const LogPosition& previous) {
  SegmentRef reuse;
  {
    MutexLock lock(mutex_);
    epoch_ = epoch;
    previous_ = previous;
    for (const auto& [number, segment] : segments_) {
      if (segment.state != State::condemned || segment.file->bytes < first_bytes()) continue;
      if (!reuse || segment.file->bytes == options_.segment_bytes) reuse = segment.file;
    }
  }
  if (reuse) {
    if (auto done = recycle(reuse); !done) return done.error();
  } else {
    Making making;
    making.bytes = first_bytes();
    making.path = directory_ + "/first.new";
    auto file = files_.open(making.path, OpenMode::create);
    if (!file) return file.error();
    making.file = std::move(*file);
    making_ = std::move(making);
    while (making_) {
      if (auto done = fill(); !done) {
        making_.reset();
        return done.error();
      }
    }
  }
  SegmentRef first = activate(0);
  PABAL_CHECK(first != nullptr, "a segment was just made ready");
  return first;
}

// --- the store thread ----------------------------------------------------------------------------

SegmentRef SegmentPool::activate(std::uint64_t bytes) {
  MutexLock lock(mutex_);
  for (auto& [number, segment] : segments_) {
    if (segment.state != State::ready || capacity_of(segment.file->bytes) < bytes) continue;
    segment.state = State::active;
    active_ = segment.file;
    active_offset_ = kSegmentHeaderBytes;
    if (bytes >= demand_) demand_ = 0;
    count_ready();
    return active_;
  }
  demand_ = std::max(demand_, bytes);
  return nullptr;
}

void SegmentPool::note_closed(std::uint64_t number) {
  MutexLock lock(mutex_);
  Segment& segment = segments_[number];
  // A segment that was closed without an entry holds nothing.
  segment.state = segment.first_index == 0 ? State::condemned : State::closed;
}

void SegmentPool::note_written(std::uint64_t index, std::uint64_t offset) {
  MutexLock lock(mutex_);
  Segment& segment = segments_[active_->number];
  if (segment.first_index == 0) segment.first_index = index;
  segment.last_index = index;
  active_offset_ = offset;
  count_room();
}

// --- anybody -------------------------------------------------------------------------------------

void SegmentPool::count_ready() {
  ready_room_ = 0;
  for (const auto& [number, segment] : segments_) {
    if (segment.state == State::ready) ready_room_ += capacity_of(segment.file->bytes);
  }
  count_room();
}

void SegmentPool::count_room() {
  const std::uint64_t used = active_offset_ + kEntryHeaderBytes;
  const std::uint64_t left = active_ && active_->bytes > used ? active_->bytes - used : 0;
  room_.store(left + ready_room_, std::memory_order_relaxed);
}

bool SegmentPool::fits(std::uint64_t bytes) const {
  MutexLock lock(mutex_);
  for (const auto& [number, segment] : segments_) {
    const bool active = segment.file == active_;
    const std::uint64_t used = active ? active_offset_ - kSegmentHeaderBytes : 0;
    const bool writable = segment.state == State::ready || active;
    if (writable && capacity_of(segment.file->bytes) >= bytes + used) return true;
  }
  return false;
}

bool SegmentPool::want_piece(std::uint64_t bytes) {
  if (fits(bytes)) return false;
  MutexLock lock(mutex_);
  if (bytes <= demand_) return false;
  demand_ = bytes;
  return true;
}

bool SegmentPool::want_room(std::uint64_t bytes) {
  MutexLock lock(mutex_);
  if (bytes <= wanted_room() || bytes <= ready_room()) return false;
  room_demand_ = bytes;
  return true;
}

std::uint64_t SegmentPool::reserve() const {
  return options_.segment_bytes / 2;
}

std::optional<Error> SegmentPool::failure() const {
  MutexLock lock(mutex_);
  return failure_;
}

SegmentRef SegmentPool::find(std::uint64_t number) const {
  MutexLock lock(mutex_);
  const auto segment = segments_.find(number);
  if (segment == segments_.end() || segment->second.state == State::condemned) return nullptr;
  return segment->second.file;
}

std::vector<ClosedSegment> SegmentPool::closed() const {
  MutexLock lock(mutex_);
  std::vector<ClosedSegment> closed;
  for (const auto& [number, segment] : segments_) {
    if (segment.state != State::closed) continue;
    closed.push_back({segment.file, segment.first_index, segment.last_index});
  }
  return closed;
}

std::vector<std::uint64_t> SegmentPool::numbers() const {
  MutexLock lock(mutex_);
  std::vector<std::uint64_t> numbers;
  for (const auto& [number, segment] : segments_) {
    const bool in_log = segment.state == State::closed || segment.state == State::active;
    if (in_log && segment.first_index != 0) numbers.push_back(number);
  }
  return numbers;
}

std::uint64_t SegmentPool::segments() const {
  MutexLock lock(mutex_);
  return segments_.size();
}

std::uint64_t SegmentPool::bytes_on_disk() const {
  MutexLock lock(mutex_);
  std::uint64_t bytes = ballast_ready_ ? options_.ballast_bytes : 0;
  for (const auto& [number, segment] : segments_) bytes += segment.file->bytes;
  return bytes;
}

bool SegmentPool::older_than(std::uint64_t index, std::uint64_t except) const {
  MutexLock lock(mutex_);
  return std::any_of(segments_.begin(), segments_.end(), [&](const auto& each) {
    const Segment& segment = each.second;
    return each.first != except && segment.first_index != 0 && segment.first_index < index;
  });
}

void SegmentPool::condemn(std::uint64_t number) {
  MutexLock lock(mutex_);
  const auto segment = segments_.find(number);
  if (segment == segments_.end()) return;
  PABAL_CHECK(segment->second.state == State::closed, "only a closed segment can go");
  segment->second.state = State::condemned;
}

void SegmentPool::lend_ballast() {
  {
    MutexLock lock(mutex_);
    lent_ = true;
    if (!std::exchange(ballast_ready_, false)) return;
  }
  (void)files_.unlink(ballast_path());  // if it fails there is no room, which is what it was before
}

void SegmentPool::end_loan() {
  MutexLock lock(mutex_);
  lent_ = false;
}

}  // namespace pabal::store
