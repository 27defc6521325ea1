#include "protocols/openwire/java_errors.h"

#include <string>

namespace pabal::openwire {

/// No default: the compiler names the Errc nobody mapped.
std::string_view java_class_of(core::Errc code) noexcept {
  switch (code) {
    case core::Errc::bad_destination:
      return kInvalidDestination;
    case core::Errc::quota_exceeded:
    case core::Errc::store_full:
      return kResourceAllocation;
    case core::Errc::not_authorized:
      return kSecurity;
    case core::Errc::bad_state:
      return kIllegalState;
    case core::Errc::invalid_argument:
    case core::Errc::not_found:
    case core::Errc::already_exists:
    case core::Errc::in_use:
    case core::Errc::not_supported:
    case core::Errc::store_io:
      return kJmsException;
  }
  PABAL_UNREACHABLE();
}

std::string xa_text(std::string_view text, core::XaCode code) {
  return std::string(text) + " xaErrorCode:" + std::to_string(static_cast<int>(code));
}

}  // namespace pabal::openwire
