#include <algorithm>
#include <random>
#include <string>

#include <gtest/gtest.h>

#include "core/modified_utf8.h"
#include "core/primitive_values.h"
#include "protocols/content/xstream.h"
#include "tests/unit/mapping/ends.h"

// Messages by chance, from each protocol to each, with all kinds of bodies: what
// protocols/MAPPING.md says arrives, arrives, and every text is a text where it arrives. The words
// hold what breaks converters: emoji, NUL, halves of surrogate pairs, nothing, a lot.

namespace pabal::tests {
namespace {

using core::BodyKind;
using openwire::MessageType;

constexpr unsigned kRounds = 400;

class Chance {
 public:
  explicit Chance(unsigned seed) : random_(seed) {}

  unsigned below(unsigned most) { return static_cast<unsigned>(random_() % most); }

  /// UTF-16 by chance, in modified UTF-8.
  std::string java(std::size_t units, bool with_nul, bool with_controls) {
    std::string out;
    const auto put = [&out](unsigned unit) {
      if (unit == 0) {
        out += "\xC0\x80";
      } else if (unit < 0x80) {
        out += static_cast<char>(unit);
      } else if (unit < 0x800) {
        out += {static_cast<char>(0xC0 | unit >> 6), static_cast<char>(0x80 | (unit & 63))};
      } else {
        out += {static_cast<char>(0xE0 | unit >> 12), static_cast<char>(0x80 | (unit >> 6 & 63)),
                static_cast<char>(0x80 | (unit & 63))};
      }
    };
    for (std::size_t i = 0; i < units; ++i) {
      switch (below(8)) {
        case 0:  // an emoji
          put(0xD83D);
          put(0xDE00 + below(64));
          break;
        case 1:
          put(0xAC00 + below(11172));
          break;
        case 2:
          put(0xD800 + below(2048));  // mostly half a pair
          break;
        case 3:
          put(with_nul && below(4) == 0 ? 0 : 0xE9);
          break;
        case 4:
          put(with_controls ? below(32) + (with_nul ? 0 : 1) : '&');
          break;
        default:
          put(0x20 + below(0x5F));
      }
    }
    return out;
  }

  std::size_t length() {
    constexpr std::size_t kLengths[] = {0, 1, 7, 8, 9, 40, 300, 3000};
    return below(40) == 0 ? 40'000 : kLengths[below(8)];
  }

  std::string bytes() {
    std::string out(length(), '\0');
    std::generate(out.begin(), out.end(), [&] { return static_cast<char>(below(256)); });
    return out;
  }

  core::Property value(int depth) {
    core::Property property;
    property.type = static_cast<core::PropertyType>(below(depth > 2 ? 11 : 13));
    property.encoding = core::Encoding::openwire;
    property.integer = property.type == core::PropertyType::boolean     ? below(2)
                       : property.type == core::PropertyType::character ? 0x20 + below(0x5F)
                       : property.type == core::PropertyType::int8
                           ? static_cast<std::int8_t>(below(256))
                           : below(30'000);
    property.real = below(1000) / 8.0;
    if (property.type == core::PropertyType::string) kept_.push_back(java(below(20), true, true));
    if (property.type == core::PropertyType::bytes) kept_.push_back(bytes());
    if (property.type == core::PropertyType::map) kept_.push_back(map(below(4), depth + 1));
    if (property.type == core::PropertyType::list) {
      std::string list;
      const unsigned count = below(4);
      core::append_primitive_count(list, count);
      // Of one type, because XStream's JSON has no order among several.
      const core::Property one = value(3);
      for (unsigned i = 0; i < count; ++i) {
        core::append_primitive(list, one, core::StringPlace::nested);
      }
      kept_.push_back(list);
    }
    if (property.type >= core::PropertyType::string &&
        property.type != core::PropertyType::character) {
      property.text = kept_.back();
    }
    return property;
  }

  std::string map(unsigned entries, int depth) {
    std::string out;
    core::append_primitive_count(out, entries);
    for (unsigned i = 0; i < entries; ++i) {
      core::append_primitive_name(out,
                                  "n" + std::to_string(i) + shown(java(below(3), false, false)));
      core::append_primitive(out, value(depth), core::StringPlace::nested);
    }
    return out;
  }

  std::string stream() {
    std::string out;
    for (unsigned left = below(6); left > 0; --left) {
      core::append_primitive(out, value(3), core::StringPlace::nested);
    }
    return out;
  }

 private:
  std::mt19937 random_;
  std::vector<std::string> kept_;
};

Told told_by_chance(Chance& chance, bool by_openwire) {
  Told told;
  constexpr BodyKind kKinds[] = {BodyKind::text,   BodyKind::bytes,  BodyKind::map,
                                 BodyKind::stream, BodyKind::object, BodyKind::none};
  told.kind = kKinds[chance.below(by_openwire ? 6 : 2)];
  if (told.kind == BodyKind::text) told.java = chance.java(chance.length(), true, true);
  if (told.kind == BodyKind::bytes) told.bytes = chance.bytes();
  if (told.kind == BodyKind::object) told.bytes = "\xAC\xED" + chance.bytes();
  if (told.kind == BodyKind::map) told.values = chance.map(chance.below(6), 1);
  if (told.kind == BodyKind::stream) told.values = chance.stream();
  told.java_word = "w" + chance.java(chance.below(12), by_openwire, false);
  told.number = static_cast<std::int64_t>(chance.below(1'000'000)) - 500'000;
  told.compressed = by_openwire && told.kind != BodyKind::none && chance.below(4) == 0;
  return told;
}

std::string without_nul(std::string text) {
  std::erase(text, '\0');
  return text;
}

/// What XStream's JSON makes of a map, read again: the texts' encodings apart, the same values.
std::string canonical(std::string_view map) {
  std::string json, again;
  EXPECT_TRUE(content::append_xstream(json, map, content::Notation::json));
  EXPECT_EQ(content::read_xstream(json, content::Notation::json, again), nullptr) << json;
  return again;
}

void expect_openwire(const Told& told, const Got& got) {
  ASSERT_TRUE(got.valid);
  EXPECT_EQ(got.headers.at("word"), shown(told.java_word));
  EXPECT_EQ(got.headers.at("number"), std::to_string(told.number));
  EXPECT_EQ(got.headers.at("correlation-id"), shown(told.java_word));
}

void expect_stomp(const Told& told, const Got& got) {
  ASSERT_TRUE(got.valid);
  const std::string word = without_nul(shown(told.java_word));
  EXPECT_EQ(got.headers.at("word"), word);
  EXPECT_EQ(got.headers.at("number"), std::to_string(told.number));
  EXPECT_EQ(got.headers.at("correlation-id"), word);
  switch (told.kind) {
    case BodyKind::text:
      EXPECT_EQ(got.body, shown(told.java));
      break;
    case BodyKind::bytes:
      EXPECT_EQ(got.body, told.bytes);
      EXPECT_TRUE(got.headers.contains("content-length"));
      break;
    case BodyKind::map: {
      EXPECT_EQ(got.headers.at("transformation"), "jms-map-json");
      std::string map;
      ASSERT_EQ(content::read_xstream(got.body, content::Notation::json, map), nullptr);
      EXPECT_EQ(map, canonical(told.values));
      break;
    }
    default:
      EXPECT_EQ(got.body, "");
  }
}

void expect_mqtt(const Told& told, const Got& got) {
  ASSERT_TRUE(got.valid);
  const std::string word = shown(told.java_word);
  if (word.find('\0') == word.npos) {
    EXPECT_EQ(got.headers.at("word"), word);
  } else {
    EXPECT_FALSE(got.headers.contains("word"));  // MQTT has no way to say it
  }
  EXPECT_EQ(got.headers.at("number"), std::to_string(told.number));
  EXPECT_EQ(got.headers.at("correlation-id"), word);
  switch (told.kind) {
    case BodyKind::text:
      EXPECT_EQ(got.body, shown(told.java));
      break;
    case BodyKind::bytes:
    case BodyKind::object:
      EXPECT_EQ(got.body, told.bytes);
      break;
    case BodyKind::map:
    case BodyKind::stream:
      EXPECT_EQ(got.headers.at("JMSMessageClass"), told.kind == BodyKind::map ? "map" : "stream");
      EXPECT_EQ(got.content_type, "application/json");
      EXPECT_TRUE(core::is_utf8(got.body));
      EXPECT_TRUE(got.body.starts_with(told.kind == BodyKind::map ? '{' : '['));
      break;
    default:
      EXPECT_EQ(got.body, "");
  }
}

TEST(RoundTripTest, FromOpenWireToAll) {
  Ends ends;
  for (unsigned seed = 1; seed <= kRounds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Chance chance(seed);
    const Told told = told_by_chance(chance, true);
    const auto message = ends.from_openwire(told);
    const Got back = ends.to_openwire(*message);
    expect_openwire(told, back);
    EXPECT_EQ(back.body, wire_content(told));  // byte by byte
    EXPECT_EQ(back.headers.at("type"), shown(told.java_word));
    expect_stomp(told, ends.to_stomp(message));
    expect_mqtt(told, ends.to_mqtt(*message));
    ASSERT_FALSE(HasFailure());
  }
}

TEST(RoundTripTest, FromStompToAll) {
  Ends ends;
  for (unsigned seed = 1; seed <= kRounds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Chance chance(seed);
    const Told told = told_by_chance(chance, false);
    const auto message = ends.from_stomp(told);
    ASSERT_TRUE(message);
    const Got java = ends.to_openwire(*message);
    expect_openwire(told, java);
    if (told.kind == BodyKind::text) {
      EXPECT_EQ(java.type, MessageType::text);
      std::string expected;
      ASSERT_TRUE(core::to_modified_utf8(shown(told.java), expected));
      EXPECT_EQ(java.body, counted(expected));
    } else {
      EXPECT_EQ(java.type, MessageType::bytes);
      EXPECT_EQ(java.body, told.bytes);
    }
    expect_stomp(told, ends.to_stomp(message));
    expect_mqtt(told, ends.to_mqtt(*message));
    ASSERT_FALSE(HasFailure());
  }
}

TEST(RoundTripTest, FromMqttToAll) {
  Ends ends;
  for (unsigned seed = 1; seed <= kRounds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Chance chance(seed);
    Told told = told_by_chance(chance, false);
    const auto message = ends.from_mqtt(told);
    const Got java = ends.to_openwire(*message);
    expect_openwire(told, java);
    // As ActiveMQ has it: what came by MQTT is bytes, whatever it says of itself.
    const std::string payload = told.kind == BodyKind::text ? shown(told.java) : told.bytes;
    EXPECT_EQ(java.type, MessageType::bytes);
    EXPECT_EQ(java.body, payload);
    expect_mqtt(told, ends.to_mqtt(*message));
    told.bytes = payload;
    told.kind = BodyKind::bytes;
    expect_stomp(told, ends.to_stomp(message));
    ASSERT_FALSE(HasFailure());
  }
}

}  // namespace
}  // namespace pabal::tests
