#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/ids.h"
#include "core/result.h"
#include "protocols/openwire/codec.h"

// What both ends say of themselves before anything else, and what follows from it. Each computes it
// from both WireFormatInfos; there is no third message. Source: reference §1.3, §1.4.

namespace pabal::openwire {

/// What a WireFormatInfo says. What is missing in one is false or zero.
struct WireFormatOffer {
  std::int32_t version = 0;
  bool stack_trace_enabled = false;
  bool tcp_no_delay_enabled = false;
  bool cache_enabled = false;
  std::int32_t cache_size = 0;
  bool tight_encoding_enabled = false;
  bool size_prefix_disabled = false;
  std::int64_t max_inactivity_duration = 0;       ///< ms; 0: off
  std::int64_t max_inactivity_initial_delay = 0;  ///< ms; `MaxInactivityDurationInitalDelay`
  std::int64_t max_frame_size = 0;                ///< 0: not said
  bool max_frame_size_enabled = false;
  std::string host;  ///< information, as all below
  std::string provider_name;
  std::string provider_version;
  std::string platform_details;
};

/// Reads the properties of a WireFormatInfo. Unknown ones, and those of another type than expected,
/// count as missing. Errors: invalid_argument; more than 64 properties, or a value that is longer
/// than 512 bytes or no plain one.
core::Result<WireFormatOffer> read_offer(const WireFormatInfo& info);
/// The frame that makes an offer; only what is not empty or zero of the information.
void append_offer(std::string& out, const WireFormatOffer& offer);

/// What a broker offers: loose encoding, no cache, no stack traces.
WireFormatOffer broker_offer(core::milliseconds inactivity, core::milliseconds initial_delay,
                             std::int64_t frame_bytes_max, std::string_view provider_version);

struct Agreement {
  WireFormat format;
  core::milliseconds inactivity{0};  ///< 0: nobody is watched
  core::milliseconds initial_delay{0};
  std::int64_t max_frame_size = 0;  ///< of either direction; 0: none
};

/// Errors: not_supported; a version below kVersionMin, or no size prefix.
core::Result<Agreement> agree(const WireFormatOffer& ours, const WireFormatOffer& theirs);

}  // namespace pabal::openwire
