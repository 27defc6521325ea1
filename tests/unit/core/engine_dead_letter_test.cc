// Where messages go that cannot be delivered, what they say about it, and how they come back.

#include "core/dead_letter.h"
#include "tests/unit/core/engine_fixture.h"

namespace pabal::core {
namespace {

class EngineDeadLetterTest : public EngineFixture {
 protected:
  /// One policy for everything.
  void configure(const DeadLetterStrategy& strategy) {
    DestinationPolicy policy;
    policy.dead_letter = strategy;
    EngineSettings settings;
    settings.policies.set_default(std::make_shared<const DestinationPolicy>(policy));
    engine_->configure(std::move(settings), now_);
  }
  /// One for `pattern` of queues only.
  void configure(const std::string& pattern, const DeadLetterStrategy& strategy) {
    DestinationPolicy policy;
    policy.dead_letter = strategy;
    EngineSettings settings;
    settings.policies.add(
        {{DestinationKind::queue, pattern}, std::make_shared<const DestinationPolicy>(policy)});
    engine_->configure(std::move(settings), now_);
  }
  static DeadLetterStrategy individual() {
    DeadLetterStrategy strategy;
    strategy.kind = DeadLetterStrategy::Kind::individual;
    return strategy;
  }
  Outcome refuse(SubscriptionId subscription, const Delivery& delivery, std::string_view cause) {
    return engine_->acknowledge(subscription, {delivery.id, delivery.id}, AckKind::poisoned, cause,
                                std::nullopt, now_);
  }
  /// Sends `send` and refuses it.
  void kill(const ConnectionDetails& who, const Send& send, std::string_view cause = "no use") {
    Sub sub;
    sub.kind = send.kind;
    sub.name = send.name;
    const auto subscription = subscribe(who, sub);
    ASSERT_EQ(publish(who, send).disposition, Disposition::done);
    const auto got = deliveries();
    ASSERT_EQ(got.size(), 1U);
    ASSERT_EQ(refuse(subscription, got[0], cause).disposition, Disposition::done);
    run();
    EXPECT_TRUE(engine_->unsubscribe(subscription, now_));
  }
  std::size_t queues() {
    std::size_t count = 0;
    for (const auto& each : engine_->destinations("", 1000)) {
      if (each.destination.kind == DestinationKind::queue) ++count;
    }
    return count;
  }
};

std::int64_t number(const Delivery& delivery, std::string_view name) {
  const auto property = delivery.message->property(name);
  return property ? property->integer : -1;
}
std::string text(const Delivery& delivery, std::string_view name) {
  const auto property = delivery.message->property(name);
  return property ? std::string(property->text) : "-";
}

TEST_F(EngineDeadLetterTest, SaysWhereWhyAfterHowManyAndWhen) {
  const auto who = connect();
  Send send;
  send.expiration = to_millis(now_) + 5000;
  send.color = "red";
  const auto subscription = subscribe(who, {});
  publish(who, send);
  auto got = deliveries();
  ack(subscription, got.at(0), AckKind::requeued);
  got = deliveries();
  refuse(subscription, got.at(0), "wrong colour");
  const auto dead = drain("ActiveMQ.DLQ");
  ASSERT_EQ(dead.size(), 1U);
  const auto origin = dead[0].message->original_destination();
  ASSERT_TRUE(origin && origin->kind);
  EXPECT_EQ(*origin->kind, DestinationKind::queue);
  EXPECT_EQ(origin->name, "q");
  EXPECT_EQ(text(dead[0], "dlqDeliveryFailureCause"), "wrong colour");
  EXPECT_EQ(number(dead[0], "dlqDeliveryCount"), 2);
  EXPECT_EQ(number(dead[0], "dlqTime"), to_millis(now_));
  EXPECT_EQ(number(dead[0], "originalExpiration"), send.expiration);
  EXPECT_EQ(dead[0].message->expiration(), 0);
  EXPECT_EQ(text(dead[0], "color"), "red");
}

TEST_F(EngineDeadLetterTest, SharedGoesWhereThePolicySays) {
  DeadLetterStrategy strategy;
  strategy.destination = {DestinationKind::queue, "Bin"};
  configure("orders.>", strategy);
  const auto who = connect();
  kill(who, {.name = "orders.eu"});
  kill(who, {.name = "other"});
  EXPECT_EQ(drain("Bin").size(), 1U);
  EXPECT_EQ(drain("ActiveMQ.DLQ").size(), 1U);
}

TEST_F(EngineDeadLetterTest, IndividualNamesAQueueForEachDestination) {
  DeadLetterStrategy strategy = individual();
  strategy.queue_suffix = ".dead";
  configure(strategy);
  const auto who = connect();
  kill(who, {.name = "a"});
  kill(who, {.name = "b"});
  EXPECT_EQ(drain("ActiveMQ.DLQ.Queue.a.dead").size(), 1U);
  EXPECT_EQ(drain("ActiveMQ.DLQ.Queue.b.dead").size(), 1U);
  kill(who, {.kind = DestinationKind::topic, .name = "t"});
  EXPECT_EQ(drain("ActiveMQ.DLQ.Topic.t").size(), 1U);
}

TEST_F(EngineDeadLetterTest, IndividualOfADurableSubscriptionIfAskedFor) {
  DeadLetterStrategy strategy = individual();
  strategy.per_durable_subscriber = true;
  strategy.topic_suffix = ".dead";
  configure(strategy);
  const auto who = connect("office");
  Sub sub;
  sub.kind = DestinationKind::topic;
  sub.name = "news.>";
  sub.durable = "d";
  const auto subscription = subscribe(who, sub);
  publish(who, {.kind = DestinationKind::topic, .name = "news.eu"});
  const auto got = deliveries();
  ASSERT_EQ(got.size(), 1U);
  refuse(subscription, got[0], "no");
  const std::string queue = "ActiveMQ.DLQ.Topic.news.eu.office:d.dead";
  run();
  EXPECT_EQ(view("queue://" + queue).depth, 1U);

  // Refused again there, it is gone and makes no queue.
  const auto before = queues();
  sub = {};
  sub.name = queue;
  const auto again = subscribe(who, sub);
  refuse(again, deliveries().at(0), "no");
  run();
  EXPECT_EQ(view("queue://" + queue).depth, 0U);
  EXPECT_EQ(queues(), before);
}

TEST_F(EngineDeadLetterTest, ATopicOfDeadLettersTellsWhoListens) {
  DeadLetterStrategy strategy = individual();
  strategy.queue_for_queue_messages = false;
  configure(strategy);
  const auto watcher = connect("watcher");
  Sub sub;
  sub.kind = DestinationKind::topic;
  sub.name = "ActiveMQ.DLQ.Queue.>";
  const auto listening = subscribe(watcher, sub);
  sub.durable = "keeper";
  const auto keeping = subscribe(watcher, sub);
  const auto who = connect();
  const auto victim = subscribe(who, {});
  publish(who, {});
  refuse(victim, deliveries().at(0), "no");
  const auto got = deliveries();
  ASSERT_EQ(got.size(), 2U);
  for (const auto& delivery : got) {
    EXPECT_TRUE(delivery.subscription == listening || delivery.subscription == keeping);
    EXPECT_EQ(delivery.message->destination().to_text(), "topic://ActiveMQ.DLQ.Queue.q");
  }
}

TEST_F(EngineDeadLetterTest, DiscardKeepsNothing) {
  DeadLetterStrategy strategy;
  strategy.kind = DeadLetterStrategy::Kind::discard;
  configure(strategy);
  const auto who = connect();
  kill(who, {});
  EXPECT_EQ(view("queue://q").depth, 0U);
  EXPECT_EQ(queues(), 1U);
  EXPECT_EQ(store_->status().bytes_live, 0U);
}

TEST_F(EngineDeadLetterTest, ProcessExpiredAndNonPersistent) {
  struct Case {
    bool persistent;
    bool process_expired;
    bool process_non_persistent;
    std::size_t dead;
  };
  for (const auto& each :
       {Case{true, true, false, 1}, Case{true, false, false, 0}, Case{false, true, false, 0},
        Case{false, true, true, 1}, Case{false, false, true, 0}}) {
    open();
    DeadLetterStrategy strategy;
    strategy.process_expired = each.process_expired;
    strategy.process_non_persistent = each.process_non_persistent;
    configure(strategy);
    const auto who = connect();
    publish(who, {.persistent = each.persistent, .expiration = to_millis(now_) + 10});
    now_ += milliseconds(20);
    EXPECT_EQ(drain("q").size(), 0U);
    EXPECT_EQ(drain("ActiveMQ.DLQ").size(), each.dead)
        << each.persistent << each.process_expired << each.process_non_persistent;
  }
}

TEST_F(EngineDeadLetterTest, RefusedNonPersistentIsKeptUnlessConfiguredOtherwise) {
  const auto who = connect();
  kill(who, {.persistent = false});
  EXPECT_EQ(drain("ActiveMQ.DLQ").size(), 1U);
  DeadLetterStrategy strategy;
  strategy.process_refused_non_persistent = false;
  configure(strategy);
  kill(connect(), {.persistent = false});
  EXPECT_EQ(drain("ActiveMQ.DLQ").size(), 0U);
}

TEST_F(EngineDeadLetterTest, DeadLettersCanExpireAndAreGoneThen) {
  DeadLetterStrategy strategy;
  strategy.expiration = milliseconds(1000);
  configure(strategy);
  const auto who = connect();
  kill(who, {});
  kill(who, {.body = "y"});
  const auto some = drain("ActiveMQ.DLQ");
  ASSERT_EQ(some.size(), 2U);
  EXPECT_EQ(some[0].message->expiration(), to_millis(now_) + 1000);
  kill(who, {});
  now_ += milliseconds(1001);
  EXPECT_EQ(drain("ActiveMQ.DLQ").size(), 0U);
  EXPECT_EQ(view("queue://ActiveMQ.DLQ").depth, 0U);
}

TEST_F(EngineDeadLetterTest, DiesNoSecondTimeWhereItWasSentForThat) {
  configure(individual());
  const auto who = connect();
  kill(who, {.name = "a"});
  const auto before = queues();
  Sub sub;
  sub.name = "ActiveMQ.DLQ.Queue.a";
  const auto subscription = subscribe(who, sub);
  const auto got = deliveries();
  ASSERT_EQ(got.size(), 1U);
  refuse(subscription, got[0], "still no use");
  run();
  EXPECT_EQ(queues(), before);
  EXPECT_EQ(view("queue://ActiveMQ.DLQ.Queue.a").depth, 0U);

  // But a client's own message there dies like any other: only into another queue, once.
  publish(who, {.name = "ActiveMQ.DLQ.Queue.a"});
  refuse(subscription, deliveries().at(0), "no use");
  EXPECT_EQ(drain("ActiveMQ.DLQ.Queue.ActiveMQ.DLQ.Queue.a").size(), 1U);
}

TEST_F(EngineDeadLetterTest, TwoQueuesThatAreEachOthersEndInNoCircle) {
  DeadLetterStrategy to_b;
  to_b.destination = {DestinationKind::queue, "b"};
  DeadLetterStrategy to_a;
  to_a.destination = {DestinationKind::queue, "a"};
  EngineSettings settings;
  for (const auto& [name, strategy] : {std::pair("a", to_b), std::pair("b", to_a)}) {
    DestinationPolicy policy;
    policy.dead_letter = strategy;
    settings.policies.add(
        {{DestinationKind::queue, name}, std::make_shared<const DestinationPolicy>(policy)});
  }
  engine_->configure(std::move(settings), now_);
  const auto who = connect();
  kill(who, {.name = "a"});
  EXPECT_EQ(view("queue://b").depth, 1U);
  Sub sub;
  sub.name = "b";
  const auto subscription = subscribe(who, sub);
  refuse(subscription, deliveries().at(0), "no");
  run();
  EXPECT_EQ(view("queue://b").depth, 0U);
  EXPECT_EQ(view("queue://a").depth, 0U);
}

TEST_F(EngineDeadLetterTest, AClientThatSendsADeadLetterOnGetsFreshTraces) {
  const auto who = connect();
  kill(who, {}, "first");
  const auto dead = drain("ActiveMQ.DLQ");
  // As clients do it: all headers copied, to another queue.
  MessageBuilder builder(*dead.at(0).message);
  builder.original_destination.reset();
  builder.destination_name = "q2";
  Sub sub;
  sub.name = "q2";
  const auto subscription = subscribe(who, sub);
  engine_->publish(who.id, *builder.build(), std::nullopt, 0, now_);
  refuse(subscription, deliveries().at(0), "second");
  const auto again = drain("ActiveMQ.DLQ");
  ASSERT_EQ(again.size(), 1U) << "its own old properties do not make it a dead letter";
  int causes = 0;
  PropertyReader reader(*again[0].message);
  while (const auto property = reader.next()) {
    if (property->name == "dlqDeliveryFailureCause") ++causes;
  }
  EXPECT_EQ(causes, 1);
  EXPECT_EQ(text(again[0], "dlqDeliveryFailureCause"), "second");
  EXPECT_EQ(again[0].message->original_destination()->name, "q2");
}

TEST_F(EngineDeadLetterTest, WithoutRoomNothingChangesAndTheConsumerIsTold) {
  configure(individual());
  const auto who = connect();
  const auto subscription = subscribe(who, {});
  publish(who, {});
  const auto got = deliveries();
  store_->set_admission(Admission::refused);
  const auto outcome = refuse(subscription, got.at(0), "no");
  EXPECT_EQ(outcome.disposition, Disposition::failed);
  EXPECT_EQ(view("queue://q").in_flight, 1U);
  store_->set_admission(Admission::granted);
  EXPECT_EQ(refuse(subscription, got.at(0), "no").disposition, Disposition::done);
  EXPECT_EQ(drain("ActiveMQ.DLQ.Queue.q").size(), 1U);
}

TEST_F(EngineDeadLetterTest, ANameThatWouldBeTooLongGoesToTheSharedQueue) {
  configure(individual());
  const auto who = connect();
  kill(who, {.name = std::string(kDestinationNameBytesMax, 'n')});
  EXPECT_EQ(drain("ActiveMQ.DLQ").size(), 1U);
}

// The queue of a wildcard consumer of virtual topics has a pattern for a name, which no queue for
// its dead letters may have.
TEST_F(EngineDeadLetterTest, WhatDiesInAQueueWithAPatternForANameGoesToTheSharedQueue) {
  configure(individual());
  const auto who = connect();
  const auto subscription = subscribe(who, {.name = "Consumer.A.VirtualTopic.>"});
  ASSERT_EQ(publish(who, {.kind = DestinationKind::topic, .name = "VirtualTopic.x"}).disposition,
            Disposition::done);
  auto got = deliveries();
  ASSERT_EQ(got.size(), 1U);
  const auto outcome = refuse(subscription, got[0], "no use");
  EXPECT_EQ(outcome.disposition, Disposition::done) << (outcome.error ? outcome.error->text : "");
  const Send expiring{DestinationKind::topic, "VirtualTopic.x", "old", true, 4,
                      to_millis(now_) + 1};
  ASSERT_TRUE(engine_->unsubscribe(subscription, now_));
  publish(who, expiring);
  now_ += milliseconds(10);
  const auto again = subscribe(who, {.name = "Consumer.A.VirtualTopic.>"});
  EXPECT_TRUE(deliveries().empty());
  ASSERT_TRUE(engine_->unsubscribe(again, now_));
  EXPECT_EQ(bodies(drain("ActiveMQ.DLQ")), (std::vector<std::string>{"x", "old"}));
}

TEST_F(EngineDeadLetterTest, RefusedInATransactionItDiesWithTheCommit) {
  configure(individual());
  const auto who = connect();
  const auto subscription = subscribe(who, {});
  publish(who, {});
  const auto got = deliveries();
  const auto transaction = engine_->begin(who.id);
  ack(subscription, got.at(0), AckKind::poisoned, *transaction);
  run();
  EXPECT_EQ(queues(), 1U);
  EXPECT_EQ(engine_->commit(*transaction, 0, now_).disposition, Disposition::done);
  const auto dead = drain("ActiveMQ.DLQ.Queue.q");
  ASSERT_EQ(dead.size(), 1U);
  EXPECT_EQ(number(dead[0], "dlqDeliveryCount"), 1);
  EXPECT_EQ(view("queue://q").depth, 0U);
}

TEST_F(EngineDeadLetterTest, RevivedItIsWhatItWas) {
  const auto who = connect();
  kill(who, {.expiration = to_millis(now_) + 5000, .color = "red"});
  const auto dead = drain("ActiveMQ.DLQ");
  const auto alive = revive_dead_letter(*dead.at(0).message, now_);
  ASSERT_TRUE(alive);
  EXPECT_EQ((*alive)->destination().to_text(), "queue://q");
  EXPECT_FALSE((*alive)->original_destination());
  EXPECT_EQ((*alive)->expiration(), to_millis(now_) + 5000);
  EXPECT_EQ((*alive)->body(), "x");
  EXPECT_EQ((*alive)->id(), dead[0].message->id());
  PropertyReader reader(*(*alive));
  const auto only = reader.next();
  ASSERT_TRUE(only);
  EXPECT_EQ(only->name, "color");
  EXPECT_FALSE(reader.next());

  const auto later = revive_dead_letter(*dead[0].message, now_ + milliseconds(5000));
  ASSERT_TRUE(later);
  EXPECT_EQ((*later)->expiration(), 0) << "it would only die again";
  EXPECT_EQ(revive_dead_letter(**alive, now_).error().code, Errc::invalid_argument);
}

}  // namespace
}  // namespace pabal::core
