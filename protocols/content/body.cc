#include "protocols/content/body.h"

#include <cstdint>
#include <utility>

#include "core/modified_utf8.h"
#include "core/primitive_values.h"
#include "protocols/content/inflate.h"
#include "protocols/content/json.h"

namespace pabal::content {
namespace {

using core::BodyKind;
using core::Encoding;
using core::PrimitiveReader;
using core::Property;
using core::PropertyType;

constexpr std::size_t kCountBytes = 4;

bool append_value(std::string& out, const Property& value);

/// Depth is bounded where the values are read (core::kPrimitiveNestingMax).
bool append_map(std::string& out, std::string_view map) {
  PrimitiveReader reader(map);
  std::uint32_t count = 0;
  if (!reader.count(count)) return false;
  out += '{';
  for (std::uint32_t i = 0; i < count; ++i) {
    Property value;
    if (!reader.name(value.name) || !reader.value(value)) return false;
    if (i > 0) out += ',';
    std::string scratch;
    append_json_string(out, value.utf8_name(scratch));
    out += ':';
    if (!append_value(out, value)) return false;
  }
  out += '}';
  return true;
}

/// `count` values, or (SIZE_MAX) as many as there are.
bool append_values(std::string& out, PrimitiveReader& reader, std::size_t count) {
  out += '[';
  for (std::size_t i = 0; i < count && !(count == SIZE_MAX && reader.rest().empty()); ++i) {
    Property value;
    if (!reader.value(value)) return false;
    if (i > 0) out += ',';
    if (!append_value(out, value)) return false;
  }
  out += ']';
  return true;
}

bool append_value(std::string& out, const Property& value) {
  switch (value.type) {
    case PropertyType::null:
      out += "null";
      return true;
    case PropertyType::map:
      return append_map(out, value.text);
    case PropertyType::list: {
      PrimitiveReader reader(value.text);
      std::uint32_t count = 0;
      return reader.count(count) && append_values(out, reader, count);
    }
    case PropertyType::bytes:
      out += '"';
      append_base64(out, value.text);
      out += '"';
      return true;
    case PropertyType::float32:
    case PropertyType::float64:
    case PropertyType::boolean:
    case PropertyType::int8:
    case PropertyType::int16:
    case PropertyType::int32:
    case PropertyType::int64:
    case PropertyType::string:
    case PropertyType::character:
      append_json_scalar(out, value);
      return true;
  }
  return false;
}

}  // namespace

std::optional<std::string_view> content_of(const core::Message& message, std::string& scratch) {
  std::string_view body = message.body();
  if (!message.compressed() || body.empty()) return body;
  // Source: reference/openwire.md §5.5: bytes have their length before the stream. It counts: of no
  // bytes at all the Java client compresses a buffer of zeros.
  std::size_t length = SIZE_MAX;
  if (message.body_kind() == BodyKind::bytes) {
    if (body.size() < kCountBytes) return std::nullopt;
    length = 0;
    for (const char byte : body.substr(0, kCountBytes))
      length = length << 8 | static_cast<unsigned char>(byte);
    body.remove_prefix(kCountBytes);
  }
  scratch.clear();
  if (!inflate(body, kInflatedBytesMax, scratch)) return std::nullopt;
  if (scratch.size() > length) scratch.resize(length);
  return scratch;
}

std::optional<std::string_view> plain_body(const core::Message& message, std::string& scratch) {
  const BodyKind kind = message.body_kind();
  if (message.body_encoding() == Encoding::native) return message.body();
  if (kind != BodyKind::text && kind != BodyKind::bytes) return std::string_view{};
  auto content = content_of(message, scratch);
  if (!content || kind == BodyKind::bytes || content->empty()) return content;
  PrimitiveReader reader(*content);
  std::uint32_t size = 0;
  if (!reader.count(size) || size != reader.rest().size()) return std::nullopt;
  std::string converted;
  const std::string_view text = core::utf8_of(reader.rest(), converted);
  if (text.data() == reader.rest().data()) return text;
  scratch = std::move(converted);
  return scratch;
}

std::optional<std::string_view> json_body(const core::Message& message, std::string& scratch) {
  std::string inflated;
  const auto content = content_of(message, inflated);
  if (!content || content->size() > kJsonContentBytesMax) return std::nullopt;
  std::string json;
  const bool is_map = message.body_kind() == BodyKind::map;
  if (content->empty()) {
    json = is_map ? "{}" : "[]";
  } else if (is_map) {
    if (!append_map(json, *content)) return std::nullopt;
  } else {
    PrimitiveReader reader(*content);
    if (!append_values(json, reader, SIZE_MAX)) return std::nullopt;
  }
  scratch = std::move(json);
  return scratch;
}

}  // namespace pabal::content
