#include "protocols/mqtt/subscriptions.h"

#include <algorithm>
#include <charconv>

namespace pabal::mqtt {

/// "1 <qos> <no local> <retain as published> <identifier>".
std::string encode_settings(const SubscriptionSettings& settings) {
  return "1 " + std::to_string(static_cast<int>(settings.qos)) + (settings.no_local ? " 1" : " 0") +
         (settings.retain_as_published ? " 1 " : " 0 ") + std::to_string(settings.subscription_id);
}

std::optional<SubscriptionSettings> decode_settings(std::string_view text) {
  if (text.size() < 9 || !text.starts_with("1 ") || text[2] < '0' || text[2] > '2') {
    return std::nullopt;
  }
  SubscriptionSettings settings;
  settings.qos = static_cast<QoS>(text[2] - '0');
  settings.no_local = text[4] == '1';
  settings.retain_as_published = text[6] == '1';
  const auto read =
      std::from_chars(text.data() + 8, text.data() + text.size(), settings.subscription_id);
  if (read.ec != std::errc{}) return std::nullopt;
  return settings;
}

Subscription* Subscriptions::find(std::uint64_t tag) noexcept {
  const auto at = std::lower_bound(
      by_tag_.begin(), by_tag_.end(), tag,
      [](const auto& subscription, std::uint64_t wanted) { return subscription->tag < wanted; });
  return at == by_tag_.end() || (*at)->tag != tag ? nullptr : at->get();
}

Subscription* Subscriptions::find(std::string_view filter) noexcept {
  const auto at = by_filter_.find(filter);
  return at == by_filter_.end() ? nullptr : at->second;
}

Subscription& Subscriptions::add(std::string_view filter) {
  auto& made = *by_tag_.emplace_back(std::make_unique<Subscription>());
  made.tag = ++last_tag_;
  made.filter = filter;
  by_filter_.emplace(made.filter, &made);
  return made;
}

void Subscriptions::erase(std::string_view filter) {
  const auto at = by_filter_.find(filter);
  if (at == by_filter_.end()) return;
  const Subscription* gone = at->second;
  by_filter_.erase(at);
  std::erase_if(by_tag_, [&](const auto& each) { return each.get() == gone; });
}

}  // namespace pabal::mqtt
