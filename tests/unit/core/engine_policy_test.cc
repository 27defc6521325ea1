#include "tests/unit/core/engine_fixture.h"

// Policies about the order of messages, their persistence, and full virtual-topic queues.

namespace pabal::core {
namespace {

using Bodies = std::vector<std::string>;

class EnginePolicyTest : public EngineFixture {
 protected:
  void in_order_of(bool priority) {
    DestinationPolicy policy;
    policy.prioritized = priority;
    EngineSettings settings;
    settings.policies.add(
        {{DestinationKind::queue, "fifo"}, std::make_shared<const DestinationPolicy>(policy)});
    settings.policies.add(
        {{DestinationKind::topic, "fifo"}, std::make_shared<const DestinationPolicy>(policy)});
    engine_->configure(std::move(settings), now_);
  }
  void send(const std::string& name, const std::string& body, std::uint8_t priority,
            bool persistent = true) {
    Send what;
    what.name = name;
    what.body = body;
    what.priority = priority;
    what.persistent = persistent;
    ASSERT_EQ(publish(connect(), what).disposition, Disposition::done);
  }
};

TEST_F(EnginePolicyTest, WithoutPrioritizedMessagesTheyComeAsTheyWereSent) {
  in_order_of(false);
  for (const std::string name : {"fifo", "other"}) {
    send(name, "low", 1);
    send(name, "high", 9, false);
    send(name, "middle", 4);
    send(name, "higher", 8);
  }
  restart(store_->durable());
  in_order_of(false);
  send("fifo", "volatile", 7, false);
  const auto got = drain("fifo");
  EXPECT_EQ(bodies(got), (Bodies{"low", "middle", "higher", "volatile"}));
  EXPECT_EQ(got[2].message->priority(), 8);  // it keeps its own
  EXPECT_EQ(bodies(drain("other")), (Bodies{"higher", "middle", "low"}));
}

TEST_F(EnginePolicyTest, WhatIsReturnedAndWhatIsInATransactionKeepTheOrder) {
  in_order_of(false);
  const auto who = connect();
  const auto work = *engine_->begin(who.id);
  Send what;
  what.name = "fifo";
  for (const auto& [body, priority] :
       std::vector<std::pair<std::string, int>>{{"a", 1}, {"b", 9}}) {
    what.body = body;
    what.priority = static_cast<std::uint8_t>(priority);
    publish(who, what, work);
  }
  ASSERT_EQ(engine_->commit(work, 0, now_).disposition, Disposition::done);
  send("fifo", "c", 5);
  Sub sub;
  sub.name = "fifo";
  const auto subscription = subscribe(who, sub);
  auto got = deliveries();
  EXPECT_EQ(bodies(got), (Bodies{"a", "b", "c"}));
  ack(subscription, got[1], AckKind::requeued);
  ack(subscription, got[0], AckKind::requeued);
  got = deliveries();
  EXPECT_EQ(got.size(), 2U);
  engine_->disconnect(who.id, now_);
  EXPECT_EQ(bodies(drain("fifo")), (Bodies{"a", "b", "c"}));
}

TEST_F(EnginePolicyTest, AfterAChangeOfThePolicyNothingIsLost) {
  in_order_of(false);
  send("fifo", "1", 1);
  send("fifo", "2", 9);
  in_order_of(true);
  send("fifo", "3", 1);
  send("fifo", "4", 9);
  EXPECT_EQ(bodies(drain("fifo")), (Bodies{"4", "1", "2", "3"}));
  EXPECT_EQ(view("queue://fifo").depth, 0U);
}

TEST_F(EnginePolicyTest, PersistenceIsForcedWhateverTheSenderSays) {
  for (const bool persistent : {true, false}) {
    open();
    EngineSettings settings;
    settings.force_persistent = persistent;
    engine_->configure(std::move(settings), now_);
    send("q", "said", 4, true);
    send("q", "not said", 4, false);
    run();
    restart(store_->durable());
    const auto left = bodies(drain("q"));
    EXPECT_EQ(left, persistent ? (Bodies{"said", "not said"}) : Bodies{});
  }
}

class EngineLeaveOutTest : public EngineFixture {
 protected:
  void configure(bool leaves_out) {
    DestinationPolicy small;
    small.store_limit = 1000;
    EngineSettings settings;
    settings.policies.add({{DestinationKind::queue, "Consumer.small.>"},
                           std::make_shared<const DestinationPolicy>(small)});
    VirtualTopic topic;
    topic.drop_on_resource_limit = leaves_out;
    settings.virtuals.topics = {topic};
    engine_->configure(std::move(settings), now_);
    ASSERT_TRUE(engine_->create_queue("Consumer.small.VirtualTopic.t"));
    ASSERT_TRUE(engine_->create_queue("Consumer.large.VirtualTopic.t"));
  }
  Outcome publish_to_topic(const ConnectionDetails& from, const std::string& body,
                           std::optional<TransactionId> transaction = std::nullopt) {
    Send send;
    send.kind = DestinationKind::topic;
    send.name = "VirtualTopic.t";
    send.body = body + std::string(300, '.');
    return publish(from, send, transaction);
  }
};

TEST_F(EngineLeaveOutTest, AFullQueueOfAVirtualTopicHoldsNobodyUpIfItMayBeLeftOut) {
  configure(true);
  const auto from = connect();
  for (int i = 0; i < 20; ++i) {
    ASSERT_EQ(publish_to_topic(from, std::to_string(i)).disposition, Disposition::done);
  }
  const auto small = view("queue://Consumer.small.VirtualTopic.t");
  EXPECT_LT(small.depth, 5U);
  EXPECT_EQ(small.counters.dropped, 20 - small.depth);
  EXPECT_EQ(engine_->snapshot().totals.dropped, small.counters.dropped);
  EXPECT_EQ(view("queue://Consumer.large.VirtualTopic.t").depth, 20U);

  const auto work = *engine_->begin(from.id);
  ASSERT_EQ(publish_to_topic(from, "in a transaction", work).disposition, Disposition::done);
  ASSERT_EQ(engine_->commit(work, 0, now_).disposition, Disposition::done);
  run();
  EXPECT_EQ(view("queue://Consumer.large.VirtualTopic.t").depth, 21U);
  EXPECT_EQ(view("queue://Consumer.small.VirtualTopic.t").counters.dropped, 21 - small.depth);

  drain("Consumer.small.VirtualTopic.t");
  ASSERT_EQ(publish_to_topic(from, "again").disposition, Disposition::done);
  EXPECT_EQ(view("queue://Consumer.small.VirtualTopic.t").depth, 1U);
}

TEST_F(EngineLeaveOutTest, OtherwiseTheProducerWaits) {
  configure(false);
  const auto from = connect();
  Outcome last;
  for (int i = 0; i < 20 && last.disposition == Disposition::done; ++i) {
    last = publish_to_topic(from, std::to_string(i));
  }
  EXPECT_EQ(last.disposition, Disposition::parked);
}

}  // namespace
}  // namespace pabal::core
