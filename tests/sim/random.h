#pragma once

#include <cstdint>
#include <vector>

namespace pabal::sim {

/// The only source of chance in a simulation: the same seed gives the same numbers on every machine
/// (the standard library's distributions do not).
class Random {
 public:
  /// The seed is mixed first: neighbouring seeds must not give the same numbers one later.
  explicit Random(std::uint64_t seed) : state_(seed) { state_ = next() ^ (seed << 32); }

  std::uint64_t next() {  // splitmix64
    std::uint64_t z = (state_ += 0x9E3779B97F4A7C15ULL);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31);
  }
  /// 0 … `end` - 1; 0 for an `end` of 0.
  std::uint64_t below(std::uint64_t end) { return end == 0 ? 0 : next() % end; }
  /// `first` … `last`, both included.
  std::uint64_t between(std::uint64_t first, std::uint64_t last) {
    return first + below(last - first + 1);
  }
  bool one_in(std::uint64_t n) { return below(n) == 0; }
  bool percent(std::uint64_t p) { return below(100) < p; }

  template <class T>
  const T& of(const std::vector<T>& values) {
    return values[below(values.size())];
  }
  /// Index into `weights`, each as likely as its weight.
  std::size_t weighted(const std::vector<unsigned>& weights) {
    std::uint64_t sum = 0;
    for (const unsigned weight : weights) sum += weight;
    std::uint64_t at = below(sum);
    for (std::size_t i = 0; i < weights.size(); ++i) {
      if (at < weights[i]) return i;
      at -= weights[i];
    }
    return 0;
  }

 private:
  std::uint64_t state_;
};

}  // namespace pabal::sim
