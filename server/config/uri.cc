#include "server/config/uri.h"

#include <algorithm>

namespace pabal::server {
namespace {

int hex(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::optional<Uri> split_uri(std::string_view text) {
  Uri uri;
  const auto scheme_end = text.find(':');
  if (scheme_end == std::string_view::npos || scheme_end == 0) return std::nullopt;
  uri.scheme = text.substr(0, scheme_end);
  text.remove_prefix(scheme_end + 1);
  if (text.starts_with("//")) text.remove_prefix(2);
  const auto fragment = text.find('#');
  text = text.substr(0, fragment);
  const auto question = text.find('?');
  if (question != std::string_view::npos) uri.query = text.substr(question + 1);
  std::string_view authority = text.substr(0, question);
  authority = authority.substr(0, authority.find('/'));
  if (const auto at = authority.rfind('@'); at != std::string_view::npos) {
    authority.remove_prefix(at + 1);
    uri.has_user = true;
  }
  std::string_view rest = authority;
  if (authority.starts_with('[')) {
    const auto close = authority.find(']');
    if (close == std::string_view::npos) return std::nullopt;
    uri.host = authority.substr(1, close - 1);
    rest = authority.substr(close + 1);
    if (!rest.empty() && rest.front() != ':') return std::nullopt;
  } else {
    uri.host = authority.substr(0, authority.find(':'));
    rest.remove_prefix(uri.host.size());
  }
  if (!rest.empty()) uri.port = rest.substr(1);
  const auto plain = [](char c) { return static_cast<unsigned char>(c) > ' ' && c != 0x7F; };
  if (!std::all_of(uri.host.begin(), uri.host.end(), plain)) return std::nullopt;
  return uri;
}

std::string decode_percent(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool escape =
        text[i] == '%' && i + 2 < text.size() && hex(text[i + 1]) >= 0 && hex(text[i + 2]) >= 0;
    if (!escape) {
      decoded += text[i];
      continue;
    }
    decoded += static_cast<char>(hex(text[i + 1]) * 16 + hex(text[i + 2]));
    i += 2;
  }
  return decoded;
}

}  // namespace pabal::server
