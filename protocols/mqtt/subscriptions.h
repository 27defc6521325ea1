#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/engine.h"
#include "protocols/mqtt/command.h"

namespace pabal::mqtt {

/// What a client said about one filter, as it is kept with a session.
struct SubscriptionSettings {
  QoS qos{};
  bool no_local = false;
  bool retain_as_published = false;
  std::uint32_t subscription_id = 0;  ///< 0: none
};
std::string encode_settings(const SubscriptionSettings& settings);
/// Nullopt: not what encode_settings() wrote.
std::optional<SubscriptionSettings> decode_settings(std::string_view text);

/// One subscription of this connection.
struct Subscription {
  std::uint64_t tag = 0;
  std::string filter;
  core::SubscriptionId id{};
  SubscriptionSettings settings;
  bool shared = false;
  bool durable = false;       ///< core keeps it under name_of(filter)
  bool attached = false;      ///< it stands in the session as an attachment: QoS 0, nothing is kept
  bool was_explicit = false;  ///< deliveries on their way may still have to be acknowledged
};

/// The name of a filter's subscription in core. It has nothing in it that a client can change
/// without losing what waits.
inline std::string name_of(std::string_view filter) {
  return "mqtt:" + std::string(filter);
}

/// By filter and by tag. Tags count up, so they are looked up by halving.
class Subscriptions {
 public:
  Subscription* find(std::uint64_t tag) noexcept;
  Subscription* find(std::string_view filter) noexcept;
  Subscription& add(std::string_view filter);
  void erase(std::string_view filter);
  [[nodiscard]] bool empty() const noexcept { return by_tag_.empty(); }

 private:
  std::uint64_t last_tag_ = 0;
  std::vector<std::unique_ptr<Subscription>> by_tag_;
  std::map<std::string, Subscription*, std::less<>> by_filter_;
};

}  // namespace pabal::mqtt
