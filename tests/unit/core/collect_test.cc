#include "tests/unit/core/engine_fixture.h"

// What nobody uses goes: inactive queues, and durable subscriptions whose client stays away.

namespace pabal::core {
namespace {

class CollectTest : public EngineFixture {
 protected:
  static std::shared_ptr<const DestinationPolicy> collected(milliseconds after) {
    DestinationPolicy policy;
    policy.collect_when_inactive = true;
    policy.inactive_before_collection = after;
    return std::make_shared<const DestinationPolicy>(policy);
  }
  EngineSettings settings_with(milliseconds after = milliseconds(10'000)) {
    EngineSettings settings;
    settings.policies.add({{DestinationKind::queue, "gc.>"}, collected(after)});
    settings.collection_period = milliseconds(1000);
    return settings;
  }
  bool exists(const std::string& name) {
    const auto all = engine_->destinations("", 1'000'000);
    return std::any_of(all.begin(), all.end(), [&](const auto& destination) {
      return destination.destination.name == name;
    });
  }
  /// Brings a queue into being, empty.
  void make(const std::string& name) {
    const auto who = connect();
    Sub sub;
    sub.name = name;
    subscribe(who, sub);
    engine_->disconnect(who.id, now_);
  }
};

TEST_F(CollectTest, AQueueThatNobodyUsesGoes) {
  engine_->configure(settings_with(), now_);
  make("gc.a");
  make("kept");
  advance(milliseconds(9000));
  EXPECT_TRUE(exists("gc.a"));
  advance(milliseconds(3000));
  EXPECT_FALSE(exists("gc.a"));
  EXPECT_TRUE(exists("kept"));
  EXPECT_EQ(engine_->snapshot().destinations_collected, 1U);
  restart();
  EXPECT_FALSE(exists("gc.a"));
  EXPECT_TRUE(exists("kept"));
}

TEST_F(CollectTest, MessagesAndConsumersKeepIt) {
  engine_->configure(settings_with(), now_);
  const auto producer = connect();
  fill(producer, 1, "gc.full");
  const auto consumer = connect();
  Sub sub;
  sub.name = "gc.consumed";
  subscribe(consumer, sub);
  advance(milliseconds(60'000));
  EXPECT_TRUE(exists("gc.full"));
  EXPECT_TRUE(exists("gc.consumed"));
  drain("gc.full");
  engine_->disconnect(consumer.id, now_);
  advance(milliseconds(8000));
  EXPECT_TRUE(exists("gc.full")) << "used until a moment ago";
  EXPECT_TRUE(exists("gc.consumed"));
  advance(milliseconds(4000));
  EXPECT_FALSE(exists("gc.full"));
  EXPECT_FALSE(exists("gc.consumed"));
}

TEST_F(CollectTest, WhatTheConfigurationListsStays) {
  auto settings = settings_with();
  settings.permanent.insert({DestinationKind::queue, "gc.listed"});
  engine_->configure(settings, now_);
  make("gc.listed");
  advance(milliseconds(60'000));
  EXPECT_TRUE(exists("gc.listed"));
}

TEST_F(CollectTest, SoManyInOneSweepAndInSteps) {
  EngineLimits limits;
  limits.steps_per_entry_max = 16;
  open({}, limits);
  auto settings = settings_with(milliseconds(500));
  settings.collected_per_sweep_max = 30;
  engine_->configure(settings, now_);
  for (int i = 0; i < 100; ++i) make("gc." + std::to_string(i));
  run();
  advance(milliseconds(1000));
  EXPECT_EQ(engine_->snapshot().queues, 70U);
  advance(milliseconds(1000));
  EXPECT_EQ(engine_->snapshot().queues, 40U);
  advance(milliseconds(5000));
  EXPECT_EQ(engine_->snapshot().queues, 0U);
  EXPECT_LE(engine_->snapshot().steps_longest_entry, 16U);
}

TEST_F(CollectTest, WithoutAPeriodNothingIsCollected) {
  auto settings = settings_with();
  settings.collection_period = milliseconds(0);
  engine_->configure(settings, now_);
  make("gc.a");
  advance(milliseconds(600'000));
  EXPECT_TRUE(exists("gc.a"));
}

/// After a restart nobody had the time to come back yet.
TEST_F(CollectTest, ARestartCountsAsUse) {
  engine_->configure(settings_with(), now_);
  make("gc.a");
  run();
  now_ += milliseconds(600'000);
  restart();
  engine_->configure(settings_with(), now_);
  advance(milliseconds(5000));
  EXPECT_TRUE(exists("gc.a"));
  advance(milliseconds(7000));
  EXPECT_FALSE(exists("gc.a"));
}

TEST_F(CollectTest, APolicyLimitsItsDestinations) {
  DestinationPolicy policy;
  policy.destinations_max = 2;
  EngineSettings settings;
  settings.policies.add(
      {{DestinationKind::queue, "few.>"}, std::make_shared<const DestinationPolicy>(policy)});
  engine_->configure(settings, now_);
  const auto producer = connect();
  fill(producer, 1, "few.a");
  fill(producer, 1, "few.b");
  Send send;
  send.name = "few.c";
  const auto refused = publish(producer, send);
  ASSERT_EQ(refused.disposition, Disposition::failed);
  EXPECT_NE(refused.error->text.find("maxDestinations"), std::string::npos);
  fill(producer, 1, "other");
  engine_->configure(settings, now_);  // counted anew
  EXPECT_EQ(publish(producer, send).disposition, Disposition::failed);
}

// --- durable subscriptions -----------------------------------------------------------------------

// A redelivery policy of its own makes no entry of its own.
TEST_F(CollectTest, APolicyLimitsItsDestinationsWhateverTheirRedeliveryPolicy) {
  DestinationPolicy policy;
  policy.destinations_max = 2;
  EngineSettings settings;
  settings.policies.add(
      {{DestinationKind::queue, ">"}, std::make_shared<const DestinationPolicy>(policy)});
  settings.policies.add_redelivery({{DestinationKind::queue, "retried.>"}, {}});
  engine_->configure(settings, now_);
  const auto who = connect();
  ASSERT_TRUE(try_subscribe(who, {.name = "a"}));
  ASSERT_TRUE(try_subscribe(who, {.name = "retried.b"}));
  EXPECT_FALSE(try_subscribe(who, {.name = "retried.c"}));
  EXPECT_FALSE(try_subscribe(who, {.name = "d"}));
}

class OfflineDurableTest : public CollectTest {
 protected:
  static EngineSettings settings_with_timeout() {
    EngineSettings settings;
    settings.offline_durable_timeout = milliseconds(10'000);
    settings.offline_durable_period = milliseconds(1000);
    return settings;
  }
  ConnectionDetails subscribe_durably(const std::string& client) {
    const auto who = connect(client);
    Sub sub;
    sub.kind = DestinationKind::topic;
    sub.name = "t";
    sub.durable = "d";
    subscribe(who, sub);
    return who;
  }
};

TEST_F(OfflineDurableTest, WhoStaysAwayLosesItsSubscription) {
  engine_->configure(settings_with_timeout(), now_);
  const auto away = subscribe_durably("away");
  subscribe_durably("there");
  engine_->disconnect(away.id, now_);
  Send send;
  send.kind = DestinationKind::topic;
  send.name = "t";
  ASSERT_EQ(publish(connect(), send).disposition, Disposition::done);
  advance(milliseconds(9000));
  EXPECT_EQ(engine_->snapshot().durable_subscriptions, 2U);
  advance(milliseconds(3000));
  EXPECT_EQ(engine_->snapshot().durable_subscriptions, 1U);
  EXPECT_EQ(engine_->snapshot().durable_subscriptions_expired, 1U);
  restart();
  EXPECT_EQ(engine_->snapshot().durable_subscriptions, 1U);
}

TEST_F(OfflineDurableTest, ComingBackBeginsTheCountAnewAndSoDoesARestart) {
  engine_->configure(settings_with_timeout(), now_);
  engine_->disconnect(subscribe_durably("client").id, now_);
  advance(milliseconds(8000));
  engine_->disconnect(subscribe_durably("client").id, now_);
  advance(milliseconds(8000));
  EXPECT_EQ(engine_->snapshot().durable_subscriptions, 1U);
  now_ += milliseconds(600'000);
  restart();
  engine_->configure(settings_with_timeout(), now_);
  advance(milliseconds(8000));
  EXPECT_EQ(engine_->snapshot().durable_subscriptions, 1U);
  advance(milliseconds(4000));
  EXPECT_EQ(engine_->snapshot().durable_subscriptions, 0U);
}

TEST_F(OfflineDurableTest, WithoutATimeoutTheyStay) {
  engine_->configure({}, now_);
  engine_->disconnect(subscribe_durably("client").id, now_);
  advance(milliseconds(3'600'000));
  EXPECT_EQ(engine_->snapshot().durable_subscriptions, 1U);
}

// Goal: what a prepared branch holds is neither delivered nor dropped before the branch has ended.
TEST_F(OfflineDurableTest, APreparedBranchKeepsTheSubscriptionThatItAcknowledgedFor) {
  engine_->configure(settings_with_timeout(), now_);
  const auto away = subscribe_durably("away");
  Send send;
  send.kind = DestinationKind::topic;
  send.name = "t";
  ASSERT_EQ(publish(connect(), send).disposition, Disposition::done);
  const auto got = deliveries();
  ASSERT_EQ(got.size(), 1U);
  const Xid xid{1, "g", "b"};
  const auto work = engine_->xa_start(away.id, xid, XaStart::fresh, now_);
  ASSERT_TRUE(work);
  ack(got[0].subscription, got[0], AckKind::consumed, *work);
  ASSERT_TRUE(engine_->xa_end(away.id, xid, XaEnd::success));
  ASSERT_EQ(engine_->xa_prepare(away.id, xid, 0, now_).xa, XaCode::ok);
  run();
  engine_->disconnect(away.id, now_);
  advance(milliseconds(60'000));
  EXPECT_EQ(engine_->snapshot().durable_subscriptions, 1U);
  const auto manager = connect();
  ASSERT_EQ(engine_->xa_rollback(manager.id, xid, now_).disposition, Disposition::done);
  run();
  const auto back = subscribe_durably("away");
  EXPECT_EQ(deliveries().size(), 1U);
  engine_->disconnect(back.id, now_);
  advance(milliseconds(60'000));
  EXPECT_EQ(engine_->snapshot().durable_subscriptions, 0U);
}

}  // namespace
}  // namespace pabal::core
