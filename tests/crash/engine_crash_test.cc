// The engine on the journal, on a simulated disk that is cut off at every write and sync: promises
// that need both.
#include <deque>

#include <gtest/gtest.h>

#include "core/engine.h"
#include "store/index/memory_key_value.h"
#include "store/journal_core.h"
#include "store/testing/simulated_file_system.h"

namespace pabal::store {
namespace {

using core::AckKind;
using core::AckMode;
using core::ConnectionId;
using core::Delivery;
using core::DestinationKind;
using core::HomeId;
using core::Outcome;
using core::Ticket;

/// A broker without sockets: the engine, the store's steps, and one client at a time.
class EngineOnJournal : public testing::Test, public core::StoreListener {
 protected:
  void SetUp() override { start_afresh(1); }

  void start() {
    JournalStoreOptions options;
    options.directory = "/store";
    options.files = files_.get();
    options.index = index_.get();
    options.segment_bytes = 256 << 10;
    options.first_segment_bytes = 64 << 10;
    options.ballast_bytes = 16 << 10;
    auto opened = JournalCore::open(options, *this, nullptr);
    ASSERT_TRUE(opened) << opened.error().text;
    core_ = std::move(*opened);
    engine_ = std::make_unique<core::Engine>(*core_, core::EngineLimits{}, 1);
    connect();
  }
  /// Another broker on another disk.
  void start_afresh(std::uint64_t seed) {
    engine_.reset();
    core_.reset();
    pages_.clear();
    files_ = std::make_unique<SimulatedFileSystem>(seed);
    index_ = std::make_unique<MemoryKeyValueFactory>();
    start();
    ASSERT_TRUE(settle());
  }
  void connect() {
    auto connected = engine_->connect({});
    ASSERT_TRUE(connected) << connected.error().text;
    client_ = *connected;
  }
  void crash(SimulatedFileSystem::Unsynced unsynced) {
    engine_.reset();
    core_.reset();
    pages_.clear();
    files_->cut_power(unsynced);
  }

  Outcome send(const std::string& body, std::optional<core::TransactionId> within = std::nullopt) {
    core::MessageBuilder builder;
    builder.destination_kind = DestinationKind::queue;
    builder.destination_name = "q";
    builder.persistent = true;
    builder.origin = client_.origin;
    builder.sequence = ++sent_;
    builder.body_kind = core::BodyKind::text;
    builder.body = body;
    return engine_->publish(client_.id, *builder.build(), within, 0, now_);
  }
  core::SubscriptionId subscribe(const std::string& queue) {
    core::SubscribeOptions options;
    options.interests.push_back({core::Destination{DestinationKind::queue, queue}, "", false});
    options.ack_mode = AckMode::explicit_;
    auto subscribed = engine_->subscribe(client_.id, options, now_);
    EXPECT_TRUE(subscribed);
    return *subscribed;
  }
  /// Until nothing moves; false: the process died.
  bool settle() {
    for (bool worked = true; worked;) {
      if (files_->dead() || core_->failed()) return false;
      worked = engine_->run(now_);
      core_->push(core_->submitted(), core::Writer::store, core::kNoTicket);
      for (const Step step : {Step::write, Step::sync, Step::apply, Step::page, Step::flush,
                              Step::reclaim, Step::prepare}) {
        while (core_->step(step)) worked = true;
      }
      if (advanced_) engine_->durable_advanced(now_);
      worked = worked || advanced_;
      advanced_ = false;
      for (; !pages_.empty(); worked = true) {
        core::Page page = std::move(pages_.front());
        pages_.pop_front();
        engine_->page_loaded(std::move(page), now_);
      }
    }
    return !files_->dead();
  }
  std::vector<Delivery> deliveries() {
    settle();
    std::vector<Delivery> taken;
    taken.swap(engine_->outbox(HomeId{}).deliveries);
    return taken;
  }
  /// Bodies of what the queue has.
  std::string contents(const std::string& queue) {
    subscribe(queue);
    std::string text;
    for (const Delivery& delivery : deliveries()) {
      text += std::string(delivery.message->body()) + " ";
    }
    return text;
  }

  // core::StoreListener
  void durable_advanced() noexcept override { advanced_ = true; }
  void page_loaded(core::Page page) noexcept override { pages_.push_back(std::move(page)); }
  void space_changed() noexcept override {}
  void failed(core::Error) noexcept override {}

  std::unique_ptr<SimulatedFileSystem> files_;
  std::unique_ptr<MemoryKeyValueFactory> index_;
  std::unique_ptr<JournalCore> core_;
  std::unique_ptr<core::Engine> engine_;
  core::ConnectionDetails client_;
  core::TimePoint now_{std::chrono::milliseconds(1'700'000'000'000)};
  std::deque<core::Page> pages_;
  bool advanced_ = false;
  std::uint64_t sent_ = 0;
};

// BEGIN, SEND, SEND, COMMIT, SEND in one read, dead at each write and sync after it. What is there
// afterwards: nothing, the transaction, or the transaction and what came behind it; and no less
// than what had its receipt.
TEST_F(EngineOnJournal, CommitAndSendPipelinedAreThereInOrderAndWhole) {
  bool died = true;
  int outcomes[3] = {};
  // Each call with several disks, which leave different parts of what was not synced.
  for (std::uint64_t attempt = 0; died || attempt % 10 != 0; ++attempt) {
    const std::uint64_t call = attempt / 10 + 1;
    SCOPED_TRACE("dead at call " + std::to_string(call) + ", disk " + std::to_string(attempt));
    start_afresh(attempt + 1);
    files_->die_at(call);
    auto transaction = engine_->begin(client_.id);
    ASSERT_TRUE(transaction);
    send("a", *transaction);
    send("b", *transaction);
    const Outcome committed = engine_->commit(*transaction, 0, now_);
    const Outcome plain = send("c");
    died = !settle();
    const bool commit_answered = core_->durable() >= committed.after;
    const bool plain_answered = core_->durable() >= plain.after;
    EXPECT_TRUE(commit_answered || !plain_answered) << "receipts come in order";
    crash(SimulatedFileSystem::Unsynced::random);
    start();
    const std::string found = contents("q");
    const bool nothing = found.empty();
    const bool whole = found == "a b ";
    const bool all = found == "a b c ";
    EXPECT_TRUE(nothing || whole || all) << found;
    EXPECT_FALSE(commit_answered && nothing);
    EXPECT_TRUE(all || !plain_answered) << found;
    ++outcomes[nothing ? 0 : whole ? 1 : 2];
  }
  EXPECT_GT(outcomes[0], 0) << "the first calls are before anything is durable";
  EXPECT_GT(outcomes[2], 0) << "the last one came through";
}

// The process dies each time it has handed the message out: no restart makes poison.
TEST_F(EngineOnJournal, ARestartLoopDoesNotDeadLetter) {
  send("payroll");
  ASSERT_TRUE(settle());
  for (int round = 0; round < 30; ++round) {
    SCOPED_TRACE(round);
    crash(SimulatedFileSystem::Unsynced::lost);
    start();
    subscribe("q");
    const auto got = deliveries();
    ASSERT_EQ(got.size(), 1U);
    EXPECT_EQ(got[0].message->body(), "payroll");
    EXPECT_EQ(got[0].deliveries, 0U) << "counts come from what a client said, not from crashes";
    EXPECT_EQ(got[0].redelivered, round > 0);
  }
  crash(SimulatedFileSystem::Unsynced::lost);
  start();
  EXPECT_EQ(contents("ActiveMQ.DLQ"), "");
  EXPECT_EQ(contents("q"), "payroll ");
}

// Consumed before it was written: its receipt is given, and a crash neither loses nor returns it.
TEST_F(EngineOnJournal, AConsumedSendItsReceiptACrash) {
  const auto subscription = subscribe("q");
  const Outcome first = send("1");
  const Outcome second = send("2");
  (void)engine_->run(now_);
  std::vector<Delivery> got;
  got.swap(engine_->outbox(HomeId{}).deliveries);
  ASSERT_EQ(got.size(), 2U) << "plain sends go out while their group waits";
  const Outcome acknowledged = engine_->acknowledge(subscription, {got[0].id, got[1].id},
                                                    AckKind::consumed, {}, std::nullopt, now_);
  EXPECT_EQ(acknowledged.disposition, core::Disposition::done);
  settle();
  EXPECT_GE(core_->durable(), first.after);
  EXPECT_GE(core_->durable(), second.after);
  EXPECT_GT(core_->status().batches_cancelled, 0U) << "neither was ever written";
  crash(SimulatedFileSystem::Unsynced::lost);
  start();
  EXPECT_EQ(contents("q"), "");
}

}  // namespace
}  // namespace pabal::store
