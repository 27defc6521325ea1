#include "core/selector.h"

#include <cmath>
#include <string>

#include <gtest/gtest.h>

namespace pabal::core {
namespace {

MessageRef order() {
  MessageBuilder builder;
  builder.destination_name = "orders.new";
  builder.persistent = true;
  builder.priority = 7;
  builder.timestamp = 1'700'000'000'000;
  builder.origin = (2ULL << 32) | 5;
  builder.sequence = 9;
  builder.correlation = "c-1";
  builder.reply_to = Address{DestinationKind::temporary_queue, "answers"};
  builder.type = "order";
  builder.group_id = "g";
  builder.group_sequence = 3;
  builder.add_integer("i", PropertyType::int32, 10);
  builder.add_integer("big", PropertyType::int64, 9'223'372'036'854'775'807);
  builder.add_real("d", PropertyType::float64, 2.5);
  builder.add_real("f", PropertyType::float32, static_cast<double>(0.1F));
  builder.add_boolean("yes", true);
  builder.add_boolean("no", false);
  builder.add_string("s", "it's");
  builder.add_string("number", "15");
  builder.add_string("flag", "TRUE");
  builder.add_string("country", "UK");
  builder.add_string("text", "a_b%c");
  builder.add_string("korean", "파발");
  builder.add_string("content-type", "text/plain");
  builder.add_string("a.b", "dotted");
  builder.add_raw("nothing", PropertyType::null, "");
  builder.add_raw("raw", PropertyType::bytes, "x");
  return *builder.build();
}

bool matches(std::string_view text, bool convert = false, Selector::DeliveryState state = {}) {
  const auto selector = Selector::compile(
      (convert ? std::string(Selector::kConvertTexts) : std::string()) + std::string(text));
  EXPECT_TRUE(selector) << text << ": " << (selector ? "" : selector.error().text);
  return selector && selector->matches(*order(), state);
}

/// True, false or unknown, seen from outside: of unknown neither it nor its negation matches.
char truth(const std::string& text, bool convert = false) {
  const bool yes = matches(text, convert);
  const bool no = matches("NOT (" + text + ")", convert);
  EXPECT_FALSE(yes && no) << text;
  return yes ? 'T' : no ? 'F' : '?';
}

struct Case {
  const char* selector;
  char truth;
};

class SelectorTruth : public testing::TestWithParam<Case> {};

TEST_P(SelectorTruth, IsAsExpected) {
  EXPECT_EQ(truth(GetParam().selector), GetParam().truth) << GetParam().selector;
}

INSTANTIATE_TEST_SUITE_P(
    Comparison, SelectorTruth,
    testing::Values(Case{"i = 10", 'T'}, Case{"i <> 10", 'F'}, Case{"i < 11", 'T'},
                    Case{"i <= 10", 'T'}, Case{"i > 10", 'F'}, Case{"i >= 10.0", 'T'},
                    Case{"i = 10.0", 'T'}, Case{"i = 1e1", 'T'}, Case{"10 = i", 'T'},
                    Case{"d = 2.5", 'T'}, Case{"d > 2", 'T'}, Case{"f = 0.1", 'F'},
                    Case{"big = 9223372036854775807", 'T'}, Case{"big > 9223372036854775806", 'T'},
                    Case{"big = 9223372036854775806", 'F'}, Case{"s = 'it''s'", 'T'},
                    Case{"s <> 'it'", 'T'}, Case{"yes = TRUE", 'T'}, Case{"yes <> true", 'F'},
                    Case{"no = False", 'T'}, Case{"TRUE", 'T'}, Case{"yes", 'T'}, Case{"no", 'F'},
                    Case{"i", 'F'}, Case{"korean = '파발'", 'T'},
                    Case{"\"content-type\" = 'text/plain'", 'T'}, Case{"a.b = 'dotted'", 'T'},
                    Case{"raw = 'x'", 'F'}));

// JMS 1.1 §3.8.1.1: only like types compare; otherwise the value is false. With NULL: unknown.
INSTANTIATE_TEST_SUITE_P(Unlike, SelectorTruth,
                         testing::Values(Case{"s = 10", 'F'}, Case{"s <> 10", 'F'},
                                         Case{"number = 15", 'F'}, Case{"number > 1", 'F'},
                                         Case{"yes = 'true'", 'F'}, Case{"yes = 1", 'F'},
                                         Case{"yes > 0", 'F'}, Case{"s > i", 'F'},
                                         Case{"missing = 1", '?'}, Case{"missing <> 1", '?'},
                                         Case{"missing = missing", '?'}, Case{"missing", '?'},
                                         Case{"nothing = 1", '?'}, Case{"missing > 1", '?'}));

INSTANTIATE_TEST_SUITE_P(
    Logic, SelectorTruth,
    testing::Values(Case{"yes AND yes", 'T'}, Case{"yes AND no", 'F'}, Case{"no AND missing", 'F'},
                    Case{"missing AND no", 'F'}, Case{"yes AND missing", '?'},
                    Case{"missing AND yes", '?'}, Case{"no OR yes", 'T'},
                    Case{"missing OR yes", 'T'}, Case{"yes OR missing", 'T'},
                    Case{"no OR missing", '?'}, Case{"missing OR no", '?'},
                    Case{"missing OR missing", '?'}, Case{"NOT missing", '?'}, Case{"NOT no", 'T'},
                    Case{"NOT NOT no", 'F'}, Case{"no AND no OR yes", 'T'},
                    Case{"yes OR no AND no", 'T'}, Case{"(yes OR no) AND no", 'F'},
                    Case{"NOT i = 11", 'T'}, Case{"NOT no AND yes", 'T'},
                    Case{"not yes or yes", 'T'}, Case{"yes and yes and yes and no", 'F'},
                    Case{"(i = 10) = TRUE", 'T'}));

INSTANTIATE_TEST_SUITE_P(
    Arithmetic, SelectorTruth,
    testing::Values(
        Case{"i + 1 = 11", 'T'}, Case{"i - 11 = -1", 'T'}, Case{"i * 2 + 1 = 21", 'T'},
        Case{"1 + i * 2 = 21", 'T'}, Case{"(1 + i) * 2 = 22", 'T'}, Case{"7 / 2 = 3", 'T'},
        Case{"7 / 2.0 = 3.5", 'T'}, Case{"-7 / 2 = -3", 'T'}, Case{"7 % 4 = 3", 'T'},
        Case{"-i = -10", 'T'}, Case{"+i = 10", 'T'}, Case{"- -i = 10", 'T'},
        Case{"10 - 3 - 2 = 5", 'T'}, Case{"20 / 5 / 2 = 2", 'T'}, Case{"d + i = 12.5", 'T'},
        Case{"missing + 1 = 1", '?'}, Case{"s + 1 = 1", '?'}, Case{"-s = 1", '?'},
        Case{"i / 0 = 0", '?'}, Case{"i % 0 = 0", '?'}, Case{"i / 0.0 > 1000000", 'T'},
        Case{"big + 1 > big", 'F'}, Case{"big + 1 = 9.223372036854775808e18", 'T'},
        Case{"-9223372036854775808 < 0", 'T'}, Case{"-9223372036854775808 / -1 > 0", 'T'},
        Case{"-9223372036854775808 % -1 = 0", 'T'}, Case{"0x1F = 31", 'T'}, Case{"010 = 8", 'T'},
        Case{"10L = 10", 'T'}, Case{".5 = 0.5", 'T'}, Case{"1. = 1", 'T'},
        Case{"1.5e-1 = 0.15", 'T'}, Case{"2d = 2", 'T'}, Case{"2.5f = 2.5", 'T'}));

INSTANTIATE_TEST_SUITE_P(
    Predicates, SelectorTruth,
    testing::Values(Case{"i BETWEEN 1 AND 10", 'T'}, Case{"i BETWEEN 11 AND 20", 'F'},
                    Case{"i NOT BETWEEN 1 AND 9", 'T'}, Case{"i BETWEEN missing AND 20", '?'},
                    Case{"i BETWEEN missing AND 5", 'F'}, Case{"missing BETWEEN 1 AND 2", '?'},
                    Case{"s BETWEEN 1 AND 2", 'F'}, Case{"s NOT BETWEEN 1 AND 2", 'F'},
                    Case{"i + 1 BETWEEN i AND i * 2", 'T'}, Case{"country IN ('US', 'UK')", 'T'},
                    Case{"country IN ('US')", 'F'}, Case{"country NOT IN ('US')", 'T'},
                    Case{"missing IN ('US')", '?'}, Case{"missing NOT IN ('US')", '?'},
                    Case{"i IN ('10')", 'F'}, Case{"missing IS NULL", 'T'},
                    Case{"nothing IS NULL", 'T'}, Case{"i IS NULL", 'F'},
                    Case{"i IS NOT NULL", 'T'}, Case{"missing IS NOT NULL", 'F'},
                    Case{"i BETWEEN 1 AND 10 AND yes", 'T'}));

INSTANTIATE_TEST_SUITE_P(
    Like, SelectorTruth,
    testing::Values(Case{"s LIKE 'it%'", 'T'}, Case{"s LIKE '__''_'", 'T'}, Case{"s LIKE '%'", 'T'},
                    Case{"s LIKE 'it'", 'F'}, Case{"s LIKE ''", 'F'}, Case{"s NOT LIKE 'x%'", 'T'},
                    Case{"text LIKE 'a\\_b\\%c' ESCAPE '\\'", 'T'},
                    Case{"country LIKE 'a\\_b' ESCAPE '\\'", 'F'},
                    Case{"text LIKE 'a|_b%' ESCAPE '|'", 'T'}, Case{"text LIKE '%b%'", 'T'},
                    Case{"text LIKE '%%c'", 'T'}, Case{"text LIKE '%c%c'", 'F'},
                    Case{"korean LIKE '__'", 'T'}, Case{"korean LIKE '___'", 'F'},
                    Case{"korean LIKE '_발'", 'T'}, Case{"missing LIKE '%'", '?'},
                    Case{"missing NOT LIKE '%'", '?'}, Case{"i LIKE '1%'", 'F'},
                    Case{"text LIKE 'A%'", 'F'}));

INSTANTIATE_TEST_SUITE_P(
    Headers, SelectorTruth,
    testing::Values(Case{"JMSPriority = 7", 'T'}, Case{"JMSDeliveryMode = 'PERSISTENT'", 'T'},
                    Case{"JMSMessageID = 'ID:pabal-2-5:-1:1:9'", 'T'},
                    Case{"JMSTimestamp > 1600000000000", 'T'},
                    Case{"JMSCorrelationID = 'c-1'", 'T'}, Case{"JMSType LIKE 'ord%'", 'T'},
                    Case{"JMSExpiration = 0", 'T'},
                    Case{"JMSDestination = 'queue://orders.new'", 'T'},
                    Case{"JMSReplyTo = 'temp-queue://answers'", 'T'},
                    Case{"JMSXGroupID = 'g'", 'T'}, Case{"JMSXGroupSeq = 3", 'T'},
                    Case{"JMSXUserID IS NULL", 'T'}, Case{"JMSRedelivered = FALSE", 'T'},
                    Case{"JMSXDeliveryCount = 1", 'T'}, Case{"jmspriority IS NULL", 'T'}));

TEST(SelectorTest, SeesWhatIsTrueOfTheDelivery) {
  const Selector::DeliveryState second{.deliveries = 1, .redelivered = true};
  EXPECT_TRUE(matches("JMSRedelivered AND JMSXDeliveryCount = 2", false, second));
  EXPECT_TRUE(Selector::compile("JMSXDeliveryCount > 1")->depends_on_delivery());
  EXPECT_FALSE(Selector::compile("JMSPriority > 1")->depends_on_delivery());
}

TEST(SelectorTest, ConvertsTextsWhereTheProtocolHasOnlyThem) {
  EXPECT_EQ(truth("number = 15", true), 'T');
  EXPECT_EQ(truth("number > 14.5", true), 'T');
  EXPECT_EQ(truth("15 = number", true), 'T');
  EXPECT_EQ(truth("number + 1 = 16", true), 'T');
  EXPECT_EQ(truth("-number = -15", true), 'T');
  EXPECT_EQ(truth("number BETWEEN 1 AND 20", true), 'T');
  EXPECT_EQ(truth("flag = TRUE", true), 'T');
  EXPECT_EQ(truth("flag", true), 'T');
  EXPECT_EQ(truth("country", true), 'F');
  EXPECT_EQ(truth("country > 1", true), 'F');
  EXPECT_EQ(truth("country <> 1", true), 'F');
  EXPECT_EQ(truth("number = '15'", true), 'T') << "two texts are still compared as texts";
}

TEST(SelectorTest, TakesHyphensIntoNamesOnRequest) {
  EXPECT_TRUE(matches("hyphenated_props:content-type = 'text/plain'"));
  EXPECT_TRUE(
      matches("hyphenated_props:convert_string_expressions:content-type IS NOT NULL AND "
              "number = 15"));
  EXPECT_EQ(Selector::compile("content-type IS NULL").error().text,
            "selector: column 1: only of an identifier can be asked whether it IS NULL")
      << "a difference of two properties";
  EXPECT_TRUE(matches("hyphenated_props:12-i = 2"));
}

TEST(SelectorTest, KeepsItsText) {
  EXPECT_EQ(Selector::compile(" a = 1 ")->text(), " a = 1 ");
}

struct Wrong {
  const char* selector;
  int column;
  const char* what;
};

class SelectorErrors : public testing::TestWithParam<Wrong> {};

TEST_P(SelectorErrors, NameTheColumn) {
  const auto selector = Selector::compile(GetParam().selector);
  ASSERT_FALSE(selector) << GetParam().selector;
  EXPECT_EQ(selector.error().code, Errc::invalid_argument);
  const std::string start = "selector: column " + std::to_string(GetParam().column) + ": ";
  EXPECT_TRUE(selector.error().text.starts_with(start)) << selector.error().text;
  EXPECT_NE(selector.error().text.find(GetParam().what), std::string::npos)
      << selector.error().text;
}

INSTANTIATE_TEST_SUITE_P(
    Table, SelectorErrors,
    testing::Values(
        Wrong{"", 1, "empty"}, Wrong{"   ", 1, "empty"}, Wrong{"a =", 4, "a value is expected"},
        Wrong{"a = 1 b = 2", 7, "an operator is expected"}, Wrong{"= 1", 1, "a value is expected"},
        Wrong{"a = 'x", 5, "closing ' is missing"}, Wrong{"\"a = 1", 1, "closing \" is missing"},
        Wrong{"\"\" = 1", 1, "identifier is empty"}, Wrong{"a == 1", 4, "a value is expected"},
        Wrong{"a != 1", 3, "'!' means nothing"}, Wrong{"a = 1 = 2", 7, "an operator is expected"},
        Wrong{"(a = 1", 7, "')' is expected"}, Wrong{"a = 1)", 6, "an operator is expected"},
        Wrong{"()", 2, "a value is expected"}, Wrong{"5", 1, "a condition is needed"},
        Wrong{"'x'", 1, "a condition is needed"}, Wrong{"a + 1", 1, "a condition is needed"},
        Wrong{"a = 1 AND 5", 11, "a condition is needed"},
        Wrong{"5 OR a", 1, "a condition is needed"}, Wrong{"NOT 5", 5, "a condition is needed"},
        Wrong{"a > 'x'", 5, "a number or an identifier"},
        Wrong{"TRUE < 1", 1, "a number or an identifier"},
        Wrong{"a + 'x' = 1", 5, "a number or an identifier"},
        Wrong{"(a = 1) + 1 = 2", 1, "a number or an identifier"},
        Wrong{"-'x' = 1", 2, "a number or an identifier"},
        Wrong{"a BETWEEN 1", 12, "AND is expected"},
        Wrong{"a BETWEEN 'x' AND 2", 11, "a number or an identifier"},
        Wrong{"a BETWEEN 1 OR 2", 13, "AND is expected"},
        Wrong{"a LIKE b", 8, "a pattern in single quotes"},
        Wrong{"a LIKE 5", 8, "a pattern in single quotes"},
        Wrong{"5 LIKE 'x'", 1, "a text or an identifier"},
        Wrong{"a LIKE 'x' ESCAPE 'yy'", 19, "exactly one character"},
        Wrong{"a LIKE 'x' ESCAPE ''", 19, "exactly one character"},
        Wrong{"a LIKE 'x' ESCAPE y", 19, "the escape character"},
        Wrong{"a LIKE 'x!' ESCAPE '!'", 8, "ends with its escape"},
        Wrong{"a IN ()", 7, "a text in single quotes"}, Wrong{"a IN 'x'", 6, "'(' is expected"},
        Wrong{"a IN ('x'", 10, "',' or ')' is expected"},
        Wrong{"a IN ('x',)", 11, "a text in single quotes"},
        Wrong{"a IN (1)", 7, "a text in single quotes"}, Wrong{"a IS 5", 6, "NULL is expected"},
        Wrong{"a IS NOT", 9, "NULL is expected"}, Wrong{"5 IS NULL", 1, "only of an identifier"},
        Wrong{"'x' IS NOT NULL", 1, "only of an identifier"},
        Wrong{"a + 1 IS NULL", 1, "only of an identifier"},
        Wrong{"(a = 1) IS NULL", 1, "only of an identifier"},
        Wrong{"a NOT = 1", 7, "BETWEEN, LIKE or IN"}, Wrong{"a = NULL", 5, "use IS NULL"},
        Wrong{"a = 9223372036854775808", 5, "64 bits"},
        Wrong{"a = 99999999999999999999", 5, "64 bits"}, Wrong{"a = 1e999", 5, "out of range"},
        Wrong{"a = 08", 5, "octal"}, Wrong{"a = 0x", 5, "hexadecimal"},
        Wrong{"a = 1e", 6, "exponent"}, Wrong{"a = 12abc", 7, "followed by 'a'"},
        Wrong{"a = 1 AND", 10, "a value is expected"}, Wrong{"a = #1", 5, "'#' means nothing"},
        Wrong{"AND", 1, "a value is expected"}, Wrong{"a IS NULL = TRUE", 11, "an operator"}));

TEST(SelectorTest, HasLimits) {
  const std::string deep = std::string(1000, '(') + "a = 1" + std::string(1000, ')');
  EXPECT_NE(Selector::compile(deep).error().text.find("levels deep"), std::string::npos);
  std::string nots;
  for (int i = 0; i < 1000; ++i) nots += "NOT ";
  EXPECT_FALSE(Selector::compile(nots + "a"));
  EXPECT_FALSE(Selector::compile(std::string(1000, '-') + "a = 1"));
  EXPECT_FALSE(Selector::compile("a = '" + std::string(70'000, 'x') + "'"));
  std::string wide = "i = 0";
  for (int i = 1; i < 3000; ++i) wide += " OR i = " + std::to_string(i);
  EXPECT_TRUE(matches(wide)) << "breadth needs no depth";
}

TEST(SelectorTest, ALongPatternTakesNoLongTime) {
  MessageBuilder builder;
  const std::string text(20'000, 'a');
  builder.add_string("t", text);
  std::string pattern;
  for (int i = 0; i < 100; ++i) pattern += "a%";
  const auto selector = Selector::compile("t LIKE '" + pattern + "b'");
  EXPECT_FALSE(selector->matches(**builder.build(), {}));
}

}  // namespace
}  // namespace pabal::core
