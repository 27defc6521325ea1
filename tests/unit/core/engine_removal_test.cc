#include <string>
#include <vector>

#include "tests/unit/core/xa_fixture.h"

namespace pabal::core {
namespace {

/// Queues that are deleted with what is in them: who may, that it is one thing for the store, and
/// that memory comes back in steps.
class EngineRemovalTest : public XaFixture {
 protected:
  static Destination queue(const std::string& name = "q") { return {DestinationKind::queue, name}; }
  static Destination topic(const std::string& name = "t") { return {DestinationKind::topic, name}; }
  Result<std::uint64_t> remove(QueueDeletion how = QueueDeletion::with_messages) {
    return engine_->delete_queue(queue(), how, now_);
  }
  void refuse_with(const std::string& part) {
    const auto refused = remove();
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::in_use);
    EXPECT_NE(refused.error().text.find(part), std::string::npos) << refused.error().text;
  }
  void expect_nothing_left() {
    run();
    const auto left = engine_->snapshot();
    EXPECT_EQ(left.queues, 0U);
    EXPECT_EQ(left.bytes_held, 0U);
    EXPECT_EQ(left.bytes_window, 0U);
    EXPECT_EQ(left.bytes_spilled, 0U);
    EXPECT_EQ(store_->status().bytes_live, 0U);
  }
};

TEST_F(EngineRemovalTest, AQueueGoesWithItsMessagesAndAnotherOfItsNameIsNew) {
  const auto who = connect();
  fill(who, 300);
  fill(who, 200, "q", false);
  const auto deleted = remove();
  ASSERT_TRUE(deleted);
  EXPECT_EQ(*deleted, 500U);
  expect_nothing_left();
  fill(who, 2);
  EXPECT_EQ(bodies(drain("q")), numbers(1, 2));
  restart(store_->submitted());
  EXPECT_EQ(view("queue://q").depth, 0U);
}

TEST_F(EngineRemovalTest, AnEmptyOneGoesAndAnUnknownOneIsNotFound) {
  ASSERT_TRUE(engine_->create_queue("q"));
  const auto deleted = remove();
  ASSERT_TRUE(deleted);
  EXPECT_EQ(*deleted, 0U);
  EXPECT_EQ(remove().error().code, Errc::not_found);
}

TEST_F(EngineRemovalTest, ACrashFindsAllOfItOrNothing) {
  open({.manual_durability = true});
  const auto who = connect();
  fill(who, 1000);
  ASSERT_TRUE(engine_->pause_queue(queue(), true, now_));
  const Ticket before = store_->submitted();
  ASSERT_TRUE(remove());
  const Ticket after = store_->submitted();
  EXPECT_EQ(raw(after), raw(before) + 1) << "the queue, its messages and its pause in one batch";
  restart(before);
  EXPECT_EQ(view("queue://q").depth, 1000U);
  const auto other = connect();
  subscribe(other, Sub{});
  EXPECT_TRUE(deliveries().empty());
  EXPECT_EQ(view("queue://q").waiting, WaitReason::paused);
}

TEST_F(EngineRemovalTest, OnceSubmittedItIsGoneAfterACrash) {
  open({.manual_durability = true});
  fill(connect(), 1000);
  ASSERT_TRUE(remove());
  restart(store_->submitted());
  EXPECT_EQ(engine_->snapshot().queues, 0U);
  EXPECT_EQ(store_->status().bytes_live, 0U);
}

TEST_F(EngineRemovalTest, ConsumersKeepIt) {
  const auto who = connect();
  fill(who, 3);
  const auto consumer = subscribe(who, Sub{});
  refuse_with("still has an active subscription");
  ASSERT_TRUE(engine_->unsubscribe(consumer, now_));
  EXPECT_TRUE(remove());
  expect_nothing_left();
}

TEST_F(EngineRemovalTest, AWildcardConsumerKeepsIt) {
  const auto who = connect();
  fill(who, 3);
  subscribe(who, {.name = ">"});
  refuse_with("still has an active subscription");
}

TEST_F(EngineRemovalTest, ABrowserKeepsItUntilItHasSeenAll) {
  const auto who = connect();
  fill(who, 3);
  SubscribeOptions options;
  options.interests.push_back({queue(), "", false});
  options.browser = true;
  options.prefetch = 1;
  options.ack_mode = AckMode::explicit_;
  const auto browser = engine_->subscribe(who.id, options, now_);
  ASSERT_TRUE(browser);
  refuse_with("1 browsers");
  ASSERT_TRUE(engine_->unsubscribe(*browser, now_));
  EXPECT_TRUE(remove());
}

TEST_F(EngineRemovalTest, AnOpenTransactionKeepsIt) {
  const auto who = connect();
  fill(who, 3);
  const auto consumer = subscribe(who, Sub{});
  const auto got = deliveries();
  const auto transaction = engine_->begin(who.id);
  ASSERT_EQ(ack(consumer, got[0], AckKind::consumed, *transaction).disposition, Disposition::done);
  ASSERT_TRUE(engine_->unsubscribe(consumer, now_));
  refuse_with("transactions that have not ended");
  ASSERT_EQ(engine_->rollback(*transaction, now_).disposition, Disposition::done);
  const auto deleted = remove();
  ASSERT_TRUE(deleted);
  EXPECT_EQ(*deleted, 3U);
  expect_nothing_left();
}

TEST_F(EngineRemovalTest, APreparedBranchKeepsItOverARestartToo) {
  auto who = connect();
  fill(who, 3);
  const auto consumer = subscribe(who, Sub{});
  const auto got = deliveries();
  const auto work = start(who);
  ASSERT_EQ(ack(consumer, got[0], AckKind::consumed, work).disposition, Disposition::done);
  end(who);
  ASSERT_EQ(prepare(who).disposition, Disposition::done);
  ASSERT_TRUE(engine_->unsubscribe(consumer, now_));
  refuse_with("XA branch");
  run();
  restart(store_->submitted());
  refuse_with("XA branch");
  who = connect();
  ASSERT_EQ(commit(who).disposition, Disposition::done);
  const auto deleted = remove();
  ASSERT_TRUE(deleted);
  EXPECT_EQ(*deleted, 2U);
  expect_nothing_left();
}

TEST_F(EngineRemovalTest, SendsOfOpenTransactionsComeToTheQueueThatIsThereThen) {
  const auto who = connect();
  fill(who, 3);
  const auto transaction = engine_->begin(who.id);
  ASSERT_EQ(publish(who, {.body = "later"}, *transaction).disposition, Disposition::done);
  ASSERT_TRUE(remove());
  ASSERT_EQ(engine_->commit(*transaction, 0, now_).disposition, Disposition::done);
  EXPECT_EQ(bodies(drain("q")), std::vector<std::string>{"later"});
}

TEST_F(EngineRemovalTest, MemoryOfADeepQueueComesBackInStepsAndOthersGoOn) {
  constexpr int kCount = 20'000;
  const auto who = connect();
  fill(who, kCount, "q", false);
  const auto consumer = subscribe(who, {.name = "other"});
  const auto held = engine_->snapshot().bytes_held;
  ASSERT_TRUE(remove());
  ASSERT_EQ(publish(who, {.name = "other"}).disposition, Disposition::done);
  std::uint64_t least = held;
  for (int entries = 1;; ++entries) {
    ASSERT_LT(entries, kCount) << "it does not end";
    const bool more = engine_->run(now_);
    const auto left = engine_->snapshot().bytes_held;
    EXPECT_LE(left, least);
    // So many steps at most, of which a message takes one.
    EXPECT_LE(least - left, held / kCount * (limits_.steps_per_entry_max + 512));
    least = left;
    if (entries == 1) {
      EXPECT_EQ(engine_->outbox(HomeId{}).deliveries.size(), 1U) << "the other queue's consumer";
      EXPECT_TRUE(more);
    }
    if (!more) break;
  }
  const auto got = deliveries();
  ASSERT_EQ(got.size(), 1U);
  ack(consumer, got[0]);
  ASSERT_TRUE(engine_->unsubscribe(consumer, now_));
  ASSERT_TRUE(engine_->delete_queue(queue("other"), QueueDeletion::if_empty, now_));
  expect_nothing_left();
}

TEST_F(EngineRemovalTest, WhatCameBackOrWaitsForARedeliveryGoesAsWell) {
  EngineSettings settings;
  DestinationPolicy policy;
  policy.redelivery = RedeliveryPolicy{};
  settings.policies.set_default(std::make_shared<const DestinationPolicy>(policy));
  engine_->configure(std::move(settings), now_);
  const auto who = connect();
  fill(who, 1500);
  fill(who, 1500, "q", false);
  const auto consumer = subscribe(who, {.prefetch = 3000});
  const auto got = deliveries();
  ASSERT_EQ(got.size(), 3000U);
  for (std::size_t i = 0; i < got.size(); i += 2) ack(consumer, got[i], AckKind::poisoned);
  ASSERT_TRUE(engine_->unsubscribe(consumer, now_));  // the others are returned
  ASSERT_TRUE(remove());
  // Redeliveries come due while the queue that they were for is being cleared away.
  now_ += milliseconds(1000);
  engine_->tick(now_);
  expect_nothing_left();
  advance(milliseconds(10'000));
}

TEST_F(EngineRemovalTest, WhatWasSpilledGoesAsWell) {
  EngineLimits limits;
  limits.memory_bytes_max = 200'000;
  limits.spilled_bytes_max = 10'000'000;
  open({}, limits);
  const auto who = connect();
  for (int i = 0; i < 1000; ++i) {
    ASSERT_EQ(publish(who, {.body = std::string(500, 'x'), .persistent = false}).disposition,
              Disposition::done);
    run();
  }
  ASSERT_GT(engine_->snapshot().bytes_spilled, 0U);
  ASSERT_TRUE(remove());
  expect_nothing_left();
}

TEST_F(EngineRemovalTest, SendsThatWaitForRoomMakeItAnew) {
  EngineSettings settings;
  DestinationPolicy policy;
  policy.store_limit = 1000;
  settings.policies.set_default(std::make_shared<const DestinationPolicy>(policy));
  engine_->configure(std::move(settings), now_);
  const auto who = connect();
  Outcome last;
  for (int i = 1; i < 100 && last.disposition == Disposition::done; ++i) {
    last = publish(who, {.body = std::string(200, 'x')}, std::nullopt, 7);
  }
  ASSERT_EQ(last.disposition, Disposition::parked);
  ASSERT_TRUE(remove());
  ASSERT_EQ(replies().size(), 1U);
  EXPECT_EQ(drain("q").size(), 1U);
}

TEST_F(EngineRemovalTest, OperatorsCommandsOnItFail) {
  const auto who = connect();
  fill(who, 3000);
  QueueTaskOptions options;
  options.command = QueueCommand::purge;
  options.queue = queue();
  const auto task = engine_->start_task(options, now_);
  ASSERT_TRUE(task);
  ASSERT_TRUE(remove());
  run();
  EXPECT_EQ(engine_->task(*task)->state, TaskState::failed);
  expect_nothing_left();
}

// --- topics --------------------------------------------------------------------------------------

TEST_F(EngineRemovalTest, ATopicWithSubscribersStays) {
  const auto who = connect("client");
  const auto refused = [&] {
    const auto deleted = engine_->delete_topic(topic(), now_);
    return !deleted && deleted.error().code == Errc::in_use;
  };
  const auto live = subscribe(who, {.kind = DestinationKind::topic, .name = "t"});
  EXPECT_TRUE(refused());
  ASSERT_TRUE(engine_->unsubscribe(live, now_));
  const auto wild = subscribe(who, {.kind = DestinationKind::topic, .name = ">"});
  EXPECT_TRUE(refused());
  ASSERT_TRUE(engine_->unsubscribe(wild, now_));
  const auto durable =
      subscribe(who, {.kind = DestinationKind::topic, .name = "t", .durable = "d"});
  ASSERT_TRUE(engine_->unsubscribe(durable, now_));
  EXPECT_TRUE(refused()) << "the durable one is somebody's although he is away";
  ASSERT_TRUE(engine_->delete_durable("client", "d", now_));
  EXPECT_TRUE(engine_->delete_topic(topic(), now_));
  EXPECT_TRUE(engine_->delete_topic(topic(), now_)) << "there is nothing, and so nothing to do";
  EXPECT_EQ(engine_->delete_topic(queue(), now_).error().code, Errc::bad_destination);
  EXPECT_EQ(engine_->delete_topic(topic("a.>"), now_).error().code, Errc::not_found);
}

TEST_F(EngineRemovalTest, ATopicGoesWithWhatItRetains) {
  const auto who = connect();
  const auto retain = [&](const std::string& name) {
    MessageBuilder builder;
    builder.destination_kind = DestinationKind::topic;
    builder.destination_name = name;
    builder.persistent = true;
    builder.retain = true;
    builder.body_kind = BodyKind::text;
    builder.body = name;
    builder.origin = who.origin;
    builder.sequence = ++sequence_;
    const auto sent = engine_->publish(who.id, *builder.build(), std::nullopt, 0, now_);
    ASSERT_EQ(sent.disposition, Disposition::done);
  };
  retain("t");
  retain("u");
  run();
  ASSERT_EQ(engine_->snapshot().retained, 2U);
  ASSERT_TRUE(engine_->delete_topic(topic("t"), now_));
  run();
  EXPECT_EQ(engine_->snapshot().retained, 1U);
  // Also while those of before a start are still being read.
  restart(store_->submitted());
  ASSERT_FALSE(engine_->snapshot().retained_known);
  ASSERT_TRUE(engine_->delete_topic(topic("u"), now_));
  run();
  EXPECT_TRUE(engine_->snapshot().retained_known);
  EXPECT_EQ(engine_->snapshot().retained, 0U);
  restart(store_->submitted());
  run();
  EXPECT_EQ(engine_->snapshot().retained, 0U);
  EXPECT_EQ(store_->status().bytes_live, 0U);
}

TEST_F(EngineRemovalTest, ATopicGoesWithWhatItRemembers) {
  EngineSettings settings;
  DestinationPolicy policy;
  policy.recovery.kind = RecoveryPolicy::Kind::fixed_count;
  settings.policies.set_default(std::make_shared<const DestinationPolicy>(policy));
  engine_->configure(std::move(settings), now_);
  const auto who = connect();
  publish(who, {.kind = DestinationKind::topic, .name = "t"});
  ASSERT_GT(engine_->snapshot().bytes_remembered, 0U);
  ASSERT_TRUE(engine_->delete_topic(topic(), now_));
  EXPECT_EQ(engine_->snapshot().bytes_remembered, 0U);
}

}  // namespace
}  // namespace pabal::core
