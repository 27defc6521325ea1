// Acknowledgements that nobody waits for: what they wait for, and what they do not.

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
    auto opened = JournalCore::open(disk_.options, disk_, &bells_);
    ASSERT_TRUE(opened) << opened.error().text;
    core_ = std::move(*opened);
    std::vector<core::StoreOp> ops(1);
    ops[0].kind = core::StoreOpKind::create_list;
    ops[0].list = kOrders;
    ops[0].detail = std::make_unique<core::StoreOpDetail>();
    ops[0].detail->list = {kOrders, {core::DestinationKind::queue, "orders"}};
    push(core_->append(ops));
    for (int i = 0; i < 3; ++i) push(send());
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
  void push(Ticket wanted) { (void)core_->push(wanted, Writer::store); }
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
  push(core::kNoTicket);
  EXPECT_FALSE(write());
  EXPECT_LT(core_->durable(), acknowledged);
  const Ticket sent = send();
  push(sent);
  const auto groups = core_->status().groups_synced;
  EXPECT_TRUE(write());
  EXPECT_EQ(core_->durable(), sent);
  EXPECT_EQ(core_->status().groups_synced, groups + 1);
}

TEST_F(StorePatience, SomebodyWaitsForIt) {
  const Ticket acknowledged = acknowledge(1);
  push(acknowledged);
  EXPECT_EQ(bells_.writes, 1);
  EXPECT_TRUE(write());
  EXPECT_EQ(core_->durable(), acknowledged);
}

TEST_F(StorePatience, SomebodyBeginsToWaitLater) {
  const Ticket acknowledged = acknowledge(1);
  push(core::kNoTicket);
  rest();
  bells_.writes = 0;
  push(acknowledged);
  EXPECT_EQ(bells_.writes, 1);
  EXPECT_TRUE(write());
}

TEST_F(StorePatience, ItsTimeIsUp) {
  const Ticket acknowledged = acknowledge(1);
  push(core::kNoTicket);
  EXPECT_TRUE(core_->only_patient());
  EXPECT_TRUE(core_->hurry());
  EXPECT_TRUE(write());
  EXPECT_EQ(core_->durable(), acknowledged);
  EXPECT_FALSE(core_->hurry());
}

TEST_F(StorePatience, APageThatMustShowItDoesNotWait) {
  const Ticket acknowledged = acknowledge(1);
  push(core::kNoTicket);
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
  push(core::kNoTicket);
  EXPECT_EQ(bells_.writes, 0);
  core_->set_lingering(false);
  (void)acknowledge(2);
  push(core::kNoTicket);
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
  push(core::kNoTicket);
  EXPECT_TRUE(write());
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
    (void)store.push(sent, GetParam());
    if (i % 3 != 0) {
      while (store.durable() < sent) std::this_thread::yield();
    }
    std::vector<core::StoreOp> done;
    done.push_back(
        StoreHarness::range(core::StoreOpKind::acknowledge, kOrders, core::kQueueReader, 4, i, i));
    (void)store.append(done);
    (void)store.push(core::kNoTicket, GetParam());
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
    (void)store.push(last, GetParam());
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
