#include "protocols/stomp/unacked.h"

#include <functional>
#include <utility>

#include "protocols/stomp/text.h"

namespace pabal::stomp {
namespace {

/// Takes a number that ends at `stop` off `text`.
std::optional<std::uint64_t> take_number(std::string_view& text, std::string_view stop) noexcept {
  const auto end = text.find(stop);
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view digits = text.substr(0, end);
  text.remove_prefix(end + stop.size());
  // "007" is not what we wrote.
  if (digits.empty() || (digits.size() > 1 && digits.front() == '0')) return std::nullopt;
  return parse_number<std::uint64_t>(digits);
}

}  // namespace

MessageKey key_of(const core::Message& message) {
  if (const auto foreign = message.foreign_id(); !foreign.empty()) {
    return {0, 0, std::string(foreign)};
  }
  return {message.origin(), message.sequence(), {}};
}

MessageKey parse_message_id(std::string_view text) {
  constexpr std::string_view kPrefix = "ID:pabal-";
  std::string_view rest = text;
  if (rest.starts_with(kPrefix)) {
    rest.remove_prefix(kPrefix.size());
    const auto high = take_number(rest, "-");
    const auto low = high ? take_number(rest, ":-1:1:") : std::nullopt;
    const auto sequence = parse_number<std::uint64_t>(rest);
    if (high && low && sequence && *high <= UINT32_MAX && *low <= UINT32_MAX) {
      return {*high << 32 | *low, *sequence, {}};
    }
  }
  return {0, 0, std::string(text)};
}

std::size_t UnackedDeliveries::home_of(const MessageKey& key) const noexcept {
  std::uint64_t hash = key.foreign.empty() ? key.sequence + key.origin * 0x9E3779B97F4A7C15ULL
                                           : std::hash<std::string>()(key.foreign);
  hash *= 0xD6E8FEB86659FD93ULL;
  return static_cast<std::size_t>(hash >> 32) & (table_.size() - 1);
}

/// The slot that holds the key, or the free one where it belongs.
std::size_t UnackedDeliveries::slot_of(const MessageKey& key) const noexcept {
  std::size_t slot = home_of(key);
  while (table_[slot] != kFree && !(at(table_[slot]).key == key)) {
    slot = (slot + 1) & (table_.size() - 1);
  }
  return slot;
}

void UnackedDeliveries::add(MessageKey key, core::DeliveryId delivery) {
  if ((live_ + 1) * 2 > table_.size()) rebuild(table_.empty() ? 16 : table_.size() * 2);
  entries_.push_back({std::move(key), delivery, false});
  ++live_;
  insert(first_position_ + entries_.size() - 1);
}

/// A message that came again (it was requeued) is the newer delivery from now on.
void UnackedDeliveries::insert(std::uint64_t position) {
  const std::size_t slot = slot_of(at(position).key);
  if (table_[slot] != kFree) {
    entries_[table_[slot] - first_position_].settled = true;
    --live_;
  }
  table_[slot] = position;
}

std::optional<core::DeliveryId> UnackedDeliveries::find(const MessageKey& key) const noexcept {
  if (table_.empty()) return std::nullopt;
  const std::uint64_t position = table_[slot_of(key)];
  if (position == kFree) return std::nullopt;
  return at(position).delivery;
}

void UnackedDeliveries::erase(const MessageKey& key, std::uint64_t position) {
  std::size_t hole = slot_of(key);
  if (table_[hole] != position) return;
  const std::size_t mask = table_.size() - 1;
  // Pulls later ones of the same run back, so that no probe stops too early.
  for (std::size_t slot = (hole + 1) & mask; table_[slot] != kFree; slot = (slot + 1) & mask) {
    const std::size_t home = home_of(at(table_[slot]).key);
    if (((slot - home) & mask) < ((slot - hole) & mask)) continue;
    table_[hole] = table_[slot];
    hole = slot;
  }
  table_[hole] = kFree;
}

void UnackedDeliveries::settle_entry(std::size_t index) {
  Entry& entry = entries_[index];
  if (entry.settled) return;
  erase(entry.key, first_position_ + index);
  entry.settled = true;
  --live_;
}

void UnackedDeliveries::settle(core::DeliveryId delivery) {
  std::size_t low = 0;
  std::size_t high = entries_.size();
  while (low < high) {
    const std::size_t middle = (low + high) / 2;
    if (entries_[middle].delivery < delivery) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  if (low == entries_.size() || entries_[low].delivery != delivery) return;
  settle_entry(low);
  trim();
}

void UnackedDeliveries::settle_up_to(core::DeliveryId delivery) {
  while (!entries_.empty() && entries_.front().delivery <= delivery) {
    settle_entry(0);
    entries_.pop_front();
    ++first_position_;
  }
  trim();
}

void UnackedDeliveries::trim() {
  while (!entries_.empty() && entries_.front().settled) {
    entries_.pop_front();
    ++first_position_;
  }
  // One old delivery at the front must not keep all settled ones behind it.
  if (entries_.size() > 64 && entries_.size() > live_ * 2) rebuild(table_.size());
}

/// Drops settled entries and makes the table anew.
void UnackedDeliveries::rebuild(std::size_t capacity) {
  core::Ring<Entry> kept;
  while (!entries_.empty()) {
    if (!entries_.front().settled) kept.push_back(std::move(entries_.front()));
    entries_.pop_front();
  }
  entries_ = std::move(kept);
  first_position_ = 0;
  table_.assign(capacity, kFree);
  for (std::size_t i = 0; i < entries_.size(); ++i) insert(i);
}

}  // namespace pabal::stomp
