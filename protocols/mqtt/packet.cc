#include "protocols/mqtt/packet.h"

#include <algorithm>

#include "protocols/mqtt/wire.h"

namespace pabal::mqtt {
namespace {

/// Of a well-formed list; of other bytes nothing beyond their end.
std::string_view take_filter(std::string_view& rest) noexcept {
  if (rest.size() < 2) {
    rest = {};
    return {};
  }
  const std::string_view filter = rest.substr(2, load_two(rest.data()));
  rest.remove_prefix(2 + filter.size());
  return filter;
}

}  // namespace

void SubscriptionRequests::Iterator::read() noexcept {
  if (rest_.empty()) {
    done_ = true;
    return;
  }
  request_.filter = take_filter(rest_);
  if (rest_.empty()) return;
  const std::uint32_t options = load_byte(rest_.data()) & options_mask_;
  rest_.remove_prefix(1);
  request_.qos = static_cast<QoS>(options & 3);
  request_.no_local = (options & 4) != 0;
  request_.retain_as_published = (options & 8) != 0;
  request_.retain_handling = static_cast<RetainHandling>(options >> 4 & 3);
}

void TopicFilters::Iterator::read() noexcept {
  if (rest_.empty()) {
    done_ = true;
    return;
  }
  filter_ = take_filter(rest_);
}

bool append_subscription_request(std::string& encoded, const SubscriptionRequest& request) {
  if (!append_topic_filter(encoded, request.filter)) return false;
  encoded += static_cast<char>(static_cast<unsigned>(request.qos) | (request.no_local ? 4U : 0U) |
                               (request.retain_as_published ? 8U : 0U) |
                               static_cast<unsigned>(request.retain_handling) << 4);
  return true;
}

bool append_topic_filter(std::string& encoded, std::string_view filter) {
  if (filter.size() > kTextBytesMax) return false;
  append_text(encoded, filter);
  return true;
}

}  // namespace pabal::mqtt
