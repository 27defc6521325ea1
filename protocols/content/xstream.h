#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

// Maps in the shape in which ActiveMQ writes them for the header `transformation` of STOMP: that of
// XStream, the Java library, as XML or as JSON. Source: reference/stomp.md §11.
//
//   <map>                                   {"map":{"entry":[
//     <entry>                                 {"string":"i","int":3},
//       <string>i</string><int>3</int>        {"string":["k","v"]}]}}
//     </entry>
//     …
//
// A value's element says its type: string, int, long, short, byte, char, boolean, float, double,
// byte-array (base64), null, map, list. Nothing else is understood, and no name is ever looked up
// as a class. In JSON elements of one name stand together in an array, so that a list of several
// types loses their order, there as here.

namespace pabal::content {

enum class Notation : std::uint8_t { json, xml };

/// A longer text, or one with more elements, is not read, and a longer map is not written: what is
/// nested is walked once for each level around it.
inline constexpr std::size_t kXStreamBytesMax = 1'048'576;
inline constexpr std::size_t kXStreamElementsMax = 65'536;

/// Appends the map with these bytes (core/primitive_values.h). False: it is none, or too long.
bool append_xstream(std::string& out, std::string_view map, Notation notation,
                    std::size_t bytes_max = kXStreamBytesMax);

/// Makes of such a text the bytes of a map, in `map`. Nullptr, or why it is none.
const char* read_xstream(std::string_view text, Notation notation, std::string& map,
                         std::size_t bytes_max = kXStreamBytesMax);

// The rows of values of stream messages, which XStream has no shape for, in one like it:
//
//   {"stream":{"value":[{"int":3},{"string":"Kim"},{"null":""}]}}

/// Appends the stream with these bytes as that. False: it is none, or too long.
bool append_json_stream(std::string& out, std::string_view stream, std::size_t bytes_max);

/// Makes of such a text the bytes of a stream, in `stream`. Nullptr, or why it is none.
const char* read_json_stream(std::string_view text, std::string& stream, std::size_t bytes_max);

}  // namespace pabal::content
