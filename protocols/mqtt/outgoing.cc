#include "protocols/mqtt/outgoing.h"

namespace pabal::mqtt {

std::string encode_key(const DeliveryKey& key) {
  return std::to_string(key.origin) + ' ' + std::to_string(key.sequence) + ' ' + key.filter;
}

std::optional<DeliveryKey> decode_key(std::string_view text) {
  DeliveryKey key;
  if (!take_number(text, key.origin) || !take_number(text, key.sequence)) return std::nullopt;
  key.filter = text;
  return key;
}

std::string encode_place(const core::DeliveryPlace& place) {
  return std::to_string(static_cast<std::uint64_t>(place.list)) + ' ' +
         std::to_string(static_cast<std::uint64_t>(place.reader)) + ' ' +
         std::to_string(place.priority) + ' ' + std::to_string(place.sequence);
}

bool decode_place(std::string_view& text, core::DeliveryPlace& place) {
  std::uint64_t list = 0;
  std::uint64_t reader = 0;
  const bool whole = take_number(text, list) && take_number(text, reader) &&
                     take_number(text, place.priority) && take_number(text, place.sequence);
  place.list = core::ListId{list};
  place.reader = core::ReaderId{reader};
  return whole && place.priority < core::kPriorities;
}

DeliveryKey key_of(const Outgoing& entry, const Subscription& subscription) {
  return {entry.origin, entry.sequence, subscription.filter};
}

std::vector<std::pair<std::uint16_t, DeliveryKey>> unanswered(Sent& sent) {
  std::vector<std::pair<std::uint16_t, DeliveryKey>> all;
  for (std::uint32_t number = 1; number <= sent.outgoing.highest(); ++number) {
    const auto id = static_cast<std::uint16_t>(number);
    const Outgoing* entry = sent.outgoing.find(id);
    if (entry == nullptr || entry->progress != Progress::sent_1) continue;
    const Subscription* subscription = sent.subscriptions.find(entry->tag);
    if (subscription == nullptr || !subscription->durable) continue;
    all.emplace_back(id, key_of(*entry, *subscription));
  }
  for (const auto& [key, expected] : sent.expected) {
    if (!expected.place) all.emplace_back(expected.packet_id, key);
  }
  return all;
}

}  // namespace pabal::mqtt
