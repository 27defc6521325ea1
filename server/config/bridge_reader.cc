#include <algorithm>
#include <string>

#include "protocols/mqtt/bridge.h"
#include "protocols/mqtt/topic_names.h"
#include "server/config/option_table.h"
#include "server/config/reading.h"
#include "server/config/uri.h"
#include "server/config/values.h"

/// networkConnectors to MQTT brokers.
namespace pabal::server {
namespace {

constexpr std::uint16_t kMqttPort = 1883;

std::string remote_filter(const BridgeRouteConfig& route) {
  return route.remote_prefix + route.topic;
}
std::string local_filter(const BridgeRouteConfig& route) {
  return route.local_prefix + route.topic;
}

void read_query(Reading& reading, const Uri& uri, const SourceLocation& location,
                const std::string& path, const std::string& scope) {
  for (const std::string_view item : split(uri.query, '&')) {
    if (item.empty()) continue;
    const auto equals = item.find('=');
    const std::string name = decode_percent(item.substr(0, equals));
    const std::string text =
        equals == std::string_view::npos ? "" : decode_percent(item.substr(equals + 1));
    const std::string where = path + '?' + name;
    const Option* option = find_option("networkConnector", "uri?" + name);
    if (option == nullptr) {
      reading.report(Severity::warning, location, where,
                     "unknown option of a bridge; it is ignored");
      continue;
    }
    const auto value = parse_value(*option, text);
    if (!value) {
      reading.report(Severity::error, location, where, value.error().text);
      continue;
    }
    Target target{reading.config, reading.usage, nullptr, &reading.draft};
    option->set(target, *value, location);
    reading.record(*option, scope + '@' + std::string(option->name), *value, location);
  }
}

/// Two routes of one direction must not forward the same message twice.
void check_apart(Reading& reading, const std::vector<BridgeRouteConfig>& routes, bool out,
                 const std::string& path) {
  for (std::size_t i = 0; i < routes.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      const auto filter = out ? local_filter : remote_filter;
      if (!mqtt::filters_overlap(filter(routes[i]), filter(routes[j]))) continue;
      reading.report(Severity::error, routes[i].location, path,
                     "the topic '" + filter(routes[i]) + "' overlaps with '" + filter(routes[j]) +
                         "' at " + routes[j].location.to_text() +
                         ": messages would be forwarded twice");
    }
  }
}

/// Before 5.0 a subscriber cannot tell a broker to keep its own messages from it.
void check_no_loops(Reading& reading, const BridgeConfig& bridge, const std::string& path) {
  if (bridge.version_5) return;
  for (const auto& in : bridge.in) {
    for (const auto& out : bridge.out) {
      if (!mqtt::filters_overlap(remote_filter(in), remote_filter(out))) continue;
      reading.report(Severity::error, in.location, path,
                     "with version=3.1.1 the other broker would send back what comes by the "
                     "pabalOut at " +
                         out.location.to_text() +
                         ": use version=5, or topics that do not overlap there");
    }
  }
}

void check_name(Reading& reading, const BridgeConfig& bridge, const std::string& path) {
  for (const BridgeConfig& other : reading.config.bridges) {
    if (other.name != bridge.name) continue;
    reading.report(
        Severity::error, bridge.location, path + "@name",
        "the name '" + bridge.name + "' is taken by the bridge at " + other.location.to_text());
  }
}

}  // namespace

bool is_bridge(Reading& reading, const XmlElement& element) {
  const XmlAttribute* given = element.attribute("uri");
  if (given == nullptr) return false;
  const auto text = reading.placeholders.resolve(given->value);
  return text && trim(*text).starts_with("mqtt");
}

void read_bridge_route(Reading& reading, const XmlElement& element, bool out,
                       const std::string& path) {
  BridgeRouteConfig& route = reading.draft.route;
  route.location = element.location;
  const auto error = [&](const std::string& text) {
    reading.report(Severity::error, element.location, path, text);
  };
  if (element.attribute("topic") == nullptr) return error("attribute 'topic' is missing");
  for (const std::string& prefix : {route.local_prefix, route.remote_prefix}) {
    if (!prefix.empty() && !mqtt::is_topic_name(prefix)) {
      return error("a prefix has no wildcards: '" + prefix + '\'');
    }
  }
  for (const std::string& filter : {local_filter(route), remote_filter(route)}) {
    if (!mqtt::is_topic_filter(filter)) return error('\'' + filter + "' is no topic filter");
    if (mqtt::is_shared(filter)) return error("a bridge has no shared subscriptions");
  }
  if (out && local_filter(route).starts_with('$')) {
    return error("only topics go out, and none of the broker's own: '" + local_filter(route) +
                 '\'');
  }
  (out ? reading.draft.bridge.out : reading.draft.bridge.in).push_back(route);
}

void read_bridge(Reading& reading, const XmlElement& element, const std::string& path,
                 const std::string& scope) {
  BridgeConfig& bridge = reading.draft.bridge;
  bridge.location = element.location;
  const XmlAttribute* given = element.attribute("uri");
  const std::string where = path + "@uri";
  const auto text = reading.placeholders.resolve(given->value);
  if (!text) return;
  const auto uri = split_uri(trim(*text));
  if (uri && uri->scheme != "mqtt" && uri->scheme.starts_with("mqtt")) {
    reading.report(Severity::guard, given->location, where,
                   reason_text(Status::guard, "TLS is not built"));
    return;
  }
  const auto port = uri && !uri->port.empty() ? parse_port(uri->port) : Port{false, kMqttPort};
  if (!uri || uri->host.empty() || !port || (!port->off && port->number == 0)) {
    reading.report(Severity::error, given->location, where,
                   "not a URI such as mqtt://broker.example:1883");
    return;
  }
  if (uri->has_user) {
    reading.report(Severity::error, given->location, where,
                   "user name and password do not stand in a URI, which is shown: they have the "
                   "attributes userName and password");
    return;
  }
  if (port->off) return;
  bridge.host = uri->host;
  bridge.port = port->number;
  read_query(reading, *uri, given->location, where, scope);
  Value address;
  address.text = "mqtt://" + bridge.host + ':' + std::to_string(bridge.port);
  reading.record(*find_option("networkConnector", "uri"), scope + "@uri", address, given->location);
  if (bridge.name.empty()) {
    reading.report(Severity::error, element.location, path,
                   "attribute 'name' is missing: what waits for a bridge is kept under it");
    return;
  }
  check_name(reading, bridge, path);
  const bool names_routes = std::any_of(
      element.children.begin(), element.children.end(),
      [](const XmlElement& child) { return child.name == "pabalOut" || child.name == "pabalIn"; });
  if (!names_routes) {
    reading.report(Severity::warning, element.location, path,
                   "it forwards nothing: it has neither pabalOut nor pabalIn");
  }
  check_apart(reading, bridge.out, true, path);
  check_apart(reading, bridge.in, false, path);
  check_no_loops(reading, bridge, path);
  reading.config.bridges.push_back(bridge);
}

}  // namespace pabal::server
