#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "server/config/config.h"

namespace pabal::server {

struct XmlAttribute {
  std::string name;        ///< local name
  std::string name_space;  ///< URI; empty for ordinary attributes
  std::string value;       ///< entities resolved
  SourceLocation location;
};

struct XmlElement {
  std::string name;        ///< local name
  std::string name_space;  ///< URI
  SourceLocation location;
  std::vector<XmlAttribute> attributes;
  std::vector<XmlElement> children;
  std::string text;  ///< character data of the element itself

  /// Null if there is none of that local name without a namespace.
  [[nodiscard]] const XmlAttribute* attribute(std::string_view name) const noexcept;
};

inline constexpr std::size_t kXmlBytesMax = 8U << 20;
inline constexpr std::uint32_t kXmlDepthMax = 100;

/// Parses a whole document. Nothing outside `text` is ever read: DOCTYPE is refused, and with it
/// every entity that a document could declare. The error
/// is a finding with its place.
core::Result<XmlElement, Finding> parse_xml(const std::string& text, const std::string& file);

/// Reads a file of at most `bytes_max` bytes. Errors name the file.
core::Result<std::string> read_file(const std::string& path, std::size_t bytes_max);

}  // namespace pabal::server
