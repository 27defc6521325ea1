#include <set>
#include <string>
#include <vector>

#include "tests/unit/core/engine_fixture.h"

namespace pabal::core {
namespace {

class EngineWalkTest : public EngineFixture {
 protected:
  void SetUp() override {
    EngineLimits limits;
    limits.list_window_bytes_max = 4000;  // a few dozen messages: nearly all is on disk
    limits.window_bytes_max = 20'000;
    open({}, limits);
  }
  static SubscribeOptions browser_of(const std::string& name) {
    SubscribeOptions options;
    options.interests.push_back({Destination{DestinationKind::queue, name}, "", false});
    options.ack_mode = AckMode::explicit_;
    options.prefetch = 1'000'000;
    options.browser = true;
    return options;
  }
  SubscriptionId browse(const ConnectionDetails& who, const SubscribeOptions& options) {
    const auto made = engine_->subscribe(who.id, options, now_);
    EXPECT_TRUE(made) << (made ? "" : made.error().text);
    return made ? *made : SubscriptionId{};
  }
  struct Browsed {
    std::vector<std::string> bodies;
    std::vector<Delivery> deliveries;
    int ends = 0;
  };
  /// What `who` gets, its socket always taking everything.
  Browsed browsed(const ConnectionDetails& who) {
    Browsed all;
    for (;;) {
      auto some = deliveries();
      if (some.empty()) return all;
      engine_->written(who.id, some.back().number, now_);
      for (auto& delivery : some) {
        if (delivery.connection != who.id) continue;
        if (!delivery.message) {
          ++all.ends;
          continue;
        }
        EXPECT_EQ(all.ends, 0) << "nothing comes behind the end";
        all.bodies.emplace_back(delivery.message->body());
        all.deliveries.push_back(std::move(delivery));
      }
    }
  }
  void send(const ConnectionDetails& from, const std::string& body, bool persistent,
            std::uint8_t priority = 4, const std::string& color = "") {
    Send what;
    what.body = body;
    what.persistent = persistent;
    what.priority = priority;
    what.color = color;
    ASSERT_EQ(publish(from, what).disposition, Disposition::done);
  }
};

TEST_F(EngineWalkTest, ABrowserSeesADeepQueueInOrderAndTakesNothing) {
  const auto who = connect();
  std::vector<std::string> expected;
  for (const int priority : {9, 4, 0}) {
    for (int i = 0; i < 1000; ++i) {
      expected.push_back(std::to_string(priority) + "-" + std::to_string(i));
      send(who, expected.back(), i % 3 != 0, static_cast<std::uint8_t>(priority));
    }
  }
  browse(who, browser_of("q"));
  const auto seen = browsed(who);
  EXPECT_EQ(seen.bodies, expected);
  EXPECT_EQ(seen.ends, 1);
  EXPECT_EQ(view("queue://q").depth, 3000U);
  EXPECT_EQ(view("queue://q").consumers, 0U);
  EXPECT_EQ(view("queue://q").counters.dispatched, 0U);
  EXPECT_LE(engine_->snapshot().bytes_window, 20'000U);
  engine_->disconnect(who.id, now_);
  EXPECT_EQ(bodies(drain("q")), expected);
  EXPECT_EQ(engine_->snapshot().bytes_window, 0U);
  EXPECT_EQ(engine_->snapshot().bytes_held, 0U);
}

TEST_F(EngineWalkTest, WhatComesBehindTheBeginningIsNotSeen) {
  const auto who = connect();
  fill(who, 300);
  auto options = browser_of("q");
  options.prefetch = 10;
  const auto browser = browse(who, options);
  auto got = deliveries();
  ASSERT_EQ(got.size(), 10U);
  fill(who, 50);
  std::size_t seen = got.size();
  while (!got.empty() && got.back().message) {
    engine_->written(who.id, got.back().number, now_);
    for (const auto& delivery : got) ack(browser, delivery);
    got = deliveries();
    for (const auto& delivery : got) seen += delivery.message ? 1 : 0;
  }
  EXPECT_EQ(seen, 300U);
  EXPECT_EQ(view("queue://q").depth, 350U);
}

// Goal: its copies are its own; the credit is what its acknowledgements give back.
TEST_F(EngineWalkTest, ABrowserHasCreditAndCannotRefuse) {
  const auto who = connect();
  fill(who, 5);
  auto options = browser_of("q");
  options.prefetch = 2;
  const auto browser = browse(who, options);
  const auto got = deliveries();
  ASSERT_EQ(bodies(got), (std::vector<std::string>{"1", "2"}));
  EXPECT_EQ(ack(browser, got[0], AckKind::poisoned).error->code, Errc::not_supported);
  EXPECT_EQ(ack(browser, got[0], AckKind::requeued).error->code, Errc::not_supported);
  EXPECT_EQ(ack(browser, got[1]).disposition, Disposition::done);
  EXPECT_EQ(bodies(deliveries()), (std::vector<std::string>{"3"}));
  EXPECT_EQ(view("queue://q").depth, 5U);
  engine_->disconnect(who.id, now_);
  EXPECT_EQ(engine_->snapshot().bytes_held, 0U);
  EXPECT_EQ(drain("q").size(), 5U);
}

TEST_F(EngineWalkTest, WhatIsOutIsSeenStoredOrNot) {
  const auto who = connect();
  for (int i = 1; i <= 6; ++i) send(who, std::to_string(i), i % 2 == 0);
  Sub sub;
  sub.prefetch = 4;
  const auto consumer = subscribe(who, sub);
  const auto out = deliveries();
  ASSERT_EQ(out.size(), 4U);
  engine_->acknowledge(consumer, {out[3].id, out[3].id}, AckKind::requeued, "", {}, now_);
  const auto other = connect();
  browse(other, browser_of("q"));
  EXPECT_EQ(browsed(other).bodies, numbers(1, 6));
}

TEST_F(EngineWalkTest, BrowsersSelectWhileOthersTakeAndSend) {
  const auto who = connect();
  std::vector<std::string> red;
  for (int i = 0; i < 2000; ++i) {
    send(who, std::to_string(i), i % 5 != 0, 4, i % 10 == 0 ? "red" : "blue");
    if (i % 10 == 0) red.push_back(std::to_string(i));
  }
  const auto first = connect();
  const auto second = connect();
  auto options = browser_of("q");
  options.interests[0].selector = "color = 'red'";
  browse(first, options);
  options.prefetch = 7;
  const auto slow = browse(second, options);
  Sub blue;
  blue.selector = "color = 'blue'";
  const auto taker = subscribe(who, blue);
  std::vector<std::string> of_first;
  std::vector<std::string> of_second;
  int ends = 0;
  for (int round = 0; round < 5000; ++round) {
    auto got = deliveries();
    if (got.empty()) break;
    for (const auto& delivery : got) {
      engine_->written(delivery.connection, delivery.number, now_);
      if (!delivery.message) {
        ++ends;
      } else if (delivery.subscription == taker) {
        ack(taker, delivery);
        if (round < 50) send(who, "new", true, 4, "red");
      } else if (delivery.subscription == slow) {
        of_second.emplace_back(delivery.message->body());
        ack(slow, delivery);
      } else {
        of_first.emplace_back(delivery.message->body());
      }
    }
  }
  EXPECT_EQ(of_first, red);
  EXPECT_EQ(of_second, red);
  EXPECT_EQ(ends, 2);
}

TEST_F(EngineWalkTest, ADeletedQueueEndsItsBrowsers) {
  const auto who = connect();
  fill(who, 1000);
  auto options = browser_of("q");
  options.prefetch = 10;
  browse(who, options);
  ASSERT_EQ(deliveries().size(), 10U);
  ASSERT_TRUE(engine_->delete_queue({DestinationKind::queue, "q"}, QueueDeletion::forced, now_));
  const auto got = deliveries();
  ASSERT_EQ(got.size(), 1U);
  EXPECT_FALSE(got[0].message);
  engine_->disconnect(who.id, now_);
  EXPECT_EQ(engine_->snapshot().bytes_window, 0U);
  EXPECT_EQ(engine_->snapshot().bytes_held, 0U);
}

TEST_F(EngineWalkTest, WhatCannotBeBrowsedIsRefused) {
  const auto who = connect();
  auto options = browser_of("q.>");
  EXPECT_EQ(engine_->subscribe(who.id, options, now_).error().code, Errc::invalid_argument);
  options = browser_of("t");
  options.interests[0].destination.kind = DestinationKind::topic;
  EXPECT_EQ(engine_->subscribe(who.id, options, now_).error().code, Errc::invalid_argument);
}

TEST_F(EngineWalkTest, TheNumberOfWalksIsLimited) {
  EngineLimits limits;
  limits.walks_max = 2;
  open({}, limits);
  const auto who = connect();
  fill(who, 3);
  auto options = browser_of("q");
  options.prefetch = 1;
  browse(who, options);
  const auto last = browse(who, options);
  EXPECT_EQ(engine_->subscribe(who.id, options, now_).error().code, Errc::quota_exceeded);
  ASSERT_TRUE(engine_->unsubscribe(last, now_));
  browse(who, options);
}

TEST_F(EngineWalkTest, AnEmptyQueueHasAnEnd) {
  const auto who = connect();
  browse(who, browser_of("empty"));
  const auto seen = browsed(who);
  EXPECT_TRUE(seen.bodies.empty());
  EXPECT_EQ(seen.ends, 1);
}

// A consumer that is behind with its message groups has a way of its own beside the shared one.
// Goal: a browser that is slow is not shown what was acknowledged before it got there.
TEST_F(EngineWalkTest, WhatWasAcknowledgedMeanwhileIsNotSeen) {
  const auto looks = connect();
  const auto takes = connect();
  for (int i = 0; i < 10; ++i) send(looks, std::to_string(i), i % 2 == 0);
  auto options = browser_of("q");
  options.prefetch = 1;
  const auto browser = browse(looks, options);
  const auto first = browsed(looks);
  ASSERT_EQ(first.bodies, std::vector<std::string>{"0"});

  const auto consumer = subscribe(takes, {});
  const auto got = deliveries();
  ASSERT_EQ(got.size(), 10U);
  for (const auto& delivery : got) {
    if (delivery.message->body() != "7") ack(consumer, delivery);
  }
  ack(browser, first.deliveries[0]);
  const auto rest = browsed(looks);
  EXPECT_EQ(rest.bodies, std::vector<std::string>{"7"}) << "it is out, and not acknowledged";
}

TEST_F(EngineWalkTest, WhatSomebodyWhoIsBehindHasOutIsSeenOnce) {
  const auto from = connect();
  const auto slow = connect();
  const auto fast = connect();
  subscribe(slow, {.prefetch = 1});
  publish(from, {.body = "1", .persistent = false, .group = "slow"});
  ASSERT_EQ(deliveries().size(), 1U);
  subscribe(fast, {});
  publish(from, {.body = "2", .persistent = false, .group = "slow"});
  publish(from, {.body = "3", .persistent = false, .group = "fast"});
  ASSERT_EQ(deliveries().size(), 1U);
  const auto who = connect();
  browse(who, browser_of("q"));
  EXPECT_EQ(browsed(who).bodies, numbers(1, 3));
}

}  // namespace
}  // namespace pabal::core
