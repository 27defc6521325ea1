#pragma once

#include <string>

#include "core/advisory.h"
#include "protocols/content/xstream.h"

namespace pabal::content {

/// An advisory as ActiveMQ tells it to who does not speak OpenWire: the command of OpenWire that
/// would have told it, field by field as XStream writes them, null ones left out. Of a message it
/// is about: without body and properties, which XStream would write as the bytes of OpenWire's
/// encoding. Nothing if the advisory's properties are all that it says. Source: reference/stomp.md
/// §11, and the output of XStream 1.4.20 itself.
void append_advisory_text(std::string& out, const core::Advisory& advisory, Notation notation);

}  // namespace pabal::content
