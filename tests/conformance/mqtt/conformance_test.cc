// Plays the packet vectors against parser and encoder: see README.md.

#include <algorithm>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "protocols/mqtt/packet_encoder.h"
#include "protocols/mqtt/packet_parser.h"
#include "tests/conformance/mqtt/packet_vector.h"
#include "tests/support/mqtt_text.h"

namespace pabal::tests {
namespace {

using Kind = PacketExpectation::Kind;

/// What the parser made of bytes.
struct Heard {
  std::vector<std::string> packets;
  std::string again;  ///< the packets, encoded anew
  bool failed = false;
  mqtt::ParseError error;
  std::size_t missing = 0;
};

/// Reads `bytes` in portions of that size, each in a block of its own, so that a sanitizer sees a
/// read beyond it.
Heard hear(const PacketCase& one, const std::string& bytes, std::size_t portion) {
  Heard heard;
  mqtt::PacketParser parser(one.options, one.sender);
  mqtt::Packet packet;
  if (one.sender == mqtt::Sender::server) {
    parser.set_level(one.level);
  } else if (!one.first) {
    const std::string connect = some_connect(one.level);
    parser.feed(connect);
    EXPECT_EQ(parser.next(packet), mqtt::ParseStatus::packet) << parser.error().text;
    EXPECT_EQ(parser.next(packet), mqtt::ParseStatus::need_more);
  }
  for (std::size_t at = 0; at < bytes.size() && !heard.failed; at += portion) {
    const std::string_view part = std::string_view(bytes).substr(at, portion);
    const std::vector<char> block(part.begin(), part.end());
    parser.feed({block.data(), block.size()});
    mqtt::ParseStatus status = parser.next(packet);
    for (; status == mqtt::ParseStatus::packet; status = parser.next(packet)) {
      heard.packets.push_back(describe(packet));
      EXPECT_TRUE(mqtt::append_packet(heard.again, packet, parser.level()));
    }
    heard.failed = status == mqtt::ParseStatus::failed;
  }
  if (heard.failed) heard.error = parser.error();
  heard.missing = parser.missing();
  return heard;
}

void check(const PacketCase& one, const Heard& heard) {
  std::size_t packets = 0;
  bool wants_error = false;
  bool wants_more = false;
  for (const PacketExpectation& expected : one.expected) {
    SCOPED_TRACE(one.file + ":" + std::to_string(expected.line));
    if (expected.kind == Kind::packet) {
      ASSERT_LT(packets, heard.packets.size())
          << "no such packet; " << mqtt::to_string(heard.error.reason) << ": " << heard.error.text;
      EXPECT_EQ(heard.packets[packets], expected.text);
      ++packets;
    } else if (expected.kind == Kind::error) {
      wants_error = true;
      ASSERT_TRUE(heard.failed);
      EXPECT_EQ(static_cast<unsigned>(heard.error.reason), expected.number);
      EXPECT_EQ(heard.error.text, expected.text);
    } else {
      wants_more = true;
      EXPECT_EQ(heard.missing, expected.number);
    }
  }
  EXPECT_EQ(packets, heard.packets.size()) << heard.packets.back();
  EXPECT_EQ(heard.failed, wants_error) << heard.error.text;
  EXPECT_EQ(heard.missing != 0, wants_more);
}

class PacketConformance : public ::testing::Test {
 public:
  explicit PacketConformance(PacketCase the_case) : case_(std::move(the_case)) {}

  void TestBody() override {
    SCOPED_TRACE(case_.clause);
    ASSERT_FALSE(case_.bytes.empty());
    ASSERT_FALSE(case_.expected.empty());
    const Heard whole = hear(case_, case_.bytes, case_.bytes.size());
    check(case_, whole);
    for (const std::size_t portion : {1, 2, 3, 5, 64}) {
      SCOPED_TRACE("in portions of " + std::to_string(portion));
      if (case_.bytes.size() < 4096 || portion == 64) {
        check(case_, hear(case_, case_.bytes, portion));
      }
    }
    if (whole.packets.empty()) return;
    // What is read is what is written.
    const std::string read = case_.bytes.substr(0, whole.again.size());
    EXPECT_EQ(case_.same_bytes, quote(whole.again) == quote(read)) << quote(whole.again);
    EXPECT_EQ(hear(case_, whole.again, whole.again.size()).packets, whole.packets);
  }

 private:
  PacketCase case_;
};

}  // namespace
}  // namespace pabal::tests

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  std::string error;
  const auto cases = pabal::tests::read_packet_cases(PABAL_VECTOR_FOLDER, error);
  if (!error.empty() || cases.empty()) {
    std::fprintf(stderr, "%s\n", error.empty() ? "no vectors" : error.c_str());
    return 1;
  }
  for (const auto& one : cases) {
    ::testing::RegisterTest("MqttConformance", one.name.c_str(), nullptr, nullptr, one.file.c_str(),
                            one.line, [one] { return new pabal::tests::PacketConformance(one); });
  }
  return RUN_ALL_TESTS();
}
