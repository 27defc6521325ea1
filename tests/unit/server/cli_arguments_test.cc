#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/cli/arguments.h"
#include "server/cli/command.h"
#include "server/cli/json.h"

namespace pabal::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr Option kOptions[] = {
    {.name = "count",
     .kind = OptionKind::integer,
     .value = "N",
     .default_value = "7",
     .help = "how many",
     .minimum = 1,
     .maximum = 10,
     .short_name = 'n'},
    {.name = "size", .kind = OptionKind::bytes, .value = "BYTES", .default_value = "1k"},
    {.name = "wait", .kind = OptionKind::seconds, .value = "SECONDS"},
    {.name = "mode", .kind = OptionKind::choice, .value = "M", .choices = "auto|client"},
    {.name = "define", .value = "NAME=VALUE", .short_name = 'D', .repeatable = true},
    kJsonOption,
    kHelpOption,
};

Outcome<Arguments> parse(const std::vector<std::string>& words) {
  return Arguments::parse(kOptions, words);
}

std::string refusal(const std::vector<std::string>& words) {
  const auto arguments = parse(words);
  if (arguments) return "accepted";
  EXPECT_EQ(arguments.error().exit_code, ExitCode::usage);
  return arguments.error().text;
}

TEST(ArgumentsTest, TakesValuesInEverySpelling) {
  const auto arguments = parse({"--count", "3", "--size=2m", "-Da=b", "-D", "c=d=e", "--json",
                                "--wait", "0.5", "FILE", "--", "--not-an-option"});
  ASSERT_TRUE(arguments) << arguments.error().text;
  EXPECT_EQ(arguments->number("count"), 3u);
  EXPECT_EQ(arguments->number("size"), 2u << 20);
  EXPECT_THAT(arguments->all("define"), ElementsAre("a=b", "c=d=e"));
  EXPECT_TRUE(arguments->flag("json"));
  EXPECT_FALSE(arguments->flag("help"));
  EXPECT_DOUBLE_EQ(arguments->seconds("wait"), 0.5);
  EXPECT_THAT(arguments->positional(), ElementsAre("FILE", "--not-an-option"));
}

TEST(ArgumentsTest, AnswersDefaults) {
  const auto arguments = parse({});
  ASSERT_TRUE(arguments);
  EXPECT_EQ(arguments->number("count"), 7u);
  EXPECT_EQ(arguments->number("size"), 1024u);
  EXPECT_FALSE(arguments->given("count"));
  EXPECT_EQ(arguments->text("mode"), "");
}

TEST(ArgumentsTest, RefusesWithTheReason) {
  EXPECT_THAT(refusal({"--cuont", "3"}), HasSubstr("did you mean --count?"));
  EXPECT_THAT(refusal({"--frobnicate"}), ::testing::Not(HasSubstr("did you mean")));
  EXPECT_THAT(refusal({"-x"}), HasSubstr("unknown option '-x'"));
  EXPECT_THAT(refusal({"--count"}), HasSubstr("needs a value"));
  EXPECT_THAT(refusal({"--count", "0"}), HasSubstr("at least 1 and at most 10"));
  EXPECT_THAT(refusal({"--count", "11"}), HasSubstr("at most 10"));
  EXPECT_THAT(refusal({"--count", "-1"}), HasSubstr("not a whole number"));
  EXPECT_THAT(refusal({"--count", "3x"}), HasSubstr("not a whole number"));
  EXPECT_THAT(refusal({"--count", "1", "-n", "2"}), HasSubstr("given twice"));
  EXPECT_THAT(refusal({"--size", "12q"}), HasSubstr("of bytes"));
  EXPECT_THAT(refusal({"--wait", "soon"}), HasSubstr("not a number of seconds"));
  EXPECT_THAT(refusal({"--wait", "nan"}), HasSubstr("not a number of seconds"));
  EXPECT_THAT(refusal({"--mode", "auot"}), HasSubstr("auto|client"));
  EXPECT_THAT(refusal({"--json=maybe"}), HasSubstr("true or false"));
}

TEST(ArgumentsTest, DescribesEveryOption) {
  const std::string text = describe_options(kOptions, 60);
  for (const Option& option : kOptions) {
    EXPECT_THAT(text, HasSubstr("--" + std::string(option.name)));
  }
  EXPECT_THAT(text, HasSubstr("how many (default 7)"));
}

const Command kDummy{.name = "do it",
                     .operands = "FILE",
                     .summary = "does it",
                     .text = "Really does it.",
                     .examples = "  pabal do it now",
                     .options = kOptions,
                     .operands_min = 1,
                     .operands_max = 1,
                     .run = [](const Arguments& arguments, Terminal& terminal) {
                       terminal.out << "did " << arguments.positional()[0];
                       return 0;
                     }};

struct Done {
  int code;
  std::string out;
  std::string err;
};

Done run(const std::vector<std::string>& words) {
  std::istringstream in;
  std::ostringstream out;
  std::ostringstream err;
  Terminal terminal{in, out, err};
  const Command* const commands[] = {&kDummy};
  const int code = run_program(commands, words, terminal);
  return {code, out.str(), err.str()};
}

TEST(ProgramTest, RunsTheCommandOfTwoWords) {
  const Done done = run({"do", "it", "now", "--count", "2"});
  EXPECT_EQ(done.code, 0);
  EXPECT_EQ(done.out, "did now");
}

TEST(ProgramTest, ExplainsItselfAndItsCommands) {
  EXPECT_THAT(run({"--help"}).out, HasSubstr("does it"));
  EXPECT_THAT(run({"--help"}).out, HasSubstr("Exit codes"));
  EXPECT_THAT(run({"--version"}).out, HasSubstr("pabal "));
  for (const auto& words : std::vector<std::vector<std::string>>{
           {"do", "it", "--help"}, {"do", "it", "--nonsense", "-h"}, {"help", "do", "it"}}) {
    const Done help = run(words);
    EXPECT_EQ(help.code, 0);
    EXPECT_THAT(help.out, HasSubstr("Really does it."));
    EXPECT_THAT(help.out, HasSubstr("--count N"));
  }
}

TEST(ProgramTest, SaysWhatToDoAboutMistakes) {
  const struct {
    std::vector<std::string> words;
    std::string text;
  } cases[] = {{{}, "Usage: pabal COMMAND"},
               {{"do"}, "pabal do it"},
               {{"dance"}, "pabal --help"},
               {{"--count", "1"}, "a command comes first"},
               {{"do", "it"}, "it needs FILE"},
               {{"do", "it", "now", "again"}, "'again' is one word too many"},
               {{"do", "it", "now", "--cuont"}, "--count"}};
  for (const auto& [words, text] : cases) {
    const Done mistake = run(words);
    EXPECT_EQ(mistake.code, 2) << text;
    EXPECT_THAT(mistake.err, HasSubstr(text));
    EXPECT_EQ(mistake.out, "");
  }
}

TEST(ProgramTest, AnswersMistakesInJsonWhenAsked) {
  const Done mistake = run({"do", "it", "--json"});
  EXPECT_EQ(mistake.code, 2);
  EXPECT_THAT(mistake.out, ::testing::StartsWith("{\"error\":"));
  EXPECT_THAT(mistake.out, HasSubstr("\"exit_code\":2"));
  EXPECT_EQ(mistake.err, "");
}

TEST(JsonTest, EscapesAndNests) {
  JsonWriter json;
  json.begin_object().text("a\"b", "x\\\n\x01\xC3\xA9");
  json.begin_array("list").number({}, std::uint64_t{1}).number({}, 2.5, 1).end_array();
  json.begin_object("empty").end_object().boolean("yes", true).end_object();
  EXPECT_EQ(json.str(),
            "{\"a\\\"b\":\"x\\\\\\n\\u0001\xC3\xA9\",\"list\":[1,2.5],\"empty\":{},\"yes\":true}");
}

TEST(JsonTest, ReplacesWhatIsNotUtf8) {
  EXPECT_EQ(json_quote("a\xFF"), "\"a\\ufffd\"");
  EXPECT_EQ(json_quote("\xC0\xAF"), "\"\\ufffd\\ufffd\"");
  EXPECT_EQ(json_quote("\xED\xA0\x80"), "\"\\ufffd\\ufffd\\ufffd\"");
  EXPECT_EQ(json_quote("\xF0\x9F\x90\x8E"), "\"\xF0\x9F\x90\x8E\"");
}

}  // namespace
}  // namespace pabal::cli
