#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/ids.h"
#include "core/ring.h"
#include "protocols/session.h"

namespace pabal::server {

/// Write buffers of one loop, lent to connections that have something to say, so that an idle
/// connection owns none and a busy one never allocates. Home: the loop.
class BufferPool {
 public:
  std::string take();
  void give_back(std::string buffer);

  static constexpr std::size_t kBuffersMax = 64;
  static constexpr std::size_t kBufferBytesMax = 512 * 1024;  ///< larger ones are freed

 private:
  std::vector<std::string> free_;
};

/// What one connection still has to send: bytes that may leave now, and pieces that wait until the
/// store is durable up to their tickets. Home: the connection's loop.
///
/// Held pieces are in one string in order; bytes appended behind a barrier join them there as a
/// loose piece, which waits for the barrier and for nothing else: once that is gone it goes on
/// before the held pieces that still wait, as it would have without the barrier.
///
///   front() ─ consume()      [ready_: may leave]  ◄─ release() ─ [held_: piece │ piece │ barrier │
///   …]
///
/// It also counts deliveries: a mark says which delivery's bytes end where in the stream, so that
/// take_written() knows the last one that the socket took whole.
class OutputQueue final : public protocols::Output {
 public:
  /// `durable`: the loop's copy of Store::durable(), refreshed every turn. Both outlive the queue.
  OutputQueue(BufferPool& pool, const core::Ticket& durable) noexcept
      : pool_(pool), durable_(durable) {}
  ~OutputQueue() override { clear(); }
  OutputQueue(const OutputQueue&) = delete;
  OutputQueue& operator=(const OutputQueue&) = delete;

  std::string& ready() override;
  void hold(core::Ticket until, std::string_view bytes, bool barrier) override;
  void close_after_flush() override { close_requested_ = true; }

  /// Lets go of what the store has made durable. Answers whether anything moved.
  bool release();
  /// Something waits for the store.
  [[nodiscard]] bool holding() const noexcept { return !pieces_.empty(); }
  /// The highest that anything ever waited for.
  [[nodiscard]] core::Ticket held_until() const noexcept { return held_until_; }

  /// What may be written now.
  [[nodiscard]] std::string_view front() const noexcept {
    return std::string_view(ready_).substr(ready_offset_);
  }
  /// The socket took `count` bytes of front().
  void consume(std::size_t count);

  /// The delivery `number` was just encoded, to so many bytes.
  void note_delivery(std::uint64_t number, std::size_t bytes) noexcept {
    delivery_encoded_ = number;
    delivery_bytes_encoded_ += bytes;
  }
  /// The highest delivery whose bytes the socket has taken, once; nullopt: none since last time.
  std::optional<std::uint64_t> take_written();

  [[nodiscard]] bool close_requested() const noexcept { return close_requested_; }
  [[nodiscard]] bool empty() const noexcept { return front().empty() && held_bytes() == 0; }
  /// Bytes kept, held ones included.
  [[nodiscard]] std::size_t bytes() const noexcept { return front().size() + held_bytes(); }
  /// What of that the peer made by its own commands: all but deliveries, which the engine limits.
  /// Some less while the deliveries of one mark are being written.
  [[nodiscard]] std::size_t reply_bytes() const noexcept {
    const auto deliveries = delivery_bytes_encoded_ - delivery_bytes_taken_;
    return bytes() > deliveries ? bytes() - deliveries : 0;
  }
  /// Forgets everything: the peer is gone.
  void clear();

 private:
  struct Piece {
    core::Ticket until;
    bool barrier;
    bool loose;  // bytes of ready() behind a barrier
    std::size_t bytes;
  };
  struct Mark {
    std::uint64_t stream_end;
    std::uint64_t delivery;
    std::uint64_t delivery_bytes;  // of all deliveries so far
  };
  [[nodiscard]] std::size_t held_bytes() const noexcept { return held_.size() - held_offset_; }
  void seal_bytes_behind_barrier();
  void release_loose_pieces();
  void mark_deliveries();
  void give_buffers_back();

  BufferPool& pool_;
  const core::Ticket& durable_;
  std::string ready_;
  std::size_t ready_offset_ = 0;
  std::string held_;
  std::size_t held_offset_ = 0;
  std::size_t held_in_pieces_ = 0;  // bytes of held_ after held_offset_ that pieces_ account for
  core::Ring<Piece> pieces_;
  core::Ticket held_until_ = core::kNoTicket;
  std::uint32_t barriers_ = 0;
  bool close_requested_ = false;
  std::uint64_t stream_taken_ = 0;  // bytes that the socket took so far
  std::uint64_t delivery_encoded_ = 0;
  std::uint64_t delivery_marked_ = 0;
  std::uint64_t delivery_bytes_encoded_ = 0;
  std::uint64_t delivery_bytes_taken_ = 0;
  core::Ring<Mark> marks_;
};

}  // namespace pabal::server
