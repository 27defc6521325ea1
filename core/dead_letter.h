#pragma once

#include "core/ids.h"
#include "core/message.h"
#include "core/result.h"

namespace pabal::core {

/// The message that a dead letter was, to be sent again: its destination is where it stood when it
/// died. Nothing is left of its death. It expires when it would have, if that is still ahead of
/// `now`, else never. Errors: invalid_argument (it is no dead letter, or one too large to change).
[[nodiscard]] Result<MessageRef> revive_dead_letter(const Message& dead, TimePoint now);

}  // namespace pabal::core
