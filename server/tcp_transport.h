#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "server/transport.h"

namespace pabal::server {

/// Without the type-erased executor, so that an operation costs no virtual calls.
using TcpSocket =
    boost::asio::basic_stream_socket<boost::asio::ip::tcp, boost::asio::io_context::executor_type>;

/// No delay, kept alive: Linux gives every accepted socket what the listening one has.
void prepare_listening_socket(int descriptor);

/// Waits for the socket to be readable and only then reads, into the caller's buffer: a connection
/// that says nothing owns none.
class TcpTransport final : public Transport {
 public:
  explicit TcpTransport(TcpSocket socket) : socket_(std::move(socket)) {}

  void open(TransportOwner& owner) override { owner_ = &owner; }
  void wait_readable() override;
  [[nodiscard]] Protocol subprotocol() const noexcept override { return Protocol::automatic; }
  Read read(std::span<char> scratch) override;
  Written write(std::string_view bytes) override;
  void shutdown_write() override;
  void close() override;

 private:
  TcpSocket socket_;
  TransportOwner* owner_ = nullptr;
};

}  // namespace pabal::server
