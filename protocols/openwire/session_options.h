#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "core/ids.h"

namespace pabal::openwire {

/// Limits and settings of one OpenWire listener. Lives longer than every session made with it; a
/// plain value otherwise.
struct SessionOptions {
  std::uint32_t frame_bytes_max = 104'857'600;  ///< wireFormat.maxFrameSize; the client is told
  std::uint32_t unconnected_frame_bytes_max = 65'536;  ///< of a frame before ConnectionInfo
  core::milliseconds handshake_timeout{30'000};        ///< until WireFormatInfo; 0: never
  /// Until ConnectionInfo, which a client sends when its application first needs it; 0: never.
  core::milliseconds connect_timeout{300'000};
  core::milliseconds inactivity{30'000};     ///< wireFormat.maxInactivityDuration; 0: off
  core::milliseconds initial_delay{10'000};  ///< wireFormat.maxInactivityDurationInitalDelay

  // Of one connection; more are refused with ResourceAllocationException.
  std::uint32_t sessions_max = 10'000;
  std::uint32_t producers_max = 100'000;
  std::uint32_t prefetch_max = 1'000'000;  ///< that a consumer may ask for, extensions included

  /// Branches in doubt in one answer to RECOVER; an array of the wire has room for 32,767.
  std::uint32_t in_doubt_page_max = 32'000;

  std::string broker_id = "ID:pabal";  ///< the same for all connections and starts
  std::string broker_name = "localhost";
  std::string version = "1";  ///< ProviderVersion
};

}  // namespace pabal::openwire
