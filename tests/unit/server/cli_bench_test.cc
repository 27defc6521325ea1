#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/cli/bench/options.h"
#include "server/cli/bench/run.h"
#include "tests/support/cli_loopback_broker.h"

namespace pabal::cli::bench {
namespace {

using ::testing::HasSubstr;
using tests::LoopbackBroker;
using tests::LoopbackOptions;

TEST(BodyTest, ReadsWhatItWrites) {
  BodyId id;
  id.run = 0xDEADBEEF;
  id.producer = 513;
  id.priority = 9;
  id.sequence = 0xABCDEF012345;
  id.time = 0x0123456789ABCDEF;
  const std::string body = make_body(id, 1024);
  EXPECT_EQ(body.size(), 1024u);
  BodyId read;
  ASSERT_TRUE(read_body(body, read));
  EXPECT_EQ(read.run, id.run);
  EXPECT_EQ(read.producer, id.producer);
  EXPECT_EQ(read.priority, id.priority);
  EXPECT_EQ(read.sequence, id.sequence);
  EXPECT_EQ(read.time, id.time);
  EXPECT_FALSE(read_body("hello", read));
  EXPECT_FALSE(read_body(std::string(100, 'x'), read));
  std::string damaged = body;
  damaged[kSequenceOffset] = 'x';
  EXPECT_FALSE(read_body(damaged, read));
}

TEST(HistogramTest, AnswersQuantilesWithinOnePercent) {
  Histogram histogram;
  EXPECT_EQ(histogram.quantile(0.5), 0u);
  for (std::uint64_t i = 1; i <= 100'000; ++i) histogram.record(i * 1000);
  EXPECT_NEAR(static_cast<double>(histogram.quantile(0.5)), 50e6, 0.5e6);
  EXPECT_NEAR(static_cast<double>(histogram.quantile(0.99)), 99e6, 1e6);
  EXPECT_EQ(histogram.quantile(1), 100'000'000u);
  EXPECT_EQ(histogram.maximum(), 100'000'000u);
  Histogram other;
  other.record(0);
  other.record(~std::uint64_t{0});
  histogram.merge(other);
  EXPECT_EQ(histogram.count(), 100'002u);
  EXPECT_EQ(histogram.maximum(), ~std::uint64_t{0});
}

TEST(ArrivalsTest, FindsDuplicatesAndHoles) {
  Arrivals first;
  EXPECT_TRUE(first.insert(0, 0));
  EXPECT_TRUE(first.insert(0, 2));
  EXPECT_FALSE(first.insert(0, 2));
  EXPECT_TRUE(first.insert(3, 1000));
  EXPECT_EQ(first.count(), 3u);
  EXPECT_EQ(first.holes(), 1u + 1000u);
  Arrivals second;
  second.insert(0, 1);
  second.insert(0, 2);
  EXPECT_EQ(first.merge(second), 1u);
  EXPECT_EQ(first.count(), 4u);
  EXPECT_EQ(first.holes(), 1000u);
}

TEST(OrderCheckTest, JudgesEachProducerAndPriorityAlone) {
  OrderCheck order;
  EXPECT_TRUE(order.advance(0, 4, 5));
  EXPECT_TRUE(order.advance(0, 9, 1));
  EXPECT_TRUE(order.advance(1, 4, 0));
  EXPECT_TRUE(order.advance(0, 4, 7));
  EXPECT_FALSE(order.advance(0, 4, 6));
  EXPECT_TRUE(order.advance(0, 4, 8));
}

TEST(ProcessUsageTest, SeesThisProcess) {
  const ProcessUsage usage = measure_processes(::getpid());
  EXPECT_GE(usage.processes, 1u);
  EXPECT_GT(usage.resident_bytes, 100'000u);
  EXPECT_EQ(measure_processes(0x7FFFFFFF).processes, 0u);
}

Outcome<Scenario> scenario(std::vector<std::string> words, const LoopbackBroker* broker = nullptr) {
  if (broker != nullptr) words.insert(words.end(), {"--url", broker->url()});
  const auto arguments = Arguments::parse(kBenchOptions, words);
  if (!arguments) return arguments.error();
  return read_scenario(*arguments);
}

RunResult bench(const LoopbackBroker& broker, std::vector<std::string> words) {
  const auto read = scenario(std::move(words), &broker);
  PABAL_CHECK(read, read ? "" : read.error().text.c_str());
  auto result = run(*read, {});
  PABAL_CHECK(result, result ? "" : result.error().text.c_str());
  return std::move(*result);
}

std::string shown(const RunResult& result) {
  return "delivered " + std::to_string(result.delivered) + " of " +
         std::to_string(result.expected) + ", duplicates " +
         std::to_string(result.findings.duplicates) + ", failure " + result.failure;
}

TEST(ScenarioTest, RefusesWhatMakesNoSense) {
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"-p", "0", "-c", "0"},
                                             {"-p", "0"},
                                             {"-p", "0", "-n", "5", "--destination", "/topic/t"},
                                             {"-n", "5", "--duration", "1"},
                                             {"--rate", "5", "--transaction", "2"},
                                             {"-p", "10", "-n", "5"},
                                             {"--destinations", "3"},
                                             {"--threads", "3"},
                                             {"--size", "10"},
                                             {"--url", "http://x"}}) {
    const auto read = scenario(words);
    ASSERT_FALSE(read) << words[0];
    EXPECT_EQ(read.error().exit_code, ExitCode::usage);
  }
}

// Every way to drive a broker, on one that makes no mistakes: all must come out good and complete.
TEST(BenchTest, DrivesEveryScenario) {
  const struct {
    std::vector<std::string> words;
    std::uint64_t sent;
    std::uint64_t delivered;
  } cases[] = {
      {{"-n", "5000"}, 5000, 5000},
      {{"-n", "300", "--window", "1"}, 300, 300},
      {{"-n", "5000", "--window", "0", "--persistent", "false"}, 5000, 5000},
      {{"-n", "5003", "-p", "4", "-c", "3", "--ack", "individual"}, 5003, 5003},
      {{"-n", "5003", "-p", "4", "-c", "3", "--ack", "client", "--prefetch", "10"}, 5003, 5003},
      {{"-n", "1000", "-p", "2", "--transaction", "100"}, 1000, 1000},
      {{"-n", "1010", "--transaction", "100", "--window", "3"}, 1100, 1100},
      {{"-n", "2000", "--destination", "/topic/t", "-c", "5", "-p", "2"}, 2000, 10000},
      {{"-n", "2000", "--destinations", "12", "-c", "12", "-p", "5"}, 2000, 2000},
      {{"-n", "999", "--destination", "/topic/t", "--destinations", "2", "-c", "3"}, 999, 1499},
      {{"-n", "2000", "-p", "3", "-c", "3", "--threads", "3"}, 2000, 2000},
      {{"-n", "2000", "-p", "3", "-c", "4", "--destination", "/topic/t", "--threads", "2"},
       2000,
       8000},
      {{"-n", "2000", "--priority", "mixed"}, 2000, 2000},
      {{"-n", "200", "--size", "300k"}, 200, 200},
      {{"-n", "2000", "--size", "58", "--no-content-length"}, 2000, 2000},
      {{"-n", "500", "--rate", "50000"}, 500, 500},
  };
  for (const LoopbackOptions& options :
       {LoopbackOptions{}, LoopbackOptions{.content_length = false, .shuffle_headers = true}}) {
    for (const auto& [words, sent, delivered] : cases) {
      const LoopbackBroker broker(options);
      const RunResult result = bench(broker, words);
      EXPECT_TRUE(result.good()) << ::testing::PrintToString(words) << shown(result);
      EXPECT_EQ(result.sent, sent) << ::testing::PrintToString(words);
      EXPECT_EQ(result.delivered, delivered) << ::testing::PrintToString(words);
      EXPECT_EQ(result.expected, delivered) << ::testing::PrintToString(words);
      EXPECT_EQ(result.latencies.count(), words.back() == "50000" ? delivered : 0);
    }
  }
}

TEST(BenchTest, AcknowledgesEachMessageOnce) {
  const LoopbackBroker broker;
  EXPECT_TRUE(bench(broker, {"-n", "1000", "--ack", "individual"}).good());
  EXPECT_EQ(broker.acknowledged(), 1000u);
}

TEST(BenchTest, StopsAfterItsDuration) {
  const LoopbackBroker broker;
  const RunResult result = bench(broker, {"--duration", "0.05"});
  EXPECT_TRUE(result.good()) << shown(result);
  EXPECT_GT(result.sent, 0u);
  EXPECT_EQ(result.delivered, result.sent);
}

TEST(BenchTest, FillsAndDrains) {
  const LoopbackBroker broker;
  const RunResult fill = bench(broker, {"-c", "0", "-p", "3", "-n", "3000"});
  EXPECT_TRUE(fill.good()) << shown(fill);
  EXPECT_EQ(fill.confirmed, 3000u);
  const RunResult drain = bench(broker, {"-p", "0", "-n", "3000"});
  EXPECT_TRUE(drain.good()) << shown(drain);
  EXPECT_EQ(drain.delivered, 3000u);
}

TEST(BenchTest, CountsMessagesOfOtherRunsApart) {
  const LoopbackBroker broker;
  bench(broker, {"-c", "0", "-n", "100"});
  const RunResult result = bench(broker, {"-n", "500"});
  EXPECT_TRUE(result.good()) << shown(result);
  EXPECT_EQ(result.findings.foreign, 100u);
  EXPECT_EQ(result.delivered, 500u);
}

TEST(BenchTest, FindsLoss) {
  const LoopbackBroker broker({.lose_every = 100});
  const RunResult result = bench(broker, {"-n", "1000", "--timeout", "1"});
  EXPECT_FALSE(result.good());
  EXPECT_EQ(result.missing, 10u);
  EXPECT_EQ(result.findings.duplicates, 0u);
}

TEST(BenchTest, FindsLossWhileDraining) {
  const LoopbackBroker broker({.lose_every = 100});
  bench(broker, {"-c", "0", "-n", "1000"});
  EXPECT_EQ(bench(broker, {"-p", "0", "-n", "1000", "--timeout", "1"}).missing, 10u);
}

TEST(BenchTest, FindsDuplicates) {
  for (const char* threads : {"1", "2"}) {
    const LoopbackBroker broker({.double_every = 100});
    const RunResult result =
        bench(broker, {"-n", "1000", "-c", "2", "--threads", threads, "--window", "1"});
    EXPECT_FALSE(result.good());
    EXPECT_EQ(result.findings.duplicates, 10u) << threads;
  }
}

TEST(BenchTest, FindsDisorder) {
  const LoopbackBroker broker({.swap_at = 500});
  const RunResult result = bench(broker, {"-n", "1000"});
  EXPECT_FALSE(result.good());
  EXPECT_EQ(result.findings.reordered, 1u);
  EXPECT_EQ(result.missing, 0u);
}

TEST(BenchTest, FindsDamage) {
  const LoopbackBroker broker({.damage_every = 250});
  const RunResult result = bench(broker, {"-n", "1000"});
  EXPECT_FALSE(result.good());
  EXPECT_EQ(result.findings.damaged, 4u);
}

TEST(BenchTest, FindsUnansweredReceipts) {
  const LoopbackBroker broker({.no_receipts = true});
  const RunResult result = bench(broker, {"-n", "1000", "--timeout", "1"});
  EXPECT_FALSE(result.good());
  EXPECT_EQ(result.unconfirmed, 100u);
  EXPECT_THAT(result.failure, HasSubstr("no progress"));
}

TEST(BenchTest, ShowsTheBrokersError) {
  const LoopbackBroker broker({.error_after = 500});
  const RunResult result = bench(broker, {"-n", "1000"});
  EXPECT_FALSE(result.good());
  EXPECT_THAT(result.failure, HasSubstr("the disk is full"));
}

}  // namespace
}  // namespace pabal::cli::bench
