#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "server/config/config.h"

/// The one table of everything that may stand in a configuration file. The reader, conf/pabal.xsd,
/// conf/pabal.xml and conf/REFERENCE.md are made from it; a test keeps them equal.
///
///   Shape     an element: its attributes and, per child property, the elements that may stand
///   there
///             (ActiveMQ 5.17's schema, older releases' stores, and Pabal's own `pabal…` elements)
///   Standing  what Pabal does with a whole element or property
///   Option    what Pabal does with one attribute, or one option of a connector's URI
///
/// An attribute without an Option shares the standing of its element.
namespace pabal::server {

enum class Type : std::uint8_t {
  text,
  boolean,           ///< true, false, 1, 0
  any_case_boolean,  ///< true and false in any case
  integer,
  real,
  memory,        ///< digits and an optional unit b, k, kb, m, mb, g, gb in any case; base 1024
  milliseconds,  ///< an integer
  choice,        ///< one of Option::choices, separated by '|', in any case
  path,
  uri,
  heart_beat,  ///< "send,receive" in milliseconds
};
std::string_view to_string(Type type) noexcept;

enum class Status : std::uint8_t {
  honoured,
  not_yet,      ///< has a meaning that Pabal does not have yet
  meaningless,  ///< tunes or names something that Pabal does not have
  guard,        ///< guards access and is not built yet: `serve` refuses without --insecure
};

/// A checked value, after placeholders. Which member counts depends on the type.
struct Value {
  std::string text;
  std::int64_t number = 0;  ///< integer, memory (bytes), milliseconds, boolean; send of heart_beat
  std::int64_t second = 0;  ///< receive of heart_beat
  double real = 0;
};

/// What the reader fills in. `usage` is completed after the whole file is read.
struct UsageDraft {
  bool is_explicit = false;  ///< the file has a systemUsage: parts left out are unlimited
  bool memory_given = false;
  bool store_given = false;
  std::int64_t memory_percent = 0;
  std::int64_t store_percent = 0;
  std::int64_t store_total = 0;
  bool adjust = true;  ///< adjustUsageLimits
  SourceLocation memory_location;
  SourceLocation store_location;
};

/// What is being read of policies, interceptors and plugins. Each part is set back when an element
/// that fills it begins, and goes to EngineSettings when it ends.
struct PolicyDraft {
  struct Text {
    std::string text;
    SourceLocation location;
  };

  std::optional<core::Destination> name;  ///< what a policy, a redelivery policy or a filter is for
  SourceLocation name_location;
  core::DestinationPolicy policy;
  core::RedeliveryPolicy redelivery;
  bool dead_letter_when_exhausted = true;  ///< of redeliveryPlugin: for all its policies
  core::CompositeDestination composite;
  core::VirtualTopic virtual_topic;
  core::MirroredQueues mirrored;
  core::DiscardedDeadLetters discarded;
  core::TimeStamping time_stamping;
  bool force_persistent = false;
  std::map<std::string, Text> texts;  ///< attributes that are understood when the element ends
  bool interceptors = false;          ///< destinationInterceptors lists some: no default ones
  core::VirtualDestinations listed{{}, {}, std::nullopt};  ///< by them
  BridgeConfig bridge;
  BridgeRouteConfig route;
  bool use_virtual_topics = true;
  bool use_mirrored_queues = false;
  bool mirror_temporaries = true;
};

struct Target {
  Config& config;
  UsageDraft& usage;
  ListenerConfig* listener = nullptr;  ///< of the transportConnector being read
  PolicyDraft* draft = nullptr;        ///< never null in a setter
};
using Setter = void (*)(Target& target, const Value& value, const SourceLocation& location);

struct Option {
  std::string_view owner;  ///< element
  std::string_view name;   ///< attribute; "uri?maximumConnections" for a URI option
  Type type = Type::text;
  std::string_view default_text;
  Status status = Status::honoured;
  /// Not honoured: the values (separated by '|') that ask for what Pabal does anyway.
  std::string_view agrees;
  std::int64_t min = 0;  ///< range, inclusive, if max > min
  std::int64_t max = 0;
  std::int64_t cap = 0;  ///< a larger value is lowered to this with a warning; 0: none
  std::string_view choices;
  bool reloadable = false;
  bool many = false;      ///< its element may stand more than once, or not at all: no default
  std::string_view text;  ///< what it is, and its unit
  std::string_view why;   ///< not honoured: the reason
  Setter set = nullptr;
};

struct Shape {
  std::string_view name;
  /// Names separated by blanks; prefix ? boolean, # integer, % real, none text.
  std::string_view attributes;
  /// "property=element|element" separated by blanks; "@group" for a list with a name, "*":
  /// anything.
  std::string_view properties;
};

struct Standing {
  std::string_view name;  ///< "kahaDB" for an element, "broker.plugins" for a property
  Status status = Status::not_yet;
  std::string_view why;  ///< of a honoured element: why the attributes without a row are not
};

std::span<const Shape> shapes() noexcept;

/// Null if there is no such element. `brokerService` is another name of `broker`.
const Shape* find_shape(std::string_view element) noexcept;
/// The elements that may stand in a property of `shape`; null if it has no such property. An entry
/// "*" allows anything.
const std::vector<std::string>* find_property(const Shape& shape, std::string_view property);
/// Names of the properties, in order.
std::vector<std::string> property_names(const Shape& shape);

/// All options of an element, the ones without a row of their own included (status and reason of
/// the element). In the order of the table, then of the shape. URI options are not among them.
std::vector<Option> options_of(const Shape& shape);
const Option* find_option(std::string_view owner, std::string_view name) noexcept;
/// Every row of the table proper, URI options included, in the order of presentation.
const std::vector<Option>& option_rows();

/// What Pabal does with an element, or with "owner.property". If nothing is said about it: an
/// element is not built, a property is judged by what stands in it.
Standing standing_of(std::string_view name) noexcept;

/// The range or the choices, for people: "from 1 to 10", "ALWAYS, PERIODIC or NEVER"; empty: any.
std::string allowed(const Option& option);

/// The parts of the table, in files of their own.
std::span<const Option> broker_options() noexcept;
std::span<const Option> connector_options() noexcept;
std::span<const Option> store_options() noexcept;
std::span<const Option> pabal_options() noexcept;
std::span<const Option> policy_options() noexcept;
std::span<const Option> virtual_options() noexcept;
std::span<const Option> other_options() noexcept;

}  // namespace pabal::server
