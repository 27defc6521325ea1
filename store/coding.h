#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace pabal::store {

static_assert(std::endian::native == std::endian::little, "on-disk integers are little-endian");

inline void put_fixed32(char* to, std::uint32_t value) noexcept {
  std::memcpy(to, &value, 4);
}
inline void put_fixed64(char* to, std::uint64_t value) noexcept {
  std::memcpy(to, &value, 8);
}
inline std::uint32_t get_fixed32(const char* from) noexcept {
  std::uint32_t value;
  std::memcpy(&value, from, 4);
  return value;
}
inline std::uint64_t get_fixed64(const char* from) noexcept {
  std::uint64_t value;
  std::memcpy(&value, from, 8);
  return value;
}

/// LEB128: seven bits a byte, low ones first.
inline void put_varint(std::string& to, std::uint64_t value) {
  char bytes[10];
  int count = 0;
  while (value >= 0x80) {
    bytes[count++] = static_cast<char>(value | 0x80);
    value >>= 7;
  }
  bytes[count++] = static_cast<char>(value);
  to.append(bytes, static_cast<std::size_t>(count));
}
inline void put_text(std::string& to, std::string_view text) {
  put_varint(to, text.size());
  to.append(text);
}
inline std::uint64_t zigzag(std::int64_t value) noexcept {
  return (static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63);
}
inline std::int64_t unzigzag(std::uint64_t value) noexcept {
  return static_cast<std::int64_t>((value >> 1) ^ (~(value & 1) + 1));
}

/// Reads what the above wrote. After the first thing that does not fit, ok() is false and every
/// further answer is zero or empty.
class Decoder {
 public:
  explicit Decoder(std::string_view bytes) noexcept : rest_(bytes) {}

  [[nodiscard]] bool ok() const noexcept { return ok_; }
  [[nodiscard]] bool done() const noexcept { return rest_.empty(); }
  /// Whether everything was read and made sense.
  [[nodiscard]] bool complete() const noexcept { return ok_ && rest_.empty(); }

  std::uint8_t byte() noexcept {
    if (rest_.empty()) return fail();
    const auto value = static_cast<std::uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    return value;
  }
  std::uint64_t varint() noexcept {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < 10 && i < rest_.size(); ++i) {
      const auto byte = static_cast<std::uint8_t>(rest_[i]);
      value |= static_cast<std::uint64_t>(byte & 0x7f) << (7 * i);
      if ((byte & 0x80) == 0) {
        rest_.remove_prefix(i + 1);
        return value;
      }
    }
    return fail();
  }
  std::string_view text() noexcept {
    const std::uint64_t size = varint();
    if (size > rest_.size()) {
      fail();
      return {};
    }
    const std::string_view text = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return text;
  }
  std::uint64_t fixed64() noexcept {
    if (rest_.size() < 8) return fail();
    const std::uint64_t value = get_fixed64(rest_.data());
    rest_.remove_prefix(8);
    return value;
  }

 private:
  std::uint8_t fail() noexcept {
    ok_ = false;
    rest_ = {};
    return 0;
  }

  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace pabal::store
