#include "server/config/xml_document.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include <Poco/Exception.h>
#include <Poco/SAX/Attributes.h>
#include <Poco/SAX/DefaultHandler.h>
#include <Poco/SAX/SAXException.h>
#include <Poco/SAX/SAXParser.h>

#include "server/config/tag_scanner.h"

namespace pabal::server {
namespace {

/// Builds the tree. The parser reports start tags in document order, as scan_tags() lists them.
class TreeBuilder : public Poco::XML::DefaultHandler {
 public:
  TreeBuilder(const std::vector<TagPlace>& places, const std::string& file)
      : places_(places), file_(file) {
    open_.push_back(&holder_);
  }

  void startElement(const std::string& uri, const std::string& local_name, const std::string&,
                    const Poco::XML::Attributes& attributes) override {
    XmlElement element;
    element.name = local_name;
    element.name_space = uri;
    const TagPlace* place = next_ < places_.size() ? &places_[next_] : nullptr;
    ++next_;
    element.location = place != nullptr ? place->location : SourceLocation{file_};
    for (int i = 0; i < attributes.getLength(); ++i) {
      XmlAttribute attribute;
      attribute.name = attributes.getLocalName(i);
      attribute.name_space = attributes.getURI(i);
      attribute.value = attributes.getValue(i);
      attribute.location = place_of(place, attribute.name, element.location);
      element.attributes.push_back(std::move(attribute));
    }
    XmlElement& parent = *open_.back();
    parent.children.push_back(std::move(element));
    // The parent's children may move when it gets more, but only after this one is closed.
    open_.push_back(&parent.children.back());
  }

  void endElement(const std::string&, const std::string&, const std::string&) override {
    open_.pop_back();
  }

  void characters(const Poco::XML::XMLChar text[], int start, int length) override {
    open_.back()->text.append(text + start, static_cast<std::size_t>(length));
  }

  XmlElement take_root() { return std::move(holder_.children.front()); }
  [[nodiscard]] bool has_root() const noexcept { return !holder_.children.empty(); }

 private:
  /// `name` is the local one: with namespaces on, Poco keeps no other.
  static SourceLocation place_of(const TagPlace* place, std::string_view name,
                                 const SourceLocation& otherwise) {
    if (place == nullptr) return otherwise;
    for (const auto& attribute : place->attributes) {
      const std::string_view local = attribute.name.substr(attribute.name.find(':') + 1);
      if (local == name && !attribute.name.starts_with("xmlns:")) return attribute.location;
    }
    return otherwise;
  }

  const std::vector<TagPlace>& places_;
  const std::string& file_;
  std::size_t next_ = 0;
  XmlElement holder_;
  std::vector<XmlElement*> open_;
};

Finding refuse(const SourceLocation& location, const std::string& why) {
  return {location, Severity::error, "", why};
}

std::string first_line(std::string text) {
  const auto end = text.find('\n');
  if (end != std::string::npos) text.resize(end);
  return text;
}

}  // namespace

const XmlAttribute* XmlElement::attribute(std::string_view wanted) const noexcept {
  for (const XmlAttribute& candidate : attributes) {
    if (candidate.name_space.empty() && candidate.name == wanted) return &candidate;
  }
  return nullptr;
}

core::Result<XmlElement, Finding> parse_xml(const std::string& text, const std::string& file) {
  if (text.size() > kXmlBytesMax) {
    return refuse({file}, "larger than " + std::to_string(kXmlBytesMax >> 20) + " MB");
  }
  const bool wide =
      text.size() >= 2 && (text[0] == '\0' || text[1] == '\0' || text.starts_with("\xFE\xFF") ||
                           text.starts_with("\xFF\xFE"));
  if (wide) return refuse({file, 1, 1}, "the encoding must be UTF-8");
  const std::string_view body =
      text.starts_with("\xEF\xBB\xBF") ? std::string_view(text).substr(3) : std::string_view(text);
  auto places = scan_tags(body, file);
  if (!places) return places.error();
  TreeBuilder builder(*places, file);
  try {
    Poco::XML::SAXParser parser;
    parser.setFeature(Poco::XML::XMLReader::FEATURE_NAMESPACES, true);
    parser.setFeature(Poco::XML::XMLReader::FEATURE_NAMESPACE_PREFIXES, false);
    parser.setFeature(Poco::XML::XMLReader::FEATURE_EXTERNAL_GENERAL_ENTITIES, false);
    parser.setFeature(Poco::XML::XMLReader::FEATURE_EXTERNAL_PARAMETER_ENTITIES, false);
    parser.setContentHandler(&builder);
    parser.parseMemoryNP(body.data(), body.size());
  } catch (const Poco::XML::SAXParseException& problem) {
    const auto line = static_cast<std::uint32_t>(std::max(problem.getLineNumber(), 1));
    const auto column = static_cast<std::uint32_t>(std::max(problem.getColumnNumber() + 1, 1));
    std::string why = problem.message();
    // Poco appends the place, which is said already.
    if (const auto place = why.find(" (line "); place != std::string::npos) why.resize(place);
    if (const auto place = why.find(", line "); place != std::string::npos) why.resize(place);
    return refuse({file, line, column}, "malformed XML: " + first_line(why));
  } catch (const Poco::Exception& problem) {
    return refuse({file, 1, 1}, "malformed XML: " + problem.displayText());
  } catch (const std::exception& problem) {
    return refuse({file, 1, 1}, std::string("malformed XML: ") + problem.what());
  }
  if (!builder.has_root()) return refuse({file, 1, 1}, "malformed XML: there is no element");
  return builder.take_root();
}

core::Result<std::string> read_file(const std::string& path, std::size_t bytes_max) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"),
                                                             &std::fclose);
  if (file == nullptr) {
    return core::Error{core::Errc::not_found, path + ": " + std::strerror(errno)};
  }
  std::string text;
  char buffer[16384];
  while (text.size() <= bytes_max) {
    const std::size_t count = std::fread(buffer, 1, sizeof buffer, file.get());
    if (count == 0) break;
    text.append(buffer, count);
  }
  if (std::ferror(file.get()) != 0) {
    return core::Error{core::Errc::not_found, path + ": cannot be read"};
  }
  if (text.size() > bytes_max) {
    return core::Error{core::Errc::invalid_argument,
                       path + ": larger than " + std::to_string(bytes_max) + " bytes"};
  }
  return text;
}

}  // namespace pabal::server
