#include "core/primitive_values.h"

#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "core/selector.h"

namespace pabal::core {
namespace {

using std::string_view_literals::operator""sv;

/// As the Java client wrote it: reference/openwire.md §7.5.
constexpr auto kCaptured = "\0\0\0\2\0\5color\x09\0\3red\0\1n\x05\0\0\0\7"sv;

MessageRef message_with(std::string_view properties) {
  MessageBuilder builder;
  builder.destination_name = "q";
  builder.set_encoded_properties(Encoding::openwire, properties);
  return *builder.build();
}

std::string shown(const Message& message) {
  std::string all;
  PropertyReader reader(message);
  while (const auto property = reader.next()) {
    std::string scratch;
    all += property->utf8_name(scratch);
    all += '=';
    property->append_text(all);
    all += ';';
  }
  return all + (reader.complete() ? "" : "!");
}

bool selects(const char* selector, const Message& message) {
  const auto compiled = Selector::compile(selector);
  EXPECT_TRUE(compiled);
  return compiled->matches(message, {});
}

TEST(PrimitiveValuesTest, CapturedPropertiesAreReadInPlace) {
  const auto message = message_with(kCaptured);
  EXPECT_EQ(message->properties(), kCaptured);
  EXPECT_EQ(shown(*message), "color=red;n=7;");
  EXPECT_EQ(message->property("n")->type, PropertyType::int32);
  EXPECT_FALSE(message->property("absent"));
  EXPECT_TRUE(selects("color = 'red' AND n BETWEEN 7 AND 8", *message));
  EXPECT_FALSE(selects("color = 'blue'", *message));
  EXPECT_FALSE(selects("n = '7'", *message));
}

TEST(PrimitiveValuesTest, EveryTypeComesBack) {
  MessageBuilder builder;
  builder.destination_name = "q";
  builder.property_encoding = Encoding::openwire;
  builder.add_raw("nothing", PropertyType::null, {});
  builder.add_boolean("yes", true);
  builder.add_integer("byte", PropertyType::int8, -128);
  builder.add_integer("char", PropertyType::character, 0xD55C);
  builder.add_integer("short", PropertyType::int16, -32768);
  builder.add_integer("int", PropertyType::int32, std::numeric_limits<std::int32_t>::min());
  builder.add_integer("long", PropertyType::int64, std::numeric_limits<std::int64_t>::min());
  builder.add_real("float", PropertyType::float32, 1.5);
  builder.add_real("double", PropertyType::float64, -0.1);
  builder.add_string("text", "파발");
  builder.add_string("large", std::string(9000, 'x'));
  builder.add_raw("bytes", PropertyType::bytes, "\0\xFF"sv);
  const auto message = *builder.build();
  EXPECT_TRUE(is_primitive_map(message->properties()));
  EXPECT_EQ(shown(*message),
            "nothing=;yes=true;byte=-128;char=한;short=-32768;int=-2147483648;"
            "long=-9223372036854775808;float=1.5;double=-0.1;text=파발;large=" +
                std::string(9000, 'x') + ";bytes=" + std::string("\0\xFF", 2) + ";");
  // Into core's own encoding and back: the same bytes.
  MessageBuilder native;
  native.destination_name = "q";
  PropertyReader reader(*message);
  while (const auto property = reader.next()) native.add(*property);
  const auto middle = *native.build();
  EXPECT_EQ(shown(*middle), shown(*message));
  MessageBuilder again;
  again.property_encoding = Encoding::openwire;
  PropertyReader other(*middle);
  while (const auto property = other.next()) again.add(*property);
  EXPECT_EQ((*again.build())->properties(), message->properties());
}

TEST(PrimitiveValuesTest, NamesAndTextsOfJavaAreUnderstood) {
  // "smile😀" and its value, both as surrogate pairs; a value as four bytes.
  const auto message = message_with(
      "\0\0\0\2"
      "\0\x0Bsmile\xED\xA0\xBD\xED\xB8\x80\x09\0\7\xED\xA0\xBD\xED\xB8\x80!"
      "\0\1s\x09\0\5\xF0\x9F\x98\x80!"sv);
  EXPECT_EQ(shown(*message), "smile😀=😀!;s=😀!;");
  ASSERT_TRUE(message->property("smile😀"));
  EXPECT_TRUE(selects("s = '😀!'", *message));
  EXPECT_TRUE(selects("s LIKE '😀_'", *message));
  const auto modified = message_with("\0\0\0\1\0\1s\x09\0\7\xED\xA0\xBD\xED\xB8\x80!"sv);
  EXPECT_TRUE(selects("s = '😀!'", *modified));
  EXPECT_TRUE(selects("s LIKE '😀%'", *modified));
}

TEST(PrimitiveValuesTest, OfSeveralWithOneNameTheLastCounts) {
  const auto message = message_with("\0\0\0\2\0\1n\x02\1\0\1n\x02\2"sv);
  EXPECT_EQ(message->property("n")->integer, 2);
}

TEST(PrimitiveValuesTest, NothingIsAListToo) {
  for (const auto none : {""sv, "\0\0\0\0"sv, "\xFF\xFF\xFF\xFF"sv}) {
    const auto message = message_with(none);
    EXPECT_EQ(shown(*message), "");
    MessageBuilder builder(*message);
    builder.add_boolean("b", true);
    EXPECT_EQ(shown(**builder.build()), "b=true;");
  }
}

TEST(PrimitiveValuesTest, CopiedWithoutSomeTheOthersKeepTheirBytes) {
  const auto message =
      message_with("\0\0\0\3\0\1a\x0D\0\0\0\1x\0\1b\x02\1\0\1c\x0B\0\0\0\1\0\1k\x0C\0\0\0\1\x00"sv);
  MessageBuilder builder(*message);
  builder.copy_properties(*message, [](const Property& property) { return property.name == "b"; });
  EXPECT_EQ((*builder.build())->properties(),
            "\0\0\0\2\0\1a\x0D\0\0\0\1x\0\1c\x0B\0\0\0\1\0\1k\x0C\0\0\0\1\x00"sv);
}

TEST(PrimitiveValuesTest, MalformedIsFound) {
  for (const auto bytes :
       {"\0\0\0\1"sv, "\0\0\0"sv, "\x7F\xFF\xFF\xFF\0\1a\x00"sv, "\x80\0\0\0\0"sv,
        "\0\0\0\1\0\1a\x0E"sv, "\0\0\0\1\0\1a\x09\0\5abc"sv, "\0\0\0\1\0\1a\x0A\xFF\xFF\xFF\xFF"sv,
        "\0\0\0\1\0\1a\x0D\x7F\xFF\xFF\xFFx"sv, "\0\0\0\1\0\1a\x0C\x7F\xFF\xFF\xFF"sv,
        "\0\0\0\1\0\1a\x06\0\0"sv, "\0\0\0\1\0\1a\x02\1\0"sv, "\0\0\0\2\0\1a\x02\1"sv}) {
    EXPECT_FALSE(is_primitive_map(bytes));
    const auto message = message_with(bytes);
    EXPECT_TRUE(shown(*message).ends_with('!'));
  }
  EXPECT_FALSE(is_primitive_stream("\x09\0\2x"sv));
  EXPECT_TRUE(is_primitive_stream("\x01\x01\x02\x01\x03\0\x78"sv));
}

TEST(PrimitiveValuesTest, NestingIsBounded) {
  for (const int depth : {kPrimitiveNestingMax, kPrimitiveNestingMax + 1, 100'000}) {
    std::string nested = std::string("\0\0\0\1\0\1a"sv);
    for (int i = 0; i < depth; ++i) nested += "\x0C\0\0\0\1"sv;
    nested += '\0';
    EXPECT_EQ(is_primitive_map(nested), depth <= kPrimitiveNestingMax) << depth;
  }
}

// Cut anywhere, or with any byte changed: no read leaves the bytes (the sanitizers watch), and
// what is not whole is not called so.
TEST(PrimitiveValuesTest, DamageIsFoundOrHarmless) {
  const std::string whole(
      "\0\0\0\3\0\1a\x0D\0\0\0\1x\0\1b\x06\0\0\0\0\0\0\0\1\0\1c\x0B\0\0\0\1\0\1k\x0C\0\0\0\1\x00"sv);
  ASSERT_TRUE(is_primitive_map(whole));
  for (std::size_t size = 1; size < whole.size(); ++size) {
    EXPECT_FALSE(is_primitive_map(std::string(whole, 0, size))) << size;
  }
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (const int flip : {1, 2, 4, 8, 0x80, 0xFF}) {
      std::string bytes = whole;
      bytes[at] = static_cast<char>(bytes[at] ^ flip);
      (void)shown(*message_with(bytes));
    }
  }
}

}  // namespace
}  // namespace pabal::core
