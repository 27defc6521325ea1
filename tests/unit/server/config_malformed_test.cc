#include <random>

#include "config_support.h"
#include "server/config/generate.h"
#include "server/config/xml_document.h"

namespace pabal::server {
namespace {

using ConfigMalformedTest = ConfigTest;

std::string repeat(const std::string& text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += text;
  return all;
}

TEST_F(ConfigMalformedTest, WhatIsNotXmlIsRefusedWithAPlace) {
  const std::string texts[] = {
      "",
      "   \n",
      "no markup",
      "<broker",
      "<broker>",
      "<broker></brokers>",
      "<broker a='1' a='2'/>",
      "<broker a=1/>",
      "<broker a='<'/>",
      "<broker/><broker/>",
      "<broker>&nothing;</broker>",
      "<x:broker/>",
      "<broker brokerName='\xFF\xFE'/>",
      std::string("<broker\0/>", 10),
      "<?xml version='1.0' encoding='NO-SUCH'?><broker/>",
      "\xFF\xFE<\0b\0r\0",
      "<!-- -- --><broker/>",
      "<broker/>trailing",
  };
  for (const std::string& text : texts) {
    const auto loaded = load(text);
    ASSERT_FALSE(loaded) << text;
    EXPECT_NE(loaded.error().text.find("test.xml:"), std::string::npos) << text;
  }
  const auto third = load("<broker>\n<systemUsage>\n  </systemusage>\n</broker>");
  ASSERT_FALSE(third);
  EXPECT_NE(third.error().text.find("test.xml:3:"), std::string::npos) << third.error().text;
}

TEST_F(ConfigMalformedTest, DoctypesAndWithThemEntitiesAreRefused) {
  directory_.write("secret.txt", "s3cret");
  const std::string outside = "SYSTEM 'file://" + directory_.path("secret.txt") + "'";
  for (const std::string& text :
       {"<!DOCTYPE broker [<!ENTITY x " + outside + ">]><broker brokerName='a'>&x;</broker>",
        "<!DOCTYPE broker " + outside + "><broker/>",
        std::string(
            "<!DOCTYPE b [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;&a;'>]><broker brokerName='&b;'/>"),
        std::string("<!-- c -->\n <!doctype broker><broker/>")}) {
    const auto loaded = load(text);
    ASSERT_FALSE(loaded) << text;
    EXPECT_NE(loaded.error().text.find("DOCTYPE"), std::string::npos) << loaded.error().text;
    EXPECT_EQ(loaded.error().text.find("s3cret"), std::string::npos);
  }
  EXPECT_TRUE(load("<broker brokerName='&lt;!DOCTYPE'/>"));
}

TEST_F(ConfigMalformedTest, DepthAndSizeAreLimited) {
  const auto deep = load(repeat("<broker>", 200'000));
  ASSERT_FALSE(deep);
  EXPECT_NE(deep.error().text.find("nested deeper"), std::string::npos) << deep.error().text;
  const auto large = load("<broker>" + std::string(kXmlBytesMax, ' ') + "</broker>");
  ASSERT_FALSE(large);
  EXPECT_NE(large.error().text.find("larger than"), std::string::npos) << large.error().text;
  EXPECT_FALSE(load_config(directory_.path("."), options_));
}

TEST_F(ConfigMalformedTest, EveryCutOfTheSampleIsRefused) {
  const std::string sample = generate_sample();
  const auto end = sample.rfind("</broker>");
  for (std::size_t size = 0; size < end; size += 61) {
    EXPECT_FALSE(load(sample.substr(0, size))) << size;
  }
}

/// Goal: no input crashes the reader or makes it hang. Method: damaged copies of real text, from a
/// fixed seed; what comes out is an error with a place, or a configuration whose ranges hold.
TEST_F(ConfigMalformedTest, DamagedFilesAreRefusedOrSound) {
  const std::string texts[] = {
      generate_sample().substr(generate_sample().find("<broker ")),
      broker("<plugins><simpleAuthenticationPlugin anonymousAccessAllowed='true'/></plugins>"
             "<transportConnectors><transportConnector uri='stomp://[::1]:1?a=%41&amp;"
             "maximumConnections=5'/></transportConnectors><![CDATA[ ]]><?p i?><!-- c -->"),
  };
  std::mt19937 random(20240521);
  const std::string alphabet = "<>/='\"&;!-[]{}$:?% \nab01\xC3\xA9";
  int accepted = 0;
  for (int round = 0; round < 1500; ++round) {
    std::string text = texts[round % 2];
    const int damages = 1 + static_cast<int>(random() % 4);
    for (int i = 0; i < damages; ++i) {
      const std::size_t at = random() % text.size();
      switch (random() % 3) {
        case 0:
          text[at] = alphabet[random() % alphabet.size()];
          break;
        case 1:
          text.erase(at, 1 + random() % 20);
          break;
        default:
          text.insert(at, 1, alphabet[random() % alphabet.size()]);
          break;
      }
      if (text.empty()) text = "<";
    }
    const auto loaded = load(text);
    if (!loaded) {
      EXPECT_NE(loaded.error().text.find("test.xml"), std::string::npos) << loaded.error().text;
      continue;
    }
    ++accepted;
    EXPECT_GE(loaded->config.server.io_threads, 1U);
    EXPECT_LE(loaded->config.server.io_threads, kIoThreadsMax);
    EXPECT_GE(loaded->config.limits.connections_max, 1U);
  }
  EXPECT_GT(accepted, 50);  // the damage is not so great that only the parser is tried
}

}  // namespace
}  // namespace pabal::server
