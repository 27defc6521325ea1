#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/message.h"

// Typed values as OpenWire writes them, in which a message's properties and the bodies of map and
// stream messages may be kept (Encoding::openwire): so they come back as they came, and selectors,
// dead letters, the scheduler and the other protocols read them in place. Big-endian. Source:
// reference/openwire.md §5.
//
//   value   tag u8, then: 0 null · 1 boolean u8 · 2 byte · 3 char u16 · 4 short · 5 int · 6 long ·
//           7 double · 8 float · 9 string (u16 count, bytes) · 10 byte array (i32 count, bytes) ·
//           11 map · 12 list (i32 count, values) · 13 big string (i32 count, bytes)
//   map     i32 count (-1: none), then for each entry: name (u16 count, bytes), value
//
// Names are modified UTF-8. Strings are so too as Java writes them, but where it reads them it
// differs by place: UTF-8 in properties and in a map body, modified in a stream and in what is
// nested. Both are understood here.

namespace pabal::core {

/// Maps and lists within each other; a deeper one is malformed.
inline constexpr int kPrimitiveNestingMax = 16;

/// Takes values off their bytes; no length is believed before it was compared with what is left.
/// Nothing is copied and nothing allocated. After the first thing that makes no sense every call
/// answers false.
class PrimitiveReader {
 public:
  explicit PrimitiveReader(std::string_view bytes) noexcept : rest_(bytes) {}

  /// A map's or list's count; -1 is 0.
  bool count(std::uint32_t& count) noexcept;
  bool name(std::string_view& name) noexcept;
  /// All of `value` but its name. Of a map or list `text` is what stands behind the tag, checked to
  /// be whole; read it with a reader of its own.
  bool value(Property& value) noexcept;

  [[nodiscard]] bool failed() const noexcept { return failed_; }
  [[nodiscard]] std::string_view rest() const noexcept { return rest_; }

 private:
  bool fail() noexcept;
  bool take(std::size_t size, std::string_view& taken) noexcept;
  template <class Unsigned>
  bool number(Unsigned& number) noexcept;
  bool sized(std::string_view& bytes) noexcept;
  bool scalar(std::uint8_t tag, Property& value) noexcept;
  bool nested(std::uint8_t tag, int depth, std::string_view& bytes) noexcept;
  bool skip(int depth) noexcept;

  std::string_view rest_;
  bool failed_ = false;
};

/// Whether `bytes` are one whole map, or a row of whole values.
bool is_primitive_map(std::string_view bytes) noexcept;
bool is_primitive_stream(std::string_view bytes) noexcept;

/// How a string is read at its place.
enum class StringPlace : std::uint8_t { property, nested };

/// The other way. Longer strings than fit into tag 9 get tag 13, names are cut.
void append_primitive_count(std::string& out, std::uint32_t count);
void append_primitive_name(std::string& out, std::string_view utf8);
/// Without its name. `value.text` of a string is UTF-8 unless `value.encoding` says otherwise.
void append_primitive(std::string& out, const Property& value,
                      StringPlace place = StringPlace::property);
/// Makes room for one more entry: empty, or none (-1), becomes a map of one.
void add_to_primitive_count(std::string& map);

}  // namespace pabal::core
