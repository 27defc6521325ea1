#include "tests/unit/core/engine_fixture.h"

namespace pabal::core {
namespace {

class EngineTopicTest : public EngineFixture {
 protected:
  static Send topic(const std::string& name, const std::string& body = "x",
                    bool persistent = true) {
    Send send;
    send.kind = DestinationKind::topic;
    send.name = name;
    send.body = body;
    send.persistent = persistent;
    return send;
  }
  static Sub sub(const std::string& name, const std::string& durable = "",
                 AckMode mode = AckMode::explicit_) {
    Sub sub;
    sub.kind = DestinationKind::topic;
    sub.name = name;
    sub.durable = durable;
    sub.mode = mode;
    return sub;
  }
};

TEST_F(EngineTopicTest, EverySubscriberGetsItOnce) {
  const auto who = connect();
  subscribe(who, sub("a.b"));
  subscribe(who, sub("a.*"));
  subscribe(who, sub("a.>"));
  subscribe(who, sub("b"));
  publish(who, topic("a.b"));
  EXPECT_EQ(deliveries().size(), 3U);
  publish(who, topic("a"));
  EXPECT_EQ(deliveries().size(), 1U);
}

TEST_F(EngineTopicTest, NobodyThereCostsNothing) {
  const auto who = connect();
  const auto outcome = publish(who, topic("nobody"));
  EXPECT_EQ(outcome.disposition, Disposition::done);
  EXPECT_EQ(outcome.after, kNoTicket);
  EXPECT_EQ(raw(store_->submitted()), 0U);
  EXPECT_TRUE(engine_->destinations("", 10).empty());
}

TEST_F(EngineTopicTest, NobodyGetsWhatHasExpired) {
  const auto who = connect();
  subscribe(who, sub("t"));
  auto late = topic("t", "late");
  late.expiration = to_millis(now_);
  publish(who, late);
  auto in_time = topic("t", "in time");
  in_time.expiration = to_millis(now_) + 1;
  publish(who, in_time);
  EXPECT_EQ(bodies(deliveries()), (std::vector<std::string>{"in time"}));
  EXPECT_EQ(engine_->snapshot().totals.expired, 1U);
}

TEST_F(EngineTopicTest, SlowSubscribersKeepTheirOwnBacklog) {
  const auto who = connect();
  auto slow = sub("t");
  slow.prefetch = 1;
  const auto slow_id = subscribe(who, slow);
  subscribe(who, sub("t"));
  for (int i = 1; i <= 3; ++i) publish(who, topic("t", std::to_string(i)));
  std::vector<Delivery> to_slow;
  for (auto& delivery : deliveries()) {
    if (delivery.subscription == slow_id) to_slow.push_back(delivery);
  }
  ASSERT_EQ(bodies(to_slow), numbers(1, 1));
  ack(slow_id, to_slow[0]);
  EXPECT_EQ(bodies(deliveries()), numbers(2, 2));
}

TEST_F(EngineTopicTest, NoLocalSkipsItsOwn) {
  const auto who = connect("me");
  const auto other = connect();
  auto quiet = sub("t");
  quiet.no_local = true;
  subscribe(who, quiet);
  auto durable = sub("t", "d");
  durable.no_local = true;
  subscribe(who, durable);
  publish(who, topic("t", "mine"));
  publish(other, topic("t", "theirs"));
  EXPECT_EQ(bodies(deliveries()), (std::vector<std::string>{"theirs", "theirs"}));
}

TEST_F(EngineTopicTest, ADurableSubscriptionKeepsWhatComesWhileItIsAway) {
  auto who = connect("client");
  auto subscription = subscribe(who, sub("news.>", "d"));
  publish(who, topic("news.a", "1"));
  ack(subscription, deliveries()[0]);
  engine_->disconnect(who.id, now_);

  const auto producer = connect();
  publish(producer, topic("news.b", "2"));
  publish(producer, topic("news.b", "3", false));
  publish(producer, topic("other", "no"));

  who = connect("client");
  subscription = subscribe(who, sub("news.>", "d"));
  EXPECT_EQ(bodies(deliveries()), numbers(2, 3));
}

TEST_F(EngineTopicTest, OneStoredPayloadForAllSubscribers) {
  std::vector<ConnectionDetails> clients;
  for (int i = 0; i < 10; ++i) {
    clients.push_back(connect("c" + std::to_string(i)));
    subscribe(clients.back(), sub("t", "d"));
  }
  const auto before = store_->status().bytes_live;
  const auto outcome = publish(clients[0], topic("t", std::string(1000, 'x')));
  EXPECT_NE(outcome.after, kNoTicket);
  EXPECT_LT(store_->status().bytes_live - before, 2000U);
  const auto got = deliveries();
  EXPECT_EQ(got.size(), 10U);
  for (const auto& delivery : got)
    EXPECT_EQ(ack(delivery.subscription, delivery).disposition, Disposition::done);
  EXPECT_EQ(store_->status().bytes_live, before);
}

TEST_F(EngineTopicTest, DurableNamesAreInUseOnceAndDeletedOnlyWhenIdle) {
  const auto who = connect("client");
  const auto subscription = subscribe(who, sub("t", "d"));
  auto again = try_subscribe(who, sub("t", "d"));
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, Errc::in_use);
  auto deleted = engine_->delete_durable("client", "d", now_);
  ASSERT_FALSE(deleted);
  EXPECT_EQ(deleted.error().text, "Durable consumer is in use");
  ASSERT_TRUE(engine_->unsubscribe(subscription, now_));
  EXPECT_TRUE(engine_->delete_durable("client", "d", now_));
  EXPECT_EQ(engine_->delete_durable("client", "d", now_).error().code, Errc::not_found);
  publish(who, topic("t"));
  EXPECT_EQ(store_->status().bytes_live, 0U);
}

TEST_F(EngineTopicTest, AnotherTopicUnderTheSameNameIsANewSubscription) {
  auto who = connect("client");
  auto subscription = subscribe(who, sub("t", "d"));
  ASSERT_TRUE(engine_->unsubscribe(subscription, now_));
  publish(who, topic("t", "old"));
  subscribe(who, sub("u", "d"));
  publish(who, topic("u", "new"));
  publish(who, topic("t", "gone"));
  EXPECT_EQ(bodies(deliveries()), std::vector<std::string>{"new"});
}

TEST_F(EngineTopicTest, DurableNeedsAClientIdAndATopic) {
  const auto anonymous = connect();
  EXPECT_EQ(try_subscribe(anonymous, sub("t", "d")).error().code, Errc::invalid_argument);
  const auto who = connect("client");
  auto queue = sub("t", "d");
  queue.kind = DestinationKind::queue;
  EXPECT_EQ(try_subscribe(who, queue).error().text,
            "Invalid Subscription: cannot durably subscribe to a Queue destination!");
}

TEST_F(EngineTopicTest, DeletingASubscriptionReleasesWhatOnlyItNeeded) {
  auto one = connect("one");
  auto two = connect("two");
  const auto a = subscribe(one, sub("t", "d"));
  const auto b = subscribe(two, sub("t", "d"));
  publish(one, topic("t", "p"));
  publish(one, topic("t", "n", false));
  for (const auto& delivery : deliveries()) {
    if (delivery.subscription == a) ack(a, delivery);
  }
  ASSERT_TRUE(engine_->unsubscribe(b, now_));
  EXPECT_GT(store_->status().bytes_live, 0U);
  ASSERT_TRUE(engine_->delete_durable("two", "d", now_));
  run();
  EXPECT_EQ(store_->status().bytes_live, 0U);
  EXPECT_EQ(engine_->snapshot().bytes_held, 0U);
}

TEST_F(EngineTopicTest, TemporaryTopicsAreSeenByTheirPatternOnly) {
  const auto who = connect();
  const auto spy = connect();
  subscribe(spy, sub(">"));
  const auto temporary = engine_->create_temporary(who.id, DestinationKind::temporary_topic);
  auto own = sub(temporary->name);
  own.kind = DestinationKind::temporary_topic;
  const auto subscription = subscribe(who, own);
  auto send = topic(temporary->name);
  send.kind = DestinationKind::temporary_topic;
  publish(spy, send);
  const auto got = deliveries();
  ASSERT_EQ(got.size(), 1U);
  EXPECT_EQ(got[0].subscription, subscription);
}

TEST_F(EngineTopicTest, RequeuedComesBackToTheSameSubscription) {
  const auto who = connect();
  const auto subscription = subscribe(who, sub("t"));
  publish(who, topic("t", "1"));
  ack(subscription, deliveries()[0], AckKind::requeued);
  EXPECT_EQ(bodies(deliveries()), numbers(1, 1));
}

TEST_F(EngineTopicTest, RequeuedKeepsItsOrderAndIsMarked) {
  const auto who = connect();
  auto wanted = sub("t");
  wanted.prefetch = 3;
  const auto subscription = subscribe(who, wanted);
  for (int i = 1; i <= 5; ++i) publish(who, topic("t", std::to_string(i)));
  const auto got = deliveries();
  ASSERT_EQ(bodies(got), numbers(1, 3));
  ack(subscription, got[2], AckKind::requeued);
  engine_->acknowledge(subscription, {got[0].id, got[1].id}, AckKind::requeued, "", std::nullopt,
                       now_);
  std::vector<Delivery> again;
  for (;;) {
    const auto some = deliveries();
    if (some.empty()) break;
    for (const auto& delivery : some) {
      again.push_back(delivery);
      ack(subscription, delivery);
    }
  }
  ASSERT_EQ(bodies(again), numbers(1, 5));
  for (std::size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(again[i].redelivered, i < 3);
    EXPECT_EQ(again[i].deliveries, i < 3 ? 1U : 0U);
  }
  EXPECT_EQ(engine_->snapshot().bytes_held, 0U);
}

// Goal: what a transaction acknowledged of a durable subscription that is deleted before its end
// is accounted for.
TEST_F(EngineTopicTest, DeletingASubscriptionWithAcknowledgementsInATransactionLeavesNothing) {
  const auto who = connect("client");
  const auto subscription = subscribe(who, sub("t", "d"));
  const auto other = connect("other");
  const auto stays = subscribe(other, sub("t", "d"));
  publish(who, topic("t", "1", false));
  publish(who, topic("t", "2", true));
  const auto transaction = *engine_->begin(who.id);
  for (const auto& delivery : deliveries()) {
    if (delivery.subscription == stays) {
      ack(stays, delivery);
    } else {
      ack(subscription, delivery, AckKind::consumed, transaction);
    }
  }
  ASSERT_TRUE(engine_->unsubscribe(subscription, now_));
  ASSERT_TRUE(engine_->delete_durable("client", "d", now_));
  EXPECT_EQ(engine_->commit(transaction, 0, now_).disposition, Disposition::done);
  run();
  EXPECT_EQ(engine_->snapshot().bytes_held, 0U);
  EXPECT_EQ(store_->status().bytes_live, 0U);
}

TEST_F(EngineTopicTest, AutomaticSubscribersCostNoMemoryOnceWritten) {
  const auto who = connect();
  auto fast = sub("t", "", AckMode::automatic);
  fast.prefetch = 10;
  subscribe(who, fast);
  for (int i = 1; i <= 30; ++i) publish(who, topic("t", std::to_string(i), false));
  std::vector<std::string> all;
  for (;;) {
    const auto got = deliveries();
    if (got.empty()) break;
    for (const auto& body : bodies(got)) all.push_back(body);
    engine_->written(who.id, last_number_, now_);
  }
  EXPECT_EQ(all, numbers(1, 30));
  EXPECT_EQ(engine_->snapshot().bytes_held, 0U);
}

}  // namespace
}  // namespace pabal::core
