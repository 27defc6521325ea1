#include "protocols/mqtt/packet_encoder.h"

#include <string>

#include <gtest/gtest.h>

#include "protocols/mqtt/packet_parser.h"
#include "tests/support/mqtt_text.h"

// That what is read is written is in tests/conformance/mqtt and round_trip_test.cc. Here: what is
// left out, refused and translated.

namespace pabal::mqtt {
namespace {

using namespace std::string_literals;

/// The packet as its receiver reads it; "not written" if the encoder refused.
template <class One>
std::string sent(const One& packet, Level level, std::uint32_t packet_bytes_max = kPacketBytesMax,
                 Sender sender = Sender::server) {
  std::string out = "before";
  const bool written = append_packet(out, packet, level, packet_bytes_max);
  if (!written) {
    EXPECT_EQ(out, "before");
    return "not written";
  }
  EXPECT_LE(out.size() - 6, packet_bytes_max);
  const ParserOptions options;
  PacketParser parser(options, sender);
  parser.set_level(level);
  if (sender == Sender::client) {
    Connect connect;
    connect.level = level;
    connect.client_id = "c";
    std::string bytes;
    append_packet(bytes, connect);
    parser.feed(bytes);
    Packet read;
    EXPECT_EQ(parser.next(read), ParseStatus::packet);
  }
  parser.feed(std::string_view(out).substr(6));
  Packet read;
  EXPECT_EQ(parser.next(read), ParseStatus::packet) << parser.error().text;
  return tests::describe(read);
}

/// Reason string and user property of eight bytes of encoding each.
Properties reason_and_user(std::string& encoded) {
  encoded.clear();
  EXPECT_TRUE(append_user_property(encoded, "ke", "v"));
  Properties properties;
  properties.set(PropertyId::reason_string, "reaso");
  properties.user = UserProperties(encoded, 1);
  return properties;
}

/// [MQTT-3.2.2-19] and its likes: with everything at `full` bytes, without user properties below,
/// without the reason string below that, and not at all when even that is too large.
template <class One>
void expect_left_out(One packet, std::size_t full, const std::string& start, std::size_t bare) {
  std::string encoded;
  packet.properties = reason_and_user(encoded);
  std::string whole;
  ASSERT_TRUE(append_packet(whole, packet, Level::v5));
  ASSERT_EQ(whole.size(), full);
  const auto limit = [](std::size_t bytes) { return static_cast<std::uint32_t>(bytes); };
  EXPECT_EQ(sent(packet, Level::v5, limit(full)),
            start + " {Reason String=\"reaso\", \"ke\": \"v\"}");
  EXPECT_EQ(sent(packet, Level::v5, limit(full - 1)), start + " {Reason String=\"reaso\"}");
  EXPECT_EQ(sent(packet, Level::v5, limit(full - 8)), start + " {Reason String=\"reaso\"}");
  EXPECT_EQ(sent(packet, Level::v5, limit(full - 9)), start);
  EXPECT_EQ(sent(packet, Level::v5, limit(bare)), start);
  EXPECT_EQ(sent(packet, Level::v5, limit(bare - 1)), "not written");
}

TEST(PacketEncoderTest, ConnackGoesWithoutReasonStringAndUserProperties) {
  expect_left_out(Connack{false, ReasonCode::not_authorized, {}}, 21, "CONNACK 0x87", 5);
}
TEST(PacketEncoderTest, PubackGoesWithoutReasonStringAndUserProperties) {
  expect_left_out(Puback{1, ReasonCode::not_authorized, {}}, 22, "PUBACK id=1 0x87", 5);
}
TEST(PacketEncoderTest, PubrecGoesWithoutReasonStringAndUserProperties) {
  expect_left_out(Pubrec{1, ReasonCode::quota_exceeded, {}}, 22, "PUBREC id=1 0x97", 5);
}
TEST(PacketEncoderTest, PubrelGoesWithoutReasonStringAndUserProperties) {
  expect_left_out(Pubrel{1, ReasonCode::packet_identifier_not_found, {}}, 22, "PUBREL id=1 0x92",
                  5);
}
TEST(PacketEncoderTest, PubcompGoesWithoutReasonStringAndUserProperties) {
  expect_left_out(Pubcomp{1, ReasonCode::packet_identifier_not_found, {}}, 22, "PUBCOMP id=1 0x92",
                  5);
}
TEST(PacketEncoderTest, SubackGoesWithoutReasonStringAndUserProperties) {
  expect_left_out(Suback{1, "\x87", {}}, 22, "SUBACK id=1 0x87", 6);
}
TEST(PacketEncoderTest, UnsubackGoesWithoutReasonStringAndUserProperties) {
  expect_left_out(Unsuback{1, "\x11", {}}, 22, "UNSUBACK id=1 0x11", 6);
}
TEST(PacketEncoderTest, DisconnectGoesWithoutReasonStringAndUserProperties) {
  expect_left_out(Disconnect{ReasonCode::server_busy, {}}, 20, "DISCONNECT 0x89", 3);
}

TEST(PacketEncoderTest, AuthGoesWithoutReasonStringAndUserProperties) {
  std::string encoded;
  Auth auth{ReasonCode::continue_authentication, reason_and_user(encoded)};
  auth.properties.set(PropertyId::authentication_method, "M");
  EXPECT_EQ(sent(auth, Level::v5, 24),
            "AUTH 0x18 {Authentication Method=\"M\", Reason String=\"reaso\", \"ke\": \"v\"}");
  EXPECT_EQ(sent(auth, Level::v5, 23),
            "AUTH 0x18 {Authentication Method=\"M\", Reason String=\"reaso\"}");
  EXPECT_EQ(sent(auth, Level::v5, 15), "AUTH 0x18 {Authentication Method=\"M\"}");
  EXPECT_EQ(sent(auth, Level::v5, 7), "not written");
}

TEST(PacketEncoderTest, APublishLeavesNothingOut) {
  std::string encoded;
  EXPECT_TRUE(append_user_property(encoded, "k", "v"));
  Publish publish;
  publish.topic = "a";
  publish.properties.user = UserProperties(encoded, 1);
  EXPECT_EQ(sent(publish, Level::v5, 13), "PUBLISH qos=0 topic=\"a\" payload=\"\" {\"k\": \"v\"}");
  EXPECT_EQ(sent(publish, Level::v5, 12), "not written");
}

TEST(PacketEncoderTest, AnswersBeforeVersion5HaveNoReasons) {
  std::string encoded;
  const Properties properties = reason_and_user(encoded);
  for (const Level level : {Level::v3_1, Level::v3_1_1}) {
    EXPECT_EQ(sent(Puback{1, ReasonCode::not_authorized, properties}, level), "PUBACK id=1 0x00");
    EXPECT_EQ(sent(Suback{1, "\x01\x80\x87\xA2", properties}, level),
              "SUBACK id=1 0x01 0x80 0x80 0x80");
    EXPECT_EQ(sent(Unsuback{1, "\x11", properties}, level), "UNSUBACK id=1");
    EXPECT_EQ(sent(Connack{false, ReasonCode::server_busy, properties}, level), "CONNACK 0x88");
    EXPECT_EQ(sent(Connack{false, ReasonCode::malformed_packet, properties}, level), "not written");
    EXPECT_EQ(sent(Auth{}, level), "not written");
    EXPECT_EQ(sent(Disconnect{ReasonCode::server_busy, properties}, level, kPacketBytesMax,
                   Sender::client),
              "DISCONNECT 0x00");
  }
  EXPECT_EQ(sent(Connack{true, ReasonCode::success, {}}, Level::v3_1), "CONNACK 0x00");
  EXPECT_EQ(sent(Connack{true, ReasonCode::success, {}}, Level::v3_1_1),
            "CONNACK session-present 0x00");
}

TEST(PacketEncoderTest, PropertiesOfOtherPacketsAreNotWritten) {
  Puback puback{1, ReasonCode::success, {}};
  puback.properties.set(PropertyId::content_type, "t");
  puback.properties.set(PropertyId::receive_maximum, 5U);
  EXPECT_EQ(sent(puback, Level::v5), "PUBACK id=1 0x00");
  std::string out;
  ASSERT_TRUE(append_packet(out, puback, Level::v5));
  EXPECT_EQ(out, "\x40\x02\x00\x01"s) << "the short form";
}

TEST(PacketEncoderTest, TextsThatAreTooLongAreRefused) {
  const std::string text(65'536, 'x');
  Publish publish;
  publish.topic = text;
  EXPECT_EQ(sent(publish, Level::v5), "not written");
  publish.topic = "a";
  publish.properties.set(PropertyId::content_type, text);
  EXPECT_EQ(sent(publish, Level::v5), "not written");
  std::string encoded;
  EXPECT_FALSE(append_user_property(encoded, text, ""));
  EXPECT_FALSE(append_user_property(encoded, "", text));
  EXPECT_FALSE(append_topic_filter(encoded, text));
  EXPECT_FALSE(append_subscription_request(encoded, {text}));
  EXPECT_EQ(encoded, "");
  // A reason string of that length is left out like one that does not fit.
  Puback puback{1, ReasonCode::quota_exceeded, {}};
  puback.properties.set(PropertyId::reason_string, text);
  EXPECT_EQ(sent(puback, Level::v5), "PUBACK id=1 0x97");
}

TEST(PacketEncoderTest, TheShortAcknowledgementIsTheLongOne) {
  for (const Level level : {Level::v3_1, Level::v3_1_1, Level::v5}) {
    for (const ReasonCode reason : {ReasonCode::success, ReasonCode::packet_identifier_not_found}) {
      std::string expected;
      ASSERT_TRUE(append_packet(expected, Pubrel{0xABCD, reason, {}}, level));
      ASSERT_TRUE(append_packet(expected, Pubcomp{1, reason, {}}, level));
      std::string out;
      append_acknowledgement(out, PacketType::pubrel, 0xABCD, level, reason);
      append_acknowledgement(out, PacketType::pubcomp, 1, level, reason);
      EXPECT_EQ(tests::quote(out), tests::quote(expected));
    }
  }
}

TEST(PacketEncoderTest, NothingIsNotWritten) {
  EXPECT_EQ(sent(Packet{}, Level::v5), "not written");
}

}  // namespace
}  // namespace pabal::mqtt
