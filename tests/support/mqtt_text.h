#pragma once

#include <string>
#include <string_view>

#include "protocols/mqtt/packet.h"

namespace pabal::tests {

/// A packet as one line of text with everything that is in it, so that two packets are equal if
/// their texts are. The form is described in tests/conformance/mqtt/README.md.
std::string describe(const mqtt::Packet& packet);

/// In double quotes; what is not printable ASCII as \xNN.
std::string quote(std::string_view bytes);

}  // namespace pabal::tests
