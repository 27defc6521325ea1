#include "server/protocol_detector.h"

#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace pabal::server {
namespace {

using namespace std::string_view_literals;

TEST(ProtocolDetectorTest, NamesWhatItSees) {
  EXPECT_EQ(detect("CONNECT\nlogin:x\n"), Detected::stomp);
  EXPECT_EQ(detect("\r\n\nSTOMP\r\n"), Detected::stomp);
  EXPECT_EQ(detect("\x00\x00\x00\xF3\x01"
                   "ActiveMQ\x00"sv),
            Detected::openwire);
  EXPECT_EQ(detect("\x10\x1B\x00\x04MQTT\x04"sv), Detected::mqtt);
  EXPECT_EQ(detect("\x10\x80\x01\x00\x04MQTT"sv), Detected::mqtt);
  EXPECT_EQ(detect("\x10\x80\x80\x02\x00\x04MQTT"sv), Detected::mqtt);
  EXPECT_EQ(detect("\x10\x1B\x00\x06MQIsdp"sv), Detected::mqtt);
  EXPECT_EQ(detect("\x10\x80\x01\x00\x06MQIsdp"sv), Detected::mqtt);
  EXPECT_EQ(detect("AMQP\x00\x01\x00\x00"sv), Detected::amqp);
  EXPECT_EQ(detect("\x16\x03\x01\x02\x00\x01"sv), Detected::tls);
  EXPECT_EQ(detect("GET / HTTP/1.1\r\n"), Detected::http);
  EXPECT_EQ(detect("hello, is anybody there?"), Detected::unknown);
}

TEST(ProtocolDetectorTest, WaitsForEnoughAndNeverChangesItsMind) {
  for (const auto text : {"\n\nCONNECT\n"sv, "STOMP\r\n"sv, "\x10\x1B\x00\x04MQTT\x04"sv,
                          "\x00\x00\x00\xF3\x01"
                          "ActiveMQ"sv,
                          "\x16\x03\x01"sv, "GET /"sv}) {
    const auto whole = detect(text);
    for (std::size_t size = 0; size < text.size(); ++size) {
      const auto part = detect(text.substr(0, size));
      EXPECT_TRUE(part == Detected::undecided || part == whole) << text << " cut at " << size;
    }
  }
}

TEST(ProtocolDetectorTest, DecidesOnAnythingSixteenBytesLong) {
  for (int first = 0; first < 256; ++first) {
    if (first == '\n' || first == '\r') continue;
    const std::string text(kDetectBytesMax, static_cast<char>(first));
    EXPECT_NE(detect(text), Detected::undecided) << first;
  }
}

}  // namespace
}  // namespace pabal::server
