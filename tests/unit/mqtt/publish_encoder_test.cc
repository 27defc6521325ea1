#include "protocols/mqtt/publish_encoder.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "protocols/mqtt/packet_encoder.h"
#include "protocols/mqtt/packet_parser.h"
#include "tests/support/mqtt_text.h"

namespace pabal::mqtt {
namespace {

using core::DestinationKind;

std::string received(const PublishEncoder& encoder, Level level, const PublishDelivery& delivery,
                     std::uint32_t packet_bytes_max = kPacketBytesMax) {
  std::string out = "before";
  if (!encoder.append(out, level, delivery, packet_bytes_max)) {
    EXPECT_EQ(out, "before");
    return "not written";
  }
  EXPECT_LE(out.size() - 6, packet_bytes_max);
  const ParserOptions options;
  PacketParser parser(options, Sender::server);
  parser.set_level(level);
  parser.feed(std::string_view(out).substr(6));
  Packet packet;
  EXPECT_EQ(parser.next(packet), ParseStatus::packet) << parser.error().text;
  // The general encoder writes the same bytes, but for the order of properties.
  std::string again;
  EXPECT_TRUE(append_packet(again, packet, level));
  EXPECT_EQ(again.size(), out.size() - 6);
  return tests::describe(packet);
}

/// A message with everything.
void begin_full(PublishEncoder& encoder) {
  ASSERT_TRUE(encoder.begin(DestinationKind::topic, "a.b", "payload"));
  encoder.payload_format(true);
  encoder.with_message_expiry();
  EXPECT_TRUE(encoder.content_type("text/plain"));
  EXPECT_TRUE(encoder.response_topic("re/ply"));
  EXPECT_TRUE(encoder.correlation_data(std::string_view("\0\xFF", 2)));
  EXPECT_TRUE(encoder.user_property("z", "1"));
  EXPECT_TRUE(encoder.user_property("a", "2"));
}

const std::string kCommon =
    "Content Type=\"text/plain\", Response Topic=\"re/ply\", Correlation Data=\"\\x00\\xFF\"";

TEST(PublishEncoderTest, OneMessageToReceiversOfEveryKind) {
  PublishEncoder encoder;
  begin_full(encoder);
  EXPECT_EQ(encoder.topic(), "a/b");
  EXPECT_EQ(received(encoder, Level::v3_1, {}), "PUBLISH qos=0 topic=\"a/b\" payload=\"payload\"");
  EXPECT_EQ(received(encoder, Level::v3_1_1,
                     {.qos = QoS::exactly_once, .dup = true, .retain = true, .packet_id = 65535}),
            "PUBLISH qos=2 dup retain id=65535 topic=\"a/b\" payload=\"payload\"");
  EXPECT_EQ(received(encoder, Level::v5, {.message_expiry = 9}),
            "PUBLISH qos=0 topic=\"a/b\" payload=\"payload\" {Payload Format Indicator=1, Message "
            "Expiry Interval=9, " +
                kCommon + ", \"z\": \"1\", \"a\": \"2\"}");
  const std::vector<std::uint32_t> ids = {1, 268'435'455, 200};
  EXPECT_EQ(received(encoder, Level::v5,
                     {.qos = QoS::at_least_once,
                      .packet_id = 7,
                      .topic_alias = 300,
                      .subscription_ids = ids,
                      .message_expiry = 8}),
            "PUBLISH qos=1 id=7 topic=\"a/b\" payload=\"payload\" {Payload Format Indicator=1, "
            "Message Expiry Interval=8, " +
                kCommon +
                ", Subscription Identifier=1, Subscription Identifier=268435455, Subscription "
                "Identifier=200, Topic Alias=300, \"z\": \"1\", \"a\": \"2\"}");
  EXPECT_EQ(received(encoder, Level::v5, {.topic_alias = 300, .alias_is_known = true}),
            "PUBLISH qos=0 topic=\"\" payload=\"payload\" {Payload Format Indicator=1, Message "
            "Expiry Interval=0, " +
                kCommon + ", Topic Alias=300, \"z\": \"1\", \"a\": \"2\"}");
}

TEST(PublishEncoderTest, NothingIsLeftOfTheMessageBefore) {
  PublishEncoder encoder;
  begin_full(encoder);
  ASSERT_TRUE(encoder.begin(DestinationKind::queue, "q.x", ""));
  EXPECT_EQ(received(encoder, Level::v5, {}), "PUBLISH qos=0 topic=\"$queue/q/x\" payload=\"\"");
  ASSERT_TRUE(encoder.begin_topic("t.u/v", "p"));
  EXPECT_EQ(received(encoder, Level::v5, {}), "PUBLISH qos=0 topic=\"t.u/v\" payload=\"p\"");
}

TEST(PublishEncoderTest, DupIsNotSetWithQos0) {  // [MQTT-3.3.1-2]
  PublishEncoder encoder;
  ASSERT_TRUE(encoder.begin_topic("t", "p"));
  EXPECT_EQ(received(encoder, Level::v3_1_1, {.dup = true, .retain = true}),
            "PUBLISH qos=0 retain topic=\"t\" payload=\"p\"");
}

TEST(PublishEncoderTest, AliasesAndIdsAreOnlyForVersion5) {
  PublishEncoder encoder;
  ASSERT_TRUE(encoder.begin_topic("t", "p"));
  const std::vector<std::uint32_t> ids = {1};
  EXPECT_EQ(received(encoder, Level::v3_1_1,
                     {.topic_alias = 1, .alias_is_known = true, .subscription_ids = ids}),
            "PUBLISH qos=0 topic=\"t\" payload=\"p\"");
}

TEST(PublishEncoderTest, WhatMqttCannotSayIsLeftOut) {
  PublishEncoder encoder;
  EXPECT_FALSE(encoder.begin(DestinationKind::topic, "a.x*", "p"));
  EXPECT_FALSE(encoder.begin_topic("a/#", "p"));
  ASSERT_TRUE(encoder.begin_topic("t", "p"));
  const std::string text(65'536, 'x');
  EXPECT_FALSE(encoder.content_type(text));
  EXPECT_FALSE(encoder.content_type("\xFF"));
  EXPECT_FALSE(encoder.response_topic("a/+"));
  EXPECT_FALSE(encoder.response_topic(""));
  EXPECT_FALSE(encoder.correlation_data(text));
  EXPECT_FALSE(encoder.user_property(text, ""));
  EXPECT_FALSE(encoder.user_property("k", "\x80"));
  EXPECT_FALSE(encoder.user_property(std::string(1, '\0'), "v"));
  EXPECT_EQ(received(encoder, Level::v5, {}), "PUBLISH qos=0 topic=\"t\" payload=\"p\"");
}

TEST(PublishEncoderTest, UserPropertiesGoOnUnaltered) {  // [MQTT-3.3.2-17] [MQTT-3.3.2-18]
  std::string encoded;
  ASSERT_TRUE(append_user_property(encoded, "k", "2"));
  ASSERT_TRUE(append_user_property(encoded, "", ""));
  ASSERT_TRUE(append_user_property(encoded, "k", "1"));
  PublishEncoder encoder;
  ASSERT_TRUE(encoder.begin_topic("t", "p"));
  encoder.user_properties(UserProperties(encoded, 3));
  EXPECT_EQ(received(encoder, Level::v5, {}),
            "PUBLISH qos=0 topic=\"t\" payload=\"p\" {\"k\": \"2\", \"\": \"\", \"k\": \"1\"}");
}

// [MQTT-3.1.2-24]: to the byte, whatever the packet consists of.
TEST(PublishEncoderTest, KeepsToTheReceiversMaximum) {
  PublishEncoder encoder;
  begin_full(encoder);
  const std::vector<std::uint32_t> ids = {5, 500};
  const PublishDelivery deliveries[] = {
      {},
      {.qos = QoS::at_least_once, .packet_id = 1},
      {.topic_alias = 1, .subscription_ids = ids},
      {.qos = QoS::exactly_once, .packet_id = 1, .topic_alias = 1, .alias_is_known = true}};
  for (const Level level : {Level::v3_1, Level::v3_1_1, Level::v5}) {
    for (const PublishDelivery& delivery : deliveries) {
      std::string out;
      ASSERT_TRUE(encoder.append(out, level, delivery));
      const auto size = static_cast<std::uint32_t>(out.size());
      EXPECT_NE(received(encoder, level, delivery, size), "not written");
      EXPECT_EQ(received(encoder, level, delivery, size - 1), "not written");
    }
  }
}

TEST(PublishEncoderTest, LengthsOfEverySize) {
  PublishEncoder encoder;
  for (const std::size_t size : {0, 100, 122, 123, 124, 125, 16'378, 16'379, 16'380, 16'381,
                                 2'097'145, 2'097'146, 2'097'147, 2'097'148}) {
    const std::string payload(size, 'x');
    ASSERT_TRUE(encoder.begin_topic("t", payload));
    for (const Level level : {Level::v3_1_1, Level::v5}) {
      EXPECT_EQ(received(encoder, level, {}),
                "PUBLISH qos=0 topic=\"t\" payload=\"" + payload + "\"");
    }
  }
  for (const std::size_t size :
       {100, 118, 119, 120, 121, 122, 123, 16'000, 16'376, 16'377, 16'378}) {
    const std::string value(size, 'v');
    ASSERT_TRUE(encoder.begin_topic("t", "p"));
    ASSERT_TRUE(encoder.user_property("k", value));
    EXPECT_EQ(received(encoder, Level::v5, {}),
              "PUBLISH qos=0 topic=\"t\" payload=\"p\" {\"k\": \"" + value + "\"}");
  }
}

TEST(PublishEncoderTest, MoreThanAPacketCanHoldIsNotWritten) {
  const std::string payload(kVariableIntegerMax - 2, 'x');
  PublishEncoder encoder;
  ASSERT_TRUE(encoder.begin_topic("t", payload));
  std::string out;
  EXPECT_FALSE(encoder.append(out, Level::v3_1_1, {}));
  EXPECT_TRUE(out.empty());
}

}  // namespace
}  // namespace pabal::mqtt
