// Random work on a simulated disk, stopped at every write and every sync: what was called durable
// is there, what is there was submitted, in order.
#include <cstdlib>

#include "tests/crash/store_harness.h"

namespace pabal::store {
namespace {

using core::ListId;

/// How many seeds: `few`, or PABAL_CRASH_SEEDS. A failing one comes back with
/// PABAL_CRASH_FIRST_SEED.
std::uint64_t seeds(std::uint64_t few) {
  const char* many = std::getenv("PABAL_CRASH_SEEDS");
  return many == nullptr ? few : std::strtoull(many, nullptr, 10);
}
std::uint64_t first_seed() {
  const char* first = std::getenv("PABAL_CRASH_FIRST_SEED");
  return first == nullptr ? 1 : std::strtoull(first, nullptr, 10);
}

void create_lists(StoreHarness& store) {
  store.create_queue(ListId{1});
  store.create_queue(ListId{2});
  store.create_topic(ListId{3});
  store.create_reader(ListId{3}, core::ReaderId{1});
  store.settle();
}

void work(StoreHarness& store, int batches) {
  for (int i = 0; i < batches && store.running(); ++i) {
    store.random_batch();
    store.random_steps(static_cast<int>(store.random() % 8));
  }
}

/// How the machine stops.
enum class Stop { kill, power_lost, power_random, kill_then_power };

void stop(StoreHarness& store, Stop how) {
  store.drop();
  switch (how) {
    case Stop::kill:
      return store.files.kill();
    case Stop::power_lost:
      return store.files.cut_power(SimulatedFileSystem::Unsynced::lost);
    case Stop::power_random:
      return store.files.cut_power(SimulatedFileSystem::Unsynced::random);
    case Stop::kill_then_power:
      // What the killed process had written and not synced is read by the next one, which must not
      // believe it before it has synced it itself.
      store.files.kill();
      ASSERT_TRUE(store.open()) << store.error;
      store.drop();
      return store.files.cut_power(SimulatedFileSystem::Unsynced::lost);
  }
}

class StoreCrash : public testing::TestWithParam<Stop> {};

TEST_P(StoreCrash, AtEveryWriteAndSync) {
  std::uint64_t calls = 0;
  {
    StoreHarness store(7);
    ASSERT_TRUE(store.open()) << store.error;
    create_lists(store);
    const std::uint64_t before = store.files.calls();
    work(store, 500);
    calls = store.files.calls() - before;
    ASSERT_TRUE(store.running());
  }
  ASSERT_GT(calls, 300U);
  for (std::uint64_t call = 1; call <= calls; ++call) {
    SCOPED_TRACE("call " + std::to_string(call) + " of " + std::to_string(calls));
    StoreHarness store(7);
    ASSERT_TRUE(store.open()) << store.error;
    create_lists(store);
    store.files.die_at(call);
    work(store, 500);
    ASSERT_TRUE(store.files.dead());
    stop(store, GetParam());
    store.recover();
    if (testing::Test::HasFailure()) return;
  }
}

/// Also with the index gone now and then, so that it is built again from whatever segments are
/// left.
TEST_P(StoreCrash, AgainAndAgain) {
  for (std::uint64_t seed = first_seed(); seed < first_seed() + seeds(12); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    StoreHarness store(seed);
    ASSERT_TRUE(store.open()) << store.error;
    create_lists(store);
    for (int round = 0; round < 15; ++round) {
      SCOPED_TRACE("round " + std::to_string(round));
      store.files.die_at(1 + store.random() % 1500);
      work(store, 2000);
      stop(store, GetParam());
      // Recovery itself is stopped too.
      if (round % 3 == 0) {
        store.files.die_at(1 + store.random() % 20);
        (void)store.open();
        stop(store, GetParam());
      }
      if (store.random() % 4 == 0) {
        store.drop();
        store.files.kill();
        ASSERT_TRUE(store.memory_index.destroy("/store/index"));
      }
      store.recover();
      if (testing::Test::HasFailure()) return;
    }
    store.close();
    const auto report = check_store(store.options);
    ASSERT_TRUE(report) << report.error().text;
    EXPECT_EQ(report->problems, std::vector<std::string>());
  }
}

std::string name_of(const testing::TestParamInfo<Stop>& each) {
  constexpr const char* kNames[] = {"Kill", "PowerLost", "PowerRandom", "KillThenPower"};
  return kNames[static_cast<int>(each.param)];
}

INSTANTIATE_TEST_SUITE_P(Stops, StoreCrash,
                         testing::Values(Stop::kill, Stop::power_lost, Stop::power_random,
                                         Stop::kill_then_power),
                         name_of);

TEST(StoreRebuild, IsEqualAfterSegmentsWent) {
  for (std::uint64_t seed = first_seed(); seed < first_seed() + seeds(6); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    StoreHarness store(seed);
    ASSERT_TRUE(store.open()) << store.error;
    create_lists(store);
    std::uint64_t relocated = 0;
    for (int round = 0; round < 6; ++round) {
      work(store, 2000);
      store.settle(true);
      relocated += store.core().status().messages_relocated;
      const std::string before = store.contents();
      store.drop();
      store.files.kill();
      ASSERT_TRUE(store.memory_index.destroy("/store/index"));
      ASSERT_TRUE(store.open()) << store.error;
      EXPECT_EQ(store.contents(), before);
      if (testing::Test::HasFailure()) return;
    }
    EXPECT_GT(relocated, 0U);
  }
}

}  // namespace
}  // namespace pabal::store
