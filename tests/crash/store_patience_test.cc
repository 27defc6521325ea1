// What the store does not write at once: acknowledgements that nobody waits for, and sends whose
// consumers will probably be done with them before they could be synced.

#include <gtest/gtest.h>

#include "store/journal_store.h"
#include "tests/crash/store_harness.h"

namespace pabal::store {
namespace {

using core::ListId;
using core::Ticket;
using core::Writer;

constexpr ListId kOrders{1};

/// Counts how often the store's thread would be woken.
class Bells final : public Waker {
 public:
  void wake(Step step) noexcept override { writes += step == Step::write ? 1 : 0; }
  int writes = 0;
};

class StorePatience : public testing::Test {
 protected:
  void SetUp() override {
    disk_.options.acknowledgements_wait = std::chrono::milliseconds(5);
    disk_.options.passing_wait_max = std::chrono::milliseconds(1);
    auto opened = JournalCore::open(disk_.options, disk_, &bells_);
    ASSERT_TRUE(opened) << opened.error().text;
    core_ = std::move(*opened);
    std::vector<core::StoreOp> ops(1);
    ops[0].kind = core::StoreOpKind::create_list;
    ops[0].list = kOrders;
    ops[0].detail = std::make_unique<core::StoreOpDetail>();
    ops[0].detail->list = {kOrders, {core::DestinationKind::queue, "orders"}};
    (void)push(core_->append(ops));
    for (int i = 0; i < 3; ++i) (void)push(send());
    rest();
    bells_.writes = 0;
  }

  Ticket send() {
    std::vector<core::StoreOp> ops;
    ops.push_back(disk_.add(kOrders, 4, disk_.message(100)));
    return core_->append(ops);
  }
  Ticket acknowledge(std::uint64_t sequence) {
    std::vector<core::StoreOp> ops;
    ops.push_back(StoreHarness::range(core::StoreOpKind::acknowledge, kOrders, core::kQueueReader,
                                      4, sequence, sequence));
    return core_->append(ops);
  }
  Ticket send_passing() {
    std::vector<core::StoreOp> ops;
    ops.push_back(disk_.add(kOrders, 4, disk_.message(100)));
    ops[0].passing = true;
    return core_->append(ops);
  }
  core::Pushed push(Ticket wanted, Ticket overdue = core::kNoTicket) {
    return core_->push(wanted, Writer::store, overdue);
  }
  std::uint64_t synced() { return core_->status().groups_synced; }
  bool write() {
    const bool written = core_->step(Step::write);
    (void)core_->step(Step::sync);
    return written;
  }
  void rest() {
    while (core_->step(Step::write) || core_->step(Step::sync)) continue;
  }

  StoreHarness disk_{1};
  Bells bells_;
  std::unique_ptr<JournalCore> core_;
};

TEST_F(StorePatience, AnAcknowledgementGoesWithTheNextSend) {
  const Ticket acknowledged = acknowledge(1);
  (void)push(core::kNoTicket);
  EXPECT_FALSE(write());
  EXPECT_LT(core_->durable(), acknowledged);
  const Ticket sent = send();
  (void)push(sent);
  const auto groups = core_->status().groups_synced;
  EXPECT_TRUE(write());
  EXPECT_EQ(core_->durable(), sent);
  EXPECT_EQ(core_->status().groups_synced, groups + 1);
}

TEST_F(StorePatience, SomebodyWaitsForIt) {
  const Ticket acknowledged = acknowledge(1);
  (void)push(acknowledged);
  EXPECT_EQ(bells_.writes, 1);
  EXPECT_TRUE(write());
  EXPECT_EQ(core_->durable(), acknowledged);
}

TEST_F(StorePatience, SomebodyBeginsToWaitLater) {
  const Ticket acknowledged = acknowledge(1);
  (void)push(core::kNoTicket);
  rest();
  bells_.writes = 0;
  (void)push(acknowledged);
  EXPECT_EQ(bells_.writes, 1);
  EXPECT_TRUE(write());
}

TEST_F(StorePatience, ItsTimeIsUp) {
  const Ticket acknowledged = acknowledge(1);
  (void)push(core::kNoTicket);
  EXPECT_TRUE(core_->only_patient());
  EXPECT_TRUE(core_->hurry());
  EXPECT_TRUE(write());
  EXPECT_EQ(core_->durable(), acknowledged);
  EXPECT_FALSE(core_->hurry());
}

TEST_F(StorePatience, APageThatMustShowItDoesNotWait) {
  const Ticket acknowledged = acknowledge(1);
  (void)push(core::kNoTicket);
  core::PageRequest request;
  request.list = kOrders;
  request.priority = 4;
  request.end = 10;
  request.after = acknowledged;
  core_->read(request);
  EXPECT_TRUE(write());
}

TEST_F(StorePatience, WakesTheThreadOnlyIfItWouldSleepOn) {
  core_->set_lingering(true);
  (void)acknowledge(1);
  (void)push(core::kNoTicket);
  EXPECT_EQ(bells_.writes, 0);
  core_->set_lingering(false);
  (void)acknowledge(2);
  (void)push(core::kNoTicket);
  EXPECT_EQ(bells_.writes, 1);
}

TEST_F(StorePatience, WithoutPatienceItIsWrittenAtOnce) {
  core_.reset();
  disk_.options.acknowledgements_wait = std::chrono::milliseconds(0);
  auto opened = JournalCore::open(disk_.options, disk_, &bells_);
  ASSERT_TRUE(opened) << opened.error().text;
  core_ = std::move(*opened);
  rest();
  (void)acknowledge(1);
  (void)push(core::kNoTicket);
  EXPECT_TRUE(write());
}

// --- in passing ----------------------------------------------------------------------------------

TEST_F(StorePatience, WhatIsAcknowledgedInTimeIsNeverWritten) {
  const auto groups = synced();
  const Ticket sent = send_passing();
  EXPECT_EQ(push(sent).held, sent);
  EXPECT_EQ(bells_.writes, 0);
  EXPECT_FALSE(write());
  EXPECT_LT(core_->durable(), sent);
  EXPECT_TRUE(core_->cancel(sent, kOrders));
  EXPECT_EQ(core_->durable(), sent) << "its sender may be answered";
  EXPECT_TRUE(push(core::kNoTicket).raised);
  rest();
  EXPECT_EQ(synced(), groups);
}

TEST_F(StorePatience, WhatIsNotAcknowledgedInTimeIsWritten) {
  const Ticket sent = send_passing();
  const Ticket held = push(sent).held;
  EXPECT_EQ(push(sent, held).held, core::kNoTicket) << "nobody need push again";
  EXPECT_EQ(bells_.writes, 1);
  EXPECT_TRUE(write());
  EXPECT_EQ(core_->durable(), sent);
  EXPECT_FALSE(core_->cancel(sent, kOrders));
}

TEST_F(StorePatience, WhatIsOverdueBehindAGroupOnItsWayNeedsNoFurtherPush) {
  const Ticket underway = send();
  (void)push(underway);
  ASSERT_TRUE(core_->step(Step::write));
  const Ticket sent = send_passing();
  const Ticket held = push(sent).held;
  EXPECT_EQ(held, sent);
  EXPECT_EQ(push(sent, held).held, core::kNoTicket);
  rest();
  EXPECT_EQ(core_->durable(), sent);
}

TEST_F(StorePatience, OnlyWhatIsOverdueIsWritten) {
  const Ticket old = send_passing();
  const Ticket held = push(old).held;
  const Ticket young = send_passing();
  EXPECT_EQ(push(young, held).held, young);
  EXPECT_TRUE(write());
  EXPECT_EQ(core_->durable(), old);
  EXPECT_FALSE(write());
  EXPECT_TRUE(core_->cancel(young, kOrders));
  EXPECT_EQ(core_->durable(), young);
}

TEST_F(StorePatience, WhatIsUrgentTakesAlongWhatIsBeforeItAndNotWhatIsBehind) {
  const Ticket before = send_passing();
  const Ticket urgent = send();
  const Ticket behind = send_passing();
  (void)push(behind);
  EXPECT_TRUE(write());
  EXPECT_EQ(core_->durable(), urgent);
  EXPECT_FALSE(core_->cancel(before, kOrders));
  EXPECT_TRUE(core_->cancel(behind, kOrders));
  EXPECT_EQ(core_->durable(), behind);
}

// Otherwise the acknowledgement of what was written once would have the next ones written as well,
// and so on for ever.
TEST_F(StorePatience, AnAcknowledgementBeforeItIsWrittenForItAndLeavesItBehind) {
  (void)acknowledge(1);
  const Ticket second = acknowledge(2);
  const Ticket sent = send_passing();
  EXPECT_EQ(push(sent).held, sent);
  EXPECT_TRUE(write());
  EXPECT_EQ(core_->durable(), second);
  EXPECT_TRUE(core_->cancel(sent, kOrders));
  EXPECT_EQ(core_->durable(), sent);
}

TEST_F(StorePatience, AnAcknowledgementBehindItGoesWithTheNextGroup) {
  const Ticket sent = send_passing();
  (void)push(sent);
  const Ticket acknowledged = acknowledge(1);
  (void)push(core::kNoTicket);
  EXPECT_FALSE(write());
  EXPECT_TRUE(core_->hurry_patient());
  EXPECT_TRUE(write());
  EXPECT_EQ(core_->durable(), acknowledged);
}

TEST_F(StorePatience, WhatPassesWhileSomethingIsSyncedIsDurableWithIt) {
  const Ticket written = send();
  (void)push(written);
  ASSERT_TRUE(core_->step(Step::write));
  const Ticket sent = send_passing();
  (void)push(sent);
  EXPECT_TRUE(core_->cancel(sent, kOrders));
  EXPECT_LT(core_->durable(), written) << "answers are in order";
  ASSERT_TRUE(core_->step(Step::sync));
  EXPECT_EQ(core_->durable(), sent);
}

TEST_F(StorePatience, WhatPassesOutOfTurnWaitsForWhatIsBeforeIt) {
  const Ticket first = send_passing();
  const Ticket second = send_passing();
  (void)push(second);
  EXPECT_TRUE(core_->cancel(second, kOrders));
  EXPECT_LT(core_->durable(), first);
  EXPECT_TRUE(core_->cancel(first, kOrders));
  EXPECT_EQ(core_->durable(), second);
}

// Several senders at once: there is always one whose message is out, so that the group never ends.
TEST_F(StorePatience, WhatGoesOnPassingIsForgotten) {
  const auto groups = synced();
  Ticket before = send_passing();
  for (int i = 0; i < 10'000; ++i) {
    const Ticket next = send_passing();
    (void)push(next);
    ASSERT_TRUE(core_->cancel(before, kOrders)) << i;
    ASSERT_EQ(core_->durable(), before);
    before = next;
  }
  EXPECT_EQ(synced(), groups);
  (void)push(before, before);
  EXPECT_TRUE(write());
  EXPECT_EQ(core_->durable(), before);
}

TEST_F(StorePatience, MuchIsBegunWithAllTheSame) {
  for (int i = 0; i < 300; ++i) {
    std::vector<core::StoreOp> ops;
    ops.push_back(disk_.add(kOrders, 4, disk_.message(1000)));
    ops[0].passing = true;
    (void)core_->append(ops);
  }
  EXPECT_TRUE(write());
}

TEST_F(StorePatience, APageThatMustShowItIsNotKeptWaitingByWhatPasses) {
  const Ticket sent = send_passing();
  (void)push(sent);
  core::PageRequest request;
  request.list = kOrders;
  request.priority = 4;
  request.end = 10;
  request.after = sent;
  core_->read(request);
  EXPECT_TRUE(write());
  EXPECT_EQ(core_->durable(), sent);
}

// --- with threads --------------------------------------------------------------------------------

class Listener final : public core::StoreListener {
 public:
  void durable_advanced() noexcept override {}
  void page_loaded(core::Page /*page*/) noexcept override {}
  void space_changed() noexcept override {}
  void failed(core::Error /*error*/) noexcept override {}
};

class StoreThreads : public testing::TestWithParam<Writer> {};

// Goal: what nobody waits for becomes durable all the same, and what is written by him who pushes
// does, beside what the thread writes.
TEST_P(StoreThreads, EverythingBecomesDurable) {
  StoreHarness disk(1);
  disk.options.acknowledgements_wait = std::chrono::milliseconds(1);
  Listener listener;
  auto opened = JournalStore::open(disk.options, listener);
  ASSERT_TRUE(opened) << opened.error().text;
  JournalStore& store = **opened;
  std::vector<core::StoreOp> ops(1);
  ops[0].kind = core::StoreOpKind::create_list;
  ops[0].list = kOrders;
  ops[0].detail = std::make_unique<core::StoreOpDetail>();
  ops[0].detail->list = {kOrders, {core::DestinationKind::queue, "orders"}};
  (void)store.append(ops);
  for (std::uint64_t i = 1; i <= 300; ++i) {
    std::vector<core::StoreOp> send;
    send.push_back(disk.add(kOrders, 4, disk.message(100)));
    while (store.admit(200) != core::Admission::granted) std::this_thread::yield();
    const Ticket sent = store.append(send);
    (void)store.push(sent, GetParam(), core::kNoTicket);
    if (i % 3 != 0) {
      while (store.durable() < sent) std::this_thread::yield();
    }
    std::vector<core::StoreOp> done;
    done.push_back(
        StoreHarness::range(core::StoreOpKind::acknowledge, kOrders, core::kQueueReader, 4, i, i));
    (void)store.append(done);
    (void)store.push(core::kNoTicket, GetParam(), core::kNoTicket);
  }
  while (store.durable() < store.submitted()) std::this_thread::yield();
  store.close();
  EXPECT_EQ(store.status().bytes_live, 0U);
}

// Goal: a group of more than one entry, for its size and for the ends of segments, becomes durable
// as a whole though nobody pushes again.
TEST_P(StoreThreads, AGroupOfSeveralEntriesIsWrittenToItsEnd) {
  StoreHarness disk(1);
  disk.options.acknowledgements_wait = std::chrono::milliseconds(1);
  Listener listener;
  auto opened = JournalStore::open(disk.options, listener);
  ASSERT_TRUE(opened) << opened.error().text;
  JournalStore& store = **opened;
  std::vector<core::StoreOp> ops(1);
  ops[0].kind = core::StoreOpKind::create_list;
  ops[0].list = kOrders;
  ops[0].detail = std::make_unique<core::StoreOpDetail>();
  ops[0].detail->list = {kOrders, {core::DestinationKind::queue, "orders"}};
  (void)store.append(ops);
  for (int round = 0; round < 20; ++round) {
    Ticket last{};
    for (int i = 0; i < 10; ++i) {
      std::vector<core::StoreOp> send;
      send.push_back(disk.add(kOrders, 4, disk.message(4000)));
      while (store.admit(4200) != core::Admission::granted) std::this_thread::yield();
      last = store.append(send);
    }
    (void)store.push(last, GetParam(), core::kNoTicket);
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (store.durable() < last && std::chrono::steady_clock::now() < deadline) {
      std::this_thread::yield();
    }
    ASSERT_GE(store.durable(), last) << "round " << round;
  }
  store.close();
}

INSTANTIATE_TEST_SUITE_P(Writers, StoreThreads, testing::Values(Writer::store, Writer::caller),
                         [](const auto& each) {
                           return each.param == Writer::store ? "Store" : "Caller";
                         });

}  // namespace
}  // namespace pabal::store
