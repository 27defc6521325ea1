#include "server/cli/bench/body.h"

#include <array>
#include <cstring>

namespace pabal::cli::bench {
namespace {

constexpr std::string_view kMark = "pabal-bench ";
constexpr std::size_t kRunOffset = 12;
constexpr std::size_t kProducerOffset = 21;
constexpr std::size_t kPriorityOffset = 26;

constexpr auto kPairs = [] {
  std::array<char, 512> pairs{};
  for (std::size_t i = 0; i < 256; ++i) {
    pairs[2 * i] = "0123456789abcdef"[i >> 4];
    pairs[2 * i + 1] = "0123456789abcdef"[i & 15];
  }
  return pairs;
}();

constexpr std::uint8_t kNoDigit = 0x80;
constexpr auto kDigits = [] {
  std::array<std::uint8_t, 256> digits{};
  for (auto& digit : digits) digit = kNoDigit;
  for (std::uint8_t i = 0; i < 16; ++i) {
    digits[static_cast<unsigned char>("0123456789abcdef"[i])] = i;
  }
  return digits;
}();

}  // namespace

void write_hex(char* out, std::uint64_t value, std::size_t digits) noexcept {
  for (std::size_t at = digits; at != 0; value >>= 8) {
    at -= 2;
    std::memcpy(out + at, &kPairs[2 * (value & 0xFF)], 2);
  }
}

bool read_hex(const char* text, std::size_t digits, std::uint64_t& value) noexcept {
  std::uint64_t result = 0;
  std::uint8_t seen = 0;
  for (std::size_t i = 0; i < digits; ++i) {
    const std::uint8_t digit = kDigits[static_cast<unsigned char>(text[i])];
    seen |= digit;
    result = result << 4 | digit;
  }
  value = result;
  return (seen & kNoDigit) == 0;
}

std::string make_body(const BodyId& id, std::size_t size) {
  std::string body(kMark);
  body.resize(kBodyIdSize, ' ');
  write_hex(&body[kRunOffset], id.run, 8);
  write_hex(&body[kProducerOffset], id.producer, 4);
  body[kPriorityOffset] = static_cast<char>('0' + id.priority);
  write_hex(&body[kSequenceOffset], id.sequence, kSequenceDigits);
  write_hex(&body[kTimeOffset], id.time, kTimeDigits);
  // Letters that do not repeat with any power of two, so that a shifted body shows.
  for (std::size_t i = kBodyIdSize; i < size; ++i) body += static_cast<char>('a' + i % 23);
  return body;
}

bool read_body(std::string_view body, BodyId& id) noexcept {
  if (body.size() < kBodyIdSize || !body.starts_with(kMark)) return false;
  std::uint64_t run = 0;
  std::uint64_t producer = 0;
  const char* const text = body.data();
  const char priority = text[kPriorityOffset];
  if (priority < '0' || priority > '9' || !read_hex(text + kRunOffset, 8, run) ||
      !read_hex(text + kProducerOffset, 4, producer) ||
      !read_hex(text + kSequenceOffset, kSequenceDigits, id.sequence) ||
      !read_hex(text + kTimeOffset, kTimeDigits, id.time)) {
    return false;
  }
  id.run = static_cast<std::uint32_t>(run);
  id.producer = static_cast<std::uint16_t>(producer);
  id.priority = static_cast<std::uint8_t>(priority - '0');
  return true;
}

}  // namespace pabal::cli::bench
