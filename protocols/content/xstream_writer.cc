#include <array>
#include <cstdint>

#include "core/primitive_values.h"
#include "protocols/content/json.h"
#include "protocols/content/xml.h"
#include "protocols/content/xstream.h"

namespace pabal::content {
namespace {

using core::PrimitiveReader;
using core::Property;
using core::PropertyType;

std::string_view element_of(PropertyType type) noexcept {
  switch (type) {
    case PropertyType::null:
      return "null";
    case PropertyType::boolean:
      return "boolean";
    case PropertyType::int8:
      return "byte";
    case PropertyType::int16:
      return "short";
    case PropertyType::int32:
      return "int";
    case PropertyType::int64:
      return "long";
    case PropertyType::float32:
      return "float";
    case PropertyType::float64:
      return "double";
    case PropertyType::string:
      return "string";
    case PropertyType::bytes:
      return "byte-array";
    case PropertyType::character:
      return "char";
    case PropertyType::list:
      return "list";
    case PropertyType::map:
      return "map";
  }
  return "null";
}

constexpr std::array kTypes = {PropertyType::null,    PropertyType::boolean,   PropertyType::int8,
                               PropertyType::int16,   PropertyType::int32,     PropertyType::int64,
                               PropertyType::float32, PropertyType::float64,   PropertyType::string,
                               PropertyType::bytes,   PropertyType::character, PropertyType::list,
                               PropertyType::map};

// Depth is bounded where the values are read (core::kPrimitiveNestingMax).

class JsonWriter {
 public:
  explicit JsonWriter(std::string& out) : out_(out) {}

  bool map(std::string_view bytes) {
    PrimitiveReader reader(bytes);
    std::uint32_t count = 0;
    if (!reader.count(count)) return false;
    if (count == 0) {
      out_ += "\"\"";
      return true;
    }
    out_ += "{\"entry\":";
    if (count > 1) out_ += '[';
    for (std::uint32_t i = 0; i < count; ++i) {
      if (i > 0) out_ += ',';
      if (!entry(reader)) return false;
    }
    out_ += count > 1 ? "]}" : "}";
    return true;
  }

  bool stream(std::string_view bytes) {
    PrimitiveReader reader(bytes);
    out_ += "{\"stream\":{\"value\":[";
    for (bool first = true; !reader.rest().empty(); first = false) {
      Property value;
      if (!reader.value(value)) return false;
      if (!first) out_ += ',';
      out_ += '{';
      name(value.type);
      if (!this->value(value)) return false;
      out_ += '}';
    }
    out_ += "]}}";
    return !reader.failed();
  }

 private:
  bool entry(PrimitiveReader& reader) {
    Property value;
    if (!reader.name(value.name) || !reader.value(value)) return false;
    std::string scratch;
    const bool both_strings = value.type == PropertyType::string;
    out_ += both_strings ? "{\"string\":[" : "{\"string\":";
    append_json_string(out_, value.utf8_name(scratch));
    out_ += ',';
    if (!both_strings) name(value.type);
    if (!this->value(value)) return false;
    out_ += both_strings ? "]}" : "}";
    return true;
  }

  void name(PropertyType type) {
    out_ += '"';
    out_ += element_of(type);
    out_ += "\":";
  }

  bool value(const Property& value) {
    switch (value.type) {
      case PropertyType::null:
        out_ += "\"\"";
        return true;
      case PropertyType::bytes:
        out_ += '"';
        append_base64(out_, value.text);
        out_ += '"';
        return true;
      case PropertyType::map:
        return map(value.text);
      case PropertyType::list:
        return list(value.text);
      default:
        append_json_scalar(out_, value);
        return true;
    }
  }

  /// Type by type.
  bool list(std::string_view bytes) {
    bool any = false;
    for (const PropertyType type : kTypes) {
      PrimitiveReader reader(bytes);
      std::uint32_t count = 0;
      if (!reader.count(count)) return false;
      const std::size_t start = out_.size();
      std::size_t found = 0;
      for (std::uint32_t i = 0; i < count; ++i) {
        Property value;
        if (!reader.value(value)) return false;
        if (value.type != type) continue;
        if (found++ > 0) out_ += ',';
        if (!this->value(value)) return false;
      }
      if (found == 0) continue;
      std::string head = any ? "," : "{";
      any = true;
      head += '"';
      head += element_of(type);
      head += found > 1 ? "\":[" : "\":";
      out_.insert(start, head);
      if (found > 1) out_ += ']';
    }
    out_ += any ? "}" : "\"\"";
    return true;
  }

  std::string& out_;
};

class XmlWriter {
 public:
  explicit XmlWriter(std::string& out) : out_(out) {}

  bool map(std::string_view bytes, std::size_t indent) {
    PrimitiveReader reader(bytes);
    std::uint32_t count = 0;
    if (!reader.count(count)) return false;
    if (count == 0) return empty("map", indent);
    open("map", indent);
    out_ += '\n';
    for (; count > 0; --count) {
      Property value;
      if (!reader.name(value.name) || !reader.value(value)) return false;
      open("entry", indent + 1);
      out_ += '\n';
      std::string scratch;
      text("string", value.utf8_name(scratch), indent + 2);
      if (!this->value(value, indent + 2)) return false;
      close("entry", indent + 1);
    }
    close("map", indent);
    return true;
  }

 private:
  bool value(const Property& value, std::size_t indent) {
    const std::string_view name = element_of(value.type);
    if (value.type == PropertyType::map) return map(value.text, indent);
    if (value.type == PropertyType::list) return list(value.text, indent);
    if (value.type == PropertyType::null) return empty(name, indent);
    std::string shown;
    if (value.type == PropertyType::bytes) {
      append_base64(shown, value.text);
    } else {
      value.append_text(shown);
    }
    text(name, shown, indent);
    return true;
  }

  bool list(std::string_view bytes, std::size_t indent) {
    PrimitiveReader reader(bytes);
    std::uint32_t count = 0;
    if (!reader.count(count)) return false;
    if (count == 0) return empty("list", indent);
    open("list", indent);
    out_ += '\n';
    for (; count > 0; --count) {
      Property value;
      if (!reader.value(value) || !this->value(value, indent + 1)) return false;
    }
    close("list", indent);
    return true;
  }

  void open(std::string_view name, std::size_t indent) {
    out_.append(2 * indent, ' ');
    out_ += '<';
    out_ += name;
    out_ += '>';
  }
  void close(std::string_view name, std::size_t indent) {
    out_.append(2 * indent, ' ');
    end(name);
  }
  void end(std::string_view name) {
    out_ += "</";
    out_ += name;
    out_ += ">\n";
  }
  bool empty(std::string_view name, std::size_t indent) {
    out_.append(2 * indent, ' ');
    out_ += '<';
    out_ += name;
    out_ += "/>\n";
    return true;
  }

  void text(std::string_view name, std::string_view utf8, std::size_t indent) {
    open(name, indent);
    append_xml_text(out_, utf8);
    end(name);
  }

  std::string& out_;
};

}  // namespace

bool append_xstream(std::string& out, std::string_view map, Notation notation,
                    std::size_t bytes_max) {
  if (map.size() > bytes_max) return false;
  const std::string_view bytes = map.empty() ? std::string_view("\0\0\0\0", 4) : map;
  if (notation == Notation::json) {
    out += "{\"map\":";
    if (!JsonWriter(out).map(bytes)) return false;
    out += '}';
    return true;
  }
  if (!XmlWriter(out).map(bytes, 0)) return false;
  out.pop_back();  // no line end behind the last
  return true;
}

bool append_json_stream(std::string& out, std::string_view stream, std::size_t bytes_max) {
  return stream.size() <= bytes_max && JsonWriter(out).stream(stream);
}

}  // namespace pabal::content
