// One fault at a time, each by its name, on a simulated disk.
#include <algorithm>

#include "tests/crash/store_harness.h"

namespace pabal::store {
namespace {

using core::Admission;
using core::ListId;
using core::Ticket;

constexpr ListId kOrders{1};
constexpr auto kLost = SimulatedFileSystem::Unsynced::lost;
constexpr auto kRandom = SimulatedFileSystem::Unsynced::random;

/// Written, not synced.
void write_only(StoreHarness& store) {
  ASSERT_TRUE(store.core().step(Step::write));
}

/// Paths of the journal's segments, in order.
std::vector<std::string> segments(StoreHarness& store) {
  const std::string directory = "/store/journal";
  auto names = store.files.list(directory);
  std::vector<std::string> found;
  for (const std::string& name : *names) {
    if (name.ends_with(".segment")) found.push_back(directory + "/" + name);
  }
  std::sort(found.begin(), found.end());
  return found;
}

class StoreFaults : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(store_.open()) << store_.error;
    store_.create_queue(kOrders);
    store_.settle();
  }
  void kill() {
    store_.drop();
    store_.files.kill();
  }
  void cut_power(SimulatedFileSystem::Unsynced unsynced) {
    store_.drop();
    store_.files.cut_power(unsynced);
  }
  void reopen() { ASSERT_TRUE(store_.open()) << store_.error; }

  StoreHarness store_{1};
};

// --- syncs that fail -----------------------------------------------------------------------------

TEST_F(StoreFaults, AFailedSyncStopsTheStoreForGood) {
  const Ticket before = store_.send(kOrders, 100);
  store_.settle();
  ASSERT_EQ(store_.core().durable(), before);
  store_.files.fail_sync(".segment");
  store_.send(kOrders, 100);
  write_only(store_);
  EXPECT_FALSE(store_.core().step(Step::sync));
  EXPECT_TRUE(store_.core().failed());
  ASSERT_EQ(store_.failures.size(), 1U);
  EXPECT_NE(store_.failures[0].find("Input/output error"), std::string::npos) << store_.failures[0];

  // The disk is fine again, and would say so: nobody may ask it.
  store_.send(kOrders, 100);
  for (const Step step : {Step::write, Step::sync, Step::write, Step::sync, Step::apply,
                          Step::flush, Step::reclaim, Step::sync}) {
    EXPECT_FALSE(store_.core().step(step));
  }
  EXPECT_FALSE(store_.core().flush_now());
  EXPECT_EQ(store_.core().durable(), before);
}

// What the failed sync should have written reads well and is not on the disk: the next start must
// write it again before it builds on it.
TEST_F(StoreFaults, PagesLeftCleanByAFailedSyncAreWrittenAgain) {
  store_.send(kOrders, 100);
  store_.settle();
  store_.files.fail_sync(".segment");
  store_.send(kOrders, 9000);
  write_only(store_);
  EXPECT_FALSE(store_.core().step(Step::sync));
  kill();
  reopen();  // the message that nobody was told of is there: read from the page cache
  const std::string recovered = store_.contents();
  EXPECT_NE(recovered.find("entries 2"), std::string::npos) << recovered;
  cut_power(kLost);
  reopen();
  EXPECT_EQ(store_.contents(), recovered) << "once recovered it may have been acted upon";
}

TEST_F(StoreFaults, AFailedWriteStopsTheStoreForGood) {
  const Ticket before = store_.send(kOrders, 100);
  store_.settle();
  store_.files.fail_write(".segment");
  store_.send(kOrders, 100);
  EXPECT_FALSE(store_.core().step(Step::write));
  EXPECT_TRUE(store_.core().failed());
  EXPECT_EQ(store_.failures.size(), 1U);
  store_.send(kOrders, 100);
  EXPECT_FALSE(store_.core().step(Step::write));
  EXPECT_EQ(store_.core().durable(), before);
  kill();
  reopen();
}

TEST_F(StoreFaults, AKillBetweenWriteAndSyncThenAPowerCut) {
  store_.send(kOrders, 100);
  store_.settle();
  const Ticket ticket = store_.send(kOrders, 9000);
  write_only(store_);
  ASSERT_LT(store_.core().durable(), ticket);
  kill();
  reopen();
  const std::string recovered = store_.contents();
  EXPECT_NE(recovered.find("entries 2"), std::string::npos) << recovered;
  cut_power(kLost);
  reopen();
  EXPECT_EQ(store_.contents(), recovered);
}

// --- what a power cut leaves ---------------------------------------------------------------------

TEST(StoreReordering, AnyPartOfWhatWasNotSyncedLeavesABatchWholeOrNotAtAll) {
  int whole = 0;
  int none = 0;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    StoreHarness store(seed);
    ASSERT_TRUE(store.open()) << store.error;
    store.create_queue(kOrders);
    store.send(kOrders, 100);
    store.settle();
    std::vector<core::StoreOp> transaction;
    for (int i = 0; i < 2; ++i) transaction.push_back(store.add(kOrders, 4, store.message(4000)));
    store.submit(std::move(transaction));
    write_only(store);
    store.drop();
    store.files.cut_power(kRandom);
    ASSERT_TRUE(store.open()) << store.error;  // which compares with the model
    const std::string recovered = store.contents();
    const bool all = recovered.find("entries 3") != std::string::npos;
    EXPECT_TRUE(all || recovered.find("entries 1") != std::string::npos) << recovered;
    ++(all ? whole : none);
    // And a store goes on from there.
    store.send(kOrders, 100);
    store.settle();
    store.drop();
    store.files.cut_power(kRandom);
    ASSERT_TRUE(store.open()) << store.error;
  }
  EXPECT_GT(whole, 0) << "some cut leaves all of its pages";
  EXPECT_GT(none, 0);
}

// --- cancelled messages --------------------------------------------------------------------------

TEST_F(StoreFaults, AConsumedSendHasItsReceiptAndDoesNotComeBack) {
  const Ticket ticket = store_.send(kOrders, 100);
  store_.cancel(ticket, kOrders);
  EXPECT_EQ(store_.core().durable(), ticket) << "nothing is left to lose";
  cut_power(kLost);
  reopen();
  EXPECT_EQ(store_.contents().find("entries"), std::string::npos) << store_.contents();
}

TEST_F(StoreFaults, AConsumedSendsReceiptWaitsForAllThatWasSubmittedBefore) {
  const Ticket before = store_.send(kOrders, 100);
  write_only(store_);
  const Ticket ticket = store_.send(kOrders, 100);
  store_.cancel(ticket, kOrders);
  EXPECT_LT(store_.core().durable(), before) << "else its receipt would stand for the other too";
  ASSERT_TRUE(store_.core().step(Step::sync));
  store_.settle();
  EXPECT_EQ(store_.core().durable(), ticket);
  cut_power(kLost);
  reopen();
  EXPECT_NE(store_.contents().find("entries 1"), std::string::npos) << store_.contents();
}

TEST_F(StoreFaults, AMessageConsumedTooLateToBeCancelledIsGoneOnceItsAcknowledgementIsDurable) {
  const Ticket ticket = store_.send(kOrders, 100);
  write_only(store_);
  const std::uint64_t sequence = store_.next(kOrders) - 1;
  EXPECT_FALSE(store_.core().cancel(ticket, kOrders)) << "its group is sealed";
  const Ticket acknowledged = store_.acknowledge(kOrders, sequence, sequence);
  ASSERT_TRUE(store_.core().step(Step::sync));
  EXPECT_LT(store_.core().durable(), acknowledged);
  store_.settle();
  EXPECT_EQ(store_.core().durable(), acknowledged);
  cut_power(kLost);
  reopen();
  EXPECT_EQ(store_.contents().find("entries"), std::string::npos) << store_.contents();
}

// --- a full disk ---------------------------------------------------------------------------------

/// Sends until the store says no; the text says why.
std::string fill(StoreHarness& store) {
  for (int i = 0; i < 10'000; ++i) {
    store.settle();
    if (!store.make_room(1200)) return store.core().refusal();
    store.send(kOrders, 1000);
  }
  return "it never was full";
}

TEST_F(StoreFaults, AFullDiskRefusesSendsAndLetsEverythingBeConsumed) {
  store_.settle();
  store_.files.set_capacity(store_.files.bytes_used() + (300 << 10));
  const std::string refusal = fill(store_);
  EXPECT_NE(refusal.find("No space left on device"), std::string::npos) << refusal;
  EXPECT_NE(refusal.find("store full"), std::string::npos) << refusal;
  const std::uint64_t last = store_.next(kOrders) - 1;
  ASSERT_GT(last, 100U);

  // One by one, so that none is merged: the most that consuming can ask for.
  for (std::uint64_t sequence = 1; sequence <= last; ++sequence) {
    const Ticket ticket = store_.acknowledge(kOrders, sequence, sequence);
    store_.settle();
    ASSERT_EQ(store_.core().durable(), ticket) << "acknowledgement " << sequence;
  }
  EXPECT_TRUE(store_.failures.empty()) << store_.failures[0];
  // Consumed messages are room again, on the same disk.
  EXPECT_TRUE(store_.make_room(1200)) << store_.core().refusal();
  store_.send(kOrders, 1000);
  store_.settle(true);
  kill();
  reopen();
}

TEST_F(StoreFaults, WhenSpaceReturnsSendingWorksWithoutARestart) {
  store_.settle();
  store_.files.set_capacity(store_.files.bytes_used());
  const std::string refusal = fill(store_);
  EXPECT_NE(refusal.find("No space left on device"), std::string::npos) << refusal;
  const int told = store_.space_changes;
  store_.files.set_capacity(~0ULL);
  while (store_.core().step(Step::prepare)) {
  }
  EXPECT_GT(store_.space_changes, told) << "those who were refused are told";
  EXPECT_TRUE(store_.make_room(1200));
  const Ticket ticket = store_.send(kOrders, 1000);
  store_.settle();
  EXPECT_EQ(store_.core().durable(), ticket);
}

TEST_F(StoreFaults, AStoreOnAFullDiskStartsAndIsDrained) {
  store_.settle();
  store_.files.set_capacity(store_.files.bytes_used() + (200 << 10));
  fill(store_);
  cut_power(kLost);
  reopen();
  const std::uint64_t last = store_.next(kOrders) - 1;
  for (std::uint64_t sequence = 1; sequence <= last; ++sequence) {
    store_.acknowledge(kOrders, sequence, sequence);
    store_.settle();
  }
  EXPECT_EQ(store_.core().durable(), store_.core().submitted());
}

// --- the index -----------------------------------------------------------------------------------

TEST_F(StoreFaults, WhileTheIndexCannotBeWrittenSendsAreRefusedAndConsumingGoesOn) {
  store_.send(kOrders, 100);
  store_.settle();
  for (const bool takes_effect : {false, true}) {
    SCOPED_TRACE(takes_effect);
    store_.memory_index.fail({core::Errc::store_full, "index: No space left on device"},
                             takes_effect);
    // Far enough to make a flush due.
    for (int i = 0; i < 200 && store_.make_room(1200); ++i) {
      store_.send(kOrders, 1000);
      for (const Step step : {Step::write, Step::sync, Step::apply, Step::flush, Step::prepare}) {
        (void)store_.core().step(step);
      }
    }
    EXPECT_FALSE(store_.make_room(1200));
    EXPECT_NE(store_.core().refusal().find("No space left on device"), std::string::npos)
        << store_.core().refusal();
    EXPECT_TRUE(store_.core().status().full);
    const Ticket ticket = store_.acknowledge(kOrders, 1, store_.next(kOrders) - 2);
    store_.core().step(Step::write);
    store_.core().step(Step::sync);
    EXPECT_EQ(store_.core().durable(), ticket);
    EXPECT_TRUE(store_.failures.empty());

    const int told = store_.space_changes;
    store_.memory_index.heal();
    store_.settle();
    EXPECT_GT(store_.space_changes, told);
    EXPECT_TRUE(store_.make_room(1200)) << store_.core().refusal();
    store_.send(kOrders, 1000);
    store_.settle(true);
    kill();
    reopen();
  }
}

TEST_F(StoreFaults, AnIndexOlderThanSegmentsThatWentIsBuiltAgain) {
  store_.send(kOrders, 100);
  store_.settle(true);
  const auto old = store_.memory_index.rows("/store/index");
  const std::uint64_t segments = store_.core().status().segments;
  for (int i = 0; i < 600; ++i) {
    ASSERT_TRUE(store_.make_room(1200));
    store_.send(kOrders, 1000);
    if (i % 7 != 0) store_.acknowledge(kOrders, store_.next(kOrders) - 1, store_.next(kOrders) - 1);
    store_.settle();
  }
  store_.acknowledge(kOrders, 1, store_.next(kOrders) - 5);
  store_.settle(true);
  EXPECT_LT(store_.core().status().segments, segments + 6) << "segments went";
  kill();
  store_.memory_index.rows("/store/index") = old;  // the flushes since are gone
  reopen();
}

TEST_F(StoreFaults, AnIndexThatIsLargeAndUnchangedIsNoWork) {
  for (int i = 0; i < 1500; ++i) {
    ASSERT_TRUE(store_.make_room(100));
    store_.send(kOrders, 50);
    if (i % 100 == 0) store_.settle();
  }
  store_.settle(true);
  kill();
  reopen();  // reads everything, which fills the index's memory
  (void)store_.contents();
  for (int i = 0; i < 3; ++i) (void)store_.core().step(Step::flush);
  EXPECT_FALSE(store_.core().step(Step::flush));
}

// --- damage --------------------------------------------------------------------------------------

TEST_F(StoreFaults, ABadByteBelowTheMarkIsReportedAndNeverCut) {
  for (int i = 0; i < 10; ++i) {
    store_.send(kOrders, 1000);
    store_.settle();
  }
  kill();
  const std::string segment = segments(store_).front();
  store_.files.damage(segment, 4096 + 2500);
  EXPECT_FALSE(store_.open());
  EXPECT_NE(store_.error.find("damaged store"), std::string::npos) << store_.error;
  EXPECT_NE(store_.error.find(segment), std::string::npos) << store_.error;
  EXPECT_NE(store_.error.find("offset"), std::string::npos) << store_.error;
  // Put right again, all of it is there.
  store_.files.kill();
  store_.files.damage(segment, 4096 + 2500);
  reopen();
  EXPECT_NE(store_.contents().find("entries 10"), std::string::npos) << store_.contents();
}

TEST_F(StoreFaults, AMissingSegmentIsReported) {
  for (int i = 0; i < 300; ++i) {
    ASSERT_TRUE(store_.make_room(1200));
    store_.send(kOrders, 1000);
    store_.settle();
  }
  store_.settle(true);
  kill();
  ASSERT_GT(segments(store_).size(), 4U);
  ASSERT_TRUE(store_.files.unlink(segments(store_).at(1)));
  EXPECT_FALSE(store_.open());
  EXPECT_NE(store_.error.find("missing"), std::string::npos) << store_.error;
}

TEST_F(StoreFaults, ASegmentThatCannotBeReadIsGivenUpAndShown) {
  for (int i = 0; i < 300; ++i) {
    ASSERT_TRUE(store_.make_room(1200));
    store_.send(kOrders, 1000);
    store_.settle();
  }
  store_.settle(true);
  const auto before = store_.core().status();
  ASSERT_GT(before.segments, 4U);
  EXPECT_EQ(before.segments_given_up, 0U);
  store_.files.damage(segments(store_).at(1), 4096 + 20);
  store_.acknowledge(kOrders, 1, 299);
  for (int i = 0; i < 10; ++i) store_.settle(true);
  const auto after = store_.core().status();
  EXPECT_EQ(after.segments_given_up, 1U);
  EXPECT_LT(after.segments, before.segments);  // the others went
  const auto report = store_.core().map({});
  ASSERT_TRUE(report) << report.error().text;
  EXPECT_EQ(std::count_if(report->segments.begin(), report->segments.end(),
                          [](const MapSegment& segment) { return segment.given_up; }),
            1);
}

TEST_F(StoreFaults, ASecondOpeningIsRefused) {
  StoreHarness other(2);
  other.options.files = &store_.files;
  EXPECT_FALSE(other.open());
  EXPECT_NE(other.error.find("in use"), std::string::npos) << other.error;
}

}  // namespace
}  // namespace pabal::store
