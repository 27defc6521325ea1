#include <limits>

#include <gtest/gtest.h>

#include "server/config/placeholders.h"
#include "server/config/values.h"

namespace pabal::server {
namespace {

using Definitions = std::map<std::string, std::string>;

TEST(ConfigValuesTest, MemorySizesAreThoseOfActiveMq) {
  EXPECT_EQ(parse_memory("64mb"), 64 << 20);
  EXPECT_EQ(parse_memory("10 MB"), 10 << 20);
  EXPECT_EQ(parse_memory("1 gb"), 1 << 30);
  EXPECT_EQ(parse_memory("1g"), 1 << 30);
  EXPECT_EQ(parse_memory("62k"), 62 << 10);
  EXPECT_EQ(parse_memory("7b"), 7);
  EXPECT_EQ(parse_memory("104857600"), 104'857'600);
  EXPECT_EQ(parse_memory("-1"), -1);
  EXPECT_EQ(parse_memory("9223372036854775807"), std::numeric_limits<std::int64_t>::max());
}

TEST(ConfigValuesTest, OtherMemorySizesAreRefused) {
  for (const char* text : {"", "mb", "1.5gb", "1tb", "1 t", "64 megabytes", "6 4mb", "0x10", "1mbb",
                           "9223372036854775807k", "99999999999999999999", "-2", "1-2", "--1"}) {
    EXPECT_EQ(parse_memory(text), std::nullopt) << text;
  }
}

TEST(ConfigValuesTest, IntegersHaveNoRestAndDoNotOverflow) {
  EXPECT_EQ(parse_integer("42"), 42);
  EXPECT_EQ(parse_integer("+42"), 42);
  for (const char* text : {"", "4 2", "42x", "4.2", "+", "-", "9223372036854775808"}) {
    EXPECT_EQ(parse_integer(text), std::nullopt) << text;
  }
}

TEST(ConfigValuesTest, BooleansAreThoseOfTheSchema) {
  Option exact;
  exact.type = Type::boolean;
  Option any_case;
  any_case.type = Type::any_case_boolean;
  EXPECT_EQ(parse_value(exact, "1").value().number, 1);
  EXPECT_EQ(parse_value(exact, " false ").value().number, 0);
  EXPECT_EQ(parse_value(any_case, "TRUE").value().number, 1);
  EXPECT_FALSE(parse_value(exact, "TRUE"));
  EXPECT_FALSE(parse_value(exact, "yes"));
  EXPECT_FALSE(parse_value(any_case, "yes"));
  EXPECT_FALSE(parse_value(any_case, "1"));
}

TEST(PlaceholdersTest, DefinitionThenPropertiesThenEnvironmentThenBuiltInThenDefault) {
  ASSERT_EQ(::setenv("PABAL_TEST_PLACE", "environment", 1), 0);
  Placeholders none{Definitions()};
  EXPECT_EQ(none.resolve("${PABAL_TEST_PLACE:default}").value(), "environment");
  none.set_built_in("PABAL_TEST_PLACE", "built in");
  EXPECT_EQ(none.resolve("${PABAL_TEST_PLACE}").value(), "environment");
  none.add_properties("# comment\nPABAL_TEST_PLACE = properties \nother:x\n");
  EXPECT_EQ(none.resolve("${PABAL_TEST_PLACE}").value(), "properties");
  EXPECT_EQ(none.resolve("${other}").value(), "x");
  Placeholders defined(Definitions{{"PABAL_TEST_PLACE", "definition"}});
  defined.add_properties("PABAL_TEST_PLACE=properties");
  EXPECT_EQ(defined.resolve("a${PABAL_TEST_PLACE}b").value(), "adefinitionb");
  ASSERT_EQ(::unsetenv("PABAL_TEST_PLACE"), 0);
  EXPECT_EQ(Placeholders(Definitions()).resolve("${PABAL_TEST_PLACE:default}").value(), "default");
  EXPECT_FALSE(Placeholders(Definitions()).resolve("${PABAL_TEST_PLACE}"));
}

TEST(PlaceholdersTest, NestAndEndAndAreSafeFromThemselves) {
  Placeholders places(Definitions{{"a", "1"}, {"name", "a"}, {"loop", "x${loop}"}, {"host", "h"}});
  EXPECT_EQ(places.resolve("${missing:${a}}").value(), "1");
  EXPECT_EQ(places.resolve("${${name}}").value(), "1");
  EXPECT_EQ(places.resolve("tcp://${host}:${port:61616}?a=${a}").value(), "tcp://h:61616?a=1");
  EXPECT_EQ(places.resolve("#{systemProperties['a']}/${a}").value(), "1/1");
  EXPECT_EQ(places.resolve("${url:tcp://x:1}").value(), "tcp://x:1");
  EXPECT_EQ(places.resolve("no $ {placeholder}").value(), "no $ {placeholder}");
  EXPECT_EQ(places.resolve("${empty:}").value(), "");
  EXPECT_FALSE(places.resolve("${loop}"));
  EXPECT_FALSE(places.resolve("${a"));
  EXPECT_FALSE(places.resolve("#{systemProperties['a"));
}

TEST(PlaceholdersTest, UnusedDefinitionsAreKnown) {
  Placeholders places(Definitions{{"used", "1"}, {"stomp.prot", "2"}});
  EXPECT_TRUE(places.resolve("${used}"));
  EXPECT_EQ(places.unused_definitions(), std::vector<std::string>{"stomp.prot"});
}

}  // namespace
}  // namespace pabal::server
