#include "protocols/content/binary_correlation.h"

namespace pabal::content {
namespace {

constexpr std::string_view kBinaryCorrelation = "ID:BINARY:";

constexpr int digit_of(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

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

}  // namespace pabal::content
