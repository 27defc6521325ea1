#pragma once

#include <cstdint>
#include <memory>

#include "core/result.h"
#include "server/config/config.h"
#include "server/engine_gate.h"
#include "server/logger.h"
#include "server/status_report.h"

namespace pabal::server {

/// The management pages /health, /metrics and /api/status, and the API (api.h), on threads of Poco's
/// HTTP server. Every request is bounded in size, time and number.
class HttpEndpoint {
 public:
  /// `source`, `gate` and `logger` outlive it.
  HttpEndpoint(StatusSource& source, EngineGate& gate, Logger& logger);
  ~HttpEndpoint();
  HttpEndpoint(const HttpEndpoint&) = delete;
  HttpEndpoint& operator=(const HttpEndpoint&) = delete;

  /// Binds and listens; nothing is answered yet. Errors: invalid_argument, with the place in the
  /// configuration and the system's reason.
  core::Result<void> open(const HttpSettings& settings);
  [[nodiscard]] std::uint16_t port() const noexcept;
  void start();
  /// Waits for requests that are being answered. Idempotent.
  void stop();

 private:
  class Server;
  StatusSource& source_;
  EngineGate& gate_;
  Logger& logger_;
  std::unique_ptr<Server> server_;
};

}  // namespace pabal::server
