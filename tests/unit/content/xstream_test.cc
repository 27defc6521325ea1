#include "protocols/content/xstream.h"

#include <random>
#include <string>

#include <gtest/gtest.h>

#include "core/primitive_values.h"

namespace pabal::content {
namespace {

using std::string_view_literals::operator""sv;

std::string written(std::string_view map, Notation notation) {
  std::string out;
  EXPECT_TRUE(append_xstream(out, map, notation));
  return out;
}

std::string read(std::string_view text, Notation notation) {
  std::string map;
  const char* why = read_xstream(text, notation, map);
  return why == nullptr ? map : std::string("(") + why + ")";
}

/// {i: 3, k: "v"}
constexpr auto kMap = "\0\0\0\2\0\1i\x05\0\0\0\3\0\1k\x09\0\1v"sv;

// As observed: reference/stomp.md §11.
TEST(XStreamTest, JsonHasActiveMQsShape) {
  constexpr auto kJson = R"({"map":{"entry":[{"string":"i","int":3},{"string":["k","v"]}]}})";
  EXPECT_EQ(written(kMap, Notation::json), kJson);
  EXPECT_EQ(read(kJson, Notation::json), kMap);
}

TEST(XStreamTest, XmlHasActiveMQsShape) {
  constexpr auto kXml =
      "<map>\n  <entry>\n    <string>i</string>\n    <int>3</int>\n  </entry>\n"
      "  <entry>\n    <string>k</string>\n    <string>v</string>\n  </entry>\n</map>";
  EXPECT_EQ(written(kMap, Notation::xml), kXml);
  EXPECT_EQ(read(kXml, Notation::xml), kMap);
  EXPECT_EQ(read("<?xml version=\"1.0\"?><!-- a map --><map class='x'><entry><string>i</string>"
                 "<int>3</int></entry><entry><string>k</string><string>v</string></entry></map>\n",
                 Notation::xml),
            kMap);
}

TEST(XStreamTest, OneEntryAndNone) {
  constexpr auto kOne = "\0\0\0\1\0\1i\x05\0\0\0\3"sv;
  EXPECT_EQ(written(kOne, Notation::json), R"({"map":{"entry":{"string":"i","int":3}}})");
  EXPECT_EQ(read(R"({"map":{"entry":{"string":"i","int":3}}})", Notation::json), kOne);
  EXPECT_EQ(read(R"( {"map" : {"entry":[{"string":"i","int":"3"}]}} )", Notation::json), kOne);
  EXPECT_EQ(written("", Notation::json), R"({"map":""})");
  EXPECT_EQ(written("", Notation::xml), "<map/>");
  for (const auto& [text, notation] :
       {std::pair(R"({"map":""})", Notation::json), std::pair(R"({"map":{}})", Notation::json),
        std::pair("<map/>", Notation::xml), std::pair("<map>\n</map>", Notation::xml)}) {
    EXPECT_EQ(read(text, notation), "\0\0\0\0"sv) << text;
  }
}

TEST(XStreamTest, AllTypesBothWays) {
  std::string all;
  const auto add = [&all](std::string_view name, core::PropertyType type, std::int64_t integer,
                          double real, std::string_view text) {
    core::Property value;
    value.type = type;
    value.integer = integer;
    value.real = real;
    value.text = text;
    core::add_to_primitive_count(all);
    core::append_primitive_name(all, name);
    core::append_primitive(all, value);
  };
  using enum core::PropertyType;
  add("n", null, 0, 0, "");
  add("b", boolean, 1, 0, "");
  add("i8", int8, -128, 0, "");
  add("i16", int16, 32767, 0, "");
  add("i32", int32, -5, 0, "");
  add("i64", int64, std::int64_t{1} << 60, 0, "");
  add("f", float32, 0, 1.25, "");
  add("d", float64, 0, -1e300, "");
  add("c", character, 0xD55C, 0, "");
  add("s", string, 0, 0, "a<b>&'\"\n\t\x01😀");
  add("empty", string, 0, 0, "");
  add("long", string, 0, 0, std::string(9000, 'y'));
  add("bytes", bytes, 0, 0, "\0\xFF"sv);
  add("list", list, 0, 0, "\0\0\0\2\x05\0\0\0\1\x05\0\0\0\2"sv);
  add("map", map, 0, 0, "\0\0\0\1\0\1k\x0C\0\0\0\0"sv);
  for (const Notation notation : {Notation::json, Notation::xml}) {
    EXPECT_EQ(read(written(all, notation), notation), all) << written(all, notation);
  }
}

TEST(XStreamTest, NestedTextsAreModifiedUtf8) {
  EXPECT_EQ(
      read(R"({"map":{"entry":{"string":"l","list":{"string":"\ud83d\ude00"}}}})", Notation::json),
      "\0\0\0\1\0\1l\x0C\0\0\0\1\x09\0\6\xED\xA0\xBD\xED\xB8\x80"sv);
  EXPECT_EQ(read(R"({"map":{"entry":{"string":["s","\ud83d\ude00"]}}})", Notation::json),
            "\0\0\0\1\0\1s\x09\0\4\xF0\x9F\x98\x80"sv);
}

TEST(XStreamTest, WhatIsNoMapIsRefused) {
  for (const auto text : {"",
                          "{",
                          "{}",
                          "[]",
                          "3",
                          R"({"map":3})",
                          R"({"list":{"int":1}})",
                          R"({"map":{"entry":1}})",
                          R"({"map":{"entry":{"int":3,"string":"i"}}})",
                          R"({"map":{"entry":{"string":"i"}}})",
                          R"({"map":{"entry":{"string":"i","int":"x"}}})",
                          R"({"map":{"entry":{"string":"i","int":2147483648}}})",
                          R"({"map":{"entry":{"string":"i","boolean":1}}})",
                          R"({"map":{"entry":{"string":"i","char":"xy"}}})",
                          R"({"map":{"entry":{"string":"i","java.lang.Runtime":"x"}}})",
                          R"({"map":{"entry":{"string":"","int":1}}})",
                          R"({"map":""} x)",
                          R"({"map":"")",
                          R"({"map":"\x"})",
                          R"({"map":"\u12"})",
                          "{\"map\":\"\xFF\"}",
                          R"({"a":1,"map":""})"}) {
    EXPECT_TRUE(read(text, Notation::json).starts_with('(')) << text;
  }
  for (const auto text :
       {"", "<map>", "<map></pam>", "<list/>", "x", "<map/>x", "<map><entry/></map>",
        "<map>text</map>", "<map><entry><string>i</string><int>x</int></entry></map>",
        "<!DOCTYPE a [<!ENTITY b 'c'>]><map/>", "<map>&b;</map>", "<map a='></map>",
        "<map><entry><string>&#xD800;</string><int>1</int></entry></map>", "<!-- <map/>"}) {
    EXPECT_TRUE(read(text, Notation::xml).starts_with('(')) << text;
  }
}

TEST(XStreamTest, SizeAndDepthAreBounded) {
  std::string deep = "{\"map\":", many = "{\"map\":{\"entry\":[";
  for (int i = 0; i < 100'000; ++i) {
    deep += "{\"a\":";
    many += "1,";
  }
  EXPECT_TRUE(read(deep, Notation::json).starts_with("(JSON: nested"));
  EXPECT_TRUE(read(many, Notation::json).starts_with("(JSON: too many"));
  std::string xml;
  for (int i = 0; i < 100'000; ++i) xml += "<a>";
  EXPECT_TRUE(read(xml, Notation::xml).starts_with("(XML: nested"));
  EXPECT_TRUE(
      read(std::string(kXStreamBytesMax + 1, ' '), Notation::json).starts_with("(it is larger"));
}

// Cut and changed texts: refused, or a whole map.
TEST(XStreamTest, DamageIsFoundOrHarmless) {
  for (const Notation notation : {Notation::json, Notation::xml}) {
    const std::string whole = written(kMap, notation);
    for (std::size_t size = 0; size < whole.size(); ++size) {
      EXPECT_TRUE(read(whole.substr(0, size), notation).starts_with('(')) << size;
    }
    for (unsigned seed = 1; seed <= 5000; ++seed) {
      std::mt19937 random(seed);
      std::string text = whole;
      for (int changes = 1 + static_cast<int>(random() % 3); changes > 0; --changes) {
        text[random() % text.size()] = "{}[]\",:<>/&;#x1\\"[random() % 17];
      }
      std::string map;
      if (read_xstream(text, notation, map) == nullptr) {
        EXPECT_TRUE(core::is_primitive_map(map)) << text;
      }
    }
  }
}

}  // namespace
}  // namespace pabal::content
