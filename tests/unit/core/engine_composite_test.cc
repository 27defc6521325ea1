#include <optional>
#include <string>
#include <vector>

#include "tests/unit/core/engine_fixture.h"

namespace pabal::core {
namespace {

/// Durable subscriptions to several topics: one reader, one order, over restarts.
class EngineCompositeTest : public EngineFixture {
 protected:
  using Bodies = std::vector<std::string>;

  Result<SubscriptionId> try_durable(const std::vector<std::string>& topics,
                                     const std::string& selector = "") {
    SubscribeOptions options;
    for (const auto& name : topics) {
      options.interests.push_back({{DestinationKind::topic, name}, selector, false});
    }
    options.ack_mode = AckMode::explicit_;
    options.durable_name = "d";
    return engine_->subscribe(client_->id, options, now_);
  }
  SubscriptionId durable(const std::vector<std::string>& topics, const std::string& selector = "") {
    if (!client_) client_ = connect("client");
    const auto made = try_durable(topics, selector);
    EXPECT_TRUE(made) << (made ? "" : made.error().text);
    return made ? *made : SubscriptionId{};
  }
  void leave() {
    engine_->disconnect(client_->id, now_);
    client_.reset();
  }
  void send(const std::string& topic, const std::string& body, bool persistent = true,
            const std::string& color = "") {
    const auto who = connect();
    publish(who, {.kind = DestinationKind::topic,
                  .name = topic,
                  .body = body,
                  .persistent = persistent,
                  .color = color});
    engine_->disconnect(who.id, now_);
  }
  /// What comes, acknowledged; each with the topic that it says it came to.
  Bodies take(SubscriptionId from) {
    Bodies all;
    for (const auto& delivery : deliveries()) {
      EXPECT_EQ(delivery.destination, nullptr);
      all.push_back(delivery.message->destination().name + ":" +
                    std::string(delivery.message->body()));
      ack(from, delivery);
    }
    return all;
  }
  void crash() {
    run();
    restart(store_->submitted());
    client_.reset();
  }
  std::optional<ConnectionDetails> client_;
};

TEST_F(EngineCompositeTest, CollectsOfAllItsTopicsInOrderAwayOrThereOverRestarts) {
  const auto first = durable({"a", "b"});
  send("a", "1");
  send("b", "2");
  send("c", "3");
  EXPECT_EQ(take(first), (Bodies{"a:1", "b:2"}));
  leave();
  send("b", "4");
  send("a", "5", false);
  send("a", "6");
  const auto second = durable({"b", "a", "b"});
  EXPECT_EQ(take(second), (Bodies{"b:4", "a:5", "a:6"}));
  leave();
  send("a", "7");
  crash();
  send("b", "8");
  const auto third = durable({"a", "b"});
  EXPECT_EQ(take(third), (Bodies{"a:7", "b:8"}));
  EXPECT_EQ(engine_->durable_subscriptions(10).at(0).destination.to_text(), "topic://a,b");
}

TEST_F(EngineCompositeTest, WhatSeveralOfItsPatternsMatchComesOnce) {
  const auto got = durable({"a.b", "a.>", "*.b"});
  send("a.b", "1");
  send("a.c", "2");
  send("x.b", "3");
  send("x.y", "4");
  EXPECT_EQ(take(got), (Bodies{"a.b:1", "a.c:2", "x.b:3"}));
}

TEST_F(EngineCompositeTest, OtherTopicsOrAnotherSelectorAreAnotherSubscription) {
  durable({"a", "b"});
  leave();
  send("a", "1");
  const auto other = durable({"a", "c"});
  EXPECT_EQ(take(other), Bodies{});
  leave();
  send("c", "2", true, "red");
  send("a", "3", true, "blue");
  send("b", "4", true, "red");
  const auto red = durable({"a", "c"}, "color = 'red'");
  EXPECT_EQ(take(red), Bodies{});
  send("c", "5", true, "red");
  send("a", "6", true, "blue");
  EXPECT_EQ(take(red), Bodies{"c:5"});
  EXPECT_EQ(engine_->durable_subscriptions(10).size(), 1U);
  leave();
  ASSERT_TRUE(engine_->delete_durable("client", "d", now_));
  send("a", "7");
  run();
  EXPECT_EQ(engine_->snapshot().durable_subscriptions, 0U);
  EXPECT_EQ(store_->status().bytes_live, 0U);
}

TEST_F(EngineCompositeTest, ADeadLetterSaysWhichOfThemItWasIn) {
  const auto got = durable({"a", "b"});
  send("b", "1");
  const auto all = deliveries();
  ASSERT_EQ(all.size(), 1U);
  ack(got, all[0], AckKind::poisoned);
  const auto dead = drain("ActiveMQ.DLQ");
  ASSERT_EQ(dead.size(), 1U);
  EXPECT_EQ(dead[0].message->original_destination()->name, "b");
}

TEST_F(EngineCompositeTest, QueuesTemporariesAndTooLongNamesAreRefused) {
  client_ = connect("client");
  SubscribeOptions options;
  options.interests.push_back({{DestinationKind::topic, "a"}, "", false});
  options.interests.push_back({{DestinationKind::queue, "b"}, "", false});
  options.durable_name = "d";
  EXPECT_EQ(engine_->subscribe(client_->id, options, now_).error().code, Errc::invalid_argument);
  EXPECT_EQ(try_durable({"a",
                         "b\x1f"
                         "c"})
                .error()
                .code,
            Errc::bad_destination);
  std::vector<std::string> many;
  for (int i = 0; i < 17; ++i) many.push_back(std::to_string(i) + std::string(4000, 'x'));
  EXPECT_EQ(try_durable(many).error().code, Errc::invalid_argument);
  EXPECT_EQ(engine_->snapshot().durable_subscriptions, 0U);
}

}  // namespace
}  // namespace pabal::core
