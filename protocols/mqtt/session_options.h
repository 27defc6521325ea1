#pragma once

#include <cstdint>
#include <string>

#include "core/ids.h"
#include "protocols/mqtt/authentication.h"
#include "protocols/mqtt/packet_parser.h"

namespace pabal::mqtt {

/// Limits and settings of one MQTT listener. Lives longer than every session made with it; a plain
/// value otherwise.
struct SessionOptions {
  ParserOptions parser;
  core::milliseconds connect_timeout{30'000};  ///< until CONNECT; 0: never
  /// At least 23 [MQTT-3.1.3-5]. Each part of a session bears it in the store, so that a longer one
  /// would cost more than the limits of sessions count.
  std::uint16_t client_id_bytes_max = 1024;

  /// PUBLISH of QoS 1 and 2 that a client may have unanswered; 5.0 is told.
  std::uint16_t receive_maximum = 1000;
  std::uint16_t topic_alias_maximum = 100;    ///< that a client may set; 5.0 is told
  std::uint16_t topic_aliases_out_max = 100;  ///< that we set, if the client takes as many
  /// Deliveries that a client has not finished; its own Receive Maximum may be less.
  std::uint16_t in_flight_max = 1000;
  /// Seconds; longer ones, and none, are shortened to it, which 5.0 is told (and 3.1.1 cannot be:
  /// there it holds for no one). 0: as the client wants.
  std::uint16_t keep_alive_max = 0;
  /// Seconds, for clients that ask for none; 5.0 is told. 0: they may be silent for ever.
  std::uint16_t default_keep_alive = 0;
  /// Clients may publish to topics that begin with `$`, but for the broker's own.
  bool publish_dollar_topics = false;
  std::uint32_t prefetch = 1000;  ///< of each subscription
  /// Bytes of messages that are on their way to a client without core counting them: those of QoS
  /// 2, until PUBREC, and those that had to wait in the session. At least one message is.
  std::uint64_t unwritten_bytes_max = 1ULL << 20;
  /// Enhanced authentication; null: no method is supported. Lives longer.
  Authenticator* authenticator = nullptr;
  /// Of a broker that has bridges: what it forwarded itself is not taken again (bridge.h). Null, or
  /// empty: it has none. Outlives the sessions.
  const std::string* broker_id = nullptr;
};

}  // namespace pabal::mqtt
