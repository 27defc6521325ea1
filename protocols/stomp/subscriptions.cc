#include "protocols/stomp/subscriptions.h"

#include <algorithm>

namespace pabal::stomp {
namespace {

constexpr std::uint32_t slot_of(std::uint64_t tag) noexcept {
  return static_cast<std::uint32_t>(tag) - 1;  // tags start at 1
}

}  // namespace

Subscription& Subscriptions::begin() {
  std::uint32_t slot = 0;
  if (free_.empty()) {
    slot = static_cast<std::uint32_t>(slots_.size());
    slots_.emplace_back();
    uses_.push_back(0);
  } else {
    slot = free_.back();
    free_.pop_back();
    ++uses_[slot];
  }
  slots_[slot] = std::make_unique<Subscription>();
  slots_[slot]->tag = static_cast<std::uint64_t>(uses_[slot]) << 32 | (slot + 1);
  return *slots_[slot];
}

bool Subscriptions::name(Subscription& subscription, std::string_view name) {
  if (!names_.emplace(name, slot_of(subscription.tag)).second) return false;
  subscription.name = name;
  subscription.named = true;
  return true;
}

void Subscriptions::end(Subscription& subscription) {
  if (subscription.named) names_.erase(subscription.name);
  const std::uint32_t slot = slot_of(subscription.tag);
  slots_[slot].reset();
  free_.push_back(slot);
}

void Subscriptions::clear() noexcept {
  slots_.clear();
  uses_.clear();
  free_.clear();
  names_.clear();
}

Subscription* Subscriptions::find(std::uint64_t tag) noexcept {
  const std::uint32_t slot = slot_of(tag);
  if (slot >= slots_.size() || slots_[slot] == nullptr) return nullptr;
  return slots_[slot]->tag == tag ? slots_[slot].get() : nullptr;
}

Subscription* Subscriptions::find_named(std::string_view name) noexcept {
  const auto found = names_.find(name);
  return found == names_.end() ? nullptr : slots_[found->second].get();
}

Subscription* Subscriptions::find_destinations(
    const std::vector<core::Destination>& destinations) noexcept {
  const auto found = std::find_if(slots_.begin(), slots_.end(), [&](const auto& slot) {
    return slot != nullptr &&
           std::is_permutation(slot->destinations.begin(), slot->destinations.end(),
                               destinations.begin(), destinations.end());
  });
  return found == slots_.end() ? nullptr : found->get();
}

Subscription* Subscriptions::find_message(const MessageKey& key) noexcept {
  const auto found = std::find_if(slots_.begin(), slots_.end(), [&](const auto& slot) {
    return slot != nullptr && slot->unacked.find(key).has_value();
  });
  return found == slots_.end() ? nullptr : found->get();
}

}  // namespace pabal::stomp
