#include "protocols/content/json.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "core/modified_utf8.h"

namespace pabal::content {
namespace {

constexpr std::string_view kDigits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void append_escaped(std::string& out, char c) {
  constexpr std::string_view kHex = "0123456789abcdef";
  switch (c) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      out += "\\u00";
      out += kHex[static_cast<unsigned char>(c) >> 4];
      out += kHex[c & 15];
  }
}

}  // namespace

void append_json_string(std::string& out, std::string_view utf8) {
  std::string scratch;
  const std::string_view text = core::utf8_of(utf8, scratch);
  out += '"';
  std::size_t kept = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (static_cast<unsigned char>(c) >= 0x20 && c != '"' && c != '\\') continue;
    out.append(text.substr(kept, i - kept));
    append_escaped(out, c);
    kept = i + 1;
  }
  out.append(text.substr(kept));
  out += '"';
}

void append_json_scalar(std::string& out, const core::Property& value) {
  std::string text;
  value.append_text(text);
  const bool is_text =
      value.type == core::PropertyType::string || value.type == core::PropertyType::character;
  // JSON has no infinities.
  if (is_text || !std::isfinite(value.real)) return append_json_string(out, text);
  out += text;
}

void append_base64(std::string& out, std::string_view bytes) {
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    const std::size_t size = std::min<std::size_t>(3, bytes.size() - i);
    for (std::size_t j = 0; j < 3; ++j) {
      group = group << 8 | (j < size ? static_cast<unsigned char>(bytes[i + j]) : 0U);
    }
    for (std::size_t j = 0; j < 4; ++j) {
      out += j <= size ? kDigits[group >> (18 - 6 * j) & 63] : '=';
    }
  }
}

bool read_base64(std::string_view text, std::string& out) {
  const std::size_t before = out.size();
  std::uint32_t group = 0;
  int bits = 0;
  bool padded = false;
  for (const char c : text) {
    if (c == '\n' || c == '\r' || c == ' ' || c == '\t') continue;
    if (c == '=') {
      padded = true;
      continue;
    }
    const std::size_t digit = kDigits.find(c);
    if (padded || digit == std::string_view::npos) {
      out.resize(before);
      return false;
    }
    group = group << 6 | static_cast<std::uint32_t>(digit);
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    out += static_cast<char>(group >> bits & 0xFF);
  }
  return true;
}

}  // namespace pabal::content
