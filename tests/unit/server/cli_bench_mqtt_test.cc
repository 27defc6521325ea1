#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/cli/bench/body.h"
#include "server/cli/bench/options.h"
#include "server/cli/bench/wire.h"

// What `pabal bench` says and hears in MQTT, byte by byte. That it finds loss, duplicates and
// disorder is shown over STOMP in cli_bench_test.cc: the code is the same. Whole runs are in
// tests/system/bench_mqtt_test.py.

namespace pabal::cli::bench {
namespace {

using namespace std::string_literals;
using Kind = Event::Kind;

Outcome<Scenario> scenario(std::vector<std::string> words) {
  words.insert(words.end(), {"--url", "mqtt://127.0.0.1"});
  const auto arguments = Arguments::parse(kBenchOptions, words);
  if (!arguments) return arguments.error();
  return read_scenario(*arguments);
}

Scenario good_scenario(std::vector<std::string> words) {
  auto read = scenario(std::move(words));
  PABAL_CHECK(read, read ? "" : read.error().text.c_str());
  return *read;
}

/// A wire, and what was heard last.
struct Heard {
  explicit Heard(const std::vector<std::string>& words, Role role, unsigned index = 0)
      : what(good_scenario(words)), wire(make_wire(what, role, index)) {}

  Kind hear(const std::string& bytes) {
    kept = bytes;
    event = wire->next(kept, replies);
    return event.kind;
  }
  std::string take_replies() { return std::exchange(replies, {}); }

  Scenario what;
  std::unique_ptr<Wire> wire;
  std::string kept;
  std::string replies;
  Event event;
};

TEST(MqttScenarioTest, ReadsTheOptionsOfMqtt) {
  const Scenario plain = good_scenario({});
  EXPECT_TRUE(plain.mqtt);
  EXPECT_EQ(plain.endpoint.port, 1883);
  EXPECT_TRUE(plain.topic);
  EXPECT_THAT(plain.destinations, ::testing::ElementsAre("pabal/bench"));
  EXPECT_EQ(plain.window, 100u);
  EXPECT_EQ(good_scenario({"--qos", "0"}).window, 0u);
  EXPECT_EQ(good_scenario({"--window", "0"}).window, 60'000u);
  const Scenario pairs = good_scenario(
      {"-p", "3", "-c", "6", "--destinations", "3", "--in-flight", "10", "--mqtt-version", "5"});
  EXPECT_EQ(pairs.mqtt_level, 5u);
  EXPECT_EQ(pairs.destinations[2], "pabal/bench/2");
  EXPECT_EQ(pairs.copies(), 2u);
  EXPECT_EQ(pairs.in_flight_of(0), 4u);
  EXPECT_EQ(pairs.in_flight_of(2), 3u);
  EXPECT_FALSE(good_scenario({"--share", "g"}).topic);
  EXPECT_FALSE(good_scenario({"-d", "$queue/q"}).topic);
  const Scenario idle = good_scenario({"--idle", "100"});
  EXPECT_EQ(idle.producers + idle.consumers, 0u);
}

TEST(MqttScenarioTest, RefusesWhatMakesNoSense) {
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"--transaction", "5"},
                                             {"--ack", "client"},
                                             {"--offline"},
                                             {"--in-flight", "5", "--threads", "2", "-p", "2"},
                                             {"--in-flight", "5", "-c", "0"},
                                             {"--in-flight", "2", "-p", "3"},
                                             {"--in-flight", "9", "-c", "3", "--destinations", "2"},
                                             {"--qos", "3"},
                                             {"-p", "0", "-n", "5"}}) {
    const auto read = scenario(words);
    ASSERT_FALSE(read) << words[0];
    EXPECT_EQ(read.error().exit_code, ExitCode::usage);
  }
  const auto stomp =
      Arguments::parse(kBenchOptions, std::vector<std::string>{"--retain", "--qos", "1"});
  ASSERT_TRUE(stomp);
  EXPECT_FALSE(read_scenario(*stomp));
}

TEST(MqttWireTest, LogsIn) {
  const Heard durable({"--durable"}, Role::consumer, 7);
  EXPECT_EQ(durable.wire->login(), "\x10\x19\0\4MQTT\4\0\0\0\0\rpabal-bench-7"s);
  const Heard kept({"--durable", "--mqtt-version", "5", "--prefetch", "10"}, Role::consumer, 7);
  EXPECT_EQ(kept.wire->login(),
            "\x10\x22\0\4MQTT\5\0\0\0\x08\x11\xFF\xFF\xFF\xFF\x21\0\n\0\rpabal-bench-7"s);
  const Heard named({"--login", "u", "--passcode", "pw"}, Role::producer);
  const std::string login = named.wire->login();
  EXPECT_EQ(login.substr(2, 10), "\0\4MQTT\4\xC2\0\0"s);
  EXPECT_TRUE(login.ends_with("\0\1u\0\2pw"s));
}

TEST(MqttWireTest, HearsTheAnswersOfABroker) {
  Heard client({}, Role::consumer);
  EXPECT_EQ(client.hear("\x20"s), Kind::incomplete);
  EXPECT_EQ(client.hear("\x20\2\0"s), Kind::incomplete);
  EXPECT_EQ(client.hear("\x20\2\0\0\x90"s), Kind::connected);
  EXPECT_EQ(client.event.size, 4u);
  EXPECT_EQ(client.hear("\x20\2\0\5"s), Kind::refused);
  EXPECT_EQ(client.event.text, "CONNACK has code 5");
  EXPECT_EQ(client.hear("\x90\3\0\1\1"s), Kind::subscribed);
  EXPECT_EQ(client.hear("\x90\3\0\1\x80"s), Kind::refused);
  EXPECT_EQ(client.hear("\x90\3\0\1\0"s), Kind::refused);  // less than was asked for
  EXPECT_EQ(client.hear("\xD0\0"s), Kind::finished);
  EXPECT_EQ(client.hear("\xE0\1\x8B"s), Kind::refused);
  EXPECT_EQ(client.hear("\x10\0"s), Kind::malformed);
  EXPECT_EQ(client.hear("\x30\xFF\xFF\xFF\xFF"s), Kind::malformed);
}

TEST(MqttWireTest, SubscribesAlsoToAShare) {
  EXPECT_EQ(Heard({"-d", "t", "--qos", "2"}, Role::consumer).wire->subscribe(),
            "\x82\6\0\1\0\1t\2"s);
  EXPECT_EQ(
      Heard({"-d", "t", "--share", "g", "--mqtt-version", "5"}, Role::consumer).wire->subscribe(),
      "\x82\x10\0\1\0\0\012$share/g/t\1"s);
}

TEST(MqttWireTest, PublishesAtEachQos) {
  Heard zero({"-d", "t", "--qos", "0", "--size", "58"}, Role::producer);
  Unit unit = zero.wire->make_unit(0);
  EXPECT_EQ(unit.bytes.substr(0, 5), "\x30\x3D\0\1t"s);
  EXPECT_THAT(unit.bodies, ::testing::ElementsAre(5u));
  BodyId id;
  EXPECT_TRUE(read_body(std::string_view(unit.bytes).substr(5), id));
  zero.wire->stamp(unit.bytes.data(), 0);

  Heard two({"-d", "t", "--qos", "2", "--retain", "--mqtt-version", "5", "--size", "58"},
            Role::producer);
  unit = two.wire->make_unit(0);
  two.wire->stamp(unit.bytes.data(), 0);
  EXPECT_EQ(unit.bytes.substr(0, 8), "\x35\x40\0\1t\0\1\0"s);
  EXPECT_THAT(unit.bodies, ::testing::ElementsAre(8u));
  two.wire->stamp(unit.bytes.data(), 1);
  EXPECT_EQ(unit.bytes.substr(5, 2), "\0\2"s);
}

TEST(MqttWireTest, CountsAConfirmationOnce) {
  Heard one({"-d", "t"}, Role::producer);
  Unit unit = one.wire->make_unit(0);
  one.wire->stamp(unit.bytes.data(), 0);
  one.wire->stamp(unit.bytes.data(), 1);
  EXPECT_EQ(one.hear("\x40\2\0\2"s), Kind::confirmed);
  EXPECT_EQ(one.hear("\x40\2\0\2"s), Kind::malformed);
  EXPECT_EQ(one.hear("\x50\2\0\1"s), Kind::malformed);
  EXPECT_EQ(one.hear("\x40\3\0\1\x97"s), Kind::refused);
  EXPECT_EQ(one.take_replies(), "");
}

TEST(MqttWireTest, ReleasesWhatWasReceivedAtQos2) {
  Heard two({"-d", "t", "--qos", "2"}, Role::producer);
  Unit unit = two.wire->make_unit(0);
  two.wire->stamp(unit.bytes.data(), 0);
  EXPECT_EQ(two.hear("\x70\2\0\1"s), Kind::malformed);  // it was not released yet
  EXPECT_EQ(two.hear("\x50\2\0\1"s), Kind::nothing);
  EXPECT_EQ(two.take_replies(), "\x62\2\0\1"s);
  EXPECT_EQ(two.hear("\x50\2\0\1"s), Kind::malformed);
  EXPECT_EQ(two.hear("\x70\2\0\1"s), Kind::confirmed);
}

TEST(MqttWireTest, AnswersWhatItReceives) {
  Heard zero({"--qos", "0"}, Role::consumer);
  EXPECT_EQ(zero.hear("\x30\6\0\1thi!"s), Kind::message);
  EXPECT_EQ(zero.event.text, "hi!");
  Heard one({"--mqtt-version", "5"}, Role::consumer);
  EXPECT_EQ(one.hear("\x32\x0D\0\1t\1\2\5\2\0\0\0\1hi"s), Kind::message);
  EXPECT_EQ(one.event.text, "hi");
  EXPECT_EQ(one.take_replies(), "\x40\2\1\2"s);
  EXPECT_EQ(one.hear("\x30\6\0\1t\0hi"s), Kind::malformed);  // QoS 0, and 1 was asked for
  EXPECT_EQ(one.hear("\x32\5\0\1t\0\1"s), Kind::malformed);  // no property length
  Heard two({"--qos", "2"}, Role::consumer);
  EXPECT_EQ(two.hear("\x34\7\0\1t\0\3hi"s), Kind::message);
  EXPECT_EQ(two.hear("\x62\2\0\3"s), Kind::nothing);
  EXPECT_EQ(two.take_replies(), "\x50\2\0\3\x70\2\0\3"s);
}

}  // namespace
}  // namespace pabal::cli::bench
