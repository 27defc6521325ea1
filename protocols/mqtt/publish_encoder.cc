#include "protocols/mqtt/publish_encoder.h"

#include <cstring>

#include "protocols/mqtt/topic_names.h"
#include "protocols/mqtt/utf8.h"
#include "protocols/mqtt/wire.h"

namespace pabal::mqtt {
namespace {

char* store_bytes(char* to, std::string_view bytes) noexcept {
  std::memcpy(to, bytes.data(), bytes.size());
  return to + bytes.size();
}

char* store_id(char* to, PropertyId id) noexcept {
  *to = static_cast<char>(id);
  return to + 1;
}

}  // namespace

bool PublishEncoder::begin(core::DestinationKind kind, std::string_view name,
                           std::string_view payload) {
  topic_.assign(2, '\0');
  return append_topic_name(topic_, kind, name) && end_topic(payload);
}

bool PublishEncoder::begin_topic(std::string_view topic, std::string_view payload) {
  topic_.assign(2, '\0');
  if (!is_topic_name(topic)) return false;
  topic_.append(topic);
  return end_topic(payload);
}

bool PublishEncoder::end_topic(std::string_view payload) {
  store_two(topic_.data(), static_cast<std::uint32_t>(topic_.size() - 2));
  properties_.clear();
  payload_ = payload;
  has_expiry_ = false;
  return true;
}

void PublishEncoder::payload_format(bool is_text) {
  properties_ += static_cast<char>(PropertyId::payload_format);
  properties_ += is_text ? '\1' : '\0';
}

bool PublishEncoder::text(PropertyId id, std::string_view value) {
  properties_ += static_cast<char>(id);
  append_text(properties_, value);
  return true;
}

bool PublishEncoder::content_type(std::string_view type) {
  return type.size() <= kTextBytesMax && is_utf8(type) && text(PropertyId::content_type, type);
}

bool PublishEncoder::response_topic(std::string_view topic) {
  return is_topic_name(topic) && text(PropertyId::response_topic, topic);
}

bool PublishEncoder::correlation_data(std::string_view data) {
  return data.size() <= kTextBytesMax && text(PropertyId::correlation_data, data);
}

bool PublishEncoder::user_property(std::string_view name, std::string_view value) {
  return is_utf8(name) && is_utf8(value) && append_user_property(properties_, name, value);
}

void PublishEncoder::user_properties(const UserProperties& properties) {
  for (const UserProperty& user : properties) {
    (void)append_user_property(properties_, user.name, user.value);
  }
}

bool PublishEncoder::append(std::string& out, Level level, const PublishDelivery& delivery,
                            std::uint32_t packet_bytes_max) const {
  const bool has_id = delivery.qos != QoS::at_most_once;
  const bool has_properties = level == Level::v5;
  const bool has_alias = has_properties && delivery.topic_alias != 0;
  const std::string_view topic =
      has_alias && delivery.alias_is_known ? std::string_view("\0\0", 2) : std::string_view(topic_);

  std::uint64_t list = 0;
  std::uint64_t header = topic.size() + (has_id ? 2 : 0);
  if (has_properties) {
    list = properties_.size() + (has_expiry_ ? 5 : 0) + (has_alias ? 3 : 0);
    for (const std::uint32_t id : delivery.subscription_ids) list += 1 + variable_size(id);
    if (list > kVariableIntegerMax) return false;
    header += variable_size(static_cast<std::uint32_t>(list)) + list;
  }
  const std::uint64_t remaining = header + payload_.size();
  if (remaining > kVariableIntegerMax) return false;
  header += 1 + variable_size(static_cast<std::uint32_t>(remaining));
  if (header + payload_.size() > packet_bytes_max) return false;

  const std::size_t start = out.size();
  out.resize(start + header);
  char* to = out.data() + start;
  *to++ = static_cast<char>(0x30U | (delivery.dup && has_id ? 8U : 0U) |
                            static_cast<unsigned>(delivery.qos) << 1 | (delivery.retain ? 1U : 0U));
  to = store_variable(to, static_cast<std::uint32_t>(remaining));
  to = store_bytes(to, topic);
  if (has_id) to = store_two(to, delivery.packet_id);
  if (has_properties) {
    to = store_variable(to, static_cast<std::uint32_t>(list));
    if (has_expiry_) {
      to = store_four(store_id(to, PropertyId::message_expiry), delivery.message_expiry);
    }
    if (has_alias) to = store_two(store_id(to, PropertyId::topic_alias), delivery.topic_alias);
    for (const std::uint32_t id : delivery.subscription_ids) {
      to = store_variable(store_id(to, PropertyId::subscription_id), id);
    }
    store_bytes(to, properties_);
  }
  out.append(payload_);
  return true;
}

}  // namespace pabal::mqtt
