#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "core/ids.h"

namespace pabal::stomp {

/// What the `heart-beat` header of CONNECT says, from the client's side. Zero: that direction is
/// off. Source: STOMP 1.2 "Heart-beating".
struct HeartBeat {
  core::milliseconds client_sends{0};  ///< cx: the client sends at least so often
  core::milliseconds client_wants{0};  ///< cy: the client wants to hear at least so often
};

/// Limits and settings of one STOMP listener. Every limit has a named answer: an ERROR frame that
/// says which one was passed; framing limits also close the connection. Lives longer than every
/// session made with it; a plain value otherwise.
struct SessionOptions {
  std::size_t command_line_bytes_max = 1024;
  std::size_t header_line_bytes_max = 10240;
  std::size_t headers_max = 1000;
  std::size_t body_bytes_max = 104'857'600;  ///< wireFormat.maxDataLength
  std::size_t frame_bytes_max =
      115'343'360;  ///< wireFormat.maxFrameSize; command, headers and body
  std::size_t unconnected_frame_bytes_max = 65'536;  ///< of a frame before CONNECT

  core::milliseconds connect_timeout{30'000};  ///< transport.connectAttemptTimeout; 0: never
  HeartBeat default_heart_beat;   ///< transport.defaultHeartBeat: for a CONNECT without the header
  double heart_beat_grace = 2.0;  ///< transport.hbGracePeriodMultiplier; up to 1 counts as 1
  core::milliseconds heart_beat_min{10};  ///< shortest interval at which the server will send

  std::uint32_t queue_prefetch = 1000;
  std::uint32_t topic_prefetch = 32'767;
  std::uint32_t durable_prefetch = 100;
  std::uint32_t browser_prefetch = 500;
  std::uint32_t prefetch_max = 65'535;  ///< a higher wish is granted only so far

  std::string server = "Pabal";  ///< CONNECTED's `server`: "Pabal/0.1.0"
  std::string broker_name =
      "pabal";  ///< in the text that refuses a second connection of a client id
};

}  // namespace pabal::stomp
