#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/ip/basic_resolver.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "protocols/mqtt/bridge.h"
#include "server/back_off.h"
#include "server/config/config.h"
#include "server/endpoint.h"
#include "server/event_loop.h"
#include "server/logger.h"
#include "server/tcp_transport.h"

namespace pabal::server {

/// The options of a bridge's sessions. `broker_id`: of this broker; `client_id`: if the
/// configuration gives none.
mqtt::BridgeOptions bridge_options(const BridgeConfig& config, const core::EngineLimits& limits,
                                   std::string broker_id, std::string client_id);

/// Keeps one bridge connected: connects, hands the socket to the loop, and when that connection has
/// closed, or could not be had, tries again after a delay that grows. What it forwards is the
/// business of its sessions (protocols/mqtt/bridge.h).
///
///   connecting ──▶ connected ──▶ resting ──▶ connecting …
///
/// Threads: set_…() and start(): any, before the loop knows of it; status(), options(), remote():
/// any; the rest on the loop. Outlives the loop's connections. Its destructor may wait for a name
/// to be looked up, which cannot be interrupted: the store is closed before.
class Bridge {
 public:
  Bridge(const BridgeConfig& config, mqtt::BridgeOptions options, EventLoop& loop, Logger& logger);
  Bridge(const Bridge&) = delete;
  Bridge& operator=(const Bridge&) = delete;

  /// Whether the session at the other broker is known to be this one's (BridgeCourse::resumes).
  void set_resumes(bool resumes) noexcept { course_.resumes = resumes; }
  /// How many messages wait; asked outside the engine, for the log.
  void set_waiting(std::function<std::uint64_t()> waiting) { waiting_ = std::move(waiting); }
  void start();
  /// Connects no more. On the loop; the connection that is there is drained with the others.
  void close();

  [[nodiscard]] const mqtt::BridgeOptions& options() const noexcept { return options_; }
  [[nodiscard]] const mqtt::BridgeStatus& status() const noexcept { return status_; }

 private:
  using Executor = boost::asio::io_context::executor_type;
  using Timer = boost::asio::basic_waitable_timer<
      std::chrono::steady_clock, boost::asio::wait_traits<std::chrono::steady_clock>, Executor>;
  using Resolver = boost::asio::ip::basic_resolver<boost::asio::ip::tcp, Executor>;
  using Addresses = std::vector<boost::asio::ip::tcp::endpoint>;

  void resolve();
  void connect(const Addresses& addresses, std::size_t next);
  void attempted(const Addresses& addresses, std::size_t next, const ErrorCode& error);
  void adopt();
  void failed(const std::string& why);
  void closed();
  void rest();
  void warn_of_absence();

  const BridgeConfig config_;
  const mqtt::BridgeOptions options_;
  EventLoop& loop_;
  Logger& logger_;
  std::function<std::uint64_t()> waiting_;
  mqtt::BridgeStatus status_;
  mqtt::BridgeCourse course_;
  ConnectionBudget budget_;  // without a limit: it is not for clients
  Endpoint endpoint_;
  Resolver resolver_;
  TcpSocket socket_;
  Timer timer_;  // of the attempt, or of the rest
  BackOff back_off_;
  bool out_of_time_ = false;  // the attempt
  SteadyTime connected_at_{};
  SteadyTime warned_at_{};
  bool closing_ = false;
};

/// "mqtt://host:port".
std::string bridge_remote(const BridgeConfig& config);

}  // namespace pabal::server
