#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace pabal::content {

/// An element of XML, or what XStream writes for one in JSON: a name, and either a text or
/// elements. Views are of the text that was read.
struct Element {
  std::string_view name;
  std::string text;  ///< UTF-8, without escapes
  std::vector<Element> children;
};

/// How deep elements may stand in each other; an entry of a map is two deep.
inline constexpr int kElementDepthMax = 64;

/// What is between the elements of one that has some must be blanks. Attributes, comments and a
/// declaration are passed over; there are no entities but the five of XML and numbers, and no
/// document type. Nullptr, or why it cannot be read.
const char* read_xml_elements(std::string_view text, Element& root);

/// An object with one member is an element of its name; an array as a member stands for several
/// elements of one name.
const char* read_json_elements(std::string_view text, Element& root);

}  // namespace pabal::content
