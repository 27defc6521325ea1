#include "protocols/openwire/message_mapping.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

#include "core/modified_utf8.h"
#include "core/primitive_values.h"
#include "protocols/content/binary_correlation.h"
#include "protocols/openwire/wire.h"

namespace pabal::openwire {
namespace {

using core::BodyKind;
using core::Encoding;
using core::Errc;
using core::Error;
using core::Property;
using core::PropertyType;

constexpr std::string_view kScheduledPrefix = "AMQ_SCHEDULED_";
/// A header of STOMP and a property of MQTT 5.0; among JMS properties it has the name that it has
/// in ActiveMQ when a STOMP client sent it.
constexpr std::string_view kContentType = "content-type";
constexpr std::string_view kReplyTo = "reply-to";

BodyKind kind_of(MessageType type) noexcept {
  switch (type) {
    case MessageType::plain:
      return BodyKind::none;
    case MessageType::bytes:
      return BodyKind::bytes;
    case MessageType::map:
      return BodyKind::map;
    case MessageType::object:
      return BodyKind::object;
    case MessageType::stream:
      return BodyKind::stream;
    case MessageType::text:
      return BodyKind::text;
    case MessageType::blob:
      return BodyKind::blob;
  }
  return BodyKind::none;
}

MessageType type_of(BodyKind kind) noexcept {
  switch (kind) {
    case BodyKind::none:
      return MessageType::plain;
    case BodyKind::text:
      return MessageType::text;
    case BodyKind::bytes:
      return MessageType::bytes;
    case BodyKind::map:
      return MessageType::map;
    case BodyKind::stream:
      return MessageType::stream;
    case BodyKind::object:
      return MessageType::object;
    case BodyKind::blob:
      return MessageType::blob;
  }
  return MessageType::plain;
}

Error senseless(const char* what) {
  return Error{Errc::invalid_argument, std::string("the message makes no sense: ") + what};
}

// --- from the wire -------------------------------------------------------------------------------

std::string_view utf8(const Text& text, std::string& scratch) {
  return text ? core::utf8_of(*text, scratch) : std::string_view{};
}

/// Texts of a blob as they are on the wire: a flag, and if it is 1 a count and the bytes.
void append_blob_text(std::string& out, const Text& text) {
  out += text ? '\1' : '\0';
  if (!text) return;
  const auto fitting = core::cut_text(*text, kTextBytesMax);
  append_big(out, static_cast<std::uint16_t>(fitting.size()));
  out += fitting;
}

Text read_blob_text(Reader& reader) noexcept {
  if (!reader.boolean()) return std::nullopt;
  return reader.short_bytes();
}

/// Nullptr: the content is what the type says that it is. A compressed one is not looked into.
const char* fault_of_content(const Message& message, std::string_view content) noexcept {
  if (content.empty() || message.compressed) return nullptr;
  switch (message.type_code) {
    case MessageType::text:
      // Source: reference §5.4. Whether it is well-formed, its reader will see.
      return content.size() < 4 || load_big<std::uint32_t>(content.data()) != content.size() - 4
                 ? "the count of its text does not fit"
                 : nullptr;
    case MessageType::map:
      return core::is_primitive_map(content) ? nullptr : "its body is no map";
    case MessageType::stream:
      return core::is_primitive_stream(content) ? nullptr : "its body is no row of values";
    default:
      return nullptr;
  }
}

const char* fill_body(core::MessageBuilder& builder, const Message& message,
                      IncomingScratch& scratch) {
  const std::string_view content = message.content.value.value_or(std::string_view{});
  builder.body_kind = kind_of(message.type_code);
  builder.compressed = message.compressed;
  builder.body = content;
  // Bytes are bytes; a null text is not an empty one, which has its count.
  const bool as_it_is = builder.body_kind == BodyKind::bytes ||
                        builder.body_kind == BodyKind::object ||
                        builder.body_kind == BodyKind::none;
  builder.body_encoding = as_it_is && !message.compressed ? Encoding::native : Encoding::openwire;
  if (builder.body_kind == BodyKind::blob) {
    scratch.blob.clear();
    append_blob_text(scratch.blob, message.remote_blob_url);
    append_blob_text(scratch.blob, message.mime_type);
    scratch.blob += message.deleted_by_broker ? '\1' : '\0';
    builder.body = scratch.blob;
    return nullptr;
  }
  return fault_of_content(message, content);
}

bool says_true(const Property& property) noexcept {
  return (property.type == PropertyType::boolean && property.integer != 0) ||
         (property.type == PropertyType::string && property.text == "true");
}

/// One walk: they are well-formed, and what in them is the broker's to act upon. Source: reference
/// §5.3, §6.20.
const char* fill_properties(core::MessageBuilder& builder, const Message& message,
                            Incoming& incoming, std::string& scratch) {
  const std::string_view encoded = message.marshalled_properties.value.value_or(std::string_view{});
  if (encoded.empty()) return nullptr;
  bool delivered = false;
  core::PropertyReader reader(Encoding::openwire, encoded);
  while (const auto property = reader.next()) {
    const std::string_view name = property->name;
    if (name == core::kRetainProperty) {
      builder.retain = says_true(*property);
    } else if (name.starts_with(kScheduledPrefix)) {
      scratch.clear();
      property->append_text(scratch);
      if (!incoming.schedule) incoming.schedule = std::make_shared<core::ScheduleRequest>();
      (void)incoming.schedule->read(name, scratch);
    } else if (name == core::kScheduledJobId) {
      delivered = true;
    }
  }
  if (!reader.complete()) return "its properties are no map";
  if (delivered) incoming.schedule.reset();
  const bool retain = builder.retain;
  builder.set_encoded_properties(Encoding::openwire, encoded);
  builder.retain = retain;
  return nullptr;
}

void fill_id(core::MessageBuilder& builder, const MessageId& id, IncomingScratch& scratch) {
  if (id.text_view && !id.text_view->empty()) {
    builder.foreign_id = core::utf8_of(*id.text_view, scratch.id);
    return;
  }
  scratch.id.clear();
  append_id_text(scratch.id, id);
  if (core::form_of_modified(scratch.id) != core::TextForm::same) {
    scratch.id = core::utf8_of(std::string(scratch.id), scratch.text);
  }
  builder.foreign_id = scratch.id;
}

// --- to the wire ---------------------------------------------------------------------------------

/// For a header string, of which there is no more than fits.
std::string_view header_text(std::string_view utf8, std::string& scratch) {
  return core::cut_text(core::modified_utf8_of(utf8, scratch), kTextBytesMax);
}

Text optional_text(std::string_view utf8, std::string& scratch) {
  if (utf8.empty()) return std::nullopt;
  return header_text(utf8, scratch);
}

Destination wire_destination(core::DestinationKind kind, std::string_view name,
                             std::string& scratch) {
  return {openwire::type_of(kind), header_text(name, scratch)};
}

/// Clients tell messages apart by producer and sequence, so each has both. Source: reference §4.1.
MessageId wire_id(const core::Message& message, OutgoingScratch& scratch) {
  const std::string_view foreign = header_text(message.foreign_id(), scratch.id);
  if (!foreign.empty()) {
    if (const auto id = read_id_text(foreign)) return *id;
  }
  // The broker's own: "ID:pabal-<origin>:-1:1:<sequence>".
  std::array<char, core::Message::kNativeIdBytesMax> room;
  scratch.own_id = message.own_id_in(room);
  MessageId id = read_id_text(scratch.own_id).value_or(MessageId{});
  if (!foreign.empty()) id.text_view = foreign;
  return id;
}

std::optional<std::string_view> wire_content(const core::Message& message, std::string& scratch) {
  const std::string_view body = message.body();
  const BodyKind kind = message.body_kind();
  if (message.body_encoding() == Encoding::native && kind == BodyKind::text) {
    std::string converted;
    const std::string_view text = core::modified_utf8_of(body, converted);
    scratch.clear();
    append_big(scratch, static_cast<std::uint32_t>(text.size()));
    scratch += text;
    return scratch;
  }
  if (kind == BodyKind::blob || body.empty()) return std::nullopt;
  return body;
}

void put_property(std::string& map, const Property& property) {
  if (property.name.empty()) return;
  core::add_to_primitive_count(map);
  core::append_primitive_name(map, property.name);
  core::append_primitive(map, property);
}

void put_text(std::string& map, std::string_view name, std::string_view value) {
  Property property;
  property.name = name;
  property.type = PropertyType::string;
  property.text = value;
  put_property(map, property);
}

/// Properties of another protocol. Of several with one name the first counts there and the last
/// here, so they are written from behind.
std::optional<std::string_view> wire_properties(const core::Message& message,
                                                OutgoingScratch& scratch) {
  if (message.property_encoding() == Encoding::openwire) {
    if (message.properties().empty()) return std::nullopt;
    return message.properties();
  }
  std::string& map = scratch.properties;
  map.clear();
  scratch.list.clear();
  core::PropertyReader reader(message);
  while (const auto property = reader.next()) scratch.list.push_back(*property);
  std::for_each(scratch.list.rbegin(), scratch.list.rend(),
                [&](const Property& property) { put_property(map, property); });
  if (const auto type = message.content_type(); !type.empty()) put_text(map, kContentType, type);
  if (const auto reply_to = message.reply_to(); reply_to && !reply_to->kind) {
    put_text(map, kReplyTo, reply_to->name);
  }
  if (map.empty()) return std::nullopt;
  return map;
}

void set_blob(Message& out, const core::Message& message) {
  Reader reader(message.body());
  out.remote_blob_url = read_blob_text(reader);
  out.mime_type = read_blob_text(reader);
  out.deleted_by_broker = reader.boolean();
}

Text wire_correlation(const core::Message& message, std::string& scratch) {
  if (!message.correlation_is_bytes()) return optional_text(message.correlation(), scratch);
  scratch.clear();
  content::append_binary_correlation(scratch, message.correlation());
  return core::cut_text(scratch, kTextBytesMax);
}

/// A decimal number as Java writes it.
bool read_number(std::string_view text, std::int64_t& number) noexcept {
  const std::string_view digits = text.starts_with('-') ? text.substr(1) : text;
  if (digits.empty() || (digits.front() == '0' && text != "0")) return false;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

core::DestinationKind kind_of(DestinationType type) noexcept {
  switch (type) {
    case DestinationType::queue:
      return core::DestinationKind::queue;
    case DestinationType::topic:
      return core::DestinationKind::topic;
    case DestinationType::temp_queue:
      return core::DestinationKind::temporary_queue;
    case DestinationType::temp_topic:
      return core::DestinationKind::temporary_topic;
  }
  return core::DestinationKind::queue;
}

DestinationType type_of(core::DestinationKind kind) noexcept {
  switch (kind) {
    case core::DestinationKind::queue:
      return DestinationType::queue;
    case core::DestinationKind::topic:
      return DestinationType::topic;
    case core::DestinationKind::temporary_queue:
      return DestinationType::temp_queue;
    case core::DestinationKind::temporary_topic:
      return DestinationType::temp_topic;
  }
  return DestinationType::queue;
}

void append_id_text(std::string& out, const MessageId& id) {
  const auto append_number = [&out](std::int64_t number) {
    std::array<char, 24> digits;
    out += ':';
    out.append(digits.data(),
               std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr);
  };
  out += id.producer_id.connection_id;
  append_number(id.producer_id.session_id);
  append_number(id.producer_id.value);
  append_number(id.producer_sequence_id);
}

std::optional<MessageId> read_id_text(std::string_view text) noexcept {
  MessageId id;
  // From behind, for a connection's id has colons itself.
  for (std::int64_t* number :
       {&id.producer_sequence_id, &id.producer_id.value, &id.producer_id.session_id}) {
    const std::size_t colon = text.rfind(':');
    if (colon == std::string_view::npos) return std::nullopt;
    if (!read_number(text.substr(colon + 1), *number)) return std::nullopt;
    text = text.substr(0, colon);
  }
  if (text.empty()) return std::nullopt;
  id.producer_id.connection_id = text;
  return id;
}

core::Result<Incoming> fill_message(core::MessageBuilder& builder, const Message& message,
                                    IncomingScratch& scratch) {
  builder.clear();
  if (!message.destination) return senseless("it has no destination");
  if (!message.message_id) return senseless("it has no id");
  builder.destination_kind = kind_of(message.destination->type);
  builder.destination_name = core::utf8_of(message.destination->physical_name, scratch.destination);
  fill_id(builder, *message.message_id, scratch);
  builder.persistent = message.persistent;
  builder.priority =
      static_cast<std::uint8_t>(std::clamp<int>(message.priority, 0, core::kPriorities - 1));
  builder.timestamp = message.timestamp;
  builder.expiration = std::max<std::int64_t>(message.expiration, 0);
  if (message.reply_to) {
    builder.reply_to =
        core::Address{kind_of(message.reply_to->type),
                      core::utf8_of(message.reply_to->physical_name, scratch.reply_to)};
  }
  builder.type = utf8(message.type, scratch.type);
  builder.group_id = utf8(message.group_id, scratch.group);
  builder.group_sequence = message.group_sequence;
  if (message.correlation_id) {
    builder.correlation_is_bytes =
        content::read_binary_correlation(*message.correlation_id, scratch.correlation);
    builder.correlation = builder.correlation_is_bytes
                              ? std::string_view(scratch.correlation)
                              : core::utf8_of(*message.correlation_id, scratch.correlation);
  }
  if (const char* fault = fill_body(builder, message, scratch)) return senseless(fault);
  Incoming incoming;
  if (const char* fault = fill_properties(builder, message, incoming, scratch.text)) {
    return senseless(fault);
  }
  return incoming;
}

Message wire_message(const core::Message& message, const core::Destination* place,
                     OutgoingScratch& scratch) {
  Message out;
  out.type_code = type_of(message.body_kind());
  out.message_id = wire_id(message, scratch);
  out.producer_id = out.message_id->producer_id;
  const auto own = [&](std::string& text) {
    return wire_destination(message.destination_kind(), message.destination_name(), text);
  };
  if (place != nullptr) {
    out.destination = wire_destination(place->kind, place->name, scratch.destination);
    out.original_destination = own(scratch.original);
  } else {
    out.destination = own(scratch.destination);
    if (const auto original = message.original_destination(); original && original->kind) {
      out.original_destination =
          wire_destination(*original->kind, original->name, scratch.original);
    }
  }
  if (const auto reply_to = message.reply_to(); reply_to && reply_to->kind) {
    out.reply_to = wire_destination(*reply_to->kind, reply_to->name, scratch.reply_to);
  }
  out.group_id = optional_text(message.group_id(), scratch.group);
  out.group_sequence = message.group_sequence();
  out.correlation_id = wire_correlation(message, scratch.correlation);
  out.persistent = message.persistent();
  out.expiration = message.expiration();
  out.priority = static_cast<std::int8_t>(message.priority());
  out.timestamp = message.timestamp();
  out.type = optional_text(message.type(), scratch.type);
  out.user_id = optional_text(message.user_id(), scratch.user);
  out.compressed = message.compressed();
  out.content.value = wire_content(message, scratch.content);
  out.marshalled_properties.value = wire_properties(message, scratch);
  if (message.body_kind() == BodyKind::blob) set_blob(out, message);
  return out;
}

void say_it_comes_again(Message& message, OutgoingScratch& scratch) {
  std::string& map = scratch.properties;
  const std::string_view before = message.marshalled_properties.value.value_or(std::string_view{});
  if (before.data() != map.data()) map.assign(before);
  Property delay;
  delay.name = "redeliveryDelay";
  delay.type = PropertyType::int64;
  put_property(map, delay);
  message.marshalled_properties.value = map;
}

}  // namespace pabal::openwire
