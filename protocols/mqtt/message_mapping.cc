#include "protocols/mqtt/message_mapping.h"

#include <algorithm>
#include <optional>
#include <string>

#include "core/advisory.h"
#include "protocols/content/advisory_text.h"
#include "protocols/content/body.h"
#include "protocols/mqtt/utf8.h"

namespace pabal::mqtt {
namespace {

using core::PropertyType;

bool has_own_name(const core::Property& property) noexcept {
  return property.name == kQoSProperty || property.name == kPayloadFormatProperty ||
         property.name == core::kRetainProperty;
}

/// The content type of a message that came by OpenWire, as of one of STOMP's there.
constexpr std::string_view kContentTypeProperty = "content-type";

/// What has a text that means something to others.
constexpr bool is_plain(PropertyType type) noexcept {
  return type != PropertyType::null && type != PropertyType::bytes && type != PropertyType::list &&
         type != PropertyType::map;
}

/// A correlation that other protocols cannot show as text.
bool is_binary(std::string_view data) noexcept {
  return !is_utf8(data) || std::any_of(data.begin(), data.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
  });
}

/// What a message of another protocol has already said in its properties.
struct Said {
  bool format = false;
  bool content_type = false;
};

/// What only messages of other protocols have, in the words of MQTT.
void describe_foreign(PublishEncoder& encoder, const core::Message& message, const Payload& payload,
                      const Said& said) {
  if (!payload.is_text || is_utf8(payload.bytes)) {
    if (payload.is_text && !said.format) encoder.payload_format(true);
    if (!said.content_type && !payload.content_type.empty()) {
      encoder.content_type(payload.content_type);
    }
  }
  if (!payload.message_class.empty()) {
    encoder.user_property("JMSMessageClass", payload.message_class);
  }
  if (payload.damaged) encoder.user_property("transformation-error", "the body cannot be read");
  if (const auto type = message.type(); !type.empty()) encoder.user_property("JMSType", type);
  if (const auto group = message.group_id(); !group.empty()) {
    encoder.user_property("JMSXGroupID", group);
  }
}

}  // namespace

void fill_message(core::MessageBuilder& builder, const Content& content, std::int64_t timestamp,
                  const MappingScratch& scratch) {
  builder.clear();
  scratch.name.clear();
  append_swapped(scratch.name, content.target.name);
  builder.destination_kind = content.target.kind;
  builder.destination_name = scratch.name;
  builder.persistent = content.qos != QoS::at_most_once;
  builder.timestamp = timestamp;
  builder.body_kind = core::BodyKind::bytes;
  builder.body = content.payload;
  builder.add_integer(kQoSProperty, PropertyType::int32, static_cast<int>(content.qos));
  if (content.retain) builder.add_boolean(core::kRetainProperty, true);
  const Properties& properties = *content.properties;
  if (properties.empty()) return;
  if (properties.has(PropertyId::payload_format)) {
    builder.add_integer(kPayloadFormatProperty, PropertyType::int8,
                        properties.number(PropertyId::payload_format));
  }
  if (properties.has(PropertyId::message_expiry)) {
    builder.expiration =
        timestamp + std::int64_t{1000} * properties.number(PropertyId::message_expiry);
  }
  builder.content_type = properties.text(PropertyId::content_type);
  if (properties.has(PropertyId::response_topic)) {
    const std::string_view topic = properties.text(PropertyId::response_topic);
    const auto target = parse_topic_name(topic);
    scratch.reply_to.clear();
    append_swapped(scratch.reply_to, target ? target->name : topic);
    builder.reply_to =
        core::Address{target ? target->kind : core::DestinationKind::topic, scratch.reply_to};
  }
  if (properties.has(PropertyId::correlation_data)) {
    builder.correlation = properties.text(PropertyId::correlation_data);
    builder.correlation_is_bytes = is_binary(builder.correlation);
  }
  for (const UserProperty& each : properties.user) builder.add_string(each.name, each.value);
  builder.retain = content.retain;  // a user property of that name says nothing [MQTT-3.3.1-8]
}

Payload payload_of(const core::Message& message, std::string& room) {
  using core::BodyKind;
  constexpr std::size_t kRoomKeptMax = 64 * 1024;
  if (room.capacity() > kRoomKeptMax) room = std::string();
  Payload payload;
  if (core::may_be_advisory(message)) {
    if (const auto advisory = core::read_advisory(message)) {
      room.clear();
      content::append_advisory_text(room, *advisory, content::Notation::json);
      payload.bytes = room;
      payload.content_type = "application/json";
      payload.is_text = true;
      return payload;
    }
  }
  std::optional<std::string_view> bytes{std::string_view{}};
  switch (message.body_kind()) {
    case BodyKind::none:
    case BodyKind::text:
    case BodyKind::bytes:
      bytes = content::plain_body(message, room);
      payload.is_text = message.body_kind() == BodyKind::text;
      if (payload.is_text) payload.content_type = "text/plain;charset=utf-8";
      break;
    case BodyKind::map:
    case BodyKind::stream:
      bytes = content::json_body(message, room);
      payload.is_text = true;
      payload.content_type = "application/json";
      payload.message_class = message.body_kind() == BodyKind::map ? "map" : "stream";
      break;
    case BodyKind::object:
      bytes = content::content_of(message, room);
      payload.content_type = "application/x-java-serialized-object";
      payload.message_class = "object";
      break;
    case BodyKind::blob:
      break;
  }
  payload.damaged = !bytes;
  payload.bytes = bytes.value_or(std::string_view{});
  return payload;
}

QoS qos_of(const core::Message& message) noexcept {
  if (!message.persistent()) return QoS::at_most_once;
  const auto said = message.property(kQoSProperty);
  // Of a message of MQTT the first of that name is its own; in others it is a header, as text, or a
  // property of JMS.
  const bool lower =
      said && (said->type == PropertyType::int32 ? said->integer <= 1
                                                 : said->text == "1" || said->text == "0");
  return lower ? QoS::at_least_once : QoS::exactly_once;
}

namespace {

/// The properties as user properties, in their order. True: the message came by MQTT.
bool put_properties(PublishEncoder& encoder, const core::Message& message, const Payload& payload,
                    std::string_view left_out, Said& said) {
  const bool native = message.property_encoding() == core::Encoding::native;
  bool from_mqtt = false;
  std::string name, text;
  core::PropertyReader reader(message);
  while (const auto property = reader.next()) {
    const bool is_text = property->type == PropertyType::string;
    // Text of these names is a user property if the message came by MQTT, whose own stand before
    // it, and else a header that somebody copied from such a message, or wrote to say the same.
    if (has_own_name(*property) && !(is_text && from_mqtt)) {
      from_mqtt = from_mqtt || (native && property->name == kQoSProperty && !is_text);
      if (property->name == kPayloadFormatProperty && !said.format) {
        said.format = true;
        encoder.payload_format(is_text ? property->text == "1" && is_utf8(payload.bytes)
                                       : property->integer == 1);
      }
      continue;
    }
    if (!left_out.empty() && property->name == left_out) continue;
    if (!is_plain(property->type)) continue;
    text.clear();
    property->append_text(text);
    if (!native && property->name == kContentTypeProperty && !said.content_type) {
      said.content_type = encoder.content_type(text);
      continue;
    }
    encoder.user_property(property->utf8_name(name), text);
  }
  return from_mqtt;
}

}  // namespace

bool begin_publish(PublishEncoder& encoder, const core::Message& message,
                   const core::Destination* place) {
  const auto kind = place != nullptr ? place->kind : message.destination_kind();
  const std::string_view name = place != nullptr ? place->name : message.destination_name();
  const Payload payload = payload_of(message, encoder.room());
  if (!encoder.begin(kind, name, payload.bytes)) return false;
  add_properties(encoder, message, payload, {});
  return true;
}

void add_properties(PublishEncoder& encoder, const core::Message& message, const Payload& payload,
                    std::string_view left_out) {
  Said said;
  if (message.expiration() != 0) encoder.with_message_expiry();
  if (const auto type = message.content_type(); !type.empty()) {
    encoder.content_type(type);
    said.content_type = true;
  }
  if (const auto reply_to = message.reply_to(); reply_to && reply_to->kind) {
    std::string topic;
    if (append_topic_name(topic, *reply_to->kind, reply_to->name)) encoder.response_topic(topic);
  }
  if (const auto data = message.correlation(); !data.empty()) encoder.correlation_data(data);
  if (!put_properties(encoder, message, payload, left_out, said)) {
    describe_foreign(encoder, message, payload, said);
  }
}

}  // namespace pabal::mqtt
