#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "server/cli/arguments.h"
#include "server/cli/stomp_client.h"

namespace pabal::cli::bench {

enum class AckMode : std::uint8_t { automatic, client, individual };

/// What one run does. Checked when it was read from the command line.
struct Scenario {
  Endpoint endpoint;
  ConnectOptions connect;
  bool mqtt = false;                      ///< else STOMP
  std::vector<std::string> destinations;  ///< all names equally long
  bool topic = false;                     ///< every consumer gets every message
  unsigned producers = 1;
  unsigned consumers = 1;
  unsigned threads = 1;
  std::uint64_t count = 0;      ///< messages to send; without producers: to receive. 0: by duration
  double duration_seconds = 0;  ///< 0: by count
  std::size_t body_size = 1024;
  bool persistent = true;
  bool content_length = true;
  unsigned window = 100;     ///< unanswered units per producer; 0: no answers are asked for
  unsigned transaction = 0;  ///< sends per transaction; 0: none
  AckMode ack = AckMode::automatic;
  unsigned prefetch = 0;  ///< 0: the broker's default
  double rate = 0;        ///< messages per second of all producers together; 0: as fast as it goes
  unsigned priority = 4;  ///< of all messages
  bool priorities = false;      ///< 0 to 9 in turn instead
  unsigned buckets = 0;         ///< header `bucket` in turn, selected by the consumers; 0: none
  unsigned idle_selectors = 0;  ///< the last so many consumers want nothing that comes
  bool durable = false;         ///< consumers are durable subscriptions
  bool offline = false;         ///< they are made, and receive nothing
  unsigned in_flight = 0;       ///< messages sent and not received, of all producers; 0: no limit
  unsigned idle = 0;            ///< connections that only come, at once, and stay
  unsigned mqtt_level = 4;      ///< as CONNECT says it: 4 is 3.1.1, 5 is 5.0
  unsigned qos = 1;             ///< MQTT: of messages and subscriptions
  bool retain = false;          ///< MQTT: of messages
  std::string share;            ///< MQTT: consumers share a subscription of this name; empty: none
  double timeout_seconds = 30;  ///< gives up after so long without progress
  std::uint32_t nonce = 1;      ///< makes names of clients that no other run has
  std::uint32_t run = 1;        ///< tells this run's messages from others; 0 while only draining
  int broker_pid = 0;           ///< 0: not measured

  /// Messages in one unit of sending: a transaction, or one.
  unsigned unit() const noexcept { return transaction == 0 ? 1 : transaction; }
  /// Consumers that get each message.
  unsigned copies() const noexcept;
  /// Messages that producer `producer` may have on their way; 0: any number.
  std::uint64_t in_flight_of(unsigned producer) const noexcept;
  /// Where producer `producer` sends, in turn.
  std::vector<std::string> destinations_of(unsigned producer) const;
  /// How many units producer `producer` sends; the maximum when a duration decides.
  std::uint64_t units_of(unsigned producer) const noexcept;
};

/// Reads and cross-checks the options of kBenchOptions. Errors: usage.
Outcome<Scenario> read_scenario(const Arguments& arguments);

}  // namespace pabal::cli::bench
