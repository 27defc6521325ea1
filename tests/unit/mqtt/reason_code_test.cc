#include "protocols/mqtt/reason_code.h"

#include <string>

#include <gtest/gtest.h>

namespace pabal::mqtt {
namespace {

/// The codes of a packet in hexadecimal, as the tables of MQTT 5.0 §3 list them.
std::string codes_of(PacketType type, Sender sender) {
  std::string codes;
  for (int code = 0; code < 256; ++code) {
    if (!is_allowed(static_cast<ReasonCode>(code), type, sender)) continue;
    char text[8];
    std::snprintf(text, sizeof(text), codes.empty() ? "%02X" : " %02X",
                  static_cast<unsigned>(code));
    codes += text;
  }
  return codes;
}

TEST(ReasonCodeTest, EachPacketHasTheCodesOfItsTable) {
  EXPECT_EQ(codes_of(PacketType::connack, Sender::server),
            "00 80 81 82 83 84 85 86 87 88 89 8A 8C 90 95 97 99 9A 9B 9C 9D 9F");
  for (const PacketType type : {PacketType::puback, PacketType::pubrec}) {
    EXPECT_EQ(codes_of(type, Sender::server), "00 10 80 83 87 90 91 97 99");
  }
  for (const PacketType type : {PacketType::pubrel, PacketType::pubcomp}) {
    EXPECT_EQ(codes_of(type, Sender::client), "00 92");
  }
  EXPECT_EQ(codes_of(PacketType::suback, Sender::server), "00 01 02 80 83 87 8F 91 97 9E A1 A2");
  EXPECT_EQ(codes_of(PacketType::unsuback, Sender::server), "00 11 80 83 87 8F 91");
  EXPECT_EQ(
      codes_of(PacketType::disconnect, Sender::server),
      "00 80 81 82 83 87 89 8B 8C 8D 8E 8F 90 93 94 95 96 97 98 99 9A 9B 9C 9D 9E 9F A0 A1 A2");
  EXPECT_TRUE(is_allowed(ReasonCode::disconnect_with_will, PacketType::disconnect, Sender::client));
  EXPECT_EQ(codes_of(PacketType::auth, Sender::server), "00 18");
  EXPECT_EQ(codes_of(PacketType::auth, Sender::client), "00 18 19");
  EXPECT_EQ(codes_of(PacketType::publish, Sender::client), "");
}

TEST(ReasonCodeTest, EveryCodeHasAName) {
  int named = 0;
  for (int code = 0; code < 256; ++code) {
    if (!to_string(static_cast<ReasonCode>(code)).empty()) ++named;
  }
  EXPECT_EQ(named, 43);
  EXPECT_EQ(to_string(ReasonCode::wildcard_subscriptions_not_supported),
            "Wildcard Subscriptions not supported");
  EXPECT_EQ(to_string(static_cast<ReasonCode>(0x42)), "");
}

TEST(ReasonCodeTest, ReturnCodesGoBothWays) {
  for (std::uint8_t code = 0; code <= 5; ++code) {
    ASSERT_TRUE(from_return_code(code));
    EXPECT_EQ(to_return_code(*from_return_code(code)), code);
  }
  EXPECT_FALSE(from_return_code(6));
  // 3.1.1 [MQTT-3.2.2-6]: closed without an answer.
  EXPECT_FALSE(to_return_code(ReasonCode::malformed_packet));
  EXPECT_FALSE(to_return_code(ReasonCode::protocol_error));
  EXPECT_FALSE(to_return_code(ReasonCode::packet_too_large));
  EXPECT_EQ(to_return_code(ReasonCode::server_busy), 3);
  EXPECT_EQ(to_return_code(ReasonCode::banned), 5);
}

}  // namespace
}  // namespace pabal::mqtt
