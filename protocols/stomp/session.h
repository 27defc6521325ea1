#pragma once

#include <memory>

#include "protocols/session.h"
#include "protocols/stomp/frame_cache.h"
#include "protocols/stomp/session_options.h"

namespace pabal::stomp {

/// One connection's STOMP state machine. `options` and `cache` outlive the session; `cache` is that
/// of the session's loop.
std::unique_ptr<protocols::Session> make_session(const SessionOptions& options,
                                                 const protocols::PeerInfo& peer,
                                                 FrameCache& cache);

}  // namespace pabal::stomp
