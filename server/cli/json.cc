#include "server/cli/json.h"

#include <algorithm>
#include <cstdio>

namespace pabal::cli {
namespace {

/// Length of the well-formed UTF-8 sequence at the start of `text`; 0: there is none.
std::size_t sequence_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  const std::size_t length = lead >= 0xF0 && lead < 0xF5   ? 4
                             : lead >= 0xE0 && lead < 0xF0 ? 3
                             : lead >= 0xC2 && lead < 0xE0 ? 2
                                                           : 0;
  if (length == 0 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  // Overlong forms, surrogates, and what lies above U+10FFFF.
  if (lead == 0xE0 && byte(1) < 0xA0) return 0;
  if (lead == 0xED && byte(1) > 0x9F) return 0;
  if (lead == 0xF0 && byte(1) < 0x90) return 0;
  if (lead == 0xF4 && byte(1) > 0x8F) return 0;
  return length;
}

}  // namespace

std::string json_quote(std::string_view value) {
  std::string out = "\"";
  while (!value.empty()) {
    const char letter = value[0];
    const std::size_t length = sequence_length(value);
    if (length == 0) {
      out += "\\ufffd";
    } else if (letter == '"' || letter == '\\') {
      out += {'\\', letter};
    } else if (letter == '\n') {
      out += "\\n";
    } else if (length == 1 && static_cast<unsigned char>(letter) < 0x20) {
      char escaped[8];
      std::snprintf(escaped, sizeof escaped, "\\u%04x", static_cast<unsigned>(letter));
      out += escaped;
    } else {
      out += value.substr(0, length);
    }
    value.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return out + "\"";
}

void JsonWriter::start_member(std::string_view key) {
  if (!first_) out_ += ',';
  first_ = false;
  if (!key.empty()) out_ += json_quote(key) + ":";
}

JsonWriter& JsonWriter::begin_object(std::string_view key) {
  start_member(key);
  out_ += '{';
  first_ = true;
  return *this;
}

JsonWriter& JsonWriter::end_object() {
  out_ += '}';
  first_ = false;
  return *this;
}

JsonWriter& JsonWriter::begin_array(std::string_view key) {
  start_member(key);
  out_ += '[';
  first_ = true;
  return *this;
}

JsonWriter& JsonWriter::end_array() {
  out_ += ']';
  first_ = false;
  return *this;
}

JsonWriter& JsonWriter::text(std::string_view key, std::string_view value) {
  start_member(key);
  out_ += json_quote(value);
  return *this;
}

JsonWriter& JsonWriter::number(std::string_view key, std::uint64_t value) {
  start_member(key);
  out_ += std::to_string(value);
  return *this;
}

JsonWriter& JsonWriter::number(std::string_view key, double value, int decimals) {
  start_member(key);
  char digits[64];
  std::snprintf(digits, sizeof digits, "%.*f", decimals, value);
  out_ += digits;
  return *this;
}

JsonWriter& JsonWriter::boolean(std::string_view key, bool value) {
  start_member(key);
  out_ += value ? "true" : "false";
  return *this;
}

}  // namespace pabal::cli
