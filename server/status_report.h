#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/engine.h"
#include "core/store.h"
#include "server/clock.h"
#include "store/store_map.h"

namespace pabal::server {

/// One listener, as the management pages show it.
struct ListenerReport {
  std::string name;
  std::string protocol;
  std::uint16_t port = 0;
  std::uint64_t open = 0;
  std::uint64_t accepted = 0;
  std::uint64_t refused = 0;
};

/// One bridge to another broker.
struct BridgeReport {
  std::string name;
  std::string remote;
  std::string client_id;  ///< of its session in this broker
  std::string state;      ///< "connected", "connecting", "resting", "not configured"
  bool connected = false;
  core::TimePoint since{};  ///< it is connected, or is not; zero: not configured
  std::uint64_t connects = 0;
  std::uint64_t forwarded_out = 0;
  std::uint64_t forwarded_in = 0;
  std::uint64_t looped = 0;
  std::uint64_t refused_out = 0;
  std::uint64_t refused_in = 0;
  std::uint64_t waiting = 0;    ///< messages to be forwarded, those on their way included
  std::uint64_t in_flight = 0;  ///< of them, on their way
  std::string fault;            ///< what went wrong last; empty: nothing
  core::TimePoint fault_at{};
};

/// A copy of everything that the management pages show, taken in one go; formatted afterwards, away
/// from the engine.
struct StatusReport {
  std::string broker_name;
  std::string version;
  std::chrono::seconds uptime{};
  std::vector<ListenerReport> listeners;
  std::uint64_t connections = 0;
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;
  std::uint64_t turns = 0;
  std::uint64_t engine_entries = 0;
  std::chrono::nanoseconds engine_longest_entry{};
  std::uint64_t resident_bytes = 0;
  core::EngineSnapshot engine;
  core::StoreStatus store;
  bool store_failed = false;
  std::vector<core::DestinationSnapshot> destinations;  ///< one page, in order of text
  std::vector<core::SubscriptionSnapshot> durable_subscriptions;
  std::vector<core::BlockedProducer> blocked_producers;
  std::vector<BridgeReport> bridges;
  bool destinations_cut = false;  ///< there are more after the last one
};

/// Where the management pages get their figures. Thread: management.
class StatusSource {
 public:
  virtual ~StatusSource() = default;
  /// At most `limit` destinations whose text is above `after`.
  virtual StatusReport report(std::string_view after, std::size_t limit) = 0;
  /// A part of it, without the rest.
  virtual std::vector<BridgeReport> bridges() = 0;
  /// Goes through the store's index and reads from its journal: seconds for many millions of
  /// messages. Errors: not_supported (the store is in memory), in_use (another map is being made),
  /// and those of store::map_index().
  virtual core::Result<store::MapReport> store_map(const store::MapLimits& limits) = 0;
};

/// Why the broker is not well; empty: it is. For /health.
std::string illness(const StatusReport& report);

/// The JSON of /health, /api/status; and /metrics in the Prometheus text format 0.0.4.
std::string format_health(const StatusReport& report);
std::string format_status(const StatusReport& report);
std::string format_metrics(const StatusReport& report);
/// The JSON of /api/bridges.
std::string format_bridges(const std::vector<BridgeReport>& bridges);

/// Resident memory of this process in bytes; 0: not known.
std::uint64_t resident_bytes();

}  // namespace pabal::server
