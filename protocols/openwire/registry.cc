#include "protocols/openwire/registry.h"

#include <functional>
#include <limits>
#include <string_view>
#include <utility>

namespace pabal::openwire {
namespace {

std::uint64_t mixed(std::uint64_t hash, std::int64_t value) noexcept {
  hash ^= static_cast<std::uint64_t>(value) + 0x9E3779B97F4A7C15ULL + (hash << 6) + (hash >> 2);
  return hash * 0xD6E8FEB86659FD93ULL;
}

ObjectKey first_of(std::int64_t session) noexcept {
  return {session, std::numeric_limits<std::int64_t>::min()};
}

}  // namespace

IdKey key_of(const MessageId& id) noexcept {
  std::uint64_t hash = std::hash<std::string_view>()(id.producer_id.connection_id);
  hash = mixed(hash, id.producer_id.session_id);
  hash = mixed(hash, id.producer_id.value);
  return {mixed(hash, id.producer_sequence_id), id.broker_sequence_id};
}

// --- deliveries in flight ------------------------------------------------------------------------

std::optional<core::DeliveryId> InFlight::find(const IdKey& key) {
  std::size_t low = 0;
  std::size_t high = deliveries_.size();
  while (low < high) {
    const std::size_t middle = (low + high) / 2;
    if (deliveries_[middle].key.broker_sequence < key.broker_sequence) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  if (low < deliveries_.size()) {
    const Delivery& found = deliveries_[low];
    if (found.key.broker_sequence == key.broker_sequence && found.key.hash == key.hash) {
      return found.settled ? std::nullopt : std::optional(found.id);
    }
  }
  if (!std::exchange(indexed_, true)) {
    for (std::size_t at = 0; at < deliveries_.size(); ++at) {
      if (!deliveries_[at].settled) by_hash_[deliveries_[at].key.hash] = deliveries_[at].id;
    }
  }
  const auto named = by_hash_.find(key.hash);
  return named == by_hash_.end() ? std::nullopt : std::optional(named->second);
}

std::optional<core::DeliveryId> InFlight::oldest() const noexcept {
  // Settled ones never stand in front.
  if (deliveries_.empty()) return std::nullopt;
  return deliveries_.front().id;
}

std::size_t InFlight::position_of(core::DeliveryId id) const noexcept {
  std::size_t low = 0;
  std::size_t high = deliveries_.size();
  if (high != 0 && deliveries_.front().id >= id) return 0;  // the common case
  while (low < high) {
    const std::size_t middle = (low + high) / 2;
    if (deliveries_[middle].id < id) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

std::size_t InFlight::settle(core::DeliveryId first, core::DeliveryId last) {
  std::size_t settled = 0;
  for (std::size_t at = position_of(first); at < deliveries_.size() && deliveries_[at].id <= last;
       ++at) {
    if (deliveries_[at].settled) continue;
    settle_at(at);
    ++settled;
  }
  trim();
  return settled;
}

void InFlight::settle_at(std::size_t position) {
  Delivery& delivery = deliveries_[position];
  delivery.settled = true;
  --live_;
  if (!indexed_) return;
  const auto named = by_hash_.find(delivery.key.hash);
  if (named != by_hash_.end() && named->second == delivery.id) by_hash_.erase(named);
}

std::size_t InFlight::count(core::DeliveryId first, core::DeliveryId last) const noexcept {
  std::size_t counted = 0;
  for (std::size_t at = position_of(first); at < deliveries_.size() && deliveries_[at].id <= last;
       ++at) {
    if (!deliveries_[at].settled) ++counted;
  }
  return counted;
}

core::DeliveryId InFlight::up_to(std::int64_t broker_sequence) const noexcept {
  core::DeliveryId last{0};
  for (std::size_t at = 0;
       at < deliveries_.size() && deliveries_[at].key.broker_sequence <= broker_sequence; ++at) {
    last = deliveries_[at].id;
  }
  return last;
}

void InFlight::trim() {
  while (!deliveries_.empty() && deliveries_.front().settled) deliveries_.pop_front();
  if (indexed_ && live_ == 0) {
    indexed_ = false;
    by_hash_ = {};
  }
  // One old delivery at the front must not keep all settled ones behind it.
  if (deliveries_.size() <= 64 || deliveries_.size() <= live_ * 2) return;
  core::Ring<Delivery> kept;
  while (!deliveries_.empty()) {
    if (!deliveries_.front().settled) kept.push_back(deliveries_.front());
    deliveries_.pop_front();
  }
  deliveries_ = std::move(kept);
}

// --- consumers and producers ---------------------------------------------------------------------

Consumer& Registry::add_consumer(const ObjectKey& key) {
  auto& slot = consumers_[key];
  slot = std::make_unique<Consumer>();
  slot->key = key;
  slot->tag = ++last_tag_;
  tags_[slot->tag] = slot.get();
  return *slot;
}

void Registry::remove_consumer(Consumer& consumer) {
  tags_.erase(consumer.tag);
  const ObjectKey key = consumer.key;  // dies with it
  consumers_.erase(key);
}

Consumer* Registry::find_consumer(const ObjectKey& key) noexcept {
  const auto found = consumers_.find(key);
  return found == consumers_.end() ? nullptr : found->second.get();
}

Consumer* Registry::find_tag(std::uint64_t tag) noexcept {
  const auto found = tags_.find(tag);
  return found == tags_.end() ? nullptr : found->second;
}

std::vector<ObjectKey> Registry::consumers_of(std::optional<std::int64_t> session) const {
  std::vector<ObjectKey> keys;
  auto at = session ? consumers_.lower_bound(first_of(*session)) : consumers_.begin();
  for (; at != consumers_.end() && (!session || at->first.session == *session); ++at) {
    keys.push_back(at->first);
  }
  return keys;
}

std::vector<ObjectKey> Registry::producers_of(std::int64_t session) const {
  std::vector<ObjectKey> keys;
  for (auto at = producers_.lower_bound(first_of(session));
       at != producers_.end() && at->first.session == session; ++at) {
    keys.push_back(at->first);
  }
  return keys;
}

const Producer* Registry::find_producer(const ObjectKey& key) const noexcept {
  const auto found = producers_.find(key);
  return found == producers_.end() ? nullptr : &found->second;
}

void Registry::clear() {
  consumers_.clear();
  tags_.clear();
  producers_.clear();
  sessions_ = {-1};
}

}  // namespace pabal::openwire
