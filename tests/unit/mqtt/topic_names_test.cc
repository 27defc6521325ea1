#include "protocols/mqtt/topic_names.h"

#include <random>
#include <string>

#include <gtest/gtest.h>

namespace pabal::mqtt {
namespace {

using core::DestinationKind;

/// As "queue://name", with what else was parsed.
std::string parse(const std::string& name) {
  const auto target = parse_topic_name(name);
  if (!target) return "none";
  return target->to_destination().to_text() + (target->reserved ? " reserved" : "");
}

std::string parse_filter(const std::string& filter) {
  const auto parsed = parse_topic_filter(filter);
  if (!parsed) return "none";
  return parsed->target.to_destination().to_text() + (parsed->target.reserved ? " reserved" : "") +
         (parsed->share_name.empty() ? "" : " shared by " + std::string(parsed->share_name));
}

std::string topic_of(DestinationKind kind, std::string_view name) {
  std::string out = "before|";
  if (append_topic_name(out, kind, name)) return out.substr(7);
  EXPECT_EQ(out, "before|");
  return "none";
}

TEST(TopicNamesTest, SwapsAsActiveMqDoes) {
  // reference/mqtt.md A2
  EXPECT_EQ(parse("a/1/b"), "topic://a.1.b");
  EXPECT_EQ(parse("x/y.z/>t*u"), "topic://x.y/z.#t+u");
  EXPECT_EQ(parse("/lead"), "topic://.lead");
  EXPECT_EQ(parse("e//f"), "topic://e..f");
  EXPECT_EQ(parse("sp ace/\xC3\xBC"), "topic://sp ace.\xC3\xBC");
  EXPECT_EQ(parse_filter("a/+/b"), "topic://a.*.b");
  EXPECT_EQ(parse_filter("w/#"), "topic://w.>");
}

TEST(TopicNamesTest, CommaAndQuestionMarkAreLiteral) {
  EXPECT_EQ(parse("a,b"), "topic://a,b");
  EXPECT_EQ(parse("q?x=1"), "topic://q?x=1");
  EXPECT_EQ(parse_filter("a,b/+"), "topic://a,b.*");
}

TEST(TopicNamesTest, TheSwapIsItsOwnInverse) {
  std::string every;
  for (int c = 0; c < 256; ++c) every += static_cast<char>(c);
  EXPECT_EQ(swapped(swapped(every)), every);
  EXPECT_NE(swapped(every), every);
  std::string sorted = swapped(every);
  std::sort(sorted.begin(), sorted.end(), [](char a, char b) {
    return static_cast<unsigned char>(a) < static_cast<unsigned char>(b);
  });
  EXPECT_EQ(sorted, every) << "nothing falls together";
}

TEST(TopicNamesTest, NamesAndFilters) {
  EXPECT_TRUE(is_topic_name("/"));
  EXPECT_FALSE(is_topic_name(""));
  EXPECT_FALSE(is_topic_name("a/+"));
  EXPECT_FALSE(is_topic_name(std::string("a\0b", 3)));
  EXPECT_TRUE(is_topic_name(std::string(65535, 'a')));
  EXPECT_FALSE(is_topic_name(std::string(65536, 'a')));  // [MQTT-4.7.3-3]
  EXPECT_TRUE(is_topic_filter(std::string(65535, 'a')));
  EXPECT_FALSE(is_topic_filter(std::string(65536, 'a')));
  EXPECT_TRUE(is_topic_filter("+/a/#"));
  EXPECT_FALSE(is_topic_filter("a/#/b"));
  EXPECT_FALSE(is_topic_filter("a\xFF"));
}

TEST(TopicNamesTest, QueuesAndReservedNames) {
  EXPECT_EQ(parse("$queue/orders/eu"), "queue://orders.eu");
  EXPECT_EQ(parse("$queue/"), "none");
  EXPECT_EQ(parse("$queue"), "topic://$queue reserved");
  EXPECT_EQ(parse("$SYS/broker/load"), "topic://$SYS.broker.load reserved");
  EXPECT_EQ(parse("$share/g/a"), "topic://$share.g.a reserved");
  EXPECT_EQ(parse("a/$b"), "topic://a.$b");
  EXPECT_EQ(parse_filter("$queue/orders/+"), "queue://orders.*");
  EXPECT_EQ(parse_filter("$SYS/#"), "topic://$SYS.> reserved");
}

TEST(TopicNamesTest, SharedFilters) {
  EXPECT_EQ(parse_filter("$share/g/a/+"), "topic://a.* shared by g");
  EXPECT_EQ(parse_filter("$share/g//"), "topic://. shared by g");
  EXPECT_EQ(parse_filter("$share/g.*/#"), "topic://> shared by g.*");
  EXPECT_EQ(parse_filter("$share/g/$queue/q"), "queue://q shared by g");
  EXPECT_EQ(parse_filter("$share/g/$SYS/#"), "topic://$SYS.> reserved shared by g");
  for (const char* filter : {"$share/", "$share//a", "$share/g", "$share/g/", "$share/+/a",
                             "$share/g#/a", "$share/g/$queue/", "$queue/"}) {
    EXPECT_EQ(parse_filter(filter), "none") << filter;
  }
  EXPECT_EQ(parse_filter("$share"), "topic://$share reserved");
  EXPECT_EQ(parse_filter("$SHARE/g/a"), "topic://$SHARE.g.a reserved");
}

TEST(TopicNamesTest, NamesOfDestinations) {
  EXPECT_EQ(topic_of(DestinationKind::topic, "a.b.c"), "a/b/c");
  EXPECT_EQ(topic_of(DestinationKind::queue, "orders.eu"), "$queue/orders/eu");
  EXPECT_EQ(topic_of(DestinationKind::topic, "$SYS.x"), "$SYS/x");
  EXPECT_EQ(topic_of(DestinationKind::topic, "a/b"), "a.b");
  // What MQTT cannot say: these characters would be wildcards [MQTT-3.3.2-2].
  EXPECT_EQ(topic_of(DestinationKind::topic, "a.x*y"), "none");
  EXPECT_EQ(topic_of(DestinationKind::queue, "a>"), "none");
  EXPECT_EQ(topic_of(DestinationKind::topic, "a\xFF"), "none");
  EXPECT_EQ(topic_of(DestinationKind::topic, ""), "none");
  EXPECT_EQ(topic_of(DestinationKind::topic, "$queue.x"), "none");
  EXPECT_EQ(topic_of(DestinationKind::queue, std::string(65535 - 7, 'a')).size(), 65535U);
  EXPECT_EQ(topic_of(DestinationKind::queue, std::string(65535 - 6, 'a')), "none");
  EXPECT_EQ(topic_of(DestinationKind::temporary_topic, "x"), "none");
  EXPECT_EQ(topic_of(DestinationKind::temporary_queue, "x"), "none");
}

// Goal: what MQTT can name comes back as it was, from either side. Method: seeded names out of the
// characters that matter.
TEST(TopicNamesTest, NamesComeBackAsTheyWere) {
  std::mt19937 random(11);
  const std::string characters = "ab/.+*#>$,? q";
  for (int round = 0; round < 50'000; ++round) {
    std::string name = round % 3 == 0 ? "$queue/" : "";
    const auto size = 1 + random() % 8;
    for (unsigned i = 0; i < size; ++i) name += characters[random() % characters.size()];
    if (is_topic_name(name)) {
      const auto target = parse_topic_name(name);
      ASSERT_TRUE(target);
      const core::Destination destination = target->to_destination();
      EXPECT_EQ(topic_of(destination.kind, destination.name), name);
    }
    const std::string topic = topic_of(DestinationKind::topic, name);
    if (topic != "none") {
      EXPECT_EQ(parse_topic_name(topic)->to_destination(),
                (core::Destination{DestinationKind::topic, name}));
    }
    const std::string queue = topic_of(DestinationKind::queue, name);
    if (queue != "none") {
      EXPECT_EQ(parse_topic_name(queue)->to_destination(),
                (core::Destination{DestinationKind::queue, name}));
    }
  }
}

/// MQTT 5.0 §4.7 by levels, on names in MQTT's spelling.
bool matches_slowly(std::string filter, std::string name) {
  if (name[0] == '$' && (filter[0] == '+' || filter[0] == '#')) return false;  // [MQTT-4.7.2-1]
  filter += '/';
  name += '/';
  std::size_t f = 0;
  std::size_t n = 0;
  while (f < filter.size()) {
    const std::string wanted = filter.substr(f, filter.find('/', f) - f);
    if (wanted == "#") return true;
    if (n >= name.size()) return false;
    const std::string level = name.substr(n, name.find('/', n) - n);
    if (wanted != "+" && wanted != level) return false;
    f += wanted.size() + 1;
    n += level.size() + 1;
  }
  return n >= name.size();
}

TEST(TopicNamesTest, MatchesAsTheSpecificationSays) {
  const auto matches = [](std::string_view filter, std::string_view name) {
    return matches_filter(swapped(filter), swapped(name));
  };
  EXPECT_TRUE(matches("sport/tennis/player1/#", "sport/tennis/player1"));
  EXPECT_TRUE(matches("sport/tennis/+", "sport/tennis/player1"));
  EXPECT_FALSE(matches("sport/tennis/+", "sport/tennis/player1/ranking"));
  EXPECT_TRUE(matches("sport/+", "sport/"));
  EXPECT_FALSE(matches("sport/+", "sport"));
  EXPECT_TRUE(matches("+/+", "/finance"));
  EXPECT_TRUE(matches("/+", "/finance"));
  EXPECT_FALSE(matches("+", "/finance"));
  // [MQTT-4.7.2-1]
  EXPECT_FALSE(matches("#", "$SYS/a"));
  EXPECT_FALSE(matches("+/monitor/Clients", "$SYS/monitor/Clients"));
  EXPECT_TRUE(matches("$SYS/#", "$SYS/a"));
  EXPECT_TRUE(matches("$SYS/monitor/+", "$SYS/monitor/Clients"));
  // [MQTT-4.7.3-4]: characters are compared as they are.
  EXPECT_FALSE(matches("accounts", "ACCOUNTS"));
  EXPECT_FALSE(matches("e\xCC\x81", "\xC3\xA9"));
}

TEST(TopicNamesTest, MatchesRandomNamesLikeTheTextBook) {
  std::mt19937 random(13);
  const std::string levels[] = {"a", "b", "", "$c", "*", ">", "x.y"};
  const auto some = [&](bool filter) {
    std::string text;
    const auto count = 1 + random() % 4;
    for (unsigned i = 0; i < count; ++i) {
      if (i != 0) text += '/';
      const auto pick = random() % 9;
      text += filter && pick >= 7 ? "+" : levels[pick % 7];
    }
    if (filter && random() % 3 == 0) text = random() % 4 == 0 ? "#" : text + "/#";
    return text.empty() ? std::string("a") : text;
  };
  int matched = 0;
  for (int round = 0; round < 100'000; ++round) {
    const std::string filter = some(true);
    const std::string name = some(false);
    ASSERT_TRUE(is_topic_filter(filter) && is_topic_name(name)) << filter << " " << name;
    const bool expected = matches_slowly(filter, name);
    ASSERT_EQ(matches_filter(swapped(filter), swapped(name)), expected) << filter << " " << name;
    matched += expected ? 1 : 0;
  }
  EXPECT_GT(matched, 1000);
}

TEST(TopicNamesTest, WildcardsDoNotFindAdvisories) {
  const std::string advisory = "ActiveMQ.Advisory.Connection";
  EXPECT_FALSE(matches_filter(">", advisory));
  EXPECT_FALSE(matches_filter("ActiveMQ.>", advisory));
  EXPECT_FALSE(matches_filter("*.Advisory.Connection", advisory));
  EXPECT_TRUE(matches_filter("ActiveMQ.Advisory.>", advisory));
  EXPECT_TRUE(matches_filter(advisory, advisory));
  EXPECT_TRUE(matches_filter("ActiveMQ.>", "ActiveMQ.mine"));
}

}  // namespace
}  // namespace pabal::mqtt
