#include "core/xa.h"

#include <charconv>

namespace pabal::core {
namespace {

constexpr std::string_view kDigits = "0123456789abcdef";

void append_hex(std::string& out, std::string_view bytes) {
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    out += kDigits[byte >> 4];
    out += kDigits[byte & 15];
  }
}

int digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool parse_hex(std::string_view text, std::string& bytes) {
  if (text.size() % 2 != 0 || text.size() > 2 * kXidPartBytesMax) return false;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int high = digit(text[i]);
    const int low = digit(text[i + 1]);
    if (high < 0 || low < 0) return false;
    bytes += static_cast<char>(high * 16 + low);
  }
  return true;
}

}  // namespace

std::string Xid::to_text() const {
  std::string text = std::to_string(format);
  text += ':';
  append_hex(text, global);
  text += ':';
  append_hex(text, branch);
  return text;
}

Result<Xid> Xid::parse(std::string_view text) {
  const Error wrong{Errc::invalid_argument,
                    "not an XID: expected <format>:<global, hex>:<branch, hex>, each part at most "
                    "64 bytes and the global one not empty"};
  const auto first = text.find(':');
  if (first == std::string_view::npos) return wrong;
  const auto second = text.find(':', first + 1);
  if (second == std::string_view::npos) return wrong;
  Xid xid;
  const auto number = text.substr(0, first);
  const auto [end, error] =
      std::from_chars(number.data(), number.data() + number.size(), xid.format);
  if (error != std::errc() || end != number.data() + number.size()) return wrong;
  if (xid.format == -1) return wrong;
  if (!parse_hex(text.substr(first + 1, second - first - 1), xid.global)) return wrong;
  if (!parse_hex(text.substr(second + 1), xid.branch) || xid.global.empty()) return wrong;
  return xid;
}

std::string_view to_string(XaCode code) noexcept {
  switch (code) {
    case XaCode::ok:
      return "XA_OK";
    case XaCode::read_only:
      return "XA_RDONLY";
    case XaCode::heuristically_rolled_back:
      return "XA_HEURRB";
    case XaCode::heuristically_committed:
      return "XA_HEURCOM";
    case XaCode::rolled_back:
      return "XA_RBROLLBACK";
    case XaCode::resource_error:
      return "XAER_RMERR";
    case XaCode::unknown:
      return "XAER_NOTA";
    case XaCode::invalid:
      return "XAER_INVAL";
    case XaCode::protocol:
      return "XAER_PROTO";
    case XaCode::unavailable:
      return "XAER_RMFAIL";
    case XaCode::duplicate:
      return "XAER_DUPID";
  }
  PABAL_UNREACHABLE();
}

std::string_view to_string(BranchState state) noexcept {
  switch (state) {
    case BranchState::active:
      return "active";
    case BranchState::prepared:
      return "prepared";
    case BranchState::committing:
      return "committing";
    case BranchState::heuristically_committed:
      return "heuristically committed";
    case BranchState::heuristically_rolled_back:
      return "heuristically rolled back";
    case BranchState::unreadable:
      return "unreadable";
  }
  PABAL_UNREACHABLE();
}

}  // namespace pabal::core
