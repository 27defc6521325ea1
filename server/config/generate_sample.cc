#include <sstream>

#include "server/config/generate.h"
#include "server/config/option_table.h"

namespace pabal::server {
namespace {

constexpr std::size_t kWidth = 100;

/// A comment escapes nothing, but may not hold two hyphens in a row.
std::string comment_text(std::string text) {
  for (auto at = text.find("--"); at != std::string::npos; at = text.find("--")) {
    text.replace(at, 2, "- ");
  }
  return text;
}

void wrap(std::ostream& out, const std::string& text, std::size_t indent, std::size_t hanging) {
  std::istringstream words(text);
  std::string line(indent, ' ');
  bool first = true;
  for (std::string word; words >> word;) {
    if (!first && line.size() + 1 + word.size() > kWidth) {
      out << line << '\n';
      line = std::string(hanging, ' ');
      first = true;
    }
    if (!first) line += ' ';
    line += word;
    first = false;
  }
  out << line << '\n';
}

bool is_text(Type type) noexcept {
  return type == Type::text || type == Type::path || type == Type::uri;
}

/// "name (type, default x, from 1 to 10, reloadable): what it is".
std::string describe(const Option& option) {
  std::string name(option.name);
  if (name.starts_with("uri?")) name.erase(0, 4);
  std::string text = name + " (" + std::string(to_string(option.type));
  if (!option.default_text.empty()) text += ", default " + std::string(option.default_text);
  if (const std::string range = allowed(option); !range.empty() && !is_text(option.type)) {
    text += ", " + range;
  }
  if (option.reloadable) text += ", reloadable";
  return comment_text(text + "): " + std::string(option.text));
}

class Sample {
 public:
  std::string make();

 private:
  void note(const std::string& text, std::size_t indent) {
    out_ << '\n' << std::string(indent, ' ') << "<!-- ";
    std::ostringstream body;
    wrap(body, comment_text(text) + " -->", indent + 5, indent + 5);
    out_ << body.str().substr(indent + 5);
  }

  /// A comment that describes every honoured option of an element.
  void describe_options(std::string_view owner, bool uri, std::size_t indent,
                        const std::string& heading) {
    out_ << '\n' << std::string(indent, ' ') << "<!-- " << heading << '\n';
    for (const Option& option : option_rows()) {
      const bool wanted = option.owner == owner && option.status == Status::honoured &&
                          option.name.starts_with("uri?") == uri;
      if (wanted) wrap(out_, describe(option), indent + 5, indent + 9);
    }
    out_ << std::string(indent, ' ') << "-->\n";
  }

  /// An element with every honoured option at its default.
  void element(std::string_view name, std::size_t indent, std::string_view skip = {}) {
    out_ << std::string(indent, ' ') << '<' << name;
    for (const Option& option : option_rows()) {
      const bool wanted = option.owner == name && option.status == Status::honoured &&
                          !option.name.starts_with("uri?") && option.name != skip;
      if (!wanted) continue;
      out_ << '\n'
           << std::string(indent + 4, ' ') << option.name << "=\"" << option.default_text << '"';
    }
    out_ << "/>\n";
  }

  void connector(std::string_view name, std::string_view scheme, std::string_view port, bool tls) {
    out_ << "    <transportConnector name=\"" << name << "\" uri=\"" << scheme
         << "://${pabal.host:127.0.0.1}:${" << name << ".port:" << port << "}\"";
    if (tls) out_ << " pabalUnavailable=\"skip\"";
    out_ << "/>\n";
  }

  void own_element(std::string_view name, const std::string& heading) {
    describe_options(name, false, 2, heading);
    element(name, 2);
  }

  void connectors();
  void usage();
  void policies();
  void interceptors();
  void plugins();
  void destinations();

  std::ostringstream out_;
};

void Sample::connectors() {
  describe_options("transportConnector", false, 2, "Listeners.");
  describe_options("transportConnector", true, 2,
                   "Options of a connector's URI, as in stomp://127.0.0.1:61613?"
                   "maximumConnections=1000&amp;transport.defaultHeartBeat=10000,10000");
  out_ << "  <transportConnectors>\n";
  connector("openwire", "auto", "61616", false);
  connector("stomp", "stomp", "61613", false);
  connector("mqtt", "mqtt", "1883", false);
  connector("ws", "ws", "61614", false);
  connector("openwire.tls", "auto+ssl", "off", true);
  connector("stomp.tls", "stomp+ssl", "off", true);
  connector("mqtt.tls", "mqtt+ssl", "off", true);
  connector("ws.tls", "wss", "off", true);
  out_ << "  </transportConnectors>\n";
}

void Sample::usage() {
  describe_options("systemUsage", false, 2, "Limits of memory and disk: systemUsage.");
  describe_options("memoryUsage", false, 2, "memoryUsage in it.");
  describe_options("storeUsage", false, 2, "storeUsage in it.");
  describe_options("tempUsage", false, 2, "tempUsage in it.");
  out_ << R"(
  <!-- What applies when systemUsage is left out. Write it whole: what an existing systemUsage leaves
       out has no limit at all, as in ActiveMQ.
  <systemUsage>
    <systemUsage sendFailIfNoSpace="false">
      <memoryUsage>
        <memoryUsage limit="1gb"/>
      </memoryUsage>
      <storeUsage>
        <storeUsage limit="100gb"/>
      </storeUsage>
      <tempUsage>
        <tempUsage limit="50gb"/>
      </tempUsage>
    </systemUsage>
  </systemUsage>
  -->
)";
}

void Sample::policies() {
  note(
      "Policies of destinations. One entry applies as a whole: the one with the exact name, else "
      "that "
      "with the narrowest pattern. What it leaves out has the defaults below, and so has what no "
      "entry is for, unless there is a defaultEntry.",
      2);
  describe_options("policyEntry", false, 2, "policyEntry.");
  for (const std::string_view element :
       {"sharedDeadLetterStrategy", "individualDeadLetterStrategy",
        "constantPendingMessageLimitStrategy", "prefetchRatePendingMessageLimitStrategy",
        "oldestMessageEvictionStrategy", "oldestMessageWithLowestPriorityEvictionStrategy",
        "uniquePropertyMessageEvictionStrategy", "abortSlowConsumerStrategy",
        "abortSlowAckConsumerStrategy", "fixedCountSubscriptionRecoveryPolicy",
        "fixedSizedSubscriptionRecoveryPolicy", "timedSubscriptionRecoveryPolicy",
        "cachedMessageGroupMapFactory", "messageGroupHashBucketFactory"}) {
    describe_options(element, false, 2, std::string(element) + " in it.");
  }
  note(
      "Without attributes: discarding (dead letters are dropped), "
      "lastImageSubscriptionRecoveryPolicy "
      "(the last message of a topic is kept), noSubscriptionRecoveryPolicy, "
      "strictOrderDispatchPolicy, "
      "roundRobinDispatchPolicy, simpleDispatchPolicy, simpleMessageGroupMapFactory.",
      2);
  out_ << R"(
  <!-- For example:
  <destinationPolicy>
    <policyMap>
      <policyEntries>
        <policyEntry queue="orders.>" memoryLimit="64mb" pabalStoreLimit="10gb"
            gcInactiveDestinations="true" inactiveTimeoutBeforeGC="600000">
          <deadLetterStrategy>
            <individualDeadLetterStrategy queuePrefix="DLQ."/>
          </deadLetterStrategy>
        </policyEntry>
        <policyEntry topic="prices.>">
          <pendingMessageLimitStrategy>
            <constantPendingMessageLimitStrategy limit="1000"/>
          </pendingMessageLimitStrategy>
          <messageEvictionStrategy>
            <uniquePropertyMessageEvictionStrategy propertyName="STOCK"/>
          </messageEvictionStrategy>
          <slowConsumerStrategy>
            <abortSlowConsumerStrategy maxSlowDuration="60000" abortConnection="true"/>
          </slowConsumerStrategy>
          <subscriptionRecoveryPolicy>
            <lastImageSubscriptionRecoveryPolicy/>
          </subscriptionRecoveryPolicy>
        </policyEntry>
      </policyEntries>
      <defaultEntry>
        <policyEntry memoryLimit="128mb"/>
      </defaultEntry>
    </policyMap>
  </destinationPolicy>
  -->
)";
}

void Sample::interceptors() {
  note(
      "Destinations whose messages go elsewhere. With destinationInterceptors only what it lists "
      "is "
      "there; without it, what useVirtualTopics and useMirroredQueues say.",
      2);
  for (const std::string_view element : {"virtualTopic", "compositeQueue", "compositeTopic",
                                         "filteredDestination", "mirroredQueue"}) {
    describe_options(element, false, 2, std::string(element) + ".");
  }
  out_ << R"(
  <!-- For example:
  <destinationInterceptors>
    <virtualDestinationInterceptor>
      <virtualDestinations>
        <virtualTopic name="VirtualTopic.>" selectorAware="true"/>
        <compositeQueue name="orders" forwardOnly="false">
          <forwardTo>
            <topic physicalName="orders.seen"/>
            <filteredDestination queue="orders.large" selector="amount > 1000"/>
          </forwardTo>
        </compositeQueue>
      </virtualDestinations>
    </virtualDestinationInterceptor>
    <mirroredQueue/>
  </destinationInterceptors>
  -->
)";
}

void Sample::plugins() {
  note(
      "Plugins. Without redeliveryPlugin a message that a consumer refuses is a dead letter at "
      "once.",
      2);
  for (const std::string_view element :
       {"redeliveryPlugin", "redeliveryPolicy", "timeStampingBrokerPlugin",
        "forcePersistencyModeBrokerPlugin", "discardingDLQBrokerPlugin"}) {
    describe_options(element, false, 2, std::string(element) + ".");
  }
  out_ << R"(
  <!-- For example:
  <plugins>
    <redeliveryPlugin>
      <redeliveryPolicyMap>
        <redeliveryPolicyMap>
          <redeliveryPolicyEntries>
            <redeliveryPolicy queue="orders.>" maximumRedeliveries="4" initialRedeliveryDelay="5000"/>
          </redeliveryPolicyEntries>
          <defaultEntry>
            <redeliveryPolicy useExponentialBackOff="true" backOffMultiplier="2"/>
          </defaultEntry>
        </redeliveryPolicyMap>
      </redeliveryPolicyMap>
    </redeliveryPlugin>
    <timeStampingBrokerPlugin ttlCeiling="86400000"/>
    <discardingDLQBrokerPlugin dropAll="false" dropOnly="trace\..*"/>
  </plugins>
  -->
)";
}

void Sample::destinations() {
  out_ << "\n  <!-- Destinations that exist from the start (others come into being when they are "
          "used).\n";
  for (const std::string_view owner : {"queue", "topic"}) {
    const Option* option = find_option(owner, "physicalName");
    wrap(out_, std::string(owner) + ' ' + describe(*option), 7, 11);
  }
  out_ << R"(  <destinations>
    <queue physicalName="orders"/>
    <topic physicalName="prices"/>
  </destinations>
  -->
)";
}

std::string Sample::make() {
  out_ << R"(<?xml version="1.0" encoding="UTF-8"?>
<!--
  The configuration of Pabal, and the manual of every option that it honours. What is written below
  are the defaults. Element and attribute names are ActiveMQ's where ActiveMQ has the idea, so that an
  activemq.xml starts Pabal too; `pabal check FILE` says what of it is not honoured, and why.
  Elements that begin with pabal are Pabal's own. REFERENCE.md lists everything that may stand in
  such a file; pabal.xsd is its schema.

  ${name:default} is replaced by -D name=value, else the environment variable `name`, else the default.
  A port of 0 takes a free one, `off` turns the listener off. Memory sizes: 64mb, 10 MB, 1g, or bytes.
  reloadable: SIGHUP applies a change; everything else needs a restart.

  This file is made from the option table in server/config (make conf): edit that, or a copy of this.
-->
)";
  describe_options("broker", false, 0, "The broker.");
  out_ << R"(<broker xmlns="http://activemq.apache.org/schema/core"
    xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
    xsi:schemaLocation="http://activemq.apache.org/schema/core pabal.xsd")";
  for (const Option& option : option_rows()) {
    if (option.owner != "broker" || option.status != Status::honoured) continue;
    out_ << "\n    " << option.name << "=\"" << option.default_text << '"';
  }
  out_ << ">\n";
  connectors();
  own_element("pabalHttp", "Health and metrics over HTTP.");
  describe_options("kahaDB", false, 2,
                   "The store. (memoryPersistenceAdapter: none, as persistent=\"false\".)");
  out_ << "  <persistenceAdapter>\n";
  element("kahaDB", 4, "directory");
  out_ << "  </persistenceAdapter>\n";
  own_element("pabalStore", "More of the store.");
  usage();
  policies();
  interceptors();
  plugins();
  own_element("pabalLimits", "Limits of what clients can make the broker hold.");
  own_element("pabalStomp", "STOMP on every connector.");
  own_element("pabalMqtt", "MQTT on every connector.");
  own_element("pabalOpenwire", "OpenWire on every connector.");
  own_element("pabalServer", "The process.");
  destinations();
  out_ << "</broker>\n";
  return out_.str();
}

}  // namespace

std::string generate_sample() {
  return Sample().make();
}

}  // namespace pabal::server
