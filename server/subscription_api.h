#pragma once

#include "core/destination.h"
#include "server/api.h"

namespace pabal::server {

/// Who gets the messages of a topic, and why some wait for a durable subscription. 404: nobody
/// subscribes. Thread: management.
ApiAnswer explain_topic(EngineGate& gate, const core::Destination& topic);

}  // namespace pabal::server
