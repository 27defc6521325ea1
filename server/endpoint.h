#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "core/ids.h"
#include "protocols/session.h"
#include "server/config/config.h"

namespace pabal::server {

/// Open sockets of the whole broker, those that were never connected included.
struct ConnectionBudget {
  std::uint32_t connections_max = 0;  ///< 0: no limit
  std::atomic<std::uint32_t> open{0};
};

/// What a listener gives to its connections. Outlives them. Counters, limits (which a reload may
/// change) and make_session: any thread; the rest is constant once the loops run.
struct Endpoint {
  std::string name;    ///< of the listener, for logs and metrics
  std::string scheme;  ///< "tcp" or "ws": how Endpoint's peers are written
  Protocol protocol = Protocol::stomp;
  std::atomic<std::uint32_t> connections_max{0};  ///< 0: no limit of its own
  std::atomic<core::milliseconds> connect_timeout{core::milliseconds(30'000)};  ///< 0: never
  std::atomic<std::size_t> message_bytes_max{0};  ///< WebSocket, STOMP: longest message
  /// Of what its connection speaks: `protocol`, or what was detected.
  std::function<std::unique_ptr<protocols::Session>(Protocol, const protocols::PeerInfo&)>
      make_session;
  ConnectionBudget* budget = nullptr;
  /// A connection of it has closed; on its loop. Empty: nobody wants to know.
  std::function<void()> on_closed;

  std::atomic<std::uint32_t> open{0};
  std::atomic<std::uint64_t> accepted{0};
  std::atomic<std::uint64_t> refused{0};
};

}  // namespace pabal::server
