#include "server/http_socket.h"

#include <cerrno>
#include <chrono>
#include <optional>
#include <sys/socket.h>
#include <thread>

#include <Poco/Exception.h>
#include <Poco/Net/NetException.h>
#include <Poco/Net/ServerSocketImpl.h>
#include <Poco/Net/StreamSocketImpl.h>

namespace pabal::server {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kBacklog = 64;
constexpr std::chrono::milliseconds kAcceptPause{100};

/// Throws Poco::TimeoutException if `deadline` has passed.
Poco::Timespan time_until(Clock::time_point deadline) {
  const auto left =
      std::chrono::duration_cast<std::chrono::microseconds>(deadline - Clock::now()).count();
  if (left <= 0) throw Poco::TimeoutException("too slow");
  return {static_cast<Poco::Timespan::TimeDiff>(left)};
}

class LimitedSocketImpl final : public Poco::Net::StreamSocketImpl {
 public:
  LimitedSocketImpl(poco_socket_t descriptor, const HttpSocketLimits& limits)
      : StreamSocketImpl(descriptor),
        limits_(limits),
        request_deadline_(Clock::now() + limits.request_time) {}

  using StreamSocketImpl::receiveBytes;
  using StreamSocketImpl::sendBytes;

  int receiveBytes(void* buffer, int length, int flags) override {
    if (received_ >= limits_.request_bytes_max) {
      throw Poco::Net::MessageException("the request is too large");
    }
    const auto room = limits_.request_bytes_max - received_;
    if (static_cast<std::uint64_t>(length) > room) length = static_cast<int>(room);
    if (!poll(time_until(request_deadline_), SELECT_READ)) throw Poco::TimeoutException("too slow");
    const int count = StreamSocketImpl::receiveBytes(buffer, length, flags);
    if (count > 0) received_ += static_cast<std::uint64_t>(count);
    return count;
  }

  int sendBytes(const void* buffer, int length, int flags) override {
    if (!answer_deadline_) answer_deadline_ = Clock::now() + limits_.answer_time;
    int sent = 0;
    while (sent < length) {
      if (!poll(time_until(*answer_deadline_), SELECT_WRITE)) {
        throw Poco::TimeoutException("too slow");
      }
      const int count = SocketImpl::sendBytes(static_cast<const char*>(buffer) + sent,
                                              length - sent, flags | MSG_DONTWAIT);
      if (count > 0) sent += count;
    }
    return sent;
  }

 private:
  const HttpSocketLimits limits_;
  const Clock::time_point request_deadline_;
  std::optional<Clock::time_point> answer_deadline_;
  std::uint64_t received_ = 0;
};

class LimitingServerSocketImpl final : public Poco::Net::ServerSocketImpl {
 public:
  explicit LimitingServerSocketImpl(const HttpSocketLimits& limits) : limits_(limits) {}

  Poco::Net::SocketImpl* acceptConnection(Poco::Net::SocketAddress& peer) override {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    auto* raw = reinterpret_cast<sockaddr*>(&address);
    const int descriptor = ::accept4(sockfd(), raw, &size, SOCK_CLOEXEC);
    if (descriptor < 0) {
      const int reason = errno;
      // Poco's loop finds the socket readable and comes back at once.
      if (reason == EMFILE || reason == ENFILE || reason == ENOMEM || reason == ENOBUFS) {
        std::this_thread::sleep_for(kAcceptPause);
      }
      error(reason);
    }
    peer = Poco::Net::SocketAddress(raw, size);
    return new LimitedSocketImpl(descriptor, limits_);  // Poco counts references
  }

 private:
  const HttpSocketLimits limits_;
};

}  // namespace

HttpServerSocket::HttpServerSocket(const Poco::Net::SocketAddress& address,
                                   const HttpSocketLimits& limits)
    : ServerSocket(new LimitingServerSocketImpl(limits), true) {
  impl()->bind(address, true);
  impl()->listen(kBacklog);
}

}  // namespace pabal::server
