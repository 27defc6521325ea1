#include "protocols/openwire/wire_format.h"

#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "protocols/openwire/wire.h"

namespace pabal::openwire {
namespace {

using core::milliseconds;

WireFormatOffer read_back(const WireFormatOffer& offer) {
  std::string frame;
  append_offer(frame, offer);
  AnyCommand command;
  std::string error;
  EXPECT_TRUE(read_command(std::string_view(frame).substr(4), {}, command, error)) << error;
  const auto read = read_offer(std::get<WireFormatInfo>(command));
  EXPECT_TRUE(read.has_value());
  return read ? *read : WireFormatOffer{};
}

TEST(OpenWireFormat, OffersLooseEncodingAndNoCache) {
  const auto offer =
      read_back(broker_offer(milliseconds(30'000), milliseconds(10'000), 1000, "1.2"));
  EXPECT_EQ(offer.version, 12);
  EXPECT_FALSE(offer.tight_encoding_enabled);
  EXPECT_FALSE(offer.cache_enabled);
  EXPECT_FALSE(offer.stack_trace_enabled);
  EXPECT_FALSE(offer.size_prefix_disabled);
  EXPECT_TRUE(offer.tcp_no_delay_enabled);
  EXPECT_TRUE(offer.max_frame_size_enabled);
  EXPECT_EQ(offer.max_frame_size, 1000);
  EXPECT_EQ(offer.max_inactivity_duration, 30'000);
  EXPECT_EQ(offer.max_inactivity_initial_delay, 10'000);
  EXPECT_EQ(offer.provider_name, "Pabal");
  EXPECT_EQ(offer.provider_version, "1.2");
  EXPECT_TRUE(offer.platform_details.empty()) << "CVE-2017-15709";
}

TEST(OpenWireFormat, AgreesOnTheLeast) {
  const auto ours = broker_offer(milliseconds(30'000), milliseconds(10'000), 1000, "1");
  WireFormatOffer theirs;
  theirs.version = 10;
  theirs.max_inactivity_duration = 5'000;
  theirs.max_inactivity_initial_delay = 20'000;
  theirs.max_frame_size = 2000;
  auto agreement = agree(ours, theirs);
  ASSERT_TRUE(agreement.has_value());
  EXPECT_EQ(agreement->format.version, 10);
  EXPECT_EQ(agreement->inactivity, milliseconds(5'000));
  EXPECT_EQ(agreement->initial_delay, milliseconds(10'000));
  EXPECT_EQ(agreement->max_frame_size, 1000);

  theirs.version = 13;
  theirs.max_inactivity_duration = 0;
  theirs.max_frame_size = 0;
  agreement = agree(ours, theirs);
  ASSERT_TRUE(agreement.has_value());
  EXPECT_EQ(agreement->format.version, 12);
  EXPECT_EQ(agreement->inactivity, milliseconds(0)) << "either side switches it off";
  EXPECT_EQ(agreement->max_frame_size, 1000);
}

TEST(OpenWireFormat, RefusesOldVersions) {
  const auto ours = broker_offer(milliseconds(0), milliseconds(0), 1000, "1");
  for (const int version : {1, 3, 8}) {
    WireFormatOffer theirs;
    theirs.version = version;
    EXPECT_FALSE(agree(ours, theirs).has_value()) << version;
  }
}

TEST(OpenWireFormat, TakesAnInfoWithoutProperties) {
  WireFormatInfo info;
  info.version = 12;
  const auto offer = read_offer(info);
  ASSERT_TRUE(offer.has_value());
  EXPECT_EQ(offer->version, 12);
  EXPECT_EQ(offer->max_inactivity_duration, 0);
}

std::string property(std::string_view name, std::string_view tag_and_value) {
  std::string bytes;
  append_big(bytes, static_cast<std::uint16_t>(name.size()));
  return (bytes += name) += tag_and_value;
}

struct BadMap {
  const char* name;
  std::string bytes;
  const char* error;
};

TEST(OpenWireFormat, RefusesMapsThatMakeNoSense) {
  using namespace std::string_literals;
  const std::string one("\0\0\0\1", 4);
  std::string many("\0\0\0\x41", 4);
  for (int i = 0; i < 65; ++i) many += property("n", "\0"s);
  const BadMap bad[] = {
      {"empty", "", "ends in the middle"},
      {"count beyond", "\0\0\0\2"s + property("n", "\0"s), "ends in the middle"},
      {"too many", many, "more than 64"},
      {"name beyond", one + "\xFF\xFFname"s, "beyond the end"},
      {"text beyond", one + property("Host", "\x09\0\5abc"s), "beyond the end"},
      {"big text beyond", one + property("Host", "\x0D\x7F\xFF\xFF\xFF"s), "beyond the end"},
      {"negative bytes", one + property("x", "\x0A\xFF\xFF\xFF\xFF"s), "negative length"},
      {"long text", one + property("Host", "\x09\2\1"s + std::string(513, 'x')), "512"},
      {"map", one + property("x", "\x0B\0\0\0\0"s), "no plain value"},
      {"list", one + property("x", "\x0C\0\0\0\0"s), "no plain value"},
      {"unknown tag", one + property("x", "\x7F"s), "no plain value"},
      {"bytes behind", one + property("x", "\0"s) + "x", "behind the last property"},
  };
  for (const BadMap& map : bad) {
    SCOPED_TRACE(map.name);
    WireFormatInfo info;
    info.version = 12;
    info.marshalled_properties.value = map.bytes;
    const auto offer = read_offer(info);
    ASSERT_FALSE(offer.has_value());
    EXPECT_NE(offer.error().text.find(map.error), std::string::npos) << offer.error().text;
  }
}

TEST(OpenWireFormat, TakesAPropertyOfAnotherTypeForMissing) {
  using namespace std::string_literals;
  WireFormatInfo info;
  info.version = 12;
  const std::string bytes = "\0\0\0\3"s + property("CacheEnabled", "\x09\0\4true"s) +
                            property("MaxInactivityDuration", "\x05\0\0\0\x7"s) +
                            property("unknown", "\6\0\0\0\0\0\0\0\1"s);
  info.marshalled_properties.value = bytes;
  const auto offer = read_offer(info);
  ASSERT_TRUE(offer.has_value()) << offer.error().text;
  EXPECT_FALSE(offer->cache_enabled);
  EXPECT_EQ(offer->max_inactivity_duration, 0);
}

}  // namespace
}  // namespace pabal::openwire
