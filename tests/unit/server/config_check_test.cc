#include <sstream>

#include <Poco/JSON/Object.h>
#include <Poco/JSON/Parser.h>

#include "config_support.h"
#include "server/config/check_command.h"

namespace pabal::server {
namespace {

class ConfigCheckTest : public ConfigTest {
 protected:
  int check(const std::string& text) {
    options_for_check_.file = directory_.write("test.xml", text);
    options_for_check_.load = options_;
    std::ostringstream out;
    std::ostringstream err;
    const int code = run_check(options_for_check_, out, err);
    out_ = out.str();
    EXPECT_EQ(err.str(), "");
    return code;
  }

  CheckOptions options_for_check_;
  std::string out_;
};

TEST_F(ConfigCheckTest, FindingsAreNoFailureUnlessStrict) {
  const std::string text =
      broker("<persistenceAdapter><kahaDB indexCacheSize='1'/></persistenceAdapter>");
  EXPECT_EQ(check(text), 0);
  EXPECT_NE(
      out_.find("test.xml:2:29: note: broker/persistenceAdapter/kahaDB@indexCacheSize: has no "
                "meaning in Pabal: "),
      std::string::npos)
      << out_;
  options_for_check_.strict = true;
  EXPECT_EQ(check(text), 1);
  EXPECT_EQ(check(broker("", "brokerName='fine'")), 0);
}

/// Goal: check and serve judge the same, guards included, with and without --insecure.
TEST_F(ConfigCheckTest, WhatStopsServeMakesTheExitCode1) {
  const std::string guarded = broker("<plugins><simpleAuthenticationPlugin/></plugins>");
  const std::string wrong = broker("<nonsense/>");
  const std::string contradicting = broker(
      "<systemUsage><systemUsage><memoryUsage><memoryUsage limit='100 tb'/></memoryUsage>"
      "</systemUsage></systemUsage>",
      "adjustUsageLimits='false'");
  for (const bool insecure : {false, true}) {
    options_.insecure = insecure;
    for (const std::string& text : {guarded, wrong, contradicting, broker("")}) {
      EXPECT_EQ(check(text) == 0, load(text).has_value()) << text << insecure << out_;
    }
  }
}

/// The store takes no larger ones: the broker starts with what it can have, and check says so.
TEST_F(ConfigCheckTest, SegmentsLargerThanTheStoreTakesAreLowered) {
  const std::string text =
      broker("<persistenceAdapter><kahaDB journalMaxFileLength='1g'/></persistenceAdapter>");
  EXPECT_EQ(check(text), 0);
  EXPECT_NE(out_.find("lowered"), std::string::npos) << out_;
  const auto loaded = load(text);
  ASSERT_TRUE(loaded);
  EXPECT_EQ(loaded->config.store.segment_bytes, 512U << 20);
}

TEST_F(ConfigCheckTest, GuardsAreFindingsAndFailUnlessInsecure) {
  const std::string guarded = broker("<plugins><simpleAuthenticationPlugin/></plugins>");
  EXPECT_EQ(check(guarded), 1);
  EXPECT_NE(out_.find("test.xml:2:10: guard: "), std::string::npos) << out_;
  options_.insecure = true;
  EXPECT_EQ(check(guarded), 0);
  EXPECT_NE(out_.find("test.xml:2:10: warning: "), std::string::npos) << out_;
  options_.insecure = false;
  EXPECT_EQ(check(broker("<nonsense/>")), 1);
  EXPECT_NE(out_.find("test.xml:2:1: error: "), std::string::npos) << out_;
}

TEST_F(ConfigCheckTest, AMissingFileIsAnError) {
  options_for_check_.file = directory_.path("absent.xml");
  std::ostringstream out;
  std::ostringstream err;
  EXPECT_EQ(run_check(options_for_check_, out, err), 1);
  EXPECT_NE(out.str().find("absent.xml: No such file"), std::string::npos) << out.str();
}

TEST_F(ConfigCheckTest, JsonHoldsTheSame) {
  options_for_check_.json = true;
  EXPECT_EQ(check(broker("<plugins><simpleAuthenticationPlugin/></plugins>\n<pabalLimits "
                         "connectionsMax='\xEC\x98\x81 &quot;'/>")),
            1);
  Poco::JSON::Parser parser;
  const auto document = parser.parse(out_).extract<Poco::JSON::Object::Ptr>();
  EXPECT_FALSE(document->getValue<bool>("ok"));
  EXPECT_EQ(document->getValue<int>("errors"), 1);
  EXPECT_EQ(document->getValue<int>("guards"), 1);
  const auto findings = document->getArray("findings");
  ASSERT_EQ(findings->size(), 2U);
  const auto error = findings->getObject(1);
  EXPECT_EQ(error->getValue<int>("line"), 3);
  EXPECT_EQ(error->getValue<int>("column"), 14);
  EXPECT_EQ(error->getValue<std::string>("severity"), "error");
  EXPECT_EQ(error->getValue<std::string>("path"), "broker/pabalLimits@connectionsMax");
  EXPECT_EQ(error->getValue<std::string>("file"), directory_.path("test.xml"));
}

}  // namespace
}  // namespace pabal::server
