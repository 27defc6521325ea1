#pragma once

#include <chrono>
#include <cstdint>

#include <Poco/Net/ServerSocket.h>
#include <Poco/Net/SocketAddress.h>

namespace pabal::server {

/// What one connection of the management pages may take. It serves one request.
struct HttpSocketLimits {
  std::chrono::milliseconds request_time{10'000};  ///< from accepting to the last byte of a request
  std::chrono::milliseconds answer_time{10'000};  ///< from the first to the last byte of the answer
  std::uint64_t request_bytes_max = 1 << 20;
};

/// A listening socket whose connections keep to the limits: Poco's own timeout is one for each
/// read, so that a peer with a byte now and then could have a thread for ever. When no descriptor
/// is left it rests, where Poco would ask again at once. Throws Poco::Exception if it cannot be
/// bound.
class HttpServerSocket final : public Poco::Net::ServerSocket {
 public:
  HttpServerSocket(const Poco::Net::SocketAddress& address, const HttpSocketLimits& limits);
};

}  // namespace pabal::server
