#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

// The elements of the wire: big-endian numbers, unaligned. Source: reference §2.1.

namespace pabal::openwire {

/// From the order of the wire to the machine's, and back. By the compiler's builtins: of a loop
/// over bytes it makes a loop, and a frame is numbers for the most part.
template <class Unsigned>
constexpr Unsigned swap_if_little(Unsigned value) noexcept {
  if constexpr (std::endian::native == std::endian::big || sizeof(Unsigned) == 1) return value;
  if constexpr (sizeof(Unsigned) == 2) return __builtin_bswap16(value);
  if constexpr (sizeof(Unsigned) == 4) return __builtin_bswap32(value);
  if constexpr (sizeof(Unsigned) == 8) return __builtin_bswap64(value);
}

template <class Unsigned>
inline Unsigned load_big(const char* bytes) noexcept {
  Unsigned value;
  std::memcpy(&value, bytes, sizeof value);
  return swap_if_little(value);
}

template <class Unsigned>
inline void store_big(char* to, Unsigned value) noexcept {
  value = swap_if_little(value);
  std::memcpy(to, &value, sizeof value);
}

template <class Unsigned>
inline void append_big(std::string& out, Unsigned value) {
  char bytes[sizeof(Unsigned)];
  store_big(bytes, value);
  out.append(bytes, sizeof(Unsigned));
}

/// Longest text that a header string can have, in bytes of its encoding.
inline constexpr std::size_t kTextBytesMax = 65'535;

/// Why a frame makes no sense: the first thing found, in words without contents of the frame.
/// Empty: nothing yet.
class Fault {
 public:
  [[nodiscard]] bool found() const noexcept { return text_ != nullptr; }
  /// `field`: what of the frame it is; both live for ever.
  void set(const char* text, const char* field = nullptr) noexcept {
    if (text_ != nullptr) return;
    text_ = text;
    field_ = field;
  }
  /// The innermost field that is known.
  void in_field(const char* field) noexcept {
    if (text_ != nullptr && field_ == nullptr) field_ = field;
  }
  [[nodiscard]] std::string to_text() const {
    if (text_ == nullptr) return {};
    return field_ == nullptr ? std::string(text_) : std::string(field_) + ": " + text_;
  }

 private:
  const char* text_ = nullptr;
  const char* field_ = nullptr;
};

/// Takes elements off the bytes of one frame. No length is believed before it was compared with
/// what is left; after a fault every read answers zero or nothing, and nothing is taken any more.
class Reader {
 public:
  explicit Reader(std::string_view bytes) noexcept
      : at_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  [[nodiscard]] std::size_t left() const noexcept { return static_cast<std::size_t>(end_ - at_); }
  [[nodiscard]] bool failed() const noexcept { return fault_.found(); }
  [[nodiscard]] Fault& fault() noexcept { return fault_; }
  void fail(const char* text) noexcept {
    fault_.set(text);
    at_ = end_;
  }

  template <class Unsigned>
  Unsigned number() noexcept {
    if (left() < sizeof(Unsigned)) {
      fail("the frame ends in the middle of a value");
      return 0;
    }
    const auto value = load_big<Unsigned>(at_);
    at_ += sizeof(Unsigned);
    return value;
  }
  /// Source: reference §2.1: 0 or 1. Java takes any other for true, and would write it as 1.
  bool boolean() noexcept {
    const auto value = number<std::uint8_t>();
    if (value > 1) fail("neither true nor false");
    return value == 1;
  }
  std::string_view take(std::size_t size) noexcept {
    if (size > left()) {
      fail("a length that goes beyond the end of the frame");
      return {};
    }
    const std::string_view taken(at_, size);
    at_ += size;
    return taken;
  }
  /// Bytes behind a length of four; a negative one is a fault.
  std::string_view sized_bytes() noexcept {
    const auto size = static_cast<std::int32_t>(number<std::uint32_t>());
    if (size < 0) {
      fail("a negative length");
      return {};
    }
    return take(static_cast<std::size_t>(size));
  }
  /// Bytes behind a length of two.
  std::string_view short_bytes() noexcept { return take(number<std::uint16_t>()); }

 private:
  const char* at_;
  const char* end_;
  Fault fault_;
};

/// Appends elements to a string. Gathers small ones first: of most, an append of its own would cost
/// more than the element. What was gathered is in the string when this is gone.
class Writer {
 public:
  explicit Writer(std::string& out) noexcept : out_(out) {}
  ~Writer() { flush(); }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  /// Of the string, when all is in it.
  [[nodiscard]] std::size_t size() const noexcept { return out_.size() + used_; }

  template <class Unsigned>
  void number(Unsigned value) {
    if (sizeof gathered_ - used_ < sizeof value) flush();
    store_big(gathered_ + used_, value);
    used_ += sizeof value;
  }
  void boolean(bool value) { number(static_cast<std::uint8_t>(value ? 1 : 0)); }
  void bytes(std::string_view value) {
    if (sizeof gathered_ - used_ < value.size()) flush();
    if (sizeof gathered_ < value.size()) {
      out_.append(value);
      return;
    }
    std::memcpy(gathered_ + used_, value.data(), value.size());
    used_ += value.size();
  }

 private:
  void flush() {
    out_.append(gathered_, used_);
    used_ = 0;
  }

  std::string& out_;
  std::size_t used_ = 0;
  char gathered_[512];
};

}  // namespace pabal::openwire
