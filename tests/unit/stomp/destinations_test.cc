#include "protocols/stomp/destinations.h"

#include <string>

#include <gtest/gtest.h>

namespace pabal::stomp {
namespace {

using core::DestinationKind;

std::string written(DestinationKind kind, std::string_view name) {
  std::string text;
  append_destination(text, kind, name, Version::v1_0, nullptr);
  return text;
}

TEST(DestinationsTest, WhatIsWrittenReadsBackTheSame) {
  for (const auto kind : {DestinationKind::queue, DestinationKind::topic}) {
    for (const std::string name : {"a", "a.b", "/foo/bar", "topic://x", "/queue/q", "ø 😀"}) {
      const std::string text = written(kind, name);
      const auto read = parse_destination(text);
      ASSERT_TRUE(read) << name;
      EXPECT_EQ(read->kind, kind);
      EXPECT_EQ(read->name, name);
      EXPECT_FALSE(read->alias);
    }
  }
  const std::string remote = written(DestinationKind::temporary_queue, "ID:x:1");
  EXPECT_EQ(remote, "/remote-temp-queue/ID:x:1");
  EXPECT_EQ(parse_destination(remote)->kind, DestinationKind::temporary_queue);
}

TEST(DestinationsTest, OwnTemporariesAppearUnderTheirAlias) {
  TemporaryNames own;
  EXPECT_TRUE(own.empty());
  own.add("mine", {DestinationKind::temporary_queue, "ID:x:1"});
  own.add("mine", {DestinationKind::temporary_topic, "ID:x:2"});
  std::string text;
  append_destination(text, DestinationKind::temporary_queue, "ID:x:1", Version::v1_2, &own);
  text += ' ';
  append_destination(text, DestinationKind::temporary_topic, "ID:x:2", Version::v1_2, &own);
  text += ' ';
  append_destination(text, DestinationKind::temporary_queue, "ID:x:2", Version::v1_2, &own);
  EXPECT_EQ(text, "/temp-queue/mine /temp-topic/mine /remote-temp-queue/ID\\cx\\c2");
}

TEST(DestinationsTest, RefusesWhatIsNoName) {
  for (const std::string text : {"", "  ", "/queue/", "/topic/?x=y", "/queue/a\nb", "?"}) {
    const auto read = parse_destination(text);
    ASSERT_FALSE(read) << text;
    EXPECT_EQ(read.error().code, core::Errc::bad_destination);
  }
  EXPECT_EQ(parse_destination("/queue/" + std::string(5000, 'x')).error().code,
            core::Errc::bad_destination);
  for (const std::string text : {"/queue/a,", ",/queue/a", "/queue/a,,/topic/b", ",?x=y", ""}) {
    EXPECT_FALSE(parse_destinations(text)) << text;
  }
}

TEST(DestinationsTest, ReadsThePartsOfAComposite) {
  EXPECT_TRUE(names_several("/queue/a,/topic/b"));
  EXPECT_FALSE(names_several("/queue/a?x=1,2"));
  const auto read = parse_destinations(" /queue/a , plain,/topic/b,/queue/a,/temp-queue/t ?x=1,2 ");
  ASSERT_TRUE(read);
  std::string seen;
  std::vector<core::Destination> parts;
  for (const auto& part : *read) {
    parts.push_back(part.to_destination());
    seen += parts.back().to_text() + (part.alias ? " alias" : "") + ";";
    EXPECT_EQ(part.options, "x=1,2");
  }
  EXPECT_EQ(seen, "queue://a;queue://plain;topic://b;temp-queue://t alias;");
  EXPECT_EQ(composite_of(parts).to_text(), "queue://a,plain,topic://b,temp-queue://t");
}

TEST(DestinationsTest, DecodesOptions) {
  EXPECT_EQ(decode_option("color+%3D+%27red%27%2c1"), "color = 'red',1");
  EXPECT_EQ(decode_option(""), "");
  for (const std::string text : {"%", "a%2", "%zz", "%2"}) {
    EXPECT_FALSE(decode_option(text)) << text;
  }
}

TEST(DestinationsTest, TakesOptionsOffTheName) {
  auto read = parse_destination("/queue/q?consumer.prefetchSize=10&x&y=");
  ASSERT_TRUE(read);
  EXPECT_EQ(read->name, "q");
  std::string seen;
  for (std::string_view name, value; next_option(read->options, name, value);) {
    seen += std::string(name) + "=" + std::string(value) + ";";
  }
  EXPECT_EQ(seen, "consumer.prefetchSize=10;x=;y=;");
}

TEST(DestinationsTest, TopicExchangeMapsItsWildcard) {
  EXPECT_EQ(parse_destination("/exchange/amq.topic/a.#")->to_destination().name, "a.>");
  EXPECT_EQ(parse_destination("/exchange/amq.topic/#")->to_destination().name, ">");
  EXPECT_EQ(parse_destination("/exchange/amq.topic/a.b#")->to_destination().name, "a.b#");
  EXPECT_EQ(parse_destination("/exchange/amq.topic/a.#.b").error().code, core::Errc::not_supported);
  EXPECT_EQ(parse_destination("/topic/a.#")->to_destination().name, "a.#");
}

TEST(DestinationsTest, ReplyToThatIsNoDestinationStaysText) {
  bool alias = true;
  for (const std::string text : {"plain", "jms.queue:x", "/foo/bar", "/queue/", "/queue/a,b"}) {
    const auto address = parse_reply_to(text, alias);
    EXPECT_FALSE(address.kind) << text;
    EXPECT_EQ(address.name, text);
    EXPECT_FALSE(alias);
  }
  EXPECT_EQ(parse_reply_to("/topic/t", alias).kind, DestinationKind::topic);
  EXPECT_EQ(parse_reply_to("/temp-queue/t", alias).name, "t");
  EXPECT_TRUE(alias);
}

}  // namespace
}  // namespace pabal::stomp
