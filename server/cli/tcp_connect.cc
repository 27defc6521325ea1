#include "server/cli/tcp_connect.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string>
#include <sys/socket.h>
#include <unistd.h>

namespace pabal::cli {
namespace {

using Clock = std::chrono::steady_clock;

int remaining(Clock::time_point deadline) {
  const auto left =
      std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, 1'000'000));
}

/// Connects without hanging longer than the deadline. Answers the socket, or -1 with errno.
int open_socket(const addrinfo& address, Clock::time_point deadline) {
  const int socket = ::socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (socket < 0) return -1;
  int error = 0;
  if (::connect(socket, address.ai_addr, address.ai_addrlen) != 0) {
    error = errno;
    if (error == EINPROGRESS) {
      pollfd waiting{socket, POLLOUT, 0};
      socklen_t size = sizeof error;
      if (::poll(&waiting, 1, remaining(deadline)) <= 0) {
        error = ETIMEDOUT;
      } else {
        ::getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &size);
      }
    }
  }
  if (error != 0) {
    ::close(socket);
    errno = error;
    return -1;
  }
  const int on = 1;
  ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return socket;
}

}  // namespace

Outcome<int> tcp_connect(const Endpoint& endpoint, Clock::time_point deadline) {
  const std::string peer = endpoint.host + ":" + std::to_string(endpoint.port);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int error = ::getaddrinfo(endpoint.host.c_str(), std::to_string(endpoint.port).c_str(),
                                      &hints, &found);
      error != 0) {
    return Failure{ExitCode::unreachable,
                   "cannot look up '" + endpoint.host + "': " + ::gai_strerror(error)};
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> addresses(found, &::freeaddrinfo);
  int socket = -1;
  for (const addrinfo* address = found; address != nullptr && socket < 0;
       address = address->ai_next) {
    socket = open_socket(*address, deadline);
  }
  if (socket < 0) {
    return Failure{errno == ETIMEDOUT ? ExitCode::timed_out : ExitCode::unreachable,
                   "cannot connect to " + peer + ": " + std::strerror(errno) +
                       "; is the broker running there? --url names another one"};
  }
  return socket;
}

}  // namespace pabal::cli
