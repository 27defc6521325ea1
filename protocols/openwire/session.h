#pragma once

#include <memory>

#include "protocols/openwire/loop_cache.h"
#include "protocols/openwire/session_options.h"
#include "protocols/session.h"

namespace pabal::openwire {

/// One connection's OpenWire state machine. `options` and `cache` outlive the session; `cache` is
/// that of the session's loop.
std::unique_ptr<protocols::Session> make_session(const SessionOptions& options,
                                                 const protocols::PeerInfo& peer, LoopCache& cache);

}  // namespace pabal::openwire
