#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/destination.h"
#include "core/engine.h"
#include "core/policy.h"
#include "core/result.h"

namespace pabal::server {

/// Where in a configuration file something stands. Line and column count from 1; 0: not known.
struct SourceLocation {
  std::string file;
  std::uint32_t line = 0;
  std::uint32_t column = 0;

  /// "conf/pabal.xml:12:5".
  [[nodiscard]] std::string to_text() const;
};

/// What a listener speaks.
enum class Protocol : std::uint8_t {
  automatic,  ///< the first bytes decide: those of OpenWire, STOMP and MQTT
  openwire,
  stomp,
  websocket,  ///< STOMP or MQTT in WebSocket frames; the subprotocol decides
  mqtt,
  amqp,
  other,  ///< named by ListenerConfig::scheme
};
std::string_view to_string(Protocol protocol) noexcept;

/// Limits and timing of STOMP connections of one listener; stomp::SessionOptions in the words of
/// the configuration. Byte counts; a time of 0: off.
struct StompSettings {
  std::uint64_t command_line_bytes_max = 1024;
  std::uint64_t header_line_bytes_max = 10'240;
  std::uint32_t headers_max = 1000;
  std::uint64_t body_bytes_max = 104'857'600;                    ///< maxDataLength
  std::uint64_t frame_bytes_max = 115'343'360;                   ///< maxFrameSize
  std::uint64_t unconnected_frame_bytes_max = 65'536;            ///< of a frame before CONNECT
  std::chrono::milliseconds connect_timeout{30'000};             ///< connectAttemptTimeout
  std::chrono::milliseconds default_heart_beat_client_sends{0};  ///< for CONNECT without the header
  std::chrono::milliseconds default_heart_beat_client_wants{0};
  double heart_beat_grace = 2.0;  ///< hbGracePeriodMultiplier; at least 1
  std::chrono::milliseconds heart_beat_min{10};
  std::uint32_t queue_prefetch = 1000;
  std::uint32_t topic_prefetch = 32'767;
  std::uint32_t durable_prefetch = 100;
  std::uint32_t browser_prefetch = 500;
  std::uint32_t prefetch_max = 65'535;

  friend bool operator==(const StompSettings&, const StompSettings&) = default;
};

/// The same of MQTT; mqtt::SessionOptions in the words of the configuration.
struct MqttSettings {
  std::uint32_t packet_bytes_max = 64U << 20;
  std::uint32_t connect_bytes_max = 128U << 10;
  std::uint32_t user_properties_max = 1000;
  std::uint32_t filters_max = 10'000;
  std::chrono::milliseconds connect_timeout{30'000};  ///< connectAttemptTimeout
  std::uint16_t client_id_bytes_max = 1024;
  std::uint16_t receive_maximum = 1000;
  std::uint16_t topic_alias_maximum = 100;
  std::uint16_t topic_aliases_out_max = 100;
  std::uint16_t in_flight_max = 1000;
  std::uint16_t keep_alive_max = 0;      ///< seconds
  std::uint16_t default_keep_alive = 0;  ///< seconds; defaultKeepAlive
  std::uint32_t sys_interval = 10;       ///< seconds; 0: no $SYS topics
  std::uint32_t prefetch = 1000;
  bool publish_dollar_topics = false;

  friend bool operator==(const MqttSettings&, const MqttSettings&) = default;
};

/// The same of OpenWire; openwire::SessionOptions in the words of the configuration.
struct OpenWireSettings {
  std::uint32_t frame_bytes_max = 104'857'600;          ///< maxFrameSize
  std::uint32_t unconnected_frame_bytes_max = 65'536;   ///< of a frame before ConnectionInfo
  std::chrono::milliseconds handshake_timeout{30'000};  ///< connectAttemptTimeout
  std::chrono::milliseconds connect_timeout{300'000};   ///< until ConnectionInfo
  std::chrono::milliseconds inactivity{30'000};         ///< maxInactivityDuration
  std::chrono::milliseconds initial_delay{10'000};      ///< maxInactivityDurationInitalDelay
  std::uint32_t sessions_max = 10'000;                  ///< of one connection
  std::uint32_t producers_max = 100'000;                ///< likewise
  std::uint32_t prefetch_max = 1'000'000;

  friend bool operator==(const OpenWireSettings&, const OpenWireSettings&) = default;
};

/// One transportConnector. A port that is `off` is not in the list at all.
struct ListenerConfig {
  std::string name;    ///< unique; as in the `pabal ready` line
  std::string scheme;  ///< as written: "stomp+nio"
  Protocol protocol = Protocol::other;
  bool tls = false;
  std::string host;                   ///< address or name to bind, "[::1]" without brackets
  std::uint16_t port = 0;             ///< 0: a free one
  std::uint32_t connections_max = 0;  ///< 0: no limit of its own
  StompSettings stomp;
  MqttSettings mqtt;
  OpenWireSettings openwire;

  /// False: known, but its protocol is not built; report `closed_because`, do not open.
  bool open = true;
  std::string closed_because;
  SourceLocation location;
};

/// One pabalOut or pabalIn; mqtt::BridgeRoute in the words of the configuration.
struct BridgeRouteConfig {
  std::string topic;  ///< a filter in MQTT's spelling, without the prefixes
  std::uint8_t qos = 1;
  std::string local_prefix;
  std::string remote_prefix;
  SourceLocation location;
};

/// A networkConnector to another MQTT broker; mqtt::BridgeOptions in the words of the
/// configuration.
struct BridgeConfig {
  std::string name;  ///< unique
  std::string host;
  std::uint16_t port = 1883;
  bool version_5 = true;  ///< else 3.1.1
  std::optional<std::string> user_name;
  std::optional<std::string> password;
  std::string client_id;          ///< at the other broker; empty: one is made up
  std::uint16_t keep_alive = 60;  ///< seconds; 0: off
  std::uint16_t in_flight_max = 100;
  std::uint32_t attempts_max = 0;  ///< of one message; 0: any number
  std::chrono::milliseconds initial_reconnect_delay{1000};
  std::chrono::milliseconds max_reconnect_delay{30'000};
  bool use_exponential_back_off = true;
  double back_off_multiplier = 2;
  std::vector<BridgeRouteConfig> out;
  std::vector<BridgeRouteConfig> in;
  SourceLocation location;
};

/// store::JournalStoreOptions in the words of the configuration.
struct StoreSettings {
  std::string directory;                     ///< journal and index
  bool memory = false;                       ///< persistent="false": nothing outlives the process
  std::uint64_t bytes_limit = 100ULL << 30;  ///< storeUsage; 0: the disk decides
  std::uint64_t segment_bytes = 32ULL << 20;
  std::uint64_t undurable_bytes_max = 64ULL << 20;  ///< sends wait above this
  bool hold_passing = true;  ///< what a quick consumer will have acknowledged before long waits
  std::uint64_t group_bytes_max = 4ULL << 20;
  std::uint64_t unapplied_bytes_max = 32ULL << 20;
  std::uint64_t index_flush_journal_bytes = 64ULL << 20;
  std::uint64_t index_memory_bytes_max = 16ULL << 20;

  friend bool operator==(const StoreSettings&, const StoreSettings&) = default;
};

struct HttpSettings {
  bool enabled = false;
  std::string host = "127.0.0.1";
  std::uint16_t port = 8161;  ///< 0: a free one
  std::uint32_t connections_max = 64;
  std::uint64_t request_bytes_max = 1ULL << 20;
  std::chrono::milliseconds request_timeout{10'000};
  std::string closed_because;  ///< why it is not enabled, if the file asked for it
  SourceLocation location;
};

inline constexpr std::uint32_t kIoThreadsMax = 64;  ///< no more than EngineGate::kHomesMax

struct ServerSettings {
  std::uint32_t io_threads = 1;                     ///< event loops
  std::chrono::milliseconds drain_timeout{10'000};  ///< SIGTERM: longest wait for what is in flight
  std::uint32_t accept_backlog = 5000;
  std::uint64_t read_buffer_bytes = 256 * 1024;  ///< of one loop
  std::string log_level = "info";                ///< error, warn, info, debug
};

/// One honoured option and its value after placeholders and defaults; what diff() compares.
struct Setting {
  std::string
      path;  ///< "broker/limits@windowBytesMax", "transportConnector[stomp]@uri.maximumConnections"
  std::string value;
  bool reloadable = false;
  bool secret = false;      ///< compared and never shown
  SourceLocation location;  ///< of the value, if the file has one
};

/// Of a server, which has a disk: what memory has no room for may go there.
inline core::EngineLimits default_limits() {
  core::EngineLimits limits;
  limits.spilled_bytes_max = 50ULL << 30;
  return limits;
}

/// Everything that the rest of server/ needs to know. A plain value, checked: ranges hold.
struct Config {
  std::string broker_name = "localhost";
  std::string data_directory;
  std::vector<ListenerConfig> listeners;  ///< in file order
  core::EngineLimits limits = default_limits();
  core::EngineSettings engine;  ///< policies, virtual destinations and the like; all reloadable
  StoreSettings store;
  StompSettings stomp;        ///< defaults of every listener
  MqttSettings mqtt;          ///< the same
  OpenWireSettings openwire;  ///< the same
  HttpSettings http;
  ServerSettings server;
  std::vector<BridgeConfig> bridges;            ///< in file order
  std::vector<core::Destination> destinations;  ///< created at start
  std::vector<Setting> settings;                ///< sorted by path
};

enum class Severity : std::uint8_t {
  note,     ///< nothing is lost by it
  warning,  ///< the broker will not behave as the file says
  guard,    ///< guards access and is not built: `serve` refuses without --insecure
  error,    ///< the file is wrong
};
std::string_view to_string(Severity severity) noexcept;

/// One thing in the file that is not done as it says.
struct Finding {
  SourceLocation location;
  Severity severity = Severity::note;
  std::string path;  ///< "broker/persistenceAdapter/kahaDB@indexCacheSize"
  std::string text;

  /// "conf/x.xml:12:5: warning: broker/…: not honoured yet: …".
  [[nodiscard]] std::string to_text() const;
};

/// What limits are compared with.
struct Machine {
  std::uint64_t memory_bytes = 0;
  std::uint64_t disk_bytes = 0;       ///< of the partition of the store
  std::uint64_t disk_free_bytes = 0;  ///< free there, plus what the store already holds
};

struct LoadOptions {
  /// Serve although something in the file guards access and is not built: guards become warnings.
  bool insecure = false;
  /// Report guards as findings instead of failing: for `pabal check`.
  bool guards_as_findings = false;
  /// -d: overrides dataDirectory, and `activemq.data` is this. Empty: not given.
  std::string data_directory;
  /// -D name=value.
  std::map<std::string, std::string> definitions;
  /// For tests; otherwise the operating system is asked.
  std::optional<Machine> machine;
};

struct LoadedConfig {
  Config config;
  std::vector<Finding> findings;  ///< in file order; no errors
};

/// Reads the ActiveMQ or Pabal configuration in `path`, what it imports, and nothing from a URL. An
/// empty path: the built-in configuration, which is conf/pabal.xml.
/// Opens no port and creates no file. Errors: invalid_argument, the text is one
/// "file:line:column: reason" per line; every error of the file is named, not only the first.
/// Thread: any, nothing is shared.
core::Result<LoadedConfig> load_config(const std::string& path, const LoadOptions& options);

/// The same with everything that was found, errors and guards among the findings; the configuration
/// is good if there are none of these.
LoadedConfig examine_config(const std::string& path, const LoadOptions& options);

/// One difference between two configurations.
struct Change {
  std::string path;
  std::string before;
  std::string after;
  bool reloadable = false;
  SourceLocation location;  ///< in the newer file
};

/// What changed, by path. Reload applies all of it or, when one change is not reloadable, nothing.
std::vector<Change> diff(const Config& before, const Config& after);

}  // namespace pabal::server
