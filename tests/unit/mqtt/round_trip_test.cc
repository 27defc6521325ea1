// Goal: whatever is encoded is read as it was, at every level, from both sides and however the
// stream is cut. Method: seeded random packets, encoded one after the other, read in random
// portions, compared as texts; then encoded again and compared as bytes.

#include <array>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "protocols/mqtt/packet_encoder.h"
#include "protocols/mqtt/packet_parser.h"
#include "tests/support/mqtt_text.h"
#include "tests/unit/mqtt/random_packet.h"

namespace pabal::tests {
namespace {

using namespace mqtt;

struct Stream {
  std::string bytes;
  std::vector<std::string> packets;
  std::array<int, 16> count{};
};

Stream make_stream(RandomPackets& random, Level level, Sender sender) {
  Stream stream;
  const auto add = [&](const Packet& packet) {
    stream.packets.push_back(describe(packet));
    ++stream.count[packet.index()];
    ASSERT_TRUE(append_packet(stream.bytes, packet, level)) << stream.packets.back();
  };
  if (sender == Sender::client) add(random.connect(level));
  for (int i = 0; i < 30; ++i) add(random.other(level, sender));
  return stream;
}

void read_back(const Stream& stream, RandomPackets& random, Level level, Sender sender) {
  const ParserOptions options;
  PacketParser parser(options, sender);
  if (sender == Sender::server) parser.set_level(level);
  const unsigned portion_max = std::array{1U, 7U, 100U, 5'000U, 1'000'000U}[random.below(5)];
  std::string again;
  std::size_t read = 0;
  Packet packet;
  for (std::size_t at = 0; at < stream.bytes.size();) {
    const std::string_view part =
        std::string_view(stream.bytes).substr(at, 1 + random.below(portion_max));
    const std::vector<char> block(part.begin(), part.end());
    parser.feed({block.data(), block.size()});
    at += part.size();
    while (true) {
      const ParseStatus status = parser.next(packet);
      ASSERT_NE(status, ParseStatus::failed)
          << parser.error().text << " in " << stream.packets.at(read);
      if (status == ParseStatus::need_more) break;
      ASSERT_LT(read, stream.packets.size());
      ASSERT_EQ(describe(packet), stream.packets[read]);
      ASSERT_TRUE(append_packet(again, packet, level));
      ++read;
    }
  }
  EXPECT_EQ(read, stream.packets.size());
  EXPECT_EQ(parser.missing(), 0U);
  EXPECT_EQ(again == stream.bytes, true);
}

TEST(MqttRoundTripTest, WhatIsWrittenIsRead) {
  std::array<int, 16> count{};
  for (unsigned seed = 1; seed <= 600; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    RandomPackets random(seed);
    for (const Level level : {Level::v3_1, Level::v3_1_1, Level::v5}) {
      for (const Sender sender : {Sender::client, Sender::server}) {
        const Stream stream = make_stream(random, level, sender);
        read_back(stream, random, level, sender);
        if (HasFailure()) return;
        for (std::size_t i = 0; i < count.size(); ++i) count[i] += stream.count[i];
      }
    }
  }
  for (std::size_t type = 1; type < count.size(); ++type) EXPECT_GT(count[type], 100) << type;
}

}  // namespace
}  // namespace pabal::tests
