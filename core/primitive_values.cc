#include "core/primitive_values.h"

#include <bit>
#include <limits>

#include "core/modified_utf8.h"

namespace pabal::core {
namespace {

enum Tag : std::uint8_t {
  kNull = 0,
  kBoolean = 1,
  kByte = 2,
  kChar = 3,
  kShort = 4,
  kInt = 5,
  kLong = 6,
  kDouble = 7,
  kFloat = 8,
  kString = 9,
  kBytes = 10,
  kMap = 11,
  kList = 12,
  kBigString = 13,
};

/// Java writes longer ones as big strings.
constexpr std::size_t kStringBytesMax = 8190;
constexpr std::size_t kNameBytesMax = std::numeric_limits<std::uint16_t>::max();

template <class Unsigned>
void put(std::string& out, Unsigned value) {
  char bytes[sizeof(Unsigned)];
  for (std::size_t i = sizeof(Unsigned); i > 0; --i) {
    bytes[i - 1] = static_cast<char>(value & 0xFF);
    value = static_cast<Unsigned>(static_cast<std::uint64_t>(value) >> 8);
  }
  out.append(bytes, sizeof bytes);
}

template <class Unsigned>
void put_tagged(std::string& out, Tag tag, std::int64_t value) {
  out += static_cast<char>(tag);
  put(out, static_cast<Unsigned>(value));
}

void put_sized(std::string& out, Tag tag, std::string_view bytes) {
  put_tagged<std::uint32_t>(out, tag, static_cast<std::int64_t>(bytes.size()));
  out += bytes;
}

void put_string(std::string& out, const Property& value, StringPlace place) {
  std::string scratch;
  const bool modified = value.encoding == Encoding::openwire;
  const std::string_view text = place == StringPlace::nested ? modified_utf8_of(value.text, scratch)
                                : modified                   ? utf8_of(value.text, scratch)
                                                             : value.text;
  if (text.size() > kStringBytesMax) return put_sized(out, kBigString, text);
  put_tagged<std::uint16_t>(out, kString, static_cast<std::int64_t>(text.size()));
  out += text;
}

}  // namespace

bool PrimitiveReader::fail() noexcept {
  failed_ = true;
  rest_ = {};
  return false;
}

bool PrimitiveReader::take(std::size_t size, std::string_view& taken) noexcept {
  if (failed_ || size > rest_.size()) return fail();
  taken = rest_.substr(0, size);
  rest_.remove_prefix(size);
  return true;
}

template <class Unsigned>
bool PrimitiveReader::number(Unsigned& number) noexcept {
  std::string_view bytes;
  if (!take(sizeof(Unsigned), bytes)) return false;
  std::uint64_t value = 0;
  for (const char byte : bytes) value = value << 8 | static_cast<unsigned char>(byte);
  number = static_cast<Unsigned>(value);
  return true;
}

bool PrimitiveReader::sized(std::string_view& bytes) noexcept {
  std::uint32_t size = 0;
  return number(size) && take(size, bytes);
}

bool PrimitiveReader::count(std::uint32_t& count) noexcept {
  if (!number(count)) return false;
  if (count == 0xFFFFFFFF) count = 0;
  // Each entry has a byte at least.
  return count <= rest_.size() || fail();
}

bool PrimitiveReader::name(std::string_view& name) noexcept {
  std::uint16_t size = 0;
  return number(size) && take(size, name);
}

bool PrimitiveReader::scalar(std::uint8_t tag, Property& value) noexcept {
  const auto integer = [&](PropertyType type, auto unit, auto as) {
    value.type = type;
    if (!number(unit)) return false;
    value.integer = static_cast<decltype(as)>(unit);
    return true;
  };
  using enum PropertyType;
  switch (tag) {
    case kNull:
      value.type = null;
      return !failed_;
    case kBoolean:
      if (!integer(boolean, std::uint8_t{}, std::uint8_t{})) return false;
      value.integer = value.integer != 0 ? 1 : 0;
      return true;
    case kByte:
      return integer(int8, std::uint8_t{}, std::int8_t{});
    case kChar:
      return integer(character, std::uint16_t{}, std::uint16_t{});
    case kShort:
      return integer(int16, std::uint16_t{}, std::int16_t{});
    case kInt:
      return integer(int32, std::uint32_t{}, std::int32_t{});
    case kLong:
      return integer(int64, std::uint64_t{}, std::int64_t{});
    case kDouble: {
      std::uint64_t bits = 0;
      value.type = float64;
      if (!number(bits)) return false;
      value.real = std::bit_cast<double>(bits);
      return true;
    }
    case kFloat: {
      std::uint32_t bits = 0;
      value.type = float32;
      if (!number(bits)) return false;
      value.real = std::bit_cast<float>(bits);
      return true;
    }
    case kString:
      value.type = string;
      return name(value.text);
    case kBigString:
      value.type = string;
      return sized(value.text);
    case kBytes:
      value.type = bytes;
      return sized(value.text);
    default:
      return fail();
  }
}

/// What stands behind the tag of a map or list.
bool PrimitiveReader::nested(std::uint8_t tag, int depth, std::string_view& bytes) noexcept {
  if (depth > kPrimitiveNestingMax) return fail();
  const std::string_view begin = rest_;
  std::uint32_t entries = 0;
  if (!count(entries)) return false;
  for (; entries > 0; --entries) {
    std::string_view ignored;
    if (tag == kMap && !name(ignored)) return false;
    if (!skip(depth)) return false;
  }
  bytes = begin.substr(0, begin.size() - rest_.size());
  return true;
}

bool PrimitiveReader::skip(int depth) noexcept {
  std::uint8_t tag = 0;
  if (!number(tag)) return false;
  if (tag == kMap || tag == kList) {
    std::string_view ignored;
    return nested(tag, depth + 1, ignored);
  }
  Property ignored;
  return scalar(tag, ignored);
}

bool PrimitiveReader::value(Property& value) noexcept {
  std::uint8_t tag = 0;
  if (!number(tag)) return false;
  value.integer = 0;
  value.real = 0;
  value.text = {};
  value.encoding = Encoding::openwire;
  if (tag != kMap && tag != kList) return scalar(tag, value);
  value.type = tag == kMap ? PropertyType::map : PropertyType::list;
  return nested(tag, 1, value.text);
}

/// The next entry of a list of properties in this encoding. The count says when it ends; bytes
/// behind that, or none where it promised more, leave it incomplete.
std::optional<Property> PropertyReader::next_openwire() noexcept {
  PrimitiveReader reader(rest_);
  if (!counted_) {
    counted_ = true;
    if (rest_.empty()) return std::nullopt;
    if (!reader.count(left_)) return std::nullopt;
  }
  if (left_ == 0) {
    rest_ = reader.rest();
    return std::nullopt;
  }
  const std::string_view begin = reader.rest();
  Property property;
  if (!reader.name(property.name) || !reader.value(property)) return std::nullopt;
  --left_;
  rest_ = reader.rest();
  entry_ = begin.substr(0, begin.size() - rest_.size());
  return property;
}

bool is_primitive_map(std::string_view bytes) noexcept {
  PropertyReader reader(Encoding::openwire, bytes);
  while (reader.next()) {
  }
  return reader.complete();
}

bool is_primitive_stream(std::string_view bytes) noexcept {
  PrimitiveReader reader(bytes);
  Property value;
  while (!reader.rest().empty()) {
    if (!reader.value(value)) return false;
  }
  return !reader.failed();
}

void append_primitive_count(std::string& out, std::uint32_t count) {
  put(out, count);
}

void append_primitive_name(std::string& out, std::string_view utf8) {
  std::string scratch;
  const auto name = cut_text(modified_utf8_of(utf8, scratch), kNameBytesMax);
  put(out, static_cast<std::uint16_t>(name.size()));
  out += name;
}

void append_primitive(std::string& out, const Property& value, StringPlace place) {
  switch (value.type) {
    case PropertyType::null:
      out += static_cast<char>(kNull);
      return;
    case PropertyType::boolean:
      return put_tagged<std::uint8_t>(out, kBoolean, value.integer != 0 ? 1 : 0);
    case PropertyType::int8:
      return put_tagged<std::uint8_t>(out, kByte, value.integer);
    case PropertyType::character:
      return put_tagged<std::uint16_t>(out, kChar, value.integer);
    case PropertyType::int16:
      return put_tagged<std::uint16_t>(out, kShort, value.integer);
    case PropertyType::int32:
      return put_tagged<std::uint32_t>(out, kInt, value.integer);
    case PropertyType::int64:
      return put_tagged<std::uint64_t>(out, kLong, value.integer);
    case PropertyType::float32:
      out += static_cast<char>(kFloat);
      return put(out, std::bit_cast<std::uint32_t>(static_cast<float>(value.real)));
    case PropertyType::float64:
      out += static_cast<char>(kDouble);
      return put(out, std::bit_cast<std::uint64_t>(value.real));
    case PropertyType::string:
      return put_string(out, value, place);
    case PropertyType::bytes:
      return put_sized(out, kBytes, value.text);
    case PropertyType::list:
      out += static_cast<char>(kList);
      out += value.text;
      return;
    case PropertyType::map:
      out += static_cast<char>(kMap);
      out += value.text;
      return;
  }
}

void add_to_primitive_count(std::string& map) {
  if (map.size() < 4 || map.compare(0, 4, "\xFF\xFF\xFF\xFF") == 0) map.assign(4, '\0');
  for (std::size_t i = 4; i-- > 0;) {
    map[i] = static_cast<char>(map[i] + 1);
    if (map[i] != 0) return;
  }
}

}  // namespace pabal::core
