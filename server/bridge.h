#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/ip/basic_resolver.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "protocols/mqtt/bridge.h"
#include "server/config/config.h"
#include "server/endpoint.h"
#include "server/event_loop.h"
#include "server/logger.h"
#include "server/tcp_transport.h"

namespace pabal::server {

/// The options of a bridge's sessions. `broker_id`: of this broker; `client_id`: if the
/// configuration gives none.
mqtt::BridgeOptions bridge_options(const BridgeConfig& config, std::string broker_id,
                                   std::string client_id);

/// Keeps one bridge connected: connects, hands the socket to the loop, and when that connection has
/// closed, or could not be had, tries again after a delay that grows. What it forwards is the
/// business of its sessions (protocols/mqtt/bridge.h).
///
///   connecting ──▶ connected ──▶ resting ──▶ connecting …
///
/// Threads: start(): any, the loop runs; status(): any; the rest on the loop. Outlives the loop's
/// connections.
class Bridge {
 public:
  Bridge(const BridgeConfig& config, mqtt::BridgeOptions options, EventLoop& loop, Logger& logger);
  Bridge(const Bridge&) = delete;
  Bridge& operator=(const Bridge&) = delete;

  void start();
  /// Connects no more. On the loop; the connection that is there is drained with the others.
  void close();

  [[nodiscard]] const mqtt::BridgeOptions& options() const noexcept { return options_; }
  [[nodiscard]] const mqtt::BridgeStatus& status() const noexcept { return status_; }
  /// "mqtt://host:port".
  [[nodiscard]] std::string remote() const;

 private:
  using Executor = boost::asio::io_context::executor_type;
  using Timer = boost::asio::basic_waitable_timer<
      std::chrono::steady_clock, boost::asio::wait_traits<std::chrono::steady_clock>, Executor>;
  using Resolver = boost::asio::ip::basic_resolver<boost::asio::ip::tcp, Executor>;

  void resolve();
  void connect(const std::vector<boost::asio::ip::tcp::endpoint>& addresses, std::size_t next);
  void connected();
  void failed(const std::string& why);
  void closed();
  void rest();

  const BridgeConfig config_;
  const mqtt::BridgeOptions options_;
  EventLoop& loop_;
  Logger& logger_;
  mqtt::BridgeStatus status_;
  ConnectionBudget budget_;  // without a limit: it is not for clients
  Endpoint endpoint_;
  Resolver resolver_;
  TcpSocket socket_;
  Timer timer_;  // of the attempt, or of the rest
  core::milliseconds delay_;
  SteadyTime connected_at_{};
  bool closing_ = false;
};

}  // namespace pabal::server
