#include "protocols/content/body.h"

#include <random>
#include <string>
#include <zlib.h>

#include <gtest/gtest.h>

#include "core/modified_utf8.h"
#include "core/primitive_values.h"
#include "protocols/content/inflate.h"
#include "protocols/content/json.h"

namespace pabal::content {
namespace {

using core::BodyKind;
using core::Encoding;
using std::string_view_literals::operator""sv;

std::string deflated(std::string_view text) {
  uLongf size = compressBound(text.size());
  std::string out(size, '\0');
  compress(reinterpret_cast<Bytef*>(out.data()), &size, reinterpret_cast<const Bytef*>(text.data()),
           text.size());
  out.resize(size);
  return out;
}

core::MessageRef message(BodyKind kind, Encoding encoding, std::string_view body,
                         bool compressed = false) {
  core::MessageBuilder builder;
  builder.destination_name = "q";
  builder.body_kind = kind;
  builder.body_encoding = encoding;
  builder.body = body;
  builder.compressed = compressed;
  return *builder.build();
}

std::string plain(const core::MessageRef& message) {
  std::string scratch;
  const auto body = plain_body(*message, scratch);
  return body ? std::string(*body) : "(none)";
}

std::string json(const core::MessageRef& message) {
  std::string scratch;
  const auto body = json_body(*message, scratch);
  return body ? std::string(*body) : "(none)";
}

TEST(BodyTest, TextOfOpenWireIsUtf8) {
  EXPECT_EQ(plain(message(BodyKind::text, Encoding::openwire, "\0\0\0\2hi"sv)), "hi");
  EXPECT_EQ(plain(message(BodyKind::text, Encoding::openwire, "\0\0\0\0"sv)), "");
  EXPECT_EQ(plain(message(BodyKind::text, Encoding::openwire, ""sv)), "");
  EXPECT_EQ(plain(message(BodyKind::text, Encoding::openwire,
                          "\0\0\0\x09\xED\xA0\xBD\xED\xB8\x80\xC0\x80!"sv)),
            "😀\0!"sv);
  EXPECT_EQ(plain(message(BodyKind::text, Encoding::openwire, "\0\0\0\3\xED\xA0\xBD"sv)), "\uFFFD");
  EXPECT_EQ(plain(message(BodyKind::text, Encoding::openwire, "\0\0\0\3hi"sv)), "(none)");
  EXPECT_EQ(plain(message(BodyKind::text, Encoding::native, "as it is"sv)), "as it is");
}

TEST(BodyTest, AViewIsGivenWhereNothingChanges) {
  std::string scratch;
  const auto text = message(BodyKind::text, Encoding::openwire, "\0\0\0\2hi"sv);
  EXPECT_EQ(plain_body(*text, scratch)->data(), text->body().data() + 4);
  EXPECT_TRUE(scratch.empty());
}

TEST(BodyTest, CompressedBodiesAreInflated) {
  const std::string large(300'000, 'x');
  const std::string counted = std::string("\0\x04\x93\xE0", 4) + large;
  EXPECT_EQ(plain(message(BodyKind::text, Encoding::openwire, deflated(counted), true)), large);
  EXPECT_EQ(plain(message(BodyKind::text, Encoding::openwire,
                          deflated("\0\0\0\6\xED\xA0\xBD\xED\xB8\x80"sv), true)),
            "😀");
  EXPECT_EQ(plain(message(BodyKind::bytes, Encoding::openwire,
                          std::string("\0\0\0\3", 4) + deflated("\0\1\2"sv), true)),
            "\0\1\2"sv);
  // As the Java client sends no bytes.
  EXPECT_EQ(plain(message(BodyKind::bytes, Encoding::openwire,
                          std::string("\0\0\0\0", 4) + deflated(std::string(1028, '\0')), true)),
            "");
  EXPECT_EQ(
      json(message(BodyKind::map, Encoding::openwire, deflated("\0\0\0\1\0\1i\x02\3"sv), true)),
      R"({"i":3})");
  EXPECT_EQ(plain(message(BodyKind::text, Encoding::openwire, "no zlib"sv, true)), "(none)");
  EXPECT_EQ(plain(message(BodyKind::bytes, Encoding::openwire, "\0"sv, true)), "(none)");
  EXPECT_EQ(plain(message(BodyKind::bytes, Encoding::openwire, ""sv, true)), "");
}

TEST(BodyTest, InflatingIsBounded) {
  const std::string bomb = deflated(std::string(1'000'000, '\0'));
  ASSERT_LT(bomb.size(), 2000U);
  std::string out = "before";
  EXPECT_FALSE(inflate(bomb, 999'999, out));
  EXPECT_EQ(out, "before");
  EXPECT_LT(out.capacity(), 3'000'000U);
  EXPECT_TRUE(inflate(bomb, 1'000'000, out));
  EXPECT_EQ(out.size(), 1'000'006U);
  const std::string whole = deflated("some text that is long enough to be cut somewhere");
  for (std::size_t size = 0; size < whole.size(); ++size) {
    std::string none;
    EXPECT_FALSE(inflate(std::string_view(whole).substr(0, size), 1000, none)) << size;
    EXPECT_TRUE(none.empty());
  }
}

TEST(BodyTest, MapsAndStreamsAreJson) {
  std::string map;
  const auto add = [&map](std::string_view name, core::Property value) {
    core::add_to_primitive_count(map);
    core::append_primitive_name(map, name);
    core::append_primitive(map, value);
  };
  using core::Property;
  using core::PropertyType;
  const auto number = [](PropertyType type, std::int64_t integer) {
    Property property;
    property.type = type;
    property.integer = integer;
    return property;
  };
  const auto real = [](PropertyType type, double value) {
    Property property;
    property.type = type;
    property.real = value;
    return property;
  };
  const auto text = [](PropertyType type, std::string_view value) {
    Property property;
    property.type = type;
    property.text = value;
    return property;
  };
  add("nothing", {});
  add("yes", number(PropertyType::boolean, 1));
  add("byte", number(PropertyType::int8, -1));
  add("char", number(PropertyType::character, 'x'));
  add("long", number(PropertyType::int64, 9007199254740993));
  add("half", real(PropertyType::float32, 0.5));
  add("none", real(PropertyType::float64, std::nan("")));
  add("q\"\n\x01", text(PropertyType::string, "a\\b\0😀"sv));
  add("bytes", text(PropertyType::bytes, "\0\xFF\1\2"sv));
  add("list", text(PropertyType::list, "\0\0\0\2\x02\1\x0B\0\0\0\1\0\1k\0"sv));
  EXPECT_EQ(json(message(BodyKind::map, Encoding::openwire, map)),
            "{\"nothing\":null,\"yes\":true,\"byte\":-1,\"char\":\"x\",\"long\":9007199254740993,"
            "\"half\":0.5,\"none\":\"NaN\",\"q\\\"\\n\\u0001\":\"a\\\\b\\u0000😀\","
            "\"bytes\":\"AP8BAg==\",\"list\":[1,{\"k\":null}]}");
  EXPECT_EQ(json(message(BodyKind::stream, Encoding::openwire, "\1\1\2\1\3\0\x78"sv)),
            R"([true,1,"x"])");
  EXPECT_EQ(json(message(BodyKind::map, Encoding::openwire, ""sv)), "{}");
  EXPECT_EQ(json(message(BodyKind::stream, Encoding::openwire, ""sv)), "[]");
  EXPECT_EQ(json(message(BodyKind::map, Encoding::openwire, "\0\0\0\1"sv)), "(none)");
}

TEST(BodyTest, Base64ComesBack) {
  for (unsigned seed = 1; seed <= 200; ++seed) {
    std::mt19937 random(seed);
    std::string bytes(random() % 50, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random());
    std::string text, again;
    append_base64(text, bytes);
    EXPECT_EQ(text.size() % 4, 0U);
    ASSERT_TRUE(read_base64(text, again));
    EXPECT_EQ(again, bytes) << "seed " << seed;
  }
  std::string out;
  EXPECT_FALSE(read_base64("A*B=", out));
  EXPECT_FALSE(read_base64("AA=A", out));
}

// Any bytes as any body: something well-formed, or nothing.
TEST(BodyTest, RandomBodiesAreHarmless) {
  for (unsigned seed = 1; seed <= 20'000; ++seed) {
    std::mt19937 random(seed);
    std::string bytes(random() % 40, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random() % 3 ? random() % 14 : random());
    std::string scratch;
    const auto text = plain_body(*message(BodyKind::text, Encoding::openwire, bytes), scratch);
    if (text) {
      ASSERT_TRUE(core::is_utf8(*text)) << "seed " << seed;
    }
    for (const BodyKind kind : {BodyKind::map, BodyKind::stream}) {
      const auto shown = json_body(*message(kind, Encoding::openwire, bytes), scratch);
      ASSERT_TRUE(!shown || core::is_utf8(*shown)) << "seed " << seed;
    }
  }
}

}  // namespace
}  // namespace pabal::content
