#include "server/protocol_detector.h"

#include <algorithm>

namespace pabal::server {
namespace {

enum class Match : std::uint8_t { no, partly, yes };

/// Whether `bytes` begins with `word`, or is the beginning of it.
Match begins(std::string_view bytes, std::string_view word) {
  const auto common = std::min(bytes.size(), word.size());
  if (bytes.substr(0, common) != word.substr(0, common)) return Match::no;
  return common == word.size() ? Match::yes : Match::partly;
}

/// The pattern with any byte where it has '?'.
Match begins_like(std::string_view bytes, std::string_view pattern) {
  const auto common = std::min(bytes.size(), pattern.size());
  for (std::size_t i = 0; i < common; ++i) {
    if (pattern[i] != '?' && pattern[i] != bytes[i]) return Match::no;
  }
  return common == pattern.size() ? Match::yes : Match::partly;
}

}  // namespace

std::string_view to_string(Detected detected) noexcept {
  switch (detected) {
    case Detected::undecided:
      return "undecided";
    case Detected::stomp:
      return "STOMP";
    case Detected::openwire:
      return "OpenWire";
    case Detected::mqtt:
      return "MQTT";
    case Detected::amqp:
      return "AMQP";
    case Detected::tls:
      return "TLS";
    case Detected::http:
      return "HTTP";
    case Detected::unknown:
      return "unknown";
  }
  return "?";
}

Detected detect(std::string_view bytes) noexcept {
  using namespace std::string_view_literals;
  const auto start = bytes.find_first_not_of("\r\n");
  if (start == std::string_view::npos) return Detected::undecided;
  const std::string_view text = bytes.substr(start);

  struct Candidate {
    Detected detected;
    Match match;
  };
  const Candidate candidates[] = {
      {Detected::stomp, begins(text, "CONNECT\n")},
      {Detected::stomp, begins(text, "CONNECT\r")},
      {Detected::stomp, begins(text, "STOMP\n")},
      {Detected::stomp, begins(text, "STOMP\r")},
      {Detected::openwire, begins_like(bytes,
                                       "????\x01"sv
                                       "ActiveMQ")},
      {Detected::mqtt, begins_like(bytes, "\x10?\0\x04MQTT"sv)},
      {Detected::mqtt, begins_like(bytes, "\x10??\0\x04MQTT"sv)},
      {Detected::mqtt, begins_like(bytes, "\x10???\0\x04MQTT"sv)},  // a will of more than 16 KB
      {Detected::mqtt, begins_like(bytes, "\x10?\0\x06MQIsdp"sv)},
      {Detected::mqtt, begins_like(bytes, "\x10??\0\x06MQIsdp"sv)},
      {Detected::mqtt, begins_like(bytes, "\x10???\0\x06MQIsdp"sv)},
      {Detected::amqp, begins(bytes, "AMQP")},
      {Detected::tls, begins_like(bytes, "\x16\x03?"sv)},
      {Detected::http, begins(bytes, "GET ")},
      {Detected::http, begins(bytes, "POST ")},
  };
  bool partly = false;
  for (const auto& [detected, match] : candidates) {
    if (match == Match::yes) return detected;
    partly = partly || match == Match::partly;
  }
  return partly && text.size() < kDetectBytesMax ? Detected::undecided : Detected::unknown;
}

}  // namespace pabal::server
