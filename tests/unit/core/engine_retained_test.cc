// Retained messages: what topics keep, who gets it, and what is there after a restart at any point.

#include <map>

#include <gtest/gtest.h>

#include "tests/unit/core/session_fixture.h"

namespace pabal::core {
namespace {

using Texts = std::vector<std::string>;
using State = std::map<std::string, std::string>;

class EngineRetainedTest : public SessionFixture {
 protected:
  Outcome keep(const std::string& topic, const std::string& body, Kind kind = {}) {
    kind.retain = true;
    if (sender_.id == ConnectionId{}) sender_ = connect();
    return tell(sender_, topic, body, kind);
  }
  /// What a subscription to everything is given.
  State kept(const std::string& pattern = ">") {
    const auto who = connect();
    listen(who,
           {.pattern = pattern, .mode = AckMode::explicit_, .retained = true, .prefetch = 100'000});
    State state;
    for (const auto& each : deliveries()) {
      EXPECT_TRUE(each.retained);
      const std::string name(each.message->destination_name());
      EXPECT_FALSE(state.contains(name)) << name << " twice";
      state[name] = each.message->body();
    }
    engine_->disconnect(who.id, now_);
    return state;
  }
  void reopen(Ticket survives = kNoTicket) {
    restart_now(survives);
    sender_ = {};
  }
  ConnectionDetails sender_;
};

TEST_F(EngineRetainedTest, TheLastOneOfATopicIsGivenToWhoComesLater) {
  keep("a.b", "1");
  keep("a.b", "2");
  keep("a.c", "3");
  tell(sender_, "a.c", "not kept");
  EXPECT_EQ(kept(), (State{{"a.b", "2"}, {"a.c", "3"}}));
  EXPECT_EQ(kept("a.*"), (State{{"a.b", "2"}, {"a.c", "3"}}));
  EXPECT_EQ(kept("a.c"), (State{{"a.c", "3"}}));
  EXPECT_EQ(kept("a"), State{});
  EXPECT_EQ(engine_->snapshot().retained, 2U);
}

TEST_F(EngineRetainedTest, PatternsFindWhatTheyMatchAndNoMore) {
  const Texts names = {"a", "a.b", "a.b.c", "a-b", "ab", "a.", "b", ".a", "$SYS.a", "a..b", "a/b"};
  for (const auto& name : names) ASSERT_EQ(keep(name, "x").disposition, Disposition::done);
  for (const auto* pattern :
       {"a", "a.>", "a.*", "*", "*.b", ">", "a.*.c", "a..>", "$SYS.>", "*.>"}) {
    State expected;
    for (const auto& name : names) {
      if (matches(pattern, name)) expected[name] = "x";
    }
    EXPECT_EQ(kept(pattern), expected) << pattern;
  }
}

TEST_F(EngineRetainedTest, AnEmptyOneDeletes) {
  keep("t", "1");
  const auto who = connect();
  const auto live = listen(who, {.pattern = "t"});
  keep("t", "");
  const auto got = deliveries();
  EXPECT_EQ(bodies_for(got, live), (Texts{""})) << "and is delivered";
  EXPECT_FALSE(got.at(0).retained);
  EXPECT_EQ(kept(), State{});
  EXPECT_EQ(engine_->snapshot().retained, 0U);
  EXPECT_EQ(engine_->snapshot().retained_bytes, 0U);
  reopen();
  EXPECT_EQ(kept(), State{});
}

TEST_F(EngineRetainedTest, ThePropertyOfAnyProtocolSaysIt) {
  const auto who = connect();
  MessageBuilder builder;
  builder.destination_kind = DestinationKind::topic;
  builder.destination_name = "t";
  builder.body = "x";
  builder.add_string("ActiveMQ.Retain", "false");
  EXPECT_FALSE((*builder.build())->retain());
  builder.add_string("ActiveMQ.Retain", "true");
  auto message = *builder.build();
  EXPECT_TRUE(message->retain());
  EXPECT_TRUE((*MessageBuilder(*message).build())->retain());
  builder.clear();
  EXPECT_FALSE((*builder.build())->retain());
  builder.add_boolean("ActiveMQ.Retain", true);
  EXPECT_TRUE((*builder.build())->retain());
  builder.clear();
  builder.set_encoded_properties(Encoding::native, message->properties());
  EXPECT_TRUE((*builder.build())->retain());
  EXPECT_TRUE((*Message::from_flat(message->flat()))->retain());
  engine_->publish(who.id, message, SendOptions{}, now_);
  EXPECT_EQ(kept(), (State{{"t", "x"}}));
}

TEST_F(EngineRetainedTest, SubscribersOfBeforeGetItAsAnyOther) {
  const auto who = connect();
  listen(who, {.pattern = "t", .retained = true});
  keep("t", "1");
  const auto got = deliveries();
  ASSERT_EQ(bodies(got), (Texts{"1"}));
  EXPECT_FALSE(got[0].retained);
  EXPECT_TRUE(got[0].message->retain()) << "for retain as published";
}

TEST_F(EngineRetainedTest, ComesBeforeAnythingLiveAndOnlyOnce) {
  for (const auto* topic : {"t.1", "t.2", "t.3"}) keep(topic, "old");
  const auto who = connect();
  const auto subscription =
      listen(who, {.pattern = "t.>", .mode = AckMode::explicit_, .retained = true, .prefetch = 1});
  auto got = deliveries();
  ASSERT_EQ(got.size(), 1U);
  // Replaced while the replay is on its way, which had it in hand: the new one comes as any other.
  keep("t.2", "new");
  tell(sender_, "t.1", "live");
  std::vector<std::pair<std::string, bool>> all;
  for (; !got.empty(); got = deliveries()) {
    for (const auto& each : got) {
      all.emplace_back(each.message->body(), each.retained);
      ack(subscription, each);
    }
  }
  const std::vector<std::pair<std::string, bool>> expected = {
      {"old", true}, {"old", true}, {"old", true}, {"new", false}, {"live", false}};
  EXPECT_EQ(all, expected);
}

TEST_F(EngineRetainedTest, DurableSubscriptionsGetItFirstToo) {
  keep("t", "old");
  const auto who = visit("c");
  tell(sender_, "t", "before");
  const auto subscription = listen(
      who,
      {.pattern = "t", .name = "n", .mode = AckMode::explicit_, .retained = true, .prefetch = 1});
  tell(sender_, "t", "1");
  auto got = deliveries();
  Texts all;
  for (; !got.empty(); got = deliveries()) {
    for (const auto& each : got) {
      all.emplace_back(each.message->body());
      ack(subscription, each);
    }
  }
  EXPECT_EQ(all, (Texts{"old", "1"}));
}

TEST_F(EngineRetainedTest, ADurableReplayIsRepeatedUntilItIsAcknowledged) {
  keep("t.1", "1");
  keep("t.2", "2");
  auto who = visit("c");
  const Filter filter{.pattern = "t.>", .name = "n", .retained = true};
  Filter again = filter;
  again.retained = false;
  auto subscription = listen(who, filter);
  auto got = deliveries();
  ASSERT_EQ(got.size(), 2U);
  ack(subscription, got[0]);
  lose(who);
  reopen();
  who = visit("c");
  subscription = listen(who, again);
  got = deliveries();
  EXPECT_EQ(got.size(), 2U) << "not all had been acknowledged";
  for (const auto& each : got) {
    EXPECT_TRUE(each.retained);
    ack(subscription, each);
  }
  run();
  lose(who);
  reopen();
  who = visit("c");
  listen(who, again);
  EXPECT_TRUE(deliveries().empty());
}

TEST_F(EngineRetainedTest, CanBeAskedForAgain) {
  keep("t", "1");
  const auto who = connect();
  const auto subscription = listen(who, {.pattern = "t", .mode = AckMode::automatic});
  EXPECT_TRUE(deliveries().empty());
  ResubscribeOptions change;
  change.retained = true;
  ASSERT_TRUE(engine_->resubscribe(subscription, change, now_));
  EXPECT_EQ(bodies(deliveries()), (Texts{"1"}));
}

TEST_F(EngineRetainedTest, SharedSubscriptionsGetNone) {
  keep("t", "1");
  const auto who = visit("c");
  listen(who, {.pattern = "t", .name = "n", .group = "g", .retained = true});
  EXPECT_TRUE(deliveries().empty());
}

TEST_F(EngineRetainedTest, SelectorsAndNoLocalCount) {
  const auto who = connect();
  tell(who, "t", "own", {.retain = true});
  listen(who, {.pattern = "t", .retained = true, .no_local = true});
  EXPECT_TRUE(deliveries().empty());
}

TEST_F(EngineRetainedTest, ExpiredOnesGo) {
  keep("t", "1", {.expiration = to_millis(now_) + 5000});
  keep("u", "2");
  EXPECT_EQ(kept().size(), 2U);
  advance(milliseconds(6000));
  EXPECT_EQ(engine_->snapshot().retained, 1U);
  EXPECT_EQ(kept(), (State{{"u", "2"}}));
  reopen();
  EXPECT_EQ(kept(), (State{{"u", "2"}}));
}

TEST_F(EngineRetainedTest, ExpireWhileTheBrokerIsDown) {
  keep("t", "1", {.expiration = to_millis(now_) + 5000});
  now_ += milliseconds(6000);
  reopen();
  EXPECT_EQ(kept(), State{});
  advance(milliseconds(1000));
  EXPECT_EQ(engine_->snapshot().retained, 0U);
}

TEST_F(EngineRetainedTest, VolatileOnesSurviveARestartAsWell) {
  keep("t", "p");
  keep("u", "v", {.persistent = false});
  reopen();
  EXPECT_EQ(kept(), (State{{"t", "p"}, {"u", "v"}}));
}

TEST_F(EngineRetainedTest, TransactionsRetainWhenTheyCommit) {
  const auto who = connect();
  const auto transaction = *engine_->begin(who.id);
  for (const auto* body : {"1", "2"}) {
    engine_->publish(who.id, topic_message(who, "t", body, {.retain = true}),
                     {transaction, 0, nullptr}, now_);
  }
  EXPECT_EQ(kept(), State{});
  engine_->commit(transaction, 0, now_);
  EXPECT_EQ(kept(), (State{{"t", "2"}}));
  reopen();
  EXPECT_EQ(kept(), (State{{"t", "2"}}));
}

TEST_F(EngineRetainedTest, WhatATransactionRetainedWaitsForItsSync) {
  open({.manual_durability = true});
  const auto who = connect();
  const auto transaction = *engine_->begin(who.id);
  engine_->publish(who.id, topic_message(who, "t", "1", {.retain = true}),
                   {transaction, 0, nullptr}, now_);
  engine_->commit(transaction, 0, now_);
  const auto other = connect();
  listen(other, {.pattern = "t", .mode = AckMode::automatic, .retained = true});
  EXPECT_TRUE(deliveries().empty());
  store_->make_durable(engine_->submitted());
  EXPECT_EQ(bodies(deliveries()), (Texts{"1"}));
}

TEST_F(EngineRetainedTest, LimitsRefuseAtTheDoor) {
  EngineLimits limits;
  limits.retained_messages_max = 2;
  limits.retained_bytes_max = 4000;
  open({}, limits);
  ASSERT_EQ(keep("a", "1").disposition, Disposition::done);
  ASSERT_EQ(keep("b", "1").disposition, Disposition::done);
  const auto refused = keep("c", "1");
  ASSERT_EQ(refused.disposition, Disposition::failed);
  EXPECT_EQ(refused.error->code, Errc::quota_exceeded);
  EXPECT_EQ(keep("a", "2").disposition, Disposition::done) << "replacing takes no place";
  EXPECT_EQ(keep("a", std::string(5000, 'x')).disposition, Disposition::failed);
  EXPECT_EQ(kept(), (State{{"a", "2"}, {"b", "1"}}));
  EXPECT_EQ(keep("a", "").disposition, Disposition::done);
  EXPECT_EQ(keep("c", "1").disposition, Disposition::done);
}

/// Each of them alone has room.
TEST_F(EngineRetainedTest, LimitsCountWhatATransactionSendsTogether) {
  EngineLimits limits;
  limits.retained_messages_max = 2;
  limits.retained_bytes_max = 4000;
  open({}, limits);
  ASSERT_EQ(keep("a", "1").disposition, Disposition::done);
  const auto who = connect();
  const auto commit = [&](const std::vector<std::pair<std::string, std::string>>& sends) {
    const auto transaction = *engine_->begin(who.id);
    for (const auto& [topic, body] : sends) {
      const auto sent = engine_->publish(who.id, topic_message(who, topic, body, {.retain = true}),
                                         {transaction, 0, nullptr}, now_);
      EXPECT_EQ(sent.disposition, Disposition::done);
    }
    return engine_->commit(transaction, 0, now_);
  };
  const auto refused = commit({{"b", "1"}, {"c", "1"}});
  ASSERT_EQ(refused.disposition, Disposition::failed);
  EXPECT_EQ(refused.error->code, Errc::quota_exceeded);
  EXPECT_EQ(kept(), (State{{"a", "1"}}));
  const std::string large(1500, 'x');
  EXPECT_EQ(commit({{"a", large}, {"b", large}, {"b", large}}).disposition, Disposition::done)
      << "what is replaced within it counts once";
  const std::string larger(1950, 'x');
  EXPECT_EQ(commit({{"a", larger}, {"b", larger}}).disposition, Disposition::failed);
  EXPECT_EQ(commit({{"a", larger}, {"b", larger}, {"b", "1"}}).disposition, Disposition::failed)
      << "as far as it has come";
  EXPECT_EQ(commit({{"b", ""}, {"a", "2"}, {"b", "2"}}).disposition, Disposition::done);
  EXPECT_EQ(kept(), (State{{"a", "2"}, {"b", "2"}}));
}

TEST_F(EngineRetainedTest, BodiesThatAreNotInMemoryAreReadBack) {
  EngineLimits limits;
  limits.retained_window_bytes_max = 2000;
  open({}, limits);
  State expected;
  for (int i = 0; i < 300; ++i) {
    const auto name = "t." + std::to_string(i);
    expected[name] = std::string(100, static_cast<char>('a' + i % 26));
    ASSERT_EQ(keep(name, expected[name]).disposition, Disposition::done);
  }
  std::uint64_t in_memory = 0;
  for (const auto& each : engine_->retained("", 1000)) in_memory += each.in_memory ? 1 : 0;
  EXPECT_LT(in_memory, 20U);
  EXPECT_EQ(kept(), expected);
  reopen();
  EXPECT_EQ(kept(), expected);
  // With one at a time, and some replaced, deleted and new ones on the way.
  const auto who = connect();
  const auto subscription =
      listen(who, {.pattern = "t.>", .mode = AckMode::explicit_, .retained = true, .prefetch = 1});
  State got;
  int step = 0;
  for (auto some = deliveries(); !some.empty(); some = deliveries()) {
    for (const auto& each : some) {
      const std::string name(each.message->destination_name());
      if (each.message->body().empty()) {
        got.erase(name);
      } else {
        got[name] = each.message->body();
      }
      ack(subscription, each);
    }
    if (++step % 3 != 0) continue;
    const auto name = "t." + std::to_string(step);
    const std::string body = step % 2 == 0 ? "" : "new" + std::to_string(step);
    keep(name, body);
    if (body.empty()) {
      expected.erase(name);
    } else {
      expected[name] = body;
    }
  }
  EXPECT_EQ(got, expected);
}

TEST_F(EngineRetainedTest, NewOnesWhileThoseOfBeforeAreRead) {
  for (int i = 0; i < 3000; ++i) keep("t." + std::to_string(i), "old");
  run();
  engine_.reset();
  store_->restart();
  engine_ = std::make_unique<Engine>(*store_, limits_, 1);
  sender_ = connect();
  const auto who = connect();
  listen(who, {.pattern = "t.5", .mode = AckMode::automatic, .retained = true});
  keep("t.7", "new");
  keep("t.8", "");
  keep("u", "new");
  EXPECT_FALSE(engine_->snapshot().retained_known);
  EXPECT_TRUE(engine_->outbox(HomeId{}).deliveries.empty());
  EXPECT_EQ(bodies(deliveries()), (Texts{"old"})) << "it waited for the reading";
  EXPECT_TRUE(engine_->snapshot().retained_known);
  auto state = kept();
  EXPECT_EQ(state.size(), 3000U);
  EXPECT_EQ(state["t.7"], "new");
  EXPECT_FALSE(state.contains("t.8"));
  EXPECT_EQ(state["u"], "new");
  EXPECT_EQ(engine_->snapshot().retained, 3000U);
  reopen();
  EXPECT_EQ(kept(), state);
}

TEST_F(EngineRetainedTest, WhatIsDeletedWhileThoseOfBeforeAreReadStaysDeleted) {
  const auto start = [&] {
    engine_.reset();
    store_->restart();
    engine_ = std::make_unique<Engine>(*store_, limits_, 1);
    sender_ = connect();
    EXPECT_FALSE(engine_->snapshot().retained_known);
  };
  for (int i = 0; i < 10; ++i) keep("t." + std::to_string(i), "old");
  run();
  for (const auto* topic : {"t.8", "t.9"}) {
    start();
    EXPECT_EQ(keep(topic, "").disposition, Disposition::done);
    EXPECT_EQ(keep("t.5", "").disposition, Disposition::done);
    EXPECT_EQ(keep("t.5", "").disposition, Disposition::done);
    EXPECT_EQ(keep("t.6", "").disposition, Disposition::done);
    EXPECT_EQ(keep("t.6", "new").disposition, Disposition::done);
  }
  start();  // nothing was read on the earlier ones
  auto state = kept("t.>");
  EXPECT_EQ(state.size(), 7U);
  for (const auto* gone : {"t.9", "t.8", "t.5"}) EXPECT_FALSE(state.contains(gone)) << gone;
  EXPECT_EQ(state["t.6"], "new");
  EXPECT_EQ(engine_->snapshot().retained, 7U);
  for (int i = 0; i < 9; ++i) keep("t." + std::to_string(i), "");
  run();
  EXPECT_EQ(store_->status().bytes_live, 0U) << "nothing is left of what deleted them";
}

TEST_F(EngineRetainedTest, TheStoreKeepsNoMoreThanTheLastOfEach) {
  const auto who = visit("c");
  const auto subscription = listen(who, {.pattern = "t", .name = "n"});
  for (int i = 0; i < 50; ++i) keep("t", std::to_string(i));
  for (auto some = deliveries(); !some.empty(); some = deliveries()) {
    for (const auto& each : some) ack(subscription, each);
  }
  run();
  EXPECT_EQ(store_->status().bytes_live, engine_->snapshot().retained_bytes);
  keep("t", "");
  const auto last = deliveries();
  ack(subscription, last.at(0));
  run();
  EXPECT_EQ(store_->status().bytes_live, 0U);
}

/// Whatever the last ticket that survives: every topic has what the last retained send up to it
/// said.
TEST_F(EngineRetainedTest, ARestartAtEveryPoint) {
  open({.manual_durability = true});
  struct Step {
    std::string topic;
    std::string body;
    bool persistent;
  };
  const std::vector<Step> steps = {{"a", "1", true},  {"b", "1", false}, {"a", "2", false},
                                   {"c", "1", true},  {"b", "", true},   {"a", "3", true},
                                   {"b", "2", false}, {"c", "", false},  {"d", "1", true}};
  const auto play = [&] {
    std::vector<Ticket> tickets;
    sender_ = connect();
    const auto durable = visit("c");
    listen(durable, {.pattern = ">", .name = "n"});
    for (const auto& step : steps) {
      const auto outcome = keep(step.topic, step.body, {.persistent = step.persistent});
      EXPECT_EQ(outcome.disposition, Disposition::done);
      tickets.push_back(outcome.after);
      engine_->run(now_);
    }
    return tickets;
  };
  const auto last = raw(play().back());
  for (std::uint64_t survives = 0; survives <= last; ++survives) {
    open({.manual_durability = true});
    sender_ = {};
    const auto tickets = play();
    State expected;
    for (std::size_t i = 0; i < steps.size(); ++i) {
      if (raw(tickets[i]) > survives) break;
      expected[steps[i].topic] = steps[i].body;
    }
    std::erase_if(expected, [](const auto& each) { return each.second.empty(); });
    engine_->outbox(HomeId{}).clear();
    reopen(Ticket{survives});
    ASSERT_EQ(kept(), expected) << "after ticket " << survives;
    // And it goes on from there.
    ASSERT_EQ(keep("a", "more").disposition, Disposition::done);
    expected["a"] = "more";
    ASSERT_EQ(kept(), expected);
  }
}

TEST_F(EngineRetainedTest, ALargeOne) {
  const std::string body(20 << 20, 'x');
  ASSERT_EQ(keep("t", body).disposition, Disposition::done);
  reopen();
  EXPECT_EQ(kept()["t"].size(), body.size());
}

}  // namespace
}  // namespace pabal::core
