#pragma once

#include <string>
#include <string_view>

#include "core/result.h"
#include "core/xa.h"

// The Java classes by which a client knows what went wrong: it makes an object of the class and
// throws that. Source: reference §6.22.

namespace pabal::openwire {

inline constexpr std::string_view kJmsException = "javax.jms.JMSException";
inline constexpr std::string_view kIllegalState = "javax.jms.IllegalStateException";
inline constexpr std::string_view kInvalidClientId = "javax.jms.InvalidClientIDException";
inline constexpr std::string_view kInvalidDestination = "javax.jms.InvalidDestinationException";
inline constexpr std::string_view kInvalidSelector = "javax.jms.InvalidSelectorException";
inline constexpr std::string_view kResourceAllocation = "javax.jms.ResourceAllocationException";
inline constexpr std::string_view kRolledBack = "javax.jms.TransactionRolledBackException";
inline constexpr std::string_view kSecurity = "java.lang.SecurityException";
inline constexpr std::string_view kXaException = "javax.transaction.xa.XAException";
inline constexpr std::string_view kNoTemporary =
    "org.apache.activemq.DestinationDoesNotExistException";

/// Of an error of core, where nothing more particular is known.
std::string_view java_class_of(core::Errc code) noexcept;

/// The message of an XAException: the client reads the number at its end.
std::string xa_text(std::string_view text, core::XaCode code);

}  // namespace pabal::openwire
