// What sessions and retained messages ask of the journal: many attachments that come to rest, large
// retained messages, and an index that is built again from what is left.
#include <deque>
#include <map>

#include <gtest/gtest.h>

#include "core/engine.h"
#include "store/index/memory_key_value.h"
#include "store/journal_core.h"
#include "store/testing/simulated_file_system.h"

namespace pabal::store {
namespace {

using core::Delivery;
using core::DestinationKind;

class RetainedOnJournal : public testing::Test, public core::StoreListener {
 protected:
  void SetUp() override {
    options_.directory = "/store";
    options_.files = &files_;
    options_.index = &index_;
    options_.segment_bytes = 64 << 10;
    options_.first_segment_bytes = 64 << 10;
    options_.ballast_bytes = 16 << 10;
    options_.index_flush_journal_bytes = 64 << 10;
  }
  void start() {
    start_store();
    start_engine();
  }
  void start_store() {
    auto opened = JournalCore::open(options_, *this, nullptr);
    ASSERT_TRUE(opened) << opened.error().text;
    core_ = std::move(*opened);
  }
  void start_engine() {
    engine_ = std::make_unique<core::Engine>(*core_, core::EngineLimits{}, 1);
    engine_->configure({}, now_);
    client_ = *engine_->connect({});
  }
  /// The power goes; with the index, too, if asked.
  void crash(bool without_index) {
    crash_store(without_index);
    start_engine();
  }
  void crash_store(bool without_index) {
    engine_.reset();
    core_.reset();
    pages_.clear();
    files_.cut_power(SimulatedFileSystem::Unsynced::lost);
    if (without_index) {
      ASSERT_TRUE(index_.destroy("/store/index"));
    }
    start_store();
  }
  /// Until nothing moves; how many steps of reclaiming that took. Too many: it never comes to rest.
  int settle() {
    int reclaims = 0;
    for (bool worked = true; worked;) {
      worked = engine_->run(now_);
      core_->push(core_->submitted(), core::Writer::store, core::kNoTicket);
      for (const Step step : {Step::write, Step::sync, Step::apply, Step::page, Step::flush,
                              Step::reclaim, Step::prepare}) {
        while (core_->step(step)) {
          worked = true;
          if (step == Step::reclaim && ++reclaims > 20'000) return reclaims;
        }
      }
      if (std::exchange(advanced_, false)) {
        worked = true;
        engine_->durable_advanced(now_);
      }
      if (std::exchange(space_, false)) {
        worked = true;
        engine_->space_changed(now_);
      }
      for (; !pages_.empty(); worked = true) {
        core::Page page = std::move(pages_.front());
        pages_.pop_front();
        engine_->page_loaded(std::move(page), now_);
      }
    }
    return reclaims;
  }
  core::Ticket put(const std::string& key, const std::string& value) {
    core::StoreOp operation;
    operation.kind = core::StoreOpKind::put_attachment;
    operation.detail = std::make_unique<core::StoreOpDetail>();
    operation.detail->key = key;
    operation.detail->value = value;
    return core_->append({&operation, 1});
  }
  void keep(const std::string& topic, const std::string& body) {
    core::MessageBuilder builder;
    builder.destination_kind = DestinationKind::topic;
    builder.destination_name = topic;
    builder.retain = true;
    builder.origin = client_.origin;
    builder.sequence = ++sent_;
    builder.body_kind = core::BodyKind::bytes;
    builder.body = body;
    const auto outcome = engine_->publish(client_.id, *builder.build(), core::SendOptions{}, now_);
    ASSERT_NE(outcome.disposition, core::Disposition::failed)
        << (outcome.error ? outcome.error->text : "");
    if (outcome.disposition == core::Disposition::parked) settle();  // until there is a segment
  }
  std::map<std::string, std::size_t> kept() {
    core::SubscribeOptions options;
    options.interests.push_back({core::Destination{DestinationKind::topic, ">"}, "", false});
    options.retained = true;
    options.prefetch = 1'000'000;
    const auto looker = *engine_->connect({});
    EXPECT_TRUE(engine_->subscribe(looker.id, options, now_));
    std::map<std::string, std::size_t> found;
    for (int i = 0; i < 1000; ++i) {
      settle();
      std::vector<Delivery> taken;
      taken.swap(engine_->outbox(core::HomeId{}).deliveries);
      if (taken.empty()) break;
      for (const auto& each : taken) {
        found[std::string(each.message->destination_name())] = each.message->body().size();
        engine_->written(looker.id, each.number, now_);
      }
    }
    engine_->disconnect(looker.id, now_);
    return found;
  }

  // core::StoreListener
  void durable_advanced() noexcept override { advanced_ = true; }
  void page_loaded(core::Page page) noexcept override { pages_.push_back(std::move(page)); }
  void space_changed() noexcept override { space_ = true; }
  void failed(core::Error error) noexcept override { ADD_FAILURE() << error.text; }

  SimulatedFileSystem files_{1};
  MemoryKeyValueFactory index_;
  JournalStoreOptions options_;
  std::unique_ptr<JournalCore> core_;
  std::unique_ptr<core::Engine> engine_;
  core::ConnectionDetails client_;
  core::TimePoint now_{std::chrono::milliseconds(1'700'000'000'000)};
  std::deque<core::Page> pages_;
  bool advanced_ = false;
  bool space_ = false;
  std::uint64_t sent_ = 0;
};

/// Attachments that fill segments of their own look dead, and must not be written again for ever.
TEST_F(RetainedOnJournal, ManyAttachmentsComeToRest) {
  start();
  for (int i = 0; i < 300; ++i) {
    put("key/" + std::to_string(i), std::string(2000, static_cast<char>('a' + i % 26)));
    if (i % 10 == 0) settle();
  }
  EXPECT_LT(settle(), 20'000);
  const auto before = core_->status().bytes_written;
  for (int i = 0; i < 10; ++i) settle();
  EXPECT_EQ(core_->status().bytes_written, before) << "with nothing to do it writes nothing";
  // Replaced again and again, they cost no more than a part of what is written anew.
  for (int round = 0; round < 10; ++round) {
    for (int i = 0; i < 300; ++i) {
      put("key/" + std::to_string(i), std::string(2000, static_cast<char>('a' + round)));
      if (i % 10 == 0) settle();
    }
  }
  EXPECT_LT(settle(), 20'000);
  EXPECT_LT(core_->status().bytes_on_disk, 4U << 20);
  for (const bool without_index : {false, true}) {
    crash_store(without_index);
    int found = 0;
    for (const auto& [key, value] : core_->recovered().attachments) {
      if (!key.starts_with("key/")) continue;
      ++found;
      EXPECT_EQ(value, std::string(2000, 'j'));
    }
    EXPECT_EQ(found, 300);
    start_engine();
    settle();
  }
}

TEST_F(RetainedOnJournal, RetainedMessagesMoveWithTheirSegments) {
  start();
  std::map<std::string, std::size_t> expected;
  for (int i = 1; i <= 2000; ++i) {
    const auto topic = "busy." + std::to_string(i % 7);
    keep(topic, std::string(500 + static_cast<std::size_t>(i % 100), 'b'));
    expected[topic] = 500 + static_cast<std::size_t>(i % 100);
    if (i % 40 == 0) {  // one that stays in the midst of others that go
      const auto still = "still." + std::to_string(i);
      keep(still, std::string(1000, 's'));
      expected[still] = 1000;
    }
    if (i % 20 == 0) settle();
  }
  settle();
  EXPECT_LT(core_->status().bytes_on_disk, 1U << 20) << "what was replaced has gone";
  EXPECT_GT(core_->status().messages_relocated, 0U);
  EXPECT_EQ(kept(), expected);
  for (const bool without_index : {false, true}) {
    crash(without_index);
    EXPECT_EQ(kept(), expected);
  }
}

TEST_F(RetainedOnJournal, LargeOnes) {
  options_.segment_bytes = 1 << 20;
  start();
  const std::size_t large = 40U << 20;
  keep("large", std::string(large, 'x'));
  keep("small", "x");
  settle();
  keep("large", std::string(large + 1, 'y'));
  settle();
  const std::map<std::string, std::size_t> expected = {{"large", large + 1}, {"small", 1}};
  EXPECT_EQ(kept(), expected);
  for (const bool without_index : {false, true}) {
    crash(without_index);
    EXPECT_EQ(kept(), expected);
  }
  keep("large", "");
  settle();
  EXPECT_LT(core_->status().bytes_live, 1U << 20);
}

}  // namespace
}  // namespace pabal::store
