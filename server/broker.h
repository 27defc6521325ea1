#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/engine.h"
#include "core/result.h"
#include "core/store.h"
#include "protocols/mqtt/loop_cache.h"
#include "protocols/openwire/loop_cache.h"
#include "protocols/stomp/frame_cache.h"
#include "protocols/stomp/session_options.h"
#include "server/bridges.h"
#include "server/config/config.h"
#include "server/endpoint.h"
#include "server/engine_gate.h"
#include "server/event_loop.h"
#include "server/http_endpoint.h"
#include "server/listener.h"
#include "server/logger.h"
#include "server/status_report.h"
#include "server/sys_topics.h"

namespace pabal::store {
class JournalStore;
class MemoryStore;
}  // namespace pabal::store

namespace pabal::server {

/// The whole broker, wired: loops, gate, store, engine, listeners, management. The only place that
/// knows concrete types. Thread: the one that made it; report() also management's.
class Broker final : public StatusSource {
 public:
  Broker(Config config, Logger& logger);
  ~Broker() override;
  Broker(const Broker&) = delete;
  Broker& operator=(const Broker&) = delete;

  /// Binds every port, opens the store, then starts accepting. Errors: whatever could not be had,
  /// with its place in the configuration; nothing is left open then. Once.
  core::Result<void> start();
  /// "pabal ready stomp=61613 http=8161"; after start().
  [[nodiscard]] std::string ready_line() const;
  /// Graceful: accepts no more, reads no more, lets what was submitted become durable and its
  /// replies go out, says farewell, closes the store. Idempotent.
  void stop();
  /// Takes over what may change while it runs. Errors: bad_state, naming the changes that need a
  /// restart; then nothing was changed.
  core::Result<void> reload(const Config& config);

  StatusReport report(std::string_view after, std::size_t limit) override;
  std::vector<BridgeReport> bridges() override;
  core::Result<store::MapReport> store_map(const store::MapLimits& limits) override;
  [[nodiscard]] const std::vector<std::unique_ptr<Listener>>& listeners() const noexcept {
    return listeners_;
  }
  [[nodiscard]] std::uint16_t http_port() const noexcept { return http_.port(); }

 private:
  struct OpenListener;

  void make_loops();
  core::Result<void> bind_listeners();
  core::Result<void> bind_http();
  core::Result<void> open_store();
  core::Result<void> make_engine();
  /// Hands it what the configuration says about the model, as a whole.
  void configure_engine();
  /// The queues of <destinations>; a topic needs no making.
  void create_queues(const std::vector<core::Destination>& wanted);
  void begin_to_serve();
  void begin_sys_topics();
  [[nodiscard]] SysFigures sys_figures();
  void close_store();
  std::unique_ptr<OpenListener> make_endpoint(const ListenerConfig& listener);
  std::unique_ptr<protocols::Session> make_session(const OpenListener& listener, Protocol protocol,
                                                   const protocols::PeerInfo& peer);

  const std::string name_;  // config_ belongs to the thread that made this
  Config config_;
  Logger& logger_;
  const std::chrono::steady_clock::time_point started_;
  ConnectionBudget budget_;
  EngineGate gate_;
  std::vector<std::unique_ptr<stomp::FrameCache>> frame_caches_;       // by home
  std::vector<std::unique_ptr<mqtt::LoopCache>> mqtt_caches_;          // by home
  std::vector<std::unique_ptr<openwire::LoopCache>> openwire_caches_;  // by home
  std::vector<std::unique_ptr<OpenListener>> endpoints_;
  std::vector<std::unique_ptr<EventLoop>> loops_;
  std::unique_ptr<core::Store> store_;
  store::JournalStore* journal_store_ = nullptr;  // store_, if it is one
  store::MemoryStore* memory_store_ = nullptr;    // store_, if it is one
  std::unique_ptr<core::Engine> engine_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  std::unique_ptr<SysTopics> sys_topics_;  // null: no listener speaks MQTT
  Bridges bridges_;
  HttpEndpoint http_;
  std::atomic<bool> mapping_{false};  // one at a time: it costs memory and reads
  bool serving_ = false;
};

/// "0.1.0".
std::string_view version() noexcept;

}  // namespace pabal::server
