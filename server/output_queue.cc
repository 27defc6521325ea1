#include "server/output_queue.h"

#include <algorithm>
#include <utility>

namespace pabal::server {
namespace {

constexpr std::size_t kOwnsBuffer = 32;  // more than a string holds without memory of its own
constexpr std::size_t kCompactBytes = 256 * 1024;

}  // namespace

std::string BufferPool::take() {
  if (free_.empty()) {
    std::string fresh;
    fresh.reserve(4096);
    return fresh;
  }
  std::string buffer = std::move(free_.back());
  free_.pop_back();
  return buffer;
}

void BufferPool::give_back(std::string buffer) {
  if (free_.size() >= kBuffersMax || buffer.capacity() > kBufferBytesMax) return;
  buffer.clear();
  free_.push_back(std::move(buffer));
}

std::string& OutputQueue::ready() {
  if (barriers_ != 0) return held_;
  if (ready_.capacity() < kOwnsBuffer) ready_ = pool_.take();
  return ready_;
}

void OutputQueue::seal_bytes_behind_barrier() {
  const std::size_t loose = held_bytes() - held_in_pieces_;
  if (loose == 0) return;
  pieces_.push_back({core::kNoTicket, false, true, loose});
  held_in_pieces_ += loose;
}

void OutputQueue::hold(core::Ticket until, std::string_view bytes, bool barrier) {
  if (until <= durable_ && pieces_.empty()) {
    ready().append(bytes);
    return;
  }
  held_until_ = std::max(held_until_, until);
  seal_bytes_behind_barrier();
  if (held_.capacity() < kOwnsBuffer) held_ = pool_.take();
  held_.append(bytes);
  held_in_pieces_ += bytes.size();
  if (!barrier && !pieces_.empty() && !pieces_.back().barrier && !pieces_.back().loose &&
      pieces_.back().until == until) {
    pieces_.back().bytes += bytes.size();
    return;
  }
  if (barrier) {
    mark_deliveries();  // what was encoded before it does not wait for it
    ++barriers_;
  }
  pieces_.push_back({until, barrier, false, bytes.size()});
}

bool OutputQueue::release() {
  if (pieces_.empty() || pieces_.front().until > durable_) return false;
  seal_bytes_behind_barrier();
  const std::uint32_t barriers_before = barriers_;
  std::size_t count = 0;
  while (!pieces_.empty() && pieces_.front().until <= durable_) {
    count += pieces_.front().bytes;
    if (pieces_.front().barrier) --barriers_;
    pieces_.pop_front();
  }
  if (ready_.capacity() < kOwnsBuffer) ready_ = pool_.take();
  ready_.append(held_, held_offset_, count);
  held_offset_ += count;
  held_in_pieces_ -= count;
  if (barriers_ != barriers_before) release_loose_pieces();
  if (held_bytes() == 0) {
    held_.clear();
    held_offset_ = 0;
    give_buffers_back();
  } else if (held_offset_ > kCompactBytes && held_offset_ > held_.size() / 2) {
    held_.erase(0, held_offset_);
    held_offset_ = 0;
  }
  return true;
}

/// A barrier is gone: what stood behind it, up to the next one, and waits for no ticket. Left here
/// it would be overtaken by what is encoded from now on, and count as written before it is.
void OutputQueue::release_loose_pieces() {
  std::string kept;
  core::Ring<Piece> waiting;
  bool behind_barrier = false;
  while (!pieces_.empty()) {
    const Piece piece = pieces_.front();
    pieces_.pop_front();
    const auto bytes = std::string_view(held_).substr(held_offset_, piece.bytes);
    held_offset_ += piece.bytes;
    behind_barrier = behind_barrier || piece.barrier;
    if (piece.loose && !behind_barrier) {
      ready_ += bytes;
    } else {
      kept += bytes;
      waiting.push_back(piece);
    }
  }
  held_.assign(kept);  // not moved: a short string would have no buffer, which means empty
  held_offset_ = 0;
  held_in_pieces_ = held_.size();
  pieces_ = std::move(waiting);
}

void OutputQueue::mark_deliveries() {
  // Behind a barrier the bytes have no place in the stream yet; they are marked once it is gone.
  if (barriers_ != 0 || delivery_encoded_ == delivery_marked_) return;
  marks_.push_back({stream_taken_ + front().size(), delivery_encoded_, delivery_bytes_encoded_});
  delivery_marked_ = delivery_encoded_;
}

void OutputQueue::consume(std::size_t count) {
  mark_deliveries();
  stream_taken_ += count;
  ready_offset_ += count;
  if (ready_offset_ == ready_.size()) {
    ready_.clear();
    ready_offset_ = 0;
    give_buffers_back();
  } else if (ready_offset_ > kCompactBytes && ready_offset_ > ready_.size() / 2) {
    ready_.erase(0, ready_offset_);
    ready_offset_ = 0;
  }
}

std::optional<std::uint64_t> OutputQueue::take_written() {
  mark_deliveries();  // one whose bytes the session left out ends where the last one did
  std::optional<std::uint64_t> written;
  while (!marks_.empty() && marks_.front().stream_end <= stream_taken_) {
    written = marks_.front().delivery;
    delivery_bytes_taken_ = marks_.front().delivery_bytes;
    marks_.pop_front();
  }
  return written;
}

void OutputQueue::give_buffers_back() {
  if (ready_.empty() && ready_.capacity() >= kOwnsBuffer) {
    pool_.give_back(std::exchange(ready_, std::string()));
  }
  if (held_.empty() && held_.capacity() >= kOwnsBuffer) {
    pool_.give_back(std::exchange(held_, std::string()));
  }
}

void OutputQueue::clear() {
  ready_.clear();
  held_.clear();
  ready_offset_ = held_offset_ = held_in_pieces_ = 0;
  pieces_.clear();
  marks_.clear();
  barriers_ = 0;
  delivery_bytes_taken_ = delivery_bytes_encoded_;
  give_buffers_back();
}

}  // namespace pabal::server
