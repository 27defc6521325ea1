#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/destination.h"
#include "core/result.h"
#include "core/xa.h"
#include "protocols/openwire/command.h"

namespace pabal::openwire {

/// What stands behind a '?' is the client's own business (reference §6.16).
std::string_view without_options(std::string_view name) noexcept;

/// The parts of a name with commas, each with the kind of the whole or with one of its own before
/// it (`topic://b`). Blanks around a part are dropped, and repeated parts count once. UTF-8.
/// Errors: bad_destination.
core::Result<std::vector<core::Destination>> read_destinations(core::DestinationKind kind,
                                                               std::string_view name);

/// Errors: invalid_argument.
core::Result<core::Xid> read_xid(const XaTransactionId& id);
/// Views of `xid`.
XaTransactionId wire_xid(const core::Xid& xid);

}  // namespace pabal::openwire
