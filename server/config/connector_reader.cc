#include <algorithm>
#include <array>

#include "server/config/reading.h"
#include "server/config/uri.h"
#include "server/config/values.h"

namespace pabal::server {
namespace {

struct Scheme {
  std::string_view name;
  Protocol protocol;
  bool tls;
  bool port;  ///< listens on one port
};

/// What ActiveMQ knows, and its OpenWire ports, which detect other protocols here.
constexpr std::array kSchemes = {
    Scheme{"tcp", Protocol::automatic, false, true},
    Scheme{"nio", Protocol::automatic, false, true},
    Scheme{"auto", Protocol::automatic, false, true},
    Scheme{"auto+nio", Protocol::automatic, false, true},
    Scheme{"ssl", Protocol::automatic, true, true},
    Scheme{"nio+ssl", Protocol::automatic, true, true},
    Scheme{"auto+ssl", Protocol::automatic, true, true},
    Scheme{"auto+nio+ssl", Protocol::automatic, true, true},
    Scheme{"openwire", Protocol::openwire, false, true},
    Scheme{"stomp", Protocol::stomp, false, true},
    Scheme{"stomp+nio", Protocol::stomp, false, true},
    Scheme{"stomp+ssl", Protocol::stomp, true, true},
    Scheme{"stomp+nio+ssl", Protocol::stomp, true, true},
    Scheme{"mqtt", Protocol::mqtt, false, true},
    Scheme{"mqtt+nio", Protocol::mqtt, false, true},
    Scheme{"mqtt+ssl", Protocol::mqtt, true, true},
    Scheme{"mqtt+nio+ssl", Protocol::mqtt, true, true},
    Scheme{"amqp", Protocol::amqp, false, true},
    Scheme{"amqp+nio", Protocol::amqp, false, true},
    Scheme{"amqp+ssl", Protocol::amqp, true, true},
    Scheme{"amqp+nio+ssl", Protocol::amqp, true, true},
    Scheme{"ws", Protocol::websocket, false, true},
    Scheme{"wss", Protocol::websocket, true, true},
    Scheme{"http", Protocol::other, false, true},
    Scheme{"https", Protocol::other, true, true},
    Scheme{"udp", Protocol::other, false, true},
    Scheme{"vm", Protocol::other, false, false},
    Scheme{"multicast", Protocol::other, false, false},
    Scheme{"peer", Protocol::other, false, false},
};

/// Reads the options of one connector's URI by the option table.
class QueryReader {
 public:
  QueryReader(Reading& reading, ListenerConfig& listener, const SourceLocation& location,
              std::string path)
      : reading_(reading), listener_(listener), location_(location), path_(std::move(path)) {}

  void read(std::string_view query) {
    for (const std::string_view item : split(query, '&')) {
      if (item.empty()) continue;
      const auto equals = item.find('=');
      const std::string name = decode_percent(item.substr(0, equals));
      const std::string value =
          equals == std::string_view::npos ? "" : decode_percent(item.substr(equals + 1));
      one(name, value);
    }
  }

 private:
  void one(const std::string& name, const std::string& text) {
    const std::string where = path_ + '?' + name;
    const Option* option = find_option("transportConnector", "uri?" + name);
    if (option == nullptr) {
      reading_.report(Severity::warning, location_, where,
                      "unknown option of a connector; it is ignored, as ActiveMQ does");
      return;
    }
    auto value = parse_value(*option, text);
    if (!value) {
      reading_.report(Severity::error, location_, where, value.error().text);
      return;
    }
    if (option->status != Status::honoured) {
      if (agrees(*option, text)) return;
      reading_.report(severity_of(option->status), location_, where,
                      reason_text(option->status, option->why));
      return;
    }
    if (option->cap != 0 && value->number > option->cap) {
      value->number = option->cap;
      reading_.report(Severity::warning, location_, where,
                      "lowered to " + memory_text(option->cap) +
                          ", so that no peer can make the broker allocate more");
    }
    Target target{reading_.config, reading_.usage, &listener_};
    option->set(target, *value, location_);
    reading_.record(*option,
                    "transportConnector[" + listener_.name + "]@" + std::string(option->name),
                    *value, location_);
  }

  Reading& reading_;
  ListenerConfig& listener_;
  const SourceLocation& location_;
  std::string path_;
};

/// The name in the `pabal ready` line if the file gives none.
std::string default_name(const Reading& reading, const Scheme& scheme) {
  const bool openwire = scheme.protocol == Protocol::automatic;
  std::string name =
      openwire ? (scheme.tls ? "openwire.tls" : "openwire") : std::string(scheme.name);
  const auto taken = [&](const std::string& candidate) {
    return std::any_of(reading.config.listeners.begin(), reading.config.listeners.end(),
                       [&](const ListenerConfig& other) { return other.name == candidate; });
  };
  const std::string base = name;
  for (int i = 2; taken(name); ++i) name = base + '-' + std::to_string(i);
  return name;
}

void check_name(Reading& reading, const ListenerConfig& listener, const std::string& path) {
  const auto plain = [](char c) {
    return static_cast<unsigned char>(c) > ' ' && c != '=' && c != 0x7F;
  };
  if (!std::all_of(listener.name.begin(), listener.name.end(), plain)) {
    reading.report(Severity::error, listener.location, path + "@name",
                   "a name has no blanks and no '='");
  }
  for (const ListenerConfig& other : reading.config.listeners) {
    if (other.name != listener.name) continue;
    reading.report(Severity::error, listener.location, path + "@name",
                   "the name '" + listener.name + "' is taken by the connector at " +
                       other.location.to_text());
  }
}

/// Decides whether the listener is opened, and says why not.
void judge_protocol(Reading& reading, ListenerConfig& listener, const Scheme& scheme,
                    bool skip_unavailable, const SourceLocation& location,
                    const std::string& path) {
  const auto close = [&](Severity severity, std::string why) {
    listener.open = false;
    listener.closed_because = why;
    reading.report(severity, location, path, why + "; the port is not opened");
  };
  if (scheme.tls) {
    if (skip_unavailable) {
      close(Severity::warning, "not honoured yet: TLS is not built");
    } else {
      close(Severity::guard, reason_text(Status::guard, "TLS is not built"));
    }
    return;
  }
  switch (scheme.protocol) {
    case Protocol::automatic:
    case Protocol::openwire:
    case Protocol::stomp:
    case Protocol::mqtt:
    case Protocol::websocket:
      return;
    case Protocol::amqp:
      close(Severity::warning, "not honoured yet: AMQP is not built");
      return;
    case Protocol::other:
      close(Severity::warning, "not honoured yet: connectors of scheme '" +
                                   std::string(scheme.name) + "' are not built");
      return;
  }
}

bool same_address(const std::string& a, const std::string& b) {
  const auto any = [](const std::string& host) { return host == "0.0.0.0" || host == "::"; };
  const auto plain = [](const std::string& host) {
    return host == "localhost" ? "127.0.0.1" : host;
  };
  return any(a) || any(b) || plain(a) == plain(b);
}

void check_port_is_free(Reading& reading, const ListenerConfig& listener,
                        const SourceLocation& location, const std::string& path) {
  if (!listener.open || listener.port == 0) return;
  for (const ListenerConfig& other : reading.config.listeners) {
    if (!other.open || other.port != listener.port) continue;
    if (!same_address(other.host, listener.host)) continue;
    reading.report(Severity::error, location, path,
                   "port " + std::to_string(listener.port) + " is taken by the connector at " +
                       other.location.to_text());
  }
}

}  // namespace

std::optional<Port> parse_port(std::string_view text) noexcept {
  text = trim(text);
  if (equal_ignoring_case(text, "off")) return Port{true, 0};
  const auto number = parse_integer(text);
  if (!number || *number < 0 || *number > 65'535) return std::nullopt;
  return Port{false, static_cast<std::uint16_t>(*number)};
}

void read_connector(Reading& reading, const XmlElement& element, ListenerConfig listener,
                    const std::string& path) {
  const XmlAttribute* given = element.attribute("uri");
  if (given == nullptr) {
    reading.report(Severity::error, element.location, path, "attribute 'uri' is missing");
    return;
  }
  const std::string where = path + "@uri";
  // What resolve() or the range has to say was said when the attribute was checked.
  const auto text = reading.placeholders.resolve(given->value);
  if (!text) return;
  const auto uri = split_uri(trim(*text));
  const auto scheme = std::find_if(kSchemes.begin(), kSchemes.end(), [&](const Scheme& candidate) {
    return uri && candidate.name == uri->scheme;
  });
  if (!uri || scheme == kSchemes.end()) {
    reading.report(Severity::error, given->location, where,
                   uri ? "unknown scheme '" + uri->scheme +
                             "': tcp, nio, ssl, auto, openwire, stomp, mqtt, amqp or ws expected, "
                             "with +nio and +ssl"
                       : "not a URI such as stomp://127.0.0.1:61613");
    return;
  }
  const auto port = parse_port(uri->port);
  if (!port && scheme->port) {
    reading.report(Severity::error, given->location, where,
                   "port '" + uri->port +
                       "' is not allowed: a number from 0 to 65535 or off "
                       "expected");
    return;
  }
  if (port && port->off) return;
  if (listener.name.empty()) listener.name = default_name(reading, *scheme);
  listener.scheme = scheme->name;
  listener.protocol = scheme->protocol;
  listener.tls = scheme->tls;
  listener.host = uri->host.empty() ? "127.0.0.1" : uri->host;
  listener.port = port ? port->number : 0;
  check_name(reading, listener, path);
  const XmlAttribute* skip = element.attribute("pabalUnavailable");
  judge_protocol(reading, listener, *scheme,
                 skip != nullptr && equal_ignoring_case(trim(skip->value), "skip"), given->location,
                 where);
  check_port_is_free(reading, listener, given->location, where);
  QueryReader(reading, listener, given->location, where).read(uri->query);
  Value address;
  address.text = uri->scheme + "://" + listener.host + ':' + std::to_string(listener.port);
  reading.record(*find_option("transportConnector", "uri"),
                 "transportConnector[" + listener.name + "]@uri", address, given->location);
  reading.config.listeners.push_back(std::move(listener));
}

void read_http_uri(Reading& reading, const SourceLocation& location, const std::string& path,
                   const std::string& text) {
  reading.http_given = true;
  HttpSettings& http = reading.config.http;
  const auto uri = split_uri(trim(text));
  if (!uri || uri->scheme != "http") {
    reading.report(uri && uri->scheme == "https" ? Severity::guard : Severity::error, location,
                   path,
                   uri && uri->scheme == "https" ? reason_text(Status::guard, "TLS is not built")
                                                 : "not a URI such as http://127.0.0.1:8161");
    return;
  }
  const auto port = parse_port(uri->port);
  if (!port) {
    reading.report(
        Severity::error, location, path,
        "port '" + uri->port + "' is not allowed: a number from 0 to 65535 or off expected");
    return;
  }
  if (!uri->query.empty()) {
    reading.report(Severity::warning, location, path, "options of this URI are not read");
  }
  http.enabled = !port->off;
  http.host = uri->host.empty() ? "127.0.0.1" : uri->host;
  http.port = port->number;
  http.location = location;
  Value value;
  value.text = text;
  reading.record(*find_option("pabalHttp", "uri"), "pabalHttp@uri", value, location);
}

}  // namespace pabal::server
