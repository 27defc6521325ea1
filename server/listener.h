#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "core/result.h"
#include "server/config/config.h"
#include "server/endpoint.h"
#include "server/event_loop.h"
#include "server/logger.h"
#include "server/tcp_transport.h"

namespace pabal::server {

/// One listening port. It accepts on the first loop and gives connections to the loops in turn.
/// Threads: open() and start() before or while the loops run; the rest on the first loop.
class Listener {
 public:
  Listener(Endpoint& endpoint, std::vector<EventLoop*> loops, Logger& logger);

  /// Binds and listens; nothing is accepted yet. Errors: invalid_argument, with the place in the
  /// configuration and the system's reason.
  core::Result<void> open(const ListenerConfig& config, std::uint32_t backlog);
  /// The port that it has; after open().
  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
  [[nodiscard]] const Endpoint& endpoint() const noexcept { return endpoint_; }

  /// Begins to accept.
  void start();
  /// Accepts no more. On the first loop; what was accepted stays.
  void close();

 private:
  using Acceptor = boost::asio::basic_socket_acceptor<boost::asio::ip::tcp,
                                                      boost::asio::io_context::executor_type>;
  using Timer =
      boost::asio::basic_waitable_timer<std::chrono::steady_clock,
                                        boost::asio::wait_traits<std::chrono::steady_clock>,
                                        boost::asio::io_context::executor_type>;
  void accept_next();
  void accepted(const ErrorCode& error, TcpSocket socket, EventLoop& loop);
  void pause_after(const ErrorCode& error);

  Endpoint& endpoint_;
  std::vector<EventLoop*> loops_;
  Logger& logger_;
  Acceptor acceptor_;
  boost::asio::ip::tcp::endpoint peer_;  // of the connection that is accepted next
  Timer pause_;
  std::uint16_t port_ = 0;
  std::size_t next_loop_ = 0;
};

}  // namespace pabal::server
