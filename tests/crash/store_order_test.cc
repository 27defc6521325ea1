// Cases that need the store's steps, or its deaths, in one particular order.

#include "tests/crash/store_harness.h"

namespace pabal::store {
namespace {

using core::ListId;

constexpr ListId kQueue{1};

void perform(StoreHarness& store, Step step) {
  while (store.core().step(step)) continue;
}

TEST(StoreReclaim, KeepsWhatTheIndexHasNotSeen) {
  StoreHarness store(1);
  store.options.segment_bytes = 64 << 10;
  ASSERT_TRUE(store.open()) << store.error;
  store.create_queue(kQueue);
  store.settle(true);
  // Several segments full of messages that are durable, and not in the index.
  for (int i = 0; i < 40; ++i) {
    perform(store, Step::prepare);
    store.send(kQueue, 4000);
    for (const Step step : {Step::write, Step::sync}) perform(store, step);
  }
  ASSERT_GT(store.core().status().segments, 4U);
  ASSERT_EQ(store.core().status().durable, store.core().submitted());
  perform(store, Step::reclaim);
  store.settle(true);
  EXPECT_GT(store.core().status().bytes_live, 40U * 4000U);
  store.drop();
  store.recover();
}

TEST(StoreSpace, TellsTheSmallAlthoughALargeOneWasRefusedAfterIt) {
  StoreHarness store(1);
  store.options.bytes_limit = 100'000;
  store.options.undurable_bytes_max = 10'000;
  ASSERT_TRUE(store.open()) << store.error;
  store.create_queue(kQueue);
  store.settle();
  ASSERT_EQ(store.core().admit(8000), core::Admission::granted);
  store.send(kQueue, 7800);
  ASSERT_EQ(store.core().admit(8000), core::Admission::later);
  ASSERT_EQ(store.core().admit(200'000), core::Admission::refused);
  store.settle();
  EXPECT_GT(store.space_changes, 0);
  EXPECT_EQ(store.core().admit(8000), core::Admission::granted);
}

// Goal: who needs room twice, as a scheduled message does that comes again, gets it however large
// it is; and what an open transaction has set aside stops nobody.
TEST(StoreSpace, WhatIsSetAsideAndNotWrittenHoldsUpNobody) {
  StoreHarness store(1);
  store.options.undurable_bytes_max = 10'000;
  ASSERT_TRUE(store.open()) << store.error;
  store.create_queue(kQueue);
  store.settle();
  ASSERT_EQ(store.core().admit(8000), core::Admission::granted);
  ASSERT_EQ(store.core().admit(8000), core::Admission::granted) << "nothing is written";
  store.send(kQueue, 7800);
  EXPECT_EQ(store.core().admit(8000), core::Admission::later) << "now it is";
}

// Goal: who waits for room in one piece, larger than a segment is, is told of it, although a
// segment that others wanted was under way.
TEST(StoreSpace, TellsALargeOneThoughAnotherSegmentWasBeingMade) {
  constexpr std::uint64_t kLarge = 100 << 10;
  StoreHarness store(1);
  ASSERT_TRUE(store.open()) << store.error;
  store.create_queue(kQueue);
  for (const Step step : {Step::write, Step::sync, Step::apply}) perform(store, step);
  // Opened, and filled; the next step would give it its name.
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(store.core().step(Step::prepare));
  ASSERT_EQ(store.core().status().segments, 1U);
  ASSERT_EQ(store.core().admit(kLarge), core::Admission::later);
  perform(store, Step::prepare);
  EXPECT_GT(store.space_changes, 0);
  EXPECT_EQ(store.core().admit(kLarge), core::Admission::granted);
}

// Goal: the same, although what there was room for one has gone to another.
TEST(StoreSpace, TellsALargeOneThoughAnotherTookTheRoom) {
  constexpr std::uint64_t kLarge = 900 << 10;
  StoreHarness store(1);
  ASSERT_TRUE(store.open()) << store.error;
  store.create_queue(kQueue);
  store.settle();
  ASSERT_EQ(store.core().admit(kLarge), core::Admission::later);
  perform(store, Step::prepare);
  ASSERT_EQ(store.core().admit(kLarge), core::Admission::granted);
  store.send(kQueue, kLarge - 1000);
  ASSERT_EQ(store.core().admit(kLarge), core::Admission::later);
  store.space_changes = 0;
  for (int i = 0; i < 3; ++i) {
    for (const Step step : {Step::write, Step::sync, Step::apply, Step::prepare}) {
      perform(store, step);
    }
  }
  EXPECT_GT(store.space_changes, 0);
  EXPECT_EQ(store.core().admit(kLarge), core::Admission::granted);
}

// Goal: open transactions may set aside more than is kept ready: room is made for it. If all of
// them waited for more, none could end.
TEST(StoreSpace, MakesRoomForAllThatIsSetAside) {
  constexpr std::uint64_t kBytes = 8 << 10;
  StoreHarness store(1);
  ASSERT_TRUE(store.open()) << store.error;
  store.create_queue(kQueue);
  store.settle();
  for (int i = 0; i < 100; ++i) {
    if (store.core().admit(kBytes, core::Purpose::more) == core::Admission::granted) continue;
    store.space_changes = 0;
    perform(store, Step::prepare);
    ASSERT_GT(store.space_changes, 0) << "with " << i << " set aside";
    ASSERT_EQ(store.core().admit(kBytes, core::Purpose::more), core::Admission::granted) << i;
  }
}

TEST(StoreSpace, MovesAreNotCountedAgainstTheLimit) {
  StoreHarness store(1);
  store.options.bytes_limit = 10'000;
  ASSERT_TRUE(store.open()) << store.error;
  store.create_queue(kQueue);
  store.settle();
  ASSERT_EQ(store.core().admit(8000), core::Admission::granted);
  store.send(kQueue, 7800);
  store.settle();
  EXPECT_EQ(store.core().admit(8000), core::Admission::later);
  EXPECT_EQ(store.core().admit(8000, core::Purpose::move), core::Admission::granted);
}

// Goal: what a deleted list held is released little by little, and no group is written for it.
// Whoever waits at storeUsage is told all the same.
TEST(StoreSpace, TellsWhoWaitsWhenADeletedListIsReleased) {
  constexpr int kMessages = 6000;
  StoreHarness store(1);
  store.options.bytes_limit = 1'500'000;
  store.options.segment_bytes = store.options.first_segment_bytes = 8 << 20;
  ASSERT_TRUE(store.open()) << store.error;
  store.create_queue(kQueue);
  for (int i = 0; i < kMessages; ++i) {
    ASSERT_TRUE(store.make_room(300)) << i;
    store.send(kQueue, 100);
  }
  store.settle();
  const std::uint64_t live = store.core().status().bytes_live;
  ASSERT_GE(live, kMessages * 100U);
  // It needs more than the deletion itself releases.
  const std::uint64_t wanted = store.options.bytes_limit - live / 10;
  ASSERT_EQ(store.core().admit(wanted), core::Admission::later);
  EXPECT_TRUE(store.core().status().full);
  EXPECT_TRUE(store.core().status().sends_wait);
  perform(store, Step::prepare);
  core::StoreOp gone;
  gone.kind = core::StoreOpKind::delete_list;
  gone.list = kQueue;
  std::vector<core::StoreOp> batch;
  batch.push_back(std::move(gone));
  store.submit(std::move(batch));
  perform(store, Step::write);
  perform(store, Step::sync);
  store.space_changes = 0;
  ASSERT_TRUE(store.core().step(Step::apply));
  ASSERT_GT(store.core().status().bytes_live, live / 10);
  EXPECT_EQ(store.space_changes, 0);
  perform(store, Step::apply);
  EXPECT_EQ(store.core().status().bytes_live, 0U);
  EXPECT_GT(store.space_changes, 0);
  EXPECT_FALSE(store.core().status().full) << "whoever waited may have gone";
}

struct Start {
  bool index_gone = false;
  bool unsynced = false;  ///< the log has an end that was written and not synced
};

class StoreStart : public testing::TestWithParam<Start> {};

/// A start that dies at any of its writes and syncs may leave things that look done and are not on
/// the disk. The next one must not build on them.
TEST_P(StoreStart, BelievesNothingOfAStartThatDied) {
  bool died = true;
  for (std::uint64_t call = 1; died; ++call) {
    SCOPED_TRACE("call " + std::to_string(call));
    StoreHarness store(1);
    ASSERT_TRUE(store.open()) << store.error;
    store.create_queue(kQueue);
    store.send(kQueue, 1000);
    store.settle();
    if (GetParam().unsynced) {
      store.send(kQueue, 6000);
      ASSERT_TRUE(store.core().step(Step::write));
    }
    store.drop();
    store.files.kill();

    if (GetParam().index_gone) {
      ASSERT_TRUE(store.memory_index.destroy("/store/index"));
    }
    store.files.die_at(call);
    const bool opened = store.open();
    died = store.files.dead();
    ASSERT_TRUE(opened || died) << store.error;
    store.drop();
    store.files.kill();

    ASSERT_TRUE(store.open()) << store.error;
    store.send(kQueue, 1000);
    store.settle();
    store.drop();
    store.files.cut_power(SimulatedFileSystem::Unsynced::lost);
    store.recover();
    if (testing::Test::HasFailure()) return;
  }
}

INSTANTIATE_TEST_SUITE_P(Starts, StoreStart,
                         testing::Values(Start{false, false}, Start{false, true},
                                         Start{true, false}, Start{true, true}),
                         [](const auto& each) {
                           return std::string(each.param.index_gone ? "IndexGone" : "IndexThere") +
                                  (each.param.unsynced ? "EndUnsynced" : "EndSynced");
                         });

}  // namespace
}  // namespace pabal::store
