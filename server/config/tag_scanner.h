#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "server/config/config.h"

namespace pabal::server {

/// Where a start tag and its attributes stand in the source. A SAX parser tells the place of a tag
/// only, and that imprecisely.
struct TagPlace {
  SourceLocation location;  ///< of '<'
  struct Attribute {
    std::string_view name;  ///< with prefix; points into the scanned text
    SourceLocation location;
  };
  std::vector<Attribute> attributes;
};

/// Walks over the markup and lists the start tags in document order. Lenient: what is malformed is
/// left to the parser. Errors: a DOCTYPE, too deep nesting.
core::Result<std::vector<TagPlace>, Finding> scan_tags(std::string_view text,
                                                       const std::string& file);

}  // namespace pabal::server
