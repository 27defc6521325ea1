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
/// A connection that held for so long was a success.
constexpr milliseconds kHolds{10'000};
/// Between two warnings that the other broker is away, and before the first.
constexpr std::chrono::minutes kAbsence{60};

mqtt::BridgeRoute route_of(const BridgeRouteConfig& config) {
  mqtt::BridgeRoute route;
  route.filter = config.topic;
  route.qos = static_cast<mqtt::QoS>(config.qos);
  route.local_prefix = config.local_prefix;
  route.remote_prefix = config.remote_prefix;
  return route;
}

BackOff::Options back_off_options(const BridgeConfig& config, const mqtt::BridgeOptions& options) {
  BackOff::Options made;
  made.initial = config.initial_reconnect_delay;
  made.max =
      config.use_exponential_back_off ? config.max_reconnect_delay : config.initial_reconnect_delay;
  made.multiplier = config.use_exponential_back_off ? config.back_off_multiplier : 1;
  // The id of the broker is a random one.
  made.seed = std::hash<std::string>()(options.broker_id + ' ' + options.name);
  return made;
}

}  // namespace

std::string bridge_remote(const BridgeConfig& config) {
  const bool is_v6 = config.host.find(':') != std::string::npos;
  return "mqtt://" + (is_v6 ? '[' + config.host + ']' : config.host) + ':' +
         std::to_string(config.port);
}

mqtt::BridgeOptions bridge_options(const BridgeConfig& config, const core::EngineLimits& limits,
                                   std::string broker_id, std::string client_id) {
  mqtt::BridgeOptions options;
  options.name = config.name;
  options.broker_id = std::move(broker_id);
  options.client_id = config.client_id.empty() ? std::move(client_id) : config.client_id;
  options.remote = bridge_remote(config);
  options.level = config.version_5 ? mqtt::Level::v5 : mqtt::Level::v3_1_1;
  options.user_name = config.user_name;
  options.password = config.password;
  options.keep_alive = config.keep_alive;
  options.in_flight_max = config.in_flight_max;
  options.attempts_max = config.attempts_max;
  options.unwritten_bytes_max = limits.unwritten_bytes_max;
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
      back_off_(back_off_options(config, options_)) {
  status_.enter(mqtt::BridgeState::resting, wall_now());
  course_.on_connected = [this] {
    logger_.info("bridge", "connected", {{"bridge", config_.name}, {"remote", options_.remote}});
  };
  course_.on_fault = [this](std::string_view text) {
    logger_.peer_fault("bridge", "not all is well with the other broker",
                       {{"bridge", config_.name}, {"remote", options_.remote}, {"because", text}});
  };
  endpoint_.name = "bridge " + config.name;
  endpoint_.scheme = "mqtt";
  endpoint_.protocol = Protocol::mqtt;
  endpoint_.budget = &budget_;
  endpoint_.make_session = [this](Protocol, const protocols::PeerInfo& peer) {
    return mqtt::make_bridge_session(options_, status_, course_, peer, wall_now);
  };
  endpoint_.on_closed = [this] { closed(); };
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
  warn_of_absence();
  status_.enter(mqtt::BridgeState::connecting, wall_now());
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

void Bridge::connect(const Addresses& addresses, std::size_t next) {
  ErrorCode ignored;
  socket_.close(ignored);
  out_of_time_ = false;
  timer_.expires_after(kAttemptPatience);
  timer_.async_wait([this](const ErrorCode& cancelled) noexcept {
    // One that was cancelled too late is of an attempt before this one, or of none.
    if (cancelled || timer_.expiry() > std::chrono::steady_clock::now()) return;
    ErrorCode none;
    out_of_time_ = true;
    socket_.close(none);  // the attempt ends with that
  });
  socket_.async_connect(addresses[next], [this, addresses, next](const ErrorCode& error) noexcept {
    timer_.cancel();
    if (!closing_) attempted(addresses, next, error);
  });
}

void Bridge::attempted(const Addresses& addresses, std::size_t next, const ErrorCode& error) {
  ErrorCode gone;
  const auto here = socket_.local_endpoint(gone);
  // A free port of this machine can be given to the very socket that looks for who listens there.
  const bool is_self = !error && !gone && here == addresses[next];
  if (!error && !gone && !is_self) return adopt();
  if (next + 1 < addresses.size()) return connect(addresses, next + 1);
  if (is_self) return failed("nobody listens there");
  if (out_of_time_) {
    return failed("no connection within " + std::to_string(kAttemptPatience.count() / 1000) +
                  " seconds");
  }
  failed((error ? error : gone).message());
}

void Bridge::adopt() {
  connected_at_ = steady_now();
  course_.accepted = course_.again_at_once = false;
  course_.ending.clear();
  // An accepted socket has these from the one that listens; this one has nobody to get them from.
  prepare_listening_socket(socket_.native_handle());
  ErrorCode ignored;
  socket_.non_blocking(true, ignored);
  loop_.adopt(endpoint_, std::make_unique<TcpTransport>(std::move(socket_)), options_.remote);
  socket_ = TcpSocket(loop_.context());
}

// --- and the next --------------------------------------------------------------------------------

void Bridge::failed(const std::string& why) {
  status_.set_fault(why, wall_now());
  rest();
}

/// Called from within the connection: what follows begins in another turn.
void Bridge::closed() {
  status_.enter(mqtt::BridgeState::resting, wall_now());
  if (closing_) return;
  if (course_.again_at_once) return start();
  if (course_.accepted && steady_now() - connected_at_ >= kHolds) back_off_.reset();
  failed(course_.ending.empty() ? "it closed the connection" : course_.ending);
}

void Bridge::rest() {
  status_.enter(mqtt::BridgeState::resting, wall_now());
  const milliseconds delay = back_off_.next();
  logger_.peer_fault("bridge", "the other broker cannot be had for the moment",
                     {{"bridge", config_.name},
                      {"remote", options_.remote},
                      {"because", status_.fault()->text},
                      {"again_in_ms", delay.count()}});
  timer_.expires_after(delay);
  timer_.async_wait([this](const ErrorCode& cancelled) noexcept {
    if (!cancelled) resolve();
  });
}

/// What waits for it takes up the store, and nothing but an operator ends that.
void Bridge::warn_of_absence() {
  const SteadyTime now = steady_now();
  if (status_.connected() || wall_now() - status_.since() < kAbsence) return;
  if (warned_at_ != SteadyTime{} && now - warned_at_ < kAbsence) return;
  warned_at_ = now;
  const auto away = std::chrono::duration_cast<std::chrono::minutes>(wall_now() - status_.since());
  logger_.warn("bridge", "the other broker has been away for long; what is for it fills the store",
               {{"bridge", config_.name},
                {"remote", options_.remote},
                {"minutes", away.count()},
                {"waiting", waiting_ ? waiting_() : 0}});
}

}  // namespace pabal::server
