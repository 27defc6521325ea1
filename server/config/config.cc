#include "server/config/config.h"

namespace pabal::server {

std::string SourceLocation::to_text() const {
  std::string text = file;
  if (line != 0) text += ':' + std::to_string(line) + ':' + std::to_string(column);
  return text;
}

std::string_view to_string(Protocol protocol) noexcept {
  switch (protocol) {
    case Protocol::automatic:
      return "auto";
    case Protocol::openwire:
      return "openwire";
    case Protocol::stomp:
      return "stomp";
    case Protocol::websocket:
      return "ws";
    case Protocol::mqtt:
      return "mqtt";
    case Protocol::amqp:
      return "amqp";
    case Protocol::other:
      return "other";
  }
  PABAL_UNREACHABLE();
}

std::string_view to_string(Severity severity) noexcept {
  switch (severity) {
    case Severity::note:
      return "note";
    case Severity::warning:
      return "warning";
    case Severity::guard:
      return "guard";
    case Severity::error:
      return "error";
  }
  PABAL_UNREACHABLE();
}

std::string Finding::to_text() const {
  std::string text = location.to_text();
  if (!text.empty()) text += ": ";
  text += to_string(severity);
  text += ": ";
  if (!path.empty()) text += path + ": ";
  return text + this->text;
}

}  // namespace pabal::server
