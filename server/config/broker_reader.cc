#include <algorithm>

#include "server/config/policy_reader.h"
#include "server/config/reading.h"
#include "server/config/values.h"

namespace pabal::server {
namespace {

constexpr std::string_view kSchemaInstance = "http://www.w3.org/2001/XMLSchema-instance";
constexpr std::string_view kXml = "http://www.w3.org/XML/1998/namespace";

bool has_text(const XmlElement& element) noexcept {
  return !trim(element.text).empty();
}

std::string list_of(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i != 0) text += i + 1 == names.size() ? " or " : ", ";
    text += names[i];
  }
  return text;
}

/// Walks elements by their shapes. `outer` is the standing of the nearest enclosing thing that is
/// not honoured: what stands inside it is checked and reported, but never set.
class Walker {
 public:
  explicit Walker(Reading& reading) : reading_(reading), policies_(reading) {}

  /// `property`: in which it stands, as "broker.destinations"; empty: in none.
  void object(const XmlElement& element, const Shape& shape, const std::string& property,
              const std::string& path, const Standing* outer) {
    Standing own = standing_of(shape.name);
    if (shape.name == "networkConnector" && outer == nullptr && !is_bridge(reading_, element)) {
      own = {shape.name, Status::not_yet,
             "networks of brokers are not built; bridges to MQTT brokers are (mqtt://host:port)"};
    }
    const Standing* blocked = own.status == Status::honoured ? outer : &own;
    if (blocked != nullptr) report_element(element, path, *blocked, outer);
    ListenerConfig listener;
    listener.location = element.location;
    listener.stomp = reading_.config.stomp;
    listener.mqtt = reading_.config.mqtt;
    listener.openwire = reading_.config.openwire;
    const bool is_listener = shape.name == "transportConnector" && blocked == nullptr;
    listener_ = is_listener ? &listener : nullptr;
    if (blocked == nullptr) policies_.begin(element, shape, property);
    attributes(element, shape, path, blocked);
    listener_ = nullptr;
    if (has_text(element)) {
      reading_.report(Severity::error, element.location, path, "text is not allowed here");
    }
    // Pabal's own elements hold defaults of others, so they are read first.
    for (const bool first : {true, false}) {
      for (const XmlElement& child : element.children) {
        if (child.name.starts_with("pabal") == first) this->property(child, shape, path, blocked);
      }
    }
    if (blocked != nullptr) return;
    complete(element, shape, property, path, std::move(listener));
    policies_.end(element, shape, property, path);
  }

 private:
  void report_element(const XmlElement& element, const std::string& path, const Standing& standing,
                      const Standing* outer) {
    Severity severity = severity_of(standing.status);
    // One guard stops the start; its parts are only named.
    if (severity == Severity::guard && outer != nullptr) severity = Severity::warning;
    reading_.report(severity, element.location, path, reason_text(standing.status, standing.why));
  }

  void attributes(const XmlElement& element, const Shape& shape, const std::string& path,
                  const Standing* blocked) {
    for (const XmlAttribute& given : element.attributes) {
      const std::string where = path + '@' + given.name;
      if (given.name_space == kSchemaInstance || given.name_space == kXml) continue;
      if (!given.name_space.empty() && !reading_.is_core(given.name_space)) {
        reading_.report(Severity::note, given.location, where,
                        "an attribute of another namespace is not read");
      } else if (const Option* option = find_option(shape.name, given.name); option != nullptr) {
        attribute(given, *option, where, blocked);
      } else if (given.name == "id") {
        reading_.report(Severity::note, given.location, where,
                        reason_text(Status::meaningless, "it names a Spring bean"));
      } else {
        reading_.report(
            Severity::error, given.location, where,
            "unknown attribute '" + given.name + "' of element '" + element.name + '\'');
      }
    }
  }

  void attribute(const XmlAttribute& given, const Option& option, const std::string& where,
                 const Standing* blocked) {
    const auto text = reading_.resolve(given.location, where, given.value);
    if (!text) return;
    auto value = parse_value(option, *text);
    if (!value) {
      reading_.report(Severity::error, given.location, where, value.error().text);
      return;
    }
    if (option.status != Status::honoured) {
      if (agrees(option, *text)) return;
      Severity severity = severity_of(option.status);
      if (severity == Severity::guard && blocked != nullptr) severity = Severity::warning;
      reading_.report(severity, given.location, where, reason_text(option.status, option.why));
      return;
    }
    if (blocked != nullptr) {
      const Severity severity = std::min(severity_of(blocked->status), Severity::warning);
      reading_.report(severity, given.location, where, reason_text(blocked->status, blocked->why));
      return;
    }
    set(given, option, *value);
  }

  void set(const XmlAttribute& given, const Option& option, const Value& value) {
    if (option.set == nullptr) return;
    Target target{reading_.config, reading_.usage, listener_, &reading_.draft};
    option.set(target, value, given.location);
    if (listener_ != nullptr) return;
    const std::string owner = option.many ? policies_.scope() : std::string(option.owner);
    reading_.record(option, owner + '@' + std::string(option.name), value, given.location);
  }

  void property(const XmlElement& child, const Shape& shape, const std::string& path,
                const Standing* outer) {
    const std::string where = path + '/' + child.name;
    if (!reading_.is_core(child.name_space)) {
      foreign(child, where, std::string(shape.name), outer);
      return;
    }
    const std::vector<std::string>* allowed = find_property(shape, child.name);
    if (allowed == nullptr) {
      reading_.report(Severity::error, child.location, where,
                      "unknown element '" + child.name + "' in '" + std::string(shape.name) + '\'');
      return;
    }
    if (allowed->front() == "!") {
      object(child, *find_shape(child.name), "", where, outer);
      return;
    }
    const std::string name = std::string(shape.name) + '.' + child.name;
    const Standing own = standing_of(name);
    const Standing* blocked = own.status == Status::honoured ? outer : &own;
    if (own.status != Status::honoured) report_element(child, where, own, outer);
    const bool anything = allowed->front() == "*";
    if (!anything) refuse_content(child, where);
    for (const XmlElement& item : child.children) {
      value_of_property(item, *allowed, name, where + '/' + item.name, blocked);
    }
  }

  /// A property element holds elements, never attributes or text.
  void refuse_content(const XmlElement& child, const std::string& where) {
    for (const XmlAttribute& given : child.attributes) {
      if (!given.name_space.empty()) continue;
      reading_.report(Severity::error, given.location, where + '@' + given.name,
                      "unknown attribute '" + given.name + "' of element '" + child.name + '\'');
    }
    if (has_text(child)) {
      reading_.report(Severity::error, child.location, where, "text is not allowed here");
    }
  }

  void value_of_property(const XmlElement& item, const std::vector<std::string>& allowed,
                         const std::string& property, const std::string& where,
                         const Standing* outer) {
    if (!reading_.is_core(item.name_space)) {
      foreign(item, where, property, outer);
      return;
    }
    const Shape* shape = find_shape(item.name);
    const bool fits = allowed.front() == "*" ||
                      std::find(allowed.begin(), allowed.end(), item.name) != allowed.end();
    if (shape != nullptr && fits) {
      object(item, *shape, property, where, outer);
    } else if (allowed.front() == "*") {
      reading_.report(Severity::error, item.location, where,
                      "unknown element '" + item.name + '\'');
    } else {
      const std::string what = shape == nullptr ? "unknown element '" : "element '";
      reading_.report(
          Severity::error, item.location, where,
          what + item.name + "' is not allowed here: " + list_of(allowed) + " expected");
    }
  }

  /// A Spring bean or the like. Among the plugins it may guard access: nobody can know.
  void foreign(const XmlElement& element, const std::string& where, const std::string& owner,
               const Standing* outer) {
    if (owner == "broker.plugins") {
      reading_.report(Severity::guard, element.location, where,
                      "a Java plugin cannot be run, and it may guard access");
      return;
    }
    if (outer != nullptr) {
      report_element(element, where, *outer, outer);
      return;
    }
    reading_.report(Severity::warning, element.location, where,
                    "not honoured: a Java object cannot be run");
  }

  /// What is more than attributes.
  void complete(const XmlElement& element, const Shape& shape, const std::string& property,
                const std::string& path, ListenerConfig listener) {
    if (shape.name == "transportConnector") {
      read_connector(reading_, element, std::move(listener), path);
    } else if (shape.name == "networkConnector") {
      read_bridge(reading_, element, path, policies_.scope());
    } else if (shape.name == "pabalOut" || shape.name == "pabalIn") {
      read_bridge_route(reading_, element, shape.name == "pabalOut", path);
    } else if (shape.name == "systemUsage") {
      reading_.usage.is_explicit = true;
    } else if (shape.name == "memoryPersistenceAdapter") {
      reading_.config.store.memory = true;
    } else if (shape.name == "pabalHttp") {
      if (const XmlAttribute* uri = element.attribute("uri"); uri != nullptr) http(*uri, path);
    } else if (shape.name == "queue" || shape.name == "topic") {
      destination(element, shape, property, path);
    }
  }

  void http(const XmlAttribute& uri, const std::string& path) {
    const std::string where = path + "@uri";
    const auto text = reading_.resolve(uri.location, where, uri.value);
    if (text) read_http_uri(reading_, uri.location, where, *text);
  }

  void destination(const XmlElement& element, const Shape& shape, const std::string& property,
                   const std::string& path) {
    const XmlAttribute* given = element.attribute("physicalName");
    if (given == nullptr) {
      reading_.report(Severity::error, element.location, path,
                      "attribute 'physicalName' is missing");
      return;
    }
    const auto text = reading_.resolve(given->location, path + "@physicalName", given->value);
    if (!text) return;
    const auto question = text->find('?');
    core::Destination destination;
    destination.kind =
        shape.name == "queue" ? core::DestinationKind::queue : core::DestinationKind::topic;
    destination.name = text->substr(0, question);
    if (PolicyReader::refers(property)) {
      policies_.reference(std::move(destination), property, given->location, path);
      return;
    }
    if (question != std::string::npos) {
      reading_.report(Severity::warning, given->location, path + "@physicalName",
                      reason_text(Status::not_yet, "options of a destination are not built"));
    }
    if (const auto valid = core::validate_destination_name(destination.name); !valid) {
      reading_.report(Severity::error, given->location, path + "@physicalName", valid.error().text);
    } else if (destination.is_pattern()) {
      reading_.report(Severity::error, given->location, path + "@physicalName",
                      "a destination to create has no wildcards");
    } else {
      Value value;
      value.text = "created";
      reading_.record(*find_option(shape.name, "physicalName"), destination.to_text(), value,
                      given->location);
      reading_.config.destinations.push_back(std::move(destination));
    }
  }

  Reading& reading_;
  PolicyReader policies_;
  ListenerConfig* listener_ = nullptr;
};

}  // namespace

std::optional<std::string> Reading::resolve(const SourceLocation& location, const std::string& path,
                                            std::string_view text) {
  auto resolved = placeholders.resolve(text);
  if (resolved) return std::move(*resolved);
  report(Severity::error, location, path, resolved.error().text);
  return std::nullopt;
}

void Reading::record(const Option& option, const std::string& path, const Value& value,
                     const SourceLocation& location) {
  Setting setting;
  setting.path = path;
  setting.reloadable = option.reloadable;
  setting.secret = option.name == "password";
  setting.location = location;
  switch (option.type) {
    case Type::boolean:
    case Type::any_case_boolean:
      setting.value = value.number != 0 ? "true" : "false";
      break;
    case Type::integer:
    case Type::milliseconds:
    case Type::memory:
      setting.value = std::to_string(value.number);
      break;
    default:
      setting.value = value.text;
  }
  // Said twice, the later one counts.
  std::erase_if(config.settings, [&](const Setting& other) { return other.path == path; });
  settings_seen.insert(path);
  config.settings.push_back(std::move(setting));
}

std::string reason_text(Status status, std::string_view why) {
  switch (status) {
    case Status::honoured:
      return std::string(why);
    case Status::not_yet:
      return "not honoured yet: " + std::string(why);
    case Status::meaningless:
      return "has no meaning in Pabal: " + std::string(why);
    case Status::guard:
      return "guards access and is not built yet: " + std::string(why);
  }
  PABAL_UNREACHABLE();
}

Severity severity_of(Status status) noexcept {
  switch (status) {
    case Status::honoured:
      return Severity::note;
    case Status::not_yet:
      return Severity::warning;
    case Status::meaningless:
      return Severity::note;
    case Status::guard:
      return Severity::guard;
  }
  PABAL_UNREACHABLE();
}

void read_broker(Reading& reading, const XmlElement& element) {
  if (reading.broker_seen) {
    reading.report(Severity::error, element.location, element.name,
                   "a second broker; the first is at " + reading.broker_location.to_text());
    return;
  }
  reading.broker_seen = true;
  reading.broker_location = element.location;
  Walker(reading).object(element, *find_shape("broker"), "", "broker", nullptr);
}

void read_stray(Reading& reading, const XmlElement& element) {
  const Shape* shape = find_shape(element.name);
  if (shape == nullptr) {
    reading.report(Severity::error, element.location, element.name,
                   "unknown element '" + element.name + '\'');
    return;
  }
  const Standing outside{shape->name, Status::meaningless, "it stands outside the broker"};
  Walker(reading).object(element, *shape, "", element.name, &outside);
}

}  // namespace pabal::server
