#include "core/message.h"

#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <new>

#include "core/modified_utf8.h"
#include "core/primitive_values.h"

// Layout of the flat form, version 1, little-endian (it is what the journal stores; the rule for
// changing it is in store/journal/FORMAT.md):
//
//   header (fixed size, struct FlatHeader)
//   sections, one behind the other, each ending at header.ends[i]:
//     destination · original destination · correlation · reply-to · type · group id · content type
//     · user id · foreign id · properties
//   body, up to header.size
//
// Flags: persistent 1, compressed 2, correlation is bytes 4, retain 8 (says what the property
// ActiveMQ.Retain says, so that nobody need look for it).
//
// Native property list: type u8 · name length u16 · name · value. Values: boolean and int8 1 byte,
// int16 and character 2, int32 and float32 4, int64 and float64 8, the others u32 length and bytes,
// null nothing. The other encoding, and lists and maps in both: core/primitive_values.h.

namespace pabal::core {
namespace {

static_assert(std::endian::native == std::endian::little, "the flat form is little-endian");

enum Section {
  kDestination,
  kOriginal,
  kCorrelation,
  kReplyTo,
  kType,
  kGroupId,
  kContentType,
  kUserId,
  kForeignId,
  kProperties,
  kSections
};

constexpr std::uint8_t kVersion = 1;
constexpr std::uint8_t kFlagPersistent = 1;
constexpr std::uint8_t kFlagCompressed = 2;
constexpr std::uint8_t kFlagCorrelationBytes = 4;
constexpr std::uint8_t kFlagRetain = 8;
constexpr std::uint8_t kFlagsKnown = 15;

// Kinds of reply-to and original destination: absent, a DestinationKind plus one, or opaque text.
constexpr std::uint8_t kAddressAbsent = 0;
constexpr std::uint8_t kAddressOpaque = 5;

struct FlatHeader {
  std::uint32_t size;
  std::uint8_t version;
  std::uint8_t priority;
  std::uint8_t flags;
  std::uint8_t destination_kind;
  std::uint8_t body_kind;
  std::uint8_t body_encoding;
  std::uint8_t property_encoding;
  std::uint8_t reply_to_kind;
  std::uint8_t original_kind;
  std::uint8_t reserved[3];
  std::int64_t timestamp;
  std::int64_t expiration;
  std::uint64_t origin;
  std::uint64_t sequence;
  std::int32_t group_sequence;
  std::uint32_t ends[kSections];
};
static_assert(sizeof(FlatHeader) == 16 + 4 * 8 + 4 + 4 * kSections + 4);

// Message keeps the bytes right behind itself, so they are aligned for the header.
const FlatHeader& header_of(const char* data) noexcept {
  return *reinterpret_cast<const FlatHeader*>(data);
}

std::uint8_t encode_address_kind(const std::optional<Address>& address) noexcept {
  if (!address) return kAddressAbsent;
  if (!address->kind) return kAddressOpaque;
  return static_cast<std::uint8_t>(static_cast<std::uint8_t>(*address->kind) + 1);
}

std::optional<Address> decode_address(std::uint8_t kind, std::string_view name) noexcept {
  if (kind == kAddressAbsent) return std::nullopt;
  if (kind == kAddressOpaque) return Address{std::nullopt, name};
  return Address{static_cast<DestinationKind>(kind - 1), name};
}

template <class T>
bool take(std::string_view& rest, T& value) noexcept {
  if (rest.size() < sizeof(T)) return false;
  std::memcpy(&value, rest.data(), sizeof(T));
  rest.remove_prefix(sizeof(T));
  return true;
}

template <class T>
void put(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof(T));
}

bool take_text(std::string_view& rest, std::string_view& text) noexcept {
  std::uint32_t length = 0;
  if (!take(rest, length) || rest.size() < length) return false;
  text = rest.substr(0, length);
  rest.remove_prefix(length);
  return true;
}

template <class T>
bool take_integer(std::string_view& rest, std::int64_t& value) noexcept {
  T raw{};
  if (!take(rest, raw)) return false;
  value = raw;
  return true;
}

bool take_value(std::string_view& rest, Property& property) noexcept {
  switch (property.type) {
    case PropertyType::null:
      return true;
    case PropertyType::boolean:
    case PropertyType::int8:
      return take_integer<std::int8_t>(rest, property.integer);
    case PropertyType::int16:
      return take_integer<std::int16_t>(rest, property.integer);
    case PropertyType::character:
      return take_integer<std::uint16_t>(rest, property.integer);
    case PropertyType::int32:
      return take_integer<std::int32_t>(rest, property.integer);
    case PropertyType::int64:
      return take_integer<std::int64_t>(rest, property.integer);
    case PropertyType::float32: {
      float value = 0;
      if (!take(rest, value)) return false;
      property.real = value;
      return true;
    }
    case PropertyType::float64:
      return take(rest, property.real);
    case PropertyType::string:
    case PropertyType::bytes:
    case PropertyType::list:
    case PropertyType::map:
      return take_text(rest, property.text);
  }
  return false;
}

template <class T>
void append_number(std::string& out, T value) {
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
  out.append(buffer, end);
}

}  // namespace

// --- Property
// -------------------------------------------------------------------------------------

void Property::append_text(std::string& out) const {
  switch (type) {
    case PropertyType::null:
      return;
    case PropertyType::boolean:
      out += integer != 0 ? "true" : "false";
      return;
    case PropertyType::int8:
    case PropertyType::int16:
    case PropertyType::int32:
    case PropertyType::int64:
      append_number(out, integer);
      return;
    case PropertyType::float32:
    case PropertyType::float64:
      if (!std::isfinite(real)) {  // as Java spells them
        out += std::isnan(real) ? "NaN" : real < 0 ? "-Infinity" : "Infinity";
      } else if (type == PropertyType::float32) {
        append_number(out, static_cast<float>(real));
      } else {
        append_number(out, real);
      }
      return;
    case PropertyType::character: {
      // A UTF-16 unit; a lone surrogate has no text and becomes U+FFFD.
      std::uint32_t c = static_cast<std::uint16_t>(integer);
      if (c >= 0xD800 && c <= 0xDFFF) c = 0xFFFD;
      if (c < 0x80) {
        out += static_cast<char>(c);
      } else if (c < 0x800) {
        out += static_cast<char>(0xC0 | (c >> 6));
        out += static_cast<char>(0x80 | (c & 0x3F));
      } else {
        out += static_cast<char>(0xE0 | (c >> 12));
        out += static_cast<char>(0x80 | ((c >> 6) & 0x3F));
        out += static_cast<char>(0x80 | (c & 0x3F));
      }
      return;
    }
    case PropertyType::string: {
      std::string scratch;
      out += utf8_text(scratch);
      return;
    }
    case PropertyType::bytes:
    case PropertyType::list:
    case PropertyType::map:
      out += text;
      return;
  }
}

std::string_view Property::to_native(std::string_view modified, std::string& scratch) {
  return utf8_of(modified, scratch);
}

std::optional<Property> PropertyReader::next() noexcept {
  if (encoding_ == Encoding::openwire) return next_openwire();
  std::string_view rest = rest_;
  Property property;
  std::uint8_t type = 0;
  std::uint16_t length = 0;
  if (!take(rest, type) || type > static_cast<std::uint8_t>(PropertyType::map)) return std::nullopt;
  if (!take(rest, length) || rest.size() < length) return std::nullopt;
  property.type = static_cast<PropertyType>(type);
  property.name = rest.substr(0, length);
  rest.remove_prefix(length);
  if (!take_value(rest, property)) return std::nullopt;
  entry_ = rest_.substr(0, rest_.size() - rest.size());
  rest_ = rest;
  return property;
}

// --- Message
// --------------------------------------------------------------------------------------

Message* Message::allocate(std::uint32_t size) {
  static_assert(sizeof(Message) % alignof(FlatHeader) == 0);
  return ::new (::operator new(sizeof(Message) + size)) Message(size);
}

void MessageRef::release() noexcept {
  if (message_ == nullptr) return;
  if (message_->references_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    ::operator delete(const_cast<Message*>(message_));
  }
}

std::string_view Message::section(int index) const noexcept {
  const auto& header = header_of(data());
  const std::uint32_t begin = index == 0 ? sizeof(FlatHeader) : header.ends[index - 1];
  return {data() + begin, header.ends[index] - begin};
}

DestinationKind Message::destination_kind() const noexcept {
  return static_cast<DestinationKind>(header_of(data()).destination_kind);
}
std::string_view Message::destination_name() const noexcept {
  return section(kDestination);
}
bool Message::persistent() const noexcept {
  return header_of(data()).flags & kFlagPersistent;
}
bool Message::compressed() const noexcept {
  return header_of(data()).flags & kFlagCompressed;
}
bool Message::retain() const noexcept {
  return header_of(data()).flags & kFlagRetain;
}
std::uint8_t Message::priority() const noexcept {
  return header_of(data()).priority;
}
std::int64_t Message::timestamp() const noexcept {
  return header_of(data()).timestamp;
}
std::int64_t Message::expiration() const noexcept {
  return header_of(data()).expiration;
}
std::uint64_t Message::origin() const noexcept {
  return header_of(data()).origin;
}
std::uint64_t Message::sequence() const noexcept {
  return header_of(data()).sequence;
}
std::string_view Message::foreign_id() const noexcept {
  return section(kForeignId);
}
std::string_view Message::correlation() const noexcept {
  return section(kCorrelation);
}
bool Message::correlation_is_bytes() const noexcept {
  return header_of(data()).flags & kFlagCorrelationBytes;
}
std::optional<Address> Message::reply_to() const noexcept {
  return decode_address(header_of(data()).reply_to_kind, section(kReplyTo));
}
std::optional<Address> Message::original_destination() const noexcept {
  return decode_address(header_of(data()).original_kind, section(kOriginal));
}
std::string_view Message::type() const noexcept {
  return section(kType);
}
std::string_view Message::group_id() const noexcept {
  return section(kGroupId);
}
std::int32_t Message::group_sequence() const noexcept {
  return header_of(data()).group_sequence;
}
std::string_view Message::content_type() const noexcept {
  return section(kContentType);
}
std::string_view Message::user_id() const noexcept {
  return section(kUserId);
}
BodyKind Message::body_kind() const noexcept {
  return static_cast<BodyKind>(header_of(data()).body_kind);
}
Encoding Message::body_encoding() const noexcept {
  return static_cast<Encoding>(header_of(data()).body_encoding);
}
Encoding Message::property_encoding() const noexcept {
  return static_cast<Encoding>(header_of(data()).property_encoding);
}
std::string_view Message::properties() const noexcept {
  return section(kProperties);
}

std::string_view Message::body() const noexcept {
  const auto begin = header_of(data()).ends[kProperties];
  return {data() + begin, size_ - begin};
}

std::optional<Property> Message::property(std::string_view name) const noexcept {
  if (property_encoding() == Encoding::openwire) return openwire_property(name);
  PropertyReader reader(Encoding::native, properties());
  while (auto property = reader.next()) {
    if (property->name == name) return property;
  }
  return std::nullopt;
}

std::optional<Property> Message::openwire_property(std::string_view name) const noexcept {
  std::string scratch;
  const std::string_view wanted = modified_utf8_of(name, scratch);
  std::optional<Property> found;
  PropertyReader reader(Encoding::openwire, properties());
  while (auto property = reader.next()) {
    if (property->name == wanted) found = property;
  }
  return found;
}

std::string_view Message::id_in(std::span<char, kNativeIdBytesMax> room) const noexcept {
  const auto foreign = foreign_id();
  return foreign.empty() ? own_id_in(room) : foreign;
}

std::string_view Message::own_id_in(std::span<char, kNativeIdBytesMax> room) const noexcept {
  char* at = room.data();
  char* const end = at + room.size();
  const auto write = [&at](std::string_view text) { at = std::copy(text.begin(), text.end(), at); };
  write("ID:pabal-");
  at = std::to_chars(at, end, origin() >> 32).ptr;
  write("-");
  at = std::to_chars(at, end, origin() & 0xFFFFFFFF).ptr;
  write(":-1:1:");
  at = std::to_chars(at, end, sequence()).ptr;
  return {room.data(), at};
}

void Message::append_id(std::string& out) const {
  std::array<char, kNativeIdBytesMax> room;
  out += id_in(room);
}

Result<MessageRef> Message::from_flat(std::span<const std::byte> flat) {
  const auto damaged = [](const char* what) {
    return Error{Errc::store_io, std::string("stored message is damaged: ") + what};
  };
  if (flat.size() < sizeof(FlatHeader)) return damaged("shorter than its header");
  FlatHeader header;
  std::memcpy(&header, flat.data(), sizeof header);
  if (header.version != kVersion) return damaged("unknown version");
  if (header.size != flat.size()) return damaged("size does not fit");
  if (header.priority >= kPriorities || (header.flags & ~kFlagsKnown) != 0 ||
      header.destination_kind > 3 || header.body_kind > static_cast<std::uint8_t>(BodyKind::blob) ||
      header.body_encoding > 1 || header.property_encoding > 1 ||
      header.reply_to_kind > kAddressOpaque || header.original_kind > kAddressOpaque) {
    return damaged("a field is out of its range");
  }
  std::uint32_t previous = sizeof(FlatHeader);
  for (const auto end : header.ends) {
    if (end < previous || end > header.size) return damaged("a section leaves the message");
    previous = end;
  }
  Message* message = allocate(header.size);
  std::memcpy(message->data(), flat.data(), flat.size());
  return MessageRef(message);
}

// --- MessageBuilder
// -------------------------------------------------------------------------------

MessageBuilder::MessageBuilder(const Message& message)
    : destination_kind(message.destination_kind()),
      destination_name(message.destination_name()),
      persistent(message.persistent()),
      compressed(message.compressed()),
      retain(message.retain()),
      priority(message.priority()),
      timestamp(message.timestamp()),
      expiration(message.expiration()),
      origin(message.origin()),
      sequence(message.sequence()),
      foreign_id(message.foreign_id()),
      correlation(message.correlation()),
      correlation_is_bytes(message.correlation_is_bytes()),
      reply_to(message.reply_to()),
      original_destination(message.original_destination()),
      type(message.type()),
      group_id(message.group_id()),
      group_sequence(message.group_sequence()),
      content_type(message.content_type()),
      user_id(message.user_id()),
      body_kind(message.body_kind()),
      body_encoding(message.body_encoding()),
      property_encoding(message.property_encoding()),
      body(message.body()),
      properties_(message.properties()) {}

void MessageBuilder::clear() noexcept {
  std::string kept = std::move(properties_);
  kept.clear();
  *this = MessageBuilder();
  properties_ = std::move(kept);
}

void MessageBuilder::add_name(std::string_view name, PropertyType type) {
  if (name.size() > std::numeric_limits<std::uint16_t>::max()) {
    name_too_long_ = true;
    name = {};
  }
  properties_ += static_cast<char>(type);
  put(properties_, static_cast<std::uint16_t>(name.size()));
  properties_ += name;
}

/// `value` without its name, which is as long as the caller's.
void MessageBuilder::add_openwire(std::string_view name, const Property& value) {
  if (name.size() > std::numeric_limits<std::uint16_t>::max()) name_too_long_ = true;
  add_to_primitive_count(properties_);
  append_primitive_name(properties_, name);
  append_primitive(properties_, value);
}

void MessageBuilder::add_string(std::string_view name, std::string_view value) {
  add_raw(name, PropertyType::string, value);
}

void MessageBuilder::add_raw(std::string_view name, PropertyType type, std::string_view value) {
  if (type != PropertyType::null && name == kRetainProperty && value == "true") retain = true;
  if (property_encoding == Encoding::openwire) {
    Property property;
    property.type = type;
    property.text = value;
    return add_openwire(name, property);
  }
  add_name(name, type);
  if (type == PropertyType::null) return;
  put(properties_, static_cast<std::uint32_t>(value.size()));
  properties_ += value;
}

void MessageBuilder::add_integer(std::string_view name, PropertyType type, std::int64_t value) {
  if (type == PropertyType::boolean && name == kRetainProperty && value != 0) retain = true;
  if (property_encoding == Encoding::openwire) {
    Property property;
    property.type = type;
    property.integer = value;
    return add_openwire(name, property);
  }
  add_name(name, type);
  switch (type) {
    case PropertyType::boolean:
    case PropertyType::int8:
      put(properties_, static_cast<std::int8_t>(value));
      return;
    case PropertyType::int16:
    case PropertyType::character:
      put(properties_, static_cast<std::int16_t>(value));
      return;
    case PropertyType::int32:
      put(properties_, static_cast<std::int32_t>(value));
      return;
    default:
      put(properties_, value);
      return;
  }
}

void MessageBuilder::add_real(std::string_view name, PropertyType type, double value) {
  if (property_encoding == Encoding::openwire) {
    Property property;
    property.type = type;
    property.real = value;
    return add_openwire(name, property);
  }
  add_name(name, type);
  if (type == PropertyType::float32) {
    put(properties_, static_cast<float>(value));
  } else {
    put(properties_, value);
  }
}

void MessageBuilder::add(const Property& property) {
  std::string name_scratch;
  const std::string_view name = property.utf8_name(name_scratch);
  switch (property.type) {
    case PropertyType::float32:
    case PropertyType::float64:
      return add_real(name, property.type, property.real);
    case PropertyType::null:
    case PropertyType::string:
    case PropertyType::bytes:
    case PropertyType::list:
    case PropertyType::map: {
      std::string scratch;
      return add_raw(name, property.type, property.utf8_text(scratch));
    }
    case PropertyType::boolean:
    case PropertyType::int8:
    case PropertyType::int16:
    case PropertyType::int32:
    case PropertyType::int64:
    case PropertyType::character:
      return add_integer(name, property.type, property.integer);
  }
}

void MessageBuilder::copy_properties(const Message& message, bool (*drop)(const Property&)) {
  property_encoding = message.property_encoding();
  properties_.clear();
  PropertyReader reader(message);
  while (const auto property = reader.next()) {
    if (drop(*property)) continue;
    if (property_encoding == Encoding::openwire) add_to_primitive_count(properties_);
    properties_ += reader.entry();
  }
}

void MessageBuilder::set_encoded_properties(Encoding encoding, std::string_view encoded) {
  property_encoding = encoding;
  properties_.assign(encoded);
  if (encoding != Encoding::native) return;
  PropertyReader reader(encoding, encoded);
  while (const auto property = reader.next()) {
    if (property->name != kRetainProperty) continue;
    retain = retain || (property->type == PropertyType::boolean && property->integer != 0) ||
             property->text == "true";
  }
}

Result<MessageRef> MessageBuilder::build() const {
  const std::string_view sections[kSections] = {
      destination_name,
      original_destination ? original_destination->name : std::string_view{},
      correlation,
      reply_to ? reply_to->name : std::string_view{},
      type,
      group_id,
      content_type,
      user_id,
      foreign_id,
      properties_,
  };
  std::uint64_t size = sizeof(FlatHeader) + body.size();
  for (const auto section : sections) size += section.size();
  if (name_too_long_)
    return Error{Errc::invalid_argument, "a property name is longer than 65535 bytes"};
  if (size > kMessageBytesMax) {
    return Error{Errc::invalid_argument, "the message is larger than 2 GiB"};
  }

  FlatHeader header{};
  header.size = static_cast<std::uint32_t>(size);
  header.version = kVersion;
  header.priority = priority < kPriorities ? priority : kPriorities - 1;
  header.flags = static_cast<std::uint8_t>(
      (persistent ? kFlagPersistent : 0) | (compressed ? kFlagCompressed : 0) |
      (correlation_is_bytes ? kFlagCorrelationBytes : 0) | (retain ? kFlagRetain : 0));
  header.destination_kind = static_cast<std::uint8_t>(destination_kind);
  header.body_kind = static_cast<std::uint8_t>(body_kind);
  header.body_encoding = static_cast<std::uint8_t>(body_encoding);
  header.property_encoding = static_cast<std::uint8_t>(property_encoding);
  header.reply_to_kind = encode_address_kind(reply_to);
  header.original_kind = encode_address_kind(original_destination);
  header.timestamp = timestamp;
  header.expiration = expiration;
  header.origin = origin;
  header.sequence = sequence;
  header.group_sequence = group_sequence;

  Message* message = Message::allocate(header.size);
  char* to = message->data() + sizeof(FlatHeader);
  for (int i = 0; i < kSections; ++i) {
    if (!sections[i].empty()) std::memcpy(to, sections[i].data(), sections[i].size());
    to += sections[i].size();
    header.ends[i] = static_cast<std::uint32_t>(to - message->data());
  }
  if (!body.empty()) std::memcpy(to, body.data(), body.size());
  std::memcpy(message->data(), &header, sizeof header);
  return MessageRef(message);
}

}  // namespace pabal::core
