#pragma once

#include <string>
#include <string_view>

#include "core/engine.h"
#include "protocols/openwire/codec.h"
#include "protocols/openwire/session_options.h"

// Advisories: messages of the broker about itself, on topics of their own. A client sends to a
// temporary destination of another connection only when it has read in one that it is there.
// Source: reference §6.18.

namespace pabal::openwire {

inline constexpr std::string_view kAdvisoryPrefix = "ActiveMQ.Advisory.";

[[nodiscard]] inline bool is_advisory_topic(core::DestinationKind kind, std::string_view name) {
  return kind == core::DestinationKind::topic && name.starts_with(kAdvisoryPrefix);
}

/// "ActiveMQ.Advisory.TempQueue" or "….TempTopic".
std::string_view temporary_advisory_topic(core::DestinationKind kind) noexcept;

/// Tells everybody that a temporary destination has come or gone. `connection_id`: its owner's.
/// Inside the engine.
void announce_temporary(core::Engine& engine, const SessionOptions& options,
                        const core::Destination& destination, std::string_view connection_id,
                        bool added, core::TimePoint now) PABAL_REQUIRES(core::engine_role);

/// The same as a frame for one new consumer: what was there before it came. `target`: its id;
/// `sequence`: that of the advisory's own message id.
void append_temporary_advisory(std::string& out, const SessionOptions& options,
                               const core::Destination& destination, const ConsumerId& target,
                               std::int64_t sequence, const WireFormat& format);

/// Of a message that announce_…() has made: its command as data structure instead of a body.
void word_advisory(const core::Message& message, Message& wire);

}  // namespace pabal::openwire
