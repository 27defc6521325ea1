#include <charconv>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include "core/modified_utf8.h"
#include "core/primitive_values.h"
#include "protocols/content/element.h"
#include "protocols/content/json.h"
#include "protocols/content/xstream.h"

namespace pabal::content {
namespace {

using core::Property;
using core::PropertyType;
using core::StringPlace;

/// What XStream calls the types of a JMS map; of collections all that mean the same here.
std::optional<PropertyType> type_of(std::string_view name) noexcept {
  struct Row {
    std::string_view name;
    PropertyType type;
  };
  static constexpr Row kRows[] = {
      {"string", PropertyType::string},       {"int", PropertyType::int32},
      {"long", PropertyType::int64},          {"short", PropertyType::int16},
      {"byte", PropertyType::int8},           {"char", PropertyType::character},
      {"boolean", PropertyType::boolean},     {"float", PropertyType::float32},
      {"double", PropertyType::float64},      {"byte-array", PropertyType::bytes},
      {"null", PropertyType::null},           {"map", PropertyType::map},
      {"linked-hash-map", PropertyType::map}, {"tree-map", PropertyType::map},
      {"hashtable", PropertyType::map},       {"list", PropertyType::list},
      {"linked-list", PropertyType::list},    {"vector", PropertyType::list},
  };
  for (const Row& row : kRows) {
    if (row.name == name) return row.type;
  }
  return std::nullopt;
}

template <class Number>
bool read_integer(std::string_view text, std::int64_t& value) noexcept {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  value = number;
  return error == std::errc() && end == text.data() + text.size();
}

template <class Number>
bool read_real(std::string_view text, double& value) noexcept {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  value = number;
  return error == std::errc() && end == text.data() + text.size();
}

/// One UTF-16 unit.
bool read_char(std::string_view text, std::int64_t& value) noexcept {
  if (text.empty() || text.size() > 3 || !core::is_utf8(text)) return false;
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const std::size_t size = byte(0) < 0x80 ? 1 : byte(0) < 0xE0 ? 2 : 3;
  if (size != text.size()) return false;
  value = size == 1   ? byte(0)
          : size == 2 ? (byte(0) & 0x1F) << 6 | (byte(1) & 0x3F)
                      : (byte(0) & 0x0F) << 12 | (byte(1) & 0x3F) << 6 | (byte(2) & 0x3F);
  return true;
}

bool is_blank(std::string_view text) noexcept {
  return text.find_first_not_of(" \t\r\n") == text.npos;
}

class Builder {
 public:
  const char* map(const Element& element, std::string& out, int depth) {
    if (depth > core::kPrimitiveNestingMax) return "maps and lists are nested too deeply";
    if (!is_blank(element.text)) return "a map that is a text";
    core::append_primitive_count(out, static_cast<std::uint32_t>(element.children.size()));
    for (const Element& entry : element.children) {
      if (entry.name != "entry" || entry.children.size() != 2 ||
          entry.children[0].name != "string" || !entry.children[0].children.empty()) {
        return "an entry of a map is a string and a value";
      }
      if (entry.children[0].text.empty()) return "an entry has no name";
      core::append_primitive_name(out, entry.children[0].text);
      if (const char* why = value(entry.children[1], out, depth)) return why;
    }
    return nullptr;
  }

  const char* stream(const Element& element, std::string& out) {
    if (!is_blank(element.text)) return "a stream that is a text";
    for (const Element& each : element.children) {
      if (each.name != "value" || each.children.size() != 1 || !is_blank(each.text)) {
        return "each part of a stream is one value";
      }
      const auto type = type_of(each.children.front().name);
      if (type == PropertyType::map || type == PropertyType::list) {
        return "a value of a type that a stream message cannot have";
      }
      if (const char* why = value(each.children.front(), out, kDepthOfStream)) return why;
    }
    return nullptr;
  }

 private:
  /// Strings are written there as within a list. Source: core/primitive_values.h.
  static constexpr int kDepthOfStream = 2;

  const char* list(const Element& element, std::string& out, int depth) {
    if (depth > core::kPrimitiveNestingMax) return "maps and lists are nested too deeply";
    if (!is_blank(element.text)) return "a list that is a text";
    core::append_primitive_count(out, static_cast<std::uint32_t>(element.children.size()));
    for (const Element& child : element.children) {
      if (const char* why = value(child, out, depth)) return why;
    }
    return nullptr;
  }

  const char* value(const Element& element, std::string& out, int depth) {
    const auto type = type_of(element.name);
    if (!type) return "a value of a type that a map message cannot have";
    Property property;
    property.type = *type;
    std::string made;
    if (*type == PropertyType::map || *type == PropertyType::list) {
      const char* why = *type == PropertyType::map ? map(element, made, depth + 1)
                                                   : list(element, made, depth + 1);
      if (why != nullptr) return why;
      property.text = made;
    } else if (!element.children.empty()) {
      return "a value that has elements within";
    } else if (!scalar(property, element.text, made)) {
      return "a value that is not of its type";
    }
    core::append_primitive(out, property, depth == 1 ? StringPlace::property : StringPlace::nested);
    return nullptr;
  }

  static bool scalar(Property& property, std::string_view text, std::string& made) {
    switch (property.type) {
      case PropertyType::null:
        return text.empty();
      case PropertyType::boolean:
        property.integer = text == "true" ? 1 : 0;
        return text == "true" || text == "false";
      case PropertyType::int8:
        return read_integer<std::int8_t>(text, property.integer);
      case PropertyType::int16:
        return read_integer<std::int16_t>(text, property.integer);
      case PropertyType::int32:
        return read_integer<std::int32_t>(text, property.integer);
      case PropertyType::int64:
        return read_integer<std::int64_t>(text, property.integer);
      case PropertyType::float32:
        return read_real<float>(text, property.real);
      case PropertyType::float64:
        return read_real<double>(text, property.real);
      case PropertyType::character:
        return read_char(text, property.integer);
      case PropertyType::string:
        property.text = text;
        return true;
      case PropertyType::bytes:
        if (!read_base64(text, made)) return false;
        property.text = made;
        return true;
      case PropertyType::list:
      case PropertyType::map:
        break;
    }
    return false;
  }
};

}  // namespace

const char* read_xstream(std::string_view text, Notation notation, std::string& map,
                         std::size_t bytes_max) {
  if (text.size() > bytes_max) return "it is larger than what is converted";
  if (!core::is_utf8(text)) return "it is not UTF-8";
  Element root;
  const char* why =
      notation == Notation::json ? read_json_elements(text, root) : read_xml_elements(text, root);
  if (why != nullptr) return why;
  if (type_of(root.name) != PropertyType::map) return "it is no map";
  map.clear();
  return Builder().map(root, map, 1);
}

const char* read_json_stream(std::string_view text, std::string& stream, std::size_t bytes_max) {
  if (text.size() > bytes_max) return "it is larger than what is converted";
  if (!core::is_utf8(text)) return "it is not UTF-8";
  Element root;
  if (const char* why = read_json_elements(text, root)) return why;
  if (root.name != "stream") return "it is no stream";
  stream.clear();
  return Builder().stream(root, stream);
}

}  // namespace pabal::content
