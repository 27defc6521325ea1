#include "server/engine_gate.h"

#include <array>
#include <fcntl.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include <gtest/gtest.h>

#include "store/memory/memory_store.h"

namespace pabal::server {
namespace {

using core::HomeId;

/// Two homes without loops: the test enters for them.
struct GateRig {
  Logger logger{LogLevel::error, ::open("/dev/null", O_WRONLY | O_CLOEXEC)};
  EngineGate gate{logger, 2};
  store::MemoryStore store{[] {
    store::MemoryStoreOptions options;
    options.manual_durability = true;
    return options;
  }()};
  core::Engine engine{store, {}, 2};
  std::array<int, 2> wakes{};

  GateRig() {
    store.set_listener(&gate);
    gate.attach(engine, store);
    for (std::uint32_t i = 0; i < 2; ++i) {
      gate.set_waker(HomeId{i}, [this, i] { ++wakes[i]; });
    }
  }

  core::ConnectionId connect(HomeId home) {
    core::ConnectionId id{};
    core::Outbox outbox;
    gate.enter(home, outbox, [&](core::Engine& inside, core::TimePoint) {
      core::ConnectOptions options;
      options.home = home;
      id = inside.connect(options)->id;
    });
    return id;
  }
  void subscribe(HomeId home, core::ConnectionId id) {
    core::Outbox outbox;
    gate.enter(home, outbox, [&](core::Engine& inside, core::TimePoint now) {
      core::SubscribeOptions options;
      options.interests.push_back({{core::DestinationKind::queue, "q"}, "", false});
      EXPECT_TRUE(inside.subscribe(id, options, now).has_value());
    });
  }
  core::Outbox publish(HomeId home, core::ConnectionId id, bool persistent = false) {
    core::Outbox outbox;
    gate.enter(home, outbox, [&](core::Engine& inside, core::TimePoint now) {
      core::MessageBuilder builder;
      builder.destination_name = "q";
      builder.persistent = persistent;
      inside.publish(id, *builder.build(), std::nullopt, 0, now);
    });
    return outbox;
  }
};

TEST(EngineGateTest, EffectsForTheOwnHomeAreTakenAndNobodyIsWoken) {
  GateRig rig;
  const auto id = rig.connect(HomeId{0});
  rig.subscribe(HomeId{0}, id);
  const auto outbox = rig.publish(HomeId{0}, id);
  EXPECT_EQ(outbox.deliveries.size(), 1u);
  EXPECT_EQ(rig.wakes[0] + rig.wakes[1], 0);
}

TEST(EngineGateTest, EffectsForAnotherHomeWakeItOnceAndWaitForIt) {
  GateRig rig;
  const auto producer = rig.connect(HomeId{0});
  const auto consumer = rig.connect(HomeId{1});
  rig.subscribe(HomeId{1}, consumer);
  EXPECT_TRUE(rig.publish(HomeId{0}, producer).deliveries.empty());
  EXPECT_TRUE(rig.publish(HomeId{0}, producer).deliveries.empty());
  EXPECT_EQ(rig.wakes[1], 1) << "one wake-up until it has entered";
  EXPECT_TRUE(rig.gate.take_wake(HomeId{1}));
  EXPECT_FALSE(rig.gate.take_wake(HomeId{1}));
  core::Outbox outbox;
  rig.gate.enter(HomeId{1}, outbox, [](core::Engine&, core::TimePoint) {});
  EXPECT_EQ(outbox.deliveries.size(), 2u);
  rig.publish(HomeId{0}, producer);
  EXPECT_EQ(rig.wakes[1], 2);
}

TEST(EngineGateTest, DurabilityWakesThoseThatHoldSomething) {
  GateRig rig;
  const auto id = rig.connect(HomeId{0});
  rig.publish(HomeId{0}, id, true);
  rig.gate.set_holding(HomeId{1}, true);
  rig.store.make_durable(rig.store.submitted());
  rig.store.deliver();
  EXPECT_EQ(rig.wakes[1], 1);
  EXPECT_EQ(rig.gate.durable(), rig.store.submitted());
  rig.gate.set_holding(HomeId{1}, false);
  rig.publish(HomeId{0}, id, true);
  rig.store.make_durable(rig.store.submitted());
  rig.store.deliver();
  EXPECT_EQ(rig.wakes[1], 1);
}

TEST(EngineGateTest, AFailedStoreIsFinal) {
  GateRig rig;
  std::string reason;
  rig.gate.set_on_failed([&](const core::Error& error) { reason = error.text; });
  rig.gate.failed({core::Errc::store_io, "fdatasync: Input/output error"});
  EXPECT_EQ(reason, "fdatasync: Input/output error");
  EXPECT_TRUE(rig.gate.store_failed());
}

TEST(EngineGateTest, ThreadsEnterOneAtATime) {
  GateRig rig;
  int unguarded = 0;
  std::vector<std::thread> threads;
  for (std::uint32_t i = 0; i < 2; ++i) {
    threads.emplace_back([&rig, &unguarded, i] {
      core::Outbox outbox;
      for (int k = 0; k < 10'000; ++k) {
        rig.gate.enter(HomeId{i}, outbox, [&](core::Engine&, core::TimePoint) { ++unguarded; });
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(unguarded, 20'000);
  EXPECT_EQ(rig.gate.entries(), 20'000u);
  EXPECT_GT(rig.gate.longest_entry().count(), 0);
}

}  // namespace
}  // namespace pabal::server
