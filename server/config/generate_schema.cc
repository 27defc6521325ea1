#include <cctype>
#include <map>
#include <sstream>
#include <vector>

#include "server/config/generate.h"
#include "server/config/option_table.h"
#include "server/config/values.h"

namespace pabal::server {
namespace {

/// Every value may also be, or hold, a placeholder: the schema sees the text before it is resolved.
constexpr std::string_view kHead = R"(<?xml version="1.0" encoding="UTF-8"?>
<!-- The schema of Pabal's configuration: ActiveMQ 5.17's elements, older stores, and Pabal's own.
     Made from the option table in server/config (make conf). -->
<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"
    xmlns="http://activemq.apache.org/schema/core"
    targetNamespace="http://activemq.apache.org/schema/core" elementFormDefault="qualified">
  <xs:simpleType name="placeholder">
    <xs:restriction base="xs:string"><xs:pattern value=".*[$#]\{.*\}.*"/></xs:restriction>
  </xs:simpleType>
  <xs:complexType name="property.anything" mixed="true">
    <xs:sequence>
      <xs:any namespace="##any" processContents="lax" minOccurs="0" maxOccurs="unbounded"/>
    </xs:sequence>
    <xs:anyAttribute processContents="lax"/>
  </xs:complexType>
  <xs:simpleType name="boolean">
    <xs:union memberTypes="xs:boolean placeholder"/>
  </xs:simpleType>
  <xs:simpleType name="anyCaseBoolean">
    <xs:union memberTypes="placeholder">
      <xs:simpleType>
        <xs:restriction base="xs:string">
          <xs:pattern value="\s*([tT][rR][uU][eE]|[fF][aA][lL][sS][eE])\s*"/>
        </xs:restriction>
      </xs:simpleType>
    </xs:union>
  </xs:simpleType>
  <xs:simpleType name="integer">
    <xs:union memberTypes="xs:long placeholder"/>
  </xs:simpleType>
  <xs:simpleType name="real">
    <xs:union memberTypes="xs:double placeholder"/>
  </xs:simpleType>
  <xs:simpleType name="memory">
    <xs:union memberTypes="placeholder">
      <xs:simpleType>
        <xs:restriction base="xs:string">
          <xs:pattern value="\s*-?[0-9]+\s*[kKmMgG]?[bB]?\s*"/>
        </xs:restriction>
      </xs:simpleType>
    </xs:union>
  </xs:simpleType>
  <xs:simpleType name="heartBeat">
    <xs:union memberTypes="placeholder">
      <xs:simpleType>
        <xs:restriction base="xs:string"><xs:pattern value="\s*[0-9]+\s*,\s*[0-9]+\s*"/></xs:restriction>
      </xs:simpleType>
    </xs:union>
  </xs:simpleType>
)";

std::string escape(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

std::string_view named_type(Type type) {
  switch (type) {
    case Type::boolean:
      return "boolean";
    case Type::any_case_boolean:
      return "anyCaseBoolean";
    case Type::integer:
    case Type::milliseconds:
      return "integer";
    case Type::real:
      return "real";
    case Type::memory:
      return "memory";
    case Type::heart_beat:
      return "heartBeat";
    case Type::text:
    case Type::choice:
    case Type::path:
    case Type::uri:
      return "xs:string";
  }
  PABAL_UNREACHABLE();
}

std::string any_case_pattern(std::string_view choices) {
  std::string pattern;
  for (const char c : choices) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalpha(byte) == 0) {
      pattern += c;
      continue;
    }
    pattern += '[';
    pattern += static_cast<char>(std::tolower(byte));
    pattern += static_cast<char>(std::toupper(byte));
    pattern += ']';
  }
  return pattern;
}

/// The facets of a type that a named one does not say; empty if it says all.
std::string own_facets(const Option& option) {
  if (option.type == Type::choice) {
    return "<xs:restriction base=\"xs:string\"><xs:pattern value=\"" +
           any_case_pattern(option.choices) + "\"/></xs:restriction>";
  }
  const bool number = option.type == Type::integer || option.type == Type::milliseconds;
  if (!number || option.max <= option.min) return {};
  return "<xs:restriction base=\"xs:long\"><xs:minInclusive value=\"" + std::to_string(option.min) +
         "\"/><xs:maxInclusive value=\"" + std::to_string(option.max) + "\"/></xs:restriction>";
}

std::string documentation(const Option& option) {
  std::string text(option.text);
  if (option.status != Status::honoured) {
    if (!text.empty()) text += ". ";
    text += "Not honoured: " + std::string(option.why);
  } else if (!option.default_text.empty()) {
    text += " (default: " + std::string(option.default_text) + ')';
  }
  return text;
}

void attribute(std::ostream& out, const Option& option) {
  const std::string facets = own_facets(option);
  const bool documented = find_option(option.owner, option.name) != nullptr && !option.text.empty();
  out << "    <xs:attribute name=\"" << option.name << '"';
  if (facets.empty()) out << " type=\"" << named_type(option.type) << '"';
  if (facets.empty() && !documented) {
    out << "/>\n";
    return;
  }
  out << ">\n";
  if (documented) {
    out << "      <xs:annotation><xs:documentation>" << escape(documentation(option))
        << "</xs:documentation></xs:annotation>\n";
  }
  if (!facets.empty()) {
    out << "      <xs:simpleType><xs:union memberTypes=\"placeholder\"><xs:simpleType>" << facets
        << "</xs:simpleType></xs:union></xs:simpleType>\n";
  }
  out << "    </xs:attribute>\n";
}

/// The content types of properties: many hold the same elements.
class PropertyTypes {
 public:
  /// The name of the type that allows `elements`, written to `out` the first time.
  std::string name(const std::vector<std::string>& elements) {
    if (elements.front() == "*") return "property.anything";
    const auto [found, is_new] = names_.try_emplace(
        elements, "property." + elements.front() +
                      (elements.size() > 1 ? '.' + std::to_string(names_.size()) : ""));
    if (is_new) write(found->second, elements);
    return found->second;
  }
  [[nodiscard]] std::string text() const { return out_.str(); }

 private:
  void write(const std::string& name, const std::vector<std::string>& elements) {
    out_ << "  <xs:complexType name=\"" << name << "\">\n"
         << "    <xs:choice minOccurs=\"0\" maxOccurs=\"unbounded\">\n";
    for (const std::string& element : elements) {
      out_ << "      <xs:element ref=\"" << element << "\"/>\n";
    }
    out_ << "      <xs:any namespace=\"##other\" processContents=\"lax\"/>\n"
         << "    </xs:choice>\n  </xs:complexType>\n";
  }

  std::map<std::vector<std::string>, std::string> names_;
  std::ostringstream out_;
};

void shape_type(std::ostream& out, const Shape& shape, PropertyTypes& types) {
  out << "  <xs:element name=\"" << shape.name << "\" type=\"" << shape.name << "\"/>\n"
      << "  <xs:complexType name=\"" << shape.name << "\">\n"
      << "    <xs:choice minOccurs=\"0\" maxOccurs=\"unbounded\">\n";
  for (const std::string& name : property_names(shape)) {
    const std::vector<std::string>& elements = *find_property(shape, name);
    if (elements.front() == "!") {
      out << "      <xs:element ref=\"" << name << "\"/>\n";
    } else {
      out << "      <xs:element name=\"" << name << "\" type=\"" << types.name(elements)
          << "\"/>\n";
    }
  }
  out << "      <xs:any namespace=\"##other\" processContents=\"lax\"/>\n    </xs:choice>\n";
  bool has_id = false;
  for (const Option& option : options_of(shape)) {
    attribute(out, option);
    has_id = has_id || option.name == "id";
  }
  if (!has_id) out << "    <xs:attribute name=\"id\" type=\"xs:string\"/>\n";
  out << "    <xs:anyAttribute namespace=\"##other\" processContents=\"lax\"/>\n"
      << "  </xs:complexType>\n";
}

}  // namespace

std::string generate_schema() {
  std::ostringstream out;
  out << kHead;
  PropertyTypes types;
  for (const Shape& shape : shapes()) shape_type(out, shape, types);
  out << types.text() << "  <xs:element name=\"brokerService\" type=\"broker\"/>\n</xs:schema>\n";
  return out.str();
}

}  // namespace pabal::server
