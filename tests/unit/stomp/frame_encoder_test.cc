#include "protocols/stomp/frame_encoder.h"

#include <string>

#include <gtest/gtest.h>

#include "protocols/content/binary_correlation.h"
#include "protocols/stomp/frame_cache.h"
#include "protocols/stomp/text.h"

namespace pabal::stomp {
namespace {

using namespace std::string_literals;

core::MessageRef build(const core::MessageBuilder& builder) {
  auto message = builder.build();
  EXPECT_TRUE(message);
  return *message;
}

std::string headers_of(const core::Message& message, Version version) {
  std::string text;
  std::string scratch;
  append_common_headers(text, message, nullptr, {version}, scratch);
  return text;
}

TEST(FrameEncoderTest, EscapesByVersion) {
  const std::string text = "a\nb:c\\d\re\0f"s;
  const auto escaped = [&](Version version) {
    std::string out;
    append_escaped(out, text, version);
    return out;
  };
  EXPECT_EQ(escaped(Version::v1_0), "a\\nb:c\\d\ref");
  EXPECT_EQ(escaped(Version::v1_1), "a\\nb\\cc\\\\d\ref");
  EXPECT_EQ(escaped(Version::v1_2), "a\\nb\\cc\\\\d\\ref");
}

TEST(FrameEncoderTest, WritesPropertiesOfEveryTypeAsText) {
  core::MessageBuilder builder;
  builder.destination_name = "q";
  builder.body_kind = core::BodyKind::text;
  builder.add_boolean("b", true);
  builder.add_integer("i", core::PropertyType::int32, -4);
  builder.add_real("d", core::PropertyType::float64, 1.5);
  builder.add_string("s:1", "x:y");
  builder.add_raw("n", core::PropertyType::null, {});
  builder.add_string("message-id", "forged");
  const auto message = build(builder);
  EXPECT_EQ(headers_of(*message, Version::v1_2),
            "destination:/queue/q\nmessage-id:ID\\cpabal-0-0\\c-1\\c1\\c0\nexpires:0\npriority:4\n"
            "timestamp:0\nb:true\ni:-4\nd:1.5\ns\\c1:x\\cy\n");
}

TEST(FrameEncoderTest, LeavesOutHeadersThatOnlyTheServerMaySay) {
  core::MessageBuilder builder;
  builder.destination_name = "q";
  builder.body_kind = core::BodyKind::text;
  builder.add_string("", "of a client of MQTT");
  builder.add_string("JMSXUserID", "forged");
  builder.add_string("content-length", "1");
  builder.add_string("k", "v");
  const auto message = build(builder);
  EXPECT_TRUE(headers_of(*message, Version::v1_2).ends_with("timestamp:0\nk:v\n"));
}

TEST(FrameEncoderTest, WritesACorrelationThatIsBytes) {
  core::MessageBuilder builder;
  builder.destination_name = "q";
  const std::string correlation = "\0\xFF\x1f"s;
  builder.correlation = correlation;
  builder.correlation_is_bytes = true;
  const std::string written = headers_of(*build(builder), Version::v1_2);
  EXPECT_NE(written.find("\ncorrelation-id:ID\\cBINARY\\c00ff1f\n"), std::string::npos) << written;

  std::string bytes = "before";
  EXPECT_TRUE(content::read_binary_correlation("ID:BINARY:00ff1F", bytes));
  EXPECT_EQ(bytes, builder.correlation);
  for (const char* text :
       {"", "00ff", "ID:BINARY:", "ID:BINARY:0", "ID:BINARY:0g", "id:binary:00", "ID:BINARY:00 "}) {
    EXPECT_FALSE(content::read_binary_correlation(text, bytes)) << text;
  }
}

// A JMS client will send bodies and ids that no STOMP client makes.
TEST(FrameEncoderTest, BodiesWithoutAPlainFormAreEmpty) {
  for (const auto kind : {core::BodyKind::map, core::BodyKind::stream, core::BodyKind::object,
                          core::BodyKind::none}) {
    const std::string opaque = "opaque\0bytes"s;
    core::MessageBuilder builder;
    builder.destination_name = "q";
    builder.body_kind = kind;
    builder.body = opaque;
    const auto message = build(builder);
    std::string headers, scratch;
    EXPECT_EQ(append_common_headers(headers, *message, nullptr, {Version::v1_2}, scratch), "");
    EXPECT_EQ(headers_of(*message, Version::v1_2).find("content-length"), std::string::npos);
  }
}

TEST(FrameEncoderTest, BodiesOfOpenWireAreText) {
  core::MessageBuilder builder;
  builder.destination_name = "q";
  builder.body_kind = core::BodyKind::text;
  builder.body_encoding = core::Encoding::openwire;
  const std::string emoji = "\0\0\0\6\xED\xA0\xBD\xED\xB8\x80"s;
  builder.body = emoji;
  builder.set_encoded_properties(core::Encoding::openwire,
                                 "\0\0\0\1\0\1s\x09\0\6\xED\xA0\xBD\xED\xB8\x80"s);
  std::string headers, scratch;
  EXPECT_EQ(append_common_headers(headers, *build(builder), nullptr, {Version::v1_2}, scratch),
            "😀");
  EXPECT_NE(headers.find("\ns:😀\n"), std::string::npos) << headers;
  EXPECT_EQ(headers.find("content-length"), std::string::npos);
  const std::string nul = "\0\0\0\4\xC0\x80hi"s;  // which would end the frame
  builder.body = nul;
  headers.clear();
  EXPECT_EQ(append_common_headers(headers, *build(builder), nullptr, {Version::v1_2}, scratch),
            "\0hi"s);
  EXPECT_NE(headers.find("\ncontent-length:3\n"), std::string::npos);
}

TEST(FrameEncoderTest, AMapIsShownToWhoAsks) {
  core::MessageBuilder builder;
  builder.destination_name = "q";
  builder.body_kind = core::BodyKind::map;
  builder.body_encoding = core::Encoding::openwire;
  const std::string map = "\0\0\0\1\0\1i\x05\0\0\0\3"s;
  builder.body = map;
  builder.add_string("transformation", "the sender's");
  const auto message = build(builder);
  const auto shown = [&](std::string_view asked) {
    std::string headers, scratch;
    const auto body =
        append_common_headers(headers, *message, nullptr, {Version::v1_2, asked}, scratch);
    const auto at = headers.find("transformation:");
    return headers.substr(at, headers.find('\n', at) - at) + "|" + std::string(body);
  };
  const std::string json = R"(|{"map":{"entry":{"string":"i","int":3}}})";
  EXPECT_EQ(shown("jms-map-json"), "transformation:jms-map-json" + json);
  EXPECT_EQ(shown("jms-json"), "transformation:jms-map-json" + json);
  EXPECT_TRUE(shown("jms-xml").starts_with("transformation:jms-map-xml|<map>\n"));
  EXPECT_EQ(shown("whatever"), "transformation:whatever|");
  EXPECT_EQ(shown(""), "transformation:the sender's|");
  builder.body = "damaged";
  std::string headers, scratch;
  EXPECT_EQ(append_common_headers(headers, *build(builder), nullptr, {Version::v1_2, "jms-json"},
                                  scratch),
            "");
  EXPECT_NE(headers.find("\ntransformation-error:"), std::string::npos);
}

TEST(FrameEncoderTest, ForeignIdsAreEscaped) {
  core::MessageBuilder builder;
  builder.destination_name = "q";
  const std::string id = "ID:host\n" + std::string(500, 'x');
  builder.foreign_id = id;
  const auto message = build(builder);
  EXPECT_NE(headers_of(*message, Version::v1_0).find("\nmessage-id:ID:host\\nxxx"),
            std::string::npos);
  EXPECT_NE(headers_of(*message, Version::v1_2).find("\nmessage-id:ID\\chost\\nxxx"),
            std::string::npos);
}

TEST(FrameCacheTest, AnswersPerMessageAndVersion) {
  FrameCache cache;
  std::vector<core::MessageRef> messages;
  for (int i = 0; i < 100; ++i) {
    core::MessageBuilder builder;
    builder.destination_name = "a:b";
    builder.priority = static_cast<std::uint8_t>(i % 10);
    builder.sequence = static_cast<std::uint64_t>(i);
    const std::string body(i % 3 == 0 ? 100'000 : 10, 'x');  // some are too large to remember
    builder.body_kind = core::BodyKind::bytes;
    builder.body = body;
    messages.push_back(build(builder));
  }
  for (int round = 0; round < 3; ++round) {
    for (const auto& message : messages) {
      for (const Version version : {Version::v1_0, Version::v1_2, Version::v1_2}) {
        ASSERT_EQ(cache.common_part(message, nullptr, {version}).headers,
                  headers_of(*message, version));
      }
    }
  }
}

}  // namespace
}  // namespace pabal::stomp
