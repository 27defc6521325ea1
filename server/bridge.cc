#include "server/bridge.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <boost/asio/post.hpp>

#include "server/clock.h"

namespace pabal::server {
namespace {

using boost::asio::ip::tcp;
using core::milliseconds;

constexpr milliseconds kAttemptPatience{10'000};

mqtt::BridgeRoute route_of(const BridgeRouteConfig& config) {
  mqtt::BridgeRoute route;
  route.filter = config.topic;
  route.qos = static_cast<mqtt::QoS>(config.qos);
  route.local_prefix = config.local_prefix;
  route.remote_prefix = config.remote_prefix;
  return route;
}

}  // namespace

mqtt::BridgeOptions bridge_options(const BridgeConfig& config, std::string broker_id,
                                   std::string client_id) {
  mqtt::BridgeOptions options;
  options.name = config.name;
  options.broker_id = std::move(broker_id);
  options.client_id = config.client_id.empty() ? std::move(client_id) : config.client_id;
  options.level = config.version_5 ? mqtt::Level::v5 : mqtt::Level::v3_1_1;
  options.user_name = config.user_name;
  options.password = config.password;
  options.keep_alive = config.keep_alive;
  options.in_flight_max = config.in_flight_max;
  for (const auto& each : config.out) options.out.push_back(route_of(each));
  for (const auto& each : config.in) options.in.push_back(route_of(each));
  return options;
}

Bridge::Bridge(const BridgeConfig& config, mqtt::BridgeOptions options, EventLoop& loop,
               Logger& logger)
    : config_(config),
      options_(std::move(options)),
      loop_(loop),
      logger_(logger),
      resolver_(loop.context()),
      socket_(loop.context()),
      timer_(loop.context()),
      delay_(config.initial_reconnect_delay) {
  endpoint_.name = "bridge " + config.name;
  endpoint_.scheme = "mqtt";
  endpoint_.protocol = Protocol::mqtt;
  endpoint_.budget = &budget_;
  endpoint_.make_session = [this](Protocol, const protocols::PeerInfo& peer) {
    return mqtt::make_bridge_session(options_, status_, peer, wall_now);
  };
  endpoint_.on_closed = [this] { closed(); };
}

std::string Bridge::remote() const {
  const bool is_v6 = config_.host.find(':') != std::string::npos;
  return "mqtt://" + (is_v6 ? '[' + config_.host + ']' : config_.host) + ':' +
         std::to_string(config_.port);
}

void Bridge::start() {
  boost::asio::post(loop_.context(), [this] { resolve(); });
}

void Bridge::close() {
  closing_ = true;
  ErrorCode ignored;
  socket_.close(ignored);
  resolver_.cancel();
  timer_.cancel();
}

// --- one attempt ---------------------------------------------------------------------------------

void Bridge::resolve() {
  if (closing_) return;
  ErrorCode not_numeric;
  const auto address = boost::asio::ip::make_address(config_.host, not_numeric);
  if (!not_numeric) return connect({tcp::endpoint(address, config_.port)}, 0);
  resolver_.async_resolve(
      config_.host, std::to_string(config_.port), Resolver::numeric_service,
      [this](const ErrorCode& error, const Resolver::results_type& found) noexcept {
        if (closing_) return;
        if (error || found.empty()) {
          return failed("cannot find " + config_.host + ": " + error.message());
        }
        connect({found.begin(), found.end()}, 0);
      });
}

void Bridge::connect(const std::vector<tcp::endpoint>& addresses, std::size_t next) {
  ErrorCode ignored;
  socket_.close(ignored);
  timer_.expires_after(kAttemptPatience);
  timer_.async_wait([this](const ErrorCode& cancelled) noexcept {
    ErrorCode none;
    if (!cancelled) socket_.close(none);  // the attempt ends with that
  });
  socket_.async_connect(addresses[next], [this, addresses, next](const ErrorCode& error) noexcept {
    timer_.cancel();
    if (closing_) return;
    ErrorCode gone;
    const auto here = socket_.local_endpoint(gone);
    // A free port of this machine can be given to the very socket that looks for who listens there.
    const bool is_self = !error && !gone && here == addresses[next];
    if (!error && !gone && !is_self) return connected();
    if (next + 1 < addresses.size()) return connect(addresses, next + 1);
    failed(is_self ? "nobody listens there" : (error ? error : gone).message());
  });
}

void Bridge::connected() {
  connected_at_ = steady_now();
  // An accepted socket has these from the one that listens; this one has nobody to get them from.
  prepare_listening_socket(socket_.native_handle());
  ErrorCode ignored;
  socket_.non_blocking(true, ignored);
  loop_.adopt(endpoint_, std::make_unique<TcpTransport>(std::move(socket_)), remote());
  socket_ = TcpSocket(loop_.context());
}

// --- and the next --------------------------------------------------------------------------------

void Bridge::failed(const std::string& why) {
  status_.set_error(why);
  rest();
}

void Bridge::closed() {
  status_.connected = false;
  if (closing_) return;
  if (status_.error().empty()) status_.set_error("it closed the connection");
  // One that holds is a new beginning; one that ends at once is an attempt in vain.
  if (steady_now() - connected_at_ >= delay_) delay_ = config_.initial_reconnect_delay;
  rest();
}

void Bridge::rest() {
  logger_.peer_fault("bridge", "the other broker cannot be had for the moment",
                     {{"bridge", config_.name},
                      {"remote", remote()},
                      {"because", status_.error()},
                      {"again_in_ms", delay_.count()}});
  timer_.expires_after(delay_);
  timer_.async_wait([this](const ErrorCode& cancelled) noexcept {
    if (!cancelled) resolve();
  });
  if (!config_.use_exponential_back_off) return;
  const double longer = static_cast<double>(delay_.count()) * config_.back_off_multiplier;
  const auto most = std::max(config_.max_reconnect_delay, config_.initial_reconnect_delay);
  delay_ = longer >= static_cast<double>(most.count())
               ? most
               : milliseconds(static_cast<std::int64_t>(longer));
}

}  // namespace pabal::server
