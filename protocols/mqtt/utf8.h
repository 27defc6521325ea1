#pragma once

#include <string_view>

namespace pabal::mqtt {

/// Whether `text` may stand in a string of MQTT: well-formed UTF-8 without surrogates and without
/// U+0000 [MQTT-1.5.4-1] [MQTT-1.5.4-2]. Other control characters and non-characters are let pass.
bool is_utf8(std::string_view text) noexcept;

/// The same, and whether `text` has neither '+' nor '#': a topic name but for its length
/// [MQTT-3.3.2-2] [MQTT-4.7.0-1]. One pass, since every PUBLISH needs it.
bool is_utf8_without_wildcards(std::string_view text) noexcept;

}  // namespace pabal::mqtt
