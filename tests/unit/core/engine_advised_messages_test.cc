#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/advisory.h"
#include "tests/unit/core/engine_fixture.h"

// Advisories about single messages, and about who is too slow or too fast for them.

namespace pabal::core {
namespace {

constexpr auto kTopic = DestinationKind::topic;

class AdvisedMessagesTest : public EngineFixture {
 protected:
  void SetUp() override {
    open();
    DestinationPolicy policy;
    policy.advisories = {true, true, true, true, true, true, true, false};
    use(policy);
    listener_ = connect();
    Sub sub{.kind = kTopic, .name = "ActiveMQ.Advisory.>", .mode = AckMode::automatic};
    listening_ = subscribe(listener_, sub);
    who_ = connect();
    told();
  }
  void use(DestinationPolicy policy) {
    EngineSettings settings;
    settings.policies.set_default(std::make_shared<const DestinationPolicy>(std::move(policy)));
    engine_->configure(settings, now_);
  }
  /// What the listener has got since, but for those about consumers and destinations; all others go
  /// to `got_`.
  std::vector<Delivery> told() {
    std::vector<Delivery> own;
    for (auto& delivery : deliveries()) {
      engine_->written(delivery.connection, delivery.number, now_);
      if (delivery.subscription != listening_) {
        got_.push_back(delivery);
        continue;
      }
      const auto advisory = read_advisory(*delivery.message);
      if (!advisory || advisory->kind >= AdvisoryKind::message_expired) own.push_back(delivery);
    }
    // Automatic ones are consumed when they are written.
    for (auto& delivery : deliveries()) {
      engine_->written(delivery.connection, delivery.number, now_);
      if (delivery.subscription == listening_) own.push_back(delivery);
    }
    return own;
  }
  static std::vector<std::string> topics(const std::vector<Delivery>& all) {
    std::vector<std::string> names;
    for (const auto& each : all) {
      names.emplace_back(each.message->destination_name().substr(kAdvisoryPrefix.size()));
    }
    return names;
  }
  using Topics = std::vector<std::string>;

  ConnectionDetails listener_;
  SubscriptionId listening_{};
  ConnectionDetails who_;
  std::vector<Delivery> got_;
};

TEST_F(AdvisedMessagesTest, ArrivedAndConsumedInAQueue) {
  const auto sent = message(who_, {.body = "body", .color = "red"});
  ASSERT_EQ(engine_->publish(who_.id, sent, {}, now_).disposition, Disposition::done);
  auto all = told();
  ASSERT_EQ(topics(all), Topics{"MessageDelivered.Queue.q"});
  EXPECT_EQ(all[0].message->property("orignalMessageId")->text, sent->id());
  EXPECT_EQ(all[0].message->property("orignalDestination")->text, "queue://q");
  auto about = read_advisory(*all[0].message)->message;
  EXPECT_EQ(about->id(), sent->id());
  EXPECT_EQ(about->property("color")->text, "red");
  EXPECT_EQ(about->body(), "");
  const auto consumer = subscribe(who_, {});
  told();
  ASSERT_EQ(got_.size(), 1U);
  ack(consumer, got_[0]);
  all = told();
  ASSERT_EQ(topics(all), Topics{"MessageConsumed.Queue.q"});
  EXPECT_EQ(read_advisory(*all[0].message)->message->id(), sent->id());
}

TEST_F(AdvisedMessagesTest, WithItsBodyIfThePolicySaysSo) {
  DestinationPolicy policy;
  policy.advisories.arrived = policy.advisories.include_body = true;
  use(policy);
  publish(who_, {.body = "body"});
  const auto all = told();
  ASSERT_EQ(topics(all), Topics{"MessageDelivered.Queue.q"});
  EXPECT_EQ(read_advisory(*all[0].message)->message->body(), "body");
}

TEST_F(AdvisedMessagesTest, NothingUnlessThePolicySaysSo) {
  use({});
  const auto consumer = subscribe(who_, {});
  publish(who_, {});
  publish(who_, {.kind = kTopic, .name = "t", .persistent = false});
  EXPECT_TRUE(told().empty());
  ASSERT_EQ(got_.size(), 1U);
  ack(consumer, got_[0]);
  EXPECT_TRUE(told().empty());
}

TEST_F(AdvisedMessagesTest, ConsumedWhenTheTransactionIs) {
  publish(who_, {});
  const auto consumer = subscribe(who_, {});
  told();
  const auto transaction = *engine_->begin(who_.id);
  ack(consumer, got_.at(0), AckKind::consumed, transaction);
  publish(who_, {.name = "other"}, transaction);
  EXPECT_TRUE(told().empty());
  ASSERT_EQ(engine_->commit(transaction, 0, now_).disposition, Disposition::done);
  EXPECT_EQ(topics(told()), (Topics{"MessageConsumed.Queue.q", "MessageDelivered.Queue.other"}));
}

TEST_F(AdvisedMessagesTest, OfTopicsWithAutomaticAcknowledgement) {
  subscribe(who_, {.kind = kTopic, .name = "t.>", .mode = AckMode::automatic});
  publish(who_, {.kind = kTopic, .name = "t.a", .persistent = false});
  EXPECT_EQ(topics(told()), (Topics{"MessageDelivered.Topic.t.a", "MessageConsumed.Topic.t.a"}));
}

TEST_F(AdvisedMessagesTest, WhatFindsNobodyIsCopied) {
  publish(who_, {.kind = kTopic, .name = "t", .body = "first", .persistent = false});
  publish(who_, {.body = "second", .persistent = false});
  publish(who_, {.body = "third", .persistent = true});
  auto all = told();
  ASSERT_EQ(topics(all),
            (Topics{"MessageDelivered.Topic.t", "NoConsumer.Topic.t", "MessageDelivered.Queue.q",
                    "NoConsumer.Queue.q", "MessageDelivered.Queue.q"}));
  EXPECT_EQ(all[1].message->body(), "first");
  EXPECT_EQ(all[3].message->body(), "second");
  EXPECT_FALSE(read_advisory(*all[1].message));
  subscribe(who_, {});
  subscribe(who_, {.kind = kTopic, .name = "t"});
  told();
  publish(who_, {.kind = kTopic, .name = "t", .persistent = false});
  publish(who_, {.persistent = false});
  EXPECT_EQ(topics(told()), (Topics{"MessageDelivered.Topic.t", "MessageDelivered.Queue.q"}));
}

TEST_F(AdvisedMessagesTest, ExpiredAndDead) {
  use({});  // these two need no policy
  publish(who_, {.expiration = to_millis(now_) + 1000});
  publish(who_, {.kind = kTopic, .name = "nobody", .expiration = to_millis(now_) + 1000});
  EXPECT_TRUE(told().empty());
  const auto consumer = subscribe(who_, {.name = "refused"});
  publish(who_, {.name = "refused"});
  told();
  ack(consumer, got_.at(0), AckKind::poisoned);
  auto all = told();
  ASSERT_EQ(topics(all), Topics{"MessageDLQd.Queue.refused"});
  EXPECT_EQ(read_advisory(*all[0].message)->message->destination_name(), "refused");
  advance(milliseconds(5000));
  all = told();
  ASSERT_EQ(topics(all), (Topics{"MessageDLQd.Queue.q", "Expired.Queue.q"}));
  EXPECT_TRUE(all[1].message->property("orignalMessageId"));
}

TEST_F(AdvisedMessagesTest, ExpiredWhileItWaitsForASlowSubscriber) {
  const auto consumer = subscribe(who_, {.kind = kTopic, .name = "t", .prefetch = 1});
  for (int i = 0; i < 2; ++i) {
    publish(
        who_,
        {.kind = kTopic, .name = "t", .persistent = false, .expiration = to_millis(now_) + 1000});
  }
  told();
  now_ += milliseconds(2000);
  ack(consumer, got_.at(0));
  const auto all = topics(told());
  EXPECT_EQ(std::count(all.begin(), all.end(), "Expired.Topic.t"), 1);
}

TEST_F(AdvisedMessagesTest, DiscardedForASlowSubscriber) {
  DestinationPolicy policy;
  policy.advisories.discarded = true;
  policy.pending_limit = {PendingLimit::Kind::constant, 1, 0};
  use(policy);
  subscribe(who_, {.kind = kTopic, .name = "t", .prefetch = 1});
  std::vector<MessageRef> sent;
  for (int i = 0; i < 4; ++i) {
    sent.push_back(message(who_, {.kind = kTopic, .name = "t", .persistent = false}));
    (void)engine_->publish(who_.id, sent.back(), {}, now_);
  }
  const auto all = told();
  ASSERT_EQ(topics(all), (Topics{"MessageDiscarded.Topic.t", "MessageDiscarded.Topic.t"}));
  EXPECT_EQ(all[1].message->property("discardedCount")->integer, 2);
  EXPECT_EQ(all[0].message->property("orignalMessageId")->text, sent[1]->id());
  EXPECT_TRUE(all[0].message->property("consumerId"));
}

TEST_F(AdvisedMessagesTest, SlowConsumersOfTopicsAndQueuesOnce) {
  DestinationPolicy policy;
  policy.advisories.slow_consumers = true;
  use(policy);
  const auto slow = subscribe(who_, {.kind = kTopic, .name = "t", .prefetch = 2});
  for (int i = 0; i < 4; ++i) publish(who_, {.kind = kTopic, .name = "t", .persistent = false});
  EXPECT_TRUE(told().empty()) << "two are out, and two wait";
  for (int i = 0; i < 4; ++i) publish(who_, {.kind = kTopic, .name = "t", .persistent = false});
  auto all = told();
  ASSERT_EQ(topics(all), Topics{"SlowConsumer.Topic.t"});
  EXPECT_EQ(read_advisory(*all[0].message)->prefetch, 2U);
  EXPECT_TRUE(all[0].message->property("consumerId"));
  ASSERT_TRUE(engine_->unsubscribe(slow, now_));
  got_.clear();
  const auto of_queue = subscribe(who_, {.prefetch = 2});
  fill(who_, 5);
  all = told();
  ASSERT_EQ(topics(all), Topics{"SlowConsumer.Queue.q"});
  for (int i = 0; i < 5; ++i) {
    ack(of_queue, got_.at(static_cast<std::size_t>(i)));
    EXPECT_TRUE(told().empty()) << "it was told";
  }
  fill(who_, 5);
  EXPECT_EQ(topics(told()), Topics{"SlowConsumer.Queue.q"})
      << "it had caught up, and is slow again";
}

TEST_F(AdvisedMessagesTest, FullDestinationsAndFastProducers) {
  DestinationPolicy policy;
  policy.memory_limit = 2000;
  policy.advisories.full = policy.advisories.fast_producers = true;
  use(policy);
  ProducerOptions other;
  other.destination = Destination{DestinationKind::queue, "other"};
  ASSERT_TRUE(engine_->add_producer(who_.id, other, now_));
  ProducerOptions producer;
  producer.destination = Destination{DestinationKind::queue, "q"};
  producer.number = {3, 9};
  ASSERT_TRUE(engine_->add_producer(who_.id, producer, now_));
  const std::string body(1500, 'x');
  for (int i = 0; i < 3; ++i) publish(who_, {.body = body, .persistent = false}, std::nullopt, 1);
  const auto all = told();
  ASSERT_EQ(topics(all), (Topics{"FULL.Queue.q", "FastProducer.Queue.q"}));
  EXPECT_EQ(all[0].message->property("usageName")->text, "queue://q:memory");
  EXPECT_GE(all[0].message->property("usageCount")->integer, 2000);
  EXPECT_TRUE(all[1].message->property("producerId")->text.ends_with(":3:9"));
}

TEST_F(AdvisedMessagesTest, AMessageOfAnotherPlaceIsToldOfWhereItStands) {
  EngineSettings settings;
  DestinationPolicy policy;
  policy.advisories.arrived = true;
  settings.policies.set_default(std::make_shared<const DestinationPolicy>(policy));
  CompositeDestination composite;
  composite.name = {DestinationKind::queue, "in"};
  composite.forward_to.push_back({{DestinationKind::queue, "out"}, ""});
  settings.virtuals.composites.push_back(composite);
  engine_->configure(settings, now_);
  publish(who_, {.name = "in"});
  const auto all = told();
  ASSERT_EQ(topics(all), Topics{"MessageDelivered.Queue.out"});
  const auto about = read_advisory(*all[0].message)->message;
  EXPECT_EQ(about->destination_name(), "out");
  EXPECT_EQ(about->original_destination()->name, "in");
}

TEST_F(AdvisedMessagesTest, OnDurableSubscriptionsAsWell) {
  const auto who = connect("c");
  const auto durable = subscribe(who, {.kind = kTopic, .name = "t", .durable = "d"});
  told();
  got_.clear();
  publish(who_, {.kind = kTopic, .name = "t"});
  EXPECT_EQ(topics(told()), Topics{"MessageDelivered.Topic.t"});
  ack(durable, got_.at(0));
  EXPECT_EQ(topics(told()), Topics{"MessageConsumed.Topic.t"});
}

}  // namespace
}  // namespace pabal::core
