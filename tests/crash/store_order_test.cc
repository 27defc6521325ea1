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

}  // namespace
}  // namespace pabal::store
