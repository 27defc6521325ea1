#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "server/cli/bench/body.h"

namespace pabal::cli::bench {

/// Which sequences of each producer have arrived in one place: at the consumers of the queues
/// together, or at one consumer of a topic. One bit per message. Not thread-safe: each worker has
/// its own and they are merged at the end.
class Arrivals {
 public:
  /// False: it was there before.
  bool insert(std::size_t stream, std::uint64_t sequence);
  /// Takes over what `other` has; what both have are duplicates, counted in the answer.
  std::uint64_t merge(const Arrivals& other);

  std::uint64_t count() const noexcept { return count_; }
  /// Sequences below the highest seen of their producer that did not come.
  std::uint64_t holes() const;

 private:
  struct Stream {
    std::vector<std::uint64_t> bits;
    std::uint64_t count = 0;
    std::uint64_t end = 0;  ///< one past the highest sequence
  };
  std::vector<Stream> streams_;
  std::uint64_t count_ = 0;
};

/// Whether one consumer sees each producer's messages of one priority in sending order.
class OrderCheck {
 public:
  /// False: a later one came before.
  bool advance(std::size_t stream, std::uint8_t priority, std::uint64_t sequence);

 private:
  /// One past the last sequence, per producer and priority.
  std::vector<std::array<std::uint64_t, 10>> next_;
};

/// Numbers the producers of this run and, where a queue is only drained, those of the runs that
/// filled it.
class Streams {
 public:
  static constexpr std::size_t kForeign = ~std::size_t{0};

  /// `run` 0: any run is ours.
  explicit Streams(std::uint32_t run) : run_(run) {}
  /// A small dense number, or kForeign for a message of another run.
  std::size_t number(const BodyId& id);

 private:
  std::uint32_t run_;
  std::vector<std::uint64_t> known_;  ///< run and producer of each number
};

}  // namespace pabal::cli::bench
