#include "config_support.h"

namespace pabal::server {
namespace {

constexpr std::uint64_t kMegabyte = 1ULL << 20;
constexpr std::uint64_t kGigabyte = 1ULL << 30;

class ConfigLimitsTest : public ConfigTest {
 protected:
  static std::string usage(const std::string& content) {
    return "<systemUsage><systemUsage>" + content + "</systemUsage></systemUsage>";
  }
  static std::string memory(const std::string& attributes) {
    return "<memoryUsage><memoryUsage " + attributes + "/></memoryUsage>";
  }
  static std::string store(const std::string& attributes) {
    return "<storeUsage><storeUsage " + attributes + "/></storeUsage>";
  }
};

TEST_F(ConfigLimitsTest, PartsLeftOutOfAnExplicitSystemUsageHaveNoLimit) {
  const auto only_memory = load(broker(usage(memory("limit='20 mb'"))));
  ASSERT_TRUE(only_memory);
  EXPECT_EQ(only_memory->config.limits.memory_bytes_max, 20 * kMegabyte);
  EXPECT_EQ(only_memory->config.store.bytes_limit, 0U);
  const auto only_store = load(broker(usage(store("limit='1 gb'"))));
  ASSERT_TRUE(only_store);
  EXPECT_EQ(only_store->config.limits.memory_bytes_max, 0U);
  EXPECT_EQ(only_store->config.store.bytes_limit, kGigabyte);
}

TEST_F(ConfigLimitsTest, PercentagesAreOfTheHeapThatActiveMqHasAndOfTheDisk) {
  options_.machine = Machine{64 * kGigabyte, 1000 * kMegabyte, 900 * kMegabyte};
  const auto loaded =
      load(broker(usage(memory("percentOfJvmHeap='70' limit='1mb'") + store("percentLimit='50'"))));
  ASSERT_TRUE(loaded);
  EXPECT_EQ(loaded->config.limits.memory_bytes_max, kGigabyte / 100 * 70);
  EXPECT_EQ(loaded->config.store.bytes_limit, 500 * kMegabyte);
  const auto total = load(broker(usage(store("percentLimit='10' total='2000mb'"))));
  ASSERT_TRUE(total);
  EXPECT_EQ(total->config.store.bytes_limit, 200 * kMegabyte);
  options_.machine = Machine{100 * kMegabyte, 0, 0};
  const auto small = load(broker(usage(memory("percentOfJvmHeap='50'"))));
  ASSERT_TRUE(small);
  EXPECT_EQ(small->config.limits.memory_bytes_max, 50 * kMegabyte);
}

TEST_F(ConfigLimitsTest, LimitsLargerThanTheMachineAreLoweredWithAWarning) {
  options_.machine = Machine{1000 * kMegabyte, 800 * kMegabyte, 300 * kMegabyte};
  const std::string text = usage(memory("limit='2gb'") + store("limit='1gb'"));
  const auto loaded = load(broker(text));
  ASSERT_TRUE(loaded);
  EXPECT_EQ(loaded->config.limits.memory_bytes_max, 700 * kMegabyte);
  EXPECT_EQ(loaded->config.store.bytes_limit, 300 * kMegabyte);
  EXPECT_EQ(count(*loaded, Severity::warning), 2) << all_findings(*loaded);
  const auto strict = load(broker(text, "adjustUsageLimits='false'"));
  ASSERT_FALSE(strict);
  EXPECT_NE(strict.error().text.find("test.xml:2:"), std::string::npos) << strict.error().text;
}

TEST_F(ConfigLimitsTest, DefaultsAreLoweredSilentlyOrNotAtAll) {
  options_.machine = Machine{1000 * kMegabyte, 800 * kMegabyte, 300 * kMegabyte};
  const auto loaded = load(broker(""));
  ASSERT_TRUE(loaded);
  EXPECT_EQ(loaded->config.limits.memory_bytes_max, 700 * kMegabyte);
  EXPECT_TRUE(loaded->findings.empty()) << all_findings(*loaded);
}

TEST_F(ConfigLimitsTest, TheRealMachineHasMemoryAndADisk) {
  options_.machine.reset();
  const auto loaded = load(broker(usage(memory("limit='9000000gb'") + store("limit='9000000gb'")),
                                  "dataDirectory='" + directory_.path("not/there/yet") + '\''));
  ASSERT_TRUE(loaded) << loaded.error().text;
  EXPECT_EQ(count(*loaded, Severity::warning), 2) << all_findings(*loaded);
  EXPECT_GT(loaded->config.limits.memory_bytes_max, kMegabyte);
  EXPECT_GT(loaded->config.store.bytes_limit, kMegabyte);
  EXPECT_FALSE(std::filesystem::exists(directory_.path("not")));  // reading creates nothing
}

TEST_F(ConfigLimitsTest, TheDataDirectoryOfTheCommandLineWins) {
  options_.data_directory = "/from/d";
  const auto inside =
      load(broker("<persistenceAdapter><kahaDB directory='${activemq.data}/kahadb'/>"
                  "</persistenceAdapter>",
                  "dataDirectory='${activemq.data}'"));
  ASSERT_TRUE(inside);
  EXPECT_EQ(inside->config.data_directory, "/from/d");
  EXPECT_EQ(inside->config.store.directory, "/from/d/kahadb");
  EXPECT_TRUE(inside->findings.empty()) << all_findings(*inside);
  const auto outside = load(broker(
      "<persistenceAdapter><kahaDB directory='${activemq.base}/data/kahadb'/></persistenceAdapter>",
      "dataDirectory='/from/d/../other'"));
  ASSERT_TRUE(outside);
  EXPECT_EQ(outside->config.data_directory, "/from/d");
  EXPECT_EQ(outside->config.store.directory, "/from/d/store");
  EXPECT_EQ(count(*outside, Severity::note), 2) << all_findings(*outside);
  options_.data_directory.clear();
  const auto none = load(broker("", "dataDirectory='file:/srv/x'"));
  ASSERT_TRUE(none);
  EXPECT_EQ(none->config.data_directory, "/srv/x");
  EXPECT_EQ(none->config.store.directory, "/srv/x/store");
}

TEST_F(ConfigLimitsTest, MemoryStoresAreNotPersistent) {
  EXPECT_TRUE(load(broker("", "persistent='false'"))->config.store.memory);
  EXPECT_TRUE(load(broker("<persistenceAdapter><memoryPersistenceAdapter/></persistenceAdapter>"))
                  ->config.store.memory);
  EXPECT_FALSE(load(broker("", "persistent='TRUE'"))->config.store.memory);
}

TEST_F(ConfigLimitsTest, DifferencesSayWhatAReloadCanApply) {
  const std::string before =
      "<transportConnectors><transportConnector name='s' uri='stomp://h:1?maximumConnections=5'/>"
      "</transportConnectors><pabalServer logLevel='info' ioThreads='1'/>";
  const std::string after =
      "<transportConnectors><transportConnector name='s' uri='stomp://h:1?maximumConnections=6'/>"
      "<transportConnector name='t' uri='stomp://h:2'/></transportConnectors>"
      "<pabalServer logLevel='debug' ioThreads='2'/>"
      "<destinations><queue physicalName='q'/></destinations>";
  const auto old_one = load(broker(before));
  const auto new_one = load(broker(after));
  ASSERT_TRUE(old_one && new_one);
  EXPECT_TRUE(diff(old_one->config, old_one->config).empty());
  std::string text;
  for (const Change& change : diff(old_one->config, new_one->config)) {
    text += change.path + ' ' + change.before + '>' + change.after +
            (change.reloadable ? " reload\n" : " restart\n");
  }
  EXPECT_EQ(text,
            "pabalServer@ioThreads 1>2 restart\n"
            "pabalServer@logLevel info>debug reload\n"
            "queue://q >created reload\n"
            "transportConnector[s]@uri?maximumConnections 5>6 reload\n"
            "transportConnector[t]@uri >stomp://h:2 restart\n");
  const auto back = diff(new_one->config, old_one->config);
  ASSERT_EQ(back.size(), 5U);
  EXPECT_EQ(back[2].after, "");
  const auto defaulted = load(broker("<pabalServer ioThreads='1'/>"));
  EXPECT_TRUE(diff(defaulted->config, load(broker(""))->config).empty());  // a default, said or not
}

}  // namespace
}  // namespace pabal::server
