#include "server/cli/bench/scenario.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <unistd.h>

#include "server/cli/bench/body.h"

namespace pabal::cli::bench {

namespace {

/// Packet ids are 16 bits, and some are always free.
constexpr unsigned kMqttWindowMax = 60'000;

/// Options that mean something in one protocol only.
Outcome<void> check_protocol(const Arguments& arguments, const Scenario& scenario) {
  constexpr const char* kOnlyStomp[] = {"persistent",        "transaction", "ack",
                                        "priority",          "buckets",     "idle-selectors",
                                        "no-content-length", "virtual-host"};
  constexpr const char* kOnlyMqtt[] = {"qos", "retain", "share", "mqtt-version"};
  const auto check = [&](const auto& names, std::string_view protocol) -> Outcome<void> {
    for (const char* const name : names) {
      if (!arguments.given(name)) continue;
      return Failure{ExitCode::usage,
                     "--" + std::string(name) + " is for " + std::string(protocol)};
    }
    return {};
  };
  return scenario.mqtt ? check(kOnlyStomp, "STOMP") : check(kOnlyMqtt, "MQTT");
}

Outcome<void> check_combination(const Arguments& arguments, const Scenario& scenario) {
  const auto wrong = [](std::string text) { return Failure{ExitCode::usage, std::move(text)}; };
  const bool nobody = scenario.producers == 0 && scenario.consumers == 0;
  if (nobody && scenario.idle == 0) {
    return wrong("nobody sends and nobody receives: give --producers or --consumers");
  }
  if (scenario.producers == 0 && scenario.topic && !scenario.durable && !scenario.retain &&
      !nobody) {
    return wrong("a topic keeps nothing that could be drained: give --producers");
  }
  if (scenario.producers == 0 && !arguments.given("count") && !nobody) {
    return wrong("draining needs --count: how many messages are there?");
  }
  if (arguments.given("count") && arguments.given("duration")) {
    return wrong("--count and --duration exclude each other");
  }
  if (scenario.rate > 0 && scenario.transaction > 0) {
    return wrong("--rate and --transaction exclude each other");
  }
  if (scenario.producers != 0 && scenario.count != 0 && scenario.count < scenario.producers) {
    return wrong("--count must be at least the number of producers");
  }
  if (scenario.consumers != 0 && scenario.consumers < scenario.destinations.size()) {
    return wrong("--destinations needs as many --consumers, or none: each consumer has one");
  }
  const unsigned busy = scenario.consumers - std::min(scenario.consumers, scenario.idle_selectors);
  if (scenario.producers != 0 && scenario.consumers != 0 && busy < std::max(1U, scenario.buckets)) {
    return wrong("each bucket needs a consumer, beside those with --idle-selectors");
  }
  if (scenario.buckets + scenario.idle_selectors > 0 && scenario.topic) {
    return wrong("--buckets and --idle-selectors are for queues");
  }
  if (scenario.durable && !scenario.topic) return wrong("--durable is for topics");
  if (scenario.offline && (!scenario.durable || scenario.producers == 0)) {
    return wrong("--offline needs --durable and --producers");
  }
  if (scenario.in_flight > 0 &&
      (scenario.threads > 1 || scenario.consumers == 0 || scenario.offline)) {
    return wrong("--in-flight needs --consumers, and one thread that sees what they receive");
  }
  if (scenario.in_flight > 0 && scenario.in_flight < scenario.producers) {
    return wrong("--in-flight must be at least the number of producers");
  }
  if (scenario.in_flight > 0 && scenario.consumers % scenario.destinations.size() != 0) {
    return wrong("--in-flight needs as many consumers for each destination");
  }
  if (scenario.threads > std::max(1U, scenario.producers + scenario.consumers)) {
    return wrong("there are more --threads than connections");
  }
  return {};
}

}  // namespace

unsigned Scenario::copies() const noexcept {
  return topic ? std::max(1U, consumers / static_cast<unsigned>(destinations.size())) : 1;
}

std::uint64_t Scenario::in_flight_of(unsigned producer) const noexcept {
  if (in_flight == 0) return 0;
  return in_flight / producers + (producer < in_flight % producers ? 1 : 0);
}

std::vector<std::string> Scenario::destinations_of(unsigned producer) const {
  if (producers >= destinations.size()) return {destinations[producer % destinations.size()]};
  std::vector<std::string> mine;
  for (std::size_t i = producer; i < destinations.size(); i += producers) {
    mine.push_back(destinations[i]);
  }
  return mine;
}

std::uint64_t Scenario::units_of(unsigned producer) const noexcept {
  if (count == 0) return std::numeric_limits<std::uint64_t>::max();
  const std::uint64_t share = count / producers + (producer < count % producers ? 1 : 0);
  return (share + unit() - 1) / unit();
}

namespace {

void read_mqtt(const Arguments& arguments, Scenario& scenario) {
  scenario.mqtt_level = arguments.text("mqtt-version") == "5" ? 5 : 4;
  scenario.qos = static_cast<unsigned>(arguments.number("qos"));
  scenario.retain = arguments.flag("retain");
  scenario.share = arguments.text("share");
  scenario.topic = scenario.share.empty() && !scenario.destinations[0].starts_with("$queue/");
  scenario.window = scenario.qos == 0      ? 0
                    : scenario.window == 0 ? kMqttWindowMax
                                           : std::min(scenario.window, kMqttWindowMax);
}

}  // namespace

Outcome<Scenario> read_scenario(const Arguments& arguments) {
  Scenario scenario;
  const std::string url = arguments.text("url");
  scenario.mqtt = url.starts_with("mqtt://");
  const auto endpoint = scenario.mqtt ? parse_url(url, "mqtt", 1883) : parse_url(url);
  if (!endpoint) return endpoint.error();
  scenario.endpoint = *endpoint;
  scenario.connect.login = arguments.text("login");
  scenario.connect.passcode = arguments.text("passcode");
  scenario.connect.virtual_host = arguments.text("virtual-host");

  const auto number = [&](std::string_view name) {
    return static_cast<unsigned>(arguments.number(name));
  };
  const bool named = arguments.given("destination") || !scenario.mqtt;
  const std::string name = named ? arguments.text("destination") : "pabal/bench";
  const unsigned destinations = number("destinations");
  const std::size_t digits = std::to_string(destinations - 1).size();
  for (unsigned i = 0; i < destinations; ++i) {
    const std::string index = std::to_string(i);
    scenario.destinations.push_back(destinations == 1
                                        ? name
                                        : name + (scenario.mqtt ? "/" : ".") +
                                              std::string(digits - index.size(), '0') + index);
  }
  scenario.idle = number("idle");
  scenario.topic = name.find("/topic/") != std::string::npos ||
                   name.find("/exchange/amq.topic/") != std::string::npos;
  // With --idle, others are there only if they are asked for.
  const bool asked = scenario.idle == 0;
  scenario.producers = asked || arguments.given("producers") ? number("producers") : 0;
  scenario.consumers = asked || arguments.given("consumers") ? number("consumers") : 0;
  scenario.threads = number("threads");
  scenario.duration_seconds = arguments.seconds("duration");
  scenario.count = arguments.given("count")      ? arguments.number("count")
                   : arguments.given("duration") ? 0
                                                 : 100'000;
  scenario.body_size = arguments.number("size");
  scenario.persistent = arguments.text("persistent") == "true";
  scenario.content_length = !arguments.flag("no-content-length");
  scenario.transaction = number("transaction");
  scenario.rate = static_cast<double>(arguments.number("rate"));
  scenario.window = arguments.given("window")  ? number("window")
                    : scenario.transaction > 0 ? 1
                    : scenario.rate > 0        ? 0
                                               : number("window");
  const std::string ack = arguments.text("ack");
  scenario.ack = ack == "auto"     ? AckMode::automatic
                 : ack == "client" ? AckMode::client
                                   : AckMode::individual;
  scenario.prefetch = number("prefetch");
  scenario.priorities = arguments.text("priority") == "mixed";
  if (!scenario.priorities) {
    scenario.priority = static_cast<unsigned>(arguments.text("priority")[0] - '0');
  }
  scenario.buckets = number("buckets");
  scenario.idle_selectors = number("idle-selectors");
  scenario.durable = arguments.flag("durable");
  scenario.offline = arguments.flag("offline");
  scenario.in_flight = number("in-flight");
  if (scenario.mqtt) read_mqtt(arguments, scenario);
  scenario.timeout_seconds = arguments.seconds("timeout");
  scenario.broker_pid = static_cast<int>(arguments.number("broker-pid"));
  const auto now = std::chrono::steady_clock::now().time_since_epoch().count();
  scenario.nonce = static_cast<std::uint32_t>(now ^ (std::int64_t{::getpid()} << 20)) | 1;
  scenario.run = scenario.producers > 0 ? scenario.nonce : 0;
  if (auto checked = check_protocol(arguments, scenario); !checked) return checked.error();
  if (auto checked = check_combination(arguments, scenario); !checked) return checked.error();
  return scenario;
}

}  // namespace pabal::cli::bench
