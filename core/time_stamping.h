#pragma once

#include "core/ids.h"
#include "core/message.h"
#include "core/policy.h"

namespace pabal::core {

/// `message` with the broker's time and the times to live that `rules` allow; itself if that
/// changes nothing. A time stamp that is the broker's but for the way through the broker is left
/// alone. Source: ActiveMQ's TimeStampingBrokerPlugin.
[[nodiscard]] MessageRef stamped(const TimeStamping& rules, const MessageRef& message,
                                 TimePoint now);

}  // namespace pabal::core
