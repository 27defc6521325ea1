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

}  // namespace pabal::stomp
