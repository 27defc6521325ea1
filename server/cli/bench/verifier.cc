#include "server/cli/bench/verifier.h"

#include <algorithm>
#include <bit>

namespace pabal::cli::bench {

bool Arrivals::insert(std::size_t stream, std::uint64_t sequence) {
  if (stream >= streams_.size()) streams_.resize(stream + 1);
  Stream& arrived = streams_[stream];
  const std::size_t word = sequence / 64;
  if (word >= arrived.bits.size()) arrived.bits.resize(std::max(word + 1, arrived.bits.size() * 2));
  const std::uint64_t bit = std::uint64_t{1} << (sequence % 64);
  if ((arrived.bits[word] & bit) != 0) return false;
  arrived.bits[word] |= bit;
  arrived.end = std::max(arrived.end, sequence + 1);
  ++arrived.count;
  ++count_;
  return true;
}

std::uint64_t Arrivals::merge(const Arrivals& other) {
  std::uint64_t duplicates = 0;
  if (other.streams_.size() > streams_.size()) streams_.resize(other.streams_.size());
  for (std::size_t i = 0; i < other.streams_.size(); ++i) {
    const Stream& from = other.streams_[i];
    Stream& into = streams_[i];
    if (from.bits.size() > into.bits.size()) into.bits.resize(from.bits.size());
    std::uint64_t both = 0;
    for (std::size_t word = 0; word < from.bits.size(); ++word) {
      both += static_cast<std::uint64_t>(std::popcount(into.bits[word] & from.bits[word]));
      into.bits[word] |= from.bits[word];
    }
    into.end = std::max(into.end, from.end);
    into.count += from.count - both;
    count_ += from.count - both;
    duplicates += both;
  }
  return duplicates;
}

std::uint64_t Arrivals::holes() const {
  std::uint64_t holes = 0;
  for (const Stream& stream : streams_) holes += stream.end - stream.count;
  return holes;
}

bool OrderCheck::advance(std::size_t stream, std::uint8_t priority, std::uint64_t sequence) {
  if (stream >= next_.size()) next_.resize(stream + 1);
  std::uint64_t& next = next_[stream][priority];
  const bool in_order = sequence >= next;
  next = std::max(next, sequence + 1);
  return in_order;
}

std::size_t Streams::number(const BodyId& id) {
  if (id.run == run_) return id.producer;
  if (run_ != 0) return kForeign;
  const std::uint64_t key = std::uint64_t{id.run} << 16 | id.producer;
  for (std::size_t i = 0; i < known_.size(); ++i) {
    if (known_[i] == key) return i;
  }
  known_.push_back(key);
  return known_.size() - 1;
}

}  // namespace pabal::cli::bench
