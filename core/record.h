#pragma once

#include <cstdint>
#include <string>
#include <string_view>

// How the engine writes what it keeps in attachments: numbers are varints (LEB128), texts a length
// and bytes.

namespace pabal::core {

inline void put(std::string& out, std::uint64_t number) {
  while (number >= 0x80) {
    out += static_cast<char>((number & 0x7F) | 0x80);
    number >>= 7;
  }
  out += static_cast<char>(number);
}

inline void put(std::string& out, std::string_view text) {
  put(out, std::uint64_t{text.size()});
  out += text;
}

/// Reads what put() wrote; `good` is false from the first thing on that makes no sense.
struct RecordReader {
  std::string_view rest;
  bool good = true;

  std::uint64_t number() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64 && !rest.empty(); shift += 7) {
      const auto byte = static_cast<unsigned char>(rest.front());
      rest.remove_prefix(1);
      value |= std::uint64_t{byte & 0x7FU} << shift;
      if (byte < 0x80) return value;
    }
    good = false;
    return 0;
  }
  std::string text() {
    const std::uint64_t size = number();
    if (!good || size > rest.size()) {
      good = false;
      return {};
    }
    std::string value(rest.substr(0, size));
    rest.remove_prefix(size);
    return value;
  }
  /// Whether it made sense to its end.
  [[nodiscard]] bool complete() const noexcept { return good && rest.empty(); }
};

}  // namespace pabal::core
