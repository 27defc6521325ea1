#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "protocols/mqtt/level.h"

// The elements of the wire (MQTT 5.0 §1.5): big-endian numbers, variable byte integers, and strings
// and binary data behind a length of two bytes.

namespace pabal::mqtt {

inline std::uint32_t load_byte(const char* bytes) noexcept {
  return static_cast<unsigned char>(*bytes);
}
inline std::uint32_t load_two(const char* bytes) noexcept {
  return load_byte(bytes) << 8 | load_byte(bytes + 1);
}
inline std::uint32_t load_four(const char* bytes) noexcept {
  return load_two(bytes) << 16 | load_two(bytes + 2);
}
inline char* store_two(char* to, std::uint32_t value) noexcept {
  *to++ = static_cast<char>(value >> 8);
  *to++ = static_cast<char>(value);
  return to;
}
inline char* store_four(char* to, std::uint32_t value) noexcept {
  return store_two(store_two(to, value >> 16), value);
}

/// Bytes of a variable byte integer in its shortest form [MQTT-1.5.5-1].
constexpr std::size_t variable_size(std::uint32_t value) noexcept {
  return value < 128 ? 1 : value < 16'384 ? 2 : value < 2'097'152 ? 3 : 4;
}
/// At most four bytes; `value` is at most kVariableIntegerMax.
inline char* store_variable(char* to, std::uint32_t value) noexcept {
  while (value >= 128) {
    *to++ = static_cast<char>(value | 0x80);
    value >>= 7;
  }
  *to++ = static_cast<char>(value);
  return to;
}

enum class VariableStatus : std::uint8_t { done, need_more, malformed };

/// Reads a variable byte integer off `at`, not beyond `end`. Malformed: a fifth byte would follow,
/// or it is not the shortest form [MQTT-1.5.5-1].
inline VariableStatus read_variable(const char*& at, const char* end,
                                    std::uint32_t& value) noexcept {
  value = 0;
  for (unsigned shift = 0; shift <= 21; shift += 7) {
    if (at == end) return VariableStatus::need_more;
    const auto byte = static_cast<unsigned char>(*at++);
    value |= static_cast<std::uint32_t>(byte & 0x7F) << shift;
    if (byte < 0x80) {
      return byte == 0 && shift != 0 ? VariableStatus::malformed : VariableStatus::done;
    }
  }
  return VariableStatus::malformed;
}

inline void append_two(std::string& out, std::uint32_t value) {
  char bytes[2];
  out.append(bytes, static_cast<std::size_t>(store_two(bytes, value) - bytes));
}
inline void append_four(std::string& out, std::uint32_t value) {
  char bytes[4];
  out.append(bytes, static_cast<std::size_t>(store_four(bytes, value) - bytes));
}
inline void append_variable(std::string& out, std::uint32_t value) {
  char bytes[4];
  out.append(bytes, static_cast<std::size_t>(store_variable(bytes, value) - bytes));
}
/// `text` is at most kTextBytesMax long.
inline void append_text(std::string& out, std::string_view text) {
  append_two(out, static_cast<std::uint32_t>(text.size()));
  out.append(text);
}

}  // namespace pabal::mqtt
