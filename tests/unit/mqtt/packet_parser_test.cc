#include "protocols/mqtt/packet_parser.h"

#include <string>

#include <gtest/gtest.h>

#include "protocols/mqtt/packet_encoder.h"
#include "tests/support/mqtt_text.h"

// What a single packet means is in tests/conformance/mqtt, as data. Here: the stream, memory, and
// what the session asks the parser.

namespace pabal::mqtt {
namespace {

using namespace std::string_literals;
using tests::describe;

std::string connect_bytes(Level level = Level::v5) {
  Connect connect;
  connect.level = level;
  connect.client_id = "c";
  connect.clean_start = true;
  std::string bytes;
  append_packet(bytes, connect);
  return bytes;
}

std::string publish_bytes(std::string_view topic, std::string_view payload,
                          Level level = Level::v5) {
  Publish publish;
  publish.topic = topic;
  publish.payload = payload;
  std::string bytes;
  append_packet(bytes, publish, level);
  return bytes;
}

class PacketParserTest : public ::testing::Test {
 protected:
  /// Past the CONNECT.
  void open(Level level = Level::v5) {
    const std::string bytes = connect_bytes(level);
    parser_.feed(bytes);
    ASSERT_EQ(parser_.next(packet_), ParseStatus::packet);
    ASSERT_EQ(parser_.next(packet_), ParseStatus::need_more);
    ASSERT_EQ(parser_.level(), level);
  }
  ParserOptions options_;
  PacketParser parser_{options_, Sender::client};
  Packet packet_;
};

TEST_F(PacketParserTest, ConnectSetsTheLevel) {
  open(Level::v3_1_1);
  // In 5.0 the payload's first byte would be the length of the properties.
  const std::string bytes = publish_bytes("a", "\x01z", Level::v3_1_1);
  parser_.feed(bytes);
  ASSERT_EQ(parser_.next(packet_), ParseStatus::packet);
  EXPECT_EQ(std::get<Publish>(packet_).payload, "\x01z");
}

TEST_F(PacketParserTest, HandsOutViewsOfTheInput) {
  open();
  const std::string bytes = publish_bytes("topic", "payload") + publish_bytes("b", "second");
  parser_.feed(bytes);
  for (const std::string_view expected : {"payload", "second"}) {
    ASSERT_EQ(parser_.next(packet_), ParseStatus::packet);
    const Publish& publish = std::get<Publish>(packet_);
    EXPECT_EQ(publish.payload, expected);
    EXPECT_GE(publish.payload.data(), bytes.data());
    EXPECT_LE(publish.payload.data() + publish.payload.size(), bytes.data() + bytes.size());
  }
  EXPECT_EQ(parser_.missing(), 0U);
}

TEST_F(PacketParserTest, SaysHowMuchIsMissing) {
  open();
  EXPECT_EQ(parser_.missing(), 0U);
  const std::string bytes = publish_bytes("a", std::string(300, 'x'));
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    parser_.feed(std::string_view(bytes).substr(i, 1));
    const ParseStatus status = parser_.next(packet_);
    if (i + 1 == bytes.size()) {
      ASSERT_EQ(status, ParseStatus::packet);
      EXPECT_EQ(parser_.missing(), 0U);
    } else {
      ASSERT_EQ(status, ParseStatus::need_more);
      EXPECT_EQ(parser_.missing(), i < 2 ? 1 : bytes.size() - i - 1) << i;
    }
  }
  EXPECT_EQ(std::get<Publish>(packet_).payload, std::string(300, 'x'));
  EXPECT_EQ(parser_.next(packet_), ParseStatus::need_more);
}

TEST_F(PacketParserTest, TakesNothingOfThePacketBehind) {
  open();
  const std::string first = publish_bytes("a", "one");
  const std::string second = publish_bytes("a", "two");
  parser_.feed(std::string_view(first).substr(0, 4));
  ASSERT_EQ(parser_.next(packet_), ParseStatus::need_more);
  const std::string rest = first.substr(4) + second + second.substr(0, 3);
  parser_.feed(rest);
  ASSERT_EQ(parser_.next(packet_), ParseStatus::packet);
  EXPECT_EQ(std::get<Publish>(packet_).payload, "one");
  ASSERT_EQ(parser_.next(packet_), ParseStatus::packet);
  EXPECT_EQ(std::get<Publish>(packet_).payload, "two");
  ASSERT_EQ(parser_.next(packet_), ParseStatus::need_more);
  EXPECT_EQ(parser_.missing(), second.size() - 3);
}

TEST_F(PacketParserTest, AFailureIsFinal) {
  open();
  const std::string broken = "\xC1";
  parser_.feed(broken);
  EXPECT_EQ(parser_.next(packet_), ParseStatus::failed);
  const std::string bytes = publish_bytes("a", "x");
  parser_.feed(bytes);
  EXPECT_EQ(parser_.next(packet_), ParseStatus::failed);
  EXPECT_EQ(parser_.error().reason, ReasonCode::malformed_packet);
}

TEST_F(PacketParserTest, ALargePacketComesInManyPortions) {
  open();
  const std::string bytes = publish_bytes("a", std::string(3'000'000, 'y'));
  std::size_t at = 0;
  ParseStatus status = ParseStatus::need_more;
  for (; at < bytes.size(); at += 65'536) {
    ASSERT_EQ(status, ParseStatus::need_more);
    parser_.feed(std::string_view(bytes).substr(at, 65'536));
    status = parser_.next(packet_);
  }
  ASSERT_EQ(status, ParseStatus::packet);
  EXPECT_EQ(std::get<Publish>(packet_).payload.size(), 3'000'000U);
}

// MQTT-4.7.3-3: the longest name there can be.
TEST_F(PacketParserTest, ATopicOf65535Bytes) {
  open();
  const std::string topic(65'535, 't');
  const std::string bytes = publish_bytes(topic, "x");
  parser_.feed(bytes);
  ASSERT_EQ(parser_.next(packet_), ParseStatus::packet);
  EXPECT_EQ(std::get<Publish>(packet_).topic, topic);
}

TEST(PacketParserVersionTest, SaysInWhichFormToRefuseALevel) {
  const auto old_form = [](const std::string& name, int level) {
    const ParserOptions options;
    PacketParser parser(options, Sender::client);
    std::string bytes = "\x10\x0D"s;
    bytes[1] = static_cast<char>(name.size() + 9);
    bytes += '\0';
    bytes += static_cast<char>(name.size());
    bytes += name + static_cast<char>(level) + "\x02\0\x3C\0\x01"s + "c";
    parser.feed(bytes);
    Packet packet;
    EXPECT_EQ(parser.next(packet), ParseStatus::failed);
    EXPECT_EQ(parser.error().reason, ReasonCode::unsupported_protocol_version);
    return parser.answer_in_old_form();
  };
  EXPECT_TRUE(old_form("MQTT", 3));
  EXPECT_TRUE(old_form("MQTT", 0x84)) << "a bridge of Mosquitto, which then asks for 4";
  EXPECT_FALSE(old_form("MQTT", 6));
  EXPECT_TRUE(old_form("MQIsdp", 4));
}

TEST(PacketParserVersionTest, AFailedConnectSaysItsLevel) {
  const ParserOptions options;
  PacketParser parser(options, Sender::client);
  std::string bytes = connect_bytes(Level::v3_1_1);
  bytes[9] = '\x03';  // the reserved connect flag
  parser.feed(bytes);
  Packet packet;
  ASSERT_EQ(parser.next(packet), ParseStatus::failed);
  EXPECT_EQ(parser.error().reason, ReasonCode::malformed_packet);
  EXPECT_EQ(parser.level(), Level::v3_1_1);
}

TEST(PacketParserServerTest, ReadsWhatServersSend) {
  const ParserOptions options;
  PacketParser parser(options, Sender::server);
  parser.set_level(Level::v3_1_1);
  const std::string bytes = "\x20\x02\x01\x00\x90\x03\x00\x0A\x80"s;
  parser.feed(bytes);
  Packet packet;
  ASSERT_EQ(parser.next(packet), ParseStatus::packet);
  EXPECT_EQ(describe(packet), "CONNACK session-present 0x00");
  ASSERT_EQ(parser.next(packet), ParseStatus::packet);
  EXPECT_EQ(describe(packet), "SUBACK id=10 0x80");
  EXPECT_EQ(type_of(packet), PacketType::suback);
}

TEST(PropertiesTest, NamesAreThoseOfTheSpecification) {
  int count = 0;
  for (std::size_t i = 0; i < kPropertyRows.size(); ++i) {
    if (kPropertyRows[i].kind == PropertyKind::none) continue;
    EXPECT_EQ(static_cast<std::size_t>(kPropertyRows[i].id), i);
    EXPECT_FALSE(kPropertyRows[i].name.empty());
    EXPECT_NE(kPropertyRows[i].from_client | kPropertyRows[i].from_server, 0);
    ++count;
  }
  EXPECT_EQ(count, 27);
}

TEST(PropertiesTest, AbsentAndPresent) {
  Properties properties;
  EXPECT_TRUE(properties.empty());
  EXPECT_FALSE(properties.has(PropertyId::receive_maximum));
  EXPECT_EQ(properties.number_or(PropertyId::receive_maximum, 65535), 65535U);
  properties.set(PropertyId::receive_maximum, 7U);
  properties.set(PropertyId::content_type, "t");
  EXPECT_EQ(properties.number_or(PropertyId::receive_maximum, 65535), 7U);
  EXPECT_EQ(properties.text(PropertyId::content_type), "t");
  EXPECT_EQ(properties.text(PropertyId::reason_string), "");
  EXPECT_FALSE(properties.empty());
}

// Lists are read when they are known to be sound; other bytes must still come to their end.
TEST(PropertiesTest, IteratorsStayWithinAnyBytes) {
  for (int first = 0; first < 256; ++first) {
    for (std::size_t size = 0; size < 8; ++size) {
      const std::string list = static_cast<char>(first) + std::string(size, '\xFF');
      std::size_t users = 0;
      for (const UserProperty& user : UserProperties(list, 1)) users += 1 + user.name.size();
      EXPECT_LE(users, list.size());
      std::string_view rest = list;
      while (next_subscription_id(rest) != 0) {
      }
      std::size_t filters = 0;
      for (const SubscriptionRequest& request : SubscriptionRequests(list)) {
        filters += 1 + request.filter.size();
      }
      for (const std::string_view filter : TopicFilters(list)) filters += 1 + filter.size();
      EXPECT_LE(filters, 2 * list.size());
    }
  }
}

}  // namespace
}  // namespace pabal::mqtt
