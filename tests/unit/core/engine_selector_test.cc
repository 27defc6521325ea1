#include <random>
#include <set>

#include "tests/unit/core/engine_fixture.h"

namespace pabal::core {
namespace {

class EngineSelectorTest : public EngineFixture {
 protected:
  void SetUp() override {
    EngineLimits limits;
    limits.list_window_bytes_max = 4000;
    limits.window_bytes_max = 20'000;
    open({}, limits);
  }
  void send(const ConnectionDetails& from, const std::string& body, const std::string& color,
            DestinationKind kind = DestinationKind::queue, bool persistent = true) {
    Send what;
    what.kind = kind;
    what.name = kind == DestinationKind::queue ? "q" : "t";
    what.body = body;
    what.color = color;
    what.persistent = persistent;
    ASSERT_EQ(publish(from, what).disposition, Disposition::done);
  }
  static Sub red() {
    Sub sub;
    sub.selector = "color = 'red'";
    return sub;
  }
};

TEST_F(EngineSelectorTest, AWrongSelectorIsRefusedWithItsPlace) {
  const auto who = connect();
  Sub sub;
  sub.selector = "color = ";
  const auto refused = try_subscribe(who, sub);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::invalid_argument);
  EXPECT_NE(refused.error().text.find("column 9"), std::string::npos) << refused.error().text;
  EXPECT_EQ(engine_->snapshot().subscriptions, 0U);
}

TEST_F(EngineSelectorTest, AConsumerGetsWhatItWantsAndTheRestStays) {
  const auto who = connect();
  for (int i = 1; i <= 6; ++i) send(who, std::to_string(i), i % 2 == 0 ? "red" : "blue");
  const auto subscription = subscribe(who, red());
  const auto got = deliveries();
  EXPECT_EQ(bodies(got), (std::vector<std::string>{"2", "4", "6"}));
  for (const auto& delivery : got) ack(subscription, delivery);
  run();
  EXPECT_EQ(view("queue://q").depth, 3U);
  EXPECT_EQ(view("queue://q").waiting, WaitReason::refused);
  engine_->disconnect(who.id, now_);
  EXPECT_EQ(view("queue://q").waiting, WaitReason::no_consumer);
  EXPECT_EQ(bodies(drain("q")), (std::vector<std::string>{"1", "3", "5"}));
}

// Goal: far behind the window, and behind many pages, without another being consumed.
TEST_F(EngineSelectorTest, OneMatchBehindManyOthersIsFound) {
  const auto who = connect();
  fill(who, 5000);
  send(who, "needle", "red");
  fill(who, 1000);
  const auto subscription = subscribe(who, red());
  const auto got = deliveries();
  ASSERT_EQ(bodies(got), std::vector<std::string>{"needle"});
  ack(subscription, got[0]);
  run();
  EXPECT_EQ(view("queue://q").depth, 6000U);
  EXPECT_LE(engine_->snapshot().bytes_window, 20'000U);
  auto rest = numbers(1, 5000);
  const auto behind = numbers(1, 1000);
  rest.insert(rest.end(), behind.begin(), behind.end());
  EXPECT_EQ(bodies(drain("q")), rest);
  EXPECT_EQ(store_->status().bytes_live, 0U);
  EXPECT_EQ(engine_->snapshot().bytes_window, 0U);
}

TEST_F(EngineSelectorTest, WhatOneHasOutNoOtherFinds) {
  const auto who = connect();
  for (int i = 1; i <= 3000; ++i) send(who, std::to_string(i), i % 100 == 0 ? "red" : "blue");
  const auto subscription = subscribe(who, red());
  const auto out = deliveries();
  ASSERT_EQ(out.size(), 30U);
  const auto others = drain("q");
  EXPECT_EQ(others.size(), 2970U);
  for (const auto& delivery : others) {
    EXPECT_NE(std::stoi(std::string(delivery.message->body())) % 100, 0);
  }
  for (const auto& delivery : out) ack(subscription, delivery);
  EXPECT_TRUE(drain("q").empty());
  EXPECT_EQ(store_->status().bytes_live, 0U);
}

TEST_F(EngineSelectorTest, WhatComesBackIsOfferedToAllThatPassedIt) {
  const auto who = connect();
  for (int i = 1; i <= 4; ++i) send(who, std::to_string(i), i % 2 == 0 ? "red" : "blue");
  const auto plain = connect();
  const auto all = subscribe(plain, {});
  EXPECT_EQ(deliveries().size(), 4U);
  const auto picky = connect();
  subscribe(picky, red());
  EXPECT_TRUE(deliveries().empty());
  engine_->disconnect(plain.id, now_);
  (void)all;
  const auto back = deliveries();
  EXPECT_EQ(bodies(back), (std::vector<std::string>{"2", "4"}));
  EXPECT_TRUE(back[0].redelivered);
  EXPECT_EQ(bodies(drain("q")), (std::vector<std::string>{"1", "3"}));
}

TEST_F(EngineSelectorTest, TwoSelectorsThatOverlapShareNothing) {
  const auto who = connect();
  for (int i = 1; i <= 1000; ++i) send(who, std::to_string(i), i % 2 == 0 ? "red" : "blue");
  Sub first = red();
  first.prefetch = 10;
  Sub second;
  second.selector = "color IN ('red', 'blue')";
  second.prefetch = 10;
  const auto a = subscribe(who, first);
  const auto b = subscribe(who, second);
  std::multiset<int> seen;
  for (;;) {
    const auto got = deliveries();
    if (got.empty()) break;
    for (const auto& delivery : got) {
      seen.insert(std::stoi(std::string(delivery.message->body())));
      ack(delivery.subscription == a ? a : b, delivery);
    }
  }
  EXPECT_EQ(seen.size(), 1000U);
  EXPECT_EQ(std::set<int>(seen.begin(), seen.end()).size(), 1000U);
  EXPECT_EQ(store_->status().bytes_live, 0U);
}

TEST_F(EngineSelectorTest, NonPersistentMessagesAreSelectedToo) {
  const auto who = connect();
  for (int i = 1; i <= 300; ++i) {
    send(who, std::to_string(i), i % 3 == 0 ? "red" : "blue", DestinationKind::queue, i % 2 == 0);
  }
  const auto subscription = subscribe(who, red());
  const auto got = deliveries();
  ASSERT_EQ(got.size(), 100U);
  for (const auto& delivery : got) ack(subscription, delivery);
  EXPECT_EQ(drain("q").size(), 200U);
  EXPECT_EQ(engine_->snapshot().bytes_held, 0U);
}

TEST_F(EngineSelectorTest, ANewMessageIsLookedAtOnceByAnIdleSelector) {
  const auto who = connect();
  const auto subscription = subscribe(who, red());
  fill(who, 100);
  EXPECT_TRUE(deliveries().empty());
  send(who, "now", "red");
  const auto got = deliveries();
  ASSERT_EQ(bodies(got), std::vector<std::string>{"now"});
  ack(subscription, got[0]);
}

TEST_F(EngineSelectorTest, AfterARestartTheHolesStayHoles) {
  const auto who = connect();
  for (int i = 1; i <= 1000; ++i) send(who, std::to_string(i), i % 2 == 0 ? "red" : "blue");
  const auto subscription = subscribe(who, red());
  for (const auto& delivery : deliveries()) ack(subscription, delivery);
  run();
  restart();
  EXPECT_EQ(view("queue://q").depth, 500U);
  std::vector<std::string> odd;
  for (int i = 1; i <= 1000; i += 2) odd.push_back(std::to_string(i));
  EXPECT_EQ(bodies(drain("q")), odd);
}

TEST_F(EngineSelectorTest, TopicSubscribersAreAsked) {
  const auto who = connect();
  Sub sub = red();
  sub.kind = DestinationKind::topic;
  sub.name = "t";
  subscribe(who, sub);
  for (int i = 1; i <= 4; ++i) {
    send(who, std::to_string(i), i % 2 == 0 ? "red" : "blue", DestinationKind::topic);
  }
  EXPECT_EQ(bodies(deliveries()), (std::vector<std::string>{"2", "4"}));
}

TEST_F(EngineSelectorTest, ADurableSubscriptionPinsNothingThatItRefuses) {
  const auto who = connect("client");
  Sub sub = red();
  sub.kind = DestinationKind::topic;
  sub.name = "t";
  sub.durable = "d";
  (void)engine_->unsubscribe(subscribe(who, sub), now_);
  Sub blue = sub;
  blue.selector = "color = 'blue'";
  blue.durable = "e";
  (void)engine_->unsubscribe(subscribe(who, blue), now_);
  for (int i = 1; i <= 1000; ++i) {
    send(who, std::to_string(i), i == 500 ? "red" : "green", DestinationKind::topic);
  }
  run();
  engine_->tick(now_);
  EXPECT_EQ(engine_->durable_subscriptions(10).at(0).depth, 1U);
  EXPECT_EQ(engine_->durable_subscriptions(10).at(1).depth, 0U);
  EXPECT_LT(store_->status().bytes_live, 1000U) << "one message";
  const auto subscription = subscribe(who, sub);
  const auto got = deliveries();
  ASSERT_EQ(bodies(got), std::vector<std::string>{"500"});
  ack(subscription, got[0]);
  run();
  EXPECT_EQ(store_->status().bytes_live, 0U);
}

TEST_F(EngineSelectorTest, ADurableSelectorIsRememberedOverARestart) {
  const auto who = connect("client");
  Sub sub = red();
  sub.kind = DestinationKind::topic;
  sub.name = "t";
  sub.durable = "d";
  (void)engine_->unsubscribe(subscribe(who, sub), now_);
  for (int i = 1; i <= 3; ++i) {
    send(who, std::to_string(i), i % 2 == 0 ? "red" : "blue", DestinationKind::topic);
  }
  run();  // the refusals are not acknowledged yet
  restart();
  const auto again = connect("client");
  send(again, "4", "red", DestinationKind::topic);
  send(again, "5", "blue", DestinationKind::topic);
  const auto subscription = subscribe(again, sub);
  const auto got = deliveries();
  EXPECT_EQ(bodies(got), (std::vector<std::string>{"2", "4"}));
  for (const auto& delivery : got) ack(subscription, delivery);
  run();
  engine_->tick(now_);
  EXPECT_EQ(engine_->durable_subscriptions(10).at(0).depth, 0U);
  EXPECT_EQ(store_->status().bytes_live, 0U);
}

TEST_F(EngineSelectorTest, WhatADurableSubscriptionRefusedDoesNotExpireThere) {
  const auto who = connect("client");
  Sub sub = red();
  sub.kind = DestinationKind::topic;
  sub.name = "t";
  sub.durable = "d";
  (void)engine_->unsubscribe(subscribe(who, sub), now_);
  Sub blue = sub;
  blue.selector = "color = 'blue'";
  blue.durable = "e";
  (void)engine_->unsubscribe(subscribe(who, blue), now_);
  Send send;
  send.kind = DestinationKind::topic;
  send.name = "t";
  send.color = "blue";
  send.expiration = to_millis(now_) + 10;
  publish(who, send);
  now_ += milliseconds(20);
  (void)subscribe(who, sub);
  EXPECT_TRUE(deliveries().empty());
  EXPECT_EQ(engine_->durable_subscriptions(10).at(0).depth, 0U);
  EXPECT_EQ(engine_->snapshot().totals.expired, 0U) << "blue's message, and blue was not asked";
}

TEST_F(EngineSelectorTest, WhatADurableSubscriptionRefusesHoldsNothingUp) {
  open({.manual_durability = true});
  const auto who = connect("client");
  Sub sub = red();
  sub.kind = DestinationKind::topic;
  sub.name = "t";
  sub.durable = "d";
  (void)subscribe(who, sub);
  Sub everything = sub;
  everything.selector.clear();
  everything.durable = "e";
  (void)engine_->unsubscribe(subscribe(who, everything), now_);
  run();
  store_->make_durable(store_->submitted());
  run();
  const auto transaction = engine_->begin(who.id);
  Send send;
  send.kind = DestinationKind::topic;
  send.name = "t";
  send.color = "blue";
  publish(who, send, *transaction);
  engine_->commit(*transaction, 0, now_);
  send.color = "red";
  send.persistent = false;
  send.body = "first";
  publish(who, send);
  send.body = "second";
  send.priority = 3;
  publish(who, send);
  (void)engine_->run(now_);  // the transaction is not durable yet
  EXPECT_EQ(bodies(engine_->outbox(HomeId{}).deliveries),
            (std::vector<std::string>{"first", "second"}));
}

// Random consumers with and without selectors come, take, acknowledge, requeue and go, over a queue
// much deeper than its window. Each message is acknowledged exactly once, by one that wants it.
TEST_F(EngineSelectorTest, RandomConsumersLoseAndDoubleNothing) {
  static const std::vector<std::string> kColors = {"red", "blue", "green"};
  static const std::vector<std::string> kSelectors = {
      "", "color = 'red'", "color <> 'red'", "color IN ('blue', 'green')", "JMSRedelivered"};
  const auto wants = [](const std::string& selector, const Delivery& delivery) {
    const auto color = delivery.message->property("color")->text;
    if (selector == kSelectors[1]) return color == "red";
    if (selector == kSelectors[2]) return color != "red";
    if (selector == kSelectors[3]) return color != "red";
    if (selector == kSelectors[4]) return delivery.redelivered;
    return true;
  };
  struct Consumer {
    ConnectionDetails connection;
    SubscriptionId subscription{};
    std::string selector;
    std::vector<Delivery> out;
  };
  for (unsigned seed = 1; seed <= 60; ++seed) {
    SetUp();
    std::mt19937 random(seed);
    const auto producer = connect();
    std::vector<Consumer> consumers;
    std::set<std::string> waiting;
    std::set<std::string> out;
    int sent = 0;
    const auto take = [&] {
      for (auto& delivery : deliveries()) {
        const auto owner = std::find_if(consumers.begin(), consumers.end(), [&](const auto& each) {
          return each.subscription == delivery.subscription;
        });
        ASSERT_NE(owner, consumers.end()) << "seed " << seed;
        ASSERT_TRUE(wants(owner->selector, delivery)) << "seed " << seed << owner->selector;
        const std::string body(delivery.message->body());
        ASSERT_EQ(waiting.count(body), 1U) << "seed " << seed << ": " << body;
        ASSERT_TRUE(out.insert(body).second) << "seed " << seed << ": " << body << " is out twice";
        owner->out.push_back(std::move(delivery));
      }
    };
    for (int step = 0; step < 400; ++step) {
      switch (random() % 6) {
        case 0:
        case 1:
          for (unsigned i = random() % 40; i > 0; --i) {
            Send what;
            what.body = std::to_string(++sent);
            what.color = kColors[random() % 3];
            what.persistent = random() % 4 != 0;
            what.priority = static_cast<std::uint8_t>(random() % 3 * 4);
            publish(producer, what);
            waiting.insert(what.body);
          }
          break;
        case 2: {
          if (consumers.size() >= 6) break;
          Consumer consumer;
          consumer.connection = connect();
          Sub sub;
          sub.selector = consumer.selector = kSelectors[random() % kSelectors.size()];
          sub.prefetch = 1 + random() % 20;
          consumer.subscription = subscribe(consumer.connection, sub);
          consumers.push_back(std::move(consumer));
          break;
        }
        case 3: {
          if (consumers.empty() || random() % 3 != 0) break;
          const auto at = consumers.begin() + random() % consumers.size();
          engine_->disconnect(at->connection.id, now_);
          for (const auto& delivery : at->out) out.erase(std::string(delivery.message->body()));
          consumers.erase(at);
          break;
        }
        default:
          if (consumers.empty()) break;
          Consumer& consumer = consumers[random() % consumers.size()];
          while (!consumer.out.empty() && random() % 8 != 0) {
            const auto at = consumer.out.begin() + random() % consumer.out.size();
            const bool requeue = random() % 6 == 0;
            ack(consumer.subscription, *at, requeue ? AckKind::requeued : AckKind::consumed);
            const std::string body(at->message->body());
            out.erase(body);
            if (!requeue) waiting.erase(body);
            engine_->written(consumer.connection.id, at->number, now_);
            consumer.out.erase(at);
          }
      }
      take();
      if (HasFatalFailure()) return;
    }
    for (auto& consumer : consumers) engine_->disconnect(consumer.connection.id, now_);
    std::set<std::string> drained;
    for (const auto& delivery : drain("q")) drained.insert(std::string(delivery.message->body()));
    ASSERT_EQ(drained, waiting) << "seed " << seed;
    EXPECT_EQ(store_->status().bytes_live, 0U) << "seed " << seed;
    EXPECT_EQ(engine_->snapshot().bytes_held, 0U) << "seed " << seed;
    EXPECT_EQ(engine_->snapshot().bytes_window, 0U) << "seed " << seed;
    EXPECT_EQ(view("queue://q").depth, 0U) << "seed " << seed;
  }
}

}  // namespace
}  // namespace pabal::core
