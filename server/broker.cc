#include "server/broker.h"

#include <atomic>
#include <future>
#include <latch>
#include <string>
#include <utility>

#include "protocols/mqtt/session.h"
#include "protocols/openwire/session.h"
#include "protocols/stomp/session.h"
#include "server/clock.h"
#include "store/journal_store.h"
#include "store/memory/memory_store.h"

namespace pabal::server {
namespace {

/// Destinations that one look inside the engine copies: an entry must stay short.
constexpr std::size_t kReportPage = 128;
constexpr std::size_t kReportSubscriptionsMax = 100;
constexpr std::size_t kReportBlockedMax = 100;
/// So much more than its longest body may a WebSocket message be.
constexpr std::uint64_t kWebSocketSlackBytes = 1 << 20;
/// Long enough for the next send of a client that waits for each; a crash between is rare, and
/// delivers again what was acknowledged in so short a time.
constexpr std::chrono::milliseconds kAcknowledgementsWait{5};
/// Longer than a quick consumer needs, on a busy machine, too; short beside what slow disks take.
constexpr std::chrono::microseconds kPassingWaitMax{1000};

stomp::SessionOptions session_options(const Config& config, const StompSettings& settings) {
  stomp::SessionOptions options;
  options.command_line_bytes_max = settings.command_line_bytes_max;
  options.header_line_bytes_max = settings.header_line_bytes_max;
  options.headers_max = settings.headers_max;
  options.body_bytes_max = settings.body_bytes_max;
  options.frame_bytes_max = settings.frame_bytes_max;
  options.unconnected_frame_bytes_max = settings.unconnected_frame_bytes_max;
  options.connect_timeout = settings.connect_timeout;
  options.default_heart_beat.client_sends = settings.default_heart_beat_client_sends;
  options.default_heart_beat.client_wants = settings.default_heart_beat_client_wants;
  options.heart_beat_grace = settings.heart_beat_grace;
  options.heart_beat_min = settings.heart_beat_min;
  options.queue_prefetch = settings.queue_prefetch;
  options.topic_prefetch = settings.topic_prefetch;
  options.durable_prefetch = settings.durable_prefetch;
  options.browser_prefetch = settings.browser_prefetch;
  options.prefetch_max = settings.prefetch_max;
  options.server = "Pabal/" + std::string(version());
  options.broker_name = config.broker_name;
  return options;
}

mqtt::SessionOptions mqtt_options(const Config& config, const MqttSettings& settings,
                                  const std::string& broker_id) {
  mqtt::SessionOptions options;
  options.broker_id = &broker_id;
  options.parser.packet_bytes_max = settings.packet_bytes_max;
  options.parser.connect_bytes_max = settings.connect_bytes_max;
  options.parser.user_properties_max = settings.user_properties_max;
  options.parser.filters_max = settings.filters_max;
  options.connect_timeout = settings.connect_timeout;
  options.client_id_bytes_max = settings.client_id_bytes_max;
  options.receive_maximum = settings.receive_maximum;
  options.topic_alias_maximum = settings.topic_alias_maximum;
  options.topic_aliases_out_max = settings.topic_aliases_out_max;
  options.in_flight_max = settings.in_flight_max;
  options.keep_alive_max = settings.keep_alive_max;
  options.default_keep_alive = settings.default_keep_alive;
  options.publish_dollar_topics = settings.publish_dollar_topics;
  options.prefetch = settings.prefetch;
  options.unwritten_bytes_max = config.limits.unwritten_bytes_max;
  return options;
}

/// Of a broker without networks: the same for all connections and starts.
std::string broker_id(const std::string& broker_name) {
  return "ID:pabal-" + broker_name;
}

openwire::SessionOptions openwire_options(const Config& config, const OpenWireSettings& settings) {
  openwire::SessionOptions options;
  options.frame_bytes_max = settings.frame_bytes_max;
  options.unconnected_frame_bytes_max = settings.unconnected_frame_bytes_max;
  options.handshake_timeout = settings.handshake_timeout;
  options.connect_timeout = settings.connect_timeout;
  options.inactivity = settings.inactivity;
  options.initial_delay = settings.initial_delay;
  options.sessions_max = settings.sessions_max;
  options.producers_max = settings.producers_max;
  options.prefetch_max = settings.prefetch_max;
  options.broker_id = broker_id(config.broker_name);
  options.broker_name = config.broker_name;
  options.version = version();
  return options;
}

store::JournalStoreOptions journal_options(const StoreSettings& settings) {
  store::JournalStoreOptions options;
  options.directory = settings.directory;
  options.segment_bytes = settings.segment_bytes;
  options.bytes_limit = settings.bytes_limit;
  options.undurable_bytes_max = settings.undurable_bytes_max;
  options.group_bytes_max = settings.group_bytes_max;
  options.unapplied_bytes_max = settings.unapplied_bytes_max;
  options.index_flush_journal_bytes = settings.index_flush_journal_bytes;
  options.index_memory_bytes_max = settings.index_memory_bytes_max;
  options.acknowledgements_wait = kAcknowledgementsWait;
  if (settings.hold_passing) options.passing_wait_max = kPassingWaitMax;
  return options;
}

static_assert(kIoThreadsMax <= EngineGate::kHomesMax,
              "what a file may say must not end the process");

}  // namespace

std::string_view version() noexcept {
  return PABAL_VERSION;
}

/// An endpoint and the session options that it hands out by reference. Those of before a reload
/// stay, because sessions have them; there are as many as reloads.
struct Broker::OpenListener {
  struct Version {
    stomp::SessionOptions stomp;
    mqtt::SessionOptions mqtt;
    openwire::SessionOptions openwire;
  };
  explicit OpenListener(const std::string& id) : broker_id(id) {}

  std::vector<std::unique_ptr<const Version>> versions;
  std::atomic<const Version*> options{nullptr};
  const std::string& broker_id;  // of the bridges; filled before the first connection
  Endpoint endpoint;

  /// Connections that come from now on get this.
  void set(const Config& config, const ListenerConfig& listener) {
    versions.push_back(std::make_unique<const Version>(Version{
        session_options(config, listener.stomp), mqtt_options(config, listener.mqtt, broker_id),
        openwire_options(config, listener.openwire)}));
    options = versions.back().get();
    endpoint.connections_max = listener.connections_max;
    endpoint.connect_timeout = listener.stomp.connect_timeout;
    endpoint.message_bytes_max = listener.stomp.frame_bytes_max + kWebSocketSlackBytes;
  }
};

Broker::Broker(Config config, Logger& logger)
    : name_(config.broker_name),
      config_(std::move(config)),
      logger_(logger),
      started_(std::chrono::steady_clock::now()),
      gate_(logger, config_.server.io_threads),
      bridges_(logger),
      http_(*this, gate_, logger) {
  budget_.connections_max = config_.limits.connections_max;
}

Broker::~Broker() {
  stop();
}

// --- start ---------------------------------------------------------------------------------------

core::Result<void> Broker::start() {
  make_loops();
  if (auto bound = bind_listeners(); !bound) return bound;
  if (auto bound = bind_http(); !bound) return bound;
  if (auto opened = open_store(); !opened) return opened;
  if (auto made = make_engine(); !made) return made;
  begin_to_serve();
  return {};
}

void Broker::make_loops() {
  for (std::uint32_t i = 0; i < config_.server.io_threads; ++i) {
    EventLoop::Options options;
    options.read_buffer_bytes = config_.server.read_buffer_bytes;
    options.ticks = i == 0;
    frame_caches_.push_back(std::make_unique<stomp::FrameCache>());
    mqtt_caches_.push_back(std::make_unique<mqtt::LoopCache>(wall_now));
    openwire_caches_.push_back(std::make_unique<openwire::LoopCache>(wall_now));
    loops_.push_back(std::make_unique<EventLoop>(core::HomeId{i}, gate_, logger_, options));
  }
}

std::unique_ptr<Broker::OpenListener> Broker::make_endpoint(const ListenerConfig& listener) {
  auto made = std::make_unique<OpenListener>(bridges_.broker_id());
  made->set(config_, listener);
  Endpoint& endpoint = made->endpoint;
  endpoint.name = listener.name;
  endpoint.scheme = listener.protocol == Protocol::websocket ? "ws" : "tcp";
  endpoint.protocol = listener.protocol;
  endpoint.budget = &budget_;
  endpoint.make_session = [this, &listener = *made](Protocol protocol,
                                                    const protocols::PeerInfo& peer) {
    return make_session(listener, protocol, peer);
  };
  return made;
}

/// On the loop that the peer is at home on.
std::unique_ptr<protocols::Session> Broker::make_session(const OpenListener& listener,
                                                         Protocol protocol,
                                                         const protocols::PeerInfo& peer) {
  const std::size_t home = core::raw(peer.home);
  const auto* version = listener.options.load();
  switch (protocol) {
    case Protocol::openwire:
      return openwire::make_session(version->openwire, peer, *openwire_caches_[home]);
    case Protocol::mqtt:
      return mqtt::make_session(version->mqtt, peer, *mqtt_caches_[home]);
    default:
      return stomp::make_session(version->stomp, peer, *frame_caches_[home]);
  }
}

core::Result<void> Broker::bind_listeners() {
  std::vector<EventLoop*> loops;
  for (const auto& loop : loops_) loops.push_back(loop.get());
  for (const auto& config : config_.listeners) {
    if (!config.open) {
      logger_.warn("listener", "not opened",
                   {{"listener", config.name},
                    {"scheme", config.scheme},
                    {"because", config.closed_because}});
      continue;
    }
    endpoints_.push_back(make_endpoint(config));
    auto listener = std::make_unique<Listener>(endpoints_.back()->endpoint, loops, logger_);
    if (auto opened = listener->open(config, config_.server.accept_backlog); !opened) {
      return opened;
    }
    listeners_.push_back(std::move(listener));
  }
  return {};
}

core::Result<void> Broker::bind_http() {
  if (config_.http.enabled) return http_.open(config_.http);
  if (!config_.http.closed_because.empty()) {
    logger_.warn("http", "not opened", {{"because", config_.http.closed_because}});
  }
  return {};
}

core::Result<void> Broker::open_store() {
  if (config_.store.memory) {
    store::MemoryStoreOptions options;
    options.bytes_max = config_.store.bytes_limit;
    auto memory = std::make_unique<store::MemoryStore>(options);
    memory_store_ = memory.get();
    memory_store_->start(gate_);
    store_ = std::move(memory);
    return {};
  }
  auto opened = store::JournalStore::open(journal_options(config_.store), gate_);
  if (!opened) {
    return core::Error{opened.error().code,
                       "store " + config_.store.directory + ": " + opened.error().text};
  }
  journal_store_ = opened->get();
  store_ = std::move(*opened);
  return {};
}

core::Result<void> Broker::make_engine() {
  engine_ = std::make_unique<core::Engine>(*store_, config_.limits, config_.server.io_threads);
  gate_.attach(*engine_, *store_);
  configure_engine();
  create_queues(config_.destinations);
  return bridges_.make(config_, name_, gate_, *loops_.front());
}

void Broker::configure_engine() {
  core::EngineSettings settings = config_.engine;
  settings.permanent.insert(config_.destinations.begin(), config_.destinations.end());
  settings.advisories.source = {broker_id(name_), name_, ""};
  gate_.visit([&](core::Engine& engine, core::TimePoint now) PABAL_REQUIRES(core::engine_role) {
    engine.configure(std::move(settings), now);
  });
}

void Broker::create_queues(const std::vector<core::Destination>& wanted) {
  if (wanted.empty()) return;
  std::vector<std::string> failures;
  gate_.visit([&](core::Engine& engine, core::TimePoint now) PABAL_REQUIRES(core::engine_role) {
    core::ConnectOptions own;
    own.remote = "configuration";
    own.protocol = "none";
    const auto connection = engine.connect(own);
    if (!connection) return;
    for (const auto& destination : wanted) {
      if (!core::is_queue(destination.kind)) continue;
      // A queue comes into being with its first consumer; this one takes nothing and leaves.
      core::SubscribeOptions options;
      options.interests.push_back({destination, "", false});
      options.ack_mode = core::AckMode::explicit_;
      options.prefetch = 0;
      if (const auto made = engine.subscribe(connection->id, options, now)) {
        (void)engine.unsubscribe(*made, now);
      } else {
        failures.push_back(destination.to_text() + ": " + made.error().text);
      }
    }
    engine.disconnect(connection->id, now);
  });
  for (const auto& failure : failures) {
    logger_.warn("server", "queue not created", {{"because", failure}});
  }
}

void Broker::begin_to_serve() {
  for (const auto& loop : loops_) loop->start();
  for (const auto& listener : listeners_) {
    listener->start();
    logger_.info("listener", "listening",
                 {{"listener", listener->endpoint().name},
                  {"protocol", to_string(listener->endpoint().protocol)},
                  {"port", listener->port()}});
  }
  begin_sys_topics();
  bridges_.start();
  if (http_.port() != 0) http_.start();
  serving_ = true;
}

void Broker::begin_sys_topics() {
  const bool speaks_mqtt =
      std::any_of(listeners_.begin(), listeners_.end(), [](const auto& listener) {
        const Protocol protocol = listener->endpoint().protocol;
        return protocol == Protocol::mqtt || protocol == Protocol::websocket ||
               protocol == Protocol::automatic;
      });
  if (!speaks_mqtt) return;
  sys_topics_ = std::make_unique<SysTopics>(loops_.front()->context(), gate_,
                                            [this] { return sys_figures(); });
  sys_topics_->set_interval(std::chrono::seconds(config_.mqtt.sys_interval));
}

/// On the first loop.
SysFigures Broker::sys_figures() {
  SysFigures figures;
  figures.version = version();
  figures.uptime =
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - started_);
  for (const auto& loop : loops_) {
    const LoopCounters& counters = std::as_const(*loop).counters();
    figures.bytes_in += counters.bytes_in.load();
    figures.bytes_out += counters.bytes_out.load();
  }
  figures.engine = gate_.inspect([](const core::Engine& engine) { return engine.snapshot(); });
  return figures;
}

std::string Broker::ready_line() const {
  std::string line = "pabal ready";
  for (const auto& listener : listeners_) {
    line += " " + listener->endpoint().name + "=" + std::to_string(listener->port());
  }
  if (http_.port() != 0) line += " http=" + std::to_string(http_.port());
  return line;
}

// --- stop, in reverse ----------------------------------------------------------------------------

void Broker::stop() {
  if (serving_) {
    std::latch closed(1);
    boost::asio::post(loops_.front()->context(), [this, &closed] {
      if (sys_topics_) sys_topics_->stop();
      for (const auto& listener : listeners_) listener->close();
      bridges_.close();
      closed.count_down();
    });
    closed.wait();
    gate_.visit([](core::Engine& engine, core::TimePoint /*now*/)
                    PABAL_REQUIRES(core::engine_role) { engine.stopping(); });
    std::vector<std::future<void>> drained;
    for (const auto& loop : loops_) {
      drained.push_back(loop->drain("the broker is stopping", config_.server.drain_timeout));
    }
    for (auto& loop : drained) loop.wait();
    serving_ = false;
  }
  http_.stop();
  for (const auto& loop : loops_) loop->stop();
  close_store();
  sys_topics_.reset();
  listeners_.clear();
  bridges_.clear();
  loops_.clear();
  endpoints_.clear();
}

void Broker::close_store() {
  engine_.reset();
  if (journal_store_ != nullptr) journal_store_->close();
  if (memory_store_ != nullptr) memory_store_->stop();
  journal_store_ = nullptr;
  memory_store_ = nullptr;
  store_.reset();
}

// --- while it runs -------------------------------------------------------------------------------

core::Result<void> Broker::reload(const Config& config) {
  std::string fixed;
  for (const auto& change : diff(config_, config)) {
    if (change.reloadable) continue;
    fixed += (fixed.empty() ? "" : ", ") + change.path + " (" + change.before + " → " +
             change.after + ")";
  }
  if (!fixed.empty()) {
    return core::Error{core::Errc::bad_state, "needs a restart: " + fixed};
  }
  if (const auto level = parse_log_level(config.server.log_level)) logger_.set_level(*level);
  // No listener came or went, for that needs a restart, so those that are open pair up in order.
  auto open = endpoints_.begin();
  for (const auto& listener : config.listeners) {
    if (listener.open) (*open++)->set(config, listener);
  }
  config_ = config;
  if (sys_topics_) sys_topics_->set_interval(std::chrono::seconds(config_.mqtt.sys_interval));
  configure_engine();
  create_queues(config_.destinations);
  return {};
}

StatusReport Broker::report(std::string_view after, std::size_t limit) {
  StatusReport report;
  report.broker_name = name_;
  report.version = version();
  report.uptime =
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - started_);
  report.resident_bytes = resident_bytes();
  for (const auto& listener : listeners_) {
    const Endpoint& endpoint = listener->endpoint();
    report.listeners.push_back({endpoint.name, std::string(to_string(endpoint.protocol)),
                                listener->port(), endpoint.open.load(), endpoint.accepted.load(),
                                endpoint.refused.load()});
  }
  for (const auto& loop : loops_) {
    const LoopCounters& counters = std::as_const(*loop).counters();
    report.connections += counters.connections.load();
    report.bytes_in += counters.bytes_in.load();
    report.bytes_out += counters.bytes_out.load();
    report.turns += counters.turns.load();
  }
  report.engine_entries = gate_.entries();
  report.engine_longest_entry = gate_.longest_entry();
  report.store = store_->status();
  report.store_failed = gate_.store_failed();
  report.engine = gate_.inspect([](const core::Engine& engine) { return engine.snapshot(); });
  report.durable_subscriptions = gate_.inspect([](const core::Engine& engine) {
    return engine.durable_subscriptions(kReportSubscriptionsMax);
  });
  report.blocked_producers = gate_.inspect(
      [](const core::Engine& engine) { return engine.blocked_producers(kReportBlockedMax); });
  report.bridges = bridges();
  std::string last(after);
  while (report.destinations.size() < limit) {
    const std::size_t count = std::min(kReportPage, limit - report.destinations.size());
    auto page =
        gate_.inspect([&](const core::Engine& engine) { return engine.destinations(last, count); });
    const bool whole = page.size() == count;
    for (auto& destination : page) report.destinations.push_back(std::move(destination));
    if (!whole) break;
    last = report.destinations.back().destination.to_text();
    report.destinations_cut = report.destinations.size() == limit;
  }
  return report;
}

std::vector<BridgeReport> Broker::bridges() {
  return bridges_.report(gate_);
}

core::Result<store::MapReport> Broker::store_map(const store::MapLimits& limits) {
  if (journal_store_ == nullptr) {
    return core::Error{core::Errc::not_supported, "the store is in memory: nothing is on disk"};
  }
  if (mapping_.exchange(true)) {
    return core::Error{core::Errc::in_use, "a map of the store is being made; ask again"};
  }
  auto report = journal_store_->map(limits);
  mapping_.store(false);
  return report;
}

}  // namespace pabal::server
