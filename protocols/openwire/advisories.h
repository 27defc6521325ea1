#pragma once

#include <deque>
#include <string>

#include "core/advisory.h"
#include "protocols/openwire/command.h"
#include "protocols/openwire/message_mapping.h"

// Advisories as OpenWire's clients read them: a message without a body whose data structure is the
// command that would have told it. A client sends to a temporary destination of another connection
// only when it has read in one that it is there. Source: reference §6.18.

namespace pabal::openwire {

/// Where the facts of an advisory live until the frame is written. Reused.
struct AdvisoryScratch {
  core::Advisory advisory;
  std::deque<std::string> texts;
  OutgoingScratch message;
};

/// Makes of an advisory's message what OpenWire has for it; others stay as they are. Views go to
/// `scratch`.
void word_advisory(const core::Message& message, Message& wire, AdvisoryScratch& scratch);

}  // namespace pabal::openwire
