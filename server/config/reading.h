#pragma once

#include <set>
#include <string>
#include <vector>

#include "server/config/config.h"
#include "server/config/option_table.h"
#include "server/config/placeholders.h"
#include "server/config/xml_document.h"

/// The reader of a configuration, in its parts: beans.cc (the Spring side: imports, placeholders,
/// jetty), broker_reader.cc (walks the broker by the option table), connector_reader.cc (URIs),
/// finish.cc (directories, limits against the machine, HTTP).
namespace pabal::server {

inline constexpr std::string_view kCoreNamespace = "http://activemq.apache.org/schema/core";
inline constexpr std::string_view kOldCoreNamespace = "http://activemq.org/config/1.0";
inline constexpr std::string_view kBeansNamespace = "http://www.springframework.org/schema/beans";

/// Message groups with an owner at a time of a factory that sets no bound.
inline constexpr std::uint32_t kSimpleGroupsMax = 1'000'000;

/// A port as written: a number, or off.
struct Port {
  bool off = false;
  std::uint16_t number = 0;
};

/// What jetty.xml says.
struct WebConsole {
  bool found = false;
  std::string host;
  std::string port;
  SourceLocation location;
  bool login = false;  ///< asks for a login
  SourceLocation login_location;
};

/// Everything known while one configuration is read. Errors gather in the findings, so that all of
/// them are named.
struct Reading {
  explicit Reading(const LoadOptions& load_options)
      : options(load_options), placeholders(load_options.definitions) {}

  const LoadOptions& options;
  Placeholders placeholders;
  Config config;
  UsageDraft usage;
  PolicyDraft draft = {};
  WebConsole console;
  bool http_given = false;  ///< a pabalHttp uri was read
  bool broker_seen = false;
  SourceLocation broker_location;
  bool bare_core = false;  ///< the root is a broker without a namespace
  std::vector<Finding> findings;
  std::set<std::string> settings_seen;

  void report(Severity severity, const SourceLocation& location, std::string path,
              std::string text) {
    findings.push_back({location, severity, std::move(path), std::move(text)});
  }
  /// Resolves placeholders; reports what cannot be, and answers nullopt.
  std::optional<std::string> resolve(const SourceLocation& location, const std::string& path,
                                     std::string_view text);
  /// Remembers an honoured option for diff().
  void record(const Option& option, const std::string& path, const Value& value,
              const SourceLocation& location);
  [[nodiscard]] bool is_core(const std::string& name_space) const {
    return name_space == kCoreNamespace || name_space == kOldCoreNamespace ||
           (bare_core && name_space.empty());
  }
};

/// Reads the document at `path` (already `text`), whose root is `beans` or `broker`.
void read_document(Reading& reading, const std::string& text, const std::string& path, int depth);

void read_broker(Reading& reading, const XmlElement& element);
/// An element of the core namespace that stands outside the broker.
void read_stray(Reading& reading, const XmlElement& element);

/// Completes `listener` from its `uri` and puts it into the configuration.
void read_connector(Reading& reading, const XmlElement& element, ListenerConfig listener,
                    const std::string& path);
/// Whether a networkConnector is a bridge to an MQTT broker: others are not built.
bool is_bridge(Reading& reading, const XmlElement& element);
/// Completes the bridge of the draft from its `uri` and puts it into the configuration. `scope`:
/// where its settings stand.
void read_bridge(Reading& reading, const XmlElement& element, const std::string& path,
                 const std::string& scope);
/// Puts the route of the draft (a pabalOut or pabalIn) into the bridge of the draft.
void read_bridge_route(Reading& reading, const XmlElement& element, bool out,
                       const std::string& path);
/// pabalHttp's uri.
void read_http_uri(Reading& reading, const SourceLocation& location, const std::string& path,
                   const std::string& uri);
/// "off" or 0 to 65535.
std::optional<Port> parse_port(std::string_view text) noexcept;

void finish(Reading& reading);

/// The finding for something that is not honoured.
std::string reason_text(Status status, std::string_view why);
Severity severity_of(Status status) noexcept;

}  // namespace pabal::server
