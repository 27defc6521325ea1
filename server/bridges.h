#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/result.h"
#include "server/bridge.h"
#include "server/engine_gate.h"
#include "server/status_report.h"

namespace pabal::server {

/// All bridges of the broker. Thread: the one that made it; report() also management's; close() on
/// the loop.
class Bridges {
 public:
  explicit Bridges(Logger& logger) : logger_(logger) {}

  /// Sessions and subscriptions of the bridges: what is to be forwarded gathers from here on.
  /// Before the loop runs. Errors: those of mqtt::prepare_bridge(), with their place in the file.
  core::Result<void> make(const Config& config, const std::string& broker_name, EngineGate& gate,
                          EventLoop& loop);
  void start();
  void close();
  void clear() noexcept { bridges_.clear(); }

  /// Of this broker, in what its bridges forward; empty: it has none. Constant once the loops run.
  [[nodiscard]] const std::string& broker_id() const noexcept { return broker_id_; }
  /// Those of the configuration in their order, then those that are no more and still gather.
  [[nodiscard]] std::vector<BridgeReport> report(EngineGate& gate) const;

 private:
  core::Result<void> make_one(const BridgeConfig& config, const core::EngineLimits& limits,
                              std::string client_id, EngineGate& gate, EventLoop& loop);
  void warn_of_left_over(const Config& config, EngineGate& gate);

  Logger& logger_;
  std::string broker_id_;
  std::vector<std::unique_ptr<Bridge>> bridges_;
};

}  // namespace pabal::server
