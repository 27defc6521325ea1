#include "server/listener.h"

#include <utility>

#include "server/websocket_transport.h"

namespace pabal::server {
namespace {

using boost::asio::ip::tcp;

/// How long accepting rests when the system has no descriptor or memory left.
constexpr core::milliseconds kAcceptPause{100};

core::Error bind_error(const ListenerConfig& config, const std::string& reason) {
  std::string where = config.location.line != 0 ? config.location.to_text() + ": " : "";
  return {core::Errc::invalid_argument, where + "listener " + config.name + ": cannot listen on " +
                                            config.host + ":" + std::to_string(config.port) + ": " +
                                            reason};
}

std::string remote_text(const std::string& scheme, const tcp::endpoint& peer) {
  const auto address = peer.address();
  const std::string host = address.is_v6() ? "[" + address.to_string() + "]" : address.to_string();
  return scheme + "://" + host + ":" + std::to_string(peer.port());
}

}  // namespace

Listener::Listener(Endpoint& endpoint, std::vector<EventLoop*> loops, Logger& logger)
    : endpoint_(endpoint),
      loops_(std::move(loops)),
      logger_(logger),
      acceptor_(loops_.front()->context()),
      pause_(loops_.front()->context()) {}

core::Result<void> Listener::open(const ListenerConfig& config, std::uint32_t backlog) {
  ErrorCode error;
  tcp::resolver resolver(loops_.front()->context());
  const auto found =
      resolver.resolve(config.host, std::to_string(config.port),
                       tcp::resolver::passive | tcp::resolver::numeric_service, error);
  if (error || found.empty()) return bind_error(config, error.message());
  const tcp::endpoint address = found.begin()->endpoint();
  acceptor_.open(address.protocol(), error);
  if (!error) acceptor_.set_option(Acceptor::reuse_address(true), error);
  if (!error) prepare_listening_socket(acceptor_.native_handle());
  if (!error) acceptor_.bind(address, error);
  if (!error) acceptor_.listen(static_cast<int>(backlog), error);
  if (error) {
    ErrorCode ignored;
    acceptor_.close(ignored);
    return bind_error(config, error.message());
  }
  port_ = acceptor_.local_endpoint(error).port();
  return {};
}

void Listener::start() {
  boost::asio::post(loops_.front()->context(), [this] { accept_next(); });
}

void Listener::close() {
  ErrorCode ignored;
  acceptor_.close(ignored);
  pause_.cancel();
}

void Listener::accept_next() {
  if (!acceptor_.is_open()) return;
  EventLoop& loop = *loops_[next_loop_];
  next_loop_ = (next_loop_ + 1) % loops_.size();
  acceptor_.async_accept(loop.context(), peer_,
                         [this, &loop](const ErrorCode& error, TcpSocket socket) noexcept {
                           accepted(error, std::move(socket), loop);
                         });
}

void Listener::accepted(const ErrorCode& error, TcpSocket socket, EventLoop& loop) {
  if (error == boost::asio::error::operation_aborted) return;
  if (error) {
    pause_after(error);
    return;
  }
  ErrorCode ignored;
  socket.non_blocking(true, ignored);
  std::string remote = remote_text(endpoint_.scheme, peer_);
  auto adopt = [&loop, &endpoint = endpoint_, socket = std::move(socket),
                remote = std::move(remote)]() mutable {
    std::unique_ptr<Transport> transport;
    if (endpoint.protocol == Protocol::websocket) {
      transport = make_websocket_transport(std::move(socket), endpoint, loop.logger());
    } else {
      transport = std::make_unique<TcpTransport>(std::move(socket));
    }
    loop.adopt(endpoint, std::move(transport), std::move(remote));
  };
  if (&loop == loops_.front()) {
    adopt();
  } else {
    boost::asio::post(loop.context(), std::move(adopt));
  }
  accept_next();
}

void Listener::pause_after(const ErrorCode& error) {
  // A peer that left again before it was accepted is no reason to rest; no descriptors left is.
  if (error == boost::asio::error::connection_aborted) {
    accept_next();
    return;
  }
  logger_.peer_fault("listener", "cannot accept for the moment",
                     {{"listener", endpoint_.name}, {"error", error.message()}});
  pause_.expires_after(kAcceptPause);
  pause_.async_wait([this](const ErrorCode& cancelled) noexcept {
    if (!cancelled) accept_next();
  });
}

}  // namespace pabal::server
