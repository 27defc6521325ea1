#include "protocols/mqtt/message_mapping.h"

#include <string>

#include <gtest/gtest.h>

#include "protocols/mqtt/packet_parser.h"
#include "tests/support/mqtt_text.h"

namespace pabal::mqtt {
namespace {

using namespace std::string_literals;

core::MessageRef build(const core::MessageBuilder& builder) {
  auto message = builder.build();
  EXPECT_TRUE(message);
  return *message;
}

/// A message of a PUBLISH with these properties.
core::MessageRef from_mqtt(const Properties& properties, QoS qos = QoS::exactly_once) {
  core::MessageBuilder builder;
  std::string name;
  std::string reply_to;
  const auto target = parse_topic_name("t");
  fill_message(builder, {*target, qos, false, "x", &properties}, 1000, {name, reply_to});
  return build(builder);
}

/// What a client of 5.0 gets of it, at QoS 0.
std::string delivered(const core::Message& message) {
  PublishEncoder encoder;
  EXPECT_TRUE(begin_publish(encoder, message, nullptr));
  std::string out;
  EXPECT_TRUE(encoder.append(out, Level::v5, {}));
  const ParserOptions options;
  PacketParser parser(options, Sender::server);
  parser.set_level(Level::v5);
  parser.feed(out);
  Packet packet;
  EXPECT_EQ(parser.next(packet), ParseStatus::packet) << parser.error().text;
  return tests::describe(packet);
}

TEST(MessageMappingTest, SaysWhichCorrelationOthersCannotShow) {
  const auto is_bytes = [](std::string_view data) {
    Properties properties;
    properties.set(PropertyId::correlation_data, data);
    const auto message = from_mqtt(properties);
    EXPECT_EQ(message->correlation(), data);
    return message->correlation_is_bytes();
  };
  EXPECT_FALSE(is_bytes("order 7, ü"));
  EXPECT_TRUE(is_bytes("\xFF\xFE"));
  EXPECT_TRUE(is_bytes("a\0b"s));
  EXPECT_TRUE(is_bytes("\x01\x02"));
  EXPECT_TRUE(is_bytes("line\nline"));
}

TEST(MessageMappingTest, NoUserPropertyRetainsOrLowersTheQoS) {
  std::string user;
  append_user_property(user, "ActiveMQ.Retain", "true");
  append_user_property(user, "ActiveMQ.MQTT.QoS", "0");
  append_user_property(user, "JMS_MQTT_PAYLOAD_FORMAT", "1");
  Properties properties;
  properties.user = UserProperties(user, 3);
  const auto message = from_mqtt(properties);
  EXPECT_FALSE(message->retain());
  EXPECT_EQ(qos_of(*message), QoS::exactly_once);
  EXPECT_EQ(delivered(*message),
            "PUBLISH qos=0 topic=\"t\" payload=\"x\" {\"ActiveMQ.Retain\": \"true\", "
            "\"ActiveMQ.MQTT.QoS\": \"0\", \"JMS_MQTT_PAYLOAD_FORMAT\": \"1\"}");
}

// A STOMP client that sends on what it got copies the headers.
TEST(MessageMappingTest, ReadsCopiedHeadersAsItsOwnWords) {
  core::MessageBuilder builder;
  builder.destination_kind = core::DestinationKind::topic;
  builder.destination_name = "t";
  builder.persistent = true;
  builder.body_kind = core::BodyKind::bytes;
  builder.body = "x";
  builder.add_string("ActiveMQ.Retain", "true");
  builder.add_string("JMS_MQTT_PAYLOAD_FORMAT", "1");
  builder.add_string("ActiveMQ.MQTT.QoS", "1");
  builder.add_string("k", "v");
  const auto message = build(builder);
  EXPECT_TRUE(message->retain());
  EXPECT_EQ(qos_of(*message), QoS::at_least_once);
  EXPECT_EQ(delivered(*message),
            "PUBLISH qos=0 topic=\"t\" payload=\"x\" {Payload Format Indicator=1, \"k\": \"v\"}");

  builder.body_kind = core::BodyKind::text;  // the format is said once
  EXPECT_EQ(delivered(*build(builder)),
            "PUBLISH qos=0 topic=\"t\" payload=\"x\" {Payload Format Indicator=1, Content "
            "Type=\"text/plain;charset=utf-8\", \"k\": \"v\"}");

  builder.body_kind = core::BodyKind::bytes;  // and not promised of what it is not
  builder.body = "\xFF";
  EXPECT_EQ(delivered(*build(builder)),
            "PUBLISH qos=0 topic=\"t\" payload=\"\\xFF\" {Payload Format Indicator=0, "
            "\"k\": \"v\"}");
}

TEST(MessageMappingTest, QoSOfOtherProtocolsIsThatOfTheirPersistence) {
  core::MessageBuilder builder;
  builder.destination_kind = core::DestinationKind::topic;
  builder.destination_name = "t";
  EXPECT_EQ(qos_of(*build(builder)), QoS::at_most_once);
  builder.persistent = true;
  EXPECT_EQ(qos_of(*build(builder)), QoS::exactly_once);
  builder.add_string("ActiveMQ.MQTT.QoS", "loud");
  EXPECT_EQ(qos_of(*build(builder)), QoS::exactly_once);
}

}  // namespace
}  // namespace pabal::mqtt
