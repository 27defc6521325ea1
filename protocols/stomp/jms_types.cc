#include "protocols/stomp/jms_types.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>

#include "protocols/content/json.h"
#include "protocols/content/xstream.h"
#include "protocols/stomp/headers.h"
#include "protocols/stomp/text.h"

namespace pabal::stomp {
namespace {

using core::BodyKind;
using core::Property;
using core::PropertyType;

constexpr std::string_view kBase64 = "base64";

struct TypeName {
  std::string_view name;
  PropertyType type;
};
constexpr TypeName kTypeNames[] = {
    {"boolean", PropertyType::boolean}, {"byte", PropertyType::int8},
    {"short", PropertyType::int16},     {"int", PropertyType::int32},
    {"long", PropertyType::int64},      {"float", PropertyType::float32},
    {"double", PropertyType::float64},  {"null", PropertyType::null},
    {"char", PropertyType::character},
};

/// Empty: a header says all of it.
std::string_view name_of(PropertyType type) noexcept {
  for (const TypeName& each : kTypeNames) {
    if (each.type == type) return each.name;
  }
  return {};
}

/// How a character of a property's name stands in the list.
constexpr char masked(char c) noexcept {
  return c == ',' || c == '=' ? '%' : c;
}

template <class Number>
std::optional<Number> read_whole(std::string_view text) noexcept {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

template <class Integer>
bool add_integer(core::MessageBuilder& builder, std::string_view name, PropertyType type,
                 std::string_view value) {
  const auto number = read_whole<Integer>(value);
  if (number) builder.add_integer(name, type, *number);
  return number.has_value();
}

template <class Real>
bool add_real(core::MessageBuilder& builder, std::string_view name, PropertyType type,
              std::string_view value) {
  const auto number = read_whole<Real>(value);
  if (number) builder.add_real(name, type, *number);
  return number.has_value();
}

bool add_typed(core::MessageBuilder& builder, std::string_view name, std::string_view type,
               std::string_view value) {
  if (type == kBase64) {
    std::string text;
    if (!content::read_base64(value, text)) return false;
    builder.add_string(name, text);
    return true;
  }
  for (const TypeName& each : kTypeNames) {
    if (each.name != type) continue;
    switch (each.type) {
      case PropertyType::boolean:
        if (value != "true" && value != "false") return false;
        builder.add_boolean(name, value == "true");
        return true;
      case PropertyType::int8:
        return add_integer<std::int8_t>(builder, name, each.type, value);
      case PropertyType::int16:
        return add_integer<std::int16_t>(builder, name, each.type, value);
      case PropertyType::int32:
        return add_integer<std::int32_t>(builder, name, each.type, value);
      case PropertyType::int64:
        return add_integer<std::int64_t>(builder, name, each.type, value);
      case PropertyType::float32:
        return add_real<float>(builder, name, each.type, value);
      case PropertyType::float64:
        return add_real<double>(builder, name, each.type, value);
      case PropertyType::null:
        if (!value.empty()) return false;
        builder.add_raw(name, each.type, {});
        return true;
      default:
        return false;  // JMS 1.1 §3.5.2 has no other types
    }
  }
  return false;
}

/// Whether a header of that name would be taken for something else than a property.
bool needs_prefix(std::string_view name) noexcept {
  if (is_server_header(name)) return true;
  switch (classify_send_header(name)) {
    case SendHeader::property:
    case SendHeader::scheduled:
    case SendHeader::content_type:
    case SendHeader::message_type:
    case SendHeader::transformation:
    case SendHeader::jms_body:
    case SendHeader::jms_types:
    case SendHeader::jms_property:
      return name == "browser";  // of the end of a browser
    default:
      return true;
  }
}

void append_typed(std::string& out, std::string& types, const Property& property, Version version) {
  std::string_view type = name_of(property.type);
  if (type.empty() && property.type != PropertyType::string) return;  // none that JMS has
  std::string name_scratch;
  const std::string_view name = property.utf8_name(name_scratch);
  std::string made;
  std::string text_scratch;
  std::string_view value;
  if (property.type == PropertyType::string) {
    value = property.utf8_text(text_scratch);
    if (value.find('\0') != value.npos) {
      content::append_base64(made, value);
      value = made;
      type = kBase64;
    }
  } else {
    property.append_text(made);
    value = made;
  }
  if (needs_prefix(name)) out += kJmsProperty;
  append_escaped(out, name, version);
  out += ':';
  append_escaped(out, value, version);
  out += '\n';
  if (type.empty()) return;
  if (!types.empty()) types += ',';
  for (const char c : name) types += masked(c);
  types += '=';
  types += type;
}

}  // namespace

PropertyTypes::Entry PropertyTypes::entry_at(std::size_t at, std::size_t& end) const noexcept {
  const std::string_view rest = list_.substr(at);
  const std::string_view text = rest.substr(0, rest.find(','));
  end = at + text.size() + 1;
  const auto equals = text.rfind('=');
  if (equals == text.npos) return {};
  return {text.substr(0, equals), text.substr(equals + 1)};
}

void PropertyTypes::sort() {
  for (std::size_t at = 0; at < list_.size();) sorted_.push_back(entry_at(at, at));
  std::stable_sort(sorted_.begin(), sorted_.end(),
                   [](const Entry& a, const Entry& b) { return a.name < b.name; });
}

/// Empty: the list does not say. Not quadratic: strangers send lists, too.
std::string_view PropertyTypes::type_of(std::string_view name) {
  if (list_.empty()) return {};
  std::string made;
  if (name.find_first_of(",=") != name.npos) {
    for (const char c : name) made += masked(c);
    name = made;
  }
  // Senders list the types in the order of the headers, so that is where it stands as a rule.
  std::size_t end = 0;
  if (next_ < list_.size()) {
    const Entry entry = entry_at(next_, end);
    if (entry.name == name) {
      next_ = end;
      return entry.type;
    }
  }
  if (sorted_.empty()) sort();
  const auto found =
      std::lower_bound(sorted_.begin(), sorted_.end(), name,
                       [](const Entry& entry, std::string_view key) { return entry.name < key; });
  return found == sorted_.end() || found->name != name ? std::string_view{} : found->type;
}

void PropertyTypes::add(core::MessageBuilder& builder, std::string_view name,
                        std::string_view value) {
  if (name.starts_with(kJmsProperty)) name.remove_prefix(kJmsProperty.size());
  if (name.empty()) return;
  if (!add_typed(builder, name, type_of(name), value)) builder.add_string(name, value);
}

bool read_jms_body(core::MessageBuilder& builder, std::string_view kind, std::string_view body,
                   bool has_content_length, std::string& scratch) {
  const auto is = [&](BodyKind made, core::Encoding encoding, std::string_view bytes) {
    builder.body_kind = made;
    builder.body_encoding = encoding;
    builder.body = bytes;
    return true;
  };
  if (kind == "message") {
    return body.empty() && is(BodyKind::none, core::Encoding::native, {});
  }
  if (kind == "text") {
    if (has_content_length) return is(BodyKind::text, core::Encoding::native, body);
    return body.empty() && is(BodyKind::text, core::Encoding::openwire, {});  // null
  }
  if (kind == "object") return is(BodyKind::object, core::Encoding::native, body);
  if (has_content_length) return false;
  if (kind == "map") {
    return content::read_xstream(body, content::Notation::json, scratch, kJmsContentBytesMax) ==
               nullptr &&
           is(BodyKind::map, core::Encoding::openwire, scratch);
  }
  return kind == "stream" &&
         content::read_json_stream(body, scratch, kJmsContentBytesMax) == nullptr &&
         is(BodyKind::stream, core::Encoding::openwire, scratch);
}

void append_typed_properties(std::string& out, const core::Message& message, Version version) {
  std::string types;
  core::PropertyReader reader(message);
  while (const auto property = reader.next()) {
    if (!property->name.empty()) append_typed(out, types, *property, version);
  }
  if (types.empty()) return;
  out += kJmsTypes;
  out += ':';
  append_escaped(out, types, version);
  out += '\n';
}

std::string_view jms_body_kind(const core::Message& message, std::string_view body) noexcept {
  switch (message.body_kind()) {
    case BodyKind::none:
      return "message";
    case BodyKind::map:
      return "map";
    case BodyKind::stream:
      return "stream";
    case BodyKind::object:
      return "object";
    case BodyKind::text: {
      const bool null =
          message.body_encoding() == core::Encoding::openwire && message.body().empty();
      return null || body.find('\0') != body.npos ? "text" : std::string_view{};
    }
    case BodyKind::bytes:
    case BodyKind::blob:
      break;
  }
  return {};
}

}  // namespace pabal::stomp
