#include "server/tcp_transport.h"

#include <cerrno>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <utility>

#include <boost/asio/error.hpp>

namespace pabal::server {
namespace {

constexpr int kKeepAliveIdleSeconds = 60;
constexpr int kKeepAliveIntervalSeconds = 15;

ErrorCode last_error() {
  return {errno, boost::system::system_category()};
}

void set_option(int socket, int level, int option, int value) {
  // Best effort: a socket without the option works, only worse.
  ::setsockopt(socket, level, option, &value, sizeof value);
}

}  // namespace

void prepare_listening_socket(int descriptor) {
  set_option(descriptor, IPPROTO_TCP, TCP_NODELAY, 1);
  // A peer that vanished without a word is found even when its protocol has no heart-beat.
  set_option(descriptor, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(descriptor, IPPROTO_TCP, TCP_KEEPIDLE, kKeepAliveIdleSeconds);
  set_option(descriptor, IPPROTO_TCP, TCP_KEEPINTVL, kKeepAliveIntervalSeconds);
}

void TcpTransport::wait_readable() {
  socket_.async_wait(TcpSocket::wait_read,
                     [owner = owner_->shared_from_this()](const ErrorCode& error) noexcept {
                       if (error != boost::asio::error::operation_aborted) owner->on_readable();
                     });
}

Transport::Read TcpTransport::read(std::span<char> scratch) {
  for (;;) {
    const auto count = ::recv(socket_.native_handle(), scratch.data(), scratch.size(), 0);
    if (count > 0) return {{scratch.data(), static_cast<std::size_t>(count)}, {}};
    if (count == 0) return {{}, boost::asio::error::eof};
    if (errno == EINTR) continue;
    if (errno == EAGAIN || errno == EWOULDBLOCK) return {};
    return {{}, last_error()};
  }
}

Transport::Written TcpTransport::write(std::string_view bytes) {
  std::size_t taken = 0;
  while (taken < bytes.size()) {
    const auto count =
        ::send(socket_.native_handle(), bytes.data() + taken, bytes.size() - taken, MSG_NOSIGNAL);
    if (count < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN && errno != EWOULDBLOCK) return {taken, last_error()};
      break;
    }
    taken += static_cast<std::size_t>(count);
    if (taken < bytes.size()) break;  // the socket's buffer is full
  }
  if (taken < bytes.size()) {
    socket_.async_wait(TcpSocket::wait_write,
                       [owner = owner_->shared_from_this()](const ErrorCode& error) noexcept {
                         if (error != boost::asio::error::operation_aborted) owner->on_writable(0);
                       });
  }
  return {taken, {}};
}

void TcpTransport::shutdown_write() {
  ErrorCode ignored;
  socket_.shutdown(TcpSocket::shutdown_send, ignored);
}

void TcpTransport::close() {
  ErrorCode ignored;
  socket_.close(ignored);
}

}  // namespace pabal::server
