#include "server/logger.h"

#include <string>
#include <unistd.h>

#include <gtest/gtest.h>

namespace pabal::server {
namespace {

struct Pipe {
  Pipe() { EXPECT_EQ(::pipe(ends), 0); }
  ~Pipe() {
    ::close(ends[0]);
    if (ends[1] >= 0) ::close(ends[1]);
  }
  std::string read_all() {
    ::close(ends[1]);
    ends[1] = -1;
    std::string text;
    char bytes[4096];
    for (ssize_t n = 0; (n = ::read(ends[0], bytes, sizeof bytes)) > 0;) {
      text.append(bytes, static_cast<std::size_t>(n));
    }
    return text;
  }
  int ends[2];
};

TEST(LoggerTest, WritesOneLineWithFields) {
  Pipe pipe;
  Logger logger(LogLevel::info, pipe.ends[1]);
  logger.info("listener", "listening", {{"name", "stomp"}, {"port", 61613}});
  logger.debug("listener", "not wanted");
  const std::string text = pipe.read_all();
  EXPECT_EQ(text.substr(24), " info listener \"listening\" name=stomp port=61613\n");
  EXPECT_EQ(text[10], 'T');
  EXPECT_EQ(text[23], 'Z');
}

TEST(LoggerTest, APeerCannotForgeALine) {
  Pipe pipe;
  Logger logger(LogLevel::info, pipe.ends[1]);
  logger.info("c", "t", {{"peer", "x\n2026 error \"fake\"\x1b[31m"}});
  const std::string text = pipe.read_all();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1);
  EXPECT_NE(text.find(R"(peer="x\n2026 error \"fake\"\x1b[31m")"), std::string::npos) << text;
}

TEST(LoggerTest, PeerFaultsAreLimitedPerText) {
  Pipe pipe;
  Logger logger(LogLevel::warn, pipe.ends[1]);
  for (int i = 0; i < 1000; ++i) logger.peer_fault("c", "first");
  logger.peer_fault("c", "second");
  const std::string text = pipe.read_all();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), Logger::kPeerFaultsPerPeriod + 1);
  EXPECT_NE(text.find("\"second\""), std::string::npos);
}

TEST(LoggerTest, NamesAllLevels) {
  for (const auto level : {LogLevel::error, LogLevel::warn, LogLevel::info, LogLevel::debug}) {
    EXPECT_EQ(parse_log_level(to_string(level)), level);
  }
  EXPECT_EQ(parse_log_level("loud"), std::nullopt);
}

}  // namespace
}  // namespace pabal::server
