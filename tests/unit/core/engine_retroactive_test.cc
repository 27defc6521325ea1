// What topics remember for subscriptions that come later, and subscriptions with several interests.

#include <gtest/gtest.h>

#include "tests/unit/core/engine_fixture.h"

namespace pabal::core {
namespace {

using Texts = std::vector<std::string>;

class EngineRetroactiveTest : public EngineFixture {
 protected:
  /// Topics that match `pattern` remember by `recovery`.
  void remember(const std::string& pattern, RecoveryPolicy recovery, bool always = false) {
    auto policy = std::make_shared<DestinationPolicy>();
    policy->recovery = recovery;
    policy->always_retroactive = always;
    settings_.policies.add({{DestinationKind::topic, pattern}, policy});
    engine_->configure(settings_, now_);
  }
  static RecoveryPolicy count(std::uint32_t messages) {
    RecoveryPolicy policy;
    policy.kind = RecoveryPolicy::Kind::fixed_count;
    policy.count = messages;
    return policy;
  }
  void send(const std::string& name, const std::string& body, const std::string& color = "") {
    if (sender_.id == ConnectionId{}) sender_ = connect();
    ASSERT_EQ(publish(sender_, {.kind = DestinationKind::topic,
                                .name = name,
                                .body = body,
                                .persistent = false,
                                .color = color})
                  .disposition,
              Disposition::done);
  }
  SubscribeOptions wanting(std::vector<Destination> destinations) {
    SubscribeOptions options;
    for (auto& each : destinations) options.interests.push_back({std::move(each), "", false});
    options.ack_mode = AckMode::explicit_;
    return options;
  }
  SubscriptionId recall(const std::string& name, const std::string& selector = "") {
    auto options = wanting({{DestinationKind::topic, name}});
    options.interests.front().selector = selector;
    options.retroactive = true;
    return *engine_->subscribe(connect().id, options, now_);
  }
  Texts recalled(const std::string& name, const std::string& selector = "") {
    recall(name, selector);
    return bodies(deliveries());
  }

  EngineSettings settings_;
  ConnectionDetails sender_;
};

TEST_F(EngineRetroactiveTest, RemembersNothingUnlessAskedTo) {
  send("t", "1");
  EXPECT_TRUE(recalled("t").empty());
  EXPECT_EQ(engine_->snapshot().bytes_remembered, 0U);
}

TEST_F(EngineRetroactiveTest, RemembersTheLastImage) {
  RecoveryPolicy last;
  last.kind = RecoveryPolicy::Kind::last_image;
  remember("t", last);
  send("t", "1");
  send("t", "2");
  EXPECT_EQ(recalled("t"), (Texts{"2"}));
  subscribe(connect(), {.kind = DestinationKind::topic, .name = "t"});
  EXPECT_TRUE(deliveries().empty()) << "it did not ask";
}

TEST_F(EngineRetroactiveTest, RemembersACountAndGoesOnLive) {
  remember("t", count(3));
  for (const auto* body : {"1", "2", "3", "4"}) send("t", body);
  recall("t");
  send("t", "5");
  EXPECT_EQ(bodies(deliveries()), (Texts{"2", "3", "4", "5"}));
}

TEST_F(EngineRetroactiveTest, RemembersASize) {
  remember("other", count(1));
  send("other", std::string(1000, 'x'));
  const auto one = engine_->snapshot().bytes_remembered;
  RecoveryPolicy size;
  size.kind = RecoveryPolicy::Kind::fixed_size;
  size.bytes = 2 * one + one / 2;
  remember("t", size);
  for (const auto* letter : {"a", "b", "c"}) send("t", std::string(1000, *letter));
  const auto got = recalled("t");
  ASSERT_EQ(got.size(), 2U);
  EXPECT_EQ(got[0][0], 'b');
  send("t", std::string(9000, 'd'));
  EXPECT_EQ(deliveries().size(), 1U) << "to the one that is there";
  EXPECT_TRUE(recalled("t").empty()) << "larger than all that is kept";
  EXPECT_EQ(engine_->snapshot().bytes_remembered, one);
}

TEST_F(EngineRetroactiveTest, RemembersForATimeAndForgetsByItself) {
  RecoveryPolicy timed;
  timed.kind = RecoveryPolicy::Kind::timed;
  timed.duration = milliseconds(5000);
  remember("t", timed);
  send("t", "1");
  now_ += milliseconds(3000);
  send("t", "2");
  now_ += milliseconds(2500);
  EXPECT_EQ(recalled("t"), (Texts{"2"}));
  now_ += milliseconds(60'000);
  engine_->tick(now_);
  EXPECT_EQ(engine_->snapshot().bytes_remembered, 0U);
}

TEST_F(EngineRetroactiveTest, GivesPatternsWhatTheirTopicsRememberInTheOrderOfArrival) {
  remember("t.>", count(2));
  send("t.b", "1");
  send("t.a", "2");
  send("t.b", "3");
  send("t.a", "4");
  send("t.a", "5");
  send("u", "6");
  EXPECT_EQ(recalled("t.>"), (Texts{"1", "3", "4", "5"}));
  EXPECT_EQ(recalled(">"), (Texts{"1", "3", "4", "5"}));
}

TEST_F(EngineRetroactiveTest, SelectsAndLeavesOutOwnAndExpiredOnes) {
  remember("t", count(10));
  send("t", "1", "red");
  send("t", "2", "blue");
  publish(sender_, {.kind = DestinationKind::topic,
                    .name = "t",
                    .body = "3",
                    .persistent = false,
                    .expiration = to_millis(now_) + 1000,
                    .color = "red"});
  now_ += milliseconds(2000);
  EXPECT_EQ(recalled("t", "color = 'red'"), (Texts{"1"}));
  auto options = wanting({{DestinationKind::topic, "t"}});
  options.retroactive = true;
  options.interests.front().no_local = true;
  ASSERT_TRUE(engine_->subscribe(sender_.id, options, now_));
  EXPECT_TRUE(deliveries().empty());
}

TEST_F(EngineRetroactiveTest, RemindsEverybodyWhenThePolicySaysAlways) {
  remember("t", count(10), true);
  send("t", "1");
  subscribe(connect(), {.kind = DestinationKind::topic, .name = "t"});
  EXPECT_EQ(bodies(deliveries()), (Texts{"1"}));
  subscribe(connect("me"), {.kind = DestinationKind::topic, .name = "t", .durable = "d"});
  EXPECT_TRUE(deliveries().empty()) << "a durable subscription has a memory of its own";
}

TEST_F(EngineRetroactiveTest, RemembersUnderTheNameOfTheTopicThatItWasForwardedTo) {
  settings_.virtuals.composites.push_back(
      {{DestinationKind::queue, "in"}, {{{DestinationKind::topic, "t"}, ""}}, true, false});
  remember("t", count(10));
  publish(connect(), {.name = "in", .body = "1"});
  recall("t");
  const auto got = deliveries();
  ASSERT_EQ(bodies(got), (Texts{"1"}));
  ASSERT_TRUE(got[0].destination);
  EXPECT_EQ(got[0].destination->to_text(), "topic://t");
}

TEST_F(EngineRetroactiveTest, ShowsNothingOfATransactionBeforeItIsDurable) {
  open({.manual_durability = true});
  remember("t", count(10));
  const auto from = connect();
  const auto transaction = *engine_->begin(from.id);
  publish(from, {.name = "q", .body = "0"}, transaction);
  publish(from, {.kind = DestinationKind::topic, .name = "t", .body = "1"}, transaction);
  ASSERT_EQ(engine_->commit(transaction, 0, now_).disposition, Disposition::done);
  EXPECT_TRUE(recalled("t").empty());
  store_->make_durable(store_->submitted());
  EXPECT_EQ(bodies(deliveries()), (Texts{"1"}));
}

TEST_F(EngineRetroactiveTest, ForgetsTheOldestOfAllBeyondTheLimit) {
  EngineLimits limits;
  limits.retroactive_bytes_max = 5000;
  limits.retroactive_topics_max = 2;
  open({}, limits);
  remember(">", count(100));
  send("a", std::string(2000, '1'));
  send("b", std::string(2000, '2'));
  send("b", std::string(2000, '3'));
  EXPECT_LE(engine_->snapshot().bytes_remembered, 5000U);
  EXPECT_TRUE(recalled("a").empty());
  EXPECT_EQ(recalled("b").size(), 2U);
  send("c", "x");  // takes the place of a, which remembers nothing
  send("d", "x");  // there is none left
  EXPECT_EQ(recalled("c").size(), 1U);
  EXPECT_TRUE(recalled("d").empty());
}

TEST_F(EngineRetroactiveTest, GivesASubscriptionNoMoreThanMayWaitForIt) {
  EngineLimits limits;
  limits.topic_pending_bytes_max = 5000;
  open({}, limits);
  remember("t", count(100));
  for (const auto* letter : {"1", "2", "3"}) send("t", std::string(2000, *letter));
  const auto got = recalled("t");
  ASSERT_EQ(got.size(), 2U);
  EXPECT_EQ(got[0][0], '2') << "the oldest it does not get";
  EXPECT_EQ(got[1][0], '3');
}

TEST_F(EngineRetroactiveTest, FollowsAChangeOfPolicies) {
  remember("t", count(3));
  for (const auto* body : {"1", "2", "3"}) send("t", body);
  settings_ = {};
  remember("t", count(1));
  EXPECT_EQ(recalled("t"), (Texts{"3"}));
  settings_ = {};
  engine_->configure(settings_, now_);
  EXPECT_EQ(engine_->snapshot().bytes_remembered, 0U);
  EXPECT_TRUE(recalled("t").empty());
}

// --- several interests ---------------------------------------------------------------------------

TEST_F(EngineRetroactiveTest, SharesOneCreditAndOneOrderAmongInterests) {
  const auto who = connect();
  auto options = wanting({{DestinationKind::queue, "a"}, {DestinationKind::topic, "t"}});
  options.prefetch = 2;
  const auto subscription = *engine_->subscribe(who.id, options, now_);
  fill(connect(), 2, "a");
  auto got = deliveries();
  ASSERT_EQ(got.size(), 2U);
  send("t", "topic");
  EXPECT_TRUE(deliveries().empty());
  // A range over both kinds.
  engine_->written(who.id, got.back().number, now_);
  EXPECT_EQ(engine_
                ->acknowledge(subscription, {got[0].id, got[1].id}, AckKind::consumed, "",
                              std::nullopt, now_)
                .disposition,
            Disposition::done);
  EXPECT_EQ(bodies(deliveries()), (Texts{"topic"}));
  EXPECT_TRUE(engine_->unsubscribe(subscription, now_));
  send("t", "nobody");
  fill(connect(), 1, "a");
  EXPECT_TRUE(deliveries().empty());
  EXPECT_EQ(view("queue://a").consumers, 0U);
}

TEST_F(EngineRetroactiveTest, DeliversOnceWhatSeveralInterestsMatch) {
  const auto who = connect();
  ASSERT_TRUE(engine_->subscribe(who.id,
                                 wanting({{DestinationKind::topic, "t.>"},
                                          {DestinationKind::topic, "t.*"},
                                          {DestinationKind::queue, "q"},
                                          {DestinationKind::queue, "*"},
                                          {DestinationKind::queue, ">"}}),
                                 now_));
  send("t.1", "1");
  fill(connect(), 1, "q");
  fill(connect(), 1, "r");
  EXPECT_EQ(deliveries().size(), 3U);
  EXPECT_EQ(view("queue://q").consumers, 1U);
  EXPECT_EQ(view("queue://r").consumers, 1U);
}

TEST_F(EngineRetroactiveTest, RefusesInterestsThatDoNotGoTogether) {
  const auto who = connect("me");
  auto options = wanting({{DestinationKind::topic, "a"}, {DestinationKind::topic, "b"}});
  options.interests[1].selector = "color = 'red'";
  EXPECT_EQ(engine_->subscribe(who.id, options, now_).error().code, Errc::not_supported);
  EXPECT_FALSE(engine_->subscribe(who.id, wanting({}), now_));
  EXPECT_FALSE(engine_->subscribe(
      who.id, wanting({{DestinationKind::queue, "a"}, {DestinationKind::temporary_queue, "b"}}),
      now_));
  EXPECT_EQ(engine_->snapshot().subscriptions, 0U);
}

}  // namespace
}  // namespace pabal::core
