#include "protocols/stomp/text.h"

#include <array>

namespace pabal::stomp {
namespace {

/// Which versions must not write a byte as it is: bit per Version.
constexpr std::array<std::uint8_t, 256> make_special() {
  constexpr std::uint8_t k10 = 1, k11 = 2, k12 = 4;
  std::array<std::uint8_t, 256> special{};
  special['\n'] = k10 | k11 | k12;
  special['\0'] = k10 | k11 | k12;
  special['\\'] = k11 | k12;
  special[':'] = k11 | k12;
  special['\r'] = k12;
  return special;
}
constexpr auto kSpecial = make_special();

constexpr std::string_view kBinaryCorrelation = "ID:BINARY:";

constexpr int digit_of(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

void append_escaped(std::string& out, std::string_view text, Version version) {
  const auto bit = static_cast<std::uint8_t>(1U << static_cast<int>(version));
  std::size_t start = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if ((kSpecial[static_cast<unsigned char>(text[i])] & bit) == 0) continue;
    out.append(text.substr(start, i - start));
    start = i + 1;
    switch (text[i]) {
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case ':':
        out += "\\c";
        break;
      case '\\':
        out += "\\\\";
        break;
      default:
        break;  // NUL
    }
  }
  out.append(text.substr(start));
}

void append_binary_correlation(std::string& out, std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  out += kBinaryCorrelation;
  for (const char each : bytes) {
    const auto byte = static_cast<unsigned char>(each);
    out += kDigits[byte >> 4];
    out += kDigits[byte & 15];
  }
}

bool read_binary_correlation(std::string_view text, std::string& bytes) {
  if (!text.starts_with(kBinaryCorrelation)) return false;
  text.remove_prefix(kBinaryCorrelation.size());
  if (text.empty() || text.size() % 2 != 0) return false;
  bytes.clear();
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int high = digit_of(text[i]);
    const int low = digit_of(text[i + 1]);
    if (high < 0 || low < 0) return false;
    bytes += static_cast<char>(high * 16 + low);
  }
  return true;
}

}  // namespace pabal::stomp
