#include <filesystem>

#include "server/config/reading.h"
#include "server/config/values.h"

/// The Spring side of a file: placeholders, imports, and the few beans that mean something here.
/// Nothing of a bean is ever run.
namespace pabal::server {
namespace {

constexpr int kImportDepthMax = 5;
constexpr std::size_t kPropertiesBytesMax = 1U << 20;

std::string directory_of(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash + 1);
}

/// Turns a Spring resource into a path; nullopt for what would have to be fetched.
std::optional<std::string> resource_path(std::string_view resource, const std::string& base) {
  resource = trim(resource);
  if (resource.starts_with("classpath*:")) resource.remove_prefix(11);
  if (resource.starts_with("classpath:")) resource.remove_prefix(10);
  if (resource.starts_with("file:")) {
    resource.remove_prefix(5);
    if (resource.starts_with("//")) resource.remove_prefix(2);
  } else if (const auto colon = resource.find(':'); colon != std::string_view::npos) {
    if (resource.find('/') > colon) return std::nullopt;  // http:, jar:, ftp:
  }
  std::string path(resource);
  return path.starts_with('/') ? path : base + path;
}

bool is_bean(const XmlElement& element, std::string_view name) {
  return element.name == name &&
         (element.name_space == kBeansNamespace || element.name_space.empty());
}

std::string class_of(const XmlElement& bean) {
  const XmlAttribute* name = bean.attribute("class");
  return name == nullptr ? "" : name->value;
}

/// The value of <property name="…" value="…"/>; null if there is none.
const XmlAttribute* property_value(const XmlElement& bean, std::string_view wanted) {
  for (const XmlElement& child : bean.children) {
    const XmlAttribute* name = child.attribute("name");
    if (is_bean(child, "property") && name != nullptr && name->value == wanted) {
      return child.attribute("value");
    }
  }
  return nullptr;
}

void collect_values(const XmlElement& element,
                    std::vector<std::pair<std::string, SourceLocation>>& values) {
  for (const XmlElement& child : element.children) {
    if (is_bean(child, "value")) {
      values.emplace_back(child.text, child.location);
    } else {
      collect_values(child, values);
    }
  }
}

bool contains_class(const XmlElement& element, std::string_view part) {
  if (class_of(element).find(part) != std::string::npos) return true;
  for (const XmlElement& child : element.children) {
    if (contains_class(child, part)) return true;
  }
  return false;
}

class BeansReader {
 public:
  BeansReader(Reading& reading, std::string path, int depth)
      : reading_(reading), path_(std::move(path)), base_(directory_of(path_)), depth_(depth) {}

  void read(const XmlElement& root) {
    // Placeholders may be used before their configurer stands in the file.
    for (const XmlElement& child : root.children) {
      if (is_bean(child, "bean")) placeholder_files(child);
    }
    for (const XmlElement& child : root.children) item(child);
  }

 private:
  static bool is_placeholder_configurer(const std::string& name) {
    return name.ends_with("PlaceholderConfigurer");
  }

  void placeholder_files(const XmlElement& bean) {
    if (!is_placeholder_configurer(class_of(bean))) return;
    if (class_of(bean).find("Encryptable") != std::string::npos) {
      reading_.report(Severity::warning, bean.location, "beans/bean",
                      "not honoured yet: values ENC(…) are not decrypted");
    }
    std::vector<std::pair<std::string, SourceLocation>> files;
    for (const XmlElement& child : bean.children) {
      const XmlAttribute* name = child.attribute("name");
      if (!is_bean(child, "property") || name == nullptr) continue;
      if (name->value != "location" && name->value != "locations") continue;
      if (const XmlAttribute* value = child.attribute("value"); value != nullptr) {
        for (const std::string_view part : split(value->value, ',')) {
          files.emplace_back(part, value->location);
        }
      }
      collect_values(child, files);
    }
    for (const auto& [file, location] : files) properties_file(file, location);
  }

  void properties_file(const std::string& resource, const SourceLocation& location) {
    const std::string where = "beans/bean/property";
    const auto text = reading_.resolve(location, where, resource);
    if (!text) return;
    const auto path = resource_path(*text, base_);
    if (!path) {
      reading_.report(Severity::error, location, where, "nothing is loaded from a URL: " + *text);
      return;
    }
    const auto content = read_file(*path, kPropertiesBytesMax);
    if (!content) {
      reading_.report(Severity::warning, location, where,
                      "not read, its values are missing: " + content.error().text);
      return;
    }
    reading_.placeholders.add_properties(*content);
  }

  void item(const XmlElement& child) {
    if (reading_.is_core(child.name_space)) {
      if (child.name == "broker" || child.name == "brokerService") {
        read_broker(reading_, child);
      } else {
        read_stray(reading_, child);
      }
    } else if (is_bean(child, "import")) {
      import(child);
    } else if (is_bean(child, "bean")) {
      bean(child);
    } else if (!is_bean(child, "description")) {
      reading_.report(Severity::note, child.location, "beans/" + child.name,
                      "not read: it is not of the broker");
    }
  }

  void import(const XmlElement& element) {
    const XmlAttribute* resource = element.attribute("resource");
    const std::string where = "beans/import@resource";
    if (resource == nullptr) {
      reading_.report(Severity::error, element.location, "beans/import",
                      "attribute 'resource' is missing");
      return;
    }
    const auto text = reading_.resolve(resource->location, where, resource->value);
    if (!text) return;
    const auto path = resource_path(*text, base_);
    if (!path) {
      reading_.report(Severity::error, resource->location, where,
                      "nothing is loaded from a URL: " + *text);
    } else if (depth_ >= kImportDepthMax) {
      reading_.report(Severity::error, resource->location, where,
                      "imports are nested deeper than " + std::to_string(kImportDepthMax));
    } else if (const auto content = read_file(*path, kXmlBytesMax); content) {
      read_document(reading_, *content, *path, depth_ + 1);
    } else {
      reading_.report(Severity::warning, resource->location, where,
                      "not read: " + content.error().text);
    }
  }

  void bean(const XmlElement& element) {
    const std::string name = class_of(element);
    if (is_placeholder_configurer(name)) return;
    find_login(element);
    if (find_port(element)) return;
    reading_.report(Severity::note, element.location, "beans/bean",
                    "not run: a Java object" + (name.empty() ? "" : " of class " + name));
  }

  /// Jetty's Constraint with authenticate="true": the console asks for a login.
  void find_login(const XmlElement& element) {
    if (class_of(element).ends_with(".Constraint") && !reading_.console.login) {
      const XmlAttribute* value = property_value(element, "authenticate");
      if (value == nullptr) return;
      const auto text = reading_.resolve(value->location, "beans/bean/property", value->value);
      if (text && *text == "false") return;
      reading_.console.login = true;
      reading_.console.login_location = value->location;
    }
  }

  /// WebConsolePort of newer files, a connector with a port of its own in older ones.
  bool find_port(const XmlElement& element) {
    const std::string name = class_of(element);
    const bool console = name.ends_with("WebConsolePort");
    const bool connector = name.ends_with("Connector") && !contains_class(element, "SslContext");
    if (console || connector) {
      const XmlAttribute* port = property_value(element, "port");
      const bool usable =
          port != nullptr && (console || !reading_.console.found) && !port->value.starts_with("#{");
      if (usable) return take_port(element, *port);
    }
    bool found = false;
    for (const XmlElement& child : element.children) {
      // A reference out of the nested beans is no listener of its own.
      found = find_port(child) || found;
    }
    return found && console;
  }

  bool take_port(const XmlElement& element, const XmlAttribute& port) {
    auto number = reading_.resolve(port.location, "beans/bean/property", port.value);
    if (!number) return true;
    WebConsole& console = reading_.console;
    console.found = true;
    console.port = *number;
    console.location = port.location;
    console.host.clear();
    if (const XmlAttribute* host = property_value(element, "host"); host != nullptr) {
      auto text = reading_.resolve(host->location, "beans/bean/property", host->value);
      if (text) console.host = *text;
    }
    return true;
  }

  Reading& reading_;
  std::string path_;
  std::string base_;
  int depth_;
};

}  // namespace

void read_document(Reading& reading, const std::string& text, const std::string& path, int depth) {
  auto root = parse_xml(text, path);
  if (!root) {
    reading.findings.push_back(root.error());
    return;
  }
  const bool spring = root->name_space == kBeansNamespace || root->name_space.empty();
  if (root->name == "beans" && spring) {
    BeansReader(reading, path, depth).read(*root);
    return;
  }
  const bool broker = root->name == "broker" || root->name == "brokerService";
  if (broker && root->name_space.empty()) reading.bare_core = true;
  if (broker && reading.is_core(root->name_space)) {
    read_broker(reading, *root);
    return;
  }
  reading.report(depth == 0 ? Severity::error : Severity::warning, root->location, root->name,
                 "the root element must be beans or broker");
}

}  // namespace pabal::server
